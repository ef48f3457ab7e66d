"""Bad geometry and coordinates: each test bears the id of its row in the list of bad inputs."""

import itertools
import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from bad_inputs import every_finding_can_be_told  # noqa: F401
from shapely import LineString, MultiPolygon, Point, Polygon, box
from shapely.affinity import translate

from gridplan.datum import bd09_to_wgs84, gcj02_to_wgs84, wgs84_to_bd09, wgs84_to_gcj02
from gridplan.errors import Findings, InputError
from gridplan.layers import Source
from gridplan.params import Params, ReadParams
from gridplan.read import clean_study, read_layers
from gridplan.read.guess import guess_shift
from gridplan.read.held import Held

X, Y, CRS = 500_000.0, 3_580_000.0, "EPSG:4548"  # 117°E, 32.3°N
SOURCES = [Source(f"{layer}.gpkg", layer, "0" * 64, 1)
           for layer in ("communities", "buildings", "roads", "outline")]


def layer(crs=CRS, shapes=(), **columns):
    """A layer of shapes drawn in metres from the corner of the town."""
    moved = [None if s is None or s.is_empty else translate(s, X, Y) for s in shapes]
    empties = [s for s in shapes if s is not None and s.is_empty]
    moved = [empties.pop(0) if m is None and s is not None else m
             for m, s in zip(moved, shapes, strict=True)]
    frame = gpd.GeoDataFrame(columns, geometry=moved, crs=CRS)
    return frame if crs == CRS else frame.to_crs(crs)


def communities(*shapes, ids=None):
    ids = ids or [f"11010100100{i}" for i in range(1, len(shapes) + 1)]
    return layer(shapes=shapes, community_id=ids, name=[f"社区{i}" for i in ids])


def buildings(*shapes, ids=None, households=None):
    ids = ids or [f"b{i}" for i in range(1, len(shapes) + 1)]
    return layer(shapes=shapes, building_id=ids, households=households or [100] * len(shapes))


WEST, EAST = box(0, 0, 400, 400), box(400, 0, 800, 400)
HOMES = [box(50, 50, 80, 70), box(450, 50, 480, 70)]
ROADS = layer(shapes=[LineString([(0, 200), (800, 200)])])


def clean(**layers):
    """Clean the town with some of its layers replaced; return the study and the findings."""
    options = {k: layers.pop(k) for k in ("params", "datum", "drop_null", "delineate", "totals")
               if k in layers}
    raw = {"communities": communities(WEST, EAST), "buildings": buildings(*HOMES), "roads": ROADS,
           **layers}
    findings = Findings()
    params = options.pop("params", Params())
    study = clean_study({k: v for k, v in raw.items() if v is not None}, SOURCES, params, findings,
                        **options)
    return study, findings


def refuse(**layers):
    """Clean the town and return the faults by key."""
    with pytest.raises(InputError) as caught:
        clean(**layers)
    return {f.key: f for f in caught.value.findings}


def told(findings, key, outcome):
    """Return the one finding of ``key``, which has ``outcome``."""
    (found,) = [f for f in findings.items if f.key == key]
    assert found.outcome == outcome
    return found


def tally(findings, name="buildings"):
    (row,) = [t for t in findings.tally if t.layer == name]
    assert row.rows_in == row.used + row.repaired + row.rejected + row.outside
    return row


def test_a_good_town_comes_through_untouched():
    study, findings = clean()
    assert findings.items == []
    assert list(study.communities.index) == ["110101001001", "110101001002"]
    assert list(study.buildings["community_id"]) == ["110101001001", "110101001002"]
    assert study.communities.geometry.iloc[0].equals(translate(WEST, X, Y))
    assert study.crs == CRS
    assert study.outline.area == 800 * 400
    assert tally(findings).households_out == 200


# geometry ---------------------------------------------------------------------------------------

def test_b01_bow_tie_community_stops_the_run():
    bow_tie = Polygon([(0, 0), (400, 400), (400, 0), (0, 400)])
    fault = refuse(communities=communities(bow_tie, EAST))["read.crosses_itself"]
    assert (fault.file, fault.layer, fault.row) == ("communities.gpkg", "communities",
                                                    "110101001001")


