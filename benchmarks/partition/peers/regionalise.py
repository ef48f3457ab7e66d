"""PySAL's spopt: max-p, SKATER, AZP, Ward and k-means on the places of the units.

Likeness is nearness here: the attributes are the coordinates of the units.
"""

from __future__ import annotations

import random
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from libpysal.weights import W
from spopt.region import AZP, MaxPHeuristic, RegionKMeansHeuristic, Skater, WardSpatial

from benchmarks.partition.parts import LOW, Ints, Part

PLACE = ["x", "y"]


def cut_maxp(part: Part, seed: int, budget_s: float) -> Ints:
    """Max-p: as many regions of at least 300 households as are found, the most compact of those."""
    frame, near = _layers_of(part, seed)
    model = MaxPHeuristic(frame, near, PLACE, "households", LOW, top_n=2)
    model.solve()
    return _labels_of(model)


def cut_skater(part: Part, seed: int, budget_s: float) -> Ints:
    """SKATER: the minimum spanning tree, pruned to K regions; no seed changes it."""
    frame, near = _layers_of(part, seed)
    model = Skater(frame, near, PLACE, n_clusters=part.count, islands="ignore")
    model.solve()
    return _labels_of(model)


def cut_azp(part: Part, seed: int, budget_s: float) -> Ints:
    """AZP: moves between K regions, from random ones."""
    frame, near = _layers_of(part, seed)
    model = AZP(frame, near, PLACE, n_clusters=part.count, random_state=seed)
    model.solve()
    return _labels_of(model)


def cut_ward(part: Part, seed: int, budget_s: float) -> Ints:
    """Ward: agglomeration to K regions; no seed changes it."""
    frame, near = _layers_of(part, seed)
    model = WardSpatial(frame, near, PLACE, n_clusters=part.count)
    model.solve()
    return _labels_of(model)


def cut_kmeans(part: Part, seed: int, budget_s: float) -> Ints:
    """k-means of K connected regions."""
    _, near = _layers_of(part, seed)
    model = RegionKMeansHeuristic(part.xy, part.count, near, seed=seed)
    model.solve()
    return _labels_of(model)


def _layers_of(part: Part, seed: int) -> tuple[gpd.GeoDataFrame, W]:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - max-p draws from the global generator
    starts, near, _ = part.rows()
    rows = np.split(near, starts[1:-1])
    frame = gpd.GeoDataFrame({"x": part.xy[:, 0], "y": part.xy[:, 1],
                              "households": part.households}, geometry=shapely.points(part.xy))
    return frame, W({k: row.tolist() for k, row in enumerate(rows)}, silence_warnings=True)


def _labels_of(model: Any) -> Ints:
    return np.unique(np.asarray(model.labels_), return_inverse=True)[1].astype(np.int64)
