"""Codes and names: rows from the north, west to east in a row."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.layers import code_grid, name_grid, write_numeral

__all__ = ["code_grid", "name_grid", "number_rows", "write_numeral"]


def number_rows(shapes: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the place of each polygon in the first numbering, from 0.

    Rows are cut from the top, each as high as the median of the polygons'
    heights; in a row the centroids run west to east.

    >>> number_rows(np.array([shapely.box(1, 0, 2, 1), shapely.box(0, 0, 1, 1),
    ...                       shapely.box(0, 1, 1, 2)])).tolist()
    [2, 1, 0]
    """
    bounds = shapely.bounds(shapes)
    middle = shapely.get_coordinates(shapely.centroid(shapes))
    height = max(float(np.median(bounds[:, 3] - bounds[:, 1])), 1e-6)
    row = np.floor((middle[:, 1].max() - middle[:, 1]) / height)
    order = np.lexsort((-middle[:, 1], middle[:, 0], row))
    place = np.empty(len(shapes), dtype=np.int64)
    place[order] = np.arange(len(shapes))
    return place
