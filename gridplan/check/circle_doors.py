"""Where buildings and facilities enter the streets: straight legs that nothing bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from gridplan.check.circle_asked import CircleAsked
from gridplan.check.circle_streets import Streets
from gridplan.check.graph import Flags, Floats, Ints, Shapes
from gridplan.check.reading import PlanData

_BARRING = ("rail", "river", "wall", "water")
_END_M = 0.05  # a leg may stand on an obstacle at its ends
_TIE_M = 1e-6
# Where another street is as near as this within a millimetre, either may be taken.
_DOUBT_M, _APART_M = 1e-3, 0.01
_SPACING_M, _LEAST_PLACES, _OUTLINE_M = 20.0, 8, 100.0
_STEPS = (30.0, 120.0)


@dataclass(frozen=True)
class Entries:
    """Ways of n points into the streets, one row each, in order of their points.

    ``owner`` is the point of each row; ``unsure`` tells (n,) of whose ways only one is real.
    """

    owner: Ints
    edge: Ints
    at_m: Floats
    leg_m: Floats
    unsure: Flags

    @property
    def off(self) -> Flags:
        """Tell which points have no way."""
        return np.bincount(self.owner, minlength=len(self.unsure)) == 0

    def of_owners(self, rows: Ints) -> Entries:
        """Return the ways of some points, which are numbered anew in that order."""
        place = np.full(len(self.unsure), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        keep = place[self.owner] >= 0
        order = np.argsort(place[self.owner[keep]], kind="stable")
        return Entries(place[self.owner[keep]][order], self.edge[keep][order],
                       self.at_m[keep][order], self.leg_m[keep][order], self.unsure[rows])


@dataclass(frozen=True)
class Doors:
    """The entries of n points, and for those on the edge between two streets the other one."""

    entries: Entries
    other: Entries


@dataclass(frozen=True)
class _Found:
    """For each point an edge or -1, metres along it, metres to it; and the same of a rival."""

    edge: Ints
    at_m: Floats
    leg_m: Floats
    rival: Ints
    rival_at_m: Floats


class Ground:
    """What bars straight legs, and the estates round the points."""

    def __init__(self, plan: PlanData, streets: Streets, asked: CircleAsked) -> None:
        self.streets = streets
        self.snap_m = asked.number("network", "snap_m", 500.0)
        self.edges = np.flatnonzero(streets.usable)
        self.edge_tree = shapely.STRtree(streets.line[self.edges])
        order = np.argsort(plan.ids("estates").astype(str), kind="stable")
        self.estates = plan.shapes("estates")[order]
        owner = plan.ids("gates", "estate_id")
        gates_of = {name: np.flatnonzero(owner == name) for name in plan.ids("estates")[order]}
        open_to = plan.numbers("gates", "foot") != 0
        self.gate_points = plan.shapes("gates")
        self.gates = [held[open_to[held]] for held in gates_of.values()]
        self.enclosed = np.array([len(g) > 0 for g in self.gates], dtype=bool)
        ungated = np.array([len(held) == 0 for held in gates_of.values()], dtype=bool)
        self.unsure = ungated & ~self._crossed()
        barring = np.isin(plan.ids("barriers", "kind").astype(str), _BARRING)
        outlines = shapely.boundary(self.estates[self.enclosed])
        self.blocks = np.concatenate([plan.shapes("barriers")[barring], outlines])
        self.block_of = np.concatenate([np.full(barring.sum(), -1),
                                        np.flatnonzero(self.enclosed)]).astype(np.int64)
        self.block_tree = shapely.STRtree(self.blocks)

    def _crossed(self) -> Flags:
        """Tell which estates have a usable edge inside or across them."""
        out = np.zeros(len(self.estates), dtype=bool)
        inner = shapely.buffer(self.estates, -_END_M)
        out[self.edge_tree.query(inner, predicate="intersects")[0]] = True
        return out

    def home_of(self, points: Shapes) -> Ints:
        """Return the first estate that each point lies in, -1 for none."""
        out = np.full(len(points), len(self.estates), dtype=np.int64)
        point, estate = shapely.STRtree(self.estates).query(points, predicate="intersects")
        np.minimum.at(out, point, estate)
        return np.where(out == len(self.estates), -1, out)

    def barred(self, start: Floats, end: Floats, without: Ints, outlines: bool) -> Flags:
        """Tell which legs touch an obstacle; ``without`` is the estate that does not count."""
        out = np.zeros(len(start), dtype=bool)
        length = np.hypot(*(end - start).T)
        rows = np.flatnonzero(length > 2 * _END_M)
        if not len(rows) or not len(self.blocks):
            return out
        part = (end[rows] - start[rows]) * (_END_M / length[rows])[:, None]
        legs = shapely.linestrings(np.stack([start[rows] + part, end[rows] - part], axis=1))
        leg, block = self.block_tree.query(legs, predicate="intersects")
        of = self.block_of[block]
        counts = (of < 0) | ((of != without[rows[leg]]) & outlines)
        out[rows[leg[counts]]] = True
        return out

    def reach_streets(self, points: Shapes, limit_m: float, home: Ints, without: Ints,
                      outlines: bool = True) -> _Found:
        """Find the nearest street of each point that a leg reaches freely."""
        count = len(points)
        found = _Found(np.full(count, -1), np.zeros(count), np.zeros(count),
                       np.full(count, -1), np.zeros(count))
        left = np.arange(count)
        if not len(self.edges) or not count:
            return found
        nearest = np.full(count, np.inf)
        near_row, near_m = self.edge_tree.query_nearest(
            points, max_distance=limit_m, all_matches=False, return_distance=True)
        nearest[near_row[0]] = near_m
        left = left[np.isfinite(nearest)]
        # First those nearest, then those in ever wider circles.
        widths = [nearest[left] + _DOUBT_M, *_STEPS, limit_m]
        for width in widths:
            if not len(left):
                break
            reach = width if isinstance(width, np.ndarray) else np.full(len(left), width)
            self._try_edges(points, left, np.minimum(reach, limit_m), home, without, outlines,
                            found)
            left = left[found.edge[left] < 0]
            if len(left) and outlines and isinstance(width, np.ndarray):
                left = self._try_inside(points, left, limit_m, home, without, found)
        return found

    def _try_inside(self, points: Shapes, rows: Ints, limit_m: float, home: Ints, without: Ints,
                    found: _Found) -> Ints:
        """Settle points deep inside enclosed estates: only streets that touch these can be free."""
        deep = (home[rows] >= 0) & (home[rows] != without[rows])
        deep[deep] &= self.enclosed[home[rows[deep]]]
        some = rows[deep]
        deep[deep] &= shapely.distance(points[some], shapely.boundary(
            self.estates[home[some]])) > 2 * _END_M
        inner = rows[deep]
        for estate in np.unique(home[inner]).tolist():
            here = inner[home[inner] == estate]
            near = self.edge_tree.query(self.estates[estate], predicate="dwithin",
                                        distance=2 * _END_M)
            point = np.repeat(here, len(near))
            edge = np.tile(self.edges[near], len(here))
            self._settle(points, point, edge, limit_m, without, True, found)
        return rows[~deep]

    def _try_edges(self, points: Shapes, rows: Ints, reach: Floats, home: Ints, without: Ints,
                   outlines: bool, found: _Found) -> None:
        for some in np.array_split(np.arange(len(rows)), len(rows) // 20_000 + 1):
            point, edge = self.edge_tree.query(points[rows[some]], predicate="dwithin",
                                               distance=reach[some])
            self._settle(points, rows[some][point], self.edges[edge], float(reach.max()), without,
                         outlines, found)

    def _settle(self, points: Shapes, point: Ints, edge: Ints, limit_m: float, without: Ints,
                outlines: bool, found: _Found) -> None:
        """Take for each point the nearest of its candidates with a free leg."""
        if not len(point):
            return
        line = self.streets.line[edge]
        at = shapely.line_locate_point(line, points[point])
        foot = shapely.get_coordinates(shapely.line_interpolate_point(line, at))
        start = shapely.get_coordinates(points[point])
        metres = np.hypot(*(foot - start).T)
        free = (metres <= limit_m) & ~self.barred(start, foot, without[point], outlines)
        table = pd.DataFrame({"point": point, "edge": edge, "at": at, "m": metres,
                              "x": foot[:, 0], "y": foot[:, 1]})[free]
        if table.empty:
            return
        table["least"] = table.groupby("point")["m"].transform("min")
        close = table[table["m"] <= table["least"] + _TIE_M].sort_values(["point", "edge"])
        best = close.drop_duplicates("point").set_index("point")
        rows = best.index.to_numpy()
        found.edge[rows], found.at_m[rows] = best["edge"], best["at"]
        found.leg_m[rows] = best["m"]
        rival = table[table["m"] <= table["least"] + _DOUBT_M]
        chosen = best.loc[rival["point"]]
        apart = np.hypot(rival["x"].to_numpy() - chosen["x"].to_numpy(),
                         rival["y"].to_numpy() - chosen["y"].to_numpy()) > _APART_M
        rival = rival[apart].drop_duplicates("point")
        found.rival[rival["point"]] = rival["edge"]
        found.rival_at_m[rival["point"]] = rival["at"]


def enter_streets(ground: Ground, points: Shapes) -> Doors:
    """Find every way of points into the streets."""
    home = ground.home_of(points)
    nobody = np.full(len(points), -1, dtype=np.int64)
    unsure = np.zeros(len(points), dtype=bool)
    unsure[home >= 0] = ground.unsure[home[home >= 0]]
    plain = np.flatnonzero(~unsure)
    found = ground.reach_streets(points[plain], ground.snap_m, home[plain], nobody[plain])
    got = found.edge >= 0
    tables = [pd.DataFrame({"owner": plain[got], "edge": found.edge[got], "at": found.at_m[got],
                            "leg": found.leg_m[got]})]
    doubt = found.rival >= 0
    rivals = pd.DataFrame({"owner": plain[doubt], "edge": found.rival[doubt],
                           "at": found.rival_at_m[doubt], "leg": found.leg_m[doubt]})
    lost = plain[~got]
    shut = lost[home[lost] >= 0]
    shut = shut[ground.enclosed[home[shut]]]
    tables.append(_through_gates(ground, points, shut, home))
    tables.append(_over_outlines(ground, points, np.flatnonzero(unsure), home))
    return Doors(_as_entries(pd.concat(tables), unsure), _as_entries(rivals, unsure))


def _as_entries(table: pd.DataFrame, unsure: Flags) -> Entries:
    held = table.sort_values("owner", kind="stable")
    return Entries(held["owner"].to_numpy(np.int64), held["edge"].to_numpy(np.int64),
                   held["at"].to_numpy(np.float64), held["leg"].to_numpy(np.float64), unsure)


def _through_gates(ground: Ground, points: Shapes, rows: Ints, home: Ints) -> pd.DataFrame:
    """Lead points out of an enclosed estate by each of its open gates."""
    tables = [pd.DataFrame({"owner": [], "edge": [], "at": [], "leg": []})]
    for estate in np.unique(home[rows]).tolist():
        gates = ground.gate_points[ground.gates[estate]]
        here = np.full(len(gates), estate, dtype=np.int64)
        found = ground.reach_streets(gates, ground.snap_m, np.full(len(gates), -1), here)
        mine = rows[home[rows] == estate]
        tables.append(_combine(points, mine, gates, found))
    return pd.concat(tables)


def _over_outlines(ground: Ground, points: Shapes, rows: Ints, home: Ints) -> pd.DataFrame:
    """Lead points out of an estate without known gates at places all along its outline."""
    tables = [pd.DataFrame({"owner": [], "edge": [], "at": [], "leg": []})]
    for estate in np.unique(home[rows]).tolist():
        mine = rows[home[rows] == estate]
        parts = shapely.get_parts(ground.estates[estate])
        part_of = np.array([int(np.argmin(shapely.distance(parts, p))) for p in points[mine]])
        for number in np.unique(part_of).tolist():
            ring = shapely.get_exterior_ring(parts[number])
            count = max(_LEAST_PLACES, int(np.ceil(shapely.length(ring) / _SPACING_M)))
            places = shapely.line_interpolate_point(ring, np.arange(count) / count,
                                                    normalized=True)
            nobody = np.full(count, -1, dtype=np.int64)
            found = ground.reach_streets(places, _OUTLINE_M, nobody, nobody, outlines=False)
            tables.append(_combine(points, mine[part_of == number], places, found))
    return pd.concat(tables)


def _combine(points: Shapes, rows: Ints, places: Shapes, found: _Found) -> pd.DataFrame:
    """Return the ways of points over each place that has one."""
    fine = np.flatnonzero(found.edge >= 0)
    owner, place = np.repeat(rows, len(fine)), np.tile(fine, len(rows))
    return pd.DataFrame({"owner": owner, "edge": found.edge[place], "at": found.at_m[place],
                         "leg": shapely.distance(points[owner], places[place])
                         + found.leg_m[place]})


def enter_buildings(ground: Ground, plan: PlanData, layer: str = "buildings") -> Doors:
    """Find the ways of buildings into the streets, by any of their doors."""
    centre = centre_points(plan.shapes(layer))
    home = ground.home_of(centre)
    lost = np.zeros(len(centre), dtype=bool)
    lost[home >= 0] = ground.unsure[home[home >= 0]]
    points, owner = door_points(plan, layer, lost)
    return _merge_doors(enter_streets(ground, points), owner, len(centre))


def centre_points(shape: Shapes) -> Shapes:
    """Return the centroid of each shape, or a point on it where that lies outside."""
    centre = shapely.centroid(shape)
    outside = ~shapely.intersects(shape, centre)
    centre[outside] = shapely.point_on_surface(shape[outside])
    return centre


def door_points(plan: PlanData, layer: str, lost: Flags | None = None) -> tuple[Shapes, Ints]:
    """Return the doors of buildings and the building of each.

    They are its entrances, else its centre; of ``lost`` buildings only the centre counts.
    """
    centre = centre_points(plan.shapes(layer))
    if layer != "buildings" or not len(plan.frame("entrances")):
        return centre, np.arange(len(centre))
    row = {name: k for k, name in enumerate(plan.ids(layer))}
    of = np.array([row.get(b, -1) for b in plan.ids("entrances", "building_id")], dtype=np.int64)
    counts = of >= 0
    if lost is not None:
        counts[counts] &= ~lost[of[counts]]
    plain = np.setdiff1d(np.arange(len(centre)), of[counts])
    return (np.concatenate([plan.shapes("entrances")[counts], centre[plain]]),
            np.concatenate([of[counts], plain]))


def _merge_doors(doors: Doors, owner: Ints, count: int) -> Doors:
    """Make the doors of one building its ways; beside a sure one unsure ones do not count."""
    held = doors.entries
    sure = np.zeros(count, dtype=bool)
    sure[owner[held.owner[~held.unsure[held.owner]]]] = True
    any_way = np.zeros(count, dtype=bool)
    any_way[owner[held.owner]] = True
    unsure = any_way & ~sure
    out = []
    for part in (doors.entries, doors.other):
        keep = ~part.unsure[part.owner] | unsure[owner[part.owner]]
        out.append(_as_entries(pd.DataFrame({
            "owner": owner[part.owner[keep]], "edge": part.edge[keep], "at": part.at_m[keep],
            "leg": part.leg_m[keep]}), unsure))
    return Doors(*out)


