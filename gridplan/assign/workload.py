"""How much work a grid makes: what is counted in it, times the weight of each thing."""

from __future__ import annotations

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.errors import Findings
from gridplan.params import Workload
from gridplan.plan import Plan

KEY_PLACES = frozenset((
    "primary_school", "middle_school", "school", "kindergarten", "health_centre",
    "health_station", "hospital", "wet_market", "bank", "nursing_home", "elderly_day_care",
    "culture_centre", "sports_centre"))
_UNMANAGED = ("none", "no", "无", "无物业")
_NO_LIFT = (4, 6)  # floors of dwellings that are high enough for a lift and mostly have none


def count_terms(plan: Plan) -> pd.DataFrame:
    """Count in every grid what may make work, one column for each field of ``Workload``.

    household, newcomer, rented
        The columns households, newcomers and rented of the grid; missing counts are 0.
    unmanaged_estate
        Estates whose management is said to be none (none, no, 无, 无物业), of which a building
        lies in the grid; an estate in two grids counts in both.
    hectare
        Area in hectares.
    without_lift
        Households of buildings with 4 to 6 floors.
    key_place
        Existing facilities on the land of the grid with a category of ``KEY_PLACES``; one on a
        border counts for the first grid by code.
    patrol_km
        0: it is not known before patrols are planned.

    Returns
    -------
    DataFrame
        Indexed by grid_id in the order of the layer.
    """
    grids = plan.layer("grids")
    ids = pd.Index(grids["grid_id"].astype(str), name="grid_id")
    buildings = plan.layer("buildings")
    floors = buildings["floors"].to_numpy(dtype=float, na_value=np.nan)
    stairs = (floors >= _NO_LIFT[0]) & (floors <= _NO_LIFT[1])
    climbed = buildings["households"].fillna(0)[stairs].groupby(buildings["grid_id"][stairs]).sum()
    estates = plan.layer("estates")
    told = estates["management"].fillna("").astype(str).str.strip().str.lower()
    loose = set(estates.loc[told.isin(_UNMANAGED).to_numpy(dtype=bool), "estate_id"])
    held = buildings.loc[buildings["estate_id"].isin(loose).to_numpy(dtype=bool),
                         ["grid_id", "estate_id"]].drop_duplicates()
    counts = {
        "household": _plain(grids["households"]), "newcomer": _plain(grids["newcomers"]),
        "rented": _plain(grids["rented"]),
        "unmanaged_estate": _by_grid(held.groupby("grid_id").size(), ids),
        "hectare": _plain(grids["area_m2"]) / 10_000,
        "without_lift": _by_grid(climbed, ids),
        "key_place": _by_grid(_count_places(grids, plan.layer("facilities")), ids),
        "patrol_km": np.zeros(len(ids))}
    return pd.DataFrame(counts, index=ids)


def measure_workload(terms: pd.DataFrame, weights: Workload, findings: Findings) -> pd.Series:
    """Return the workload of every grid: the sum of weight × count over all terms.

    Examples
    --------
    >>> one = pd.DataFrame(0.0, ["g1"], [f.name for f in dataclasses.fields(Workload)])
    >>> one.loc["g1", ["household", "hectare"]] = [400, 3.0]
    >>> measure_workload(one, Workload(hectare=2), Findings()).tolist()
    [406.0]
    """
    factors = dataclasses.asdict(weights)
    for name in ("newcomer", "rented", "unmanaged_estate", "without_lift", "key_place",
                 "patrol_km"):
        if factors[name] > 0 and not terms[name].any():
            findings.add("assign.term_unknown", "warning", layer="grids",
                         field=f"assign.workload.{name}")
    total = sum(factors[name] * terms[name].to_numpy(dtype=float) for name in factors)
    return pd.Series(np.round(total, 6), terms.index, name="workload")


def _plain(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype=float, na_value=0.0)


def _by_grid(counts: pd.Series, ids: pd.Index) -> np.ndarray:
    return counts.reindex(ids).to_numpy(dtype=float, na_value=0.0)


def _count_places(grids: gpd.GeoDataFrame, facilities: gpd.GeoDataFrame) -> pd.Series:
    there = (facilities["status"].fillna("existing") != "proposed").to_numpy(dtype=bool)
    key = np.array([bool(KEY_PLACES & {c.strip() for c in str(text).split(";")})
                    for text in facilities["categories"].fillna("")], dtype=bool)
    points = facilities.geometry.to_numpy()[there & key]
    ordered = grids.sort_values("grid_id", kind="stable")
    tree = shapely.STRtree(ordered.geometry.to_numpy())
    point, row = tree.query(points, predicate="intersects")
    first = pd.DataFrame({"point": point, "row": row}).groupby("point")["row"].min()
    return pd.Series(ordered["grid_id"].to_numpy(dtype=object)[first.to_numpy(dtype=np.int64)],
                     dtype=object).value_counts()
