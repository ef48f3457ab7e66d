"""Instances: units with households and shape, and the borders between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.partition.parts import Floats, Ints, Part

FACTORS = (10.0, 3.0, 2.0, 1.0, 0.5)  # of the classes none, minor, tertiary, secondary, primary
MAJOR = 3  # lowest class that a grid should not straddle


@dataclass(frozen=True, eq=False)
class Instance:
    """Units and the borders between them; a grid lies within one of its ``pieces``.

    Attributes
    ----------
    households, area_m2, perimeter_m
        Of every unit, shape (n,); NaN areas where units have no shape.
    xy
        A point in every unit, shape (n, 2), metres.
    u, v
        The units of every border, shape (m,), u < v, each pair once, never of two communities.
    length_m, road_m
        Length of every border, and of it along roads of any class.
    weight
        Length times the factor of its class.
    major
        Whether at least half of the border runs along major lines.
    community
        Number of every unit's community; all 0 where there are none.
    """

    name: str
    households: Ints
    area_m2: Floats
    perimeter_m: Floats
    xy: Floats
    u: Ints
    v: Ints
    length_m: Floats
    road_m: Floats
    weight: Floats
    major: NDArray[np.bool_]
    community: Ints

    @property
    def size(self) -> int:
        """Number of units."""
        return int(self.households.size)

    @cached_property
    def pieces(self) -> tuple[Ints, ...]:
        """Units of every connected piece of a community, by first unit."""
        piece = label_pieces(self.size, self.u, self.v)
        order = np.argsort(piece, kind="stable")
        ends = np.cumsum(np.bincount(piece, minlength=int(piece.max()) + 1))[:-1]
        return tuple(np.split(order, ends))

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The pieces as they are handed to a program."""
        place = np.full(self.size, -1, np.int64)
        owner = np.empty(self.size, np.int64)
        for k, units in enumerate(self.pieces):
            place[units] = np.arange(units.size)
            owner[units] = k
        edges = np.argsort(owner[self.u], kind="stable")
        counts = np.bincount(owner[self.u], minlength=len(self.pieces))
        held = np.split(edges, np.cumsum(counts)[:-1])
        return tuple(
            Part(self.households[units], self.xy[units], self.area_m2[units],
                 place[self.u[rows]], place[self.v[rows]], self.weight[rows], self.major[rows])
            for units, rows in zip(self.pieces, held, strict=True))

    def select(self, units: Ints, name: str) -> Instance:
        """Return the instance of some units alone."""
        place = np.full(self.size, -1, np.int64)
        place[units] = np.arange(units.size)
        held = self.drop_borders((place[self.u] < 0) | (place[self.v] < 0))
        one, two = place[held.u], place[held.v]
        return replace(held, name=name, u=np.minimum(one, two), v=np.maximum(one, two),
                       **{key: getattr(self, key)[units] for key in
                          ("households", "area_m2", "perimeter_m", "xy", "community")})

    def drop_borders(self, gone: NDArray[np.bool_]) -> Instance:
        """Return the instance without some borders."""
        return replace(self, **{key: getattr(self, key)[~gone] for key in
                                ("u", "v", "length_m", "road_m", "weight", "major")})


def label_pieces(n: int, u: Ints, v: Ints) -> Ints:
    """Give ``n`` units the number of their connected piece, by first unit.

    >>> label_pieces(4, np.array([0]), np.array([2])).tolist()
    [0, 1, 0, 2]
    """
    links = coo_array((np.ones(len(u), np.int8), (u, v)), shape=(n, n))
    label = connected_components(links, directed=False)[1]
    first = np.unique(label, return_index=True)[1]
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[label]


