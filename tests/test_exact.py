"""Bounds on cuts: never above the best cut, met by it where that is claimed."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_graphs import graph_of, is_whole, lattice, planar_graphs, quick

from gridplan.regions import cut_graph
from gridplan.regions.exact import EXACT_WORK, border_of, bound_cut, solve_exactly
from gridplan.regions.graph import Cut, net_of
from gridplan.regions.search import EFFORTS, Task
from gridplan.regions.settling import settle_small

SMALL = {"most": 9, "households": st.integers(0, 9)}


def regions_in_range(graph, low, high):
    """List every connected set of units in range, by trying all."""
    return [s for size in range(1, graph.size + 1)
            for s in itertools.combinations(range(graph.size), size)
            if low <= graph.households[list(s)].sum() <= high and is_whole(graph, s)]


def border_around(graph, units):
    inside = np.isin(np.arange(graph.size), units)
    return float(graph.weight[inside[graph.u] != inside[graph.v]].sum())


def extreme_cuts(graph, low, high):
    """Try every cut; return (border, labels) of the cheapest and of the dearest, or Nones."""
    sets = regions_in_range(graph, low, high)
    costs = {s: border_around(graph, s) / 2 for s in sets}

    @functools.cache
    def best(left, pick):
        if not left:
            return 0.0, ()
        found = [(costs[s] + rest[0], (s, *rest[1])) for s in sets
                 if min(left) in s and left >= set(s) and (rest := best(left - set(s), pick))]
        return pick(found, default=None)

    def labelled(found):
        if found is None:
            return None
        labels = np.empty(graph.size, np.int32)
        for region, units in enumerate(found[1]):
            labels[list(units)] = region
        return found[0], labels

    whole = frozenset(range(graph.size))
    return labelled(best(whole, min)), labelled(best(whole, max))


def cut_of(graph, labels, groups=()):
    return Cut(labels, int(labels.max()) + 1, border_of(graph, labels), 0, "ok", "",
               np.array(groups, np.int32))


# ---- the bound


@quick
@given(planar_graphs(**SMALL), st.integers(1, 12), st.integers(0, 8),
       st.sampled_from([0, 300_000, 1_000_000, EXACT_WORK]))
def test_a_bound_is_between_nothing_and_the_cheapest_cut(graph, low, more, work):
    cheapest, dearest = extreme_cuts(graph, low, low + more)
    if cheapest is None:
        return
    bound = bound_cut(graph, low, low + more, cut_of(graph, dearest[1]), work=work)
    assert 0.0 <= bound.value <= cheapest[0] * (1 + 1e-9)
    assert not bound.proven or bound.value == pytest.approx(cheapest[0], rel=1e-6)
    assert bound.proven or work < EXACT_WORK
    if bound.labels is not None:
        assert border_of(graph, bound.labels) < dearest[0]
        assert_in_range(graph, bound.labels, low, low + more)


@quick
@given(planar_graphs(**SMALL), st.integers(1, 12), st.integers(0, 8))
def test_small_graphs_are_solved_to_the_cheapest_cut(graph, low, more):
    cheapest, dearest = extreme_cuts(graph, low, low + more)
    if cheapest is None:
        return
    best = solve_exactly(graph, low, low + more, start=dearest[1])
    assert best.proven
    assert best.value == pytest.approx(cheapest[0], rel=1e-6)
    assert border_of(graph, best.labels) == pytest.approx(cheapest[0])
    assert_in_range(graph, best.labels, low, low + more)


def assert_in_range(graph, labels, low, high):
    people = np.bincount(labels, graph.households)
    assert ((people >= low) & (people <= high)).all()
    assert all(is_whole(graph, np.flatnonzero(labels == r)) for r in set(labels.tolist()))


@pytest.mark.parametrize("seed", range(4))
def test_a_town_is_solved_and_every_seed_is_no_better(seed):
    graph = lattice(7, 8, np.random.default_rng(seed).integers(0, 110, 56), seed)
    best = solve_exactly(graph, 300, 500)
    assert best.proven
    borders = [cut_graph(graph, 300, 500, seed=s).border for s in range(1, 6)]
    assert min(borders) >= best.value * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_poor_start_ends_at_the_same_cut(seed):
    graph = lattice(6, 7, np.random.default_rng(seed + 20).integers(0, 140, 42), seed)
    cuts = [cut_graph(graph, 300, 500, effort="fast", seed=s) for s in range(1, 9)]
    poor = max((cut for cut in cuts if cut.status == "ok"), key=lambda cut: cut.border)
    best = solve_exactly(graph, 300, 500)
    again = solve_exactly(graph, 300, 500, start=poor.labels)
    assert best.proven
    assert again.proven
    assert again.value == pytest.approx(best.value, rel=1e-6)
    assert border_of(graph, again.labels) == pytest.approx(best.value, rel=1e-6)


def test_a_total_that_allows_one_number_of_regions_is_not_divided_by_their_number():
    """Two regions of 300: the mix of columns uses two but for rounding, and never one."""
    edges = [(0, 3, 500), (0, 8, 875), (0, 9, 500), (1, 3, 875), (1, 8, 500), (2, 4, 325),
             (2, 5, 500), (4, 7, 500), (5, 7, 300), (5, 10, 500), (6, 7, 500), (6, 9, 500),
             (6, 10, 300), (8, 11, 500), (9, 11, 325), (10, 11, 500)]
    graph = graph_of([120, 80, 25, 80, 25, 25, 25, 25, 120, 25, 25, 25], edges)
    poor = np.array([0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 1, 1])
    bound = bound_cut(graph, 300, 500, cut_of(graph, poor), work=EXACT_WORK)
    assert bound.proven
    assert bound.value == pytest.approx(extreme_cuts(graph, 300, 500)[0][0])


@pytest.mark.parametrize("work", [0, 1_000_000, 10_000_000, 100_000_000])
def test_more_work_never_gives_less_and_the_same_work_the_same(work):
    graph = lattice(9, 9, np.random.default_rng(3).integers(0, 110, 81))
    cut = cut_graph(graph, 300, 500, effort="fast")
    once, again = (bound_cut(graph, 300, 500, cut, work=work) for _ in range(2))
    assert (once.value, once.proven, once.work) == (again.value, again.proven, again.work)
    assert once.value <= bound_cut(graph, 300, 500, cut, work=2 * work).value * (1 + 1e-9)


# ---- small graphs at the effort best


@quick
@given(planar_graphs(**SMALL), st.integers(1, 12), st.integers(0, 8))
def test_best_finds_the_cheapest_cut_of_a_small_graph(graph, low, more):
    plain = replace(graph, major=np.zeros(graph.u.size, np.bool_))
    cheapest, _ = extreme_cuts(plain, low, low + more)
    if cheapest is None:
        return
    cut = cut_graph(plain, low, low + more, effort="best")
    assert cut.border == pytest.approx(cheapest[0], rel=1e-6)


def test_settling_betters_a_poor_cut_and_leaves_what_it_does_not_know():
    graph = lattice(6, 7, np.random.default_rng(21).integers(0, 140, 42), 1)
    cuts = [cut_graph(graph, 300, 500, effort="fast", seed=s) for s in range(1, 9)]
    poor = max((cut for cut in cuts if cut.status == "ok"), key=lambda cut: cut.border)
    task = Task(net_of(graph.households, graph.u, graph.v, graph.weight.astype(np.int64)),
                np.arange(graph.size, dtype=np.int32), 300, 500, EFFORTS["best"], 1)
    settled = settle_small(graph, task, poor.labels)
    assert border_of(graph, settled) == pytest.approx(solve_exactly(graph, 300, 500).value)
    assert border_of(graph, settled) < poor.border
    for left in (replace(task, count=poor.count), replace(task, toll=np.ones(500, np.int64))):
        assert settle_small(graph, left, poor.labels) is poor.labels
