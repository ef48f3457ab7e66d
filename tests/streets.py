"""Small towns for the tests of the network, and a plain second way to build and search one.

The second way follows the definitions word by word, with loops and networkx; it shares no code
with the package.
"""

from __future__ import annotations

import itertools
import math

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely

CRS = 4549
CAR_KEEPS_OFF = {"footway", "path", "steps", "pedestrian", "cycleway", "track", "bridleway",
                 "corridor"}


def draw_roads(roads, **columns) -> gpd.GeoDataFrame:
    """Roads out of ``{"a": [(0, 0), (9, 0)]}``; a column is a dict by road."""
    frame = gpd.GeoDataFrame(
        {name: [held.get(r) for r in roads] for name, held in columns.items()},
        index=pd.Index(list(roads), name="road_id", dtype=object),
        geometry=[shapely.LineString(xy) for xy in roads.values()], crs=CRS)
    if "level" in frame:
        frame["level"] = frame["level"].astype("Int64")
    for mode in {"foot", "bike", "ebike", "car"} & set(frame.columns):
        frame[mode] = frame[mode].astype("boolean")
    return frame


def draw_barriers(shapes) -> gpd.GeoDataFrame | None:
    """Barriers out of ``[("wall", line), ("water", polygon)]``."""
    if not shapes:
        return None
    return gpd.GeoDataFrame({"barrier_id": [f"X{i}" for i in range(len(shapes))],
                             "kind": [kind for kind, _ in shapes]},
                            geometry=[shape for _, shape in shapes], crs=CRS
                            ).set_index("barrier_id")


def draw_estates(estates) -> gpd.GeoDataFrame | None:
    """Estates out of ``{"E1": polygon}``."""
    if not estates:
        return None
    return gpd.GeoDataFrame(index=pd.Index(list(estates), name="estate_id", dtype=object),
                            geometry=[shapely.multipolygons([e]) if e.geom_type == "Polygon"
                                      else e for e in estates.values()], crs=CRS)


def draw_gates(gates) -> gpd.GeoDataFrame | None:
    """Gates out of ``[("E1", (0, 0), foot, car)]``."""
    if not gates:
        return None
    return gpd.GeoDataFrame(
        {"gate_id": [f"G{i}" for i in range(len(gates))], "estate_id": [g[0] for g in gates],
         "foot": pd.array([g[2] for g in gates], "boolean"),
         "car": pd.array([g[3] for g in gates], "boolean")},
        geometry=[shapely.Point(g[1]) for g in gates], crs=CRS).set_index("gate_id")


# ---- the second way ------------------------------------------------------------------------

def close(a, b):
    return math.hypot(a[0] - b[0], a[1] - b[1])


