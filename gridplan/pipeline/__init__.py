"""The story of every verb: checked inputs become a plan, and a plan gains layers."""

from gridplan.pipeline.circle import measure_plan, open_demand, site_plan
from gridplan.pipeline.city import STAGES, count_households, plan_city
from gridplan.pipeline.clock import Clock, Progress, peak_memory_mb
from gridplan.pipeline.mergers import merge_city, read_limits, reopen_study
from gridplan.pipeline.patrol import change_plan, need_plan, patrol_plan
from gridplan.pipeline.people import assign_plan

__all__ = ["STAGES", "Clock", "Progress", "assign_plan", "change_plan", "count_households",
           "measure_plan", "merge_city", "need_plan", "open_demand", "patrol_plan",
           "peak_memory_mb", "plan_city", "read_limits", "reopen_study", "site_plan"]
