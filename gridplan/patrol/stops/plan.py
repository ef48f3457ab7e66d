"""What came of a stop patrol: who visits what when, and what stays unvisited."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridplan.patrol.stops.kernels import NONE, State, time_route
from gridplan.patrol.stops.problem import Ints, StopProblem
from gridplan.patrol.stops.work import Work


@dataclass(frozen=True, eq=False)
class StopPlan:
    """Visits by team in order of travel, and the day of every team; times in seconds.

    Attributes
    ----------
    team, stop
        Rows of the problem's teams and stops, shape (n,), teams together, in order of time.
    begin_s, stay_s
        When a visit begins and how long it lasts, shape (n,). A stay is longer than the least
        where the team would otherwise wait, up to the most the stop allows.
    leave_s, back_s
        When a team leaves for its first visit and is at its end, shape (k,).
    rest_begin_s
        When its break begins, shape (k,); -1 without one, as for a team that stays in. A break
        that begins on a way interrupts it.
    rest_after
        After how many of its visits the break lies, shape (k,); -1 without one.
    travel_s, work_s
        Travel, and travel and stays (the least) together, shape (k,).
    missed
        Visits of each stop that are not made, shape (s,).
    cost_s
        Travel and the balance of the longest work and, of optional stops left out, the penalty.
    method, status
        ``search`` or ``solver``, whichever was better; what the solver said of itself.
    """

    team: Ints
    stop: Ints
    begin_s: Ints
    stay_s: Ints
    leave_s: Ints
    back_s: Ints
    rest_begin_s: Ints
    rest_after: Ints
    travel_s: Ints
    work_s: Ints
    missed: Ints
    cost_s: int
    method: str = "search"
    status: str = "not run"

    def missed_required(self, problem: StopProblem) -> Ints:
        """Return the rows of required stops with visits that are not made."""
        return np.flatnonzero((self.missed > 0) & ~problem.stops.optional)

    def visits_of(self, team: int) -> Ints:
        """Return the rows of the visits of one team, in order."""
        return np.flatnonzero(self.team == team)


def read_plan(problem: StopProblem, work: Work, state: State, *, method: str, status: str
              ) -> StopPlan:
    """Read a plan out of the search's state, break by break, stays stretched where there is time.

    Examples
    --------
    >>> from gridplan.patrol.stops.problem import make_stops, make_teams
    >>> from gridplan.patrol.stops.search import plan_stops
    >>> problem = StopProblem([[[0, 60], [60, 0]]], make_teams(1), make_stops([1]))
    >>> plan = plan_stops(problem)
    >>> plan.begin_s.tolist(), plan.back_s.tolist(), plan.cost_s
    ([60], [120], 240)
    """
    teams = work.mode.size
    day = {name: np.full(teams, NONE) for name in ("leave", "back", "rest", "after")}
    rows: list[tuple[int, int, int, int]] = []
    own, best = (np.full(max(1, work.node.size), NONE) for _ in range(2))
    for v in range(teams):
        route = state.routes[v, :state.sizes[v]]
        day["leave"][v] = day["back"][v] = work.ready[v]
        if not route.size:
            day["back"][v] += max(0, int(work.travel[work.mode[v], work.start[v], work.end[v]]))
            continue
        others = state.begin.copy()
        others[route] = NONE
        back, leg, rest = time_route(work, v, route, route.size, others, own, best)
        begin = best[route].copy()
        way = work.travel[work.mode[v], work.start[v], work.node[route[0]]]
        day["leave"][v] = work.ready[v] if leg == 0 else begin[0] - way
        stays = stretch_stays(problem, work, v, route, begin, leg)
        if leg > 0:
            rest = max(int(begin[leg - 1] + stays[leg - 1]), int(work.rest_from[v]))
        day["back"][v], day["rest"][v], day["after"][v] = back, rest, leg
        rows += zip([v] * route.size, work.stop[route].tolist(), begin.tolist(), stays.tolist(),
                    strict=True)
    team, stop, begin_s, stay_s = np.array(rows, np.int64).reshape(-1, 4).T.copy()
    missed = problem.stops.visits - np.bincount(stop, minlength=len(problem.stops.ids))
    left_out = missed * problem.stops.optional * problem.stops.penalty_min * 60
    cost = int(state.travel.sum() + work.balance * state.load.max() + left_out.sum())
    return StopPlan(team, stop, begin_s, stay_s, day["leave"], day["back"], day["rest"],
                    day["after"], state.travel.copy(), state.load.copy(), missed, cost, method,
                    status)


def stretch_stays(problem: StopProblem, work: Work, v: int, route: Ints, begin: Ints, leg: int
                  ) -> Ints:
    """Lengthen stays into time that would be waited, within windows and the most of each stop."""
    stays = work.stay[route].copy()
    for i in range(route.size - 1):
        x = route[i]
        way = int(work.travel[work.mode[v], work.node[x], work.node[route[i + 1]]])
        free = int(begin[i + 1]) - way
        if leg == i + 1:
            free = min(free - int(work.rest[v]), int(work.rest_to[v] - work.rest[v]))
        last = next(int(work.last[row]) for row in range(work.window[x], work.window[x + 1])
                    if begin[i] <= work.last[row])
        most = int(begin[i]) + int(problem.stops.stay_most_s[work.stop[x]])
        stays[i] = max(int(stays[i]), min(free, last + int(work.stay[x]), most) - int(begin[i]))
    return stays
