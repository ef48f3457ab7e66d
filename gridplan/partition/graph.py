"""The graph of units that touch, as arrays; what the cutting stands on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gridplan.layers import Units

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MIN_SHARED_M = 1.0


@dataclass(frozen=True)
class Contacts:
    """Pairs of pieces that share at least a metre of border: a < b, each pair once.

    ``weight`` is Σ length_m × factor of the border class, ``major`` whether
    most of the border runs along a line that a grid should not straddle.
    """

    a: Ints
    b: Ints
    length_m: Floats
    weight: Floats
    major: NDArray[np.bool_]

    def among(self, members: Ints, count: int) -> Contacts:
        """Return the contacts inside ``members``, renumbered 0…len(members)-1."""
        place = np.full(count, -1, dtype=np.int64)
        place[members] = np.arange(len(members))
        a, b = place[self.a], place[self.b]
        keep = (a >= 0) & (b >= 0)
        return Contacts(np.minimum(a, b)[keep], np.maximum(a, b)[keep], self.length_m[keep],
                        self.weight[keep], self.major[keep])

    def grouped(self, group: Ints) -> Contacts:
        """Return the contacts between groups of pieces."""
        return add_up(group[self.a], group[self.b], self.length_m, self.weight,
                      np.where(self.major, self.length_m, 0.0))


def add_up(left: Ints, right: Ints, length_m: Floats, weight: Floats,
           major_m: Floats) -> Contacts:
    """Sum rows of border by the pair they lie between; pairs under a metre go."""
    apart = left != right
    a, b = np.minimum(left, right)[apart], np.maximum(left, right)[apart]
    n = int(b.max()) + 1 if len(b) else 1
    pair, row = np.unique(a * n + b, return_inverse=True)
    size = len(pair)
    length, cost, major = (np.bincount(row, values[apart], minlength=size).astype(np.float64)
                           for values in (length_m, weight, major_m))
    keep = length >= MIN_SHARED_M
    return Contacts((pair // n)[keep], (pair % n)[keep], length[keep], cost[keep],
                    (major >= 0.5 * length)[keep])


def touch_units(units: Units, factors: tuple[float, ...], community: Ints) -> Contacts:
    """Return the contacts of units inside each community."""
    borders = units.borders
    inside = community[borders.left] == community[borders.right]
    length = borders.length_m[inside]
    weight = length * np.asarray(factors)[borders.border_class[inside]]
    major = np.where(borders.major[inside], length, 0.0)
    return add_up(borders.left[inside], borders.right[inside], length, weight, major)


def components(count: int, a: Ints, b: Ints) -> Ints:
    """Return the connected component of each of ``count`` nodes, numbered by first member.

    >>> components(4, np.array([2]), np.array([3])).tolist()
    [0, 1, 2, 2]
    """
    if count == 0:
        return np.empty(0, dtype=np.int64)
    links = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(count, count))
    label = connected_components(links, directed=False)[1]
    first = np.unique(label, return_index=True)[1]
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[label]
