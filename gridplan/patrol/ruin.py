"""Ruin and recreate: strings of neighbouring tasks go out and come back where they cost least.

After J. Christiaens and G. Vanden Berghe, Slack induction by string removals for vehicle routing
problems, Transportation Science 54 (2020) 417–433. Compiled as :mod:`gridplan.patrol.kernels`
is, on the same arrays; delete the ``*.nbi`` files of this folder after an edit of either.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridplan.patrol.kernels import (
    AFTER,
    BANK,
    BANKED,
    BEFORE,
    LENGTH,
    LINK,
    LOAD,
    NOWHERE,
    ROUTE,
    SLOT,
    TASKS,
    WEIGHT,
    insert,
    jit,
    open_journal,
    put_in_bank,
    remove,
    score,
    take_back,
    take_from_bank,
    through_cost,
    weigh,
    weigh_all,
)
from gridplan.regions.kernels import draw, draw_below

TAKEN = 10.0  # tasks taken out on average
STRING = 10.0  # most tasks of a string
SPLIT = 0.5  # share of strings that leave some of their inside in place
STOP = 0.01  # chance at each step that no more of it is left in place
BLINK = 0.01  # chance that a place is not looked at
RETRIED = 10  # tasks of the bank that are tried again in an iteration

CAPACITY, LIMIT = 0, 1


class Work(NamedTuple):
    """A problem as the kernels take it.

    ``allowed`` holds capacity and limit of each vehicle, ``alike`` whether it equals the one
    before, ``far`` the cost from the first start to each task, ``near`` the nearest tasks of
    each; ``tries`` of them are looked at for a place, 0 for every place there is. ``reference``
    is that of :func:`gridplan.patrol.kernels.weigh`.
    """

    between: NDArray[np.int32]
    task: NDArray[np.int64]
    prize: NDArray[np.int64]
    allowed: NDArray[np.int64]
    alike: NDArray[np.bool_]
    far: NDArray[np.int64]
    near: NDArray[np.int32]
    tries: int
    reference: float


class State(NamedTuple):
    """Routes as they stand, and the journal: arrays of :mod:`gridplan.patrol.kernels`."""

    held: NDArray[np.int64]
    sums: NDArray[np.int64]
    bank: NDArray[np.int64]
    counts: NDArray[np.int64]
    journal: NDArray[np.int64]
    journal_sums: NDArray[np.int64]


@jit
def choose_string(held, x, n, size, whole, luck):  # type: ignore[no-untyped-def]
    """Return the first task of a random string of ``whole`` tasks that holds x."""
    first, back = x, 0
    while back < whole - 1 and held[first, BEFORE] < n:
        first, back = held[first, BEFORE], back + 1
    last, ahead = x, 0
    while ahead < whole - 1 and held[last, AFTER] < n:
        last, ahead = held[last, AFTER], ahead + 1
    for _ in range(draw_below(luck, back + ahead + 2 - whole)):
        first = held[first, AFTER]
    return first


@jit
def choose_seed(held, sums, n, reference, luck):  # type: ignore[no-untyped-def]
    """Return a random task; where the longest route counts, every second time one of that."""
    if reference > 0.0 and draw(luck) < 0.5:
        longest = sums[:, LENGTH].argmax()
        if sums[longest, TASKS] > 0:
            x = held[n + longest, AFTER]
            for _ in range(draw_below(luck, sums[longest, TASKS])):
                x = held[x, AFTER]
            return x
    return np.int64(draw_below(luck, n))


@jit
def ruin(between, task, held, sums, journal, journal_sums, counts, near, reference, taken,  # type: ignore[no-untyped-def]
         luck):
    """Take strings near one task out of different routes; return how many tasks that are.

    A string may leave some tasks in its middle in place.
    """
    n = len(near)
    used, served = 0, 0
    for r in range(len(sums)):
        used += sums[r, TASKS] > 0
        served += sums[r, TASKS]
    if used == 0:
        return 0
    seed = choose_seed(held, sums, n, reference, luck)
    most = min(STRING, served / used)
    strings = int(draw(luck) * (4.0 * TAKEN / (1.0 + most) - 1.0) + 1.0)
    done = np.full(strings, BANK, np.int64)
    count = hit = 0
    for i in range(-1, near.shape[1]):
        x = seed if i < 0 else np.int64(near[seed, i])
        r = held[x, ROUTE]
        fresh = r != BANK
        for j in range(hit):
            fresh &= done[j] != r
        if not fresh:
            continue
        size = 1 + draw_below(luck, int(min(most, sums[r, TASKS])))
        whole = size
        if draw(luck) < SPLIT:
            while whole < sums[r, TASKS] and draw(luck) > STOP:
                whole += 1
        y = choose_string(held, x, n, size, whole, luck)
        before_gap = draw_below(luck, size + 1)
        for j in range(whole):
            following = held[y, AFTER]
            if j < before_gap or j >= before_gap + whole - size:
                remove(between, task, held, sums, journal, journal_sums, counts, y)
                taken[count] = y
                count += 1
            y = following
        done[hit] = r
        hit += 1
        if hit == strings:
            break
    return count


@jit
def order_tasks(task, far, taken, count, key, luck):  # type: ignore[no-untyped-def]
    """Sort tasks: at random, or the heaviest, the farthest or the nearest to the depot first."""
    dice = draw_below(luck, 11)
    for i in range(count):
        x = taken[i]
        key[i] = draw(luck)
        if 4 <= dice < 8:
            key[i] -= task[x, WEIGHT]
        elif 8 <= dice < 10:
            key[i] -= far[x]
        elif dice == 10:
            key[i] += far[x]
    for i in range(1, count):
        x, value = taken[i], key[i]
        j = i - 1
        while j >= 0 and key[j] > value:
            taken[j + 1], key[j + 1] = taken[j], key[j]
            j -= 1
        taken[j + 1], key[j + 1] = x, value


@jit
def price(between, task, held, sums, allowed, reference, x, a):  # type: ignore[no-untyped-def]
    """Return what serving x right after a adds to the weight of routes; inf if it may not."""
    r = held[a, ROUTE]
    if sums[r, LOAD] + task[x, WEIGHT] > allowed[r, CAPACITY]:
        return np.inf
    more = through_cost(between, task, held, a, x, held[a, AFTER]) - held[a, LINK]
    length = sums[r, LENGTH]
    if length + more > allowed[r, LIMIT]:
        return np.inf
    if reference <= 0.0:
        return float(more)
    return weigh(length + more, reference) - weigh(length, reference)


@jit
def find_place(between, task, held, sums, allowed, alike, near, tries, reference, x, luck):  # type: ignore[no-untyped-def]
    """Return after which task x is served at least price, and the price; -1 if nowhere.

    With ``tries`` of 0 every place is looked at, otherwise both sides of so many of the nearest
    tasks and the ends of all routes. Of idle vehicles that are alike only the first is looked at.
    """
    n, k = len(near), len(sums)
    best, where = np.inf, np.int64(-1)
    for r in range(k):
        if sums[r, LOAD] + task[x, WEIGHT] > allowed[r, CAPACITY] or (
                alike[r] and sums[r, TASKS] == 0 and sums[r - 1, TASKS] == 0):
            continue
        a = np.int64(n + r)
        while a < n + k:
            if draw(luck) >= BLINK:
                cost = price(between, task, held, sums, allowed, reference, x, a)
                if cost < best:
                    best, where = cost, a
            if tries == 0:
                a = held[a, AFTER]
            elif a >= n and sums[r, TASKS] > 0:
                a = held[n + k + r, BEFORE]
            else:
                break
    left = tries
    for i in range(near.shape[1]):
        if left == 0:
            break
        y = np.int64(near[x, i])
        if held[y, ROUTE] == BANK:
            continue
        left -= 1
        if draw(luck) < BLINK:
            continue
        for a in (y, held[y, BEFORE]):
            cost = price(between, task, held, sums, allowed, reference, x, a)
            if cost < best:
                best, where = cost, a
    return where, best


@jit
def recreate(work, state, taken, count, luck):  # type: ignore[no-untyped-def]
    """Serve the first ``count`` of ``taken``, in that order, or put them into the bank."""
    between, task, prize, allowed, alike, _, near, tries, reference = work
    held, sums, bank, counts, journal, journal_sums = state
    for i in range(count):
        x = taken[i]
        where, cost = find_place(between, task, held, sums, allowed, alike, near, tries,
                                 reference, x, luck)
        if where >= 0 and cost < prize[x]:
            if held[x, SLOT] != NOWHERE:
                take_from_bank(held, bank, counts, prize, x)
            insert(between, task, held, sums, journal, journal_sums, counts, x, where)
        elif held[x, SLOT] == NOWHERE:
            put_in_bank(held, bank, counts, prize, x)


@jit
def fill(work, state, luck):  # type: ignore[no-untyped-def]
    """Serve all tasks of the bank that find a place."""
    taken = state.bank[:state.counts[BANKED]].copy()
    order_tasks(work.task, work.far, taken, taken.size, np.empty(taken.size), luck)
    recreate(work, state, taken, taken.size, luck)
    open_journal(state.counts)


@jit
def anneal(work, state, best, least, iterations, heat, cooling, luck):  # type: ignore[no-untyped-def]
    """Ruin and recreate so many times; what got worse stays with the chance of its heat.

    ``best`` gets the chains of the least score, ``least`` that score. Returns the heat at the
    end, so that work may be done in parts.
    """
    between, task, prize, _, _, far, near, _, reference = work
    held, sums, bank, counts, journal, journal_sums = state
    taken, key = np.empty(bank.size, np.int64), np.empty(bank.size)
    now = weigh_all(sums, counts, reference)
    for _ in range(iterations):
        heat *= cooling
        banked = counts[BANKED]
        count = ruin(between, task, held, sums, journal, journal_sums, counts, near, reference,
                     taken, luck)
        if banked:
            first = draw_below(luck, banked)
            for i in range(min(banked, RETRIED)):
                taken[count] = bank[(first + i) % banked]
                count += 1
        order_tasks(task, far, taken, count, key, luck)
        recreate(work, state, taken, count, luck)
        then = weigh_all(sums, counts, reference)
        if then >= now - heat * math.log(1.0 - draw(luck)):
            take_back(held, sums, bank, counts, prize, journal, journal_sums)
            continue
        now = then
        open_journal(counts)
        value = score(sums, counts, reference)
        if value < least[0]:
            least[0] = value
            best[:] = held[:, AFTER]
    return heat
