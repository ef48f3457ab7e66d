"""Fill the posts of a part whatever its limits are, aim after aim, by constraint programming."""

from __future__ import annotations

from typing import Any

import numpy as np

from gridplan.assign.parts import Part
from gridplan.assign.problem import Bools, Ints


def solve_part(part: Part, start: Bools, known: dict[str, int], *, work: float, seed: int
               ) -> tuple[Bools, dict[str, int]]:
    """Return the best filling found for a part, and a bound of every aim.

    Parameters
    ----------
    part
        Posts, people and pairs.
    start
        A filling that fits, shape (pairs,).
    known
        Bounds that hold as long as all aims before are at theirs.
    work
        Deterministic seconds of all aims together.
    seed
        Of the solver.

    Returns
    -------
    tuple
        The filling, shape (pairs,), and the bounds (less being better), each given the aims
        before it at their values.
    """
    model, taken, largest = _state_rules(part)
    best, bound, tied = start, {}, True
    for aim in part.order:
        value = part.measure_aims(best)[aim]
        low = known[aim] if tied else weakest_bound(part, aim)
        if value > low:
            goal = largest if aim == "balance" else _sum_cost(taken, part.costs[aim])
            shift = int(part.slots.sum()) if aim == "vacant" else 0
            model.add(goal >= low - shift)
            best, low, work = _better(model, taken, goal, best, low, shift, work, seed, part, aim)
            value = part.measure_aims(best)[aim]
        bound[aim] = low
        tied = tied and value == known[aim]
        if aim == "balance":
            model.add(largest <= value)
        else:
            model.add(_sum_cost(taken, part.costs[aim])
                      <= value - (int(part.slots.sum()) if aim == "vacant" else 0))
    return best, bound


def _state_rules(part: Part) -> tuple[Any, list[Any], Any]:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    taken = [model.new_bool_var("") for _ in range(part.pair.size)]
    largest = model.new_int_var(0, int(part.carried(part.heavy, np.ones(part.pair.size, bool)
                                                    ).max()), "")
    sum_of = cp_model.LinearExpr.weighted_sum
    for x, slots in enumerate(part.slots.tolist()):
        wanted = np.flatnonzero(part.post == x).tolist()
        if len(wanted) > slots:
            model.add(sum(taken[i] for i in wanted) <= slots)
    for y in range(part.people):
        mine = np.flatnonzero(part.person == y)
        held = [taken[i] for i in mine.tolist()]
        if len(held) > part.room_posts[y]:
            model.add(sum(held) <= int(part.room_posts[y]))
        if part.size[mine].sum() > part.room_households[y]:
            model.add(sum_of(held, part.size[mine].tolist()) <= int(part.room_households[y]))
        if "balance" in part.order:
            model.add(sum_of(held, part.heavy[mine].tolist()) <= largest)
    return model, taken, largest


def _better(model: Any, taken: list[Any], goal: Any, best: Bools, low: int, shift: int,
            work: float, seed: int, part: Part, aim: str) -> tuple[Bools, int, float]:
    """Look for a filling with a smaller goal: it, the bound proven and the work left."""
    from ortools.sat.python import cp_model

    if work <= 0:
        return best, low, work
    model.minimize(goal)
    model.clear_hints()
    for variable, on in zip(taken, best.tolist(), strict=True):
        model.add_hint(variable, on)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = work
    state = solver.solve(model)
    if state in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        best = np.array(solver.values(taken), np.bool_)
    proven = int(np.ceil(solver.best_objective_bound - 1e-6)) + shift
    if state == cp_model.OPTIMAL:
        proven = part.measure_aims(best)[aim]
    return best, max(low, proven), work - solver.response_proto.deterministic_time


def _sum_cost(taken: list[Any], cost: Ints) -> Any:
    from ortools.sat.python import cp_model

    return cp_model.LinearExpr.weighted_sum(taken, cost.tolist())


def weakest_bound(part: Part, aim: str) -> int:
    """Return what no filling of any kind can better."""
    if aim in ("balance", "travel"):
        return 0
    if aim == "vacant":
        return max(0, int(part.slots.sum()) - part.pair.size)
    return int(part.costs[aim].sum())
