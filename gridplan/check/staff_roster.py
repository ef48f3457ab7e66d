"""The roster as the verifier reads it, and what of an assignment only the roster can tell."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from gridplan.check.reading import PlanData
from gridplan.check.staff_posts import Desk, list_premises
from gridplan.check.verdict import CheckReport

_HEADS = {
    "staff_id": "staff_id staffid 工号 编号 人员编号 员工编号 人员编码 职工号",
    "role": "role 岗位 角色 职务 岗位名称 岗位类别",
    "community_id": "community_id community_code 社区编码 社区代码 社区编号 村社区代码",
    "community": "community community_name 社区 社区名称 所属社区 所在社区 村社区",
    "capacity": "capacity 容量 承载 承载量 可管户数 可管网格数 承载户数 承载网格数",
    "part_time": "part_time working_share fte 工时比例 兼职 工时 兼职比例 工作时间比例",
    "grids": "grids current_grids grid_id 现任网格 当前网格 负责网格 所管网格 网格编码",
    "buildings": "buildings known_buildings 包片 包联楼栋 包片楼栋 包联 包楼 熟悉楼栋",
    "wishes": "wishes 意愿 意愿网格 志愿",
    "bars": "bars recusal 回避 回避网格",
    "communities": "communities 可调配社区 可支援社区 可跨社区",
    "person": "person name full_name 姓名 人员姓名 名字",
    "phone": "phone mobile telephone tel 电话 手机 联系电话 手机号 手机号码 电话号码 联系方式",
    "home": "home address home_address 住址 家庭住址 居住地址 现住址 家庭地址",
}
_LONGEST_HEADING = 10  # rows that may stand above the heading
_SPLIT = re.compile(r"[;；、,，\s]+")
_ROLE_WORDS = {
    "responsible": "网格责任人 网格员 网格长 责任人 专职网格员 兼职网格员 a岗 a角",
    "backup": "b岗 b角 协管 替补 后备 替补网格员", "coordinator": "协调员 社区协调员",
    "community_officer": "社区民警 民警 片警 包片民警", "mediator": "调解员 人民调解员",
    "guard": "保安 巡防队员 保安员 巡防员", "social_worker": "社工 社会工作者",
    "liaison": "联络员", "newcomer_assistant": "流动人口协管员 流管员 外来人口协管员",
    "assistant": "网格助理 协理员 网格协理员 助理网格员"}
_WORD_ROLE = {word: role for role, words in _ROLE_WORDS.items() for word in words.split()}
_ROWS_OF_ROLE = {"responsible": "responsible", "assistant": "backup", "backup": "backup"}
_SLACK_M = 1.0

Pairs = set[tuple[str, str]]


@dataclass
class RosterData:
    """What a roster says, person by person; places are codes of the plan.

    ``bars``, ``wishes`` and ``current`` are pairs of staff_id and grid_id, ``allowed`` of staff_id
    and community_id, ``known`` of staff_id and building_id; ``private`` are names, phones, homes.
    """

    staff: pd.DataFrame
    bars: Pairs = field(default_factory=set)
    wishes: Pairs = field(default_factory=set)
    current: Pairs = field(default_factory=set)
    known: Pairs = field(default_factory=set)
    allowed: Pairs = field(default_factory=set)
    private: dict[str, list[str]] = field(default_factory=dict)

    def holding(self, plan: PlanData) -> set[tuple[str, str, str]]:
        """Return who held which post: place, role, staff_id.

        Of whom no grid is named, the grid with most households of the buildings she knows, of
        equals the first by code.
        """
        owner = dict(zip(plan.ids("buildings"), plan.ids("buildings", "grid_id"), strict=True))
        size = dict(zip(plan.ids("buildings"),
                        np.nan_to_num(plan.numbers("buildings", "households")), strict=True))
        named = {person for person, _ in self.current}
        sums: dict[str, dict[str, float]] = {}
        for person, building in self.known:
            if person not in named and building in owner:
                held = sums.setdefault(person, {})
                held[owner[building]] = held.get(owner[building], 0.0) + size[building]
        pairs = self.current | {(person, min(held, key=lambda g: (-held[g], g)))
                                for person, held in sums.items()}
        role = self.staff["role"].to_dict()
        return {(grid, _ROWS_OF_ROLE[role[person]], person) for person, grid in pairs
                if role.get(person) in _ROWS_OF_ROLE}


# ---- reading -------------------------------------------------------------------------------

def find_roster(plan: PlanData, inputs: Sequence[str | Path]) -> RosterData | None:
    """Return the roster among the files: what the run table calls so, or what is headed so."""
    noted = {key.split(":", 2)[2].rpartition(":")[0] for key in plan.run
             if key.startswith("input:") and key.endswith(":roster")}
    paths = [Path(p) for p in inputs if Path(p).is_file()]
    for path in sorted(paths, key=lambda p: p.name not in noted):
        if path.suffix.lower() not in (".csv", ".txt", ".tsv", ".xlsx", ".xls", ".xlsm", ".ods"):
            continue
        for rows in _read_sheets(path):
            table = _find_table(rows)
            if table is not None:
                return _take(plan, table)
    return None


def _read_sheets(path: Path) -> Iterable[list[list[str]]]:
    if path.suffix.lower() in (".csv", ".txt", ".tsv"):
        data = path.read_bytes()
        for encoding in _list_encodings(data):
            with suppress(UnicodeError):
                text = data.decode(encoding)
                head = text[:4096]
                mark = max(",;\t", key=head.count)
                yield list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
                return
        return
    try:
        sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=str, na_filter=False,
                               engine="calamine")
    except Exception:  # a file of this name that is no workbook is no roster
        return
    for at, frame in enumerate(sheets.values()):
        rows = frame.astype(str).to_numpy().tolist()
        _fill_merged(rows, _merged_cells(path, at))
        yield rows


def _list_encodings(data: bytes) -> tuple[str, ...]:
    """Return the encodings to try: two bytes a character where a mark or many zeros say so."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ("utf-16",)
    if b"\0" in data[:4096]:
        return ("utf-16-le",) if data[1:4096:2].count(0) >= data[:4096:2].count(0) else (
            "utf-16-be",)
    return ("utf-8-sig", "gb18030")


