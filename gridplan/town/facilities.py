"""What the town offers: schools, clinics, shops, stations, bus stops, with capacity and area."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.layers import Study, conform_input
from gridplan.town.names import Names

# A category, how many of it a community of 3,000 households has, and the ending of its name.
_SERVICES = (
    ("community_service_station", 1.0, "党群服务中心"), ("health_station", 1.0, "卫生服务站"),
    ("convenience_store", 4.0, "便利店"), ("pharmacy", 1.2, "药房"), ("supermarket", 0.8, "超市"),
    ("kindergarten", 1.0, "幼儿园"), ("elderly_day_care", 0.6, "日间照料中心"),
    ("bank", 0.5, "银行"), ("post_office", 0.2, "邮局"), ("police_post", 0.35, "警务站"),
    ("wet_market", 0.3, "菜市场"), ("recycling", 0.6, "回收站"), ("toilets", 0.8, "公厕"),
    ("bicycle_park", 1.0, "停车棚"), ("culture_centre", 0.25, "文化站"),
    ("mediation_room", 0.4, "调解室"), ("canteen_for_the_old", 0.4, "助老食堂"))
# The same for what a subdistrict has one or two of, drawn apart.
_RARER = (("nursery", 0.5, "托育园"), ("playground", 0.7, "健身苑"), ("pitch", 0.4, "球场"),
          ("nursing_home", 0.12, "颐养院"), ("legal_aid", 0.15, "法律援助站"),
          ("childrens_home", 0.2, "儿童之家"))
# Least and most of the capacity, and of the premises in m².
_CAPACITY = {"kindergarten": (180, 360), "nursery": (40, 100), "primary_school": (720, 1440),
             "middle_school": (900, 1800), "health_station": (3000, 7500),
             "health_centre": (30000, 60000), "elderly_day_care": (20, 60),
             "nursing_home": (80, 240), "canteen_for_the_old": (60, 200)}
_AREA_M2 = {"community_service_station": (300, 900), "subdistrict_service_centre": (800, 2000),
            "culture_centre": (300, 1200), "health_station": (120, 400)}
_PLACES = {"hospital": ("health_centre", "医院"), "market": ("wet_market;supermarket", "农贸市场"),
           "park": ("park;playground", "公园"), "campus": ("sports_centre;culture_centre", "学院")}
_BUS_CLASSES = ("primary", "secondary", "tertiary")


def make_facilities(study: Study, names: Names, seed: int) -> gpd.GeoDataFrame:
    """Return schools, clinics, shops, stations and bus stops as points on buildings and roads.

    Where they have one, with their capacity (places, meals, people served) and the area of their
    premises; some premises are smaller than the norm.
    """
    rng = np.random.default_rng([seed, 5])
    centre = shapely.get_coordinates(shapely.centroid(study.buildings.geometry.to_numpy()))
    rows: list[tuple[str, str, float, float]] = []
    assert study.totals is not None
    use = study.buildings["use"].to_numpy()
    owner = study.buildings["community_id"].to_numpy()
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], study.totals.index.to_numpy())
    ends = np.searchsorted(owner[order], study.totals.index.to_numpy(), side="right")
    for total, start, end in zip(study.totals, starts, ends, strict=True):
        mine = order[start:end]
        good = mine[np.isin(use[mine], ["retail", "mixed", "public", "apartments"])]
        good = good if len(good) else mine[np.isin(use[mine], ["house"])]
        for category, per, ending in _SERVICES:
            count = int(rng.poisson(per * int(total) / 3000))
            if category in ("community_service_station", "health_station"):
                count = max(count, 1)
            chosen = rng.choice(good, count) if len(good) else ()
            rows += [(names.take(ending), category, *centre[at]) for at in chosen]
        schools = mine[use[mine] == "school"]
        if len(schools):
            level = ("primary_school", "小学") if rng.random() < 0.62 else ("middle_school", "中学")
            rows.append((names.take(level[1]), level[0], *centre[schools[0]]))
    rows += _place_services(study, names)
    rows += _bus_stops(study)
    rows += _rarer_services(study, names, seed)
    table = pd.DataFrame(rows, columns=["name", "categories", "x", "y"])
    table["facility_id"] = [f"F{i + 1:05d}" for i in range(len(table))]
    upper = table["categories"].str.contains("health_centre|sports|subdistrict")
    table["level"] = np.where(upper, "subdistrict", "community")
    table["source"] = "town"
    table["capacity"], table["area_m2"] = _sizes(table["categories"], seed)
    return conform_input("facilities", gpd.GeoDataFrame(
        table, geometry=shapely.points(np.round(table[["x", "y"]].to_numpy(float), 2)),
        crs=study.crs))


def _place_services(study: Study, names: Names) -> list[tuple[str, str, float, float]]:
    """Return what special places offer, and a service centre and police post per subdistrict."""
    rows = []
    for kind, name, shape in zip(study.layer("specials")["kind"], study.layer("specials")["name"],
                                 study.layer("specials").geometry, strict=True):
        if kind in _PLACES:
            point = shape.representative_point()
            rows.append((str(name), _PLACES[kind][0], point.x, point.y))
    assert study.communities is not None
    first = study.communities.drop_duplicates("subdistrict_id")
    offices = study.buildings[study.buildings["use"].isin(["office", "retail", "mixed"])]
    home = offices.drop_duplicates("community_id").set_index("community_id")
    for key in first.index:
        at = home.geometry.get(key)
        point = (first.geometry[key] if at is None else at).representative_point()
        rows.append((names.take("街道便民服务中心"), "subdistrict_service_centre",
                     point.x, point.y))
        rows.append((names.take("派出所"), "police_post", point.x + 3.0, point.y))
    return rows


def _bus_stops(study: Study) -> list[tuple[str, str, float, float]]:
    roads = study.roads[study.roads["road_class"].isin(_BUS_CLASSES)
                        & (study.roads["length_m"] > 250)]
    points = shapely.line_interpolate_point(roads.geometry.to_numpy(), 0.5, normalized=True)
    return [(f"{name}站", "bus_stop", p.x, p.y)
            for name, p in zip(roads["name"], points, strict=True)]


def _rarer_services(study: Study, names: Names, seed: int) -> list[tuple[str, str, float, float]]:
    """Return what few communities have, on shops, offices and public buildings."""
    rng = np.random.default_rng([seed, 15])
    assert study.totals is not None
    good = study.buildings[study.buildings["use"].isin(["retail", "mixed", "public", "office"])]
    at = shapely.get_coordinates(shapely.centroid(good.geometry.to_numpy()))
    rows = []
    for category, per, ending in _RARER:
        count = max(int(rng.poisson(per * int(study.totals.sum()) / 3000)), 1)
        chosen = rng.choice(len(at), min(count, len(at)), replace=False)
        rows += [(names.take(ending), category, *at[k]) for k in chosen]
    return rows


def _sizes(categories: pd.Series, seed: int) -> tuple[pd.Series, pd.Series]:
    """Return capacity and area of each facility; NA where its category has none."""
    rng = np.random.default_rng([seed, 16])
    drawn = rng.random((len(categories), 2))
    found = []
    for column, table, step in ((0, _CAPACITY, 10), (1, _AREA_M2, 10)):
        low, high = (categories.map({c: ends[k] for c, ends in table.items()}).astype("Float64")
                     for k in (0, 1))
        found.append(((low + (high - low) * drawn[:, column]) / step).round() * step)
    return found[0], found[1]
