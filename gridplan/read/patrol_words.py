"""What a column of a dispatcher's tables, and a word in it, means: usual words → ours.

``turn`` is 班次, which offices write over the hours of a shift as well as over its crew; the
cells tell which. ``shift`` of teams holds both hours in one cell.
"""

from __future__ import annotations

from collections.abc import Mapping

from gridplan.sheets import fold

_NAME = ("name", "名称", "名字", "title", "label")
_TIER = ("tier", "层级", "级别", "巡防层级", "巡逻层级", "巡组层级")
_ZONE = ("zone_id", "zone", "责任防区", "防区", "责任区", "防区编号", "防区编码", "巡区")
_TEAM = ("team_id", "team", "巡组编号", "巡组编码", "巡组", "队伍编号", "小组", "巡逻组")
_STATION = ("station_id", "station", "驻地编号", "驻点编号", "驻地", "驻点", "所属驻地",
            "出发地点", "出发点", "警务站")
_PLACE = {
    "facility_id": ("facility_id", "facility", "设施编码", "设施编号", "所在设施"),
    "grid_id": ("grid_id", "grid", "网格编码", "网格编号", "所在网格", "网格")}
_OPTIONAL = {"optional": ("optional", "可选", "是否可选", "可不到", "可舍弃"),
             "needed": ("needed", "required", "必到", "是否必到", "必巡", "是否必巡")}

# Layer → our column (or a helper that becomes one) → the names it goes by, best first. Names stand
# before ids: what a shapefile leaves of 必到点编号 is 必到点, which is a name where it is whole.
PATROL_ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "teams": {
        "team_id": (*_TEAM, "编号", "编码", "id"), "tier": _TIER,
        "mode": ("mode", "方式", "巡逻方式", "巡防方式", "出行方式", "交通方式"),
        "station_id": _STATION,
        "crew": ("crew", "班组", "轮班组", "班别", "轮值"), "turn": ("班次",),
        "shift": ("shift", "时段", "班次时间", "当班时间", "上班时段", "执勤时间", "勤务时段"),
        "shift_start": ("shift_start", "上班", "上班时间", "开始", "开始时间", "起始时间"),
        "shift_end": ("shift_end", "下班", "下班时间", "结束", "结束时间", "终止时间"),
        "break_min": ("break_min", "休息分钟", "休息时长", "休息"),
        "break_window": ("break_window", "休息时段", "休息时间窗", "用餐时段"),
        "members": ("members", "人数", "队员数", "警力", "编制人数"), "zone_id": _ZONE},
    "stations": {
        "name": ("station_name", "驻地名称", "驻点名称", *_NAME, "驻地", "驻点", "警务站"),
        "station_id": ("station_id", "驻地编号", "驻点编号", "驻地编码", "编号", "编码", "id",
                       "驻地", "驻点"),
        "kind": ("kind", "类型", "类别", "type"), "tier": _TIER, "zone_id": _ZONE, **_PLACE},
    "stops": {
        "name": ("stop_name", "必到点名称", "点位名称", *_NAME, "必到点", "点位", "重点部位",
                 "地点"),
        "stop_id": ("stop_id", "必到点编号", "点位编号", "点位编码", "编号", "编码", "id",
                    "必到点", "点位"),
        "kind": ("kind", "类型", "类别", "点位类型", "type"), "tier": _TIER, "zone_id": _ZONE,
        "priority": ("priority", "优先级", "重要程度", "重要性", "权重"),
        "visits_per_day": ("visits_per_day", "每日次数", "每天次数", "日巡次数", "每日巡逻次数",
                           "次/日", "次数"),
        "visits_per_week": ("visits_per_week", "每周次数", "周巡次数", "次/周"),
        "spacing_min": ("spacing_min", "间隔分钟", "最短间隔", "最小间隔", "间隔"),
        "service_min": ("service_min", "停留分钟", "停留时间", "停留时长", "驻留分钟", "停留"),
        "windows": ("windows", "window", "时间窗", "时段", "巡逻时段", "到点时段", "时间段"),
        "penalty": ("penalty", "舍弃代价", "代价分钟", "代价"), **_OPTIONAL, **_PLACE},
    "streets": {
        "name": ("road_name", "street_name", "道路名称", "路名", "必巡线", "必巡道路", "街道名称",
                 "道路", *_NAME),
        "required_id": ("required_id", "必巡线编号", "必巡线编码", "编号", "编码", "id"),
        "road_id": ("road_id", "道路编码", "道路编号"),
        "road_class": ("road_class", "highway", "fclass", "道路等级", "道路类型", "class"),
        "tier": _TIER,
        "passes_per_day": ("passes_per_day", "passes", "每日趟数", "每日遍数", "每日次数",
                           "每天次数", "巡逻次数", "趟数", "次数"),
        "day_kind": ("day_kind", "日期类型", "适用日", "日类型"),
        "prize": ("prize", "奖励分钟", "价值分钟"), **_OPTIONAL},
    "calendar": {
        "calendar_id": ("calendar_id", "编号", "id"),
        "date": ("date", "日期", "day", "日子"),
        "day_kind": ("day_kind", "日期类型", "日类型", "类型"),
        "duty": ("duty", "勤务等级", "勤务级别", "等级", "级别"),
        "crew": ("crew", "班组", "轮班组", "班别", "轮值"), "turn": ("班次",),
        "team_id": _TEAM,
        "shift": ("shift", "时段", "班次时间", "当班时间", "执勤时间")},
    "zones": {
        "zone_id": (*_ZONE, "编号", "编码", "id"), "tier": _TIER,
        "name": ("zone_name", "防区名称", "责任区名称", *_NAME),
        "grid_id": ("grid_id", "grid", "grids", "网格编码", "网格编号", "网格"),
        "community_id": ("community_id", "community", "communities", "社区编码", "社区")},
    "points": {
        "point_id": ("point_id", "编号", "编码", "id"), "name": _NAME,
        "radius_m": ("radius_m", "radius", "半径", "可视半径", "覆盖半径")},
}
# The sheets of a workbook that hold each table.
SHEET_NAMES: dict[str, tuple[str, ...]] = {
    "teams": ("teams", "巡组", "巡组表", "队伍"),
    "stations": ("stations", "驻地", "驻点", "警务站"),
    "stops": ("stops", "必到点", "点位", "重点部位"),
    "streets": ("streets", "required", "必巡线", "必巡道路"),
    "calendar": ("calendar", "日历", "勤务日历", "排班", "排班表"),
    "zones": ("zones", "责任防区", "防区", "责任区")}


