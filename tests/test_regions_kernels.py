"""Every compiled kernel that decides something, against a plain twin that is obviously right."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_graphs import graph_of, lattice, planar_graphs, quick

from gridplan.regions import annealing, counting, kernels, mending, pooling, proof, trees
from gridplan.regions.annealing import Heat
from gridplan.regions.graph import contract, net_of, number_regions, pieces_of, subnet
from gridplan.regions.kernels import Net, Rules, seed_luck
from gridplan.regions.superblocks import absorb_empty

EASY = Rules(low=300, high=500, fine=0, rate=1.0, keep_count=False)
TOLLED = EASY._replace(toll=np.abs(np.arange(600) - 400) // 8)


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
    within = (np.arange(144) % 12 < 6).astype(np.int32)
    pair, count = kernels.match_units(net, within, 50, seed_luck(1))
    assert count < 100
    for p in range(count):
        units = np.flatnonzero(pair == p)
        assert np.unique(within[units]).size == 1
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


@quick
@given(planar_graphs(most=25), st.integers(0, 99), st.data())
def test_a_tree_spans_the_first_units_and_knows_where_its_branches_meet(graph, seed, data):
    net = net_from(graph)
    n = data.draw(st.sampled_from(first_units_in_one_piece(net)))
    unit, place, parent, meet = trees.draw_tree(net, n, seed_luck(seed))
    assert sorted(unit.tolist()) == list(range(n))
    assert unit[place].tolist() == list(range(n))
    drawn = nx.DiGraph([(int(unit[parent[i]]), int(unit[i])) for i in range(1, n)])
    drawn.add_node(int(unit[0]))
    assert nx.is_arborescence(drawn)
    assert (parent[1:] < np.arange(1, n)).all()
    assert all(picture(net).has_edge(*e) for e in drawn.edges)
    for e, (a, b) in enumerate(zip(net.u.tolist(), net.v.tolist(), strict=True)):
        if max(a, b) < n:
            assert unit[meet[e]] == nx.lowest_common_ancestor(drawn, a, b)


def first_units_in_one_piece(net):
    return [n for n in range(1, net.people.size + 1)
            if nx.is_connected(picture(net).subgraph(range(n)))]


def test_a_tree_rather_takes_dear_borders():
    ring = net_from(graph_of([1] * 4, [(0, 1, 50.0), (1, 2, 50.0), (2, 3, 50.0), (0, 3, 1.0)]))
    luck = seed_luck(1)
    cheap = 0
    for _ in range(200):
        start, other = trees.choose_tree(ring, 4, trees.sort_edges(ring, 4, luck))
        cheap += 3 in other[start[0]:start[1]]
    assert cheap < 30


@quick
@given(planar_graphs(most=25, households=st.integers(0, 300)), st.integers(0, 99), st.data())
def test_branches_know_their_households_and_true_border(graph, seed, data):
    net = net_from(graph)
    n = graph.size
    tree = trees.draw_tree(net, n, seed_luck(seed))
    piece = np.zeros(n, np.int32)
    top = data.draw(st.integers(0, n - 1))
    for i in range(top, n):
        piece[i] = i == top or (i > top and piece[tree.parent[i]])
    below, border = np.empty(n, np.int64), np.empty(n, np.int64)
    trees.weigh_branches(net, n, tree, piece, below, border)
    for i in range(1, n):
        if piece[tree.parent[i]] == piece[i]:
            branch = {i}
            for j in range(i + 1, n):
                if int(tree.parent[j]) in branch and piece[j] == piece[i]:
                    branch.add(j)
            units = {int(tree.unit[j]) for j in branch}
            mine = {int(tree.unit[j]) for j in range(n) if piece[j] == piece[i]}
            assert below[i] == net.people[list(units)].sum()
            assert border[i] == nx.cut_size(picture(net), units, mine - units, weight="weight")


@quick
@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 999), st.integers(2, 12),
       st.booleans())
def test_a_branch_is_rated_by_range_border_balance_and_toll(below, rest, cost, k, tolled):
    toll = np.arange(600, dtype=np.int64) * 3
    rules = EASY._replace(toll=toll) if tolled else EASY
    total = below + rest

    def value(k1):
        k2, few = k - k1, min(k1, k - k1)
        miss = excess(below, 300 * k1, 500 * k1) + excess(rest, 300 * k2, 500 * k2)
        off = (below - k1 * max(total, 1) / k) / (few * max(total, 1) / k)
        peeled = 1e20 if k > 8 and 4 * few < k else 0.0
        paid = (k1 * toll[min(below // k1, 599)] + k2 * toll[min(rest // k2, 599)]
                if tolled else 0)
        return (cost + 1) * (1 + 1.5 * off * off) / np.sqrt(few) + 1e12 * miss + peeled + paid

    share, score = trees.rate_branch(below, total, cost, k, rules)
    near = int(below * k / max(total, 1) + 0.5)
    choices = [value(k1) for k1 in range(1, k) if abs(k1 - near) <= 1]
    assert score == pytest.approx(min(choices, default=trees.WORST))
    if choices:
        assert value(share) == pytest.approx(score)


@quick
@given(planar_graphs(most=25, households=st.integers(0, 300)), st.integers(1, 6),
       st.integers(0, 99), st.data())
def test_a_recut_makes_connected_regions_and_leaves_other_units_alone(graph, k, seed, data):
    net = net_from(graph)
    n = data.draw(st.sampled_from(first_units_in_one_piece(net)))
    labels = np.full(graph.size, -1, np.int32)
    count = trees.recut(net, n, k, EASY, labels, seed_luck(seed))
    assert count <= min(k, n)
    assert set(labels[:n].tolist()) == set(range(count))
    assert (labels[n:] == -1).all()
    drawn = picture(net)
    assert all(nx.is_connected(drawn.subgraph(np.flatnonzero(labels == r).tolist()))
               for r in range(count))


def test_a_star_is_recut_into_single_arms_where_nothing_else_can_be():
    net = net_from(graph_of([0] + [400] * 12, [(0, x) for x in range(1, 13)]))
    labels = np.empty(13, np.int32)
    assert trees.recut(net, 13, 12, EASY, labels, seed_luck(1)) == 12


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
       st.integers(0, 99), st.sampled_from([EASY, TOLLED]))
def test_annealing_never_ends_worse_and_tells_the_truth(graph, k, seed, rules):
    net = net_from(graph)
    labels = np.empty(graph.size, np.int32)
    luck = seed_luck(seed)
    count = trees.recut(net, graph.size, k, rules, labels, luck)
    before = state(net, labels, rules)
    over, cost = annealing.anneal(net, labels, count, rules, Heat(20.0, 1.0, 50.0), luck)
    assert (over, cost) == state(net, labels, rules)
    assert (over, cost) == mending.state_of(net, labels, count, rules)
    assert (over, cost) <= before
    assert pieces_of(graph.size, graph.u, graph.v, labels).max() + 1 == count


def state(net, labels, rules=EASY):
    people = [int(net.people[labels == r].sum()) for r in np.unique(labels)]
    paid = sum(int(rules.toll[min(p, rules.toll.size - 1)]) for p in people if rules.toll.size)
    return sum(excess(p, 300, 500) for p in people), border(net, labels) + paid


@quick
@given(st.lists(st.integers(0, 700), min_size=2, max_size=4), st.data())
def test_tolls_and_excess_change_as_if_counted_anew(people, data):
    people = np.array(people, np.int64)
    a, b = data.draw(st.permutations(range(people.size)))[:2]
    moved = data.draw(st.integers(0, int(people[a])))
    after = people.copy()
    after[a] -= moved
    after[b] += moved

    def paid(of):
        return sum(int(TOLLED.toll[min(p, 599)]) for p in of.tolist())

    assert annealing.toll_change(people, moved, a, b, TOLLED.toll) == paid(after) - paid(people)
    assert annealing.toll_change(people, moved, a, b, EASY.toll) == 0
    assert (annealing.excess_change(people, moved, a, b, EASY)
            == sum(excess(p, 300, 500) for p in after) - sum(excess(p, 300, 500) for p in people))


# ---- mending


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 999), st.booleans(), st.sampled_from([0.0, 30.0]),
       st.sampled_from([EASY, TOLLED]))
def test_mending_keeps_regions_whole_and_never_adds_excess(seed, keep_count, accept, rules):
    graph = lattice(9, 9, np.random.default_rng(seed).integers(0, 90, 81))
    net = net_from(graph)
    rules = rules._replace(keep_count=keep_count)
    labels = np.empty(graph.size, np.int32)
    luck = seed_luck(seed)
    count = trees.recut(net, graph.size, 8, rules, labels, luck)
    before = state(net, labels, rules)
    centres = kernels.pick(luck, graph.size, 40)
    care = mending.Care(2, 5, 4, 0.7, 2, 150, 1.6, accept, False)
    pool = pooling.open_pool(net, 2000, 50_000)
    mending.mend(net, labels, count, centres, care, rules, Heat(50.0, 2.0, 4.0), luck, pool)
    assert state(net, labels, rules)[0] <= before[0]
    assert pieces_of(graph.size, graph.u, graph.v, labels).max() + 1 == np.unique(labels).size
    assert np.unique(labels).size == count or not keep_count
    if accept == 0.0:
        assert state(net, labels, rules) <= before
    assert pool.kept[0] > 0
    assert_sound_pool(net, pool, rules)


def test_a_window_is_connected_regions_around_its_first():
    graph = lattice(9, 9, 60)
    net = net_from(graph)
    labels = np.empty(graph.size, np.int32)
    luck = seed_luck(5)
    count = trees.recut(net, graph.size, 12, EASY, labels, luck)
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


@quick
@given(planar_graphs(most=25, households=st.integers(0, 300)), st.integers(0, 99), st.data())
def test_a_window_cut_afresh_keeps_its_other_regions(graph, seed, data):
    net = net_from(graph)
    luck = seed_luck(seed)
    old = np.empty(graph.size, np.int32)
    found = trees.recut(net, graph.size, 5, EASY, old, luck)
    regions, units = np.empty(6, np.int32), np.empty(graph.size, np.int32)
    mending.gather(net, old, mending.open_book(net, old, found), 0, found, np.zeros(found, bool),
                   regions, units, luck)
    labels, old = old, np.empty(graph.size, np.int32)
    mending.hold_labels(labels, regions, units, old)
    net = subnet(net, units, np.full(graph.size, -1, np.int32))
    k = found + data.draw(st.sampled_from([-1, 0, 1]))
    care = mending.Care(2, 5, 3, 1.0, 3, 150, 1.6, 0.0, False)
    before = state(net, old)
    new = old.copy()
    count = mending.redraw(net, old, found, k, *before, care, EASY, new, luck)
    if count == 0:
        return
    assert count <= k
    after = state(net, new)
    assert after[0] <= before[0] + 150
    assert after[1] <= 1.6 * before[1]
    kept = {frozenset(np.flatnonzero(old == r).tolist()) for r in range(3, found)}
    assert kept <= {frozenset(np.flatnonzero(new == r).tolist()) for r in range(count)}
    assert pieces_of(graph.size, net.u, net.v, new).max() + 1 == count


# ---- pools


def regions_of(pool):
    return [frozenset(pool.units[pool.start[i]:pool.start[i + 1]].tolist())
            for i in range(int(pool.kept[0]))]


def assert_sound_pool(net, pool, rules):
    """Every region is kept once, is connected and in range, and costs what it should."""
    drawn, regions = picture(net), regions_of(pool)
    assert len(set(regions)) == len(regions)
    for region, cost in zip(regions, pool.cost.tolist(), strict=False):
        people = int(net.people[list(region)].sum())
        assert 300 <= people <= 500
        assert nx.is_connected(drawn.subgraph(region))
        paid = int(rules.toll[min(people, 599)]) if rules.toll.size else 0
        assert cost == nx.cut_size(drawn, region, weight="weight") + 2 * paid


@quick
@given(planar_graphs(most=20, households=st.integers(0, 300)), st.integers(0, 99),
       st.sampled_from([EASY, TOLLED]), st.integers(1, 8))
def test_regions_in_range_are_remembered_once_while_there_is_room(graph, seed, rules, room):
    net = net_from(graph)
    luck = seed_luck(seed)
    pool, narrow = pooling.open_pool(net, 200, 4000), pooling.open_pool(net, room, 4000)
    units = np.arange(graph.size, dtype=np.int32)
    seen = set()
    for _ in range(6):
        labels = np.empty(graph.size, np.int32)
        count = trees.recut(net, graph.size, 4, EASY, labels, luck)
        for kept in (pool, narrow):
            pooling.remember(kept, net, units, labels, count, rules)
        regions = [np.flatnonzero(labels == r) for r in range(count)]
        seen |= {frozenset(x.tolist()) for x in regions if 300 <= net.people[x].sum() <= 500}
    assert set(regions_of(pool)) == seen
    assert_sound_pool(net, pool, rules)
    assert int(narrow.kept[0]) == min(room, len(seen))


@quick
@given(planar_graphs(most=12, households=st.integers(50, 300)), st.integers(0, 99),
       st.sampled_from([None, 3]))
def test_the_cover_chosen_is_the_cheapest_of_the_pool(graph, seed, count):
    net = net_from(graph)
    luck = seed_luck(seed)
    pool = pooling.open_pool(net, 200, 4000)
    labels = np.empty(graph.size, np.int32)
    for k in (1, 2, 3, 4) * 5:
        found = trees.recut(net, graph.size, k, TOLLED, labels, luck)
        pooling.remember(pool, net, np.arange(graph.size, dtype=np.int32), labels, found, TOLLED)
    regions = regions_of(pool)

    def covers(left, taken, cost):
        if not left:
            yield from [cost] * (count in (None, taken))
        for region, price in zip(regions, pool.cost.tolist(), strict=False):
            if left and min(left) in region and region <= left:
                yield from covers(left - region, taken + 1, cost + price)

    least = min(covers(frozenset(range(graph.size)), 0, 0), default=None)
    cover = pooling.choose_cover(pool, float("inf"), count)
    assert (cover is None) == (least is None)
    if cover is not None:
        assert 2 * state(net, cover, TOLLED)[1] == least
        assert state(net, cover)[0] == 0


# ---- a fixed number of regions


@quick
@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 12)), min_size=1, max_size=4),
       st.integers(1, 20))
def test_shares_fit_every_group_and_add_up(groups, count):
    people, units = [list(x) for x in zip(*groups, strict=True)]
    ways = [range(max(1, -(-p // 500)), min(p // 300, n) + 1) for p, n in groups]
    able = all(ways) and sum(map(min, ways)) <= count <= sum(map(max, ways))
    shares = counting.share_count(people, units, 300, 500, count)
    assert (shares is not None) == able
    if shares is not None:
        assert sum(shares) == count
        assert all(k in way for k, way in zip(shares, ways, strict=True))


@quick
@given(planar_graphs(most=25, households=st.integers(0, 300)), st.integers(1, 8),
       st.integers(1, 8), st.integers(0, 99))
def test_the_number_of_regions_is_settled(graph, k, count, seed):
    net = net_from(graph)
    labels = np.empty(graph.size, np.int32)
    trees.recut(net, graph.size, k, EASY, labels, seed_luck(seed))
    count = min(count, graph.size)
    settled = counting.settle_count(net, labels, count, EASY)
    assert np.unique(settled).tolist() == list(range(count))
    assert pieces_of(graph.size, net.u, net.v, settled).max() + 1 == count


@quick
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1))
def test_groups_are_joined_where_a_region_lies_in_both_and_nowhere_else(units):
    groups, labels = (np.array(x, np.int32) for x in zip(*units, strict=True))
    shared = nx.Graph([(("group", g), ("region", r)) for g, r in units])
    joined = counting.join_groups(number_regions(groups), number_regions(labels))
    expected = {frozenset(i for i, (g, _) in enumerate(units) if ("group", g) in piece)
                for piece in nx.connected_components(shared)}
    assert {frozenset(np.flatnonzero(joined == j).tolist()) for j in joined.tolist()} == expected


@quick
@given(st.lists(st.integers(0, 9), min_size=1))
def test_small_labels_are_numbered_like_large_ones(labels):
    small, large = np.array(labels, np.int32), np.array(labels, np.int64) << 40
    assert number_regions(small).tolist() == number_regions(large).tolist()


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
