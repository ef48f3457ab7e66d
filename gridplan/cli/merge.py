"""The verb ``merge``: propose which communities to merge so that so many remain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gridplan.cli.console import Screen
from gridplan.cli.options import by_role, make_params, split_pairs
from gridplan.errors import Finding, UsageError, first_ids

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from gridplan.layers import Source
    from gridplan.merge import Proposal
    from gridplan.params import Params
    from gridplan.plan import Plan

_SHOWN = 12
_ROLES = ("communities",)


def merge(screen: Screen,
          source: Annotated[Path, typer.Argument(metavar="PLAN.gpkg|BOUNDARIES")],
          communities: Annotated[int, typer.Option(
              min=1, help="How many communities shall remain.")],
          households_column: Annotated[str | None, typer.Option(
              "--households-column", metavar="COLUMN",
              help="The column of the boundaries that holds households.")] = None,
          subdistricts: Annotated[Literal["auto", "keep", "cross"], typer.Option(
              help="auto: inside subdistricts if the number can be met so; keep: never across; "
                   "cross: as if there were none.")] = "auto",
          slack: Annotated[float, typer.Option(
              min=0.0, max=1.0, help="Share by which the largest may exceed the least possible, "
              "so that fewer households move.")] = 0.0,
          snap: Annotated[float, typer.Option(
              min=0.0, metavar="METRES", help="Close overlaps, and gaps with communities all "
              "round, up to this width.")] = 0.0,
          keep_gaps: Annotated[bool, typer.Option(
              "--keep-gaps", help="Narrow gaps between communities are meant.")] = False) -> None:
    """Propose which communities to merge, for advice only: balanced, connected, few moved."""
    from gridplan import cli

    options = screen.options
    if options.output is None and not options.dry_run:
        raise UsageError(Finding("cli.missing", field="-o"))
    target = options.output and cli.check_plan_target(screen, options.output, [source])
    params = make_params(options)
    wanted = {"subdistricts": subdistricts, "slack": slack}
    with screen.working({"read": 0.2, "merge": 0.7, "plan": 0.1}) as progress:
        progress("read", 0.0)
        if _is_plan(source):
            if households_column:
                raise UsageError(Finding("merge.column_unused", field="--households-column"))
            plan, proposal = merge_plan_file(screen, source, communities, params, wanted, progress)
        else:
            how = {"snap_m": snap, "keep_gaps": keep_gaps}
            frame, sources = _read_boundaries(screen, source, params, households_column, how)
            plan, proposal = merge_boundaries(screen, source, communities, params, wanted, frame,
                                              sources, progress)
        if target and not options.dry_run:
            progress("plan", 0.5)
            _write(screen, plan, target)
    tell_proposal(screen, proposal, params, plan)
    cli.tell_written(screen)


def merge_plan_file(screen: Screen, path: Path, count: int, params: Params,
                    wanted: Mapping[str, Any], progress: Any) -> tuple[Plan, Proposal]:
    """Merge the communities of a plan with grids."""
    import hashlib

    from gridplan.merge import propose_merger
    from gridplan.pipeline import merge_city
    from gridplan.plan import read_plan

    findings = screen.findings
    held = read_plan(path)
    findings.items += held.findings.items
    held.require("communities", "grids", "units")
    progress("merge", 0.0)
    proposal = propose_merger(held.layer("communities"), count, params, findings, file=path.name,
                              **wanted)
    progress("plan", 0.0)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return merge_city(held, proposal, params, findings, source=(path.name, sha256),
                      lang=screen.options.language), proposal


def merge_boundaries(screen: Screen, path: Path, count: int, params: Params,
                     wanted: Mapping[str, Any], frame: GeoDataFrame, sources: list[Source],
                     progress: Any) -> tuple[Plan, Proposal]:
    """Merge communities of which only boundaries and households are known."""
    from gridplan.merge import merge_areas, propose_merger

    findings = screen.findings
    progress("merge", 0.0)
    proposal = propose_merger(frame, count, params, findings, file=path.name, **wanted)
    progress("plan", 0.0)
    return merge_areas(frame, proposal, params, findings, sources=sources,
                       lang=screen.options.language), proposal


def _read_boundaries(screen: Screen, path: Path, params: Params, column: str | None,
                     how: Mapping[str, Any]) -> tuple[GeoDataFrame, list[Source]]:
    from gridplan.read import clean_boundaries, read_layers

    options, findings = screen.options, screen.findings
    columns = split_pairs("--column", options.column)
    if column:
        columns["communities.households"] = column
    raw, sources = read_layers(
        {"communities": str(path)}, columns=columns,
        layer=by_role("--layer", options.layer, _ROLES),
        crs=by_role("--crs", options.crs, _ROLES), datum=by_role("--datum", options.datum, _ROLES),
        allow_remote=options.allow_remote, drop_null=options.drop_null,
        drop_columns=options.drop_columns, findings=findings)
    frame = raw["communities"]
    if not column and frame["households"].isna().all():
        raise UsageError(Finding("merge.no_column", file=path.name, layer="communities",
                                 field="--households-column"))
    return clean_boundaries(frame, sources, params, findings, **how), sources


def _is_plan(path: Path) -> bool:
    """Tell whether a file is a plan with grids, by its tables."""
    from gridplan.plan.carry import table_names

    if not path.is_file() or path.read_bytes()[:16] != b"SQLite format 3\0":
        return False
    return {"run", "grids"} <= set(table_names(path))


def _write(screen: Screen, plan: Plan, target: Path) -> None:
    from gridplan import cli
    from gridplan.plan import write_plan
    from gridplan.plan.store import is_edited

    options = screen.options
    if plan.origin is not None and target.exists() and not options.force and is_edited(target):
        raise UsageError(Finding("cli.exists", file=target.name))
    cli.note_written(screen, write_plan(plan, target, no_copy=options.no_copy,
                                        lang=options.language, force=options.force))


def tell_proposal(screen: Screen, proposal: Proposal, params: Params, plan: Plan) -> None:
    """Show the mergers, what they are judged by, and what is left outside the range."""
    lang = screen.options.language
    totals, limits = proposal.totals, params.partition.community
    mergers = proposal.mergers()
    outside = proposal.outside(limits)
    rows = [(new, ", ".join(old), int(totals[new]),
             int(proposal.households[old].sum())) for new, old in mergers.items()]
    screen.result |= {
        "communities": proposal.count, "before": len(proposal.owner),
        "mergers": [dict(zip(("stays", "absorbed", "households", "moved"),
                             (new, mergers[new], held, moved), strict=True))
                    for new, _, held, moved in rows],
        **describe(proposal), "subdistricts": proposal.subdistricts, "outside": outside,
        "range": [limits.low, limits.high], "state": "draft"}
    screen.tell_findings()
    screen.tell_tally()
    screen.tell()
    screen.table([_say(lang, n) for n in ("stays", "absorbed", "households", "moved")],
                 rows[:_SHOWN])
    if len(rows) > _SHOWN:
        screen.tell(screen.say("more", count=len(rows) - _SHOWN))
    tell_summary(screen, proposal)
    if outside:
        screen.tell(_say(lang, "outside", low=f"{limits.low:,}", high=f"{limits.high:,}",
                         count=len(outside), names=first_ids(outside)))
    screen.tell(_say(lang, "advice"))


def tell_summary(screen: Screen, proposal: Proposal) -> None:
    """Say in one line what a proposal is judged by."""
    lang = screen.options.language
    told = describe(proposal)
    screen.tell(_say(
        lang, "summary", before=len(proposal.owner), after=proposal.count,
        largest=f"{told['largest']:,}", moved=f"{told['moved_households']:,}",
        ratio="–" if told["largest_to_mean"] is None else f"{told['largest_to_mean']:.3f}",
        share=f"{100 * told['moved_share']:.1f} %", border=f"{told['border_m'] / 1000:,.1f}",
        **{f"{n}_proof": _proof(lang, told, n) for n in ("largest", "moved", "border")}))


def describe(proposal: Proposal) -> dict[str, Any]:
    """Return what a proposal is judged by, with bounds and gaps, as plain numbers."""
    total = int(proposal.households.sum())
    score, bound, ratio = proposal.score, proposal.bound, proposal.largest_to_mean
    pairs = {"largest": (score.largest, bound.largest), "moved": (score.moved, bound.moved),
             "border": (score.border_cm, bound.border_cm)}
    return {
        "largest": score.largest, "mean": total / proposal.count, "largest_to_mean": ratio,
        "moved_households": score.moved, "moved_share": score.moved / total if total else 0.0,
        "border_m": score.border_cm / 100,
        "bound": {"largest": bound.largest, "moved": bound.moved,
                  "border_m": bound.border_cm / 100},
        "gap": {n: value / least - 1 if least else 0.0 if value == least else None
                for n, (value, least) in pairs.items()},
        "proven": dict(zip(pairs, proposal.proven, strict=True))}


def _proof(lang: str, told: Mapping[str, Any], name: str) -> str:
    if told["proven"][name]:
        return _say(lang, "proven")
    gap = told["gap"][name]
    if gap is None:
        return _say(lang, "unknown")
    least = told["bound"]["border_m" if name == "border" else name]
    return _say(lang, "open", bound=f"{least / 1000:,.1f}" if name == "border" else f"{least:,}",
                gap=f"{100 * gap:.2f} %")


def _say(lang: str, name: str, **values: object) -> str:
    from gridplan.i18n import translate

    return translate(f"merge.{name}", lang, **values)


def merge_demo(screen: Screen, plan: Plan, written: Path, params: Params) -> Proposal | None:
    """Propose to merge a quarter of the communities of the demo, and write it beside its plan."""
    import hashlib

    from gridplan import cli
    from gridplan.errors import Findings, RequestError
    from gridplan.merge import propose_merger
    from gridplan.pipeline import merge_city
    from gridplan.plan import write_plan

    options, before = screen.options, len(plan.layer("communities"))
    count, target = before - before // 4, written.with_name("demo_merged.gpkg")
    if count == before:
        return None
    cli.check_target(screen, target, cli.is_plan)
    try:
        proposal = propose_merger(plan.layer("communities"), count, params, Findings())
    except RequestError:
        return None
    with written.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    merged = merge_city(plan, proposal, params, Findings(), source=(written.name, sha256),
                        lang=options.language, command="gridplan demo")
    cli.note_written(screen, write_plan(merged, target, no_copy=options.no_copy,
                                        lang=options.language, force=options.force))
    return proposal
