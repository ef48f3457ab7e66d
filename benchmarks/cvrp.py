"""Points with loads: ``python -m benchmarks.cvrp FILE.vrp… --cpu 30 [--peers] [--goal]``.

Capacitated vehicle routing. Files are TSPLIB's, plane distances rounded to whole numbers; the
best known cost is the last number of the ``.sol`` beside each. The fleet is free. ``gap`` is
cost ÷ best known − 1 and may be negative.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.carp import count_vehicles
from benchmarks.lines import make_line, print_line, summarise
from benchmarks.routes import Case, judge, run_ortools, run_ours, run_pyvrp, sum_up, warm_up
from benchmarks.timing import calibrate, name_machine
from gridplan.patrol.problem import Problem

NAME = "cvrp"
GOALS = {"mean_gap": 0.01}


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if the goal is missed."""
    asked = _read_words(words)
    score, watch = calibrate()
    print_line(make_line(NAME, "calibration", name_machine(), cpu_s=watch.cpu_s,
                         wall_s=watch.wall_s, score=score))
    warm_up()
    lines: list[dict[str, Any]] = []
    for path in asked.files:
        own = run_instance(Path(path), asked)
        for line in [*own, *summarise(own, "cost", medians=("gap", "vehicles"))]:
            print_line(line)
        lines += own
    said = sum_up(NAME, lines)
    verdicts = judge(NAME, said, GOALS) if asked.goal else []
    for line in [*said, *verdicts]:
        print_line(line)
    return int(any(not line["met"] for line in verdicts))


def run_instance(path: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the lines of one instance: ours for every seed, then the peers'."""
    case, best_known = read_instance(path)
    vehicles = count_vehicles(case)
    problem = Problem.of(case.u, case.v, 0, case.ways, vehicles=vehicles, load=case.load,
                         capacity=case.capacity)
    lines = [run_ours(NAME, path.stem, problem, case, cpu_s=asked.cpu,
                      iterations=asked.iterations, seed=seed)
             for seed in range(1, asked.seeds + 1)]
    if asked.peers:
        lines += [run(NAME, path.stem, case, vehicles=vehicles, cpu_s=asked.cpu)
                  for run in (run_ortools, run_pyvrp)]
    for line in lines:
        costs = line.pop("costs")
        cost = sum(costs) if costs is not None and line["status"] == "ok" else None
        line |= {"cost": cost, "best_known": best_known,
                 "gap": None if cost is None else cost / best_known - 1,
                 "vehicles": None if costs is None else len(costs)}
    return lines


def read_instance(path: Path) -> tuple[Case, int]:
    """Read a file and what is known of it; place 0 is the depot, the others are the tasks.

    Raises
    ------
    SystemExit
        If it is no such file, or no plain ``EUC_2D`` one.
    """
    facts: dict[str, str] = {}
    tables: dict[str, list[list[int]]] = {}
    rows: list[list[int]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        name, colon, value = (word.strip() for word in line.partition(":"))
        if colon:
            facts[name] = value
        elif name.endswith("_SECTION"):
            rows = tables.setdefault(name, [])
        elif name and name != "EOF":
            rows.append([int(word) for word in name.split()])
    if facts.get("EDGE_WEIGHT_TYPE") != "EUC_2D" or tables.get("DEPOT_SECTION", [[0]])[0] != [1]:
        raise SystemExit(f"{path}: not a file with EUC_2D distances and depot 1")
    xy = np.array(tables["NODE_COORD_SECTION"], np.float64)[:, 1:]
    load = np.array(tables["DEMAND_SECTION"], np.int64)[1:, 1]
    ways = np.floor(np.hypot(*(xy[:, None] - xy[None, :]).transpose(2, 0, 1)) + 0.5)
    task = np.arange(1, len(xy))
    known = path.with_suffix(".sol").read_text(encoding="utf-8").split()[-1]
    return (Case(task, task, np.zeros((len(task), 2), np.int64), ways.astype(np.int64), load,
                 int(facts["CAPACITY"])), int(float(known)))


def _read_words(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cvrp",
                                     description="Points with loads.")
    parser.add_argument("files", nargs="+", metavar="FILE.vrp")
    parser.add_argument("--cpu", type=float, default=30.0, metavar="S",
                        help="CPU seconds of a run; told as iterations")
    parser.add_argument("--iterations", type=int, metavar="N", help="repeat a run exactly")
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--peers", action="store_true", help="OR-Tools routing and PyVRP")
    parser.add_argument("--goal", action="store_true", help="a miss exits 1")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
