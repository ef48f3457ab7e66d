"""The figures of a service circle, each with its numerator and denominator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.categories import Category, Profile
from gridplan.circle.coverage import divide, find_quantiles
from gridplan.circle.demand import Demand, Floats, Ints, Scope
from gridplan.circle.facilities import explode_categories
from gridplan.layers import LAYERS, conform

Flags = NDArray[np.bool_]
_COLUMNS = LAYERS["figures"].names
# Places too small for a worst tenth, and those for which a choice is told.
_DECILE_SCOPES = ("city", "subdistrict", "community")
_CHOICE_SCOPES = ("city", "community")
_WORST = 0.9


@dataclass
class Table:
    """Rows of the layer ``figures`` in the making."""

    parts: list[pd.DataFrame] = field(default_factory=list)

    def add(self, name: str, scope: Scope, value: object, unit: str, target: float | None = None,
            numerator: object = None, denominator: object = None) -> None:
        """Add one row for each place of a scope."""
        self.parts.append(pd.DataFrame({
            "name": name, "scope": scope.name, "scope_id": scope.ids, "value": value,
            "unit": unit, "target": target, "numerator": numerator, "denominator": denominator},
            columns=_COLUMNS))

    def add_share(self, name: str, scope: Scope, part: NDArray[np.generic],
                  whole: NDArray[np.generic], target: float | None = None) -> None:
        """Add part ÷ whole for each place; without a whole there is no value."""
        self.add(name, scope, divide(part, whole), "share", target, part.astype(np.float64),
                 whole.astype(np.float64))

    def frame(self) -> pd.DataFrame:
        """Return the rows as the layer."""
        blank = pd.DataFrame({c: [] for c in _COLUMNS})
        typed = [conform("figures", part) for part in self.parts]
        return conform("figures", pd.concat(typed, ignore_index=True) if typed else blank)


def meant_for(category: Category, demand: Demand) -> Flags:
    """Tell the rows of demand in communities of a kind that a category is meant for."""
    return np.array([category.applies_to(str(kind)) for kind in demand.kinds], dtype=bool)


def cover_figures(table: Table, demand: Demand, categories: Sequence[Category], metres: Floats,
                  limits_m: Floats, *, far_m: Floats | None = None) -> None:
    """Add who is covered, category by category and over all that are required.

    ``covered:<category>`` is the share of households within the limit, of those in communities
    of the kinds that the category is meant for; ``covered_far:`` the same in the far reading.
    ``completeness`` is the sum of households covered over the sum of households, of all required
    categories; ``full_circle`` the share of households that reach every required category that
    is meant for them. ``worst_decile_m:`` is the distance that nine tenths stay within.

    Parameters
    ----------
    metres, far_m
        (c, n) distance to the nearest facility of each category, in the near and far reading.
    limits_m
        (c,) of the first walker.
    """
    people = demand.households
    whole: dict[str, Floats] = {s.name: np.zeros(len(s.ids)) for s in demand.scopes}
    reached: dict[str, Floats] = {s.name: np.zeros(len(s.ids)) for s in demand.scopes}
    full = np.ones(len(demand), dtype=bool)
    for k, category in enumerate(categories):
        meant = meant_for(category, demand)
        here = np.where(meant, people, 0)
        inside = metres[k] <= limits_m[k]
        order = np.argsort(metres[k], kind="stable")
        for scope in demand.scopes:
            all_of, covered = scope.total(here), scope.total(here * inside)
            table.add_share(f"covered:{category.category}", scope, covered, all_of,
                            category.target_share)
            if far_m is not None:
                table.add_share(f"covered_far:{category.category}", scope,
                                scope.total(here * (far_m[k] <= limits_m[k])), all_of,
                                category.target_share)
            if scope.name in _DECILE_SCOPES:
                worst = find_quantiles(scope, here, metres[k], (_WORST,), order)[0]
                table.add(f"worst_decile_m:{category.category}", scope,
                          pd.array(worst, dtype="Float64"), "m", float(limits_m[k]))
            if category.required:
                whole[scope.name] += all_of
                reached[scope.name] += covered
        if category.required:
            full &= inside | ~meant
    if any(c.required for c in categories):
        for scope in demand.scopes:
            table.add_share("completeness", scope, reached[scope.name], whole[scope.name])
            table.add_share("full_circle", scope, scope.total(people * full), scope.total(people))


def choice_figures(table: Table, demand: Demand, category: Category, origin: Ints,
                   choice: int) -> None:
    """Add the share of households with so many facilities within the limit to choose from.

    Parameters
    ----------
    origin
        Row of demand of every pair of demand and facility within the limit.
    """
    here = np.where(meant_for(category, demand), demand.households, 0)
    many = np.bincount(origin, minlength=len(demand)) >= choice
    for scope in (s for s in demand.scopes if s.name in _CHOICE_SCOPES):
        table.add_share(f"choice:{category.category}", scope, scope.total(here * many),
                        scope.total(here))


def norm_figures(table: Table, city: Scope, facilities: gpd.GeoDataFrame, profile: Profile
                 ) -> None:
    """Add the share of existing facilities whose premises meet the norm, of those judged."""
    judged = (facilities["meets_norm"].notna() & (facilities["status"] != "proposed")
              ).to_numpy(dtype=bool)
    good = facilities["meets_norm"].fillna(False).to_numpy(dtype=bool)
    rows, number = explode_categories(facilities, profile.names)
    for k, category in enumerate(profile.categories):
        mine = rows[number == k]
        mine = mine[judged[mine]]
        asked = (category.min_area_urban_m2, category.min_area_rural_m2,
                 category.min_area_hub_m2)
        if mine.size and any(a is not None for a in asked):
            table.add_share(f"norm_share:{category.category}", city,
                            np.array([good[mine].sum()]), np.array([mine.size]))


def presence_figures(table: Table, city: Scope, facilities: gpd.GeoDataFrame,
                     communities: gpd.GeoDataFrame, profile: Profile) -> None:
    """Add the share of communities, or subdistricts, in which a category is present.

    Counted are communities of the kinds it is meant for; a subdistrict counts where one of its
    communities does. A facility on a shared border serves both sides.
    """
    towns = communities.sort_values("community_id", kind="stable")
    kinds = towns["kind"].fillna("urban").astype(str).to_numpy(dtype=object)
    rows, number = explode_categories(facilities, profile.names)
    existing = (facilities["status"] != "proposed").fillna(True).to_numpy(dtype=bool)
    at, town = shapely.STRtree(towns.geometry.to_numpy()).query(
        facilities.geometry.to_numpy(), predicate="intersects")
    units: Mapping[str, NDArray[np.object_]] = {
        per: towns[column].fillna("").astype(str).to_numpy(dtype=object)
        for per, column in (("community", "community_id"), ("subdistrict", "subdistrict_id"))}
    for category in profile.present:
        k = profile.names.index(category.category)
        mine = np.zeros(len(facilities), dtype=bool)
        mine[rows[number == k]] = True
        mine &= existing
        unit = units[category.per]
        wanted = {u for u, kind in zip(unit, kinds, strict=True)
                  if u and category.applies_to(str(kind))}
        there = {str(unit[t]) for f, t in zip(at.tolist(), town.tolist(), strict=True) if mine[f]}
        if wanted:
            table.add_share(f"presence:{category.category}", city,
                            np.array([len(wanted & there)]), np.array([len(wanted)]),
                            category.target_share)
