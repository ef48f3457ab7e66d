"""The verb ``site``: where the next facilities should stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gridplan.cli.circle import choose, read_heights, take_params
from gridplan.cli.console import Screen
from gridplan.cli.held import read_held, write_held
from gridplan.cli.options import split_pairs
from gridplan.errors import Finding, InputError, UsageError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from gridplan.params import Params
    from gridplan.plan import Plan
    from gridplan.siting import Chosen, SiteRequest

_EVERYWHERE_M = 1e7


def site(screen: Screen, plan: Annotated[Path, typer.Argument(metavar="PLAN.gpkg")],
         category: Annotated[str, typer.Option(
             metavar="NAME", help="Of which category, as in the table of categories.")],
         new: Annotated[int | None, typer.Option(
             min=0, help="So many that cover the most households.")] = None,
         cover: Annotated[float | None, typer.Option(
             metavar="SHARE", help="The fewest that cover this share of the households.")] = None,
         mean: Annotated[int | None, typer.Option(
             min=1, help="So many with the shortest mean way.")] = None,
         per: Annotated[Literal["community", "subdistrict"] | None, typer.Option(
             help="At most one in each, and none where one exists; --new 0 for all of them.")
             ] = None,
         candidates: Annotated[Path | None, typer.Option(
             metavar="FILE", rich_help_panel="Inputs",
             help="Points where they may stand; else points along the streets.")] = None,
         forbidden: Annotated[Path | None, typer.Option(
             metavar="FILE", rich_help_panel="Inputs",
             help="Areas where proposed points must not lie.")] = None,
         elevation: Annotated[Path | None, typer.Option(
             metavar="FILE.tif", rich_help_panel="Inputs",
             help="The heights that the circle was measured with.")] = None,
         capacity: Annotated[int | None, typer.Option(
             min=1, help="Households that a new one can serve.")] = None,
         priority: Annotated[float | None, typer.Option(
             min=1.0, help="How many times households of the worst served tenth count.")] = None,
         limit: Annotated[float | None, typer.Option(
             min=1.0, metavar="METRES", help="Another limit than that of the table.")] = None
         ) -> None:
    """Choose sites for new facilities, and prove how good they are."""
    from gridplan import cli
    from gridplan.pipeline import site_plan

    options, findings = screen.options, screen.findings
    asked = check_request(new, cover, mean)
    target = cli.check_plan_target(screen, options.output or plan,
                                   [candidates, forbidden, elevation])
    cli.tell_compiling(screen)
    with screen.working({"read": 0.2, "site": 0.7, "plan": 0.1}) as progress:
        progress("read", 0.0)
        held = read_held(screen, plan)
        params = take_weight(take_params(screen, held, None, None), priority)
        request = make_request(screen, held, category, asked, {
            "limit_m": limit, "capacity": capacity, "per": per or "",
            "file": candidates.name if candidates else "",
            "candidates": read_candidates(screen, held, candidates, category),
            "forbidden": read_forbidden(screen, forbidden)})
        heights = read_heights(screen, elevation)
        progress("site", 0.0)
        done, chosen = site_plan(held, request, params, findings, elevation=heights)
        progress("plan", 0.0)
        if not options.dry_run:
            write_held(screen, done, target)
    tell_sites(screen, chosen)
    cli.tell_written(screen)


def check_request(new: int | None, cover: float | None, mean: int | None) -> dict[str, Any]:
    """Return what is asked: exactly one of so many, a share, a mean way."""
    given = {"--new": new, "--cover": cover, "--mean": mean}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise UsageError(Finding("siting.one_aim", field=" ".join(named or given)))
    if cover is not None:
        return {"kind": "cover", "cover": cover}
    return {"kind": "mean" if mean is not None else "new",
            "new": mean if new is None else new}


def make_request(screen: Screen, plan: Plan, category: str, asked: dict[str, Any],
                 more: dict[str, Any]) -> SiteRequest:
    """Make the request; what does not fit is named by its option."""
    from gridplan.siting import SiteRequest

    try:
        return SiteRequest(category, **asked, **more)
    except UsageError as error:
        names = {"limit_m": "--limit"}
        raise UsageError(*(replace(f, field=names.get(f.field, f"--{f.field}"))
                           for f in error.findings)) from error


def take_weight(params: Params, priority: float | None) -> Params:
    """Return the parameters with how much the worst served count."""
    if priority is None:
        return params
    try:
        return replace(params, site=replace(params.site, priority=priority))
    except InputError as error:
        raise UsageError(*(replace(f, layer="", field="--priority")
                           for f in error.findings)) from error


def read_candidates(screen: Screen, plan: Plan, path: Path | None, category: str
                    ) -> GeoDataFrame | None:
    """Read points where facilities may stand, wherever they lie: siting judges them."""
    if path is None:
        return None
    import shapely

    from gridplan.read import read_facilities

    options = screen.options
    outline = shapely.union_all(plan.layer("communities").geometry.to_numpy()) if len(
        plan.layer("communities")) else shapely.box(*plan.layer("demand").total_bounds)
    found = read_facilities(
        {category: path}, plan.crs, outline, screen.findings, margin_m=_EVERYWHERE_M,
        drop_null=options.drop_null, columns=split_pairs("--column", options.column),
        allow_remote=options.allow_remote, drop_columns=options.drop_columns,
        **{name: choose(getattr(options, key), "candidates", f"--{key}", ("candidates",))
           for name, key in (("layer", "layer"), ("datum", "datum"), ("file_crs", "crs"))})
    return found.frame


def read_forbidden(screen: Screen, path: Path | None) -> GeoDataFrame | None:
    """Read areas where nothing may stand."""
    if path is None:
        return None
    import shapely

    from gridplan.read import read_layers

    frames, _ = read_layers({"specials": path}, findings=screen.findings,
                            allow_remote=screen.options.allow_remote)
    held = frames["specials"]
    if held.crs is None:
        raise InputError(Finding("read.no_crs", file=path.name, layer="forbidden"))
    return held.set_geometry(shapely.make_valid(held.geometry.to_numpy()), crs=held.crs)


def tell_sites(screen: Screen, chosen: Chosen) -> None:
    """Show the sites in their order, and how good they are."""
    rows = chosen.sites
    screen.result |= {"exceptions": 0, "site": {
        "category": chosen.category, "value": chosen.value, "bound": chosen.bound,
        "gap": chosen.gap, "gained": chosen.gained, "candidates": chosen.candidates,
        "proven": chosen.solution.proven, "words": chosen.words(screen.options.language),
        "sites": [{"site_id": str(i), "gained_households": int(g), "x": p.x, "y": p.y}
                  for i, g, p in zip(rows["site_id"], rows["gained_households"], rows.geometry,
                                     strict=True)]}}
    screen.tell_findings()
    screen.tell_tally()
    screen.tell()
    screen.table([_say(screen, f"head.{c}") for c in ("site", "gained")],
                 [(str(i), f"{int(g):,}") for i, g in zip(
                     rows["site_id"], rows["gained_households"], strict=True)][:20])
    screen.tell()
    screen.tell(chosen.words(screen.options.language))


def _say(screen: Screen, name: str, **values: object) -> str:
    from gridplan.i18n import translate

    return translate(f"siting.{name}", screen.options.language, **values)
