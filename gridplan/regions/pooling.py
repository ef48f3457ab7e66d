"""Regions seen on the way are kept, and the cheapest exact cover by them is chosen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridplan.regions.kernels import GOLDEN, MIX_1, MIX_2, S27, S30, S31, Net, jit, toll_of

Labels = NDArray[np.int32]

SLOTS = 4  # of the hash table, per region there is room for
BRANCHES = 200  # nodes of the search for a cover in whole numbers
CUTTING_ROUNDS = 3  # and rounds of cutting planes before it


class Pool(NamedTuple):
    """Regions in range: units ``start[i]:start[i + 1]``, and cost (whole border and twice toll).

    ``table`` holds the hashes of those kept, ``kept`` their number, and ``around`` the border of
    every unit alone. A pool without room keeps nothing.
    """

    table: NDArray[np.uint64]
    start: NDArray[np.int64]
    units: NDArray[np.int32]
    cost: NDArray[np.int64]
    kept: NDArray[np.int64]
    around: NDArray[np.int64]


def open_pool(net: Net, regions: int, room: int) -> Pool:
    """Return an empty pool for ``regions`` of ``room`` units together."""
    around = np.zeros(net.people.size, np.int64)
    np.add.at(around, net.u, net.cost)
    np.add.at(around, net.v, net.cost)
    return Pool(np.zeros(SLOTS * regions, np.uint64), np.zeros(regions + 1, np.int64),
                np.empty(room, np.int32), np.empty(regions, np.int64), np.zeros(1, np.int64),
                around)


@jit
def hash_unit(x):  # type: ignore[no-untyped-def]
    """Return 64 random-looking bits of a unit; those of a region are their exclusive or."""
    z = GOLDEN * np.uint64(x + 1)
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)


@jit
def remember(pool, net, units, labels, count, rules):  # type: ignore[no-untyped-def]
    """Keep the regions in range of a window, whose graph is ``net``, as far as there is room."""
    if pool.cost.size == 0:
        return
    code = np.zeros(count, np.uint64)
    people = np.zeros(count, np.int64)
    cost = np.zeros(count, np.int64)
    size = np.zeros(count, np.int64)
    for i in range(units.size):
        r = labels[i]
        code[r] ^= hash_unit(units[i])
        people[r] += net.people[i]
        cost[r] += pool.around[units[i]]
        size[r] += 1
    for e in range(net.cost.size):
        if labels[net.u[e]] == labels[net.v[e]]:
            cost[labels[net.u[e]]] -= 2 * net.cost[e]
    slots = np.uint64(pool.table.size)
    for r in range(count):
        kept = pool.kept[0]
        at = pool.start[kept]
        if (not rules.low <= people[r] <= rules.high or kept == pool.cost.size
                or at + size[r] > pool.units.size):
            continue
        slot = code[r] % slots
        while pool.table[slot] != 0 and pool.table[slot] != code[r]:
            slot = (slot + np.uint64(1)) % slots
        if pool.table[slot] == code[r]:
            continue
        pool.table[slot] = code[r]
        for i in range(units.size):
            if labels[i] == r:
                pool.units[at] = units[i]
                at += 1
        pool.cost[kept] = cost[r] + 2 * toll_of(people[r], rules.toll)
        pool.start[kept + 1] = at
        pool.kept[0] = kept + 1


def choose_cover(pool: Pool, most: float, count: int | None) -> Labels | None:
    """Return the labels of the cheapest cover by regions of the pool, each unit once.

    Regions whose reduced cost in the relaxation says that no cover below ``most`` (border and
    toll) holds them are left out; the rest is settled in whole numbers within a fixed amount of
    work. None if nothing was found. ``count`` is the number of regions, None leaves it free.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csc_array, vstack

    size, kept = pool.around.size, int(pool.kept[0])
    if kept == 0:
        return None
    start = pool.start[:kept + 1]
    inside = csc_array((np.ones(start[-1]), pool.units[:start[-1]], start), shape=(size, kept))
    target = np.ones(size)
    if count is not None:
        inside = vstack([inside, csc_array(np.ones((1, kept)))], format="csc")
        target = np.append(target, count)
    cost = pool.cost[:kept] / 2.0
    relaxed = linprog(cost, A_eq=inside, b_eq=target, bounds=(0, None), method="highs-ds")
    if relaxed.status != 0:
        return None
    chosen = np.flatnonzero(relaxed.x > 0.5)
    if np.abs(relaxed.x - np.round(relaxed.x)).max() > 1e-6:
        reduced = cost - inside.T @ relaxed.eqlin.marginals
        able = np.flatnonzero(reduced <= most - relaxed.fun + 1e-6 * most + 1.0)
        chosen = able[_cover_whole(inside[:, able], target, pool.cost[able])]
    labels = np.full(size, -1, np.int32)
    for i, region in enumerate(chosen.tolist()):
        labels[pool.units[start[region]:start[region + 1]]] = i
    return labels if labels.min() >= 0 else None


def _cover_whole(inside: Any, target: NDArray[np.float64], cost: NDArray[np.int64]
                 ) -> NDArray[np.int64]:
    """Choose columns of least cost so that every row sums to its target; none if none is found."""
    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver.CreateSolver("SCIP")
    solver.SetSolverSpecificParametersAsString(
        f"limits/totalnodes = {BRANCHES}\nseparating/maxroundsroot = {CUTTING_ROUNDS}\n")
    taken = [solver.BoolVar("") for _ in range(cost.size)]
    rows = inside.tocsr()
    for x, total in enumerate(target.tolist()):
        row = solver.Constraint(total, total)
        for i in rows.indices[rows.indptr[x]:rows.indptr[x + 1]].tolist():
            row.SetCoefficient(taken[i], 1.0)
    objective = solver.Objective()
    for region, price in zip(taken, cost.tolist(), strict=True):
        objective.SetCoefficient(region, price)
    if solver.Solve() not in (pywraplp.Solver.OPTIMAL, pywraplp.Solver.FEASIBLE):
        return np.zeros(0, np.int64)
    return np.flatnonzero([region.solution_value() > 0.5 for region in taken])
