"""Done against planned: simulated weeks give back exactly the faults put in, and no person."""

from __future__ import annotations

import csv
import itertools
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from routes import make_plan
from test_cli import gridplan
from tracks import (
    Faults,
    Fixes,
    can_skip,
    gpx_of,
    simulate,
    trips_of,
    write_week,
)
from xlsxwriter import Workbook

from gridplan.check import check_plan
from gridplan.errors import Findings, InputError, UsageError
from gridplan.export import render_exports
from gridplan.export.trips import Trip
from gridplan.layers import conform
from gridplan.log import Logged, LogRequest, LogRules, log_files, put_log
from gridplan.log.fixes import Strand, drop_jumps, join_strands
from gridplan.log.passes import measure_passes
from gridplan.log.planned import Visit
from gridplan.log.stays import CheckIn, match_stops
from gridplan.log.streets import open_streets
from gridplan.log.times import read_clock, read_stamp, write_clock
from gridplan.params import NetworkParams, Params, PartitionParams
from gridplan.pipeline import plan_city
from gridplan.plan import Plan, read_plan, write_plan
from gridplan.plan.log import LOG_FIGURES, forget_log
from gridplan.town import build_town

ROOT = Path(__file__).parents[1]
DONE = Faults()
WEEK = tuple(f"2026-12-{7 + k:02d}" for k in range(7))
PERSON, PHONE, DEVICE = "欧阳无双", "13812345678", "Wushuang's Phone 15"


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three teams of e-bikes for a week, on a town of one community."""
    return make_plan(WEEK)


@pytest.fixture(scope="module")
def trips(plan: Plan) -> dict[str, Trip]:
    return {t.route_id: t for t in trips_of(plan)}


def log(plan: Plan, *files: Path, findings: Findings | None = None, **asked: Any) -> Logged:
    rules = asked.pop("rules", None)
    return log_files(plan, LogRequest(tuple(files), **asked), Params(),
                     Findings() if findings is None else findings, rules)


def refusal(plan: Plan, *files: Path, **asked: Any) -> list[Any]:
    with pytest.raises(InputError) as refused:
        log(plan, *files, **asked)
    return list(refused.value.findings)


def missed(logged: Logged) -> list[str]:
    return logged.rows["visit_id"][~logged.rows["done"].astype(bool)].tolist()


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def put_track(plan: Plan, folder: Path, trip: Trip, name: str = "", faults: Faults = DONE,
              **how: Any) -> Path:
    seed = how.pop("seed", 3)
    fixes = simulate(plan, trip, faults, seed=seed)
    return write(folder, name or f"route-{trip.stem}-wgs84.gpx", gpx_of(plan, trip, fixes, **how))


# ---- a simulated week ----------------------------------------------------------------------

def pick_faults(plan: Plan, trips: dict[str, Trip], draw: random.Random
                ) -> tuple[dict[str, Faults], list[str], str]:
    """One stop not made, one street gone round, one team late on one day: by route."""
    stops = [(r, v.visit_id) for r, t in trips.items() for v, after in itertools.pairwise(t.visits)
             if v.kind == "stop" and after.kind != "break" and _is_far(v, t)]
    streets = [(r, v) for r, t in trips.items() for v in t.passes
               if v.shape.length >= 60 and can_skip(plan, t, v.key)]
    stop_route, stop = draw.choice(stops)
    street_route, street = draw.choice([s for s in streets if s[0] != stop_route])
    late = draw.choice([r for r in trips if r not in (stop_route, street_route)])
    faults = {stop_route: Faults(missed=(stop,)), street_route: Faults(skipped=(street.key,)),
              late: Faults(late_min=25.0)}
    return faults, [stop, street.visit_id], late


def _is_far(visit: Any, trip: Trip) -> bool:
    """Tell whether a stop is far from where the team waits, and not at the end of a short stub."""
    others = [v.shape for v in trip.stops if v.visit_id != visit.visit_id] + [trip.station]
    near = [v for v in trip.passes if v.shape.distance(visit.shape) < 1 and v.shape.length < 60]
    return min(visit.shape.distance(o) for o in others) > 90 and not near


def late_minutes(plan: Plan, logged: Logged) -> pd.Series:
    """Median lateness of each route, from the rows."""
    visits = plan.layer("visits").set_index("visit_id")
    rows = logged.rows[logged.rows["arrived"] != ""]
    off = [read_clock(a) - read_clock(visits.loc[v, "arrive"])  # type: ignore[operator]
           for v, a in zip(rows["visit_id"], rows["arrived"], strict=True)]
    return pd.Series(off).groupby(visits.loc[rows["visit_id"], "route_id"].to_numpy()).median()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_simulated_week_gives_back_exactly_its_faults(plan: Plan, trips: dict[str, Trip],
                                                        tmp_path: Path, seed: int) -> None:
    faults, wanted, late = pick_faults(plan, trips, random.Random(seed))
    findings = Findings()
    logged = log(plan, *write_week(plan, tmp_path / "week", faults, seed), findings=findings)
    assert sorted(missed(logged)) == sorted(wanted)
    off = late_minutes(plan, logged)
    assert set(off.index[off > 10]) == {late}
    assert 22 <= off[late] <= 27
    assert off.drop(late).abs().max() <= 3
    planned = plan.layer("visits")
    planned = planned[planned["stop_id"].notna() | planned["required_id"].notna()]
    assert sorted(logged.rows["visit_id"]) == sorted(planned["visit_id"])
    assert {(f.key, f.values["team"]) for f in findings.items} <= {
        ("log.gap", trips[late].team_id)}, "its device was switched on late"


def test_a_week_without_faults_is_done(plan: Plan, tmp_path: Path) -> None:
    logged = log(plan, tmp_path / "week") if write_week(plan, tmp_path / "week", {}) else None
    assert logged is not None
    assert missed(logged) == []
    done = put_log(plan, logged, Findings())
    assert done.figure("done_stop_share") == done.figure("done_pass_share") == 1.0
    assert done.figure("missed_stops") == done.figure("late_share") == 0.0
    assert done.figure("logged_share") == 1.0


def test_same_tracks_same_rows_in_any_order(plan: Plan, trips: dict[str, Trip],
                                            tmp_path: Path) -> None:
    files = [put_track(plan, tmp_path, t) for t in list(trips.values())[:3]]
    a, b = log(plan, *files), log(plan, *files[::-1])
    pd.testing.assert_frame_equal(a.rows, b.rows)
    assert a.digest == b.digest


# ---- parallel streets ----------------------------------------------------------------------

def ladder(apart_m: float, length_m: float = 400.0) -> gpd.GeoDataFrame:
    """Two parallel streets, joined at both ends and in the middle, and the way to them."""
    half = length_m / 2
    lines = {"south": [(0, 0), (half, 0), (length_m, 0)],
             "north": [(0, apart_m), (half, apart_m), (length_m, apart_m)],
             "west": [(0, 0), (0, apart_m)], "middle": [(half, 0), (half, apart_m)],
             "east": [(length_m, 0), (length_m, apart_m)], "in": [(-200, 0), (0, 0)],
             "out": [(length_m, 0), (length_m + 200, 0)]}
    return gpd.GeoDataFrame({"road_id": list(lines), "road_class": "residential"},
                            geometry=[shapely.LineString(c) for c in lines.values()], crs=4549)


def walk(*places: tuple[float, float], speed: float, seed: int, noise_m: float = 8.0,
         every_s: float = 10.0) -> Strand:
    line = shapely.LineString(places)
    clock = np.arange(0.0, line.length / speed + every_s, every_s)
    xy = shapely.get_coordinates(shapely.line_interpolate_point(line, clock * speed))
    draw = np.random.default_rng(seed)
    return Strand(xy + draw.normal(0, noise_m / np.sqrt(2), xy.shape), clock)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([1.2, 4.0, 7.0]), st.booleans())
def test_a_skipped_street_beside_a_passed_one_is_not_taken_for_it(seed: int, speed: float,
                                                                  north: bool) -> None:
    roads = ladder(20.0)
    streets = open_streets(roads, "ebike", None, NetworkParams(), 10.0)
    y = 20.0 if north else 0.0
    strand = walk((-150, 0), (0, 0), (0, y), (400, y), (400, 0), (550, 0), speed=speed, seed=seed)
    lines = roads.set_index("road_id").geometry
    south, upper = measure_passes(streets, [lines["south"], lines["north"]], [strand], 20.0)
    passed, skipped = (upper, south) if north else (south, upper)
    assert passed.metres(1) >= 0.8 * 400
    assert skipped.metres(1) <= 0.2 * 400
    assert passed.metres(2) <= 0.2 * 400


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_so_many_passes_so_many_metres(seed: int, times: int) -> None:
    """There and back are two; nth metres never grow with n, and stay within the length."""
    roads = ladder(60.0)
    streets = open_streets(roads, "foot", None, NetworkParams(), 10.0)
    ends = [(0.0, 0.0), (400.0, 0.0)] * 3
    strand = walk((-150, 0), *ends[:times + 1], speed=1.2, seed=seed)
    (south,) = measure_passes(streets, [roads.geometry.iloc[0]], [strand], 20.0)
    metres = [south.metres(n) for n in range(1, 7)]
    assert metres == sorted(metres, reverse=True)
    assert metres[0] <= 400.0 + 1e-6
    assert metres[times - 1] >= 0.8 * 400
    assert metres[times] <= 0.2 * 400


def test_who_walks_on_the_pavement_passes_the_street() -> None:
    roads = ladder(60.0)
    pavement = gpd.GeoDataFrame({"road_id": ["p"], "road_class": ["footway"]}, crs=4549,
                                geometry=[shapely.LineString([(0, 9), (400, 9)])])
    joined = gpd.GeoDataFrame(pd.concat([roads, pavement], ignore_index=True), crs=4549)
    streets = open_streets(joined, "foot", None, NetworkParams(), 10.0)
    (south,) = measure_passes(streets, [roads.geometry.iloc[0]], [
        walk((0, 9), (400, 9), speed=1.2, seed=4)], 20.0)
    assert south.metres(1) >= 0.8 * 400


def test_two_devices_of_a_team_are_one_pass_and_two_tracks_in_turn_are_two() -> None:
    roads = ladder(60.0)
    streets = open_streets(roads, "foot", None, NetworkParams(), 10.0)
    one, other = (walk((-100, 0), (500, 0), speed=1.2, seed=s) for s in (1, 2))
    later = Strand(other.xy, other.clock_s + 7200.0)
    for strands, most in (([one, other], 1), ([one, later], 2)):
        (south,) = measure_passes(streets, [roads.geometry.iloc[0]], join_strands(strands), 20.0)
        assert south.metres(most) >= 0.8 * 400
        assert south.metres(most + 1) <= 0.2 * 400


def test_a_gap_is_no_evidence() -> None:
    roads = ladder(60.0)
    streets = open_streets(roads, "foot", None, NetworkParams(), 10.0)
    strand = walk((-150, 0), (550, 0), speed=1.2, seed=1)
    silent = (strand.xy[:, 0] > 10) & (strand.xy[:, 0] < 390)
    (south,) = measure_passes(streets, [roads.geometry.iloc[0]], [
        Strand(strand.xy[~silent], strand.clock_s[~silent])], 20.0)
    assert south.metres(1) <= 0.2 * 400


# ---- stops ---------------------------------------------------------------------------------

def stop(visit_id: str, key: str, x: float, arrive_min: float, service_min: float = 10.0
         ) -> Visit:
    return Visit(visit_id, "stop", key, key, shapely.Point(x, 0), arrive_min, service_min)


def stand(x: float, begin_min: float, minutes: float, seed: int = 0) -> Strand:
    """Come along a street from the west, stand, and go on to the east."""
    draw = np.random.default_rng(seed)
    clock = np.arange(-300.0, minutes * 60 + 300.0, 10.0)
    at = x + np.where(clock < 0, clock, np.maximum(clock - minutes * 60, 0.0)) * 2.0
    xy = np.column_stack([at, np.zeros(len(at))])
    return Strand(xy + draw.normal(0, 5.6, xy.shape), clock + begin_min * 60)


@pytest.mark.parametrize(("minutes", "done"), [(0.0, False), (3.0, False), (7.0, True),
                                               (12.0, True)])
def test_a_stop_wants_half_its_service_time(minutes: float, done: bool) -> None:
    (found,) = match_stops([stop("v1", "S1", 0.0, 480.0)], [stand(0.0, 480.0, minutes)], [],
                           LogRules())
    assert found.done is done


def test_a_stop_without_service_time_is_done_in_passing() -> None:
    car = Strand(np.column_stack([np.arange(-600.0, 700.0, 130.0), np.full(10, 12.0)]),
                 np.arange(10) * 10.0)
    (found,) = match_stops([stop("v1", "S1", 0.0, 0.0, 0.0)], [car], [], LogRules())
    assert found.done
    assert found.arrived_min == pytest.approx(0.73, abs=0.1)


def test_a_stop_beside_a_visited_one_is_missed() -> None:
    visits = [stop("v1", "S1", 0.0, 480.0), stop("v2", "S2", 35.0, 495.0)]
    found = match_stops(visits, [stand(0.0, 480.0, 12.0)], [], LogRules())
    assert [f.done for f in found] == [True, False]


@pytest.mark.parametrize(("minutes", "done"), [(6.0, 1), (12.0, 2)])
def test_stops_in_one_place_share_the_time(minutes: float, done: int) -> None:
    visits = [stop("v1", "S1", 0.0, 480.0), stop("v2", "S2", 4.0, 490.0)]
    found = match_stops(visits, [stand(2.0, 480.0, minutes)], [], LogRules())
    assert sum(f.done for f in found) == done


def test_one_stay_is_one_visit_of_a_stop_the_one_nearest_in_time() -> None:
    visits = [stop("v1", "S1", 0.0, 480.0), stop("v2", "S1", 0.0, 720.0)]
    found = match_stops(visits, [stand(0.0, 700.0, 40.0)], [], LogRules())
    assert [f.done for f in found] == [False, True]
    assert found[1].arrived_min == 720.0, "who came early and waited was there in time"


def test_who_leaves_before_the_time_was_early() -> None:
    (found,) = match_stops([stop("v1", "S1", 0.0, 720.0)], [stand(0.0, 700.0, 15.0)], [],
                           LogRules())
    assert found.done
    assert found.arrived_min == pytest.approx(700.0, abs=1.0)


def test_a_stay_through_two_planned_times_is_two_visits() -> None:
    visits = [stop("v1", "S1", 0.0, 480.0), stop("v2", "S1", 0.0, 600.0)]
    found = match_stops(visits, [stand(0.0, 480.0, 132.0)], [], LogRules())
    assert [f.done for f in found] == [True, True]
    assert found[1].arrived_min == pytest.approx(600.0)


def test_a_device_that_falls_silent_while_it_stands_still_stays() -> None:
    strand = stand(0.0, 480.0, 12.0)
    still = (strand.clock_s > 480 * 60 + 20) & (strand.clock_s < 491 * 60)
    (found,) = match_stops([stop("v1", "S1", 0.0, 480.0)], [
        Strand(strand.xy[~still], strand.clock_s[~still])], [], LogRules())
    assert found.done


def test_a_check_in_makes_a_visit_and_not_two() -> None:
    visits = [stop("v1", "S1", 0.0, 480.0), stop("v2", "S1", 0.0, 720.0)]
    told = CheckIn("S1", 483 * 60.0)
    found = match_stops(visits, [stand(0.0, 482.0, 12.0)], [told], LogRules())
    assert [f.done for f in found] == [True, False]
    assert match_stops(visits, [], [told], LogRules())[0].arrived_min == 483.0


@given(st.floats(200, 5000), st.integers(2, 30), st.integers(1, 3))
def test_fixes_that_jump_are_left_out(far_m: float, at: int, many: int) -> None:
    line = np.column_stack([np.arange(40) * 12.0, np.zeros(40)])
    wild = line.copy()
    wild[at:at + many, 1] = far_m + np.arange(many) * 400.0
    kept = drop_jumps(Strand(wild, np.arange(40) * 10.0), "foot")
    assert len(kept) == 40 - many
    assert kept.xy[:, 1].max() == 0.0


# ---- whose and when ------------------------------------------------------------------------

def test_a_whole_week_in_one_file_is_cut_into_its_shifts(plan: Plan, trips: dict[str, Trip],
                                                         tmp_path: Path) -> None:
    """T2's shift runs across midnight; no name tells the day."""
    own = [t for t in trips.values() if t.team_id == "T2"]
    texts = [gpx_of(plan, t, simulate(plan, t, seed=k)) for k, t in enumerate(own)]
    parts = [text[text.index("<trk>"):text.index("</gpx>")] for text in texts]
    whole = texts[0][:texts[0].index("<trk>")] + "".join(parts[::-1]) + "</gpx>"
    logged = log(plan, write(tmp_path, "T2 phone.gpx", whole))
    assert missed(logged) == []
    assert {t.route_id for t in logged.trips} == {t.route_id for t in own}