def test_b01_crossing_of_no_weight_is_mended():
    crossing = Polygon([(0, 0), (400, 0), (400, 400), (0.1, 400), (0, 399.9), (0.1, 399.9),
                        (0, 400)])
    study, findings = clean(communities=communities(crossing, EAST))
    told(findings, "read.made_valid", "repaired")
    assert study.communities.is_valid.all()
    assert study.communities.area.iloc[0] == pytest.approx(160_000, rel=1e-3)


def test_b01_bow_tie_building_is_mended_whole():
    bow_tie = Polygon([(50, 50), (90, 90), (90, 50), (50, 90)])
    study, findings = clean(buildings=buildings(bow_tie, HOMES[1]))
    told(findings, "read.made_valid", "repaired")
    assert study.buildings.area.iloc[0] == pytest.approx(800)  # both wings
    assert tally(findings).repaired == 1


def test_b02_hole_that_touches_the_shell_is_mended():
    figure = Polygon([(0, 0), (400, 0), (400, 400), (0, 400)],
                     [[(0, 200), (100, 100), (400, 200), (100, 300)]])
    study, findings = clean(communities=communities(figure, EAST))
    told(findings, "read.made_valid", "repaired")
    assert study.communities.area.iloc[0] == pytest.approx(figure.area)


def test_b03_spikes_and_repeated_vertices_go():
    spiked = Polygon([(0, 0), (400, 0), (400, 0), (400, 400), (200, 400), (200, 900), (200, 400),
                      (0, 400)])
    study, _ = clean(communities=communities(spiked, EAST))
    assert study.communities.geometry.iloc[0].bounds[3] == Y + 400
    assert study.communities.area.iloc[0] == pytest.approx(160_000)


def test_b04_zero_area_is_named():
    flat = Polygon([(0, 0), (10, 10), (20, 20)])
    assert refuse(buildings=buildings(flat, HOMES[1]))["read.zero_area"].row == "b1"


def test_b07_hole_outside_the_shell_is_dropped():
    holed = Polygon([(0, 0), (400, 0), (400, 400), (0, 400)],
                    [[(-20, -20), (-10, -20), (-10, -10), (-20, -10)]])
    study, findings = clean(communities=communities(holed, EAST))
    told(findings, "read.hole_dropped", "repaired")
    assert study.communities.area.iloc[0] == pytest.approx(160_000)


def test_b08_identical_parts_count_once():
    study, _ = clean(buildings=buildings(MultiPolygon([HOMES[0], HOMES[0]]), HOMES[1]))
    assert study.buildings.area.iloc[0] == pytest.approx(HOMES[0].area)
    study, _ = clean(communities=communities(MultiPolygon([WEST, WEST]), EAST))
    assert study.communities.area.iloc[0] == pytest.approx(160_000)


@pytest.mark.parametrize("nothing", [None, Polygon()], ids=["b09_null", "b10_empty"])
def test_b09_b10_no_geometry_stops_the_run_and_lists_households(nothing):
    fault = refuse(buildings=buildings(nothing, *HOMES))["read.no_shape"]
    assert (fault.row, fault.values["households"]) == ("b1", 100)
    study, findings = clean(buildings=buildings(nothing, *HOMES), drop_null=True)
    assert told(findings, "read.no_shape", "warning").values["households"] == 100
    assert len(study.buildings) == 2
    row = tally(findings)
    assert (row.rejected, row.households_in, row.households_out) == (1, 300, 200)


def test_b11_wrong_kind_is_refused_and_the_rest_of_a_mixed_layer_told():
    assert refuse(communities=communities(WEST, LineString([(400, 0), (800, 400)])))[
        "read.wrong_kind"].row == "110101001002"
    roads = layer(shapes=[LineString([(0, 200), (800, 200)]), box(100, 100, 120, 120)])
    study, findings = clean(roads=roads)
    assert told(findings, "read.not_a_line", "warning").count == 1
    assert len(study.roads) == 1


def test_b77_roads_as_areas_stop_the_run():
    assert "read.wrong_kind" in refuse(roads=layer(shapes=[box(0, 190, 800, 210)]))


