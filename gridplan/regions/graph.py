"""The graph that is cut, and what a cut of it looks like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridplan.regions.kernels import Net, fill_rows, flood, number_small

SMALL = 1 << 20  # labels below this are renumbered through a table

Status = Literal["ok", "count", "enumeration", "unproven"]


@dataclass(frozen=True, eq=False)
class Graph:
    """Units with their households, and the borders they share.

    Edges are kept in one canonical order (by their smaller, then larger unit), so that the
    order in which they are given does not matter.

    Attributes
    ----------
    households
        Households of every unit, shape (n,), none negative.
    u, v
        The two units of every shared border, shape (m,), each pair once, u < v when kept.
    weight
        What cutting the border costs (length x road-class factor), shape (m,), none negative.
    major
        Whether the border runs along a major road, a railway or a river, shape (m,).

    Raises
    ------
    ValueError
        Shapes differ, a number is out of its range, an edge joins a unit with itself or a pair
        is given twice.

    Examples
    --------
    >>> path = Graph([200, 200, 400], [2, 0], [1, 1], [5.0, 9.0], [False, False])
    >>> path.u.tolist(), path.v.tolist(), path.weight.tolist()
    ([0, 1], [1, 2], [9.0, 5.0])
    """

    households: NDArray[np.int64]
    u: NDArray[np.int32]
    v: NDArray[np.int32]
    weight: NDArray[np.float64]
    major: NDArray[np.bool_]

    def __post_init__(self) -> None:
        people = _as(self.households, np.int64, "households")
        one, two = _as(self.u, np.int32, "u"), _as(self.v, np.int32, "v")
        weight, major = _as(self.weight, np.float64, "weight"), _as(self.major, np.bool_, "major")
        if not one.size == two.size == weight.size == major.size:
            raise ValueError("graph: u, v, weight and major must be as long as each other")
        low, high = np.minimum(one, two), np.maximum(one, two)
        order = np.lexsort((high, low))
        low, high, weight, major = low[order], high[order], weight[order], major[order]
        faults = {
            "a graph needs a unit": people.size == 0,
            "households below 0": bool((people < 0).any()),
            "a unit that is not there": bool(((low < 0) | (high >= people.size)).any()),
            "a border of a unit with itself": bool((low == high).any()),
            "a pair of units twice": bool(((np.diff(low) == 0) & (np.diff(high) == 0)).any()),
            "a weight that is negative or not finite": not bool(
                (np.isfinite(weight) & (weight >= 0)).all()),
        }
        if any(faults.values()):
            raise ValueError("graph: " + "; ".join(text for text, bad in faults.items() if bad))
        for name, array in zip(("households", "u", "v", "weight", "major"),
                               (people, low, high, weight, major), strict=True):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def size(self) -> int:
        """Number of units."""
        return int(self.households.size)


@dataclass(frozen=True, eq=False)
class Cut:
    """Regions of a graph.

    Attributes
    ----------
    labels
        Region of every unit, shape (n,), 0 … count - 1 by first appearance.
    count
        Number of regions.
    border
        Sum of the weights between different regions.
    toll
        Sum of what the regions cost by their households (0 without tolls).
    groups
        Group of superblocks every unit was cut in, shape (n,), by first appearance (empty: not
        known); no region lies in two of them.
    out_of_range
        Regions outside the range.
    status
        ``ok`` all in range; ``count`` no number of regions fits the total; ``enumeration``
        proven impossible; ``unproven`` not found, not proven.
    effort_spent
        What was tried, in numbers.
    """

    labels: NDArray[np.int32]
    count: int
    border: float
    out_of_range: int
    status: Status
    effort_spent: str
    groups: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    toll: float = 0.0


def connected_components(graph: Graph) -> NDArray[np.int32]:
    """Give every unit the number of its connected piece, by first unit.

    >>> connected_components(Graph([1, 1, 1], [0], [2], [1.0], [False])).tolist()
    [0, 1, 0]
    """
    return pieces_of(graph.size, graph.u, graph.v)


def subgraph(graph: Graph, units: NDArray[np.int32]) -> Graph:
    """Return the graph on ``units`` alone, in their order."""
    place = np.full(graph.size, -1, np.int32)
    place[units] = np.arange(units.size, dtype=np.int32)
    u, v = place[graph.u], place[graph.v]
    both = (u >= 0) & (v >= 0)
    return Graph(graph.households[units], u[both], v[both], graph.weight[both], graph.major[both])


def pieces_of(n: int, u: NDArray[np.int32], v: NDArray[np.int32],
              labels: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    """Give ``n`` units the number of their piece under ``u``–``v`` (within equal labels)."""
    start, other, _ = rows_of(n, own(u), own(v))
    pieces = np.empty(n, np.int32)
    flood(start, other, np.zeros(n, np.int32) if labels is None else labels, pieces)
    return pieces


def own(array: NDArray[Any]) -> NDArray[Any]:
    """Return a writable array: kernels are compiled once, for those."""
    return array if array.flags.writeable else array.copy()


def rows_of(n: int, u: NDArray[np.int32], v: NDArray[np.int32]
            ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Return the neighbour rows (start, other, edge) of a graph."""
    start = np.empty(n + 1, np.int32)
    other, edge = np.empty(2 * u.size, np.int32), np.empty(2 * u.size, np.int32)
    fill_rows(u, v, start, other, edge)
    return start, other, edge


