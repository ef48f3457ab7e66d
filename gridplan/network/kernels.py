"""The inner loops of the searches, compiled: small functions on arrays, nothing else.

Distances are float64 sums along the way from the source, as any exact search has them. Every
kernel has a plain twin in the tests. Compiled code is kept beside the files; it notices a change
of its own file only, so after an edit here delete the ``*.nbi`` files of this folder.
"""

from __future__ import annotations

import numba
import numpy as np

jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@jit
def search_from_all(  # type: ignore[no-untyped-def]
        start, other, cost, seed, seed_m, seed_label, width, ring, limit, dist, label):
    """Find the distance of every node to the nearest of many seeds, and that seed's label.

    A bucket holds the nodes of ``width`` metres; buckets are emptied in turn, and a node that is
    improved meanwhile is gone through again. ``ring`` buckets, a power of two, must span the
    longest arc. Seeds are sorted by ``seed_m``. ``dist`` (inf) and ``label`` (-1) are filled for
    nodes within ``limit``; of equal distances the lowest label counts.
    """
    mask = ring - 1
    head = np.full(ring, -1, np.int32)
    room = 1 << 12
    node, after, key = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room)
    free, used, count, taken, bucket = -1, 0, 0, 0, 0
    while True:
        if count == 0:
            if taken == seed.size or seed_m[taken] > limit:
                return
            bucket = max(bucket, int(seed_m[taken] / width))
        while taken < seed.size and int(seed_m[taken] / width) <= bucket:
            x, m, name = seed[taken], seed_m[taken], seed_label[taken]
            taken += 1
            if m > limit or not (m < dist[x] or (m == dist[x] and name < label[x])):
                continue
            dist[x], label[x] = m, name
            if free >= 0:
                slot, free = free, after[free]
            else:
                if used == room:
                    node, after, key = widen(node), widen(after), widen(key)
                    room *= 2
                slot = used
                used += 1
            at = bucket & mask
            node[slot], key[slot], after[slot] = x, m, head[at]
            head[at] = slot
            count += 1
        here = bucket & mask
        while head[here] >= 0:
            slot = head[here]
            x, d = node[slot], key[slot]
            head[here], after[slot], free = after[slot], free, slot
            count -= 1
            if d > dist[x]:
                continue
            name = label[x]
            for arc in range(start[x], start[x + 1]):
                y, reached = other[arc], d + cost[arc]
                if reached > dist[y] or reached > limit or (
                        reached == dist[y] and name >= label[y]):
                    continue
                dist[y], label[y] = reached, name
                if free >= 0:
                    slot, free = free, after[free]
                else:
                    if used == room:
                        node, after, key = widen(node), widen(after), widen(key)
                        room *= 2
                    slot = used
                    used += 1
                at = max(int(reached / width), bucket) & mask
                node[slot], key[slot], after[slot] = y, reached, head[at]
                head[at] = slot
                count += 1
        bucket += 1


@jit
def fill_arcs(u, v, cost_m, start, other, cost, edge):  # type: ignore[no-untyped-def]
    """Fill the arcs of every node, those that are allowed; an empty ``edge`` is left so.

    ``start`` holds zeros; ``cost_m[:, 0]`` leads from ``u`` to ``v``.
    """
    for e in range(u.size):
        start[u[e] + 1] += cost_m[e, 0] < np.inf
        start[v[e] + 1] += cost_m[e, 1] < np.inf
    for x in range(start.size - 1):
        start[x + 1] += start[x]
    at = start.copy()
    for e in range(u.size):
        for side, x, y in ((0, u[e], v[e]), (1, v[e], u[e])):
            if cost_m[e, side] < np.inf:
                other[at[x]], cost[at[x]] = y, cost_m[e, side]
                if edge.size:
                    edge[at[x]] = e
                at[x] += 1


@jit
def widen(values):  # type: ignore[no-untyped-def]
    """Return a copy with twice the room."""
    wide = np.empty(2 * values.size, values.dtype)
    wide[:values.size] = values
    return wide


@jit
def push(key, node, size, d, x):  # type: ignore[no-untyped-def]
    """Put a node on the heap."""
    i = size
    while i > 0:
        parent = (i - 1) >> 1
        if key[parent] <= d:
            break
        key[i], node[i] = key[parent], node[parent]
        i = parent
    key[i], node[i] = d, x


@jit
def drop_first(key, node, size):  # type: ignore[no-untyped-def]
    """Take the nearest node off a heap of ``size``, which then holds one less."""
    last = size - 1
    d, x = key[last], node[last]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= last:
            break
        if child + 1 < last and key[child + 1] < key[child]:
            child += 1
        if key[child] >= d:
            break
        key[i], node[i] = key[child], node[child]
        i = child
    key[i], node[i] = d, x


