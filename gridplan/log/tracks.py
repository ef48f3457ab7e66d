"""Reads tracks: where a device was and when. Nothing else of a file is kept."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

from gridplan.datum import DATUMS, bd09_to_wgs84, gcj02_to_wgs84
from gridplan.errors import Finding, Findings

Floats = NDArray[np.float64]
TRACK_SUFFIXES = (".gpx", ".kml", ".geojson", ".json")
_OURS = "gridplan"
_BACK: dict[str, Callable[[Floats], Floats]] = {"gcj02": gcj02_to_wgs84, "bd09": bd09_to_wgs84}
_TIMES = ("time", "times", "coordtimes", "timestamp", "begin", "when")
_MARKUP = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True)
class Track:
    """Where one device was.

    Attributes
    ----------
    file, name
        Of the file and of the track in it: they may tell whose it is and are never stored.
    lonlat
        (n, 2) degrees as the file has them.
    moment
        (n,) seconds since 1970, UTC; NaN where there is no time.
    datum
        Which the file's name says the coordinates are of; blank where it says nothing.
    """

    file: str
    name: str
    lonlat: Floats
    moment: Floats
    datum: str = ""

    @property
    def timed(self) -> bool:
        """Whether every fix has a time."""
        return bool(np.isfinite(self.moment).all())

    def degrees(self, datum: str) -> Floats:
        """Return the coordinates in WGS-84, taken for those of ``datum``."""
        return _BACK[datum](self.lonlat) if datum in _BACK else self.lonlat

    def place(self, datum: str, crs: Any) -> Floats:
        """Return the coordinates in the plan's CRS."""
        points = gpd.GeoSeries(shapely.points(self.degrees(datum)), crs=4326).to_crs(crs)
        return np.asarray(shapely.get_coordinates(points.array))


class Unreadable(Exception):  # noqa: N818
    """A file is no track; ``finding`` says why."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values_ = key, values


def read_tracks(path: Path, findings: Findings) -> tuple[list[Track], str]:
    """Return the tracks of a file and its SHA-256; faults go to ``findings``.

    A file that cannot be read, has no fix or is a planned route gives no tracks.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        findings.add("log.unreadable", file=path.name, reason=str(error.strerror))
        return [], ""
    digest = hashlib.sha256(body).hexdigest()
    read = _read_gpx if path.suffix.lower() == ".gpx" else _read_vector
    try:
        if not body.strip():
            raise Unreadable("log.no_track", kind=path.suffix.lstrip(".").upper())
        tracks = [t for t in read(path, body) if len(t.moment)]
    except Unreadable as error:
        findings.items.append(Finding(error.key, file=path.name, values=error.values_))
        return [], digest
    if not tracks:
        findings.add("log.no_fixes", file=path.name)
    datum = name_datum(path.stem)
    return [_sorted(replace(t, datum=datum)) for t in tracks], digest


def name_datum(stem: str) -> str:
    """Return the datum that a file name says it is of.

    >>> name_datum("route-D1-T1-gcj02"), name_datum("track 7")
    ('gcj02', '')
    """
    words = re.split("[^a-z0-9]+", stem.lower())
    return next((w for w in words if w in DATUMS), "")


def _sorted(track: Track) -> Track:
    """Return a track in the order of time, each moment once."""
    if not track.timed:
        return replace(track, moment=np.full(len(track.moment), np.nan))
    moment, first = np.unique(track.moment, return_index=True)
    return replace(track, moment=moment, lonlat=track.lonlat[first])


def _make(file: str, name: str, rows: Iterable[tuple[float, float, float]]) -> Track:
    table = np.array(list(rows), dtype=np.float64).reshape(-1, 3)
    lon, lat = table[:, 0], table[:, 1]
    real = (np.abs(lon) <= 180) & (np.abs(lat) <= 90) & ~((lon == 0) & (lat == 0))
    return Track(file, name, table[real, :2], table[real, 2])


