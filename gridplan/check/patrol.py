"""The patrols of a plan: routes, visits and figures worked out anew on streets of the verifier's.

Its parts: asked (days, speeds), desk (who is on duty), rules (times, shifts, breaks, crews), ways
and routes (streets followed step by step), counts (asked, made, not made and why), sets (bounds,
zones), figures, reach (who is how near), stale.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from gridplan.check import patrol_rules, patrol_sets
from gridplan.check.patrol_counts import Reasons, check_counts, count_visits
from gridplan.check.patrol_desk import PIECE, STOP, PatrolDesk, lay_patrol
from gridplan.check.patrol_figures import (
    CORDON,
    OF_POINTS,
    OF_UNITS,
    compare_figures,
    list_figures,
)
from gridplan.check.patrol_reach import check_cordon, check_response, place_units
from gridplan.check.patrol_routes import (
    Followed,
    check_durations,
    check_ends,
    check_lengths,
    check_streets,
    follow_routes,
    new_followed,
    trace_routes,
)
from gridplan.check.patrol_stale import check_stale
from gridplan.check.patrol_ways import ModeWays, lay_ways
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport


def tells_patrol(plan: PlanData) -> bool:
    """Tell whether a plan holds planned patrols."""
    return bool(len(plan.frame("routes")) or len(plan.frame("unmet"))
                or plan.run.get("patrol:days"))


def check_patrol(plan: PlanData, report: CheckReport) -> None:
    """Check the patrols, where a plan tells them."""
    patrol_rules.check_private(plan, report)
    patrol_sets.check_zones(plan, report)
    if tells_patrol(plan):
        _check_planned(plan, report)


def _check_planned(plan: PlanData, report: CheckReport) -> None:
    told = len(report.broken)
    patrol_rules.check_words(plan, report)
    patrol_sets.check_given(plan, report)
    if len(report.broken) != told:
        report.unchecked.append("patrol")
        return
    desk = lay_patrol(plan)
    patrol_rules.check_structure(report, desk)
    if len(report.broken) != told:
        report.unchecked.append("patrol")
        return
    patrol_rules.check_duty(report, desk)
    patrol_rules.check_crews(report, desk)
    patrol_rules.check_breaks(report, desk)
    patrol_rules.check_stays(report, desk)
    patrol_rules.check_places(report, desk)
    check_stale(plan, report)
    ways = _Streets(desk)
    followed = _check_routes(report, desk, ways)
    counts = count_visits(desk)
    check_counts(report, desk, counts)
    Reasons(desk, ways, counts).check(report)
    patrol_sets.check_bounds(report, desk)
    patrol_sets.check_work(report, desk, _least_seconds(desk, ways))
    _check_figures(report, desk, followed)


def _check_figures(report: CheckReport, desk: PatrolDesk, followed: Followed) -> None:
    """Work out all figures anew, and say which ones cannot be."""
    named = set(desk.plan.ids("figures", "name"))
    unknown = [*OF_POINTS, *OF_UNITS]
    if named & set(OF_POINTS):
        report.lacking.append("posts")
    if CORDON in named:
        report.lacking.append("cordon")
    if not desk.plan.run.get("patrol:base_km"):
        unknown.append("vary_price")
    compare_figures(report, desk, list_figures(desk), tuple(unknown))
    if named & set(OF_UNITS):
        units = place_units(desk, followed)
        check_response(report, desk, units)
        check_cordon(report, desk, units)


class _Streets:
    """The streets of each mode, built once."""

    def __init__(self, desk: PatrolDesk) -> None:
        self.desk = desk
        self._held: dict[str, ModeWays] = {}

    def __call__(self, mode: str) -> ModeWays:
        if mode not in self._held:
            self._held[mode] = lay_ways(self.desk.plan, self.desk.asked, mode)
        return self._held[mode]


def _check_routes(report: CheckReport, desk: PatrolDesk, ways: Callable[[str], ModeWays]
                  ) -> Followed:
    """Follow every route on the streets of its mode."""
    out = new_followed(desk.plan)
    modes = desk.routes["mode"].to_numpy(object)
    check_ends(report, desk)
    check_lengths(report, desk)
    for mode in sorted(set(modes)):
        held = trace_routes(desk, ways(mode), np.flatnonzero(modes == mode))
        check_streets(report, desk, ways(mode), held)
        follow_routes(report, desk, held, out)
    check_durations(report, desk, out)
    return out


def _least_seconds(desk: PatrolDesk, ways: Callable[[str], ModeWays]) -> pd.Series:
    """Return what each visit takes at the least: its stay, or a pass in the faster direction."""
    visits = desk.visits
    mode = desk.routes["mode"].to_numpy(object)[visits["route"]]
    out = np.zeros(len(visits))
    stays = np.array([desk.stay_min(k) for k in range(len(desk.plan.frame("stops")))])
    stop, piece = (visits["kind"].to_numpy() == k for k in (STOP, PIECE))
    out[stop] = stays[visits["thing"].to_numpy()[stop]] * 60.0
    pairs = pd.DataFrame({"mode": mode[piece], "thing": visits["thing"].to_numpy()[piece]})
    lines = desk.plan.shapes("required")
    least = {}
    for m, p in sorted(set(pairs.itertuples(index=False, name=None))):
        chain = ways(m).find_chain(lines[p])
        least[m, p] = min(chain[2:]) if chain and np.isfinite(min(chain[2:])) else 0.0
    out[piece] = [least[k] for k in pairs.itertuples(index=False, name=None)]
    return pd.Series(out, index=visits.index)
