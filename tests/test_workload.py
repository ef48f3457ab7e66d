"""The workload of a grid: what is counted, by hand."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from rosters import CRS, fill_in, make_plan

from gridplan.assign.workload import count_terms, measure_workload
from gridplan.errors import Findings
from gridplan.params import Workload

PLAN = make_plan({"c1": ("urban", [400, 300])})


def with_everything():
    """Grid 1: 30 newcomers, 20 rented, five floors, no manager, a school; grid 2: a proposal."""
    plan = fill_in(PLAN, "grids", "grid_id", newcomers={"c1-001": 30}, rented={"c1-001": 20})
    plan = fill_in(plan, "buildings", "building_id", floors={"b-c1-001": 5, "b-c1-002": 7},
                   estate_id={"b-c1-001": "E1", "b-c1-002": "E2"})
    shapes = [shapely.box(40, 40, 60, 60), shapely.box(140, 40, 160, 60)]
    estates = gpd.GeoDataFrame({"estate_id": ["E1", "E2"], "management": ["无", "company"]},
                               geometry=shapes, crs=CRS)
    facilities = gpd.GeoDataFrame(
        {"facility_id": ["F1", "F2", "F3", "F4"], "status": ["existing", "proposed", None, None],
         "categories": ["primary_school", "bank", "toilets", "bank;atm"]},
        geometry=gpd.points_from_xy([50, 150, 50, 100], [20, 20, 20, 50]), crs=CRS)
    return plan.with_layers(estates=estates, facilities=facilities)


def test_every_term_is_counted_by_its_definition():
    terms = count_terms(with_everything())
    assert terms.loc["c1-001"].to_dict() == {
        "household": 400, "newcomer": 30, "rented": 20, "unmanaged_estate": 1, "hectare": 1,
        "without_lift": 400, "key_place": 2, "patrol_km": 0}  # F4 on the border counts once
    assert terms.loc["c1-002"].to_dict() == {
        "household": 300, "newcomer": 0, "rented": 0, "unmanaged_estate": 0, "hectare": 1,
        "without_lift": 0, "key_place": 0, "patrol_km": 0}


def test_the_workload_is_the_sum_of_weight_times_count():
    weights = Workload(household=1, newcomer=0.5, rented=0.3, unmanaged_estate=50, hectare=2,
                       without_lift=0.2, key_place=20)
    work = measure_workload(count_terms(with_everything()), weights, Findings())
    assert work["c1-001"] == pytest.approx(400 + 15 + 6 + 50 + 2 + 80 + 40)
    assert work["c1-002"] == pytest.approx(302)


def test_by_default_the_workload_is_households():
    findings = Findings()
    assert measure_workload(count_terms(PLAN), Workload(), findings).tolist() == [400, 300]
    assert not findings.items


def test_a_weight_on_what_nobody_counted_is_told():
    findings = Findings()
    measure_workload(count_terms(PLAN), Workload(rented=1, patrol_km=1), findings)
    assert [(f.key, f.field) for f in findings.of("warning")] == [
        ("assign.term_unknown", "assign.workload.rented"),
        ("assign.term_unknown", "assign.workload.patrol_km")]


def test_an_estate_in_two_grids_counts_in_both_and_unknown_management_in_none():
    plan = fill_in(PLAN, "buildings", "building_id",
                   estate_id={"b-c1-001": "E1", "b-c1-002": "E1"})
    estates = gpd.GeoDataFrame({"estate_id": ["E1", "E2"], "management": ["none", pd.NA]},
                               geometry=[shapely.box(0, 0, 9, 9)] * 2, crs=CRS)
    terms = count_terms(plan.with_layers(estates=estates))
    assert terms["unmanaged_estate"].tolist() == [1, 1]
    unknown = estates.assign(management=pd.NA)
    assert not count_terms(plan.with_layers(estates=unknown))["unmanaged_estate"].any()
