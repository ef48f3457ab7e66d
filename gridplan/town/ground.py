"""From the sketch to layers: bent buildings that keep clear of everything, with their owners."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.layers import conform_input
from gridplan.town.homes import Site, fill_estates, fill_landmark, fill_lanes
from gridplan.town.lattice import Lattice
from gridplan.town.layout import Layout
from gridplan.town.names import Names
from gridplan.town.sketch import USE_CODE, USES, Sketch
from gridplan.town.streets import CLEAR_M, bend_spans
from gridplan.town.works import fill_works

_APART_M = 0.3  # least distance between buildings
_BORDER_M = 2.5  # least distance between a building and the border of its block


def fill_blocks(layout: Layout, seed: int) -> Sketch:
    """Draw what stands in every block."""
    sketch = Sketch()
    blocks = layout.blocks
    rect = np.array([b.rect for b in blocks], dtype=float)
    middle = (rect[:, :2] + rect[:, 2:]) / 2
    reach = np.minimum(rect[:, 2] - rect[:, 0], rect[:, 3] - rect[:, 1]) / 2
    _, wide, high = layout.lattice.frame(middle[:, 0], middle[:, 1], reach)
    lean = layout.lattice.lean(middle[:, 0], middle[:, 1], reach)
    for index, block in enumerate(blocks):
        rng = np.random.default_rng([seed, 2, index])
        w, s, e, n = (18.0 if outer else 6.5 for outer in block.outer)
        site = Site(block, index, float(wide[index]), float(high[index]),
                    float(lean[index]), (w, s, e, n))
        if block.role == "estate":
            fill_estates(site, sketch, rng)
        elif block.role == "landmark":
            fill_landmark(site, sketch)
        elif block.role in ("old", "village"):
            fill_lanes(site, sketch, rng, village=block.role == "village")
        else:
            fill_works(site, sketch, rng)
    return sketch


def make_buildings(layout: Layout, sketch: Sketch, roads: gpd.GeoDataFrame,
                   barriers: gpd.GeoDataFrame, most: int | None = None
                   ) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the buildings that stand clear of each other and of every line, and their shapes.

    Sheds are left out, evenly, until no more than ``most`` buildings are left.
    """
    columns = sketch.columns()
    shapes = _outlines(layout.lattice, columns)
    keep = _inside_block(layout, columns["block"], shapes)
    keep &= ~_on_a_line(shapes, roads, barriers)
    keep[keep] &= ~_crowded(shapes[keep], columns["width"][keep] * columns["depth"][keep])
    if most is not None and (more := int(keep.sum()) - most) > 0:
        sheds = np.flatnonzero(keep & (columns["use"] == USE_CODE["shed"]))
        keep[sheds[np.linspace(0, len(sheds) - 1, min(more, len(sheds))).astype(int)]] = False
    frame = pd.DataFrame({name: values[keep] for name, values in columns.items()})
    frame["use"] = np.array(USES, dtype=object)[frame["use"].to_numpy().astype(int)]
    for name in ("estate", "phase", "number", "block"):
        frame[name] = frame[name].astype(int)
    frame["given"] = frame["given"].astype(bool)
    frame["households"] = _hold_exactly(layout, frame)
    return frame, shapes[keep]


def _outlines(lattice: Lattice, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Return rectangles that stand square to their row."""
    u, v = columns["u"], columns["v"]
    centre = lattice.points(u, v)
    angle = lattice.frame(u, v, 0.75)[0]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    across = np.array([-0.5, 0.5, 0.5, -0.5]) * columns["width"][:, None]
    up = np.array([-0.5, -0.5, 0.5, 0.5]) * columns["depth"][:, None]
    x = centre[:, :1] + across * cos - up * sin
    y = centre[:, 1:] + across * sin + up * cos
    corners = np.round(np.stack([x, y], axis=-1), 3)
    return np.asarray(shapely.polygons(corners))


def _inside_block(layout: Layout, block: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    grounds = bend_spans(layout.lattice, [b.rect for b in layout.blocks])
    grounds = shapely.buffer(grounds, -_BORDER_M, join_style="mitre")
    shapely.prepare(grounds)
    return np.asarray(shapely.covers(grounds[block.astype(int)], shapes))


def _on_a_line(shapes: np.ndarray, roads: gpd.GeoDataFrame, barriers: gpd.GeoDataFrame
               ) -> np.ndarray:
    lines = np.concatenate([roads.geometry.to_numpy(), barriers.geometry.to_numpy()])
    clear = np.concatenate([roads["road_class"].map(CLEAR_M).to_numpy(dtype=float),
                            np.full(len(barriers), 1.5)])
    _, hit = shapely.STRtree(shapes).query(lines, predicate="dwithin", distance=clear)
    blocked = np.zeros(len(shapes), dtype=bool)
    blocked[hit] = True
    return blocked


def _crowded(shapes: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Mark the smaller one of two buildings that stand too close."""
    one, other = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=_APART_M)
    pair = one < other
    one, other = one[pair], other[pair]
    dropped = np.zeros(len(shapes), dtype=bool)
    dropped[np.where(area[one] < area[other], one, other)] = True
    return dropped


def _hold_exactly(layout: Layout, frame: pd.DataFrame) -> np.ndarray:
    """Return the households, scaled where a block must hold an exact number."""
    households = frame["households"].to_numpy().astype(np.int64)
    for index, block in enumerate(layout.blocks):
        if not block.exact or block.role == "landmark":
            continue
        rows = np.flatnonzero((frame["block"] == index) & (frame["use"] == "apartments"))
        share = households[rows] / households[rows].sum() * block.exact
        whole = np.floor(share).astype(np.int64)
        most = np.argsort(whole - share, kind="stable")[:block.exact - int(whole.sum())]
        whole[most] += 1
        households[rows] = whole
    return households


def make_communities(layout: Layout, names: Names, crs: int) -> gpd.GeoDataFrame:
    """Return the communities, in the layout's order, with their codes and names."""
    shapes = shapely.segmentize(np.array(layout.shapes), 1.0)
    coordinates = np.round(shapely.get_coordinates(shapes))
    bent = layout.lattice.points(coordinates[:, 0], coordinates[:, 1])
    shapes = shapely.set_coordinates(shapes, bent)
    subdistrict = _subdistricts(layout)
    ids, labels = [], []
    counted: dict[tuple[str, bool], int] = {}
    for code, kind in zip(subdistrict, layout.kinds, strict=True):
        village = kind == "rural"
        number = counted[code, village] = counted.get((code, village), 0) + 1
        ids.append(f"{code}{number + 200 * village:03d}")
        labels.append(names.take_village() if village else names.take("社区"))
    population = [pd.NA] * len(ids)
    return conform_input("communities", gpd.GeoDataFrame(
        {"community_id": ids, "subdistrict_id": subdistrict, "name": labels,
         "kind": layout.kinds, "population": population}, geometry=shapes, crs=crs))


def _subdistricts(layout: Layout) -> list[str]:
    """Group neighbouring superblocks into subdistricts of about six communities; towns apart."""
    groups: dict[tuple[int, int, bool], str] = {}
    codes = []
    for community, cell in enumerate(layout.cell_of):
        place = layout.cells[cell]
        rural = layout.kinds[community] == "rural"
        key = (place.row // 2, place.column // 3, rural)
        if key not in groups:
            number = sum(k[2] == rural for k in groups) + 1
            groups[key] = f"990101{number + 100 * rural:03d}"
        codes.append(groups[key])
    return codes