@pytest.mark.parametrize("kind", ["Z", "M", "ZM"])
def test_b12_b13_heights_and_measures_are_dropped(kind):
    extra = " 5" * len(kind)
    ring = ", ".join(f"{X + x} {Y + y}{extra}" for x, y in WEST.exterior.coords)
    frame = communities(WEST, EAST)
    frame.geometry = [shapely.from_wkt(f"POLYGON {kind} (({ring}))"), translate(EAST, X, Y)]
    study, findings = clean(communities=frame)
    assert told(findings, "read.flattened", "repaired").row == "110101001001"
    shape = study.communities.geometry.iloc[0]
    assert not shape.has_z
    assert not shape.has_m
    assert shape.equals(translate(WEST, X, Y))


def test_b14_exclave_keeps_its_parts():
    away = MultiPolygon([box(0, 0, 400, 300), box(0, 350, 400, 400)])
    study, findings = clean(communities=communities(away, EAST))
    assert told(findings, "read.exclave", "warning").row == "110101001001"
    assert shapely.get_num_geometries(study.communities.geometry.iloc[0]) == 2


def test_b15_collection_gives_its_areas():
    mixed = shapely.GeometryCollection([WEST, LineString([(0, 0), (9, 9)])])
    study, findings = clean(communities=communities(mixed, EAST))
    told(findings, "read.collection", "repaired")
    assert study.communities.area.iloc[0] == 160_000


def test_b17_hole_between_communities_is_told():
    ring = WEST - box(100, 250, 200, 350)
    _, findings = clean(communities=communities(ring, EAST))
    assert "10,000 m²" in told(findings, "read.hole", "warning").values["spots"]
    _, findings = clean(communities=communities(ring, EAST, box(100, 250, 200, 350)))
    assert findings.items == []  # an enclave owns its hole


def test_b18_overlap_stops_the_run_with_the_list():
    fault = refuse(communities=communities(WEST, box(390, 0, 800, 400)))["read.overlap"]
    assert fault.values["pairs"] == "110101001001 × 110101001002 (4,000.0 m²)"


@pytest.mark.parametrize("step", [1e-7, 0.004], ids=["b19_gap_0.1um", "gap_4mm"])
def test_b19_hair_fine_gap_is_closed(step):
    apart = box(400 + step, 0, 800, 400)
    study, findings = clean(communities=communities(WEST, apart))
    told(findings, "read.fitted", "repaired")
    west, east = study.communities.geometry
    assert west.touches(east)
    assert west.intersection(east).length == pytest.approx(400, abs=0.1)
    assert shapely.coverage_is_valid(study.communities.geometry.array)


def test_b19_gap_with_vertices_of_its_own_is_closed():
    bent = Polygon([(400.003, 0), (800, 0), (800, 400), (400.003, 400), (400.006, 150),
                    (400.002, 90)])
    study, _ = clean(communities=communities(WEST, bent))
    assert shapely.coverage_is_valid(study.communities.geometry.array)
    assert shapely.union_all(study.communities.geometry.array).geom_type == "Polygon"
    west, east = study.communities.geometry
    assert west.intersection(east).length == pytest.approx(400, abs=0.1)


def test_b20_hair_fine_overlap_is_cut():
    study, findings = clean(communities=communities(WEST, box(399.995, 0, 800, 400)))
    told(findings, "read.fitted", "repaired")
    west, east = study.communities.geometry
    assert west.intersection(east).area == 0
    assert west.area + east.area == pytest.approx(320_000)


def test_b21_building_on_a_border_goes_to_the_smaller_id():
    middle = box(390, 50, 410, 70)
    for ids in (["110101001001", "110101001002"], ["110101001002", "110101001001"]):
        study, findings = clean(communities=communities(WEST, EAST, ids=ids),
                                buildings=buildings(middle, Point(400, 100)))
        assert list(study.buildings["community_id"]) == ["110101001001"] * 2
        assert tally(findings).households_out == 200


def test_b22_building_outside_is_tallied_and_no_error():
    far = box(5000, 5000, 5020, 5020)
    study, findings = clean(buildings=buildings(*HOMES, far))
    row = tally(findings)
    assert (row.outside, row.households_in, row.households_out) == (1, 300, 200)
    assert findings.items == []
    assert len(study.buildings) == 2


