"""The desk of patrols: everything due is made or told, days differ, shifts change."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gridplan.check import check_plan
from gridplan.cli import app
from gridplan.errors import Findings, InputError, UsageError
from gridplan.layers import conform
from gridplan.params import Params, PartitionParams
from gridplan.patrol.desk import PatrolRequest
from gridplan.patrol.duty import read_windows, share_passes
from gridplan.patrol.stops import child
from gridplan.pipeline import change_plan, need_plan, patrol_plan, plan_city
from gridplan.plan import digest_layer, read_plan, write_plan
from gridplan.plan.patrol import MADE_LAYERS, forget_patrol
from gridplan.town import build_town

ROOT = Path(__file__).resolve().parents[1]
FAST = Params(partition=PartitionParams(effort="fast"))


def gridplan(*words, lang="en"):
    return CliRunner().invoke(app, [*map(str, words), "--lang", lang], catch_exceptions=False)


@pytest.fixture(scope="module")
def bare():
    """A town of one community without patrols."""
    return plan_city(build_town(1, 5).study, FAST, Findings())


@pytest.fixture(scope="module")
def week(bare):
    """Its plan with three varied days, and the patrol."""
    return patrol_plan(bare, PatrolRequest(days=3, vary=True), FAST, Findings())


def run(plan, request=PatrolRequest(), params=FAST, **given):  # noqa: B008
    return patrol_plan(plan, request, params, Findings(), given=given)


def hold(plan, tmp_path, *, but=()):
    """Write a plan and let the verifier look at it."""
    path = write_plan(plan, tmp_path / "plan.gpkg").path
    report = check_plan(path)
    broken = {f.rule for f in report.broken} - set(but)
    assert not broken, [f for f in report.broken if f.rule not in but]


def clock(text):
    return int(text[:-3]) * 60 + int(text[-2:])


def count(plan, key):
    """Visits or passes made, and those told as unmet, by day and thing."""
    both = plan.layer("visits").merge(plan.layer("routes")[["route_id", "day"]], on="route_id")
    made = both[both[key].notna()].groupby(["day", key]).size()
    unmet = plan.layer("unmet")
    lost = unmet[unmet[key].notna()].groupby(["day", key])["visits"].sum()
    return made.add(lost, fill_value=0).astype(int)


def stops_at(plan, places, **columns):
    """Stops at some facilities of a plan."""
    points = plan.layer("facilities").geometry.iloc[places].to_list()
    rows = {"stop_id": [f"X{k}" for k in range(len(places))], "tier": "town", "priority": 1,
            "visits_per_day": 1.0, "service_min": 10, **columns}
    return conform("stops", gpd.GeoDataFrame(rows, geometry=points, crs=plan.crs))


# ---- what is due ----------------------------------------------------------------------------

def test_everything_due_is_made_or_told(week, tmp_path):
    plan, patrol = week
    days = [d.name for d in patrol.days]
    assert days == ["D1", "D2", "D3"]
    for layer, key, column in (("required", "required_id", "passes_per_day"),
                               ("stops", "stop_id", "visits_per_day")):
        due = plan.layer(layer).set_index(key)[column].astype(int)
        found = count(plan, key)
        for day in days:
            pd.testing.assert_series_equal(
                found[day].reindex(due.index), due, check_names=False, check_dtype=False)
    hold(plan, tmp_path)


@pytest.mark.parametrize("cover", ["streets", "stops"])
def test_streets_or_stops_alone(bare, cover, tmp_path):
    plan, _ = run(bare, PatrolRequest(cover=cover))
    visits = plan.layer("visits")
    assert visits["stop_id" if cover == "streets" else "required_id"].isna().all()
    assert visits["required_id" if cover == "streets" else "stop_id"].notna().any()
    hold(plan, tmp_path)


def test_a_duty_level_multiplies_and_rounds_up(bare, tmp_path):
    plan, _ = run(bare, PatrolRequest(duty="raised"))
    due = np.ceil(plan.layer("required").set_index("required_id")["passes_per_day"].astype(float)
                  * 1.5)
    assert (count(plan, "required_id")["D1"].reindex(due.index) == due).all()
    hold(plan, tmp_path)


def test_two_passes_of_a_shift_lie_in_two_rounds(bare):
    plan, _ = run(bare, PatrolRequest(cover="streets", duty="high"))
    both = plan.layer("visits").merge(plan.layer("routes")[["route_id", "shift"]], on="route_id")
    both = both[both["required_id"].notna()]
    for (shift, _), rows in both.groupby(["shift", "required_id"]):
        if len(rows) == 2:
            start, end = (clock(t) for t in shift.split("-"))
            middle = start + ((end - start) % 1440) / 2
            times = sorted(clock(t) for t in rows["arrive"])
            assert times[0] <= middle <= times[1] + 1


def test_weekly_stops_come_so_often_and_far_apart(bare, tmp_path):
    stops = stops_at(bare, [0, 1], visits_per_day=None, visits_per_week=[3.0, 1.0])
    plan, _ = run(bare, PatrolRequest(cover="stops", days=7), stops=stops)
    found = count(plan, "stop_id").unstack(0, fill_value=0)
    assert found.loc["X0"].sum() == 3
    assert found.loc["X1"].sum() == 1
    days = [int(d[1:]) for d in found.columns[found.loc["X0"] > 0]]
    assert min((b - a - 1) % 7 + 1 for a, b in zip(days, days[1:] + days[:1], strict=True)) >= 2
    hold(plan, tmp_path)


def test_windows_and_spacing_are_kept_and_what_cannot_be_is_told(bare, tmp_path):
    stops = stops_at(bare, [0, 1, 2], windows=["09:00-09:40", None, "02:00-03:00"],
                     visits_per_day=[1.0, 3.0, 1.0], spacing_min=[None, 600, None])
    plan, _ = run(bare, PatrolRequest(cover="stops"), stops=stops)
    visits = plan.layer("visits").set_index("stop_id")
    assert 540 <= clock(visits.loc["X0", "arrive"]) <= 570
    unmet = plan.layer("unmet").set_index("stop_id")
    assert unmet["reason"].to_dict() == {"X1": "spacing", "X2": "shift"}
    assert unmet.loc["X1", "visits"] == 1
    hold(plan, tmp_path)


@pytest.mark.parametrize(("places", "key"), [(2, "stops_remedy_team"), (4, "stops_remedy_none")])
def test_what_would_suffice_is_told(bare, places, key):
    first, _ = run(bare)
    teams = first.layer("teams")
    one = teams[(teams["tier"] == "town") & (teams["shift_start"] == "07:30")].head(1)
    stops = stops_at(bare, list(range(places)), windows="08:00-08:31", service_min=25)
    findings = Findings()
    plan, _ = patrol_plan(first, PatrolRequest(cover="stops"), FAST, findings,
                          given={"stops": stops, "teams": one})
    assert int(plan.layer("unmet")["visits"].sum()) == places - 1
    told = [f for f in findings.items if f.key.startswith("patrol.stops_remedy")]
    assert [(f.key, f.outcome) for f in told] == [(f"patrol.{key}", "warning")]


def test_a_calendar_says_who_is_on_duty(bare, tmp_path):
    first, _ = run(bare)
    teams = first.layer("teams")
    town = teams[teams["tier"] == "town"]["team_id"].tolist()
    date = dt.date(2026, 12, 5)  # a Saturday
    calendar = conform("calendar", pd.DataFrame([
        {"calendar_id": f"c{k}", "date": date.isoformat(), "day_kind": "weekend",
         "duty": "normal", "crew": "A", "team_id": team} for k, team in enumerate(town[:1])]))
    required = first.layer("required").assign(day_kind="workday")
    plan, patrol = run(first, calendar=calendar, required=required)
    assert [d.name for d in patrol.days] == ["2026-12-05"]
    assert set(plan.layer("routes")["team_id"]) <= {town[0]}
    assert not len(plan.layer("visits")["required_id"].dropna())
    hold(plan, tmp_path)


def test_teams_of_two_modes_share_a_zone(bare, tmp_path):
    first, _ = run(bare)
    teams = first.layer("teams")
    town = teams[(teams["tier"] == "town") & (teams["shift_start"] == "07:30")].head(1)
    more = town.assign(team_id="WALK", mode="foot")
    plan, _ = run(first, teams=pd.concat([teams, more], ignore_index=True))
    walked = plan.layer("routes").set_index("team_id").loc["WALK"]
    assert walked["mode"] == "foot"
    assert walked["served_m"] > 0
    hold(plan, tmp_path)


def test_a_shift_too_short_leaves_streets_told_as_unmet(bare, tmp_path):
    first, _ = run(bare)
    teams = first.layer("teams")
    teams = teams.assign(break_min=0, shift_end=np.where(
        (teams["tier"] == "town") & (teams["shift_start"] == "07:30"), "07:40",
        teams["shift_end"]))
    plan, _ = run(first, PatrolRequest(cover="streets"), teams=teams)
    unmet = plan.layer("unmet")
    assert len(unmet)
    assert set(unmet["reason"]) <= {"crowded", "shift"}
    assert plan.figure("street_visibility", "town", "tier") < 1
    hold(plan, tmp_path)


@given(st.integers(0, 12), st.integers(1, 4), st.integers(0, 13))
def test_passes_are_shared_out_evenly_and_all(count, shifts, day):
    shares = share_passes(count, shifts, day)
    assert sum(shares) == count
    assert max(shares) - min(shares) <= 1


def test_windows_hold_a_day_later_too():
    assert read_windows("22:00-02:00;08:00-09:00") == (
        (28800, 32400), (79200, 93600), (115200, 118800), (165600, 180000))


# ---- the same again, or another way ---------------------------------------------------------

def test_the_same_seed_gives_the_same_days(bare, week):
    again, _ = patrol_plan(bare, PatrolRequest(days=3, vary=True), FAST, Findings())
    for layer in (*MADE_LAYERS, "figures"):
        assert digest_layer(again.layer(layer)) == digest_layer(week[0].layer(layer)), layer


def test_a_second_run_on_its_own_layers_gives_the_same(week):
    again, _ = patrol_plan(week[0], PatrolRequest(days=3, vary=True), FAST, Findings())
    for layer in MADE_LAYERS:
        assert digest_layer(again.layer(layer)) == digest_layer(week[0].layer(layer)), layer


def test_days_are_alike_without_varying_and_differ_little_in_length_with(bare, week):
    plan, _ = run(bare, PatrolRequest(days=2))
    both = plan.layer("visits").merge(plan.layer("routes")[["route_id", "team_id", "day"]],
                                      on="route_id")
    one, two = (both[both["day"] == d].sort_values(["team_id", "order"])["arrive"].tolist()
                for d in ("D1", "D2"))
    assert one == two
    varied, patrol = week
    routes = varied.layer("routes")
    lengths = [sorted(rows["distance_m"]) for _, rows in routes.groupby("day")]
    assert len({tuple(np.round(x, 1)) for x in lengths}) > 1
    assert patrol.km <= 1.05 * patrol.plain_km
    assert varied.figure("entropy_bits", "all") > 0.5
    assert varied.figure("vary_price", "all") == pytest.approx(patrol.km / patrol.plain_km - 1)


def test_forgetting_leaves_the_plan_as_it_was(bare, week):
    gone = forget_patrol(week[0])
    assert not any(len(gone.layer(n)) for n in MADE_LAYERS)
    assert not [k for k in gone.run if k.startswith(("patrol:", "upstream:routes:"))]
    assert digest_layer(gone.layer("figures")) == digest_layer(bare.layer("figures"))


# ---- change in the shift --------------------------------------------------------------------

def test_a_team_that_drops_out_leaves_its_work_to_the_others(bare, tmp_path):
    first, _ = run(bare)
    teams = first.layer("teams")
    one = teams[(teams["tier"] == "town") & (teams["shift_start"] == "07:30")].iloc[[0]]
    held, _ = run(first, teams=pd.concat([teams, one.assign(team_id="MORE")], ignore_index=True))
    gone = str(one["team_id"].iloc[0])
    done, changed = change_plan(held, FAST, Findings(), without=[gone], at="08:30")
    assert changed.day == "D1"
    assert changed.moved > 0
    pd.testing.assert_series_equal(count(done, "required_id"), count(held, "required_id"))

    def of(plan, team):
        routes = plan.layer("routes")
        mine = routes.loc[routes["team_id"] == team, "route_id"]
        return plan.layer("visits")[plan.layer("visits")["route_id"].isin(mine)]

    assert all(clock(t) <= 510 for t in of(done, gone)["arrive"])
    for team in [*teams["team_id"].tolist(), "MORE"]:
        before = of(held, team)
        before = before[before["depart"] < "08:30"][["stop_id", "required_id", "arrive"]]
        after = of(done, team)[["stop_id", "required_id", "arrive"]].head(len(before))
        assert before.fillna("").to_numpy().tolist() == after.fillna("").to_numpy().tolist()
    other = of(held, "MORE")["visit_id"]
    assert len(of(done, "MORE")) > len(other)
    hold(done, tmp_path)


def test_the_only_team_of_a_zone_loses_what_it_has_not_done(week):
    plan, _ = week
    teams = plan.layer("teams")
    town = teams[(teams["tier"] == "town") & (teams["shift_start"] == "07:30")]
    team = str(town["team_id"].iloc[0])
    done, changed = change_plan(plan, FAST, Findings(), without=[team], at="07:40", day="D2")
    unmet = done.layer("unmet")
    assert changed.lost == int(unmet.loc[unmet["reason"] == "team", "visits"].sum()) > 0
    assert set(unmet.loc[unmet["reason"] == "team", "day"]) == {"D2"}
    assert done.figure("pass_share", "all") < plan.figure("pass_share", "all")
    assert done.run["patrol:without"] == f"D2/{team}/07:40"


def test_a_change_that_cannot_be_is_refused(week):
    plan, _ = week
    with pytest.raises(UsageError) as error:
        change_plan(plan, FAST, Findings(), without=["nobody"], at="25h", day="D9")
    assert {f.key for f in error.value.findings} == {
        "patrol.no_such_team", "patrol.no_such_day", "patrol.no_time"}
    visits = plan.layer("visits").copy()
    visits.loc[3, "arrive"] = "03:33"
    team = str(plan.layer("routes")["team_id"].iloc[0])
    with pytest.raises(InputError, match="edited"):
        change_plan(plan.with_layers(visits=visits), FAST, Findings(), without=[team],
                    at="08:00", day="D1")


# ---- how many teams -------------------------------------------------------------------------

def test_more_teams_see_more_and_no_fewer_than_the_bound_suffice(bare):
    for wish in ({"revisit_min": 30.0}, {"visibility": 0.6, "revisit_min": 30.0}):
        needs = need_plan(bare, PatrolRequest(), FAST, Findings(), **wish)
        assert needs
        for need in needs:
            seen = [share for _, share, _ in need.curve]
            assert all(b >= a - 0.02 for a, b in itertools.pairwise(seen))
            if need.teams is not None:
                assert need.bound is not None
                assert need.bound <= need.teams
                assert need.curve[-1][0] == need.teams
                assert need.curve[-1][1] >= wish.get("visibility", 1.0) - 1e-9
                assert need.curve[-1][2] <= 30 + 0.01


# ---- the verb -------------------------------------------------------------------------------

@pytest.fixture
def file(bare, tmp_path):
    return write_plan(bare, tmp_path / "plan.gpkg").path


def test_the_verb_says_what_it_planned(file):
    done = gridplan("patrol", file, "--effort", "fast", "--json")
    assert done.exit_code == 0, done.output
    plan = read_plan(file)
    assert len(plan.layer("routes"))
    assert plan.run["command"] == "gridplan patrol"
    said = gridplan("patrol", file, "--effort", "fast", "--dry-run", lang="zh")
    assert "街面见警率" in said.stdout
    assert "责任防区" in said.stdout


@pytest.mark.parametrize(("words", "code"), [
    (("--duty", "wild"), 2), (("--how-many", "luck=1"), 2), (("--how-many", "visibility=2"), 2),
    (("--without", "A1"), 2), (("--from", "08:00"), 2), (("--days", "99"), 2)])
def test_the_verb_refuses_what_it_does_not_understand(file, words, code):
    before = file.read_bytes()
    assert gridplan("patrol", file, *words).exit_code == code
    assert file.read_bytes() == before


def test_a_killed_solver_leaves_the_plan_untouched(file, monkeypatch):
    before = file.read_bytes()
    plain = subprocess.Popen

    def killed(words, *more, **others):
        started = plain(words, *more, **others)
        if list(words[1:]) == list(child.COMMAND):
            os.kill(started.pid, signal.SIGTERM)
        return started

    monkeypatch.setattr(child.subprocess, "Popen", killed)
    done = gridplan("patrol", file, "--cover", "stops")
    assert done.exit_code == 6
    assert "patrol.solver_died" in done.stderr
    assert file.read_bytes() == before


def test_the_script_does_what_the_verb_does(bare, tmp_path):
    path = write_plan(bare, tmp_path / "plan.gpkg").path
    other = Path(shutil.copy(path, tmp_path / "other.gpkg"))
    done = subprocess.run([sys.executable, ROOT / "scripts" / "patrol.py", path,
                           tmp_path / "a.gpkg"], cwd=ROOT, check=True, capture_output=True,
                          text=True)
    assert "km" in done.stdout
    assert gridplan("patrol", other, "--days", "7", "--vary").exit_code == 0
    one, two = read_plan(tmp_path / "a.gpkg"), read_plan(other)
    for layer in MADE_LAYERS:
        assert digest_layer(one.layer(layer)) == digest_layer(two.layer(layer))


def test_posts_see_streets_and_blind_ones_get_a_pass_more(bare, tmp_path):
    where = tmp_path / "posts.geojson"
    lines = run(bare, PatrolRequest(cover="streets"))[0].layer("required").geometry
    gpd.GeoDataFrame({"point_id": ["p"]}, geometry=[shapely.line_interpolate_point(
        lines.iloc[0], 0.5, normalized=True)], crs=bare.crs).to_crs(4326).to_file(where)
    path = write_plan(bare, tmp_path / "plan.gpkg").path
    assert gridplan("patrol", path, "--effort", "fast", "--points",
                    f"post={where}").exit_code == 0
    plan = read_plan(path)
    share = plan.figure("watched_share", "all")
    assert share is not None
    assert 0 < share < 1
    passes = plan.layer("required")["passes_per_day"]
    assert passes.max() > dataclasses.replace(FAST.patrol).passes["primary"]
