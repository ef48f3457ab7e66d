"""Reads check-in tables: which team was at which stop, and when. Names of people are not read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gridplan.errors import Findings, GridplanError, first_ids
from gridplan.log.owners import Owner
from gridplan.log.planned import Trip
from gridplan.log.request import LogRequest
from gridplan.log.stays import CheckIn
from gridplan.log.times import DAY_MIN, read_date, read_stamp
from gridplan.sheets import find_columns, find_header, fold, open_sheet, private_columns, to_table

TABLE_SUFFIXES = (".csv", ".xlsx", ".xls", ".ods")
_WORDS: dict[str, Sequence[str]] = {
    "stop_id": ("stopid", "stop", "必到点", "点位编号", "必到点编号"),
    "name": ("name", "stopname", "点位", "点位名称", "必到点名称", "名称", "地点"),
    "team_id": ("teamid", "team", "巡组", "巡逻组", "组别", "队伍", "巡组编号"),
    "day": ("day", "date", "日期", "排班日", "班日"),
    "time": ("time", "checkin", "checkintime", "arrive", "arrival", "时间", "签到时间", "打卡时间",
             "到达时间", "到达")}


@dataclass(frozen=True)
class Mark:
    """One row of a check-in table: a stop, whose it is, when.

    ``minutes`` are since midnight of ``date``, or of the day of the shift where that is blank;
    None without a time.
    """

    stop_id: str
    owner: Owner
    date: str
    minutes: int | None


def read_checkins(path: Path, trips: Sequence[Trip], request: LogRequest, who: Owner | None,
                  findings: Findings) -> tuple[list[Mark], int, str]:
    """Return the check-ins of a table, how many rows it has, and its SHA-256.

    All faults go to ``findings``: unknown stops, teams and days, times that are none.
    """
    try:
        sheet = open_sheet(path, request.sheet, findings)
    except GridplanError as error:
        findings.items.extend(error.findings)
        return [], 0, ""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    header = find_header(sheet.rows, lambda row: len(find_columns(row, _WORDS, request.columns)))
    found = find_columns(sheet.rows[header], _WORDS, request.columns) if header >= 0 else {}
    if "stop_id" not in found and "name" not in found:
        findings.add("log.no_column", file=path.name, field="stop_id")
        return [], 0, digest
    if "team_id" not in found and not request.team and who is None:
        findings.add("log.no_column", file=path.name, field="team_id")
        return [], 0, digest
    table = to_table(sheet, header, path.name, findings)
    _tell_private(table, set(found.values()), path.name, findings)
    rows = pd.DataFrame({n: table[at].fillna("").str.strip() for n, at in found.items()},
                        index=table.index).reindex(columns=list(_WORDS), fill_value="")
    book = _Book(path.name, trips, findings)
    marks = [m for line, row in rows.iterrows()
             if (m := book.read(int(str(line)), row.to_dict(), request, who)) is not None]
    book.tell()
    return marks, len(table), digest


def _tell_private(table: pd.DataFrame, known: set[int], file: str, findings: Findings) -> None:
    names = table.attrs["names"]
    left = private_columns(names, table, known=known, codes=known)
    left = [c for c in left if c not in known]
    if left:
        findings.add("log.private_left_out", "warning", file=file, count=len(left),
                     field=first_ids([names[c] or str(c + 1) for c in left]))


class _Book:
    """What a row may name, and the rows that name something else."""

    def __init__(self, file: str, trips: Sequence[Trip], findings: Findings) -> None:
        self.file, self.findings = file, findings
        stops = {v.key: v.name for t in trips for v in t.of("stop")}
        self.stops = dict.fromkeys(stops, "")
        self.named: dict[str, list[str]] = {}
        for key, name in stops.items():
            self.named.setdefault(fold(name), []).append(key)
        self.teams = {t.team_id for t in trips}
        self.days = {t.day for t in trips}
        self.own = {(t.team_id, v.key) for t in trips for v in t.of("stop")}
        self.wrong: dict[tuple[str, str, str], list[int]] = {}

    def read(self, line: int, row: dict[str, str], request: LogRequest, who: Owner | None
             ) -> Mark | None:
        """Return a row as a check-in; None, and a fault noted, where something is wrong."""
        team = row["team_id"] or request.team or (who.team_id if who else "")
        told = row["day"] or request.day or (who.day if who else "")
        stamp = read_stamp(told) if told and told not in self.days else None
        day = stamp[0] if stamp and stamp[0] in self.days else told
        when = read_stamp(row["time"]) if row["time"] else ("", None)
        good = [self._known("log.unknown_team", "team_id", team, team in self.teams, line),
                self._known("log.unknown_day", "day", told, not day or day in self.days, line),
                self._known("log.bad_time", "time", row["time"], when is not None, line)]
        stop = self._find_stop(line, row, team)
        if not all(good) or not stop or when is None:
            return None
        return Mark(stop, Owner(team, day), when[0], when[1])

    def _known(self, key: str, field: str, value: str, holds: bool, line: int) -> bool:
        if not holds:
            self.wrong.setdefault((key, field, value), []).append(line)
        return holds

    def _find_stop(self, line: int, row: dict[str, str], team: str) -> str:
        """Return the stop of a row by its id, else by its name: one of the team's own first."""
        if row["stop_id"] in self.stops:
            return row["stop_id"]
        value = row["name"] or row["stop_id"]
        near = self.named.get(fold(value), []) if fold(value) else []
        own = [k for k in near if (team, k) in self.own]
        for found in (own, near):
            if len(found) == 1:
                return found[0]
        key = "log.several_stops" if near else "log.unknown_stop"
        self._known(key, "name" if row["name"] else "stop_id", row["stop_id"] or value, False, line)
        return ""

    def tell(self) -> None:
        """Tell every fault with its rows."""
        for (key, field, value), lines in self.wrong.items():
            known = self.teams if field == "team_id" else self.days
            self.findings.add(key, file=self.file, row=first_ids(lines), field=field,
                              count=len(lines), value=value, known=first_ids(sorted(known), 12))


