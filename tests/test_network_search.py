"""Distances on the street network: against plain twins, networkx and a second way to build it."""

from __future__ import annotations

import heapq
import math

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from streets import (
    CRS,
    PlainGround,
    PlainNetwork,
    draw_roads,
    plain_access,
    plain_distances,
)

from gridplan.network import (
    Access,
    build_network,
    distances,
    find_access,
    find_building_access,
    kernels,
    kth_nearest,
    nearest,
    pick_access,
    reach,
    search,
    to_networkx,
    trace_paths,
)
from gridplan.network.model import StreetNetwork
from gridplan.network.search import find_ends
from gridplan.params import NetworkParams
from gridplan.town import build_town

INF = math.inf


# ---- plain twins ---------------------------------------------------------------------------

def plain_search(arcs, seeds, limit):
    """Return {node: (distance, label)} by the book."""
    held, heap = {}, [(d, label, x) for x, d, label in seeds if d <= limit]
    heapq.heapify(heap)
    while heap:
        d, label, x = heapq.heappop(heap)
        if x in held:
            continue
        held[x] = (d, label)
        for arc in range(arcs.start[x], arcs.start[x + 1]):
            if d + arcs.cost[arc] <= limit:
                heapq.heappush(heap, (d + arcs.cost[arc], label, int(arcs.other[arc])))
    return held


def ends_of(network, access, o, outward):
    """Return [(node, metres)] for one option."""
    e, share = access.edge[o], access.at_m[o] / network.length_m[access.edge[o]]
    there, back = network.cost_m[e]
    u, v = network.ends[e].tolist()
    to_u, to_v = (back, there) if outward else (there, back)
    return [(u, access.leg_m[o] + (to_u * share if share > 0 else 0.0)),
            (v, access.leg_m[o] + (to_v * (1 - share) if share < 1 else 0.0))]


def plain_pair(network, held, origins, o, targets, t, toward):
    """Metres between two options, where ``held`` is the search from the target's."""
    best = min(d + held.get(x, (INF,))[0] for x, d in ends_of(network, origins, o, toward))
    if origins.edge[o] == targets.edge[t]:
        e = origins.edge[o]
        ahead = (targets.at_m[t] - origins.at_m[o]) * (1 if toward else -1)
        cost = network.cost_m[e, 0 if ahead >= 0 else 1]
        along = cost * abs(ahead) / network.length_m[e] if ahead else 0.0
        best = min(best, origins.leg_m[o] + along + targets.leg_m[t])
    return best


def plain_table(network, origins, targets, toward, limit=INF):
    """Return metres between all options: (origin options, target options)."""
    arcs = network.arriving if toward else network.leaving
    out = np.full((len(origins.edge), len(targets.edge)), INF)
    for t in range(len(targets.edge)):
        seeds = [(x, d, 0) for x, d in ends_of(network, targets, t, not toward)]
        held = plain_search(arcs, seeds, INF)
        for o in range(len(origins.edge)):
            out[o, t] = plain_pair(network, held, origins, o, targets, t, toward)
    out[out > limit] = INF
    return out


def fold(table, access, axis, worst):
    """Take the best option of each point, or the worst of those that are uncertain."""
    parts = []
    for i in range(len(access)):
        held = np.take(table, range(access.start[i], access.start[i + 1]), axis)
        take = np.max if worst and access.uncertain[i] else np.min
        parts.append(take(held, axis=axis, initial=0.0 if take is np.max else INF)
                     if held.shape[axis] else np.full(np.delete(table.shape, axis), INF))
    return np.stack(parts, axis)


# ---- random little towns -------------------------------------------------------------------

