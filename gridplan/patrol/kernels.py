"""The inner loops of the search for routes, compiled: small functions on arrays, nothing else.

Routes are chains: ``before`` and ``after`` of every task, with a gate for the start and one for
the finish of every vehicle (numbers n + r and n + k + r). A task has one way or two to be served;
which are taken is never stored. Instead every task knows by how much its second way is dearer
than its first for all that comes up to it (``lag``) and for itself and all that follows
(``rest``). These are differences, so a change fades after a few tasks, and inserting or taking
out a task is exact over all ways in O(1). What an iteration changes goes into a journal first and
can be taken back.

The arrays, one row per task and gate unless said:

- ``task``: places where its ways begin and end, their costs, number of ways, load;
- ``held``: before, after, route, lag, rest, cost of the link to the one after, the iteration of
  the last journal entry, place in the bank;
- ``sums``, one row per vehicle: length, load, number of tasks, iteration of the last entry;
- ``bank``: the tasks that nobody serves;
- ``journal``, ``journal_sums``: old rows, with their number in front;
- ``counts``: tasks in the bank, entries of both journals, number of the iteration, prizes lost.

Arrays are handed over one by one, since a tuple of them costs more to hand over than the work.
Compiled code is kept beside the files; it notices a change of its own file only, so after an edit
here delete the ``*.nbi`` files of this folder.
"""

from __future__ import annotations

import numba
import numpy as np

jit = numba.njit(cache=True, nogil=True, error_model="numpy")

BEGIN, END, SERVE, WAYS, WEIGHT = 0, 2, 4, 6, 7
BEFORE, AFTER, ROUTE, LAG, REST, LINK, MARK, SLOT = 0, 1, 2, 3, 4, 5, 6, 7
LENGTH, LOAD, TASKS, MARK_SUMS = 0, 1, 2, 3
BANKED, PAGES, PAGES_SUMS, NOW, LOST = 0, 1, 2, 3, 4

BANK = -1  # the route of a task that nobody serves
NOWHERE = -1  # its place in the bank when it is served


# ---- costs of links

@jit
def reach_cost(between, task, held, a, x, way):  # type: ignore[no-untyped-def]
    """Return the cost from a to where a way of x begins, beyond the first way of a."""
    place = task[x, BEGIN + way]
    cost = np.int64(between[task[a, END], place])
    if task[a, WAYS] == 2:
        cost = min(cost, between[task[a, END + 1], place] + held[a, LAG])
    return cost


@jit
def leave_cost(between, task, held, x, way, b):  # type: ignore[no-untyped-def]
    """Return the cost from where a way of x ends to b, beyond the first way of b."""
    place = task[x, END + way]
    cost = np.int64(between[place, task[b, BEGIN]])
    if task[b, WAYS] == 2:
        cost = min(cost, between[place, task[b, BEGIN + 1]] + held[b, REST])
    return cost


@jit
def link_cost(between, task, held, a, b):  # type: ignore[no-untyped-def]
    """Return the cost from a to b over their best ways, beyond the first way of either."""
    cost = reach_cost(between, task, held, a, b, 0)
    if task[b, WAYS] == 2:
        cost = min(cost, reach_cost(between, task, held, a, b, 1) + held[b, REST])
    return cost


@jit
def through_cost(between, task, held, a, x, b):  # type: ignore[no-untyped-def]
    """Return the cost from a over x to b, beyond the first way of a and b."""
    cost = (reach_cost(between, task, held, a, x, 0) + task[x, SERVE]
            + leave_cost(between, task, held, x, 0, b))
    if task[x, WAYS] == 2:
        cost = min(cost, reach_cost(between, task, held, a, x, 1) + task[x, SERVE + 1]
                   + leave_cost(between, task, held, x, 1, b))
    return cost


@jit
def lag_of(between, task, held, a, x):  # type: ignore[no-untyped-def]
    """Return by how much the second way of x is dearer than the first up to its end."""
    if task[x, WAYS] == 1:
        return np.int64(0)
    return (reach_cost(between, task, held, a, x, 1) + task[x, SERVE + 1]
            - reach_cost(between, task, held, a, x, 0) - task[x, SERVE])


