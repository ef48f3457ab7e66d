"""How much better a division could be: a bound on the weighted border of every community.

The bound speaks of the finished division, in the metric that the plan tells (metres × factor of
what a border follows), not in the weights that the search took. No division of a community into
grids has less weighted border that

* leaves alone what is no part of the cut: special places, single buildings above the range,
  locked grids, land taken out for want of households, and parts with fewer households than a
  grid needs,
* divides every other part into grids in range, each connected by borders of a metre or more,
* straddles no major line between two sides that this division keeps apart,
* keeps in one grid whatever must-link, and whatever estate (inside a block), this one keeps so.

It allows more than the search does: borders that nobody can walk across may be crossed, estates
may be torn that fill more than a block or lie in several grids. Where a part has a grid out of
range there is nothing to compare with, and no bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.layers import Units
from gridplan.params import Effort, Range
from gridplan.partition.borders import weigh_borders
from gridplan.partition.graph import Contacts, Floats, Ints, components
from gridplan.regions import Cut, Graph, bound_cut, limit_work

# Bounds are proven to this share of the border; below it a gap is none, and a bound is none too.
SURE = 1e-6
_OUT_OF_RANGE = ("under", "over", "unproven")


@dataclass(frozen=True)
class Division:
    """A finished division, by units: the grid (position) and the households of each.

    ``contacts`` are those of units of one community; units of one number in ``whole``, all of one
    grid, are to stay together.
    """

    grid_of: Ints
    households: Ints
    contacts: Contacts
    whole: Ints


def hold_whole(grid_of: Ints, sets: Iterable[Ints]) -> Ints:
    """Give the units one number where they are of a set that lies in one grid.

    >>> hold_whole(np.array([0, 0, 0, 1]), [np.array([0, 2]), np.array([1, 3])]).tolist()
    [0, 1, 0, 2]
    """
    none = np.empty(0, dtype=np.int64)
    kept = [held for held in sets if len(np.unique(grid_of[held])) == 1]
    return components(len(grid_of), np.concatenate([none, *(held[:-1] for held in kept)]),
                      np.concatenate([none, *(held[1:] for held in kept)]))


def list_estates(estate: Ints, block: NDArray[np.object_]) -> list[Ints]:
    """Return the units of each estate inside each block; ``estate`` is -1 for none.

    >>> [s.tolist() for s in list_estates(np.array([0, -1, 0, 0]), np.array(list("aaba")))]
    [[0, 3], [2]]
    """
    named = np.flatnonzero(estate >= 0)
    by = pd.DataFrame({"estate": estate[named], "block": block[named]}).groupby(
        ["estate", "block"], sort=True).indices
    return [named[rows] for rows in by.values()]


def bound_communities(division: Division, grids: pd.DataFrame, borders: pd.DataFrame,
                      units: Units, ranges: Mapping[str, Range],
                      factors: Sequence[float], effort: Effort) -> pd.DataFrame:
    """Bound the weighted border of every community.

    Parameters
    ----------
    division
        What was decided; its grids are the rows of ``grids``.
    grids, borders
        As the plan tells them.
    units
        The units that ``division`` speaks of, for the borders between them.
    ranges
        Range of every community.
    factors
        Weight of a metre of border by its class.
    effort
        How hard to look; more effort gives higher bounds.

    Returns
    -------
    DataFrame
        By community_id ``weighted_border`` and ``bound`` (weighted metres) and ``gap`` =
        weighted_border/bound − 1. The bound is NA where a part has a grid out of range, the gap
        also where the bound is 0.
    """
    owner = grids["community_id"].to_numpy(dtype=object)
    number = grids["part"].to_numpy(dtype=np.int64)
    stuck = (number > 0) & grids["status"].isin(_OUT_OF_RANGE).to_numpy(dtype=bool)
    part = pd.DataFrame({"owner": owner, "part": number}).groupby(
        ["owner", "part"], sort=True).ngroup().to_numpy()
    border = _sum_borders(grids, borders, factors)
    inner = _sum_inner(units, division.grid_of, part, factors)
    part_of = part[division.grid_of]
    rows = []
    for name in sorted(ranges):
        mine = owner == name
        whole, bound = border.get(name, 0.0), np.nan
        if not stuck[mine].any():
            spare = 0.0  # what a better division of the parts could save at most
            for one, count in zip(*np.unique(part[mine & (number > 0)], return_counts=True),
                                  strict=True):
                if count > 1:
                    members = np.flatnonzero(part_of == one)
                    spare += inner[one] - bound_part(division, members, ranges[name],
                                                     limit_work(len(members), effort))
            bound = _settle(whole, whole - spare)
        rows.append((name, whole, bound, whole / bound - 1 if bound > 0 else np.nan))
    return pd.DataFrame(rows, columns=["community_id", "weighted_border", "bound", "gap"]
                        ).set_index("community_id").astype("Float64")


def bound_part(division: Division, members: Ints, limits: Range, work: int) -> float:
    """Return a weighted border that no division of one part falls below.

    Parameters
    ----------
    members
        The units of the part, all in grids in range.
    work
        Most steps spent.
    """
    near = division.contacts.among(members, len(division.grid_of))
    grid = np.unique(division.grid_of[members], return_inverse=True)[1].ravel()
    node, first, group = np.unique(division.whole[members], return_index=True,
                                   return_inverse=True)
    joined = ~near.major | (grid[near.a] == grid[near.b])
    side = components(len(members), near.a[joined], near.b[joined])
    between = near.grouped(group.ravel())
    graph = Graph(households=np.bincount(group.ravel(), division.households[members],
                                         minlength=len(node)).astype(np.int64),
                  u=between.a.astype(np.int32), v=between.b.astype(np.int32),
                  weight=between.weight, major=between.major)
    cut = Cut(grid[first].astype(np.int32), int(grid.max()) + 1, 0.0, 0, "ok", "",
              side[first].astype(np.int32))
    return bound_cut(graph, limits.low, limits.high, cut, work=work).value


def gap_figures(told: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the figures that sum the bounds up, over the communities that have one.

    Of ``weighted_border_gap`` the numerator is their weighted border, the denominator their
    bound, which is also the value of ``weighted_border_bound``.
    """
    known = told[told["bound"].notna()]
    border, bound = (float(known[c].sum()) for c in ("weighted_border", "bound"))
    rows = (("weighted_border_bound", bound if len(known) else None, "weighted m", None, None),
            ("weighted_border_gap", border / bound - 1 if bound > 0 else None, "share", border,
             bound))
    return pd.DataFrame([{"name": name, "scope": "city", "scope_id": "all", "value": value,
                          "unit": unit, "target": None, "numerator": part, "denominator": whole}
                         for name, value, unit, part, whole in rows])


def _settle(border: float, bound: float) -> float:
    """Return a bound without what rounding adds to it: at least 0, at most the border."""
    if bound >= border * (1 - SURE):
        return border
    return bound if bound > border * SURE else 0.0


def _sum_borders(grids: pd.DataFrame, borders: pd.DataFrame,
                 factors: Sequence[float]) -> dict[str, float]:
    """Return the weighted border of every community that has one."""
    owner = borders["grid_a"].map(dict(zip(grids["grid_id"], grids["community_id"], strict=True)))
    total = pd.Series(weigh_borders(borders, factors)).groupby(owner.to_numpy(dtype=object)).sum()
    return {str(name): float(value) for name, value in total.items()}


def _sum_inner(units: Units, grid_of: Ints, part: Ints, factors: Sequence[float]) -> Floats:
    """Return the weighted border between the grids of each part, however short its pieces."""
    pieces = units.borders
    a, b = grid_of[pieces.left], grid_of[pieces.right]
    keep = (a != b) & (part[a] == part[b])
    weight = pieces.length_m * np.asarray(factors)[pieces.border_class]
    return np.bincount(part[a[keep]], weight[keep],
                       minlength=int(part.max(initial=0)) + 1).astype(np.float64)
