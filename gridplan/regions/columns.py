"""Columns: regions that a cut may consist of, and the cheapest mix of them, whole or in parts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from gridplan.regions.annealing import stays_whole
from gridplan.regions.graph import Graph, net_of, own, rows_of
from gridplan.regions.pricing import FAR, Sets, Task, Town, find_regions

Floats = NDArray[np.float64]
Units = NDArray[np.int32]

BITS = 36  # a border of all edges is below 2 to the power of this, in whole numbers
SLIP = 2e-7  # mean weights by which prices may miss; the solver of the mix promises 1e-7
STEP_WORK = 40  # work counted for a step of the simplex, by row
SOLVE_WORK = 400_000  # work counted for setting up a linear program


@dataclass(frozen=True)
class Prices:
    """What units and regions are worth: ``units`` shape (n,), and ``fee`` for a region as such."""

    units: Floats
    fee: float

    def toward(self, other: Prices, share: float) -> Prices:
        """Go ``share`` of the way to other prices."""
        return Prices((1 - share) * self.units + share * other.units,
                      (1 - share) * self.fee + share * other.fee)


@dataclass(frozen=True)
class Mix:
    """A cheapest mix of columns: its border, the prices it implies, how many regions it uses.

    ``wanting`` is how much had to be covered by stand-ins, each as dear as ``Pool.dear``.
    """

    border: float
    prices: Prices
    regions: float
    wanting: float


@dataclass(frozen=True)
class Priced:
    """What a round of pricing found: a bound, new columns, and whether nothing was left open."""

    bound: float
    new: int
    whole: bool


@dataclass
class Pool:
    """The regions known so far of one graph, and the work spent on it.

    Attributes
    ----------
    graph, low, high
        What is cut, and the range of a region's households.
    work
        Steps done.
    """

    graph: Graph
    low: int
    high: int
    work: int = 0
    members: list[Units] = field(default_factory=list)
    borders: list[float] = field(default_factory=list)
    _known: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        graph = self.graph
        start, other, edge = rows_of(graph.size, own(graph.u), own(graph.v))
        top = float(graph.weight.sum())
        self.scale = 2.0 ** (BITS - np.ceil(np.log2(top))) if top > 0 else 1.0
        self.unit = top / graph.weight.size if top > 0 else 1.0
        whole = np.floor(graph.weight * self.scale).astype(np.int64)
        self._rows = start, other, whole[edge]
        self._tolls = np.zeros(graph.size, np.int64)
        total = int(graph.households.sum())
        self.dearest = 1.0 + float(graph.weight.sum()) / self.unit
        self.dear = min(16.0, self.dearest)
        self.least, self.most = max(1, -(-total // self.high)), total // self.low

    def add(self, units: Units) -> bool:
        """Add a region, ascending units; tell whether it is new."""
        key = units.tobytes()
        if key in self._known:
            return False
        self._known.add(key)
        self.members.append(units)
        self.borders.append(self.border_of(units))
        return True

    def border_of(self, units: Units) -> float:
        """Return the border of a region."""
        inside = np.zeros(self.graph.size, np.bool_)
        inside[units] = True
        return float(self.graph.weight[inside[self.graph.u] != inside[self.graph.v]].sum())

    def add_cut(self, labels: Units) -> None:
        """Add the regions of a cut, and those that come of moving one unit, if in range."""
        count = int(labels.max()) + 1
        people = np.bincount(labels, self.graph.households, count)
        for region in np.flatnonzero((people >= self.low) & (people <= self.high)):
            self.add(np.flatnonzero(labels == region).astype(np.int32))
        for x, to in self._moves(labels):
            here, there = labels == labels[x], labels == to
            here[x], there[x] = False, True
            for inside, total in ((here, people[labels[x]] - self.graph.households[x]),
                                  (there, people[to] + self.graph.households[x])):
                if self.low <= total <= self.high:
                    self.add(np.flatnonzero(inside).astype(np.int32))

    def _moves(self, labels: Units) -> list[tuple[int, int]]:
        """Return which unit can move to which other region without tearing its own."""
        start, other = self._rows[0], self._rows[1]
        mark, queue = np.zeros(labels.size, np.int64), np.empty(labels.size, np.int32)
        net = net_of(self.graph.households, self.graph.u, self.graph.v,
                     np.zeros(self.graph.u.size, np.int64))
        moves = []
        for x in range(labels.size):
            near = np.unique(labels[other[start[x]:start[x + 1]]])
            near = near[near != labels[x]]
            if near.size and stays_whole(net, labels, x, mark, 2 * x + 1, queue):
                moves += [(x, int(to)) for to in near]
        return moves

    def mix(self, least: int, most: int) -> Mix:
        """Mix the columns so that every unit is covered once, by ``least`` to ``most`` regions."""
        n, count = self.graph.size, len(self.members)
        # Besides the columns: a stand-in for every unit, and for regions too few or too many.
        place, ends = list_rows(self.members, n)
        tail = np.arange(n + 1)
        rows = scipy.sparse.csc_array(
            (np.concatenate([np.ones(place.size + n + 1), [-1.0, -1.0]]),
             np.concatenate([place, tail, [n, n]]),
             np.concatenate([ends, ends[-1] + 1 + tail, ends[-1] + n + [2, 3]])),
            shape=(n + 1, count + n + 3))
        costs = np.concatenate([np.array(self.borders) / self.unit, np.full(n + 2, self.dear),
                                [0.0]])
        ends = np.concatenate([np.ones(n), [0.0]])
        solved = linprog(costs, A_eq=rows, b_eq=ends, method="highs-ds",
                         bounds=[(0, None)] * (count + n + 2) + [(least, most)],
                         options={"presolve": False})
        self.work += SOLVE_WORK + STEP_WORK * n * int(solved.nit)
        prices = solved.eqlin.marginals * self.unit
        return Mix(solved.fun * self.unit / 2, Prices(prices[:n], float(prices[n])),
                   float(solved.x[:count].sum()), float(solved.x[count:count + n + 2].sum()))

    def price(self, prices: Prices, least: int, most: int, nodes: int, work: int) -> Priced:
        """Look for regions cheaper than their prices and add them.

        The bound is on any cut into ``least`` to ``most`` regions: they have different roots, so
        it counts the cheapest regions of that many roots. ``nodes`` limits the search of a root.
        """
        sets, floors, total = self._find(prices, 0.0, False, nodes, work, 1_000)
        new = sum(self.add(units) for units in sets)
        if floors.min() == -FAR:
            return Priced(-np.inf, new, False)
        cheapest = np.cumsum(np.sort(floors))[least - 1:most]
        bound = (total + int(cheapest.min())) / 2 / self.scale
        return Priced(bound, new, bool((floors >= self._ceiling(prices, 0.0)).all()))

    def list_cheap(self, prices: Prices, gap: float, work: int, most: int) -> list[Units] | None:
        """List every region that costs less than ``gap`` above its prices, if few enough."""
        sets, floors, _ = self._find(prices, gap, True, work, work, most)
        return sets if bool((floors >= self._ceiling(prices, gap)).all()) else None

    def _ceiling(self, prices: Prices, gap: float) -> int:
        """Return the value of regions ``gap`` above their prices, less what a mix may miss."""
        return int(np.floor((prices.fee + 2 * gap - SLIP * self.unit) * self.scale))

    def _town(self, prices: Floats) -> Town:
        """Rank the units: what earns more than its households do on average is a root first.

        Later roots then grow among what earns little, where bounds are tight.
        """
        people = self.graph.households
        gain = prices - people * (prices.sum() / max(1, int(people.sum())))
        order = np.argsort(-gain, kind="stable")
        rank = np.empty(order.size, np.int64)
        rank[order] = np.arange(order.size)
        roots = order.astype(np.int32)
        return Town(*self._rows, people.copy(), rank, roots)

    def _find(self, prices: Prices, gap: float, every: bool, nodes: int, work: int, most: int
              ) -> tuple[list[Units], NDArray[np.int64], int]:
        whole = np.floor(prices.units * self.scale).astype(np.int64)
        task = Task(self.low, self.high, self._ceiling(prices, gap), every, nodes, work)
        n = self.graph.size
        if not self._tolls.any():
            self._tolls[:] = whole.sum() // max(1, int(self.graph.households.sum()))
        sets = Sets(np.empty(most * min(n, 64) + 2 * n, np.int32), np.zeros(most + 2, np.int64))
        spent = np.zeros(3, np.int64)
        town = self._town(prices.units)
        count, floors = find_regions(town, whole, task, self._tolls, sets, spent)
        self.work += int(spent.sum())
        found = [np.sort(sets.units[sets.ends[i]:sets.ends[i + 1]]) for i in range(count)]
        return found, floors, int(whole.sum())


def list_rows(members: list[Units], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of all columns, and where each ends: its units, then the row ``n``."""
    sizes = np.array([units.size + 1 for units in members], np.int64)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    rows = np.full(int(ends[-1]), n, np.int64)
    inner = np.ones(rows.size, np.bool_)
    inner[ends[1:] - 1] = False
    if members:
        rows[inner] = np.concatenate(members)
    return rows, ends


