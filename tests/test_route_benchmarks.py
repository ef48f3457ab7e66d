"""The route benchmarks: files as they are read, goals that bite, runs that repeat."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json

import numpy as np
import pytest
import shapely

from benchmarks import carp, cvrp, postman
from benchmarks.lines import make_line
from benchmarks.routes import judge, list_served, run_ortools, sum_up, verify_routes
from gridplan.patrol.postman import cover_streets
from gridplan.patrol.streets import Streets

# A square 0-1-2-3 of length 10 with a diagonal nobody needs; two vehicles, each holds two sides.
SQUARE = "4 5\n0 1 10 1\n1 2 10 1\n2 3 10 1\n3 0 10 1\n0 2 14 0\n2 2 68 68\n"
FOUR = ("NAME : four\nTYPE : CVRP\nDIMENSION : 5\nEDGE_WEIGHT_TYPE : EUC_2D\nCAPACITY : 2\n"
        "NODE_COORD_SECTION\n1 0 0\n2 0 10\n3 1 10\n4 10 0\n5 10 1\nDEMAND_SECTION\n"
        "1 0\n2 1\n3 1\n4 1\n5 1\nDEPOT_SECTION\n1\n-1\nEOF\n")


@pytest.fixture
def square(tmp_path):
    path = tmp_path / "square.dat"
    path.write_text(SQUARE)
    return path


def run(main, words, capsys):
    code = main([str(word) for word in words])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def ours(lines):
    return next(x for x in lines if x["method"] == "gridplan" and "iterations" in x)


def test_carp_finds_the_best_of_a_square_beside_its_peer(square, capsys):
    code, lines = run(carp.main, [square, "--iterations", 300, "--cpu", 1, "--peers", "--goal"],
                      capsys)
    found = ours(lines)
    # Two sides and the diagonal home, both ways: 34 each.
    assert (found["cost"], found["vehicles"], found["fleet"], found["gap"]) == (68, 2, 2, 0)
    peer = next(x for x in lines if x["method"] == "ortools:gls")
    assert (peer["status"], peer["cost"]) == ("ok", 68)
    assert code == 0


def test_a_missed_goal_exits_1(square, capsys):
    square.write_text(SQUARE.replace("68 68", "60 60"))
    code, lines = run(carp.main, [square, "--iterations", 300, "--goal"], capsys)
    assert code == 1
    assert [x["met"] for x in lines if x.get("goal")] == [False, False]


def test_iterations_repeat_a_run_exactly(square, capsys):
    _, timed = run(carp.main, [square, "--cpu", 0.2], capsys)
    count = ours(timed)["iterations"]
    again = [ours(run(carp.main, [square, "--iterations", count], capsys)[1]) for _ in range(2)]
    assert {(x["cost"], x["iterations"], x["vehicles"]) for x in (ours(timed), *again)} == {
        (68, count, 2)}


@pytest.mark.parametrize("text", ["4 5\n0 1 10 1", SQUARE.replace("0 1 10 1", "0 9 10 1"),
                                  SQUARE.replace("0 1 10 1", "0 1 10 7")])
def test_a_damaged_file_is_told(square, text):
    square.write_text(text)
    with pytest.raises(SystemExit, match=r"square\.dat"):
        carp.read_instance(square)


def test_cvrp_reads_a_file_and_its_best_known(tmp_path, capsys):
    path = tmp_path / "four.vrp"
    path.write_text(FOUR)
    path.with_suffix(".sol").write_text("Route #1: 1 2\nRoute #2: 3 4\nCost 42\n")
    code, lines = run(cvrp.main, [path, "--iterations", 300, "--goal"], capsys)
    found = ours(lines)
    assert (code, found["cost"], found["best_known"], found["vehicles"]) == (0, 42, 42, 2)


def test_a_run_at_fault_meets_no_goal():
    line = {**make_line("carp", "gridplan", "1", instance="a", status="faulty"), "gap": 0.0}
    assert [x["met"] for x in judge("carp", sum_up("carp", [line]), {"mean_gap": 1.0})] == [False]


def test_a_square_of_streets_is_found_where_most_metres_lie():
    near = [shapely.LineString([(0, y), (200, y)]) for y in (10, 20)]
    far = [shapely.LineString([(5000, y), (5300, y)]) for y in (10, 20, 30)]
    box = postman.find_densest(np.array(near + far), 500)
    assert all(line.within(box) for line in far)
    assert not any(line.intersects(box) for line in near)


def grid_of_streets(side=5):
    place = np.arange(side * side).reshape(side, side)
    u = np.concatenate([place[:, :-1].ravel(), place[:-1].ravel()])
    v = np.concatenate([place[:, 1:].ravel(), place[1:].ravel()])
    xy = np.column_stack(np.divmod(np.arange(side * side), side)).astype(float)
    return Streets.of(side * side, u, v, np.full(len(u), 100)), xy


def test_peers_join_their_part_no_cheaper_than_the_optimum():
    streets, xy = grid_of_streets()
    case = postman.make_case(streets, 12, 1)
    every = np.ones(len(streets.u), bool)
    joined, hops = (postman.join_part(streets, 12, every, case.ways, way) for way in (True, False))
    routes, bound = cover_streets(streets, 12, 1, iterations=50)
    assert joined == bound.tour == routes.longest <= hops
    owner = postman.cut_by_angle(streets, 12, xy, 4)
    assert np.bincount(owner).tolist() == [10] * 4


def test_the_peer_answers_streets_and_starts_warm():
    streets, _ = grid_of_streets(3)
    case = postman.make_case(streets, 4, 2)
    routes, bound = cover_streets(streets, 4, 2, iterations=50)
    line = run_ortools("postman", "grid", case, vehicles=2, cpu_s=0.5, longest=True,
                       first=list_served(routes))
    assert line["status"] == "ok"
    assert bound.longest <= max(line["costs"]) <= routes.longest
    assert verify_routes(case, list_served(routes))[1] == []


def test_pyvrp_answers_points_or_is_missed(tmp_path, capsys, monkeypatch):
    path = tmp_path / "four.vrp"
    path.write_text(FOUR)
    path.with_suffix(".sol").write_text("Cost 42\n")
    words = [path, "--iterations", 300, "--cpu", 0.3, "--peers"]
    if importlib.util.find_spec("pyvrp"):
        _, lines = run(cvrp.main, words, capsys)
        peer = next(x for x in lines if x["method"] == "pyvrp")
        assert (peer["status"], peer["cost"], peer["vehicles"]) == ("ok", 42, 2)

    def gone(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("benchmarks.routes.importlib.metadata.version", gone)
    code, lines = run(cvrp.main, words, capsys)
    peer = next(x for x in lines if x["method"] == "pyvrp")
    assert (code, peer["status"], peer["cost"]) == (0, "missing", None)
    assert "pip install .[bench]" in peer["note"]
