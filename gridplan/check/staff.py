"""Assignments: roles, posts, rooms and communities held to the staff and the grids of a plan.

What the roster alone tells (bars, who held what, known buildings, names) is held to it
where it is given: :mod:`gridplan.check.staff_roster`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from gridplan.check.reading import PlanData
from gridplan.check.staff_figures import check_staff_figures
from gridplan.check.staff_kept import check_holding
from gridplan.check.staff_posts import (
    COMMUNITY_ROLES,
    GRID_ROLES,
    HOLDERS,
    Desk,
    lay_desk,
    needs_people,
    sum_workload,
    tells_staff,
)
from gridplan.check.staff_private import check_privacy
from gridplan.check.staff_roster import RosterData, check_roster, find_roster
from gridplan.check.verdict import CheckReport

# What cannot be verified without the roster.
_OF_ROSTER = ("bars", "kept", "travel", "wishes", "privacy")


def check_staff(plan: PlanData, report: CheckReport, inputs: Sequence[str | Path] = ()) -> None:
    """Check who was assigned to what, where a plan tells it.

    Parameters
    ----------
    inputs
        Files the plan was made from; a roster among them is read anew.
    """
    if not tells_staff(plan):
        return
    if not len(plan.frame("staff")):
        report.add("staff", "no_rows", "staff")
        return
    roster = find_roster(plan, inputs)
    desk = lay_desk(plan)
    told = len(report.broken)
    _check_places(plan, report, desk)
    if len(report.broken) != told:
        report.unchecked.append("staff")
        return
    _check_posts(plan, report, desk)
    _check_pairs(report, desk)
    _check_rooms(report, desk)
    _check_communities(report, desk, roster)
    _check_workload(plan, report, desk)
    _check_tally(plan, report)
    if roster is None:
        report.lacking.extend(_OF_ROSTER)
    else:
        check_roster(plan, report, desk, roster)
        check_holding(plan, report, desk, roster)
        check_privacy(plan, report, roster)
    check_staff_figures(plan, report, desk, roster)


def _check_places(plan: PlanData, report: CheckReport, desk: Desk) -> None:
    """Hold that posts name a grid or a community, not both, and that the role fits the place."""
    held, name = desk.held, desk.held["assignment_id"].to_numpy()
    grid, town = plan.ids("assignments", "grid_id"), plan.ids("assignments", "community_id")
    unsure = (grid != "") == (town != "")
    if unsure.any():
        report.add("staff", "post_place", "assignments", name[unsure])
    inside = held["inside"].to_numpy()
    fits = np.where(inside, held["role"].isin(GRID_ROLES), held["role"].isin(COMMUNITY_ROLES))
    if not fits.all():
        report.add("staff", "post_role", "assignments", name[~fits], "role",
                   value=str(held["role"][~fits].iloc[0]))


def _check_posts(plan: PlanData, report: CheckReport, desk: Desk) -> None:
    """Only places that need people have them, no more than they need; posts are numbered."""
    held = desk.held
    empty = set(plan.ids("grids")[~needs_people(plan)])
    idle = held["place"].isin(empty).to_numpy()
    if idle.any():
        report.add("staff", "post_unneeded", "assignments", held["assignment_id"][idle])
    slots = desk.posts.groupby(["place", "role"])["slots"].sum()
    count = held[~idle].groupby(["place", "role"]).size()
    above = count[count > slots.reindex(count.index).fillna(0)]
    if len(above):
        report.add("staff", "post_crowded", "assignments", [f"{p}-{r}" for p, r in above.index],
                   found=int(above.iloc[0]), expected=int(slots.get(above.index[0], 0)))
    post = held["place"] + "-" + held["role"]
    off = []
    for stem, names in held["assignment_id"].groupby(post):
        if sorted(names) != sorted(f"{stem}-{n + 1}" for n in range(len(names))):
            off += names.tolist()
    if off:
        report.add("staff", "post_code", "assignments", off, "assignment_id",
                   expected=f"{post.loc[held['assignment_id'] == off[0]].iloc[0]}-1")


def _check_pairs(report: CheckReport, desk: Desk) -> None:
    """Who holds a post has a role that may, once, and stands in for nobody but others."""
    held = desk.held
    mine = desk.people["role"].reindex(held["staff_id"]).to_numpy(dtype=object)
    wrong = np.array([m not in HOLDERS.get(r, (r,)) for m, r in zip(mine, held["role"],
                                                                   strict=True)], dtype=bool)
    if wrong.any():
        report.add("staff", "post_holder", "assignments", held["assignment_id"][wrong],
                   "staff_id", value=str(mine[wrong][0]), role=str(held["role"][wrong].iloc[0]))
    twice = held.duplicated(["place", "role", "staff_id"]).to_numpy()
    if twice.any():
        report.add("staff", "post_twice", "assignments", held["assignment_id"][twice], "staff_id")
    lead = set(desk.of_role("responsible")[["place", "staff_id"]].itertuples(index=False,
                                                                            name=None))
    own = np.array([r == "backup" and (p, s) in lead for p, s, r in zip(
        held["place"], held["staff_id"], held["role"], strict=True)], dtype=bool)
    if own.any():
        report.add("staff", "backup_of_self", "assignments", held["assignment_id"][own],
                   "staff_id")


def measure_use(desk: Desk) -> pd.DataFrame:
    """Return what everybody is responsible for: households, grids and workload, by staff_id."""
    posts = desk.posts[(desk.posts["role"] == "responsible").to_numpy()]
    mine = desk.of_role("responsible").merge(posts[["place", "households", "workload"]],
                                             on="place")
    sums = mine.groupby("staff_id").agg(grids=("place", "size"), households=("households", "sum"),
                                        workload=("workload", "sum"))
    return sums.reindex(desk.people.index).fillna(0.0)


def _check_rooms(report: CheckReport, desk: Desk) -> None:
    """Nobody holds more than she has room for."""
    use, people = measure_use(desk), desk.people
    for column in ("households", "grids"):
        above = (use[column] > people[column] + 1e-6).to_numpy()
        if above.any():
            report.add("staff", "staff_overloaded", "staff", people.index[above], "capacity",
                       found=int(use[column][above].iloc[0]), unit=column,
                       expected=int(people[column][above].iloc[0]))
    backups = int(desk.asked.number("backup_grids", 2))
    outer = desk.held[~desk.held["inside"].to_numpy()]
    for kind, rows, most in (("backup", desk.of_role("backup"), backups),
                             ("community", outer, 1)):
        count = rows.groupby("staff_id").size()
        limit = np.where(people["grids"].reindex(count.index) > 0, most, 0)
        above = count.to_numpy() > limit
        if above.any():
            report.add("staff", "staff_many", "staff", count.index[above], "", kind=kind,
                       found=int(count[above].iloc[0]), expected=int(limit[above][0]))


def _check_communities(report: CheckReport, desk: Desk, roster: RosterData | None) -> None:
    """People serve in their own community, in neighbours if asked so, and where they may."""
    held = desk.held
    home = desk.people["community_id"].reindex(held["staff_id"]).to_numpy(dtype=object)
    away = np.array([h != c and (h, c) not in desk.near for h, c in zip(
        home, held["community_id"], strict=True)], dtype=bool)
    if roster is not None:
        away &= np.array([(s, c) not in roster.allowed for s, c in zip(
            held["staff_id"], held["community_id"], strict=True)], dtype=bool)
        if away.any():
            report.add("staff", "staff_elsewhere", "assignments", held["assignment_id"][away],
                       "staff_id")
    elif away.any():
        # The roster may allow it; without it nobody can tell.
        report.lacking.append("communities")


def _check_workload(plan: PlanData, report: CheckReport, desk: Desk) -> None:
    expected = sum_workload(plan, desk.asked)
    found = plan.numbers("grids", "workload")
    bad = ~(np.abs(found - expected) <= 1e-4 + 1e-6 * np.abs(expected))
    if bad.any():
        report.add("staff", "workload_differs", "grids", plan.ids("grids")[bad], "workload",
                   found="-" if np.isnan(found[bad][0]) else round(float(found[bad][0]), 3),
                   expected=round(float(expected[bad][0]), 3))


def _check_tally(plan: PlanData, report: CheckReport) -> None:
    """Compare the tally of the roster with the people of the plan."""
    tally = plan.frame("tally")
    last = tally[((tally["stage"] == "assign") & (tally["layer"] == "roster")).to_numpy()].tail(1)
    told = float((last["used"] + last["repaired"].fillna(0)).iloc[0]) if len(last) else np.nan
    if told != len(plan.frame("staff")):
        report.add("staff", "tally_staff", "tally", ["assign/roster"], "used",
                   found="-" if np.isnan(told) else int(told), expected=len(plan.frame("staff")))
