"""Tracks as devices would have recorded them: a plan's routes with noise, and chosen faults."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely
from gpxpy.gpx import GPX, GPXTrack, GPXTrackPoint, GPXTrackSegment

from gridplan.datum import wgs84_to_bd09, wgs84_to_gcj02
from gridplan.errors import Findings
from gridplan.export.places import place_visits
from gridplan.export.trips import Trip, read_trips
from gridplan.plan import Plan

EVERY_S, NOISE_M, OFFSET_MIN = 10.0, 8.0, 480
FIRST_DAY = dt.date(2026, 12, 7)
SPEED = {"foot": 1.0, "bike": 3.0, "ebike": 4.0, "car": 7.0}


@dataclass(frozen=True)
class Faults:
    """What went wrong: visits of stops not made, required streets gone round, minutes late."""

    missed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    late_min: float = 0.0


@dataclass
class Fixes:
    """Where a device was: (n, 2) in the plan's CRS and seconds since midnight of the day."""

    xy: Any
    clock_s: Any


def trips_of(plan: Plan) -> list[Trip]:
    return read_trips(plan, Findings())


def simulate(plan: Plan, trip: Trip, faults: Faults = Faults(), *, seed: int = 0,
             noise_m: float = NOISE_M, every_s: float = EVERY_S) -> Fixes:
    """Go along a route and be at its stops in their times; take a fix every few seconds.

    A team that is early waits before it goes on; one that misses a stop drives past it; one that
    goes round a street comes later to what follows. ``noise_m`` is the root mean square of the
    distance from the true place.
    """
    line, at = trip.line, place_visits(trip)
    for required_id in faults.skipped:
        line, at = go_round(plan, required_id, line, at)
    clock_s, metres = _drive(trip, at, float(line.length), faults, every_s)
    xy = shapely.get_coordinates(shapely.line_interpolate_point(line, metres))
    draw = np.random.default_rng(seed)
    xy = xy + draw.normal(0.0, noise_m / np.sqrt(2), xy.shape)
    return Fixes(xy, clock_s + 60.0 * faults.late_min)


def _drive(trip: Trip, at: Any, length: float, faults: Faults, every_s: float) -> tuple[Any, Any]:
    """Seconds since midnight, and metres along the way at each of them."""
    speed = SPEED[trip.mode]
    first = trip.visits[0]
    knots = [(first.arrive_min * 60.0 - float(at[0]) / speed, 0.0)]
    for visit, metres in zip(trip.visits, at.tolist(), strict=True):
        if visit.kind == "street" or visit.visit_id in faults.missed:
            continue
        when, here = knots[-1]
        there = max(here, metres)
        arrive = max(visit.arrive_min * 60.0, when + (there - here) / speed)
        knots += [(arrive - (there - here) / speed, here), (arrive, there),
                  (arrive + 60.0 * visit.stay_min, there)]
    knots.append((knots[-1][0] + (length - knots[-1][1]) / speed, length))
    when, where = np.array(knots).T
    clock_s = np.arange(when[0], when[-1] + every_s, every_s)
    return clock_s, np.interp(clock_s, when, where)


def find_runs(plan: Plan, required_id: str, line: Any) -> tuple[Any, list[list[int]]]:
    """Return a required street, and from which to which vertex a line goes along it."""
    required = plan.layer("required")
    piece = required.geometry[(required["required_id"] == required_id).to_numpy()].iloc[0]
    xy = shapely.get_coordinates(line)
    on = shapely.covered_by(shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1)),
                            piece.buffer(0.5))
    return piece, np.flatnonzero(np.diff(np.r_[False, on, False].astype(int))).reshape(
        -1, 2).tolist()


def can_skip(plan: Plan, trip: Trip, required_id: str) -> bool:
    """Tell whether a street is passed once, from end to end, and can be gone round."""
    piece, runs = find_runs(plan, required_id, trip.line)
    xy = shapely.get_coordinates(trip.line)
    if len(runs) != 1 or abs(_length([xy[runs[0][0]:runs[0][1] + 1]]) - piece.length) > 1.0:
        return False
    return nx.has_path(_without(plan, piece), *_ends(piece))


def _ends(piece: Any) -> list[tuple[float, float]]:
    return [(round(piece.coords[k][0], 3), round(piece.coords[k][1], 3)) for k in (0, -1)]


