"""The figures of patrols: what each is worth in towns small enough to count by hand."""

import itertools

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan.errors import Findings
from gridplan.i18n import load_room
from gridplan.layers import conform
from gridplan.params import NetworkParams, Params
from gridplan.patrol.figures import (
    FIGURES,
    blind_stretches,
    find_bottleneck,
    find_exits,
    measure_patrol,
    place_units,
    prefer_blind,
    read_made,
)
from gridplan.patrol.figures.idleness import measure_idleness
from gridplan.patrol.figures.passing import add_visibility
from gridplan.patrol.figures.table import Table
from gridplan.patrol.figures.units import follow_units, locate_visits, sample_times
from gridplan.patrol.figures.unpredictable import find_entropy, measure_entropy, measure_overlap
from gridplan.patrol.figures.watch import find_seen
from gridplan.plan import Plan
from tests.routes import make_plan

CRS = "EPSG:4549"
X, Y = 500_000.0, 3_500_000.0
PARAMS = Params(network=NetworkParams(island_m=1.0))


def at(x, y=0.0):
    return shapely.Point(X + x, Y + y)


def line(*places):
    return shapely.LineString([(X + x, Y + y) for x, y in places])


def box(a, b, c, d):
    return shapely.MultiPolygon([shapely.box(X + a, Y + b, X + c, Y + d)])


def layer(name, rows, geometry=None):
    """A layer out of rows; ``geometry`` names the column that holds it."""
    if geometry is None:
        return conform(name, pd.DataFrame(rows))
    shapes = [row["geometry"] for row in rows]
    plain = pd.DataFrame([{k: v for k, v in row.items() if k != "geometry"} for row in rows])
    return conform(name, gpd.GeoDataFrame(plain, geometry=shapes, crs=CRS))


def team(team_id="T1", shift="08:00-16:00", **more):
    start, end = shift.split("-")
    return {"team_id": team_id, "tier": "town", "mode": "foot", "station_id": "ST",
            "shift_start": start, "shift_end": end, "members": 2, **more}


def piece(required_id, *places, **more):
    return {"required_id": required_id, "tier": "town", "passes_per_day": 1, "day_kind": "all",
            "geometry": line(*places), **more}


def stop(stop_id, place, **more):
    return {"stop_id": stop_id, "kind": "school", "visits_per_day": 1, "geometry": at(*place),
            **more}


def trip(team_id, day, shift, way, visits, **more):
    """A route; visits are (id, arrive, depart): Q… is a pass, S… a stop, a blank a rest."""
    return {"team_id": team_id, "day": day, "shift": shift, "mode": "foot", "visits": visits,
            "geometry": line(*way), "distance_m": line(*way).length, **more}


def make(teams, trips=(), required=(), stops=(), days=("D1",), roads=(((0, 0), (1000, 0)),),
         **tables):
    """A plan of one town of 20,000 people with a station at its origin."""
    held = {"communities": layer("communities", [
        {"community_id": "C1", "population": 20_000, "geometry": box(-5000, -5000, 5000, 5000)}],
        "geometry"),
        "roads": layer("roads", [{"road_id": f"r{k}", "road_class": "residential",
                                  "geometry": line(*r)} for k, r in enumerate(roads)], "geometry"),
        "stations": layer("stations", [{"station_id": "ST", "geometry": at(0)}], "geometry"),
        "teams": layer("teams", list(teams))}
    for name, rows in (("required", required), ("stops", stops)):
        if rows:
            held[name] = layer(name, list(rows), "geometry")
    routes, visits = [], []
    for k, one in enumerate(trips, 1):
        routes.append({"route_id": f"R{k:05d}", **{n: v for n, v in one.items() if n != "visits"}})
        visits += [{"visit_id": f"R{k:05d}-{n:04d}", "route_id": f"R{k:05d}", "order": n,
                    "stop_id": i if i.startswith("S") else None,
                    "required_id": i if i.startswith("Q") else None,
                    "instruction": None if i else "break", "arrive": a, "depart": d}
                   for n, (i, a, d) in enumerate(one["visits"], 1)]
    if routes:
        held["routes"] = layer("routes", routes, "geometry")
        held["visits"] = layer("visits", visits or {"visit_id": []})
    for name, rows in tables.items():
        held[name] = layer(name, rows, "geometry" if "geometry" in rows[0] else None)
    run = pd.DataFrame({"key": ["patrol:days"], "value": [",".join(days)]})
    return Plan({**held, "run": run}, CRS)