def test_b22_building_in_a_hole_is_listed_and_too_many_stop_the_run():
    ring = WEST - box(100, 250, 200, 350)
    lost = box(120, 270, 140, 290)
    fault = refuse(communities=communities(ring, EAST),
                   buildings=buildings(*HOMES, lost))["read.unowned"]
    assert (fault.row, fault.values["households"]) == ("b3", 100)
    study, findings = clean(communities=communities(ring, EAST),
                            buildings=buildings(*HOMES, lost, households=[900, 900, 10]))
    assert told(findings, "read.unowned", "warning").values["households"] == 10
    row = tally(findings)
    assert (row.rejected, row.households_out) == (1, 1800)
    assert len(study.buildings) == 2


def test_b22_the_limit_is_a_parameter():
    ring = WEST - box(100, 250, 200, 350)
    _, findings = clean(communities=communities(ring, EAST),
                        buildings=buildings(*HOMES, box(120, 270, 140, 290)),
                        params=Params(read=ReadParams(outside_share=0.5)))
    told(findings, "read.unowned", "warning")


def test_b23_straddling_building_goes_where_most_of_it_is():
    study, findings = clean(buildings=buildings(box(370, 50, 410, 70), *HOMES))
    assert study.buildings["community_id"].iloc[0] == "110101001001"
    assert told(findings, "read.straddles", "repaired").row == "b1"
    assert len(study.buildings) == 3


def test_b24_duplicate_ids_stop_the_run():
    fault = refuse(buildings=buildings(*HOMES, ids=["b1", "b1"]))["read.duplicate_ids"]
    assert (fault.field, fault.count, fault.values["ids"]) == ("building_id", 2, "b1")
    assert "read.duplicate_ids" in refuse(communities=communities(WEST, EAST, ids=["1", "1"]))


def test_b24_segments_of_one_street_may_share_its_id():
    line = [LineString([(0, 200), (400, 200)]), LineString([(400, 200), (800, 200)])]
    study, findings = clean(roads=layer(shapes=line, road_id=["7", "7"]))
    assert list(study.roads.index) == ["7", "7-2"]
    told(findings, "read.ids_renamed", "warning")


def test_b25_twin_buildings_are_told():
    turned = Polygon(list(HOMES[0].exterior.coords)[2:] + list(HOMES[0].exterior.coords)[1:3])
    study, findings = clean(buildings=buildings(HOMES[0], turned, HOMES[1]))
    assert told(findings, "read.twins", "warning").row == "b1, b2"
    assert len(study.buildings) == 3


def test_b26_very_many_vertices_are_told():
    study, findings = clean(communities=communities(
        WEST, EAST, Point(1500, 0).buffer(300, quad_segs=15_000)))
    assert told(findings, "read.many_vertices", "warning").row == "110101001003"
    assert len(study.communities) == 3


@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=["nan", "inf"])
def test_b29_vertices_that_are_no_numbers_stop_the_run(bad):
    with np.errstate(invalid="ignore"):
        shape = shapely.polygons([[(X, Y), (X + 9, Y), (X + 9, bad), (X, Y)]])[0]
    frame = gpd.GeoDataFrame({"building_id": ["b1"]}, geometry=[shape], crs=CRS)
    assert refuse(buildings=frame)["read.not_finite"].row == "b1"


def test_ids_are_made_by_file_order():
    study, _ = clean(buildings=layer(shapes=HOMES), communities=layer(shapes=[WEST, EAST]))
    assert list(study.buildings.index) == ["b000001", "b000002"]
    assert list(study.communities.index) == ["C001", "C002"]
    assert list(study.roads.index) == ["r000001"]


def test_lines_are_cut_at_the_margin_and_stay_lines():
    bent = LineString([(-2000, 200), (800, 200), (800, 2000), (900, 2000), (900, 200)])
    study, findings = clean(roads=layer(shapes=[bent, LineString([(9000, 0), (9999, 0)])]))
    assert set(study.roads.geom_type) == {"LineString"}
    assert list(study.roads.index) == ["r000001", "r000001-2"]
    assert study.roads.total_bounds[0] == pytest.approx(X - 500)
    assert (tally(findings, "roads").used, tally(findings, "roads").outside) == (1, 1)


