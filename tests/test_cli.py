"""The command line: exit codes, the last line, JSON, both languages, and nothing half written."""

import contextlib
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gridplan.cli import app
from gridplan.cli.console import Screen, plain
from gridplan.cli.options import Options, by_role, split_pairs
from gridplan.cli.templates import BOOKS, TABLES, make_templates
from gridplan.errors import UsageError

ROOT = Path(__file__).parents[1]


def gridplan(*words, lang="en", **environ):
    """Run a command in this process, as on a machine of the given language."""
    return CliRunner().invoke(app, [str(w) for w in words],
                              env={"LC_ALL": "", "LC_MESSAGES": "", "LANG": lang, **environ})


def run_alone(*words, **environ):
    """Run a command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "gridplan", *map(str, words)], cwd=ROOT,
                          capture_output=True, text=True, encoding="utf-8", check=False,
                          env={**os.environ, **environ})


def last_line(result):
    return result.stdout.rstrip("\n").splitlines()[-1]


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """The layers of a town of three communities, as files."""
    folder = tmp_path_factory.mktemp("town")
    result = gridplan("demo", "--communities", 3, "--inputs-only", "-o", folder)
    assert result.exit_code == 0, result.output
    return {path.stem: path for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def request_words(town):
    """What a planner types to get a plan of the town."""
    return ["partition", "--boundaries", town["boundaries"], "--buildings", town["buildings"],
            "--roads", town["roads"], "--effort", "fast"]


@pytest.fixture(scope="module")
def planned(request_words, tmp_path_factory):
    """The result of planning the town, and the plan."""
    path = tmp_path_factory.mktemp("plan") / "plan.gpkg"
    return gridplan(*request_words, "-o", path), path


@pytest.fixture
def plan(planned, tmp_path):
    """A plan of one's own, to spoil."""
    path = tmp_path / "plan.gpkg"
    path.write_bytes(planned[1].read_bytes())
    return path


@pytest.fixture
def fails(monkeypatch):
    """Let the heart of the next run raise an error."""
    def arrange(error):
        def broken(*_, **__):
            raise error
        monkeypatch.setattr("gridplan.pipeline.plan_city", broken)
    return arrange


# ---- a run that goes well ------------------------------------------------------------------

def test_a_plan_is_written_and_the_last_line_counts_exceptions(planned):
    result, path = planned
    assert result.exit_code == 0, result.output
    assert path.is_file()
    with sqlite3.connect(path) as base:
        odd = base.execute("SELECT count(*) FROM grids WHERE status NOT IN ('ok', 'special')"
                           ).fetchone()[0]
    assert last_line(result) == f"exceptions: {odd}"


def test_the_end_shows_figures_tally_and_times(planned):
    shown = planned[0].stdout
    assert re.search(r"3 communities, \d+ grids, [\d,]+ households", shown)
    assert "rows in" in shown
    assert "buildings" in shown
    assert re.search(r"time: .*partition [\d.]+ s.*peak memory \d+ MB", shown)


def test_the_plan_stores_no_path(planned, town):
    text = planned[1].read_bytes()
    assert str(town["roads"].parent).encode() not in text
    assert b"roads" in text


def test_json_is_one_object_and_the_log_goes_beside_it(request_words, planned, tmp_path):
    result = gridplan(*request_words, "-o", tmp_path / "plan.gpkg", "--json")
    told = json.loads(result.stdout)
    assert told["exit_code"] == result.exit_code == 0
    assert told["written"] == [str(tmp_path / "plan.gpkg")]
    assert last_line(planned[0]) == f"exceptions: {told['exceptions']}"
    assert len(told["exception_list"]) == told["exceptions"]
    assert told["figures"]["communities"] == 3
    assert {r["layer"] for r in told["tally"]} >= {"buildings", "roads", "communities"}
    assert {s["name"] for s in told["stages"]} >= {"read", "clean", "units", "partition"}


def test_every_tally_row_adds_up(request_words):
    told = json.loads(gridplan(*request_words, "--dry-run", "--json").stdout)
    for row in told["tally"]:
        assert row["rows_in"] == (row["used"] + row["repaired"] + row["rejected"]
                                  + row["outside"]), row


