"""Solve a job: streets first, then stops among them, then both together, bettered step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gridplan.params import Effort
from gridplan.patrol.cover import Cover, cover_passes, describe_part, split_job
from gridplan.patrol.ground import Ground
from gridplan.patrol.job import Job, Layout, Table, lay_out_job
from gridplan.patrol.stops.kernels import State, settle_route
from gridplan.patrol.stops.plan import StopPlan, read_plan
from gridplan.patrol.stops.possible import count_possible
from gridplan.patrol.stops.problem import Ints
from gridplan.patrol.stops.search import empty_state, solve_work
from gridplan.patrol.stops.work import Work, list_visits


@dataclass(frozen=True)
class Toil:
    """Work spent on a job: iterations for each pass, steps on all of it, solutions of OR-Tools."""

    iterations: int
    steps: int
    solutions: int


TOIL: dict[Effort, Toil] = {
    "fast": Toil(10, 100, 0), "normal": Toil(30, 400, 10), "best": Toil(600, 20000, 30)}


@dataclass(frozen=True, eq=False)
class Solved:
    """What came of a job: its covers by shift and mode, the problem, and who does what when."""

    job: Job
    covers: tuple[Cover, ...]
    layout: Layout
    plan: StopPlan

    def bound_s(self, watch: int, break_s: float) -> float:
        """Return how short the longest route of a shift could be at best, in seconds.

        All routes together pass the streets that were passed, at least as long as a postman
        needs, and stay at the stops; and some route passes the street that lies farthest off.
        ``break_s`` is what every route has of a break at least.
        """
        rows = [k for k, m in enumerate(self.job.members) if m.watch == watch]
        covers = [c for c in self.covers if self.job.members[c.members[0]].watch == watch]
        mine = np.isin(self.plan.team, rows) & (self.plan.stop < len(self.job.calls))
        stays = int(self.layout.problem.stops.stay_s[self.plan.stop[mine]].sum())
        whole = sum(self._tour_s(c) for c in covers) + stays
        if not whole:
            return 0.0
        farthest = max((c.farthest_s for c in covers if self._all_made(c)), default=0.0)
        return max(whole / len(rows), farthest) + break_s

    def _all_made(self, cover: Cover) -> bool:
        return not self.plan.missed[cover.passes + len(self.job.calls)].any()

    def _tour_s(self, cover: Cover) -> float:
        """Return what the passes made of a cover take in all at least."""
        if self._all_made(cover):
            return cover.tour_s
        made = self.plan.missed[cover.passes + len(self.job.calls)] == 0
        stays = self.layout.problem.stops.stay_s[cover.passes + len(self.job.calls)][made]
        return float(np.maximum(stays - 1, 0).sum())


def cover_job(job: Job, table: Table, grounds: Mapping[str, Ground], toil: Toil, seed: int
              ) -> tuple[Cover, ...]:
    """Cover the streets of a job, round by round; like rounds alike."""
    held: dict[tuple[object, ...], Cover] = {}
    covers = []
    for part in split_job(job):
        if not len(part[0]):
            continue
        key = describe_part(job, part)
        if key not in held:
            held[key] = cover_passes(job, part, table, grounds, iterations=toil.iterations,
                                     seed=seed)
        like = held[key]
        rows = dict(zip(like.passes.tolist(), part[1].tolist(), strict=True))
        orders = tuple(np.array([rows[p] for p in order.tolist()], np.int64)
                       for order in like.orders)
        covers.append(replace(like, members=part[0], passes=part[1], orders=orders))
    return tuple(covers)


def solve_job(job: Job, covers: Sequence[Cover], table: Table, grounds: Mapping[str, Ground],
              toil: Toil, seed: int) -> Solved:
    """Plan a job round the streets that are covered already.

    Stops are put where they cost least, and what found no room is tried again; then visits and
    passes are taken out and put back, as long as the work lasts. Where there are no streets,
    OR-Tools betters the plan.
    """
    ways = np.zeros(len(job.passes), np.int64)
    for cover in covers:
        ways[cover.passes] = cover.ways
    layout = lay_out_job(job, table, grounds, ways)
    work = list_visits(layout.problem, left=count_possible(layout.problem))
    state = seat_covers(job, covers, work)
    state, method, status = solve_work(work, state, steps=toil.steps, seed=seed,
                                       solutions=0 if job.passes else toil.solutions)
    plan = read_plan(layout.problem, work, state, method=method, status=status)
    return Solved(job, tuple(covers), layout, plan)


def seat_covers(job: Job, covers: Sequence[Cover], work: Work) -> State:
    """Return the plan in which every team makes its passes, round after round, and nothing else.

    What no longer fits into its round and the shift with its break is dropped from the end.
    """
    state = empty_state(work)
    scratch = np.full((4, max(1, work.node.size)), -1)
    for cover in covers:  # rounds of a shift follow each other
        for member, order in zip(cover.members.tolist(), cover.orders, strict=True):
            visits = np.searchsorted(work.stop, order + len(job.calls))
            held = visits < work.stop.size
            held[held] = work.stop[visits[held]] == order[held] + len(job.calls)
            _seat(work, state, member, visits[held], scratch)
    return state


def _seat(work: Work, state: State, member: int, visits: Ints, scratch: Ints) -> None:
    """Give a team as many more visits, from the first on, as its shift holds."""
    before, count = int(state.sizes[member]), len(visits)
    while count:
        state.routes[member, before:before + count] = visits[:count]
        state.sizes[member] = before + count
        if settle_route(work, state, member, scratch):
            break
        state.begin[visits[:count]] = -1
        count -= max(1, count // 20)
    if not count:
        state.sizes[member] = before
        settle_route(work, state, member, scratch)
    state.at[visits[:count]] = member
