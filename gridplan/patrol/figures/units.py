"""Where units are at a time: along their routes between visits, else at their station."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.patrol.figures.made import DAY_MIN, Made, read_made
from gridplan.patrol.figures.table import Floats
from gridplan.plan import Plan

_NEAR_M = 0.05
_LONGER_M, _LONGER = 1.0, 0.01  # by how much a pass may differ from its piece
_BACKWARD = 1e9  # what a step back along the route costs, per metre
STEP_MIN = 30
MOST_SAMPLES = 48

Shapes = NDArray[np.object_]


@dataclass(frozen=True)
class Trail:
    """A route in time.

    Attributes
    ----------
    line
        The way from station to station.
    moving_min, metres
        (k,) knots: minutes without those of rests, ascending, and how far along the line.
    rests
        (r, 2) begin and end of the rests, in minutes.
    """

    line: shapely.LineString
    moving_min: Floats
    metres: Floats
    rests: Floats

    def find_metres(self, minute: Floats) -> Floats:
        """Return how far along the line the unit is; before leaving 0, after being back all."""
        return np.interp(leave_out(minute, self.rests), self.moving_min, self.metres)


@dataclass(frozen=True)
class Units:
    """Every team and day on duty (rows of ``Made.duties``), with its route if it leaves."""

    made: Made
    routes: tuple[int, ...]
    _visits: dict[int, pd.DataFrame]
    _trails: dict[int, Trail] = field(default_factory=dict)

    @property
    def duties(self) -> pd.DataFrame:
        """Who is on duty."""
        return self.made.duties

    def trail(self, route: int) -> Trail:
        """Return the trail of a row of ``Made.routes``; it is made when it is asked for."""
        if route not in self._trails:
            row = self.made.routes.iloc[route]
            visits = self._visits.get(route, self.made.visits.iloc[:0])
            self._trails[route] = make_trail(row["line"], _anchors(self.made, visits),
                                             _rests(visits), row["start"], row["duration_min"])
        return self._trails[route]

    def place(self, minute: float) -> tuple[NDArray[np.int64], Floats]:
        """Return the rows on duty at a minute and their (k, 2) coordinates.

        Teams without a station and without a route are nowhere and left out.
        """
        start, end = (self.duties[c].to_numpy(dtype=np.float64) for c in ("start", "end"))
        rows, xy = [], []
        for k in np.flatnonzero((start <= minute) & (minute < end)).tolist():
            route, station = self.routes[k], self.duties["station"].iloc[k]
            if route >= 0:
                trail = self.trail(route)
                at = float(trail.find_metres(np.array([minute]))[0])
                point = shapely.line_interpolate_point(trail.line, at)
            elif station is not None:
                point = station
            else:
                continue
            rows.append(k)
            xy.append((point.x, point.y))
        return np.array(rows, dtype=np.int64), np.array(xy, dtype=np.float64).reshape(-1, 2)


def place_units(plan: Plan, day: str, minute: float) -> gpd.GeoDataFrame:
    """Place the units on duty at a time.

    Between two visits a unit moves along its route, evenly in time; on a pass from one end of the
    street to the other; at a stop and during a break it stands. Before it leaves, after it is
    back and without a route it is at its station. When it leaves and is back follows from the
    duration of the route, the first and last way driven at one speed.

    Parameters
    ----------
    day
        One of the plan's days.
    minute
        Minutes since its midnight; past 1440 the next day. Units of a shift that began the day
        before are there as well.

    Returns
    -------
    GeoDataFrame
        team_id, tier, mode, day (on which its shift began), shift; points in the plan's CRS.

    Raises
    ------
    ValueError
        The plan has no such day.

    >>> place_units(Plan({}, 4549), "D1", 480)
    Traceback (most recent call last):
    ValueError: no such day: D1
    """
    made = read_made(plan)
    at = pd.Index(made.days["name"]).get_indexer([day])[0]
    if at < 0:
        raise ValueError(f"no such day: {day}")
    units = follow_units(made)
    rows, xy = units.place(minute + DAY_MIN * float(made.days["number"].iloc[at]))
    held = units.duties.iloc[rows].reset_index(drop=True)
    days = made.days["name"].to_numpy(dtype=object)[held["day"].to_numpy(dtype=np.int64)]
    return gpd.GeoDataFrame(held[["team_id", "tier", "mode"]].assign(day=days, shift=held["shift"]),
                            geometry=shapely.points(xy), crs=plan.crs)


def follow_units(made: Made) -> Units:
    """Match routes with who is on duty."""
    routes = {key: k for k, (key, line) in enumerate(zip(
        zip(made.routes["day"], made.routes["team_id"], made.routes["shift"], strict=True),
        made.routes["line"], strict=True)) if line is not None and not line.is_empty}
    held = zip(made.duties["day"], made.duties["team_id"], made.duties["shift"], strict=True)
    return Units(made, tuple(routes.get(key, -1) for key in held),
                 {int(k): rows for k, rows in made.visits.groupby("route", sort=True)})


def _anchors(made: Made, visits: pd.DataFrame) -> list[tuple[float, float, Any]]:
    """Return arrival, departure and shape of every visit with a place and times."""
    held = visits[((visits["thing"] >= 0) & visits["arrive"].notna() & visits["depart"].notna()
                   ).to_numpy(bool)]
    shapes = {"stop": made.stops["point"].to_numpy(dtype=object),
              "pass": made.required["line"].to_numpy(dtype=object)}
    return [(a, max(a, d), shapes[what][k]) for what, k, a, d in zip(
        *(held[c].tolist() for c in ("what", "thing", "arrive", "depart")), strict=True)]


def _rests(visits: pd.DataFrame) -> Floats:
    rows = visits[((visits["what"] == "break") & visits["arrive"].notna()
                   & (visits["depart"] >= visits["arrive"])).to_numpy(bool)]
    return rows[["arrive", "depart"]].to_numpy(dtype=np.float64).reshape(-1, 2)


def leave_out(minute: Floats, rests: Floats) -> Floats:
    """Return minutes less those of rests before them.

    >>> leave_out(np.array([50.0, 110.0, 200.0]), np.array([[100.0, 130.0]])).tolist()
    [50.0, 100.0, 170.0]
    """
    over = np.clip(minute[:, None] - rests[None, :, 0], 0, rests[:, 1] - rests[:, 0])
    return np.asarray(minute - over.sum(axis=1), dtype=np.float64)


def make_trail(line: shapely.LineString, anchors: Sequence[tuple[float, float, Any]],
               rests: Floats, start_min: float, duration_min: float) -> Trail:
    """Put a route in time.

    Parameters
    ----------
    anchors
        Arrival, departure and place (a point, or the line of a pass) of every visit, in order.
    rests
        (r, 2) begin and end of breaks.
    start_min
        When the shift begins.
    duration_min
        From leaving to being back.

    >>> line = shapely.LineString([(0, 0), (1000, 0), (0, 0)])
    >>> trail = make_trail(line, [(20.0, 30.0, shapely.Point(1000, 0))], np.zeros((0, 2)), 0, 30)
    >>> trail.find_metres(np.array([0.0, 10.0, 15.0, 25.0, 35.0, 60.0])).tolist()
    [0.0, 0.0, 500.0, 1000.0, 1500.0, 2000.0]
    """
    length = float(line.length)
    if not anchors:
        knots = np.array([start_min, start_min + np.nan_to_num(duration_min)])
        return Trail(line, leave_out(knots, rests), np.array([0.0, length]), rests)
    times = leave_out(np.array([t for a, b, _ in anchors for t in (a, b)]), rests)
    stays = (times[1::2] - times[::2]).sum()
    spans = locate_visits(line, [shape for *_, shape in anchors], times,
                          length / max(1.0, np.nan_to_num(duration_min) - stays))
    metres = np.maximum.accumulate(spans.reshape(-1))
    before, after = metres[0], length - metres[-1]
    outside = sum(b - a for a, b in rests.tolist()
                  if b <= anchors[0][0] or a >= anchors[-1][1])
    spare = max(0.0, np.nan_to_num(duration_min) - (anchors[-1][1] - anchors[0][0]) - outside)
    share = before / (before + after) if before + after > 0 else 0.0
    first = max(times[0] - spare * share,
                min(times[0], float(leave_out(np.array([start_min]), rests)[0])))
    last = times[-1] + spare * (1 - share)
    metres = np.concatenate([[0.0], metres, [length]])
    times = np.maximum.accumulate(np.concatenate([[first], times, [last]]))
    return Trail(line, spread_minutes(times, metres), metres, rests)


def spread_minutes(times: Floats, metres: Floats) -> Floats:
    """Spread knots of one time over the minute that follows, by how far apart they are.

    Times of visits are whole minutes, cut off: what happens at 8:00 happens before 8:01.

    Parameters
    ----------
    times, metres
        (k,) ascending.

    >>> spread_minutes(np.array([0.0, 0.0, 0.0, 5.0]), np.array([0.0, 100.0, 300.0, 400.0]))
    array([0.  , 0.25, 0.75, 5.  ])
    """
    first = np.searchsorted(times, times)
    after = np.minimum(np.searchsorted(times, times, side="right"), len(times) - 1)
    room = np.where(times[after] > times, np.minimum(1.0, times[after] - times), 1.0)
    whole = np.maximum(metres[after] - metres[first], 1e-9)
    return np.asarray(times + room * (metres - metres[first]) / whole, dtype=np.float64)


def locate_visits(line: shapely.LineString, shapes: Sequence[Any], times: Floats,
                  pace_m_min: float) -> Floats:
    """Find where along a route its visits are, in order.

    A route may lead past a place several times: of all chains of places the one counts whose
    steps fit the minutes between the visits best.

    Parameters
    ----------
    shapes
        A point for each stop, the line of the piece for each pass.
    times
        (2n,) arrival and departure of each, in minutes.
    pace_m_min
        Metres a minute.

    Returns
    -------
    ndarray
        (n, 2) metres along the line where each visit begins and ends.

    >>> line = shapely.LineString([(0, 0), (9, 0), (0, 0)])
    >>> locate_visits(line, [shapely.Point(6, 0), shapely.LineString([(3, 0), (6, 0)])],
    ...               np.array([12.0, 13, 13, 16]), 1.0).tolist()
    [[12.0, 12.0], [12.0, 15.0]]
    """
    options = _find_spans(line, shapes)
    # The first way begins at an unknown time: no place of it costs anything.
    cost, back = [np.zeros(len(options[0]))], [np.zeros(len(options[0]), dtype=np.int64)]
    for k in range(1, len(options)):
        step = options[k][None, :, 0] - options[k - 1][:, None, 1]
        minutes = times[2 * k] - times[2 * k - 1]
        price = (step - pace_m_min * minutes) ** 2 + _BACKWARD * np.maximum(-step - _NEAR_M, 0)
        whole = cost[-1][:, None] + price
        back.append(whole.argmin(axis=0))
        cost.append(whole.min(axis=0))
    at = int(cost[-1].argmin())
    out = np.zeros((len(options), 2))
    for k in range(len(options) - 1, -1, -1):
        out[k] = options[k][at]
        at = int(back[k][at])
    return out


def _find_spans(line: shapely.LineString, shapes: Sequence[Any]) -> list[Floats]:
    """Return for each visit every (begin, end) along a route at which it may be."""
    ends = [np.asarray(shape.coords)[[0, -1], :2] for shape in shapes]
    middles = np.array([s if s.geom_type == "Point" else
                        shapely.line_interpolate_point(s, 0.5, normalized=True) for s in shapes])
    spots = find_spots(line, np.concatenate([*ends, shapely.get_coordinates(middles)]))
    long = shapely.length(np.asarray(shapes, dtype=object))
    slack = np.maximum(_LONGER_M, _LONGER * long)
    held, owner = [], []
    for k in np.flatnonzero(long > 0).tolist():
        one, two = spots[2 * k], spots[2 * k + 1]
        for a, b in ((one, two), (two, one)):
            i, j = np.nonzero(np.abs(b[None, :] - a[:, None] - long[k]) <= slack[k])
            held.append(np.stack([a[i], b[j]], axis=1))
            owner.append(np.full(len(i), k))
    out = [np.stack([m, m], axis=1) for m in spots[2 * len(shapes):]]
    if held:
        pairs, of = np.concatenate(held), np.concatenate(owner)
        off = shapely.distance(shapely.line_interpolate_point(line, pairs.mean(axis=1)),
                               middles[of])
        pairs, of = pairs[off <= slack[of]], of[off <= slack[of]]
        first = np.searchsorted(of, np.arange(len(shapes) + 1))
        for k in np.flatnonzero(np.diff(first)).tolist():
            out[k] = pairs[first[k]:first[k + 1]]
    return out


def find_spots(line: shapely.LineString, points: Floats) -> list[Floats]:
    """Return where along a line each point lies: every place that is as near as the nearest.

    >>> line = shapely.LineString([(0, 0), (9, 0), (0, 0)])
    >>> [spots.tolist() for spots in find_spots(line, np.array([[2.0, 0.0], [9.0, 1.0]]))]
    [[2.0, 16.0], [9.0]]
    """
    xy = np.asarray(line.coords)[:, :2]
    step = np.diff(xy, axis=0)
    long = np.hypot(*step.T)
    along, square = np.cumsum(long) - long, np.maximum(long**2, 1e-12)
    to_x, to_y = (points[:, i, None] - xy[None, :-1, i] for i in (0, 1))
    part = np.clip((to_x * step[:, 0] + to_y * step[:, 1]) / square, 0, 1)
    away = np.hypot(to_x - part * step[:, 0], to_y - part * step[:, 1])
    row, segment = np.nonzero(away <= away.min(axis=1, keepdims=True) + _NEAR_M)
    found = along[segment] + part[row, segment] * long[segment]
    order = np.lexsort((found, row))
    row, found = row[order], found[order]
    new = np.append(True, (np.diff(found) > 2 * _NEAR_M) | (np.diff(row) > 0))
    row, found = row[new], found[new]
    return np.split(found, np.searchsorted(row, np.arange(1, len(points))))


def sample_times(made: Made) -> Floats:
    """Return the minutes at which units are looked for.

    Every 30 minutes from the first shift's start at which anybody is on duty; of more than 48
    such times 48 at equal distances.

    >>> from gridplan.plan import Plan
    >>> sample_times(read_made(Plan({}, 4549))).tolist()
    []
    """
    begin, finish = made.horizon
    if not finish > begin:
        return np.zeros(0)
    minute = np.arange(begin, finish, STEP_MIN)
    start, end = (made.duties[c].to_numpy(dtype=np.float64)[:, None] for c in ("start", "end"))
    minute = minute[((start <= minute) & (minute < end)).any(axis=0)]
    if len(minute) > MOST_SAMPLES:
        minute = minute[np.round(np.linspace(0, len(minute) - 1, MOST_SAMPLES)).astype(np.int64)]
    return minute
