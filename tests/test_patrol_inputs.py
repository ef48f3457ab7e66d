"""What a dispatcher gives is understood or refused by name, before anything is solved."""

from __future__ import annotations

import string
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import xlsxwriter
from bad_inputs import every_finding_can_be_told  # noqa: F401
from hypothesis import given, settings
from hypothesis import strategies as st
from patrol_inputs import (
    CRS,
    SOUTH,
    WEST,
    check,
    faults,
    layers,
    make_plan,
    read,
    read_faults,
    spot,
    write,
    zone,
)
from python_calamine import CalamineWorkbook

from gridplan.cli.templates import BOOKS, TABLES, make_templates
from gridplan.errors import Findings, InputError
from gridplan.params import Params
from gridplan.patrol.hours import count_begins, read_span, read_windows
from gridplan.patrol.inputs import check_patrol
from gridplan.plan import Plan
from gridplan.read import read_patrol
from gridplan.town import build_town, write_town

SHIFTS = {"morning": ("07:30", "15:30"), "late": ("15:30", "23:30"), "night": ("23:30", "07:30")}


def told(findings, outcome="warning"):
    return {f.key.removeprefix("patrol.input_"): f for f in findings.items
            if f.outcome == outcome}


# ---- reading -------------------------------------------------------------------------------

def test_a_table_of_teams_is_understood_in_chinese_and_english(tmp_path):
    chinese, _ = read(tmp_path, teams=[
        {"巡组编号": "T1", "层级": "镇中队", "巡逻方式": "电动车", "驻地": "F1",
         "班次": "22：00至次日6点半", "班组": "甲", "休息分钟": "30分钟",
         "休息时段": "01:00—02:00", "人数": "2人", "责任防区": "Z1"}])
    english, _ = read(tmp_path, teams=[
        {"team_id": "T1", "tier": "town", "mode": "ebike", "station_id": "F1",
         "shift_start": "22:00", "shift_end": "06:30", "crew": "甲", "break_min": 30,
         "break_window": "01:00-02:00", "members": 2, "zone_id": "Z1"}])
    pd.testing.assert_frame_equal(chinese["teams"], english["teams"])
    row = chinese["teams"].iloc[0]
    assert (row["shift_start"], row["shift_end"], row["members"]) == ("22:00", "06:30", 2)
    assert chinese["teams"].index.tolist() == [2]


def test_the_word_for_turns_means_a_crew_or_hours_by_what_stands_below(tmp_path):
    out, _ = read(tmp_path, teams=[
        {"巡组": "T1", "班次": "早班", "上班": "7:30", "下班": "15:30"},
        {"巡组": "T2", "班次": "22:00-06:00", "上班": "", "下班": ""}],
        calendar=[{"日期": "2026/12/1", "巡组": "T1", "班次": "乙"},
                  {"日期": "20261202", "巡组": "T1", "班次": "8:00-16:00"}])
    assert out["teams"]["crew"].tolist() == ["早班", pd.NA]
    assert out["teams"]["shift_start"].tolist() == ["07:30", "22:00"]
    assert out["calendar"]["crew"].tolist() == ["乙", pd.NA]
    assert out["calendar"]["shift"].tolist() == [pd.NA, "08:00-16:00"]
    assert out["calendar"]["date"].tolist() == ["2026-12-01", "2026-12-02"]
    assert out["calendar"]["calendar_id"].tolist() == ["2026-12-01/T1", "2026-12-02/T1"]


def test_stops_stand_at_coordinates_facilities_or_grids(tmp_path):
    lonlat = gpd.GeoSeries([spot(1500, 500)], crs=CRS).to_crs(4326).iloc[0]
    out, findings = read(tmp_path, stops=[
        {"必到点": "桥", "经度": lonlat.x, "纬度": lonlat.y, "时间窗": "7:20~8:20、16:20到17:30"},
        {"必到点": "学校", "所在设施": "实验小学", "必到": "否"},
        {"必到点": "派出所", "所在设施": "F1", "必到": "是"},
        {"必到点": "广场", "网格": "b-002", "停留分钟": "12分"}])
    stops = out["stops"]
    assert stops.crs == CRS
    assert stops["name"].tolist() == ["桥", "学校", "派出所", "广场"]
    assert stops["stop_id"].tolist() == ["S00001", "S00002", "S00003", "S00004"]
    want = [spot(1500, 500), spot(2500, 500), spot(500, 500), spot(3500, 500)]
    assert shapely.distance(stops.geometry.to_numpy(), want).max() < 0.01
    assert stops["windows"].tolist()[0] == "07:20-08:20;16:20-17:30"
    assert stops["optional"].tolist() == [pd.NA, True, False, pd.NA]
    assert stops["service_min"].tolist() == [pd.NA, pd.NA, pd.NA, 12]
    assert [(t.rows_in, t.used, t.rejected) for t in findings.tally] == [(4, 4, 0)]


