"""How long patrols take: passes of streets and stays at stops, by tier, zone and shift."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.network.usage import text_of
from gridplan.params import PatrolParams
from gridplan.patrol.pieces import Bools, Floats, Web, midpoints

DEADHEAD = 1.25  # ways without a pass add a quarter or more; what `fill` leaves takes the rest
REACH_MIN = 3.0  # way from the street to a stop and back
DAY_MIN = 1440


@dataclass(frozen=True)
class Work:
    """What there is to do in a day, one row a piece or stop.

    Attributes
    ----------
    point
        Middle of the piece, or the stop.
    tier
        Whose it is; "" any.
    minutes
        One pass at cruising speed, or one stay.
    times
        Passes or visits a day.
    windows
        Minutes of the day of each stay, (begin, end); empty: always.
    stop
        Whether it is a stop.
    """

    point: NDArray[np.object_]
    tier: NDArray[np.object_]
    minutes: Floats
    times: Floats
    windows: tuple[tuple[tuple[int, int], ...], ...]
    stop: Bools

    @property
    def a_day(self) -> Floats:
        """Minutes of each row a day."""
        return np.asarray(self.minutes * self.times)

    def of(self, tier: str) -> Bools:
        """Tell which rows are work of a tier; stops of no tier are those of town teams."""
        return np.asarray((self.tier == tier) | ((self.tier == "") & (tier == "town")))


def cruise_kmh(patrol: PatrolParams, mode: str, road_class: str) -> float:
    """Return how fast a mode patrols on roads of a class, in km/h.

    >>> cruise_kmh(PatrolParams(), "foot", "steps"), cruise_kmh(PatrolParams(), "car", "tertiary")
    (3.6, 20.0)
    """
    if mode == "foot":
        return patrol.foot_kmh
    kmh: Mapping[str, float] = getattr(patrol, f"{mode}_kmh")
    return kmh.get(road_class, kmh["unknown"])


def weigh_work(web: Web, required: gpd.GeoDataFrame, stops: gpd.GeoDataFrame,
               patrol: PatrolParams) -> Work:
    """Return all work of a day: required pieces that are not optional, and such stops."""
    required = required[~required["optional"].fillna(False).to_numpy(dtype=bool)]
    stops = stops[~stops["optional"].fillna(False).to_numpy(dtype=bool)]
    classes = dict(zip(web.roads.index.astype(str), web.road_class.tolist(), strict=True))
    tier = text_of(required, "tier", "town")
    kmh = np.array([cruise_kmh(patrol, patrol.modes[t], classes.get(r, "unknown"))
                    for t, r in zip(tier.tolist(), text_of(required, "road_id", "").tolist(),
                                    strict=True)])
    passing = shapely.length(required.geometry.to_numpy()) / 1000 * 60 / kmh
    asked = stops["visits_per_day"].fillna(stops["visits_per_week"] / 7).fillna(1.0)
    hot = text_of(stops, "kind", "") == "hotspot"
    stay = stops["service_min"].fillna(0).to_numpy(dtype=float)
    stay = np.where(hot, np.maximum(stay, patrol.hotspot_least_min), stay)
    none: tuple[tuple[int, int], ...] = ()
    return Work(
        np.concatenate([midpoints(required.geometry.to_numpy()), stops.geometry.to_numpy()]),
        np.concatenate([tier, text_of(stops, "tier", "")]),
        np.concatenate([passing, stay]),
        np.concatenate([required["passes_per_day"].fillna(1).to_numpy(dtype=float),
                        asked.to_numpy(dtype=float)]),
        (*(none for _ in tier), *map(read_windows, text_of(stops, "windows", "").tolist())),
        np.arange(len(required) + len(stops)) >= len(required))


def read_windows(text: str) -> tuple[tuple[int, int], ...]:
    """Return windows in minutes of the day; an end at or below its begin is the next day.

    >>> read_windows("07:30-08:20;22:00-06:00"), read_windows("")
    (((450, 500), (1320, 1800)), ())
    """
    found = re.findall(r"(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)", text)
    spans = [(int(a) * 60 + int(b), int(c) * 60 + int(d)) for a, b, c, d in found]
    return tuple((a, b if b > a else b + DAY_MIN) for a, b in spans)


def split_shifts(text: str) -> list[tuple[str, str]]:
    """Return begin and end of shifts.

    >>> split_shifts("07:30-15:30;15:30-23:30")
    [('07:30', '15:30'), ('15:30', '23:30')]
    """
    return [(part.strip()[:5], part.strip()[6:]) for part in text.split(";")]


def span_of(start: str, end: str) -> tuple[int, int]:
    """Return a shift in minutes of the day, the end past 24:00 where it is the next day."""
    return read_windows(f"{start}-{end}")[0]


def share_shift(work: Work, chosen: Bools, shifts: list[tuple[int, int]], which: int
                ) -> tuple[float, float]:
    """Return the minutes that a shift of a zone takes, and the teams its windows take at least.

    Passes are dealt out to the shifts in turn, so that one with the most has the next whole
    number; visits with windows belong to the shift in which the window lies.

    Parameters
    ----------
    chosen
        The work of the zone.
    shifts
        All shifts of the tier, in minutes of the day.
    """
    rows = np.flatnonzero(chosen & ~work.stop)
    passing = float((work.minutes[rows] * np.ceil(work.times[rows] / len(shifts))).sum()) * DEADHEAD
    staying = 0.0
    at_once: dict[tuple[int, int], float] = {}
    for k in np.flatnonzero(chosen & work.stop).tolist():
        each = work.minutes[k] + REACH_MIN
        if not work.windows[k]:
            staying += each * work.times[k] / len(shifts)
            continue
        fits = [[_meets(window, shift) for shift in shifts].index(True)
                if any(_meets(window, shift) for shift in shifts) else -1
                for window in work.windows[k]]
        share = work.times[k] / len(fits)
        staying += each * share * fits.count(which)
        for window, shift in zip(work.windows[k], fits, strict=True):
            if shift == which:
                at_once[window] = at_once.get(window, 0.0) + each * share
    crowd = max((minutes / (end - begin) for (begin, end), minutes in at_once.items()), default=0.0)
    return passing + staying, crowd


def _meets(window: tuple[int, int], shift: tuple[int, int]) -> bool:
    """Tell whether a window begins in a shift, the day before's night shift included."""
    begin = window[0]
    return any(shift[0] <= begin + turn < shift[1] for turn in (0, DAY_MIN))


def useful_min(patrol: PatrolParams, shift: tuple[int, int]) -> float:
    """Return the minutes of a shift that are filled when teams are proposed.

    >>> useful_min(PatrolParams(), (450, 930))
    337.5
    """
    return patrol.fill * max(1, shift[1] - shift[0] - patrol.break_min)


def count_teams(work: Work, chosen: Bools, tier: str, patrol: PatrolParams) -> list[int]:
    """Return how many teams each shift of a zone needs: at least one."""
    shifts = [span_of(*s) for s in split_shifts(patrol.shifts[tier])]
    needs = []
    for which, shift in enumerate(shifts):
        minutes, crowd = share_shift(work, chosen, shifts, which)
        # A hair less: sums of minutes are not exact.
        needs.append(max(1, int(np.ceil(max(minutes / useful_min(patrol, shift),
                                            crowd / patrol.fill) - 1e-9))))
    return needs


def tally_zones(work: Work, zone: NDArray[np.object_], tier: str) -> pd.Series:
    """Return the minutes a day of each zone of a tier, without ways between."""
    rows = work.of(tier)
    return pd.Series(work.a_day[rows]).groupby(zone[rows]).sum()
