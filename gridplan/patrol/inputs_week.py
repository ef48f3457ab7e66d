"""The calendar of a dispatcher: its days, who is on duty, and whether crews can do it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from gridplan.errors import Outcome, first_ids
from gridplan.params import PatrolParams
from gridplan.patrol.hours import DAY_MIN, is_numbered, number_day, read_span
from gridplan.patrol.inputs_table import Table, refer

LEAST_REST_MIN = 11 * 60
_OUTCOMES: dict[str, Outcome] = {"twice": "error", "tired": "warning"}
# Crew → begin and end of a shift → the tables and rows that say so.
_Duties = dict[str, dict[tuple[int, int], list[tuple[int, int]]]]


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
    """Tell of crews that no team of a tier has, where the tier has more of them than it can."""
    tier_of = teams.lookup("team_id", "tier")
    words, tier = calendar.text("crew"), calendar.text("team_id").map(lambda t: tier_of.get(t, ""))
    for word in dict.fromkeys(tier.tolist()):
        usual = {c for c, t in zip(teams.text("crew"), teams.text("tier"), strict=True)
                 if c and t == word}
        named = (tier == word) & (words != "")
        most = max(params.crews, len(usual))
        odd = named & ~words.isin(sorted(usual))
        if usual and len(usual | set(words[named])) > most:
            calendar.tell("patrol.input_crew", odd, "crew", crews=most,
                          words=first_ids(dict.fromkeys(words[odd])),
                          known=first_ids(sorted(usual)))


def check_crews(calendar: Table, teams: Table) -> None:
    """Tell of crews wanted in two shifts at once, and of those with less than 11 hours of rest.

    A crew mans any number of teams of one shift. Without a calendar every team is on duty every
    day with its usual crew.
    """
    tables = (teams, calendar)
    rows: dict[str, list[set[int]]] = {k: [set(), set()] for k in ("twice", "tired")}
    said: dict[str, list[str]] = {"twice": [], "tired": []}
    for crew, spans in sorted(_list_duties(calendar, teams).items()):
        ordered = sorted(spans)
        until, before = -1, ordered[0]
        for span in ordered:
            start, end = span
            kind = "twice" if start < until else (
                "tired" if until >= 0 and start - until < LEAST_REST_MIN else "")
            if kind:
                said[kind].append(f"{crew} {_spell(before)}, {_spell(span)}")
                for table, row in (*spans[before], *spans[span]):
                    rows[kind][table].add(row)
            if end > until:
                until, before = end, span
    for kind, outcome in _OUTCOMES.items():
        for one, held in zip(tables, rows[kind], strict=True):
            wrong = np.isin(np.arange(len(one.frame)), sorted(held))
            one.tell(f"patrol.input_crew_{kind}", wrong, "crew", outcome=outcome,
                     hours=LEAST_REST_MIN // 60, words=first_ids(dict.fromkeys(said[kind]), 3))


def _list_duties(calendar: Table, teams: Table) -> _Duties:
    """Return crew → begin and end of its shifts, in minutes from the first day → who says so.

    That is a table, 0 for teams and 1 for the calendar, and its row.
    """
    own = {str(t): (row, str(c), f"{a}-{b}") for row, (t, c, a, b) in enumerate(zip(
        *(teams.text(n) for n in ("team_id", "crew", "shift_start", "shift_end")), strict=True))}
    found: _Duties = {}

    def add(day: int, crew: str, shift: str, *said_by: tuple[int, int]) -> None:
        span = read_span(shift)
        if crew and span is not None and span[1] - span[0] < DAY_MIN:
            at = (span[0] + DAY_MIN * day, span[1] + DAY_MIN * day)
            found.setdefault(crew, {}).setdefault(at, []).extend(said_by)

    rows = list(zip(*(calendar.text(n) for n in ("date", "team_id", "crew", "shift")),
                    strict=True))
    numbers = {d: n for d, *_ in rows if (n := number_day(d)) is not None}
    first = min(numbers.values(), default=0)
    manned = {d for d, t, *_ in rows if t}
    plain = {n - first for d, n in numbers.items() if d not in manned} if rows else {0, 1}
    for day in sorted(plain):
        for row, crew, shift in own.values():
            add(day, crew, shift, (0, row))
    for row, (date, team, crew, shift) in enumerate(rows):
        if team and date in numbers:
            _, usual, hours = own.get(team, (-1, "", ""))
            add(numbers[date] - first, crew or usual, shift or hours, (1, row))
    return found


def _spell(span: tuple[int, int]) -> str:
    clock = [f"{m % DAY_MIN // 60:02d}:{m % 60:02d}" for m in span]
    return f"({span[0] // DAY_MIN + 1}) {clock[0]}-{clock[1]}"
