"""Administrative boundaries → communities."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.errors import Findings
from gridplan.osm.features import CRS
from gridplan.osm.tags import number, tag, text


def make_communities(bounds: gpd.GeoDataFrame, level: int | None, place: str | None, name: str,
                     findings: Findings) -> gpd.GeoDataFrame:
    """Return the communities: the areas of ``level`` inside ``place``, or the place itself.

    A community is named by its ``ref``, else by its first ``ref:…``, where no other
    community has the same; else by its key (``r123``), which also stands in ``key``.
    """
    held = bounds
    if place is not None:
        whole = find_place(bounds, place)
        if whole is None:
            return make_communities(bounds.iloc[:0], None, None, name, findings)
        held = bounds.loc[[whole]] if level is None else _of_level(bounds, level)
        outline = bounds.geometry.loc[whole]
        inner = shapely.point_on_surface(np.asarray(held.geometry.array))
        held = held[shapely.covers(outline, inner)] if len(held) else held
    elif level is not None:
        held = _of_level(bounds, level)
    ref = tag(held, "ref")
    for column in sorted(c for c in held.columns if c.startswith("ref:")):
        ref = ref.where(ref != "", held[column])
    own = (ref != "") & ~ref.duplicated(keep=False)
    ids = np.where(own, ref, held.index.to_numpy(object))
    return gpd.GeoDataFrame({
        "key": held.index.to_numpy(object),
        "name": text(held, "name").to_numpy(),
        "population": _whole(number(tag(held, "population"))).to_numpy(),
    }, geometry=np.asarray(held.geometry.array), crs=CRS, index=pd.Index(ids, dtype=object))


def find_place(bounds: gpd.GeoDataFrame, place: str) -> str | None:
    """Return the key of the area named ``place``; of several, the highest in the hierarchy."""
    named = ((tag(bounds, "name") == place) | (tag(bounds, "ref") == place)
             | (bounds.index == place)).to_numpy(bool)
    if not named.any():
        return None
    rank = number(tag(bounds, "admin_level")).fillna(99.0).to_numpy()[named]
    return str(bounds.index[named][int(np.argmin(rank))])


def _of_level(bounds: gpd.GeoDataFrame, level: int) -> gpd.GeoDataFrame:
    return bounds[(tag(bounds, "admin_level") == str(level)).to_numpy(bool)]


def _whole(values: pd.Series) -> pd.Series:
    return values.where(values >= 0).round().astype("Int64")
