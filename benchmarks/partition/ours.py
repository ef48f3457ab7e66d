"""Our solver on an instance, as the plan calls it: piece by piece, timed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.partition.instances import Instance, make_lattice
from benchmarks.partition.metrics import find_connected, find_in_range, find_superblocks
from benchmarks.partition.parts import HIGH, LOW, Ints, Part
from benchmarks.timing import Stopwatch, measure_time
from gridplan.params import Effort
from gridplan.regions import Cut, cut_graph, warm_up
from gridplan.regions.exact import WORK, bound_cut

EFFORTS: tuple[Effort, ...] = get_args(Effort)
STATES = ("ok", "count", "enumeration", "unproven")  # from good to bad
NEXT_SEED = 1_000_003  # between the seeds of one run's iterations


@dataclass(frozen=True)
class Found:
    """A cut of an instance: labels, the worst status of its pieces, time, and proven misses.

    ``excused`` counts grids out of range in pieces that provably cannot be cut into the range;
    ``cuts`` are those of the pieces.
    """

    labels: Ints
    status: str
    watch: Stopwatch
    excused: int
    cuts: tuple[Cut, ...]


def warm_solver() -> None:
    """Compile every kernel, and run each effort once on a small town."""
    warm_up()
    part = make_lattice(8, 8, major_rows=[4]).parts[0]
    for effort in EFFORTS:
        for count in (None, part.count):
            cut_graph(part.graph, LOW, HIGH, effort=effort, count=count)


def cut_instance(instance: Instance, effort: Effort, seed: int, *, fixed: bool = False,
                 iterations: int = 1, apart: bool = True) -> Found:
    """Cut every piece of an instance.

    Parameters
    ----------
    fixed
        Into as many grids as METIS is asked for, where so many can be in range.
    iterations
        Cuts of every piece with seeds of their own, of which the cheapest in range is kept.
    apart
        Whether major lines are to be kept whole.
    """
    labels = np.empty(instance.size, np.int64)
    cuts = []
    with measure_time() as watch:
        used = 0
        for units, part in zip(instance.pieces, instance.parts, strict=True):
            cut = _cut_part(part, effort, seed, fixed and can_have(part), iterations, apart)
            labels[units] = used + cut.labels
            used += cut.count
            cuts.append(cut)
    fine = find_in_range(instance, labels) & find_connected(instance, labels)
    excused = 0
    for units, part, cut in zip(instance.pieces, instance.parts, cuts, strict=True):
        if cut.status == "enumeration" or (cut.status == "count" and not is_feasible(part)):
            excused += int((~fine[np.unique(labels[units])]).sum())
    return Found(labels, max((cut.status for cut in cuts), key=STATES.index), watch, excused,
                 tuple(cuts))


class Bounder:
    """Bounds of an instance's cuts; cuts of a piece along the same superblocks share theirs."""

    def __init__(self, instance: Instance, effort: Effort) -> None:
        self._instance = instance
        self._work = WORK[effort]
        self._known: dict[tuple[int, bytes], float] = {}

    def bound(self, found: Found) -> float:
        """Return what no cut in range falls below that keeps apart what this one keeps apart."""
        total = 0.0
        for k, (part, cut) in enumerate(zip(self._instance.parts, found.cuts, strict=True)):
            key = k, cut.groups.tobytes()
            if key not in self._known:
                self._known[key] = bound_cut(part.graph, LOW, HIGH, cut, work=self._work).value
            total += self._known[key]
        return total


def count_iterations(instance: Instance, effort: Effort, cpu_s: float, **way: bool) -> int:
    """Return how many iterations a run may have in ``cpu_s``, by timing one; at least one."""
    one = cut_instance(instance, effort, 0, **way).watch.cpu_s
    return max(1, int(cpu_s / max(one, 1e-6)))


def is_feasible(part: Part) -> bool:
    """Tell whether some number of grids in range has the households of a piece."""
    total = int(part.households.sum())
    return total >= LOW and -(-total // HIGH) <= total // LOW


def can_have(part: Part) -> bool:
    """Tell whether the number of grids that METIS is asked for can be in range."""
    return part.count <= part.size and LOW <= part.households.sum() / part.count <= HIGH


def find_alone(instance: Instance) -> tuple[Ints, NDArray[np.bool_]]:
    """Return every unit's superblock, and which superblocks we can cut into the range alone.

    One counts as such only if a cut was found: this may miss some, and never claims too many.
    """
    superblock = find_superblocks(instance)
    alone = np.zeros(int(superblock.max()) + 1, bool)
    order = np.argsort(superblock, kind="stable")
    inner = instance.drop_borders(instance.major)
    for block, units in enumerate(np.split(order, np.cumsum(np.bincount(superblock))[:-1])):
        total = int(instance.households[units].sum())
        if total >= LOW and -(-total // HIGH) <= total // LOW:
            part = inner.select(units, instance.name).parts[0]
            alone[block] = cut_graph(part.graph, LOW, HIGH, effort="normal").status == "ok"
    return superblock, alone


def _cut_part(part: Part, effort: Effort, seed: int, fixed: bool, iterations: int, apart: bool
              ) -> Cut:
    cuts = [cut_graph(part.graph, LOW, HIGH, effort=effort, seed=seed + NEXT_SEED * k,
                      count=part.count if fixed else None, apart=apart)
            for k in range(iterations)]
    return min(cuts, key=lambda cut: (cut.out_of_range, cut.border))
