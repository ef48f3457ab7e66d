"""Networks from and for other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from gridplan.errors import Finding, InputError
from gridplan.network.build import curve_key, find_usable
from gridplan.network.model import StreetNetwork
from gridplan.params import NetworkParams


def from_osmnx(graph: Any, mode: str = "foot", params: NetworkParams | None = None
               ) -> StreetNetwork:
    """Take over a graph of osmnx, projected to metres.

    An edge and its counterpart in the other direction (same OSM id, same length) become one edge;
    one without counterpart can be used in its direction only, except on foot.

    Raises
    ------
    InputError
        The graph is not projected, or has no edges.

    >>> import networkx as nx
    >>> graph = nx.MultiDiGraph(crs="EPSG:4549")
    >>> graph.add_nodes_from([(1, {"x": 0.0, "y": 0.0}), (2, {"x": 50.0, "y": 0.0})])
    >>> _ = graph.add_edge(1, 2, osmid=7, length=50.0)
    >>> from_osmnx(graph, "car").cost_m.tolist()
    [[50.0, inf]]
    """
    import pyproj

    crs = pyproj.CRS.from_user_input(graph.graph["crs"])
    if not crs.is_projected:
        raise InputError(Finding("network.not_metric"))
    names = sorted(graph.nodes, key=str)
    number = {name: k for k, name in enumerate(names)}
    xy = np.array([(graph.nodes[n]["x"], graph.nodes[n]["y"]) for n in names], dtype=np.float64)
    edges: dict[tuple[int, int, str, float, int], list[Any]] = {}
    for u, v, key, data in sorted(graph.edges(keys=True, data=True), key=lambda e: str(e[:3])):
        a, b, ahead = number[u], number[v], number[u] <= number[v]
        length = float(data["length"])
        name = (min(a, b), max(a, b), str(data.get("osmid", "")), round(length, 3))
        twin = 0
        while (held := edges.get((*name, twin))) is not None and (a == b or held[0][not ahead]):
            twin += 1
        if held is None:
            line = data.get("geometry") or shapely.linestrings([xy[a], xy[b]])
            held = edges[(*name, twin)] = [[False, False], length, line if ahead
                                           else shapely.reverse(line), str(key)]
        held[0][not ahead] = True
    if not edges:
        raise InputError(Finding("network.no_roads", values={"rows": 0}))
    order = np.argsort(curve_key(xy), kind="stable")
    rank = np.empty(len(xy), dtype=np.int64)
    rank[order] = np.arange(len(xy))
    ends = rank[np.array([name[:2] for name in edges], dtype=np.int64)]
    length_m = np.array([held[1] for held in edges.values()])
    allowed = np.array([held[0] for held in edges.values()]) | (mode == "foot")
    cost = np.where(allowed, length_m[:, None], np.inf)
    geometry = np.empty(len(edges), dtype=object)
    geometry[:] = [held[2] for held in edges.values()]
    component, usable = find_usable(len(xy), ends, length_m, cost, mode,
                                    (params or NetworkParams()).island_m)
    road = np.array([name[2] for name in edges], dtype=object)
    return StreetNetwork(mode=mode, crs=crs, xy=xy[order], ends=ends, length_m=length_m,
                         cost_m=cost, road=road, geometry=geometry, component=component,
                         usable=usable)


def to_networkx(network: StreetNetwork) -> Any:
    """Return the arcs of a network as a networkx MultiDiGraph.

    Nodes are numbers with ``x`` and ``y``; arcs have the number of their edge as key, and
    ``road_id``, ``length`` and ``cost``. An arc that is not allowed is left out.

    >>> import geopandas as gpd
    >>> from gridplan.network.build import build_network
    >>> graph = to_networkx(build_network(gpd.GeoDataFrame({"road_id": ["a"]}, crs=4549,
    ...     geometry=[shapely.LineString([(0, 0), (100, 0)])])))
    >>> [(u, v, d["cost"]) for u, v, d in graph.edges(data=True)]
    [(0, 1, 100.0), (1, 0, 100.0)]
    """
    import networkx as nx

    graph: Any = nx.MultiDiGraph(crs=network.crs)
    graph.add_nodes_from((k, {"x": x, "y": y}) for k, (x, y) in enumerate(network.xy.tolist()))
    rows = zip(network.ends.tolist(), network.cost_m.tolist(), network.length_m.tolist(),
               network.road.tolist(), strict=True)
    for edge, ((u, v), costs, length, road) in enumerate(rows):
        for (a, b), cost in zip(((u, v), (v, u)), costs, strict=True):
            if np.isfinite(cost) and not graph.has_edge(a, b, edge):
                graph.add_edge(a, b, edge, road_id=road, length=length, cost=cost)
    return graph
