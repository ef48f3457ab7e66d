"""The map as the search sees it: communities, their households, and the borders they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ints = NDArray[np.int64]

# Rook contact: communities are neighbours where they share at least this much border.
ROOK_CM = 100


class Score(NamedTuple):
    """What a proposal is judged by, in this order: less is better.

    ``largest`` are the households of the largest new community, ``moved`` the households whose
    community changes, ``border_cm`` the length of all borders between new communities.
    """

    largest: int
    moved: int
    border_cm: int


@dataclass(frozen=True, eq=False)
class Patchwork:
    """Patches that may be joined: communities, or whole pieces of them.

    Attributes
    ----------
    people
        Households of each patch, shape (n,).
    biggest
        Households of the largest community in it, shape (n,); ``people`` where it is one.
    u, v, length_cm
        Borders of at least a metre between two patches, shape (m,), u < v, each pair once.
    """

    people: Ints
    biggest: Ints
    u: Ints
    v: Ints
    length_cm: Ints

    @classmethod
    def of(cls, people: ArrayLike, u: ArrayLike, v: ArrayLike, length_cm: ArrayLike,
           biggest: ArrayLike | None = None) -> Patchwork:
        """Make one from any sequences; borders come in order and parallel ones add up."""
        held = np.array(people, dtype=np.int64)
        one, two = np.array(u, dtype=np.int64), np.array(v, dtype=np.int64)
        low, high = np.minimum(one, two), np.maximum(one, two)
        pair, row = np.unique(low * len(held) + high, return_inverse=True)
        total = np.zeros(len(pair), np.int64)
        np.add.at(total, row, np.array(length_cm, dtype=np.int64))
        most = held if biggest is None else np.array(biggest, dtype=np.int64)
        return cls(held, most, pair // len(held), pair % len(held), total)

    @property
    def size(self) -> int:
        """Number of patches."""
        return len(self.people)

    def pieces(self) -> Ints:
        """Return the connected piece of each patch, numbered by first patch."""
        return label_pieces(self.size, self.u, self.v)

    def rows(self) -> tuple[Ints, Ints, Ints]:
        """Return the neighbours of every patch: start of its row, neighbour, border length."""
        one, two = np.concatenate([self.u, self.v]), np.concatenate([self.v, self.u])
        order = np.lexsort((two, one))
        start = np.searchsorted(one[order], np.arange(self.size + 1)).astype(np.int64)
        return start, two[order], np.concatenate([self.length_cm, self.length_cm])[order]

    def joined(self, label: Ints) -> Patchwork:
        """Return the patchwork in which patches of one label are one patch."""
        count = int(label.max()) + 1
        people, most = np.zeros(count, np.int64), np.zeros(count, np.int64)
        np.add.at(people, label, self.people)
        np.maximum.at(most, label, self.biggest)
        apart = label[self.u] != label[self.v]
        return Patchwork.of(people, label[self.u[apart]], label[self.v[apart]],
                            self.length_cm[apart], most)

    def score(self, label: Ints) -> Score:
        """Judge a division of the patches."""
        count = int(label.max()) + 1
        people, most = np.zeros(count, np.int64), np.zeros(count, np.int64)
        np.add.at(people, label, self.people)
        np.maximum.at(most, label, self.biggest)
        apart = label[self.u] != label[self.v]
        return Score(int(people.max()), int((people - most).sum()),
                     int(self.length_cm[apart].sum()))


def label_pieces(count: int, u: Ints, v: Ints) -> Ints:
    """Return the connected piece of each of ``count`` nodes, numbered by first node.

    >>> label_pieces(4, np.array([1]), np.array([3])).tolist()
    [0, 1, 2, 1]
    """
    web = coo_array((np.ones(len(u), np.int8), (u, v)), shape=(count, count))
    return number_labels(connected_components(web, directed=False)[1])


def number_labels(label: ArrayLike) -> Ints:
    """Renumber labels 0, 1, 2 … by first appearance.

    >>> number_labels([7, 7, 3]).tolist()
    [0, 0, 1]
    """
    _, first, which = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[which]


def find_contacts(shapes: Sequence[shapely.Geometry] | NDArray[np.object_]
                  ) -> tuple[Ints, Ints, Ints]:
    """Return the pairs of polygons that share a metre of border or more, and how much, in cm.

    Parameters
    ----------
    shapes
        Polygons in a metric CRS that meet without gaps.
    """
    polygon = np.asarray(shapes, dtype=object)
    left, right = shapely.STRtree(polygon).query(polygon, predicate="intersects")
    left, right = left[left < right], right[left < right]
    edge = shapely.boundary(polygon)
    shared = shapely.length(shapely.intersection(edge[left], edge[right]))
    length = np.rint(shared * 100).astype(np.int64)
    near = length >= ROOK_CM
    left, right, length = left[near], right[near], length[near]
    order = np.lexsort((right, left))
    return left[order].astype(np.int64), right[order].astype(np.int64), length[order]
