"""A plan with patrols as the contract has them: made-up teams that walk along the town's roads."""

from __future__ import annotations

import itertools
import random
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely

from gridplan.layers import conform
from gridplan.plan import Plan
from gridplan.town import build_town

STREET, GATE, PHONE = "长安街", "东门岗亭", "13812345678"
METRES_A_MIN = 80.0


def make_plan(days: tuple[str, ...] = ("2026-12-31",), teams: int = 3, stops: int = 6,
              seed: int = 7) -> Plan:
    """A town of one community whose teams go from their station along streets and to stops.

    The second team's shift runs across midnight, and each has a break after its third stop.
    """
    study = build_town(1, seed).study
    roads = study.roads.reset_index()
    graph = _noded(roads)
    draw = random.Random(seed)
    nodes = sorted(graph)
    station = nodes[draw.randrange(len(nodes))]
    rows: dict[str, list[dict[str, Any]]] = {n: [] for n in (
        "teams", "stops", "required", "routes", "visits", "calendar")}
    for k in range(teams):
        team = f"T{k + 1}"
        shift = ("08:00-16:00", "22:00-06:00", "14:00-22:00")[k % 3]
        rows["teams"].append({
            "team_id": team, "tier": "town", "mode": "ebike", "station_id": "ST1",
            "crew": "ABCD"[k % 4], "shift_start": shift[:5], "shift_end": shift[6:],
            "members": 2, "zone_id": "Z1"})
        for day in days:
            goals = draw.sample(nodes, stops)
            _add_route(rows, graph, roads, (team, day, shift), station, goals)
    area = study.communities.geometry.iloc[0]
    frames: dict[str, pd.DataFrame] = {name: pd.DataFrame(held) for name, held in rows.items()}
    for name in ("stops", "required", "routes"):
        frames[name] = gpd.GeoDataFrame(frames[name], geometry="geometry", crs=study.crs)
    frames["calendar"] = pd.DataFrame([
        {"calendar_id": f"{d}/{t['team_id']}", "date": d, "day_kind": "workday",
         "crew": t["crew"], "team_id": t["team_id"]} for d in days for t in rows["teams"]])
    frames["stations"] = gpd.GeoDataFrame(
        {"station_id": ["ST1"], "name": ["中心警务站"]}, geometry=[shapely.Point(station)],
        crs=study.crs)
    frames["zones"] = gpd.GeoDataFrame(
        {"zone_id": ["Z1"], "tier": ["town"], "name": ["城东中队"]},
        geometry=[shapely.MultiPolygon([area])], crs=study.crs)
    held = {"roads": roads, "barriers": study.barriers.reset_index(),
            "communities": study.communities.reset_index(), **frames,
            "buildings": study.buildings.reset_index()}
    return Plan({n: conform(n, f) for n, f in held.items()}, study.crs)


def _noded(roads: gpd.GeoDataFrame) -> nx.Graph:
    """The streets as a graph of points, with lines between junctions."""
    graph = nx.Graph()
    noded = shapely.node(shapely.multilinestrings(np.asarray(roads.geometry.array)))
    for line in shapely.get_parts(noded):
        a, b = (tuple(round(v, 3) for v in line.coords[k]) for k in (0, -1))
        if a != b:
            graph.add_edge(a, b, weight=line.length, line=line)
    part = max(nx.connected_components(graph), key=len)
    return graph.subgraph(part).copy()


def _walk(graph: nx.Graph, a: Any, b: Any) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """The coordinates of the shortest way, and the edges it goes along."""
    path = nx.shortest_path(graph, a, b, weight="weight")
    xy: list[Any] = [a]
    for u, v in itertools.pairwise(path):
        coords = list(graph.edges[u, v]["line"].coords)
        if np.hypot(*(np.array(coords[0]) - u)) > np.hypot(*(np.array(coords[-1]) - u)):
            coords.reverse()
        xy += coords[1:]
    return xy, list(itertools.pairwise(path))


def _add_route(rows: dict[str, list[dict[str, Any]]], graph: nx.Graph, roads: gpd.GeoDataFrame,
               who: tuple[str, str, str], station: Any, goals: list[Any]) -> None:
    team, day, shift = who
    route_id = f"R{len(rows['routes']) + 1:05d}"
    clock = float(int(shift[:2]) * 60 + int(shift[3:5]))
    begin, xy, here, served, order = clock, [station], station, 0.0, 0

    def visit(arrive: float, depart: float, **more: Any) -> None:
        nonlocal order
        order += 1
        rows["visits"].append({
            "visit_id": f"{route_id}-{order:03d}", "route_id": route_id, "order": order,
            "arrive": _clock(arrive), "depart": _clock(depart), **more})

    for n, goal in enumerate(goals, 1):
        way, edges = _walk(graph, here, goal)
        metres = float(shapely.LineString(way).length) if len(way) > 1 else 0.0
        for u, v in edges[:1]:
            line = graph.edges[u, v]["line"]
            required_id = f"Q{len(rows['required']) + 1:04d}"
            near = np.asarray(shapely.distance(np.asarray(roads.geometry.array),
                                               line.interpolate(0.5, normalized=True)))
            rows["required"].append({
                "required_id": required_id, "road_id": roads["road_id"].iloc[int(near.argmin())],
                "tier": "town", "passes_per_day": 1, "day_kind": "all", "geometry": line})
            visit(clock, clock + line.length / METRES_A_MIN, required_id=required_id)
            served += line.length
        clock += metres / METRES_A_MIN
        xy += way[1:]
        stop_id = f"S{len(rows['stops']) + 1:04d}"
        rows["stops"].append({"stop_id": stop_id, "name": f"{GATE}{len(rows['stops']) + 1}",
                              "kind": "school", "tier": "town", "zone_id": "Z1",
                              "service_min": 12, "geometry": shapely.Point(goal)})
        visit(clock, clock + 12, stop_id=stop_id)
        clock += 12
        if n == 3:
            visit(clock, clock + 30, instruction="break")
            clock += 150  # so that the night shift passes midnight
        here = goal
    xy += _walk(graph, here, station)[0][1:]
    line = shapely.LineString(xy)
    end = clock + 10
    rows["routes"].append({
        "route_id": route_id, "day": day, "shift": shift, "team_id": team, "mode": "ebike",
        "distance_m": line.length, "duration_min": end - begin, "served_m": served,
        "deadhead_m": line.length - served, "geometry": line})


def _clock(minutes: float) -> str:
    whole = int(minutes)
    return f"{whole // 60:02d}:{whole % 60:02d}"
