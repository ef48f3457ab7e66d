"""The plan file: one GeoPackage that every verb reads, adds to and writes back.

>>> from gridplan.plan import Plan
>>> Plan({}, "EPSG:4534").run
{}
"""

from gridplan.plan.carry import carry_over
from gridplan.plan.digest import digest_layer, digest_rows, source_rows
from gridplan.plan.model import Plan, StageTime, tally_frame
from gridplan.plan.store import check_plan_target, read_plan, write_plan
from gridplan.plan.style import column_title, style_layer

__all__ = ["Plan", "StageTime", "carry_over", "check_plan_target", "column_title",
           "digest_layer", "digest_rows", "read_plan", "source_rows", "style_layer",
           "tally_frame", "write_plan"]
