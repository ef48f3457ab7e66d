"""The command line: verbs are stages. A fault is one line and an exit code.

0 written · 1 our bug · 2 usage · 3 bad input · 4 the request cannot be met · 5 a rule is
broken · 6 the machine refused · 130 interrupted. Heavy imports stand inside the verbs, so that
``gridplan --help`` answers at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridplan import __version__
from gridplan.cli.assign import DEMO_ROSTER, assign, assign_demo, tell_summary
from gridplan.cli.circle import circle, circle_demo, describe_circle, tell_completeness
from gridplan.cli.console import Screen, guard
from gridplan.cli.diff import diff
from gridplan.cli.export import export
from gridplan.cli.held import read_shown
from gridplan.cli.locks import read_locked, tell_locked
from gridplan.cli.log import log
from gridplan.cli.merge import merge, merge_demo
from gridplan.cli.merge import tell_summary as tell_merger
from gridplan.cli.options import (
    EVERYWHERE,
    PLANNING,
    READING,
    WRITING,
    Options,
    by_role,
    make_params,
    name_links,
    split_pairs,
    with_options,
)
from gridplan.cli.patrol import describe_patrol, patrol, patrol_demo, tell_week
from gridplan.cli.report import (
    MapAudience,
    RosterFile,
    check_roster,
    report,
    report_demo,
    take_roster,
)
from gridplan.cli.site import site
from gridplan.cli.summary import refuse_exceptions, tell_check, tell_file, tell_plan
from gridplan.errors import Finding, InputError, RuleError, UsageError, first_ids

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import Series

    from gridplan.check import CheckReport
    from gridplan.layers import Source, Study
    from gridplan.ledger import LedgerMatch
    from gridplan.outputs import Written
    from gridplan.params import Params
    from gridplan.plan import Plan

app = typer.Typer(name="gridplan", no_args_is_help=True, add_completion=False,
                  pretty_exceptions_enable=False,
                  help="Divide communities into grids of households along roads.")


def main() -> None:
    """Run the command line."""
    app()


def verb(*shared: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a verb: it gets the screen first, and the shared options it names."""
    def register(body: Callable[..., None]) -> Callable[..., None]:
        def run(options: Options, call: Callable[[Any], None]) -> int:
            screen = Screen(body.__name__, options)
            return guard(screen, lambda: call(screen))

        return app.command()(with_options(body, (*shared, *EVERYWHERE), run))
    return register


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False
         ) -> None:
    """Divide communities into grids of households along roads."""
    if version:
        typer.echo(f"gridplan {__version__}")
        raise typer.Exit


File = Annotated[Path | None, typer.Option(metavar="FILE", rich_help_panel="Inputs")]


@verb(*WRITING, *PLANNING)
def demo(screen: Screen,
         communities: Annotated[int, typer.Option(min=1, help="How many communities.")] = 12,
         inputs_only: Annotated[bool, typer.Option(
             "--inputs-only", help="Write the layers of the town and stop.")] = False) -> None:
    """Plan a town, its people and services, check and map it; the last line is the map's path."""
    from gridplan.maps import draw_map
    from gridplan.pipeline import STAGES, plan_city
    from gridplan.plan import write_plan
    from gridplan.town import build_town, is_roster, write_roster, write_town

    options = screen.options
    params = make_params(options)
    folder = options.output or Path()
    plan_path = check_target(screen, folder / "demo.gpkg", is_plan)
    roster_path = check_target(screen, folder / DEMO_ROSTER, is_roster)
    map_path = check_target(screen, folder / "demo.html", is_page)
    if inputs_only:
        check_free(screen, folder)
    with screen.working({"town": 0.1, **STAGES, "assign": 0.05, "circle": 0.2, "check": 0.1,
                         "map": 0.05}) as progress:
        progress("town", 0.0)
        town = build_town(communities, params.seed)
        if inputs_only:
            if not options.dry_run:
                screen.written += write_town(town, folder)
            tell_written(screen)
            return
        tell_compiling(screen)
        plan = plan_city(town.study, params, screen.findings, lang=options.language,
                         command="gridplan demo", progress=progress)
        refuse_exceptions(screen, plan)
        progress("assign", 0.0)
        plan, assigned = assign_demo(screen, town, plan, params)
        progress("circle", 0.0)
        plan, measured, chosen = circle_demo(screen, plan, params)
        progress("patrol", 0.0)
        plan, patrolled = patrol_demo(screen, plan, params)
        if not options.dry_run:
            make_folder(folder)
            note_written(screen, write_plan(plan, plan_path, no_copy=options.no_copy,
                                            lang=options.language, force=options.force))
            progress("check", 0.0)
            screen.written.append(write_roster(town, roster_path))
            report = run_check(screen.written[0], [roster_path])
            merger = merge_demo(screen, plan, screen.written[0], params)
            report_demo(screen, plan, folder / "demo_report")
            progress("map", 0.0)
            screen.written.append(draw_map(plan, map_path, lang=options.language))
    tell_plan(screen, plan)
    tell_summary(screen, assigned, plan)
    screen.result |= describe_circle(plan, measured)
    tell_completeness(screen, measured)
    screen.tell(chosen.words(options.language))
    screen.result |= {"patrol": describe_patrol(plan, patrolled)["patrol"]}
    tell_week(screen, patrolled)
    if options.dry_run:
        tell_written(screen)
        return
    if merger is not None:
        tell_merger(screen, merger)
    tell_check(screen, report)
    tell_written(screen)
    if not report.ok:
        raise RuleError(*report.findings(plan_path.name))


