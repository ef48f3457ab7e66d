"""Who is on duty on a day, and what is due: layers become jobs."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely

from gridplan.params import PatrolParams
from gridplan.patrol.ground import Ground
from gridplan.patrol.job import Call, Job, Member, Pass
from gridplan.patrol.stops.problem import Windows
from gridplan.patrol.stops.week import choose_days
from gridplan.patrol.zones import find_zones

DAY_S = 86_400
HOTSPOT = "hotspot"
TIER_ORDER = ("town", "community", "city")  # who calls at a stop without a tier, the first on duty
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"(\d{1,2}):([0-5]\d)")


@dataclass(frozen=True)
class Day:
    """A day of the patrol: its name, its kind, and what its level multiplies frequencies by."""

    name: str
    kind: str
    factor: float


@dataclass(frozen=True)
class Missing:
    """Visits of a stop or passes of a street that are not even tried, and why."""

    stop_id: str
    required_id: str
    visits: int
    reason: str
    shift: str = ""


def read_clock(text: str) -> int:
    """Return the seconds of ``HH:MM``.

    >>> read_clock("07:30")
    27000
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"no time of day: {text!r}")
    return int(found[1]) * 3600 + int(found[2]) * 60


def read_span(text: str) -> tuple[int, int]:
    """Return begin and end of ``HH:MM-HH:MM`` in seconds; an end not later is the next day.

    >>> read_span("22:00-06:00")
    (79200, 108000)
    """
    start, end = (read_clock(part) for part in text.split("-"))
    return start, end if end > start else end + DAY_S


def read_windows(text: str) -> Windows:
    """Return the windows of a stop, each once more a day later: night shifts count on.

    >>> read_windows("07:30-08:30")
    ((27000, 30600), (113400, 117000))
    """
    spans = [read_span(part) for part in text.split(";") if part.strip()]
    return tuple(sorted({*spans, *((a + DAY_S, b + DAY_S) for a, b in spans)}))


def plain(value: Any) -> str:
    """Return a value of a text column, ``""`` for none."""
    return "" if value is None or value is pd.NA or value != value else str(value)


def number(value: Any, missing: float = 0.0) -> float:
    """Return a value of a column of numbers."""
    return missing if value is None or value is pd.NA or pd.isna(value) else float(value)


def name_days(calendar: pd.DataFrame, count: int) -> list[str]:
    """Return the names of the days: the first dates of the calendar and those after, else D1 ….

    >>> name_days(pd.DataFrame({"date": ["2026-12-31"]}), 2)
    ['2026-12-31', '2027-01-01']
    >>> name_days(pd.DataFrame({"date": []}), 2)
    ['D1', 'D2']
    """
    dates = sorted({dt.date.fromisoformat(plain(d)) for d in calendar["date"]
                    if _DATE.fullmatch(plain(d))})[:count]
    while dates and len(dates) < count:
        dates.append(dates[-1] + dt.timedelta(days=1))
    return [d.isoformat() for d in dates] or [f"D{k}" for k in range(1, count + 1)]


def list_days(calendar: pd.DataFrame, names: Sequence[str], params: PatrolParams, level: str = ""
              ) -> list[Day]:
    """Return the days with kind and duty as the calendar says; workdays where it says nothing.

    ``level`` is the duty level of every day, in the place of the calendar's.
    """
    days = []
    for name in names:
        rows = calendar[(calendar["date"] == name).fillna(False)]
        kind = next((plain(k) for k in rows["day_kind"] if plain(k)), "workday")
        duty = level or next((plain(d) for d in rows["duty"] if plain(d)), "normal")
        days.append(Day(name, kind, params.duty[duty]))
    return days


def list_members(teams: pd.DataFrame, calendar: pd.DataFrame, day: Day) -> dict[
        tuple[str, str], list[Member]]:
    """Return the teams on duty on a day by tier and zone, in the order of their ids."""
    rows = calendar[(calendar["date"] == day.name).fillna(False) & calendar["team_id"].notna()]
    shifts = {plain(t): plain(s) for t, s in zip(rows["team_id"], rows["shift"], strict=True)}
    held: dict[tuple[str, str], list[tuple[str, Any]]] = {}
    for team in teams.sort_values("team_id", kind="stable").itertuples():
        if shifts and str(team.team_id) not in shifts:
            continue
        shift = shifts.get(str(team.team_id)) or (
            f"{plain(team.shift_start)}-{plain(team.shift_end)}")
        held.setdefault((plain(team.tier), plain(team.zone_id)), []).append((shift, team))
    return {key: _number_shifts(found) for key, found in sorted(held.items())}


