"""Every compiled kernel that decides something, against a plain twin that is obviously right."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_graphs import graph_of, lattice, planar_graphs, quick

from gridplan.regions import annealing, kernels, mending, proof, trees
from gridplan.regions.annealing import Heat
from gridplan.regions.graph import contract, net_of, pieces_of, subnet
from gridplan.regions.kernels import Net, Rules, seed_luck
from gridplan.regions.superblocks import absorb_empty

EASY = Rules(low=300, high=500, fine=0, rate=1.0, keep_count=False)


def net_from(graph) -> Net:
    return net_of(graph.households, graph.u, graph.v, graph.weight.astype(np.int64))


def picture(net: Net) -> nx.Graph:
    drawn = nx.Graph()
    drawn.add_nodes_from(range(net.people.size))
    drawn.add_weighted_edges_from(zip(net.u.tolist(), net.v.tolist(), net.cost.tolist(),
                                      strict=True))
    return drawn


def excess(people, low, high):
    return max(low - people, people - high, 0)


def border(net, labels):
    return sum(int(c) for a, b, c in zip(net.u, net.v, net.cost, strict=True)
               if labels[a] != labels[b])


# ---- chance


def test_draws_are_even_and_repeat_with_their_seed():
    drawn = kernels.pick(seed_luck(1, 2), 10, 20_000)
    assert np.bincount(drawn, minlength=10).min() > 1800
    assert (drawn == kernels.pick(seed_luck(1, 2), 10, 20_000)).all()
    assert (drawn != kernels.pick(seed_luck(1, 3), 10, 20_000)).any()


# ---- rows, pieces, contraction


@quick
@given(planar_graphs(most=20))
def test_rows_list_every_neighbour_once(graph):
    net = net_from(graph)
    for x in range(graph.size):
        rows = slice(net.start[x], net.start[x + 1])
        assert sorted(net.other[rows]) == sorted(picture(net)[x])
        for y, e in zip(net.other[rows], net.edge[rows], strict=True):
            assert {net.u[e], net.v[e]} == {x, y}


@quick
@given(planar_graphs(most=20), st.data())
def test_pieces_are_the_connected_components_of_equal_label(graph, data):
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=graph.size,
                                         max_size=graph.size)), np.int32)
    kept = picture(net_from(graph))
    kept.remove_edges_from([(a, b) for a, b in kept.edges if labels[a] != labels[b]])
    pieces = pieces_of(graph.size, graph.u, graph.v, labels)
    found = {frozenset(np.flatnonzero(pieces == p).tolist()) for p in set(pieces.tolist())}
    assert found == {frozenset(c) for c in nx.connected_components(kept)}


@quick
@given(planar_graphs(most=20), st.data())
def test_contraction_keeps_households_and_borders(graph, data):
    net = net_from(graph)
    labels = np.array(data.draw(st.lists(st.integers(0, 3), min_size=graph.size,
                                         max_size=graph.size)), np.int32)
    up = pieces_of(graph.size, graph.u, graph.v, labels)
    small = contract(net, up, int(up.max()) + 1)
    assert small.people.tolist() == np.bincount(up, net.people).astype(int).tolist()
    assert small.cost.sum() == border(net, up)
    assert len({*zip(small.u.tolist(), small.v.tolist(), strict=True)}) == small.u.size


@quick
@given(planar_graphs(most=20), st.data())
def test_part_of_a_net_is_the_induced_graph(graph, data):
    net = net_from(graph)
    units = np.array(data.draw(st.lists(st.integers(0, graph.size - 1), min_size=1, unique=True)),
                     np.int32)
    place = np.full(graph.size, -1, np.int32)
    part = subnet(net, units, place)
    named = nx.relabel_nodes(picture(part), dict(enumerate(units.tolist())))
    assert nx.utils.graphs_equal(named, nx.Graph(picture(net).subgraph(units.tolist())))
    assert (place == -1).all()

    n, m = graph.size, graph.u.size
    room = Net(np.empty(n + 1, np.int32), np.empty(2 * m, np.int32), np.empty(2 * m, np.int32),
               np.empty(m, np.int32), np.empty(m, np.int32), np.empty(m, np.int64),
               np.empty(n, np.int64))
    local = mending.extract(net, units, place, np.empty(m, np.int32), room)
    assert (place == -1).all()
    assert nx.utils.graphs_equal(picture(local), picture(part))
    assert local.people.tolist() == part.people.tolist()
    assert all({local.u[e], local.v[e]} == {x, y} for x in range(units.size)
               for y, e in zip(local.other[local.start[x]:local.start[x + 1]],
                               local.edge[local.start[x]:local.start[x + 1]], strict=True))


def test_pairs_are_neighbours_and_no_heavier_than_allowed():
    graph = lattice(12, 12, np.random.default_rng(0).integers(1, 40, 144))
    net = net_from(graph)
    pair, count = kernels.match_units(net, 50, seed_luck(1))
    assert count < 100
    for p in range(count):
        units = np.flatnonzero(pair == p)
        assert units.size == 1 or (tuple(units) in {*zip(graph.u, graph.v, strict=True)}
                                   and net.people[units].sum() <= 50)


# ---- empty units


def absorb_plainly(graph):
    """Kruskal's rule, where two inhabited trees never join."""
    held = {x: {x} for x in range(graph.size)}
    rows = sorted(zip(graph.major, -graph.weight, graph.u, graph.v, strict=True))
    for _, _, a, b in rows:
        one, two = held[int(a)], held[int(b)]
        if one is not two and not (sum(graph.households[list(one)])
                                   and sum(graph.households[list(two)])):
            both = one | two
            held.update(dict.fromkeys(both, both))
    return {frozenset(s) for s in held.values()}


