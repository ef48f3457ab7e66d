"""Stop patrols: every rule kept, every visit made or named, the best on what can be tried out."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import typing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patrol_stops import best_by_force, find_faults, stop_problems

from gridplan.errors import InputError, MachineError, RequestError
from gridplan.i18n import load_room
from gridplan.patrol.stops import child
from gridplan.patrol.stops.change import replan_stops
from gridplan.patrol.stops.child import solve_apart
from gridplan.patrol.stops.problem import StopProblem, make_stops, make_teams
from gridplan.patrol.stops.search import plan_stops
from gridplan.patrol.stops.shortage import (
    Reason,
    apply_remedy,
    demand_all,
    explain_missed,
    find_remedy,
)
from gridplan.patrol.stops.work import list_visits


def weigh(problem, plan):
    """What the oracle minimises: required visits missed by priority, then cost."""
    required = ~problem.stops.optional
    return int((plan.missed * problem.stops.priority)[required].sum()), plan.cost_s


@settings(max_examples=200)
@given(stop_problems(most_stops=6, most_visits=12, most_teams=3))
def test_a_plan_keeps_every_rule_and_counts_every_visit(problem):
    plan = plan_stops(problem, steps=200, solutions=0)
    assert find_faults(problem, plan) == []
    reasons = explain_missed(problem, plan)
    assert {m.stop: m.visits for m in reasons} == {
        s: m for s, m in enumerate(plan.missed.tolist()) if m}


@settings(max_examples=60)
@given(stop_problems(most_stops=3, most_visits=4))
def test_small_plans_are_the_best_there_are(problem):
    plan = plan_stops(problem, steps=400, solutions=0)
    assert weigh(problem, plan) == best_by_force(problem)


# ---- the checker sees every rule ------------------------------------------------------------

WAYS = [[[0, 300, 600], [300, 0, 300], [600, 300, 0]]]


@pytest.fixture
def problem():
    """One team, a break, three visits: 08:00-09:00 at A and, twice with 30 min between, at B."""
    teams = make_teams(1, shift_start_s=[7 * 3600], shift_end_s=[12 * 3600], break_s=[1800],
                       break_from_s=[9 * 3600], break_to_s=[11 * 3600])
    stops = make_stops([1, 2], ids=["A", "B"], stay_s=[600, 600], stay_most_s=[960, 600],
                       windows=(((8 * 3600, 9 * 3600),), ()), visits=[1, 2], spacing_s=[0, 1800])
    return StopProblem(WAYS, teams, stops)


@pytest.fixture
def plan(problem):
    found = plan_stops(problem, steps=300, solutions=0)
    assert find_faults(problem, found) == []
    return found


def at(array, row, value):
    changed = array.copy()
    changed[row] = value
    return changed


BREAKS = {
    "window": lambda p: {"begin_s": at(p.begin_s, list(p.stop).index(0), 9 * 3600)},
    "spacing": lambda p: {"begin_s": np.where(p.stop == 1, p.begin_s[p.stop == 1][0], p.begin_s)},
    "stay": lambda p: {"stay_s": p.stay_s - 1},
    "shift": lambda p: {"leave_s": p.leave_s - 7200},
    "too fast": lambda p: {"leave_s": p.leave_s + 7200},
    "break window": lambda p: {"rest_begin_s": at(p.rest_begin_s, 0, 8 * 3600)},
    "break": lambda p: {"rest_after": at(p.rest_after, 0, -1)},
    "sums": lambda p: {"travel_s": p.travel_s + 1},
    "count": lambda p: {"missed": at(p.missed, 0, 1)},
    "cost": lambda p: {"cost_s": p.cost_s - 1},
}


@pytest.mark.parametrize("rule", sorted(BREAKS))
def test_a_rule_broken_on_purpose_is_seen(problem, plan, rule):
    broken = dataclasses.replace(plan, **BREAKS[rule](plan))
    assert any(rule in fault for fault in find_faults(problem, broken))


# ---- bad input ------------------------------------------------------------------------------

BAD = {
    "reversed": ("stops", {"windows": (((36000, 3600),), ())}, "A", "windows"),
    "not_whole": ("stops", {"stay_s": [600.5, 600]}, "", "stay_s"),
    "range": ("stops", {"stay_s": [-1, 600]}, "A", "stay_s"),
    "stay": ("stops", {"stay_most_s": [500, 600]}, "A", ""),
    "index": ("stops", {"node": [1, 3]}, "B", "node"),
    "rows": ("stops", {"visits": [1]}, "", "visits"),
    "twice": ("stops", {"ids": ("A", "A")}, "A", ""),
    "many": ("stops", {"visits": [5000, 1]}, "", ""),
    "shift": ("teams", {"shift_end_s": [3600]}, "T1", ""),
    "break": ("teams", {"break_to_s": [9 * 3600 + 60]}, "T1", "break_window"),
}


@pytest.mark.parametrize("fault", sorted(BAD))
def test_a_bad_column_is_named_with_its_row(problem, fault):
    layer, columns, row, field = BAD[fault]
    with pytest.raises(InputError) as error:
        dataclasses.replace(problem, **{
            layer: dataclasses.replace(getattr(problem, layer), **columns)})
    found = error.value.findings[0]
    assert (found.key, found.layer, found.row, found.field) == (
        f"patrol.stops_{fault}", layer, row, field)


@pytest.mark.parametrize(("column", "value"), [("start", [7]), ("end", [-1]), ("mode", [1])])
def test_a_depot_that_is_not_there_never_reaches_the_solver(problem, column, value):
    with pytest.raises(InputError) as error:
        dataclasses.replace(problem, teams=dataclasses.replace(problem.teams, **{column: value}))
    assert error.value.findings[0].field == column


@pytest.mark.parametrize(("ways", "fault"), [
    ([[[0.0, 1.5], [1.0, 0.0]]], "not_whole"), ([[[0, None], [1, 0]]], "not_whole"),
    ([[[0, 10**9], [1, 0]]], "travel"), ([[[0, 1], [1, 5]]], "diagonal"),
    ([[[0, 1, 2], [1, 0, 2]]], "shape"), ([[[0, 1], [1]]], "not_whole")])
def test_ways_are_whole_seconds_in_a_square(ways, fault):
    with pytest.raises(InputError) as error:
        StopProblem(ways, make_teams(1), make_stops([0]))
    assert error.value.findings[0].key == f"patrol.stops_{fault}"


def test_without_a_team_there_is_nothing_to_plan():
    with pytest.raises(InputError, match="stops_no_team"):
        StopProblem(WAYS, make_teams(0), make_stops([1]))


def test_all_faults_are_told_at_once(problem):
    stops = dataclasses.replace(problem.stops, stay_most_s=[500, 600],
                                windows=(((36000, 3600),), ((7, 5),)))
    teams = dataclasses.replace(problem.teams, shift_end_s=[3600])
    with pytest.raises(InputError) as error:
        StopProblem(WAYS, teams, stops)
    assert [f.row for f in error.value.findings] == ["T1", "A", "A", "B"]


def test_of_two_required_stops_the_one_with_priority_is_met():
    for first in (1, 2):
        stops = make_stops([1, 1], stay_s=[2000, 2000], priority=[first, 3 - first])
        plan = plan_stops(StopProblem(WAYS, make_teams(1, shift_end_s=[3600]), stops), solutions=0)
        assert plan.missed.tolist() == [2 - first, first - 1]


def test_a_stay_fills_what_would_be_waited_up_to_its_most():
    windows = (((0, 1000),), ((5000, 9000),))
    stops = make_stops([1, 2], stay_s=[600, 600], stay_most_s=[960, 960], windows=windows)
    plan = plan_stops(StopProblem(WAYS, make_teams(1), stops), solutions=0)
    assert (plan.begin_s.tolist(), plan.stay_s.tolist()) == ([300, 5000], [700, 600])


def test_without_stops_every_team_stays_in():
    plan = plan_stops(StopProblem(WAYS, make_teams(2), make_stops([])))
    assert (plan.stop.size, plan.cost_s, plan.travel_s.tolist()) == (0, 0, [0, 0])


# ---- the solver's process -------------------------------------------------------------------

def crowd(stops=14, teams=3):
    """More than a moment's work for the solver: stops in a ring, two visits each, breaks."""
    around = np.arange(stops + 1)
    apart = np.abs(around[:, None] - around[None, :])
    ways = 120 * np.minimum(apart, stops + 1 - apart)
    return StopProblem(
        ways[None], make_teams(teams, break_s=[900] * teams, break_from_s=[7200] * teams,
                               break_to_s=[14400] * teams),
        make_stops(range(1, stops + 1), stay_s=[300] * stops, visits=[2] * stops,
                   spacing_s=[3600] * stops))


