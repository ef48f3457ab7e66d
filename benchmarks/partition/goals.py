"""What is asked of our partition, as a table, and who meets it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from benchmarks.lines import make_line

ALL = ("fast", "normal", "best")


@dataclass(frozen=True)
class Goal:
    """One goal; of several of the same ``measure`` that fit a summary, the first counts.

    Attributes
    ----------
    instances
        Pattern of instance names.
    measure
        A field of the summary, or ``to METHOD`` and ``to best of METHOD``: our median over the
        median, or the lowest, of that method on the same instance.
    """

    instances: str
    method: str
    efforts: tuple[str, ...]
    measure: str
    limit: float
    at_most: bool = True


def _least(instances: str, method: str, efforts: tuple[str, ...], measure: str, limit: float
           ) -> Goal:
    return Goal(instances, method, efforts, measure, limit, at_most=False)


FREE, FIXED, EXACT = "gridplan:free", "gridplan:fixed", "gridplan:free"
GOALS = (
    _least("*", "gridplan:*", ALL, "settled_lowest", 1.0),
    Goal("hel1", FREE, ("normal",), "to metis:1", 0.87),
    Goal("hel1", FREE, ("best",), "to metis:1", 0.845),
    Goal("hel9", FREE, ("normal",), "to metis:1", 0.85),
    Goal("hel9", FREE, ("best",), "to metis:1", 0.82),
    Goal("sub4", FREE, ("normal",), "to metis:1", 0.80),
    Goal("sub4", FREE, ("best",), "to metis:1", 0.70),
    Goal("*", "gridplan:*", ("normal",), "to metis:1", 0.90),
    Goal("*", FREE, ("best",), "to metis:1", 0.86),
    Goal("*", FIXED, ("best",), "to metis:1", 0.87),
    Goal("*", FREE, ("normal", "best"), "to best of metis:10", 1.0),
    _least("hel1", FREE, ("normal",), "road_share", 0.67),
    _least("hel1", FREE, ("normal",), "compactness", 0.55),
    Goal("town*", FREE, ("normal", "best"), "avoidable_highest", 0.0),
)
EXACT_GOALS = (
    Goal("*:small", EXACT, ("normal",), "mean", 0.02),
    Goal("*:small", EXACT, ("best",), "mean", 0.001),
    Goal("*:small", EXACT, ("best",), "worst", 0.01),
    Goal("*:large", "gridplan:exact", ALL, "worst", 0.03),
)


def judge(summaries: Sequence[Mapping[str, Any]], goals: Iterable[Goal]) -> list[dict[str, Any]]:
    """Return a line for every goal that speaks of one of the summaries.

    What could not be measured is not met: ``value`` is None then.

    >>> held = [{"benchmark": "b", "method": "gridplan:free", "version": "1", "instance": "x",
    ...          "effort": "fast", "settled_lowest": 0.9}]
    >>> [(line["what"], line["met"]) for line in judge(held, GOALS)]
    [('settled_lowest', False)]
    """
    lines = []
    for summary in summaries:
        told: set[str] = set()
        for goal in goals:
            if not (fnmatch(summary["instance"], goal.instances)
                    and fnmatch(summary["method"], goal.method)
                    and summary["effort"] in goal.efforts) or goal.measure in told:
                continue
            told.add(goal.measure)
            value = _measure(summary, summaries, goal.measure)
            met = value is not None and (
                value <= goal.limit if goal.at_most else value >= goal.limit)
            lines.append({"goal": True, **make_line(
                summary["benchmark"], summary["method"], summary["version"],
                instance=summary["instance"], effort=summary["effort"],
                status="ok" if met else "missed" if value is not None else "not measured"),
                "what": goal.measure, "value": value, "limit": goal.limit,
                "at_most": goal.at_most, "met": met})
    return lines


def _measure(summary: Mapping[str, Any], summaries: Iterable[Mapping[str, Any]], measure: str
             ) -> float | None:
    if not measure.startswith("to "):
        return summary.get(measure)
    name = measure.removeprefix("to ").removeprefix("best of ")
    field = "best" if measure.startswith("to best of ") else "median"
    for other in summaries:
        if other["instance"] == summary["instance"] and other["method"] == name:
            below = other.get(field)
            return summary["median"] / below if below and summary["median"] is not None else None
    return None
