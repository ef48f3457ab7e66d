"""The benchmark of the circle: its cities, its answers beside scipy's, its lines and goals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from benchmarks.circle import query
from benchmarks.circle.__main__ import GOALS, judge, largest_difference, main
from benchmarks.circle.instances import FACILITIES, make_city, place_facilities
from benchmarks.lines import START

ROOT = Path(__file__).parents[1]


def test_a_city_is_one_piece_and_comes_back_with_its_seed():
    city = make_city(2000, 3, 2)
    again, other = make_city(2000, 3, 2), make_city(2000, 4, 2)
    assert all(np.array_equal(city[name], again[name]) for name in city)
    assert not np.array_equal(city["xy"][:100], other["xy"][:100])
    graph = nx.Graph(city["ends"].tolist())
    assert len(city["xy"]) >= 2000
    assert len(graph) == len(city["xy"])
    assert nx.is_connected(graph)
    straight = np.hypot(*(city["xy"][city["ends"][:, 0]] - city["xy"][city["ends"][:, 1]]).T)
    assert (city["cost_m"][:, 0] >= straight - 1e-9).all()
    assert (city["cost_m"][:, 0] <= 1.3 * straight + 1e-9).all()


def test_every_category_has_its_share_of_the_nodes():
    held = place_facilities(10_000, 3, 1)
    assert np.bincount(held["group"]).tolist() == [round(10_000 * FACILITIES)] * 3


@pytest.mark.parametrize("method", ["gridplan", "gridplan:1", "scipy"])
@pytest.mark.parametrize("limit", [150.0, np.inf])
def test_every_program_answers_as_networkx(method, limit):
    city = make_city(300, 5, 3)
    city["cost_m"][::7, 1] = np.inf  # some streets lead one way only
    graph = nx.DiGraph()
    for (u, v), (there, back) in zip(city["ends"].tolist(), city["cost_m"].tolist(), strict=True):
        # Against the arcs: the way is to the facility.
        graph.add_edge(v, u, weight=there)
        if np.isfinite(back):
            graph.add_edge(u, v, weight=back)
    n = len(city["xy"])
    places = [city["place"][city["group"] == g].tolist() for g in range(3)]
    found = query.METHODS[method](city, limit)[0]()
    for g, place in enumerate(places):
        held = nx.multi_source_dijkstra_path_length(graph, place)
        wanted = np.array([held.get(x, np.inf) for x in range(n)])
        wanted[wanted > limit] = np.inf
        assert found[g] == pytest.approx(wanted)


def test_a_run_prints_its_lines_and_finds_scipy_s_distances():
    done = subprocess.run([sys.executable, "-m", "benchmarks.circle", "--nodes", "500", "--peers",
                           "--categories", "2", "--repeats", "1"], cwd=ROOT, check=True,
                          capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(tuple(line)[:len(START)] == START for line in lines if "summary" not in line)
    ours = [line for line in lines if line["method"] == "gridplan" and "summary" not in line]
    assert [line["max_abs_diff_m"] for line in ours] == [pytest.approx(0, abs=1e-9)]
    assert all(line["status"] in ("ok", "missing") for line in lines)
    assert {line["method"] for line in lines} >= {"gridplan", "gridplan:1", "scipy", "igraph",
                                                 "pandana"}
    [summary] = [line for line in lines if "summary" in line and line["method"] == "gridplan"]
    assert summary["ratio_to"]["scipy"] == pytest.approx(
        summary["median"] / next(line["query_s"] for line in lines if line["method"] == "scipy"),
        rel=1e-4)


def test_goals_bite():
    good = {"method": "gridplan", "version": "1", "instance": "i", "nodes": 1e6, "median": 1.0,
            "ratio_to": {"scipy": 0.4}, "peak_mb_highest": 400.0, "max_abs_diff_m_highest": 0.0}
    assert [line["met"] for line in judge([good])] == [True] * len(GOALS)
    for name, value in (("median", 4.0), ("ratio_to", {"scipy": 0.6}), ("peak_mb_highest", 501.0),
                        ("max_abs_diff_m_highest", 1.0)):
        assert [line["met"] for line in judge([{**good, name: value}])].count(False) == 1
    missing = {**good, "ratio_to": {}, "max_abs_diff_m_highest": None}
    assert [line["status"] for line in judge([missing])].count("not measured") == 2
    assert not judge([{**good, "method": "scipy"}])
    assert not judge([{**good, "nodes": 20_000}])


def test_one_node_reached_by_one_program_alone_is_a_difference():
    assert largest_difference(np.array([np.inf, 1.0]), np.array([5.0, 1.0])) == np.inf


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--houses", "3"])
    assert "--houses" in capsys.readouterr().err
