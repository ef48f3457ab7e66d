"""How far it is along the streets: to the nearest, to the k nearest, and between all pairs."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridplan.network.model import Access, Arcs, Nearest, Pairs, StreetNetwork

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_MOST_BUCKETS = 1 << 16
_BUCKETS_AN_ARC = 2.0  # measured: neither many empty buckets nor many nodes gone through again


class Ends(NamedTuple):
    """What it costs from options to the ends of their edges or back, legs included: (2, o)."""

    node: Ints
    cost_m: Floats


def nearest(network: StreetNetwork, origins: Access, targets: Access, group: Ints, groups: int,
            *, limit_m: float = math.inf, toward: bool = True,
            reading: Literal["near", "far"] = "near") -> Nearest:
    """Find the nearest target of each group from every origin.

    Parameters
    ----------
    origins, targets
        Where they enter the network.
    group
        (t,) group of each target, 0 to ``groups`` − 1; a target of several groups comes once
        per group.
    limit_m
        Effective metres beyond which nothing is looked for; exactly so far still counts.
    toward
        Whether the way is from the origin to the target, or back.
    reading
        Of an uncertain origin or target, ``near`` takes the best option; ``far`` the worst: the
        distance to a target is then the greatest over its options, each searched for itself.

    Returns
    -------
    Nearest
        Of equally near targets the one of the lowest row.

    >>> from gridplan.network import build_network, find_access
    >>> import geopandas as gpd, shapely
    >>> network = build_network(gpd.GeoDataFrame({"road_id": ["a"]}, crs=4549, geometry=[
    ...     shapely.LineString([(0, 0), (1000, 0)])]))
    >>> at = find_access(network, shapely.points([[0, 10], [300, 5], [900, 0]]))
    >>> found = nearest(network, at, at, np.array([0, 1, 1]), 2)
    >>> found.distance_m.tolist(), found.target.tolist()
    ([[20.0, 315.0, 910.0], [315.0, 10.0, 0.0]], [[0, 0, 0], [1, 1, 2]])
    """
    arcs = network.arriving if toward else network.leaving
    origin_ends = find_ends(network, origins, outward=toward)
    target_ends = find_ends(network, targets, outward=not toward)
    owner = np.repeat(np.arange(len(targets)), np.diff(targets.start))
    far = origins.uncertain & (reading == "far")
    doubtful = targets.uncertain if reading == "far" else np.zeros(len(targets), dtype=bool)

    def measure(options: Ints) -> tuple[Floats, Ints]:
        dist, label = flood(arcs, target_ends, options, owner[options], limit_m)
        out, which = along_edges(network, origins, targets, options, owner[options], toward)
        return _value(origins, origin_ends, far, dist, label, out, which)

    def measure_group(g: int) -> tuple[Floats, Ints]:
        mine = np.flatnonzero((group == g) & ~doubtful)
        best, which = measure(_options_of(targets, mine))
        for t in np.flatnonzero((group == g) & doubtful).tolist():
            worst = np.zeros(len(origins))
            for option in range(int(targets.start[t]), int(targets.start[t + 1])):
                worst = np.maximum(worst, measure(np.array([option]))[0])
            worst[worst > limit_m] = np.inf
            closer = (worst < best) | ((worst == best) & (t < which) & np.isfinite(worst))
            best[closer], which[closer] = worst[closer], t
        best[best > limit_m] = np.inf
        which[np.isinf(best)] = -1
        return best, which

    found = list(in_threads(measure_group, range(groups)))
    return Nearest(np.array([d for d, _ in found]).reshape(groups, len(origins)),
                   np.array([t for _, t in found], dtype=np.int64).reshape(groups, len(origins)))


def in_threads(work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterable[Any]:
    """Do work on each part, several at a time; results come in the order of the parts.

    >>> list(in_threads(abs, [-1, 2]))
    [1, 2]
    """
    jobs = list(parts)
    if len(jobs) < 2:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(min(len(jobs), os.cpu_count() or 1)) as pool:
        return list(pool.map(work, jobs))


def _options_of(access: Access, rows: Ints) -> Ints:
    count = np.diff(access.start)[rows]
    return (np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
            + np.repeat(access.start[rows], count))


def find_ends(network: StreetNetwork, access: Access, *, outward: bool) -> Ends:
    """Return what it costs from each option to both ends of its edge, or from there to it."""
    edge = access.edge
    with np.errstate(invalid="ignore"):
        part = np.clip(access.at_m / network.length_m[edge], 0.0, 1.0)
        there, back = network.cost_m[edge].T
        first, last = (back, there) if outward else (there, back)
        # At a node nothing is walked, whatever the direction of the street.
        cost = np.stack([np.where(part > 0, first * part, 0.0),
                         np.where(part < 1, last * (1 - part), 0.0)])
    return Ends(network.ends[edge].T.copy(), cost + access.leg_m)


def flood(arcs: Arcs, ends: Ends, options: Ints, label: Ints, limit_m: float
          ) -> tuple[Floats, NDArray[np.int32]]:
    """Search from options into the network: distance and label of every node within the limit."""
    from gridplan.network import kernels

    n = len(arcs.start) - 1
    dist, names = np.full(n, np.inf), np.full(n, -1, dtype=np.int32)
    node, metres = ends.node[:, options].reshape(-1), ends.cost_m[:, options].reshape(-1)
    name = np.concatenate([label, label]).astype(np.int32)
    order = np.argsort(metres, kind="stable")
    order = order[np.isfinite(metres[order])]
    if order.size and arcs.cost.size:
        longest = min(float(arcs.cost.max()), limit_m)
        width = max(float(arcs.cost.mean()) / _BUCKETS_AN_ARC, longest / (_MOST_BUCKETS - 2))
        ring = 1 << math.ceil(math.log2(longest / width + 2))
        kernels.search_from_all(arcs.start, arcs.other, arcs.cost, node[order].astype(np.int32),
                                metres[order], name[order], width, ring, limit_m, dist, names)
    elif order.size:
        np.minimum.at(dist, node[order], metres[order])
        for j in order[::-1].tolist():
            if metres[j] == dist[node[j]] <= limit_m:
                names[node[j]] = name[j]
    return dist, names


def _value(origins: Access, ends: Ends, far: NDArray[np.bool_], dist: Floats,
           label: NDArray[np.int32], out: Floats, which: Ints) -> tuple[Floats, Ints]:
    from gridplan.network import kernels

    return kernels.value_points(origins.start, ends.node[0], ends.node[1], ends.cost_m[0],
                                ends.cost_m[1], far, dist, label, out, which)


def along_edges(network: StreetNetwork, origins: Access, targets: Access, options: Ints,
                label: Ints, toward: bool) -> tuple[Floats, Ints]:
    """Return what the way along the edge itself costs from each option of the origins.

    Returns
    -------
    tuple
        (o,) effective metres to the nearest of the target ``options`` on the same edge, inf
        where there is none, and its label, -1.
    """
    out, which = np.full(len(origins.edge), np.inf), np.full(len(origins.edge), -1, dtype=np.int64)
    a, b = _same_edge(origins.edge, targets.edge[options])
    if a.size:
        d = _walk(network, origins, a, targets, options[b], toward)
        order = np.lexsort((label[b], d, a))
        first = order[np.flatnonzero(np.diff(a[order], prepend=-1))]
        out[a[first]], which[a[first]] = d[first], label[b[first]]
        which[np.isinf(out)] = -1
    return out, which


def _same_edge(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Return every pair of rows that name the same edge."""
    order = np.argsort(right, kind="stable")
    low = np.searchsorted(right[order], left)
    count = np.searchsorted(right[order], left, side="right") - low
    a = np.repeat(np.arange(len(left)), count)
    b = np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    return a, order[b]


