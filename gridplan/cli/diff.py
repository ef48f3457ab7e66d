"""The verb ``diff``: what changed between two plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridplan.cli.console import Screen
from gridplan.errors import Finding, UsageError

if TYPE_CHECKING:
    from pandas import DataFrame

    from gridplan.diff import Difference
    from gridplan.plan import Plan

_SHOWN = 4
# Scopes of figures in the order they are shown; those of single grids are not.
_SCOPES = ("city", "subdistrict", "community")


def diff(screen: Screen,
         old: Annotated[Path, typer.Argument(metavar="OLD.gpkg")],
         new: Annotated[Path, typer.Argument(metavar="NEW.gpkg")]) -> None:
    """Say what changed between two plans; with -o FILE.xlsx also as a workbook."""
    from gridplan import cli
    from gridplan.diff import compare_plans, is_difference, write_difference

    options = screen.options
    if old.exists() and new.exists() and old.samefile(new):
        raise UsageError(Finding("diff.same_file", file=new.name))
    target = options.output
    if target is not None:
        if target.suffix.lower() != ".xlsx":
            raise UsageError(Finding("diff.not_xlsx", file=target.name, field="-o"))
        cli.check_target(screen, target, is_difference, [old, new])
    with screen.working({"read": 0.8, "diff": 0.2}) as progress:
        progress("read", 0.0)
        plans = read_both(screen, old, new)
        progress("diff", 0.0)
        difference = compare_plans(*plans)
        if target is not None and not options.dry_run:
            cli.note_written(screen, write_difference(
                difference, target, (old.name, new.name), options.language,
                no_copy=options.no_copy))
    tell_difference(screen, difference)
    cli.tell_written(screen)


def read_both(screen: Screen, old: Path, new: Path) -> tuple[Plan, Plan]:
    """Read both plans; what is wrong with either is told at once.

    Raises
    ------
    InputError
        One of them is absent, damaged or no plan.
    """
    from gridplan.errors import InputError
    from gridplan.plan import read_plan

    plans: list[Plan] = []
    faults: list[Finding] = []
    for path in (old, new):
        try:
            plan = read_plan(path)
            plan.require("communities")
            plans.append(plan)
            screen.findings.items += plan.findings.items
        except InputError as error:
            faults += error.findings
    if faults:
        raise InputError(*faults)
    return plans[0], plans[1]


def tell_difference(screen: Screen, difference: Difference) -> None:
    """Show a difference on one screen; the JSON object has all of it."""
    retention = {name: {"kept": r.kept, "whole": r.whole, "share": r.share}
                 for name, r in difference.retention.items()}
    posts = difference.posts
    screen.result |= {
        "changed": not difference.is_empty, "retention": retention,
        "communities": _records(difference.communities), "grids": _records(difference.grids),
        "assignments": {"before": posts.before, "after": posts.after, "kept": posts.kept,
                        "posts": _records(posts.table)},
        "people": _records(difference.people), "figures": _records(difference.figures)}
    screen.tell_findings()
    if difference.is_empty:
        screen.tell(_say(screen, "nothing"))
    _tell_retention(screen, difference)
    _show(screen, difference.communities, ("community_id", "change", "before", "after"))
    _show(screen, _outline_grids(screen, difference.grids),
          ("grid_id", "change", "households", "units", "other"))
    _show(screen, posts.table, ("place", "role", "before", "after"))
    _show(screen, difference.people, ("staff_id", "change", "before", "after"))
    _show(screen, _pick_figures(difference.figures),
          ("figure", "scope_id", "before", "after", "target"))


def _tell_retention(screen: Screen, difference: Difference) -> None:
    told = {name: "–" if r.share is None else f"{100 * r.share:.1f} %"
            for name, r in difference.retention.items()}
    screen.tell(_say(screen, "retained", **told))
    changes = {name: {c: int((table["change"] == c).sum()) for c in words}
               for name, table, words in (
                   ("communities", difference.communities, ("new", "gone", "renamed")),
                   ("grids", difference.grids, ("new", "gone", "changed")),
                   ("people", difference.people, ("came", "left", "moved")))}
    for name, counts in changes.items():
        if name != "people" or difference.posts.before or difference.posts.after:
            screen.tell(_say(screen, f"count.{name}", **counts))
    if difference.posts.before or difference.posts.after:
        posts = difference.posts
        screen.tell(_say(screen, "count.posts", kept=posts.kept, before=posts.before,
                         changed=len(posts.table)))


def _outline_grids(screen: Screen, grids: DataFrame) -> DataFrame:
    """Return what is shown of the grids: households and units before and after, then the rest.

    Grids that are new or gone come first.
    """
    from gridplan.diff.difference import GRID_COLUMNS

    rows: list[dict[str, str]] = []
    order = grids["change"].map({"new": 0, "gone": 1, "changed": 2})
    grids = grids.loc[order.sort_values(kind="stable").index]
    for row in grids.astype(object).where(grids.notna(), "–").to_dict("records"):
        other = [f"{_say(screen, f'column.{c}')}: {_word(screen, row[f'{c}_before'])} → "
                 f"{_word(screen, row[f'{c}_after'])}"
                 for c in GRID_COLUMNS if c != "households" and row["change"] == "changed"
                 and row[f"{c}_before"] != row[f"{c}_after"]]
        if row["heir"]:
            other.append(f"{_say(screen, 'column.heir')}: {row['heir']}")
        units = f"{row['units_before']} → {row['units_after']}"
        if row["change"] == "changed" and row["units_kept"] != row["units_before"]:
            units += f" ({_say(screen, 'units_kept', count=row['units_kept'])})"
        rows.append({
            "grid_id": row["grid_id"], "change": row["change"], "units": units,
            "households": f"{row['households_before']} → {row['households_after']}",
            "other": "; ".join(other)})
    return _frame(rows, ("grid_id", "change", "households", "units", "other"))


def _word(screen: Screen, value: object) -> str:
    return _say(screen, "yes" if value else "no") if isinstance(value, bool) else str(value)


def _pick_figures(figures: DataFrame) -> DataFrame:
    """Return the figures to show: with a target first, then of the city, subdistricts, others."""
    rows = figures[figures["scope"].isin(_SCOPES)].copy()
    rows["order"] = rows["scope"].map({s: k for k, s in enumerate(_SCOPES)})
    rows["figure"] = rows["name"]
    rows["open"] = rows["target"].isna()
    return rows.sort_values(["order", "open", "name", "scope_id"], kind="stable")


def _show(screen: Screen, table: DataFrame, columns: tuple[str, ...]) -> None:
    if not len(table):
        return
    head = [_say(screen, c if c in ("before", "after") else f"column.{c}") for c in columns]
    rows = [[_cell(screen, c, row[c]) for c in columns]
            for row in table.head(_SHOWN).to_dict("records")]
    screen.tell()
    screen.table(head, rows)
    if len(table) > _SHOWN:
        screen.tell(screen.say("more", count=len(table) - _SHOWN))


def _cell(screen: Screen, column: str, value: Any) -> str:
    if column in ("change", "role") and value:
        return _say(screen, f"{column}.{value}")
    if isinstance(value, float):
        return "–" if value != value else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return "–" if str(value) in ("<NA>", "nan", "None") else str(value)


def _records(table: DataFrame) -> list[dict[str, Any]]:
    """Return a table as plain rows; missing values are null."""
    whole = table.astype(object).where(table.notna(), None)
    rows: list[dict[str, Any]] = whole.to_dict("records")
    return rows


def _frame(rows: list[dict[str, str]], columns: tuple[str, ...]) -> DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns), dtype=object)


def _say(screen: Screen, name: str, **values: object) -> str:
    from gridplan.i18n import translate

    return translate(f"diff.{name}", screen.options.language, **values)