@verb("output", "force", "dry_run")
def init(screen: Screen) -> None:
    """Write a commented gridplan.toml and the tables to fill in: roster, teams, totals, ledger."""
    from gridplan.cli.templates import make_templates
    from gridplan.outputs import write_bytes

    options = screen.options
    folder = options.output or Path()
    files = make_templates(options.language)
    there = [name for name in files if (folder / name).exists()]
    if there and not options.force:
        raise UsageError(*(Finding("cli.exists", file=name) for name in there))
    if not options.dry_run:
        make_folder(folder)
        for name, data in files.items():
            note_written(screen, write_bytes(folder / name, data))
    screen.tell_findings()
    for name in files:
        screen.tell(folder / name)


@verb("column", "crs", "allow_remote")
def inspect(screen: Screen, files: Annotated[list[str], typer.Argument(metavar="FILES…")]) -> None:
    """Say what files hold and what would be used of them; writes nothing."""
    from gridplan.osm import list_levels
    from gridplan.read import inspect_file

    options, findings = screen.options, screen.findings
    columns = split_pairs("--column", options.column)
    crs = by_role("--crs", options.crs, ())
    screen.result["files"] = []
    for path in files:
        report = inspect_file(path, columns=columns, crs=crs, allow_remote=options.allow_remote)
        problems = list(report.problems)
        levels = None
        if [f.key for f in problems if f.outcome == "error"] == ["read.is_osm"]:
            levels = list_levels(path, findings)
            problems.clear()
        findings.items += problems
        tell_file(screen, report, levels)
    faults = findings.of("error", "ask")
    if faults:
        raise InputError(*faults)
    screen.tell_findings()


Boundaries = Annotated[str | None, typer.Option(
    "--boundaries", metavar="FILE|admin_level=N", rich_help_panel="Inputs",
    help="The communities: a file, or a level of the extract.")]


