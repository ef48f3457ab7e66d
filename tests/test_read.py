"""What the reader makes of good data: columns, words, borders, owners, the tally."""

import dataclasses
import string

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from bad_inputs import every_finding_can_be_told  # noqa: F401
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point, box

from gridplan.errors import Findings, InputError
from gridplan.i18n import load_room
from gridplan.layers import INPUTS, Source
from gridplan.params import Params
from gridplan.read import clean_study, inspect_file, read_layers, read_totals
from gridplan.read.names import ALIASES, find_columns
from gridplan.town import build_town, write_town

X, Y, CRS = 500_000.0, 3_580_000.0, "EPSG:4548"
SPOT = box(X, Y, X + 20, Y + 20)
ROAD = LineString([(X, Y), (X + 400, Y)])


@pytest.fixture
def save(tmp_path):
    """Write one layer to a file of its own."""
    def _save(name, shapes, crs=CRS, **columns):
        path = tmp_path / f"{name}.gpkg"
        columns = columns or {"id": [str(i) for i in range(len(shapes))]}
        gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs).to_file(path)
        return path
    return _save


def read(files, **options):
    findings = Findings()
    frames, sources = read_layers(files, findings=findings, **options)
    return frames, sources, findings


# columns and words ------------------------------------------------------------------------------

@pytest.mark.parametrize(("theirs", "ours"), [
    ("户数", "households"), ("层数", "floors"), ("楼层", "floors"), ("名称", "name"),
    ("幢号", "number"), ("人口", "population"), ("高度", "height_m"), ("建筑高度", "height_m"),
    ("用途", "use"), ("小区", "estate_id"), ("floors", "floors"), ("building:levels", "floors"),
    ("number_of_floors", "floors"), ("height", "height_m"), ("population", "population"),
    ("is_living", "is_living"), ("living_area", "living_m2"), ("NAME", "name"),
    ("building_l", "floors"), ("社区编码", "community_id")])
def test_usual_names_of_building_columns(theirs, ours):
    assert find_columns("buildings", [theirs, "other"], {}) == {ours: theirs}


@pytest.mark.parametrize(("layer", "theirs", "ours"), [
    ("communities", "社区名称", "name"), ("communities", "社区编码", "community_id"),
    ("roads", "highway", "road_class"), ("roads", "fclass", "road_class"),
    ("roads", "bridge", "bridge"), ("roads", "tunnel", "tunnel"), ("roads", "layer", "level"),
    ("roads", "oneway", "one_way"), ("roads", "maxspeed", "maxspeed_kmh")])
def test_usual_names_of_other_columns(layer, theirs, ours):
    assert find_columns(layer, [theirs], {}) == {ours: theirs}


def test_every_column_of_the_contract_has_a_name():
    computed = {"length_m"}
    for layer, contract in INPUTS.items():
        helpers = {"barriers": {"tunnel", "covered", "level", "width_m"},
                   "buildings": {"is_living"}, "roads": {"bridge", "tunnel", "covered"}}
        assert set(ALIASES[layer]) - helpers.get(layer, set()) == set(contract.names) - computed


def test_a_mapping_wins_and_must_name_what_exists(save):
    path = save("b", [SPOT], этажей=[5], floors=[9])
    frames, _, _ = read({"buildings": path}, columns={"floors": "этажей"})
    assert frames["buildings"]["floors"].tolist() == [5]
    frames, _, _ = read({"buildings": path}, columns={"buildings.floors": "этажей"})
    assert frames["buildings"]["floors"].tolist() == [5]
    for columns, key in (({"floors": "nowhere"}, "read.no_column"),
                         ({"storeys": "этажей"}, "read.unknown_column")):
        with pytest.raises(InputError) as caught:
            read({"buildings": path}, columns=columns)
        assert [f.key for f in caught.value.findings] == [key]


