"""Bounds in the plan: no division falls below one, and nobody can forge one."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator
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
from unit_graphs import planar_graphs, quick

from gridplan.check import CheckReport, check_plan
from gridplan.check.gaps import least_border
from gridplan.errors import Findings
from gridplan.layers import conform_input
from gridplan.params import Objective, Params, PartitionParams, Range
from gridplan.partition import estates
from gridplan.partition.borders import weigh_borders
from gridplan.partition.gaps import Division, bound_part, hold_whole
from gridplan.partition.graph import Contacts
from gridplan.pipeline import plan_city
from gridplan.plan import Plan, write_plan
from gridplan.regions import Cut, Graph
from gridplan.town import build_town

PLENTY = 10**9


# ---- no division falls below a bound -------------------------------------------------------

def divisions(size: int) -> Iterator[np.ndarray]:
    """Go through every way to divide units into sets."""
    def grow(label: list[int]) -> Iterator[np.ndarray]:
        if len(label) == size:
            yield np.array(label)
            return
        for k in range(max(label, default=-1) + 2):
            yield from grow([*label, k])
    return grow([])


def is_valid(graph: Graph, label: np.ndarray, low: int, high: int) -> bool:
    load = np.bincount(label, graph.households)
    if not ((low <= load) & (load <= high)).all():
        return False
    web = nx.Graph()
    web.add_nodes_from(range(graph.size))
    web.add_edges_from((u, v) for u, v in zip(graph.u.tolist(), graph.v.tolist(), strict=True)
                       if label[u] == label[v])
    return nx.number_connected_components(web) == label.max() + 1


def keeps(graph: Graph, label: np.ndarray, ours: np.ndarray, whole: np.ndarray) -> bool:
    """Tell whether a division straddles no major line that ours does not, and holds what it does.

    What ours keeps apart is worked out over whole sets of units, not over pairs.
    """
    side = nx.Graph()
    side.add_nodes_from(range(graph.size))
    side.add_edges_from((u, v) for u, v, major in zip(
        graph.u.tolist(), graph.v.tolist(), graph.major.tolist(), strict=True)
        if not major or ours[u] == ours[v])
    apart = {u: k for k, units in enumerate(nx.connected_components(side)) for u in units}
    return all(label[u] != label[v] if apart[u] != apart[v]
               else label[u] == label[v] or whole[u] != whole[v]
               for u, v in itertools.combinations(range(graph.size), 2))


def border_of(graph: Graph, label: np.ndarray) -> float:
    return float(graph.weight[label[graph.u] != label[graph.v]].sum())


@quick
@given(planar_graphs(most=7, households=st.integers(0, 9)), st.integers(1, 12), st.integers(0, 10),
       st.sampled_from([0, 300_000, PLENTY]), st.data())
def test_no_division_that_keeps_what_ours_keeps_has_less_border(
        graph: Graph, low: int, more: int, work: int, data: st.DataObject) -> None:
    fine = [d for d in divisions(graph.size) if is_valid(graph, d, low, low + more)]
    if not fine:
        return
    ours = data.draw(st.sampled_from(fine))
    pairs = data.draw(st.lists(st.tuples(*[st.integers(0, graph.size - 1)] * 2), max_size=3))
    whole = hold_whole(ours, [np.unique(p) for p in pairs])
    division = Division(ours, graph.households, Contacts(
        graph.u.astype(np.int64), graph.v.astype(np.int64), np.full(len(graph.u), 9.0),
        graph.weight, graph.major), whole)
    bound = bound_part(division, np.arange(graph.size), Range(low, low + more), work)
    least = min(border_of(graph, d) for d in fine if keeps(graph, d, ours, whole))
    assert 0 <= bound <= least * (1 + 1e-6)
    if work == PLENTY and not pairs:
        assert bound == pytest.approx(least, rel=1e-6)


def test_a_set_in_several_grids_is_not_held() -> None:
    whole = hold_whole(np.array([0, 0, 1, 1]), [np.array([0, 1]), np.array([1, 2, 3])])
    assert whole.tolist() == [0, 0, 1, 2]


@quick
@given(planar_graphs(most=7, households=st.integers(0, 9)), st.integers(1, 12),
       st.integers(0, 10))
def test_the_verifier_finds_the_best_of_all_divisions(graph: Graph, low: int, more: int) -> None:
    fine = [border_of(graph, d) for d in divisions(graph.size)
            if is_valid(graph, d, low, low + more)]
    edges = list(zip(graph.u.tolist(), graph.v.tolist(), graph.weight.tolist(), strict=True))
    least = least_border(graph.households.tolist(), edges, edges, low, low + more)
    assert least == (pytest.approx(min(fine)) if fine else None)


# ---- plans that can be counted -------------------------------------------------------------

# Six blocks in a row, 100 m each; what lies between them, from west to east.
STREETS = ("residential", "tertiary", "residential", "tertiary", "residential")
ROW = shapely.box(0, 0, 600, 100)


def plan_row(loads: tuple[int, ...], *, streets: tuple[str, ...] = STREETS,
             objective: Objective | None = None, effort: str = "normal",
             links: list[shapely.Geometry] | None = None,
             border_factors: tuple[float, ...] = (10.0, 3.0, 2.0, 1.0, 0.5),
             **more: object) -> Plan:
    """Plan blocks of one house each, with ``loads`` households; without a street two are one."""
    houses = [h for k in range(len(loads)) for h in houses_in_rows(100 * k + 40, 45, 1, 1)]
    roads = [(kind, [(100 * k, -20), (100 * k, 120)]) for k, kind in enumerate(streets, start=1)
             if kind]
    study, count = make_study(houses, list(loads), roads, [ROW],
                              **more)  # type: ignore[arg-type]
    study.buildings["households"] = pd.array(count, dtype="Int64")
    if links is not None:
        study = replace(study, must_links=conform_input("must_links", gpd.GeoDataFrame(
            {"must_link_id": [f"l{k}" for k in range(len(links))]}, geometry=links, crs=study.crs)))
    params = Params(partition=PartitionParams(
        objective=objective or Objective(), effort=effort,  # type: ignore[arg-type]
        border_factors=border_factors))  # type: ignore[arg-type]
    return plan_city(study, params, Findings())


def bound_and_gap(plan: Plan) -> list[float]:
    return plan.layers["communities"][["bound", "gap"]].astype("Float64").to_numpy(
        np.float64, na_value=np.nan)[0].tolist()


def figure(plan: Plan, name: str) -> pd.Series:
    table = plan.layers["figures"].set_index(["name", "scope_id"])
    return table.loc[name, "all"]


LOADS = (100, 200, 100, 100, 200, 100)


def test_the_best_division_has_no_gap() -> None:
    """Three hundred households and five hundred, along 100 m of a tertiary road (factor 2)."""
    plan = plan_row(LOADS)
    assert bound_and_gap(plan) == pytest.approx([200, 0])
    assert figure(plan, "weighted_border_bound")["value"] == pytest.approx(200)
    assert figure(plan, "weighted_border_gap")["value"] == 0


def test_what_another_wish_costs_is_in_the_gap() -> None:
    """Even grids of 400 lie along a residential road (factor 3)."""
    plan = plan_row(LOADS, objective=Objective(balance=100))
    assert sorted(plan.layers["grids"]["households"]) == [400, 400]
    assert bound_and_gap(plan) == pytest.approx([200, 0.5])
    told = figure(plan, "weighted_border_gap")
    assert [told[c] for c in ("value", "numerator", "denominator")] == pytest.approx(
        [0.5, 300, 200])


def test_one_grid_has_a_bound_of_nothing_and_no_gap() -> None:
    bound, gap = bound_and_gap(plan_row((100, 100, 100, 0, 0, 0)))
    assert bound == 0
    assert np.isnan(gap)


def test_where_a_grid_is_out_of_range_there_is_no_bound() -> None:
    plan = plan_row((280, 0, 0, 0, 280, 0))
    assert (plan.layers["grids"]["status"] != "ok").any()
    assert np.isnan(bound_and_gap(plan)).all()
    assert pd.isna(figure(plan, "weighted_border_bound")["value"])


def test_what_stands_alone_is_left_alone() -> None:
    """The third block is a campus: its borders count, and nobody could have drawn others."""
    plan = plan_row((100, 200, 0, 100, 200, 100), specials=[shapely.box(200, 0, 300, 100)])
    assert (plan.layers["grids"]["kind"] == "special").sum() == 1
    # A tertiary and a residential road.
    assert bound_and_gap(plan) == pytest.approx([500, 0])


def plan_link() -> Plan:
    """Plan a row where the cheapest cut lies inside a must-link."""
    return plan_row(LOADS, links=[shapely.LineString([(120, 50), (280, 50)])], streets=(
        "residential", "tertiary", "residential", "residential", "residential"))


def plan_estate() -> Plan:
    """Plan a row where the cheapest cut lies off any street, inside an estate."""
    return plan_row((100, 200, 50, 100, 200, 100), streets=(
        "residential", "", "residential", "residential", "residential"),
        estates=[shapely.box(105, 5, 295, 95)], border_factors=(0.1, 3, 2, 1, 0.5))


def plan_main_road(apart: bool = True) -> Plan:
    """Plan a row where a main road in the middle is dearer than another street."""
    streets = ("residential", "residential", "secondary", "residential", "residential")
    return plan_row(LOADS, streets=streets, objective=Objective(apart=apart),
                    border_factors=(10, 0.2, 2, 1, 0.5))


def test_a_gap_tells_what_a_worse_search_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that ends at grids of 400, where others have two thirds of the border."""
    def search(graph: Graph, *_: object, **__: object) -> Cut:
        return Cut(np.array([0, 0, 0, 1, 1, 1], np.int32), 2, 300.0, 0, "ok", "",
                   np.zeros(graph.size, np.int32))
    monkeypatch.setattr(estates, "cut_graph", search)
    assert bound_and_gap(plan_row(LOADS)) == pytest.approx([200, 0.5])


