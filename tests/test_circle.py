"""The service circle: ideal towns with closed forms, invariants, and what it leaves in a plan."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan.categories import Category, CategoryTable, Profile
from gridplan.circle import Given, count_facilities, measure_circle, read_categories, record_circle
from gridplan.circle.capacity import measure_supply
from gridplan.errors import Findings, InputError
from gridplan.layers import conform
from gridplan.params import CircleParams, NetworkParams, Params
from gridplan.plan import Plan
from gridplan.plan.circle import forget_circle, tell_stale_circle

CRS = "EPSG:4549"
X, Y = 500_000.0, 3_500_000.0


def asked(*categories, walkers=("adult",), **circle):
    """A table of one profile, and the parameters that ask for it."""
    table = CategoryTable({"t": Profile("t", categories)}, "0" * 64, "own.csv")
    return table, Params(circle=CircleParams(profile="t", walkers=walkers, **circle),
                         network=NetworkParams(island_m=1.0))


def frame(layer, geometry, /, **columns):
    return conform(layer, gpd.GeoDataFrame(columns, geometry=list(geometry), crs=CRS))


def at(x, y):
    return shapely.Point(X + x, Y + y)


def make_plan(roads, homes, facilities, households=None, communities=None, kinds=None, **layers):
    """A plan of points with households; the community of a home is given by ``communities``."""
    count = len(homes)
    towns = [f"C{c}" for c in (communities or [0] * count)]
    names = sorted(set(towns))
    homes = [at(*h) if isinstance(h, tuple) else h for h in homes]
    box = [shapely.MultiPolygon([shapely.box(X - 9000 + 18000 * k / len(names), Y - 9000,
                                             X - 9000 + 18000 * (k + 1) / len(names), Y + 9000)])
           for k in range(len(names))]
    held = {
        "communities": frame("communities", box, community_id=names,
                             subdistrict_id=[f"S{n[1:]}" for n in names],
                             kind=kinds or ["urban"] * len(names)),
        "grids": frame("grids", [b.geoms[0] for b in box], grid_id=[f"{n}-1" for n in names],
                       community_id=names),
        "buildings": frame("buildings", homes, building_id=[f"b{k:05d}" for k in range(count)],
                           households=households or [1] * count, community_id=towns,
                           grid_id=[f"{t}-1" for t in towns]),
        "roads": frame("roads", [shapely.LineString([(X + x, Y + y) for x, y in r])
                                 for r in roads],
                       road_id=[f"r{k:04d}" for k in range(len(roads))],
                       road_class=["residential"] * len(roads)),
        "facilities": frame("facilities", [at(*f[1:3]) for f in facilities],
                            facility_id=[f"f{k:03d}" for k in range(len(facilities))],
                            categories=[f[0] for f in facilities],
                            name=[f"n{k}" for k in range(len(facilities))],
                            capacity=[f[3] if len(f) > 3 else None for f in facilities],
                            status=[f[4] if len(f) > 4 else None for f in facilities]), **layers}
    return Plan(held, CRS)


def measure(plan, table_params, **more):
    findings = Findings()
    return measure_circle(plan, *table_params, findings, **more), findings


def row(circle, category="park", walker="adult", reading="near", scope="city", scope_id="all"):
    table = circle.coverage.set_index(["scope", "scope_id", "category", "walker", "reading"])
    return table.loc[scope, scope_id, category, walker, reading]


def figure(circle, name, scope="city", scope_id="all"):
    table = circle.figures.set_index(["name", "scope", "scope_id"])
    return table.loc[name, scope, scope_id]


def lattice(size, step):
    """Streets of a square lattice about the origin, and its crossings."""
    line = [step * k for k in range(-size, size + 1)]
    roads = [[(x, y) for y in line] for x in line] + [[(x, y) for x in line] for y in line]
    return roads, [(x, y) for x in line for y in line]


# ---- ideal towns -----------------------------------------------------------------------------

@pytest.mark.parametrize("limit_m", [100.0, 450.0, 500.0, 1000.0])
def test_on_a_square_lattice_the_covered_form_a_diamond(limit_m):
    roads, homes = lattice(10, 100.0)
    plan = make_plan(roads, homes, [("park", 0, 0)])
    found, _ = measure(plan, asked(Category("park", limit_m=limit_m),
                                   walkers=("adult", "older", "frail")), areas=False)
    for walker, speed in (("adult", 1.25), ("older", 1.0), ("frail", 0.8)):
        steps = int((limit_m / 1.25 * speed + 1e-6) // 100)
        got = row(found, walker=walker)
        assert got["covered"] == 2 * steps * (steps + 1) + 1
        assert got["households"] == 21 * 21
    steps = np.sort([abs(x) + abs(y) for x, y in homes])
    assert row(found)["nearest_m"] == steps[len(steps) // 2]
    assert figure(found, "worst_decile_m:park")["value"] == steps[int(np.ceil(0.9 * 441)) - 1]


@given(st.integers(3, 40), st.floats(5, 80), st.floats(1, 2000))
@settings(max_examples=8)
def test_on_a_ring_both_sides_are_covered_alike(count, side_m, limit_m):
    turn = 2 * np.pi * np.arange(count + 1) / count
    radius = side_m / (2 * np.sin(np.pi / count))
    spots = [(radius * np.cos(a), radius * np.sin(a)) for a in turn[:-1]]
    plan = make_plan([[*spots, spots[0]]], spots, [("park", *spots[0])])
    steps = [min(k, count - k) * side_m for k in range(count)]
    if any(abs(s - limit_m) < 0.2 for s in steps):
        limit_m += 0.5
    found, _ = measure(plan, asked(Category("park", limit_m=limit_m)), areas=False)
    assert row(found)["covered"] == sum(s <= round(limit_m, 1) for s in steps)


def test_on_a_tree_every_branch_is_cut_at_the_limit():
    roads = [[(0, 0), (300, 0)], [(300, 0), (600, 0)], [(300, 0), (300, 250)]]
    homes = [(0, 0), (300, 0), (600, 0), (300, 250)]
    plan = make_plan(roads, homes, [("park", 0, 0)], households=[5, 7, 11, 13])
    found, _ = measure(plan, asked(Category("park", limit_m=550)), areas=False)
    got = row(found)
    assert (got["covered"], got["households"], got["share"]) == (25, 36, 25 / 36)
    assert got["nearest_m"] == 550
    assert figure(found, "worst_decile_m:park")["value"] == 600
    assert figure(found, "worst_decile_m:park")["target"] == 550


def test_who_is_cut_off_is_covered_by_nobody_and_the_middle_is_unknown_from_a_half_on():
    roads = [[(0, 0), (1000, 0)], [(0, 5000), (1000, 5000)]]
    for many, median in ((9, 100.0), (10, None), (11, None)):
        plan = make_plan(roads, [(100, 0), (100, 5000)], [("park", 0, 0)],
                         households=[10, many])
        found, _ = measure(plan, asked(Category("park", limit_m=500)), areas=False)
        got = row(found)
        assert got["covered"] == 10
        assert (None if pd.isna(got["nearest_m"]) else got["nearest_m"]) == median
        assert pd.isna(figure(found, "worst_decile_m:park")["value"])


def test_a_street_of_one_way_leads_cars_round_and_walkers_back():
    square = [(0, 0), (400, 0), (400, 400), (0, 400), (0, 0)]
    plan = make_plan([square], [(100, 0), (0, 100)], [("park", 0, 0)])
    plan = plan.with_layers(roads=plan.layer("roads").assign(one_way="forward"))
    found, _ = measure(plan, asked(Category("park", limit_m=50), walkers=("adult", "car")),
                       areas=False)
    homes = found.coverage.set_index(["scope", "walker"])
    assert homes.loc[("city", "adult"), "nearest_m"] == 100.0
    # Towards the park with the street: 1,500 m and 100 m, at 25 km/h instead of 8.3 m/s.
    slow = 8.3 / (25 / 3.6)
    assert homes.loc[("city", "car"), "nearest_m"] == pytest.approx(100 * slow)
    assert homes.loc[("city", "car"), "covered"] == 1
    assert homes.loc[("city", "car"), "limit_m"] == 332.0


def test_straight_ways_pass_over_everything():
    plan = make_plan([[(0, 0), (1000, 0)]], [(0, 30), (0, 60), (40, 0)], [("park", 0, 0)])
    found, _ = measure(plan, asked(Category("park", limit_m=30, measure="radius")))
    assert row(found)["covered"] == 1
    assert row(found)["nearest_m"] == 40
    assert found.service_areas["facility_id"].isna().all()


# ---- invariants ------------------------------------------------------------------------------

spots = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=5,
                 unique=True)


@given(spots, st.lists(st.integers(0, 30), min_size=81, max_size=81), st.sampled_from(
    [100.0, 250.0, 400.0]), st.tuples(st.integers(-4, 4), st.integers(-4, 4)))
@settings(max_examples=10)
def test_more_time_facilities_and_speed_never_cover_fewer_and_scopes_sum_up(
        places, households, limit_m, more):
    roads, homes = lattice(4, 100.0)
    if not any(households):
        households[0] = 1
    towns = [int(x > 0) for x, _ in homes]

    def cover(places, limit_m):
        facilities = [("park", 100 * x, 100 * y) for x, y in dict.fromkeys(places)]
        plan = make_plan(roads, homes, facilities, households, towns)
        return measure(plan, asked(Category("park", limit_m=limit_m),
                                   walkers=("adult", "older", "frail")), areas=False)[0]

    base = cover(places, limit_m)
    for other in (cover(places, limit_m + 100), cover([*places, more], limit_m)):
        both = base.coverage.merge(other.coverage, on=["scope", "scope_id", "walker"])
        assert (both["covered_y"] >= both["covered_x"]).all()
    city = base.coverage[base.coverage["scope"] == "city"]["covered"].tolist()
    assert city == sorted(city, reverse=True)  # adult, older, frail
    assert (base.coverage["covered"] <= base.coverage["households"]).all()
    sums = base.coverage.groupby(["scope", "walker"])[["households", "covered"]].sum()
    for walker in ("adult", "older", "frail"):
        assert len(sums.xs(walker, level="walker").drop_duplicates()) == 1
        assert sums.loc[("city", walker), "households"] == sum(households)
    tally = base.tally[1]
    assert tally.rows_in == tally.used + tally.rejected + tally.outside
    assert tally.households_in == tally.households_out == sum(households)


def test_the_nearest_facility_of_most_and_ties_to_the_first():
    plan = make_plan([[(0, 0), (1000, 0)]], [(100, 0), (900, 0), (500, 0)],
                     [("park", 1000, 0), ("park", 0, 0)], households=[4, 4, 1])
    found, _ = measure(plan, asked(Category("park", limit_m=50)), areas=False)
    assert row(found)["nearest_id"] == "f000"  # the middle is as near to both
    assert row(found)["covered"] == 0
    even = make_plan([[(0, 0), (1000, 0)]], [(100, 0), (900, 0)],
                     [("park", 1000, 0), ("park", 0, 0)], households=[4, 4])
    found, _ = measure(even, asked(Category("park", limit_m=50)), areas=False)
    assert row(found)["nearest_id"] == "f000"


# ---- figures ---------------------------------------------------------------------------------

def test_completeness_full_circle_and_choice_are_counted():
    plan = make_plan([[(0, 0), (1000, 0)]], [(0, 0), (500, 0), (1000, 0)],
                     [("park", 0, 0), ("park", 60, 0), ("bank", 500, 0), ("bank", 900, 0)],
                     households=[10, 20, 30])
    found, _ = measure(plan, asked(
        Category("park", limit_m=500, target_share=0.9), Category("bank", limit_m=100),
        Category("pitch", limit_m=500, required=False)), areas=False)
    got = figure(found, "completeness")
    assert (got["numerator"], got["denominator"]) == (30 + 50, 120)
    assert (figure(found, "full_circle")["numerator"]) == 20
    assert figure(found, "covered:park")["target"] == 0.9
    assert figure(found, "choice:park")["numerator"] == 10 + 20
    assert figure(found, "covered:pitch")["value"] == 0


def test_a_category_for_villages_is_asked_of_villages():
    plan = make_plan([[(-5000, 0), (5000, 0)]], [(-4000, 0), (4000, 0)], [("bank", -4000, 0)],
                     households=[10, 30], communities=[0, 1], kinds=["urban", "rural"])
    found, _ = measure(plan, asked(
        Category("bank", limit_m=500, kinds=("urban",)),
        Category("park", measure="presence", per="community", kinds=("rural",)),
        Category("bank2", measure="presence", per="subdistrict")), areas=False)
    assert figure(found, "covered:bank")["value"] == 1.0
    assert row(found, "bank")["share"] == 0.25  # the layer tells of everybody
    assert figure(found, "full_circle")["value"] == 1.0
    assert (figure(found, "presence:park")["numerator"],
            figure(found, "presence:park")["denominator"]) == (0, 1)
    assert figure(found, "presence:bank2")["denominator"] == 2


def test_demand_is_shared_out_in_bands_by_hand():
    """Two clinics; A sees 100 in band 1 and 50 in band 3, B the 50 in band 1, as 1, 0.68, 0.22."""
    origin, target = np.array([0, 1, 1]), np.array([0, 0, 1])
    found = measure_supply(origin, target, np.array([100.0, 300.0, 0.0]), 300.0,
                           np.array([100.0, 50.0]), np.array([20.0, 5.0]), (1.0, 0.68, 0.22))
    a, b = 20 / (100 + 50 * 0.22), 5 / 50
    assert found.load.tolist() == pytest.approx([111 / 20, 10])
    assert found.access.tolist() == pytest.approx([a, 0.22 * a + b])
    assert found.access @ [100.0, 50.0] == pytest.approx(25)


@given(st.integers(1, 6), st.integers(1, 5), st.randoms(use_true_random=False))
def test_all_capacity_that_can_be_reached_is_shared_out(people, clinics, rng):
    pairs = [(i, j) for i in range(people) for j in range(clinics) if rng.random() < 0.6]
    origin, target = (np.array([p[k] for p in pairs], dtype=np.int64) for k in (0, 1))
    demand = np.array([rng.randint(1, 99) for _ in range(people)], dtype=float)
    capacity = np.array([rng.choice([np.nan, 0.0, 7.0, 30.0]) for _ in range(clinics)])
    metres = np.array([rng.uniform(0, 500) for _ in pairs])
    found = measure_supply(origin, target, metres, 500.0, demand, capacity, (1.0, 0.5))
    reached = np.isin(np.arange(clinics), target)
    assert found.access @ demand == pytest.approx(np.nansum(capacity[reached]))
    assert np.isnan(found.load).tolist() == (~(np.nan_to_num(capacity) > 0)).tolist()


def test_loads_stand_at_the_facilities_and_overload_is_told():
    plan = make_plan([[(0, 0), (1000, 0)]], [(0, 0), (900, 0)],
                     [("bank", 0, 0, 50.0), ("bank", 1000, 0, 500.0), ("bank", 500, 400)],
                     households=[100, 90])
    found, findings = measure(plan, asked(Category("bank", limit_m=500)), areas=False)
    load = found.facilities["load"]
    assert load[0] == pytest.approx(2.0)
    assert load[1] == pytest.approx(90 / 500)
    assert pd.isna(load[2])
    told = next(f for f in findings.items if f.key == "circle.overloaded")
    assert (told.row, told.count) == ("n0", 1)
    assert figure(found, "supply:bank")["unit"] == "per 1000 households"
    assert figure(found, "supply:bank")["value"] == pytest.approx(1000 * 550 / 190)
    people = plan.layer("buildings").assign(population=pd.array([300, None], dtype="Int64"))
    found, _ = measure(plan.with_layers(buildings=people), asked(Category("bank", limit_m=500)),
                       areas=False)
    assert found.facilities["load"][1] == pytest.approx(3 * 90 / 500)
    assert figure(found, "supply:bank")["unit"] == "per 1000 people"


# ---- uncertain ways, a second state, areas -----------------------------------------------------

def test_an_estate_without_known_gates_has_two_readings():
    wall = shapely.MultiPolygon([shapely.box(X + 100, Y + 10, X + 300, Y + 210)])
    estates = frame("estates", [wall], estate_id=["e1"], name=["园"])
    plan = make_plan([[(0, 0), (1000, 0)], [(400, 0), (400, 300)]], [(110, 110), (900, 0)],
                     [("park", 0, 0)], households=[10, 5], estates=estates)
    found, _ = measure(plan, asked(Category("park", limit_m=300)), areas=False)
    near, far = row(found), row(found, reading="far")
    assert (near["covered"], far["covered"]) == (10, 0)
    assert far["nearest_m"] > near["nearest_m"]
    assert figure(found, "covered_far:park")["numerator"] == 0
    assert figure(found, "covered:park")["numerator"] == 10


def test_what_is_proposed_counts_only_afterwards():
    roads, homes = lattice(5, 100.0)
    plan = make_plan(roads, homes, [("park", -500, -500), ("bank", 0, 0)])
    new = frame("facilities", [at(500, 500)], facility_id=["f000"], categories=["公园"])
    table = asked(Category("park", limit_m=300), Category("bank", limit_m=300))
    before, _ = measure(plan, table, areas=False)
    found, _ = measure(plan, table, after=Given(new), areas=False)
    assert set(found.coverage["category"]) == {"park", "bank", "park:after"}
    pd.testing.assert_frame_equal(
        found.coverage[found.coverage["category"] != "park:after"], before.coverage)
    assert row(found, "park:after")["covered"] == 2 * row(found)["covered"] == 20
    kept = found.facilities.set_index("facility_id")["status"]
    assert kept.to_dict() == {"f000": "existing", "f001": "existing", "proposed:f000": "proposed"}
    assert found.tally[0].rows_in == found.tally[0].used == 3


def test_who_lives_behind_a_wall_is_not_in_the_area_of_the_street_before_it():
    wall = frame("barriers", [shapely.LineString([(X - 500, Y + 15), (X + 500, Y + 15)])],
                 barrier_id=["w"], kind=["wall"])
    roads = [[(-500, 0), (600, 0)], [(-500, 40), (600, 40)], [(600, 0), (600, 40)]]
    house = shapely.box(X - 5, Y + 20, X + 5, Y + 26)
    plan = make_plan(roads, [house, (0, 10)], [("park", 0, 0)], barriers=wall)
    found, _ = measure(plan, asked(Category("park", limit_m=200)))
    assert row(found)["covered"] == 1
    assert len(found.service_areas) == 2
    for area in found.service_areas.geometry:
        assert area.intersection(house).area < 1e-6
        assert area.covers(at(0, 10))


@given(spots, st.sampled_from([150.0, 310.0]))
@settings(max_examples=10)
def test_nobody_beyond_the_limit_lives_in_a_service_area(places, limit_m):
    roads, corners = lattice(4, 100.0)
    homes = [shapely.box(X + x + 8, Y + y + 8, X + x + 20, Y + y + 20) for x, y in corners]
    facilities = [("park", 100 * x, 100 * y) for x, y in places]
    plan = make_plan(roads, homes, facilities)
    found, _ = measure(plan, asked(Category("park", limit_m=limit_m)))
    areas = found.service_areas
    assert areas.geometry.is_valid.all()
    assert (areas.geometry.geom_type == "MultiPolygon").all()
    assert areas["area_id"].tolist() == [f"A{k:05d}" for k in range(1, len(areas) + 1)]
    assert areas["facility_id"].isna().tolist() == [True] + [False] * len(places)

    def reached(area, spots):
        inside = [b.representative_point().within(area) for b in homes]
        lengths = [min(_walk(x + 14, y + 14, 100 * a, 100 * b) for a, b in spots)
                   for x, y in corners]
        return list(zip(inside, lengths, strict=True))

    for area, held in zip(areas.geometry, [places, *[[p] for p in places]], strict=True):
        assert all(not inside or d <= limit_m + 1e-6 for inside, d in reached(area, held))
    whole = areas.geometry.iloc[0].buffer(0.01)
    assert all(part.within(whole) for part in areas.geometry.iloc[1:])


def _walk(x, y, a, b):
    """From a door 14 m off two streets of the lattice, along the one the leg takes, to a corner."""
    ways = []
    for px, py in ((x, y - 14), (x - 14, y)):
        along, across = (px, py) if py % 100 == 0 else (py, px)
        to, over = (a, b) if py % 100 == 0 else (b, a)
        low, high = np.floor(along / 100) * 100, np.ceil(along / 100) * 100
        ways.append(14 + (abs(along - to) if across == over else min(
            abs(along - end) + abs(end - to) for end in (low, high)) + abs(across - over)))
    return min(ways)


# ---- what it leaves in a plan ------------------------------------------------------------------

@pytest.fixture
def town():
    roads, homes = lattice(4, 100.0)
    return make_plan(roads, homes, [("park", 0, 0), ("bank", 200, 200, 5.0)],
                     communities=[int(x > 0) for x, _ in homes])


TABLE = asked(Category("park", limit_m=300), Category("bank", limit_m=300))


def recorded(plan, table_params=TABLE, findings=None, **more):
    findings = findings or Findings()
    circle = measure_circle(plan, *table_params, findings, **more)
    return record_circle(plan, circle, table_params[1], findings)


def test_measuring_again_changes_nothing(town):
    once = recorded(town)
    again = recorded(once)
    assert once.run == again.run
    for name in sorted(set(once.layers) - {"run"}):
        pd.testing.assert_frame_equal(once.layer(name), again.layer(name))


def test_what_it_left_can_be_taken_out(town):
    bare = forget_circle(recorded(town))
    assert not {"coverage", "service_areas"} & set(bare.layers)
    assert len(bare.layer("figures")) == len(bare.layer("tally")) == 0
    assert not [k for k in bare.run if k.startswith(("circle:", "upstream:", "digest:"))]
    assert bare.layer("facilities")["load"].isna().all()
    assert town.layer("facilities").drop(columns=["status", "geometry"]).equals(
        bare.layer("facilities").drop(columns=["status", "geometry"]))


def test_an_edit_makes_it_stale(town):
    plan = recorded(town)
    findings = Findings()
    tell_stale_circle(plan, findings)
    assert findings.items == []
    roads = plan.layer("roads").iloc[1:]
    tell_stale_circle(plan.with_layers(roads=roads), findings)
    assert [f.values["source"] for f in findings.items] == ["roads"]


def test_sites_go_with_the_circle_they_were_chosen_on(town):
    plan = recorded(town)
    sites = frame("sites", [at(0, 0)], site_id=["S001"], category=["park"])
    new = frame("facilities", [at(300, 300)], facility_id=["P001"], categories=["park"],
                status=["proposed"], source=["gridplan site"])
    both = pd.concat([plan.layer("facilities"), new], ignore_index=True)
    findings = Findings()
    again = recorded(plan.with_layers(sites=sites, facilities=both), findings=findings)
    assert [f.key for f in findings.items if f.layer == "sites"] == ["circle.sites_gone"]
    assert "sites" not in again.layers
    assert again.layer("facilities")["facility_id"].tolist() == ["f000", "f001"]


def test_points_of_demand_need_no_communities():
    points = gpd.GeoDataFrame({"demand_id": ["d1", "d2", "d3"], "households": [5, 7, 0],
                               "clinics": [2, 0, 1]}, crs=CRS,
                              geometry=[at(0, 0), at(400, 0), at(900, 0)])
    roads = frame("roads", [shapely.LineString([(X, Y), (X + 1000, Y)])], road_id=["r"],
                  road_class=["residential"])
    plan = Plan({"demand": points, "roads": roads}, CRS)
    facilities = count_facilities(points, {"clinics": "health_station"}, Findings())
    assert facilities["facility_id"].tolist() == ["d1:health_station", "d3:health_station"]
    found = recorded(plan, asked(Category("health_station", limit_m=300)),
                     facilities=Given(facilities))
    table = found.layer("coverage").set_index(["scope", "scope_id"])
    assert table["covered"].to_dict() == {("city", "all"): 5, ("demand", "d1"): 5,
                                          ("demand", "d2"): 0, ("demand", "d3"): 0}
    assert pd.isna(table.loc[("demand", "d3"), "share"])


# ---- what is refused ---------------------------------------------------------------------------

def refused(plan, table_params, **more):
    with pytest.raises(InputError) as caught:
        measure(plan, table_params, **more)
    assert all(f.mend("zh") for f in caught.value.findings)
    return [(f.key, f.layer, f.field) for f in caught.value.findings]


def test_what_cannot_be_measured_is_refused(town):
    table, params = TABLE
    other = dataclasses.replace(params, circle=CircleParams(profile="rural"))
    assert refused(town, (table, other)) == [("circle.no_profile", "", "circle.profile")]
    nobody = town.with_layers(buildings=town.layer("buildings").assign(households=0))
    assert refused(nobody, TABLE) == [("circle.no_households", "buildings", "")]
    nothing = town.with_layers(facilities=town.layer("facilities").iloc[:0])
    assert refused(nothing, TABLE) == [("circle.no_facilities", "facilities", "")]


def test_facilities_off_the_streets_are_refused_if_they_count(town):
    far = frame("facilities", [at(0, 0), at(4000, 0)], facility_id=["a", "b"],
                categories=["park", "park"], name=["a", "b"])
    assert refused(town, TABLE, facilities=Given(far)) == [("network.off", "facilities", "")]
    other = far.assign(categories=["park", "metro"])
    assert measure(town, TABLE, facilities=Given(other), areas=False)[0] is not None


def test_faults_of_both_lists_are_told_at_once(town):
    one = frame("facilities", [at(0, 0)], facility_id=["a"], categories=["parc"])
    two = frame("facilities", [at(0, 0)], facility_id=["a"], capacity=[-1])
    assert {key for key, _, _ in refused(town, TABLE, facilities=Given(one), after=Given(two))
            } == {"circle.unknown_category", "circle.no_category", "circle.negative"}


def test_categories_without_a_facility_are_told(town):
    table = asked(Category("park", limit_m=300), Category("pitch", limit_m=300),
                  Category("bank", measure="presence", per="community"))
    found, findings = measure(town, table, areas=False)
    told = next(f for f in findings.items if f.key == "circle.none_of")
    assert told.values["categories"] == "pitch"
    assert row(found, "pitch")["covered"] == 0
    assert pd.isna(row(found, "pitch")["nearest_id"])


def test_counts_that_are_none_are_refused():
    points = gpd.GeoDataFrame({"demand_id": ["d1", "d2"], "n": [-1, 2], "m": ["x", "1"]},
                              geometry=[at(0, 0), at(1, 0)], crs=CRS)
    findings = Findings()
    with pytest.raises(InputError):
        count_facilities(points, {"n": "bank", "m": "park", "q": "pitch"}, findings, file="d.csv")
    assert [(f.key, f.row, f.field) for f in findings.items] == [
        ("circle.negative", "d1", "n"), ("circle.negative", "d1", "m"),
        ("circle.no_column", "", "q")]


def test_a_workbook_of_categories_is_read(tmp_path):
    import xlsxwriter
    path = tmp_path / "own.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["profile", "category", "limit_m", "grade", "source"])
        sheet.write_row(1, 0, ["ours", "park", 500, "C", "凭记忆"])
    table = read_categories(path, Findings())
    assert table.profile("ours").limit_m("park") == 500
    assert table.file == "own.xlsx"