def test_a_place_that_is_unknown_or_missing_is_named(tmp_path):
    found = read_faults(tmp_path, stops=[
        {"name": "a", "facility_id": "F9", "grid_id": ""},
        {"name": "b", "facility_id": "", "grid_id": "c-001"},
        {"name": "c", "facility_id": "", "grid_id": ""}])
    assert {k: f.row for k, f in found.items()} == {
        "patrol_place_unknown": "3", "patrol_no_place": "4"}
    assert found["patrol_place_unknown"].values["words"] == "c-001"
    assert found["patrol_place_unknown"].file == "stops.csv"


def test_metres_without_a_crs_are_those_of_the_plan_only_where_they_lie_there(tmp_path):
    out, findings = read(tmp_path, stops=[{"name": "a", "x": WEST + 10, "y": SOUTH + 20}])
    assert out["stops"].geometry.iloc[0].equals(spot(10, 20))
    assert "read.patrol_plan_crs" in [f.key for f in findings.items]
    found = read_faults(tmp_path, stops=[{"name": "a", "x": WEST + 90_000, "y": SOUTH + 20}])
    assert "no_crs" in found


def test_a_stop_in_another_city_is_named(tmp_path):
    path = tmp_path / "stops.gpkg"
    gpd.GeoDataFrame({"name": ["here", "far"]}, geometry=[spot(500, 500), spot(99_000, 500)],
                     crs=CRS).to_file(path, layer="stops")
    with pytest.raises(InputError) as caught:
        read_patrol({"stops": path}, make_plan(), Findings())
    assert [(f.key, f.file, f.count) for f in caught.value.findings] == [
        ("read.patrol_far", "stops.gpkg", 1)]


def test_streets_are_drawn_or_named_by_id_name_and_class(tmp_path):
    out, _ = read(tmp_path, streets=[
        {"道路名称": "长安街", "道路编码": "", "道路等级": "", "每日趟数": 3, "层级": "市"},
        {"道路名称": "", "道路编码": "R5", "道路等级": "", "每日趟数": 1, "层级": "社区"},
        {"道路名称": "", "道路编码": "", "道路等级": "residential", "每日趟数": 2, "层级": ""}])
    streets = out["streets"]
    assert streets["road_id"].tolist() == ["R1", "R2", "R5", "R3", "R4"]
    assert streets["tier"].tolist() == ["city", "city", "community", pd.NA, pd.NA]
    assert streets["passes_per_day"].tolist() == [3, 3, 1, 2, 2]
    assert streets["required_id"].is_unique
    assert streets.length.tolist() == [1000.0] * 5
    path = tmp_path / "drawn.geojson"
    line = shapely.LineString([spot(10, 10), spot(10, 900)])
    gpd.GeoDataFrame({"passes_per_day": [2]}, geometry=[line], crs=CRS).to_crs(4326).to_file(path)
    drawn = read_patrol({"streets": path}, make_plan(), Findings())["streets"]
    assert drawn["road_id"].isna().all()
    assert shapely.hausdorff_distance(drawn.geometry.iloc[0], line) < 0.01


def test_a_name_counts_more_than_a_class(tmp_path):
    out, findings = read(tmp_path, streets=[
        {"road_class": "residential", "road_name": "", "passes": 1},
        {"road_class": "", "road_name": "人民路", "passes": 4},
        {"road_class": "", "road_name": "人民路", "passes": 5}])
    assert dict(zip(out["streets"]["road_id"], out["streets"]["passes_per_day"], strict=True)) == {
        "R3": 4, "R4": 1}
    assert [f.key for f in findings.items] == ["read.patrol_street_twice"]


def test_a_road_class_or_name_that_does_not_exist_is_named(tmp_path):
    found = read_faults(tmp_path, streets=[
        {"road_class": "boulevard", "road_name": "", "tier": "town"},
        {"road_class": "", "road_name": "长安路", "tier": "town"},
        {"road_class": "", "road_name": "", "tier": "town"}])
    assert {k: f.row for k, f in found.items()} == {
        "patrol_class_unknown": "2", "patrol_road_unknown": "3", "patrol_no_street": "4"}
    assert found["patrol_class_unknown"].values["word"] == "boulevard"
    assert "长安街" in found["patrol_road_unknown"].values["near"]
    _, findings = read(tmp_path, streets=[{"road_class": "trunk"}, {"road_class": "primary"}])
    assert [f.key for f in findings.items] == ["read.patrol_class_empty"]


