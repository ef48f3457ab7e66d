"""What nobody walks across on the way from a door to a street."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.network.usage import text_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
TOLERANCE_M = 0.05  # how far a leg may stand on an obstacle at either end
BLOCKING = ("wall", "water", "river", "rail")


@dataclass(frozen=True)
class Estate:
    """An estate as walkers meet it: its outline, and its gates that are open on foot.

    ``gates`` are rows of ``Ground.gates``; ``gated`` tells whether it has any gate at all.
    """

    polygon: shapely.Geometry
    gates: tuple[int, ...]
    gated: bool

    @property
    def enclosed(self) -> bool:
        """Whether its outline can be passed at gates only."""
        return bool(self.gates)


@dataclass(frozen=True)
class Ground:
    """Obstacles and estates of a study.

    ``shapes`` holds the barriers, then the outlines of the enclosed estates; ``owner`` the row of
    the estate whose outline it is, else -1. ``gates`` are the points of all gates.
    """

    shapes: NDArray[np.object_]
    owner: Ints
    estates: tuple[Estate, ...]
    gates: NDArray[np.object_]

    def blocked(self, legs: NDArray[np.object_], *, without: Ints | None = None,
                outlines: bool = True) -> NDArray[np.bool_]:
        """Tell which straight legs touch an obstacle beyond 0.05 m from their ends.

        Parameters
        ----------
        legs
            LineStrings of two points.
        without
            The estate whose outline does not count for each leg; -1 for none.
        outlines
            Whether the outlines of estates count at all.
        """
        found = np.zeros(len(legs), dtype=bool)
        if not len(self.shapes) or not len(legs):
            return found
        long, core = shorten(legs)
        leg, shape = shapely.STRtree(core).query(self.shapes, predicate="intersects")[::-1]
        owner = self.owner[shape]
        counts = np.ones(len(leg), dtype=bool) if outlines else owner < 0
        if without is not None:
            counts &= (owner < 0) | (owner != without[long[leg]])
        found[long[leg[counts]]] = True
        return found


def shorten(legs: NDArray[np.object_]) -> tuple[Ints, NDArray[np.object_]]:
    """Return which legs are longer than 0.1 m, and those without 0.05 m at either end."""
    xy = shapely.get_coordinates(legs).reshape(-1, 2, 2)
    length = np.hypot(*(xy[:, 1] - xy[:, 0]).T)
    long = np.flatnonzero(length > 2 * TOLERANCE_M)
    part = (TOLERANCE_M / length[long])[:, None]
    a, b = xy[long, 0], xy[long, 1]
    return long, shapely.linestrings(np.stack([a + (b - a) * part, b - (b - a) * part], axis=1))


def survey_ground(barriers: gpd.GeoDataFrame | None, estates: gpd.GeoDataFrame | None,
                  gates: gpd.GeoDataFrame | None) -> Ground:
    """Gather the obstacles to straight legs on foot.

    Barriers of kind wall, water, river and rail count with their interior; estates count with
    their outline where at least one of their gates is open on foot (a gate that does not say
    counts as open). Estates come in the order of their ids.
    """
    blocks: NDArray[np.object_] = np.array([], dtype=object)
    if barriers is not None and len(barriers):
        kept = np.isin(text_of(barriers, "kind", ""), BLOCKING)
        blocks = barriers.geometry.to_numpy()[kept]
    points: NDArray[np.object_] = np.array([], dtype=object)
    held: list[Estate] = []
    if estates is not None and len(estates):
        if gates is not None:
            gates = gates.iloc[np.argsort(gates.index.astype(str), kind="stable")]
            points = gates.geometry.to_numpy()
        held = _gather_estates(estates, gates)
    enclosed = [k for k, estate in enumerate(held) if estate.enclosed]
    outlines = shapely.boundary(np.array([held[k].polygon for k in enclosed], dtype=object))
    owner = np.concatenate([np.full(len(blocks), -1), np.array(enclosed, dtype=np.int64)])
    return Ground(np.concatenate([blocks, outlines]), owner.astype(np.int64), tuple(held), points)


def _gather_estates(estates: gpd.GeoDataFrame, gates: gpd.GeoDataFrame | None) -> list[Estate]:
    of: dict[str, list[int]] = {}
    is_open: Sequence[bool] = ()
    if gates is not None:
        is_open = gates["foot"].astype("boolean").fillna(True).to_list()
        for k, name in enumerate(gates["estate_id"].to_list()):
            if not pd.isna(name):
                of.setdefault(str(name), []).append(k)
    order = np.argsort(estates.index.astype(str), kind="stable")
    names, shapes = estates.index.astype(str), estates.geometry.to_numpy()
    return [Estate(shapes[k], tuple(g for g in of.get(names[k], ()) if is_open[g]),
                   names[k] in of) for k in order.tolist()]


def estate_of(ground: Ground, points: NDArray[np.object_]) -> Ints:
    """Return the first estate that each point lies in or on the outline of, else -1."""
    out = np.full(len(points), -1, dtype=np.int64)
    if ground.estates:
        shapes = np.array([e.polygon for e in ground.estates], dtype=object)
        point, estate = shapely.STRtree(shapes).query(points, predicate="intersects")
        order = np.lexsort((estate, point))[::-1]
        out[point[order]] = estate[order]
    return out
