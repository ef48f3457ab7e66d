"""What major roads, railways and rivers divide is cut apart wherever each side allows it."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from gridplan.regions.graph import Graph, number_regions, pieces_of
from gridplan.regions.kernels import join_empty

Labels = NDArray[np.int32]


def absorb_empty(graph: Graph) -> Labels:
    """Merge units without households into a neighbour, along the dearest border.

    Major edges are used only where nothing else leads to a household. Returns the merged unit of
    every unit.

    >>> path = Graph([300, 0, 300], [0, 1], [1, 2], [5.0, 2.0], [True, False])
    >>> absorb_empty(path).tolist()
    [0, 1, 1]
    """
    order = np.lexsort((-graph.weight, graph.major))
    root = np.arange(graph.size, dtype=np.int32)
    join_empty(graph.u[order], graph.v[order], graph.households.copy(), root)
    return number_regions(root)


def fits(households: NDArray[np.int64] | int, low: int, high: int) -> NDArray[np.bool_]:
    """Tell whether totals can be divided into regions of ``low..high``, by number alone.

    >>> fits(np.array([299, 300, 501, 600]), 300, 500).tolist()
    [False, True, False, True]
    """
    total = np.asarray(households)
    return (total >= low) & (-(-total // high) <= total // low)


class Groups:
    """Superblocks, joined until by number each group can be cut alone.

    Attributes
    ----------
    members
        Units of every group by its number; joining removes a number.
    """

    def __init__(self, graph: Graph, merged: Labels, low: int, high: int) -> None:
        inside = ~graph.major | (merged[graph.u] == merged[graph.v])
        block = pieces_of(graph.size, graph.u[inside], graph.v[inside])
        count = int(block.max()) + 1
        ends = np.cumsum(np.bincount(block, minlength=count))[:-1]
        units = np.split(np.argsort(block, kind="stable").astype(np.int32), ends)
        self.members: dict[int, Labels] = dict(enumerate(units))
        self._people = {r: int(graph.households[x].sum()) for r, x in self.members.items()}
        self._near: dict[int, dict[int, float]] = {r: {} for r in range(count)}
        self._range = low, high
        one, two = block[graph.u], block[graph.v]
        apart = one != two
        for a, b, weight in zip(one[apart].tolist(), two[apart].tolist(),
                                graph.weight[apart].tolist(), strict=True):
            self._near[a][b] = self._near[b][a] = self._near[a].get(b, 0.0) + weight
        self._join_unfit()

    def join(self, group: int) -> tuple[int, int]:
        """Join ``group`` with the neighbour that suits best; return the number of both, and theirs.

        Best: together they fit the range, no group that fits is drawn in, few households, a
        border of little weight.
        """
        other = min(self._near[group], key=lambda near: self._cost_of_joining(group, near))
        keep, gone = min(group, other), max(group, other)
        self._people[keep] += self._people.pop(gone)
        self.members[keep] = np.sort(np.concatenate([self.members[keep], self.members.pop(gone)]))
        for near, weight in self._near.pop(gone).items():
            del self._near[near][gone]
            if near != keep:
                total = self._near[keep].get(near, 0.0) + weight
                self._near[keep][near] = self._near[near][keep] = total
        return keep, other

    def _cost_of_joining(self, group: int, near: int) -> tuple[bool, bool, int, float, int]:
        together = self._people[group] + self._people[near]
        return (not self._fits(together), self._fits(self._people[near]), together,
                self._near[group][near], near)

    def _fits(self, people: int) -> bool:
        return bool(fits(people, *self._range))

    def _join_unfit(self) -> None:
        todo = [(people, group) for group, people in self._people.items()
                if not self._fits(people)]
        heapq.heapify(todo)
        while todo and len(self.members) > 1:
            people, group = heapq.heappop(todo)
            if self._people.get(group) != people:
                continue
            kept, _ = self.join(group)
            if not self._fits(self._people[kept]):
                heapq.heappush(todo, (self._people[kept], kept))
