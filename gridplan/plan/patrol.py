"""What a patrol leaves in a plan, all in one place, so that it can be taken out or told stale."""

from __future__ import annotations

from gridplan.errors import Findings
from gridplan.plan.circle import drop_traces
from gridplan.plan.digest import digest_layer
from gridplan.plan.log import forget_log
from gridplan.plan.model import Plan

# What a dispatcher gives or edits: a later patrol takes them as they stand.
GIVEN_LAYERS = ("stations", "stops", "required", "calendar", "teams", "zones")
MADE_LAYERS = ("routes", "visits", "unmet")
UPSTREAM = ("grids", "roads", "barriers", "estates", "gates", *GIVEN_LAYERS)
_FIGURES = ("street_visibility", "pass_share", "visit_share", "frequency", "idleness_mean",
            "idleness_worst", "stop_gap_worst", "dosage_share", "staff_per_10000", "patrol_staff",
            "balance", "deadhead_share", "patrol_gap", "entropy_bits", "entropy_most",
            "day_overlap", "vary_price", "cordon_min", "watched_share", "blind_m")
_PREFIXES = ("response_share_",)
_UPSTREAM = "upstream:routes:"
_NOTHING = "\0"  # begins no key


def forget_patrol(plan: Plan) -> Plan:
    """Return the plan without what an earlier patrol made, and without the log of its visits.

    What a dispatcher gave stays.
    """
    return drop_traces(forget_log(plan), MADE_LAYERS, _FIGURES, _PREFIXES, ("patrol",),
                       ("patrol:", _UPSTREAM),
                       tuple(f"digest:{n}" for n in (*GIVEN_LAYERS, *MADE_LAYERS)))


def forget_figures(plan: Plan) -> Plan:
    """Return the plan without the figures of its patrol."""
    return drop_traces(plan, (), _FIGURES, _PREFIXES, (), (_NOTHING,), ())


def note_upstream(plan: Plan) -> dict[str, str]:
    """Return the rows of the run table that tell on what a patrol stands."""
    return {_UPSTREAM + name: digest_layer(plan.layers[name], name)
            for name in UPSTREAM if name in plan.layers}


def tell_stale_patrol(plan: Plan, findings: Findings) -> None:
    """Warn for every layer that changed since the patrol was planned on it."""
    for name in UPSTREAM:
        noted = plan.run.get(_UPSTREAM + name, "")
        if noted and noted != digest_layer(plan.layer(name), name):
            findings.add("plan.stale", "warning", file=plan.origin.name if plan.origin else "",
                         layer="routes", source=name, command="gridplan patrol")
