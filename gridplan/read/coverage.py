"""Communities that tile: hair-fine gaps and overlaps closed, real ones told."""

from __future__ import annotations

import numpy as np
import shapely

from gridplan.errors import first_ids
from gridplan.read.held import Held

_AREA_CHANGE = 0.001
_LISTED = 10


def fit_communities(held: Held, snap_m: float) -> None:
    """Make communities share their borders exactly, where they miss each other by a hair.

    Parameters
    ----------
    held
        The communities, valid, in a metric CRS.
    snap_m
        Gaps and overlaps up to this width are closed; wider overlaps are faults, wider gaps
        are told.
    """
    parts = shapely.get_num_geometries(held.shapes) > 1
    held.tell("read.exclave", "warning", parts)
    if _tell_overlaps(held, snap_m):
        return
    shapes = held.shapes
    if not shapely.coverage_is_valid(shapes, gap_width=snap_m):
        fitted = shapely.coverage_clean(shapes, gap_width=snap_m, snapping_distance=snap_m)
        area = shapely.area(shapes)
        allowed = np.maximum(_AREA_CHANGE * area, shapely.length(shapes) * snap_m)
        moved = ~shapely.equals_exact(shapely.normalize(fitted), shapely.normalize(shapes), 0.0)
        safe = shapely.is_valid(fitted) & (np.abs(shapely.area(fitted) - area) <= allowed)
        held.tell("read.cannot_fit", "error", ~safe)
        held.tell("read.fitted", "repaired", moved & safe, snap=f"{snap_m:g}")
        held.shapes = np.where(safe, fitted, shapes)
    _tell_holes(held)


def _tell_overlaps(held: Held, snap_m: float) -> bool:
    shapes = held.shapes
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    left, right = left[left < right], right[left < right]
    shared = shapely.intersection(shapes[left], shapes[right])
    wide = shapely.area(shared) > 0
    wide[wide] = ~shapely.is_empty(shapely.buffer(shared[wide], -snap_m / 2))
    if not wide.any():
        return False
    names = held.labels[held.frame.index.to_numpy()]
    area = shapely.area(shared)
    worst = np.flatnonzero(wide)[np.argsort(-area[wide], kind="stable")]
    pairs = [f"{names[left[k]]} × {names[right[k]]} ({area[k]:,.1f} m²)" for k in worst]
    which = np.zeros(len(shapes), dtype=bool)
    which[left[wide]] = which[right[wide]] = True
    held.tell("read.overlap", "error", which, pairs=first_ids(pairs, _LISTED),
              overlaps=len(pairs))
    return True


def _tell_holes(held: Held) -> None:
    """Tell of land inside the communities that belongs to none."""
    whole = shapely.union_all(held.shapes)
    holes = [shapely.Polygon(h) for p in shapely.get_parts(whole) for h in p.interiors]
    if holes:
        spots = [f"({c.x:.0f}, {c.y:.0f}): {h.area:,.0f} m²"
                 for h in sorted(holes, key=lambda h: -h.area)
                 for c in (h.representative_point(),)]
        held.findings.add("read.hole", "warning", file=held.file, layer=held.role,
                          count=len(holes), spots=first_ids(spots))


def fill_holes(shape: shapely.Geometry) -> shapely.Geometry:
    """Return an area without its holes.

    >>> ring = shapely.box(0, 0, 3, 3) - shapely.box(1, 1, 2, 2)
    >>> fill_holes(ring).area
    9.0
    """
    return shapely.union_all([shapely.Polygon(p.exterior) for p in shapely.get_parts(shape)])
