"""Two days of patrols on a lattice of streets, each route laid by hand and timed step by step.

Streets run every 200 m from 0 to 800 m; the northernmost is one-way to the east, and a bridge at
300 m crosses one street without meeting it. Teams of the town work a half each, one of the city
walks anywhere and is off duty on the second day.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pyogrio
import shapely

from gridplan.layers import LAYERS, conform

CRS = "EPSG:4547"
DAYS = ("2026-12-04", "2026-12-05")
EAST, NORTH = 500_000.0, 4_000_000.0
STEP, MOST = 200.0, 800.0
PACE = {"ebike": 3.6 / 12.0, "foot": 1.0}  # seconds a metre on residential streets
WALK = {"ebike": 1 / 5.6, "foot": 1.0}  # and off them
POINTS = {  # name → where it is, and where it enters the streets
    "ST1": ((-20, 100), (0, 100)), "ST2": ((820, 300), (800, 300)),
    "S1": ((190, 260), (200, 260)), "S2": ((590, 700), (600, 700)),
    "S3": ((120, 410), (120, 400)), "S4": ((250, 590), (250, 600)),
    "S5": ((410, 50), (400, 50))}
PIECES = {"Q1": ((0, 200), (0, 400)), "Q2": ((200, 200), (200, 400)),
          "Q3": ((600, 800), (800, 800)), "Q4": ((0, 0), (200, 0))}


def place(xy: Iterable[float]) -> tuple[float, float]:
    x, y = xy
    return EAST + x, NORTH + y


def draw_roads() -> gpd.GeoDataFrame:
    """The lattice; streets have a vertex wherever one meets them."""
    ticks = np.arange(0, MOST + 1, STEP).tolist()
    rows = []
    for at in ticks:
        along = sorted({*ticks, *([300.0] if at in (0, 400) else [])})
        rows.append((f"h{at:.0f}", [(x, at) for x in along], "yes" if at == MOST else None, 0))
        rows.append((f"v{at:.0f}", [(at, y) for y in ticks], None, 0))
    rows.append(("bridge", [(300, 0), (300, 400)], None, 1))
    return gpd.GeoDataFrame({
        "road_id": [r[0] for r in rows], "road_class": "residential",
        "one_way": [r[2] for r in rows], "level": [r[3] for r in rows],
        "structure": ["bridge" if r[3] else "grade" for r in rows]}, crs=CRS,
        geometry=[shapely.LineString([place(p) for p in r[1]]) for r in rows])


def draw_graph(mode: str) -> nx.DiGraph:
    """The streets as places a metre and more apart, with the feet of all points among them."""
    feet = {foot for _, foot in POINTS.values()}
    graph = nx.DiGraph()
    for road in draw_roads().itertuples():
        xy = [(x - EAST, y - NORTH) for x, y in road.geometry.coords]
        for a, b in itertools.pairwise(xy):
            on = sorted({a, b, *(f for f in feet if min(a[0], b[0]) <= f[0] <= max(a[0], b[0])
                                 and min(a[1], b[1]) <= f[1] <= max(a[1], b[1])
                                 and (road.road_id == "bridge") == (f[0] == 300))})
            for p, q in itertools.pairwise(on):
                far = float(np.hypot(q[0] - p[0], q[1] - p[1])) * PACE[mode]
                graph.add_edge(p, q, seconds=far)
                if road.one_way != "yes" or mode == "foot":
                    graph.add_edge(q, p, seconds=far)
    return graph


class Driver:
    """Takes one team through its tasks and writes down what it does when."""

    def __init__(self, team: dict[str, Any], day: str, shift: str, number: int) -> None:
        self.team, self.day, self.shift = team, day, shift
        self.name = f"R{number:05d}"
        self.graph = draw_graph(team["mode"])
        start, end = (60.0 * int(t[:2]) + int(t[3:]) for t in shift.split("-"))
        self.begin = self.clock = start
        self.end = end + 1440 * (end <= start)
        self.here, foot = POINTS[team["station_id"]]
        self.xy = [self.here]
        self.foot: tuple[float, float] | None = foot
        self.visits: list[dict[str, Any]] = []
        self.served = 0.0

    def go(self, to: tuple[float, float], foot: tuple[float, float] | None) -> None:
        """Drive to a node, or by its foot to a point off the street."""
        mode = self.team["mode"]
        source = self.foot or self.here
        goal = foot or to
        path = nx.shortest_path(self.graph, source, goal, weight="seconds")
        seconds = nx.path_weight(self.graph, path, "seconds")
        for leg in ((self.here, self.foot), (to, foot)):
            if leg[1] is not None:
                seconds += float(np.hypot(leg[0][0] - leg[1][0], leg[0][1] - leg[1][1])) * WALK[
                    mode]
        self.xy += [*path, *([to] if foot else [])]
        self.here, self.foot = to, foot
        self.clock += seconds / 60

    def note(self, arrive: float, **more: Any) -> None:
        self.visits.append({
            "visit_id": f"{self.name}-{len(self.visits) + 1:04d}", "route_id": self.name,
            "order": len(self.visits) + 1, "arrive": clock(arrive), "depart": clock(self.clock),
            **more})

    def stop(self, name: str, stay: float, after: float = 0.0) -> None:
        self.go(*POINTS[name])
        self.clock = max(self.clock, after)
        self.clock += stay
        self.note(self.clock - stay, stop_id=name)

    def walk_piece(self, name: str, back: bool = False) -> None:
        ends = PIECES[name][::-1] if back else PIECES[name]
        self.go(ends[0], None)
        arrive = self.clock
        self.go(ends[1], None)
        self.note(arrive, required_id=name)
        self.served += float(np.hypot(*np.subtract(*ends)))

    def rest(self, minutes: float, after: float = 0.0) -> None:
        self.clock = max(self.clock, after)
        self.clock += minutes
        self.note(self.clock - minutes, instruction="break")

    def finish(self) -> dict[str, Any]:
        self.go(*POINTS[self.team["station_id"]])
        line = shapely.LineString([place(p) for p in self.xy])
        return {"route_id": self.name, "day": self.day, "shift": self.shift,
                "team_id": self.team["team_id"], "mode": self.team["mode"],
                "distance_m": line.length, "duration_min": self.clock - self.begin,
                "served_m": self.served, "deadhead_m": line.length - self.served,
                "geometry": line}


def clock(minutes: float) -> str:
    whole = int(minutes + 1e-9)
    return f"{whole // 60:02d}:{whole % 60:02d}"


TEAMS = [
    {"team_id": "T1", "tier": "town", "mode": "ebike", "station_id": "ST1", "crew": "A",
     "shift_start": "08:00", "shift_end": "16:00", "break_min": 30,
     "break_window": "11:00-14:00", "members": 2, "zone_id": "Z1"},
    {"team_id": "T2", "tier": "town", "mode": "ebike", "station_id": "ST2", "crew": "B",
     "shift_start": "22:00", "shift_end": "06:00", "break_min": 0, "members": 3,
     "zone_id": "Z2"},
    {"team_id": "T3", "tier": "city", "mode": "foot", "station_id": "ST1", "crew": "C",
     "shift_start": "14:00", "shift_end": "22:00", "break_min": 0, "members": 2},
    {"team_id": "T4", "tier": "town", "mode": "ebike", "station_id": "ST1", "crew": "A",
     "shift_start": "08:00", "shift_end": "16:00", "break_min": 0, "zone_id": "Z1"}]
STOPS = [
    {"stop_id": "S1", "kind": "school", "tier": "town", "visits_per_day": 2.0, "spacing_min": 60,
     "service_min": 5, "windows": "07:30-09:00;09:30-17:00"},
    {"stop_id": "S2", "kind": "hotspot", "tier": "town", "visits_per_day": 1.0,
     "service_min": 5, "windows": "21:00-03:00"},
    {"stop_id": "S3", "kind": "market", "visits_per_week": 7.0, "service_min": 8},
    {"stop_id": "S4", "kind": "bank", "tier": "town", "visits_per_day": 1.0, "service_min": 10,
     "windows": "10:00-10:05"},
    {"stop_id": "S5", "kind": "hospital", "tier": "city", "visits_per_day": 1.0,
     "service_min": 5}]
REQUIRED = [
    {"required_id": "Q1", "road_id": "v0", "tier": "town", "passes_per_day": 1,
     "day_kind": "all"},
    {"required_id": "Q2", "road_id": "v200", "tier": "town", "passes_per_day": 2,
     "day_kind": "all"},
    {"required_id": "Q3", "road_id": "h800", "tier": "town", "passes_per_day": 1,
     "day_kind": "workday"},
    {"required_id": "Q4", "road_id": "h0", "tier": "city", "passes_per_day": 1,
     "day_kind": "all"}]
CALENDAR = [
    {"date": DAYS[0], "day_kind": "workday", "duty": "normal"},
    {"date": DAYS[1], "day_kind": "weekend", "duty": "raised", "crew": "A", "team_id": "T1"},
    {"date": DAYS[1], "day_kind": "weekend", "duty": "raised", "crew": "D", "team_id": "T2"}]
UNMET = [
    (DAYS[0], "S4", None, 1, "window"), (DAYS[1], "S4", None, 2, "window"),
    (DAYS[1], "S5", None, 2, "tier"), (DAYS[1], None, "Q4", 2, "tier")]


def drive_all() -> list[Driver]:
    """Let every team do its work of both days."""
    out = []
    for number, (day, team) in enumerate(
            [(DAYS[0], 0), (DAYS[0], 1), (DAYS[0], 2), (DAYS[1], 0), (DAYS[1], 1), (DAYS[0], 3)],
            start=1):
        mine = TEAMS[team]
        d = Driver(mine, day, f"{mine['shift_start']}-{mine['shift_end']}", number)
        raised = day == DAYS[1]
        if team == 3:
            d.rest(10)  # at the station, before it leaves
            d.walk_piece("Q1")
        elif team == 0:
            if raised:
                d.walk_piece("Q1")
            d.walk_piece("Q2", back=True)
            d.stop("S1", 5)
            for _ in range(int(raised)):
                d.walk_piece("Q1", back=True)
                d.walk_piece("Q2")
            d.stop("S3", 8)
            d.walk_piece("Q2")
            d.stop("S1", 5, after=650.25)
            d.rest(30, after=660)
            if raised:
                d.stop("S1", 5, after=780)
        elif team == 1:
            d.stop("S2", 12, after=1435)
            if raised:
                d.stop("S2", 16, after=1500)
            else:
                d.walk_piece("Q3")
        else:
            d.walk_piece("Q4")
            d.stop("S5", 5)
        out.append(d)
    return out


def draw_points(names: Iterable[str]) -> list[shapely.Point]:
    return [shapely.Point(place(POINTS[n][0])) for n in names]


def draw_patrol() -> dict[str, pd.DataFrame]:
    """All layers of the lattice with its patrols, true to the contract."""
    drivers = drive_all()
    routes = gpd.GeoDataFrame([d.finish() for d in drivers], crs=CRS)
    zone = [next(t.get("zone_id", "") for t in TEAMS if t["team_id"] == n)
            for n in routes["team_id"]]
    longest = routes.groupby(["day", "shift", pd.Series(zone)])["duration_min"].transform("max")
    routes["bound_min"], routes["bound_m"] = longest / 2, 100.0
    routes["gap"] = longest / routes["bound_min"] - 1
    squares = [(-100, -100, 400, 400), (-100, 400, 400, 900), (400, -100, 900, 400),
               (400, 400, 900, 900)]
    grids = gpd.GeoDataFrame({"grid_id": [f"C001-00{k}" for k in (1, 2, 3, 4)],
                              "community_id": "C001"}, crs=CRS, geometry=[
        shapely.box(*place(s[:2]), *place(s[2:])) for s in squares])
    halves = [shapely.union_all(grids.geometry.to_numpy()[k:k + 2]) for k in (0, 2)]
    frames: dict[str, pd.DataFrame] = {
        "roads": draw_roads(), "grids": grids, "routes": routes,
        "communities": gpd.GeoDataFrame(
            {"community_id": ["C001"], "population": [2000], "households": [800]}, crs=CRS,
            geometry=[shapely.union_all(grids.geometry.to_numpy())]),
        "buildings": gpd.GeoDataFrame(
            {"building_id": [f"b{k}" for k in range(8)], "community_id": "C001",
             "grid_id": [f"C001-00{k % 4 + 1}" for k in range(8)], "households": 100}, crs=CRS,
            geometry=[shapely.Point(place((x, y))).buffer(5) for x, y in (
                (50, 120), (90, 590), (500, 220), (680, 610), (320, 380), (210, 790), (790, 10),
                (610, 410))]),
        "zones": gpd.GeoDataFrame({"zone_id": ["Z1", "Z2"], "tier": "town"}, crs=CRS,
                                  geometry=[shapely.multipolygons([h]) for h in halves]),
        "stations": gpd.GeoDataFrame({"station_id": ["ST1", "ST2"]}, crs=CRS,
                                     geometry=draw_points(["ST1", "ST2"])),
        "stops": gpd.GeoDataFrame(pd.DataFrame(STOPS), crs=CRS,
                                  geometry=draw_points(s["stop_id"] for s in STOPS)),
        "required": gpd.GeoDataFrame(pd.DataFrame(REQUIRED), crs=CRS, geometry=[
            shapely.LineString([place(p) for p in PIECES[r["required_id"]]]) for r in REQUIRED]),
        "teams": pd.DataFrame(TEAMS), "visits": pd.DataFrame(
            [v for d in drivers for v in d.visits]),
        "calendar": pd.DataFrame([{"calendar_id": f"K{k}", **row}
                                  for k, row in enumerate(CALENDAR)]),
        "unmet": pd.DataFrame([
            {"unmet_id": f"U{k}", "day": d, "stop_id": s, "required_id": p, "visits": n,
             "reason": why} for k, (d, s, p, n, why) in enumerate(UNMET)]),
        "figures": pd.DataFrame({"name": [], "scope": [], "scope_id": []})}
    run = {"parameters": json.dumps({}), "crs": CRS, "patrol:days": ",".join(DAYS)}
    frames["run"] = pd.DataFrame({"key": list(run), "value": list(run.values())})
    return {name: conform(name, frame) for name, frame in frames.items()}


def write_patrol(frames: dict[str, pd.DataFrame], path: Path) -> Path:
    """Write layers as a file."""
    for name, frame in frames.items():
        spatial = isinstance(frame, gpd.GeoDataFrame)
        kind = LAYERS[name].geometry if name in ("routes", "required", "zones",
                                                 "communities") else "Unknown"
        options = {"geometry_type": kind, "SPATIAL_INDEX": "NO"}
        pyogrio.write_dataframe(frame, path, layer=name, append=path.exists(),
                                **(options if spatial else {}))
    return path
