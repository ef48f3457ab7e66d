"""Stop patrols for the tests: problems drawn by Hypothesis, a checker and an oracle of their own.

Nothing here calls the code that is tested: rules are read off the plan's numbers alone.
"""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from gridplan.patrol.stops.problem import StopProblem, make_stops, make_teams

ALWAYS = ((0, 10**9),)
NOT_ASKED = ("sums", "break", "break window", "idle")  # of a team that dropped out


def shortest_ways(ways):
    """Close a table of ways: none is longer than one over a third node; -1: no way."""
    far = np.where(ways < 0, 10**9, ways)
    for b in range(len(far)):
        far = np.minimum(far, far[:, [b]] + far[[b], :])
    np.fill_diagonal(far, 0)
    return np.where(far >= 10**9, -1, far)


@st.composite
def stop_problems(draw, most_stops=4, most_visits=5, most_teams=2):
    """Small problems with everything: windows, breaks, spacing, optional stops, tiers, no ways."""
    stops, teams = draw(st.integers(1, most_stops)), draw(st.integers(1, most_teams))
    nodes, modes = stops + 1, draw(st.integers(1, 2))

    def each(what, count):
        return draw(st.lists(what, min_size=count, max_size=count))

    ways = np.array([[each(st.sampled_from([3, 5, 8, 12, 20, -1] if m else [2, 4, 7, 11, 30]),
                           nodes) for _ in range(nodes)] for m in range(modes)])
    travel = np.stack([shortest_ways(w) for w in ways])
    visits = each(st.sampled_from([1, 1, 2, 3]), stops)
    while sum(visits) > most_visits:
        visits[visits.index(max(visits))] -= 1
    stay = each(st.sampled_from([0, 5, 10]), stops)
    windows = tuple(tuple((a, a + b) for a, b in draw(st.lists(st.tuples(
        st.integers(0, 90), st.sampled_from([4, 20, 60])), max_size=2))) for _ in range(stops))
    optional = np.array(each(st.booleans(), stops))
    start = each(st.sampled_from([0, 0, 10]), teams)
    rest = each(st.sampled_from([0, 0, 15]), teams)
    rest_from = [s + draw(st.integers(0, 40)) for s in start]
    return StopProblem(
        travel,
        make_teams(teams, mode=each(st.integers(0, modes - 1), teams),
                   start=each(st.integers(0, nodes - 1), teams), shift_start_s=start,
                   shift_end_s=[s + draw(st.sampled_from([60, 100, 150])) for s in start],
                   break_s=rest, break_from_s=rest_from,
                   break_to_s=[f + draw(st.integers(15, 30)) for f in rest_from],
                   tier=each(st.sampled_from([-1, 0, 1]), teams)),
        make_stops(range(1, nodes), stay_s=stay,
                   stay_most_s=[s + draw(st.sampled_from([0, 6])) for s in stay], visits=visits,
                   spacing_s=each(st.sampled_from([0, 15, 40]), stops), windows=windows,
                   optional=optional, penalty_min=np.where(optional, 1, 0),
                   priority=each(st.integers(1, 2), stops),
                   tier=each(st.sampled_from([-1, -1, 0, 1]), stops)),
        balance=draw(st.sampled_from([0, 1, 3])))


def find_faults(problem, plan, gone=(), back_after=None):
    """Every rule that a plan breaks, in words; empty if it keeps them all.

    Teams that are ``gone`` need not come back; others had been back ``back_after`` some visits.
    """
    stops, teams = problem.stops, problem.teams
    faults = []
    for v, team in enumerate(teams.ids):
        rows = [i for i in range(plan.team.size) if plan.team[i] == v]
        back = -1 if back_after is None else int(back_after[v])
        found = _route_faults(problem, plan, v, rows, team, back, v in gone)
        faults += [f for f in found if v not in gone or f.split(": ")[1] not in NOT_ASKED]
    for s, stop in enumerate(stops.ids):
        rows = [i for i in range(plan.stop.size) if plan.stop[i] == s]
        times = sorted(int(plan.begin_s[i]) for i in rows)
        if any(b - a < stops.spacing_s[s] for a, b in itertools.pairwise(times)):
            faults.append(f"{stop}: spacing")
        if len(rows) + plan.missed[s] != stops.visits[s] or plan.missed[s] < 0:
            faults.append(f"{stop}: count")
        for i in rows:
            begin, stay = int(plan.begin_s[i]), int(plan.stay_s[i])
            if not any(a <= begin and begin + stay <= b for a, b in stops.windows[s] or ALWAYS):
                faults.append(f"{stop}: window")
            if not stops.stay_s[s] <= stay <= stops.stay_most_s[s]:
                faults.append(f"{stop}: stay")
            for rule in ("tier", "zone"):
                a, b = getattr(stops, rule)[s], getattr(teams, rule)[plan.team[i]]
                if a != -1 and b not in (-1, a):
                    faults.append(f"{stop}: {rule}")
    left_out = sum(int(m) * 60 * int(p) for m, p, o in zip(plan.missed, stops.penalty_min,
                                                           stops.optional, strict=True) if o)
    if plan.cost_s != sum(plan.travel_s) + problem.balance * max(plan.work_s) + left_out:
        faults.append("cost")
    return faults


