"""The story of a service circle: facilities, ways, coverage; and where new facilities go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from gridplan import __version__
from gridplan.circle import Circle, Given, measure_circle, record_circle
from gridplan.errors import Findings
from gridplan.layers import Study, conform
from gridplan.params import Params
from gridplan.plan import Plan, tally_frame

if TYPE_CHECKING:
    from gridplan.categories import CategoryTable
    from gridplan.network import Elevation


def measure_plan(plan: Plan, params: Params, findings: Findings, *,
                 table: CategoryTable | None = None, facilities: Given | None = None,
                 after: Given | None = None, elevation: Elevation | None = None,
                 command: str = "gridplan circle") -> tuple[Plan, Circle]:
    """Measure the service circle of a plan and put it in.

    Parameters
    ----------
    plan
        With roads and buildings, or with roads and demand.
    table
        Categories and profiles; gridplan's own by default.
    facilities
        In the place of those the plan holds.
    after
        Facilities proposed: what they have is measured a second time.
    elevation
        Heights for ways on foot.

    Returns
    -------
    tuple
        The plan with its circle, and the circle.

    Raises
    ------
    InputError
        A layer is missing, categories are unknown, facilities lie off the streets.
    """
    from gridplan.circle import read_categories

    plan.require("roads", "demand" if "demand" in plan.layers else "buildings")
    circle = measure_circle(plan, table or read_categories(None, findings), params, findings,
                            facilities=facilities, after=after, elevation=elevation)
    return record_circle(plan, circle, params, findings, command=command), circle


def open_demand(study: Study, params: Params, findings: Findings, *, facilities: Any = None,
                lang: str = "en", command: str = "gridplan circle") -> Plan:
    """Return a plan without grids: points of demand, roads, and what else ways depend on.

    Parameters
    ----------
    study
        With demand, as :func:`gridplan.read.clean_demand` makes it.
    facilities
        Beside those of the study.
    """
    from gridplan.pipeline.city import record_run

    layers: dict[str, pd.DataFrame] = {
        name: conform(name, study.layer(name).reset_index().drop(
            columns=["service"], errors="ignore"))
        for name in ("demand", "roads", "barriers", "estates", "gates", "facilities")}
    if facilities is not None and len(facilities):
        held = layers["facilities"]
        layers["facilities"] = conform("facilities", pd.concat([held, facilities],
                                                               ignore_index=True))
    record = {**record_run(study, params, lang=lang, command=command), "version": __version__}
    layers["tally"] = tally_frame(findings)
    layers["run"] = conform("run", pd.DataFrame(
        {"key": list(record), "value": list(record.values())}))
    return Plan(layers, study.crs, findings=findings)