def test_what_only_touches_the_margin_is_outside():
    touching = LineString([(-600, 200), (-500, 200)])
    study, findings = clean(roads=layer(shapes=[LineString([(0, 200), (800, 200)]), touching]))
    assert list(study.roads.index) == ["r000001"]
    assert tally(findings, "roads").outside == 1


def test_every_fault_of_every_layer_is_told_at_once():
    faults = refuse(buildings=buildings(HOMES[0], HOMES[1], ids=["b1", "b1"]),
                    communities=communities(WEST, LineString([(400, 0), (800, 400)])))
    assert {"read.duplicate_ids", "read.wrong_kind"} <= set(faults)


def test_b09_empty_building_hides_no_bow_tie_of_a_community():
    bow_tie = Polygon([(400, 0), (800, 400), (800, 0), (400, 400)])
    faults = refuse(buildings=buildings(*HOMES, Polygon(), ids=["b1", "b1", "b3"]),
                    communities=communities(WEST, bow_tie))
    assert {(f.key, f.layer) for f in faults.values()} == {
        ("read.no_shape", "buildings"), ("read.duplicate_ids", "buildings"),
        ("read.crosses_itself", "communities")}


@pytest.mark.parametrize("drop_null", [False, True])
def test_b09_layers_without_any_shape_are_named(drop_null):
    nothing = layer(shapes=[None], community_id=["1"])
    assert refuse(communities=nothing, drop_null=drop_null)["read.empty_layer"].layer == (
        "communities")
    faults = refuse(communities=nothing, buildings=layer(shapes=[None], building_id=["b1"]),
                    roads=layer(shapes=[None]), drop_null=drop_null)
    assert "read.empty_layer" in faults


# coordinate systems -----------------------------------------------------------------------------

def test_b31_missing_crs_stops_the_run():
    frame = buildings(*HOMES)
    assert "read.no_crs" in refuse(buildings=frame.set_crs(None, allow_override=True))


def test_b32_swapped_axes_are_recognised():
    swapped = buildings(*HOMES).to_crs(4326)
    swapped.geometry = shapely.transform(swapped.geometry.array, lambda p: p[:, ::-1])
    fault = refuse(buildings=swapped)
    assert "read.swapped" in fault or "read.out_of_area" in fault


def test_b32_swapped_axes_are_recognised_where_both_could_be():
    here = [(39.9, 59.2), (39.91, 59.2), (39.91, 59.21)]
    homes = gpd.GeoDataFrame({"building_id": ["b1"]}, crs=4326, geometry=[
        Polygon([(y, x) for x, y in here])])
    place = gpd.GeoDataFrame({"community_id": ["1"]}, geometry=[Polygon(here)], crs=4326)
    road = gpd.GeoDataFrame(geometry=[LineString(here)], crs=4326)
    assert refuse(buildings=homes, communities=place, roads=road)["read.swapped"].layer == (
        "buildings")


def test_b33_datum_is_taken_back():
    gcj = {name: frame.to_crs(4326) for name, frame in (
        ("communities", communities(WEST, EAST)), ("buildings", buildings(*HOMES)))}
    for frame in gcj.values():
        frame.geometry = shapely.transform(frame.geometry.array, wgs84_to_gcj02)
    study, findings = clean(**gcj, datum={"communities": "gcj02", "buildings": "gcj02"})
    truth, _ = clean(communities=communities(WEST, EAST).to_crs(4326),
                     buildings=buildings(*HOMES).to_crs(4326))
    assert shapely.hausdorff_distance(study.buildings.geometry.array,
                                      truth.buildings.geometry.array).max() < 0.1
    assert len([f for f in findings.items if f.key == "read.datum"]) == 2


@pytest.mark.parametrize(("there", "back"), [
    (wgs84_to_gcj02, gcj02_to_wgs84), (wgs84_to_bd09, bd09_to_wgs84)], ids=["gcj02", "bd09"])
