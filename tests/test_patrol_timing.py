"""Timing the route of one team: against a plain twin that tries every break, second by second."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from patrol_stops import stop_problems

from gridplan.patrol.stops.kernels import NONE, State, find_place, settle_route, time_route
from gridplan.patrol.stops.problem import StopProblem, make_stops, make_teams
from gridplan.patrol.stops.search import empty_state, insert_greedily
from gridplan.patrol.stops.work import list_visits
from gridplan.regions.kernels import seed_luck

LATE = 400  # no shift of the problems drawn ends later


def begin_plainly(work, x, arrive, begin):
    """The first second from ``arrive`` on at which x may begin; None if there is none."""
    others = [begin[y] for y in range(work.first[x], work.after[x]) if y != x and begin[y] != NONE]
    return next((b for b in range(arrive, LATE) if any(
        work.opens[r] <= b <= work.last[r] for r in range(work.window[x], work.window[x + 1]))
        and all(abs(b - other) >= work.spacing[x] for other in others)), None)


def time_plainly(work, v, route, begin, rest_leg):
    """When a team with its break on one leg is back, and its begins; None if it cannot be."""
    ways, begin = work.travel[work.mode[v]], begin.copy()
    t, here = int(work.ready[v]), work.start[v]
    for leg, x in enumerate([*route, None]):
        way = int(ways[here, work.end[v] if x is None else work.node[x]])
        if way < 0:
            return None
        if leg == rest_leg:
            if max(t, work.rest_from[v]) + work.rest[v] > work.rest_to[v]:
                return None
            t = max(t + way, int(work.rest_from[v])) + int(work.rest[v])
        else:
            t += way
        if x is None:
            return (t, begin[route].tolist()) if t <= work.finish[v] else None
        found = begin_plainly(work, x, t, begin)
        if found is None:
            return None
        begin[x] = found
        t, here = found + int(work.stay[x]), work.node[x]
    return None


@settings(max_examples=150)
@given(stop_problems(most_stops=4, most_visits=7, most_teams=1), st.data())
def test_a_route_is_timed_as_early_as_any_break_allows(problem, data):
    work = list_visits(problem)
    order = data.draw(st.permutations(range(work.node.size)))
    size = data.draw(st.integers(1, len(order)))
    route, begin = np.array(order[:size]), np.full(work.node.size, NONE)
    for x in order[size:]:
        begin[x] = data.draw(st.integers(NONE, 120))
    own, best = (np.full(work.node.size, NONE) for _ in range(2))
    back, leg, _ = time_route(work, 0, route, size, begin, own, best)
    legs = range(size + 1) if work.rest[0] else [NONE]
    found = {n: time_plainly(work, 0, route, begin, n) for n in legs}
    assert (own == NONE).all()
    assert back == min((x[0] for x in found.values() if x), default=NONE)
    if back != NONE:
        assert found[leg] == (back, best[route].tolist())


def test_a_break_between_two_visits_of_a_stop_counts_against_their_spacing():
    teams = make_teams(1, shift_end_s=[100], break_s=[15], break_from_s=[0], break_to_s=[30])
    stops = make_stops([1], visits=[2], spacing_s=[40])
    work = list_visits(StopProblem([[[0, 2], [2, 0]]], teams, stops))
    own, best, begin = (np.full(2, NONE) for _ in range(3))
    # Resting first, the visits begin at 17 and 57; in between, at 2 and 42.
    assert time_route(work, 0, np.arange(2), 2, begin, own, best) == (44, 1, 2)
    assert best.tolist() == [2, 42]


@settings(max_examples=150)
@given(stop_problems(most_stops=4, most_visits=7, most_teams=2), st.data())
def test_a_visit_goes_where_it_costs_least_of_all_places_that_hold(problem, data):
    work = list_visits(problem)
    state, scratch = empty_state(work), np.full((4, work.node.size), NONE)
    insert_greedily(work, state)
    x = data.draw(st.integers(0, work.node.size - 1))
    v = state.at[x]
    if v != NONE:
        kept = [y for y in state.routes[v, :state.sizes[v]] if y != x]
        state.routes[v, :len(kept)], state.sizes[v] = kept, len(kept)
        state.at[x] = state.begin[x] = NONE
        if not settle_route(work, state, v, scratch):
            return
    before = [array.copy() for array in state]
    team, place = find_place(work, state, x, scratch, seed_luck(0), 0.0)
    assert all((a == b).all() for a, b in zip(before, state, strict=True))
    assert (scratch[0] == NONE).all()
    held = {(r, i): price for r in range(work.mode.size) for i in range(state.sizes[r] + 1)
            if (price := add_plainly(work, state, x, r, i)) is not None}
    if team == NONE:
        assert all(price >= work.penalty[x] for price in held.values())
    else:
        assert held[team, place] <= min(held.values())


def add_plainly(work, state: State, x, v, i):
    """What visit x adds to the cost at a place; None where the route cannot be."""
    if not work.allowed[x, v]:
        return None
    route = state.routes[v, :state.sizes[v]].tolist()
    longer = [*route[:i], x, *route[i:]]
    begin = state.begin.copy()
    begin[route] = NONE
    legs = range(len(longer) + 1) if work.rest[v] else [NONE]
    if not any(time_plainly(work, v, longer, begin, n) for n in legs):
        return None
    ways = work.travel[work.mode[v]]

    def travel(held):
        nodes = [work.start[v], *work.node[held], work.end[v]]
        return sum(max(0, int(ways[a, b])) for a, b in itertools.pairwise(nodes))

    more = travel(longer) - travel(route)
    load = state.load[v] + more + work.stay[x]
    return more + work.toll[x, v] + work.balance * max(0, int(load - state.load.max()))
