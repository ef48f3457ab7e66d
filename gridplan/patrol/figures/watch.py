"""What fixed posts and lights see of the streets, and the blind stretches between them."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.layers import one_polygon
from gridplan.pages.ground import text_of
from gridplan.patrol.figures.made import Made
from gridplan.patrol.figures.table import Floats, Table, split_scopes
from gridplan.patrol.figures.units import Shapes

RADIUS = "radius_m"
_BLIND = 0.5  # the part of a street unseen from which on it is blind

Ints = NDArray[np.int64]


def find_seen(line: shapely.LineString, centre: Floats, radius_m: Floats) -> Floats:
    """Return the stretches of a line within reach of any of some points.

    Exact: every straight piece is cut with the circles themselves, not with polygons.

    Parameters
    ----------
    centre, radius_m
        (k, 2) and (k,) of the circles.

    Returns
    -------
    ndarray
        (s, 2) metres along the line, ascending, apart from each other.

    >>> find_seen(shapely.LineString([(0, 0), (100, 0)]), np.array([[50.0, 3.0], [98.0, 0.0]]),
    ...           np.array([5.0, 10.0])).tolist()
    [[46.0, 54.0], [88.0, 100.0]]
    """
    xy = np.asarray(line.coords)[:, :2]
    step = np.diff(xy, axis=0)
    long = np.hypot(*step.T)
    start, step, long = xy[:-1][long > 0], step[long > 0], long[long > 0]
    along = np.cumsum(long) - long
    unit = step / long[:, None]
    to = centre[None, :, :] - start[:, None, :]
    foot = (to * unit[:, None, :]).sum(axis=2)
    aside = to[..., 0] * unit[:, None, 1] - to[..., 1] * unit[:, None, 0]
    half = np.sqrt(np.maximum(radius_m[None, :] ** 2 - aside**2, 0))
    low = np.clip(foot - half, 0, long[:, None])
    high = np.clip(foot + half, 0, long[:, None])
    hit = (np.abs(aside) < radius_m[None, :]) & (high > low)
    spans = np.stack([(along[:, None] + low)[hit], (along[:, None] + high)[hit]], axis=1)
    return _merge(spans[np.argsort(spans[:, 0], kind="stable")])


def _merge(spans: Floats) -> Floats:
    """Join stretches that touch; they come by their begin."""
    if not len(spans):
        return spans
    reach = np.maximum.accumulate(spans[:, 1])
    new = np.append(True, spans[1:, 0] > reach[:-1] + 1e-9)
    return np.stack([spans[new, 0], reach[np.append(new[1:], True)]], axis=1)


def see_streets(lines: Shapes, points: gpd.GeoDataFrame, radius_m: float) -> list[Floats]:
    """Return for each line the stretches that points see.

    Parameters
    ----------
    points
        With a column ``radius_m`` where each has its own; blank ones take ``radius_m``.
    """
    spots = np.asarray(points.geometry.array, dtype=object)
    own = pd.to_numeric(points[RADIUS]) if RADIUS in points.columns else pd.Series(
        np.nan, index=points.index)
    radius = own.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    radius = np.where(np.isfinite(radius), np.maximum(radius, 0), radius_m)
    good = ~(shapely.is_missing(spots) | shapely.is_empty(spots))
    spots, radius = np.asarray(shapely.centroid(spots[good])), radius[good]
    centre = shapely.get_coordinates(spots)
    reach = float(radius.max()) if len(radius) else 0.0
    line, spot = shapely.STRtree(spots).query(lines, predicate="dwithin", distance=reach)
    order = np.lexsort((spot, line))
    first = np.searchsorted(line[order], np.arange(len(lines) + 1))
    mine = [spot[order][first[k]:first[k + 1]] for k in range(len(lines))]
    return [find_seen(one, centre[rows], radius[rows])
            for one, rows in zip(lines, mine, strict=True)]


def blind_stretches(required: gpd.GeoDataFrame, points: gpd.GeoDataFrame, radius_m: float
                    ) -> gpd.GeoDataFrame:
    """Return the stretches of required streets that no post and no light sees.

    Parameters
    ----------
    required
        The layer.
    points
        Posts and lights in the same CRS; a column ``radius_m`` counts where it is filled.
    radius_m
        How far the others see.

    Returns
    -------
    GeoDataFrame
        required_id, tier, length_m; lines in the order of the streets and along each.

    >>> required = gpd.GeoDataFrame({"required_id": ["Q1"], "tier": ["town"]}, crs=4549,
    ...                             geometry=[shapely.LineString([(0, 0), (100, 0)])])
    >>> post = gpd.GeoDataFrame(geometry=[shapely.Point(30, 0)], crs=4549)
    >>> blind_stretches(required, post, 20.0)["length_m"].tolist()
    [10.0, 50.0]
    """
    lines = np.array([one_polygon(g) for g in required.geometry], dtype=object)
    row, cut = [], []
    for k, seen in enumerate(see_streets(lines, points, radius_m)):
        edges = np.concatenate([[0.0], seen.reshape(-1), [lines[k].length]]).reshape(-1, 2)
        for begin, end in edges[edges[:, 1] - edges[:, 0] > 1e-6].tolist():
            row.append(k)
            cut.append(_cut(lines[k], begin, end))
    held = {c: np.array(text_of(required, c), dtype=object)[row] for c in ("required_id", "tier")}
    return gpd.GeoDataFrame({**held, "length_m": shapely.length(cut)}, geometry=cut,
                            crs=required.crs)


def _cut(line: shapely.LineString, begin: float, end: float) -> shapely.LineString:
    from shapely.ops import substring

    return substring(line, begin, end)


def prefer_blind(required: gpd.GeoDataFrame, points: gpd.GeoDataFrame, radius_m: float
                 ) -> pd.Series:
    """Return the extra passes a day that blind streets should have.

    One for a street of which at least half its length is seen by no point, else none.

    Returns
    -------
    Series
        Whole numbers by required_id, in the order of the layer.

    >>> required = gpd.GeoDataFrame({"required_id": ["Q1", "Q2"], "tier": "town"}, crs=4549,
    ...     geometry=[shapely.LineString([(0, y), (100, y)]) for y in (0, 500)])
    >>> post = gpd.GeoDataFrame(geometry=[shapely.Point(50, 0)], crs=4549)
    >>> prefer_blind(required, post, 40.0).to_dict()
    {'Q1': 0, 'Q2': 1}
    """
    lines = np.array([one_polygon(g) for g in required.geometry], dtype=object)
    length = np.asarray(shapely.length(lines), dtype=np.float64)
    seen = np.array([float(np.diff(s, axis=1).sum())
                     for s in see_streets(lines, points, radius_m)], dtype=np.float64)
    blind = (length > 0) & (length - seen >= _BLIND * length - 1e-6)
    return pd.Series(blind.astype(np.int64),
                     index=pd.Index(text_of(required, "required_id"), name="required_id"),
                     name="passes")


def gather_points(points: Mapping[str, gpd.GeoDataFrame], crs: object) -> gpd.GeoDataFrame:
    """Return all posts and lights in one frame of the plan's CRS, each with its radius if told."""
    held = [frame.to_crs(crs) for _, frame in sorted(points.items()) if len(frame)]
    if not held:
        return gpd.GeoDataFrame({RADIUS: []}, geometry=[], crs=crs)
    radius = [np.asarray(pd.to_numeric(f[RADIUS]).astype("Float64").to_numpy(
        dtype=np.float64, na_value=np.nan)) if RADIUS in f.columns else np.full(len(f), np.nan)
        for f in held]
    return gpd.GeoDataFrame({RADIUS: np.concatenate(radius)}, crs=crs,
                            geometry=np.concatenate([np.asarray(f.geometry.array) for f in held]))


