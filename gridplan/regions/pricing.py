"""The cheapest connected region in range for given prices on the units (compiled).

A region costs its border and earns the prices of its units; whole numbers throughout. For each
*root* the regions are searched that hold it and none of the units ranked before it, so that each
is met from one root only. What a root can reach within ``high`` households is its *ball*. The
bound is that of a minimum cut: flow along the ball's arcs moves earnings to where they are spent,
at most the weight of the arc, and a toll on households holds the region to its range. A branch
and bound on the units beside the region takes it from there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridplan.regions.kernels import jit

FREE, IN, OUT = 0, 1, 2  # state of a unit
BOUND, HELD, LEFT, TRAIL = 0, 1, 2, 3  # places in Walk.sums
MARK, UNIT, OTHER, JOIN = 0, 1, 2, 3  # columns of Walk.levels
LEAF, DEAD = -1, -2  # no unit to branch on: the region is whole, or no good
BALLS, FLOWS, NODES = 0, 1, 2  # places in the work counted
FAR = 1 << 60
FLOW_WORK, NODE_WORK = 3, 3  # work counted for a unit met moving flow, at a branching
TURNS = 10  # tolls tried for one ball


class Town(NamedTuple):
    """The graph as prices see it: neighbour rows with the weight of each, units ranked as roots."""

    start: NDArray[np.int32]
    other: NDArray[np.int32]
    cost: NDArray[np.int64]
    people: NDArray[np.int64]
    rank: NDArray[np.int64]
    roots: NDArray[np.int32]


class Task(NamedTuple):
    """What is asked: the range, values below ``ceiling``, all of them or the least per root.

    ``nodes`` limits the branching of a root, ``work`` what the whole call spends.
    """

    low: int
    high: int
    ceiling: int
    every: bool
    nodes: int
    work: int


class Ball(NamedTuple):
    """What a root reaches, unit 0 being the root; ``flow`` moves earnings along the arcs."""

    units: NDArray[np.int32]
    start: NDArray[np.int32]
    other: NDArray[np.int32]
    back: NDArray[np.int32]
    cost: NDArray[np.int64]
    flow: NDArray[np.int64]
    own: NDArray[np.int64]
    people: NDArray[np.int64]
    net: NDArray[np.int64]


class Walk(NamedTuple):
    """Where the branch and bound stands.

    ``joins`` and ``leaves`` are what it adds to the bound if a unit is taken in or left out, over
    and above its net cost, ``touch`` how many neighbours of a unit are in.
    """

    state: NDArray[np.int8]
    touch: NDArray[np.int32]
    joins: NDArray[np.int64]
    leaves: NDArray[np.int64]
    trail: NDArray[np.int32]
    levels: NDArray[np.int64]
    sums: NDArray[np.int64]


class Sets(NamedTuple):
    """Sets of units one after the other: set ``i`` is ``units[ends[i]:ends[i + 1]]``."""

    units: NDArray[np.int32]
    ends: NDArray[np.int64]


@jit
def reach(town, root, high, place, far, units):  # type: ignore[no-untyped-def]
    """Fill ``units`` with what ``root`` reaches, ``place`` (full of -1) with their places."""
    units[0], place[root], far[0] = root, 0, town.people[root]
    n, again = 1, True
    while again:
        again = False
        i = 0
        while i < n:
            x = units[i]
            for j in range(town.start[x], town.start[x + 1]):
                y = town.other[j]
                away = far[i] + town.people[y]
                if town.rank[y] <= town.rank[root] or away > high:
                    continue
                if place[y] < 0:
                    place[y], units[n], far[n] = n, y, away
                    n += 1
                elif away < far[place[y]]:
                    far[place[y]] = away
                    again = again or place[y] <= i
            i += 1
    return n


@jit
def fill_ball(town, price, n, place, ball, at):  # type: ignore[no-untyped-def]
    """Fill the ball of ``n`` units; ``place`` is left full of -1, ``at`` is scratch by unit."""
    m = 0
    ball.start[0] = 0
    for i in range(n):
        x = ball.units[i]
        ball.people[i] = town.people[x]
        ball.own[i] = -price[x]
        for j in range(town.start[x], town.start[x + 1]):
            y = place[town.other[j]]
            if y < 0:
                ball.own[i] += town.cost[j]
            else:
                ball.other[m], ball.cost[m], ball.flow[m] = y, town.cost[j], 0
                m += 1
        ball.start[i + 1] = m
    for i in range(n):
        place[ball.units[i]] = -1
        for j in range(ball.start[i], ball.start[i + 1]):
            y = ball.other[j]
            for k in range(ball.start[y], ball.start[y + 1]):
                if ball.other[k] == i:
                    ball.back[j] = k
    return m


@jit
def weigh(n, ball, toll):  # type: ignore[no-untyped-def]
    """Fill the net costs of the units: own cost, toll on households, earnings moved away."""
    for i in range(n):
        ball.net[i] = ball.own[i] + toll * ball.people[i]
        for j in range(ball.start[i], ball.start[i + 1]):
            ball.net[i] += ball.flow[j]


@jit
def augment(n, ball, parent, queue):  # type: ignore[no-untyped-def]
    """Move earnings from units that have some left (and from the root) to units that need some.

    Afterwards ``parent`` is above -2 for the units of a minimum cut. Returns the work done.
    """
    work = 0
    gained = True
    while gained:
        gained = False
        top = 0
        for i in range(n):
            parent[i] = -2
            if i == 0 or ball.net[i] < 0:
                parent[i] = -1
                queue[top] = i
                top += 1
        at = 0
        while at < top:
            x = queue[at]
            at += 1
            for j in range(ball.start[x], ball.start[x + 1]):
                if parent[ball.other[j]] == -2 and ball.flow[j] < ball.cost[j]:
                    parent[ball.other[j]] = j
                    queue[top] = ball.other[j]
                    top += 1
        work += n + top
        for k in range(top):
            if ball.net[queue[k]] > 0 and parent[queue[k]] >= 0:
                gained = push(ball, parent, queue[k]) or gained
    return work


@jit
def push(ball, parent, sink):  # type: ignore[no-untyped-def]
    """Move what the path to ``sink`` in the tree ``parent`` carries; tell whether it was any."""
    room = ball.net[sink]
    x = sink
    while parent[x] >= 0:
        j = parent[x]
        room = min(room, ball.cost[j] - ball.flow[j])
        x = ball.other[ball.back[j]]
    if x != 0:
        room = min(room, -ball.net[x])
    if room <= 0:
        return False
    ball.net[x] += room
    ball.net[sink] -= room
    x = sink
    while parent[x] >= 0:
        j = parent[x]
        ball.flow[j] += room
        ball.flow[ball.back[j]] -= room
        x = ball.other[ball.back[j]]
    return True


@jit
def bound_ball(n, ball, low, high, toll):  # type: ignore[no-untyped-def]
    """Return the bound that the net costs give: the root, and whatever earns besides."""
    bound = ball.net[0] - (toll * high if toll > 0 else toll * low)
    for i in range(1, n):
        bound += min(ball.net[i], 0)
    return bound


@jit
def relax(n, ball, low, high, ceiling, toll, parent, queue):  # type: ignore[no-untyped-def]
    """Look for the toll and the flow with the best bound, up to ``ceiling``, from ``toll`` on.

    Leaves them in ``ball``; returns the bound, the toll and the work done. The bound is concave
    in the toll and the households of the minimum cut tell which way it rises.
    """
    best, best_toll, work = np.int64(-FAR), toll, 0
    left, right, step = np.int64(-FAR), np.int64(FAR), np.int64(0)
    for _ in range(TURNS):
        weigh(n, ball, toll)
        work += augment(n, ball, parent, queue)
        bound = bound_ball(n, ball, low, high, toll)
        if bound > best:
            best, best_toll = bound, toll
        if bound >= ceiling:
            return bound, toll, work
        held = np.int64(0)
        for i in range(n):
            held += ball.people[i] if parent[i] > -2 else 0
        if held > high or (held >= low and toll < 0):
            left = toll
        elif held < low or toll > 0:
            right = toll
        else:
            break
        step = max(2 * step, abs(toll) // 4 + 1024)
        if left > -FAR and right < FAR:
            if right - left <= 1 + (abs(left) + abs(right)) // 32:
                break
            toll = (left + right) // 2
        elif right == FAR:
            toll = min(toll + step, 0) if toll < 0 else toll + step
        else:
            toll = max(toll - step, 0) if toll > 0 else toll - step
    weigh(n, ball, best_toll)
    work += augment(n, ball, parent, queue)
    return bound_ball(n, ball, low, high, best_toll), best_toll, work


@jit
def begin(n, total, ball, bound, walk):  # type: ignore[no-untyped-def]
    """Put the walk at its start: the root is in, all else is free."""
    walk.state[:n] = FREE
    walk.touch[:n] = 0
    walk.joins[:n] = 0
    walk.leaves[:n] = 0
    walk.sums[:] = (bound, 0, total, 0)
    take(ball, walk, 0, True)


@jit
def take(ball, walk, i, join):  # type: ignore[no-untyped-def]
    """Take a free unit in (``join``) or leave it out for good; the bound is the caller's."""
    walk.trail[walk.sums[TRAIL]] = i
    walk.sums[TRAIL] += 1
    walk.state[i] = IN if join else OUT
    if join:
        walk.sums[HELD] += ball.people[i]
        for j in range(ball.start[i], ball.start[i + 1]):
            walk.leaves[ball.other[j]] += ball.cost[j] - ball.flow[j]
            walk.touch[ball.other[j]] += 1
    else:
        walk.sums[LEFT] -= ball.people[i]
        for j in range(ball.start[i], ball.start[i + 1]):
            walk.joins[ball.other[j]] += ball.cost[j] + ball.flow[j]


