"""Units as a plan stores them, with the borders between them measured anew."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.blocks.assembly import follow_lines
from gridplan.blocks.lines import cutting_lines, fences, inner_roads
from gridplan.blocks.noding import match_segments
from gridplan.layers import Study, UnitBorders, Units


def reopen_units(study: Study, units: gpd.GeoDataFrame, buildings: pd.DataFrame) -> Units:
    """Return units of a plan as the partition works on them.

    Parameters
    ----------
    study
        Its roads, barriers and estates are what borders follow.
    units
        The layer ``units``, in the CRS of the study.
    buildings
        The layer ``buildings``, with building_id, unit_id and households.

    Returns
    -------
    Units
        In order of unit_id. A plan does not tell which units are water or lie in a special
        place, and the partition reads estates off the buildings: these columns are empty.
    """
    frame = units.sort_values("unit_id", kind="stable").set_index("unit_id")
    frame.index = frame.index.astype(object)
    shape = frame.geometry.to_numpy()
    by = buildings.groupby("unit_id")["households"]
    table = gpd.GeoDataFrame({
        "block_id": frame["block_id"], "community_id": frame["community_id"],
        "households": frame["households"].to_numpy(dtype=np.int64),
        "biggest": by.max().reindex(frame.index).fillna(0).to_numpy(dtype=np.int64),
        "buildings": by.size().reindex(frame.index).fillna(0).to_numpy(dtype=np.int64),
        "area_m2": frame.geometry.area.to_numpy(), "water": False,
        "special_id": pd.array([pd.NA] * len(frame), dtype="string"), "estate": -1,
    }, index=frame.index, geometry=shape, crs=units.crs)
    lines = cutting_lines(study) + inner_roads(study) + fences(study)
    touch = match_segments(shape)
    line, rank = follow_lines(touch, lines)
    owner = buildings.set_index("building_id")["unit_id"].astype("string")
    return Units(table, owner,
                 UnitBorders(touch.left, touch.right, touch.start, touch.end, rank, line, lines))
