"""Routes followed step by step: along open streets, by all their visits, in the time there is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from gridplan.check.graph import Flags, Floats, Ints
from gridplan.check.patrol_desk import BREAK, PIECE, STOP, PatrolDesk, lengths_of
from gridplan.check.patrol_told import shown, tell
from gridplan.check.patrol_ways import ON_M, ModeWays, Steps
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport

_MM = 1000.0
_APART_M = 1000.0  # between routes, where metres run on over all of them
_FOOT_M, _PIECE_M = 0.5, 0.5
_SLACK, _MINUTE_S = 1.01, 60.0


@dataclass(frozen=True)
class Traces:
    """Routes of one mode as steps that follow each other.

    Attributes
    ----------
    routes
        Rows of the desk's routes.
    xy, route, place
        (v, 2) vertices, the position in ``routes`` of each, and the number of its place.
    metres, seconds
        (v,) how far and how long from the first vertex of all; routes are a gap apart.
    inner
        (s,) the vertex where each step begins.
    kind
        (s,) row of ``steps`` of each step.
    first, last
        First and last vertex of each route.
    """

    routes: Ints
    xy: Floats
    route: Ints
    place: Ints
    metres: Floats
    seconds: Floats
    inner: Ints
    kind: Ints
    steps: Steps
    first: Ints
    last: Ints


@dataclass
class Followed:
    """What following a route gave, one row per route of the desk.

    ``out_s`` and ``home_s`` are the least seconds to the first visit and from the last one,
    ``longest_home_s`` the most, ``travel_s`` those of the whole way. ``knots`` are where it is
    when: for each route (k, 2) minutes and metres along its line.
    """

    out_s: Floats
    home_s: Floats
    longest_home_s: Floats
    travel_s: Floats
    knots: list[Floats]


def trace_routes(desk: PatrolDesk, ways: ModeWays, rows: Ints) -> Traces:
    """Cut routes into steps and find the streets of each."""
    lines = desk.plan.shapes("routes")[rows]
    xy, route = shapely.get_coordinates(lines, return_index=True)
    whole = np.round(xy * _MM).astype(np.int64)
    span = int(np.ptp(whole[:, 1])) + 1 if len(whole) else 1
    flat = (whole[:, 0] - whole[:, 0].min(initial=0)) * span + whole[:, 1] - whole[:, 1].min(
        initial=0) if len(whole) else np.zeros(0, dtype=np.int64)
    place = np.unique(flat, return_inverse=True)[1].ravel()
    keep = np.ones(len(xy), dtype=bool)
    keep[1:] = (place[1:] != place[:-1]) | (route[1:] != route[:-1])
    xy, route, place = xy[keep], route[keep], place[keep]
    inner = np.flatnonzero(route[1:] == route[:-1])
    key = place[inner] * (place.max(initial=0) + 1) + place[inner + 1]
    _, sample, kind = np.unique(key, return_index=True, return_inverse=True)
    steps = ways.match(xy[inner[sample]], xy[inner[sample] + 1])
    metres, seconds = np.full(len(xy), _APART_M), np.full(len(xy), _APART_M)
    metres[inner + 1] = np.hypot(*(xy[inner + 1] - xy[inner]).T)
    seconds[inner + 1] = steps.seconds[kind.ravel()]
    bounds = np.searchsorted(route, np.arange(len(rows) + 1))
    return Traces(rows, xy, route, place, np.cumsum(metres), np.cumsum(seconds), inner,
                  kind.ravel(), steps, bounds[:-1], bounds[1:] - 1)


def check_streets(report: CheckReport, desk: PatrolDesk, ways: ModeWays, held: Traces) -> None:
    """Hold that steps follow open streets in their direction, and meet where streets meet."""
    ids = desk.routes["route_id"].to_numpy(object)[held.routes]
    on, free = held.steps.on[held.kind], held.steps.open[held.kind]
    route = held.route[held.inner]
    tell(report, "patrol_against", "routes", ids[np.unique(route[on & ~free])])
    follows = np.flatnonzero((held.inner[1:] == held.inner[:-1] + 1) & free[1:] & free[:-1])
    pair = held.kind[follows] * len(held.steps.start) + held.kind[follows + 1]
    _, sample, back = np.unique(pair, return_index=True, return_inverse=True)
    fine = ways.joined(held.steps, held.kind[follows[sample]], held.kind[follows[sample] + 1])
    tell(report, "patrol_jump", "routes", ids[np.unique(route[follows[~fine[back.ravel()]]])])
    report.counts["patrol_steps"] = report.counts.get("patrol_steps", 0) + len(held.inner)
    legs = np.flatnonzero(~on)
    good = _are_legs(desk, ways, held, legs)
    tell(report, "patrol_off_street", "routes", ids[np.unique(route[legs[~good]])],
         limit_m=shown(ways.asked.cruise.number("network", "snap_m", 500.0)))


def _are_legs(desk: PatrolDesk, ways: ModeWays, held: Traces, legs: Ints) -> Flags:
    """Tell which steps off the streets lead from where a stop or station enters them to it."""
    good = np.zeros(len(legs), dtype=bool)
    if not len(legs):
        return good
    a, b = held.inner[legs], held.inner[legs] + 1
    far = np.hypot(*(held.xy[b] - held.xy[a]).T)
    short = far <= ways.asked.cruise.number("network", "snap_m", 500.0) + ON_M
    team = desk.routes["team"].to_numpy()[held.routes]
    home = desk.plan.ids("teams", "station_id")[team]
    visits = desk.visits[(desk.visits["kind"] == STOP).to_numpy()]
    mine = set(zip(visits["route"].tolist(), visits["thing"].tolist(), strict=True))
    stations = desk.plan.ids("stations")
    for layer in ("stops", "stations"):
        points = desk.plan.shapes(layer)
        feet = ways.feet(layer)
        tree = shapely.STRtree(points)
        for near, other in ((a, b), (b, a)):
            step, thing = tree.query(shapely.points(held.xy[near]), predicate="dwithin",
                                     distance=ON_M)
            route = held.route[near[step]]
            if layer == "stops":
                own = np.array([k in mine for k in zip(held.routes[route].tolist(),
                                                       thing.tolist(), strict=True)], dtype=bool)
            else:
                own = stations[thing] == home[route]
            step, thing = step[own], thing[own]
            foot = shapely.points(held.xy[other[step]])
            enters = shapely.distance(feet[thing], foot) <= _FOOT_M
            good[step[enters]] = True
    return good & short


def check_ends(report: CheckReport, desk: PatrolDesk) -> None:
    """Hold that routes begin and end at the station of their team.

    A team that dropped out ends where it was.
    """
    plan = desk.plan
    shape, ids = plan.shapes("routes"), plan.ids("routes")
    spot = dict(zip(plan.ids("stations"), plan.shapes("stations"), strict=True))
    home = np.array([spot.get(s) for s in plan.ids("teams", "station_id")],
                    dtype=object)[desk.routes["team"]]
    ends = [shapely.get_point(shape, k) for k in (0, -1)]
    far, back = (shapely.distance(e, home) for e in ends)
    out = [k in desk.asked.without for k in zip(desk.routes["day"], desk.routes["team_id"],
                                                strict=True)]
    far = np.where(np.array(out, dtype=bool), far, np.maximum(far, back))
    tell(report, "patrol_ends", "routes", ids[~(far <= ON_M)])


def check_lengths(report: CheckReport, desk: PatrolDesk) -> None:
    """Hold the metres of routes to their lines and to the pieces they pass."""
    routes, visits = desk.routes, desk.visits
    passes = visits[(visits["kind"] == PIECE).to_numpy()]
    served = np.bincount(passes["route"], lengths_of(desk)[passes["thing"]],
                         minlength=len(routes)) if len(passes) else np.zeros(len(routes))
    length = np.asarray(shapely.length(desk.plan.shapes("routes")), dtype=np.float64)
    told = routes["distance_m"].to_numpy(float)
    for key, column, real in (
            ("patrol_distance_m", "distance_m", length), ("patrol_served_m", "served_m", served),
            ("patrol_deadhead_m", "deadhead_m",
             np.maximum(told - routes["served_m"].to_numpy(float), 0))):
        found = routes[column].to_numpy(float)
        bad = ~(np.abs(found - real) <= 0.1 + 1e-6 * np.abs(real))
        if bad.any():
            tell(report, key, "routes", routes["route_id"][bad], column,
                 found=shown(found[bad][0]), expected=shown(real[bad][0]))


def _occurrences(desk: PatrolDesk, held: Traces) -> pd.DataFrame:
    """Return where routes come by the stops and the ends of the pieces they visit.

    A row each: route, kind, thing, side (0 begin, 1 end of a piece) and vertex.
    """
    plan = desk.plan
    lines = plan.shapes("required")
    points = np.concatenate([plan.shapes("stops"), shapely.get_point(lines, 0),
                             shapely.get_point(lines, -1)])
    kind = np.repeat([STOP, PIECE, PIECE], [len(points) - 2 * len(lines), len(lines), len(lines)])
    thing = np.concatenate([np.arange(len(points) - 2 * len(lines)), np.arange(len(lines)),
                            np.arange(len(lines))])
    side = np.repeat([0, 0, 1], [len(points) - 2 * len(lines), len(lines), len(lines)])
    _, sample = np.unique(held.place, return_index=True)
    spot, point = shapely.STRtree(points).query(shapely.points(held.xy[sample]),
                                                predicate="dwithin", distance=2 * ON_M)
    near = pd.DataFrame({"place": held.place[sample][spot], "kind": kind[point],
                         "thing": thing[point], "side": side[point]})
    vertex = np.flatnonzero(np.isin(held.place, near["place"]))
    table = pd.DataFrame({"vertex": vertex, "place": held.place[vertex],
                          "route": held.routes[held.route[vertex]]}).merge(near, on="place")
    asked = desk.visits[["route", "kind", "thing"]].drop_duplicates()
    return table.merge(asked, on=["route", "kind", "thing"]).sort_values(
        ["route", "kind", "thing", "vertex"], kind="stable")


def _candidates(desk: PatrolDesk, held: Traces) -> dict[tuple[int, int, int], tuple[Ints, Ints]]:
    """Return for (route, kind, thing) the first and last vertices of each time it comes by."""
    table = _occurrences(desk, held)
    stops = table[(table["kind"] == STOP).to_numpy()]
    out = {(int(r), STOP, int(s)): (v.to_numpy(), v.to_numpy())
           for (r, s), v in stops.groupby(["route", "thing"])["vertex"]}
    pieces = table[(table["kind"] == PIECE).to_numpy()]
    ends = [pieces.loc[(pieces["side"] == k).to_numpy(), ["route", "thing", "vertex"]]
            for k in (0, 1)]
    both = ends[0].merge(ends[1], on=["route", "thing"], suffixes=("_0", "_1"))
    one, other = both["vertex_0"].to_numpy(), both["vertex_1"].to_numpy()
    first, last = np.minimum(one, other), np.maximum(one, other)
    thing = both["thing"].to_numpy()
    far = held.metres[last] - held.metres[first]
    fine = np.flatnonzero((first < last)
                          & (np.abs(far - lengths_of(desk)[thing]) <= _PIECE_M))
    line = desk.plan.shapes("required")[thing[fine]]
    for share in (0.25, 0.5, 0.75):
        at = held.metres[first[fine]] + share * far[fine]
        spot = shapely.points(np.interp(at, held.metres, held.xy[:, 0]),
                              np.interp(at, held.metres, held.xy[:, 1]))
        keep = shapely.distance(line, spot) <= 2 * ON_M
        fine, line = fine[keep], line[keep]
    table = pd.DataFrame({"route": both["route"].to_numpy()[fine], "thing": thing[fine],
                          "first": first[fine], "last": last[fine]}).drop_duplicates()
    for (r, p), rows in table.sort_values(["first", "last"]).groupby(["route", "thing"]):
        out[int(r), PIECE, int(p)] = (rows["first"].to_numpy(), rows["last"].to_numpy())
    return out


class _Walk:
    """Goes through the visits of one route and keeps every place it may be at."""

    def __init__(self, held: Traces, position: int, start_min: float) -> None:
        self.seconds = held.seconds
        self.start, self.last = int(held.first[position]), int(held.last[position])
        self.here = np.array([self.start])
        self.clock = start_min
        self.rested = 0.0
        self.first = -1
        self.told: list[tuple[float, float, Ints, Ints, Ints]] = []

    def rest(self, minutes: float) -> None:
        self.rested += minutes

    def visit(self, options: tuple[Ints, Ints] | None, arrive: float, depart: float) -> str:
        """Go on to a visit; return what is wrong with it."""
        none = np.zeros(0, dtype=np.int64)
        begin, end = options or (none, none)
        prior = np.searchsorted(self.here, begin, side="right") - 1
        ahead = prior >= 0
        begin, end, prior = begin[ahead], end[ahead], prior[ahead]
        if not len(begin):
            return "patrol_misses"
        way = self.seconds[begin] - self.seconds[self.here[prior]]
        stay = self.seconds[end] - self.seconds[begin]
        least = (arrive - self.clock - self.rested + 1) * _MINUTE_S * _SLACK
        fine = (way <= least) & (stay <= (depart - arrive + 1) * _MINUTE_S * _SLACK)
        if self.first < 0:
            self.first = int(begin.min())
        keep = fine if fine.any() else np.ones(len(end), dtype=bool)
        self.told.append((arrive, depart, begin[keep], end[keep], self.here[prior[keep]]))
        self.here = np.unique(end[keep])
        self.clock, self.rested = depart, 0.0
        return "" if fine.any() else "patrol_too_fast"

    def knots(self, metres: Floats) -> Floats:
        """Return when the route is where, for its visits: (k, 2) minutes and metres."""
        out: list[tuple[float, float]] = []
        at = int(self.here[-1])
        for arrive, depart, begin, end, before in self.told[::-1]:
            k = int(np.flatnonzero(end == at)[-1])
            out += [(depart, metres[end[k]]), (arrive, metres[begin[k]])]
            at = int(before[k])
        held = np.array(out[::-1], dtype=np.float64).reshape(-1, 2)
        held[:, 1] -= metres[self.start]
        return held


def follow_routes(report: CheckReport, desk: PatrolDesk, held: Traces, out: Followed) -> None:
    """Hold that routes come by their visits in order, with the time for the ways between."""
    options = _candidates(desk, held)
    visits = desk.visits
    columns = [visits[c].to_numpy() for c in ("kind", "thing", "arrive", "depart", "visit_id")]
    bounds = np.searchsorted(visits["route"], np.arange(len(desk.routes) + 1))
    start, end = (desk.routes[c].to_numpy(float) for c in ("start", "end"))
    wrong: dict[str, list[str]] = {"patrol_misses": [], "patrol_too_fast": []}
    late = []
    for position, row in enumerate(held.routes.tolist()):
        walk = _Walk(held, position, start[row])
        for v in range(bounds[row], bounds[row + 1]):
            kind, thing, arrive, depart, name = (c[v] for c in columns)
            if thing < 0:
                walk.rest(depart - arrive if kind == BREAK else 0.0)
                continue
            fault = walk.visit(options.get((row, int(kind), int(thing))), arrive, depart)
            if fault:
                wrong[fault].append(name)
        home = held.seconds[walk.last] - held.seconds[walk.here]
        out.home_s[row], out.longest_home_s[row] = home.min(), home.max()
        out.travel_s[row] = held.seconds[walk.last] - held.seconds[walk.start]
        out.out_s[row] = held.seconds[max(walk.first, walk.start)] - held.seconds[walk.start]
        out.knots[row] = walk.knots(held.metres)
        back = walk.clock + walk.rested + out.home_s[row] / _MINUTE_S / _SLACK
        if back > end[row] + 1e-6:
            late.append(desk.routes["route_id"].iloc[row])
    for key, names in wrong.items():
        tell(report, key, "visits", names)
    tell(report, "patrol_late", "routes", late)


def check_durations(report: CheckReport, desk: PatrolDesk, out: Followed) -> None:
    """Hold durations to the way and the visits: not shorter than they take, nor past the shift."""
    routes, visits = desk.routes, desk.visits
    rows = range(len(routes))
    placed = visits[(visits["thing"] >= 0).to_numpy()].groupby("route")
    first = placed["arrive"].min().reindex(rows).to_numpy()
    done = placed["depart"].max().reindex(rows).to_numpy()
    last = visits.groupby("route")["depart"].max().reindex(rows).to_numpy()
    took = (visits["depart"] - visits["arrive"]).to_numpy()
    kind, of, begin = (visits[c].to_numpy() for c in ("kind", "route", "arrive"))
    outside = (kind == BREAK) & ((begin < first[of]) | (begin >= done[of]))
    before = np.bincount(of[outside], took[outside], minlength=len(routes))
    still = np.isin(kind, (STOP, BREAK))
    stays = np.bincount(of[still], took[still], minlength=len(routes))
    told = routes["duration_min"].to_numpy(float)
    least = np.maximum(out.travel_s / _MINUTE_S + stays,
                       done - first + before + (out.out_s + out.home_s) / _MINUTE_S)
    most = last + 1 + out.longest_home_s / _MINUTE_S - routes["start"].to_numpy(float)
    short = told * _SLACK + 1 < least
    bad = ~np.isnan(least) & (short | (told > most * _SLACK + 1))
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        tell(report, "patrol_duration", "routes", routes["route_id"][bad], "duration_min",
             found=shown(told[k]), expected=f"{shown(least[k])}–{shown(most[k])}")


def new_followed(plan: PlanData) -> Followed:
    """Return room for what following every route will give."""
    count = len(plan.frame("routes"))
    none = [np.full(count, np.nan) for _ in range(4)]
    return Followed(none[0], none[1], none[2], none[3], [np.zeros((0, 2))] * count)