def columns_of(plan):
    return {f.name: np.asarray(getattr(plan, f.name)).tolist() for f in dataclasses.fields(plan)}


def test_the_solver_betters_a_greedy_plan_and_keeps_the_rules():
    problem = crowd()
    greedy = plan_stops(problem, steps=0, solutions=0)
    solved = plan_stops(problem, steps=0, solutions=30)
    assert find_faults(problem, solved) == []
    assert (solved.method, solved.missed.sum()) == ("solver", 0)
    assert solved.cost_s < greedy.cost_s


@settings(max_examples=6)
@given(stop_problems())
def test_the_solver_takes_whatever_passes_the_door(problem):
    plan = plan_stops(problem, steps=0, solutions=20)
    assert find_faults(problem, plan) == []
    assert plan.status in ("not run", "success", "local optimum not reached", "optimal")


def test_the_same_seed_gives_the_same_plan():
    problem = crowd()
    first, second = (plan_stops(problem, steps=300, solutions=20, seed=5) for _ in range(2))
    assert columns_of(first) == columns_of(second)


def test_a_killed_solver_is_an_error_that_says_so():
    with pytest.raises(MachineError, match="solver_died") as error:
        plan_stops(crowd(), steps=0, solutions=10**6,
                   started=lambda pid: os.kill(pid, signal.SIGTERM))
    assert error.value.exit_code == 6