def _read_gpx(path: Path, body: bytes) -> list[Track]:
    """Read the tracks of a GPX file; routes and waypoints are plans, not where anybody was."""
    import gpxpy
    from gpxpy.gpx import GPXException

    if _MARKUP.search(body):
        raise Unreadable("log.no_track", kind="GPX")
    try:
        gpx = gpxpy.parse(body.decode("utf-8-sig"))
    except (GPXException, UnicodeDecodeError, ValueError) as error:
        raise Unreadable("log.no_track", kind="GPX") from error
    tracks = [_make(path.name, track.name or "", (
        (p.longitude, p.latitude, _seconds(p.time)) for s in track.segments for p in s.points))
        for track in gpx.tracks]
    if gpx.creator == _OURS and not any(np.isfinite(t.moment).any() for t in tracks):
        raise Unreadable("log.is_plan")
    return tracks


def _read_vector(path: Path, body: bytes) -> list[Track]:
    """Read the points and lines of a GeoJSON or KML file, with times where it has them."""
    kind = "KML" if path.suffix.lower() == ".kml" else "GeoJSON"
    if _MARKUP.search(body):
        raise Unreadable("log.no_track", kind=kind)
    if b'"generator":"gridplan"' in body or b"<atom:name>gridplan</atom:name>" in body:
        raise Unreadable("log.is_plan")
    try:
        frames = [pyogrio.read_dataframe(path, layer=str(name))
                  for name, _ in pyogrio.list_layers(path)]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise Unreadable("log.no_track", kind=kind) from error
    tracks = []
    for frame in frames:
        if isinstance(frame, gpd.GeoDataFrame) and len(frame):
            flat = frame.to_crs(4326) if frame.crs is not None else frame
            tracks += _list_lines(path.name, flat) + _list_points(path.name, flat)
    return tracks


def _columns(frame: gpd.GeoDataFrame) -> tuple[str, str]:
    names = {str(c).lower(): str(c) for c in frame.columns if c != frame.geometry.name}
    return next((names[t] for t in _TIMES if t in names), ""), names.get("name", "")


def _list_lines(file: str, frame: gpd.GeoDataFrame) -> list[Track]:
    """Return a track for each line; a list of times in a column gives each vertex its own."""
    when, name = _columns(frame)
    out = []
    lines = frame[shapely.get_dimensions(frame.geometry.to_numpy()) == 1]
    for shape, told, title in zip(lines.geometry, lines[when] if when else [None] * len(lines),
                                  lines[name] if name else [""] * len(lines), strict=True):
        xy = shapely.get_coordinates(shape)
        times = _list_times(told)
        if len(times) != len(xy):
            times = [float("nan")] * len(xy)
        out.append(_make(file, str(title or ""), (
            (x, y, t) for (x, y), t in zip(xy.tolist(), times, strict=True))))
    return out


def _list_points(file: str, frame: gpd.GeoDataFrame) -> list[Track]:
    """Return one track of all points that have a time."""
    when, _ = _columns(frame)
    points = frame[shapely.get_type_id(frame.geometry.to_numpy()) == 0]
    if not when or points.empty:
        return []
    times = [next(iter(_list_times(told)), float("nan")) for told in points[when]]
    return [_make(file, "", ((p.x, p.y, t) for p, t in zip(points.geometry, times, strict=True)
                             if np.isfinite(t)))]


def _list_times(told: Any) -> list[float]:
    if isinstance(told, str) and told.lstrip().startswith("["):
        try:
            told = json.loads(told)
        except ValueError:
            return []
    if isinstance(told, list | tuple | np.ndarray):
        while len(told) == 1 and isinstance(told[0], list):
            told = told[0]
        return [_seconds(t) for t in told]
    return [_seconds(told)]


def _seconds(told: Any) -> float:
    """Return seconds since 1970, UTC; a time without a zone is UTC, as devices write it."""
    if isinstance(told, str):
        try:
            told = dt.datetime.fromisoformat(told.strip())
        except ValueError:
            return float("nan")
    if isinstance(told, dt.datetime) and told == told:
        aware = told if told.tzinfo is not None else told.replace(tzinfo=dt.UTC)
        return aware.timestamp()
    if isinstance(told, int | float) and told > 1e8:
        return float(told) / (1000.0 if told > 1e11 else 1.0)
    return float("nan")