def test_streets_drawn_as_areas_are_refused(tmp_path):
    path = tmp_path / "streets.gpkg"
    gpd.GeoDataFrame({"name": ["a"]}, geometry=[spot(500, 500).buffer(50)], crs=CRS).to_file(path)
    with pytest.raises(InputError) as caught:
        read_patrol({"streets": path}, make_plan(), Findings())
    assert [f.key for f in caught.value.findings] == ["read.wrong_kind"]


def test_zones_are_listed_or_drawn_and_made_of_whole_grids(tmp_path):
    out, _ = read(tmp_path, zones=[
        {"防区": "Z1", "层级": "镇", "网格": "a-001", "社区": ""},
        {"防区": "Z1", "层级": "镇", "网格": "a-002", "社区": ""},
        {"防区": "Z2", "层级": "镇", "网格": "", "社区": "b"}])
    assert out["zones"]["zone_id"].tolist() == ["Z1", "Z2"]
    assert out["zones"].area.tolist() == [2e6, 2e6]
    assert set(out["zones"].geom_type) == {"MultiPolygon"}
    path = tmp_path / "drawn.gpkg"
    gpd.GeoDataFrame({"zone_id": ["Z1", "Z2"], "tier": ["town", "town"]}, geometry=[
        shapely.box(WEST - 20, SOUTH, WEST + 1100, SOUTH + 1000),
        shapely.box(WEST + 1100, SOUTH, WEST + 4000, SOUTH + 990)], crs=CRS).to_file(path)
    findings = Findings()
    zones = read_patrol({"zones": path}, make_plan(), findings)["zones"]
    assert zones.area.round().tolist() == [1e6, 3e6]
    assert "read.patrol_zone_snapped" in [f.key for f in findings.items]


def test_zones_of_one_tier_may_not_overlap(tmp_path):
    path = tmp_path / "zones.gpkg"
    frame = gpd.GeoDataFrame({"zone_id": ["Z1", "Z2"], "tier": ["town", "town"]}, geometry=[
        shapely.box(WEST, SOUTH, WEST + 2000, SOUTH + 1000),
        shapely.box(WEST + 1000, SOUTH, WEST + 4000, SOUTH + 1000)], crs=CRS)
    frame.to_file(path)
    with pytest.raises(InputError) as caught:
        read_patrol({"zones": path}, make_plan(), Findings())
    assert [f.key for f in caught.value.findings] == ["read.patrol_zones_overlap"]
    frame.assign(tier=["town", "city"]).to_file(path)
    assert len(read_patrol({"zones": path}, make_plan(), Findings())["zones"]) == 2


@pytest.mark.parametrize(("column", "value", "key"), [
    ("每日次数", "两次", "not_a_number"), ("停留分钟", "10.5", "not_whole"),
    ("可选", "也许", "patrol_choice"), ("类型", "重点人员", "person"),
    ("名称", "独居老人", "person"),
    ("联系电话", "办公室", "private"), ("备注", "13800000000", "private"),
    ("备注", "11010519491231002X", "private")])
def test_a_bad_cell_of_stops_is_named(tmp_path, column, value, key):
    row = {"名称": "学校", "facility_id": "F2"}
    found = read_faults(tmp_path, stops=[row, {**row, column: value}])
    assert list(found) == [key]
    assert (found[key].file, found[key].layer) == ("stops.csv", "stops")
    if key == "private":
        assert found[key].field == column
    else:
        assert (found[key].row, found[key].field) == ("3", column)


def test_columns_of_persons_can_be_left_unread(tmp_path):
    path = write(tmp_path, "stops", [{"名称": "a", "facility_id": "F1", "户主姓名": "张三"}])
    findings = Findings()
    out = read_patrol({"stops": path}, make_plan(), findings, drop_columns=True)
    assert len(out["stops"]) == 1
    assert told(findings)["read.private"].field == "户主姓名"


def test_teams_without_stations_start_from_facilities(tmp_path):
    out, _ = read(tmp_path, teams=[{"team_id": "T1", "station_id": "东城派出所"},
                                   {"team_id": "T2", "station_id": "F1"}])
    stations = out["stations"]
    assert stations["station_id"].tolist() == ["F1"]
    assert stations.geometry.iloc[0].equals(spot(500, 500))