def _walk(network: StreetNetwork, origins: Access, a: Ints, targets: Access, b: Ints, toward: bool
          ) -> Floats:
    """Return what it costs from option to option along the edge both are on, legs included."""
    edge = origins.edge[a]
    ahead = (targets.at_m[b] - origins.at_m[a]) / network.length_m[edge]
    if not toward:
        ahead = -ahead
    cost = np.where(ahead >= 0, network.cost_m[edge, 0], network.cost_m[edge, 1])
    with np.errstate(invalid="ignore"):
        walked = np.where(ahead == 0, 0.0, cost * np.abs(ahead))
    return np.asarray(origins.leg_m[a] + walked + targets.leg_m[b])


def kth_nearest(network: StreetNetwork, origins: Access, targets: Access, group: Ints,
                groups: int, k: int, *, limit_m: float, toward: bool = True) -> Floats:
    """Return how far the first, second … k-th nearest target of each group is.

    The arguments are those of :func:`nearest`, in the near reading.

    Returns
    -------
    ndarray
        (groups, n, k) effective metres, ascending; inf where fewer are within the limit.
    """
    out = np.full((groups, len(origins), k), np.inf)
    for g in range(groups):
        rows = np.flatnonzero(group == g)
        pairs = distances(network, origins, pick_access(targets, rows), limit_m=limit_m,
                          toward=toward)
        order = np.lexsort((pairs.distance_m, pairs.origin))
        origin = pairs.origin[order]
        rank = np.arange(len(origin)) - np.searchsorted(origin, origin)
        good = rank < k
        out[g, origin[good], rank[good]] = pairs.distance_m[order][good]
    return out