@jit
def undo(ball, walk, mark):  # type: ignore[no-untyped-def]
    """Take back every :func:`take` after the first ``mark``."""
    while walk.sums[TRAIL] > mark:
        walk.sums[TRAIL] -= 1
        i = walk.trail[walk.sums[TRAIL]]
        if walk.state[i] == IN:
            walk.sums[HELD] -= ball.people[i]
            for j in range(ball.start[i], ball.start[i + 1]):
                walk.leaves[ball.other[j]] -= ball.cost[j] - ball.flow[j]
                walk.touch[ball.other[j]] -= 1
        else:
            walk.sums[LEFT] += ball.people[i]
            for j in range(ball.start[i], ball.start[i + 1]):
                walk.joins[ball.other[j]] -= ball.cost[j] + ball.flow[j]
        walk.state[i] = FREE


@jit
def leave_far(n, ball, walk, high, queue, away):  # type: ignore[no-untyped-def]
    """Leave out what the units that are in cannot reach any more, blocked or too far."""
    sums = walk.sums
    top, at = 0, 0
    for i in range(n):
        away[i] = FAR
        if walk.state[i] == IN:
            away[i] = sums[HELD]
            queue[top] = i
            top += 1
    while at < top:
        x = queue[at]
        at += 1
        for j in range(ball.start[x], ball.start[x + 1]):
            y = ball.other[j]
            there = away[x] + ball.people[y]
            if walk.state[y] == FREE and there <= high and there < away[y]:
                if top == queue.size:
                    return
                away[y] = there
                queue[top] = y
                top += 1
    for i in range(n):
        if walk.state[i] == FREE and away[i] == FAR:
            sums[BOUND] += walk.leaves[i] - min(ball.net[i], 0)
            take(ball, walk, i, False)


