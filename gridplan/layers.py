"""The contract: what every layer of a plan and of a study holds.

``LAYERS`` lists the layers of the plan file with their columns in order, the
key first. ``INPUTS`` lists the columns a layer has before there is a plan.
A :class:`Study` is the set of checked input layers in one metric CRS; it is
what readers, the OSM reader and the town make and what the stages take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.i18n import translate

Kind = Literal["text", "int", "float", "bool"]
Geometry = Literal["Polygon", "MultiPolygon", "LineString", "Point", "Unknown", ""]


@dataclass(frozen=True)
class Column:
    """One column: its name, type and, where they are listed, the values it may take."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer:
    """One layer or table of the plan file; the first ``keys`` columns are its key."""

    name: str
    geometry: Geometry
    columns: tuple[Column, ...]
    keys: int = 1

    @property
    def key(self) -> str:
        """The first column."""
        return self.columns[0].name

    @property
    def names(self) -> list[str]:
        """The column names, in order, without the geometry."""
        return [c.name for c in self.columns]


GRID_STATUS = ("ok", "under", "over", "small", "exclave", "empty", "special", "unproven")
COMMUNITY_STATUS = ("ok", "small", "over", "unproven", "failed")
COMMUNITY_KINDS = ("urban", "old", "rural")
SOURCES = ("given", "ledger", "population", "floors", "height", "default")
BARRIERS = ("rail", "river", "water", "wall")
STRUCTURES = ("grade", "bridge", "tunnel")
# What a person is employed as; the first two are posts of a grid as well.
ROLES = ("responsible", "backup", "coordinator", "community_officer", "mediator", "guard",
         "social_worker", "liaison", "newcomer_assistant", "assistant")
POSTS = tuple(role for role in ROLES if role != "assistant")
CAPACITY_UNITS = ("households", "grids")
# Who patrols: the city's centre, the squadron of a town, the community; how; on which days.
TIERS = ("city", "town", "community")
MODES = ("foot", "bike", "ebike", "car")
UNMET_REASONS = ("window", "tier", "zone", "way", "shift", "spacing", "crowded", "team")
DAY_KINDS = ("all", "workday", "weekend", "holiday")
# Of whom a row of the service circle tells, and whether an unknown gate is the nearest or farthest.
COVERAGE_SCOPES = ("city", "subdistrict", "community", "grid", "demand")
READINGS = ("near", "far")
# Behind a category: its coverage in a second state of facilities.
AFTER = ":after"

_TYPES: dict[str, Kind] = {"i": "int", "f": "float", "b": "bool", "t": "text"}


def _layer(name: str, geometry: Geometry, spec: str, keys: int = 1,
           **choices: tuple[str, ...]) -> Layer:
    """Read ``"households:i name bound:f"``; a column without a type is text."""
    columns = []
    for word in spec.split():
        column, _, kind = word.partition(":")
        columns.append(Column(column, _TYPES[kind or "t"], choices.get(column, ())))
    return Layer(name, geometry, tuple(columns), keys)


_SCORES = "score_balance:f score_shape:f score_border:f score_straddling:f"

