"""Patrol staff against targets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan.layers import TIERS
from gridplan.pages.ground import text_of
from gridplan.params import PatrolParams
from gridplan.patrol.figures.made import Made
from gridplan.patrol.figures.table import CITY, Table
from gridplan.plan import Plan

_PER = 10_000


def find_strength(duties: pd.DataFrame, crews: int) -> dict[str, float]:
    """Return the patrol staff of each tier: the most on duty in one shift times the crews.

    Parameters
    ----------
    duties
        day, shift, tier, members of every team on duty.

    >>> duties = pd.DataFrame({"day": 0, "tier": "town", "shift": ["a", "a", "b"],
    ...                        "members": [2.0, 3.0, 4.0]})
    >>> find_strength(duties, 4)
    {'town': 20.0}
    """
    if duties.empty:
        return {}
    most = duties.groupby(["tier", "day", "shift"])["members"].sum().groupby("tier").max()
    return {str(t): float(n) * crews for t, n in most.items()}


def add_staff(table: Table, plan: Plan, made: Made, params: PatrolParams) -> None:
    """Add ``staff_per_10000`` and ``patrol_staff`` with their targets.

    The staff of a tier is the most members on duty in any shift × the crews that the calendar
    names (at least 1), as every crew has as many. ``patrol_staff``: unit staff; scope tier;
    targets by tier (Nantong 2010: 1,000 in the city, 200 in a county town).
    ``staff_per_10000``: unit staff; numerator staff, denominator population ÷ 10,000 of all
    communities, else of all buildings; without a known population no value. Scopes: city (target
    14, Hefei 2012), tier.

    >>> 20 / (40_000 / 10_000)
    5.0
    """
    duties = made.duties.copy()
    own = duties["tier"].map(dict(params.members)).astype(np.float64)
    duties["members"] = duties["members"].fillna(own).fillna(1.0)
    names = {c for c in text_of(plan.layer("calendar"), "crew") if c}
    strength = find_strength(duties, max(1, len(names)))
    people = count_people(plan)
    whole = people / _PER if people else np.nan
    table.add("staff_per_10000", "city", CITY, sum(strength.values()) / whole, "staff",
              params.staff_per_10000, sum(strength.values()), whole)
    tiers = [t for t in TIERS if t in strength]
    for tier in tiers:
        table.add("staff_per_10000", "tier", tier, strength[tier] / whole, "staff", None,
                  strength[tier], whole)
    for tier in tiers:
        table.add("patrol_staff", "tier", tier, strength[tier], "staff", params.staff.get(tier),
                  strength[tier])


def count_people(plan: Plan) -> float | None:
    """Return the population of all communities, else of all buildings; None where unknown."""
    for layer in ("communities", "buildings"):
        told = pd.to_numeric(plan.layer(layer)["population"]).dropna()
        if len(told) and told.sum() > 0:
            return float(told.sum())
    return None
