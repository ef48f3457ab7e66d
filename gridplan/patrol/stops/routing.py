"""OR-Tools routing on the visits: better a plan that keeps its rules, never worsen it.

Everything is whole numbers in matrices; no function of ours is called by the solver, because it
takes a failing one for a cost of 0. Only the child process imports this at run time: a slip in a
model aborts the whole process.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gridplan.patrol.stops.problem import NO_WAY, Ints
from gridplan.patrol.stops.work import Work

STATUSES = ("not solved", "success", "local optimum not reached", "fail", "timeout", "invalid",
            "infeasible", "optimal")
A_DAY_S = 86_400


def improve_routes(work: Work, routes: list[list[int]], solutions: int
                   ) -> tuple[str, list[list[int]], list[int]]:
    """Improve routes by guided local search from where they stand.

    Parameters
    ----------
    work
        Visits and teams. Every visit has a window and a team that may make it.
    routes
        Visits of each team in order; the visits of a stop are numbered in order of time.
    solutions
        Solutions the solver may go through; the only limit of its work.

    Returns
    -------
    tuple
        What the solver says of itself, one of ``STATUSES``; the routes it found, none when it
        found nothing; and when each visit begins, -1 for those not made, shape (v,).
    """
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    visits, teams = work.node.size, work.mode.size
    starts = list(range(visits, visits + teams))
    ends = list(range(visits + teams, visits + 2 * teams))
    manager = pywrapcp.RoutingIndexManager(visits + 2 * teams, teams, starts, ends)
    model = pywrapcp.RoutingModel(manager)
    _add_costs(model, work)
    _add_time(model, manager, work)
    _add_rules(model, manager, work)
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.local_search_metaheuristic = (
        routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH)
    parameters.solution_limit = solutions
    # A clock must not decide: the least limit there is inside is raised out of reach.
    parameters.lns_time_limit.seconds = A_DAY_S
    model.CloseModelWithParameters(parameters)
    index = [[manager.NodeToIndex(x) for x in route] for route in routes]
    start = model.ReadAssignmentFromRoutes(index, True)
    if start is None:
        return "start refused", [], []
    found = model.SolveFromAssignmentWithParameters(start, parameters)
    status = int(model.status())
    name = STATUSES[status] if 0 <= status < len(STATUSES) else str(status)
    if found is None:
        return name, [], []
    return name, *_read_routes(model, manager, found, work)


def _read_routes(model: Any, manager: Any, found: Any, work: Work
                 ) -> tuple[list[list[int]], list[int]]:
    routes, begin = [], [-1] * work.node.size
    time = model.GetDimensionOrDie("time")
    for v in range(work.mode.size):
        route, at = [], found.Value(model.NextVar(model.Start(v)))
        while not model.IsEnd(at):
            route.append(int(manager.IndexToNode(at)))
            begin[route[-1]] = int(found.Min(time.CumulVar(at)))
            at = found.Value(model.NextVar(at))
        routes.append(route)
    return routes, begin


def spread_ways(work: Work, mode: int, beyond: int) -> Ints:
    """Return travel between visits, starts and ends in one mode, shape (v + 2k, v + 2k).

    ``beyond`` stands where there is no way: it is longer than the day, so that the solver's own
    time forbids the arc; what no mode can drive is taken out of the model besides.
    """
    place = np.concatenate([work.node, work.start, work.end])
    ways = work.travel[mode][np.ix_(place, place)]
    return np.where(ways == NO_WAY, beyond, ways)


def _horizon(work: Work) -> int:
    return int(work.finish.max())


def _add_costs(model: Any, work: Work) -> None:
    """Travel and toll on arcs; the longest work, a dimension without waiting, by its span."""
    beyond = _horizon(work) + 1
    teams = work.mode.size
    stay = np.concatenate([work.stay, np.zeros(2 * teams, np.int64)])[:, None]
    ways = {m: spread_ways(work, m, beyond) for m in sorted(set(work.mode.tolist()))}
    spent = {m: model.RegisterTransitMatrix((w + stay).tolist()) for m, w in ways.items()}
    plain = {m: model.RegisterTransitMatrix(w.tolist()) for m, w in ways.items()}
    for v, mode in enumerate(work.mode.tolist()):
        if work.toll[:, v].any():
            toll = np.concatenate([work.toll[:, v], np.zeros(2 * teams, np.int64)])[None, :]
            model.SetArcCostEvaluatorOfVehicle(
                model.RegisterTransitMatrix((ways[mode] + toll).tolist()), v)
        else:
            model.SetArcCostEvaluatorOfVehicle(plain[mode], v)
    passing = [spent[m] for m in work.mode.tolist()]
    model.AddDimensionWithVehicleTransits(passing, beyond, _horizon(work), False, "time")
    if work.balance:
        most = int(work.done.max()) + _horizon(work) + int(work.stay.sum())
        model.AddDimensionWithVehicleTransits(passing, 0, most, False, "work")
        load = model.GetDimensionOrDie("work")
        for v in range(teams):
            load.CumulVar(model.Start(v)).SetValue(int(work.done[v]))
        load.SetGlobalSpanCostCoefficient(work.balance)


def _add_time(model: Any, manager: Any, work: Work) -> None:
    """Shifts, breaks, windows, and the spacing of visits to one stop."""
    time = model.GetDimensionOrDie("time")
    resting = [*work.stay.tolist(), *[0] * (2 * work.mode.size)]
    for v in range(work.mode.size):
        for end in (model.Start(v), model.End(v)):
            time.CumulVar(end).SetRange(int(work.ready[v]), int(work.finish[v]))
        if work.rest[v]:
            rest = model.solver().FixedDurationIntervalVar(
                int(work.rest_from[v]), int(work.rest_to[v] - work.rest[v]), int(work.rest[v]),
                False, f"break {v}")
            time.SetBreakIntervalsOfVehicle([rest], v, resting)
    for x in range(work.node.size):
        rows = range(int(work.window[x]), int(work.window[x + 1]))
        begin = time.CumulVar(manager.NodeToIndex(x))
        begin.SetRange(int(work.opens[rows[0]]), min(int(work.last[rows[-1]]), _horizon(work)))
        for row in rows[1:]:
            begin.RemoveInterval(int(work.last[row - 1]) + 1, int(work.opens[row]) - 1)
        for y in range(x + 1, int(work.after[x])):
            time.AddNodePrecedence(manager.NodeToIndex(x), manager.NodeToIndex(y),
                                   int(work.spacing[x]))


def _add_rules(model: Any, manager: Any, work: Work) -> None:
    """Who may go where, ways nobody can drive, and what leaving a visit out costs."""
    none = (work.travel[sorted(set(work.mode.tolist()))] == NO_WAY).all(axis=0)
    for x in range(work.node.size):
        index = manager.NodeToIndex(x)
        model.VehicleVar(index).RemoveValues(np.flatnonzero(~work.allowed[x]).tolist())
        model.AddDisjunction([index], int(work.penalty[x]))
        for y in np.flatnonzero(none[work.node[x]][work.node]).tolist():
            if y != x:
                model.NextVar(index).RemoveValue(manager.NodeToIndex(y))
