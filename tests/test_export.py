"""Patrols out of the plan: what phones, printers and spreadsheets get, and what nobody gets."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import gpxpy
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from routes import GATE, PHONE, make_plan
from test_cli import gridplan
from test_report import every_byte, read_pdf, streams

from gridplan.datum import wgs84_to_bd09, wgs84_to_gcj02
from gridplan.errors import Findings, InputError, UsageError
from gridplan.export import is_export_file, render_exports, write_exports
from gridplan.export.names import guard_cell, name_stems, tame
from gridplan.export.places import list_passes, place_visits
from gridplan.export.tables import COLUMNS
from gridplan.export.times import DAY_MIN, name_day, read_time, write_band, write_clock
from gridplan.export.trips import Trip, read_trips
from gridplan.export.turns import Streets, list_legs
from gridplan.pages.canvas import INK, Box, Canvas
from gridplan.pages.fonts import cut_font
from gridplan.pages.page import Page
from gridplan.plan import Plan, write_plan

DAY, NEXT = "2026-12-31", "2027-01-01"
EVIL = ("=cmd|'/c calc'!A1", "<script>alert(1)</script>", "../../etc/x", "🚓🚨", "\u202eمخفر",
        "a\nb\t\x07", "&lt;b&gt;", "+1", "@SUM(A1)")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan((DAY, NEXT))


@pytest.fixture(scope="module")
def trips(plan: Plan) -> list[Trip]:
    return read_trips(plan, Findings())


@pytest.fixture(scope="module")
def files(plan: Plan) -> dict[str, bytes]:
    return render_exports(plan, lang="zh")


def read_table(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def read_layer(data: bytes, layer: str | int = 0) -> gpd.GeoDataFrame:
    return pyogrio.read_dataframe(io.BytesIO(data), layer=layer)


def change(plan: Plan, layer: str, column: str, values: Any, rows: Any = None) -> Plan:
    frame = plan.layer(layer).copy()
    frame.loc[frame.index if rows is None else rows, column] = values
    return plan.with_layers(**{layer: frame})


def texts_of(pdf: bytes) -> str:
    return read_pdf(pdf)


# What there is


def test_every_route_has_its_files_and_the_datum_stands_in_their_names(
        plan: Plan, files: dict[str, bytes]) -> None:
    stems = [f"{day}-T{k}" for day in (DAY, NEXT) for k in (1, 2, 3)]
    assert sorted(files) == sorted([
        "timetable.csv", "timetable.xlsx", "rota.xlsx", *(f"sheet-{s}.pdf" for s in stems),
        *(f"route-{s}-wgs84.{e}" for s in stems for e in ("gpx", "kml", "geojson"))])
    assert len(plan.layer("routes")) == len(stems)


def test_same_plan_same_bytes(plan: Plan, files: dict[str, bytes]) -> None:
    again = render_exports(make_plan((DAY, NEXT)), lang="zh")
    assert {n for n in files if files[n] != again[n]} == set()


def test_only_the_teams_asked_for(plan: Plan) -> None:
    names = render_exports(plan, teams=["T2"])
    assert {n for n in names if "T1" in n or "T3" in n} == set()
    assert {row[1] for row in read_table(names["timetable.csv"])[1:]} == {"T2"}


# Phones


def test_gpx_rereads_with_names_times_and_the_whole_way(plan: Plan, trips: list[Trip],
                                                        files: dict[str, bytes]) -> None:
    for trip in trips:
        data = files[f"route-{trip.stem}-wgs84.gpx"]
        gpx = gpxpy.parse(data.decode())
        station, *stops = gpx.waypoints
        assert station.name == "中心警务站"
        assert station.time is None
        for visit, point in zip(trip.stops, stops, strict=True):
            assert point.name == f"{visit.number} · {visit.name}"
            local = pd.Timestamp(point.time).tz_convert("Etc/GMT-8")
            since = local.tz_localize(None) - pd.Timestamp(trip.day)
            assert since == pd.Timedelta(minutes=visit.arrive_min)
        (track,) = gpx.tracks
        assert track.name == f"{trip.team_id} · {trip.day} · {trip.shift}"
        assert track.length_2d() == pytest.approx(trip.line.length, rel=2e-3)
        waypoints = read_layer(data, "waypoints")
        assert waypoints["name"].tolist() == [p.name for p in gpx.waypoints]
        assert [pd.Timestamp(t) for t in waypoints["time"][1:]] == [
            pd.Timestamp(p.time) for p in stops]
        way = read_layer(data, "tracks").to_crs(plan.crs).geometry.iloc[0]
        assert way.hausdorff_distance(trip.line) < 0.05


def test_kml_and_geojson_reread_with_names_times_and_shapes(plan: Plan, trips: list[Trip],
                                                            files: dict[str, bytes]) -> None:
    for trip in trips:
        kml = read_layer(files[f"route-{trip.stem}-wgs84.kml"]).to_crs(plan.crs)
        plain = read_layer(files[f"route-{trip.stem}-wgs84.geojson"]).to_crs(plan.crs)
        for table, name in ((kml, "Name"), (plain, "name")):
            stops = table[table["kind"] == "stop"]
            assert stops[name].tolist() == [f"{v.number} · {v.name}" for v in trip.stops]
            assert stops["arrive"].tolist() == [write_clock(v.arrive_min) for v in trip.stops]
            begin = stops["begin"].dt.tz_convert("Etc/GMT-8").dt.tz_localize(None)
            assert (begin - pd.Timestamp(trip.day)).tolist() == [
                pd.Timedelta(minutes=v.arrive_min) for v in trip.stops]
            for shape, visit in zip(stops.geometry, trip.stops, strict=True):
                assert shape.distance(visit.shape) < 0.05
            streets = table[table["kind"] == "street"]
            assert len(streets) == len(trip.passes) > 0
            assert table.geometry.iloc[0].hausdorff_distance(trip.line) < 0.05


@pytest.mark.parametrize(("datum", "move"), [("gcj02", wgs84_to_gcj02), ("bd09", wgs84_to_bd09)])
def test_datum_shifts_every_coordinate_as_the_formula_says(
        plan: Plan, files: dict[str, bytes], datum: str, move: Any) -> None:
    shifted = render_exports(plan, datum=datum, lang="zh", teams=["T1"])
    geod, metres = pyproj.Geod(ellps="WGS84"), []
    for suffix in ("gpx", "kml", "geojson"):
        here = files[f"route-{DAY}-T1-wgs84.{suffix}"]
        there = shifted[f"route-{DAY}-T1-{datum}.{suffix}"]
        layers = ("waypoints", "tracks") if suffix == "gpx" else (0,)
        for layer in layers:
            before, after = (shapely.get_coordinates(read_layer(d, layer).geometry)
                             for d in (here, there))
            np.testing.assert_allclose(after, move(before), atol=3e-7, rtol=0)
            metres += geod.inv(*before.T, *after.T)[2].tolist()
    assert not [n for n in shifted if "wgs84" in n]
    assert min(metres) > 360
    if datum == "gcj02":
        assert max(metres) < 600
    assert json.loads(shifted[f"route-{DAY}-T1-{datum}.geojson"])["datum"] == datum
    title = {"gcj02": "GCJ-02", "bd09": "BD-09"}[datum]
    assert title in gpxpy.parse(shifted[f"route-{DAY}-T1-{datum}.gpx"].decode()).description


def test_numbered_days_give_no_false_dates(plan: Plan) -> None:
    numbered = change(plan, "routes", "day", ["D1"] * 3 + ["D2"] * 3)
    made = render_exports(numbered, lang="en")
    data = made["route-D1-T2-wgs84.gpx"].decode()
    assert "<time>" not in data
    assert "D2 01:" in data, "past midnight of day 1"
    assert not {"begin", "end"} & set(read_layer(made["route-D1-T2-wgs84.geojson"]).columns)


def test_clocks_of_another_place(plan: Plan) -> None:
    made = render_exports(plan, teams=["T1"], utc_offset_min=-210)
    first = gpxpy.parse(made[f"route-{DAY}-T1-wgs84.gpx"].decode()).waypoints[1]
    assert first.time.isoformat().endswith("-03:30")
    assert first.time.isoformat()[11:16] in first.description


# Tables


def test_timetable_past_midnight_prints_the_clock_and_the_next_date(
        plan: Plan, trips: list[Trip], files: dict[str, bytes]) -> None:
    assert files["timetable.csv"].startswith(b"\xef\xbb\xbf"), "else Excel garbles Chinese"
    head, *rows = read_table(files["timetable.csv"])
    assert len(head) == len(COLUMNS)
    assert head[:3] == ["排班日", "巡逻组", "班次"]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    visits = [(t, v) for t in trips for v in t.visits]
    assert len(table) == len(visits) == len(plan.layer("visits"))
    late = 0
    for row, (trip, visit) in zip(table.to_dict("records"), visits, strict=True):
        assert re.fullmatch("[0-2][0-9]:[0-5][0-9]", row["arrive"])
        moment = pd.Timestamp(f"{row['date']} {row['arrive']}")
        assert moment == pd.Timestamp(trip.day) + pd.Timedelta(minutes=visit.arrive_min)
        assert row["id"] == visit.key
        assert int(row["stay_min"]) == visit.depart_min - visit.arrive_min
        late += row["date"] != row["day"]
    assert late == sum(v.arrive_min >= DAY_MIN for _, v in visits) > 3


def test_workbook_tells_what_the_csv_tells(files: dict[str, bytes]) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(files["timetable.xlsx"]))
    rows = [[str(int(v)) if isinstance(v, float) else str(v) for v in row]
            for row in book.get_sheet_by_index(0).to_python()]
    assert rows == read_table(files["timetable.csv"])


def test_rota_has_every_team_on_every_day(plan: Plan) -> None:
    frame = plan.layer("routes")
    off = plan.with_layers(routes=frame[frame["route_id"] != "R00004"], visits=(
        plan.layer("visits")[plan.layer("visits")["route_id"] != "R00004"]))
    made = render_exports(off, lang="en")["rota.xlsx"]
    head, *rows = CalamineWorkbook.from_filelike(io.BytesIO(made)).get_sheet_by_index(0).to_python()
    assert head == ["Team", f"{DAY}\nworkday", f"{NEXT}\nworkday"]
    assert [r[0] for r in rows] == ["T1", "T2", "T3"]
    told = {(r[0], day): cell for r in rows for day, cell in zip((DAY, NEXT), r[1:], strict=True)}
    for team, day in itertools.product(("T1", "T2", "T3"), (DAY, NEXT)):
        row = frame[(frame["team_id"] == team) & (frame["day"] == day)].iloc[0]
        if row["route_id"] == "R00004":
            assert told[team, day] == "off"
        else:
            assert told[team, day].startswith(f"{row['shift']}\nCrew ")
            assert f"{row['distance_m'] / 1000:.1f} km · 6 stops" in told[team, day]


# Route sheets


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_sheet_tells_zone_stops_bands_totals_and_turns(plan: Plan, trips: list[Trip],
                                                       lang: str) -> None:
    made = render_exports(plan, lang=lang)
    for trip in trips:
        text = texts_of(made[f"sheet-{trip.stem}.pdf"])
        lines = text.split("\n")
        assert trip.team_id in lines
        assert "城东中队" in text
        for visit in trip.stops:
            assert visit.name in lines
            band = write_band(visit.arrive_min)
            day = name_day(trip.day, visit.arrive_min)
            assert (band if day == trip.day else f"{band} ({day[5:]})") in lines
        words = {"zh": ("交接班", "交班人", "接班人", "完成", "备注", "逐向指引", "合计"),
                 "en": ("Hand-over", "Handed over by", "Taken over by", "Done", "Notes",
                        "Turn by turn", "Totals")}[lang]
        assert set(words) <= set(lines)
        assert f"{trip.distance_m / 1000:.1f}" in text
        assert pages_of(made[f"sheet-{trip.stem}.pdf"]) == 2


def test_many_stops_stay_readable_and_none_is_lost() -> None:
    plan = make_plan((DAY,), teams=1, stops=45)
    made = render_exports(plan, lang="en")[f"sheet-{DAY}-T1.pdf"]
    lines = texts_of(made).split("\n")
    for n in range(1, 46):
        # In the table and in the guide.
        assert sum(line == f"{GATE}{n}" or line.startswith(f"{GATE}{n} ·") for line in lines) == 2
    assert 3 <= pages_of(made) <= 6


def test_a_plan_with_routes_alone_is_enough(plan: Plan) -> None:
    bare = Plan({n: plan.layer(n) for n in ("routes", "visits", "stops", "required")}, plan.crs)
    made = render_exports(bare, lang="en")
    text = texts_of(made[f"sheet-{DAY}-T1.pdf"])
    assert "End of the route" in text
    assert "way off the roads" in text


def test_a_line_on_a_map_is_not_joined_to_its_own_start() -> None:
    with cut_font(["x"]) as face:
        page = Page(face, "x", "en")
        canvas = Canvas(page.pdf, face, Box(10, 10, 100, 100), (0, 0, 100, 100))
        canvas.draw(np.array([shapely.LineString([(0, 0), (50, 0), (50, 50)])]), line=INK)
        drawn = b"".join(streams(page.close())).split()
    assert b"S" in drawn
    assert not {b"s", b"h"} & set(drawn)


# Turns


def town(**streets: list[tuple[float, float]]) -> Streets:
    return Streets(gpd.GeoDataFrame(
        {"road_id": list(streets), "name": [n.partition("_")[0] for n in streets]},
        geometry=[shapely.LineString(c) for c in streets.values()]))


CROSS = {"West": [(-100, 0), (0, 0)], "East": [(0, 0), (100, 0)], "North": [(0, 0), (0, 100)],
         "South": [(0, -100), (0, 0)], "Slope": [(0, 0), (80, 70)]}


@pytest.mark.parametrize(("goal", "turn", "street"), [
    ((100, 0), "straight", "East"), ((0, 100), "left", "North"), ((0, -100), "right", "South"),
    ((80, 70), "bear_left", "Slope"), ((-100, 0), "back", "West")])
def test_turns_at_a_crossing(goal: tuple[float, float], turn: str, street: str) -> None:
    legs = list_legs(shapely.LineString([(-100, 0), (0, 0), goal]), town(**CROSS))
    assert [(leg.turn, leg.street) for leg in legs] == [("start", "West"), (turn, street)]
    assert legs[0].compass == 2
    assert [round(leg.length_m) for leg in legs] == [100, round(np.hypot(*goal))]


def test_a_bend_of_one_street_and_its_pieces_are_no_turn() -> None:
    streets = town(Ring_1=[(0, 0), (100, 0), (100, 50)], Ring_2=[(100, 50), (100, 120)])
    legs = list_legs(shapely.LineString([(0, 0), (100, 0), (100, 50), (100, 120)]), streets)
    assert [(leg.turn, leg.street, leg.length_m) for leg in legs] == [("start", "Ring", 220.0)]


def test_a_street_goes_on_behind_a_stretch_too_short_to_tell() -> None:
    streets = town(Ring_1=[(0, 0), (100, 0)], Alley=[(100, 0), (105, 0)],
                   Ring_2=[(105, 0), (200, 0)])
    legs = list_legs(shapely.LineString([(0, 0), (100, 0), (105, 0), (200, 0)]), streets)
    assert [(leg.turn, leg.street, leg.length_m) for leg in legs] == [("start", "Ring", 200.0)]


def test_unnamed_streets_are_told_by_their_turns() -> None:
    streets = town(_1=[(0, 0), (60, 0)], _2=[(60, 0), (60, 90)])
    legs = list_legs(shapely.LineString([(0, 0), (60, 0), (60, 90)]), streets)
    assert [(leg.turn, leg.street, leg.road) for leg in legs] == [
        ("start", "", True), ("left", "", True)]


STEPS = st.lists(st.sampled_from([(1, 0), (-1, 0), (0, 1), (0, -1)]), min_size=1, max_size=25)
LATTICE = Streets(gpd.GeoDataFrame(
    {"road_id": [f"r{k:02d}" for k in range(102)],
     "name": [f"Row {k}" for k in range(51)] + [f"Line {k}" for k in range(51)]},
    geometry=[shapely.LineString([(-2500, 100 * k - 2500), (2500, 100 * k - 2500)])
              for k in range(51)]
    + [shapely.LineString([(100 * k - 2500, -2500), (100 * k - 2500, 2500)])
       for k in range(51)]))


@given(STEPS)
def test_legs_cover_a_walk_and_turn_as_it_turns(steps: list[tuple[int, int]]) -> None:
    """On a lattice every change of direction is a turn to the left, right or back, no other is."""
    xy = np.cumsum([(0, 0), *steps], axis=0) * 100.0
    legs = list_legs(shapely.LineString(xy), LATTICE)
    assert legs[0].at_m == 0
    assert sum(leg.length_m for leg in legs) == pytest.approx(100 * len(steps))
    for a, b in itertools.pairwise(legs):
        assert b.at_m == pytest.approx(a.end_m)
    expected = []
    for (a, b), (c, d) in itertools.pairwise(steps):
        side = a * d - b * c
        if side or (a, b) != (c, d):
            expected.append("left" if side > 0 else "right" if side < 0 else "back")
    assert [leg.turn for leg in legs[1:]] == expected


@given(STEPS)
def test_a_mirrored_walk_turns_the_other_way(steps: list[tuple[int, int]]) -> None:
    xy = np.cumsum([(0, 0), *steps], axis=0) * 100.0
    swap = {"left": "right", "right": "left"}
    ways = [[leg.turn for leg in list_legs(shapely.LineString(xy * s), LATTICE)]
            for s in ((1, 1), (-1, 1))]
    assert [swap.get(t, t) for t in ways[0]] == ways[1]


def test_legs_of_the_town_s_routes_lie_on_their_streets(plan: Plan, trips: list[Trip]) -> None:
    roads = plan.layer("roads")
    streets = Streets(roads)
    for trip in trips:
        legs = list_legs(trip.line, streets)
        assert sum(leg.length_m for leg in legs) == pytest.approx(trip.line.length)
        for leg in legs:
            middle = trip.line.interpolate(leg.at_m + leg.length_m / 2)
            mine = roads[roads["name"].fillna("") == leg.street]
            assert leg.road
            assert mine.distance(middle).min() < 3.0, leg


# Where visits lie along a route


def test_visits_lie_in_order_and_at_their_places(trips: list[Trip]) -> None:
    for trip in trips:
        where = place_visits(trip)
        assert (np.diff(where) >= -1e-6).all()
        for visit, at_m in zip(trip.visits, where, strict=True):
            if visit.kind == "stop":
                assert trip.line.interpolate(at_m).distance(visit.shape) < 0.1


def test_a_stop_that_is_passed_twice_is_placed_by_the_clock(trips: list[Trip]) -> None:
    line = shapely.LineString([(0, 0), (1000, 0), (0, 0)])
    first = trips[0].stops[0]
    for minute, metres in ((2, 200.0), (18, 1800.0)):
        visits = [dataclasses.replace(first, shape=shapely.Point(0, 0), arrive_min=0, depart_min=0),
                  dataclasses.replace(first, shape=shapely.Point(200, 3), arrive_min=minute,
                                      depart_min=minute)]
        trip = dataclasses.replace(trips[0], line=line, visits=tuple(visits), duration_min=20)
        assert place_visits(trip).tolist() == [0.0, metres]


@given(st.integers(0, 8), st.integers(0, 6))
def test_passes_by_a_corner_are_counted_once(x: int, y: int) -> None:
    xy = np.array([(0, 0), (400, 0), (400, 300), (0, 300)], dtype=float)
    point = shapely.Point(x * 50, y * 50)
    line = shapely.LineString(xy)
    near = line.distance(point)
    for at_m in list_passes(xy, point):
        assert line.interpolate(at_m).distance(point) <= near + 12.0


# Times and names


@given(st.integers(0, 2 * DAY_MIN - 1))
def test_times_read_back(minutes: int) -> None:
    told = f"{minutes // 60:02d}:{minutes % 60:02d}"
    assert read_time(told) == minutes
    assert read_time(write_clock(minutes)) == minutes % DAY_MIN
    start, end = (read_time(t) for t in write_band(minutes).split("–"))
    assert start % 15 == 0
    assert start <= minutes % DAY_MIN < (end or DAY_MIN)
    assert name_day("D3", minutes) == f"D{3 + minutes // DAY_MIN}"


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=12))
def test_file_names_are_plain_and_each_is_used_once(pairs: list[tuple[str, str]]) -> None:
    stems = name_stems(pairs)
    assert len({s.lower() for s in stems}) == len(pairs)
    assert all(re.fullmatch("[A-Za-z0-9_\u4e00-\u9fff-]+", s) for s in stems)


@given(st.text(max_size=30))
def test_cells_and_lines_are_harmless(text: str) -> None:
    line = tame(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f<>\u202a-\u202e\u2066-\u2069]", line)
    assert not guard_cell(line).lstrip(" ").startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))


def hostile(plan: Plan) -> Plan:
    """The plan with hostile texts wherever a plan holds text that exports show."""
    for layer, column in (("stops", "name"), ("roads", "name"), ("zones", "name"),
                          ("stations", "name"), ("teams", "crew"), ("calendar", "crew")):
        rows = len(plan.layer(layer))
        plan = change(plan, layer, column, [EVIL[k % len(EVIL)] for k in range(rows)])
    teams = dict(zip(("T1", "T2", "T3"), EVIL[:3], strict=True))
    for layer in ("teams", "routes", "calendar"):
        plan = change(plan, layer, "team_id", plan.layer(layer)["team_id"].map(teams))
    days = {DAY: "=1+1", NEXT: "../day"}
    return change(plan, "routes", "day", plan.layer("routes")["day"].map(days))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_hostile_names_do_no_harm(plan: Plan, tmp_path: Path, lang: str) -> None:
    made = render_exports(hostile(plan), lang=lang)
    assert all(re.fullmatch(r"[\w.-]+", name) and ".." not in name for name in made)
    write_exports(hostile(plan), tmp_path / "out", lang=lang)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    for row in read_table(made["timetable.csv"]):
        assert not any(c.startswith(("=", "+", "-", "@")) for c in row)
    for name, data in made.items():
        if name.endswith((".gpx", ".kml", ".geojson")):
            text = data.decode()
            assert "<script" not in text
            assert "&lt;script" not in text
            assert "\u202e" not in text
        if name.endswith(".gpx"):
            names = [p.name for p in gpxpy.parse(data.decode()).waypoints]
            assert any("‹script›" in n for n in names) or any("🚓" in n for n in names)
        if name.endswith(".kml"):
            assert len(read_layer(data)) > 6
        if name.endswith(".xlsx"):
            assert b"<f>" not in b"".join(streams_of(data))


def streams_of(book: bytes) -> list[bytes]:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(book)) as packed:
        return [packed.read(n) for n in packed.namelist()]


# Privacy


def test_no_phone_and_no_person_in_any_file(plan: Plan) -> None:
    """Own columns of a planner stay in the plan; a number in a name is blotted out, and told."""
    person, identity = "欧阳无双", "11010519491231002X"
    named = change(plan, "stops", "name", f"{GATE} {PHONE}")
    named = change(named, "stations", "name", f"岗 {identity}")
    teams = named.layer("teams").assign(leader=person, phone=PHONE)
    stops = named.layer("stops").assign(contact=person)
    visits = named.layer("visits").assign(remark=person)
    visits.loc[0, "instruction"] = person
    findings = Findings()
    made = render_exports(named.with_layers(teams=teams, stops=stops, visits=visits), lang="zh",
                          findings=findings)
    data = every_byte(made) + b"".join(texts_of(d).encode() for n, d in made.items()
                                       if n.endswith(".pdf"))
    for text in (person, PHONE, identity):
        assert text.encode() not in data
        assert text.encode("utf-16-be") not in data
    assert GATE.encode() in data
    assert [f.key for f in findings.items] == ["export.hidden"]


# Bad input


def test_a_plan_without_routes_says_to_run_patrol(plan: Plan) -> None:
    bare = Plan({"roads": plan.layer("roads")}, plan.crs)
    with pytest.raises(InputError) as refused:
        render_exports(bare)
    (finding,) = refused.value.findings
    assert finding.key == "export.no_routes"
    assert "gridplan patrol" in finding.mend("en")
    assert "gridplan patrol" in finding.mend("zh")


def test_all_faults_of_visits_come_at_once_with_their_rows(plan: Plan) -> None:
    visits = plan.layer("visits").copy()
    ids = visits["visit_id"].tolist()
    visits.loc[0, "arrive"] = "8 Uhr"
    visits.loc[1, "depart"] = "00:00"
    visits.loc[2, "route_id"] = "R9"
    visits.loc[3, "stop_id"], visits.loc[3, "required_id"] = "S9999", pd.NA
    visits.loc[4, "order"] = visits.loc[5, "order"]
    both = int(np.flatnonzero(visits["stop_id"].notna())[4])
    visits.loc[both, "required_id"] = "Q0001"
    with pytest.raises(InputError) as refused:
        render_exports(plan.with_layers(visits=visits), teams=["T9"])
    found = {(f.key, f.row, f.field) for f in refused.value.findings}
    assert found == {
        ("export.unknown_team", "", "--teams"), ("export.bad_time", ids[0], "arrive"),
        ("export.ends_early", ids[1], "depart"), ("export.unknown_id", ids[2], "route_id"),
        ("export.unknown_id", ids[3], "stop_id"), ("export.same_order", ids[5], "order"),
        ("export.two_things", ids[both], "stop_id")}


def test_unknown_datum_and_language(plan: Plan) -> None:
    with pytest.raises(UsageError) as refused:
        render_exports(plan, datum="ed50", lang="fr")
    assert [f.key for f in refused.value.findings] == ["export.datum", "export.lang"]


# The verb


@pytest.fixture(scope="module")
def plan_file(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "plan.gpkg"
    write_plan(plan, path)
    return path


def test_the_verb_writes_what_the_function_renders(plan_file: Path, tmp_path: Path,
                                                   files: dict[str, bytes]) -> None:
    for lang in ("en", "zh"):
        result = gridplan("export", plan_file, "-o", tmp_path / "out", "--lang", lang)
        assert result.exit_code == 0, result.output
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == files
    assert all(is_export_file(p) for p in (tmp_path / "out").iterdir())


def test_the_verb_spares_files_that_are_not_its_own(plan_file: Path, tmp_path: Path) -> None:
    names = [f"sheet-{DAY}-T1.pdf", "timetable.csv", f"route-{DAY}-T1-gcj02.gpx"]
    for name in names:
        (tmp_path / name).write_bytes(b"mine")
    result = gridplan("export", plan_file, "-o", tmp_path, "--datum", "gcj02", "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert {f["file"] for f in told["findings"]} == set(names)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert gridplan("export", plan_file, "-o", tmp_path, "--force").exit_code == 0


def test_the_verb_warns_of_sheets_of_an_earlier_plan(plan_file: Path, plan: Plan,
                                                     tmp_path: Path) -> None:
    assert gridplan("export", plan_file, "-o", tmp_path / "out").exit_code == 0
    frame, visits = plan.layer("routes"), plan.layer("visits")
    write_plan(plan.with_layers(routes=frame[frame["team_id"] != "T3"], visits=visits[
        visits["route_id"].isin(frame[frame["team_id"] != "T3"]["route_id"])]),
        tmp_path / "two.gpkg")
    result = gridplan("export", tmp_path / "two.gpkg", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert "export.left_over" in result.stderr
    assert f"sheet-{DAY}-T3.pdf" in result.stderr
    assert "T1" not in result.stderr


@pytest.mark.parametrize(("words", "code", "key"), [
    (("--utc-offset", "8"), 2, "export.utc_offset"), (("--teams", "T9"), 3, "export.unknown_team"),
    (("--utc-offset", "-03:30", "--teams", "T1", "--dry-run"), 0, "")])
def test_the_verb_s_options(plan_file: Path, tmp_path: Path, words: tuple[str, ...], code: int,
                            key: str) -> None:
    result = gridplan("export", plan_file, "-o", tmp_path / "out", *words)
    assert result.exit_code == code, result.output
    assert key in result.stderr
    assert not (tmp_path / "out").exists()
