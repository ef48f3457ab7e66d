"""The verb ``circle``: who reaches which facilities, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridplan.cli.console import Screen
from gridplan.cli.held import read_held, write_held
from gridplan.cli.options import by_role, make_params, split_pairs
from gridplan.errors import Finding, InputError, UsageError, first_ids

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from gridplan.categories import CategoryTable
    from gridplan.circle import Circle, Given
    from gridplan.network import Elevation
    from gridplan.params import Params
    from gridplan.plan import Plan
    from gridplan.siting import Chosen

_SHOWN, _WORST = 6, 3
_ROLES = ("demand", "facilities", "after")
_DEMAND = "Without a plan"


def circle(screen: Screen,
           plan: Annotated[Path | None, typer.Argument(metavar="[PLAN.gpkg]")] = None,
           facilities: Annotated[Path | None, typer.Option(
               metavar="FILE", rich_help_panel="Inputs",
               help="Facilities in the place of those the plan holds.")] = None,
           points: Annotated[list[str] | None, typer.Option(
               metavar="CATEGORY=FILE", rich_help_panel="Inputs",
               help="A layer of points that are all of one category; repeatable.")] = None,
           after: Annotated[Path | None, typer.Option(
               metavar="FILE", rich_help_panel="Inputs",
               help="Facilities that are planned, to compare with.")] = None,
           categories: Annotated[Path | None, typer.Option(
               metavar="FILE", rich_help_panel="Inputs",
               help="Your own table of categories, distances and sources.")] = None,
           elevation: Annotated[Path | None, typer.Option(
               metavar="FILE.tif", rich_help_panel="Inputs",
               help="Heights: those on foot slow down uphill.")] = None,
           profile: Annotated[str | None, typer.Option(
               metavar="NAME", help="Which rows of the table hold.")] = None,
           walker: Annotated[list[str] | None, typer.Option(
               metavar="NAME", help="adult, older, frail, bike, ebike or car; repeatable, figures "
               "are for the first.")] = None,
           demand: Annotated[Path | None, typer.Option(
               metavar="POINTS", rich_help_panel=_DEMAND,
               help="Points with households or population.")] = None,
           osm: Annotated[Path | None, typer.Option(
               metavar="FILE", rich_help_panel=_DEMAND, help="The extract with the roads.")] = None,
           count: Annotated[list[str] | None, typer.Option(
               metavar="COLUMN=CATEGORY", rich_help_panel=_DEMAND,
               help="Where a column of the points counts more than none, there is one; "
               "repeatable.")] = None) -> None:
    """Measure which households reach which facilities along the streets, and how far it is."""
    from gridplan import cli
    from gridplan.circle import read_categories
    from gridplan.pipeline import measure_plan

    options, findings = screen.options, screen.findings
    check_sources(screen, plan, demand, osm, count)
    layers = split_pairs("--points", points or ())
    columns = split_pairs("--count", count or ())
    target = options.output or plan
    inputs = [demand, osm, facilities, after, categories, elevation, *layers.values()]
    if target is not None:
        target = cli.check_plan_target(screen, target, inputs)
    cli.tell_compiling(screen)
    with screen.working({"read": 0.3, "circle": 0.6, "plan": 0.1}) as progress:
        progress("read", 0.0)
        table = read_categories(categories, findings)
        held = read_held(screen, plan) if plan else read_demand(
            screen, demand, osm, columns, table)  # type: ignore[arg-type]
        params = take_params(screen, held, profile, walker)
        heights = read_heights(screen, elevation)
        own = read_given(screen, held, {"": facilities, **layers}, "facilities")
        planned = read_given(screen, held, {"": after}, "after")
        progress("circle", 0.0)
        done, measured = measure_plan(held, params, findings, table=table, facilities=own,
                                      after=planned, elevation=heights)
        progress("plan", 0.0)
        if target and not options.dry_run:
            write_held(screen, done, target)
    tell_circle(screen, done, measured)
    cli.tell_written(screen)


def circle_demo(screen: Screen, plan: Plan, params: Params) -> tuple[Plan, Circle, Chosen]:
    """Measure the circle of the town, and choose sites for five more health stations."""
    from gridplan.pipeline import measure_plan, site_plan
    from gridplan.siting import SiteRequest

    plan, measured = measure_plan(plan, params, screen.findings, command="gridplan demo")
    plan, chosen = site_plan(plan, SiteRequest("health_station", new=5), params, screen.findings,
                             command="gridplan demo")
    return plan, measured, chosen


def check_sources(screen: Screen, plan: Path | None, demand: Path | None, osm: Path | None,
                  count: list[str] | None) -> None:
    """Refuse what contradicts itself: a plan and points of demand, or neither, all at once."""
    faults = []
    if plan and (demand or osm or count):
        faults.append(Finding("circle.plan_and_demand", field="--demand"))
    if not plan:
        faults += [Finding("cli.missing", field=name) for name, value in (
            ("--demand", demand), ("--osm", osm)) if value is None]
        if screen.options.output is None and not screen.options.dry_run:
            faults.append(Finding("cli.missing", field="-o"))
    if faults:
        raise UsageError(*faults)


def read_demand(screen: Screen, points: Path, osm: Path, columns: Mapping[str, str],
                table: CategoryTable) -> Plan:
    """Read points of demand and the streets round them into a plan without grids.

    Facilities are those of the extract, and the points where a column counts more than none.
    """
    from gridplan.osm import read_extract
    from gridplan.pipeline import open_demand
    from gridplan.read import clean_demand, read_layers

    options, findings = screen.options, screen.findings
    params = make_params(options)
    unknown = [c for c in columns.values() if c not in table.known]
    if unknown:
        raise UsageError(*(Finding("circle.unknown_count", field="--count", values={
            "category": c, "known": ", ".join(table.known)}) for c in unknown))
    raw, sources = read_extract(osm, findings)
    reading: dict[str, Any] = {
        **{name: by_role(f"--{name}", getattr(options, name), _ROLES)
           for name in ("layer", "crs", "datum")},
        **{name: getattr(options, name) for name in ("allow_remote", "drop_null",
                                                     "drop_columns")}}
    named = split_pairs("--column", options.column)
    own, read = read_layers({"demand": points}, columns=named, findings=findings, **reading)
    study = clean_demand({**raw, **own}, [*sources, *read], params, findings,
                         drop_null=options.drop_null)
    counted = read_counts(screen, points, own["demand"], columns, reading)
    if counted is not None:
        counted = counted.to_crs(study.crs)
    return open_demand(study, params, findings, facilities=counted, lang=options.language)


def read_counts(screen: Screen, path: Path, points: GeoDataFrame, columns: Mapping[str, str],
                reading: Mapping[str, Any]) -> GeoDataFrame | None:
    """Return the facilities that columns of the points count, in degrees or the file's CRS."""
    from gridplan.circle import count_facilities
    from gridplan.datum import to_wgs84
    from gridplan.errors import Findings
    from gridplan.read import read_layers

    if not columns:
        return None
    held, told = points, Findings()
    for column in columns:
        # The checks of counts are those of households: whole, none below zero.
        counts, _ = read_layers({"demand": path}, columns={"demand.households": column},
                                findings=told, **reading)
        held = held.assign(**{column: counts["demand"]["households"].array})
    named = held.get("demand_id")
    rows = held.index.astype(str).to_series(held.index)
    held = held.assign(demand_id=rows if named is None else named.fillna(rows))
    shift = str(points.attrs.get("datum") or "wgs84")
    return count_facilities(to_wgs84(held, shift), dict(columns), screen.findings,
                            file=path.name)


