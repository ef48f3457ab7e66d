"""Households: what is given stays, what is estimated adds up, and the order does not matter."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan.errors import Findings, InputError
from gridplan.households import estimate_households, round_to_sums
from gridplan.layers import conform_input
from gridplan.params import HouseholdParams

PARAMS = HouseholdParams(household_size=2.6)


def make_buildings(rows: list[dict], size: float = 10.0) -> gpd.GeoDataFrame:
    """Squares of ``size`` metres (or ``side``) in a row; ids b0, b1 … unless given."""
    frame = pd.DataFrame([{"building_id": f"b{i}", **row} for i, row in enumerate(rows)])
    sides = frame.pop("side") if "side" in frame else pd.Series([np.nan] * len(frame))
    sides = sides.fillna(size)
    boxes = [shapely.box(i * 100, 0, i * 100 + side, side) for i, side in enumerate(sides)]
    return conform_input("buildings", gpd.GeoDataFrame(frame, geometry=boxes, crs=32650))


def estimate(rows: list[dict], params: HouseholdParams = PARAMS, **options) -> pd.DataFrame:
    findings = options.pop("findings", Findings())
    return estimate_households(make_buildings(rows), params, findings, **options)


def totals(**values: float) -> pd.Series:
    return pd.Series(values)


# ---- where the number comes from ----

@pytest.mark.parametrize(("row", "households", "source"), [
    ({"households": 12, "population": 99, "floors": 9}, 12, "given"),
    ({"households": 0, "floors": 9}, 0, "given"),
    ({"households": 12, "households_source": "ledger"}, 12, "ledger"),
    ({"population": 26, "floors": 9, "use": "house"}, 10, "population"),
    ({"population": 26, "side": 2}, 10, "population"),
    ({"floors": 20, "height_m": 9, "use": "house"}, 17, "floors"),
    ({"floors": 20, "use": " House "}, 17, "floors"),
    ({"floors": 20, "use": "mixed"}, 12, "floors"),           # 20 × 100 × .7 × .85 / 100 = 11.9
    ({"floors": 20}, 9, "floors"),                            # use unknown: a half, 8.5
    ({"living_m2": 1200, "floors": 20, "use": "mixed"}, 12, "floors"),
    ({"living_m2": 1200, "use": "house", "side": 2}, 12, "floors"),
    ({"height_m": 60, "use": "apartments"}, 17, "height"),
    ({"use": "apartments"}, 1, "default"),
    ({"floors": 20, "use": "school"}, 0, "floors"),
    ({"living_m2": 1200, "use": "dormitory"}, 0, "floors"),
    ({"use": "nonresidential"}, 0, "default"),
    ({"floors": 20, "use": "house", "side": 6.3}, 0, "floors"),   # 39.7 m²
    ({"floors": 20, "use": "house", "side": 6.4}, 7, "floors"),   # 41.0 m², 6.96
])
def test_each_building_takes_the_first_source_that_is_known(row, households, source):
    out = estimate([row])
    assert out["households"].tolist() == [households]
    assert out["households_source"].tolist() == [source]


def test_params_change_the_estimate():
    params = HouseholdParams(household_size=2, gross_area_per_dwelling_m2=50, storey_height_m=6,
                             efficiency=0.5, default_floors=3, residential_share={"shop": 1})
    rows = [{"population": 26}, {"floors": 10, "use": "shop"}, {"height_m": 60, "use": "shop"},
            {"use": "shop"}, {"floors": 10, "use": "house"}]
    assert estimate(rows, params)["households"].tolist() == [13, 10, 10, 3, 0]


def test_estimates_carry_a_spread_and_counts_do_not():
    out = estimate([{"households": 10}, {"population": 26}, {"use": "school"}],
                   HouseholdParams(household_size=2.6, spread=0.1))
    assert out["households_low"].tolist() == [10, 9, 0]
    assert out["households_high"].tolist() == [10, 11, 0]


def test_columns_are_nullable_and_follow_the_index():
    buildings = make_buildings([{"households": 1}, {}])
    out = estimate_households(buildings, PARAMS, Findings())
    assert out.index.equals(buildings.index)
    assert [str(t) for t in out.dtypes] == ["Int64", "Int64", "Int64", "string"]


def test_a_town_without_buildings_is_empty():
    assert estimate_households(make_buildings([{}]).iloc[:0], PARAMS, Findings()).empty


def test_an_estimate_of_an_earlier_run_may_be_scaled():
    rows = [{"community_id": "A", "households": 10, "households_source": "floors"},
            {"community_id": "A", "households": 10}]
    assert estimate(rows, totals=totals(A=25))["households"].tolist() == [15, 10]


# ---- adding up ----

def test_fractions_add_up_within_a_community():
    """Five dwellings of 0.5: each rounded alone gives 0 or 5 households, together 3 (2.5 up)."""
    rows = [{"community_id": "A", "population": 1.3} for _ in range(5)]
    assert estimate([{**r, "population": None, "living_m2": 50, "use": "house"} for r in rows])[
        "households"].tolist() == [1, 1, 1, 0, 0]


def test_ties_go_by_building_id_and_not_by_row():
    rows = [{"building_id": i, "living_m2": 50, "use": "house"} for i in ("z", "a", "m", "b")]
    assert estimate(rows)["households"].to_dict() == {"z": 0, "a": 1, "m": 0, "b": 1}


def test_estimates_carry_what_the_counts_leave_of_the_total():
    rows = [{"community_id": "A", "households": 30},
            {"community_id": "A", "floors": 20, "use": "house"},
            {"community_id": "A", "floors": 40, "use": "house"},
            {"community_id": "B", "floors": 20, "use": "house"}]
    assert estimate(rows, totals=totals(A=60))["households"].tolist() == [30, 10, 20, 17]


def test_a_missing_total_leaves_the_estimate():
    rows = [{"community_id": "A", "floors": 20, "use": "house"}]
    assert estimate(rows, totals=pd.Series({"A": pd.NA}, dtype="Int64"))[
        "households"].tolist() == [17]


def test_without_communities_all_buildings_are_one():
    rows = [{"living_m2": 50, "use": "house"} for _ in range(4)]
    assert estimate(rows)["households"].sum() == 2


def test_the_largest_remainder_is_rounded_up():
    whole = round_to_sums(np.array([1.2, 1.7, 1.1, 9.6]), np.array([0, 0, 0, 1]), np.array([4, 10]))
    assert whole.tolist() == [1, 2, 1, 10]


def test_round_to_sums_of_an_empty_group():
    assert round_to_sums(np.array([]), np.array([], dtype=int), np.array([0.0])).tolist() == []


# ---- bad inputs ----

def test_b64_negative_measures_are_all_named():
    with pytest.raises(InputError) as caught:
        estimate([{"households": -1}, {"population": -2}, {"floors": -3}, {"height_m": -4},
                  {"living_m2": -5}])
    assert [f.field for f in caught.value.findings] == [
        "households", "population", "floors", "height_m", "living_m2"]
    assert [f.row for f in caught.value.findings] == ["b0", "b1", "b2", "b3", "b4"]


@pytest.mark.parametrize("bad", ["abc", -1, 1.5, float("inf")])
def test_b63_b64_totals_must_be_whole_numbers(bad):
    with pytest.raises(InputError) as caught:
        estimate([{"community_id": "A"}], totals=pd.Series({"A": bad, "B": 0}, dtype=object))
    assert [(f.key, f.row) for f in caught.value.findings] == [("households.bad_total", "A")]


def test_b63_two_totals_of_one_community_stop_the_run():
    with pytest.raises(InputError, match="duplicate_total"):
        estimate([{"community_id": "A"}], totals=pd.Series([1, 2], index=["A", "A"]))


def test_b65_a_building_of_1000_households_is_told():
    findings = Findings()
    out = estimate([{"households": 1000}, {"households": 999}], findings=findings)
    assert out["households"].tolist() == [1000, 999]
    assert [(f.key, f.outcome, f.row) for f in findings.items] == [
        ("households.large_building", "warning", "b0")]


CONFLICT = [{"community_id": "A", "households": 100}, {"community_id": "A", "households": 50},
            {"community_id": "B", "households": 10}, {"community_id": "B", "use": "school"},
            {"community_id": "C", "floors": 20, "use": "house"}]
TOTALS = {"A": 90, "B": 30, "C": 34}


def test_b67_totals_that_cannot_be_met_name_every_community():
    with pytest.raises(InputError) as caught:
        estimate(CONFLICT, totals=totals(**TOTALS, D=5))
    assert [(f.key, f.row) for f in caught.value.findings] == [
        ("households.given_above_total", "A"), ("households.no_carrier", "B"),
        ("households.no_carrier", "D")]
    assert "150" in caught.value.lines()[0]
    assert "60 more than its total of 90" in caught.value.lines()[0]
    assert "--trust" in caught.value.lines("zh")[0]


def test_b67_one_household_too_many_is_a_conflict():
    rows = [{"community_id": "A", "households": 10, "households_source": "ledger"}]
    assert estimate(rows, totals=totals(A=10))["households"].tolist() == [10]
    for total, key in ((9, "given_above_total"), (11, "no_carrier")):
        with pytest.raises(InputError, match=key):
            estimate(rows, totals=totals(A=total))


def test_b67_trust_totals_scales_the_counts_too():
    findings = Findings()
    out = estimate(CONFLICT, totals=totals(**TOTALS), trust="totals", findings=findings)
    assert out["households"].tolist() == [60, 30, 30, 0, 34]
    assert [f.key for f in findings.items] == ["households.given_scaled"] * 2


def test_b67_trust_totals_needs_something_to_scale():
    with pytest.raises(InputError, match="no_carrier"):
        estimate(CONFLICT, totals=totals(**TOTALS, D=5), trust="totals")


def test_b67_trust_buildings_leaves_the_total_aside():
    findings = Findings()
    out = estimate(CONFLICT, totals=totals(**TOTALS, D=5), trust="buildings", findings=findings)
    assert out["households"].tolist() == [100, 50, 10, 0, 34]
    assert [(f.key, f.outcome, f.row) for f in findings.items] == [
        ("households.total_ignored", "warning", c) for c in "ABD"]


def test_b67_every_community_whose_total_differs_is_listed_with_numbers():
    findings = Findings()
    rows = [{"community_id": c, **r} for c in "AB"
            for r in ({"households": 30}, {"floors": 20, "use": "house"})]
    rows.append({"community_id": "C", "households": 5})
    estimate(rows, totals=totals(A=40, B=50, C=5), findings=findings)
    assert [(f.row, f.values["total"], f.values["given"], f.values["estimated"],
             f.values["carried"]) for f in findings.items] == [
        ("A", 40, 30, 17, 10), ("B", 50, 30, 17, 20)]


def test_totals_far_from_the_estimates_are_told():
    findings = Findings()
    rows = [{"community_id": c, "floors": 20, "use": "house"} for c in "ABC"]
    estimate(rows, totals=totals(A=5, B=17, C=170), findings=findings)
    assert [(f.key, f.row) for f in findings.items] == [("households.odd_scale", "A, C")]


def test_the_tally_says_what_was_counted_and_what_is_used():
    findings = Findings()
    estimate(CONFLICT, findings=findings)
    row, = findings.tally
    assert (row.stage, row.layer, row.rows_in, row.used) == ("households", "buildings", 5, 5)
    assert (row.households_in, row.households_out, row.note) == (160, 177, "estimated: 17")


# ---- properties ----

BUILDING = st.fixed_dictionaries({
    "community_id": st.sampled_from(["A", "B", None]),
    "households": st.one_of(st.none(), st.integers(0, 50)),
    "population": st.one_of(st.none(), st.integers(0, 200)),
    "floors": st.one_of(st.none(), st.integers(0, 30)),
    "height_m": st.one_of(st.none(), st.floats(0, 90)),
    "use": st.sampled_from([None, "house", "mixed", "school", "yes"]),
    "living_m2": st.one_of(st.none(), st.floats(0, 5000))})
TOWN = st.lists(BUILDING, min_size=1, max_size=12)


@given(TOWN, st.integers(0, 2000), st.sampled_from(["totals", "buildings"]))
@settings(max_examples=25, deadline=None)
def test_totals_are_met_exactly_wherever_they_can_be(rows, total, trust):
    rows = [*rows, {"community_id": "A", "floors": 5, "use": "house"}]
    given_sum = sum(r.get("households") or 0 for r in rows if r.get("community_id") == "A")
    out = estimate(rows, totals=totals(A=total), trust=trust)
    in_a = [r.get("community_id") == "A" for r in rows]
    counted = [r.get("households") is not None for r in rows]
    if trust == "totals" or given_sum <= total:
        assert out.loc[in_a, "households"].sum() == total
    if trust == "buildings" or given_sum <= total:
        assert out.loc[counted, "households"].tolist() == [
            r["households"] for r in rows if r.get("households") is not None]
    assert (out["households"] >= 0).all()
    assert (out["households_low"] <= out["households"]).all()
    assert (out["households"] <= out["households_high"]).all()


@given(TOWN, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_the_order_of_the_rows_changes_nothing(rows, random):
    buildings = make_buildings(rows)
    wanted = totals(A=1000)
    order = list(range(len(rows)))
    random.shuffle(order)
    straight, shuffled = (estimate_households(b, PARAMS, Findings(), totals=wanted,
                                              trust="buildings")
                          for b in (buildings, buildings.iloc[order]))
    pd.testing.assert_frame_equal(straight.iloc[order], shuffled)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 100)), max_size=40))
@settings(max_examples=50, deadline=None)
def test_no_value_is_rounded_by_more_than_one(pairs):
    group = np.array([p[0] for p in pairs], dtype=int)
    values = np.array([p[1] for p in pairs], dtype=float)
    sums = np.floor(np.bincount(group, weights=values, minlength=4) + 0.5)
    whole = round_to_sums(values, group, sums)
    assert (np.abs(whole - values) < 1 + 1e-9).all()
    assert np.bincount(group, weights=whole, minlength=4).tolist() == sums.tolist()