def numbered(plan: Plan) -> Plan:
    """The plan with days D1 to D7."""
    names = {day: f"D{k + 1}" for k, day in enumerate(WEEK)}
    return plan.with_layers(routes=plan.layer("routes").assign(
        day=plan.layer("routes")["day"].map(names)))


def test_numbered_days_come_from_names_and_options(plan: Plan, tmp_path: Path) -> None:
    held = numbered(plan)
    own = [t for t in trips_of(held) if t.team_id == "T2" and t.day in ("D2", "D3")]
    files = [put_track(held, tmp_path, t) for t in own]
    logged = log(held, *files)
    assert sorted({(t.team_id, t.day) for t in logged.trips}) == [("T2", "D2"), ("T2", "D3")]
    assert missed(logged) == []
    bare = put_track(held, tmp_path, own[0], "20261208.gpx")
    assert [f.key for f in refusal(held, bare)] == ["log.no_team"]
    assert [f.key for f in refusal(held, bare, team="T2")] == ["log.no_day"]
    assert missed(log(held, bare, team="T2", day="D2")) == []


def test_a_table_says_whose_tracks_are(plan: Plan, trips: dict[str, Trip], tmp_path: Path) -> None:
    trip = trips["R00003"]
    track = put_track(plan, tmp_path, trip, "2f8a.gpx")
    who = write(tmp_path, "who.csv", f"文件,巡组,日期\n2f8a.gpx,{trip.team_id},{trip.day}\n")
    assert [t.route_id for t in log(plan, track, who=who).trips] == ["R00003"]
    wrong = write(tmp_path, "wrong.csv", "file,team,day\n2f8a.gpx,T9,D9\n")
    assert sorted({f.key for f in refusal(plan, track, who=wrong)}) == [
        "log.no_team", "log.unknown_day", "log.unknown_team"]


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_shifted_coordinates_are_moved_back(plan: Plan, trips: dict[str, Trip], tmp_path: Path,
                                            datum: str) -> None:
    trip = trips["R00001"]
    named = put_track(plan, tmp_path, trip, f"route-{trip.stem}-{datum}.gpx", datum=datum)
    assert missed(log(plan, named)) == []
    plain = put_track(plan, tmp_path, trip, "T1.gpx", datum=datum)
    (fault,) = refusal(plan, plain)
    assert (fault.key, fault.values["fits"]) == ("log.datum", datum)
    assert missed(log(plan, plain, datum=datum)) == []


