"""What the search is asked and what it answers: tasks, vehicles, routes, all of it numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]

REQUIRED = 2**40  # the prize of a task that must be served: more than any route costs
FORBIDDEN = 10**9  # the cost of a way or a direction that is not open
UNLIMITED = 2**40


@dataclass(frozen=True)
class Problem:
    """Tasks to be served by vehicles, at least cost in all or with the longest route shortest.

    A task has one or two ways to be served, as a street has two directions. Costs are whole
    numbers of one unit, decimetres or seconds.

    Attributes
    ----------
    begin, end
        (n, 2) places where each way of each task begins and ends: rows of ``between``.
    serve
        (n, 2) cost of serving the task in that way; ``FORBIDDEN`` where it is not open.
    between
        (p, p) least cost from place to place.
    start, finish
        (k,) places where each vehicle sets out and where it ends.
    load, capacity
        (n,) load of each task and (k,) what each vehicle holds.
    limit
        (k,) most that the route of each vehicle may cost.
    prize
        (n,) cost of leaving a task out; ``REQUIRED`` where that is not open.
    longest
        Whether the longest route counts; otherwise all of them together.

    Raises
    ------
    ValueError
        If shapes differ, a place is no row of ``between``, a number is negative or a task has no
        open way.

    Examples
    --------
    >>> street = Problem.of([0], [1], [5], [[0, 2], [2, 0]], vehicles=1)
    >>> street.tasks, street.vehicles, street.serve.tolist()
    (1, 1, [[5, 5]])
    """

    begin: Ints
    end: Ints
    serve: Ints
    between: NDArray[np.int32]
    start: Ints
    finish: Ints
    load: Ints
    capacity: Ints
    limit: Ints
    prize: Ints
    longest: bool = False

    def __post_init__(self) -> None:
        _check_problem(self)

    @property
    def tasks(self) -> int:
        """How many tasks there are."""
        return len(self.load)

    @property
    def vehicles(self) -> int:
        """How many vehicles there are."""
        return len(self.start)

    @classmethod
    def of(cls, u: ArrayLike, v: ArrayLike, serve: ArrayLike, between: ArrayLike, *,
           vehicles: int, back: ArrayLike | None = None, depot: int = 0,
           load: ArrayLike = 0, capacity: int = UNLIMITED, limit: int = UNLIMITED,
           prize: ArrayLike = REQUIRED, longest: bool = False) -> Problem:
        """Make a problem of streets u–v, or points where u = v, and equal vehicles of one depot.

        Parameters
        ----------
        serve, back
            Cost of serving from u to v, and from v to u (by default the same).
        """
        u, v = np.asarray(u, np.int64), np.asarray(v, np.int64)
        there = np.broadcast_to(np.asarray(serve, np.int64), u.shape)
        again = there if back is None else np.broadcast_to(np.asarray(back, np.int64), u.shape)
        one = np.ones(vehicles, np.int64)
        return cls(np.column_stack([u, v]), np.column_stack([v, u]),
                   np.column_stack([there, again]),
                   np.minimum(np.asarray(between), FORBIDDEN).astype(np.int32),
                   one * depot, one * depot,
                   np.broadcast_to(np.asarray(load, np.int64), u.shape), one * capacity,
                   one * limit, np.broadcast_to(np.asarray(prize, np.int64), u.shape), longest)


def _check_problem(asked: Problem) -> None:
    n, k, places = len(asked.load), len(asked.start), len(asked.between)
    shapes = {"begin": (n, 2), "end": (n, 2), "serve": (n, 2), "between": (places, places),
              "start": (k,), "finish": (k,), "load": (n,), "capacity": (k,), "limit": (k,),
              "prize": (n,)}
    for name, shape in shapes.items():
        values = getattr(asked, name)
        if values.shape != shape:
            raise ValueError(f"{name} has shape {values.shape}, not {shape}")
        if values.size and values.min() < 0:
            raise ValueError(f"{name} holds {values.min()}")
    for name in ("begin", "end", "start", "finish"):
        values = getattr(asked, name)
        if values.size and values.max() >= places:
            raise ValueError(f"{name} names place {values.max()} of {places}")
    if not k:
        raise ValueError("there is no vehicle")
    if n and asked.serve.min(axis=1).max() >= FORBIDDEN:
        raise ValueError(f"task {int(asked.serve.min(axis=1).argmax())} is open in no way")


@dataclass(frozen=True)
class Routes:
    """What each vehicle does: its tasks in order, and the way each is served.

    Attributes
    ----------
    tasks, ways
        Of each vehicle, the rows of its tasks and the way (0 or 1) of each.
    lengths
        (k,) cost of each route; 0 for a vehicle that stays.
    left
        Tasks that nobody serves.
    iterations
        How many the search was given.
    """

    tasks: tuple[Ints, ...]
    ways: tuple[Ints, ...]
    lengths: Ints
    left: Ints
    iterations: int = 0

    @property
    def used(self) -> int:
        """How many vehicles serve something."""
        return sum(len(held) > 0 for held in self.tasks)

    @property
    def total(self) -> int:
        """Cost of all routes together, without what is left out."""
        return int(self.lengths.sum())

    @property
    def longest(self) -> int:
        """Cost of the longest route."""
        return int(self.lengths.max())


def find_ways(asked: Problem, vehicle: int, tasks: Ints) -> tuple[Ints, int]:
    """Return the cheapest ways of serving tasks in a given order, and what the route costs.

    Exact: after each task only the best cost of either way counts for what follows.

    >>> line = Problem.of([2], [1], [5], [[0, 1, 9], [1, 0, 6], [9, 6, 0]], vehicles=1)
    >>> ways, cost = find_ways(line, 0, np.array([0]))
    >>> ways.tolist(), cost
    ([0], 15)
    """
    if not len(tasks):
        return np.zeros(0, np.int64), 0
    cost = np.array([0, FORBIDDEN], np.int64)
    at = np.array([asked.start[vehicle]] * 2)
    came = np.empty((len(tasks), 2), np.int64)
    for i, x in enumerate(tasks):
        reach = cost[:, None] + asked.between[at[:, None], asked.begin[x][None, :]]
        came[i] = reach.argmin(axis=0)
        cost = reach.min(axis=0) + asked.serve[x]
        at = asked.end[x]
    home = cost + asked.between[at, asked.finish[vehicle]]
    ways = np.empty(len(tasks), np.int64)
    way = int(home.argmin())
    for i in range(len(tasks) - 1, -1, -1):
        ways[i] = way
        way = int(came[i, way])
    return ways, int(home.min())


def read_routes(asked: Problem, orders: list[Ints], iterations: int = 0) -> Routes:
    """Return the routes that serve the tasks in the given orders, one order per vehicle."""
    found = [find_ways(asked, r, tasks) for r, tasks in enumerate(orders)]
    served = np.zeros(asked.tasks, bool)
    for tasks in orders:
        served[tasks] = True
    return Routes(tuple(orders), tuple(ways for ways, _ in found),
                  np.array([cost for _, cost in found], np.int64), np.flatnonzero(~served),
                  iterations)
