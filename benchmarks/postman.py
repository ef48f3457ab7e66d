"""Streets by teams: ``python -m benchmarks.postman --osm F --teams 8 --cpu 40 [--peers]``.

The public roads of a square of a map, every street to be passed once by one of k teams that start
and end at the place nearest to the middle; the longest route is to be shortest. ``bound_m`` is
found without routes, ``gap`` is longest_m ÷ bound_m − 1, ``served_share`` the share of required
length that the verifier saw served. On foot all streets are open both ways; by car one-way
streets are kept.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

import gridplan
from benchmarks.lines import make_line, print_line, summarise
from benchmarks.routes import (
    SHUT,
    Array,
    Case,
    Served,
    calibrate_iterations,
    judge,
    list_served,
    run_ortools,
    sum_up,
    verify_routes,
    warm_up,
)
from benchmarks.timing import calibrate, measure_time, name_machine
from gridplan.errors import Findings
from gridplan.network import StreetNetwork, build_network
from gridplan.osm import read_extract
from gridplan.patrol.bound import Bound, bound_longest
from gridplan.patrol.postman import cover_streets, order_tour, split_tour
from gridplan.patrol.problem import FORBIDDEN, find_ways
from gridplan.patrol.streets import Streets, make_problem

NAME = "postman"
GOALS = {"worst_gap": 0.03}
UNIT_M = 0.1  # costs are whole decimetres
STEP_M = 100.0  # raster by which the densest window is found
ROADS = ("public", "all")


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if the goal is missed."""
    asked = _read_words(words)
    score, watch = calibrate()
    print_line(make_line(NAME, "calibration", name_machine(), cpu_s=watch.cpu_s,
                         wall_s=watch.wall_s, score=score))
    roads = take_roads(asked.osm, asked.window, asked.roads)
    streets, depot, xy = lay_streets(build_network(roads, asked.mode))
    case = make_case(streets, depot, asked.teams)
    bound = bound_longest(streets, depot, asked.teams)
    warm_up()
    instance = f"{Path(asked.osm).stem.partition('.')[0]}:{asked.mode}:{asked.teams}"
    lines = [run_ours(instance, streets, depot, case, asked, seed)
             for seed in range(1, asked.seeds + 1)]
    if asked.peers:
        lines += run_peers(instance, streets, depot, case, xy, asked)
    for line in lines:
        tell_merit(line, case, bound)
        print_line(line)
    said = sum_up(NAME, lines)
    verdicts = judge(NAME, said, GOALS) if asked.goal else []
    for line in [*summarise(lines, "longest_m", medians=("gap", "served_share")), *said,
                 *verdicts]:
        print_line(line)
    return int(any(not line["met"] for line in verdicts))


# ---- the instance

def take_roads(path: str, window: str, kind: str) -> gpd.GeoDataFrame:
    """Return the roads of a map, cut to a square, in a metric CRS.

    Parameters
    ----------
    window
        ``densest:3km``: the square of that width with the greatest length of roads; ``all``.
    """
    roads = read_extract(path, Findings())[0]["roads"]
    if kind == "public":
        roads = roads[roads["public"].astype(bool)]
    roads = roads.to_crs(roads.estimate_utm_crs())
    if window != "all":
        found = re.fullmatch(r"densest:([\d.]+)km", window)
        if not found:
            raise SystemExit(f"--window {window}: say densest:3km, or all")
        roads = roads.clip(find_densest(roads.geometry.to_numpy(), 1000 * float(found[1])))
    pieces = roads.explode(ignore_index=True)
    pieces = pieces[pieces.geom_type == "LineString"].reset_index(drop=True)
    return pieces.assign(road_id=pieces.index.astype(str))


