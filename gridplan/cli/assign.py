"""The verb ``assign``: give every grid and community its people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridplan.cli.console import Screen
from gridplan.cli.held import read_held, write_held
from gridplan.cli.options import make_params, split_pairs
from gridplan.errors import Finding, RequestError, UsageError, first_ids

if TYPE_CHECKING:
    from gridplan.assign import Assigned
    from gridplan.layers import Roster
    from gridplan.params import Params
    from gridplan.plan import Plan
    from gridplan.town import Town

DEMO_ROSTER = "demo_roster.xlsx"
_SHOWN = 8


def assign(screen: Screen, plan: Annotated[Path, typer.Argument(metavar="PLAN.gpkg")],
           roster: Annotated[Path | None, typer.Option(
               "--roster", metavar="FILE", help="Who there is: a workbook or CSV; gridplan init "
               "writes one to fill in.")] = None,
           absent: Annotated[list[str] | None, typer.Option(
               "--absent", metavar="ID", help="Assign without this person; repeatable.")] = None,
           before: Annotated[Path | None, typer.Option(
               "--before", metavar="OLD.gpkg", help="Keep people where another plan has them, an "
               "earlier one whose grids were since cut or merged anew.")] = None,
           afresh: Annotated[bool, typer.Option(
               "--afresh", help="Go by the current grids of the roster, not by what the plan "
               "assigned before.")] = False) -> None:
    """Give every grid and community its people: as many posts filled as can be, few changes."""
    from gridplan import cli
    from gridplan.pipeline import assign_plan
    from gridplan.plan import read_plan

    options, findings = screen.options, screen.findings
    if roster is None:
        raise UsageError(Finding("cli.missing", field="--roster"))
    if before and afresh:
        raise UsageError(Finding("assign.before_or_afresh", field="--afresh"))
    target = cli.check_plan_target(screen, options.output or plan, [roster, before])
    with screen.working({"read": 0.3, "assign": 0.5, "plan": 0.2}) as progress:
        progress("read", 0.0)
        held = read_held(screen, plan)
        earlier = read_plan(before) if before else None
        if earlier is not None:
            earlier.require("staff", "assignments")
        people = read_people(screen, roster)
        progress("assign", 0.0)
        done, assigned = assign_plan(held, people, recall_params(screen, held), findings,
                                     absent=absent or (), before=earlier, afresh=afresh)
        refuse_vacancies(screen, assigned)
        progress("plan", 0.0)
        if not options.dry_run:
            write_held(screen, done, target)
    tell_assigned(screen, assigned, done)
    cli.tell_written(screen)
    screen.tell(screen.say("exceptions", count=screen.result["exceptions"]))


def assign_demo(screen: Screen, town: Town, plan: Plan, params: Params) -> tuple[Plan, Assigned]:
    """Assign the people of the town."""
    import tempfile

    from gridplan.pipeline import assign_plan
    from gridplan.roster import read_roster
    from gridplan.town import write_roster

    with tempfile.TemporaryDirectory() as folder:
        path = write_roster(town, Path(folder) / DEMO_ROSTER)
        roster = read_roster(path, screen.findings)
    return assign_plan(plan, roster, params, screen.findings, command="gridplan demo")


def read_people(screen: Screen, path: Path) -> Roster:
    """Read the roster; its faults are told when it is held to the plan."""
    from gridplan.roster import read_roster

    options = screen.options
    columns = {key.removeprefix("roster."): value
               for key, value in split_pairs("--column", options.column).items()}
    if len(options.layer) > 1:
        raise UsageError(Finding("cli.several_plain", field="--layer",
                                 values={"value": ", ".join(options.layer)}))
    sheet = options.layer[0].removeprefix("roster=") if options.layer else None
    # Faults of cells are told together with what contradicts the plan.
    return read_roster(path, screen.findings, columns=columns, sheet=sheet, stop=False)


def recall_params(screen: Screen, plan: Plan) -> Params:
    """Return the parameters: without ``--config`` those of assigning that the plan was made with.

    So a second run, when somebody is absent, goes by the rules of the first.
    """
    from gridplan.params import recall_assign

    options, params = screen.options, make_params(screen.options)
    if options.config is None:
        file = plan.origin.name if plan.origin else ""
        params = replace(params, assign=recall_assign(plan.run.get("parameters", ""), file))
        said = plan.run.get("assign:seed", plan.run.get("seed", ""))
        if options.seed is None and said.isdigit():
            params = replace(params, seed=int(said))
    return params


def refuse_vacancies(screen: Screen, assigned: Assigned) -> None:
    """With ``--strict``, stop before anything is written if a post stays vacant.

    Raises
    ------
    RequestError
        One fault for each role and community that lacks people.
    """
    if screen.options.strict and assigned.vacant:
        short = assigned.shortage[assigned.shortage["missing"] > 0]
        raise RequestError(*(Finding(
            "assign.strict", layer="assignments", row=str(row.community_id), field="role",
            count=int(row.missing), values={"role": name_role(screen, str(row.role))})
            for row in short.itertuples()))


def tell_assigned(screen: Screen, assigned: Assigned, plan: Plan) -> None:
    """Show who is missing where, what changed, and how well the aims were met."""
    screen.result |= describe_assigned(assigned, plan)
    screen.tell_findings()
    screen.tell_tally()
    screen.tell()
    short = assigned.shortage[(assigned.shortage["missing"] > 0).to_numpy(dtype=bool)]
    short = short.sort_values("missing", ascending=False, kind="stable")
    _tell_table(screen, "missing", ("community_id", "role", "needed", "filled", "missing",
                                    "lenders"),
                [(row.community_id, name_role(screen, str(row.role)), int(row.needed),
                  int(row.filled), int(row.missing), row.lenders) for row in short.itertuples()])
    _tell_table(screen, "changed", ("place", "role", "before", "after"),
                [(row.place, name_role(screen, str(row.role)), row.before, row.after)
                 for row in assigned.changes.itertuples()])
    tell_summary(screen, assigned, plan)


def tell_summary(screen: Screen, assigned: Assigned, plan: Plan) -> None:
    """Say in a few lines what came of it."""
    told = describe_assigned(assigned, plan)
    figure = told["figures"]
    screen.tell(_say(screen, "posts", needed=f"{told['posts']:,}", filled=f"{told['filled']:,}",
                     vacant=f"{told['vacant']:,}", proof=_proof(screen, told, "vacant")))
    screen.tell(_say(screen, "kept", held=f"{told['held']:,}", kept=f"{told['kept']:,}",
                     changed=f"{told['changed']:,}", proof=_proof(screen, told, "continuity")))
    screen.tell(_say(screen, "load", most=_number(figure.get("load_max")),
                     mean=_number(figure.get("load_mean")),
                     ratio=_ratio(figure.get("load_max_to_mean")),
                     proof=_proof(screen, told, "balance")))
    screen.tell(_say(screen, "cover", **{
        name: _percent(figure.get(f"{name}_with_{what}")) for name, what in (
            ("communities", "grids"), ("grids", "responsible"), ("households", "responsible"))}))
    if assigned.vacant:
        by_role = assigned.shortage.groupby("role")["missing"].sum()
        screen.tell(_say(screen, "by_role", roles=" · ".join(
            f"{name_role(screen, str(role))} {count:,}" for role, count in by_role.items()
            if count)))
    grids = [str(v["place"]) for v in told["vacancies"] if v["role"] == "responsible"]
    if grids:
        screen.tell(_say(screen, "vacancies", names=first_ids(grids, _SHOWN)))


def describe_assigned(assigned: Assigned, plan: Plan) -> dict[str, Any]:
    """Return what came of assigning people, as plain values."""
    table = plan.layer("figures")
    city = table[((table["scope"] == "city") & (table["scope_id"] == "all")).to_numpy(dtype=bool)]
    ours = set(assigned.figures["name"])
    figures = {str(name): None if value is None or value != value else float(value)
               for name, value in zip(city["name"], city["value"].to_numpy(
                   dtype=float, na_value=float("nan")), strict=True) if name in ours}
    held, kept = len(assigned.holding.table), int(assigned.assignments["kept"].sum())
    return {
        "posts": int(assigned.shortage["needed"].sum()),
        "filled": int(assigned.shortage["filled"].sum()), "vacant": assigned.vacant,
        "exceptions": assigned.vacant, "held": held, "kept": kept, "changed": held - kept,
        "held_by": assigned.holding.source, "proof": assigned.proof, "figures": figures,
        "shortage": assigned.shortage.to_dict("records"),
        "vacancies": assigned.vacancies.to_dict("records"),
        "changes": assigned.changes.to_dict("records")}


def name_role(screen: Screen, role: str) -> str:
    """Return what a role is called."""
    return _say(screen, f"role.{role}")


def _tell_table(screen: Screen, title: str, columns: tuple[str, ...],
                rows: list[tuple[object, ...]]) -> None:
    if not rows:
        return
    screen.tell(_say(screen, title))
    screen.table([_say(screen, f"head.{c}") for c in columns], rows[:_SHOWN])
    if len(rows) > _SHOWN:
        screen.tell(screen.say("more", count=len(rows) - _SHOWN))
    screen.tell()


def _proof(screen: Screen, told: dict[str, Any], aim: str) -> str:
    """Say how good a value is: proven, or what it could be at best."""
    found = told["proof"].get(aim)
    if found is None:
        return _say(screen, "not_an_aim")
    if found["gap"] == 0:
        return _say(screen, "proven" if found["rounds"] == 1 else "proven_rounds")
    if found["bound"] is None:
        return _say(screen, "unknown")
    return _say(screen, "open", bound=_number(found["bound"]))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _say(screen: Screen, name: str, **values: object) -> str:
    from gridplan.i18n import translate

    return translate(f"assign.{name}", screen.options.language, **values)
