"""Coastlines → the sea as an area. Land lies on the left of a coastline."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import shapely

from gridplan.errors import Findings, first_ids
from gridplan.osm.features import CRS, haversine_m

# A face whose coast tells land and sea apart less clearly than this is not trusted.
_DOUBT = 0.05
# Votes are taken at most so far apart along the coast, so far beside it (degrees: 50 m, 1 cm).
_STEP = 5e-4
_BESIDE = 1e-7
# Crumbs of a cut that are no area: about 0.1 m².
_CRUMB = 1e-11


def draw_sea(coast: Sequence[shapely.LineString], region: shapely.Geometry, gap_m: float,
             name: str, findings: Findings) -> list[shapely.Polygon]:
    """Return the pieces of ``region`` that are sea, in degrees.

    The coast and the outline of the region are noded and polygonized; each face is sea
    when more of its coast has it on the right. An end of the coast inside the region is
    joined to the nearest other end or to the region's outline within ``gap_m``; where
    that fails, or where a face has the coast on both sides, nothing is called sea and a
    warning says so.
    """
    merged = shapely.get_parts(shapely.line_merge(shapely.MultiLineString(list(coast)),
                                                  directed=True))
    lines = [line for line in merged if shapely.intersects(line, region)]
    if not lines:
        return []
    joins, loose = _join_ends(lines, region, gap_m)
    if loose:
        findings.add("osm.coast_open", "warning", file=name, layer="barriers", count=loose,
                     limit=round(gap_m))
        return []
    noded = shapely.unary_union([*lines, *joins, region.boundary])
    faces = shapely.get_parts(shapely.polygonize([noded]))
    shapely.prepare(region)
    faces = faces[shapely.covers(region, shapely.point_on_surface(faces))]
    sea, doubtful = _vote(faces, lines)
    if doubtful:
        findings.add("osm.coast_doubtful", "warning", file=name, layer="barriers", count=doubtful)
        return []
    return [shapely.normalize(face) for face in faces[sea]]


def _join_ends(lines: Sequence[shapely.LineString], region: shapely.Geometry,
               gap_m: float) -> tuple[list[shapely.LineString], int]:
    """Return straight joins for ends inside the region, and how many ends stay loose."""
    ends = np.array([p for line in lines if not line.is_closed
                     for p in (line.coords[0][:2], line.coords[-1][:2])]).reshape(-1, 2)
    points = shapely.points(ends)
    inside = shapely.contains(region, points)
    ends, points = ends[inside], points[inside]
    joins: list[shapely.LineString] = []
    free = np.ones(len(ends), dtype=bool)
    one, two = np.triu_indices(len(ends), 1)
    gap = haversine_m(ends[one], ends[two])
    edge = shapely.get_coordinates(shapely.line_interpolate_point(
        region.boundary, shapely.line_locate_point(region.boundary, points))).reshape(-1, 2)
    to_edge = haversine_m(ends, edge)
    for pair in np.lexsort((two, one, gap)):
        a, b = one[pair], two[pair]
        if free[a] and free[b] and gap[pair] <= min(gap_m, to_edge[a], to_edge[b]):
            free[[a, b]] = False
            joins.append(shapely.LineString([ends[a], ends[b]]))
    for a in np.flatnonzero(free & (to_edge <= gap_m)):
        free[a] = False
        # A little beyond the outline, so that rounding leaves no gap.
        joins.append(shapely.LineString([ends[a], edge[a] + (edge[a] - ends[a]) * 1e-3]))
    return joins, int(free.sum())


def _vote(faces: np.ndarray, lines: Sequence[shapely.LineString]) -> tuple[np.ndarray, int]:
    """Tell which faces have the coast on their sea side, and how many are in doubt."""
    fine = shapely.segmentize(np.array(lines, dtype=object), _STEP)
    at, line = shapely.get_coordinates(fine, return_index=True)
    same = line[1:] == line[:-1]
    start, step = at[:-1][same], np.diff(at, axis=0)[same]
    length = np.hypot(*step.T)
    start, step, length = start[length > 0], step[length > 0], length[length > 0]
    middle = start + step / 2
    right = np.column_stack([step[:, 1], -step[:, 0]]) / length[:, None] * _BESIDE
    tree = shapely.STRtree(faces)
    votes = np.zeros((2, len(faces)))
    for side, points in enumerate((middle + right, middle - right)):
        point, face = tree.query(shapely.points(points), predicate="within")
        votes[side] = np.bincount(face, length[point], len(faces))
    total = votes.sum(axis=0)
    doubtful = votes.min(axis=0) > _DOUBT * total
    return votes[0] > votes[1], int(doubtful.sum())


def clip_communities(communities: gpd.GeoDataFrame, sea: Sequence[shapely.Polygon], name: str,
                     findings: Findings) -> gpd.GeoDataFrame:
    """Take the sea out of the communities; what lies in it wholly is left out, and told."""
    water = shapely.union_all(list(sea))
    before = np.asarray(communities.geometry.array)
    touched = shapely.area(shapely.intersection(before, water)) > _CRUMB
    if not touched.any():
        return communities
    after = before.copy()
    after[touched] = [_land(g) for g in shapely.difference(before[touched], water)]
    keep = ~shapely.is_empty(after)
    out = communities.set_geometry(gpd.GeoSeries(after, index=communities.index, crs=CRS))
    findings.add("osm.coast_clipped", "repaired", file=name, layer="communities",
                 count=int(touched.sum()), ids=first_ids(communities.index[touched]))
    if not keep.all():
        findings.add("osm.all_sea", "warning", file=name, layer="communities",
                     count=int((~keep).sum()), ids=first_ids(communities.index[~keep]))
    return out[keep]


def _land(shape: shapely.Geometry) -> shapely.Geometry:
    """Keep the polygons of a cut that are more than a crumb."""
    parts = [p for p in shapely.get_parts(shape)
             if p.geom_type == "Polygon" and p.area > _CRUMB]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
