"""The benchmarks: what lines say, that figures are those counted by hand, that goals bite."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from benchmarks.children import run_child
from benchmarks.lines import START, make_line, print_line, summarise
from benchmarks.partition import exact, run
from benchmarks.partition.exact import draw_piece
from benchmarks.partition.goals import EXACT_GOALS, GOALS, Goal, judge
from benchmarks.partition.instances import label_pieces, make_lattice, read_instance
from benchmarks.partition.metrics import (
    find_avoidable,
    find_connected,
    find_in_range,
    find_straddling,
    find_superblocks,
    measure_compactness,
    measure_cut,
    measure_road_share,
    measure_weighted_border,
    number_grids,
)
from benchmarks.partition.ours import NEXT_SEED, cut_instance, find_alone
from benchmarks.partition.parts import pack_parts, unpack_parts
from benchmarks.partition.peers import PEERS, Peer, run_peer

ROOT = Path(__file__).parents[1]
MODULES = sorted(".".join(p.relative_to(ROOT).with_suffix("").parts)
                 for p in (ROOT / "benchmarks").rglob("*.py"))
NEED_PEERS = {f"benchmarks.partition.peers.{name}"
              for name in ("metis", "kaffpa", "recom", "regionalise")}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Eight rows of eight blocks of 60 households; a primary road between the halves."""
    return write_town(tmp_path_factory.mktemp("town") / "grid_units.parquet")


def write_town(path, households=60):
    held = make_lattice(8, 8, households=households, major_rows=[4])
    row, column = np.divmod(np.arange(64), 8)
    gpd.GeoDataFrame({"bid": range(64), "hh": held.households, "uid": range(64)},
                     geometry=shapely.box(column * 50, row * 50, column * 50 + 50, row * 50 + 50),
                     crs=32650).to_parquet(path)
    pd.DataFrame({"i": held.u, "j": held.v, "length_m": held.length_m,
                  "cls": np.where(held.major, 4, 1)}).to_parquet(
        path.with_name(path.name.replace("_units", "_edges")))
    return path


def run_lines(capsys, *words):
    """Run the benchmark in this process; return its exit code and its lines."""
    code = run.main([str(word) for word in words])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def rows_of(lines):
    return [x for x in lines if not x.get("summary") and not x.get("goal")
            and x["method"] != "calibration"]


# ---- metrics, counted by hand --------------------------------------------------------------

def square_of_four(major_rows=()):
    """Two rows of two blocks of 50 m: 0 1 below, 2 3 above; minor streets but for a main one."""
    return make_lattice(2, 2, households=200, major_rows=major_rows)


def test_weighted_border_is_length_times_factor_of_the_class():
    plain, main = square_of_four(), square_of_four(major_rows=[1])
    halves = np.array([0, 0, 1, 1])
    assert measure_weighted_border(plain, halves) == 2 * 50 * 3
    assert measure_weighted_border(main, halves) == 2 * 50 * 0.5
    assert measure_weighted_border(main, np.zeros(4, int)) == 0


def test_of_rows_of_several_classes_each_counts_by_its_own(tmp_path):
    path = write_town(tmp_path / "x_units.parquet")
    edges = pd.read_parquet(tmp_path / "x_edges.parquet")
    edges.loc[0, ["length_m", "cls"]] = [30.0, 0]
    extra = pd.DataFrame({"i": [edges["j"][0]], "j": [edges["i"][0]], "length_m": [20.0],
                          "cls": [4]})
    pd.concat([edges, extra]).to_parquet(tmp_path / "x_edges.parquet")
    first = read_instance(path)
    assert first.u.size == len(edges)
    assert first.weight[0] == 30 * 10 + 20 * 0.5
    assert first.road_m[0] == 20
    assert not first.major[0], "less than half of the border is major"


def test_range_counts_both_ends():
    path = make_lattice(1, 4, households=100)
    for labels, expected in (([0, 0, 0, 1], [True, False]), ([0, 0, 0, 0], [True])):
        assert find_in_range(path, np.array(labels)).tolist() == expected
    assert find_in_range(make_lattice(1, 5, households=100), np.zeros(5, int)).tolist() == [True]
    assert find_in_range(make_lattice(1, 2, households=251), np.zeros(2, int)).tolist() == [False]


