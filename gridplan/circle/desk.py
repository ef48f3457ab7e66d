"""The desk where a service circle is measured: facilities, ways, coverage, capacity, areas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.categories import Category, CategoryTable, Profile
from gridplan.circle.areas import draw_service_areas
from gridplan.circle.capacity import measure_supply
from gridplan.circle.coverage import measure_coverage
from gridplan.circle.demand import Demand, Floats, list_demand
from gridplan.circle.facilities import judge_facilities, judge_norms
from gridplan.circle.figures import (
    Table,
    choice_figures,
    cover_figures,
    norm_figures,
    presence_figures,
)
from gridplan.circle.ways import Ways, find_ways
from gridplan.errors import Finding, Findings, InputError, TallyRow, first_ids
from gridplan.layers import AFTER, LAYERS, Source, conform
from gridplan.network import Pairs
from gridplan.params import WALKERS, Params
from gridplan.plan import Plan
from gridplan.plan.circle import forget_sites

_MOST_NAMED = 5


@dataclass(frozen=True)
class Given:
    """Facilities that are put in the place of the plan's own: as read, and what became of them."""

    frame: gpd.GeoDataFrame
    sources: tuple[Source, ...] = ()
    tally: TallyRow | None = None

    @property
    def file(self) -> str:
        """The names of the files they came from."""
        return ", ".join(dict.fromkeys(s.name for s in self.sources))


@dataclass(frozen=True, eq=False)
class Circle:
    """What came of measuring a service circle.

    Attributes
    ----------
    facilities, coverage, service_areas, figures
        Layers of the plan.
    tally
        Rows of the tally: facilities, and where the households are.
    sources
        Input layer as the run table calls it → the files it came from.
    elevation
        The name of the heights that ways on foot follow, ``""`` for a flat town.
    """

    profile: Profile
    table: CategoryTable
    walkers: tuple[str, ...]
    facilities: gpd.GeoDataFrame
    coverage: pd.DataFrame
    service_areas: gpd.GeoDataFrame
    figures: pd.DataFrame
    tally: tuple[TallyRow, ...]
    sources: tuple[tuple[str, tuple[Source, ...]], ...] = ()
    elevation: str = ""


def measure_circle(plan: Plan, table: CategoryTable, params: Params, findings: Findings, *,
                   facilities: Given | None = None, after: Given | None = None,
                   elevation: Any = None, areas: bool = True) -> Circle:
    """Measure who reaches which facilities, how far, and whether these can serve them.

    Parameters
    ----------
    plan
        With roads, and buildings with households, or without any points of demand.
    table
        Of categories; ``params.circle.profile`` is one of its profiles.
    facilities
        In the place of the plan's own.
    after
        Facilities proposed: their categories are measured a second time, with them.
    elevation
        Heights for ways on foot, as the network room reads them.
    areas
        Whether service areas are drawn.

    Raises
    ------
    InputError
        The profile is not known, there are no facilities or households, categories are unknown,
        or facilities lie off the streets: all faults of a step at once.
    """
    profile = _choose_profile(table, params.circle.profile)
    demand = list_demand(plan)
    if not demand.households.any():
        raise InputError(Finding("circle.no_households", layer=demand.layer))
    held, tally = gather_facilities(plan, table, findings, facilities, after)
    held = judge_norms(held, plan.layer("communities"), profile)
    proposed = (held["status"] == "proposed").fillna(False).to_numpy(dtype=bool)
    walkers = params.circle.walkers
    existing = gpd.GeoDataFrame(held[~proposed].reset_index(drop=True))
    _tell_missing(existing, profile, findings)
    file = facilities.file if facilities is not None else ""
    ways = find_ways(plan, demand, existing, profile.measured, walkers, params.network, findings,
                     elevation=elevation, file=file)
    coverage = [measure_coverage(ways, walkers)]
    if proposed.any():
        coverage.append(_cover_after(plan, demand, held, proposed, profile, params, findings,
                                     elevation))
    figures, loads, drawn = _measure_figures(plan, ways, profile, params, findings, areas)
    load = pd.Series(loads, existing["facility_id"].astype(str)).reindex(
        held["facility_id"].astype(str))
    held = held.assign(load=pd.array(load.to_numpy(dtype=float), dtype="Float64"))
    told = tuple((name, given.sources) for name, given in (
        ("circle_facilities", facilities), ("circle_after", after)) if given is not None)
    return Circle(profile, table, walkers, gpd.GeoDataFrame(conform("facilities", held)),
                  conform("coverage", pd.concat(coverage, ignore_index=True)), drawn, figures,
                  (tally, _tally_demand(demand, ways)), told, getattr(elevation, "name", ""))


def _choose_profile(table: CategoryTable, name: str) -> Profile:
    if name not in table.profiles:
        raise InputError(Finding("circle.no_profile", file=table.file, field="circle.profile",
                                 values={"profile": name, "known": ", ".join(table.profiles)}))
    return table.profile(name)


