"""The four bounds and the contents of a grid, in words."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.i18n import translate
from gridplan.layers import Lines

_SIDES = ("e", "n", "w", "s")
_NEAR_M = 2.0


def describe_bounds(shapes: NDArray[np.object_], lines: Lines, lang: str) -> pd.DataFrame:
    """Return bound_e, bound_s, bound_w, bound_n: what runs along most of each side.

    A piece of outline belongs to the side it faces from the grid's centre. The
    named line with the greatest length on a side wins, then a nameless one by
    its kind; where no line runs along the side the text is empty.

    Parameters
    ----------
    shapes
        Polygons in the CRS of ``lines`` (metres).
    """
    xy, owner = shapely.get_coordinates(shapely.get_exterior_ring(shapes), return_index=True)
    same = owner[1:] == owner[:-1]
    start, end, owner = xy[:-1][same], xy[1:][same], owner[1:][same]
    middle = (start + end) / 2
    box = shapely.bounds(shapes)
    centre = np.column_stack([(box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2])
    half = np.maximum(np.column_stack([box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]]) / 2, 1e-6)
    away = (middle - centre[owner]) / half[owner]
    side = np.round(np.arctan2(away[:, 1], away[:, 0]) / (np.pi / 2)).astype(np.int64) % 4
    row, line = shapely.STRtree(lines.geometry).query(shapely.points(middle),
                                                      predicate="dwithin", distance=_NEAR_M)
    found = pd.DataFrame({
        "grid": owner[row], "side": side[row], "name": lines.name[line],
        "kind": lines.road_class[line], "rank": lines.border_class[line],
        "length": np.hypot(*(end - start)[row].T)})
    total = (found[found["rank"] > 0].groupby(["grid", "side", "name", "kind"], sort=True)["length"]
             .sum().reset_index())
    total["named"] = total["name"] != ""
    total = total.sort_values(["grid", "side", "named", "length", "name", "kind"],
                              ascending=[True, True, False, False, True, True])
    best = total.drop_duplicates(["grid", "side"])
    out = np.full((len(shapes), 4), "", dtype=object)
    for grid, place, name, kind in zip(best["grid"], best["side"], best["name"], best["kind"],
                                       strict=True):
        out[grid, place] = name or translate(f"partition.line.{_family(kind)}", lang)
    return pd.DataFrame({f"bound_{s}": out[:, k] for k, s in enumerate(_SIDES)})


def _family(kind: str) -> str:
    if kind in ("rail", "river", "water", "wall"):
        return kind
    if kind in ("service", "footway", "path", "steps", "track", "cycleway", "pedestrian"):
        return "path"
    return "road"


def describe_contents(grid: pd.Series, estate: pd.Series, number: pd.Series,
                      lang: str) -> pd.Series:
    """Return what each grid contains: estates with their building numbers, then the rest.

    Parameters
    ----------
    grid, estate, number
        Grid position, estate name ('' for none) and number ('' for none) of every building.
    """
    frame = pd.DataFrame({"grid": grid.to_numpy(), "estate": estate.to_numpy(),
                          "number": number.to_numpy()})
    texts: dict[int, list[str]] = {}
    for (place, name), rows in frame.groupby(["grid", "estate"], sort=True):
        listed = texts.setdefault(int(place), [])
        if name:
            listed.append(f"{name} {join_numbers(rows['number'].tolist())}".strip())
        else:
            listed.append(translate("partition.other_buildings", lang, count=len(rows)))
    split = translate("partition.list_separator", lang)
    # The buildings of no estate come last: '' sorts first.
    return pd.Series({k: split.join(v[1:] + v[:1] if len(v) > 1 and (
        frame.loc[frame["grid"] == k, "estate"] == "").any() else v)
        for k, v in texts.items()}, dtype=object)


def join_numbers(numbers: list[str]) -> str:
    """Write building numbers with runs joined.

    >>> join_numbers(["3幢", "1幢", "2幢", "A座", "7幢"])
    '1–3幢, 7幢, A座'
    """
    runs: dict[str, list[int]] = {}
    other = []
    for text in numbers:
        match = re.fullmatch(r"(\d{1,6})(\D*)", text)
        if match:
            runs.setdefault(match[2], []).append(int(match[1]))
        elif text:
            other.append(text)
    out = []
    for suffix, values in sorted(runs.items()):
        ordered = sorted(set(values))
        starts = [v for v in ordered if v - 1 not in values]
        ends = [v for v in ordered if v + 1 not in values]
        out += [f"{a}{suffix}" if a == b else f"{a}–{b}{suffix}"
                for a, b in zip(starts, ends, strict=True)]
    return ", ".join(out + sorted(set(other)))