def test_a_mapping_for_the_totals_does_not_stop_the_layers(save, tmp_path):
    columns = {"households": "合计数", "totals.community_id": "村"}
    findings = read({"buildings": save("b", [SPOT])}, columns=columns)[2]
    assert [(f.key, f.outcome) for f in findings.items] == [("read.no_column", "warning")]
    path = tmp_path / "totals.csv"
    path.write_text("村,合计数\n7,300\n", encoding="utf-8")
    assert read_totals(path, Findings(), columns=columns).to_dict() == {"7": 300}
    with pytest.raises(InputError):
        read_totals(path, Findings(), columns={**columns, "totals.households": "nowhere"})


def test_buildings_speak_of_use_in_words_and_truth_values(save):
    path = save("b", [SPOT] * 6, use=["住宅", "Apartments", "", "商住", "仓库", None],
                is_living=[True, False, True, False, True, False],
                户数=["1", "2", None, "3", "4", "5"])
    frame = read({"buildings": path})[0]["buildings"]
    assert frame["use"].tolist() == ["residential", "apartments", "residential", "mixed",
                                     "warehouse", "nonresidential"]
    assert frame["households_source"].fillna("").tolist() == ["given", "given", "", "given",
                                                              "given", "given"]


def test_measures_that_are_no_numbers_are_left_empty_and_told(save):
    path = save("b", [SPOT] * 5, 层数=["6层", "2-3", "-1", "７", None],
                height=["12 m", "18米", "tall", "9.5", ""])
    frames, _, findings = read({"buildings": path})
    assert frames["buildings"]["floors"].fillna(-9).tolist() == [6, -9, -9, 7, -9]
    assert frames["buildings"]["height_m"].fillna(-9).tolist() == [12, 18, -9, 9.5, -9]
    assert [(f.key, f.outcome, f.field, f.row) for f in findings.items] == [
        ("read.left_empty", "warning", "层数", "2, 3"),
        ("read.full_width", "repaired", "层数", "1, 4"),
        ("read.left_empty", "warning", "height", "3"),
        ("read.full_width", "repaired", "height", "1, 2")]


def test_roads_speak_osm_geofabrik_and_chinese(save):
    path = save("r", [ROAD] * 6,
                highway=["主干路", "residential", "footway", None, "track_grade2", "Primary_Link"],
                bridge=["T", "F", "no", None, "viaduct", "0"],
                tunnel=["F", "building_passage", "no", None, "", "0"],
                layer=["1", "-1", None, None, None, None],
                oneway=["F", "T", "B", "yes", "-1", "no"],
                maxspeed=["50", "30 mph", "none", None, "60km/h", "RU:urban"])
    frame = read({"roads": path})[0]["roads"]
    assert frame["road_class"].tolist() == ["primary", "residential", "footway", "unknown", "track",
                                            "primary_link"]
    assert frame["structure"].tolist() == ["bridge", "tunnel", "grade", "grade", "bridge", "grade"]
    assert frame["level"].tolist() == [1, -1, 0, 0, 0, 0]
    assert frame["one_way"].tolist() == ["forward", "backward", "", "forward", "backward", ""]
    assert frame["public"].tolist() == [True, True, False, True, False, True]
    assert (frame["inner"] == ~frame["public"]).all()
    assert frame["car"].tolist() == [True, True, False, True, True, True]
    assert frame["maxspeed_kmh"].fillna(-1).tolist() == [50, 48.3, -1, -1, 60, -1]


def test_unknown_road_classes_are_told(save):
    frames, _, findings = read({"roads": save("r", [ROAD] * 2, highway=["primary", "goat way"])})
    assert frames["roads"]["road_class"].tolist() == ["primary", "unknown"]
    assert [(f.key, f.values["words"]) for f in findings.items] == [("read.road_class",
                                                                      "goat way")]


