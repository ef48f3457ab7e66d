"""The search: coarsen, cut along spanning trees, mend on the way back up, cross solutions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gridplan.regions.annealing import Heat
from gridplan.regions.graph import contract, number_regions, pieces_of, subnet
from gridplan.regions.kernels import Net, Rules, match_units, pick, seed_luck
from gridplan.regions.mending import Care, mend
from gridplan.regions.trees import recut

Labels = NDArray[np.int32]
Luck = NDArray[np.uint64]
Score = tuple[int, int, int]

FILL = 0.86  # households of a region at the start, as a share of the upper end
GRAIN = 30  # units per region above which the graph is coarsened
REACH = 8  # most regions mended at once
FEW = 8  # regions below which a graph gets as many windows as if it had so many
REPAIRS = 6  # passes over regions out of range before a level gives up


@dataclass(frozen=True)
class Effort:
    """How hard to look: starts, windows per region at the top, on finer levels, in crossing."""

    starts: int
    windows: float
    finer: float
    crossing: float


@dataclass(frozen=True)
class Mood:
    """How freely a level is mended.

    ``redraw`` is the share of windows cut afresh, ``accept`` the temperature at which worse
    windows are taken and ``hot`` that at which their annealing starts, both in mean cut edges,
    and ``moves`` the length of an annealing in moves per cut edge.
    """

    redraw: float
    accept: float
    hot: float
    moves: float


WARM = Mood(redraw=0.7, accept=1.5, hot=2.0, moves=4.0)
COOL = Mood(redraw=0.5, accept=0.5, hot=2.0, moves=8.0)
STUBBORN = Mood(redraw=0.7, accept=0.0, hot=1.0, moves=40.0)

EFFORTS = {
    "fast": Effort(1, 6.0, 2.0, 0.0),
    "normal": Effort(1, 20.0, 6.0, 0.0),
    "best": Effort(6, 40.0, 6.0, 40.0),
}


@dataclass
class Spent:
    """What a search has tried, in numbers."""

    starts: int = 0
    windows: int = 0

    groups: int = 0

    def told(self) -> str:
        """Say it."""
        return f"{self.groups} groups, {self.starts} starts, {self.windows} recuts"


@dataclass
class Task:
    """One connected graph to be cut, the range, how hard to look, and what was spent.

    ``merged`` names the merged unit of every unit when those without households are absorbed;
    ``count`` fixes the number of regions; ``fine`` is added to the excess of each region out of
    range, to have few of them where some cannot be avoided.
    """

    net: Net
    merged: Labels
    low: int
    high: int
    effort: Effort
    seed: int
    count: int | None = None
    fine: int = 0
    spent: Spent = field(default_factory=Spent)

    @property
    def total(self) -> int:
        """Households of the graph."""
        return int(self.net.people.sum())

    def counts(self) -> tuple[int, int]:
        """Return the least and the most regions the total allows."""
        least = max(1, -(-self.total // self.high))
        return least, max(least, self.total // self.low)

    def part(self, units: NDArray[np.int32], place: NDArray[np.int32]) -> Task:
        """Return the task of cutting ``units`` alone; ``place`` is scratch full of -1."""
        return replace(self, net=subnet(self.net, units, place),
                       merged=number_regions(self.merged[units]))


def search_regions(task: Task) -> Labels:
    """Return the best labels found; see :func:`score` for what is better."""
    least, most = task.counts()
    if most == 1 or task.net.people.size == 1:
        return np.zeros(task.net.people.size, np.int32)
    aim = task.count or int(np.clip(round(task.total / (FILL * task.high)), least, most))
    found: Labels | None = None
    for start in range(task.effort.starts):
        shift = max(1, round(0.06 * aim)) * (0, -1, 1)[start % 3]
        count = task.count or int(np.clip(aim + shift, least, most))
        luck = seed_luck(task.seed, start)
        labels = run_levels(task, count, luck)
        found = labels if found is None else cross(task, found, labels, luck)
        task.spent.starts += 1
    assert found is not None
    return found


def run_levels(task: Task, count: int, luck: Luck) -> Labels:
    """Coarsen, cut, mend; then mend again on every finer level."""
    levels, ups = coarsen(task, count, luck)
    top = levels[-1]
    labels = np.empty(top.people.size, np.int32)
    recut(top, count, 2, rules_of(task), labels, luck)
    labels = mend_all(task, top, labels, task.effort.windows, WARM, luck)
    for net, up in zip(levels[-2::-1], ups[::-1], strict=True):
        labels = mend_all(task, net, labels[up], task.effort.finer, COOL, luck)
    return labels


def coarsen(task: Task, count: int, luck: Luck) -> tuple[list[Net], list[Labels]]:
    """Absorb empty units, then halve the graph while it has many more units than regions."""
    levels, ups = [task.net], []
    merged = int(task.merged.max()) + 1
    if merged < task.merged.size:
        ups.append(task.merged)
        levels.append(contract(task.net, task.merged, merged))
    heaviest = max(1, task.low // 5)
    while levels[-1].people.size > 1.5 * GRAIN * count:
        up, size = match_units(levels[-1], heaviest, luck)
        if size > 0.92 * up.size:
            break
        ups.append(up)
        levels.append(contract(levels[-1], up, size))
    return levels, ups


def mend_all(task: Task, net: Net, labels: Labels, windows: float, mood: Mood, luck: Luck
             ) -> Labels:
    """Mend in random places, ``windows`` per region; then wherever the range is missed."""
    labels = number_regions(labels)
    count = int(labels.max()) + 1
    unit, rules = scale_of(task, net, labels)
    centres = pick(luck, labels.size, int(windows * max(count, FEW)))
    care = Care(REACH, mood.redraw, 1, mood.accept * unit, only_faulty=False)
    heat = Heat(mood.hot * unit, 0.05 * unit, mood.moves)
    mend(net, labels, count, centres, care, rules, heat, luck)
    task.spent.windows += centres.size
    return mend_faulty(task, net, labels, luck)


def mend_faulty(task: Task, net: Net, labels: Labels, luck: Luck) -> Labels:
    """Mend around regions out of range until there are none or patience ends."""
    for _ in range(REPAIRS):
        labels = number_regions(labels)
        faulty = np.flatnonzero(out_of_range(net, labels, task.low, task.high)[labels])
        if faulty.size == 0:
            break
        unit, rules = scale_of(task, net, labels)
        windows = 8 * np.unique(labels[faulty]).size + 8
        centres = faulty[pick(luck, faulty.size, windows)]
        care = Care(4, STUBBORN.redraw, 4, STUBBORN.accept, only_faulty=True)
        mend(net, labels, int(labels.max()) + 1, centres, care,
             rules, Heat(STUBBORN.hot * unit, 0.05 * unit, STUBBORN.moves), luck)
        task.spent.windows += windows
    return number_regions(labels)


def cross(task: Task, one: Labels, two: Labels, luck: Luck) -> Labels:
    """Make units of the pieces on which two solutions agree, and mend from the better one."""
    better = min(one, two, key=lambda labels: score(task, labels))
    if task.effort.crossing == 0:
        return better
    both = number_regions(one.astype(np.int64) * (int(two.max()) + 1) + two)
    up = pieces_of(both.size, task.net.u, task.net.v, both)
    small = contract(task.net, up, int(up.max()) + 1)
    labels = np.empty(small.people.size, np.int32)
    labels[up] = better
    labels = mend_all(task, small, labels, task.effort.crossing, WARM, luck)
    labels = mend_all(task, task.net, labels[up], task.effort.finer, COOL, luck)
    return min(better, labels, key=lambda labels: score(task, labels))


def scale_of(task: Task, net: Net, labels: Labels) -> tuple[float, Rules]:
    """Return the mean cost of a cut edge, and rules with a fitting price per household."""
    cut = net.cost[labels[net.u] != labels[net.v]]
    unit = (float(cut.mean()) if cut.size else 0.0) + 1.0
    price = 10.0 * (float(cut.sum()) + 1.0) / (int(net.people.sum()) + 1)
    return unit, rules_of(task, price)


def rules_of(task: Task, price: float = 0.0) -> Rules:
    """Return the rules of the kernels for this task."""
    return Rules(task.low, task.high, task.fine, price, task.count is not None)


def out_of_range(net: Net, labels: Labels, low: int, high: int) -> NDArray[np.bool_]:
    """Tell for every region whether it misses the range."""
    people = np.zeros(int(labels.max()) + 1, np.int64)
    np.add.at(people, labels, net.people)
    return (people < low) | (people > high)


def score(task: Task, labels: Labels) -> Score:
    """Return (regions out of range, households out of range, border): lower is better."""
    people = np.zeros(int(labels.max()) + 1, np.int64)
    np.add.at(people, labels, task.net.people)
    miss = np.maximum(np.maximum(task.low - people, people - task.high), 0)
    border = int(task.net.cost[labels[task.net.u] != labels[task.net.v]].sum())
    return int((miss > 0).sum()), int(miss.sum()), border
