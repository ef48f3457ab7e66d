"""What lies between units of communities that become one: contacts, and borders along roads."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.layers import BARRIER_CLASS, ROAD_CLASS
from gridplan.plan import Plan

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ROOK_M = 1.0
ON_LINE_M = 2.0
# A border follows a line that it keeps this close to; it is told apart in steps of this length.
_FOLLOWS_M = 1.0
_STEP_M = 10.0
# Shorter pieces come from rounding where three lines meet.
_LEAST_M = 0.01


@dataclass(frozen=True)
class Seams:
    """Pairs of units of one new community that share border: left < right, the line, its metres."""

    left: Ints
    right: Ints
    line: NDArray[np.object_]
    length_m: Floats

    def take(self, keep: NDArray[np.bool_]) -> Seams:
        """Return the pairs where ``keep`` is true."""
        return Seams(self.left[keep], self.right[keep], self.line[keep], self.length_m[keep])


def find_seams(shapes: NDArray[np.object_], group: Ints) -> Seams:
    """Return the borders that polygons of one group share; group -1 is left out."""
    rows = np.flatnonzero(group >= 0)
    held = shapes[rows]
    a, b = shapely.STRtree(held).query(held, predicate="intersects")
    near = (a < b) & (group[rows[a]] == group[rows[b]])
    a, b = a[near], b[near]
    edge = shapely.boundary(held)
    line = shapely.intersection(edge[a], edge[b])
    length = shapely.length(line)
    some = length > 0
    return Seams(rows[a[some]], rows[b[some]], line[some], length[some])


def draw_seams(seams: Seams, plan: Plan, grid_ids: NDArray[np.object_]) -> gpd.GeoDataFrame:
    """Return rows of the layer ``borders`` for seams, by the pairs of grids they part.

    Parameters
    ----------
    grid_ids
        The grid of every unit.
    """
    part, row = _straight_pieces(seams.line)
    first, second = grid_ids[seams.left[row]], grid_ids[seams.right[row]]
    swap = first > second
    block = plan.layer("units")["block_id"].fillna("").to_numpy(dtype=object)
    kind, name = _follow(part, plan)
    table = pd.DataFrame({
        "grid_a": np.where(swap, second, first), "grid_b": np.where(swap, first, second),
        "inside_block": (block[seams.left[row]] == block[seams.right[row]])
        & (block[seams.left[row]] != ""),
        "road_class": kind, "follows": name})
    number = table.groupby(list(table.columns), sort=True).ngroup().to_numpy()
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    at: list[int] = []
    lines: list[shapely.Geometry] = []
    for held in np.split(order, starts[1:]) if len(starts) else []:
        merged = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(list(part[held]))))
        box = shapely.bounds(merged)
        for line in merged[np.lexsort((box[:, 3], box[:, 2], box[:, 1], box[:, 0]))]:
            if line.length >= _LEAST_M:
                at.append(int(held[0]))
                lines.append(line)
    out = table.iloc[at].reset_index(drop=True)
    out["length_m"] = shapely.length(np.array(lines, dtype=object)) if lines else np.empty(0)
    return gpd.GeoDataFrame(out, geometry=np.array(lines, dtype=object),
                            crs=plan.layer("units").crs)


def _straight_pieces(lines: NDArray[np.object_]) -> tuple[NDArray[np.object_], Ints]:
    """Return the straight pieces of lines, none longer than a step, and the line of each."""
    parts, row = shapely.get_parts(lines, return_index=True)
    parts, up = shapely.get_parts(parts, return_index=True)
    row = row[up]
    keep = np.isin(shapely.get_type_id(parts), (1, 2))
    parts, row = shapely.segmentize(parts[keep], _STEP_M), row[keep]
    xy, line = shapely.get_coordinates(parts, return_index=True)
    inner = np.flatnonzero(line[1:] == line[:-1])
    pieces = shapely.linestrings(np.stack([xy[inner], xy[inner + 1]], axis=1))
    return pieces, row[line[inner]]


def _lines_at_grade(plan: Plan) -> tuple[NDArray[np.object_], pd.DataFrame]:
    """Return what a border may follow, with its class, name and rank."""
    roads, barriers = plan.layer("roads"), plan.layer("barriers")
    above = ((roads["structure"].fillna("grade") != "tunnel")
             & (roads["level"].fillna(0) >= 0)).to_numpy(dtype=bool)
    road = roads[above]
    shape = barriers.geometry.to_numpy()
    edge = np.where(shapely.get_dimensions(shape) == 2, shapely.boundary(shape), shape)
    kind = pd.concat([road["road_class"].fillna("unknown"), barriers["kind"].fillna("wall")])
    rank = pd.concat([road["road_class"].fillna("unknown").map(ROAD_CLASS).fillna(1),
                      pd.Series(float(BARRIER_CLASS), barriers.index)])
    name = pd.concat([road["name"], barriers["name"]]).fillna("")
    table = pd.DataFrame({"kind": kind.to_numpy(dtype=object), "rank": rank.to_numpy(dtype=float),
                          "name": name.to_numpy(dtype=object)})
    return np.concatenate([road.geometry.to_numpy(), edge]), table


def _follow(pieces: NDArray[np.object_], plan: Plan
            ) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Return the class and the name of what each piece runs along, '' for nothing.

    Of several lines the one of the highest class counts, then the nearest.
    """
    kind, name = np.full(len(pieces), "", dtype=object), np.full(len(pieces), "", dtype=object)
    lines, table = _lines_at_grade(plan)
    if not len(lines) or not len(pieces):
        return kind, name
    piece, line = shapely.STRtree(lines).query(pieces, predicate="dwithin", distance=_FOLLOWS_M)
    ends = shapely.get_coordinates(pieces).reshape(-1, 2, 2)
    off = np.maximum.reduce([shapely.distance(shapely.points(ends[piece, k]), lines[line])
                             for k in (0, 1)])
    along = off <= _FOLLOWS_M
    found = pd.DataFrame({"piece": piece, "rank": -table["rank"].to_numpy()[line], "off": off,
                          "line": line})[along]
    best = found.sort_values(["piece", "rank", "off", "line"], kind="stable").drop_duplicates(
        "piece")
    kind[best["piece"]] = table["kind"].to_numpy()[best["line"]]
    name[best["piece"]] = table["name"].to_numpy()[best["line"]]
    return kind, name


def measure_on_line(borders: gpd.GeoDataFrame, plan: Plan) -> Floats:
    """Return for each border the metres of it that lie within 2 m of a road or barrier."""
    shape = borders.geometry.to_numpy()
    lines, _ = _lines_at_grade(plan)
    metres = np.zeros(len(shape))
    if not len(lines) or not len(shape):
        return metres
    parts, row = shapely.get_parts(shape, return_index=True)
    length = shapely.length(parts)
    count = np.maximum(1, np.ceil(length)).astype(np.int64)
    part = np.repeat(np.arange(len(parts)), count)
    place = np.arange(len(part)) - np.repeat(np.cumsum(count) - count, count)
    spot = shapely.line_interpolate_point(parts[part], (place + 0.5) / count[part],
                                          normalized=True)
    near = np.unique(shapely.STRtree(lines).query(spot, predicate="dwithin",
                                                  distance=ON_LINE_M)[0])
    np.add.at(metres, row[part[near]], (length / count)[part[near]])
    return metres