def add_watch(table: Table, made: Made, points: gpd.GeoDataFrame, radius_m: float) -> None:
    """Add ``watched_share`` and ``blind_m``: what fixed posts and lights see of the streets.

    ``watched_share``: unit share; numerator metres of required street within the radius of a
    post or light, denominator all. ``blind_m``: unit m, what none sees. Scopes: city, tier, zone.

    >>> seen = find_seen(shapely.LineString([(0, 0), (100, 0)]), np.array([[0.0, 0.0]]),
    ...                  np.array([25.0]))
    >>> float(np.diff(seen).sum()) / 100
    0.25
    """
    streets = made.required[made.required["asked"].to_numpy(bool)]
    lines = streets["line"].to_numpy(dtype=object)
    length = streets["length_m"].to_numpy(dtype=np.float64)
    seen = np.array([float(np.diff(s, axis=1).sum())
                     for s in see_streets(lines, points, radius_m)], dtype=np.float64)
    seen = np.minimum(seen, length)
    scopes = list(split_scopes(streets))
    for scope, scope_id, rows in scopes:
        table.add_ratio("watched_share", scope, scope_id, seen[rows].sum(), length[rows].sum())
    for scope, scope_id, rows in scopes:
        table.add("blind_m", scope, scope_id,
                  (length - seen)[rows].sum() if rows.any() else None, "m")
