"""Where coordinates are: the CRS a file states, whether they fit it, and the CRS of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely

from gridplan.errors import Findings, UsageError, first_ids
from gridplan.read.vector import RawTable

_AREA_PAD_DEG = 10.0
_SCALE_ERROR = 0.003  # a CRS that stretches more than this at the place is not a metric one
_FALSE_EASTING = 500_000.0
_ABOUT_180_DEG = 10.0

# China's mainland, Hainan and Taiwan with about 100 km of margin, lon/lat, drawn by eye: it only
# decides which zone system and which datum guess apply.
CHINA = shapely.Polygon([
    (73.0, 39.5), (74.5, 36.5), (78.0, 34.5), (78.0, 31.0), (81.0, 29.5), (85.5, 27.3),
    (91.5, 26.8), (97.0, 27.3), (97.3, 23.5), (99.5, 21.3), (102.0, 20.8), (106.5, 21.8),
    (108.0, 19.8), (108.3, 17.7), (111.0, 18.0), (117.5, 21.5), (120.3, 21.3), (122.8, 24.5),
    (123.0, 31.5), (123.5, 38.5), (126.0, 40.2), (131.5, 42.3), (135.3, 47.5), (135.5, 49.0),
    (127.5, 50.8), (122.0, 54.0), (119.0, 53.5), (115.5, 48.5), (111.5, 44.5), (105.0, 41.2),
    (96.5, 43.2), (91.5, 45.8), (90.0, 48.5), (87.0, 49.7), (84.5, 47.7), (82.0, 46.0),
    (79.5, 43.0), (76.0, 41.2)])


def refuse_unknown(given: Mapping[str, Any] | Any) -> None:
    """Raise UsageError where a CRS given for all layers, or for one, is none that PROJ knows."""
    wrong = Findings()
    words = given if isinstance(given, Mapping) else {"": given}
    for role, word in words.items():
        try:
            if word is not None:
                pyproj.CRS.from_user_input(word)
        except pyproj.exceptions.CRSError:
            wrong.add("read.bad_crs", layer=role, field="--crs", crs=str(word))
    wrong.stop_on_faults(UsageError)


def settle_crs(raw: RawTable, given: Any, overrides: bool, role: str, file: str,
               findings: Findings) -> pyproj.CRS | None:
    """Return the CRS of a table after testing its coordinates against it; tell what is wrong."""
    crs = raw.crs
    if given is not None and (crs is None or overrides):
        try:
            crs = pyproj.CRS.from_user_input(given)
        except pyproj.exceptions.CRSError:
            findings.add("read.bad_crs", file=file, layer=role, crs=str(given))
            return None
    assert raw.geometry is not None
    bounds = shapely.bounds(raw.geometry)
    if not _tell_not_finite(raw, role, file, findings):
        return crs
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    if crs is None:
        guess = guess_crs(bounds)
        if guess:
            findings.add("read.no_crs_guessed", file=file, layer=role, guess=guess)
        else:
            findings.add("read.no_crs", file=file, layer=role)
        return None
    if len(bounds) == 0:
        return crs
    _undo_zone_prefix(raw, crs, bounds, role, file, findings)
    _test_extent(raw, crs, role, file, findings)
    return crs


def guess_crs(bounds: np.ndarray) -> str:
    """Guess an EPSG code from the size of the numbers; empty where they say nothing.

    >>> guess_crs(np.array([[118.3, 32.2, 118.4, 32.3]]))
    'EPSG:4326'
    >>> guess_crs(np.array([[39500000.0, 3.5e6, 39501000.0, 3.6e6]]))
    'EPSG:4527'
    """
    if len(bounds) == 0:
        return ""
    west, south = bounds[:, :2].min(axis=0)
    east, north = bounds[:, 2:].max(axis=0)
    if west >= -180 and east <= 180 and south >= -90 and north <= 90:
        return "EPSG:4326"
    zone = int(west // 1e6)
    if zone == int(east // 1e6) and 0 < south < 6e6:
        if 25 <= zone <= 45:
            return f"EPSG:{4513 + zone - 25}"
        if 13 <= zone <= 23 and abs(west % 1e6 - 5e5) < 4e5 and south > 2e6:
            return f"EPSG:{4491 + zone - 13}"
    return ""


def _tell_not_finite(raw: RawTable, role: str, file: str, findings: Findings) -> bool:
    xy, row = shapely.get_coordinates(raw.geometry, return_index=True)
    bad = np.unique(row[~np.isfinite(xy).all(axis=1)])
    if bad.size:
        findings.add("read.not_finite", file=file, layer=role, row=first_ids(raw.rows[bad]),
                     count=int(bad.size))
    return bad.size == 0


def _false_easting(crs: pyproj.CRS) -> tuple[float, float] | None:
    """Return (false easting, central meridian) of a transverse Mercator CRS in metres."""
    operation = crs.coordinate_operation
    if operation is None or "Transverse Mercator" not in operation.method_name:
        return None
    held = {p.name: p.value for p in operation.params}
    return (float(held.get("False easting", 0.0)),
            float(held.get("Longitude of natural origin", 0.0)))


def _undo_zone_prefix(raw: RawTable, crs: pyproj.CRS, bounds: np.ndarray, role: str, file: str,
                      findings: Findings) -> None:
    """Add or take the zone number before the easting where file and CRS differ only in it."""
    about = _false_easting(crs)
    if about is None:
        return
    easting, meridian = about
    have = int(bounds[:, 0].min() // 1e6)
    wants = int((easting - _FALSE_EASTING) // 1e6)
    if have == wants or have != int(bounds[:, 2].max() // 1e6) or not (
            13 <= max(have, wants) <= 45 and 0 in (have, wants)):
        return
    zone = max(have, wants)
    if round(meridian) not in (3 * zone if zone >= 25 else 6 * zone - 3,):
        prefixed = bounds + ([zone * 1e6, 0.0, zone * 1e6, 0.0] if have == 0 else 0.0)
        findings.add("read.wrong_zone", file=file, layer=role, zone=zone, meridian=f"{meridian:g}",
                     guess=guess_crs(prefixed) or "EPSG:CODE")
        return
    move = np.array([(wants - have) * 1e6, 0.0])
    raw.geometry = shapely.transform(raw.geometry, lambda xy: xy + move)
    findings.add("read.zone_prefix", "repaired", file=file, layer=role, zone=zone, crs=label(crs))


def _test_extent(raw: RawTable, crs: pyproj.CRS, role: str, file: str, findings: Findings) -> None:
    """Tell of coordinates that cannot be in their CRS: degrees as metres, swapped, far away."""
    bounds = shapely.bounds(raw.geometry)
    held = np.isfinite(bounds).all(axis=1)
    known = bounds[held]
    extent = ", ".join(f"{v:.6g}" for v in (*known[:, :2].min(axis=0), *known[:, 2:].max(axis=0)))
    if crs.is_geographic:
        outside = held & ((np.abs(bounds[:, [0, 2]]) > 180.0).any(axis=1)
                          | (np.abs(bounds[:, [1, 3]]) > 90.0).any(axis=1))
        if not outside.any():
            wide = held & (bounds[:, 2] - bounds[:, 0] > 180.0)
            if wide.any():
                findings.add("read.antimeridian", file=file, layer=role, count=int(wide.sum()),
                             row=first_ids(raw.rows[wide]))
            return
        if _about_180(known):
            findings.add("read.beyond_180", file=file, layer=role, extent=extent,
                         count=int(outside.sum()), row=first_ids(raw.rows[outside]))
            return
        swapped = (np.abs(known[:, [1, 3]]) <= 180.0).all() and (
            np.abs(known[:, [0, 2]]) <= 90.0).all()
        if swapped:
            findings.add("read.swapped", file=file, layer=role, extent=extent)
        elif outside.sum() > held.sum() / 2:
            _tell_no_degrees(known, extent, crs, role, file, findings)
        else:
            _tell_outside(raw, outside, crs, role, file, findings)
        return
    if (np.abs(known[:, [0, 2]]) <= 180.0).all() and (np.abs(known[:, [1, 3]]) <= 90.0).all():
        findings.add("read.degrees_as_metres", file=file, layer=role, extent=extent, crs=label(crs))
        return
    outside = _far_from_area(bounds, crs)
    if outside.any():
        _tell_outside(raw, outside, crs, role, file, findings)


def _about_180(bounds: np.ndarray) -> bool:
    """Tell whether all bounds lie about the antimeridian: degrees that run on past ±180."""
    lon = np.abs(bounds[:, [0, 2]])
    return bool(((lon > 180.0 - _ABOUT_180_DEG) & (lon < 180.0 + _ABOUT_180_DEG)).all()
                and (np.abs(bounds[:, [1, 3]]) <= 90.0).all())


def _tell_no_degrees(known: np.ndarray, extent: str, crs: pyproj.CRS, role: str, file: str,
                     findings: Findings) -> None:
    guess = guess_crs(known)
    if guess:
        findings.add("read.not_degrees_guessed", file=file, layer=role, extent=extent,
                     crs=label(crs), guess=guess)
    else:
        findings.add("read.not_degrees", file=file, layer=role, extent=extent, crs=label(crs))


def _tell_outside(raw: RawTable, outside: np.ndarray, crs: pyproj.CRS, role: str, file: str,
                  findings: Findings) -> None:
    findings.add("read.out_of_area", file=file, layer=role, row=first_ids(raw.rows[outside]),
                 count=int(outside.sum()), crs=label(crs))


def _far_from_area(bounds: np.ndarray, crs: pyproj.CRS) -> np.ndarray:
    """Return the rows that lie far outside the area a CRS is made for."""
    centre = np.nan_to_num((bounds[:, :2] + bounds[:, 2:]) / 2, posinf=0.0, neginf=0.0)
    lon, lat = to_lonlat(crs, centre).T
    far = ~(np.isfinite(lon) & np.isfinite(lat))
    area = crs.area_of_use
    if area is not None and area.west < area.east:
        pad = _AREA_PAD_DEG
        far |= ((lon < area.west - pad) | (lon > area.east + pad)
                | (lat < area.south - pad) | (lat > area.north + pad))
    return np.asarray(far & np.isfinite(bounds).all(axis=1))


def choose_crs(layers: Mapping[str, gpd.GeoDataFrame], area: gpd.GeoDataFrame) -> pyproj.CRS:
    """Return the one metric CRS of a run.

    The CRS that all layers share, if it is projected in metres and true to scale at the place;
    in China the CGCS2000 3° zone, elsewhere the UTM zone, of the centre of ``area``.
    """
    shared = {layer.crs for layer in layers.values()}
    lon, lat = centre_of(area)
    if len(shared) == 1:
        only = next(iter(shared))
        if is_metric(only, lon, lat):
            return only
    if CHINA.contains(shapely.Point(lon, lat)):
        return pyproj.CRS.from_epsg(cgcs2000_zone(lon))
    zone = int((lon + 180.0) // 6.0) % 60 + 1
    return pyproj.CRS.from_epsg((32600 if lat >= 0 else 32700) + zone)


def cgcs2000_zone(lon: float) -> int:
    """Return the EPSG code of the CGCS2000 3° Gauss-Krüger zone around a longitude in China.

    >>> cgcs2000_zone(118.3), cgcs2000_zone(126.6)
    (4548, 4551)
    """
    meridian = min(max(3 * round(lon / 3), 75), 135)
    return 4534 + (meridian - 75) // 3


def is_metric(crs: pyproj.CRS, lon: float, lat: float) -> bool:
    """Tell whether a CRS is projected in metres and true to scale at a place.

    Web Mercator counts metres too, but stretches them: it is none.

    >>> is_metric(pyproj.CRS(32637), 39.9, 59.2), is_metric(pyproj.CRS(3857), 39.9, 59.2)
    (True, False)
    """
    if not crs.is_projected or any(a.unit_conversion_factor != 1.0 for a in crs.axis_info[:2]):
        return False
    about = pyproj.Proj(crs).get_factors(lon, lat, errcheck=False)
    scales = (about.meridional_scale, about.parallel_scale)
    return all(abs(s - 1.0) < _SCALE_ERROR for s in scales)


def centre_of(area: gpd.GeoDataFrame) -> tuple[float, float]:
    """Return the centre of the extent of a layer, lon/lat in degrees."""
    west, south, east, north = bounds_of(area.geometry)
    lon, lat = to_lonlat(area.crs, np.array([[(west + east) / 2, (south + north) / 2]]))[0]
    return float(lon), float(lat)


def to_lonlat(crs: pyproj.CRS, xy: np.ndarray, *, back: bool = False) -> np.ndarray:
    """Move (n, 2) coordinates from ``crs`` to degrees of WGS-84, or ``back``; inf where neither."""
    direction = pyproj.enums.TransformDirection.INVERSE if back else (
        pyproj.enums.TransformDirection.FORWARD)
    return np.column_stack(_transformer(crs).transform(xy[:, 0], xy[:, 1], direction=direction))


@cache
def _transformer(crs: pyproj.CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(crs, 4326, always_xy=True)


def bounds_of(shapes: Iterable[Any]) -> np.ndarray:
    """Return west, south, east, north of geometries, without those that are empty."""
    return np.asarray(shapely.total_bounds(np.asarray(shapes)))


def label(crs: Any) -> str:
    """Return the short name of a CRS: its EPSG code, else its name.

    >>> label(pyproj.CRS(4326))
    'EPSG:4326'
    """
    crs = pyproj.CRS.from_user_input(crs)
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.name)
