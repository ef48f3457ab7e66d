"""A plan that a verb reads, adds to and writes back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gridplan.cli.console import Screen
from gridplan.errors import Finding, UsageError

if TYPE_CHECKING:
    from gridplan.plan import Plan


def read_held(screen: Screen, path: Path) -> Plan:
    """Read a plan; what is noticed while reading goes to the screen."""
    from gridplan.plan import read_plan

    held = read_plan(path)
    screen.findings.items += held.findings.items
    return held


def read_shown(screen: Screen, path: Path) -> Plan:
    """Read a plan that is to be shown, and warn of what of it is out of date."""
    from gridplan.plan.circle import tell_stale_circle
    from gridplan.plan.patrol import tell_stale_patrol
    from gridplan.plan.people import tell_stale_people

    held = read_held(screen, path)
    tell_stale_people(held, screen.findings)
    tell_stale_circle(held, screen.findings)
    tell_stale_patrol(held, screen.findings)
    return held


def write_held(screen: Screen, plan: Plan, target: Path) -> None:
    """Write the plan, sparing another plan that somebody edited."""
    from gridplan import cli
    from gridplan.plan import write_plan
    from gridplan.plan.store import is_edited

    options, same = screen.options, False
    if plan.origin is not None and target.exists():
        same = plan.origin.samefile(target)
        if not (same or options.force) and is_edited(target):
            raise UsageError(Finding("cli.exists", file=target.name))
    cli.note_written(screen, write_plan(plan, target, no_copy=options.no_copy,
                                        lang=options.language, force=options.force))
