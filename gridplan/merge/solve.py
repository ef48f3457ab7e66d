"""The story of a proposal: bounds, a first good division, then the exact model where it fits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridplan.merge.cover import SIZES, WORK, Limit, Model
from gridplan.merge.groups import FEW, Groups, list_groups
from gridplan.merge.patchwork import Patchwork, Score
from gridplan.merge.search import move_fewer, shrink_largest
from gridplan.params import Effort

Ints = NDArray[np.int64]

# Moves of the search for each patch, and deterministic seconds of each question to the exact
# model, by effort. Few patches need no search.
STEPS: dict[Effort, int] = {"fast": 1_000, "normal": 8_000, "best": 80_000}
_ROOMY = 1.5
SECONDS: dict[Effort, float] = {"fast": WORK / 4, "normal": WORK, "best": 4 * WORK}


@dataclass(frozen=True, eq=False)
class Division:
    """A division of the patches into connected groups.

    Attributes
    ----------
    label
        Group of every patch, 0 … count - 1 by first appearance.
    score
        What it is judged by.
    bound
        Below these no division can be, each given the ones before it at their values.
    proven
        Whether each of the three meets its bound.
    """

    label: Ints
    score: Score
    bound: Score
    proven: tuple[bool, bool, bool]


def divide_patches(patches: Patchwork, count: int, *, slack: float = 0.0,
                   effort: Effort = "normal", seed: int = 1) -> Division:
    """Divide the patches into exactly ``count`` connected groups.

    The largest group is as small as possible; with it (or up to ``slack`` more, as a share) as
    few households as possible move; with these the borders are as short as possible.

    Parameters
    ----------
    count
        At least the number of connected pieces, at most that of patches.

    Raises
    ------
    ValueError
        No division into ``count`` connected groups exists.

    Examples
    --------
    >>> row = Patchwork.of([3, 4, 1, 5], [0, 1, 2], [1, 2, 3], [500, 500, 500])
    >>> divide_patches(row, 2).label.tolist()
    [0, 0, 1, 1]
    """
    pieces = int(patches.pieces().max()) + 1
    if not pieces <= count <= patches.size:
        raise ValueError(f"{patches.size} patches in {pieces} pieces: no {count} groups")
    floor = least_cap(patches, count)
    few = patches.size <= FEW
    steps, work = 0 if few else STEPS[effort] * patches.size, SECONDS[effort]
    label = shrink_largest(patches, count, floor, seed=seed, steps=steps // 2)
    label, floor = _lower_largest(patches, label, floor, work, seed)
    largest = patches.score(label).largest
    cap = int(largest * (1 + slack))
    label = move_fewer(patches, label, cap, seed=seed, steps=steps // 2)
    score = patches.score(label)
    bound = Score(min(floor, score.largest), least_moved(patches, count, cap), 0)
    found = Division(label, score, bound, (largest <= floor, score.moved <= bound.moved, False))
    return _polish(patches, found, cap, work, seed)


def least_cap(patches: Patchwork, count: int) -> int:
    """Return a number of households below which no largest group can be, by number alone.

    No group is smaller than its largest patch, and a piece of W households needs W / cap groups.

    >>> least_cap(Patchwork.of([4, 4, 4, 9], [0, 1], [1, 2], [100, 100]), 3)
    9
    """
    held = np.bincount(patches.pieces(), patches.people).astype(np.int64)
    low, high = int(patches.people.max()), int(held.max())
    while low < high:
        middle = (low + high) // 2
        if np.maximum(-(-held // max(middle, 1)), 1).sum() <= count:
            high = middle
        else:
            low = middle + 1
    return low


def least_floor(patches: Patchwork, count: int, cap: int) -> Ints:
    """Return for each patch a number of households that its group must have at least.

    The other groups of its piece hold at most ``cap`` each, and the other pieces need groups too.
    """
    piece = patches.pieces()
    held = np.bincount(piece, patches.people).astype(np.int64)
    need = np.maximum(-(-held // max(cap, 1)), 1)
    most = count - (need.sum() - need)
    low: Ints = np.maximum(held - (most - 1) * cap, 0)[piece]
    return low


def least_moved(patches: Patchwork, count: int, cap: int) -> int:
    """Return how many households must move at least, by number alone.

    Every piece keeps as many communities as it needs groups under ``cap``; beyond these the
    largest ones stay.
    """
    piece = patches.pieces()
    held = np.bincount(piece, patches.people).astype(np.int64)
    need = np.maximum(-(-held // max(cap, 1)), 1)
    order = np.lexsort((-patches.biggest, piece))
    rank = np.arange(len(order)) - np.searchsorted(piece[order], piece[order])
    must = rank < need[piece[order]]
    most = patches.biggest[order]
    spare = np.sort(most[~must])[::-1][:max(0, count - int(must.sum()))]
    return max(0, int(patches.people.sum() - most[must].sum() - spare.sum()))


def _lower_largest(patches: Patchwork, label: Ints, floor: int, work: float,
                   seed: int) -> tuple[Ints, int]:
    """Look for a smaller largest group exactly; return the division and what bounds it."""
    count, largest = int(label.max()) + 1, patches.score(label).largest
    if largest <= floor:
        return label, floor
    groups = list_groups(patches, largest, least_floor(patches, count, largest))
    if groups is None:
        return label, floor
    sums = np.unique(groups.people)
    low, high = int(np.searchsorted(sums, floor)), len(sums) - 1
    while low < high:  # by fractions first, which is quick
        middle = (low + high) // 2
        if Model(_under(patches, groups, count, int(sums[middle])), patches.size,
                 count).can_relax():
            high = middle
        else:
            low = middle + 1
    floor, high, proven, first = int(sums[low]), len(sums) - 1, True, True
    while low < high:
        # What fractions can do, whole groups often can.
        middle, first = low if first else (low + high) // 2, False
        held = _under(patches, groups, count, int(sums[middle]))
        found = Model(held, patches.size, count).find_any(work, seed)
        if found.chosen is not None:
            label = held.label(found.chosen, patches.size)
            high = int(np.searchsorted(sums, patches.score(label).largest))
            continue
        low, proven = middle + 1, proven and found.proven
        if proven:
            floor = int(sums[low])
    return label, floor


def _under(patches: Patchwork, groups: Groups, count: int, cap: int) -> Groups:
    """Return the groups that a division without groups above ``cap`` can use."""
    floor = least_floor(patches, count, cap)[groups.member[groups.start[:-1]]]
    return groups.take((groups.people <= cap) & (groups.people >= floor))


def _polish(patches: Patchwork, start: Division, cap: int, work: float, seed: int) -> Division:
    """Ask the exact model for fewer moved households, then for shorter borders."""
    count = int(start.label.max()) + 1
    groups, whole = list_groups(patches, cap, least_floor(patches, count, cap)), True
    while groups is None:
        # Not all groups can be listed: those that can may still hold a better division.
        whole, cap = False, cap * 3 // 4
        if cap * count < _ROOMY * int(patches.people.sum()):
            return start
        groups = list_groups(patches, cap)
    if not whole:
        groups = groups.with_division(start.label, patches)
    model, border = Model(groups, patches.size, count), -groups.inner
    known = groups.find(start.label)
    relaxed = model.relax(groups.moved)
    least = start.bound.moved if relaxed.value is None or not whole else max(
        start.bound.moved, math.ceil(relaxed.value - 1e-3))
    reached = known if start.score.moved <= least else None
    # A guess that holds as a rule; where it does not, to prove that would take long.
    shortest = model.minimise(border, Limit(groups.moved, least), reached, work, seed,
                              SIZES if reached is not None else SIZES[:1])
    if reached is None and shortest.chosen is not None and not shortest.proven:
        shortest = model.minimise(border, Limit(groups.moved, least), shortest.chosen, work, seed)
    if shortest.chosen is None:  # so few cannot be moved, or it was not found
        fewest = model.minimise(groups.moved, None, known, work, seed)
        known = fewest.chosen
        least = max(least, fewest.bound) if whole else start.bound.moved
        shortest = model.minimise(border, Limit(groups.moved, fewest.value), known, work, seed)
    assert shortest.chosen is not None
    label = groups.label(shortest.chosen, patches.size)
    score = patches.score(label)
    moved = score.moved <= least
    final = start.proven[0] and moved and whole and shortest.proven
    all_cm = int(patches.length_cm.sum())
    return Division(label, score, Score(start.bound.largest, min(least, score.moved),
                                        all_cm + shortest.bound if whole else 0),
                    (start.proven[0], moved, final))
