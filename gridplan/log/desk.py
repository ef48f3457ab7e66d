"""The story of a log: files are read, shared out to the trips, and held to what was planned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from shapely.ops import nearest_points

from gridplan.datum import DATUMS
from gridplan.errors import Findings, TallyRow, first_ids
from gridplan.log.checkins import TABLE_SUFFIXES, Mark, read_checkins, share_out
from gridplan.log.fixes import Strand, cut_shift, drop_jumps, find_gaps, join_strands
from gridplan.log.owners import Owner, check_request, find_owner, read_who
from gridplan.log.passes import Passed, measure_passes
from gridplan.log.planned import Trip, Visit, read_trips
from gridplan.log.request import LogRequest, LogRules
from gridplan.log.stays import CheckIn, match_stops
from gridplan.log.streets import Streets, open_streets
from gridplan.log.times import write_clock, write_moment
from gridplan.log.tracks import TRACK_SUFFIXES, Floats, Track, read_tracks
from gridplan.params import Params
from gridplan.plan import Plan

_ROUND_M = 300.0
_CLOSE_M = 60.0
_FITS, _MISSES = 0.6, 0.2
_GEOD = pyproj.Geod(ellps="WGS84")


@dataclass(frozen=True)
class Logged:
    """What came of a log.

    Attributes
    ----------
    rows
        One row per planned visit that the files tell of: the columns of the layer ``log``, and
        ``arrived``, HH:MM of the shift's day, blank where it is not known.
    trips
        The trips that the files tell of.
    tally
        How many fixes and check-ins went in, were used, and were not.
    digest
        Of the files read; their names are not kept, they may be those of people.
    files
        How many there were.
    """

    rows: pd.DataFrame
    trips: tuple[Trip, ...]
    tally: tuple[TallyRow, ...]
    digest: str
    files: int
    rules: LogRules
    utc_offset_min: int


@dataclass
class _Taken:
    """What was read, before it is shared out."""

    tracks: list[tuple[Track, Owner]]
    marks: list[Mark]
    digests: list[str]
    rows: int = 0


def log_files(plan: Plan, request: LogRequest, params: Params, findings: Findings,
              rules: LogRules | None = None) -> Logged:
    """Hold tracks and check-ins to the routes of a plan.

    Parameters
    ----------
    plan
        With routes and visits.
    request
        The files, and whose they are.
    params
        Those of the network count.

    Raises
    ------
    InputError
        There are no routes; a file is no track or table, of an unknown team or day, from another
        place, outside every shift, or names an unknown stop. All faults at once.
    """
    rules = rules or LogRules()
    trips = read_trips(plan, findings)
    check_request(request, trips, findings)
    who = read_who(request.who, trips, findings)
    taken = _read_files(request, trips, who, findings)
    strands, fixes = _share_tracks(plan, taken, trips, request, rules, findings)
    marks, lost = share_out(taken.marks, trips, rules.margin_min)
    if lost:
        findings.add("log.not_planned", "warning", count=lost)
    findings.stop_on_faults()
    tally = [TallyRow("log", "checkins", taken.rows, taken.rows - lost, outside=lost)]
    covered = tuple(t for t in trips if t.route_id in strands or t.route_id in marks)
    streets = _Maps(plan, covered, params, rules)
    rows: list[dict[str, Any]] = []
    for trip in covered:
        own = [drop_jumps(s, trip.mode) for s in strands.get(trip.route_id, [])]
        fixes.rejected += sum(map(len, strands.get(trip.route_id, []))) - sum(map(len, own))
        joined = join_strands(own)
        told = _log_trip(trip, joined, marks.get(trip.route_id, []), streets, rules)
        _tell_gaps(joined, trip, told, findings)
        rows += told
    fixes.used = fixes.rows_in - fixes.rejected - fixes.outside
    frame = pd.DataFrame(rows, columns=["log_id", "day", "shift", "team_id", "visit_id", "done",
                                        "passed_m", "arrived"])
    digest = hashlib.sha256("\n".join(sorted(taken.digests)).encode()).hexdigest()
    return Logged(frame, covered, tuple(r for r in (fixes, *tally) if r.rows_in), digest,
                  len(taken.digests), rules, request.utc_offset_min)


def list_files(given: Sequence[Path]) -> list[Path]:
    """Return the files, those of folders by name."""
    out: list[Path] = []
    for path in given:
        if path.is_dir():
            out += sorted(p for p in path.iterdir()
                          if p.suffix.lower() in (*TRACK_SUFFIXES, *TABLE_SUFFIXES))
        else:
            out.append(path)
    return out


def _read_files(request: LogRequest, trips: Sequence[Trip], who: Mapping[str, Owner],
                findings: Findings) -> _Taken:
    taken = _Taken([], [], [])
    for path in list_files(request.files):
        if not path.is_file():
            findings.add("log.unreadable", file=path.name, reason="-")
            continue
        suffix = path.suffix.lower()
        if suffix not in (*TRACK_SUFFIXES, *TABLE_SUFFIXES):
            findings.add("log.unknown_kind", file=path.name)
            continue
        if suffix in TABLE_SUFFIXES:
            told = who.get(path.name.casefold())
            marks, rows, digest = read_checkins(path, trips, request, told, findings)
            tracks: list[Track] = []
        else:
            marks, rows = [], 0
            tracks, digest = read_tracks(path, findings)
        if digest in taken.digests and digest:
            findings.add("log.twice", "warning", file=path.name)
            continue
        taken.digests.append(digest)
        taken.marks += marks
        taken.rows += rows
        for track in tracks:
            owner = find_owner(track, trips, who, request, findings)
            if owner is not None:
                taken.tracks.append((track, owner))
    return taken


# ---- tracks and trips ----------------------------------------------------------------------

def _share_tracks(plan: Plan, taken: _Taken, trips: Sequence[Trip], request: LogRequest,
                  rules: LogRules, findings: Findings
                  ) -> tuple[dict[str, list[Strand]], TallyRow]:
    """Cut tracks into the shifts of their teams; note those that fit none."""
    out: dict[str, list[Strand]] = {}
    tally = TallyRow("log", "fixes", 0, 0)
    hull = shapely.convex_hull(shapely.geometrycollections([t.line for t in trips]))
    area = gpd.GeoSeries([hull], crs=plan.crs).to_crs(4326).iloc[0]
    for track, owner in taken.tracks:
        tally.rows_in += len(track.moment)
        own = [t for t in trips if t.team_id == owner.team_id and owner.day in ("", t.day)]
        datum = request.datum or track.datum or "wgs84"
        if not own:
            findings.add("log.no_route", file=track.file, team=owner.team_id, day=owner.day)
            continue
        if _is_elsewhere(area, track, datum, rules, findings):
            continue
        _check_datum(plan, track, datum, own, findings)
        xy = track.place(datum, plan.crs)
        if not track.timed:
            _take_untimed(track, owner, own, xy, out, findings)
            continue
        if not owner.day and len({t.day for t in own}) > 1 and not any(
                "-" in t.day for t in own):
            findings.add("log.no_day", file=track.file, known=first_ids(
                sorted({t.day for t in own}), 12))
            continue
        found = np.zeros(len(xy), dtype=bool)
        for trip in own:
            cut = cut_shift(trip, xy, track.moment, rules.margin_min, request.utc_offset_min)
            if cut is not None:
                out.setdefault(trip.route_id, []).append(cut[0])
                found |= cut[1]
        if not found.any():
            begin, end = (write_moment(float(m), request.utc_offset_min)
                          for m in (track.moment[0], track.moment[-1]))
            findings.add("log.outside_shifts", file=track.file, team=owner.team_id, begin=begin,
                         end=end, shifts=first_ids([f"{t.day} {t.shift}" for t in own]))
        tally.outside += int((~found).sum())
    return out, tally


def _take_untimed(track: Track, owner: Owner, own: Sequence[Trip], xy: Floats,
                  out: dict[str, list[Strand]], findings: Findings) -> None:
    """Take a track without times for the one trip it can be of."""
    if len(own) > 1:
        findings.add("log.no_day", file=track.file, known=first_ids(
            sorted({t.day for t in own}), 12))
        return
    findings.add("log.no_times", "warning", file=track.file, team=owner.team_id)
    out.setdefault(own[0].route_id, []).append(Strand(xy, track.moment))


def _is_elsewhere(area: Any, track: Track, datum: str, rules: LogRules, findings: Findings
                  ) -> bool:
    """Tell whether the middle of a track is far from all routes; the distance is told."""
    lon, lat = np.median(track.degrees(datum), axis=0).tolist()
    near = nearest_points(area, shapely.Point(lon, lat))[0]
    far_m = float(_GEOD.inv(lon, lat, near.x, near.y)[2])
    if far_m > rules.elsewhere_m:
        findings.add("log.elsewhere", file=track.file, km=f"{far_m / 1000:,.0f}",
                     lat=f"{lat:.3f}", lon=f"{lon:.3f}")
    return far_m > rules.elsewhere_m


def _check_datum(plan: Plan, track: Track, datum: str, own: Sequence[Trip], findings: Findings
                 ) -> None:
    """Note a track that lies off its routes as it is, and on them in another datum."""
    ways = shapely.multilinestrings([t.line for t in own])
    shapely.prepare(ways)
    some = replace(track, lonlat=track.lonlat[::max(1, len(track.lonlat) // 200)])

    def share(name: str) -> float:
        points = shapely.points(some.place(name, plan.crs))
        return float(shapely.dwithin(ways, points, _CLOSE_M).mean())

    if share(datum) < _MISSES:
        fits = {name: share(name) for name in DATUMS if name != datum}
        best = max(fits, key=lambda name: fits[name])
        if fits[best] > _FITS:
            findings.add("log.datum", file=track.file, field="--datum", given=datum, fits=best)


def _tell_gaps(strands: Sequence[Strand], trip: Trip, rows: Sequence[Mapping[str, Any]],
               findings: Findings) -> None:
    """Warn of times without a fix in which something was to be done that was not."""
    undone = {row["visit_id"] for row in rows if not row["done"]}
    times = [v.arrive_min for v in trip.visits if v.visit_id in undone]
    gaps = [(a, b) for a, b in find_gaps(strands, trip) if any(a <= t <= b for t in times)]
    if gaps:
        findings.add("log.gap", "warning", count=len(gaps), team=trip.team_id, day=trip.day,
                     minutes=round(sum(b - a for a, b in gaps)), times=first_ids(
                         [f"{write_clock(a)}–{write_clock(b)}" for a, b in gaps]))


# ---- one trip ------------------------------------------------------------------------------

class _Maps:
    """The streets round the trips, made once for each mode."""

    def __init__(self, plan: Plan, trips: Sequence[Trip], params: Params, rules: LogRules) -> None:
        self.plan, self.params, self.rules = plan, params, rules
        self.held: dict[str, Streets | None] = {}
        lines = [t.line for t in trips]
        self.area = shapely.box(*shapely.total_bounds(lines)).buffer(_ROUND_M) if lines else None

    def of(self, mode: str) -> Streets | None:
        """Return the streets of a mode; None where the plan has none near the trips."""
        if mode not in self.held:
            roads = self.plan.layer("roads")
            near = roads[roads.intersects(self.area).to_numpy(dtype=bool)]
            self.held[mode] = open_streets(
                near, mode, self.plan.layer("barriers"), self.params.network,
                self.rules.noise_m) if len(near) else None
        return self.held[mode]


def _log_trip(trip: Trip, strands: Sequence[Strand], marks: Sequence[CheckIn], maps: _Maps,
              rules: LogRules) -> list[dict[str, Any]]:
    """Return the rows of a trip; without a track nothing is known of its streets."""
    def row(visit: Visit, done: bool, passed: float | None, arrived_min: float) -> dict[str, Any]:
        return {"log_id": visit.visit_id, "day": trip.day, "shift": trip.shift,
                "team_id": trip.team_id, "visit_id": visit.visit_id, "done": done,
                "passed_m": passed, "arrived": "" if not done or np.isnan(arrived_min)
                else write_clock(max(arrived_min, 0.0))}

    stops, streets = trip.of("stop"), trip.of("street")
    held = {v.visit_id: row(v, r.done, None, r.arrived_min) for v, r in zip(
        stops, match_stops(stops, strands, marks, rules), strict=True)}
    if strands and streets:
        shapes = {v.key: v.shape for v in streets}
        passed = dict(zip(shapes, measure_passes(
            maps.of(trip.mode), list(shapes.values()), strands, 2 * rules.noise_m), strict=True))
        nth: dict[str, int] = {}
        for visit in streets:
            nth[visit.key] = nth.get(visit.key, 0) + 1
            done, metres = _judge_pass(passed[visit.key], nth[visit.key], rules)
            many = sum(v.key == visit.key for v in streets)
            when = _time_pass(passed[visit.key], nth[visit.key], many)
            held[visit.visit_id] = row(visit, done, metres, when)
    return [held[v.visit_id] for v in trip.visits if v.visit_id in held]


def _judge_pass(passed: Passed, nth: int, rules: LogRules) -> tuple[bool, float]:
    metres = round(passed.metres(nth), 2)
    return metres >= rules.covered_share * passed.length_m - 0.01, metres


def _time_pass(passed: Passed, nth: int, planned: int) -> float:
    """Return when a pass began; not known where a street was passed oftener than planned.

    Then some of the passings were on the way to something else, and nobody knows which.
    """
    if len(passed.passings) != planned:
        return float("nan")
    return passed.passings[nth - 1].begin_s / 60.0
