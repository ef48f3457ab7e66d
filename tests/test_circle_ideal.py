"""The service circle: ideal towns with closed forms, what must be monotone, what must add up."""

from __future__ import annotations

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan.categories import read_rows
from gridplan.circle import Given, measure_after, measure_circle, record_circle
from gridplan.errors import Findings, InputError
from gridplan.layers import conform
from gridplan.params import CircleParams, Params
from gridplan.plan import Plan
from gridplan.plan.circle import forget_circle, tell_stale_circle

CRS = "EPSG:4549"
X, Y, STEP = 600_000.0, 3_700_000.0, 100.0
HEAD = ["profile", "category", "limit_m", "measure", "per", "required", "target_share", "osm", "grade", "source"]


def make_table(*rows):
    """A table of one profile: a line per (category, limit_m, measure)."""
    lines = [["p", name, f"{limit:g}", measure, "", "yes", "", "", "C", "from memory"]
             for name, limit, measure in rows]
    return read_rows([HEAD, *lines], list(range(1, len(lines) + 2)), "t.csv", Findings(), "0" * 64)


def make_plan(nodes, edges, places, *, households=None, capacity=None, categories=None, **facts):
    """A plan of demand points at ``nodes``, straight streets between them, facilities at nodes."""
    at = np.asarray(nodes, dtype=float) + [X, Y]
    count = [1] * len(at) if households is None else households
    roads = gpd.GeoDataFrame(
        {"road_id": [f"r{k:04d}" for k in range(len(edges))], "road_class": "residential"},
        geometry=[shapely.LineString(at[[a, b]]) for a, b in edges], crs=CRS)
    demand = gpd.GeoDataFrame({"demand_id": [f"d{k:04d}" for k in range(len(at))],
                               "households": count, **facts}, geometry=shapely.points(at), crs=CRS)
    facilities = gpd.GeoDataFrame(
        {"facility_id": [f"f{k}" for k in range(len(places))], "name": [f"n{k}" for k in
                                                                        range(len(places))],
         "categories": categories or ["park"] * len(places), "capacity": capacity,
         "status": "existing"}, geometry=shapely.points(at[list(places)]).reshape(-1), crs=CRS)
    layers = {"demand": demand, "roads": roads, "facilities": facilities}
    layers = {name: conform(name, frame) for name, frame in layers.items()}
    layers["run"] = conform("run", pd.DataFrame({"key": ["seed"], "value": ["1"]}))
    return Plan(layers, gpd.GeoSeries(crs=CRS).crs)


def lattice(size):
    nodes = [(STEP * i, STEP * j) for j in range(size) for i in range(size)]
    edges = [(k, k + 1) for k in range(size * size) if k % size < size - 1]
    return nodes, edges + [(k, k + size) for k in range(size * (size - 1))]


def ring(count):
    turn = 2 * np.pi * np.arange(count) / count
    radius = STEP / (2 * np.sin(np.pi / count))
    return (np.column_stack([np.cos(turn), np.sin(turn)]) * radius,
            [(k, (k + 1) % count) for k in range(count)])


def star(arms, length):
    turn = 2 * np.pi * np.arange(arms) / arms
    nodes, edges = [(0.0, 0.0)], []
    for c, s in zip(np.cos(turn), np.sin(turn), strict=True):
        for k in range(1, length + 1):
            edges.append((len(nodes) - 1 if k > 1 else 0, len(nodes)))
            nodes.append((c * STEP * k, s * STEP * k))
    return nodes, edges


def params_of(*walkers, **more):
    return Params(circle=CircleParams(profile="p", walkers=walkers or ("adult",), **more))


def measure(plan, limit_m=500.0, walkers=("adult",), *, measure="network", areas=False, **more):
    table = make_table(("park", limit_m, measure))
    return measure_circle(plan, table, params_of(*walkers), Findings(), areas=areas, **more)


def covered(circle, walker="adult", category="park", reading="near"):
    rows = circle.coverage
    row = rows[(rows["scope"] == "city") & (rows["walker"] == walker)
               & (rows["category"] == category) & (rows["reading"] == reading)]
    return int(row["covered"].iloc[0])


# ---- ideal towns ---------------------------------------------------------------------------

