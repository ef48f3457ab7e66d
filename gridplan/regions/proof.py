"""Small parts: every connected region that fits, and an exact cover by them, or proof of none."""

from __future__ import annotations

import itertools
import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gridplan.regions.graph import Graph, pieces_of
from gridplan.regions.kernels import jit
from gridplan.regions.superblocks import absorb_empty

log = logging.getLogger(__name__)

MOST_UNITS = 40
WORK_LIMIT = 3_000_000  # connected sets met before the proof is given up
MOST_REGIONS = 30_000  # regions an exact cover is looked for among
MERGES = 12  # ways of giving empty units to neighbours that are tried
COVER_TIME = 4.0  # deterministic seconds of the exact cover


def prove_infeasible(graph: Graph, low: int, high: int, *,
                     work_limit: int = WORK_LIMIT) -> bool | None:
    """Prove that a connected graph cannot be cut into regions of ``low..high``.

    Parameters
    ----------
    graph
        At most 40 units; larger ones are given up at once.
    low, high
        Households of a region, both ends included.
    work_limit
        Connected sets of units met, after which the proof is given up.

    Returns
    -------
    bool or None
        True: proven impossible. False: a cut exists. None: given up.

    Examples
    --------
    >>> square = Graph([283, 283, 440, 440], [0, 1, 2], [1, 2, 3], [1.0] * 3, [False] * 3)
    >>> prove_infeasible(square, 300, 500)
    True
    """
    verdict, _ = cover_exactly(graph, low, high, work_limit=work_limit)
    return verdict


def cover_exactly(graph: Graph, low: int, high: int, *, work_limit: int = WORK_LIMIT,
                  cheapest: bool = True) -> tuple[bool | None, NDArray[np.int32] | None]:
    """Return the verdict of :func:`prove_infeasible` and, if a cut exists, the cheapest found.

    Without ``cheapest`` the first cut found will do.
    """
    if graph.size > MOST_UNITS:
        return None, None
    empty = bool((graph.households == 0).any())
    lived_in = bool(graph.households.any())
    if empty and lived_in and _cover(lend_empty(graph), low, high, work_limit,
                                     cheapest=False)[0] is True:
        return True, None
    verdict, cover = _cover(graph, low, high, work_limit, cheapest)
    if verdict is None and empty:
        cover = _cover_merged(graph, low, high, work_limit)
        verdict = None if cover is None else False
    return verdict, cover


def lend_empty(graph: Graph) -> Graph:
    """Return the graph of the inhabited units alone, joined through empty ones as if directly.

    Regions may then pass through the same empty unit, so what cannot be cut here cannot be cut
    at all.

    >>> star = Graph([200, 0, 200, 200], [0, 1, 1], [1, 2, 3], [1.0] * 3, [False] * 3)
    >>> lent = lend_empty(star)
    >>> list(zip(lent.u.tolist(), lent.v.tolist()))
    [(0, 1), (0, 2), (1, 2)]
    """
    empty = graph.households == 0
    between = empty[graph.u] & empty[graph.v]
    lot = pieces_of(graph.size, graph.u[between], graph.v[between])
    place = np.cumsum(~empty) - 1
    pairs = {(int(place[a]), int(place[b]))
             for a, b in zip(graph.u.tolist(), graph.v.tolist(), strict=True)
             if not empty[a] and not empty[b]}
    for piece in np.unique(lot[empty]).tolist():
        touching = np.concatenate([graph.v[lot[graph.u] == piece], graph.u[lot[graph.v] == piece]])
        beside = np.unique(place[touching[~empty[touching]]]).tolist()
        pairs.update(itertools.combinations(beside, 2))
    u, v = np.array(sorted(pairs), np.int32).reshape(-1, 2).T
    return Graph(graph.households[~empty], u, v, np.ones(u.size), np.zeros(u.size, bool))


def _cover_merged(graph: Graph, low: int, high: int, work_limit: int) -> NDArray[np.int32] | None:
    """Look for a cut with the empty units given to neighbours, in some ways of doing so."""
    chance = np.random.default_rng(1)
    for _ in range(MERGES):
        shuffled = replace(graph, weight=chance.permutation(graph.size + graph.u.size)[
            :graph.u.size].astype(np.float64), major=np.zeros(graph.u.size, np.bool_))
        merged = absorb_empty(shuffled)
        ends = np.sort(np.stack([merged[graph.u], merged[graph.v]]), axis=0)
        u, v = np.unique(ends[:, ends[0] != ends[1]], axis=1)
        people = np.bincount(merged, graph.households).astype(np.int64)
        small = Graph(people, u, v, np.ones(u.size), np.zeros(u.size, bool))
        _, cover = _cover(small, low, high, work_limit, cheapest=False)
        if cover is not None:
            return cover[merged]
    return None


