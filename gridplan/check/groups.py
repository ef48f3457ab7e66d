"""Groups: whole units, one piece each, tiling their grid; their kinds and how many are in range."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.check.codes import first_orders
from gridplan.check.counting import check_column
from gridplan.check.graph import Ints, Pairs, label_pieces, positions
from gridplan.check.inner import Estates, Told, compare_figures
from gridplan.check.reading import PlanData
from gridplan.check.tiling import check_cover, check_overlaps, unite_groups
from gridplan.check.verdict import CheckReport

DEFAULT_RANGE = (80, 150)


def check_groups(plan: PlanData, report: CheckReport, contacts: Pairs, grid_of: Ints,
                 estates: Estates, asked: dict[str, object]) -> None:
    """Check the groups of a plan; where the run asked for them, there must be some.

    Parameters
    ----------
    contacts
        Units that share a metre of border.
    grid_of
        Grid of every unit, as a row of the grids.
    asked
        The parameters of the partition.
    """
    if not len(plan.frame("groups")):
        if asked.get("groups") is True:
            report.add("groups", "no_rows", "groups")
        return
    group_of = positions(plan.ids("groups"), plan.ids("units", "group_id"))
    if not _check_owners(plan, report, group_of):
        return
    _check_shapes(plan, report, contacts, group_of)
    for part in ("units", "buildings"):
        check_column(plan, report, part, "groups", "households")
    check_column(plan, report, "groups", "grids", "households")
    _check_codes(plan, report)
    truth = _check_kinds(plan, report, group_of, estates, asked)
    compare_figures(plan, report, truth, needed="groups" in asked)


def _check_owners(plan: PlanData, report: CheckReport, group_of: Ints) -> bool:
    """Every unit has a group of its own grid, every building that of its unit."""
    told = len(report.broken)
    ids = plan.ids("units")
    lost = group_of < 0
    if lost.any():
        report.add("groups", "null_value", "units", ids[lost], "group_id")
    grid = plan.ids("groups", "grid_id")
    strange = ~lost & (grid[group_of] != plan.ids("units", "grid_id"))
    if strange.any():
        report.add("groups", "group_elsewhere", "units", ids[strange], "group_id")
    of = pd.Series(plan.ids("units", "group_id"), index=ids)
    expected = of.reindex(plan.ids("buildings", "unit_id")).to_numpy(dtype=object)
    bad = plan.ids("buildings", "group_id") != expected
    if bad.any():
        report.add("groups", "group_owner", "buildings", plan.ids("buildings")[bad], "group_id",
                   expected=str(expected[bad][0]))
    empty = np.bincount(group_of[~lost], minlength=len(grid)) == 0
    if empty.any():
        report.add("groups", "group_without_units", "groups", plan.ids("groups")[empty])
    return len(report.broken) == told


def _check_shapes(plan: PlanData, report: CheckReport, contacts: Pairs, group_of: Ints) -> None:
    """Units tile groups, groups tile grids, and the units of a group hang together."""
    check_overlaps(plan, report, "groups")
    shapes = plan.shapes("groups")
    check_cover(plan, report, "units", "groups",
                unite_groups(plan.shapes("units"), group_of, len(shapes)))
    grid_of = positions(plan.ids("grids"), plan.ids("groups", "grid_id"))
    check_cover(plan, report, "groups", "grids",
                unite_groups(shapes, grid_of, len(plan.frame("grids"))))
    inside = group_of[contacts.left] == group_of[contacts.right]
    label = label_pieces(len(group_of), contacts.left[inside], contacts.right[inside])
    pieces = np.bincount(group_of[np.unique(label, return_index=True)[1]],
                         minlength=len(shapes))
    if (pieces > 1).any():
        report.add("groups", "group_in_pieces", "groups", plan.ids("groups")[pieces > 1],
                   pieces=int(pieces.max()))


def _check_codes(plan: PlanData, report: CheckReport) -> None:
    """group_id is the grid's code and a number; the numbers run in rows from the north."""
    ids, grid, shapes = plan.ids("groups"), plan.ids("groups", "grid_id"), plan.shapes("groups")
    table = pd.DataFrame({"grid": grid, "row": np.arange(len(ids))})
    off: list[str] = []
    for name, held in table.groupby("grid", sort=True)["row"]:
        rows = held.to_numpy()
        wanted = [f"{name}-{k + 1:02d}" for k in range(len(rows))]
        if sorted(ids[rows].tolist()) != sorted(wanted):
            report.add("groups", "group_code", "groups", ids[rows], "group_id",
                       expected=wanted[0])
        elif not any(ids[rows[order]].tolist() == wanted for order in first_orders(shapes[rows])):
            off += ids[rows].tolist()
    if off:
        report.add("groups", "group_order", "groups", off, "group_id")


def _check_kinds(plan: PlanData, report: CheckReport, group_of: Ints, estates: Estates,
                 asked: dict[str, object]) -> Told:
    """Compare the kinds with what the groups hold; return the figures."""
    kind, load = plan.ids("groups", "kind"), plan.numbers("groups", "households")
    special = dict(zip(plan.ids("grids"), plan.ids("grids", "kind") == "special", strict=True))
    in_special = np.array([special[g] for g in plan.ids("groups", "grid_id")], dtype=bool)
    whole = _whole_estates(plan, group_of, estates, len(kind))
    place = in_special | (load == 0)
    expected = np.where(whole, "estate", "buildings")
    bad = np.where(place, ~np.isin(kind, ("enterprise", "site")), kind != expected)
    bad |= (kind == "enterprise") & ~in_special
    if bad.any():
        report.add("groups", "group_kind", "groups", plan.ids("groups")[bad], "kind",
                   value=str(kind[bad][0]))
    low, high = _range(asked)
    judged = kind == "buildings"
    fine = float((judged & (load >= low) & (load <= high)).sum())
    many = float(judged.sum())
    return {("groups", "all"): (float(len(kind)), None, None),
            ("groups_in_range", "all"): (fine / many if many else None, fine, many)}


def _whole_estates(plan: PlanData, group_of: Ints, estates: Estates, count: int
                   ) -> NDArray[np.bool_]:
    """Tell which groups hold the households of one estate, all of it and nothing else."""
    load = plan.numbers("units", "households")
    lived = np.flatnonzero(load > 0)
    held: list[set[str]] = [set() for _ in range(count)]
    spread: dict[str, set[int]] = {}
    for k in lived.tolist():
        held[group_of[k]].add(str(estates.of[k]))
        spread.setdefault(str(estates.of[k]), set()).add(int(group_of[k]))
    return np.array([len(names) == 1 and "" not in names and len(spread[next(iter(names))]) == 1
                     for names in held], dtype=bool)


def _range(asked: dict[str, object]) -> tuple[int, int]:
    """Return the range of a group that the run asked for."""
    group = asked.get("group")
    if isinstance(group, dict) and {"low", "high"} <= set(group):
        return int(group["low"]), int(group["high"])
    return DEFAULT_RANGE