def figures(plan, **more):
    """Name, scope, scope_id → (value, numerator, denominator); what is blank is None."""
    table = measure_patrol(plan, PARAMS, Findings(), **more)
    return {(r.name, r.scope, r.scope_id): tuple(
        None if pd.isna(v) else v for v in (r.value, r.numerator, r.denominator))
        for r in table.astype({"name": object}).itertuples(index=False, name="Row")}


def figure(plan, name, scope="city", scope_id="all", **more):
    return figures(plan, **more)[name, scope, scope_id][0]


# ---- passes -----------------------------------------------------------------------------------

WAY = ((0, 0), (400, 0), (0, 0))
STREETS = (piece("Q1", (0, 0), (300, 0)), piece("Q2", (300, 0), (400, 0)))
EARLY, LATE = "08:00-16:00", "16:00-24:00"


def two_shifts(**more):
    """Q1 is passed in both shifts of D1, Q2 only in the late one; on D2 Q1 in the early one."""
    return make([team("T1"), team("T2", LATE)], [
        trip("T1", "D1", EARLY, WAY, [("Q1", "08:10", "08:15")]),
        trip("T2", "D1", LATE, WAY, [("Q1", "16:10", "16:15"), ("Q2", "16:15", "16:17")]),
        trip("T1", "D2", EARLY, WAY, [("Q1", "08:10", "08:15")])], STREETS, days=("D1", "D2"),
        **more)


def test_visibility_counts_length_with_a_pass_in_every_shift_on_duty():
    found = figures(two_shifts())
    assert found["street_visibility", "city", "all"] == (1000 / 1600, 1000, 1600)
    assert found["street_visibility", "shift", EARLY] == (600 / 800, 600, 800)
    assert found["street_visibility", "shift", LATE] == (400 / 800, 400, 800)
    assert found["street_visibility", "tier", "town"][0] == 1000 / 1600


def test_a_street_of_workdays_is_not_asked_for_at_the_weekend():
    streets = [piece("Q1", (0, 0), (300, 0), day_kind="workday")]
    shown = [trip("T1", "D5", EARLY, WAY, [("Q1", "08:10", "08:15")])]
    assert figures(make([team()], shown, streets, days=("D5", "D6")))[
        "street_visibility", "city", "all"] == (1.0, 300, 300)
    told = [{"calendar_id": "1", "date": "D6", "day_kind": "workday"}]
    assert figures(make([team()], shown, streets, days=("D5", "D6"), calendar=told))[
        "street_visibility", "city", "all"] == (0.5, 300, 600)


def test_passes_of_another_tier_and_optional_streets_do_not_show():
    streets = [STREETS[0], piece("Q2", (300, 0), (400, 0), optional=True)]
    plan = make([team(), team("T9", tier="city")], [
        trip("T9", "D1", EARLY, WAY, [("Q1", "08:10", "08:15")]),
        trip("T1", "D1", EARLY, WAY, [("Q2", "08:10", "08:15")])], streets)
    assert figures(plan)["street_visibility", "city", "all"] == (0.0, 0, 300)


def test_only_the_teams_that_the_calendar_names_are_on_duty():
    told = [{"calendar_id": "1", "date": "D2", "team_id": "T1", "shift": "09:00-12:00"}]
    found = figures(two_shifts(calendar=told))
    assert found["street_visibility", "shift", LATE] == (1.0, 400, 400)
    assert found["street_visibility", "shift", "09:00-12:00"] == (0.0, 0, 400)


def test_zones_hold_the_streets_whose_middle_they_hold():
    zones = [{"zone_id": "Z1", "tier": "town", "geometry": box(-10, -10, 200, 10)},
             {"zone_id": "Z2", "tier": "town", "geometry": box(200, -10, 300, 10)},
             {"zone_id": "Z0", "tier": "city", "geometry": box(-10, -10, 400, 10)}]
    found = figures(two_shifts(zones=zones))
    assert found["street_visibility", "zone", "Z1"] == (900 / 1200, 900, 1200)
    assert found["street_visibility", "zone", "Z2"] == (100 / 400, 100, 400)  # beside it, nearest
    assert ("street_visibility", "zone", "Z0") not in found


