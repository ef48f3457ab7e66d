"""Objects with tags on their way from a file or a server to layers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import shapely

from gridplan.osm.tags import KEPT

CRS = "EPSG:4326"
_ORDER = {"n": 0, "w": 1, "r": 2}


@dataclass
class Collector:
    """Gathers objects one by one, tag by tag, so that absent tags cost nothing.

    Only tags in ``kept`` are held; None holds all.
    """

    kept: frozenset[str] | None = KEPT
    keys: list[str] = field(default_factory=list)
    shapes: list[object] = field(default_factory=list)
    tags: dict[str, dict[int, str]] = field(default_factory=dict)

    def add(self, key: str, shape: object, tags: Mapping[str, str]) -> None:
        """Take one object; ``shape`` is hexadecimal WKB or a geometry."""
        row = len(self.keys)
        self.keys.append(key)
        self.shapes.append(shape)
        for name, value in tags.items():
            if self.kept is None or name in self.kept:
                self.tags.setdefault(name, {})[row] = sys.intern(value)

    def frame(self) -> gpd.GeoDataFrame:
        """Return the objects in the order of their ids, each once, one object column per tag."""
        rows = len(self.keys)
        columns = {}
        for name in sorted(self.tags):
            held = np.full(rows, "", dtype=object)
            held[list(self.tags[name])] = list(self.tags[name].values())
            columns[name] = held
        frame = gpd.GeoDataFrame(columns, geometry=_shapes(self.shapes), crs=CRS,
                                 index=np.array(self.keys, dtype=object))
        frame = frame.iloc[sorted(range(rows), key=lambda i: _rank(self.keys[i]))]
        return frame[~frame.index.duplicated()]


@dataclass
class Features:
    """Points, lines and areas of one source, the key as index and one column per tag.

    ``bounds`` are the administrative areas asked for by level or name; ``box`` is what the
    source says that it covers. ``mended`` and ``lost`` are the keys of areas that had to be
    put together by hand, and of those that could not be, with the tags of the latter;
    ``open`` are building outlines that do not close.
    """

    name: str
    points: gpd.GeoDataFrame
    lines: gpd.GeoDataFrame
    areas: gpd.GeoDataFrame
    bounds: gpd.GeoDataFrame
    mended: set[str] = field(default_factory=set)
    lost: dict[str, dict[str, str]] = field(default_factory=dict)
    open: dict[str, dict[str, str]] = field(default_factory=dict)
    box: shapely.Geometry | None = None


def haversine_m(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the metres between points ``a`` and ``b``, each (n, 2) in degrees (lon, lat).

    Haversine formula on a sphere of 6,371,008.8 m, the mean radius of the Earth.
    """
    lon_a, lat_a = np.radians(a).T
    lon_b, lat_b = np.radians(b).T
    half = (np.sin((lat_b - lat_a) / 2) ** 2
            + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_b - lon_a) / 2) ** 2)
    return 2 * 6_371_008.8 * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))


def in_metres(frame: gpd.GeoDataFrame, bounds: np.ndarray) -> np.ndarray:
    """Project geometries to metres around the middle of ``bounds``; only for distances."""
    lon, lat = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    return np.asarray(frame.geometry.to_crs(f"+proj=aeqd +lat_0={lat} +lon_0={lon}").array)


def _shapes(shapes: list[object]) -> np.ndarray:
    out = np.empty(len(shapes), dtype=object)
    text = np.array([isinstance(s, str) for s in shapes], dtype=bool)
    if text.any():
        out[text] = shapely.from_wkb([s for s in shapes if isinstance(s, str)])
    for row in np.flatnonzero(~text):
        out[row] = shapes[row]
    single = (shapely.get_type_id(out) == shapely.GeometryType.MULTIPOLYGON) & (
        shapely.get_num_geometries(out) == 1)
    out[single] = shapely.get_geometry(out[single], 0)
    return out


def _rank(key: str) -> tuple[int, int, int]:
    """Order keys by type and number: ``w9`` before ``w10``, parts of a line in their order."""
    number, _, part = key[1:].partition("/")
    return _ORDER.get(key[:1], 3), int(number), int(part or 0)


def repair_areas(features: Features) -> None:
    """Make invalid areas valid by their structure; what keeps no area counts as lost."""
    for frame_name in ("areas", "bounds"):
        frame = getattr(features, frame_name)
        shapes = np.asarray(frame.geometry.array)
        bad = ~shapely.is_valid(shapes) | shapely.is_empty(shapes)
        if not bad.any():
            continue
        shapes = shapes.copy()
        shapes[bad] = [_areal(g) for g in shapely.make_valid(shapes[bad], method="structure")]
        gone = shapely.is_empty(shapes)
        features.mended.update(frame.index[bad & ~gone])
        for key in frame.index[gone]:
            tags = frame.loc[key].drop("geometry")
            features.lost[key] = {k: v for k, v in tags.items() if v}
        held = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=CRS))
        setattr(features, frame_name, held[~gone])


def _areal(shape: shapely.Geometry) -> shapely.Geometry:
    """Keep the polygons of a repaired shape."""
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"]
    parts = [q for p in parts for q in shapely.get_parts(p) if q.area > 0]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
