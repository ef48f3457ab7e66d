"""Streets to be patrolled: roads cut into pieces between junctions, and lines drawn along them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.errors import Findings, first_ids
from gridplan.layers import TIERS, conform
from gridplan.network import StreetNetwork, build_network
from gridplan.network.usage import is_open, text_of
from gridplan.params import MODES, Params, PatrolParams
from gridplan.plan import Plan

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OUTSIDE_M = 20.0  # a road along the outer border is patrolled: half of it lies this far out
HALF = 0.5  # a piece is in or out as a whole, by its larger part
NEAR_M = 15.0  # how far beside its road a line may be drawn: the width of a carriageway
PARALLEL = 0.866  # cosine of 30 degrees: a street that crosses the line does not lie along it
NEARER_M = 1.0  # roads nearer than this to each other cannot be told apart by a hand-drawn line
STEP_M = 5.0
LOST_M = 20.0  # metres of a drawn line without a road that are worth a word
ROW_M = 250.0  # height of the rows in which pieces are numbered: about a block


@dataclass(frozen=True)
class Web:
    """All roads of a plan as one network, whoever may use them.

    Attributes
    ----------
    network
        Its edges run in the direction of their roads, one behind the other.
    roads
        The layer, indexed by road_id.
    row
        (m,) row of ``roads`` of each edge.
    road_class
        (r,) class of each road.
    may
        By mode: (r,) whether it may use each road.
    """

    network: StreetNetwork
    roads: gpd.GeoDataFrame
    row: Ints
    road_class: NDArray[np.object_]
    may: Mapping[str, Bools]


def weave_roads(plan: Plan, params: Params) -> Web:
    """Join all roads of a plan, so that pieces of every mode end at the same places.

    Raises
    ------
    InputError
        The plan has no roads, or they are no lines in metres.
    """
    plan.require("roads")
    roads = plan.indexed("roads").sort_index()
    # Everyone walks here: who may use a road is asked of each road, not of the network.
    network = build_network(roads.assign(foot=True), "foot", params=params.network,
                            findings=Findings())
    barriers = plan.indexed("barriers")
    return Web(network, roads, roads.index.astype(str).get_indexer(network.road).astype(np.int64),
               text_of(roads, "road_class", "unknown"),
               {mode: is_open(roads, mode, barriers) for mode in MODES})


def propose_pieces(web: Web, area: shapely.Geometry, params: Params, findings: Findings
                   ) -> gpd.GeoDataFrame:
    """Return the layer ``required`` of the classes that are patrolled.

    Public roads of the classes in ``passes``, at grade or on bridges, between places where three
    or more edges of such roads meet that the tier's mode may use. A piece belongs if at least
    half of it lies within 20 m of ``area``. Its tier is that of its class, or one whose mode may
    use the road.

    Parameters
    ----------
    area
        The communities, in the CRS of the roads.
    findings
        Takes the warning ``patrol.required_no_mode`` of roads that no tier's mode may use.
    """
    patrolled = _patrolled(web, params.patrol)
    tier = pick_tiers(web, params.patrol)
    lost = patrolled & (tier == "")
    if lost.any():
        ids = web.roads.index[lost]
        findings.add("patrol.required_no_mode", "warning", layer="roads", row=ids[0],
                     count=int(lost.sum()), roads=first_ids(ids))
    wanted = patrolled & ~lost
    edges = np.flatnonzero(wanted[web.row])
    pieces = cut_pieces(web, edges, np.zeros(len(edges), np.int64), tier, wanted, params.patrol)
    shape = pieces.geometry.to_numpy()
    ground = shapely.buffer(area, OUTSIDE_M)
    shapely.prepare(ground)
    inside = shapely.contains_properly(ground, shape)
    rim = np.flatnonzero(~inside)
    inside[rim] = shapely.length(shapely.intersection(shape[rim], ground)) >= HALF * shapely.length(
        shape[rim])
    pieces = pieces[inside]
    frame = gpd.GeoDataFrame({
        "road_id": web.roads.index[pieces["road"]], "tier": tier[pieces["road"]],
        "passes_per_day": [params.patrol.passes[c] for c in web.road_class[pieces["road"]]],
        "day_kind": "all", "optional": False}, geometry=pieces.geometry.to_numpy(),
        crs=web.roads.crs)
    return _number_pieces(frame)


def _patrolled(web: Web, patrol: PatrolParams) -> Bools:
    """Tell which roads are patrolled by themselves: public, of a class with passes, not raised.

    That is at grade, or on a bridge that e-bikes may use: over water or rail, no elevated road.
    """
    public = web.roads["public"].fillna(True).to_numpy(dtype=bool)
    structure = text_of(web.roads, "structure", "grade")
    grade = (structure == "grade") | ((structure == "bridge") & web.may["ebike"])
    passes = np.array([patrol.passes.get(c, 0) for c in web.road_class.tolist()], dtype=np.int64)
    return np.asarray(public & grade & (passes > 0))


def pick_tiers(web: Web, patrol: PatrolParams) -> NDArray[np.object_]:
    """Return the tier of each road: that of its class, else the next down, then up, that may.

    A road that no tier's mode may use has the tier "".
    """
    out = np.full(len(web.roads), "", dtype=object)
    usual = np.array([patrol.tiers.get(c, "town") for c in web.road_class.tolist()], dtype=object)
    for place, own in enumerate(TIERS):
        left = usual == own
        for tier in (*TIERS[place:], *TIERS[:place][::-1]):
            out[left & web.may[patrol.modes[tier]] & (out == "")] = tier
    return out


def cut_pieces(web: Web, edges: Ints, group: Ints, tier: NDArray[np.object_], wanted: Bools,
               patrol: PatrolParams) -> gpd.GeoDataFrame:
    """Join edges of one road to pieces that end at junctions.

    Parameters
    ----------
    edges
        (k,) edges that are to be passed, ascending in each group.
    group
        (k,) pieces join edges of one group only, ascending.
    tier
        (r,) tier of each road; a junction is where three or more edges of wanted roads meet
        that the mode of that tier may use.
    wanted
        (r,) roads that count for junctions.

    Returns
    -------
    GeoDataFrame
        One row a piece: group, road (row of ``web.roads``), geometry in the road's direction.
    """
    net = web.network
    ways = {t: np.bincount(net.ends[(wanted & web.may[patrol.modes[t]])[web.row]].ravel(),
                           minlength=net.nodes) for t in TIERS}
    table = np.stack([ways[t] for t in TIERS])
    rank = np.array([TIERS.index(t) if t else 0 for t in tier.tolist()], dtype=np.int64)
    one, two = edges[:-1], edges[1:]
    meets = net.ends[one, 1]
    joined = ((two == one + 1) & (group[1:] == group[:-1]) & (web.row[one] == web.row[two])
              & (meets == net.ends[two, 0]) & (table[rank[web.row[one]], meets] <= 2))
    number = np.concatenate([[0], np.cumsum(~joined)]) if len(edges) else np.zeros(0, np.int64)
    first = np.flatnonzero(np.diff(number, prepend=-1))
    xy, of = shapely.get_coordinates(net.geometry[edges], return_index=True)
    # Where two edges of a piece meet, both have the vertex.
    keep = np.concatenate([[True], (of[1:] == of[:-1]) | (number[of[1:]] != number[of[:-1]])]
                          )[:len(of)]
    lines = shapely.linestrings(xy[keep], indices=number[of[keep]]) if len(edges) else []
    return gpd.GeoDataFrame({"group": group[first], "road": web.row[edges[first]]},
                            geometry=np.asarray(lines, dtype=object), crs=net.crs)


def order_rows(xy: Floats, height_m: float) -> Ints:
    """Return the order of points by rows from the north, west to east in a row.

    >>> order_rows(np.array([[5.0, 0.0], [9.0, 99.0], [1.0, 95.0]]), 50.0).tolist()
    [2, 1, 0]
    """
    if not len(xy):
        return np.zeros(0, np.int64)
    row = np.floor((xy[:, 1].max() - xy[:, 1]) / height_m)
    return np.lexsort((-xy[:, 1], xy[:, 0], row)).astype(np.int64)


def midpoints(lines: NDArray[Any]) -> NDArray[np.object_]:
    """Return the point half way along each line: what decides whose piece it is."""
    return np.asarray(shapely.line_interpolate_point(lines, 0.5, normalized=True), dtype=object)


def _number_pieces(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Order pieces by rows and give those without a number the next free one."""
    frame = frame.iloc[order_rows(np.round(shapely.get_coordinates(
        midpoints(frame.geometry.to_numpy())), 3), ROW_M)].reset_index(drop=True)
    held = (frame["required_id"].astype("string") if "required_id" in frame.columns
            else pd.Series(pd.NA, index=frame.index, dtype="string"))
    # A name that two lines come to have is the first one's.
    held = held.mask(held.duplicated(), pd.NA)
    blank = np.flatnonzero(held.fillna("").to_numpy(dtype=object) == "")
    taken = set(held.dropna())
    names = (name for n in range(1, 10**9) if (name := f"Q{n:05d}") not in taken)
    held.iloc[blank] = [next(names) for _ in blank]
    frame["required_id"] = held
    return conform("required", frame)


