"""Faces become units: which face belongs to which building, what is joined, what touches what."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gridplan.blocks.houses import Houses, first_within, locate
from gridplan.blocks.merging import Atoms, join_atoms
from gridplan.blocks.noding import Geometries, Segments, match_segments
from gridplan.layers import Lines, Study, UnitBorders, Units, name_units, one_polygon
from gridplan.params import BlockParams

Ints = NDArray[np.int64]

# A border runs along a line when its pieces lie this near to it: the line
# itself was noded, so anything more than rounding would be another line.
_ON_LINE_M = 0.5
_MIN_SHARED_M = 1.0
# How strongly a border holds two pieces together: the wider the road along it, the less.
_PULL = np.array([10.0, 3.0, 2.0, 1.0, 0.5])


@dataclass(frozen=True)
class Faces:
    """The faces of the last noding with what is known of each; ``home`` is each building's."""

    shape: Geometries
    piece: Ints
    community: Ints
    block: Ints
    special: Ints
    water: NDArray[np.bool_]
    home: Ints
    touch: Segments
    line: Ints
    rank: Ints

    def __len__(self) -> int:
        return len(self.shape)


def assemble_units(shape: Geometries, pieces: Geometries, blocks: Geometries, houses: Houses,
                   study: Study, areas: Geometries, lines: Lines, params: BlockParams
                   ) -> Units:
    """Join the faces of a noded coverage to units.

    Parameters
    ----------
    shape
        Faces that tile the study area.
    pieces, blocks
        Coarser coverages of the same area: land cut between buildings, and blocks.
    areas
        The communities' polygons, or the outline alone.
    lines
        What borders may run along.
    """
    faces = _label_faces(shape, pieces, blocks, houses, study, areas, lines, params)
    atom = _glue(faces, houses)
    atoms = _weigh(faces, atom, houses, study)
    a, b = atom[faces.touch.left], atom[faces.touch.right]
    apart = a != b
    length = faces.touch.length_m[apart]
    unit = join_atoms(atoms, a[apart], b[apart], length, length * _PULL[faces.rank[apart]],
                      unit_households=params.unit_households,
                      sliver_m2=params.sliver_m2, thin=params.thin,
                      keep_empty_m2=params.empty_ha * 2500.0,
                      community=faces.community[np.unique(atom, return_index=True)[1]])
    return _make_units(faces, unit[atom], houses, study, lines)


def _label_faces(shape: Geometries, pieces: Geometries, blocks: Geometries, houses: Houses,
                 study: Study, areas: Geometries, lines: Lines, params: BlockParams) -> Faces:
    point = shapely.point_on_surface(shape)
    community = first_within(point, areas)
    specials = study.layer("specials").geometry.to_numpy()
    large = np.flatnonzero(shapely.area(specials) >= params.special_ha * 1e4)
    barriers = study.layer("barriers")
    wet = barriers[barriers["kind"].isin(("river", "water"))].geometry.to_numpy()
    wet = wet[shapely.get_dimensions(wet) == 2]
    touch = match_segments(shape)
    line, rank = follow_lines(touch, lines)
    return Faces(shape, first_within(point, pieces), community, first_within(point, blocks),
                 np.append(large, -1)[first_within(point, specials[large])],
                 first_within(point, wet) >= 0, _find_homes(shape, houses, community, study),
                 touch, line, rank)


def _find_homes(shape: Geometries, houses: Houses, community: Ints, study: Study) -> Ints:
    """Return the face each building belongs to; it lies in the building's own community."""
    home = locate(houses, shape)
    if study.communities is None:
        return home
    owner = study.communities.index.get_indexer(
        study.buildings["community_id"].to_numpy(dtype=object))
    for k in np.flatnonzero((community[home] != owner) & (owner >= 0)):
        own = np.flatnonzero(community == owner[k])
        if len(own):
            shared = shapely.area(shapely.intersection(shape[own], houses.outline[k]))
            away = shapely.distance(shape[own], houses.outline[k])
            home[k] = own[np.lexsort((away, -shared))[0]]
    return home


def follow_lines(touch: Segments, lines: Lines) -> tuple[Ints, Ints]:
    """Return for each piece of border the line it runs along (-1 none) and its class 0–4."""
    line = np.full(len(touch.left), -1, dtype=np.int64)
    rank = np.zeros(len(touch.left), dtype=np.int64)
    if len(lines) and len(line):
        row, near = shapely.STRtree(lines.geometry).query(touch.middle, predicate="dwithin",
                                                          distance=_ON_LINE_M)
        # A long straight piece may only cross a line in its middle.
        ends = shapely.points(np.stack([touch.start[row], touch.end[row]]))
        along = shapely.dwithin(ends, lines.geometry[near], _ON_LINE_M).all(axis=0)
        known = along & (lines.border_class[near] > 0)
        row, near = row[known], near[known]
        order = np.lexsort((-near, lines.border_class[near], row))
        line[row[order]] = near[order]
        rank[row[order]] = lines.border_class[near[order]]
    return line, rank