@st.composite
def networks(draw, most=12):
    """Nodes on a lattice, edges between any, some one-way, some parallel, some loops."""
    n = draw(st.integers(2, most))
    xy = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=n, max_size=n))
    ends = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1,
                         max_size=3 * n))
    m = len(ends)
    metres = draw(st.lists(st.integers(1, 60), min_size=m, max_size=m))
    barred = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=m, max_size=m))
    factor = draw(st.lists(st.sampled_from([1.0, 0.83, 1.7]), min_size=m, max_size=m))
    length = np.array(metres, dtype=float)
    cost = np.stack([length, length * np.array(factor)], axis=1)
    cost[np.array(barred) == 1, 0] = cost[np.array(barred) == 2, 1] = INF
    none = np.empty(m, dtype=object)
    return StreetNetwork(mode="car", crs=None, xy=np.array(xy, float), ends=np.array(ends),
                         length_m=length, cost_m=cost, road=none, geometry=none,
                         component=np.zeros(n, np.int64), usable=np.ones(m, bool))


@st.composite
def places(draw, network, most=5):
    """Points with none to three options, some uncertain."""
    count = draw(st.lists(st.sampled_from([0, 1, 1, 1, 2, 3]), min_size=1, max_size=most))
    total = sum(count)
    edge = draw(st.lists(st.integers(0, network.edges - 1), min_size=total, max_size=total))
    share = draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=total, max_size=total))
    leg = draw(st.lists(st.integers(0, 9), min_size=total, max_size=total))
    unsure = draw(st.lists(st.booleans(), min_size=len(count), max_size=len(count)))
    edge = np.array(edge, dtype=np.int64)
    return Access(np.cumsum([0, *count]), edge, network.length_m[edge] * np.array(share),
                  np.array(leg, dtype=float), np.array(unsure) & (np.array(count) > 1))


@st.composite
def questions(draw):
    network = draw(networks())
    origins, targets = draw(places(network)), draw(places(network))
    group = draw(st.lists(st.integers(0, 1), min_size=len(targets), max_size=len(targets)))
    return (network, origins, targets, np.array(group), draw(st.booleans()),
            draw(st.sampled_from([0.0, 20.0, 50.0, INF])))


@given(questions(), st.sampled_from(["near", "far"]))
def test_nearest_is_the_plain_nearest(question, reading):
    network, origins, targets, group, toward, limit = question
    table = plain_table(network, origins, targets, toward)
    # Who is certain of her doors knows which of the target's options is real.
    by_option = fold(table, targets, 1, reading == "far") if not origins.uncertain.any() else None
    found = nearest(network, origins, targets, group, 2, limit_m=limit, toward=toward,
                    reading=reading)
    first = fold(table, origins, 0, reading == "far")
    whole = fold(first, targets, 1, reading == "far")
    if by_option is not None and reading == "near":
        assert np.array_equal(fold(by_option, origins, 0, False), whole)
    whole[whole > limit] = INF
    for g in range(2):
        mine = np.where(group == g, whole, INF)
        assert found.distance_m[g] == pytest.approx(mine.min(axis=1), rel=1e-12)
        for i, t in enumerate(found.target[g]):
            assert (t < 0) == np.isinf(mine[i].min())
            assert t < 0 or mine[i, t] == pytest.approx(mine[i].min(), rel=1e-12)
            assert t < 0 or t == np.flatnonzero(mine[i] <= mine[i].min() * (1 + 1e-12))[0]


@given(questions())
def test_pairs_are_the_plain_pairs(question):
    network, origins, targets, _, toward, limit = question
    whole = fold(fold(plain_table(network, origins, targets, toward), origins, 0, False),
                 targets, 1, False)
    whole[whole > limit] = INF
    found = distances(network, origins, targets, limit_m=limit, toward=toward)
    mine = np.full(whole.shape, INF)
    mine[found.origin, found.target] = found.distance_m
    assert mine == pytest.approx(whole, rel=1e-12)
    assert len(found.origin) == np.isfinite(whole).sum()
    assert sorted(zip(found.origin, found.target, strict=True)) == list(
        zip(found.origin, found.target, strict=True))


@given(questions(), st.integers(1, 3))
def test_the_kth_nearest_are_the_sorted_pairs(question, k):
    network, origins, targets, group, toward, limit = question
    whole = fold(fold(plain_table(network, origins, targets, toward), origins, 0, False),
                 targets, 1, False)
    whole[whole > limit] = INF
    found = kth_nearest(network, origins, targets, group, 2, k, limit_m=limit, toward=toward)
    for g in range(2):
        mine = np.sort(np.where(group == g, whole, INF), axis=1)
        mine = np.hstack([mine, np.full((len(origins), k), INF)])[:, :k]
        assert found[g] == pytest.approx(mine, rel=1e-12)


