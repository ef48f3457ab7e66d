"""Against proven optima: small connected pieces of an instance, cut by us and solved exactly.

Major lines do not matter here, for the program that proves as little as for us: the question is
how far above the cheapest cut of all ours is.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks.lines import make_line, summarise
from benchmarks.partition.instances import Instance
from benchmarks.partition.metrics import measure_weighted_border
from benchmarks.partition.ours import cut_instance, is_feasible
from benchmarks.partition.parts import HIGH, LOW, Ints
from benchmarks.timing import Stopwatch, measure_time
from gridplan import __version__
from gridplan.params import Effort

NAME = "partition"
SMALL = ("small", 20, 30, 60)  # name, how many, least and most units
LARGE = ("large", 5, 80, 100)
DRAWS = 400  # pieces drawn until one can be cut by number
LEAST = 2 * LOW  # households of a piece: one grid alone is no question

logger = logging.getLogger("benchmarks")

Tell = Callable[[dict[str, Any]], None]


def run_exact(instance: Instance, efforts: Iterable[Effort], tell: Tell) -> list[dict[str, Any]]:
    """Tell a line for every piece and program; return the summaries, over ``gap``.

    ``gap`` is border ÷ proven optimum − 1 for our cuts of a small piece, and border ÷ bound − 1
    for the exact program; None where a small piece was not proven.
    """
    summaries = []
    for name, number, least, most in (SMALL, LARGE):
        lines = []
        for seed in range(1, number + 1):
            units = draw_piece(instance, least, most, seed)
            if units is None:
                logger.info("%s: no piece of %d-%d units holds two grids", instance.name, least,
                            most)
                break
            piece = instance.select(units, f"{instance.name}:{name}")
            for line in solve_piece(piece, efforts if name == "small" else (), seed):
                tell(line)
                lines.append(line)
        for summary in summarise(lines, "gap"):
            held = [x["gap"] for x in lines if x["method"] == summary["method"]
                    and x["effort"] == summary["effort"] and x["gap"] is not None]
            summaries.append({**summary, "mean": statistics.fmean(held) if held else None})
    return summaries


def solve_piece(piece: Instance, efforts: Iterable[Effort], seed: int) -> list[dict[str, Any]]:
    """Return the lines of one piece: the exact program, which starts from our best, and ours."""
    start = cut_instance(piece, "best", seed, apart=False)
    border, bound, proven, watch = _prove(piece, start.labels)
    lines = [_line("gridplan:exact", piece, seed, "best", watch, "ok" if proven else "unproven",
                   border, bound, border / bound - 1 if bound else None)]
    for effort in efforts:
        found = cut_instance(piece, effort, seed, apart=False)
        value = measure_weighted_border(piece, found.labels)
        lines.append(_line("gridplan:free", piece, seed, effort, found.watch, found.status, value,
                           bound, max(0.0, value / border - 1) if proven and border else None))
    return lines


def draw_piece(instance: Instance, least: int, most: int, seed: int) -> Ints | None:
    """Draw a connected piece of so many units that can be cut by number; None if there is none.

    From a random unit, neighbours are taken up at random until there are enough.
    """
    chance = np.random.default_rng([seed, least, most])
    near: list[list[int]] = [[] for _ in range(instance.size)]
    for a, b in zip(instance.u.tolist(), instance.v.tolist(), strict=True):
        near[a].append(b)
        near[b].append(a)
    for _ in range(DRAWS):
        size = int(chance.integers(least, most + 1))
        held = {int(chance.integers(instance.size))}
        rim = sorted({y for x in held for y in near[x]})
        while rim and len(held) < size:
            taken = rim.pop(int(chance.integers(len(rim))))
            held.add(taken)
            rim = sorted((set(rim) | set(near[taken])) - held)
        units = np.array(sorted(held))
        total = int(instance.households[units].sum())
        if len(held) == size and total >= LEAST and is_feasible(
                instance.select(units, "").parts[0]):
            return units
    return None


def _prove(piece: Instance, labels: Ints) -> tuple[float, float, bool, Stopwatch]:
    """Return the best border known, its bound, whether that is proven, and the time it took."""
    from gridplan.regions.exact import solve_exactly

    with measure_time() as watch:
        found = solve_exactly(piece.parts[0].graph, LOW, HIGH, start=labels.astype(np.int32))
    best = labels if found.labels is None else found.labels.astype(np.int64)
    return measure_weighted_border(piece, best), found.value, found.proven, watch


def _line(method: str, piece: Instance, seed: int, effort: Effort, watch: Stopwatch, status: str,
          border: float, bound: float, gap: float | None) -> dict[str, Any]:
    return make_line(NAME, method, __version__, instance=piece.name, seed=seed, effort=effort,
                     cpu_s=watch.cpu_s, wall_s=watch.wall_s, status=status, units=piece.size,
                     households=int(piece.households.sum()), weighted_border=border, bound=bound,
                     gap=gap)
