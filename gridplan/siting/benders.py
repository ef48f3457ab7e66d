"""Prove the best sites by cuts: each demand is told only as much as the sites opened can give.

Cordeau, Furini and Ljubić (2019), Benders decomposition for very large scale partial set covering
and maximal covering location problems; Duran-Mateluna, Ales and Elloumi (2023), An efficient
Benders decomposition for the p-median problem. Cuts are found in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from gridplan.siting.kernels import Bools, Floats, Ints, Rows, find_cuts
from gridplan.siting.links import Worth, make_rows, spread
from gridplan.siting.solver import Program, count_nodes, solve_relaxed, solve_whole

if TYPE_CHECKING:
    from gridplan.siting.best import Work

MOST_LINKS = 400_000  # of the sites left; a larger program is not begun
TOLERANCE = 1e-6
MARGIN = 1e-3  # of a step, left to the rounding of solvers


@dataclass(frozen=True, eq=False)
class Master:
    """Sites that are open or not, what each demand is told to get, and the cuts so far.

    ``falling`` has the sites of each demand from the best one down; ``level`` and ``about`` are
    the cuts: the demand gets at most its level and what opened sites give above it.
    """

    falling: Rows
    sites: int
    new: int
    top: Floats
    about: Ints
    level: Floats
    group: Ints

    @property
    def demands(self) -> int:
        """How many demands there are."""
        return self.top.size

    def state(self, high: Floats) -> Program:
        """Write it down: variables are the sites, then the demands."""
        start, size = self.falling.start, np.diff(self.falling.start)
        cut = np.repeat(np.arange(self.about.size), size[self.about])
        first = np.repeat(np.cumsum(size[self.about]) - size[self.about], size[self.about])
        link = np.arange(cut.size) - first + start[self.about][cut]
        above = self.falling.value[link] - self.level[cut]
        used = above > 0
        size_of = np.bincount(self.group)
        number = np.cumsum(size_of > 1) * (size_of > 1)
        shared = np.flatnonzero(size_of[self.group] > 1)
        rows = np.concatenate([cut[used], np.arange(self.about.size),
                               np.full(self.sites, self.about.size),
                               self.about.size + number[self.group[shared]]])
        columns = np.concatenate([self.falling.other[link][used], self.sites + self.about,
                                  np.arange(self.sites), shared])
        values = np.concatenate([-above[used], np.ones(self.about.size), np.ones(self.sites),
                                 np.ones(shared.size)])
        groups = int(number.max(initial=0))
        count = self.sites + self.demands
        whole = np.arange(count) < self.sites
        return Program(
            worth=np.where(whole, 0.0, 1.0),
            rows=sparse.csr_matrix((values, (rows, columns)),
                                   (self.about.size + 1 + groups, count)),
            most=np.concatenate([self.level, [float(self.new)], np.ones(groups)]),
            low=np.zeros(count), high=np.concatenate([high, self.top]), whole=whole)

    def cut(self, x: Floats) -> Master | None:
        """Return it with the cuts that a solution breaks; None if it breaks none."""
        about, level, _ = find_cuts(np.clip(x[:self.sites], 0.0, 1.0), x[self.sites:], TOLERANCE,
                                    self.falling)
        if about.size == 0:
            return None
        return Master(self.falling, self.sites, self.new, self.top,
                      np.concatenate([self.about, about]), np.concatenate([self.level, level]),
                      self.group)

    def gets(self, opened: Bools) -> Floats:
        """Return what each demand gets of opened sites."""
        value = np.where(opened[self.falling.other], self.falling.value, 0.0)
        return np.maximum.reduceat(value, self.falling.start[:-1])


def prove_best(worth: Worth, chosen: Ints, left: Bools, price: Floats, new: int,
               known: tuple[float, float, float], work: Work, seed: int
               ) -> tuple[Ints, float, float]:
    """Search among the sites left until the best is proven or the work is done.

    Parameters
    ----------
    worth, chosen
        All sites, and the best found.
    left
        Sites that a better set may have.
    price
        Prices of demand: where the first cuts are laid.
    known
        The value of ``chosen``, a bound, and by how much a better set is worth more.

    Returns
    -------
    tuple
        Sites, their value, and a bound.
    """
    got, bound, step = known
    goal = got + step * (1 - MARGIN)
    numbers = np.flatnonzero(left)
    master = _lay_master(worth, left, price, new)
    high = np.ones(numbers.size)
    for _ in range(work.rounds):
        answer = solve_relaxed(master.state(high))
        if answer is None or answer.x is None:
            break
        bound = min(bound, max(answer.bound, got))
        if answer.bound < goal:
            return chosen, got, max(got, min(bound, answer.bound))
        cost = np.abs(answer.toll[:numbers.size])
        high = np.where((answer.x[:numbers.size] < 0.5)
                        & (answer.bound - cost < goal), 0.0, high)
        more = master.cut(answer.x)
        if more is None:
            break
        master = more
    best = np.isin(numbers, chosen)
    for _ in range(work.rounds):
        program = master.state(np.where(best, 1.0, high))
        hint = np.concatenate([best.astype(np.float64), master.gets(best)])
        found = solve_whole(program, hint, slack=step * (1 - 2 * MARGIN), seed=seed,
                            nodes=count_nodes(program, work.nodes))
        bound = min(bound, max(found.bound, got))
        if found.x is None:
            break
        closed = found.bound <= float(program.worth @ found.x) + step
        opened = found.x[:numbers.size] > 0.5
        value = float(master.gets(opened).sum())
        if value > got:
            best, got, chosen = opened, value, numbers[opened]
        more = master.cut(np.concatenate([opened.astype(np.float64), found.x[numbers.size:]]))
        if bound < got + step * (1 - MARGIN) or not closed or more is None:
            break
        master = more
    return chosen, got, bound


def _lay_master(worth: Worth, left: Bools, price: Floats, new: int) -> Master:
    """Lay the first cuts: one a demand, at the highest level below its price."""
    site = spread(worth.by_site)
    taken = left[site]
    number = np.cumsum(left) - 1
    heard, row = np.unique(worth.by_site.other[taken], return_inverse=True)
    value, sites = worth.by_site.value[taken], number[site[taken]]
    order = np.lexsort((sites, -value, row))
    start = make_rows(row, sites, value, heard.size).start
    falling = Rows(start, sites[order], value[order])
    below = np.where(falling.value < price[heard][spread(falling)], falling.value, 0.0)
    return Master(falling, int(left.sum()), new, falling.value[start[:-1]],
                  np.arange(heard.size), np.maximum.reduceat(below, start[:-1]),
                  worth.group[left])
