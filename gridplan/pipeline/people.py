"""The story of an assignment: the grids and communities of a plan get their people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gridplan.errors import Findings
from gridplan.layers import Roster
from gridplan.params import Params
from gridplan.plan import Plan

if TYPE_CHECKING:
    from gridplan.assign import Assigned


def assign_plan(plan: Plan, roster: Roster, params: Params, findings: Findings, *,
                absent: Iterable[str] = (), before: Plan | None = None, afresh: bool = False,
                command: str = "gridplan assign") -> tuple[Plan, Assigned]:
    """Give the grids and communities of a plan their people.

    Parameters
    ----------
    plan
        With communities, grids, units and buildings.
    roster
        As it was read; what contradicts the plan is found here.
    absent
        Staff_ids that are left out.
    before
        Another plan whose assignments are to be kept, in the place of this plan's own.
    afresh
        Keep to what the roster says of current grids, not to the plan's own assignments.

    Returns
    -------
    tuple
        The plan with its people, and what came of assigning them.

    Raises
    ------
    InputError
        A layer is missing, or the roster contradicts the plan (all faults at once).
    UsageError
        Somebody absent is not in the roster.
    """
    from gridplan.assign import assign_staff, follow_roster, record_assignment
    from gridplan.roster import judge_roster

    plan.require("communities", "grids", "units", "buildings")
    roster = judge_roster(follow_roster(roster, plan.layer("grids")), plan.layers, findings,
                          posts=params.assign.most_posts(), across=params.assign.across)
    gone = list(dict.fromkeys(absent))
    assigned = assign_staff(plan, roster, params, findings, absent=gone, before=before,
                            afresh=afresh)
    return record_assignment(plan, assigned, roster, params, findings, absent=gone,
                             command=command), assigned
