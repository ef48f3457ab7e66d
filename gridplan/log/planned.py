"""What was planned: the trips of a plan with their stops and streets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from gridplan.errors import Findings
from gridplan.log.times import DAY_MIN, read_clock, read_shift
from gridplan.plan import Plan

Kind = Literal["stop", "street"]


@dataclass(frozen=True)
class Visit:
    """A stop to be reached or a street to be passed; breaks are none.

    ``shape`` is a point or a line in the plan's CRS, ``service_min`` the time a stop takes.
    """

    visit_id: str
    kind: Kind
    key: str
    name: str
    shape: Any
    arrive_min: float
    service_min: float


@dataclass(frozen=True)
class Trip:
    """One route: what a team was to do in a shift of a day.

    ``begin_min`` and ``end_min`` are those of the shift, or of what reaches beyond it.
    """

    route_id: str
    day: str
    shift: str
    team_id: str
    mode: str
    line: Any
    begin_min: float
    end_min: float
    visits: tuple[Visit, ...]

    def of(self, kind: Kind) -> list[Visit]:
        """Return the visits of a kind, in order."""
        return [v for v in self.visits if v.kind == kind]


def text_of(frame: pd.DataFrame, column: str) -> list[str]:
    """Return a column as plain text, ``""`` where nothing is known."""
    return [str(v) for v in frame[column].astype("string").fillna("").tolist()]


def read_trips(plan: Plan, findings: Findings) -> list[Trip]:
    """Return the trips of a plan by day, team and route.

    Raises
    ------
    InputError
        There are no routes or visits, or visits do not fit them; all faults at once.
    """
    file = plan.origin.name if plan.origin else ""
    routes, table = plan.layer("routes"), plan.layer("visits")
    for name, frame in (("routes", routes), ("visits", table)):
        if frame.empty:
            findings.add("log.no_routes", file=file, layer=name)
    findings.stop_on_faults()
    places = {"stop": _list_stops(plan), "street": _list_streets(plan)}
    held: dict[str, list[Visit]] = {r: [] for r in text_of(routes, "route_id")}
    lost: dict[str, list[str]] = {}
    ordered = table.sort_values(["route_id", "order"], kind="stable")
    columns = {c: text_of(ordered, c) for c in ("visit_id", "route_id", "stop_id", "required_id",
                                                "arrive", "depart")}
    for k, visit_id in enumerate(columns["visit_id"]):
        row = {c: v[k] for c, v in columns.items()}
        kind: Kind = "stop" if row["stop_id"] else "street"
        key = row["stop_id"] or row["required_id"]
        if not key:
            continue
        arrive, depart = read_clock(row["arrive"]), read_clock(row["depart"])
        known = places[kind].get(key)
        if known is None or arrive is None or depart is None or row["route_id"] not in held:
            why = "id" if known is None or row["route_id"] not in held else "time"
            lost.setdefault(why, []).append(visit_id)
            continue
        name, shape, service = known
        stay = float(depart - arrive) if np.isnan(service) else service
        held[row["route_id"]].append(Visit(visit_id, kind, key, name, shape, float(arrive), stay))
    for why, rows in lost.items():
        findings.add("log.bad_visit" if why == "id" else "log.bad_visit_time", file=file,
                     layer="visits", row=rows[0], count=len(rows))
    findings.stop_on_faults()
    trips = [_make_trip(row, shape, held[row["route_id"]]) for row, shape in zip(
        routes[["route_id", "day", "shift", "team_id", "mode"]].astype("string").fillna("")
        .to_dict("records"), routes.geometry, strict=True)]
    return sorted(trips, key=lambda t: (t.day, t.team_id, t.route_id))


def _make_trip(row: Mapping[Any, str], line: Any, visits: list[Visit]) -> Trip:
    times = [v.arrive_min for v in visits] + [v.arrive_min + v.service_min for v in visits]
    begin, end = read_shift(row["shift"]) or (
        (min(times), max(times)) if times else (0.0, float(DAY_MIN)))
    return Trip(str(row["route_id"]), str(row["day"]), str(row["shift"]), str(row["team_id"]),
                str(row["mode"]), line, min(float(begin), *times) if times else float(begin),
                max(float(end), *times) if times else float(end), tuple(visits))


def _list_stops(plan: Plan) -> dict[str, tuple[str, Any, float]]:
    stops = plan.layer("stops")
    service = stops["service_min"].to_numpy(dtype=float, na_value=np.nan)
    return {i: (name, shape, float(s)) for i, name, shape, s in zip(
        text_of(stops, "stop_id"), text_of(stops, "name"), stops.geometry, service, strict=True)}


def _list_streets(plan: Plan) -> dict[str, tuple[str, Any, float]]:
    required, roads = plan.layer("required"), plan.layer("roads")
    names = dict(zip(text_of(roads, "road_id"), text_of(roads, "name"), strict=True))
    return {i: (names.get(road, ""), shape, np.nan) for i, road, shape in zip(
        text_of(required, "required_id"), text_of(required, "road_id"), required.geometry,
        strict=True)}
