"""A planned patrol as tables of numbers: days, who is on duty, passes, stays, what is asked."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.layers import TIERS, one_polygon
from gridplan.pages.ground import text_of
from gridplan.patrol.zones import find_zones
from gridplan.plan import Plan

DAY_MIN = 1440
_TIME = re.compile(r"([0-9]{1,3}):([0-5][0-9])")
_NUMBERED = re.compile(r"[Dd]([0-9]{1,4})")
_SATURDAY, _WEEK = 5, 7
_TEXT = ("name", "kind", "team_id", "route_id", "tier", "mode", "zone", "shift", "id", "day_kind",
         "what")
_WHOLE = ("number", "day", "route", "thing")
_REAL = ("members", "start", "end", "arrive", "depart", "length_m", "often", "visits", "gap",
         "distance_m", "duration_min", "served_m", "deadhead_m", "midnight")

Shapes = NDArray[np.object_]


@dataclass(frozen=True)
class Made:
    """What figures are counted from.

    Attributes
    ----------
    days
        In order: name; ``number`` is the day's place on a calendar without gaps, ``kind`` workday,
        weekend or holiday.
    duties
        One row per team and day on duty: day (row of ``days``), team_id, tier, mode, zone,
        members (NaN where unknown), station (Point or None), shift, start, end: minutes since
        the first midnight.
    routes
        One row per route: day, shift, team_id, tier, zone, mode, start, the numbers of the layer
        and the line.
    visits
        One row per visit in the order of routes and visits: route (row of ``routes``), what
        (``stop``, ``pass``, ``break`` or any other rest), thing (row of ``stops`` or ``required``,
        -1), arrive, depart (NaN where they cannot be read), and day, shift and tier of its route.
    required
        Pieces to be passed: id, tier, zone, day_kind, length_m, line, asked (neither optional
        nor without passes).
    stops
        Places to be visited: id, kind, tier, zone, often (visits a day, NaN), asked.
    unmet
        what, thing, visits.
    """

    days: pd.DataFrame
    duties: pd.DataFrame
    routes: pd.DataFrame
    visits: pd.DataFrame
    required: pd.DataFrame
    stops: pd.DataFrame
    unmet: pd.DataFrame

    @property
    def horizon(self) -> tuple[float, float]:
        """From the first shift's start to the last shift's end; NaN where nobody is on duty."""
        if self.duties.empty:
            return np.nan, np.nan
        return float(self.duties["start"].min()), float(self.duties["end"].max())

    def visits_of(self, what: str) -> pd.DataFrame:
        """Return the visits of a kind whose stop or piece is known."""
        return self.visits[((self.visits["what"] == what) & (self.visits["thing"] >= 0)
                            ).to_numpy(bool)]


def read_made(plan: Plan) -> Made:
    """Read the layers of patrols; rows that name what is not there count for nothing."""
    days = _read_days(plan)
    teams = _read_teams(plan)
    required, stops = _read_required(plan), _read_stops(plan)
    routes = _read_routes(plan, days, teams)
    rows = {"stop": {n: k for k, n in enumerate(stops["id"])},
            "pass": {n: k for k, n in enumerate(required["id"])}}
    return Made(*(_settle(frame) for frame in (
        days, _read_duties(plan, days, teams), routes, _read_visits(plan, routes, rows), required,
        stops, _read_unmet(plan, rows))))


def _settle(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the columns their types, which those without rows do not have by themselves."""
    kinds = {**dict.fromkeys(_TEXT, object), **dict.fromkeys(_WHOLE, np.int64),
             **dict.fromkeys(_REAL, np.float64)}
    return frame.astype({str(c): kinds[str(c)] for c in frame.columns if c in kinds})


def read_minutes(text: str) -> float:
    """Read ``HH:MM``, also past midnight, as minutes; NaN where it is none.

    >>> read_minutes("07:30"), read_minutes("25:10"), read_minutes("soon")
    (450.0, 1510.0, nan)
    """
    found = _TIME.fullmatch(text.strip())
    return 60.0 * int(found[1]) + int(found[2]) if found else np.nan


def read_shift(text: str) -> tuple[str, float, float]:
    """Read a shift: its name, start and end in minutes; an end at or below is the next day.

    >>> read_shift("7:30-15:30"), read_shift("22:00-06:00")
    (('07:30-15:30', 450.0, 930.0), ('22:00-06:00', 1320.0, 1800.0))
    """
    start, end = (read_minutes(t) for t in (*text.split("-", 1), "")[:2])
    if np.isnan(start + end):
        return text.strip(), np.nan, np.nan
    name = "-".join(f"{int(m) // 60:02d}:{int(m) % 60:02d}" for m in (start, end))
    return name, start, end + DAY_MIN * (end <= start)