def pick_access(access: Access, rows: Ints) -> Access:
    """Return the access of some points, in the order of ``rows``.

    >>> one = np.array([1.0, 2.0])
    >>> both = Access(np.array([0, 1, 2]), np.array([4, 7]), one, one, np.zeros(2, bool))
    >>> pick_access(both, np.array([1])).edge
    array([7])
    """
    option = _options_of(access, rows)
    start = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(np.diff(access.start)[rows], out=start[1:])
    return Access(start, access.edge[option], access.at_m[option], access.leg_m[option],
                  access.uncertain[rows])


def distances(network: StreetNetwork, origins: Access, targets: Access, *,
              limit_m: float = math.inf, toward: bool = True) -> Pairs:
    """Return the distances of all pairs within a limit, in the near reading.

    The other arguments are those of :func:`nearest`.

    >>> from gridplan.network import build_network, find_access
    >>> import geopandas as gpd, shapely
    >>> network = build_network(gpd.GeoDataFrame({"road_id": ["a"]}, crs=4549, geometry=[
    ...     shapely.LineString([(0, 0), (1000, 0)])]))
    >>> at = find_access(network, shapely.points([[0, 0], [300, 0], [900, 0]]))
    >>> found = distances(network, at, at, limit_m=300)
    >>> list(zip(found.origin.tolist(), found.target.tolist(), found.distance_m.tolist()))
    [(0, 0, 0.0), (0, 1, 300.0), (1, 0, 300.0), (1, 1, 0.0), (2, 2, 0.0)]
    """
    from gridplan.network import kernels

    arcs = network.arriving if toward else network.leaving
    ends = find_ends(network, origins, outward=toward)
    seeds = find_ends(network, targets, outward=not toward)
    origin_of = np.repeat(np.arange(len(origins)), np.diff(origins.start))
    target_of = np.repeat(np.arange(len(targets)), np.diff(targets.start))
    first, (seed, seed_m) = _by_row(np.tile(target_of, 2), len(targets),
                                    seeds.node.reshape(-1), seeds.cost_m.reshape(-1))
    held, (point, point_m) = _by_row(ends.node.reshape(-1), network.nodes,
                                     np.tile(origin_of, 2), ends.cost_m.reshape(-1))
    a, b = _same_edge(origins.edge, targets.edge)
    direct, (near, near_m) = _by_row(target_of[b], len(targets), origin_of[a],
                                     _walk(network, origins, a, targets, b, toward))

    def measure(part: tuple[int, int]) -> tuple[Ints, Ints, Floats]:
        return kernels.spread(arcs.start, arcs.other, arcs.cost, first, seed, seed_m, held, point,
                              point_m, direct, near, near_m, limit_m, *part, len(origins))

    cuts = np.linspace(0, len(targets), 2 * (os.cpu_count() or 1) + 1).astype(int).tolist()
    parts = [(low, high) for low, high in itertools.pairwise(cuts) if low < high]
    found = list(in_threads(measure, parts))
    target, origin, metres = (np.concatenate([f[j] for f in found]) if found else np.zeros(0)
                              for j in range(3))
    order = np.lexsort((target, origin))
    return Pairs(origin[order].astype(np.int64), target[order].astype(np.int64), metres[order])


def _by_row(row: Ints, rows: int, what: Ints, metres: Floats
            ) -> tuple[Ints, tuple[NDArray[np.int32], Floats]]:
    """Sort values by their row; return where each row begins, and the values."""
    order = np.argsort(row, kind="stable")
    order = order[np.isfinite(metres[order])]
    start = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(np.bincount(row[order], minlength=rows), out=start[1:])
    return start, (what[order].astype(np.int32), metres[order])