@pytest.mark.parametrize("limit", [99, 100, 250, 300, 401])
def test_on_a_square_lattice_a_diamond_is_covered(limit):
    plan = make_plan(*lattice(11), [60])
    reach = int(limit // STEP)
    assert covered(measure(plan, limit)) == 2 * reach * reach + 2 * reach + 1


@pytest.mark.parametrize("limit", [50, 101, 399, 701])
def test_on_a_ring_both_sides_are_covered(limit):
    assert covered(measure(make_plan(*ring(24), [0]), limit)) == 2 * int(limit // STEP) + 1


@pytest.mark.parametrize("limit", [50, 150, 301, 1000])
def test_on_a_tree_every_arm_is_covered(limit):
    plan = make_plan(*star(5, 6), [0])
    assert covered(measure(plan, limit)) == 1 + 5 * min(int(limit // STEP), 6)


def test_slow_walkers_get_as_many_minutes_and_fewer_metres():
    circle = measure(make_plan(*star(1, 20), [0]), 1000.0, ("adult", "older", "frail"))
    assert [covered(circle, w) for w in ("adult", "older", "frail")] == [11, 9, 7]
    limits = circle.coverage.groupby("walker")["limit_m"].first()
    assert limits[["adult", "older", "frail"]].tolist() == [1000.0, 800.0, 640.0]


def test_what_is_measured_straight_ignores_streets():
    plan = make_plan([(0, 0), (0, 300), (300, 300), (300, 0)], [(0, 1), (1, 2), (2, 3)], [0])
    assert covered(measure(plan, 350.0)) == 2
    assert covered(measure(plan, 350.0, measure="radius")) == 3


def test_medians_tenths_and_choices_are_those_of_households():
    plan = make_plan(*star(1, 9), [0, 2], households=[0, 1, 1, 1, 1, 1, 1, 1, 1, 2])
    circle = measure(plan, 300.0)
    city = circle.coverage[circle.coverage["scope"] == "city"].iloc[0]
    assert (city["households"], city["covered"], city["nearest_id"]) == (10, 5, "f1")
    assert city["nearest_m"] == pytest.approx(300.0)
    figure = circle.figures.set_index(["name", "scope", "scope_id"])["value"]
    assert figure["worst_decile_m:park", "city", "all"] == pytest.approx(700.0)
    assert figure["choice:park", "city", "all"] == pytest.approx(0.3)
    assert figure["completeness", "city", "all"] == figure["full_circle", "city", "all"] == 0.5


def test_a_full_facility_is_named():
    findings = Findings()
    plan = make_plan(*star(1, 2), [0], capacity=[1.0], households=[1, 1, 1])
    circle = measure_circle(plan, make_table(("park", 300.0, "network")), params_of(), findings)
    assert circle.facilities["load"].tolist() == pytest.approx([1 + 1 + 0.68])
    assert [f.row for f in findings.items if f.key == "circle.overloaded"] == ["n0"]


# ---- what must be so in any town -----------------------------------------------------------

@st.composite
def towns(draw):
    size = draw(st.integers(3, 5))
    nodes, edges = lattice(size)
    # A comb holds it together; of the other cross streets some are missing.
    held = [(a, b) for a, b in edges if b - a == size or b < size or draw(st.booleans())]
    places = draw(st.lists(st.integers(0, len(nodes) - 1), min_size=1, max_size=3, unique=True))
    homes = draw(st.lists(st.integers(0, 9), min_size=len(nodes), max_size=len(nodes)).filter(any))
    return nodes, held, places, homes


def by_place(circle, walker="adult"):
    rows = circle.coverage
    return rows[(rows["walker"] == walker) & (rows["category"] == "park")].set_index(
        ["scope", "scope_id"])["covered"].astype(int)


@settings(max_examples=12)
@given(towns(), st.integers(50, 500), st.integers(0, 300))
def test_a_longer_limit_never_covers_less(town, limit, more):
    nodes, edges, places, homes = town
    plan = make_plan(nodes, edges, places, households=homes)
    assert (by_place(measure(plan, limit)) <= by_place(measure(plan, limit + more))).all()


@settings(max_examples=12)
@given(towns(), st.integers(50, 500))
def test_more_facilities_never_cover_less(town, limit):
    nodes, edges, places, homes = town
    few = make_plan(nodes, edges, places[:1], households=homes)
    many = make_plan(nodes, edges, places, households=homes)
    assert (by_place(measure(few, limit)) <= by_place(measure(many, limit))).all()


@settings(max_examples=12)
@given(towns(), st.integers(50, 900))
def test_faster_walkers_never_reach_less(town, limit):
    nodes, edges, places, homes = town
    circle = measure(make_plan(nodes, edges, places, households=homes), limit,
                     ("adult", "older", "frail"))
    slow, middle, fast = (by_place(circle, w) for w in ("frail", "older", "adult"))
    assert (slow <= middle).all()
    assert (middle <= fast).all()


@settings(max_examples=12)
@given(towns(), st.integers(50, 500))
def test_places_add_up_to_the_city(town, limit):
    nodes, edges, places, homes = town
    rows = measure(make_plan(nodes, edges, places, households=homes), limit).coverage
    city, parts = (rows[rows["scope"] == scope] for scope in ("city", "demand"))
    for column in ("households", "covered"):
        assert parts[column].sum() == city[column].iloc[0]
    assert (rows["covered"] <= rows["households"]).all()
    assert city["households"].iloc[0] == sum(homes)


@settings(max_examples=12)
@given(towns(), st.integers(50, 400))
def test_no_point_out_of_reach_lies_in_a_service_area(town, limit):
    nodes, edges, places, homes = town
    plan = make_plan(nodes, edges, places, households=homes)
    areas = measure(plan, limit, areas=True).service_areas
    assert areas.geometry.is_valid.all()
    # The truth by Floyd and Warshall.
    far = np.full((len(nodes), len(nodes)), np.inf)
    np.fill_diagonal(far, 0.0)
    for a, b in edges:
        far[a, b] = far[b, a] = STEP
    for k in range(len(nodes)):
        far = np.minimum(far, far[:, [k]] + far[[k]])
    points = plan.layer("demand").geometry.to_numpy()
    for area in areas.itertuples():
        own = places if pd.isna(area.facility_id) else [places[int(area.facility_id[1:])]]
        out = far[:, own].min(axis=1) > limit
        assert not shapely.contains(area.geometry, points[out]).any()


# ---- the plan ------------------------------------------------------------------------------

def put_in(plan, circle, params=None):
    return record_circle(plan, circle, params or params_of(), Findings())


def test_a_second_circle_replaces_the_first():
    plan = make_plan(*lattice(4), [0])
    once = put_in(plan, measure(plan, 300.0))
    twice = put_in(once, measure(once, 100.0))
    assert len(twice.layer("coverage")) == len(once.layer("coverage"))
    assert set(twice.layer("coverage")["limit_m"]) == {100.0}
    bare = forget_circle(twice)
    assert "coverage" not in bare.layers
    assert not [k for k in bare.run if k.startswith(("circle:", "upstream:"))]


def test_a_plan_whose_roads_changed_is_told_to_be_measured_again():
    plan = make_plan(*lattice(4), [0])
    done, findings = put_in(plan, measure(plan)), Findings()
    tell_stale_circle(done, findings)
    assert not findings.items
    tell_stale_circle(done.with_layers(roads=done.layer("roads").iloc[1:]), findings)
    assert [(f.key, f.values["source"]) for f in findings.items] == [("plan.stale", "roads")]


def test_planned_facilities_are_measured_beside_the_others():
    plan = make_plan(*star(1, 9), [0])
    later = make_plan(*star(1, 9), [9]).layer("facilities").assign(
        facility_id="new", name="new", status="proposed")
    circle = measure(plan, 200.0, after=Given(gpd.GeoDataFrame(later)))
    assert covered(circle) == 3
    assert covered(circle, category="park:after") == 6
    done = put_in(plan, circle)
    again = measure_after(done, circle.profile, params_of(), Findings())
    pd.testing.assert_frame_equal(again, circle.coverage[
        circle.coverage["category"] == "park:after"].reset_index(drop=True))


def test_the_order_of_rows_changes_nothing():
    plan = make_plan(*lattice(5), [3, 17], households=list(range(25)))
    turned = plan.with_layers(**{name: plan.layer(name).iloc[::-1].reset_index(drop=True)
                                 for name in ("demand", "roads", "facilities")})
    pd.testing.assert_frame_equal(measure(plan).coverage, measure(turned).coverage)


# ---- faults --------------------------------------------------------------------------------

def faults_of(plan, table=None, params=None):
    with pytest.raises(InputError) as caught:
        measure_circle(plan, table or make_table(("park", 300.0, "network")),
                       params or params_of(), Findings())
    return {f.key for f in caught.value.findings}


def test_a_profile_that_is_not_there_is_named():
    other = dataclasses.replace(params_of(), circle=CircleParams(profile="q"))
    assert faults_of(make_plan(*lattice(3), [0]), params=other) == {"circle.no_profile"}


def test_a_circle_needs_households_and_facilities():
    nobody = make_plan(*lattice(3), [0], households=[0] * 9)
    assert faults_of(nobody) == {"circle.no_households"}
    assert faults_of(make_plan(*lattice(3), [])) == {"circle.no_facilities"}


def test_a_facility_off_the_streets_is_named():
    plan = make_plan(*lattice(3), [0])
    far = plan.layer("facilities")
    far = far.set_geometry(shapely.points([[X - 900.0, Y]]), crs=CRS)
    assert faults_of(plan.with_layers(facilities=far)) == {"network.off"}


def test_unknown_categories_and_negative_capacities_are_told_at_once():
    plan = make_plan(*lattice(3), [0, 4], categories=["prak", "park"], capacity=[1.0, -2.0])
    assert faults_of(plan) == {"circle.unknown_category", "circle.negative"}
