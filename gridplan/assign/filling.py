"""Fill posts with people: as few vacant as can be, then aim after aim, each with its bound."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from gridplan.assign.flow import flow_part
from gridplan.assign.general import solve_part
from gridplan.assign.parts import split_parts
from gridplan.assign.problem import AIMS, MOST, NO_LIMIT, Filling, Problem

__all__ = ["AIMS", "NO_LIMIT", "Filling", "Problem", "fill_posts"]

WORK = 10.0  # deterministic seconds of constraint programming for all parts together
PART_WORK = 2.0  # and for one part at most


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
        Deterministic seconds of constraint programming for all parts together.
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
    parts = list(split_parts(problem))
    found = [flow_part(part) for part in parts]
    hard = [i for i, part in enumerate(parts) if part.measure_aims(found[i][0]) != found[i][1]]
    # Small parts first: what they leave of the work is for the others.
    for nth, i in enumerate(sorted(hard, key=lambda i: parts[i].pair.size)):
        found[i], spent = solve_part(parts[i], *found[i], seed=seed,
                                     work=min(PART_WORK, work / (len(hard) - nth)))
        work -= spent
    chosen = np.zeros(problem.pairs, np.bool_)
    reached = np.zeros(problem.slots.size, np.bool_)
    for part, (taken, _) in zip(parts, found, strict=True):
        chosen[part.pair[taken]] = True
        reached[problem.post[part.pair]] = True
    beyond = int(problem.slots[~reached].sum())
    aims = ("vacant", *problem.order)
    units = [part.unit for part in parts]
    values = [part.measure_aims(taken) for part, (taken, _) in zip(parts, found, strict=True)]
    return Filling(chosen, _add_up(values, units, beyond, aims),
                   _add_up([bound for _, bound in found], units, beyond, aims),
                   {"flow": len(parts) - len(hard), "cp-sat": len(hard)})


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
