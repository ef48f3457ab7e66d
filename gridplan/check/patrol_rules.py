"""What a table of patrols must hold by itself: order, times, stays, shifts, breaks, crews."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from gridplan.check.graph import Flags
from gridplan.check.patrol_asked import each_day, read_clocks, read_span, read_spans
from gridplan.check.patrol_desk import BREAK, PIECE, STOP, PatrolDesk, ids_of
from gridplan.check.patrol_told import tell
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport

_SPANS = (("teams", "break_window", False), ("routes", "shift", True),
          ("calendar", "shift", False), ("unmet", "shift", False))
_CLOCKS = (("teams", "shift_start"), ("teams", "shift_end"), ("visits", "arrive"),
           ("visits", "depart"))


def check_words(plan: PlanData, report: CheckReport) -> None:
    """Hold that clocks, shifts, windows, days and duty levels can be read at all."""
    for layer, column in _CLOCKS:
        bad = np.isnan(read_clocks(plan.ids(layer, column)))
        tell(report, "patrol_clock", layer, plan.ids(layer)[bad], column)
    for layer, column, needed in _SPANS:
        texts = plan.ids(layer, column)
        bad = np.array([(needed or t != "") and np.isnan(read_span(t)).any() for t in texts],
                       dtype=bool)
        tell(report, "patrol_clock", layer, plan.ids(layer)[bad], column)
    windows = [np.isnan(np.array(read_spans(t)).ravel()).any() for t in plan.ids("stops",
                                                                                "windows")]
    tell(report, "patrol_clock", "stops", plan.ids("stops")[np.array(windows, dtype=bool)],
          "windows")


def check_structure(report: CheckReport, desk: PatrolDesk) -> None:
    """Hold days, duty levels, routes and the order of visits to each other."""
    plan, routes, visits = desk.plan, desk.routes, desk.visits
    names = {d.name for d in desk.days}
    for layer, column in (("routes", "day"), ("unmet", "day")):
        odd = np.array([d not in names for d in plan.ids(layer, column)], dtype=bool)
        tell(report, "patrol_day", layer, plan.ids(layer)[odd], column,
              expected=", ".join(d.name for d in desk.days) or "-")
    unknown = [d.name for d in desk.days if np.isnan(d.level)]
    tell(report, "patrol_duty", "calendar", unknown, "duty",
          expected=", ".join(desk.asked.duty))
    again = routes.duplicated(["team_id", "day"], keep="first").to_numpy()
    tell(report, "patrol_twice", "routes", routes["route_id"][again])
    modes = plan.ids("teams", "mode")[desk.routes["team"]]
    odd_mode = (routes["mode"].to_numpy(object) != modes)
    tell(report, "patrol_mode", "routes", routes["route_id"][odd_mode], "mode")
    both = (plan.ids("visits", "stop_id") != "") & (plan.ids("visits", "required_id") != "")
    tell(report, "patrol_both", "visits", plan.ids("visits")[both])
    rank = visits.groupby("route").cumcount().to_numpy() + 1
    tell(report, "patrol_order", "visits", visits["visit_id"][visits["order"] != rank], "order")
    empty = ~np.isin(np.arange(len(routes)), visits["route"])
    tell(report, "patrol_empty", "routes", routes["route_id"][empty])
    back = (visits["depart"] < visits["arrive"]).to_numpy()
    same = (visits["route"].diff() == 0).to_numpy()
    back = back | (same & (visits["arrive"] < visits["depart"].shift()).to_numpy())
    tell(report, "patrol_times", "visits", visits["visit_id"][back], "arrive")
    odd = (plan.ids("unmet", "stop_id") != "") == (plan.ids("unmet", "required_id") != "")
    odd = odd | ~(plan.numbers("unmet", "visits") >= 1)
    tell(report, "patrol_unmet", "unmet", plan.ids("unmet")[odd])


def check_duty(report: CheckReport, desk: PatrolDesk) -> None:
    """Hold that teams with a route are on duty then, in their shift, and stay within it."""
    routes, visits = desk.routes, desk.visits
    due = {(d.day, d.team): d for d in desk.duties}
    keys = list(zip(routes["day"], routes["team"], strict=True))
    off = np.array([k not in due for k in keys], dtype=bool)
    tell(report, "patrol_off_duty", "routes", routes["route_id"][off], "day")
    wrong = np.array([k in due and due[k].span != (a, b) for k, a, b in zip(
        keys, routes["start"], routes["end"], strict=True)], dtype=bool)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        tell(report, "patrol_shift", "routes", routes["route_id"][wrong], "shift",
              found=routes["shift"].iloc[first], expected=due[keys[first]].shift)
    span = routes.iloc[visits["route"]]
    out = ((visits["arrive"].to_numpy() < span["start"].to_numpy())
           | (visits["depart"].to_numpy() > span["end"].to_numpy()))
    long = (routes["duration_min"] > routes["end"] - routes["start"] + 1e-6).to_numpy()
    late = visits["visit_id"][out].tolist()
    tell(report, "patrol_outside_shift", "visits", late)
    tell(report, "patrol_long", "routes", routes["route_id"][long], "duration_min")


def check_crews(report: CheckReport, desk: PatrolDesk) -> None:
    """Hold that no crew has two shifts at once, nor a team two crews."""
    twice = []
    held: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for d in desk.duties:
        if d.crew:
            held.setdefault((d.day, d.crew), []).append(d.span)
    for (day, crew), spans in held.items():
        if any(a[0] < b[1] and b[0] < a[1] for a, b in combinations(sorted({*spans}), 2)):
            twice.append(f"{day}:{crew}")
    tell(report, "patrol_crew", "calendar", twice, "crew")
    table = desk.plan.frame("calendar")
    mine = table[(table["team_id"] != "").to_numpy(bool)]
    again = mine.duplicated(["date", "team_id"], keep="first").to_numpy()
    tell(report, "patrol_team_twice", "calendar", mine["calendar_id"][again], "team_id")


def check_breaks(report: CheckReport, desk: PatrolDesk) -> None:
    """Hold breaks to their length and window; who comes back in time may have it at the station.

    A clock that is cut off to the minute may make a break look a minute short.
    """
    plan, visits, routes = desk.plan, desk.visits, desk.routes
    pause = np.nan_to_num(plan.numbers("teams", "break_min"))
    windows = [each_day(read_spans(t)) for t in plan.ids("teams", "break_window")]
    rows = visits[(visits["kind"] == BREAK).to_numpy()]
    team = routes["team"].to_numpy()[rows["route"]]
    short = (rows["depart"] - rows["arrive"]).to_numpy() < pause[team]
    tell(report, "patrol_break_short", "visits", rows["visit_id"][short])
    out = [bool(windows[t]) and not _lies_within(a, a + pause[t], windows[t])
           for t, a in zip(team.tolist(), rows["arrive"], strict=True)]
    tell(report, "patrol_break_window", "visits", rows["visit_id"][np.array(out, dtype=bool)])
    lacking = []
    without = np.setdiff1d(np.flatnonzero(pause[routes["team"]] > 0), rows["route"])
    last = visits.groupby("route")["depart"].max()
    first = visits.groupby("route")["arrive"].min()
    for k in without.tolist():
        team_k = int(routes["team"].iloc[k])
        need = float(pause[team_k])
        start, end = float(routes["start"].iloc[k]), float(routes["end"].iloc[k])
        free = [(start, float(first.get(k, end))), (float(last.get(k, start)), end)]
        if not any(min(b, d) - max(a, c) >= need for a, b in free
                   for c, d in (windows[team_k] or [(start, end)])):
            lacking.append(routes["route_id"].iloc[k])
    tell(report, "patrol_break_none", "routes", lacking)


def check_stays(report: CheckReport, desk: PatrolDesk) -> None:
    """Hold visits to the stays, windows and spacing of their stops, and teams to their places.

    Stays, windows and spacing are whole minutes, so cutting clocks off to the minute hides none.
    """
    visits = desk.visits[(desk.visits["kind"] == STOP).to_numpy()]
    stop = visits["thing"].to_numpy()
    arrive, depart = visits["arrive"].to_numpy(), visits["depart"].to_numpy()
    rows = range(len(desk.plan.frame("stops")))
    least = np.array([desk.stay_min(k) for k in rows])
    most = np.array([desk.asked.hotspot_min[1] if desk.is_hotspot(k) else np.inf for k in rows])
    stay = depart - arrive
    tell(report, "patrol_stay_short", "visits", visits["visit_id"][stay < least[stop]])
    tell(report, "patrol_stay_long", "visits",
          visits["visit_id"][stay > np.maximum(most, least)[stop]])
    out = np.array([bool(desk.windows(s)) and not _lies_within(a, max(b, a + least[s]),
                                                               desk.windows(s))
                    for s, a, b in zip(stop.tolist(), arrive, depart, strict=True)], dtype=bool)
    tell(report, "patrol_window", "visits", visits["visit_id"][out])
    _check_spacing(report, desk, visits)


def _check_spacing(report: CheckReport, desk: PatrolDesk, visits: pd.DataFrame) -> None:
    day = desk.routes["day"].to_numpy(object)[visits["route"]]
    table = visits.assign(day=day).sort_values(["thing", "day", "arrive"], kind="stable")
    gap = table.groupby(["thing", "day"])["arrive"].diff().to_numpy()
    need = np.nan_to_num(desk.plan.numbers("stops", "spacing_min"))[table["thing"]]
    tell(report, "patrol_spacing", "visits", table["visit_id"][gap < need])


def check_places(report: CheckReport, desk: PatrolDesk) -> None:
    """Hold that a team visits only what is of its tier and in its zone."""
    team = desk.routes["team"].to_numpy()
    for kind in (STOP, PIECE):
        visits = desk.visits[(desk.visits["kind"] == kind).to_numpy()]
        thing, mine = visits["thing"].to_numpy(), team[visits["route"]]
        tier = desk.fits_tier(kind)[thing, mine]
        zone = desk.fits(kind)[thing, mine]
        for key, bad in (("patrol_tier", ~tier), ("patrol_zone", tier & ~zone)):
            tell(report, key, "visits", visits["visit_id"][bad],
                  value=_first(ids_of(desk, kind, thing), bad))


def _first(values: np.ndarray, bad: Flags) -> str:
    return str(values[bad][0]) if bad.any() else ""


def _lies_within(start: float, end: float, windows: list[tuple[float, float]]) -> bool:
    """Tell whether a stay lies within one window.

    >>> _lies_within(100, 110, [(90, 110)]), _lies_within(100, 111, [(90, 110)])
    (True, False)
    """
    return any(a <= start and end <= b for a, b in windows)


def check_private(plan: PlanData, report: CheckReport) -> None:
    """Hold that stops and stations are places: no kind is a person, no name holds a phone."""
    kinds = pd.Series(plan.ids("stops", "kind")).astype(str).str.strip().str.lower()
    person = kinds.isin(_PERSONS).to_numpy(bool)
    tell(report, "patrol_person", "stops", plan.ids("stops")[person], "kind")
    for layer in ("stops", "stations", "teams", "zones"):
        for column in ("name", "team_id"):
            if column in plan.frame(layer):
                text = plan.frame(layer)[column].astype(str)
                called = text.str.contains(_PHONE, regex=True).to_numpy(bool)
                # What was found is not told again.
                tell(report, "patrol_phone", layer, np.flatnonzero(called) + 1, column)


_PERSONS = frozenset((
    "person", "people", "resident", "suspect", "offender", "ex-offender", "parolee", "drug user",
    "addict", "petitioner", "patient", "elderly person", "individual", "key person", "人", "人员",
    "重点人员", "重点人", "居民", "嫌疑人", "刑满释放人员", "社区矫正人员", "矫正人员", "吸毒人员",
    "涉毒人员", "上访人员", "信访人员", "精神病人", "精神障碍患者", "患者", "独居老人", "个人"))
_PHONE = r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)"
