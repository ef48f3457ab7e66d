"""Finds the way that a noisy track took along the streets.

Every fix may lie on any street near it. Of all ways to choose one for each fix, the one is taken
that lies nearest to the fixes and whose distances along the streets fit the straight distances
between them best: a hidden Markov model, solved by dynamic programming, after Newson and Krumm,
Hidden Markov Map Matching Through Noise and Sparseness, 2009. So a track between two parallel
streets stays on one of them, for to change costs a way round.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.errors import Findings
from gridplan.log.fixes import Strand
from gridplan.log.tracks import Floats
from gridplan.network import StreetNetwork, build_network
from gridplan.network.usage import is_open
from gridplan.params import NetworkParams

_NEAR_M = 50.0
_CHOICES = 6
_STANDS_M, _STANDS_S, _FEW, _STEP_M = 25.0, 120.0, 4, 12.0
_SURE = 4.0
_BREAK_M, _BREAK_S, _BREAK_STEP_M = 300.0, 120.0, 60.0
_SEARCH_M = 450.0
_WRONG_WAY = 1.5
_WORST = 12.0
_SHY = 0.5
_PATHS = ("footway", "path", "pedestrian", "cycleway")
_TURN_M = 20.0
_TURN_S = 60.0
_FARTHEST_TURN_M = 50.0
_PACE_S = 90.0
_SAME_M = 0.5
_PARALLEL = 0.8
_AS_NEAR_M = 0.3


class Leg(NamedTuple):
    """A stretch of an edge that was passed: from, to in metres along it, begin and end."""

    edge: int
    start_m: float
    end_m: float
    begin_s: float
    end_s: float


class _Choice(NamedTuple):
    edge: int
    at_m: float
    cost: float


@dataclass
class Streets:
    """A network made ready for matching; what is found of near ways is kept for the next track.

    Attributes
    ----------
    network
        All streets, whoever may use them: who patrols may leave her vehicle.
    shy
        (m,) edges that are not open to the mode: taken only where nothing else fits.
    beside
        (m,) paths, which may be the pavement of a street: who walks there passes the street.
    trees
        What was found of near ways.
    """

    network: StreetNetwork
    noise_m: float
    shy: NDArray[np.bool_]
    beside: NDArray[np.bool_]
    trees: dict[int, dict[int, tuple[float, int, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tree = shapely.STRtree(self.network.geometry)
        self.ends = self.network.ends.tolist()
        self.length: list[float] = self.network.length_m.tolist()
        closed = ~np.isfinite(self.network.cost_m)
        self.factor: list[list[float]] = np.where(closed, _WRONG_WAY, 1.0).tolist()
        self.leaving: list[list[tuple[int, int, float]]] = [[] for _ in range(self.network.nodes)]
        for e, (u, v) in enumerate(self.ends):
            self.leaving[u].append((v, e, self.length[e] * self.factor[e][0]))
            self.leaving[v].append((u, e, self.length[e] * self.factor[e][1]))

    def reach(self, node: int) -> dict[int, tuple[float, int, int]]:
        """Return what lies near a node: node → metres, the node before and the edge to it."""
        held = self.trees.get(node)
        if held is not None:
            return held
        best: dict[int, tuple[float, int, int]] = {}
        queue: list[tuple[float, int, int, int]] = [(0.0, node, -1, -1)]
        while queue:
            far, here, before, edge = heapq.heappop(queue)
            if here in best:
                continue
            best[here] = (far, before, edge)
            for other, e, cost in self.leaving[here]:
                if other not in best and far + cost <= _SEARCH_M:
                    heapq.heappush(queue, (far + cost, other, here, e))
        self.trees[node] = best
        return best

    def choices(self, xy: Floats, weight: Floats) -> list[list[_Choice]]:
        """Return for each place the nearest edges, where along them, and what each costs.

        ``weight`` is (n,), more for a place that many fixes agree on.
        """
        points = shapely.points(xy)
        at, edge = self.tree.query(points, predicate="dwithin", distance=_NEAR_M)
        shapes = self.network.geometry[edge]
        off = shapely.distance(shapes, points[at])
        along = shapely.line_locate_point(shapes, points[at])
        cost = np.minimum(0.5 * weight[at] * (off / self.noise_m) ** 2, _WORST)
        cost += _SHY * self.shy[edge]
        out: list[list[_Choice]] = [[] for _ in range(len(xy))]
        for k in np.lexsort((edge, off, at)).tolist():
            row = out[at[k]]
            if len(row) < _CHOICES:
                row.append(_Choice(int(edge[k]), float(along[k]), float(cost[k])))
        return out

    def between(self, a: _Choice, b: _Choice) -> tuple[float, int, int]:
        """Return the metres from one place to another and the nodes gone through, -1 for none."""
        best, via = math.inf, (-1, -1)
        if a.edge == b.edge:
            step = b.at_m - a.at_m
            # Noise alone moves a place back and forth along its street.
            factor = self.factor[a.edge][step < 0] if abs(step) > _TURN_M else 1.0
            best = abs(step) * factor
        for out, u in enumerate(self.ends[a.edge]):
            away = (self.length[a.edge] - a.at_m if out else a.at_m) * self.factor[a.edge][1 - out]
            if away >= best:
                continue
            near = self.reach(u)
            for into, v in enumerate(self.ends[b.edge]):
                found = near.get(v)
                if found is None:
                    continue
                rest = self.length[b.edge] - b.at_m if into else b.at_m
                way = away + found[0] + rest * self.factor[b.edge][into]
                if way < best - 1e-9:
                    best, via = way, (u, v)
        return best, *via

    def path(self, u: int, v: int) -> list[tuple[int, bool]]:
        """Return the edges from a node to a near one, and whether each is gone forward."""
        near, out = self.reach(u), list[tuple[int, bool]]()
        while v != u:
            _, before, edge = near[v]
            out.append((edge, self.ends[edge][0] == before))
            v = before
        return out[::-1]


def match_strand(streets: Streets, strand: Strand) -> list[Leg]:
    """Return the stretches of streets that a strand went along, in order."""
    xy, clock, weight = gather_standing(strand)
    pace = Pace.of(xy, clock)
    legs: list[Leg] = []
    for places, times in _chains(streets, xy, clock, weight):
        legs += straighten(streets, *_list_moves(streets, places, times), pace)
    return legs


class Pace(NamedTuple):
    """How fast a strand moved: metres a second of its steps, and when."""

    clock_s: Floats
    speed: Floats

    @classmethod
    def of(cls, xy: Floats, clock_s: Floats) -> Pace:
        """Return the paces of steps without a pause."""
        way, pause = np.hypot(*np.diff(xy, axis=0).T), np.diff(clock_s)
        good = (pause > 0) & (pause <= _TURN_S)
        return cls((clock_s[1:] + clock_s[:-1])[good] / 2, way[good] / pause[good])

    def near(self, clock_s: float) -> float:
        """Return the usual pace near a time, 0 where nothing is known."""
        here = self.speed[np.abs(self.clock_s - clock_s) <= _PACE_S]
        return float(np.median(here)) if here.size else 0.0


def gather_standing(strand: Strand) -> tuple[Floats, Floats, Floats]:
    """Return places, times and weights; who stands is in one place, from its begin to its end.

    >>> still = Strand(np.zeros((20, 2)), np.arange(20) * 10.0)
    >>> gather_standing(still)[1].tolist()
    [0.0, 190.0]
    """
    xy, clock = strand.xy.tolist(), strand.clock_s.tolist()
    places: list[list[float]] = []
    times: list[float] = []
    weight: list[float] = []
    k = 0
    while k < len(xy):
        x, y, end = xy[k][0], xy[k][1], k + 1
        while end < len(xy) and math.hypot(xy[end][0] - x, xy[end][1] - y) <= _STANDS_M:
            count = end - k
            x, y = (x * count + xy[end][0]) / (count + 1), (y * count + xy[end][1]) / (count + 1)
            end += 1
        if end - k >= _FEW and not clock[end - 1] - clock[k] < _STANDS_S:
            places += [[x, y], [x, y]]
            times += [clock[k], clock[end - 1]]
            weight += [_SURE, _SURE]
            k = end
            continue
        if not places or math.hypot(xy[k][0] - places[-1][0], xy[k][1] - places[-1][1]) >= _STEP_M:
            places.append(xy[k])
            times.append(clock[k])
            weight.append(1.0)
        k += 1
    return np.array(places).reshape(-1, 2), np.array(times), np.array(weight)


def _chains(streets: Streets, xy: Floats, clock: Floats, weight: Floats
            ) -> Iterator[tuple[list[_Choice], list[float]]]:
    """Yield runs of places on the streets with their times; a gap begins a new run."""
    choices = streets.choices(xy, weight)
    cost: list[float] = []
    back: list[list[int]] = []
    rows: list[int] = []

    def finish() -> tuple[list[_Choice], list[float]]:
        at = int(np.argmin(cost))
        places = []
        for row, pointers in zip(reversed(rows), reversed(back), strict=True):
            places.append(choices[row][at])
            at = pointers[at]
        return places[::-1], [float(clock[r]) for r in rows]

    for k, here in enumerate(choices):
        if not here:
            continue
        step = _step(streets, choices[rows[-1]], here, cost, xy[k] - xy[rows[-1]],
                     clock[k] - clock[rows[-1]]) if rows else None
        if step is None:
            if rows:
                yield finish()
            cost, back, rows = [c.cost for c in here], [[-1] * len(here)], [k]
            continue
        cost = step[0]
        back.append(step[1])
        rows.append(k)
    if rows:
        yield finish()


def _step(streets: Streets, before: list[_Choice], here: list[_Choice], cost: list[float],
          move: Floats, pause_s: float) -> tuple[list[float], list[int]] | None:
    """Return the least cost of every place and where it comes from; None across a gap."""
    straight = math.hypot(*move.tolist())
    if straight > _BREAK_M or (pause_s > _BREAK_S and straight > _BREAK_STEP_M):
        return None
    out, pointers = [], []
    for b in here:
        best, at = math.inf, -1
        for i, a in enumerate(before):
            if cost[i] >= best:
                continue
            way = streets.between(a, b)[0]
            if way > 3.0 * straight + 200.0:
                continue
            whole = cost[i] + abs(way - straight) / streets.noise_m
            if whole < best:
                best, at = whole, i
        out.append(best + b.cost)
        pointers.append(at)
    return (out, pointers) if min(out) < math.inf else None


class Step(NamedTuple):
    """From one fix to the next: begin and end, and the metres of the way between."""

    begin_s: float
    end_s: float
    way_m: float


class Move(NamedTuple):
    """The part of a step that is on one edge."""

    leg: Leg
    step: int


def _list_moves(streets: Streets, places: list[_Choice], times: list[float]
                ) -> tuple[list[Move], list[Step]]:
    """Return the stretches between places, with times by the share of the way."""
    moves: list[Move] = []
    steps: list[Step] = []
    for a, b, begin, end in zip(places, places[1:], times, times[1:], strict=False):
        parts = _list_parts(streets, a, b)
        whole, gone = sum(abs(y - x) for _, x, y in parts), 0.0
        for edge, x, y in parts:
            since = begin + (end - begin) * gone / (whole or 1.0)
            gone += abs(y - x)
            until = begin + (end - begin) * gone / (whole or 1.0)
            moves.append(Move(Leg(edge, x, y, since, until), len(steps)))
        steps.append(Step(begin, end, whole))
    return moves, steps


def _list_parts(streets: Streets, a: _Choice, b: _Choice) -> list[tuple[int, float, float]]:
    """Return the parts of the way between two places: edge, from, to."""
    _, u, v = streets.between(a, b)
    if u < 0:
        return [(a.edge, a.at_m, b.at_m)]

    def end_of(choice: _Choice, node: int) -> float:
        first, last = streets.ends[choice.edge]
        length = streets.length[choice.edge]
        return 0.0 if first == node and (last != node or 2 * choice.at_m <= length) else length

    middle = [(e, 0.0, streets.length[e]) if ahead else (e, streets.length[e], 0.0)
              for e, ahead in streets.path(u, v)]
    return [(a.edge, a.at_m, end_of(a, u)), *middle, (b.edge, end_of(b, v), b.at_m)]


def straighten(streets: Streets, moves: list[Move], steps: list[Step], pace: Pace) -> list[Leg]:
    """Join what follows one another on an edge; short moves back are noise, turns reach farther.

    A team that turns at the end of a street seldom has a fix there: it may have gone on for as
    long as the time between the fixes allows at its pace.
    """
    runs: list[list[Move]] = []
    for move in moves:
        last = runs[-1][-1].leg if runs else None
        if last is None or move.leg.edge != last.edge or (
                abs(move.leg.start_m - last.end_m) > _SAME_M):
            runs.append([])
        runs[-1].append(move)
    out: list[Leg] = []
    for k, run in enumerate(runs):
        turned = 0 < k < len(runs) - 1 and _is_turn(streets, runs[k - 1], run, runs[k + 1])
        out += (_join_turn if turned else _join_run)(streets, run, steps, pace)
    return out


def _is_turn(streets: Streets, before: list[Move], run: list[Move], after: list[Move]) -> bool:
    """Tell whether a run leads from a crossing a little into a street and back the same way."""
    start, end = run[0].leg.start_m, run[-1].leg.end_m
    if before[-1].leg.edge != after[0].leg.edge or abs(start - end) > _SAME_M or (
            abs(before[-1].leg.end_m - after[0].leg.start_m) > _SAME_M):
        return False
    least = min(_TURN_M, 0.6 * streets.length[after[0].leg.edge])
    into, back = (abs(r[-1].leg.end_m - r[0].leg.start_m) for r in (before, after))
    deep = max(abs(m.leg.end_m - start) for m in run)
    return into >= least and back >= least and deep < min(
        _TURN_M, 0.6 * streets.length[run[0].leg.edge])


def _join_turn(streets: Streets, run: list[Move], steps: list[Step], pace: Pace) -> list[Leg]:
    """Return a short way into a street and back, as far as there was time for."""
    leg, length = run[0].leg, streets.length[run[0].leg.edge]
    deep = max(abs(m.leg.end_m - leg.start_m) for m in run)
    deep = min(deep + _spare(steps, run[0].step, run[-1].step, pace), length)
    place = leg.start_m + deep if 2 * leg.start_m <= length else leg.start_m - deep
    begin, end = leg.begin_s, run[-1].leg.end_s
    middle = (begin + end) / 2
    return [Leg(leg.edge, leg.start_m, place, begin, middle),
            Leg(leg.edge, place, run[-1].leg.end_m, middle, end)]


def _join_run(streets: Streets, run: list[Move], steps: list[Step], pace: Pace) -> list[Leg]:
    """Return a run along one edge as stretches in one direction each."""
    edge, length = run[0].leg.edge, streets.length[run[0].leg.edge]
    at = [run[0].leg.start_m, *(m.leg.end_m for m in run)]
    when = [run[0].leg.begin_s, *(m.leg.end_s for m in run)]
    turns = _find_turns(at, min(_TURN_M, 0.6 * length))
    places = [at[k] for k in turns]
    for n, k in enumerate(turns[1:-1], 1):
        more = _spare(steps, run[k - 1].step, run[k].step, pace)
        places[n] = min(max(at[k] + math.copysign(more, at[k] - places[n - 1]), 0.0), length)
    return [Leg(edge, places[n], places[n + 1], when[a], when[b])
            for n, (a, b) in enumerate(itertools.pairwise(turns))]


def _spare(steps: list[Step], first: int, last: int, pace: Pace) -> float:
    """Return how much farther a team may have gone before it turned back within some steps."""
    pause = steps[last].end_s - steps[first].begin_s
    if not 0 < pause <= _TURN_S:
        return 0.0
    middle = (steps[last].end_s + steps[first].begin_s) / 2
    spare = pace.near(middle) * pause - sum(s.way_m for s in steps[first:last + 1])
    return min(max(0.0, spare / 2), _FARTHEST_TURN_M)


def _find_turns(at: list[float], least_m: float) -> list[int]:
    """Return the first, the last and every place where a move turns back by at least so much.

    >>> _find_turns([0.0, 30.0, 60.0, 55.0, 90.0, 40.0, 10.0], 20.0)
    [0, 4, 6]
    """
    turns, extreme, ahead = [0], 0, 0
    for k in range(1, len(at)):
        gone = at[k] - at[extreme]
        if ahead == 0:
            low = min(range(k + 1), key=lambda i: at[i])
            high = max(range(k + 1), key=lambda i: at[i])
            if at[high] - at[low] >= least_m:
                ahead = 1 if high > low else -1
                extreme = high if ahead > 0 else low
        elif gone * ahead >= 0:
            extreme = k
        elif -gone * ahead >= least_m:
            turns.append(extreme)
            extreme, ahead = k, -ahead
    last = len(at) - 1
    return [*turns, last] if last not in turns else turns


def open_streets(roads: gpd.GeoDataFrame, mode: str, barriers: gpd.GeoDataFrame | None,
                 params: NetworkParams, noise_m: float) -> Streets:
    """Return the streets on which a team may have been.

    Parameters
    ----------
    roads
        The layer ``roads``.
    mode
        Of the team: on foot streets have no direction.
    """
    free = roads.assign(car=True, one_way=pd.NA) if mode == "foot" else roads.assign(car=True)
    network = build_network(free, "car", barriers=barriers, params=params, findings=Findings())
    ids = roads["road_id"].astype(str)
    at = pd.Series(np.arange(len(roads)), index=ids.to_numpy(dtype=object)).reindex(
        network.road).to_numpy(dtype=np.int64)
    paths = roads["road_class"].isin(_PATHS).fillna(False).to_numpy(dtype=bool)
    return Streets(network, noise_m, ~is_open(roads, mode, barriers)[at], paths[at])


def edges_near(streets: Streets, xy: Floats, along: Floats, within_m: float
               ) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return the edges on which who goes passes a place: row, edge, metres along the edge.

    They are the nearest edge, those as near, and paths beside it in the same direction.

    Parameters
    ----------
    xy, along
        (n, 2) places and the unit vectors of the streets there.
    """
    points = shapely.points(xy)
    at, edge = streets.tree.query(points, predicate="dwithin", distance=within_m)
    shapes = streets.network.geometry[edge]
    off = shapely.distance(shapes, points[at])
    place = shapely.line_locate_point(shapes, points[at])
    step = [shapely.get_coordinates(shapely.line_interpolate_point(
        shapes, np.clip(place + side, 0.0, None))) for side in (-1.0, 1.0)]
    way = step[1] - step[0]
    same = np.abs((way * along[at]).sum(axis=1)) >= _PARALLEL * np.maximum(np.hypot(*way.T), 1e-9)
    least = np.full(len(xy), np.inf)
    np.minimum.at(least, at[same], off[same])
    near = same & ((off <= least[at] + _AS_NEAR_M) | streets.beside[edge])
    return at[near].astype(np.int64), edge[near].astype(np.int64), place[near]
