"""Finds out whether one layer lies in a shifted Chinese datum while another does not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyproj
import shapely

from gridplan.errors import Findings
from gridplan.read.crs import CHINA, bounds_of, to_lonlat
from gridplan.read.datum import shift_m
from gridplan.read.held import Held

_SAMPLES = 4000
_STEP_M = 10.0
_EVIDENCE = 100  # points a measure needs before it says anything
_ODD_SHARE = 0.04  # of roads on buildings, above which layers do not fit each other
_ODD_BORDER_M = 40.0  # median way from borders to roads, above which the same holds
_BETTER = 0.4  # a shift explains the misfit if it leaves less than this share of it


def guess_shift(held: Mapping[str, Held], crs: pyproj.CRS, findings: Findings) -> None:
    """Warn when moving one layer by GCJ-02 or BD-09 makes it fit the roads, in China.

    Roads do not run through buildings, and borders of communities mostly follow roads. Where
    they miss each other, each layer is moved by each shift of the place (100–1300 m); the one
    that takes most of the misfit away is told.
    """
    if "roads" not in held or held["roads"].frame.empty:
        return
    west, south, east, north = bounds_of(held["roads"].shapes)
    lon, lat = to_lonlat(crs, np.array([[(west + east) / 2, (south + north) / 2]]))[0]
    if not CHINA.contains(shapely.Point(lon, lat)):
        return
    roads = held["roads"].shapes
    shifts = {d: np.array(shift_m(lon, lat, d)) for d in ("gcj02", "bd09")}
    for role, measure, odd in (("buildings", _on_buildings, _ODD_SHARE),
                               ("communities", _off_roads, _ODD_BORDER_M)):
        if role not in held or held[role].frame.empty:
            continue
        shapes = held[role].shapes
        now = measure(shapes, roads, np.zeros(2))
        if not odd <= now < np.inf:
            continue
        # A shifted layer is moved back; shifted roads are told as the layer moved forward.
        tries = {(layer, datum): measure(shapes, roads, sign * shift)
                 for datum, shift in shifts.items()
                 for layer, sign in ((role, -1.0), ("roads", 1.0))}
        (layer, datum), best = min(tries.items(), key=lambda t: t[1])
        if best < min(_BETTER * now, odd):
            findings.add("read.shifted", "warning", file=held[layer].file, layer=layer,
                         other=role if layer == "roads" else "roads", datum=datum,
                         distance=f"{np.hypot(*shifts[datum]):.0f}")


def _on_buildings(buildings: np.ndarray, roads: np.ndarray, move: np.ndarray) -> float:
    """Return the share of points along the roads that lie on buildings moved by ``move``.

    Only points amid the buildings count: moved off the roads, they would fit any road.
    """
    spots = shapely.points(_along(roads) - move)
    some = buildings[:: max(len(buildings) // _SAMPLES, 1)]
    amid = shapely.convex_hull(shapely.multipoints(shapely.centroid(some)))
    shapely.prepare(amid)
    spots = spots[shapely.intersects(amid, spots)]
    if len(spots) < _EVIDENCE:
        return np.inf
    hit = shapely.STRtree(buildings).query(spots, predicate="intersects")[0]
    return float(np.unique(hit).size / len(spots))


def _off_roads(communities: np.ndarray, roads: np.ndarray, move: np.ndarray) -> float:
    """Return the median distance from borders moved by ``move`` to the nearest road, in metres."""
    spots = shapely.points(_along(shapely.boundary(communities)) + move)
    if len(spots) < _EVIDENCE:
        return np.inf
    _, distance = shapely.STRtree(roads).query_nearest(spots, return_distance=True,
                                                       all_matches=False)
    return float(np.median(distance))


def _along(lines: np.ndarray) -> np.ndarray:
    """Return points every few metres along lines, thinned evenly to a fixed number."""
    spots = shapely.get_coordinates(shapely.segmentize(lines, _STEP_M))
    return spots[:: max(len(spots) // _SAMPLES, 1)]
