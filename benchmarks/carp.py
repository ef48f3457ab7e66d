"""Streets with loads: ``python -m benchmarks.carp FILE.dat… --cpu 10 [--peers] [--goal]``.

Capacitated arc routing. A file tells the number of places and of edges, ``from to cost demand``
of every edge, vehicles, capacity, and the bounds known from below and above; place 0 is the
depot. The fleet is free: ``vehicles`` tells how many were used, ``fleet`` how many the file
names. ``gap`` is cost ÷ best known − 1 and may be negative.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from benchmarks.lines import make_line, print_line, summarise
from benchmarks.routes import Array, Case, judge, run_ortools, run_ours, sum_up, warm_up
from benchmarks.timing import calibrate, name_machine
from gridplan.patrol.problem import Problem

NAME = "carp"
GOALS = {"mean_gap": 0.005, "worst_gap": 0.03}
FAR = 10**8  # between places that no street joins


@dataclass(frozen=True)
class Instance:
    """A file: edges as (m, 4) from, to, cost, demand."""

    name: str
    places: int
    edges: Array
    fleet: int
    capacity: int
    bound: int
    best_known: int


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if a goal is missed."""
    asked = _read_words(words)
    score, watch = calibrate()
    print_line(make_line(NAME, "calibration", name_machine(), cpu_s=watch.cpu_s,
                         wall_s=watch.wall_s, score=score))
    warm_up()
    lines: list[dict[str, Any]] = []
    for path in asked.files:
        own = run_instance(read_instance(path), asked)
        for line in [*own, *summarise(own, "cost", medians=("gap", "vehicles"))]:
            print_line(line)
        lines += own
    said = sum_up(NAME, lines)
    verdicts = judge(NAME, said, GOALS) if asked.goal else []
    for line in [*said, *verdicts]:
        print_line(line)
    return int(any(not line["met"] for line in verdicts))


def run_instance(held: Instance, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the lines of one instance: ours for every seed, then the peer's."""
    case = make_case(held)
    vehicles = count_vehicles(case)
    problem = Problem.of(case.u, case.v, case.serve[:, 0], case.ways, vehicles=vehicles,
                         load=case.load, capacity=case.capacity)
    lines = [run_ours(NAME, held.name, problem, case, cpu_s=asked.cpu,
                      iterations=asked.iterations, seed=seed)
             for seed in range(1, asked.seeds + 1)]
    if asked.peers:
        lines.append(run_ortools(NAME, held.name, case, vehicles=vehicles, cpu_s=asked.cpu))
    for line in lines:
        costs = line.pop("costs")
        cost = sum(costs) if costs is not None and line["status"] == "ok" else None
        line |= {"cost": cost, "best_known": held.best_known, "bound": held.bound,
                 "gap": None if cost is None else cost / held.best_known - 1,
                 "vehicles": None if costs is None else len(costs), "fleet": held.fleet}
    return lines


def read_instance(path: str | Path) -> Instance:
    """Read a file.

    Raises
    ------
    SystemExit
        If it does not hold as many numbers as it says, or an edge leads nowhere.
    """
    words = Path(path).read_text(encoding="utf-8").split()
    try:
        numbers = [int(word) for word in words]
        places, count = numbers[:2]
        edges = np.array(numbers[2:2 + 4 * count], np.int64).reshape(count, 4)
        fleet, capacity, bound, best_known = numbers[2 + 4 * count:]
    except ValueError as error:
        raise SystemExit(f"{path}: not an instance of carp: {error}") from error
    if edges[:, :2].max() >= places or edges.min() < 0 or edges[:, 3].max() > capacity:
        raise SystemExit(f"{path}: an edge leads to no place, or holds more than a vehicle")
    return Instance(Path(path).stem, places, edges, fleet, capacity, bound, best_known)


def make_case(held: Instance) -> Case:
    """Return an instance with the shortest ways between all places."""
    u, v, cost, demand = held.edges.T
    order = np.argsort(-cost, kind="stable")  # of parallel edges the cheapest comes last
    table = np.full((held.places, held.places), FAR, np.int64)
    table[u[order], v[order]] = table[v[order], u[order]] = cost[order]
    ways = dijkstra(coo_array(np.where(table < FAR, table, 0)), directed=False)
    needed = demand > 0
    return Case(u[needed], v[needed], np.column_stack([cost, cost])[needed],
                np.minimum(ways, FAR).astype(np.int64), demand[needed], held.capacity)


def count_vehicles(case: Case) -> int:
    """Return how many vehicles no good plan needs more than.

    Of two routes that are at most half full one would do, so at most one is; hence twice the
    least number.
    """
    return int(min(len(case.u), 2 * -(-case.load.sum() // case.capacity) + 1))


def _read_words(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.carp",
                                     description="Streets with loads.")
    parser.add_argument("files", nargs="+", metavar="FILE.dat")
    parser.add_argument("--cpu", type=float, default=10.0, metavar="S",
                        help="CPU seconds of a run; told as iterations")
    parser.add_argument("--iterations", type=int, metavar="N", help="repeat a run exactly")
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--peers", action="store_true", help="OR-Tools routing")
    parser.add_argument("--goal", action="store_true", help="a miss exits 1")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
