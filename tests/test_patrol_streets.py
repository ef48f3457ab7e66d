"""Streets to be patrolled: the bound against brute force, the postman's tour, cutting it."""

from __future__ import annotations

import itertools
from functools import cache

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_graphs import quick

from gridplan.patrol.bound import bound_balance, bound_longest, bound_parity
from gridplan.patrol.postman import cover_streets, cut_at, order_tour, split_tour
from gridplan.patrol.problem import FORBIDDEN, find_ways
from gridplan.patrol.streets import Streets, join_odd, make_problem, measure_ways

fifty = settings(quick, max_examples=50)


@st.composite
def street_graphs(draw, most=8, one_way=False, all_required=False):
    """Connected streets between up to six places, parallel streets and loops among them."""
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m = draw(st.integers(1, most))
    places = draw(st.integers(1, min(6, m + 1)))
    u = [int(numbers.integers(0, i + 1)) for i in range(places - 1)]
    v = list(range(1, places))
    more = m - len(u)
    u += numbers.integers(0, places, more).tolist()
    v += numbers.integers(0, places, more).tolist()
    travel = np.repeat(numbers.integers(1, 20, m)[:, None], 2, axis=1)
    if one_way:
        travel = numbers.integers(1, 20, (m, 2))
        shut = (numbers.random(m) < 0.4) & (np.arange(m) >= len(v) - more)
        travel[shut, numbers.integers(0, 2, m)[shut]] = FORBIDDEN
    required = np.ones(m, bool) if all_required else numbers.random(m) < 0.7
    return Streets.of(places, u, v, travel[:, 0], back=travel[:, 1], required=required)


def picture(streets):
    """The streets as networkx draws them, the cheapest of parallel ones."""
    drawn = nx.DiGraph()
    drawn.add_nodes_from(range(streets.places))
    for e in range(len(streets.u)):
        for a, b, cost in ((streets.u[e], streets.v[e], streets.travel[e, 0]),
                           (streets.v[e], streets.u[e], streets.travel[e, 1])):
            known = drawn.get_edge_data(int(a), int(b), {"weight": FORBIDDEN})["weight"]
            if min(cost, known) < FORBIDDEN:
                drawn.add_edge(int(a), int(b), weight=int(min(cost, known)))
    return drawn


def least_longest(streets, depot, teams):
    """The least longest route of all plans: every set of streets at its least walk, then shared."""
    ways = dict(nx.all_pairs_dijkstra_path_length(picture(streets)))
    needed = np.flatnonzero(streets.required).tolist()
    ends = [((int(streets.u[e]), int(streets.v[e]), int(streets.serve[e, 0])),
             (int(streets.v[e]), int(streets.u[e]), int(streets.serve[e, 1]))) for e in needed]

    @cache
    def walk(done, last, way):
        """The least cost of having served a set, the last of it in one way."""
        begin, _, cost = ends[last][way]
        rest = done - {last}
        if not rest:
            return ways[depot].get(begin, FORBIDDEN) + cost
        return cost + min(walk(rest, x, w) + ways[ends[x][w][1]].get(begin, FORBIDDEN)
                          for x in rest for w in (0, 1))

    def close(group):
        return min((walk(group, x, w) + ways[ends[x][w][1]].get(depot, FORBIDDEN)
                    for x in group for w in (0, 1)), default=0)

    closed = {frozenset(group): close(frozenset(group)) for size in range(len(needed) + 1)
              for group in itertools.combinations(range(len(needed)), size)}
    best = closed
    for _ in range(teams - 1):
        best = {group: min(max(best[group - part], closed[part]) for part in closed
                           if part <= group) for group in closed}
    return best[frozenset(range(len(needed)))]


# ---- the bound


@fifty
@given(street_graphs(), st.integers(1, 3))
def test_the_bound_is_never_above_the_optimum(streets, teams):
    assert bound_longest(streets, 0, teams).longest <= least_longest(streets, 0, teams)


@fifty
@given(street_graphs(one_way=True), st.integers(1, 3))
def test_the_bound_with_one_way_streets_is_never_above_the_optimum(streets, teams):
    assert bound_longest(streets, 0, teams).longest <= least_longest(streets, 0, teams)


@fifty
@given(street_graphs(all_required=True))
def test_for_one_team_on_all_streets_the_bound_is_the_optimum(streets):
    assert bound_longest(streets, 0, 1).tour == least_longest(streets, 0, 1)


@quick
@given(street_graphs(one_way=True), st.integers(2, 5))
def test_the_bound_falls_with_more_teams_down_to_the_farthest_street(streets, teams):
    one, many = bound_longest(streets, 0, 1), bound_longest(streets, 0, teams)
    assert one.farthest == many.farthest <= many.longest <= one.longest
    assert many.longest >= many.tour / teams