@verb(*WRITING, *PLANNING, "trust", *READING)
def partition(screen: Screen, boundaries: Boundaries = None,
              delineate: Annotated[bool, typer.Option(
                  "--delineate", rich_help_panel="Inputs",
                  help="Propose communities where none are drawn.")] = False,
              outline: File = None, buildings: File = None, roads: File = None,
              rail: File = None, water: File = None, walls: File = None, estates: File = None,
              gates: File = None, entrances: File = None, special: File = None,
              must_link: Annotated[list[Path] | None, typer.Option(
                  metavar="FILE", rich_help_panel="Inputs",
                  help="What must lie in one grid, an area, line or points each; repeatable.")
                  ] = None,
              osm: File = None,
              place: Annotated[str | None, typer.Option(
                  metavar="NAME", rich_help_panel="Inputs",
                  help="A place to ask map servers for.")] = None,
              totals: File = None, ledger: File = None) -> None:
    """Make a plan: divide communities into grids."""
    options = screen.options
    level = re.fullmatch(r"admin_level=(\d+)", boundaries or "")
    files = {role: str(path) for role, path in {
        "communities": None if level else boundaries, "outline": outline, "buildings": buildings,
        "roads": roads, "rail": rail, "water": water, "walls": walls, "estates": estates,
        "gates": gates, "entrances": entrances, "specials": special,
        **name_links(must_link or [])}.items() if path}
    check_request(files, delineate=delineate, level=bool(level), osm=osm, place=place)
    if options.output is None and not options.dry_run:
        raise UsageError(Finding("cli.missing", field="-o"))
    inputs = [*files.values(), osm, totals, ledger]
    target = options.output and check_plan_target(screen, options.output, inputs)
    beside = target and ledger and check_target(screen, list_beside(target), is_list, inputs)
    params = make_params(options)
    source = {"osm": osm, "place": place, "level": int(level[1]) if level else None,
              "totals": totals, "ledger": ledger, "target": target}
    plan, match = plan_files(screen, params, files, source, delineate)
    refuse_exceptions(screen, plan)
    if target and not options.dry_run:
        from gridplan.plan import write_plan

        note_written(screen, write_plan(plan, target, no_copy=options.no_copy,
                                        lang=options.language, force=options.force))
        if beside and match is not None and len(match.to_check) + len(match.unmatched):
            from gridplan.ledger import write_ledger_match

            note_written(screen, write_ledger_match(match, beside, options.language))
    tell_plan(screen, plan)
    tell_locked(screen, plan)
    tell_written(screen)
    screen.tell(screen.say("exceptions", count=screen.result["exceptions"]))


def plan_files(screen: Screen, params: Params, files: Mapping[str, str],
               source: Mapping[str, Any], delineate: bool) -> tuple[Plan, LedgerMatch | None]:
    """Read everything and make the plan."""
    from gridplan.pipeline import STAGES, Clock, plan_city
    from gridplan.read import clean_study

    options, findings = screen.options, screen.findings
    with screen.working({"read": 0.1, "clean": 0.1, **STAGES}) as progress:
        clock = Clock(progress)
        with clock.stage("read"):
            raw, sources, totals = read_inputs(screen, params, files, source)
        with clock.stage("clean"):
            study = clean_study(raw, sources, params, findings, totals=totals,
                                delineate=delineate, drop_null=options.drop_null)
            study, match = take_ledger(screen, study, source["ledger"])
        tell_compiling(screen)
        plan = plan_city(study, params, findings, trust=options.trust, lang=options.language,
                         command="gridplan partition", progress=progress,
                         locked=read_locked(screen, source["target"], study.crs))
    return replace(plan, stages=(*clock.times, *plan.stages)), match


def read_inputs(screen: Screen, params: Params, files: Mapping[str, str],
                source: Mapping[str, Any]
                ) -> tuple[dict[str, GeoDataFrame], list[Source], Series | None]:
    """Read layers out of an extract and out of files, which go before it, and the totals."""
    from gridplan.osm import read_extract, read_place
    from gridplan.read import read_layers, read_totals

    options, findings = screen.options, screen.findings
    roles = (*files, "totals", "ledger")
    layer = by_role("--layer", options.layer, roles)
    columns = {k: v for k, v in split_pairs("--column", options.column).items()
               if not k.startswith("ledger.")}
    raw: dict[str, GeoDataFrame] = {}
    sources: list[Source] = []
    if source["osm"]:
        raw, sources = read_extract(source["osm"], findings, admin_level=source["level"],
                                    gap_m=params.read.gap_m)
    elif source["place"]:
        raw, sources = read_place(source["place"], findings, admin_level=source["level"],
                                  gap_m=params.read.gap_m)
    own, read = read_layers(files, layer=layer, crs=by_role("--crs", options.crs, roles),
                            datum=by_role("--datum", options.datum, roles),
                            columns=columns, allow_remote=options.allow_remote,
                            drop_null=options.drop_null, drop_columns=options.drop_columns,
                            findings=findings)
    # A layer that a file replaces was not used.
    sources = [s for s in sources if s.layer not in own] + read
    totals = None
    if source["totals"]:
        totals = read_totals(source["totals"], findings, columns=columns,
                             layer=layer.get("totals") if isinstance(layer, dict) else None,
                             allow_remote=options.allow_remote,
                             drop_columns=options.drop_columns)
        sources.append(name_source(source["totals"], "totals", len(totals)))
    return {**raw, **own}, sources, totals