def test_points_of_posts_and_lights_are_read_by_kind(tmp_path):
    path = write(tmp_path, "lights", [{"name": "灯", "x": WEST, "y": SOUTH, "半径": "30米"}])
    out = read_patrol({}, make_plan(), Findings(), points={"street_light": path})
    assert out["points"][["kind", "radius_m"]].to_numpy().tolist() == [["street_light", 30.0]]
    with pytest.raises(InputError) as caught:
        read_patrol({}, make_plan(), Findings(), points={"重点人员": path})
    assert caught.value.findings[0].key == "read.person"


def test_faults_of_all_files_are_told_together(tmp_path):
    found = read_faults(
        tmp_path, stops=[{"name": "a", "facility_id": "F9"}],
        streets=[{"road_class": "boulevard"}], teams=[{"mode": "foot"}])
    assert set(found) == {"patrol_place_unknown", "patrol_class_unknown", "no_column"}


def test_a_column_can_be_named(tmp_path):
    path = write(tmp_path, "teams", [{"队伍代号": "T1"}])
    out = read_patrol({"teams": path}, make_plan(), Findings(),
                      columns={"teams.team_id": "队伍代号"})
    assert out["teams"]["team_id"].tolist() == ["T1"]
    with pytest.raises(InputError) as caught:
        read_patrol({"teams": path}, make_plan(), Findings(), columns={"teams.team_id": "代号"})
    assert "read.no_column" in [f.key for f in caught.value.findings]


def test_shifted_coordinates_are_moved_back(tmp_path):
    from gridplan.datum import wgs84_to_gcj02

    at = gpd.GeoSeries([spot(1500, 500)], crs=CRS).to_crs(4326).get_coordinates().to_numpy()
    lon, lat = wgs84_to_gcj02(at)[0]
    path = write(tmp_path, "stops", [{"name": "a", "lon": lon, "lat": lat}])
    out = read_patrol({"stops": path}, make_plan(), Findings(), datum={"stops": "gcj02"})
    assert out["stops"].geometry.iloc[0].distance(spot(1500, 500)) < 0.1


def test_rows_of_sums_and_blank_rows_are_left_out(tmp_path):
    out, findings = read(tmp_path, teams=[{"巡组": "T1", "人数": 2}, {"巡组": "", "人数": ""},
                                          {"巡组": "合计", "人数": 2}])
    assert out["teams"]["team_id"].tolist() == ["T1"]
    assert "read.sum_row" in [f.key for f in findings.items]


# ---- templates -----------------------------------------------------------------------------

WORDS = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=6).map("X".__add__)
CLOCK = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
MODE = {"foot": "步行", "ebike": "电动车", "bike": "自行车", "car": "汽车"}
TIER = {"city": "市", "town": "镇中队", "community": "社区"}


def fill_template(path, lang, tables):
    """Write the template again, with rows below its headings."""
    empty = path.with_name("empty.xlsx")
    empty.write_bytes(make_templates(lang)["patrol.xlsx"])
    held = CalamineWorkbook.from_path(str(empty))
    with xlsxwriter.Workbook(str(path)) as book:
        for at, name in enumerate(held.sheet_names):
            sheet = book.add_worksheet(name)
            for number, row in enumerate(held.get_sheet_by_index(at).to_python()):
                sheet.write_row(number, 0, row)
            table = BOOKS["patrol"][at] if at < len(BOOKS["patrol"]) else ""
            for number, row in enumerate(tables.get(table, []), start=1):
                for column, value in row.items():
                    if value is not None:
                        sheet.write(number, TABLES[table].index(column), value)


@settings(max_examples=15)
@given(lang=st.sampled_from(["en", "zh"]), data=st.data())
def test_rows_written_into_the_template_come_back(tmp_path_factory, lang, data):
    ids = data.draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    teams = [{"team_id": i, "tier": data.draw(st.sampled_from(sorted(TIER))),
              "mode": data.draw(st.sampled_from(sorted(MODE))), "station_id": "F1",
              "crew": data.draw(st.sampled_from("AB")), "shift_start": data.draw(CLOCK),
              "shift_end": data.draw(CLOCK), "break_min": data.draw(st.integers(0, 60)),
              "break_window": None, "members": data.draw(st.integers(1, 9)), "zone_id": None}
             for i in ids]
    stops = [{"stop_id": i, "name": f"点{i}", "facility_id": "F2",
              "visits_per_day": data.draw(st.integers(0, 9)),
              "windows": f"{data.draw(CLOCK)}-{data.draw(CLOCK)}"} for i in ids]
    said = [{**team, **({"mode": MODE[team["mode"]], "tier": TIER[team["tier"]]}
                        if lang == "zh" else {})} for team in teams]
    path = tmp_path_factory.mktemp("book") / "patrol.xlsx"
    fill_template(path, lang, {"teams": said, "stops": stops})
    findings = Findings()
    out = read_patrol(dict.fromkeys(BOOKS["patrol"], path), make_plan(), findings)
    assert {f.key for f in findings.items} == {"read.empty_layer"}
    assert set(out) == {"teams", "stops", "stations"}
    for name, rows in (("teams", teams), ("stops", stops)):
        for column in [c for c in rows[0] if c != "facility_id"]:
            held = out[name][column].astype(object)
            assert held.where(held.notna(), None).tolist() == [row[column] for row in rows]