def take_params(screen: Screen, plan: Plan, profile: str | None,
                walkers: list[str] | None) -> Params:
    """Return the parameters: without ``--config`` those of the plan, then what is asked here."""
    from gridplan.params import recall_circle

    options, params = screen.options, make_params(screen.options)
    if options.config is None:
        params = recall_circle(plan.run.get("parameters", ""), params,
                               plan.origin.name if plan.origin else "")
    asked: dict[str, Any] = {"profile": profile} if profile else {}
    if walkers:
        asked["walkers"] = tuple(dict.fromkeys(walkers))
    try:
        return replace(params, circle=replace(params.circle, **asked))
    except InputError as error:
        raise UsageError(*(replace(f, layer="", field=f"--{f.field.removesuffix('s')}")
                           for f in error.findings)) from error


def read_heights(screen: Screen, path: Path | None) -> Elevation | None:
    """Read heights, if there are any."""
    if path is None:
        return None
    from gridplan.network import read_elevation

    return read_elevation(path, screen.findings)


def read_given(screen: Screen, plan: Plan, files: Mapping[str, Path | str | None], role: str
               ) -> Given | None:
    """Read facilities out of files: category → file, ``""`` where the file tells it."""
    import shapely

    from gridplan.circle import Given
    from gridplan.read import read_facilities

    named = {category: path for category, path in files.items() if path is not None}
    if not named:
        return None
    options = screen.options
    outline = shapely.union_all(plan.layer("communities").geometry.to_numpy()) if len(
        plan.layer("communities")) else shapely.box(*plan.layer("demand").total_bounds)
    pick = {name: choose(getattr(options, name), role, f"--{name}")
            for name in ("layer", "crs", "datum")}
    columns = {k: v for k, v in split_pairs("--column", options.column).items()
               if not k.startswith("demand.")}
    found = read_facilities(named, plan.crs, outline, screen.findings, datum=pick["datum"],
                            drop_null=options.drop_null, columns=columns, layer=pick["layer"],
                            file_crs=pick["crs"], allow_remote=options.allow_remote,
                            drop_columns=options.drop_columns)
    return Given(found.frame, found.sources, found.tally)