@jit
def rest_of(between, task, held, x, b):  # type: ignore[no-untyped-def]
    """Return by how much the second way of x is dearer than the first from its begin on."""
    if task[x, WAYS] == 1:
        return np.int64(0)
    return (leave_cost(between, task, held, x, 1, b) + task[x, SERVE + 1]
            - leave_cost(between, task, held, x, 0, b) - task[x, SERVE])


# ---- the journal and the bank

@jit
def open_journal(counts):  # type: ignore[no-untyped-def]
    """Begin a new iteration: what was changed so far stays."""
    counts[NOW] += 1
    counts[PAGES] = counts[PAGES_SUMS] = 0


@jit
def keep(held, journal, counts, x):  # type: ignore[no-untyped-def]
    """Write a task into the journal before its first change in this iteration."""
    if held[x, MARK] != counts[NOW]:
        held[x, MARK] = counts[NOW]
        i = counts[PAGES]
        counts[PAGES] = i + 1
        journal[i, 0] = x
        for j in range(6):
            journal[i, 1 + j] = held[x, j]


@jit
def keep_sums(sums, journal_sums, counts, r):  # type: ignore[no-untyped-def]
    """Write the sums of a route into the journal before their first change."""
    if sums[r, MARK_SUMS] != counts[NOW]:
        sums[r, MARK_SUMS] = counts[NOW]
        i = counts[PAGES_SUMS]
        counts[PAGES_SUMS] = i + 1
        journal_sums[i, 0] = r
        for j in range(3):
            journal_sums[i, 1 + j] = sums[r, j]


@jit
def put_in_bank(held, bank, counts, prize, x):  # type: ignore[no-untyped-def]
    """Note that nobody serves a task."""
    held[x, SLOT] = counts[BANKED]
    bank[counts[BANKED]] = x
    counts[BANKED] += 1
    counts[LOST] += prize[x]


@jit
def take_from_bank(held, bank, counts, prize, x):  # type: ignore[no-untyped-def]
    """Note that a task is served again; the last of the bank takes its place."""
    counts[BANKED] -= 1
    last = bank[counts[BANKED]]
    bank[held[x, SLOT]] = last
    held[last, SLOT] = held[x, SLOT]
    held[x, SLOT] = NOWHERE
    counts[LOST] -= prize[x]


@jit
def take_back(held, sums, bank, counts, prize, journal, journal_sums):  # type: ignore[no-untyped-def]
    """Undo everything since the journal was opened."""
    for i in range(counts[PAGES]):
        x = journal[i, 0]
        if x < bank.size:
            if held[x, SLOT] != NOWHERE and journal[i, 1 + ROUTE] != BANK:
                take_from_bank(held, bank, counts, prize, x)
            elif held[x, SLOT] == NOWHERE and journal[i, 1 + ROUTE] == BANK:
                put_in_bank(held, bank, counts, prize, x)
        for j in range(6):
            held[x, j] = journal[i, 1 + j]
    for i in range(counts[PAGES_SUMS]):
        for j in range(3):
            sums[journal_sums[i, 0], j] = journal_sums[i, 1 + j]
    open_journal(counts)


# ---- changing routes

@jit
def pass_on(between, task, held, journal, counts, a, b):  # type: ignore[no-untyped-def]
    """Carry a change between a and b on: lags ahead from b, rests back from a, until they hold."""
    last = b
    while True:
        lag = lag_of(between, task, held, held[last, BEFORE], last)
        if lag == held[last, LAG]:
            break
        keep(held, journal, counts, last)
        held[last, LAG] = lag
        last = held[last, AFTER]
    x = a
    while True:
        rest = rest_of(between, task, held, x, held[x, AFTER])
        if rest == held[x, REST]:
            break
        keep(held, journal, counts, x)
        held[x, REST] = rest
        x = held[x, BEFORE]
    while x != last:
        y = held[x, AFTER]
        cost = link_cost(between, task, held, x, y)
        if cost != held[x, LINK]:
            keep(held, journal, counts, x)
            held[x, LINK] = cost
        x = y