def test_a_dry_run_writes_nothing_but_tells_the_same(request_words, planned, tmp_path):
    result = gridplan(*request_words, "-o", tmp_path / "plan.gpkg", "--dry-run")
    assert result.exit_code == 0, result.output
    assert not list(tmp_path.iterdir())
    assert "nothing written" in result.stdout
    assert last_line(result) == last_line(planned[0])


def test_b91_language_time_zone_and_decimal_comma_change_no_byte(request_words, planned, tmp_path):
    path = tmp_path / "plan.gpkg"
    result = run_alone(*request_words, "-o", path, "--lang", "en", LC_ALL="C",
                       TZ="Asia/Shanghai", LC_NUMERIC="de_DE.UTF-8", PYTHONHASHSEED="7")
    assert result.returncode == 0, result.stderr
    assert path.read_bytes() == planned[1].read_bytes()


def test_an_older_plan_is_replaced(request_words, plan):
    before = plan.read_bytes()
    assert gridplan(*request_words, "-o", plan).exit_code == 0
    assert plan.read_bytes() == before


def test_every_input_of_the_town_can_be_used(town, tmp_path):
    path = tmp_path / "plan.gpkg"
    files = {"boundaries": "boundaries", "buildings": "buildings", "roads": "roads",
             "rail": "rail", "water": "water", "walls": "walls", "estates": "estates",
             "gates": "gates", "entrances": "entrances", "special": "specials",
             "totals": "totals", "ledger": "ledger"}
    result = gridplan("partition", *(w for option, name in files.items() if name in town
                                     for w in (f"--{option}", town[name])),
                      "--effort", "fast", "-o", path, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["figures"]["households_by_source:ledger"] > 0
    with sqlite3.connect(path) as base:
        inputs = [key.split(":")[2] for (key,) in base.execute(
            "SELECT key FROM run WHERE key LIKE 'input:%' ORDER BY key")]
    assert {"totals.xlsx", "ledger.xlsx", "roads.gpkg"} <= set(inputs)
    assert gridplan("check", path, "--inputs", *(town[n] for n in files.values() if n in town)
                    ).exit_code == 0


def test_what_a_ledger_leaves_open_is_asked_beside_the_plan(town, tmp_path):
    path = tmp_path / "plan.gpkg"
    result = gridplan("partition", "--boundaries", town["boundaries"], "--buildings",
                      town["buildings"], "--roads", town["roads"], "--ledger", town["ledger"],
                      "--effort", "fast", "-o", path, "--trust", "buildings")
    assert result.exit_code == 0, result.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"plan.gpkg", "plan_ledger.xlsx"}


def test_the_demo_ends_with_the_path_of_its_map(tmp_path):
    folder = tmp_path / "地图"
    result = gridplan("demo", "--communities", 2, "--effort", "fast", "-o", folder, lang="zh_CN")
    assert result.exit_code == 0, result.output
    assert last_line(result) == str(folder / "demo.html")
    assert (folder / "demo.gpkg").is_file()
    assert "<html" in (folder / "demo.html").read_text(encoding="utf-8")[:500]


def test_the_demo_can_stop_after_the_inputs(town):
    assert set(town) >= {"boundaries", "buildings", "roads"}
    assert "demo" not in town


def test_the_demo_spares_layers_that_are_there(tmp_path):
    (tmp_path / "buildings.gpkg").write_text("mine")
    result = gridplan("demo", "--communities", 1, "--inputs-only", "-o", tmp_path)
    assert result.exit_code == 2
    assert [p.name for p in tmp_path.iterdir()] == ["buildings.gpkg"]


def test_a_dry_demo_writes_nothing(tmp_path):
    result = gridplan("demo", "--communities", 1, "--effort", "fast", "--dry-run", "-o",
                      tmp_path / "new")
    assert result.exit_code == 0, result.output
    assert not list(tmp_path.iterdir())


def test_scripts_do_what_the_verbs_do(town, planned, tmp_path):
    plan, page = tmp_path / "plan.gpkg", tmp_path / "plan.html"
    for words in (("partition.py", town["boundaries"], town["buildings"], town["roads"], plan),
                  ("map.py", plan, page)):
        script, *rest = map(str, words)
        done = subprocess.run([sys.executable, ROOT / "scripts" / script, *rest], cwd=ROOT,
                              capture_output=True, text=True, check=True)
        assert done.stdout.strip() == rest[-1]
    assert gridplan("check", plan).exit_code == 0
    assert page.stat().st_size > 10_000


