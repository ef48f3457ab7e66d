"""Finds out whether one layer lies in a shifted Chinese datum while another does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyproj
import shapely

from gridplan.datum import (
    bd09_to_wgs84,
    gcj02_to_wgs84,
    shift_m,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)
from gridplan.errors import Findings
from gridplan.read.crs import CHINA, bounds_of, to_lonlat
from gridplan.read.held import Held

_SAMPLES = 4000
_STEP_M = 10.0
_EVIDENCE = 100  # points a measure needs before it says anything
_ODD_SHARE = 0.04  # of roads on buildings, above which layers do not fit each other
_ODD_BORDER_M = 40.0  # median way from borders to roads, above which the same holds
_NEAR_BORDER_M = 10.0  # between the two, borders of equal blocks may be shifted onto others
_BETTER = 0.4  # a shift explains the misfit if it leaves less than this share of it
_EXACT = 0.1  # the same for borders that are near roads: as near as that is no accident
_STAY = 0.5  # of the points, which must remain amid the buildings, or a fit means nothing
_TIE = 0.1  # of what is allowed: two shifts that differ by less are told as the common one
_WAYS = {"gcj02": (wgs84_to_gcj02, gcj02_to_wgs84), "bd09": (wgs84_to_bd09, bd09_to_wgs84)}
_HERE = ("", "wgs84")


@dataclass(frozen=True)
class _Hint:
    """A layer that a datum explains; ``left`` is the share of the misfit that remains."""

    layer: str
    datum: str
    other: str
    left: float


def guess_shift(held: Mapping[str, Held], crs: pyproj.CRS, findings: Findings) -> None:
    """Warn when moving one layer by GCJ-02 or BD-09 makes it fit the roads, in China.

    Roads do not run through buildings, and borders of communities mostly follow roads. Where
    they miss each other, each layer is moved by each shift (100–1300 m, point by point, for
    the shift itself changes by metres within a town); the one that takes most of the misfit
    away is told, once per layer.
    """
    if "roads" not in held or held["roads"].frame.empty:
        return
    west, south, east, north = bounds_of(held["roads"].shapes)
    lon, lat = to_lonlat(crs, np.array([[(west + east) / 2, (south + north) / 2]]))[0]
    if not CHINA.contains(shapely.Point(lon, lat)):
        return
    found: dict[str, _Hint] = {}
    for role in ("buildings", "communities"):
        if role not in held or held[role].frame.empty:
            continue
        hint = _explain(role, held[role].shapes, held["roads"].shapes, crs)
        if hint and (hint.layer not in found or hint.left < found[hint.layer].left):
            found[hint.layer] = hint
    for hint in found.values():
        findings.add("read.shifted", "warning", file=held[hint.layer].file, layer=hint.layer,
                     other=hint.other, datum=hint.datum,
                     distance=f"{np.hypot(*shift_m(lon, lat, hint.datum)):.0f}")


def _explain(role: str, shapes: np.ndarray, roads: np.ndarray, crs: pyproj.CRS) -> _Hint | None:
    """Return which of a layer and the roads a shift would move into place, if one does."""
    if role == "buildings":
        measured, sampled = _on_buildings(shapes, _moved(role, _along(roads), crs))
        odd = least = _ODD_SHARE
    else:
        measured, sampled = _off_roads(roads, _moved(role, _along(shapely.boundary(shapes)), crs))
        odd, least = _ODD_BORDER_M, _NEAR_BORDER_M
    now, _ = measured.pop(_HERE)
    if now < least:
        return None
    # Layers that hardly meet now may just be of two places: then most points have to meet.
    enough = _STAY * (sampled if np.isinf(now) else max(count for _, count in measured.values()))
    tries = {case: fit for case, (fit, count) in measured.items() if count >= enough}
    limit = min(_BETTER * now, odd) if now >= odd else _EXACT * now
    best = min(tries.values(), default=np.inf)
    if not best < limit:
        return None
    near = [case for case, fit in tries.items() if fit <= best + _TIE * limit]
    layer, datum = min(near, key=lambda case: (case[1] != "gcj02", tries[case]))
    left = tries[layer, datum] / now
    return _Hint(layer, datum, role if layer == "roads" else "roads", left)


def _moved(role: str, spots: np.ndarray, crs: pyproj.CRS) -> dict[tuple[str, str], np.ndarray]:
    """Return (layer that is shifted, datum) → where spots lie among the shapes of the other layer.

    Spots are of the roads when measured against buildings, and of borders otherwise. Those of
    the shifted layer are moved back; those of the right one forward, into the other's datum.
    """
    lonlat = to_lonlat(crs, spots)
    mine, other = ("roads", role) if role == "buildings" else (role, "roads")
    out = {_HERE: spots}
    for datum, (forward, back) in _WAYS.items():
        out[mine, datum] = to_lonlat(crs, back(lonlat), back=True)
        out[other, datum] = to_lonlat(crs, forward(lonlat), back=True)
    return out


_Measured = tuple[dict[tuple[str, str], tuple[float, int]], int]


def _on_buildings(buildings: np.ndarray, cases: Mapping[tuple[str, str], np.ndarray]) -> _Measured:
    """Return per case the share of spots that lie on buildings and how many lie amid them.

    Only points amid the buildings count: moved off the roads, they would fit any road.
    """
    some = buildings[:: max(len(buildings) // _SAMPLES, 1)]
    amid = shapely.convex_hull(shapely.multipoints(shapely.centroid(some)))
    shapely.prepare(amid)
    tree = shapely.STRtree(buildings)
    out = {}
    for case, xy in cases.items():
        spots = shapely.points(xy)
        spots = spots[shapely.intersects(amid, spots)]
        hit = np.unique(tree.query(spots, predicate="intersects")[0]).size
        out[case] = (hit / len(spots) if len(spots) >= _EVIDENCE else np.inf, len(spots))
    return out, len(cases[_HERE])


def _off_roads(roads: np.ndarray, cases: Mapping[tuple[str, str], np.ndarray]) -> _Measured:
    """Return per case the median way from spots to the nearest road in metres; all spots count."""
    tree = shapely.STRtree(roads)
    out = {}
    for case, xy in cases.items():
        way = np.array([np.inf])
        if len(xy) >= _EVIDENCE:
            _, way = tree.query_nearest(shapely.points(xy), return_distance=True,
                                        all_matches=False)
        out[case] = (float(np.median(way)), len(xy))
    return out, len(cases[_HERE])


def _along(lines: np.ndarray) -> np.ndarray:
    """Return points every few metres along lines, thinned evenly to a fixed number."""
    spots = shapely.get_coordinates(shapely.segmentize(lines, _STEP_M))
    return spots[:: max(len(spots) // _SAMPLES, 1)]