def take_ledger(screen: Screen, study: Study,
                path: Path | None) -> tuple[Study, LedgerMatch | None]:
    """Bring the households of a ledger into the buildings of a study."""
    if path is None:
        return study, None
    from gridplan.ledger import fill_households, match_ledger, read_ledger

    options, findings = screen.options, screen.findings
    sheet = next((v.partition("=")[2] for v in options.layer if v.startswith("ledger=")), None)
    columns = {k.removeprefix("ledger."): v
               for k, v in split_pairs("--column", options.column).items()
               if k.startswith("ledger.")}
    rows = read_ledger(path, findings, columns=columns, sheet=sheet,
                       drop_columns=options.drop_columns)
    match = match_ledger(rows, study.buildings, study.layer("estates"), findings)
    findings.stop_on_faults()
    facts = {"household_basis": match.basis, "household_date": match.date}
    return replace(study, buildings=fill_households(study.buildings, match),
                   sources=(*study.sources, name_source(path, "ledger", len(rows))),
                   facts={**study.facts, **{k: v for k, v in facts.items() if v}}), match


def name_source(path: Path, layer: str, rows: int) -> Source:
    """Return what the run table says of a table: its name and digest, never its path."""
    import hashlib

    from gridplan.layers import Source

    with path.open("rb") as file:
        return Source(path.name, layer, hashlib.file_digest(file, "sha256").hexdigest(), rows)


@verb("strict")
def check(screen: Screen, plan: Annotated[Path, typer.Argument(metavar="PLAN.gpkg")],
          more: Annotated[list[Path] | None, typer.Argument(hidden=True)] = None,
          inputs: Annotated[list[Path] | None, typer.Option(
              "--inputs", metavar="FILES…", help="Input files to compare the plan with.")] = None
          ) -> None:
    """Verify a plan with code of its own: exit 5 if a rule is broken without a valid reason."""
    if more and not inputs:
        raise UsageError(*(Finding("cli.one_plan", file=path.name) for path in more))
    with screen.working({"check": 1.0}) as progress:
        progress("check", 0.0)
        report = run_check(plan, [*(inputs or ()), *(more or ())])
    tell_check(screen, report)
    if not report.ok:
        raise RuleError(*report.findings(plan.name))
    screen.tell(screen.say("exceptions", count=screen.result["exceptions"]))


verb(*WRITING, "config", "seed", "effort", *READING)(merge)
verb(*WRITING)(diff)
verb(*WRITING, "config", "seed", "strict", "column", "layer", "drop_columns")(assign)
verb(*WRITING, "config", "seed", *READING)(circle)
verb(*WRITING, "config", "seed", *READING)(site)
verb(*WRITING, "config", "seed", "effort", *READING)(patrol)


verb("output", "force", "dry_run", "column", "layer")(report)
verb("output", "force", "dry_run")(export)
verb(*WRITING, "config", "column", "layer", "datum")(log)


@verb("output", "force", "dry_run", "column", "layer")
def map(screen: Screen, plan: Annotated[Path, typer.Argument(metavar="PLAN.gpkg")],  # noqa: A001
        audience: MapAudience = "share", roster: RosterFile = None) -> None:
    """Draw a plan as one HTML file that needs no network; the last line is its path."""
    from gridplan.maps import draw_map, render_map

    options = screen.options
    check_roster(audience, roster)
    target = check_target(screen, options.output or plan.with_suffix(".html"), is_page,
                          [plan, roster])
    with screen.working({"read": 0.5, "map": 0.5}) as progress:
        progress("read", 0.0)
        held = read_shown(screen, plan)
        people = take_roster(screen, held, roster)
        progress("map", 0.0)
        if options.dry_run:
            render_map(held.layers, audience=audience, roster=people, lang=options.language)
        else:
            screen.written.append(draw_map(held, target, audience=audience, roster=people,
                                           lang=options.language))
    screen.tell_findings()
    tell_written(screen)


# ---- before the work -----------------------------------------------------------------------

def check_request(files: Mapping[str, str], *, delineate: bool, level: bool, osm: Path | None,
                  place: str | None) -> None:
    """Refuse a partition whose options miss something or contradict each other, all at once."""
    faults = []
    if osm and place:
        faults.append(Finding("cli.osm_and_place"))
    if not (osm or place):
        faults += [Finding("cli.missing", field=f"--{role}") for role in ("buildings", "roads")
                   if role not in files]
    drawn = level or "communities" in files
    if drawn and delineate:
        faults.append(Finding("cli.drawn_and_proposed", field="--delineate"))
    if not (drawn or delineate or place):
        faults.append(Finding("cli.no_boundaries", field="--boundaries"))
    if level and not (osm or place):
        faults.append(Finding("cli.level_without_osm", field="--boundaries"))
    if "outline" in files and not delineate:
        faults.append(Finding("cli.outline_alone", field="--outline"))
    if faults:
        raise UsageError(*faults)


