"""A service circle of points of demand: a file without communities and grids."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from gridplan.check import contract
from gridplan.check.circle import check_circle
from gridplan.check.counting import check_tally_rows
from gridplan.check.inputs import check_inputs
from gridplan.check.reading import PlanData, read_plan
from gridplan.check.verdict import CheckReport

NEEDED = ("demand", "roads", "coverage", "figures", "tally", "run")
PERHAPS = ("barriers", "estates", "gates", "facilities", "service_areas", "sites")


def lacks_buildings(path: str | Path) -> bool:
    """Tell whether a file holds points of demand and no grids."""
    try:
        uri = Path(path).resolve().as_uri() + "?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as base:
            names = {row[0] for row in base.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error:
        return False
    return "demand" in names and "grids" not in names


def check_demand(path: str | Path, inputs: Sequence[str | Path] = ()) -> CheckReport:
    """Check a file of demand: its contract, its tally and its service circle.

    Raises
    ------
    InputError
        The file is damaged, layers of it are missing, or an input is absent.
    """
    plan = read_plan(path, NEEDED, PERHAPS)
    report = CheckReport(counts={n: len(f) for n, f in plan.frames.items()})
    contract.check_columns(plan, report)
    if report.ok:
        contract.check_rows(plan, report)
        contract.check_geometry(plan, report)
        contract.check_keys_told(plan, report)
        if not len(plan.frame("demand")):
            report.add("contract", "no_rows", "demand")
    if report.ok:
        _check_people(plan, report)
        check_tally_rows(plan, report)
        check_circle(plan, report, "demand")
    else:
        report.unchecked.extend(("households", "tally", "circle"))
    check_inputs(plan, report, inputs)
    return report


def _check_people(plan: PlanData, report: CheckReport) -> None:
    """Hold that households are whole."""
    count = plan.numbers("demand", "households")
    bad = (count < 0) | (count != count.round())
    if bad.any():
        report.add("households", "negative", "demand", plan.ids("demand")[bad], "households")
