"""The inner loops of siting, compiled: small functions on arrays, nothing else.

Sites serve demand: site ``j`` is worth ``by_site.value[e]`` to demand ``by_site.other[e]`` for
``e`` in its row, and a demand gets the best of what the open sites are worth to it. A kernel's
plain twin is its ``py_func``; the tests hold both against a count of all sets.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

jit = numba.njit(cache=True, nogil=True, error_model="numpy")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Rows(NamedTuple):
    """Row ``x`` is ``start[x]:start[x + 1]``: whom it concerns, and what it is worth there."""

    start: Ints
    other: Ints
    value: Floats


class State(NamedTuple):
    """What is open, what every demand gets of its best and second best open site.

    ``gain`` is what opening a site would add; ``tiny`` is what counts as nothing. Of each
    ``group`` of sites one may be open; ``held`` counts how many are.
    """

    open: Bools
    best: Floats
    first: Ints
    second: Floats
    runner: Ints
    gain: Floats
    tiny: Floats
    group: Ints
    held: Ints


GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
S27, S30, S31 = np.uint64(27), np.uint64(30), np.uint64(31)


@jit
def draw(luck: NDArray[np.uint64], below: int) -> int:
    """Return a whole number from 0 to below ``below`` and move the luck on."""
    luck[0] += GOLDEN
    z = luck[0]
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return int((z ^ (z >> S31)) % np.uint64(below))


@jit
def open_site(j: int, by_site: Rows, by_demand: Rows, state: State) -> None:
    """Open a site."""
    state.open[j] = True
    state.held[state.group[j]] += 1
    for e in range(by_site.start[j], by_site.start[j + 1]):
        i, v = by_site.other[e], by_site.value[e]
        if v > state.best[i]:
            old = state.best[i]
            for f in range(by_demand.start[i], by_demand.start[i + 1]):
                worth = by_demand.value[f]
                if worth > old:
                    state.gain[by_demand.other[f]] += max(worth - v, 0.0) - (worth - old)
            state.second[i], state.runner[i] = old, state.first[i]
            state.best[i], state.first[i] = v, j
        elif v > state.second[i]:
            state.second[i], state.runner[i] = v, j


@jit
def close_site(a: int, by_site: Rows, by_demand: Rows, state: State) -> None:
    """Close a site."""
    state.open[a] = False
    state.held[state.group[a]] -= 1
    for e in range(by_site.start[a], by_site.start[a + 1]):
        i = by_site.other[e]
        if state.first[i] == a:
            old, v = state.best[i], state.second[i]
            for f in range(by_demand.start[i], by_demand.start[i + 1]):
                worth = by_demand.value[f]
                if worth > v:
                    state.gain[by_demand.other[f]] += (worth - v) - max(worth - old, 0.0)
            state.best[i], state.first[i] = v, state.runner[i]
        elif state.runner[i] != a:
            continue
        state.second[i], state.runner[i] = 0.0, -1
        for f in range(by_demand.start[i], by_demand.start[i + 1]):
            j = by_demand.other[f]
            if state.open[j] and j != state.first[i] and by_demand.value[f] > state.second[i]:
                state.second[i], state.runner[i] = by_demand.value[f], j


@jit
def fill_greedily(new: int, by_site: Rows, by_demand: Rows, state: State) -> None:
    """Open the site that adds most, time after time, until ``new`` are open or none adds."""
    for _ in range(new - state.open.sum()):
        j, most = -1, state.tiny[0]
        for x in range(state.open.size):
            if state.gain[x] > most and state.held[state.group[x]] == 0:
                j, most = x, state.gain[x]
        if j < 0:
            break
        open_site(j, by_site, by_demand, state)


@jit
def measure_loss(a: int, by_site: Rows, state: State) -> float:
    """Return what closing an open site takes away."""
    loss = 0.0
    for e in range(by_site.start[a], by_site.start[a + 1]):
        i = by_site.other[e]
        if state.first[i] == a:
            loss += state.best[i] - state.second[i]
    return loss


@jit
def find_swap(a: int, by_site: Rows, by_demand: Rows, state: State) -> tuple[int, float]:
    """Return the site that adds most once ``a`` is closed, and by how much it betters ``a``."""
    score = state.gain.copy()
    loss = 0.0
    for e in range(by_site.start[a], by_site.start[a + 1]):
        i = by_site.other[e]
        if state.first[i] != a:
            continue
        old, v = state.best[i], state.second[i]
        loss += old - v
        for f in range(by_demand.start[i], by_demand.start[i + 1]):
            worth = by_demand.value[f]
            if worth > v:
                score[by_demand.other[f]] += (worth - v) - max(worth - old, 0.0)
    b, most = a, -1.0
    for x in range(score.size):
        if score[x] > most and x != a and (state.held[state.group[x]] == 0
                                           or state.group[x] == state.group[a]):
            b, most = x, score[x]
    return b, most - loss


@jit
def swap_sites(chosen: Ints, by_site: Rows, by_demand: Rows, state: State) -> int:
    """Swap an open site for a closed one as long as that gains; return the tries it took."""
    tries, since = 0, 0
    x = 0
    while since < chosen.size:
        tries += 1
        b, better = find_swap(chosen[x], by_site, by_demand, state)
        if better > state.tiny[0]:
            close_site(chosen[x], by_site, by_demand, state)
            open_site(b, by_site, by_demand, state)
            chosen[x] = b
            since = 0
        else:
            since += 1
        x = (x + 1) % chosen.size
    return tries


@jit
def force_site(j: int, chosen: Ints, by_site: Rows, by_demand: Rows, state: State) -> None:
    """Open a closed site and close the one of its group, else the one that is missed least."""
    open_site(j, by_site, by_demand, state)
    least, at = np.inf, 0
    for x in range(chosen.size):
        if state.group[chosen[x]] == state.group[j]:
            at = x
            break
        loss = measure_loss(chosen[x], by_site, state)
        if loss < least:
            least, at = loss, x
    close_site(chosen[at], by_site, by_demand, state)
    chosen[at] = j


@jit
def shake_sites(chosen: Ints, rounds: int, enough: float, luck: NDArray[np.uint64],
                by_site: Rows, by_demand: Rows, state: State) -> Ints:
    """Force sites in and swap again, many times; return the best set found.

    Parameters
    ----------
    chosen
        The open sites; changed in place.
    rounds
        How often to try.
    enough
        A value that need not be bettered.
    """
    swap_sites(chosen, by_site, by_demand, state)
    kept, value = chosen.copy(), state.best.sum()
    demands = state.best.size
    for _ in range(rounds):
        if value >= enough or demands == 0:
            break
        for _ in range(1 + draw(luck, 3)):
            i = draw(luck, demands)
            for _ in range(20):
                if state.first[i] < 0:
                    break
                i = draw(luck, demands)
            j = by_demand.other[by_demand.start[i] + draw(
                luck, by_demand.start[i + 1] - by_demand.start[i])]
            if not state.open[j]:
                force_site(j, chosen, by_site, by_demand, state)
        swap_sites(chosen, by_site, by_demand, state)
        now = state.best.sum()
        if now > value - state.tiny[0]:
            kept, value = chosen.copy(), now
            continue
        held = np.zeros(state.open.size, np.bool_)
        held[kept] = True
        for a in chosen:
            if not held[a]:
                close_site(a, by_site, by_demand, state)
        for j in kept:
            if not state.open[j]:
                open_site(j, by_site, by_demand, state)
        chosen[:] = kept
    return kept


@jit
def keep_best(worth: Floats, group: Ints) -> Floats:
    """Return what sites are worth, and −1 for those that are not the best of their group."""
    best = np.full(worth.size, -1, np.int64)
    out = np.full(worth.size, -1.0)
    for j in range(worth.size):
        if best[group[j]] < 0 or worth[j] > worth[best[group[j]]]:
            best[group[j]] = j
    for g in range(best.size):
        if best[g] >= 0:
            out[best[g]] = worth[best[g]]
    return out


@jit
def relax_demand(price: Floats, new: int, goal: float, most: int, by_site: Rows, group: Ints
                 ) -> tuple[float, Floats, Floats]:
    """Bound what ``new`` sites can be worth, by prices that every demand asks of a site.

    Each demand is paid its price, and a site is worth what it gives above the prices; the best
    ``new`` sites together then bound every set (Lagrangian relaxation of "one site serves a
    demand"). Prices move along the subgradient.

    Parameters
    ----------
    price
        Where to start, shape (demands,).
    goal
        A bound below this need not be bettered; steps aim at it.
    most
        Rounds.
    group
        Of each site, below their number; at most one of each counts, and there are ``new``.

    Returns
    -------
    tuple
        The bound, its prices, and what each site is worth above them.
    """
    sites = by_site.start.size - 1
    least, held, step, since = np.inf, price.copy(), 1.0, 0
    worth_held = np.zeros(sites)
    worth = np.zeros(sites)
    ties = np.arange(sites)
    for _ in range(most):
        for j in range(sites):
            total = 0.0
            for e in range(by_site.start[j], by_site.start[j + 1]):
                above = by_site.value[e] - price[by_site.other[e]]
                if above > 0:
                    total += above
            worth[j] = total
        if new < sites:
            free = keep_best(worth, group)
            edge = np.partition(free, sites - new)[sites - new]
            taken = free > edge
            equal = ties[free == edge]
            taken[equal[:new - taken.sum()]] = True
        else:
            taken = np.ones(sites, np.bool_)
        bound = price.sum() + worth[taken].sum()
        if bound < least - 1e-5 * abs(least):
            since = 0
        else:
            since += 1
        if bound < least:
            least, held, worth_held = bound, price.copy(), worth.copy()
        if least < goal or step < 1e-5:
            break
        if since >= 15:
            step, since = step * 0.6, 0
            price = held.copy()
            continue
        slope = np.ones(price.size)
        for j in range(sites):
            if taken[j]:
                for e in range(by_site.start[j], by_site.start[j + 1]):
                    if by_site.value[e] > price[by_site.other[e]]:
                        slope[by_site.other[e]] -= 1.0
        for i in range(price.size):
            if price[i] <= 0 and slope[i] > 0:
                slope[i] = 0.0
        steep = (slope * slope).sum()
        if steep == 0:
            break
        price = np.maximum(price - step * (bound - goal) / steep * slope, 0.0)
    return least, held, worth_held


@jit
def find_dominated(by_site: Rows, by_demand: Rows, kind: Ints) -> Bools:
    """Mark the sites that another one of their kind serves everybody of at least as well.

    Of equal sites the first one stays.
    """
    sites = by_site.start.size - 1
    out = np.zeros(sites, np.bool_)
    for j in range(sites):
        low, high = by_site.start[j], by_site.start[j + 1]
        if low == high:
            out[j] = True
            continue
        rarest = by_site.other[low]
        for e in range(low, high):
            i = by_site.other[e]
            if (by_demand.start[i + 1] - by_demand.start[i]
                    < by_demand.start[rarest + 1] - by_demand.start[rarest]):
                rarest = i
        for f in range(by_demand.start[rarest], by_demand.start[rarest + 1]):
            other = by_demand.other[f]
            at, end = by_site.start[other], by_site.start[other + 1]
            if other == j or out[other] or end - at < high - low or kind[other] != kind[j]:
                continue
            holds, equal = True, end - at == high - low
            for e in range(low, high):
                while at < end and by_site.other[at] < by_site.other[e]:
                    at += 1
                if (at == end or by_site.other[at] != by_site.other[e]
                        or by_site.value[at] < by_site.value[e]):
                    holds = False
                    break
                equal &= by_site.value[at] == by_site.value[e]
            if holds and (not equal or other < j):
                out[j] = True
                break
    return out


@jit
def find_cuts(opened: Floats, told: Floats, tiny: float, by_demand: Rows
              ) -> tuple[Ints, Floats, Floats]:
    """Find, for every demand that is told more than it can get, the tightest limit.

    For any level c a demand gets at most c + Σ max(value − c, 0) · opened; the tightest level is
    the value of the site with which the best opened ones sum up to one (Benders cut). Rows of
    ``by_demand`` run from the best site down.

    Returns
    -------
    tuple
        The demands, their levels, and what they can get.
    """
    demand = np.zeros(told.size, np.int64)
    level, can = np.zeros(told.size), np.zeros(told.size)
    found = 0
    for i in range(told.size):
        total, gets, at = 0.0, 0.0, 0.0
        for f in range(by_demand.start[i], by_demand.start[i + 1]):
            share = opened[by_demand.other[f]]
            if total + share >= 1.0 - 1e-9:
                at = by_demand.value[f]
                break
            total += share
            gets += share * by_demand.value[f]
        limit = gets + at * (1.0 - total)
        if told[i] > limit + tiny * max(1.0, limit):
            demand[found], level[found], can[found] = i, at, limit
            found += 1
    return demand[:found], level[:found], can[:found]


@jit
def relax_room(price: Floats, weight: Floats, room: Floats, kept: Bools, new: int, goal: float,
               most: int, by_site: Rows) -> tuple[float, Floats, Floats]:
    """Bound how much demand can be served where every site has room for so much.

    Each unit of demand is paid its price, and a site serves what is dearest to it above the
    prices until its room is full; the kept sites and the best ``new`` others bound every set.

    Parameters
    ----------
    price
        Where to start, 0 to 1, shape (demands,).
    weight, room
        Of each demand, of each site.
    kept
        Sites that are open in any case.
    goal
        A bound below this need not be bettered; steps aim at it.
    most
        Rounds.

    Returns
    -------
    tuple
        The bound, its prices, and what each site is worth above them.
    """
    sites = room.size
    least, held, step, since = np.inf, price.copy(), 1.0, 0
    worth, worth_held = np.zeros(sites), np.zeros(sites)
    flow = np.zeros(by_site.other.size)
    others = np.flatnonzero(~kept)
    for _ in range(most):
        for j in range(sites):
            low, high = by_site.start[j], by_site.start[j + 1]
            part = by_site.other[low:high]
            left, total = room[j], 0.0
            for x in np.argsort(price[part], kind="mergesort"):
                i = part[x]
                flow[low + x] = min(weight[i], left) if price[i] < 1.0 else 0.0
                left -= flow[low + x]
                total += (1.0 - price[i]) * flow[low + x]
            worth[j] = total
        taken = kept.copy()
        order = np.argsort(-worth[others], kind="mergesort")
        taken[others[order[:new]]] = True
        bound = (price * weight).sum() + worth[taken].sum()
        since = 0 if bound < least - 1e-5 * abs(least) else since + 1
        if bound < least:
            least, held, worth_held = bound, price.copy(), worth.copy()
        if least < goal or step < 1e-5:
            break
        if since >= 15:
            step, since = step * 0.6, 0
            price = held.copy()
            continue
        slope = weight.copy()
        for j in range(sites):
            if taken[j]:
                for e in range(by_site.start[j], by_site.start[j + 1]):
                    slope[by_site.other[e]] -= flow[e]
        for i in range(price.size):
            if (price[i] <= 0 and slope[i] > 0) or (price[i] >= 1 and slope[i] < 0):
                slope[i] = 0.0
        steep = (slope * slope).sum()
        if steep == 0:
            break
        price = np.minimum(np.maximum(price - step * (bound - goal) / steep * slope, 0.0), 1.0)
    return least, held, worth_held
