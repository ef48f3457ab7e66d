"""Fill the posts of a part as a flow of least cost: exact where people's room is a number of posts.

Every post sends its slots to people or leaves them vacant; everybody takes as many as her room
lets her. A flow counts posts, it cannot add up households or loads. So room is counted twice:
as the most posts that could fit (the smallest ones), which bounds every filling, and as the
most that fit whichever they are (the largest ones), which always makes a filling. Where nobody
can take two posts, both are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gridplan.assign.parts import Part
from gridplan.assign.problem import Bools, Ints

SPARE = 1.000001  # for the rounding of floats
ROUNDS = 6  # times that people who got too much are counted anew
LARGEST = 1 << 61  # cost of a path, scaled by the nodes, as the solver's whole numbers hold it


@dataclass(frozen=True, eq=False)
class Net:
    """Arcs with capacity, and what flows in at every node (negative: out)."""

    tail: Ints
    head: Ints
    room: Ints
    supply: Ints


@dataclass(frozen=True, eq=False)
class Counts:
    """How many posts everybody can take: those that could fit or, if ``sure``, fit always."""

    part: Part
    sure: Bools

    @cached_property
    def households(self) -> Ints:
        """Most posts by households and by number, shape (people,)."""
        part = self.part
        order = self._sort(part.size)
        total = _sum_within(part.person[order], part.size[order])
        fits = total <= part.room_households[part.person[order]]
        return np.minimum(part.room_posts, np.bincount(part.person[order][fits],
                                                       minlength=part.people))

    @cached_property
    def by_load(self) -> Ints:
        """Pairs by person, then by load as it is counted."""
        return self._sort(self.part.heavy)

    def within(self, most: int) -> Ints:
        """Return the most posts everybody can take with loads of at most ``most`` together."""
        person, heavy = self.part.person[self.by_load], self.part.heavy[self.by_load]
        light = heavy <= most
        fits = light & (_sum_within(person, np.where(light, heavy, 0)) <= most)
        return np.minimum(self.households, np.bincount(person[fits], minlength=self.part.people))

    def loads(self) -> Ints:
        """Return the largest loads that could be, in rising order."""
        rising = np.lexsort((self.part.heavy, self.part.person))
        total = _sum_within(self.part.person[rising], self.part.heavy[rising])
        return np.unique(np.concatenate([[0], self.part.heavy, total]))

    def _sort(self, weight: Ints) -> Ints:
        return np.lexsort((np.where(self.sure[self.part.person], -weight, weight),
                           self.part.person))


def _sum_within(group: Ints, values: Ints) -> Ints:
    """Return running sums that start anew with every group of a sorted row.

    >>> _sum_within(np.array([0, 0, 1, 1]), np.array([1, 2, 3, 4])).tolist()
    [1, 3, 3, 7]
    """
    total = np.cumsum(values)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    before = (total - values)[first]
    return total - np.repeat(before, np.diff(np.append(first, group.size)))


def flow_part(part: Part) -> tuple[Bools, dict[str, int]]:
    """Return a filling of a part, and bounds of all aims in turn.

    The filling is the best there is if it is worth as much as the bounds.
    """
    sure = np.zeros(part.people, np.bool_)
    taken, bound = _fill_counts(part, sure, 0)
    most = bound
    for nth in range(ROUNDS):
        over = part.carried(part.size, taken) > part.room_households
        if "balance" in part.order:
            over |= part.carried(part.heavy, taken) > most["balance"]
        if not over.any():
            break
        sure |= over | (nth == ROUNDS - 1)
        taken, most = _fill_counts(part, sure, most.get("balance", 0))
    return taken, bound


def bound_aim(part: Part, aim: str) -> int:
    """Return what no filling with as few vacant slots as a flow leaves can better in an aim."""
    alone = replace(part, order=("vacant", aim))
    return _fill_counts(alone, np.zeros(part.people, np.bool_), 0)[1][aim]


def _fill_counts(part: Part, sure: Bools, least: int) -> tuple[Bools, dict[str, int]]:
    """Return the best pairs by counts of posts, and what is reached in each aim by counts.

    Largest loads below ``least`` are not tried.
    """
    counts = Counts(part, sure)
    if "balance" not in part.order:
        chosen = _choose(part, counts.households, list(part.order), None)
        return chosen, part.measure_aims(chosen)
    before = list(part.order[:part.order.index("balance")])
    rest = [aim for aim in part.order if aim != "balance"]
    most = _balance(part, counts, before, least)
    chosen = _choose(part, counts.within(most), rest, most)
    return chosen, {**part.measure_aims(chosen), "balance": most}


def _balance(part: Part, counts: Counts, before: list[str], least: int) -> int:
    """Return the least largest load with which the aims before keep what they reach without."""
    def reach(most: int | None) -> tuple[tuple[int, ...], int]:
        room = counts.households if most is None else counts.within(most)
        worth = part.measure_aims(_choose(part, room, before, most))
        return tuple(worth[aim] for aim in before), worth["balance"]

    target, largest = reach(None)
    tried = counts.loads()
    if target[0] == 0:
        least = max(least, _load_of_neediest(part))
    if not counts.sure.any():
        tried = tried[tried <= largest]
    tried = tried[tried >= least]
    low, high, probe = -1, tried.size, 0
    while low + 1 < high:
        if reach(int(tried[probe]))[0] == target:
            high = probe
        else:
            low = probe
        probe = (low + high) // 2
    return int(tried[high]) if high < tried.size else part.all_heavy()


def _load_of_neediest(part: Part) -> int:
    """Return a load that somebody carries whenever all posts are filled."""
    order = np.lexsort((part.heavy, part.post))
    start = np.searchsorted(part.post[order], np.arange(part.slots.size))
    return int(part.heavy[order][start + part.slots - 1].max(initial=0))


def _choose(part: Part, room: Ints, aims: list[str], most: int | None) -> Bools:
    """Return the pairs of the flow that is best in these aims, then spreads the posts best."""
    net, costs = _lay_net(part, room, aims, most)
    return flow_in_turn(net, costs)[:part.pair.size] > 0


def _lay_net(part: Part, room: Ints, aims: list[str], most: int | None
             ) -> tuple[Net, list[Ints]]:
    """Lay posts, people and a sink: an arc for every pair, post (vacant) and post of a person."""
    posts, people = part.slots.size, part.people
    open_ = np.ones(part.pair.size, np.int64) if most is None else (
        part.heavy <= most).astype(np.int64)
    room = np.minimum(room, np.bincount(part.person, minlength=people))
    holder = np.repeat(np.arange(people), room)
    nth = np.arange(holder.size) - np.repeat(np.cumsum(room) - room, room)
    sink = posts + people
    net = Net(tail=np.concatenate([part.post, np.arange(posts), holder + posts]),
              head=np.concatenate([part.person + posts, np.full(posts + holder.size, sink)]),
              room=np.concatenate([open_, part.slots, np.ones_like(holder)]),
              supply=np.concatenate([part.slots, np.zeros(people, np.int64),
                                     [-part.slots.sum()]]))
    ends = np.zeros(posts + holder.size, np.int64)
    costs = [np.concatenate([part.costs[aim], ends]) for aim in aims]
    spread = np.concatenate([np.zeros(part.pair.size + posts, np.int64), nth])
    return net, [*costs, spread] if spread.any() else costs


def flow_in_turn(net: Net, costs: list[Ints], *, largest: int = LARGEST) -> Ints:
    """Return the flow that costs least by the first costs, then by the next, and so on.

    Costs are packed into one while the sums stay below ``largest``; what follows is decided
    among the best flows so far, which are those on arcs of reduced cost zero.

    Raises
    ------
    RuntimeError
        The solver finds no flow, which cannot be where every node has a way out.

    Examples
    --------
    >>> net = Net(*(np.array(x) for x in ([0, 0, 1, 2], [1, 2, 3, 3], [1, 1, 1, 1],
    ...                                   [1, 0, 0, -1])))
    >>> flow_in_turn(net, [np.array([2, 2, 0, 0]), np.array([1, 0, 0, 0])]).tolist()
    [0, 1, 0, 1]
    """
    fixed = np.zeros(net.tail.size, np.int64)
    waiting = list(costs)
    while True:
        cost, packed = _pack(net, waiting, largest // (net.supply.size + 2))
        flow = _solve(net, cost)
        waiting = waiting[packed:]
        if not waiting:
            return fixed + flow
        reduced = _reduce(net, cost, flow)
        full = np.where(reduced < 0, net.room, 0)
        fixed += full
        supply = net.supply.copy()
        np.subtract.at(supply, net.tail, full)
        np.add.at(supply, net.head, full)
        net = replace(net, room=np.where(reduced == 0, net.room, 0), supply=supply)


def _pack(net: Net, costs: list[Ints], largest: int) -> tuple[Ints, int]:
    """Return one cost that ranks flows as the first few do in turn, and how many those are."""
    cost, packed = costs[0], 1
    for following in costs[1:]:
        factor = 1 + _widest(net, following)
        if (int(np.abs(cost).max(initial=0)) + 1) * factor > largest:
            break
        cost, packed = cost * factor + following, packed + 1
    return cost, packed


def _widest(net: Net, cost: Ints) -> int:
    """Return what no two flows differ by more than in a cost.

    What a node sends that nothing flows into is its supply, whichever way it takes.
    """
    open_ = net.room > 0
    tail, cost, room = net.tail[open_], cost[open_], net.room[open_]
    entered = np.zeros(net.supply.size, np.bool_)
    entered[net.head[open_]] = True
    dearest = np.full(net.supply.size, np.iinfo(np.int64).min)
    cheapest = np.full(net.supply.size, np.iinfo(np.int64).max)
    np.maximum.at(dearest, tail, cost)
    np.minimum.at(cheapest, tail, cost)
    source = np.flatnonzero(~entered & (net.supply > 0))
    inner = entered[tail]
    # In floats, with some to spare, as whole numbers of 64 bits might not hold it.
    most = (np.subtract(dearest[source], cheapest[source], dtype=np.float64)
            @ net.supply[source].astype(np.float64)
            + np.abs(cost[inner]).astype(np.float64) @ room[inner].astype(np.float64))
    return int(most * SPARE) + 1


def _solve(net: Net, cost: Ints) -> Ints:
    from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

    solver = SimpleMinCostFlow()
    arcs = solver.add_arcs_with_capacity_and_unit_cost(net.tail, net.head, net.room, cost)
    solver.set_nodes_supplies(np.arange(net.supply.size), net.supply)
    state = solver.solve()
    if state != solver.OPTIMAL:
        raise RuntimeError(f"flow: the solver says {state}")
    return solver.flows(arcs)


def _reduce(net: Net, cost: Ints, flow: Ints) -> Ints:
    """Return reduced costs: positive where no best flow runs, negative where all are full."""
    onward, back = flow < net.room, flow > 0
    tail = np.concatenate([net.tail[onward], net.head[back]])
    head = np.concatenate([net.head[onward], net.tail[back]])
    step = np.concatenate([cost[onward], -cost[back]])
    order = np.argsort(head, kind="stable")
    tail, head, step = tail[order], head[order], step[order]
    start = np.flatnonzero(np.diff(head, prepend=-1))
    price = np.zeros(net.supply.size, np.int64)
    for _ in range(net.supply.size + 1):
        cheaper = price.copy()
        cheaper[head[start]] = np.minimum(cheaper[head[start]],
                                          np.minimum.reduceat(price[tail] + step, start))
        if np.array_equal(cheaper, price):
            break
        price = cheaper
    return cost + price[net.tail] - price[net.head]
