"""Routes for phones and navigation devices: GPX, KML and GeoJSON, in the datum of their maps."""

from __future__ import annotations

import datetime as dt
import io
import json
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.datum import wgs84_to_bd09, wgs84_to_gcj02
from gridplan.export.times import name_day, place_in_time, write_clock
from gridplan.export.trips import Trip, Visit
from gridplan.i18n import translate
from gridplan.pages.book import AUTHOR

# About a centimetre.
_PLACES = 7
_TITLES = {"wgs84": "WGS-84", "gcj02": "GCJ-02", "bd09": "BD-09"}


@dataclass(frozen=True)
class Feature:
    """One thing on a phone's map: the whole way, a required street, a stop or the station."""

    kind: str
    name: str
    told: str
    shape: Any
    order: int = 0
    visit: Visit | None = None


@dataclass(frozen=True)
class Chart:
    """How routes are drawn: the plan's CRS, the datum of the map, language and time zone."""

    crs: Any
    datum: str
    lang: str
    utc_offset_min: int

    def say(self, name: str, **values: object) -> str:
        """Return a text in the language."""
        return translate(f"export.{name}", self.lang, **values)

    def title(self, trip: Trip) -> str:
        """Return what a route is called: team, day, shift."""
        return " · ".join(t for t in (trip.team_id, trip.day, trip.shift) if t)

    def about(self, trip: Trip) -> str:
        """Return a route in figures, with the datum of its coordinates."""
        return self.say("about", km=f"{trip.distance_m / 1000:.1f}", stops=len(trip.stops),
                        passes=len(trip.passes), datum=_TITLES[self.datum])

    def shift(self, shapes: list[Any]) -> NDArray[np.object_]:
        """Return shapes of the plan in degrees of the datum."""
        degrees = np.asarray(gpd.GeoSeries(shapes, crs=self.crs).to_crs(4326).array)
        move = {"gcj02": wgs84_to_gcj02, "bd09": wgs84_to_bd09}.get(self.datum)
        moved = shapely.transform(degrees, move) if move else degrees
        return np.asarray(shapely.transform(moved, lambda xy: xy.round(_PLACES)))

    def moment(self, trip: Trip, minutes: int) -> dt.datetime | None:
        """Return a time of a trip as a moment; None where its day has no date."""
        return place_in_time(trip.day, minutes, self.utc_offset_min)


def list_features(trip: Trip, chart: Chart) -> list[Feature]:
    """Return what a phone shows of a trip: the way first, then station and visits in order."""
    out = [Feature("route", chart.title(trip), chart.about(trip), trip.line)]
    if trip.station is not None:
        out.append(Feature("station", trip.station_name or chart.say("station"),
                           chart.say("station"), trip.station))
    for order, visit in enumerate(trip.visits, 1):
        if visit.shape is None:
            continue
        name = visit.name or (visit.key if visit.kind == "stop" else
                              f"{chart.say('unnamed')} {visit.key}")
        arrive, depart = write_clock(visit.arrive_min), write_clock(visit.depart_min)
        days = name_day(trip.day, visit.arrive_min)
        told = chart.say("told_stop" if visit.kind == "stop" else "told_street", day=days,
                         arrive=arrive, depart=depart, stay=visit.stay_min)
        number = f"{visit.number} · " if visit.number else ""
        out.append(Feature(visit.kind, f"{number}{name}", told, visit.shape, order, visit))
    shapes = chart.shift([f.shape for f in out])
    return [Feature(f.kind, f.name, f.told, s, f.order, f.visit)
            for f, s in zip(out, shapes.tolist(), strict=True)]


def write_gpx(trip: Trip, features: list[Feature], chart: Chart) -> bytes:
    """Return a route as GPX 1.1: a track, and waypoints for station and stops.

    A waypoint bears the time of arrival where the day of the route has a date.
    """
    from gpxpy.gpx import GPX, GPXTrack, GPXTrackPoint, GPXTrackSegment, GPXWaypoint

    gpx = GPX()
    gpx.creator = AUTHOR
    gpx.name, gpx.description = chart.title(trip), chart.about(trip)
    for feature in features:
        if feature.shape.geom_type == "Point":
            point = GPXWaypoint(latitude=feature.shape.y, longitude=feature.shape.x,
                                name=feature.name, description=feature.told, type=feature.kind)
            if feature.visit is not None:
                point.time = chart.moment(trip, feature.visit.arrive_min)
            gpx.waypoints.append(point)
    points = shapely.get_coordinates(features[0].shape).tolist()
    track = GPXTrack(name=features[0].name, description=features[0].told)
    track.segments.append(GPXTrackSegment([GPXTrackPoint(latitude=y, longitude=x)
                                           for x, y in points]))
    gpx.tracks.append(track)
    return gpx.to_xml(version="1.1").encode("utf-8")


def write_kml(trip: Trip, features: list[Feature], chart: Chart) -> bytes:
    """Return a route as KML: the way, required streets, station and stops with their times."""
    frame = _frame(trip, features, chart).rename(columns={"name": "Name", "told": "description"})
    buffer = io.BytesIO()
    frame.to_file(buffer, driver="LIBKML", layer=trip.stem, engine="pyogrio",
                  geometry_type="Unknown", dataset_options={"AUTHOR_NAME": AUTHOR})
    return buffer.getvalue()


def write_geojson(trip: Trip, features: list[Feature], chart: Chart) -> bytes:
    """Return a route as GeoJSON; the member ``datum`` says which the coordinates are of."""
    frame = _frame(trip, features, chart)
    told = frame.drop(columns="geometry").astype(object)
    rows = told.where(told.notna(), None).to_dict("records")
    out = {"type": "FeatureCollection", "name": trip.stem, "generator": AUTHOR,
           "datum": chart.datum,
           "features": [{"type": "Feature", "properties": row,
                         "geometry": shapely.geometry.mapping(shape)}
                        for row, shape in zip(rows, frame.geometry, strict=True)]}
    return (json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8")


def _frame(trip: Trip, features: list[Feature], chart: Chart) -> gpd.GeoDataFrame:
    """Return features as a layer in degrees; ``begin`` and ``end`` only where there are dates."""
    visits = [f.visit for f in features]
    columns: dict[str, list[Any]] = {
        "name": [f.name for f in features], "told": [f.told for f in features],
        "kind": [f.kind for f in features], "order": [f.order for f in features],
        "number": [v.number if v else 0 for v in visits],
        "code": [v.key if v else trip.route_id if f.kind == "route" else ""
               for f, v in zip(features, visits, strict=True)],
        "team": [trip.team_id] * len(features), "day": [trip.day] * len(features),
        "shift": [trip.shift] * len(features),
        "arrive": [write_clock(v.arrive_min) if v else "" for v in visits],
        "depart": [write_clock(v.depart_min) if v else "" for v in visits],
        "arrive_day": [name_day(trip.day, v.arrive_min) if v else "" for v in visits]}
    for column, end in (("begin", "arrive_min"), ("end", "depart_min")):
        moments = [chart.moment(trip, getattr(v, end)) if v else None for v in visits]
        if any(moments):
            columns[column] = [m.isoformat() if m else None for m in moments]
    out = gpd.GeoDataFrame(columns, geometry=[f.shape for f in features], crs=4326)
    # KML has no wider integers.
    return out.astype({"order": "int32", "number": "int32"})
