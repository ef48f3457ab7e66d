"""Fixes of tracks, shared out to the trips they were made on, without those that jump."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridplan.log.planned import Trip
from gridplan.log.times import midnight_s, read_date
from gridplan.log.tracks import Floats

# Faster than this, in metres a second, no patrol moves; beside it the noise of a fix.
FASTEST = {"foot": 5.0, "bike": 12.0, "ebike": 18.0, "car": 45.0}
_JUMP_M = 60.0
_MOST_JUMPS = 5
_OVERLAP_S = 60.0
_DAY_S = 86400.0


@dataclass(frozen=True)
class Strand:
    """Fixes of one device on one trip, in order.

    ``xy`` is (n, 2) in the plan's CRS, ``clock_s`` (n,) seconds since midnight of the trip's day,
    NaN where the track has no times.
    """

    xy: Floats
    clock_s: Floats

    @property
    def timed(self) -> bool:
        """Whether it tells when."""
        return bool(np.isfinite(self.clock_s).all())

    def __len__(self) -> int:
        return len(self.clock_s)


def day_begins(trip: Trip, moment: Floats, margin_min: float, utc_offset_min: int
               ) -> float | None:
    """Return the second since 1970 at which the day of a trip begins.

    A day without a date takes it from the track: the one on which most fixes lie in the shift.
    """
    date = read_date(trip.day)
    if date is not None:
        return midnight_s(date, utc_offset_min)
    local = (float(np.median(moment)) + 60.0 * utc_offset_min) // _DAY_S * _DAY_S
    choices = [local - 60.0 * utc_offset_min + k * _DAY_S for k in (0, -1, 1)]
    counts = [int(_inside(moment - c, trip, margin_min).sum()) for c in choices]
    best = max(counts)
    return choices[counts.index(best)] if best else None


def cut_shift(trip: Trip, xy: Floats, moment: Floats, margin_min: float, utc_offset_min: int
              ) -> tuple[Strand, NDArray[np.bool_]] | None:
    """Return the fixes of a track that lie in the shift of a trip, and which they are."""
    begin = day_begins(trip, moment, margin_min, utc_offset_min)
    if begin is None:
        return None
    inside = _inside(moment - begin, trip, margin_min)
    return (Strand(xy[inside], moment[inside] - begin), inside) if inside.any() else None


def _inside(clock_s: Floats, trip: Trip, margin_min: float) -> NDArray[np.bool_]:
    low, high = (trip.begin_min - margin_min) * 60, (trip.end_min + margin_min) * 60
    return np.asarray((clock_s >= low) & (clock_s < high))


def drop_jumps(strand: Strand, mode: str) -> Strand:
    """Return a strand without fixes that nobody could have come to from the one before.

    Where many in a row are far off, the device was switched off for a way: they stay.

    >>> line = np.column_stack([np.arange(5) * 10.0, np.zeros(5)])
    >>> line[2, 1] = 5000.0
    >>> len(drop_jumps(Strand(line, np.arange(5) * 10.0), "foot"))
    4
    """
    if not strand.timed or len(strand) < 3:
        return strand
    fastest = FASTEST.get(mode, FASTEST["car"])
    step = np.hypot(*np.diff(strand.xy, axis=0).T)
    if not (step > fastest * np.diff(strand.clock_s) + _JUMP_M).any():
        return strand
    xy, clock = strand.xy.tolist(), strand.clock_s.tolist()

    def reaches(a: int, b: int) -> bool:
        way = float(np.hypot(xy[a][0] - xy[b][0], xy[a][1] - xy[b][1]))
        return way <= fastest * (clock[b] - clock[a]) + _JUMP_M

    kept, waiting = [_find_start(reaches, len(xy))], list[int]()
    for k in range(kept[0] + 1, len(xy)):
        if reaches(kept[-1], k):
            kept.append(k)
            waiting = []
            continue
        waiting = [*waiting, k] if not waiting or reaches(waiting[-1], k) else [k]
        if len(waiting) >= _MOST_JUMPS:
            kept, waiting = [*kept, *waiting], []
    return Strand(strand.xy[kept], strand.clock_s[kept])


def _find_start(reaches: Callable[[int, int], bool], count: int) -> int:
    """Return the first fix from which most of the next few can be reached."""
    def is_good(k: int) -> bool:
        after = range(k + 1, min(k + 1 + _MOST_JUMPS, count))
        return 2 * sum(reaches(k, other) for other in after) > len(after)

    return next((k for k in range(min(count - 2, _MOST_JUMPS)) if is_good(k)), 0)


def join_strands(strands: Sequence[Strand]) -> list[Strand]:
    """Join tracks of one trip that follow each other; those at the same time stay apart.

    Tracks without times become one strand, in the order given.
    """
    timed = sorted((s for s in strands if s.timed and len(s)), key=lambda s: (
        s.clock_s[0], s.clock_s[-1], len(s)))
    rows: list[list[Strand]] = []
    for strand in timed:
        free = next((row for row in rows
                     if row[-1].clock_s[-1] <= strand.clock_s[0] + _OVERLAP_S), None)
        if free is None:
            rows.append([strand])
        else:
            after = strand.clock_s > free[-1].clock_s[-1]
            if after.any():
                free.append(Strand(strand.xy[after], strand.clock_s[after]))
    blank = [s for s in strands if not s.timed and len(s)]
    rows += [blank] if blank else []
    return [Strand(np.concatenate([s.xy for s in row]), np.concatenate([s.clock_s for s in row]))
            for row in rows]


def find_gaps(strands: Sequence[Strand], trip: Trip, least_min: float = 15.0,
              near_m: float = 100.0) -> list[tuple[float, float]]:
    """Return from when to when, in minutes, no device of a team on its trip told where it was.

    A device that stands still may be silent: that is no gap.
    """
    visits = [v.arrive_min for v in trip.visits]
    if not strands or not visits or not all(s.timed for s in strands):
        return []
    ends = [v.arrive_min + v.service_min for v in trip.visits]
    spans = []
    for strand in strands:
        step = np.diff(strand.clock_s) / 60.0
        away = np.hypot(*np.diff(strand.xy, axis=0).T) > near_m
        cuts = np.flatnonzero((step >= least_min) & away)
        starts = [0, *(cuts + 1).tolist()]
        stops = [*cuts.tolist(), len(strand) - 1]
        spans += [(float(strand.clock_s[a]) / 60, float(strand.clock_s[b]) / 60)
                  for a, b in zip(starts, stops, strict=True)]
    spans.sort()
    edge = min(visits)
    out = []
    for begin, end in itertools.chain(spans, [(max(ends), max(ends))]):
        if begin - edge >= least_min:
            out.append((edge, begin))
        edge = max(edge, end)
    return out
