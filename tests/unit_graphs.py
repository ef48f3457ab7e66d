"""Small graphs of units for the tests of the solver: paths, towns, random planar pieces."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from gridplan.regions import Graph

quick = settings(max_examples=60, deadline=None, derandomize=True,
                 suppress_health_check=[HealthCheck.too_slow])


def graph_of(households, edges):
    """Make a graph from ``(u, v, weight, major)`` rows; weight and major may be left out."""
    rows = [(*row, 1.0, False)[:2] + (*row, *(1.0, False)[len(row) - 2:])[2:4] for row in edges]
    u, v, weight, major = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Graph(np.array(households, int), np.array(u, int), np.array(v, int),
                 np.array(weight, float), np.array(major, bool))


def path(*households):
    return graph_of(households, [(i, i + 1) for i in range(len(households) - 1)])


def lattice(rows, columns, households=60, seed=0):
    """Draw a town of blocks with uneven borders; ``households`` a number or one per unit."""
    chance = np.random.default_rng(seed)
    number = np.arange(rows * columns).reshape(rows, columns)
    edges = [*zip(number[:, :-1].ravel(), number[:, 1:].ravel(), strict=True),
             *zip(number[:-1].ravel(), number[1:].ravel(), strict=True)]
    edges = [(int(a), int(b), float(chance.integers(1, 100)), False) for a, b in edges]
    return graph_of(np.broadcast_to(households, rows * columns), edges)


def is_whole(graph, units):
    net = nx.Graph(list(zip(graph.u.tolist(), graph.v.tolist(), strict=True)))
    net.add_nodes_from(range(graph.size))
    return nx.is_connected(net.subgraph(np.asarray(units).tolist()))


@st.composite
def planar_graphs(draw, most=9, households=None):
    """Draw a connected piece of a lattice with diagonals in one direction, which is planar."""
    households = st.integers(0, 5) if households is None else households
    side = draw(st.integers(2, 6))
    order = draw(st.permutations(range(side * side)))
    size = draw(st.integers(1, min(most, side * side)))
    net = nx.grid_2d_graph(side, side)
    net.add_edges_from(((i, j), (i + 1, j + 1)) for i in range(side - 1) for j in range(side - 1))
    at = [divmod(order[0], side)]
    while len(at) < size:
        rim = sorted({y for x in at for y in net[x]} - set(at))
        at.append(min(rim, key=lambda y: order.index(y[0] * side + y[1])))
    edges = [(at.index(a), at.index(b), float(draw(st.integers(1, 30))), False)
             for a, b in net.subgraph(at).edges]
    return graph_of([draw(households) for _ in at], edges)