def check_target(screen: Screen, target: Path, is_ours: Callable[[Path], bool],
                 inputs: Iterable[str | Path | None] = ()) -> Path:
    """Say before the work whether a file can be written, and spare what is not ours to replace.

    Raises
    ------
    UsageError
        The target is one of the inputs, or some other file and ``--force`` is not given.
    MachineError
        It cannot be written.
    """
    from gridplan import outputs

    if target.exists():
        if any(path and Path(path).exists() and target.samefile(path) for path in inputs):
            raise UsageError(Finding("cli.output_is_input", file=target.name, field="-o"))
        if target.is_file() and not screen.options.force and not is_ours(target):
            raise UsageError(Finding("cli.not_ours", file=target.name, field="-o"))
    if target.parent.exists() or screen.verb != "demo":
        outputs.check_target(target)
    return target


def tell_compiling(screen: Screen) -> None:
    """Say why the first run on a machine takes longer."""
    from gridplan.regions import is_compiled

    if not is_compiled():
        screen.log(screen.say("compiling"))


def check_plan_target(screen: Screen, target: Path, inputs: Iterable[str | Path | None]) -> Path:
    """Say before the work whether a plan can be written there; its name must say what it is."""
    if target.suffix.lower() != ".gpkg" and not target.is_dir():
        raise UsageError(Finding("cli.not_gpkg", file=target.name, field="-o"))
    return check_target(screen, target, is_plan, inputs)


def list_beside(plan: Path) -> Path:
    """Return where the open rows of a ledger are listed."""
    return plan.with_name(f"{plan.stem}_ledger.xlsx")


def is_list(path: Path) -> bool:
    """Tell whether a file is a list of open rows that nobody has filled in yet."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    except (CalamineError, OSError, ValueError):
        return False
    return bool(rows) and rows[0][-1] in ("confirm", "确认") and not any(
        str(row[-1]).strip() for row in rows[1:])


def check_free(screen: Screen, folder: Path) -> None:
    """Refuse to write many layers into a folder that holds layers or tables already."""
    there = sorted(p.name for p in folder.glob("*") if p.suffix.lower() in (".gpkg", ".xlsx"))
    if there and not screen.options.force:
        raise UsageError(Finding("cli.not_empty", file=folder.name, field="-o", count=len(there),
                                 values={"names": first_ids(there)}))


def is_page(path: Path) -> bool:
    """Tell whether a file is a web page, or empty."""
    with path.open("rb") as file:
        head = file.read(512).lower()
    return not head or b"<html" in head or b"<!doctype html" in head


def is_plan(path: Path) -> bool:
    """Tell whether a file is a plan; an empty file and a database that is held count as one."""
    import contextlib
    import sqlite3

    if path.stat().st_size == 0:
        return True
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True,
                                                timeout=0.2)) as base:
            names = {row[0] for row in base.execute("SELECT name FROM sqlite_master")}
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    except sqlite3.DatabaseError:
        return False
    return "run" in names and bool(names & {"grids", "mergers", "coverage"})


def make_folder(folder: Path) -> None:
    """Make a folder for what a verb writes."""
    from gridplan.errors import MachineError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(Finding("cli.no_folder", file=folder.name,
                                   values={"error": str(error.strerror)})) from error


def note_written(screen: Screen, written: Written) -> None:
    """Remember where a file went, and what is to be told about it."""
    screen.written.append(written.path)
    if written.note is not None:
        screen.findings.items.append(written.note)


def tell_written(screen: Screen) -> None:
    """Show which files there are now, each on a line."""
    for path in screen.written:
        screen.tell(path)
    if screen.options.dry_run:
        screen.tell(screen.say("dry"))


def run_check(plan: Path, inputs: Iterable[Path] = ()) -> CheckReport:
    """Verify a plan file."""
    from gridplan.check import check_plan

    return check_plan(plan, inputs=list(inputs))
