"""Units become grids: communities, grids, borders and figures of a plan.

:func:`partition_units` tells the story; ``cutting`` decides, ``drawing``,
``borders`` and ``bounds`` describe what was decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.layers import Study, Units, conform
from gridplan.params import Params, Range
from gridplan.partition.borders import draw_borders, measure_on_line
from gridplan.partition.bounds import describe_bounds, describe_contents
from gridplan.partition.cutting import (
    Grid,
    carve_empty,
    cut_community,
    join_empty,
    number_parts,
)
from gridplan.partition.delineating import delineate_communities, settle_grids
from gridplan.partition.drawing import add_figures, draw_grids
from gridplan.partition.estates import join_estate_units, number_by_block
from gridplan.partition.figures import city_figures
from gridplan.partition.graph import Contacts, Ints, components, touch_units
from gridplan.partition.numbering import number_rows

__all__ = ["Partition", "partition_units"]


@dataclass(frozen=True)
class Partition:
    """Layers of the plan that the partition makes, each as the contract has it."""

    communities: gpd.GeoDataFrame
    grids: gpd.GeoDataFrame
    units: gpd.GeoDataFrame
    borders: gpd.GeoDataFrame
    buildings: gpd.GeoDataFrame
    figures: pd.DataFrame


def partition_units(study: Study, units: Units, buildings: gpd.GeoDataFrame, params: Params, *,
                    lang: str = "en", progress: Callable[[float], None] | None = None
                    ) -> Partition:
    """Divide every community into grids and describe them.

    Parameters
    ----------
    buildings
        ``study.buildings`` with households, households_low, households_high and
        households_source of every building.
    progress
        Called with the share of households done, 0–1.

    Returns
    -------
    Partition
        Where ``study.communities`` is None, communities are proposed first.
    """
    names, proposed = _communities(study, units, params)
    owner, ids = pd.factorize(names, sort=True)
    kinds = _kinds(study, ids)
    contacts = touch_units(units, params.partition.border_factors, owner.astype(np.int64))
    piece = components(len(owner), contacts.a, contacts.b)
    grids: list[Grid] = []
    of: list[str] = []
    certificates: dict[str, str] = {}
    ranges = {str(c): params.partition.range_of(kinds[c]) for c in ids}
    load = units.frame["households"].to_numpy()
    done = 0
    for number, name in enumerate(ids):
        members = np.flatnonzero(owner == number)
        if proposed is None:
            cut = cut_community(units, contacts, members, ranges[str(name)], params, piece)
            cut = carve_empty(cut, units, contacts, params.blocks.empty_ha * 1e4)
            cut = number_parts(join_empty(cut, contacts, len(owner)), contacts, len(owner))
        else:
            held = [g for g in proposed if owner[g.members[0]] == number]
            cut = settle_grids(held, units, contacts, params)
        grids += cut.grids
        of += [str(name)] * len(cut.grids)
        certificates[str(name)] = cut.certificate()
        done += int(load[members].sum())
        if progress is not None:
            progress(done / max(1, int(load.sum())))
    frame, row = draw_grids(grids, of, units, study, lang)
    units, row = join_estate_units(units, number_by_block(units.frame), row, contacts, ranges,
                                   frame["community_id"].to_numpy(dtype=object)[row])
    return _describe(study, units, buildings, frame, row, ranges, kinds, certificates, lang)


def _communities(study: Study, units: Units, params: Params
                 ) -> tuple[NDArray[np.object_], list[Grid] | None]:
    """Return the community id of every unit; where none are drawn, propose them and their grids."""
    if study.communities is not None:
        return units.frame["community_id"].to_numpy(dtype=object), None
    nowhere = np.zeros(len(units.frame), dtype=np.int64)
    contacts: Contacts = touch_units(units, params.partition.border_factors, nowhere)
    label, grids = delineate_communities(units, contacts, params)
    shape = units.frame.geometry.to_numpy()
    drawn = np.array([shapely.coverage_union_all(shape[label == k])
                      for k in range(label.max() + 1)], dtype=object)
    place = number_rows(drawn) + 1
    digits = max(3, len(str(len(drawn))))
    names = np.array([f"C{place[k]:0{digits}d}" for k in label], dtype=object)
    return names, grids


def _kinds(study: Study, ids: pd.Index) -> dict[str, str]:
    if study.communities is None:
        return dict.fromkeys(map(str, ids), "urban")
    return {str(c): str(k) for c, k in study.communities["kind"].fillna("urban").items()}


def _describe(study: Study, units: Units, buildings: gpd.GeoDataFrame, grids: gpd.GeoDataFrame,
              row: Ints, ranges: dict[str, Range], kinds: dict[str, str],
              certificates: dict[str, str], lang: str) -> Partition:
    unit_row = units.frame.index.get_indexer(units.unit_of.loc[buildings.index].to_numpy())
    grid_row = row[unit_row]
    grids = add_figures(grids, buildings, grid_row, ranges)
    codes = grids["grid_id"].to_numpy(dtype=object)
    borders = draw_borders(units, row, codes, grids["community_id"].to_numpy(dtype=object))
    borders["on_line_m"] = measure_on_line(borders, lines_at_grade(study))
    grids["road_share"] = _share_by_grid(borders, codes)
    bounds = describe_bounds(grids.geometry.to_numpy(), units.borders.lines, lang)
    for column in bounds.columns:
        grids[column] = bounds[column].to_numpy()
    estate = study.layer("estates")["name"]
    known = {str(k): str(v) for k, v in estate.dropna().items()}
    names = pd.Series([known.get(e, "") for e in buildings["estate_id"].fillna("")], dtype=object)
    contents = describe_contents(pd.Series(grid_row), names, buildings["number"].fillna(""), lang)
    grids["contents"] = contents.reindex(range(len(grids)), fill_value="").to_numpy()
    towns = _draw_communities(study, grids, kinds, certificates)
    figures = city_figures(grids, borders, len(towns), buildings)
    placed = buildings.assign(
        building_id=buildings.index.to_numpy(),
        community_id=grids["community_id"].to_numpy(dtype=object)[grid_row],
        unit_id=units.frame.index.to_numpy(dtype=object)[unit_row], grid_id=codes[grid_row])
    held = units.frame.assign(unit_id=units.frame.index.to_numpy(dtype=object),
                              community_id=grids["community_id"].to_numpy(dtype=object)[row],
                              grid_id=codes[row])
    placed = placed.drop(columns=[c for c in ("living_m2",) if c in placed.columns])
    held = held[["unit_id", "block_id", "community_id", "grid_id", "households", "geometry"]]
    return Partition(conform("communities", towns), conform("grids", grids),
                     conform("units", held.reset_index(drop=True)),
                     conform("borders", borders.drop(columns="on_line_m")),
                     conform("buildings", placed.reset_index(drop=True)), figures)


def lines_at_grade(study: Study) -> NDArray[np.object_]:
    """Return every road at grade and every barrier as lines: what a border may follow."""
    roads = study.roads
    above = ((roads["structure"].fillna("grade") != "tunnel")
             & (roads["level"].fillna(0) >= 0)).to_numpy(dtype=bool)
    shape = study.layer("barriers").geometry.to_numpy()
    edge = np.where(shapely.get_dimensions(shape) == 2, shapely.boundary(shape), shape)
    return np.concatenate([roads.geometry.to_numpy()[above], edge])


def _share_by_grid(borders: gpd.GeoDataFrame, codes: NDArray[np.object_]) -> pd.array:
    both = pd.concat([borders[[c, "length_m", "on_line_m"]].set_axis(
        ["grid_id", "length_m", "on_line_m"], axis=1) for c in ("grid_a", "grid_b")])
    total = both.groupby("grid_id")[["length_m", "on_line_m"]].sum().reindex(codes)
    return pd.array((total["on_line_m"] / total["length_m"]).to_numpy(), dtype="Float64")


def _draw_communities(study: Study, grids: gpd.GeoDataFrame, kinds: dict[str, str],
                      certificates: dict[str, str]) -> gpd.GeoDataFrame:
    shape = grids.geometry.to_numpy()
    owner = grids["community_id"].to_numpy(dtype=object)
    ids = sorted(set(owner))
    merged = [shapely.coverage_union_all(shape[owner == c]) for c in ids]
    by = grids.groupby("community_id", sort=True)
    frame = gpd.GeoDataFrame({
        "community_id": ids, "kind": [kinds[c] for c in ids],
        "households": by["households"].sum().to_numpy(),
        "population": by["population"].sum(min_count=1).to_numpy(),
        "grids": by.size().to_numpy(), "certificate": [certificates[c] for c in ids],
        "status": [_status(grids["status"][owner == c]) for c in ids],
        "reason": ["; ".join(dict.fromkeys(r for r, s in zip(
            grids["reason"][owner == c], grids["status"][owner == c], strict=True)
            if s not in ("ok", "special"))) for c in ids],
    }, geometry=merged, crs=grids.crs)
    if study.communities is None:
        frame["name"] = ids
        frame["subdistrict_id"] = pd.NA
    else:
        given = study.communities.loc[ids]
        frame["name"] = given["name"].fillna("").to_numpy()
        frame["subdistrict_id"] = given["subdistrict_id"].to_numpy()
    return frame


def _status(statuses: pd.Series) -> str:
    held = set(statuses)
    for status, found in (("unproven", {"unproven"}), ("over", {"over"}),
                          ("small", {"small", "under", "exclave"})):
        if held & found:
            return status
    return "ok"
