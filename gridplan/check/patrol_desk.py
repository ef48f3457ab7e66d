"""Patrols as the verifier sees them: who is on duty, where things lie, who may go there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.check.graph import Flags, Floats, Ints, Shapes, positions
from gridplan.check.patrol_asked import (
    PatrolAsked,
    Span,
    each_day,
    read_clocks,
    read_patrol_asked,
    read_span,
    read_spans,
)
from gridplan.check.reading import PlanData

STOP, PIECE, BREAK, FREE = 0, 1, 2, 3
LAYERS_OF = ("stops", "required")
_ON_M = 0.01


@dataclass(frozen=True)
class Duty:
    """A team on duty on a day: its row in ``teams``, its shift and its crew."""

    day: str
    team: int
    span: Span
    shift: str
    crew: str


@dataclass(frozen=True)
class Day:
    """A day of the run: its kind, what frequencies are multiplied by, and days since the first."""

    name: str
    number: int
    kind: str
    level: float


@dataclass
class PatrolDesk:
    """What the rules stand on.

    ``routes`` has a row per route: team (row of ``teams``), day, start, end (its shift in
    minutes), tier, zone, mode, and those numbers of the layer. ``visits`` has a row per visit by
    route and order: route (row of ``routes``), kind, thing (row of stops or required), arrive,
    depart (minutes).
    """

    plan: PlanData
    asked: PatrolAsked
    days: list[Day]
    duties: list[Duty]
    routes: pd.DataFrame
    visits: pd.DataFrame
    _fits: dict[int, Flags] = field(default_factory=dict)
    _windows: dict[int, list[Span]] = field(default_factory=dict)

    def windows(self, stop: int) -> list[Span]:
        """Return when a stop may be visited, on the day and those beside it; none for always."""
        if stop not in self._windows:
            self._windows[stop] = each_day(read_spans(self.plan.ids("stops", "windows")[stop]))
        return self._windows[stop]

    def stay_min(self, stop: int) -> float:
        """Return the least stay at a stop."""
        own = float(np.nan_to_num(self.plan.numbers("stops", "service_min")[stop]))
        return max(own, self.asked.hotspot_min[0]) if self.is_hotspot(stop) else own

    def is_hotspot(self, stop: int) -> bool:
        """Tell whether a stop is a hotspot."""
        return bool(self.plan.ids("stops", "kind")[stop] == "hotspot")

    def fits(self, kind: int) -> Flags:
        """Tell (things, teams) which team's tier and zone fit which stop or piece."""
        if kind not in self._fits:
            self._fits[kind] = self.fits_tier(kind) & _fits_zone(self.plan, kind)
        return self._fits[kind]

    def fits_tier(self, kind: int) -> Flags:
        """Tell (things, teams) which team is of the tier of which stop or piece."""
        mine = self.plan.ids(LAYERS_OF[kind], "tier")[:, None]
        return np.asarray((mine == "") | (mine == self.plan.ids("teams", "tier")[None, :]),
                          dtype=bool)

    def zones_of(self, kind: int) -> NDArray[np.object_]:
        """Return the zone of each stop or piece: its own, else the nearest of its tier."""
        plan, layer = self.plan, LAYERS_OF[kind]
        out = np.full(len(plan.frame(layer)), "", dtype=object)
        far = _distances(plan, layer)
        tier, names = plan.ids("zones", "tier"), plan.ids("zones")
        for name in sorted(set(tier)):
            mine = np.flatnonzero(tier == name)
            mine = mine[np.argsort(names[mine].astype(str), kind="stable")]
            rows = plan.ids(layer, "tier") == name
            near = far[rows][:, mine]
            out[rows] = names[mine[np.argmax(near <= near.min(axis=1, keepdims=True) + _ON_M,
                                             axis=1)]]
        told = plan.ids(layer, "zone_id") if kind == STOP else out
        return np.where(told != "", told, out)

    def on_duty(self, day: str, shift: str = "") -> list[Duty]:
        """Return who is on duty on a day, and in a shift where one is told."""
        return [d for d in self.duties if d.day == day and shift in ("", d.shift)]


def _fits_zone(plan: PlanData, kind: int) -> Flags:
    """Tell (things, teams) whether a thing lies in the zone of a team; teams may have none.

    A thing that lies in no zone of a tier counts to the nearest ones.
    """
    layer = LAYERS_OF[kind]
    team_zone = plan.ids("teams", "zone_id")
    zone = positions(plan.ids("zones"), team_zone)
    far = _distances(plan, layer)
    out = np.ones((len(far), len(team_zone)), dtype=bool)
    told = plan.ids(layer, "zone_id") if kind == STOP else np.full(len(far), "", dtype=object)
    tiers = plan.ids("zones", "tier")
    for k in np.flatnonzero(zone >= 0).tolist():
        same = np.flatnonzero(tiers == tiers[zone[k]])
        inside = far[:, zone[k]] <= far[:, same].min(axis=1) + _ON_M
        out[:, k] = np.where(told == "", inside, told == team_zone[k])
    return out


