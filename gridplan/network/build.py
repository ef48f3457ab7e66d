"""Roads → StreetNetwork."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.errors import Findings, first_ids
from gridplan.network import noding, usage
from gridplan.network.elevation import Elevation, sample_nodes
from gridplan.network.model import StreetNetwork
from gridplan.network.noding import MM, Chains, Floats, Ints
from gridplan.params import MODES, NetworkParams

_LINES = (1, 2, 5)  # shapely's numbers of lines, rings and multilines
_CURVE_BITS = 16


def build_network(roads: gpd.GeoDataFrame, mode: str = "foot", *,
                  barriers: gpd.GeoDataFrame | None = None,
                  estates: gpd.GeoDataFrame | None = None, gates: gpd.GeoDataFrame | None = None,
                  elevation: Elevation | None = None, params: NetworkParams | None = None,
                  findings: Findings | None = None) -> StreetNetwork:
    """Make the network of the roads that a mode may use.

    Vertices are rounded to 1 mm. Nodes are the ends of lines and the vertices that two roads
    share; loose ends are joined within ``join_m``; roads that cross without a vertex are joined
    where most of the data is drawn so. The order of the rows does not matter.

    Parameters
    ----------
    roads
        Lines in a projected CRS in metres, indexed by road_id or with that column; further
        columns as in the layer ``roads``, any of them may be missing.
    mode
        foot, bike, ebike or car.
    barriers
        Only e-bikes need them: bridges over water and rail are open to them.
    estates, gates
        Where a gate is closed to the mode (``car`` for cars, ``foot`` for all others), the roads
        are cut within 5 m of it.
    elevation
        Heights for walkers; other modes do without.
    findings
        Takes the warnings ``network.islands`` and ``network.traps``.

    Raises
    ------
    InputError
        The roads are no lines or not in metres; none is left; the elevation does not cover them.

    >>> roads = gpd.GeoDataFrame({"road_id": ["a", "b"]}, crs=4549, geometry=[
    ...     shapely.LineString([(0, 0), (100, 0)]), shapely.LineString([(60, 0.2), (60, 80)])])
    >>> network = build_network(roads)
    >>> network.nodes, network.edges, network.length_m.round(1).tolist()
    (4, 3, [60.0, 40.0, 80.0])
    """
    if mode not in MODES:
        raise ValueError(f"no such mode: {mode}")
    params, findings = params or NetworkParams(), findings or Findings()
    frame, lines, row = _take_lines(roads, mode, barriers, findings)
    chains, cuts = _join(lines, frame, row, mode, estates, gates, params)
    ends, xy, geometry, line = _draw_edges(chains, cuts)
    length = shapely.length(geometry)
    cost = _price(frame, row[line], length, mode, params)
    if elevation is not None and mode == "foot":
        cost *= _climb(xy, ends, length, elevation, roads.crs, findings)
    road = _ids(frame)[row[line]]
    component, usable = find_usable(len(xy), ends, length, cost, mode, params.island_m)
    _tell_pieces(ends, length, cost, road, usable, len(xy), findings)
    return StreetNetwork(mode=mode, crs=roads.crs, xy=xy, ends=ends, length_m=length, cost_m=cost,
                         road=road, geometry=geometry, component=component, usable=usable)


def _ids(frame: pd.DataFrame) -> NDArray[np.object_]:
    held = frame["road_id"] if "road_id" in frame.columns else frame.index
    return np.asarray(pd.Index(held).astype(str).to_numpy(dtype=object))


def _take_lines(roads: gpd.GeoDataFrame, mode: str, barriers: gpd.GeoDataFrame | None,
                findings: Findings) -> tuple[gpd.GeoDataFrame, NDArray[np.object_], Ints]:
    """Return the open roads by id, their lines, and the row of each line."""
    if roads.crs is None or not roads.crs.is_projected:
        findings.add("network.not_metric", layer="roads")
        findings.stop_on_faults()
    kinds = shapely.get_type_id(roads.geometry.to_numpy())
    empty = (kinds < 0) | shapely.is_empty(roads.geometry.to_numpy())
    wrong = ~np.isin(kinds, _LINES) & ~empty
    if wrong.any():
        ids = _ids(roads)[wrong]
        findings.add("network.not_lines", layer="roads", row=ids[0], count=len(ids),
                     rows=first_ids(ids))
    findings.stop_on_faults()
    held = roads[usage.is_open(roads, mode, barriers) & ~empty]
    frame = held.iloc[np.argsort(_ids(held).astype(str), kind="stable")]
    lines, row = shapely.get_parts(frame.geometry.to_numpy(), return_index=True)
    if not len(lines):
        findings.add("network.no_roads", layer="roads", field=mode, rows=len(roads))
        findings.stop_on_faults()
    return frame, lines, row.astype(np.int64)


def _join(lines: NDArray[np.object_], frame: gpd.GeoDataFrame, row: Ints, mode: str,
          estates: gpd.GeoDataFrame | None, gates: gpd.GeoDataFrame | None, params: NetworkParams
          ) -> tuple[Chains, list[noding.Cut]]:
    level = (pd.to_numeric(frame["level"]).fillna(0).to_numpy(dtype=np.int64)
             if "level" in frame.columns else np.zeros(len(frame), np.int64))
    chains = noding.make_chains(lines, level[row])
    chains = noding.join_loose_ends(chains, params.join_m)
    if params.crossings != "apart":
        found = noding.find_crossings(chains)
        if params.crossings == "join" or noding.are_hand_drawn(found):
            chains = noding.join_crossings(chains, found)
    if estates is None or gates is None or not len(gates):
        return chains, []
    column = "car" if mode == "car" else "foot"
    closed = gates[~gates[column].astype("boolean").fillna(True).to_numpy(dtype=bool)]
    at = estates.index.get_indexer(pd.Index(closed["estate_id"].astype(object)))
    order = np.flatnonzero(at >= 0)
    order = order[np.argsort(closed.index[order].astype(str), kind="stable")]
    return noding.find_cuts(chains, closed.geometry.to_numpy()[order], at[order],
                            estates.geometry.to_numpy())


def _draw_edges(chains: Chains, cuts: list[noding.Cut]
                ) -> tuple[Ints, Floats, NDArray[np.object_], Ints]:
    """Return the ends, nodes, geometry and line of every edge, in the order of the lines."""
    place = noding.number_places(chains.xy)
    node = np.bincount(place)[place] > 1
    node[chains.first] = node[chains.last] = True
    for x, y in [cut.xy for cut in cuts]:
        node |= (chains.xy[:, 0] == x) & (chains.xy[:, 1] == y)
    at = np.flatnonzero(node)
    good = chains.line[at[:-1]] == chains.line[at[1:]]
    start, end = at[:-1][good], at[1:][good]
    count = end - start + 1
    edge = np.repeat(np.arange(len(start)), count)
    vertex = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + start[edge]
    xy = chains.xy / MM
    geometry = np.asarray(shapely.linestrings(xy[vertex], indices=edge))
    used, ends = np.unique(place[np.stack([start, end], axis=1)], return_inverse=True)
    of_place = np.zeros(int(place.max()) + 1, dtype=np.int64)
    of_place[place] = np.arange(len(place))
    nodes = chains.xy[of_place[used]]
    ends = ends.reshape(-1, 2).astype(np.int64)
    if cuts:
        middles = {"first": (xy[start] + xy[start + 1]) / 2, "last": (xy[end] + xy[end - 1]) / 2}
        ends, nodes = noding.split_at_cuts(ends, middles, nodes, cuts)
    ends, nodes = _number_along_curve(ends, nodes)
    return ends, nodes / MM, geometry, chains.line[start]


def _number_along_curve(ends: Ints, nodes: Ints) -> tuple[Ints, Ints]:
    """Renumber the nodes so that near ones lie near in memory: searches run twice as fast."""
    order = np.argsort(curve_key(nodes), kind="stable")
    rank = np.empty(len(nodes), dtype=np.int64)
    rank[order] = np.arange(len(nodes))
    return rank[ends], nodes[order]


def curve_key(xy: NDArray[Any]) -> Ints:
    """Return the position of points along a Z-shaped curve through their extent.

    >>> curve_key(np.array([[0, 0], [1, 0], [0, 1], [1, 1]])).argsort().tolist()
    [0, 1, 2, 3]
    """
    low = xy.min(axis=0)
    span = max(float((xy.max(axis=0) - low).max()), 1e-9)
    grid = ((xy - low) / span * (2**_CURVE_BITS - 1)).astype(np.int64)
    key = np.zeros(len(xy), dtype=np.int64)
    for bit in range(_CURVE_BITS):
        for axis in (0, 1):
            key |= ((grid[:, axis] >> bit) & 1) << (2 * bit + axis)
    return key


def _price(frame: gpd.GeoDataFrame, row: Ints, length: Floats, mode: str, params: NetworkParams
           ) -> Floats:
    metres = length * usage.factors(frame, mode, params)[row]
    allowed = usage.directions(frame, mode)[row]
    return np.where(allowed, metres[:, None], np.inf)


def _climb(xy: Floats, ends: Ints, length: Floats, elevation: Elevation, crs: Any,
           findings: Findings) -> Floats:
    """Return what slopes multiply the cost of every edge by: (m, 2)."""
    height = sample_nodes(elevation, xy, crs, findings)
    slope = (height[ends[:, 1]] - height[ends[:, 0]]) / length
    return np.stack([usage.slope_factor(slope), usage.slope_factor(-slope)], axis=1)


def find_usable(nodes: int, ends: Ints, length: Floats, cost: Floats, mode: str, island_m: float
                 ) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the piece of every node, the largest first, and which edges may be snapped to.

    On foot pieces are what hangs together, else what can be gone round in both directions. The
    largest by length is usable, and any with at least ``island_m`` of edges.
    """
    piece = find_pieces(nodes, ends, cost, strong=mode != "foot")
    inside = piece[ends[:, 0]] == piece[ends[:, 1]]
    size = np.bincount(piece[ends[inside, 0]], weights=length[inside],
                       minlength=int(piece.max()) + 1)
    first = np.full(len(size), nodes)
    np.minimum.at(first, piece, np.arange(nodes))
    order = np.lexsort((first, -np.round(size, 6)))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    good = (size >= island_m) | (rank == 0)
    return rank[piece], inside & good[piece[ends[:, 0]]]


