"""A service circle for a plan of tests: made up by seed, true to the contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.layers import AFTER, conform
from gridplan.params import WALKERS

# Category: names, limit of an adult, target, required.
CATEGORIES: dict[str, tuple[str, str, float, float | None, bool]] = {
    "health_station": ("Health station", "社区卫生服务站", 300.0, 0.9, True),
    "kindergarten": ("Kindergarten", "幼儿园", 300.0, 0.8, True),
    "wet_market": ("Market for fresh food", "菜市场", 500.0, None, True),
    "park": ("Park", "公园", 500.0, 0.95, True),
    "bus_stop": ("Bus stop", "公交站", 500.0, None, True),
    "bank": ("Bank", "银行网点", 800.0, None, False)}
WALK = ("adult", "older", "frail")
COLUMNS = ("scope", "scope_id", "category", "walker", "reading", "limit_m", "households",
           "covered", "nearest_id", "nearest_m")


def add_circle(layers: dict[str, pd.DataFrame], *, seed: int = 1, walkers: Sequence[str] = WALK,
               categories: Sequence[str] = tuple(CATEGORIES), per: int = 8, sites: int = 0,
               site_of: str = "health_station", far: bool = False, evil: str = "",
               scope: str = "grid") -> dict[str, pd.DataFrame]:
    """Return the layers with coverage, facilities, areas, figures and, if asked for, sites.

    The share of a grid falls with its distance to the nearest facility, so that a map looks like
    one. ``scope`` "demand" is a plan of points without grids.
    """
    random = np.random.default_rng(seed)
    units = layers["grids" if scope == "grid" else "demand"]
    ids = units["grid_id" if scope == "grid" else "demand_id"].astype(str).to_numpy(object)
    owner = (units["community_id"].astype(str).to_numpy(object) if scope == "grid"
             else np.full(len(ids), "", object))
    at = shapely.get_coordinates(shapely.point_on_surface(np.asarray(units.geometry.array)))
    households = units["households"].fillna(0).to_numpy(np.int64)
    places = place_facilities(at, list(categories), per, random)
    new = at[np.argsort(-households, kind="stable")[:sites]] if sites else np.empty((0, 2))
    rows: list[tuple[Any, ...]] = []
    counts: dict[tuple[str, str], np.ndarray] = {}
    for category in categories:
        for state, xy in (("", places[category]),
                          (AFTER, np.vstack([places[category], new]))):
            if state and (not sites or category != site_of):
                continue
            apart = np.hypot(*(at[:, None] - xy[None]).transpose(2, 0, 1))
            nearest, noise = apart.min(axis=1), random.uniform(-0.15, 0.15, len(at))
            if state:
                noise = counts["noise", category]
            counts["noise", category] = noise
            for walker in walkers:
                limit = round(CATEGORIES[category][2] / 1.25 * WALKERS[walker][1], 1)
                share = np.clip(1.9 - nearest / (0.75 * limit) + noise, 0, 1)
                covered = np.rint(share * households).astype(np.int64)
                counts[category + state, walker] = covered
                for reading in ("near", "far")[:1 + far]:
                    less = covered if reading == "near" else covered * 9 // 10
                    rows += tell_rows(category + state, walker, reading, limit, less, ids, owner,
                                      households, nearest, apart.argmin(axis=1), scope)
    coverage = pd.DataFrame(rows, columns=list(COLUMNS))
    coverage["share"] = (coverage["covered"] / coverage["households"]).where(
        coverage["households"] > 0)
    extra = {"coverage": coverage.sort_values(list(COLUMNS[:5])), "facilities": facilities_of(
        places, new, site_of, units.crs, evil), "service_areas": areas_of(
        places, new if sites else None, site_of, units.crs),
        "figures": figures_of(coverage, [c for c in categories if CATEGORIES[c][4]], walkers[0],
                              layers.get("figures")),
        "run": run_of(layers.get("run"), categories, walkers, evil)}
    if sites:
        gain = np.diff([counts[site_of, walkers[0]].sum(),
                        *np.linspace(counts[site_of, walkers[0]].sum(),
                                     counts[site_of + AFTER, walkers[0]].sum(), sites + 1)[1:]])
        gain = np.sort(np.rint(gain).astype(int))[::-1]
        extra["sites"] = gpd.GeoDataFrame({
            "site_id": [f"S{k + 1:03d}" for k in range(sites)], "category": site_of,
            "rank": range(1, sites + 1), "gained_households": gain,
            "bound": gain.sum() * 1.02 + 0.4, "gap": 0.02},
            geometry=shapely.points(new), crs=units.crs)
    return {**layers, **{name: conform(name, frame) for name, frame in extra.items()}}


def place_facilities(at: np.ndarray, categories: Sequence[str], per: int,
                     random: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the places of facilities: for a wide limit fewer than for a near one."""
    out = {}
    for k, category in enumerate(categories):
        many = max(1, min(len(at), round(per * (1.6 - 0.2 * k))))
        out[category] = at[random.choice(len(at), many, replace=False)] + random.uniform(
            -60, 60, (many, 2))
    return out


