"""Which stops were reached, when, and for how long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.log.fixes import Strand
from gridplan.log.planned import Visit
from gridplan.log.request import LogRules
from gridplan.log.tracks import Floats

_STEP_M = 15.0
_WAY_M = 300.0
_AWAY_S = 120.0
_SILENT_S = 3600.0
_SAME_S = 1800.0
_NEVER = 1e9

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Stay:
    """A time at a place: begin and end in seconds of the trip's day, NaN where unknown.

    ``place`` numbers places of stops; ``stop_id`` is set where a check-in names the stop.
    """

    place: int
    begin_s: float
    end_s: float
    stop_id: str = ""
    sure: bool = False

    @property
    def dwell_s(self) -> float:
        """How long it took; endless where only the place is known."""
        return math.inf if self.sure or math.isnan(self.begin_s) else self.end_s - self.begin_s


@dataclass(frozen=True)
class CheckIn:
    """Somebody of a team said to be at a stop; ``clock_s`` is NaN without a time."""

    stop_id: str
    clock_s: float


@dataclass(frozen=True)
class Reached:
    """Whether a visit was made, and when it began: minutes of the trip's day, NaN if unknown."""

    done: bool
    arrived_min: float = math.nan


def match_stops(visits: Sequence[Visit], strands: Sequence[Strand], checkins: Sequence[CheckIn],
                rules: LogRules) -> list[Reached]:
    """Return for every visit of a stop whether it was made.

    A fix is that of the nearest stop within reach, so that a stop beside a visited one is not
    taken for visited. Stops nearer to each other than the noise are one place, whose time they
    share. A visit wants its share of the service time; a stay serves one visit of a stop.
    """
    if not visits:
        return []
    keys = list(dict.fromkeys(v.key for v in visits))
    xy = {v.key: shapely.get_coordinates(v.shape)[0] for v in visits}
    places = _group(np.array([xy[k] for k in keys]), rules.noise_m)
    place_of = {k: int(p) for k, p in zip(keys, places, strict=True)}
    centres = np.array([np.mean([xy[k] for k in keys if place_of[k] == p], axis=0)
                        for p in range(max(place_of.values()) + 1)])
    stays = [s for strand in strands for s in find_stays(strand, centres, rules.radius_m)]
    stays = _merge(stays)
    for told in checkins:
        stays = _add_checkin(stays, told, place_of)
    out: dict[int, Reached] = {}
    for place in range(len(centres)):
        mine = [k for k, v in enumerate(visits) if place_of[v.key] == place]
        out |= _serve([visits[k] for k in mine], mine,
                      [s for s in stays if s.place == place], rules)
    return [out[k] for k in range(len(visits))]


def _group(xy: Floats, within_m: float) -> Ints:
    """Return numbers of places: points within a distance of each other are one."""
    label = np.arange(len(xy))
    for i in range(len(xy)):
        near = np.hypot(*(xy - xy[i]).T) <= within_m
        label[np.isin(label, label[near])] = label[near].min()
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def find_stays(strand: Strand, centres: Floats, radius_m: float) -> list[Stay]:
    """Return the times at which a strand was at places, in order of place and time.

    >>> line = Strand(np.column_stack([np.arange(0, 1000, 50.0), np.zeros(20)]),
    ...               np.arange(20) * 10.0)
    >>> [(s.begin_s, s.end_s) for s in find_stays(line, np.array([[500.0, 20.0]]), 40.0)]
    [(95.0, 105.0)]
    """
    xy, clock = _densify(strand)
    if not len(xy):
        return []
    reach = np.hypot(xy[:, None, 0] - centres[None, :, 0], xy[:, None, 1] - centres[None, :, 1])
    nearest = reach.argmin(axis=1)
    nearest[reach.min(axis=1) > radius_m] = -1
    out = []
    for place in np.unique(nearest[nearest >= 0]).tolist():
        at = np.flatnonzero(nearest == place)
        pause = np.diff(clock[at])
        if strand.timed:
            # Silence between two fixes at the place is staying, a way out of it is not.
            cut = np.where(np.diff(at) > 1, pause > _AWAY_S, pause > _SILENT_S)
        else:
            cut = np.diff(at) > 3
        out += [Stay(place, float(clock[part[0]]), float(clock[part[-1]]))
                for part in np.split(at, np.flatnonzero(cut) + 1)]
    return out


