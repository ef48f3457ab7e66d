"""Roads as chains of vertices in whole millimetres, joined where they meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
MM = 1000.0
_SAME_M = 1e-6  # distances that differ by less are ties
_AT_OUTLINE_M = 0.05  # a vertex so near an estate's outline stands on it


@dataclass(frozen=True)
class Chains:
    """Lines as vertices, one behind the other.

    Attributes
    ----------
    xy
        (n, 2) vertices in whole millimetres.
    line
        (n,) line of each vertex, ascending.
    level
        (k,) level of each line.
    """

    xy: Ints
    line: Ints
    level: Ints

    @property
    def first(self) -> Ints:
        """The first vertex of each line that has any."""
        return np.flatnonzero(np.diff(self.line, prepend=-1))

    @property
    def last(self) -> Ints:
        """The last vertex of each line that has any."""
        return np.append(self.first[1:], len(self.line)) - 1

    def geometry(self) -> NDArray[np.object_]:
        """Return the LineString of every line, None for lines without vertices."""
        out = np.full(len(self.level), None, dtype=object)
        if self.line.size:
            held, number = np.unique(self.line, return_inverse=True)
            out[held] = shapely.linestrings(self.xy / MM, indices=number)
        return out


def make_chains(lines: NDArray[np.object_], level: Ints) -> Chains:
    """Return lines as chains; vertices of one place in a row become one, dots are left out.

    >>> make_chains(shapely.linestrings([[[0, 0], [0.0001, 0], [1, 0]]]), np.zeros(1, int)).xy
    array([[   0,    0],
           [1000,    0]])
    """
    xy, line = shapely.get_coordinates(lines, return_index=True)
    return _tidy(Chains(np.rint(xy * MM).astype(np.int64), line.astype(np.int64), level))


def _tidy(chains: Chains) -> Chains:
    """Leave out repeated vertices, then lines of one vertex."""
    xy, line = chains.xy, chains.line
    keep = np.ones(len(line), dtype=bool)
    keep[1:] = (xy[1:] != xy[:-1]).any(axis=1) | (line[1:] != line[:-1])
    xy, line = xy[keep], line[keep]
    many = np.bincount(line, minlength=len(chains.level)) > 1
    return replace(chains, xy=xy[many[line]], line=line[many[line]])


def number_places(xy: Ints) -> Ints:
    """Give places of vertices numbers: equal numbers, equal coordinates.

    >>> number_places(np.array([[5, 1], [2, 2], [5, 1]])).tolist()
    [1, 0, 1]
    """
    if not len(xy):
        return np.zeros(0, dtype=np.int64)
    low, high = xy.min(axis=0), xy.max(axis=0)
    height = int(high[1] - low[1]) + 1
    if (int(high[0] - low[0]) + 1) * height < 2**62:
        key = (xy[:, 0] - low[0]) * height + (xy[:, 1] - low[1])
        return np.unique(key, return_inverse=True)[1].astype(np.int64)
    return np.unique(xy, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _shared(place: Ints, line: Ints) -> NDArray[np.bool_]:
    """Tell which places several lines have a vertex at."""
    count = int(place.max(initial=-1)) + 1
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, -1)
    np.minimum.at(low, place, line)
    np.maximum.at(high, place, line)
    return np.asarray(low != high)


def join_loose_ends(chains: Chains, join_m: float) -> Chains:
    """Join ends that meet no other line to what lies within ``join_m`` on the same level.

    An end takes the place of the nearest vertex of another line; the ends are gone through in
    the order of their lines, and one that has been joined to stays. Ends without a vertex in
    reach then go to the nearest point of another line, which gets a vertex there.
    """
    chains = _tidy(_join_to_vertices(chains, join_m))
    return _tidy(_join_to_lines(chains, join_m))


def _loose_ends(chains: Chains) -> Ints:
    """Return the ends whose place no other line has a vertex at, in the order of the lines."""
    place = number_places(chains.xy)
    ends = np.stack([chains.first, chains.last], axis=1).reshape(-1)
    return ends[~_shared(place, chains.line)[place[ends]]]


def _join_to_vertices(chains: Chains, join_m: float) -> Chains:
    from scipy.spatial import cKDTree

    loose = _loose_ends(chains)
    if not loose.size:
        return chains
    metres = (chains.xy - chains.xy.min(axis=0)) / MM
    found = cKDTree(metres).query_ball_point(metres[loose], join_m + _SAME_M)
    xy, line = chains.xy.copy(), chains.line
    most = round(join_m * MM) ** 2
    joined: set[tuple[int, int]] = set()
    for end, near in zip(loose.tolist(), found, strict=True):
        here = (int(xy[end, 0]), int(xy[end, 1]))
        if here in joined:
            continue
        best = None
        for other in sorted(near):
            if line[other] == line[end] or chains.level[line[other]] != chains.level[line[end]]:
                continue
            away = int(((xy[other] - xy[end]) ** 2).sum())
            if away <= most and (best is None or away < best[0]):
                best = (away, other)
        if best is not None:
            xy[end] = xy[best[1]]
            joined.add((int(xy[end, 0]), int(xy[end, 1])))
    return replace(chains, xy=xy)


def _join_to_lines(chains: Chains, join_m: float) -> Chains:
    loose = _loose_ends(chains)
    if not loose.size:
        return chains
    lines = chains.geometry()
    points = shapely.points(chains.xy[loose] / MM)
    k, other = shapely.STRtree(lines).query(points, predicate="dwithin", distance=join_m)
    own = chains.line[loose[k]]
    good = (other != own) & (chains.level[other] == chains.level[own])
    k, other = k[good], other[good]
    away = np.round(shapely.distance(points[k], lines[other]) / _SAME_M)
    order = np.lexsort((other, away, k))
    k, other = k[order], other[order]
    first = np.flatnonzero(np.diff(k, prepend=-1))
    k, other = k[first], other[first]
    if not k.size:
        return chains
    along = shapely.line_locate_point(lines[other], points[k])
    place = np.rint(shapely.get_coordinates(
        shapely.line_interpolate_point(lines[other], along)) * MM).astype(np.int64)
    xy = chains.xy.copy()
    xy[loose[k]] = place
    return insert_vertices(replace(chains, xy=xy), other, along, place)


def insert_vertices(chains: Chains, line: Ints, along_m: Floats, xy: Ints) -> Chains:
    """Give lines further vertices, at so many metres from their starts."""
    step = np.hypot(*np.diff(chains.xy, axis=0, prepend=chains.xy[:1]).T) / MM
    step[chains.first] = 0.0
    so_far = np.cumsum(step)
    first = np.zeros(len(chains.level), dtype=np.int64)
    first[chains.line[chains.first]] = chains.first
    so_far -= so_far[first[chains.line]]
    lines = np.concatenate([chains.line, line])
    # Beside a vertex of the same position, the new one comes behind it.
    order = np.lexsort((np.concatenate([so_far, along_m]), lines))
    return _tidy(replace(chains, xy=np.concatenate([chains.xy, xy])[order], line=lines[order]))


@dataclass(frozen=True)
class Crossings:
    """Where lines of one level cross.

    Attributes
    ----------
    line
        (c, 2) the two lines; ``xy`` is the place in millimetres.
    has_vertex
        (c, 2) whether each has a vertex there.
    through
        (c,) whether neither ends there.
    """

    line: Ints
    xy: Ints
    has_vertex: NDArray[np.bool_]
    through: NDArray[np.bool_]


def find_crossings(chains: Chains) -> Crossings:
    """Return where two lines of one level cross, shared vertex or not; ``line`` is (c, 2)."""
    lines = chains.geometry()
    shapely.prepare(lines)
    left, right = shapely.STRtree(lines).query(lines)
    good = (left < right) & (chains.level[left] == chains.level[right])
    left, right = left[good], right[good]
    good = shapely.crosses(lines[left], lines[right])
    left, right = left[good], right[good]
    where, pair = shapely.get_coordinates(shapely.intersection(lines[left], lines[right]),
                                          return_index=True)
    xy = np.rint(where * MM).astype(np.int64)
    both = np.stack([left[pair], right[pair]], axis=1).astype(np.int64)
    both, xy = _unique_rows(both, xy)
    ends = np.concatenate([chains.first, chains.last])
    held = _has(chains.line, chains.xy, both, xy)
    ends_there = _has(chains.line[ends], chains.xy[ends], both, xy)
    return Crossings(both, xy, held, np.asarray(~ends_there.any(axis=1)))


def _unique_rows(both: Ints, xy: Ints) -> tuple[Ints, Ints]:
    rows = np.unique(np.concatenate([both, xy], axis=1), axis=0)
    return rows[:, :2], rows[:, 2:]


def _has(line: Ints, xy: Ints, both: Ints, at: Ints) -> NDArray[np.bool_]:
    """Tell for each of two lines whether it is among ``line`` with a vertex at that place."""
    place = number_places(np.concatenate([xy, at]))
    count = int(place.max(initial=0)) + 1
    known = line * count + place[:len(xy)]
    return np.stack([np.isin(both[:, j] * count + place[len(xy):], known) for j in (0, 1)], axis=1)


def join_crossings(chains: Chains, found: Crossings) -> Chains:
    """Give both lines a vertex wherever they cross."""
    which = [np.flatnonzero(~found.has_vertex[:, j]) for j in (0, 1)]
    line = np.concatenate([found.line[rows, j] for j, rows in enumerate(which)])
    xy = np.concatenate([found.xy[rows] for rows in which])
    if not line.size:
        return chains
    line_xy, _ = np.unique(np.concatenate([line[:, None], xy], axis=1), axis=0, return_index=True)
    line, xy = line_xy[:, 0], line_xy[:, 1:]
    along = shapely.line_locate_point(chains.geometry()[line], shapely.points(xy / MM))
    return insert_vertices(chains, line, along, xy)


def are_hand_drawn(found: Crossings) -> bool:
    """Tell whether fewer than half of the crossings have a shared vertex.

    Only those count where neither line ends: an end that touches is a junction either way.
    """
    shared = np.asarray(found.has_vertex[found.through].all(axis=1))
    return bool(shared.size) and int(shared.sum()) * 2 < shared.size


@dataclass(frozen=True)
class Cut:
    """A place where a closed gate parts the roads: the estate lies on one side of it."""

    xy: tuple[int, int]
    estate: Any


def find_cuts(chains: Chains, gates: NDArray[np.object_], estate_of: Ints,
              estates: NDArray[np.object_], reach_m: float = 5.0) -> tuple[Chains, list[Cut]]:
    """Return the chains with a vertex, and the cut, wherever a road meets an outline at a gate.

    Parameters
    ----------
    gates
        Points of the closed gates; ``estate_of`` is the row of their estate.
    """
    if not len(gates) or not chains.line.size:
        return chains, []
    lines = chains.geometry()
    gate, line = shapely.STRtree(lines).query(gates, predicate="dwithin", distance=reach_m)
    meets: dict[tuple[int, int, int], float | None] = {}
    places: dict[tuple[int, int, int], None] = {}
    first = np.searchsorted(chains.line, np.arange(len(chains.level) + 1))
    for g, k in sorted(zip(gate.tolist(), line.tolist(), strict=True)):
        estate = int(estate_of[g])
        outline = shapely.boundary(estates[estate])
        for x, y, along in _meetings(chains.xy[first[k]:first[k + 1]], lines[k], outline,
                                     gates[g], reach_m):
            places[(x, y, estate)] = None
            if along is not None:
                meets[(k, x, y)] = along
    added = np.array([(k, x, y) for k, x, y in meets], dtype=np.int64).reshape(-1, 3)
    along_m = np.array(list(meets.values()), dtype=np.float64)
    if len(added):
        chains = insert_vertices(chains, added[:, 0], along_m, added[:, 1:])
    return chains, [Cut((x, y), estates[estate]) for x, y, estate in places]


def _meetings(xy: Ints, line: Any, outline: Any, gate: Any, reach_m: float
              ) -> list[tuple[int, int, float | None]]:
    """Return where a road meets an outline near a gate; metres along it if it lacks a vertex."""
    vertices = shapely.points(xy / MM)
    on = ((shapely.distance(vertices, outline) <= _AT_OUTLINE_M)
          & (shapely.distance(vertices, gate) <= reach_m))
    found: list[tuple[int, int, float | None]] = [(x, y, None) for x, y in xy[on].tolist()]
    known = shapely.multipoints(vertices[on])
    for x, y in shapely.get_coordinates(shapely.intersection(line, outline)).tolist():
        point = shapely.Point(x, y)
        if shapely.distance(point, gate) > reach_m or (
                on.any() and shapely.distance(point, known) <= _AT_OUTLINE_M):
            continue
        found.append((round(x * MM), round(y * MM), float(shapely.line_locate_point(line, point))))
    return found


def split_at_cuts(ends: Ints, middles: Mapping[str, Floats], xy: Ints, cuts: list[Cut]
                  ) -> tuple[Ints, Ints]:
    """Give the edges inside an estate their own node wherever a closed gate cuts.

    Parameters
    ----------
    ends
        (m, 2) nodes of the edges.
    middles
        ``first`` and ``last``: (m, 2) middles of the first and last segment of each edge.
    xy
        (n, 2) places of the nodes.

    Returns
    -------
    tuple
        The ends and places with the new nodes behind.
    """
    ends = ends.copy()
    node_of = {(int(x), int(y)): n for n, (x, y) in enumerate(xy.tolist())}
    wanted = {node_of[cut.xy] for cut in cuts if cut.xy in node_of}
    where: dict[int, list[tuple[int, int]]] = {}
    for e, j in zip(*(x.tolist() for x in np.nonzero(np.isin(ends, sorted(wanted)))), strict=True):
        where.setdefault(int(ends[e, j]), []).append((e, j))
    added: list[tuple[int, int]] = []
    nodes_at: dict[tuple[int, int], list[int]] = {}
    for cut in cuts:
        if cut.xy not in node_of:
            continue
        for node in nodes_at.setdefault(cut.xy, [node_of[cut.xy]]).copy():
            sides = where[node]
            middle = np.array([middles["first" if j == 0 else "last"][e] for e, j in sides])
            inside = shapely.intersects_xy(cut.estate, middle)
            if inside.all() or not inside.any():
                continue
            new = len(xy) + len(added)
            added.append(cut.xy)
            nodes_at[cut.xy].append(new)
            where[new] = [side for side, own in zip(sides, inside, strict=True) if own]
            where[node] = [side for side, own in zip(sides, inside, strict=True) if not own]
            for e, j in where[new]:
                ends[e, j] = new
    grown = np.concatenate([xy, np.array(added, dtype=np.int64).reshape(-1, 2)])
    return ends, grown
