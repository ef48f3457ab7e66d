"""The search: coarsen, cut along spanning trees, mend on the way back up, cross solutions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gridplan.regions.annealing import Heat
from gridplan.regions.counting import settle_count
from gridplan.regions.graph import contract, number_regions, pieces_of, subnet
from gridplan.regions.kernels import NO_TOLL, Net, Rules, match_units, pick, seed_luck
from gridplan.regions.mending import Care, mend
from gridplan.regions.pooling import Pool, choose_cover, open_pool, remember
from gridplan.regions.trees import recut

Labels = NDArray[np.int32]
Luck = NDArray[np.uint64]
Score = tuple[int, int, int]

FILL = 0.86  # households of a region at the start, as a share of the upper end
MANY = 45  # units per region above which a graph is coarsened
LEAST, REACH, CORE = 3, 6, 5  # fewest and most regions mended at once, and most cut afresh
TREES, HOPE = 2, 1.6  # trees tried per window, and by how much a hopeful cut may be dearer
COLD = 0.1  # temperature at the end of an annealing, in mean cut edges
FEW = 8  # regions below which a graph gets as many windows as if it had so many
REPAIRS = 6  # passes over regions out of range before a level gives up
REGIONS, ROOM = 10_000, 2_000_000  # regions kept to choose a cover from, and their units
NO_POOL = Pool(np.zeros(0, np.uint64), np.zeros(1, np.int64), np.zeros(0, np.int32),
               np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Effort:
    """How hard to look: rounds of starts that are crossed, the rounds at last too, and windows.

    ``wide`` is the number of starts on graphs that are coarsened, which can be in many ways.
    Windows are per region: ``windows`` at the top, ``finer`` on every level below it,
    ``crossing`` where solutions are crossed, for each of them. ``settles`` tells whether small
    graphs are cut as well as can be.
    """

    rounds: int
    starts: int
    wide: int
    windows: float
    finer: float
    crossing: float
    settles: bool = False


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


WARM = Mood(redraw=0.7, accept=1.0, hot=2.0, moves=4.0)
COOL = Mood(redraw=0.5, accept=0.1, hot=2.0, moves=8.0)
STUBBORN = Mood(redraw=0.7, accept=0.0, hot=1.0, moves=40.0)

EFFORTS = {
    "fast": Effort(1, 1, 1, 10.0, 3.0, 0.0),
    "normal": Effort(1, 5, 6, 5.0, 2.0, 4.0),
    "best": Effort(6, 4, 8, 10.0, 3.0, 8.0, settles=True),
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
    range, to have few of them where some cannot be avoided; ``toll`` is what a region costs by
    its households, in the unit of the net's costs.
    """

    net: Net
    merged: Labels
    low: int
    high: int
    effort: Effort
    seed: int
    count: int | None = None
    fine: int = 0
    toll: NDArray[np.int64] = field(default_factory=lambda: NO_TOLL)
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
    if (task.count or most) == 1 or task.net.people.size == 1:
        return np.zeros(task.net.people.size, np.int32)
    aim = task.count or int(np.clip(round(task.total / (FILL * task.high)), least, most))
    starts = task.effort.wide if task.net.people.size > MANY * aim else task.effort.starts
    crossed: list[Labels] = []
    for turn in range(task.effort.rounds):
        found = []
        for start in range(starts):
            shift = max(1, round(0.06 * aim)) * (0, -1, 1)[start % 3]
            count = task.count or int(np.clip(aim + shift, least, most))
            found.append(cut_anew(task, count, seed_luck(task.seed, start, turn)))
        task.spent.starts += starts
        crossed.append(cross(task, found, seed_luck(task.seed, turn)))
        scores = [score(task, task.net, labels) for labels in crossed]
        if turn and min(scores[:-1]) == scores[-1]:
            break  # two rounds that know nothing of each other agree
    return cross(task, crossed, seed_luck(task.seed, len(crossed)))


def cut_anew(task: Task, count: int, luck: Luck) -> Labels:
    """Coarsen, cut along trees and mend; then mend again on every finer level."""
    levels, ups = coarsen(task, np.zeros(task.merged.size, np.int32), count, luck)
    top = levels[-1]
    labels = np.empty(top.people.size, np.int32)
    recut(top, top.people.size, count, rules_of(task), labels, luck)
    if task.count:
        labels = settle_count(top, labels, task.count, rules_of(task))
    labels = mend_all(task, top, labels, task.effort.windows, WARM, luck)
    return refine(task, levels, ups, labels, luck)