def gather_facilities(plan: Plan, table: CategoryTable, findings: Findings,
                      facilities: Given | None = None, after: Given | None = None
                      ) -> tuple[gpd.GeoDataFrame, TallyRow]:
    """Return existing and proposed facilities, judged, in the order of their ids; and the tally.

    Sites that were proposed on an earlier circle go; ``after`` takes the place of others that the
    plan proposes.
    """
    bare = forget_sites(plan).layer("facilities")
    proposed = (bare["status"] == "proposed").fillna(False).to_numpy(dtype=bool)
    if facilities is not None:
        bare = bare[:0]
    elif after is not None:
        bare = bare[~proposed]
    own = Given(bare, tally=TallyRow("circle", "facilities", len(bare), len(bare)))
    total = TallyRow("circle", "facilities", 0, 0)
    parts: list[gpd.GeoDataFrame] = []
    told = Findings()
    for given, status in ((facilities or own, None), (after, "proposed")):
        if given is None:
            continue
        try:
            held, gone = judge_facilities(given.frame, table, told, file=given.file)
        except InputError:
            continue  # the other file may have faults of its own
        if status is not None:
            taken = set(parts[0]["facility_id"]) if parts else set()
            ids = [f"{status}:{i}" if i in taken else i for i in held["facility_id"]]
            held = held.assign(status=status, facility_id=ids)
        row = given.tally or TallyRow("circle", "facilities", len(given.frame), len(given.frame))
        total.rows_in += row.rows_in
        total.used += len(held)
        total.rejected += row.rejected + gone
        total.outside += row.outside
        parts.append(held)
    findings.items.extend(told.items)
    told.stop_on_faults()
    every = gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=plan.crs)
    if every.empty:
        raise InputError(Finding("circle.no_facilities", layer="facilities"))
    return every.sort_values("facility_id", kind="stable", ignore_index=True), total


def _tell_missing(existing: gpd.GeoDataFrame, profile: Profile, findings: Findings) -> None:
    """Warn of categories that are asked for and of which there is not one facility."""
    there = {c for text in existing["categories"] for c in str(text).split(";")}
    none = [c.category for c in (*profile.measured, *profile.present) if c.category not in there]
    if none:
        findings.add("circle.none_of", "warning", layer="facilities", field="categories",
                     count=len(none), categories=first_ids(none, 12))


def _cover_after(plan: Plan, demand: Demand, held: gpd.GeoDataFrame, proposed: Any,
                 profile: Profile, params: Params, findings: Findings, elevation: Any
                 ) -> pd.DataFrame:
    """Return the coverage with proposed facilities, of the categories they have."""
    new = {c for text in held["categories"][proposed] for c in str(text).split(";")}
    some = [c for c in profile.measured if c.category in new]
    if not some:
        return conform("coverage", pd.DataFrame({c: [] for c in LAYERS["coverage"].names}))
    # What the first search told of streets and buildings is not told again.
    told = Findings()
    try:
        ways = find_ways(plan, demand, held, some, params.circle.walkers, params.network, told,
                         elevation=elevation)
    finally:
        findings.items.extend(told.of("error", "ask"))
    return measure_coverage(ways, params.circle.walkers, suffix=AFTER)


def measure_after(plan: Plan, profile: Profile, params: Params, findings: Findings, *,
                  elevation: Any = None) -> pd.DataFrame:
    """Return the coverage with the proposed facilities of a plan, of the categories they have.

    Parameters
    ----------
    plan
        With facilities as :func:`measure_circle` leaves them, and proposed ones beside them.

    Returns
    -------
    DataFrame
        Rows of the layer ``coverage``, their categories with ``:after``; none without proposals.
    """
    held = plan.layer("facilities").sort_values("facility_id", kind="stable", ignore_index=True)
    proposed = (held["status"] == "proposed").fillna(False).to_numpy(dtype=bool)
    return _cover_after(plan, list_demand(plan), gpd.GeoDataFrame(held), proposed, profile, params,
                        findings, elevation)


def _measure_figures(plan: Plan, ways: Ways, profile: Profile, params: Params,
                     findings: Findings, areas: bool
                     ) -> tuple[pd.DataFrame, Floats, gpd.GeoDataFrame]:
    """Return the figures for the first walker, the load of every facility, and service areas."""
    first = params.circle.walkers[0]
    mode = WALKERS[first][0]
    limits_m = np.array([c.limit_of(first) for c in ways.categories], dtype=np.float64)
    table, demand = Table(), ways.demand
    near = ways.measure(mode)
    far_m = ways.measure(mode, "far").distance_m if ways.doubtful else None
    cover_figures(table, demand, ways.categories, near.distance_m, limits_m, far_m=far_m)
    pairs: dict[int, Pairs] = {}
    loads = np.full(len(ways.facilities), np.nan)
    for k, category in enumerate(ways.categories):
        pairs[k] = ways.pairs(mode, k, float(limits_m[k]))
        choice_figures(table, demand, category, pairs[k].origin, params.circle.choice)
        load = _measure_load(table, ways, k, pairs[k], float(limits_m[k]), params, findings)
        loads = np.fmax(loads, load)
    city = demand.scopes[0]
    norm_figures(table, city, ways.facilities, profile)
    if len(plan.layer("communities")):
        presence_figures(table, city, ways.facilities, plan.layer("communities"), profile)
    if areas:
        every = np.ones(len(ways.facilities), dtype=bool)
        drawn = draw_service_areas(ways, mode, limits_m, params.circle.area_buffer_m, near, pairs,
                                   every)
    else:
        drawn = plan.layer("service_areas")[:0]
    return table.frame(), loads, drawn


