"""Where the search leaves regions out of range: exact covers of small windows, other seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gridplan.regions.graph import Graph, number_regions, subgraph
from gridplan.regions.kernels import seed_luck
from gridplan.regions.proof import MOST_UNITS, cover_exactly
from gridplan.regions.search import (
    COOL,
    Labels,
    Task,
    mend_all,
    out_of_range,
    score,
    search_regions,
)

RETRIES = 3  # further seeds before a cut is given up


def rescue_cut(graph: Graph, task: Task, labels: Labels) -> tuple[Labels, bool]:
    """Try to bring every region into range; return the better labels and whether none could be.

    ``graph`` is the graph of ``task``. A small graph is settled for good by an exact cover; in a
    large one other seeds are tried, then windows of small size around the regions at fault are
    settled so.
    """
    if graph.size <= MOST_UNITS:
        verdict, cover = cover_exactly(graph, task.low, task.high)
        if cover is not None and task.count in (None, int(cover.max()) + 1):
            return cover, False
        if verdict is True or task.count is None:
            return labels, verdict is True
    for retry in range(RETRIES):
        labels = mend_all(task, task.net, labels, task.effort.finer, COOL,
                          seed_luck(task.seed, retry))
        if score(task, task.net, labels)[0] == 0:
            return labels, False
        other = search_regions(replace(task, seed=task.seed + 1_000_003 * (retry + 1)))
        labels = min(labels, other, key=lambda found: score(task, task.net, found))
        if score(task, task.net, labels)[0] == 0:
            return labels, False
    labels = cover_windows(graph, task, labels)
    return mend_all(task, task.net, labels, task.effort.finer, COOL, seed_luck(task.seed)), False


def cover_windows(graph: Graph, task: Task, labels: Labels) -> Labels:
    """Recut windows around regions out of range by exact cover, as long as that mends them."""
    tried: set[bytes] = set()
    while True:
        labels = number_regions(labels)
        faulty = np.flatnonzero(out_of_range(task.net, labels, task.low, task.high))
        for region in faulty.tolist():
            units = window_around(graph, labels, region)
            if units.tobytes() in tried:
                continue
            tried.add(units.tobytes())
            _, cover = cover_exactly(subgraph(graph, units), task.low, task.high,
                                     cheapest=False)
            if cover is not None and (task.count is None
                                      or np.unique(cover).size == np.unique(labels[units]).size):
                labels[units] = int(labels.max()) + 1 + cover
                break
        else:
            return labels


def window_around(graph: Graph, labels: Labels, region: int) -> Labels:
    """Return the units of ``region`` and of regions around it, ring by ring, while they are few."""
    one, two = labels[graph.u], labels[graph.v]
    sizes = np.bincount(labels)
    inside = np.zeros(sizes.size, np.bool_)
    inside[region] = True
    room = MOST_UNITS - int(sizes[region])
    while True:
        rim = np.union1d(two[inside[one] & ~inside[two]], one[inside[two] & ~inside[one]])
        fitting = rim[np.cumsum(sizes[rim]) <= room]
        if fitting.size == 0:
            return np.flatnonzero(inside[labels]).astype(np.int32)
        inside[fitting] = True
        room -= int(sizes[fitting].sum())