@given(networks(), st.data())
def test_the_search_is_the_plain_search_whatever_its_buckets(network, data):
    arcs = network.arriving
    seeds = data.draw(st.lists(st.tuples(
        st.integers(0, network.nodes - 1), st.sampled_from([0.0, 0.5, 7.0, 200.0]),
        st.integers(0, 3)), min_size=1, max_size=6))
    limit = data.draw(st.sampled_from([0.0, 5.0, 60.0, INF]))
    width = data.draw(st.sampled_from([0.1, 1.0, 33.0, 1e6]))
    held = plain_search(arcs, seeds, limit)
    seeds.sort(key=lambda s: s[1])
    node, metres, label = zip(*seeds, strict=True)
    dist, names = np.full(network.nodes, INF), np.full(network.nodes, -1, np.int32)
    longest = min(limit, arcs.cost.max(initial=0.0))
    ring = 1 << math.ceil(math.log2(longest / width + 2))
    kernels.search_from_all(arcs.start, arcs.other, arcs.cost, np.array(node, np.int32),
                            np.array(metres), np.array(label, np.int32), width, ring, limit,
                            dist, names)
    assert {x: (d, int(names[x])) for x, d in enumerate(dist.tolist()) if d < INF} == held
    assert (names[np.isinf(dist)] == -1).all()


@given(networks())
def test_arcs_are_the_edges_that_are_allowed(network):
    wanted = sorted((a, b, network.cost_m[e, j], e)
                    for e, (u, v) in enumerate(network.ends.tolist())
                    for j, (a, b) in enumerate(((u, v), (v, u)))
                    if np.isfinite(network.cost_m[e, j]))
    leaving = network.leaving
    assert wanted == sorted(
        (x, int(leaving.other[k]), leaving.cost[k], int(leaving.edge[k]))
        for x in range(network.nodes) for k in range(leaving.start[x], leaving.start[x + 1]))
    arriving = network.arriving
    assert sorted((b, a, c) for a, b, c, _ in wanted) == sorted(
        (x, int(arriving.other[k]), arriving.cost[k])
        for x in range(network.nodes) for k in range(arriving.start[x], arriving.start[x + 1]))


@given(st.lists(st.floats(0, 9), min_size=1, max_size=40))
def test_the_heap_gives_back_in_order(values):
    key, node = np.empty(len(values)), np.empty(len(values), np.int32)
    for k, value in enumerate(values):
        kernels.push(key, node, k, value, k)
    out = []
    for size in range(len(values), 0, -1):
        out.append((key[0], values[node[0]]))
        kernels.drop_first(key, node, size)
    assert out == [(v, v) for v in sorted(values)]


@given(questions())
def test_the_tree_leads_to_the_nearest_goal(question):
    network, origins, targets, _, _, _ = question
    arcs = network.leaving
    out, back = (find_ends(network, a, outward=w) for a, w in ((origins, True), (targets, False)))
    dist, via = np.full(network.nodes, INF), np.full(network.nodes, -1, np.int64)
    seed, goal = out.node.reshape(-1), back.node.reshape(-1)
    found = kernels.grow_tree(arcs.start, arcs.other, arcs.cost, seed, out.cost_m.reshape(-1),
                              goal, back.cost_m.reshape(-1), dist, via)
    held = plain_search(arcs, [(x, d, 0) for x, d in zip(
        seed.tolist(), out.cost_m.reshape(-1).tolist(), strict=True) if d < INF], INF)
    ways = [held.get(int(x), (INF,))[0] + d
            for x, d in zip(goal, back.cost_m.reshape(-1), strict=True)]
    best = min(ways, default=INF)
    assert (found < 0) == (best == INF)
    if found >= 0:
        assert ways[found] == best
        x, walked = int(goal[found]), 0.0
        while via[x] >= 0:
            arc = int(via[x])
            walked += arcs.cost[arc]
            x = int(np.searchsorted(arcs.start, arc, side="right")) - 1
        start = out.cost_m.reshape(-1)[-2 - via[x]]
        assert seed[-2 - via[x]] == x
        assert walked + start + back.cost_m.reshape(-1)[found] == pytest.approx(best)