def _distances(plan: PlanData, layer: str) -> Floats:
    """Return (things, zones) how far each thing, or its middle, lies from each zone."""
    points = middle_points(plan.shapes(layer))
    return np.array([shapely.distance(points, z) for z in plan.shapes("zones")],
                    dtype=np.float64).reshape(len(plan.frame("zones")), len(points)).T


def middle_points(shape: Shapes) -> Shapes:
    """Return the points themselves, of lines the middle."""
    out = np.array(shape, dtype=object)
    lines = shapely.get_type_id(out) == 1
    out[lines] = shapely.line_interpolate_point(out[lines], 0.5, normalized=True)
    return out


def lay_patrol(plan: PlanData) -> PatrolDesk:
    """Gather days, duties, routes and visits of a plan."""
    asked = read_patrol_asked(plan)
    days = _list_days(plan, asked)
    return PatrolDesk(plan, asked, days, _list_duties(plan, days), _list_routes(plan),
                      _list_visits(plan))


def _list_days(plan: PlanData, asked: PatrolAsked) -> list[Day]:
    """Return the days with the kind and the level that the calendar tells of each.

    A level of the run counts in the place of the calendar's.
    """
    dates = plan.ids("calendar", "date")
    out = []
    for name, number in zip(asked.days, _number_days(asked.days), strict=True):
        here = dates == name
        kind = next((k for k in plan.ids("calendar", "day_kind")[here] if k), "workday")
        duty = next((d for d in plan.ids("calendar", "duty")[here] if d), "normal")
        out.append(Day(name, number, kind, asked.duty.get(asked.level or duty, np.nan)))
    return out


def _number_days(names: Sequence[str]) -> list[int]:
    """Return how many days each lies after the first, by date, else by the number behind D.

    >>> _number_days(["2026-12-30", "2027-01-02"]), _number_days(["D1", "D3"])
    ([0, 3], [0, 2])
    """
    dates = pd.to_datetime(pd.Series(names, dtype=object), format="%Y-%m-%d", errors="coerce")
    numbers = pd.to_numeric(pd.Series(names, dtype=str).str[1:], errors="coerce")
    if dates.notna().all():
        return [int(d) for d in (dates - dates.min()).dt.days]
    if numbers.notna().all():
        return [int(n) for n in numbers - numbers.min()]
    return list(range(len(names)))


def _list_duties(plan: PlanData, days: list[Day]) -> list[Duty]:
    """Return which teams are on duty: those that a date names, else all."""
    table = plan.frame("calendar")
    teams = plan.frame("teams")
    row = {name: k for k, name in enumerate(plan.ids("teams"))}
    own = [f"{a}-{b}" for a, b in zip(teams["shift_start"], teams["shift_end"], strict=True)]
    out = []
    for day in days:
        here = table[((table["date"] == day.name) & (table["team_id"] != "")).to_numpy(bool)]
        if len(here):
            named = [(row[t], shift or own[row[t]], crew or teams["crew"].iloc[row[t]])
                     for t, shift, crew in zip(here["team_id"], here["shift"], here["crew"],
                                               strict=True)]
        else:
            named = [(k, own[k], teams["crew"].iloc[k]) for k in range(len(teams))]
        out += [Duty(day.name, k, read_span(shift), str(shift), str(crew))
                for k, shift, crew in named]
    return out


def _list_routes(plan: PlanData) -> pd.DataFrame:
    team = positions(plan.ids("teams"), plan.ids("routes", "team_id"))
    spans = np.array([read_span(s) for s in plan.ids("routes", "shift")],
                     dtype=np.float64).reshape(-1, 2)
    out = plan.frame("routes").drop(columns="geometry", errors="ignore").reset_index(drop=True)
    return pd.DataFrame(out).assign(
        team=team, start=spans[:, 0], end=spans[:, 1], tier=plan.ids("teams", "tier")[team],
        zone=plan.ids("teams", "zone_id")[team])


def _list_visits(plan: PlanData) -> pd.DataFrame:
    stop, piece = plan.ids("visits", "stop_id"), plan.ids("visits", "required_id")
    spare = plan.ids("visits", "instruction") == "free"
    kind = np.where(stop != "", STOP, np.where(piece != "", PIECE, np.where(spare, FREE, BREAK)))
    thing = np.where(kind == STOP, positions(plan.ids("stops"), stop),
                     positions(plan.ids("required"), piece))
    table = pd.DataFrame({
        "visit_id": plan.ids("visits"),
        "route": positions(plan.ids("routes"), plan.ids("visits", "route_id")),
        "order": plan.numbers("visits", "order"), "kind": kind, "thing": thing,
        "arrive": read_clocks(plan.ids("visits", "arrive")),
        "depart": read_clocks(plan.ids("visits", "depart"))})
    return table.sort_values(["route", "order"], kind="stable").reset_index(drop=True)


def ids_of(desk: PatrolDesk, kind: int, rows: Ints) -> NDArray[np.object_]:
    """Return the ids of stops or pieces."""
    return desk.plan.ids(LAYERS_OF[kind])[rows]


def lengths_of(desk: PatrolDesk) -> Floats:
    """Return the metres of each piece."""
    return np.asarray(shapely.length(desk.plan.shapes("required")), dtype=np.float64)
