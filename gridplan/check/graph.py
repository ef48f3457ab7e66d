"""Who touches whom: the shared borders of polygons, and the pieces they form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx
import numpy as np
import shapely
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Shapes = NDArray[np.object_]

# Rook contact: polygons are neighbours where they share at least this much border.
ROOK_M = 1.0
_NOISE_M = 1e-6
# Where vertices do not match, borders closer than this are taken as one.
_SNAP_M = 1e-3


@dataclass(frozen=True)
class Segments:
    """Straight pieces of border between two polygons, one per row: left < right.

    ``start`` and ``end`` are (n, 2) coordinates in metres.
    """

    left: Ints
    right: Ints
    start: Floats
    end: Floats

    @property
    def length_m(self) -> Floats:
        """The length of each segment."""
        return np.hypot(*(self.end - self.start).T)

    def take(self, keep: Flags) -> Segments:
        """Return the segments where ``keep`` is true."""
        return Segments(self.left[keep], self.right[keep], self.start[keep], self.end[keep])


@dataclass(frozen=True)
class Pairs:
    """Pairs of polygons and a sum over their common border: left < right, each pair once."""

    left: Ints
    right: Ints
    total: Floats


def shared_segments(polygons: Shapes, group: Ints) -> Segments:
    """Return every piece of border that two polygons of one group share.

    Groups whose polygons match vertex by vertex are solved by comparing
    segments; in the others each pair is intersected.
    """
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    matched = np.zeros(len(polygons), dtype=bool)
    found = []
    for members in np.split(order, starts[1:]) if len(order) else []:
        if shapely.coverage_is_valid(polygons[members]):
            matched[members] = True
        else:
            found.append(_intersected(polygons, members))
    found.append(_matched(polygons, np.flatnonzero(matched), group))
    return Segments(*(np.concatenate([getattr(f, n) for f in found])
                      for n in ("left", "right", "start", "end")))


def _matched(polygons: Shapes, members: Ints, group: Ints) -> Segments:
    rings, owner = shapely.get_rings(polygons[members], return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    inner = np.flatnonzero(ring[1:] == ring[:-1])
    p, q = xy[inner] + 0.0, xy[inner + 1] + 0.0
    who = members[owner[ring[inner]]] if len(inner) else np.empty(0, dtype=np.int64)
    swap = (p[:, 0] > q[:, 0]) | ((p[:, 0] == q[:, 0]) & (p[:, 1] > q[:, 1]))
    p, q = np.where(swap[:, None], q, p), np.where(swap[:, None], p, q)
    ends = np.hstack([p, q])
    bits = np.ascontiguousarray(ends).view(np.uint64)
    mixed = np.zeros(len(ends), dtype=np.uint64)
    for column in range(4):
        mixed = (mixed ^ bits[:, column]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    order = np.lexsort((who, mixed))
    first, second = order[:-1], order[1:]
    same = ((mixed[first] == mixed[second]) & (ends[first] == ends[second]).all(axis=1)
            & (group[who[first]] == group[who[second]]) & (who[first] != who[second]))
    a, b = first[same], second[same]
    return Segments(np.minimum(who[a], who[b]), np.maximum(who[a], who[b]), p[a], q[a])


def _intersected(polygons: Shapes, members: Ints) -> Segments:
    shape = polygons[members]
    a, b = shapely.STRtree(shape).query(shape, predicate="intersects")
    a, b = a[a < b], b[a < b]
    edge = shapely.boundary(shape)
    common = shapely.intersection(edge[a], edge[b], grid_size=_SNAP_M)
    start, end, row = explode_lines(common)
    left, right = members[a[row]], members[b[row]]
    return Segments(np.minimum(left, right), np.maximum(left, right), start, end)


def explode_lines(shapes: Shapes) -> tuple[Floats, Floats, Ints]:
    """Return start, end and row of every straight segment of the lines in ``shapes``.

    Collections are opened; points in them are left out.

    >>> start, end, row = explode_lines(np.array([shapely.LineString([(0, 0), (1, 0), (1, 2)])]))
    >>> end.tolist(), row.tolist()
    ([[1.0, 0.0], [1.0, 2.0]], [0, 0])
    """
    parts = np.asarray(shapes, dtype=object)
    row = np.arange(len(parts))
    for _ in range(2):  # a collection may hold a multi-part line
        parts, up = shapely.get_parts(parts, return_index=True)
        row = row[up]
    lines = np.isin(shapely.get_type_id(parts), (1, 2))
    parts, row = parts[lines], row[lines]
    xy, line = shapely.get_coordinates(parts, return_index=True)
    inner = np.flatnonzero(line[1:] == line[:-1])
    return xy[inner], xy[inner + 1], row[line[inner]]


def sum_pairs(left: Ints, right: Ints, amount: Floats, size: int) -> Pairs:
    """Sum ``amount`` by unordered pair; ``size`` is above every number in left and right."""
    low, high = np.minimum(left, right), np.maximum(left, right)
    pair, row = np.unique(low * size + high, return_inverse=True)
    total = np.bincount(row.ravel(), amount, minlength=len(pair)).astype(np.float64)
    return Pairs(pair // size, pair % size, total)


def touching(pairs: Pairs) -> Pairs:
    """Keep the pairs that share at least a metre."""
    keep = pairs.total >= ROOK_M - _NOISE_M
    return Pairs(pairs.left[keep], pairs.right[keep], pairs.total[keep])


def label_pieces(count: int, left: Ints, right: Ints, members: Flags | None = None) -> Ints:
    """Return the connected piece of each of ``count`` nodes; -1 outside ``members``.

    >>> label_pieces(4, np.array([0, 2]), np.array([1, 3])).tolist()
    [0, 0, 1, 1]
    """
    inside = np.ones(count, dtype=bool) if members is None else members
    web: nx.Graph = nx.Graph()
    web.add_nodes_from(np.flatnonzero(inside).tolist())
    keep = inside[left] & inside[right]
    web.add_edges_from(zip(left[keep].tolist(), right[keep].tolist(), strict=True))
    label = np.full(count, -1, dtype=np.int64)
    for number, nodes in enumerate(nx.connected_components(web)):
        label[list(nodes)] = number
    return label


def sample_points(start: Floats, end: Floats, spacing_m: float) -> tuple[Floats, Floats, Ints]:
    """Return points along segments, the metres each stands for, and its segment."""
    length = np.hypot(*(end - start).T)
    pieces = np.maximum(1, np.ceil(length / spacing_m)).astype(np.int64)
    row = np.repeat(np.arange(len(length)), pieces)
    place = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    share = ((place + 0.5) / pieces[row])[:, None]
    return start[row] + share * (end - start)[row], (length / pieces)[row], row


def near_lines(xy: Floats, lines: Shapes, distance_m: float) -> Flags:
    """Tell for each point whether one of ``lines`` runs within ``distance_m``."""
    near = np.zeros(len(xy), dtype=bool)
    start, end, _ = explode_lines(lines)
    if len(start) and len(xy):
        # Two-point segments have small boxes, so the tree has little left to measure.
        tree = shapely.STRtree(shapely.linestrings(np.stack([start, end], axis=1)))
        hit = tree.query(shapely.points(xy), predicate="dwithin", distance=distance_m)[0]
        near[hit] = True
    return near


def positions(ids: Iterable[object], wanted: Iterable[object]) -> Ints:
    """Return where each of ``wanted`` stands in ``ids``; -1 where it does not."""
    place = {name: k for k, name in enumerate(ids)}
    return np.array([place.get(name, -1) for name in wanted], dtype=np.int64)
