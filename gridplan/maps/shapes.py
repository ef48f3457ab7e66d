"""Geometry for the screen: simplified together, packed as whole millionths of a degree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

MICRO = 1_000_000


@dataclass(frozen=True)
class Packed:
    """Rings or lines of a layer: parts per feature, points per part, coordinates.

    ``xy`` holds longitude and latitude in millionths of a degree, shape (points, 2).
    """

    parts: np.ndarray
    points: np.ndarray
    xy: np.ndarray


def simplify_coverage(polygons: np.ndarray, tolerance_m: float) -> np.ndarray:
    """Simplify polygons that share borders, so that no gap opens between them.

    Where the polygons overlap or a border does not match, GEOS may return an
    empty or broken polygon; those are simplified alone.
    """
    out = np.asarray(shapely.coverage_simplify(polygons, tolerance_m))
    bad = ~shapely.is_valid(out) | shapely.is_empty(out)
    if bad.any():
        out[bad] = shapely.simplify(polygons[bad], tolerance_m)
    return out


def dissolve(polygons: np.ndarray, owner: np.ndarray, own: np.ndarray,
             tolerance_m: float) -> np.ndarray:
    """Unite the polygons of each owner, so that its outline meets theirs exactly.

    Parameters
    ----------
    polygons, owner
        The parts and the position of each one's owner in ``own``; −1 for none.
    own
        The owners' polygons as given: taken where the parts do not fill them.
    """
    out = shapely.simplify(own, tolerance_m)
    known = owner >= 0
    order = np.flatnonzero(known)[np.argsort(owner[known], kind="stable")]
    ids, starts = np.unique(owner[order], return_index=True)
    for place, members in zip(ids, np.split(order, starts[1:]), strict=True):
        united = shapely.coverage_union_all(polygons[members])
        whole = shapely.area(own[place])
        if abs(shapely.area(united) - whole) <= 0.02 * whole:
            out[place] = united
    return np.asarray(out)


def inscribe(polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre (points) and radius (m) of the largest circle in each polygon."""
    centres = shapely.point_on_surface(polygons)
    radii = np.zeros(len(polygons))
    drawn = np.flatnonzero(shapely.area(polygons) > 0)
    if len(drawn):
        # A label needs no more precision than a fiftieth of the polygon's width.
        width = np.sqrt(shapely.area(polygons[drawn]))
        rays = shapely.maximum_inscribed_circle(
            shapely.simplify(polygons[drawn], width / 50), tolerance=width / 50)
        good = ~shapely.is_empty(rays)
        centres[drawn[good]] = shapely.get_point(rays[good], 0)
        radii[drawn[good]] = shapely.length(rays[good])
    return np.asarray(centres), radii


def pack(geometries: np.ndarray, closed: bool) -> Packed:
    """Take geometries in degrees apart into parts and whole-numbered points.

    Points that coincide after rounding are dropped, and parts that vanish.
    ``closed``: the parts are rings, whose last point is not stored.
    """
    pieces, feature = shapely.get_parts(geometries, return_index=True)
    if closed:
        pieces, piece = shapely.get_rings(pieces, return_index=True)
        feature = feature[piece]
    xy, part = shapely.get_coordinates(pieces, return_index=True)
    xy = np.rint(xy * MICRO).astype(np.int64)
    keep = np.ones(len(xy), bool)
    same = part[1:] == part[:-1]
    keep[1:] = (xy[1:] != xy[:-1]).any(axis=1) | ~same
    if closed:
        last = np.ones(len(xy), bool)
        last[:-1] = ~same
        keep &= ~last
    counts = np.bincount(part[keep], minlength=len(pieces))
    keep &= (counts >= (3 if closed else 2))[part]
    alive = counts >= (3 if closed else 2)
    return Packed(np.bincount(feature[alive], minlength=len(geometries)), counts[alive], xy[keep])


def pack_points(points: np.ndarray) -> Packed:
    """Pack one point per feature."""
    ones = np.ones(len(points), np.int64)
    xy = np.rint(shapely.get_coordinates(points) * MICRO).astype(np.int64)
    return Packed(ones, ones, xy.reshape(-1, 2))


def pack_corners(rectangles: np.ndarray) -> Packed:
    """Pack the first three corners of each rectangle; the fourth follows from them."""
    whole = shapely.get_num_coordinates(rectangles) == 5
    corners = shapely.get_coordinates(rectangles[whole]).reshape(-1, 5, 2)[:, :3]
    ones = np.ones(len(corners), np.int64)
    return Packed(ones, 3 * ones, np.rint(corners.reshape(-1, 2) * MICRO).astype(np.int64))


def to_varints(numbers: np.ndarray) -> bytes:
    """Write signed whole numbers as zigzag varints, the small ones as a single byte.

    >>> to_varints(np.array([0, -1, 1, 300])).hex()
    '000102d804'
    """
    values = np.asarray(numbers, np.int64)
    zigzag = ((values << 1) ^ (values >> 63)).astype(np.uint64)
    if not len(zigzag):
        return b""
    sizes = np.ones(len(zigzag), np.int64)
    for power in range(7, 64, 7):
        sizes += zigzag >= np.uint64(1) << np.uint64(power)
    ends = np.cumsum(sizes)
    out = np.empty(int(ends[-1]), np.uint8)
    for place in range(int(sizes.max())):
        has = sizes > place
        byte = (zigzag[has] >> np.uint64(7 * place)) & np.uint64(127)
        more = sizes[has] > place + 1
        out[(ends - sizes)[has] + place] = byte.astype(np.uint8) | (more.astype(np.uint8) << 7)
    return out.tobytes()


def to_stream(packed: Packed) -> bytes:
    """Write a packed layer: parts, points, then the steps from each point to the next."""
    steps = np.diff(packed.xy, axis=0, prepend=np.zeros((1, 2), np.int64))
    return b"".join(to_varints(a) for a in (packed.parts, packed.points, steps.reshape(-1)))
