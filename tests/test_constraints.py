"""What must lie together lies together, nobody has to climb a wall, locked grids stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from studies import CRS, houses_in_rows, make_study

from gridplan.blocks import build_units
from gridplan.errors import Findings
from gridplan.layers import Study, conform_input
from gridplan.params import Objective, Params, PartitionParams, Range
from gridplan.partition import Partition, partition_units
from gridplan.partition.advice import name_nearest
from gridplan.partition.constraints import find_crossings
from gridplan.partition.estates import cut_whole_estates
from gridplan.partition.graph import Contacts, add_up
from gridplan.partition.objective import chance_in_range, price_grids

LATTICE = [("residential", [(x, -10), (x, 410)]) for x in (100, 200, 300)] + [
    ("residential", [(-10, y), (410, y)]) for y in (100, 200, 300)]
# Sixteen blocks of 100 m, four houses each.
HOUSES = [h for j in range(4) for i in range(4)
          for h in houses_in_rows(20 + 100 * i, 20 + 100 * j, 2, 2)]
PLAIN = Params(partition=PartitionParams(groups=False))


def layer(name: str, shapes: list[Any], **columns: list[object]) -> gpd.GeoDataFrame:
    key = name.removesuffix("s") + "_id"
    return conform_input(name, gpd.GeoDataFrame(
        {key: [f"{name[0]}{k}" for k in range(len(shapes))], **columns}, geometry=shapes, crs=CRS))


def divide(study: Study, households: pd.Series, params: Params = PLAIN, *, spread: int = 0,
           **more: Any) -> Partition:
    units = build_units(study, households, params.blocks)
    count = households.astype("Int64")
    buildings = study.buildings.assign(
        households=count, households_low=(count - spread).clip(0), households_high=count + spread,
        households_source="given")
    return partition_units(study, units, buildings, params, **more)


def linked(study: Study, *shapes: Any) -> Study:
    return replace(study, must_links=layer("must_links", list(shapes),
                                           source=["links.gpkg"] * len(shapes)))


def town(per_house: int = 25, **more: Any) -> tuple[Study, pd.Series]:
    return make_study(list(HOUSES), [per_house] * len(HOUSES), LATTICE, **more)


def grids_of(found: Partition, area: shapely.Geometry) -> set[str]:
    held = found.buildings[found.buildings.intersects(area)]
    return set(held["grid_id"])


def figure(found: Partition, name: str) -> float:
    return float(found.figures.set_index("name")["value"][name])


def warned(findings: Findings) -> list[str]:
    return [f.key.removeprefix("partition.") for f in findings.of("warning")]


# ---- must-links ----------------------------------------------------------------------------

# Cuts through the four blocks in the middle, which belong to four grids on their own.
MIDDLE = shapely.box(110, 110, 290, 290)


def test_what_a_polygon_holds_together_lies_in_one_grid() -> None:
    study, count = town(20)
    free = divide(study, count)
    assert len(grids_of(free, MIDDLE)) > 1
    found = divide(linked(study, MIDDLE), count)
    assert len(grids_of(found, MIDDLE)) == 1
    assert (found.grids["status"] == "ok").all()
    assert found.must_links is not None
    assert found.must_links["status"].tolist() == ["held"]


@pytest.mark.parametrize("shape", [
    shapely.LineString([(60, 61.5), (125, 61.5)]),
    shapely.MultiPoint([(60, 61.5), (125, 61.5)]),
], ids=["line", "points"])
def test_a_line_or_points_hold_what_lies_within_two_metres(shape: shapely.Geometry) -> None:
    """East and west of a road, where the blocks would be parted for a cheap border."""
    study, count = make_study(list(HOUSES), [40] * 32 + [30] * 32, [
        ("primary", [(100, -10), (100, 410)]), *LATTICE[1:]])
    free = divide(study, count)
    west, east = HOUSES[3], HOUSES[6]
    assert not grids_of(free, west) & grids_of(free, east)
    found = divide(linked(study, shape), count)
    assert found.must_links is not None
    assert found.must_links["status"].tolist() == ["held"]
    assert grids_of(found, west) == grids_of(found, east)


def test_a_polygon_takes_buildings_by_more_than_half() -> None:
    study, count = town(20)
    # 8 of the 15 m of one house, 7 of those of another.
    found_by = [shapely.box(20, 20, 28, 40), shapely.box(50, 20, 57, 40)]
    assert found_by[0].intersection(HOUSES[0]).area > HOUSES[0].area / 2
    found = divide(linked(study, shapely.union_all(found_by)), count)
    assert found.must_links is not None
    assert found.must_links["status"].tolist() == ["held"]
    nothing = Findings()
    found = divide(linked(study, shapely.box(50, 20, 57, 40)), count, findings=nothing)
    assert found.must_links is not None
    assert found.must_links["status"].tolist() == ["idle"]
    assert warned(nothing) == ["link_idle"]


def test_a_link_above_the_range_is_named_and_cut_as_little_as_possible() -> None:
    study, count = town(25)
    large = shapely.box(10, 110, 390, 290)  # the two middle rows, eight blocks of 100
    assert len(grids_of(divide(study, count), large)) == 4
    findings = Findings()
    found = divide(linked(study, large), count, findings=findings)
    assert found.must_links is not None
    (finding,) = findings.of("warning")
    assert (finding.key, finding.file, finding.layer, finding.row) == (
        "partition.link_large", "links.gpkg", "must_links", "m0")
    assert "800 households must lie together and a grid holds 500" in finding.line()
    assert found.must_links["reason"][0].startswith("large: 800 households")
    assert len(grids_of(found, large)) == 2
    assert (found.grids["status"] == "ok").all()


def test_a_link_over_two_communities_holds_in_each() -> None:
    wards = [shapely.box(0, 0, 200, 400), shapely.box(200, 0, 400, 400)]
    study, count = town(25, communities=wards)
    findings = Findings()
    band = shapely.box(10, 110, 390, 190)
    found = divide(linked(study, band), count, findings=findings)
    assert warned(findings) == ["link_communities"]
    assert len(grids_of(found, band)) == 2


def test_special_places_and_large_buildings_stay_alone_in_a_link() -> None:
    houses, load = list(HOUSES), [25] * 64
    load[20] = 620
    study, count = make_study(houses, load, LATTICE, specials=[shapely.box(205, 105, 295, 195)])
    findings = Findings()
    links = linked(study, shapely.box(110, 205, 290, 290), shapely.box(10, 110, 190, 190),
                   shapely.box(210, 110, 390, 190))
    divide(links, count, findings=findings)
    # The first one touches neither.
    assert warned(findings) == ["link_building", "link_special"]
    assert [f.row for f in findings.of("warning")] == ["m1", "m2"]


def test_land_between_is_taken_along_where_it_fits_and_else_told() -> None:
    wards = [shapely.box(0, 0, 900, 100)]
    roads = [("residential", [(x, -10), (x, 110)]) for x in range(100, 900, 100)]
    houses = [h for i in range(9) for h in houses_in_rows(20 + 100 * i, 20, 2, 2)]
    study, count = make_study(houses, [20] * 36, roads, wards)  # nine blocks of 80
    ends = shapely.MultiPolygon([shapely.box(0, 0, 100, 100), shapely.box(200, 0, 300, 100)])
    findings = Findings()
    found = divide(linked(study, ends), count, findings=findings)
    assert warned(findings) == ["link_bridged"]
    assert findings.items[0].values["households"] == 80
    assert len(grids_of(found, shapely.box(0, 0, 299, 100))) == 1
    far = shapely.MultiPolygon([shapely.box(0, 0, 100, 100), shapely.box(800, 0, 900, 100)])
    findings = Findings()
    found = divide(linked(study, far), count, findings=findings)
    assert warned(findings) == ["link_between"]
    assert findings.items[0].values["households"] == 560
    assert (found.grids["status"] == "ok").all()


def test_a_link_whose_sides_a_special_place_parts_holds_each_side() -> None:
    wards = [shapely.box(0, 0, 900, 100)]
    houses = [h for i in range(9) for h in houses_in_rows(20 + 100 * i, 20, 2, 2)]
    roads = [("residential", [(x, -10), (x, 110)]) for x in range(100, 900, 100)]
    study, count = make_study(houses, [25] * 36, roads, wards,
                              specials=[shapely.box(400, 0, 500, 100)])
    findings = Findings()
    both = shapely.MultiPolygon([shapely.box(300, 0, 399, 100), shapely.box(501, 0, 600, 100)])
    divide(linked(study, both), count, findings=findings)
    assert warned(findings) == ["link_parts"]


def test_the_range_goes_before_a_link_and_it_is_told() -> None:
    """300 – 200 – 300 – 300: held together the middle would leave 300 + 500 + 300, but 200 + 300
    with their neighbours cannot be."""
    wards = [shapely.box(0, 0, 400, 100)]
    roads = [("residential", [(x, -10), (x, 110)]) for x in (100, 200, 300)]
    houses = [h for i in range(4) for h in houses_in_rows(20 + 100 * i, 20, 2, 2)]
    study, count = make_study(houses, [38] * 4 + [50] * 4 + [63] * 4 + [60] * 4, roads, wards)
    assert count.sum() == 844  # two grids: 352 + 492; with the middle held 152 | 452 | 240
    findings = Findings()
    middle = shapely.box(100, 0, 300, 100)
    found = divide(linked(study, middle), count, findings=findings)
    assert (found.grids["status"] == "ok").all()
    assert warned(findings) == ["link_range"]
    assert found.must_links is not None
    assert found.must_links["status"].tolist() == ["apart"]


def test_overlapping_links_hold_all_or_name_the_second() -> None:
    study, count = town(20)
    one, two = shapely.box(10, 110, 190, 190), shapely.box(110, 110, 290, 190)
    found = divide(linked(study, one, two), count)
    assert len(grids_of(found, shapely.union_all([one, two]))) == 1
    findings = Findings()
    three = shapely.box(210, 110, 290, 390)
    found = divide(linked(study, one, two, three), count, findings=findings)
    assert found.must_links is not None
    assert found.must_links["status"].tolist()[:2] == ["held", "held"]
    assert set(warned(findings)) <= {"link_crowded"}


def test_a_link_that_tears_an_estate_lets_the_estate_go() -> None:
    """Only that one: the other, which a cheap border runs through, stays whole."""
    near = Contacts(np.arange(6), np.arange(1, 7), np.full(6, 9.0),
                    np.array([9.0, 9.0, 9.0, 9.0, 1.0, 9.0]), np.zeros(6, dtype=bool))
    load = np.array([150, 250, 200, 100, 150, 150, 150])
    estate = np.array([-1, 5, 5, -1, 7, 7, -1])
    links = np.array([0, 0, -1, -1, -1, -1, -1])
    cut = cut_whole_estates(load, estate, near, Range(), Params(), links=links)
    assert cut.labels.tolist() == [0, 0, 1, 1, 2, 2, 2]
    assert cut.out_of_range == 0


# ---- passability ---------------------------------------------------------------------------

def crossings(roads: list[tuple[str, list[tuple[float, float]]]], kind: str = "rail",
              barrier: shapely.Geometry | None = None, **values: object) -> int:
    line = barrier or shapely.LineString([(0, 50), (100, 50)])
    study, _ = make_study(houses_in_rows(20, 20, 1, 1), [1], roads, barriers=[(kind, line)],
                          road_values=values)
    return len(find_crossings(study))


@pytest.mark.parametrize(("road", "values", "expected"), [
    ([("residential", [(30, 0), (30, 100)])], {}, 1),
    ([("residential", [(30, 0), (30, 100)])], {"structure": "bridge", "level": 1}, 1),
    ([("footway", [(30, 0), (30, 100)])], {"structure": "tunnel", "level": -1}, 1),
    ([("residential", [(30, 0), (30, 50)]), ("residential", [(30, 50), (30, 100)])], {}, 1),
    ([("residential", [(30, 0), (30, 50)])], {}, 0),
    ([("residential", [(30, 0), (30, 51)])], {}, 0),
    ([("residential", [(30, 0), (30, 51)]), ("footway", [(30, 51), (30, 100)])], {}, 1),
    ([("residential", [(30, 0), (30, 50)]), ("footway", [(30, 50), (30, 100)]),
      ("footway", [(30, 50), (60, 100)])], {}, 1),
    ([("footway", [(30, 0), (30, 50.01)]), ("footway", [(30, 50.01), (60, 100)])], {}, 1),
    ([("footway", [(30, 0), (30, 49.99)]), ("footway", [(30, 50.01), (60, 100)])], {}, 1),
    ([("footway", [(30, 0), (30, 49.99)])], {}, 0),
    ([("footway", [(20, 0), (30, 50), (40, 0)])], {}, 0),
    ([("motorway", [(30, 0), (30, 100)])], {"structure": "bridge"}, 0),
    ([("service", [(30, 0), (30, 100)])], {"foot": False}, 0),
    ([("residential", [(0, 48), (100, 48)])], {}, 0),
], ids=["level crossing", "bridge", "tunnel", "cut at the rail", "ends there", "overshoots",
        "goes on as a path", "forks at the rail",
        "goes on a hair beyond", "meets over a hair", "ends a hair before", "turns back",
        "motorway", "not on foot", "alongside"])
def test_what_leads_across_a_railway(road: list[Any], values: dict[str, object],
                                     expected: int) -> None:
    assert crossings(road, **values) == expected


def test_a_bridge_opens_both_banks_of_a_river() -> None:
    water = shapely.box(0, 40, 100, 60)
    assert crossings([("residential", [(30, 0), (30, 100)])], "water", water) == 2


def walled(gates: list[shapely.Point], per_house: list[int] | None = None,
           kind: str = "wall", roads: list[Any] | None = None) -> tuple[Study, pd.Series]:
    """Two rows of six blocks, an inner road up and down each; a wall between the rows."""
    wards = [shapely.box(0, 0, 600, 200)]
    houses = [h for j in range(2) for i in range(6)
              for h in houses_in_rows(20 + 100 * i, 20 + 100 * j, 2, 2)]
    lines = [("residential", [(x, y), (x, y + 100)]) for x in range(100, 600, 100)
             for y in (-5, 105)] + [("residential", [(0, 95), (600, 95)]),
                                    ("residential", [(0, 105), (600, 105)])]
    study, count = make_study(houses, per_house or [25] * 48, roads or lines, wards,
                              barriers=[(kind, shapely.LineString([(0, 100), (600, 100)]))])
    return (replace(study, gates=layer("gates", gates)) if gates else study), count


ROWS = [("residential", [(x, -5), (x, 99)]) for x in range(100, 600, 100)] + [
    ("residential", [(x, 101), (x, 205)]) for x in range(100, 600, 100)]


def test_no_grid_reaches_across_a_wall_without_a_gate() -> None:
    """Columns of two blocks are the cheaper cut; the wall makes them impassable."""
    count = [25] * 48
    free, load = walled([], count, roads=[("residential", [(x, -5), (x, 205)])
                                          for x in range(100, 600, 100)])
    shut, _ = walled([], count, roads=ROWS)
    south, north = shapely.box(0, 0, 600, 99), shapely.box(0, 101, 600, 200)
    found = divide(shut, load)
    assert (found.grids["status"] == "ok").all()
    assert not grids_of(found, south) & grids_of(found, north)
    assert figure(found, "grids_with_closed_crossing") == 0
    assert len(find_crossings(free)) == 5
    assert len(find_crossings(shut)) == 0


def test_what_only_a_wall_holds_together_is_counted() -> None:
    """Rows of 400 and 250: only one grid of 650 … or two across the wall."""
    shut, load = walled([], [12] * 12 + [13] * 12 + [10] * 12 + [11] * 12, roads=ROWS)
    assert load.sum() == 552 + 0 * 48
    params = replace(PLAIN, partition=replace(PLAIN.partition, urban=Range(270, 290)))
    assert [load[:24].sum(), load[24:].sum()] == [300, 252]
    found = divide(shut, load, params)
    assert (found.grids["status"] == "ok").all()
    assert figure(found, "grids_with_closed_crossing") >= 1
    gate = [shapely.Point(50 + 100 * i, 100) for i in range(6)]
    opened, _ = walled(gate, roads=ROWS)
    found = divide(replace(opened, buildings=shut.buildings), load, params)
    assert figure(found, "grids_with_closed_crossing") == 0


def test_a_gate_that_is_closed_to_all_is_none() -> None:
    gate = layer("gates", [shapely.Point(50 + 100 * i, 100) for i in range(6)],
                 foot=[False] * 6, car=[False] * 6)
    shut, load = walled([], [12] * 12 + [13] * 12 + [10] * 12 + [11] * 12, roads=ROWS)
    params = replace(PLAIN, partition=replace(PLAIN.partition, urban=Range(270, 290)))
    found = divide(replace(shut, gates=gate), load, params)
    assert figure(found, "grids_with_closed_crossing") >= 1


def test_a_lake_belongs_to_a_grid_and_joins_no_banks() -> None:
    """Nobody lives on it, so it is no part that cannot be reached."""
    wards = [shapely.box(0, 0, 600, 200)]
    houses = [h for j in range(2) for i in range(6)
              for h in houses_in_rows(20 + 100 * i, 10 + 120 * j, 2, 2)]
    study, count = make_study(houses, [20] * 48, [], wards,
                              barriers=[("water", shapely.box(0, 80, 500, 120))])
    found = divide(study, count)
    assert (found.grids["status"] == "ok").all()
    assert figure(found, "grids_with_closed_crossing") == 0


def test_only_the_contacts_needed_are_opened_and_the_longest_first() -> None:
    near = add_up(np.array([0, 1, 0, 2]), np.array([1, 2, 2, 3]), np.array([9.0, 5.0, 7.0, 4.0]),
                  np.full(4, 9.0), np.zeros(4), np.array([9.0, 0.0, 0.5, 1.0]))
    assert near.open.tolist() == [True, False, False, True]  # by pair: 0-1, 0-2, 1-2, 2-3
    walk = near.passable(4)
    assert list(zip(walk.a.tolist(), walk.b.tolist(), walk.major.tolist(), strict=True)) == [
        (0, 1, False), (0, 2, True), (2, 3, False)]
    assert near.grouped(np.array([0, 0, 1, 1])).open.tolist() == [False]


def test_impossible_is_shown_on_the_graph_with_every_border() -> None:
    """A ring of four, closed at two places; one of these is opened to hold the part together."""
    load = np.array([160, 160, 160, 160])
    ring = (np.array([0, 1, 2, 0]), np.array([1, 2, 3, 3]))
    near = Contacts(*ring, np.full(4, 9.0), np.full(4, 9.0), np.zeros(4, dtype=bool),
                    np.array([True, False, True, False]))
    cut = cut_whole_estates(load, np.full(4, -1), near, Range(300, 500), Params())
    assert cut.labels.tolist() == [0, 0, 1, 1]
    crossed = replace(near, open=np.array([False, True, False, True]))
    assert cut_whole_estates(load, np.full(4, -1), crossed, Range(300, 500),
                             Params()).labels.tolist() == [0, 1, 1, 0]
    uneven = np.array([150, 290, 20, 160])  # fits only across the other
    cut = cut_whole_estates(uneven, np.full(4, -1), near, Range(300, 320), Params())
    assert cut.labels.tolist() == [0, 1, 1, 0]
    never = np.array([150, 150, 150, 250])
    cut = cut_whole_estates(never, np.full(4, -1), near, Range(310, 390), Params())
    assert cut.status == "enumeration"


@pytest.mark.parametrize("kind", ["motorway", "rail", "river"])
def test_what_parts_a_community_is_not_straddled_where_both_sides_can_stand_alone(
        kind: str) -> None:
    """Roads lead across it every hundred metres, so it is not closed; grids keep off it."""
    line = [(160, -10), (160, 410)]
    roads = [("residential", [(-10, y), (410, y)]) for y in (100, 200, 300)]
    houses = [h for h in HOUSES if h.distance(shapely.LineString(line)) > 5]
    barriers = None if kind == "motorway" else [(kind, shapely.LineString(line))]
    study, count = make_study(houses, [25] * len(houses),
                              [*roads, *([(kind, line)] if not barriers else [])],
                              barriers=barriers)
    found = divide(study, count)
    assert (found.grids["status"] == "ok").all()
    for shape in found.grids.geometry:
        west = shape.intersection(shapely.box(0, 0, 160, 400)).area
        assert min(west, shape.area - west) < 1.0


def ringed(**more: Any) -> tuple[Study, pd.Series]:
    """Five by five blocks; the tertiary road round the middle nine is the cheapest border."""
    ring = [(100, 100), (400, 100), (400, 400), (100, 400), (100, 100)]
    houses = [h for j in range(5) for i in range(5)
              for h in houses_in_rows(20 + 100 * i, 20 + 100 * j, 2, 2)]
    middle = [100 < h.centroid.x < 400 and 100 < h.centroid.y < 400 for h in houses]
    return make_study(houses, [9 if m else 7 for m in middle], [("tertiary", ring)],
                      [shapely.box(0, 0, 500, 500)], **more)


def test_no_grid_lies_round_another_where_a_strip_can_go_across(
        monkeypatch: pytest.MonkeyPatch) -> None:
    study, count = ringed()
    found = divide(study, count)
    assert (found.grids["status"] == "ok").all()
    assert shapely.get_num_interior_rings(found.grids.geometry.to_numpy()).sum() == 0
    monkeypatch.setattr("gridplan.partition.open_rings", lambda cut, *rest: cut)
    closed = divide(study, count)
    assert shapely.get_num_interior_rings(closed.grids.geometry.to_numpy()).sum() == 1
    assert found.grids["households"].sum() == closed.grids["households"].sum()


def test_a_ring_that_is_held_together_stays_one() -> None:
    study, count = ringed()
    outside = shapely.box(0, 0, 500, 500).difference(shapely.box(100, 100, 400, 400))
    found = divide(linked(study, outside), count)
    assert len(grids_of(found, outside.buffer(-1))) == 1
    assert shapely.get_num_interior_rings(found.grids.geometry.to_numpy()).sum() == 1


# ---- locked grids --------------------------------------------------------------------------

def lock(found: Partition, *rows: int, **values: object) -> gpd.GeoDataFrame:
    grids = found.grids.iloc[list(rows)].reset_index(drop=True)
    return grids.assign(locked=True, **values)


def test_a_locked_grid_comes_out_as_it_was() -> None:
    study, count = town(25)
    first = divide(study, count)
    old = lock(first, 1, note="ours", name="Old Street")
    count[:] = np.random.default_rng(1).integers(15, 40, len(count))
    found = divide(study, count, locked=old)
    kept = found.grids.set_index("grid_id").loc[old["grid_id"][0]]
    assert kept.geometry.equals(old.geometry[0])
    assert (kept["name"], kept["note"], kept["locked"]) == ("Old Street", "ours", True)
    assert found.grids["locked"].sum() == 1
    assert found.grids["grid_id"].is_unique
    assert found.grids["part"][found.grids["locked"]].tolist() == [0]


def test_the_code_of_a_locked_grid_is_never_given_again() -> None:
    study, count = town(25)
    old = lock(divide(study, count), 0, seq=3, grid_id="c0-003")
    found = divide(study, count, locked=old)
    same = found.grids[found.grids["grid_id"] == "c0-003"]
    assert same.geometry.iloc[0].equals(old.geometry[0])
    assert found.grids["seq"].tolist() == [1, 2, 3, 4]


def test_a_locked_grid_outside_the_range_says_so() -> None:
    study, count = town(25)
    old = lock(divide(study, count), 0)
    inside = [old.geometry[0].contains(h.centroid) for h in HOUSES]
    count[inside] = 5
    found = divide(study, count, locked=old)
    kept = found.grids[found.grids["locked"]].iloc[0]
    assert kept["status"] == "under"
    assert kept["reason"] == f"locked: locked with {kept['households']} households, outside 300–500"


def test_locked_grids_that_cannot_be_kept_are_told() -> None:
    study, count = town(25)
    old = lock(divide(study, count), 0, 1)
    old.loc[0, "geometry"] = shapely.box(5000, 0, 5100, 100)
    old.loc[1, "geometry"] = shapely.union(old.geometry[1], shapely.box(-80, 0, 0, 400))
    findings = Findings()
    found = divide(study, count, locked=old, findings=findings)
    assert warned(findings) == ["locked_lost", "locked_moved"]
    assert old["grid_id"][0] not in set(found.grids["grid_id"])
    free = replace(study, communities=None,
                   buildings=study.buildings.assign(community_id=pd.NA))
    findings = Findings()
    divide(free, count, locked=old, findings=findings)
    assert warned(findings) == ["locked_unused"]


def test_land_without_households_is_not_given_to_a_locked_grid() -> None:
    study, count = make_study(houses_in_rows(10, 20, 3, 2), [60] * 6,
                              [("residential", [(100, -10), (100, 110)])],
                              [shapely.box(0, 0, 300, 100)])
    old = lock(divide(study, count), 0)
    old.loc[0, "geometry"] = shapely.box(0, 0, 100, 100)
    found = divide(study, count, locked=old)
    assert found.grids["area_m2"].tolist() == pytest.approx([10_000, 20_000])
    assert found.grids["status"].tolist() == ["ok", "empty"]


def test_a_locked_special_grid_stays_special() -> None:
    study, count = make_study(list(HOUSES), [25] * 64, LATTICE,
                              specials=[shapely.box(105, 105, 195, 195)])
    first = divide(study, count)
    place = int(np.flatnonzero(first.grids["kind"] == "special")[0])
    found = divide(study, count, locked=lock(first, place))
    same = ["grid_id", "kind", "status", "reason"]
    kept = found.grids[found.grids["locked"]][same].iloc[0].tolist()
    assert kept == first.grids[same].iloc[place].tolist()


def test_locks_and_links_hold_where_communities_are_proposed() -> None:
    study, count = town(100)
    free = replace(study, communities=None,
                   buildings=study.buildings.assign(community_id=pd.NA))
    pair = shapely.box(110, 210, 190, 390)  # 800 households: two blocks of 400
    findings = Findings()
    found = divide(linked(free, shapely.box(110, 210, 190, 240), pair), count, findings=findings)
    assert found.must_links is not None
    assert found.must_links["status"].tolist() == ["held", "apart"]
    assert warned(findings) == ["link_large"]


def test_a_must_link_into_a_locked_grid_is_told() -> None:
    study, count = town(25)
    old = lock(divide(study, count), 0)
    west, south, east, north = old.geometry[0].bounds
    ring = shapely.box(west - 90, south - 90, east + 90, north + 90)
    findings = Findings()
    found = divide(linked(study, ring), count, locked=old, findings=findings)
    assert warned(findings) == ["link_locked"]
    assert found.grids.set_index("grid_id").loc[old["grid_id"][0]].geometry.equals(
        old.geometry[0])


# ---- special grids, exclaves, ranges by kind -----------------------------------------------

@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(5, 45), min_size=64, max_size=64),
       st.sampled_from([(0, 0), (100, 100), (200, 300), (300, 0)]),
       st.sampled_from(["urban", "old", "rural"]))
def test_special_places_stand_alone_and_ranges_follow_the_kind(
        load: list[int], corner: tuple[int, int], kind: str) -> None:
    place = shapely.box(corner[0] + 2, corner[1] + 2, corner[0] + 98, corner[1] + 98)
    study, count = make_study(list(HOUSES), load, LATTICE, specials=[place])
    assert study.communities is not None
    study.communities["kind"] = kind
    ranges = {"urban": Range(300, 500), "old": Range(200, 400), "rural": Range(160, 260)}
    found = divide(study, count, replace(PLAIN, partition=replace(PLAIN.partition, **ranges)))
    special = found.grids[found.grids["kind"] == "special"]
    assert len(special) == 1
    assert special.geometry.iloc[0].contains(place.buffer(-3))
    assert special["part"].tolist() == [0]
    basic = found.grids[found.grids["kind"] == "basic"]
    fine = basic["households"].between(ranges[kind].low, ranges[kind].high)
    assert (fine == (basic["status"] == "ok")).all()
    for _, held in basic.groupby("part"):
        if ranges[kind].fits(int(held["households"].sum())):
            assert not held["reason"].str.startswith("count").any()


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2))
def test_an_exclave_is_its_own_part_and_named_when_small(per_house: int, seed: int) -> None:
    wards = [shapely.MultiPolygon([shapely.box(0, 0, 400, 300), shapely.box(0, 350, 400, 450)])]
    houses = houses_in_rows(20, 20, 12, 8, 32) + houses_in_rows(20, 380, 4, 2)
    study, count = make_study(houses, [10] * 96 + [per_house] * 8, [], wards)
    found = divide(study, count, replace(PLAIN, seed=seed))
    apart = found.grids[found.grids.centroid.y > 340]
    assert not set(apart["part"]) & set(found.grids["part"][found.grids.centroid.y < 340])
    if 8 * per_house < 300:
        assert apart["status"].tolist() == ["exclave"]
        assert f"{8 * per_house} households" in apart["reason"].iloc[0]
    else:
        assert set(apart["status"]) == {"ok"}


# ---- what a cut costs ----------------------------------------------------------------------

def aim(**values: float) -> Params:
    return replace(PLAIN, partition=replace(PLAIN.partition, objective=Objective(**values)))


def uneven() -> tuple[Study, pd.Series]:
    load = np.random.default_rng(7).integers(10, 60, len(HOUSES)).tolist()
    return make_study(list(HOUSES), load, LATTICE)


def test_risk_raises_the_chance_to_stay_in_range() -> None:
    study, count = uneven()
    plain, safe = (divide(study, count, p, spread=60) for p in (aim(), aim(risk=5000.0)))
    assert safe.grids["p_in_range"].sum() > plain.grids["p_in_range"].sum()
    assert (safe.grids["status"] == "ok").all()


def test_balance_brings_grids_to_the_middle_of_the_range() -> None:
    study, count = uneven()
    plain, even = (divide(study, count, p) for p in (aim(), aim(balance=50.0)))
    off = [(f.grids["households"] - 400).abs().mean() for f in (plain, even)]
    assert off[1] < off[0]


def test_shape_counts_plain_metres() -> None:
    near = Contacts(np.array([0]), np.array([1]), np.array([50.0]), np.array([25.0]),
                    np.zeros(1, dtype=bool))
    load = np.array([400, 400])
    cut = cut_whole_estates(load, np.full(2, -1), near, Range(), aim(border=2.0, shape=0.5))
    assert cut.border == pytest.approx(2.0 * 25 + 0.5 * 50)


def test_nothing_asked_costs_nothing() -> None:
    load, wide = np.array([100, 300]), np.array([9.0, 16.0])
    assert price_grids(load, wide, Range(), Objective()) is None
    toll = price_grids(load, wide, Range(), Objective(balance=2.0, risk=100.0))
    assert toll is not None
    assert toll[400] == pytest.approx(0.0, abs=1e-9)
    assert toll[300] > 200.0
    assert toll[100] == pytest.approx(2 * 300 + 100)


def test_the_chance_is_that_of_a_rounded_normal_count() -> None:
    found = chance_in_range(np.array([300.0, 500.5]), np.array([10.0, 10.0]), 300, 500)
    assert found.tolist() == pytest.approx([0.5199, 0.5], abs=1e-3)


# ---- what would make it fit ----------------------------------------------------------------

def test_the_nearest_range_of_a_total_between_is_found() -> None:
    path = Contacts(np.array([0, 1]), np.array([1, 2]), np.full(2, 9.0), np.full(2, 9.0),
                    np.zeros(2, dtype=bool))
    found = name_nearest(np.array([275, 276, 0]), path, Range(), np.array([551]), "count")
    assert found == {"nearest": [551], "fits": [275, 500]}
    found = name_nearest(np.array([200, 351, 0]), path, Range(), np.array([551]), "count")
    assert found == {"nearest": [551], "fits": [300, 551]}


def test_the_nearest_range_of_a_part_that_cannot_be_cut_is_found() -> None:
    path = Contacts(np.array([0, 1, 2]), np.array([1, 2, 3]), np.full(3, 9.0), np.full(3, 9.0),
                    np.zeros(3, dtype=bool))
    found = name_nearest(np.array([283, 440, 283, 440]), path, Range(),
                         np.array([283, 440, 723]), "enumeration")
    assert found == {"nearest": [283, 723], "fits": [283, 500]}
    assert name_nearest(np.array([300, 400]), path.among(np.array([0, 1]), 4), Range(),
                        np.array([300, 400]), "ok") == {}


def test_the_neighbour_that_would_make_it_fit_is_named() -> None:
    wards = [shapely.box(0, 0, 400, 200), shapely.box(0, 200, 400, 400)]
    load = [18] * 30 + [11] * 2 + [25] * 32
    study, count = make_study(list(HOUSES), load, LATTICE, wards)
    assert count[:32].sum() == 562
    found = divide(study, count)
    reason = found.grids["reason"][0]
    assert "with part 1 of community c1 next door (1362 households together)" in reason
    assert '"merger": {"community": "c1", "part": 1, "households": 1362}' in (
        found.communities["certificate"][0])
