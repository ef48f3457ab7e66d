"""How long streets and stops are left alone, and how long stays at hotspots are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridplan.params import PatrolParams
from gridplan.patrol.figures.made import Made
from gridplan.patrol.figures.table import Floats, Table, split_scopes

Ints = NDArray[np.int64]


def measure_idleness(thing: Ints, minute: Floats, count: int, horizon: tuple[float, float]
                     ) -> tuple[Floats, Floats]:
    """Measure how long things wait between passes.

    Idleness is the time since the last pass (Machado, A., Ramalho, G., Zucker, J.-D., Drogoul, A.
    (2003): Multi-agent patrolling: an empirical analysis of alternative architectures, LNCS 2581,
    155–170). Over a horizon of T minutes that is cut into gaps by the passes, its mean in time is
    Σ gap² ÷ (2 T). The ends of the horizon end gaps as passes do.

    Parameters
    ----------
    thing, minute
        What is passed, 0 to ``count`` − 1, and when; passes beyond the horizon count at its ends.

    Returns
    -------
    tuple
        Mean and worst idleness of each, in minutes; NaN without a horizon.

    >>> mean, worst = measure_idleness(np.array([0]), np.array([30.0]), 2, (0.0, 120.0))
    >>> mean.tolist(), worst.tolist()
    ([37.5, 60.0], [90.0, 120.0])
    """
    start, end = horizon
    if not end > start:
        return np.full(count, np.nan), np.full(count, np.nan)
    every = np.arange(count)
    good = np.isfinite(minute)
    of = np.concatenate([every, thing[good], every])
    at = np.concatenate([np.full(count, start), np.clip(minute[good], start, end),
                         np.full(count, end)])
    order = np.lexsort((at, of))
    same = of[order][1:] == of[order][:-1]
    gap, owner = np.diff(at[order])[same], of[order][1:][same]
    worst = np.zeros(count)
    np.maximum.at(worst, owner, gap)
    return np.bincount(owner, gap**2, minlength=count) / (2 * (end - start)), worst


def add_idleness(table: Table, made: Made) -> None:
    """Add ``idleness_mean`` and ``idleness_worst`` of required streets.

    Unit min. The mean is weighted by length (numerator Σ length · mean, denominator Σ length);
    the worst is the longest time that any piece is not passed. A pass counts when it begins.
    Scopes: city, tier, zone.

    >>> length, mean = np.array([100.0, 300.0]), np.array([60.0, 20.0])
    >>> float((length * mean).sum() / length.sum())
    30.0
    """
    passes = made.visits_of("pass")
    mean, worst = measure_idleness(passes["thing"].to_numpy(dtype=np.int64),
                                   passes["arrive"].to_numpy(dtype=np.float64),
                                   len(made.required), made.horizon)
    asked = made.required["asked"].to_numpy(dtype=bool)
    length = made.required["length_m"].to_numpy(dtype=np.float64)[asked]
    mean, worst = mean[asked], worst[asked]
    scopes = list(split_scopes(made.required[asked]))
    for scope, scope_id, rows in scopes:
        known = rows & np.isfinite(mean)
        table.add_ratio("idleness_mean", scope, scope_id, (length * mean)[known].sum(),
                        length[known].sum(), "min")
    for scope, scope_id, rows in scopes:
        table.add("idleness_worst", scope, scope_id, _largest(worst[rows]), "min")


def add_stop_gaps(table: Table, made: Made) -> None:
    """Add ``stop_gap_worst``: the longest time without a visit at a stop asked for every day.

    Unit min; of stops with at least one visit a day that are not optional; the ends of the
    horizon count as visits, and a visit counts when it begins. Scopes: city, tier, zone.

    >>> measure_idleness(np.array([0, 0]), np.array([60.0, 90.0]), 1, (0.0, 300.0))[1].tolist()
    [210.0]
    """
    stays = made.visits_of("stop")
    worst = measure_idleness(stays["thing"].to_numpy(dtype=np.int64),
                             stays["arrive"].to_numpy(dtype=np.float64), len(made.stops),
                             made.horizon)[1]
    daily = made.stops["asked"].to_numpy(bool) & (made.stops["often"] >= 1).to_numpy(bool)
    for scope, scope_id, rows in split_scopes(made.stops[daily]):
        table.add("stop_gap_worst", scope, scope_id, _largest(worst[daily][rows]), "min")


def add_dosage(table: Table, made: Made, params: PatrolParams) -> None:
    """Add ``dosage_share``: share of visits to hotspots whose stay has the right length.

    Unit share; numerator stays of 10 to 16 minutes, denominator all. Koper, C. S. (1995): Just
    enough police presence, Justice Quarterly 12 (4), 649–672: stays of about 10 minutes and more
    keep order for longer afterwards than a drive through, and beyond a quarter of an hour little
    is gained. Scopes: city, tier, zone of the stop.

    >>> stay = np.array([9.0, 10.0, 16.0, 17.0])
    >>> float(((stay >= 10) & (stay <= 16)).mean())
    0.5
    """
    stays = made.visits_of("stop")
    stops = made.stops.iloc[stays["thing"].to_numpy(dtype=np.int64)]
    hot = (stops["kind"] == "hotspot").to_numpy(bool)
    stay = (stays["depart"] - stays["arrive"]).to_numpy(dtype=np.float64)[hot]
    good = (stay >= params.hotspot_least_min) & (stay <= params.hotspot_most_min)
    for scope, scope_id, rows in split_scopes(stops[hot]):
        table.add_ratio("dosage_share", scope, scope_id, good[rows].sum(), rows.sum())


def _largest(values: Floats) -> float | None:
    held = values[np.isfinite(values)]
    return float(held.max()) if held.size else None
