"""Who reaches what: the layer ``coverage``, place by place, and the figures that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.categories import Category
from gridplan.circle.demand import Demand, Floats, Ints, Scope
from gridplan.circle.ways import Reading, Ways
from gridplan.layers import LAYERS, conform
from gridplan.params import WALKERS

_COLUMNS = LAYERS["coverage"].names


def measure_coverage(ways: Ways, walkers: Sequence[str], *, suffix: str = "",
                     numbers: Sequence[int] | None = None) -> pd.DataFrame:
    """Return the layer ``coverage``.

    A household is covered where the nearest facility of the category is within the walker's
    limit. Where some way is uncertain, every row stands in two readings: ``near`` takes the best
    way, ``far`` the worst. ``nearest_m`` is the distance that half of all households of the place
    stay within, empty where half or more reach none; ``nearest_id`` the facility that is nearest
    to most of them.

    Parameters
    ----------
    suffix
        What is put behind the categories: ``:after`` for a second state of facilities.
    numbers
        The categories that are told, by their number; without it all of them.
    """
    readings: tuple[Reading, ...] = ("near", "far") if ways.doubtful else ("near",)
    ids = ways.facilities["facility_id"].astype(str).to_numpy(dtype=object)
    parts = []
    for number in range(len(ways.categories)) if numbers is None else numbers:
        category = ways.categories[number]
        for mode in dict.fromkeys(WALKERS[w][0] for w in walkers):
            here = [w for w in walkers if WALKERS[w][0] == mode]
            for reading in readings:
                found = ways.measure(mode, reading)
                parts += _tell(ways.demand, category, here, reading, found.distance_m[number],
                               found.target[number], ids, suffix)
    if not parts:
        return conform("coverage", pd.DataFrame({c: [] for c in _COLUMNS}))
    table = pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)
    order = {name: k for k, name in enumerate(walkers)}
    place = {s.name: k for k, s in enumerate(ways.demand.scopes)}
    keys = table.assign(scope=table["scope"].map(place), walker=table["walker"].map(order),
                        reading=table["reading"] == "far")
    rank = {name: k for k, name in enumerate(dict.fromkeys(table["category"]))}
    keys["category"] = table["category"].map(rank)
    keys = keys.sort_values(["scope", "scope_id", "category", "walker", "reading"],
                            kind="stable")
    return conform("coverage", table.loc[keys.index].reset_index(drop=True))


def _tell(demand: Demand, category: Category, walkers: Sequence[str], reading: str,
          metres: Floats, target: Ints, ids: NDArray[np.object_], suffix: str
          ) -> list[dict[str, object]]:
    """Return the rows of one category, mode and reading."""
    order = np.argsort(metres, kind="stable")
    out = []
    for scope in demand.scopes:
        all_of = scope.total(demand.households).astype(np.int64)
        median = find_quantiles(scope, demand.households, metres, (0.5,), order)[0]
        favourite = find_favourites(scope, demand.households, target)
        nearest = [ids[row] if row >= 0 else None for row in favourite.tolist()]
        for walker in walkers:
            limit_m = category.limit_of(walker)
            covered = scope.total(demand.households * (metres <= limit_m)).astype(np.int64)
            out.append({
                "scope": scope.name, "scope_id": scope.ids,
                "category": category.category + suffix, "walker": walker, "reading": reading,
                "limit_m": limit_m, "households": all_of, "covered": covered,
                "share": divide(covered, all_of), "nearest_id": nearest,
                "nearest_m": pd.array(median, dtype="Float64")})
    return out


def divide(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Any:
    """Return part ÷ whole as Float64, NA where there is no whole."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.asarray(part, dtype=np.float64) / np.asarray(whole, dtype=np.float64)
    return pd.array(np.where(np.asarray(whole) > 0, share, np.nan), dtype="Float64")


def find_quantiles(scope: Scope, households: Ints, metres: Floats, shares: Sequence[float],
                   order: Ints | None = None) -> list[Floats]:
    """Return, for each share, the least distance that so many households of a place stay within.

    NaN where nobody lives, or where the others reach nothing. For a half it is empty as well
    where exactly half reach nothing: then there is no middle.

    >>> city = Scope("city", np.array(["all"], dtype=object), np.zeros(3, dtype=np.int64))
    >>> [q.tolist() for q in find_quantiles(city, np.array([1, 1, 2]), np.array([5., 7., 9.]),
    ...                                     (0.5, 0.9))]
    [[7.0], [9.0]]
    >>> find_quantiles(city, np.array([1, 1, 2]), np.array([5., 7., np.inf]), (0.5,))[0].tolist()
    [nan]
    """
    order = np.argsort(metres, kind="stable") if order is None else order
    held = order[(scope.of[order] >= 0) & (households[order] > 0)]
    held = held[np.argsort(scope.of[held], kind="stable")]
    place = scope.of[held]
    running = np.cumsum(households[held])
    total = scope.total(households)
    before = np.concatenate([[0.0], np.cumsum(total)])[place]
    within = running - before
    reach = scope.total(households * np.isfinite(metres))
    out = []
    for share in shares:
        # Whole numbers of households, so that no rounding decides.
        need = np.maximum(np.ceil(share * total - 1e-9), 1.0)
        hit = np.flatnonzero(within >= need[place])
        first = hit[np.flatnonzero(np.diff(place[hit], prepend=-1))]
        found = np.full(len(total), np.nan)
        found[place[first]] = metres[held[first]]
        found[~np.isfinite(found)] = np.nan
        if share == 0.5:
            found[2 * (total - reach) >= total] = np.nan
        out.append(found)
    return out


def find_favourites(scope: Scope, households: Ints, target: Ints) -> Ints:
    """Return the row that is the target of most households of each place, -1 for none.

    Of equal ones the first row.

    >>> city = Scope("city", np.array(["all"], dtype=object), np.zeros(3, dtype=np.int64))
    >>> find_favourites(city, np.array([1, 1, 2]), np.array([4, 4, 1])).tolist()
    [1]
    """
    best = np.full(len(scope.ids), -1, dtype=np.int64)
    held = np.flatnonzero((scope.of >= 0) & (target >= 0) & (households > 0))
    if not held.size:
        return best
    width = int(target.max()) + 1
    pair, at = np.unique(scope.of[held] * width + target[held], return_inverse=True)
    weight = np.bincount(at, households[held].astype(np.float64))
    place, row = pair // width, pair % width
    order = np.lexsort((row, -weight, place))
    first = order[np.flatnonzero(np.diff(place[order], prepend=-1))]
    best[place[first]] = row[first]
    return best
