"""New sites: ``python -m benchmarks.siting --demand 20000 --candidates 5000 --new 150 [--peers]``.

Demand and candidates lie uniformly in a square, a candidate covers what is within 500 m as the
crow flies, weights are 1 to 100. ``covered`` is the weight that is covered, ``bound`` what no
choice of so many sites can better, ``gap`` bound ÷ covered − 1. Of several seeds the worst counts.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.children import run_child
from benchmarks.lines import make_line, print_line, summarise
from benchmarks.timing import calibrate, measure_time, name_machine
from gridplan import __version__
from gridplan.siting import Links, Solution, Work, cover_most

NAME = "siting"
ALLOWED = 1.5  # absolute times may be so much longer on another machine
RADIUS_M = 500.0
SIDE_M = {(2000, 2000, 40): 4000.0, (20000, 5000, 150): 9000.0}
GOALS = {
    (2000, 2000, 40): (("open", 0.0), ("cpu_s_highest", 5.0 * ALLOWED)),
    (20000, 5000, 150): (("gap_highest", 0.005), ("cpu_s_highest", 10.0 * ALLOWED)),
}
PEERS = ("scipy:milp", "spopt:MCLP")


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if a goal is missed."""
    asked = _read_words(words)
    score, watch = calibrate()
    print_line(make_line(NAME, "calibration", name_machine(), cpu_s=watch.cpu_s,
                         wall_s=watch.wall_s, score=score))
    warm_solver()
    size = (asked.demand, asked.candidates, asked.new)
    side_m = asked.side or SIDE_M.get(size) or 1000.0 * (asked.new * np.pi / 4 / 1.4) ** 0.5
    lines = []
    for seed in range(1, asked.seeds + 1):
        links, weight = make_instance(asked.demand, asked.candidates, side_m, seed)
        lines.append(run_ours(links, weight, size, seed))
        print_line(lines[-1])
        if asked.peers and seed <= asked.peer_seeds:
            for peer in PEERS:
                lines.append(run_peer(peer, links, weight, size, seed, asked.peer_cpu))
                print_line(lines[-1])
    summaries = summarise(lines, "gap", medians=("covered", "bound"),
                          highest=("gap", "cpu_s", "wall_s"))
    for summary in summaries:
        summary["open"] = sum(x["status"] != "proven" for x in lines
                              if x["method"] == summary["method"])
        print_line(summary)
    verdicts = judge(summaries[0], GOALS.get(size, ())) if asked.goal else []
    for line in verdicts:
        print_line(line)
    return int(asked.goal and (not verdicts or any(not line["met"] for line in verdicts)))


def judge(summary: dict[str, Any], goals: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """Return a line for every goal; what was not measured is not met.

    >>> held = {"instance": "i", "version": "1", "open": 1, "cpu_s_highest": 2.0}
    >>> [line["met"] for line in judge(held, (("open", 0.0), ("cpu_s_highest", 5.0)))]
    [False, True]
    """
    lines = []
    for what, limit in goals:
        value = summary.get(what)
        met = value is not None and value <= limit
        lines.append({"goal": True, **make_line(
            NAME, "gridplan", summary["version"], instance=summary["instance"],
            status="ok" if met else "missed" if value is not None else "not measured"),
            "what": what, "value": value, "limit": limit, "met": met})
    return lines


def _read_words(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.siting", description="New sites.")
    parser.add_argument("--demand", type=int, default=2000, metavar="N")
    parser.add_argument("--candidates", type=int, default=2000, metavar="N")
    parser.add_argument("--new", type=int, default=40, metavar="N")
    parser.add_argument("--side", type=float, metavar="M",
                        help="of the square, in metres; default: as DESIGN has it, else so that "
                             "the new sites' circles are 1.4 times as large as the square")
    parser.add_argument("--seeds", type=int, default=5, metavar="N")
    parser.add_argument("--peers", action="store_true",
                        help="the plain program handed to HiGHS, and spopt's")
    parser.add_argument("--peer-seeds", type=int, default=1, metavar="N")
    parser.add_argument("--peer-cpu", type=float, default=120.0, metavar="S")
    parser.add_argument("--goal", action="store_true", help="a miss exits 1")
    return parser.parse_args(words)


def make_instance(demand: int, candidates: int, side_m: float, seed: int
                  ) -> tuple[Links, np.ndarray]:
    """Return which demand each candidate covers, and the weights of demand."""
    chance = np.random.default_rng(seed)
    there, here = (chance.random((count, 2)) * side_m for count in (demand, candidates))
    weight = chance.integers(1, 101, demand).astype(np.float64)
    near = cKDTree(here).query_ball_tree(cKDTree(there), RADIUS_M)
    start = np.concatenate([[0], np.cumsum([len(x) for x in near])])
    return Links(start, np.array([i for x in near for i in x], np.int64), demand), weight


def warm_solver() -> None:
    """Compile the kernels and load the solvers on an instance that needs them all."""
    links, weight = make_instance(150, 100, 2200.0, 4)
    cover_most(links, weight, 6, work=Work(shakes=1, prices=5, nodes=1))


def _name(size: tuple[int, int, int]) -> str:
    return "{}x{}k{}".format(*size)


def run_ours(links: Links, weight: np.ndarray, size: tuple[int, int, int], seed: int
             ) -> dict[str, Any]:
    """Return the line of one run of ours."""
    with measure_time() as watch:
        found: Solution = cover_most(links, weight, size[2], seed=seed)
    return make_line(NAME, "gridplan", __version__, instance=_name(size), seed=seed,
                     cpu_s=watch.cpu_s, wall_s=watch.wall_s, status=found.status,
                     links=links.demand.size, covered=found.value, bound=found.bound,
                     gap=found.gap, whole=float(weight.sum()))


def run_peer(peer: str, links: Links, weight: np.ndarray, size: tuple[int, int, int], seed: int,
             cpu_s: float) -> dict[str, Any]:
    """Return the line of a peer, which works in a child process within limits."""
    library = peer.partition(":")[0]
    told: dict[str, Any] = {"instance": _name(size), "seed": seed}
    if importlib.util.find_spec(library) is None:
        return make_line(NAME, peer, "", **told, status="missing", note=f"pip install {library}")
    outcome = run_child("benchmarks.siting_peers", {
        "start": links.start, "demand": links.demand, "weight": weight},
        {"peer": peer, "new": size[2]}, cpu_s=cpu_s + 60, wall_s=2 * cpu_s + 180)
    if outcome.status != "ok":
        return make_line(NAME, peer, "", **told, status=outcome.status, cpu_s=outcome.cpu_s,
                         wall_s=outcome.wall_s, note=outcome.note)
    facts = outcome.facts
    covered = np.zeros(weight.size, np.bool_)
    for j in outcome.arrays["chosen"].tolist():
        covered[links.demand[links.start[j]:links.start[j + 1]]] = True
    value = float(weight[covered].sum())
    bound = facts["bound"]
    gap = None if bound is None else max(bound / value - 1, 0.0) if value else None
    return make_line(NAME, peer, facts["version"], **told, cpu_s=outcome.cpu_s,
                     wall_s=outcome.wall_s, status="proven" if facts["proven"] else "open",
                     links=links.demand.size, covered=value, bound=bound, gap=gap,
                     whole=float(weight.sum()))


if __name__ == "__main__":
    sys.exit(main())