def test_shares_are_made_of_asked():
    lost = [{"unmet_id": "1", "required_id": "Q2", "visits": 2, "reason": "crowded"},
            {"unmet_id": "2", "stop_id": "S1", "visits": 1, "reason": "window"}]
    plan = make([team()], [trip("T1", "D1", EARLY, WAY, [
        ("Q1", "08:10", "08:15"), ("Q2", "08:15", "08:17"), ("S1", "08:20", "08:30")])], STREETS,
        [stop("S1", (100, 0), visits_per_day=2)], unmet=lost)
    found = figures(plan)
    assert found["pass_share", "city", "all"] == (0.5, 2, 4)
    assert found["visit_share", "city", "all"] == (0.5, 1, 2)


def test_frequency_is_passes_a_kilometre_a_day():
    # 3 · 300 m + 1 · 100 m over 400 m and two days.
    assert figures(two_shifts())["frequency", "city", "all"] == (1.25, 1.0, 0.8)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 1)), max_size=12),
       st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 1)))
def test_one_more_pass_never_lowers_visibility(passes, more):
    streets = [piece(f"Q{k}", (0, 50 * k), (100 * (k + 1), 50 * k), tier="town") for k in range(5)]
    days, shifts = ("D1", "D2", "D3"), (EARLY, LATE)

    def visibility(held):
        trips = [trip(f"T{s}", days[d], shifts[s], WAY, [
            (f"Q{q}", "10:00", "10:05") for q, e, t in held if (e, t) == (d, s)])
            for d in range(3) for s in range(2)]
        table = Table()
        add_visibility(table, read_made(make(
            [team("T0", EARLY), team("T1", LATE)], trips, streets, days=days)))
        return table.frame()["value"].iloc[0]

    before, after = visibility(passes), visibility([*passes, more])
    assert 0 <= before <= after <= 1
    assert (after > before) == (more not in passes)


# ---- idleness ---------------------------------------------------------------------------------

def test_idleness_is_gaps_within_the_horizon_weighted_by_length():
    plan = make([team()], [trip("T1", "D1", EARLY, WAY, [
        ("Q1", "10:00", "10:05"), ("Q1", "14:00", "14:05")])], STREETS)
    found = figures(plan)
    # Q1: gaps of 120, 240, 120 of 480 minutes; Q2: one gap of 480.
    one, two = (120**2 + 240**2 + 120**2) / 960, 480**2 / 960
    assert found["idleness_mean", "city", "all"][0] == pytest.approx((300 * one + 100 * two) / 400)
    assert found["idleness_worst", "city", "all"][0] == 480


def test_a_stop_of_every_day_counts_from_visit_to_visit():
    stops = [stop("S1", (100, 0)), stop("S2", (200, 0), visits_per_day=None, visits_per_week=1)]
    plan = make([team()], [trip("T1", "D1", EARLY, WAY, [("S1", "09:00", "09:10")])], (), stops)
    assert figure(plan, "stop_gap_worst") == 7 * 60


@given(st.lists(st.floats(0, 600), max_size=8), st.floats(0, 600))
def test_one_more_pass_never_makes_streets_idler(times, more):
    thing = np.zeros(len(times), np.int64)
    before = measure_idleness(thing, np.array(times), 1, (0.0, 600.0))
    after = measure_idleness(np.append(thing, 0), np.array([*times, more]), 1, (0.0, 600.0))
    assert after[0] <= before[0] + 1e-9
    assert after[1] <= before[1] + 1e-9
    assert before[1] / 2 <= 300
    assert before[0] <= 300 + 1e-9


@pytest.mark.parametrize(("depart", "good"), [("09:09", 0), ("09:10", 1), ("09:16", 1),
                                              ("09:17", 0)])
def test_a_dose_is_10_to_16_minutes(depart, good):
    stops = [stop("S1", (100, 0), kind="hotspot"), stop("S2", (200, 0))]
    plan = make([team()], [trip("T1", "D1", EARLY, WAY, [
        ("S1", "09:00", depart), ("S2", "10:00", "10:12")])], (), stops)
    assert figures(plan)["dosage_share", "city", "all"] == (good, good, 1)


# ---- routes -----------------------------------------------------------------------------------

