"""Who can serve where: room and share of every person, places allowed, where ways begin."""

from __future__ import annotations

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.assign.problem import NO_LIMIT
from gridplan.layers import Roster
from gridplan.params import AssignParams
from gridplan.plan import Plan

PREMISES = "community_service_station"
_CONTACT_M = 1.0  # a shared border shorter than this is no contact


def list_people(plan: Plan, roster: Roster, params: AssignParams,
                absent: Iterable[str] = ()) -> pd.DataFrame:
    """Return everybody of a roster who is not absent, with the room for posts of responsibles.

    Who states no capacity has ``most_households`` of the kind of her community times her part
    of full working time, rounded down.

    Returns
    -------
    DataFrame
        Indexed by staff_id in their order: the columns of the layer ``staff``, room_households,
        room_posts and share. Nobody has room who works no part of the time.
    """
    gone = list(absent)
    staff = roster.staff[~roster.staff.index.isin(gone)].sort_index(kind="stable")
    towns = plan.layer("communities")
    kinds = pd.Series(towns["kind"].fillna("urban").to_numpy(dtype=object),
                      towns["community_id"].to_numpy(dtype=object))
    share = staff["part_time"].to_numpy(dtype=float, na_value=1.0)
    most = {k: params.of_kind("most_households", k) for k in ("urban", "old", "rural")}
    usual = staff["community_id"].map(kinds).fillna("urban").map(most).to_numpy(dtype=float)
    stated = staff["capacity"].to_numpy(dtype=float, na_value=np.nan)
    unsaid = np.isnan(stated)
    in_grids = (staff["capacity_unit"].fillna("households") == "grids").to_numpy(
        dtype=bool) & ~unsaid
    # 1e-9: 0.29 × 100 is a little less than 29 for a computer.
    room = np.where(unsaid, np.floor(usual * share + 1e-9), stated)
    out = pd.DataFrame(staff.drop(columns="row"))
    out["room_households"] = np.where(in_grids, NO_LIMIT, room).astype(np.int64)
    out["room_posts"] = np.where(in_grids, room, NO_LIMIT).astype(np.int64)
    out.loc[share <= 0, "room_posts"] = 0
    out["share"] = np.where(share > 0, share, 1.0)
    return out


def list_places(plan: Plan, people: pd.DataFrame, roster: Roster,
                params: AssignParams) -> pd.DataFrame:
    """Return in which communities everybody may serve: person (position), community_id.

    Her own, those that the roster allows her and, with ``across``, those that border her own by
    at least a metre.
    """
    own = pd.DataFrame({"person": np.arange(len(people)),
                        "community_id": people["community_id"].to_numpy(dtype=object)})
    allowed = pd.DataFrame({"person": people.index.get_indexer(roster.allowed["staff_id"]),
                            "community_id": roster.allowed["community_id"].to_numpy(dtype=object)})
    parts = [own, allowed[allowed["person"] >= 0]]
    if params.across:
        near = find_neighbours(plan.layer("communities"))
        parts.append(own.merge(near, left_on="community_id", right_on="a")[["person", "b"]]
                     .rename(columns={"b": "community_id"}))
    both = pd.concat([p for p in parts if len(p)] or [own], ignore_index=True).drop_duplicates()
    return both.sort_values(["person", "community_id"], kind="stable", ignore_index=True)


def find_neighbours(communities: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return every pair of communities, both ways, that share at least a metre of border.

    Examples
    --------
    >>> three = gpd.GeoDataFrame({"community_id": ["c1", "c2", "c3"]}, crs=4549, geometry=[
    ...     shapely.box(0, 0, 9, 9), shapely.box(9, 0, 18, 9), shapely.box(18, 9, 27, 18)])
    >>> find_neighbours(three).values.tolist()
    [['c1', 'c2'], ['c2', 'c1']]
    """
    ids = communities["community_id"].to_numpy(dtype=object)
    shapes = communities.geometry.to_numpy()
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    a, b = a[a < b], b[a < b]
    edges = shapely.boundary(shapes)
    # Borders of a clean coverage share their vertices; the grid mends what is off by less.
    shared = shapely.length(shapely.intersection(edges[a], edges[b], grid_size=0.001))
    near = shared >= _CONTACT_M
    pairs = pd.DataFrame({"a": np.concatenate([ids[a[near]], ids[b[near]]]),
                          "b": np.concatenate([ids[b[near]], ids[a[near]]])})
    return pairs.sort_values(["a", "b"], ignore_index=True)


def find_starts(plan: Plan, people: pd.DataFrame, roster: Roster) -> NDArray[np.float64]:
    """Return where everybody's ways begin, (n, 2) in the CRS of the plan; homes are never used.

    The mean of the centres of the buildings she knows; else the premises of her community.
    """
    places = locate_communities(plan)
    at = np.array(places.reindex(people["community_id"].to_numpy(dtype=object)), dtype=float)
    buildings = plan.layer("buildings")
    known = roster.known
    row = pd.Index(buildings["building_id"].astype(object)).get_indexer(known["building_id"])
    person = people.index.get_indexer(known["staff_id"])
    held = (row >= 0) & (person >= 0)
    centre = shapely.get_coordinates(shapely.centroid(buildings.geometry.to_numpy()[row[held]]))
    mean = pd.DataFrame({"person": person[held], "x": centre[:, 0], "y": centre[:, 1]}).groupby(
        "person")[["x", "y"]].mean()
    at[mean.index.to_numpy(dtype=np.int64)] = mean.to_numpy(dtype=float)
    return at


def locate_communities(plan: Plan) -> pd.DataFrame:
    """Return x and y of every community: its premises, else a point on its land.

    Premises are the first facility by code with the category ``community_service_station`` on
    its land.
    """
    towns = plan.layer("communities").sort_values("community_id", kind="stable")
    shapes = towns.geometry.to_numpy()
    at = shapely.get_coordinates(shapely.point_on_surface(shapes))
    facilities = plan.layer("facilities").sort_values("facility_id", kind="stable")
    ours = np.array([PREMISES in [c.strip() for c in str(text).split(";")]
                     for text in facilities["categories"].fillna("")], dtype=bool)
    ours &= (facilities["status"].fillna("existing") != "proposed").to_numpy(dtype=bool)
    points = facilities.geometry.to_numpy()[ours]
    town, point = shapely.STRtree(points).query(shapes, predicate="intersects")
    first = pd.DataFrame({"town": town, "point": point}).groupby("town")["point"].min()
    at[first.index.to_numpy(dtype=np.int64)] = shapely.get_coordinates(
        points[first.to_numpy(dtype=np.int64)])
    return pd.DataFrame(at, towns["community_id"].to_numpy(dtype=object), ["x", "y"])


def locate_grids(plan: Plan) -> pd.DataFrame:
    """Return x and y of a point on the land of every grid, indexed by grid_id."""
    grids = plan.layer("grids")
    at = shapely.get_coordinates(shapely.point_on_surface(grids.geometry.to_numpy()))
    return pd.DataFrame(at, grids["grid_id"].to_numpy(dtype=object), ["x", "y"])