LAYERS: dict[str, Layer] = {layer.name: layer for layer in (
    _layer("communities", "MultiPolygon",
           "community_id subdistrict_id name kind households:i population:i grids:i status reason "
           f"{_SCORES} bound:f gap:f certificate", kind=COMMUNITY_KINDS, status=COMMUNITY_STATUS),
    _layer("mergers", "MultiPolygon",
           "former_id community_id subdistrict_id name kind households:i kept:b"),
    _layer("grids", "Polygon",
           "grid_id community_id part:i seq:i name kind households:i households_low:i "
           "households_high:i p_in_range:f population:i newcomers:i rented:i buildings:i area_m2:f "
           f"perimeter_m:f compactness:f road_share:f {_SCORES} workload:f zone_id bound_e bound_s "
           "bound_w bound_n contents status reason locked:b note valid_from valid_to former_ids",
           kind=("basic", "special"), status=GRID_STATUS),
    _layer("groups", "Polygon", "group_id grid_id kind name households:i head",
           kind=("buildings", "estate", "enterprise", "site"), head=("filled", "vacant")),
    _layer("units", "Polygon", "unit_id block_id community_id grid_id group_id households:i"),
    _layer("borders", "LineString",
           "border_id inside_block:b grid_a grid_b length_m:f road_class follows move_cost:f"),
    _layer("buildings", "Unknown",
           "building_id community_id unit_id grid_id group_id estate_id number households:i "
           "households_low:i households_high:i households_source population:i newcomers:i rented:i "
           "floors:f height_m:f use name", households_source=SOURCES),
    _layer("estates", "MultiPolygon", "estate_id name management renewal phases:i"),
    _layer("gates", "Point", "gate_id estate_id foot:b car:b"),
    _layer("entrances", "Point", "entrance_id building_id"),
    _layer("specials", "MultiPolygon", "special_id kind name"),
    _layer("must_links", "Unknown", "must_link_id name source status reason",
           status=("held", "apart", "idle")),
    _layer("roads", "LineString",
           "road_id name road_class structure level:i public:b inner:b one_way foot:b bike:b "
           "ebike:b car:b maxspeed_kmh:f length_m:f", structure=STRUCTURES),
    _layer("barriers", "Unknown", "barrier_id kind name", kind=BARRIERS),
    _layer("facilities", "Point",
           "facility_id name categories level capacity:f area_m2:f meets_norm:b load:f status "
           "source", status=("existing", "proposed")),
    _layer("demand", "Point", "demand_id name households:i population:i"),
    _layer("coverage", "",
           "scope scope_id category walker reading limit_m:f households:i covered:i share:f "
           "nearest_id nearest_m:f", 5, scope=COVERAGE_SCOPES, reading=READINGS),
    _layer("service_areas", "MultiPolygon", "area_id category facility_id limit_m:f"),
    _layer("sites", "Point", "site_id category rank:i gained_households:i bound:f gap:f"),
    _layer("staff", "", "staff_id role community_id capacity:i capacity_unit part_time:f languages",
           role=ROLES, capacity_unit=CAPACITY_UNITS),
    _layer("assignments", "",
           "assignment_id grid_id community_id staff_id role travel_m:f kept:b", role=POSTS),
    _layer("stations", "Point", "station_id name kind tier zone_id", tier=TIERS),
    _layer("stops", "Point",
           "stop_id name kind tier zone_id priority:i visits_per_day:f visits_per_week:f "
           "spacing_min:i service_min:i windows optional:b penalty:i", tier=TIERS),
    _layer("required", "LineString",
           "required_id road_id tier passes_per_day:i day_kind optional:b prize:i", tier=TIERS,
           day_kind=DAY_KINDS),
    _layer("calendar", "", "calendar_id date day_kind duty crew team_id shift",
           day_kind=DAY_KINDS[1:]),
    _layer("teams", "",
           "team_id tier mode station_id crew shift_start shift_end break_min:i break_window "
           "members:i zone_id", tier=TIERS, mode=MODES),
    _layer("zones", "MultiPolygon", "zone_id tier name workload:f", tier=TIERS),
    _layer("routes", "LineString",
           "route_id day shift team_id mode distance_m:f duration_min:f served_m:f deadhead_m:f "
           "bound_m:f bound_min:f gap:f", mode=MODES),
    _layer("visits", "",
           "visit_id route_id order:i stop_id required_id arrive depart instruction"),
    _layer("unmet", "", "unmet_id day shift stop_id required_id visits:i reason",
           reason=UNMET_REASONS),
    _layer("log", "", "log_id day shift team_id visit_id done:b passed_m:f arrived"),
    _layer("figures", "", "name scope scope_id value:f unit target:f numerator:f denominator:f", 3),
    _layer("tally", "", "stage layer rows_in:i used:i repaired:i rejected:i outside:i "
           "households_in:i households_out:i note", 2),
    _layer("run", "", "key value"),
)}

_INPUT_SPECS = {
    # Only the columns that an input may bring; the rest of LAYERS is computed.
    "communities": "community_id subdistrict_id name kind households:i population:i",
    "buildings": "building_id community_id estate_id number households:i households_source "
                 "population:i newcomers:i rented:i floors:f height_m:f use name living_m2:f",
    "roads": "road_id name road_class structure level:i public:b inner:b one_way foot:b bike:b "
             "ebike:b car:b maxspeed_kmh:f length_m:f service",
    "facilities": "facility_id name categories level capacity:f area_m2:f source",
    "must_links": "must_link_id name source",
    "demand": "demand_id name households:i population:i",
}
INPUTS: dict[str, Layer] = {
    name: (_layer(name, LAYERS[name].geometry, _INPUT_SPECS[name])
           if name in _INPUT_SPECS else LAYERS[name])
    for name in ("communities", "buildings", "roads", "barriers", "estates", "gates", "entrances",
                 "specials", "must_links", "facilities", "demand")}

# Border class of a line: 0 none, 1 minor, 2 tertiary, 3 secondary, 4 primary and above.
_MAJOR = {"motorway": 4, "trunk": 4, "primary": 4, "secondary": 3, "tertiary": 2}
ROAD_CLASS: dict[str, int] = {
    **_MAJOR, **{f"{k}_link": v for k, v in _MAJOR.items()},
    "unclassified": 1, "residential": 1, "living_street": 1, "unknown": 2,
    "pedestrian": 1, "service": 1, "footway": 1, "path": 1, "steps": 1, "track": 1,
    "cycleway": 1, "bridleway": 1, "corridor": 1}