@jit
def value_points(  # type: ignore[no-untyped-def]
        first, edge, at_m, leg_m, far, ends, length_m, cost_m, toward, direct, direct_m,
        direct_label, dist, label, limit, best, which):
    """Fill ``best`` and ``which``: what each point's way to its nearest seed costs, and that seed.

    Point i has the options ``first[i]`` to ``first[i + 1]``, on ``edge`` at ``at_m``. ``toward``
    tells whether it is on its way to the seed. ``direct`` lists, ascending, the options that
    reach a seed along their edge alone. Of several options the least counts, or where ``far`` is
    set the greatest; what is beyond ``limit`` is inf and -1.
    """
    at = 0
    u_side, v_side = (1, 0) if toward else (0, 1)
    for i in range(first.size - 1):
        best[i], which[i] = np.inf, -1
        for o in range(first[i], first[i + 1]):
            d, name = np.inf, -1
            if at < direct.size and direct[at] == o:
                d, name = direct_m[at], direct_label[at]
                at += 1
            e = edge[o]
            x, y = ends[e, 0], ends[e, 1]
            if dist[x] < np.inf or dist[y] < np.inf:
                part = min(max(at_m[o] / length_m[e], 0.0), 1.0)
                whole = dist[x] + (leg_m[o] + (cost_m[e, u_side] * part if part > 0 else 0.0))
                if whole < d or (whole == d and whole < np.inf and label[x] < name):
                    d, name = whole, label[x]
                rest = 1.0 - part
                whole = dist[y] + (leg_m[o] + (cost_m[e, v_side] * rest if rest > 0 else 0.0))
                if whole < d or (whole == d and whole < np.inf and label[y] < name):
                    d, name = whole, label[y]
            if o == first[i]:
                best[i], which[i] = d, name
            elif far[i]:
                if d > best[i]:
                    best[i], which[i] = d, name
            elif d < best[i] or (d == best[i] and name < which[i]):
                best[i], which[i] = d, name
        if best[i] > limit:
            best[i] = np.inf
        if best[i] == np.inf:
            which[i] = -1


@jit
def spread(  # type: ignore[no-untyped-def]
        start, other, cost, seed_first, seed, seed_m, point_first, point, point_m, near_first,
        near, near_m, limit, low, high, points):
    """Find all points within ``limit`` of each of the sources ``low`` to ``high``.

    Source s has the seeds ``seed_first[s]`` to ``seed_first[s + 1]``; node x serves the points
    ``point_first[x]`` to ``point_first[x + 1]`` at so many metres more; ``near`` lists the points
    that a source reaches along an edge alone. Returns sources, points and distances.
    """
    n = start.size - 1
    dist, best = np.full(n, np.inf), np.full(points, np.inf)
    seen, met = np.empty(n, np.int32), np.empty(points, np.int32)
    key, node = np.empty(1 << 10), np.empty(1 << 10, np.int32)
    out_s, out_p = np.empty(1 << 10, np.int32), np.empty(1 << 10, np.int32)
    out_m = np.empty(1 << 10)
    made = 0
    for s in range(low, high):
        size, reached, found = 0, 0, 0
        for j in range(seed_first[s], seed_first[s + 1]):
            x, d = seed[j], seed_m[j]
            if d > limit or d >= dist[x]:
                continue
            if dist[x] == np.inf:
                seen[reached] = x
                reached += 1
            dist[x] = d
            if size == key.size:
                key, node = widen(key), widen(node)
            push(key, node, size, d, x)
            size += 1
        for j in range(near_first[s], near_first[s + 1]):
            p = near[j]
            if best[p] == np.inf:
                met[found] = p
                found += 1
            best[p] = min(best[p], near_m[j])
        while size > 0:
            d, x = key[0], node[0]
            drop_first(key, node, size)
            size -= 1
            if d > dist[x]:
                continue
            for j in range(point_first[x], point_first[x + 1]):
                p, whole = point[j], d + point_m[j]
                if whole < best[p]:
                    if best[p] == np.inf:
                        met[found] = p
                        found += 1
                    best[p] = whole
            for arc in range(start[x], start[x + 1]):
                y, further = other[arc], d + cost[arc]
                if further > limit or further >= dist[y]:
                    continue
                if dist[y] == np.inf:
                    seen[reached] = y
                    reached += 1
                dist[y] = further
                if size == key.size:
                    key, node = widen(key), widen(node)
                push(key, node, size, further, y)
                size += 1
        for j in range(found):
            p = met[j]
            if best[p] <= limit:
                if made == out_m.size:
                    out_s, out_p, out_m = widen(out_s), widen(out_p), widen(out_m)
                out_s[made], out_p[made], out_m[made] = s, p, best[p]
                made += 1
            best[p] = np.inf
        for j in range(reached):
            dist[seen[j]] = np.inf
    return out_s[:made], out_p[:made], out_m[:made]


@jit
def grow_tree(  # type: ignore[no-untyped-def]
        start, other, cost, seed, seed_m, goal, goal_m, dist, via):
    """Search from seeds until the cheapest goal is settled; return which goal, or -1.

    ``via`` holds the arc that each node was reached by, or -2 - j where seed j lies there.
    """
    key, node = np.empty(1 << 10), np.empty(1 << 10, np.int32)
    size = 0
    for j in range(seed.size):
        if seed_m[j] < dist[seed[j]]:
            dist[seed[j]], via[seed[j]] = seed_m[j], -2 - j
            if size == key.size:
                key, node = widen(key), widen(node)
            push(key, node, size, seed_m[j], seed[j])
            size += 1
    best, which = np.inf, -1
    while size > 0 and key[0] < best:
        d, x = key[0], node[0]
        drop_first(key, node, size)
        size -= 1
        if d > dist[x]:
            continue
        for j in range(goal.size):
            if goal[j] == x and d + goal_m[j] < best:
                best, which = d + goal_m[j], j
        for arc in range(start[x], start[x + 1]):
            y, further = other[arc], d + cost[arc]
            if further < dist[y]:
                dist[y], via[y] = further, arc
                if size == key.size:
                    key, node = widen(key), widen(node)
                push(key, node, size, further, y)
                size += 1
    return which
