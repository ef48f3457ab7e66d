"""One job: the teams of one tier and zone on one day, with their streets and their stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridplan.patrol.ground import Ground, Piece
from gridplan.patrol.stops.problem import (
    ANY,
    MOST_BALANCE,
    NO_WAY,
    Ints,
    StopProblem,
    Windows,
    make_stops,
    make_teams,
)

Floats = NDArray[np.float64]
_UP = 1e-6  # rounding up forgives so much of a second


@dataclass(frozen=True)
class Member:
    """A team on duty: seconds of the day; ``watch`` is the number of its shift in the job."""

    team_id: str
    mode: str
    station_id: str
    watch: int
    shift: str
    start_s: int
    end_s: int
    break_s: int
    break_from_s: int
    break_to_s: int


@dataclass(frozen=True)
class Call:
    """A stop with the visits that are due: seconds of stay, windows and spacing."""

    stop_id: str
    visits: int
    stay_s: int
    stay_most_s: int
    windows: Windows
    spacing_s: int
    priority: int
    optional: bool
    penalty_min: int


@dataclass(frozen=True)
class Pass:
    """A pass of a required street that is due in a round of a shift, by a mode.

    A shift has as many rounds as a street of its job has passes in it, each of them as long: so
    two passes of a street do not follow each other at once. ``window`` is the round, in seconds.
    """

    required_id: str
    watch: int
    mode: str
    window: tuple[int, int]
    optional: bool = False
    prize_min: int = 0


@dataclass(frozen=True)
class Job:
    """What is due on a day in a zone of a tier. Equal jobs have equal plans."""

    tier: str
    zone_id: str
    members: tuple[Member, ...]
    calls: tuple[Call, ...]
    passes: tuple[Pass, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """Seconds between the places of a job, for each of its modes.

    Attributes
    ----------
    modes
        In the order of the rows of ``seconds``.
    places
        Mode → places of its ground: stations, stops, then both ends of every piece.
    seconds
        Mode → (p, p), inf where no way leads; its rows are ``places``.
    """

    modes: tuple[str, ...]
    places: dict[str, Ints]
    seconds: dict[str, Floats]

    def rows(self, mode: str, places: Ints) -> Ints:
        """Return the rows of some places of a mode."""
        return np.searchsorted(self.places[mode], places)


def measure_job(job: Job, grounds: Mapping[str, Ground]) -> Table:
    """Measure all ways of a job."""
    modes = tuple(dict.fromkeys(m.mode for m in job.members))
    places, seconds = {}, {}
    for mode in modes:
        ground = grounds[mode]
        wanted = {ground.place[m.station_id] for m in job.members if m.station_id in ground.place}
        wanted |= {ground.place[c.stop_id] for c in job.calls if c.stop_id in ground.place}
        for one in job.passes:
            if one.mode == mode:
                piece = ground.pieces[one.required_id]
                wanted |= {piece.begin, piece.end}
        places[mode] = np.array(sorted(wanted), np.int64)
        seconds[mode] = ground.measure(places[mode])
    return Table(modes, places, seconds)


@dataclass(frozen=True, eq=False)
class Layout:
    """The problem of a job's stops and passes as the planner of stops takes it.

    Stops come first, then passes in the order of ``job.passes``, each in the way of ``ways``.
    ``entry`` and ``exit`` are by mode the rows of the table where each node is come to and left,
    -1 where the mode does not go: stations, stops, passes.
    """

    problem: StopProblem
    entry: dict[str, Ints]
    exit: dict[str, Ints]
    ways: Ints


def lay_out_job(job: Job, table: Table, grounds: Mapping[str, Ground], ways: Ints) -> Layout:
    """Write a job as a problem of stops; a pass is a stop whose way in and out differ.

    Parameters
    ----------
    ways
        (passes,) 0 where a pass goes along its piece, 1 against it.
    """
    stations = list(dict.fromkeys(m.station_id for m in job.members))
    count = len(stations) + len(job.calls) + len(job.passes)
    entry, leave, travel = {}, {}, np.full((len(table.modes), count, count), NO_WAY, np.int64)
    for k, mode in enumerate(table.modes):
        ground = grounds[mode]
        ends = [_places_of(ground, name) for name in (*stations, *(c.stop_id for c in job.calls))]
        ends += [_ends_of(ground.pieces[p.required_id], int(w)) if p.mode == mode else (-1, -1)
                 for p, w in zip(job.passes, ways.tolist(), strict=True)]
        both = np.array(ends, np.int64).reshape(-1, 2)
        entry[mode], leave[mode] = (
            np.where(side >= 0, table.rows(mode, side), -1) for side in both.T)
        there = np.flatnonzero(entry[mode] >= 0)
        way = table.seconds[mode][np.ix_(leave[mode][there], entry[mode][there])]
        travel[k][np.ix_(there, there)] = np.where(np.isfinite(way), np.ceil(way - _UP), NO_WAY)
        np.fill_diagonal(travel[k], 0)
    # A second of the longest route is worth one of every team of a shift: then none does all.
    balance = max(sum(n.watch == m.watch for n in job.members) for m in job.members)
    return Layout(StopProblem(travel, _list_teams(job, table, stations),
                              _list_stops(job, grounds, ways, len(stations)),
                              balance=min(balance, MOST_BALANCE)), entry, leave, ways)


def _places_of(ground: Ground, name: str) -> tuple[int, int]:
    place = ground.place.get(name, -1)
    return place, place


def _ends_of(piece: Piece, way: int) -> tuple[int, int]:
    return (piece.end, piece.begin) if way else (piece.begin, piece.end)


def _list_teams(job: Job, table: Table, stations: list[str]) -> Any:
    home = [stations.index(m.station_id) for m in job.members]
    columns = {
        "mode": [table.modes.index(m.mode) for m in job.members], "start": home, "end": home,
        "shift_start_s": [m.start_s for m in job.members],
        "shift_end_s": [m.end_s for m in job.members],
        "break_s": [m.break_s for m in job.members],
        "break_from_s": [m.break_from_s for m in job.members],
        "break_to_s": [m.break_to_s for m in job.members],
        "zone": [subset_of(m.watch, m.mode, table.modes) for m in job.members]}
    return make_teams(len(job.members), ids=[m.team_id for m in job.members],
                      **{name: np.array(c, np.int64) for name, c in columns.items()})


def subset_of(watch: int, mode: str, modes: tuple[str, ...]) -> int:
    """Return the number of the teams of one shift and mode."""
    return watch * len(modes) + modes.index(mode)


def _list_stops(job: Job, grounds: Mapping[str, Ground], ways: Ints, first: int) -> Any:
    modes = tuple(dict.fromkeys(m.mode for m in job.members))
    stays = [int(np.ceil(grounds[p.mode].pieces[p.required_id].seconds[w] - _UP))
             for p, w in zip(job.passes, ways.tolist(), strict=True)]
    calls, passes = job.calls, job.passes
    columns = {
        "visits": [c.visits for c in calls] + [1] * len(passes),
        "stay_s": [c.stay_s for c in calls] + stays,
        "stay_most_s": [c.stay_most_s for c in calls] + stays,
        "spacing_s": [c.spacing_s for c in calls] + [0] * len(passes),
        "priority": [c.priority for c in calls] + [1] * len(passes),
        "penalty_min": [c.penalty_min for c in calls] + [p.prize_min for p in passes],
        "zone": [ANY] * len(calls) + [subset_of(p.watch, p.mode, modes) for p in passes]}
    ids = [c.stop_id for c in calls] + [f"{p.required_id}/{k}" for k, p in enumerate(passes)]
    held = {name: np.array(c, np.int64) for name, c in columns.items()}
    return make_stops(np.arange(first, first + len(ids)), ids=ids, **held,
                      windows=tuple(c.windows for c in calls) + tuple((p.window,) for p in passes),
                      optional=np.array([c.optional for c in calls]
                                        + [p.optional for p in passes], np.bool_))
