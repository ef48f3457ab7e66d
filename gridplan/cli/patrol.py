"""The verb ``patrol``: teams, streets and stops become routes and a timetable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gridplan.cli.console import Screen, percent
from gridplan.cli.held import read_held, write_held
from gridplan.cli.options import by_role, make_params, split_pairs
from gridplan.errors import Finding, UsageError, first_ids

if TYPE_CHECKING:
    from gridplan.params import Params
    from gridplan.patrol.desk import Patrol, PatrolRequest
    from gridplan.plan import Plan

_GIVEN = ("teams", "stations", "stops", "streets", "calendar", "zones")
_PANEL = "Inputs"
_CHANGE = "Change in the shift"
_SHOWN = 12


def _file(option: str, text: str) -> Any:
    return typer.Option(option, metavar="FILE", rich_help_panel=_PANEL, help=text)


def patrol(screen: Screen, plan: Annotated[Path, typer.Argument(metavar="PLAN.gpkg")],
           teams: Annotated[Path | None, _file("--teams", "Teams: shift, mode, station.")] = None,
           stations: Annotated[Path | None, _file("--stations", "Where teams set out.")] = None,
           stops: Annotated[Path | None, _file("--stops", "Places to be visited.")] = None,
           streets: Annotated[Path | None, _file("--streets", "Streets to be passed.")] = None,
           calendar: Annotated[Path | None, _file("--calendar", "Days, duty, crews.")] = None,
           zones: Annotated[Path | None, _file("--zones", "Zones of teams.")] = None,
           points: Annotated[list[str] | None, typer.Option(
               metavar="KIND=FILE", rich_help_panel=_PANEL,
               help="Fixed posts or lights that watch a street; repeatable.")] = None,
           cover: Annotated[Literal["both", "streets", "stops"], typer.Option(
               help="What is patrolled.")] = "both",
           duty: Annotated[str, typer.Option(
               metavar="LEVEL", help="Duty level of every day, as in gridplan.toml.")] = "",
           days: Annotated[int, typer.Option(
               min=1, max=14, help="How many days are planned.")] = 1,
           vary: Annotated[bool, typer.Option(
               "--vary", help="Another way every day, so that nobody can wait for it.")] = False,
           without: Annotated[list[str] | None, typer.Option(
               metavar="TEAM", rich_help_panel=_CHANGE,
               help="A team that drops out; the others take what it has not done; repeatable.")
           ] = None,
           from_time: Annotated[str, typer.Option(
               "--from", metavar="HH:MM", rich_help_panel=_CHANGE, help="When it drops out.")
           ] = "",
           day: Annotated[str, typer.Option(
               metavar="DAY", rich_help_panel=_CHANGE,
               help="On which day; the first one without.")] = "",
           how_many: Annotated[str, typer.Option(
               "--how-many", metavar="visibility=0.9|revisit=60",
               help="How many teams that needs; nothing is planned or written.")] = "") -> None:
    """Plan patrols: who passes which streets and visits which places, when, on which way."""
    from gridplan import cli
    from gridplan.patrol.desk import PatrolRequest
    from gridplan.pipeline import patrol_plan

    options, findings = screen.options, screen.findings
    wish = read_wish(how_many)
    check_words(without, from_time, day, how_many)
    files = {"teams": teams, "stations": stations, "stops": stops, "streets": streets,
             "calendar": calendar, "zones": zones}
    watch = split_pairs("--points", points or ())
    target = cli.check_plan_target(screen, options.output or plan,
                                   [*(f for f in files.values() if f), *watch.values()])
    cli.tell_compiling(screen)
    if without:
        change(screen, plan, target, without, from_time, day)
        return
    with screen.working({"read": 0.1, "patrol": 0.8, "plan": 0.1}) as progress:
        progress("read", 0.0)
        held = read_held(screen, plan)
        params = take_params(screen, held)
        check_duty(params, duty)
        given = read_given(screen, held, files, watch)
        progress("patrol", 0.0)
        request = PatrolRequest(cover, days, vary, duty)
        if wish:
            tell_need(screen, held, request, params, given, wish)
            return
        done, planned = patrol_plan(held, request, params, findings, given=given,
                                    lang=options.language)
        progress("plan", 0.0)
        if not options.dry_run:
            write_held(screen, done, target)
    tell_patrol(screen, done, planned)
    cli.tell_written(screen)


def read_wish(text: str) -> dict[str, float]:
    """Return what ``--how-many`` asks for.

    >>> read_wish("visibility=0.9"), read_wish("")
    ({'visibility': 0.9}, {})
    """
    if not text:
        return {}
    name, _, value = text.partition("=")
    try:
        wish = float(value)
    except ValueError:
        wish = -1.0
    if name == "visibility" and 0 < wish <= 1:
        return {"visibility": wish}
    if name == "revisit" and 1 <= wish <= 24 * 60:
        return {"revisit_min": wish}
    raise UsageError(Finding("patrol.bad_wish", field="--how-many", values={"value": text}))


def check_words(without: list[str] | None, from_time: str, day: str, how_many: str) -> None:
    """Refuse options that miss or contradict each other."""
    faults = []
    if without and not from_time:
        faults.append(Finding("cli.missing", field="--from"))
    if (from_time or day) and not without:
        faults.append(Finding("cli.missing", field="--without"))
    if without and how_many:
        faults.append(Finding("patrol.two_things", field="--how-many"))
    if faults:
        raise UsageError(*faults)


def change(screen: Screen, plan: Path, target: Path, without: list[str], from_time: str,
           day: str) -> None:
    """Plan the rest of a shift anew without some teams, and tell what that costs."""
    from gridplan import cli
    from gridplan.pipeline import change_plan

    with screen.working({"read": 0.1, "patrol": 0.8, "plan": 0.1}) as progress:
        progress("read", 0.0)
        held = read_held(screen, plan)
        params = take_params(screen, held)
        progress("patrol", 0.0)
        done, changed = change_plan(held, params, screen.findings, without=without,
                                    at=from_time, day=day)
        progress("plan", 0.0)
        if not screen.options.dry_run:
            write_held(screen, done, target)
    names = ("street_visibility", "pass_share", "visit_share", "response_share_5")
    before, after = ({n: p.figure(n, "all") for n in names} for p in (held, done))
    screen.result |= {"exceptions": changed.lost, "change": {
        "day": changed.day, "moved": changed.moved, "lost": changed.lost,
        "before": before, "after": after, "unmet": list_unmet(done)}}
    screen.tell_findings()
    screen.tell(_say(screen, "changed", day=changed.day, teams=", ".join(without),
                     moved=changed.moved, lost=changed.lost))
    screen.table([_say(screen, f"head.{c}") for c in ("figure", "before", "after")], [
        (_say(screen, f"figure.{n}"), percent(before[n]), percent(after[n])) for n in names])
    cli.tell_written(screen)


def tell_need(screen: Screen, plan: Plan, request: PatrolRequest, params: Params,
              given: Mapping[str, Any], wish: Mapping[str, float]) -> None:
    """Show how many teams are needed, what is proven of it, and the curve."""
    from gridplan.pipeline import need_plan

    needs = need_plan(plan, request, params, screen.findings, given=given,
                      lang=screen.options.language, **wish)
    screen.result |= {"exceptions": 0, "need": [
        {"tier": n.tier, "zone_id": n.zone_id, "shift": n.shift, "teams": n.teams,
         "bound": n.bound, "curve": [{"teams": k, "visibility": s, "longest_min": m}
                                     for k, s, m in n.curve]} for n in needs]}
    screen.tell_findings()
    screen.table([_say(screen, f"head.{c}") for c in (
        "tier", "zone", "shift", "needed", "at_least", "curve")], [
        (_say(screen, f"tier.{n.tier}"), n.zone_id or "–", n.shift,
         "–" if n.teams is None else n.teams, "–" if n.bound is None else n.bound,
         ", ".join(f"{k}: {percent(s)}" for k, s, _ in n.curve[-_SHOWN:])) for n in needs])
    for n in needs:
        if n.bound is None:
            screen.tell(_say(screen, "too_far", zone=n.zone_id or "–", shift=n.shift))


def patrol_demo(screen: Screen, plan: Plan, params: Params) -> tuple[Plan, Patrol]:
    """Plan a week of patrols in the town, another way every day."""
    from gridplan.patrol.desk import PatrolRequest
    from gridplan.pipeline import patrol_plan

    return patrol_plan(plan, PatrolRequest(days=7, vary=True), params, screen.findings,
                       lang=screen.options.language, command="gridplan demo")


def take_params(screen: Screen, plan: Plan) -> Params:
    """Return the parameters: without ``--config`` those of the plan."""
    from gridplan.params import recall_patrol

    params = make_params(screen.options)
    if screen.options.config is not None:
        return params
    return recall_patrol(plan.run.get("parameters", ""), params,
                         plan.origin.name if plan.origin else "")


def check_duty(params: Params, duty: str) -> None:
    """Refuse a duty level that the parameters do not know."""
    if duty and duty not in params.patrol.duty:
        raise UsageError(Finding("patrol.unknown_level", field="--duty", values={
            "value": duty, "known": ", ".join(params.patrol.duty)}))


def read_given(screen: Screen, plan: Plan, files: Mapping[str, Path | None],
               watch: Mapping[str, str]) -> dict[str, Any]:
    """Read what a dispatcher gives."""
    from gridplan.read import read_patrol

    options = screen.options
    named = {name: path for name, path in files.items() if path is not None}
    if not named and not watch:
        return {}
    picked: dict[str, Any] = {name: by_role(f"--{name}", getattr(options, name), _GIVEN)
                              for name in ("layer", "crs", "datum")}
    found = read_patrol(named, plan, screen.findings, points=watch or None,
                        columns=split_pairs("--column", options.column),
                        allow_remote=options.allow_remote, drop_null=options.drop_null,
                        drop_columns=options.drop_columns, stop=False, **picked)
    if "points" in found:
        points = found["points"]
        found["watch"] = {str(kind): rows for kind, rows in points.groupby("kind", sort=True)}
    return found


def tell_patrol(screen: Screen, plan: Plan, planned: Patrol) -> None:
    """Show what was planned, how close it is to the best, and what is not met."""
    screen.result |= describe_patrol(plan, planned)
    screen.tell_findings()
    screen.tell_tally()
    screen.tell()
    told = screen.result["patrol"]
    head = ("tier", "zone", "teams", "routes", "km", "longest", "bound", "gap")
    screen.table([_say(screen, f"head.{c}") for c in head], [
        (_say(screen, f"tier.{row['tier']}"), row["zone"] or "–", row["teams"], row["routes"],
         f"{row['km']:,.1f}", _minutes(row["longest_min"]), _minutes(row["bound_min"]),
         percent(row["gap"])) for row in told["zones"]])
    screen.tell()
    tell_week(screen, planned)


def tell_week(screen: Screen, planned: Patrol) -> None:
    """Say in a few lines how good a patrol is, and what is not met."""
    told = screen.result["patrol"]
    screen.tell(_say(screen, "visibility", share=percent(told["street_visibility"])))
    screen.tell(_say(screen, "response", five=percent(told["response_share_5"]),
                     fifteen=percent(told["response_share_15"])))
    if planned.request.vary:
        screen.tell(_say(screen, "varied", bits=f"{told['entropy_bits'] or 0:.2f}",
                         most=f"{told['entropy_most'] or 0:.2f}",
                         price=percent(told["vary_price"])))
    for row in told["unmet"][:_SHOWN]:
        screen.tell(_say(screen, "unmet", what=row["what"], count=row["visits"],
                         reason=_say(screen, f"reason.{row['reason']}"), days=row["days"]))
    if len(told["unmet"]) > _SHOWN:
        screen.tell(_say(screen, "more_unmet", count=len(told["unmet"]) - _SHOWN))


def describe_patrol(plan: Plan, planned: Patrol) -> dict[str, Any]:
    """Return what came of it, as plain values."""
    unmet = plan.layer("unmet")
    return {"exceptions": int(unmet["visits"].sum()) if len(unmet) else 0, "patrol": {
        "days": [d.name for d in planned.days], "routes": len(plan.layer("routes")),
        "visits": len(plan.layer("visits")), "km": round(planned.km, 3),
        **{name: plan.figure(name, "all") for name in (
            "street_visibility", "pass_share", "visit_share", "response_share_5",
            "response_share_15", "entropy_bits", "entropy_most", "vary_price", "patrol_gap")},
        "zones": list_zones(plan), "unmet": list_unmet(plan)}}


def list_zones(plan: Plan) -> list[dict[str, Any]]:
    """Return every zone with its routes: the shift with the longest of them, and its bound."""
    routes, teams = plan.layer("routes"), plan.layer("teams")
    about = routes.drop(columns="geometry").merge(teams[["team_id", "tier", "zone_id"]],
                                                  on="team_id", how="left")
    names = dict(zip(plan.layer("zones")["zone_id"].astype(str),
                     plan.layer("zones")["name"].fillna("").astype(str), strict=True))
    out = []
    for (tier, zone), rows in about.fillna({"zone_id": ""}).groupby(["tier", "zone_id"], sort=True):
        worst = rows.loc[rows["gap"].astype(float).idxmax()] if rows["gap"].notna().any() else (
            rows.iloc[0])
        out.append({"tier": str(tier), "zone": names.get(str(zone), str(zone)),
                    "teams": int(rows["team_id"].nunique()), "routes": len(rows),
                    "km": float(rows["distance_m"].sum()) / 1000,
                    "longest_min": float(rows["duration_min"].max()),
                    "bound_min": float(worst["bound_min"]),
                    "gap": None if rows["gap"].isna().all() else float(rows["gap"].max())})
    return out


def list_unmet(plan: Plan) -> list[dict[str, Any]]:
    """Return what is not met, the most first: things that lack the same are one row."""
    held: dict[tuple[str, str], dict[str, Any]] = {}
    stops = dict(zip(plan.layer("stops")["stop_id"].astype(str),
                     plan.layer("stops")["name"].fillna("").astype(str), strict=True))
    for row in plan.layer("unmet").fillna("").itertuples():
        key = str(row.stop_id or row.required_id)
        one = held.setdefault((key, str(row.reason)), {
            "id": key, "what": " ".join(filter(None, (key, stops.get(key, "")))),
            "reason": str(row.reason), "visits": 0, "on": []})
        one["visits"] += int(row.visits)
        one["on"] += [str(row.day)] if str(row.day) not in one["on"] else []
    rows = sorted(held.values(), key=lambda r: (-r["visits"], r["id"]))
    return [{**{k: v for k, v in r.items() if k != "on"}, "days": first_ids(r["on"], 3)}
            for r in rows]


def _minutes(value: float) -> str:
    return f"{value:,.0f} min"


def _say(screen: Screen, name: str, **values: object) -> str:
    from gridplan.i18n import translate

    return translate(f"patrol.{name}", screen.options.language, **values)
