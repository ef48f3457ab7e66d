"""A fixed number of regions: shares for groups that are cut alone, and the number kept."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from gridplan.regions.graph import number_regions, pieces_of, subnet
from gridplan.regions.kernels import Net, Rules, seed_luck
from gridplan.regions.trees import recut

Labels = NDArray[np.int32]


def share_count(people: list[int], units: list[int], low: int, high: int, count: int
                ) -> list[int] | None:
    """Divide ``count`` regions among groups of ``people`` in ``units``, as evenly as ranges allow.

    Returns None if the groups together need more or hold less.

    >>> share_count([900, 2100], [9, 9], 300, 500, 8)
    [2, 6]
    >>> share_count([900, 900], [9, 9], 300, 500, 3) is None
    True
    """
    shares = [max(1, -(-total // high)) for total in people]
    most = [min(total // low, size) for total, size in zip(people, units, strict=True)]
    if sum(shares) > count or sum(most) < count or any(
            least > top for least, top in zip(shares, most, strict=True)):
        return None
    queue = [(-total / (2 * share + 1), group) for group, (total, share, top)
             in enumerate(zip(people, shares, most, strict=True)) if share < top]
    heapq.heapify(queue)
    for _ in range(count - sum(shares)):
        _, group = heapq.heappop(queue)
        shares[group] += 1
        if shares[group] < most[group]:
            heapq.heappush(queue, (-people[group] / (2 * shares[group] + 1), group))
    return shares


def settle_count(net: Net, labels: Labels, count: int, rules: Rules) -> Labels:
    """Split the fullest or join the emptiest regions until there are exactly ``count``."""
    labels = number_regions(labels)
    while (regions := int(labels.max()) + 1) != count:
        people = np.bincount(labels, net.people, regions)
        if regions < count:
            people[np.bincount(labels) == 1] = -1.0
            units = np.flatnonzero(labels == people.argmax()).astype(np.int32)
            part = subnet(net, units, np.full(labels.size, -1, np.int32))
            halves = np.empty(units.size, np.int32)
            recut(part, units.size, 2, rules, halves, seed_luck(units.size))
            labels[units[halves == 1]] = regions
        else:
            one, two = labels[net.u], labels[net.v]
            apart = np.flatnonzero(one != two)
            pair = apart[np.argmin((people[one] + people[two])[apart])]
            labels[labels == two[pair]] = one[pair]
        labels = number_regions(labels)
    return labels


def join_groups(groups: Labels, labels: Labels) -> Labels:
    """Join groups that share a region; numbers by first appearance.

    >>> join_groups(np.array([0, 0, 1, 2], np.int32), np.array([0, 1, 1, 2], np.int32)).tolist()
    [0, 0, 0, 1]
    """
    count = int(groups.max()) + 1
    both = pieces_of(count + int(labels.max()) + 1, groups, (labels + count).astype(np.int32))
    return number_regions(both[groups])