def read_instance(units: Path) -> Instance:
    """Read ``X_units.parquet`` and the ``X_edges.parquet`` beside it.

    Units have ``hh`` (households), a polygon and perhaps ``community``; edges ``i``, ``j`` (rows
    of units), ``length_m``, ``cls`` (0–4) and perhaps ``major``, without which classes from 3 up
    are. A pair may have several rows, one for each class along it.

    Raises
    ------
    ValueError
        The name has no ``_units.parquet``, or columns or rows are not as said.
    """
    if not units.name.endswith("_units.parquet"):
        raise ValueError(f"{units.name}: the name of an instance ends with _units.parquet")
    name = units.name.removesuffix("_units.parquet")
    frame = gpd.read_parquet(units)
    edges = pd.read_parquet(units.with_name(f"{name}_edges.parquet"))
    missing = ({"hh"} - set(frame.columns)) | ({"i", "j", "length_m", "cls"} - set(edges.columns))
    if missing:
        raise ValueError(f"{units.name}: no column {', '.join(sorted(missing))}")
    shape = frame.geometry.to_numpy()
    community = (pd.factorize(frame["community"])[0] if "community" in frame.columns
                 else np.zeros(len(frame)))
    return make_instance(name, frame["hh"].to_numpy(), shape, edges, community.astype(np.int64))


def make_instance(name: str, households: Any, shape: NDArray[np.object_], edges: pd.DataFrame,
                  community: Ints) -> Instance:
    """Make an instance of arrays; borders between communities are left out."""
    n = len(shape)
    i, j = edges["i"].to_numpy(np.int64), edges["j"].to_numpy(np.int64)
    level = edges["cls"].to_numpy(np.int64)
    if ((i == j) | (np.minimum(i, j) < 0) | (np.maximum(i, j) >= n)).any():
        raise ValueError(f"{name}: a border of a unit with itself or with one that is not there")
    if ((level < 0) | (level >= len(FACTORS))).any():
        raise ValueError(f"{name}: a class outside 0–4")
    length = edges["length_m"].to_numpy(np.float64)
    steep = edges["major"].to_numpy(bool) if "major" in edges.columns else level >= MAJOR
    kept = community[i] == community[j]
    pair, row = np.unique((np.minimum(i, j) * n + np.maximum(i, j))[kept], return_inverse=True)

    def add_up(values: Floats) -> Floats:
        return np.bincount(row, values[kept], minlength=pair.size).astype(np.float64)

    total = add_up(length)
    flat = shapely.get_dimensions(shape) == 2
    area, edge = shapely.area(shape), shapely.length(shape)
    return Instance(
        name, np.asarray(households, np.int64), np.where(flat, area, np.nan),
        np.where(flat, edge, np.nan),
        shapely.get_coordinates(shapely.point_on_surface(shape)), pair // n, pair % n, total,
        add_up(np.where(level > 0, length, 0.0)), add_up(length * np.take(FACTORS, level)),
        add_up(np.where(steep, length, 0.0)) >= 0.5 * total, np.asarray(community, np.int64))


def make_lattice(rows: int, columns: int, *, side_m: float = 50.0, households: int = 60,
                 major_rows: Sequence[int] = (), name: str = "lattice") -> Instance:
    """Make a town of square blocks; a primary road runs below each of ``major_rows``.

    >>> make_lattice(2, 3, major_rows=[1]).weight.tolist()
    [150.0, 25.0, 150.0, 25.0, 25.0, 150.0, 150.0]
    """
    number = np.arange(rows * columns).reshape(rows, columns)
    row, column = np.divmod(np.arange(rows * columns), columns)
    shape = shapely.box(column * side_m, row * side_m, (column + 1) * side_m,
                        (row + 1) * side_m)
    across = np.isin(np.repeat(np.arange(1, rows), columns), list(major_rows))
    edges = pd.DataFrame({
        "i": np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()]),
        "j": np.concatenate([number[:, 1:].ravel(), number[1:].ravel()]),
        "length_m": side_m,
        "cls": np.concatenate([np.ones(rows * (columns - 1), int), np.where(across, 4, 1)])})
    return make_instance(name, np.full(rows * columns, households), shape, edges,
                         np.zeros(rows * columns, np.int64))
