"""Geometry: flat, of the right kind, valid; each repair counted, each fault named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

from gridplan.read.held import REJECTED, Held

# What dimension of geometry a layer is made of: 0 points, 1 lines, 2 areas.
WANTED: dict[str, frozenset[int]] = {
    "communities": frozenset((2,)), "outline": frozenset((2,)), "estates": frozenset((2,)),
    "specials": frozenset((2,)), "buildings": frozenset((0, 2)), "roads": frozenset((1,)),
    "barriers": frozenset((1, 2)), "gates": frozenset((0,)), "entrances": frozenset((0,)),
    "must_links": frozenset((0, 1, 2)), "facilities": frozenset((0,)),
    "demand": frozenset((0,)), "stations": frozenset((0,)), "stops": frozenset((0,)),
    "points": frozenset((0,)), "streets": frozenset((1,)), "zones": frozenset((2,))}
# Layers whose areas are somebody's border: a repair may not move them.
_STRICT = frozenset(("communities", "outline", "estates", "specials"))
_AREA_CHANGE = 0.001
_MANY_VERTICES = 50_000


def drop_missing(held: Held, drop_null: bool) -> None:
    """Refuse rows without geometry, or with ``drop_null`` take them out and say what they held."""
    shapes = held.shapes
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    held.tell("read.no_shape", "warning" if drop_null else "error", missing,
              households=held.households_of(missing))
    held.drop(missing, REJECTED)
    xy, row = shapely.get_coordinates(held.shapes, return_index=True)
    bad = np.zeros(len(held.frame), dtype=bool)
    bad[row[~np.isfinite(xy).all(axis=1)]] = True
    held.tell("read.not_finite", "error", bad)
    held.drop(bad, REJECTED)


def repair_shapes(held: Held) -> None:
    """Make the geometry of a layer flat, of its kind and valid, in a metric CRS."""
    _flatten(held)
    _take_kinds(held)
    _mend_areas(held)
    _tell_large(held)
    _tell_twins(held)


def _flatten(held: Held) -> None:
    shapes = held.shapes
    high = shapely.has_z(shapes) | shapely.has_m(shapes)
    if high.any():
        held.tell("read.flattened", "repaired", high)
        held.shapes = shapely.force_2d(shapes)


def _take_kinds(held: Held) -> None:
    """Bring every row to the kind of geometry its layer is made of, or refuse it."""
    wanted = WANTED[held.role]
    shapes = held.shapes.copy()
    kinds = shapely.get_type_id(shapes)
    mixed = kinds == 7
    if mixed.any():
        shapes[mixed] = [_of_dimension(s, max(wanted)) for s in shapes[mixed]]
        held.tell("read.collection", "repaired", mixed & ~shapely.is_empty(shapes))
    if 2 in wanted and 1 not in wanted:
        rings = np.isin(shapely.get_type_id(shapes), (1, 2)) & shapely.is_closed(shapes)
        if rings.any():
            shapes[rings] = shapely.polygons(shapely.linearrings(
                [shapely.get_coordinates(s) for s in shapes[rings]]))
            held.tell("read.ring_to_area", "repaired", rings)
    if wanted == {0}:
        areas = shapely.get_dimensions(shapes) > 0
        shapes[areas] = shapely.point_on_surface(shapes[areas])
        held.tell("read.area_to_point", "repaired", areas)
    # Several points that belong together are meant as they are.
    many = (shapely.get_type_id(shapes) == 4) & (held.role != "must_links")
    shapes[many] = shapely.centroid(shapes[many])
    held.shapes = shapes
    wrong = ~np.isin(shapely.get_dimensions(shapes), list(wanted)) | shapely.is_empty(shapes)
    # An area among roads is a square, a point among barriers a bollard: neither is meant.
    spare = held.role in ("roads", "barriers") and not wrong.all()
    held.tell("read.not_a_line" if spare else "read.wrong_kind", "warning" if spare else "error",
              wrong, wanted=_named(wanted))
    held.drop(wrong, REJECTED)


def _named(wanted: frozenset[int]) -> str:
    return " / ".join(("Point", "LineString", "Polygon")[d] for d in sorted(wanted))


def _of_dimension(shape: shapely.Geometry, dimension: int) -> shapely.Geometry:
    parts = shapely.get_parts(shape)
    parts = shapely.get_parts(parts)  # collections hold multi-geometries
    kept = parts[shapely.get_dimensions(parts) == dimension]
    return shapely.union_all(kept) if len(kept) else shapely.Polygon()


def _mend_areas(held: Held) -> None:
    shapes = shapely.remove_repeated_points(held.shapes, 0.0)
    areas = shapely.get_dimensions(shapes) == 2
    broken = np.flatnonzero(areas & ~shapely.is_valid(shapes))
    change = np.zeros(len(shapes))
    lost_hole = np.zeros(len(shapes), dtype=bool)
    for i in broken:
        shapes[i], change[i], lost_hole[i] = _mend_area(shapes[i])
    flat = areas & (shapely.area(shapes) == 0)
    changed = (change > _AREA_CHANGE) & ~flat & (held.role in _STRICT)
    mended = np.zeros(len(shapes), dtype=bool)
    mended[broken] = True
    held.tell("read.zero_area", "warning" if held.role == "barriers" else "error", flat)
    held.tell("read.crosses_itself", "error", changed,
              change=f"{100 * change[changed].max(initial=0):.3g}")
    held.tell("read.hole_dropped", "repaired", lost_hole & ~flat)
    held.tell("read.made_valid", "repaired", mended & ~flat & ~changed & ~lost_hole)
    single = (shapely.get_type_id(shapes) == 6) & (shapely.get_num_geometries(shapes) == 1)
    shapes[single] = shapely.get_geometry(shapes[single], 0)
    held.shapes = shapes
    held.drop(flat, REJECTED)


def _mend_area(shape: shapely.Geometry) -> tuple[shapely.Geometry, float, bool]:
    """Return a valid area, the share by which it changed, and whether a stray hole was dropped.

    Every part is judged on its own, so that parts which overlap count once and not as a change.
    """
    mended, before, off, lost = [], 0.0, 0.0, False
    for part in shapely.get_parts(shape):
        kept = part
        if not part.is_valid:
            shell = shapely.make_valid(shapely.Polygon(part.exterior), method="structure",
                                       keep_collapsed=False)
            holes = [h for h in part.interiors
                     if shapely.intersection(shell, h).length > h.length / 2]
            lost |= len(holes) < len(part.interiors)
            kept = shapely.Polygon(part.exterior, holes)
        fixed = kept if kept.is_valid else shapely.make_valid(kept, method="structure",
                                                              keep_collapsed=False)
        before += max(kept.area, fixed.area)
        off += abs(kept.area - fixed.area)
        mended.append(fixed)
    return shapely.union_all(mended), off / before if before else 0.0, lost


def _tell_large(held: Held) -> None:
    held.tell("read.many_vertices", "warning",
              shapely.get_num_coordinates(held.shapes) >= _MANY_VERTICES)


def _tell_twins(held: Held) -> None:
    """Tell of buildings with one and the same outline: households there would count twice."""
    if held.role not in ("buildings", "estates", "specials"):
        return
    shapes = held.shapes
    box = pd.DataFrame(shapely.bounds(shapes))
    twin = box.duplicated(keep=False).to_numpy() & (shapely.get_dimensions(shapes) == 2)
    same = np.flatnonzero(twin)
    if same.size:
        form = pd.Series(shapely.to_wkb(shapely.normalize(shapes[same])))
        twin[same] = form.duplicated(keep=False).to_numpy()
        held.tell("read.twins", "warning", twin, households=held.households_of(twin))


def explode_lines(held: Held) -> None:
    """Make one row of every line of a multi-line, joined where its pieces touch."""
    nothing = (shapely.get_dimensions(held.shapes) == 1) & (shapely.length(held.shapes) == 0)
    held.tell("read.zero_length", "warning", nothing)
    held.drop(nothing, REJECTED)
    many = shapely.get_type_id(held.shapes) == 5
    if many.any():
        shapes = held.shapes.copy()
        shapes[many] = shapely.line_merge(shapes[many])
        held.shapes = shapes
        pieces = held.frame.explode(ignore_index=False)
        length = shapely.length(np.asarray(pieces.geometry.array))
        held.frame = pieces[(length > 0) | (shapely.get_dimensions(
            np.asarray(pieces.geometry.array)) == 2)]
