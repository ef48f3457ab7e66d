"""Cutting along random spanning trees (compiled)."""

from __future__ import annotations

import numpy as np

from gridplan.regions.kernels import draw, draw_below, excess, fill_rows, jit

WORST = 1e300


@jit
def draw_tree(u, v, cost, parent, order, luck):  # type: ignore[no-untyped-def]
    """Draw a spanning tree that likes dear edges, rooted at random.

    ``parent`` and ``order`` (every unit after its parent) are filled; returns the units reached.
    """
    n = parent.size
    clock = np.empty(u.size, np.float64)
    for e in range(u.size):
        clock[e] = (cost[e] + 1.0) * (np.log(draw(luck) + 1e-12) - 0.05)
    root_of = np.arange(n).astype(np.int32)
    tree_u = np.empty(n, np.int32)
    tree_v = np.empty(n, np.int32)
    count = 0
    for e in np.argsort(clock):
        x, y = u[e], v[e]
        while root_of[x] != x:
            root_of[x] = root_of[root_of[x]]
            x = root_of[x]
        while root_of[y] != y:
            root_of[y] = root_of[root_of[y]]
            y = root_of[y]
        if x != y:
            root_of[x] = y
            tree_u[count], tree_v[count] = u[e], v[e]
            count += 1
            if count == n - 1:
                break
    start = np.empty(n + 1, np.int32)
    other = np.empty(2 * count, np.int32)
    edge = np.empty(2 * count, np.int32)
    fill_rows(tree_u[:count], tree_v[:count], start, other, edge)
    parent[:] = -1
    order[0] = draw_below(luck, n)
    parent[order[0]] = order[0]
    reached = 1
    for i in range(n):
        if i >= reached:
            break
        x = order[i]
        for j in range(start[x], start[x + 1]):
            y = other[j]
            if parent[y] < 0:
                parent[y] = x
                order[reached] = y
                reached += 1
    return reached


@jit
def branch_borders(u, v, cost, parent, order, border):  # type: ignore[no-untyped-def]
    """Fill ``border[x]`` with the cost of all edges between the branch below ``x`` and the rest.

    An edge counts at both its ends and is taken back twice where its ends meet in the tree, so
    that sums over a branch leave only what crosses. Heavy paths find the meeting place in
    O(log n) steps.
    """
    n = parent.size
    size = np.ones(n, np.int32)
    for i in range(n - 1, 0, -1):
        size[parent[order[i]]] += size[order[i]]
    heavy = np.full(n, -1, np.int32)
    depth = np.zeros(n, np.int32)
    for i in range(1, n):
        x, p = order[i], parent[order[i]]
        depth[x] = depth[p] + 1
        if heavy[p] < 0 or size[x] > size[heavy[p]]:
            heavy[p] = x
    head = np.empty(n, np.int32)
    head[order[0]] = order[0]
    for i in range(1, n):
        x, p = order[i], parent[order[i]]
        head[x] = head[p] if heavy[p] == x else x
    border[:] = 0
    for e in range(u.size):
        x, y = u[e], v[e]
        border[x] += cost[e]
        border[y] += cost[e]
        while head[x] != head[y]:
            if depth[head[x]] >= depth[head[y]]:
                x = parent[head[x]]
            else:
                y = parent[head[y]]
        border[x if depth[x] < depth[y] else y] -= 2 * cost[e]
    for i in range(n - 1, 0, -1):
        border[parent[order[i]]] += border[order[i]]


