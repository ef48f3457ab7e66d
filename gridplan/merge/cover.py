"""The exact model: choose groups so that every community lies in exactly one, ``count`` in all.

    min Σ cost_g x_g   s.t.   Σ_{g ∋ i} x_g = 1 for every patch i,   Σ x_g = count,
                              Σ weight_g x_g ≤ limit,   x_g ∈ {0, 1}

The linear relaxation is solved over a growing choice of the columns; its prices tell which
columns no solution better than the best one known can use. What is left goes to CP-SAT.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csc_array, csr_array, eye_array, hstack, vstack

from gridplan.merge.groups import Groups

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_NEW_COLUMNS = 3000
_ROUNDS = 400
_EPS = 1e-6
_LOOSE = 1e-6
# How many columns CP-SAT is given, in turn; and seconds of its own deterministic clock.
SIZES = (2_000, 10_000, 40_000)
WORK = 60.0


@dataclass(frozen=True)
class Limit:
    """Σ weight_g x_g ≤ most, over the columns chosen."""

    weight: Ints
    most: int


@dataclass(frozen=True)
class Relaxed:
    """The linear relaxation: its value, a lower bound, and what each column adds to it.

    The value is None where not even fractions of groups cover everything. A choice of groups
    costs at least ``value`` plus the sum of ``reduced`` over its columns.
    """

    value: float | None
    reduced: Floats


@dataclass(frozen=True)
class Covered:
    """A choice of groups (None where none was found), a lower bound, and whether it is final.

    ``proven`` without a choice: there is none.
    """

    chosen: Ints | None
    value: int
    bound: int
    proven: bool


class Model:
    """The columns of the model as a matrix; several questions are asked of it."""

    def __init__(self, groups: Groups, size: int, count: int) -> None:
        self.groups, self.size, self.count = groups, size, count
        cover = csc_array((np.ones(len(groups.member)), groups.member, groups.start),
                          shape=(size, len(groups)))
        self.matrix = vstack([cover, csr_array(np.ones((1, len(groups))))]).tocsc()
        self.right = np.append(np.ones(size), float(count))
        self._active = np.diff(groups.start) <= 2

    def can_relax(self) -> bool:
        """Tell whether fractions of groups at least could cover everything."""
        fits = self._grow(np.zeros(len(self.groups)), None, self._active, elastic=True)
        return fits.value is not None and fits.value <= _LOOSE

    def relax(self, cost: Ints, limit: Limit | None = None) -> Relaxed:
        """Solve the linear relaxation over all columns, by taking in what pays."""
        none = Relaxed(None, np.zeros(len(cost)))
        if not self.can_relax():
            return none
        if limit is not None:
            lightest = self._grow(limit.weight.astype(float), None, self._active)
            if lightest.value is None or lightest.value > limit.most + 0.5:
                return none
        return self._grow(cost.astype(float), limit, self._active)

    def _grow(self, cost: Floats, limit: Limit | None, active: NDArray[np.bool_],
              elastic: bool = False) -> Relaxed:
        """Solve over the ``active`` columns and activate others until none would help."""
        scale = max(1.0, float(np.abs(cost).max(initial=0.0)))
        best = Relaxed(None, np.zeros(len(cost)))
        for _ in range(_ROUNDS):
            rows = np.flatnonzero(active)
            solved = self._solve(cost[rows] / scale, rows, limit, elastic)
            if solved.status != 0:
                return Relaxed(None, np.zeros(len(cost)))
            best, reduced = self._price(cost, limit, solved, scale)
            pays = np.flatnonzero((reduced < -1e-9) & ~active)
            if not len(pays) or (elastic and solved.fun <= _LOOSE):
                break
            active[pays[np.argsort(reduced[pays], kind="stable")[:_NEW_COLUMNS]]] = True
        return best

    def _price(self, cost: Floats, limit: Limit | None, solved: Any,
               scale: float) -> tuple[Relaxed, Floats]:
        """Read the prices of a solution: a bound that holds for all columns, whatever they are."""
        price = solved.eqlin.marginals * scale
        reduced = cost - self.matrix.T @ price
        value = float(price @ self.right)
        if limit is not None:
            toll = min(0.0, float(solved.ineqlin.marginals[0])) * scale
            reduced -= toll * limit.weight
            value += toll * limit.most
        least = min(0.0, float(reduced.min(initial=0.0)))
        return Relaxed(value + self.count * least, reduced - least), reduced / scale

    def _solve(self, cost: Floats, rows: Ints, limit: Limit | None, elastic: bool) -> Any:
        matrix = self.matrix[:, rows]
        price = cost
        if elastic:
            eye = eye_array(self.size + 1)
            matrix = hstack([matrix, eye, -eye]).tocsc()
            price = np.concatenate([cost, np.ones(2 * (self.size + 1))])
        more: dict[str, Any] = {}
        if limit is not None:
            more = {"A_ub": csr_array(limit.weight[rows][None, :].astype(float)),
                    "b_ub": [float(limit.most)]}
        return linprog(price, A_eq=matrix, b_eq=self.right, bounds=(0, None), method="highs-ds",
                       **more)

    def choose(self, columns: Ints, cost: Ints, limit: Limit | None = None,
               hint: Ints | None = None, work: float = WORK, seed: int = 1) -> Covered:
        """Solve the model over ``columns`` in whole numbers."""
        from ortools.sat.python import cp_model

        model = cp_model.CpModel()
        x = [model.new_bool_var("") for _ in columns]
        rows: list[list[Any]] = [[] for _ in range(self.size)]
        for var, column in zip(x, columns.tolist(), strict=True):
            for member in self.groups.of(column).tolist():
                rows[member].append(var)
        if not all(rows):
            return Covered(None, 0, 0, True)
        for row in rows:
            model.add_exactly_one(row)
        model.add(sum(x) == self.count)
        sums = cp_model.LinearExpr.weighted_sum
        if limit is not None:
            model.add(sums(x, limit.weight[columns].tolist()) <= limit.most)
        model.minimize(sums(x, cost[columns].tolist()))
        if hint is not None:
            held = np.isin(columns, hint)
            for var, on in zip(x, held.tolist(), strict=True):
                model.add_hint(var, on)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = seed
        solver.parameters.linearization_level = 2
        solver.parameters.max_deterministic_time = work
        status = solver.solve(model)
        done = status in (cp_model.OPTIMAL, cp_model.INFEASIBLE)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Covered(None, 0, 0, done)
        on = np.array([solver.value(var) for var in x], dtype=bool)
        return Covered(columns[on], round(solver.objective_value),
                       int(np.ceil(solver.best_objective_bound - _EPS)), done)

    def find_any(self, work: float = WORK, seed: int = 1) -> Covered:
        """Return any choice of groups that covers everything, or that there is none."""
        if not self.can_relax():
            return Covered(None, 0, 0, True)
        everything = np.arange(len(self.groups))
        if len(everything) <= SIZES[-1]:
            return self.choose(everything, np.zeros_like(everything), work=work, seed=seed)
        return self.minimise(self.groups.moved, work=work, seed=seed)

    def minimise(self, cost: Ints, limit: Limit | None = None, known: Ints | None = None,
                 work: float = WORK, seed: int = 1, sizes: Sequence[int] = SIZES) -> Covered:
        """Return the cheapest choice of groups, with a bound and whether it is proven.

        Parameters
        ----------
        known
            A choice that is allowed already; what cannot be cheaper is left out.
        sizes
            How many of the most promising columns are tried, in turn.
        """
        relaxed = self.relax(cost, limit)
        value = None if known is None else int(cost[known].sum())
        if relaxed.value is None:
            return Covered(known, value or 0, value or 0, True)
        lowest = relaxed.value
        bound = math.ceil(relaxed.value - _EPS - 1e-10 * abs(relaxed.value))
        order = np.argsort(relaxed.reduced, kind="stable")
        ranked = relaxed.reduced[order]

        def useful() -> int:
            """Count the columns that a better solution could use."""
            if value is None:
                return len(order)
            return int(np.searchsorted(ranked, value - 1 - lowest + 0.01, side="right"))

        for size in sizes:
            if value is not None and value <= bound:
                break
            taken = min(useful(), size)
            columns = order[:taken] if known is None else np.union1d(order[:taken], known)
            found = self.choose(np.sort(columns), cost, limit, known, work, seed)
            if found.chosen is not None and (value is None or found.value < value):
                known, value = found.chosen, found.value
            if found.proven and useful() <= taken:
                return Covered(known, value or 0, bound if value is None else value, True)
            if taken < size:
                break
        if value is None:
            return Covered(None, 0, bound, False)
        return Covered(known, value, min(bound, value), value <= bound)