def _without(plan: Plan, piece: Any) -> nx.Graph:
    graph = street_graph(plan)
    near = piece.buffer(0.5)
    graph.remove_edges_from([(u, v) for u, v, data in graph.edges(data=True)
                             if data["line"].interpolate(0.5, normalized=True).within(near)])
    return graph


def go_round(plan: Plan, required_id: str, line: Any, at: Any) -> tuple[Any, Any]:
    """Go another way between the ends of a required street.

    Returns the new line, and where along it the places ``at`` of the old one are.
    """
    piece, runs = find_runs(plan, required_id, line)
    graph, ends = _without(plan, piece), _ends(piece)
    xy = shapely.get_coordinates(line)
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(xy, axis=0).T))]
    out, old, new, here = [xy[:1]], [0.0], [0.0], 0
    for begin, end in runs:
        out.append(xy[here + 1:begin + 1])
        old.append(float(along[begin]))
        new.append(_length(out))
        a, b = (min(ends, key=lambda e: np.hypot(*(np.array(e) - xy[k]))) for k in (begin, end))
        path = nx.shortest_path(graph, a, b, weight="weight")
        for u, v in itertools.pairwise(path):
            step = np.array(graph.edges[u, v]["line"].coords)
            out.append(step[1:] if np.allclose(np.round(step[0], 3), u) else step[::-1][1:])
        old.append(float(along[end]))
        new.append(_length(out))
        here = end
    out.append(xy[here + 1:])
    old.append(float(along[-1]))
    new.append(_length(out))
    return shapely.LineString(np.concatenate(out)), np.interp(at, old, new)


def _length(parts: list[Any]) -> float:
    xy = np.concatenate(parts)
    return float(np.hypot(*np.diff(xy, axis=0).T).sum())


def street_graph(plan: Plan) -> nx.Graph:
    """The roads as a graph of points with lines between junctions."""
    graph = nx.Graph()
    noded = shapely.node(shapely.multilinestrings(np.asarray(plan.layer("roads").geometry.array)))
    for line in shapely.get_parts(noded):
        a, b = (tuple(round(v, 3) for v in line.coords[k]) for k in (0, -1))
        if a != b:
            graph.add_edge(a, b, weight=line.length, line=line)
    return graph


def degrees(plan: Plan, fixes: Fixes, datum: str = "wgs84") -> Any:
    points = gpd.GeoSeries(shapely.points(fixes.xy), crs=plan.crs).to_crs(4326)
    lonlat = shapely.get_coordinates(points.array)
    move = {"gcj02": wgs84_to_gcj02, "bd09": wgs84_to_bd09}.get(datum)
    return move(lonlat) if move else lonlat


def moments(day: str, fixes: Fixes) -> list[dt.datetime]:
    """When fixes were taken, UTC; numbered days follow the first day."""
    date = FIRST_DAY + dt.timedelta(days=int(day[1:]) - 1) if day.startswith("D") else (
        dt.date.fromisoformat(day))
    start = dt.datetime.combine(date, dt.time(), dt.UTC) - dt.timedelta(minutes=OFFSET_MIN)
    return [start + dt.timedelta(seconds=float(s)) for s in fixes.clock_s]


def gpx_of(plan: Plan, trip: Trip, fixes: Fixes, *, datum: str = "wgs84", timed: bool = True,
           name: str = "", creator: str = "PhoneTracker 3") -> str:
    """The fixes as a phone writes them."""
    gpx = GPX()
    gpx.creator = creator
    track = GPXTrack(name=name)
    points = []
    for (lon, lat), when in zip(degrees(plan, fixes, datum).tolist(), moments(trip.day, fixes),
                                strict=True):
        points.append(GPXTrackPoint(latitude=lat, longitude=lon, time=when if timed else None))
    track.segments.append(GPXTrackSegment(points))
    gpx.tracks.append(track)
    return gpx.to_xml(version="1.1")


def write_week(plan: Plan, folder: Path, faults: dict[str, Faults], seed: int = 1) -> list[Path]:
    """Write a track for every route, named as exports are; ``faults`` are by route."""
    folder.mkdir(exist_ok=True)
    out = []
    for k, trip in enumerate(trips_of(plan)):
        fixes = simulate(plan, trip, faults.get(trip.route_id, Faults()), seed=seed * 1000 + k)
        path = folder / f"route-{trip.stem}-wgs84.gpx"
        path.write_text(gpx_of(plan, trip, fixes), encoding="utf-8")
        out.append(path)
    return out
