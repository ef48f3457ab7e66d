"""Areas with ``building`` → buildings with use, floors, height and number."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.osm.features import in_metres
from gridplan.osm.tags import has, metres, number, split, tag, text

# Not there, or not there yet.
_ABSENT = frozenset(("no", "none", "proposed", "planned", "demolished", "razed", "collapsed"))
_DWELLINGS = frozenset((
    "apartments", "residential", "house", "detached", "semidetached_house", "terrace", "bungalow",
    "farm", "semi", "semidetached", "houseboat", "static_caravan", "cabin"))
_TRADES = ("shop", "amenity", "office")
_OTHER_USES = (*_TRADES, "tourism", "leisure", "healthcare", "craft", "industrial", "government",
               "club", "public_transport", "railway", "power", "historic", "man_made", "aeroway",
               "social_facility")


def make_buildings(areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the buildings among ``areas`` with the input columns that OSM can fill.

    ``building:part`` areas are no buildings of their own; they lend floors and height to
    the building that they stand in when it has none.
    """
    kind = tag(areas, "building").str.strip().str.lower()
    held = areas[((kind != "") & ~kind.isin(_ABSENT)).to_numpy(bool)]
    flats = number(tag(held, "building:flats"))
    flats = flats.where(flats >= 0)
    out = gpd.GeoDataFrame({
        "number": text(held, "addr:housenumber"),
        "households": flats.round().astype("Int64"),
        "households_source": flats.notna().map({True: "given", False: None}),
        "floors": _positive(number(tag(held, "building:levels"))),
        "height_m": _positive(metres(tag(held, "height"))),
        "use": find_use(held),
        "name": text(held, "name"),
    }, geometry=held.geometry, crs=areas.crs)
    parts = areas[has(areas, "building:part") & (kind == "").to_numpy(bool)]
    return lend_floors(out, parts) if len(parts) and len(out) else out


def find_use(areas: gpd.GeoDataFrame) -> pd.Series:
    """Return the use of each building as one lower-case word.

    The value of ``building``, or of ``building:use`` where that says more; ``mixed`` for
    dwellings with a shop, an office or an amenity, ``nonresidential`` for a plain ``yes``
    that houses one of these and no flats.
    """
    values = tag(areas, "building").str.strip().str.lower()
    said = tag(areas, "building:use").str.strip().str.lower()
    use = values.where(~has(areas, "building:use"), said)
    listed = use.str.contains(";", regex=False)
    if listed.any():
        use = use.where(~listed, use[listed].map(_join_uses))
    flats = (number(tag(areas, "building:flats")).fillna(0.0) > 0).to_numpy(bool)
    plain = (use == "yes").to_numpy(bool)
    kind = tag(areas, "residential").str.strip().str.lower()
    told = plain & has(areas, "residential")
    use = use.where(~told, kind.where(kind.isin(_DWELLINGS), "residential"))
    trade = np.logical_or.reduce([has(areas, key) for key in _TRADES])
    other = np.logical_or.reduce([has(areas, key) for key in _OTHER_USES])
    lived = use.isin(_DWELLINGS).to_numpy(bool)
    use = use.where(~(trade & (lived | (plain & flats))), "mixed")
    return use.where(~((use == "yes").to_numpy(bool) & other & ~flats), "nonresidential")


def _join_uses(value: str) -> str:
    """Read a list of uses: dwellings among others are ``mixed``, else the first counts."""
    uses = split(value)
    lived = [u for u in uses if u in _DWELLINGS]
    if lived and len(lived) < len(uses):
        return "mixed"
    return uses[0] if uses else "yes"


def lend_floors(buildings: gpd.GeoDataFrame, parts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Give floors and height to buildings that have none from the parts that stand in them.

    Floors are the mean over the ground that the parts cover, Σ area × floors above the
    part's lowest ÷ covered area, so that a tower on a podium does not count as a tower
    all over; the height is that of the tallest part.
    """
    bare = buildings["floors"].isna() | buildings["height_m"].isna()
    outline = np.asarray(buildings.geometry.array)
    inside = shapely.point_on_surface(np.asarray(parts.geometry.array))
    part, host = shapely.STRtree(outline).query(inside, predicate="within")
    keep = bare.to_numpy(bool)[host]
    part, host = part[keep], host[keep]
    if not len(part):
        return buildings
    # A point in several outlines belongs to the smallest of them.
    order = np.lexsort((host, shapely.area(outline)[host], part))
    part, host = part[order], host[order]
    first = np.r_[True, part[1:] != part[:-1]]
    part, host = part[first], host[first]
    lent = parts.iloc[part]
    top = number(tag(lent, "building:levels")).to_numpy(float)
    low = number(tag(lent, "building:min_level")).fillna(0.0).to_numpy(float)
    shapes = in_metres(lent, buildings.total_bounds)
    table = pd.DataFrame({
        "host": host, "floors": np.maximum(top - low, 0.0) * shapely.area(shapes),
        "area": shapely.area(shapes), "height": metres(tag(lent, "height")).to_numpy(float)})
    known = table[table["floors"].notna()]
    hosts = known["host"].to_numpy()
    floors = pd.Series(np.nan, index=buildings.index)
    if len(known):
        ids, group = np.unique(hosts, return_inverse=True)
        shape = shapes[known.index.to_numpy()]
        cover = np.array([shapely.area(shapely.union_all(shape[group == g]))
                          for g in range(len(ids))])
        floors.iloc[ids] = np.round(np.bincount(group, known["floors"]) / cover, 2)
    tallest = table.groupby("host")["height"].max()
    height = pd.Series(np.nan, index=buildings.index)
    height.iloc[tallest.index.to_numpy()] = tallest.to_numpy()
    out = buildings.copy()
    out["floors"] = out["floors"].fillna(_positive(floors))
    out["height_m"] = out["height_m"].fillna(_positive(height))
    return out


def _positive(values: pd.Series) -> pd.Series:
    return values.where(values > 0)