def share_out(marks: Sequence[Mark], trips: Sequence[Trip], margin_min: float
              ) -> tuple[dict[str, list[CheckIn]], int]:
    """Return the check-ins by the route of the shift they fall in, and how many fall in none."""
    out: dict[str, list[CheckIn]] = {}
    lost = 0
    for mark in marks:
        best: tuple[float, str, float] | None = None
        for trip in trips:
            if trip.team_id != mark.owner.team_id or mark.stop_id not in {
                    v.key for v in trip.of("stop")}:
                continue
            clock = _clock(mark, trip, margin_min)
            if clock is None:
                continue
            off = min(abs(clock - v.arrive_min) for v in trip.of("stop")
                      if v.key == mark.stop_id) if clock == clock else 0.0
            if best is None or off < best[0]:
                best = (off, trip.route_id, clock)
        if best is None:
            lost += 1
        else:
            out.setdefault(best[1], []).append(CheckIn(mark.stop_id, best[2] * 60.0))
    return out, lost


def _clock(mark: Mark, trip: Trip, margin_min: float) -> float | None:
    """Return minutes of a trip's day, NaN without a time; None where it is not of this trip."""
    if mark.owner.day and mark.owner.day != trip.day and not (
            mark.minutes is not None and _after(trip.day, mark.owner.day)):
        return None
    if mark.minutes is None:
        same = mark.owner.day == trip.day or (not mark.owner.day and mark.date == trip.day)
        return float("nan") if same or not (mark.owner.day or mark.date) else None
    low, high = trip.begin_min - margin_min, trip.end_min + margin_min
    date = mark.date or (mark.owner.day if mark.owner.day != trip.day else "")
    start, here = read_date(date), read_date(trip.day)
    if start is not None and here is not None:
        clock = mark.minutes + DAY_MIN * (start - here).days
        return float(clock) if low <= clock < high else None
    # Past midnight people write what the clock shows.
    return next((float(c) for c in (mark.minutes, mark.minutes + DAY_MIN) if low <= c < high),
                None)


def _after(day: str, other: str) -> bool:
    """Tell whether a day is the one after another."""
    here, there = read_date(day), read_date(other)
    return here is not None and there is not None and (there - here).days == 1
