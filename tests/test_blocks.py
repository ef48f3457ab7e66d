"""Units tile their community exactly, hold whole buildings and know what lies between them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from studies import CROSS, houses_in_rows, make_study

from gridplan.blocks import build_units
from gridplan.blocks.assembly import follow_lines
from gridplan.blocks.cells import draw_cells, straighten
from gridplan.blocks.houses import find_hosts, locate, place_houses
from gridplan.blocks.merging import Atoms, join_atoms
from gridplan.blocks.noding import (
    Segments,
    build_faces,
    extend_dead_ends,
    match_segments,
    node_lines,
)
from gridplan.layers import Lines, Study, Units
from gridplan.params import BlockParams


def units_of(study: Study, households: pd.Series, **values: float) -> Units:
    values = {"cell_households": 150, **values}
    return build_units(study, households, BlockParams(**values))  # type: ignore[arg-type]


def assert_sound(study: Study, households: pd.Series, units: Units) -> None:
    shape = units.frame.geometry.to_numpy()
    assert units.frame.index.is_unique
    assert shapely.is_valid(shape).all()
    assert (shapely.get_type_id(shape) == 3).all()
    assert shapely.coverage_is_valid(shape)
    assert study.communities is not None
    for name, ward in study.communities.geometry.items():
        own = shapely.union_all(shape[(units.frame["community_id"] == name).to_numpy()])
        assert own.symmetric_difference(ward).area <= shapely.length(ward) * 1e-3
    assert units.unit_of.index.equals(study.buildings.index)
    held = households.groupby(units.unit_of).sum().reindex(units.frame.index, fill_value=0)
    assert (held == units.frame["households"]).all()


def test_roads_make_blocks_and_a_block_below_the_limit_is_one_unit() -> None:
    study, count = make_study(houses_in_rows(20, 20, 4, 4), [5] * 16, CROSS)
    units = units_of(study, count)
    assert_sound(study, count, units)
    assert len(units.frame) == 4
    assert units.frame["block_id"].nunique() == 4
    assert sorted(units.frame["households"]) == [0, 0, 0, 80]


def test_a_crowded_block_is_cut_between_its_buildings() -> None:
    study, count = make_study(houses_in_rows(20, 20, 5, 5), [40] * 25, CROSS)
    units = units_of(study, count, unit_households=100)
    assert_sound(study, count, units)
    inside = units.frame[units.frame["households"] > 0]
    assert inside["block_id"].nunique() == 1
    assert len(inside) >= 10
    assert inside["households"].max() <= 100


def test_borders_know_the_class_and_the_length_of_what_runs_along_them() -> None:
    study, count = make_study(houses_in_rows(20, 20, 4, 4), [5] * 16, CROSS)
    borders = units_of(study, count).borders
    length = np.bincount(borders.border_class, borders.length_m, minlength=5)
    assert length == pytest.approx([0, 400, 0, 400, 0])
    assert borders.length_m[borders.major].sum() == pytest.approx(400)


def test_inner_paths_cut_only_crowded_blocks() -> None:
    path = [*CROSS, ("footway", [(100, 0), (100, 200)])]
    few, count = make_study(houses_in_rows(20, 20, 5, 5), [1] * 25, path)
    assert len(units_of(few, count).frame) == 4
    many, count = make_study(houses_in_rows(20, 20, 2, 5) + houses_in_rows(110, 20, 2, 5),
                             [10] * 20, path)
    units = units_of(many, count, cut_households=150)
    assert_sound(many, count, units)
    inner = units.borders.lines.road_class[units.borders.line] == "footway"
    assert units.borders.length_m[inner].sum() == pytest.approx(200, abs=1)


@pytest.mark.parametrize("values", [{"structure": "tunnel"}, {"level": -1}])
def test_what_runs_below_ground_cuts_nothing(values: dict[str, object]) -> None:
    study, count = make_study(houses_in_rows(20, 20, 4, 4), [5] * 16, CROSS, road_values=values)
    assert len(units_of(study, count).frame) == 1


def test_a_bridge_is_a_border() -> None:
    study, count = make_study(houses_in_rows(20, 20, 4, 4), [5] * 16, CROSS,
                              road_values={"structure": "bridge", "level": 1})
    assert len(units_of(study, count).frame) == 4


def test_a_road_that_stops_short_is_carried_on_but_never_through_a_building() -> None:
    short = [("residential", [(200, 0), (200, 385)])]
    study, count = make_study(houses_in_rows(20, 20, 4, 4), [5] * 16, short)
    assert len(units_of(study, count).frame) == 2
    walled, count = make_study([*houses_in_rows(20, 20, 4, 4), shapely.box(190, 388, 210, 396)],
                               [5] * 17, short)
    assert len(units_of(walled, count).frame) == 1


def test_slivers_of_a_dual_carriageway_are_joined() -> None:
    dual = [("primary", [(200, 0), (200, 400)]), ("primary", [(206, 0), (206, 400)])]
    study, count = make_study(houses_in_rows(20, 20, 4, 4) + houses_in_rows(230, 20, 4, 4),
                              [5] * 32, dual)
    units = units_of(study, count)
    assert_sound(study, count, units)
    assert len(units.frame) == 2


def test_a_building_across_a_road_stays_whole() -> None:
    across = [shapely.box(190, 90, 206, 110)]
    study, count = make_study(houses_in_rows(20, 20, 4, 4) + across, [5] * 16 + [9], CROSS)
    units = units_of(study, count)
    assert_sound(study, count, units)
    home = units.frame.loc[units.unit_of["b0016"]].geometry
    assert home.intersection(across[0]).area == pytest.approx(across[0].area, rel=1e-3)


def test_a_building_across_a_community_border_belongs_to_its_community() -> None:
    wards = [shapely.box(0, 0, 200, 400), shapely.box(200, 0, 400, 400)]
    study, count = make_study([*houses_in_rows(20, 20, 4, 4), shapely.box(190, 300, 215, 310)],
                              [5] * 16 + [7], [], wards)
    units = units_of(study, count)
    assert_sound(study, count, units)
    assert units.frame.loc[units.unit_of["b0016"], "community_id"] == "c1"


def test_a_building_stays_with_the_community_it_was_given() -> None:
    wards = [shapely.box(0, 0, 200, 400), shapely.box(200, 0, 400, 400)]
    study, count = make_study([*houses_in_rows(20, 20, 4, 4), shapely.box(180, 300, 205, 310)],
                              [5] * 16 + [7], [], wards)
    assert study.buildings["community_id"].iloc[16] == "c0"
    study.buildings.loc["b0016", "community_id"] = "c1"
    units = units_of(study, count)
    assert units.frame.loc[units.unit_of["b0016"], "community_id"] == "c1"


def test_a_building_above_the_range_is_a_unit_of_its_own() -> None:
    study, count = make_study(houses_in_rows(20, 20, 5, 5), [620] + [20] * 24, CROSS)
    units = units_of(study, count)
    assert_sound(study, count, units)
    own = units.frame.loc[units.unit_of["b0000"]]
    assert (own["buildings"], own["households"], own["biggest"]) == (1, 620, 620)


def test_a_special_place_keeps_its_outline() -> None:
    park = shapely.box(20, 220, 180, 380)
    study, count = make_study(houses_in_rows(220, 20, 4, 4), [5] * 16, CROSS, specials=[park])
    units = units_of(study, count)
    assert_sound(study, count, units)
    special = units.frame[units.frame["special_id"].notna()]
    assert special.geometry.union_all().symmetric_difference(park).area < 1.0


def test_a_river_is_a_unit_and_its_banks_do_not_touch() -> None:
    river = shapely.box(0, 190, 400, 215)
    study, count = make_study(houses_in_rows(20, 20, 4, 4) + houses_in_rows(20, 240, 4, 4),
                              [5] * 32, [], barriers=[("river", river)])
    units = units_of(study, count)
    assert_sound(study, count, units)
    assert units.frame["water"].sum() == 1
    wet = units.frame.index.get_indexer(units.frame.index[units.frame["water"]])[0]
    assert ((units.borders.left == wet) | (units.borders.right == wet)).all()


def test_a_building_inside_another_follows_it() -> None:
    boxes = np.array([shapely.box(0, 0, 10, 10), shapely.box(2, 2, 4, 4), shapely.box(2, 2, 3, 3),
                      shapely.box(8, 0, 18, 10), shapely.box(17.7, 0, 27.7, 10)])
    assert find_hosts(boxes).tolist() == [0, 0, 0, 0, 4]


def test_buildings_given_as_points_are_cut_too() -> None:
    points = [h.centroid for h in houses_in_rows(20, 20, 5, 5)]
    study, count = make_study(points, [40] * 25, CROSS)
    units = units_of(study, count, unit_households=100)
    assert_sound(study, count, units)
    assert (units.frame["households"] > 0).sum() >= 10


def test_unit_names_do_not_depend_on_the_order_of_the_input() -> None:
    study, count = make_study(houses_in_rows(20, 20, 5, 5), [40] * 25, CROSS)
    units = units_of(study, count)
    turned, _ = make_study(houses_in_rows(20, 20, 5, 5), [40] * 25, CROSS[::-1])
    again = units_of(turned, count)
    assert again.frame.index.equals(units.frame.index)
    assert again.frame.geometry.to_wkb().tolist() == units.frame.geometry.to_wkb().tolist()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_town_is_tiled(data: st.DataObject) -> None:
    side = st.floats(20, 380)
    roads = [("residential", [(x, -10), (y, 410)]) for x, y in data.draw(
        st.lists(st.tuples(side, side), max_size=4))]
    paths = [("footway", [(-10, x), (410, y)]) for x, y in data.draw(
        st.lists(st.tuples(side, side), max_size=3))]
    spots = data.draw(st.lists(st.tuples(st.integers(1, 17), st.integers(1, 17),
                                         st.floats(6, 30), st.floats(6, 30)),
                               min_size=2, max_size=30, unique_by=lambda t: t[:2]))
    houses = [shapely.box(20 * x, 20 * y, 20 * x + w, 20 * y + h) for x, y, w, h in spots]
    split = data.draw(st.floats(100, 300))
    wards = [shapely.box(0, 0, split, 400), shapely.box(split, 0, 400, 400)]
    households = data.draw(st.lists(st.integers(0, 600), min_size=len(houses),
                                    max_size=len(houses)))
    study, count = make_study(list(houses), households, roads + paths, wards)
    assert_sound(study, count, units_of(study, count))


def test_cells_tile_a_face_and_hold_their_buildings() -> None:
    face = shapely.box(0, 0, 200, 120)
    boxes = np.array(houses_in_rows(10, 10, 6, 3))
    cells, owner = draw_cells(face, boxes)
    assert shapely.area(cells).sum() == pytest.approx(face.area)
    for k, box in enumerate(boxes):
        assert cells[owner == k][0].intersection(box).area > 0.97 * box.area


def test_straightening_shortens_borders_and_cuts_no_building() -> None:
    face = shapely.box(0, 0, 100, 100)
    zigzag = [(50 + (6 if k % 2 else -6), 5 * k) for k in range(21)]
    west = shapely.Polygon([(0, 0), *zigzag, (0, 100)])
    pieces = np.array([west, face.difference(west)])
    boxes = np.array([shapely.box(5, 40, 40, 60), shapely.box(60, 40, 90, 60)])
    drawn = straighten(pieces, boxes, np.array([0, 1]), 12.0)
    assert shapely.length(drawn[0].intersection(drawn[1])) < 0.6 * shapely.LineString(zigzag).length
    assert shapely.area(drawn).sum() == pytest.approx(face.area)
    in_the_way = np.array([shapely.box(30, 37.6, 54, 42.4), shapely.box(60, 40, 90, 60)])
    held = straighten(pieces, in_the_way, np.array([0, 1]), 12.0)
    cut = 1 - shapely.area(shapely.intersection(in_the_way[0], held[0])) / in_the_way[0].area
    before = 1 - shapely.area(shapely.intersection(in_the_way[0], west)) / in_the_way[0].area
    assert cut <= max(before, 0.01) + 1e-6


def test_a_dead_end_is_carried_to_the_next_line_only_within_reach() -> None:
    frame = np.array([shapely.LinearRing([(0, 0), (100, 0), (100, 100), (0, 100)])])
    lines = node_lines(frame, np.array([shapely.LineString([(50, 0), (50, 90)])]))
    none = shapely.STRtree([])
    assert len(extend_dead_ends(lines, 5.0, none, frame)) == 0
    added = extend_dead_ends(lines, 15.0, none, frame)
    assert len(build_faces(node_lines(lines, added), shapely.box(0, 0, 100, 100))) == 2


def test_equal_pieces_of_outline_are_found() -> None:
    boxes = np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(0, 1, 1, 2)])
    touch = match_segments(boxes)
    assert sorted(zip(touch.left.tolist(), touch.right.tolist(), strict=True)) == [(0, 1), (0, 2)]


def test_joining_respects_fences_and_large_buildings() -> None:
    atoms = Atoms(households=np.array([5, 5, 5, 600]),
                  area_m2=np.full(4, 1e3), perimeter_m=np.full(4, 130.0),
                  buildings=np.ones(4, dtype=np.int64), estate=np.full(4, -1),
                  fence=np.array([0, 0, 1, 0]), block=np.zeros(4, dtype=np.int64))
    chain = np.array([0, 1, 2]), np.array([1, 2, 3]), np.full(3, 30.0)
    unit = join_atoms(atoms, *chain, chain[2], unit_households=60, sliver_m2=500.0,
                      thin=0.08, keep_empty_m2=1e4)
    assert unit.tolist() == [0, 0, 1, 2]


def test_a_building_is_placed_where_most_of_it_stands() -> None:
    study, count = make_study([shapely.box(195, 10, 203, 20)], [1], [])
    faces = np.array([shapely.box(0, 0, 200, 400), shapely.box(200, 0, 400, 400)])
    assert locate(place_houses(study, count), faces).tolist() == [0]


def test_a_wall_beside_the_road_leaves_no_strip_round_its_block() -> None:
    block = [("residential", [(x, -10), (x, 410)]) for x in (100, 300)] + [
        ("residential", [(-10, y), (410, y)]) for y in (100, 300)]
    houses = [shapely.box(x, y, x + 20, y + 15) for x in (130, 250) for y in (130, 250)]
    wall = shapely.box(108, 108, 292, 292).boundary
    study, count = make_study(list(houses), [60] * 4, block, barriers=[("wall", wall)])
    units = units_of(study, count, cell_households=80)
    assert_sound(study, count, units)
    edge = shapely.box(100, 100, 300, 300).boundary
    lived = units.frame[units.frame["households"] > 0]
    assert len(lived) == 4
    assert (lived.geometry.intersection(edge).length > 100).all()


def test_buildings_that_run_into_each_other_stay_together_and_whole() -> None:
    """A wing drawn over the road and into its main house: one unit holds both."""
    main, wing = shapely.box(185, 90, 196, 110), shapely.box(194, 95, 215, 105)
    study, count = make_study([*houses_in_rows(20, 20, 4, 4), main, wing], [5] * 16 + [9, 3],
                              CROSS)
    units = units_of(study, count)
    assert_sound(study, count, units)
    assert units.unit_of["b0016"] == units.unit_of["b0017"]
    home = units.frame.loc[units.unit_of["b0017"]].geometry
    for house in (main, wing):
        assert home.intersection(house).area == pytest.approx(house.area, rel=0.03)


def test_a_border_that_only_crosses_a_road_does_not_follow_it() -> None:
    touch = Segments(np.array([0, 0]), np.array([1, 1]), np.array([[0.0, 0.0], [0.0, 5.0]]),
                     np.array([[100.0, 0.0], [0.0, 9.0]]))
    roads = Lines(np.array([shapely.LineString([(50, -10), (50, 10)]),
                            shapely.LineString([(0, -10), (0, 10)])]), np.array([3, 1]),
                  np.array(["", ""], dtype=object),
                  np.array(["secondary", "service"], dtype=object), np.array([True, False]))
    line, rank = follow_lines(touch, roads)
    assert line.tolist() == [-1, 1]
    assert rank.tolist() == [0, 1]
