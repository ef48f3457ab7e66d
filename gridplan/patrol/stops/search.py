"""Plan stop patrols: insert, search, let the solver better it, keep the best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gridplan.patrol.stops.child import solve_apart
from gridplan.patrol.stops.kernels import (
    NONE,
    State,
    measure_cost,
    recreate,
    search_plan,
    settle_route,
)
from gridplan.patrol.stops.plan import StopPlan, read_plan
from gridplan.patrol.stops.possible import count_possible
from gridplan.patrol.stops.problem import Ints, StopProblem
from gridplan.patrol.stops.work import Work, list_visits
from gridplan.regions.kernels import seed_luck

STEPS = 20_000  # of ruin and recreate
SOLUTIONS = 20  # that the solver goes through; after the search more seldom bring anything
MOST_SOLVED = 400  # visits; above it the solver's matrices cost more than they bring
NEAREST = 200  # visits counted as near


def plan_stops(problem: StopProblem, *, steps: int = STEPS, solutions: int = SOLUTIONS,
               seed: int = 1, started: Callable[[int], None] | None = None) -> StopPlan:
    """Plan the visits of a day and shift.

    Required visits come first, by priority; then travel, the longest work and optional visits
    are weighed in seconds. What cannot be met is left out and counted in ``missed``:
    :func:`~gridplan.patrol.stops.shortage.explain_missed` says why.

    Parameters
    ----------
    problem
        Ways, teams and stops.
    steps, solutions
        Work of the own search and of OR-Tools (0: none); nothing else limits them.
    seed
        Of the search.
    started
        Called with the id of the solver's process.

    Returns
    -------
    StopPlan
        The best plan found: same problem, work and seed, same plan.

    Raises
    ------
    MachineError
        The solver's process died.

    Examples
    --------
    >>> from gridplan.patrol.stops.problem import make_stops, make_teams
    >>> stops = make_stops([1, 2], windows=(((7200, 9000),), ()), stay_s=[600, 600])
    >>> plan = plan_stops(StopProblem([[[0, 60, 90], [60, 0, 60], [90, 60, 0]]],
    ...                               make_teams(1), stops), solutions=0)
    >>> plan.stop.tolist(), plan.begin_s.tolist(), plan.missed.tolist()
    ([1, 0], [90, 7200], [0, 0])
    """
    work = list_visits(problem, left=count_possible(problem))
    state, method, status = solve_work(work, empty_state(work), steps=steps, solutions=solutions,
                                       seed=seed, started=started)
    return read_plan(problem, work, state, method=method, status=status)


def solve_work(work: Work, state: State, *, steps: int, solutions: int, seed: int,
               started: Callable[[int], None] | None = None) -> tuple[State, str, str]:
    """Search from a plan that keeps the rules; return the best, who found it, what OR-Tools said.

    ``state`` itself is changed.
    """
    insert_greedily(work, state)
    if work.node.size > 1 and steps > 0:
        luck = seed_luck(seed, 31)
        heat = max(1.0, float(state.travel.sum()) / max(1, int(state.sizes.sum())) / 2)
        search_plan(work, state, rank_near(work), rank_orders(work), luck, steps, heat)
    if solutions <= 0 or not 1 < work.node.size <= MOST_SOLVED:
        return state, "search", "not run"
    better, status = run_solver(work, state, solutions, started)
    if better is not None and measure_cost(work, better) < measure_cost(work, state):
        return better, "solver", status
    return state, "search", status


def empty_state(work: Work) -> State:
    """Return the plan in which every team stays in."""
    teams, visits = work.mode.size, work.node.size
    state = State(np.full((teams, visits + 1), NONE), np.zeros(teams, np.int64),
                  *(np.full(visits, NONE) for _ in range(4)),
                  *(np.zeros(teams, np.int64) for _ in range(2)))
    scratch = np.full((4, max(1, visits)), NONE)
    for v in range(teams):
        settle_route(work, state, v, scratch)
    return state


def insert_greedily(work: Work, state: State) -> None:
    """Put each visit not yet made where it costs least: dear ones first, then narrow windows."""
    scratch = np.full((4, max(1, work.node.size)), NONE)
    order = np.lexsort((_width(work), -work.penalty))
    keys = np.empty(order.size)
    keys[order] = np.arange(order.size)
    recreate(work, state, keys, scratch, seed_luck(0), 0.0)


def _width(work: Work) -> Ints:
    """Return how many seconds each visit may begin in."""
    total = np.concatenate([[0], np.cumsum(work.last - work.opens)])
    return total[work.window[1:]] - total[work.window[:-1]]


def rank_near(work: Work) -> NDArray[np.int32]:
    """Return for each visit the visits near it, itself first, shape (v, at most NEAREST)."""
    ways = np.where(work.travel < 0, 1 << 30, work.travel)[sorted(set(work.mode.tolist()))]
    near = ways.min(axis=0)
    near = np.minimum(near, near.T)
    ranked = np.empty((work.node.size, min(work.node.size, NEAREST)), np.int32)
    for x in range(work.node.size):
        far = near[work.node[x]][work.node] + 1
        far[x] = 0
        ranked[x] = np.argsort(far, kind="stable")[:ranked.shape[1]]
    return ranked


def rank_orders(work: Work) -> NDArray[np.float64]:
    """Return three orders of inserting, small first: dear, narrow, far; steps of 1 or more."""
    away = np.where(work.travel < 0, 0, work.travel)[:, work.start].max(axis=(0, 1))[work.node]
    keys = (-work.penalty, _width(work), -away)
    return np.stack([np.unique(key, return_inverse=True)[1] for key in keys]).astype(np.float64)


def run_solver(work: Work, state: State, solutions: int,
               started: Callable[[int], None] | None) -> tuple[State | None, str]:
    """Hand the plan to OR-Tools, in a process of its own; None if nothing came of it."""
    placeable = work.allowed.any(axis=1) & (work.window[1:] > work.window[:-1])
    later = np.where(state.begin == NONE, np.iinfo(np.int64).max, state.begin)
    order = np.lexsort((later, work.stop))
    order = order[placeable[order]]
    if order.size < 2:
        return None, "not run"
    place = np.full(work.node.size, NONE)
    place[order] = np.arange(order.size)
    given = [place[state.routes[v, :state.sizes[v]]].tolist() for v in range(state.sizes.size)]
    status, routes, begin = solve_apart(pick_visits(work, order), given, solutions,
                                        started=started)
    made = [order[route] for route in routes]
    times = np.full(work.node.size, NONE)
    if routes:
        times[order] = begin
    return (rebuild_state(work, made, times) if routes else None), status


def pick_visits(work: Work, order: Ints) -> Work:
    """Return the work of some visits only, in this order; visits of a stop stay together."""
    rows = [np.arange(work.window[x], work.window[x + 1]) for x in order.tolist()]
    row = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    stop = work.stop[order]
    first = np.searchsorted(stop, stop, side="left")
    after = np.searchsorted(stop, stop, side="right")
    return work._replace(
        node=work.node[order], stay=work.stay[order], stop=stop, spacing=work.spacing[order],
        first=first, after=after, penalty=work.penalty[order],
        window=np.concatenate([[0], np.cumsum([r.size for r in rows])]).astype(np.int64),
        opens=work.opens[row], last=work.last[row], allowed=work.allowed[order],
        toll=work.toll[order])


def rebuild_state(work: Work, routes: list[Ints], begin: Ints) -> State | None:
    """Settle routes with times that keep the rules as early as can be; None if they do not hold.

    One route after the other moves up, given the times of all others, so that the spacing
    between routes holds at every moment.
    """
    state = empty_state(work)
    made = np.concatenate(routes)
    if np.unique(made).size < made.size or (begin[made] < 0).any():
        return None
    state.begin[made] = begin[made]
    for v, route in enumerate(routes):
        state.routes[v, :route.size] = route
        state.sizes[v] = route.size
        state.at[route] = v
        if not work.allowed[route, v].all():
            return None
    scratch = np.full((4, max(1, work.node.size)), NONE)
    if not all(settle_route(work, state, v, scratch) for v in range(len(routes))):
        return None
    return state