@given(questions())
def test_networkx_finds_the_same(question):
    network, origins, targets, group, _, _ = question
    graph = nx.DiGraph()
    graph.add_nodes_from(range(network.nodes))
    for u, v, data in to_networkx(network).edges(data=True):
        if not graph.has_edge(u, v) or data["cost"] < graph[u][v]["weight"]:
            graph.add_edge(u, v, weight=data["cost"])
    # Loops lead nowhere, except for who stands on one; those ways are along edges.
    found = nearest(network, origins, targets, group, 2)
    for i in range(len(origins)):
        for g in range(2):
            best = INF
            for o in range(origins.start[i], origins.start[i + 1]):
                for x, leg in ends_of(network, origins, o, True):
                    reached = nx.single_source_dijkstra_path_length(graph, x)
                    for t in np.flatnonzero(group == g):
                        for p in range(targets.start[t], targets.start[t + 1]):
                            best = min([best, *(leg + reached.get(y, INF) + d for y, d in
                                                ends_of(network, targets, p, False))])
                            if origins.edge[o] == targets.edge[p]:
                                best = min(best, plain_pair(network, {}, origins, o, targets, p,
                                                            True))
            assert found.distance_m[g, i] == pytest.approx(best, rel=1e-12)


# ---- what distances keep to ----------------------------------------------------------------

@given(questions())
def test_a_limit_only_removes(question):
    network, origins, targets, group, toward, limit = question
    whole = nearest(network, origins, targets, group, 2, toward=toward)
    held = nearest(network, origins, targets, group, 2, toward=toward, limit_m=limit)
    within = whole.distance_m <= limit
    assert (held.distance_m[within] == whole.distance_m[within]).all()
    assert (held.target[within] == whole.target[within]).all()
    assert np.isinf(held.distance_m[~within]).all()
    assert (held.target[~within] == -1).all()


@given(questions())
def test_the_far_reading_is_never_nearer(question):
    network, origins, targets, group, toward, limit = question
    near, far = (nearest(network, origins, targets, group, 2, toward=toward, limit_m=limit,
                         reading=reading).distance_m for reading in ("near", "far"))
    assert (near <= far * (1 + 1e-12)).all()


@given(questions())
def test_back_is_the_way_with_all_directions_turned(question):
    network, origins, targets, group, _, _ = question
    turned = StreetNetwork(**{**{k: v for k, v in vars(network).items()
                                 if k not in ("leaving", "arriving")},
                              "cost_m": network.cost_m[:, ::-1].copy()})
    back = nearest(network, origins, targets, group, 2, toward=False)
    ahead = nearest(turned, origins, targets, group, 2, toward=True)
    assert back.distance_m == pytest.approx(ahead.distance_m, rel=1e-12)


@given(networks(), st.data())
def test_no_detour_is_shorter(network, data):
    at = data.draw(places(network, most=4))
    at = Access(np.arange(len(at.edge) + 1), at.edge, at.at_m, np.zeros(len(at.edge)),
                np.zeros(len(at.edge), bool))
    d = np.full((len(at), len(at)), INF)
    found = distances(network, at, at)
    d[found.origin, found.target] = found.distance_m
    assert (d[:, None, :] <= (d[:, :, None] + d[None, :, :]) * (1 + 1e-12)).all()
    assert (np.diag(d) == 0).all()


@st.composite
def drawings(draw):
    """Roads drawn on a lattice: ends and bends on whole metres, some not quite meeting."""
    count = draw(st.integers(1, 7))
    roads = {}
    for k in range(count):
        points = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2,
                               max_size=4))
        off = draw(st.sampled_from([0.0, 0.0, 0.03]))
        roads[f"r{k}"] = [(10 * x + off, 10 * y) for x, y in points]
    names = list(roads)
    columns = {"one_way": {r: draw(st.sampled_from(["", "", "forward", "backward"]))
                           for r in names},
               "level": {r: draw(st.sampled_from([0, 0, 0, 1])) for r in names}}
    return draw_roads(roads, **columns)