def test_parity_and_balance_each_see_what_the_other_does_not():
    star = Streets.of(4, [0, 0, 0], [1, 2, 3], [1, 2, 3])  # every arm there and back
    assert (bound_parity(star), bound_balance(star)) == (12, 6)
    ring = Streets.of(3, [0, 0, 1, 2], [1, 1, 2, 0], [1, 1, 5, 5],
                      back=[FORBIDDEN] * 4)  # twice around, as two streets lead out
    assert (bound_parity(ring), bound_balance(ring)) == (13, 22)


def test_a_street_that_cannot_be_left_is_told():
    dead_end = Streets.of(2, [0], [1], [5], back=[FORBIDDEN])
    with pytest.raises(ValueError, match="cannot be reached"):
        bound_longest(dead_end, 0, 1)


def test_nothing_to_serve_costs_nothing():
    assert bound_longest(Streets.of(2, [0], [1], [5], required=[False]), 0, 3).longest == 0


# ---- odd places


@quick
@given(street_graphs())
def test_joining_odd_places_is_the_cheapest_way_to_even_ones(streets):
    joined = join_odd(streets)
    m = len(streets.u)
    degree = np.zeros(streets.places, int)

    def odd(extra):
        degree[:] = 0
        for e in [*np.flatnonzero(streets.required), *extra]:
            degree[streets.u[e]] += 1
            degree[streets.v[e]] += 1
        return (degree % 2).any()

    assert not odd(joined)
    costs = streets.travel[:, 0]
    assert costs[joined].sum() == min(
        costs[list(extra)].sum() for size in range(m + 1)
        for extra in itertools.combinations(range(m), size) if not odd(extra))


@quick
@given(street_graphs(one_way=True))
def test_ways_are_shortest_paths(streets):
    ways = measure_ways(streets, np.arange(streets.places))
    lengths = dict(nx.all_pairs_dijkstra_path_length(picture(streets)))
    assert ways.tolist() == [[lengths[a].get(b, FORBIDDEN) for b in range(streets.places)]
                             for a in range(streets.places)]


# ---- the tour


@quick
@given(street_graphs(all_required=True))
def test_the_tour_is_as_short_as_the_bound(streets):
    order = order_tour(streets, 0)
    assert sorted(order) == list(range(len(streets.u)))
    assert find_ways(make_problem(streets, 0, 1), 0, order)[1] == bound_parity(streets)


@quick
@given(street_graphs(one_way=True))
def test_the_tour_of_any_streets_serves_each_once(streets):
    assert sorted(order_tour(streets, 0)) == list(range(int(streets.required.sum())))


@quick
@given(street_graphs(), st.integers(1, 4))
def test_a_tour_is_cut_where_it_is_best(streets, teams):
    asked = make_problem(streets, 0, teams)
    order = order_tour(streets, 0)
    parts = split_tour(asked, order)
    assert len(parts) == teams
    assert np.concatenate(parts).tolist() == order.tolist()

    def longest(cuts):
        ends = [0, *cuts, len(order)]
        return max(find_ways(asked, 0, order[a:b])[1] for a, b in itertools.pairwise(ends))

    found = max(find_ways(asked, 0, part)[1] for part in parts)
    assert found == min(longest(sorted(cuts)) for cuts in itertools.product(
        range(len(order) + 1), repeat=teams - 1))


def test_no_part_can_be_shorter_than_its_street():
    asked = make_problem(Streets.of(2, [0], [1], [5]), 0, 2)
    assert cut_at(asked, np.array([0]), 9) is None
    assert [part.tolist() for part in cut_at(asked, np.array([0]), 10)] == [[0]]


@fifty
@given(street_graphs(most=6), st.integers(1, 3))
def test_streets_are_covered_at_the_optimum_on_tiny_cases(streets, teams):
    routes, bound = cover_streets(streets, 0, teams, iterations=400)
    assert len(routes.left) == 0
    assert routes.longest == least_longest(streets, 0, teams) >= bound.longest


def test_a_grid_of_streets_is_covered_near_its_bound():
    side = 8
    place = np.arange(side * side).reshape(side, side)
    u = np.concatenate([place[:, :-1].ravel(), place[:-1].ravel()])
    v = np.concatenate([place[:, 1:].ravel(), place[1:].ravel()])
    streets = Streets.of(side * side, u, v, np.full(len(u), 100))
    routes, bound = cover_streets(streets, int(place[4, 4]), 4, iterations=5000)
    assert sorted(np.concatenate(routes.tasks)) == list(range(len(u)))
    # Lengths come in steps of 200: at most two steps above the bound of 3,100.
    assert bound.longest == 3100
    assert routes.longest <= 3400


@pytest.mark.parametrize(("told", "arguments", "more"), [
    ("leads to place 5 of 2", (2, [0], [5], [1]), {}),
    ("a cost is negative", (2, [0], [1], [-1]), {}),
    ("open in no direction", (2, [0], [1], [FORBIDDEN]), {}),
    ("v has shape", (2, [0], [1, 1], [1]), {}),
])
def test_streets_that_make_no_sense_are_refused(told, arguments, more):
    with pytest.raises(ValueError, match=told):
        Streets.of(*arguments, **more)
