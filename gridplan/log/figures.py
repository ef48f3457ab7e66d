"""Figures of what was done, by team, shift, zone and in all; never of one person."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.layers import LAYERS, conform
from gridplan.log.planned import text_of
from gridplan.log.request import LogRules
from gridplan.log.times import read_clock
from gridplan.plan import Plan

_TIE_M = 0.01
SCOPES = ("city", "shift", "team", "zone")


def make_figures(plan: Plan, rules: LogRules) -> pd.DataFrame:
    """Return the rows of the layer ``figures`` that tell what of the planned was done.

    ``logged_share`` is planned visits that the log tells of ÷ planned visits; the others are over
    the visits that it tells of. ``done_stop_share`` and ``done_pass_share`` are visits done ÷
    visits; ``missed_stops`` visits of stops not done; ``passed_m`` metres of required streets
    passed, of the metres planned, its target; ``late_share`` visits that began more than
    ``late_min`` minutes after their time ÷ visits done whose time is known; ``late_min`` the
    median of those minutes, below 0 for early ones. A team of one has no row of its own.
    """
    table = list_visits(plan)
    out: list[dict[str, Any]] = []
    for scope in SCOPES:
        keys = pd.Series("all", index=table.index) if scope == "city" else table[scope]
        for key in sorted(k for k in keys.unique() if k):
            out += _list_rows(scope, str(key), table[(keys == key).to_numpy()], rules)
    return conform("figures", pd.DataFrame(out, columns=LAYERS["figures"].names))


def list_visits(plan: Plan) -> pd.DataFrame:
    """Return planned visits but breaks: kind, team, shift, zone, length, and what the log says.

    ``team`` is blank for a team of one: figures of it would be those of a person.
    """
    visits = plan.layer("visits")
    table = pd.DataFrame({c: text_of(visits, c) for c in (
        "visit_id", "route_id", "stop_id", "required_id", "arrive")})
    table = table[(table["stop_id"] != "") | (table["required_id"] != "")]
    routes = plan.layer("routes")
    route = pd.DataFrame({c: text_of(routes, c) for c in ("route_id", "team_id", "shift")})
    table = table.merge(route, on="route_id", how="left").fillna("")
    table["is_stop"] = table["stop_id"] != ""
    required = plan.layer("required")
    length = dict(zip(text_of(required, "required_id"), required.geometry.length, strict=True))
    table["length_m"] = table["required_id"].map(length).astype(float)
    table["zone"] = find_zones(plan, table)
    teams = plan.layer("teams")
    alone = {t for t, n in zip(text_of(teams, "team_id"), teams["members"].to_numpy(
        dtype=float, na_value=np.nan), strict=True) if n == 1}
    table["team"] = table["team_id"].where(~table["team_id"].isin(alone), "")
    log = plan.layer("log")
    arrived = text_of(log, "arrived") if "arrived" in log.columns else [""] * len(log)
    held = pd.DataFrame({
        "visit_id": text_of(log, "visit_id"), "logged": True,
        "done": log["done"].fillna(False).to_numpy(dtype=bool),
        "passed_m": log["passed_m"].to_numpy(dtype=float, na_value=np.nan),
        "arrived_min": [np.nan if (m := read_clock(a)) is None else float(m) for a in arrived]})
    table = table.merge(held, on="visit_id", how="left")
    for column in ("logged", "done"):
        table[column] = table[column].astype("boolean").fillna(False).to_numpy(dtype=bool)
    planned = table["arrive"].map(lambda a: np.nan if (m := read_clock(a)) is None else float(m))
    table["late_min"] = table["arrived_min"] - planned
    return table


def find_zones(plan: Plan, table: pd.DataFrame) -> list[str]:
    """Return the zone of each visit: that of its team, else the nearest of its tier.

    On a border several are equally near: then the first by zone_id.
    """
    teams = plan.layer("teams")
    own = dict(zip(text_of(teams, "team_id"), text_of(teams, "zone_id"), strict=True))
    tier = dict(zip(text_of(teams, "team_id"), text_of(teams, "tier"), strict=True))
    zones = plan.layer("zones")
    ids, tiers = text_of(zones, "zone_id"), text_of(zones, "tier")
    place = {**_middles(plan.layer("stops"), "stop_id"),
             **_middles(plan.layer("required"), "required_id")}
    areas = zones.geometry.to_numpy()
    out = []
    for team, stop, required in zip(table["team_id"], table["stop_id"], table["required_id"],
                                    strict=True):
        zone = own.get(team, "")
        point = place.get(stop or required)
        near = [k for k, t in enumerate(tiers) if t == tier.get(team, "")]
        if not zone and point is not None and near:
            off = shapely.distance(areas[near], point)
            zone = min(ids[k] for k, far in zip(near, off, strict=True)
                       if far <= off.min() + _TIE_M)
        out.append(zone)
    return out


def _middles(frame: gpd.GeoDataFrame, key: str) -> dict[str, Any]:
    shapes = frame.geometry.to_numpy()
    line = shapely.get_dimensions(shapes) == 1
    points = np.where(line, shapely.line_interpolate_point(
        np.where(line, shapes, shapely.LineString([(0, 0), (1, 1)])), 0.5, normalized=True), shapes)
    return dict(zip(text_of(frame, key), points, strict=True))


def _list_rows(scope: str, key: str, table: pd.DataFrame, rules: LogRules
               ) -> list[dict[str, Any]]:
    """Return the figures of one place; none where the log tells of none of its visits."""
    told = table[table["logged"].to_numpy()]
    if told.empty:
        return []
    stop = told["is_stop"].to_numpy()
    done = told["done"].to_numpy()
    late = told["late_min"].to_numpy()[done & told["late_min"].notna().to_numpy()]
    planned, passed = (float(told.loc[~stop, c].sum()) for c in ("length_m", "passed_m"))

    def row(name: str, value: float, unit: str, **more: float) -> dict[str, Any]:
        return {"name": name, "scope": scope, "scope_id": key, "value": value, "unit": unit, **more}

    def share(name: str, part: float, whole: float) -> dict[str, Any]:
        return row(name, part / whole, "share", numerator=part, denominator=whole)

    out = [share("logged_share", len(told), len(table))]
    if stop.any():
        out += [share("done_stop_share", float((stop & done).sum()), float(stop.sum())),
                row("missed_stops", float((stop & ~done).sum()), "stops")]
    if not stop.all():
        out += [share("done_pass_share", float((~stop & done).sum()), float((~stop).sum())),
                row("passed_m", passed, "m", target=planned)]
    if late.size:
        out += [share("late_share", float((late > rules.late_min).sum()), float(late.size)),
                row("late_min", float(np.median(late)), "min")]
    return out
