"""Groups on the map: the lines between the groups of a grid, and what each is called."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import shapely

from gridplan.maps.facts import Layers, count_of, text_of
from gridplan.maps.shapes import inscribe

# A city has tens of thousands of groups; more would not fit a file that a phone opens.
DRAWN_GROUPS = 40_000
_TOLERANCE_M = 1.5
_MICRO = 1e6
# A group that is called by its number alone needs no name beside the number.
_NUMBERED = re.compile(r"Group \d+|第[零一二三四五六七八九十百]+组")


def has_groups(layers: Layers) -> bool:
    """Tell whether the plan has grids of several groups that the map can hold."""
    groups = layers.get("groups")
    return (groups is not None and 0 < len(groups) <= DRAWN_GROUPS
            and pd.Series(text_of(groups, "grid_id")).duplicated().any())


def pack_groups(layers: Layers, grid_ids: list[str], audience: str
                ) -> tuple[dict[str, list[Any]], np.ndarray, np.ndarray]:
    """Return columns, lines and centres of the groups of grids that have several.

    Households are among the columns for ``internal`` alone: ``share`` holds no figure below
    the grid. Lines are those between two groups of one grid, the outlines of grids left out.

    Parameters
    ----------
    grid_ids
        The grids in the order of the map.
    """
    groups = layers["groups"]
    owner = pd.Index(grid_ids).get_indexer(pd.Index(text_of(groups, "grid_id")))
    held = np.flatnonzero(pd.Series(owner).duplicated(keep=False).to_numpy() & (owner >= 0))
    shape = np.asarray(groups.geometry.array)[held]
    centres, radii = inscribe(shape)
    names, ids = text_of(groups, "name"), text_of(groups, "group_id")
    columns: dict[str, list[Any]] = {
        "grid": owner[held].tolist(),
        "name": ["" if _NUMBERED.fullmatch(names[k]) else names[k] for k in held],
        "seq": [ids[k].rpartition("-")[2].lstrip("0") for k in held],
        "radius": np.rint(radii * 10).astype(int).tolist()}
    if audience == "internal":
        columns["households"] = count_of(groups, "households")[held].tolist()
    return columns, draw_lines_between(shape, owner[held]), centres


def draw_lines_between(shape: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return the borders between polygons of one owner, as lines, owner by owner.

    >>> squares = np.array([shapely.box(0, 0, 9, 9), shapely.box(9, 0, 18, 9)])
    >>> [line.wkt for line in draw_lines_between(squares, np.array([5, 5]))]
    ['LINESTRING (9 0, 9 9)']
    """
    rings, polygon = shapely.get_rings(shape, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    inner = np.flatnonzero(ring[1:] == ring[:-1])
    points = np.rint(np.hstack([xy[inner], xy[inner + 1]]) * _MICRO).astype(np.int64)
    swap = (points[:, 0] > points[:, 2]) | ((points[:, 0] == points[:, 2])
                                            & (points[:, 1] > points[:, 3]))
    points = np.where(swap[:, None], points[:, [2, 3, 0, 1]], points)
    table = pd.DataFrame(points, columns=["x", "y", "u", "v"])
    table["owner"] = owner[polygon[ring[inner]]]
    table = table[table.duplicated()].sort_values(["owner", "x", "y", "u", "v"])
    if table.empty:
        return np.empty(0, dtype=object)
    ends = table[["x", "y", "u", "v"]].to_numpy(dtype=np.float64).reshape(-1, 2, 2) / _MICRO
    place = pd.factorize(table["owner"])[0]
    lines = shapely.line_merge(shapely.multilinestrings(shapely.linestrings(ends), indices=place))
    return np.asarray(shapely.simplify(shapely.get_parts(lines), _TOLERANCE_M), dtype=object)
