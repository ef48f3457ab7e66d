"""Ways from doors to facilities: one search per category, its facilities all at once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import networkx as nx
import numpy as np
import shapely

from gridplan.check.circle_doors import Doors, Entries, door_points
from gridplan.check.circle_streets import Streets
from gridplan.check.graph import Floats, Ints
from gridplan.check.reading import PlanData

# Ways that differ by less may be told as the same.
WAY_M = 0.01
_HUB = "start"


@dataclass(frozen=True)
class Ways:
    """The nearest facility of n buildings, in one reading.

    ``metres`` is inf where there is none; ``low`` and ``high`` bound it where it rests on a tie.
    ``target`` is the row of the facility, -1 for none.
    """

    metres: Floats
    low: Floats
    high: Floats
    target: Ints


class Walks:
    """Searches on the streets of one mode from facilities back to the doors of buildings."""

    def __init__(self, streets: Streets, doors: Doors, facilities: Doors) -> None:
        self.streets, self.doors, self.facilities = streets, doors, facilities
        self._rank = {id(part): np.argsort(part.edge, kind="stable")
                      for part in (doors.entries, doors.other)}

    def nearest(self, rows: Ints, reading: str = "near") -> Ways:
        """Return the nearest of the facilities of these rows from every building."""
        best, other = (self._nearest_rows(part, rows, reading)
                       for part in (self.doors.entries, self.doors.other))
        metres, target = self._per_building(self.doors.entries, *best, reading)
        rival, _ = self._per_building(self.doors.other, *other, reading)
        has_rival = ~self.doors.other.off
        low, high = metres.copy(), metres.copy()
        low[has_rival] = np.minimum(metres, rival)[has_rival]
        high[has_rival] = np.maximum(metres, rival)[has_rival]
        if len(self.facilities.other.owner) and np.isin(self.facilities.other.owner, rows).any():
            changed = self._with_rivals(rows, reading)
            low, high = np.minimum(low, changed), np.maximum(high, changed)
        return Ways(metres, low, high, target)

    def _with_rivals(self, rows: Ints, reading: str) -> Floats:
        """Return the ways if facilities on the edge between two streets took the other one."""
        held, other = self.facilities.entries, self.facilities.other
        keep = ~np.isin(held.owner, other.owner)
        mixed = Entries(np.concatenate([held.owner[keep], other.owner]),
                        np.concatenate([held.edge[keep], other.edge]),
                        np.concatenate([held.at_m[keep], other.at_m]),
                        np.concatenate([held.leg_m[keep], other.leg_m]), held.unsure)
        found = self._search(self.doors.entries, mixed, rows)
        return self._per_building(self.doors.entries, *found, reading)[0]

    def _nearest_rows(self, doors: Entries, rows: Ints, reading: str) -> tuple[Floats, Ints]:
        """Return metres and facility for every way out of the buildings."""
        if not len(doors.owner):
            return np.zeros(0), np.zeros(0, dtype=np.int64)
        held = self.facilities.entries
        unsure = rows[held.unsure[rows]] if reading == "far" else rows[:0]
        metres, target = self._search(doors, held, np.setdiff1d(rows, unsure))
        for row in unsure.tolist():
            worst = np.full(len(doors.owner), -np.inf)
            for k in np.flatnonzero(held.owner == row).tolist():
                one = Entries(held.owner[k:k + 1], held.edge[k:k + 1], held.at_m[k:k + 1],
                              held.leg_m[k:k + 1], held.unsure)
                worst = np.maximum(worst, self._search(doors, one, np.array([row]))[0])
            closer = np.isfinite(worst) & (worst < metres)
            metres[closer], target[closer] = worst[closer], row
        return metres, target

    def _per_building(self, doors: Entries, metres: Floats, target: Ints, reading: str
                      ) -> tuple[Floats, Ints]:
        """Take the best way of each building, the worst where it is unsure and read as far."""
        count = len(doors.unsure)
        worst = doors.unsure[doors.owner] & (reading == "far")
        key = np.where(worst, -metres, metres)
        order = np.lexsort((key, doors.owner))
        first = order[np.flatnonzero(np.diff(doors.owner[order], prepend=-1))]
        out, who = np.full(count, np.inf), np.full(count, -1, dtype=np.int64)
        out[doors.owner[first]], who[doors.owner[first]] = metres[first], target[first]
        who[~np.isfinite(out)] = -1
        return out, who

    def _search(self, doors: Entries, held: Entries, rows: Ints, cutoff: float | None = None
                ) -> tuple[Floats, Ints]:
        """Search from all facilities of these rows at once."""
        keep = np.flatnonzero(np.isin(held.owner, rows))
        streets = self.streets
        arcs: dict[tuple[Hashable, int], float] = {}
        for owner, edge, at, leg in zip(held.owner[keep].tolist(), held.edge[keep].tolist(),
                                        held.at_m[keep].tolist(), held.leg_m[keep].tolist(),
                                        strict=True):
            share = at / streets.length_m[edge]
            (u, v), (along, against) = streets.ends[edge].tolist(), streets.cost_m[edge].tolist()
            for node, metres in ((u, leg + _times(along, share)),
                                 (v, leg + _times(against, 1.0 - share))):
                key = (("facility", owner), node)
                if metres < arcs.get(key, np.inf):
                    arcs[key] = metres
        at_node, of_node = _spread(streets, arcs, cutoff)
        metres, target = self._leave(doors, at_node, of_node)
        for k in keep.tolist():
            self._along_edge(doors, held, k, metres, target)
        return metres, target

    def _leave(self, doors: Entries, at_node: Floats, of_node: Ints) -> tuple[Floats, Ints]:
        streets = self.streets
        share = doors.at_m / streets.length_m[doors.edge]
        ends, cost = streets.ends[doors.edge], streets.cost_m[doors.edge]
        with np.errstate(invalid="ignore"):
            to = np.stack([np.where(share == 0, 0.0, cost[:, 1] * share) + at_node[ends[:, 0]],
                           np.where(share == 1, 0.0, cost[:, 0] * (1 - share))
                           + at_node[ends[:, 1]]], axis=1)
        side = np.argmin(to, axis=1)
        rows = np.arange(len(side))
        metres = to[rows, side] + doors.leg_m
        return metres, np.where(np.isfinite(metres), of_node[ends[rows, side]], -1)

    def _along_edge(self, doors: Entries, held: Entries, k: int, metres: Floats, target: Ints
                    ) -> None:
        """Let doors on the edge of a facility go straight along it."""
        rank = self._rank[id(doors)]
        edge = held.edge[k]
        first, last = np.searchsorted(doors.edge[rank], [edge, edge + 1])
        here = rank[first:last]
        ahead = held.at_m[k] - doors.at_m[here]
        cost = self.streets.cost_m[edge] / self.streets.length_m[edge]
        with np.errstate(invalid="ignore"):
            walk = np.where(ahead == 0, 0.0, np.where(ahead > 0, ahead * cost[0],
                                                      -ahead * cost[1]))
        total = walk + doors.leg_m[here] + held.leg_m[k]
        better = total < metres[here]
        metres[here[better]] = total[better]
        target[here[better]] = held.owner[k]

    def each_within(self, rows: Ints, limit_m: float) -> list[tuple[Ints, Floats]]:
        """Return for each facility the buildings within a limit, and how far they have."""
        out = []
        doors, held = self.doors.entries, self.facilities.entries
        for row in rows.tolist():
            metres, target = self._search(doors, held, np.array([row]), limit_m)
            near, _ = self._per_building(doors, metres, target, "near")
            some = np.flatnonzero(near <= limit_m + WAY_M)
            out.append((some, near[some]))
        return out


def _times(cost: float, share: float) -> float:
    """Return a part of a cost; none of a way that is not allowed costs nothing."""
    return 0.0 if share == 0 else cost * share


def _spread(streets: Streets, arcs: dict[tuple[Hashable, int], float], cutoff: float | None
            ) -> tuple[Floats, Ints]:
    """Return the metres from every node to the nearest facility, and which it is."""
    graph = streets.backward
    metres = np.full(len(streets.xy), np.inf)
    of = np.full(len(streets.xy), -1, dtype=np.int64)
    arcs = {key: m for key, m in arcs.items() if np.isfinite(m)}
    if not arcs:
        return metres, of
    starts = {facility for facility, _ in arcs}
    graph.add_weighted_edges_from((_HUB, facility, 0.0) for facility in starts)
    graph.add_weighted_edges_from((facility, node, m) for (facility, node), m in arcs.items())
    before, found = nx.dijkstra_predecessor_and_distance(graph, _HUB, cutoff=cutoff)
    graph.remove_nodes_from([_HUB, *starts])
    origin: dict[Hashable, int] = {}
    for node, far in found.items():
        if node == _HUB:
            continue
        origin[node] = node[1] if isinstance(node, tuple) else origin[before[node][0]]
        if isinstance(node, int):
            metres[node], of[node] = far, origin[node]
    return metres, of


def straight_ways(plan: PlanData, layer: str, rows: Ints) -> Ways:
    """Return the nearest of some facilities as the crow flies, from the doors of buildings."""
    points, owner = door_points(plan, layer)
    count = len(plan.frame(layer))
    metres, target = np.full(count, np.inf), np.full(count, -1, dtype=np.int64)
    if len(rows) and len(points):
        tree = shapely.STRtree(plan.shapes("facilities")[rows])
        (door, found), far = tree.query_nearest(points, all_matches=False, return_distance=True)
        order = np.lexsort((far, owner[door]))
        first = order[np.flatnonzero(np.diff(owner[door][order], prepend=-1))]
        metres[owner[door][first]] = far[first]
        target[owner[door][first]] = rows[found[first]]
    return Ways(metres, metres, metres, target)


def straight_within(plan: PlanData, layer: str, rows: Ints, limit_m: float
                    ) -> list[tuple[Ints, Floats]]:
    """Return for each facility the buildings within a limit as the crow flies."""
    points, owner = door_points(plan, layer)
    tree = shapely.STRtree(points)
    out = []
    for shape in plan.shapes("facilities")[rows]:
        near = tree.query(shape, predicate="dwithin", distance=limit_m + WAY_M)
        best = np.full(len(plan.frame(layer)), np.inf)
        np.minimum.at(best, owner[near], shapely.distance(points[near], shape))
        some = np.flatnonzero(np.isfinite(best))
        out.append((some, best[some]))
    return out