def test_what_a_must_link_holds_together_stays_so() -> None:
    plan = plan_link()
    assert plan.layers["must_links"]["status"].tolist() == ["held"]
    assert bound_and_gap(plan) == pytest.approx([300, 0])


def test_an_estate_in_one_grid_stays_so() -> None:
    assert bound_and_gap(plan_estate()) == pytest.approx([300, 0])


@pytest.mark.parametrize(("apart", "least"), [(True, 100), (False, 20)])
def test_a_major_line_that_no_grid_straddles_is_not_straddled(apart: bool, least: float) -> None:
    """Grids of 400 on either side of the road, though 300 and 500 would be cheaper."""
    assert bound_and_gap(plan_main_road(apart)) == pytest.approx([least, 0])


# ---- a town, and forgeries -----------------------------------------------------------------

@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    folder = tmp_path_factory.mktemp("town")
    plan = plan_city(build_town(communities=3, seed=5).study, Params(), Findings())
    return plan, write_plan(plan, folder / "plan.gpkg").path


def test_every_community_of_a_town_has_a_bound_at_or_below_its_border(
        town: tuple[Plan, Path]) -> None:
    plan, path = town
    towns = plan.layers["communities"]
    grids = plan.layers["grids"].set_index("grid_id")["community_id"]
    borders = plan.layers["borders"]
    weight = pd.Series(weigh_borders(borders, (10.0, 3.0, 2.0, 1.0, 0.5))).groupby(
        borders["grid_a"].map(grids).to_numpy()).sum()
    known = towns[towns["bound"].notna()].set_index("community_id")
    assert len(known)
    assert (known["bound"] <= weight[known.index] * (1 + 1e-9)).all()
    assert (known["bound"] > 0.8 * weight[known.index]).all()
    assert known["gap"].tolist() == pytest.approx((weight[known.index] / known["bound"] - 1)
                                                  .tolist())
    assert check_plan(path).ok


