"""The inner loops of stop patrols, compiled: timing one route, inserting, ruin and recreate.

A route is a row of visits. Times are the earliest that hold given the times of all other routes.
What is called for every leg gets its arrays one by one, since handing over a tuple of them costs
more than the work.
Compiled code is kept beside the files and notices a change of its own file only.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from gridplan.patrol.stops.problem import Ints
from gridplan.patrol.stops.work import Work
from gridplan.regions.kernels import draw, draw_below

jit = numba.njit(cache=True, nogil=True, error_model="numpy")

NONE = -1
FAR = 2**62  # later and dearer than anything
LONGEST_STRING = 10.0  # visits taken out of one route at most
MEAN_RUINED = 10.0  # visits taken out of all routes, about
BLINK = 0.01  # share of places not seen
COOLING = 0.01  # temperature at the last step as a share of that at the first


@jit
def next_begin(window: Ints, opens: Ints, last: Ints, first: Ints, after: Ints, spacing: Ints,
               x: int, t: int, begin: Ints, own: Ints) -> int:
    """Return the earliest begin of visit ``x`` from ``t`` on, ``NONE`` if there is none.

    It lies in a window, ``spacing`` away from every other visit of the stop with a begin in
    ``begin`` (of other routes) or ``own`` (earlier in this one); ``NONE`` there: no begin yet.
    """
    for row in range(window[x], window[x + 1]):
        b = max(t, opens[row])
        moved = spacing[x] > 0
        while moved:
            moved = False
            for y in range(first[x], after[x]):
                if y == x:
                    continue
                other = own[y] if own[y] != NONE else begin[y]
                if other != NONE and abs(b - other) < spacing[x]:
                    b = other + spacing[x]
                    moved = True
        if b <= last[row]:
            return b
    return NONE


@jit
def _run_tail(w: Work, v: int, route: Ints, size: int, leg: int, arrive: int, begin: Ints,
              own: Ints, reach: Ints) -> int:
    """Time a route from visit ``leg`` on, reached at ``arrive``; return when it is back, or NONE.

    ``own`` takes the begins, ``reach`` when each leg from this one on arrives, ``FAR`` where it
    does not; on failure what was set in ``own`` is taken back.
    """
    node, stay, ways, end = w.node, w.stay, w.travel[w.mode[v]], w.end[v]
    window, opens, last, first, after, spacing = (w.window, w.opens, w.last, w.first, w.after,
                                                  w.spacing)
    t = arrive
    i = leg
    while i < size:
        reach[i] = t
        x = route[i]
        b = next_begin(window, opens, last, first, after, spacing, x, t, begin, own)
        if b == NONE:
            break
        own[x] = b
        way = ways[node[x], end if i + 1 == size else node[route[i + 1]]]
        if way < 0:
            own[x] = NONE
            break
        t = b + stay[x] + way
        i += 1
    if i == size:
        reach[size] = t
    else:
        reach[i + 1:size + 1] = FAR
    if i < size or t > w.finish[v]:
        for j in range(leg, i):
            own[route[j]] = NONE
        return NONE
    return t


@jit
def _binds(first: Ints, after: Ints, spacing: Ints, x: int, begin: Ints, own: Ints) -> bool:
    """Return whether the begin of ``x`` may still bind a later visit of its route by spacing."""
    if spacing[x] > 0:
        for y in range(first[x], after[x]):
            if y != x and begin[y] == NONE and own[y] == NONE:
                return True
    return False


@jit
def time_route(w: Work, v: int, route: Ints, size: int, begin: Ints, own: Ints, best: Ints
               ) -> tuple[int, int, int]:
    """Time the route of team ``v`` as early as can be.

    Parameters
    ----------
    w, v
        The work and the team.
    route, size
        Its visits in order: the first ``size`` of ``route``.
    begin
        Begins of all visits of other routes, shape (v,); ``NONE`` for this route's own.
    own, best
        Scratch of shape (v,), ``NONE`` everywhere; ``best`` takes the begins of this route.

    Returns
    -------
    tuple
        When the team is back, ``NONE`` if the route cannot be; the leg its break lies on (0: on
        the way to the first visit) and when the break begins, ``NONE`` without one.

    Notes
    -----
    The break is tried on every leg. Who has rested and reaches a leg no earlier than with the
    break tried last is nowhere earlier after it either, unless a visit made between the two
    breaks binds one that follows: such a break is left out, which changes no result.
    """
    node, stay, ways = w.node, w.stay, w.travel[w.mode[v]]
    window, opens, last, first, after, spacing = (w.window, w.opens, w.last, w.first, w.after,
                                                  w.spacing)
    rest, rest_from, rest_to = w.rest[v], w.rest_from[v], w.rest_to[v]
    end, finish = w.end[v], w.finish[v]
    back, rest_leg, rest_begin = NONE, NONE, NONE
    t, here = w.ready[v], w.start[v]
    reach = np.full(size + 1 if rest > 0 else 0, FAR)
    bound = False
    for leg in range(size + 1):
        way = ways[here, end if leg == size else node[route[leg]]]
        if way < 0 or t + way > finish:
            break
        b = t + way
        if leg < size:
            b = next_begin(window, opens, last, first, after, spacing, route[leg], t + way, begin,
                           own)
        resting = max(t, rest_from)
        if rest > 0 and resting + rest <= rest_to and (
                leg == size or b == NONE or b + stay[route[leg]] > rest_from):
            arrive = max(t + way, rest_from) + rest
            if bound or arrive < reach[leg]:
                bound = False
                done = _run_tail(w, v, route, size, leg, arrive, begin, own, reach)
                if done != NONE:
                    if back == NONE or done < back:
                        back, rest_leg, rest_begin = done, leg, resting
                        for j in range(size):
                            best[route[j]] = own[route[j]]
                    for j in range(leg, size):
                        own[route[j]] = NONE
        if leg == size:
            if rest == 0:
                back = t + way
                for j in range(size):
                    best[route[j]] = own[route[j]]
        elif b == NONE:
            break
        else:
            own[route[leg]] = b
            bound = bound or _binds(first, after, spacing, route[leg], begin, own)
            t, here = b + stay[route[leg]], node[route[leg]]
    for j in range(size):
        own[route[j]] = NONE
    return back, rest_leg, rest_begin


@jit
def measure_work(w: Work, v: int, route: Ints, size: int) -> tuple[int, int]:
    """Return travel and work (done before, travel and stays) of a route in seconds."""
    travel, stays, here = 0, 0, w.start[v]
    for i in range(size):
        travel += w.travel[w.mode[v], here, w.node[route[i]]]
        here = w.node[route[i]]
        stays += w.stay[route[i]]
    # A team that cannot get to its end stays where it is, and then goes nowhere at all.
    travel += max(0, w.travel[w.mode[v], here, w.end[v]])
    return travel, w.done[v] + travel + stays


class State(NamedTuple):
    """A plan under way: ``NONE`` in ``at`` and ``begin`` for visits that are not made."""

    routes: Ints  # (k, v)
    sizes: Ints  # (k,)
    begin: Ints  # (v,)
    at: Ints  # (v,)
    latest: Ints  # (v,), when a visit must begin at the latest for the rest of its route
    way: Ints  # (v,), travel to a visit from the one before it in its route
    travel: Ints  # (k,)
    load: Ints  # (k,)


@jit
def _copy(a: State, b: State) -> None:
    """Make ``b`` the same as ``a``."""
    for v in range(a.sizes.size):
        b.routes[v, :a.sizes[v]] = a.routes[v, :a.sizes[v]]
    b.sizes[:] = a.sizes
    b.begin[:] = a.begin
    b.at[:] = a.at
    b.latest[:] = a.latest
    b.way[:] = a.way
    b.travel[:] = a.travel
    b.load[:] = a.load


@jit
def measure_cost(w: Work, s: State) -> int:
    """Return the cost of a plan, as :class:`~gridplan.patrol.stops.work.Work` defines it."""
    cost = s.travel.sum() + w.balance * s.load.max()
    for x in range(s.at.size):
        cost += w.penalty[x] if s.at[x] == NONE else w.toll[x, s.at[x]]
    return cost


@jit
def settle_route(w: Work, s: State, v: int, scratch: Ints) -> bool:
    """Time the route of team ``v`` afresh; False, with nothing changed, if it cannot be."""
    own, best, kept = scratch[0], scratch[1], scratch[3]
    for j in range(s.sizes[v]):
        kept[j] = s.begin[s.routes[v, j]]
        s.begin[s.routes[v, j]] = NONE
    end, _, _ = time_route(w, v, s.routes[v], s.sizes[v], s.begin, own, best)
    for j in range(s.sizes[v]):
        s.begin[s.routes[v, j]] = best[s.routes[v, j]] if end != NONE else kept[j]
    fits = end != NONE or s.sizes[v] == 0
    if fits:
        s.travel[v], s.load[v] = measure_work(w, v, s.routes[v], s.sizes[v])
        _set_bounds(w, s, v)
    return fits


@jit
def _set_bounds(w: Work, s: State, v: int) -> None:
    """Set the ways of a route and its latest begins, by windows and shift alone: none is later."""
    t, there, ways = w.finish[v], w.end[v], w.travel[w.mode[v]]
    for i in range(s.sizes[v] - 1, -1, -1):
        x = s.routes[v, i]
        s.way[x] = ways[w.start[v] if i == 0 else w.node[s.routes[v, i - 1]], w.node[x]]
        t -= ways[w.node[x], there] + w.stay[x]
        row = w.window[x + 1] - 1
        while row > w.window[x] and w.opens[row] > t:
            row -= 1
        t = min(t, w.last[row])
        s.latest[x] = t
        there = w.node[x]


@jit
def _first_open(window: Ints, opens: Ints, last: Ints, x: int, t: int) -> int:
    """Return the earliest begin of visit ``x`` from ``t`` on by its windows, ``NONE`` if none."""
    for row in range(window[x], window[x + 1]):
        if t <= last[row]:
            return max(t, opens[row])
    return NONE


@jit
def _list_places(w: Work, s: State, x: int, prices: Ints, places: Ints) -> int:
    """List where visit ``x`` may fit by windows and shift, and at what price; return how many.

    A place is team times visits + 1, plus position. Prices are below the penalty of ``x``.
    """
    node, stay, begin, latest = w.node, w.stay, s.begin, s.latest
    window, opens, last = w.window, w.opens, w.last
    most, count, here, penalty, longer = s.load.max(), 0, node[x], w.penalty[x], stay[x]
    reach = np.empty(s.sizes.max() + 1, np.int64)
    for v in range(w.mode.size):
        if not w.allowed[x, v]:
            continue
        size, ways, route, toll, spare = (s.sizes[v], w.travel[w.mode[v]], s.routes[v],
                                          w.toll[x, v], most - s.load[v] - longer)
        # Read in a loop of its own, ways out of all corners of the table wait side by side.
        reach[0] = ways[w.start[v], here]
        for i in range(size):
            reach[i + 1] = ways[node[route[i]], here]
        before, free = w.start[v], w.ready[v]
        for i in range(size + 1):
            behind = w.end[v] if i == size else node[route[i]]
            there, back = reach[i], ways[here, behind]
            link = ways[before, behind] if i == size else s.way[route[i]]
            more = there + back - max(0, link)
            price = more + toll + w.balance * max(0, more - spare)
            if there >= 0 and back >= 0 and price < penalty:
                t = _first_open(window, opens, last, x, free + there)
                until = w.finish[v] if i == size else latest[route[i]]
                if t != NONE and t + longer + back <= until:
                    prices[count], places[count] = price, v * (begin.size + 1) + i
                    count += 1
            if i < size:
                before, free = behind, begin[route[i]] + stay[route[i]]
    return count


@jit
def _fits(w: Work, s: State, x: int, v: int, i: int, scratch: Ints) -> bool:
    """Return whether the route of team ``v`` can be with visit ``x`` at position ``i``."""
    own, best, trial, kept = scratch[0], scratch[1], scratch[2], scratch[3]
    size = s.sizes[v]
    for j in range(size):
        y = s.routes[v, j]
        trial[j + (j >= i)] = y
        kept[j] = s.begin[y]
        s.begin[y] = NONE
    trial[i] = x
    end, _, _ = time_route(w, v, trial, size + 1, s.begin, own, best)
    for j in range(size):
        s.begin[s.routes[v, j]] = kept[j]
    return end != NONE


@jit
def find_place(w: Work, s: State, x: int, scratch: Ints, luck: NDArray[np.uint64], blink: float
               ) -> tuple[int, int]:
    """Return team and position where visit ``x`` costs least, ``(NONE, NONE)`` if nowhere.

    Places are timed from the cheapest on until one holds. With ``blink`` above 0 a place is now
    and then not seen.
    """
    most = s.sizes.sum() + s.sizes.size
    prices, places = np.empty(most, np.int64), np.empty(most, np.int64)
    count = _list_places(w, s, x, prices, places)
    for _ in range(count):
        c = prices[:count].argmin()
        if prices[c] == FAR:
            break
        v, i = divmod(places[c], s.at.size + 1)
        if (blink <= 0 or draw(luck) >= blink) and _fits(w, s, x, v, i, scratch):
            return v, i
        prices[c] = FAR
    return NONE, NONE


@jit
def _take_out(w: Work, s: State, v: int, i: int, count: int) -> None:
    """Take ``count`` visits from position ``i`` on out of a route, without timing it."""
    for j in range(i, i + count):
        s.at[s.routes[v, j]] = NONE
        s.begin[s.routes[v, j]] = NONE
    for j in range(i + count, s.sizes[v]):
        s.routes[v, j - count] = s.routes[v, j]
    s.sizes[v] -= count


@jit
def _ruin(w: Work, s: State, near: NDArray[np.int32], scratch: Ints, luck: NDArray[np.uint64]
          ) -> None:
    """Take strings of visits out of routes near a visit drawn at random."""
    used = 0
    for v in range(s.sizes.size):
        used += s.sizes[v] > 0
    if used == 0:
        return
    mean = s.sizes.sum() / used
    longest = min(LONGEST_STRING, mean)
    strings = int(1 + draw(luck) * (4 * MEAN_RUINED / (1 + longest) - 1))
    ruined = np.zeros(s.sizes.size, np.bool_)
    seed = draw_below(luck, s.at.size)
    for rank in range(near.shape[1]):
        x = near[seed, rank]
        v = s.at[x]
        if v == NONE or ruined[v]:
            continue
        size = s.sizes[v]
        spot = 0
        while s.routes[v, spot] != x:
            spot += 1
        count = min(size, 1 + int(draw(luck) * min(longest, size)))
        low, high = max(0, spot - count + 1), min(spot, size - count)
        _take_out(w, s, v, low + draw_below(luck, high - low + 1), count)
        if not settle_route(w, s, v, scratch):
            # Where ways are missing, a shorter route may be impossible.
            _take_out(w, s, v, 0, s.sizes[v])
            settle_route(w, s, v, scratch)
        ruined[v] = True
        strings -= 1
        if strings == 0:
            break


@jit
def recreate(w: Work, s: State, keys: NDArray[np.float64], scratch: Ints,
             luck: NDArray[np.uint64], blink: float) -> None:
    """Put every visit that is not made where it costs least, in the order of ``keys``."""
    out = np.flatnonzero(s.at == NONE)
    for x in out[np.argsort(keys[out], kind="mergesort")]:
        v, i = find_place(w, s, x, scratch, luck, blink)
        if v == NONE:
            continue
        for j in range(s.sizes[v], i, -1):
            s.routes[v, j] = s.routes[v, j - 1]
        s.routes[v, i] = x
        s.sizes[v] += 1
        s.at[x] = v
        settle_route(w, s, v, scratch)


@jit
def _draw_keys(w: Work, ranks: NDArray[np.float64], luck: NDArray[np.uint64],
               keys: NDArray[np.float64]) -> None:
    """Draw the order of inserting: at random, dear first, tight first, far first."""
    kind = draw_below(luck, 4)
    for x in range(keys.size):
        noise = draw(luck)
        keys[x] = noise if kind == 3 else ranks[kind, x] + noise


@jit
def search_plan(w: Work, s: State, near: NDArray[np.int32], ranks: NDArray[np.float64],
                luck: NDArray[np.uint64], steps: int, heat: float) -> None:
    """Ruin and recreate ``steps`` times, accepted by falling temperature; ``s`` ends as the best.

    Parameters
    ----------
    w, s
        The work and a plan that keeps its rules.
    near
        Visits near each visit, the nearest first, shape (v, m).
    ranks
        Orders of inserting, shape (3, v), small first.
    luck
        State of the random numbers.
    steps, heat
        Number of steps, and the temperature at the first one in seconds.

    Notes
    -----
    The ruin is SISR's: Christiaens & Vanden Berghe, *Slack induction by string removals for
    vehicle routing problems*, Transportation Science 54 (2020).
    """
    scratch = np.full((4, max(1, s.at.size)), NONE)
    keys = np.empty(s.at.size, np.float64)
    now = State(s.routes.copy(), s.sizes.copy(), s.begin.copy(), s.at.copy(), s.latest.copy(),
                s.way.copy(), s.travel.copy(), s.load.copy())
    new = State(s.routes.copy(), s.sizes.copy(), s.begin.copy(), s.at.copy(), s.latest.copy(),
                s.way.copy(), s.travel.copy(), s.load.copy())
    least = cost = measure_cost(w, s)
    for step in range(steps):
        _ruin(w, new, near, scratch, luck)
        _draw_keys(w, ranks, luck, keys)
        recreate(w, new, keys, scratch, luck, BLINK)
        found = measure_cost(w, new)
        warmth = heat * COOLING ** (step / steps)
        if found < cost - warmth * np.log(max(draw(luck), 1e-300)):
            _copy(new, now)
            cost = found
            if found < least:
                _copy(new, s)
                least = found
        else:
            _copy(now, new)
