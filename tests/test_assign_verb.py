"""The verb assign: on a town, from files, at the command line and in plain Python."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rosters import make_plan, make_roster
from typer.testing import CliRunner

from gridplan.assign import need_people
from gridplan.cli import app
from gridplan.errors import Findings
from gridplan.params import AssignParams, Params, recall_assign
from gridplan.pipeline import assign_plan, plan_city
from gridplan.plan import digest_layer, read_plan, write_plan
from gridplan.plan.people import forget_people
from gridplan.plan.store import is_edited
from gridplan.roster import read_roster
from gridplan.town import build_town, is_roster, write_roster

ROOT = Path(__file__).parents[1]


def gridplan(*words, lang="en"):
    return CliRunner().invoke(app, [*map(str, words), "--lang", lang], catch_exceptions=False)


def last_line(result):
    return result.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="session")
def town():
    return build_town(12, 1)


@pytest.fixture(scope="session")
def made(town, tmp_path_factory):
    """A folder with plan.gpkg, without people, and roster.xlsx."""
    folder = tmp_path_factory.mktemp("town")
    write_plan(plan_city(town.study, Params(), Findings()), folder / "plan.gpkg")
    write_roster(town, folder / "roster.xlsx")
    return folder


@pytest.fixture(scope="session")
def assigned(made):
    """The same with people.gpkg, and what the verb said."""
    result = gridplan("assign", made / "plan.gpkg", "--roster", made / "roster.xlsx", "-o",
                      made / "people.gpkg")
    return made, result


@pytest.fixture
def files(assigned, tmp_path):
    for name in ("plan.gpkg", "people.gpkg", "roster.xlsx"):
        shutil.copy(assigned[0] / name, tmp_path / name)
    return tmp_path


def test_every_grid_of_the_town_has_a_responsible(assigned):
    folder, result = assigned
    assert result.exit_code == 0, result.output
    assert last_line(result) == "exceptions: 0"
    plan = read_plan(folder / "people.gpkg")
    grids, held = plan.layer("grids"), plan.layer("assignments")
    needing = set(grids.loc[need_people(grids), "grid_id"])
    assert len(needing) > 90
    assert set(held.loc[held["role"] == "responsible", "grid_id"]) == needing
    assert plan.figure("grids_with_responsible", "all") == 1.0
    assert plan.layer("tally")["stage"].tolist()[-2:] == ["roster", "assign"]


def test_the_run_table_says_who_assigned_what_from_what(assigned):
    folder, _ = assigned
    plan = read_plan(folder / "people.gpkg")
    run = plan.run
    assert run["command"] == "gridplan assign"
    assert run["assign:held"] == "roster"
    assert json.loads(run["parameters"])["assign"]["most_households"] == 500
    assert [k for k in run if k.endswith(":roster.xlsx:roster")]
    for name in ("staff", "assignments", "grids"):
        assert run[f"digest:{name}"] == digest_layer(plan.layer(name), name)
    assert run["upstream:assignments:units"] == digest_layer(plan.layer("units"), "units")
    assert not is_edited(folder / "people.gpkg")


def test_the_check_accepts_the_plan_with_its_people(assigned):
    folder, _ = assigned
    result = gridplan("check", folder / "people.gpkg", "--inputs", folder / "roster.xlsx")
    assert result.exit_code == 0, result.output


def test_the_plan_itself_is_the_target_and_a_second_run_gives_the_same_people(files):
    before = read_plan(files / "people.gpkg").layer("assignments")
    result = gridplan("assign", files / "people.gpkg", "--roster", files / "roster.xlsx", "--json")
    told = json.loads(result.stdout)
    assert told["written"] == [str(files / "people.gpkg")]
    assert (told["changed"], told["vacant"], told["held_by"]) == (0, 0, "plan")
    after = read_plan(files / "people.gpkg")
    pd.testing.assert_frame_equal(after.layer("assignments").drop(columns="kept"),
                                  before.drop(columns="kept"))
    keys = after.layer("figures")[["name", "scope", "scope_id"]]
    assert not keys.duplicated().any()
    assert (after.layer("tally")["stage"] == "assign").sum() == 1
    assert sum(key.endswith(":roster") for key in after.run) == 1


def test_an_absence_changes_the_proven_least(files):
    held = read_plan(files / "people.gpkg").layer("assignments")
    gone = str(held["staff_id"].iloc[0])
    result = gridplan("assign", files / "people.gpkg", "--roster", files / "roster.xlsx",
                      "--absent", gone, "--json")
    told = json.loads(result.stdout)
    assert told["changed"] == told["figures"]["changed_assignments_bound"] >= 1
    assert gone not in set(read_plan(files / "people.gpkg").layer("staff")["staff_id"])
    assert told["changes"][0]["before"] == gone


def test_an_unknown_absent_is_a_usage_error_and_writes_nothing(files):
    old = (files / "plan.gpkg").read_bytes()
    result = gridplan("assign", files / "plan.gpkg", "--roster", files / "roster.xlsx",
                      "--absent", "NOBODY")
    assert result.exit_code == 2
    assert "assign.unknown_absent" in result.stderr
    assert (files / "plan.gpkg").read_bytes() == old


def test_a_shortage_is_written_listed_and_counted_or_refused_when_strict(files):
    lead = read_roster(files / "roster.xlsx", Findings()).staff
    gone = lead.index[(lead["role"] == "responsible") & (
        lead["community_id"] == lead["community_id"].iloc[0])]
    absent = [word for one in gone for word in ("--absent", one)]
    words = ("assign", files / "plan.gpkg", "--roster", files / "roster.xlsx", *absent)
    old = (files / "plan.gpkg").read_bytes()
    strict = gridplan(*words, "--strict")
    assert strict.exit_code == 4
    assert "assign.strict" in strict.stderr
    assert (files / "plan.gpkg").read_bytes() == old
    result = gridplan(*words)
    assert result.exit_code == 0
    plan = read_plan(files / "plan.gpkg")
    vacant = int(plan.figure("vacant_posts", "all"))
    assert vacant > 5
    assert last_line(result) == f"exceptions: {vacant}"
    assert "People are missing" in result.stdout


def test_dry_runs_write_nothing(files):
    old = (files / "plan.gpkg").read_bytes()
    result = gridplan("assign", files / "plan.gpkg", "--roster", files / "roster.xlsx",
                      "--dry-run", lang="zh")
    assert result.exit_code == 0
    assert "例外：0" in result.stdout
    assert (files / "plan.gpkg").read_bytes() == old


def test_the_roster_must_be_named_and_there(files):
    assert gridplan("assign", files / "plan.gpkg").exit_code == 2
    result = gridplan("assign", files / "plan.gpkg", "--roster", files / "none.xlsx")
    assert result.exit_code == 6
    assert "none.xlsx" in result.stderr
    both = gridplan("assign", files / "plan.gpkg", "--roster", files / "roster.xlsx", "--before",
                    files / "people.gpkg", "--afresh")
    assert both.exit_code == 2


def test_faults_of_cells_and_of_the_plan_come_together(files):
    (files / "r.csv").write_text("工号,岗位,社区编码,容量,现任网格\nS1,网格员,990101001001,many,\n"
                                 "S2,网格员,nowhere,500,\nS2,网格员,990101001001,500,G999\n",
                                 encoding="utf-8")
    old = (files / "plan.gpkg").read_bytes()
    result = gridplan("assign", files / "plan.gpkg", "--roster", files / "r.csv")
    assert result.exit_code == 3
    told = result.stderr
    assert "many" in told
    assert "nowhere" in told
    assert "roster.community_unknown" in told
    assert (files / "plan.gpkg").read_bytes() == old


def test_no_name_phone_or_home_reaches_the_plan(assigned):
    folder, _ = assigned
    people = read_roster(folder / "roster.xlsx", Findings()).people
    data = (folder / "people.gpkg").read_bytes()
    secrets = pd.concat([people[c] for c in ("person", "phone", "home")]).dropna()
    assert len(secrets) > 100
    assert not [s for s in secrets if s.encode() in data or s.encode("utf-16-le") in data]


def test_an_edit_of_the_grids_stays_known(files):
    plan = read_plan(files / "plan.gpkg")
    write_plan(plan.with_layers(grids=plan.layer("grids").assign(name="mine")),
               files / "plan.gpkg")
    assert is_edited(files / "plan.gpkg")
    assert gridplan("assign", files / "plan.gpkg", "--roster",
                    files / "roster.xlsx").exit_code == 0
    assert is_edited(files / "plan.gpkg")
    assert "mine" in set(read_plan(files / "plan.gpkg").layer("grids")["name"])


def test_people_assigned_to_land_that_changed_are_told(files):
    assert "plan.stale" not in gridplan("map", files / "people.gpkg").stderr
    plan = read_plan(files / "people.gpkg")
    units = plan.layer("units")
    moved = units.assign(grid_id=units["grid_id"].iloc[0])
    write_plan(plan.with_layers(units=moved), files / "people.gpkg")
    assert "plan.stale" in gridplan("map", files / "people.gpkg").stderr


def test_a_merger_leaves_people_out_and_before_brings_them_back(files):
    merged = files / "merged.gpkg"
    result = gridplan("merge", files / "people.gpkg", "--communities", 10, "-o", merged)
    assert result.exit_code == 0, result.output
    assert "merge.people_left_out" in result.stderr
    plan = read_plan(merged)
    assert plan.layer("staff").empty
    assert plan.layer("grids")["workload"].isna().all()
    assert plan.figure("vacant_posts", "all") is None
    # The roster names communities that are gone: their people serve in the new ones.
    owner = dict(zip(plan.layer("mergers")["former_id"], plan.layer("mergers")["community_id"],
                     strict=True))
    roster = read_roster(files / "roster.xlsx", Findings())
    staff = roster.staff.assign(community_id=roster.staff["community_id"].map(owner).array)
    allowed = roster.allowed.assign(community_id=roster.allowed["community_id"].map(owner).array)
    roster = dataclasses.replace(roster, staff=staff, allowed=allowed)
    old = read_plan(files / "people.gpkg")
    _, done = assign_plan(plan, roster, Params(), Findings(), before=old)
    lead = old.layer("assignments")
    assert done.holding.source == "plan"
    assert done.assignments["kept"].sum() == len(lead)


def test_the_rules_of_the_first_run_hold_in_the_next(files):
    config = files / "study.toml"
    config.write_text("[assign]\nbackups = 1\n", encoding="utf-8")
    words = ("assign", files / "plan.gpkg", "--roster", files / "roster.xlsx")
    assert gridplan(*words, "--config", config).exit_code == 0
    first = read_plan(files / "plan.gpkg").layer("assignments")
    assert (first["role"] == "backup").any()
    assert gridplan(*words).exit_code == 0
    assert len(read_plan(files / "plan.gpkg").layer("assignments")) == len(first)
    recorded = read_plan(files / "plan.gpkg").run["parameters"]
    assert recall_assign(recorded) == AssignParams(backups=1)


def test_the_script_does_what_the_verb_does(files):
    target = files / "script.gpkg"
    done = subprocess.run([sys.executable, ROOT / "scripts" / "assign.py", files / "plan.gpkg",
                           files / "roster.xlsx", target], cwd=ROOT, capture_output=True,
                          text=True, check=True)
    assert done.stdout.strip() == str(target)
    assert target.read_bytes() == (files / "people.gpkg").read_bytes()


def test_a_plan_forgets_its_people_whole(assigned):
    folder, _ = assigned
    bare, people = (read_plan(folder / name) for name in ("plan.gpkg", "people.gpkg"))
    forgotten = forget_people(people)
    assert set(forgotten.layers) == set(bare.layers)
    for name in bare.layers:
        if name != "run":
            assert digest_layer(forgotten.layer(name)) == digest_layer(bare.layer(name)), name
    assert set(forgotten.run) == set(bare.run)


def test_rows_add_up_in_the_tally():
    plan = make_plan({"c1": ("urban", [300])})
    findings = Findings()
    assign_plan(plan, make_roster([{"id": "A", "town": "c1"}, {"id": "B", "town": "c1"}]),
                Params(), findings, absent=["B"])
    row = findings.tally[-1]
    assert (row.stage, row.rows_in, row.used, row.outside) == ("assign", 2, 1, 1)


def test_a_roster_of_the_town_is_told_from_an_office_s(made, tmp_path):
    assert is_roster(made / "roster.xlsx")
    assert not is_roster(made / "plan.gpkg")
    other = tmp_path / "own.xlsx"
    pd.DataFrame({"姓名": ["甲"], "电话": ["13900000000"]}).to_excel(other, index=False,
                                                                 engine="xlsxwriter")
    assert not is_roster(other)