def test_rail_water_and_walls_become_barriers(save):
    frames, sources, _ = read({
        "rail": save("rail", [ROAD] * 3, railway=["rail", "abandoned", "tram"],
                     tunnel=["no", "no", "yes"]),
        "water": save("water", [SPOT, ROAD, ROAD, SPOT], fclass=["lake", "river", "ditch", None]),
        "walls": save("walls", [ROAD]).as_posix(),
        "barriers": save("barriers", [ROAD], kind=["围墙"])})
    assert list(frames) == ["barriers"]
    assert frames["barriers"]["kind"].tolist() == [
        "rail", "abandoned", "rail", "water", "river", "ditch", "water", "wall", "wall"]
    assert [s.layer for s in sources] == ["rail", "water", "walls", "barriers"]
    raw = {**frames, "buildings": read({"buildings": save("b", [SPOT])})[0]["buildings"],
           "roads": read({"roads": save("r", [ROAD])})[0]["roads"]}
    findings = Findings()
    study = clean_study(raw, sources, Params(), findings, delineate=True)
    assert study.barriers["kind"].tolist() == ["rail", "water", "river", "water", "wall", "wall"]
    assert list(study.barriers.columns) == ["kind", "name", "geometry"]
    (told,) = [f for f in findings.items if f.key == "read.no_barrier"]
    assert (told.outcome, told.count) == ("warning", 3)  # dismantled, in a tunnel, a ditch


def test_layers_of_one_file_are_found_by_their_role(tmp_path):
    path = tmp_path / "town.gpkg"
    for name, shape in (("buildings", SPOT), ("rail", ROAD), ("wall lines", ROAD)):
        frame_of([shape], bemerkung=[name]).to_file(path, layer=name)
    frames, _, _ = read({"buildings": path, "rail": path, "walls": path},
                        layer={"walls": "wall lines"}, columns={"rail.name": "bemerkung"})
    assert frames["barriers"]["kind"].tolist() == ["rail", "wall"]
    assert frames["barriers"]["name"].tolist() == ["rail", pd.NA]
    assert frames["buildings"]["name"].isna().all()


def test_barriers_of_several_systems_come_together(save):
    metres = gpd.GeoSeries([ROAD], crs=CRS)
    frames, _, _ = read({"rail": save("rail", [ROAD]),
                         "water": save("water", metres.to_crs(4326), crs=4326)})
    both = frames["barriers"].geometry
    assert shapely.hausdorff_distance(*both) < 0.01


def test_barrier_of_unknown_kind_stops_the_run(save):
    raw, sources, _ = read({"barriers": save("x", [ROAD], kind=["magic"]),
                            "buildings": save("b", [SPOT]), "roads": save("r", [ROAD])})
    with pytest.raises(InputError) as caught:
        clean_study(raw, sources, Params(), Findings(), delineate=True)
    assert [(f.key, f.file) for f in caught.value.findings] == [("read.barrier_kind", "x.gpkg")]


def test_frames_have_the_columns_of_the_contract(save):
    frames, sources, _ = read({"buildings": save("b", [SPOT]), "roads": save("r", [ROAD]),
                               "outline": save("o", [SPOT])})
    for name in ("buildings", "roads"):
        assert list(frames[name].columns) == [*INPUTS[name].names, "geometry"]
    assert sources[0] == dataclasses.replace(sources[0], name="b.gpkg", layer="buildings", rows=1)
    assert len(sources[0].sha256) == 64


# the study --------------------------------------------------------------------------------------

def frame_of(shapes, crs=CRS, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs)


