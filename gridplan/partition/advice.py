"""What comes nearest where a part cannot be cut into the range, and what would make it fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gridplan.params import Range
from gridplan.partition.graph import Contacts, Ints
from gridplan.regions import Graph, cut_graph

# Larger parts are not cut again for each range that is tried.
_UNITS = 400
_SHOWN = 6


def name_nearest(households: Ints, near: Contacts, limits: Range, load: Ints,
                 status: str) -> dict[str, object]:
    """Return what a certificate adds to a proof that a part cannot be cut into its range.

    Parameters
    ----------
    households, near
        Of the part's units.
    load
        Households of its grids as they are.
    status
        What the search said of the part.

    Returns
    -------
    dict
        ``nearest``: the households of the grids out of range; ``fits``: the range with the
        smallest change of one end in which the part was cut. Empty where nothing is proven.
    """
    bad = load[(load < limits.low) | (load > limits.high)]
    total = int(load.sum())
    if not len(bad) or (status != "enumeration" and limits.fits(total)):
        return {}
    out: dict[str, object] = {"nearest": sorted(bad.tolist())}
    found = _widen(households, near, limits, load)
    if found is not None:
        out["fits"] = [found.low, found.high]
    return out


def _widen(households: Ints, near: Contacts, limits: Range, load: Ints) -> Range | None:
    """Return the range nearest to ``limits``, one end changed, in which the part can be cut."""
    total = int(households.sum())

    def works(low: int, high: int) -> bool:
        return Range(low, high).fits(total) and (
            (low <= load.min() and load.max() <= high) or can_cut(households, near, low, high))

    if len(households) > _UNITS:
        return None
    up = _first(limits.high + 1, total, lambda high: works(limits.low, high))
    # Less than the other end would have to move.
    least = 1 if up is None else max(1, limits.low - (up - limits.high) + 1)
    down = _first(1 - limits.low, -least, lambda low: works(-low, limits.high))
    if down is not None:
        return Range(-down, limits.high)
    return None if up is None else Range(limits.low, up)


def _first(start: int, stop: int, works: Callable[[int], bool]) -> int | None:
    """Return the first number of ``start…stop`` that works, where all after it work too."""
    if start > stop or not works(stop):
        return None
    while start < stop:
        middle = (start + stop) // 2
        start, stop = (start, middle) if works(middle) else (middle + 1, stop)
    return stop


def can_cut(households: Ints, near: Contacts, low: int, high: int) -> bool:
    """Tell whether a short search finds a cut of connected units into a range."""
    graph = Graph(households=households, u=near.a.astype(np.int32), v=near.b.astype(np.int32),
                  weight=near.weight, major=np.zeros(len(near.a), dtype=bool))
    return cut_graph(graph, low, high, effort="fast").status == "ok"


def list_loads(loads: object) -> str:
    """Write the households of the nearest grids, the first few of many.

    >>> list_loads([551]), list_loads([1, 2, 3, 4, 5, 6, 7, 8])
    ('551', '1, 2, 3, 4, 5, 6 …')
    """
    listed = [str(n) for n in loads]  # type: ignore[attr-defined]
    return ", ".join(listed[:_SHOWN]) + (" …" if len(listed) > _SHOWN else "")