class PlainNetwork:
    """A network in loops: edges are (road, node, node, line), nodes are coordinates or splits."""

    def __init__(self, roads, mode="foot", *, estates=None, gates=None, join_m=0.5,
                 island_m=2000.0):
        self.mode, self.island_m = mode, island_m
        roads = roads.sort_index()
        held = roads[[self._may_use(row) for _, row in roads.iterrows()]]
        self.level = {r: 0 if pd.isna(row.get("level")) else int(row.level)
                      for r, row in held.iterrows()}
        self.way = {r: row.get("one_way") for r, row in held.iterrows()}
        self.chain = {}
        for r, line in held.geometry.items():
            xy = [(round(x, 3), round(y, 3)) for x, y in line.coords]
            xy = [p for p, _ in itertools.groupby(xy)]
            if len(xy) > 1:
                self.chain[r] = xy
        self._join_loose(join_m)
        self._join_crossings()
        cuts = self._cut(estates, gates)
        self._make_edges(cuts)
        self._find_usable()

    def _may_use(self, row):
        told = row.get(self.mode)
        if told is not None and not pd.isna(told):
            return bool(told)
        kind = row.get("road_class")
        if self.mode == "car":
            return kind not in CAR_KEEPS_OFF
        return kind not in {"motorway", "trunk", "motorway_link", "trunk_link"}

    def _owners(self):
        owners = {}
        for r, xy in self.chain.items():
            for p in xy:
                owners.setdefault(p, set()).add(r)
        return owners

    def _loose(self):
        owners = self._owners()
        return [(r, k) for r, xy in self.chain.items() for k in (0, -1)
                if owners[xy[k]] == {r}]

    def _join_loose(self, join_m):
        rows = [(r, k) for r, xy in self.chain.items() for k in range(len(xy))]
        tree = shapely.STRtree([shapely.Point(self.chain[r][k]) for r, k in rows])
        joined = set()
        for r, end in self._loose():
            here = self.chain[r][end]
            if here in joined:
                continue
            near = sorted(tree.query(shapely.Point(here), predicate="dwithin",
                                     distance=join_m + 1e-6))
            found = [(close(here, self.chain[s][k]), i, self.chain[s][k])
                     for i, (s, k) in ((i, rows[i]) for i in near)
                     if s != r and self.level[s] == self.level[r]]
            found = [f for f in found if f[0] <= join_m + 1e-9]
            if found:
                self.chain[r][end] = min(found)[2]
                joined.add(min(found)[2])
        self.chain = {r: held for r, xy in self.chain.items()
                      if len(held := [p for p, _ in itertools.groupby(xy)]) > 1}
        lines = {r: shapely.LineString(xy) for r, xy in self.chain.items()}
        names = list(lines)
        tree = shapely.STRtree(list(lines.values()))
        added = []
        for r, end in self._loose():
            here = shapely.Point(self.chain[r][end])
            near = [names[i] for i in sorted(tree.query(here, predicate="dwithin",
                                                        distance=join_m))]
            found = [(round(lines[s].distance(here), 6), names.index(s), s) for s in near
                     if s != r and self.level[s] == self.level[r]]
            if found:
                s = min(found)[2]
                along = lines[s].project(here)
                point = lines[s].interpolate(along)
                place = (round(point.x, 3), round(point.y, 3))
                self.chain[r][end] = place
                added.append((s, along, place))
        self._insert(added)

    def _insert(self, added):
        """Give roads vertices at places along their lines as they were."""
        by_road = {}
        for r, along, place in added:
            by_road.setdefault(r, []).append((along, 1, place))
        for r, new in by_road.items():
            xy = self.chain[r]
            steps = itertools.accumulate((close(a, b) for a, b in itertools.pairwise(xy)),
                                         initial=0.0)
            merged = sorted([(d, 0, p) for d, p in zip(steps, xy, strict=True)] + new)
            self.chain[r] = [p for p, _ in itertools.groupby(p for _, _, p in merged)]

    def _join_crossings(self):
        lines = {r: shapely.LineString(xy) for r, xy in self.chain.items()}
        names = list(lines)
        shared, added, count = 0, [], 0
        tree = shapely.STRtree(list(lines.values()))
        for i, j in sorted(zip(*tree.query(list(lines.values())), strict=True)):
            a, b = names[i], names[j]
            if i >= j or self.level[a] != self.level[b] or not lines[a].crosses(lines[b]):
                continue
            for x, y in dict.fromkeys(map(tuple, np.round(shapely.get_coordinates(
                    lines[a].intersection(lines[b])), 3).tolist())):
                has = [(x, y) in self.chain[r] for r in (a, b)]
                if not any((x, y) in (self.chain[r][0], self.chain[r][-1]) for r in (a, b)):
                    count += 1
                    shared += all(has)
                added += [(r, lines[r].project(shapely.Point(x, y)), (x, y))
                          for r, h in zip((a, b), has, strict=True) if not h]
        if 2 * shared < count:
            self._insert(added)

    def _cut(self, estates, gates):
        """Return {(place, estate): polygon} where closed gates cut."""
        cuts = {}
        if estates is None or gates is None:
            return cuts
        column = "car" if self.mode == "car" else "foot"
        for _, gate in gates.iterrows():
            if pd.isna(gate[column]) or gate[column] or gate.estate_id not in estates.index:
                continue
            polygon = estates.geometry[gate.estate_id]
            added = []
            for r, xy in self.chain.items():
                line = shapely.LineString(xy)
                if line.distance(gate.geometry) > 5:
                    continue
                on = [p for p in xy if polygon.boundary.distance(shapely.Point(p)) <= 0.05
                      and gate.geometry.distance(shapely.Point(p)) <= 5]
                for p in on:
                    cuts[p, gate.estate_id] = polygon
                for x, y in shapely.get_coordinates(line.intersection(polygon.boundary)):
                    point = shapely.Point(x, y)
                    if gate.geometry.distance(point) <= 5 and all(
                            close(p, (x, y)) > 0.05 for p in on):
                        place = (round(x, 3), round(y, 3))
                        cuts[place, gate.estate_id] = polygon
                        added.append((r, line.project(point), place))
            self._insert(added)
        return cuts

    def _make_edges(self, cuts):
        owners = {}
        for xy in self.chain.values():
            for p in xy:
                owners[p] = owners.get(p, 0) + 1
        cut_at = {}
        for (place, _), polygon in cuts.items():
            cut_at.setdefault(place, []).append(polygon)

        def node(place, beside):
            middle = shapely.Point((place[0] + beside[0]) / 2, (place[1] + beside[1]) / 2)
            return (place, tuple(p.intersects(middle) for p in cut_at.get(place, ())))

        self.edges = []
        for r, xy in self.chain.items():
            stops = [k for k, p in enumerate(xy)
                     if k in (0, len(xy) - 1) or owners[p] > 1 or p in cut_at]
            for a, b in itertools.pairwise(stops):
                self.edges.append((r, node(xy[a], xy[a + 1]), node(xy[b], xy[b - 1]),
                                   shapely.LineString(xy[a:b + 1])))
        self.lines = np.array([e[3] for e in self.edges], dtype=object)

    def _directions(self, road):
        way = self.way[road]
        if self.mode == "foot" or way is None or pd.isna(way):
            return True, True
        return way not in ("backward", "-1", "reverse"), way not in ("forward", "yes", "true", "1")

    def cost(self, edge, start, end):
        """Metres from one share of an edge to another."""
        length = self.edges[edge][3].length
        ahead, back = self._directions(self.edges[edge][0])
        if start == end:
            return 0.0
        return length * abs(end - start) if (ahead if end > start else back) else math.inf

    def _find_usable(self):
        graph = nx.DiGraph()
        for e, (_, u, v, _) in enumerate(self.edges):
            graph.add_nodes_from((u, v))
            for a, b, cost in ((u, v, self.cost(e, 0, 1)), (v, u, self.cost(e, 1, 0))):
                if cost < math.inf and (not graph.has_edge(a, b) or graph[a][b]["w"] > cost):
                    graph.add_edge(a, b, w=cost)
        self.graph = graph
        piece, size = {}, {}
        for k, nodes in enumerate(nx.strongly_connected_components(graph)):
            piece.update(dict.fromkeys(nodes, k))
        for _, u, v, line in self.edges:
            if piece[u] == piece[v]:
                size[piece[u]] = size.get(piece[u], 0.0) + line.length
        best = max(size.values(), default=0.0)
        self.usable = np.array([piece[u] == piece[v] and (
            size[piece[u]] >= self.island_m or size[piece[u]] == best)
            for _, u, v, _ in self.edges], dtype=bool)