def test_a_grid_in_two_pieces_is_not_connected():
    path = make_lattice(1, 4)
    assert find_connected(path, np.array([0, 1, 1, 0])).tolist() == [False, True]


def test_road_share_is_by_length_and_null_without_borders():
    block = square_of_four()
    bare = measure_road_share(block.drop_borders(np.zeros(4, bool)), np.zeros(4, int))
    assert bare is None
    assert measure_road_share(block, np.array([0, 0, 1, 1])) == 1.0
    half = dataclasses.replace(block, road_m=np.where(block.u == 0, 25.0, 50.0))
    assert measure_road_share(half, np.array([0, 0, 1, 1])) == 0.75


def test_compactness_of_a_square_and_of_a_strip():
    block = square_of_four()
    assert measure_compactness(block, np.zeros(4, int)) == pytest.approx([np.pi / 4])
    strips = measure_compactness(block, np.array([0, 0, 1, 1]))
    assert strips == pytest.approx([4 * np.pi * 5000 / 300**2] * 2)


def test_straddling_needs_a_tenth_on_either_side():
    block = square_of_four(major_rows=[1])
    assert find_straddling(block, np.zeros(4, int)).tolist() == [True]
    assert find_straddling(block, np.array([0, 0, 1, 1])).tolist() == [False, False]
    lone = make_lattice(2, 1, households=1, major_rows=[1])
    for few, straddles in ((9, False), (10, True)):
        people = np.array([few, 100 - few])
        held = dataclasses.replace(lone, households=people)
        assert find_straddling(held, np.zeros(2, int)).tolist() == [straddles]


def test_straddling_is_avoidable_where_every_side_can_be_cut_alone():
    whole = np.zeros(4, int)
    rich = square_of_four(major_rows=[1])
    assert find_superblocks(rich).tolist() == [0, 0, 1, 1]
    assert find_avoidable(rich, whole, *find_alone(rich)).tolist() == [True]
    poor = make_lattice(2, 2, households=100, major_rows=[1])
    assert find_alone(poor)[1].tolist() == [False, False]
    assert find_avoidable(poor, whole, *find_alone(poor)).tolist() == [False]


def test_a_unit_left_out_is_a_grid_of_its_own():
    figures = measure_cut(make_lattice(1, 5, households=100), np.array([0, 0, 0, 0, -1]))
    assert (figures["grids"], figures["left_out"], figures["valid"]) == (2, 1, 0.5)
    assert number_grids(np.array([3, 3])).tolist() == [0, 0]


def test_borders_between_communities_are_not_counted(tmp_path):
    path = write_town(tmp_path / "x_units.parquet")
    frame = gpd.read_parquet(path)
    frame["community"] = np.where(np.arange(64) < 32, "a", "b")
    frame.to_parquet(path)
    held = read_instance(path)
    assert len(held.pieces) == 2
    assert held.u.size == make_lattice(8, 8).u.size - 8
    halves = (np.arange(64) >= 32).astype(int)
    assert measure_weighted_border(held, halves) == 0


@pytest.mark.parametrize(("change", "message"), [
    ({"cls": 7}, "class"), ({"j": 99}, "not there"), ({"length_m": None}, "no column")])
def test_a_bad_instance_is_refused(tmp_path, capsys, change, message):
    path = write_town(tmp_path / "x_units.parquet")
    edges = pd.read_parquet(tmp_path / "x_edges.parquet")
    for column, value in change.items():
        edges = edges.drop(columns=column) if value is None else edges.assign(**{column: value})
    edges.to_parquet(tmp_path / "x_edges.parquet")
    with pytest.raises(ValueError, match=message):
        read_instance(path)
    assert run_lines(capsys, path) == (2, [])


def test_parts_come_back_as_they_went(town):
    part, = read_instance(town).parts
    back, = unpack_parts(pack_parts((part,)))
    assert all(np.array_equal(getattr(part, k), getattr(back, k)) for k in vars(back))