def find_pieces(nodes: int, ends: Ints, cost: Floats, *, strong: bool) -> Ints:
    """Find the connected pieces of nodes; strong ones can be gone round in both directions.

    >>> ends, cost = np.array([[0, 1], [1, 2]]), np.array([[1.0, 1.0], [1.0, np.inf]])
    >>> [len(set(find_pieces(3, ends, cost, strong=s).tolist())) for s in (False, True)]
    [1, 2]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    there, back = np.isfinite(cost[:, 0]), np.isfinite(cost[:, 1])
    u = np.concatenate([ends[there, 0], ends[back, 1]])
    v = np.concatenate([ends[there, 1], ends[back, 0]])
    graph = coo_array((np.ones(len(u), dtype=np.int8), (u, v)), shape=(nodes, nodes)).tocsr()
    return connected_components(graph, directed=True, connection="strong" if strong else "weak"
                                )[1].astype(np.int64)


def _tell_pieces(ends: Ints, length: Floats, cost: Floats, road: NDArray[np.object_],
                 usable: NDArray[np.bool_], nodes: int, findings: Findings) -> None:
    """Warn of what cannot be reached at all, and of what can be entered or left only."""
    piece = find_pieces(nodes, ends, cost, strong=False)[ends[:, 0]]
    count = int(piece.max()) + 1
    alive = np.bincount(piece[usable], minlength=count) > 0
    for key, which in (("network.islands", ~alive[piece]),
                       ("network.traps", alive[piece] & ~usable)):
        if which.any():
            ids = _in_order(road[which])
            findings.add(key, "warning", layer="roads", row=ids[0],
                         count=len(np.unique(piece[which])) if key == "network.islands"
                         else int(which.sum()),
                         length=f"{length[which].sum():,.0f}", roads=first_ids(ids))


def _in_order(ids: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(i) for i in ids))