@jit
def insert(between, task, held, sums, journal, journal_sums, counts, x, a):  # type: ignore[no-untyped-def]
    """Serve x right after a."""
    b, r = held[a, AFTER], held[a, ROUTE]
    keep(held, journal, counts, x)
    keep(held, journal, counts, a)
    keep(held, journal, counts, b)
    keep_sums(sums, journal_sums, counts, r)
    sums[r, LENGTH] += through_cost(between, task, held, a, x, b) - held[a, LINK]
    sums[r, LOAD] += task[x, WEIGHT]
    sums[r, TASKS] += 1
    held[x, BEFORE], held[x, AFTER], held[x, ROUTE] = a, b, r
    held[a, AFTER] = x
    held[b, BEFORE] = x
    held[x, LAG] = lag_of(between, task, held, a, x)
    held[x, REST] = rest_of(between, task, held, x, b)
    pass_on(between, task, held, journal, counts, a, b)


@jit
def remove(between, task, held, sums, journal, journal_sums, counts, x):  # type: ignore[no-untyped-def]
    """Take x out of its route; it is in no route and not in the bank then."""
    a, b, r = held[x, BEFORE], held[x, AFTER], held[x, ROUTE]
    keep(held, journal, counts, x)
    keep(held, journal, counts, a)
    keep(held, journal, counts, b)
    keep_sums(sums, journal_sums, counts, r)
    sums[r, LENGTH] += (link_cost(between, task, held, a, b)
                        - through_cost(between, task, held, a, x, b))
    sums[r, LOAD] -= task[x, WEIGHT]
    sums[r, TASKS] -= 1
    held[a, AFTER] = b
    held[b, BEFORE] = a
    held[x, ROUTE] = BANK
    pass_on(between, task, held, journal, counts, a, b)


@jit
def clear_routes(between, task, held, sums, bank, counts, prize):  # type: ignore[no-untyped-def]
    """Send every vehicle from its start straight to its finish, and put all tasks into the bank.

    The route of a vehicle that serves nothing counts the way from its start to its finish here:
    as a rule they are one place.
    """
    n, k = bank.size, len(sums)
    counts[:] = 0
    held[:] = 0
    sums[:] = 0
    for x in range(n):
        held[x, ROUTE] = BANK
        put_in_bank(held, bank, counts, prize, x)
    for r in range(k):
        a, b = n + r, n + k + r
        held[a, AFTER], held[b, BEFORE] = b, a
        held[a, ROUTE] = held[b, ROUTE] = r
        held[a, BEFORE] = held[b, AFTER] = -1
        held[a, LINK] = sums[r, LENGTH] = link_cost(between, task, held, a, b)
    open_journal(counts)


# ---- what routes weigh

@jit
def weigh(length, reference):  # type: ignore[no-untyped-def]
    """Return what a route of some length weighs: itself, or its eighth power.

    With a reference the weight is ``reference ÷ 8 × (length ÷ reference)⁸``: its slope at the
    reference is 1, so differences remain comparable to lengths. Without one (0) it is the length.
    """
    if reference <= 0.0:
        return float(length)
    x = length / reference
    x *= x
    x *= x
    return reference * 0.125 * x * x


@jit
def weigh_all(sums, counts, reference):  # type: ignore[no-untyped-def]
    """Return what all routes weigh, with the prizes lost."""
    whole = float(counts[LOST])
    for r in range(len(sums)):
        whole += weigh(sums[r, LENGTH], reference)
    return whole


@jit
def score(sums, counts, reference):  # type: ignore[no-untyped-def]
    """Return what is to be least: the longest route or all of them, with the prizes lost."""
    lengths = sums[:, LENGTH]
    return counts[LOST] + (lengths.max() if reference > 0.0 else lengths.sum())
