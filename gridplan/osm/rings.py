"""Lines → rings → areas, where an outline is incomplete or crosses itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from gridplan.osm.features import haversine_m

Run = list[tuple[float, float]]

# A chain shorter than this many times its own gap is a piece of a longer outline, not a ring.
_RING = 3.0


@dataclass(frozen=True)
class Member:
    """A way in a relation."""

    way: int
    role: str


@dataclass(frozen=True)
class Mended:
    """The area found (None: left out), its widest gap in metres and the ways the file lacks."""

    area: shapely.Geometry | None
    gap_m: float
    missing: int


def as_lines(runs: Sequence[Run]) -> list[shapely.LineString]:
    """Return the runs that are lines: at least two points, not all the same."""
    return [shapely.LineString(run) for run in runs if len(set(run)) > 1]


def close_ring(runs: Sequence[Run]) -> shapely.Geometry | None:
    """Return the area inside one closed way, over its known nodes in their order.

    >>> close_ring([[(0, 0), (1, 0)], [(1, 1), (0, 0)]]).area
    0.5
    """
    points = [point for run in runs for point in run]
    if len(set(points)) < 3:
        return None
    return _build([shapely.LinearRing(points)], [])


def mend_area(members: Sequence[Member], runs: Mapping[int, Sequence[Run]], gap_m: float,
              whole: bool = True) -> Mended:
    """Put an area together from its ways; gaps up to ``gap_m`` are closed with a straight line.

    Parameters
    ----------
    members
        The ways with their roles; without a role a way is an outer one, other roles than
        ``outer`` and ``inner`` are left aside.
    runs
        Way id → its runs of points in degrees; a way that is not there is missing.
    gap_m
        The widest gap to close, in metres.
    whole
        Refuse an area that lacks a way although no gap shows, as a whole ring is missing.
    """
    parts = [m for m in members if m.role in ("", "outer", "inner")]
    lines = {m.way: as_lines(runs.get(m.way, ())) for m in parts}
    missing = sum(not lines[m.way] for m in parts)
    outer = [line for m in parts if m.role != "inner" for line in lines[m.way]]
    inner = [line for m in parts if m.role == "inner" for line in lines[m.way]]
    if not outer:
        return Mended(None, math.inf, missing)
    closing, gap = close_gaps(outer)
    if gap > gap_m:
        return Mended(None, gap, missing)
    if whole and missing and gap == 0.0:
        return Mended(None, math.inf, missing)
    return Mended(_build([*outer, *closing], inner), gap, missing)


def close_gaps(lines: Sequence[shapely.LineString]) -> tuple[list[shapely.LineString], float]:
    """Find the straight lines that close what is open, nearest ends first, and the widest gap.

    >>> line = shapely.LineString([(0, 0), (0.1, 0), (0.1, 0.1), (0, 0.1), (0, 0.001)])
    >>> closing, gap = close_gaps([line])
    >>> len(closing), round(gap)
    (1, 111)
    """
    merged = shapely.line_merge(shapely.MultiLineString(list(lines)))
    chains = [c for c in shapely.get_parts(merged) if not shapely.is_closed(c)]
    if not chains:
        return [], 0.0
    ends = np.array([p for c in chains for p in (c.coords[0], c.coords[-1])])
    count = len(ends)
    one, two = np.triu_indices(count, 1)
    gap = haversine_m(ends[one], ends[two])
    length = np.array([haversine_m(np.array(c.coords[:-1]), np.array(c.coords[1:])).sum()
                       for c in chains])
    itself = one // 2 == two // 2
    short = itself & (length[one // 2] < _RING * gap)
    closing: list[shapely.LineString] = []
    widest = 0.0
    used = np.zeros(count, dtype=bool)
    for pair in np.lexsort((two, one, gap, short)):
        a, b = one[pair], two[pair]
        if used[a] or used[b]:
            continue
        used[[a, b]] = True
        widest = max(widest, float(gap[pair]))
        if gap[pair] > 0:
            closing.append(shapely.LineString([ends[a], ends[b]]))
    return closing, widest


def _build(outer: Sequence[shapely.LineString],
           inner: Sequence[shapely.LineString]) -> shapely.Geometry | None:
    """Return the area that the lines enclose; where there are holes, by the even-odd rule."""
    noded = shapely.unary_union([*outer, *inner])
    if inner:
        area = shapely.build_area(noded)  # open inner lines bound nothing and fall away
    else:
        area = shapely.union_all(list(shapely.polygonize([noded]).geoms))
    return None if shapely.is_empty(area) else shapely.normalize(area)