def _number_shifts(found: list[tuple[str, Any]]) -> list[Member]:
    order = sorted({shift for shift, _ in found}, key=lambda s: (read_span(s), s))
    members = []
    for shift, team in found:
        start, end = read_span(shift)
        first, last = read_span(plain(team.break_window)) if plain(team.break_window) else (
            start, end)
        if last <= start:  # a window past midnight of a shift that began before
            first, last = first + DAY_S, last + DAY_S
        members.append(Member(
            str(team.team_id), plain(team.mode), plain(team.station_id), order.index(shift), shift,
            start, end, int(number(team.break_min)) * 60, first, last))
    return members


def share_passes(count: int, shifts: int, day: int) -> list[int]:
    """Return how many of a day's passes each shift makes; the rest goes round from day to day.

    >>> share_passes(4, 3, 0), share_passes(4, 3, 1), share_passes(1, 2, 3)
    ([2, 1, 1], [1, 2, 1], [0, 1])
    """
    every, rest = divmod(count, shifts)
    return [every + ((k - day) % shifts < rest) for k in range(shifts)]


@dataclass(frozen=True)
class Wanted:
    """What is due, day by day, as the layers say.

    Attributes
    ----------
    stops, required
        The layers, in the order of their ids.
    visits
        (stops, days) visits of each stop.
    passes
        (streets, days) passes of each street.
    stop_zone
        Tier → zone of each stop by place; the stop's own where it names one.
    piece_zone
        Zone of each required street in its tier.
    """

    stops: Any
    required: Any
    visits: Any
    passes: Any
    stop_zone: Mapping[str, Any]
    piece_zone: Any


def find_wanted(layers: Mapping[str, Any], days: Sequence[Day], seed: int) -> Wanted:
    """Say what is due on each day.

    Visits and passes a day are multiplied by the day's level and rounded up; visits a week fall
    on days that are as far apart as can be, such that the days are even.
    """
    stops = layers["stops"].sort_values("stop_id", kind="stable").reset_index(drop=True)
    required = layers["required"].sort_values("required_id", kind="stable").reset_index(drop=True)
    daily = np.array([number(v) for v in stops["visits_per_day"]])
    weekly = np.array([number(v) for v in stops["visits_per_week"]])
    visits = np.array([[int(np.ceil(v * day.factor - 1e-9)) for day in days] for v in daily],
                      np.int64).reshape(len(stops), len(days))
    rows = np.flatnonzero((daily == 0) & (weekly > 0))
    stay = np.array([max(1, int(number(v))) for v in stops["service_min"]], np.int64)
    for first in range(0, len(days) if len(rows) else 0, 7):
        count = min(7, len(days) - first)
        due = np.ceil(weekly[rows] * count / 7 - 1e-9).astype(np.int64)
        visits[rows, first:first + count] = choose_days(due, stay[rows], days=count,
                                                        seed=seed).visits
    often = np.array([number(v, 1.0) for v in required["passes_per_day"]])
    kinds = [plain(k) or "all" for k in required["day_kind"]]
    on = np.array([[k in ("all", day.kind) for day in days] for k in kinds]).reshape(
        len(required), len(days))
    factors = np.array([day.factor for day in days])
    passes = np.where(on, np.ceil(often[:, None] * factors - 1e-9), 0).astype(np.int64)
    zones = layers["zones"]
    points = list(stops.geometry)
    own = np.array([plain(z) for z in stops["zone_id"]], dtype=object)
    by_tier: dict[str, Any] = {}
    for tier in TIER_ORDER:
        found = find_zones(np.array(points, dtype=object), zones, tier)
        mine = set(zones.loc[(zones["tier"] == tier).fillna(False), "zone_id"].astype(str))
        by_tier[tier] = np.array([o if o in mine else f for o, f in zip(own, found, strict=True)],
                                 dtype=object)
    tiers = np.array([plain(t) for t in required["tier"]], dtype=object)
    middles = shapely.line_interpolate_point(np.asarray(required.geometry.to_numpy(), dtype=object),
                                             0.5, normalized=True)
    piece_zone: Any = np.full(len(required), "", dtype=object)
    for tier in TIER_ORDER:
        rows = np.flatnonzero(tiers == tier)
        piece_zone[rows] = find_zones(middles[rows], zones, tier)
    return Wanted(stops, required, visits, passes, by_tier, piece_zone)


def list_jobs(wanted: Wanted, members: Mapping[tuple[str, str], list[Member]], index: int,
              grounds: Mapping[str, Ground], params: PatrolParams, cover: str
              ) -> tuple[list[Job], list[Missing]]:
    """Return the jobs of a day by its number, and what has nobody to do it.

    Teams of a zone take what lies in it; teams without a zone take what no zone with teams has.
    """
    calls: dict[tuple[str, str], list[Call]] = {key: [] for key in members}
    passes: dict[tuple[str, str], list[Pass]] = {key: [] for key in members}
    missing: list[Missing] = []
    if cover != "streets":
        _share_stops(wanted, members, index, grounds, params, calls, missing)
    if cover != "stops":
        _share_streets(wanted, members, index, grounds, passes, missing)
    jobs = [Job(*key, tuple(members[key]), tuple(calls[key]), tuple(passes[key]))
            for key in members if calls[key] or passes[key]]
    return jobs, missing


