"""Where patrols start from and which places they visit, when nobody has said so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.i18n import translate
from gridplan.layers import TIERS, conform
from gridplan.network.usage import text_of
from gridplan.params import MODES, Params
from gridplan.patrol.pieces import Floats, Web, order_rows
from gridplan.patrol.workload import Work, cruise_kmh
from gridplan.patrol.zones import find_zones
from gridplan.plan import Plan

POST_MIN = 15.0  # a post farther than this from a zone's centre costs more than it gives
STOPS_PER_1000 = 2.0  # stops for 1,000 households: more than that fill no town team's day
NEAR_SPECIAL_M = 30.0  # a facility so near a special place stands for it
ROW_M = 500.0
SPACING_MIN = 240  # two visits of a day so far apart are two looks and not one


@dataclass(frozen=True)
class Sort:
    """How places of a kind are visited.

    Attributes
    ----------
    priority
        Larger is more important: 3 where crowds or children are, 2 where people queue, 1 else.
    visits
        Visits a day.
    stay_min
        5 to look round, 10 to walk through or to stand at a gate.
    windows
        When; where it matters.
    """

    priority: int
    visits: int
    stay_min: int
    windows: str = ""


# Windows are when most people come and go, as a rule of thumb: lessons begin and end, visiting
# hours, shopping, the way to work; a planner corrects them in the layer. Where there are several
# visits a day, no window is longer than the spacing: each visit has a window of its own.
_SORTS = {
    "school": Sort(3, 2, 10, "07:30-08:30;15:30-17:00"),
    "kindergarten": Sort(2, 1, 5, "07:30-08:50;16:00-17:30"),
    "hospital": Sort(3, 2, 10, "08:00-12:00;16:00-20:00"),
    "station": Sort(3, 2, 10, "07:30-09:30;17:00-19:30"),
    "market": Sort(2, 2, 10, "08:00-11:00;16:00-19:00"),
    "service_centre": Sort(2, 1, 5, "09:00-17:00"),
    "health_centre": Sort(2, 1, 5),
    "park": Sort(1, 2, 10, "09:00-12:00;17:00-20:30"),
}
_BY_CATEGORY = {
    "primary_school": "school", "middle_school": "school", "high_school": "school",
    "kindergarten": "kindergarten", "hospital": "hospital", "health_centre": "health_centre",
    "metro": "station", "railway_station": "station", "bus_station": "station",
    "wet_market": "market", "subdistrict_service_centre": "service_centre", "park": "park"}
_BY_SPECIAL = {"campus": "school", "hospital": "hospital", "market": "market", "park": "park"}
_SAME = {"hospital": ("health_centre",)}
_POSTS = ("police_station", "police_post")


def propose_stops(plan: Plan, web: Web, lang: str = "en") -> gpd.GeoDataFrame:
    """Return the layer ``stops`` from facilities and special places, for the town's teams.

    Schools, kindergartens, hospitals and health centres, markets, stations, service centres and
    parks; at most two for 1,000 households, the more important first. A special place stands
    where it meets the nearest public road; one that a facility of its kind stands in is left to
    the facility.
    """
    found = _drop_doubles(_from_facilities(plan), _from_specials(plan, web))
    shape = found["geometry"].to_numpy(dtype=object)
    order = order_rows(np.round(shapely.get_coordinates(shape), 3), ROW_M)
    found, shape = found.iloc[order].reset_index(drop=True), shape[order]
    sorts = [_SORTS[k] for k in found["kind"].tolist()]
    households = float(plan.layer("grids")["households"].fillna(0).sum())
    most = max(1, int(households / 1000 * STOPS_PER_1000))
    chosen = np.sort(np.argsort([-s.priority for s in sorts], kind="stable")[:most])
    sorts = [sorts[k] for k in chosen]
    names = [n if n else translate(f"patrol.kind_{kind}", lang) for n, kind in zip(
        text_of(found.iloc[chosen], "name", ""), found["kind"].iloc[chosen], strict=True)]
    return conform("stops", gpd.GeoDataFrame({
        "stop_id": [f"S{n + 1:04d}" for n in range(len(chosen))], "name": names,
        "kind": found["kind"].iloc[chosen].to_numpy(), "tier": "town",
        "priority": [s.priority for s in sorts], "visits_per_day": [s.visits for s in sorts],
        "spacing_min": [SPACING_MIN if s.visits > 1 else None for s in sorts],
        "service_min": [s.stay_min for s in sorts],
        "windows": [s.windows or None for s in sorts], "optional": False},
        geometry=shape[chosen], crs=plan.crs))


def _from_facilities(plan: Plan) -> pd.DataFrame:
    rows = plan.layer("facilities").sort_values("facility_id")
    rows = rows[text_of(rows, "status", "existing") != "proposed"]
    kinds = [next((_BY_CATEGORY[c] for c in told.split(";") if c in _BY_CATEGORY), "")
             for told in text_of(rows, "categories", "").tolist()]
    frame = pd.DataFrame({"name": text_of(rows, "name", ""), "kind": kinds,
                          "geometry": rows.geometry.to_numpy()})
    return frame[frame["kind"] != ""]


def _from_specials(plan: Plan, web: Web) -> pd.DataFrame:
    """Return special places as points where they meet the nearest public road, and their areas."""
    rows = plan.layer("specials").sort_values("special_id")
    rows = rows[np.isin(text_of(rows, "kind", ""), sorted(_BY_SPECIAL))]
    shape = rows.geometry.to_numpy()
    public = web.roads.geometry.to_numpy()[
        web.roads["public"].fillna(True).to_numpy(dtype=bool) & web.may["foot"]]
    point = shapely.point_on_surface(shape)
    if len(public) and len(shape):
        at, road = shapely.STRtree(public).query_nearest(shape, all_matches=False)
        point[at] = shapely.get_point(shapely.shortest_line(shape[at], public[road]), 0)
    return pd.DataFrame({"name": text_of(rows, "name", ""), "geometry": point, "area": shape,
                         "kind": [_BY_SPECIAL[k] for k in text_of(rows, "kind", "").tolist()]})


def _drop_doubles(facilities: pd.DataFrame, specials: pd.DataFrame) -> pd.DataFrame:
    """Leave out special places that a facility of their kind stands in.

    A health centre in the grounds of a hospital is that hospital.
    """
    at = facilities["geometry"].to_numpy(dtype=object)
    kind = facilities["kind"].to_numpy(dtype=object).copy()
    alone = []
    for special in specials.itertuples():
        near = np.flatnonzero(shapely.distance(at, special.area) <= NEAR_SPECIAL_M)
        same = near[np.isin(kind[near], [special.kind, *_SAME.get(special.kind, ())])]
        kind[same] = special.kind
        alone.append(not len(same))
    kept = specials[np.array(alone, dtype=bool)].drop(columns="area")
    return pd.concat([facilities.assign(kind=kind), kept], ignore_index=True)


def propose_stations(plan: Plan, web: Web, zones: gpd.GeoDataFrame, work: Work, params: Params,
                     lang: str = "en") -> gpd.GeoDataFrame:
    """Return the layer ``stations``: a police post for each zone, else a place on its streets.

    The post nearest to the centre of the zone's work, in the zone or within 15 minutes of that
    centre at cruising speed as the crow flies; else the place nearest to it on a road that the
    tier's mode may use. A post that serves several zones is one row without tier and zone.
    """
    posts = plan.layer("facilities").sort_values("facility_id")
    is_post = np.array([any(c in _POSTS for c in told.split(";"))
                        for told in text_of(posts, "categories", "").tolist()], dtype=bool)
    posts = posts[is_post & (text_of(posts, "status", "existing") != "proposed")]
    at = posts.geometry.to_numpy()
    rows = []
    centres = _find_centres(zones, work)
    nodes = {mode: _street_nodes(web, mode) for mode in MODES}
    for zone in zones.itertuples():
        centre = centres[zone.tier, zone.zone_id]
        mode = params.patrol.modes[zone.tier]
        reach_m = cruise_kmh(params.patrol, mode, "unknown") / 60 * POST_MIN * 1000
        away = np.round(shapely.distance(at, centre), 3)
        near = np.flatnonzero(shapely.intersects(at, zone.geometry) | (away <= reach_m))
        post = int(near[np.argmin(away[near])]) if len(near) else -1
        rows.append((zone.tier, zone.zone_id, zone.name, post,
                     at[post] if post >= 0 else _on_street(nodes[mode], centre, zone.geometry)))
    held = text_of(posts, "name", "")
    out: dict[int, dict[str, Any]] = {}
    for n, (tier, zone_id, name, post, point) in enumerate(rows):
        key = post if post >= 0 else len(posts) + n
        if key in out:
            out[key].update(tier=None, zone_id=None)
            continue
        called = held[post] if post >= 0 else ""
        out[key] = {"name": called or translate("patrol.station_of", lang, name=name),
                    "kind": "police_post" if post >= 0 else "street", "tier": tier,
                    "zone_id": zone_id, "geometry": point, "post": post}
    frame = gpd.GeoDataFrame(list(out.values()), geometry="geometry", crs=plan.crs)
    frame["station_id"] = [f"P{n + 1:02d}" for n in range(len(frame))]
    return conform("stations", frame.drop(columns="post"))


def _find_centres(zones: gpd.GeoDataFrame, work: Work) -> dict[tuple[str, str], shapely.Point]:
    """Return the middle of each zone's work, weighted by minutes; without work that of the zone."""
    found = {(row.tier, row.zone_id): shapely.centroid(row.geometry) for row in zones.itertuples()}
    xy = shapely.get_coordinates(work.point)
    for tier in TIERS:
        rows = work.of(tier) & (work.a_day > 0)
        weights = pd.DataFrame({"x": xy[rows, 0], "y": xy[rows, 1], "w": work.a_day[rows]})
        for zone_id, own in weights.groupby(find_zones(work.point[rows], zones, tier)):
            if zone_id:
                found[tier, str(zone_id)] = shapely.Point(*np.average(
                    own[["x", "y"]].to_numpy(), axis=0, weights=own["w"].to_numpy()))
    return found