BARRIER_CLASS = 4
# Roads that always cut blocks, and those that cut only inside large ones.
CUTTING_ROADS = frozenset((*_MAJOR, *(f"{k}_link" for k in _MAJOR), "unclassified", "residential",
                           "living_street", "unknown"))
INNER_ROADS = frozenset(("pedestrian", "service", "footway", "path", "steps", "track", "cycleway"))
UNCUTTING_SERVICE = frozenset(("parking_aisle", "driveway"))

_DIGITS = "零一二三四五六七八九"


@dataclass(frozen=True)
class Source:
    """A file that a study was read from: its name (never its path), layer and SHA-256."""

    name: str
    layer: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class Study:
    """The checked inputs of a run, in one projected metric CRS.

    Every frame has the columns of ``INPUTS`` (missing values are NA), a unique
    text index named like its key, and valid geometry. ``communities`` is None
    where communities are to be delineated; then ``outline`` alone bounds the
    study area. Otherwise ``outline`` is the union of the communities.
    ``totals`` are households per community_id that the plan must meet.
    """

    outline: shapely.Geometry
    buildings: gpd.GeoDataFrame
    roads: gpd.GeoDataFrame
    communities: gpd.GeoDataFrame | None = None
    barriers: gpd.GeoDataFrame | None = None
    estates: gpd.GeoDataFrame | None = None
    gates: gpd.GeoDataFrame | None = None
    entrances: gpd.GeoDataFrame | None = None
    specials: gpd.GeoDataFrame | None = None
    must_links: gpd.GeoDataFrame | None = None
    facilities: gpd.GeoDataFrame | None = None
    demand: gpd.GeoDataFrame | None = None
    totals: pd.Series | None = None
    sources: tuple[Source, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def crs(self) -> Any:
        """The one CRS of all layers."""
        return self.buildings.crs

    def layer(self, name: str) -> gpd.GeoDataFrame:
        """Return a layer, an empty one where the study has none."""
        frame = getattr(self, name)
        return empty_input(name, self.crs) if frame is None else frame


@dataclass(frozen=True)
class Roster:
    """The people who serve, as their office's file lists them; ``row`` is the row of that file.

    ``staff`` is indexed by staff_id and holds the other columns of the layer ``staff``.
    ``people`` has the same index: person, phone, home. It never leaves this object except into
    an internal sheet or map. The other frames hold one line per pair: ``current`` the grids held
    now, ``wishes`` those wished for, ``bars`` those she must not have (staff_id, grid_id, row);
    ``known`` the buildings she knows (staff_id, building_id, row); ``allowed`` the communities
    beyond her own where she may serve (staff_id, community_id, row).
    """

    staff: pd.DataFrame
    people: pd.DataFrame
    current: pd.DataFrame
    known: pd.DataFrame
    wishes: pd.DataFrame
    bars: pd.DataFrame
    allowed: pd.DataFrame
    source: Source


@dataclass(frozen=True)
class Lines:
    """Lines that may be borders: geometry, border class 0–4, name, road class or barrier kind.

    ``major`` marks what a grid should not straddle: roads from secondary up, rail, rivers.
    """

    geometry: NDArray[np.object_]
    border_class: NDArray[np.int64]
    name: NDArray[np.object_]
    road_class: NDArray[np.object_]
    major: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.geometry)

    def __add__(self, other: Lines) -> Lines:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Lines(*(np.concatenate(p) for p in pairs))