def spread_of(roads, mode="bike"):
    network = build_network(roads, mode, params=NetworkParams(island_m=0.0))
    at = find_access(network, shapely.points([[x, y] for x in (0, 15, 40) for y in (2, 30, 61)]))
    found = distances(network, at, at)
    table = np.full((9, 9), INF)
    table[found.origin, found.target] = found.distance_m
    return table


def has_length(roads):
    return (shapely.length(roads.geometry.to_numpy()) > 0.01).any()


@given(drawings().filter(has_length), st.randoms(use_true_random=False))
def test_the_order_of_the_roads_does_not_matter(roads, chance):
    order = list(range(len(roads)))
    chance.shuffle(order)
    assert np.array_equal(spread_of(roads), spread_of(roads.iloc[order]))


@given(drawings().filter(has_length), st.sampled_from(["foot", "car"]))
def test_drawings_become_the_plain_network(roads, mode):
    params = NetworkParams(island_m=30.0, car_kmh={"unknown": 8.3 * 3.6})
    network = build_network(roads, mode, params=params)
    plain = PlainNetwork(roads, mode, island_m=30.0)
    mine = sorted((r, round(g.length, 6), u, a, b) for r, g, u, (a, b) in zip(
        network.road, network.geometry, network.usable, network.cost_m.tolist(), strict=True))
    theirs = sorted((e[0], round(e[3].length, 6), u, plain.cost(k, 0, 1), plain.cost(k, 1, 0))
                    for k, (e, u) in enumerate(zip(plain.edges, plain.usable, strict=True)))
    assert [(*m[:2], m[2]) for m in mine] == [(*t[:2], t[2]) for t in theirs]
    assert [m[3:] for m in mine] == [pytest.approx(t[3:]) for t in theirs]
    assert network.nodes == len({n for e in plain.edges for n in e[1:3]})


@given(questions())
def test_reach_holds_the_places_within_the_limit(question):
    network, _, source, _, toward, limit = question
    limit = min(limit, 90.0)
    rows = np.arange(len(source))
    found = reach(network, source, rows, limit_m=limit, toward=toward)
    shares = (0.02, 0.31, 0.5, 0.77)
    edge = np.repeat(np.arange(network.edges), len(shares))
    at_m = network.length_m[edge] * np.tile(shares, network.edges)
    spots = Access(np.arange(len(edge) + 1), edge, at_m, np.zeros(len(edge)),
                   np.zeros(len(edge), bool))
    metres = nearest(network, spots, source, np.zeros(len(source), np.int64), 1,
                     toward=toward).distance_m[0]
    inside = np.zeros(len(edge), dtype=bool)
    for e, a, b in zip(found.edge, found.start_m, found.end_m, strict=True):
        assert 0 <= a < b <= network.length_m[e] * (1 + 1e-12)
        inside |= (edge == e) & (at_m >= a - 1e-9) & (at_m <= b + 1e-9)
    clear = np.abs(metres - limit) > 1e-6
    assert (inside[clear] == (metres < limit)[clear]).all()


# ---- the town, by a second way -------------------------------------------------------------

@pytest.fixture(scope="module")
def town():
    return build_town(12).study


def fields_of(study):
    return {"barriers": study.barriers, "estates": study.estates, "gates": study.gates}