# ---- the run -------------------------------------------------------------------------------

def test_lines_have_their_fields_in_order_and_a_summary_ends_each_instance(town, capsys):
    code, lines = run_lines(capsys, town, "--seeds", 2, "--effort", "fast")
    assert code == 0
    rows = rows_of(lines)
    assert [(x["method"], x["seed"]) for x in rows] == [
        (method, seed) for method in ("gridplan:free", "gridplan:fixed", "gridplan:plain")
        for seed in (1, 2)]
    behind = ("grids", "valid", "in_range", "connected", "weighted_border", "road_share",
              "compactness", "straddling", "bound", "gap")
    for row in rows:
        assert tuple(row)[:len(START) + len(behind)] == START + behind
        assert (row["instance"], row["valid"], row["status"]) == ("grid", 1.0, "ok")
    assert lines[0]["method"] == "calibration"
    assert lines[0]["score"] > 0
    last = lines[-1]
    assert (last["summary"], last["method"], last["runs"]) == (True, "gridplan:plain", 2)
    assert last["median"] == pytest.approx(np.median([x["weighted_border"] for x in rows[4:]]))
    assert set(last["ratio_to"]) == {"gridplan:free/fast", "gridplan:fixed/fast"}


def test_fixed_makes_as_many_grids_as_metis_is_asked_for(town):
    held = read_instance(town)
    found = cut_instance(held, "fast", 1, fixed=True)
    assert len(np.unique(found.labels)) == round(64 * 60 / 400)


def test_iterations_keep_the_cheapest_and_repeat():
    even = make_lattice(12, 12)
    held = dataclasses.replace(even, weight=np.random.default_rng(1).uniform(1, 9, even.u.size))

    def border(seed, iterations):
        found = cut_instance(held, "fast", seed, iterations=iterations)
        return measure_weighted_border(held, found.labels)

    alone = [border(1 + NEXT_SEED * k, 1) for k in range(5)]
    worse = next(k for k in range(1, 5) if alone[k] > min(alone[:k]))
    assert border(1, worse + 1) == min(alone[:worse]) == border(1, worse + 1)


def test_cpu_is_turned_into_iterations(town, capsys):
    _, lines = run_lines(capsys, town, "--seeds", 1, "--effort", "fast", "--cpu", 0.05)
    assert all(row["iterations"] >= 1 for row in rows_of(lines))


def test_a_miss_exits_1(town, capsys, monkeypatch):
    monkeypatch.setattr(run, "PEERS", ())
    asked = [Goal("grid", "gridplan:free", ("fast",), "road_share", 0.5, at_most=False)]
    monkeypatch.setattr(run, "GOALS", asked)
    words = (town, "--seeds", 1, "--effort", "fast", "--goal")
    code, lines = run_lines(capsys, *words)
    assert (code, lines[-1]["met"], lines[-1]["value"]) == (0, True, 1.0)
    monkeypatch.setattr(run, "GOALS", [*asked, Goal("grid", "gridplan:free", ("fast",), "median",
                                                    1.0)])
    code, lines = run_lines(capsys, *words)
    assert code == 1
    assert [x["status"] for x in lines if x.get("goal")] == ["ok", "missed"]


def test_a_goal_that_was_not_measured_is_not_met():
    line = make_line("partition", "gridplan:free", "1", instance="hel1", effort="normal")
    held = [{**line, "median": 5.0, "settled_lowest": 1.0, "road_share": 0.7, "compactness": 0.6}]
    told = {x["what"]: x["status"] for x in judge(held, GOALS)}
    assert told["to metis:1"] == "not measured"
    assert told["road_share"] == "ok"


def test_goals_of_named_instances_go_before_those_of_all():
    metis = make_line("partition", "metis:1", "1", instance="x")
    ours = make_line("partition", "gridplan:free", "1", instance="x", effort="best")
    limits = {}
    for name in ("hel1", "hel9", "sub4", "vologda"):
        held = [{**ours, "instance": name, "median": 8.0}, {**metis, "instance": name,
                                                            "median": 10.0}]
        limits[name] = [x["limit"] for x in judge(held, GOALS) if x["what"] == "to metis:1"]
    assert limits == {"hel1": [0.845], "hel9": [0.82], "sub4": [0.70], "vologda": [0.86]}