def test_another_time_zone_and_its_fault(plan: Plan, trips: dict[str, Trip], tmp_path: Path
                                         ) -> None:
    track = put_track(plan, tmp_path, trips["R00001"])
    (fault,) = refusal(plan, track, utc_offset_min=-600)
    assert fault.key == "log.outside_shifts"
    assert "--utc-offset" in fault.mend("en")


def test_a_track_without_times_tells_only_where(plan: Plan, trips: dict[str, Trip],
                                                tmp_path: Path) -> None:
    findings = Findings()
    trip = trips["R00001"]
    logged = log(plan, put_track(plan, tmp_path, trip, timed=False), findings=findings)
    assert [f.key for f in findings.of("warning")] == ["log.no_times"]
    assert missed(logged) == []
    assert set(logged.rows["arrived"]) == {""}
    done = put_log(plan, logged, Findings())
    assert done.figure("late_min") is None


def test_geojson_and_kml_tracks(plan: Plan, trips: dict[str, Trip], tmp_path: Path) -> None:
    from tracks import degrees, moments

    trip = trips["R00001"]
    fixes = simulate(plan, trip, seed=5)
    xy = degrees(plan, fixes).tolist()
    times = [m.isoformat() for m in moments(trip.day, fixes)]
    line = {"type": "Feature", "properties": {"coordTimes": times},
            "geometry": {"type": "LineString", "coordinates": xy}}
    points = [{"type": "Feature", "properties": {"time": t, "user": PERSON},
               "geometry": {"type": "Point", "coordinates": c}} for t, c in zip(
                   times, xy, strict=True)]
    for k, features in enumerate(([line], points)):
        path = write(tmp_path, f"T1 {k}.geojson", json.dumps(
            {"type": "FeatureCollection", "features": features}))
        logged = log(plan, path)
        assert missed(logged) == [], k
        assert (logged.rows["arrived"] != "").any()
    kml = ('<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><LineString>'
           "<coordinates>{}</coordinates></LineString></Placemark></Document></kml>")
    text = kml.format(" ".join(f"{x},{y},0" for x, y in xy))
    logged = log(plan, write(tmp_path, "T1.kml", text), day=trip.day)
    assert missed(logged) == []