def test_routes_tell_balance_deadhead_and_gap():
    teams = [team("T1", zone_id="Z1"), team("T2", zone_id="Z1"), team("T3", zone_id="Z2")]
    plan = make(teams, [
        trip("T1", "D1", EARLY, WAY, [], duration_min=60, deadhead_m=200, gap=0.01),
        trip("T2", "D1", EARLY, WAY, [], duration_min=90, deadhead_m=0, gap=0.01),
        trip("T3", "D1", EARLY, WAY, [], duration_min=50, deadhead_m=400)], STREETS)
    found = figures(plan)
    assert found["balance", "zone", "Z1"] == (1.2, 90, 75)
    assert found["deadhead_share", "city", "all"] == (0.25, 600, 2400)
    assert found["deadhead_share", "zone", "Z1"][0] == 0.125
    assert found["deadhead_share", "team", "T3"][0] == 0.5
    assert found["patrol_gap", "city", "all"][0] == 0.01
    assert found["patrol_gap", "zone", "Z2"][0] is None


# ---- unpredictability -------------------------------------------------------------------------

def arrivals(*rows):
    return pd.DataFrame(rows, columns=["thing", "day", "minute"])


def test_entropy_of_two_visits_a_day_is_that_of_the_first_and_of_the_second():
    # The first at 8:00 on both days, the second at 10:00 and at 11:00: 0 and 1 bit.
    held = arrivals(("a", 0, 480.0), ("a", 0, 600.0), ("a", 1, 485.0), ("a", 1, 660.0),
                    ("b", 0, 480.0))
    assert measure_entropy(held) == (0.5, 1)


def test_overlap_is_what_the_day_after_has_as_well():
    held = arrivals(("a", 0, 480.0), ("b", 0, 480.0), ("a", 1, 494.0), ("c", 1, 480.0),
                    ("a", 2, 495.0))
    assert measure_overlap(held, [0, 1, 2]) == (0.5 + 0.0) / 2


def test_a_week_tells_entropy_and_its_limit():
    days = ("D1", "D2", "D3", "D4")
    plan = make([team()], [trip("T1", d, EARLY, WAY, [("S1", f"{8 + k}:00", f"{8 + k}:10")])
                           for k, d in enumerate(days)], (), [stop("S1", (100, 0))], days=days)
    found = figures(plan)
    assert found["entropy_bits", "city", "all"][0] == 2.0
    assert found["entropy_most", "city", "all"][0] == 2.0
    assert found["day_overlap", "city", "all"][0] == 0.0
    single = figures(make([team()], (), STREETS))
    assert all(single[n, "city", "all"][0] is None
               for n in ("entropy_bits", "entropy_most", "day_overlap"))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 4), st.integers(0, 2000)),
                max_size=30))