# ---- check, map, inspect, init -------------------------------------------------------------

def test_a_good_plan_passes_the_check(planned):
    result = gridplan("check", planned[1])
    assert result.exit_code == 0, result.output
    assert last_line(result) == last_line(planned[0])


def test_a_plan_that_breaks_a_rule_ends_with_5(plan):
    with sqlite3.connect(plan) as base:
        base.execute("UPDATE figures SET value = value + 1 WHERE name = 'households'")
    result = gridplan("check", plan, "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == told["exit_code"] == 5
    assert told["ok"] is False
    assert told["findings"][0]["mend"]
    assert "plan.gpkg › figures" in result.stderr


def test_a_check_against_changed_inputs_ends_with_5(planned, town, tmp_path):
    other = tmp_path / town["roads"].name
    other.write_bytes(town["roads"].read_bytes() + b" ")
    same = [town["roads"], town["buildings"]]
    assert gridplan("check", planned[1], "--inputs", *same).exit_code == 0
    assert gridplan("check", planned[1], "--inputs", town["buildings"], other).exit_code == 5


def test_the_map_goes_beside_the_plan(plan):
    result = gridplan("map", plan)
    assert result.exit_code == 0, result.output
    assert last_line(result) == str(plan.with_suffix(".html"))
    assert plan.with_suffix(".html").is_file()


def test_a_dry_map_is_not_written(plan):
    assert gridplan("map", plan, "--dry-run").exit_code == 0
    assert [p.name for p in plan.parent.iterdir()] == ["plan.gpkg"]


def test_a_map_never_replaces_its_plan_or_a_letter(plan):
    before, letter = plan.read_bytes(), plan.with_suffix(".html")
    letter.write_text("a letter")
    assert gridplan("map", plan, "-o", plan, "--force").exit_code == 2
    assert gridplan("map", plan).exit_code == 2
    assert (plan.read_bytes(), letter.read_text()) == (before, "a letter")
    assert gridplan("map", plan, "--force").exit_code == 0
    assert gridplan("map", plan).exit_code == 0


def test_inspect_tells_what_a_file_holds_and_writes_nothing(town):
    before = {p: p.stat().st_mtime_ns for p in town["roads"].parent.iterdir()}
    result = gridplan("inspect", town["roads"], town["buildings"])
    assert result.exit_code == 0, result.output
    assert "would be read as roads" in result.stdout
    assert "EPSG:4549" in result.stdout
    assert "floors" in result.stdout
    assert {p: p.stat().st_mtime_ns for p in town["roads"].parent.iterdir()} == before


def test_inspect_in_json(town):
    told = json.loads(gridplan("inspect", town["buildings"], "--json").stdout)
    assert told["files"][0]["layers"][0]["role"] == "buildings"
    assert told["files"][0]["layers"][0]["rows"] > 100


def test_b53_inspect_knows_a_web_page(tmp_path):
    page = tmp_path / "boundary.geojson"
    page.write_text("<!DOCTYPE html><html><body>404</body></html>")
    result = gridplan("inspect", page)
    assert result.exit_code == 3
    assert "web page" in result.stderr


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_init_writes_templates_that_load(tmp_path, lang):
    from python_calamine import CalamineWorkbook

    from gridplan.params import Params, load_params
    from gridplan.read.names import find_columns
    from gridplan.read.patrol_words import SHEET_NAMES
    from gridplan.roster.words import ALIASES as ROSTER_NAMES
    from gridplan.sheets import find_columns as find_named

    result = gridplan("init", "-o", tmp_path / "new", "--lang", lang)
    assert result.exit_code == 0, result.output
    assert load_params(tmp_path / "new" / "gridplan.toml") == Params()
    heads = {}
    for book, tables in BOOKS.items():
        sheets = CalamineWorkbook.from_path(tmp_path / "new" / f"{book}.xlsx")
        for at, table in enumerate(tables):
            heads[table] = sheets.get_sheet_by_index(at).to_python()[0]
            assert len(heads[table]) == len(TABLES[table])
        told = sheets.get_sheet_by_index(len(tables)).to_python()
        assert [row[-2] for row in told] == [h for table in tables for h in heads[table]]
        assert all(all(row) for row in told)
    assert {"community_id", "households"} <= set(find_columns("totals", heads["totals"], {}))
    found = find_named(heads["roster"], ROSTER_NAMES, {})
    assert [found[c] for c in TABLES["roster"]] == list(range(len(TABLES["roster"])))
    for at, table in enumerate(BOOKS["patrol"]):
        assert sheets.sheet_names[at] in SHEET_NAMES[table]
        theirs = find_columns(table, heads[table], {})
        assert set(heads[table]) - set(theirs.values()) <= {"lon", "lat", "经度", "纬度"}
        assert not [ours for ours in theirs if ours not in (*TABLES[table], "name")]


def test_init_never_overwrites_unless_forced(tmp_path):
    (tmp_path / "gridplan.toml").write_text("mine")
    result = gridplan("init", "-o", tmp_path)
    assert result.exit_code == 2
    assert [p.name for p in tmp_path.iterdir()] == ["gridplan.toml"]
    assert (tmp_path / "gridplan.toml").read_text() == "mine"
    assert gridplan("init", "-o", tmp_path, "--force").exit_code == 0
    assert (tmp_path / "gridplan.toml").read_text() != "mine"


def test_templates_bear_no_time():
    first = make_templates("zh")
    time.sleep(2.1)  # a zip file counts in steps of two seconds
    assert make_templates("zh") == first


def test_the_version_is_told():
    from gridplan import __version__

    assert gridplan("--version").stdout.strip() == f"gridplan {__version__}"


# ---- runs that stop ------------------------------------------------------------------------

USAGE = [
    (["partition", "-o", "p.gpkg"], "--boundaries"),
    (["partition", "-o", "p.gpkg"], "--roads"),
    (["partition", "--osm", "a.pbf", "--place", "x", "--delineate", "-o", "p.gpkg"], "--place"),
    (["partition", "--boundaries", "b", "--delineate", "--osm", "a", "-o", "p"], "--delineate"),
    (["partition", "--boundaries", "admin_level=10", "--buildings", "b", "--roads", "r",
      "-o", "p.gpkg"], "level"),
    (["partition", "--boundaries", "b", "--outline", "o", "--osm", "a", "-o", "p"], "outline"),
    (["partition", "--boundaries", "b", "--osm", "a.pbf"], "-o"),
    (["partition", "--boundaries", "b", "--osm", "a", "--effort", "hard", "-o", "p"], "--effort"),
    (["demo", "--seed", "-1"], "--seed"),
    (["demo", "--communities", "0"], "--communities"),
    (["map", "p.gpkg", "--audience", "everyone"], "--audience"),
    (["check", "a.gpkg", "b.gpkg"], "b.gpkg"),
    (["divide"], "divide"), (["check"], "PLAN"), (["inspect"], "FILES"),
]


@pytest.mark.parametrize(("words", "named"), USAGE, ids=lambda w: " ".join(w)[:40])
def test_a_command_that_makes_no_sense_ends_with_2(words, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = gridplan(*words, COLUMNS="200")
    assert result.exit_code == 2
    assert named in result.stderr
    assert not list(tmp_path.iterdir())


def test_all_that_a_request_lacks_is_told_at_once():
    told = json.loads(gridplan("partition", "--json", "-o", "p.gpkg").stdout)
    assert [f["field"] for f in told["findings"]] == ["--buildings", "--roads", "--boundaries"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_bad_input_ends_with_3_one_line_a_fault_and_nothing_written(town, tmp_path, lang):
    result = gridplan("partition", "--boundaries", "none.gpkg", "--buildings", town["buildings"],
                      "--roads", "nowhere.gpkg", "-o", tmp_path / "p.gpkg", lang=lang)
    assert result.exit_code == 3
    assert not list(tmp_path.iterdir())
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, ("none.gpkg", "nowhere.gpkg"), strict=True):
        code, place, what, mend = line.split(" | ")
        assert code == "read.missing_file"
        assert name in place
        assert mend
        assert bool(re.search("[一-鿿]", what)) == (lang == "zh")


def test_strict_ends_with_4_before_anything_is_written(request_words, planned, tmp_path):
    assert last_line(planned[0]) != "exceptions: 0"
    result = gridplan(*request_words, "-o", tmp_path / "p.gpkg", "--strict")
    assert result.exit_code == 4
    assert not list(tmp_path.iterdir())
    assert "cli.strict" in result.stderr


def test_b59_an_absent_folder_is_told_before_the_work(request_words, tmp_path, fails):
    fails(AssertionError("the work began"))
    result = gridplan(*request_words, "-o", tmp_path / "absent" / "p.gpkg")
    assert result.exit_code == 6
    assert "absent" in result.stderr


def test_a_plan_never_replaces_its_own_input(town, request_words):
    before = town["roads"].read_bytes()
    assert gridplan(*request_words, "-o", town["roads"], "--force").exit_code == 2
    assert town["roads"].read_bytes() == before


def test_a_file_that_is_no_plan_is_replaced_only_when_forced(request_words, tmp_path):
    target = tmp_path / "p.gpkg"
    target.write_text("a letter")
    result = gridplan(*request_words, "-o", target)
    assert result.exit_code == 2
    assert target.read_text() == "a letter"
    assert gridplan(*request_words, "-o", target, "--force").exit_code == 0
    assert target.read_bytes().startswith(b"SQLite format 3")


def test_a_held_plan_gets_a_copy_beside_it_or_ends_with_6(request_words, plan):
    before = plan.read_bytes()
    with sqlite3.connect(plan) as base:
        base.execute("BEGIN EXCLUSIVE")
        stopped = gridplan(*request_words, "-o", plan, "--no-copy")
        copied = gridplan(*request_words, "-o", plan, "--json")
        base.rollback()
    assert stopped.exit_code == 6
    assert plan.read_bytes() == before
    assert copied.exit_code == 0
    beside = Path(json.loads(copied.stdout)["written"][0])
    assert beside != plan
    assert beside.parent == plan.parent
    assert beside.is_file()


def test_our_bug_is_one_line_and_ends_with_1(request_words, tmp_path, fails):
    fails(ZeroDivisionError("half a grid"))
    result = gridplan(*request_words, "-o", tmp_path / "p.gpkg")
    assert result.exit_code == 1
    assert "our bug: ZeroDivisionError: half a grid" in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_debug_shows_where_our_bug_is(request_words, tmp_path, fails):
    fails(ZeroDivisionError("half a grid"))
    assert "Traceback" in gridplan(*request_words, "-o", tmp_path / "p.gpkg", "--debug").stderr


@pytest.mark.parametrize(("lang", "said"), [("en", "nothing written"), ("zh", "未写入任何内容")])
def test_an_interrupted_run_ends_with_130(request_words, tmp_path, fails, lang, said):
    fails(KeyboardInterrupt())
    result = gridplan(*request_words, "-o", tmp_path / "p.gpkg", lang=lang)
    assert result.exit_code == 130
    assert said in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="no signals to send")
def test_ctrl_c_reaches_a_run(tmp_path):
    code = ("import os, signal, gridplan.pipeline as p\n"
            "p.plan_city = lambda *a, **k: os.kill(os.getpid(), signal.SIGINT)\n"
            "from gridplan.cli import main; main()")
    done = subprocess.run([sys.executable, "-c", code, "demo", "--communities", "1", "-o",
                           str(tmp_path)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 130, done.stderr
    assert not list(tmp_path.iterdir())
    assert signal.SIGINT


def test_b92_too_little_memory_ends_with_6_and_a_figure(request_words, tmp_path, fails):
    fails(MemoryError())
    result = gridplan(*request_words, "-o", tmp_path / "p.gpkg")
    assert result.exit_code == 6
    assert re.search(r"peak \d+ MB", result.stderr)


def test_a_reader_that_leaves_early_is_no_error(town):
    done = subprocess.run(f"'{sys.executable}' -m gridplan inspect '{town['roads']}' --json"
                          " | true; exit ${PIPESTATUS[0]}", shell=True, cwd=ROOT,
                          executable="/bin/bash", capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


# ---- small parts ---------------------------------------------------------------------------

@pytest.mark.parametrize(("environ", "lang"), [
    ({"LANG": "zh_CN.UTF-8"}, "zh"), ({"LANG": "en_GB.UTF-8"}, "en"), ({"LANG": "C"}, "en"),
    ({"LANG": "de_DE", "LC_ALL": "zh_TW"}, "zh"), ({"LANG": "zh_CN", "LC_ALL": "C"}, "en")])
def test_the_language_is_that_of_the_system(environ, lang):
    from gridplan.cli.options import system_language

    assert system_language(environ) == lang


def test_the_language_asked_for_wins(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert Options(lang="en").language == "en"
    assert Options().language == "zh"


@given(st.text(max_size=200))
def test_b85_data_cannot_draw_on_the_screen(text):
    shown = plain(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert "\n" not in shown


def test_b86_a_very_long_name_is_cut():
    assert len(plain("长" * 10_000)) == 2000


def test_pairs_name_both_sides():
    assert split_pairs("--column", ["floors=层数=x", " a = b "]) == {"floors": "层数=x", "a": "b"}
    with pytest.raises(UsageError) as caught:
        split_pairs("--column", ["floors", "=x", "a="])
    assert len(caught.value.findings) == 3


def test_a_crs_may_hold_an_equals_sign():
    text = "+proj=utm +zone=50"
    assert by_role("--crs", [text], ["roads"]) == text
    assert by_role("--crs", [f"roads={text}"], ["roads"]) == {"roads": text}


@pytest.mark.parametrize("values", [["a", "b"], ["a", "roads=b"]])
def test_one_value_for_all_or_one_per_layer(values):
    with pytest.raises(UsageError):
        by_role("--layer", values, ["roads"])


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_of_many_warnings_of_a_kind_the_first_are_told_and_the_rest_counted(capsys):
    screen = Screen("partition", Options(lang="en"))
    for number in range(9):
        screen.findings.add("params.unknown", "warning", field=f"f{number}")
    screen.findings.add("params.bad_value", "warning", value=1)
    screen.tell_findings()
    screen.tell_findings()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[3] == "params.unknown | … and 6 more"


@pytest.mark.parametrize("verb", ["demo", "init", "inspect", "partition", "check", "map"])
def test_every_verb_explains_itself(verb):
    result = gridplan(verb, "--help", COLUMNS="120")
    assert result.exit_code == 0
    assert "--lang" in result.stdout
    assert "--json" in result.stdout


def test_a_terminal_sees_how_far_a_run_is(monkeypatch):
    screen, terminal = Screen("partition", Options(lang="en")), Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with screen.working({"read": 1.0, "units": 3.0}) as progress:
        progress("read", 0.0)
        progress("units", 0.5)
        progress("an unknown stage", 0.5)
    assert "units" in terminal.getvalue()


def test_a_file_sees_no_bar(capsys):
    with Screen("partition", Options(lang="en")).working({"read": 1.0}) as progress:
        progress("read", 0.5)
    assert capsys.readouterr() == ("", "")


def test_the_first_run_says_that_the_search_is_compiled(request_words, tmp_path, monkeypatch):
    monkeypatch.setattr("gridplan.regions.is_compiled", lambda: False)
    result = gridplan(*request_words, "-o", tmp_path / "p.gpkg")
    assert "compiled once" in result.stderr
    assert "compiled once" not in result.stdout


def test_an_edited_plan_is_not_written_over(request_words, tmp_path):
    plan = tmp_path / "p.gpkg"
    gridplan(*request_words, "-o", plan)
    made = plan.read_bytes()
    gridplan(*request_words, "-o", plan)
    assert plan.read_bytes() == made
    assert len(list(tmp_path.iterdir())) == 1
    with contextlib.closing(sqlite3.connect(plan)) as base:
        for name in ("IsEmpty", "MinX", "MaxX", "MinY", "MaxY"):  # what the triggers call
            base.create_function(f"ST_{name}", 1, lambda shape: 0)
        base.execute("UPDATE grids SET note = 'keep me' WHERE seq = 1")
        base.commit()
    edited = plan.read_bytes()
    result = gridplan(*request_words, "-o", plan)
    assert result.exit_code == 0
    assert plan.read_bytes() == edited
    assert "were edited" in result.stderr + result.stdout
    assert len(list(tmp_path.iterdir())) == 2
    assert gridplan(*request_words, "-o", plan, "--no-copy").exit_code == 6
    assert gridplan(*request_words, "-o", plan, "--force").exit_code == 0
    assert plan.read_bytes() == made


def test_a_full_standard_output_ends_with_6(tmp_path):
    town = Path("/dev/full")
    if not town.exists():
        return
    with town.open("w") as full:
        done = subprocess.run([sys.executable, "-m", "gridplan", "init", "-o", tmp_path],
                              stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 6
    assert "could not be printed" in done.stderr