def test_silence_is_told(plan: Plan, trips: dict[str, Trip], tmp_path: Path) -> None:
    trip = trips["R00001"]
    fixes = simulate(plan, trip, seed=2)
    half = fixes.clock_s < 10 * 3600
    findings = Findings()
    logged = log(plan, write(tmp_path, "T1.gpx", gpx_of(plan, trip, Fixes(
        fixes.xy[half], fixes.clock_s[half]))), findings=findings)
    (gap,) = findings.of("warning")
    assert gap.key == "log.gap"
    assert missed(logged)


# ---- check-ins -----------------------------------------------------------------------------

def write_checkins(plan: Plan, path: Path, trips: Iterable[Trip], *, skip: Iterable[str] = (),
                   later_min: int = 2) -> Path:
    """A table of check-ins; past midnight people write what the clock shows."""
    rows = [["点位", "巡组", "日期", "签到时间", "姓名"]]
    for trip in trips:
        rows += [[v.name, trip.team_id, trip.day, write_clock(
            (v.arrive_min + later_min) % 1440), PERSON] for v in trip.stops
            if v.visit_id not in skip]
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    else:
        with Workbook(path) as book:
            sheet = book.add_worksheet()
            for k, row in enumerate(rows):
                sheet.write_row(k, 0, row)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_check_ins_tell_of_stops_and_not_of_streets(plan: Plan, trips: dict[str, Trip],
                                                    tmp_path: Path, suffix: str) -> None:
    own = list(trips.values())
    gone = own[4].stops[2].visit_id
    findings = Findings()
    logged = log(plan, write_checkins(plan, tmp_path / f"in{suffix}", own, skip=[gone]),
                 findings=findings)
    assert missed(logged) == [gone]
    assert logged.rows["passed_m"].isna().all()
    assert len(logged.rows) == sum(len(t.stops) for t in own)
    assert late_minutes(plan, logged).tolist() == [2.0] * len(own)
    assert [f.key for f in findings.items if f.outcome == "warning"] == ["log.private_left_out"]


