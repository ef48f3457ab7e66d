"""The desk where sites are chosen: a plan becomes a problem, and its answer layers of the plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.errors import Finding, Findings, RequestError
from gridplan.i18n import translate
from gridplan.layers import LAYERS, conform
from gridplan.network import Access, Pairs
from gridplan.params import Params
from gridplan.plan import Plan
from gridplan.siting.cover import cover_most, cover_share
from gridplan.siting.ground import (
    LAYER,
    Ground,
    find_worst,
    list_candidates,
    list_existing,
    place_points,
    survey,
)
from gridplan.siting.kernels import Bools, Floats, Ints
from gridplan.siting.links import Links
from gridplan.siting.request import SiteRequest
from gridplan.siting.serving import serve_most
from gridplan.siting.solution import CannotMeetError, Solution
from gridplan.siting.ways import shorten_ways

SOURCE = "gridplan site"


@dataclass(frozen=True, eq=False)
class Chosen:
    """What came of choosing sites.

    Attributes
    ----------
    sites, facilities, figures
        Rows for the layers of the plan: the sites in their order, the same as proposed
        facilities, and figures of the city.
    solution
        What the solver says; with a priority its weights are households times that.
    gained
        Households that gain by all sites together.
    record
        Rows of the run table.
    """

    category: str
    sites: gpd.GeoDataFrame
    facilities: gpd.GeoDataFrame
    figures: pd.DataFrame
    solution: Solution
    gained: int
    candidates: int
    priority: float
    record: Mapping[str, str]

    @property
    def value(self) -> float:
        """What is reached, as the solver counts it."""
        return self.solution.value

    @property
    def bound(self) -> float:
        """What no choice among the candidates betters."""
        return self.solution.bound

    @property
    def gap(self) -> float:
        """By what share the bound is better, at most."""
        return self.solution.gap

    def words(self, lang: str = "en") -> str:
        """Say what is reached and what is possible."""
        said = self.solution.words(lang)
        if self.priority != 1.0 and self.solution.aim != "count":
            said += translate("siting.weighted", lang, priority=f"{self.priority:g}",
                              households=f"{self.gained:,}")
        return said


@dataclass(frozen=True, eq=False)
class Problem:
    """Households, candidates and facilities in the numbers of the solvers."""

    ground: Ground
    candidates: gpd.GeoDataFrame
    existing: gpd.GeoDataFrame
    ways: Pairs
    old_ways: Pairs
    weight: Floats
    nearest_m: Floats

    @property
    def covered(self) -> Bools:
        """Which rows of households a facility is near enough to."""
        return self.nearest_m <= self.ground.limit_m

    def link(self, limit_m: float, existing: bool = False) -> Links:
        """Link candidates, and behind them existing facilities, with the households near them."""
        site, demand, metres = self.ways.target, self.ways.origin, self.ways.distance_m
        count = len(self.candidates)
        if existing:
            site = np.concatenate([site, count + self.old_ways.target])
            demand = np.concatenate([demand, self.old_ways.origin])
            metres = np.concatenate([metres, self.old_ways.distance_m])
            count += len(self.existing)
        near = metres <= limit_m
        order = np.lexsort((demand[near], site[near]))
        start = np.concatenate([[0], np.cumsum(np.bincount(site[near], minlength=count))])
        return Links(start, demand[near][order], self.weight.size, metres[near][order])

    def count_gains(self, chosen: Ints) -> Ints:
        """Return how many households each site brings within the limit, in this order."""
        links, covered = self.link(self.ground.limit_m), self.covered.copy()
        gains = []
        for j in chosen.tolist():
            new = links.demand[links.start[j]:links.start[j + 1]]
            new = new[~covered[new]]
            gains.append(int(self.ground.households[new].sum()))
            covered[new] = True
        return np.array(gains, np.int64)


def choose_sites(plan: Plan, request: SiteRequest, params: Params, findings: Findings) -> Chosen:
    """Choose where the next facilities of a category should stand.

    Ways are those of ``params.circle.walkers[0]`` along the streets, or straight where the
    category is measured so; an uncertain way counts as its nearest reading. Facilities that
    exist stay. Households of the worst-served tenth count ``params.site.priority`` times.

    Parameters
    ----------
    plan
        With roads, and buildings with households or points of demand.
    request
        What is asked.

    Raises
    ------
    InputError
        The plan lacks a layer, the category is not known, or given candidates have faults.
    RequestError
        There are no candidates or fewer than are asked for, or all of them together cover less
        than is asked.
    """
    ground = survey(plan, request, params, findings)
    candidates, access = list_candidates(ground, request, findings)
    if request.new > len(candidates):
        raise RequestError(Finding("siting.too_many", file=request.file, layer=LAYER, values={
            "new": request.new, "candidates": len(candidates)}))
    problem = _state_problem(ground, request, candidates, access, findings)
    solution = _solve(problem, request, params.seed)
    return _tell(plan, request, params, problem, solution, findings)


def _state_problem(ground: Ground, request: SiteRequest, candidates: gpd.GeoDataFrame,
                   access: Access, findings: Findings) -> Problem:
    reach_m = ground.reach_m
    existing, entered = list_existing(ground, findings)
    ways = ground.pair(candidates.geometry.to_numpy(), access,
                       reach_m if request.kind == "mean" else ground.limit_m)
    old = ground.pair(existing.geometry.to_numpy(), entered, np.inf)
    nearest_m = np.full(ground.households.size, np.inf)
    np.minimum.at(nearest_m, old.origin, old.distance_m)
    worst = find_worst(nearest_m, ground.households)
    priority = 1.0 if request.kind == "cover" or _has_room(request, candidates) else (
        ground.params.site.priority)
    weight = ground.households.astype(np.float64) * np.where(worst, priority, 1.0)
    return Problem(ground, candidates, existing, ways, old, weight, nearest_m)


def _has_room(request: SiteRequest, candidates: gpd.GeoDataFrame) -> bool:
    """Tell whether sites serve only so many households each."""
    return request.capacity is not None or (
        request.kind == "new" and bool(candidates["capacity"].notna().any()))


def _solve(problem: Problem, request: SiteRequest, seed: int) -> Solution:
    """Hand the problem to the solver of its kind."""
    ground, weight = problem.ground, problem.weight
    limit_m = ground.limit_m
    if request.kind == "cover":
        assert request.cover is not None
        try:
            return cover_share(problem.link(limit_m), weight, request.cover,
                               covered=problem.covered, seed=seed)
        except CannotMeetError as error:
            raise RequestError(Finding("siting.cannot_cover", file=request.file, layer=LAYER,
                                       field="--cover", values={
                "share": f"{request.cover:.1%}", "most": f"{error.most:.1%}",
                "limit_m": f"{limit_m:g}"})) from error
    if request.kind == "mean":
        return shorten_ways(problem.link(ground.reach_m), weight, request.new,
                            existing_m=problem.nearest_m, penalty_m=ground.reach_m, seed=seed)
    if _has_room(request, problem.candidates):
        return _solve_rooms(problem, request, seed)
    group, served = _group_candidates(problem, request)
    new = request.new or int(np.unique(group[~served]).size)
    return cover_most(problem.link(limit_m), weight, new, covered=problem.covered,
                      forbidden=np.flatnonzero(served).tolist(),
                      group=group if request.per else None, seed=seed)


def _group_candidates(problem: Problem, request: SiteRequest) -> tuple[Ints, Bools]:
    """Give places that get one site each a number, and mark candidates in those that have one.

    Where there is no such place, a candidate stands alone.
    """
    count = len(problem.candidates)
    if not request.per:
        return np.arange(count), np.zeros(count, np.bool_)
    column = f"{request.per}_id"
    places = problem.candidates[column].to_numpy(dtype=object)
    number = pd.factorize(places, sort=True)[0].astype(np.int64)
    alone = places == ""
    number[alone] = count + np.arange(int(alone.sum()))
    held = place_points(problem.ground, problem.existing)[column].to_numpy(dtype=object)
    return number, np.isin(places.astype(str), held.astype(str)) & ~alone


def _solve_rooms(problem: Problem, request: SiteRequest, seed: int) -> Solution:
    """Serve as many households as there is room for; a facility of no known room has enough."""
    plenty = float(problem.ground.households.sum())
    own = problem.candidates["capacity"].fillna(
        plenty if request.capacity is None else request.capacity).to_numpy(dtype=np.float64)
    old = problem.existing["capacity"].astype("Float64").fillna(plenty).to_numpy(dtype=np.float64)
    room = np.floor(np.minimum(np.concatenate([own, old]), plenty))
    kept = np.arange(own.size, room.size)
    return serve_most(problem.link(problem.ground.limit_m, existing=True), problem.weight, room,
                      request.new, kept=kept.tolist(), seed=seed)


def _tell(plan: Plan, request: SiteRequest, params: Params, problem: Problem, solution: Solution,
          findings: Findings) -> Chosen:
    """Put the answer into rows of the plan's layers."""
    order, category = solution.chosen, request.category
    if order.size < request.new:
        findings.add("siting.fewer", "warning", layer="sites", count=int(order.size),
                     new=request.new)
    if solution.aim == "mean":
        _tell_far(problem, order, findings)
    gains = solution.gained.astype(np.int64) if solution.aim == "serve" else (
        problem.count_gains(order))
    rows = problem.candidates.iloc[order].reset_index(drop=True)
    whole = solution.aim in ("cover", "serve")
    sites = gpd.GeoDataFrame({
        "site_id": _number(plan, "sites", "S", category, order.size), "category": category,
        "rank": np.arange(1, order.size + 1), "gained_households": gains,
        "bound": solution.bound if whole else pd.NA, "gap": solution.gap},
        geometry=rows.geometry.to_numpy(), crs=plan.crs)
    capacity = rows["capacity"].fillna(np.nan if request.capacity is None else request.capacity)
    facilities = gpd.GeoDataFrame({
        "facility_id": _number(plan, "facilities", "P", category, order.size),
        "name": rows["name"], "categories": category,
        "capacity": capacity.to_numpy(dtype=np.float64), "status": "proposed", "source": SOURCE},
        geometry=rows.geometry.to_numpy(), crs=plan.crs)
    priority = params.site.priority if (problem.weight != problem.ground.households).any() else 1.0
    asked = {"walker": params.circle.walkers[0], "limit_m": problem.ground.limit_m,
             "priority": priority, "reach_m": problem.ground.reach_m}
    record = {f"site:request:{category}": _join(request.describe(), asked)}
    return Chosen(category, _conform("sites", sites), _conform("facilities", facilities),
                  _list_figures(category, problem, solution, int(gains.sum())), solution,
                  int(gains.sum()), len(problem.candidates), priority, record)


