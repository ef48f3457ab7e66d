"""The lines of the town: main roads, streets, lanes and paths; the railway and the river."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.layers import conform_input
from gridplan.town.lattice import STEP, Floats, Lattice
from gridplan.town.layout import RAIL_MARGIN, RIVER_MARGIN, Layout
from gridplan.town.names import Names
from gridplan.town.sketch import Lane, Sketch, Span

RIVER_STEPS = 1.25  # half the river's width
_STUB = 5  # steps that main roads lead out of town
# Metres from the middle of a road that stay free of buildings.
CLEAR_M = {"primary": 15.0, "secondary": 12.0, "tertiary": 9.0, "residential": 5.5,
           "living_street": 2.2, "service": 3.0, "footway": 1.0, "track": 1.5}
_SPEED_KMH = {"primary": 60.0, "secondary": 50.0, "tertiary": 40.0, "residential": 30.0,
              "living_street": 20.0, "service": 10.0}
# Classes of the lines beside the river (by column) and the railway (by row), outwards from it.
_COLUMN_CLASS = ("tertiary", "primary", "tertiary", "secondary")
_ROW_CLASS = ("tertiary", "secondary", "primary", "tertiary")


@dataclass(frozen=True)
class Street:
    """A straight public road on the lattice; lanes of ``key`` share a name."""

    lane: Lane
    key: str
    structure: str = "grade"
    level: int = 0


def draw_streets(layout: Layout) -> list[Street]:
    """Return every public road between and inside the superblocks, crossings included."""
    upright = sorted({(c.column + k, c.row) for c in layout.cells for k in (0, 1)})
    level = sorted({(c.row + k, c.column) for c in layout.cells for k in (0, 1)})
    streets = _lines("v", upright, layout.river, layout.rail, _COLUMN_CLASS)
    streets += _lines("u", level, layout.rail, layout.river, _ROW_CLASS)
    for cell in layout.cells:
        u0, v0, u1, v1 = cell.box
        beside_river, beside_rail = [], []
        low_u, high_u, low_v, high_v = u0, u1, v0, v1
        if cell.column == layout.river:
            low_u = u0 + RIVER_MARGIN
            beside_river.append(low_u)
        if cell.column + 1 == layout.river:
            high_u = u1 - RIVER_MARGIN
            beside_river.append(high_u)
        if cell.row == layout.rail:
            low_v = v0 + RAIL_MARGIN
            beside_rail.append(low_v)
        if cell.row + 1 == layout.rail:
            high_v = v1 - RAIL_MARGIN
            beside_rail.append(high_v)
        streets += [Street(Lane("v", u, low_v, high_v, "tertiary"), f"bank{u}")
                    for u in beside_river]
        streets += [Street(Lane("u", v, low_u, high_u, "residential"), f"track{v}")
                    for v in beside_rail]
        for side, place, low, high, road_class in cell.streets:
            axis = "v" if side == "u" else "u"
            streets.append(Street(Lane(axis, place, low, high, road_class),
                                  f"{cell.index}.{side}.{place}.{low}"))
    return streets


def _lines(axis: str, edges: list[tuple[int, int]], own: int, crossed: int,
           classes: tuple[str, ...]) -> list[Street]:
    """Draw the arterial lines of one direction.

    ``edges`` are (line, position along it); the line ``own`` is the river or the railway itself
    and has no road; at position ``crossed`` the other one is crossed.
    """
    streets = []
    held = set(edges)
    margin = RIVER_MARGIN if axis == "u" else RAIL_MARGIN
    for line, at in edges:
        if line == own:
            continue
        road_class = classes[abs(line - own) % 4]
        low, high = at * STEP, (at + 1) * STEP
        if at == crossed:
            low += margin
        if at + 1 == crossed:
            high -= margin
        key = f"{axis}{line}"
        streets.append(Street(Lane(axis, line * STEP, low, high, road_class), key))
        major = road_class in ("primary", "secondary")
        # Some smaller roads stop at the water; the railway is bridged by main roads only.
        if crossed in (at, at + 1) and (at == crossed or (line, crossed) not in held):
            streets += _crossing(axis, line, crossed, road_class, major, key)
        if major and (line, at + 1) not in held and at + 1 != crossed:
            streets.append(Street(Lane(axis, line * STEP, high, high + _STUB, road_class), key))
        if major and (line, at - 1) not in held and at != crossed:
            streets.append(Street(Lane(axis, line * STEP, low - _STUB, low, road_class), key))
    return streets


def _crossing(axis: str, line: int, crossed: int, road_class: str, major: bool, key: str
              ) -> list[Street]:
    over_river = axis == "u"
    if over_river and not major and line % 2:
        return []
    bridge = over_river or major
    reach = RIVER_MARGIN if over_river else RAIL_MARGIN
    lane = Lane(axis, line * STEP, crossed * STEP - reach, crossed * STEP + reach, road_class)
    return [Street(lane, key, "bridge" if bridge else "grade", int(bridge))]


def trace(lattice: Lattice, lanes: list[Lane]) -> np.ndarray:
    """Return the LineStrings of straight lattice lines, bent like the lattice."""
    along = [_stations(lane) for lane in lanes]
    counts = np.array([len(a) for a in along], dtype=np.int64)
    places = np.concatenate(along) if along else np.zeros(0)
    across = np.repeat([float(lane.place) for lane in lanes], counts)
    level = np.repeat([lane.axis == "u" for lane in lanes], counts).astype(bool)
    points = lattice.points(np.where(level, places, across), np.where(level, across, places))
    return np.asarray(shapely.linestrings(points, indices=np.repeat(np.arange(len(lanes)),
                                                                    counts)))


def _stations(lane: Lane) -> Floats:
    low, high = float(lane.low), float(lane.high)
    whole = np.arange(np.floor(low) + 1, np.ceil(high))
    stops = [s for s in lane.stops if low < s < high and s % 1]
    along = np.concatenate([[low], whole, stops, [high]])
    return np.unique(along) if stops else along


def bend_spans(lattice: Lattice, spans: Sequence[Span]) -> np.ndarray:
    """Return the Polygons of lattice rectangles, bent like the lattice."""
    outlines = [_outline(span) for span in spans]
    if not outlines:
        return np.array([], dtype=object)
    places = np.concatenate(outlines, axis=1)
    owner = np.repeat(np.arange(len(spans)), [o.shape[1] for o in outlines])
    rings = shapely.linearrings(lattice.points(places[0], places[1]), indices=owner)
    return np.asarray(shapely.polygons(rings))


def _outline(span: Span) -> Floats:
    """Return the closed outline of a rectangle with its whole steps: (2, n), counter-clockwise."""
    u0, v0, u1, v1 = span
    us = np.concatenate([[u0], np.arange(np.floor(u0) + 1, np.ceil(u1)), [u1]])
    vs = np.concatenate([[v0], np.arange(np.floor(v0) + 1, np.ceil(v1)), [v1]])
    u = np.concatenate([us[:-1], np.full(len(vs) - 1, u1), us[:0:-1], np.full(len(vs), u0)])
    v = np.concatenate([np.full(len(us) - 1, v0), vs[:-1], np.full(len(us) - 1, v1), vs[::-1]])
    return np.stack([u, v])


def make_roads(layout: Layout, sketch: Sketch, names: Names, crs: int) -> gpd.GeoDataFrame:
    """Return the layer of roads: public ones first, then those inside blocks."""
    public = draw_streets(layout)
    lanes = [s.lane for s in public] + sketch.lanes
    inner = len(lanes) - len(public)
    road_class = np.array([lane.road_class for lane in lanes], dtype=object)
    outside = np.array([c in ("service", "footway", "track") for c in road_class])
    lines = trace(layout.lattice, lanes)
    named: dict[str, str] = {}
    for street in public:
        if street.key not in named:
            named[street.key] = names.take(_suffix(street))
    label = [named[s.key] for s in public] + [lane.name for lane in sketch.lanes]
    frame = pd.DataFrame({
        "road_id": [f"R{i + 1:06d}" for i in range(len(lanes))],
        "name": pd.array([n or pd.NA for n in label], dtype="string"),
        "road_class": road_class,
        "structure": [s.structure for s in public] + ["grade"] * inner,
        "level": [s.level for s in public] + [0] * inner,
        "public": ~outside, "inner": outside, "one_way": "", "foot": True, "bike": True,
        "ebike": road_class != "footway",
        "car": ~np.isin(road_class, ["footway", "track"]),
        "maxspeed_kmh": [_SPEED_KMH.get(c, np.nan) for c in road_class],
        "length_m": np.round(shapely.length(lines), 2)})
    return conform_input("roads", gpd.GeoDataFrame(frame, geometry=lines, crs=crs))


def _suffix(street: Street) -> str:
    axis, road_class = street.lane.axis, street.lane.road_class
    if street.key.startswith("bank"):
        return "滨河路"
    if road_class == "primary":
        return "大道"
    if road_class in ("secondary", "tertiary"):
        return "路"
    if road_class == "living_street":
        return "巷"
    return "街" if axis == "u" else "支路"


def make_barriers(layout: Layout, sketch: Sketch, names: Names, crs: int) -> gpd.GeoDataFrame:
    """Return the river, the railway, ponds in the parks, and the walls between estates."""
    lattice = layout.lattice
    rows = [c.row for c in layout.cells]
    columns = [c.column for c in layout.cells]
    v = np.arange(min(rows) * STEP - 8, (max(rows) + 1) * STEP + 9, dtype=float)
    u = np.arange(min(columns) * STEP - 8, (max(columns) + 1) * STEP + 9, dtype=float)
    half = RIVER_STEPS + 0.18 * np.sin(v / 7.0)
    bed = np.full(len(v), float(layout.river * STEP))
    shore = np.concatenate([lattice.points(bed - half, v), lattice.points(bed + half, v)[::-1]])
    track = lattice.points(u, np.full(len(u), float(layout.rail * STEP)))
    walls = trace(lattice, [Lane(axis, place, low, high, "wall")
                            for estate in sketch.estates
                            for axis, place, low, high in estate.party])
    ponds = [_pond(lattice, span) for role, _, span in sketch.specials if role == "park"]
    shapes = [shapely.Polygon(shore), shapely.LineString(track), *ponds, *walls]
    kinds = ["river", "rail", *["water"] * len(ponds), *["wall"] * len(walls)]
    labels = [names.take("江"), names.take("铁路"), *[names.take("湖") for _ in ponds],
              *[pd.NA] * len(walls)]
    return conform_input("barriers", gpd.GeoDataFrame(
        {"barrier_id": [f"X{i + 1:05d}" for i in range(len(shapes))], "kind": kinds,
         "name": pd.array(labels, dtype="string")}, geometry=shapes, crs=crs))


def _pond(lattice: Lattice, span: Span) -> shapely.Polygon:
    u0, v0, u1, v1 = span
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    reach = 1 + 0.12 * np.sin(3 * angle)
    u = u0 + 0.75 * (u1 - u0) + 0.19 * (u1 - u0) * reach * np.cos(angle)
    v = v0 + 0.74 * (v1 - v0) + 0.19 * (v1 - v0) * reach * np.sin(angle)
    return shapely.Polygon(lattice.points(u, v))
