"""The scorecard: how good a grid is, in four scores from 0 (as bad as can be) to 100 (perfect).

================  ==========================================  =================================
score             100 means                                   0 means
================  ==========================================  =================================
score_balance     households in the middle of the range       a whole range's width away from it
score_shape       as compact as a square, or rounder          endlessly stretched or ragged
score_border      all of it on main roads, rail, water, wall  none of it on any line
score_straddling  no household beyond a major line            half of them, or more
================  ==========================================  =================================

Each falls evenly with what it measures. A score is NA where there is nothing to judge: balance
of special grids and of grids without households, the border of a grid that has no neighbour in
its community, straddling of a grid without households or where no class of road is known.

The score of a community, and of the city, is the mean over its grids: balance, shape and
straddling by their households, so that it is what the average household has; the border by its
metres, so that it is the score of all those borders taken together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gridplan.layers import ROAD_CLASS
from gridplan.partition.borders import add_by_grid, weigh_borders
from gridplan.partition.graph import Contacts, Floats, Ints, components

SCORES = ("score_balance", "score_shape", "score_border", "score_straddling")
# A piece counts as a part of a straddling grid from this share of its households on.
PIECE_SHARE = 0.1


def score_balance(households: Ints, low: Ints, high: Ints) -> Floats:
    """Score how near the middle of the range a grid is: 100·(1 − |h − middle| ÷ (high − low)).

    The scale is the width of the range: either end of it scores 50, so that under 50 means
    outside, and a grid one household outside is told from one far outside.

    >>> score_balance(np.array([400, 300, 250, 900]), np.array(300), np.array(500)).tolist()
    [100.0, 50.0, 25.0, 0.0]
    """
    middle, width = (low + high) / 2, np.maximum(high - low, 1)
    return 100.0 * np.maximum(0.0, 1 - np.abs(households - middle) / width)


def score_shape(area_m2: Floats, perimeter_m: Floats) -> Floats:
    """Score the compactness 4πA/P² against that of a square, π/4: 100·min(1, 16·A ÷ P²).

    Against a square, because squares can tile a town and circles cannot.

    >>> score_shape(np.array([100.0, 75.0]), np.array([40.0, 40.0])).tolist()
    [100.0, 75.0]
    """
    return 100.0 * np.minimum(1.0, 16 * area_m2 / np.maximum(perimeter_m, 1e-9) ** 2)


def score_border(length_m: Floats, weight_m: Floats, factors: Sequence[float]) -> Floats:
    """Score what a border follows: 100·(dearest − mean factor) ÷ (dearest − cheapest).

    ``factors`` weigh a metre by its class, as in the objective of the search, so that the score
    rises exactly as the weighted border falls: by default a metre off any line counts 0, along
    an inner road or path 74, a tertiary road 84, a secondary one 95, a main road, rail, water or
    wall 100.

    Parameters
    ----------
    length_m, weight_m
        Metres of border inside the community, and Σ metres × factor.

    >>> score_border(np.array([100.0, 100.0]), np.array([50.0, 525.0]), (10, 3, 2, 1, .5)).tolist()
    [100.0, 50.0]
    """
    dearest, cheapest = max(factors), min(factors)
    known = (length_m > 0) & (dearest > cheapest)
    mean = np.divide(weight_m, length_m, out=np.full(len(length_m), np.nan), where=known)
    return 100.0 * np.clip((dearest - mean) / max(dearest - cheapest, 1e-9), 0.0, 1.0)


def score_straddling(grid_of: Ints, piece: Ints, households: Ints, count: int) -> Floats:
    """Score how many live beyond a major line: 100·(1 − away ÷ half), half of all households.

    ``away`` are the households outside the piece that holds most of them. The scale is a half,
    because a grid with as many on either side is as bad as can be.

    Parameters
    ----------
    grid_of, piece, households
        Of every unit; a piece is what hangs together in a grid without crossing a major line.

    >>> score_straddling(np.array([0, 0, 0]), np.array([0, 1, 1]), np.array([50, 100, 50]),
    ...                  1).tolist()
    [50.0]
    """
    held = np.bincount(piece, households)
    owner = np.zeros(len(held), dtype=np.int64)
    owner[piece] = grid_of
    largest, total = np.zeros(count), np.bincount(grid_of, households, minlength=count)
    np.maximum.at(largest, owner, held)
    lived = np.divide(total - largest, total, out=np.full(count, np.nan), where=total > 0)
    return 100.0 * np.maximum(0.0, 1 - 2 * lived)


def find_pieces(grid_of: Ints, contacts: Contacts) -> Ints:
    """Return the piece of its grid that each unit lies in when major lines are taken out."""
    near = (grid_of[contacts.a] == grid_of[contacts.b]) & ~contacts.major
    return components(len(grid_of), contacts.a[near], contacts.b[near])


def count_straddling(grid_of: Ints, piece: Ints, households: Ints, count: int) -> int:
    """Count the grids of which two pieces hold a tenth of the households each."""
    held = np.bincount(piece, households)
    owner = np.zeros(len(held), dtype=np.int64)
    owner[piece] = grid_of
    total = np.bincount(grid_of, households, minlength=count)
    large = (held > 0) & (held >= PIECE_SHARE * total[owner])
    return int((np.bincount(owner[large], minlength=count) > 1).sum())


def classes_known(road_class: pd.Series) -> bool:
    """Tell whether the class of any road is known; without, nothing counts as major."""
    return bool(road_class.isin(set(ROAD_CLASS) - {"unknown"}).any())


def add_scores(grids: pd.DataFrame, borders: pd.DataFrame, grid_of: Ints, households: Ints,
               contacts: Contacts | None, low: Ints, high: Ints,
               factors: Sequence[float]) -> pd.DataFrame:
    """Return the grids with their four scores, to hundredths.

    Parameters
    ----------
    grids, borders
        The layers, grids with households, area and perimeter.
    grid_of, households
        Of every unit: the position of its grid, its households.
    contacts
        The units that touch; None where no class of road is known.
    low, high
        Range of every grid.
    """
    out = grids.copy()
    held = grids["households"].to_numpy(dtype=np.int64)
    count = len(grids)
    judged = (grids["kind"] == "basic").to_numpy(dtype=bool) & (held > 0)
    length, weight = add_by_grid(borders, grids["grid_id"], weigh_borders(borders, factors))
    away = np.full(count, np.nan) if contacts is None else score_straddling(
        grid_of, find_pieces(grid_of, contacts), households, count)
    for name, values in zip(SCORES, (
            np.where(judged, score_balance(held, low, high), np.nan),
            score_shape(grids["area_m2"].to_numpy(), grids["perimeter_m"].to_numpy()),
            score_border(length, weight, factors), away), strict=True):
        out[name] = _whole_hundredths(values)
    return out


def sum_scores(grids: pd.DataFrame, borders: pd.DataFrame) -> pd.DataFrame:
    """Return, by community, Σ weight × score and Σ weight of its grids for each score.

    Columns are (score, "sum") and (score, "weight"); the index is sorted.
    """
    length, _ = add_by_grid(borders, grids["grid_id"], borders["length_m"].to_numpy())
    held = grids["households"].to_numpy(dtype=np.float64)
    table = {}
    for name in SCORES:
        value = grids[name].to_numpy(dtype=np.float64, na_value=np.nan)
        weight = np.where(np.isnan(value), 0.0, length if name == "score_border" else held)
        table[name, "sum"] = weight * np.nan_to_num(value)
        table[name, "weight"] = weight
    frame = pd.DataFrame(table).groupby(grids["community_id"].to_numpy(dtype=object), sort=True)
    return frame.sum()


def average_scores(sums: pd.DataFrame) -> pd.DataFrame:
    """Return the mean scores, to hundredths; NA where no grid has one."""
    return pd.DataFrame({name: _whole_hundredths(np.divide(
        sums[name, "sum"].to_numpy(), weight, out=np.full(len(sums), np.nan), where=weight > 0))
        for name in SCORES for weight in (sums[name, "weight"].to_numpy(),)}, index=sums.index)


def _whole_hundredths(values: Floats) -> pd.array:
    rounded = pd.array(np.round(values, 2), dtype="Float64")
    rounded[np.isnan(values)] = pd.NA
    return rounded