def _cover(graph: Graph, low: int, high: int, work_limit: int, cheapest: bool
           ) -> tuple[bool | None, NDArray[np.int32] | None]:
    near = np.zeros(graph.size, np.int64)
    np.bitwise_or.at(near, graph.u, np.int64(1) << graph.v.astype(np.int64))
    np.bitwise_or.at(near, graph.v, np.int64(1) << graph.u.astype(np.int64))
    sets, whole = list_regions(near, graph.households.copy(), low, high, work_limit)
    if not whole:
        log.debug("proof given up after %d sets", work_limit)
        return None, None
    if (np.bitwise_or.reduce(sets) if sets.size else 0) != (1 << graph.size) - 1:
        return True, None
    if sets.size > MOST_REGIONS:
        log.debug("proof given up among %d regions", sets.size)
        return None, None
    return _solve_cover(graph, sets, cheapest)


def _solve_cover(graph: Graph, sets: NDArray[np.int64], cheapest: bool
                 ) -> tuple[bool | None, NDArray[np.int32] | None]:
    from ortools.sat.python import cp_model

    inside = ((sets[:, None] >> np.arange(graph.size)) & 1).astype(np.bool_)
    model = cp_model.CpModel()
    taken = [model.new_bool_var("") for _ in range(sets.size)]
    for x in range(graph.size):
        model.add_exactly_one(taken[i] for i in np.flatnonzero(inside[:, x]))
    if cheapest:
        model.minimize(cp_model.LinearExpr.weighted_sum(taken, _border_costs(graph, inside)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = COVER_TIME
    state = solver.solve(model)
    if state == cp_model.INFEASIBLE:
        return True, None
    if state not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None, None
    chosen = [i for i in range(sets.size) if solver.value(taken[i])]
    return False, inside[chosen].argmax(axis=0).astype(np.int32)


def _border_costs(graph: Graph, inside: NDArray[np.bool_]) -> list[int]:
    border = np.zeros(len(inside))
    for a, b, weight in zip(graph.u, graph.v, graph.weight, strict=True):
        border += weight * (inside[:, a] != inside[:, b])
    scale = 1e6 / max(float(border.max()), 1e-9)
    costs: list[int] = np.round(border * scale).astype(np.int64).tolist()
    return costs


@jit
def grow_set(near, seed, within):  # type: ignore[no-untyped-def]
    """Return all of the set ``within`` that is connected with the set ``seed`` (bit masks)."""
    grown = seed
    fresh = seed
    while fresh:
        reach = np.int64(0)
        for x in range(near.size):
            if fresh >> x & 1:
                reach |= near[x]
        fresh = reach & within & ~grown
        grown |= fresh
    return grown


@jit
def rest_fits(near, people, taken, low, high):  # type: ignore[no-untyped-def]
    """Tell whether every connected piece of what ``taken`` leaves could be cut, by number."""
    rest = ((np.int64(1) << near.size) - 1) & ~taken
    while rest:
        piece = grow_set(near, rest & -rest, rest)
        total = 0
        for x in range(near.size):
            if piece >> x & 1:
                total += people[x]
        if total < low or (total + high - 1) // high > total // low:
            return False
        rest &= ~piece
    return True


@jit
def list_regions(near, people, low, high, limit):  # type: ignore[no-untyped-def]
    """List the connected sets of ``low..high`` households that leave a rest that may be cut.

    Sets are bit masks. Each set is met once: it grows by one unit of its rim at a time, and a
    unit passed over is closed to what grows after. Returns the sets and whether they are all.
    """
    n = near.size
    found = np.empty(limit, np.int64)
    count, work = 0, 0
    taken = np.empty(n * n + n + 1, np.int64)
    closed = np.empty(n * n + n + 1, np.int64)
    for first in range(n):
        taken[0] = np.int64(1) << first
        closed[0] = (np.int64(2) << first) - 1
        top = 1
        while top:
            top -= 1
            now, shut = taken[top], closed[top]
            work += 1
            if work > limit:
                return found[:count], False
            total, rim = 0, np.int64(0)
            for x in range(n):
                if now >> x & 1:
                    total += people[x]
                    rim |= near[x]
            if total > high:
                continue
            if total >= low and rest_fits(near, people, now, low, high):
                found[count] = now
                count += 1
            rim &= ~now & ~shut
            while rim:
                bit = rim & -rim
                rim ^= bit
                shut |= bit
                taken[top] = now | bit
                closed[top] = shut
                top += 1
    return found[:count], True
