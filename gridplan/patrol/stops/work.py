"""The same task visit by visit, as plain arrays: what the search and the solver read."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gridplan.patrol.stops.problem import LONGEST_S, Bools, Ints, StopProblem


class Work(NamedTuple):
    """Visits and teams as arrays; ``v`` visits, ``k`` teams, ``w`` windows.

    Visits of one stop follow each other: those of visit ``x`` are ``first[x]:after[x]``. Windows
    of visit ``x`` are rows ``window[x]:window[x + 1]`` of ``opens`` and ``last``, the earliest and
    latest second it may begin, sorted, never overlapping.

    The cost of a plan is, in seconds, the travel, ``balance`` times the longest work of a team
    (``done`` before, travel and stays now), ``penalty`` of every visit left out and ``toll`` of
    every visit by the team that makes it.
    """

    travel: Ints  # (modes, n, n)
    mode: Ints  # (k,) and so on to load
    start: Ints
    end: Ints
    ready: Ints
    finish: Ints
    rest: Ints
    rest_from: Ints
    rest_to: Ints
    done: Ints
    node: Ints  # (v,) and so on to penalty
    stay: Ints
    stop: Ints
    spacing: Ints
    first: Ints
    after: Ints
    penalty: Ints
    window: Ints  # (v + 1,)
    opens: Ints  # (w,)
    last: Ints
    allowed: Bools  # (v, k)
    toll: Ints  # (v, k)
    balance: int


def list_visits(problem: StopProblem, *, left: Ints | None = None,
                not_before: Ints | None = None) -> Work:
    """Write a problem visit by visit.

    Parameters
    ----------
    problem
        What is asked.
    left
        Visits of each stop still to be made, shape (s,); all of them if not given.
    not_before
        Earliest begin of a visit of each stop, shape (s,).

    Returns
    -------
    Work
        The teams as they stand in the problem. Required visits cost so much that no saving of
        travel and no optional visit makes up for one.

    Examples
    --------
    >>> from gridplan.patrol.stops.problem import make_stops, make_teams
    >>> stops = make_stops([1, 1], visits=[2, 1], optional=[False, True], penalty_min=[0, 5])
    >>> work = list_visits(StopProblem([[[0, 60], [60, 0]]], make_teams(1), stops))
    >>> work.stop.tolist(), work.first.tolist(), work.after.tolist(), work.penalty.tolist()[2]
    ([0, 0, 1], [0, 0, 2], [2, 2, 3], 300)
    """
    teams, stops = problem.teams, problem.stops
    count = stops.visits if left is None else left
    stop = np.repeat(np.arange(len(stops.ids)), count)
    ends = np.cumsum(count)
    first, after = (ends - count)[stop], ends[stop]
    least = np.zeros(len(stops.ids), np.int64) if not_before is None else not_before
    window, opens, last = [0], [], []
    for s in stop.tolist():
        for a, b in stops.windows[s] or ((0, 2 * LONGEST_S),):
            begin, latest = max(a, int(least[s])), b - int(stops.stay_s[s])
            if begin <= latest:
                opens.append(begin)
                last.append(latest)
        window.append(len(opens))
    work = Work(
        problem.travel_s, teams.mode, teams.start, teams.end,
        teams.shift_start_s, teams.shift_end_s, teams.break_s,
        np.maximum(teams.break_from_s, teams.shift_start_s),
        np.minimum(teams.break_to_s, teams.shift_end_s), np.zeros(len(teams.ids), np.int64),
        stops.node[stop], stops.stay_s[stop], stop, stops.spacing_s[stop], first, after,
        np.zeros(stop.size, np.int64), np.array(window, np.int64), np.array(opens, np.int64),
        np.array(last, np.int64), problem.allows()[stop],
        np.zeros((stop.size, len(teams.ids)), np.int64), problem.balance)
    optional = stops.optional[stop]
    penalty = np.where(optional, 60 * stops.penalty_min[stop], 0)
    dear = bound_cost(work) + int(penalty.sum()) + 1
    penalty[~optional] = dear * stops.priority[stop][~optional]
    return own_arrays(work._replace(penalty=penalty))


def own_arrays(work: Work) -> Work:
    """Return the work with arrays of its own, so that compiled code knows one kind of them."""
    arrays: dict[str, Any] = {name: np.array(array, order="C")
                              for name, array in work._asdict().items() if name != "balance"}
    return work._replace(**arrays)


def bound_cost(work: Work) -> int:
    """Return a number that travel and balance of no plan exceed."""
    arcs = int(work.node.size) + int(work.mode.size)
    longest = int(work.travel.max(initial=0))
    stays, done = int(work.stay.sum()), int(work.done.max(initial=0))
    return arcs * longest * (1 + work.balance) + work.balance * (stays + done)
