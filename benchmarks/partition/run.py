"""The partition against its peers, its proven optima and its goals: the whole run."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.lines import make_line, print_line, summarise
from benchmarks.partition.exact import run_exact
from benchmarks.partition.goals import EXACT_GOALS, GOALS, judge
from benchmarks.partition.instances import Instance, read_instance
from benchmarks.partition.metrics import measure_cut
from benchmarks.partition.ours import (
    EFFORTS,
    Bounder,
    count_iterations,
    cut_instance,
    find_alone,
    warm_solver,
)
from benchmarks.partition.peers import PEERS, Peer, find_version, run_peer
from benchmarks.partition.peers.field import INSTALL
from benchmarks.timing import calibrate, name_machine
from gridplan import __version__
from gridplan.params import Effort

NAME = "partition"
MEASURE = "weighted_border"
GOAL_PEER = "pymetis"  # goals are ratios to METIS
# Ours: as the plan does it; into METIS's number of grids; as METIS, blind to superblocks.
WAYS: dict[str, dict[str, bool]] = {
    "gridplan:free": {}, "gridplan:fixed": {"fixed": True}, "gridplan:plain": {"apart": False}}
BOUND_EFFORT: Effort = "normal"  # the work that goes into a bound
MEDIANS = ("grids", "valid", "in_range", "connected", "road_share", "compactness", "straddling",
           "avoidable", "bound", "gap")
FIGURES = ("grids", "valid", "in_range", "connected", MEASURE, "road_share", "compactness",
           "straddling", "bound", "gap", "compactness_p10", "avoidable", "left_out")

logger = logging.getLogger("benchmarks")


def read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.partition",
                                     description=(__doc__ or "").strip())
    add = parser.add_argument
    add("units", nargs="+", type=Path, metavar="UNITS.parquet",
        help="X_units.parquet; X_edges.parquet lies beside it")
    add("--seeds", type=_positive, default=20, metavar="N", help="seeds 1…N of ours and METIS")
    add("--effort", choices=EFFORTS, action="append", help="one effort instead of all")
    add("--peers", action="store_true", help="run the peers as well")
    add("--peer", action="append", metavar="NAME", default=[],
        help="with --peers: only methods that start so, such as metis")
    add("--peer-seeds", type=_positive, default=3, metavar="N", help="seeds of slow peers")
    add("--peer-cpu", type=float, default=120.0, metavar="S", help="CPU limit of a peer's run")
    add("--exact", action="store_true",
        help="bound our cuts, and compare with proven optima of small pieces")
    add("--goal", action="store_true",
        help="judge the goals, which takes METIS along; a miss exits 1")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--cpu", type=float, metavar="S",
                        help="CPU seconds a run of ours, turned into --iterations by timing one")
    budget.add_argument("--iterations", type=_positive, metavar="N", default=1,
                        help="cuts of ours of which the cheapest counts")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if a goal is missed, 2 if an instance cannot be read."""
    arguments = read_arguments(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        instances = [read_instance(path) for path in arguments.units]
    except (OSError, ValueError) as error:
        logger.error("%s", error)
        return 2
    score, watch = calibrate()
    print_line(make_line(NAME, "calibration", name_machine(), cpu_s=watch.cpu_s,
                         wall_s=watch.wall_s, score=score))
    logger.info("warming up")
    warm_solver()
    summaries: list[dict[str, Any]] = []
    proven: list[dict[str, Any]] = []
    for instance in instances:
        lines = list(_tell_all(run_instance(instance, arguments)))
        if arguments.exact:
            proven += _tell_all(run_exact(instance, arguments.effort or EFFORTS, print_line))
        summaries += _tell_all(summarise(lines, MEASURE, medians=MEDIANS, lowest=("settled",),
                                         highest=("avoidable",)))
    verdicts = []
    if arguments.goal:
        verdicts = list(_tell_all([*judge(summaries, GOALS), *judge(proven, EXACT_GOALS)]))
    missed = [line for line in verdicts if not line["met"]]
    for line in missed:
        logger.info("missed: %s %s %s: %s = %s, goal %s", line["instance"], line["method"],
                    line["effort"], line["what"], line["value"], line["limit"])
    return 1 if missed else 0


def run_instance(instance: Instance, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a line for every run on an instance, ours first."""
    logger.info("%s: %d units, %d households, %d pieces", instance.name, instance.size,
                instance.households.sum(), len(instance.pieces))
    blocks = find_alone(instance)
    bounder = Bounder(instance, BOUND_EFFORT) if arguments.exact else None
    for effort in arguments.effort or EFFORTS:
        for method in WAYS:
            yield from _run_ours(instance, effort, method, blocks, bounder, arguments)
    for peer in PEERS:
        wanted = (any(peer.method.startswith(name) for name in arguments.peer)
                  if arguments.peer else True)
        if (arguments.peers and wanted) or (arguments.goal and peer.package == GOAL_PEER):
            yield from _run_peer(peer, instance, blocks, arguments)


def _run_ours(instance: Instance, effort: Any, method: str, blocks: tuple[Any, Any],
              bounder: Bounder | None, arguments: argparse.Namespace
              ) -> Iterator[dict[str, Any]]:
    iterations = arguments.iterations
    if arguments.cpu:
        iterations = count_iterations(instance, effort, arguments.cpu, **WAYS[method])
        logger.info("%s %s %s: --iterations %d", instance.name, method, effort, iterations)
    for seed in range(1, arguments.seeds + 1):
        found = cut_instance(instance, effort, seed, iterations=iterations, **WAYS[method])
        figures = measure_cut(instance, found.labels, *blocks)
        if bounder is not None:
            figures["bound"] = bounder.bound(found)
            figures["gap"] = find_gap(figures[MEASURE], figures["bound"])
        grids = figures["grids"]
        settled = (round(figures["valid"] * grids) + found.excused) / grids
        yield make_line(NAME, method, __version__, instance=instance.name, seed=seed,
                        effort=effort, cpu_s=found.watch.cpu_s, wall_s=found.watch.wall_s,
                        status=found.status, **_in_order(figures), settled=settled,
                        iterations=iterations)


def _tell_all(lines: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for line in lines:
        print_line(line)
        yield line


def find_gap(value: float, bound: float) -> float | None:
    """Return how far a value is above its bound, as a share of that; None of a bound of 0.

    >>> find_gap(12.0, 10.0), find_gap(10.0, 10.0 + 1e-9), find_gap(3.0, 0.0)
    (0.2, 0.0, None)
    """
    return round(max(0.0, value / bound - 1.0), 12) if bound > 0 else None


def _run_peer(peer: Peer, instance: Instance, blocks: tuple[Any, Any],
              arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    version = find_version(peer.package)
    if version is None:
        note = f"{peer.package} is not installed: {INSTALL}"
        logger.info("%s: %s", peer.method, note)
        yield make_line(NAME, peer.method, "", instance=instance.name, status="missing",
                        **_in_order({}), note=note)
        return
    seeds = {"all": arguments.seeds, "few": arguments.peer_seeds, "one": 1}
    for seed in range(1, seeds[peer.seeds] + 1):
        outcome, labels = run_peer(peer, instance, seed, cpu_s=arguments.peer_cpu)
        figures = {} if labels is None else measure_cut(instance, labels, *blocks)
        yield make_line(NAME, peer.method, f"{peer.package} {version}", instance=instance.name,
                        seed=seed, cpu_s=outcome.cpu_s, wall_s=outcome.wall_s,
                        status=outcome.status, **_in_order(figures),
                        settled=figures.get("valid"), note=outcome.note)
        if outcome.status == "timeout":
            logger.info("%s: no further seeds after a timeout", peer.method)
            return


def _in_order(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures.get(name) for name in FIGURES}


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value