def test_entropy_lies_between_none_and_the_days(rows):
    held = arrivals(*((a, d, float(m)) for a, d, m in rows))
    held = held.astype({"thing": object, "day": np.int64, "minute": np.float64})
    mean, things = measure_entropy(held)
    assert (mean is None) == (things == 0)
    assert mean is None or 0 <= mean <= np.log2(5) + 1e-12
    told = {}
    for thing in sorted(set(held["thing"])):
        lists = [sorted(m for a, d, m in rows if (a, d) == (thing, day)) for day in range(5)]
        nth = [[int(m[k]) // 15 % 96 for m in lists if len(m) > k] for k in range(30)]
        told[thing] = [find_entropy(b) for b in nth if len(b) > 1]
    means = [np.mean(bits) for bits in told.values() if bits]
    assert mean == (pytest.approx(np.mean(means)) if means else None)
    share = measure_overlap(held, range(5))
    assert share is None or 0 <= share <= 1


@given(st.lists(st.integers(0, 95), min_size=1, max_size=20))
def test_entropy_does_not_depend_on_the_order(bands):
    assert find_entropy(bands) == pytest.approx(find_entropy(bands[::-1]))
    assert 0 <= find_entropy(bands) <= np.log2(len(bands)) + 1e-12


# ---- staff ------------------------------------------------------------------------------------

def test_staff_is_the_fullest_shift_times_the_crews_of_the_tier():
    crews = [{"calendar_id": str(k), "date": "D1", "crew": c, "team_id": t}
             for k, (c, t) in enumerate([("A", "T1"), ("B", "T2"), ("C", "T3"), ("X", "T4")])]
    teams = [team("T1", members=3), team("T2", LATE, members=4), team("T3", members=2),
             team("T4", tier="city", members=None)]
    plan = make(teams, calendar=crews)
    found = figures(plan)
    assert found["patrol_staff", "tier", "town"][0] == 5 * 3
    assert found["patrol_staff", "tier", "city"][0] == 2  # by default a team has two
    assert found["staff_per_10000", "city", "all"] == (8.5, 17, 2.0)
    target = measure_patrol(plan, PARAMS, Findings()).set_index(["name", "scope_id"])["target"]
    assert target["staff_per_10000", "all"] == 14
    assert (target["patrol_staff", "city"], target["patrol_staff", "town"]) == (1000, 200)


# ---- places -----------------------------------------------------------------------------------

def spot(plan, day, minute):
    return {r.team_id: (r.geometry.x - X, r.geometry.y - Y)
            for r in place_units(plan, day, minute).itertuples()}


def test_a_unit_is_at_its_station_on_the_way_at_a_stop_at_rest_and_back():
    # 600 m out in 60 minutes, half of them a rest; back the 600 m in 30 as it came.
    plan = make([team(), team("T2")], [trip("T1", "D1", EARLY, ((0, 0), (600, 0), (0, 0)), [
        ("", "08:40", "09:10"), ("S1", "09:20", "09:30")], duration_min=100)], (),
        [stop("S1", (600, 0))])
    assert spot(plan, "D1", 470) == {}
    told = {480: 0, 500: 0, 510: 200, 520: 400, 540: 400, 550: 400, 555: 500, 565: 600, 585: 300,
            700: 0}
    # Spare are 100 − 10 of the stay − 30 of the rest = 60 minutes: 30 out, 30 back.
    assert {m: spot(plan, "D1", m)["T1"][0] for m in told} == told
    assert spot(plan, "D1", 540)["T2"] == (0, 0)


def test_a_pass_goes_from_one_end_of_the_street_to_the_other():
    plan = make([team()], [trip("T1", "D1", EARLY, ((0, 0), (500, 0), (0, 0)), [
        ("Q2", "09:00", "09:10")], duration_min=50)], [piece("Q2", (300, 0), (400, 0))])
    # Out it fits at 300–400, on the way back at 600–700 of the line: with no visit before it the
    # first counts.
    assert spot(plan, "D1", 545)["T1"] == (350, 0)


def test_the_place_fits_the_minutes_where_a_route_passes_it_twice():
    way = ((0, 0), (500, 0), (0, 0))
    stops = [stop("S1", (100, 0)), stop("S2", (200, 0))]
    for arrive, metres in (("09:10", (100, 200)), ("09:42", (100, 800))):
        depart = f"{arrive[:4]}{int(arrive[4]) + 1}"
        plan = make([team()], [trip("T1", "D1", EARLY, way, [
            ("S1", "08:59", "09:00"), ("S2", arrive, depart)], duration_min=70)], (), stops)
        trail = follow_units(read_made(plan)).trail(0)
        assert tuple(trail.find_metres(np.array([540.0, 60.0 * 9 + int(arrive[3:])]))) == metres


def test_a_night_shift_is_there_after_midnight():
    plan = make([team("T1", "22:00-06:00")], [trip("T1", "D1", "22:00-06:00", WAY, [
        ("S1", "25:00", "25:30")], duration_min=100)], (), [stop("S1", (400, 0))],
        days=("D1", "D2"))
    held = place_units(plan, "D2", 70)
    assert held[["team_id", "day", "shift"]].to_numpy().tolist() == [["T1", "D1", "22:00-06:00"]]
    assert spot(plan, "D1", 1510) == spot(plan, "D2", 70) == {"T1": (400, 0)}
    with pytest.raises(ValueError, match="D9"):
        place_units(plan, "D9", 0)


@given(st.lists(st.integers(0, 10), min_size=1, max_size=6))
def test_visits_are_found_in_order(stations):
    """A unit that goes from stop to stop at an even pace is found where it is."""
    xy = [(0.0, 0.0), *((10.0 * s, 0.0) for s in stations), (0.0, 0.0)]
    steps = np.abs(np.diff([x for x, _ in xy]))
    if steps.sum() == 0:
        return
    way = shapely.LineString(xy)
    along = np.cumsum(steps)[:-1]
    times = np.stack([along + 5 * np.arange(len(along)),
                      along + 5 * np.arange(1, len(along) + 1)], axis=1).reshape(-1)
    found = locate_visits(way, [shapely.Point(p) for p in xy[1:-1]], times, 1.0)
    assert (np.diff(found.reshape(-1)) >= -0.1).all()
    for (begin, end), place in zip(found.tolist(), xy[1:-1], strict=True):
        assert begin == end
        assert way.interpolate(begin).distance(shapely.Point(place)) < 0.06


def test_passes_of_one_minute_follow_each_other_within_it():
    # At an even 90 m a minute, told in whole minutes: three pieces of 30 m begin at 8:00.
    streets = [piece(f"Q{k}", (30 * k, 0), (30 * k + 30, 0)) for k in range(6)]
    plan = make([team()], [trip("T1", "D1", EARLY, ((0, 0), (180, 0)), [
        (f"Q{k}", f"08:0{k // 3}", f"08:0{(k + 1) // 3}") for k in range(6)], duration_min=2)],
        streets)
    assert [spot(plan, "D1", m)["T1"][0] for m in (480, 480.5, 481)] == [0, 45, 90]


def test_times_are_sampled_when_anybody_is_on_duty():
    made = read_made(make([team("T1", "08:00-09:00"), team("T2", "10:00-11:01")], (), STREETS))
    assert sample_times(made).tolist() == [480, 510, 600, 630, 660]
    week = read_made(make([team("T1", "08:00-08:00")], (), STREETS, days=("D1", "D3")))
    assert len(sample_times(week)) == 48
    assert sample_times(week)[[0, -1]].tolist() == [480, 480 + 3 * 1440 - 30]


# ---- response ---------------------------------------------------------------------------------

def homes(*rows):
    return [{"building_id": f"b{k}", "households": n, "community_id": c, "geometry": at(x, 0)}
            for k, (x, n, c) in enumerate(rows)]


# On foot 75 m take a minute, by car on a residential street 416.67 m.
HOMES = homes((75, 10, "C1"), (76, 20, "C1"), (375, 40, "C2"), (999, 80, "C2"), (0, 0, "C1"))


def test_response_is_households_within_minutes_of_a_unit():
    found = figures(make([team("T1", "08:00-09:00")], (), STREETS, buildings=HOMES))
    assert [found[f"response_share_{m}", "city", "all"] for m in (1, 3, 5, 15)] == [
        (10 / 150, 10, 150), (30 / 150, 30, 150), (70 / 150, 70, 150), (1, 150, 150)]
    assert found["response_share_5", "community", "C2"] == (40 / 120, 40, 120)


def test_cars_and_walkers_start_side_by_side():
    plan = make([team("T1", "08:00-09:00"), team("T2", "08:30-09:00", mode="car")], (), STREETS,
                buildings=HOMES)
    # At 8:00 the walker alone; at 8:30 the car as well, which makes 416 m in a minute.
    assert figures(plan)["response_share_1", "city", "all"][1] == (10 + 70) / 2
    assert figures(plan)["response_share_3", "city", "all"][1] == (30 + 150) / 2


def test_response_leaves_from_where_units_are():
    plan = make([team("T1", "08:00-08:31")], [trip("T1", "D1", "08:00-08:31", ((0, 0), (950, 0)), [
        ("S1", "08:29", "08:40")], duration_min=40)], (), [stop("S1", (950, 0))], buildings=HOMES)
    # At 8:00 at the station, at 8:30 at 950 m: 49 m from the last home.
    assert figures(plan)["response_share_1", "city", "all"][1] == (10 + 80) / 2


def test_without_units_or_homes_there_is_no_share():
    assert figures(make([team()], (), STREETS))["response_share_15", "city", "all"][0] is None
    nobody = make([team(shift="-")], (), STREETS, buildings=HOMES)
    assert figures(nobody)["response_share_15", "city", "all"] == (None, None, 150)


@settings(max_examples=5)
@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 50)), min_size=1, max_size=6),
       st.integers(0, 900))