def number_days(days: Sequence[str]) -> list[int]:
    """Return how many days each is after the first; without dates or numbers one after another.

    >>> number_days(["2026-12-30", "2027-01-02"]), number_days(["D1", "D3"]), number_days(["a"])
    ([0, 3], [0, 2], [0])
    """
    dates = [_read_date(d) for d in days]
    counted = [_NUMBERED.fullmatch(d) for d in days]
    if days and all(d is not None for d in dates):
        told = [d.toordinal() for d in dates if d is not None]
    elif days and all(c is not None for c in counted):
        told = [int(c[1]) for c in counted if c is not None]
    else:
        told = list(range(len(days)))
    return [n - told[0] for n in told]


def _read_date(day: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(day)
    except ValueError:
        return None


def _order(day: str) -> tuple[int, int, str]:
    counted = _NUMBERED.fullmatch(day)
    return (0, int(counted[1]), "") if counted else (1, 0, day)


def guess_kind(day: str) -> str:
    """Return the kind of a day that no calendar tells; D1 is a Monday.

    >>> guess_kind("2026-12-05"), guess_kind("D8"), guess_kind("D7")
    ('weekend', 'workday', 'weekend')
    """
    date, counted = _read_date(day), _NUMBERED.fullmatch(day)
    at = date.weekday() if date else (int(counted[1]) - 1) % _WEEK if counted else 0
    return "weekend" if at >= _SATURDAY else "workday"


def _read_days(plan: Plan) -> pd.DataFrame:
    told = [d.strip() for d in plan.run.get("patrol:days", "").split(",")]
    names = sorted({d for d in (*told, *text_of(plan.layer("routes"), "day")) if d}, key=_order)
    calendar = plan.layer("calendar")
    kinds: dict[str, str] = {}
    for date, kind in zip(text_of(calendar, "date"), text_of(calendar, "day_kind"), strict=True):
        if kind:
            kinds.setdefault(date, kind)
    return pd.DataFrame({"name": names, "number": number_days(names),
                         "kind": [kinds.get(d) or guess_kind(d) for d in names]})


def _read_teams(plan: Plan) -> pd.DataFrame:
    frame, stations = plan.layer("teams"), plan.layer("stations")
    place = dict(zip(text_of(stations, "station_id"), stations.geometry, strict=True))
    out = pd.DataFrame({c: text_of(frame, c) for c in (
        "team_id", "tier", "mode", "zone_id", "station_id", "shift_start", "shift_end")})
    out["members"] = _numbers(frame, "members")
    out["station"] = pd.Series([place.get(s) for s in out["station_id"]], dtype=object)
    return out.drop_duplicates("team_id").set_index("team_id").rename(columns={"zone_id": "zone"})


def _read_duties(plan: Plan, days: pd.DataFrame, teams: pd.DataFrame) -> pd.DataFrame:
    """Return who is on duty: the teams that the calendar names for a date, else all."""
    calendar = plan.layer("calendar")
    named: dict[str, list[tuple[str, str]]] = {}
    for date, team, shift in zip(*(text_of(calendar, c) for c in ("date", "team_id", "shift")),
                                 strict=True):
        if team:
            named.setdefault(date, []).append((team, shift))
    rows = []
    for at, (day, number) in enumerate(zip(days["name"], days["number"], strict=True)):
        for team, told in named.get(day) or [(t, "") for t in teams.index]:
            if team not in teams.index:
                continue
            held = teams.loc[team]
            shift, start, end = read_shift(told or f"{held['shift_start']}-{held['shift_end']}")
            if np.isfinite(start):
                rows.append((at, team, held["tier"], held["mode"], held["zone"], held["members"],
                             held["station"], shift, start + DAY_MIN * number,
                             end + DAY_MIN * number))
    return pd.DataFrame(rows, columns=["day", "team_id", "tier", "mode", "zone", "members",
                                       "station", "shift", "start", "end"])


def _read_required(plan: Plan) -> pd.DataFrame:
    frame = plan.layer("required")
    lines = np.array([one_polygon(g) for g in frame.geometry], dtype=object)
    tier = text_of(frame, "tier")
    kind = [k or "all" for k in text_of(frame, "day_kind")]
    middle = np.asarray(shapely.line_interpolate_point(lines, 0.5, normalized=True))
    return pd.DataFrame({
        "id": text_of(frame, "required_id"), "tier": tier, "zone": _find_zones(plan, middle, tier),
        "day_kind": kind, "length_m": shapely.length(lines), "line": lines,
        "asked": ~_flags(frame, "optional") & ~(_numbers(frame, "passes_per_day") < 1)})


def _read_stops(plan: Plan) -> pd.DataFrame:
    frame = plan.layer("stops")
    tier, told = text_of(frame, "tier"), text_of(frame, "zone_id")
    found = _find_zones(plan, np.asarray(frame.geometry.array, dtype=object), tier)
    return pd.DataFrame({
        "id": text_of(frame, "stop_id"), "kind": text_of(frame, "kind"), "tier": tier,
        "zone": [t or f for t, f in zip(told, found, strict=True)],
        "often": _numbers(frame, "visits_per_day"), "point": np.asarray(frame.geometry.array),
        "asked": ~_flags(frame, "optional")})


def _find_zones(plan: Plan, points: Shapes, tier: Sequence[str]) -> list[str]:
    """Return the zone of its tier that each point belongs to; ``""`` for none."""
    out, zones, tiers = np.full(len(points), "", dtype=object), plan.layer("zones"), np.array(tier)
    for name in TIERS:
        rows = np.flatnonzero(tiers == name)
        out[rows] = find_zones(points[rows], zones, name)
    return [str(z) for z in out]


def _read_routes(plan: Plan, days: pd.DataFrame, teams: pd.DataFrame) -> pd.DataFrame:
    frame = plan.layer("routes")
    out = pd.DataFrame({c: text_of(frame, c) for c in ("route_id", "team_id", "mode")})
    at = pd.Index(days["name"]).get_indexer(text_of(frame, "day"))
    shifts = [read_shift(s) for s in text_of(frame, "shift")]
    out["day"], out["shift"] = at, [s[0] for s in shifts]
    number = days["number"].to_numpy(dtype=np.float64)
    out["midnight"] = DAY_MIN * number[at]
    out["start"] = np.array([s[1] for s in shifts], dtype=np.float64) + out["midnight"]
    for column in ("tier", "zone"):
        out[column] = teams[column].reindex(out["team_id"]).fillna("").to_numpy(dtype=object)
    for column in ("distance_m", "duration_min", "served_m", "deadhead_m", "gap"):
        out[column] = _numbers(frame, column)
    out["line"] = pd.Series([one_polygon(g) for g in frame.geometry], dtype=object)
    return out


def _read_visits(plan: Plan, routes: pd.DataFrame, rows: dict[str, dict[str, int]]
                 ) -> pd.DataFrame:
    frame = plan.layer("visits")
    route = pd.Index(routes["route_id"]).get_indexer(text_of(frame, "route_id"))
    named = list(zip(text_of(frame, "stop_id"), text_of(frame, "required_id"), strict=True))
    what = ["stop" if s else "pass" if q else "break" for s, q in named]
    out = pd.DataFrame({
        "route": route, "order": _numbers(frame, "order"), "what": what,
        "thing": np.array([rows[w].get(s or q, -1) if w in rows else -1
                           for w, (s, q) in zip(what, named, strict=True)], dtype=np.int64)})
    for column in ("arrive", "depart"):
        out[column] = np.array([read_minutes(t) for t in text_of(frame, column)], dtype=np.float64)
    out = out[(route >= 0)].sort_values(["route", "order"], kind="stable", ignore_index=True)
    of = routes.iloc[out["route"].to_numpy(dtype=np.int64)]
    for column in ("arrive", "depart"):
        out[column] += of["midnight"].to_numpy(dtype=np.float64)
    return out.assign(**{c: of[c].to_numpy() for c in ("day", "shift", "tier")})


def _read_unmet(plan: Plan, rows: dict[str, dict[str, int]]) -> pd.DataFrame:
    frame = plan.layer("unmet")
    named = list(zip(text_of(frame, "stop_id"), text_of(frame, "required_id"), strict=True))
    what = ["stop" if s else "pass" for s, _ in named]
    return pd.DataFrame({
        "what": what, "thing": np.array([rows[w].get(s or q, -1) for w, (s, q) in zip(
            what, named, strict=True)], dtype=np.int64),
        "visits": np.nan_to_num(_numbers(frame, "visits"))})


def _numbers(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return np.asarray(pd.to_numeric(frame[column]).astype("Float64").to_numpy(
        dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _flags(frame: Any, column: str) -> NDArray[np.bool_]:
    return np.asarray(frame[column].astype("boolean").fillna(False).to_numpy(dtype=bool))
