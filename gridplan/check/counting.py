"""Households: whole numbers that agree from the buildings up to the communities."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pandas as pd
import shapely

from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport

_COUNTED = ("communities", "grids", "units", "buildings")
_LINKS = {"units": "unit_id", "groups": "group_id", "grids": "grid_id",
          "communities": "community_id"}


def check_sums(plan: PlanData, report: CheckReport) -> None:
    """Σ buildings = Σ units = Σ grids = Σ communities, id by id."""
    for name in _COUNTED:
        count = plan.numbers(name, "households")
        bad = (count < 0) | (count != np.floor(count))
        if bad.any():
            report.add("households", "negative", name, plan.ids(name)[bad], "households")
    for part, whole in (("buildings", "units"), ("units", "grids"), ("grids", "communities"),
                        ("buildings", "grids"), ("buildings", "communities")):
        check_column(plan, report, part, whole, "households")
    for name in ("grids", "buildings"):
        count = plan.numbers(name, "households")
        bad = ((plan.numbers(name, "households_low") > count)
               | (plan.numbers(name, "households_high") < count))
        if bad.any():
            report.add("households", "spread_differs", name, plan.ids(name)[bad], "households")
    for column in ("households_low", "households_high", "population", "newcomers", "rented"):
        check_column(plan, report, "buildings", "grids", column)
    _check_size(plan, report, "buildings", "grids", "buildings")
    _check_size(plan, report, "grids", "communities", "grids")


def check_owners(plan: PlanData, report: CheckReport) -> None:
    """Hold buildings to the grid of their unit and to the community of their grid."""
    grid_of = pd.Series(plan.ids("units", "grid_id"), index=plan.ids("units"))
    owner_of = pd.Series(plan.ids("grids", "community_id"), index=plan.ids("grids"))
    grid = plan.ids("buildings", "grid_id")
    for column, expected in (("grid_id", grid_of.reindex(plan.ids("buildings", "unit_id"))),
                             ("community_id", owner_of.reindex(grid))):
        bad = plan.ids("buildings", column) != expected.to_numpy(dtype=object)
        if bad.any():
            report.add("households", "owner_differs", "buildings", plan.ids("buildings")[bad],
                       column, expected=str(expected[bad].iloc[0]))


def check_unit_ids(plan: PlanData, report: CheckReport) -> None:
    """Name units anew: by a hash of their buildings, or of their place where they have none."""
    ids = plan.ids("units")
    held: dict[str, list[str]] = {}
    for unit, building in sorted(zip(plan.ids("buildings", "unit_id").tolist(),
                                     plan.ids("buildings").tolist(), strict=True)):
        held.setdefault(unit, []).append(building)
    xy = shapely.get_coordinates(shapely.point_on_surface(plan.shapes("units"))).tolist()
    bad = []
    for unit, (x, y) in zip(ids.tolist(), xy, strict=True):
        text = "\n".join(held[unit]) if unit in held else f"{x:.0f},{y:.0f}"
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        # Empty units of one rounded place are told apart by a number.
        if unit != name and (unit in held or not re.fullmatch(name + r"-\d+", unit)):
            bad.append(unit)
    if bad:
        report.add("households", "unit_id_differs", "units", bad, "unit_id")


def check_tally(plan: PlanData, report: CheckReport) -> None:
    """rows_in = used + repaired + rejected + outside; nothing is lost without being listed."""
    tally = check_tally_rows(plan, report)
    for stage in ("households", "partition"):
        _check_total(plan, report, tally[(tally["stage"] == stage)
                                         & (tally["layer"] == "buildings")].tail(1))


def check_tally_rows(plan: PlanData, report: CheckReport) -> pd.DataFrame:
    """Hold every row of the tally to itself; return it without missing counts."""
    tally = plan.frame("tally").fillna(dict.fromkeys((
        "repaired", "rejected", "outside", "households_in", "households_out"), 0))
    label = (tally["stage"] + "/" + tally["layer"]).to_numpy(dtype=object)
    off = (tally["rows_in"] != tally["used"] + tally["repaired"] + tally["rejected"]
           + tally["outside"]).to_numpy()
    if off.any():
        report.add("tally", "tally_rows", "tally", label[off], "rows_in")
    # Estimating adds households; every other stage may only pass on or list them.
    passing = (tally["stage"] != "households").to_numpy()
    lost = tally["households_in"] != tally["households_out"]
    listed = tally["rejected"] + tally["outside"] > 0
    bad = passing & (lost & (~listed | (tally["households_out"] > tally["households_in"]))
                     ).to_numpy()
    if bad.any():
        report.add("tally", "tally_households", "tally", label[bad], "households_out")
    return tally


def _check_total(plan: PlanData, report: CheckReport, last: pd.DataFrame) -> None:
    """Compare a row that tells what went into the plan with the buildings of the plan."""
    for column, found in (("used", len(plan.frame("buildings"))),
                          ("households_out", plan.numbers("buildings", "households").sum())):
        told = last["used"] + last["repaired"] if column == "used" else last[column]
        if len(last) and int(told.iloc[0]) != int(found):
            report.add("tally", "tally_total", "tally", [f"{last['stage'].iloc[0]}/buildings"],
                       column, found=int(told.iloc[0]), expected=int(found))


def check_column(plan: PlanData, report: CheckReport, part: str, whole: str,
                 column: str) -> None:
    """Compare a column with its sum over the rows of the layer below."""
    below = plan.frame(part)
    link = _LINKS[whole]
    total = below.groupby(link)[column].sum(min_count=1).reindex(plan.ids(whole))
    expected = np.nan_to_num(total.to_numpy(dtype=np.float64))
    found = np.nan_to_num(plan.numbers(whole, column))
    # A population may be a fraction per building and is rounded once per grid.
    slack = 0.0 if column == "households" else 0.5
    bad = np.abs(expected - found) > slack
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        report.add("households", "sum_differs", whole, plan.ids(whole)[bad], column, below=part,
                   found=round(float(found[first])), expected=round(float(expected[first])))


def _check_size(plan: PlanData, report: CheckReport, part: str, whole: str, column: str) -> None:
    link = _LINKS[whole]
    size = plan.frame(part).groupby(link).size().reindex(plan.ids(whole), fill_value=0)
    expected, found = size.to_numpy(dtype=np.float64), plan.numbers(whole, column)
    bad = expected != found
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        report.add("households", "count_differs", whole, plan.ids(whole)[bad], column, below=part,
                   found=round(float(found[first])), expected=round(float(expected[first])))
