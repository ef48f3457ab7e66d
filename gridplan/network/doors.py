"""Buildings enter the network at their doors."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.errors import Findings, Outcome, first_ids
from gridplan.network.access import Snapper, _find_access, find_unsure
from gridplan.network.model import Access, StreetNetwork
from gridplan.network.obstacles import Ints, estate_of, survey_ground
from gridplan.params import NetworkParams


def door_points(buildings: gpd.GeoDataFrame, entrances: gpd.GeoDataFrame | None = None
                ) -> tuple[NDArray[np.object_], Ints]:
    """Return the doors of buildings, and the row of the building that each leads into.

    Doors are the entrances of a building; without any its centroid, or where that lies outside a
    point on its surface.

    >>> buildings = gpd.GeoDataFrame(index=["a", "b"],
    ...                              geometry=[shapely.box(0, 0, 2, 2), shapely.box(4, 0, 6, 2)])
    >>> entrances = gpd.GeoDataFrame({"building_id": ["b", "b"]},
    ...                              geometry=[shapely.Point(4, 1), shapely.Point(6, 1)])
    >>> points, row = door_points(buildings, entrances)
    >>> shapely.get_coordinates(points).tolist(), row.tolist()
    ([[1.0, 1.0], [4.0, 1.0], [6.0, 1.0]], [0, 1, 1])
    """
    row, doors = np.zeros(0, dtype=np.int64), np.array([], dtype=object)
    if entrances is not None and len(entrances):
        held = entrances.iloc[np.argsort(entrances.index.astype(str), kind="stable")]
        at = buildings.index.get_indexer(pd.Index(held["building_id"].astype(object)))
        row, doors = at[at >= 0].astype(np.int64), held.geometry.to_numpy()[at >= 0]
    bare = np.setdiff1d(np.arange(len(buildings)), row)
    row = np.concatenate([row, bare])
    doors = np.concatenate([doors, centre_points(buildings.geometry.to_numpy()[bare])])
    order = np.argsort(row, kind="stable")
    return doors[order], row[order]


def centre_points(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the centroid of each shape, or where it lies outside a point on its surface.

    >>> bent = shapely.Polygon([(0, 0), (9, 0), (9, 1), (1, 1), (1, 9), (0, 9)])
    >>> shapely.contains(bent, centre_points(np.array([bent])))
    array([ True])
    """
    centre = np.asarray(shapely.centroid(shapes), dtype=object)
    outside = ~np.asarray(shapely.intersects(shapes, centre))
    centre[outside] = shapely.point_on_surface(shapes[outside])
    return centre


def merge_access(access: Access, owner: Ints, n: int) -> Access:
    """Make the doors of one building its options.

    Parameters
    ----------
    access
        Of k doors.
    owner
        (k,) building of each door, 0 to n − 1.

    Returns
    -------
    Access
        Of n buildings. A building is uncertain where all its doors with access are; beside a
        door that is certain, uncertain ones do not count.

    >>> one = np.array([1.0, 2.0])
    >>> doors = Access(np.array([0, 1, 2]), np.array([4, 7]), one, one, np.zeros(2, bool))
    >>> merged = merge_access(doors, np.array([1, 1]), 2)
    >>> merged.start.tolist(), merged.edge.tolist()
    ([0, 0, 2], [4, 7])
    """
    count = np.diff(access.start)
    sure = np.zeros(n, dtype=bool)
    sure[owner[(count > 0) & ~access.uncertain]] = True
    door = np.repeat(np.arange(len(access)), count)
    option = np.flatnonzero(~(access.uncertain[door] & sure[owner[door]]))
    building = owner[door[option]]
    order = np.argsort(building, kind="stable")
    option, building = option[order], building[order]
    start = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(building, minlength=n), out=start[1:])
    return Access(start=start, edge=access.edge[option], at_m=access.at_m[option],
                  leg_m=access.leg_m[option], uncertain=~sure & (np.diff(start) > 0))


def find_building_access(network: StreetNetwork, buildings: gpd.GeoDataFrame,
                         entrances: gpd.GeoDataFrame | None = None, *,
                         barriers: gpd.GeoDataFrame | None = None,
                         estates: gpd.GeoDataFrame | None = None,
                         gates: gpd.GeoDataFrame | None = None,
                         params: NetworkParams | None = None) -> Access:
    """Find where buildings enter the network, by any of their doors.

    A building whose centre lies in an estate without known gates and streets uses its centre
    only. The other arguments are those of :func:`gridplan.network.find_access`.

    >>> from gridplan.network.build import build_network
    >>> roads = gpd.GeoDataFrame({"road_id": ["a"]}, crs=4549, geometry=[
    ...     shapely.LineString([(0, 0), (100, 0)])])
    >>> buildings = gpd.GeoDataFrame(index=["b"], geometry=[shapely.box(10, 5, 20, 15)], crs=4549)
    >>> find_building_access(build_network(roads), buildings).leg_m.tolist()
    [10.0]
    """
    params = params or NetworkParams()
    ground = survey_ground(barriers, estates, gates)
    points, row = door_points(buildings, entrances)
    if ground.estates:
        centre = centre_points(buildings.geometry.to_numpy())
        home = estate_of(ground, centre)
        unsure = (home >= 0) & find_unsure(network, ground)[home]
        keep = ~unsure[row]
        row = np.concatenate([row[keep], np.flatnonzero(unsure)])
        points = np.concatenate([points[keep], centre[unsure]])
    found = _find_access(Snapper(network, ground), points, params.snap_m, True)
    return merge_access(found, row, len(buildings))


def tell_off(network: StreetNetwork, points: NDArray[np.object_], access: Access,
             ids: pd.Index, findings: Findings, *, layer: str, outcome: Outcome = "error",
             file: str = "", params: NetworkParams | None = None) -> None:
    """Note the points that have no access, all in one finding ``network.off``.

    ``points`` and ``ids`` are one per row of ``access``. The finding names the first one and how
    far the nearest usable edge is, as the crow flies.
    """
    off = np.flatnonzero(access.off)
    if not off.size:
        return
    params = params or NetworkParams()
    lines = network.geometry[network.usable]
    away = shapely.STRtree(lines).query_nearest(points[off[:1]], return_distance=True,
                                                all_matches=False)[1]
    findings.add("network.off", outcome, file=file, layer=layer, row=ids[off[0]],
                 count=len(off), distance=f"{away[0]:,.0f}", limit=f"{params.snap_m:g}",
                 rows=first_ids(ids[off]))
