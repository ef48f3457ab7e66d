"""Street networks as arrays, with the nodes where facilities stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.children import Arrays
from gridplan.network.build import curve_key

BLOCK_M = 60.0  # distance of junctions; each is moved by up to SHIFT_M in both directions
SHIFT_M = 25.0
KEPT = 0.66  # share of the sides of the lattice that are streets: 2.6 a junction, as in cities
DETOUR = 1.3  # streets are up to so much longer than straight
FACILITIES = 0.002  # of the nodes, in each category


def make_city(nodes: int, seed: int, categories: int) -> Arrays:
    """Make a bent lattice of at least so many connected junctions, and its facilities.

    Returns
    -------
    dict
        ``xy`` (n, 2) metres, ``ends`` (m, 2), ``cost_m`` (m, 2), ``place`` nodes of facilities,
        ``group`` their category. Nodes lie along a curve, near ones near each other in memory.

    >>> city = make_city(1000, 1, 2)
    >>> len(city["xy"]) >= 1000, sorted(set(city["group"].tolist()))
    (True, [0, 1])
    """
    chance = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(nodes * 1.03))) + 2
    number = np.arange(side * side).reshape(side, side)
    u = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    v = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    xy = np.indices((side, side)).reshape(2, -1).T * BLOCK_M
    xy = xy + chance.uniform(-SHIFT_M, SHIFT_M, xy.shape)
    kept = chance.random(len(u)) < KEPT
    u, v = u[kept], v[kept]
    length = np.hypot(*(xy[u] - xy[v]).T) * chance.uniform(1, DETOUR, len(u))
    xy, ends, length = _largest_piece(xy, np.stack([u, v], axis=1), length)
    return {"xy": xy, "ends": ends, "cost_m": np.stack([length, length], axis=1),
            **place_facilities(len(xy), categories, seed)}


def _largest_piece(xy: NDArray[np.float64], ends: NDArray[np.int64], length: NDArray[np.float64]
                   ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(ends), dtype=np.int8), tuple(ends.T)), shape=(len(xy),) * 2)
    piece = connected_components(graph, directed=False)[1]
    held = piece == np.argmax(np.bincount(piece))
    order = np.flatnonzero(held)[np.argsort(curve_key(xy[held]), kind="stable")]
    rank = np.full(len(xy), -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    inside = held[ends[:, 0]]
    return xy[order], rank[ends[inside]], length[inside]


def place_facilities(nodes: int, categories: int, seed: int) -> Arrays:
    """Draw the nodes of facilities, as many in each category.

    >>> place_facilities(5000, 3, 1)["place"].size
    30
    """
    chance = np.random.default_rng([seed, 1])
    count = max(1, round(nodes * FACILITIES))
    place = [np.sort(chance.choice(nodes, count, replace=False)) for _ in range(categories)]
    return {"place": np.concatenate(place), "group": np.repeat(np.arange(categories), count)}


def read_city(path: Path, seed: int, categories: int) -> Arrays:
    """Read the walkers' network of an OSM extract; facilities are drawn."""
    from gridplan.errors import Findings
    from gridplan.network import build_network
    from gridplan.osm import read_extract

    roads = read_extract(path, Findings())[0]["roads"]
    network = build_network(roads.to_crs(roads.estimate_utm_crs()), "foot")
    return {"xy": network.xy, "ends": network.ends, "cost_m": network.cost_m,
            **place_facilities(network.nodes, categories, seed)}
