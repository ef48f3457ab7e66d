"""The desk: a plan and what a dispatcher gives become routes and visits for some days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gridplan.errors import Findings, TallyRow
from gridplan.network.search import in_threads
from gridplan.params import Effort, Params
from gridplan.patrol.duty import (
    Day,
    Missing,
    Wanted,
    find_wanted,
    list_days,
    list_jobs,
    list_members,
    name_days,
)
from gridplan.patrol.figures.watch import gather_points, prefer_blind
from gridplan.patrol.ground import Ground, survey
from gridplan.patrol.job import Job
from gridplan.patrol.proposal import propose_patrol
from gridplan.patrol.record import DayPlan, bound_metres, record_days, tell_missing
from gridplan.patrol.solve import TOIL, Solved
from gridplan.patrol.stops.shortage import find_remedy, tell_remedy
from gridplan.patrol.trips import Tracer, Trip, list_trips
from gridplan.patrol.week import Track, plan_track
from gridplan.plan import Plan

INPUT_LAYERS = ("stations", "stops", "required", "calendar", "teams", "zones")
_MOST_HELPED, _TRIAL_STEPS = 400, 150  # visits of a zone for which help is sought, and how hard


@dataclass(frozen=True)
class PatrolRequest:
    """What is asked: streets, stops or both, for how many days, varied or not.

    ``duty`` is the level of every day; blank for the calendar's.
    """

    cover: str = "both"
    days: int = 1
    vary: bool = False
    duty: str = ""


@dataclass(frozen=True, eq=False)
class Patrol:
    """A planned patrol.

    Attributes
    ----------
    layers
        The layers it was made from, and routes, visits and unmet.
    tracks
        By tier and zone the jobs and their plans, for each day on which there is one.
    plain_km, km
        Kilometres without varying, and as planned.
    """

    request: PatrolRequest
    layers: Mapping[str, Any]
    days: tuple[Day, ...]
    tracks: Mapping[tuple[str, str], tuple[tuple[int, ...], Track]]
    grounds: Mapping[str, Ground]
    plain_km: float
    km: float
    tally: tuple[TallyRow, ...] = field(default=())


def plan_patrol(plan: Plan, request: PatrolRequest, params: Params, findings: Findings, *,
                given: Mapping[str, Any] | None = None, lang: str = "en") -> Patrol:
    """Plan the patrols of some days.

    Parameters
    ----------
    plan
        With grids and roads. Layers of patrols that it holds are taken as they stand, unless
        ``given`` has others; what is still missing is proposed.
    given
        Checked layers by name.

    Returns
    -------
    Patrol
        Every visit and pass that is due is made or told as unmet.

    Raises
    ------
    InputError
        Something that is given cannot be used; a station lies off the streets.
    """
    layers, days, grounds = prepare(plan, request, params, findings, given, lang)
    wanted = find_wanted(layers, days, params.seed)
    listed = [list_jobs(wanted, list_members(layers["teams"], layers["calendar"], day), k,
                        grounds, params.patrol, request.cover) for k, day in enumerate(days)]
    effort: Effort = params.partition.effort
    tracks = _plan_tracks([jobs for jobs, _ in listed], grounds, effort, params, request.vary)
    tell_remedies([track for _, track in tracks.values()], params.seed, findings)
    plans, plain_km, km = _follow(days, [missing for _, missing in listed], tracks, grounds)
    layers = {**layers, **record_days(plans, plan.crs)}
    return Patrol(request, layers, tuple(days), tracks, grounds, plain_km, km,
                  tuple(_count(wanted, layers, request.cover)))


def prepare(plan: Plan, request: PatrolRequest, params: Params, findings: Findings,
            given: Mapping[str, Any] | None, lang: str
            ) -> tuple[dict[str, Any], list[Day], dict[str, Ground]]:
    """Return the layers given and proposed, the days, and the streets of every mode."""
    names = name_days((given or {}).get("calendar", plan.layer("calendar")), request.days)
    layers = propose_patrol(plan, params, findings, given, days=names, lang=lang,
                            seed=params.seed)
    watch = (given or {}).get("watch")
    if watch and ("required" in (given or {}) or not len(plan.layer("required"))):
        layers["required"] = pass_blind(layers["required"], watch, params.patrol.watch_m)
    days = list_days(layers["calendar"], names, params.patrol, request.duty)
    modes = sorted({str(m) for m in layers["teams"]["mode"]})
    grounds = {mode: survey(plan, mode, layers, params, findings) for mode in modes}
    findings.stop_on_faults()
    return layers, days, grounds


def pass_blind(required: Any, watch: Mapping[str, Any], radius_m: float) -> Any:
    """Return required streets with one more pass a day where no post or light sees them.

    Only where streets are proposed or given: one more each time would be one too many.
    """
    extra = prefer_blind(required, gather_points(watch, required.crs), radius_m)
    more = required["required_id"].map(extra).fillna(0).astype("Int64")
    return required.assign(passes_per_day=required["passes_per_day"].fillna(1) + more)


def list_day(plan: Plan, request: PatrolRequest, params: Params, findings: Findings, *,
             given: Mapping[str, Any] | None = None, lang: str = "en"
             ) -> tuple[list[Job], dict[str, Ground]]:
    """Return the jobs of the first day and the streets they are on."""
    layers, days, grounds = prepare(plan, request, params, findings, given, lang)
    wanted = find_wanted(layers, days[:1], params.seed)
    members = list_members(layers["teams"], layers["calendar"], days[0])
    return list_jobs(wanted, members, 0, grounds, params.patrol, request.cover)[0], grounds


def _plan_tracks(listed: list[list[Job]], grounds: Mapping[str, Ground], effort: Effort,
                 params: Params, vary: bool
                 ) -> dict[tuple[str, str], tuple[tuple[int, ...], Track]]:
    """Plan every zone through its days, several zones at a time."""
    held: dict[tuple[str, str], list[tuple[int, Job]]] = {}
    for k, jobs in enumerate(listed):
        for job in jobs:
            held.setdefault((job.tier, job.zone_id), []).append((k, job))
    keys = sorted(held)

    def solve(key: tuple[str, str]) -> Track:
        return plan_track([job for _, job in held[key]], grounds, TOIL[effort], seed=params.seed,
                          vary=vary, longer=params.patrol.longer)

    done = in_threads(solve, keys)
    return {key: (tuple(k for k, _ in held[key]), track)
            for key, track in zip(keys, done, strict=True)}


def tell_remedies(tracks: Sequence[Track], seed: int, findings: Findings) -> None:
    """Warn what would suffice where something required is not made: of each zone the first day.

    A longer shift or one more team, the cheapest that was found. Zones with more visits than can
    be tried again and again are passed over.
    """
    for track in tracks:
        for solved in track.base:
            problem = solved.layout.problem
            if not solved.plan.missed_required(problem).size:
                continue
            if problem.total_visits <= _MOST_HELPED:
                remedy = find_remedy(problem, solved.plan, steps=_TRIAL_STEPS, seed=seed)
                findings.items.append(replace(tell_remedy(problem, remedy), outcome="warning"))
            break


def _follow(days: list[Day], missing: list[list[Missing]],
            tracks: Mapping[tuple[str, str], tuple[tuple[int, ...], Track]],
            grounds: Mapping[str, Ground]) -> tuple[list[DayPlan], float, float]:
    """Follow all teams through their days; return the days, and kilometres plain and planned."""
    tracer = Tracer(grounds)
    trips: list[list[Trip]] = [[] for _ in days]
    plain_m = 0.0
    lengths = {(mode, name): piece.length_m for mode, ground in grounds.items()
               for name, piece in ground.pieces.items()}
    drawn: dict[int, tuple[list[Trip], list[Missing]]] = {}
    for at, track in tracks.values():
        for k, solved, base, table in zip(at, track.solved, track.base, track.tables,
                                          strict=True):
            for one in (solved, base):
                if id(one) not in drawn:
                    drawn[id(one)] = (bound_trips(one, list_trips(one, table, grounds, tracer),
                                                  lengths), tell_missing(one))
            trips[k] += drawn[id(solved)][0]
            missing[k] += drawn[id(solved)][1]
            plain_m += sum(trip.line.length for trip in drawn[id(base)][0])
    km = sum(trip.line.length for day in trips for trip in day) / 1000
    return [DayPlan(day.name, tuple(t), tuple(m)) for day, t, m in zip(
        days, trips, missing, strict=True)], plain_m / 1000, km


def bound_trips(solved: Solved, trips: list[Trip], lengths: Mapping[tuple[str, str], float]
                ) -> list[Trip]:
    """Return trips with what their shift's longest cannot be shorter than."""
    bounds = {}
    for watch in {t.member.watch for t in trips}:
        mine = [t for t in trips if t.member.watch == watch]
        rest = min(sum(i.end_s - i.begin_s for i in t.items if i.kind == "break") for t in mine)
        bounds[watch] = (min(solved.bound_s(watch, rest), max(t.work_s for t in mine)),
                         bound_metres(solved, watch, lengths))
    return [replace(t, bound_s=bounds[t.member.watch][0], bound_m=bounds[t.member.watch][1])
            for t in trips]


def _count(wanted: Wanted, layers: Mapping[str, Any], cover: str) -> list[TallyRow]:
    """Return the tally: visits and passes that are due = made + unmet."""
    visits, unmet = layers["visits"], layers["unmet"]
    rows = []
    for name, key, due in (
            ("stops", "stop_id", int(wanted.visits.sum()) if cover != "streets" else 0),
            ("required", "required_id", int(wanted.passes.sum()) if cover != "stops" else 0)):
        made = int(visits[key].notna().sum())
        lost = int(unmet.loc[unmet[key].notna(), "visits"].sum())
        if made + lost != due:
            raise AssertionError(f"{name}: {due} due, {made} made, {lost} unmet")
        rows.append(TallyRow("patrol", name, due, made, rejected=lost))
    return rows

