"""What changed between two plans: communities, grids, who stayed, who serves where, figures."""

from gridplan.diff.difference import Difference, Retention, compare_plans
from gridplan.diff.workbook import is_difference, write_difference

__all__ = ["Difference", "Retention", "compare_plans", "is_difference", "write_difference"]
