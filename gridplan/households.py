"""Buildings → households: whole numbers that add up, each with where it comes from.

What is given stays. What is missing is estimated from the population, else from the floor
area, and rounded within its community so that no household appears or vanishes; where a
community has a total, the estimates carry what the given counts leave of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.errors import Findings, TallyRow, first_ids
from gridplan.layers import SOURCES
from gridplan.params import HouseholdParams

Trust = Literal["totals", "buildings"]

_FIXED = ("given", "ledger")
_MEASURES = ("households", "population", "floors", "height_m", "living_m2")
_LARGE = 1000  # a single building of this many households is told, so that a slip is seen
_ODD_FACTOR = 2.0  # estimates off by more than this, up or down, are told
_NOISE = 9  # decimals kept where floats are compared or rounded up and down


def estimate_households(buildings: gpd.GeoDataFrame, params: HouseholdParams, findings: Findings,
                        *, totals: pd.Series | None = None,
                        trust: Trust | None = None) -> pd.DataFrame:
    """Say how many households live in each building.

    A count in the column ``households`` stays; its source is ``given``, or ``ledger`` where
    ``households_source`` says so. The others are estimated, by the first that is known:

    ========== =====================================================================
    population population / household size
    floors     living area, or floors × footprint × efficiency × share,
               / gross area of a dwelling
    height     the same with floors = height / storey height
    default    the same with the default number of floors
    ========== =====================================================================

    where *share* is the residential share of the building's use. A use without a share, and a
    footprint below the minimum, give 0.

    Parameters
    ----------
    buildings
        The columns of ``INPUTS["buildings"]``, indexed by building_id, in a projected CRS in
        metres. Where no row has a community_id, all of them count as one community.
    params
        The figures of the estimate.
    findings
        Receives faults, warnings and the tally row of this stage.
    totals
        Households per community_id that the buildings must add up to.
    trust
        Which side wins where the totals cannot be met: ``totals`` scales the given counts too,
        ``buildings`` leaves such a total aside with a warning.

    Returns
    -------
    pandas.DataFrame
        ``households``, ``households_low``, ``households_high`` (Int64) and
        ``households_source`` (string) on the index of ``buildings``, in its order.

    Raises
    ------
    InputError
        A measure is negative, a total is not a whole number, or the given counts exceed the
        total of a community or nothing can carry what they leave of it.

    Examples
    --------
    >>> import shapely
    >>> from gridplan.layers import conform_input
    >>> houses = conform_input("buildings", gpd.GeoDataFrame(
    ...     {"building_id": ["a", "b"], "households": [7, None], "floors": [6, 6],
    ...      "use": ["house", "apartments"]},
    ...     geometry=[shapely.box(0, 0, 20, 10), shapely.box(30, 0, 50, 20)], crs=32650))
    >>> estimate_households(houses, HouseholdParams(), Findings())["households"].tolist()
    [7, 20]
    """
    _check_measures(buildings, findings)
    wanted = _check_totals(totals, findings)
    findings.stop_on_faults()
    estimate = _estimate(buildings, params)
    town = _group(buildings, estimate, wanted)
    targets = _settle(town, trust, findings)
    findings.stop_on_faults()
    households = _share_out(town, targets)
    return _result(buildings, estimate, households, params, findings)


@dataclass(frozen=True)
class _Estimate:
    """Households before rounding, per building; ``fixed`` ones are counted, not estimated."""

    value: np.ndarray
    source: np.ndarray
    fixed: np.ndarray


@dataclass(frozen=True)
class _Town:
    """The estimate by community, and what each community sums to.

    ``group`` is the community of each building by number; the arrays from ``given`` on have one
    entry per community of ``names``; ``total`` is NaN where a community has none.
    """

    names: np.ndarray
    group: np.ndarray
    rank: np.ndarray
    estimate: _Estimate
    given: np.ndarray
    estimated: np.ndarray
    total: np.ndarray


def _check_measures(buildings: gpd.GeoDataFrame, findings: Findings) -> None:
    for column in _MEASURES:
        values = buildings[column].to_numpy(dtype=float, na_value=np.nan)
        bad = buildings.index[values < 0]
        if len(bad):
            findings.add("households.negative", layer="buildings", row=first_ids(bad),
                         field=column, count=len(bad))


def _check_totals(totals: pd.Series | None, findings: Findings) -> pd.Series:
    """Return the totals that are known, as whole floats by text id, sorted."""
    if totals is None:
        return pd.Series(dtype=float)
    values = pd.to_numeric(totals, errors="coerce").astype("Float64")
    known = pd.Series(values.to_numpy(dtype=float, na_value=np.nan), index=totals.index.map(str))
    lost = known.isna().to_numpy() & totals.notna().to_numpy()
    bad = known.index[lost | (known < 0).to_numpy() | (known % 1 > 0).to_numpy()
                      | np.isinf(known.to_numpy())]
    twice = known.index[known.index.duplicated()].unique()
    for key, ids in (("households.bad_total", bad), ("households.duplicate_total", twice)):
        if len(ids):
            findings.add(key, layer="totals", row=first_ids(ids), field="households",
                         count=len(ids))
    return known.dropna().sort_index(kind="stable")


def _estimate(buildings: gpd.GeoDataFrame, params: HouseholdParams) -> _Estimate:
    def measure(column: str) -> np.ndarray:
        return buildings[column].to_numpy(dtype=float, na_value=np.nan)

    counted, population = measure("households"), measure("population")
    living, floors, height = measure("living_m2"), measure("floors"), measure("height_m")
    use = buildings["use"].fillna("").str.strip().str.lower()
    share = use.map(dict(params.residential_share)).fillna(0.0).to_numpy(dtype=float)
    footprint = buildings.geometry.area.to_numpy()

    by_floors, by_height = floors > 0, height > 0
    levels = np.select([by_floors, by_height], [floors, height / params.storey_height_m],
                       params.default_floors)
    floor_area = np.where(footprint < params.minimum_footprint_m2, 0.0,
                          levels * footprint * share * params.efficiency)
    # A living area is net of stairs and of shops: neither efficiency nor share is taken again.
    has_living = living > 0
    area = np.where(has_living & (share > 0), living, np.where(has_living, 0.0, floor_area))
    has_count, has_people = ~np.isnan(counted), ~np.isnan(population)
    value = np.select([has_count, has_people], [counted, population / params.household_size],
                      area / params.gross_area_per_dwelling_m2)
    told = buildings["households_source"].where(buildings["households_source"].isin(SOURCES))
    source = np.select(
        [has_count, has_people, has_living | by_floors, by_height],
        [told.fillna("given").to_numpy(dtype=object), "population", "floors", "height"],
        "default").astype(object)
    fixed = has_count & np.isin(source.astype(str), _FIXED)
    return _Estimate(np.round(np.asarray(value, dtype=float), _NOISE), source, fixed)


def _group(buildings: gpd.GeoDataFrame, estimate: _Estimate, totals: pd.Series) -> _Town:
    community = buildings["community_id"].fillna("").to_numpy(dtype=object).astype(str)
    names = np.unique(np.concatenate([community, totals.index.to_numpy(dtype=object).astype(str)]))
    group = np.searchsorted(names, community)
    # Sums are taken in the order of the ids, so that the order of the rows changes no bit.
    rank = np.argsort(buildings.index.to_numpy(dtype=object).astype(str), kind="stable")

    def by_group(kept: np.ndarray) -> np.ndarray:
        weights = np.where(kept, estimate.value, 0.0)[rank]
        return np.bincount(group[rank], weights=weights, minlength=len(names))

    total = totals.reindex(names).to_numpy(dtype=float)
    return _Town(names, group, rank, estimate, by_group(estimate.fixed),
                 by_group(~estimate.fixed), total)


def _settle(town: _Town, trust: Trust | None, findings: Findings) -> np.ndarray:
    """Return what each community must sum to; NaN where its buildings alone decide.

    A community whose counts cannot be reconciled with its total is a fault, unless ``trust``
    says which side wins.
    """
    target = town.total.copy()
    rest = town.total - town.given
    above, bare = rest < 0, (rest > 0) & (town.estimated <= 0)
    _compare(town, rest, above | bare, findings)
    for at in np.flatnonzero(above | bare):
        key = "households.given_above_total" if above[at] else "households.no_carrier"
        values = {"community": town.names[at], "total": int(town.total[at]),
                  "given": int(town.given[at]), "difference": abs(int(rest[at]))}
        if trust == "buildings":
            target[at] = np.nan
            key, outcome = "households.total_ignored", "warning"
        elif trust == "totals" and town.given[at] > 0:
            key, outcome = "households.given_scaled", "warning"
        else:
            outcome = "ask" if trust is None else "error"
        findings.add(key, outcome, layer="totals",  # type: ignore[arg-type]
                     row=town.names[at], field="households", **values)
    return target


def _compare(town: _Town, rest: np.ndarray, settled: np.ndarray, findings: Findings) -> None:
    """Tell where a total differs from the counts, and where it strains the estimates."""
    differs = (rest != 0) & ~np.isnan(rest) & (town.given > 0) & ~settled
    for at in np.flatnonzero(differs):
        findings.add("households.total_differs", "warning", layer="totals", row=town.names[at],
                     field="households", community=town.names[at], total=int(town.total[at]),
                     given=int(town.given[at]), estimated=round(float(town.estimated[at])),
                     carried=int(rest[at]))
    carried = (town.estimated > 0) & (rest >= 0)
    factor = np.divide(rest, town.estimated, out=np.ones_like(rest), where=carried)
    odd = np.flatnonzero((factor > _ODD_FACTOR) | (factor < 1 / _ODD_FACTOR))
    if len(odd):
        findings.add("households.odd_scale", "warning", layer="totals",
                     row=first_ids(town.names[odd]), field="households", count=len(odd),
                     low=f"{factor[odd].min():.2f}", high=f"{factor[odd].max():.2f}")


def _share_out(town: _Town, target: np.ndarray) -> np.ndarray:
    """Return whole households per building, adding up to ``target`` in each community."""
    estimate, group = town.estimate, town.group
    rest = np.where(np.isnan(target), np.floor(town.estimated + 0.5), target - town.given)
    # Where trust in the total has put it against the counts, these are shared out as well.
    all_in = (rest < 0) | ((rest > 0) & (town.estimated <= 0))
    free = ~estimate.fixed | all_in[group]
    rest = np.where(all_in, target, rest)
    weight = town.estimated + np.where(all_in, town.given, 0.0)
    bound = ~np.isnan(target) & (weight > 0)
    factor = np.divide(rest, weight, out=np.ones_like(rest), where=bound)
    value = np.where(free, estimate.value * factor[group], estimate.value)
    whole = round_to_sums(value[town.rank][free[town.rank]],
                          group[town.rank][free[town.rank]], rest)
    out = value.copy()
    out[town.rank[free[town.rank]]] = whole
    return np.rint(out).astype(np.int64)


def round_to_sums(values: np.ndarray, group: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Round ``values`` so that each group adds up to its sum, by largest remainder.

    Parameters
    ----------
    values
        Non-negative floats, n.
    group
        The group of each value: integers from 0, n.
    sums
        The whole number that each group is to add up to, one per group; within a half of
        what it adds up to before rounding.

    Returns
    -------
    numpy.ndarray
        Whole numbers as floats, n; of equal remainders the earlier one is rounded up.

    Examples
    --------
    >>> round_to_sums(np.array([1.5, 1.5, 2.2]), np.array([0, 0, 1]), np.array([3, 2])).tolist()
    [2.0, 1.0, 2.0]
    """
    rounded = np.round(values, _NOISE)
    base = np.floor(rounded)
    remainder = np.round(rounded - base, _NOISE)
    missing = sums - np.bincount(group, weights=base, minlength=len(sums))
    order = np.lexsort((np.arange(len(values)), -remainder, group))
    start = np.searchsorted(group[order], np.arange(len(sums)))
    place = np.arange(len(values)) - start[group[order]]
    base[order] += place < missing[group[order]]
    return base


def _result(buildings: gpd.GeoDataFrame, estimate: _Estimate, households: np.ndarray,
            params: HouseholdParams, findings: Findings) -> pd.DataFrame:
    spread = np.where(estimate.fixed, 0.0, params.spread)
    low = np.floor(np.round(households * (1 - spread), _NOISE))
    high = np.ceil(np.round(households * (1 + spread), _NOISE))
    large = buildings.index[households >= _LARGE]
    if len(large):
        findings.add("households.large_building", "warning", layer="buildings",
                     row=first_ids(large), field="households", count=len(large), limit=_LARGE)
    counted = int(np.where(estimate.fixed, estimate.value, 0.0).sum())
    total = int(households.sum())
    findings.tally.append(TallyRow("households", "buildings", len(buildings), len(buildings),
                                   households_in=counted, households_out=total,
                                   note=f"estimated: {total - counted}"))
    return pd.DataFrame({
        "households": pd.array(households, dtype="Int64"),
        "households_low": pd.array(low.astype(np.int64), dtype="Int64"),
        "households_high": pd.array(high.astype(np.int64), dtype="Int64"),
        "households_source": pd.array(estimate.source, dtype="string"),
    }, index=buildings.index)