@dataclass(frozen=True)
class UnitBorders:
    """The straight pieces of border between units.

    ``left`` and ``right`` are positions in ``Units.frame``; ``start`` and ``end``
    are (n, 2) coordinates; ``border_class`` is 0–4; ``line`` is a row of ``lines`` or -1.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    border_class: NDArray[np.int64]
    line: NDArray[np.int64]
    lines: Lines

    @property
    def length_m(self) -> NDArray[np.float64]:
        """Length of each piece."""
        return np.hypot(*(self.end - self.start).T)

    @property
    def major(self) -> NDArray[np.bool_]:
        """Whether each piece runs along a line that a grid should not straddle."""
        return np.append(self.lines.major, False)[self.line]


@dataclass(frozen=True)
class Units:
    """What the partition works on: whole buildings with the land round them.

    ``frame`` is indexed by unit_id: block_id, community_id (NA when communities
    are to be delineated), households, biggest (households of its largest
    building), buildings, area_m2, water, special_id, estate (a number, -1 for
    none), geometry. ``unit_of`` gives the unit_id of every building.
    """

    frame: gpd.GeoDataFrame
    unit_of: pd.Series
    borders: UnitBorders


def one_polygon(shape: shapely.Geometry) -> shapely.Geometry:
    """Return the only polygon, line or point of a collection of one."""
    parts = shapely.get_parts(shape)
    return parts[0] if len(parts) == 1 else shape


def name_units(shape: NDArray[np.object_], at: NDArray[np.int64],
               building_ids: pd.Index) -> NDArray[np.object_]:
    """Name units by what they hold, so that a name says the same in every run.

    ``at`` is the row of ``shape`` that each building belongs to. Empty units are
    named by where they are; two of one place are told apart by a suffix.
    """
    held: list[list[str]] = [[] for _ in range(len(shape))]
    for k, name in zip(at.tolist(), building_ids.tolist(), strict=True):
        held[k].append(str(name))
    xy = shapely.get_coordinates(shapely.point_on_surface(shape))
    texts = ["\n".join(sorted(ids)) if ids else f"{x:.0f},{y:.0f}"
             for ids, (x, y) in zip(held, xy.tolist(), strict=True)]
    names = [hashlib.sha256(t.encode()).hexdigest()[:16] for t in texts]
    seen: dict[str, int] = {}
    for k, name in enumerate(names):
        seen[name] = seen.get(name, -1) + 1
        if seen[name]:
            names[k] = f"{name}-{seen[name]}"
    return np.array(names, dtype=object)


def code_grid(community_id: str, seq: int) -> str:
    """Return the grid code: 12 digits + 3, else the community's id, a dash and 3 digits.

    >>> code_grid("110105001002", 7), code_grid("C001", 12), code_grid("C001", 1000)
    ('110105001002007', 'C001-012', 'C001-1000')
    """
    plain = len(community_id) == 12 and community_id.isascii() and community_id.isdigit()
    return f"{community_id}{'' if plain else '-'}{seq:03d}"


def name_grid(seq: int, lang: str) -> str:
    """Return the default name of a grid: 第一网格, Grid 1."""
    return translate("partition.grid_name", lang, number=seq, numeral=write_numeral(seq))


def write_numeral(number: int) -> str:
    """Write a number up to 9,999 in Chinese.

    >>> [write_numeral(n) for n in (1, 10, 12, 20, 105, 110, 1001)]
    ['一', '十', '十二', '二十', '一百零五', '一百一十', '一千零一']
    """
    text, gap = "", False
    for value, word in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // value % 10
        if digit:
            text += ("零" if gap and text else "") + _DIGITS[digit] + word
        gap = not digit
    return text.removeprefix("一") if text.startswith("一十") else text


def empty_input(name: str, crs: Any) -> gpd.GeoDataFrame:
    """Return an input layer without rows."""
    return conform_input(name, gpd.GeoDataFrame({INPUTS[name].key: []}, geometry=[], crs=crs))


def conform_input(name: str, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Give a frame the columns, types and index of ``INPUTS[name]``; other columns go.

    The key is taken from its column or from the index. Missing columns become NA.
    """
    return _conform(INPUTS[name], frame, index=True)


def conform(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame the columns of ``LAYERS[name]`` in order, the key as a column.

    Columns that are not of the contract follow behind: a user's own columns stay.
    """
    layer = LAYERS[name]
    out = _conform(layer, frame, index=False)
    geometry = out.geometry.name if isinstance(out, gpd.GeoDataFrame) else None
    own = [c for c in frame.columns if c not in layer.names and c != geometry]
    for column in own:
        out[column] = frame[column].array
    if geometry is not None:
        return out[[*layer.names, *own, geometry]]
    return out[[*layer.names, *own]]


def typed(values: Iterable[Any] | None, kind: Kind, rows: int) -> pd.api.extensions.ExtensionArray:
    """Return ``values`` as a nullable array of ``kind``; None gives all NA.

    >>> typed([1, None], "int", 2)
    <IntegerArray>
    [1, <NA>]
    Length: 2, dtype: Int64
    """
    dtype = {"text": "string", "int": "Int64", "float": "Float64", "bool": "boolean"}[kind]
    if values is None:
        return pd.array([pd.NA] * rows, dtype=dtype)
    series = pd.Series(values)
    if kind == "int" and not pd.api.types.is_integer_dtype(series.dtype):
        series = pd.to_numeric(series).round()
    return series.astype(dtype).array


def _conform(layer: Layer, frame: pd.DataFrame, index: bool) -> Any:
    rows = len(frame)
    held = frame.reset_index() if frame.index.name == layer.key and (
        layer.key not in frame.columns) else frame
    data = {c.name: typed(held[c.name].array if c.name in held.columns else None, c.kind, rows)
            for c in layer.columns}
    if layer.geometry:
        out: pd.DataFrame = gpd.GeoDataFrame(data, geometry=np.asarray(frame.geometry.array),
                                             crs=frame.crs)
    else:
        out = pd.DataFrame(data)
    if index:
        out.index = pd.Index(out.pop(layer.key).astype(object), name=layer.key)
    return out