def test_response_grows_with_the_minutes(held, where):
    plan = make([team("T1", "08:00-09:00")], [trip("T1", "D1", "08:00-09:00", ((0, 0), (where, 0),
                (0, 0)), [], duration_min=60)], STREETS,
                buildings=homes(*((x, n, "C1") for x, n in held)))
    shares = [figure(plan, f"response_share_{m}") for m in (1, 3, 5, 15)]
    assert 0 <= shares[0] <= shares[1] <= shares[2] <= shares[3] <= 1


# ---- cordon -----------------------------------------------------------------------------------

SQUARE = shapely.box(0, 0, 200, 200)


def exits(*roads):
    held = np.array([shapely.LineString(r) for r in roads], dtype=object)
    return shapely.get_coordinates(find_exits(SQUARE, held)).round(6).tolist()


def test_exits_are_where_roads_lead_out():
    assert exits([(-50, 100), (250, 100)]) == [[10, 100], [190, 100]]
    assert exits([(0, 0), (200, 0), (200, 200)]) == []  # along the outline
    assert exits([(100, 100), (197, 100)]) == []  # a dead end
    assert exits([(100, 100), (200, 100)]) == [[190, 100]]  # into a street along the outline
    assert exits([(20, 20), (180, 20)]) == []  # inside