def fit_lines(web: Web, lines: gpd.GeoDataFrame, params: Params, findings: Findings
              ) -> gpd.GeoDataFrame:
    """Lay drawn lines, whole roads or pieces on the roads they lie along, and cut them there.

    An edge belongs to a line if at least half of it runs within 15 m and 30 degrees of the line
    and no other road runs nearer; of a line that covers no edge by half, the edge it covers most.
    A line of one piece keeps its name, one of several gets ``-1``, ``-2`` … behind it. What is
    blank takes the value of the road's class.

    Parameters
    ----------
    lines
        The layer ``required``; road_id, where given, names the only road that counts.
    findings
        Takes the faults ``patrol.required_road`` (no such road), ``patrol.required_off`` (no road
        lies along) and the warning ``patrol.required_partly``.
    """
    lines = conform("required", lines).reset_index(drop=True)
    asked = text_of(lines, "road_id", "")
    road = np.where(asked == "", -1, web.roads.index.astype(str).get_indexer(asked))
    unknown = np.flatnonzero((asked != "") & (road < 0))
    names = text_of(lines, "required_id", "")
    for k in unknown.tolist():
        findings.add("patrol.required_road", layer="required", row=names[k] or k + 1,
                     field="road_id", road=asked[k])
    good = np.setdiff1d(np.arange(len(lines)), unknown)
    group, edge = _match_edges(web, lines.geometry.to_numpy(), road, good)
    off = np.setdiff1d(good, group)
    for k in off.tolist():
        findings.add("patrol.required_off", layer="required", row=names[k] or k + 1,
                     metres=int(NEAR_M))
    _tell_partly(web, lines, group, edge, names, findings)
    tier = pick_tiers(web, params.patrol)
    wanted = np.zeros(len(web.roads), dtype=bool)
    wanted[web.row[edge]] = True
    pieces = cut_pieces(web, edge, group, tier, wanted, params.patrol)
    return _number_pieces(_dress_pieces(web, lines, pieces, tier, params.patrol))


