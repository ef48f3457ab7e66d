"""Choosing sites in a plan: a street of houses, where everything can be counted by hand."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridplan.errors import Findings, InputError, RequestError, UsageError
from gridplan.layers import conform
from gridplan.network import build_network
from gridplan.params import Params, SiteParams
from gridplan.plan import Plan
from gridplan.siting import SiteRequest, choose_sites
from gridplan.siting.ground import find_worst, list_candidates, survey

CRS = "EPSG:4549"
STATION = "health_station"  # 300 m


def points(xy, **columns):
    return gpd.GeoDataFrame(columns, geometry=shapely.points(np.array(xy, float).reshape(-1, 2)),
                            crs=CRS)


def draw_plan(houses=((100, 30), (500, 20), (900, 40), (1900, 10)), facilities=(), **more):
    """A street of 2 km; houses 10 m north of it, at x with so many households."""
    at = [x for x, _ in houses]
    frames = {
        "communities": gpd.GeoDataFrame(
            {"community_id": ["C1", "C2"], "subdistrict_id": ["S1", "S1"]},
            geometry=[shapely.box(-50, -200, 1000, 200), shapely.box(1000, -200, 2050, 200)],
            crs=CRS),
        "roads": gpd.GeoDataFrame({"road_id": ["r"], "road_class": ["residential"]},
                                  geometry=[shapely.LineString([(0, 0), (2000, 0)])], crs=CRS),
        "buildings": gpd.GeoDataFrame(
            {"building_id": [f"b{x}" for x in at], "households": [n for _, n in houses]},
            geometry=[shapely.box(x - 4, 6, x + 4, 14) for x in at], crs=CRS),
        "facilities": points([(x, 0) for x in facilities],
                             facility_id=[f"f{x}" for x in facilities],
                             categories=["park;health_station"] * len(facilities),
                             status=["existing"] * len(facilities)),
        **more}
    return Plan({name: conform(name, frame) for name, frame in frames.items()}, CRS)


def choose(plan, *, params=None, **asked):
    findings = Findings()
    return choose_sites(plan, SiteRequest(STATION, **asked), params or Params(), findings), findings


def stands(chosen):
    return [(p.x, p.y) for p in chosen.sites.geometry]


def told(error):
    return [f.key for f in error.value.findings]


# ---- what is chosen ------------------------------------------------------------------------

def test_the_sites_that_cover_most_are_chosen_and_proven():
    given = points([(300, 0), (700, 0), (1900, 0)])
    chosen, _ = choose(draw_plan(), new=1, candidates=given)
    assert stands(chosen) == [(700, 0)]
    assert chosen.sites["gained_households"].tolist() == [60]
    assert (chosen.value, chosen.bound, chosen.gap) == (60, 60, 0)
    assert "60" in chosen.words()
    assert "60 户" in chosen.words("zh")


def test_what_exists_stays_and_its_households_gain_nothing():
    given = points([(700, 0), (300, 0), (1900, 0)])
    chosen, _ = choose(draw_plan(facilities=(900,)), new=2, candidates=given)
    # 300 m with 10 m to the street: f900 reaches b900 only.
    assert stands(chosen) == [(300, 0), (1900, 0)]
    assert chosen.sites["gained_households"].tolist() == [50, 10]
    assert chosen.sites["rank"].tolist() == [1, 2]


def test_a_proposed_facility_counts_for_nothing():
    plan = draw_plan(facilities=(900,))
    frame = plan.layer("facilities").assign(status="proposed")
    chosen, _ = choose(plan.with_layers(facilities=frame), new=1, candidates=points([(900, 0)]))
    assert chosen.value == 40


def test_the_fewest_sites_for_a_share():
    given = points([(300, 0), (700, 0), (900, 0), (1900, 0)])
    chosen, _ = choose(draw_plan(), kind="cover", cover=0.9, candidates=given)
    assert chosen.value == chosen.bound == 2
    assert sorted(stands(chosen))[0] == (300, 0)
    figures = chosen.figures.set_index("name")
    assert figures.loc[f"sites_needed:{STATION}", ["value", "target"]].tolist() == [2, 2]
    assert figures.loc[f"gain:{STATION}", "value"] >= 90


def test_the_shortest_mean_way():
    chosen, findings = choose(draw_plan(houses=((100, 10), (500, 20))), kind="mean", new=1,
                              candidates=points([(100, 0), (500, 0)]))
    assert stands(chosen) == [(500, 0)]
    assert chosen.value == pytest.approx((10 * 410 + 20 * 10) / 30)
    assert pd.isna(chosen.figures.set_index("name").loc[f"mean_m_before:{STATION}", "value"])
    assert not findings.of("warning")


def test_a_way_beyond_four_limits_counts_as_four_limits_and_is_told():
    chosen, findings = choose(draw_plan(houses=((100, 10), (1900, 5))), kind="mean", new=1,
                              candidates=points([(100, 0)]))
    assert chosen.value == pytest.approx((10 * 10 + 5 * 1200) / 15)
    assert [f.key for f in findings.of("warning")] == ["siting.far"]


def test_a_site_serves_as_many_as_it_has_room_for():
    given = points([(700, 0), (1900, 0)])
    chosen, _ = choose(draw_plan(), new=1, capacity=25, candidates=given)
    assert (chosen.value, chosen.bound) == (25, 25)
    roomy = given.assign(capacity=[5, np.nan])
    chosen, _ = choose(draw_plan(), new=1, candidates=roomy)
    assert stands(chosen) == [(1900, 0)]
    assert chosen.facilities["capacity"].isna().tolist() == [True]


def test_an_existing_facility_serves_what_it_has_room_for():
    plan = draw_plan(houses=((100, 30), (200, 30)), facilities=(100,))
    frame = plan.layer("facilities").assign(capacity=35.0)
    chosen, _ = choose(plan.with_layers(facilities=frame), new=1, capacity=100,
                       candidates=points([(200, 0)]))
    assert chosen.value == 25


def test_priority_counts_the_worst_served_more_and_says_so():
    plan = draw_plan(houses=((100, 60), (500, 31), (1900, 9)), facilities=(100,))
    given = points([(500, 0), (1900, 0)])
    assert stands(choose(plan, new=1, candidates=given)[0]) == [(500, 0)]
    chosen, _ = choose(plan, new=1, candidates=given, params=Params(site=SiteParams(priority=4)))
    assert stands(chosen) == [(1900, 0)]
    assert chosen.value == 36
    assert chosen.sites["gained_households"].tolist() == [9]
    assert "4 times" in chosen.words()


def test_the_worst_served_are_nobody_where_all_are_alike():
    assert not find_worst(np.array([np.inf, np.inf]), np.array([5, 5])).any()
    assert not find_worst(np.array([10.0, 10.0]), np.array([5, 5])).any()


def test_each_community_without_one_gets_one():
    given = points([(300, 0), (700, 0), (1900, 0), (1500, 0)])
    chosen, _ = choose(draw_plan(), per="community", candidates=given)
    assert sorted(stands(chosen)) == [(700, 0), (1900, 0)]
    chosen, _ = choose(draw_plan(facilities=(500,)), per="community", candidates=given)
    assert stands(chosen) == [(1900, 0)]
    chosen, _ = choose(draw_plan(), per="subdistrict", candidates=given)
    assert stands(chosen) == [(700, 0)]


def test_rows_fit_the_contract_and_ids_stay_apart():
    plan = draw_plan()
    taken = conform("sites", points([(0, 0)], site_id=["S001"], category=["park"]))
    chosen, _ = choose(plan.with_layers(sites=taken), new=1, candidates=points([(700, 0)]))
    assert chosen.sites["site_id"].tolist() == ["S002"]
    row = chosen.facilities.iloc[0]
    assert row[["facility_id", "categories", "status", "source"]].tolist() == [
        "P001", STATION, "proposed", "gridplan site"]
    record = json.loads(chosen.record[f"site:request:{STATION}"])
    assert (record["kind"], record["new"], record["candidates"]) == ("new", 1, 1)
    Plan({"sites": chosen.sites, "facilities": chosen.facilities, "figures": chosen.figures}, CRS)


def test_points_of_demand_do_instead_of_buildings():
    plan = draw_plan()
    demand = points([(100, 5), (900, 5)], demand_id=["a", "b"], households=[3, 7])
    bare = Plan({"roads": plan.layer("roads"), "demand": conform("demand", demand)}, CRS)
    chosen, _ = choose(bare, new=1)
    assert chosen.value == 7


# ---- candidates ----------------------------------------------------------------------------

def propose(plan, params=None, **asked):
    findings = Findings()
    request = SiteRequest(STATION, new=1, **asked)
    ground = survey(plan, request, params or Params(), findings)
    return list_candidates(ground, request, findings)[0].geometry, findings


def test_points_along_the_street_are_proposed():
    found, _ = propose(draw_plan())
    assert [p.x for p in found] == list(range(50, 2000, 100))
    assert all(p.y == 0 for p in found)


def test_none_stands_in_water_special_places_forbidden_areas_or_outside():
    special = gpd.GeoDataFrame({"special_id": ["s"]}, geometry=[shapely.box(0, -9, 200, 9)],
                               crs=CRS)
    town = draw_plan().layer("communities").iloc[:1]
    forbidden = gpd.GeoDataFrame(geometry=[shapely.box(400, -9, 800, 9)], crs=CRS)
    pond = gpd.GeoDataFrame({"barrier_id": ["w"], "kind": ["water"]},
                            geometry=[shapely.box(840, -9, 860, 9)], crs=CRS)
    plan = draw_plan(specials=special, communities=town, barriers=pond)
    found, _ = propose(plan, forbidden=forbidden.to_crs(4326))
    assert [p.x for p in found] == [250, 350, 950]


def test_too_many_are_thinned_evenly_and_told():
    found, findings = propose(draw_plan(), Params(site=SiteParams(most_candidates=3)))
    assert [p.x for p in found] == [50, 1050, 1950]
    assert "siting.thinned" in [f.key for f in findings.items]


def test_pieces_of_street_that_lead_nowhere_are_no_place_to_stand():
    plan = draw_plan()
    lone = gpd.GeoDataFrame({"road_id": ["z"], "road_class": ["residential"]},
                            geometry=[shapely.LineString([(0, 150), (300, 150)])], crs=CRS)
    roads = conform("roads", pd.concat([plan.layer("roads"), lone], ignore_index=True))
    found, _ = propose(plan.with_layers(roads=roads))
    assert {p.y for p in found} == {0}
    assert not build_network(roads.set_index("road_id")).usable.all()


# ---- what cannot be ------------------------------------------------------------------------

def test_all_faults_of_candidates_are_told_at_once():
    bad = points([(700, 0), (700, 5000), (5000, 0)]).assign(capacity=[-1, 5, 5])
    with pytest.raises(InputError) as error:
        choose(draw_plan(), new=1, candidates=bad, file="c.csv")
    assert set(told(error)) == {"siting.candidate_outside", "siting.bad_capacity", "network.off"}
    assert all(f.file == "c.csv" and f.layer == "candidates" for f in error.value.findings)
    assert error.value.exit_code == 3


def test_candidates_are_points():
    shape = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=CRS)
    with pytest.raises(InputError) as error:
        choose(draw_plan(), new=1, candidates=shape)
    assert told(error) == ["siting.not_points"]


@pytest.mark.parametrize(("asked", "key"), [
    ({"new": 3, "candidates": points([(700, 0)])}, "siting.too_many"),
    ({"new": 1, "candidates": points([])}, "siting.no_candidates"),
    ({"kind": "cover", "cover": 1.0, "candidates": points([(700, 0)])}, "siting.cannot_cover"),
])
def test_a_request_that_cannot_be_met_says_what_can(asked, key):
    with pytest.raises(RequestError) as error:
        choose(draw_plan(), **asked)
    assert told(error) == [key]
    assert error.value.exit_code == 4


def test_how_much_can_be_covered_is_told():
    with pytest.raises(RequestError, match=r"60\.0%"):
        choose(draw_plan(), kind="cover", cover=0.9, candidates=points([(700, 0)]))


@pytest.mark.parametrize(("category", "key"), [
    ("castle", "siting.no_category"), ("toilets", "siting.no_limit")])
def test_unknown_categories_and_limits_are_told(category, key):
    with pytest.raises(InputError) as error:
        choose_sites(draw_plan(), SiteRequest(category, new=1), Params(), Findings())
    assert told(error) == [key]


def test_nobody_to_serve_is_told():
    with pytest.raises(InputError) as error:
        choose(draw_plan(houses=((100, 0),)), new=1)
    assert told(error) == ["siting.no_households"]


@pytest.mark.parametrize("bad", [
    {"new": 0}, {"new": 1.5}, {"new": 1, "cover": 0.5}, {"kind": "cover"},
    {"kind": "cover", "cover": 0.0}, {"kind": "cover", "cover": 1.1},
    {"kind": "cover", "cover": 0.5, "new": 2}, {"new": 1, "limit_m": 0.0},
    {"new": 1, "capacity": 0}, {"kind": "mean", "new": 1, "capacity": 5}, {"kind": "best"},
    {"new": 1, "per": "city"}, {"kind": "mean", "new": 1, "per": "community"}])
def test_requests_that_make_no_sense_are_refused(bad):
    with pytest.raises(UsageError) as error:
        SiteRequest(STATION, **bad)
    assert set(told(error)) == {"siting.bad_request"}
