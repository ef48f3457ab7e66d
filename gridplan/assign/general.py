"""Fill the posts of a part whatever its limits are, aim after aim, by constraint programming."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gridplan.assign.flow import bound_aim
from gridplan.assign.parts import Part
from gridplan.assign.problem import Bools, Ints

MOST_PAIRS = 30_000  # a larger part is left as the flow filled it
NOTHING = float(1 << 62)
GUIDED = ("vacant", "continuity", "wishes")  # aims that count pairs, more being better


def solve_part(part: Part, start: Bools, known: dict[str, int], *, work: float, seed: int
               ) -> tuple[tuple[Bools, dict[str, int]], float]:
    """Return the best filling found for a part, a bound of every aim, and the work spent.

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
        The filling, shape (pairs,), with the bounds (less being better), each given the aims
        before it at their values; and the work.
    """
    if part.pair.size > MOST_PAIRS:
        return (start, hold_bounds(part, start, known)), 0.0
    model, taken, largest = _state_rules(part)
    best, bound, left = start, {}, work
    for nth, aim in enumerate(part.order):
        value = part.measure_aims(best)[aim]
        low = bound_next(part, aim, part.measure_aims(best), known)
        goal = largest if aim == "balance" else _sum_cost(taken, part.costs[aim])
        shift = int(part.slots.sum()) if aim == "vacant" else 0
        if value > low:
            model.add(goal >= low - shift)
            guide = part.order[nth + 1] if nth + 1 < len(part.order) else None
            factor, tail = _guide_search(part, taken, aim, guide)
            model.minimize(goal * factor + tail)
            found = _improve(model, taken, best, left if guide is None else left / 2, seed)
            best, left = found.taken, left - found.work
            value = part.measure_aims(best)[aim]
            # The guide is never above 0, so that a bound of both together is one of the aim.
            low = value if found.proven else max(
                low, int(np.ceil((found.bound - 1e-6) / factor)) + shift)
        bound[aim] = low
        model.add(goal <= value - shift)
    return (best, bound), work - left


def _state_rules(part: Part) -> tuple[Any, list[Any], Any]:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    taken = [model.new_bool_var("") for _ in range(part.pair.size)]
    largest = model.new_int_var(0, part.all_heavy(), "")
    sum_of = cp_model.LinearExpr.weighted_sum
    ends = np.cumsum(np.bincount(part.post))
    for first, last, slots in zip([0, *ends.tolist()], ends.tolist(), part.slots.tolist(),
                                  strict=False):
        if last - first > slots:
            model.add(sum_of(taken[first:last], [1] * (last - first)) <= slots)
    theirs = np.split(np.argsort(part.person, kind="stable"),
                      np.cumsum(np.bincount(part.person))[:-1])
    for y, mine in enumerate(theirs):
        held = [taken[i] for i in mine.tolist()]
        if len(held) > part.room_posts[y]:
            model.add(sum(held) <= int(part.room_posts[y]))
        if part.size[mine].sum() > part.room_households[y]:
            model.add(sum_of(held, part.size[mine].tolist()) <= int(part.room_households[y]))
        if "balance" in part.order:
            model.add(sum_of(held, part.heavy[mine].tolist()) <= largest)
    return model, taken, largest


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found: pairs, bound of its goal, whether that is met, and the work spent."""

    taken: Bools
    bound: float
    proven: bool
    work: float


def _improve(model: Any, taken: list[Any], best: Bools, work: float, seed: int) -> Found:
    """Look for a filling with a smaller goal, from the best one so far."""
    from ortools.sat.python import cp_model

    model.clear_hints()
    for variable, on in zip(taken, best.tolist(), strict=True):
        model.add_hint(variable, on)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.linearization_level = 2
    solver.parameters.max_deterministic_time = max(work, 0.0)
    state = solver.solve(model)
    if state not in (cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.UNKNOWN):
        raise RuntimeError(f"filling: the solver says {solver.status_name(state)}")
    if state in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        best = np.array(solver.values(taken), np.bool_)
    bound = solver.best_objective_bound if state != cp_model.UNKNOWN else -NOTHING
    return Found(best, bound, state == cp_model.OPTIMAL,
                 solver.response_proto.deterministic_time)


def _guide_search(part: Part, taken: list[Any], aim: str, guide: str | None) -> tuple[int, Any]:
    """Return a factor of an aim, and what may be added then so that the next one breaks ties."""
    if aim not in GUIDED or guide not in GUIDED:
        return 1, 0
    return 1 - int(part.costs[guide].sum()), _sum_cost(taken, part.costs[guide])


def _sum_cost(taken: list[Any], cost: Ints) -> Any:
    from ortools.sat.python import cp_model

    return cp_model.LinearExpr.weighted_sum(taken, cost.tolist())


def hold_bounds(part: Part, taken: Bools, known: dict[str, int]) -> dict[str, int]:
    """Return the known bounds as far as they hold for a filling, and weaker ones from there on."""
    bound, value = {}, part.measure_aims(taken)
    for aim in part.order:
        bound[aim] = bound_next(part, aim, value, known)
    return bound


def bound_next(part: Part, aim: str, value: dict[str, int], known: dict[str, int]) -> int:
    """Return a bound of an aim that holds whatever the values of the aims before it are."""
    before = part.order[:part.order.index(aim)]
    if all(value[name] == known[name] for name in before):
        return known[aim]
    if value["vacant"] == known["vacant"]:
        return bound_aim(part, aim)
    return weakest_bound(part, aim)


def weakest_bound(part: Part, aim: str) -> int:
    """Return what no filling of any kind can better."""
    if aim in ("balance", "travel"):
        return 0
    if aim == "vacant":
        return max(0, int(part.slots.sum()) - part.pair.size)
    return int(part.costs[aim].sum())