class PlainGround:
    """Obstacles and estates, for snapping point by point."""

    def __init__(self, barriers=None, estates=None, gates=None):
        self.walls = [] if barriers is None else [
            g for kind, g in zip(barriers.kind, barriers.geometry, strict=True)
            if kind in ("wall", "water", "river", "rail")]
        self.estates = {} if estates is None else dict(estates.geometry.sort_index().items())
        held = [] if gates is None else list(gates.sort_index().itertuples())
        self.open = {e: [g.geometry for g in held if g.estate_id == e
                         and (pd.isna(g.foot) or g.foot)] for e in self.estates}
        self.gated = {g.estate_id for g in held}
        self.outlines = {e: shape.boundary for e, shape in self.estates.items() if self.open[e]}
        self.tree = shapely.STRtree([*self.walls, *self.outlines.values()])

    def blocked(self, a, b, without=None, outlines=True):
        d = close(a, b)
        if d <= 0.1:
            return False
        t = 0.05 / d
        leg = shapely.LineString([(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t),
                                  (b[0] - (b[0] - a[0]) * t, b[1] - (b[1] - a[1]) * t)])
        names = [None] * len(self.walls) + list(self.outlines)
        return any(names[k] is None or (outlines and names[k] != without)
                   for k in self.tree.query(leg, predicate="intersects"))