@jit
def choose(n, ball, walk, low, high, ceiling):  # type: ignore[no-untyped-def]
    """Choose the unit beside the region to branch on; leave out what cannot join on the way."""
    sums = walk.sums
    best, chosen = np.int64(-1), np.int64(LEAF)
    for i in range(1, n):
        if walk.state[i] != FREE:
            continue
        up = walk.joins[i] + max(ball.net[i], 0)
        down = walk.leaves[i] - min(ball.net[i], 0)
        stays_out = sums[BOUND] + up >= ceiling or sums[HELD] + ball.people[i] > high
        stays_in = sums[BOUND] + down >= ceiling or sums[LEFT] - ball.people[i] < low
        if stays_out and stays_in:
            return DEAD
        if stays_out:
            sums[BOUND] += down
            take(ball, walk, i, False)
        elif walk.touch[i] > 0:
            score = np.int64(FAR) if stays_in else up + down
            if score > best:
                best, chosen = score, np.int64(i)
    return chosen


@jit
def branch(ball, walk, i, depth, low, ceiling):  # type: ignore[no-untyped-def]
    """Take the better way at unit ``i`` and note the other one; return the new depth."""
    up = walk.sums[BOUND] + walk.joins[i] + max(ball.net[i], 0)
    down = walk.sums[BOUND] + walk.leaves[i] - min(ball.net[i], 0)
    only = down >= ceiling or walk.sums[LEFT] - ball.people[i] < low
    join = only or up <= down
    if not only:
        walk.levels[depth, MARK] = walk.sums[TRAIL]
        walk.levels[depth, UNIT] = i
        walk.levels[depth, OTHER] = down if join else up
        walk.levels[depth, JOIN] = 0 if join else 1
        depth += 1
    walk.sums[BOUND] = up if join else down
    take(ball, walk, i, join)
    return depth


@jit
def return_to(ball, walk, depth):  # type: ignore[no-untyped-def]
    """Go back to the branching at ``depth`` and take its other way."""
    undo(ball, walk, walk.levels[depth, MARK])
    walk.sums[BOUND] = walk.levels[depth, OTHER]
    take(ball, walk, walk.levels[depth, UNIT], walk.levels[depth, JOIN] == 1)


