"""Grids are divided into groups: one solver, other limits.

A group holds 80–150 households, or one estate, one enterprise, one site. Groups are made of whole
units, so that they follow from them.
"""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.i18n import translate
from gridplan.layers import Units, one_polygon
from gridplan.params import Params, Range
from gridplan.partition.bounds import join_numbers
from gridplan.partition.graph import Contacts, Ints, components
from gridplan.partition.inner import Homes
from gridplan.partition.numbering import number_rows, write_numeral
from gridplan.regions import Graph, cut_graph

# Special places where an employer answers for who is there; the others are sites.
_ENTERPRISES = frozenset(("campus", "hospital", "market", "industrial"))
_LONGEST_NAME = 40


def cut_groups(units: Units, contacts: Contacts, grid_of: Ints, basic: NDArray[np.bool_],
               homes: Homes, params: Params) -> Ints:
    """Divide grids into connected groups of units.

    Special grids and grids of at most ``params.partition.group.high`` households are one group.
    In the others a unit above the range is a group of its own, and the connected pieces of the
    rest are cut by the solver, estates held together where they fit. Land without households
    goes to the neighbour it shares most border with. What nobody can walk across is treated like
    a major line.

    Parameters
    ----------
    contacts
        Contacts of the units, weighed.
    grid_of
        Grid of every unit, 0…; each is connected.
    basic
        Whether each grid is a basic one.

    Returns
    -------
    Ints
        Group of every unit, 0…k-1, numbered grid by grid.
    """
    households = units.frame["households"].to_numpy(dtype=np.int64)
    limits, count = params.partition.group, len(households)
    near = contacts.take(grid_of[contacts.a] == grid_of[contacts.b]).barring()
    whole = ~(basic & (np.bincount(grid_of, households, minlength=len(basic)) > limits.high))
    alone = (households > limits.high) & ~whole[grid_of]
    together = ~alone[near.a] & ~alone[near.b]
    piece = components(count, near.a[together], near.b[together])
    load = np.bincount(piece, households).astype(np.int64)
    group = np.where(load[piece] > 0, piece, -1)
    group[whole[grid_of]] = count + grid_of[whole[grid_of]]
    used = count + len(basic)
    inner = near.take(together)
    inner = _rows(inner, np.argsort(piece[inner.a], kind="stable"))
    links = np.searchsorted(piece[inner.a], np.arange(len(load) + 1))
    order = np.argsort(piece, kind="stable")
    ends = np.cumsum(np.bincount(piece))
    first = order[ends - np.bincount(piece)]
    place = np.empty(count, dtype=np.int64)
    for k in np.flatnonzero((load > limits.high) & ~alone[first] & ~whole[grid_of[first]]).tolist():
        members = order[ends[k - 1] if k else 0:ends[k]]
        place[members] = np.arange(len(members))
        held = _rows(inner, slice(links[k], links[k + 1]))
        group[members] = used + _cut_piece(households[members], homes.estate[members], replace(
            held, a=place[held.a], b=place[held.b]), limits, params.seed)
        used = int(group[members].max()) + 1
    group = _settle_empty(group, near)
    pair = grid_of * (int(group.max(initial=0)) + 1) + group
    return np.unique(pair, return_inverse=True)[1].ravel().astype(np.int64)


def _rows(contacts: Contacts, rows: Ints | slice) -> Contacts:
    return Contacts(**{name: values[rows] for name, values in vars(contacts).items()})


def _settle_empty(group: Ints, near: Contacts) -> Ints:
    """Give units without a group to the neighbouring group with the longest border."""
    blank = group < 0
    keep = blank[near.a] & blank[near.b]
    piece = components(len(group), near.a[keep], near.b[keep])
    a, b = np.concatenate([near.a, near.b]), np.concatenate([near.b, near.a])
    edge = np.flatnonzero(blank[a] & ~blank[b])
    table = pd.DataFrame({"piece": piece[a[edge]], "to": group[b[edge]],
                          "m": np.tile(near.length_m, 2)[edge]})
    total = table.groupby(["piece", "to"], sort=True)["m"].sum().reset_index()
    best = total.sort_values(["m", "to"], ascending=[False, True]).drop_duplicates("piece")
    to = best.set_index("piece")["to"].reindex(piece).to_numpy(dtype=np.float64)
    # What touches no group stands for itself.
    own = int(group.max(initial=0)) + 1 + piece
    return np.where(blank, np.where(np.isnan(to), own, np.nan_to_num(to)), group).astype(np.int64)


