"""Turn by turn: the streets of a route in order, with the turns between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.pages.ground import text_of

Turn = Literal["start", "straight", "bear_left", "bear_right", "left", "right", "back"]
# A stretch of a route lies on a road where both its ends and its middle are so near.
_ON_ROAD_M = 3.0
# Shorter stretches at junctions are no streets; directions are taken over so many metres.
_SHORT_M, _LOOK_M = 8.0, 12.0
_BEAR, _TURN, _BACK = 30.0, 60.0, 150.0
_Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Leg:
    """A stretch along one street: how it begins, its name, where it starts and how long it is.

    ``street`` is blank where the road has no name; ``road`` tells whether there is a road at
    all. ``compass`` is the eighth of the compass, 0 for north, in which the leg sets out.
    """

    turn: Turn
    street: str
    road: bool
    at_m: float
    length_m: float
    compass: int

    @property
    def end_m(self) -> float:
        """Where it ends."""
        return self.at_m + self.length_m


class Streets:
    """The roads of a plan by place; made once for all routes."""

    def __init__(self, roads: Any) -> None:
        self.names = text_of(roads, "name")
        self.ids = text_of(roads, "road_id")
        self.shapes = np.asarray(roads.geometry.array)
        self.tree = shapely.STRtree(self.shapes)

    def match(self, xy: _Numbers) -> NDArray[np.int64]:
        """Return the road under every stretch of a route, -1 where there is none.

        Where several roads lie under one, the road of the stretch before it goes on.
        """
        ends = shapely.points(xy)
        middles = shapely.points((xy[:-1] + xy[1:]) / 2)
        at, road = self.tree.query(middles, predicate="dwithin", distance=_ON_ROAD_M)
        off = np.maximum.reduce([shapely.distance(self.shapes[road], p) for p in (
            ends[:-1][at], middles[at], ends[1:][at])])
        held: dict[int, list[tuple[float, bool, str, int]]] = {}
        for k, r, d in zip(at.tolist(), road.tolist(), off.tolist(), strict=True):
            if d <= _ON_ROAD_M:
                held.setdefault(k, []).append((round(d, 1), not self.names[r], self.ids[r], r))
        out, last = np.full(len(middles), -1, np.int64), -1
        for k in range(len(middles)):
            nearest = sorted(held.get(k, ()))
            if nearest:
                same = [r for d, _, _, r in nearest if d <= nearest[0][0] + 0.5 and r == last]
                last = same[0] if same else nearest[0][3]
            else:
                last = -1
            out[k] = last
        return out


def list_legs(line: shapely.LineString, streets: Streets) -> list[Leg]:
    """Return the legs of a route.

    Parameters
    ----------
    line
        The way as driven, in the CRS of the roads.

    >>> import geopandas as gpd
    >>> roads = gpd.GeoDataFrame({"road_id": ["a", "b"], "name": ["East St", "North St"]},
    ...     geometry=[shapely.LineString([(0, 0), (100, 0)]),
    ...               shapely.LineString([(100, 0), (100, 80)])])
    >>> way = shapely.LineString([(0, 0), (100, 0), (100, 80), (100, 0)])
    >>> [(leg.turn, leg.street, leg.length_m) for leg in list_legs(way, Streets(roads))]
    [('start', 'East St', 100.0), ('left', 'North St', 80.0), ('back', 'North St', 80.0)]
    """
    xy = shapely.get_coordinates(line)
    keep = np.append(True, np.hypot(*np.diff(xy, axis=0).T) > 0.01)
    xy = xy[keep]
    if len(xy) < 2:
        return []
    step = np.diff(xy, axis=0)
    at_m = np.append(0.0, np.cumsum(np.hypot(*step.T)))
    road = streets.match(xy)
    turned = np.abs(_angle(step[:-1], step[1:]))
    first = [0, *(k for k in range(1, len(step)) if _parts(road, turned, k, streets))]
    runs = [_Run(float(at_m[a]), float(at_m[b]), int(road[a]))
            for a, b in zip(first, [*first[1:], len(step)], strict=True)]
    return _join(_tell(_absorb(runs), xy, at_m, streets))


@dataclass(frozen=True)
class _Run:
    """Stretches on one road; ``lead_m`` of them before it were too short to tell."""

    start_m: float
    end_m: float
    road: int
    lead_m: float = 0.0


def _angle(before: _Numbers, after: _Numbers) -> _Numbers:
    """Return the degrees by which a way turns, left positive."""
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return np.degrees(np.arctan2(cross, (before * after).sum(1)))


def _parts(road: NDArray[np.int64], turned: _Numbers, k: int, streets: Streets) -> bool:
    """Tell whether a new leg begins with stretch ``k``."""
    if turned[k - 1] >= _BACK:
        return True
    a, b = int(road[k - 1]), int(road[k])
    if a == b:
        return False
    if a < 0 or b < 0 or streets.names[a] != streets.names[b]:
        return True
    return not streets.names[a] and bool(turned[k - 1] >= _BEAR)


def _absorb(runs: list[_Run]) -> list[_Run]:
    """Give stretches that are too short to tell to the next one, the last to the one before."""
    out: list[_Run] = []
    lead: float | None = None
    for run in runs:
        if run.end_m - run.start_m < _SHORT_M and run is not runs[-1]:
            lead = run.start_m if lead is None else lead
            continue
        start = run.start_m if lead is None else lead
        out.append(replace(run, start_m=start, lead_m=run.start_m - start))
        lead = None
    if len(out) > 1 and out[-1].end_m - out[-1].start_m < _SHORT_M:
        last = out.pop()
        out[-1] = replace(out[-1], end_m=last.end_m)
    return out


def _tell(runs: list[_Run], xy: _Numbers, at_m: _Numbers, streets: Streets) -> list[Leg]:
    """Return the legs with their turns, by the directions a little before and after."""
    def at(metres: float) -> _Numbers:
        return np.array([np.interp(metres, at_m, xy[:, 0]), np.interp(metres, at_m, xy[:, 1])])

    legs: list[Leg] = []
    for k, run in enumerate(runs):
        begin = run.start_m + run.lead_m
        out = at(min(begin + _LOOK_M, run.end_m)) - at(begin)
        turn: Turn = "start"
        if k:
            back = at(run.start_m) - at(max(run.start_m - _LOOK_M, runs[k - 1].start_m))
            turn = _name_turn(float(_angle(back[None], out[None])[0]))
        compass = round(float(np.degrees(np.arctan2(out[0], out[1]))) / 45) % 8
        legs.append(Leg(turn, streets.names[run.road] if run.road >= 0 else "", run.road >= 0,
                        run.start_m, run.end_m - run.start_m, compass))
    return legs


def _name_turn(angle: float) -> Turn:
    size = abs(angle)
    if size < _BEAR:
        return "straight"
    if size >= _BACK:
        return "back"
    if size < _TURN:
        return "bear_left" if angle > 0 else "bear_right"
    return "left" if angle > 0 else "right"


def _join(legs: list[Leg]) -> list[Leg]:
    """Make one of neighbours on a street that merely goes on."""
    out: list[Leg] = []
    for leg in legs:
        last = out[-1] if out else None
        if last and (leg.street, leg.road) == (last.street, last.road) and (
                leg.turn == "straight" or (leg.street and leg.turn != "back")):
            out[-1] = replace(last, length_m=last.length_m + leg.length_m)
        else:
            out.append(leg)
    return out
