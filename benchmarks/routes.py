"""What the route benchmarks share: an independent verifier, calibration, peers, goals.

The verifier knows nothing of the search: it gets streets and lengths as the instance has them,
and routes as lists of what is served and how.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gridplan
from benchmarks.children import run_child
from benchmarks.lines import make_line
from benchmarks.timing import measure_time
from gridplan.patrol.problem import Problem, Routes
from gridplan.patrol.search import find_routes

Array = NDArray[np.int64]
Served = list[tuple[int, int]]  # the tasks of a route in order, each with its way, 0 or 1
TRIAL = 200  # iterations of the first calibration run
SHUT = 10**9  # a way that may not be taken costs so much


@dataclass(frozen=True)
class Case:
    """An instance as the verifier takes it: streets u–v, or points where u = v.

    ``serve`` (n, 2) is the cost of serving from u to v, and from v to u; ``ways`` (p, p) the
    least cost from place to place.
    """

    u: Array
    v: Array
    serve: Array
    ways: Array
    load: Array
    capacity: int
    depot: int = 0
    vehicles: int | None = None


def verify_routes(case: Case, routes: Sequence[Served]) -> tuple[list[int], list[str]]:
    """Return the cost of every route, counted anew, and what is wrong with them.

    >>> two = np.array([[0, 3], [3, 0]])
    >>> one = np.array([1])
    >>> case = Case(np.array([0]), one, np.array([[5, 5]]), two, one, capacity=1)
    >>> verify_routes(case, [[(0, 0)]])
    ([8], [])
    >>> verify_routes(case, [[(0, 0)], [(0, 1)]])
    ([8, 8], ['task 0 is served 2 times'])
    """
    faults = []
    counts = dict.fromkeys(range(len(case.u)), 0)
    costs = []
    for number, route in enumerate(routes):
        at, cost, load = case.depot, 0, 0
        for task, way in route:
            if task not in counts or way not in (0, 1):
                faults.append(f"route {number} serves {task} in way {way}")
                continue
            counts[task] += 1
            ends = int(case.u[task]), int(case.v[task])
            first, last = ends if way == 0 else ends[::-1]
            if case.serve[task, way] >= SHUT:
                faults.append(f"route {number} serves task {task} against its one way")
            cost += int(case.ways[at, first]) + int(case.serve[task, way])
            load += int(case.load[task])
            at = last
        costs.append(cost + int(case.ways[at, case.depot]))
        if load > case.capacity:
            faults.append(f"route {number} carries {load} of {case.capacity}")
    faults += [f"task {task} is served {count} times" for task, count in counts.items()
               if count != 1]
    used = sum(len(route) > 0 for route in routes)
    if case.vehicles is not None and used > case.vehicles:
        faults.append(f"{used} routes of {case.vehicles} vehicles")
    return costs, faults


def list_served(routes: Routes) -> list[Served]:
    """Return routes as the verifier takes them, without idle vehicles."""
    return [list(zip(tasks.tolist(), ways.tolist(), strict=True))
            for tasks, ways in zip(routes.tasks, routes.ways, strict=True) if len(tasks)]


def warm_up() -> None:
    """Load the compiled search."""
    triangle = np.ones((3, 3), np.int64) - np.eye(3, dtype=np.int64)
    find_routes(Problem.of([0, 1, 2], [1, 2, 0], [1, 1, 1], triangle, vehicles=2, load=1,
                           capacity=2), iterations=100)


def calibrate_iterations(asked: Problem, cpu_s: float, **options: Any) -> int:
    """Return how many iterations of the search fit into so many CPU seconds here and now.

    A trial that takes a twentieth of the time, a second at most, is measured and scaled; what a
    run without iterations takes is set aside.
    """
    with measure_time() as bare:
        find_routes(asked, iterations=0, **options)
    count = TRIAL
    while True:
        with measure_time() as watch:
            find_routes(asked, iterations=count, **options)
        used = watch.cpu_s - bare.cpu_s
        if used > min(1.0, cpu_s / 20):
            break
        count *= 4
    return max(1, int(count / used * (cpu_s - bare.cpu_s)))


def run_ours(benchmark: str, instance: str, asked: Problem, case: Case, *, cpu_s: float | None,
             iterations: int | None, seed: int, **options: Any) -> dict[str, Any]:
    """Search, verify, and return the line without its figures of merit, but with ``costs``."""
    if iterations is None:
        iterations = calibrate_iterations(asked, cpu_s or 10.0, **options)
    with measure_time() as watch:
        found = find_routes(asked, iterations=iterations, seed=seed, **options)
    costs, faults = verify_routes(case, list_served(found))
    if sum(costs) != found.total:
        faults.append(f"the routes cost {sum(costs)}, not {found.total} as told")
    return {**make_line(benchmark, "gridplan", gridplan.__version__, instance=instance, seed=seed,
                        cpu_s=watch.cpu_s, wall_s=watch.wall_s,
                        status="faulty" if faults else "ok"),
            "iterations": iterations, "costs": costs, "faults": faults}


def run_ortools(benchmark: str, instance: str, case: Case, *, vehicles: int, cpu_s: float,
                longest: bool = False, first: list[Served] | None = None,
                method: str = "ortools:gls") -> dict[str, Any]:
    """Let OR-Tools route the node transformation in a child process, and verify its answer.

    Every street becomes two nodes, one for each direction, of which one is visited.
    """
    rows = [(r, x, w) for r, route in enumerate(first or []) for x, w in route]
    return _run_peer("benchmarks.routing_peer", "ortools", method, benchmark, instance, case,
                     {"first": np.array(rows, np.int64).reshape(-1, 3)},
                     {"vehicles": vehicles, "longest": longest}, cpu_s)


def run_pyvrp(benchmark: str, instance: str, case: Case, *, vehicles: int,
              cpu_s: float) -> dict[str, Any]:
    """Let PyVRP route points in a child process, and verify its answer."""
    return _run_peer("benchmarks.pyvrp_peer", "pyvrp", "pyvrp", benchmark, instance, case, {},
                     {"vehicles": vehicles}, cpu_s)


def _run_peer(module: str, package: str, method: str, benchmark: str, instance: str, case: Case,
              arrays: dict[str, Array], facts: dict[str, Any], cpu_s: float) -> dict[str, Any]:
    """Run a peer that answers with rows of route, task and way."""
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return {**make_line(benchmark, method, "", instance=instance, status="missing"),
                "costs": None, "note": f"{package} is not installed: pip install .[bench]"}
    outcome = run_child(module, {
        "u": case.u, "v": case.v, "serve": case.serve, "ways": case.ways, "load": case.load,
        **arrays}, {"capacity": case.capacity, "depot": case.depot, "seconds": cpu_s, **facts},
        cpu_s=3 * cpu_s + 60)
    line = make_line(benchmark, method, version, instance=instance, cpu_s=outcome.cpu_s,
                     wall_s=outcome.wall_s, status=outcome.status)
    if outcome.status != "ok":
        return {**line, "costs": None, "note": outcome.note}
    served = outcome.arrays["served"]
    if not len(served):
        return {**line, "status": "nothing found", "costs": None}
    routes = [[(int(x), int(w)) for _, x, w in served[served[:, 0] == r]]
              for r in np.unique(served[:, 0])]
    costs, faults = verify_routes(case, routes)
    return {**line, "status": "faulty" if faults else "ok", "costs": costs, "faults": faults}


def sum_up(benchmark: str, lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a summary over all instances for each method: gaps below 0 count as 0, and are told.

    >>> one = {**make_line("carp", "gridplan", "1", instance="a"), "gap": -0.01}
    >>> said = sum_up("carp", [one, {**one, "instance": "b", "gap": 0.03}])[0]
    >>> said["mean_gap"], said["worst_gap"], said["negative"]
    (0.015, 0.03, {'a': -0.01})
    """
    said = []
    for method in dict.fromkeys(line["method"] for line in lines):
        own = [line for line in lines if line["method"] == method]
        gaps = [max(0.0, line["gap"]) for line in own if line.get("gap") is not None]
        said.append({"summary": True, **make_line(
            benchmark, method, own[0]["version"], instance="all",
            status="ok" if all(line["status"] == "ok" for line in own) else "mixed"),
            "runs": len(own), "measured": len(gaps),
            "mean_gap": float(np.mean(gaps)) if gaps else None,
            "worst_gap": max(gaps, default=None),
            "at_best_known": sum(gap == 0 for gap in gaps),
            "negative": {line["instance"]: line["gap"] for line in own
                         if (line.get("gap") or 0) < 0}})
    return said


def judge(benchmark: str, said: Sequence[dict[str, Any]],
          goals: dict[str, float]) -> list[dict[str, Any]]:
    """Return a line for every goal on ours; a run at fault or not measured misses all."""
    lines = []
    for summary in said:
        if summary["method"] != "gridplan":
            continue
        for what, limit in goals.items():
            value = summary[what] if summary["runs"] == summary["measured"] else None
            met = value is not None and value <= limit and summary["status"] == "ok"
            lines.append({"goal": True, **make_line(
                benchmark, "gridplan", summary["version"], instance="all",
                status="ok" if met else "missed" if value is not None else "not measured"),
                "what": what, "value": value, "limit": limit, "met": met})
    return lines
