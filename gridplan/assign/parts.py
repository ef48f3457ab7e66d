"""Parts of a problem that have nothing to do with each other, in whole numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from gridplan.assign.problem import Bools, Ints, Problem

FINEST = 1000  # largest denominator of a share
LARGEST = 1 << 50  # sums of weighed loads stay below this
ROUGH = 1 << 20  # unit of weighed loads where an exact one would be too fine


@dataclass(frozen=True, eq=False)
class Part:
    """Posts and people that hang together, numbered from 0; pairs by post, then person.

    All aims are counted so that less is better. ``heavy`` is the load of a pair divided by the
    person's share, times ``unit``, in whole numbers; ``pair`` names the problem's pairs.
    """

    slots: Ints
    room_households: Ints
    room_posts: Ints
    post: Ints
    person: Ints
    size: Ints
    heavy: Ints
    unit: int
    costs: dict[str, Ints]
    order: tuple[str, ...]
    pair: Ints

    @property
    def people(self) -> int:
        """Number of people."""
        return int(self.room_posts.size)

    def measure_aims(self, chosen: Bools) -> dict[str, int]:
        """Return what a choice of pairs is worth in each aim, less being better."""
        value = {aim: int(cost[chosen].sum()) for aim, cost in self.costs.items()}
        value["vacant"] += int(self.slots.sum())
        value["balance"] = int(self.carried(self.heavy, chosen).max(initial=0))
        return {aim: value[aim] for aim in self.order}

    def carried(self, weight: Ints, chosen: Bools) -> Ints:
        """Return the sum of a weight of pairs for every person, shape (people,)."""
        held = np.zeros(self.people, np.int64)
        np.add.at(held, self.person[chosen], weight[chosen])
        return held

    def all_heavy(self) -> int:
        """Return the load of the person who would carry most if everybody took every post."""
        return int(self.carried(self.heavy, np.ones(self.pair.size, np.bool_)).max())

    def fits(self, chosen: Bools) -> bool:
        """Tell whether a choice of pairs fills no slot twice and keeps to everybody's room."""
        filled = np.bincount(self.post[chosen], minlength=self.slots.size)
        return bool((filled <= self.slots).all()
                    and (self.carried(self.size, chosen) <= self.room_households).all()
                    and (self.carried(np.ones_like(self.size), chosen) <= self.room_posts).all())


def split_parts(problem: Problem) -> Iterator[Part]:
    """Yield the parts of a problem; pairs that no filling can hold are in none."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    usable = np.flatnonzero((problem.size[problem.post] <= problem.room_households[problem.person])
                            & (problem.room_posts[problem.person] > 0)
                            & (problem.slots[problem.post] > 0))
    usable = usable[np.lexsort((problem.person[usable], problem.post[usable]))]
    if usable.size == 0:
        return
    posts, ends = problem.slots.size, problem.slots.size + problem.share.size
    joined = coo_array((np.ones(usable.size, np.int8), (problem.post[usable],
                                                        problem.person[usable] + posts)),
                       shape=(ends, ends))
    lot = connected_components(joined, directed=False)[1][problem.post[usable]]
    order = np.argsort(lot, kind="stable")
    for pair in np.split(usable[order], np.flatnonzero(np.diff(lot[order])) + 1):
        yield _make_part(problem, pair)


def _make_part(problem: Problem, pair: Ints) -> Part:
    posts, post = np.unique(problem.post[pair], return_inverse=True)
    people, person = np.unique(problem.person[pair], return_inverse=True)
    load = problem.load[posts][post]
    weight, unit = weigh_shares(problem.share[people].tolist(),
                                int(problem.load[posts].sum()))
    return Part(
        slots=problem.slots[posts], room_households=problem.room_households[people],
        room_posts=problem.room_posts[people], post=post, person=person,
        size=problem.size[problem.post[pair]], heavy=load * weight[person], unit=unit,
        costs={"vacant": np.full(pair.size, -1), "continuity": -problem.kept[pair].astype(np.int64),
               "wishes": -problem.wished[pair].astype(np.int64),
               "travel": problem.travel_m[pair].astype(np.int64)},
        order=("vacant", *problem.order), pair=pair)


def weigh_shares(share: list[float], load: int) -> tuple[Ints, int]:
    """Return whole weights proportional to 1 / share, and the weight of a full-time person.

    The weights are exact unless the sum of the loads weighed would grow too large; then they
    are rounded down to whole parts of a coarser unit, and balance is told as exactly as that.

    >>> weigh_shares([1.0, 0.5, 0.75], 1000)
    (array([3, 6, 4]), 3)
    """
    parts = [max(Fraction(x).limit_denominator(FINEST), Fraction(1, FINEST)) for x in share]
    unit = math.lcm(*(x.numerator for x in parts))
    finest = int(LARGEST * min(parts) / max(load, 1))
    if unit > finest:
        unit = max(1, min(ROUGH, finest))
    return np.array([unit * x.denominator // x.numerator for x in parts], np.int64), unit
