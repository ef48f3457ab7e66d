"""Fill posts with people: as few vacant as can be, then aim after aim, each with its bound."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from gridplan.assign.flow import flow_part
from gridplan.assign.general import solve_part
from gridplan.assign.parts import Part, split_parts
from gridplan.assign.problem import AIMS, MOST, NO_LIMIT, Bools, Filling, Problem

__all__ = ["AIMS", "NO_LIMIT", "Filling", "Problem", "fill_posts"]

WORK = 2.0  # deterministic seconds of constraint programming for one part


def fill_posts(problem: Problem, *, work: float = WORK, seed: int = 1) -> Filling:
    """Fill posts with people, aims in turn: no later aim costs an earlier one anything.

    The pairs that may be fall into parts that share nobody and no post (communities, as a
    rule). Each is filled on its own, balance included: the largest load of a part is as small
    as it can be there, not only where it is the largest of all.

    Parameters
    ----------
    problem
        Posts, people, pairs and the order of the aims.
    work
        Deterministic seconds of constraint programming for one part.
    seed
        Of the constraint solver.

    Returns
    -------
    Filling
        Pairs chosen, value and bound of every aim. Bounds after ``balance`` hold for fillings
        whose every part is as balanced as here.

    Examples
    --------
    >>> two = Problem(slots=[1, 1], load=[300, 400], size=[300, 400], room_households=[500] * 2,
    ...               room_posts=[2, 2], share=[1.0, 0.5], post=[0, 0, 1], person=[0, 1, 0],
    ...               kept=[True, False, False], wished=[False] * 3, travel_m=[10, 20, 30])
    >>> filling = fill_posts(two)
    >>> filling.chosen.tolist(), filling.value["vacant"], filling.value["balance"]
    ([False, True, True], 0.0, 600.0)
    """
    chosen = np.zeros(problem.pairs, np.bool_)
    method = {"flow": 0, "cp-sat": 0}
    values: list[dict[str, int]] = []
    bounds: list[dict[str, int]] = []
    units: list[int] = []
    reached = np.zeros(problem.slots.size, np.bool_)
    for part in split_parts(problem):
        taken, bound, engine = _fill_part(part, work, seed)
        chosen[part.pair[taken]] = True
        reached[problem.post[part.pair]] = True
        method[engine] += 1
        values.append(part.measure_aims(taken))
        bounds.append(bound)
        units.append(part.unit)
    beyond = int(problem.slots[~reached].sum())
    aims = ("vacant", *problem.order)
    return Filling(chosen, _add_up(values, units, beyond, aims),
                   _add_up(bounds, units, beyond, aims), method)


def _fill_part(part: Part, work: float, seed: int) -> tuple[Bools, dict[str, int], str]:
    """Return the filling of a part, its bounds, and what settled it."""
    taken, bound = flow_part(part, sure=False)
    if part.fits(taken) and part.measure_aims(taken) == bound:
        return taken, bound, "flow"
    taken, value = flow_part(part, sure=True)
    if value == bound:
        return taken, bound, "flow"
    taken, bound = solve_part(part, taken, bound, work=work, seed=seed)
    return taken, bound, "cp-sat"


def _add_up(values: list[dict[str, int]], units: list[int], beyond: int,
            aims: tuple[str, ...]) -> dict[str, float]:
    """Add the aims of all parts up; of balance the largest counts."""
    total = {aim: float(sum(v[aim] for v in values) * (-1 if aim in MOST else 1)) + 0.0
             for aim in aims}
    total["vacant"] += beyond
    if "balance" in aims:
        total["balance"] = float(max((Fraction(v["balance"], unit) for v, unit
                                      in zip(values, units, strict=True)), default=0))
    return total
