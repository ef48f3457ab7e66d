"""The trips of a plan: every route with its team and its visits, checked and in order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from gridplan.errors import Finding, Findings, InputError, first_ids
from gridplan.export.names import name_stems, order_naturally, tame
from gridplan.export.times import order_days, read_time
from gridplan.layers import one_polygon
from gridplan.pages.ground import text_of
from gridplan.sheets import hide_persons

Kind = Literal["stop", "street", "break", "other"]
_SHIFT = re.compile(r"[0-9]{1,2}:[0-5][0-9]-[0-9]{1,2}:[0-5][0-9]")


@dataclass(frozen=True)
class Visit:
    """One thing of a trip, in the order in which it is done.

    Attributes
    ----------
    number
        1, 2 … of the stops of a trip, as on its sheet; 0 for anything else.
    key, name
        Of the stop, or of the required street and its road.
    arrive_min, depart_min
        Minutes of the day of the trip; past midnight they count on.
    shape
        The point or line in the plan's CRS; None for a break without a place.
    """

    visit_id: str
    kind: Kind
    number: int
    key: str
    name: str
    arrive_min: int
    depart_min: int
    shape: Any
    rest: bool = False

    @property
    def stay_min(self) -> int:
        """How long it takes."""
        return self.depart_min - self.arrive_min


@dataclass(frozen=True)
class Trip:
    """One route: what a team does in a shift of a day.

    ``line`` is the whole way in the plan's CRS; ``stem`` names its files; ``station`` is the
    point it starts from, None where the plan has none.
    """

    route_id: str
    stem: str
    day: str
    shift: str
    team_id: str
    tier: str
    mode: str
    crew: str
    members: int
    zone: str
    zone_shape: Any
    station_name: str
    station: Any
    line: Any
    distance_m: float
    served_m: float
    deadhead_m: float
    duration_min: float
    visits: tuple[Visit, ...]

    @property
    def stops(self) -> list[Visit]:
        """The stops, in order."""
        return [v for v in self.visits if v.kind == "stop"]

    @property
    def passes(self) -> list[Visit]:
        """The passes of required streets, in order."""
        return [v for v in self.visits if v.kind == "street"]


def read_trips(plan: Any, findings: Findings, teams: Sequence[str] = ()) -> list[Trip]:
    """Return the trips of a plan by day, team and shift.

    Parameters
    ----------
    plan
        A plan with the layers of a patrol.
    findings
        Takes the warnings.
    teams
        Only trips of these; all of them without.

    Raises
    ------
    InputError
        There are no routes, a team is unknown, or visits do not fit their routes, stops, streets
        or times; all faults at once.
    """
    file = plan.origin.name if plan.origin else ""
    routes = plan.layer("routes")
    if routes.empty:
        findings.add("export.no_routes", file=file, layer="routes")
        findings.stop_on_faults(InputError)
    known = sorted({*text_of(routes, "team_id"), *text_of(plan.layer("teams"), "team_id")})
    strange = [t for t in dict.fromkeys(teams) if t not in known]
    if strange:
        findings.add("export.unknown_team", file=file, layer="routes", field="--teams",
                     count=len(strange), names=first_ids(strange), known=first_ids(known, 12))
    book = _Book(plan, file, findings)
    visits = book.list_visits(text_of(routes, "route_id"))
    findings.stop_on_faults(InputError)
    order = sorted(range(len(routes)), key=lambda k: (
        order_days(book.routes["day"][k]), order_naturally(book.routes["team_id"][k]),
        _begin(book.routes["shift"][k]), book.routes["route_id"][k]))
    order = [k for k in order if not teams or book.routes["team_id"][k] in teams]
    stems = name_stems((book.show(book.routes["day"][k]), book.show(book.routes["team_id"][k]))
                       for k in order)
    trips = [book.make_trip(k, stem, visits) for k, stem in zip(order, stems, strict=True)]
    book.tell_hidden()
    return trips


def _begin(shift: str) -> int:
    return read_time(shift.partition("-")[0]) or 0


def _records(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the rows of a layer by its key, the first column: text columns, and the shape."""
    if frame.empty:
        return {}
    table = {str(c): text_of(frame, c) for c in frame.columns if c != "geometry"}
    shapes = ([one_polygon(s) for s in frame.geometry] if "geometry" in frame.columns
              else [None] * len(frame))
    key = str(frame.columns[0])
    return {table[key][k]: {**{c: v[k] for c, v in table.items()}, "shape": shapes[k]}
            for k in range(len(frame))}


