"""How many teams? The least number for a wanted visibility or revisit interval, and the curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gridplan.patrol.cover import PER_S, ask, bound_tour, find_farthest, make_streets
from gridplan.patrol.ground import Ground
from gridplan.patrol.job import Floats, Job, Member, Pass, measure_job
from gridplan.patrol.postman import order_tour, split_tour
from gridplan.patrol.problem import Ints, Problem
from gridplan.patrol.search import find_routes
from gridplan.patrol.solve import Toil
from gridplan.patrol.streets import join_odd

MOST_TEAMS = 40
WEIGHT = 10_000  # what a metre left out costs, so that served metres count before the way


@dataclass(frozen=True)
class Need:
    """How many teams the streets of a zone need in a shift.

    Attributes
    ----------
    teams
        The least number that was found to suffice; None if none up to the most tried does.
    bound
        No smaller number suffices; None where no number does: a street lies so far off that a
        team cannot pass it within the limit.
    curve
        Number of teams → share of length passed in the shift, and minutes of the longest route.
    """

    tier: str
    zone_id: str
    shift: str
    teams: int | None
    bound: int | None
    curve: tuple[tuple[int, float, float], ...]


def count_teams(job: Job, grounds: Mapping[str, Ground], toil: Toil, *, visibility: float | None,
                revisit_min: float | None, seed: int) -> list[Need]:
    """Return what each shift of a job needs, one entry for each shift with streets.

    Parameters
    ----------
    visibility
        Share of the length of required streets that is to be passed at least once in the shift.
    revisit_min
        Minutes within which each of them is to be passed again and again.
    """
    needs = []
    for watch in sorted({p.watch for p in job.passes}):
        members = [m for m in job.members if m.watch == watch]
        # Each street once: more passes in a shift are another matter.
        once = {p.required_id: replace(p, window=(members[0].start_s, members[0].end_s))
                for p in job.passes if p.watch == watch and p.mode == members[0].mode}
        if once:
            needs.append(_count(job, members[0], list(once.values()), grounds, toil, visibility,
                                revisit_min, seed))
    return needs


def _count(job: Job, member: Member, passes: list[Pass], grounds: Mapping[str, Ground],
           toil: Toil, visibility: float | None, revisit_min: float | None, seed: int) -> Need:
    only = replace(job, members=(member,), calls=(), passes=tuple(passes))
    table = measure_job(only, grounds)
    ground = grounds[member.mode]
    lengths = np.array([ground.pieces[p.required_id].length_m for p in passes])
    streets = make_streets(ground, passes, [member], table)
    again = join_odd(streets)
    tour = bound_tour(streets, again) / PER_S
    order = order_tour(streets, 0, again)
    asked = ask([member], passes, table, grounds)
    hours = float(asked.limit[0]) / PER_S
    limit = hours if revisit_min is None else min(hours, revisit_min * 60)
    share = 1.0 if visibility is None else visibility
    bound = _bound(asked, lengths, tour, limit, share)
    curve: list[tuple[int, float, float]] = []
    found = None
    for teams in range(1, MOST_TEAMS + 1):
        passed, longest = _cover(asked, order, lengths, teams, limit, toil, seed,
                                 hopeless=share >= 1 and (bound is None or teams < bound))
        still = len(curve) > 1 and passed <= curve[-1][1] + 1e-9 and curve[-1][1] <= curve[-2][1]
        if not still:
            curve.append((teams, passed, longest / 60))
        if passed >= share - 1e-9:
            found = teams
            break
        if still and bound is None:
            break
    return Need(job.tier, job.zone_id, member.shift, found, bound, tuple(curve))


def _bound(asked: Problem, lengths: Floats, tour_s: float, limit_s: float,
           share: float) -> int | None:
    """Return a number of teams below which the share cannot be passed within the limit.

    None where no number of teams can pass all of it.

    All of the streets need a postman's tour; a share of them at least the passes of the streets
    that are passed fastest.
    """
    if find_farthest(asked) / PER_S > limit_s and share >= 1:
        return None
    if share >= 1:
        return max(1, int(np.ceil(tour_s / limit_s - 1e-9)))
    seconds = asked.serve.min(axis=1) / PER_S
    pace = np.argsort(seconds / np.maximum(lengths, 1e-9), kind="stable")
    done = np.cumsum(lengths[pace])
    needed = share * float(lengths.sum())
    k = int(np.searchsorted(done, needed))
    before = float(done[k - 1]) if k else 0.0
    part = (needed - before) / float(lengths[pace[k]])
    least = float(seconds[pace[:k]].sum() + part * seconds[pace[k]])
    return max(1, int(np.ceil(least / limit_s - 1e-9)))


def _cover(asked: Problem, order: Ints, lengths: Floats, teams: int,
           limit_s: float, toil: Toil, seed: int, *, hopeless: bool) -> tuple[float, float]:
    """Return the share of length that so many teams pass within a limit, and the longest route.

    ``hopeless`` says that all of it cannot be passed.
    """
    one = np.ones(teams, np.int64)
    limit = int(limit_s * PER_S)
    whole = Problem(asked.begin, asked.end, asked.serve, asked.between, one * asked.start[0],
                    one * asked.finish[0], asked.load, one * asked.capacity[0], one * limit,
                    asked.prize, True)
    first = split_tour(whole, order)
    iterations = toil.iterations * whole.tasks // 3
    if not hopeless:
        found = find_routes(whole, iterations=iterations, seed=seed, first=first)
        if found.longest <= limit and not len(found.left):
            return 1.0, found.longest / PER_S
    prize = np.maximum(1, np.round(lengths * WEIGHT)).astype(np.int64)
    some = replace(whole, prize=prize, longest=False)
    found = find_routes(some, iterations=iterations, seed=seed)
    passed = float(lengths.sum() - lengths[found.left].sum())
    return passed / float(lengths.sum()), found.longest / PER_S
