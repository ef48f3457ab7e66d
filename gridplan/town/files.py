"""The town as the files a planner would bring."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from gridplan import outputs
from gridplan.town.build import Town
from gridplan.town.people import name_person

_KINDS = {"urban": "城区", "old": "老城区", "rural": "农村"}
# Column names that an office in China would use.
_CHINESE = {
    "communities": {"community_id": "社区编码", "subdistrict_id": "街道编码", "name": "社区名称",
                    "kind": "类型"},
    "buildings": {"building_id": "楼栋编码", "estate_id": "小区编码", "number": "幢号",
                  "households": "户数", "population": "人口", "newcomers": "流动人口",
                  "rented": "出租户数", "floors": "层数", "height_m": "高度", "use": "用途",
                  "name": "楼名"},
    "estates": {"estate_id": "小区编码", "name": "小区名称", "management": "物业",
                "renewal": "改造", "phases": "期数"},
    "stations": {"station_id": "驻地编号", "name": "驻地名称", "kind": "类型", "tier": "层级"},
    "stops": {"stop_id": "必到点编号", "name": "必到点名称", "kind": "类型", "tier": "层级",
              "priority": "优先级", "visits_per_day": "每日次数", "visits_per_week": "每周次数",
              "spacing_min": "间隔分钟", "service_min": "停留分钟", "windows": "时间窗",
              "optional": "可选", "penalty": "代价分钟"},
}
_TEAMS = {"team_id": "巡组编号", "tier": "层级", "mode": "巡逻方式", "station_id": "驻地编号",
          "crew": "班组", "shift_start": "上班", "shift_end": "下班", "break_min": "休息分钟",
          "break_window": "休息时段", "members": "人数", "zone_id": "责任防区"}
_CALENDAR = {"date": "日期", "day_kind": "日期类型", "duty": "勤务等级", "crew": "班组",
             "team_id": "巡组编号"}
# What an office writes for words of ours.
_WORDS = {"tier": {"city": "市", "town": "镇中队", "community": "社区"},
          "mode": {"foot": "步行", "ebike": "电动车", "car": "汽车"},
          "kind": {"school": "学校", "market": "市场", "hospital": "医院", "bank": "银行",
                   "park": "公园", "hotspot": "热点", "bridge": "桥梁", "police_post": "警务站"},
          "day_kind": {"workday": "工作日", "weekend": "周末"},
          "duty": {"normal": "正常", "raised": "加强"}}
_ROSTER = {"staff_id": "工号", "role": "岗位", "community_id": "社区编码", "capacity": "容量",
           "capacity_unit": "承载单位", "part_time": "工时比例", "languages": "语言",
           "buildings": "包联楼栋", "wishes": "意愿", "bars": "回避", "communities": "可调配社区"}
_ROLES = {"responsible": "网格员", "backup": "B岗", "coordinator": "协调员",
          "community_officer": "社区民警", "mediator": "调解员", "guard": "巡防队员",
          "social_worker": "社工", "liaison": "联络员", "newcomer_assistant": "流动人口协管员",
          "assistant": "网格助理"}
_UNITS = {"households": "户", "grids": "网格"}


def write_town(town: Town, folder: str | Path) -> list[Path]:
    """Write the town's inputs as files; return their paths.

    Boundaries, buildings, roads, rail, water, walls, estates, gates, entrances, specials,
    must-links, facilities and the stations and stops of patrols are GeoPackages, the household
    totals, the ledger, the roster, the teams and their calendar are workbooks. Buildings,
    boundaries, estates and all that is about patrols have Chinese column names.

    Parameters
    ----------
    town
        The town.
    folder
        Where the files go; it is made if it is absent.

    Raises
    ------
    MachineError
        A file cannot be written; files already written stay.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = [_write_layer(frame, folder / f"{name}.gpkg", name)
               for name, frame in _layers(town).items()]
    written += [_write_sheet(frame, folder / f"{name}.xlsx") for name, frame in _tables(town)]
    return written


def write_roster(town: Town, path: str | Path) -> Path:
    """Write the roster of the town alone; the same town gives the same bytes.

    Raises
    ------
    MachineError
        The file cannot be written.
    """
    return _write_sheet(_roster(town), Path(path))


