"""The story of a merger: communities of a plan are merged, and what comes out is scored."""

from __future__ import annotations

import json

import pandas as pd
import shapely

from gridplan.blocks import reopen_units
from gridplan.errors import Findings
from gridplan.layers import COMMUNITY_KINDS, INPUTS, Study, conform_input
from gridplan.merge import Proposal, merge_plan
from gridplan.params import Params, Range
from gridplan.partition import score_again
from gridplan.plan import Plan, digest_rows


def merge_city(plan: Plan, proposal: Proposal, params: Params, findings: Findings, *,
               source: tuple[str, str] | None = None, lang: str = "en",
               command: str = "gridplan merge") -> Plan:
    """Merge communities of a plan as proposed, and score what comes out.

    Parameters
    ----------
    proposal
        Made from the communities of this plan.
    source
        Name and SHA-256 of the plan's file, for the run table.

    Returns
    -------
    Plan
        A draft; a plan without a scorecard gets none.

    Raises
    ------
    InputError
        Grids and units of the plan contradict each other.
    """
    merged = merge_plan(plan, proposal, params, findings, source=source, lang=lang,
                        command=command)
    study = reopen_study(merged)
    units = reopen_units(study, merged.layer("units"), merged.layer("buildings"))
    ranges, factors = read_limits(merged, params)
    scored = score_again(plan, merged, study, units, set(proposal.mergers()), ranges, factors)
    return scored.with_run(digest_rows(scored, [
        k.removeprefix("digest:") for k in merged.run if k.startswith("digest:")]))


def reopen_study(plan: Plan) -> Study:
    """Return the inputs that a plan still holds: buildings, communities, roads and the like."""
    held = {name: conform_input(name, plan.layer(name)) for name in INPUTS
            if name in plan.layers and (name in ("buildings", "roads") or len(plan.layer(name)))}
    for name in ("buildings", "roads"):
        held.setdefault(name, conform_input(name, plan.layer(name)))
    return Study(outline=shapely.union_all(plan.layer("communities").geometry.to_numpy()), **held)


def read_limits(plan: Plan, params: Params) -> tuple[dict[str, Range], tuple[float, ...]]:
    """Return the range of every community and the weights of borders that a plan was made with.

    What its run table does not tell is taken from ``params``.
    """
    ranges = {}
    for kind in COMMUNITY_KINDS:
        low, _, high = plan.run.get(f"range:{kind}", "").partition("/")
        ranges[kind] = (Range(int(low), int(high)) if low.isdecimal() and high.isdecimal()
                        else params.partition.range_of(kind))
    try:
        told = json.loads(plan.run.get("parameters") or "{}")["partition"]["border_factors"]
        factors = tuple(float(f) for f in told)
    except (KeyError, TypeError, ValueError):
        factors = params.partition.border_factors
    towns = plan.layer("communities")
    kinds = towns["kind"].replace("", pd.NA).fillna("urban")
    return {str(c): ranges[str(k)] for c, k in zip(towns["community_id"], kinds, strict=True)
            }, factors
