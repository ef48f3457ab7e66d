"""What teams could do if there were nothing else to do: the most that can be asked of them."""

from __future__ import annotations

import numpy as np

from gridplan.patrol.stops.kernels import NONE, time_route
from gridplan.patrol.stops.problem import LONGEST_S, Bools, Ints, StopProblem
from gridplan.patrol.stops.work import Work, list_visits


def count_possible(problem: StopProblem) -> Ints:
    """Return how many visits of each stop the teams could make if there were no other stop.

    Ways must be shortest ways: none is longer than one over a third node. Only then is what a
    team cannot do alone out of the question.

    Returns
    -------
    ndarray
        At most the visits wanted, shape (s,); the break counts for the first visit only.

    Examples
    --------
    >>> from gridplan.patrol.stops.problem import make_stops, make_teams
    >>> stops = make_stops([1], visits=[3], spacing_s=[3600], windows=(((0, 5400),),))
    >>> count_possible(StopProblem([[[0, 60], [60, 0]]], make_teams(1), stops)).tolist()
    [2]
    """
    work = list_visits(problem, left=np.ones(len(problem.stops.ids), np.int64))
    alone = find_alone(work)
    most = problem.stops.visits.copy()
    for s in range(most.size):
        most[s] = min(most[s], _count_spaced(work, s, np.flatnonzero(alone[s]), int(most[s])))
    return most


def find_alone(work: Work) -> Bools:
    """Return which team could make which visit if it were the only one, shape (v, k)."""
    alone = np.zeros(work.allowed.shape, np.bool_)
    route = np.zeros(1, np.int64)
    begin, own, best = (np.full(max(1, work.node.size), NONE) for _ in range(3))
    for x, v in np.argwhere(work.allowed).tolist():
        route[0] = x
        alone[x, v] = time_route(work, v, route, 1, begin, own, best)[0] != NONE
    return alone


def _count_spaced(work: Work, x: int, teams: Ints, wanted: int) -> int:
    """Return how many begins ``spacing`` apart fit into windows and shifts, up to ``wanted``."""
    spans = []
    for v in teams.tolist():
        ways, at = work.travel[work.mode[v]], work.node[x]
        first = work.ready[v] + ways[work.start[v], at]
        last = work.finish[v] - ways[at, work.end[v]] - work.stay[x]
        spans += [(max(first, work.opens[row]), min(last, work.last[row]))
                  for row in range(work.window[x], work.window[x + 1])]
    count, t = 0, -LONGEST_S
    if work.spacing[x] == 0:
        return wanted if spans else 0
    for first, last in sorted(spans):
        begin = max(first, t)
        while begin <= last and count < wanted:
            count, begin = count + 1, begin + work.spacing[x]
            t = begin
    return count
