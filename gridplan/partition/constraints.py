"""What is asked of the grids beyond their range: what must stay together, apart or as it is.

*Passability* says which borders between units nobody can walk across: they run along a wall
without a gate, or along water or a railway without a way over it. *Must-links* are what a user
wants in one grid. *Locked* grids are out of the cut and keep units and code.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from gridplan.errors import Finding, Findings, first_ids
from gridplan.i18n import translate
from gridplan.layers import BARRIERS, Study, Units, empty_input
from gridplan.partition.graph import MIN_SHARED_M, Contacts, Floats, Ints, components

Flags = NDArray[np.bool_]
Shapes = NDArray[np.object_]

# A gate as near as this to a border is a gate in the wall along it.
GATE_M = 15.0
# A building as near as this to a line or point that must not be cut is touched by it.
LINK_REACH_M = 2.0
# A way crosses a barrier where it goes on for this far on both of its sides.
_BEYOND_M = 2.0
_NO_M = 0.05
# A crossing is a point of the line that the border follows, but for rounding.
_ON_BORDER_M = 0.6
# Nobody walks along these, whatever they cross.
_NO_WALKING = ("motorway", "motorway_link")
# Cutting through what should stay together, and cannot, is this much dearer.
_SOFT_HOLD = 10.0
_MOVED_SHARE = 0.01


@dataclass(frozen=True)
class Note:
    """Why a must-link does not lie in one grid: a code and the values of its sentence."""

    code: str
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Wishes:
    """What the cut takes into account besides ranges and borders.

    Attributes
    ----------
    links
        For each must-link the units (positions) that its buildings belong to.
    locked
        For each unit the row of the locked grid it belongs to, -1 where it is free.
    variance
        For each unit the variance of its households.
    estate
        For each unit the number of its estate inside its block, -1 for none.
    notes
        Filled by the cut: what kept a must-link (by its row) from one grid.
    bridged
        Filled by the cut: units and households taken along to hold a must-link together.
    """

    links: tuple[Ints, ...]
    locked: Ints
    variance: Floats
    estate: Ints
    notes: dict[int, Note] = field(default_factory=dict)
    bridged: dict[int, tuple[int, int]] = field(default_factory=dict)

    def note(self, link: int, code: str, **values: object) -> None:
        """Note what keeps a must-link apart; what was noted first stays."""
        self.notes.setdefault(link, Note(code, values))


# ---- passability ---------------------------------------------------------------------------

@dataclass(frozen=True)
class Passages:
    """Where one can get through a barrier: points of ways across, and gates in walls."""

    crossings: Shapes
    gates: Shapes


def find_passages(study: Study) -> Passages:
    """Return the crossings and the gates of a study; a gate closed to all is none."""
    gates = study.layer("gates")
    closed = (~gates["foot"].fillna(True) & ~gates["car"].fillna(False)).to_numpy(dtype=bool)
    return Passages(find_crossings(study), np.asarray(gates.geometry.array)[~closed])


def passable_metres(units: Units, passages: Passages) -> Floats | None:
    """Return for each row of ``units.borders`` the metres that can be walked across.

    Returns
    -------
    array or None
        None where no border runs along a barrier, so that all can be crossed.
    """
    borders = units.borders
    barred = pd.Series(borders.lines.road_class, dtype=object).isin(BARRIERS).to_numpy(dtype=bool)
    shut = np.append(barred, False)[borders.line]
    if not shut.any():
        return None
    out = np.where(shut, 0.0, borders.length_m)
    rows = np.flatnonzero(shut)
    segment = shapely.linestrings(np.stack([borders.start[rows], borders.end[rows]], axis=1))
    wall = np.append(borders.lines.road_class == "wall", False)[borders.line[rows]]
    over = _within(segment, passages.crossings, _ON_BORDER_M)
    gate = _within(segment, passages.gates, GATE_M)
    out[rows[over | (wall & gate)]] = MIN_SHARED_M
    return out


def _within(segment: Shapes, spot: Shapes, distance_m: float) -> Flags:
    near = np.zeros(len(segment), dtype=bool)
    near[shapely.STRtree(spot).query(segment, predicate="dwithin", distance=distance_m)[0]] = True
    return near


def find_crossings(study: Study) -> Shapes:
    """Return the points where one can walk across a barrier.

    Roads, paths, bridges and tunnels count where they go on for two metres on both sides; one
    that ends at the barrier does not, unless another carries on from there.
    """
    shape = study.layer("barriers").geometry.to_numpy()
    edge = shapely.get_parts(np.where(shapely.get_dimensions(shape) == 2,
                                      shapely.boundary(shape), shape))
    roads = study.roads
    barred = roads["road_class"].isin(_NO_WALKING) | ~roads["foot"].fillna(True).astype(bool)
    way = shapely.get_parts(roads.geometry.to_numpy()[~barred.to_numpy(dtype=bool)])
    row, line = shapely.STRtree(edge).query(way, predicate="dwithin", distance=_NO_M)
    met = shapely.intersection(way[row], edge[line])
    # A way that carries on another may begin a hair beyond the barrier.
    apart = shapely.is_empty(met)
    met[apart] = _near_ends(way[row[apart]], edge[line[apart]])
    spot, pair = shapely.get_parts(met, return_index=True)
    single = shapely.get_type_id(spot) == 0
    spot, row, line = spot[single], row[pair[single]], line[pair[single]]
    sides = pd.DataFrame(_sides(way, row, edge[line], spot), columns=["before", "after"])
    where = np.round(shapely.get_coordinates(spot), 1)
    # Ways are often cut where they cross: what meets in one point is taken together.
    met = sides.groupby([line, where[:, 0], where[:, 1]])
    across = ((met.transform("min") < 0).any(axis=1) & (met.transform("max") > 0).any(axis=1))
    found = np.round(shapely.get_coordinates(spot[across.to_numpy(dtype=bool)]), 3)
    return np.asarray(shapely.points(np.unique(found, axis=0)), dtype=object)


def _near_ends(ways: Shapes, edge: Shapes) -> Shapes:
    """Return the point of each barrier that an end of its way all but meets; else nothing."""
    out = np.full(len(ways), shapely.MultiPoint(), dtype=object)
    for end in (0, -1):
        tip = shapely.get_point(ways, end)
        near = shapely.distance(tip, edge) <= _NO_M
        out[near] = shapely.get_point(shapely.shortest_line(edge[near], tip[near]), 0)
    return out


def _sides(ways: Shapes, row: Ints, edge: Shapes, spot: Shapes) -> Floats:
    """Return on which side of the barrier a way lies before and after each spot.

    Returns
    -------
    array of shape (n, 2)
        Above 0 left of it, below 0 right of it, 0 where the way ends at the spot or, with
        nothing beyond, within two metres of it.
    """
    way = ways[row]
    at, along = shapely.line_locate_point(way, spot), shapely.line_locate_point(edge, spot)
    length = shapely.length(way)
    tree = shapely.STRtree(ways)

    def place(line: Shapes, metres: Floats) -> Floats:
        return shapely.get_coordinates(shapely.line_interpolate_point(line, metres))

    tangent = place(edge, along + 0.5) - place(edge, np.maximum(along - 0.5, 0.0))
    here = shapely.get_coordinates(spot)
    out = np.zeros((len(spot), 2))
    for k, (step, left, end) in enumerate(((-_BEYOND_M, at, 0), (_BEYOND_M, length - at, -1))):
        met = tree.query(shapely.get_point(way, end), predicate="dwithin", distance=_NO_M)[0]
        goes_on = (left >= _BEYOND_M) | (
            (left > _NO_M) & (np.bincount(met, minlength=len(way)) > 1))
        leg = place(way, np.clip(at + step, 0.0, length)) - here
        out[:, k] = np.where(goes_on, tangent[:, 0] * leg[:, 1] - tangent[:, 1] * leg[:, 0], 0.0)
    return out


# ---- must-links ----------------------------------------------------------------------------

def touch_buildings(links: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame) -> list[Ints]:
    """Return the positions of the buildings that each must-link touches.

    An area touches a building that lies in it by more than half, and a point in it; a line or
    point touches what lies within two metres.
    """
    shape, house = links.geometry.to_numpy(), buildings.geometry.to_numpy()
    flat = shapely.get_dimensions(shape) == 2
    link, row = shapely.STRtree(house).query(
        shape, predicate="dwithin", distance=np.where(flat, 0.0, LINK_REACH_M))
    size = shapely.area(house[row])
    inside = shapely.area(shapely.intersection(shape[link], house[row])) > size / 2
    keep = ~flat[link] | inside | (size == 0)
    link, row = link[keep], row[keep]
    return [np.sort(row[link == k]) for k in range(len(shape))]


def hold_links(wishes: Wishes, members: Ints, free: Flags, near: Contacts, households: Ints,
               high: int) -> tuple[Ints, Contacts]:
    """Decide which units of a community are held together, and note what cannot be.

    Parameters
    ----------
    members
        Positions of the units; the arrays below are numbered like them.
    free
        Which of them are cut at all.
    near
        Their contacts.

    Returns
    -------
    group
        A number for each unit that must lie with others, -1 for none.
    near
        With dearer borders inside of what is too large for one grid.
    """
    group = np.full(len(members), -1, dtype=np.int64)
    place = np.full(int(members.max(initial=-1)) + 1, -1, dtype=np.int64)
    place[members] = np.arange(len(members))
    usable = near.take(free[near.a] & free[near.b]).passable(len(members))
    weight = near.weight.copy()
    for link, touched in enumerate(wishes.links):
        wanted = place[touched[touched < len(place)]]
        wanted = wanted[wanted >= 0]
        wanted = wanted[free[wanted]]
        if len(wanted) < 2:
            continue
        whole = _with_groups(wanted, group)
        load = int(households[whole].sum())
        if load > high:
            alone = int(households[wanted].sum())
            wishes.note(link, "large" if alone > high else "crowded",
                        households=alone if alone > high else load, high=high)
            soft = np.isin(near.a, wanted) & np.isin(near.b, wanted)
            weight[soft] *= _SOFT_HOLD
            continue
        for piece in _join(wishes, link, whole, group, usable, households, high):
            group[piece] = piece[0]
    return group, replace(near, weight=weight)


def _with_groups(wanted: Ints, group: Ints) -> Ints:
    """Return units with all that is already held together with one of them."""
    held = np.unique(group[wanted])
    return np.union1d(wanted, np.flatnonzero(np.isin(group, held[held >= 0])))


def _join(wishes: Wishes, link: int, wanted: Ints, group: Ints, near: Contacts,
          households: Ints, high: int) -> list[Ints]:
    """Return what is held for a must-link: one connected set, or its pieces where none fits.

    Units that lie between are taken along, those of the fewest households first.
    """
    count = len(group)
    whole, between = wanted, np.empty(0, dtype=np.int64)
    while len(pieces := _pieces(whole, near, count)) > 1:
        path = find_way(pieces[0], np.concatenate(pieces[1:]), near, households)
        if path is None:
            wishes.note(link, "parts")
            return _pieces(wanted, near, count)
        between = np.setdiff1d(path, wanted) if not len(between) else between
        whole = _with_groups(np.union1d(whole, path), group)
        if households[whole].sum() > high:
            wishes.note(link, "between", units=len(between),
                        households=int(households[between].sum()), high=high)
            return _pieces(wanted, near, count)
    extra = np.setdiff1d(whole, wanted)
    if len(extra):
        wishes.bridged[link] = (len(extra), int(households[extra].sum()))
    return [whole]


def _pieces(units: Ints, near: Contacts, count: int) -> list[Ints]:
    inside = near.among(units, count)
    label = components(len(units), inside.a, inside.b)
    return [units[label == k] for k in range(int(label.max(initial=-1)) + 1)]


def find_way(start: Ints, ends: Ints, near: Contacts, households: Ints) -> Ints | None:
    """Return the units on the way of fewest households from one set to another, None without."""
    count = len(households)
    a, b = np.concatenate([near.a, near.b]), np.concatenate([near.b, near.a])
    web = csr_array((households[b] + 1.0, (a, b)), shape=(count, count))
    far, back, _ = dijkstra(web, indices=start, min_only=True, return_predecessors=True)
    end = int(ends[np.argmin(far[ends])])
    if not np.isfinite(far[end]):
        return None
    path = [end]
    while back[path[-1]] >= 0:
        path.append(int(back[path[-1]]))
    return np.unique(path).astype(np.int64)


def count_closed(grid_of: Ints, contacts: Contacts, households: Ints) -> int:
    """Return how many grids have households that nobody can reach without leaving the grid.

    ``grid_of`` and ``households`` are those of the units, ``contacts`` their contacts.
    """
    if contacts.open.all():
        return 0
    inside = contacts.open & (grid_of[contacts.a] == grid_of[contacts.b])
    piece = components(len(grid_of), contacts.a[inside], contacts.b[inside])
    held = np.unique(np.stack([grid_of, piece])[:, households > 0], axis=1)
    return int((np.bincount(held[0]) > 1).sum())


def note_strangers(wishes: Wishes, owner: Ints, special: Flags, over: Flags) -> None:
    """Note the must-links that other rules part: borders of communities and what stands alone."""
    for link, units in enumerate(wishes.links):
        towns = len(np.unique(owner[units]))
        if towns > 1:
            wishes.note(link, "communities", communities=towns)
        for code, alone in (("locked", wishes.locked >= 0), ("special", special),
                            ("building", over)):
            if alone[units].any() and len(units) > 1:
                wishes.note(link, code, units=int(alone[units].sum()))


def judge_links(links: gpd.GeoDataFrame, touched: list[Ints], grid_of: Ints, wishes: Wishes,
                findings: Findings, lang: str) -> gpd.GeoDataFrame:
    """Return the must-links with what became of them, and warn of each that was not met.

    ``grid_of`` is the grid (position) of every building.
    """
    status, reason = [], []
    ids = links.index.to_numpy(dtype=object)
    source = links["source"].fillna("").to_numpy(dtype=object)
    for link, houses in enumerate(touched):
        grids = len(np.unique(grid_of[houses]))
        if grids == 1:
            note = None
            status.append("held")
            if link in wishes.bridged:
                units, households = wishes.bridged[link]
                findings.add("partition.link_bridged", "warning", file=str(source[link]),
                             layer="must_links", row=ids[link], units=units,
                             households=households)
        else:
            note = wishes.notes.get(link, Note("range")) if grids else Note("idle")
            status.append("apart" if grids else "idle")
        reason.append("")
        if note is not None:
            values = {**note.values, "grids": grids}
            key = f"partition.link_{note.code}"
            findings.items.append(Finding(key, "warning", str(source[link]), "must_links",
                                          str(ids[link]), values=values))
            reason[-1] = f"{note.code}: {translate(key, lang, **values)}"
    out = links.assign(status=pd.array(status, dtype="string"),
                       reason=pd.array(reason, dtype="string"))
    return gpd.GeoDataFrame(out, geometry=links.geometry.to_numpy(), crs=links.crs)


# ---- locked grids --------------------------------------------------------------------------

def lock_units(locked: gpd.GeoDataFrame | None, units: Units, owner: NDArray[np.object_],
               contacts: Contacts, findings: Findings) -> Ints:
    """Return for each unit the row of the locked grid that it lies in, -1 for none.

    A unit belongs to a locked grid of its own community that its representative point lies in.
    Where these units fall into pieces the largest is the grid; each such change is told.
    """
    count = len(units.frame)
    row = np.full(count, -1, dtype=np.int64)
    if locked is None or locked.empty:
        return row
    polygon = units.frame.geometry.to_numpy()
    shape = locked.geometry.to_numpy()
    unit, grid = shapely.STRtree(shape).query(shapely.point_on_surface(polygon),
                                              predicate="intersects")
    mine = owner[unit] == locked["community_id"].to_numpy(dtype=object)[grid]
    row[unit[mine]] = grid[mine]
    ids = locked["grid_id"].to_numpy(dtype=object)
    lost, moved = [], []
    for k in range(len(locked)):
        pieces = _pieces(np.flatnonzero(row == k), contacts, count)
        if not pieces:
            lost.append(ids[k])
            continue
        area = [shapely.area(polygon[p]).sum() for p in pieces]
        kept = pieces[int(np.argmax(area))]
        row[row == k] = -1
        row[kept] = k
        drawn = shapely.coverage_union_all(polygon[kept])
        if shapely.symmetric_difference(drawn, shape[k]).area > _MOVED_SHARE * shape[k].area:
            moved.append(ids[k])
    for key, held in (("locked_lost", lost), ("locked_moved", moved)):
        if held:
            findings.add(f"partition.{key}", "warning", layer="grids", row=first_ids(held),
                         field="locked", count=len(held))
    return row


def make_wishes(study: Study, units: Units, buildings: gpd.GeoDataFrame, locked: Ints,
                estate: Ints) -> tuple[Wishes, list[Ints]]:
    """Return the wishes of a study, and the buildings that each of its must-links touches."""
    unit_row = units.frame.index.get_indexer(units.unit_of.loc[buildings.index].to_numpy())
    links = study.layer("must_links") if study.must_links is not None else empty_input(
        "must_links", study.crs)
    touched = touch_buildings(links, buildings)
    spread = (buildings["households_high"] - buildings["households_low"]).to_numpy(
        dtype=np.float64) / 4
    variance = np.bincount(unit_row, spread ** 2, minlength=len(units.frame))
    return Wishes(tuple(np.unique(unit_row[houses]).astype(np.int64) for houses in touched),
                  locked, variance.astype(np.float64), estate), touched