def _glue(faces: Faces, houses: Houses) -> Ints:
    """Return the atom of each face: one piece of land, or what a building keeps together.

    The faces of one piece are one atom where they hang together; what a line
    cut off from a building goes to the piece the building belongs to.
    """
    piece = faces.piece.copy()
    part, house = shapely.STRtree(shapely.buffer(houses.outline, 0.01)).query(
        faces.shape, predicate="within")
    home = faces.home[houses.host[house]]
    moved = (piece[part] != piece[home]) & (faces.community[part] == faces.community[home])
    held = np.zeros(len(faces), dtype=bool)
    held[faces.home] = True
    moved &= ~held[part]
    piece[part[moved]] = piece[home[moved]]
    left, right = faces.touch.left, faces.touch.right
    pair, row = np.unique(left * len(faces) + right, return_inverse=True)
    long = np.bincount(row, faces.touch.length_m, minlength=len(pair)) >= _MIN_SHARED_M
    left, right = pair[long] // len(faces), pair[long] % len(faces)
    same = ((piece[left] == piece[right]) & (faces.community[left] == faces.community[right]))
    links = coo_array((np.ones(int(same.sum()), dtype=np.int8), (left[same], right[same])),
                      shape=(len(faces), len(faces)))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _weigh(faces: Faces, atom: Ints, houses: Houses, study: Study) -> Atoms:
    n = int(atom.max()) + 1
    at = atom[faces.home]
    first = np.unique(atom, return_index=True)[1]
    estate = first_within(shapely.point_on_surface(faces.shape[first]),
                          study.layer("estates").geometry.to_numpy())
    lived = np.lexsort((houses.households, at))
    estate[at[lived]] = houses.estate[lived]
    kind = (faces.community + 1) * 1_000_000 + (faces.special + 1) * 2 + faces.water
    return Atoms(households=houses.load(at, n),
                 area_m2=np.bincount(atom, shapely.area(faces.shape)).astype(np.float64),
                 perimeter_m=np.bincount(atom, shapely.length(faces.shape)).astype(np.float64),
                 buildings=np.bincount(at, minlength=n).astype(np.int64), estate=estate,
                 fence=kind[first], block=faces.block[first])


def _make_units(faces: Faces, unit: Ints, houses: Houses, study: Study, lines: Lines) -> Units:
    n = int(unit.max()) + 1
    order = np.argsort(unit, kind="stable")
    starts = np.searchsorted(unit[order], np.arange(n))
    shape = np.array([one_polygon(shapely.coverage_union_all(faces.shape[rows]))
                      for rows in np.split(order, starts[1:])], dtype=object)
    at = unit[faces.home]
    names = name_units(shape, at, study.buildings.index)
    place = np.argsort(names, kind="stable")
    row_of = np.empty(n, dtype=np.int64)
    row_of[place] = np.arange(n)
    left, right = row_of[unit[faces.touch.left]], row_of[unit[faces.touch.right]]
    apart = left != right
    borders = UnitBorders(left[apart], right[apart], faces.touch.start[apart],
                          faces.touch.end[apart], faces.rank[apart], faces.line[apart], lines)
    frame = _describe(faces, unit, shape, at, houses, study)
    frame.index = pd.Index(names, name="unit_id")
    owner = pd.Series(names[at], index=study.buildings.index, name="unit_id", dtype="string")
    return Units(frame.iloc[place], owner, borders)


def _describe(faces: Faces, unit: Ints, shape: Geometries, at: Ints, houses: Houses,
              study: Study) -> gpd.GeoDataFrame:
    n = len(shape)
    area = shapely.area(faces.shape)
    largest = np.lexsort((-area, unit))
    main = largest[np.unique(unit[largest], return_index=True)[1]]
    biggest = np.zeros(n, dtype=np.int64)
    np.maximum.at(biggest, at, houses.households)
    ids = ([pd.NA] if study.communities is None
           else study.communities.index.to_numpy(dtype=object))
    special = np.append(study.layer("specials").index.to_numpy(dtype=object), pd.NA)
    total = np.bincount(unit, area, minlength=n)
    estate = first_within(shapely.point_on_surface(shape),
                          study.layer("estates").geometry.to_numpy())
    lived = np.lexsort((houses.households, at))
    estate[at[lived]] = houses.estate[lived]
    return gpd.GeoDataFrame({
        "block_id": pd.array([f"B{b:06d}" for b in faces.block[main]], dtype="string"),
        "community_id": pd.array(np.array(ids, dtype=object)[faces.community[main]],
                                 dtype="string"),
        "households": houses.load(at, n),
        "biggest": biggest,
        "buildings": np.bincount(at, minlength=n).astype(np.int64),
        "area_m2": total,
        "water": np.bincount(unit, area * faces.water, minlength=n) > 0.5 * total,
        "special_id": pd.array(special[faces.special[main]], dtype="string"),
        "estate": estate,
    }, geometry=shape, crs=study.crs)
