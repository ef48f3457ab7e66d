"""The verb ``report``: the responsibility table, the figures, and a notice for each community."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gridplan.cli.console import Screen
from gridplan.cli.held import read_shown
from gridplan.errors import Finding, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gridplan.layers import Roster
    from gridplan.plan import Plan

Audience = Annotated[Literal["share", "internal"], typer.Option(
    help="share shows no person, and counts under 10 as < 10.")]
MapAudience = Annotated[Literal["share", "internal", "dispatch"], typer.Option(
    help="share shows no person, counts under 10 as < 10, and of patrols no route; dispatch shows "
    "routes too, internal all there is.")]
RosterFile = Annotated[Path | None, typer.Option(
    "--roster", metavar="FILE", help="With --audience internal: show names and phones too; they "
    "are stored nowhere else.")]


def report(screen: Screen, plan: Annotated[Path, typer.Argument(metavar="PLAN.gpkg")],
           audience: Audience = "share", roster: RosterFile = None,
           sheets: Annotated[bool, typer.Option(
               "--sheets", help="Also a notice of one page for every community (PDF).")] = False
           ) -> None:
    """Write a plan's responsibilities, vacancies and figures as a workbook into a folder."""
    from gridplan import cli
    from gridplan.report import render_report

    options = screen.options
    if options.output is None and not options.dry_run:
        raise UsageError(Finding("cli.missing", field="-o"))
    check_roster(audience, roster)
    with screen.working({"read": 0.4, "report": 0.6}) as progress:
        progress("read", 0.0)
        held = read_shown(screen, plan)
        people = take_roster(screen, held, roster)
        progress("report", 0.0)
        files = render_report(held.layers, audience=audience, roster=people, sheets=sheets,
                              lang=options.language)
        if options.output is not None:
            write_report(screen, options.output, files, [plan, roster])
    screen.tell_findings()
    screen.result["files"] = sorted(files)
    cli.tell_written(screen)


def write_report(screen: Screen, folder: Path, files: Mapping[str, bytes],
                 inputs: Iterable[Path | None] = ()) -> None:
    """Write the files of a report, all or none; of a dry run say what would stop it."""
    from gridplan import cli
    from gridplan.outputs import write_files
    from gridplan.report import is_report_file

    check_files(screen, folder, files, is_report_file, inputs)
    if not screen.options.dry_run:
        for written in write_files(folder, files):
            cli.note_written(screen, written)


def report_demo(screen: Screen, plan: Plan, folder: Path) -> None:
    """Write the workbook of the demo's plan, as it is shared, into a folder beside the plan."""
    from gridplan.report import render_report

    write_report(screen, folder, render_report(plan.layers, audience="share",
                                               lang=screen.options.language))


def check_roster(audience: str, roster: Path | None) -> None:
    """Refuse a roster for an audience that may not see it, before anything is read.

    Raises
    ------
    UsageError
        A roster is given and the audience is not ``internal``.
    """
    if roster is not None and audience != "internal":
        raise UsageError(Finding("report.roster_shared", field="--roster"))


def take_roster(screen: Screen, plan: Plan, path: Path | None) -> Roster | None:
    """Read the roster that names the people of a plan; None without one.

    Raises
    ------
    InputError
        The roster has a fault.
    """
    if path is None:
        return None
    from gridplan.cli.assign import read_people
    from gridplan.plan.staffing import find_strangers, read_staffing

    findings = screen.findings
    people = read_people(screen, path)
    findings.stop_on_faults()
    findings.items += find_strangers(read_staffing(plan.layers), people)
    return people


def check_files(screen: Screen, folder: Path, files: Iterable[str],
                is_ours: Callable[[Path], bool], inputs: Iterable[Path | None]) -> None:
    """Say before anything is written whether all files can be, and spare what is not ours.

    Raises
    ------
    UsageError
        The folder is a file, or a file in it is an input or not ours; all of them at once.
    """
    from gridplan import cli

    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(Finding("cli.not_a_folder", file=folder.name, field="-o"))
    known = list(inputs)
    faults: list[Finding] = []
    for name in files:
        try:
            cli.check_target(screen, folder / name, is_ours, known)
        except UsageError as error:
            faults += error.findings
    if faults:
        raise UsageError(*faults)
