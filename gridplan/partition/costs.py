"""What moving a border would cost: the cheapest way to hand a unit across it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.layers import Units
from gridplan.partition.graph import Contacts, Floats, Ints

Flags = NDArray[np.bool_]

_jit = numba.njit(cache=True, nogil=True)


@dataclass(frozen=True)
class Web:
    """What moves are judged by: the units, how they touch, and the grids they form.

    ``grid_of``, ``households`` and ``pinned`` are of every unit, ``pinned`` whether what belongs
    to it would be parted; ``a`` and ``b`` are the pairs of units that touch by a metre or more,
    each once, ``easy`` whether nothing that grids should not lie across runs between them;
    ``left``, ``right`` and ``weight`` are all pieces of
    border between units of one community, however short; ``low``, ``high`` and ``fixed`` are of
    every grid: its range, and whether it neither gives nor takes.
    """

    grid_of: Ints
    households: Ints
    a: Ints
    b: Ints
    left: Ints
    right: Ints
    weight: Floats
    low: Ints
    high: Ints
    fixed: Flags
    easy: Flags
    pinned: Flags

    def fits(self, grid: Ints, change: Ints) -> Flags:
        """Tell where a change of households takes a grid no farther from its range than it is."""
        now = np.bincount(self.grid_of, self.households, minlength=len(self.low)).astype(
            np.int64)[grid]
        off = [np.maximum(np.maximum(self.low[grid] - h, h - self.high[grid]), 0)
               for h in (now + change, now)]
        return off[0] <= off[1]


def add_move_costs(borders: pd.DataFrame, grids: pd.DataFrame, units: Units, grid_of: Ints,
                   contacts: Contacts, pinned: Flags, low: Ints, high: Ints,
                   factors: Sequence[float]) -> pd.DataFrame:
    """Return the borders with ``move_cost``, the same in all rows of a pair of grids.

    The cost is the least rise of the weighted border (weighted metres) by which one unit can be
    handed to the grid on the other side or, where none can, two be exchanged, one from each side.
    A unit goes only where its grid hangs together without it. No grid may vanish, leave its range
    or, where it is outside already, get farther from it. NA where there is no such move: as
    things are, the border stays.

    A unit goes only to a grid that it touches where one can walk across and where no main road,
    railway or river runs, and leaves no more pieces behind that hang together by such borders
    than there were. What is ``pinned`` does not go. Special grids, buildings with a grid of their
    own and locked grids neither give nor take. Zero or less is possible: by its weighted metres
    alone, the other place for the border is as good, or better.

    Parameters
    ----------
    grid_of
        Position in ``grids`` of every unit of ``units.frame``.
    contacts
        The units of a community that share a metre of border.
    pinned
        The units whose move would part an estate or a must-link.
    low, high
        Range of every grid.
    factors
        Weight of a metre of border by its class.
    """
    pieces = units.borders
    owner = pd.factorize(grids["community_id"])[0]
    inside = owner[grid_of[pieces.left]] == owner[grid_of[pieces.right]]
    fixed = ((grids["part"] == 0) | grids["locked"].fillna(value=False)).to_numpy(dtype=bool)
    web = Web(grid_of, units.frame["households"].to_numpy(dtype=np.int64), contacts.a, contacts.b,
              pieces.left[inside], pieces.right[inside],
              pieces.length_m[inside] * np.asarray(factors)[pieces.border_class[inside]],
              low, high, fixed, contacts.open & ~contacts.major, pinned)
    ids = pd.Index(grids["grid_id"].to_numpy(dtype=object))
    a, b = (ids.get_indexer(borders[c].to_numpy(dtype=object)) for c in ("grid_a", "grid_b"))
    least = find_moves(web).groupby(["one", "other"])["cost"].min()
    cost = least.reindex(pd.MultiIndex.from_arrays(
        [np.minimum(a, b), np.maximum(a, b)])).to_numpy()
    value = pd.array(np.round(cost, 2), dtype="Float64")
    value[np.isnan(cost)] = pd.NA
    return borders.assign(move_cost=value)


def pin_units(grid_of: Ints, households: Ints, high: Ints, bundle: Ints,
              links: Sequence[Ints]) -> Flags:
    """Tell which units belong to an estate or must-link that lies whole in their grid.

    Of an estate the units with households count; one of more than the range holds may be cut.

    Parameters
    ----------
    grid_of, households
        Of every unit.
    high
        Upper end of the range of every grid.
    bundle
        Number of each unit's estate inside its block and community, -1 for none.
    links
        For each must-link its units.

    >>> pin_units(np.array([0, 0, 0, 1]), np.array([9, 9, 9, 9]), np.array([20, 20]),
    ...           np.array([0, 0, -1, -1]), [np.array([2, 3])]).tolist()
    [True, True, False, False]
    """
    pinned = np.zeros(len(grid_of), dtype=bool)
    held = np.flatnonzero((bundle >= 0) & (households > 0))
    table = pd.DataFrame({"bundle": bundle[held], "grid": grid_of[held],
                          "load": households[held]}).groupby("bundle")
    whole = ((table["grid"].transform("nunique") == 1) & (table["grid"].transform("size") > 1)
             & (table["load"].transform("sum") <= high[grid_of[held]]))
    pinned[held[whole.to_numpy(dtype=bool)]] = True
    for units in links:
        if len(units) > 1 and len(np.unique(grid_of[units])) == 1:
            pinned[units] = True
    return pinned


def find_moves(web: Web) -> pd.DataFrame:
    """Return the moves across each border: single units or, where none can go, exchanges.

    Returns
    -------
    DataFrame
        one, other (grids, one < other), unit, back (the unit that comes back, -1 for none) and
        cost, the change of Σ weight between grids.
    """
    steps = _find_steps(web)
    gifts = steps[web.fits(steps["source"].to_numpy(), -steps["moved"].to_numpy())
                  & web.fits(steps["target"].to_numpy(), steps["moved"].to_numpy())]
    pair = steps["one"] * len(web.low) + steps["other"]
    stuck = steps[~pair.isin(pair[gifts.index])]
    columns = ["one", "other", "unit", "back", "cost"]
    return pd.concat([gifts.assign(back=-1)[columns], _find_swaps(web, stuck)[columns]],
                     ignore_index=True)


def _find_steps(web: Web) -> pd.DataFrame:
    """Return every unit that its grid can do without, with each grid it can go to.

    Columns: one, other, unit, source, target, moved (households), cost and links, the number of
    units there that it touches across an easy border.
    """
    grid_of, count = web.grid_of, len(web.low)
    size = np.bincount(grid_of, minlength=count)
    near = grid_of[web.a] == grid_of[web.b]
    stuck = web.pinned.copy()
    for held in (near, near & web.easy):
        stuck |= find_cut_units(len(grid_of), web.a[held], web.b[held])
    over = ~near & web.easy
    a, b = web.a[over], web.b[over]
    step, links = np.unique(np.concatenate([a * count + grid_of[b], b * count + grid_of[a]]),
                            return_counts=True)
    unit, target = step // count, step % count
    source = grid_of[unit]
    free = ~stuck[unit] & (size[source] > 1) & ~web.fixed[source] & ~web.fixed[target]
    unit, target, source, step = unit[free], target[free], source[free], step[free]
    same = grid_of[web.left] == grid_of[web.right]
    inner, outer = web.weight[same], web.weight[~same]
    kept = np.bincount(np.concatenate([web.left[same], web.right[same]]), np.tile(inner, 2),
                       minlength=len(grid_of))
    out, back = web.left[~same], web.right[~same]
    place, known = _find(step, np.concatenate([out * count + grid_of[back],
                                               back * count + grid_of[out]]))
    saved = np.bincount(place[known], np.tile(outer, 2)[known], minlength=len(step))
    return pd.DataFrame({
        "one": np.minimum(source, target), "other": np.maximum(source, target), "unit": unit,
        "source": source, "target": target, "moved": web.households[unit],
        "cost": kept[unit] - saved, "links": links[free]})


def _find_swaps(web: Web, steps: pd.DataFrame) -> pd.DataFrame:
    """Return the exchanges of two units, each of which touches more than the other beyond."""
    ahead = steps["source"] < steps["target"]
    both = steps[ahead].merge(steps[~ahead], on=["one", "other"], suffixes=("", "_back"))
    u, v = both["unit"].to_numpy(), both["unit_back"].to_numpy()
    change = (both["moved_back"] - both["moved"]).to_numpy()
    n = len(web.grid_of)
    joined = np.sort(web.a[web.easy] * n + web.b[web.easy])
    beside = _find(joined, np.minimum(u, v) * n + np.maximum(u, v))[1]
    keep = (web.fits(both["one"].to_numpy(), change) & web.fits(both["other"].to_numpy(), -change)
            & (both["links"].to_numpy() > beside) & (both["links_back"].to_numpy() > beside))
    both, u, v = both[keep], u[keep], v[keep]
    # What lies between the two is saved by neither: it was a border and is one again.
    key = np.minimum(web.left, web.right) * n + np.maximum(web.left, web.right)
    pairs, row = np.unique(key, return_inverse=True)
    place, known = _find(pairs, np.minimum(u, v) * n + np.maximum(u, v))
    shared = np.append(np.bincount(row, web.weight, minlength=len(pairs)), 0.0)[
        np.where(known, place, -1)]
    return both.assign(back=v, cost=both["cost"] + both["cost_back"] + 2 * shared)


def _find(ordered: Ints, wanted: Ints) -> tuple[Ints, Flags]:
    """Return where each of ``wanted`` stands in an ascending array, and whether it does."""
    place = np.searchsorted(ordered, wanted)
    known: Flags = np.append(ordered, -1)[place] == wanted
    return place, known


def find_cut_units(count: int, a: Ints, b: Ints) -> Flags:
    """Tell for each of ``count`` units whether what it touches falls apart without it.

    >>> find_cut_units(3, np.array([0, 1]), np.array([1, 2])).tolist()
    [False, True, False]
    """
    ends = np.concatenate([a, b])
    others = np.concatenate([b, a])[np.argsort(ends, kind="stable")]
    start = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(ends, minlength=count), out=start[1:])
    found: Flags = _mark_cuts(start, others)
    return found


@_jit
def _mark_cuts(start: Ints, other: Ints) -> Flags:
    """Mark the articulation points of a graph in one walk (Tarjan's low points).

    A unit cuts when, seen from where the walk came, something below it reaches nothing
    above it; where the walk began it cuts when the walk left it twice.
    """
    n = len(start) - 1
    cut = np.zeros(n, np.bool_)
    order = np.zeros(n, np.int64)
    reach = np.zeros(n, np.int64)
    parent = np.full(n, -1, np.int64)
    at = start[:-1].copy()
    clock = 0
    for root in range(n):
        if order[root]:
            continue
        clock += 1
        order[root] = reach[root] = clock
        branches, x = 0, root
        while x >= 0:
            if at[x] < start[x + 1]:
                y = other[at[x]]
                at[x] += 1
                if not order[y]:
                    clock += 1
                    order[y] = reach[y] = clock
                    parent[y] = x
                    branches += x == root
                    x = y
                elif y != parent[x]:
                    reach[x] = min(reach[x], order[y])
                continue
            up = parent[x]
            if up >= 0:
                reach[up] = min(reach[up], reach[x])
                if up != root and reach[x] >= order[up]:
                    cut[up] = True
            x = up
        cut[root] = branches > 1
    return cut
