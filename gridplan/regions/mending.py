"""Mending: dissolve a few neighbouring regions, cut them again, keep what is better (compiled)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridplan.regions.annealing import anneal
from gridplan.regions.kernels import Net, draw, draw_below, excess, jit, toll_of
from gridplan.regions.pooling import remember
from gridplan.regions.trees import recut


class Care(NamedTuple):
    """How regions are mended.

    A window has ``least`` to ``reach`` regions. In a share ``redraw`` of the windows up to
    ``core`` of them are cut afresh before all are annealed, along as many as ``trees`` trees until
    a cut gives hope: at most ``over`` households of excess and ``hope`` times the border more
    than before. ``accept`` is the temperature at which a worse border is taken, falling to 0;
    ``only_faulty`` skips windows around regions that are in range.
    """

    least: int
    reach: int
    core: int
    redraw: float
    trees: int
    over: int
    hope: float
    accept: float
    only_faulty: bool


class Book(NamedTuple):
    """The units of every region as chains (``head`` of a region, ``after`` a unit; -1 ends)."""

    head: NDArray[np.int32]
    after: NDArray[np.int32]
    people: NDArray[np.int64]


@jit
def open_book(net, labels, limit):  # type: ignore[no-untyped-def]
    """Write the book of a labelling with room for ``limit`` regions."""
    head = np.full(limit, -1, np.int32)
    after = np.empty(labels.size, np.int32)
    people = np.zeros(limit, np.int64)
    for x in range(labels.size):
        after[x] = head[labels[x]]
        head[labels[x]] = x
        people[labels[x]] += net.people[x]
    return Book(head, after, people)


@jit
def gather(  # type: ignore[no-untyped-def]
        net, labels, book, first, want, chosen, regions, units, luck):
    """Gather ``first`` and up to ``want - 1`` regions grown around it, by random borders.

    Fills ``regions`` and ``units``, region by region; returns how many of each.
    """
    found, count = 0, 0
    region = first
    while True:
        chosen[region] = True
        regions[found] = region
        found += 1
        x = book.head[region]
        while x >= 0:
            units[count] = x
            count += 1
            x = book.after[x]
        if found == want:
            break
        seen = 0
        for i in range(count):
            for j in range(net.start[units[i]], net.start[units[i] + 1]):
                its = labels[net.other[j]]
                if not chosen[its]:
                    seen += 1
                    if draw_below(luck, seen) == 0:
                        region = its
        if seen == 0:
            break
    for i in range(found):
        chosen[regions[i]] = False
    return found, count


@jit
def extract(net, units, place, number, room):  # type: ignore[no-untyped-def]
    """Copy the graph on ``units`` into the arrays of ``room`` and return it as a net of its own.

    ``place`` (full of -1, and left so) and ``number`` are scratch, by unit and by edge.
    """
    for i in range(units.size):
        place[units[i]] = i
    rows, m = 0, 0
    room.start[0] = 0
    for i in range(units.size):
        x = units[i]
        room.people[i] = net.people[x]
        for j in range(net.start[x], net.start[x + 1]):
            y, e = place[net.other[j]], net.edge[j]
            if y < 0:
                continue
            if y > i:
                number[e] = m
                room.u[m], room.v[m], room.cost[m] = i, y, net.cost[e]
                m += 1
            room.other[rows], room.edge[rows] = y, number[e]
            rows += 1
        room.start[i + 1] = rows
    for i in range(units.size):
        place[units[i]] = -1
    return Net(room.start[:units.size + 1], room.other[:rows], room.edge[:rows], room.u[:m],
               room.v[:m], room.cost[:m], room.people[:units.size])


@jit
def choose_count(regions, people, rules, luck):  # type: ignore[no-untyped-def]
    """Choose how many regions a window gets: as many as now, or one less or more if it may."""
    if rules.keep_count:
        return regions
    side = draw_below(luck, 4)
    if side == 0 and regions > 1 and (regions - 1) * rules.high >= people:
        return regions - 1
    if side == 1 and (regions + 1) * rules.low <= people:
        return regions + 1
    return regions


@jit
def state_of(net, labels, count, rules):  # type: ignore[no-untyped-def]
    """Return excess, and border with toll, of a labelling."""
    people = np.zeros(count, np.int64)
    for x in range(labels.size):
        people[labels[x]] += net.people[x]
    over, border = 0, 0
    for r in range(count):
        over += excess(people[r], rules.low, rules.high, rules.fine)
        border += toll_of(people[r], rules.toll)
    for e in range(net.cost.size):
        if labels[net.u[e]] != labels[net.v[e]]:
            border += net.cost[e]
    return over, border


@jit
def hold_labels(labels, regions, units, held):  # type: ignore[no-untyped-def]
    """Fill ``held`` with the place in ``regions`` of every unit's label (units come grouped)."""
    at = 0
    for i in range(units.size):
        while labels[units[i]] != regions[at]:
            at += 1
        held[i] = at


