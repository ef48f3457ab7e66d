"""How far every household has to the nearest facility of every category, mode by mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.categories import Category
from gridplan.circle.demand import Demand, Floats, Ints
from gridplan.circle.facilities import explode_categories
from gridplan.errors import Findings
from gridplan.network import (
    Access,
    Nearest,
    Pairs,
    StreetNetwork,
    build_network,
    distances,
    door_points,
    find_access,
    find_building_access,
    nearest,
    pick_access,
    tell_off,
)
from gridplan.params import WALKERS, NetworkParams
from gridplan.plan import Plan

Reading = Literal["near", "far"]
# What bars the way on foot, layer → how the network room calls it.
_GROUND = ("barriers", "estates", "gates")


@dataclass(frozen=True)
class Streets:
    """The network of one mode, and where demand and facilities enter it."""

    network: StreetNetwork
    demand: Access
    facilities: Access


@dataclass
class Ways:
    """Ways from demand to facilities, found when they are asked for.

    Attributes
    ----------
    facilities
        The layer, in the order of facility_id.
    categories
        Those that are measured.
    streets
        Mode → network and accesses.
    """

    demand: Demand
    facilities: gpd.GeoDataFrame
    categories: Sequence[Category]
    streets: dict[str, Streets]
    _found: dict[tuple[str, str], Nearest] = field(default_factory=dict)

    @property
    def uncertain(self) -> NDArray[np.bool_]:
        """Which rows of demand have ways of which only one is real, in any mode."""
        every = [s.demand.uncertain for s in self.streets.values()]
        return np.any(every, axis=0) if every else np.zeros(len(self.demand), dtype=bool)

    @property
    def doubtful(self) -> bool:
        """Whether the far reading may differ from the near one."""
        return bool(self.uncertain.any()) or any(
            s.facilities.uncertain.any() for s in self.streets.values())

    def rows_of(self, number: int) -> Ints:
        """Return the rows of the facilities of a category."""
        rows, at = explode_categories(self.facilities, [c.category for c in self.categories])
        return rows[at == number]

    def measure(self, mode: str, reading: Reading = "near") -> Nearest:
        """Return the nearest facility of every category from every row of demand.

        Ways are as long as they are: no limit. Categories measured straight are as near in both
        readings and every mode.
        """
        if (mode, reading) not in self._found:
            self._found[mode, reading] = self._search(mode, reading)
        return self._found[mode, reading]

    def _search(self, mode: str, reading: Reading) -> Nearest:
        count, n = len(self.categories), len(self.demand)
        rows, number = explode_categories(self.facilities, [c.category for c in self.categories])
        along = np.array([c.measure == "network" for c in self.categories], dtype=bool)
        metres, target = np.full((count, n), np.inf), np.full((count, n), -1, dtype=np.int64)
        held = rows[along[number]]
        if held.size and n:
            at = np.unique(number[along[number]], return_inverse=True)
            streets = self.streets[mode]
            found = nearest(streets.network, streets.demand,
                            pick_access(streets.facilities, held), at[1], len(at[0]),
                            reading=reading)
            metres[at[0]] = found.distance_m
            target[at[0]] = np.where(found.target >= 0, held[found.target], -1)
        for k in np.flatnonzero(~along).tolist():
            metres[k], target[k] = measure_straight(self.demand, self.facilities,
                                                    rows[number == k])
        return Nearest(metres, target)

    def pairs(self, mode: str, number: int, limit_m: float) -> Pairs:
        """Return all ways of a category within a limit, targets as rows of ``facilities``."""
        rows = self.rows_of(number)
        if self.categories[number].measure == "radius":
            return pair_straight(self.demand, self.facilities, rows, limit_m)
        streets = self.streets[mode]
        found = distances(streets.network, streets.demand, pick_access(streets.facilities, rows),
                          limit_m=limit_m)
        return Pairs(found.origin, rows[found.target], found.distance_m)


def find_ways(plan: Plan, demand: Demand, facilities: gpd.GeoDataFrame,
              categories: Sequence[Category], walkers: Sequence[str], params: NetworkParams,
              findings: Findings, *, elevation: Any = None, file: str = "") -> Ways:
    """Build the network of every walker's mode and find where everything enters it.

    Parameters
    ----------
    plan
        With roads, perhaps barriers, estates, gates and entrances.
    facilities
        In the order of facility_id.
    elevation
        As the network room reads it; it counts on foot only.
    file
        Where the facilities came from, for messages.

    Raises
    ------
    InputError
        The roads make no network, or facilities of measured categories lie off it, each named.
    """
    ground = {name: _indexed(plan, name) for name in _GROUND}
    held = explode_categories(facilities, [c.category for c in categories
                                           if c.measure == "network"])[0]
    wanted = np.zeros(len(facilities), dtype=bool)
    wanted[held] = True
    streets = {}
    modes = dict.fromkeys(WALKERS[w][0] for w in walkers)
    for mode in modes if any(c.measure == "network" for c in categories) else ():
        told = Findings()
        network = build_network(_indexed(plan, "roads"), mode, params=params, findings=told,
                                elevation=elevation if mode == "foot" else None, **ground)
        spots = facilities.geometry.to_numpy()
        access = find_access(network, spots, params=params, **ground)
        ids = pd.Index(facilities["facility_id"].astype(object))
        rows = np.flatnonzero(wanted)
        tell_off(network, spots[rows], pick_access(access, rows), ids[rows], told,
                 layer="facilities", file=file, params=params)
        doors = find_building_access(network, demand.frame, demand.entrances,
                                     params=params, **ground)
        lived = np.flatnonzero(demand.households > 0)
        tell_off(network, demand.frame.geometry.to_numpy()[lived], pick_access(doors, lived),
                 demand.frame.index[lived], told, layer=demand.layer, outcome="warning",
                 params=params)
        findings.items.extend(told.items)
        streets[mode] = Streets(network, doors, access)
    findings.stop_on_faults()
    return Ways(demand, facilities, categories, streets)


def _indexed(plan: Plan, name: str) -> gpd.GeoDataFrame:
    frame = plan.layer(name)
    key = str(frame.columns[0])
    return frame.set_index(pd.Index(frame[key].astype(object), name=key)).drop(columns=key)


def measure_straight(demand: Demand, facilities: gpd.GeoDataFrame, rows: Ints
                     ) -> tuple[Floats, Ints]:
    """Return how far the nearest of some facilities is as the crow flies, and its row.

    From the door of a building that is nearest to it; of equally near ones the first row.
    """
    metres, target = np.full(len(demand), np.inf), np.full(len(demand), -1, dtype=np.int64)
    if not rows.size or not len(demand):
        return metres, target
    points, owner = door_points(demand.frame, demand.entrances)
    spots = facilities.geometry.to_numpy()[rows]
    (door, at), away = shapely.STRtree(spots).query_nearest(points, return_distance=True)
    order = np.lexsort((at, away, owner[door]))
    first = order[np.flatnonzero(np.diff(owner[door][order], prepend=-1))]
    metres[owner[door][first]], target[owner[door][first]] = away[first], rows[at[first]]
    return metres, target


def pair_straight(demand: Demand, facilities: gpd.GeoDataFrame, rows: Ints,
                  limit_m: float) -> Pairs:
    """Return all pairs within a limit as the crow flies, by origin, then target."""
    points, owner = door_points(demand.frame, demand.entrances)
    spots = facilities.geometry.to_numpy()[rows]
    door, at = shapely.STRtree(spots).query(points, predicate="dwithin", distance=limit_m)
    away = shapely.distance(points[door], spots[at])
    order = np.lexsort((away, at, owner[door]))
    door, at, away = door[order], at[order], away[order]
    new = np.ones(len(door), dtype=bool)
    new[1:] = (owner[door][1:] != owner[door][:-1]) | (at[1:] != at[:-1])
    return Pairs(owner[door][new].astype(np.int64), rows[at[new]], away[new])
