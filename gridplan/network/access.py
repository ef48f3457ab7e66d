"""Points → where they enter the network: straight legs that no obstacle bars."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.network.model import Access, StreetNetwork
from gridplan.network.obstacles import (
    TOLERANCE_M,
    Floats,
    Ground,
    Ints,
    estate_of,
    survey_ground,
)
from gridplan.params import NetworkParams

Points = NDArray[np.object_]
_TIE_M = 1e-6
_RINGS_M = (50.0, 150.0)  # candidates are gathered in rings, up to the limit
_BATCH = 4000  # points whose candidates are held at a time
OUTLINE_STEP_M = 20.0
OUTLINE_REACH_M = 100.0


def find_access(network: StreetNetwork, points: Points, *,
                barriers: gpd.GeoDataFrame | None = None, estates: gpd.GeoDataFrame | None = None,
                gates: gpd.GeoDataFrame | None = None, params: NetworkParams | None = None,
                near_outline: bool = True) -> Access:
    """Find where points enter the network.

    A point goes straight to the nearest usable edge whose leg touches no wall, water or railway
    and no outline of an estate with gates. Inside such an estate without a street of its own, it
    goes to any of the gates that are open on foot. Inside an estate without known gates and
    without streets, the way out is uncertain: places every 20 m along the outline are its
    options, of which one is real.

    Parameters
    ----------
    points
        Points in the CRS of the network.
    barriers, estates, gates
        Layers of the plan in the same CRS, each indexed by its id.
    near_outline
        Whether estates without known gates give uncertain options; without, their points are
        snapped like others.

    Returns
    -------
    Access
        Points farther than ``snap_m`` from every free edge have no option.

    >>> from gridplan.network.build import build_network
    >>> roads = gpd.GeoDataFrame({"road_id": ["a"]}, crs=4549, geometry=[
    ...     shapely.LineString([(0, 0), (100, 0)])])
    >>> access = find_access(build_network(roads), shapely.points([[30, 40], [0, 900]]))
    >>> access.at_m.tolist(), access.leg_m.tolist(), access.off.tolist()
    ([30.0], [40.0], [False, True])
    """
    params = params or NetworkParams()
    ground = survey_ground(barriers, estates, gates)
    return _find_access(Snapper(network, ground), np.asarray(points, dtype=object),
                        params.snap_m, near_outline)


def _find_access(snapper: Snapper, points: Points, snap_m: float, near_outline: bool) -> Access:
    ground = snapper.ground
    home = estate_of(ground, points)
    uncertain = np.zeros(len(points), dtype=bool)
    if near_outline and len(ground.estates):
        uncertain = (home >= 0) & find_unsure(snapper.network, ground)[home]
    plain = np.flatnonzero(~uncertain)
    edge, leg = snapper.snap(points[plain], snap_m, home=home[plain])
    hit = edge >= 0
    ends = shapely.line_locate_point(snapper.network.geometry[edge[hit]], points[plain[hit]])
    found = [_Options(plain[hit], edge[hit], ends, leg[hit])]
    lost = plain[~hit]
    walled = np.array([k >= 0 and ground.estates[k].enclosed for k in home[lost].tolist()], bool)
    found.append(_through_gates(snapper, points, lost[walled], home, snap_m))
    found.append(_over_outlines(snapper, points, np.flatnonzero(uncertain), home))
    return _collect(found, len(points), uncertain)


@dataclass(frozen=True)
class _Options:
    point: Ints
    edge: Ints
    at_m: Floats
    leg_m: Floats


def _collect(parts: Iterable[_Options], count: int, uncertain: NDArray[np.bool_]) -> Access:
    held = list(parts)
    point = np.concatenate([p.point for p in held]).astype(np.int64)
    order = np.argsort(point, kind="stable")
    start = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(point, minlength=count), out=start[1:])
    return Access(start=start,
                  edge=np.concatenate([p.edge for p in held]).astype(np.int64)[order],
                  at_m=np.concatenate([p.at_m for p in held]).astype(np.float64)[order],
                  leg_m=np.concatenate([p.leg_m for p in held]).astype(np.float64)[order],
                  uncertain=uncertain & (np.diff(start) > 0))


def _through_gates(snapper: Snapper, points: Points, lost: Ints, home: Ints, snap_m: float
                   ) -> _Options:
    """Lead points out of their estates by each open gate."""
    ground = snapper.ground
    gates = sorted({g for k in set(home[lost].tolist()) for g in ground.estates[k].gates})
    owner = {g: k for k, estate in enumerate(ground.estates) for g in estate.gates}
    own = np.array([owner[g] for g in gates], dtype=np.int64)
    edge, leg = snapper.snap(ground.gates[gates], snap_m, without=own)
    at = {g: n for n, g in enumerate(gates) if edge[n] >= 0}
    pairs = np.array([(p, at[g]) for p, k in zip(lost.tolist(), home[lost].tolist(), strict=True)
                      for g in ground.estates[k].gates if g in at], dtype=np.int64).reshape(-1, 2)
    point, gate = pairs.T
    here = ground.gates[np.array(gates, dtype=np.int64)[gate]]
    return _Options(point, edge[gate],
                    shapely.line_locate_point(snapper.network.geometry[edge[gate]], here),
                    leg[gate] + shapely.distance(points[point], here))


def find_unsure(network: StreetNetwork, ground: Ground) -> NDArray[np.bool_]:
    """Tell the estates that have no gate at all and no usable edge inside or across them."""
    unsure = np.array([not e.gated for e in ground.estates], dtype=bool)
    rows = np.flatnonzero(unsure)
    # An edge along the outline, or one that ends there, does not lead in.
    cores = shapely.buffer(np.array([ground.estates[k].polygon for k in rows.tolist()],
                                    dtype=object), -TOLERANCE_M)
    met = shapely.STRtree(network.geometry[network.usable]).query(cores, predicate="intersects")[0]
    unsure[rows[np.unique(met)]] = False
    return unsure


def _over_outlines(snapper: Snapper, points: Points, rows: Ints, home: Ints) -> _Options:
    """Lead points out of estates without known gates at places all along the outline."""
    network, ground = snapper.network, snapper.ground
    members: dict[tuple[int, int], list[int]] = {}
    for row in rows.tolist():
        parts = shapely.get_parts(ground.estates[home[row]].polygon)
        part = int(np.argmin(shapely.distance(parts, points[row])))
        members.setdefault((int(home[row]), part), []).append(row)
    outlines = [outline_places(shapely.get_parts(ground.estates[k].polygon)[part])
                for k, part in members]
    places = np.concatenate([*outlines, np.array([], dtype=object)])
    edge, leg = snapper.snap(places, OUTLINE_REACH_M, outlines=False)
    first = np.cumsum([0, *map(len, outlines)])
    pairs = [(np.array(held)[:, None] + 0 * np.arange(b - a), np.arange(a, b)[None, :]
              + 0 * np.array(held)[:, None])
             for held, a, b in zip(members.values(), first[:-1], first[1:], strict=True)]
    none = np.zeros(0, dtype=np.int64)
    point = np.concatenate([none, *(p.reshape(-1) for p, _ in pairs)])
    place = np.concatenate([none, *(q.reshape(-1) for _, q in pairs)])
    good = edge[place] >= 0
    point, place = point[good], place[good]
    return _Options(point, edge[place],
                    shapely.line_locate_point(network.geometry[edge[place]], places[place]),
                    leg[place] + shapely.distance(points[point], places[place]))


def outline_places(polygon: shapely.Polygon) -> Points:
    """Return places at equal distances along an outline, about every 20 m and at least 8.

    >>> [len(outline_places(shapely.box(0, 0, side, side))) for side in (75, 9)]
    [15, 8]
    """
    ring = shapely.get_exterior_ring(polygon)
    length = float(shapely.length(ring))
    count = max(8, math.ceil(length / OUTLINE_STEP_M))
    return np.asarray(shapely.line_interpolate_point(ring, np.arange(count) * (length / count)))


class Snapper:
    """Finds the nearest usable edge of points, past obstacles."""

    def __init__(self, network: StreetNetwork, ground: Ground) -> None:
        self.network, self.ground = network, ground
        self.edges = np.flatnonzero(network.usable)
        self.lines = network.geometry[self.edges]
        self.tree = shapely.STRtree(self.lines)

    def snap(self, points: Points, limit_m: float, *, home: Ints | None = None,
             without: Ints | None = None, outlines: bool = True) -> tuple[Ints, Floats]:
        """Return the nearest edge that each point reaches freely, -1 for none, and how far it is.

        Parameters
        ----------
        home
            The estate each point lies in, -1 for none; it only makes the search shorter.
        without
            The estate whose outline does not count for each point, -1 for none.
        outlines
            Whether outlines of estates count.
        """
        edge = np.full(len(points), -1, dtype=np.int64)
        leg = np.full(len(points), np.inf)
        free = _Search(self, points, without, outlines, edge, leg)
        todo = np.flatnonzero(~(shapely.is_missing(points) | shapely.is_empty(points)))
        todo = self._try_nearest(free, todo, limit_m)
        todo = self._try_inside(free, todo, home, limit_m)
        for batch in np.array_split(todo, max(1, math.ceil(len(todo) / _BATCH))):
            self._try_rings(free, batch, limit_m)
        good = edge >= 0
        edge[good] = self.edges[edge[good]]
        return edge, leg

    def _try_nearest(self, free: _Search, todo: Ints, limit_m: float) -> Ints:
        (k, _), near = self.tree.query_nearest(free.points[todo], max_distance=limit_m,
                                               return_distance=True, all_matches=False)
        todo = todo[k]
        k, line = self.tree.query(free.points[todo], predicate="dwithin", distance=near + _TIE_M)
        return free.test(todo, todo[k], line)

    def _try_inside(self, free: _Search, todo: Ints, home: Ints | None, limit_m: float) -> Ints:
        """Settle points inside enclosed estates: only streets that enter these are free to them."""
        if home is None or not todo.size:
            return todo
        estates = self.ground.estates
        deep = np.array([k >= 0 and estates[k].enclosed for k in home[todo].tolist()], dtype=bool)
        rows = todo[deep]
        shapes = np.array([estates[k].polygon for k in home[rows].tolist()], dtype=object)
        away = shapely.distance(free.points[rows], shapely.boundary(shapes)) > TOLERANCE_M
        rows = rows[away]
        number, of = np.unique(home[rows], return_inverse=True)
        held = np.array([estates[k].polygon for k in number.tolist()], dtype=object)
        estate, line = self.tree.query(held, predicate="dwithin", distance=2 * TOLERANCE_M)
        order = np.argsort(estate, kind="stable")
        first = np.searchsorted(estate[order], np.arange(len(number) + 1))
        count = (first[1:] - first[:-1])[of]
        point = np.repeat(rows, count)
        step = np.arange(len(point)) - np.repeat(np.cumsum(count) - count, count)
        free.test(rows, point, line[order][np.repeat(first[:-1][of], count) + step], limit_m)
        return np.setdiff1d(todo, rows)

    def _try_rings(self, free: _Search, todo: Ints, limit_m: float) -> None:
        inner = 0.0
        for outer in (*(r for r in _RINGS_M if r < limit_m), limit_m):
            k, line = self.tree.query(free.points[todo], predicate="dwithin", distance=outer)
            todo = free.test(todo, todo[k], line, outer, beyond_m=inner)
            inner = outer


class _Search:
    """The points of one search, what was found for each, and how candidates are tested."""

    def __init__(self, snapper: Snapper, points: Points, without: Ints | None, outlines: bool,
                 edge: Ints, leg: Floats) -> None:
        self.snapper, self.points = snapper, points
        self.without, self.outlines = without, outlines
        self.edge, self.leg = edge, leg

    def test(self, todo: Ints, point: Ints, line: Ints, limit_m: float = math.inf,
             beyond_m: float = -1.0) -> Ints:
        """Settle points whose candidates have a free leg, nearest first; return the others."""
        away = shapely.distance(self.points[point], self.snapper.lines[line])
        good = (away <= limit_m) & (away > beyond_m)
        point, line, away = point[good], line[good], away[good]
        order = np.lexsort((line, np.round(away / _TIE_M), point))
        point, line, away = point[order], line[order], away[order]
        at = np.searchsorted(point, todo)
        end = np.searchsorted(point, todo, side="right")
        size = 1
        while (at < end).any():
            count = np.minimum(end - at, size)
            first = np.cumsum(count) - count
            tried = np.arange(int(count.sum())) - np.repeat(first - at, count)
            hits = tried[~self._blocked(point[tried], line[tried])]
            held, where = np.unique(point[hits], return_index=True)
            self.edge[held], self.leg[held] = line[hits[where]], away[hits[where]]
            at = np.where(self.edge[todo] >= 0, end, at + count)
            size *= 4
        return todo[self.edge[todo] < 0]

    def _blocked(self, point: Ints, line: Ints) -> NDArray[np.bool_]:
        start, lines = self.points[point], self.snapper.lines[line]
        goal = shapely.line_interpolate_point(lines, shapely.line_locate_point(lines, start))
        legs = shapely.linestrings(np.stack([shapely.get_coordinates(start),
                                             shapely.get_coordinates(goal)], axis=1))
        return self.snapper.ground.blocked(
            legs, without=None if self.without is None else self.without[point],
            outlines=self.outlines)
