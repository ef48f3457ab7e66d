"""Nearest facilities: ``python -m benchmarks.circle --osm F | --nodes 1000000 [--peers]``."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.children import Arrays, run_child
from benchmarks.circle.instances import make_city, read_city
from benchmarks.lines import make_line, print_line, summarise
from benchmarks.timing import calibrate, name_machine

NAME = "circle"
ALLOWED = 1.5  # absolute times may be so much longer on another machine
GOALS = (("query_s", 2.0 * ALLOWED), ("to scipy", 0.5), ("peak_mb_highest", 500.0),
         ("max_abs_diff_m_highest", 1e-6))
OURS, PEERS = ("gridplan", "gridplan:1"), ("scipy", "igraph", "pandana")


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if a goal is missed."""
    asked = _read_words(words)
    score, watch = calibrate()
    print_line(make_line(NAME, "calibration", name_machine(), cpu_s=watch.cpu_s,
                         wall_s=watch.wall_s, score=score))
    lines: list[dict[str, Any]] = []
    for seed in range(1, asked.seeds + 1):
        for path in asked.osm:
            city = read_city(path, seed, asked.categories)
            lines += _run_all(path.name, city, seed, asked)
        for nodes in asked.nodes:
            lines += _run_all(f"lattice{nodes}", make_city(nodes, seed, asked.categories), seed,
                              asked)
    summaries = summarise(lines, "query_s", medians=("query_cpu_s", "prepare_s", "reached"),
                          highest=("peak_mb", "max_abs_diff_m"))
    verdicts = judge(summaries) if asked.goal else []
    for line in (*summaries, *verdicts):
        print_line(line)
    return int(any(not line["met"] for line in verdicts))


def _read_words(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.circle",
                                     description="Nearest facilities of a city.")
    parser.add_argument("--osm", type=Path, nargs="+", default=[], metavar="F",
                        help="extracts whose walkers' networks are asked")
    parser.add_argument("--nodes", type=int, nargs="+", default=[], metavar="N",
                        help="junctions of a made-up city")
    parser.add_argument("--categories", type=int, default=10, metavar="N")
    parser.add_argument("--limit", type=float, default=1000.0, metavar="M", help="metres (1,000)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--repeats", type=int, default=3, metavar="N",
                        help="queries of which the median counts")
    parser.add_argument("--peers", action="store_true", help="scipy, igraph and pandana")
    parser.add_argument("--peer-cpu", type=float, default=120.0, metavar="S",
                        help="CPU seconds after which a peer is ended")
    parser.add_argument("--goal", action="store_true", help="a miss exits 1; takes scipy along")
    asked = parser.parse_args(words)
    if not asked.osm and not asked.nodes:
        asked.nodes = [1_000_000]
    return asked


def _run_all(instance: str, city: Arrays, seed: int, asked: argparse.Namespace
             ) -> list[dict[str, Any]]:
    """Ask every program; scipy comes first, as the others are compared with its distances."""
    peers = PEERS if asked.peers else PEERS[:1] if asked.goal else ()
    lines, truth = [], None
    for method in (*(p for p in peers if p == "scipy"), *OURS,
                   *(p for p in peers if p != "scipy")):
        line, found = _run_one(instance, method, city, seed, asked, truth)
        truth = found if method == "scipy" else truth
        print_line(line)
        lines.append(line)
    return lines


def _run_one(instance: str, method: str, city: Arrays, seed: int, asked: argparse.Namespace,
             truth: NDArray[np.float64] | None) -> tuple[dict[str, Any], Any]:
    about = {"nodes": len(city["xy"]), "edges": len(city["ends"]), "categories": asked.categories,
             "facilities": len(city["place"]), "limit_m": asked.limit}
    if method in PEERS and importlib.util.find_spec(method) is None:
        return make_line(NAME, method, "", instance=instance, seed=seed, status="missing",
                         note="pip install .[bench]", **about), None
    cpu_s = asked.peer_cpu if method in PEERS else 3600.0
    done = run_child("benchmarks.circle.query", city, {
        "method": method, "limit_m": asked.limit, "repeats": asked.repeats}, cpu_s=cpu_s)
    found = done.arrays.get("distance_m")
    told = {name: done.facts.get(name) for name in ("prepare_s", "query_s", "query_cpu_s",
                                                    "peak_mb")}
    return make_line(
        NAME, method, str(done.facts.get("version", "")), instance=instance, seed=seed,
        cpu_s=done.cpu_s, wall_s=done.wall_s, status=done.status, **about, **told,
        reached=None if found is None else float(np.isfinite(found).mean()),
        max_abs_diff_m=None if found is None or truth is None else largest_difference(found, truth),
        note=done.note), found


def largest_difference(found: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Return by how much distances differ at most; infinite where one alone reaches a node.

    >>> inf = float("inf")
    >>> largest_difference(np.array([1.0, inf]), np.array([1.5, inf]))
    0.5
    >>> largest_difference(np.array([1.0, inf]), np.array([1.0, 9.0]))
    inf
    """
    both = np.isfinite(found) & np.isfinite(truth)
    if (np.isfinite(found) != np.isfinite(truth)).any():
        return float("inf")
    return float(np.abs(found[both] - truth[both]).max(initial=0.0))


def judge(summaries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a line for every goal; what was not measured is not met.

    >>> held = [{"method": "gridplan", "version": "1", "instance": "i", "median": 9.0}]
    >>> [(line["what"], line["met"]) for line in judge(held)][0]
    ('query_s', False)
    """
    lines = []
    for summary in summaries:
        for what, limit in GOALS if summary["method"] == "gridplan" else ():
            value = (summary["median"] if what == "query_s"
                     else summary.get("ratio_to", {}).get(what.removeprefix("to "))
                     if what.startswith("to ") else summary.get(what))
            met = value is not None and value <= limit
            lines.append({"goal": True, **make_line(
                NAME, "gridplan", summary["version"], instance=summary["instance"],
                status="ok" if met else "missed" if value is not None else "not measured"),
                "what": what, "value": value, "limit": limit, "met": met})
    return lines


if __name__ == "__main__":
    sys.exit(main())
