"""A made-up week of patrols on any plan with roads and communities, as the contract has it."""

from __future__ import annotations

import random
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely
from routes import _clock, _noded, _walk

from gridplan.layers import conform

SPEED = {"car": 330.0, "ebike": 180.0}
SHIFTS = {"city": ("07:30-15:30", "15:30-23:30", "23:30-07:30"),
          "town": ("07:30-15:30", "15:30-23:30")}
MODE = {"city": "car", "town": "ebike"}
DAYS = tuple(f"2026-12-{d:02d}" for d in range(1, 8))
KINDS = ("hotspot", "school", "market", "hospital", "kindergarten")


def make_streets(across: int, down: int, side_m: float, crs: Any) -> gpd.GeoDataFrame:
    """Streets in the manner of a chessboard, every third of them a main road."""
    x, y = (500_000 + side_m * np.arange(across + 1)), (3_400_000 + side_m * np.arange(down + 1))
    lines = [shapely.LineString([(x[0], v), (x[-1], v)]) for v in y]
    lines += [shapely.LineString([(v, y[0]), (v, y[-1])]) for v in x]
    main = [k % 3 == 0 for k in (*range(down + 1), *range(across + 1))]
    return gpd.GeoDataFrame({
        "road_id": [f"r{k}" for k in range(len(lines))],
        "name": [f"{'大道' if m else '小街'}{k}" for k, m in enumerate(main)],
        "road_class": ["primary" if m else "residential" for m in main], "structure": "grade",
        "level": 0}, geometry=lines, crs=crs)