def _merged_cells(path: Path, at: int) -> list[tuple[int, int, int, int]]:
    """Return the merged ranges of a sheet of an .xlsx: top, left, bottom, right, from 0."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as book:
        texts = {n: book.read(n).decode("utf-8", "replace") for n in book.namelist()
                 if n in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")}
        order = re.findall(r'<sheet [^>]*r:id="([^"]+)"', texts.get("xl/workbook.xml", ""))
        parts = {i: t for rel in re.findall(
            r"<Relationship [^>]*>", texts.get("xl/_rels/workbook.xml.rels", ""))
            for i in re.findall(r'\bId="([^"]*)"', rel)
            for t in re.findall(r'\bTarget="([^"]*)"', rel)}
        part = "xl/" + parts.get(order[at] if at < len(order) else "", "").removeprefix("/xl/")
        body = book.read(part).decode("utf-8", "replace") if part in book.namelist() else ""
    found = re.findall(r'<mergeCell [^>]*ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"', body)
    return [(int(t) - 1, _letters(a), int(b) - 1, _letters(z)) for a, t, z, b in found]


def _letters(text: str) -> int:
    """Return the column of a name.

    >>> _letters("A"), _letters("AB")
    (0, 27)
    """
    total = 0
    for letter in text:
        total = 26 * total + ord(letter) - 64
    return total - 1


def _fill_merged(rows: list[list[str]], merged: list[tuple[int, int, int, int]]) -> None:
    for top, left, bottom, right in merged:
        if top < len(rows) and left < len(rows[top]):
            for line in rows[top:bottom + 1]:
                line[left:right + 1] = [rows[top][left]] * len(line[left:right + 1])


def _find_table(rows: list[list[str]]) -> pd.DataFrame | None:
    """Return the table below the row that names a person and a role; None where there is none."""
    meaning = {_fold(word): name for name, words in _HEADS.items() for word in words.split(" ")}
    seen = 0
    for at, row in enumerate(rows):
        if not any(c.strip() for c in row):
            continue
        heads = [meaning.get(_fold(c), "") for c in row]
        if {"staff_id", "role"} <= set(heads):
            keep = {name: k for k, name in reversed(list(enumerate(heads))) if name}
            body = [r for r in rows[at + 1:] if any(c.strip() for c in r)]
            return pd.DataFrame({name: [_clean(r[k]) if k < len(r) else "" for r in body]
                                 for name, k in keep.items()}).reindex(columns=list(_HEADS),
                                                                      fill_value="")
        seen += 1
        if seen > _LONGEST_HEADING:
            return None
    return None


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"[\s_\-]|\(.*?\)", "", plain)


def _clean(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _take(plan: PlanData, table: pd.DataFrame) -> RosterData:
    """Turn the cells into pairs of people and places of the plan."""
    towns = {**{n: c for c, n in zip(plan.ids("communities"), plan.ids("communities", "name"),
                                     strict=True) if n},
             **{c: c for c in plan.ids("communities")}}
    grids = set(plan.ids("grids"))
    former = {old.strip(): grid for grid, told in zip(
        plan.ids("grids"), plan.ids("grids", "former_ids"), strict=True)
        for old in str(told).split(";") if old.strip() and old.strip() not in grids}
    inside: dict[str, list[str]] = {}
    for grid, town in zip(plan.ids("grids"), plan.ids("grids", "community_id"), strict=True):
        inside.setdefault(town, []).append(grid)

    def places(cell: str) -> list[str]:
        out: list[str] = []
        for word in filter(None, _SPLIT.split(cell)):
            name = word.removeprefix("community:")
            out += ([name] if name in grids else [former[name]] if name in former else
                    inside.get(towns.get(name, ""), []))
        return out

    roster = RosterData(_list_staff(table, towns))
    for row in table.itertuples():
        who = str(row.staff_id)
        roster.bars |= {(who, g) for g in places(row.bars)}
        roster.wishes |= {(who, g) for g in places(row.wishes)}
        roster.current |= {(who, g) for g in places(row.grids)}
        roster.known |= {(who, b) for b in filter(None, _SPLIT.split(row.buildings))}
        roster.allowed |= {(who, towns[c]) for c in filter(None, _SPLIT.split(row.communities))
                           if c in towns}
    roster.wishes -= roster.bars
    for name in ("person", "phone", "home"):
        roster.private[name] = [v for v in dict.fromkeys(table[name]) if v]
    return roster


def _list_staff(table: pd.DataFrame, towns: dict[str, str]) -> pd.DataFrame:
    """Return role, community_id, capacity and part_time by staff_id; NaN where nothing is told."""
    role = [_WORD_ROLE.get(_fold(r), re.sub(r"[\s-]+", "_", r.lower())) for r in table["role"]]
    town = [towns.get(c) or towns.get(n, "") for c, n in zip(
        table["community_id"], table["community"], strict=True)]
    share = pd.to_numeric(table["part_time"].str.rstrip("%"), errors="coerce")
    share = share.where(~table["part_time"].str.endswith("%"), share / 100)
    frame = pd.DataFrame({
        "role": role, "community_id": town, "part_time": share.to_numpy(),
        "capacity": pd.to_numeric(table["capacity"], errors="coerce").to_numpy()},
        index=pd.Index(table["staff_id"], name="staff_id"))
    return frame[(frame.index != "") & ~frame.index.duplicated()]


# ---- holding the plan to it ----------------------------------------------------------------

def check_roster(plan: PlanData, report: CheckReport, desk: Desk, roster: RosterData) -> None:
    """Hold people, bars and ways of an assignment to the roster."""
    _check_listed(plan, report, desk, roster)
    held = desk.held
    barred = np.array([(s, p) in roster.bars for s, p in zip(
        held["staff_id"], held["place"], strict=True)], dtype=bool)
    if barred.any():
        report.add("staff", "post_barred", "assignments", held["assignment_id"][barred],
                   "staff_id")
    _check_travel(plan, report, desk, roster)


def _check_listed(plan: PlanData, report: CheckReport, desk: Desk, roster: RosterData) -> None:
    """Hold that the plan has everybody of the roster but those absent, as the roster tells."""
    absent = set(filter(None, plan.run.get("assign:absent", "").split(";")))
    expected = set(roster.staff.index) - absent
    strange = sorted(expected ^ set(desk.people.index))
    if strange:
        report.add("staff", "staff_unlisted", "staff", strange)
    both = [s for s in desk.people.index if s in roster.staff.index]
    theirs = roster.staff.loc[both]
    ours = plan.frame("staff").set_index("staff_id").loc[both]
    for column in ("role", "community_id", "capacity", "part_time"):
        told, found = theirs[column].to_numpy(), ours[column].to_numpy()
        if column in ("role", "community_id"):
            off = (told != "") & (told != found)
        else:
            off = ~np.isnan(told) & ~(np.abs(told - found) <= 1e-6)
        if off.any():
            report.add("staff", "staff_differs", "staff", np.array(both, dtype=object)[off],
                       column, found=str(found[off][0]), expected=str(told[off][0]))


def _check_travel(plan: PlanData, report: CheckReport, desk: Desk, roster: RosterData) -> None:
    """Ways are straight lines × the factor, from known buildings or premises, never from homes."""
    premises = list_premises(plan)
    starts = _find_starts(plan, roster)
    ends = dict(zip(plan.ids("grids"), shapely.get_coordinates(
        shapely.point_on_surface(plan.shapes("grids"))), strict=True))
    factor = desk.asked.number("walk_factor", 1.3)
    home = desk.people["community_id"]
    off: list[str] = []
    first = (0.0, 0.0)
    for row in desk.held.itertuples():
        begin = starts.get(str(row.staff_id), premises[str(home[row.staff_id])])
        end = ends[row.place][None, :] if row.inside else premises[str(row.place)]
        gap = begin[:, None, :] - end[None, :, :]
        metres = (np.hypot(gap[..., 0], gap[..., 1]) * factor).ravel()
        if not (np.abs(metres - row.travel_m) <= _SLACK_M).any():
            first = first if off else (float(row.travel_m), float(metres[0]))
            off.append(row.assignment_id)
    if off:
        report.add("staff", "travel_differs", "assignments", off, "travel_m",
                   found=round(first[0]), expected=round(first[1]))


def _find_starts(plan: PlanData, roster: RosterData) -> dict[str, np.ndarray]:
    """Return the mean of the centres of the buildings that everybody knows, (1, 2)."""
    centre = dict(zip(plan.ids("buildings"), shapely.get_coordinates(
        shapely.centroid(plan.shapes("buildings"))), strict=True))
    known: dict[str, list[np.ndarray]] = {}
    for person, building in sorted(roster.known):
        if building in centre:
            known.setdefault(person, []).append(centre[building])
    return {person: np.mean(at, axis=0)[None, :] for person, at in known.items()}
