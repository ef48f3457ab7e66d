"""What a patrol leaves in a plan, all in one place, so that it can be taken out or told stale."""

from __future__ import annotations

import numpy as np

from gridplan.errors import Findings
from gridplan.plan.digest import digest_layer
from gridplan.plan.log import forget_log
from gridplan.plan.model import Plan

# What a dispatcher gives or edits; a later patrol takes them as they stand.
INPUT_LAYERS = ("stations", "stops", "required", "calendar", "teams", "zones")
MADE_LAYERS = ("routes", "visits", "unmet")
UPSTREAM = ("grids", "roads", "barriers", "estates", "gates", *INPUT_LAYERS)
FIGURES = ("street_visibility", "pass_share", "visit_share", "frequency", "idleness_mean",
           "idleness_worst", "stop_gap_worst", "dosage_share", "staff_per_10000", "patrol_staff",
           "balance", "deadhead_share", "patrol_gap", "entropy_bits", "entropy_most",
           "day_overlap", "vary_price", "cordon_min", "watched_share", "blind_m", "teams_needed")
_PREFIXES = ("response_share_",)
_UPSTREAM = "upstream:routes:"


def forget_patrol(plan: Plan) -> Plan:
    """Return the plan without routes, visits and what else an earlier patrol made.

    What was given to it stays; the log of what was done goes with the visits it tells of.
    """
    plan = forget_log(plan)
    figures, tally, run = (plan.layer(n) for n in ("figures", "tally", "run"))
    names = figures["name"].astype(str)
    ours = names.isin(FIGURES) | names.str.startswith(_PREFIXES)
    keys = [str(k) for k in run["key"]]
    gone = np.array([k.startswith(("patrol:", _UPSTREAM)) or k in {
        f"digest:{n}" for n in (*INPUT_LAYERS, *MADE_LAYERS)} for k in keys], dtype=bool)
    layers = {name: frame for name, frame in plan.layers.items()
              if name not in MADE_LAYERS}
    layers["figures"] = figures[~ours.to_numpy(dtype=bool)].reset_index(drop=True)
    layers["tally"] = tally[(tally["stage"] != "patrol").to_numpy(dtype=bool)].reset_index(drop=True)
    layers["run"] = run[~gone].reset_index(drop=True)
    return Plan(layers, plan.crs, plan.stages, plan.findings, plan.extra, plan.origin, plan.seen)


def note_upstream(plan: Plan) -> dict[str, str]:
    """Return the rows of the run table that tell on what a patrol stands."""
    return {_UPSTREAM + name: digest_layer(plan.layers[name], name)
            for name in UPSTREAM if name in plan.layers}


def tell_stale_patrol(plan: Plan, findings: Findings) -> None:
    """Warn where a layer changed since the patrol was planned; the mend names the command."""
    if not len(plan.layer("routes")):
        return
    changed = [name for name in UPSTREAM if plan.run.get(_UPSTREAM + name) not in (
        None, digest_layer(plan.layer(name), name))]
    if changed:
        findings.add("plan.stale_patrol", "warning", layer="routes", names=", ".join(changed))