class Week:
    """The rows of a week as they grow."""

    def __init__(self, layers: dict[str, pd.DataFrame], seed: int, evil: str) -> None:
        self.layers, self.evil, self.draw = layers, evil, random.Random(seed)
        roads = layers["roads"]
        self.graph = _noded(roads)
        self.roads = roads
        self.nodes = sorted(self.graph)
        self.rows: dict[str, list[dict[str, Any]]] = {n: [] for n in (
            "teams", "stops", "stations", "required", "routes", "visits", "zones", "unmet",
            "figures", "calendar")}
        self.edges: dict[tuple[str, str], list[tuple[Any, Any, str]]] = {}

    def add_zones(self, per: dict[str, int]) -> None:
        """Zones of whole communities, from west to east."""
        towns = self.layers["communities"]
        order = np.argsort(shapely.get_x(shapely.centroid(np.asarray(towns.geometry.array))))
        for tier, count in per.items():
            for k, rows in enumerate(np.array_split(order, count)):
                shape = shapely.union_all(np.asarray(towns.geometry.array)[rows])
                name = {"city": "市局第{}防区", "town": "第{}中队"}[tier].format("一二三四五六"[k])
                self.rows["zones"].append({
                    "zone_id": f"{tier[0].upper()}{k + 1}", "tier": tier, "name": name + self.evil,
                    "workload": 400.0, "geometry": shapely.multipolygons(
                        shapely.get_parts(shape))})

    def add_required(self) -> None:
        """Every street between two junctions, once: main roads are the city's."""
        shape = np.asarray(self.roads.geometry.array)
        tree = shapely.STRtree(shape)
        for u, v, data in self.graph.edges(data=True):
            middle = data["line"].interpolate(0.5, normalized=True)
            road = self.roads.iloc[int(tree.nearest(middle))]
            if road["road_class"] in ("footway", "service", "track", "living_street"):
                continue
            tier = "city" if road["road_class"] in ("primary", "secondary") else "town"
            zone = self._zone_at(tier, middle)
            if zone is None:
                continue
            name = f"Q{len(self.rows['required']) + 1:05d}"
            passes = 3 if road["road_class"] == "primary" else 2 if tier == "city" else 1
            self.rows["required"].append({
                "required_id": name, "road_id": road["road_id"], "tier": tier,
                "passes_per_day": passes, "day_kind": "all", "geometry": data["line"]})
            self.edges.setdefault((tier, zone), []).append((u, v, name))

    def _zone_at(self, tier: str, point: Any) -> str | None:
        for zone in self.rows["zones"]:
            if zone["tier"] == tier and zone["geometry"].distance(point) < 30:
                return str(zone["zone_id"])
        return None

    def add_stops(self, count: int) -> None:
        for k, node in enumerate(self.draw.sample(self.nodes, count)):
            zone = self._zone_at("town", shapely.Point(node))
            if zone is None:
                continue
            kind = KINDS[k % len(KINDS)]
            self.rows["stops"].append({
                "stop_id": f"S{k + 1:04d}", "name": f"岗亭{k + 1}{self.evil}", "kind": kind,
                "tier": "town", "zone_id": zone, "priority": 1 + k % 3,
                "visits_per_day": 2.0 if kind == "hotspot" else 1.0, "service_min": 12,
                "geometry": shapely.Point(node)})

    def add_teams(self) -> None:
        for zone in self.rows["zones"]:
            tier = zone["tier"]
            here = [n for n in self.nodes if zone["geometry"].covers(shapely.Point(n))]
            centre = min(here, key=lambda n: zone["geometry"].centroid.distance(shapely.Point(n)))
            station = f"ST-{zone['zone_id']}"
            self.rows["stations"].append({
                "station_id": station, "name": f"{zone['name']}警务站", "tier": tier,
                "geometry": shapely.Point(centre)})
            for k, shift in enumerate(SHIFTS[tier]):
                self.rows["teams"].append({
                    "team_id": f"{zone['zone_id']}-{k + 1}", "tier": tier, "mode": MODE[tier],
                    "station_id": station, "crew": "ABC"[k], "shift_start": shift[:5],
                    "shift_end": shift[6:], "members": 2, "zone_id": zone["zone_id"]})

    def add_day(self, day: str, budget_m: dict[str, float]) -> None:
        stations = {s["station_id"]: s["geometry"].coords[0] for s in self.rows["stations"]}
        left = {s["stop_id"]: int(s["visits_per_day"]) for s in self.rows["stops"]}
        for team in self.rows["teams"]:
            tier = team["tier"]
            start = min(self.nodes, key=lambda n: np.hypot(*np.subtract(
                n, stations[team["station_id"]])))
            todo = list(self.edges.get((tier, team["zone_id"]), ()))
            self.draw.shuffle(todo)
            stops = [s for s in self.rows["stops"] if s["zone_id"] == team["zone_id"]
                     and left[s["stop_id"]] > 0] if tier == "town" else []
            stops = stops[:9]
            for s in stops:
                left[s["stop_id"]] -= 1
            self._add_route(team, day, start, todo, stops, budget_m[tier])
        for s in self.rows["stops"]:
            if left[s["stop_id"]]:
                self.rows["unmet"].append({
                    "unmet_id": f"U{len(self.rows['unmet']) + 1:04d}", "day": day, "shift": "",
                    "stop_id": s["stop_id"], "visits": left[s["stop_id"]],
                    "reason": "crowded" if int(s["stop_id"][1:]) % 2 else "window"})

    def _add_route(self, team: dict[str, Any], day: str, start: Any, todo: list[Any],
                   stops: list[Any], budget_m: float) -> None:
        route_id = f"R{len(self.rows['routes']) + 1:05d}"
        shift = f"{team['shift_start']}-{team['shift_end']}"
        clock = begin = float(int(shift[:2]) * 60 + int(shift[3:5]))
        here, xy, metres, served, order, speed = start, [start], 0.0, 0.0, 0, SPEED[team["mode"]]
        ends: dict[Any, list[Any]] = {}
        for edge in todo:
            ends.setdefault(edge[0], []).append(edge)
            ends.setdefault(edge[1], []).append(edge)
        done: set[str] = set()

        def visit(arrive: float, depart: float, **more: Any) -> None:
            nonlocal order
            order += 1
            self.rows["visits"].append({
                "visit_id": f"{route_id}-{order:04d}", "route_id": route_id, "order": order,
                "arrive": _clock(arrive), "depart": _clock(depart), **more})

        def go(goal: Any) -> None:
            nonlocal here, clock, metres
            way, _ = _walk(self.graph, here, goal)
            far = float(shapely.LineString(way).length) if len(way) > 1 else 0.0
            xy.extend(way[1:])
            clock, metres, here = clock + far / speed, metres + far, goal

        places = [(s, tuple(round(v, 3) for v in s["geometry"].coords[0])) for s in stops]
        while metres < budget_m:
            near = next((n for n in nx.single_source_dijkstra_path_length(
                self.graph, here, cutoff=4000, weight="weight")
                if any(e[2] not in done for e in ends.get(n, ()))), None)
            if near is None:
                break
            go(near)
            u, v, name = next(e for e in ends[near] if e[2] not in done)
            begun, far = clock, self.graph.edges[u, v]["line"].length
            go(v if near == u else u)
            served += far
            done.add(name)
            visit(begun, clock, required_id=name)
            if places and len(done) % 4 == 0:
                stop, node = places.pop(0)
                go(node)
                visit(clock, clock + 12, stop_id=stop["stop_id"])
                clock += 12
            if len(done) == 20:
                visit(clock, clock + 30, instruction="break")
                clock += 30
        for stop, node in places:
            go(node)
            visit(clock, clock + 12, stop_id=stop["stop_id"])
            clock += 12
        go(start)
        self.rows["routes"].append({
            "route_id": route_id, "day": day, "shift": shift, "team_id": team["team_id"],
            "mode": team["mode"], "distance_m": shapely.LineString(xy).length,
            "duration_min": clock - begin, "served_m": served, "deadhead_m": metres - served,
            "gap": 0.02, "geometry": shapely.LineString(xy)})

    def add_figures(self) -> None:
        required = pd.DataFrame(self.rows["required"])
        lengths = dict(zip(required["required_id"], shapely.length(
            np.asarray(required["geometry"], object)), strict=True))
        tier_of = dict(zip(required["required_id"], required["tier"], strict=True))
        tiers = {t["team_id"]: t["tier"] for t in self.rows["teams"]}
        routes = {r["route_id"]: r for r in self.rows["routes"]}
        seen: dict[str, set[tuple[str, str, str]]] = {"city": set(), "town": set()}
        made = 0
        for row in self.rows["visits"]:
            r = routes[row["route_id"]]
            if row.get("required_id"):
                seen[tiers[r["team_id"]]].add((r["day"], r["shift"], row["required_id"]))
            made += bool(row.get("stop_id"))
        part, whole = dict.fromkeys(seen, 0.0), dict.fromkeys(seen, 0.0)
        for tier, things in seen.items():
            part[tier] = sum(lengths[q] for _, _, q in things)
            shifts = {(r["day"], r["shift"]) for r in routes.values()
                      if tiers[r["team_id"]] == tier}
            whole[tier] = len(shifts) * sum(v for q, v in lengths.items() if tier_of[q] == tier)
            self._figure("street_visibility", part[tier] / whole[tier], "tier", tier)
        self._figure("street_visibility", sum(part.values()) / sum(whole.values()))
        lost = sum(u["visits"] for u in self.rows["unmet"] if u.get("stop_id"))
        self._figure("visit_share", made / (made + lost), numerator=made, denominator=made + lost)
        for name, value in (("response_share_1", 0.31), ("response_share_3", 0.74),
                            ("response_share_5", 0.93), ("response_share_15", 1.0),
                            ("patrol_gap", 0.031), ("idleness_worst", 912.0),
                            ("day_overlap", 0.22)):
            self._figure(name, value)
        self._figure("staff_per_10000", 6.4, target=14.0)

    def _figure(self, name: str, value: float, scope: str = "city", scope_id: str = "all",
                **more: float) -> None:
        self.rows["figures"].append({"name": name, "scope": scope, "scope_id": scope_id,
                                     "value": value, **more})


