"""Small pieces of land joined into units: smallest first, to the neighbour they lean on most."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# A thin piece counts as a sliver up to this many times the area of a compact one.
_STRIP = 40


@dataclass
class Atoms:
    """Pieces of land before joining, one per row.

    ``fence`` is a number that must be equal for two pieces to be joined
    (community, special place, water), ``estate`` a number or -1.
    """

    households: Ints
    area_m2: Floats
    perimeter_m: Floats
    buildings: Ints
    estate: Ints
    fence: Ints
    block: Ints


def join_atoms(atoms: Atoms, left: Ints, right: Ints, length_m: Floats, pull: Floats, *,
               unit_households: int, sliver_m2: float, thin: float,
               keep_empty_m2: float, community: Ints | None = None) -> Ints:
    """Join pieces until each holds enough; return the unit of each piece, 0…k-1.

    Rules, in this order: slivers without buildings go to the neighbour they
    share most border with; pieces below a quarter of ``unit_households`` go to
    the neighbour with the strongest ``pull`` in the same block, of the same
    estate if there is one; two pieces of one estate (or of none) are joined
    while the sum stays within ``unit_households``. No piece grows beyond twice
    ``unit_households``, so a large building stays alone with its land.

    Parameters
    ----------
    left, right
        (m,) pairs of touching pieces; a pair may come in several rows.
    length_m, pull
        (m,) shared border, and how costly it would be to cut there.
    community
        (n,) the fence that holds even for slivers; ``atoms.fence`` when None.
    """
    joiner = _Joiner(atoms, left, right, length_m, pull)
    weak = atoms.fence if community is None else community
    joiner.join_slivers(weak, sliver_m2, thin)
    joiner.join_small(unit_households, keep_empty_m2)
    return joiner.labels()


class _Joiner:
    """A graph that shrinks: pieces that were joined point to the one that took them in."""

    def __init__(self, atoms: Atoms, left: Ints, right: Ints, length_m: Floats,
                 pull: Floats) -> None:
        self.n = len(atoms.households)
        self.into = list(range(self.n))
        self.households = atoms.households.tolist()
        self.area = atoms.area_m2.tolist()
        self.perimeter = atoms.perimeter_m.tolist()
        self.buildings = atoms.buildings.tolist()
        self.estate = atoms.estate.tolist()
        self.fence = atoms.fence.tolist()
        self.block = atoms.block.tolist()
        self.near: list[dict[int, tuple[float, float]]] = [{} for _ in range(self.n)]
        if len(left):
            low, high = np.minimum(left, right), np.maximum(left, right)
            pair, row = np.unique(low * self.n + high, return_inverse=True)
            length = np.bincount(row, length_m).tolist()
            force = np.bincount(row, pull).tolist()
            for p, meters, strength in zip(pair.tolist(), length, force, strict=True):
                a, b = divmod(p, self.n)
                self.near[a][b] = self.near[b][a] = (meters, strength)

    def labels(self) -> Ints:
        for k in range(self.n):
            root = k
            while self.into[root] != root:
                root = self.into[root]
            self.into[k] = root
        return np.unique(np.array(self.into, dtype=np.int64), return_inverse=True)[1].ravel()

    def alive(self, k: int) -> bool:
        return self.into[k] == k

    def join(self, k: int, to: int) -> None:
        """Let ``to`` take in ``k``."""
        self.into[k] = to
        self.perimeter[to] += self.perimeter[k] - 2 * self.near[k][to][0]
        self.households[to] += self.households[k]
        self.area[to] += self.area[k]
        if self.buildings[k] > self.buildings[to]:
            self.estate[to] = self.estate[k]
        self.buildings[to] += self.buildings[k]
        for other, (length, pull) in self.near[k].items():
            del self.near[other][k]
            if other != to:
                had = self.near[to].get(other, (0.0, 0.0))
                self.near[to][other] = self.near[other][to] = (had[0] + length, had[1] + pull)
        self.near[k].clear()

    def join_slivers(self, weak: Ints, sliver_m2: float, thin: float) -> None:
        """Give pieces without buildings that are tiny or thin to a neighbour.

        A strip round a special place goes to the place, not across the road.
        """
        fence = weak.tolist()
        heap = [(self.area[k], k) for k in range(self.n) if not self.buildings[k]]
        heapq.heapify(heap)
        while heap:
            area, k = heapq.heappop(heap)
            if not self.alive(k) or area != self.area[k]:
                continue
            shape = 4 * np.pi * area / max(self.perimeter[k], 1e-9) ** 2
            if area >= sliver_m2 and not (shape < thin and area < _STRIP * sliver_m2):
                continue
            near = [o for o in self.near[k] if fence[o] == fence[k]]
            if area >= sliver_m2 / 2:
                near = [o for o in near if self.fence[o] == self.fence[k]
                        or self.block[o] == self.block[k]]
            if near:
                to = max(near, key=lambda o: (self.block[o] == self.block[k],
                                              self.near[k][o][0], -o))
                self.join(k, to)
                if not self.buildings[to]:
                    heapq.heappush(heap, (self.area[to], to))

    def join_small(self, unit_households: int, keep_empty_m2: float) -> None:
        """Join what holds too little, smallest first."""
        small = unit_households // 4
        heap = [(self.households[k], self.area[k], k) for k in range(self.n) if self.alive(k)]
        heapq.heapify(heap)
        while heap:
            households, area, k = heapq.heappop(heap)
            if (not self.alive(k) or households != self.households[k] or area != self.area[k]
                    or (not households and area >= keep_empty_m2)):
                continue
            room = unit_households if households >= small else 2 * unit_households
            fits = [o for o in self.near[k]
                    if self.block[o] == self.block[k] and self.fence[o] == self.fence[k]
                    and self.near[k][o][0] >= 1.0
                    and (not households or self.households[o] + households <= room)
                    and not (not self.households[o] and self.area[o] >= keep_empty_m2)]
            if households >= small:
                fits = [o for o in fits if self.estate[o] == self.estate[k]]
            if not fits:
                continue
            to = max(fits, key=lambda o: (self.estate[o] == self.estate[k],
                                          self.near[k][o][1], -o))
            self.join(k, to)
            heapq.heappush(heap, (self.households[to], self.area[to], to))