def tell_rows(category: str, walker: str, reading: str, limit: float, covered: np.ndarray,
              ids: np.ndarray, owner: np.ndarray, households: np.ndarray, nearest: np.ndarray,
              which: np.ndarray, scope: str) -> list[tuple[Any, ...]]:
    """Return rows of coverage of the scope's units, of communities and of the city."""
    name = category.removesuffix(AFTER)
    head = (category, walker, reading, limit)
    out = [(scope, i, *head, int(h), int(c), f"{name}-{w}", float(d)) for i, h, c, d, w in zip(
        ids, households, covered, nearest, which, strict=True)]
    if scope == "grid":
        for town in sorted(set(owner)):
            mine = owner == town
            out.append(("community", town, *head, int(households[mine].sum()),
                        int(covered[mine].sum()), f"{name}-0", float(np.median(nearest[mine]))))
    out.append(("city", "all", *head, int(households.sum()), int(covered.sum()), f"{name}-0",
                float(np.median(nearest))))
    return out


def facilities_of(places: dict[str, np.ndarray], new: np.ndarray, site_of: str, crs: Any,
                  evil: str) -> gpd.GeoDataFrame:
    """Return the facilities, proposed ones last."""
    rows = [(f"{c}-{k}", f"{CATEGORIES[c][1]}{k + 1}{evil}", c, 20.0 + k, 300.0 + 50 * k,
             k % 3 > 0, 0.6 + 0.1 * k, "existing", "survey", xy)
            for c, points in places.items() for k, xy in enumerate(points.tolist())]
    rows += [(f"P{k + 1:03d}", "", site_of, 30.0, None, None, 0.5, "proposed", "gridplan site", xy)
             for k, xy in enumerate(new.tolist())]
    names = ["facility_id", "name", "categories", "capacity", "area_m2", "meets_norm", "load",
             "status", "source"]
    return gpd.GeoDataFrame({n: [r[k] for r in rows] for k, n in enumerate(names)},
                            geometry=shapely.points([r[-1] for r in rows]), crs=crs)


def areas_of(places: dict[str, np.ndarray], new: np.ndarray | None, site_of: str,
             crs: Any) -> gpd.GeoDataFrame:
    """Return the service area of every category, of one facility, and of the second state."""
    sets = [(c, None, points) for c, points in places.items()]
    first = next(iter(places))
    sets.append((first, f"{first}-0", places[first][:1]))
    if new is not None:
        sets.append((site_of + AFTER, None, np.vstack([places[site_of], new])))
    shapes = [shapely.union_all(shapely.buffer(shapely.points(points), 0.75 * CATEGORIES[
        c.removesuffix(AFTER)][2])) for c, _, points in sets]
    return gpd.GeoDataFrame({
        "area_id": [f"A{k + 1:05d}" for k in range(len(sets))], "category": [s[0] for s in sets],
        "facility_id": [s[1] for s in sets], "limit_m": 300.0},
        geometry=[s if s.geom_type == "MultiPolygon" else shapely.MultiPolygon([s])
                  for s in shapes], crs=crs)


def figures_of(coverage: pd.DataFrame, required: Sequence[str], walker: str,
               before: pd.DataFrame | None) -> pd.DataFrame:
    """Return covered, completeness and full circle of every scope, behind the plan's figures."""
    ours = coverage[(coverage["walker"] == walker) & (coverage["reading"] == "near")
                    & ~coverage["category"].str.endswith(AFTER)]
    ours = ours[ours["scope"] != "demand"]
    rows = [(f"covered:{c}", s, i, p, h, CATEGORIES[c][3] if s == "city" else None)
            for s, i, c, h, p in ours[["scope", "scope_id", "category", "households",
                                       "covered"]].itertuples(index=False)]
    need = ours[ours["category"].isin(required)]
    for (scope, one), mine in need.groupby(["scope", "scope_id"]):
        rows.append(("completeness", scope, one, mine["covered"].sum(), mine["households"].sum(),
                     0.9 if scope == "city" else None))
        rows.append(("full_circle", scope, one, mine["covered"].min() * 9 // 10,
                     mine["households"].max(), None))
    table = pd.DataFrame(rows, columns=["name", "scope", "scope_id", "numerator", "denominator",
                                        "target"]).assign(unit="share")
    table["value"] = (table["numerator"] / table["denominator"]).where(table["denominator"] > 0)
    return pd.concat([before, conform("figures", table)], ignore_index=True) if (
        before is not None and len(before)) else table


def run_of(before: pd.DataFrame | None, categories: Sequence[str], walkers: Sequence[str],
           evil: str) -> pd.DataFrame:
    """Return the run table with the profile that the circle was measured by."""
    table = {"profile": "gb50180-draft", "categories": [
        {"category": c, "name_en": CATEGORIES[c][0] + evil, "name_zh": CATEGORIES[c][1] + evil,
         "limit_m": CATEGORIES[c][2], "required": CATEGORIES[c][4]} for c in categories]}
    told = pd.DataFrame({"key": ["circle:profile", "circle:walkers", "circle:table"],
                         "value": ["gb50180-draft", ";".join(walkers),
                                   json.dumps(table, ensure_ascii=False)]})
    return told if before is None else pd.concat([before, told], ignore_index=True)


def make_demand(n: int = 400, *, seed: int = 1, names: str = "") -> dict[str, pd.DataFrame]:
    """Return demand points in clusters, in the place of a plan with grids."""
    random = np.random.default_rng(seed)
    middle = random.uniform(0, 4000, (12, 2))
    xy = (500_000, 3_400_000) + middle[random.integers(0, 12, n)] + random.normal(0, 260, (n, 2))
    demand = gpd.GeoDataFrame({
        "demand_id": [f"DEMAND-{k}" for k in range(n)], "name": [f"HOME-{k}{names}"
                                                                 for k in range(n)],
        "households": random.integers(0, 900, n), "population": 977},
        geometry=shapely.points(xy), crs="EPSG:4547")
    return {"demand": conform("demand", demand)}