@jit
def best_branch(parent, order, people, border, k, rules):  # type: ignore[no-untyped-def]
    """Choose the branch to cut off and how many of the ``k`` regions it gets.

    Returns the branch's top unit (-1: none), its regions and the score (lower is better).
    """
    n = parent.size
    below = people.copy()
    for i in range(n - 1, 0, -1):
        below[parent[order[i]]] += below[order[i]]
    total = below[order[0]]
    mean = total / k
    best, at, share = WORST, -1, 1
    for i in range(1, n):
        x = order[i]
        near = int(below[x] / mean + 0.5)
        for k1 in range(max(1, near - 1), min(k - 1, near + 1) + 1):
            k2 = k - k1
            few = min(k1, k2)
            if k > 8 and 4 * few < k:
                continue  # peeling single regions off a large graph would cost k passes
            miss = (excess(below[x], rules.low * k1, rules.high * k1, 0)
                    + excess(total - below[x], rules.low * k2, rules.high * k2, 0))
            off = (below[x] - k1 * mean) / (few * mean)
            score = (border[x] + 1.0) * (1.0 + 1.5 * off * off) / np.sqrt(few) + 1e12 * miss
            if score < best:
                best, at, share = score, x, k1
    return at, share, best


@jit
def bisect(net, units, place, k, trees, rules, luck):  # type: ignore[no-untyped-def]
    """Cut the connected ``units`` in two along the best branch of ``trees`` random trees.

    ``units`` is reordered, one side first; returns the size of that side (0: no cut) and its
    share of the ``k`` regions. ``place`` is scratch full of -1.
    """
    n = units.size
    for i in range(n):
        place[units[i]] = i
    room = 0
    for i in range(n):
        room += net.start[units[i] + 1] - net.start[units[i]]
    u = np.empty(room // 2 + 1, np.int32)
    v = np.empty(room // 2 + 1, np.int32)
    cost = np.empty(room // 2 + 1, np.int64)
    people = np.empty(n, np.int64)
    m = 0
    for i in range(n):
        people[i] = net.people[units[i]]
        for j in range(net.start[units[i]], net.start[units[i] + 1]):
            if place[net.other[j]] > i:
                u[m], v[m], cost[m] = i, place[net.other[j]], net.cost[net.edge[j]]
                m += 1
    for i in range(n):
        place[units[i]] = -1
    u, v, cost = u[:m], v[:m], cost[:m]
    parent = np.empty(n, np.int32)
    order = np.empty(n, np.int32)
    border = np.empty(n, np.int64)
    side = np.zeros(n, np.bool_)
    best, share = WORST, 1
    for _ in range(trees):
        draw_tree(u, v, cost, parent, order, luck)
        branch_borders(u, v, cost, parent, order, border)
        at, k1, score = best_branch(parent, order, people, border, k, rules)
        if at >= 0 and score < best:
            best, share = score, k1
            side[:] = False
            side[at] = True
            for i in range(1, n):
                if order[i] != at:
                    side[order[i]] |= side[parent[order[i]]]
    old = units.copy()
    first = 0
    for i in range(n):
        if side[i]:
            units[first] = old[i]
            first += 1
    at = first
    for i in range(n):
        if not side[i]:
            units[at] = old[i]
            at += 1
    return first, share


@jit
def recut(net, k, trees, rules, labels, luck):  # type: ignore[no-untyped-def]
    """Label a connected graph with ``k`` connected regions (fewer if it cannot) by tree cuts.

    Returns the number of regions.
    """
    n = net.people.size
    units = np.arange(n).astype(np.int32)
    place = np.full(n, -1, np.int32)
    todo = np.empty((k + 1, 3), np.int64)
    todo[0, 0], todo[0, 1], todo[0, 2] = 0, n, k
    top, count = 1, 0
    while top:
        top -= 1
        a, b, share = todo[top, 0], todo[top, 1], todo[top, 2]
        first, one = 0, 0
        if share > 1 and b - a > 1:
            first, one = bisect(net, units[a:b], place, share, trees, rules, luck)
        if first == 0:
            for i in range(a, b):
                labels[units[i]] = count
            count += 1
            continue
        todo[top, 0], todo[top, 1], todo[top, 2] = a + first, b, share - one
        todo[top + 1, 0], todo[top + 1, 1], todo[top + 1, 2] = a, a + first, one
        top += 2
    return count