# ---- checking: what is sound ---------------------------------------------------------------

def test_a_sound_set_passes_and_is_filled():
    out, findings = check()
    assert not findings.items
    assert out["stops"]["optional"].tolist() == [False, False]
    assert out["required"]["day_kind"].tolist() == ["all"]


def test_layers_of_the_plan_are_checked_where_none_are_given():
    held = layers()
    plan = make_plan(**{name: frame for name, frame in held.items() if len(frame)})
    out = check_patrol({}, plan, Params(), Findings())
    assert out["teams"]["team_id"].tolist() == ["T1", "T2"]
    spoilt = held["stops"].assign(windows="17:30-16:20")
    with pytest.raises(InputError) as caught:
        check_patrol({"stops": spoilt}, plan, Params(), Findings())
    assert [(f.key, f.row) for f in caught.value.findings] == [("patrol.input_reversed", "S1, S2")]


def test_what_has_one_answer_is_filled():
    out, _ = check(
        teams=[{"station_id": None, "mode": None, "members": None, "tier": None, "zone_id": "Z1"},
               {"station_id": "东城站"}],
        zones=[zone("Z1", 0, 1), zone("Z2", 2, 3)], calendar=[{"day_kind": None}])
    team = out["teams"].iloc[0]
    assert team[["station_id", "mode", "members", "tier"]].tolist() == ["ST1", "ebike", 2, "town"]
    assert out["teams"]["station_id"].tolist() == ["ST1", "ST1"]
    assert out["stops"]["zone_id"].tolist() == ["Z1", "Z2"]
    assert out["calendar"]["day_kind"].tolist() == ["weekend"]  # 5 December 2026, a Saturday


# ---- checking: one fault each --------------------------------------------------------------

TEAM_FAULTS = [
    ({"team_id": "T2"}, "twice", "team_id"), ({"team_id": ""}, "blank", "team_id"),
    ({"station_id": "ST9"}, "unknown", "station_id"), ({"zone_id": "Z9"}, "unknown", "zone_id"),
    ({"tier": "county"}, "word", "tier"), ({"mode": "horse"}, "word", "mode"),
    ({"shift_start": "25:00"}, "time", "shift_start"), ({"shift_end": "noon"}, "time", "shift_end"),
    ({"shift_end": None}, "blank", "shift_end"),
    ({"shift_end": "07:30", "break_window": None}, "shift_none", "shift_end"),
    ({"break_min": 480, "break_window": None}, "break_long", "break_min"),
    ({"break_window": "16:00-17:00"}, "break_outside", "break_window"),
    ({"break_window": "15:10-16:00"}, "break_outside", "break_window"),
    ({"break_window": "lunch"}, "window", "break_window"),
    ({"break_min": -5}, "range", "break_min"), ({"members": 0}, "range", "members"),
    ({"members": 1.5}, "whole", "members"), ({"crew": "13800000000"}, "private", "crew")]


@pytest.mark.parametrize(("change", "key", "field"), TEAM_FAULTS)
def test_a_fault_of_a_team_is_named(change, key, field):
    found = faults(teams=[change])
    assert list(found) == [key]
    assert (found[key].layer, found[key].field) == ("teams", field)


