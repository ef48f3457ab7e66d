"""The days of a zone, one after the other: the same plan for the same job, or another each day."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gridplan.patrol.cover import shake_cover
from gridplan.patrol.ground import Ground
from gridplan.patrol.job import Call, Job, Member, Table, lay_out_job, measure_job
from gridplan.patrol.solve import Solved, Toil, cover_job, solve_job

BAND_S = 900
_DRAFTS = 2  # plans of a varied day, of which the one least like the days before is taken
_QUICKER = 4  # drafts begin with a good plan
_NARROW = 0.5  # share of a window that a varied day uses
_LEAST_S = 1800  # windows are not narrowed below the stay and this


@dataclass(frozen=True, eq=False)
class Track:
    """The days of one zone: what was planned on each, and the plans without varying.

    ``solved`` and ``base`` have an entry for each job; equal jobs share one of ``base``.
    """

    solved: tuple[Solved, ...]
    base: tuple[Solved, ...]
    tables: tuple[Table, ...]


def plan_track(jobs: Sequence[Job], grounds: Mapping[str, Ground], toil: Toil, *, seed: int,
               vary: bool, longer: float) -> Track:
    """Plan the jobs of one zone, one for each day.

    Parameters
    ----------
    vary
        Whether days are to differ although what is due is the same.
    longer
        Share by which a varied day may be longer.
    """
    held: dict[Job, tuple[Table, Solved]] = {}
    tables, base, solved = [], [], []
    seen: dict[tuple[str, int], int] = {}
    for k, job in enumerate(jobs):
        if job not in held:
            table = measure_job(job, grounds)
            covers = cover_job(job, table, grounds, toil, seed)
            held[job] = table, solve_job(job, covers, table, grounds, toil, seed)
        table, plain = held[job]
        chosen = plain
        if vary and seen:
            chosen = _vary_day(plain, table, grounds, toil, seen, longer=longer,
                               draw=random.Random(f"{seed}/{job.tier}/{job.zone_id}/{k}"))
        for key in list_bands(chosen):
            seen[key] = seen.get(key, 0) + 1
        tables.append(table)
        base.append(plain)
        solved.append(chosen)
    return Track(tuple(solved), tuple(base), tuple(tables))


def list_bands(solved: Solved) -> list[tuple[str, int]]:
    """Return the things that are visited or passed with the quarter of an hour of each."""
    names = [c.stop_id for c in solved.job.calls] + [p.required_id for p in solved.job.passes]
    return [(names[s], b // BAND_S) for s, b in zip(
        solved.plan.stop.tolist(), solved.plan.begin_s.tolist(), strict=True)]


def _vary_day(plain: Solved, table: Table, grounds: Mapping[str, Ground], toil: Toil,
              seen: Mapping[tuple[str, int], int], *, longer: float, draw: random.Random
              ) -> Solved:
    """Return a plan of the day that is not much longer and least like those of the days before."""
    best, least = plain, _likeness(plain, seen)
    quick = replace(toil, steps=toil.steps // _QUICKER)
    for _ in range(_DRAFTS):
        covers = [shake_cover(plain.job, c, table, grounds, draw, longer=longer)
                  for c in plain.covers]
        late = replace(plain.job, members=start_late(plain, draw))
        for shaken, narrow, work in ((True, True, quick), (True, False, quick),
                                     (False, True, toil), (False, False, quick)):
            job = replace(late, calls=tuple(
                narrow_windows(c, late, draw) for c in late.calls)) if narrow else late
            again = solve_job(job, covers if shaken else plain.covers, table, grounds, work,
                              draw.randrange(1 << 30))
            draft = replace(again, job=plain.job, layout=lay_out_job(
                plain.job, table, grounds, again.layout.ways))
            if _is_near(draft, plain, longer):
                break
        else:
            continue
        likeness = _likeness(draft, seen)
        if likeness < least:
            best, least = draft, likeness
    return best


def _likeness(solved: Solved, seen: Mapping[tuple[str, int], int]) -> int:
    return sum(seen.get(key, 0) for key in list_bands(solved))


def _is_near(draft: Solved, plain: Solved, longer: float) -> bool:
    """Tell whether nothing more is missed, and neither the longest nor all is much longer."""
    one, two = draft.plan, plain.plan
    return bool((one.missed <= two.missed).all()
                and one.work_s.max() <= (1 + longer) * two.work_s.max()
                and one.work_s.sum() <= (1 + longer) * two.work_s.sum())


def start_late(plain: Solved, draw: random.Random) -> tuple[Member, ...]:
    """Let teams that have time to spare and no stops set out at some time of their shift."""
    members = []
    for v, member in enumerate(plain.job.members):
        rows = plain.plan.visits_of(v)
        spare = member.end_s - member.start_s - int(plain.plan.back_s[v] - plain.plan.leave_s[v])
        spare -= int(_LEAST_S * (1 + plain.plan.work_s[v] / 36_000))
        if spare > 0 and (plain.plan.stop[rows] >= len(plain.job.calls)).all():
            start = member.start_s + draw.randrange(spare + 1)
            members.append(replace(member, start_s=min(start, max(
                member.start_s, member.break_to_s - member.break_s))))
        else:
            members.append(member)
    return tuple(members)


def narrow_windows(call: Call, job: Job, draw: random.Random) -> Call:
    """Return a stop with a part of each of its windows, drawn at random.

    A stop that may be visited at any time gets as many windows as it has visits, one in each
    part of the hours on duty.
    """
    first = min(m.start_s for m in job.members)
    last = max(m.end_s for m in job.members)
    windows = call.windows
    if not windows:
        steps = np.linspace(first, last, call.visits + 1).astype(int).tolist()
        windows = tuple(itertools.pairwise(steps))
    narrowed = []
    for start, end in windows:
        size = max(int((end - start) * _NARROW), call.stay_s + _LEAST_S)
        if size < end - start:
            start += draw.randrange(end - start - size + 1)
            end = start + size
        narrowed.append((start, end))
    return replace(call, windows=tuple(narrowed))
