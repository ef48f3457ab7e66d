"""Every connected group of communities under a cap, one by one: the columns of the exact model.

Compiled code is kept beside the file; each kernel is the twin of a plain search in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from gridplan.merge.patchwork import Patchwork, number_labels

Ints = NDArray[np.int64]

jit = numba.njit(cache=True, error_model="numpy")
# What is enumerated at most: steps of the search, groups kept, members of all groups together.
STEPS = 60_000_000
GROUPS = 1_500_000
# So few patches are gone through without compiled code, which would take longer to load.
FEW = 16
MEMBERS = 15_000_000


@dataclass(frozen=True)
class Groups:
    """Connected groups: group ``g`` has the members ``member[start[g]:start[g + 1]]``.

    ``people`` are its households, ``moved`` those that change their community if it is joined,
    ``inner`` the centimetres of border that vanish with it.
    """

    start: Ints
    member: Ints
    people: Ints
    moved: Ints
    inner: Ints

    def __len__(self) -> int:
        return len(self.people)

    def take(self, keep: NDArray[np.bool_]) -> Groups:
        """Return the groups where ``keep`` is true."""
        size = np.diff(self.start)
        start = np.concatenate([[0], np.cumsum(size[keep])])
        return Groups(start, self.member[np.repeat(keep, size)], self.people[keep],
                      self.moved[keep], self.inner[keep])

    def of(self, group: int) -> Ints:
        """Return the members of one group."""
        return self.member[self.start[group]:self.start[group + 1]]

    def label(self, chosen: Ints, size: int) -> Ints:
        """Return the division of ``size`` patches that some groups make, numbered in order."""
        out = np.empty(size, np.int64)
        for group in chosen.tolist():
            out[self.of(group)] = group
        return number_labels(out)

    def find(self, label: Ints) -> Ints | None:
        """Return the groups that a division consists of; None where one is not among them."""
        mark = np.random.Generator(np.random.PCG64(1)).integers(1, 2**63, len(label))
        sums = np.add.reduceat(mark[self.member], self.start[:-1])
        wanted = np.zeros(int(label.max()) + 1, np.int64)
        np.add.at(wanted, label, mark)
        order = np.argsort(sums, kind="stable")
        place = np.searchsorted(sums[order], wanted)
        if (place == len(order)).any() or (sums[order[place]] != wanted).any():
            return None
        return np.sort(order[place])

    def with_division(self, label: Ints, patches: Patchwork) -> Groups:
        """Return these groups and those of a division, which may come twice."""
        order = np.argsort(label, kind="stable")
        size = np.bincount(label)
        people, most = np.zeros(len(size), np.int64), np.zeros(len(size), np.int64)
        inner = np.zeros(len(size), np.int64)
        np.add.at(people, label, patches.people)
        np.maximum.at(most, label, patches.biggest)
        inside = label[patches.u] == label[patches.v]
        np.add.at(inner, label[patches.u[inside]], patches.length_cm[inside])
        return Groups(np.concatenate([self.start, self.start[-1] + np.cumsum(size)]),
                      np.concatenate([self.member, order]), np.append(self.people, people),
                      np.append(self.moved, people - most), np.append(self.inner, inner))


def list_groups(patches: Patchwork, cap: int, floor: Ints | int = 0, *, steps: int = STEPS
                ) -> Groups | None:
    """Return every connected group of at most ``cap`` households; None where there are too many.

    Parameters
    ----------
    floor
        Groups below this many households are left out, one number for all or one by patch.
    steps
        How many groups may be looked at.

    Examples
    --------
    >>> path = Patchwork.of([3, 2, 1], [0, 1], [1, 2], [100, 100])
    >>> groups = list_groups(path, cap=5)
    >>> [groups.of(g).tolist() for g in range(len(groups))]
    [[0], [0, 1], [1], [1, 2], [2]]
    """
    if patches.size <= FEW:
        return list_plainly(patches, cap, floor)
    floors = np.broadcast_to(np.asarray(floor, np.int64), patches.people.shape).copy()
    net = patches.rows()
    looked, kept, members = _count(*net, patches.people, cap, floors, steps, GROUPS, MEMBERS)
    if looked > steps or kept > GROUPS or members > MEMBERS:
        return None
    return Groups(*_fill(*net, patches.people, patches.biggest, cap, floors, kept, members))


def list_plainly(patches: Patchwork, cap: int, floor: Ints | int = 0) -> Groups:
    """Do as :func:`list_groups` in plain Python: for few patches, and to compare it with."""
    start, other, length = patches.rows()
    near = [dict(zip(other[start[x]:start[x + 1]].tolist(), length[start[x]:start[x + 1]].tolist(),
                     strict=True)) for x in range(patches.size)]
    people, biggest = patches.people.tolist(), patches.biggest.tolist()
    floors = np.broadcast_to(np.asarray(floor, np.int64), patches.people.shape).tolist()
    found: list[list[int]] = []

    def grow(held: list[int], total: int, frontier: list[int], seen: set[int]) -> None:
        if total >= floors[held[0]]:
            found.append(held)
        for k, x in enumerate(frontier):
            if total + people[x] <= cap:
                new = [y for y in near[x] if y > held[0] and y not in seen]
                grow([*held, x], total + people[x], frontier[k + 1:] + new, seen | set(new))

    for root in range(patches.size):
        if people[root] <= cap:
            new = [y for y in near[root] if y > root]
            grow([root], people[root], new, {root, *new})
    sums = [sum(people[x] for x in held) for held in found]
    inner = [sum(near[x].get(y, 0) for x in held for y in held if x < y) for held in found]
    moved = [total - max(biggest[x] for x in held)
             for total, held in zip(sums, found, strict=True)]
    ends = np.cumsum([0, *(len(held) for held in found)])
    return Groups(ends, np.array([x for held in found for x in held], np.int64),
                  *(np.array(c, np.int64) for c in (sums, moved, inner)))


@jit
def _count(start: Ints, other: Ints, length: Ints, people: Ints, cap: int, floor: Ints,
           steps: int, groups: int, members: int) -> tuple[int, int, int]:
    """Count the groups looked at, those kept and their members; stop past a limit."""
    n = people.size
    seen = np.zeros(n, np.bool_)
    near = np.empty(n, np.int64)
    at, end, node = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    looked = kept = held = 0
    for root in range(n):
        if people[root] > cap:
            continue
        near[0], seen[root] = root, True
        depth, total = 0, 0
        at[0], end[0] = 0, 1
        while depth >= 0:
            if at[depth] == end[depth] or (depth == 0 and at[0] == 1):
                depth -= 1
                if depth >= 0:
                    for k in range(end[depth], end[depth + 1]):
                        seen[near[k]] = False
                    total -= people[node[depth]]
                continue
            x = near[at[depth]]
            at[depth] += 1
            if total + people[x] > cap:
                continue
            looked += 1
            total += people[x]
            node[depth] = x
            if total >= floor[x]:
                kept += 1
                held += depth + 1
            if looked > steps or kept > groups or held > members:
                return looked, kept, held
            tail = end[depth]
            for e in range(start[x], start[x + 1]):
                y = other[e]
                if y > root and not seen[y]:
                    seen[y] = True
                    near[tail] = y
                    tail += 1
            at[depth + 1], end[depth + 1] = at[depth], tail
            depth += 1
        seen[root] = False
    return looked, kept, held


@jit
def _fill(start: Ints, other: Ints, length: Ints, people: Ints, biggest: Ints, cap: int,
          floor: Ints, groups: int, members: int) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Go the way of :func:`_count` again and write the groups down."""
    n = people.size
    seen, chosen = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    near = np.empty(n, np.int64)
    at, end, node = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    saved, most = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    first, member = np.zeros(groups + 1, np.int64), np.empty(members, np.int64)
    sums, moved = np.empty(groups, np.int64), np.empty(groups, np.int64)
    inner = np.empty(groups, np.int64)
    kept = held = 0
    for root in range(n):
        if people[root] > cap:
            continue
        near[0], seen[root] = root, True
        depth, total = 0, 0
        at[0], end[0], saved[0], most[0] = 0, 1, 0, 0
        while depth >= 0:
            if at[depth] == end[depth] or (depth == 0 and at[0] == 1):
                depth -= 1
                if depth >= 0:
                    for k in range(end[depth], end[depth + 1]):
                        seen[near[k]] = False
                    total -= people[node[depth]]
                    chosen[node[depth]] = False
                continue
            x = near[at[depth]]
            at[depth] += 1
            if total + people[x] > cap:
                continue
            total += people[x]
            node[depth] = x
            gain = saved[depth]
            tail = end[depth]
            for e in range(start[x], start[x + 1]):
                y = other[e]
                if chosen[y]:
                    gain += length[e]
                if y > root and not seen[y]:
                    seen[y] = True
                    near[tail] = y
                    tail += 1
            chosen[x] = True
            saved[depth + 1], most[depth + 1] = gain, max(most[depth], biggest[x])
            if total >= floor[x]:
                for k in range(depth + 1):
                    member[held + k] = node[k]
                held += depth + 1
                sums[kept], moved[kept], inner[kept] = total, total - most[depth + 1], gain
                kept += 1
                first[kept] = held
            at[depth + 1], end[depth + 1] = at[depth], tail
            depth += 1
        seen[root] = False
    return first, member, sums, moved, inner