STOP_FAULTS = [
    ({"stop_id": "S2"}, "twice", "stop_id"), ({"tier": "county"}, "word", "tier"),
    ({"zone_id": "Z9"}, "unknown", "zone_id"), ({"priority": 0}, "range", "priority"),
    ({"priority": 1.5}, "whole", "priority"), ({"visits_per_day": -1}, "range", "visits_per_day"),
    ({"visits_per_day": 0.5}, "whole", "visits_per_day"),
    ({"visits_per_day": float("inf")}, "no_number", "visits_per_day"),
    ({"service_min": -1}, "range", "service_min"), ({"spacing_min": -1}, "range", "spacing_min"),
    ({"penalty": -1}, "range", "penalty"), ({"windows": "7-8"}, "window", "windows"),
    ({"windows": "07:20-08:20;"}, "window", "windows"),
    ({"windows": "17:30-16:20"}, "reversed", "windows"),
    ({"windows": "08:00-08:00"}, "window_none", "windows"),
    ({"windows": "08:00-08:05"}, "window_short", "windows"),
    ({"visits_per_day": 4}, "spacing", "spacing_min"),
    ({"kind": "hotspot", "service_min": 20}, "dosage", "service_min"),
    ({"kind": "hotspot", "service_min": None, "windows": "08:00-08:09"}, "window_short",
     "windows"),
    ({"kind": "重点人员"}, "person", "kind"), ({"name": "独居老人"}, "person", "name"),
    ({"name": "13800000000"}, "private", "name"), ({"geometry": None}, "no_place", "geometry"),
    ({"visits_per_day": 288, "spacing_min": 0}, "", "")]


@pytest.mark.parametrize(("change", "key", "field"), STOP_FAULTS)
def test_a_fault_of_a_stop_is_named(change, key, field):
    if not key:
        check(stops=[change])
        return
    found = faults(stops=[change])
    assert list(found) == [key]
    assert (found[key].layer, found[key].field) == ("stops", field)
    assert found[key].row == ("S2" if key == "twice" else "S1")


@pytest.mark.parametrize(("layer", "change", "key", "field"), [
    ("required", {"passes_per_day": -1}, "range", "passes_per_day"),
    ("required", {"passes_per_day": 1.5}, "whole", "passes_per_day"),
    ("required", {"day_kind": "monday"}, "word", "day_kind"),
    ("required", {"tier": "county"}, "word", "tier"),
    ("required", {"road_id": "R9"}, "unknown", "road_id"),
    ("calendar", {"date": "2026-02-30"}, "date", "date"),
    ("calendar", {"date": "Monday"}, "date", "date"),
    ("calendar", {"date": None}, "blank", "date"),
    ("calendar", {"duty": "red"}, "word", "duty"),
    ("calendar", {"day_kind": "all"}, "word", "day_kind"),
    ("calendar", {"team_id": "T9"}, "unknown", "team_id"),
    ("calendar", {"team_id": "T1", "shift": "morning"}, "window", "shift"),
    ("calendar", {"team_id": "T1", "shift": "08:00-08:00"}, "window", "shift"),
    ("stations", {"zone_id": "Z9"}, "unknown", "zone_id"),
    ("stations", {"tier": "county"}, "word", "tier")])
def test_a_fault_of_another_layer_is_named(layer, change, key, field):
    found = faults(**{layer: [change]})
    assert list(found) == [key]
    assert (found[key].layer, found[key].field) == (layer, field)


def test_all_faults_come_at_once_with_file_and_row(tmp_path):
    out, findings = read(tmp_path, teams=[
        {"巡组": "T1", "驻地": "F1", "层级": "社区", "方式": "马", "上班": "7:30",
         "下班": "15:30"}],
        stops=[{"名称": "a", "facility_id": "F2", "时间窗": "17:30-16:20"},
               {"名称": "b", "facility_id": "F2", "优先级": 0}])
    with pytest.raises(InputError) as caught:
        check_patrol(out, make_plan(), Params(), findings)
    assert {(f.key, f.file, f.row, f.field) for f in caught.value.findings} == {
        ("patrol.input_word", "teams.csv", "2", "方式"),
        ("patrol.input_reversed", "stops.csv", "2", "时间窗"),
        ("patrol.input_range", "stops.csv", "3", "优先级")}


def test_faults_of_reading_can_be_told_with_those_of_checking(tmp_path):
    findings = Findings()
    paths = {"stops": write(tmp_path, "stops", [
        {"name": "a", "facility_id": "F2", "service_min": "ten", "windows": "17:30-16:20"}])}
    out = read_patrol(paths, make_plan(), findings, stop=False)
    with pytest.raises(InputError) as caught:
        check_patrol({**layers(), **out}, make_plan(), Params(), findings)
    assert {f.key for f in caught.value.findings} == {"read.not_a_number",
                                                      "patrol.input_reversed"}


