"""The one screen at the end of a run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gridplan.cli.console import Screen, percent
from gridplan.errors import Finding, RequestError, first_ids

if TYPE_CHECKING:
    from gridplan.check import CheckReport
    from gridplan.plan import Plan
    from gridplan.read import FileReport

_SHOWN = 8
_FINE = ("ok", "special")


def list_exceptions(plan: Plan) -> list[dict[str, Any]]:
    """Return the grids that are not as asked for, each with its reason."""
    grids = plan.layer("grids")
    odd = grids[~grids["status"].isin(_FINE)]
    return [dict(zip(("grid_id", "status", "households", "reason"), row, strict=True))
            for row in zip(odd["grid_id"].astype(str), odd["status"].astype(str),
                           (int(h) for h in odd["households"].fillna(0)),
                           odd["reason"].fillna("").astype(str), strict=True)]


def refuse_exceptions(screen: Screen, plan: Plan) -> None:
    """With ``--strict``, stop before anything is written if a grid is an exception.

    Raises
    ------
    RequestError
        One fault per reason, with the first grids of each.
    """
    if not screen.options.strict:
        return
    by_status: dict[str, list[str]] = {}
    for row in list_exceptions(plan):
        by_status.setdefault(row["status"], []).append(row["grid_id"])
    if by_status:
        raise RequestError(*(Finding("cli.strict", layer="grids", row=first_ids(ids),
                                     field="status", count=len(ids), values={"status": status})
                             for status, ids in by_status.items()))


def tell_plan(screen: Screen, plan: Plan) -> None:
    """Show what was found in the inputs, the figures, the exceptions and the times of a plan."""
    exceptions = list_exceptions(plan)
    figures = {f"{name}:{scope}" if scope not in ("", "all") else name: _number(value)
               for name, scope, value in plan.layer("figures").loc[
                   lambda t: t["scope"] == "city", ["name", "scope_id", "value"]].itertuples(
                       index=False)}
    screen.result |= {
        "exceptions": len(exceptions), "exception_list": exceptions, "figures": figures,
        "stages": [{"name": s.name, "seconds": round(s.seconds, 2), "peak_mb": round(s.peak_mb)}
                   for s in plan.stages]}
    screen.tell_findings()
    screen.tell_tally()
    screen.tell()
    screen.table([screen.say(f"grid.{n}") for n in ("grid_id", "status", "households", "reason")],
                 [tuple(e.values()) for e in exceptions[:_SHOWN]])
    if len(exceptions) > _SHOWN:
        screen.tell(screen.say("more", count=len(exceptions) - _SHOWN))
    if exceptions:
        screen.tell()
    screen.tell(screen.say("figures", **{n: _shown(figures.get(n)) for n in (
        "communities", "grids", "households")}, **{n: percent(figures.get(n)) for n in (
            "grids_in_range", "road_share")}))
    screen.tell(screen.say("times", stages=" · ".join(
        f"{screen.say(f'stage.{s.name}')} {s.seconds:.1f} s" for s in plan.stages),
        peak=round(max((s.peak_mb for s in plan.stages), default=0.0))))


def tell_check(screen: Screen, report: CheckReport) -> None:
    """Show what the verifier compared and what it accepted; special grids are no exceptions."""
    odd = [a for a in report.exceptions if a.status not in _FINE]
    screen.result |= {
        "ok": report.ok, "broken": [f.key for f in report.findings()],
        "accepted": [dataclasses.asdict(a) for a in report.exceptions], "exceptions": len(odd),
        "checked_figures": {k: _number(v) for k, v in report.figures.items()},
        "counts": report.counts, "unchecked": report.unchecked,
        "lacking": report.lacking}
    if screen.verb == "check":
        screen.table([screen.say(f"grid.{n}") for n in ("grid_id", "status", "proof", "reason")],
                     [(a.grid_id, a.status, screen.say(f"proof.{a.proof}"), a.reason)
                      for a in odd[:_SHOWN]])
        if len(odd) > _SHOWN:
            screen.tell(screen.say("more", count=len(odd) - _SHOWN))
    if report.unchecked:
        screen.tell(screen.say("unchecked", rules=", ".join(report.unchecked)))
    if report.lacking:
        comma = "、" if screen.options.language == "zh" else ", "
        screen.tell(screen.say("lacking", rules=comma.join(
            screen.say(f"lacking.{rule}") for rule in report.lacking)))
    screen.tell(screen.say("check_ok" if report.ok else "check_broken",
                           count=len(report.broken)))


def tell_file(screen: Screen, report: FileReport,
              levels: Mapping[str, Sequence[str]] | None) -> None:
    """Show what one file holds; ``levels`` are the boundaries of an OSM file, by level."""
    layers = [dataclasses.asdict(layer) for layer in report.layers]
    screen.result["files"].append({"file": report.file, "format": report.format,
                                   "layers": layers, "levels": levels})
    if levels is not None:
        screen.tell(screen.say("file_osm", file=report.file))
        for level, names in levels.items():
            screen.tell(screen.say("file_level", level=level, count=len(names),
                                   names=first_ids(names)))
    for layer in report.layers:
        screen.tell(screen.say("file_layer", file=report.file, layer=layer.name,
                               format=report.format, role=layer.role, count=layer.rows))
        facts = {
            "geometry": ", ".join(f"{n} {kind}" for kind, n in layer.geometry.items()),
            "crs": layer.crs or (f"? {layer.crs_guess}" if layer.crs_guess else ""),
            "datum": layer.datum,
            "extent": " ".join(f"{v:.5f}" if abs(v) <= 400 else f"{v:.0f}"
                               for v in layer.extent),
            "encoding": layer.encoding,
            "used": ", ".join(theirs if theirs == ours else f"{theirs} → {ours}"
                              for theirs, ours in layer.columns.items()),
            "unused": ", ".join(layer.others),
            "missing": layer.missing or "", "invalid": layer.invalid or ""}
        for name, value in facts.items():
            if value:
                screen.tell(f"  {screen.say(f'file.{name}')}: {value}")


def _number(value: Any) -> float | int | None:
    """Return a plain number for JSON; whole ones as int, missing ones as None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if math.isnan(number):
        return None
    return int(number) if number.is_integer() else number


def _shown(value: float | int | None) -> str:
    return "–" if value is None else f"{value:,}"