def test_faults_of_check_ins_come_at_once_with_their_rows(plan: Plan, trips: dict[str, Trip],
                                                          tmp_path: Path) -> None:
    trip = trips["R00001"]
    name = trip.stops[0].name
    table = write(tmp_path, "in.csv", "stop,team,day,time\n" + "\n".join([
        f"{name},T1,{trip.day},08:05", f"月球站,T1,{trip.day},08:05", f"{name},T9,{trip.day},08:05",
        f"{name},T1,2031-01-01,08:05", f"{name},T1,{trip.day},noon"]))
    assert [(f.key, f.row) for f in refusal(plan, table)] == [
        ("log.unknown_stop", "3"), ("log.unknown_team", "4"), ("log.unknown_day", "5"),
        ("log.bad_time", "6")]


def test_check_ins_of_another_team_s_stop_are_told(plan: Plan, trips: dict[str, Trip],
                                                   tmp_path: Path) -> None:
    a, b = trips["R00001"], next(t for t in trips.values() if t.team_id == "T3")
    table = write(tmp_path, "in.csv", "stop_id,team,time\n" + "\n".join(
        f"{v.key},T1,{a.day} {write_clock(v.arrive_min)}" for v in (a.stops[0], b.stops[0])))
    findings = Findings()
    logged = log(plan, table, findings=findings)
    assert [f.key for f in findings.of("warning")] == ["log.not_planned"]
    (row,) = logged.tally
    assert (row.rows_in, row.used, row.outside) == (2, 1, 1)


