"""Change in the shift: a team drops out, and the others of its zone take what it has not done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from gridplan.errors import Finding, Findings, InputError, UsageError, first_ids
from gridplan.params import Params
from gridplan.patrol.desk import PatrolRequest, bound_trips
from gridplan.patrol.duty import find_wanted, list_days, list_jobs, list_members, plain, read_clock
from gridplan.patrol.ground import Ground, survey
from gridplan.patrol.job import Job
from gridplan.patrol.record import DayPlan, record_days, tell_missing
from gridplan.patrol.solve import TOIL, Solved
from gridplan.patrol.stops.change import replan_stops
from gridplan.patrol.stops.plan import StopPlan
from gridplan.patrol.trips import Tracer, Trip, Turn, list_trips
from gridplan.patrol.week import plan_track
from gridplan.plan import Plan

DAY_S = 86_400
_KEEP = ("stations", "stops", "required", "calendar", "teams", "zones")


@dataclass(frozen=True)
class Change:
    """A plan changed in the shift.

    Attributes
    ----------
    layers
        ``routes``, ``visits`` and ``unmet`` of all days.
    day
        The day that changed.
    moved
        Visits and passes that another team makes than was planned.
    lost
        Those that nobody makes now, but somebody was to make.
    """

    layers: Mapping[str, pd.DataFrame]
    day: str
    moved: int
    lost: int


def change_patrol(plan: Plan, params: Params, findings: Findings, *, without: Sequence[str],
                  at: str, day: str = "") -> Change:
    """Plan the rest of a day anew without some teams.

    What is done, under way or being driven to at that time stays; so do the other days, shifts
    and zones. Of what is left as much as possible is made, by as few other teams than planned as
    possible.

    Parameters
    ----------
    plan
        With a patrol that was planned with ``params``; routes and visits as they came out.
    without
        Ids of teams that drop out.
    at
        ``HH:MM`` of the day; past midnight it counts on, or names a time of a night shift.
    day
        Its name; the first day without.

    Raises
    ------
    UsageError
        A team or day is unknown, or the time is none.
    InputError
        The plan has no routes, or they are not those that its layers give.
    """
    plan.require("routes", "visits", "teams")
    layers = {name: plan.layer(name) for name in _KEEP}
    names = [d for d in plan.run.get("patrol:days", "").split(",") if d]
    request = PatrolRequest(plan.run.get("patrol:cover", "both"), len(names),
                            plan.run.get("patrol:vary") == "yes",
                            plan.run.get("patrol:duty", ""))
    day, now_s = _check_change(plan, without, at, day, names)
    days = list_days(layers["calendar"], names, params.patrol, request.duty)
    grounds = {mode: survey(plan, mode, layers, params, findings)
               for mode in sorted({str(m) for m in layers["teams"]["mode"]})}
    findings.stop_on_faults()
    zones = {(plain(t.tier), plain(t.zone_id)) for t in layers["teams"].itertuples()
             if str(t.team_id) in without}
    wanted = find_wanted(layers, days, params.seed)
    listed = [list_jobs(wanted, list_members(layers["teams"], layers["calendar"], one), k,
                        grounds, params.patrol, request.cover)[0] for k, one in enumerate(days)]
    tracer = Tracer(grounds)
    changed: list[_Changed] = []
    for zone in sorted(zones):
        jobs = [(k, job) for k, some in enumerate(listed) for job in some
                if (job.tier, job.zone_id) == zone and k <= names.index(day)]
        if jobs and jobs[-1][0] == names.index(day):
            changed.append(_change_zone(plan, [job for _, job in jobs], day, grounds, params,
                                        request, without, now_s, tracer))
    return _put_in(plan, day, changed)


@dataclass(frozen=True)
class _Changed:
    teams: tuple[str, ...]
    trips: list[Trip]
    before: Solved
    after: Solved
    moved: int


def _check_change(plan: Plan, without: Sequence[str], at: str, day: str, names: list[str]
                  ) -> tuple[str, int]:
    """Return the day and the second of it, within the shift of the teams."""
    teams = plan.layer("teams").set_index("team_id")
    faults = []
    unknown = [t for t in without if t not in teams.index]
    if unknown:
        faults.append(Finding("patrol.no_such_team", field="--without", row=first_ids(unknown),
                              values={"known": first_ids(sorted(teams.index), 12)}))
    day = day or next(iter(names), "")
    if day not in names:
        faults.append(Finding("patrol.no_such_day", field="--day", values={
            "value": day, "known": first_ids(names, 14)}))
    try:
        now_s = read_clock(at)
    except ValueError:
        faults.append(Finding("patrol.no_time", field="--from", values={"value": at}))
        now_s = 0
    if not faults:
        start = min(read_clock(str(teams.loc[t, "shift_start"])) for t in without)
        if now_s < start and now_s + DAY_S < start + DAY_S and any(
                read_clock(str(teams.loc[t, "shift_end"])) <= read_clock(
                    str(teams.loc[t, "shift_start"])) for t in without):
            now_s += DAY_S  # past midnight of a night shift
    if faults:
        raise UsageError(*faults)
    return day, now_s


def _change_zone(plan: Plan, jobs: list[Job], day: str, grounds: Mapping[str, Ground],
                 params: Params, request: PatrolRequest, without: Sequence[str], now_s: int,
                 tracer: Tracer) -> _Changed:
    """Plan a zone again as it was, follow it until now, and plan the rest anew."""
    toil = TOIL[params.partition.effort]
    track = plan_track(jobs, grounds, toil, seed=params.seed, vary=request.vary,
                       longer=params.patrol.longer)
    solved, table = track.solved[-1], track.tables[-1]
    trips = list_trips(solved, table, grounds, tracer)
    _compare(plan, day, trips)
    before = replace(solved, plan=settle(solved, trips))
    job = solved.job
    gone = [k for k, m in enumerate(job.members) if m.team_id in without]
    changed = replan_stops(before.layout.problem, before.plan, now_s, without=gone,
                           steps=toil.steps, solutions=0, seed=params.seed)
    turns = {v: Turn(True, v in gone, int(changed.back_after[v]))
             for v in range(len(job.members))}
    after = replace(before, plan=changed.plan)
    made = bound_trips(after, list_trips(after, table, grounds, tracer, turns),
                       {(mode, name): piece.length_m for mode, ground in grounds.items()
                        for name, piece in ground.pieces.items()})
    return _Changed(tuple(m.team_id for m in job.members), made, before, after, changed.changes
                    + _handed_over(before.plan, changed.plan, gone))


def _handed_over(before: StopPlan, after: StopPlan, gone: list[int]) -> int:
    """Return how many visits of teams that dropped out others make now."""
    was = int(np.isin(before.team, gone).sum()) - int(np.isin(after.team, gone).sum())
    return max(0, was - int(after.missed.sum() - before.missed.sum()))


def settle(solved: Solved, trips: Sequence[Trip]) -> StopPlan:
    """Return the plan of a job in whole seconds as its trips are told: breaks where they lie.

    Visits begin when their trip says, rounded up, but no earlier than the way before allows.
    """
    plan, job = solved.plan, solved.job
    begin, rest_begin, rest_after = (a.copy() for a in (
        plan.begin_s, plan.rest_begin_s, plan.rest_after))
    leave, back = plan.leave_s.copy(), plan.back_s.copy()
    row_of = {m.team_id: v for v, m in enumerate(job.members)}
    problem = solved.layout.problem
    for trip in trips:
        v = row_of[trip.member.team_id]
        rows, k = plan.visits_of(v), 0
        travel = problem.travel_s[problem.teams.mode[v]]
        now, here = int(np.floor(trip.leave_s)), int(problem.teams.start[v])
        leave[v] = now
        for item in trip.items:
            if item.kind == "break":
                rest_begin[v], rest_after[v] = max(now, int(np.floor(item.begin_s))), k
                now = max(now, int(problem.teams.break_from_s[v])) + int(
                    problem.teams.break_s[v])
            elif item.kind != "free":
                stop = int(plan.stop[rows[k]])
                node = int(problem.stops.node[stop])
                now += int(travel[here, node])
                begin[rows[k]] = min(int(plan.begin_s[rows[k]]),
                                     max(now, int(np.ceil(item.begin_s - 1e-6))))
                now, here, k = int(begin[rows[k]] + plan.stay_s[rows[k]]), node, k + 1
        back[v] = now + int(travel[here, problem.teams.end[v]])
    return replace(plan, begin_s=begin, rest_begin_s=rest_begin, rest_after=rest_after,
                   leave_s=leave, back_s=back)


def _compare(plan: Plan, day: str, trips: Sequence[Trip]) -> None:
    """Stop where the plan's visits of a day are not those that its layers give."""
    told = record_days([DayPlan(day, tuple(trips), ())], plan.crs)
    teams = {t.member.team_id for t in trips}
    held = plan.layer("routes")
    held = held[(held["day"] == day) & held["team_id"].isin(teams)]
    columns = ["team_id", "order", "stop_id", "required_id", "arrive", "depart"]

    def rows(routes: Any, visits: Any) -> list[tuple[str, ...]]:
        both = visits.merge(routes[["route_id", "team_id"]], on="route_id")
        both = both.sort_values(["team_id", "order"])[columns]
        return [tuple("" if pd.isna(x) else str(x) for x in row)
                for row in both.itertuples(index=False)]

    if rows(held, plan.layer("visits")) != rows(told["routes"], told["visits"]):
        file = plan.origin.name if plan.origin else ""
        raise InputError(Finding("patrol.edited", file=file, layer="visits", row=day))


