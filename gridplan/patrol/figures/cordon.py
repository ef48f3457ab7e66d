"""How soon units can stand at all road exits of an area."""

from __future__ import annotations

from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.network import usage
from gridplan.pages.ground import text_of
from gridplan.patrol.figures.response import Samples, Streets, measure_ways
from gridplan.patrol.figures.table import Floats, Table
from gridplan.patrol.figures.units import Shapes
from gridplan.plan import Plan

# Roads along the outline stray by less; what crosses the line so far inside leads out.
INSIDE_M = 10.0
# One unit stands for all exits so near to each other: arms of a junction, two carriageways.
JOIN_M = 20.0
_TOUCH_M = 0.5

Ints = NDArray[np.int64]


def find_exits(area: shapely.Geometry, roads: Shapes) -> Shapes:
    """Find where roads lead out of an area.

    An exit is where a road crosses the line 10 m inside the outline, if it goes on from there to
    the outline; so roads along the outline are none, and a dead end is none. Exits within 20 m of
    each other are one. An area too narrow for that has none.

    >>> area = shapely.box(0, 0, 100, 100)
    >>> roads = np.array([shapely.LineString(c) for c in (
    ...     [(50, 50), (50, 150)], [(0, 0), (100, 0)], [(50, 50), (95, 50)])])
    >>> find_exits(area, roads)
    array([<POINT (50 90)>], dtype=object)
    """
    core = shapely.buffer(area, -INSIDE_M, join_style="mitre")
    none = np.array([], dtype=object)
    if core.is_empty:
        return none
    band = shapely.difference(shapely.buffer(area, _TOUCH_M), core)
    parts = shapely.get_parts(shapely.intersection(
        roads[shapely.intersects(roads, band)], band))
    parts = parts[shapely.get_dimensions(parts) == 1]
    crossing, owner = _touch(parts, core)
    if not len(crossing):
        return none
    out = shapely.distance(parts, shapely.boundary(area)) <= _TOUCH_M
    group = _join(len(parts), *shapely.STRtree(parts).query(parts, predicate="dwithin",
                                                          distance=_TOUCH_M))
    leads = np.bincount(group, out, minlength=len(parts)) > 0
    found = crossing[leads[group[owner]]]
    found = found[np.lexsort(shapely.get_coordinates(found).round(3).T[::-1])]
    place = _join(len(found), *shapely.STRtree(found).query(found, predicate="dwithin",
                                                          distance=JOIN_M))
    return np.asarray(found[np.unique(place, return_index=True)[1]], dtype=object)


def _touch(parts: Shapes, core: shapely.Geometry) -> tuple[Shapes, Ints]:
    """Return where the ends of parts lie on the core, and of which part."""
    ends = np.concatenate([shapely.get_point(parts, 0), shapely.get_point(parts, -1)])
    on = shapely.distance(ends, core) <= 1e-6
    return ends[on], np.tile(np.arange(len(parts)), 2)[on]


def _join(count: int, one: Ints, two: Ints) -> Ints:
    """Return the number of the group of each, joined by pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = coo_array((np.ones(len(one), dtype=np.int8), (one, two)), shape=(count, count))
    return np.asarray(connected_components(pairs, directed=False)[1], dtype=np.int64)


def find_bottleneck(cost: Floats, known: float = 0.0) -> float:
    """Return the least T at which every column gets a row of its own at no more than T.

    The bottleneck assignment of Gross, O. (1959): The bottleneck assignment problem, RAND P-1630,
    by bisection over the costs with a maximum matching at each step.

    Parameters
    ----------
    cost
        (rows, columns); inf where a row cannot serve a column.
    known
        A result below it does not matter: then it is ``known`` that is returned.

    Returns
    -------
    float
        inf where there is no such T, as where rows are fewer than columns.

    >>> find_bottleneck(np.array([[1.0, 9.0], [2.0, 4.0]])), find_bottleneck(np.ones((1, 2)))
    (4.0, inf)
    """
    rows, columns = cost.shape
    if columns == 0:
        return known
    if rows < columns:
        return np.inf
    # No column can do with less than its cheapest row.
    low = max(known, float(cost.min(axis=0).max()))
    if not np.isfinite(low):
        return np.inf
    if _covers(cost <= low):
        return low
    steps = np.unique(cost[np.isfinite(cost) & (cost > low)])
    first, last = 0, len(steps)
    while first < last:
        middle = (first + last) // 2
        if _covers(cost <= steps[middle]):
            last = middle
        else:
            first = middle + 1
    return float(steps[first]) if first < len(steps) else np.inf


def _covers(open_to: NDArray[np.bool_]) -> bool:
    """Tell whether every column can have a row of its own."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    if not open_to.any(axis=0).all():
        return False
    return bool((maximum_bipartite_matching(csr_array(open_to.T.astype(np.int8)),
                                            perm_type="column") >= 0).all())


def list_areas(plan: Plan) -> Iterator[tuple[str, str, shapely.Geometry]]:
    """Yield the zones, then the communities: scope, id, shape."""
    for scope, layer in (("zone", "zones"), ("community", "communities")):
        frame = plan.layer(layer)
        frame = frame.sort_values(f"{scope}_id", kind="stable")
        for name, shape in zip(text_of(frame, f"{scope}_id"), frame.geometry, strict=True):
            yield scope, name, shape


def open_roads(plan: Plan) -> Shapes:
    """Return the lines of roads that are open to cars, or public."""
    roads: gpd.GeoDataFrame = plan.layer("roads")
    held = usage.is_open(roads, "car") | roads["public"].astype("boolean").fillna(False).to_numpy(
        dtype=bool)
    lines = np.asarray(roads.geometry.array, dtype=object)[held]
    return np.asarray(shapely.get_parts(lines), dtype=object)


def add_cordon(table: Table, streets: Streets, samples: Samples) -> None:
    """Add ``cordon_min``: how soon units can stand at every road exit of an area.

    Unit min. At each sampled time the units on duty are sent to the exits, one to each, so that
    the last arrives as early as possible; the figure is the worst of these times. Numerator the
    fewest units on duty at a sampled time, denominator the exits. Where units are too few, or no
    way leads, there is no value; without an exit neither. Scopes: zone, community.

    >>> way_s = np.array([[60.0, 300.0], [90.0, 120.0]])
    >>> find_bottleneck(way_s) / 60
    2.0
    """
    areas = list(list_areas(streets.plan))
    roads = open_roads(streets.plan)
    tree = shapely.STRtree(roads)
    exits = [find_exits(shape, roads[np.sort(tree.query(shape, predicate="intersects"))])
             for _, _, shape in areas]
    number = np.bincount(samples.time, minlength=samples.times)
    fewest = int(number.min()) if samples.times else 0
    possible = [k for k, held in enumerate(exits) if 0 < len(held) <= fewest]
    goals = np.concatenate([np.array([], dtype=object), *(exits[k] for k in possible)])
    seconds = measure_ways(streets, samples, goals) if possible else np.zeros((0, 0))
    first = dict(zip(possible, np.cumsum([0, *(len(exits[k]) for k in possible)]).tolist(),
                     strict=False))
    for k, (scope, scope_id, _) in enumerate(areas):
        worst = np.nan
        if k in first:
            held = seconds[:, first[k]:first[k] + len(exits[k])]
            worst = 0.0
            for time in range(samples.times):
                worst = find_bottleneck(held[samples.time == time], worst)
        table.add("cordon_min", scope, scope_id, worst / 60, "min", None, fewest, len(exits[k]))
