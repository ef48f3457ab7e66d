"""The service circle: who reaches which facilities how far, and whether they can serve all."""

from gridplan.circle.facilities import judge_facilities, judge_norms

__all__ = ["judge_facilities", "judge_norms"]
