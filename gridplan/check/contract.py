"""Layers, columns, types, keys and references: what every other rule stands on."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport
from gridplan.layers import LAYERS

_FILLED = {
    "communities": ("community_id", "households", "grids", "status"),
    "grids": ("grid_id", "community_id", "part", "seq", "kind", "households", "buildings",
              "area_m2", "perimeter_m", "compactness", "status"),
    "units": ("unit_id", "community_id", "grid_id", "households"),
    "borders": ("border_id", "inside_block", "grid_a", "grid_b", "length_m"),
    "buildings": ("building_id", "community_id", "unit_id", "grid_id", "households"),
    "roads": ("road_id",),
    "barriers": ("barrier_id", "kind"),
    "specials": ("special_id",),
    "must_links": ("must_link_id", "status"),
    "estates": ("estate_id",),
    "groups": ("group_id", "grid_id", "kind", "name", "households", "head"),
    "staff": ("staff_id", "role", "community_id"),
    "assignments": ("assignment_id", "staff_id", "role", "travel_m", "kept"),
    "facilities": ("facility_id",),
    "demand": ("demand_id", "households"),
    "coverage": ("scope", "scope_id", "category", "walker", "reading", "limit_m", "households",
                 "covered"),
    "service_areas": ("area_id", "category", "limit_m"),
    "sites": ("site_id", "category", "rank", "gained_households"),
    "stations": ("station_id",),
    "stops": ("stop_id",),
    "required": ("required_id", "tier", "passes_per_day"),
    "calendar": ("calendar_id", "date"),
    "teams": ("team_id", "tier", "mode", "station_id", "shift_start", "shift_end"),
    "zones": ("zone_id", "tier"),
    "routes": ("route_id", "day", "shift", "team_id", "mode", "distance_m", "duration_min",
               "served_m", "deadhead_m"),
    "visits": ("visit_id", "route_id", "order", "arrive", "depart"),
    "unmet": ("unmet_id", "day", "visits", "reason"),
    "log": ("log_id", "day"),
    "figures": ("name", "scope"),
    "tally": ("stage", "layer", "rows_in", "used"),
    "run": ("key",),
}
_REFERENCES = (
    ("grids", "community_id", "communities"),
    ("units", "community_id", "communities"),
    ("units", "grid_id", "grids"),
    ("borders", "grid_a", "grids"),
    ("borders", "grid_b", "grids"),
    ("buildings", "community_id", "communities"),
    ("buildings", "unit_id", "units"),
    ("buildings", "grid_id", "grids"),
    ("groups", "grid_id", "grids"),
    ("units", "group_id", "groups"),
    ("buildings", "group_id", "groups"),
    ("staff", "community_id", "communities"),
    ("assignments", "grid_id", "grids"),
    ("assignments", "community_id", "communities"),
    ("assignments", "staff_id", "staff"),
    ("coverage", "nearest_id", "facilities"),
    ("service_areas", "facility_id", "facilities"),
    ("teams", "station_id", "stations"),
    ("teams", "zone_id", "zones"),
    ("stops", "zone_id", "zones"),
    ("calendar", "team_id", "teams"),
    ("routes", "team_id", "teams"),
    ("visits", "route_id", "routes"),
    ("visits", "stop_id", "stops"),
    ("visits", "required_id", "required"),
    ("unmet", "stop_id", "stops"),
    ("unmet", "required_id", "required"),
)
# Columns that hold a number of 0 or more, and those that hold a share up to 1.
_COUNTS = ("households_low", "households_high", "population", "newcomers", "rented", "floors",
           "height_m", "length_m", "maxspeed_kmh", "rows_in", "used", "repaired", "rejected",
           "outside", "households_in", "households_out", "workload", "numerator", "denominator",
           "capacity", "travel_m", "limit_m", "covered", "nearest_m", "load", "rank",
           "gained_households", "passes_per_day", "visits_per_day", "visits_per_week",
           "spacing_min", "service_min", "break_min", "members", "distance_m", "duration_min",
           "served_m", "bound_m", "bound_min", "passed_m")
_SHARES = ("p_in_range", "road_share", "compactness", "part_time", "share")
STATES = ("draft", "comment", "approved", "in force")
_RUN_KEYS = ("version", "command", "parameters", "seed", "crs", "state")
_AREAS = ("communities", "grids", "groups", "units")
_POINTS = ("facilities", "demand", "sites", "stations", "stops")
DEFAULT_RANGE = (300, 500)

Ranges = dict[str, tuple[int, int]]


def check_columns(plan: PlanData, report: CheckReport) -> None:
    """Every column of the contract is there and of its type."""
    for fault in plan.faults:
        values = {"found": fault.found, "expected": fault.expected} if fault.found else {}
        report.add("contract", fault.key, fault.layer, field=fault.column, **values)


def check_rows(plan: PlanData, report: CheckReport) -> None:
    """Keys are unique and filled, listed values are listed ones, references exist."""
    for name, frame in plan.frames.items():
        layer = LAYERS[name]
        keys = frame[layer.names[:layer.keys]].astype(object)
        key = keys.iloc[:, 0].to_numpy(dtype=object)
        for column in _FILLED.get(name, ()):
            held = frame[column]
            empty = (held == "") if held.dtype == object else held.isna()
            if empty.any():
                report.add("contract", "null_value", name, key[empty.to_numpy()], column)
        again = keys.duplicated(keep="first").to_numpy()
        if again.any():
            report.add("contract", "duplicate_key", name, dict.fromkeys(key[again].tolist()),
                       layer.key)
        _check_bounds(report, name, frame, key)
        for listed in (c for c in layer.columns if c.choices):
            held = frame[listed.name]
            odd = (~held.isin((*listed.choices, ""))).to_numpy()
            if odd.any():
                report.add("contract", "bad_choice", name, key[odd], listed.name,
                           value=str(held[odd].iloc[0]), choices=", ".join(listed.choices))
    for name, column, target in _REFERENCES:
        if name not in plan.frames:
            continue
        held = plan.frame(name)[column]
        lost = (~held.isin(plan.ids(target)) & (held != "")).to_numpy()
        if lost.any():
            report.add("contract", "dangling", name, plan.ids(name)[lost], column, target=target,
                       value=str(held[lost].iloc[0]))


def _check_bounds(report: CheckReport, name: str, frame: pd.DataFrame,
                  key: NDArray[np.object_]) -> None:
    for column in (c.name for c in LAYERS[name].columns if c.kind != "text"):
        if column in _COUNTS or column in _SHARES:
            held = frame[column].to_numpy(dtype=np.float64)
            bad = (held < 0) | (held > (1.0 if column in _SHARES else np.inf))
            if bad.any():
                report.add("contract", "out_of_bounds", name, key[bad], column,
                           value=float(held[bad][0]))


def check_geometry(plan: PlanData, report: CheckReport) -> None:
    """Areas are valid polygons, a grid and a unit exactly one; all in one metric CRS."""
    first = next(plan.frames[n].crs for n in ("grids", "demand") if n in plan.frames)
    for name, layer in LAYERS.items():
        if not layer.geometry or name not in plan.frames:
            continue
        crs = plan.frames[name].crs
        if crs is None or not crs.is_projected or crs.axis_info[0].unit_name != "metre":
            report.add("contract", "crs_not_metric", name, crs=str(crs))
        elif crs != first:
            report.add("contract", "crs_differs", name, crs=str(crs), expected=str(first))
    for name in (n for n in (*_AREAS, "buildings", *_POINTS) if n in plan.frames):
        shape = plan.shapes(name)
        ids = plan.ids(name)
        empty = shapely.is_missing(shape) | shapely.is_empty(shape)
        if empty.any():
            report.add("contract", "no_geometry", name, ids[empty])
        invalid = ~empty & ~shapely.is_valid(shape)
        if invalid.any():
            report.add("one_piece", "invalid_geometry", name, ids[invalid],
                       why=shapely.is_valid_reason(shape[invalid][0]))
        kinds = {"communities": (3, 6), "buildings": (0, 3, 6),
                 **dict.fromkeys(_POINTS, (0,))}.get(name, (3,))
        odd = ~empty & ~np.isin(shapely.get_type_id(shape), kinds)
        if odd.any():
            report.add("one_piece" if name in _AREAS else "contract", "not_one_polygon", name,
                       ids[odd], found=shape[odd][0].geom_type)


def check_run(plan: PlanData, report: CheckReport) -> Ranges:
    """Return the range of each kind of community in the plan; the run table must tell it."""
    missing = [k for k in _RUN_KEYS if not plan.run.get(k)]
    asked: dict[str, object] = {}
    try:
        parameters = json.loads(plan.run.get("parameters") or "{}")
        asked = parameters.get("partition", {}) if isinstance(parameters, dict) else {}
    except json.JSONDecodeError as error:
        report.add("contract", "run_unreadable", "run", ["parameters"], "value", error=str(error))
    ranges: Ranges = {}
    for kind in sorted({k or "urban" for k in plan.ids("communities", "kind")}):
        key = f"range:{kind}"
        told = _read_range(plan.run.get(key, ""))
        wanted = _asked_range(asked.get(kind))
        if not plan.run.get(key):
            missing.append(key)
        elif told is None or (wanted is not None and told != wanted):
            report.add("contract", "run_range", "run", [key], "value", found=plan.run[key],
                       expected="{}/{}".format(*(wanted or DEFAULT_RANGE)))
        ranges[kind] = told or wanted or DEFAULT_RANGE
    if plan.run.get("state", STATES[0]) not in STATES:
        report.add("contract", "bad_choice", "run", ["state"], "value", value=plan.run["state"],
                   choices=", ".join(STATES))
    if plan.run.get("crs") and plan.frames["grids"].crs != plan.run["crs"]:
        report.add("contract", "crs_differs", "run", ["crs"], "value", crs=plan.run["crs"],
                   expected=str(plan.frames["grids"].crs))
    if missing:
        report.add("contract", "run_missing", "run", missing, "key")
    return ranges


def check_keys_told(plan: PlanData, report: CheckReport) -> None:
    """Hold that the run table tells what every run tells."""
    missing = [k for k in _RUN_KEYS if not plan.run.get(k)]
    if missing:
        report.add("contract", "run_missing", "run", missing, "key")


def _read_range(text: str) -> tuple[int, int] | None:
    """Read ``low/high``; None where it is no range."""
    low, _, high = text.partition("/")
    if not (low.isdecimal() and high.isdecimal() and 1 <= int(low) <= int(high)):
        return None
    return int(low), int(high)


def _asked_range(asked: object) -> tuple[int, int] | None:
    """Take a range out of the parameters of the run."""
    if not isinstance(asked, dict):
        return None
    return _read_range(f"{asked.get('low')}/{asked.get('high')}")
