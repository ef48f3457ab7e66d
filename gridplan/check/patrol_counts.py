"""What was asked against what is made and what is not, and whether the reasons given hold."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan.check.graph import positions
from gridplan.check.patrol_asked import Span, count_up
from gridplan.check.patrol_desk import BREAK, LAYERS_OF, PIECE, STOP, Duty, PatrolDesk, ids_of
from gridplan.check.patrol_told import tell
from gridplan.check.patrol_ways import ModeWays
from gridplan.check.verdict import CheckReport

_A_WEEK = 7
_SLACK, _MINUTE_S = 1.01, 60.0
_SPARE_MIN = 2.0  # what a schedule in whole seconds and minutes may lose

Thing = tuple[int, int]  # kind and row


@dataclass(frozen=True)
class Counts:
    """Visits and passes by (day, kind, thing): asked, made, and not made.

    Those asked by the week stand under the day ``""``, at least and at most.
    """

    asked: dict[tuple[str, int, int], tuple[int, int]]
    made: Counter[tuple[str, int, int]]
    unmet: Counter[tuple[str, int, int]]


def count_visits(desk: PatrolDesk) -> Counts:
    """Count what was asked, made and not made of every stop and piece on every day."""
    plan = desk.plan
    asked: dict[tuple[str, int, int], tuple[int, int]] = {}
    per_day, per_week = (plan.numbers("stops", f"visits_per_{n}") for n in ("day", "week"))
    passes, kinds = plan.numbers("required", "passes_per_day"), plan.ids("required", "day_kind")
    for day in desk.days:
        for k, often in enumerate(per_day.tolist()):
            if not math.isnan(often):
                asked[day.name, STOP, k] = (count_up(often, day.level),) * 2
        for k, (often, kind) in enumerate(zip(passes.tolist(), kinds, strict=True)):
            count = count_up(often, day.level) if kind in ("", "all", day.kind) else 0
            asked[day.name, PIECE, k] = (count, count)
    weekly = np.flatnonzero(np.isnan(per_day) & ~np.isnan(per_week))
    for k in weekly.tolist():
        asked["", STOP, k] = _of_the_week(float(per_week[k]), desk)
    left_out = {"streets": STOP, "stops": PIECE}.get(desk.asked.cover)
    asked = {k: v for k, v in asked.items() if k[1] != left_out}
    by_week = set(weekly.tolist())
    made: Counter[tuple[str, int, int]] = Counter()
    day_of = desk.routes["day"].to_numpy(object)
    for route, kind, thing in zip(*(desk.visits[c] for c in ("route", "kind", "thing")),
                                  strict=True):
        if kind in (STOP, PIECE):
            made[_day(day_of[route], kind, thing, by_week), int(kind), int(thing)] += 1
    unmet: Counter[tuple[str, int, int]] = Counter()
    for row in list_unmet(desk).itertuples(index=False):
        unmet[_day(row.day, row.kind, row.thing, by_week), row.kind, row.thing] += row.visits
    return Counts(asked, made, unmet)


def _of_the_week(often: float, desk: PatrolDesk) -> tuple[int, int]:
    """Return the least and most that is asked of the days of a run: their share of a week.

    Of more than seven days the first seven may be all that is asked. Duty levels do not count.
    """
    weeks = len(desk.days) / _A_WEEK
    return count_up(often, min(weeks, 1.0)), count_up(often, weeks)


def _day(day: str, kind: int, thing: int, by_week: set[int]) -> str:
    return "" if kind == STOP and thing in by_week else day


def list_unmet(desk: PatrolDesk) -> pd.DataFrame:
    """Return the rows of ``unmet`` with kind and thing."""
    plan = desk.plan
    stop = plan.ids("unmet", "stop_id")
    kind = np.where(stop != "", STOP, PIECE)
    thing = np.where(stop != "", positions(plan.ids("stops"), stop),
                     positions(plan.ids("required"), plan.ids("unmet", "required_id")))
    return pd.DataFrame({"unmet_id": plan.ids("unmet"), "day": plan.ids("unmet", "day"),
                         "shift": plan.ids("unmet", "shift"), "kind": kind, "thing": thing,
                         "visits": plan.numbers("unmet", "visits").astype(np.int64),
                         "reason": plan.ids("unmet", "reason")})


def check_counts(report: CheckReport, desk: PatrolDesk, counts: Counts) -> None:
    """Hold that what was asked is made or told as not made, day by day."""
    for kind in (STOP, PIECE):
        off = []
        keys = {k for part in (counts.asked, counts.made, counts.unmet) for k in part
                if k[1] == kind}
        for key in sorted(keys):
            low, high = counts.asked.get(key, (0, 0))
            real = counts.made[key] + counts.unmet[key]
            if not low <= real <= high:
                off.append((key, real, low))
        if off:
            names = ids_of(desk, kind, np.array([key[2] for key, _, _ in off]))
            tell(report, "patrol_visits" if kind == STOP else "patrol_passes",
                 LAYERS_OF[kind], [f"{n}:{k[0]}" if k[0] else n for n, (k, _, _) in zip(
                     names, off, strict=True)], found=off[0][1], expected=off[0][2])


class Reasons:
    """Works out anew whether reasons for what is not made hold."""

    def __init__(self, desk: PatrolDesk, ways: Callable[[str], ModeWays], counts: Counts
                 ) -> None:
        self.desk, self.ways, self.counts = desk, ways, counts
        plan = desk.plan
        self.mode, self.zone = plan.ids("teams", "mode"), plan.ids("teams", "zone_id")
        self.station = positions(plan.ids("stations"), plan.ids("teams", "station_id"))
        self.pause = np.nan_to_num(plan.numbers("teams", "break_min"))
        self._chains: dict[tuple[str, int], tuple[int, int, float, float] | None] = {}
        self._trips: dict[tuple[int, int, int], tuple[float, float, float]] = {}

    def check(self, report: CheckReport) -> None:
        """Hold the reason of every row to what can be worked out."""
        wrong: dict[str, list[str]] = {}
        rules = {"window": (self._window, "patrol_reason_window"),
                 "tier": (self._tier, "patrol_reason_tier"),
                 "zone": (self._zone, "patrol_reason_zone"),
                 "way": (self._way, "patrol_reason_way"),
                 "shift": (self._shift, "patrol_reason_shift"),
                 "spacing": (self._spacing, "patrol_reason_spacing"),
                 "crowded": (self._crowded, "patrol_reason_crowded"),
                 "team": (self._team, "patrol_reason_team")}
        for row in list_unmet(self.desk).itertuples(index=False):
            holds, key = rules[row.reason]
            if not holds((row.kind, row.thing), row):
                wrong.setdefault(key, []).append(row.unmet_id)
        for key, names in wrong.items():
            tell(report, key, "unmet", names, "reason")

    # Who may do it ---------------------------------------------------------------------------

    def _may(self, thing: Thing, row: object) -> list[Duty]:
        """Return in whose charge it is then: teams of its zone, else those without a zone."""
        fits = self.desk.fits(thing[0])[thing[1]]
        held = [d for d in self._there(row) if fits[d.team]]
        own = [d for d in held if self.zone[d.team] != ""]
        return own or held

    def _there(self, row: object) -> list[Duty]:
        return self.desk.on_duty(str(row.day), str(row.shift))  # type: ignore[attr-defined]

    def _windows(self, thing: Thing) -> list[Span]:
        held = self.desk.windows(thing[1]) if thing[0] == STOP else []
        return held or [(-math.inf, math.inf)]

    def _stay(self, thing: Thing) -> float:
        return self.desk.stay_min(thing[1]) if thing[0] == STOP else 0.0

    def _trip(self, thing: Thing, team: int) -> tuple[float, float, float]:
        """Return the minutes there, the stay and the minutes back; inf where no street leads."""
        mode, station = str(self.mode[team]), int(self.station[team])
        key = (thing[0], thing[1], team)
        if key not in self._trips:
            ways, home = self.ways(mode), ("stations", station)
            if thing[0] == STOP:
                goal = ("stops", thing[1])
                trip = (ways.travel(home, goal), self._stay(thing) * _MINUTE_S,
                        ways.travel(goal, home))
            else:
                trip = self._round(ways, thing[1], ways.seconds_from(*home),
                                   ways.seconds_from(*home, back=True))
            self._trips[key] = (trip[0] / _MINUTE_S, trip[1] / _MINUTE_S, trip[2] / _MINUTE_S)
        return self._trips[key]

    def _round(self, ways: ModeWays, piece: int, there: dict[int, float],
               back: dict[int, float]) -> tuple[float, float, float]:
        """Return the seconds to a piece, along it and home, in the better direction."""
        chain = self._chain(ways, piece)
        if chain is None:
            return math.inf, math.inf, math.inf
        first, last, along, against = chain
        both = [(there.get(first, math.inf), along, back.get(last, math.inf)),
                (there.get(last, math.inf), against, back.get(first, math.inf))]
        return min(both, key=sum)

    def _chain(self, ways: ModeWays, piece: int) -> tuple[int, int, float, float] | None:
        key = (ways.mode, piece)
        if key not in self._chains:
            self._chains[key] = ways.find_chain(self.desk.plan.shapes("required")[piece])
        return self._chains[key]

    # The reasons -----------------------------------------------------------------------------

    def _team(self, _: Thing, row: object) -> bool:
        return str(row.day) in {day for day, _ in self.desk.asked.without}  # type: ignore[attr-defined]

    def _window(self, thing: Thing, _: object) -> bool:
        return all(b - a < self._stay(thing) for a, b in self._windows(thing))

    def _tier(self, thing: Thing, row: object) -> bool:
        fits = self.desk.fits_tier(thing[0])[thing[1]]
        return not any(fits[d.team] for d in self._there(row))

    def _zone(self, thing: Thing, row: object) -> bool:
        return not self._may(thing, row)

    def _way(self, thing: Thing, row: object) -> bool:
        return not any(math.isfinite(sum(self._trip(thing, d.team)))
                       for d in self._may(thing, row))

    def _shift(self, thing: Thing, row: object) -> bool:
        return not any(self._begins(thing, d, pause=True) for d in self._may(thing, row))

    def _begins(self, thing: Thing, duty: Duty, *, pause: bool) -> list[Span]:
        """Return when a team could surely begin this if it had nothing else to do."""
        out, stay, back = (minutes * _SLACK for minutes in self._trip(thing, duty.team))
        rest = float(self.pause[duty.team]) if pause else 0.0
        first = duty.span[0] + out + _SPARE_MIN
        last = duty.span[1] - back - stay - rest - _SPARE_MIN
        spans = ((max(first, a), min(last, b - self._stay(thing)))
                 for a, b in self._windows(thing))
        return [(a, b) for a, b in spans if a <= b]

    def _spacing(self, thing: Thing, row: object) -> bool:
        """Tell whether windows and shifts have room for fewer visits so far apart."""
        if thing[0] != STOP:
            return False
        spacing = float(np.nan_to_num(self.desk.plan.numbers("stops", "spacing_min")[thing[1]]))
        spans = sorted(s for d in self._may(thing, row) for s in self._begins(thing, d,
                                                                              pause=True))
        asked = self.counts.asked.get((str(row.day), *thing), (0, 0))[0]  # type: ignore[attr-defined]
        if spacing <= 0 or not asked:
            return False
        count, free = 0, -math.inf
        for a, b in spans:
            at = max(a, free)
            while at <= b and count < asked:
                count, at = count + 1, at + spacing
                free = at
        return count < asked

    def _crowded(self, thing: Thing, row: object) -> bool:
        """Tell whether nobody could surely do it after all else, or has nothing else to do."""
        layer = LAYERS_OF[thing[0]]
        if self.desk.plan.numbers(layer, "optional")[thing[1]] == 1:
            return True  # it may cost more than it is worth
        taken = self._taken(thing, str(row.day))  # type: ignore[attr-defined]
        for duty in self._may(thing, row):
            for a, b in self._free(thing, duty):
                if any(_has_room(a, b, (c, d - self._stay(thing)), taken)
                       for c, d in self._windows(thing)):
                    return False
        return True

    def _taken(self, thing: Thing, day: str) -> tuple[float, list[float]]:
        """Return the spacing of a stop and when its visits of the day begin."""
        if thing[0] != STOP:
            return 0.0, []
        visits, desk = self.desk.visits, self.desk
        here = ((visits["kind"] == STOP) & (visits["thing"] == thing[1])).to_numpy()
        rows = visits[here]
        today = desk.routes["day"].to_numpy(object)[rows["route"]] == day
        spacing = float(np.nan_to_num(desk.plan.numbers("stops", "spacing_min")[thing[1]]))
        return spacing, rows["arrive"].to_numpy()[today].tolist()

    def _free(self, thing: Thing, duty: Duty) -> Iterator[Span]:
        """Yield when a team could begin this after its last visit, or any time if it stays."""
        routes = self.desk.routes
        mine = np.flatnonzero(((routes["day"] == duty.day)
                               & (routes["team"] == duty.team)).to_numpy())
        out, stay, back = (minutes * _SLACK for minutes in self._trip(thing, duty.team))
        if not math.isfinite(out + stay + back):
            return
        last = duty.span[1] - back - stay - _SPARE_MIN
        if not len(mine):
            yield duty.span[0] + out + _SPARE_MIN, last - float(self.pause[duty.team])
            return
        visits = self.desk.visits[(self.desk.visits["route"] == mine[0]).to_numpy()]
        rested = (visits["kind"] == BREAK).any()
        pause = 0.0 if rested else float(self.pause[duty.team])
        there = self._from_end(thing, duty, int(mine[0])) * _SLACK / _MINUTE_S
        yield float(visits["depart"].max()) + 1 + there + _SPARE_MIN, last - pause

    def _from_end(self, thing: Thing, duty: Duty, route: int) -> float:
        """Return the seconds from where a route's last visit ends, as a node is near, else inf."""
        ways = self.ways(str(self.mode[duty.team]))
        visits = self.desk.visits
        rows = visits[((visits["route"] == route) & (visits["thing"] >= 0)).to_numpy()]
        if not len(rows):
            return math.inf
        kind, last = int(rows["kind"].iloc[-1]), int(rows["thing"].iloc[-1])
        if kind == STOP:
            if thing[0] == STOP:
                return ways.travel(("stops", last), ("stops", thing[1]))
            found = [ways.seconds_from("stops", last)]
        else:
            chain = self._chain(ways, last)
            found = [ways.seconds_at(n) for n in chain[:2]] if chain else []
        return max((self._reach(ways, thing, f) for f in found), default=math.inf)

    def _reach(self, ways: ModeWays, thing: Thing, found: dict[int, float]) -> float:
        if thing[0] == STOP:
            return ways.arrive("stops", thing[1], found)
        chain = self._chain(ways, thing[1])
        if chain is None:
            return math.inf
        # In the direction in which the trip home was measured, whichever it is.
        return max(found.get(n, math.inf) for n in chain[:2])


def _has_room(first: float, last: float, window: Span, taken: tuple[float, list[float]]) -> bool:
    """Tell whether a begin fits between two clocks, a window, and apart from others.

    >>> _has_room(0, 100, (50, 80), (30, [60])), _has_room(0, 100, (50, 95), (30, [60]))
    (False, True)
    """
    spacing, begins = taken
    low, high = max(first, window[0]), min(last, window[1])
    tries = [low, *(b + spacing for b in begins)]
    return any(low <= t <= high and all(abs(t - b) >= spacing for b in begins) for t in tries)
