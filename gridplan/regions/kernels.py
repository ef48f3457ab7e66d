"""The inner loops of the search, compiled: small functions on arrays, nothing else.

A graph is a :class:`Net`. Regions are numbers in ``labels``; the *excess* of a region is by how
many households it misses its range. Every kernel that decides something has a plain twin in the
tests. Compiled code is kept beside the files; it notices a change of its own file only, so after
an edit here delete the ``*.nbi`` files of this folder.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

jit = numba.njit(cache=True, nogil=True, error_model="numpy")


class Net(NamedTuple):
    """A graph as arrays: row ``x`` of the neighbours is ``start[x]:start[x + 1]``."""

    start: NDArray[np.int32]
    other: NDArray[np.int32]
    edge: NDArray[np.int32]
    u: NDArray[np.int32]
    v: NDArray[np.int32]
    cost: NDArray[np.int64]
    people: NDArray[np.int64]


NO_TOLL = np.zeros(0, np.int64)


class Rules(NamedTuple):
    """What a region may hold, and what missing it costs.

    ``fine`` is added to the excess per region at fault, ``rate`` is the price of a household of
    excess, and ``toll`` what a region costs by its households (empty: nothing).
    """

    low: int
    high: int
    fine: int
    rate: float
    keep_count: bool
    toll: NDArray[np.int64] = NO_TOLL


GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
S27, S30, S31, S11 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(11)


def seed_luck(*seeds: int) -> NDArray[np.uint64]:
    """Return the state of the kernels' random numbers for some seeds."""
    return np.random.SeedSequence(seeds).generate_state(1, np.uint64).astype(np.uint64)


@jit
def draw_bits(luck):  # type: ignore[no-untyped-def]
    """Draw 64 bits and move the state on (SplitMix64, Steele et al. 2014)."""
    luck[0] += GOLDEN
    z = luck[0]
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)


@jit
def draw(luck):  # type: ignore[no-untyped-def]
    """Draw a number in [0, 1)."""
    return (draw_bits(luck) >> S11) * 2.0 ** -53


@jit
def draw_below(luck, n):  # type: ignore[no-untyped-def]
    """Draw a whole number in 0 … n - 1."""
    return int(draw(luck) * n)


@jit
def pick(luck, n, count):  # type: ignore[no-untyped-def]
    """Draw ``count`` whole numbers in 0 … n - 1."""
    drawn = np.empty(count, np.int64)
    for i in range(count):
        drawn[i] = draw_below(luck, n)
    return drawn


@jit
def excess(people: int, low: int, high: int, fine: int) -> int:
    """Return by how much ``people`` misses ``low..high``, plus the fine; 0 inside."""
    if people < low:
        return low - people + fine
    if people > high:
        return people - high + fine
    return 0


@jit
def toll_of(people, toll):  # type: ignore[no-untyped-def]
    """Return what a region of ``people`` households costs; beyond the end the last value."""
    if toll.size == 0:
        return 0
    return toll[min(people, toll.size - 1)]


@jit
def fill_rows(u, v, start, other, edge):  # type: ignore[no-untyped-def]
    """Fill the neighbour rows of a graph whose edges are ``u``–``v``; rows follow edge order."""
    start[:] = 0
    for e in range(u.size):
        start[u[e] + 1] += 1
        start[v[e] + 1] += 1
    for x in range(start.size - 1):
        start[x + 1] += start[x]
    at = start.copy()
    for e in range(u.size):
        x, y = u[e], v[e]
        other[at[x]], edge[at[x]] = y, e
        other[at[y]], edge[at[y]] = x, e
        at[x] += 1
        at[y] += 1


@jit
def number_small(labels):  # type: ignore[no-untyped-def]
    """Renumber labels 0, 1, 2 … by first appearance, through a table."""
    table = np.full(labels.max() + 1, -1, np.int32)
    numbers = np.empty(labels.size, np.int32)
    count = 0
    for x in range(labels.size):
        if table[labels[x]] < 0:
            table[labels[x]] = count
            count += 1
        numbers[x] = table[labels[x]]
    return numbers


@jit
def flood(start, other, labels, pieces):  # type: ignore[no-untyped-def]
    """Fill ``pieces`` with numbers of the connected pieces of equal label; return how many."""
    stack = np.empty(labels.size, np.int32)
    pieces[:] = -1
    count = 0
    for first in range(labels.size):
        if pieces[first] >= 0:
            continue
        pieces[first] = count
        stack[0] = first
        top = 1
        while top:
            top -= 1
            x = stack[top]
            for j in range(start[x], start[x + 1]):
                y = other[j]
                if pieces[y] < 0 and labels[y] == labels[x]:
                    pieces[y] = count
                    stack[top] = y
                    top += 1
        count += 1
    return count


@jit
def match_units(net, within, cap, luck):  # type: ignore[no-untyped-def]
    """Pair neighbours along dear borders, in random order; a pair holds at most ``cap`` people.

    Only units of equal label in ``within`` are paired. Returns the pair number of every unit and
    the number of pairs (a single counts as one).
    """
    n = net.people.size
    mate = np.full(n, -1, np.int32)
    order = np.arange(n)
    for i in range(n - 1, 0, -1):
        j = draw_below(luck, i + 1)
        order[i], order[j] = order[j], order[i]
    for x in order:
        if mate[x] >= 0:
            continue
        best = 0.0
        for j in range(net.start[x], net.start[x + 1]):
            y = net.other[j]
            together = net.people[x] + net.people[y]
            if mate[y] < 0 and together <= cap and within[x] == within[y]:
                cost = float(net.cost[net.edge[j]]) + 1.0
                pull = cost * cost / ((net.people[x] + 1.0) * (net.people[y] + 1.0))
                if pull > best:
                    best = pull
                    mate[x] = y
        if mate[x] >= 0:
            mate[mate[x]] = x
    pair = np.full(n, -1, np.int32)
    count = 0
    for x in range(n):
        if pair[x] < 0:
            pair[x] = count
            if mate[x] >= 0:
                pair[mate[x]] = count
            count += 1
    return pair, count


@jit
def join_empty(u, v, people, root):  # type: ignore[no-untyped-def]
    """Join the ends of every edge in turn unless both already hold households.

    ``root`` (given as 0, 1, 2 …) ends as one representative per merged unit.
    """
    for e in range(u.size):
        x, y = u[e], v[e]
        while root[x] != x:
            root[x] = root[root[x]]
            x = root[x]
        while root[y] != y:
            root[y] = root[root[y]]
            y = root[y]
        if x != y and (people[x] == 0 or people[y] == 0):
            root[max(x, y)] = min(x, y)
            people[min(x, y)] += people[max(x, y)]
    for x in range(root.size):
        root[x] = root[root[x]]
