"""Trips become the layers of a plan: routes, visits, and what is not met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.layers import LAYERS, conform
from gridplan.patrol.duty import Missing
from gridplan.patrol.solve import Solved
from gridplan.patrol.stops.shortage import explain_missed
from gridplan.patrol.trips import Trip


@dataclass(frozen=True)
class DayPlan:
    """A day: its trips, in the order of zones and teams, and what is not met."""

    day: str
    trips: tuple[Trip, ...]
    missing: tuple[Missing, ...]


def tell_missing(solved: Solved) -> list[Missing]:
    """Say what of a job is not made, and why."""
    job, out = solved.job, []
    for one in explain_missed(solved.layout.problem, solved.plan):
        if one.stop < len(job.calls):
            out.append(Missing(job.calls[one.stop].stop_id, "", one.visits, one.reason))
        else:
            held = job.passes[one.stop - len(job.calls)]
            shift = next(m.shift for m in job.members if m.watch == held.watch)
            out.append(Missing("", held.required_id, one.visits, one.reason, shift))
    return out


def bound_metres(solved: Solved, watch: int, lengths: Mapping[tuple[str, str], float]) -> float:
    """Return what the longest route of a shift cannot be shorter than: a team's share of streets.

    Parameters
    ----------
    lengths
        Mode and street → metres.
    """
    job = solved.job
    teams = sum(m.watch == watch for m in job.members)
    made = [lengths[p.mode, p.required_id] for k, p in enumerate(job.passes)
            if p.watch == watch and not solved.plan.missed[len(job.calls) + k]]
    return sum(made) / teams if made else 0.0


def record_days(days: Sequence[DayPlan], crs: Any) -> dict[str, pd.DataFrame]:
    """Return the layers ``routes``, ``visits`` and ``unmet`` of some days."""
    routes: list[dict[str, Any]] = []
    visits: list[dict[str, Any]] = []
    unmet: list[dict[str, Any]] = []
    for day in days:
        longest: dict[tuple[str, str, str], float] = {}
        for trip in day.trips:
            key = (trip.tier, trip.zone_id, trip.member.shift)
            longest[key] = max(longest.get(key, 0.0), trip.work_s)
        for trip in sorted(day.trips, key=lambda t: (t.member.start_s, t.member.team_id)):
            name = f"R{len(routes) + 1:05d}"
            routes.append(_route_row(name, day.day, trip, longest[
                trip.tier, trip.zone_id, trip.member.shift]))
            visits += _visit_rows(name, trip)
        unmet += _unmet_rows(day, len(unmet))
    frame = gpd.GeoDataFrame(pd.DataFrame(routes, columns=LAYERS["routes"].names),
                             geometry=np.array([r["geometry"] for r in routes], dtype=object),
                             crs=crs)
    return {"routes": conform("routes", frame),
            "visits": conform("visits", pd.DataFrame(visits, columns=LAYERS["visits"].names)),
            "unmet": conform("unmet", pd.DataFrame(unmet, columns=LAYERS["unmet"].names))}


def _route_row(name: str, day: str, trip: Trip, longest_s: float) -> dict[str, Any]:
    length = float(trip.line.length)
    gap = longest_s / trip.bound_s - 1 if trip.bound_s else None
    return {"route_id": name, "day": day, "shift": trip.member.shift,
            "team_id": trip.member.team_id, "mode": trip.member.mode, "distance_m": length,
            "duration_min": (trip.back_s - trip.leave_s) / 60, "served_m": trip.served_m,
            "deadhead_m": max(0.0, length - trip.served_m), "bound_m": trip.bound_m,
            "bound_min": trip.bound_s / 60, "gap": None if gap is None else max(0.0, gap),
            "geometry": trip.line}


def _visit_rows(route: str, trip: Trip) -> list[dict[str, Any]]:
    rows = []
    for k, item in enumerate(trip.items, start=1):
        rows.append({
            "visit_id": f"{route}-{k:04d}", "route_id": route, "order": k,
            "stop_id": item.key if item.kind == "stop" else None,
            "required_id": item.key if item.kind == "pass" else None,
            "arrive": write_minute(item.begin_s), "depart": write_minute(item.end_s),
            "instruction": item.kind if item.kind in ("break", "free") else None})
    return rows


def write_minute(seconds: float) -> str:
    """Return the minute that a second of the day lies in; past midnight it counts on.

    >>> write_minute(90659.0)
    '25:10'
    """
    minutes = int((seconds + 1e-6) // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _unmet_rows(day: DayPlan, before: int) -> list[dict[str, Any]]:
    held: dict[tuple[str, str, str, str], int] = {}
    for one in day.missing:
        key = (one.stop_id, one.required_id, one.shift, one.reason)
        held[key] = held.get(key, 0) + one.visits
    return [{"unmet_id": f"N{before + k:05d}", "day": day.day, "shift": shift or None,
             "stop_id": stop or None, "required_id": required or None, "visits": count,
             "reason": reason}
            for k, ((stop, required, shift, reason), count) in enumerate(sorted(held.items()), 1)]