@quick
@given(planar_graphs(most=20, households=st.sampled_from([0, 0, 5])))
def test_empty_units_are_absorbed_as_told(graph):
    merged = absorb_empty(graph)
    assert {frozenset(np.flatnonzero(merged == r).tolist())
            for r in set(merged.tolist())} == absorb_plainly(graph)


# ---- cuts along trees


def some_tree(net, luck):
    parent, order = (np.empty(net.people.size, np.int32) for _ in range(2))
    reached = trees.draw_tree(net.u, net.v, net.cost, parent, order, luck)
    assert reached == net.people.size
    return parent, order


@quick
@given(planar_graphs(most=25), st.integers(0, 99))
def test_a_tree_spans_the_graph_and_branches_know_their_true_border(graph, seed):
    net = net_from(graph)
    parent, order = some_tree(net, seed_luck(seed))
    edges = picture(net)
    tree = nx.Graph()
    tree.add_nodes_from(range(graph.size))
    tree.add_edges_from((int(x), int(parent[x])) for x in order[1:])
    assert nx.is_tree(tree)
    assert all(edges.has_edge(*e) for e in tree.edges)
    borders = np.empty(graph.size, np.int64)
    trees.branch_borders(net.u, net.v, net.cost, parent, order, borders)
    for x in order[1:]:
        apart = tree.copy()
        apart.remove_edge(int(x), int(parent[x]))
        below = nx.node_connected_component(apart, int(x))
        assert borders[x] == nx.cut_size(edges, below, weight="weight")


@quick
@given(planar_graphs(most=15, households=st.integers(0, 300)), st.integers(2, 8),
       st.integers(0, 99))
def test_the_best_branch_is_the_best_of_all(graph, k, seed):
    net = net_from(graph)
    parent, order = some_tree(net, seed_luck(seed))
    borders = np.empty(graph.size, np.int64)
    trees.branch_borders(net.u, net.v, net.cost, parent, order, borders)
    at, share, score = trees.best_branch(parent, order, net.people, borders, k, EASY)
    below = net.people.copy()
    for x in order[:0:-1]:
        below[parent[x]] += below[x]
    total, mean = below[order[0]], below[order[0]] / k

    def value(x, k1):
        miss = (excess(below[x], 300 * k1, 500 * k1)
                + excess(total - below[x], 300 * (k - k1), 500 * (k - k1)))
        few = min(k1, k - k1)
        off = (below[x] - k1 * mean) / (few * mean)
        return (borders[x] + 1) * (1 + 1.5 * off * off) / np.sqrt(few) + 1e12 * miss

    if total == 0 or graph.size == 1:
        return
    choices = {(x, k1): value(x, k1) for x in order[1:] for k1 in range(1, k)
               if abs(k1 - below[x] / mean) <= 1.5}
    if choices:
        assert score == pytest.approx(min(choices.values()))
        assert choices[at, share] == pytest.approx(score)


@quick
@given(planar_graphs(most=25, households=st.integers(0, 300)), st.integers(1, 6),
       st.integers(0, 99))
def test_a_recut_makes_connected_regions(graph, k, seed):
    net = net_from(graph)
    labels = np.full(graph.size, -1, np.int32)
    count = trees.recut(net, k, 2, EASY, labels, seed_luck(seed))
    assert count <= k
    assert set(labels.tolist()) == set(range(count))
    assert pieces_of(graph.size, graph.u, graph.v, labels).max() + 1 == count


# ---- annealing