def test_a_stop_in_no_zone_of_its_tier_is_named():
    found = faults(zones=[zone("Z1", 0, 1)])
    assert (found["no_zone"].row, list(found)) == ("S2", ["no_zone"])
    check(zones=[zone("Z1", 0, 1)], stops=[{}, {"zone_id": "Z1"}])
    found = faults(zones=[zone("Z1", 0, 1), zone("C1", 2, 3, tier="city")])
    assert list(found) == ["no_zone"]
    out, _ = check(zones=[zone("Z1", 0, 1), zone("C1", 2, 3, tier="city")],
                   stops=[{}, {"tier": None}])
    assert out["stops"]["zone_id"].tolist() == ["Z1", pd.NA]
    found = faults(zones=[zone("Z1", 0, 1, 2, 3, tier="city")], stops=[{"zone_id": "Z1"}])
    assert list(found) == ["zone_tier"]


def test_a_team_in_a_zone_of_another_tier_is_named():
    found = faults(zones=[zone("C1", 0, 1, 2, 3, tier="city")], teams=[{"zone_id": "C1"}])
    assert list(found) == ["zone_tier"]


def test_too_many_visits_are_refused():
    rows = [{"stop_id": f"S{k}", "visits_per_day": 250, "windows": None, "spacing_min": 0,
             "name": "a", "kind": "shop", "tier": "town", "geometry": spot(k, 5)}
            for k in range(21)]
    assert faults(only_stops=rows)["many"].count == 5250
    check(only_stops=rows[:20])


def test_frequencies_that_differ_or_lack_are_warned_of():
    out, findings = check(stops=[{"visits_per_week": 3}, {"visits_per_week": None}])
    assert set(told(findings)) == {"both_frequencies", "no_frequency"}
    assert out["stops"]["visits_per_day"].tolist() == [2, 1]
    assert not check(stops=[{"visits_per_week": 14}])[1].items


def test_one_short_window_among_others_is_warned_of():
    _, findings = check(stops=[{"windows": "07:20-08:20;12:00-12:05;16:20-17:30"}])
    assert set(told(findings)) == {"window_some"}


def test_a_window_across_midnight_is_no_reversed_one():
    check(stops=[{"windows": "22:00-06:00"}])
    check(stops=[{"windows": "06:00-24:00;00:00-02:00"}])


# ---- the calendar and crews ----------------------------------------------------------------

def days(*rows):
    return [{"calendar_id": str(k), "date": d, "team_id": t, "crew": c, "day_kind": None,
             "duty": None} for k, (d, t, c) in enumerate(rows)]


def test_dates_and_numbered_days_do_not_mix():
    found = faults(calendar=days(("2026-12-01", None, None), ("D2", None, None)))
    assert list(found) == ["mixed_dates"]


def test_a_date_is_told_once():
    first = {"calendar_id": "1", "date": "D1", "day_kind": "workday"}
    second = {**first, "calendar_id": "2", "day_kind": "holiday", "duty": None}
    assert list(faults(calendar=[first, second])) == ["day_differs"]
    _, findings = check(calendar=[first, {**second, "day_kind": "workday"}])
    assert set(told(findings)) == {"day_twice"}
    assert list(faults(calendar=days(("D1", "T1", "A"), ("D1", "T1", "B")))) == ["day_team_twice"]


def test_the_kind_of_a_day_follows_from_its_date():
    out, _ = check(calendar=days(*((f"2026-12-{d:02d}", None, None) for d in range(1, 8))))
    assert out["calendar"]["day_kind"].tolist() == ["workday"] * 4 + ["weekend"] * 2 + ["workday"]


def test_a_crew_that_no_team_has_is_named_where_there_are_too_many():
    rows = [("D1", "T1", "A"), ("D2", "T1", "C"), ("D3", "T1", "D")]
    check(calendar=days(*rows))
    found = faults(calendar=days(*rows, ("D4", "T1", "X")))
    assert list(found) == ["crew"]
    assert found["crew"].values["words"] == "C, D, X"


def shift(name):
    start, end = SHIFTS[name]
    return {"shift_start": start, "shift_end": end, "break_window": None}


def test_a_crew_may_man_several_teams_of_one_shift_but_not_of_two_at_once():
    check(teams=[{**shift("morning"), "crew": "A"}, {**shift("morning"), "crew": "A"}])
    found = faults(teams=[{**shift("morning"), "crew": "A"},
                          {"shift_start": "12:00", "shift_end": "20:00", "crew": "A"}])
    assert list(found) == ["crew_twice"]
    assert found["crew_twice"].row == "T1, T2"


