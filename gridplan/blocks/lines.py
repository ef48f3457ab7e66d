"""Which lines cut the land: always, only inside large blocks, or never."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan import layers
from gridplan.blocks.noding import Geometries, line_parts
from gridplan.layers import Lines, Study


def _lines(geometry: Geometries, border_class: NDArray[np.int64], name: pd.Series,
           road_class: pd.Series | str, major: NDArray[np.bool_]) -> Lines:
    parts, row = shapely.get_parts(np.asarray(geometry, dtype=object), return_index=True)
    keep = (shapely.get_type_id(parts) == 1) & (shapely.length(parts) > 0)
    parts, row = parts[keep], row[keep]
    kinds = (np.full(len(parts), road_class, dtype=object) if isinstance(road_class, str)
             else road_class.to_numpy(dtype=object)[row])
    names = name.fillna("").to_numpy(dtype=object)[row]
    return Lines(parts, border_class[row], names, kinds, major[row])


def border_roads(study: Study) -> pd.DataFrame:
    """Return the roads that may be a border: at grade or on a bridge, never below ground."""
    roads = study.roads
    level = roads["level"].fillna(0).to_numpy(dtype=np.int64)
    buried = (roads["structure"].fillna("grade") == "tunnel").to_numpy() | (level < 0)
    parked = roads["service"].isin(layers.UNCUTTING_SERVICE).to_numpy(dtype=bool)
    return roads[~buried & ~parked]


def cutting_lines(study: Study) -> Lines:
    """Return what always cuts: public roads, surface rail, the edges of water."""
    roads = border_roads(study)
    roads = roads[roads["road_class"].fillna("unknown").isin(layers.CUTTING_ROADS)]
    barriers = study.layer("barriers")
    barriers = barriers[barriers["kind"] != "wall"]
    return _road_lines(roads) + _barrier_lines(barriers)


def inner_roads(study: Study) -> Lines:
    """Return the inner roads and paths, which cut only inside large blocks."""
    roads = border_roads(study)
    return _road_lines(roads[roads["road_class"].isin(layers.INNER_ROADS)])


def fences(study: Study) -> Lines:
    """Return walls and the outlines of estates, which cut only inside large blocks."""
    barriers = study.layer("barriers")
    estates = study.layer("estates")
    none = np.zeros(len(estates), dtype=np.int64)
    outline = _lines(shapely.boundary(estates.geometry.to_numpy()), none, estates["name"], "",
                     none.astype(bool))
    return _barrier_lines(barriers[barriers["kind"] == "wall"]) + outline


def _road_lines(roads: pd.DataFrame) -> Lines:
    kind = roads["road_class"].fillna("unknown")
    rank = kind.map(layers.ROAD_CLASS).fillna(1).to_numpy(dtype=np.int64)
    return _lines(roads.geometry.to_numpy(), rank, roads["name"], kind, rank >= 3)


def _barrier_lines(barriers: pd.DataFrame) -> Lines:
    shape = barriers.geometry.to_numpy()
    edge = np.where(shapely.get_dimensions(shape) == 2, shapely.boundary(shape), shape)
    major = barriers["kind"].isin(("rail", "river")).to_numpy(dtype=bool)
    return _lines(edge, np.full(len(barriers), layers.BARRIER_CLASS), barriers["name"],
                  barriers["kind"], major)


def clip_lines(lines: Lines, area: shapely.Geometry) -> Lines:
    """Return the parts of lines inside ``area``; each keeps what it is."""
    shapely.prepare(area)
    near = np.sort(shapely.STRtree(lines.geometry).query(area, predicate="intersects"))
    shape = lines.geometry[near]
    whole = shapely.contains_properly(area, shape)
    shape = np.where(whole, shape, shapely.intersection(shape, area))
    parts, row = shapely.get_parts(shape, return_index=True)
    row = near[row]
    keep = (shapely.get_type_id(parts) == 1) & (shapely.length(parts) > 0)
    row = row[keep]
    return Lines(parts[keep], lines.border_class[row], lines.name[row], lines.road_class[row],
                 lines.major[row])


def cut_out(lines: Lines, faces: Geometries, buildings: Geometries,
            margin_m: float = 0.0) -> Geometries:
    """Return the pieces of lines that lie in ``faces``, ``margin_m`` inside, and in no building.

    A fence a few metres inside a road would leave a strip that rings the block.
    """
    if not len(lines) or not len(faces):
        return np.empty(0, dtype=object)
    line, face = shapely.STRtree(faces).query(lines.geometry, predicate="intersects")
    within = shapely.buffer(faces, -margin_m) if margin_m else faces
    pieces = line_parts(shapely.intersection(lines.geometry[line], within[face]))
    tree = shapely.STRtree(buildings)
    hit, house = tree.query(pieces, predicate="intersects")
    if len(hit):
        order = np.argsort(hit, kind="stable")
        hit, house = hit[order], house[order]
        rows, first = np.unique(hit, return_index=True)
        walls = np.array([shapely.union_all(shapely.buffer(buildings[h], 0.5))
                          for h in np.split(house, first[1:])], dtype=object)
        free = np.ones(len(pieces), dtype=bool)
        free[rows] = False
        pieces = np.concatenate([pieces[free],
                                 line_parts(shapely.difference(pieces[rows], walls))])
    return pieces[shapely.length(pieces) > 1.0]
