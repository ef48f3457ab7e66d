"""Whose ways are measured: buildings of a plan with households, or points of demand."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.plan import Plan

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scope:
    """Places of one kind in the order of their ids, and which of them each row of demand is in.

    ``of`` is -1 where a row is in none of them.
    """

    name: str
    ids: NDArray[np.object_]
    of: Ints

    def total(self, amount: NDArray[np.generic]) -> Floats:
        """Return the sum over each place.

        >>> Scope("grid", np.array(["a", "b"], dtype=object), np.array([1, -1, 1])).total(
        ...     np.array([2, 5, 3])).tolist()
        [0.0, 5.0]
        """
        inside = self.of >= 0
        return np.bincount(self.of[inside], amount[inside].astype(np.float64),
                           minlength=len(self.ids)).astype(np.float64)


@dataclass(frozen=True)
class Demand:
    """Households by where they are.

    Attributes
    ----------
    layer
        ``buildings`` or ``demand``.
    frame
        The n rows, indexed by their ids in order, with their geometry. Those without households
        count nowhere, but no service area may hold them that does not reach them.
    entrances
        The doors of buildings, by their own ids.
    households
        (n,) whole numbers.
    people
        (n,) population; where it is not known, households times how many people each has on
        average where both are. All households where it is nowhere known.
    knows_people
        Whether ``people`` are people.
    kinds
        (n,) urban, old or rural, of the community.
    scopes
        City first; each sums up to the city unless rows lie outside all of its places.
    rows_in, households_in
        What the layer holds, rows without households included.
    """

    layer: str
    frame: gpd.GeoDataFrame
    entrances: gpd.GeoDataFrame
    households: Ints
    people: Floats
    knows_people: bool
    kinds: NDArray[np.object_]
    scopes: tuple[Scope, ...]
    rows_in: int
    households_in: int

    def __len__(self) -> int:
        return len(self.households)


def list_demand(plan: Plan) -> Demand:
    """Return where the households of a plan are: its buildings, without any its points of demand.

    Scopes are the city, subdistricts, communities and grids; of points the city and each point.
    """
    layer = "buildings" if len(plan.layer("buildings")) else "demand"
    key = "building_id" if layer == "buildings" else "demand_id"
    every = plan.layer(layer)
    count = every["households"].fillna(0).to_numpy(dtype=np.int64)
    frame = every.sort_values(key, kind="stable")
    households = frame["households"].fillna(0).to_numpy(dtype=np.int64)
    frame = frame.set_index(pd.Index(frame[key].astype(object), name=key))
    scopes = [Scope("city", np.array(["all"], dtype=object), np.zeros(len(frame), np.int64))]
    kinds = np.full(len(frame), "urban", dtype=object)
    if layer == "demand":
        scopes.append(Scope("demand", *_place(every["demand_id"], frame["demand_id"])))
    else:
        towns = plan.layer("communities").drop_duplicates("community_id").set_index("community_id")
        town = frame["community_id"].astype(object)
        told = towns["kind"].fillna("urban").astype(object)
        kinds = town.map(told).fillna("urban").to_numpy(dtype=object)
        above = towns["subdistrict_id"].astype(object)
        if above.notna().any():
            scopes.append(Scope("subdistrict", *_place(above, town.map(above))))
        scopes.append(Scope("community", *_place(pd.Series(towns.index), town)))
        scopes.append(Scope("grid", *_place(plan.layer("grids")["grid_id"], frame["grid_id"])))
    people, known = _count_people(frame, households)
    entrances = plan.layer("entrances").set_index("entrance_id", drop=False)
    return Demand(layer, frame, entrances, households, people, known, kinds, tuple(scopes),
                  len(every), int(count.sum()))


def _place(ids: pd.Series, held: pd.Series) -> tuple[NDArray[np.object_], Ints]:
    """Return distinct ids in order, and the position of each row's in them."""
    names = np.array(sorted({str(i) for i in ids.dropna() if str(i)}), dtype=object)
    at = pd.Index(names).get_indexer(pd.Index(held.astype(object)))
    return names, at.astype(np.int64)


def _count_people(frame: pd.DataFrame, households: Ints) -> tuple[Floats, bool]:
    told = frame["population"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.isfinite(told) & (households > 0)
    if not known.any() or not told[known].sum():
        return households.astype(np.float64), False
    size = told[known].sum() / households[known].sum()
    return np.where(known, told, households * size), True
