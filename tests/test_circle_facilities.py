"""Facilities: files of offices become known categories, each place once, each fault told."""

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from gridplan.categories import load_categories
from gridplan.circle.facilities import find_twins, judge_facilities, judge_norms
from gridplan.errors import Findings, InputError
from gridplan.layers import LAYERS, conform
from gridplan.read import read_facilities

CRS = "EPSG:4549"
X, Y = 500_000.0, 3_500_000.0
TOWN = shapely.box(X, Y, X + 2000, Y + 2000)


def places(*rows, **columns):
    """Facilities as (id, name, categories, x, y)."""
    frame = pd.DataFrame([r[:3] for r in rows], columns=["facility_id", "name", "categories"])
    frame = frame.assign(**columns)
    return gpd.GeoDataFrame(frame, geometry=[shapely.Point(X + r[3], Y + r[4]) for r in rows],
                            crs=CRS)


def judge(frame, table=None):
    findings = Findings()
    out, gone = judge_facilities(frame, table or load_categories(), findings, file="f.csv")
    return out, gone, findings


def keys(findings):
    return [(f.key, f.outcome) for f in findings.items]


# ---- categories ------------------------------------------------------------------------------

@pytest.mark.parametrize(("word", "categories"), [
    ("pharmacy", "pharmacy"), ("药店", "pharmacy"), ("药房", "pharmacy"), ("Bus Stop", "bus_stop"),
    ("clinic", "health_centre;health_facility"), ("卫生室", "health_station;health_facility"),
    ("超市、药店", "pharmacy;supermarket"), ("community_centre",
                                        "culture_centre;community_service_station"),
    ("小学", "primary_school"), ("health_station", "health_station;health_facility")])
def test_words_of_offices_are_understood(word, categories):
    out, _, _ = judge(places(("a", "", word, 0, 0)))
    assert out["categories"].tolist() == [categories]


@pytest.mark.parametrize(("level", "name", "categories"), [
    ("小学", "", "primary_school"), ("middle", "育才学校", "middle_school"), (None, "第三小学",
                                                                    "primary_school"),
    ("community", "第一中学", "middle_school"), ("1-2", "", "middle_school;primary_school"),
    (None, "九年一贯制学校", "middle_school;primary_school")])
def test_schools_are_split_by_level_else_by_name(level, name, categories):
    out, _, _ = judge(places(("a", name, "学校", 0, 0), level=[level]))
    assert out["categories"].tolist() == [categories]


def test_a_school_that_tells_neither_is_left_out_and_told():
    out, gone, findings = judge(places(("a", "实验学校", "school", 0, 0), ("b", "", "bank", 90, 0)))
    assert out["facility_id"].tolist() == ["b"]
    assert gone == 1
    assert keys(findings) == [("circle.school_level", "warning")]


def test_unknown_words_are_all_told_with_the_nearest_known():
    findings = Findings()
    frame = places(("a", "", "phamacy", 0, 0), ("b", "", "phamacy;bank", 99, 0),
                   ("c", "", "qqqq", 200, 0), ("d", "", "", 300, 0),
                   capacity=[None, None, -5, None], area_m2=[None, -1.0, None, None])
    with pytest.raises(InputError) as caught:
        judge_facilities(frame, load_categories(), findings, file="f.csv")
    told = {f.key: f for f in caught.value.findings}
    assert set(told) == {"circle.unknown_category", "circle.strange_category",
                         "circle.no_category", "circle.negative"}
    assert told["circle.unknown_category"].row == "a, b"
    assert "pharmacy" in told["circle.unknown_category"].mend()
    assert "药" not in told["circle.strange_category"].mend("zh")
    assert {f.field for f in caught.value.findings if f.key == "circle.negative"} == {
        "capacity", "area_m2"}
    assert all(f.file == "f.csv" and f.layer == "facilities" for f in caught.value.findings)