def plain_snap(network, ground, p, limit, without=None, outlines=True):
    """Return (edge, share along it, leg) of the nearest free edge, or None."""
    point = shapely.Point(p)
    away = np.where(network.usable, shapely.distance(network.lines, point), np.inf)
    for e in np.lexsort((np.arange(len(away)), np.round(away / 1e-6))).tolist():
        if away[e] > limit:
            return None
        line = network.lines[e]
        share = line.project(point) / line.length
        goal = line.interpolate(share * line.length)
        if not ground.blocked(p, (goal.x, goal.y), without, outlines):
            return e, share, float(away[e])
    return None


def plain_access(network, ground, p):
    """Return the options of a point, and whether it is uncertain which is real."""
    point = shapely.Point(p)
    home = next((e for e, shape in ground.estates.items() if shape.intersects(point)), None)
    if home is not None and home not in ground.gated:
        inner = ground.estates[home].buffer(-0.05)
        if not any(shapely.intersects(network.lines[network.usable], inner)):
            return list(plain_outline(network, ground, p, ground.estates[home])), True
    found = plain_snap(network, ground, p, 500)
    if found is not None:
        return [found], False
    options = []
    for gate in ground.open.get(home, ()):
        out = plain_snap(network, ground, gate.coords[0], 500, without=home)
        if out is not None:
            options.append((*out[:2], out[2] + gate.distance(point)))
    return options, False


def plain_outline(network, ground, p, shape):
    part = min(shapely.get_parts(shape), key=lambda s: s.distance(shapely.Point(p)))
    ring = part.exterior
    count = max(8, math.ceil(ring.length / 20))
    for k in range(count):
        at = ring.interpolate(k * ring.length / count)
        out = plain_snap(network, ground, (at.x, at.y), 100, outlines=False)
        if out is not None:
            yield (*out[:2], out[2] + at.distance(shapely.Point(p)))


def plain_distances(network, origin, targets):
    """Return metres from one point's options to each target's options, by networkx."""
    graph = network.graph
    graph.add_node("origin")
    for e, share, leg in origin:
        _, u, v, _ = network.edges[e]
        for node, end in ((u, 0), (v, 1)):
            d = leg + network.cost(e, share, end)
            if d < math.inf and (not graph.has_edge("origin", node)
                                 or graph["origin"][node]["w"] > d):
                graph.add_edge("origin", node, w=d)
    reached = nx.single_source_dijkstra_path_length(graph, "origin", weight="w")
    graph.remove_node("origin")
    out = []
    for options in targets:
        best = math.inf
        for f, share, leg in options:
            _, u, v, _ = network.edges[f]
            best = min(best, *(reached.get(node, math.inf) + leg + network.cost(f, end, share)
                               for node, end in ((u, 0), (v, 1))))
            best = min([best, *(from_leg + network.cost(e, at, share) + leg
                                for e, at, from_leg in origin if e == f)])
        out.append(best)
    return out
