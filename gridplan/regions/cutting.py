"""``cut_graph``: the whole search told in a few steps."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gridplan.params import Effort as EffortName
from gridplan.regions.graph import (
    Cut,
    Graph,
    Status,
    net_of,
    number_regions,
    pieces_of,
    subgraph,
)
from gridplan.regions.kernels import seed_luck
from gridplan.regions.mending import mend
from gridplan.regions.proof import cover_exactly
from gridplan.regions.rescue import rescue_cut
from gridplan.regions.search import (
    EFFORTS,
    Labels,
    Spent,
    Task,
    mend_faulty,
    score,
    search_regions,
)
from gridplan.regions.superblocks import Groups, absorb_empty, fits

JOINS = 6  # groups drawn in around one that cannot be cut, before the whole graph is mended


def cut_graph(graph: Graph, low: int, high: int, *, effort: EffortName = "normal",
              seed: int = 1) -> Cut:
    """Cut a connected graph into connected regions of ``low..high`` households.

    Among cuts with the fewest regions out of range, one is looked for that does not straddle
    major edges where the superblocks between them can be cut alone, and among those one of
    little border. The number of regions is free.

    Parameters
    ----------
    graph
        Units and borders, connected.
    low, high
        Households of a region, both ends included.
    effort
        How hard to look; every effort ends in range where a way was found.
    seed
        Same graph, range, effort and seed: same labels.

    Returns
    -------
    Cut
        If no number of regions fits the total, ``max(1, total // low)`` regions, as near to the
        range as found.

    Raises
    ------
    ValueError
        The graph is not connected, or not 1 <= low <= high.

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
    spent = Spent()
    task = Task(net_of(graph.households, graph.u, graph.v, _whole_costs(graph.weight)),
                absorb_empty(graph), low, high, EFFORTS[effort], seed, spent=spent)
    if not fits(task.total, low, high):
        return _cut_of(graph, _cut_unfit(task), low, high, "count", spent)
    labels = _cut_groups(graph, task)
    status: Status = "ok"
    if score(task, labels)[0] > 0:
        labels, impossible = rescue_cut(graph, task, labels)
        if score(task, labels)[0] > 0:
            labels = _least_bad(task, labels)
            status = "enumeration" if impossible else "unproven"
    return _cut_of(graph, labels, low, high, status, spent)


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
    cut_graph(graph, 400, 900, effort="fast")
    cover_exactly(subgraph(graph, np.arange(3, 5, dtype=np.int32)), 20, 20)


def _whole_costs(weight: NDArray[np.float64]) -> NDArray[np.int64]:
    """Scale weights to whole numbers by a power of two, so that sums and ties are exact."""
    top = float(weight.max()) if weight.size else 0.0
    if top == 0.0:
        return np.zeros(weight.size, np.int64)
    scale = 2.0 ** (24 - np.ceil(np.log2(top)))
    return np.round(weight * scale).astype(np.int64)


def _cut_unfit(task: Task) -> Labels:
    """Cut into as many regions as have enough households each, no larger than they must be."""
    count = max(1, task.total // task.low)
    return search_regions(replace(task, count=count, high=max(task.high, -(-task.total // count))))


def _cut_groups(graph: Graph, task: Task) -> Labels:
    """Cut every group of superblocks alone; join those that cannot, and cut again."""
    groups = Groups(graph, task.merged, task.low, task.high)
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
        if score(part, cuts[group])[0] == 0 or len(groups.members) == 1:
            continue
        cuts[group], _ = rescue_cut(subgraph(graph, groups.members[group]), part, cuts[group])
        if score(part, cuts[group])[0] > 0 and joins.get(group, 0) < JOINS:
            kept, other = groups.join(group)
            joins[kept] = joins.pop(group, 0) + joins.pop(other, 0) + 1
            cuts.pop(group)
            cuts.pop(other, None)
            todo.appendleft(kept)
    labels = np.empty(graph.size, np.int32)
    used = 0
    for group, units in groups.members.items():
        labels[units] = used + cuts[group]
        used += int(cuts[group].max()) + 1
    return _cut_across(task, labels, len(groups.members))


def _cut_across(task: Task, labels: Labels, groups: int) -> Labels:
    """Where groups alone were not enough, mend over their borders, then cut all as one."""
    if groups == 1 or score(task, labels)[0] == 0:
        return number_regions(labels)
    mended = mend_faulty(task, task.net, labels, seed_luck(task.seed))
    if score(task, mended)[0] == 0:
        return mended
    return min(mended, search_regions(task), key=lambda found: score(task, found))


def _least_bad(task: Task, labels: Labels) -> Labels:
    """Look for fewer regions out of range, each of them further out."""
    fined = mend_faulty(replace(task, fine=task.high), task.net, labels, seed_luck(task.seed, 1))
    return min(labels, fined, key=lambda found: score(task, found))


def _cut_of(graph: Graph, labels: Labels, low: int, high: int, status: Status, spent: Spent) -> Cut:
    labels = number_regions(labels)
    people = np.bincount(labels, graph.households).astype(np.int64)
    return Cut(labels, people.size, float(graph.weight[labels[graph.u] != labels[graph.v]].sum()),
               int(((people < low) | (people > high)).sum()), status, spent.told())
