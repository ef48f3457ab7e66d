"""The graph of units that touch, as arrays; what the cutting stands on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

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
    most of the border runs along a line that a grid should not straddle, and
    ``open`` whether one can walk across it (everywhere, where it is not given).
    """

    a: Ints
    b: Ints
    length_m: Floats
    weight: Floats
    major: NDArray[np.bool_]
    open: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))

    def __post_init__(self) -> None:
        if len(self.open) != len(self.a):
            object.__setattr__(self, "open", np.ones(len(self.a), dtype=bool))

    def take(self, keep: NDArray[np.bool_]) -> Contacts:
        """Return the contacts where ``keep`` is true."""
        return Contacts(*(getattr(self, n)[keep] for n in (
            "a", "b", "length_m", "weight", "major", "open")))

    def among(self, members: Ints, count: int) -> Contacts:
        """Return the contacts inside ``members``, renumbered 0…len(members)-1."""
        place = np.full(count, -1, dtype=np.int64)
        place[members] = np.arange(len(members))
        a, b = place[self.a], place[self.b]
        keep = (a >= 0) & (b >= 0)
        return replace(self, a=np.minimum(a, b), b=np.maximum(a, b)).take(keep)

    def grouped(self, group: Ints) -> Contacts:
        """Return the contacts between groups of pieces."""
        return add_up(group[self.a], group[self.b], self.length_m, self.weight,
                      np.where(self.major, self.length_m, 0.0),
                      np.where(self.open, self.length_m, 0.0))

    def barring(self) -> Contacts:
        """Return the contacts with those that nobody can walk across marked as major."""
        return replace(self, major=self.major | ~self.open)

    def passable(self, count: int) -> Contacts:
        """Return the contacts that can be walked across, and what else holds the nodes together.

        Where these leave pieces of ``count`` nodes apart, the fewest others that join them are
        kept: the longest first, marked as major.

        >>> near = Contacts(np.array([0, 1, 0]), np.array([1, 2, 2]), np.array([9.0, 5.0, 7.0]),
        ...                 np.zeros(3), np.zeros(3, bool), np.array([True, False, False]))
        >>> near.passable(3).b.tolist(), near.passable(3).major.tolist()
        ([1, 2], [False, True])
        """
        if self.open.all():
            return self
        label = components(count, self.a[self.open], self.b[self.open])
        keep = self.open.copy()
        shut = np.flatnonzero(~self.open & (label[self.a] != label[self.b]))
        root = list(range(int(label.max(initial=-1)) + 1))
        for k in shut[np.argsort(-self.length_m[shut], kind="stable")].tolist():
            one, two = _root(root, int(label[self.a[k]])), _root(root, int(label[self.b[k]]))
            if one != two:
                root[max(one, two)] = min(one, two)
                keep[k] = True
        return self.barring().take(keep)


def _root(root: list[int], k: int) -> int:
    while root[k] != k:
        root[k] = root[root[k]]
        k = root[k]
    return k


def add_up(left: Ints, right: Ints, length_m: Floats, weight: Floats, major_m: Floats,
           open_m: Floats | None = None) -> Contacts:
    """Sum rows of border by the pair they lie between; pairs under a metre go.

    ``open_m`` are the metres of each row that can be walked across, all of it by default.
    """
    apart = left != right
    a, b = np.minimum(left, right)[apart], np.maximum(left, right)[apart]
    n = int(b.max()) + 1 if len(b) else 1
    pair, row = np.unique(a * n + b, return_inverse=True)
    size = len(pair)
    length, cost, major, free = (
        np.bincount(row, values[apart], minlength=size).astype(np.float64)
        for values in (length_m, weight, major_m, length_m if open_m is None else open_m))
    keep = length >= MIN_SHARED_M
    return Contacts(pair // n, pair % n, length, cost, major >= 0.5 * length,
                    free >= MIN_SHARED_M).take(keep)


def touch_units(units: Units, factors: tuple[float, ...], community: Ints,
                open_m: Floats | None = None) -> Contacts:
    """Return the contacts of units inside each community.

    ``open_m`` are the metres of each row of ``units.borders`` that can be walked across.
    """
    borders = units.borders
    inside = community[borders.left] == community[borders.right]
    length = borders.length_m[inside]
    weight = length * np.asarray(factors)[borders.border_class[inside]]
    major = np.where(borders.major[inside], length, 0.0)
    return add_up(borders.left[inside], borders.right[inside], length, weight, major,
                  None if open_m is None else open_m[inside])


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