def _fold_all(table: Mapping[str, str]) -> dict[str, str]:
    return {fold(word): ours for ours, words in table.items() for word in (ours, *words.split())}


# Words in cells; the verbs of patrols take those of ours alone.
CELL_WORDS: dict[str, dict[str, str]] = {
    "tier": _fold_all({"city": "市 市级 市区 城市 市中心 县 县级 县城 城区",
                       "town": "镇 中队 镇级 镇中队 街道 街道级 乡镇 派出所",
                       "community": "社区 社区级 村 村级 村社区"}),
    "mode": _fold_all({"foot": "步行 徒步 步巡 走 walk walking onfoot",
                       "bike": "自行车 骑行 单车 bicycle",
                       "ebike": "电动车 电动自行车 电瓶车 电单车 摩托车",
                       "car": "汽车 车 车巡 机动车 警车 巡逻车 车辆 vehicle"}),
    "day_kind": _fold_all({"all": "每天 每日 全部 所有 天天 daily",
                           "workday": "工作日 平日 weekday weekdays workdays",
                           "weekend": "周末 双休日 休息日 weekends",
                           "holiday": "节假日 假日 法定节假日 节日 holidays"}),
    "duty": _fold_all({"normal": "正常 常态 平时 日常 一般",
                       "raised": "加强 提升 二级 较高",
                       "high": "高 最高 高等级 一级"}),
    "kind": _fold_all({"hotspot": "热点 重点部位 重点区域 热点区域 高发部位",
                       "school": "学校 小学 中学 幼儿园 校园",
                       "market": "市场 菜市场 农贸市场 集市",
                       "hospital": "医院 卫生院", "bank": "银行", "bridge": "桥 桥梁 大桥",
                       "park": "公园", "station": "车站 客运站 火车站",
                       "mall": "商场 商圈 购物中心",
                       "square": "广场", "police_post": "警务站 岗亭 警亭"}),
}
# Words that a cell of a choice may hold beside yes and no.
NEEDED = frozenset(("必到", "必巡", "必须"))
SPARED = frozenset(("可选", "可不到", "选到"))
