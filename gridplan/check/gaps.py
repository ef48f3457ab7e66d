"""How far a division is from the best: bounds and gaps worked out anew, small sides tried out.

A *side* is what major lines keep apart: the units of a part that hang together without crossing
one, or lie in one grid with each other. On a side of few units every division is tried, and no
bound may be above what the best of them leaves. Wherever the plan can be read in two ways, the
reading is taken that leaves fewer divisions or makes them dearer, so that no true bound is
refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan.check.constraints import find_touched
from gridplan.check.graph import Floats, Ints, Pairs, Segments, label_pieces, positions, sum_pairs
from gridplan.check.inner import Estates, compare_figures
from gridplan.check.reading import PlanData
from gridplan.check.reasons import Ground
from gridplan.check.scores import (
    border_weights,
    major_segments,
    read_factors,
    segment_classes,
)
from gridplan.check.verdict import CheckReport

# Sides of at most so many units (after what is held together became one) are tried out.
TRIED_UNITS = 14
_RELATIVE = 1e-6
# Two units that touch by little more than a metre may count as apart.
_SURELY_M = 1.01
_STUCK = ("count", "enumeration", "unproven")


@dataclass(frozen=True)
class _Web:
    """Units as they are tried out: ``node`` is one for units that are held together.

    ``touch`` are pairs of nodes that surely touch, ``weight`` what the border of two nodes
    weighs at most, ``side`` the side of every unit, -1 outside the parts.
    """

    node: Ints
    side: Ints
    touch: Pairs
    weight: Pairs
    households: Ints


def check_gaps(plan: PlanData, report: CheckReport, segments: Segments, contacts: Pairs,
               grid_of: Ints, ground: Ground, estates: Estates) -> None:
    """Recompute gaps from borders and bounds, and try whether small sides keep to the bound.

    A plan that tells no bound, no gap and no figure of them claims nothing.
    """
    bound, gap = (plan.numbers("communities", c) for c in ("bound", "gap"))
    towns = plan.ids("communities")
    border = _border_of_towns(plan)
    _check_relation(report, towns, border, bound, gap)
    told = ~np.isnan(bound)
    known = float(border[told].sum()), float(bound[told].sum())
    compare_figures(plan, report, {
        ("weighted_border_bound", "all"): (known[1] if told.any() else None, None, None),
        ("weighted_border_gap", "all"): (known[0] / known[1] - 1 if known[1] > 0 else None,
                                         *known)}, needed=bool(told.any()))
    if not told.any():
        return
    owner = positions(towns, plan.ids("grids", "community_id"))
    stuck = np.zeros(len(towns), dtype=bool)
    claims = np.isin(np.array(ground.code, dtype=object), _STUCK) & ~ground.in_range
    stuck[owner[claims & (ground.part_of >= 0)]] = True
    if (stuck & told).any():
        report.add("figures", "bound_groundless", "communities", towns[stuck & told], "bound")
    web = _weave(plan, segments, contacts, grid_of, ground, estates)
    spare, tried = _try_sides(plan, web, grid_of, ground, len(towns), owner)
    report.counts["bounds_tried"] = tried
    high = told & ~stuck & (bound > (border - spare) * (1 + _RELATIVE) + _RELATIVE)
    if high.any():
        first = int(np.flatnonzero(high)[0])
        report.add("figures", "bound_too_high", "communities", towns[high], "bound",
                   found=round(float(bound[first]), 2),
                   expected=round(float(border[first] - spare[first]), 2))


def _border_of_towns(plan: PlanData) -> Floats:
    owner = positions(plan.ids("communities"), plan.ids("grids", "community_id"))
    row = owner[positions(plan.ids("grids"), plan.ids("borders", "grid_a"))]
    return np.bincount(row, border_weights(plan, read_factors(plan)),
                       minlength=len(plan.frame("communities"))).astype(np.float64)


def _check_relation(report: CheckReport, towns: np.ndarray, border: Floats, bound: Floats,
                    gap: Floats) -> None:
    """No bound is above the border (the contract has none below 0), and the gap is theirs."""
    bad = bound > border * (1 + _RELATIVE) + _RELATIVE
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        report.add("figures", "bound_beyond", "communities", towns[bad], "bound",
                   found=round(float(bound[first]), 2), expected=round(float(border[first]), 2))
    expected = np.divide(border, bound, out=np.full(len(bound), np.nan), where=bound > 0) - 1
    bad = (np.isnan(gap) != np.isnan(expected)) | (
        np.abs(gap - expected) > _RELATIVE * (1 + np.abs(expected)))
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        report.add("figures", "gap_differs", "communities", towns[bad], "gap",
                   found=_shown(gap[first]), expected=_shown(expected[first]))


def _weave(plan: PlanData, segments: Segments, contacts: Pairs, grid_of: Ints, ground: Ground,
           estates: Estates) -> _Web:
    size = len(grid_of)
    factors = np.asarray(read_factors(plan))
    sure, perhaps = segment_classes(plan, segments)
    dearest = np.array([[factors[min(a, b):max(a, b) + 1].max() for b in range(len(factors))]
                        for a in range(len(factors))])
    metres = sum_pairs(segments.left, segments.right, segments.length_m * major_segments(
        plan, segments)[1], size)
    place = np.searchsorted(metres.left * size + metres.right,
                            contacts.left * size + contacts.right)
    plain = metres.total[place] < 0.5 * contacts.total * (1 - _RELATIVE)
    joined = plain | (grid_of[contacts.left] == grid_of[contacts.right])
    side = label_pieces(size, contacts.left[joined], contacts.right[joined],
                        ground.part_of[grid_of] >= 0)
    node = _hold(plan, grid_of, estates)
    surely = contacts.total >= _SURELY_M
    return _Web(node, side,
                sum_pairs(node[contacts.left[surely]], node[contacts.right[surely]],
                          contacts.total[surely], size),
                sum_pairs(node[segments.left], node[segments.right],
                          segments.length_m * dearest[sure, perhaps], size),
                np.bincount(node, plan.numbers("units", "households"),
                            minlength=size).astype(np.int64))


def _hold(plan: PlanData, grid_of: Ints, estates: Estates) -> Ints:
    """Give each estate inside a block, and each must-link, one number in each grid."""
    block = plan.ids("units", "block_id")
    left, right = [], []
    first: dict[tuple[object, ...], int] = {}
    unit = positions(plan.ids("units"), plan.ids("buildings", "unit_id"))
    held: list[tuple[int, tuple[object, ...]]] = [
        (k, (int(grid_of[k]), block[k], name))
        for k, name in enumerate(estates.of.tolist()) if name]
    if len(plan.ids("must_links")):
        held += [(k, (int(grid_of[k]), link)) for link, houses in enumerate(find_touched(plan))
                 for k in np.unique(unit[houses]).tolist()]
    for k, key in held:
        left.append(first.setdefault(key, k))
        right.append(k)
    return label_pieces(len(grid_of), np.array(left, np.int64), np.array(right, np.int64))


def _try_sides(plan: PlanData, web: _Web, grid_of: Ints, ground: Ground, towns: int, owner: Ints
               ) -> tuple[Floats, int]:
    """Return for each community what better divisions of small sides save, and how many there are.

    Nothing is known to be saved on large sides.
    """
    ids = plan.ids("grids")
    a, b = (positions(ids, plan.ids("borders", c)) for c in ("grid_a", "grid_b"))
    side_of = np.full(len(ids), -1, dtype=np.int64)
    side_of[grid_of] = web.side
    inner = np.bincount(side_of[a][(side_of[a] == side_of[b]) & (side_of[a] >= 0)],
                        border_weights(plan, read_factors(plan))[
                            (side_of[a] == side_of[b]) & (side_of[a] >= 0)],
                        minlength=int(side_of.max(initial=0)) + 1)
    members = pd.Series(web.node).groupby(web.side).unique()
    spare, tried = np.zeros(towns), 0
    for side, nodes in members.items():
        if side < 0 or len(nodes) > TRIED_UNITS or not inner[side]:
            continue
        tried += 1
        grid = int(np.flatnonzero(side_of == side)[0])
        best = least_border(web.households[nodes].tolist(), _among(web.touch, nodes),
                            _among(web.weight, nodes), int(ground.low[grid]),
                            int(ground.high[grid]))
        if best is not None:
            spare[owner[grid]] += max(0.0, float(inner[side]) - best)
    return spare, tried


def _among(pairs: Pairs, nodes: Ints) -> list[tuple[int, int, float]]:
    place = {int(n): k for k, n in enumerate(nodes)}
    inside = np.isin(pairs.left, nodes) & np.isin(pairs.right, nodes) & (
        pairs.left != pairs.right)
    return [(place[x], place[y], w) for x, y, w in zip(
        pairs.left[inside].tolist(), pairs.right[inside].tolist(), pairs.total[inside].tolist(),
        strict=True)]


def least_border(households: Sequence[int], touch: Sequence[tuple[int, int, float]],
                 weight: Sequence[tuple[int, int, float]], low: int, high: int) -> float | None:
    """Return the least border of all divisions into connected sets of ``low`` to ``high``.

    Every set of units is looked at once, as a mask of bits. None where there is no division.

    >>> path = [(0, 1, 4.0), (1, 2, 3.0), (2, 3, 2.0)]
    >>> least_border([200, 200, 200, 200], path, path, 300, 500)
    3.0
    >>> least_border([200, 100, 200], path[:2], path[:2], 300, 400) is None
    True
    """
    n = len(households)
    near = [0] * n
    for a, b, _ in touch:
        near[a] |= 1 << b
        near[b] |= 1 << a
    sets: list[list[tuple[int, float]]] = [[] for _ in range(n)]
    for mask in range(1, 1 << n):
        load = sum(h for k, h in enumerate(households) if mask >> k & 1)
        if low <= load <= high and _is_whole(mask, near):
            cost = sum(w for a, b, w in weight if (mask >> a ^ mask >> b) & 1)
            sets[(mask & -mask).bit_length() - 1].append((mask, cost / 2))
    best: list[float] = [0.0] + [np.inf] * ((1 << n) - 1)
    for mask in range(1, 1 << n):
        for held, cost in sets[(mask & -mask).bit_length() - 1]:
            if not held & ~mask and best[mask ^ held] + cost < best[mask]:
                best[mask] = best[mask ^ held] + cost
    return best[-1] if best[-1] < np.inf else None


def _is_whole(mask: int, near: list[int]) -> bool:
    seen = edge = mask & -mask
    while edge:
        new = 0
        while edge:
            bit = edge & -edge
            new |= near[bit.bit_length() - 1]
            edge ^= bit
        edge = new & mask & ~seen
        seen |= edge
    return seen == mask


def _shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{float(value):.6g}"
