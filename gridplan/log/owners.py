"""Whose a track is: told by an option, by a table, by the name of the file or of the track."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gridplan.errors import Findings, InputError, first_ids
from gridplan.log.planned import Trip
from gridplan.log.request import LogRequest
from gridplan.log.times import read_date
from gridplan.log.tracks import Track
from gridplan.sheets import find_columns, find_header, open_sheet, to_table

_WORDS: dict[str, Sequence[str]] = {
    "file": ("file", "filename", "track", "文件", "文件名", "轨迹", "轨迹文件"),
    "team_id": ("teamid", "team", "巡组", "巡逻组", "组别", "队伍", "巡组编号"),
    "day": ("day", "date", "日期", "排班日", "班日")}
_ROUTE = re.compile(r"route-(.+)-(?:wgs84|gcj02|bd09)(?![A-Za-z0-9]).*", re.IGNORECASE)


@dataclass(frozen=True)
class Owner:
    """The team of a track, and the day of its shift; blank where the times must tell it."""

    team_id: str
    day: str = ""


def read_who(path: Path | None, trips: Sequence[Trip], findings: Findings) -> dict[str, Owner]:
    """Read a table of file → team and day, by folded file name.

    Faults, as teams that the plan has not, go to ``findings``.
    """
    if path is None:
        return {}
    try:
        sheet = open_sheet(path, None, findings)
    except InputError as error:
        findings.items.extend(error.findings)
        return {}
    header = find_header(sheet.rows, lambda row: len(find_columns(row, _WORDS, {})))
    found = find_columns(sheet.rows[header], _WORDS, {}) if header >= 0 else {}
    lacks = [n for n in ("file", "team_id") if n not in found]
    for name in lacks:
        findings.add("log.no_column", file=path.name, field=name)
    if lacks:
        return {}
    table = to_table(sheet, header, path.name, findings)
    teams, days = {t.team_id for t in trips}, {t.day for t in trips}
    out = {}
    for line, row in zip(table.index, table.to_numpy(dtype=object), strict=True):
        cells = {n: str(row[at] or "").strip() for n, at in found.items()}
        team, day = cells["team_id"], cells.get("day", "")
        if team not in teams:
            findings.add("log.unknown_team", file=path.name, row=line, field="team_id", value=team,
                         known=first_ids(sorted(teams), 12))
        if day and day not in days:
            findings.add("log.unknown_day", file=path.name, row=line, field="day", value=day,
                         known=first_ids(sorted(days), 12))
        out[cells["file"].casefold()] = Owner(team, day)
    return out


def find_owner(track: Track, trips: Sequence[Trip], who: Mapping[str, Owner],
               request: LogRequest, findings: Findings) -> Owner | None:
    """Return whose a track is; None, with a fault, where nothing tells it."""
    told = who.get(track.file.casefold()) or who.get(Path(track.file).stem.casefold())
    if told is not None and told.team_id in {t.team_id for t in trips}:
        return told
    stem = Path(track.file).stem
    named = _of_export(stem, trips)
    if named is not None:
        return Owner(request.team or named.team_id, request.day or named.day)
    team = request.team
    if not team:
        found = _teams_in(stem, trips) or _teams_in(track.name, trips)
        if len(found) != 1:
            findings.add("log.several_teams" if found else "log.no_team", file=track.file,
                         names=first_ids(found), known=first_ids(
                             sorted({t.team_id for t in trips}), 12))
            return None
        team = found[0]
    return Owner(team, request.day or _day_in(stem, track, trips))


def _of_export(stem: str, trips: Sequence[Trip]) -> Trip | None:
    """Return the trip whose exported file bears this name, perhaps with a copy's number."""
    found = _ROUTE.fullmatch(stem)
    key = found[1].casefold() if found else ""
    return next((t for t in trips if f"{t.day}-{t.team_id}".casefold() == key), None)


def _teams_in(text: str, trips: Sequence[Trip]) -> list[str]:
    """Return the teams that a text names as a word of their own, the longest first."""
    held = text.casefold()
    found: list[str] = []
    for team in sorted({t.team_id for t in trips if t.team_id}, key=lambda t: (-len(t), t)):
        word = re.escape(team.casefold())
        if re.search(rf"(?<![a-z0-9]){word}(?![a-z0-9])", held):
            found.append(team)
            held = re.sub(rf"(?<![a-z0-9]){word}(?![a-z0-9])", " ", held)
    return found


def _day_in(stem: str, track: Track, trips: Sequence[Trip]) -> str:
    """Return the day that a name tells: a numbered day, or a date where there are no times.

    A date in the name of a timed track is not taken: it may be that of the recording's end.
    """
    days = sorted({t.day for t in trips}, key=lambda d: (-len(d), d))
    for text in (stem, track.name):
        for day in days:
            if read_date(day) is not None and track.timed:
                continue
            forms = {day, day.replace("-", "")} if read_date(day) else {day}
            if any(re.search(rf"(?<![A-Za-z0-9]){re.escape(f)}(?![A-Za-z0-9])", text,
                             re.IGNORECASE) for f in sorted(forms)):
                return day
    return ""


def check_request(request: LogRequest, trips: Sequence[Trip], findings: Findings) -> None:
    """Note a team or a day that the plan has not."""
    for option, value, known in (("--team", request.team, {t.team_id for t in trips}),
                                 ("--day", request.day, {t.day for t in trips})):
        if value and value not in known:
            findings.add("log.unknown_team" if option == "--team" else "log.unknown_day",
                         field=option, value=value, known=first_ids(sorted(known), 12))

