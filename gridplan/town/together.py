"""What a town wants in one grid: neighbours outside estates that run something in common."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.layers import conform_input

_LINKS = 2
# Buildings with a street between them, at the most; and more households than that share no boiler.
_NEAR_M, _HOUSEHOLDS = 60.0, 120


def make_must_links(buildings: gpd.GeoDataFrame, communities: gpd.GeoDataFrame,
                    truth: pd.Series) -> gpd.GeoDataFrame:
    """Return pairs of buildings that share a boiler, as lines from one to the other.

    One pair in each of the first communities that have such neighbours outside estates; a town
    may have none.

    Parameters
    ----------
    truth
        Households per building.
    """
    load = truth.loc[buildings.index].to_numpy(dtype=np.int64)
    free = np.flatnonzero(buildings["estate_id"].isna().to_numpy(dtype=bool) & (load > 0)
                          & (load < _HOUSEHOLDS))
    spot = shapely.point_on_surface(buildings.geometry.to_numpy()[free])
    a, b = shapely.STRtree(spot).query(spot, predicate="dwithin", distance=_NEAR_M)
    a, b = a[a < b], b[a < b]
    town = buildings["community_id"].to_numpy(dtype=object)[free]
    keep = (town[a] == town[b]) & (load[free[a]] + load[free[b]] < _HOUSEHOLDS)
    a, b = a[keep], b[keep]
    # The pair farthest apart is the least likely to lie in one unit anyway.
    order = np.lexsort((b, a, -np.round(shapely.distance(spot[a], spot[b]), 3)))
    first = pd.Series(order, index=town[a[order]]).groupby(level=0, sort=True).first()
    chosen = first.to_numpy(dtype=np.int64)[:_LINKS]
    line = shapely.linestrings(np.stack([shapely.get_coordinates(spot[side[chosen]])
                                         for side in (a, b)], axis=1))
    names = communities["name"].loc[first.index[:_LINKS]]
    return conform_input("must_links", gpd.GeoDataFrame(
        {"must_link_id": [f"M{k + 1:03d}" for k in range(len(chosen))],
         "name": [f"{name}供暖合作社" for name in names], "source": "must_links.gpkg"},
        geometry=np.asarray(line, dtype=object), crs=buildings.crs))