@jit
def value_of(n, ball, walk):  # type: ignore[no-untyped-def]
    """Return the value of the units that are in: border minus prices."""
    value = np.int64(0)
    for i in range(n):
        if walk.state[i] == IN:
            value += ball.own[i]
            for j in range(ball.start[i], ball.start[i + 1]):
                if walk.state[ball.other[j]] != IN:
                    value += ball.cost[j]
    return value


@jit
def note(n, ball, walk, sets, count):  # type: ignore[no-untyped-def]
    """Append the units that are in to ``sets``; return the new count."""
    at = sets.ends[count]
    for i in range(n):
        if walk.state[i] == IN:
            sets.units[at] = ball.units[i]
            at += 1
    sets.ends[count + 1] = at
    return count + 1


@jit
def search(n, ball, walk, task, sets, count, queue, away):  # type: ignore[no-untyped-def]
    """Search the regions with a value below ``task.ceiling``, from a walk at its start.

    Returns the number of sets, a value that no region searched or left open falls below, and the
    branchings met. Without ``task.every`` each region found has to be better than the last.
    """
    depth, nodes, ceiling = 0, 0, task.ceiling
    sums = walk.sums
    while True:
        nodes += 1
        full = sets.ends[count] + n > sets.units.size or count + 2 > sets.ends.size
        if nodes > task.nodes or full:
            floor = min(ceiling, sums[BOUND])
            for level in range(depth):
                floor = min(floor, walk.levels[level, OTHER])
            return count, floor, nodes
        unit = DEAD
        if sums[BOUND] < ceiling and sums[HELD] <= task.high:
            leave_far(n, ball, walk, task.high, queue, away)
        if sums[BOUND] < ceiling and sums[HELD] <= task.high and sums[LEFT] >= task.low:
            unit = choose(n, ball, walk, task.low, task.high, ceiling)
        if unit == LEAF and sums[HELD] >= task.low:
            value = value_of(n, ball, walk)
            if value < ceiling:
                count = note(n, ball, walk, sets, count)
                ceiling = ceiling if task.every else value
        if unit >= 0:
            depth = branch(ball, walk, unit, depth, task.low, ceiling)
        elif depth > 0:
            depth -= 1
            return_to(ball, walk, depth)
        else:
            return count, ceiling, nodes


@jit
def find_regions(town, price, task, tolls, sets, work):  # type: ignore[no-untyped-def]
    """Search the regions of every root.

    Parameters
    ----------
    town, price, task
        The graph, the price of every unit, what is asked.
    tolls
        Tolls to start from by unit; those found are left in it.
    sets
        Room for the sets found.
    work
        Work done, added to by kind.

    Returns
    -------
    tuple
        How many sets were found, and for every root a value, at most the ceiling, that none of
        its regions falls below.
    """
    n, m = town.people.size, town.other.size
    ball = Ball(np.empty(n, np.int32), np.empty(n + 1, np.int32), np.empty(m, np.int32),
                np.empty(m, np.int32), np.empty(m, np.int64), np.empty(m, np.int64),
                np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64))
    walk = Walk(np.empty(n, np.int8), np.empty(n, np.int32), np.empty(n, np.int64),
                np.empty(n, np.int64), np.empty(n, np.int32), np.empty((n, 4), np.int64),
                np.empty(4, np.int64))
    place, far = np.full(n, -1, np.int32), np.empty(n, np.int64)
    parent, queue = np.empty(n, np.int64), np.empty(8 * n, np.int32)
    floors = np.full(town.roots.size, -FAR, np.int64)
    count, spent = 0, np.int64(0)
    sets.ends[0] = 0
    for r in range(town.roots.size):
        if spent > task.work:
            break
        root, floors[r] = town.roots[r], task.ceiling
        size = reach(town, root, task.high, place, far, ball.units)
        work[BALLS] += size + fill_ball(town, price, size, place, ball, queue)
        spent += size + ball.start[size]
        total = ball.people[:size].sum()
        if total < task.low:
            continue
        bound, tolls[root], steps = relax(size, ball, task.low, task.high, task.ceiling,
                                          tolls[root], parent, queue)
        work[FLOWS] += FLOW_WORK * steps
        spent += FLOW_WORK * steps
        if bound >= task.ceiling:
            continue
        begin(size, total, ball, bound, walk)
        count, floors[r], nodes = search(size, ball, walk, task, sets, count, queue, far)
        work[NODES] += NODE_WORK * nodes * size
        spent += NODE_WORK * nodes * size
    return count, floors
