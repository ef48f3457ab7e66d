"""A first good division where the exact model is too large, and the upper end for it elsewhere.

Annealing on labels: a patch changes its group, two neighbouring groups are joined and cut anew
along a random tree, or two are joined and a third is cut, so that their number stays.
"""

from __future__ import annotations

import heapq

import numba
import numpy as np
from numpy.typing import NDArray

from gridplan.merge.patchwork import Patchwork, number_labels

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

jit = numba.njit(cache=True, error_model="numpy")
_ROUNDS, _TURNS = 40, 4


def join_small(patches: Patchwork, count: int) -> Ints:
    """Join the two neighbours with the fewest households again and again until ``count`` remain.

    >>> join_small(Patchwork.of([5, 1, 2, 9], [0, 1, 2], [1, 2, 3], [100] * 3), 2).tolist()
    [0, 0, 0, 1]
    """
    people = patches.people.tolist()
    near: list[set[int]] = [set() for _ in people]
    for u, v in zip(patches.u.tolist(), patches.v.tolist(), strict=True):
        near[u].add(v)
        near[v].add(u)
    owner = list(range(len(people)))
    alive = [True] * len(people)
    heap = [(people[u] + people[v], u, v) for u in range(len(people)) for v in near[u] if u < v]
    heapq.heapify(heap)
    left = len(people)
    while left > count:
        total, u, v = heapq.heappop(heap)
        if not (alive[u] and alive[v]) or total != people[u] + people[v]:
            continue
        alive[v], owner[v], left = False, u, left - 1
        people[u] += people[v]
        near[u] |= near[v]
        near[u] -= {u, v}
        for w in sorted(near[v] - {u}):
            near[w].discard(v)
            near[w].add(u)
        for w in sorted(near[u]):
            heapq.heappush(heap, (people[u] + people[w], min(u, w), max(u, w)))
    label = np.arange(len(people))
    for v in range(len(people)):
        root = v
        while owner[root] != root:
            root = owner[root]
        label[v] = root
    return number_labels(label)


