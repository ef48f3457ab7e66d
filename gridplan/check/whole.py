"""Whole: no building lies in two grids, and one above the range stands alone."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.check.contract import Ranges
from gridplan.check.graph import positions
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport

# A building is split when more than this share of it lies in other grids of its community.
SPLIT_SHARE = 0.05
# Drawn outlines overlap each other; this share of split buildings is put down to that.
SPLIT_LIMIT = 0.001
_NEAR_M = 0.01


def check_buildings(plan: PlanData, report: CheckReport, limits: pd.DataFrame) -> None:
    """Measure how much of each building lies in its own grid and in others.

    ``limits`` has the columns low and high for each row of the grids.
    """
    shape, ids = plan.shapes("buildings"), plan.ids("buildings")
    shape = np.where(shapely.is_valid(shape), shape, shapely.make_valid(shape))
    own = positions(plan.ids("grids"), plan.ids("buildings", "grid_id"))
    parts = _areas_by_grid(plan, shape)
    flat = shapely.get_dimensions(shape) < 2
    size = np.where(flat, 1.0, shapely.area(shape))
    home = np.zeros(len(shape))
    mine = parts["grid"].to_numpy() == own[parts["building"].to_numpy()]
    np.add.at(home, parts.loc[mine, "building"].to_numpy(), parts.loc[mine, "m2"].to_numpy())
    owner = plan.ids("grids", "community_id")
    same = owner[parts["grid"].to_numpy()] == owner[own[parts["building"].to_numpy()]]
    inside = np.zeros(len(shape))
    np.add.at(inside, parts.loc[same, "building"].to_numpy(), parts.loc[same, "m2"].to_numpy())
    split = ~flat & (inside - home > SPLIT_SHARE * size)
    report.counts["split_buildings"] = int(split.sum())
    if split.sum() >= SPLIT_LIMIT * len(shape) and split.any():
        report.add("whole", "split_buildings", "buildings", ids[split],
                   share=round(100 * float(split.mean()), 2), limit=100 * SPLIT_LIMIT)
    # Where a community's border cuts a building, what lies inside it counts.
    strange = ~flat & (home < 0.5 * np.where(inside < (1 - SPLIT_SHARE) * size,
                                             np.maximum(inside, 1e-6), size))
    strange |= flat & (shapely.distance(shape, plan.shapes("grids")[own]) > _NEAR_M)
    if strange.any():
        report.add("whole", "building_elsewhere", "buildings", ids[strange], "grid_id")
    _check_large(plan, report, limits, own)


def _areas_by_grid(plan: PlanData, shape: np.ndarray) -> pd.DataFrame:
    """Return building, grid and their common area; a building in one grid only is not measured."""
    grids = plan.shapes("grids")
    building, grid = shapely.STRtree(grids).query(shape, predicate="intersects")
    hits = np.bincount(building, minlength=len(shape))
    m2 = shapely.area(shape[building])
    several = hits[building] > 1
    m2[several] = shapely.area(shapely.intersection(shape[building[several]],
                                                    grids[grid[several]]))
    return pd.DataFrame({"building": building, "grid": grid, "m2": m2})


def _together(buildings: gpd.GeoDataFrame, large: np.ndarray) -> np.ndarray:
    """Return the households of what stands in or on each large building: none can part them."""
    out = np.zeros(len(buildings))
    shape = buildings.geometry.to_numpy()
    rows = np.flatnonzero(large)
    row, other = shapely.STRtree(shape).query(shape[rows], predicate="intersects")
    apart = rows[row] != other
    np.add.at(out, rows[row[apart]], buildings["households"].to_numpy()[other[apart]])
    return out


def _check_large(plan: PlanData, report: CheckReport, limits: pd.DataFrame,
                 own: np.ndarray) -> None:
    """Hold that a building above the range has its unit and basic grid to itself."""
    buildings = plan.frame("buildings")
    households = buildings["households"].to_numpy()
    basic = (plan.ids("grids", "kind") != "special") & (plan.numbers("grids", "locked") != 1)
    large = (households > limits["high"].to_numpy()[own]) & basic[own]
    for column in ("unit_id", "grid_id"):
        total = buildings.groupby(column)["households"].transform("sum").to_numpy()
        bad = large & (total > households + _together(buildings, large & (total > households)))
        if bad.any():
            report.add("whole", "large_shares", "buildings", plan.ids("buildings")[bad], column)


def grid_limits(plan: PlanData, ranges: Ranges) -> pd.DataFrame:
    """Return low and high for each row of the grids, by the kind of its community."""
    kind = dict(zip(plan.ids("communities"), plan.ids("communities", "kind"), strict=True))
    pairs = [ranges[kind[c] or "urban"] for c in plan.ids("grids", "community_id")]
    return pd.DataFrame(pairs, columns=["low", "high"])
