"""Serve the most demand where every site has room for so much (capacitated coverage).

How much open sites serve together is a flow: out of each site its room, into each demand its
weight. A demand may be shared out among sites; weights and rooms are whole numbers, and so are
the flows. Pirkul and Schilling (1991), The maximal covering location problem with capacities on
total workload.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from gridplan.siting.benders import MARGIN
from gridplan.siting.best import Work, round_down
from gridplan.siting.kernels import Bools, Floats, Ints, Rows, relax_room
from gridplan.siting.links import Links, check_sites, check_weight, make_rows, merge_demand, spread
from gridplan.siting.solution import Solution
from gridplan.siting.solver import Program, count_nodes, solve_whole

NOBODY: Sequence[int] = ()
LARGEST = 1 << 40  # sum of weights or a room, so that flows add up exactly
MOST_LINKS = 60_000  # a larger program is not begun
TRIED = 4  # sites whose flow is measured for each one that might be opened
ROUNDS_LINKS = 60_000_000  # links that the prices look at in all rounds together


@dataclass(frozen=True, eq=False)
class Rooms:
    """Sites with room, demands with weight, and which serve which."""

    by_site: Rows
    by_demand: Rows
    room: Ints
    weight: Ints
    kept: Ints

    def flow(self, opened: Sequence[int]) -> tuple[int, Ints]:
        """Return how much open sites serve at most, and what is left of each demand."""
        from ortools.graph.python.max_flow import SimpleMaxFlow

        rows = [slice(self.by_site.start[j], self.by_site.start[j + 1]) for j in opened]
        demand = np.concatenate([self.by_site.other[r] for r in rows]) if rows else (
            np.zeros(0, np.int64))
        if demand.size == 0:
            return 0, self.weight.copy()
        heard, row = np.unique(demand, return_inverse=True)
        sites = len(opened)
        first = np.repeat(np.arange(sites), [r.stop - r.start for r in rows])
        source, sink = sites + heard.size, sites + heard.size + 1
        tail = np.concatenate([np.full(sites, source), first, sites + np.arange(heard.size)])
        head = np.concatenate([np.arange(sites), sites + row, np.full(heard.size, sink)])
        most = np.concatenate([self.room[list(opened)], self.weight[demand], self.weight[heard]])
        solver = SimpleMaxFlow()
        arcs = solver.add_arcs_with_capacity(tail, head, most)
        if solver.solve(source, sink) != solver.OPTIMAL:
            raise RuntimeError("flow: the solver finds none")
        left = self.weight.copy()
        left[heard] -= solver.flows(arcs[-heard.size:])
        return int(solver.optimal_flow()), left

    def guess(self, left: Ints) -> Ints:
        """Return what each site could serve of what is left, if nobody else moved."""
        total = np.bincount(spread(self.by_site), left[self.by_site.other].astype(np.float64),
                            minlength=self.room.size)
        return np.minimum(self.room, total.astype(np.int64))


def serve_most(links: Links, weight: Sequence[float] | Floats, room: Sequence[float] | Floats,
               new: int, *, kept: Sequence[int] = NOBODY, forbidden: Sequence[int] = NOBODY,
               seed: int = 1, work: Work | None = None) -> Solution:
    """Choose at most ``new`` sites so that the most demand is served within their rooms.

    Maximise Σ f_ij with Σ_j f_ij ≤ w_i, Σ_i f_ij ≤ q_j x_j, f_ij ≤ w_i x_j, Σ x_j ≤ new.

    Parameters
    ----------
    links
        Which demand each site can serve.
    weight
        Of each demand: whole numbers, shape (demands,).
    room
        Of each site: whole numbers, shape (sites,); of kept sites what is left of it.
    kept
        Sites that are open in any case; they are not among the new ones.
    forbidden
        Sites that must not be chosen.

    Raises
    ------
    ValueError
        A weight, a room, a site or a number that cannot be.

    Examples
    --------
    >>> found = serve_most(Links([0, 2, 4], [0, 1, 1, 2], 3), [5, 1, 2], [4, 9], 1)
    >>> found.chosen.tolist(), found.value, found.before
    ([0], 4.0, 0.0)
    """
    weight = check_weight(weight, links.demands)
    space = check_weight(room, links.sites)
    held, barred = check_sites(links.sites, kept, forbidden)
    if new < 0 or (weight != np.round(weight)).any() or (space != np.round(space)).any() or (
            max(weight.sum(), space.max(initial=0)) > LARGEST):
        raise ValueError("weights, rooms and new are whole numbers from 0 up")
    work = work or Work()
    counts = (~barred & (space > 0))[links.site] & (weight > 0)[links.demand]
    site, demand, _, total = merge_demand(links.site[counts], links.demand[counts],
                                          np.ones(int(counts.sum())), weight)
    one = np.ones(site.size)
    rooms = Rooms(make_rows(site, demand, one, links.sites),
                  make_rows(demand, site, one, total.size), space.astype(np.int64),
                  total.astype(np.int64), np.flatnonzero(held))
    before = rooms.flow(rooms.kept.tolist())[0]
    chosen = _swap(rooms, _fill(rooms, [], new), work)
    got = rooms.flow([*rooms.kept.tolist(), *chosen])[0]
    chosen, got, bound = _prove(rooms, chosen, got, before, new, work, seed)
    order, gained = _rank(rooms, chosen)
    return Solution("serve", order, gained, float(got - before), bound - before, float(before),
                    bound < got + 1 - MARGIN)


def _try(rooms: Rooms, opened: list[int], tried: int) -> tuple[int, int]:
    """Return the site that adds most to open ones, among those that promise most, and the flow."""
    base, left = rooms.flow(opened)
    promise = rooms.guess(left)
    promise[opened] = -1
    if promise.max(initial=-1) <= 0:  # then only moving others can help
        promise = rooms.guess(rooms.weight)
        promise[opened] = -1
    best, most = -1, base
    for j in np.argsort(-promise, kind="stable")[:tried].tolist():
        if promise[j] <= 0:
            break
        value = rooms.flow([*opened, j])[0]
        if value > most:
            best, most = j, value
    return best, most


def _fill(rooms: Rooms, chosen: list[int], new: int) -> list[int]:
    """Open the site that adds most, time after time."""
    chosen = list(chosen)
    while len(chosen) < new:
        j, _ = _try(rooms, [*rooms.kept.tolist(), *chosen], TRIED)
        if j < 0:
            break
        chosen.append(j)
    return chosen


def _swap(rooms: Rooms, chosen: list[int], work: Work) -> list[int]:
    """Swap a new site for another as long as that serves more."""
    kept = rooms.kept.tolist()
    value, since, x = rooms.flow([*kept, *chosen])[0], 0, 0
    for _ in range(work.shakes):
        if since >= len(chosen) or value == int(rooms.weight.sum()):
            break
        others = chosen[:x] + chosen[x + 1:]
        j, now = _try(rooms, [*kept, *others], TRIED)
        if j >= 0 and now > value:
            chosen, value, since = [*chosen[:x], j, *chosen[x + 1:]], now, 0
        else:
            since += 1
        x = (x + 1) % max(len(chosen), 1)
    return chosen


def _rank(rooms: Rooms, chosen: list[int]) -> tuple[Ints, Floats]:
    """Put sites in order: the one that adds most, then the one that adds most to it."""
    opened, left = rooms.kept.tolist(), sorted(chosen)
    order: list[int] = []
    adds: list[float] = []
    value = rooms.flow(opened)[0]
    while left:
        flows = [rooms.flow([*opened, j])[0] for j in left]
        best = int(np.argmax(flows))
        adds.append(float(flows[best] - value))
        value = flows[best]
        order.append(left.pop(best))
        opened = [*opened, order[-1]]
    return np.array(order, np.int64), np.array(adds, np.float64)


def _prove(rooms: Rooms, chosen: list[int], got: int, before: int, new: int, work: Work,
           seed: int) -> tuple[list[int], int, float]:
    """Bound what can be served, and where the program is small enough, solve it.

    No site adds more to what was served before than it could serve alone.
    """
    top = float(rooms.weight[np.diff(rooms.by_demand.start) > 0].sum())
    kept = np.isin(np.arange(rooms.room.size), rooms.kept)
    new = min(new, int((~kept).sum()))
    if got >= top or new == 0:
        return chosen, got, float(got)
    goal = got + 1 - MARGIN
    rounds = min(work.prices, max(ROUNDS_LINKS // max(rooms.by_site.other.size, 1), 50))
    limit, _, above = relax_room(np.full(rooms.weight.size, 0.5), rooms.weight.astype(np.float64),
                                 rooms.room.astype(np.float64), kept, new, goal, rounds,
                                 rooms.by_site)
    alone = np.minimum(rooms.room, rooms.guess(rooms.weight))[~kept]
    more = float(np.sort(alone)[::-1][:new].sum())
    bound = round_down(min(top, limit, before + more), True)
    if bound < goal:
        return chosen, got, float(max(bound, got))
    last = np.sort(above[~kept])[::-1][new - 1]
    left = kept | (limit - np.maximum(last - above, 0.0) >= goal - 1e-9 * limit)
    left[chosen] = True
    taken = left[spread(rooms.by_site)]
    if int(taken.sum()) > MOST_LINKS:
        return chosen, got, bound
    program, sites = _state_flow(rooms, taken, np.flatnonzero(left), kept, new)
    opened = np.isin(sites, chosen) | kept[sites]
    hint = np.concatenate([opened.astype(np.float64), np.zeros(int(taken.sum()))])
    found = solve_whole(program, hint, slack=1 - 2 * MARGIN, seed=seed,
                        nodes=count_nodes(program, work.nodes))
    if found.x is not None:
        better = [j for j in sites[found.x[:sites.size] > 0.5].tolist() if not kept[j]]
        value = rooms.flow([*rooms.kept.tolist(), *better])[0]
        if value > got:
            chosen, got = better, value
    return chosen, got, max(float(got), min(bound, round_down(found.bound, True)))


def _state_flow(rooms: Rooms, taken: Bools, sites: Ints, kept: Bools, new: int
                ) -> tuple[Program, Ints]:
    """Write down the program of some sites: whether each is open, then what flows."""
    site = np.searchsorted(sites, spread(rooms.by_site)[taken])
    demand = rooms.by_site.other[taken]
    heard, row = np.unique(demand, return_inverse=True)
    count, flows = sites.size, site.size
    flow, room = count + np.arange(flows), rooms.room[sites].astype(np.float64)
    weight = rooms.weight[demand].astype(np.float64)
    full, linked, last = heard.size, heard.size + count, heard.size + count + flows
    rows = np.concatenate([row, full + site, full + np.arange(count), linked + np.arange(flows),
                           linked + np.arange(flows), np.full(count, last)])
    columns = np.concatenate([flow, flow, np.arange(count), flow, site, np.arange(count)])
    most = np.minimum(weight, room[site])
    values = np.concatenate([np.ones(2 * flows), -room, np.ones(flows), -most,
                             (~kept[sites]).astype(np.float64)])
    entries = sparse.csr_matrix((values, (rows, columns)), (last + 1, count + flows))
    whole = np.arange(count + flows) < count
    return Program(
        worth=np.where(whole, 0.0, 1.0), rows=entries,
        most=np.concatenate([rooms.weight[heard].astype(np.float64), np.zeros(count + flows),
                             [float(new)]]),
        low=np.concatenate([kept[sites].astype(np.float64), np.zeros(flows)]),
        high=np.concatenate([np.ones(count), most]), whole=whole), sites
