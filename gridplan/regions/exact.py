"""How good a cut is: a bound that no cut falls below, and for small graphs the best cut itself.

A cut is a choice of *columns*, connected regions in range, such that every unit is in one. Mixed
in parts instead of whole, columns make a linear program whose value bounds every cut; regions
missing in it are found by :mod:`gridplan.regions.pricing`, which proves when none is left, and
gives a (lower) bound at any time before. What is left open between bound and cut is closed by
listing every region that a better cut could have, and choosing among those.

References
----------
Mehrotra, Johnson, Nemhauser (1998): An optimization based heuristic for political districting.
Management Science 44(8).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gridplan.params import Effort
from gridplan.regions.columns import Pool, Prices, Units, choose_columns
from gridplan.regions.cutting import cut_graph
from gridplan.regions.graph import Cut, Graph, number_regions, pieces_of, subgraph

WORK: dict[Effort, int] = {"fast": 10_000_000, "normal": 30_000_000, "best": 1_000_000_000}
UNIT_WORK: dict[Effort, int] = {"fast": 20_000, "normal": 50_000, "best": 1_000_000}
LEAST_UNITS = 80  # what has to be set up is the same for few units as for so many
EXACT_WORK = 40_000_000_000
SURE = 1e-7  # relative difference at which a bound is taken to have met its cut
SHARE = 0.5  # how far prices go from the best ones known to those of the last mix
FIRST_NODES = 300  # of the search of a root, before regions are missed
MOST_COLUMNS = 30_000  # listed to choose a whole cut from
LADDER = (1 / 16, 1 / 4, 1 / 2, 3 / 4, 1.0)  # shares of the gap in which columns are listed
SEEDS = 4  # of the cuts to start from
CHOICE_WORK = 2_000  # work counted for a node of that choice, by column


@dataclass(frozen=True, eq=False)
class Bound:
    """What is known about the best cut of a graph.

    Attributes
    ----------
    value
        No cut has a border below it.
    proven
        Whether the best cut known has this border (to 1e-6 of it).
    labels
        A better cut than the given one, shape (n,), or None if none was found.
    work
        Steps spent.
    """

    value: float
    proven: bool
    labels: NDArray[np.int32] | None
    work: int


@dataclass
class State:
    """The best cut known of a graph, its border, and the regions known."""

    pool: Pool
    limit: int
    labels: Units | None = None
    border: float = np.inf

    def spent(self) -> bool:
        """Tell whether the work limit is reached."""
        return self.pool.work >= self.limit

    def left(self) -> int:
        """Return the work left."""
        return max(0, self.limit - self.pool.work)

    def met_by(self, bound: float) -> bool:
        """Tell whether the best cut known is as good as the bound says."""
        return bound >= self.border * (1 - SURE)

    def start_from(self, labels: Units) -> None:
        """Take a cut if it is in range and better; its regions are known from now on."""
        pool = self.pool
        pool.add_cut(labels)
        people = np.bincount(labels, pool.graph.households)
        in_range = bool(((people >= pool.low) & (people <= pool.high)).all())
        border = border_of(pool.graph, labels)
        if in_range and border < self.border:
            self.labels, self.border = number_regions(labels), border

    def offer(self, members: list[Units]) -> None:
        """Take a cut, given as regions, if it is better."""
        labels = np.empty(self.pool.graph.size, np.int32)
        for region, units in enumerate(members):
            labels[units] = region
        border = border_of(self.pool.graph, labels)
        if border < self.border:
            self.labels, self.border = number_regions(labels), border


@dataclass
class Side:
    """Cuts into ``least`` to ``most`` regions, and a bound on them.

    ``priced`` is what ``prices`` alone prove, ``regions`` how many the cheapest mix uses, and
    ``settled`` whether no region is missing in that mix.
    """

    least: int
    most: int
    prices: Prices
    bound: float = 0.0
    priced: float = -np.inf
    regions: float = 0.0
    settled: bool = False

    def take(self, bound: float, prices: Prices) -> None:
        """Keep prices if they prove more."""
        if bound > self.priced:
            self.priced, self.prices = bound, prices
        self.bound = max(self.bound, bound)


def limit_work(size: int, effort: Effort) -> int:
    """Return the steps that a bound on a cut of ``size`` units may take beside its search.

    >>> [limit_work(size, "normal") for size in (5, 100, 1_000)]
    [4000000, 5000000, 30000000]
    """
    return min(WORK[effort], UNIT_WORK[effort] * max(LEAST_UNITS, size))


def bound_cut(graph: Graph, low: int, high: int, cut: Cut, *, work: int = WORK["normal"]
              ) -> Bound:
    """Bound the border of every cut of a connected graph into regions of ``low..high``.

    Where the cut was made group by group, only cuts that keep those groups apart count.

    Parameters
    ----------
    graph, low, high
        What was cut, and the range.
    cut
        The cut that is judged; if one of its regions is out of range, the bound is 0 for the
        group that region is in.
    work
        Most steps spent, see ``WORK``; a step takes some nanoseconds.

    Returns
    -------
    Bound

    Examples
    --------
    >>> path = Graph([200, 200, 400], [0, 1], [1, 2], [5.0, 9.0], [False, False])
    >>> bound = bound_cut(path, 300, 500, cut_graph(path, 300, 500))
    >>> round(bound.value, 3), bound.proven
    (9.0, True)
    """
    group = _groups_of(cut)
    labels = cut.labels.astype(np.int32)
    value, proven, better, spent = 0.0, True, False, 0
    for g in range(int(group.max()) + 1):
        units = np.flatnonzero(group == g).astype(np.int32)
        limit = (work - spent) * units.size // int((group >= g).sum())
        state = State(Pool(subgraph(graph, units), low, high), limit)
        state.start_from(number_regions(labels[units]))
        if state.labels is None:  # out of range: nothing to compare a bound with
            proven = False
            continue
        known, bound = state.border, _close(state)
        value, spent = value + bound, spent + state.pool.work
        proven = proven and state.met_by(bound)
        if state.border < known * (1 - SURE):
            better = True
            labels[units] = int(labels.max()) + 1 + state.labels
    value += float(graph.weight[group[graph.u] != group[graph.v]].sum())
    labels = number_regions(labels)
    value = min(value, border_of(graph, labels))
    return Bound(value, proven, labels if better else None, spent)


def solve_exactly(graph: Graph, low: int, high: int, *, start: Units | None = None,
                  work: int = EXACT_WORK) -> Bound:
    """Look for the best cut of a graph and prove it, major edges or not.

    Parameters
    ----------
    graph, low, high
        What is cut, and the range.
    start
        Labels of a cut to start from; without it some are made.
    work
        Most steps spent; 60 units take a few hundred million.

    Returns
    -------
    Bound
        ``labels`` is the best cut known, None if none is; ``value`` is infinite where no number
        of regions fits the total.

    Examples
    --------
    >>> path = Graph([200, 200, 400], [0, 1], [1, 2], [5.0, 9.0], [False, False])
    >>> best = solve_exactly(path, 300, 500)
    >>> round(best.value, 3), best.proven, best.labels.tolist()
    (9.0, True, [0, 0, 1])
    """
    pool = Pool(graph, low, high)
    state = State(pool, work)
    if pool.least > pool.most:
        return Bound(np.inf, False, None, 0)
    plain = Graph(graph.households, graph.u, graph.v, graph.weight, np.zeros(graph.u.size, bool))
    starts = [start] if start is not None else [
        cut_graph(plain, low, high, seed=seed).labels for seed in range(1, SEEDS + 1)]
    for labels in starts:
        state.start_from(labels)
    bound = _close(state)
    return Bound(bound, state.met_by(bound), state.labels, pool.work)


def border_of(graph: Graph, labels: Units) -> float:
    """Return the border of a cut.

    >>> border_of(Graph([1, 1, 1], [0, 1], [1, 2], [5.0, 9.0], [False, False]),
    ...           np.array([0, 0, 1]))
    9.0
    """
    return float(graph.weight[labels[graph.u] != labels[graph.v]].sum())


def _close(state: State) -> float:
    """Raise the bound to the border of the best cut, as far as the work allows."""
    pool = state.pool
    if state.border == 0.0:
        return 0.0
    whole = Side(pool.least, pool.most, prices=_first_prices(state))
    _raise_bound(state, whole)
    sides = [whole]
    few = int(np.floor(whole.regions + SURE))
    if whole.settled and whole.least <= few < whole.most and few + SURE < whole.regions:
        sides = [replace(whole, most=few, settled=False),
                 replace(whole, least=few + 1, settled=False)]
        for side in sides:
            _raise_bound(state, side)
    if np.isfinite(state.border):
        for share in LADDER:
            for side in sorted(sides, key=lambda side: side.bound):
                _choose_whole(state, side, share)
    return float(min(min(side.bound for side in sides), state.border))


def _first_prices(state: State) -> Prices:
    """Share the border of every region of the best cut among its households."""
    graph = state.pool.graph
    labels = np.zeros(graph.size, np.int32) if state.labels is None else state.labels
    across = labels[graph.u] != labels[graph.v]
    border = np.bincount(labels[graph.u[across]], graph.weight[across], int(labels.max()) + 1)
    border += np.bincount(labels[graph.v[across]], graph.weight[across], border.size)
    people = np.bincount(labels, graph.households)
    return Prices(graph.households * (border / np.maximum(people, 1))[labels], 0.0)


def _raise_bound(state: State, side: Side) -> None:
    """Generate columns until none is missing, the bound is met or the work is spent."""
    pool, nodes = state.pool, FIRST_NODES
    while not state.spent() and not state.met_by(side.bound):
        mix = pool.mix(side.least, side.most)
        side.regions = mix.regions
        for prices in (side.prices.toward(mix.prices, SHARE), mix.prices):
            priced = pool.price(prices, side.least, side.most, nodes, state.left())
            side.take(priced.bound, prices)
            if priced.new or state.spent():
                break
        else:
            if priced.whole and mix.wanting > SURE and pool.dear < pool.dearest:
                pool.dear = min(4 * pool.dear, pool.dearest)
            elif priced.whole:
                side.settled = True
                return
            else:
                nodes *= 10


def _choose_whole(state: State, side: Side, share: float) -> None:
    """Choose a whole cut among all columns that one better by a share of the gap could have."""
    gap = (state.border - side.priced) * share
    if state.spent() or state.met_by(side.bound) or not side.settled:
        return
    pool = state.pool
    members = pool.list_cheap(side.prices, gap, state.left(), MOST_COLUMNS)
    if members is None:
        return
    borders = [pool.border_of(units) for units in members]
    nodes = 1 + state.left() // (CHOICE_WORK * max(1, len(members)))
    bound, chosen, met = choose_columns(members, borders, pool.graph.size, side.least, side.most,
                                        nodes)
    pool.work += met * CHOICE_WORK * len(members)
    if chosen is not None:
        state.offer([members[i] for i in chosen])
    side.bound = max(side.bound, min(side.priced + gap, bound))


def _groups_of(cut: Cut) -> Units:
    """Return the group of every unit; groups that a region spans are one."""
    if cut.groups.size == 0:
        return np.zeros(cut.labels.size, np.int32)
    region, group = number_regions(cut.labels), number_regions(cut.groups)
    count = int(group.max()) + 1
    joined = pieces_of(count + int(region.max()) + 1, group, region + np.int32(count))
    return number_regions(joined[:count][group])