def _street_nodes(web: Web, mode: str) -> Floats:
    """Return the nodes on public roads that a mode may use, else on any such road, else on any.

    Only the largest connected part of the network counts, so that there is a way on from them.
    """
    net = web.network
    public = web.roads["public"].fillna(True).to_numpy(dtype=bool)
    for road in (public & web.may[mode], web.may[mode], np.ones(len(web.roads), bool)):
        ends = net.ends[road[web.row]]
        nodes = np.unique(ends[net.component[ends[:, 0]] == 0])
        if len(nodes):
            break
    return net.xy[nodes]


def _on_street(xy: Floats, centre: shapely.Point, zone: shapely.Geometry) -> shapely.Point:
    """Return the place of these nearest to a zone's centre, one in the zone if there is any."""
    away = np.round(np.hypot(*(xy - shapely.get_coordinates(centre)).T), 3)
    shapely.prepare(zone)
    inside = shapely.intersects_xy(zone, xy)
    if inside.any():
        away[~inside] = np.inf
    return shapely.Point(xy[int(np.argmin(away))])


def station_of_zones(stations: gpd.GeoDataFrame, zones: gpd.GeoDataFrame, work: Work
                     ) -> dict[tuple[str, str], str]:
    """Return the station of each (tier, zone_id): its own, else the nearest to its centre.

    The pair (tier, "") stands for teams of a tier that are not bound to a zone.
    """
    found: dict[tuple[str, str], str] = {}
    ids = text_of(stations, "station_id", "")
    zone, tier_of = text_of(stations, "zone_id", ""), text_of(stations, "tier", "")
    point = stations.geometry.to_numpy()

    def nearest(place: shapely.Geometry, tier: str) -> str:
        mine = np.flatnonzero((tier_of == tier) | (tier_of == ""))
        mine = mine if len(mine) else np.arange(len(ids))
        away = np.round(shapely.distance(point[mine], place), 3)
        return str(ids[mine[np.lexsort((ids[mine].astype(str), away))[0]]])

    for (tier, zone_id), centre in _find_centres(zones, work).items():
        own = np.flatnonzero(zone == zone_id)
        found[tier, zone_id] = str(ids[own[0]]) if len(own) else nearest(centre, tier)
    middle = shapely.centroid(shapely.union_all(zones.geometry.to_numpy()))
    for tier in TIERS:
        found[tier, ""] = nearest(middle, tier)
    return found
