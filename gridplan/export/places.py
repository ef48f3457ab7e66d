"""Where along its route each visit of a trip happens."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.export.trips import Trip

# A route that comes by again so much farther away than at its nearest may be meant as well.
_SLACK_M = 12.0
_MOST = 40
_BACKWARDS = 1e6
_Numbers = NDArray[np.float64]


def place_visits(trip: Trip) -> _Numbers:
    """Return metres along the route of every visit of a trip, in order.

    A route may come by a place several times. Of all ways to pick one time for each visit, in
    order, the one is taken whose stretches between visits fit the driving times best.
    """
    visits = trip.visits
    if not visits:
        return np.empty(0)
    xy = shapely.get_coordinates(trip.line)
    driving = sum(b.arrive_min - a.depart_min for a, b in itertools.pairwise(visits))
    stays = sum(v.stay_min for v in visits)
    pace = trip.line.length / max(trip.duration_min - stays, driving, 1.0)
    options: list[_Numbers] = []
    for visit in visits:
        options.append(list_passes(xy, visit.shape) if visit.shape is not None else (
            options[-1] if options else np.zeros(1)))
    gaps = [0.0, *(float(b.arrive_min - a.depart_min) * pace
                   for a, b in itertools.pairwise(visits))]
    return _choose(options, gaps)


def list_passes(xy: _Numbers, shape: shapely.Geometry) -> _Numbers:
    """Return metres along a line at which it comes by a shape, in order.

    Parameters
    ----------
    xy
        (n, 2) coordinates of the line.
    shape
        A point, or a line, whose middle counts.

    >>> there_and_back = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 0.0]])
    >>> list_passes(there_and_back, shapely.Point(30, 5)).tolist()
    [30.0, 170.0]
    """
    point = shapely.get_coordinates(
        shape.interpolate(0.5, normalized=True) if shape.geom_type == "LineString"
        else shape)[0]
    start, step = xy[:-1], np.diff(xy, axis=0)
    length = np.hypot(*step.T)
    along = np.clip(((point - start) * step).sum(1) / np.maximum(length, 1e-9) ** 2, 0.0, 1.0)
    off = np.hypot(*(start + step * along[:, None] - point).T)
    near = np.flatnonzero(off <= off.min() + _SLACK_M)
    metres = (np.cumsum(length) - length) + along * length
    # One time by: segments that follow one another and do not turn back.
    parts = np.split(near, np.flatnonzero((np.diff(near) > 1) | _turns(step, near)) + 1)
    best = [part[np.argmin(off[part])] for part in parts]
    best = sorted(sorted(best, key=lambda k: off[k])[:_MOST])
    return np.asarray(metres[best])


def _turns(step: _Numbers, near: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell at which of neighbouring segments a line turns back on itself."""
    before, after = step[near[:-1]], step[near[1:]]
    size = np.maximum(np.hypot(*before.T) * np.hypot(*after.T), 1e-9)
    return np.asarray((before * after).sum(1) / size < -0.9)


def _choose(options: Sequence[_Numbers], gaps: Sequence[float]) -> _Numbers:
    """Pick one option of each in order, so that the gaps between them fit best."""
    cost = np.zeros(len(options[0]))
    back: list[NDArray[np.int64]] = []
    for k in range(1, len(options)):
        ahead = options[k][None, :] - options[k - 1][:, None]
        step = np.abs(ahead - gaps[k]) + np.where(ahead < -1e-6, _BACKWARDS, 0.0)
        whole = cost[:, None] + step
        back.append(np.argmin(whole, axis=0))
        cost = whole.min(axis=0)
    at = int(np.argmin(cost))
    chosen = [at]
    for pointers in reversed(back):
        at = int(pointers[at])
        chosen.append(at)
    return np.array([o[c] for o, c in zip(options, reversed(chosen), strict=True)])
