"""What came of a log, as plain values for a screen or a program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gridplan.log.desk import Logged
from gridplan.log.figures import list_visits
from gridplan.log.planned import read_trips
from gridplan.log.times import write_clock
from gridplan.plan import Plan


def describe_log(plan: Plan, logged: Logged) -> dict[str, Any]:
    """Return what the files of a log tell: all, by team, and every visit that was missed.

    Teams of one person are one row without a name.
    """
    table = list_visits(plan)
    table = table[table["visit_id"].isin(logged.rows["visit_id"]).to_numpy(dtype=bool)]
    teams = [{"team": str(team), **_sum(rows, logged.rules.late_min)}
             for team, rows in table.groupby("team", sort=True)]
    return {"routes": len(logged.trips), "files": logged.files,
            "all": _sum(table, logged.rules.late_min), "teams": teams,
            "missed": _list_missed(plan, table)}


def _sum(table: pd.DataFrame, late_min: float) -> dict[str, Any]:
    stop, done = table["is_stop"].to_numpy(dtype=bool), table["done"].to_numpy(dtype=bool)
    late = table["late_min"].to_numpy(dtype=float)[done]
    late = late[np.isfinite(late)]
    passed, planned = (float(np.nansum(table.loc[~stop, c].to_numpy(dtype=float))) / 1000
                       for c in ("passed_m", "length_m"))
    return {"stops": int(stop.sum()), "stops_done": int((stop & done).sum()),
            "passes": int((~stop).sum()), "passes_done": int((~stop & done).sum()),
            "done_stop_share": float(done[stop].mean()) if stop.any() else None,
            "done_pass_share": float(done[~stop].mean()) if not stop.all() else None,
            "passed_km": round(passed, 3), "planned_km": round(planned, 3),
            "late_share": float((late > late_min).mean()) if late.size else None,
            "late_min": float(np.median(late)) if late.size else None}


def _list_missed(plan: Plan, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the visits not made, stops first, each with the name of its place."""
    from gridplan.errors import Findings

    missed = set(table["visit_id"][~table["done"].to_numpy(dtype=bool)])
    length = dict(zip(table["visit_id"], table["length_m"], strict=True))
    passed = dict(zip(table["visit_id"], table["passed_m"], strict=True))
    teams = dict(zip(table["visit_id"], table["team"], strict=True))
    rows = [{"kind": v.kind, "id": v.key, "name": v.name, "visit_id": v.visit_id,
             "team": str(teams[v.visit_id]), "day": t.day, "shift": t.shift,
             "planned": write_clock(v.arrive_min), "length_m": _known(length[v.visit_id]),
             "passed_m": _known(passed[v.visit_id])}
            for t in read_trips(plan, Findings()) for v in t.visits if v.visit_id in missed]
    return sorted(rows, key=lambda r: (r["kind"] != "stop", r["day"], r["visit_id"]))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