def is_roster(path: str | Path) -> bool:
    """Tell whether a workbook is a roster of a town: every phone in it is one of nobody."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    except (CalamineError, OSError, ValueError):
        return False
    if not rows or "电话" not in rows[0]:
        return False
    at = rows[0].index("电话")
    return all(str(row[at]).startswith("000-") for row in rows[1:])


def _layers(town: Town) -> dict[str, gpd.GeoDataFrame]:
    study = town.study
    barriers = study.layer("barriers")
    kind = barriers["kind"]
    links = study.layer("must_links").drop(columns="source")
    return {"boundaries": study.layer("communities"), "buildings": study.buildings,
            "roads": study.roads, "rail": barriers[kind == "rail"],
            "water": barriers[kind.isin(["river", "water"])], "walls": barriers[kind == "wall"],
            "estates": study.layer("estates"), "gates": study.layer("gates"),
            "entrances": study.layer("entrances"), "specials": study.layer("specials"),
            **({"must_links": links} if len(links) else {}),
            "facilities": study.layer("facilities"), "stations": town.stations,
            "stops": town.stops}


def _tables(town: Town) -> list[tuple[str, pd.DataFrame]]:
    totals = pd.DataFrame({"社区编码": town.totals.index, "户数": town.totals.to_numpy()})
    return [("totals", totals), ("ledger", town.ledger), ("roster", _roster(town)),
            ("teams", _spell(town.teams.reset_index()).rename(columns=_TEAMS)),
            ("calendar", _spell(town.calendar)[list(_CALENDAR)].rename(columns=_CALENDAR))]


def _spell(frame: pd.DataFrame) -> Any:
    """Return a table of patrols with the words an office would write."""
    return frame.assign(**{name: frame[name].map(words).array
                           for name, words in _WORDS.items() if name in frame})


def _roster(town: Town) -> pd.DataFrame:
    """Return the roster as an office keeps it, with names, phones and homes that nobody has."""
    staff = town.staff.reset_index()
    words = staff["role"].map(_ROLES)
    roster = staff.assign(role=words, capacity_unit=staff["capacity_unit"].map(_UNITS)
                          ).rename(columns=_ROSTER)
    numbers = range(len(roster))
    roster.insert(1, "姓名", [name_person(str(w), i) for w, i in zip(words, numbers, strict=True)])
    roster["电话"] = [f"000-{i + 1:08d}" for i in numbers]
    roster["住址"] = [f"虚构路{i + 1}号" for i in numbers]
    return roster


def _write_layer(frame: gpd.GeoDataFrame, path: Path, name: str) -> Path:
    layer = "communities" if name == "boundaries" else name
    out = frame.reset_index()
    if layer == "communities":
        out["kind"] = out["kind"].map(_KINDS)
    if layer == "buildings":
        # Which community a building is in is for the boundaries to say.
        out = out.drop(columns=["community_id", "households_source"])
    if layer in ("stations", "stops"):
        out = _spell(out)
    out = out.rename(columns=_CHINESE.get(layer, {}))
    empty = [c for c in out.columns if c != out.geometry.name and out[c].isna().all()]
    out = out.drop(columns=empty)

    def write(target: Path) -> None:
        out.to_file(target, layer=name, driver="GPKG", engine="pyogrio")

    return outputs.replace_file(path, write).path


def _write_sheet(frame: pd.DataFrame, path: Path) -> Path:
    return outputs.replace_file(path, _sheet_writer(frame)).path


def _sheet_writer(frame: pd.DataFrame) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        import xlsxwriter
        with xlsxwriter.Workbook(str(target), {
                "strings_to_formulas": False, "strings_to_urls": False,
                "strings_to_numbers": False, "in_memory": True}) as book:
            # A fixed date, so that the same table gives the same bytes.
            book.set_properties({"created": dt.datetime(2020, 1, 1)})
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, list(frame.columns))
            for number, column in enumerate(frame.columns):
                values = frame[column].astype(object)
                sheet.write_column(1, number, values.where(frame[column].notna(), "").tolist())
            sheet.freeze_panes(1, 0)
    return write
