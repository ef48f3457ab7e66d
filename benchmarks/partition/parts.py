"""What a program is given: one connected graph. Light to load, for the children's sake."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gridplan.regions import Graph

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LOW, HIGH, MIDDLE = 300, 500, 400  # households of a grid: least, most, and what K is made for


@dataclass(frozen=True, eq=False)
class Part:
    """One connected graph to be cut, as every program gets it.

    Attributes
    ----------
    households, area_m2
        Of every unit, shape (n,).
    xy
        A point in every unit, shape (n, 2), metres.
    u, v
        The units of every border, shape (m,), u < v.
    weight
        What cutting each border costs.
    major
        Whether each runs along a line that should not be straddled.
    """

    households: Ints
    xy: Floats
    area_m2: Floats
    u: Ints
    v: Ints
    weight: Floats
    major: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Number of units."""
        return int(self.households.size)

    @property
    def count(self) -> int:
        """How many grids a program is asked for that must be told: households / 400."""
        return max(1, round(int(self.households.sum()) / MIDDLE))

    @cached_property
    def graph(self) -> Graph:
        """The part as our solver takes it."""
        from gridplan.regions import Graph

        return Graph(self.households, self.u.astype(np.int32), self.v.astype(np.int32),
                     self.weight, self.major)

    def rows(self) -> tuple[Ints, Ints, Ints]:
        """Return the neighbour rows as partitioners take them: starts, neighbours, edges.

        >>> part = Part(np.ones(3, int), np.zeros((3, 2)), np.ones(3), np.array([0, 1]),
        ...             np.array([1, 2]), np.ones(2), np.zeros(2, bool))
        >>> [x.tolist() for x in part.rows()]
        [[0, 1, 3, 4], [1, 0, 2, 1], [0, 0, 1, 1]]
        """
        one, two = np.concatenate([self.u, self.v]), np.concatenate([self.v, self.u])
        order = np.lexsort((two, one))
        edge = np.tile(np.arange(self.u.size), 2)[order]
        starts = np.concatenate([[0], np.cumsum(np.bincount(one, minlength=self.size))])
        return starts.astype(np.int64), two[order].astype(np.int64), edge.astype(np.int64)

    def whole_weight(self) -> Ints:
        """Return the weights as whole numbers of at least 1: partitioners take no others."""
        return np.maximum(1, np.round(self.weight)).astype(np.int64)


def pack_parts(parts: tuple[Part, ...]) -> dict[str, NDArray[Any]]:
    """Return parts as arrays one behind the other, to be handed to a child process."""
    packed = {name: np.concatenate([getattr(p, name) for p in parts])
              for name in Part.__dataclass_fields__}
    return {**packed, "units": np.array([p.size for p in parts]),
            "edges": np.array([p.u.size for p in parts])}


def unpack_parts(arrays: dict[str, NDArray[Any]]) -> tuple[Part, ...]:
    """Return the parts that :func:`pack_parts` packed."""
    unit = np.cumsum(arrays["units"])[:-1]
    edge = np.cumsum(arrays["edges"])[:-1]
    rows = {name: np.split(arrays[name], unit if name in ("households", "xy", "area_m2") else edge)
            for name in Part.__dataclass_fields__}
    return tuple(Part(**{name: held[k] for name, held in rows.items()})
                 for k in range(len(arrays["units"])))
