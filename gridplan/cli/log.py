"""The verb ``log``: what was done of what was planned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridplan.cli.console import Screen, percent
from gridplan.cli.held import read_held, write_held
from gridplan.cli.options import by_role, make_params, split_pairs
from gridplan.errors import Finding, UsageError

if TYPE_CHECKING:
    from gridplan.log import Logged, LogRequest, LogRules
    from gridplan.params import Params
    from gridplan.plan import Plan

_SHOWN = 12
_COLUMNS = ("stop_id", "name", "team_id", "day", "time")
_HEAD = ("team", "stops", "stops_done", "stops_missed", "passes", "passes_done", "km", "late")


def log(screen: Screen, plan: Annotated[Path, typer.Argument(metavar="PLAN.gpkg")],
        tracks: Annotated[list[Path], typer.Argument(
            metavar="TRACKS…", help="Tracks (GPX, KML, GeoJSON), check-in tables (CSV, workbook), "
            "or folders of them.")],
        team: Annotated[str, typer.Option(
            metavar="ID", rich_help_panel="Whose", help="The team of files that do not tell "
            "it.")] = "",
        day: Annotated[str, typer.Option(
            metavar="DAY", rich_help_panel="Whose", help="The day of the shift, where neither "
            "name nor times tell it.")] = "",
        who: Annotated[Path | None, typer.Option(
            metavar="TABLE", rich_help_panel="Whose",
            help="A table of file, team and day.")] = None,
        utc_offset: Annotated[str, typer.Option(
            metavar="±HH:MM", help="How far the plan's clocks are ahead of UTC, which "
            "devices count in.")] = "+08:00",
        reach_m: Annotated[float, typer.Option(
            metavar="M", help="So near its stop a team has reached it; the noise is "
            "added.")] = 30.0,
        noise_m: Annotated[float, typer.Option(
            metavar="M", help="How far fixes usually lie off the true place.")] = 10.0) -> None:
    """Hold tracks and check-ins of teams to their routes: what was done, missed and late."""
    from gridplan import cli
    from gridplan.log import log_files, put_log

    options, findings = screen.options, screen.findings
    request, rules = make_request(screen, tracks, team=team, day=day, who=who,
                                  utc_offset=utc_offset, reach_m=reach_m, noise_m=noise_m)
    target = cli.check_plan_target(screen, options.output or plan,
                                   [*(t for t in tracks if t.is_file()), who])
    with screen.working({"read": 0.2, "log": 0.7, "plan": 0.1}) as progress:
        progress("read", 0.0)
        held = read_held(screen, plan)
        progress("log", 0.0)
        logged = log_files(held, request, take_params(screen, held), findings, rules)
        done = put_log(held, logged, findings)
        progress("plan", 0.0)
        if not options.dry_run:
            write_held(screen, done, target)
    tell_log(screen, done, logged)
    cli.tell_written(screen)


def make_request(screen: Screen, tracks: list[Path], *, team: str, day: str, who: Path | None,
                 utc_offset: str, reach_m: float, noise_m: float
                 ) -> tuple[LogRequest, LogRules]:
    """Return what is asked; options that make no sense are told all at once.

    Raises
    ------
    UsageError
        An offset or datum that is none, a distance out of bounds, an unknown column.
    """
    from gridplan.datum import refuse_unknown
    from gridplan.log import LogRequest, LogRules
    from gridplan.log.times import read_offset

    options = screen.options
    faults: list[Finding] = []
    offset_min = read_offset(utc_offset)
    if offset_min is None:
        faults.append(Finding("log.utc_offset", field="--utc-offset",
                              values={"value": utc_offset}))
    rules, datum, columns = LogRules(), "", dict[str, str]()
    try:
        rules = LogRules(reach_m=reach_m, noise_m=noise_m)
    except UsageError as error:
        faults += error.findings
    try:
        said = by_role("--datum", options.datum, ())
        datum = said if isinstance(said, str) else ""
        refuse_unknown(datum)
    except UsageError as error:
        faults += error.findings
    try:
        columns = split_pairs("--column", options.column)
    except UsageError as error:
        faults += error.findings
    strange = [c for c in columns if c not in _COLUMNS]
    faults += [Finding("log.unknown_column", field="--column", values={
        "value": c, "known": ", ".join(_COLUMNS)}) for c in strange]
    if len(options.layer) > 1:
        faults.append(Finding("cli.several_plain", field="--layer",
                              values={"value": ", ".join(options.layer)}))
    if faults:
        raise UsageError(*faults)
    assert offset_min is not None
    return LogRequest(tuple(tracks), team=team, day=day, who=who, datum=datum,
                      utc_offset_min=offset_min, columns=columns,
                      sheet=options.layer[0] if options.layer else None), rules


def take_params(screen: Screen, plan: Plan) -> Params:
    """Return the parameters: without ``--config`` those that the plan was made with."""
    from gridplan.params import recall_patrol

    options, params = screen.options, make_params(screen.options)
    if options.config is None:
        params = recall_patrol(plan.run.get("parameters", ""), params,
                               plan.origin.name if plan.origin else "")
    return params


def tell_log(screen: Screen, plan: Plan, logged: Logged) -> None:
    """Show what each team did, and what was missed, by name."""
    from gridplan.log.summary import describe_log

    told = describe_log(plan, logged)
    screen.result["log"] = told
    screen.tell_findings()
    screen.tell_tally()
    screen.tell()
    screen.table([_say(screen, f"head.{c}") for c in _HEAD],
                 [_row(screen, team) for team in told["teams"]])
    screen.tell()
    missed = told["missed"]
    for row in missed[:_SHOWN]:
        screen.tell(_say(screen, f"missed_{row['kind']}", name=row["name"] or row["id"],
                         id=row["id"], team=row["team"], day=row["day"], time=row["planned"],
                         done_m=f"{row['passed_m'] or 0:,.0f}",
                         length_m=f"{row['length_m'] or 0:,.0f}"))
    if len(missed) > _SHOWN:
        screen.tell(screen.say("more", count=len(missed) - _SHOWN))
    whole = told["all"]
    screen.tell(_say(screen, "summary", stops=percent(whole["done_stop_share"]),
                     missed=whole["stops"] - whole["stops_done"],
                     passes=percent(whole["done_pass_share"]),
                     km=f"{whole['passed_km']:,.1f}", planned=f"{whole['planned_km']:,.1f}",
                     late=percent(whole["late_share"]),
                     minutes=_minutes(screen, whole["late_min"])))


def _row(screen: Screen, team: dict[str, Any]) -> tuple[object, ...]:
    return (team["team"] or _say(screen, "team_of_one"), team["stops"], team["stops_done"],
            team["stops"] - team["stops_done"], team["passes"], team["passes_done"],
            f"{team['passed_km']:,.1f} / {team['planned_km']:,.1f}",
            _minutes(screen, team["late_min"]))


def _minutes(screen: Screen, value: float | None) -> str:
    return "–" if value is None else _say(screen, "minutes", value=f"{value:+,.0f}")


def _say(screen: Screen, text: str, /, **values: object) -> str:
    from gridplan.i18n import translate

    return translate(f"log.{text}", screen.options.language, **values)