def test_b33_b34_the_way_back_is_exact_all_over_china(there, back):
    lon, lat = np.meshgrid(np.linspace(74, 135, 60), np.linspace(18, 53, 60))
    start = np.column_stack([lon.ravel(), lat.ravel()])
    end = back(there(start))
    distance = pyproj.Geod(ellps="WGS84").inv(*start.T, *end.T)[2]
    assert distance.max() < 0.001
    assert pyproj.Geod(ellps="WGS84").inv(*start.T, *there(start).T)[2].min() > 30


# Streets of a plain town of 20 × 20 blocks, no two of one width.
STREETS_AT = np.cumsum([0.0, *(40 + 7 * i * i % 31 for i in range(20))])
STREETS = layer(shapes=[
    LineString(line) for a in STREETS_AT
    for line in ([(a, 0), (a, STREETS_AT[-1])], [(0, a), (STREETS_AT[-1], a)])])


def fields_between(at, inset=0.0):
    """The fields between streets; with ``inset`` a building that keeps off them."""
    return [box(a + inset, c + inset, b - inset, d - inset)
            for a, b in itertools.pairwise(at) for c, d in itertools.pairwise(at)]


@pytest.mark.parametrize("shifted", ["buildings", "roads"])
def test_b33_shifted_layer_is_found(shifted):
    raw = {"communities": communities(box(-2000, -2000, 3000, 3000)),
           "buildings": buildings(*fields_between(STREETS_AT, 10)), "roads": STREETS}
    _, findings = clean(**raw)
    assert "read.shifted" not in [f.key for f in findings.items]
    moved = raw[shifted].to_crs(4326)
    moved.geometry = shapely.transform(moved.geometry.array, wgs84_to_gcj02)
    _, findings = clean(**{**raw, shifted: moved})
    found = told(findings, "read.shifted", "warning")
    assert (found.layer, found.file, found.values["datum"]) == (shifted, f"{shifted}.gpkg",
                                                                "gcj02")
    assert 100 <= float(found.values["distance"]) <= 700
    _, findings = clean(**{**raw, shifted: moved}, datum={shifted: "gcj02"})
    assert "read.shifted" not in [f.key for f in findings.items]


def test_b33_shifted_boundaries_are_found():
    raw = {"communities": communities(*fields_between(STREETS_AT[::5])),
           "buildings": buildings(box(250, 250, 260, 260)), "roads": STREETS}
    _, findings = clean(**raw)
    assert "read.shifted" not in [f.key for f in findings.items]
    moved = raw["communities"].to_crs(4326)
    moved.geometry = shapely.transform(moved.geometry.array, wgs84_to_bd09)
    home = buildings(box(250, 250, 260, 260)).to_crs(4326)
    home.geometry = shapely.transform(home.geometry.array, wgs84_to_bd09)
    _, findings = clean(**{**raw, "communities": moved, "buildings": home})
    found = told(findings, "read.shifted", "warning")
    assert (found.layer, found.values["datum"]) == ("communities", "bd09")


def small_town():
    """Four communities of 4 × 4 equal blocks, with rows of slabs: much fits where it should not."""
    at = np.arange(9) * 145.0
    slabs = [box(a + 15 + 40 * i, c + 15 + 30 * j, a + 45 + 40 * i, c + 28 + 30 * j)
             for a in at[:-1] for c in at[:-1] for i in range(3) for j in range(4)]
    streets = [line for a in at for line in (LineString([(a, 0), (a, at[-1])]),
                                             LineString([(0, a), (at[-1], a)]))]
    return {"communities": communities(*fields_between(at[::4])), "buildings": buildings(*slabs),
            "roads": layer(shapes=streets)}


@pytest.mark.parametrize("datum", [wgs84_to_gcj02, wgs84_to_bd09], ids=["gcj02", "bd09"])
@pytest.mark.parametrize("shifted", ["roads", "buildings", "communities"])
def test_b33_shift_of_a_small_regular_town_is_told_once_and_by_its_name(shifted, datum):
    raw = small_town()
    moved = raw[shifted].to_crs(4326)
    moved.geometry = shapely.transform(moved.geometry.array, datum)
    findings = Findings()
    held = {role: Held(role, frame.to_crs(CRS), f"{role}.gpkg", findings)
            for role, frame in {**raw, shifted: moved}.items()}
    guess_shift(held, pyproj.CRS(CRS), findings)
    found = told(findings, "read.shifted", "warning")
    assert (found.layer, found.values["datum"]) == (shifted, datum.__name__.split("_")[-1])


