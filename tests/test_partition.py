"""Grids obey the rules of a good plan, and every exception says why it is one."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from studies import houses_in_rows, make_study

from gridplan.blocks import build_units
from gridplan.layers import Lines, Study
from gridplan.params import BlockParams, Params, PartitionParams, Range
from gridplan.partition import Partition, partition_units
from gridplan.partition.bounds import describe_bounds, describe_contents, join_numbers
from gridplan.partition.estates import cut_whole_estates
from gridplan.partition.graph import Contacts, add_up, components
from gridplan.partition.numbering import code_grid, number_rows, write_numeral
from gridplan.regions import Cut, Graph

WIDE = [shapely.box(0, 0, 400, 400)]
LATTICE = [("residential", [(x, -10), (x, 410)]) for x in (100, 200, 300)] + [
    ("secondary" if y == 200 else "residential", [(-10, y), (410, y)]) for y in (100, 200, 300)]
# Sixteen blocks of 100 m, four houses each.
HOUSES = [h for j in range(4) for i in range(4)
          for h in houses_in_rows(20 + 100 * i, 20 + 100 * j, 2, 2)]


def divide(study: Study, households: pd.Series, params: Params | None = None) -> Partition:
    params = params or Params()
    units = build_units(study, households, params.blocks)
    buildings = study.buildings.assign(
        households=households.astype("Int64"), households_low=households.astype("Int64"),
        households_high=households.astype("Int64"), households_source="given")
    return partition_units(study, units, buildings, params)


def lattice_town(per_house: int, **more: object) -> Partition:
    study, count = make_study(list(HOUSES), [per_house] * len(HOUSES), LATTICE,
                              **more)  # type: ignore[arg-type]
    return divide(study, count)


def assert_sound(found: Partition) -> None:
    grids = found.grids
    shape = grids.geometry.to_numpy()
    assert grids["grid_id"].is_unique
    assert shapely.is_valid(shape).all()
    assert (shapely.get_type_id(shape) == 3).all()
    for frame in (found.units, found.buildings):
        held = frame.groupby("grid_id")["households"].sum()
        assert (held.reindex(grids["grid_id"]).fillna(0).to_numpy()
                == grids["households"].to_numpy()).all()
    for name, town in found.communities.set_index("community_id").geometry.items():
        own = shapely.union_all(shape[(grids["community_id"] == name).to_numpy()])
        assert own.symmetric_difference(town).area < 1e-3
    odd = grids["status"] != "ok"
    assert (grids["reason"][odd] != "").all()
    assert (grids["reason"][~odd] == "").all()
    fine = grids["households"].between(300, 500)
    assert fine[~odd].all()


def test_a_regular_town_is_cut_into_grids_in_range_along_roads() -> None:
    found = lattice_town(25)
    assert_sound(found)
    assert (found.grids["status"] == "ok").all()
    assert found.grids["households"].sum() == 1600
    share = found.figures.set_index(["name", "scope_id"])["value"]
    assert share["road_share", "all"] == pytest.approx(1.0, abs=0.01)


def test_no_grid_straddles_a_secondary_road_when_both_sides_can_stand_alone() -> None:
    found = lattice_town(25)
    for shape in found.grids.geometry:
        south, north = (shape.intersection(shapely.box(0, y, 400, y + 200)).area
                        for y in (0, 200))
        assert min(south, north) < 1.0


def test_b66_a_community_below_the_range_is_one_small_grid() -> None:
    found = lattice_town(4)
    assert_sound(found)
    assert found.grids["status"].tolist() == ["small"]
    assert found.grids["reason"][0] == "small: 256 households in all, below 300"
    assert found.communities["status"].tolist() == ["small"]


def test_a_total_that_cannot_be_cut_has_a_certificate() -> None:
    study, count = make_study(list(HOUSES), [9] * 38 + [8] * 26, LATTICE)
    assert count.sum() == 550
    found = divide(study, count)
    assert_sound(found)
    assert found.grids["status"].tolist() == ["over"]
    assert found.grids["reason"][0] == (
        "count: 550 households: 2 grids need 600, 1 hold 500; nearest plan: 550 in one grid each; "
        "it would fit in a range of 274–500")
    proof = json.loads(found.communities["certificate"][0])
    assert proof == [{"part": 1, "kind": "count", "low": 300, "high": 500, "grids": 1,
                      "households": 550, "nearest": [550], "fits": [274, 500]}]


def test_b65_a_building_above_the_range_is_its_own_grid() -> None:
    study, count = make_study(list(HOUSES), [620] + [25] * 63, LATTICE)
    found = divide(study, count)
    assert_sound(found)
    over = found.grids[found.grids["status"] == "over"]
    assert over["reason"].tolist() == ["building: one building of 620 households, above 500"]
    assert over["part"].tolist() == [0]
    assert set(found.grids["status"]) == {"over", "ok"}


def test_b14_no_grid_spans_a_gap_and_an_exclave_is_named() -> None:
    wards = [shapely.MultiPolygon([shapely.box(0, 0, 400, 300), shapely.box(0, 350, 400, 400)])]
    houses = houses_in_rows(20, 20, 12, 8, 32) + houses_in_rows(20, 360, 4, 1)
    study, count = make_study(list(houses), [10] * 96 + [5] * 4, [], wards)
    found = divide(study, count)
    assert_sound(found)
    apart = found.grids[found.grids["status"] == "exclave"]
    assert apart["households"].tolist() == [20]
    assert "20 households" in apart["reason"].iloc[0]


def test_a_special_place_is_a_special_grid_with_its_name() -> None:
    study, count = make_study(list(HOUSES), [25] * 64, LATTICE,
                              specials=[shapely.box(105, 105, 195, 195)])
    study.specials["name"] = "人民公园"
    study.specials["kind"] = "industrial"
    found = divide(study, count)
    special = found.grids[found.grids["kind"] == "special"]
    assert special["status"].tolist() == ["special"]
    assert special["name"].tolist() == ["人民公园"]
    assert special["reason"].tolist() == ["special-place: industrial site “人民公园”"]


def test_large_land_without_households_becomes_special() -> None:
    wards = [shapely.box(0, 0, 900, 400)]
    roads = [*LATTICE, ("residential", [(400, -10), (400, 410)])]
    study, count = make_study(list(HOUSES), [25] * 64, roads, wards)
    found = divide(study, count)
    assert_sound(found)
    special = found.grids[found.grids["kind"] == "special"]
    assert special["households"].tolist() == [0]
    assert special["area_m2"].sum() == pytest.approx(200_000, rel=0.01)
    assert special["reason"].iloc[0].startswith("special-empty: 20")


def test_communities_are_proposed_where_none_are_drawn() -> None:
    study, count = make_study(list(HOUSES), [100] * 64, LATTICE)
    free = Study(outline=study.outline, buildings=study.buildings.assign(community_id=pd.NA),
                 roads=study.roads)
    found = divide(free, count)
    assert_sound(found)
    assert found.communities["households"].between(1500, 5000).all()
    assert found.grids["grid_id"].str.startswith("C00").all()


@pytest.mark.parametrize("groups", [True, False])
def test_an_estate_within_the_range_lies_in_one_grid(groups: bool) -> None:
    """Without groups it is one unit as well; with them it is one unit in each group."""
    estate = shapely.box(105, 105, 195, 195)
    count = [25] * 64
    inside = [k for k, h in enumerate(HOUSES) if estate.contains(h)]
    for k in inside:
        count[k] = 90
    study, load = make_study(list(HOUSES), count, [*LATTICE, ("service", [(150, 100), (150, 200)])],
                             estates=[estate])
    found = divide(study, load, Params(partition=PartitionParams(groups=groups)))
    assert_sound(found)
    held = found.buildings.iloc[inside]
    assert held["grid_id"].nunique() == 1
    assert held["unit_id"].nunique() == (held["group_id"].nunique() if groups else 1)
    assert (found.grids["status"] == "ok").all()


def test_an_estate_is_cut_where_it_would_trap_too_few_households() -> None:
    """A pocket of 200 behind an estate of 400: together two grids of 300, apart none."""
    wards = [shapely.box(0, 0, 300, 100)]
    houses = [shapely.box(10 + 30 * i, 20 + 40 * j, 25 + 30 * i, 40 + 40 * j)
              for i in range(9) for j in range(2)]
    study, load = make_study(list(houses), [25] * 8 + [40] * 10, [], wards,
                             estates=[shapely.box(125, 5, 295, 95)])
    found = divide(study, load)
    assert_sound(found)
    assert sorted(found.grids["households"]) == pytest.approx([300, 300], abs=60)
    assert (found.grids["status"] == "ok").all()


def test_ranges_follow_the_kind_of_community() -> None:
    study, count = make_study(list(HOUSES), [25] * 64, LATTICE)
    assert study.communities is not None
    study.communities["kind"] = "rural"
    params = Params(partition=PartitionParams(rural=Range(160, 260)))
    found = divide(study, count, params)
    assert found.grids["households"].between(160, 260).all()


def test_the_same_seed_gives_the_same_plan() -> None:
    one, two = lattice_town(25), lattice_town(25)
    for name in ("grids", "units", "borders", "communities"):
        a, b = getattr(one, name), getattr(two, name)
        assert a.geometry.to_wkb().tolist() == b.geometry.to_wkb().tolist()
        pd.testing.assert_frame_equal(a.drop(columns="geometry"), b.drop(columns="geometry"))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=64, max_size=64), st.integers(0, 3))
def test_households_are_conserved_and_exceptions_explained(load: list[int], seed: int) -> None:
    study, count = make_study(list(HOUSES), load, LATTICE)
    found = divide(study, count, Params(seed=seed))
    assert_sound(found)
    assert found.grids["households"].sum() == sum(load)


def test_borders_add_up_to_the_shared_border_of_their_grids() -> None:
    found = lattice_town(25)
    shape = found.grids.set_index("grid_id").geometry
    for (a, b), rows in found.borders.groupby(["grid_a", "grid_b"]):
        shared = shape[a].intersection(shape[b]).length
        assert rows["length_m"].sum() == pytest.approx(shared, rel=1e-6)
    assert found.borders["border_id"].is_unique
    assert not found.borders["inside_block"].any()
    assert (found.borders["grid_a"] < found.borders["grid_b"]).all()


def test_numbering_runs_in_rows_from_the_north_west() -> None:
    boxes = np.array([shapely.box(x, y, x + 1, y + 1) for y in (0, 1, 2) for x in (0, 1, 2)])
    assert number_rows(boxes).tolist() == [6, 7, 8, 3, 4, 5, 0, 1, 2]


def test_codes_and_numerals() -> None:
    assert code_grid("110105001002", 12) == "110105001002012"
    assert code_grid("x", 12) == "x-012"
    assert [write_numeral(n) for n in (11, 20, 101, 111)] == [
        "十一", "二十", "一百零一", "一百一十一"]


def test_four_bounds_name_what_runs_along_each_side() -> None:
    box = np.array([shapely.box(0, 0, 100, 100)])
    sides = {"东路": [(100, -50), (100, 150)], "北路": [(-50, 100), (150, 100)],
             "": [(0, -50), (0, 150)]}
    lines = Lines(np.array([shapely.LineString(s) for s in sides.values()]), np.array([1, 3, 4]),
                  np.array(list(sides), dtype=object),
                  np.array(["residential", "secondary", "rail"], dtype=object),
                  np.array([False, True, True]))
    found = describe_bounds(box, lines, "zh").iloc[0]
    assert found.to_dict() == {"bound_e": "东路", "bound_n": "北路", "bound_w": "铁路",
                               "bound_s": ""}


def test_contents_name_estates_with_their_numbers_first() -> None:
    found = describe_contents(pd.Series([0, 0, 0, 1]), pd.Series(["阳光花园", "阳光花园", "", ""]),
                              pd.Series(["2幢", "1幢", "", ""]), "en")
    assert found.to_dict() == {0: "阳光花园 1–2幢; 1 other buildings", 1: "1 other buildings"}
    assert join_numbers(["10", "9", "8", "3"]) == "3, 8–10"


def test_contacts_below_a_metre_do_not_count() -> None:
    near = add_up(np.array([0, 1, 1]), np.array([1, 0, 2]), np.array([0.6, 0.6, 0.9]),
                  np.array([6.0, 6.0, 9.0]), np.zeros(3))
    assert (near.a.tolist(), near.b.tolist(), near.weight.tolist()) == ([0], [1], [12.0])
    assert components(3, near.a, near.b).tolist() == [0, 0, 1]


def test_large_empty_land_is_taken_out_after_the_cut() -> None:
    params = Params(blocks=BlockParams(empty_ha=100.0))
    study, count = make_study(list(HOUSES), [25] * 64, LATTICE, [shapely.box(0, 0, 900, 400)])
    found = divide(study, count, params)
    assert (found.grids["kind"] == "basic").all()
    assert isinstance(found.grids, gpd.GeoDataFrame)


def test_a_division_that_was_not_found_says_how_hard_was_looked(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """What the search cannot do is listed with the effort spent, never passed over."""
    def give_up(graph: Graph, low: int, high: int, **more: object) -> Cut:
        return Cut(np.zeros(graph.size, dtype=np.int32), 1, 0.0, 1, "unproven",
                   "1 groups, 4 starts, 628 recuts")

    monkeypatch.setattr("gridplan.partition.estates.cut_graph", give_up)
    found = lattice_town(25)
    assert found.grids["status"].tolist() == ["unproven"]
    assert found.grids["reason"][0] == (
        "unproven: 1600 households in this part: no division into 300–500 found in 4 starts and "
        "628 recuts of 1 groups")
    assert found.communities["status"].tolist() == ["unproven"]
    assert json.loads(found.communities["certificate"][0])[0]["kind"] == "unproven"


def test_no_grid_comes_to_lie_round_empty_land() -> None:
    """A field in the middle stays with its grid rather than be a hole in it."""
    wards = [shapely.box(0, 0, 600, 600)]
    roads = [("residential", [(x, -10), (x, 610)]) for x in (150, 450)] + [
        ("residential", [(-10, y), (610, y)]) for y in (150, 450)]
    houses = [h for x, y in ((20, 20), (480, 20), (20, 480), (480, 480), (250, 20), (250, 480),
                             (20, 250), (480, 250)) for h in houses_in_rows(x, y, 3, 2)]
    study, count = make_study(list(houses), [9] * 48, roads, wards)
    found = divide(study, count)
    assert_sound(found)
    assert len(found.grids) == 1
    assert shapely.get_num_interior_rings(found.grids.geometry.iloc[0]) == 0


def test_many_addresses_on_one_spot_are_one_grid_that_says_why() -> None:
    """What was geocoded to its estate cannot be parted; it is over the range, not one building."""
    spot = shapely.Point(50, 50)
    study, count = make_study([*HOUSES, *[spot] * 30], [25] * 64 + [620] + [30] * 29, LATTICE)
    found = divide(study, count)
    held = found.buildings["unit_id"].iloc[64:]
    assert held.nunique() == 1
    over = found.grids.set_index("grid_id").loc[found.buildings["grid_id"].iloc[64]]
    assert over["households"] >= 900
    assert over["status"] in ("over", "unproven")
    assert not over["reason"].startswith("building")
    assert (found.grids["status"] == "ok").sum() == len(found.grids) - 1


def test_borders_off_the_roads_are_not_counted_as_along_them() -> None:
    houses = houses_in_rows(20, 20, 12, 8, 30)
    study, count = make_study(list(houses), [10] * 96, [])
    found = divide(study, count)
    assert_sound(found)
    share = found.figures.set_index(["name", "scope_id"])["value"]
    assert share["road_share", "all"] == share["road_share", "inside_blocks"] == 0
    assert found.borders["inside_block"].all()
    assert (found.borders["road_class"] == "").all()


def test_an_estate_that_fits_is_not_cut_for_a_cheaper_border() -> None:
    """300 – [200 – 200] – 300: cutting the estate would cost 1 of border, keeping it 18."""
    chain = Contacts(np.array([0, 1, 2]), np.array([1, 2, 3]), np.full(3, 9.0),
                     np.array([9.0, 1.0, 9.0]), np.zeros(3, dtype=bool))
    load, estate = np.array([300, 200, 200, 300]), np.array([-1, 5, 5, -1])
    kept = cut_whole_estates(load, estate, chain, Range(), Params())
    assert kept.labels.tolist() == [0, 1, 1, 2]
    free = cut_whole_estates(load, np.full(4, -1), chain, Range(), Params())
    assert free.labels.tolist() == [0, 0, 1, 1]


def test_empty_land_that_holds_a_grid_together_stays_in_it() -> None:
    """Two hamlets and the field between them are one grid: without the field it falls in two."""
    wards = [shapely.box(0, 0, 1000, 100)]
    roads = [("residential", [(x, -10), (x, 110)]) for x in (150, 850)]
    houses = houses_in_rows(20, 20, 4, 2) + houses_in_rows(870, 20, 4, 2)
    study, count = make_study(list(houses), [20] * 16, roads, wards)
    found = divide(study, count)
    assert_sound(found)
    assert found.grids["status"].tolist() == ["ok"]


def test_enclosed_land_without_households_joins_its_only_neighbour() -> None:
    """A yard of two hectares behind a tower's land is no grid of its own."""
    wards = [shapely.box(0, 0, 300, 200)]
    roads = [("residential", [(200, 100), (200, 210)]), ("residential", [(-10, 100), (200, 100)])]
    study, count = make_study([shapely.box(210, 20, 240, 50)], [620], roads, wards)
    found = divide(study, count)
    assert found.grids["households"].tolist() == [620]


def test_a_special_place_does_not_take_in_more_land_than_itself() -> None:
    """A park of a hectare between the town and three hectares of fields behind it."""
    wards = [shapely.box(0, 0, 700, 100)]
    roads = [("residential", [(x, -10), (x, 110)]) for x in (300, 400)]
    study, count = make_study(houses_in_rows(20, 20, 8, 2), [25] * 16, roads, wards,
                              specials=[shapely.box(300, 0, 400, 100)])
    found = divide(study, count)
    assert_sound(found)
    park = found.grids[found.grids["reason"].str.startswith("special-place")]
    assert park["area_m2"].tolist() == pytest.approx([10_000])
    assert set(found.grids["status"]) == {"ok", "special", "empty"}