def cross(task: Task, found: list[Labels], luck: Luck) -> Labels:
    """Make units of the pieces on which all solutions agree, mend each, and cover with the best.

    Every region met on the way may be part of the cover.
    """
    best = min(found, key=lambda labels: score(task, task.net, labels))
    if len(found) == 1:
        return best
    both = np.zeros(best.size, np.int64)
    for labels in found:
        both = number_regions(both * (int(labels.max()) + 1) + labels).astype(np.int64)
    if both.max() == best.max():
        return best
    levels, ups = coarsen(task, both.astype(np.int32), int(best.max()) + 1, luck)
    down = np.arange(best.size, dtype=np.int32)
    for up in ups:
        down = up[down]
    within = np.empty(levels[-1].people.size, np.int32)
    within[down] = both
    up = pieces_of(within.size, levels[-1].u, levels[-1].v, within)
    ups.append(up)
    levels.append(contract(levels[-1], up, int(up.max()) + 1))
    small, down = levels[-1], up[down]
    pool = open_pool(small, REGIONS, ROOM)
    crossed = []
    for labels in found:
        start = np.empty(small.people.size, np.int32)
        start[down] = labels
        remember(pool, small, np.arange(start.size, dtype=np.int32), start, int(start.max()) + 1,
                 rules_of(task))
        crossed.append(mend_all(task, small, start, task.effort.crossing, WARM, luck, pool))
    chosen = min(crossed, key=lambda labels: score(task, small, labels))
    faults, _, border = score(task, small, chosen)
    cover = choose_cover(pool, float("inf") if faults else border, task.count)
    if cover is not None:
        chosen = min(chosen, cover, key=lambda labels: score(task, small, labels))
    labels = refine(task, levels, ups, chosen, luck)
    return min(best, labels, key=lambda labels: score(task, task.net, labels))


def coarsen(task: Task, within: Labels, count: int, luck: Luck) -> tuple[list[Net], list[Labels]]:
    """Absorb empty units, then halve the graph while it has many more units than regions.

    Only units of equal label in ``within`` are merged.
    """
    levels, ups = [task.net], []
    both = number_regions(task.merged * (np.int64(within.max()) + 1) + within)
    up = pieces_of(both.size, task.net.u, task.net.v, both)
    size = int(up.max()) + 1
    heaviest = max(1, task.low // 5)
    while (task.count or 0) <= size < up.size:
        ups.append(up)
        levels.append(contract(levels[-1], up, size))
        coarse = np.empty(size, np.int32)
        coarse[up] = within
        within = coarse
        if size <= MANY * count:
            break
        up, size = match_units(levels[-1], within, heaviest, luck)
        if size > 0.92 * up.size:
            break
    return levels, ups


def refine(task: Task, levels: list[Net], ups: list[Labels], labels: Labels, luck: Luck) -> Labels:
    """Carry the labels of the last level down to the first, and mend them on every one."""
    for net, up in zip(levels[-2::-1], ups[::-1], strict=True):
        labels = mend_all(task, net, labels[up], task.effort.finer, COOL, luck)
    return labels


def mend_all(task: Task, net: Net, labels: Labels, windows: float, mood: Mood, luck: Luck,
             pool: Pool = NO_POOL) -> Labels:
    """Mend in random places, ``windows`` per region; then wherever the range is missed."""
    labels = number_regions(labels)
    count = int(labels.max()) + 1
    unit, rules = scale_of(task, net, labels)
    centres = pick(luck, labels.size, int(windows * max(count, FEW)))
    care = Care(LEAST, REACH, CORE, mood.redraw, TREES, int(0.3 * task.high), HOPE,
                mood.accept * unit, only_faulty=False)
    heat = Heat(mood.hot * unit, COLD * unit, mood.moves)
    mend(net, labels, count, centres, care, rules, heat, luck, pool)
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
        care = Care(2, 4, 4, STUBBORN.redraw, 4, 1 << 40, 1e9, STUBBORN.accept, only_faulty=True)
        mend(net, labels, int(labels.max()) + 1, centres, care,
             rules, Heat(STUBBORN.hot * unit, 0.05 * unit, STUBBORN.moves), luck, NO_POOL)
        task.spent.windows += windows
    return number_regions(labels)


def scale_of(task: Task, net: Net, labels: Labels) -> tuple[float, Rules]:
    """Return the mean cost of a cut edge, and rules with a fitting price per household."""
    cut = net.cost[labels[net.u] != labels[net.v]]
    unit = (float(cut.mean()) if cut.size else 0.0) + 1.0
    price = 10.0 * (float(cut.sum()) + 1.0) / (int(net.people.sum()) + 1)
    return unit, rules_of(task, price)


def rules_of(task: Task, price: float = 0.0) -> Rules:
    """Return the rules of the kernels for this task."""
    return Rules(task.low, task.high, task.fine, price, task.count is not None, task.toll)


def out_of_range(net: Net, labels: Labels, low: int, high: int) -> NDArray[np.bool_]:
    """Tell for every region whether it misses the range."""
    people = np.zeros(int(labels.max()) + 1, np.int64)
    np.add.at(people, labels, net.people)
    return (people < low) | (people > high)


def score(task: Task, net: Net, labels: Labels) -> Score:
    """Return (regions, households out of range, border with toll): lower is better."""
    people = np.zeros(int(labels.max()) + 1, np.int64)
    np.add.at(people, labels, net.people)
    miss = np.maximum(np.maximum(task.low - people, people - task.high), 0)
    border = int(net.cost[labels[net.u] != labels[net.v]].sum())
    if task.toll.size:
        border += int(task.toll[np.minimum(people, task.toll.size - 1)].sum())
    return int((miss > 0).sum()), int(miss.sum()), border
