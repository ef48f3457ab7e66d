"""``cut_graph``: the whole search told in a few steps."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gridplan.params import Effort as EffortName
from gridplan.regions.counting import join_groups, share_count
from gridplan.regions.graph import (
    Cut,
    Graph,
    Status,
    net_of,
    number_regions,
    pieces_of,
    subgraph,
)
from gridplan.regions.kernels import NO_TOLL, seed_luck
from gridplan.regions.mending import mend
from gridplan.regions.proof import cover_exactly
from gridplan.regions.rescue import rescue_cut
from gridplan.regions.search import (
    EFFORTS,
    Labels,
    Task,
    mend_faulty,
    score,
    search_regions,
)
from gridplan.regions.settling import settle_small
from gridplan.regions.superblocks import Groups, absorb_empty, fits

JOINS = 6  # groups drawn in around one that cannot be cut, before the whole graph is mended


def cut_graph(graph: Graph, low: int, high: int, *, effort: EffortName = "normal",
              seed: int = 1, count: int | None = None, toll: NDArray[np.float64] | None = None,
              apart: bool = True) -> Cut:
    """Cut a connected graph into connected regions of ``low..high`` households.

    Among cuts with the fewest regions out of range, one is looked for that does not straddle
    major edges where the superblocks between them can be cut alone, and among those one of
    little border and toll.

    Parameters
    ----------
    graph
        Units and borders, connected.
    low, high
        Households of a region, both ends included.
    effort
        How hard to look; every effort ends in range where a way was found.
    seed
        Same graph, range, effort, seed and options: same labels.
    count
        Exactly so many regions; None leaves the number free.
    toll
        What a region costs by its households, in the unit of the weights: ``toll[h]``, and beyond
        the end the last value.
    apart
        Whether major edges matter; if not, the graph is cut as one.

    Returns
    -------
    Cut
        If no number of regions fits the total, ``max(1, total // low)`` regions, as near to the
        range as found.

    Raises
    ------
    ValueError
        The graph is not connected, not 1 <= low <= high, the total cannot be divided into
        ``count`` regions in range, or a toll is negative or not finite.

    Examples
    --------
    >>> path = Graph([200, 200, 400], [0, 1], [1, 2], [5.0, 9.0], [False, False])
    >>> cut = cut_graph(path, 300, 500)
    >>> cut.labels.tolist(), cut.border, cut.status
    ([0, 0, 1], 9.0, 'ok')
    """
    if not 1 <= low <= high:
        raise ValueError(f"range {low}..{high}: 1 <= low <= high is needed")
    if pieces_of(graph.size, graph.u, graph.v).any():
        raise ValueError("graph: not connected; cut its components one by one")
    prices = _check_toll(toll)
    if not apart:
        graph = replace(graph, major=np.zeros(graph.u.size, np.bool_))
    cost, whole_toll = _whole_costs(graph.weight, prices, low, high)
    task = Task(net_of(graph.households, graph.u, graph.v, cost), absorb_empty(graph), low, high,
                EFFORTS[effort], seed, count, toll=whole_toll)
    _check_count(task)
    groups = np.zeros(graph.size, np.int32)
    if not fits(task.total, low, high):
        return _cut_of(graph, task, _cut_unfit(task), groups, prices, "count")
    labels, groups = _cut_groups(graph, task)
    status: Status = "ok"
    if score(task, task.net, labels)[0] > 0:
        labels, impossible = rescue_cut(graph, task, labels)
        if score(task, task.net, labels)[0] > 0:
            labels = _least_bad(task, labels)
            status = "enumeration" if impossible else "unproven"
    return _cut_of(graph, task, labels, groups, prices, status)


def is_compiled() -> bool:
    """Tell whether the kernels were compiled on this machine before, so that they load at once."""
    cache = mend.stats.cache_path
    return cache is not None and any(Path(cache).glob("mending.mend-*.nbi"))


def warm_up() -> None:
    """Compile every kernel on a toy graph, or load them from the cache."""
    side = 12
    number = np.arange(side * side).reshape(side, side)
    u = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    v = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    people = np.full(number.size, 10)
    people[:3] = 0
    graph = Graph(people, u, v, np.ones(u.size), np.zeros(u.size, bool))
    cut_graph(graph, 400, 900)
    cover_exactly(subgraph(graph, np.arange(3, 5, dtype=np.int32)), 20, 20)


def _check_toll(toll: NDArray[np.float64] | None) -> NDArray[np.float64]:
    prices = np.zeros(0) if toll is None else np.asarray(toll, np.float64)
    if prices.ndim != 1 or not bool((np.isfinite(prices) & (prices >= 0)).all()):
        raise ValueError("toll: one finite number per household count is needed, none negative")
    return prices


def _check_count(task: Task) -> None:
    count = task.count
    if count is not None and not (1 <= count <= task.net.people.size
                                  and task.low * count <= task.total <= task.high * count):
        raise ValueError(f"count: {task.net.people.size} units of {task.total} households cannot "
                         f"be {count} regions of {task.low}..{task.high}")


def _whole_costs(weight: NDArray[np.float64], toll: NDArray[np.float64], low: int, high: int
                 ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Scale weights and tolls to whole numbers by a power of two: sums and ties are exact.

    Tolls outside the range do not count for the scale; they are held to what sums can carry.
    """
    if toll.size == 0 or not toll.any():
        toll = np.zeros(0)
    top = float(max(weight.max(initial=0.0), toll[low:high + 1].max(initial=0.0)))
    scale = 2.0 ** (24 - np.ceil(np.log2(top))) if top > 0 else 1.0
    tolls = np.round(np.minimum(toll * scale, 2.0 ** 40)).astype(np.int64)
    return np.round(weight * scale).astype(np.int64), tolls if tolls.size else NO_TOLL


def _cut_unfit(task: Task) -> Labels:
    """Cut into as many regions as have enough households each, no larger than they must be."""
    count = max(1, task.total // task.low)
    return search_regions(replace(task, count=count, high=max(task.high, -(-task.total // count))))


def _cut_groups(graph: Graph, task: Task) -> tuple[Labels, Labels]:
    """Cut every group of superblocks alone; join those that cannot, and cut again.

    Returns the labels and the groups no region of them leaves.
    """
    groups = Groups(graph, task.merged, task.low, task.high)
    if task.count is not None:
        return _cut_counted(graph, task, groups)
    place = np.full(graph.size, -1, np.int32)
    cuts: dict[int, Labels] = {}
    joins: dict[int, int] = {}
    todo = deque(sorted(groups.members, key=lambda group: groups.members[group].size))
    while todo:
        group = todo.popleft()
        if group in cuts or group not in groups.members:
            continue
        part = task.part(groups.members[group], place)
        task.spent.groups += 1
        cuts[group] = search_regions(part)
        if score(part, part.net, cuts[group])[0] == 0:
            if task.effort.settles:
                cuts[group] = settle_small(subgraph(graph, groups.members[group]), part,
                                           cuts[group])
            continue
        if len(groups.members) == 1:
            continue
        cuts[group], _ = rescue_cut(subgraph(graph, groups.members[group]), part, cuts[group])
        if score(part, part.net, cuts[group])[0] > 0 and joins.get(group, 0) < JOINS:
            kept, other = groups.join(group)
            joins[kept] = joins.pop(group, 0) + joins.pop(other, 0) + 1
            cuts.pop(group)
            cuts.pop(other, None)
            todo.appendleft(kept)
    return _lay_together(task, groups, cuts)


def _cut_counted(graph: Graph, task: Task, groups: Groups) -> tuple[Labels, Labels]:
    """Cut every group alone into its share of the regions; all as one where there are no shares."""
    sizes = [units.size for units in groups.members.values()]
    people = [int(graph.households[units].sum()) for units in groups.members.values()]
    assert task.count is not None
    shares = share_count(people, sizes, task.low, task.high, task.count)
    place = np.full(graph.size, -1, np.int32)
    if shares is None:
        return search_regions(task), np.zeros(graph.size, np.int32)
    cuts: dict[int, Labels] = {}
    for (group, units), share in zip(groups.members.items(), shares, strict=True):
        part = replace(task.part(units, place), count=share)
        task.spent.groups += 1
        cuts[group] = search_regions(part)
        if score(part, part.net, cuts[group])[0] > 0:
            cuts[group], _ = rescue_cut(subgraph(graph, units), part, cuts[group])
    return _lay_together(task, groups, cuts)


def _lay_together(task: Task, groups: Groups, cuts: dict[int, Labels]) -> tuple[Labels, Labels]:
    labels = np.empty(task.net.people.size, np.int32)
    number = np.empty(task.net.people.size, np.int32)
    used = 0
    for group, units in groups.members.items():
        labels[units] = used + cuts[group]
        number[units] = group
        used += int(cuts[group].max()) + 1
    labels = _cut_across(task, labels, len(groups.members))
    return labels, number_regions(number)


def _cut_across(task: Task, labels: Labels, groups: int) -> Labels:
    """Where groups alone were not enough, mend over their borders, then cut all as one."""
    if groups == 1 or score(task, task.net, labels)[0] == 0:
        return number_regions(labels)
    mended = mend_faulty(task, task.net, labels, seed_luck(task.seed))
    if score(task, task.net, mended)[0] == 0:
        return mended
    return min(mended, search_regions(task), key=lambda found: score(task, task.net, found))


def _least_bad(task: Task, labels: Labels) -> Labels:
    """Look for fewer regions out of range, each of them further out."""
    fined = mend_faulty(replace(task, fine=task.high), task.net, labels, seed_luck(task.seed, 1))
    return min(labels, fined, key=lambda found: score(task, task.net, found))


def _cut_of(graph: Graph, task: Task, labels: Labels, groups: Labels, prices: NDArray[np.float64],
            status: Status) -> Cut:
    labels = number_regions(labels)
    people = np.bincount(labels, graph.households).astype(np.int64)
    paid = prices[np.minimum(people, prices.size - 1)].sum() if prices.size else 0.0
    return Cut(labels, people.size, float(graph.weight[labels[graph.u] != labels[graph.v]].sum()),
               int(((people < task.low) | (people > task.high)).sum()), status, task.spent.told(),
               join_groups(groups, labels), float(paid))
