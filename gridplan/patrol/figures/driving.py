"""How routes share the work, how much of it serves, and how far they are from the bound."""

from __future__ import annotations

import numpy as np

from gridplan.patrol.figures.made import Made
from gridplan.patrol.figures.table import Floats, Table, split_scopes


def find_balance(duration_min: Floats) -> tuple[float, float]:
    """Return the longest and the mean duration; NaN without routes.

    >>> longest, mean = find_balance(np.array([60.0, 90.0]))
    >>> longest / mean
    1.2
    """
    held = duration_min[np.isfinite(duration_min)]
    return (float(held.max()), float(held.mean())) if held.size else (np.nan, np.nan)


def add_driving(table: Table, made: Made) -> None:
    """Add ``balance``, ``deadhead_share`` and ``patrol_gap`` of the routes.

    ``balance``: unit ratio, longest ÷ mean duration of the routes of a zone's teams (minutes);
    1 is even. Scope: zone. ``deadhead_share``: unit share, metres driven without serving ÷ metres
    driven. Scopes: city, tier, zone and team. ``patrol_gap``: unit share, the largest gap of any
    set of routes between its longest duration and what none can be below; 0 is proven best.
    Scopes: city, zone. Zones are those of the teams.

    >>> deadhead_m, distance_m = np.array([100.0, 0.0]), np.array([400.0, 600.0])
    >>> float(deadhead_m.sum() / distance_m.sum())
    0.1
    """
    routes = made.routes
    columns = {c: routes[c].to_numpy(dtype=np.float64)
               for c in ("distance_m", "deadhead_m", "duration_min", "gap")}
    scopes = list(split_scopes(routes))
    for scope, scope_id, rows in scopes:
        if scope == "zone":
            longest, mean = find_balance(columns["duration_min"][rows])
            table.add_ratio("balance", scope, scope_id, longest, mean, "ratio")
    team = routes["team_id"].to_numpy(dtype=object)
    scopes += [("team", str(t), team == t) for t in sorted(set(team))]
    for scope, scope_id, rows in scopes:
        table.add_ratio("deadhead_share", scope, scope_id,
                        np.nansum(columns["deadhead_m"][rows]),
                        np.nansum(columns["distance_m"][rows]))
    for scope, scope_id, rows in scopes:
        gap = columns["gap"][rows & np.isfinite(columns["gap"])]
        if scope in ("city", "zone"):
            table.add("patrol_gap", scope, scope_id, float(gap.max()) if gap.size else None,
                      "share")
