"""Cutting along random spanning trees (compiled)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridplan.regions.kernels import draw_below, draw_bits, excess, jit, toll_of

WORST = 1e300
PEEL = 1e20  # added where a single region would be peeled off many: that costs too many passes
WAITS = -np.log((np.arange(4096) + 0.5) / 4096) + 0.05  # quantiles of an exponential wait
S52 = np.uint64(52)


class Tree(NamedTuple):
    """A spanning tree by places: ``unit[0]`` is the root, and parents stand before children.

    ``place`` of every unit, ``parent`` by places, and ``meet``, for every edge of the graph, the
    place where the ways from its ends to the root meet.
    """

    unit: NDArray[np.int32]
    place: NDArray[np.int32]
    parent: NDArray[np.int32]
    meet: NDArray[np.int32]


@jit
def sort_edges(net, n, luck):  # type: ignore[no-untyped-def]
    """Return the edges among the first ``n`` units in random order, dear ones rather first."""
    m = net.cost.size
    top = 1.0
    for e in range(m):
        top = max(top, float(net.cost[e]))
    scale = 2.0 ** 34 / (top + 1.0)
    clock = np.empty(m, np.int64)
    count = 0
    for e in range(m):
        if net.u[e] < n and net.v[e] < n:
            wait = (net.cost[e] + 1.0) * WAITS[draw_bits(luck) >> S52]
            clock[count] = -(int(wait * scale) << 24) | e
            count += 1
    clock = clock[:count]
    clock.sort()
    for i in range(count):
        clock[i] &= 0xFFFFFF
    return clock


@jit
def choose_tree(net, n, edges):  # type: ignore[no-untyped-def]
    """Take every edge that joins two pieces, in turn; return the neighbour rows of the tree."""
    root_of = np.arange(n).astype(np.int32)
    start = np.zeros(n + 1, np.int32)
    tree = np.empty(n, np.int32)
    count = 0
    for e in edges:
        x, y = net.u[e], net.v[e]
        while root_of[x] != x:
            root_of[x] = root_of[root_of[x]]
            x = root_of[x]
        while root_of[y] != y:
            root_of[y] = root_of[root_of[y]]
            y = root_of[y]
        if x != y:
            root_of[x] = y
            tree[count] = e
            start[net.u[e]] += 1
            start[net.v[e]] += 1
            count += 1
            if count == n - 1:
                break
    for x in range(n):
        start[x + 1] += start[x]
    other = np.empty(2 * count, np.int32)
    for e in tree[:count]:
        x, y = net.u[e], net.v[e]
        start[x] -= 1
        other[start[x]] = y
        start[y] -= 1
        other[start[y]] = x
    return start, other


@jit
def draw_tree(net, n, luck):  # type: ignore[no-untyped-def]
    """Draw a spanning tree of the first ``n`` units that likes dear edges, rooted at random."""
    start, other = choose_tree(net, n, sort_edges(net, n, luck))
    unit = np.empty(n, np.int32)
    place = np.full(n, -1, np.int32)
    parent = np.empty(n, np.int32)
    unit[0] = draw_below(luck, n)
    place[unit[0]] = 0
    parent[0] = 0
    reached = 1
    for i in range(n):
        x = unit[i]
        for j in range(start[x], start[x + 1]):
            y = other[j]
            if place[y] < 0:
                place[y] = reached
                parent[reached] = i
                unit[reached] = y
                reached += 1
    meet = np.zeros(net.cost.size, np.int32)
    for e in range(net.cost.size):
        if net.u[e] < n and net.v[e] < n:
            x, y = place[net.u[e]], place[net.v[e]]
            while x != y:
                if x > y:
                    x = parent[x]
                else:
                    y = parent[y]
            meet[e] = x
    return Tree(unit, place, parent, meet)


@jit
def weigh_branches(net, n, tree, piece, below, border):  # type: ignore[no-untyped-def]
    """Fill households, and border inside its piece, of the branch below every place.

    Pieces are parts of the tree. An edge counts at both its ends and is taken back twice where
    they meet, so that sums over a branch leave only what crosses.
    """
    for i in range(n):
        below[i] = net.people[tree.unit[i]]
        border[i] = 0
    for e in range(net.cost.size):
        if net.u[e] < n and net.v[e] < n:
            x, y = tree.place[net.u[e]], tree.place[net.v[e]]
            if piece[x] == piece[y]:
                border[x] += net.cost[e]
                border[y] += net.cost[e]
                border[tree.meet[e]] -= 2 * net.cost[e]
    for i in range(n - 1, 0, -1):
        p = tree.parent[i]
        if piece[p] == piece[i]:
            below[p] += below[i]
            border[p] += border[i]


@jit
def rate_branch(below, total, border, k, rules):  # type: ignore[no-untyped-def]
    """Return how many of ``k`` regions a branch should get, and its score (lower is better).

    Regions of a side are taken to be equal where tolls are counted.
    """
    mean = max(total, 1) / k
    near = int(below / mean + 0.5)
    best, share = WORST, 1
    for k1 in range(max(1, near - 1), min(k - 1, near + 1) + 1):
        k2 = k - k1
        few = min(k1, k2)
        miss = (excess(below, rules.low * k1, rules.high * k1, 0)
                + excess(total - below, rules.low * k2, rules.high * k2, 0))
        off = (below - k1 * mean) / (few * mean)
        score = (border + 1.0) * (1.0 + 1.5 * off * off) / np.sqrt(few) + 1e12 * miss
        if k > 8 and 4 * few < k:
            score += PEEL
        if rules.toll.size:
            score += (k1 * toll_of(below // k1, rules.toll)
                      + k2 * toll_of((total - below) // k2, rules.toll))
        if score < best:
            best, share = score, k1
    return share, best


@jit
def recut(net, n, k, rules, labels, luck):  # type: ignore[no-untyped-def]
    """Label the connected first ``n`` units with ``k`` regions (fewer if it cannot) along a tree.

    In each pass every piece that shall be several regions loses its best branch. Returns the
    number of regions.
    """
    tree = draw_tree(net, n, luck)
    piece = np.zeros(n, np.int32)
    below = np.empty(n, np.int64)
    border = np.empty(n, np.int64)
    share = np.ones(k, np.int64)
    top = np.zeros(k, np.int32)
    best = np.empty(k, np.float64)
    at = np.empty(k, np.int32)
    part = np.empty(k, np.int64)
    share[0] = k
    count, before = 1, 0
    while before < count < k:
        before = count
        weigh_branches(net, n, tree, piece, below, border)
        best[:] = WORST
        at[:] = -1
        for i in range(n):
            r = piece[i]
            if share[r] > 1 and top[r] != i:
                k1, score = rate_branch(below[i], below[top[r]], border[i], share[r], rules)
                if score < best[r]:
                    best[r], at[r], part[r] = score, i, k1
        for r in range(before):
            if at[r] >= 0:
                share[r] -= part[r]
                share[count], top[count], piece[at[r]] = part[r], at[r], count
                count += 1
        for i in range(1, n):
            if top[piece[i]] != i:
                piece[i] = piece[tree.parent[i]]
    for i in range(n):
        labels[tree.unit[i]] = piece[i]
    return count
