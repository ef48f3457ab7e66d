"""Lines to faces: node everything once, so that every layer is a label on the same faces.

Coordinates are snapped to ``GRID_M``; neighbouring faces then share their
vertices exactly, gaps and overlaps are zero by construction, and an input
border moves by less than a millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

GRID_M = 1e-4
Geometries = NDArray[np.object_]


def line_parts(geometry: Geometries) -> Geometries:
    """Return the line strings of lines, rings and collections; what is not a line goes."""
    parts = shapely.get_parts(shapely.get_parts(np.asarray(geometry, dtype=object)))
    lines = parts[np.isin(shapely.get_type_id(parts), (1, 2))]
    return lines[shapely.length(lines) > 0]


def node_lines(*lines: Geometries) -> Geometries:
    """Return the lines cut at every crossing, each piece once, snapped to ``GRID_M``."""
    given = np.concatenate([np.asarray(a, dtype=object) for a in lines])
    if not len(given):
        return given
    return shapely.get_parts(shapely.union_all(given, grid_size=GRID_M))


def build_faces(noded: Geometries, area: shapely.Geometry) -> Geometries:
    """Return the faces that noded lines enclose inside ``area``, in a canonical order."""
    faces = shapely.get_parts(shapely.polygonize(noded))
    shapely.prepare(area)
    inside = shapely.contains_properly(area, shapely.point_on_surface(faces))
    faces = shapely.normalize(faces[inside])
    corner = shapely.bounds(faces)
    return faces[np.lexsort((shapely.area(faces), corner[:, 0], corner[:, 1]))]


@dataclass(frozen=True)
class Segments:
    """The straight pieces between two faces: ``left`` and ``right`` are face numbers, left < right.

    ``start`` and ``end`` are (n, 2) coordinates in metres.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]

    @property
    def length_m(self) -> NDArray[np.float64]:
        """Length of each piece."""
        return np.hypot(*(self.end - self.start).T)

    @property
    def middle(self) -> Geometries:
        """Middle of each piece as a point."""
        return shapely.points((self.start + self.end) / 2)


def match_segments(faces: Geometries) -> Segments:
    """Find where faces of one noded coverage touch: equal pieces of two outlines.

    >>> a, b = shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)
    >>> float(match_segments(np.array([a, b])).length_m.sum())
    1.0
    """
    rings, owner = shapely.get_rings(faces, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    inner = ring[1:] == ring[:-1]
    start, end, face = xy[:-1][inner], xy[1:][inner], owner[ring[1:][inner]]
    a = np.rint(start / GRID_M).astype(np.int64)
    b = np.rint(end / GRID_M).astype(np.int64)
    swap = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
    key = np.where(swap[:, None], np.hstack([b, a]), np.hstack([a, b]))
    order = np.lexsort((face, *key.T[::-1]))
    key, face, start, end = key[order], face[order], start[order], end[order]
    pair = np.flatnonzero((key[1:] == key[:-1]).all(axis=1) & (face[1:] != face[:-1]))
    return Segments(face[pair], face[pair + 1], start[pair], end[pair])


def extend_dead_ends(noded: Geometries, limit_m: float, obstacles: shapely.STRtree,
                     fixed: Geometries) -> Geometries:
    """Return straight pieces that carry dead ends on to the next line.

    A line end that meets nothing is drawn on in its own direction until it
    meets a line within ``limit_m``, unless a building stands in the way.
    ``fixed`` are the lines whose ends are not dead ends (the study area's border).
    """
    ends = np.vstack([shapely.get_coordinates(shapely.get_point(noded, i)) for i in (0, -1)])
    before = np.vstack([shapely.get_coordinates(shapely.get_point(noded, i)) for i in (1, -2)])
    _, place, count = np.unique(np.rint(ends / GRID_M).astype(np.int64), axis=0,
                                return_inverse=True, return_counts=True)
    dead = np.flatnonzero(count[place.ravel()] == 1)
    if not len(dead):
        return np.empty(0, dtype=object)
    tip = ends[dead]
    along = tip - before[dead]
    along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    ray = shapely.linestrings(np.stack([tip + along * 0.01, tip + along * limit_m], axis=1))
    near, line = shapely.STRtree(noded).query(ray, predicate="intersects")
    other = line != dead[near] % len(noded)
    near, line = near[other], line[other]
    xy, hit = shapely.get_coordinates(shapely.intersection(ray[near], noded[line]),
                                      return_index=True)
    if not len(hit):
        return np.empty(0, dtype=object)
    owner = near[hit]
    far = np.hypot(*(xy - tip[owner]).T)
    order = np.lexsort((far, owner))
    first = order[np.unique(owner[order], return_index=True)[1]]
    owner, xy = owner[first], xy[first]
    # A hair too far on purpose, so that snapping cannot leave it a hair too short.
    piece = shapely.linestrings(np.stack([tip[owner], xy + along[owner] * 0.02], axis=1))
    blocked = np.unique(obstacles.query(piece, predicate="intersects")[0])
    free = np.ones(len(piece), dtype=bool)
    free[blocked] = False
    if len(fixed):
        free &= ~shapely.dwithin(shapely.points(tip[owner]), shapely.multilinestrings(list(fixed)),
                                 0.01)
    return piece[free]