def test_categories_of_the_users_table_are_known_too(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("profile,category,name_zh,limit_m,grade,source\nours,teahouse,茶馆,300,C,me\n",
                    encoding="utf-8")
    table = load_categories(path)
    out, _, _ = judge(places(("a", "", "茶馆;bank", 0, 0)), table)
    assert out["categories"].tolist() == ["teahouse;bank"]


def test_a_place_of_several_categories_is_told_once_and_not_for_what_includes_it():
    rows = (("a", "x", "wet_market;supermarket", 0, 0), ("b", "y", "bank;post_office", 90, 0),
            ("c", "z", "health_centre", 200, 0))
    once, _, findings = judge(places(*rows))
    assert keys(findings) == [("circle.several_categories", "warning")]
    assert findings.items[0].count == 2
    again, _, findings = judge(once)
    assert findings.items[0].count == 2
    pd.testing.assert_frame_equal(once, again)


# ---- one place -------------------------------------------------------------------------------

def test_twins_are_counted_once_and_fill_each_other():
    out, gone, findings = judge(places(
        ("a", "阳光药店", "pharmacy", 0, 0), ("b", None, "药店", 29, 0),
        ("c", "阳光药店", "pharmacy", 0, 30), ("d", "长春药店", "pharmacy", 5, 0),
        ("e", "阳光药店", "pharmacy", 0, 31), ("f", "阳光药店", "bank", 1, 0),
        capacity=[None, 12.0, 15.0, None, None, None]))
    assert out["facility_id"].tolist() == ["a", "d", "e", "f"]
    assert gone == 2
    assert out["capacity"].tolist()[0] == 12.0
    assert ("circle.same_place", "repaired") in keys(findings)


def test_street_lights_stand_near_each_other():
    rows = [(f"l{k}", None, "street_light", 20 * k, 0) for k in range(5)]
    assert len(judge(places(*rows))[0]) == 5
    assert len(judge(places(*rows, ("m", None, "street_light", 1, 0)))[0]) == 5


@given(st.lists(st.tuples(st.sampled_from(["", "x", "y"]), st.sampled_from(["bank", "park"]),
                          st.integers(0, 90), st.integers(0, 90)), min_size=1, max_size=12))
def test_no_twins_are_left_and_nothing_else_goes(rows):
    frame = places(*((f"{k:02d}", *row) for k, row in enumerate(rows)))
    out, gone, _ = judge(frame)
    assert len(out) + gone == len(frame)
    assert (find_twins(out, {}) < 0).all()
    kept = frame.set_index("facility_id")
    for name, one in kept.drop(out["facility_id"]).iterrows():
        near = out[(out.distance(one.geometry) <= 30) & out["name"].isin(["", one["name"]])
                   | (out.distance(one.geometry) <= 30) & (one["name"] == "")]
        assert any(one["categories"] in c.split(";") for c in near["categories"]), name


def test_all_on_one_spot_is_told():
    _, _, findings = judge(places(("a", "x", "bank", 0, 0), ("b", "y", "park", 0, 0.5)))
    assert keys(findings) == [("circle.one_place", "warning")]
    assert not judge(places(("a", "x", "bank", 0, 0), ("b", "y", "park", 0, 2)))[2].items


# ---- norms -----------------------------------------------------------------------------------

def test_norms_follow_the_kind_of_the_community_and_the_level():
    towns = gpd.GeoDataFrame(
        {"community_id": ["C1", "C2"], "kind": ["urban", "rural"]}, crs=CRS,
        geometry=[shapely.box(X, Y, X + 1000, Y + 2000),
                  shapely.box(X + 1000, Y, X + 2000, Y + 2000)])
    towns = conform("communities", towns)
    station = "community_service_station"
    out, _, _ = judge(places(
        ("a", "a", station, 100, 0), ("b", "b", station, 200, 0), ("c", "c", station, 1100, 0),
        ("d", "d", station, 1200, 0), ("e", "e", station, 300, 0), ("f", "f", "bank", 400, 0),
        ("g", "g", station, 500, 0), ("h", "h", "subdistrict_service_centre", 600, 0),
        area_m2=[400, 399, 599, 600, 999, 5000, None, 1000],
        level=[None, None, None, None, "district", None, None, "subdistrict"]))
    got = judge_norms(out, towns, load_categories().profile("gb50180-draft"))["meets_norm"]
    assert [None if pd.isna(v) else bool(v) for v in got] == [
        True, False, False, True, False, None, None, True]


# ---- files -----------------------------------------------------------------------------------

def test_a_table_in_shifted_coordinates_comes_to_its_place(tmp_path):
    from gridplan.datum import wgs84_to_gcj02
    spots = gpd.GeoSeries([shapely.Point(X + 500, Y + 700)], crs=CRS).to_crs(4326)
    lon, lat = wgs84_to_gcj02(shapely.get_coordinates(spots.to_numpy()))[0]
    path = tmp_path / "f.csv"
    path.write_text(f"名称,类别,经度,纬度,床位\n甲,药店,{lon!r},{lat!r},30人\n".replace(
        "np.float64(", "").replace(")", ""), encoding="gb18030")
    findings = Findings()
    got = read_facilities(path, CRS, TOWN, findings, datum="gcj02")
    assert got.frame.geometry.iloc[0].distance(shapely.Point(X + 500, Y + 700)) < 0.05
    assert got.frame["capacity"].tolist() == [30.0]
    assert got.frame["source"].tolist() == ["f.csv"]
    assert [s.name for s in got.sources] == ["f.csv"]


def test_a_workbook_and_layers_of_one_category_are_read_together(tmp_path):
    book = tmp_path / "f.xlsx"
    with xlsxwriter.Workbook(book) as workbook:
        sheet = workbook.add_worksheet()
        for k, row in enumerate((["设施清单"], ["设施编码", "设施名称", "类型", "x", "y"],
                                 ["F1", "甲", "银行", X + 10, Y + 10])):
            sheet.write_row(k, 0, row)
    lights = tmp_path / "lights.gpkg"
    gpd.GeoDataFrame({"facility_id": ["F1", "F2"]}, crs=CRS, geometry=[
        shapely.Point(X + 20, Y), shapely.Point(X + 40, Y)]).to_file(lights)
    got = read_facilities({"": book, "street_light": lights}, CRS, TOWN, Findings(),
                          file_crs=CRS)
    assert got.frame["categories"].to_dict() == {
        "F1": "银行", "lights.gpkg:F1": "street_light", "F2": "street_light"}
    assert (got.tally.rows_in, got.tally.used) == (3, 3)


def test_what_lies_outside_is_counted_not_refused(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(f"id,category,x,y\na,bank,{X},{Y}\nb,bank,{X - 499},{Y}\n"
                    f"c,bank,{X - 9000},{Y}\n", encoding="utf-8")
    got = read_facilities(path, CRS, TOWN, Findings(), file_crs=CRS)
    assert list(got.frame.index) == ["a", "b"]
    assert (got.tally.rows_in, got.tally.used, got.tally.outside) == (3, 2, 1)


def test_every_fault_of_every_file_is_told_at_once(tmp_path):
    one, two, far = tmp_path / "one.csv", tmp_path / "two.csv", tmp_path / "far.csv"
    one.write_text(f"id,category,x,y,capacity,area\na,bank,{X},{Y},-3,x\na,bank,{X + 90},{Y},,\n",
                   encoding="utf-8")
    two.write_text("id,category\na,bank\n", encoding="utf-8")
    far.write_text(f"id,category,x,y\na,bank,{X},{Y - 900000}\n", encoding="utf-8")
    findings = Findings()
    with pytest.raises(InputError) as caught:
        read_facilities({"": one, "bank": two, "park": far}, CRS, TOWN, findings, file_crs=CRS)
    assert {(f.key, f.file) for f in caught.value.findings} == {
        ("read.negative", "one.csv"), ("read.not_a_number", "one.csv"),
        ("read.no_geometry", "two.csv"), ("read.disjoint", "far.csv")}


def test_ids_that_come_twice_are_refused(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(f"id,category,x,y\na,bank,{X},{Y}\na,bank,{X + 90},{Y}\n", encoding="utf-8")
    with pytest.raises(InputError, match="duplicate_ids"):
        read_facilities(path, CRS, TOWN, Findings(), file_crs=CRS)


def test_a_list_of_persons_is_refused(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(f"id,category,x,y\na,重点人员,{X},{Y}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"read\.person"):
        read_facilities(path, CRS, TOWN, Findings(), file_crs=CRS)


def test_an_empty_plan_of_facilities_is_a_layer_all_the_same():
    out, gone, findings = judge(places())
    assert out.columns.tolist() == [*LAYERS["facilities"].names, "geometry"]
    assert (len(out), gone, findings.items) == (0, 0, [])
