"""A first plan for streets: one postman's tour, cut into as even parts as its order allows."""

from __future__ import annotations

import networkx as nx
import numpy as np

from gridplan.patrol.bound import Bound, bound_longest
from gridplan.patrol.problem import Ints, Problem, Routes, find_ways
from gridplan.patrol.search import find_routes
from gridplan.patrol.streets import Streets, join_odd, make_problem


def order_tour(streets: Streets, depot: int, again: Ints | None = None) -> Ints:
    """Return the required streets in the order of a postman's tour from the depot.

    Where all streets are open both ways and the required ones hang together, it is the shortest
    tour there is: they and those of :func:`gridplan.patrol.streets.join_odd` form a circuit.
    Otherwise it is an order to begin with. Streets that hang together otherwise follow each
    other by their lowest place. ``again`` are the streets passed once more, where known already.

    >>> sorted(order_tour(Streets.of(3, [0, 1, 2], [1, 2, 0], [1, 1, 1]), 0).tolist())
    [0, 1, 2]
    """
    needed = np.flatnonzero(streets.required).tolist()
    graph: nx.MultiGraph = nx.MultiGraph()
    for number, e in enumerate(needed):
        graph.add_edge(int(streets.u[e]), int(streets.v[e]), key=number)
    again = join_odd(streets) if again is None else again
    for extra, e in enumerate(again.tolist()):
        graph.add_edge(int(streets.u[e]), int(streets.v[e]), key=-1 - extra)
    order: list[int] = []
    pieces = sorted(sorted(piece) for piece in nx.connected_components(graph))
    for piece in sorted(pieces, key=lambda held: (depot not in held, held[0])):
        at = depot if depot in piece else piece[0]
        circuit = nx.eulerian_circuit(graph.subgraph(piece), source=at, keys=True)
        order += [key for _, _, key in circuit if key >= 0]
    return np.array(order, np.int64)


def split_tour(asked: Problem, order: Ints) -> list[Ints]:
    """Cut an order of tasks into one part per vehicle such that the longest route is shortest.

    Exact for vehicles that are alike: the least limit is bisected for which parts, each as long
    as it allows, are enough.
    """
    low, high = 0, find_ways(asked, 0, order)[1]
    best = [order]
    while low < high:
        middle = (low + high) // 2
        parts = cut_at(asked, order, middle)
        if parts is not None and len(parts) <= asked.vehicles:
            best, high = parts, middle
        else:
            low = middle + 1
    return best + [order[:0]] * (asked.vehicles - len(best))


def cut_at(asked: Problem, order: Ints, limit: int) -> list[Ints] | None:
    """Cut an order into parts, each as long as a limit allows; None if one task exceeds it."""
    begin, end = asked.begin[order].tolist(), asked.end[order].tolist()
    serve, between = asked.serve[order].tolist(), asked.between
    start, finish = int(asked.start[0]), int(asked.finish[0])
    cuts, fresh = [0], True
    at, cost = [start, start], [0, 0]
    i = 0
    while i < len(order):
        reach = [min(cost[w] + int(between[at[w], begin[i][o]]) for w in (0, 1)) + serve[i][o]
                 for o in (0, 1)]
        if min(reach[o] + int(between[end[i][o], finish]) for o in (0, 1)) > limit:
            if fresh:
                return None
            cuts.append(i)
            fresh, at, cost = True, [start, start], [0, 0]
            continue
        fresh, at, cost = False, end[i], reach
        i += 1
    return [order[a:b] for a, b in zip(cuts, [*cuts[1:], len(order)], strict=True)]


def cover_streets(streets: Streets, depot: int, teams: int, *, iterations: int,
                  seed: int = 0) -> tuple[Routes, Bound]:
    """Return routes of so many teams from one depot that serve all streets, and what bounds them.

    The longest route is to be shortest. Tasks of the routes are the required streets, in their
    order.

    Raises
    ------
    ValueError
        If a required street cannot be reached and left from the depot.

    >>> square = Streets.of(4, [0, 1, 2, 3], [1, 2, 3, 0], [5, 5, 5, 5])
    >>> routes, bound = cover_streets(square, 0, 1, iterations=10)
    >>> routes.longest, bound.longest
    (20, 20)
    """
    bound = bound_longest(streets, depot, teams)
    asked = make_problem(streets, depot, teams)
    first = split_tour(asked, order_tour(streets, depot))
    return find_routes(asked, iterations=iterations, seed=seed, first=first,
                       reference=float(bound.longest)), bound
