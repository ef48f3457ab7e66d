"""Where one gets to along the streets, and which way one goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.network.model import Access, Reach, StreetNetwork
from gridplan.network.search import Ends, Floats, Ints, find_ends, flood, pick_access


def reach(network: StreetNetwork, source: Access, rows: Ints, *, limit_m: float,
          toward: bool = True) -> Reach:
    """Return the parts of edges from which some source is within a limit.

    Parameters
    ----------
    source
        Points with their access; ``rows`` picks those that count. Of uncertain ones all options
        count.
    limit_m
        Effective metres, the leg of the source included.
    toward
        Whether the way is from the street to the source, or back.

    Returns
    -------
    Reach
        Parts by edge, then by where they begin; parts that meet are one.

    >>> from gridplan.network import build_network, find_access
    >>> import geopandas as gpd
    >>> network = build_network(gpd.GeoDataFrame({"road_id": ["a"]}, crs=4549, geometry=[
    ...     shapely.LineString([(0, 0), (1000, 0)])]))
    >>> at = find_access(network, shapely.points([[300, 10]]))
    >>> found = reach(network, at, np.array([0]), limit_m=110)
    >>> found.start_m.tolist(), found.end_m.tolist()
    ([200.0], [400.0])
    """
    held = pick_access(source, rows)
    arcs = network.arriving if toward else network.leaving
    ends = find_ends(network, held, outward=not toward)
    every = np.arange(len(held.edge))
    dist, _ = flood(arcs, ends, every, np.zeros(len(every), dtype=np.int64), limit_m)
    # From a place on an edge to its first end one walks against it, to its last end along it.
    along, against = network.cost_m.T if toward else network.cost_m.T[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        first = (limit_m - dist[network.ends[:, 0]]) / against
        last = (limit_m - dist[network.ends[:, 1]]) / along
        back = (limit_m - held.leg_m) / along[held.edge]
        ahead = (limit_m - held.leg_m) / against[held.edge]
    edge = np.arange(network.edges)
    length = network.length_m
    from_first, from_last = np.flatnonzero(first >= 0), np.flatnonzero(last >= 0)
    near = np.flatnonzero(held.leg_m <= limit_m)
    own = held.edge[near]
    edges = np.concatenate([edge[from_first], edge[from_last], own])
    low = np.concatenate([np.zeros(len(from_first)),
                          length[from_last] * (1 - np.minimum(last[from_last], 1.0)),
                          held.at_m[near] - length[own] * np.minimum(back[near], 1.0)])
    high = np.concatenate([length[from_first] * np.minimum(first[from_first], 1.0),
                           length[from_last],
                           held.at_m[near] + length[own] * np.minimum(ahead[near], 1.0)])
    return _merge(edges, np.maximum(low, 0.0), np.minimum(high, length[edges]))


def _merge(edge: Ints, low: Floats, high: Floats) -> Reach:
    """Join parts of one edge that meet; leave out parts without length."""
    order = np.lexsort((high, low, edge))
    edge, low, high = edge[order], low[order], high[order]
    kept: list[tuple[int, float, float]] = []
    for e, a, b in zip(edge.tolist(), low.tolist(), high.tolist(), strict=True):
        if kept and kept[-1][0] == e and a <= kept[-1][2]:
            kept[-1] = (e, kept[-1][1], max(b, kept[-1][2]))
        else:
            kept.append((e, a, b))
    kept = [part for part in kept if part[2] > part[1]]
    return Reach(np.array([e for e, _, _ in kept], dtype=np.int64),
                 np.array([a for _, a, _ in kept]), np.array([b for _, _, b in kept]))


def trace_paths(network: StreetNetwork, origins: Access, targets: Access) -> NDArray[np.object_]:
    """Return the cheapest way from each origin to the target of the same row.

    Returns
    -------
    ndarray
        (k,) LineStrings along the streets, from where the origin enters the network to where
        the target does, without the legs; None where there is no way. A way without length is a
        line of twice the same point.

    >>> from gridplan.network import build_network, find_access
    >>> import geopandas as gpd
    >>> network = build_network(gpd.GeoDataFrame({"road_id": ["a"]}, crs=4549, geometry=[
    ...     shapely.LineString([(0, 0), (1000, 0)])]))
    >>> at = find_access(network, shapely.points([[300, 10], [100, 0]]))
    >>> [line.wkt for line in trace_paths(network, at, at)]
    ['LINESTRING (300 0, 300 0)', 'LINESTRING (100 0, 100 0)']
    """
    if len(origins) != len(targets):
        raise ValueError("one target per origin")
    outward = find_ends(network, origins, outward=True)
    inward = find_ends(network, targets, outward=False)
    out = np.full(len(origins), None, dtype=object)
    for i in range(len(origins)):
        here = slice(int(origins.start[i]), int(origins.start[i + 1]))
        there = slice(int(targets.start[i]), int(targets.start[i + 1]))
        out[i] = _trace(network, origins, outward, here, targets, inward, there)
    return out


def _trace(network: StreetNetwork, origins: Access, outward: Ends, here: slice, targets: Access,
           inward: Ends, there: slice) -> Any:
    from gridplan.network import kernels

    arcs = network.leaving
    dist, via = np.full(network.nodes, np.inf), np.full(network.nodes, -1, dtype=np.int64)
    goal, goal_m = inward.node[:, there].reshape(-1), inward.cost_m[:, there].reshape(-1)
    found = kernels.grow_tree(arcs.start, arcs.other, arcs.cost, outward.node[:, here].reshape(-1),
                              outward.cost_m[:, here].reshape(-1), goal, goal_m, dist, via)
    best = np.inf if found < 0 else float(dist[goal[found]] + goal_m[found])
    direct = _direct(network, origins, here, targets, there)
    if direct is not None and direct[0] <= best:
        _, edge, start, end = direct
        return _join([_part(network.geometry[edge], start, end)])
    if found < 0:
        return None
    pieces = []
    options = there.stop - there.start
    o = there.start + found % options
    edge = int(targets.edge[o])
    pieces.append(_part(network.geometry[edge], 0.0 if found < options else
                        float(network.length_m[edge]), float(targets.at_m[o])))
    x = int(goal[found])
    while via[x] >= 0:
        arc = int(via[x])
        before = int(np.searchsorted(arcs.start, arc, side="right")) - 1
        line = network.geometry[arcs.edge[arc]]
        ahead = int(network.ends[arcs.edge[arc], 0]) == before
        pieces.append(shapely.get_coordinates(line if ahead else shapely.reverse(line)))
        x = before
    seed, options = -2 - int(via[x]), here.stop - here.start
    o = here.start + seed % options
    edge = int(origins.edge[o])
    pieces.append(_part(network.geometry[edge], float(origins.at_m[o]),
                        0.0 if seed < options else float(network.length_m[edge])))
    return _join(pieces[::-1])


def _direct(network: StreetNetwork, origins: Access, here: slice, targets: Access, there: slice
            ) -> tuple[float, int, float, float] | None:
    """Return the cheapest way along an edge that both are on: cost, edge, from, to."""
    best: tuple[float, int, float, float] | None = None
    for o in range(here.start, here.stop):
        for t in range(there.start, there.stop):
            edge = int(origins.edge[o])
            if edge != targets.edge[t]:
                continue
            a, b = float(origins.at_m[o]), float(targets.at_m[t])
            rate = float(network.cost_m[edge, int(b < a)]) / float(network.length_m[edge])
            walked = 0.0 if a == b else rate * abs(b - a)
            cost = walked + float(origins.leg_m[o]) + float(targets.leg_m[t])
            if np.isfinite(cost) and (best is None or cost < best[0]):
                best = (cost, edge, a, b)
    return best


def _part(line: Any, start_m: float, end_m: float) -> Floats:
    """Return the vertices of a line between two places along it, in that direction."""
    from shapely.ops import substring

    return shapely.get_coordinates(substring(line, start_m, end_m))


def _join(pieces: list[Floats]) -> Any:
    xy = np.concatenate(pieces)
    keep = np.ones(len(xy), dtype=bool)
    keep[1:] = np.hypot(*(xy[1:] - xy[:-1]).T) > 1e-9
    xy = xy[keep]
    return shapely.linestrings(xy if len(xy) > 1 else np.repeat(xy, 2, axis=0))