@jit
def redraw(net, old, found, k, was_over, was_border, care, rules, new, luck):  # type: ignore[no-untyped-def]
    """Cut some of the ``found`` regions of a window afresh, so that there are ``k`` in all.

    The others keep their units. Returns how many regions there are (0: no cut gives hope).
    """
    core = min(found, 2 + draw_below(luck, care.core - 1))
    aim = core + k - found
    if aim < 1:
        return 0
    heart = old.size
    if core < found:
        heart = np.searchsorted(old, core)
    allowed = care.over if k <= found else care.over // 4
    for _ in range(care.trees):
        got = recut(net, heart, aim, rules, new, luck)
        for i in range(heart, old.size):
            new[i] = old[i] + got - core
        now = found - core + got
        if rules.keep_count and now != k:
            continue
        over, border = state_of(net, new, now, rules)
        if over <= was_over + allowed and border <= care.hope * was_border:
            return now
    return 0


@jit
def rewrite(  # type: ignore[no-untyped-def]
        net, labels, book, regions, found, k, free, spare, units, new):
    """Write the new regions of a window into labels and book; return the free numbers left."""
    for i in range(found):
        book.head[regions[i]] = -1
        book.people[regions[i]] = 0
    for i in range(k, found):
        free[spare] = regions[i]
        spare += 1
    for i in range(found, k):
        spare -= 1
        regions[i] = free[spare]
    for i in range(units.size):
        x, r = units[i], regions[new[i]]
        labels[x] = r
        book.after[x] = book.head[r]
        book.head[r] = x
        book.people[r] += net.people[x]
    return spare


@jit
def mend(net, labels, count, centres, care, rules, heat, luck, pool):  # type: ignore[no-untyped-def]
    """Mend ``labels`` in place, one window around each unit of ``centres`` in turn.

    The excess never grows. Some of the region numbers may be left without units. Regions met on
    the way go to the ``pool``.
    """
    n, m = net.people.size, net.cost.size
    room = Net(np.empty(n + 1, np.int32), np.empty(2 * m, np.int32), np.empty(2 * m, np.int32),
               np.empty(m, np.int32), np.empty(m, np.int32), np.empty(m, np.int64),
               np.empty(n, np.int64))
    number = np.empty(m, np.int32)
    place = np.full(n, -1, np.int32)
    gathered, fresh, held = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    limit = 2 * count + 8
    book = open_book(net, labels, limit)
    free = np.arange(limit - 1, -1, -1).astype(np.int32)
    spare = limit - count
    chosen = np.zeros(limit, np.bool_)
    regions = np.empty(care.reach + 1, np.int32)
    for step in range(centres.size):
        first = labels[centres[step]]
        if care.only_faulty and excess(book.people[first], rules.low, rules.high, 0) == 0:
            continue
        want = care.least + draw_below(luck, care.reach - care.least + 1)
        found, size = gather(net, labels, book, first, want, chosen, regions, gathered, luck)
        afresh = draw(luck) < care.redraw
        k = found
        if afresh:
            k = choose_count(found, book.people[regions[:found]].sum(), rules, luck)
        if (k == 1 and found == 1) or k > size or (k > found and spare == 0):
            continue
        units, new, old = gathered[:size], fresh[:size], held[:size]
        local = extract(net, units, place, number, room)
        hold_labels(labels, regions, units, old)
        was_over, was_border = state_of(local, old, found, rules)
        new[:] = old
        if afresh:
            k = redraw(local, old, found, k, was_over, was_border, care, rules, new, luck)
            if k == 0:
                continue
        over, border = anneal(local, new, k, rules, heat, luck)
        remember(pool, local, units, new, k, rules)
        falling = (1.0 - step / centres.size) ** 2
        slack = -care.accept * falling * np.log(draw(luck) + 1e-12)
        if over < was_over or (over == was_over and border - was_border <= slack):
            spare = rewrite(net, labels, book, regions, found, k, free, spare, units, new)
