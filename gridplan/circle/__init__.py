"""The service circle: who reaches which facilities how far, and whether they can serve all.

:func:`measure_circle` measures it on a plan, :func:`record_circle` puts it in.
"""

from gridplan.circle.desk import (
    Circle,
    Given,
    count_facilities,
    measure_after,
    measure_circle,
)
from gridplan.circle.facilities import judge_facilities, judge_norms
from gridplan.circle.record import record_circle
from gridplan.circle.tables import read_categories

__all__ = ["Circle", "Given", "count_facilities", "judge_facilities", "judge_norms",
           "measure_after", "measure_circle", "read_categories", "record_circle"]
