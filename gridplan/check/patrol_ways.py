"""The streets of a mode as routes run on them: which street a step follows, in what time."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property

import networkx as nx
import numpy as np
import shapely

from gridplan.check.circle_doors import Doors, Entries, Ground, enter_streets
from gridplan.check.circle_streets import Streets, lay_streets
from gridplan.check.graph import Flags, Floats, Ints, Shapes
from gridplan.check.patrol_asked import PatrolAsked
from gridplan.check.reading import PlanData

ON_M = 0.05  # as near as this a place is on a street


@dataclass(frozen=True)
class Steps:
    """The different straight steps of some routes, one row each.

    Attributes
    ----------
    start, end
        (n, 2) coordinates.
    step, edge, way
        Rows of steps with an edge they run along, and 0 along its line or 1 against it; open
        ones alone.
    on, open
        (n,) whether a step runs along any street, and along one that is open in its direction.
    seconds
        (n,) what it takes, on the fastest street where there are several.
    """

    start: Floats
    end: Floats
    step: Ints
    edge: Ints
    way: Ints
    on: Flags
    open: Flags
    seconds: Floats


@dataclass
class ModeWays:
    """Streets of one mode at cruising speed, and searches on them."""

    plan: PlanData
    asked: PatrolAsked
    mode: str
    streets: Streets
    pace: float  # seconds of an effective metre
    _doors: dict[str, Doors] = field(default_factory=dict)
    _found: dict[tuple[tuple[str, int], bool], dict[int, float]] = field(default_factory=dict)

    @cached_property
    def edge_tree(self) -> shapely.STRtree:
        """The edges, to be found by where they are."""
        return shapely.STRtree(self.streets.line)

    @cached_property
    def node_tree(self) -> shapely.STRtree:
        """The nodes, to be found by where they are."""
        return shapely.STRtree(shapely.points(self.streets.xy))

    def match(self, start: Floats, end: Floats) -> Steps:
        """Find the streets that straight steps follow."""
        streets = self.streets
        middle = shapely.points((start + end) / 2)
        step, edge = self.edge_tree.query(middle, predicate="dwithin", distance=ON_M)
        line = streets.line[edge]
        near = ((shapely.distance(line, shapely.points(start[step])) <= ON_M)
                & (shapely.distance(line, shapely.points(end[step])) <= ON_M))
        step, edge, line = step[near], edge[near], line[near]
        # Not the ends: on a closed line these are at its begin and its end.
        a, b = (shapely.line_locate_point(line, shapely.points(
            start[step] + share * (end - start)[step])) for share in (0.25, 0.75))
        length = np.hypot(*(end - start).T)
        fine = np.abs(np.abs(b - a) - length[step] / 2) <= 2 * ON_M
        step, edge, way = step[fine], edge[fine], (b < a)[fine].astype(np.int64)
        cost = streets.cost_m[edge, way] / streets.length_m[edge] * length[step]
        may = np.isfinite(cost)
        on, free = np.zeros(len(start), dtype=bool), np.zeros(len(start), dtype=bool)
        on[step], free[step[may]] = True, True
        metres = np.where(free, np.inf, length)
        np.minimum.at(metres, step[may], cost[may])
        return Steps(start, end, step[may], edge[may], way[may], on, free, metres * self.pace)

    def joined(self, steps: Steps, first: Ints, second: Ints) -> Flags:
        """Tell whether one gets from steps to those that follow: on one street, or at a node."""
        rows = np.argsort(steps.step, kind="stable")
        at = np.searchsorted(steps.step[rows], np.arange(len(steps.start) + 1))
        out = np.zeros(len(first), dtype=bool)
        # Few steps run along two streets at once: so try each against each.
        most = int(np.diff(at).max(initial=0))
        ends, xy = self.streets.ends, self.streets.xy
        for i in range(most):
            for j in range(most):
                there = (at[first] + i < at[first + 1]) & (at[second] + j < at[second + 1])
                k = np.flatnonzero(there & ~out)
                p, q = rows[at[first[k]] + i], rows[at[second[k]] + j]
                head = ends[steps.edge[p], 1 - steps.way[p]]
                tail = ends[steps.edge[q], steps.way[q]]
                place = steps.end[first[k]]
                node = (head == tail) & (np.hypot(*(xy[head] - place).T) <= 2 * ON_M)
                out[k] = (steps.edge[p] == steps.edge[q]) | node
        return out

    @cached_property
    def ground(self) -> Ground:
        """What bars legs; teams that drive get off to walk the last metres through gates."""
        plan = self.plan
        if self.mode != "foot":
            none = {name: plan.frames[name].iloc[:0] for name in ("estates", "gates")}
            plan = PlanData(plan.path, {**plan.frames, **none}, [], plan.run)
        return Ground(plan, self.streets, self.asked.cruise)

    def doors(self, layer: str) -> Doors:
        """Return where the points of a layer enter the streets, and where they may as well."""
        if layer not in self._doors:
            self._doors[layer] = enter_streets(self.ground, self.plan.shapes(layer))
        return self._doors[layer]

    def entries(self, layer: str) -> Entries:
        """Return where the points of a layer enter the streets."""
        return self.doors(layer).entries

    def feet(self, layer: str) -> Shapes:
        """Return where each point of a layer may enter the streets, anywhere if nobody knows."""
        doors, streets = self.doors(layer), self.streets
        spots: list[list[shapely.Point]] = [[] for _ in doors.entries.unsure]
        for held in (doors.entries, doors.other):
            points = shapely.line_interpolate_point(streets.line[held.edge], held.at_m)
            for owner, point in zip(held.owner.tolist(), points.tolist(), strict=True):
                spots[owner].append(point)
        everywhere = (shapely.multilinestrings(streets.line)
                      if doors.entries.unsure.any() else None)
        return np.array([everywhere if unsure else shapely.MultiPoint(own) for unsure, own in zip(
            doors.entries.unsure, spots, strict=True)], dtype=object)

    def seconds_from(self, layer: str, row: int, back: bool = False) -> dict[int, float]:
        """Return the seconds from a point of a layer to each node, with ``back`` from there."""
        key = ((layer, row), back)
        if key not in self._found:
            graph = self.streets.backward if back else self.forward
            starts = self._ends_of(layer, row, not back)
            hub = ("hub", row)
            graph.add_weighted_edges_from((hub, node, m) for node, m in starts.items())
            reached = nx.single_source_dijkstra_path_length(graph, hub) if starts else {}
            if starts:
                graph.remove_node(hub)
            self._found[key] = {node: m * self.pace for node, m in reached.items()
                                if isinstance(node, int)}
        return self._found[key]

    @cached_property
    def forward(self) -> nx.DiGraph[Hashable]:
        """The graph to search in the direction of travel."""
        return self.streets.backward.reverse(copy=True)

    def seconds_at(self, node: int) -> dict[int, float]:
        """Return the seconds from a node to each node."""
        key = (("node", node), False)
        if key not in self._found:
            reached = nx.single_source_dijkstra_path_length(self.forward, node)
            self._found[key] = {n: m * self.pace for n, m in reached.items()
                                if isinstance(n, int)}
        return self._found[key]

    def _ends_of(self, layer: str, row: int, outward: bool) -> dict[int, float]:
        """Return the nodes beside a point and the effective metres there, or from there."""
        held, streets = self.entries(layer), self.streets
        out: dict[int, float] = {}
        for k in np.flatnonzero(held.owner == row).tolist():
            edge, at = int(held.edge[k]), float(held.at_m[k])
            share = at / float(streets.length_m[edge])
            along, against = streets.cost_m[edge].tolist()
            first, last = (against, along) if outward else (along, against)
            for node, metres in ((int(streets.ends[edge, 0]), share * first if share else 0.0),
                                 (int(streets.ends[edge, 1]),
                                  (1 - share) * last if share < 1 else 0.0)):
                far = metres + float(held.leg_m[k])
                if far < out.get(node, np.inf):
                    out[node] = far
        return out

    def travel(self, start: tuple[str, int], goal: tuple[str, int]) -> float:
        """Return the seconds from one point to another, inf where no street leads."""
        return min(self.arrive(*goal, self.seconds_from(*start)), self._beside(start, goal))

    def arrive(self, layer: str, row: int, found: dict[int, float]) -> float:
        """Return the seconds to a point of a layer, given those to each node."""
        return float(min((found.get(node, np.inf) + metres * self.pace
                          for node, metres in self._ends_of(layer, row, outward=False).items()),
                         default=np.inf))

    def _beside(self, start: tuple[str, int], goal: tuple[str, int]) -> float:
        """Return the seconds straight along a street that both points enter."""
        one, other, streets = self.entries(start[0]), self.entries(goal[0]), self.streets
        best = np.inf
        for i in np.flatnonzero(one.owner == start[1]).tolist():
            for j in np.flatnonzero(other.owner == goal[1]).tolist():
                if one.edge[i] != other.edge[j]:
                    continue
                edge = one.edge[i]
                far = float(other.at_m[j] - one.at_m[i])
                cost = streets.cost_m[edge, int(far < 0)] / streets.length_m[edge]
                walked = abs(far) * cost if far else 0.0
                best = min(best, (walked + one.leg_m[i] + other.leg_m[j]) * self.pace)
        return float(best)

    def find_chain(self, line: shapely.LineString) -> tuple[int, int, float, float] | None:
        """Return the nodes at the ends of a piece, and the seconds of a pass there and back.

        None where no streets run along it from end to end.
        """
        xy = shapely.get_coordinates(line)
        times = []
        for way in (xy, xy[::-1]):
            steps = self.match(way[:-1], way[1:])
            if not steps.on.all():
                return None
            rows = np.arange(len(steps.start))
            fine = steps.open.all() and self.joined(steps, rows[:-1], rows[1:]).all()
            times.append(float(steps.seconds.sum()) if fine else np.inf)
        (_, node), _ = self.node_tree.query_nearest(shapely.points(xy[[0, -1]]),
                                                    max_distance=2 * ON_M,
                                                    return_distance=True, all_matches=False)
        return (int(node[0]), int(node[1]), times[0], times[1]) if len(node) > 1 else None


def lay_ways(plan: PlanData, asked: PatrolAsked, mode: str) -> ModeWays:
    """Build the streets of a mode at cruising speed."""
    return ModeWays(plan, asked, mode, lay_streets(plan, mode, asked.cruise),
                    asked.seconds_a_metre(mode))