@pytest.mark.parametrize(("mode", "count"), [("foot", 5000), ("car", 1000)])
def test_the_town_s_distances_are_those_of_networkx(town, mode, count):
    params = NetworkParams(car_kmh={"unknown": 8.3 * 3.6})
    network = build_network(town.roads, mode, **fields_of(town), params=params)
    plain = PlainNetwork(town.roads, mode, estates=town.estates, gates=town.gates)
    ground = PlainGround(town.barriers, town.estates, town.gates)
    homes = town.buildings.geometry.centroid.to_numpy()
    goals = town.facilities.geometry.to_numpy()
    chance = np.random.default_rng(5)
    homes = homes[chance.choice(len(homes), 120, replace=False)]
    origins = find_access(network, homes, **fields_of(town))
    targets = find_access(network, goals, **fields_of(town))
    pairs = chance.choice(len(homes) * len(goals), count, replace=False)
    table = np.full((len(homes), len(goals)), INF)
    found = distances(network, origins, targets)
    table[found.origin, found.target] = found.distance_m
    there = [plain_access(plain, ground, g.coords[0])[0] for g in goals]
    for i in sorted(set((pairs // len(goals)).tolist())):
        options, unsure = plain_access(plain, ground, homes[i].coords[0])
        assert unsure == origins.uncertain[i]
        assert len(options) == origins.start[i + 1] - origins.start[i]
        mine = (pairs[pairs // len(goals) == i] % len(goals)).tolist()
        wanted = plain_distances(plain, options, [there[t] for t in mine])
        assert table[i, mine] == pytest.approx(np.array(wanted), rel=1e-6)


def test_paths_of_the_town_are_as_long_as_its_distances(town):
    network = build_network(town.roads, **fields_of(town))
    homes = find_building_access(network, town.buildings, town.entrances, **fields_of(town))
    goals = find_access(network, town.facilities.geometry.to_numpy(), **fields_of(town))
    chance = np.random.default_rng(7)
    i, t = chance.integers(0, len(homes), 40), chance.integers(0, len(goals), 40)
    lines = trace_paths(network, pick_access(homes, i), pick_access(goals, t))
    tree = shapely.STRtree(network.geometry)
    pairs = distances(network, pick_access(homes, i), pick_access(goals, t))
    metres = dict(zip(zip(pairs.origin, pairs.target, strict=True), pairs.distance_m,
                      strict=True))
    for k, line in enumerate(lines):
        legs = [homes.leg_m[o] + goals.leg_m[p]
                for o in range(homes.start[i[k]], homes.start[i[k] + 1])
                for p in range(goals.start[t[k]], goals.start[t[k] + 1])]
        assert min(abs(line.length + leg - metres[k, k]) for leg in legs) < 1e-6
        xy = shapely.get_coordinates(line)
        places = shapely.points(np.concatenate([xy, (xy[1:] + xy[:-1]) / 2]))
        assert tree.query_nearest(places, return_distance=True)[1].max() < 1e-6


def test_two_runs_give_the_same_bytes(town):
    def run():
        network = build_network(town.roads, **fields_of(town))
        homes = find_building_access(network, town.buildings, town.entrances, **fields_of(town))
        goals = find_access(network, town.facilities.geometry.to_numpy(), **fields_of(town))
        found = nearest(network, homes, goals, np.arange(len(goals)) % 7, 7, limit_m=1000)
        return [a.tobytes() for a in (network.xy, network.cost_m, homes.at_m, homes.edge,
                                      found.distance_m, found.target)]

    assert run() == run()


def test_threads_do_not_change_what_is_found(town, monkeypatch):
    network = build_network(town.roads, **fields_of(town))
    goals = find_access(network, town.facilities.geometry.to_numpy(), **fields_of(town))
    group = np.arange(len(goals)) % 7
    many = nearest(network, goals, goals, group, 7), distances(network, goals, goals, limit_m=900)
    monkeypatch.setattr(search.os, "cpu_count", lambda: 1)
    one = nearest(network, goals, goals, group, 7), distances(network, goals, goals, limit_m=900)
    for a, b in zip(many, one, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(),
                                                        strict=True))


def test_a_network_without_arcs_is_searched_too():
    roads = gpd.GeoDataFrame({"road_id": ["a"]}, crs=CRS,
                             geometry=[shapely.LineString([(0, 0), (100, 0)])])
    network = build_network(roads)
    network = StreetNetwork(**{**{k: v for k, v in vars(network).items()
                                  if k not in ("leaving", "arriving")},
                               "cost_m": np.full((1, 2), INF)})
    at = find_access(network, shapely.points([[0, 0], [50, 0], [0, 30]]))
    found = nearest(network, at, at, np.zeros(3, np.int64), 1)
    assert found.distance_m.tolist() == [[0, 0, 30]]
    assert found.target.tolist() == [[0, 1, 0]]
