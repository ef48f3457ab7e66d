"""Annealing: units change sides while it cools (compiled)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gridplan.regions.kernels import draw, draw_below, excess, jit, toll_of

LOOK = 400  # units looked at before a contiguity check gives up (and says no)
WALK = 12  # steps of the walk that looks for the second unit of a chain


class Heat(NamedTuple):
    """Temperatures of one annealing, and moves per cut edge."""

    hot: float
    cold: float
    moves: float


@jit
def stays_whole(net, labels, x, mark, stamp, queue):  # type: ignore[no-untyped-def]
    """Tell whether the region of ``x`` stays connected when ``x`` leaves it.

    Searches from one neighbour of ``x`` until all the others are met; gives up (False) after
    ``LOOK`` units. Uses the marks ``stamp`` and ``stamp + 1``.
    """
    mine = labels[x]
    left = -1
    for j in range(net.start[x], net.start[x + 1]):
        y = net.other[j]
        if labels[y] == mine:
            mark[y] = stamp
            queue[0] = y
            left += 1
    if left <= 0:
        return left == 0
    mark[x] = mark[queue[0]] = stamp + 1
    done, tail = 0, 1
    while done < tail and done < LOOK:
        z = queue[done]
        done += 1
        for j in range(net.start[z], net.start[z + 1]):
            y = net.other[j]
            if labels[y] == mine and mark[y] != stamp + 1:
                if mark[y] == stamp:
                    left -= 1
                    if left == 0:
                        return True
                mark[y] = stamp + 1
                queue[tail] = y
                tail += 1
    return False


@jit
def border_change(net, labels, x, to):  # type: ignore[no-untyped-def]
    """Return by how much the border grows when ``x`` moves to region ``to``."""
    mine = labels[x]
    change = 0
    for j in range(net.start[x], net.start[x + 1]):
        its = labels[net.other[j]]
        if its == mine:
            change += net.cost[net.edge[j]]
        elif its == to:
            change -= net.cost[net.edge[j]]
    return change


@jit
def excess_change(people, moved, a, b, rules):  # type: ignore[no-untyped-def]
    """Return by how much the excess grows when ``moved`` households go from ``a`` to ``b``."""
    return (excess(people[a] - moved, rules.low, rules.high, rules.fine)
            - excess(people[a], rules.low, rules.high, rules.fine)
            + excess(people[b] + moved, rules.low, rules.high, rules.fine)
            - excess(people[b], rules.low, rules.high, rules.fine))


@jit
def toll_change(people, moved, a, b, toll):  # type: ignore[no-untyped-def]
    """Return by how much the toll grows when ``moved`` households go from ``a`` to ``b``."""
    if toll.size == 0:
        return 0
    return (toll_of(people[a] - moved, toll) - toll_of(people[a], toll)
            + toll_of(people[b] + moved, toll) - toll_of(people[b], toll))


@jit
def move_unit(net, labels, x, to, people, size, cut, spot, cuts):  # type: ignore[no-untyped-def]
    """Move ``x`` to region ``to``, with tallies and cut edges; return how many are cut."""
    mine = labels[x]
    for j in range(net.start[x], net.start[x + 1]):
        its, e = labels[net.other[j]], net.edge[j]
        if its == mine:
            cut[cuts] = e
            spot[e] = cuts
            cuts += 1
        elif its == to:
            cuts -= 1
            cut[spot[e]] = cut[cuts]
            spot[cut[cuts]] = spot[e]
    labels[x] = to
    people[mine] -= net.people[x]
    people[to] += net.people[x]
    size[mine] -= 1
    size[to] += 1
    return cuts


@jit
def second_unit(net, labels, x, y, luck):  # type: ignore[no-untyped-def]
    """Walk at random inside the region of ``y``, not over ``x``, until its edge is met.

    Returns the unit there and the region on the other side (-1, -1: none met).
    """
    for _ in range(WALK):
        j = net.start[y] + draw_below(luck, net.start[y + 1] - net.start[y])
        z = net.other[j]
        if z == x:
            continue
        if labels[z] != labels[y]:
            return y, labels[z]
        y = z
    return -1, -1


@jit
def anneal(net, labels, count, rules, heat, luck):  # type: ignore[no-untyped-def]
    """Move units between neighbouring regions while it cools; end at the best state seen.

    States are ordered by (excess, border and toll). A move that breaks a range may draw a second
    one after it. Returns excess, and border with toll, of the state in ``labels``.
    """
    n, m = net.people.size, net.cost.size
    people, size = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for x in range(n):
        people[labels[x]] += net.people[x]
        size[labels[x]] += 1
    cut = np.empty(m + 1, np.int32)
    spot = np.empty(m + 1, np.int32)
    cuts, border, over = 0, 0, 0
    for e in range(m):
        if labels[net.u[e]] != labels[net.v[e]]:
            cut[cuts] = e
            spot[e] = cuts
            cuts += 1
            border += net.cost[e]
    for r in range(count):
        over += excess(people[r], rules.low, rules.high, rules.fine)
        border += toll_of(people[r], rules.toll)
    best = labels.copy()
    best_over, best_border = over, border
    mark = np.zeros(n, np.int64)
    queue = np.empty(n, np.int32)
    stamp = 1
    moves = int(heat.moves * cuts)
    cooling = (heat.cold / heat.hot) ** (1.0 / max(1, moves))
    warmth = heat.hot
    for _ in range(moves):
        warmth *= cooling
        if cuts == 0:
            break
        e = cut[draw_below(luck, cuts)]
        x, y = net.u[e], net.v[e]
        if draw(luck) < 0.5:
            x, y = y, x
        a, b = labels[x], labels[y]
        if size[a] == 1:
            continue
        step = (border_change(net, labels, x, b)
                + toll_change(people, net.people[x], a, b, rules.toll))
        miss = excess_change(people, net.people[x], a, b, rules)
        rise = step + rules.rate * miss
        alone = rise <= 0 or draw(luck) < np.exp(-rise / warmth)
        if not alone and miss <= 0:
            continue
        stamp += 2
        if not stays_whole(net, labels, x, mark, stamp, queue):
            continue
        cuts = move_unit(net, labels, x, b, people, size, cut, spot, cuts)
        if not alone:
            w, c = second_unit(net, labels, x, y, luck)
            fine = False
            if w >= 0:
                step += (border_change(net, labels, w, c)
                         + toll_change(people, net.people[w], b, c, rules.toll))
                miss += excess_change(people, net.people[w], b, c, rules)
                rise = step + rules.rate * miss
                stamp += 2
                fine = ((rise <= 0 or draw(luck) < np.exp(-rise / warmth))
                        and stays_whole(net, labels, w, mark, stamp, queue))
            if not fine:
                cuts = move_unit(net, labels, x, a, people, size, cut, spot, cuts)
                continue
            cuts = move_unit(net, labels, w, c, people, size, cut, spot, cuts)
        border += step
        over += miss
        if over < best_over or (over == best_over and border < best_border):
            best_over, best_border = over, border
            best[:] = labels
    labels[:] = best
    return best_over, best_border
