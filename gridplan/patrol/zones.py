"""Zones of responsibility: whole grids, balanced by the minutes of patrol work in them."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.errors import Findings
from gridplan.i18n import translate
from gridplan.layers import TIERS, conform, write_numeral
from gridplan.network.usage import text_of
from gridplan.params import Params
from gridplan.patrol.pieces import Bools, Floats, Ints, order_rows
from gridplan.patrol.workload import (
    Work,
    count_teams,
    share_shift,
    span_of,
    split_shifts,
    tally_zones,
    useful_min,
)
from gridplan.plan import Plan
from gridplan.regions import Cut, Graph, connected_components, cut_graph
from gridplan.regions.graph import subgraph

CONTACT_M = 1.0  # two grids touch where they share a metre of border, as everywhere in a plan
TIE_M = 0.01  # borders run on roads: a middle so near to several zones is on their border
ACROSS = 0.2  # a border between communities is five times as good a border of a zone
SLACKS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.8)  # how far from the mean a zone may be, tightest first
UNEVEN = 1.25  # zones that stand out more than this are worth a word
SQUADRON_TEAMS = 4.0  # teams of a shift that one head of a squadron can lead
SMALL_TEAM = 0.25  # a detached part with less work than this share of a team gets no own zone
TRIES = 3  # numbers of zones tried so that one team a shift does for each
BRIDGE_M = 50.0  # how far is looked first for what lies nearest to a part that touches no other
LETTERS = dict(zip(TIERS, "ABC", strict=True))


def find_zones(points: NDArray[Any], zones: gpd.GeoDataFrame, tier: str) -> NDArray[np.object_]:
    """Return the zone of a tier that each point belongs to, "" where the tier has none.

    That is the nearest; of several equally near, as on their border, the first by zone_id.

    Parameters
    ----------
    points
        Middles of pieces, or stops, in the CRS of the zones.
    """
    own = zones[(zones["tier"] == tier).fillna(False).to_numpy(dtype=bool)].sort_values("zone_id")
    if own.empty or not len(points):
        return np.full(len(points), "", dtype=object)
    return own["zone_id"].to_numpy(dtype=object)[_nearest_of(points, own.geometry.to_numpy())]


def _nearest_of(points: NDArray[Any], shapes: NDArray[Any]) -> Ints:
    """Return the first of the shapes within a centimetre of being the nearest to each point."""
    tree = shapely.STRtree(shapes)
    shapely.prepare(shapes)
    xy = shapely.get_coordinates(points)
    # Boxes first: shapes of thousands of corners are dear to ask, and prepared ones cheap.
    point, shape = tree.query(shapely.box(*(xy - TIE_M).T, *(xy + TIE_M).T))
    near = shapely.dwithin(shapes[shape], points[point], TIE_M)
    found = np.full(len(points), len(shapes))
    np.minimum.at(found, point[near], shape[near])
    lost = np.flatnonzero(found == len(shapes))
    if len(lost):
        (_, _), away = tree.query_nearest(points[lost], return_distance=True, all_matches=False)
        point, shape = tree.query(points[lost], predicate="dwithin", distance=away + TIE_M)
        np.minimum.at(found, lost[point], shape)
    return found.astype(np.int64)


def zone_of_grids(grids: gpd.GeoDataFrame, zones: gpd.GeoDataFrame, tier: str = "community"
                  ) -> pd.Series:
    """Return the zone_id of each grid, by grid_id: of the zone that a point in it lies in.

    NA where the tier has no zone.
    """
    inner = shapely.point_on_surface(grids.geometry.to_numpy())
    held = pd.Series(find_zones(inner, zones, tier), dtype="string",
                     index=pd.Index(grids["grid_id"].astype(object), name="grid_id"))
    return held.where(held != "")


def touch_grids(grids: gpd.GeoDataFrame) -> tuple[Ints, Ints, Floats]:
    """Return pairs of grids that share at least a metre of border, and how much they share."""
    shape = grids.geometry.to_numpy()
    a, b = shapely.STRtree(shape).query(shape, predicate="intersects")
    once = a < b
    a, b = a[once], b[once]
    # Outlines, not areas: where hand-made borders overlap by a hair, areas share no line.
    outline = shapely.boundary(shape)
    metres = np.asarray(shapely.length(shapely.intersection(outline[a], outline[b])))
    good = metres >= CONTACT_M
    order = np.lexsort((b[good], a[good]))
    return (a[good][order].astype(np.int64), b[good][order].astype(np.int64), metres[good][order])


def join_grids(grids: gpd.GeoDataFrame) -> Graph:
    """Return grids without work as a graph; borders between communities are good to cut."""
    u, v, metres = touch_grids(grids)
    community = text_of(grids, "community_id", "")
    across = community[u] != community[v]
    return Graph(np.zeros(len(grids), np.int64), u.astype(np.int32), v.astype(np.int32),
                 metres * np.where(across, ACROSS, 1.0), across)


def _connect(graph: Graph, shape: NDArray[Any]) -> Graph:
    """Join what touches nothing else to the nearest, by edges that cost nothing to cut."""
    bridge = _bridge(shape, graph).astype(np.int32)
    return Graph(graph.households, np.concatenate([graph.u, bridge[:, 0]]),
                 np.concatenate([graph.v, bridge[:, 1]]),
                 np.concatenate([graph.weight, np.zeros(len(bridge))]),
                 np.concatenate([graph.major, np.ones(len(bridge), bool)]))


def _bridge(shape: NDArray[Any], graph: Graph) -> Ints:
    """Return the shortest pairs that join the pieces of a graph of polygons to one."""
    empty = np.zeros((0, 2), dtype=np.int64)
    piece = connected_components(graph)
    count = int(piece.max(initial=0)) + 1
    if count == 1:
        return empty
    reach_m, tree = BRIDGE_M, shapely.STRtree(shape)
    while True:
        one, two = tree.query(shape, predicate="dwithin", distance=reach_m)
        apart = (one < two) & (piece[one] != piece[two])
        one, two = one[apart], two[apart]
        away = np.round(shapely.distance(shape[one], shape[two]), 3)
        found, joined = [], piece.astype(np.int64)
        for k in np.lexsort((two, one, away)).tolist():
            if joined[one[k]] != joined[two[k]]:
                joined[joined == joined[one[k]]] = joined[two[k]]
                found.append((int(one[k]), int(two[k])))
        if len(found) == count - 1:
            return np.array(found, dtype=np.int64)
        reach_m *= 2


def cut_evenly(graph: Graph, count: int, seed: int) -> Cut:
    """Cut a connected graph into ``count`` parts as even as can be found.

    The tightest of a row of ranges round the mean in which all parts fit is kept; where none
    fits, the cut with the fewest parts out of the widest.

    >>> path = Graph([10, 10, 10, 10], [0, 1, 2], [1, 2, 3], [1.0] * 3, [False] * 3)
    >>> cut_evenly(path, 2, 1).labels.tolist()
    [0, 0, 1, 1]
    """
    total = int(graph.households.sum())
    count = max(1, min(count, int((graph.households > 0).sum())))
    if count == 1:
        return Cut(np.zeros(graph.size, np.int32), 1, 0.0, 0, "ok", "")
    for slack in SLACKS:
        low = max(1, int(total / count * (1 - slack)))
        high = max(low, -(-total // count), int(np.ceil(total / count * (1 + slack))))
        cut = cut_graph(graph, low, high, count=count, seed=seed, effort="fast")
        if cut.out_of_range == 0:
            break
    return cut


def propose_zones(plan: Plan, work: Work, params: Params, findings: Findings, *,
                  lang: str = "en", seed: int = 1) -> gpd.GeoDataFrame:
    """Return the layer ``zones`` of all three tiers, made of whole grids.

    One zone for the city; one squadron for every subdistrict, or several where it lies in parts;
    where the plan has one subdistrict, squadrons of about four teams a shift; community zones so
    many that one team a shift does for each, along borders of communities where it can be.

    Parameters
    ----------
    work
        What there is to do in a day.
    findings
        Takes ``patrol.zone_parts`` (a zone in several parts) and ``patrol.zones_uneven``.

    Raises
    ------
    InputError
        The plan has no grids.
    """
    plan.require("grids")
    grids = plan.layer("grids").sort_values("grid_id").reset_index(drop=True)
    labels = {"city": np.zeros(len(grids), np.int64)}
    base = join_grids(grids)
    for tier in ("town", "community"):
        minutes = _minutes_of_grids(grids, work, tier)
        graph = Graph(np.rint(minutes).astype(np.int64), base.u, base.v, base.weight, base.major)
        labels[tier] = (_cut_squadrons(plan, grids, graph, work, params, seed)
                        if tier == "town" else _cut_communities(plan, grids, graph, work, params,
                                                                seed))
        _tell_uneven(labels[tier], minutes, tier, findings)
    frames = [_draw_zones(plan, grids, labels[tier], tier, work, lang) for tier in TIERS]
    zones = pd.concat(frames, ignore_index=True)
    parts = shapely.get_num_geometries(zones.geometry.to_numpy())
    for k in np.flatnonzero(parts > 1).tolist():
        if zones["tier"].iloc[k] != "city":
            findings.add("patrol.zone_parts", "warning", layer="zones",
                         row=zones["zone_id"].iloc[k], count=int(parts[k]),
                         name=zones["name"].iloc[k])
    return conform("zones", zones)


def _minutes_of_grids(grids: gpd.GeoDataFrame, work: Work, tier: str) -> Floats:
    """Return the minutes a day of each grid; work on a border is shared among its grids."""
    rows = np.flatnonzero(work.of(tier))
    shape = grids.geometry.to_numpy()
    point, grid = shapely.STRtree(shape).query(work.point[rows], predicate="dwithin",
                                               distance=TIE_M)
    lost = np.setdiff1d(np.arange(len(rows)), point)
    if len(lost):
        point = np.concatenate([point, lost])
        grid = np.concatenate([grid, _nearest_of(work.point[rows[lost]], shape)])
    share = work.a_day[rows][point] / np.bincount(point, minlength=len(rows))[point]
    return np.asarray(np.bincount(grid, share, minlength=len(grids)), dtype=np.float64)


def _teams_needed(work: Work, chosen: Bools, tier: str, params: Params) -> float:
    """Return the teams that the fullest shift of some work takes, not rounded."""
    shifts = [span_of(*s) for s in split_shifts(params.patrol.shifts[tier])]
    return max(share_shift(work, chosen, shifts, k)[0] / useful_min(params.patrol, shift)
               for k, shift in enumerate(shifts))


def _cut_squadrons(plan: Plan, grids: gpd.GeoDataFrame, graph: Graph, work: Work,
                   params: Params, seed: int) -> Ints:
    """Return the squadron of each grid: by subdistrict, its parts, or cut by workload."""
    home = plan.indexed("communities")["subdistrict_id"].astype("string").fillna("")
    told = text_of(grids, "community_id", "")
    street = home.reindex(told).fillna("").to_numpy(dtype=object)
    names = sorted(set(street.tolist()))
    shape = grids.geometry.to_numpy()
    needed = _teams_needed(work, work.of("town"), "town", params)
    if len(names) == 1:
        return _cut_parts(graph, shape, needed, SQUADRON_TEAMS, seed)
    out = np.zeros(len(grids), np.int64)
    used = 0
    for name in names:
        own = np.flatnonzero(street == name).astype(np.int32)
        label = _keep_large(subgraph(graph, own), shape[own], _least_of(graph, needed))
        out[own] = used + label
        used += int(label.max()) + 1
    return out


def _least_of(graph: Graph, needed: float) -> float:
    """Return the minutes below which a detached part gets no zone of its own."""
    return SMALL_TEAM * max(1, int(graph.households.sum())) / max(needed, SMALL_TEAM)


def _cut_parts(graph: Graph, shape: NDArray[Any], needed: float, teams: float, seed: int,
               more: int = 0) -> Ints:
    """Cut every connected part of the grids into zones of at most so many teams.

    Parameters
    ----------
    needed
        Teams that all grids need in the fullest shift.
    more
        Zones more in each part that is cut.
    """
    part = _keep_large(graph, shape, _least_of(graph, needed))
    out = np.zeros(graph.size, np.int64)
    used = 0
    for k in range(int(part.max()) + 1):
        own = np.flatnonzero(part == k).astype(np.int32)
        share = graph.households[own].sum() / max(1, graph.households.sum())
        count = max(1, int(np.ceil(share * needed / teams - 1e-9)))
        label = cut_evenly(_connect(subgraph(graph, own), shape[own]),
                           count + more * (count > 1), seed).labels
        out[own] = used + label
        used += int(label.max()) + 1
    return out


def _keep_large(graph: Graph, shape: NDArray[Any], least: float) -> Ints:
    """Give connected parts of a subdistrict numbers; small ones join the nearest larger one."""
    piece = connected_components(graph).astype(np.int64)
    minutes = np.bincount(piece, graph.households)
    large = np.flatnonzero(minutes >= least)
    if not len(large):
        large = np.array([int(minutes.argmax())])
    for part in np.setdiff1d(np.arange(len(minutes)), large).tolist():
        away = [float(shapely.distance(shapely.multipolygons(shape[piece == part]),
                                       shapely.multipolygons(shape[piece == k]))) for k in large]
        piece[piece == part] = large[int(np.argmin(np.round(away, 3)))]
    return np.unique(piece, return_inverse=True)[1].astype(np.int64)


def _cut_communities(plan: Plan, grids: gpd.GeoDataFrame, graph: Graph, work: Work,
                     params: Params, seed: int) -> Ints:
    """Cut grids into as many zones as community teams are needed in the fullest shift.

    A few zones more are tried as well; the cut whose zones need the fewest teams is kept.
    """
    needed = _teams_needed(work, work.of("community"), "community", params)
    found: list[tuple[int, int, int, Ints]] = []
    for more in range(TRIES):
        label = _cut_parts(graph, grids.geometry.to_numpy(), needed, 1.0, seed, more)
        zones = _draw_zones(plan, grids, label, "community", work, "en")
        zone = find_zones(work.point, zones, "community")
        teams = [max(count_teams(work, work.of("community") & (zone == z), "community",
                                 params.patrol)) for z in zones["zone_id"]]
        found.append((sum(teams), max(teams), more, label))
        if max(teams) == 1:
            break
    return min(found, key=lambda one: one[:3])[3]


def _tell_uneven(label: Ints, minutes: Floats, tier: str, findings: Findings) -> None:
    load = np.bincount(label, minutes)
    if tier == "community" and load.max() > UNEVEN * load.mean() > 0:
        findings.add("patrol.zones_uneven", "warning", layer="zones", row=tier,
                     count=len(load), most=round(float(load.max())),
                     mean=round(float(load.mean())),
                     bound=round(max(float(load.mean()), float(minutes.max()))))


def _draw_zones(plan: Plan, grids: gpd.GeoDataFrame, label: Ints, tier: str, work: Work,
                lang: str) -> gpd.GeoDataFrame:
    """Return the zones of one tier with numbers from the north, names and workloads."""
    shape = grids.geometry.to_numpy()
    whole = bool(shapely.coverage_is_valid(shape))
    union = shapely.coverage_union_all if whole else shapely.union_all
    drawn = np.array([_as_multi(union(shape[label == k])) for k in range(int(label.max()) + 1)],
                     dtype=object)
    box = shapely.bounds(drawn)
    order = order_rows(shapely.get_coordinates(shapely.centroid(drawn)),
                       max(1.0, float(np.median(box[:, 3] - box[:, 1]))))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    width = len(str(len(order)))
    ids = ([LETTERS[tier]] if tier == "city"
           else [f"{LETTERS[tier]}{n + 1:0{width}d}" for n in range(len(order))])
    frame = gpd.GeoDataFrame({"zone_id": ids, "tier": tier,
                              "name": _name_zones(plan, grids, rank[label], tier, lang)},
                             geometry=drawn[order], crs=grids.crs)
    zone = find_zones(work.point, frame, tier)
    frame["workload"] = tally_zones(work, zone, tier).reindex(ids).fillna(0.0).round(1).to_numpy()
    return frame


def _as_multi(shape: shapely.Geometry) -> shapely.MultiPolygon:
    return shapely.multipolygons(shapely.get_parts(shape))


def _name_zones(plan: Plan, grids: gpd.GeoDataFrame, label: Ints, tier: str, lang: str
                ) -> list[str]:
    """Name zones after the communities they lie in."""
    if tier == "city":
        return [translate("patrol.zone_city", lang)]
    communities = plan.indexed("communities")
    called = communities["name"].fillna(pd.Series(communities.index, communities.index))
    held = text_of(grids, "community_id", "")
    alone: dict[str, int] = {}
    names = []
    spread = {c: len(set(label[held == c].tolist())) for c in sorted(set(held.tolist()))}
    for k in range(int(label.max()) + 1):
        inside = held[label == k]
        largest = sorted(set(inside.tolist()), key=lambda c: (-int((inside == c).sum()), c))
        name = str(called.get(largest[0], largest[0]))
        values = {"number": k + 1, "numeral": write_numeral(k + 1), "name": name,
                  "count": len(largest)}
        if tier == "town":
            key = "patrol.zone_town" if len(largest) == 1 else "patrol.zone_town_many"
        elif len(largest) > 1:
            key = "patrol.zone_several"
        elif spread[largest[0]] == 1:
            key = "patrol.zone_whole"
        else:
            alone[name] = alone.get(name, 0) + 1
            key, values["number"] = "patrol.zone_part", alone[name]
        names.append(translate(key, lang, **values))
    return names
