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
        first, u, v, to_u, to_v, far, dist, label, out, target):
    """Lower what each point's way to its nearest seed costs, by its options' ends.

    Point i has the options ``first[i]`` to ``first[i + 1]``; from option o it costs ``to_u[o]`` to
    node ``u[o]``, legs included. ``out`` and ``target`` hold per option what is known before (the
    way along the edge itself) and are lowered in place. Returns the point's figure and target:
    the least over its options, or where ``far`` is set the greatest.
    """
    k = first.size - 1
    best, which = np.full(k, np.inf), np.full(k, -1, np.int64)
    for i in range(k):
        for o in range(first[i], first[i + 1]):
            for x, leg in ((u[o], to_u[o]), (v[o], to_v[o])):
                d = leg + dist[x]
                if d < out[o] or (d == out[o] and d < np.inf and label[x] < target[o]):
                    out[o], target[o] = d, label[x]
            if o == first[i]:
                best[i], which[i] = out[o], target[o]
            elif far[i]:
                if out[o] > best[i]:
                    best[i], which[i] = out[o], target[o]
            elif out[o] < best[i] or (out[o] == best[i] and target[o] < which[i]):
                best[i], which[i] = out[o], target[o]
    return best, which


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