def test_an_abort_inside_the_solver_kills_only_its_process():
    work = list_visits(crowd(2, 1))
    with pytest.raises(MachineError, match="solver_died"):
        solve_apart(work._replace(mode=np.zeros(0, np.int64)), [[]], 10)


def test_without_a_python_to_start_there_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", os.devnull)
    with pytest.raises(MachineError, match="solver_died"):
        plan_stops(crowd(2, 1), steps=0)


@pytest.mark.parametrize("said", [
    "", "[]", "{}", '{"status": "success"}',
    '{"status": "success", "routes": [[]], "begin": [-1, -1]}\'); raise SystemExit(\'3'])
def test_an_answer_that_cannot_be_read_is_an_error(monkeypatch, said):
    monkeypatch.setattr(child, "COMMAND", ("-c", f"print('{said}')"))
    with pytest.raises(MachineError, match="solver_died"):
        plan_stops(crowd(2, 1), steps=0)


# ---- what cannot be met ---------------------------------------------------------------------

HOUR = 3600
ISLAND = [[[0, 300, -1], [300, 0, -1], [-1, -1, 0]]]
SHORT = {"stay_s": [600], "windows": (((0, 300),),)}
REASONS = {
    "window": (WAYS, {}, {"node": [1], **SHORT}),
    "tier": (WAYS, {"tier": [1]}, {"node": [1], "tier": [2]}),
    "zone": (WAYS, {"zone": [1]}, {"node": [1], "zone": [2]}),
    "way": (ISLAND, {}, {"node": [2]}),
    "shift": (WAYS, {"shift_end_s": [HOUR]}, {"node": [1], "windows": (((HOUR, 2 * HOUR),),)}),
    "spacing": (WAYS, {}, {"node": [1], "visits": [4], "spacing_s": [HOUR],
                           "windows": (((HOUR, 2 * HOUR),),)}),
    "crowded": (WAYS, {"shift_end_s": [HOUR]}, {"node": [1, 2], "stay_s": [1500, 1500]}),
}


def short_of(reason):
    ways, teams, stops = REASONS[reason]
    return StopProblem(ways, make_teams(1, **teams), make_stops(**stops))


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_a_missed_visit_has_its_reason(reason):
    problem = short_of(reason)
    plan = plan_stops(problem, steps=100, solutions=0)
    assert [m.reason for m in explain_missed(problem, plan)] == [reason]
    with pytest.raises(RequestError) as error:
        demand_all(problem, plan)
    told = error.value.findings
    assert told[0].key == f"patrol.stops_missed_{reason}"
    assert told[0].row.startswith("S")
    assert told[-1].key.startswith("patrol.stops_remedy_")
    assert all(line.count("|") == 3 for lang in ("en", "zh") for line in error.value.lines(lang))


def test_every_reason_has_a_case_and_a_text():
    names = set(load_room("patrol"))
    assert set(typing.get_args(Reason)) == set(REASONS)
    assert {f"stops_missed_{reason}{end}" for reason in REASONS for end in ("", ".mend")} <= names


def test_a_plan_without_a_miss_is_let_through(problem, plan):
    demand_all(problem, plan)


@pytest.mark.parametrize(("reason", "remedy"), [
    ("window", None), ("way", None), ("spacing", None),
    ("shift", ("longer", 0, 15)), ("crowded", ("longer", 0, 15)), ("tier", ("team", 0, 480)),
    ("zone", ("team", 0, 480))])
def test_the_remedy_is_the_cheapest_that_suffices(reason, remedy):
    problem = short_of(reason)
    found = find_remedy(problem, plan_stops(problem, steps=100, solutions=0))
    assert (found and (found.kind, found.team, found.minutes)) == remedy
    if found:
        helped = apply_remedy(problem, found)
        assert not plan_stops(helped, steps=100, solutions=0).missed.any()