def test_b33_small_regular_town_that_is_right_raises_no_hint():
    _, findings = clean(**small_town())
    assert "read.shifted" not in [f.key for f in findings.items]


def test_b35_mixed_crs_come_together():
    study, findings = clean(buildings=buildings(*HOMES).to_crs(4326), roads=ROADS.to_crs(3857))
    assert {layer.crs for layer in (study.communities, study.buildings, study.roads)} == {study.crs}
    assert list(study.buildings["community_id"]) == ["110101001001", "110101001002"]
    moved = [f for f in findings.items if f.key == "read.reprojected"]
    assert {f.layer for f in moved} == {"buildings", "roads"}


@pytest.mark.parametrize(("lon", "lat", "code"), [
    (117.2, 32.3, 4548), (126.6, 45.8, 4551), (24.94, 60.17, 32635), (-51.2, -30.05, 32722)],
    ids=["hefei", "harbin", "helsinki", "porto_alegre"])
def test_b36_degrees_become_metres_of_the_local_zone(lon, lat, code):
    place = box(lon, lat, lon + 0.01, lat + 0.01)
    degrees = {"communities": gpd.GeoDataFrame({"community_id": ["1"]}, geometry=[place], crs=4326),
               "buildings": gpd.GeoDataFrame(geometry=[place.centroid.buffer(1e-4)], crs=4326),
               "roads": gpd.GeoDataFrame(geometry=[place.exterior], crs=4326)}
    study, findings = clean(**degrees)
    assert study.crs.to_epsg() == code
    assert len([f for f in findings.items if f.key == "read.reprojected"]) == 3
    geodesic = pyproj.Geod(ellps="WGS84").geometry_area_perimeter(place)[0]
    assert study.outline.area == pytest.approx(abs(geodesic), rel=2e-3)


def test_b36_web_mercator_is_no_metric_system():
    study, _ = clean(communities=communities(WEST, EAST).to_crs(3857),
                     buildings=buildings(*HOMES).to_crs(3857), roads=ROADS.to_crs(3857))
    assert study.crs.to_epsg() == 4548
    assert study.outline.area == pytest.approx(320_000, rel=1e-6)


def test_b38_wrong_zone_is_told_by_the_distance():
    frame = buildings(*HOMES).to_crs(32650)
    frame = frame.set_crs(32651, allow_override=True)
    fault = refuse(buildings=frame)["read.disjoint"]
    assert (fault.layer, fault.values["other"]) == ("buildings", "communities")


def written(tmp_path, shapes, crs=None, **columns):
    """Write shapes as they are, in GeoJSON for degrees and GeoPackage else."""
    frame = gpd.GeoDataFrame(columns or {"building_id": [f"b{i}" for i in range(len(shapes))]},
                             geometry=shapes, crs=crs)
    path = tmp_path / "buildings.gpkg"
    frame.to_file(path)
    return path


def read_faults(files, **options):
    with pytest.raises(InputError) as caught:
        read_layers(files, findings=Findings(), **options)
    return {f.key: f for f in caught.value.findings}


def test_b28_huge_coordinates_are_out_of_the_crs(tmp_path):
    path = written(tmp_path, [translate(HOMES[0], X, Y), box(1e16, 1e16, 2e16, 2e16)], CRS)
    fault = read_faults({"buildings": path})["read.out_of_area"]
    assert (fault.file, fault.count) == ("buildings.gpkg", 1)


def test_b32_swapped_degrees_are_refused_at_the_door(tmp_path):
    path = written(tmp_path, [box(32.3, 117.0, 32.31, 117.01)], 4326)
    assert read_faults({"buildings": path})["read.swapped"].file == "buildings.gpkg"


def test_b37_degrees_said_to_be_metres(tmp_path):
    path = written(tmp_path, [box(117.0, 32.3, 117.01, 32.31)], 3857)
    assert read_faults({"buildings": path})["read.degrees_as_metres"].layer == "buildings"


