"""The scorecard: what each score says, what moving a border costs, and that nobody can forge it."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from studies import houses_in_rows, make_study

from gridplan.check import CheckReport, check_plan, moves
from gridplan.errors import Findings
from gridplan.layers import conform_input
from gridplan.params import Params
from gridplan.partition import costs, describing, scores
from gridplan.partition.costs import Web, find_cut_units, find_moves
from gridplan.partition.graph import Contacts
from gridplan.pipeline import plan_city
from gridplan.plan import Plan, write_plan
from gridplan.town import build_town

FACTORS = (10.0, 3.0, 2.0, 1.0, 0.5)
SCORES = ["score_balance", "score_shape", "score_border", "score_straddling"]
TERMS = ["weighted_border", "shape_m", "balance_households", "straddling"]
# Four quarters of 200 m, sixteen houses each.
HOUSES = [h for j in range(4) for i in range(4)
          for h in houses_in_rows(20 + 100 * i, 20 + 100 * j, 2, 2)]


def plan_of(households: list[int], roads: list[tuple[str, list[tuple[float, float]]]],
            **more: object) -> Plan:
    study, count = make_study(list(HOUSES), households, roads, **more)  # type: ignore[arg-type]
    study.buildings["households"] = pd.array(count, dtype="Int64")
    return plan_city(study, Params(), Findings())


def cross(road_class: str) -> list[tuple[str, list[tuple[float, float]]]]:
    return [(road_class, [(200, -20), (200, 420)]), (road_class, [(-20, 200), (420, 200)])]


def told(plan: Plan, layer: str = "grids") -> pd.DataFrame:
    return pd.DataFrame(plan.layers[layer])[SCORES].astype("Float64")


def figure(plan: Plan, name: str, scope_id: str = "all") -> float:
    table = plan.layers["figures"].set_index(["name", "scope_id"])["value"]
    return float(table[name, scope_id])


# ---- what each score says ------------------------------------------------------------------

def test_square_grids_in_the_middle_of_the_range_on_main_roads_score_100() -> None:
    """Four quarters of 400 households each, between primary roads and the community border."""
    plan = plan_of([25] * 64, cross("primary"))
    assert len(plan.layers["grids"]) == 4
    assert (told(plan) == 100).all(axis=None)
    assert (told(plan, "communities") == 100).all(axis=None)
    for name in SCORES:
        assert figure(plan, name) == figure(plan, name, "c0") == 100
    # Two roads of 400 m between the quarters, half a weighted metre each.
    assert figure(plan, "weighted_border") == pytest.approx(400)
    assert figure(plan, "shape_m") == pytest.approx(800)
    assert figure(plan, "balance_households") == figure(plan, "straddling") == 0


@pytest.mark.parametrize(("road_class", "points"), [
    ("primary", 100), ("trunk_link", 100), ("secondary", 94.74), ("tertiary", 84.21),
    ("unknown", 84.21), ("residential", 73.68)])
def test_the_border_score_falls_with_the_class_of_what_it_follows(
        road_class: str, points: float) -> None:
    plan = plan_of([25] * 64, [*cross(road_class), ("primary", [(-50, -50), (-50, -40)])])
    assert told(plan)["score_border"].tolist() == [points] * 4


def test_a_border_off_every_line_scores_0() -> None:
    length = np.array([30.0])
    assert scores.score_border(length, length * FACTORS[0], FACTORS).tolist() == [0.0]


def test_a_grid_without_a_neighbour_in_its_community_has_no_border_score() -> None:
    plan = plan_of([6] * 64, cross("primary"))
    assert len(plan.layers["grids"]) == 1
    assert told(plan)["score_border"].isna().all()
    assert told(plan, "communities")["score_border"].isna().all()
    figures = plan.layers["figures"]
    mean = figures[(figures["name"] == "score_border") & (figures["scope"] == "city")]
    assert mean["value"].isna().tolist() == [True]


def test_a_grid_across_a_main_road_scores_by_how_many_live_beyond_it() -> None:
    """West of a secondary road 256 households, east of it 128: too few to stand alone."""
    west = [h.centroid.x < 200 for h in HOUSES]
    plan = plan_of([8 if w else 4 for w in west], cross("secondary")[:1])
    assert plan.layers["grids"]["households"].tolist() == [384]
    assert told(plan)["score_straddling"].tolist() == [pytest.approx(100 * (1 - 2 / 3), abs=0.01)]
    assert figure(plan, "straddling") == 1


def test_few_households_beyond_a_road_do_not_make_a_grid_straddle_but_cost_points() -> None:
    grid, piece = np.zeros(3, np.int64), np.array([0, 1, 1])
    held = np.array([364, 18, 18])
    assert scores.count_straddling(grid, piece, held, 1) == 0
    assert scores.score_straddling(grid, piece, held, 1).tolist() == [pytest.approx(82)]
    assert scores.count_straddling(grid, piece, np.array([360, 20, 20]), 1) == 1


def test_straddling_is_not_measured_where_no_class_of_road_is_known() -> None:
    findings = Findings()
    study, count = make_study(list(HOUSES), [25] * 64, cross("unknown"))
    study.buildings["households"] = pd.array(count, dtype="Int64")
    plan = plan_city(study, Params(), findings)
    assert told(plan)["score_straddling"].isna().all()
    assert told(plan)["score_border"].notna().all()
    table = plan.layers["figures"].set_index(["name", "scope_id"])["value"]
    assert table[["straddling"]].isna().all()
    assert "partition.straddling_unmeasured" in {f.key for f in findings.of("warning")}


def test_special_and_empty_grids_have_no_balance() -> None:
    special = [shapely.box(0, 0, 200, 200)]
    plan = plan_of([25] * 64, cross("primary"), specials=special)
    grids = plan.layers["grids"]
    assert (told(plan)["score_balance"].isna() == (grids["kind"] == "special")).all()
    assert told(plan)[["score_shape", "score_border"]].notna().all(axis=None)


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 400), st.integers(0, 300)),
                min_size=1, max_size=20))
def test_balance_lies_in_0_to_100_and_falls_with_the_distance_from_the_middle(
        rows: list[tuple[int, int, int]]) -> None:
    held, low, wide = np.array(rows).T
    found = scores.score_balance(held, low, low + wide)
    assert ((found >= 0) & (found <= 100)).all()
    inside = (low <= held) & (held <= low + wide)
    assert (found[inside] >= 50).all()
    assert (found[~inside] < 50).all()
    off = np.abs(held - low - wide / 2)
    further = scores.score_balance(np.rint(low + wide / 2 + off + 1).astype(int), low, low + wide)
    assert (further <= found + 1e-9).all()


@given(st.floats(0.001, 1e7), st.floats(0.001, 1e5))
def test_shape_lies_in_0_to_100_and_only_a_square_or_rounder_is_perfect(
        area: float, ratio: float) -> None:
    perimeter = 4 * np.sqrt(area) * (1 + ratio)
    found = scores.score_shape(np.array([area, area, area]), np.array(
        [perimeter, 4 * np.sqrt(area), 2 * np.sqrt(np.pi * area)]))
    assert 0 <= found[0] <= 100 * (1 + 1e-9) / (1 + ratio) ** 2
    assert found[1:] == pytest.approx([100, 100])


@given(st.lists(st.tuples(st.floats(0, 500), st.integers(0, 4)), min_size=1, max_size=12),
       st.permutations(FACTORS))
def test_border_scores_lie_in_0_to_100_and_rise_as_the_weight_falls(
        rows: list[tuple[float, int]], factors: list[float]) -> None:
    length = np.array([m for m, _ in rows])
    weight = length * np.array([factors[c] for _, c in rows])
    found = scores.score_border(length, weight, factors)
    assert (np.isnan(found) == (length == 0)).all()
    held = found[length > 0]
    assert ((held >= 0) & (held <= 100)).all()
    mean = (weight / np.where(length > 0, length, 1))[length > 0]
    order = np.argsort(mean)
    assert (np.diff(held[order]) <= 1e-9).all()


def test_equal_factors_leave_the_border_unscored() -> None:
    assert np.isnan(scores.score_border(np.ones(1), np.ones(1), (2.0,) * 5)).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90)), min_size=1, max_size=15))
def test_straddling_lies_in_0_to_100(units: list[tuple[int, int]]) -> None:
    piece, held = (np.array(v) for v in zip(*units, strict=True))
    found = scores.score_straddling(np.zeros(len(piece), np.int64), piece, held, 1)
    by_piece = np.bincount(piece, held)
    if held.sum() == 0:
        assert np.isnan(found).all()
        return
    assert 0 <= found[0] <= 100
    assert (found[0] == 100) == ((by_piece > 0).sum() == 1)
    assert (found[0] == 0) == (2 * by_piece.max() <= held.sum())


def test_major_contacts_alone_part_a_grid() -> None:
    ends = np.array([0, 1, 2]), np.array([1, 2, 3])
    ones = np.ones(3)
    contacts = Contacts(*ends, ones, ones, np.array([True, False, False]))
    piece = scores.find_pieces(np.array([0, 0, 0, 1]), contacts)
    assert piece.tolist() == [0, 1, 1, 2]


# ---- what moving a border costs ------------------------------------------------------------

@st.composite
def webs(draw: Callable) -> Web:
    """Draw a piece of a lattice in a few connected grids, with uneven borders."""
    side = draw(st.integers(2, 5))
    net = nx.grid_2d_graph(side, side)
    net.add_edges_from(((i, j), (i + 1, j + 1)) for i in range(side - 1) for j in range(side - 1))
    nodes = sorted(net)
    count = draw(st.integers(1, min(4, len(nodes))))
    seeds = draw(st.permutations(nodes))[:count]
    grid = {x: k for k, x in enumerate(seeds)}
    while len(grid) < len(nodes):
        rim = sorted((y, grid[x]) for x in grid for y in net[x] if y not in grid)
        y, k = draw(st.sampled_from(rim))
        grid[y] = k
    edges = [(nodes.index(a), nodes.index(b)) for a, b in net.edges]
    a, b = (np.array([f(e) for e in edges]) for f in (min, max))
    weight = np.array(draw(st.lists(st.integers(1, 90), min_size=len(a), max_size=len(a))), float)
    # Pieces shorter than a metre weigh too, though nobody touches across them.
    short = draw(st.integers(0, len(a) // 3))
    extra = draw(st.lists(st.tuples(st.integers(0, len(nodes) - 1), st.integers(
        0, len(nodes) - 1)), max_size=4).map(lambda e: [p for p in e if p[0] != p[1]]))
    left = np.concatenate([a, [p[0] for p in extra]]).astype(np.int64)
    right = np.concatenate([b, [p[1] for p in extra]]).astype(np.int64)
    grid_of = np.array([grid[x] for x in nodes])
    order = np.argsort(weight)
    touching = np.ones(len(a), bool)
    touching[order[:short]] = False
    net_left = nx.Graph()
    net_left.add_nodes_from(range(len(nodes)))
    net_left.add_edges_from(zip(a[touching], b[touching], strict=True))
    if any(not nx.is_connected(net_left.subgraph(np.flatnonzero(grid_of == k).tolist()))
           for k in range(count)):
        touching[:] = True
    low = draw(st.integers(0, 20))
    return Web(grid_of, np.array(draw(st.lists(st.integers(0, 9), min_size=len(nodes),
                                               max_size=len(nodes)))),
               a[touching], b[touching], left, right,
               np.concatenate([weight, np.full(len(extra), 0.5)]),
               np.full(count, low), np.full(count, low + draw(st.integers(0, 30))),
               np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count))) & (
                   draw(st.integers(0, 2)) == 0),
               easy_of(draw, int(touching.sum())),
               np.array(draw(st.lists(st.booleans(), min_size=len(nodes), max_size=len(nodes)))) & (
                   draw(st.integers(0, 2)) == 0))


def easy_of(draw: st.DrawFn, count: int) -> np.ndarray:
    """Say which contacts are easy: nearly all, so that moves are left."""
    hard = draw(st.sets(st.integers(0, max(count - 1, 0)), max_size=count // 3))
    return np.array([k not in hard for k in range(count)], dtype=bool)


def border_of(web: Web, grid_of: np.ndarray) -> float:
    return float(web.weight[grid_of[web.left] != grid_of[web.right]].sum())


def is_allowed(web: Web, grid_of: np.ndarray, pair: tuple[int, int]) -> bool:
    """Judge a whole new division: both grids there, in one piece, no farther from the range."""
    net: nx.Graph = nx.Graph()
    net.add_nodes_from(range(len(grid_of)))
    net.add_edges_from(zip(web.a.tolist(), web.b.tolist(), strict=True))
    for k in pair:
        held = np.flatnonzero(grid_of == k)
        if web.fixed[k] or not len(held) or not nx.is_connected(net.subgraph(held.tolist())):
            return False
        off = [max(web.low[k] - h, h - web.high[k], 0) for h in (
            web.households[web.grid_of == k].sum(), web.households[held].sum())]
        if off[1] > off[0]:
            return False
    return True


def touches(web: Web, unit: int, grid: int) -> bool:
    beside = np.concatenate([web.b[(web.a == unit) & web.easy], web.a[(web.b == unit) & web.easy]])
    return bool((web.grid_of[beside] == grid).any())


def pieces(web: Web, members: np.ndarray) -> int:
    """Count the pieces of some units that hang together by easy contacts."""
    net: nx.Graph = nx.Graph(list(zip(web.a[web.easy].tolist(), web.b[web.easy].tolist(),
                                      strict=True)))
    net.add_nodes_from(range(len(web.grid_of)))
    return nx.number_connected_components(net.subgraph(members.tolist()))


def leaves_well(web: Web, unit: int) -> bool:
    """Judge whether a unit may go, and leaves its grid in no more pieces than it was."""
    held = np.flatnonzero(web.grid_of == web.grid_of[unit])
    rest = held[held != unit]
    return not web.pinned[unit] and pieces(web, rest) <= pieces(web, held)


@given(webs())
def test_every_unit_that_may_go_is_found_and_moving_it_changes_the_border_by_its_cost(
        web: Web) -> None:
    found = find_moves(web)
    gifts = found[found["back"] < 0]
    expected = {}
    for unit in range(len(web.grid_of)):
        for target in range(len(web.low)):
            source = int(web.grid_of[unit])
            moved = web.grid_of.copy()
            moved[unit] = target
            if target != source and touches(web, unit, target) and leaves_well(
                    web, unit) and is_allowed(web, moved, (source, target)):
                assert pieces(web, np.flatnonzero(moved == target)) <= pieces(
                    web, np.flatnonzero(web.grid_of == target))
                expected[min(source, target), max(source, target), unit] = border_of(
                    web, moved) - border_of(web, web.grid_of)
    assert {(r.one, r.other, r.unit): r.cost for r in gifts.itertuples()} == pytest.approx(expected)


@given(webs(), st.data())
def test_two_units_are_exchanged_where_none_can_go_and_the_border_changes_by_the_cost(
        web: Web, data: st.DataObject) -> None:
    # Each grid may lose or win one household at most, and no unit has fewer than two.
    households = 2 + web.households % 2
    load = np.bincount(web.grid_of, households, minlength=len(web.low)).astype(int)
    spare = st.lists(st.integers(0, 1), min_size=len(load), max_size=len(load))
    web = replace(web, households=households, low=load - data.draw(spare),
                  high=load + data.draw(spare))
    found = find_moves(web)
    assert (found["back"] >= 0).all()
    expected = {}
    for u, v in itertools.product(range(len(web.grid_of)), repeat=2):
        one, other = (int(k) for k in web.grid_of[[u, v]])
        moved = web.grid_of.copy()
        moved[[u, v]] = other, one
        if one < other and all(
                touches(web, x, k) and can_do_without(web, x) and leaves_well(web, x)
                for x, k in ((u, other), (v, one))
        ) and comes_well(web, u, v) and is_allowed(web, moved, (one, other)):
            expected[u, v] = border_of(web, moved) - border_of(web, web.grid_of)
    assert found.set_index(["unit", "back"])["cost"].to_dict() == pytest.approx(expected)


def comes_well(web: Web, u: int, v: int) -> bool:
    """Judge whether each of two units easily touches more than the other on the far side."""
    for x, y in ((u, v), (v, u)):
        beside = np.concatenate([web.b[(web.a == x) & web.easy], web.a[(web.b == x) & web.easy]])
        if not (set(beside.tolist()) - {y}) & set(
                np.flatnonzero(web.grid_of == web.grid_of[y]).tolist()):
            return False
    return True


def can_do_without(web: Web, unit: int) -> bool:
    held = np.flatnonzero(web.grid_of == web.grid_of[unit])
    net = nx.Graph(list(zip(web.a.tolist(), web.b.tolist(), strict=True)))
    net.add_nodes_from(held.tolist())
    rest = [x for x in held.tolist() if x != unit]
    return bool(rest) and nx.is_connected(net.subgraph(rest))


def test_two_units_change_places_where_one_alone_would_leave_the_range() -> None:
    """Grids 0 0 | 1 1 of 5 households in all, both at the one end of their range."""
    ends = np.array([0, 2, 0, 1]), np.array([1, 3, 2, 3])
    web = Web(np.array([0, 0, 1, 1]), np.array([3, 2, 3, 2]), *ends, *ends,
              np.array([7.0, 7.0, 1.0, 1.0]), np.array([5, 5]), np.array([5, 5]),
              np.zeros(2, bool), np.ones(4, bool), np.zeros(4, bool))
    found = find_moves(web).set_index(["unit", "back"])["cost"]
    # Across the middle the two long borders become the outline of the grids: +14 − 2.
    assert found.to_dict() == {}
    ends = np.array([0, 2, 0, 1, 0, 1]), np.array([1, 3, 2, 3, 3, 2])
    web = replace(web, a=ends[0], b=ends[1], left=ends[0], right=ends[1],
                  easy=np.ones(6, bool), weight=np.array([7.0, 7.0, 1.0, 1.0, 1.0, 1.0]))
    found = find_moves(web).set_index(["unit", "back"])["cost"]
    assert found.to_dict() == {(0, 2): 12.0, (1, 3): 12.0}


HALVES = [shapely.box(100 * i, 200 * j, 100 * (i + 1), 200 * (j + 1))
          for i in range(4) for j in range(2)]


def plan_between(what: str) -> Plan:
    """Four grids of 400 round a crossing of small streets, and what shall not be parted."""
    walls = [("wall", shapely.LineString(line)) for _, line in cross("")]
    # Estates below the range: two to a grid.
    more = {"wall": {"barriers": walls}, "estates": {"estates": HALVES}}.get(what, {})
    # A street along a wall would cross the other wall, and so be a way through it.
    roads = [("residential", [(-20, -5), (420, -5)])] if what == "wall" else cross(
        what if what == "secondary" else "residential")
    study, count = make_study(list(HOUSES), [25] * 64, roads, **more)
    study.buildings["households"] = pd.array(count, dtype="Int64")
    if what == "must_links":
        study = replace(study, must_links=conform_input("must_links", gpd.GeoDataFrame(
            {"must_link_id": [f"m{k}" for k in range(len(HALVES))], "source": "links"},
            geometry=HALVES, crs=study.crs)))
    return plan_city(study, Params(), Findings())


@pytest.mark.parametrize(("what", "moved"), [("nothing", True), ("secondary", False),
                                             ("wall", False), ("estates", False),
                                             ("must_links", False)])
def test_no_move_parts_what_belongs_together_or_crosses_what_grids_should_not(
        tmp_path: Path, what: str, moved: bool) -> None:
    plan = plan_between(what)
    assert len(plan.layers["grids"]) == 4
    assert plan.layers["borders"]["move_cost"].notna().all() == moved
    assert plan.layers["borders"]["move_cost"].isna().all() != moved
    assert checked(plan, tmp_path / "plan.gpkg").broken == []


@pytest.mark.parametrize("what", ["secondary", "wall", "estates", "must_links"])
def test_the_verifier_names_a_cost_of_a_move_that_is_none(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(describing, "pin_units", lambda grid_of, *_: np.zeros(len(grid_of), bool))
        if what in ("secondary", "wall"):
            patch.setattr(costs, "Web", lambda *of: Web(*of[:-2], np.ones_like(of[-2]), of[-1]))
        plan = plan_between(what)
    assert plan.layers["borders"]["move_cost"].notna().any()
    assert ("scores", "cost_differs", "borders", "move_cost") in broken(
        checked(plan, tmp_path / "plan.gpkg"))


@pytest.mark.parametrize(("pairs", "cut"), [
    ([(0, 1), (1, 2)], [1]), ([(0, 1), (1, 2), (0, 2)], []), ([(0, 1), (0, 2)], [0]),
    ([(0, 1), (1, 2), (2, 3), (1, 3)], [1]), ([(0, 1), (2, 3)], []),
    ([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4)], [2])])
def test_what_a_chain_a_ring_and_a_bow_tie_cannot_do_without(
        pairs: list[tuple[int, int]], cut: list[int]) -> None:
    a, b = np.array(pairs).T
    assert np.flatnonzero(find_cut_units(5, a, b)).tolist() == cut


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)),
                                    max_size=25))
def test_cut_units_are_the_articulation_points(
        count: int, pairs: list[tuple[int, int]]) -> None:
    edges = sorted({(min(p), max(p)) for p in pairs if p[0] != p[1] and max(p) < count})
    a, b = (np.array([e[k] for e in edges], dtype=np.int64) for k in (0, 1))
    net = nx.Graph(edges)
    net.add_nodes_from(range(count))
    found = find_cut_units(count, a, b)
    assert np.flatnonzero(found).tolist() == sorted(nx.articulation_points(net))
    start = np.concatenate([[0], np.cumsum(np.bincount(np.concatenate([a, b]),
                                                       minlength=count))]).astype(np.int64)
    ends, others = np.concatenate([a, b]), np.concatenate([b, a])
    plain = costs._mark_cuts.py_func(start, others[np.argsort(ends, kind="stable")])
    assert plain.tolist() == found.tolist()


# ---- the whole plan, and the verifier ------------------------------------------------------

@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    plan = plan_city(build_town(communities=2, seed=1).study, Params(), Findings())
    path = tmp_path_factory.mktemp("town") / "plan.gpkg"
    write_plan(plan, path)
    return plan, path


def test_the_plan_of_a_town_is_scored_throughout(town: tuple[Plan, Path]) -> None:
    plan, path = town
    for layer in ("grids", "communities"):
        held = told(plan, layer)
        assert held.notna().sum().min() > 0
        assert ((held >= 0) & (held <= 100) | held.isna()).all(axis=None)
    borders = plan.layers["borders"]
    assert borders["move_cost"].notna().any()
    assert borders["move_cost"].isna().any()
    assert borders.groupby(["grid_a", "grid_b"])["move_cost"].nunique().max() == 1
    part = plan.layers["grids"].set_index("grid_id")["part"]
    fixed = (part[borders["grid_a"]].to_numpy() == 0) | (part[borders["grid_b"]].to_numpy() == 0)
    assert borders["move_cost"][fixed].isna().all()
    report = check_plan(path)
    assert report.broken == []
    assert report.counts["scores"] == 4 * len(part)
    assert report.counts["move_costs"] > 20
    for name in (*SCORES, *TERMS):
        assert report.figures[name] == pytest.approx(figure(plan, name))


def test_community_scores_are_means_by_household_and_by_metre(town: tuple[Plan, Path]) -> None:
    layers = town[0].layers
    grids, borders = layers["grids"], layers["borders"]
    metres = sum(borders.groupby(c)["length_m"].sum().reindex(grids["grid_id"]).fillna(0).to_numpy()
                 for c in ("grid_a", "grid_b"))
    for row in layers["communities"].itertuples():
        own = (grids["community_id"] == row.community_id).to_numpy()
        for name in SCORES:
            weight = metres if name == "score_border" else grids["households"].to_numpy(float)
            held = grids[name].notna().to_numpy() & own
            mean = np.average(grids[name][held].astype(float), weights=weight[held])
            assert getattr(row, name) == pytest.approx(mean, abs=0.006)
            assert figure(town[0], name, row.community_id) == pytest.approx(mean)


def test_the_objective_s_terms_are_those_of_the_layers(town: tuple[Plan, Path]) -> None:
    layers = town[0].layers
    grids, borders = layers["grids"], layers["borders"]
    basic = grids[(grids["kind"] == "basic") & (grids["households"] > 0)]
    assert figure(town[0], "balance_households") == (basic["households"] - 400).abs().sum()
    assert figure(town[0], "shape_m") == pytest.approx(borders["length_m"].sum())
    least, most = (f * borders["length_m"].sum() for f in (FACTORS[-1], FACTORS[0]))
    assert least < figure(town[0], "weighted_border") < most


def spoil(town: tuple[Plan, Path], path: Path, *statements: str) -> Path:
    """Copy the good plan and edit it as SQL, without the triggers that need spatial functions."""
    shutil.copy(town[1], path)
    with closing(sqlite3.connect(path)) as base:
        for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' "
                                    "AND name LIKE 'rtree%'").fetchall():
            base.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            assert base.execute(statement).rowcount > 0, statement
        base.commit()
    return path


def broken(report: CheckReport) -> set[tuple[str, str, str, str]]:
    return {(b.rule, b.key.removeprefix("check."), b.layer, b.field) for b in report.broken}


def first_of(layer: str, column: str) -> str:
    return f"(SELECT min(rowid) FROM {layer} WHERE {column} IS NOT NULL)"


def all_scores(layer: str, value: str) -> list[str]:
    """Edit the first of each score of a layer."""
    return [f"UPDATE {layer} SET {n} = {value.format(n)} WHERE rowid = {first_of(layer, n)}"
            for n in SCORES]


FORGED: list[tuple[str, list[str], set[tuple[str, str, str, str]]]] = [
    *((f"scores of {layer} {what}", all_scores(layer, value),
       {("scores", "score_differs", layer, n) for n in SCORES})
      for layer in ("grids", "communities")
      for what, value in (("changed", "abs({} - 3)"), ("left out", "NULL"))),
    ("a balance given to a special grid",
     ["UPDATE grids SET score_balance = 80 WHERE kind = 'special'"],
     {("scores", "score_differs", "grids", "score_balance")}),
    ("a border said to be held fast", ["UPDATE borders SET move_cost = NULL WHERE rowid = "
                                       + first_of("borders", "move_cost")],
     {("scores", "cost_differs", "borders", "move_cost")}),
    ("a border of a special grid said to be loose",
     ["UPDATE borders SET move_cost = 10 WHERE move_cost IS NULL"],
     {("scores", "cost_differs", "borders", "move_cost")}),
    ("a numerator changed", ["UPDATE figures SET numerator = numerator + 9 "
                             "WHERE name = 'score_shape'"],
     {("figures", "figure_differs", "figures", "numerator")}),
    ("a figure dropped", ["DELETE FROM figures WHERE name = 'weighted_border'"],
     {("figures", "figure_missing", "figures", "")}),
    ("a figure of a community that is not there", [
        "UPDATE figures SET scope_id = 'x' || rowid "
        "WHERE name = 'score_balance' AND scope = 'community'"],
     {("figures", "figure_missing", "figures", ""), ("figures", "figure_differs", "figures",
                                                     "value")}),
]


@pytest.mark.parametrize(("statements", "rules"), [f[1:] for f in FORGED],
                         ids=[f[0] for f in FORGED])
def test_the_verifier_names_what_is_forged(town: tuple[Plan, Path], tmp_path: Path,
                                           statements: list[str],
                                           rules: set[tuple[str, str, str, str]]) -> None:
    report = check_plan(spoil(town, tmp_path / "forged.gpkg", *statements))
    assert rules <= broken(report)
    # A changed score of a grid also belies the means of its community and the figures.
    assert {b.rule for b in report.broken} <= {"scores", "figures"}


def test_every_figure_of_the_scorecard_is_compared(town: tuple[Plan, Path],
                                                   tmp_path: Path) -> None:
    listed = ", ".join(f"'{n}'" for n in (*SCORES, *TERMS))
    report = check_plan(spoil(town, tmp_path / "forged.gpkg", "UPDATE figures SET value = value + "
                              f"1 WHERE name IN ({listed})"))
    towns = town[0].layers["communities"]["community_id"]
    assert {row for b in report.broken for row in b.rows} == {
        *SCORES, *TERMS, *(f"{n}:{c}" for n in SCORES for c in towns)}
    assert broken(report) == {("figures", "figure_differs", "figures", "value")}


@pytest.mark.parametrize("by", [-1, 1])
def test_no_cost_may_be_told_too_low_or_too_high(town: tuple[Plan, Path], tmp_path: Path,
                                                 by: int) -> None:
    path = spoil(town, tmp_path / "forged.gpkg", f"UPDATE borders SET move_cost = move_cost + {by}")
    (wrong,) = check_plan(path).broken
    borders = town[0].layers["borders"]
    assert set(wrong.rows) == set(borders["border_id"][borders["move_cost"].notna()])


def test_a_plan_without_any_score_claims_nothing(town: tuple[Plan, Path], tmp_path: Path) -> None:
    empty = ", ".join(f"{n} = NULL" for n in SCORES)
    listed = ", ".join(f"'{n}'" for n in (*SCORES, *TERMS))
    report = check_plan(spoil(
        town, tmp_path / "plain.gpkg", f"UPDATE grids SET {empty}",
        f"UPDATE communities SET {empty}", "UPDATE borders SET move_cost = NULL",
        f"DELETE FROM figures WHERE name IN ({listed})"))
    assert report.broken == []
    assert "scores" not in report.counts


def test_of_many_borders_an_even_sample_is_tried(town: tuple[Plan, Path],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    every = check_plan(town[1]).counts["move_costs"]
    monkeypatch.setattr(moves, "MOST_PAIRS", 7)
    report = check_plan(town[1])
    assert report.broken == []
    assert 0 < report.counts["move_costs"] <= 7 < every


def checked(plan: Plan, path: Path) -> CheckReport:
    write_plan(plan, path)
    return check_plan(path)


@pytest.mark.parametrize("roads", [cross("secondary")[:1], cross("unknown"), cross("tertiary")])
def test_the_verifier_agrees_on_roads_of_every_kind(
        tmp_path: Path, roads: list[tuple[str, list[tuple[float, float]]]]) -> None:
    west = [h.centroid.x < 200 for h in HOUSES]
    plan = plan_of([8 if w else 4 for w in west], roads)
    assert checked(plan, tmp_path / "plan.gpkg").broken == []


def test_the_verifier_takes_the_factors_of_the_run(tmp_path: Path) -> None:
    study, count = make_study(list(HOUSES), [25] * 64, cross("residential"))
    study.buildings["households"] = pd.array(count, dtype="Int64")
    params = Params(partition=replace(Params().partition,
                                      border_factors=(8.0, 5.0, 2.0, 1.0, 0.25)))
    plan = plan_city(study, params, Findings())
    assert told(plan)["score_border"].tolist() == [pytest.approx(100 * 3 / 7.75, abs=0.01)] * 4
    assert checked(plan, tmp_path / "plan.gpkg").broken == []
