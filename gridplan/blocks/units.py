"""The story of a study becoming units, step by step; see :func:`build_units`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

from gridplan.blocks.assembly import assemble_units
from gridplan.blocks.cells import cut_face
from gridplan.blocks.houses import Houses, locate, place_houses
from gridplan.blocks.lines import clip_lines, cut_out, cutting_lines, fences, inner_roads
from gridplan.blocks.noding import (
    Geometries,
    build_faces,
    extend_dead_ends,
    line_parts,
    node_lines,
)
from gridplan.layers import Study, Units
from gridplan.params import BlockParams

# A building counts as cut when more than this share, or area, of it lies elsewhere.
_CUT_SHARE, _CUT_M2 = 0.02, 2.0
# Lines are taken this far beyond the study area, so that they reach its border.
_REACH_M = 50.0
# A fence nearer than this to the edge of its block is left to the edge.
_FENCE_M = 15.0


def build_units(study: Study, households: pd.Series, params: BlockParams) -> Units:
    """Cut the study area into units.

    Parameters
    ----------
    study
        Checked inputs in a projected metric CRS.
    households
        Households of every building of ``study.buildings`` (its index).

    Returns
    -------
    Units
        Units tile every community (or the outline) exactly; every building
        belongs to one unit.
    """
    houses = place_houses(study, households)
    fixed = line_parts(shapely.boundary(_areas(study)))
    outer = clip_lines(cutting_lines(study), shapely.buffer(study.outline, _REACH_M))
    inner = clip_lines(inner_roads(study), study.outline)
    walls = clip_lines(fences(study), study.outline)

    noded = node_lines(fixed, outer.geometry)
    blocks = build_faces(noded, study.outline)
    crowded = houses.load(locate(houses, blocks), len(blocks)) > params.cut_households
    noded = node_lines(noded, cut_out(inner, blocks[crowded], houses.outline),
                       cut_out(walls, blocks[crowded], houses.outline, _FENCE_M),
                       _special_outlines(study, params))
    noded = node_lines(noded, _carry_on(noded, houses, params, fixed))
    land = build_faces(noded, study.outline)
    pieces = _cut_crowded(land, houses, params)
    noded = node_lines(noded, line_parts(shapely.boundary(pieces)),
                       _cut_buildings(land, houses, study.outline))
    faces = build_faces(noded, study.outline)
    return assemble_units(faces, pieces, blocks, houses, study, _areas(study),
                          outer + inner + walls, params)


def _areas(study: Study) -> Geometries:
    if study.communities is None:
        return np.array([study.outline], dtype=object)
    return study.communities.geometry.to_numpy()


def _special_outlines(study: Study, params: BlockParams) -> Geometries:
    shape = study.layer("specials").geometry.to_numpy()
    parts = shapely.get_parts(shapely.intersection(shape, study.outline))
    large = (shapely.get_type_id(parts) == 3) & (shapely.area(parts) >= params.special_ha * 1e4)
    return line_parts(shapely.boundary(parts[large]))


def _carry_on(noded: Geometries, houses: Houses, params: BlockParams,
              fixed: Geometries) -> Geometries:
    """Return the pieces that carry dead ends on; none goes through a building."""
    walls = shapely.STRtree(shapely.buffer(houses.outline, -0.3))
    return extend_dead_ends(noded, params.extend_m, walls, fixed)


def _cut_crowded(land: Geometries, houses: Houses, params: BlockParams) -> Geometries:
    """Return the land with every face that holds too much cut between its buildings."""
    face_of = locate(houses, land)
    load = houses.load(face_of, len(land))
    order = np.argsort(face_of, kind="stable")
    order = order[houses.is_host[order]]
    starts = np.searchsorted(face_of[order], np.arange(len(land) + 1))
    crowded = (load > params.cell_households) & (np.diff(starts) > 1)
    cut = [cut_face(land[f], houses.take(order[starts[f]:starts[f + 1]]), params)
           for f in np.flatnonzero(crowded)]
    return np.concatenate([land[~crowded], *cut])


def _cut_buildings(land: Geometries, houses: Houses, outline: shapely.Geometry) -> Geometries:
    """Return the outlines of buildings that a line cuts, so that the border can go round them."""
    hosts = houses.take(np.flatnonzero(houses.is_host))
    house, _ = shapely.STRtree(land).query(hosts.outline, predicate="intersects")
    hosts = hosts.take(np.flatnonzero(np.bincount(house, minlength=len(hosts)) > 1))
    home = locate(hosts, land)
    inside = shapely.area(shapely.intersection(hosts.outline, land[home]))
    area = shapely.area(hosts.outline)
    cut = hosts.outline[area - inside > np.minimum(_CUT_SHARE * area, _CUT_M2)]
    return line_parts(shapely.intersection(shapely.boundary(cut), outline))
