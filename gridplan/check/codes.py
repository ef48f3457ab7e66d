"""Codes: their form, their numbers, and the order of a first numbering."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.check.graph import Shapes
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport


def check_codes(plan: PlanData, report: CheckReport) -> None:
    """grid_id is the community's code and a number; numbers are not repeated."""
    ids, owner = plan.ids("grids"), plan.ids("grids", "community_id")
    seq = plan.numbers("grids", "seq").astype(np.int64)
    expected = np.array([form_code(c, s) for c, s in zip(owner, seq.tolist(), strict=True)],
                        dtype=object)
    bad = (ids != expected) | (seq < 1)
    if bad.any():
        report.add("codes", "code_form", "grids", ids[bad], "grid_id",
                   expected=str(expected[bad][0]))
    again = plan.frame("grids").duplicated(["community_id", "seq"], keep=False).to_numpy()
    if again.any():
        report.add("codes", "seq_repeated", "grids", ids[again], "seq")
    if (plan.ids("grids", "former_ids") == "").all() and not bad.any() and not again.any():
        _check_first_numbering(plan, report, seq)


def form_code(community_id: str, seq: int) -> str:
    """Return the code of a grid.

    >>> form_code("230102001001", 7), form_code("C001", 1203)
    ('230102001001007', 'C001-1203')
    """
    official = len(community_id) == 12 and community_id.isascii() and community_id.isdecimal()
    return community_id + ("" if official else "-") + str(seq).zfill(3)


def _check_first_numbering(plan: PlanData, report: CheckReport, seq: NDArray[np.int64]) -> None:
    owner, shape, ids = plan.ids("grids", "community_id"), plan.shapes("grids"), plan.ids("grids")
    locked = plan.numbers("grids", "locked") == 1
    for community in plan.ids("communities"):
        held = np.flatnonzero((owner == community) & ~locked)
        # Locked grids keep their numbers; the others take the smallest that are free.
        kept = seq[(owner == community) & locked]
        free = np.setdiff1d(np.arange(1, len(held) + len(kept) + 1), kept)[:len(held)]
        found = ids[held[np.argsort(seq[held], kind="stable")]]
        if not len(held) or (len(free) and seq[held].max() <= free[-1] and any(
                (found == ids[held[order]]).all() for order in first_orders(shape[held]))):
            continue
        report.add("codes", "first_numbering", "grids", found, "seq", community=community)


def first_orders(shape: Shapes) -> list[NDArray[np.int64]]:
    """Return the order by rows from the north; two readings, as rounding may decide a row.

    >>> shapes = shapely.box([10, 0, 0], [13, 10, 0], [20, 10, 10], [23, 20, 10])
    >>> [order.tolist() for order in first_orders(shapes)]
    [[1, 0, 2], [1, 0, 2]]
    """
    box = shapely.bounds(shape)
    height = max(float(np.median(box[:, 3] - box[:, 1])), 1e-6)
    middle = shapely.get_coordinates(shapely.centroid(shape))
    orders = []
    for xy, slack in ((middle, 0.0), (np.round(middle, 3), 1e-6)):
        row = np.floor((xy[:, 1].max() - xy[:, 1]) / height + slack)
        orders.append(np.lexsort((-xy[:, 1], xy[:, 0], row)))
    return orders