def test_a_road_in_two_pieces_leads_out_as_well():
    assert exits([(100, 100), (195, 100)], [(195, 100), (300, 100)]) == [[190, 100]]


def test_exits_near_each_other_are_one():
    assert exits([(100, 100), (250, 100)], [(100, 112), (250, 112)]) == [[190, 100]]
    assert len(exits([(100, 100), (250, 100)], [(100, 125), (250, 125)])) == 2


GRID = (((-500, 100), (700, 100)), ((100, -500), (100, 700)))
ZONE = [{"zone_id": "Z1", "tier": "town", "geometry": shapely.MultiPolygon([shapely.box(
    X, Y, X + 200, Y + 200)])}]


def test_a_cordon_stands_when_the_last_unit_has_come():
    stations = [{"station_id": f"P{k}", "geometry": at(*p)} for k, p in enumerate(
        [(-500, 100), (-400, 100), (700, 100), (100, 700)])]
    teams = [team(f"T{k}", "08:00-08:30", station_id=f"P{k}") for k in range(4)]
    plan = make(teams, (), STREETS, roads=GRID, stations=stations, zones=ZONE)
    # Exits at (10, 100), (190, 100), (100, 10), (100, 190). The first two units lie 510 m and
    # 410 m before the west exit; the south exit is 180 m further along the streets.
    value, units, doors = figures(plan)["cordon_min", "zone", "Z1"]
    assert (units, doors) == (4, 4)
    assert value == pytest.approx((410 + 90 + 90) / 75)
    few = make(teams[:3], (), STREETS, roads=GRID, stations=stations, zones=ZONE)
    assert figures(few)["cordon_min", "zone", "Z1"] == (None, 3, 4)


def test_the_worst_of_the_sampled_times_counts():
    # Two roads out of four: the others are closed. At 8:30 one unit is 700 m away.
    roads = (((-500, 100), (700, 100)),)
    plan = make([team("T1", "08:00-09:00"), team("T2", "08:00-09:00")],
                [trip("T2", "D1", "08:00-09:00", ((0, 100), (700, 100)), [
                    ("S1", "08:29", "08:59")], duration_min=45)], (), [stop("S1", (700, 100))],
                roads=roads, stations=[{"station_id": "ST", "geometry": at(0, 100)}], zones=ZONE)
    value, units, doors = figures(plan)["cordon_min", "zone", "Z1"]
    assert (units, doors) == (2, 2)
    # At 8:00 both are at (0, 100): 190 m; at 8:30 one at (700, 100): 510 m.
    assert value == pytest.approx(510 / 75)


def test_an_area_without_exit_has_no_cordon():
    assert figures(make([team()], (), STREETS))["cordon_min", "community", "C1"] == (None, 1, 0)


costs = st.integers(1, 4).flatmap(lambda columns: st.lists(st.lists(st.sampled_from(
    [0.0, 1.0, 2.0, 3.0, 5.0, 8.0, np.inf]), min_size=columns, max_size=columns),
    min_size=1, max_size=5))


@given(costs, st.sampled_from([0.0, 2.0, 4.0]))
def test_the_bottleneck_equals_brute_force(rows, known):
    cost = np.array(rows)
    every = [max(cost[r, c] for c, r in enumerate(chosen))
             for chosen in itertools.permutations(range(len(cost)), cost.shape[1])]
    assert find_bottleneck(cost) == min(every, default=np.inf)
    assert find_bottleneck(cost, known) == max(known, min(every, default=np.inf))


# ---- posts and lights -------------------------------------------------------------------------

def points(*rows, **columns):
    return gpd.GeoDataFrame(columns, geometry=[at(*p) for p in rows], crs=CRS)


