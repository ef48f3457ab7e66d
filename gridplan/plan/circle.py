"""What a service circle leaves in a plan, all in one place, so that it can be taken out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from gridplan.errors import Findings
from gridplan.layers import conform
from gridplan.plan.digest import digest_layer
from gridplan.plan.model import Plan

LAYERS_OF_CIRCLE = ("coverage", "service_areas")
# What ways depend on: another state of these, and coverage is out of date.
UPSTREAM = ("units", "buildings", "demand", "roads", "barriers", "estates", "gates", "entrances",
            "facilities")
SITE_SOURCE = "gridplan site"
INPUTS_OF_CIRCLE = ("circle_facilities", "circle_after", "circle_categories")
_FIGURES = ("completeness", "full_circle")
_PREFIXES = ("covered:", "covered_far:", "worst_decile_m:", "choice:", "supply:", "overloaded:",
             "norm_share:", "presence:")
_SITE_PREFIXES = ("gain:", "gain_gap:", "sites_needed:", "mean_m_before:", "mean_m_after:")
_UPSTREAM = "upstream:coverage:"


def forget_circle(plan: Plan) -> Plan:
    """Return the plan without what a service circle left, and without sites chosen on it.

    Facilities stay, but for those that sites proposed; their loads and norms go.
    """
    bare = forget_sites(plan)
    bare = drop_traces(bare, LAYERS_OF_CIRCLE, _FIGURES, _PREFIXES, ("circle",),
                       ("circle:", _UPSTREAM),
                       ("digest:facilities", *(f"digest:{n}" for n in LAYERS_OF_CIRCLE)))
    run = bare.layer("run")
    ours = [str(k).startswith("input:") and str(k).endswith(tuple(f":{n}" for n in
                                                                  INPUTS_OF_CIRCLE))
            for k in run["key"]]
    layers = {"run": run[~np.array(ours, dtype=bool)].reset_index(drop=True)}
    if "facilities" in bare.layers:
        layers["facilities"] = bare.layer("facilities").assign(meets_norm=pd.NA, load=pd.NA)
    return bare.with_layers(**layers)


def forget_sites(plan: Plan) -> Plan:
    """Return the plan without chosen sites, the facilities proposed there and their figures."""
    bare = drop_traces(plan, ("sites",), (), _SITE_PREFIXES, ("site",),
                       ("site:", "upstream:sites:"), ("digest:sites",))
    if "facilities" not in bare.layers:
        return bare
    held = bare.layer("facilities")
    ours = ((held["source"] == SITE_SOURCE) & (held["status"] == "proposed")).fillna(False)
    return bare.with_layers(facilities=held[~ours.to_numpy(dtype=bool)].reset_index(drop=True))


def forget_sites_of(plan: Plan, category: str) -> Plan:
    """Return the plan without sites of one category, what they proposed and their figures."""
    layers: dict[str, pd.DataFrame] = {}
    if "sites" in plan.layers:
        sites = plan.layer("sites")
        layers["sites"] = sites[(sites["category"] != category).to_numpy(dtype=bool)]
    if "facilities" in plan.layers:
        held = plan.layer("facilities")
        ours = (held["source"] == SITE_SOURCE) & (held["status"] == "proposed") & (
            held["categories"] == category)
        layers["facilities"] = held[~ours.fillna(False).to_numpy(dtype=bool)]
    figures, run = plan.layer("figures"), plan.layer("run")
    gone = figures["name"].isin([f"{prefix}{category}" for prefix in _SITE_PREFIXES])
    layers["figures"] = figures[~gone.to_numpy(dtype=bool)]
    layers["run"] = run[(run["key"] != f"site:request:{category}").to_numpy(dtype=bool)]
    return plan.with_layers(**{name: frame.reset_index(drop=True)
                               for name, frame in layers.items()})


def note_upstream(plan: Plan) -> dict[str, str]:
    """Return the rows of the run table that tell on what a coverage stands."""
    return {_UPSTREAM + name: digest_layer(plan.layers[name], name)
            for name in UPSTREAM if name in plan.layers}


def tell_stale_circle(plan: Plan, findings: Findings) -> None:
    """Warn for every layer that changed since ways were measured on it."""
    for name in UPSTREAM:
        noted = plan.run.get(_UPSTREAM + name, "")
        if noted and noted != digest_layer(plan.layer(name), name):
            findings.add("plan.stale", "warning", file=plan.origin.name if plan.origin else "",
                         layer="coverage", source=name, command="gridplan circle")


def drop_traces(plan: Plan, layers: tuple[str, ...], names: tuple[str, ...],
                prefixes: tuple[str, ...], stages: tuple[str, ...], keys: tuple[str, ...],
                digests: tuple[str, ...]) -> Plan:
    """Return the plan without layers, figures, rows of the tally and of the run table."""
    figures, tally, run = (plan.layer(name) for name in ("figures", "tally", "run"))
    ours = figures["name"].isin(names) | figures["name"].str.startswith(prefixes)
    gone = [str(k).startswith(keys) or str(k) in digests for k in run["key"]]
    kept = {"figures": figures[~ours.fillna(False).to_numpy(dtype=bool)],
            "tally": tally[~tally["stage"].isin(stages).to_numpy(dtype=bool)],
            "run": run[~np.array(gone, dtype=bool)]}
    held = {name: frame for name, frame in plan.layers.items() if name not in layers}
    held |= {name: conform(name, frame.reset_index(drop=True)) for name, frame in kept.items()
             if name in plan.layers}
    return dataclasses.replace(plan, layers=held)
