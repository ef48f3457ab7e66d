"""Figures: recomputed from the layers and compared with what the plan tells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

from gridplan.check.borders import GridBorders
from gridplan.check.reading import PlanData
from gridplan.check.reasons import Ground
from gridplan.check.verdict import CheckReport

_RELATIVE = 0.005
_ABSOLUTE = 0.01
# A figure: its value, and numerator and denominator where it is a share.
Figure = tuple[float | None, float | None, float | None]
_WHOLE = ("households", "grids", "communities", "grids_in_range", "exceptions", "road_share",
          "compactness", "compactness_p10", "households_by_source")


def check_measures(plan: PlanData, report: CheckReport) -> None:
    """Area, perimeter and Polsby-Popper compactness of every grid."""
    shape = plan.shapes("grids")
    area, perimeter = shapely.area(shape), shapely.length(shape)
    for column, expected, slack in (
            ("area_m2", area, _RELATIVE * area), ("perimeter_m", perimeter, _RELATIVE * perimeter),
            ("compactness", 4 * np.pi * area / perimeter ** 2, np.full(len(area), _ABSOLUTE))):
        found = plan.numbers("grids", column)
        bad = ~(np.abs(found - expected) <= slack)
        if bad.any():
            report.add("figures", "measure_differs", "grids", plan.ids("grids")[bad], column,
                       found=round(float(found[bad][0]), 3),
                       expected=round(float(expected[bad][0]), 3))


def check_road_shares(plan: PlanData, report: CheckReport, borders: GridBorders) -> None:
    """Compare the share of each grid's borders that lies on a line, where the plan tells one."""
    count = len(plan.frame("grids"))
    total, part = (np.bincount(borders.left, m, minlength=count)
                   + np.bincount(borders.right, m, minlength=count)
                   for m in (borders.length_m, borders.on_line_m))
    found = plan.numbers("grids", "road_share")
    expected = part / np.where(total > 0, total, np.nan)
    # Lines that meet a border end on it: each end is measured to half a sample.
    bad = np.abs(found - expected) > np.maximum(2 * _ABSOLUTE, 4.0 / np.maximum(total, 1.0))
    if bad.any():
        report.add("figures", "measure_differs", "grids", plan.ids("grids")[bad], "road_share",
                   found=round(float(found[bad][0]), 3), expected=round(float(expected[bad][0]), 3))


def recompute_figures(plan: PlanData, ground: Ground, borders: GridBorders
                      ) -> dict[tuple[str, str], Figure]:
    """Return the figures of the whole plan: (name, scope_id) → value, numerator, denominator."""
    status = plan.ids("grids", "status")
    basic = ~ground.special
    fine = int((basic & ground.in_range).sum())
    shape = plan.shapes("grids")
    compact = 4 * np.pi * shapely.area(shape) / shapely.length(shape) ** 2
    households = plan.numbers("buildings", "households")
    total = float(households.sum())
    out: dict[tuple[str, str], Figure] = {
        ("communities", ""): (len(plan.frame("communities")), None, None),
        ("grids", ""): (len(status), None, None),
        ("households", ""): (total, None, None),
        ("grids_in_range", ""): (fine / int(basic.sum()) if basic.any() else None, fine,
                                 int(basic.sum())),
        ("exceptions", ""): (int((basic & ~ground.in_range).sum()), None, None),
        ("compactness", ""): (float(compact.mean()), None, None),
        ("compactness_p10", ""): (float(np.percentile(compact, 10)), None, None),
    }
    for scope, keep in (("all", np.ones(len(borders.block), dtype=bool)),
                        ("between_blocks", ~borders.block), ("inside_blocks", borders.block)):
        out["road_share", scope] = borders.road_share(keep)
    by_source = pd.Series(households).groupby(plan.ids("buildings", "households_source")).sum()
    for source, held in by_source.items():
        if source:
            out["households_by_source", str(source)] = (held / total if total else None,
                                                        float(held), total)
    return out


def check_figures(plan: PlanData, report: CheckReport,
                  expected: dict[tuple[str, str], Figure]) -> None:
    """Compare the figures table for the whole plan, row by row."""
    table = plan.frame("figures")
    city = table[(table["scope"] == "city") & table["name"].isin(_WHOLE)]
    seen = set()
    for row in city.itertuples():
        scoped = row.name in ("road_share", "households_by_source")
        key = (row.name, row.scope_id if scoped else "")
        seen.add(key)
        truth = expected.get(key, (None, None, None))
        for column, real in zip(("value", "numerator", "denominator"), truth, strict=True):
            found = float(getattr(row, column))
            if _differs(found, real, column, row.name, truth):
                report.add("figures", "figure_differs", "figures", [":".join(filter(None, key))],
                           column, found=_shown(found), expected=_shown(real))
    missing = [":".join(filter(None, k)) for k in expected if k not in seen]
    if missing:
        report.add("figures", "figure_missing", "figures", missing)


def _shown(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{round(float(value), 4):.10g}"


def _differs(found: float, real: float | None, column: str, name: str, truth: Figure) -> bool:
    if column != "value" and (np.isnan(found) or real is None):
        return False
    if np.isnan(found) or real is None:
        return np.isnan(found) != (real is None)
    if name == "road_share" and column == "numerator":
        return abs(found - real) > max(_ABSOLUTE * float(truth[2] or 0), 1.0)
    if column == "value" and (truth[1] is not None or name.startswith("compactness")):
        return abs(found - real) > (_ABSOLUTE if name in ("road_share", "compactness",
                                                          "compactness_p10") else 1e-4)
    if name == "road_share":
        return abs(found - real) > max(_RELATIVE * abs(real), 1.0)
    return abs(found - real) > 1e-6