def test_posts_see_streets_within_their_radius():
    plan = make([team()], (), STREETS)
    seen = {"posts": points((50, 30), radius_m=[50.0]), "lights": points((400, 0))}
    found = figures(plan, points=seen)
    # 10–90 of the 300 m street; 50 m of the other by default.
    assert found["watched_share", "city", "all"] == (130 / 400, 130, 400)
    assert found["blind_m", "city", "all"][0] == 270
    assert not {n for n, *_ in figures(plan)} & {"watched_share", "blind_m"}
    assert figures(plan, points={})["watched_share", "city", "all"][0] == 0


def test_blind_stretches_are_what_is_left():
    required = layer("required", [piece("Q1", (0, 0), (100, 0)), piece("Q2", (0, 50), (40, 50))],
                     "geometry")
    blind = blind_stretches(required, points((30, 0), (45, 0), radius_m=[10.0, None]), 20.0)
    assert blind[["required_id", "length_m"]].to_numpy().tolist() == [
        ["Q1", 20.0], ["Q1", 35.0], ["Q2", 40.0]]
    assert blind.geometry.iloc[1].equals(line((65, 0), (100, 0)))
    assert prefer_blind(required, points((30, 0), (45, 0)), 20.0).to_dict() == {"Q1": 0, "Q2": 1}
    assert prefer_blind(required, points(), 20.0).to_dict() == {"Q1": 1, "Q2": 1}


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=5,
                unique=True),
       st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 30)),
                max_size=5))
def test_what_is_seen_equals_fine_circles(way, circles):
    street = shapely.LineString(way)
    centre = np.array([c[:2] for c in circles], dtype=np.float64).reshape(-1, 2)
    radius = np.array([c[2] for c in circles], dtype=np.float64)
    spans = find_seen(street, centre, radius)
    seen = float(np.diff(spans, axis=1).sum())
    # Steps of a centimetre, each seen or not.
    at_m = np.arange(0.005, street.length, 0.01)
    xy = shapely.get_coordinates(shapely.line_interpolate_point(street, at_m))
    near = (np.hypot(*(xy[:, None, :] - centre[None]).transpose(2, 0, 1)) < radius).any(axis=1)
    assert seen == pytest.approx(0.01 * near.sum(), abs=0.02 * (len(circles) * len(way) + 1))
    assert (spans[1:, 0] > spans[:-1, 1]).all()


# ---- the whole --------------------------------------------------------------------------------

def test_a_plan_without_patrol_has_no_figures():
    assert measure_patrol(make([team()]).with_layers(teams=make([team()]).layer("teams").iloc[:0]),
                          PARAMS, Findings()).empty


def test_nothing_made_up_where_nothing_is_defined():
    found = figures(make([team()], (), STREETS))
    for name in ("visit_share", "pass_share", "stop_gap_worst", "dosage_share", "deadhead_share",
                 "patrol_gap", "entropy_bits", "day_overlap"):
        assert found[name, "city", "all"][0] is None, name
    assert found["street_visibility", "city", "all"][0] == 0
    assert found["idleness_worst", "city", "all"][0] == 480


def test_the_order_of_rows_does_not_matter():
    plan = make_plan(days=("2026-12-30", "2026-12-31"))
    mixed = {n: plan.layer(n).sample(frac=1, random_state=3) for n in (
        "routes", "visits", "required", "stops", "teams", "calendar", "buildings", "roads")}
    one = measure_patrol(plan, PARAMS, Findings())
    two = measure_patrol(plan.with_layers(**mixed), PARAMS, Findings())
    pd.testing.assert_frame_equal(one, two, rtol=1e-12)


def test_shares_are_shares_and_names_are_known():
    table = measure_patrol(make_plan(days=("2026-12-30", "2026-12-31")), PARAMS, Findings(),
                           points={"lights": points((0, 0))})
    shares = table.loc[table["unit"] == "share", "value"].dropna()
    assert ((shares >= 0) & (shares <= 1)).all()
    assert list(dict.fromkeys(table["name"])) == list(FIGURES)
    assert not table.duplicated(["name", "scope", "scope_id"]).any()
    texts = load_room("report")
    assert {f"figure_{n}" for n in FIGURES} <= set(texts)
    assert {f"unit_{u}" for u in table["unit"] if u != "share"} <= set(texts)
