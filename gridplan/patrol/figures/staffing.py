"""Patrol staff against targets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gridplan.layers import TIERS
from gridplan.pages.ground import text_of
from gridplan.params import PatrolParams
from gridplan.patrol.figures.made import Made
from gridplan.patrol.figures.table import CITY, Table
from gridplan.plan import Plan

_PER = 10_000


def find_strength(duties: pd.DataFrame, crews: Mapping[str, int]) -> dict[str, float]:
    """Return the patrol staff of each tier: the most on duty in one shift times its crews.

    Parameters
    ----------
    duties
        day, shift, tier, members of every team on duty.
    crews
        How many a tier has, at least 1.

    >>> duties = pd.DataFrame({"day": 0, "tier": "town", "shift": ["a", "a", "b"],
    ...                        "members": [2.0, 3.0, 4.0]})
    >>> find_strength(duties, {"town": 4})
    {'town': 20.0}
    """
    if duties.empty:
        return {}
    most = duties.groupby(["tier", "day", "shift"])["members"].sum().groupby("tier").max()
    return {str(t): float(n) * max(1, crews.get(str(t), 1)) for t, n in most.items()}


def count_crews(plan: Plan) -> dict[str, int]:
    """Return how many crews the calendar names for the teams of each tier.

    Rows without a team count for every tier.
    """
    calendar, teams = plan.layer("calendar"), plan.layer("teams")
    tier = dict(zip(text_of(teams, "team_id"), text_of(teams, "tier"), strict=True))
    named: dict[str, set[str]] = {t: set() for t in TIERS}
    for crew, team in zip(text_of(calendar, "crew"), text_of(calendar, "team_id"), strict=True):
        for name in ([tier.get(team)] if team else TIERS) if crew else ():
            if name in named:
                named[name].add(crew)
    return {name: len(held) for name, held in named.items()}


def add_staff(table: Table, plan: Plan, made: Made, params: PatrolParams) -> None:
    """Add ``staff_per_10000`` and ``patrol_staff`` with their targets.

    The staff of a tier is the most members on duty in any shift × the crews that the calendar
    names for its teams (at least 1), as every crew has as many. ``patrol_staff``: unit staff;
    scope tier; targets by tier (Nantong 2010: 1,000 in the city, 200 in a county town).
    ``staff_per_10000``: unit staff; numerator staff, denominator population ÷ 10,000 of all
    communities, else of all buildings; without a known population no value. Scopes: city (target
    14, Hefei 2012), tier.

    >>> 20 / (40_000 / 10_000)
    5.0
    """
    duties = made.duties.copy()
    own = duties["tier"].map(dict(params.members)).astype(np.float64)
    duties["members"] = duties["members"].fillna(own).fillna(1.0)
    strength = find_strength(duties, count_crews(plan))
    people = count_people(plan)
    whole = people / _PER if people else np.nan
    tiers = [t for t in TIERS if t in strength]
    every = sum(strength.values()) if strength else np.nan
    table.add("staff_per_10000", "city", CITY, every / whole, "staff", params.staff_per_10000,
              every, whole)
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