class _Book:
    """What trips are made of, by id."""

    def __init__(self, plan: Any, file: str, findings: Findings) -> None:
        self.plan, self.file, self.findings = plan, file, findings
        routes = plan.layer("routes")
        self.routes: dict[str, list[Any]] = {
            c: text_of(routes, c) for c in ("route_id", "day", "shift", "team_id", "mode")}
        self.numbers = {c: pd.to_numeric(routes[c]).astype(float).fillna(0.0).tolist() for c in (
            "distance_m", "served_m", "deadhead_m", "duration_min")}
        self.lines = [one_polygon(line) for line in routes.geometry]
        self.hidden: dict[str, None] = {}
        self.stops, self.required, self.teams, self.zones, self.stations = (
            _records(plan.layer(n)) for n in ("stops", "required", "teams", "zones", "stations"))
        roads = plan.layer("roads")
        self.roads = dict(zip(text_of(roads, "road_id"), text_of(roads, "name"), strict=True))
        calendar = plan.layer("calendar")
        self.crews = dict(zip(zip(text_of(calendar, "date"), text_of(calendar, "team_id"),
                                  strict=True), text_of(calendar, "crew"), strict=True))

    def show(self, text: str) -> str:
        """Return a text of the plan as exports show it."""
        shown = hide_persons(text)
        if shown != text:
            self.hidden[text] = None
        return tame(shown)

    def tell_hidden(self) -> None:
        """Warn of what was blotted out."""
        if self.hidden:
            self.findings.add("export.hidden", "warning", file=self.file,
                              count=len(self.hidden))

    def list_visits(self, route_ids: list[str]) -> dict[str, list[Visit]]:
        """Return the visits of every route in order, and note every fault."""
        frame = self.plan.layer("visits")
        table = {c: text_of(frame, c) for c in frame.columns}
        out: dict[str, list[Visit]] = {name: [] for name in route_ids}
        orders = pd.to_numeric(frame["order"]).astype("Int64").fillna(0).tolist()
        self._check_times(table)
        self._check_names(table, out)
        seen: dict[tuple[str, int], str] = {}
        for k in sorted(range(len(frame)), key=lambda k: (table["route_id"][k], orders[k])):
            route, visit_id = table["route_id"][k], table["visit_id"][k]
            other = seen.setdefault((route, int(orders[k])), visit_id)
            if other != visit_id:
                self._fault("export.same_order", visit_id, "order", other=other)
            row = {c: v[k] for c, v in table.items()}
            visit = self._make_visit(row, 1 + sum(v.number > 0 for v in out.get(route, ())))
            if route in out:
                out[route].append(visit)
        return out

    def _make_visit(self, row: Mapping[str, str], number: int) -> Visit:
        rest = row["instruction"].strip().lower() == "break"
        kind: Kind = ("stop" if row["stop_id"] else "street" if row["required_id"]
                      else "break" if rest else "other")
        key = row["stop_id"] or row["required_id"]
        held = (self.stops if kind == "stop" else self.required).get(key, {}) if key else {}
        name = held.get("name", "") if kind == "stop" else (
            self.roads.get(held.get("road_id", ""), ""))
        arrive = read_time(row["arrive"])
        depart = read_time(row["depart"])
        return Visit(row["visit_id"], kind, number if kind == "stop" else 0, self.show(key),
                     self.show(name), arrive or 0, depart or 0, held.get("shape"), rest)

    def make_trip(self, k: int, stem: str, visits: Mapping[str, list[Visit]]) -> Trip:
        """Return the trip of a row of the layer ``routes``."""
        row = {c: v[k] for c, v in self.routes.items()}
        team = self.teams.get(row["team_id"], {})
        zone = self.zones.get(team.get("zone_id", ""), {})
        station = self.stations.get(team.get("station_id", ""), {})
        members = team.get("members", "")
        shift = row["shift"] if _SHIFT.fullmatch(row["shift"]) else self.show(row["shift"])
        figures = {c: v[k] for c, v in self.numbers.items()}
        return Trip(
            route_id=self.show(row["route_id"]), stem=stem, day=self.show(row["day"]),
            shift=shift, team_id=self.show(row["team_id"]), tier=team.get("tier", ""),
            mode=row["mode"], members=int(float(members)) if members else 0,
            crew=self.show(self.crews.get((row["day"], row["team_id"]), "")
                           or team.get("crew", "")),
            zone=self.show(zone.get("name", "") or team.get("zone_id", "")),
            zone_shape=zone.get("shape"), station=station.get("shape"),
            station_name=self.show(station.get("name", "") or team.get("station_id", "")),
            line=self.lines[k], visits=tuple(visits[row["route_id"]]), **figures)

    def _check_times(self, table: Mapping[str, list[str]]) -> None:
        """Note times that are none, and visits that end before they begin."""
        for k, visit_id in enumerate(table["visit_id"]):
            times = {c: read_time(table[c][k]) for c in ("arrive", "depart")}
            for column, minutes in times.items():
                if minutes is None:
                    self._fault("export.bad_time", visit_id, column, value=table[column][k])
            arrive, depart = times["arrive"], times["depart"]
            if arrive is not None and depart is not None and depart < arrive:
                self._fault("export.ends_early", visit_id, "depart", value=table["depart"][k],
                            arrive=table["arrive"][k])

    def _check_names(self, table: Mapping[str, list[str]], routes: Mapping[str, Any]) -> None:
        """Note visits of routes, stops and streets that are not there, and of both at once."""
        known = {"route_id": routes, "stop_id": self.stops, "required_id": self.required}
        for k, visit_id in enumerate(table["visit_id"]):
            for column, ids in known.items():
                value = table[column][k]
                if value not in ids and (value or column == "route_id"):
                    self._fault("export.unknown_id", visit_id, column, value=value)
            if table["stop_id"][k] and table["required_id"][k]:
                self._fault("export.two_things", visit_id, "stop_id")

    def _fault(self, key: str, visit_id: str, field: str, **values: object) -> None:
        self.findings.items.append(Finding(key, file=self.file, layer="visits", row=visit_id,
                                           field=field, values=values))