def _cut_piece(households: Ints, estate: Ints, near: Contacts, limits: Range, seed: int) -> Ints:
    """Cut connected units; estates that fit stay whole unless a group would miss the range."""
    total = int(households.sum())
    if total <= limits.high:
        return np.zeros(len(households), dtype=np.int64)
    load = np.bincount(estate + 1, households)
    fits = (estate >= 0) & (load[estate + 1] <= limits.high)
    same = (estate[near.a] == estate[near.b]) & fits[near.a] & ~near.major
    label, missed = _cut_held(households, near, same, limits, seed)
    if missed and same.any():
        free, left = _cut_held(households, near, np.zeros(len(same), dtype=bool), limits, seed)
        label = free if left < missed else label
    return label


def _cut_held(households: Ints, near: Contacts, same: NDArray[np.bool_], limits: Range,
              seed: int) -> tuple[Ints, int]:
    """Cut with the contacts ``same`` kept; return groups, and how many of them miss the range."""
    held: Ints = np.arange(len(households))
    if same.any():
        held = components(len(households), near.a[same], near.b[same])
        near = near.grouped(held)
    load = np.bincount(held, households).astype(np.int64)
    graph = Graph(load, near.a.astype(np.int32), near.b.astype(np.int32), near.weight, near.major)
    cut = cut_graph(graph, limits.low, limits.high, effort="fast", seed=seed)
    return cut.labels[held].astype(np.int64), cut.out_of_range


def draw_groups(units: Units, group_of: Ints, grid_of: Ints, grids: gpd.GeoDataFrame,
                buildings: gpd.GeoDataFrame, homes: Homes, estates: gpd.GeoDataFrame,
                special_kind: pd.Series, lang: str) -> tuple[gpd.GeoDataFrame, NDArray[np.object_]]:
    """Return the groups layer and the group_id of every unit.

    Parameters
    ----------
    group_of, grid_of
        Group and grid of every unit, 0…; grids are the rows of ``grids``.
    buildings
        With estate_id, number and households, indexed by building_id.
    special_kind
        Kind of every special place, by special_id.

    Returns
    -------
    groups
        Rows in the order of their codes; in a grid they are numbered like grids in a community.
    group_ids
        Code of the group of every unit.
    """
    first = np.unique(group_of, return_index=True)[1]
    grid = grid_of[first]
    shape = _draw_shapes(units.frame.geometry.to_numpy(), group_of, grid,
                         grids.geometry.to_numpy())
    seq = np.zeros(len(first), dtype=np.int64)
    for held in np.split(np.argsort(grid, kind="stable"),
                         np.flatnonzero(np.diff(np.sort(grid))) + 1):
        seq[held] = number_rows(shape[held]) + 1 if len(held) > 1 else 1
    codes = grids["grid_id"].to_numpy(dtype=object)[grid]
    ids = np.array([f"{code}-{k:02d}" for code, k in zip(codes, seq.tolist(), strict=True)],
                   dtype=object)
    households = units.frame["households"].to_numpy(dtype=np.int64)
    kind = _kinds(units, group_of, grid, grids, homes, special_kind)
    frame = gpd.GeoDataFrame({
        "group_id": ids, "grid_id": codes, "kind": kind,
        "name": _names(units, group_of, seq, kind, grids["name"].to_numpy(dtype=object)[grid],
                       buildings, estates["name"], lang),
        "households": np.bincount(group_of, households).astype(np.int64), "head": "vacant",
    }, geometry=shape, crs=units.frame.crs)
    frame = frame.iloc[np.lexsort((seq, grid))].reset_index(drop=True)
    return frame, ids[group_of]


