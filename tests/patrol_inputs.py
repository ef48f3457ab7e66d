"""A small plan and tables of a dispatcher, countable by hand."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from gridplan.errors import Findings, InputError
from gridplan.params import Params
from gridplan.patrol.inputs import check_patrol
from gridplan.plan import Plan
from gridplan.read import read_patrol

CRS = 4549
WEST, SOUTH = 500_000.0, 3_580_000.0
ROADS = (("R1", "长安街", "primary", 0), ("R2", "长安街", "primary", 1000),
         ("R3", "人民路", "residential", 2000), ("R4", None, "residential", 3000),
         ("R5", "东巷", "service", 4000))


def make_plan(**layers: Any) -> Plan:
    """A small plan, with further layers."""
    return _town().with_layers(**layers) if layers else _town()


@functools.cache
def _town() -> Plan:
    """Two communities of two grids each, 1 km squares in a row; five roads from south to north."""
    grids = gpd.GeoDataFrame(
        {"grid_id": ["a-001", "a-002", "b-001", "b-002"], "community_id": ["a", "a", "b", "b"]},
        geometry=[shapely.box(WEST + 1000 * k, SOUTH, WEST + 1000 * k + 1000, SOUTH + 1000)
                  for k in range(4)], crs=CRS)
    communities = grids.dissolve("community_id").reset_index()[["community_id", "geometry"]]
    roads = gpd.GeoDataFrame(
        {"road_id": [r[0] for r in ROADS], "name": [r[1] for r in ROADS],
         "road_class": [r[2] for r in ROADS], "public": [r[2] != "service" for r in ROADS]},
        geometry=[shapely.LineString([(WEST + x, SOUTH), (WEST + x, SOUTH + 1000)])
                  for *_, x in ROADS], crs=CRS)
    facilities = gpd.GeoDataFrame(
        {"facility_id": ["F1", "F2"], "name": ["东城派出所", "实验小学"],
         "categories": ["police_post", "primary_school"]},
        geometry=[spot(500, 500), spot(2500, 500)], crs=CRS)
    return Plan({"grids": grids, "communities": communities, "roads": roads,
                 "facilities": facilities}, CRS)


def spot(x: float, y: float) -> shapely.Point:
    return shapely.Point(WEST + x, SOUTH + y)


def write(folder: Path, name: str, rows: list[dict[str, Any]], suffix: str = "csv") -> Path:
    """Write rows as a file of one table."""
    path = folder / f"{name}.{suffix}"
    frame = pd.DataFrame(rows)
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_excel(path, index=False)
    return path


def read(folder: Path, plan: Plan | None = None, **tables: list[dict[str, Any]]
         ) -> tuple[dict[str, Any], Findings]:
    """Write tables and read them."""
    findings = Findings()
    paths = {name: write(folder, name, rows) for name, rows in tables.items()}
    return read_patrol(paths, plan or make_plan(), findings), findings


def read_faults(folder: Path, plan: Plan | None = None, **tables: list[dict[str, Any]]
                ) -> dict[str, Any]:
    """Write tables that must be refused; return the faults by key."""
    try:
        read(folder, plan, **tables)
    except InputError as error:
        return {f.key.partition(".")[2]: f for f in error.findings}
    raise AssertionError("nothing was refused")


def layers(**changes: Any) -> dict[str, Any]:
    """A sound set of layers; ``teams=[{…}]`` puts rows of changes over those of the set."""
    sound: dict[str, list[dict[str, Any]]] = {
        "teams": [
            {"team_id": "T1", "tier": "town", "mode": "ebike", "station_id": "ST1", "crew": "A",
             "shift_start": "07:30", "shift_end": "15:30", "break_min": 30,
             "break_window": "11:00-13:00", "members": 2},
            {"team_id": "T2", "tier": "town", "mode": "car", "station_id": "ST1", "crew": "B",
             "shift_start": "22:00", "shift_end": "06:00", "break_min": 30, "members": 2}],
        "stations": [{"station_id": "ST1", "name": "东城站", "geometry": spot(500, 500)}],
        "stops": [
            {"stop_id": "S1", "name": "小学", "kind": "school", "tier": "town", "priority": 2,
             "visits_per_day": 2, "spacing_min": 60, "service_min": 10,
             "windows": "07:20-08:20;16:20-17:30", "geometry": spot(600, 500)},
            {"stop_id": "S2", "name": "热点", "kind": "hotspot", "tier": "town", "priority": 1,
             "visits_per_week": 3, "service_min": 12, "geometry": spot(2600, 500)}],
        "required": [{"required_id": "Q1", "road_id": "R1", "tier": "town", "passes_per_day": 2,
                      "day_kind": "all", "geometry": shapely.LineString(
                          [(WEST, SOUTH), (WEST, SOUTH + 1000)])}],
        "calendar": [{"calendar_id": "1", "date": "2026-12-05", "day_kind": "weekend",
                      "duty": "raised"}],
        "zones": []}
    out = {}
    for name, rows in sound.items():
        change = changes.get(name, [])
        merged = [{**(rows[k] if k < len(rows) else {}), **(change[k] if k < len(change) else {})}
                  for k in range(max(len(rows), len(change)))]
        out[name] = frame_of(name, changes.get(f"only_{name}", merged))
    return out


def frame_of(name: str, rows: list[dict[str, Any]]) -> Any:
    """Rows as a frame, with a geometry where the layer has one."""
    frame = pd.DataFrame(rows)
    if name in ("teams", "calendar"):
        return frame
    return gpd.GeoDataFrame(frame if len(frame) else {f"{name[:-1]}_id": []},
                            geometry="geometry" if len(frame) else [], crs=CRS)


def zone(zone_id: str, *grids: int, tier: str = "town") -> dict[str, Any]:
    """A zone of grids 0 to 3."""
    shape = shapely.union_all([shapely.box(
        WEST + 1000 * k, SOUTH, WEST + 1000 * k + 1000, SOUTH + 1000) for k in grids])
    return {"zone_id": zone_id, "tier": tier, "name": f"{zone_id}防区",
            "geometry": shapely.MultiPolygon([shape])}


def check(**changes: Any) -> tuple[dict[str, Any], Findings]:
    """Check the sound set with changes."""
    findings = Findings()
    return check_patrol(layers(**changes), make_plan(), Params(), findings), findings


def faults(**changes: Any) -> dict[str, Any]:
    """Check a set that must be refused; return the faults by key, without the room."""
    try:
        check(**changes)
    except InputError as error:
        return {f.key.removeprefix("patrol.input_"): f for f in error.findings}
    raise AssertionError("nothing was refused")
