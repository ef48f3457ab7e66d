"""A plan as siting sees it: households and their doors, streets, facilities, candidates."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.categories import Category, load_categories, recall_profile
from gridplan.errors import Finding, Findings, InputError, RequestError, first_ids
from gridplan.network import (
    Access,
    Pairs,
    StreetNetwork,
    build_network,
    distances,
    door_points,
    find_access,
    find_building_access,
    pick_access,
    tell_off,
)
from gridplan.params import WALKERS, Params
from gridplan.plan import Plan
from gridplan.siting.kernels import Bools, Floats, Ints
from gridplan.siting.request import SiteRequest

LAYER = "candidates"
_GROUND = ("barriers", "estates", "gates")
_WATER = ("water", "river")
_REACH = 4.0  # limits; a longer way counts as so long when ways are shortened


@dataclass(frozen=True, eq=False)
class Ground:
    """Where households are, and how they walk.

    Attributes
    ----------
    category
        With what counts as this one too.
    limit_m
        How far a household walks.
    layer, frame
        ``buildings`` or ``demand``, and its n rows with households, indexed by their ids in order.
    households
        (n,) whole numbers above zero.
    network, doors
        Streets, and where the rows enter them.
    """

    plan: Plan
    params: Params
    category: Category
    limit_m: float
    layer: str
    frame: gpd.GeoDataFrame
    entrances: gpd.GeoDataFrame
    households: Ints
    network: StreetNetwork
    doors: Access

    @property
    def reach_m(self) -> float:
        """A way that is longer counts as so long when ways are shortened."""
        return _REACH * self.limit_m

    def enter(self, points: NDArray[np.object_]) -> Access:
        """Find where points enter the network."""
        return find_access(self.network, points, params=self.params.network, **_bars(self.plan))

    def pair(self, points: NDArray[np.object_], access: Access, limit_m: float) -> Pairs:
        """Return the ways from households to points within a limit, as the category measures."""
        if self.category.measure != "radius":
            return distances(self.network, self.doors, access, limit_m=limit_m)
        doors, owner = door_points(self.frame, self.entrances)
        door, at = shapely.STRtree(points).query(doors, predicate="dwithin", distance=limit_m)
        away = shapely.distance(doors[door], points[at])
        order = np.lexsort((away, at, owner[door]))
        origin, at, away = owner[door][order].astype(np.int64), at[order], away[order]
        first = (np.diff(origin, prepend=-1) != 0) | (np.diff(at, prepend=-1) != 0)
        return Pairs(origin[first], at[first].astype(np.int64), away[first])


def find_category(plan: Plan, request: SiteRequest, params: Params) -> tuple[Category, float]:
    """Return the category asked for, and how far a household walks to it.

    The profile is that of the plan's service circle, else of the parameters.

    Raises
    ------
    InputError
        The category is not known, or has no limit and none is asked for.
    """
    profile = recall_profile(plan.run.get("circle:table", ""))
    if profile is None:
        table = load_categories()
        if params.circle.profile not in table.profiles:
            raise InputError(Finding("siting.no_profile", field="circle.profile", values={
                "profile": params.circle.profile, "known": ", ".join(table.profiles)}))
        profile = table.profile(params.circle.profile)
    if request.category not in profile:
        raise InputError(Finding("siting.no_category", field="--category", values={
            "category": request.category, "known": ", ".join(profile.names)}))
    category = profile[request.category]
    walker = params.circle.walkers[0]
    if request.limit_m is None and not category.is_measured:
        raise InputError(Finding("siting.no_limit", field="--limit",
                                 values={"category": request.category}))
    limit_m = request.limit_m if request.limit_m is not None else category.limit_of(walker)
    return category, limit_m


def survey(plan: Plan, request: SiteRequest, params: Params, findings: Findings) -> Ground:
    """Build the streets and find where households enter them.

    Raises
    ------
    InputError
        There are no households or roads, or the category is not known.
    """
    category, limit_m = find_category(plan, request, params)
    layer = "buildings" if len(plan.layer("buildings")) else "demand"
    plan.require("roads", layer)
    key = str(plan.layer(layer).columns[0])
    every = plan.layer(layer)
    held = every[every["households"].fillna(0) > 0].sort_values(key, kind="stable")
    if held.empty:
        raise InputError(Finding("siting.no_households", layer=layer))
    frame = held.set_index(pd.Index(held[key].astype(object), name=key))
    mode = WALKERS[params.circle.walkers[0]][0]
    network = build_network(_indexed(plan, "roads"), mode, params=params.network,
                            findings=findings, **_bars(plan))
    entrances = plan.layer("entrances").set_index("entrance_id", drop=False)
    doors = find_building_access(network, frame, entrances, params=params.network, **_bars(plan))
    if category.measure != "radius":
        tell_off(network, frame.geometry.to_numpy(), doors, frame.index, findings, layer=layer,
                 outcome="warning", params=params.network)
    return Ground(plan, params, category, limit_m, layer, frame, entrances,
                  frame["households"].to_numpy(dtype=np.int64), network, doors)


def list_existing(ground: Ground, findings: Findings) -> tuple[gpd.GeoDataFrame, Access]:
    """Return the facilities of the category that exist, and where they enter the streets.

    Raises
    ------
    InputError
        One of them lies off the streets.
    """
    every = ground.plan.layer("facilities").sort_values("facility_id", kind="stable")
    counts = {ground.category.category, *ground.category.includes}
    held = np.array([bool(counts & set(str(c).split(";"))) for c in every["categories"]], bool)
    there = (every["status"].fillna("existing") != "proposed").to_numpy(dtype=bool)
    frame = gpd.GeoDataFrame(every[held & there].reset_index(drop=True))
    access = ground.enter(frame.geometry.to_numpy())
    if ground.category.measure != "radius":
        tell_off(ground.network, frame.geometry.to_numpy(), access, pd.Index(frame["facility_id"]),
                 findings, layer="facilities", params=ground.params.network)
        findings.stop_on_faults()
    return frame, access


def list_candidates(ground: Ground, request: SiteRequest, findings: Findings
                    ) -> tuple[gpd.GeoDataFrame, Access]:
    """Return where sites may stand, given or proposed, and where they enter the streets.

    Columns are name and capacity, both perhaps NA, and the community and subdistrict.

    Raises
    ------
    InputError
        Given ones are no points, lie outside the city or off the streets, or have no capacity.
    RequestError
        There are none.
    """
    if request.candidates is None:
        frame, access = propose_candidates(ground, request, findings)
    else:
        frame, access = _judge_candidates(ground, request, findings)
    if frame.empty:
        raise RequestError(Finding("siting.no_candidates", file=request.file, layer=LAYER))
    return frame, access


def _judge_candidates(ground: Ground, request: SiteRequest, findings: Findings
                      ) -> tuple[gpd.GeoDataFrame, Access]:
    given = request.candidates
    assert given is not None
    told = Findings()
    if given.crs != ground.plan.crs:
        given = given.to_crs(ground.plan.crs)
    shape = given.geometry.to_numpy()
    ids = pd.Index(given["candidate_id"].astype(str) if "candidate_id" in given.columns
                   else given.index.astype(str))
    blank = np.array([s is None or s.is_empty or s.geom_type != "Point" for s in shape], bool)
    _tell(told, "siting.not_points", request, ids, blank)
    if blank.any():
        told.stop_on_faults()
    towns = ground.plan.layer("communities")
    if len(towns):
        city = shapely.union_all(towns.geometry.to_numpy())
        _tell(told, "siting.candidate_outside", request, ids, ~shapely.intersects(city, shape))
    capacity = pd.to_numeric(given["capacity"], errors="coerce") if (
        "capacity" in given.columns) else pd.Series(np.nan, given.index)
    _tell(told, "siting.bad_capacity", request, ids,
          (capacity < 0).fillna(False).to_numpy(dtype=bool), field="capacity")
    access = ground.enter(shape)
    if ground.category.measure != "radius":
        tell_off(ground.network, shape, access, ids, told, layer=LAYER, file=request.file,
                 params=ground.params.network)
    findings.items.extend(told.items)
    told.stop_on_faults()
    name = given["name"].astype(object) if "name" in given.columns else None
    frame = gpd.GeoDataFrame({
        "name": pd.array([None] * len(given) if name is None else name.to_list(), "string"),
        "capacity": capacity.to_numpy(dtype=np.float64)}, geometry=shape, crs=ground.plan.crs)
    return place_points(ground, frame), access


def _tell(findings: Findings, key: str, request: SiteRequest, ids: pd.Index, bad: Bools,
          field: str = "") -> None:
    if bad.any():
        findings.add(key, file=request.file, layer=LAYER, row=first_ids(ids[bad]), field=field,
                     count=int(bad.sum()))


def propose_candidates(ground: Ground, request: SiteRequest, findings: Findings
                       ) -> tuple[gpd.GeoDataFrame, Access]:
    """Propose points along the usable streets, so many metres apart.

    They lie in the communities, and neither in water nor in special places nor in forbidden
    areas. Where they are too many, every so manieth stays, and it is told.
    """
    options = ground.params.site
    edges = np.flatnonzero(ground.network.usable)
    end = np.cumsum(ground.network.length_m[edges])
    along = np.arange(options.spacing_m / 2, end[-1] if end.size else 0.0, options.spacing_m)
    row = np.searchsorted(end, along)
    start = end[row] - ground.network.length_m[edges[row]]
    point = shapely.line_interpolate_point(ground.network.geometry[edges[row]], along - start)
    point = point[_may_stand(ground, request, point)]
    if len(point) > options.most_candidates:
        findings.add("siting.thinned", "warning", layer=LAYER, count=len(point),
                     most=options.most_candidates)
        point = point[np.linspace(0, len(point) - 1, options.most_candidates).round().astype(int)]
    access = ground.enter(point)
    on = np.flatnonzero(~access.off)
    frame = gpd.GeoDataFrame({"name": pd.array([None] * on.size, "string"),
                              "capacity": np.full(on.size, np.nan)}, geometry=point[on],
                             crs=ground.plan.crs)
    return place_points(ground, frame), pick_access(access, on)


def _may_stand(ground: Ground, request: SiteRequest, point: NDArray[np.object_]) -> Bools:
    """Tell which points lie in the city and in nothing that bars them."""
    may = np.ones(len(point), np.bool_)
    towns = ground.plan.layer("communities").geometry.to_numpy()
    if len(towns):
        may[:] = False
        may[shapely.STRtree(point).query(towns, predicate="intersects")[1]] = True
    barriers = ground.plan.layer("barriers")
    water = barriers.geometry[barriers["kind"].isin(_WATER).fillna(False).to_numpy(dtype=bool)]
    bars = [water.to_numpy(), ground.plan.layer("specials").geometry.to_numpy()]
    if request.forbidden is not None and len(request.forbidden):
        bars.append(request.forbidden.to_crs(ground.plan.crs).geometry.to_numpy())
    for areas in bars:
        if len(areas) and len(point):
            may[shapely.STRtree(point).query(areas, predicate="intersects")[1]] = False
    return may


def place_points(ground: Ground, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return points with the community and the subdistrict that each lies in, "" for none."""
    frame = frame.copy()
    towns = ground.plan.layer("communities").sort_values("community_id", kind="stable")
    at = np.full(len(frame), -1, np.int64)
    if len(towns) and len(frame):
        town, row = shapely.STRtree(frame.geometry.to_numpy()).query(
            towns.geometry.to_numpy(), predicate="intersects")
        order = np.argsort(-town, kind="stable")  # of two that share a border the first counts
        at[row[order]] = town[order]
    for column in ("community_id", "subdistrict_id"):
        names = np.append(towns[column].fillna("").to_numpy(dtype=object), "")
        frame[column] = names[at]
    return frame


def find_worst(nearest_m: Floats, households: Ints) -> Bools:
    """Mark the tenth of the households that has the longest ways, as whole buildings.

    Those beyond the distance that 90 % stay within; nobody where nobody has any way.

    >>> find_worst(np.array([100.0, 300, 900]), np.array([5, 4, 1])).tolist()
    [False, False, True]
    """
    order = np.argsort(nearest_m, kind="stable")
    total = np.cumsum(households[order])
    tenth = nearest_m[order][np.searchsorted(total, 0.9 * total[-1])]
    worst = nearest_m > tenth if np.isfinite(tenth) else ~np.isfinite(nearest_m)
    return np.asarray(worst & ~bool(np.isinf(nearest_m).all()), np.bool_)


def _bars(plan: Plan) -> dict[str, gpd.GeoDataFrame]:
    return {name: _indexed(plan, name) for name in _GROUND}


def _indexed(plan: Plan, name: str) -> gpd.GeoDataFrame:
    frame = plan.layer(name)
    key = str(frame.columns[0])
    return frame.set_index(pd.Index(frame[key].astype(object), name=key)).drop(columns=key)