# ---- bad inputs ----------------------------------------------------------------------------

def test_all_faults_of_files_come_at_once_and_nothing_is_written(
        plan: Plan, trips: dict[str, Trip], plan_file: Path, tmp_path: Path) -> None:
    trip = trips["R00001"]
    path = Path(shutil.copy(plan_file, tmp_path / "plan.gpkg"))
    before = path.read_bytes()
    fixes = simulate(plan, trip)
    away = gpx_of(plan, trip, Fixes(fixes.xy + np.array([600_000.0, 0.0]), fixes.clock_s))
    route = render_exports(plan, teams=["T1"])[f"route-{trip.stem}-wgs84.gpx"]
    (tmp_path / "plan-T1.gpx").write_bytes(route)
    files = [write(tmp_path, "T1 away.gpx", away), tmp_path / "plan-T1.gpx",
             write(tmp_path, "T1 text.gpx", "no gpx at all"),
             write(tmp_path, "T1 bomb.gpx", '<!DOCTYPE x [<!ENTITY a "b">]><gpx/>'),
             write(tmp_path, "T1 empty.gpx", '<gpx xmlns="http://www.topografix.com/GPX/1/1"/>'),
             write(tmp_path, "T1.docx", "x"), tmp_path / "T1 gone.gpx",
             put_track(plan, tmp_path, trip, "somebody.gpx"),
             put_track(plan, tmp_path, trip, "T1 and T2.gpx", seed=4)]
    result = gridplan("log", path, *files, "--json")
    assert result.exit_code == 3, result.output
    told = {(f["key"], f["file"]) for f in json.loads(result.stdout)["findings"]}
    assert told == {
        ("log.elsewhere", "T1 away.gpx"), ("log.is_plan", "plan-T1.gpx"),
        ("log.no_track", "T1 text.gpx"), ("log.no_track", "T1 bomb.gpx"),
        ("log.no_fixes", "T1 empty.gpx"), ("log.unknown_kind", "T1.docx"),
        ("log.unreadable", "T1 gone.gpx"), ("log.no_team", "somebody.gpx"),
        ("log.several_teams", "T1 and T2.gpx")}
    far = next(f for f in json.loads(result.stdout)["findings"] if f["key"] == "log.elsewhere")
    km = float(far["what"].split(" km")[0].rsplit(" ", 1)[1].replace(",", ""))
    assert 550 < km < 650
    assert path.read_bytes() == before
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".gpkg" and p != path]


def test_a_plan_without_routes_says_to_run_patrol(plan: Plan, tmp_path: Path) -> None:
    bare = Plan({"roads": plan.layer("roads")}, plan.crs)
    faults = refusal(bare, tmp_path / "T1.gpx")
    assert {f.key for f in faults} == {"log.no_routes"}
    assert "gridplan patrol" in faults[0].mend("zh")


def test_unknown_teams_and_days_of_options(plan: Plan, tmp_path: Path) -> None:
    keys = {f.key for f in refusal(plan, team="T9", day="D9")}
    assert keys == {"log.unknown_team", "log.unknown_day"}


@pytest.mark.parametrize(("words", "key"), [
    (("--utc-offset", "8"), "log.utc_offset"), (("--datum", "ed50"), "read.bad_datum"),
    (("--reach-m", "-3"), "log.bad_rule"), (("--column", "who=x"), "log.unknown_column")])
def test_options_that_make_no_sense(plan_file: Path, tmp_path: Path, words: tuple[str, ...],
                                    key: str) -> None:
    result = gridplan("log", plan_file, tmp_path, *words)
    assert result.exit_code == 2, result.output
    assert key in result.stderr


def test_rules_out_of_bounds() -> None:
    with pytest.raises(UsageError) as refused:
        LogRules(reach_m=0.0, covered_share=2.0)
    assert [f.field for f in refused.value.findings] == ["reach_m", "covered_share"]


