"""What an assignment of people leaves in a plan, all in one place, so that it can be taken out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from gridplan.errors import Findings
from gridplan.layers import conform
from gridplan.plan.digest import digest_layer
from gridplan.plan.model import Plan

LAYERS_OF_PEOPLE = ("staff", "assignments")
STAGES_OF_PEOPLE = ("roster", "assign")
_FIGURES = (
    "communities_with_grids", "communities_with_grids_early", "grids_with_responsible",
    "households_with_responsible", "staff_per_grid", "newcomer_assistants_per_1000",
    "vacant_posts", "load_max", "load_mean", "load_max_to_mean", "load_max_bound",
    "kept_assignments", "kept_assignments_bound", "changed_assignments",
    "changed_assignments_bound", "wishes_granted", "wishes_granted_bound", "travel_m",
    "travel_m_bound")
_PREFIXES = ("missing_staff:", "load_share:", "workload:")


def put_workload(plan: Plan, workload: pd.Series | None) -> Plan:
    """Return the plan with another workload of its grids; None leaves it empty.

    The digest of the grids follows only where nobody has edited them, so that an edit stays
    known.
    """
    grids = plan.layer("grids")
    untouched = plan.run.get("digest:grids") == digest_layer(grids, "grids")
    held = pd.Series(np.nan, grids["grid_id"].astype(str)) if workload is None else (
        workload.reindex(grids["grid_id"].astype(str)))
    grids = grids.assign(workload=pd.array(held.to_numpy(dtype=float), dtype="Float64"))
    done = plan.with_layers(grids=grids)
    return done.with_run({"digest:grids": digest_layer(done.layer("grids"), "grids")}
                         ) if untouched else done


def forget_people(plan: Plan) -> Plan:
    """Return the plan without what an assignment left: layers, workload, figures, tally, record."""
    figures, tally, run = (plan.layer(name) for name in ("figures", "tally", "run"))
    ours = (figures["name"].isin(_FIGURES) | figures["name"].str.startswith(_PREFIXES))
    kept = {"figures": figures[~ours.fillna(False).to_numpy(dtype=bool)],
            "tally": tally[~tally["stage"].isin(STAGES_OF_PEOPLE).to_numpy(dtype=bool)],
            "run": run[[not _is_ours(str(key)) for key in run["key"]]]}
    layers = {name: frame for name, frame in plan.layers.items() if name not in LAYERS_OF_PEOPLE}
    layers |= {name: conform(name, frame.reset_index(drop=True)) for name, frame in kept.items()
               if name in plan.layers}
    return put_workload(dataclasses.replace(plan, layers=layers), None)


def tell_stale_people(plan: Plan, findings: Findings) -> None:
    """Warn if units changed since people were assigned: they may answer for other land now."""
    noted = plan.run.get("upstream:assignments:units", "")
    if noted and noted != digest_layer(plan.layer("units"), "units"):
        findings.add("plan.stale", "warning", file=plan.origin.name if plan.origin else "",
                     layer="assignments", source="units", command="gridplan assign")


def _is_ours(key: str) -> bool:
    """Tell whether a row of the run table is of an assignment."""
    return key.startswith(("assign:", "upstream:assignments:")) or key in (
        "digest:staff", "digest:assignments") or (
        key.startswith("input:") and key.endswith(":roster"))
