"""What belongs together stays whole while it fits: estates and must-links."""

from __future__ import annotations

from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.layers import Units, name_units, one_polygon
from gridplan.params import Params, Range
from gridplan.partition.graph import Contacts, Floats, Ints, components
from gridplan.partition.objective import weigh_contacts
from gridplan.regions import Cut, Graph, bound_cut, cut_graph, limit_work


@dataclass(frozen=True)
class _Part:
    """A connected part that is to be cut: its units, and what is asked of its grids."""

    households: Ints
    estate: Ints
    links: Ints
    limits: Range
    params: Params
    toll: Floats | None


def cut_whole_estates(households: Ints, estate: Ints, near: Contacts, limits: Range,
                      params: Params, *, links: Ints | None = None,
                      toll: Floats | None = None) -> Cut:
    """Cut a connected part so that what belongs together stays so, as far as the range allows.

    First no grid reaches across what nobody can walk across, and estates and must-links are held
    together; where no plan in range was found so, estates are let go, then closed borders may be
    crossed, at last must-links are let go. What is said to be impossible was shown on the plain
    graph with nothing held.

    Parameters
    ----------
    estate
        Number of each unit's estate inside its block, -1 for none.
    links
        Number of what each unit must lie with, -1 for none.
    toll
        Cost of a grid by its households.
    """
    count = len(households)
    none = np.full(count, -1, dtype=np.int64)
    wanted = none if links is None else links
    part = _Part(households, estate, wanted, limits, params, toll)
    webs = [near.passable(count)]
    if not near.open.all() and limits.fits(int(households.sum())):
        webs.append(near.barring())
    best: Cut | None = None
    for held in (part, replace(part, links=none)) if (wanted >= 0).any() else (part,):
        for web in webs:
            cut = _let_estates_go(held, web)
            if best is None or cut.out_of_range < best.out_of_range:
                best = cut
            if not cut.out_of_range:
                return cut
    assert best is not None
    return replace(best, status=cut.status, effort_spent=cut.effort_spent)


def _let_estates_go(part: _Part, near: Contacts) -> Cut:
    """Hold every estate of at most ``limits.high`` households together, then fewer and fewer.

    Small ones are let go first, then those in or beside grids out of range, at last all of them.
    """
    limits = part.limits
    held = _load_of(part.estate, part.households)
    fits = np.flatnonzero((held > 0) & (held <= limits.high))
    large = fits[held[fits] >= limits.low]
    cut = _cut_held(part, fits, near)
    if cut.out_of_range and len(large) < len(fits):
        cut = _cut_held(part, large, near)
    if cut.out_of_range and len(large):
        load = np.bincount(cut.labels, part.households, minlength=cut.count)
        bad = ((load < limits.low) | (load > limits.high))[cut.labels]
        beside = bad.copy()
        beside[near.a] |= bad[near.b]
        beside[near.b] |= bad[near.a]
        kept = np.setdiff1d(large, part.estate[beside])
        cut = _cut_held(part, kept, near)
        if cut.out_of_range and len(kept):
            cut = _cut_held(part, kept[:0], near)
    return cut


def _load_of(estate: Ints, households: Ints) -> Ints:
    named = estate >= 0
    return np.bincount(estate[named], households[named]).astype(np.int64)


def _cut_held(part: _Part, whole: Ints, near: Contacts) -> Cut:
    """Cut with the estates ``whole`` and all links held together; labels are those of the units."""
    group = _hold(part, whole, near)
    load = np.bincount(group, part.households).astype(np.int64)
    between = near.grouped(group)
    aim = part.params.partition.objective
    graph = Graph(households=load, u=between.a.astype(np.int32), v=between.b.astype(np.int32),
                  weight=weigh_contacts(between, aim), major=between.major)
    cut = cut_graph(graph, part.limits.low, part.limits.high, seed=part.params.seed,
                    effort=part.params.partition.effort, toll=part.toll, apart=aim.apart)
    if part.params.partition.effort == "best" and part.toll is None and not cut.out_of_range:
        cut = _take_better(graph, cut, part.limits)
    groups = cut.groups[group] if len(cut.groups) else cut.groups
    return replace(cut, labels=cut.labels[group], groups=groups)


def _take_better(graph: Graph, cut: Cut, limits: Range) -> Cut:
    """Return the better cut that looking for a bound comes upon, or else the same."""
    # What the search of this effort leaves is little: a long look would cost more than it gives.
    found = bound_cut(graph, limits.low, limits.high, cut, work=limit_work(graph.size, "normal"))
    if found.labels is None:
        return cut
    across = found.labels[graph.u] != found.labels[graph.v]
    return replace(cut, labels=found.labels, count=int(found.labels.max()) + 1,
                   border=float(graph.weight[across].sum()))


def _hold(part: _Part, whole: Ints, near: Contacts) -> Ints:
    """Return a group for each unit: what is held together is one.

    An estate that a link would make larger than a grid is let go.
    """
    count = len(part.households)
    linked = (part.links[near.a] == part.links[near.b]) & (part.links[near.a] >= 0)
    estate = part.estate
    same = (estate[near.a] == estate[near.b]) & np.isin(estate[near.a], whole) & ~near.major
    group = components(count, near.a[same | linked], near.b[same | linked])
    if linked.any():
        load = np.bincount(group, part.households)
        burst = (load > part.limits.high)[group] & (part.links >= 0)
        same &= ~np.isin(group[near.a], group[burst])
        group = components(count, near.a[same | linked], near.b[same | linked])
    return group


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