def test_a_crew_twice_at_once_across_midnight_is_found_by_the_calendar():
    teams = [shift("night"), shift("morning")]
    assert not check(teams=teams, calendar=days(
        ("D1", "T1", "A"), ("D2", "T2", "B"), ("D2", "T1", "C")))[1].items
    found = faults(teams=[shift("night"), {"shift_start": "06:00", "shift_end": "14:00"}],
                   calendar=days(("D1", "T1", "A"), ("D2", "T2", "A")))
    assert list(found) == ["crew_twice"]
    assert "23:30-07:30" in found["crew_twice"].values["words"]


@pytest.mark.parametrize(("after", "tired"), [("late", True), ("night", False)])
def test_less_than_eleven_hours_of_rest_are_warned_of(after, tired):
    _, findings = check(teams=[shift("night"), shift(after)],
                        calendar=days(("D1", "T1", "A"), ("D2", "T2", "A")))
    assert ("crew_tired" in told(findings)) == tired


# ---- the bad inputs of the list ------------------------------------------------------------

def test_b81_a_reversed_window_names_its_stop_and_the_mend():
    found = faults(stops=[{}, {"windows": "17:30-16:20"}])["reversed"]
    assert (found.row, found.field, found.values["value"]) == ("S2", "windows", "17:30-16:20")
    assert "swap" in found.mend("en")
    assert "调换" in found.mend("zh")


def test_b82_no_team_or_no_station_stops_before_any_solver():
    assert set(faults(only_teams=[])) >= {"no_team"}
    assert set(faults(only_stations=[])) >= {"no_station"}
    with pytest.raises(InputError) as caught:
        check_patrol({}, make_plan(), Params(), Findings())
    assert {f.key for f in caught.value.findings} == {"patrol.input_no_team",
                                                      "patrol.input_no_station"}


@pytest.mark.parametrize("value", [1.5, float("inf"), "ten", -1])
def test_b83_a_number_that_is_none_never_reaches_a_solver(value):
    found = faults(stops=[{"service_min": value}])
    assert {f.field for f in found.values()} == {"service_min"}


# ---- hours ---------------------------------------------------------------------------------

SPAN = st.tuples(st.integers(0, 1439), st.integers(1, 600)).map(lambda s: (s[0], s[0] + s[1]))


@given(st.lists(SPAN, min_size=1, max_size=3), st.integers(0, 60), st.integers(1, 300))
def test_begins_are_counted_as_one_would_by_hand(windows, stay, spacing):
    count, free = 0, -1
    for minute in range(3000):
        if minute >= free and any(a <= minute <= b - stay for a, b in windows):
            count, free = count + 1, minute + spacing
    assert count_begins(windows, stay, spacing) == count


@given(SPAN)
def test_spans_are_read_as_they_are_written(span):
    start, end = span
    text = f"{start // 60:02d}:{start % 60:02d}-{end % 1440 // 60:02d}:{end % 60:02d}"
    assert read_span(text) == (start, end)
    assert read_windows(f"{text};{text}") == [span, span]


def test_files_of_a_dispatcher_name_no_path(tmp_path):
    out, _ = read(tmp_path, teams=[{"team_id": "T1"}])
    source = out["teams"].attrs["source"]
    assert (source.name, source.layer, source.rows) == ("teams.csv", "teams", 1)
    assert Path(source.name).name == source.name


# ---- the town ------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def town():
    return build_town(6, 3)


def test_the_files_of_a_town_read_back_and_are_sound(town, tmp_path):
    folder = tmp_path / "town"
    write_town(town, folder)
    study = town.study
    plan = Plan({name: study.layer(name).reset_index() for name in (
        "communities", "roads", "facilities")}, study.crs)
    paths = {"teams": folder / "teams.xlsx", "stations": folder / "stations.gpkg",
             "stops": folder / "stops.gpkg", "calendar": folder / "calendar.xlsx"}
    findings = Findings()
    out = read_patrol(paths, plan, findings)
    assert not findings.of("error", "warning")
    for name in paths:
        mine = getattr(town, name)
        read_back = out[name].set_index(mine.index.name)
        columns = [c for c in mine.columns if c not in ("geometry", "calendar_id")]
        pd.testing.assert_frame_equal(pd.DataFrame(read_back[columns]).reset_index(drop=True),
                                      pd.DataFrame(mine[columns]).reset_index(drop=True))
        assert read_back.index.tolist() == mine.index.tolist()
    checked = check_patrol(out, plan, Params(), findings)
    assert not findings.of("error", "warning")
    assert len(checked["stops"]) == len(town.stops)