def test_what_provably_cannot_be_in_range_is_settled(tmp_path, capsys):
    path = write_town(tmp_path / "few_units.parquet", households=9)  # 576: neither one nor two
    _, lines = run_lines(capsys, path, "--seeds", 1, "--effort", "fast")
    row = rows_of(lines)[0]
    assert (row["valid"], row["settled"], row["status"]) == (0.0, 1.0, "count")


def test_a_piece_is_drawn_by_seed_and_connected(town):
    held = read_instance(town)
    one, two = draw_piece(held, 10, 20, 1), draw_piece(held, 10, 20, 2)
    assert np.array_equal(one, draw_piece(held, 10, 20, 1))
    assert not np.array_equal(one, two)
    piece = held.select(one, "piece")
    assert not label_pieces(piece.size, piece.u, piece.v).any()
    assert draw_piece(make_lattice(3, 3, households=1), 2, 5, 1) is None


def test_cuts_are_set_against_proven_optima(town, capsys, monkeypatch):
    monkeypatch.setattr(exact, "SMALL", ("small", 2, 14, 18))
    monkeypatch.setattr(exact, "LARGE", ("large", 1, 20, 22))
    _, lines = run_lines(capsys, town, "--seeds", 1, "--effort", "fast", "--exact")
    rows = rows_of(lines)
    ours = rows[0]
    assert ours["bound"] <= ours["weighted_border"]
    assert ours["gap"] == pytest.approx(ours["weighted_border"] / ours["bound"] - 1, abs=1e-5)
    small = [x for x in rows if x["instance"] == "grid:small"]
    assert [x["method"] for x in small] == ["gridplan:exact", "gridplan:free"] * 2
    assert all(x["status"] == "ok" and x["gap"] >= 0 for x in small)
    assert small[0]["weighted_border"] <= small[1]["weighted_border"]
    told = [x for x in lines if x.get("summary") and x["instance"] == "grid:small"]
    assert [(x["method"], x["runs"], "mean" in x) for x in told] == [
        ("gridplan:exact", 2, True), ("gridplan:free", 2, True)]
    assert lines[-1]["instance"] == "grid", "the last line of an instance sums it up"


def test_goals_of_pieces_are_not_those_of_instances():
    held = [{**make_line("partition", "gridplan:free", "1", instance="x:small", effort="best"),
             "mean": 0.0005, "worst": 0.02}]
    assert [(x["what"], x["met"]) for x in judge(held, EXACT_GOALS)] == [
        ("mean", True), ("worst", False)]


# ---- peers ---------------------------------------------------------------------------------

