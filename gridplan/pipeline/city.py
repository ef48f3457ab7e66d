"""The story of a run: checked inputs become a plan, stage by stage."""

from __future__ import annotations

import json
from dataclasses import replace

import geopandas as gpd
import pandas as pd

from gridplan import __version__
from gridplan.blocks import build_units
from gridplan.errors import Finding, Findings, GridplanError, TallyRow
from gridplan.households import Trust, estimate_households
from gridplan.layers import COMMUNITY_KINDS, Study, conform
from gridplan.params import Params, as_dict
from gridplan.partition import Partition, partition_units
from gridplan.pipeline.clock import Clock, Progress
from gridplan.plan import Plan, digest_layer, tally_frame

# Stages in order with their usual share of a run's time, for the progress bar.
STAGES = {"households": 0.05, "units": 0.6, "partition": 0.3, "plan": 0.05}


def plan_city(study: Study, params: Params, findings: Findings, *, trust: Trust | None = None,
              lang: str = "en", command: str = "gridplan partition",
              progress: Progress | None = None,
              locked: gpd.GeoDataFrame | None = None) -> Plan:
    """Make a plan: estimate households, cut blocks and units, divide communities into grids.

    Parameters
    ----------
    study
        Checked inputs in one metric CRS.
    trust
        Which side wins where community totals and buildings disagree.
    progress
        Called with a stage's name and the share of it that is done.
    locked
        Grids of an earlier plan that must come out as they are.

    Returns
    -------
    Plan
        Ready to be written; its ``stages`` say what took how long.

    Raises
    ------
    InputError
        The inputs contradict each other (all faults at once).
    """
    clock = Clock(progress)
    with clock.stage("households"):
        buildings = count_households(study, params, findings, trust)
    with clock.stage("units"):
        units = build_units(study, buildings["households"], params.blocks)
    with clock.stage("partition"):
        partition = partition_units(study, units, buildings, params, lang=lang,
                                    progress=clock.report, locked=locked, findings=findings)
    findings.items[:] = name_files(findings.items, study)
    with clock.stage("plan"):
        plan = assemble_plan(study, partition, params, findings, lang=lang, command=command)
    return replace(plan, stages=tuple(clock.times))


def count_households(study: Study, params: Params, findings: Findings,
                     trust: Trust | None = None) -> gpd.GeoDataFrame:
    """Return the buildings with households, their low and high, and where they come from."""
    try:
        counted = estimate_households(study.buildings, params.households, findings,
                                      totals=study.totals, trust=trust)
    except GridplanError as error:
        raise type(error)(*name_files(list(error.findings), study)) from error
    finally:
        findings.items[:] = name_files(findings.items, study)
    if len(counted) and not counted["households"].sum():
        findings.add("pipeline.no_households", "warning", layer="buildings", count=len(counted))
    return study.buildings.assign(**{c: counted[c] for c in counted.columns})


def name_files(items: list[Finding], study: Study) -> list[Finding]:
    """Return findings with the file named wherever one file alone gave their layer."""
    given: dict[str, set[str]] = {}
    for source in study.sources:
        given.setdefault(source.layer, set()).add(source.name)
    only = {layer: next(iter(names)) for layer, names in given.items() if len(names) == 1}
    return [f if f.file else replace(f, file=only.get(f.layer, "")) for f in items]


def assemble_plan(study: Study, partition: Partition, params: Params, findings: Findings, *,
                  lang: str, command: str) -> Plan:
    """Put the layers of a plan together, with the record of what it was made from."""
    layers: dict[str, pd.DataFrame] = {
        name: getattr(partition, name)
        for name in ("communities", "grids", "units", "borders", "buildings")}
    if partition.groups is not None:
        layers["groups"] = partition.groups
    for name in ("estates", "gates", "entrances", "specials", "roads", "barriers", "facilities"):
        frame = study.layer(name)
        named = frame.reset_index()
        layers[name] = conform(name, named.drop(columns=[c for c in ("service", "living_m2")
                                                         if c in named.columns]))
    if partition.must_links is not None:
        layers["must_links"] = partition.must_links
    held, given = int(partition.grids["households"].sum()), int(
        partition.buildings["households"].sum())
    rows = len(partition.buildings)
    findings.tally.append(TallyRow("partition", "buildings", rows, rows, households_in=given,
                                   households_out=held))
    layers["figures"] = conform("figures", partition.figures)
    layers["tally"] = tally_frame(findings)
    record = record_run(study, params, lang=lang, command=command)
    for name in (n for n in ("buildings", "units", "grids", "groups") if n in layers):
        record[f"digest:{name}"] = digest_layer(layers[name], name)
    layers["run"] = conform("run", pd.DataFrame(
        {"key": list(record), "value": list(record.values())}))
    return Plan(layers=layers, crs=study.crs, findings=findings)


def record_run(study: Study, params: Params, *, lang: str, command: str) -> dict[str, str]:
    """Return what the run table says: version, parameters, seed, inputs and their digests."""
    epsg = study.crs.to_epsg()
    record = {
        "version": __version__, "command": command, "lang": lang, "seed": str(params.seed),
        "effort": params.partition.effort,
        "parameters": json.dumps(as_dict(params), sort_keys=True, ensure_ascii=False),
        "crs": f"EPSG:{epsg}" if epsg else study.crs.to_wkt(), "state": "draft",
        "household_basis": study.facts.get("household_basis", ""),
        "household_date": study.facts.get("household_date", ""),
        "data_date": study.facts.get("data_date", "")}
    for kind in COMMUNITY_KINDS:
        limits = params.partition.range_of(kind)
        record[f"range:{kind}"] = f"{limits.low}/{limits.high}"
    for number, source in enumerate(study.sources, start=1):
        record[f"input:{number}:{source.name}:{source.layer}"] = source.sha256
    return record