# ---- the plan ------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def plan_file(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with grids, and all else that a check wants."""
    made = plan_city(build_town(1, 7).study, Params(partition=PartitionParams(effort="fast")),
                     Findings())
    ours = ("stations", "stops", "required", "calendar", "teams", "zones", "routes", "visits")
    path = tmp_path_factory.mktemp("log") / "plan.gpkg"
    write_plan(made.with_layers(**{n: plan.layer(n) for n in ours}), path)
    return path


@pytest.fixture(scope="module")
def logged_file(plan: Plan, trips: dict[str, Trip], plan_file: Path,
                tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan with the log of a week in which one stop and one street were missed."""
    folder = tmp_path_factory.mktemp("week")
    faults, _, _ = pick_faults(plan, trips, random.Random(4))
    write_week(plan, folder / "week", faults)
    result = gridplan("log", plan_file, folder / "week", "-o", folder / "logged.gpkg")
    assert result.exit_code == 0, result.output
    (folder / "said.txt").write_text(result.stdout, encoding="utf-8")
    return folder / "logged.gpkg"


def test_the_verb_tells_teams_and_what_was_missed_by_name(plan: Plan, trips: dict[str, Trip],
                                                          logged_file: Path) -> None:
    said = (logged_file.parent / "said.txt").read_text(encoding="utf-8")
    _, (stop_id, _), _ = pick_faults(plan, trips, random.Random(4))
    name = next(v.name for t in trips.values() for v in t.stops if v.visit_id == stop_id)
    assert f"missed: {name}" in said
    assert "not passed: " in said
    assert all(team in said for team in ("T1", "T2", "T3"))
    assert len(said.splitlines()) <= 24


def broken(path: Path) -> list[Any]:
    """What is wrong but the routes, which are made up and keep no rule of patrols."""
    report = check_plan(path)
    assert "log" not in report.unchecked
    return [b for b in report.broken if b.rule != "patrol"]


def test_a_logged_plan_passes_the_check(logged_file: Path) -> None:
    assert broken(logged_file) == []
    tally = read_plan(logged_file).layer("tally").set_index(["stage", "layer"])
    row = tally.loc[("log", "fixes")]
    assert row["rows_in"] == row["used"] + row["rejected"] + row["outside"] > 10_000


def test_running_again_replaces_what_is_covered_and_keeps_the_rest(
        plan: Plan, trips: dict[str, Trip], logged_file: Path, tmp_path: Path) -> None:
    held = read_plan(logged_file)
    _, (stop_id, street_id), _ = pick_faults(plan, trips, random.Random(4))
    before = held.layer("log").set_index("visit_id")
    route = next(r for r, t in trips.items() if any(v.visit_id == stop_id for v in t.visits))
    track = put_track(plan, tmp_path, trips[route])
    shutil.copy(logged_file, tmp_path / "again.gpkg")
    assert gridplan("log", tmp_path / "again.gpkg", track).exit_code == 0
    after = read_plan(tmp_path / "again.gpkg").layer("log").set_index("visit_id")
    assert not before.loc[stop_id, "done"]
    assert after.loc[stop_id, "done"]
    assert not after.loc[street_id, "done"]
    others = before.index[~before.index.str.startswith(route)]
    pd.testing.assert_frame_equal(before.loc[others], after.loc[others])
    assert broken(tmp_path / "again.gpkg") == []


def test_rows_of_visits_no_longer_planned_go(plan: Plan, trips: dict[str, Trip],
                                             tmp_path: Path) -> None:
    stale = conform("log", pd.DataFrame({"log_id": ["R9-1"], "visit_id": ["R9-1"], "done": [True],
                                         "day": ["D1"], "shift": ["x"], "team_id": ["T1"]}))
    findings = Findings()
    logged = log(plan, put_track(plan, tmp_path, trips["R00001"]))
    done = put_log(plan.with_layers(log=stale), logged, findings)
    assert "R9-1" not in set(done.layer("log")["visit_id"])
    assert [f.key for f in findings.of("warning")] == ["log.rows_gone"]


def test_a_dry_run_writes_nothing_and_json_is_one_object(plan: Plan, trips: dict[str, Trip],
                                                         plan_file: Path, tmp_path: Path) -> None:
    before = plan_file.read_bytes()
    result = gridplan("log", plan_file, put_track(plan, tmp_path, trips["R00001"]), "--dry-run",
                      "--json", lang="zh")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)["log"]
    assert told["all"]["stops"] == told["all"]["stops_done"] == 6
    assert [t["team"] for t in told["teams"]] == ["T1"]
    assert plan_file.read_bytes() == before


def test_the_script_does_what_the_verb_does(plan: Plan, trips: dict[str, Trip], plan_file: Path,
                                            tmp_path: Path) -> None:
    track = put_track(plan, tmp_path, trips["R00001"])
    subprocess.run([sys.executable, ROOT / "scripts" / "log.py", plan_file, tmp_path / "a.gpkg",
                    track], cwd=ROOT, capture_output=True, text=True, check=True)
    assert gridplan("log", plan_file, track, "-o", tmp_path / "b.gpkg").exit_code == 0
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()


# ---- no person -----------------------------------------------------------------------------

def test_nothing_of_a_person_or_a_device_gets_into_the_plan(
        plan: Plan, trips: dict[str, Trip], plan_file: Path, tmp_path: Path) -> None:
    trip = trips["R00001"]
    text = gpx_of(plan, trip, simulate(plan, trip), name=f"{PERSON} {PHONE}", creator=DEVICE)
    text = text.replace("<trk>", f"<metadata><author><name>{PERSON}</name></author></metadata>"
                        f"<trk><cmt>{PHONE}</cmt>", 1)
    track = write(tmp_path, f"T1 {PERSON} {PHONE}.gpx", text)
    table = write_checkins(plan, tmp_path / f"{PERSON}.csv", [trip])
    result = gridplan("log", plan_file, track, table, "-o", tmp_path / "out.gpkg")
    assert result.exit_code == 0, result.output
    data = (tmp_path / "out.gpkg").read_bytes()
    for secret in (PERSON, PHONE, DEVICE, "Wushuang"):
        assert secret.encode() not in data
        assert secret.encode("utf-16-le") not in data
    held, before = read_plan(tmp_path / "out.gpkg"), read_plan(plan_file)
    assert [n for n in held.layers if n not in before.layers] == ["log"]
    assert "geometry" not in held.layer("log").columns, "tracks are not stored"


def test_a_team_of_one_has_no_figures_of_its_own(plan: Plan, trips: dict[str, Trip],
                                                 tmp_path: Path) -> None:
    alone = plan.with_layers(teams=plan.layer("teams").assign(members=[1, 2, 2]))
    logged = log(alone, *[put_track(plan, tmp_path, trips[r]) for r in ("R00001", "R00008")])
    figures = put_log(alone, logged, Findings()).layer("figures")
    ours = figures[figures["name"].isin(LOG_FIGURES)]
    assert set(ours.loc[ours["scope"] == "team", "scope_id"]) == {"T2"}
    assert ours.loc[(ours["scope"] == "city") & (ours["name"] == "logged_share"),
                    "numerator"].item() == len(logged.rows)


# ---- the verifier --------------------------------------------------------------------------

BREAKS = {
    "log_visit": "UPDATE log SET visit_id = 'R99999-0001' WHERE log_id = 'R00001-002'",
    "log_twice": "UPDATE log SET visit_id = 'R00001-002' WHERE log_id = 'R00001-004'",
    "log_undecided": "UPDATE log SET done = NULL WHERE log_id = 'R00001-002'",
    "log_whose": "UPDATE log SET team_id = 'T2' WHERE log_id = 'R00001-002'",
    "log_stop_metres": "UPDATE log SET passed_m = 3.0 WHERE log_id = 'R00001-002'",
    "log_bounds": "UPDATE log SET passed_m = 9999.0 WHERE log_id = 'R00001-001'",
    "log_street_done": "UPDATE log SET done = NOT done WHERE log_id = 'R00001-001'",
    "log_time": "UPDATE log SET arrived = '47:59' WHERE log_id = 'R00001-002'",
    "log_figure": "UPDATE figures SET value = 0.5 WHERE name = 'done_stop_share' "
                  "AND scope = 'team'",
    "log_figure_missing": "DELETE FROM figures WHERE name = 'late_min'",
    "log_rules": "DELETE FROM run WHERE key = 'log:rules'"}


@pytest.mark.parametrize("key", sorted(BREAKS))
def test_every_rule_of_a_log_is_checked(logged_file: Path, tmp_path: Path, key: str) -> None:
    path = tmp_path / "broken.gpkg"
    shutil.copy(logged_file, path)
    with closing(sqlite3.connect(path)) as base:
        assert base.execute(BREAKS[key]).rowcount > 0
        base.commit()
    assert f"check.{key}" in {f.key for f in check_plan(path).findings()}


def test_a_forgotten_log_leaves_no_trace(logged_file: Path, plan_file: Path) -> None:
    bare, before = forget_log(read_plan(logged_file)), read_plan(plan_file)
    for name in ("figures", "tally"):
        pd.testing.assert_frame_equal(bare.layer(name), before.layer(name))
    assert {**bare.run, "command": ""} == {**before.run, "command": ""}
    assert "log" not in bare.layers


def test_figures_without_a_log_are_told(logged_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.gpkg"
    shutil.copy(logged_file, path)
    with closing(sqlite3.connect(path)) as base:
        base.execute("DELETE FROM log")
        base.execute("DELETE FROM run WHERE key LIKE 'log:%'")
        base.commit()
    assert "check.log_figures_alone" in {f.key for f in check_plan(path).findings()}


# ---- times ---------------------------------------------------------------------------------

@given(st.integers(0, 2879))
def test_clock_times_read_back(minutes: int) -> None:
    assert read_clock(write_clock(minutes)) == minutes
    assert read_stamp(f"2026-12-31 {write_clock(minutes)}") == ("2026-12-31", minutes)
