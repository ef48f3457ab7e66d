"""The verb ``export``: patrols for phones and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gridplan.cli.console import Screen
from gridplan.cli.report import check_files
from gridplan.errors import Finding, UsageError, first_ids

if TYPE_CHECKING:
    from collections.abc import Mapping


def export(screen: Screen, plan: Annotated[Path, typer.Argument(metavar="PLAN.gpkg")],
           datum: Annotated[Literal["wgs84", "gcj02", "bd09"], typer.Option(
               help="Of the map the routes are shown on; it stands in the file names.")] = "wgs84",
           teams: Annotated[list[str] | None, typer.Option(
               "--teams", metavar="ID", help="Only this team's routes; repeatable.")] = None,
           utc_offset: Annotated[str, typer.Option(
               metavar="±HH:MM", help="How far the plan's clocks are ahead of UTC, which "
               "devices count in.")] = "+08:00") -> None:
    """Write patrols as GPX, KML, GeoJSON, timetable, rota and route sheets into a folder."""
    from gridplan import cli
    from gridplan.export import is_export_file, render_exports
    from gridplan.export.times import read_offset
    from gridplan.outputs import write_files
    from gridplan.plan import read_plan

    options = screen.options
    faults = []
    if options.output is None and not options.dry_run:
        faults.append(Finding("cli.missing", field="-o"))
    offset_min = read_offset(utc_offset)
    if offset_min is None:
        faults.append(Finding("export.utc_offset", field="--utc-offset",
                              values={"value": utc_offset}))
    if faults or offset_min is None:
        raise UsageError(*faults)
    with screen.working({"read": 0.3, "export": 0.7}) as progress:
        progress("read", 0.0)
        held = read_plan(plan)
        screen.findings.items += held.findings.items
        progress("export", 0.0)
        files = render_exports(held, datum=datum, teams=teams or (), lang=options.language,
                               utc_offset_min=offset_min, findings=screen.findings)
        if options.output is not None:
            check_files(screen, options.output, files, is_export_file, [plan])
            if not options.dry_run:
                for written in write_files(options.output, files):
                    cli.note_written(screen, written)
                if not teams:
                    _tell_left_over(screen, options.output, files, datum)
    screen.tell_findings()
    screen.result["files"] = sorted(files)
    cli.tell_written(screen)


def _tell_left_over(screen: Screen, folder: Path, files: Mapping[str, bytes], datum: str) -> None:
    """Warn of routes and sheets in the folder that this plan no longer has."""
    from gridplan.export import is_export_file

    there = [path for pattern in ("sheet-*.pdf", f"route-*-{datum}.*")
             for path in sorted(folder.glob(pattern)) if path.name not in files]
    old = [path.name for path in there if path.is_file() and is_export_file(path)]
    if old:
        screen.findings.add("export.left_over", "warning", file=folder.name, count=len(old),
                            names=first_ids(old))