def test_a_remedy_is_no_longer_than_it_must_be():
    """Two stays of 1,500 s and 1,200 s of ways need 4,200 s: 45 minutes are 15 too few."""
    problem = short_of("crowded")
    for end, minutes in ((2400, 30), (1500, 45)):
        short = dataclasses.replace(problem, teams=dataclasses.replace(
            problem.teams, shift_end_s=[end]))
        found = find_remedy(short, plan_stops(short, steps=100, solutions=0))
        assert (found.kind, found.minutes) == ("longer", minutes)


# ---- change in the shift --------------------------------------------------------------------

def rows_of(plan, which):
    """Team, stop, begin and stay of some visits, as a sorted list."""
    return sorted(zip(plan.team[which].tolist(), plan.stop[which].tolist(),
                      plan.begin_s[which].tolist(), plan.stay_s[which].tolist(), strict=True))


@settings(max_examples=200)
@given(stop_problems(most_stops=6, most_visits=12, most_teams=3), st.integers(0, 160),
       st.sets(st.integers(0, 2), max_size=2))
def test_a_change_keeps_what_is_done_and_every_rule(problem, now, without):
    gone = sorted(v for v in without if v < len(problem.teams.ids))
    before = plan_stops(problem, steps=100, solutions=0)
    after = replan_stops(problem, before, now, without=gone, steps=100, solutions=0)
    assert find_faults(problem, after.plan, gone, after.back_after) == []
    done = rows_of(after.plan, after.done)
    finished = rows_of(before, before.begin_s + before.stay_s <= now)
    assert set(finished) <= set(done) <= set(rows_of(before, slice(None)))
    new = ~after.done
    assert (after.plan.begin_s[new] >= now).all()
    assert not np.isin(after.plan.team[new], gone).any()
    if not gone:
        required = ~problem.stops.optional
        assert after.plan.missed[required].sum() <= before.missed[required].sum()
        if not before.missed.any():
            assert (after.changes, after.plan.missed.sum()) == (0, 0)


@settings(max_examples=30)
@given(stop_problems(most_stops=3, most_visits=4), st.integers(0, 1))
def test_a_small_change_is_the_least_there_is(problem, out):
    """Before the shifts nothing is done: every plan without the team is tried, changes counted."""
    out = min(out, len(problem.teams.ids) - 1)
    later = {name: getattr(problem.teams, name) + 10
             for name in ("shift_start_s", "shift_end_s", "break_from_s", "break_to_s")}
    problem = dataclasses.replace(problem, teams=dataclasses.replace(
        problem.teams, end=problem.teams.start, **later))
    before = plan_stops(problem, steps=300, solutions=0)
    was = [(int(v), int(s)) for v, s in zip(before.team, before.stop, strict=True)]
    free = {s: int(problem.stops.visits[s]) - sum(1 for v, t in was if t == s and v != out)
            for s in range(len(problem.stops.ids))}

    def judge(visits, routes, value, cost):
        if routes[out]:
            return None
        made = [(v, visits[x]) for v, route in enumerate(routes) for x in route]
        optional = sum(bool(problem.stops.optional[s]) for s in visits) - sum(
            bool(problem.stops.optional[s]) for _, s in made)
        changes = sum(max(0, sum(1 for _, t in made if t == s) - free[s] - sum(
            min(made.count((v, s)), was.count((v, s))) for v in range(len(routes)) if v != out))
            for s in set(visits))
        return value[0], optional, changes, value[1] + cost

    after = replan_stops(problem, before, 0, without=[out], steps=400, solutions=0)
    routes = [after.plan.stop[after.plan.team == v] for v in range(len(problem.teams.ids))]
    missed, stops = after.plan.missed, problem.stops
    assert not after.done.any()
    assert not routes[out].size
    assert (int((missed * stops.priority)[~stops.optional].sum()),
            int(missed[stops.optional].sum()), after.changes,
            after.plan.cost_s) == best_by_force(problem, judge)


def test_the_rest_goes_to_others_when_a_team_drops_out():
    problem = crowd(8, 2)
    before = plan_stops(problem, steps=300, solutions=0)
    after = replan_stops(problem, before, 2 * HOUR, without=[0], steps=300, solutions=10)
    lost = (before.team == 0) & (before.begin_s + before.stay_s > 2 * HOUR)
    assert lost.any()
    assert not before.missed.any()
    assert not after.plan.missed.any()
    assert after.changes == 0
    stayed = rows_of(before, before.team == 1)
    assert {row[:2] for row in stayed} <= {row[:2] for row in rows_of(after.plan, slice(None))}


@pytest.mark.parametrize(("now", "without"), [(1.5, []), (-1, []), (True, []), (0, [7]),
                                              (0, [None])])
def test_a_change_that_makes_no_sense_is_refused(problem, plan, now, without):
    with pytest.raises(InputError, match="stops_range"):
        replan_stops(problem, plan, now, without=without)
