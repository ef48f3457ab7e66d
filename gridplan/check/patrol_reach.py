"""Where units are at a time, and how many households they reach within minutes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import shapely

from gridplan.check.circle_asked import WALKERS
from gridplan.check.circle_doors import Doors, Entries, Ground, enter_buildings, enter_streets
from gridplan.check.circle_streets import Streets, lay_streets
from gridplan.check.circle_ways import Walks
from gridplan.check.graph import Floats, Ints, Shapes
from gridplan.check.patrol_asked import DAY_MIN
from gridplan.check.patrol_desk import BREAK, FREE, PatrolDesk
from gridplan.check.patrol_figures import CORDON
from gridplan.check.patrol_routes import Followed
from gridplan.check.patrol_told import shown, tell
from gridplan.check.verdict import CheckReport

MINUTES = (1, 3, 5, 15)
_STEP_MIN, _MOST = 30, 48
_SPEED = {mode: speed for name, (mode, speed) in WALKERS.items()
          if name in ("adult", "bike", "ebike", "car")}
# Shares that may be told otherwise, as clocks are not told to the second: of the city; of a
# community, which one unit is in or not, as many sampled times.
_SLACK, _SLACK_TIMES = 0.02, 3
_METRES = 1.0


@dataclass(frozen=True)
class Units:
    """Units at sampled times: (n,) time (0 … times − 1), mode and point of each."""

    times: int
    time: Ints
    mode: np.ndarray
    point: Shapes


def place_units(desk: PatrolDesk, followed: Followed) -> Units:
    """Place everybody on duty at every sampled time: on the way, at a stop, or at the station."""
    number = {d.name: float(DAY_MIN * d.number) for d in desk.days}
    spans = np.array([(number[d.day] + d.span[0], number[d.day] + d.span[1])
                      for d in desk.duties]).reshape(-1, 2)
    minutes = _sample(spans)
    row_of = {(d, t): k for k, (d, t) in enumerate(zip(desk.routes["day"], desk.routes["team"],
                                                       strict=True))}
    plan = desk.plan
    station = dict(zip(plan.ids("stations"), plan.shapes("stations"), strict=True))
    homes = [station.get(s) for s in plan.ids("teams", "station_id")]
    rests = _list_rests(desk)
    times, modes, points = [], [], []
    for duty, (start, end) in zip(desk.duties, spans.tolist(), strict=True):
        there = np.flatnonzero((minutes >= start) & (minutes < end))
        route = row_of.get((duty.day, duty.team), -1)
        if route >= 0:
            at = _find_metres(desk, followed, route, rests.get(route, np.zeros((0, 2))),
                              minutes[there] - number[duty.day])
            spot = shapely.line_interpolate_point(plan.shapes("routes")[route], at)
        elif homes[duty.team] is not None:
            spot = np.full(len(there), homes[duty.team], dtype=object)
        else:
            continue
        times += there.tolist()
        modes += [plan.ids("teams", "mode")[duty.team]] * len(there)
        points += spot.tolist()
    return Units(len(minutes), np.array(times, dtype=np.int64), np.array(modes, dtype=object),
                 np.array(points, dtype=object))


def _sample(spans: Floats) -> Floats:
    """Return every half hour at which anybody is on duty, evenly thinned to 48."""
    if not len(spans):
        return np.zeros(0)
    minutes = np.arange(spans[:, 0].min(), spans[:, 1].max(), _STEP_MIN)
    on = (spans[:, 0, None] <= minutes) & (minutes < spans[:, 1, None])
    minutes = minutes[on.any(axis=0)]
    if len(minutes) > _MOST:
        minutes = minutes[np.round(np.linspace(0, len(minutes) - 1, _MOST)).astype(np.int64)]
    return minutes


def _list_rests(desk: PatrolDesk) -> dict[int, Floats]:
    """Return begin and end of the rests of each route."""
    rows = desk.visits[desk.visits["kind"].isin((BREAK, FREE)).to_numpy()]
    return {int(k): v[["arrive", "depart"]].to_numpy() for k, v in rows.groupby("route")}


def _find_metres(desk: PatrolDesk, followed: Followed, route: int, rests: Floats,
                 minutes: Floats) -> Floats:
    """Return how far along its line a route is at some minutes of its day."""
    knots = followed.knots[route]
    length = float(shapely.length(desk.plan.shapes("routes")[route]))
    start = float(desk.routes["start"].iloc[route])
    if not len(knots):
        knots = np.array([[start, 0.0], [start + float(desk.routes["duration_min"].iloc[route]),
                                         length]])
    else:
        leave = max(start, knots[0, 0] - float(followed.out_s[route]) / 60)
        back = knots[-1, 0] + float(followed.longest_home_s[route]) / 60
        knots = np.vstack([[leave, 0.0], knots, [back, length]])
    moving, when = _leave_out(knots[:, 0], rests), _leave_out(minutes, rests)
    order = np.maximum.accumulate(moving)
    return np.interp(when, order, np.maximum.accumulate(knots[:, 1]))


def _leave_out(minutes: Floats, rests: Floats) -> Floats:
    """Return minutes without those of the rests before them.

    >>> _leave_out(np.array([50.0, 110.0, 200.0]), np.array([[100.0, 130.0]])).tolist()
    [50.0, 100.0, 170.0]
    """
    over = np.clip(minutes[:, None] - rests[None, :, 0], 0.0, rests[:, 1] - rests[:, 0])
    return np.asarray(minutes - over.sum(axis=1), dtype=np.float64)


def check_response(report: CheckReport, desk: PatrolDesk, units: Units) -> None:
    """Hold the shares of households within minutes of a unit to ways from where units are."""
    plan = desk.plan
    people = np.nan_to_num(plan.numbers("buildings", "households"))
    near = _measure(desk, units, len(people))
    town = plan.ids("buildings", "community_id")
    scopes = [("city", "all", np.ones(len(people), dtype=bool)),
              *(("community", str(c), town == c) for c in sorted(set(town) - {""}))]
    table = plan.frame("figures")
    rows = table[table["name"].str.startswith("response_share_").to_numpy(bool)]
    found = {(str(r.name), str(r.scope), str(r.scope_id)): r for r in rows.itertuples(index=False)}
    truth = {}
    for minutes in MINUTES:
        for scope, name, keep in scopes:
            whole = float(people[keep].sum())
            part = (float((people[keep] * (near[:, keep] <= 60 * minutes)).sum(axis=1).mean())
                    if units.times else np.nan)
            truth[f"response_share_{minutes}", scope, name] = (part, whole)
    tell(report, "patrol_figure_odd", "figures", [":".join(k) for k in found if k not in truth])
    tell(report, "patrol_figure_missing", "figures",
         [":".join(k) for k, (part, whole) in truth.items() if k not in found and whole
          and not np.isnan(part)])
    for column, of in (("value", 0), ("numerator", 1), ("denominator", 2)):
        off = []
        for key in (k for k in truth if k in found):
            part, whole = truth[key]
            real = (part / whole if whole else np.nan, part, whole)[of]
            told = float(getattr(found[key], column))
            slack = _SLACK if key[1] == "city" else max(_SLACK, _SLACK_TIMES / max(units.times, 1))
            room = slack * (1.0, whole, 0.0)[of] + 1e-6
            if not (np.isnan(told) if np.isnan(real) else abs(told - real) <= room):
                off.append((":".join(key), told, real))
        if off:
            tell(report, "patrol_figure", "figures", [o[0] for o in off], column,
                 found=shown(off[0][1]), expected=shown(off[0][2]))


def check_cordon(report: CheckReport, desk: PatrolDesk, units: Units) -> None:
    """Hold cordons to how many units there are: the fewest, and no time where they are too few.

    Which exits an area has, and how soon units stand there, is not worked out.
    """
    table = desk.plan.frame("figures")
    rows = table[(table["name"] == CORDON).to_numpy(bool)]
    fewest = int(np.bincount(units.time, minlength=units.times).min()) if units.times else 0
    names = (rows["scope"] + ":" + rows["scope_id"]).to_numpy(object)
    told = rows["numerator"].to_numpy(float)
    bad = told != fewest
    if bad.any():
        tell(report, "patrol_figure", "figures", [f"{CORDON}:{n}" for n in names[bad]],
             "numerator", found=shown(told[bad][0]), expected=shown(fewest))
    value = rows["value"].to_numpy(float)
    bad = ~np.isnan(value) & ((value < 0) | (rows["denominator"].to_numpy(float) > fewest))
    if bad.any():
        tell(report, "patrol_figure", "figures", [f"{CORDON}:{n}" for n in names[bad]], "value",
             found=shown(value[bad][0]), expected="-")


def _measure(desk: PatrolDesk, units: Units, count: int) -> Floats:
    """Return (times, buildings) seconds in which the first unit comes, inf where none does."""
    plan, asked = desk.plan, desk.asked.response
    out = np.full((units.times, count), np.inf)
    for mode in sorted(set(units.mode)):
        rows = np.flatnonzero(units.mode == mode)
        streets = lay_streets(plan, mode, asked)
        ground = Ground(plan, streets, asked)
        doors = _plain(enter_buildings(ground, plan))
        xy = np.round(shapely.get_coordinates(units.point[rows]), 3)
        place, spot = np.unique(xy, axis=0, return_inverse=True)
        walks = Walks(_turn(streets), doors, _plain(enter_streets(ground,
                                                                  shapely.points(place))))
        table = pd.DataFrame({"time": units.time[rows], "spot": spot.ravel()})
        for time, held in table.groupby("time")["spot"]:
            metres = walks.nearest(np.unique(held.to_numpy())).metres
            np.minimum(out[time], (metres - _METRES) / _SPEED[mode], out=out[time])
    return out


def _plain(doors: Doors) -> Doors:
    """Return doors without the streets that are as near within a millimetre."""
    none = np.zeros(0, dtype=np.int64)
    return Doors(doors.entries, Entries(none, none, np.zeros(0), np.zeros(0),
                                        doors.entries.unsure))


def _turn(streets: Streets) -> Streets:
    """Return streets whose searches from facilities lead to the doors, not back from them."""
    return replace(streets, cost_m=streets.cost_m[:, ::-1],
                   backward=streets.backward.reverse(copy=True))