def incidence(members: list[Units], n: int) -> scipy.sparse.csc_array:
    """Return which of ``n`` units (rows) each region (column) has; a last row counts regions."""
    rows, ends = list_rows(members, n)
    return scipy.sparse.csc_array((np.ones(rows.size), rows, ends), shape=(n + 1, len(members)))


def choose_columns(members: list[Units], borders: list[float], n: int, least: int, most: int,
                   nodes: int) -> tuple[float, list[int] | None, int]:
    """Choose the cheapest ``least`` to ``most`` regions that hold every unit once.

    Returns a bound on the border of any choice (infinite if there is none), the choice found and
    the nodes of the search, of which there are at most ``nodes``.
    """
    if not members:
        return np.inf, None, 0
    count = len(members)
    rows = LinearConstraint(incidence(members, n), np.r_[np.ones(n), least],
                            np.r_[np.ones(n), most])
    solved = milp(np.array(borders), constraints=rows, integrality=np.ones(count),
                  bounds=Bounds(0, 1), options={"mip_rel_gap": 0.0, "node_limit": nodes})
    spent = int(solved.mip_node_count or 0)
    if solved.status == 2:
        return np.inf, None, spent
    chosen = None if solved.x is None else np.flatnonzero(solved.x > 0.5).tolist()
    bound = solved.fun if solved.status == 0 else solved.mip_dual_bound
    return (0.0 if bound is None else float(bound) / 2), chosen, spent
