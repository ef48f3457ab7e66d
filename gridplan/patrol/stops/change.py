"""Change in the shift: what is done stays, the rest is planned anew with the fewest changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from gridplan.errors import Findings
from gridplan.patrol.stops.kernels import NONE, State
from gridplan.patrol.stops.plan import StopPlan, read_plan
from gridplan.patrol.stops.problem import LONGEST_S, Bools, Ints, StopProblem
from gridplan.patrol.stops.search import SOLUTIONS, STEPS, empty_state, rebuild_state, solve_work
from gridplan.patrol.stops.work import Work, bound_cost, list_visits, own_arrays

MOST_COST = 1 << 62


@dataclass(frozen=True, eq=False)
class Replan:
    """A plan changed during the shift.

    Attributes
    ----------
    plan
        The whole day, done visits included. A team that dropped out has the visits it had
        finished; its ``back_s`` is the end of the last, its travel ends there.
    done
        Whether a visit was finished, under way or being driven to, shape (n,) as ``plan.team``.
    back_after
        After how many of its visits a team had come back before it left again, shape (k,);
        -1 if it had not.
    changes
        Visits that are made, but not by the team that was to make them and still could.
    """

    plan: StopPlan
    done: Bools
    back_after: Ints
    changes: int


@dataclass
class _Standing:
    """Where a team stands: visits it keeps, node and second it is free from, break behind it."""

    kept: int
    node: int
    ready: int
    travel: int = 0
    rest_begin: int = NONE
    rest_after: int = NONE
    back_after: int = NONE

    def rest_at(self, begin: int, ready: int) -> None:
        """Note a break that has begun; the team is free again at ``ready``."""
        self.rest_begin, self.rest_after, self.ready = begin, self.kept, max(self.ready, ready)


def replan_stops(problem: StopProblem, plan: StopPlan, now_s: int, *, without: Iterable[int] = (),
                 steps: int = STEPS, solutions: int = SOLUTIONS, seed: int = 1) -> Replan:
    """Plan the rest of a shift anew, as the day stands at ``now_s``.

    Visits finished, under way or being driven to stay as they are; teams wait where they are and
    drive as late as they can. Of the rest as many visits as possible are made, then as few as
    possible change their team, then the cost is least.

    Parameters
    ----------
    problem, plan
        What was asked and how it was planned.
    now_s
        Second of the day.
    without
        Rows of teams that drop out now; visits they have not finished are for others.
    steps, solutions, seed
        As of :func:`~gridplan.patrol.stops.search.plan_stops`.

    Returns
    -------
    Replan
        The whole day.

    Raises
    ------
    InputError
        ``now_s`` is no second of the day, or a team is not there.
    MachineError
        The solver's process died.

    Examples
    --------
    >>> from gridplan.patrol.stops.problem import make_stops, make_teams
    >>> from gridplan.patrol.stops.search import plan_stops
    >>> problem = StopProblem([[[0, 60, 60], [60, 0, 90], [60, 90, 0]]], make_teams(2),
    ...                       make_stops([1, 2], stay_s=[600, 600]))
    >>> plan = plan_stops(problem, solutions=0)
    >>> changed = replan_stops(problem, plan, 0, without=[int(plan.team[0])], solutions=0)
    >>> changed.plan.team.tolist() == [1 - int(plan.team[0])] * 2, changed.changes
    (True, 0)
    """
    gone = sorted(set(_check_change(problem, now_s, without)))
    standing = [_stand(problem, plan, v, now_s, v in gone)
                for v in range(len(problem.teams.ids))]
    kept = np.zeros(plan.team.size, np.bool_)
    for v, stands in enumerate(standing):
        kept[plan.visits_of(v)[:stands.kept]] = True
    work, homes = _list_rest(problem, plan, kept, standing, gone)
    state = _carry_on(work, homes, plan, kept)
    state, method, status = solve_work(work, state, steps=steps, solutions=solutions, seed=seed)
    rest = read_plan(problem, work, state, method=method, status=status)
    moved = _count_changes(work, homes, state)
    return _join(problem, plan, rest, kept, standing, gone, moved)


def _check_change(problem: StopProblem, now_s: int, without: Iterable[int]) -> list[int]:
    found, teams = Findings(), list(without)
    for name, value, high in [("now_s", now_s, LONGEST_S)] + [
            ("without", v, len(problem.teams.ids) - 1) for v in teams]:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not (
                0 <= value <= high):
            found.add("patrol.stops_range", field=name, value=repr(value)[:40], low=0, high=high)
    found.stop_on_faults()
    return [int(v) for v in teams]


def _stand(problem: StopProblem, plan: StopPlan, v: int, now_s: int, gone: bool) -> _Standing:
    """Follow a team through its plan until now."""
    teams, rows = problem.teams, plan.visits_of(v)
    ways, rest = problem.travel_s[teams.mode[v]], int(teams.break_s[v])
    free, rest_begin = int(teams.shift_start_s[v]), int(plan.rest_begin_s[v])
    at = _Standing(0, int(teams.start[v]), max(now_s, free))
    if not rows.size:
        # A team that stayed in has had its break there.
        rest_begin = max(free, int(teams.break_from_s[v]))
        if rest and rest_begin + rest <= now_s:
            at.rest_at(rest_begin, now_s)
        return at
    for leg, row in enumerate([*rows.tolist(), None]):
        there = int(teams.end[v] if row is None else problem.stops.node[plan.stop[row]])
        begin = int(plan.back_s[v] if row is None else plan.begin_s[row])
        way, resting = int(ways[at.node, there]), rest > 0 and leg == plan.rest_after[v]
        if resting and rest_begin > free:
            depart = free  # the break interrupts the way: the team drives first
        elif row is None:
            depart = rest_begin + rest if resting else free
        else:
            depart = begin - way
        lost = gone and (row is None or begin + plan.stay_s[row] > now_s)
        if depart > now_s or lost:
            if resting and rest_begin <= now_s:
                at.rest_at(rest_begin, rest_begin + rest)
            return at
        if resting:
            at.rest_at(rest_begin, rest_begin + rest)
        at.node, at.travel = there, at.travel + way
        if row is None:
            at.back_after, at.ready = at.kept, max(now_s, begin)
            return at
        at.kept += 1
        free = begin + int(plan.stay_s[row])
        at.ready = max(now_s, free)
    return at


def _list_rest(problem: StopProblem, plan: StopPlan, kept: Bools, standing: list[_Standing],
               gone: list[int]) -> tuple[Work, Ints]:
    """List the visits still to be made, from where teams stand; and who was to make each."""
    stops, teams = problem.stops, problem.teams
    count = len(stops.ids)
    left = stops.visits - np.bincount(plan.stop[kept], minlength=count)
    not_before = np.zeros(count, np.int64)
    np.maximum.at(not_before, plan.stop[kept], (plan.begin_s + stops.spacing_s[plan.stop])[kept])
    work = list_visits(problem, left=left, not_before=not_before)
    homes = np.full(work.node.size, NONE)
    rest = np.flatnonzero(~kept)
    for row in rest[np.lexsort((plan.begin_s[rest], plan.stop[rest]))].tolist():
        free = np.flatnonzero((work.stop == plan.stop[row]) & (homes == NONE))
        homes[free[0]] = plan.team[row]
    homes[np.isin(homes, gone)] = NONE
    stays = [int(stops.stay_s[plan.stop[plan.visits_of(v)[:s.kept]]].sum())
             for v, s in enumerate(standing)]
    ready = np.array([s.ready for s in standing], np.int64)
    rested = np.array([s.rest_begin for s in standing]) != NONE
    rest_from = np.maximum(work.rest_from, ready)
    out = (ready > work.finish) | (~rested & (rest_from + teams.break_s > work.rest_to)
                                   & (teams.break_s > 0))
    out[gone] = True
    work = work._replace(
        start=np.array([s.node for s in standing], np.int64), ready=ready,
        finish=np.maximum(work.finish, ready), allowed=work.allowed & ~out,
        rest=np.where(rested | out, 0, teams.break_s), rest_from=rest_from,
        done=np.array([s.travel for s in standing], np.int64) + np.array(stays, np.int64))
    return own_arrays(_weigh_changes(problem, work, homes)), homes


def _weigh_changes(problem: StopProblem, work: Work, homes: Ints) -> Work:
    """Weigh visits made above changes of team, and those above the cost."""
    optional = problem.stops.optional[work.stop]
    spare = np.where(optional, 60 * problem.stops.penalty_min[work.stop], 0)
    change = bound_cost(work) + int(spare.sum()) + 1
    optional_cost = change * (work.node.size + 1) + int(spare.max(initial=0))
    required_cost = optional_cost * (work.node.size + 1)
    if required_cost * int(problem.stops.priority[work.stop].sum()) > MOST_COST:
        found = Findings()
        found.add("patrol.stops_heavy", layer="stops", count=int(work.node.size))
        found.stop_on_faults()
    penalty = np.where(optional, change * (work.node.size + 1) + spare,
                       required_cost * problem.stops.priority[work.stop])
    toll = np.where((homes[:, None] == NONE)
                    | (homes[:, None] == np.arange(work.mode.size)[None, :]), 0, change)
    return work._replace(penalty=penalty, toll=toll)


def _carry_on(work: Work, homes: Ints, plan: StopPlan, kept: Bools) -> State:
    """Return the state in which the teams that stay do what they were to do."""
    begin = np.full(work.node.size, NONE)
    for row in np.flatnonzero(~kept)[np.argsort(plan.begin_s[~kept], kind="stable")].tolist():
        free = np.flatnonzero((work.stop == plan.stop[row]) & (homes == plan.team[row])
                              & (begin == NONE))
        if free.size:
            begin[free[0]] = plan.begin_s[row]
    routes = []
    for v in range(work.mode.size):
        mine = np.flatnonzero(homes == v)
        routes.append(mine[np.argsort(begin[mine], kind="stable")])
    state = rebuild_state(work, routes, begin)
    return empty_state(work) if state is None else state


def _count_changes(work: Work, homes: Ints, state: State) -> int:
    """Count visits made by another team than planned; those of one stop are all the same."""
    changes = 0
    for s in np.unique(work.stop).tolist():
        at, home = state.at[work.stop == s], homes[work.stop == s]
        teams = range(work.mode.size)
        same = sum(min(int((at == v).sum()), int((home == v).sum())) for v in teams)
        changes += max(0, int((at != NONE).sum()) - same - int((home == NONE).sum()))
    return changes


def _rest_on_way_home(problem: StopProblem, at: _Standing, v: int, rests: dict[str, Ints],
                      back: Ints) -> None:
    """Give a team without further visits the break it has not had, on its way home."""
    teams = problem.teams
    way = int(problem.travel_s[teams.mode[v], at.node, teams.end[v]])
    begin = max(at.ready, int(teams.break_from_s[v]))
    rests["rest_begin"][v], rests["rest_after"][v] = begin, at.kept
    back[v] = max(at.ready + way, int(teams.break_from_s[v])) + int(teams.break_s[v])


def _join(problem: StopProblem, plan: StopPlan, rest: StopPlan, kept: Bools,
          standing: list[_Standing], gone: list[int], moved: int) -> Replan:
    """Put what stays and what is new together."""
    team = np.concatenate([plan.team[kept], rest.team])
    begin = np.concatenate([plan.begin_s[kept], rest.begin_s])
    order = np.lexsort((begin, team))
    done = np.arange(team.size)[order] < int(kept.sum())
    stop = np.concatenate([plan.stop[kept], rest.stop])[order]
    stay = np.concatenate([plan.stay_s[kept], rest.stay_s])[order]
    before = np.array([s.kept for s in standing], np.int64)
    travel = np.array([s.travel for s in standing], np.int64)
    leave = np.where(before > 0, plan.leave_s, rest.leave_s)
    rests = {name: np.array([getattr(s, name) for s in standing], np.int64)
             for name in ("rest_begin", "rest_after", "back_after")}
    rested, more = rests["rest_begin"] != NONE, np.bincount(rest.team, minlength=before.size)
    home = (rests["back_after"] != NONE) & (more == 0)
    back, onward = np.where(home, plan.back_s, rest.back_s), rest.travel_s.copy()
    owed = np.flatnonzero((before > 0) & (more == 0) & ~rested & (problem.teams.break_s > 0))
    for v in np.setdiff1d(owed, gone).tolist():
        _rest_on_way_home(problem, standing[v], v, rests, back)
    rested = rests["rest_begin"] != NONE
    for v in gone:
        rows = plan.visits_of(v)[:before[v]]
        back[v] = int((plan.begin_s + plan.stay_s)[rows].max(initial=int(leave[v])))
        onward[v] = 0
    stays = np.bincount(team[order], weights=problem.stops.stay_s[stop],
                        minlength=before.size).astype(np.int64)
    missed = problem.stops.visits - np.bincount(stop, minlength=len(problem.stops.ids))
    left_out = int((missed * problem.stops.optional * problem.stops.penalty_min).sum()) * 60
    travel, idle = travel + onward, before + more == 0
    for name in ("rest_begin", "rest_after"):
        rests[name][idle] = NONE
    rested &= ~idle
    # A break before the first visit is part of the round.
    leave = np.where(rested & (before == 0), rests["rest_begin"], leave)
    whole = replace(
        rest, team=team[order], stop=stop, begin_s=begin[order], stay_s=stay, leave_s=leave,
        back_s=back, rest_begin_s=np.where(rested, rests["rest_begin"], rest.rest_begin_s),
        rest_after=np.where(rested, rests["rest_after"], np.where(
            rest.rest_after < 0, NONE, rest.rest_after + before)),
        travel_s=travel, work_s=travel + stays, missed=missed,
        cost_s=int(travel.sum() + problem.balance * (travel + stays).max()) + left_out)
    return Replan(whole, done, np.where(more > 0, rests["back_after"], NONE), moved)