def test_the_same_run_gives_the_same_bounds(town: tuple[Plan, Path]) -> None:
    again = plan_city(build_town(communities=3, seed=5).study, Params(), Findings())
    for column in ("bound", "gap"):
        pd.testing.assert_series_equal(again.layers["communities"][column],
                                       town[0].layers["communities"][column])


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a plan with a gap of a half, small enough to try every division."""
    plan = plan_row(LOADS, objective=Objective(balance=100))
    return write_plan(plan, tmp_path_factory.mktemp("uneven") / "plan.gpkg").path


def spoil(path: Path, target: Path, *statements: str) -> CheckReport:
    shutil.copy(path, target)
    with closing(sqlite3.connect(target)) as base, base:
        base.create_function("ST_IsEmpty", 1, lambda _: 0)
        for name in ("MinX", "MaxX", "MinY", "MaxY"):
            base.create_function(f"ST_{name}", 1, lambda _: 0.0)
        for statement in statements:
            assert base.execute(statement).rowcount > 0, statement
    return check_plan(target)


def all_told(bound: float, gap: float) -> list[str]:
    """Forge bound and gap so that every figure agrees (the border is 300)."""
    return [f"UPDATE communities SET bound = {bound}, gap = {gap}",
            f"UPDATE figures SET value = {bound} WHERE name = 'weighted_border_bound'",
            f"UPDATE figures SET value = {gap}, denominator = {bound} "
            "WHERE name = 'weighted_border_gap'"]


def test_a_plan_small_enough_is_tried_out(uneven: Path) -> None:
    report = check_plan(uneven)
    assert report.ok
    assert report.counts["bounds_tried"] == 1


@pytest.mark.parametrize(("statements", "key"), [
    (all_told(300, 0), "bound_too_high"),
    (all_told(201, 300 / 201 - 1), "bound_too_high"),
    (all_told(400, -0.25), "bound_beyond"),
    (all_told(-5, -61), "out_of_bounds"),
    (["UPDATE communities SET gap = 0.4"], "gap_differs"),
    (["UPDATE communities SET gap = NULL"], "gap_differs"),
    (["UPDATE communities SET bound = NULL"], "gap_differs"),
    (["UPDATE communities SET bound = 150, gap = 1"], "figure_differs"),
    (["UPDATE figures SET value = value + 1 WHERE name = 'weighted_border_bound'"],
     "figure_differs"),
    (["UPDATE figures SET value = 0 WHERE name = 'weighted_border_gap'"], "figure_differs"),
    (["UPDATE figures SET numerator = 1 WHERE name = 'weighted_border_gap'"], "figure_differs"),
    (["DELETE FROM figures WHERE name = 'weighted_border_gap'"], "figure_missing"),
])
def test_the_verifier_names_what_is_forged(uneven: Path, tmp_path: Path, statements: list[str],
                                           key: str) -> None:
    report = spoil(uneven, tmp_path / "forged.gpkg", *statements)
    assert f"check.{key}" in {b.key for b in report.broken}


@pytest.mark.parametrize("bound", [0.5, 100, 200])
def test_a_bound_that_is_low_is_none_the_less_true(uneven: Path, tmp_path: Path,
                                                   bound: float) -> None:
    assert spoil(uneven, tmp_path / "low.gpkg", *all_told(bound, 300 / bound - 1)).ok


def test_a_plan_that_tells_no_bound_claims_nothing(uneven: Path, tmp_path: Path) -> None:
    assert spoil(uneven, tmp_path / "plain.gpkg", "UPDATE communities SET bound = NULL, gap = NULL",
                 "DELETE FROM figures WHERE name LIKE 'weighted_border_%'").ok


def test_a_bound_where_grids_were_cut_out_of_range_is_groundless(tmp_path: Path) -> None:
    path = write_plan(plan_row((280, 0, 0, 0, 280, 0)), tmp_path / "plan.gpkg").path
    assert check_plan(path).ok
    report = spoil(path, tmp_path / "forged.gpkg", "UPDATE communities SET bound = 0")
    assert "check.bound_groundless" in {b.key for b in report.broken}


@pytest.mark.parametrize("make", [
    plan_link, plan_estate, plan_main_road,
    lambda: plan_row(LOADS, barriers=[("rail", shapely.LineString([(300, -9), (300, 109)]))]),
    lambda: plan_row((100, 200, 0, 100, 200, 100), specials=[shapely.box(200, 0, 300, 100)]),
    lambda: plan_row((100, 700, 100, 200, 200, 100)),
    lambda: plan_row(LOADS, streets=("footway", "service", "cycleway", "path", "service")),
])
def test_the_verifier_accepts_the_bounds_of_plans_of_every_kind(
        tmp_path: Path, make: Callable[[], Plan]) -> None:
    report = check_plan(write_plan(make(), tmp_path / "plan.gpkg").path)
    assert report.ok, report.findings()
