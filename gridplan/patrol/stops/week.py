"""A week: days for stops that are not visited daily, and crews for the shifts of a calendar."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridplan.errors import Findings
from gridplan.patrol.stops.problem import LONGEST_S, MOST_VISITS, Bools, Ints

NOBODY = -1
MOST_DAYS = 14
MOST_CREWS = 50
MOST_SHIFTS = 12
A_DAY_S = 86_400
REST_S = 11 * 3600
WORK = 5.0  # deterministic seconds of constraint programming for one aim
PROVEN = 1e-6


@dataclass(frozen=True, eq=False)
class DayChoice:
    """Visits of each stop on each day, shape (s, days); the load of the fullest day, its bound."""

    visits: Ints
    fullest: int
    bound: int

    @property
    def gap(self) -> float:
        """How far the fullest day may be from the best: fullest / bound - 1."""
        return self.fullest / self.bound - 1 if self.bound else 0.0


@dataclass(frozen=True, eq=False)
class Rota:
    """Crews of each shift.

    Attributes
    ----------
    crew
        Crew of each shift on each day, shape (days, shifts); ``NOBODY`` where the shift is not
        worked or nobody could be found.
    vacant, most, moved
        Shifts without a crew, shifts of the crew with most, and shifts worked by another crew
        than the cycle has it.
    bound
        What no rota can better in ``vacant``, ``most`` and ``moved``, each given the ones before.
    """

    crew: Ints
    vacant: int
    most: int
    moved: int
    bound: dict[str, int]


@cache
def spread_days(count: int, days: int) -> tuple[tuple[int, ...], ...]:
    """Return the choices of ``count`` days whose gaps, around the week, are as even as can be.

    >>> spread_days(3, 7)[:2], len(spread_days(2, 7))
    (((0, 2, 4), (0, 2, 5)), 7)
    """
    return _most_even(tuple(combinations(range(days), count)), days)


def _most_even(choices: tuple[tuple[int, ...], ...], days: int) -> tuple[tuple[int, ...], ...]:
    """Keep the choices with the least sum of squared gaps."""
    squares = [sum(((b - a - 1) % days + 1) ** 2
                   for a, b in zip(choice, choice[1:] + choice[:1], strict=True))
               for choice in choices]
    return tuple(c for c, square in zip(choices, squares, strict=True) if square == min(squares))


def choose_days(per_week: Any, load: Any, allowed: Any = None, *, days: int = 7,
                work: float = WORK, seed: int = 1) -> DayChoice:
    """Choose days for stops: each as evenly over the week as it can be, then even days.

    Parameters
    ----------
    per_week
        Visits of each stop in the week, shape (s,). Every day gets as many as go into all days
        alike; the days of the rest are chosen.
    load
        Work of one visit (minutes, say), whole numbers, shape (s,).
    allowed
        Days each stop may be visited on, shape (s, days); all if not given.
    days
        Days of the week, which goes round.
    work, seed
        Deterministic seconds and seed of the constraint solver.

    Returns
    -------
    DayChoice
        Visits by day; the fullest day with its bound, given that every stop is spread evenly.

    Raises
    ------
    InputError
        Something is no whole number or out of range, or a stop has fewer days than it needs.

    Examples
    --------
    >>> week = choose_days([3, 7, 1, 1], [10, 5, 10, 10])
    >>> week.visits.sum(axis=1).tolist(), week.fullest, week.bound
    ([3, 7, 1, 1], 15, 15)
    """
    found = Findings()
    wanted = _check_numbers(per_week, "visits_per_week", MOST_VISITS, found)
    loads = _check_numbers(load, "load", LONGEST_S, found, size=wanted.size)
    _check_between(days, "days", 1, MOST_DAYS, found)
    found.stop_on_faults()
    may = np.ones((wanted.size, days), np.bool_) if allowed is None else np.asarray(allowed)
    if may.dtype.kind != "b" or may.shape != (wanted.size, days):
        found.add("patrol.stops_rows", layer="stops", field="allowed", ids=wanted.size,
                  shape=f"{may.dtype} {may.shape}")
        found.stop_on_faults()
    open_days = may.sum(axis=1)
    for s in np.flatnonzero((open_days == 0) & (wanted > 0)):
        found.add("patrol.week_no_day", layer="stops", row=int(s))
    found.stop_on_faults()
    daily, over = np.divmod(wanted, np.maximum(open_days, 1))
    fixed: Ints = daily[:, None] * may.astype(np.int64)
    choices = [_choices_of(int(over[s]), days, may[s]) for s in range(wanted.size)]
    picked, bound = _level_days(fixed.T @ loads, loads, choices, days, work, seed)
    visits = fixed.copy()
    for stop, choice in enumerate(picked):
        visits[stop, list(choice)] += 1
    return DayChoice(visits, int((visits.T @ loads).max(initial=0)), bound)


def _choices_of(count: int, days: int, may: NDArray[np.bool_]) -> tuple[tuple[int, ...], ...]:
    if count == 0:
        return ((),)
    if may.all():
        return spread_days(count, days)
    return _most_even(tuple(combinations(np.flatnonzero(may).tolist(), count)), days)


def _level_days(base: Ints, loads: Ints, choices: list[tuple[tuple[int, ...], ...]], days: int,
                work: float, seed: int) -> tuple[list[tuple[int, ...]], int]:
    """Pick one choice per stop so that the fullest day is least; return them and a bound."""
    picked, total = [choice[0] for choice in choices], base.copy()
    for s in np.argsort(-loads * [len(c[0]) for c in choices], kind="stable").tolist():
        def fullest(days_of: tuple[int, ...], s: int = s) -> tuple[int, int]:
            after = total.copy()
            after[list(days_of)] += loads[s]
            return int(after.max()), int((after * after).sum())

        picked[s] = min(choices[s], key=fullest)
        total[list(picked[s])] += loads[s]
    everything = int(total.sum())
    bound = max(int(base.max(initial=0)), -(-everything // days))
    if int(total.max(initial=0)) <= bound or not choices:
        return picked, bound
    return _improve_days(base, loads, choices, picked, bound, work, seed)


def _improve_days(base: Ints, loads: Ints, choices: list[tuple[tuple[int, ...], ...]],
                  picked: list[tuple[int, ...]], bound: int, work: float, seed: int
                  ) -> tuple[list[tuple[int, ...]], int]:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    taken = [[model.new_bool_var("") for _ in choice] for choice in choices]
    for s, row in enumerate(taken):
        model.add_exactly_one(row)
        for var, choice in zip(row, choices[s], strict=True):
            model.add_hint(var, choice == picked[s])
    fullest = model.new_int_var(bound, int(base.max() + loads.sum()), "")
    for day in range(base.size):
        model.add(int(base[day]) + sum(
            int(loads[s]) * var for s, row in enumerate(taken)
            for var, choice in zip(row, choices[s], strict=True) if day in choice) <= fullest)
    model.minimize(fullest)
    solver, status = _solve(model, work, seed)
    if status not in ("OPTIMAL", "FEASIBLE"):
        return picked, bound
    better = [next(choice for var, choice in zip(row, choices[s], strict=True)
                   if solver.value(var)) for s, row in enumerate(taken)]
    return better, max(bound, int(np.ceil(solver.best_objective_bound - PROVEN)))


def cycle_crews(days: int, shifts: int, crews: int, *, block: int = 2) -> Ints:
    """Return the cycle: every crew works a shift for ``block`` days, then the next, then is off.

    >>> cycle_crews(4, 3, 4).tolist()
    [[0, 1, 2], [0, 1, 2], [3, 0, 1], [3, 0, 1]]
    """
    day, shift = np.arange(days)[:, None], np.arange(shifts)[None, :]
    crew = (shift - day // block) % crews
    return np.where(shift < crews, crew, NOBODY)


def fit_crews(shift_start_s: Any, shift_end_s: Any, crews: int, worked: Any, *,
              rest_s: int = REST_S, block: int = 2, away: Any = None, work: float = WORK,
              seed: int = 1) -> Rota:
    """Give every shift of a calendar a crew: none twice at once, with rest between shifts.

    In turn: as few shifts as possible without a crew, the most shifts of one crew as few as
    possible, and as few as possible off the cycle of :func:`cycle_crews`.

    Parameters
    ----------
    shift_start_s, shift_end_s
        Seconds of the day, shape (shifts,); a shift over midnight ends past 86,400.
    crews
        Number of crews.
    worked
        Whether each shift is worked on each day, shape (days, shifts).
    rest_s
        Least seconds from the end of a crew's shift to the begin of its next.
    block
        Days a crew stays in one shift of the cycle.
    away
        Days on which a crew cannot work, shape (crews, days); none if not given.
    work, seed
        Deterministic seconds of each aim, and seed, of the constraint solver.

    Returns
    -------
    Rota
        The crews, with values and bounds.

    Raises
    ------
    InputError
        Something is no whole number, out of range or of another shape.

    Examples
    --------
    >>> hours = np.array([7.5, 15.5, 23.5]) * 3600
    >>> rota = fit_crews(hours.astype(int), hours.astype(int) + 8 * 3600, 4, np.ones((8, 3), bool))
    >>> rota.vacant, rota.most, rota.moved
    (0, 6, 0)
    """
    found = Findings()
    start = _check_numbers(shift_start_s, "shift_start", A_DAY_S, found, layer="teams")
    end = _check_numbers(shift_end_s, "shift_end", 2 * A_DAY_S, found, size=start.size,
                         layer="teams")
    _check_between(crews, "crew", 1, MOST_CREWS, found)
    _check_between(rest_s, "rest_s", 0, LONGEST_S, found)
    _check_between(block, "block", 1, MOST_DAYS, found)
    found.stop_on_faults()
    on = np.asarray(worked)
    days = on.shape[0] if on.ndim == 2 else 0
    out = np.zeros((crews, days), np.bool_) if away is None else np.asarray(away)
    for name, table, shape in (("worked", on, (days, start.size)), ("away", out, (crews, days))):
        if table.dtype.kind != "b" or table.shape != shape:
            found.add("patrol.stops_rows", layer="calendar", field=name, ids=shape[0],
                      shape=f"{table.dtype} {table.shape}")
    if not 1 <= days <= MOST_DAYS * 4 or not 1 <= start.size <= MOST_SHIFTS:
        found.add("patrol.week_size", layer="calendar", days=MOST_DAYS * 4, shifts=MOST_SHIFTS)
    for m in np.flatnonzero(end <= start):
        found.add("patrol.week_shift", layer="teams", row=int(m))
    found.stop_on_faults()
    cycle = cycle_crews(days, start.size, crews, block=block)
    return _solve_rota(start, end, int(crews), on, out, int(rest_s), cycle, work, seed)


def _solve_rota(start: Ints, end: Ints, crews: int, worked: Bools, away: Bools, rest_s: int,
                cycle: Ints, work: float, seed: int) -> Rota:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    cells = [(int(d), int(m)) for d, m in np.argwhere(worked)]
    takes = {(d, m, j): model.new_bool_var("") for d, m in cells for j in range(crews)
             if not away[j, d]}
    for d, m in cells:
        model.add_at_most_one(takes[d, m, j] for j in range(crews) if (d, m, j) in takes)
    begins = {(d, m): d * A_DAY_S + int(start[m]) for d, m in cells}
    ends = {(d, m): d * A_DAY_S + int(end[m]) for d, m in cells}
    for a, b in combinations(cells, 2):
        if begins[a] < ends[b] + rest_s and begins[b] < ends[a] + rest_s:
            for j in range(crews):
                if (*a, j) in takes and (*b, j) in takes:
                    model.add_at_most_one(takes[*a, j], takes[*b, j])
    most = model.new_int_var(0, len(cells), "")
    for j in range(crews):
        model.add(sum(var for (_, _, k), var in takes.items() if k == j) <= most)
    made = sum(takes.values())
    moved = sum(var for (d, m, j), var in takes.items() if cycle[d, m] != j)
    for (d, m, j), var in takes.items():
        model.add_hint(var, int(cycle[d, m] == j))
    return _solve_aims(model, takes, worked, cycle, [
        ("vacant", len(cells) - made), ("most", most), ("moved", moved)], work, seed)


def _solve_aims(model: Any, takes: dict[tuple[int, int, int], Any], worked: Bools, cycle: Ints,
                aims: list[tuple[str, Any]], work: float, seed: int) -> Rota:
    """Minimise aim after aim, none at the cost of one before."""
    crew, bound = np.full(worked.shape, NOBODY), {}
    for name, aim in aims:
        if isinstance(aim, int):  # nothing in it that can be chosen
            bound[name] = aim
            continue
        model.minimize(aim)
        solver, status = _solve(model, work, seed)
        if status not in ("OPTIMAL", "FEASIBLE"):
            bound[name] = 0
            continue
        crew[:] = NOBODY
        model.clear_hints()
        for cell, var in takes.items():
            model.add_hint(var, solver.value(var))
            if solver.value(var):
                crew[cell[:2]] = cell[2]
        bound[name] = max(0, int(np.ceil(solver.best_objective_bound - PROVEN)))
        model.add(aim <= round(solver.objective_value))
    made = crew != NOBODY
    return Rota(crew, int((worked & ~made).sum()),
                int(np.bincount(crew[made], minlength=1).max()),
                int((made & (crew != cycle)).sum()), bound)


def _solve(model: Any, work: float, seed: int) -> tuple[Any, str]:
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = work
    return solver, solver.status_name(solver.solve(model))


def _check_numbers(values: Any, field: str, high: int, found: Findings, *,
                   size: int | None = None, layer: str = "stops") -> Ints:
    given = np.asarray(values)
    if given.size == 0:
        given = given.astype(np.int64)
    if given.dtype.kind not in "iu":
        found.add("patrol.stops_not_whole", layer=layer, field=field)
    elif given.ndim != 1 or size not in (None, given.size):
        found.add("patrol.stops_rows", layer=layer, field=field,
                  ids="?" if size is None else size, shape=str(given.shape))
    else:
        for i in np.flatnonzero((given < 0) | (given > high)):
            found.add("patrol.stops_range", layer=layer, row=int(i), field=field,
                      value=int(given[i]), low=0, high=high)
        return given.astype(np.int64)
    return np.zeros(0, np.int64)


def _check_between(value: Any, field: str, low: int, high: int, found: Findings) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not (
            low <= value <= high):
        found.add("patrol.stops_range", field=field, value=repr(value)[:40], low=low, high=high)