def _draw_shapes(shape: NDArray[np.object_], group_of: Ints, grid: Ints,
                 outline: NDArray[np.object_]) -> NDArray[np.object_]:
    """Unite the units of each group; the only group of a grid is the grid itself."""
    alone = np.bincount(grid, minlength=len(outline))[grid] == 1
    order = np.argsort(group_of, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group_of[order])) + 1)
    return np.array([outline[grid[k]] if alone[k] else shape[held[0]] if len(held) == 1
                     else one_polygon(shapely.coverage_union_all(shape[held]))
                     for k, held in enumerate(parts)], dtype=object)


def _kinds(units: Units, group_of: Ints, grid: Ints, grids: gpd.GeoDataFrame, homes: Homes,
           special_kind: pd.Series) -> NDArray[np.object_]:
    """Return what each group is: an enterprise or site, one whole estate, or buildings."""
    households = units.frame["households"].to_numpy(dtype=np.int64)
    count = len(grid)
    special = (grids["kind"] == "special").to_numpy(dtype=bool)[grid]
    firms = {str(k) for k, word in special_kind.items() if word in _ENTERPRISES}
    place = [name in firms for name in units.frame["special_id"].fillna("")]
    firm = np.bincount(group_of, place, minlength=count) > 0
    empty = np.bincount(group_of, households, minlength=count) == 0
    lived = np.flatnonzero(households)
    table = pd.DataFrame({"group": group_of[lived], "estate": homes.estate[lived]})
    only = table.groupby("group")["estate"].agg(["min", "max"]).reindex(range(count))
    spread = table.groupby("estate")["group"].nunique()
    estate = only["min"].to_numpy()
    whole = (estate == only["max"].to_numpy()) & (estate >= 0) & (
        spread.reindex(estate).to_numpy() == 1)
    return np.select([special & firm, special | empty, whole], ["enterprise", "site", "estate"],
                     "buildings").astype(object)


def _names(units: Units, group_of: Ints, seq: Ints, kind: NDArray[np.object_],
           grid_name: NDArray[np.object_], buildings: gpd.GeoDataFrame, estate_name: pd.Series,
           lang: str) -> list[str]:
    """Name groups by estate and building numbers where these tell all, else by their place."""
    row = units.frame.index.get_indexer(units.unit_of.loc[buildings.index].to_numpy())
    lived = (buildings["households"].fillna(0) > 0).to_numpy(dtype=bool) & (row >= 0)
    known = {str(k): str(v) for k, v in estate_name.dropna().items()}
    table = pd.DataFrame({
        "group": group_of[row[lived]],
        "estate": [known.get(k, "") for k in buildings["estate_id"][lived].fillna("")],
        "number": buildings["number"][lived].fillna("").to_numpy()})
    told: dict[int, list[str]] = {}
    for (group, estate), numbers in table.groupby(["group", "estate"], sort=True)["number"]:
        text = "" if kind[group] == "estate" else join_numbers(numbers.tolist())
        plain = bool(estate) and (kind[group] == "estate" or bool((numbers != "").all()))
        told.setdefault(int(group), []).append(f"{estate} {text}".strip() if plain else "")
    separator = translate("partition.list_separator", lang)
    names = []
    for group, place in enumerate(seq.tolist()):
        parts = told.get(group, [""])
        name = separator.join(parts) if all(parts) else ""
        if kind[group] in ("enterprise", "site"):
            name = str(grid_name[group])
        names.append(name if name and len(name) <= _LONGEST_NAME else translate(
            "partition.group_name", lang, number=place, numeral=write_numeral(place)))
    return names


def group_figures(groups: pd.DataFrame, limits: Range) -> pd.DataFrame:
    """Return the rows of the figures: how many groups, and how many of buildings are in range."""
    load = groups["households"].to_numpy(dtype=np.int64)[(groups["kind"] == "buildings").to_numpy()]
    fine = float(((load >= limits.low) & (load <= limits.high)).sum())
    rows: list[dict[str, object]] = [
        {"name": "groups", "value": float(len(groups)), "unit": "groups"},
        {"name": "groups_in_range", "value": fine / len(load) if len(load) else None,
         "unit": "share", "numerator": fine, "denominator": float(len(load))}]
    return pd.DataFrame(rows).assign(scope="city", scope_id="all", target=None)

