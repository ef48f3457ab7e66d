"""Streets as a graph: vertices of a millimetre, joined where they meet, cut at closed gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.check.circle_asked import WALKERS, CircleAsked
from gridplan.check.graph import Flags, Floats, Ints, Shapes
from gridplan.check.reading import PlanData

_FAST = {"motorway", "motorway_link", "trunk", "trunk_link"}
_REFUSED = {"foot": _FAST, "bike": _FAST | {"steps", "corridor"},
            "ebike": _FAST | {"steps", "corridor", "footway"},
            "car": {"footway", "path", "steps", "pedestrian", "cycleway", "track", "bridleway",
                    "corridor"}}
_LARGE = _FAST | {"primary", "primary_link", "secondary", "secondary_link"}
_ALONG = ("yes", "true", "1", "forward")
_AGAINST = ("-1", "reverse", "backward")
_GATE_M = 5.0
_ON_M = 0.05
_MM = 1000.0

Place = tuple[int, int]  # whole millimetres
Node = tuple[Place, int]  # and the estate behind a closed gate, else -1


@dataclass(frozen=True)
class Streets:
    """Streets of one mode: n nodes and m edges.

    Attributes
    ----------
    xy
        (n, 2) coordinates of the nodes in metres.
    ends
        (m, 2) nodes of each edge, in the direction of its road.
    length_m, cost_m
        (m,) metres and (m, 2) effective metres along and against; inf where not allowed.
    line
        (m,) geometry.
    usable
        (m,) whether points may enter an edge.
    backward
        The graph to search from facilities towards doors: its arcs run against the walk.
    """

    mode: str
    xy: Floats
    ends: Ints
    length_m: Floats
    cost_m: Floats
    line: Shapes
    usable: Flags
    backward: nx.DiGraph[Hashable]


@dataclass
class _Chains:
    """Roads as lists of places, by road_id; they are changed while they are joined."""

    places: list[list[Place]]
    level: list[int]
    row: list[int]

    def line(self, k: int) -> shapely.LineString:
        return shapely.LineString(np.array(self.places[k]) / _MM)

    def lines(self) -> Shapes:
        return np.array([self.line(k) for k in range(len(self.places))], dtype=object)

    def insert(self, k: int, place: Place) -> None:
        """Give road ``k`` a vertex at a place on it, where it has none."""
        held = self.places[k]
        if place in held:
            return
        xy = np.array(held, dtype=np.float64)
        legs = shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1))
        at = int(np.argmin(shapely.distance(legs, shapely.Point(place))))
        held.insert(at + 1, place)


def lay_streets(plan: PlanData, mode: str, asked: CircleAsked) -> Streets:
    """Build the streets of a mode from the roads, estates and gates of a plan."""
    chains = _take_roads(plan, mode)
    join_m = asked.number("network", "join_m", 0.5)
    _join_to_vertices(chains, join_m)
    _join_to_lines(chains, join_m)
    _join_crossings(chains, asked.word("network", "crossings", "auto"))
    cuts = _find_cuts(plan, chains, "car" if mode == "car" else "foot")
    ends, parts, road = _draw_edges(chains, cuts)
    number: dict[Node, int] = {}
    for pair in ends:
        for node in pair:
            number.setdefault(node, len(number))
    xy = np.array([place for place, _ in number], dtype=np.float64).reshape(-1, 2) / _MM
    pairs = np.array([[number[a], number[b]] for a, b in ends], dtype=np.int64).reshape(-1, 2)
    line = np.array([shapely.LineString(np.array(p) / _MM) for p in parts], dtype=object)
    length = shapely.length(line)
    cost = length[:, None] * _factors(plan, mode, asked)[np.array(road, dtype=np.int64)]
    usable = _find_usable(len(xy), pairs, length, cost, mode,
                          asked.number("network", "island_m", 2000.0))
    return Streets(mode, xy, pairs, length, cost, line, usable,
                   _draw_graph(len(xy), pairs, cost))


def _take_roads(plan: PlanData, mode: str) -> _Chains:
    """Return the roads that are open to the mode, by id."""
    kinds = plan.ids("roads", "road_class")
    told = plan.numbers("roads", mode)
    fits = np.array([(k or "unknown") not in _REFUSED[mode] for k in kinds], dtype=bool)
    fits = np.where(np.isnan(told), fits, told == 1)
    if mode == "ebike":
        fits &= ~_elevated(plan, kinds)
    level = np.nan_to_num(plan.numbers("roads", "level")).astype(int)
    shape, ids = plan.shapes("roads"), plan.ids("roads")
    out = _Chains([], [], [])
    for k in sorted(np.flatnonzero(fits).tolist(), key=lambda row: str(ids[row])):
        xy = np.round(shapely.get_coordinates(shape[k]) * _MM).astype(np.int64).tolist()
        held = [(a, b) for a, b in xy]
        held = _tidy(held)
        if len(held) > 1:
            out.places.append(held)
            out.level.append(int(level[k]))
            out.row.append(k)
    return out


def _tidy(places: list[Place]) -> list[Place]:
    """Leave out places that repeat the one before."""
    return places[:1] + [p for before, p in pairwise(places) if p != before]


def _elevated(plan: PlanData, kinds: NDArray[np.object_]) -> Flags:
    """Tell which roads are bridges of large roads over nothing that bars: e-bikes keep off."""
    high = (plan.ids("roads", "structure") == "bridge") & np.isin(kinds.astype(str),
                                                                  sorted(_LARGE))
    below = plan.shapes("barriers")[np.isin(plan.ids("barriers", "kind").astype(str),
                                            ["rail", "river", "water"])]
    over = shapely.STRtree(below).query(plan.shapes("roads"), predicate="intersects")[0]
    high[over] = False
    return high


def _loose_ends(chains: _Chains) -> list[tuple[int, int]]:
    """Return road and end (0 or -1) of all ends that meet no other road, by road."""
    held: dict[Place, set[int]] = {}
    for k, places in enumerate(chains.places):
        for place in places:
            held.setdefault(place, set()).add(k)
    return [(k, end) for k, places in enumerate(chains.places) for end in (0, -1)
            if held[places[end]] == {k}]


def _meets_another(chains: _Chains, near: list[int], k: int, place: Place) -> bool:
    return any(place in chains.places[j] for j in near if j != k)


def _near_roads(chains: _Chains, loose: list[tuple[int, int]], join_m: float
                ) -> list[list[int]]:
    """Return for each loose end the other roads near it, of any level, in order."""
    points = shapely.points(np.array([chains.places[k][end] for k, end in loose],
                                     dtype=np.float64).reshape(-1, 2) / _MM)
    tree = shapely.STRtree(chains.lines())
    end, road = tree.query(points, predicate="dwithin", distance=3 * join_m + 0.01)
    out: list[list[int]] = [[] for _ in loose]
    for e, r in sorted(zip(end.tolist(), road.tolist(), strict=True)):
        if r != loose[e][0]:
            out[e].append(r)
    return out


def _join_to_vertices(chains: _Chains, join_m: float) -> None:
    """Put loose ends on the nearest vertex of another road of their level."""
    loose = _loose_ends(chains)
    for (k, end), near in zip(loose, _near_roads(chains, loose, join_m), strict=True):
        here = chains.places[k][end]
        if _meets_another(chains, near, k, here):
            continue  # another end was put on this one
        found = [(float(np.hypot(p[0] - here[0], p[1] - here[1])), j, n, p) for j in near
                 if chains.level[j] == chains.level[k] for n, p in enumerate(chains.places[j])]
        if found and min(found)[0] <= join_m * _MM:
            chains.places[k][end] = min(found)[3]


def _join_to_lines(chains: _Chains, join_m: float) -> None:
    """Put ends that are still loose on the nearest other road of their level."""
    loose = _loose_ends(chains)
    for (k, end), near in zip(loose, _near_roads(chains, loose, join_m), strict=True):
        here = chains.places[k][end]
        level = [j for j in near if chains.level[j] == chains.level[k]]
        if not level or _meets_another(chains, near, k, here):
            continue
        point = shapely.Point(np.array(here) / _MM)
        lines = [chains.line(j) for j in level]
        metres = [float(shapely.distance(line, point)) for line in lines]
        best = int(np.argmin(np.round(metres, 9)))
        if metres[best] <= join_m:
            at = lines[best].interpolate(lines[best].project(point))
            place = (round(at.x * _MM), round(at.y * _MM))
            chains.insert(level[best], place)
            chains.places[k][end] = place


def _join_crossings(chains: _Chains, how: str) -> None:
    """Give roads of one level a common vertex where they cross, if the data is drawn so."""
    if how == "apart" or not chains.places:
        return
    lines = chains.lines()
    a, b = shapely.STRtree(lines).query(lines, predicate="intersects")
    level = np.array(chains.level)
    keep = (a < b) & (level[a] == level[b])
    a, b = a[keep], b[keep]
    parts, pair = shapely.get_parts(shapely.intersection(lines[a], lines[b]), return_index=True)
    dots = shapely.get_type_id(parts) == 0
    lacking: list[tuple[int, int, Place]] = []
    shared = through = 0
    held = [set(places) for places in chains.places]
    for x, y, i, j in zip(*shapely.get_coordinates(parts[dots]).T.tolist(),
                          a[pair[dots]].tolist(), b[pair[dots]].tolist(), strict=True):
        place = (round(x * _MM), round(y * _MM))
        both = place in held[i] and place in held[j]
        if not both:
            lacking.append((i, j, place))
        if not any(place in (chains.places[k][0], chains.places[k][-1]) for k in (i, j)):
            through += 1
            shared += both
    if how == "join" or 2 * shared < through:
        for i, j, place in lacking:
            chains.insert(i, place)
            chains.insert(j, place)


@dataclass(frozen=True)
class _Cuts:
    """Places where closed gates part roads → rows of their estates, whose polygons these are."""

    at: dict[Place, list[int]]
    estates: Shapes

    def node(self, place: Place, beside: Place) -> Node:
        """Return the node at the end of an edge: inside an estate its own one behind the gate."""
        middle = shapely.Point((place[0] + beside[0]) / 2 / _MM, (place[1] + beside[1]) / 2 / _MM)
        for estate in self.at.get(place, ()):
            if shapely.contains(self.estates[estate], middle):
                return place, estate
        return place, -1


def _find_cuts(plan: PlanData, chains: _Chains, column: str) -> _Cuts:
    """Find where closed gates part roads, which get a vertex there."""
    rows = {name: row for row, name in enumerate(plan.ids("estates"))}
    gates, owner, polygons = plan.shapes("gates"), plan.ids("gates", "estate_id"), plan.shapes(
        "estates")
    cuts: dict[Place, list[int]] = {}
    closed = [g for g in np.flatnonzero(plan.numbers("gates", column) == 0).tolist()
              if owner[g] in rows]
    lines = chains.lines()
    tree = shapely.STRtree(lines)
    for g in closed:
        estate = rows[owner[g]]
        near = np.sort(tree.query(gates[g], predicate="dwithin", distance=_GATE_M))
        for k in near.tolist():
            for place in _meetings(chains, k, shapely.boundary(polygons[estate]), gates[g]):
                chains.insert(k, place)
                if estate not in cuts.setdefault(place, []):
                    cuts[place].append(estate)
    return _Cuts(cuts, polygons)


def _meetings(chains: _Chains, k: int, outline: shapely.Geometry, gate: shapely.Geometry
              ) -> list[Place]:
    """Return where a road meets an outline at a gate; a vertex almost on it stands on it."""
    corners = shapely.points(np.array(chains.places[k], dtype=np.float64) / _MM)
    on = (shapely.distance(corners, outline) <= _ON_M) & (shapely.distance(corners, gate)
                                                          <= _GATE_M)
    out = [chains.places[k][n] for n in np.flatnonzero(on).tolist()]
    for part in shapely.get_parts(shapely.intersection(chains.line(k), outline)):
        if part.geom_type == "Point" and shapely.distance(part, gate) <= _GATE_M and not any(
                np.hypot(part.x - x / _MM, part.y - y / _MM) <= 2 * _ON_M for x, y in out):
            out.append((round(part.x * _MM), round(part.y * _MM)))
    return out


def _draw_edges(chains: _Chains, cuts: _Cuts
                ) -> tuple[list[tuple[Node, Node]], list[list[Place]], list[int]]:
    """Cut roads at their nodes: the nodes, places and road of every edge."""
    seen = Counter(place for places in chains.places for place in places)
    ends: list[tuple[Node, Node]] = []
    parts: list[list[Place]] = []
    road: list[int] = []
    for row, raw in zip(chains.row, chains.places, strict=True):
        places = _tidy(raw)
        start = 0
        for k in range(1, len(places)):
            if k < len(places) - 1 and seen[places[k]] < 2 and places[k] not in cuts.at:
                continue
            part = places[start:k + 1]
            ends.append((cuts.node(part[0], part[1]), cuts.node(part[-1], part[-2])))
            parts.append(part)
            road.append(row)
            start = k
    return ends, parts, road


def _factors(plan: PlanData, mode: str, asked: CircleAsked) -> Floats:
    """Return (roads, 2) what a metre costs along and against each road."""
    kinds = plan.ids("roads", "road_class")
    out = np.ones((len(kinds), 2))
    if mode == "foot":
        return out
    speeds = asked.speeds(mode)
    nominal = WALKERS[mode][1] * 3.6
    out *= np.array([nominal / speeds.get(k or "unknown", speeds["unknown"])
                     for k in kinds])[:, None]
    way = plan.ids("roads", "one_way").astype(str)
    out[np.isin(way, _AGAINST), 0] = np.inf
    out[np.isin(way, _ALONG), 1] = np.inf
    return out


def _find_usable(count: int, ends: Ints, length: Floats, cost: Floats, mode: str,
                 island_m: float) -> Flags:
    """Tell which edges lie in the largest piece, or in one with enough metres."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(count))
    for way in (0, 1):
        fine = np.isfinite(cost[:, way])
        graph.add_edges_from(ends[fine][:, ::1 - 2 * way].tolist())
    pieces = (nx.weakly_connected_components(graph) if mode == "foot"
              else nx.strongly_connected_components(graph))
    piece = np.empty(count, dtype=np.int64)
    for number, nodes in enumerate(pieces):
        piece[list(nodes)] = number
    inside = piece[ends[:, 0]] == piece[ends[:, 1]]
    metres = np.bincount(piece[ends[inside, 0]], length[inside], minlength=count + 1)
    fine_piece = (metres >= island_m) | (metres >= metres.max())
    return inside & fine_piece[piece[ends[:, 0]]]


def _draw_graph(count: int, ends: Ints, cost: Floats) -> nx.DiGraph[Hashable]:
    """Return the graph whose arcs run against the walk, the cheapest of parallel ones."""
    best: dict[tuple[int, int], float] = {}
    for (a, b), (along, against) in zip(ends.tolist(), cost.tolist(), strict=True):
        for pair, metres in (((b, a), along), ((a, b), against)):
            if metres < best.get(pair, np.inf):
                best[pair] = metres
    graph: nx.DiGraph[Hashable] = nx.DiGraph()
    graph.add_nodes_from(range(count))
    graph.add_weighted_edges_from((a, b, m) for (a, b), m in best.items())
    return graph