def _densify(strand: Strand) -> tuple[Floats, Floats]:
    """Put places between fixes, so that nobody drives past a stop between two of them."""
    if len(strand) < 2:
        return strand.xy, strand.clock_s
    step = np.hypot(*np.diff(strand.xy, axis=0).T)
    parts = np.where(step <= _WAY_M, np.ceil(step / _STEP_M), 1).astype(np.int64)
    parts = np.maximum(parts, 1)
    at = np.repeat(np.arange(len(parts)), parts)
    share = (np.arange(len(at)) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[at]
    xy = strand.xy[at] + share[:, None] * (strand.xy[at + 1] - strand.xy[at])
    clock = strand.clock_s[at] + share * (strand.clock_s[at + 1] - strand.clock_s[at])
    return np.vstack([xy, strand.xy[-1:]]), np.append(clock, strand.clock_s[-1])


def _merge(stays: Sequence[Stay]) -> list[Stay]:
    """Make one of stays of several devices at one place that overlap."""
    out: list[Stay] = []
    for stay in sorted(stays, key=lambda s: (s.place, math.isnan(s.begin_s), s.begin_s)):
        last = out[-1] if out else None
        if last is not None and last.place == stay.place and stay.begin_s <= last.end_s:
            out[-1] = replace(last, end_s=max(last.end_s, stay.end_s))
        else:
            out.append(stay)
    return out


def _add_checkin(stays: list[Stay], told: CheckIn, place_of: dict[str, int]) -> list[Stay]:
    """Put in a check-in; near a stay of a track it makes that one sure."""
    place = place_of.get(told.stop_id)
    if place is None:
        return stays
    for k, stay in enumerate(stays):
        near = stay.place == place and stay.stop_id in ("", told.stop_id) and (
            stay.begin_s - _SAME_S <= told.clock_s <= stay.end_s + _SAME_S)
        if near and not stay.sure:
            return [*stays[:k], replace(stay, stop_id=told.stop_id, sure=True), *stays[k + 1:]]
    return [*stays, Stay(place, told.clock_s, told.clock_s, told.stop_id, True)]


def _serve(visits: Sequence[Visit], rows: Sequence[int], stays: Sequence[Stay], rules: LogRules
           ) -> dict[int, Reached]:
    """Give visits of one place the stays that are nearest to their times."""
    from scipy.optimize import linear_sum_assignment

    out = {row: Reached(False) for row in rows}
    if not stays:
        return out
    left = [s.dwell_s for s in stays]
    need = [60.0 * v.service_min * rules.stay_share for v in visits]
    cost = np.full((len(visits), len(stays)), _NEVER)
    for i, visit in enumerate(visits):
        for j, stay in enumerate(stays):
            if left[j] >= need[i] and stay.stop_id in ("", visit.key):
                off = abs(stay.begin_s / 60.0 - visit.arrive_min)
                cost[i, j] = 0.0 if math.isnan(off) else off
    used: list[set[str]] = [set() for _ in stays]

    def give(i: int, j: int) -> None:
        # Who came early and waited was there in time.
        waited = stays[j].end_s - 60.0 * visits[i].arrive_min >= need[i] and not stays[j].sure
        begin = max(stays[j].begin_s / 60.0, visits[i].arrive_min if waited else -math.inf)
        out[rows[i]] = Reached(True, begin)
        left[j] -= need[i]
        used[j].add(visits[i].key)

    for i, j in zip(*linear_sum_assignment(cost), strict=True):
        if cost[i, j] < _NEVER:
            give(int(i), int(j))
    for i, visit in enumerate(visits):
        # A stay may serve other stops of the place, and later visits for which it went on.
        free = [j for j in range(len(stays)) if cost[i, j] < _NEVER and left[j] >= need[i]
                and not (stays[j].sure and stays[j].stop_id != visit.key)
                and (visit.key not in used[j] or _covers(stays[j], visit, need[i]))]
        if not out[rows[i]].done and free:
            give(i, min(free, key=lambda j: (cost[i, j], j)))
    return out


def _covers(stay: Stay, visit: Visit, need_s: float) -> bool:
    """Tell whether a stay lasted through the planned time of a visit."""
    begin = 60.0 * visit.arrive_min
    end = begin + 60.0 * visit.service_min
    return bool(need_s > 0 and min(stay.end_s, end) - max(stay.begin_s, begin) >= need_s)
