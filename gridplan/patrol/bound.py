"""How short the longest route could be at best: found from the streets alone, not from routes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from gridplan.patrol.problem import FORBIDDEN, Ints
from gridplan.patrol.streets import Streets, join_odd, measure_ways

SURE = 1e-6  # share by which a linear programme may err


@dataclass(frozen=True)
class Bound:
    """What no plan can be better than, in the unit of the streets.

    Attributes
    ----------
    longest
        Of the longest route: the larger of ``tour`` ÷ teams, rounded up, and ``farthest``.
    tour
        Of all routes together: of a postman who serves every street alone.
    farthest
        Of the route that serves the street that lies farthest off.
    """

    longest: int
    tour: int
    farthest: int


def bound_longest(streets: Streets, depot: int, teams: int) -> Bound:
    """Return a bound from below for k closed routes from one depot that serve all required streets.

    All routes together are a walk that meets every place evenly often and leaves it as often as
    it comes. Two relaxations follow, and the larger counts: parity (see
    :func:`gridplan.patrol.streets.join_odd`), exact where all streets are open both ways and
    the required ones hang together with the depot; and balance, a linear programme in which a
    street may be served in part in either direction, for one-way streets. The longest of k
    routes is at least a k-th; and some route serves the street that lies farthest off.

    Raises
    ------
    ValueError
        If a required street cannot be reached and left from the depot.

    >>> bound_longest(Streets.of(3, [0, 1, 0], [1, 2, 2], [4, 4, 4]), 0, 2)
    Bound(longest=12, tour=12, farthest=12)
    """
    needed = np.flatnonzero(streets.required)
    if not len(needed):
        return Bound(0, 0, 0)
    places = np.unique(np.r_[depot, streets.u[needed], streets.v[needed]])
    ways = measure_ways(streets, places)
    home = int(np.searchsorted(places, depot))
    u, v = (np.searchsorted(places, x[needed]) for x in (streets.u, streets.v))
    walks = np.column_stack([ways[home, u] + streets.serve[needed, 0] + ways[v, home],
                             ways[home, v] + streets.serve[needed, 1] + ways[u, home]])
    farthest = int(walks.min(axis=1).max())
    if farthest >= FORBIDDEN:
        raise ValueError("a street cannot be reached from the depot, or not left")
    tour = bound_parity(streets)
    if (streets.travel[:, 0] != streets.travel[:, 1]).any() or (
            streets.serve[:, 0] != streets.serve[:, 1]).any():
        tour = max(tour, bound_balance(streets))
    return Bound(max(-(-tour // teams), farthest), tour, farthest)


def bound_parity(streets: Streets, again: Ints | None = None) -> int:
    """Return what serving costs at least, with the streets passed once more for parity.

    ``again`` are these streets, where they are known already.
    """
    needed = np.flatnonzero(streets.required)
    again = join_odd(streets) if again is None else again
    return int(streets.serve[needed].min(axis=1).sum() + streets.travel[again].min(axis=1).sum())


def bound_balance(streets: Streets) -> int:
    """Return the least cost of passes by which every place is left as often as it is reached.

    Variables: for every required street the shares served from u to v and from v to u, one in
    all; for every street the passes without service in either direction. Shut directions have
    none.
    """
    needed = np.flatnonzero(streets.required)
    arcs = np.concatenate([needed, needed, np.arange(len(streets.u)), np.arange(len(streets.u))])
    count = len(needed)
    back = np.repeat([0, 1, 0, 1], [count, count, len(streets.u), len(streets.u)])
    cost = np.concatenate([streets.serve[needed].T.ravel(), streets.travel.T.ravel()])
    start = np.where(back == 0, streets.u[arcs], streets.v[arcs])
    finish = np.where(back == 0, streets.v[arcs], streets.u[arcs])
    column = np.arange(len(arcs))
    # The places' balance first, one row for each; then one row for each required street.
    rows = np.concatenate([start, finish, streets.places + np.tile(np.arange(count), 2)])
    signs = np.concatenate([np.ones(len(arcs)), -np.ones(len(arcs)), np.ones(2 * count)])
    table = coo_array((signs, (rows, np.concatenate([column, column, column[:2 * count]]))),
                      shape=(streets.places + count, len(arcs))).tocsr()
    shut = cost >= FORBIDDEN
    found = linprog(np.where(shut, 0, cost), A_eq=table,
                    b_eq=np.r_[np.zeros(streets.places), np.ones(count)],
                    bounds=np.column_stack([np.zeros(len(arcs)), np.where(shut, 0, np.inf)]),
                    method="highs")
    if found.status == 2:
        raise ValueError("a street cannot be reached from the depot, or not left")
    if found.status != 0:  # without an answer nothing is claimed
        return 0
    return int(np.ceil(found.fun - SURE * max(1.0, abs(found.fun))))
