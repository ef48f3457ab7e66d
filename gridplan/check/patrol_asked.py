"""What a patrol was asked for, as the run table tells it, and how clocks and shifts are read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from gridplan.check.circle_asked import WALKERS, CircleAsked
from gridplan.check.graph import Floats
from gridplan.check.reading import PlanData

Span = tuple[float, float]  # minutes of the day, the end past 1440 where it is the next day

DAY_MIN = 1440
# Km/h of cruising by class of road; a class that is not listed takes that of "unknown".
_CRUISE = {
    "car": {"motorway": 60.0, "trunk": 40.0, "primary": 30.0, "secondary": 25.0, "unknown": 20.0,
            "residential": 15.0, "living_street": 10.0, "service": 10.0},
    "ebike": {"unknown": 12.0, "pedestrian": 6.0, "living_street": 10.0, "service": 10.0,
              "path": 8.0},
    "bike": {"unknown": 10.0, "pedestrian": 6.0, "living_street": 8.0, "service": 8.0,
             "path": 8.0}}
_FOOT_KMH = 3.6
_DUTY = {"normal": 1.0, "raised": 1.5, "high": 2.0}
_STAFF = {"city": 1000.0, "town": 200.0}
_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d)")
_SURE = 1e-9


@dataclass(frozen=True)
class CruiseAsked(CircleAsked):
    """The parameters of streets, with the speeds at which a patrol moves."""

    def speeds(self, mode: str) -> dict[str, float]:
        """Return the km/h of a mode by class of road."""
        return {**_CRUISE[mode], **_numbers(self.tables.get("patrol", {}).get(f"{mode}_kmh"))}


@dataclass(frozen=True)
class PatrolAsked:
    """What was asked of patrols: days, duty levels, speeds.

    ``cruise`` are the streets as a patrol moves on them, ``response`` as it answers a call.
    ``level`` is the duty level of every day, if the run sets one; ``cover`` is both, streets or
    stops; ``without`` are the days and teams that dropped out in the middle of a shift.
    """

    cruise: CruiseAsked
    response: CircleAsked
    days: tuple[str, ...]
    duty: Mapping[str, float]
    level: str
    cover: str
    without: frozenset[tuple[str, str]]

    def number(self, name: str, default: float) -> float:
        """Return a number of the table ``patrol``."""
        return self.cruise.number("patrol", name, default)

    @property
    def hotspot_min(self) -> Span:
        """The least and the most minutes of a stay at a hotspot."""
        return self.number("hotspot_least_min", 10), self.number("hotspot_most_min", 16)

    def staff_goals(self) -> dict[str, float]:
        """Return how many patrol staff a tier should have."""
        told = self.cruise.tables.get("patrol", {}).get("staff")
        return {**_STAFF, **_numbers(told)}

    def members(self) -> dict[str, float]:
        """Return how many a team has where its row does not tell, by tier."""
        return _numbers(self.cruise.tables.get("patrol", {}).get("members"))

    def seconds_a_metre(self, mode: str) -> float:
        """Return the seconds that an effective metre of cruising takes."""
        if mode == "foot":
            return 3.6 / self.number("foot_kmh", _FOOT_KMH)
        return 1.0 / WALKERS[mode][1]


def read_patrol_asked(plan: PlanData) -> PatrolAsked:
    """Read what was asked out of the run table; what it does not tell takes its default."""
    try:
        held = json.loads(plan.run.get("parameters") or "{}")
    except json.JSONDecodeError:
        held = {}
    tables = {name: table for name in ("network", "patrol")
              if isinstance(held, dict) and isinstance(table := held.get(name), dict)}
    told, level = plan.run.get("patrol:days", ""), plan.run.get("patrol:duty", "")
    days = tuple(d.strip() for d in re.split("[,;]", told) if d.strip())
    return PatrolAsked(
        CruiseAsked((), None, tables, elevation=False),
        CircleAsked((), None, tables, elevation=False),
        days or tuple(sorted(set(plan.ids("routes", "day")))),
        {**_DUTY, **_numbers(tables.get("patrol", {}).get("duty"))},
        level if level != "calendar" else "", plan.run.get("patrol:cover", "both"),
        _read_without(plan.run.get("patrol:without", "")))


def _read_without(text: str) -> frozenset[tuple[str, str]]:
    """Read who dropped out.

    >>> sorted(_read_without("D1/T3/21:30;D2/T1/09:00"))
    [('D1', 'T3'), ('D2', 'T1')]
    """
    parts = [p.strip().split("/") for p in text.split(";") if p.strip()]
    return frozenset((p[0], p[1]) for p in parts if len(p) > 1)


def _numbers(found: object) -> dict[str, float]:
    return {str(k): float(v) for k, v in found.items()
            if isinstance(v, int | float)} if isinstance(found, dict) else {}


def read_clock(text: object) -> float:
    """Read ``HH:MM`` as minutes, also past midnight; NaN where it is none.

    >>> read_clock("07:30"), read_clock("25:10"), read_clock("7.30")
    (450.0, 1510.0, nan)
    """
    found = _CLOCK.fullmatch(str(text).strip())
    return 60.0 * int(found[1]) + int(found[2]) if found else math.nan


def read_clocks(texts: Iterable[object]) -> Floats:
    """Read many clocks."""
    return np.array([read_clock(t) for t in texts], dtype=np.float64)


def read_span(text: object) -> Span:
    """Read ``HH:MM-HH:MM``; an end at or below its start is the next day.

    >>> read_span("22:00-06:00"), read_span("08:00-08:00")
    ((1320.0, 1800.0), (480.0, 1920.0))
    """
    first, _, last = str(text).partition("-")
    start, end = read_clock(first), read_clock(last)
    return start, end + DAY_MIN * (end <= start)


def read_spans(text: object) -> list[Span]:
    """Read windows that are parted by semicolons.

    >>> read_spans("07:00-08:00; 22:00-01:00"), read_spans("")
    ([(420.0, 480.0), (1320.0, 1500.0)], [])
    """
    return [read_span(part) for part in str(text).split(";") if part.strip()]


def each_day(spans: Iterable[Span]) -> list[Span]:
    """Return windows also as those of the day before and after: a clock shows them daily.

    >>> each_day([(60.0, 120.0)])
    [(-1380.0, -1320.0), (60.0, 120.0), (1500.0, 1560.0)]
    """
    return sorted((a + shift, b + shift) for a, b in spans
                  for shift in (-DAY_MIN, 0.0, DAY_MIN))


def count_up(often: float, level: float) -> int:
    """Return a frequency times a duty level, rounded up.

    >>> count_up(2, 1.5), count_up(1, 1.5), count_up(0.1, 10), count_up(float("nan"), 2)
    (3, 2, 1, 0)
    """
    return 0 if math.isnan(often) else math.ceil(often * level - _SURE)