def test_b39_zone_prefix_is_adjusted(tmp_path):
    path = written(tmp_path, [translate(HOMES[0], 39_500_000, Y)], "EPSG:4548")
    findings = Findings()
    frames, _ = read_layers({"buildings": path}, findings=findings)
    told(findings, "read.zone_prefix", "repaired")
    assert frames["buildings"].total_bounds[0] == pytest.approx(500_050)
    path.unlink()
    path = written(tmp_path, [translate(HOMES[0], X, Y)], "EPSG:4527")
    frames, _ = read_layers({"buildings": path}, findings=Findings())
    assert frames["buildings"].total_bounds[0] == pytest.approx(39_500_050)


def test_b39_prefix_of_another_zone_stops_the_run(tmp_path):
    path = written(tmp_path, [translate(HOMES[0], 40_500_000, Y)], "EPSG:4548")
    assert read_faults({"buildings": path})["read.wrong_zone"].values["guess"] == "EPSG:4528"


def test_b27_polygon_across_the_antimeridian_is_named(tmp_path):
    path = written(tmp_path, [box(-179.9, 60, 179.9, 60.1)], 4326)
    assert "read.antimeridian" in read_faults({"buildings": path})


@pytest.mark.parametrize("east", [180.006, 180.2])
def test_b27_longitudes_beyond_180_name_the_antimeridian(tmp_path, east):
    path = written(tmp_path, [box(179.98, -17, 179.99, -16.99), box(179.99, -17, east, -16.99)],
                   4326)
    fault = read_faults({"buildings": path})["read.beyond_180"]
    assert fault.count == 1
    assert "antimeridian" in fault.what()


def test_b27_one_longitude_mistyped_is_not_the_antimeridian(tmp_path):
    path = written(tmp_path, [box(117.0, 32.3, 117.01, 32.31), box(118.0, 32.3, 118.01, 32.31),
                              box(181.0, 32.3, 181.01, 32.31)], 4326)
    assert "read.out_of_area" in read_faults({"buildings": path})


@pytest.mark.parametrize(("corner", "key", "word"), [
    ((39_500_000, Y), "read.not_degrees_guessed", "--crs buildings=EPSG:4527"),
    ((500_000, Y), "read.not_degrees", "--crs buildings=EPSG:CODE")])
def test_b37_metres_said_to_be_degrees_and_a_guess_only_where_there_is_one(tmp_path, corner, key,
                                                                          word):
    path = written(tmp_path, [translate(HOMES[0], *corner)], 4326)
    assert word in read_faults({"buildings": path})[key].mend()


def test_b05_open_ring_is_closed_and_b06_two_points_are_refused(tmp_path):
    def feature(ring, i):
        return {"type": "Feature", "properties": {"building_id": f"b{i}"},
                "geometry": {"type": "Polygon", "coordinates": [ring]}}
    ring = [[117, 32], [117.01, 32], [117.01, 32.01], [117, 32.01]]
    path = tmp_path / "buildings.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [
        feature(ring, 1), feature([*ring, ring[0]], 2)]}))
    findings = Findings()
    frames, _ = read_layers({"buildings": path}, findings=findings)
    assert told(findings, "read.ring_closed", "repaired").row == "0"
    assert (shapely.area(frames["buildings"].geometry.array) > 0).all()
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [
        feature(ring, 1), feature(ring[:2], 2)]}))
    fault = read_faults({"buildings": path})["read.ring_broken"]
    assert (fault.row, fault.file) == ("1", "buildings.geojson")


def test_b78_layer_without_rows_and_study_without_buildings(tmp_path):
    path = tmp_path / "buildings.gpkg"
    gpd.GeoDataFrame({"building_id": pd.Series([], dtype=str)}, geometry=[], crs=CRS).to_file(
        path, geometry_type="Polygon")
    assert read_faults({"buildings": path})["read.empty_layer"].file == "buildings.gpkg"
    assert "read.empty_layer" in refuse(roads=ROADS.iloc[:0])
    assert "read.no_layer" in refuse(roads=None)
    assert "read.no_layer" in refuse(communities=None)
    far = buildings(box(5000, 5000, 5020, 5020))
    assert "read.nothing_inside" in refuse(
        buildings=far, communities=communities(MultiPolygon([WEST, box(9000, 9000, 9400, 9400)])))