def choose(values: list[str], role: str, option: str,
           roles: tuple[str, ...] = _ROLES) -> str | None:
    """Return what an option says for one role, or for all."""
    said = by_role(option, values, roles)
    return said.get(role) if isinstance(said, Mapping) else said


def tell_circle(screen: Screen, plan: Plan, measured: Circle) -> None:
    """Show what was found, the shares by category, and where most is lacking."""
    screen.result |= describe_circle(plan, measured)
    screen.tell_findings()
    screen.tell_tally()
    screen.tell()
    head = ("category", "limit", "facilities", "covered", "nearest")
    rows = [(row["title"], f"{row['limit_m']:,.0f} m", row["facilities"], _percent(row["share"]),
             _metres(row["nearest_m"])) for row in _titled(screen, measured)]
    screen.table([_say(screen, f"head.{c}") for c in head], rows)
    screen.tell()
    tell_completeness(screen, measured)


def tell_completeness(screen: Screen, measured: Circle) -> None:
    """Say in a few lines how complete the circle is and which grids lack most."""
    told, lang = screen.result["circle"], screen.options.language
    screen.tell(_say(screen, "complete", profile=measured.profile.title(lang),
                     completeness=_percent(told["completeness"]),
                     full=_percent(told["full_circle"])))
    for row in told["worst"]:
        screen.tell(_say(screen, "worst", place=row["place"], share=_percent(row["completeness"]),
                         households=f"{row['households']:,}", lacking=first_ids(
                             [measured.profile.name_of(c, lang) for c in row["lacking"]], _SHOWN)))
    if told["overloaded"]:
        screen.tell(_say(screen, "overloads", count=told["overloaded"]))


def describe_circle(plan: Plan, measured: Circle) -> dict[str, Any]:
    """Return what came of it, as plain values."""
    figures, cover = measured.figures, measured.coverage
    first = measured.walkers[0]
    city = cover[(cover["scope"] == "city") & (cover["walker"] == first)
                 & (cover["reading"] == "near")]
    values = {(str(n), str(s), str(i)): v for n, s, i, v in zip(
        figures["name"], figures["scope"], figures["scope_id"],
        figures["value"].to_numpy(dtype=float, na_value=float("nan")), strict=True)}
    overloaded = figures[figures["name"].str.startswith("overloaded:").to_numpy(dtype=bool)]
    return {"exceptions": 0, "circle": {
        "profile": measured.profile.name, "walkers": list(measured.walkers),
        "completeness": _known(values.get(("completeness", "city", "all"))),
        "full_circle": _known(values.get(("full_circle", "city", "all"))),
        "categories": [
            {"category": str(c), "limit_m": float(limit), "share": _known(share),
             "nearest_m": _known(nearest)} for c, limit, share, nearest in zip(
                 city["category"], city["limit_m"],
                 *(city[x].to_numpy(dtype=float, na_value=float("nan"))
                   for x in ("share", "nearest_m")), strict=True)],
        "worst": list_worst(plan, measured),
        "overloaded": int(overloaded["value"].sum())}}


def list_worst(plan: Plan, measured: Circle, count: int = _WORST) -> list[dict[str, Any]]:
    """Return the grids (or points of demand) that lack most: households times what is missing."""
    cover, figures = measured.coverage, measured.figures
    scope = "grid" if (cover["scope"] == "grid").any() else "demand"
    asked = {c.category for c in measured.profile.required}
    rows = cover[(cover["scope"] == scope) & (cover["walker"] == measured.walkers[0])
                 & (cover["reading"] == "near") & cover["category"].isin(asked)]
    missing = (rows["households"] - rows["covered"]).astype("int64")
    lost = missing.groupby(rows["scope_id"].astype(str)).sum()
    order = lost[lost > 0].sort_values(ascending=False, kind="stable").index[:count]
    complete = figures[(figures["name"] == "completeness") & (figures["scope"] == scope)
                       ].set_index("scope_id")["value"]
    found = []
    for place in order:
        own = rows[(rows["scope_id"] == place).to_numpy(dtype=bool)]
        none = own[(own["share"] < 0.5).fillna(False).to_numpy(dtype=bool)]
        found.append({"place": place, "completeness": _known(complete.get(place)),
                      "households": int(own["households"].iloc[0]),
                      "lacking": [str(c) for c in none["category"]]})
    return found


def _titled(screen: Screen, measured: Circle) -> list[dict[str, Any]]:
    held = [set(str(c).split(";")) for c in measured.facilities["categories"]]
    return [{**row, "title": measured.profile.name_of(row["category"], screen.options.language),
             "facilities": sum(row["category"].partition(":")[0] in some for some in held)}
            for row in screen.result["circle"]["categories"]]


def _known(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _metres(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} m"


def _say(screen: Screen, name: str, **values: object) -> str:
    from gridplan.i18n import translate

    return translate(f"circle.{name}", screen.options.language, **values)
