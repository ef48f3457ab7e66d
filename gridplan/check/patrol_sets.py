"""What holds of many routes at once: bounds and gaps of a shift; and the zones they work in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

from gridplan.check.graph import positions
from gridplan.check.patrol_desk import FREE, PatrolDesk
from gridplan.check.patrol_told import shown, tell
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport

_SET = ["day", "shift", "tier", "zone"]
_TOLD = 1e-6
_ROUNDED_MIN, _ROUNDED_M = 0.05, 0.5  # what writing minutes and metres short may lose
_SHARE, _M2 = 1e-6, 0.01


def check_bounds(report: CheckReport, desk: PatrolDesk) -> None:
    """Hold bounds to the longest route of each set of teams, and gaps to both.

    No set of routes may be shorter than its bound, the one that was found included.
    """
    routes = desk.routes
    table = routes[["route_id", *_SET, "distance_m", "duration_min", "bound_m", "bound_min",
                    "gap"]]
    group = table.groupby(_SET, dropna=False)
    longest, farthest = (group[c].transform("max").to_numpy()
                         for c in ("duration_min", "distance_m"))
    ids = routes["route_id"].to_numpy(object)
    for column, most, slack in (("bound_min", longest, _ROUNDED_MIN),
                                ("bound_m", farthest, _ROUNDED_M)):
        bound = table[column].to_numpy(float)
        above = (bound < 0) | (bound > most + slack)
        if above.any():
            k = int(np.flatnonzero(above)[0])
            tell(report, "patrol_bound", "routes", ids[above], column, found=shown(bound[k]),
                 expected=shown(most[k]))
        apart = (group[column].transform("max") - group[column].transform("min")).to_numpy() > _TOLD
        tell(report, "patrol_bound_differs", "routes", ids[apart], column)
    _check_gaps(report, desk, table)


def _check_gaps(report: CheckReport, desk: PatrolDesk, table: pd.DataFrame) -> None:
    """Hold gaps to the longest route of a set, without the time that a team has to spare.

    That is told in whole minutes, so each time of it leaves a minute open.
    """
    spare = desk.visits[(desk.visits["kind"] == FREE).to_numpy()]
    group = (spare["depart"] - spare["arrive"]).groupby(spare["route"])
    rows = range(len(table))
    free, times = (s.reindex(rows).fillna(0.0).to_numpy() for s in (group.sum(), group.size()))
    told = table["duration_min"].to_numpy(float)
    keys = [table[c] for c in _SET]
    low, high = (pd.Series(told - free + side * times, index=table.index).groupby(
        keys, dropna=False).transform("max").to_numpy() for side in (-1, 1))
    bound, found = table["bound_min"].to_numpy(float), table["gap"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        least, most = (np.where(bound > 0, side / bound - 1, np.nan) for side in (low, high))
        slack = _TOLD + np.where(bound > 0, 2 * _ROUNDED_MIN / bound, 0.0) * (1 + most)
    bad = np.isnan(found) != np.isnan(least)
    bad |= (found < np.maximum(least, 0) - slack) | (found > np.maximum(most, 0) + slack)
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        tell(report, "patrol_gap", "routes", table["route_id"][bad], "gap", found=shown(found[k]),
             expected=shown(least[k]))


def check_work(report: CheckReport, desk: PatrolDesk, seconds: pd.Series) -> None:
    """Hold that the longest route of a set is no shorter than its share of all work done.

    Parameters
    ----------
    seconds
        What each visit of the desk takes at the least.
    """
    routes = desk.routes.assign(work=seconds.groupby(desk.visits["route"]).sum().reindex(
        range(len(desk.routes))).fillna(0.0) / 60.0)
    for _, rows in routes.groupby(_SET, dropna=False):
        share, longest = float(rows["work"].mean()), float(rows["duration_min"].max())
        if share > longest + 1:
            tell(report, "patrol_work", "routes", rows["route_id"], "duration_min",
                 found=shown(longest), expected=shown(share))


def check_zones(plan: PlanData, report: CheckReport) -> None:
    """Hold that zones consist of whole grids, and that those of a tier share the grids out."""
    zones, grids = plan.shapes("zones"), plan.shapes("grids")
    if not len(zones):
        return
    ids, tiers = plan.ids("zones"), plan.ids("zones", "tier")
    bad = ~np.isin(shapely.get_type_id(zones), (3, 6)) | ~shapely.is_valid(zones)
    tell(report, "patrol_zone_shape", "zones", ids[bad])
    if bad.any():
        return
    area = shapely.area(grids)
    zone, grid = shapely.STRtree(grids).query(zones, predicate="intersects")
    common = np.asarray(shapely.area(shapely.intersection(zones[zone], grids[grid])))
    whole = common >= area[grid] * (1 - _SHARE) - _M2
    part = ~whole & (common > area[grid] * _SHARE + _M2)
    held = np.bincount(zone[whole], area[grid[whole]], minlength=len(zones))
    real = shapely.area(zones)
    odd = np.abs(held - real) > np.maximum(real * _SHARE, _M2)
    odd[zone[part]] = True
    tell(report, "patrol_zone_grids", "zones", ids[odd])
    grid_ids = plan.ids("grids")
    for tier in dict.fromkeys(tiers.tolist()):
        mine = whole & (tiers[zone] == tier)
        count = np.bincount(grid[mine], minlength=len(grids))
        tell(report, "patrol_zone_overlap", "zones", grid_ids[count > 1], tier=tier)
        if not odd[tiers == tier].any():
            tell(report, "patrol_zone_gap", "zones", grid_ids[count == 0], tier=tier)


def check_given(plan: PlanData, report: CheckReport) -> None:
    """Hold required lines to be lines, and zones of teams to be of their tier."""
    lines = plan.shapes("required")
    bad = (shapely.get_type_id(lines) != 1) | ~(shapely.length(lines) > 0)
    tell(report, "patrol_line", "required", plan.ids("required")[bad])
    drawn = plan.shapes("routes")
    bad = (shapely.get_type_id(drawn) != 1) | ~(shapely.length(drawn) > 0)
    tell(report, "patrol_line", "routes", plan.ids("routes")[bad])
    zone = positions(plan.ids("zones"), plan.ids("teams", "zone_id"))
    tiers = np.append(plan.ids("zones", "tier"), "")[zone]
    odd = (zone >= 0) & (tiers != plan.ids("teams", "tier"))
    tell(report, "patrol_team_zone", "teams", plan.ids("teams")[odd], "zone_id")
