"""Assign responsibles: every grid has its people, and the workload is fair."""

from gridplan.assign.desk import Assigned, assign_staff
from gridplan.assign.holding import follow_roster
from gridplan.assign.record import record_assignment
from gridplan.plan.staffing import need_people

__all__ = ["Assigned", "assign_staff", "follow_roster", "need_people", "record_assignment"]