def move_fewer(patches: Patchwork, label: Ints, cap: int, *, seed: int, steps: int) -> Ints:
    """Return a division without groups above ``cap`` in which fewer households move, then shorter.

    ``label`` is one to start from; all its groups hold at most ``cap``.
    """
    count = int(label.max()) + 1
    best, score = label, patches.score(label)
    for turn in range(_TURNS if steps else 0):
        found = _anneal_once(patches, best, count, cap, (1.0, 1e-6), seed + 7919 * (turn + 1),
                             steps // _TURNS)
        other = patches.score(found)
        if other.largest <= cap and other[1:] < score[1:]:
            best, score = found, other
    return number_labels(best)


def shrink_largest(patches: Patchwork, count: int, floor: int, *, seed: int, steps: int) -> Ints:
    """Return a division into ``count`` connected groups, the largest as small as was found.

    Parameters
    ----------
    floor
        A number of households below which no largest group can be; the search ends there.
    steps
        Moves tried in all.
    """
    best = label = join_small(patches, count)
    largest, share = patches.score(best).largest, 0.5
    for turn in range(_ROUNDS if steps else 0):
        if largest <= floor:
            break
        target = max(floor, int(largest - max(1.0, share * (largest - floor))))
        label = _anneal_once(patches, label, count, target, (0.0, 0.0), seed + 104729 * turn,
                             steps // _ROUNDS)
        found = patches.score(label).largest
        if found < largest:
            best, largest = label, found
        if found > target:
            share /= 2
            label = best
    return number_labels(best)


def _anneal_once(patches: Patchwork, label: Ints, count: int, cap: int,
                 prices: tuple[float, float], seed: int, steps: int) -> Ints:
    start, other, _ = patches.rows()
    mean = float(patches.people.mean())
    found: Ints = anneal(start, other, patches.u, patches.v, patches.length_cm, patches.people,
                         patches.biggest, label, count, cap, prices[0], prices[1], 0.3 * mean,
                         3e-4 * mean, steps, seed)
    return found


@jit
def draw(state: NDArray[np.uint64], below: int) -> int:
    """Return a random number 0 … below - 1 and step the state (xorshift64*)."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return int((x * np.uint64(2685821657736338717)) >> np.uint64(33)) % below


@jit
def weigh(u: Ints, v: Ints, length: Ints, people: Ints, biggest: Ints, label: Ints, held: Ints,
          most: Ints, cap: int, moved_price: float, border_price: float) -> float:
    """Return what a division costs: 10 per household above the cap, moved, border."""
    held[:] = 0
    most[:] = 0
    for x in range(people.size):
        g = label[x]
        held[g] += people[x]
        most[g] = max(most[g], biggest[x])
    over = moved = 0
    for g in range(held.size):
        over += max(0, held[g] - cap)
        moved += held[g] - most[g]
    cost = 10.0 * over + moved_price * moved
    if border_price > 0.0:
        border = 0
        for e in range(u.size):
            if label[u[e]] != label[v[e]]:
                border += length[e]
        cost += border_price * border
    return cost


@jit
def grow_tree(start: Ints, other: Ints, label: Ints, a: int, b: int, root: int, order: Ints,
              parent: Ints, state: NDArray[np.uint64]) -> int:
    """Write a random tree over the groups ``a`` and ``b`` from ``root``; return its size.

    ``order`` gets the patches as they are reached, ``parent`` the one each was reached from.
    """
    parent[:] = -2
    parent[root] = -1
    size = 1
    order[0] = root
    edge_from, edge_to = np.empty(other.size, np.int64), np.empty(other.size, np.int64)
    edges = 0
    for e in range(start[root], start[root + 1]):
        edge_from[edges], edge_to[edges] = root, other[e]
        edges += 1
    while edges > 0:
        pick = draw(state, edges)
        x, y = edge_from[pick], edge_to[pick]
        edges -= 1
        edge_from[pick], edge_to[pick] = edge_from[edges], edge_to[edges]
        if parent[y] != -2 or (label[y] != a and label[y] != b):
            continue
        parent[y] = x
        order[size] = y
        size += 1
        for e in range(start[y], start[y + 1]):
            if parent[other[e]] == -2:
                edge_from[edges], edge_to[edges] = y, other[e]
                edges += 1
    return size


@jit
def cut_tree(people: Ints, order: Ints, parent: Ints, size: int, label: Ints, a: int, b: int,
             cap: int, even: bool, below: Ints, state: NDArray[np.uint64]) -> None:
    """Label the two sides of one tree edge ``a`` and ``b``: the evenest, or a random one.

    Where ``even`` is asked for, the edge is one of those that exceed the cap least.
    """
    total = 0
    for k in range(size):
        below[order[k]] = people[order[k]]
        total += people[order[k]]
    for k in range(size - 1, 0, -1):
        below[parent[order[k]]] += below[order[k]]
    cut = order[1 + draw(state, size - 1)]
    if even:
        least, ties = -1, 0
        for k in range(1, size):
            part = below[order[k]]
            over = max(0, part - cap) + max(0, total - part - cap)
            if least < 0 or over < least:
                least, ties, cut = over, 1, order[k]
            elif over == least:
                ties += 1
                if draw(state, ties) == 0:
                    cut = order[k]
    for k in range(size):
        x = order[k]
        label[x] = b if x == cut or (parent[x] >= 0 and label[parent[x]] == b
                                     and x != cut) else a


@jit
def leaves_whole(start: Ints, other: Ints, label: Ints, x: int, seen: NDArray[np.bool_],
                 queue: Ints) -> bool:
    """Tell whether the group of ``x`` has other members, connected without it."""
    g = label[x]
    first, size = -1, 0
    for y in range(label.size):
        seen[y] = False
        if label[y] == g and y != x:
            size += 1
            first = y
    if size == 0:
        return False
    seen[first] = True
    queue[0] = first
    head, tail = 0, 1
    while head < tail:
        y = queue[head]
        head += 1
        for e in range(start[y], start[y + 1]):
            z = other[e]
            if z != x and label[z] == g and not seen[z]:
                seen[z] = True
                queue[tail] = z
                tail += 1
    return tail == size


@jit
def anneal(start: Ints, other: Ints, u: Ints, v: Ints, length: Ints, people: Ints, biggest: Ints,
           label: Ints, count: int, cap: int, moved_price: float, border_price: float,
           hot: float, cold: float, steps: int, seed: int) -> Ints:
    """Return the cheapest division met on the way from ``label``; ``count`` groups throughout."""
    n = people.size
    now, best, trial = label.copy(), label.copy(), label.copy()
    held, most = np.zeros(count, np.int64), np.zeros(count, np.int64)
    order, parent, below = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    seen, state = np.empty(n, np.bool_), np.empty(1, np.uint64)
    state[0] = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
    cost = weigh(u, v, length, people, biggest, now, held, most, cap, moved_price, border_price)
    least = cost
    if u.size == 0 or count == n:
        return best
    for step in range(steps):
        if least <= 0.0:
            break
        heat = hot * (cold / hot) ** (step / steps)
        e = draw(state, u.size)
        x, y = u[e], v[e]
        if draw(state, 2) == 0:
            x, y = y, x
        if now[x] == now[y]:
            continue
        trial[:] = now
        a, b = now[x], now[y]
        move = draw(state, 8)
        if move < 5:
            if not leaves_whole(start, other, now, x, seen, order):
                continue
            trial[x] = b
        elif move < 7:
            size = grow_tree(start, other, now, a, b, x, order, parent, state)
            cut_tree(people, order, parent, size, trial, a, b, cap, move == 5, below, state)
        else:
            root = draw(state, n)
            c = now[root]
            if c in (a, b):
                continue
            size = grow_tree(start, other, now, c, c, root, order, parent, state)
            if size < 2:
                continue
            for k in range(n):
                if now[k] == b:
                    trial[k] = a
            cut_tree(people, order, parent, size, trial, c, b, cap, False, below, state)
        new = weigh(u, v, length, people, biggest, trial, held, most, cap, moved_price,
                    border_price)
        luck = (draw(state, 1 << 30) + 1) / (1 << 30)
        if new <= cost or np.exp((cost - new) / heat) > luck:
            cost = new
            now[:] = trial
            if cost < least:
                least = cost
                best[:] = now
    return best
