"""What a column, and a word in it, means: usual English, OSM and Chinese names → ours.

Plain data and the few functions that look it up. Names are compared without case, spaces and
punctuation, in their compatibility form, so ``Building:Levels`` and ``building_levels`` agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gridplan.layers import INPUTS
from gridplan.read.patrol_words import PATROL_ALIASES
from gridplan.sheets import fold
from gridplan.sheets.privacy import PRIVATE_NAMES, PRIVATE_PART

# Which input layer a file given under another name becomes, and the barrier kind it brings.
BARRIER_FILES = {"rail": "rail", "water": "water", "walls": "wall"}
LAYER_FILES = (*INPUTS, "outline", *BARRIER_FILES)

_NAME = ("name", "名称", "名字", "name:zh", "title", "label")
_HOUSEHOLDS = ("households", "household_count", "hh", "n_households", "num_households", "户数",
               "总户数", "住户数", "居民户数", "常住户数", "户籍户数")
_POPULATION = ("population", "pop", "residents", "人口", "人口数", "总人口", "常住人口",
               "居住人口")
_COMMUNITY = ("community_id", "community_code", "社区编码", "社区代码", "社区编号", "村社区代码",
              "行政区划代码", "adcode")
_NUMBER = ("number", "幢号", "楼号", "栋号", "楼栋号", "幢", "栋", "addr:housenumber",
           "housenumber", "building_no")
_ROAD_CLASS = ("road_class", "highway", "fclass", "道路等级", "道路类型", "等级", "class", "type")

# layer → our column (or a helper that becomes one) → the names it goes by, best first.
ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "communities": {
        "community_id": (*_COMMUNITY, "编码", "代码", "code", "id", "gid", "osm_id"),
        "subdistrict_id": ("subdistrict_id", "street_id", "街道编码", "街道代码", "街道", "镇街",
                           "乡镇街道"),
        "name": ("community_name", "社区名称", "社区名", "村社区名称", "社区", "行政村", *_NAME),
        "kind": ("kind", "类别", "类型", "社区类型", "城乡分类"),
        "households": _HOUSEHOLDS, "population": _POPULATION},
    "buildings": {
        "building_id": ("building_id", "楼栋编码", "楼栋编号", "建筑编码", "建筑编号", "房屋编码",
                        "bldg_id", "id", "osm_id", "编码", "编号"),
        "community_id": _COMMUNITY,
        "estate_id": ("estate_id", "estate", "小区编码", "小区编号", "小区名称", "小区"),
        "number": _NUMBER,
        "households": _HOUSEHOLDS, "households_source": ("households_source",),
        "population": _POPULATION,
        "newcomers": ("newcomers", "流动人口", "外来人口"),
        "rented": ("rented", "出租房", "出租屋", "出租户数", "出租房屋数"),
        "floors": ("floors", "building:levels", "number_of_floors", "num_floors", "levels",
                   "storeys", "stories", "floor", "层数", "楼层", "楼层数", "总层数", "地上层数"),
        "height_m": ("height_m", "height", "building:height", "高度", "建筑高度", "楼高"),
        "use": ("use", "building", "building:use", "usage", "用途", "建筑用途", "房屋用途",
                "使用性质", "建筑类型", "fclass", "type"),
        "name": ("building_name", "楼名", "楼栋名称", "建筑名称", *_NAME),
        "living_m2": ("living_m2", "living_area", "居住面积", "住宅面积"),
        "is_living": ("is_living", "is_residential", "residential", "是否住宅", "是否居住")},
    "roads": {
        "road_id": ("road_id", "道路编码", "道路编号", "id", "osm_id", "编号"),
        "name": ("road_name", "street_name", "道路名称", "路名", *_NAME),
        "road_class": _ROAD_CLASS,
        "structure": ("structure",), "bridge": ("bridge", "桥", "桥梁", "是否桥梁"),
        "tunnel": ("tunnel", "隧道", "是否隧道"), "covered": ("covered",),
        "level": ("level", "layer", "层级"),
        "public": ("public",), "inner": ("inner", "内部道路"),
        "one_way": ("one_way", "oneway", "单行", "单行道", "是否单行"),
        "foot": ("foot",), "bike": ("bike",), "ebike": ("ebike",), "car": ("car",),
        "maxspeed_kmh": ("maxspeed_kmh", "maxspeed", "speed_limit", "限速", "设计车速"),
        "service": ("service",)},
    "barriers": {
        "barrier_id": ("barrier_id", "id", "osm_id"),
        "kind": ("kind", "类型", "类别", "railway", "waterway", "water", "natural", "barrier",
                 "fclass", "type"),
        "name": _NAME, "tunnel": ("tunnel", "隧道"), "covered": ("covered",),
        "level": ("layer", "level"), "width_m": ("width_m", "width", "宽度")},
    "estates": {
        "estate_id": ("estate_id", "小区编码", "小区编号", "编码", "编号", "id", "osm_id"),
        "name": ("estate_name", "小区名称", "小区", *_NAME),
        "management": ("management", "物业", "物业公司", "物业类型", "管理方式"),
        "renewal": ("renewal", "改造", "改造情况"), "phases": ("phases", "期数")},
    "gates": {
        "gate_id": ("gate_id", "id", "osm_id", "编号"),
        "estate_id": ("estate_id", "小区编码", "小区编号", "小区"),
        "foot": ("foot", "行人"), "car": ("car", "motor_vehicle", "车行", "机动车")},
    "entrances": {
        "entrance_id": ("entrance_id", "id", "osm_id", "编号"),
        "building_id": ("building_id", "楼栋编码", "楼栋编号")},
    "specials": {
        "special_id": ("special_id", "id", "osm_id", "编号"),
        "kind": ("kind", "类型", "类别", "fclass", "amenity", "leisure", "landuse", "type"),
        "name": _NAME},
    "must_links": {
        "must_link_id": ("must_link_id", "id", "gid", "编号", "编码"),
        "name": _NAME, "source": ("source",)},
    "facilities": {
        "facility_id": ("facility_id", "设施编码", "编号", "id", "osm_id"),
        "name": ("facility_name", "设施名称", *_NAME),
        "categories": ("categories", "category", "类别", "类型", "设施类型", "amenity", "fclass",
                       "kind", "type"),
        "level": ("level", "等级", "级别"), "capacity": ("capacity", "床位", "学位", "容量"),
        "area_m2": ("area_m2", "area", "面积", "建筑面积"), "source": ("source", "来源")},
    "demand": {
        "demand_id": ("demand_id", "id", "编号", "编码", "hex_id", "h3"),
        "name": _NAME, "households": (*_HOUSEHOLDS, "户"),
        "population": _POPULATION},
    "outline": {"name": _NAME},
    "totals": {
        "community_id": (*_COMMUNITY, "编码", "代码", "code", "id"),
        "name": ("community_name", "社区名称", "社区名", "村社区名称", "社区", "行政村",
                 "community", *_NAME),
        "households": (*_HOUSEHOLDS, "total", "totals", "合计", "户")},
    **PATROL_ALIASES,
}
COORDINATES: dict[str, tuple[str, ...]] = {
    "lon": ("lon", "lng", "long", "longitude", "经度", "东经"),
    "lat": ("lat", "latitude", "纬度", "北纬"),
    "x": ("x", "easting", "x坐标", "横坐标"), "y": ("y", "northing", "y坐标", "纵坐标"),
    "wkt": ("wkt", "geometry", "geom", "the_geom", "几何")}

TRUE = frozenset(("1", "t", "true", "y", "yes", "是", "有", "viaduct", "permissive", "designated"))
FALSE = frozenset(("0", "f", "false", "n", "no", "否", "无"))
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "—", "——", "/",
                     "无", "不详", "未知", "<na>"))

# Words that mark a row of sums in a table.
SUMS = ("合计", "总计", "小计", "共计", "总和", "Total", "total", "TOTAL", "Sum", "sum")
COMMUNITY_KINDS = {
    "urban": "urban", "城市": "urban", "城区": "urban", "城镇": "urban", "社区": "urban",
    "old": "old", "老城区": "old", "老旧": "old", "老旧小区": "old", "old quarter": "old",
    "rural": "rural", "农村": "rural", "乡村": "rural", "村": "rural", "行政村": "rural"}
ROAD_CLASSES = {
    "高速": "motorway", "高速公路": "motorway", "快速路": "trunk", "国道": "trunk",
    "主干路": "primary", "主干道": "primary", "省道": "primary", "次干路": "secondary",
    "次干道": "secondary", "县道": "secondary", "乡道": "tertiary", "支路": "unclassified",
    "村道": "unclassified", "街道": "residential", "居住区道路": "residential",
    "小区路": "service", "小区道路": "service", "内部道路": "service", "宅前路": "service",
    "街坊路": "service", "巷": "residential", "胡同": "residential", "步行街": "pedestrian",
    "人行道": "footway", "步道": "footway", "小路": "path", "台阶": "steps",
    "自行车道": "cycleway", "road": "unknown", "": "unknown"}
# Values of ``highway`` that are no road one can walk or drive on today.
NOT_ROADS = frozenset(("construction", "proposed", "abandoned", "razed", "platform", "raceway",
                       "rest_area", "services", "bus_stop", "elevator", "planned", "在建", "规划"))
BARRIER_KINDS = {
    "rail": "rail", "railway": "rail", "light_rail": "rail", "tram": "rail", "narrow_gauge": "rail",
    "monorail": "rail", "subway": "rail", "铁路": "rail", "轨道": "rail",
    "river": "river", "canal": "river", "riverbank": "river", "河": "river", "河流": "river",
    "运河": "river", "water": "water", "lake": "water", "pond": "water", "reservoir": "water",
    "basin": "water", "bay": "water", "dock": "water", "wetland": "water", "水域": "water",
    "湖": "water", "湖泊": "water", "水库": "water", "池塘": "water", "wall": "wall",
    "fence": "wall", "city_wall": "wall", "retaining_wall": "wall", "墙": "wall", "围墙": "wall",
    "栅栏": "wall"}
# Watercourses under 5 m and tracks that are gone: no barrier.
NOT_BARRIERS = frozenset((
    "stream", "ditch", "drain", "brook", "abandoned", "disused", "razed", "construction",
    "proposed", "platform", "station", "halt", "hedge", "kerb", "gate", "bollard", "溪", "沟渠"))
USES = {
    "住宅": "residential", "居住": "residential", "居民楼": "apartments", "住宅楼": "apartments",
    "公寓": "apartments", "商品房": "apartments", "平房": "bungalow", "自建房": "house",
    "农房": "house", "农村住宅": "house", "别墅": "house", "民房": "house", "宿舍": "dormitory",
    "商住": "mixed", "商住两用": "mixed", "综合": "mixed", "综合楼": "mixed", "底商住宅": "mixed",
    "商业": "commercial", "商铺": "retail", "店铺": "retail", "办公": "office", "写字楼": "office",
    "工业": "industrial", "厂房": "industrial", "仓库": "warehouse", "仓储": "warehouse",
    "学校": "school", "教育": "school", "幼儿园": "kindergarten", "医院": "hospital",
    "医疗": "hospital", "公共": "public", "公建": "public", "公共建筑": "public",
    "酒店": "hotel", "宾馆": "hotel", "车库": "garage", "棚": "shed", "其他": "other"}
# Geofabrik writes F (with the line), T (against it) and B (both ways).
ONE_WAY = {"f": "forward", "t": "backward", "b": "", "-1": "backward", "reverse": "backward",
           "forward": "forward", "backward": "backward", "": ""}


def base_of(role: str) -> str:
    """Return the layer that a file becomes.

    >>> base_of("rail"), base_of("roads")
    ('barriers', 'roads')
    """
    return "barriers" if role in BARRIER_FILES else role


def plain_role(role: str) -> str:
    """Return a role without its number: ``must_links:2`` is the second file of must-links.

    >>> plain_role("must_links:2"), plain_role("roads")
    ('must_links', 'roads')
    """
    return role.partition(":")[0]


def find_columns(layer: str, columns: Iterable[str], mapped: Mapping[str, str]) -> dict[str, str]:
    """Return ours → theirs for the columns of a file that are recognised or mapped.

    ``mapped`` wins; then the best name of the list in :data:`ALIASES`. A column of theirs
    serves one of ours. Names cut to the ten bytes of a shapefile are recognised too.

    >>> find_columns("buildings", ["户数", "building:l", "x"], {})
    {'households': '户数', 'floors': 'building:l'}
    """
    theirs = {fold(c): c for c in reversed(list(columns))}
    found = {ours: name for ours, name in mapped.items() if name in set(columns)}
    taken = set(found.values())
    for ours, aliases in ALIASES[layer].items():
        if ours in found:
            continue
        for alias in (*map(fold, aliases), *cut_names(aliases)):
            if alias in theirs and theirs[alias] not in taken:
                found[ours] = theirs[alias]
                taken.add(theirs[alias])
                break
    return found


def cut_names(names: Iterable[str]) -> list[str]:
    """Return what a shapefile leaves of names longer than ten bytes, folded.

    A name in UTF-8 is cut in the middle of a character, which is dropped.

    >>> cut_names(["building:levels", "社区编码", "户数"])
    ['buildingl', '社区编']
    """
    return [fold(n.encode()[:10].decode(errors="ignore")) for n in names if len(n.encode()) > 10]


def find_coordinates(columns: Iterable[str], mapped: Mapping[str, str]) -> dict[str, str]:
    """Return the columns that place a row: ``{"lon", "lat"}``, ``{"x", "y"}``, ``{"wkt"}`` or none.

    >>> find_coordinates(["名称", "经度", "纬度"], {})
    {'lon': '经度', 'lat': '纬度'}
    """
    names = list(columns)
    theirs = {fold(c): c for c in reversed(names)}
    found = {ours: mapped[ours] for ours in COORDINATES if mapped.get(ours) in names}
    for ours, aliases in COORDINATES.items():
        hit = next((theirs[fold(a)] for a in aliases if fold(a) in theirs), None)
        if hit is not None:
            found.setdefault(ours, hit)
    for pair in (("wkt",), ("lon", "lat"), ("x", "y")):
        if all(p in found for p in pair):
            return {p: found[p] for p in pair}
    return {}


def private_columns(columns: Iterable[str]) -> list[str]:
    """Return the columns that look like a resident's name, identity, phone or household number.

    >>> private_columns(["户数", "户主姓名", "ID_Card", "name"])
    ['户主姓名', 'ID_Card']
    """
    private = PRIVATE_NAMES.union(cut_names(PRIVATE_NAMES))
    return [c for c in columns if fold(c) in private or PRIVATE_PART.search(str(c))]
