"""What a cut costs, as the solver takes it: weights of borders and the toll of a grid."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from gridplan.params import Objective, Range
from gridplan.partition.graph import Contacts, Floats, Ints


def chance_in_range(households: Floats, deviation: Floats, low: Floats | int,
                    high: Floats | int) -> Floats:
    """Return the probability that a normal count, rounded, lies in ``low``–``high``.

    >>> chance_in_range(np.array([400.0, 300.0]), np.array([0.0, 20.0]), 300, 500).round(2).tolist()
    [1.0, 0.51]
    """
    wide = np.maximum(deviation, 1e-9)
    chance: Floats = (norm.cdf((high + 0.5 - households) / wide)
                      - norm.cdf((low - 0.5 - households) / wide))
    return chance


def weigh_contacts(near: Contacts, objective: Objective) -> Floats:
    """Return what cutting each contact costs: its weighted metres and its plain ones."""
    return near.weight * objective.border + near.length_m * objective.shape


def price_grids(households: Ints, variance: Floats, limits: Range,
                objective: Objective) -> Floats | None:
    """Return the cost of a grid of a part by its households; None where that is nothing.

    ``balance`` counts the households between the grid and the middle of its range, ``risk`` the
    chance that it leaves the range. A grid's variance is taken to grow with its households as
    that of its whole part does.

    Parameters
    ----------
    households, variance
        Of every unit of the part.
    """
    if not objective.balance and not objective.risk:
        return None
    count = np.arange(2 * limits.high + 1, dtype=np.float64)
    by_household = float(variance.sum()) / max(1.0, float(households.sum()))
    chance = chance_in_range(count, np.sqrt(count * by_household), limits.low, limits.high)
    toll: Floats = (objective.balance * np.abs(count - (limits.low + limits.high) / 2)
                    + objective.risk * np.maximum(1.0 - chance, 0.0))
    return toll
