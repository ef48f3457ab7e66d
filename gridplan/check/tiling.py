"""Exact: units tile grids, grids tile communities, nothing overlaps, each grid is one piece."""

from __future__ import annotations

import numpy as np
import shapely

from gridplan.check.graph import Ints, Pairs, Shapes, label_pieces, positions
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport

# What may be lost to rounding, in m² per community or grid.
EXACT_M2 = 1e-3


def check_tiling(plan: PlanData, report: CheckReport) -> None:
    """Compare units with grids and grids with communities, by area."""
    for name in ("communities", "grids", "units"):
        check_overlaps(plan, report, name)
    grid_of = positions(plan.ids("grids"), plan.ids("units", "grid_id"))
    owner_of = positions(plan.ids("communities"), plan.ids("grids", "community_id"))
    grids, communities = plan.shapes("grids"), plan.shapes("communities")
    check_cover(plan, report, "units", "grids",
                 unite_groups(plan.shapes("units"), grid_of, len(grids)))
    check_cover(plan, report, "grids", "communities",
                 unite_groups(grids, owner_of, len(communities)))
    strange = plan.ids("units", "community_id") != plan.ids("grids", "community_id")[grid_of]
    if strange.any():
        report.add("tiling", "unit_community", "units", plan.ids("units")[strange], "community_id")


def check_one_piece(plan: PlanData, report: CheckReport, contacts: Pairs, grid_of: Ints) -> None:
    """Hold that the units of a grid hang together by shared borders of at least a metre."""
    inside = grid_of[contacts.left] == grid_of[contacts.right]
    label = label_pieces(len(grid_of), contacts.left[inside], contacts.right[inside])
    count = len(plan.frame("grids"))
    pieces = np.bincount(grid_of[np.unique(label, return_index=True)[1]], minlength=count)
    ids = plan.ids("grids")
    if (pieces > 1).any():
        report.add("one_piece", "not_connected", "grids", ids[pieces > 1],
                   pieces=int(pieces.max()))
    if (pieces == 0).any():
        report.add("tiling", "grid_without_units", "grids", ids[pieces == 0])


def unite_groups(shapes: Shapes, group: Ints, count: int) -> Shapes:
    """Return the union of the shapes of each group 0 … count-1; an empty polygon for none."""
    out = np.full(count, shapely.Polygon(), dtype=object)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    for members in np.split(order, starts[1:]) if len(order) else []:
        held = shapes[members]
        whole = shapely.coverage_is_valid(held)
        out[group[members[0]]] = (shapely.coverage_union_all(held) if whole
                                  else shapely.union_all(held))
    return out


def check_overlaps(plan: PlanData, report: CheckReport, name: str) -> None:
    """Hold that no two polygons of a layer overlap."""
    shape = plan.shapes(name)
    if shapely.coverage_is_valid(shape):
        return
    a, b = shapely.STRtree(shape).query(shape, predicate="intersects")
    a, b = a[a < b], b[a < b]
    # Two polygons that only touch have no common point inside both.
    deep = ~shapely.touches(shape[a], shape[b])
    a, b = a[deep], b[deep]
    common = shapely.area(shapely.intersection(shape[a], shape[b]))
    bad = common > EXACT_M2
    if bad.any():
        ids = plan.ids(name)
        rows = dict.fromkeys(np.stack([ids[a[bad]], ids[b[bad]]], axis=1).ravel().tolist())
        report.add("tiling", "overlap", name, rows, m2=round(float(common[bad].sum()), 3))


def check_cover(plan: PlanData, report: CheckReport, below: str, above: str,
                 united: Shapes) -> None:
    """Compare each row of ``above`` with ``united``, the union of its rows of ``below``."""
    whole, ids = plan.shapes(above), plan.ids(above)
    differ = np.flatnonzero(~shapely.equals_exact(shapely.normalize(whole),
                                                  shapely.normalize(united), 1e-9))
    gap = shapely.area(shapely.difference(whole[differ], united[differ]))
    outside = shapely.area(shapely.difference(united[differ], whole[differ]))
    for key, m2 in (("gap", gap), ("outside", outside)):
        bad = m2 > EXACT_M2
        if bad.any():
            report.add("tiling", key, above, ids[differ[bad]], below=below,
                       m2=round(float(m2[bad].sum()), 3))
