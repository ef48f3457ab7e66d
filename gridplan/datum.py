"""China's shifted datums, GCJ-02 and BD-09, and back to WGS-84; vectorised.

GCJ-02 has no published definition; the forward formula is the one in public use, a sum of sines
of the offsets from 105°E 35°N on the ellipsoid of Krasovsky 1940, whose way back has no closed
form and is found by iteration. BD-09 is a further spiral of about 0.0065°.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import geopandas as gpd
import numpy as np
import pyproj
import shapely

from gridplan.errors import Findings, UsageError

Datum = Literal["wgs84", "gcj02", "bd09"]
DATUMS: tuple[Datum, ...] = ("wgs84", "gcj02", "bd09")
_AXIS_M = 6378245.0
_ECCENTRICITY2 = 0.00669342162296594323
_SPIRAL = np.pi * 3000.0 / 180.0
_ROUNDS = 10  # each round of the way back shrinks the error about a thousandfold
_Points = np.ndarray


def refuse_unknown(given: Mapping[str, str] | str | None) -> None:
    """Raise UsageError where a datum given for all layers, or for one, is none of ``DATUMS``."""
    wrong = Findings()
    words = given if isinstance(given, Mapping) else {"": given}
    for role, word in words.items():
        if word and word not in DATUMS:
            wrong.add("read.bad_datum", layer=role, field="--datum", datum=word)
    wrong.stop_on_faults(UsageError)


def to_wgs84(frame: gpd.GeoDataFrame, datum: str) -> gpd.GeoDataFrame:
    """Return a layer whose coordinates were shifted, moved back to WGS-84.

    Parameters
    ----------
    frame
        In any CRS; its coordinates, taken to degrees, are those of ``datum``.
    datum
        ``gcj02`` or ``bd09``; ``wgs84`` changes nothing.

    Returns
    -------
    GeoDataFrame
        In EPSG:4326.
    """
    if datum == "wgs84":
        return frame
    out = frame.to_crs(4326)
    back = gcj02_to_wgs84 if datum == "gcj02" else bd09_to_wgs84
    out.geometry = shapely.transform(np.asarray(out.geometry.array), back)
    return out


def wgs84_to_gcj02(lonlat: _Points) -> _Points:
    """Shift (n, 2) lon/lat in degrees from WGS-84 to GCJ-02.

    >>> wgs84_to_gcj02(np.array([[116.39, 39.9]])).round(4).tolist()
    [[116.3962, 39.9014]]
    """
    lon, lat = lonlat[:, 0], lonlat[:, 1]
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    ripple = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    north = (-100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + ripple
             + (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
             + (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0)
    east = (300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + ripple
            + (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
            + (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0)
    phi = np.radians(lat)
    bend = 1.0 - _ECCENTRICITY2 * np.sin(phi) ** 2
    per_lat = _AXIS_M * (1.0 - _ECCENTRICITY2) / bend**1.5
    per_lon = _AXIS_M / np.sqrt(bend) * np.cos(phi)
    return np.column_stack([lon + np.degrees(east / per_lon), lat + np.degrees(north / per_lat)])


def gcj02_to_bd09(lonlat: _Points) -> _Points:
    """Shift (n, 2) lon/lat in degrees from GCJ-02 to BD-09."""
    lon, lat = lonlat[:, 0], lonlat[:, 1]
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _SPIRAL)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _SPIRAL)
    return np.column_stack([radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006])


def wgs84_to_bd09(lonlat: _Points) -> _Points:
    """Shift (n, 2) lon/lat in degrees from WGS-84 to BD-09."""
    return gcj02_to_bd09(wgs84_to_gcj02(lonlat))


def gcj02_to_wgs84(lonlat: _Points) -> _Points:
    """Shift (n, 2) lon/lat in degrees from GCJ-02 to WGS-84, to far below 0.1 m.

    >>> start = np.array([[118.3, 32.3]])
    >>> bool(np.abs(gcj02_to_wgs84(wgs84_to_gcj02(start)) - start).max() < 1e-9)
    True
    """
    return _invert(wgs84_to_gcj02, lonlat)


def bd09_to_wgs84(lonlat: _Points) -> _Points:
    """Shift (n, 2) lon/lat in degrees from BD-09 to WGS-84, to far below 0.1 m."""
    return _invert(wgs84_to_bd09, lonlat)


def shift_m(lon: float, lat: float, datum: str) -> tuple[float, float]:
    """Return how far east and north ``datum`` moves a place, in metres.

    >>> east, north = shift_m(118.3, 32.3, "gcj02")
    >>> 300 < (east**2 + north**2) ** 0.5 < 700
    True
    """
    start = np.array([[lon, lat]])
    end = (wgs84_to_gcj02 if datum == "gcj02" else wgs84_to_bd09)(start)
    bearing, _, distance = pyproj.Geod(ellps="WGS84").inv(lon, lat, *end[0])
    return (float(distance * np.sin(np.radians(bearing))),
            float(distance * np.cos(np.radians(bearing))))


def _invert(forward: Callable[[_Points], _Points], target: _Points) -> _Points:
    guess = target.copy()
    for _ in range(_ROUNDS):
        guess += target - forward(guess)
    return guess
