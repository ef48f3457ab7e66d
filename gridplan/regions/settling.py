"""Settling small graphs: from a cut that was found to the best there is, if the work allows."""

from __future__ import annotations

from gridplan.regions.graph import Graph
from gridplan.regions.search import Labels, Task, score

SMALL = 60  # units of a graph that is settled
WORK = 60_000_000  # steps spent on it, half a second or so


def settle_small(graph: Graph, task: Task, labels: Labels) -> Labels:
    """Return the best cut of a small graph, as far as the work allows; else ``labels``.

    ``graph`` is the graph of ``task``. Cuts out of range, with a number of regions given or with
    tolls are left as they are: the proof knows borders alone.
    """
    # Bounds start from cuts, so they stand above this file.
    from gridplan.regions.exact import solve_exactly

    if (graph.size > SMALL or task.count is not None or task.toll.size
            or score(task, task.net, labels)[0] > 0):
        return labels
    best = solve_exactly(graph, task.low, task.high, start=labels, work=WORK).labels
    return labels if best is None else min(
        labels, best, key=lambda found: score(task, task.net, found))