def _dress_pieces(web: Web, lines: gpd.GeoDataFrame, pieces: gpd.GeoDataFrame,
                  tier: NDArray[np.object_], patrol: PatrolParams) -> gpd.GeoDataFrame:
    """Give pieces of drawn lines what their lines say, else what their road's class says."""
    frame = lines.iloc[pieces["group"]].reset_index(drop=True).set_geometry(
        gpd.GeoSeries(pieces.geometry.to_numpy(), crs=web.roads.crs))
    road = pieces["road"].to_numpy()
    frame["road_id"] = web.roads.index[road]
    usual = {"tier": np.where(tier[road] == "", "town", tier[road]), "day_kind": "all",
             "passes_per_day": [max(1, patrol.passes.get(c, 1)) for c in web.road_class[road]],
             "optional": False}
    for column, values in usual.items():
        frame[column] = frame[column].fillna(pd.Series(values, index=frame.index))
    count = pieces.groupby("group")["road"].transform("size").to_numpy()
    place = pieces.groupby("group").cumcount().to_numpy() + 1
    held = frame["required_id"]
    frame["required_id"] = held.where(count == 1, held + "-" + pd.Series(place).astype("string"))
    return frame


def _match_edges(web: Web, lines: NDArray[Any], road: Ints, good: Ints) -> tuple[Ints, Ints]:
    """Return pairs of line and edge that lies along it, by line, then edge."""
    edges = web.network.geometry
    at, edge = shapely.STRtree(edges).query(lines[good], predicate="dwithin", distance=NEAR_M)
    row = good[at]
    keep = (road[row] < 0) | (road[row] == web.row[edge])
    order = np.lexsort((edge[keep], row[keep]))
    row, edge = row[keep][order].astype(np.int64), edge[keep][order].astype(np.int64)
    count = np.maximum(3, np.ceil(web.network.length_m[edge] / STEP_M)).astype(np.int64)
    pair = np.repeat(np.arange(len(edge)), count)
    step = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    along = (step + 0.5) / count[pair] * web.network.length_m[edge[pair]]
    point = shapely.line_interpolate_point(edges[edge[pair]], along)
    there = shapely.line_locate_point(lines[row[pair]], point)
    away = shapely.distance(point, lines[row[pair]])
    fits = (away <= NEAR_M) & _parallel(edges[edge[pair]], along, lines[row[pair]], there)
    # A line goes with the nearest of the roads beside it.
    far = np.flatnonzero(fits)
    fits[far] = away[far] <= NEARER_M + _nearest(web, lines, road, row[pair[far]], there[far])
    share = np.bincount(pair[fits], minlength=len(edge)) / count
    metres = share * web.network.length_m[edge]
    taken = share >= HALF
    bare = ~np.isin(row, row[taken]) & (share > 0)
    best = np.flatnonzero(bare)[np.lexsort((edge[bare], -metres[bare], row[bare]))]
    taken[best[np.flatnonzero(np.diff(row[best], prepend=-1))]] = True
    return row[taken], edge[taken]