def test_study_area_of_a_delineation_is_the_reach_of_its_dwellings():
    homes = [Point(X, Y).buffer(10), box(X + 300, Y, X + 310, Y + 10),
             box(X + 5000, Y, X + 5010, Y + 10)]
    raw = {"buildings": frame_of(homes, use=["house", "apartments", "industrial"]),
           "roads": frame_of([ROAD])}
    findings = Findings()
    study = clean_study(raw, [], Params(), findings, delineate=True)
    assert study.communities is None
    assert list(study.buildings.index) == ["b000001", "b000002"]  # works stand outside
    assert study.outline.geom_type == "Polygon"
    assert shapely.hausdorff_distance(study.outline, shapely.union_all(homes[:2]).buffer(250)) < 5
    assert findings.of("error", "ask", "warning") == []
    with pytest.raises(InputError) as caught:
        clean_study({**raw, "buildings": frame_of(homes[2:], use=["industrial"])}, [], Params(),
                    Findings(), delineate=True)
    assert caught.value.findings[0].key == "read.no_homes"


def test_given_outline_bounds_a_delineation():
    raw = {"buildings": frame_of([SPOT, box(X + 900, Y, X + 920, Y + 20)]),
           "roads": frame_of([ROAD]), "outline": frame_of([box(X - 9, Y - 9, X + 500, Y + 500)])}
    study = clean_study(raw, [], Params(), Findings(), delineate=True)
    assert len(study.buildings) == 1
    assert study.outline.bounds == (X - 9, Y - 9, X + 500, Y + 500)


def test_what_stands_in_a_hole_of_the_outline_is_outside():
    hole = box(X + 100, Y + 100, X + 200, Y + 200)
    raw = {"buildings": frame_of([SPOT, box(X + 120, Y + 120, X + 140, Y + 140)]),
           "roads": frame_of([ROAD]),
           "outline": frame_of([box(X - 9, Y - 9, X + 500, Y + 500) - hole])}
    findings = Findings()
    assert len(clean_study(raw, [], Params(), findings, delineate=True).buildings) == 1
    assert next(t for t in findings.tally if t.layer == "buildings").outside == 1


def test_inputs_are_not_edited_and_the_same_input_gives_the_same_study():
    town = {"communities": frame_of([box(X - 50, Y - 50, X + 90, Y + 90)], kind=["农村"]),
            "buildings": frame_of([SPOT], population=[7]).to_crs(4326),
            "roads": frame_of([ROAD, None], highway=["primary", "primary"])}
    raw = {name: frame.copy() for name, frame in town.items()}
    runs = [clean_study(raw, [], Params(), Findings(), drop_null=True) for _ in range(2)]
    for name, frame in town.items():
        pd.testing.assert_frame_equal(pd.DataFrame(raw[name]), pd.DataFrame(frame))
    assert raw["roads"].attrs == town["roads"].attrs
    for name in ("communities", "buildings", "roads"):
        one, two = (getattr(run, name) for run in runs)
        assert one.to_wkb().equals(two.to_wkb())


def test_what_a_building_says_of_its_community_is_compared():
    raw = {"communities": frame_of([box(X, Y, X + 90, Y + 90), box(X + 90, Y, X + 180, Y + 90)],
                                   community_id=["1", "2"]),
           "buildings": frame_of([SPOT, box(X + 100, Y, X + 120, Y + 20)],
                                 community_id=["2", None]), "roads": frame_of([ROAD])}
    findings = Findings()
    study = clean_study(raw, [Source("b.shp", "buildings", "", 2)], Params(), findings)
    assert study.buildings["community_id"].tolist() == ["1", "2"]
    assert [(f.key, f.file, f.row) for f in findings.items] == [
        ("read.other_owner", "b.shp", "0")]


def brute_owner(building, areas, ids):
    """The rule in plain words: most area, then the smaller id; none if more is uncovered."""
    shares = sorted((-round(building.intersection(a).area, 6), i)
                    for a, i in zip(areas, ids, strict=True))
    covered = -sum(s for s, _ in shares)
    best, owner = -shares[0][0], shares[0][1]
    return owner if best > 0 and best >= building.area - covered - 1e-6 else None


@given(st.lists(st.tuples(st.integers(-30, 110), st.integers(-30, 70), st.integers(1, 40),
                          st.integers(1, 40)), min_size=1, max_size=12),
       st.permutations(["1", "2", "3"]))