def _share_stops(wanted: Wanted, members: Mapping[tuple[str, str], list[Member]], index: int,
                 grounds: Mapping[str, Ground], params: PatrolParams,
                 calls: dict[tuple[str, str], list[Call]], missing: list[Missing]) -> None:
    tiers = {tier for tier, _ in members}
    for k, row in enumerate(wanted.stops.itertuples()):
        count = int(wanted.visits[k, index])
        if not count:
            continue
        name, tier = str(row.stop_id), plain(row.tier)
        tier = tier or next((t for t in TIER_ORDER if t in tiers), "")
        key = _find_key(members, tier, wanted.stop_zone[tier][k] if tier else "")
        if key is None:
            missing.append(Missing(name, "", count, "zone" if tier in tiers else "tier"))
        elif not any(name in grounds[m.mode].place for m in members[key]):
            missing.append(Missing(name, "", count, "way"))
        else:
            calls[key].append(_make_call(row, count, params))


def _make_call(row: Any, count: int, params: PatrolParams) -> Call:
    stay = int(number(row.service_min)) * 60
    most = stay
    if plain(row.kind) == HOTSPOT:
        stay = max(stay, params.hotspot_least_min * 60)
        most = max(stay, params.hotspot_most_min * 60)
    return Call(str(row.stop_id), count, stay, most, read_windows(plain(row.windows)),
                int(number(row.spacing_min)) * 60, max(1, int(number(row.priority, 1))),
                bool(number(row.optional)), int(number(row.penalty)))


def _share_streets(wanted: Wanted, members: Mapping[tuple[str, str], list[Member]], index: int,
                   grounds: Mapping[str, Ground],
                   passes: dict[tuple[str, str], list[Pass]], missing: list[Missing]) -> None:
    tiers = {tier for tier, _ in members}
    filled: dict[tuple[tuple[str, str], int, str], float] = {}
    found: dict[tuple[tuple[str, str], int], list[tuple[str, str, int, Any]]] = (
        defaultdict(list))
    for k, row in enumerate(wanted.required.itertuples()):
        count, name, tier = int(wanted.passes[k, index]), str(row.required_id), plain(row.tier)
        if not count:
            continue
        key = _find_key(members, tier, wanted.piece_zone[k])
        if key is None:
            missing.append(Missing("", name, count, "zone" if tier in tiers else "tier"))
            continue
        shares = share_passes(count, 1 + max(m.watch for m in members[key]), index)
        for watch, due in enumerate(shares):
            mode = _choose_mode(members[key], watch, name, grounds, key, filled)
            if due and not mode:
                missing.append(Missing("", name, due, "way", _shift_of(members[key], watch)))
            elif due:
                found[key, watch].append((name, mode, due, row))
                filled[key, watch, mode] += due * min(grounds[mode].pieces[name].seconds)
    for (key, watch), rows in found.items():
        passes[key] += _make_rounds(rows, members[key], watch)


def _make_rounds(rows: list[tuple[str, str, int, Any]], members: list[Member], watch: int
                 ) -> list[Pass]:
    """Spread the passes of a shift over its rounds."""
    rounds = max(due for _, _, due, _ in rows)
    start = min(m.start_s for m in members if m.watch == watch)
    length = max(m.end_s for m in members if m.watch == watch) - start
    out = []
    for name, mode, due, row in rows:
        for j in range(due):
            k = j * rounds // due
            window = (start + k * length // rounds, start + (k + 1) * length // rounds)
            out.append(Pass(name, watch, mode, window, bool(number(row.optional)),
                            int(number(row.prize))))
    return out


def _shift_of(members: list[Member], watch: int) -> str:
    return next((m.shift for m in members if m.watch == watch), "")


def _choose_mode(members: list[Member], watch: int, name: str, grounds: Mapping[str, Ground],
                 key: tuple[str, str], filled: dict[tuple[tuple[str, str], int, str], float]
                 ) -> str:
    """Return the mode with most teams for its streets so far, of those that can pass a street."""
    teams: dict[str, int] = {}
    for member in members:
        if member.watch == watch and name in grounds[member.mode].pieces:
            teams[member.mode] = teams.get(member.mode, 0) + 1
    for mode in teams:
        filled.setdefault((key, watch, mode), 0.0)
    return min(teams, key=lambda m: (filled[key, watch, m] / teams[m], m), default="")


def _find_key(members: Mapping[tuple[str, str], list[Member]], tier: str, zone: str
              ) -> tuple[str, str] | None:
    if (tier, zone) in members:
        return tier, zone
    return (tier, "") if (tier, "") in members else None
