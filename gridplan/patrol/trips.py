"""What each team does, second by second, and the way it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import shapely

from gridplan.patrol.ground import Ground
from gridplan.patrol.job import Member, Table
from gridplan.patrol.solve import Solved

_LATE_S = 1e-3
_LEGS_TRIED = 40  # for the break, from the middle on
FREE_S = 60.0  # waiting that is told as time to spare
_SAME_M = 1e-6


class Item(NamedTuple):
    """One thing that a team does: a visit, a pass, a break or time to spare; seconds of the day."""

    kind: str  # stop, pass, break or free
    key: str
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Trip:
    """The route of a team on a day.

    Attributes
    ----------
    leave_s, back_s
        Seconds of the day when it leaves its station and is back.
    line
        The way, in order of travel.
    served_m
        Length of required streets, once for each pass.
    bound_s, bound_m
        What the longest route of its shift and zone cannot be shorter than.
    """

    member: Member
    tier: str
    zone_id: str
    items: tuple[Item, ...]
    leave_s: float
    back_s: float
    line: Any
    served_m: float
    bound_s: float = 0.0
    bound_m: float = 0.0

    @property
    def free_s(self) -> float:
        """Seconds to spare."""
        return sum(i.end_s - i.begin_s for i in self.items if i.kind == "free")

    @property
    def work_s(self) -> float:
        """Seconds from leaving to being back, without those to spare."""
        return self.back_s - self.leave_s - self.free_s


@dataclass
class Tracer:
    """Ways between places, each traced once."""

    grounds: Mapping[str, Ground]
    _held: dict[tuple[str, int, int], Any] = field(default_factory=dict)

    def trace(self, mode: str, legs: list[tuple[int, int]]) -> list[Any]:
        """Return the vertices of each leg; none where it begins where it ends."""
        fresh = sorted({(a, b) for a, b in legs if a != b and (mode, a, b) not in self._held})
        if fresh:
            one, two = np.array(fresh, np.int64).T
            lines = self.grounds[mode].trace(one, two)
            for (a, b), line in zip(fresh, lines, strict=True):
                self._held[mode, a, b] = line
        return [self._held[mode, a, b] if a != b else np.zeros((0, 2)) for a, b in legs]


@dataclass(frozen=True)
class Turn:
    """What is particular to a route that was changed under way.

    ``settled`` keeps the break where the plan has it; a team that is ``gone`` does not come back;
    ``home_after`` is after how many visits it had been at its station in between, -1 if not.
    """

    settled: bool = False
    gone: bool = False
    home_after: int = -1


def list_trips(solved: Solved, table: Table, grounds: Mapping[str, Ground], tracer: Tracer,
               turns: Mapping[int, Turn] | None = None) -> list[Trip]:
    """Return the route of every team of a job that leaves its station."""
    trips = []
    for v, member in enumerate(solved.job.members):
        rows = solved.plan.visits_of(v)
        if len(rows):
            trips.append(_make_trip(solved, v, member, table, grounds, tracer,
                                    (turns or {}).get(v, Turn())))
    return trips


def _make_trip(solved: Solved, v: int, member: Member, table: Table,
               grounds: Mapping[str, Ground], tracer: Tracer, turn: Turn) -> Trip:
    job, ground = solved.job, grounds[member.mode]
    rows = solved.plan.visits_of(v)
    stops = solved.plan.stop[rows]
    home = ground.place[member.station_id]
    stations = len(solved.layout.entry[member.mode]) - len(job.calls) - len(job.passes)
    places = table.places[member.mode]
    entry = places[solved.layout.entry[member.mode][stops + stations]].tolist()
    leave = places[solved.layout.exit[member.mode][stops + stations]].tolist()
    ends = list(zip([home, *leave], [*entry, home], strict=True))
    legs = [[(a, home), (home, b)] if k == turn.home_after else [(a, b)]
            for k, (a, b) in enumerate(ends)]
    if turn.gone:
        legs[-1] = [(ends[-1][0], ends[-1][0])]
    ways = [sum(_seconds(table, member.mode, a, b) for a, b in leg) for leg in legs]
    items, begun, back = _keep_time(solved, v, member, ways, ground, settled=turn.settled)
    way_of = solved.layout.ways[np.maximum(stops - len(job.calls), 0)].tolist() if (
        len(job.passes)) else [0] * len(stops)
    pieces = []
    served = 0.0
    for leg, parts in enumerate(legs):
        pieces += tracer.trace(member.mode, parts)
        if leg < len(stops) and stops[leg] >= len(job.calls):
            one = job.passes[int(stops[leg]) - len(job.calls)]
            piece = ground.pieces[one.required_id]
            line = shapely.reverse(piece.line) if way_of[leg] else piece.line
            pieces.append(shapely.get_coordinates(line))
            served += piece.length_m
    return Trip(member, job.tier, job.zone_id, tuple(items), begun, back, _join(pieces), served)


def _seconds(table: Table, mode: str, a: int, b: int) -> float:
    one, two = table.rows(mode, np.array([a, b]))
    return float(table.seconds[mode][one, two])


def _join(pieces: list[Any]) -> Any:
    xy = np.concatenate(pieces)
    kept = np.ones(len(xy), bool)
    kept[1:] = np.hypot(*(xy[1:] - xy[:-1]).T) > _SAME_M
    xy = xy[kept]
    return shapely.linestrings(xy if len(xy) > 1 else np.repeat(xy, 2, axis=0))


def _keep_time(solved: Solved, v: int, member: Member, ways: list[float], ground: Ground, *,
               settled: bool) -> tuple[list[Item], float, float]:
    """Follow a team through its shift to the fraction of a second; passes may begin earlier.

    The plan counts in whole seconds, rounded up: a team is never later than planned. The break is
    moved towards the middle of the route, as long as every visit stays on time.
    """
    plan = solved.plan
    planned, back = int(plan.rest_after[v]), float(plan.back_s[v])
    first = _follow(solved, v, member, ways, ground, planned)
    assert first is not None
    if planned < 0 or settled:
        return first
    middle = (first[1] + first[2] - member.break_s) / 2
    ends = [first[1], *(i.end_s for i in first[0] if i.kind in ("stop", "pass"))]
    awake = [end - (member.break_s if k > planned else 0) for k, end in enumerate(ends)]
    legs = sorted(range(len(ways)), key=lambda k: (abs(awake[k] - middle), k))
    for leg in legs[:_LEGS_TRIED]:
        found = _follow(solved, v, member, ways, ground, leg)
        if found is not None and found[2] <= back + _LATE_S:
            return found
    return first


def _follow(solved: Solved, v: int, member: Member, ways: list[float], ground: Ground,
            rest_after: int) -> tuple[list[Item], float, float] | None:
    """Follow a team that has its break after so many visits; None where that makes it late."""
    plan, job = solved.plan, solved.job
    rows = plan.visits_of(v)
    items: list[Item] = []
    stops, begins = plan.stop[rows].tolist(), plan.begin_s[rows].tolist()
    begun = float(plan.leave_s[v])
    if rest_after != 0:  # no earlier than the first thing asks for
        first = stops[0] - len(job.calls)
        opens = begins[0] if first < 0 else job.passes[first].window[0]
        begun = max(begun, float(opens) - ways[0])
    now = begun
    for leg, way in enumerate(ways):
        if leg == rest_after and not (leg == len(rows) and now + way <= member.break_from_s):
            rested = _rest(items, member, now, way)
            if rested is None:
                return None
            now = rested
        else:  # who is back before the window of the break has it at the station
            now += way
        if leg == len(rows):
            break
        planned = float(begins[leg])
        if now > planned + _LATE_S:
            return None
        call = stops[leg] < len(job.calls)
        passed = None if call else job.passes[stops[leg] - len(job.calls)]
        begin = max(now, planned if passed is None else float(passed.window[0]))
        if begin - now >= FREE_S:
            items.append(Item("free", "", now, begin))
        if passed is None:
            now = begin + float(plan.stay_s[rows[leg]])
            items.append(Item("stop", job.calls[stops[leg]].stop_id, begin, now))
        else:
            seconds = ground.pieces[passed.required_id].seconds
            now = begin + seconds[int(solved.layout.ways[stops[leg] - len(job.calls)])]
            items.append(Item("pass", passed.required_id, begin, now))
    return (items, begun, now) if now <= member.end_s + _LATE_S else None


def _rest(items: list[Item], member: Member, now: float, way: float) -> float | None:
    """Add the break: before the way, behind it, or on it; return when the way is done."""
    begin = max(now, float(member.break_from_s))
    if begin + member.break_s > member.break_to_s + _LATE_S:
        return None
    if begin > now:
        there = max(now + way, begin)
        if there + member.break_s <= member.break_to_s:
            begin = there  # it drives first and rests where it arrives
            if begin - now - way >= FREE_S:
                items.append(Item("free", "", now + way, begin))
    items.append(Item("break", "", begin, begin + member.break_s))
    return max(now + way, float(member.break_from_s)) + member.break_s
