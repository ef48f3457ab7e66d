"""OR-Tools routing as a peer, in a process of its own: ``routing_peer JOB RESULT``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.children import limit_cpu, read_job, write_job

SPAN = 100  # what the longest route costs per unit where it counts


def main() -> None:
    """Solve the job with guided local search until its CPU seconds are over."""
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    arrays, facts = read_job(Path(sys.argv[1]))
    limit_cpu(facts["cpu_s"])
    n = len(arrays["u"])
    points = bool((arrays["u"] == arrays["v"]).all())
    begin, end, serve = lay_nodes(arrays, facts["depot"], points)
    nodes, vehicles = len(begin), facts["vehicles"]
    cost = np.minimum(arrays["ways"][np.ix_(end, begin)] + serve[None, :], 10**12)
    manager = pywrapcp.RoutingIndexManager(nodes, vehicles, 0)
    routing = pywrapcp.RoutingModel(manager)
    transit = routing.RegisterTransitMatrix(cost.tolist())
    routing.SetArcCostEvaluatorOfAllVehicles(transit)
    load = np.concatenate([[0], arrays["load"] if points else np.repeat(arrays["load"], 2)])
    routing.AddDimension(routing.RegisterUnaryTransitVector(load.tolist()), 0,
                         min(facts["capacity"], 10**12), True, "load")
    if facts["longest"]:
        routing.AddDimension(transit, 0, int(serve.sum() * 3), True, "length")
        routing.GetDimensionOrDie("length").SetGlobalSpanCostCoefficient(SPAN)
    if not points:
        for x in range(n):
            routing.AddDisjunction([manager.NodeToIndex(1 + 2 * x), manager.NodeToIndex(2 + 2 * x)])
    asked = pywrapcp.DefaultRoutingSearchParameters()
    asked.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PATH_CHEAPEST_ARC
    asked.local_search_metaheuristic = (
        routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH)
    asked.time_limit.seconds = int(10 * facts["seconds"]) + 10  # of the wall; CPU decides
    start, began = time.process_time(), time.perf_counter()
    routing.AddSearchMonitor(routing.solver().CustomLimit(
        lambda: time.process_time() - start > facts["seconds"]))
    found = solve(routing, asked, arrays["first"], vehicles, points)
    served = read_answer(routing, manager, found, vehicles, points) if found else []
    write_job(Path(sys.argv[2]), {"served": np.array(served, np.int64).reshape(-1, 3)},
              {"cpu_s": time.process_time() - start, "wall_s": time.perf_counter() - began})


def lay_nodes(arrays: dict[str, Any], depot: int, points: bool) -> tuple[Any, Any, Any]:
    """Return where each node begins and ends and what serving it costs; the depot comes first."""
    u, v, serve = arrays["u"], arrays["v"], arrays["serve"]
    if points:
        return np.r_[depot, u], np.r_[depot, u], np.r_[0, serve[:, 0]]
    begin, end = np.column_stack([u, v]).ravel(), np.column_stack([v, u]).ravel()
    return np.r_[depot, begin], np.r_[depot, end], np.r_[0, serve.ravel()]


def solve(routing: Any, asked: Any, first: Any, vehicles: int, points: bool) -> Any:
    """Solve, from given routes where there are some."""
    if not len(first):
        return routing.SolveWithParameters(asked)
    routing.CloseModelWithParameters(asked)
    node = 1 + first[:, 1] if points else 1 + 2 * first[:, 1] + first[:, 2]
    routes = [node[first[:, 0] == r].tolist() for r in range(vehicles)]
    return routing.SolveFromAssignmentWithParameters(
        routing.ReadAssignmentFromRoutes(routes, True), asked)


def read_answer(routing: Any, manager: Any, found: Any, vehicles: int,
                points: bool) -> list[tuple[int, int, int]]:
    """Return route, task and way of everything that is served, in order."""
    served = []
    for r in range(vehicles):
        at = found.Value(routing.NextVar(routing.Start(r)))
        while not routing.IsEnd(at):
            node = manager.IndexToNode(at) - 1
            served.append((r, node, 0) if points else (r, node // 2, node % 2))
            at = found.Value(routing.NextVar(at))
    return served


if __name__ == "__main__":
    main()