@quick
@given(planar_graphs(most=25), st.data())
def test_a_region_stays_whole_exactly_if_its_rest_is_connected(graph, data):
    net = net_from(graph)
    labels = np.array(data.draw(st.lists(st.integers(0, 1), min_size=graph.size,
                                         max_size=graph.size)), np.int32)
    labels = pieces_of(graph.size, graph.u, graph.v, labels)
    mark, queue = np.zeros(graph.size, np.int64), np.empty(graph.size, np.int32)
    for x in range(graph.size):
        rest = [y for y in range(graph.size) if labels[y] == labels[x] and y != x]
        whole = bool(rest) and nx.is_connected(picture(net).subgraph(rest))
        assert annealing.stays_whole(net, labels, x, mark, 2 * x + 1, queue) == whole


@quick
@given(planar_graphs(most=25, households=st.integers(0, 300)), st.integers(2, 4),
       st.integers(0, 99))
def test_annealing_never_ends_worse_and_tells_the_truth(graph, k, seed):
    net = net_from(graph)
    labels = np.empty(graph.size, np.int32)
    luck = seed_luck(seed)
    count = trees.recut(net, k, 1, EASY, labels, luck)
    before = state(net, labels)
    over, cost = annealing.anneal(net, labels, count, EASY, Heat(20.0, 1.0, 50.0), luck)
    assert (over, cost) == state(net, labels) == mending.state_of(net, labels, count, EASY)
    assert (over, cost) <= before
    assert pieces_of(graph.size, graph.u, graph.v, labels).max() + 1 == count


def state(net, labels):
    people = [net.people[labels == r].sum() for r in np.unique(labels)]
    return int(sum(excess(p, 300, 500) for p in people)), border(net, labels)


# ---- mending


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 999), st.booleans(), st.sampled_from([0.0, 30.0]))
def test_mending_keeps_regions_whole_and_never_adds_excess(seed, keep_count, accept):
    graph = lattice(9, 9, np.random.default_rng(seed).integers(0, 90, 81))
    net = net_from(graph)
    rules = EASY._replace(keep_count=keep_count)
    labels = np.empty(graph.size, np.int32)
    luck = seed_luck(seed)
    count = trees.recut(net, 8, 1, rules, labels, luck)
    before = state(net, labels)
    centres = kernels.pick(luck, graph.size, 40)
    mending.mend(net, labels, count, centres, mending.Care(5, 0.7, 1, accept, False), rules,
                 Heat(50.0, 2.0, 4.0), luck)
    assert state(net, labels)[0] <= before[0]
    assert pieces_of(graph.size, graph.u, graph.v, labels).max() + 1 == np.unique(labels).size
    assert np.unique(labels).size == count or not keep_count
    if accept == 0.0:
        assert state(net, labels) <= before


def test_a_window_is_connected_regions_around_its_first():
    graph = lattice(9, 9, 60)
    net = net_from(graph)
    labels = np.empty(graph.size, np.int32)
    luck = seed_luck(5)
    count = trees.recut(net, 12, 1, EASY, labels, luck)
    book = mending.open_book(net, labels, count)
    regions, units = np.empty(6, np.int32), np.empty(graph.size, np.int32)
    chosen = np.zeros(count, bool)
    for first, want in itertools.product(range(count), (1, 3, 5)):
        found, size = mending.gather(net, labels, book, first, want, chosen, regions, units, luck)
        assert found == want
        assert regions[0] == first
        assert sorted(units[:size]) == np.flatnonzero(np.isin(labels, regions[:found])).tolist()
        assert nx.is_connected(picture(net).subgraph(units[:size].tolist()))
        assert not chosen.any()


# ---- proof


@quick
@given(planar_graphs(most=9, households=st.integers(0, 9)), st.integers(2, 12),
       st.integers(0, 6))
def test_regions_listed_are_all_that_leave_a_rest_that_may_be_cut(graph, low, more):
    high = low + more
    drawn = picture(net_from(graph))
    near = np.array([sum(1 << y for y in drawn[x]) for x in range(graph.size)], np.int64)
    sets, whole = proof.list_regions(near, graph.households.copy(), low, high, 100_000)

    def may_be_cut(units):
        total = int(graph.households[list(units)].sum())
        return any(low * k <= total <= high * k for k in range(1, total + 1))

    expected = []
    for size in range(1, graph.size + 1):
        for chosen in itertools.combinations(range(graph.size), size):
            rest = drawn.subgraph(set(drawn) - set(chosen))
            if (low <= graph.households[list(chosen)].sum() <= high
                    and nx.is_connected(drawn.subgraph(chosen))
                    and all(may_be_cut(piece) for piece in nx.connected_components(rest))):
                expected.append(sum(1 << x for x in chosen))
    assert whole
    assert sorted(sets.tolist()) == sorted(expected)


def test_two_regions_across_a_ring_are_found():
    ring = graph_of([200] * 4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    assert proof.prove_infeasible(ring, 400, 400) is False