def net_of(people: NDArray[np.int64], u: NDArray[np.int32], v: NDArray[np.int32],
           cost: NDArray[np.int64]) -> Net:
    """Return the graph as the kernels take it."""
    u, v = own(u), own(v)
    return Net(*rows_of(people.size, u, v), u, v, own(cost), own(people))


def contract(net: Net, up: NDArray[np.int32], count: int) -> Net:
    """Merge units of equal number in ``up`` into one; parallel edges add up."""
    one, two = up[net.u].astype(np.int64), up[net.v].astype(np.int64)
    apart = one != two
    low, high = np.minimum(one, two)[apart], np.maximum(one, two)[apart]
    key, which = np.unique(low * count + high, return_inverse=True)
    cost = np.zeros(key.size, np.int64)
    np.add.at(cost, which, net.cost[apart])
    people = np.zeros(count, np.int64)
    np.add.at(people, up, net.people)
    return net_of(people, (key // count).astype(np.int32), (key % count).astype(np.int32), cost)


def subnet(net: Net, units: NDArray[np.int32], place: NDArray[np.int32]) -> Net:
    """Return the graph on ``units`` alone; ``place`` is scratch full of -1, and left so."""
    place[units] = np.arange(units.size, dtype=np.int32)
    rows = net.start[units + 1] - net.start[units]
    before = np.cumsum(rows) - rows
    at = np.repeat(net.start[units] - before, rows) + np.arange(int(rows.sum()))
    one = np.repeat(np.arange(units.size, dtype=np.int32), rows)
    two = place[net.other[at]]
    place[units] = -1
    once = two > one
    return net_of(net.people[units], one[once], two[once], net.cost[net.edge[at[once]]])


def number_regions(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Renumber labels 0, 1, 2 … by first appearance.

    >>> number_regions(np.array([7, 7, 3, 7, 9], np.int32)).tolist()
    [0, 0, 1, 0, 2]
    """
    if labels.dtype == np.int32 and labels.size and 0 <= labels.min() <= labels.max() < SMALL:
        return number_small(labels)
    _, first, which = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int32)
    rank[np.argsort(first)] = np.arange(first.size, dtype=np.int32)
    return rank[which]


def _as(values: ArrayLike, kind: type, name: str) -> NDArray[Any]:
    array = np.array(values)
    if array.ndim != 1:
        raise ValueError(f"graph: {name} must be one-dimensional")
    if array.size and kind in (np.int64, np.int32) and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"graph: {name} must be whole numbers")
    return array.astype(kind)
