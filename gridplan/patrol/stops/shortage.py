"""Why visits cannot be made, and the cheapest way to make them: a longer shift, one more team."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gridplan.errors import Finding, RequestError
from gridplan.patrol.stops.plan import StopPlan
from gridplan.patrol.stops.possible import count_possible, find_alone
from gridplan.patrol.stops.problem import ANY, Bools, Ints, StopProblem, Teams
from gridplan.patrol.stops.search import plan_stops
from gridplan.patrol.stops.work import Work, list_visits

Reason = Literal["window", "tier", "zone", "way", "shift", "spacing", "crowded"]
QUARTER_S = 900
MOST_QUARTERS = 8  # a shift is made longer by two hours at most
MOST_TRIED = 4  # teams of each kind of help that are tried
TRIAL_STEPS = 1_500


@dataclass(frozen=True)
class Missed:
    """A stop with visits that are not made: its row, how many, and the first reason that holds.

    ``window``: every window is shorter than the stay; ``tier`` and ``zone``: no team on duty is
    of them; ``way``: no such team gets there and on; ``shift``: no such team has the time even
    for this visit alone, in its windows; ``spacing``: windows and shifts leave room for fewer
    visits so far apart; ``crowded``: nothing of this, other visits take the time.
    """

    stop: int
    visits: int
    reason: Reason


@dataclass(frozen=True)
class Remedy:
    """A way to meet every required visit that anything can help: who, how long, what it costs.

    ``kind`` ``longer`` is a shift made longer by ``minutes``, of one team or of all (``team``
    -1); ``team`` is one more team like ``team``, in the tier and zone given.
    """

    kind: Literal["longer", "team"]
    team: int
    minutes: int
    cost_min: int
    tier: int = ANY
    zone: int = ANY


def explain_missed(problem: StopProblem, plan: StopPlan) -> tuple[Missed, ...]:
    """Say of every stop with visits not made, optional ones too, why.

    Examples
    --------
    >>> from gridplan.patrol.stops.problem import make_stops, make_teams
    >>> stops = make_stops([1], stay_s=[600], windows=(((0, 300),),))
    >>> problem = StopProblem([[[0, 60], [60, 0]]], make_teams(1), stops)
    >>> explain_missed(problem, plan_stops(problem))
    (Missed(stop=0, visits=1, reason='window'),)
    """
    work = list_visits(problem, left=np.ones(len(problem.stops.ids), np.int64))
    alone, most = find_alone(work), count_possible(problem)
    return tuple(Missed(s, int(plan.missed[s]), _find_reason(problem, work, alone, most, s))
                 for s in np.flatnonzero(plan.missed).tolist())


def _find_reason(problem: StopProblem, work: Work, alone: Bools, most: Ints, s: int) -> Reason:
    stops, teams = problem.stops, problem.teams
    if work.window[s] == work.window[s + 1]:
        return "window"
    if stops.tier[s] != ANY and not np.isin(teams.tier, (ANY, stops.tier[s])).any():
        return "tier"
    if not work.allowed[s].any():
        return "zone"
    mode, node = teams.mode, stops.node[s]
    reach = (work.travel[mode, teams.start, node] >= 0) & (work.travel[mode, node, teams.end] >= 0)
    if not (reach & work.allowed[s]).any():
        return "way"
    if not alone[s].any():
        return "shift"
    return "spacing" if most[s] < stops.visits[s] else "crowded"


def find_remedy(problem: StopProblem, plan: StopPlan, *, steps: int = TRIAL_STEPS, seed: int = 1
                ) -> Remedy | None:
    """Return the cheapest help with which every required visit is made, None if none suffices.

    Shifts made longer in quarters of an hour, of one team or of all, and one more team like one
    there is are tried from cheap to dear in minutes of duty; the first that suffices is told.
    Stops whose every window is shorter than the stay are left out of account.

    Examples
    --------
    >>> from gridplan.patrol.stops.problem import make_stops, make_teams
    >>> late = make_stops([1], stay_s=[600], windows=(((3600, 4200),),))
    >>> problem = StopProblem([[[0, 60], [60, 0]]], make_teams(1, shift_end_s=[3600]), late)
    >>> find_remedy(problem, plan_stops(problem))
    Remedy(kind='longer', team=0, minutes=15, cost_min=15, tier=-1, zone=-1)
    """
    reasons = {m.stop: m.reason for m in explain_missed(problem, plan)}
    lost = np.array([s for s in plan.missed_required(problem) if reasons[int(s)] != "window"],
                    np.int64)
    hopeless = np.array([s for s, why in reasons.items() if why == "window"], np.int64)
    if not lost.size:
        return None
    for remedy in sorted(_list_remedies(problem, lost), key=lambda r: r.cost_min):
        helped = apply_remedy(problem, remedy)
        if (count_possible(helped)[lost] < problem.stops.visits[lost]).any():
            continue
        again = plan_stops(helped, steps=steps, solutions=0, seed=seed)
        if not np.setdiff1d(again.missed_required(helped), hopeless).size:
            return remedy
    return None


def _list_remedies(problem: StopProblem, lost: Ints) -> Iterator[Remedy]:
    teams, stops = problem.teams, problem.stops
    helps = problem.allows()[lost].sum(axis=0)
    kinds = _first_of_kind(teams)
    useful = sorted((v for v in kinds if helps[v]), key=lambda v: -int(helps[v]))[:MOST_TRIED]
    for quarters in range(1, MOST_QUARTERS + 1):
        minutes = quarters * QUARTER_S // 60
        if len(teams.ids) > 1:
            yield Remedy("longer", -1, minutes, minutes * len(teams.ids))
        for v in useful:
            yield Remedy("longer", v, minutes, minutes)
    tiers, zones = np.unique(stops.tier[lost]), np.unique(stops.zone[lost])
    tier = int(tiers[0]) if tiers.size == 1 else ANY
    zone = int(zones[0]) if zones.size == 1 else ANY
    for v in (useful or kinds)[:MOST_TRIED]:
        minutes = int(teams.shift_end_s[v] - teams.shift_start_s[v]) // 60
        same = bool(helps[v])
        yield Remedy("team", v, minutes, minutes, int(teams.tier[v]) if same else tier,
                     int(teams.zone[v]) if same else zone)


def _first_of_kind(teams: Teams) -> list[int]:
    """Return the first team of every kind: all columns but the name alike."""
    columns = np.stack([getattr(teams, f.name) for f in dataclasses.fields(teams)
                        if f.name != "ids"])
    return sorted(np.unique(columns, axis=1, return_index=True)[1].tolist())


def apply_remedy(problem: StopProblem, remedy: Remedy) -> StopProblem:
    """Return the problem with the help; one more team is the last, named with a ``+``."""
    teams = problem.teams
    if remedy.kind == "longer":
        end = teams.shift_end_s.copy()
        end[slice(None) if remedy.team == -1 else remedy.team] += 60 * remedy.minutes
        return dataclasses.replace(problem, teams=dataclasses.replace(teams, shift_end_s=end))
    more: dict[str, Any] = {
        f.name: np.append(getattr(teams, f.name), getattr(teams, f.name)[remedy.team])
        for f in dataclasses.fields(teams) if f.name != "ids"}
    more["tier"][-1], more["zone"][-1] = remedy.tier, remedy.zone
    ids = (*teams.ids, teams.ids[remedy.team] + "+")
    return dataclasses.replace(problem, teams=Teams(ids=ids, **more))


def demand_all(problem: StopProblem, plan: StopPlan, *, seed: int = 1) -> None:
    """Raise if a required visit is not made: which stops, why, and what would suffice.

    Raises
    ------
    RequestError
        One finding per stop, and one with the remedy.
    """
    required = set(plan.missed_required(problem).tolist())
    missed = [m for m in explain_missed(problem, plan) if m.stop in required]
    if not missed:
        return
    findings = [Finding(f"patrol.stops_missed_{m.reason}", layer="stops",
                        row=problem.stops.ids[m.stop], count=m.visits) for m in missed]
    remedy = find_remedy(problem, plan, seed=seed)
    raise RequestError(*findings, tell_remedy(problem, remedy))


def tell_remedy(problem: StopProblem, remedy: Remedy | None) -> Finding:
    """Put a remedy, or that there is none, into words."""
    if remedy is None:
        return Finding("patrol.stops_remedy_none", layer="teams",
                       values={"hours": MOST_QUARTERS * QUARTER_S // 3600})
    if remedy.team == -1:
        return Finding("patrol.stops_remedy_all", layer="teams",
                       values={"minutes": remedy.minutes})
    key = "patrol.stops_remedy_longer" if remedy.kind == "longer" else "patrol.stops_remedy_team"
    return Finding(key, layer="teams", row=problem.teams.ids[remedy.team],
                   values={"minutes": remedy.minutes})
