"""The calendar of a dispatcher: its days, who is on duty, and whether crews can do it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from gridplan.errors import first_ids
from gridplan.params import PatrolParams
from gridplan.patrol.hours import is_numbered, number_day, read_span
from gridplan.patrol.inputs_table import Table, refer

LEAST_REST_MIN = 11 * 60


def check_calendar(calendar: Table, teams: Table, params: PatrolParams) -> None:
    """Check days, who is named and what contradicts itself; fill the kind of a day by its date."""
    if calendar.frame.empty:
        return
    date, team = calendar.text("date"), calendar.text("team_id")
    number = date.map(number_day)
    calendar.tell("patrol.input_blank", date == "", "date")
    calendar.tell("patrol.input_date", (date != "") & number.isna(), "date")
    numbered = date.map(is_numbered)
    if numbered.any() and (~numbered & number.notna()).any():
        calendar.tell("patrol.input_mixed_dates", numbered, "date",
                      other=date[~numbered & number.notna()].iloc[0])
    if not teams.frame.empty:
        refer(calendar, "team_id", teams, "team_id")
    shift = calendar.text("shift")
    span = shift.map(lambda text: read_span(text) is not None and len(set(text.split("-"))) == 2)
    calendar.tell("patrol.input_window", (shift != "") & ~span.astype(bool), "shift")
    pair = date + "/" + team
    calendar.tell("patrol.input_day_team_twice",
                  pair.duplicated(keep=False) & (team != "") & (date != ""), "team_id")
    _check_days(calendar, date, team)
    _check_crew_names(calendar, teams, params)
    kind = pd.Series(["" if t or n is None or n != n else _kind_of(d, int(n))
                      for d, t, n in zip(date, team, number, strict=True)],
                     calendar.frame.index, dtype=object)
    told = calendar.text("day_kind").groupby(date).transform(lambda kinds: (kinds != "").any())
    calendar.fill("day_kind", kind.where(~told.astype(bool), ""))


def _kind_of(date: str, number: int) -> str:
    day = (number - 1) % 7 if is_numbered(date) else dt.date.fromordinal(number).weekday()
    return "weekend" if day >= 5 else "workday"


def _check_days(calendar: Table, date: pd.Series, team: pd.Series) -> None:
    """Tell of days that several rows say different things of, or the same twice."""
    general = team == ""
    for name in ("day_kind", "duty"):
        words = calendar.text(name)
        told = words[words != ""].groupby(date[words != ""]).nunique()
        calendar.tell("patrol.input_day_differs",
                      date.isin(told.index[told > 1]) & (words != ""), name)
    calendar.tell("patrol.input_day_twice",
                  date.where(general, "").duplicated(keep=False) & general & (date != ""), "date",
                  outcome="warning")


def _check_crew_names(calendar: Table, teams: Table, params: PatrolParams) -> None:
    """Tell of crews that no team has, where there are more of them than there can be."""
    usual = {c for c in teams.text("crew") if c}
    words = calendar.text("crew")
    every = usual | {c for c in words if c}
    if usual and len(every) > max(params.crews, len(usual)):
        odd = (words != "") & ~words.isin(sorted(usual))
        calendar.tell("patrol.input_crew", odd, "crew", crews=params.crews,
                      words=first_ids(dict.fromkeys(words[odd])), known=first_ids(sorted(usual)))


def check_crews(calendar: Table, teams: Table) -> None:
    """Tell of crews wanted in two shifts at once, and of those with less than 11 hours of rest.

    A crew mans any number of teams of one shift. Without a calendar every team is on duty every
    day with its usual crew.
    """
    duties = _list_duties(calendar, teams)
    table = calendar if len(calendar.frame) else teams
    clash, tired = (np.zeros(len(table.frame), dtype=bool) for _ in range(2))
    said: dict[str, list[str]] = {"clash": [], "tired": []}
    for crew, spans in sorted(duties.items()):
        ordered = sorted(spans)
        until, before = -1, ordered[0]
        for span in ordered:
            start, end = span
            kind = "clash" if start < until else (
                "tired" if until >= 0 and start - until < LEAST_REST_MIN else "")
            if kind:
                (clash if kind == "clash" else tired)[spans[span] + spans[before]] = True
                said[kind].append(f"{crew} {_spell(before)}, {_spell(span)}")
            if end > until:
                until, before = end, span
    table.tell("patrol.input_crew_twice", clash, "crew", words=first_ids(
        dict.fromkeys(said["clash"]), 3))
    table.tell("patrol.input_crew_tired", tired, "crew", outcome="warning",
               words=first_ids(dict.fromkeys(said["tired"]), 3), hours=LEAST_REST_MIN // 60)


def _list_duties(calendar: Table, teams: Table) -> dict[str, dict[tuple[int, int], list[int]]]:
    """Return crew → begin and end of its shifts, in minutes from day 0 → the rows that say so."""
    own = {str(t): (str(c), f"{a}-{b}") for t, c, a, b in zip(
        *(teams.text(n) for n in ("team_id", "crew", "shift_start", "shift_end")), strict=True)}
    found: dict[str, dict[tuple[int, int], list[int]]] = {}

    def add(day: int, crew: str, shift: str, row: int) -> None:
        span = read_span(shift)
        if crew and span is not None and span[1] - span[0] < 1440:
            at = (span[0] + 1440 * day, span[1] + 1440 * day)
            found.setdefault(crew, {}).setdefault(at, []).append(row)

    if calendar.frame.empty:
        for day in (0, 1):
            for row, (crew, shift) in enumerate(own.values()):
                add(day, crew, shift, row)
        return found
    rows = list(enumerate(zip(*(calendar.text(n) for n in (
        "date", "team_id", "crew", "shift")), strict=True)))
    numbers = {d: n for _, (d, *_) in rows if (n := number_day(d)) is not None}
    first = min(numbers.values(), default=0)
    manned = {d for _, (d, t, *_) in rows if t}
    for row, (date, team, crew, shift) in rows:
        if date not in numbers:
            continue
        for name in ([team] if team else ([] if date in manned else list(own))):
            usual, hours = own.get(name, ("", ""))
            add(numbers[date] - first, crew or usual, shift or hours, row)
    return found


def _spell(span: tuple[int, int]) -> str:
    clock = [f"{m % 1440 // 60:02d}:{m % 60:02d}" for m in span]
    return f"({span[0] // 1440 + 1}) {clock[0]}-{clock[1]}"
