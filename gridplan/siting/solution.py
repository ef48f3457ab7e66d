"""What a solver of siting answers: sites in order, their value, and what is possible at best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gridplan.i18n import translate
from gridplan.siting.kernels import Floats, Ints

Aim = Literal["cover", "count", "mean", "serve"]


class CannotMeetError(ValueError):
    """No choice of sites meets what is asked; ``most`` is the share that is possible."""

    def __init__(self, most: float) -> None:
        super().__init__(f"at most {most:.6f} of the weight can be covered")
        self.most = most


@dataclass(frozen=True, eq=False)
class Solution:
    """Sites and what they are worth.

    Attributes
    ----------
    aim
        ``cover`` and ``serve``: value is the weight that gets covered or served beyond what was;
        ``count``: value is the number of new sites; ``mean``: value is the mean way in metres.
    chosen
        New sites, the one that adds most first, then the one that adds most to it.
    gained
        What each of them adds in this order: weight, or metres times weight.
    value, bound
        What is reached, and what no choice of sites can better.
    before
        The same with no new site (``count``: the weight that is covered).
    proven
        Whether the sites are the best there are: nothing lies between value and bound, or, where
        values are not whole numbers, less than a millionth of what there is to get.
    """

    aim: Aim
    chosen: Ints
    gained: Floats
    value: float
    bound: float
    before: float
    proven: bool

    @property
    def gap(self) -> float:
        """By what share the bound is better, at most; 0 where both are equal."""
        high, low = (self.value, self.bound) if self.aim in ("count", "mean") else (
            self.bound, self.value)
        return 0.0 if high <= low else high / low - 1.0 if low > 0 else math.inf

    @property
    def status(self) -> str:
        """``proven`` or ``open``."""
        return "proven" if self.proven else "open"

    def words(self, lang: str = "en") -> str:
        """Say what is reached and what is possible.

        >>> Solution("cover", np.array([0]), np.array([7.0]), 12340, 12401, 0, False).words()
        'covers 12,340 more households; at most 12,401 are possible'
        """
        key = f"siting.{self.aim}_{self.status}"
        return translate(key, lang, value=_write(self.value), bound=_write(self.bound))


def _write(value: float) -> str:
    return f"{value:,.0f}" if abs(value - round(value)) < 1e-9 else f"{value:,.1f}"


def rank_sites(site: Ints, demand: Ints, value: Floats, chosen: Ints, demands: int
               ) -> tuple[Ints, Floats]:
    """Put chosen sites in order: the one that adds most, then the one that adds most to it.

    Returns
    -------
    tuple
        The sites, and what each adds. Ties go to the lower number.

    >>> order, adds = rank_sites(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([2.0, 2, 1]),
    ...                          np.array([0, 1]), 2)
    >>> order.tolist(), adds.tolist()
    ([1, 0], [3.0, 0.0])
    """
    got = np.zeros(demands)
    links = [(demand[site == j], value[site == j]) for j in chosen.tolist()]
    left, order, adds = list(range(chosen.size)), [], []
    while left:
        gains = [float(np.maximum(links[x][1] - got[links[x][0]], 0.0).sum()) for x in left]
        best = int(np.argmax(gains))
        x = left.pop(best)
        order.append(int(chosen[x]))
        adds.append(gains[best])
        got[links[x][0]] = np.maximum(got[links[x][0]], links[x][1])
    return np.array(order, np.int64), np.array(adds, np.float64)