def _nearest(web: Web, lines: NDArray[Any], road: Ints, row: Ints, there: Floats) -> Floats:
    """Return how far the nearest parallel edge is from places on lines."""
    edges = web.network.geometry
    place = shapely.line_interpolate_point(lines[row], there)
    k, edge = shapely.STRtree(edges).query(place, predicate="dwithin", distance=NEAR_M)
    along = shapely.line_locate_point(edges[edge], place[k])
    keep = _parallel(edges[edge], along, lines[row[k]], there[k]) & (
        (road[row[k]] < 0) | (road[row[k]] == web.row[edge]))
    found = np.full(len(row), np.inf)
    np.minimum.at(found, k[keep], shapely.distance(place[k[keep]], edges[edge[keep]]))
    return found


def _parallel(one: NDArray[Any], at: Floats, two: NDArray[Any], there: Floats) -> Bools:
    """Tell whether lines run within 30 degrees of each other at these places, either way round."""
    a, b = _direction(one, at), _direction(two, there)
    return np.asarray(np.abs((a * b).sum(axis=1)) >= PARALLEL)


def _direction(lines: NDArray[Any], at: Floats) -> Floats:
    ends = [shapely.get_coordinates(shapely.line_interpolate_point(
        lines, np.clip(at + step, 0.0, shapely.length(lines)))) for step in (-1.0, 1.0)]
    way = ends[1] - ends[0]
    return np.asarray(way / np.maximum(np.hypot(*way.T), 1e-9)[:, None])


def _tell_partly(web: Web, lines: gpd.GeoDataFrame, group: Ints, edge: Ints,
                 names: NDArray[np.object_], findings: Findings) -> None:
    """Warn of lines that leave the roads for a while."""
    rows, number = np.unique(group, return_inverse=True)
    near = shapely.buffer(shapely.multilinestrings(web.network.geometry[edge], indices=number),
                          NEAR_M + NEARER_M) if len(rows) else []
    lost = shapely.length(shapely.difference(lines.geometry.to_numpy()[rows], near))
    for k, metres in zip(rows.tolist(), np.asarray(lost).tolist(), strict=True):
        if metres > LOST_M:
            findings.add("patrol.required_partly", "warning", layer="required",
                         row=names[k] or k + 1, metres=round(metres))
