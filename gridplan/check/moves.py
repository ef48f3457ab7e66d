"""What it costs to move a border, tried out anew: every unit that can go, one by one."""

from __future__ import annotations

from collections import defaultdict

import networkx as nx
import numpy as np

from gridplan.check.graph import Flags, Floats, Ints, Pairs, Segments, positions, sum_pairs
from gridplan.check.reading import PlanData
from gridplan.check.reasons import Ground
from gridplan.check.scores import read_factors, segment_classes
from gridplan.check.verdict import CheckReport

# Of more pairs of neighbours than this, so many evenly spread over the layer are tried.
MOST_PAIRS = 2000
# Costs are told to hundredths.
_SLACK, _RELATIVE = 0.05, 1e-4

Cost = tuple[float, float]


class Moves:
    """The units of some grids: who touches whom, and what the border between them weighs.

    ``touch`` holds the neighbours of a unit (a metre and more), ``weight`` the least and the
    most that the border between two units can weigh.
    """

    def __init__(self, grid_of: Ints, households: Floats, contacts: Pairs, least: Pairs,
                 most: Pairs, ground: Ground, wanted: Flags) -> None:
        self.grid_of, self.ground = grid_of, ground
        self.households = households.astype(np.int64)
        self.fixed = ground.special | ground.alone | ground.locked
        self.touch: dict[int, set[int]] = defaultdict(set)
        self.weight: dict[int, dict[int, Cost]] = defaultdict(dict)
        self.members: dict[int, list[int]] = defaultdict(list)
        self._loose: dict[int, set[int]] = {}
        for unit in np.flatnonzero(wanted[grid_of]).tolist():
            self.members[int(grid_of[unit])].append(unit)
        near = wanted[grid_of[contacts.left]] & wanted[grid_of[contacts.right]]
        for u, v in zip(contacts.left[near].tolist(), contacts.right[near].tolist(), strict=True):
            self.touch[u].add(v)
            self.touch[v].add(u)
        for u, v, low, high in zip(least.left.tolist(), least.right.tolist(),
                                   least.total.tolist(), most.total.tolist(), strict=True):
            self.weight[u][v] = self.weight[v][u] = (low, high)

    def loose(self, grid: int) -> set[int]:
        """Return the units that a grid can lose and still hang together."""
        if grid not in self._loose:
            held = self.members[grid]
            web: nx.Graph = nx.Graph()
            web.add_nodes_from(held)
            web.add_edges_from((u, v) for u in held for v in self.touch[u]
                               if self.grid_of[v] == grid)
            self._loose[grid] = (set(held) - set(nx.articulation_points(web))
                                 if len(held) > 1 else set())
        return self._loose[grid]

    def rise(self, unit: int, target: int) -> Cost:
        """Return the least and the most by which handing a unit over lengthens the border."""
        low = high = 0.0
        for other, (least, most) in self.weight[unit].items():
            if self.grid_of[other] == self.grid_of[unit]:
                low, high = low + least, high + most
            elif self.grid_of[other] == target:
                low, high = low - most, high - least
        return low, high

    def beside(self, unit: int, grid: int) -> set[int]:
        """Return the units of a grid that a unit touches."""
        return {v for v in self.touch[unit] if self.grid_of[v] == grid}

    def fits(self, grid: int, change: int) -> bool:
        """Tell whether a change of households takes a grid no farther from its range."""
        low, high = int(self.ground.low[grid]), int(self.ground.high[grid])
        now = int(self.ground.households[grid])
        off = [max(low - h, h - high, 0) for h in (now, now + change)]
        return off[1] <= off[0]

    def cheapest(self, one: int, other: int) -> Cost | None:
        """Return the least rise of the border between two grids; None where nothing can go."""
        if self.fixed[one] or self.fixed[other]:
            return None
        sides = [(one, other), (other, one)]
        able = [[u for u in sorted(self.loose(a)) if self.beside(u, b)] for a, b in sides]
        costs = [self.rise(u, b) for (a, b), units in zip(sides, able, strict=True) for u in units
                 if self.fits(a, -int(self.households[u])) and self.fits(b, int(
                     self.households[u]))]
        if not costs:
            costs = [cost for u in able[0] for v in able[1]
                     if (cost := self._exchange(u, v, one, other)) is not None]
        return (min(c[0] for c in costs), min(c[1] for c in costs)) if costs else None

    def _exchange(self, u: int, v: int, one: int, other: int) -> Cost | None:
        gain = int(self.households[v] - self.households[u])
        if not (self.fits(one, gain) and self.fits(other, -gain)
                and self.beside(u, other) - {v} and self.beside(v, one) - {u}):
            return None
        between = self.weight[u].get(v, (0.0, 0.0))
        there, back = self.rise(u, other), self.rise(v, one)
        # The border between the two was taken off twice, and is a border still.
        return there[0] + back[0] + 2 * between[0], there[1] + back[1] + 2 * between[1]


def check_moves(plan: PlanData, report: CheckReport, segments: Segments, contacts: Pairs,
                grid_of: Ints, ground: Ground) -> None:
    """Compare the cost of moving borders: of up to ``MOST_PAIRS`` pairs of grids."""
    ids, keys = plan.ids("grids"), plan.ids("borders")
    a, b = (positions(ids, plan.ids("borders", c)) for c in ("grid_a", "grid_b"))
    pair, row = np.unique(np.minimum(a, b) * len(ids) + np.maximum(a, b), return_inverse=True)
    step = -(-len(pair) // MOST_PAIRS) or 1
    tried = np.arange(len(pair)) % step == 0
    wanted = np.zeros(len(ids), dtype=bool)
    wanted[pair[tried] // len(ids)] = wanted[pair[tried] % len(ids)] = True
    least, most = _weigh(plan, segments, grid_of, wanted)
    moves = Moves(grid_of, plan.numbers("units", "households"), contacts, least, most, ground,
                  wanted)
    told = plan.numbers("borders", "move_cost")
    costs = {k: moves.cheapest(*divmod(int(pair[k]), len(ids)))
             for k in np.flatnonzero(tried).tolist()}
    wrong = [(str(keys[r]), float(told[r]), costs[k]) for r, k in enumerate(row.ravel().tolist())
             if k in costs and _differs(float(told[r]), costs[k])]
    report.counts["move_costs"] = int(tried.sum())
    if wrong:
        report.add("scores", "cost_differs", "borders", [w[0] for w in wrong], "move_cost",
                   found=_shown(wrong[0][1]), expected=_shown((wrong[0][2] or (np.nan,))[0]))


def _weigh(plan: PlanData, segments: Segments, grid_of: Ints, wanted: Flags
           ) -> tuple[Pairs, Pairs]:
    """Return the least and the most weight of the border between units of the wanted grids."""
    some = segments.take(wanted[grid_of[segments.left]] & wanted[grid_of[segments.right]])
    factors = np.asarray(read_factors(plan))
    sure, perhaps = (factors[rank] for rank in segment_classes(plan, some))
    return tuple(sum_pairs(some.left, some.right, some.length_m * f, len(grid_of))  # type: ignore[return-value]
                 for f in (np.minimum(sure, perhaps), np.maximum(sure, perhaps)))


def _differs(found: float, cost: Cost | None) -> bool:
    if cost is None or np.isnan(found):
        return (cost is None) != bool(np.isnan(found))
    slack = _SLACK + _RELATIVE * max(abs(c) for c in cost)
    return not cost[0] - slack <= found <= cost[1] + slack


def _shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{round(float(value), 2):.10g}"