def _route_faults(problem, plan, v, rows, team, back, gone):
    """Ways, shift, break and sums of one team, followed minute by minute."""
    teams, faults = problem.teams, []
    ways = problem.travel_s[teams.mode[v]]
    t, here, travel, stays = int(plan.leave_s[v]), teams.start[v], 0, 0
    if not rows:
        home = max(0, int(ways[here, teams.end[v]]))
        if (plan.travel_s[v], plan.work_s[v], plan.rest_begin_s[v]) != (home, home, -1):
            faults.append(f"{team}: idle")
        return faults
    if t < teams.shift_start_s[v] or plan.back_s[v] > teams.shift_end_s[v]:
        faults.append(f"{team}: shift")
    rest, rest_begin = int(teams.break_s[v]), int(plan.rest_begin_s[v])
    if rest and not (max(teams.shift_start_s[v], teams.break_from_s[v]) <= rest_begin
                     and rest_begin + rest <= min(teams.shift_end_s[v], teams.break_to_s[v])):
        faults.append(f"{team}: break window")
    for leg, i in enumerate(rows if gone else [*rows, None]):
        there = teams.end[v] if i is None else problem.stops.node[plan.stop[i]]
        way = int(ways[here, there])
        if leg == back:
            way = int(ways[here, teams.end[v]] + ways[teams.end[v], there])
        if way < 0:
            faults.append(f"{team}: no way")
        until = int(plan.back_s[v] if i is None else plan.begin_s[i])
        needed = t + way
        if rest and leg == plan.rest_after[v]:
            needed = max(needed + rest, rest_begin + rest)
            if rest_begin < t:
                faults.append(f"{team}: break at a stop")
        if until < needed:
            faults.append(f"{team}: too fast")
        travel += way
        if i is not None:
            stays += int(problem.stops.stay_s[plan.stop[i]])
            t, here = until + int(plan.stay_s[i]), there
    if (plan.travel_s[v], plan.work_s[v]) != (travel, travel + stays):
        faults.append(f"{team}: sums")
    if bool(rest) != (plan.rest_begin_s[v] >= 0) or (rest and not (
            0 <= plan.rest_after[v] <= len(rows))):
        faults.append(f"{team}: break")
    return faults


def best_by_force(problem, judge=None):
    """The least (weighted visits missed, cost) of all plans there are, by trying every one.

    ``judge`` makes the value to be least out of the visits, routes, what is missed and the cost.
    """
    visits = [s for s, n in enumerate(problem.stops.visits) for _ in range(n)]
    teams, best = len(problem.teams.ids), None
    for made in itertools.product([False, True], repeat=len(visits)):
        chosen = [x for x in range(len(visits)) if made[x]]
        value = _missed_value(problem, visits, made)
        for order in itertools.permutations(chosen):
            for cuts in itertools.combinations_with_replacement(range(len(order) + 1), teams - 1):
                edges = (0, *cuts, len(order))
                routes = [order[a:b] for a, b in itertools.pairwise(edges)]
                cost = _price(problem, visits, routes)
                found = None if cost is None else (value[0], value[1] + cost)
                if judge and cost is not None:
                    found = judge(visits, routes, value, cost)
                if found is None or (best is not None and found >= best):
                    continue
                if _can_be_timed(problem, visits, routes):
                    best = found
    return best


def _missed_value(problem, visits, made):
    stops, required, optional = problem.stops, 0, 0
    for s, is_made in zip(visits, made, strict=True):
        if not is_made and stops.optional[s]:
            optional += 60 * int(stops.penalty_min[s])
        elif not is_made:
            required += int(stops.priority[s])
    return required, optional


def _price(problem, visits, routes):
    teams, stops, travel, work = problem.teams, problem.stops, 0, []
    for v, route in enumerate(routes):
        ways, here, spent, stays = problem.travel_s[teams.mode[v]], teams.start[v], 0, 0
        for x in route:
            s = visits[x]
            for rule in ("tier", "zone"):
                a, b = getattr(stops, rule)[s], getattr(teams, rule)[v]
                if a != -1 and b not in (-1, a):
                    return None
            way = int(ways[here, stops.node[s]])
            if way < 0:
                return None
            spent, stays, here = spent + way, stays + int(stops.stay_s[s]), stops.node[s]
        home = int(ways[here, teams.end[v]])
        if home < 0 and route:
            return None
        travel += spent + max(0, home)
        work.append(spent + max(0, home) + stays)
    return travel + problem.balance * max(work)


def _can_be_timed(problem, visits, routes):
    """Whether times exist: earliest begins for every choice of break legs; a stop's in order."""
    teams = problem.teams
    legs = [range(len(r) + 1) if teams.break_s[v] and r else [None] for v, r in enumerate(routes)]
    return any(_settles(problem, visits, routes, rests) for rests in itertools.product(*legs))


def _settles(problem, visits, routes, rests):
    stops, teams, begin = problem.stops, problem.teams, {}
    while True:
        before = dict(begin)
        for v, route in enumerate(routes):
            if not route:
                continue
            ways, t, here = problem.travel_s[teams.mode[v]], teams.shift_start_s[v], teams.start[v]
            for leg, x in enumerate([*route, None]):
                s = None if x is None else visits[x]
                there = teams.end[v] if s is None else stops.node[s]
                arrive = t + ways[here, there]
                if leg == rests[v]:
                    first = max(teams.break_from_s[v], t)
                    if first + teams.break_s[v] > min(teams.break_to_s[v], teams.shift_end_s[v]):
                        return False
                    arrive = max(arrive, teams.break_from_s[v]) + teams.break_s[v]
                if s is None:
                    if arrive > teams.shift_end_s[v]:
                        return False
                    continue
                earlier = [begin[y] for y in begin if y < x and visits[y] == s]
                wanted = max([arrive, begin.get(x, 0), *(b + stops.spacing_s[s] for b in earlier)])
                fits = [max(a, wanted) for a, b in sorted(stops.windows[s] or ALWAYS)
                        if max(a, wanted) + stops.stay_s[s] <= b]
                if not fits:
                    return False
                begin[x] = fits[0]
                t, here = fits[0] + stops.stay_s[s], there
        if begin == before:
            return True
