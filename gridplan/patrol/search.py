"""The search for routes: tasks in, routes out, by ruin and recreate under simulated annealing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridplan.patrol.kernels import (
    AFTER,
    BEFORE,
    LENGTH,
    clear_routes,
    insert,
    open_journal,
    score,
    take_from_bank,
)
from gridplan.patrol.problem import FORBIDDEN, Ints, Problem, Routes, read_routes
from gridplan.patrol.ruin import State, Work, anneal, fill
from gridplan.regions.kernels import seed_luck

NEAREST = 200  # neighbours a task knows
WIDE = 250  # up to so many tasks every place is looked at
TRIES = 20  # beyond that, so many neighbours
CHUNK = 20_000  # iterations between two looks at the keyboard


@dataclass(frozen=True)
class Heat:
    """How annealing goes: first and last temperature, as shares of the mean cost of a task."""

    first: float = 0.3
    last: float = 0.01


# Where the longest route counts, the eighth power must be shaken harder before it settles.
HEAT, HEAT_LONGEST = Heat(), Heat(10.0, 0.03)


def find_routes(asked: Problem, *, iterations: int, seed: int = 0, first: list[Ints] | None = None,
                reference: float | None = None, heat: Heat | None = None) -> Routes:
    """Return the best routes that a number of iterations finds.

    Parameters
    ----------
    iterations
        How often tasks are taken out and put back; work, not time, so results repeat.
    first
        Tasks of each vehicle to begin with; by default each task goes where it costs least.
    reference
        Where the longest route counts, the length that is hoped for: a bound, say. By default
        the mean length of the routes to begin with.
    heat
        How annealing goes; by default as was best in the benchmarks.

    Returns
    -------
    Routes
        Capacities and limits are kept, unless ``first`` breaks them. A task that finds no place
        is ``left``, a required one too.

    Examples
    --------
    >>> square = np.abs(np.subtract.outer([0, 4, 8], [0, 4, 8]))
    >>> asked = Problem.of([0, 1], [1, 2], [4, 4], square, vehicles=2, longest=True)
    >>> find_routes(asked, iterations=50).lengths.tolist()
    [16, 0]
    """
    heat = heat or (HEAT_LONGEST if asked.longest else HEAT)
    work, state = lay_out(asked)
    luck = seed_luck(seed, 1)
    clear_routes(work.between, work.task, state.held, state.sums, state.bank, state.counts,
                 work.prize)
    for vehicle, tasks in enumerate(first or []):
        append_tasks(work, state, vehicle, tasks)
    fill(work, state, luck)
    lengths = state.sums[:, LENGTH]
    if asked.longest:
        mean = lengths.sum() / max(1, (lengths > 0).sum())
        work = work._replace(reference=float(max(1.0, reference or mean)))
    scale = max(1.0, lengths.sum() / max(1, asked.tasks))
    cooling = (heat.last / heat.first) ** (1.0 / max(1, iterations))
    best = state.held[:, AFTER].copy()
    least = np.array([score(state.sums, state.counts, work.reference)], np.int64)
    warmth = heat.first * scale
    for done in range(0, iterations if asked.tasks else 0, CHUNK):
        warmth = anneal(work, state, best, least, min(CHUNK, iterations - done), warmth, cooling,
                        luck)
    return read_routes(asked, read_chains(best, asked.tasks, asked.vehicles), iterations)


def lay_out(asked: Problem) -> tuple[Work, State]:
    """Return a problem as the kernels take it, and room for its routes."""
    n, k = asked.tasks, asked.vehicles
    begin, end, serve = asked.begin.copy(), asked.end.copy(), asked.serve.copy()
    shut = serve[:, 0] >= FORBIDDEN  # the only way that is open comes first
    for held in (begin, end, serve):
        held[shut, 0] = held[shut, 1]
    one = shut | (serve[:, 1] >= FORBIDDEN) | ((begin == begin[:, :1]) & (end == end[:, :1])
                                               & (serve >= serve[:, :1])).all(axis=1)
    task = np.zeros((n + 2 * k, 8), np.int64)
    task[:n] = np.column_stack([begin, end, serve, np.where(one, 1, 2), asked.load])
    task[n:, :4] = np.concatenate([asked.start, asked.finish])[:, None]
    task[n:, 6] = 1
    alike = np.zeros(k, bool)
    alike[1:] = np.logical_and.reduce([held[1:] == held[:-1] for held in (
        asked.start, asked.finish, asked.capacity, asked.limit)])
    between = np.ascontiguousarray(asked.between, np.int32)
    work = Work(between, task, np.ascontiguousarray(asked.prize, np.int64),
                np.column_stack([asked.capacity, asked.limit]).astype(np.int64), alike,
                between[asked.start[0], begin].min(axis=1).astype(np.int64),
                find_near(begin, end, one, between), 0 if n <= WIDE else TRIES, 0.0)
    return work, State(*(np.zeros(shape, np.int64) for shape in (
        (n + 2 * k, 8), (k, 4), n, 5, (n + 2 * k, 7), (k, 4))))


def find_near(begin: Ints, end: Ints, one: NDArray[np.bool_],
              between: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the nearest other tasks of every task, the nearest first; ties go by number.

    The distance of two tasks is the least link between any of their ways, in either order.
    """
    n = len(begin)
    near = np.empty((n, min(NEAREST, max(0, n - 1))), np.int32)
    for x in range(n):
        least = np.full(n, np.iinfo(np.int32).max, np.int32)
        for way in range(1 if one[x] else 2):
            for other in range(2):
                there = between[end[x, way], begin[:, other]]
                back = between[end[:, other], begin[x, way]]
                if other:
                    there, back = (np.where(one, least, far) for far in (there, back))
                least = np.minimum(least, np.minimum(there, back))
        least[x] = -1
        near[x] = np.argsort(least, kind="stable")[1:near.shape[1] + 1]
    return near


def append_tasks(work: Work, state: State, vehicle: int, tasks: Ints) -> None:
    """Serve tasks by a vehicle in a given order, behind those it has."""
    n, k = len(state.bank), len(state.sums)
    for x in tasks.tolist():
        take_from_bank(state.held, state.bank, state.counts, work.prize, x)
        insert(work.between, work.task, state.held, state.sums, state.journal,
               state.journal_sums, state.counts, x, state.held[n + k + vehicle, BEFORE])
        open_journal(state.counts)


def read_chains(after: Ints, tasks: int, vehicles: int) -> list[Ints]:
    """Return the tasks of every vehicle in order."""
    orders = []
    for r in range(vehicles):
        held, x = [], int(after[tasks + r])
        while x < tasks:
            held.append(x)
            x = int(after[x])
        orders.append(np.array(held, np.int64))
    return orders
