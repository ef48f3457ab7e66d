"""What a finished division is told as: the layers of grids, borders, communities and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.layers import Study, Units, conform
from gridplan.params import Range
from gridplan.partition.borders import draw_borders, measure_on_line
from gridplan.partition.bounds import describe_bounds, describe_contents
from gridplan.partition.constraints import Passages, passable_metres, touch_buildings
from gridplan.partition.costs import add_move_costs, pin_units
from gridplan.partition.drawing import add_figures
from gridplan.partition.figures import city_figures, score_figures
from gridplan.partition.graph import Ints, touch_units
from gridplan.partition.inner import estate_of_units, find_estates
from gridplan.partition.scores import (
    add_scores,
    average_scores,
    classes_known,
    count_straddling,
    find_pieces,
    sum_scores,
)


@dataclass(frozen=True)
class Partition:
    """Layers of the plan that the partition makes, each as the contract has it.

    ``groups`` is None where grids are not divided into groups, ``must_links`` where none are
    given.
    """

    communities: gpd.GeoDataFrame
    grids: gpd.GeoDataFrame
    units: gpd.GeoDataFrame
    borders: gpd.GeoDataFrame
    buildings: gpd.GeoDataFrame
    figures: pd.DataFrame
    groups: gpd.GeoDataFrame | None = None
    must_links: gpd.GeoDataFrame | None = None


def describe_partition(study: Study, units: Units, buildings: gpd.GeoDataFrame,
                       grids: gpd.GeoDataFrame, row: Ints, ranges: dict[str, Range],
                       kinds: dict[str, str], certificates: dict[str, str],
                       factors: tuple[float, ...], passages: Passages,
                       lang: str) -> Partition:
    """Return grids with their figures, bounds and scores, the borders, communities and figures.

    ``grids`` are as drawn, ``row`` the grid of every unit.
    """
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
    grids, borders, scored = score_grids(study, units, buildings, row, grids, borders, ranges,
                                         factors, passages)
    towns = _draw_communities(study, grids, kinds, certificates)
    towns = towns.join(average_scores(sum_scores(grids, borders)), on="community_id")
    figures = city_figures(grids, borders, len(towns), buildings)
    figures = pd.concat([figures, conform("figures", scored)], ignore_index=True)
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


def score_grids(study: Study, units: Units, buildings: gpd.GeoDataFrame, row: Ints,
                grids: gpd.GeoDataFrame, borders: gpd.GeoDataFrame, ranges: Mapping[str, Range],
                factors: tuple[float, ...], passages: Passages
                ) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, pd.DataFrame]:
    """Return grids with scores, borders with the cost of moving them, and the scorecard."""
    low = np.array([ranges[c].low for c in grids["community_id"]])
    high = np.array([ranges[c].high for c in grids["community_id"]])
    households = units.frame["households"].to_numpy(dtype=np.int64)
    contacts = touch_units(units, factors, pd.factorize(grids["community_id"])[0][row],
                           passable_metres(units, passages))
    known = classes_known(study.roads["road_class"])
    grids = add_scores(grids, borders, row, households, contacts if known else None, low, high,
                       factors)
    bundle, links = find_bundles(study, units, buildings)
    pinned = pin_units(row, households, high, bundle, links)
    borders = add_move_costs(borders, grids, units, row, contacts, pinned, low, high, factors)
    straddling = count_straddling(row, find_pieces(row, contacts), households,
                                  len(grids)) if known else None
    return grids, borders, score_figures(grids, borders, low, high, factors, straddling)


def find_bundles(study: Study, units: Units, buildings: gpd.GeoDataFrame
                 ) -> tuple[Ints, list[Ints]]:
    """Return what belongs together: the estate of each unit, and the units of each must-link.

    An estate is told by block and community: a public road through it makes two of it.
    """
    estate = estate_of_units(units, find_estates(buildings, study.layer("estates"))[0], buildings)
    block = pd.factorize(units.frame["block_id"].fillna("").astype(str) + "|"
                         + units.frame["community_id"].fillna("").astype(str))[0]
    number = pd.factorize(estate * (int(block.max(initial=0)) + 1) + block, sort=True)[0]
    at = units.frame.index.get_indexer(units.unit_of.loc[buildings.index].to_numpy())
    touched = touch_buildings(study.layer("must_links"), buildings)
    return (np.where(estate >= 0, number, -1).astype(np.int64),
            [np.unique(at[houses]).astype(np.int64) for houses in touched])


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
