"""What changed between two plans: counted by hand, told in two languages, text kept text."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from test_check import CODES
from test_check_staff import ROOT, draw_staffed, spoil
from typer.testing import CliRunner, Result

from gridplan.cli import app
from gridplan.diff import compare_plans, write_difference
from gridplan.layers import conform
from gridplan.plan import Plan, read_plan

UNIT = "(SELECT unit_id FROM buildings WHERE building_id='{}')".format
CHANGES = (
    # A0 with 100 households goes from A to B.
    "UPDATE units SET grid_id='{B}' WHERE unit_id=" + UNIT("A0") + ";"
    "UPDATE buildings SET grid_id='{B}' WHERE building_id='A0';"
    "UPDATE grids SET households=300 WHERE grid_id='{A}';"
    "UPDATE grids SET households=500 WHERE grid_id='{B}';"
    # A unit where nobody lives goes from N to D.
    "UPDATE units SET grid_id='{D}' WHERE unit_id=(SELECT min(unit_id) FROM units "
    "WHERE grid_id='{N}');"
    "UPDATE grids SET name='@cmd', locked=1 WHERE grid_id='{C}';"
    "UPDATE grids SET grid_id='C001-003', former_ids='{F}' WHERE grid_id='{F}';"
    "UPDATE units SET grid_id='C001-003' WHERE grid_id='{F}';"
    "UPDATE buildings SET grid_id='C001-003' WHERE grid_id='{F}';"
    "UPDATE communities SET name='=HYPERLINK(\"http://x.example\")' WHERE community_id='C001';"
    "DELETE FROM communities WHERE community_id='C007';"
    "UPDATE buildings SET households=90 WHERE building_id='E0';"
    "UPDATE assignments SET staff_id='S2' WHERE grid_id='{A}';"
    "UPDATE staff SET staff_id='S99' WHERE staff_id='S20';"
    "UPDATE figures SET value=0.5 WHERE name='grids_with_responsible' AND scope_id='urban'")


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("plans")
    old = draw_staffed(folder)[0].rename(folder / "old.gpkg")
    return old, spoil(old, folder / "new.gpkg", CHANGES)


def gridplan(*args: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exit_code == code, result.output
    return result


def test_every_change_is_told_once(plans: tuple[Path, Path]) -> None:
    told = compare_plans(read_plan(plans[0]), read_plan(plans[1]))
    assert told.communities.fillna("").to_numpy().tolist() == [
        ["C001", "renamed", "", '=HYPERLINK("http://x.example")'], ["C007", "gone", "", ""]]
    grids = told.grids.set_index("grid_id")
    assert grids["change"].to_dict() == {
        CODES["A"]: "changed", CODES["B"]: "changed", CODES["C"]: "changed",
        CODES["D"]: "changed", CODES["N"]: "changed",
        CODES["F"]: "gone", "C001-003": "new"}
    assert grids.loc[CODES["F"], "heir"] == "C001-003"
    assert grids.loc[CODES["A"], ["units_before", "units_after", "units_kept",
                                  "households_before", "households_after"]].tolist() == [
        4, 3, 3, 400, 300]
    assert grids.loc[CODES["B"], ["units_before", "units_after", "units_kept"]].tolist() == [
        4, 5, 4]
    assert told.posts.table.to_numpy().tolist() == [[CODES["A"], "responsible", "S1", "S2"]]
    assert (told.posts.before, told.posts.after, told.posts.kept) == (25, 25, 24)
    assert told.people[["staff_id", "change"]].to_numpy().tolist() == [
        ["S1", "moved"], ["S2", "moved"], ["S20", "left"], ["S99", "came"]]
    assert told.figures[["name", "scope_id", "after", "target"]].to_numpy().tolist() == [
        ["grids_with_responsible", "urban", 0.5, 1.0]]


def test_retention_is_counted_over_what_both_plans_have(plans: tuple[Path, Path]) -> None:
    told = compare_plans(read_plan(plans[0]), read_plan(plans[1])).retention
    # A0 (100) and F0 (251) lie elsewhere; E0 has 90 of its 300 in both.
    assert (told["households"].kept, told["households"].whole) == (
        7217 - 210 - 100 - 251, 7217 - 210)
    assert (told["buildings"].kept, told["buildings"].whole) == (39, 41)
    assert told["units"].whole - told["units"].kept == 3


def test_a_plan_differs_from_a_copy_of_itself_in_nothing(plans: tuple[Path, Path],
                                                         tmp_path: Path) -> None:
    copy = tmp_path / "copy.gpkg"
    shutil.copy(plans[0], copy)
    told = compare_plans(read_plan(plans[0]), read_plan(copy))
    assert told.is_empty
    assert {r.share for r in told.retention.values()} == {1.0}
    assert "nothing changed" in gridplan("diff", plans[0], copy, "--lang", "en").stdout
    assert "没有差异" in gridplan("diff", plans[0], copy, "--lang", "zh").stdout


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("123"),
                          st.sampled_from("xyz")), max_size=8),
       st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("123"),
                          st.sampled_from("xyz")), max_size=8))
def test_kept_and_changed_add_up(before: list[tuple[str, str, str]],
                                 after: list[tuple[str, str, str]]) -> None:
    def make(rows: list[tuple[str, str, str]]) -> Plan:
        rows = sorted(set(rows))
        frame = pd.DataFrame({"assignment_id": range(len(rows)), "grid_id": [r[0] for r in rows],
                              "role": ["backup"] * len(rows), "staff_id": [r[1] for r in rows],
                              "community_id": None})
        staff = pd.DataFrame({"staff_id": sorted({r[1] for r in rows}), "role": "backup"})
        return Plan({"assignments": conform("assignments", frame),
                     "staff": conform("staff", staff)}, "EPSG:4549")

    told = compare_plans(make(before), make(after))
    one, two = ({(g, s) for g, s, _ in rows} for rows in (before, after))
    assert told.posts.kept == len(one & two)
    assert (told.posts.before, told.posts.after) == (len(one), len(two))
    assert set(told.posts.table["place"]) == {g for g, _ in one ^ two}
    back = compare_plans(make(after), make(before))
    assert back.posts.kept == told.posts.kept
    words = {"came": "left", "left": "came", "moved": "moved"}
    assert dict(zip(back.people["staff_id"], back.people["change"], strict=True)) == {
        s: words[c] for s, c in zip(told.people["staff_id"], told.people["change"], strict=True)}


# ---- what is told --------------------------------------------------------------------------

@pytest.mark.parametrize(("lang", "words"), [
    ("en", ("5 changed", "in the same grid", "24 of 25 kept", "now under: C001-003")),
    ("zh", ("变动 5", "仍在原网格", "25 项中保留 24 项", "现归入: C001-003"))])
def test_one_screen_tells_it(plans: tuple[Path, Path], lang: str, words: tuple[str, ...]) -> None:
    shown = gridplan("diff", *plans, "--lang", lang).stdout
    for word in words:
        assert word in shown
    assert shown.count("\n") <= 50


def test_json_tells_all_of_it(plans: tuple[Path, Path]) -> None:
    told = json.loads(gridplan("diff", *plans, "--json").stdout)
    assert told["changed"] is True
    assert [g["change"] for g in told["grids"]].count("changed") == 5
    assert told["retention"]["buildings"] == {"kept": 39, "whole": 41, "share": 39 / 41}
    assert told["assignments"]["posts"][0]["after"] == "S2"
    assert told["figures"][0]["before"] is not None
    assert told["written"] == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_workbook_holds_text_and_no_formula(plans: tuple[Path, Path], tmp_path: Path,
                                                lang: str) -> None:
    target = tmp_path / "changes.xlsx"
    gridplan("diff", *plans, "-o", target, "--lang", lang)
    book = CalamineWorkbook.from_path(target)
    assert len(book.sheet_names) == 6
    cells = [c for name in book.sheet_names
             for row in book.get_sheet_by_name(name).to_python() for c in row]
    assert '=HYPERLINK("http://x.example")' in cells
    assert "@cmd" in cells
    with zipfile.ZipFile(target) as parts:
        sheets = b"".join(parts.read(n) for n in parts.namelist() if "worksheets" in n)
        assert not any("rels" in n and "sheet" in n for n in parts.namelist())
    assert b"<f>" not in sheets
    assert b"hyperlink" not in sheets
    first = target.read_bytes()
    gridplan("diff", *plans, "-o", target, "--lang", lang)
    assert target.read_bytes() == first


def test_the_script_does_what_the_verb_does(plans: tuple[Path, Path], tmp_path: Path) -> None:
    target, same = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    subprocess.run([sys.executable, ROOT / "scripts" / "diff.py", *plans, target], cwd=ROOT,
                   check=True, capture_output=True)
    write_difference(compare_plans(*map(read_plan, plans)), same, ("old.gpkg", "new.gpkg"))
    assert target.read_bytes() == same.read_bytes()


# ---- bad input -----------------------------------------------------------------------------

def test_bad_files_are_told_both_at_once(plans: tuple[Path, Path], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gpkg"
    damaged.write_bytes(plans[0].read_bytes()[:20_000])
    text = tmp_path / "note.gpkg"
    text.write_text("no plan")
    done = gridplan("diff", damaged, text, "-o", tmp_path / "d.xlsx", "--lang", "en", code=3)
    assert "damaged.gpkg" in done.stderr
    assert "note.gpkg" in done.stderr
    assert not (tmp_path / "d.xlsx").exists()
    assert "nowhere.gpkg" in gridplan("diff", plans[0], tmp_path / "nowhere.gpkg", code=3).stderr


def test_one_plan_named_twice_is_refused(plans: tuple[Path, Path], tmp_path: Path) -> None:
    link = tmp_path / "link.gpkg"
    link.symlink_to(plans[0])
    assert "diff.same_file" in gridplan("diff", plans[0], link, code=2).stderr


def test_files_in_the_way_are_spared(plans: tuple[Path, Path], tmp_path: Path) -> None:
    mine = tmp_path / "mine.xlsx"
    mine.write_bytes(b"mine")
    assert "cli.not_ours" in gridplan("diff", *plans, "-o", mine, code=2).stderr
    assert mine.read_bytes() == b"mine"
    assert "diff.not_xlsx" in gridplan("diff", *plans, "-o", tmp_path / "a.csv", code=2).stderr
    assert "diff.not_xlsx" in gridplan("diff", *plans, "-o", plans[1], code=2).stderr
    gridplan("diff", *plans, "-o", tmp_path / "dry.xlsx", "--dry-run")
    assert not (tmp_path / "dry.xlsx").exists()
    gridplan("diff", *plans, "-o", mine, "--force")
    assert mine.read_bytes()[:2] == b"PK"


def test_plans_are_only_read(plans: tuple[Path, Path]) -> None:
    before = [p.read_bytes() for p in plans]
    gridplan("diff", *plans)
    assert [p.read_bytes() for p in plans] == before


def test_a_plan_without_people_is_compared_all_the_same(plans: tuple[Path, Path],
                                                        tmp_path: Path) -> None:
    bare = tmp_path / "bare.gpkg"
    shutil.copy(plans[0], bare)
    with closing(sqlite3.connect(bare)) as base:
        for table in ("staff", "assignments"):
            base.execute(f"DROP TABLE {table}")
            base.execute("DELETE FROM gpkg_contents WHERE table_name=?", (table,))
        base.commit()
    told = json.loads(gridplan("diff", bare, plans[0], "--json").stdout)
    assert {p["change"] for p in told["people"]} == {"came"}
    assert told["assignments"]["kept"] == 0
