"""Codes and names: rows from the north, west to east in a row."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.i18n import translate

_DIGITS = "零一二三四五六七八九"


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


def code_grid(community_id: str, seq: int) -> str:
    """Return the grid code: 12 digits + 3, else the community's id, a dash and 3 digits.

    >>> code_grid("110105001002", 7), code_grid("C001", 12), code_grid("C001", 1000)
    ('110105001002007', 'C001-012', 'C001-1000')
    """
    plain = len(community_id) == 12 and community_id.isascii() and community_id.isdigit()
    return f"{community_id}{'' if plain else '-'}{seq:03d}"


def name_grid(seq: int, lang: str) -> str:
    """Return the default name of a grid: 第一网格, Grid 1."""
    return translate("partition.grid_name", lang, number=seq, numeral=write_numeral(seq))


def write_numeral(number: int) -> str:
    """Write a number up to 9,999 in Chinese.

    >>> [write_numeral(n) for n in (1, 10, 12, 20, 105, 110, 1001)]
    ['一', '十', '十二', '二十', '一百零五', '一百一十', '一千零一']
    """
    text, gap = "", False
    for value, word in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // value % 10
        if digit:
            text += ("零" if gap and text else "") + _DIGITS[digit] + word
        gap = not digit
    return text.removeprefix("一") if text.startswith("一十") else text
