"""What the network room hands out: arrays of nodes and edges, and where points enter them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Arcs(NamedTuple):
    """Arcs by the node they leave: those of node x are ``start[x]`` to ``start[x + 1]``.

    ``other`` is the node an arc leads to, ``cost`` what it costs, ``edge`` the edge it runs along.
    """

    start: NDArray[np.int64]
    other: NDArray[np.int32]
    cost: NDArray[np.float64]
    edge: NDArray[np.int32]


@dataclass(frozen=True)
class StreetNetwork:
    """Streets for one mode, as arrays of n nodes and m edges in a projected metric CRS.

    Attributes
    ----------
    mode
        foot, bike, ebike or car.
    xy
        (n, 2) coordinates of the nodes.
    ends
        (m, 2) nodes that each edge joins, in the direction of its road.
    length_m
        (m,) length of each edge.
    cost_m
        (m, 2) effective metres from the first end to the second, and back; inf where it is not
        allowed. Flat walking costs its length.
    road
        (m,) road_id of each edge.
    geometry
        (m,) lines, in the direction of their roads.
    component
        (n,) number of the piece that each node belongs to; 0 is the largest by length of edges.
    usable
        (m,) whether points may be snapped to an edge.
    """

    mode: str
    crs: Any
    xy: NDArray[np.float64]
    ends: NDArray[np.int64]
    length_m: NDArray[np.float64]
    cost_m: NDArray[np.float64]
    road: NDArray[np.object_]
    geometry: NDArray[np.object_]
    component: NDArray[np.int64]
    usable: NDArray[np.bool_]

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.xy)

    @property
    def edges(self) -> int:
        """How many edges there are."""
        return len(self.ends)

    @cached_property
    def leaving(self) -> Arcs:
        """The arcs by the node where they begin."""
        return _make_arcs(self.ends, self.cost_m, self.nodes)

    @cached_property
    def arriving(self) -> Arcs:
        """The arcs by the node where they end, for searches against the direction of travel."""
        return _make_arcs(self.ends[:, ::-1], self.cost_m, self.nodes)


def _make_arcs(ends: NDArray[np.int64], cost_m: NDArray[np.float64], nodes: int) -> Arcs:
    """Sort arcs by their node: of each edge from ``ends[:, 0]``, then back; barred ones go."""
    m = len(ends)
    start = np.concatenate([ends[:, 0], ends[:, 1]])
    cost = np.concatenate([cost_m[:, 0], cost_m[:, 1]])
    order = np.argsort(start, kind="stable")
    order = order[np.isfinite(cost[order])]
    row = np.zeros(nodes + 1, dtype=np.int64)
    np.cumsum(np.bincount(start[order], minlength=nodes), out=row[1:])
    other = np.concatenate([ends[:, 1], ends[:, 0]])[order].astype(np.int32)
    return Arcs(row, other, cost[order], (order % m).astype(np.int32))


@dataclass(frozen=True)
class Access:
    """Where k points enter a network; point i has the options ``start[i]`` to ``start[i + 1]``.

    Attributes
    ----------
    start
        (k + 1,) first option of each point; a point without options has no access.
    edge
        Edge of each option.
    at_m
        Metres from the edge's first end to where the option enters it.
    leg_m
        Metres from the point to there.
    uncertain
        (k,) whether only one of the options is real and nobody knows which: then the near reading
        takes the best, the far reading the worst. Otherwise all of them are open.
    """

    start: NDArray[np.int64]
    edge: NDArray[np.int64]
    at_m: NDArray[np.float64]
    leg_m: NDArray[np.float64]
    uncertain: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.uncertain)

    @property
    def off(self) -> NDArray[np.bool_]:
        """Which points have no access."""
        return self.start[1:] == self.start[:-1]


@dataclass(frozen=True)
class Nearest:
    """The nearest target of each of g groups from k origins.

    Attributes
    ----------
    distance_m
        (g, k) effective metres; inf where none can be reached within the limit.
    target
        (g, k) row of the target; -1 where there is none.
    """

    distance_m: NDArray[np.float64]
    target: NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Pairs of origin and target within a limit, ordered by origin, then target.

    Attributes
    ----------
    origin, target
        Rows of the two.
    distance_m
        Effective metres between them.
    """

    origin: NDArray[np.int64]
    target: NDArray[np.int64]
    distance_m: NDArray[np.float64]


@dataclass(frozen=True)
class Reach:
    """Parts of edges within a limit of a source.

    Attributes
    ----------
    edge
        Edge of each part; an edge may have two.
    start_m, end_m
        Metres along the edge's line where the part begins and ends.
    """

    edge: NDArray[np.int64]
    start_m: NDArray[np.float64]
    end_m: NDArray[np.float64]