def find_densest(lines: NDArray[Any], width_m: float) -> shapely.Polygon:
    """Return the square in which most metres of lines lie, on a raster of ``STEP_M``.

    >>> street = np.array([shapely.LineString([(0, 0), (450, 0)])])
    >>> find_densest(street, 500).intersection(street[0]).length
    450.0
    """
    pieces = shapely.segmentize(lines, STEP_M / 4)
    xy, row = shapely.get_coordinates(pieces, return_index=True)
    same = row[1:] == row[:-1]
    middle = ((xy[1:] + xy[:-1]) / 2)[same]
    length = np.hypot(*np.diff(xy, axis=0).T)[same]
    corner = np.floor(middle.min(axis=0) / STEP_M) * STEP_M
    cell = ((middle - corner) // STEP_M).astype(int)
    steps = max(1, round(width_m / STEP_M))
    table = np.zeros(np.maximum(cell.max(axis=0) + 1, steps))
    np.add.at(table, (cell[:, 0], cell[:, 1]), length)
    whole = np.pad(table.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = (whole[steps:, steps:] - whole[:-steps, steps:] - whole[steps:, :-steps]
              + whole[:-steps, :-steps])
    x, y = corner + np.array(np.unravel_index(inside.argmax(), inside.shape)) * STEP_M
    return shapely.box(x, y, x + steps * STEP_M, y + steps * STEP_M)


def lay_streets(network: StreetNetwork) -> tuple[Streets, int, NDArray[np.float64]]:
    """Return the largest piece of a network as streets, all required; the depot; places' xy."""
    inside = (network.component[network.ends] == 0).all(axis=1)
    places, ends = np.unique(network.ends[inside], return_inverse=True)
    ends = ends.reshape(-1, 2)
    cost = np.where(np.isfinite(network.cost_m[inside]), np.maximum(
        1, np.round(network.cost_m[inside] / UNIT_M, 0)), FORBIDDEN).astype(np.int64)
    xy = network.xy[places]
    middle = (xy.min(axis=0) + xy.max(axis=0)) / 2
    depot = int(np.hypot(*(xy - middle).T).argmin())
    return (Streets.of(len(places), ends[:, 0], ends[:, 1], cost[:, 0], back=cost[:, 1]), depot,
            xy)


def make_case(streets: Streets, depot: int, teams: int) -> Case:
    """Return the streets as the verifier takes them, with its own shortest ways."""
    table = np.full((streets.places, streets.places), np.inf)
    for one, two, cost in ((streets.u, streets.v, streets.travel[:, 0]),
                           (streets.v, streets.u, streets.travel[:, 1])):
        np.minimum.at(table, (one, two), np.where(cost < FORBIDDEN, cost, np.inf))
    np.fill_diagonal(table, np.inf)
    one, two = np.nonzero(np.isfinite(table))
    ways = dijkstra(coo_array((table[one, two], (one, two)), shape=table.shape).tocsr())
    return Case(streets.u, streets.v, np.minimum(streets.serve, SHUT),
                np.where(np.isfinite(ways), ways, SHUT).astype(np.int64),
                np.zeros(len(streets.u), np.int64), 1, depot, teams)


# ---- runs

def run_ours(instance: str, streets: Streets, depot: int, case: Case, asked: argparse.Namespace,
             seed: int) -> dict[str, Any]:
    """Return the line of one run: bound, tour, cutting and search count, all of it."""
    iterations = asked.iterations
    if iterations is None:
        with measure_time() as bare:
            problem = make_problem(streets, depot, asked.teams)
            first = split_tour(problem, order_tour(streets, depot))
            reference = float(bound_longest(streets, depot, asked.teams).longest)
        iterations = calibrate_iterations(problem, asked.cpu - bare.cpu_s, first=first,
                                          reference=reference)
    with measure_time() as watch:
        routes, _ = cover_streets(streets, depot, asked.teams, iterations=iterations, seed=seed)
    served = list_served(routes)
    costs, faults = verify_routes(case, served)
    if sum(costs) != routes.total:
        faults.append(f"the routes cost {sum(costs)}, not {routes.total} as told")
    return {**make_line(NAME, "gridplan", gridplan.__version__, instance=instance, seed=seed,
                        cpu_s=watch.cpu_s, wall_s=watch.wall_s,
                        status="faulty" if faults else "ok"),
            "iterations": iterations, "costs": costs, "faults": faults, "served": served}


def run_peers(instance: str, streets: Streets, depot: int, case: Case, xy: NDArray[np.float64],
              asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the lines of the peers.

    ``tour:split`` is the first plan of ours without the search; ``cluster:match`` and
    ``cluster:eulerize`` cut the streets by their angle around the depot into equal lengths, then
    join the odd places of each part by least cost, and as networkx's eulerize does, by number
    of streets; OR-Tools routes the node transformation, from nothing and from our first plan.
    """
    with measure_time() as watch:
        problem = make_problem(streets, depot, asked.teams)
        parts = split_tour(problem, order_tour(streets, depot))
    first: list[Served] = [list(zip(x.tolist(), find_ways(problem, 0, x)[0].tolist(), strict=True))
                           for x in parts if len(x)]
    costs, faults = verify_routes(case, first)
    lines = [{**make_line(NAME, "tour:split", gridplan.__version__, instance=instance,
                          cpu_s=watch.cpu_s, wall_s=watch.wall_s,
                          status="faulty" if faults else "ok"), "costs": costs, "served": first}]
    if (streets.travel < FORBIDDEN).all():
        for method, weighted in (("cluster:match", True), ("cluster:eulerize", False)):
            with measure_time() as watch:
                owner = cut_by_angle(streets, depot, xy, asked.teams)
                costs = [join_part(streets, depot, owner == r, case.ways, weighted)
                         for r in range(asked.teams)]
            lines.append({**make_line(
                NAME, method, importlib.metadata.version("networkx"), instance=instance,
                cpu_s=watch.cpu_s, wall_s=watch.wall_s), "costs": costs, "served": None})
    for method, start in (("ortools:gls", None), ("ortools:warm", first)):
        lines.append(run_ortools(NAME, instance, case, vehicles=asked.teams, cpu_s=asked.cpu,
                                 longest=True, first=start, method=method))
    return lines


def tell_merit(line: dict[str, Any], case: Case, bound: Bound) -> None:
    """Add the figures of merit to a line."""
    costs = line.pop("costs")
    served = line.pop("served", None)
    told = costs is not None and line["status"] == "ok"
    length = case.serve.min(axis=1)
    line["longest_m"] = max(costs) * UNIT_M if told else None
    line["bound_m"] = bound.longest * UNIT_M
    line["gap"] = max(costs) / bound.longest - 1 if told else None
    if served is None:
        line["served_share"] = 1.0 if told else None
    else:
        line["served_share"] = sum(int(length[x]) for x in {
            x for route in served for x, _ in route}) / int(length.sum())
    line["total_m"] = sum(costs) * UNIT_M if told else None
    line["streets_m"] = int(length.sum()) * UNIT_M
    line["streets"] = len(length)


# ---- cluster first

def cut_by_angle(streets: Streets, depot: int, xy: NDArray[np.float64], teams: int) -> Array:
    """Return the team of every street: sectors around the depot of equal length of streets."""
    middle = (xy[streets.u] + xy[streets.v]) / 2 - xy[depot]
    order = np.argsort(np.arctan2(middle[:, 1], middle[:, 0]), kind="stable")
    length = streets.travel[order, 0].cumsum()
    owner = np.empty(len(order), np.int64)
    owner[order] = np.minimum(teams - 1, (length - 1) * teams // length[-1])
    return owner


def join_part(streets: Streets, depot: int, mine: NDArray[np.bool_], ways: Array,
              weighted: bool) -> int:
    """Return the cost of a closed walk from the depot along all streets of one part.

    Its pieces are joined by a least spanning tree of shortest ways, then its odd places; with
    ``weighted`` by least cost, else by networkx's eulerize, which counts streets.
    """
    graph: nx.MultiGraph = nx.MultiGraph()
    graph.add_node(depot)
    for e in np.flatnonzero(mine).tolist():
        graph.add_edge(int(streets.u[e]), int(streets.v[e]), cost=int(streets.travel[e, 0]))
    pieces = [sorted(piece) for piece in nx.connected_components(graph)]
    tree: nx.Graph = nx.Graph()
    for i, one in enumerate(pieces):
        for j in range(i):
            between = ways[np.ix_(one, pieces[j])]
            a, b = np.unravel_index(between.argmin(), between.shape)
            tree.add_edge(i, j, weight=int(between.min()), ends=(one[a], pieces[j][b]))
    for _, _, link in nx.minimum_spanning_edges(tree, data=True):
        graph.add_edge(*link["ends"], cost=link["weight"])
    total: int = sum(cost for cost in nx.get_edge_attributes(graph, "cost").values())
    if weighted:
        return int(total + _match_odd(graph, ways))
    simple = nx.eulerize(graph)
    cheapest = {frozenset((a, b)): min(x["cost"] for x in graph[a][b].values())
                for a, b, _ in graph.edges}
    return int(total + sum(
        cheapest[frozenset((a, b))] * (simple.number_of_edges(a, b) - graph.number_of_edges(a, b))
        for a, b in {tuple(sorted(ends)) for ends in simple.edges(keys=False)}))


def _match_odd(graph: nx.MultiGraph, ways: Array) -> int:
    import rustworkx

    odd = [place for place in graph if graph.degree(place) % 2]
    if not odd:
        return 0
    between = ways[np.ix_(odd, odd)]
    most = int(between.max()) + 1
    table = rustworkx.PyGraph(multigraph=False)
    table.add_nodes_from(odd)
    table.add_edges_from([(i, j, most - int(between[i, j]))
                          for i in range(len(odd)) for j in range(i)])
    return sum(int(between[i, j]) for i, j in rustworkx.max_weight_matching(
        table, max_cardinality=True, weight_fn=int))


def _read_words(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postman",
                                     description="Streets by teams.")
    parser.add_argument("--osm", required=True, metavar="FILE")
    parser.add_argument("--window", default="densest:3km", help="densest:3km, or all")
    parser.add_argument("--roads", choices=ROADS, default="public")
    parser.add_argument("--mode", choices=("foot", "car"), default="foot",
                        help="car keeps one-way streets")
    parser.add_argument("--teams", type=int, default=8, metavar="N")
    parser.add_argument("--cpu", type=float, default=40.0, metavar="S",
                        help="CPU seconds of a run; told as iterations")
    parser.add_argument("--iterations", type=int, metavar="N", help="repeat a run exactly")
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--peers", action="store_true",
                        help="cluster-first and OR-Tools, and the tour cut without search")
    parser.add_argument("--goal", action="store_true", help="a miss exits 1")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
