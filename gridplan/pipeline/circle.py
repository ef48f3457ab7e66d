"""The story of a service circle: facilities, ways, coverage; and where new facilities go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from gridplan import __version__
from gridplan.categories import recall_profile
from gridplan.circle import Circle, Given, measure_after, measure_circle, record_circle
from gridplan.errors import Findings, TallyRow
from gridplan.layers import AFTER, Study, conform
from gridplan.params import Params
from gridplan.plan import Plan, digest_layer, digest_rows, tally_frame
from gridplan.plan.circle import forget_sites_of

if TYPE_CHECKING:
    from gridplan.categories import CategoryTable
    from gridplan.network import Elevation
    from gridplan.siting import Chosen, SiteRequest


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


def site_plan(plan: Plan, request: SiteRequest, params: Params, findings: Findings, *,
              table: CategoryTable | None = None, elevation: Elevation | None = None,
              command: str = "gridplan site") -> tuple[Plan, Chosen]:
    """Choose where new facilities of a category should stand, and put them into the plan.

    A plan without a service circle gets one first. What was chosen before for this category is
    replaced; coverage with all that is proposed is measured anew.

    Returns
    -------
    tuple
        The plan with sites, proposed facilities, coverage after and figures; and what was chosen.

    Raises
    ------
    InputError
        A layer is missing, the category is not known, given candidates have faults.
    RequestError
        What is asked cannot be met.
    """
    from gridplan.siting import choose_sites

    if not len(plan.layer("coverage")):
        plan, _ = measure_plan(plan, params, findings, table=table, elevation=elevation,
                               command=command)
    profile = recall_profile(plan.run.get("circle:table", ""))
    assert profile is not None
    fresh = _is_fresh(plan)
    bare = forget_sites_of(plan, request.category)
    chosen = choose_sites(bare, request, params, findings)
    row = TallyRow("site", f"candidates:{request.category}", chosen.candidates, chosen.candidates)
    findings.tally.append(row)
    tally = bare.layer("tally")
    tally = tally[~((tally["stage"] == row.stage) & (tally["layer"] == row.layer))]
    done = bare.with_layers(
        sites=_join(bare, "sites", chosen.sites),
        facilities=_join(bare, "facilities", chosen.facilities),
        figures=_join(bare, "figures", chosen.figures),
        tally=conform("tally", pd.concat([tally, tally_frame(Findings(tally=[row]))],
                                         ignore_index=True)))
    cover = done.layer("coverage")
    before = cover[~cover["category"].str.endswith(AFTER).to_numpy(dtype=bool)]
    after = measure_after(done, profile, params, findings, elevation=elevation)
    done = done.with_layers(coverage=conform("coverage", pd.concat([before, after],
                                                                   ignore_index=True)))
    noted = {"upstream:coverage:facilities": digest_layer(done.layer("facilities"), "facilities")}
    return done.with_run({
        **chosen.record, **(noted if fresh else {}), "command": command,
        **digest_rows(done, ["facilities", "coverage", "sites"])}), chosen


def _is_fresh(plan: Plan) -> bool:
    """Tell whether the facilities are those that coverage was measured with."""
    return plan.run.get("upstream:coverage:facilities", "") == digest_layer(
        plan.layer("facilities"), "facilities")


def _join(plan: Plan, layer: str, rows: pd.DataFrame) -> pd.DataFrame:
    held = plan.layer(layer)
    parts = [frame for frame in (held, rows) if len(frame)]
    return conform(layer, pd.concat(parts, ignore_index=True)) if parts else held


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
