"""Cells between buildings: how a block is cut where no road helps.

Every building gets the land nearest to it (the Voronoi cell of its outline);
cells are joined into pieces of a few dozen households, and the borders between
pieces are straightened where that crosses no building.

Okabe, Boots, Sugihara & Chiu (2000), Spatial Tessellations, ch. 3.6 (Voronoi
diagrams of areas), approximated by points along the outlines.
"""

from __future__ import annotations

import logging

import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.blocks.houses import Houses
from gridplan.blocks.merging import Atoms, join_atoms
from gridplan.blocks.noding import GRID_M, Geometries, match_segments
from gridplan.params import BlockParams

log = logging.getLogger(__name__)

# Spacing of points along an outline and how far they are drawn in, coarse first:
# touching outlines need the inset, and finer points where the first try fails.
_TRIES = ((5.0, 0.2), (3.0, 0.35), (1.5, 0.5))
_CROSSING = 0.01


def cut_face(face: shapely.Polygon, houses: Houses, params: BlockParams) -> Geometries:
    """Cut a face into pieces that hold whole buildings; the pieces tile it up to rounding.

    A face whose cells cannot be drawn comes back whole.
    """
    try:
        cells, owner = draw_cells(face, houses.outline)
    except (shapely.GEOSException, ValueError):
        log.info("a block of %d buildings could not be cut into cells", len(houses))
        return np.array([face], dtype=object)
    group = _join_cells(cells, owner, houses, params.unit_households)
    pieces = np.array([_unite(cells[group == g]) for g in range(group.max() + 1)], dtype=object)
    home = np.zeros(len(houses), dtype=np.int64)
    home[owner[owner >= 0]] = group[owner >= 0]
    return straighten(pieces, houses.outline, home, params.straighten_m)


def draw_cells(face: shapely.Polygon,
               outlines: Geometries) -> tuple[Geometries, NDArray[np.int64]]:
    """Return polygons that tile ``face`` and, for each, its building (-1: a part cut off from it).

    Raises
    ------
    shapely.GEOSException
        No spacing of the points gives a valid tessellation.
    """
    for last, (spacing, inset) in enumerate(_TRIES, start=1):
        try:
            return _tessellate(face, outlines, spacing, inset)
        except shapely.GEOSException:
            if last == len(_TRIES):
                raise
    raise AssertionError("unreachable")


def _tessellate(face: shapely.Polygon, outlines: Geometries, spacing: float,
                inset: float) -> tuple[Geometries, NDArray[np.int64]]:
    drawn = shapely.buffer(outlines, -inset)
    drawn = np.where(shapely.is_empty(drawn), outlines, drawn)
    xy, owner = shapely.get_coordinates(shapely.segmentize(drawn, spacing), return_index=True)
    xy, first = np.unique(np.round(xy, 2), axis=0, return_index=True)
    owner = owner[first]
    diagram = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(xy), extend_to=face,
                                                         ordered=True))
    order = np.argsort(owner, kind="stable")
    numbers, starts = np.unique(owner[order], return_index=True)
    whole = np.array([shapely.coverage_union_all(diagram[rows])
                      for rows in np.split(order, starts[1:])], dtype=object)
    shapely.prepare(face)
    inside = shapely.contains_properly(face, whole)
    clipped = np.where(inside, whole, shapely.intersection(whole, face))
    parts, row = shapely.get_parts(clipped, return_index=True)
    areal = (shapely.get_type_id(parts) == 3) & (shapely.area(parts) > 1e-6)
    parts, row = parts[areal], row[areal]
    shared = shapely.area(shapely.intersection(parts, outlines[numbers[row]]))
    # Of a cell in several parts the one that holds most of the building is its home.
    rank = np.lexsort((-shared, row))
    home = rank[np.unique(row[rank], return_index=True)[1]]
    of = np.full(len(parts), -1, dtype=np.int64)
    of[home] = numbers[row[home]]
    return parts, of


def _unite(cells: Geometries) -> shapely.Geometry:
    try:
        return shapely.coverage_union_all(cells)
    except shapely.GEOSException:
        # Clipping left neighbours a rounding error apart.
        return shapely.union_all(cells, grid_size=GRID_M)


def _join_cells(cells: Geometries, owner: NDArray[np.int64], houses: Houses,
                unit_households: int) -> NDArray[np.int64]:
    has = owner >= 0
    households = np.where(has, houses.households[owner], 0)
    estate = np.where(has, houses.estate[owner], -1)
    touch = match_segments(cells)
    atoms = Atoms(households=households,
                  area_m2=shapely.area(cells), perimeter_m=shapely.length(cells),
                  buildings=has.astype(np.int64), estate=estate,
                  fence=np.zeros(len(cells), dtype=np.int64),
                  block=np.zeros(len(cells), dtype=np.int64))
    return join_atoms(atoms, touch.left, touch.right, touch.length_m, touch.length_m,
                      unit_households=unit_households, sliver_m2=0.0, thin=0.0,
                      keep_empty_m2=np.inf)


def straighten(pieces: Geometries, outlines: Geometries, home: NDArray[np.int64],
               tolerance_m: float) -> Geometries:
    """Simplify the borders between pieces, as far as no building is cut by it.

    The outer border stays as it is. ``home`` is each building's piece.
    """
    if len(pieces) < 2:
        return pieces
    area = np.maximum(shapely.area(outlines), 1e-9)

    def crossing(shapes: Geometries) -> NDArray[np.float64]:
        return 1 - shapely.area(shapely.intersection(outlines, shapes[home])) / area

    before = crossing(pieces)
    for tolerance in (tolerance_m, tolerance_m / 2, tolerance_m / 4, tolerance_m / 12):
        if tolerance <= 0:
            break
        drawn = shapely.coverage_simplify(pieces, tolerance, simplify_boundary=False)
        sound = shapely.is_valid(drawn).all() and (shapely.get_type_id(drawn) == 3).all()
        if sound and (crossing(drawn) <= np.maximum(before, _CROSSING) + 1e-6).all():
            return drawn
    return pieces
