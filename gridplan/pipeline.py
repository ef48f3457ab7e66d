"""The story of a run: checked inputs become a plan, stage by stage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd
import shapely

from gridplan import __version__
from gridplan.blocks import build_units, reopen_units
from gridplan.errors import Finding, Findings, GridplanError, TallyRow
from gridplan.households import Trust, estimate_households
from gridplan.layers import COMMUNITY_KINDS, INPUTS, Roster, Study, conform, conform_input
from gridplan.merge import Proposal, merge_plan
from gridplan.params import Params, Range, as_dict
from gridplan.partition import Partition, partition_units, score_again
from gridplan.plan import Plan, StageTime, digest_layer, digest_rows, tally_frame

if TYPE_CHECKING:
    from gridplan.assign import Assigned

Progress = Callable[[str, float], None]
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


def assign_plan(plan: Plan, roster: Roster, params: Params, findings: Findings, *,
                absent: Iterable[str] = (), before: Plan | None = None, afresh: bool = False,
                command: str = "gridplan assign") -> tuple[Plan, Assigned]:
    """Give the grids and communities of a plan their people.

    Parameters
    ----------
    plan
        With communities, grids, units and buildings.
    roster
        As it was read; what contradicts the plan is found here.
    absent
        Staff_ids that are left out.
    before
        Another plan whose assignments are to be kept, in the place of this plan's own.
    afresh
        Keep to what the roster says of current grids, not to the plan's own assignments.

    Returns
    -------
    tuple
        The plan with its people, and what came of assigning them.

    Raises
    ------
    InputError
        A layer is missing, or the roster contradicts the plan (all faults at once).
    UsageError
        Somebody absent is not in the roster.
    """
    from gridplan.assign import assign_staff, follow_roster, record_assignment
    from gridplan.roster import judge_roster

    plan.require("communities", "grids", "units", "buildings")
    roster = judge_roster(follow_roster(roster, plan.layer("grids")), plan.layers, findings,
                          posts=params.assign.most_posts(), across=params.assign.across)
    gone = list(dict.fromkeys(absent))
    assigned = assign_staff(plan, roster, params, findings, absent=gone, before=before,
                            afresh=afresh)
    return record_assignment(plan, assigned, roster, params, findings, absent=gone,
                             command=command), assigned


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


@dataclass
class Clock:
    """Times stages and passes progress on."""

    progress: Progress | None = None
    times: list[StageTime] = field(default_factory=list)
    _stage: str = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage."""
        self._stage = name
        start = time.perf_counter()
        self.report(0.0)
        yield
        self.times.append(StageTime(name, time.perf_counter() - start, peak_memory_mb()))
        self.report(1.0)

    def report(self, done: float) -> None:
        """Pass on how much of the current stage is done, 0–1."""
        if self.progress is not None:
            self.progress(self._stage, done)


def peak_memory_mb() -> float:
    """Return the peak memory of this process in MB so far; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
