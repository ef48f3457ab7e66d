"""Locked grids of the plan that a new one replaces: read before the work, told after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gridplan.cli.console import Screen
from gridplan.errors import InputError, first_ids

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from gridplan.plan import Plan


def read_locked(screen: Screen, target: Path | None, crs: Any) -> GeoDataFrame | None:
    """Return the locked grids of the plan at the target in ``crs``; None where there are none.

    A plan that cannot be read keeps no grid locked, and a warning says so.
    """
    if target is None or not target.is_file() or not target.stat().st_size:
        return None
    from gridplan.plan import read_plan

    try:
        grids = read_plan(target).layer("grids")
    except InputError as error:
        screen.findings.add("cli.locks_unread", "warning", file=target.name, layer="grids",
                            field="locked", error=error.findings[0].what(screen.options.language))
        return None
    locked = grids[grids["locked"].fillna(False).to_numpy(dtype=bool)].reset_index(drop=True)
    return locked.to_crs(crs) if len(locked) else None


def tell_locked(screen: Screen, plan: Plan) -> None:
    """Say which grids were kept as they are."""
    grids = plan.layer("grids")
    kept = grids["grid_id"][grids["locked"].fillna(False).to_numpy(dtype=bool)].tolist()
    screen.result["locked"] = kept
    if kept:
        screen.tell(screen.say("locked", count=len(kept), ids=first_ids(kept)))
