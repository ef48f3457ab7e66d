"""Whether facilities can serve those who come: two-step floating catchment areas, in bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridplan.circle.demand import Floats, Ints


@dataclass(frozen=True)
class Supply:
    """What facilities of one category can do for those around them.

    Attributes
    ----------
    load
        (f,) demand in the catchment ÷ capacity of each facility; NaN without a capacity.
    access
        (n,) capacity per head that each row of demand finds within the limit.
    """

    load: Floats
    access: Floats


def measure_supply(origin: Ints, target: Ints, metres: Floats, limit_m: float, demand: Floats,
                   capacity: Floats, bands: Sequence[float]) -> Supply:
    r"""Set capacity against demand in catchments that overlap.

    The enhanced two-step floating catchment area of Luo and Qi (Health & Place 15, 2009). The
    catchment is cut into bands of equal width with falling weights :math:`W`. First, every
    facility j has so much capacity for each of those who live around it,

    .. math:: R_j = S_j / \sum_k P_k W(d_{kj}),

    then every place i adds up what the facilities around it have for each of its people:
    :math:`A_i = \sum_j R_j W(d_{ij})`. The load of a facility is :math:`1 / R_j`. Where every
    demand has a facility within the limit, the sum of :math:`A_i P_i` is the whole capacity.

    Parameters
    ----------
    origin, target, metres
        Pairs of a row of demand and a facility within the limit.
    limit_m
        Where the last band ends; a band reaches to its outer edge, that included.
    demand, capacity
        (n,) people, and (f,) how many can be served; NaN where it is not known.
    bands
        Weights from the inmost band out.

    Examples
    --------
    A clinic for 50 has 100 people at its door and 100 at the far end of its catchment.

    >>> found = measure_supply(np.array([0, 1]), np.array([0, 0]), np.array([10., 300.]), 300.0,
    ...                        np.array([100., 100.]), np.array([50.]), (1.0, 0.68, 0.22))
    >>> found.load.round(3).tolist(), found.access.round(4).tolist()
    ([2.44], [0.4098, 0.0902])
    """
    width = limit_m / len(bands)
    band = np.clip(np.ceil(metres / width - 1e-9).astype(np.int64) - 1, 0, len(bands) - 1)
    weight = np.asarray(bands, dtype=np.float64)[band]
    open_ = np.isfinite(capacity) & (np.nan_to_num(capacity) > 0)
    held = open_[target]
    origin, target, weight = origin[held], target[held], weight[held]
    served = np.bincount(target, demand[origin] * weight, minlength=len(capacity))
    load = np.full(len(capacity), np.nan)
    load[open_] = served[open_] / capacity[open_]
    # A facility that nobody with a weight can reach has nothing to share out.
    ratio = np.zeros(len(capacity))
    some = open_ & (served > 0)
    ratio[some] = capacity[some] / served[some]
    access = np.bincount(origin, ratio[target] * weight, minlength=len(demand))
    return Supply(load, access.astype(np.float64))
