"""What was done of the planned: the layer ``log`` held to visits, streets and its own figures."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport

_NAMES = ("logged_share", "done_stop_share", "missed_stops", "done_pass_share", "passed_m",
          "late_share", "late_min")
_SHARES = {"logged_share": ("told", "planned"), "done_stop_share": ("stops_done", "stops"),
           "done_pass_share": ("passes_done", "passes"), "late_share": ("late", "known")}
_SLACK_M = 0.1
_CLOCK = re.compile(r"(\d{2}):([0-5]\d)")

Truth = dict[tuple[str, str, str], tuple[float, float | None, float | None, float | None]]


def tells_log(plan: PlanData) -> bool:
    """Tell whether a plan says what was done."""
    return bool(len(plan.frame("log")) or "log:rules" in plan.run)


def check_log(plan: PlanData, report: CheckReport) -> None:
    """Check what a plan tells of what was done, where it tells it."""
    figures = plan.frame("figures")
    told = figures["name"].isin(_NAMES).to_numpy(dtype=bool)
    if not tells_log(plan):
        if told.any():
            report.add("log", "log_figures_alone", "figures", figures["name"][told].unique())
        return
    rules = _read_rules(plan, report)
    if rules is None:
        return
    visits = _list_visits(plan)
    before = len(report.broken)
    _check_rows(plan, report, visits)
    if len(report.broken) != before:
        report.unchecked.append("log")
        return
    table = visits.merge(_read_log(plan), on="visit_id", how="left")
    _check_streets(report, table[table["told"].notna()], rules["covered_share"])
    _check_times(plan, report, table, rules["margin_min"])
    _check_figures(plan, report, _recompute(table, rules["late_min"]))


def _read_rules(plan: PlanData, report: CheckReport) -> dict[str, float] | None:
    """Return the rules that the log went by; they must stand in the run table."""
    try:
        held = json.loads(plan.run.get("log:rules") or "{}")
        return {name: float(held[name]) for name in ("covered_share", "late_min", "margin_min")}
    except (ValueError, KeyError, TypeError, AttributeError):
        report.add("log", "log_rules", "run", ["log:rules"], "value")
        return None


def _minutes(text: str) -> float:
    found = _CLOCK.fullmatch(text)
    return float(int(found[1]) * 60 + int(found[2])) if found else np.nan


def _list_visits(plan: PlanData) -> pd.DataFrame:
    """Return the visits that are no breaks, with team, day, shift, length and zone."""
    columns = ["visit_id", "route_id", "stop_id", "required_id", "arrive"]
    table = plan.frame("visits")[columns]
    table = table[((table["stop_id"] != "") | (table["required_id"] != "")).to_numpy(dtype=bool)]
    routes = plan.frame("routes")[["route_id", "day", "shift", "team_id"]]
    table = table.merge(pd.DataFrame(routes), on="route_id", how="inner")
    size = dict(zip(plan.ids("required"), shapely.length(plan.shapes("required")), strict=True))
    table["length_m"] = table["required_id"].map(size).astype(float)
    table["stop"] = (table["stop_id"] != "").to_numpy(dtype=bool)
    table["zone"] = _find_zones(plan, table)
    members = dict(zip(plan.ids("teams"), plan.numbers("teams", "members"), strict=True))
    table["team"] = [t if members.get(t) != 1 else "" for t in table["team_id"]]
    return table


def _find_zones(plan: PlanData, table: pd.DataFrame) -> list[str]:
    own = dict(zip(plan.ids("teams"), plan.ids("teams", "zone_id"), strict=True))
    tier = dict(zip(plan.ids("teams"), plan.ids("teams", "tier"), strict=True))
    middle = dict(zip(plan.ids("stops"), plan.shapes("stops"), strict=True))
    middle |= {key: line.interpolate(line.length / 2) for key, line in zip(
        plan.ids("required"), plan.shapes("required"), strict=True)}
    areas = sorted(zip(plan.ids("zones"), plan.ids("zones", "tier"), plan.shapes("zones"),
                       strict=True), key=lambda a: str(a[0]))
    out = []
    for row in table.itertuples():
        zone = own.get(row.team_id, "")
        point = middle.get(row.stop_id or row.required_id)
        own_tier = [(area.distance(point), z) for z, of, area in areas
                    if of == tier.get(row.team_id, "")] if not zone and point is not None else []
        if own_tier:
            least = min(own_tier)[0]
            zone = min(z for far, z in own_tier if far <= least + 0.01)
        out.append(str(zone))
    return out


def _read_log(plan: PlanData) -> pd.DataFrame:
    log = plan.frame("log")
    arrived = log["arrived"].fillna("").astype(str) if "arrived" in log.columns else (
        pd.Series("", index=log.index))
    return pd.DataFrame({
        "visit_id": log["visit_id"].to_numpy(dtype=object), "told": 1.0,
        "done": log["done"].to_numpy(dtype=float), "passed_m": log["passed_m"].to_numpy(float),
        "arrived_min": [_minutes(a) for a in arrived]})


def _check_rows(plan: PlanData, report: CheckReport, visits: pd.DataFrame) -> None:
    """Hold that every row is of a planned visit, once, and of its team, day and shift."""
    log, ids = plan.frame("log"), plan.ids("log")

    def tell(key: str, bad: NDArray[np.bool_], field: str) -> None:
        if bad.any():
            report.add("log", key, "log", ids[bad], field)

    known = log["visit_id"].isin(visits["visit_id"]).to_numpy(dtype=bool)
    tell("log_visit", ~known, "visit_id")
    tell("log_twice", log["visit_id"].duplicated().to_numpy(dtype=bool), "visit_id")
    tell("log_undecided", ~log["done"].isin([0.0, 1.0]).to_numpy(dtype=bool), "done")
    held = visits.drop_duplicates("visit_id").set_index("visit_id").reindex(log["visit_id"])
    for column in ("day", "shift", "team_id"):
        tell("log_whose", known & (held[column].fillna("").to_numpy(dtype=object)
                                   != log[column].to_numpy(dtype=object)), column)
    stop = held["stop"].fillna(False).to_numpy(dtype=bool)
    metres = plan.numbers("log", "passed_m")
    tell("log_stop_metres", known & stop & ~np.isnan(metres), "passed_m")
    length = held["length_m"].to_numpy(dtype=float)
    tell("log_bounds", known & ~stop & ~((metres >= 0) & (metres <= length + _SLACK_M)),
         "passed_m")


def _check_streets(report: CheckReport, table: pd.DataFrame, share: float) -> None:
    """Hold that a street is done where its share was passed, and only there."""
    rows = table[~table["stop"].to_numpy(dtype=bool)]
    least = share * rows["length_m"].to_numpy(dtype=float)
    metres = rows["passed_m"].to_numpy(dtype=float)
    done = rows["done"].to_numpy(dtype=float) == 1.0
    bad = np.where(done, metres < least - _SLACK_M, metres > least + _SLACK_M)
    if bad.any():
        first = rows[bad].iloc[0]
        report.add("log", "log_street_done", "log", rows["visit_id"][bad], "done",
                   found=round(float(first["passed_m"]), 1),
                   expected=round(share * float(first["length_m"]), 1))
    # Whoever passed a street twice has passed it once.
    order = rows.sort_values(["route_id", "required_id", "visit_id"], kind="stable")
    same = (order[["route_id", "required_id"]] == order[["route_id", "required_id"]].shift()
            ).all(axis=1).to_numpy(dtype=bool)
    more = same & (order["passed_m"].diff().to_numpy(dtype=float) > _SLACK_M)
    if more.any():
        report.add("log", "log_again", "log", order["visit_id"][more], "passed_m")


def _check_times(plan: PlanData, report: CheckReport, table: pd.DataFrame, margin_min: float
                 ) -> None:
    """Hold that visits were made in their shift, and that what was not made has no time."""
    log = plan.frame("log")
    if "arrived" in log.columns:
        text = log["arrived"].fillna("").astype(str)
        bad = ((text != "") & ~text.str.fullmatch(_CLOCK.pattern)).to_numpy(dtype=bool)
        if bad.any():
            report.add("log", "log_time", "log", plan.ids("log")[bad], "arrived")
    when = table["arrived_min"].to_numpy(dtype=float)
    early = (table["done"].to_numpy(dtype=float) == 0) & ~np.isnan(when)
    shift = table["shift"].str.extract(r"^(\d{2}:\d{2})-(\d{2}:\d{2})$")
    begin, end = (shift[k].fillna("").map(_minutes).to_numpy(dtype=float) for k in (0, 1))
    end = np.where(end <= begin, end + 1440, end)
    planned = table["arrive"].map(_minutes)
    first = planned.groupby(table["route_id"]).transform("min").to_numpy(dtype=float)
    last = planned.groupby(table["route_id"]).transform("max").to_numpy(dtype=float)
    # A stay may begin in the margin of a shift that its last visit already reaches beyond.
    low = np.fmin(begin, first) - margin_min - 1
    high = np.fmax(end, last + 1440 * np.isnan(end)) + margin_min + 240
    off = early | (when < np.maximum(low, 0)) | (when > high)
    if off.any():
        report.add("log", "log_time", "log", table["visit_id"][off], "arrived")


def _recompute(table: pd.DataFrame, late_min: float) -> Truth:
    """Return every figure: (name, scope, scope_id) → value, target, numerator, denominator."""
    truth: Truth = {}
    scopes = {"city": pd.Series("all", index=table.index), "shift": table["shift"],
              "team": table["team"], "zone": table["zone"]}
    planned = table["arrive"].map(_minutes)
    frame = pd.DataFrame({
        "planned": 1.0, "told": table["told"].fillna(0.0),
        "done": table["done"].fillna(0.0), "stop": table["stop"].astype(float),
        "length": table["length_m"].fillna(0.0), "metres": table["passed_m"].fillna(0.0),
        "off": (table["arrived_min"] - planned).where(table["done"] == 1.0)})
    for scope, keys in scopes.items():
        for key, rows in frame.groupby(keys.to_numpy(dtype=object)):
            if key and rows["told"].sum():
                truth |= {(name, scope, str(key)): row
                          for name, row in _figures_of(rows, late_min).items()}
    return truth


def _figures_of(rows: pd.DataFrame, late_min: float
                ) -> dict[str, tuple[float, float | None, float | None, float | None]]:
    told, stop, done = (rows[c].to_numpy(dtype=float) for c in ("told", "stop", "done"))
    off = rows["off"].dropna().to_numpy(dtype=float)
    count = {"planned": float(len(rows)), "told": told.sum(), "stops": (told * stop).sum(),
             "stops_done": (told * stop * done).sum(), "passes": (told * (1 - stop)).sum(),
             "passes_done": (told * (1 - stop) * done).sum(), "known": float(off.size),
             "late": float((off > late_min).sum())}
    out: dict[str, tuple[float, float | None, float | None, float | None]] = {}
    for name, (part, whole) in _SHARES.items():
        if count[whole]:
            out[name] = (count[part] / count[whole], None, count[part], count[whole])
    if count["stops"]:
        out["missed_stops"] = (count["stops"] - count["stops_done"], None, None, None)
    if count["passes"]:
        street = told * (1 - stop)
        out["passed_m"] = (float((street * rows["metres"]).sum()),
                           float((street * rows["length"]).sum()), None, None)
    if off.size:
        out["late_min"] = (float(np.median(off)), None, None, None)
    return out


def _check_figures(plan: PlanData, report: CheckReport, truth: Truth) -> None:
    """Compare the figures of what was done, row by row; none is missing, none is too many."""
    table = plan.frame("figures")
    ours = table[table["name"].isin(_NAMES).to_numpy(dtype=bool)]
    seen = set()
    for row in ours.itertuples():
        key = (str(row.name), str(row.scope), str(row.scope_id))
        seen.add(key)
        real = truth.get(key)
        found = tuple(float(getattr(row, c)) for c in ("value", "target", "numerator",
                                                       "denominator"))
        if real is None or any(_differs(f, r) for f, r in zip(found, real, strict=True)):
            report.add("log", "log_figure", "figures", [":".join(key)], "value",
                       found=f"{found[0]:.10g}",
                       expected="-" if real is None else f"{real[0]:.10g}")
    missing = [":".join(key) for key in truth if key not in seen]
    if missing:
        report.add("log", "log_figure_missing", "figures", missing)


def _differs(found: float, real: float | None) -> bool:
    if real is None or np.isnan(found):
        return (real is None) != bool(np.isnan(found))
    return abs(found - real) > 1e-6 * max(1.0, abs(real))