def test_a_peer_that_is_missing_says_how_to_get_it(town, capsys, monkeypatch):
    gone = Peer("gone:1", "no-such-package", "nothing:here")
    monkeypatch.setattr(run, "PEERS", (gone,))
    code, lines = run_lines(capsys, town, "--seeds", 1, "--effort", "fast", "--peers")
    row = rows_of(lines)[-1]
    assert (code, row["method"], row["status"]) == (0, "gone:1", "missing")
    assert "no-such-package" in row["note"]
    assert "pip install .[bench]" in row["note"]


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Peers of our own making: one works, one crashes, one raises, one is busy, one waits."""
    (tmp_path / "stand_in.py").write_text(
        "import os, time\nimport numpy as np\n"
        "def work(part, seed, budget_s):\n    return np.arange(part.size) % part.count\n"
        "def crash(part, seed, budget_s):\n    os.abort()\n"
        "def fail(part, seed, budget_s):\n    raise ValueError('no cut found')\n"
        "def hang(part, seed, budget_s):\n    while True: pass\n"
        "def wait(part, seed, budget_s):\n    time.sleep(60)\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda name: Peer(f"stand-in:{name}", "numpy", f"stand_in:{name}")


@pytest.mark.parametrize(("name", "status", "note"), [
    ("work", "ok", ""), ("crash", "failed", "code"), ("fail", "failed", "no cut found"),
    ("hang", "timeout", "CPU s")])
def test_whatever_a_peer_does_gives_a_row(town, capsys, monkeypatch, stand_in, name, status, note):
    monkeypatch.setattr(run, "PEERS", (stand_in(name),))
    code, lines = run_lines(capsys, town, "--seeds", 1, "--effort", "fast", "--peers",
                            "--peer-seeds", 1, "--peer-cpu", 1)
    row = rows_of(lines)[-1]
    assert (code, row["method"], row["status"]) == (0, f"stand-in:{name}", status)
    assert note in row["note"]
    assert (row["weighted_border"] is not None) == (status == "ok")
    assert lines[-1]["summary"]


def test_a_peer_that_waits_is_ended(town, stand_in):
    outcome, labels = run_peer(stand_in("wait"), read_instance(town), 1, cpu_s=1, wall_s=3)
    assert (outcome.status, labels) == ("timeout", None)


def test_labels_of_a_peer_are_told_apart_by_piece(tmp_path, stand_in):
    path = write_town(tmp_path / "x_units.parquet")
    frame = gpd.read_parquet(path)
    frame["community"] = np.arange(64) // 32
    frame.to_parquet(path)
    held = read_instance(path)
    _, labels = run_peer(stand_in("work"), held, 1, cpu_s=5)
    assert labels is not None
    assert sorted(set(labels)) == list(range(2 * held.parts[0].count))
    assert not set(labels[:32]) & set(labels[32:])


def test_a_child_without_an_answer_has_failed():
    outcome = run_child("this", {}, {}, cpu_s=5)
    assert outcome.status == "failed"


def test_every_peer_is_an_extra_that_is_pinned_and_explained():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = project["project"]["optional-dependencies"]["bench"]
    extra = {re.match(r"[\w-]+", name)[0] for name in asked}
    pinned, run_time = ({line.rstrip("\\ ").partition(" ;")[0] for line in (
        ROOT / lock).read_text(encoding="utf-8").splitlines() if "==" in line and line[0] != " "}
        for lock in ("requirements-bench.lock", "requirements.lock"))
    told = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    names = {line.partition("==")[0] for line in pinned}
    assert {*(peer.package for peer in PEERS), "igraph", "pandana", "pyvrp"} == extra
    assert extra <= names
    assert all(name in told for name in extra)
    same = {line for line in run_time if line.partition("==")[0] in names}
    assert same <= pinned


# ---- lines ---------------------------------------------------------------------------------

def test_figures_are_json_whatever_they_are(capsys):
    print_line({"a": np.int64(3), "b": np.float64("nan"), "c": 1 / 3, "d": {"e": (1.0, None)}})
    assert json.loads(capsys.readouterr().out) == {
        "a": 3, "b": None, "c": 0.333333, "d": {"e": [1.0, None]}}


def test_a_summary_counts_what_was_measured():
    lines = [make_line("b", "peer", "1", instance="i", status=s, border=x)
             for s, x in (("ok", 3.0), ("ok", 5.0), ("timeout", None))]
    found, = summarise(lines, "border", lowest=["border"], highest=["border"])
    assert (found["runs"], found["measured"], found["status"]) == (3, 2, "mixed")
    assert (found["median"], found["best"], found["worst"]) == (4.0, 3.0, 5.0)
    assert (found["border_lowest"], found["border_highest"]) == (3.0, 5.0)


@pytest.mark.parametrize("name", [m for m in MODULES if m not in NEED_PEERS
                                  and not m.endswith("__main__")])
def test_examples_in_docstrings_hold(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0


def test_the_command_prints_lines_on_stdout_and_its_log_on_stderr(town):
    done = subprocess.run([sys.executable, "-m", "benchmarks.partition", str(town), "--seeds", "1",
                           "--effort", "fast"], capture_output=True, text=True, check=True,
                          cwd=ROOT)
    assert all("benchmark" in json.loads(line) for line in done.stdout.splitlines())
    assert "grid: 64 units" in done.stderr
