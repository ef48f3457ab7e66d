"""What it costs to move a border, tried out anew: every unit that can go, one by one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import networkx as nx
import numpy as np

from gridplan.check.constraints import find_touched, open_pairs
from gridplan.check.graph import Flags, Floats, Ints, Pairs, Segments, positions, sum_pairs
from gridplan.check.inner import Estates
from gridplan.check.reading import PlanData
from gridplan.check.reasons import Ground
from gridplan.check.scores import major_segments, read_factors, segment_classes
from gridplan.check.verdict import CheckReport

# Of more pairs of neighbours than this, so many evenly spread over the layer are tried.
MOST_PAIRS = 2000
# Costs are told to hundredths.
_SLACK, _RELATIVE = 0.05, 1e-4

Cost = tuple[float, float]
# A unit that goes, the one that comes back (-1 for none), and what that costs.
Moved = dict[tuple[int, int], Cost]


@dataclass(frozen=True)
class Price:
    """The least and the most that the cheapest move can cost, and whether there may be none."""

    least: float
    most: float
    may_be_none: bool


class Moves:
    """The units of some grids: who touches whom, and what the border between them weighs.

    ``touch`` holds the neighbours of a unit (a metre and more), ``easy`` in two readings those
    with nothing between that a grid should not lie across, ``weight`` the least and the most that
    the border between two units can weigh. ``pinned`` units would part what belongs together.
    """

    def __init__(self, grid_of: Ints, households: Floats, ground: Ground, wanted: Flags,
                 pinned: Flags) -> None:
        self.grid_of, self.ground, self.pinned = grid_of, ground, pinned
        self.households = households.astype(np.int64)
        self.fixed = ground.special | ground.alone | ground.locked
        self.touch: dict[int, set[int]] = defaultdict(set)
        self.easy: tuple[dict[int, set[int]], ...] = (defaultdict(set), defaultdict(set))
        self.weight: dict[int, dict[int, Cost]] = defaultdict(dict)
        self.members: dict[int, list[int]] = defaultdict(list)
        self._loose: dict[tuple[int, int], set[int]] = {}
        for unit in np.flatnonzero(wanted[grid_of]).tolist():
            self.members[int(grid_of[unit])].append(unit)

    def join(self, contacts: Pairs, easy: tuple[Ints, Ints], least: Pairs, most: Pairs) -> None:
        """Take in who touches whom; a pair in ``easy`` is left × number of units + right."""
        count = len(self.grid_of)
        both = [(contacts.left * count + contacts.right, self.touch),
                *zip(easy, self.easy, strict=True)]
        for pairs, near in both:
            for u, v in zip((pairs // count).tolist(), (pairs % count).tolist(), strict=True):
                if int(self.grid_of[u]) in self.members and int(self.grid_of[v]) in self.members:
                    near[u].add(v)
                    near[v].add(u)
        for u, v, low, high in zip(least.left.tolist(), least.right.tolist(),
                                   least.total.tolist(), most.total.tolist(), strict=True):
            self.weight[u][v] = self.weight[v][u] = (low, high)

    def loose(self, grid: int, reading: int) -> set[int]:
        """Return the units that a grid can lose: it hangs together no worse without them."""
        if (grid, reading) not in self._loose:
            held = self.members[grid]
            free = set(held) if len(held) > 1 else set()
            for near in (self.touch, self.easy[reading]):
                web: nx.Graph = nx.Graph()
                web.add_nodes_from(held)
                web.add_edges_from((u, v) for u in held for v in near[u]
                                   if self.grid_of[v] == grid)
                free -= set(nx.articulation_points(web))
            self._loose[grid, reading] = {u for u in free if not self.pinned[u]}
        return self._loose[grid, reading]

    def rise(self, unit: int, target: int) -> Cost:
        """Return the least and the most by which handing a unit over lengthens the border."""
        low = high = 0.0
        for other, (least, most) in self.weight[unit].items():
            if self.grid_of[other] == self.grid_of[unit]:
                low, high = low + least, high + most
            elif self.grid_of[other] == target:
                low, high = low - most, high - least
        return low, high

    def beside(self, unit: int, grid: int, reading: int) -> set[int]:
        """Return the units of a grid that a unit touches across an easy border."""
        return {v for v in self.easy[reading][unit] if self.grid_of[v] == grid}

    def fits(self, grid: int, change: int) -> bool:
        """Tell whether a change of households takes a grid no farther from its range."""
        low, high = int(self.ground.low[grid]), int(self.ground.high[grid])
        now = int(self.ground.households[grid])
        off = [max(low - h, h - high, 0) for h in (now, now + change)]
        return off[1] <= off[0]

    def cheapest(self, one: int, other: int) -> Price | None:
        """Return the least rise of the border between two grids; None where nothing can go."""
        if self.fixed[one] or self.fixed[other]:
            return None
        gifts = [self._gifts(one, other, reading) for reading in (0, 1)]
        if gifts[0].keys() & gifts[1].keys():
            return _price(*gifts)
        price = _price(*(self._swaps(one, other, reading) for reading in (0, 1)))
        perhaps = [*gifts[0].values(), *gifts[1].values()]
        if not perhaps:
            return price
        held = [*perhaps, *([(price.least, price.most)] if price else [])]
        return Price(min(c[0] for c in held), max(c[1] for c in held), True)

    def _able(self, grid: int, other: int, reading: int) -> list[int]:
        return [u for u in sorted(self.loose(grid, reading)) if self.beside(u, other, reading)]

    def _gifts(self, one: int, other: int, reading: int) -> Moved:
        """Return the units that can be handed across, with what that costs."""
        return {(u, -1): self.rise(u, b) for a, b in ((one, other), (other, one))
                for u in self._able(a, b, reading)
                if self.fits(a, -int(self.households[u])) and self.fits(b, int(
                    self.households[u]))}

    def _swaps(self, one: int, other: int, reading: int) -> Moved:
        back = self._able(other, one, reading)
        return {(u, v): cost for u in self._able(one, other, reading) for v in back
                if (cost := self._exchange(u, v, one, other, reading)) is not None}

    def _exchange(self, u: int, v: int, one: int, other: int, reading: int) -> Cost | None:
        gain = int(self.households[v] - self.households[u])
        if not (self.fits(one, gain) and self.fits(other, -gain)
                and self.beside(u, other, reading) - {v} and self.beside(v, one, reading) - {u}):
            return None
        between = self.weight[u].get(v, (0.0, 0.0))
        there, back = self.rise(u, other), self.rise(v, one)
        # The border between the two was taken off twice, and is a border still.
        return there[0] + back[0] + 2 * between[0], there[1] + back[1] + 2 * between[1]


def _price(one: Moved, two: Moved) -> Price | None:
    """Return the price of two readings: what is a move in both surely is one, else perhaps."""
    held = [*one.values(), *two.values()]
    sure = [one[k] for k in one.keys() & two.keys()]
    if not held:
        return None
    most = min(c[1] for c in sure) if sure else max(c[1] for c in held)
    return Price(min(c[0] for c in held), most, not sure)


def pin_units(plan: PlanData, grid_of: Ints, ground: Ground, estates: Estates) -> Flags:
    """Tell which units lie with others of an estate or must-link whole in one grid."""
    bundles: dict[tuple[str, ...], list[int]] = defaultdict(list)
    load = plan.numbers("units", "households")
    for k, (estate, block, town) in enumerate(zip(
            estates.of, plan.ids("units", "block_id"), plan.ids("units", "community_id"),
            strict=True)):
        if estate and load[k] > 0:
            bundles[str(estate), str(block), str(town)].append(k)
    whole = [units for units in bundles.values()
             if load[units].sum() <= ground.high[grid_of[units[0]]]]
    unit = positions(plan.ids("units"), plan.ids("buildings", "unit_id"))
    whole += [sorted(set(unit[houses].tolist())) for houses in (
        find_touched(plan) if len(plan.frame("must_links")) else [])]
    pinned = np.zeros(len(grid_of), dtype=bool)
    for units in whole:
        if len(units) > 1 and len(set(grid_of[units].tolist())) == 1:
            pinned[units] = True
    return pinned


def _easy_pairs(plan: PlanData, segments: Segments, contacts: Pairs, count: int
                ) -> tuple[Ints, Ints]:
    """Return pairs of units with no closed border and no main road, rail or river between.

    Once as few as there can be, once as many.
    """
    out = []
    pairs = contacts.left * count + contacts.right
    sure, perhaps = major_segments(plan, segments)
    for usable, major in zip(open_pairs(plan, segments, contacts, count), (perhaps, sure),
                             strict=True):
        metres = sum_pairs(segments.left, segments.right, segments.length_m * major, count)
        along = np.searchsorted(metres.left * count + metres.right, pairs)
        crossed = pairs[metres.total[along] >= 0.5 * contacts.total]
        out.append(np.setdiff1d(usable, crossed))
    return out[0], out[1]


def check_moves(plan: PlanData, report: CheckReport, segments: Segments, contacts: Pairs,
                grid_of: Ints, ground: Ground, estates: Estates) -> None:
    """Compare the cost of moving borders: of up to ``MOST_PAIRS`` pairs of grids."""
    ids, keys = plan.ids("grids"), plan.ids("borders")
    a, b = (positions(ids, plan.ids("borders", c)) for c in ("grid_a", "grid_b"))
    pair, row = np.unique(np.minimum(a, b) * len(ids) + np.maximum(a, b), return_inverse=True)
    step = -(-len(pair) // MOST_PAIRS) or 1
    tried = np.arange(len(pair)) % step == 0
    wanted = np.zeros(len(ids), dtype=bool)
    wanted[pair[tried] // len(ids)] = wanted[pair[tried] % len(ids)] = True
    some = segments.take(wanted[grid_of[segments.left]] & wanted[grid_of[segments.right]])
    near = wanted[grid_of[contacts.left]] & wanted[grid_of[contacts.right]]
    touching = Pairs(contacts.left[near], contacts.right[near], contacts.total[near])
    moves = Moves(grid_of, plan.numbers("units", "households"), ground, wanted,
                  pin_units(plan, grid_of, ground, estates))
    moves.join(touching, _easy_pairs(plan, some, touching, len(grid_of)),
               *_weigh(plan, some, len(grid_of)))
    told = plan.numbers("borders", "move_cost")
    costs = {k: moves.cheapest(*divmod(int(pair[k]), len(ids)))
             for k in np.flatnonzero(tried).tolist()}
    wrong = [(str(keys[r]), float(told[r]), costs[k]) for r, k in enumerate(row.ravel().tolist())
             if k in costs and _differs(float(told[r]), costs[k])]
    report.counts["move_costs"] = int(tried.sum())
    if wrong:
        report.add("scores", "cost_differs", "borders", [w[0] for w in wrong], "move_cost",
                   found=_shown(wrong[0][1]),
                   expected=_shown(wrong[0][2].least if wrong[0][2] else np.nan))


def _weigh(plan: PlanData, segments: Segments, count: int) -> tuple[Pairs, Pairs]:
    """Return the least and the most weight of the border between units."""
    factors = np.asarray(read_factors(plan))
    sure, perhaps = (factors[rank] for rank in segment_classes(plan, segments))
    return tuple(sum_pairs(segments.left, segments.right, segments.length_m * f, count)  # type: ignore[return-value]
                 for f in (np.minimum(sure, perhaps), np.maximum(sure, perhaps)))


def _differs(found: float, price: Price | None) -> bool:
    if np.isnan(found):
        return price is not None and not price.may_be_none
    if price is None:
        return True
    slack = _SLACK + _RELATIVE * max(abs(price.least), abs(price.most))
    return not price.least - slack <= found <= price.most + slack


def _shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{round(float(value), 2):.10g}"
