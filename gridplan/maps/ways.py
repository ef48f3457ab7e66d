"""Ways that share streets: each piece of street kept once, each way as a list of pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

# Points nearer than this are one; the map shows no more.
_ONE_M = 0.1


@dataclass(frozen=True)
class Ways:
    """Ways cut where they part, meet, begin, end or turn back.

    Attributes
    ----------
    pieces
        LineStrings in the CRS of the ways, each once whatever its direction, in the order in
        which they are first gone along.
    ways
        Each distinct way as whole numbers: 2 · piece, + 1 where it goes against the piece.
    of
        Of every line given, the place of its way in ``ways``; −1 for one without length.
    """

    pieces: NDArray[np.object_]
    ways: tuple[NDArray[np.int64], ...]
    of: NDArray[np.int64]


def cut_ways(lines: Sequence[Any]) -> Ways:
    """Cut lines into shared pieces.

    Two lines share what runs along the same points; a line that has a point more on a straight
    stretch shares the rest.

    >>> out = cut_ways([shapely.LineString([(0, 0), (9, 0), (9, 5)]),
    ...                 shapely.LineString([(9, 5), (9, 0), (5, 3)])])
    >>> [piece.wkt for piece in out.pieces]
    ['LINESTRING (0 0, 9 0)', 'LINESTRING (9 0, 9 5)', 'LINESTRING (9 0, 5 3)']
    >>> [way.tolist() for way in out.ways], out.of.tolist()
    ([[0, 2], [3, 4]], [0, 1])
    """
    shape = np.asarray(lines, dtype=object)
    xy, owner = shapely.get_coordinates(shape, return_index=True)
    _, first, ids = np.unique(np.rint(xy / _ONE_M).astype(np.int64), axis=0, return_index=True,
                              return_inverse=True)
    ids = ids.reshape(-1)
    fresh = np.ones(len(ids), bool)
    fresh[1:] = (ids[1:] != ids[:-1]) | (owner[1:] != owner[:-1])
    ids, owner = ids[fresh], owner[fresh]
    cut = _cut_points(ids, owner, len(first))
    held: dict[tuple[int, ...], int] = {}
    ways: dict[tuple[int, ...], int] = {}
    of = np.full(len(shape), -1, np.int64)
    starts = np.searchsorted(owner, np.arange(len(shape) + 1))
    for k, (start, end) in enumerate(pairwise(starts.tolist())):
        if end - start < 2:
            continue
        ends = np.flatnonzero(cut[start:end])
        points = ids[start:end].tolist()
        way = tuple(_name_piece(tuple(points[a:b + 1]), held) for a, b in pairwise(ends.tolist()))
        of[k] = ways.setdefault(way, len(ways))
    places = xy[first]
    pieces = np.array([shapely.LineString(places[list(p)]) for p in held], dtype=object)
    return Ways(pieces, tuple(np.array(w, np.int64) for w in ways), of)


def _cut_points(ids: NDArray[np.int64], owner: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Tell of every point of every line whether a piece ends there in all lines through it."""
    follows = owner[1:] == owner[:-1]
    ends = np.sort(np.c_[ids[:-1], ids[1:]][follows], axis=1)
    degree = np.bincount(np.unique(ends, axis=0).reshape(-1), minlength=count)
    cut = degree != 2
    edge = np.ones(len(ids), bool)
    edge[1:-1] = (owner[1:-1] != owner[:-2]) | (owner[1:-1] != owner[2:])
    cut[ids[edge]] = True
    back = np.flatnonzero(follows[1:] & follows[:-1] & (ids[2:] == ids[:-2])) + 1
    cut[ids[back]] = True
    return cut[ids]


def _name_piece(points: tuple[int, ...], held: dict[tuple[int, ...], int]) -> int:
    """Return a piece as a way names it, and keep it where it is new."""
    if points in held:
        return 2 * held[points]
    back = points[::-1]
    if back in held:
        return 2 * held[back] + 1
    held[points] = len(held)
    return 2 * held[points]