def _measure_load(table: Table, ways: Ways, number: int, pairs: Pairs, limit_m: float,
                  params: Params, findings: Findings) -> Floats:
    """Add supply and overload of a category; return the load of its facilities, else NaN."""
    category, demand = ways.categories[number], ways.demand
    capacity = np.full(len(ways.facilities), np.nan)
    mine = ways.rows_of(number)
    capacity[mine] = ways.facilities["capacity"].to_numpy(dtype=np.float64, na_value=np.nan)[mine]
    if not (np.nan_to_num(capacity) > 0).any():
        return capacity * np.nan
    users, unit = _count_users(demand, category, params)
    found = measure_supply(pairs.origin, pairs.target, pairs.distance_m, limit_m, users,
                           capacity, params.circle.catchment_bands)
    city = demand.scopes[0]
    whole = float(users.sum())
    shared = float((found.access * users).sum())
    table.add(f"supply:{category.category}", city, 1000.0 * shared / whole if whole else None,
              unit, None, shared, whole)
    over = np.flatnonzero(np.nan_to_num(found.load) > 1.0)
    judged = int(np.isfinite(found.load).sum())
    table.add(f"overloaded:{category.category}", city, float(over.size), "facilities", None,
              float(over.size), float(judged))
    if over.size:
        worst = over[np.lexsort((over, -found.load[over]))]
        names = ways.facilities["name"].fillna(ways.facilities["facility_id"]).astype(str)
        findings.add("circle.overloaded", "warning", layer="facilities", field="load",
                     row=first_ids(names.iloc[worst], _MOST_NAMED), count=int(over.size),
                     of=judged, category=category.category, most=f"{found.load[worst[0]]:.1f}")
    return found.load


def _count_users(demand: Demand, category: Category, params: Params) -> tuple[Floats, str]:
    """Return how many there are in each row who use a category, and the unit of its supply."""
    if category.users_per_1000 is None:
        return demand.people, ("per 1000 people" if demand.knows_people else
                               "per 1000 households")
    size = 1.0 if demand.knows_people else params.households.household_size
    return demand.people * size * category.users_per_1000 / 1000.0, "per 1000 users"


def _tally_demand(demand: Demand, ways: Ways) -> TallyRow:
    off = np.zeros(len(demand), dtype=bool)
    for streets in ways.streets.values():
        off |= streets.demand.off & (demand.households > 0)
    note = ""
    if off.any():
        note = f"off the streets: {first_ids(demand.frame.index[off])}"
    return TallyRow("circle", demand.layer, demand.rows_in, demand.rows_in,
                    households_in=demand.households_in, households_out=demand.households_in,
                    note=note)


def count_facilities(points: gpd.GeoDataFrame, columns: dict[str, str], findings: Findings, *,
                     file: str = "") -> gpd.GeoDataFrame:
    """Return facilities that stand where columns of demand points count more than none.

    Parameters
    ----------
    points
        Demand with its own columns, demand_id as the index or a column.
    columns
        Column → category.

    Raises
    ------
    InputError
        A column is missing, or holds what is no number of 0 or more.
    """
    held = points if "demand_id" in points.columns else points.reset_index(names="demand_id")
    wrong = Findings()
    parts = []
    for column, category in columns.items():
        if column not in held.columns:
            wrong.add("circle.no_column", file=file, layer="demand", field=column,
                      columns=first_ids([c for c in held.columns if c != "geometry"], 30))
            continue
        count = pd.to_numeric(held[column], errors="coerce")
        bad = (held[column].notna() & (count.isna() | (count < 0))).fillna(True).to_numpy(bool)
        if bad.any():
            wrong.add("circle.negative", file=file, layer="demand", field=column,
                      row=first_ids(held["demand_id"][bad]), count=int(bad.sum()),
                      value=str(held[column][bad].iloc[0]))
        some = held[(count > 0).fillna(False).to_numpy(dtype=bool)]
        names: Sequence[str] = [f"{i}:{category}" for i in some["demand_id"]]
        parts.append(gpd.GeoDataFrame(
            {"facility_id": names, "name": names, "categories": category, "source": column},
            geometry=some.geometry.to_numpy(), crs=points.crs))
    findings.items.extend(wrong.items)
    wrong.stop_on_faults()
    blank = gpd.GeoDataFrame({"facility_id": []}, geometry=[], crs=points.crs)
    return gpd.GeoDataFrame(conform("facilities", pd.concat(parts) if parts else blank))
