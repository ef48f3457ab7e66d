"""Rows of the layer ``figures`` in the making, and the places that they are told of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.layers import LAYERS, TIERS, conform

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
CITY = "all"


@dataclass
class Table:
    """Figures in the order in which they are added."""

    rows: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, name: str, scope: str, scope_id: str, value: float | None, unit: str,
            target: float | None = None, numerator: float | None = None,
            denominator: float | None = None) -> None:
        """Add one row; what is not finite is not known."""
        told = [None if n is None or not np.isfinite(n) else float(n)
                for n in (value, target, numerator, denominator)]
        self.rows.append((name, scope, scope_id, told[0], unit, *told[1:]))

    def add_ratio(self, name: str, scope: str, scope_id: str, part: float, whole: float,
                  unit: str = "share", target: float | None = None) -> None:
        """Add part ÷ whole; without a whole there is no value.

        >>> table = Table()
        >>> table.add_ratio("pass_share", "city", "all", 0, 0)
        >>> table.frame()["value"].tolist()
        [<NA>]
        """
        self.add(name, scope, scope_id, part / whole if whole > 0 else None, unit, target, part,
                 whole)

    def frame(self) -> pd.DataFrame:
        """Return the rows as the layer."""
        return conform("figures", pd.DataFrame(self.rows, columns=LAYERS["figures"].names))


def split_scopes(things: pd.DataFrame) -> Iterator[tuple[str, str, Flags]]:
    """Yield the city, then the tiers, then the zones that things are of, each with its rows.

    Parameters
    ----------
    things
        With ``tier`` and ``zone``, ``""`` where there is none. The city comes even without things.

    >>> things = pd.DataFrame({"tier": ["town", "city", ""], "zone": ["", "Z2", "Z1"]})
    >>> [(scope, scope_id, rows.tolist()) for scope, scope_id, rows in split_scopes(things)][2:]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('tier', 'town', [True, False, False]), ('zone', 'Z1', [False, False, True]),
     ('zone', 'Z2', [False, True, False])]
    """
    yield "city", CITY, np.ones(len(things), dtype=bool)
    tier, zone = (things[c].to_numpy(dtype=object) for c in ("tier", "zone"))
    for name in (t for t in TIERS if (tier == t).any()):
        yield "tier", name, np.asarray(tier == name, dtype=bool)
    for name in sorted({str(z) for z in zone} - {""}):
        yield "zone", name, np.asarray(zone == name, dtype=bool)