def _put_in(plan: Plan, day: str, changed: list[_Changed]) -> Change:
    """Replace the routes of the zones that changed; number all anew where there are more."""
    teams = {t for one in changed for t in one.teams}
    made = record_days([DayPlan(day, tuple(t for one in changed for t in one.trips), tuple(
        m for one in changed for m in _tell_lost(one)))], plan.crs)
    held, visits, unmet = (plan.layer(n) for n in ("routes", "visits", "unmet"))
    gone = (held["day"] == day) & held["team_id"].isin(teams)
    old = dict(zip(held.loc[gone, "team_id"], held.loc[gone, "route_id"], strict=True))
    free = iter(f"R{k:05d}" for k in range(len(held) + 1, len(held) + len(made["routes"]) + 2))
    name = {str(new): str(old.get(team) or next(free)) for new, team in zip(
        made["routes"]["route_id"], made["routes"]["team_id"], strict=True)}
    fresh = made["visits"].assign(route_id=made["visits"]["route_id"].map(name))
    fresh["visit_id"] = [f"{r}-{o:04d}" for r, o in zip(fresh["route_id"], fresh["order"],
                                                        strict=True)]
    stay = ~visits["route_id"].isin(held.loc[gone, "route_id"])
    things = {c.stop_id for one in changed for c in one.before.job.calls} | {
        p.required_id for one in changed for p in one.before.job.passes}
    lost = (unmet["day"] == day) & (unmet["stop_id"].isin(things)
                                    | unmet["required_id"].isin(things))
    rows = pd.concat([unmet[~lost], made["unmet"]], ignore_index=True)
    rows["unmet_id"] = [f"N{k:05d}" for k in range(1, len(rows) + 1)]
    routes = pd.concat([held[~gone], made["routes"].assign(
        route_id=made["routes"]["route_id"].map(name))], ignore_index=True)
    missed = sum(int(one.after.plan.missed.sum() - one.before.plan.missed.sum())
                 for one in changed)
    return Change({"routes": routes.sort_values("route_id", ignore_index=True),
                   "visits": pd.concat([visits[stay], fresh], ignore_index=True).sort_values(
                       "visit_id", ignore_index=True), "unmet": rows},
                  day, sum(one.moved for one in changed), missed)


def _tell_lost(one: _Changed) -> list[Any]:
    """Say what is not made; what was to be made before is lost to the team that dropped out."""
    before = {(m.stop_id, m.required_id, m.shift): m.visits for m in tell_missing(one.before)}
    out = []
    for m in tell_missing(one.after):
        was = before.get((m.stop_id, m.required_id, m.shift), 0)
        out += [replace(m, visits=was)] if was else []
        out += [replace(m, visits=m.visits - was, reason="team")] if m.visits > was else []
    return out


