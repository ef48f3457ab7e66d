"""Estates stay whole while they fit: cut with estates held together, let go only where it fails."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.layers import Units, name_units, one_polygon
from gridplan.params import Params, Range
from gridplan.partition.graph import Contacts, Ints, components
from gridplan.regions import Cut, Graph, cut_graph


def cut_whole_estates(households: Ints, estate: Ints, near: Contacts, limits: Range,
                      params: Params) -> Cut:
    """Cut a connected part; an estate is cut only where no grid plan in range was found without.

    First every estate of at most ``limits.high`` households is held together;
    then small ones are let go, then those in or beside grids out of range, at
    last all of them.

    Parameters
    ----------
    estate
        Number of each unit's estate inside its block, -1 for none.
    """
    held = _load_of(estate, households)
    fits = np.flatnonzero((held > 0) & (held <= limits.high))
    large = fits[held[fits] >= limits.low]
    cut, label = _cut_held(households, estate, fits, near, limits, params)
    if cut.out_of_range and len(large) < len(fits):
        cut, label = _cut_held(households, estate, large, near, limits, params)
    if cut.out_of_range and len(large):
        load = np.bincount(cut.labels, households, minlength=cut.count)
        bad = ((load < limits.low) | (load > limits.high))[cut.labels]
        beside = bad.copy()
        beside[near.a] |= bad[near.b]
        beside[near.b] |= bad[near.a]
        kept = np.setdiff1d(large, estate[beside])
        cut, label = _cut_held(households, estate, kept, near, limits, params)
        if cut.out_of_range and len(kept):
            cut, label = _cut_held(households, estate, kept[:0], near, limits, params)
    return replace(cut, labels=label)


def _load_of(estate: Ints, households: Ints) -> Ints:
    named = estate >= 0
    return np.bincount(estate[named], households[named]).astype(np.int64)


def _cut_held(households: Ints, estate: Ints, whole: Ints, near: Contacts, limits: Range,
              params: Params) -> tuple[Cut, NDArray[np.int32]]:
    """Cut with the estates ``whole`` held together; labels are those of the units."""
    group = _hold(estate, whole, near)
    count = int(group.max()) + 1
    load = np.bincount(group, households, minlength=count).astype(np.int64)
    between = near.grouped(group)
    graph = Graph(households=load, u=between.a.astype(np.int32), v=between.b.astype(np.int32),
                  weight=between.weight, major=between.major)
    cut = cut_graph(graph, limits.low, limits.high, effort=params.partition.effort,
                    seed=params.seed)
    label = cut.labels[group]
    return replace(cut, labels=label), label


def _hold(estate: Ints, whole: Ints, near: Contacts) -> Ints:
    """Return a group for each unit: connected units of an estate held together are one."""
    same = (estate[near.a] == estate[near.b]) & np.isin(estate[near.a], whole) & ~near.major
    return components(len(estate), near.a[same], near.b[same])


def number_by_block(frame: pd.DataFrame) -> Ints:
    """Return a number for each unit's estate inside its block, -1 for none.

    A public road through an estate makes two of it.
    """
    estate = frame["estate"].to_numpy(dtype=np.int64)
    block = pd.factorize(frame["block_id"])[0]
    key = estate * (int(block.max(initial=0)) + 1) + block
    number = np.unique(key, return_inverse=True)[1].ravel().astype(np.int64)
    return np.where(estate >= 0, number, -1)


def join_estate_units(units: Units, estate: Ints, grid_of: Ints, contacts: Contacts,
                      limits: dict[str, Range], community: NDArray[np.object_]) -> tuple[
                          Units, Ints]:
    """Make one unit of every estate in range that lies in one grid.

    Returns
    -------
    units
        With such estates joined and named anew.
    grid_of
        The grid of every unit of the result.
    """
    frame = units.frame
    load = _load_of(estate, frame["households"].to_numpy())
    low = np.array([limits[str(c)].low for c in community])
    high = np.array([limits[str(c)].high for c in community])
    named = np.append(load, 0)[estate]
    fits = (estate >= 0) & (named >= low) & (named <= high)
    a, b = contacts.a, contacts.b
    same = fits[a] & (estate[a] == estate[b]) & (grid_of[a] == grid_of[b])
    label = components(len(frame), a[same], b[same])
    if int(label.max(initial=-1)) + 1 == len(frame):
        return units, grid_of
    return _relabel(units, label, grid_of)


def _relabel(units: Units, label: Ints, grid_of: Ints) -> tuple[Units, Ints]:
    frame = units.frame
    order = np.lexsort((-frame["area_m2"].to_numpy(), label))
    first = order[np.unique(label[order], return_index=True)[1]]
    groups = np.split(order, np.searchsorted(label[order], np.arange(1, len(first))))
    polygon = frame.geometry.to_numpy()
    shape = np.array([polygon[g[0]] if len(g) == 1
                      else one_polygon(shapely.coverage_union_all(polygon[g])) for g in groups],
                     dtype=object)
    at = label[frame.index.get_indexer(units.unit_of.to_numpy(dtype=object))]
    names = name_units(shape, at, units.unit_of.index)
    summed = {c: np.bincount(label, frame[c]) for c in ("households", "buildings", "area_m2")}
    biggest = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(biggest, label, frame["biggest"].to_numpy())
    joined = frame.iloc[first].drop(columns="geometry").assign(
        households=summed["households"].astype(np.int64),
        buildings=summed["buildings"].astype(np.int64), area_m2=summed["area_m2"],
        biggest=biggest)
    joined.index = pd.Index(names, name="unit_id")
    pieces = units.borders
    left, right = label[pieces.left], label[pieces.right]
    apart = left != right
    borders = replace(pieces, left=left[apart], right=right[apart], start=pieces.start[apart],
                      end=pieces.end[apart], border_class=pieces.border_class[apart],
                      line=pieces.line[apart])
    owner = pd.Series(names[at], index=units.unit_of.index, name="unit_id", dtype="string")
    done = gpd.GeoDataFrame(joined, geometry=shape, crs=frame.crs)
    return Units(done, owner, borders), grid_of[first]
