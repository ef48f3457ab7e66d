"""Rails, rivers, standing water and walls → barriers."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.osm.tags import (
    RAILS,
    WALLS,
    WATERCOURSES,
    has,
    levels,
    metres,
    tag,
    text,
    underground,
)

# Narrower watercourses can be stepped or driven over and do not part a grid.
RIVER_WIDTH_M = 5.0


def make_barriers(lines: gpd.GeoDataFrame, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the barriers: surface rails, watercourses of 5 m and more, water areas and walls.

    A watercourse without a width is a barrier, as rivers and canals are mapped as such
    where they are wide; streams and ditches are not. What runs in a tunnel, a culvert or
    below ground is none.
    """
    rails = lines[has(lines, "railway", RAILS) & ~has(lines, "tunnel") & ~(levels(lines) < 0)]
    width = metres(tag(lines, "width")).fillna(metres(tag(lines, "est_width")))
    streams = lines[has(lines, "waterway", WATERCOURSES) & ~underground(lines)
                    & ~has(lines, "covered") & ~(width < RIVER_WIDTH_M).to_numpy(bool)]
    walls = lines[has(lines, "barrier", WALLS) & ~underground(lines)]
    water = areas[(has(areas, "natural", frozenset(("water",)))
                   | has(areas, "waterway", frozenset(("riverbank",)))
                   | has(areas, "landuse", frozenset(("reservoir",))))
                  & ~underground(areas) & ~has(areas, "covered")]
    flowing = has(water, "water", WATERCOURSES) | has(water, "waterway", frozenset(("riverbank",)))
    parts = [_kind(rails, "rail"), _kind(streams, "river"),
             _kind(water, np.where(flowing, "river", "water")), _kind(walls, "wall")]
    out = gpd.GeoDataFrame(pd.concat(parts), crs=lines.crs)
    # A way that is both, say, a wall and a bank, is told once.
    return out[~out.index.duplicated()]


def _kind(frame: gpd.GeoDataFrame, kind: str | np.ndarray) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"kind": np.broadcast_to(np.asarray(kind, dtype=object), len(frame)),
                             "name": text(frame, "name")},
                            geometry=frame.geometry, crs=frame.crs)


def coastlines(lines: gpd.GeoDataFrame) -> list[shapely.LineString]:
    """Return the lines of the coast; land lies on their left."""
    return list(lines.geometry[has(lines, "natural", frozenset(("coastline",)))])
