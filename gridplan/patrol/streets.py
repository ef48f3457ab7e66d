"""Streets to be patrolled as arrays: costs between places, the tasks of a search, odd places."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from gridplan.patrol.problem import FORBIDDEN, REQUIRED, UNLIMITED, Ints, Problem


@dataclass(frozen=True)
class Streets:
    """Streets u–v between places 0 … ``places`` − 1.

    Attributes
    ----------
    u, v
        (m,) places that each street joins.
    travel
        (m, 2) cost of passing from u to v, and from v to u; ``FORBIDDEN`` where it is not open.
        Whole numbers of one unit.
    serve
        (m, 2) the same for a pass that serves the street.
    required
        (m,) whether a street must be served.

    Raises
    ------
    ValueError
        If shapes differ, a place does not exist, a cost is negative or a street that must be
        served is open in no direction.
    """

    places: int
    u: Ints
    v: Ints
    travel: Ints
    serve: Ints
    required: NDArray[np.bool_]

    def __post_init__(self) -> None:
        m = len(self.u)
        for name, shape in {"v": (m,), "travel": (m, 2), "serve": (m, 2),
                            "required": (m,)}.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, not {shape}")
        ends = np.concatenate([self.u, self.v])
        if m and (ends.min() < 0 or ends.max() >= self.places):
            raise ValueError(f"a street leads to place {ends.max()} of {self.places}")
        if m and min(self.travel.min(), self.serve.min()) < 0:
            raise ValueError("a cost is negative")
        if (self.serve[self.required.astype(bool)].min(axis=1, initial=FORBIDDEN,
                                                       where=True) >= FORBIDDEN).any():
            raise ValueError("a street that must be served is open in no direction")

    @classmethod
    def of(cls, places: int, u: ArrayLike, v: ArrayLike, travel: ArrayLike, *,
           back: ArrayLike | None = None, required: ArrayLike = True) -> Streets:
        """Make streets that cost the same whether they are served or passed.

        Parameters
        ----------
        travel, back
            Cost from u to v, and from v to u (by default the same).

        >>> Streets.of(3, [0, 1], [1, 2], [5, 7], required=[True, False]).travel.tolist()
        [[5, 5], [7, 7]]
        """
        u, v = np.asarray(u, np.int64), np.asarray(v, np.int64)
        there = np.asarray(travel, np.int64)
        cost = np.column_stack([there, there if back is None else np.asarray(back, np.int64)])
        cost = np.minimum(cost, FORBIDDEN)
        return cls(places, u, v, cost, cost, np.broadcast_to(np.asarray(required, bool), u.shape))


def measure_ways(streets: Streets, places: Ints) -> Ints:
    """Return the (p, p) least travel cost between some places; FORBIDDEN where no way leads.

    >>> measure_ways(Streets.of(3, [0, 1], [1, 2], [5, 7]), np.array([0, 2])).tolist()
    [[0, 12], [12, 0]]
    """
    one, two = np.r_[streets.u, streets.v], np.r_[streets.v, streets.u]
    cost = np.r_[streets.travel[:, 0], streets.travel[:, 1]]
    open_ = (cost < FORBIDDEN) & (one != two)
    one, two, cost = one[open_], two[open_], cost[open_]
    order = np.lexsort([cost, two, one])
    first = np.ones(len(order), bool)  # of parallel streets the cheapest
    first[1:] = (np.diff(one[order]) != 0) | (np.diff(two[order]) != 0)
    kept = order[first]
    # A cost of 0 would be no street to scipy; half a unit in all is lost in rounding.
    tiny = 0.5 / max(1, streets.places)
    table = coo_array((np.maximum(cost[kept], tiny), (one[kept], two[kept])),
                      shape=(streets.places, streets.places)).tocsr()
    ways = dijkstra(table, indices=places)[:, places]
    return np.where(np.isfinite(ways), np.floor(ways + 1e-6), FORBIDDEN).astype(np.int64)


def make_problem(streets: Streets, depot: int, teams: int, *, limit: int = UNLIMITED,
                 prize: ArrayLike = REQUIRED) -> Problem:
    """Return the search problem of streets: the longest of ``teams`` routes is to be shortest.

    Its tasks are the streets that must be served, in their order.

    >>> asked = make_problem(Streets.of(3, [0, 1], [1, 2], [5, 7], required=[False, True]), 0, 2)
    >>> asked.tasks, asked.vehicles, asked.serve.tolist()
    (1, 2, [[7, 7]])
    """
    needed = np.flatnonzero(streets.required)
    places = np.unique(np.r_[depot, streets.u[needed], streets.v[needed]])
    u, v = (np.searchsorted(places, x[needed]) for x in (streets.u, streets.v))
    return Problem.of(u, v, streets.serve[needed, 0], measure_ways(streets, places),
                      back=streets.serve[needed, 1], vehicles=teams,
                      depot=int(np.searchsorted(places, depot)), limit=limit, prize=prize,
                      longest=True)


def join_odd(streets: Streets) -> Ints:
    """Return the streets that are best passed once more, so that every place is met evenly often.

    The cheapest set of streets that meets the places where an odd number of streets must be
    served an odd number of times, the others an even number (a T-join). One-way streets count
    as open both ways: for them it is a relaxation.

    It is found as a perfect matching of least cost. Every street becomes two nodes, one at each
    end, joined at its cost; the nodes at one place are joined at no cost, with one more where
    the number of streets is not as even or odd as it should be. A street is taken if its nodes
    are matched with each other.

    Raises
    ------
    ValueError
        If there is no such set: a piece of the streets has an odd number of odd places.

    >>> join_odd(Streets.of(3, [0, 1], [1, 2], [5, 7])).tolist()
    [0, 1]
    """
    import rustworkx

    needed = streets.required.astype(bool)
    degree = np.bincount(np.r_[streets.u[needed], streets.v[needed]], minlength=streets.places)
    cost = streets.travel.min(axis=1)
    usable = np.flatnonzero((streets.u != streets.v) & (cost < FORBIDDEN))
    corners: dict[int, list[int]] = defaultdict(list)
    pairs = []
    for i, e in enumerate(usable.tolist()):
        corners[int(streets.u[e])].append(2 * i)
        corners[int(streets.v[e])].append(2 * i + 1)
        pairs.append((2 * i, 2 * i + 1, int(cost[e])))
    nodes = 2 * len(usable)
    for place in range(streets.places):
        held = corners[place]
        if len(held) % 2 != degree[place] % 2:
            held, nodes = [*held, nodes], nodes + 1
        pairs += [(a, b, 0) for i, a in enumerate(held) for b in held[i + 1:]]
    graph = rustworkx.PyGraph(multigraph=False)
    graph.add_nodes_from(range(nodes))
    most = int(cost[usable].max(initial=0)) + 1
    graph.add_edges_from([(a, b, most - price) for a, b, price in pairs])
    matched = rustworkx.max_weight_matching(graph, max_cardinality=True, weight_fn=int)
    if 2 * len(matched) != nodes:
        raise ValueError("the streets fall into pieces with an odd number of odd places")
    taken = sorted(min(a, b) // 2 for a, b in matched
                   if max(a, b) < 2 * len(usable) and a // 2 == b // 2)
    return usable[taken]
