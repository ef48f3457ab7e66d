"""The borders between grids: what each follows, and how much of it lies on a line."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.layers import BARRIER_CLASS, BARRIERS, ROAD_CLASS, Units

Ints = NDArray[np.int64]

ON_LINE_M = 2.0
# Shorter pieces come from rounding where three lines meet.
_LEAST_M = 0.01


def draw_borders(units: Units, grid_of: Ints, grid_ids: NDArray[np.object_],
                 community: NDArray[np.object_]) -> gpd.GeoDataFrame:
    """Return the borders layer: one row per pair of grids of a community and what they follow.

    Parameters
    ----------
    grid_of
        Grid position of every unit.
    grid_ids, community
        Code and community of every grid.

    Returns
    -------
    GeoDataFrame
        Columns of the borders layer; a border of several pieces has several rows.
    """
    pieces = units.borders
    a, b = grid_of[pieces.left], grid_of[pieces.right]
    keep = np.flatnonzero((a != b) & (community[a] == community[b]))
    first, second = grid_ids[a[keep]], grid_ids[b[keep]]
    swap = first > second
    block = units.frame["block_id"].to_numpy(dtype=object)
    line = pieces.line[keep]
    table = pd.DataFrame({
        "grid_a": np.where(swap, second, first), "grid_b": np.where(swap, first, second),
        "inside_block": block[pieces.left[keep]] == block[pieces.right[keep]],
        "road_class": np.append(pieces.lines.road_class, "")[line],
        "follows": np.append(pieces.lines.name, "")[line],
        "length_m": pieces.length_m[keep]})
    keys = ["grid_a", "grid_b", "inside_block", "road_class", "follows"]
    group = table.groupby(keys, sort=True).ngroup().to_numpy()
    segment = shapely.linestrings(np.stack([pieces.start[keep], pieces.end[keep]], axis=1))
    order = np.argsort(group, kind="stable")
    rows: list[tuple[int, shapely.Geometry]] = []
    starts = np.searchsorted(group[order], np.arange(int(group.max(initial=-1)) + 1))
    for held in np.split(order, starts[1:]) if len(starts) else []:
        merged = shapely.line_merge(shapely.multilinestrings(list(segment[held])))
        rows += [(int(held[0]), part) for part in _in_order(shapely.get_parts(merged))
                 if part.length >= _LEAST_M]
    taken = table.iloc[[k for k, _ in rows]].reset_index(drop=True)
    shape = np.array([s for _, s in rows], dtype=object)
    taken["length_m"] = shapely.length(shape)
    taken.insert(0, "border_id", [f"{x}|{y}|{n}" for x, y, n in zip(
        taken["grid_a"], taken["grid_b"], taken.groupby(["grid_a", "grid_b"]).cumcount() + 1,
        strict=True)])
    return gpd.GeoDataFrame(taken, geometry=shape, crs=units.frame.crs)


def _in_order(parts: NDArray[np.object_]) -> NDArray[np.object_]:
    box = shapely.bounds(parts)
    return parts[np.lexsort((box[:, 3], box[:, 2], box[:, 1], box[:, 0]))]


def measure_on_line(borders: gpd.GeoDataFrame, lines: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return for each border the metres of it that lie within 2 m of one of ``lines``."""
    shape = borders.geometry.to_numpy()
    on_line = np.zeros(len(shape))
    row, near = shapely.STRtree(lines).query(shape, predicate="dwithin", distance=ON_LINE_M)
    order = np.lexsort((near, row))
    row, near = row[order], near[order]
    rows, starts = np.unique(row, return_index=True)
    for k, held in zip(rows.tolist(), np.split(near, starts[1:]) if len(rows) else [],
                       strict=True):
        box = shapely.buffer(shapely.envelope(shape[k]), ON_LINE_M + 1)
        close = shapely.union_all(shapely.buffer(shapely.intersection(lines[held], box),
                                                 ON_LINE_M))
        on_line[k] = shapely.length(shapely.intersection(shape[k], close))
    return on_line


def weigh_borders(borders: pd.DataFrame, factors: Sequence[float]) -> NDArray[np.float64]:
    """Return the weight of each row of the borders: metres × factor of what it follows.

    >>> rows = pd.DataFrame({"length_m": [10.0, 10.0], "road_class": ["", "wall"]})
    >>> weigh_borders(rows, (10.0, 3.0, 2.0, 1.0, 0.5)).tolist()
    [100.0, 5.0]
    """
    known = {**ROAD_CLASS, **dict.fromkeys(BARRIERS, BARRIER_CLASS), "": 0}
    rank = borders["road_class"].fillna("").map(known).fillna(1).to_numpy(dtype=np.int64)
    weight: NDArray[np.float64] = borders["length_m"].to_numpy(dtype=np.float64) * np.asarray(
        factors)[rank]
    return weight


def add_by_grid(borders: pd.DataFrame, grid_ids: pd.Series, weight: NDArray[np.float64]
                ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the metres and the weight of each grid's borders; a border counts for both sides."""
    ids = pd.Index(grid_ids.to_numpy(dtype=object))
    row = np.concatenate([ids.get_indexer(borders[c].to_numpy(dtype=object))
                          for c in ("grid_a", "grid_b")])
    metres = borders["length_m"].to_numpy(dtype=np.float64)
    length, total = (np.bincount(row, np.tile(v, 2), minlength=len(ids)).astype(np.float64)
                     for v in (metres, weight))
    return length, total
