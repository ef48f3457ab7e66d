"""How much of every required street was passed, how often, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.log.fixes import Strand
from gridplan.log.streets import Leg, Streets, edges_near, match_strand
from gridplan.log.tracks import Floats

_CELL_M = 4.0
_WITHIN_M = 12.0
_TOGETHER_S = 90.0
_LEAST_SHARE = 0.5

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Passing:
    """One way along a street: when it began, which share of the street it covered."""

    begin_s: float
    end_s: float
    share: float


@dataclass(frozen=True)
class Passed:
    """What tracks did along one required street.

    ``times`` is (c,) how often each of its equal cells was passed.
    """

    length_m: float
    times: Ints
    passings: tuple[Passing, ...]

    def metres(self, nth: int) -> float:
        """Return the metres that were passed at least ``nth`` times.

        >>> Passed(100.0, np.array([2, 2, 1, 0]), ()).metres(2)
        50.0
        """
        return self.length_m * float((self.times >= nth).mean())


@dataclass(frozen=True)
class _Cells:
    """Equal pieces of streets on edges of the network: street, cell, edge, metres along it."""

    street: Ints
    cell: Ints
    edge: Ints
    along: Floats
    middle: Floats
    of: Ints
    count: Ints


def measure_passes(streets: Streets | None, shapes: Sequence[Any], strands: Sequence[Strand],
                   tolerance_m: float) -> list[Passed]:
    """Return what the strands of a trip did along each of its required streets.

    Devices that ran at the same time tell of one passing; those after each other of several.

    Parameters
    ----------
    streets
        Ways of the mode; None where there are none.
    shapes
        The required streets, lines in the plan's CRS.
    tolerance_m
        Where a street lies on no way of the network, so near a track it counts as passed.
    """
    cells = _cut(streets, shapes)
    times = np.zeros(len(cells.of), dtype=np.int64)
    passings: list[list[Passing]] = [[] for _ in shapes]
    for strand in strands:
        legs = match_strand(streets, strand) if streets is not None else []
        times = np.maximum(times, _count(cells, legs, passings))
        times = np.maximum(times, _count_beside(cells, strand, tolerance_m))
    return [Passed(float(shapely.length(shape)), times[cells.of == k],
                   tuple(sorted(passings[k], key=lambda p: p.begin_s)))
            for k, shape in enumerate(shapes)]


def _cut(streets: Streets | None, shapes: Sequence[Any]) -> _Cells:
    length = shapely.length(np.array(shapes, dtype=object)) if len(shapes) else np.zeros(0)
    count = np.maximum(np.ceil(length / _CELL_M), 1).astype(np.int64)
    of = np.repeat(np.arange(len(shapes)), count)
    nth = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    middle = np.zeros((len(of), 2))
    if len(of):
        lines = np.array(shapes, dtype=object)[of]
        middle = shapely.get_coordinates(shapely.line_interpolate_point(
            lines, (nth + 0.5) / count[of], normalized=True))
    if streets is None or not len(of):
        none = np.zeros(0, dtype=np.int64)
        return _Cells(none, none, none, np.zeros(0), middle, of, count)
    ahead, back = (shapely.get_coordinates(shapely.line_interpolate_point(
        lines, (nth + share) / count[of], normalized=True)) for share in (1.0, 0.0))
    way = (ahead - back) / np.maximum(np.hypot(*(ahead - back).T), 1e-9)[:, None]
    row, edge, along = edges_near(streets, middle, way, _WITHIN_M)
    return _Cells(of[row], row, edge, along, middle, of, count)


def _count(cells: _Cells, legs: Sequence[Leg], passings: list[list[Passing]]) -> Ints:
    """Return how often legs cover each cell; note each passing of a street."""
    times = np.zeros(len(cells.of), dtype=np.int64)
    order = np.argsort(cells.edge, kind="stable")
    edges = cells.edge[order]
    running: dict[int, tuple[float, float, set[int]]] = {}

    def close(street: int) -> None:
        begin, end, seen = running.pop(street)
        share = len(seen) / int(cells.count[street])
        if share >= _LEAST_SHARE:
            passings[street].append(Passing(begin, end, share))

    for leg in legs:
        a, b = np.searchsorted(edges, [leg.edge, leg.edge + 1])
        near = order[a:b]
        low, high = sorted((leg.start_m, leg.end_m))
        if high - low < 1.0:
            continue
        near = near[(cells.along[near] >= low - _CELL_M / 2)
                    & (cells.along[near] <= high + _CELL_M / 2)]
        times[np.unique(cells.cell[near])] += 1
        for street in dict.fromkeys(cells.street[near].tolist()):
            mine = set(cells.cell[near][cells.street[near] == street].tolist())
            held = running.get(street)
            if held is not None and (leg.begin_s - held[1] > _TOGETHER_S
                                     or len(mine & held[2]) * 2 > len(mine)):
                close(street)
                held = None
            begin = held[0] if held else leg.begin_s
            running[street] = (begin, leg.end_s, (held[2] if held else set()) | mine)
    for street in sorted(running):
        close(street)
    return times


def _count_beside(cells: _Cells, strand: Strand, tolerance_m: float) -> Ints:
    """Return 1 for cells on no edge that a strand comes near to."""
    times = np.zeros(len(cells.of), dtype=np.int64)
    lone = np.setdiff1d(np.arange(len(cells.of)), cells.cell)
    if lone.size and len(strand):
        line = shapely.linestrings(strand.xy if len(strand) > 1 else np.repeat(strand.xy, 2, 0))
        off = shapely.distance(shapely.points(cells.middle[lone]), line)
        times[lone[off <= tolerance_m]] = 1
    return times
