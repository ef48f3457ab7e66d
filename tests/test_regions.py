"""Cuts of graphs: every region in one piece and in range, along cheap borders, never astride."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit_graphs import graph_of, is_whole, lattice, path, planar_graphs, quick

from gridplan.regions import Cut, Graph, connected_components, cut_graph, prove_infeasible
from gridplan.regions.graph import net_of, pieces_of, subgraph
from gridplan.regions.rescue import cover_windows, rescue_cut, window_around
from gridplan.regions.search import EFFORTS as EFFORT_TABLE
from gridplan.regions.search import Task, score
from gridplan.regions.superblocks import Groups

EFFORTS = ("fast", "normal", "best")


def assert_sound(graph: Graph, cut: Cut, low: int, high: int) -> None:
    """Every unit has a region, every region is in one piece, and the figures are right."""
    assert cut.labels.shape == (graph.size,)
    assert sorted(set(cut.labels.tolist())) == list(range(cut.count))
    for region in range(cut.count):
        assert is_whole(graph, np.flatnonzero(cut.labels == region))
    people = np.bincount(cut.labels, graph.households, cut.count)
    assert people.sum() == graph.households.sum()
    assert cut.out_of_range == ((people < low) | (people > high)).sum()
    assert (cut.status == "ok") == (cut.out_of_range == 0)
    across = cut.labels[graph.u] != cut.labels[graph.v]
    assert cut.border == pytest.approx(graph.weight[across].sum())


def cheapest_cut(graph: Graph, low: int, high: int) -> float | None:
    """Try every partition into connected regions in range; return the least border, or None."""
    sets = [frozenset(s) for size in range(1, graph.size + 1)
            for s in itertools.combinations(range(graph.size), size)
            if low <= graph.households[list(s)].sum() <= high and is_whole(graph, s)]

    def borders(left: frozenset[int], labels: dict[int, int]):
        if not left:
            at = [labels[x] for x in range(graph.size)]
            yield sum(w for a, b, w in zip(graph.u, graph.v, graph.weight, strict=True)
                      if at[a] != at[b])
            return
        for chosen in sets:
            if min(left) in chosen and chosen <= left:
                yield from borders(left - chosen, labels | dict.fromkeys(chosen, min(left)))

    return min(borders(frozenset(range(graph.size)), {}), default=None)


# ---- every cut


@settings(quick, max_examples=40)
@given(planar_graphs(most=20, households=st.integers(0, 400)), st.integers(1, 300),
       st.integers(0, 400), st.sampled_from(EFFORTS))
def test_every_cut_is_sound(graph, low, more, effort):
    assert_sound(graph, cut_graph(graph, low, low + more, effort=effort), low, low + more)


@quick
@given(planar_graphs(), st.integers(1, 8), st.integers(0, 4), st.sampled_from(EFFORTS))
@example(path(3, 3, 5, 5), 4, 6, "fast")
def test_small_graphs_are_cut_in_range_whenever_that_is_possible(graph, low, more, effort):
    possible = cheapest_cut(graph, low, low + more) is not None
    cut = cut_graph(graph, low, low + more, effort=effort)
    assert (cut.status == "ok") == possible
    if not possible:
        assert cut.status in ("count", "enumeration")


@quick
@given(planar_graphs(households=st.integers(0, 9)), st.integers(5, 12), st.integers(2, 8))
def test_best_effort_finds_the_cheapest_cut_of_small_graphs(graph, low, more):
    least = cheapest_cut(graph, low, low + more)
    cut = cut_graph(graph, low, low + more, effort="best")
    if least is not None:
        assert cut.border <= 1.01 * least


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_town_is_cut_in_range(effort):
    chance = np.random.default_rng(3)
    graph = lattice(20, 20, chance.integers(10, 90, 400))
    for seed in range(1, 4):
        cut = cut_graph(graph, 300, 500, effort=effort, seed=seed)
        assert_sound(graph, cut, 300, 500)
        assert cut.status == "ok"


def test_many_small_units_are_coarsened_and_still_cut_in_range():
    graph = lattice(60, 60, 2)
    cut = cut_graph(graph, 1500, 2500)
    assert_sound(graph, cut, 1500, 2500)
    assert cut.status == "ok"
    assert cut.count in (3, 4)


def test_communities_are_delineated_from_grids_with_the_same_solver():
    graph = lattice(20, 25, np.random.default_rng(1).integers(300, 501, 500))
    cut = cut_graph(graph, 1500, 5000)
    assert_sound(graph, cut, 1500, 5000)
    assert cut.status == "ok"


def test_more_effort_finds_cheaper_borders():
    graph = lattice(15, 15, np.random.default_rng(5).integers(10, 90, 225))
    fast, normal, best = (np.mean([cut_graph(graph, 300, 500, effort=e, seed=s).border
                                   for s in (1, 2, 3)]) for e in EFFORTS)
    assert fast > normal > best


# ---- same input, same cut


def test_same_seed_gives_the_same_labels_and_another_seed_another_search():
    graph = lattice(12, 12, np.random.default_rng(2).integers(10, 90, 144))
    first, again = (cut_graph(graph, 300, 500, seed=7) for _ in range(2))
    assert first.labels.tobytes() == again.labels.tobytes()
    assert first.effort_spent == again.effort_spent
    others = [cut_graph(graph, 300, 500, effort="fast", seed=s).labels.tobytes() for s in range(5)]
    assert len(set(others)) > 1


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.permutations(range(60)), st.lists(st.booleans(), min_size=60, max_size=60))
def test_order_and_direction_of_borders_do_not_matter(order, turned):
    graph = lattice(6, 6, 50)
    order = np.array(order)
    u, v = graph.u[order], graph.v[order]
    other = Graph(graph.households, np.where(turned, v, u), np.where(turned, u, v),
                  graph.weight[order], graph.major[order])
    assert (cut_graph(graph, 300, 500).labels == cut_graph(other, 300, 500).labels).all()


def test_regions_are_numbered_by_their_first_unit():
    labels = cut_graph(lattice(9, 9), 300, 500).labels
    first = np.unique(labels, return_index=True)[1]
    assert (np.diff(first) > 0).all()


# ---- totals that cannot be divided


@pytest.mark.parametrize(("total", "regions"), [(299, 1), (551, 1), (0, 1)])
def test_a_total_no_count_fits_says_so(total, regions):
    cut = cut_graph(path(total // 2, 0, total - total // 2), 300, 500)
    assert (cut.status, cut.count, cut.out_of_range) == ("count", regions, 1)


def test_a_total_no_count_fits_is_cut_evenly():
    graph = path(*[5] * 110)  # three regions of 160–180 hold 540 at most, four need 640
    cut = cut_graph(graph, 160, 180)
    assert (cut.status, cut.count) == ("count", 3)
    people = np.bincount(cut.labels, graph.households)
    assert people.min() >= 160
    assert people.max() <= 185


def test_one_unit_is_one_region():
    assert cut_graph(path(400), 300, 500).status == "ok"
    assert cut_graph(path(900), 300, 500).status == "enumeration"


# ---- proof


def test_a_total_that_fits_may_still_be_impossible():
    cut = cut_graph(path(283, 283, 440, 440), 300, 500)
    assert cut.status == "enumeration"
    assert_sound(path(283, 283, 440, 440), cut, 300, 500)


def test_the_least_bad_cut_has_the_fewest_regions_out_of_range():
    assert cut_graph(path(283, 283, 440, 440), 300, 500).out_of_range == 1


def test_three_living_buildings_that_fit_nowhere_are_proven():
    assert prove_infeasible(path(293, 304, 467), 300, 500) is True


@quick
@given(planar_graphs(households=st.integers(0, 9)), st.integers(2, 12), st.integers(0, 6))
def test_proof_agrees_with_trying_everything(graph, low, more):
    possible = cheapest_cut(graph, low, low + more) is not None
    assert prove_infeasible(graph, low, low + more) is (not possible)


def test_proof_gives_up_on_large_graphs_and_at_its_limit():
    assert prove_infeasible(path(*[283] * 41), 300, 500) is None
    assert prove_infeasible(lattice(6, 6, 60), 300, 500, work_limit=10) is None


def test_a_large_part_that_is_not_solved_is_unproven_and_says_what_was_spent():
    cut = cut_graph(path(*[283] * 60), 300, 500, effort="fast")
    assert cut.status == "unproven"
    assert "recuts" in cut.effort_spent


def test_a_region_at_fault_in_a_large_graph_is_covered_exactly():
    graph = path(*[200] * 100)
    wrong = np.arange(100, dtype=np.int32) // 2
    wrong[52] = wrong[51]  # three units hold 600 households, and one is left with 200
    task = Task(net_of(graph.households, graph.u, graph.v, np.ones(99, np.int64)),
                np.arange(100, dtype=np.int32), 300, 500, EFFORT_TABLE["fast"], 1)
    assert score(task, task.net, wrong)[0] == 2
    units = window_around(graph, wrong, int(wrong[50]))
    assert is_whole(graph, units)
    assert units.size <= 40
    assert score(task, task.net, cover_windows(graph, task, wrong))[0] == 0


def test_a_small_graph_is_settled_by_an_exact_cover_whatever_the_search_found():
    graph = path(*[200] * 6)
    task = Task(net_of(graph.households, graph.u, graph.v, np.ones(5, np.int64)),
                np.arange(6, dtype=np.int32), 300, 500, EFFORT_TABLE["fast"], 1)
    labels, impossible = rescue_cut(graph, task, np.array([0, 0, 0, 1, 1, 1], np.int32))
    assert score(task, task.net, labels)[0] == 0
    assert not impossible


# ---- units without households


def test_units_without_households_belong_to_some_region():
    chance = np.random.default_rng(4)
    graph = lattice(14, 14, chance.integers(20, 90, 196) * (chance.random(196) < 0.5))
    cut = cut_graph(graph, 300, 500)
    assert_sound(graph, cut, 300, 500)
    assert cut.status == "ok"


def test_an_empty_unit_goes_where_its_border_is_dearest():
    graph = graph_of([400, 0, 400], [(0, 1, 2.0, False), (1, 2, 9.0, False)])
    assert cut_graph(graph, 300, 500).labels.tolist() == [0, 1, 1]


def test_an_empty_unit_between_major_roads_stays_on_its_side():
    graph = graph_of([400, 0, 400], [(0, 1, 2.0, False), (1, 2, 9.0, True)])
    assert cut_graph(graph, 300, 500).labels.tolist() == [0, 0, 1]


def test_absorbed_empty_units_are_set_free_where_they_are_in_the_way():
    # The dear border binds the empty unit 2 to unit 1, yet 3 and 4 can only meet through it.
    graph = graph_of([400, 400, 0, 200, 200],
                     [(0, 1, 1.0, False), (1, 2, 50.0, False), (2, 3, 1.0, False),
                      (2, 4, 1.0, False)])
    assert cut_graph(graph, 300, 500).status == "ok"


# ---- major roads


def two_halves(left, right, *, weight=1000.0):
    """Join two towns by dear major borders that nobody would cut for the price alone."""
    one, two = lattice(4, len(left) // 4, left, 1), lattice(4, len(right) // 4, right, 2)
    edges = [(int(a) + shift, int(b) + shift, float(w), False)
             for town, shift in ((one, 0), (two, one.size))
             for a, b, w in zip(town.u, town.v, town.weight, strict=True)]
    wide, far = len(left) // 4, len(right) // 4
    edges += [(row * wide + wide - 1, one.size + row * far, weight, True) for row in range(4)]
    return graph_of([*left, *right], edges), one.size


@pytest.mark.parametrize("effort", EFFORTS)
def test_halves_that_can_be_cut_alone_are_never_straddled(effort):
    graph, middle = two_halves([50] * 16, [60] * 20)
    for seed in range(1, 6):
        cut = cut_graph(graph, 300, 500, effort=effort, seed=seed)
        assert cut.status == "ok"
        assert not set(cut.labels[:middle].tolist()) & set(cut.labels[middle:].tolist())


def test_a_half_too_small_alone_joins_across_the_road():
    graph, middle = two_halves([10] * 16, [60] * 20)
    cut = cut_graph(graph, 300, 500)
    assert cut.status == "ok"
    assert set(cut.labels[:middle].tolist()) & set(cut.labels[middle:].tolist())


@pytest.mark.parametrize("graph", [
    # 283 + 283 + 440 + 440 cannot be cut alone; with the two 34 beyond the road it can.
    graph_of([283, 283, 440, 440, 34, 34, 300],
             [(0, 1), (1, 2), (2, 3), (0, 4, 1.0, True), (1, 5, 1.0, True), (4, 6), (5, 6)]),
    # A star of four 250 leaves two arms alone; each finds 50 beyond the road.
    graph_of([250, 250, 250, 250, 350, 50, 50],
             [(0, 1), (0, 2), (0, 3), (1, 4, 1.0, True), (4, 5), (2, 5, 1.0, True),
              (3, 6, 1.0, True), (5, 6)])])
def test_in_range_comes_before_not_straddling(graph):
    assert cut_graph(graph, 300, 500).status == "ok"


def test_superblocks_are_joined_until_each_group_fits_and_further_on_demand():
    # Blocks of 400, 100, 450 and 600 in a row; 100 needs a neighbour, 400 + 100 is the smaller.
    graph = graph_of([400, 100, 450, 600], [(i, i + 1, 1.0, True) for i in range(3)])
    groups = Groups(graph, np.arange(4, dtype=np.int32), 300, 500)
    assert sorted(x.tolist() for x in groups.members.values()) == [[0, 1], [2], [3]]
    groups.join(2)
    assert sorted(x.tolist() for x in groups.members.values()) == [[0, 1, 2], [3]]


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_cut_that_may_straddle_is_cheaper_and_is_one_group(effort):
    graph, _ = two_halves([50] * 16, [60] * 20)
    apart, across = (cut_graph(graph, 300, 500, effort=effort, apart=a) for a in (True, False))
    assert across.status == "ok"
    assert across.border < apart.border
    assert set(across.groups.tolist()) == {0}


@settings(quick, max_examples=30)
@given(planar_graphs(most=25, households=st.integers(20, 300)), st.data(),
       st.sampled_from(EFFORTS), st.booleans())
def test_no_region_lies_in_two_groups_and_groups_are_whole_superblocks(graph, data, effort, kept):
    major = data.draw(st.lists(st.booleans(), min_size=graph.u.size, max_size=graph.u.size))
    graph = Graph(graph.households, graph.u, graph.v, graph.weight, np.array(major, bool))
    count = round(graph.households.sum() / 400) if kept else None
    if count is not None and not 300 * count <= graph.households.sum() <= 500 * count:
        return
    if count == 0 or (count or 0) > graph.size:
        return
    cut = cut_graph(graph, 300, 500, effort=effort, count=count)
    assert_sound(graph, cut, 300, 500)
    assert all(np.unique(cut.groups[cut.labels == r]).size == 1 for r in range(cut.count))
    minor = ~graph.major
    assert (cut.groups[graph.u[minor]] == cut.groups[graph.v[minor]]).all()
    # Superblocks are joined only where one of them cannot be cut alone.
    blocks = pieces_of(graph.size, graph.u[minor], graph.v[minor])
    for group in range(int(cut.groups.max()) + 1):
        inside = sorted(set(blocks[cut.groups == group].tolist()))
        if len(inside) > 1 and count is None and cut.status == "ok":
            alone = [subgraph(graph, np.flatnonzero(blocks == b).astype(np.int32)) for b in inside]
            assert any(cut_graph(block, 300, 500).status != "ok" for block in alone)


# ---- a fixed number of regions


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("count", [24, 26, 31])
def test_a_town_is_cut_into_as_many_regions_as_asked(effort, count):
    graph = lattice(15, 15, np.random.default_rng(5).integers(10, 90, 225))
    cut = cut_graph(graph, 300, 500, effort=effort, count=count)
    assert_sound(graph, cut, 300, 500)
    assert (cut.count, cut.status) == (count, "ok")


@settings(quick, max_examples=40)
@given(planar_graphs(most=20, households=st.integers(0, 400)), st.integers(1, 300),
       st.integers(0, 400), st.integers(1, 9), st.sampled_from(EFFORTS), st.booleans())
def test_the_number_of_regions_is_kept_or_refused(graph, low, more, count, effort, apart):
    total = int(graph.households.sum())
    if not low * count <= total <= (low + more) * count or count > graph.size:
        with pytest.raises(ValueError, match="count"):
            cut_graph(graph, low, low + more, count=count)
        return
    cut = cut_graph(graph, low, low + more, effort=effort, count=count, apart=apart)
    assert_sound(graph, cut, low, low + more)
    assert cut.count == count


def test_halves_share_a_fixed_number_of_regions():
    graph, middle = two_halves([50] * 16, [60] * 20)
    cut = cut_graph(graph, 300, 500, count=5)
    assert (cut.count, cut.status) == (5, "ok")
    assert not set(cut.labels[:middle].tolist()) & set(cut.labels[middle:].tolist())


def test_halves_without_shares_are_cut_as_one():
    graph, _ = two_halves([25] * 16, [25] * 16)  # 400 each: one region for both is not enough
    cut = cut_graph(graph, 150, 210, count=5)
    assert (cut.count, cut.status) == (5, "ok")
    assert set(cut.groups.tolist()) == {0}


# ---- tolls


def spread(graph, cut):
    return np.bincount(cut.labels, graph.households).std()


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_toll_on_imbalance_evens_regions_out(effort):
    graph = lattice(15, 15, np.random.default_rng(5).integers(10, 90, 225))
    toll = 5.0 * np.abs(np.arange(600.0) - 400)
    free, tolled = (cut_graph(graph, 300, 500, effort=effort, toll=t) for t in (None, toll))
    assert tolled.status == "ok"
    assert free.toll == 0.0
    assert spread(graph, tolled) < 0.5 * spread(graph, free)
    assert tolled.border > free.border
    assert tolled.border + tolled.toll < free.border + toll[
        np.bincount(free.labels, graph.households).astype(int)].sum()


@settings(quick, max_examples=30)
@given(planar_graphs(most=20, households=st.integers(0, 400)), st.integers(0, 600),
       st.sampled_from(EFFORTS))
def test_the_toll_told_is_that_of_the_regions(graph, size, effort):
    toll = np.random.default_rng(size).random(size) * 100
    cut = cut_graph(graph, 300, 500, effort=effort, toll=toll)
    assert_sound(graph, cut, 300, 500)
    people = np.bincount(cut.labels, graph.households).astype(int).tolist()
    assert cut.toll == pytest.approx(sum(toll[min(p, size - 1)] for p in people if size))


def test_tolls_decide_where_borders_do_not():
    graph = path(*[50] * 14)
    toll = np.where(np.arange(600) == 350, 0.0, 9.0)
    cut = cut_graph(graph, 300, 500, toll=toll)
    assert np.bincount(cut.labels, graph.households).tolist() == [350, 350]
    assert (cut.border, cut.toll) == (1.0, 0.0)


@pytest.mark.parametrize("toll", [[1.0, -1.0], [np.nan], [np.inf], [[1.0]]])
def test_a_bad_toll_is_refused(toll):
    with pytest.raises(ValueError, match="toll"):
        cut_graph(path(200, 200), 300, 500, toll=np.array(toll))


def test_no_toll_and_a_toll_of_nothing_give_the_same_labels():
    graph = lattice(9, 9, 60)
    free, idle = (cut_graph(graph, 300, 500, toll=t).labels.tobytes() for t in (None, np.zeros(9)))
    assert free == idle


# ---- what a graph must be


@pytest.mark.parametrize(("change", "fault"), [
    ({"households": []}, "needs a unit"),
    ({"households": [-1, 5, 5]}, "below 0"),
    ({"households": [1.5, 5, 5]}, "whole numbers"),
    ({"u": [0, 3]}, "not there"),
    ({"u": [0, 2]}, "with itself"),
    ({"u": [0, 1], "v": [1, 0]}, "twice"),
    ({"weight": [1.0, -1.0]}, "negative"),
    ({"weight": [1.0, np.nan]}, "not finite"),
    ({"weight": [1.0]}, "as long"),
])
def test_a_bad_graph_is_refused(change, fault):
    good = {"households": [5, 5, 5], "u": [0, 1], "v": [1, 2], "weight": [1.0, 1.0],
            "major": [False, False]}
    with pytest.raises(ValueError, match=fault):
        Graph(**(good | change))


def test_a_graph_in_two_pieces_is_refused():
    graph = graph_of([300, 300, 300], [(0, 1)])
    assert connected_components(graph).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="not connected"):
        cut_graph(graph, 300, 500)


@pytest.mark.parametrize(("low", "high"), [(0, 5), (5, 4)])
def test_a_bad_range_is_refused(low, high):
    with pytest.raises(ValueError, match="range"):
        cut_graph(path(1, 1), low, high)


def test_inputs_are_not_edited():
    households, u, v = np.array([300, 0, 300]), np.array([2, 0]), np.array([1, 1])
    graph = Graph(households, u, v, np.ones(2), np.zeros(2, bool))
    cut_graph(graph, 300, 500)
    assert (households.tolist(), u.tolist(), v.tolist()) == ([300, 0, 300], [2, 0], [1, 1])
    assert graph.u.tolist() == [0, 1]