def _tell_far(problem: Problem, chosen: Ints, findings: Findings) -> None:
    """Tell whose way is so long, or none at all, that it counts as less."""
    near = problem.nearest_m <= problem.ground.reach_m
    near[problem.ways.origin[np.isin(problem.ways.target, chosen)]] = True
    if not near.all():
        findings.add("siting.far", "warning", layer=problem.ground.layer,
                     count=int((~near).sum()), metres=f"{problem.ground.reach_m:g}",
                     households=f"{int(problem.ground.households[~near].sum()):,}")


def _conform(name: str, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(conform(name, frame))


def _join(told: str, more: Mapping[str, object]) -> str:
    return json.dumps({**more, **json.loads(told)}, sort_keys=True)


def _number(plan: Plan, layer: str, letter: str, category: str, count: int) -> list[str]:
    """Return ids that no row of another category has, as S001 and S002."""
    frame = plan.layer(layer)
    column = "category" if layer == "sites" else "categories"
    own = (frame[column] == category).fillna(False).to_numpy(dtype=bool)
    if layer == "facilities":
        own &= (frame["source"] == SOURCE).fillna(False).to_numpy(dtype=bool)
    taken = set(frame.loc[~own, LAYERS[layer].key].astype(str))
    ids: list[str] = []
    number = 0
    while len(ids) < count:
        number += 1
        if f"{letter}{number:03d}" not in taken:
            ids.append(f"{letter}{number:03d}")
    return ids


def _list_figures(category: str, problem: Problem, solution: Solution, gained: int
                  ) -> pd.DataFrame:
    """Return the figures of the city."""
    total = int(problem.ground.households.sum())
    rows: list[tuple[str, float | None, str, float | None]] = []
    if solution.aim in ("cover", "serve"):
        rows += [("gain", gained, "households", solution.bound),
                 ("gain_gap", solution.gap, "share", None)]
    elif solution.aim == "count":
        rows += [("gain", gained, "households", None),
                 ("sites_needed", solution.value, "sites", solution.bound)]
    else:
        rows += [("gain", gained, "households", None),
                 ("mean_m_before", solution.before if len(problem.existing) else None, "m", None),
                 ("mean_m_after", solution.value, "m", solution.bound)]
    return conform("figures", pd.DataFrame([
        {"name": f"{name}:{category}", "scope": "city", "scope_id": "all", "value": value,
         "unit": unit, "target": target,
         "numerator": gained if name == "gain" else None,
         "denominator": total if name == "gain" else None}
        for name, value, unit, target in rows]))