def add_week(layers: dict[str, pd.DataFrame], days: tuple[str, ...] = DAYS, *, stops: int = 60,
             zones: dict[str, int] | None = None, budget_m: dict[str, float] | None = None,
             seed: int = 3, evil: str = "") -> dict[str, pd.DataFrame]:
    """Return the layers with a week of patrols of two tiers; every other day is like the first."""
    week = Week(layers, seed, evil)
    week.add_zones(zones or {"city": 2, "town": 4})
    week.add_required()
    week.add_stops(stops)
    week.add_teams()
    for day in days:
        week.add_day(day, budget_m or {"city": 16_000.0, "town": 9_000.0})
    first = week.rows["required"][0]["required_id"]
    week.rows["unmet"].append({"unmet_id": "U9999", "day": days[0], "shift": SHIFTS["city"][0],
                               "required_id": first, "visits": 1, "reason": "shift"})
    week.add_figures()
    week.rows["calendar"] += [{"calendar_id": d, "date": d, "duty": "normal",
                               "day_kind": "weekend" if k in (4, 5) else "workday"}
                              for k, d in enumerate(days)]
    crs = layers["communities"].crs
    out = dict(layers)
    for name, rows in week.rows.items():
        frame = pd.DataFrame(rows)
        if "geometry" in frame.columns:
            frame = gpd.GeoDataFrame(frame, geometry="geometry", crs=crs)
        if name == "figures" and layers.get("figures") is not None:
            frame = pd.concat([layers["figures"], conform(name, frame)], ignore_index=True)
        out[name] = conform(name, frame)
    return out
