"""A grid that lies round another one is opened: a strip of it goes to the one inside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.layers import Units, one_polygon
from gridplan.params import Range
from gridplan.partition.constraints import Wishes, find_way
from gridplan.partition.cutting import CutCommunity, Grid
from gridplan.partition.graph import MIN_SHARED_M, Contacts, Ints, components


def open_rings(cut: CutCommunity, units: Units, contacts: Contacts, limits: Range,
               wishes: Wishes) -> CutCommunity:
    """Open the grids that lie round another, where both then stay in range and in one piece.

    The strip is the one of fewest households. It tears no estate and no must-link, and crosses
    nothing that a grid should not straddle.
    """
    load = units.frame["households"].to_numpy()
    owner = np.full(len(load), -1, dtype=np.int64)
    for k, grid in enumerate(cut.grids):
        owner[grid.members] = k
    grids = list(cut.grids)
    a, b = owner[contacts.a], owner[contacts.b]
    apart = (a != b) & (a >= 0) & (b >= 0)
    pairs = np.unique(np.stack([np.concatenate([a[apart], b[apart]]),
                                np.concatenate([b[apart], a[apart]])]), axis=1)
    alone = np.flatnonzero(np.bincount(pairs[0], minlength=len(grids)) == 1)
    whole = _together(wishes, owner) if len(alone) else []
    for k in alone.tolist():
        inner, outer = k, int(pairs[1][pairs[0] == k][0])
        if not all(grids[g].is_cut and grids[g].status == "ok" for g in (inner, outer)):
            continue
        strip = _find_strip(grids[inner], grids[outer], units, contacts, load)
        if strip is None or any(0 < np.isin(held, strip).sum() < len(held) for held in whole
                                if owner[held[0]] == outer):
            continue
        rest = np.setdiff1d(grids[outer].members, strip)
        grown = np.union1d(grids[inner].members, strip)
        if (load[grown].sum() <= limits.high and load[rest].sum() >= limits.low
                and _hangs_together(rest, contacts, len(load))
                and _holes(units, rest) + _holes(units, grown) < _holes(
                    units, grids[outer].members) + _holes(units, grids[inner].members)):
            grids[inner] = replace(grids[inner], members=grown)
            grids[outer] = replace(grids[outer], members=rest)
            owner[strip] = inner
    return replace(cut, grids=grids)


def _together(wishes: Wishes, owner: Ints) -> list[Ints]:
    """Return the sets of units, each in one grid, that are not to be torn."""
    estate = wishes.estate
    order = np.argsort(estate, kind="stable")
    order = order[estate[order] >= 0]
    estates = np.split(order, np.flatnonzero(np.diff(estate[order])) + 1) if len(order) else []
    return [held for held in (*estates, *wishes.links)
            if len(held) > 1 and owner[held[0]] >= 0 and len(np.unique(owner[held])) == 1]


def _find_strip(inner: Grid, outer: Grid, units: Units, contacts: Contacts,
                load: Ints) -> Ints | None:
    """Return the units of fewest households that lead from the inner grid out of the outer one."""
    shape = _union(units, outer.members)
    if not shapely.get_num_interior_rings(shape):
        return None
    polygon = units.frame.geometry.to_numpy()[outer.members]
    shared = shapely.length(shapely.intersection(shapely.boundary(polygon),
                                                 shapely.get_exterior_ring(shape)))
    rim = outer.members[shared >= MIN_SHARED_M]
    inside = np.zeros(len(load), dtype=bool)
    inside[inner.members] = inside[outer.members] = True
    near = contacts.take(contacts.open & ~contacts.major & inside[contacts.a]
                         & inside[contacts.b])
    way = find_way(inner.members, rim, near, load) if len(rim) else None
    return None if way is None else np.setdiff1d(way, inner.members)


def _union(units: Units, members: Ints) -> shapely.Geometry:
    polygon: NDArray[np.object_] = units.frame.geometry.to_numpy()
    return one_polygon(shapely.coverage_union_all(polygon[members]))


def _holes(units: Units, members: Ints) -> int:
    return int(shapely.get_num_interior_rings(_union(units, members)))


def _hangs_together(members: Ints, contacts: Contacts, count: int) -> bool:
    near = contacts.take(contacts.open).among(members, count)
    return not components(len(members), near.a, near.b).any()
