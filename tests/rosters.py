"""Rosters and plans small enough to be counted by hand."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import shapely

from gridplan.layers import Roster, Source
from gridplan.plan import Plan

CRS = 4549


def make_roster(people: list[dict[str, object]]) -> Roster:
    """A roster of people told as ``{"id": "S1", "town": "c1", "role": …, "grids": [...]}``."""
    ids = pd.Index([str(p["id"]) for p in people], name="staff_id", dtype=object)
    rows = list(range(2, len(people) + 2))
    staff = pd.DataFrame({
        "role": pd.array([p.get("role", "responsible") for p in people], dtype="string"),
        "community_id": pd.array([p["town"] for p in people], dtype="string"),
        "capacity": pd.array([p.get("capacity", pd.NA) for p in people], dtype="Int64"),
        "capacity_unit": pd.array([p.get("unit", "households") for p in people], dtype="string"),
        "part_time": pd.array([p.get("share", 1.0) for p in people], dtype="Float64"),
        "languages": pd.array(["zh"] * len(people), dtype="string"), "row": rows}, index=ids)
    texts = {c: pd.array([p.get(c, pd.NA) for p in people], dtype="string")
             for c in ("person", "phone", "home")}

    def listed(key: str, column: str) -> pd.DataFrame:
        told = [(str(p["id"]), value, row) for p, row in zip(people, rows, strict=True)
                for value in p.get(key, ())]  # type: ignore[attr-defined]
        return pd.DataFrame(told, columns=["staff_id", column, "row"]).astype(
            {"staff_id": object, column: object})

    return Roster(staff, pd.DataFrame(texts, index=ids), listed("grids", "grid_id"),
                  listed("buildings", "building_id"), listed("wishes", "grid_id"),
                  listed("bars", "grid_id"), listed("allowed", "community_id"),
                  Source("roster.csv", "roster", "0" * 64, len(people)))


def make_plan(towns: dict[str, tuple[str, list[int]]], **values: object) -> Plan:
    """A plan of communities side by side, each a row of grids 100 m wide and 100 m high.

    ``towns`` gives for each community its kind and the households of its grids. Grid 2 of c1
    is ``c1-002``; each grid has one building in its middle, ``b-c1-002``, 10 m wide, with all
    its households. ``values`` are columns of the grids.
    """
    grids, houses, wards = [], [], []
    for number, (town, (kind, held)) in enumerate(towns.items()):
        south = 100.0 * number
        wards.append((town, kind, sum(held), len(held),
                      shapely.box(0, south, 100 * max(len(held), 1), south + 100)))
        for k, households in enumerate(held):
            code = f"{town}-{k + 1:03d}"
            grids.append((code, town, k + 1, households, shapely.box(
                100 * k, south, 100 * k + 100, south + 100)))
            houses.append((f"b-{code}", town, code, households, shapely.box(
                100 * k + 45, south + 45, 100 * k + 55, south + 55)))
    frame = gpd.GeoDataFrame(grids, columns=["grid_id", "community_id", "seq", "households",
                                             "geometry"], crs=CRS)
    frame = frame.assign(kind="basic", status="ok", area_m2=10_000.0)
    buildings = gpd.GeoDataFrame(houses, columns=["building_id", "community_id", "grid_id",
                                                  "households", "geometry"], crs=CRS)
    units = gpd.GeoDataFrame(frame[["grid_id", "community_id", "households", "geometry"]]).assign(
        unit_id=[f"u{k}" for k in range(len(frame))])
    communities = gpd.GeoDataFrame(wards, columns=["community_id", "kind", "households", "grids",
                                                   "geometry"], crs=CRS)
    run = pd.DataFrame({"key": ["version"], "value": ["0"]})
    return Plan({"communities": communities, "grids": frame.assign(**values),
                 "buildings": buildings, "units": units, "run": run}, CRS)


def fill_in(plan: Plan, layer: str, key: str, **columns: object) -> Plan:
    """The plan with columns of a layer changed, each given as code → value."""
    frame = plan.layer(layer).copy()
    for name, told in columns.items():
        row = frame[key].map(told)  # type: ignore[arg-type]
        frame[name] = frame[name].where(row.isna().to_numpy(dtype=bool), row.astype(object))
    return plan.with_layers(**{layer: frame})