@settings(max_examples=25)
def test_every_building_has_one_owner_and_the_tally_adds_up(spots, ids):
    areas = [box(X, Y, X + 40, Y + 40), box(X + 40, Y, X + 80, Y + 40),
             box(X, Y + 40, X + 80, Y + 60)]
    homes = [box(X + a, Y + b, X + a + w, Y + b + h) for a, b, w, h in spots]
    raw = {"communities": frame_of(areas, community_id=ids),
           "buildings": frame_of([SPOT, *homes], households=[5, *range(len(homes))]),
           "roads": frame_of([ROAD])}
    findings = Findings()
    study = clean_study(raw, [], Params(), findings)
    expected = [brute_owner(h, areas, ids) for h in [SPOT, *homes]]
    kept = [e for e in expected if e is not None]
    assert study.buildings["community_id"].tolist() == kept
    (row,) = [t for t in findings.tally if t.layer == "buildings"]
    assert row.rows_in == row.used + row.repaired + row.rejected + row.outside == len(homes) + 1
    assert row.outside == len(expected) - len(kept)
    assert row.households_in == 5 + sum(range(len(homes)))
    assert row.households_out == study.buildings["households"].sum()


@given(st.lists(st.floats(-0.004, 0.004), min_size=8, max_size=8))
@settings(max_examples=25)
def test_borders_drawn_twice_with_a_few_millimetres_apart_become_one(wobble):
    dx, dy = wobble[:4], wobble[4:]
    right = shapely.Polygon([(X + 40 + dx[0], Y + dy[0]), (X + 80, Y), (X + 80, Y + 40),
                             (X + 40 + dx[1], Y + 40 + dy[1]), (X + 40 + dx[2], Y + 25 + dy[2]),
                             (X + 40 + dx[3], Y + 12 + dy[3])])
    left = box(X, Y, X + 40, Y + 40)
    raw = {"communities": frame_of([left, right], community_id=["1", "2"]),
           "buildings": frame_of([SPOT]), "roads": frame_of([ROAD])}
    study = clean_study(raw, [], Params(), Findings())
    one, two = study.communities.geometry
    assert shapely.coverage_is_valid(np.array([one, two]), gap_width=0.01)
    assert one.intersection(two).length == pytest.approx(40, abs=0.1)
    assert study.outline.area == pytest.approx(3200, abs=1)


def test_a_town_written_to_files_comes_back(tmp_path):
    town = build_town(2)
    write_town(town, tmp_path)
    files = {"communities": "boundaries", "buildings": "buildings", "roads": "roads",
             "rail": "rail", "water": "water", "walls": "walls", "estates": "estates",
             "gates": "gates", "entrances": "entrances", "specials": "specials",
             "facilities": "facilities"}
    findings = Findings()
    raw, sources = read_layers({r: tmp_path / f"{f}.gpkg" for r, f in files.items()},
                               findings=findings)
    totals = read_totals(tmp_path / "totals.xlsx", findings)
    study = clean_study(raw, sources, Params(), findings, totals=totals)
    assert findings.of("error", "ask", "warning") == []
    assert len(study.communities) == 2
    row = next(t for t in findings.tally if t.layer == "buildings")
    assert row.rows_in - row.outside == len(study.buildings)
    assert set(study.totals.index) == set(study.communities.index)
    assert study.buildings["community_id"].isin(study.communities.index).all()
    for name in files:
        report = inspect_file(tmp_path / f"{files[name]}.gpkg")
        assert report.problems == ()
        assert report.layers[0].role == name


# texts ------------------------------------------------------------------------------------------

def test_every_text_stands_in_both_languages_with_the_same_values():
    def fields(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}
    texts = load_room("read")
    for key, text in texts.items():
        assert set(text) == {"en", "zh"}, key
        assert fields(text["en"]) == fields(text["zh"]), key
