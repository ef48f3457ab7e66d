"""Service areas: the land round the streets from which a facility is within the limit."""

from __future__ import annotations

from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.ops import substring

from gridplan.circle.demand import Demand, Floats, Ints
from gridplan.circle.ways import Streets, Ways
from gridplan.layers import conform
from gridplan.network import Nearest, Pairs, Reach, StreetNetwork, reach
from gridplan.network.search import in_threads

Shapes = NDArray[np.object_]
_QUARTER = 3  # segments of a quarter circle of a buffer
_LEAST_M2 = 1.0  # what a difference leaves that is smaller is no place
_POINT_M = 1.0  # how much round a building that is a point is kept free
_GRID_M = 0.001


def draw_service_areas(ways: Ways, mode: str, limits_m: Floats, buffer_m: float, found: Nearest,
                       pairs: dict[int, Pairs], counts: NDArray[np.bool_]) -> gpd.GeoDataFrame:
    """Return the layer ``service_areas``: one area of every category and of every facility in it.

    Streets from which the facility is within the limit, cut where the limit ends, with
    ``buffer_m`` round them and without the buildings from which it is not. Categories measured
    straight have one area of all their discs.

    Parameters
    ----------
    mode, limits_m
        The first walker's mode, and her limit of each category.
    found
        The nearest facility of each category, without limit.
    pairs
        Category → all pairs of demand and facility within the limit.
    counts
        Which facilities are drawn.
    """
    ids = ways.facilities["facility_id"].astype(str).to_numpy(dtype=object)
    rows: list[tuple[str, str | None, float]] = []
    shapes: list[shapely.Geometry] = []
    homes = Homes(ways.demand)
    for k, category in enumerate(ways.categories):
        mine = ways.rows_of(k)
        mine = mine[counts[mine]]
        limit_m = float(limits_m[k])
        if category.measure == "radius":
            spots = ways.facilities.geometry.to_numpy()[mine]
            single: Shapes = shapely.buffer(spots, limit_m, quad_segs=_QUARTER * 2)
        else:
            single = _draw_each(ways.streets[mode], mine, limit_m, buffer_m)
        areas: list[tuple[str | None, shapely.Geometry]] = []
        if category.measure == "network":
            near = _reached(pairs[k], mine, len(ways.demand))
            areas = [(str(ids[row]), homes.cut_out(shape, inside))
                     for row, shape, inside in zip(mine.tolist(), single, near, strict=True)]
            # What no facility of the category reaches is cut out of each of its areas.
            whole = tidy_area(shapely.union_all([area for _, area in areas]))
        else:
            whole = homes.cut_out(shapely.union_all(single), found.distance_m[k] <= limit_m)
        areas.insert(0, (None, whole))
        for facility, area in areas:
            if not area.is_empty:
                rows.append((category.category, facility, limit_m))
                shapes.append(area)
    table = pd.DataFrame(rows, columns=["category", "facility_id", "limit_m"])
    table.insert(0, "area_id", [f"A{n:05d}" for n in range(1, len(rows) + 1)])
    return gpd.GeoDataFrame(conform("service_areas", gpd.GeoDataFrame(
        table, geometry=shapes, crs=ways.facilities.crs)))


def _draw_each(streets: Streets, rows: Ints, limit_m: float, buffer_m: float) -> Shapes:
    """Return the land round the streets within the limit of each facility, empty for none.

    Streets are widened one by one and then joined: that is quicker than widening them together.
    """
    network = streets.network
    wide = np.full(network.edges, None, dtype=object)

    def draw(row: int) -> shapely.Geometry:
        found = reach(network, streets.facilities, np.array([row]), limit_m=limit_m)
        whole = is_whole(network, found)
        edges = found.edge[whole]
        new = edges[[g is None for g in wide[edges]]]
        wide[new] = shapely.buffer(network.geometry[new], buffer_m, quad_segs=_QUARTER)
        parts = shapely.buffer(cut_parts(network, found, ~whole), buffer_m, quad_segs=_QUARTER)
        return shapely.union_all(np.concatenate([wide[edges], parts]))

    return np.array(list(in_threads(draw, rows.tolist())), dtype=object)


def is_whole(network: StreetNetwork, found: Reach) -> NDArray[np.bool_]:
    """Tell the parts of streets that are whole edges."""
    return np.asarray((found.start_m <= 0) & (found.end_m >= network.length_m[found.edge] - 1e-9))


def cut_parts(network: StreetNetwork, found: Reach, which: NDArray[np.bool_]) -> Shapes:
    """Return some parts of streets as lines, cut where they begin and end."""
    lines = [substring(line, low, high) for line, low, high in zip(
        network.geometry[found.edge[which]], found.start_m[which].tolist(),
        found.end_m[which].tolist(), strict=True)]
    return np.array(lines, dtype=object)


def _reached(pairs: Pairs, rows: Ints, count: int) -> Iterator[NDArray[np.bool_]]:
    """Yield, facility by facility, which rows of demand have it within the limit."""
    order = np.argsort(pairs.target, kind="stable")
    target, origin = pairs.target[order], pairs.origin[order]
    for row in rows.tolist():
        low, high = np.searchsorted(target, [row, row + 1])
        inside = np.zeros(count, dtype=bool)
        inside[origin[low:high]] = True
        yield inside


class Homes:
    """The buildings, found by where they are."""

    def __init__(self, demand: Demand) -> None:
        shapes = demand.frame.geometry.to_numpy().copy()
        points = shapely.get_dimensions(shapes) == 0
        shapes[points] = shapely.buffer(shapes[points], _POINT_M, quad_segs=2)
        self.shapes = shapes
        self.tree = shapely.STRtree(shapes)

    def cut_out(self, area: shapely.Geometry, inside: NDArray[np.bool_]) -> shapely.Geometry:
        """Return an area without the buildings that are not ``inside``, as a MultiPolygon."""
        shapely.prepare(area)
        at = np.sort(self.tree.query(area, predicate="intersects"))
        lost = self.shapes[at[~inside[at]]]
        if len(lost):
            area = shapely.difference(area, shapely.union_all(lost), grid_size=_GRID_M)
        return tidy_area(area)


def tidy_area(area: shapely.Geometry) -> shapely.MultiPolygon:
    """Return an area as a valid MultiPolygon, without what is too small to be a place.

    >>> tidy_area(shapely.box(0, 0, 3, 3).union(shapely.box(5, 5, 5.1, 5.1))).area
    9.0
    """
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(area)))
    parts = parts[(shapely.get_dimensions(parts) == 2) & (shapely.area(parts) >= _LEAST_M2)]
    return shapely.multipolygons(parts)
