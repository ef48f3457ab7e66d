"""Demand points on the map: who reaches what where there are no grids, as coloured dots."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.i18n import translate
from gridplan.maps.circle import STATES, list_themes, share_step, tell_share
from gridplan.maps.facts import Layers, count_of, keys_of, text_of
from gridplan.plan.coverage import Circle

# More dots than these are not told apart on any screen.
DRAWN_POINTS = 40_000
_ROUND_M = 250.0
_STAND_IN = "*"


def is_demand(layers: Layers) -> bool:
    """Tell whether a plan measures points instead of grids."""
    def has(name: str) -> bool:
        return layers.get(name) is not None and len(layers[name]) > 0

    # Grids that stand in for others are not a plan's.
    bare = not has("grids") or text_of(layers["grids"], "grid_id") == [_STAND_IN]
    return has("demand") and has("coverage") and bare and not has("mergers")


def stand_in_demand(layers: Layers) -> dict[str, Any]:
    """Return the layers with the ground round the points in the place of community and grid."""
    demand = layers["demand"]
    near = shapely.buffer(np.asarray(demand.geometry.array), 2 * _ROUND_M, quad_segs=6)
    # Closing and opening again rounds the bays between single points off.
    ground = shapely.simplify(shapely.buffer(shapely.union_all(near), -_ROUND_M), _ROUND_M / 25)
    total = int(count_of(demand, "households").sum())
    parts = shapely.get_parts(ground)
    biggest = parts[np.argmax(shapely.area(parts))]
    towns = gpd.GeoDataFrame(
        {"community_id": ["all"], "name": [""], "kind": ["urban"], "households": [total]},
        geometry=[shapely.multipolygons(parts)], crs=demand.crs)
    grids = gpd.GeoDataFrame(
        {"grid_id": [_STAND_IN], "community_id": ["all"], "name": [""], "kind": ["special"],
         "status": ["empty"], "households": [0]}, geometry=[biggest], crs=demand.crs)
    return {**layers, "communities": towns, "grids": grids}


def order_points(layers: Layers) -> NDArray[np.int64]:
    """Return the rows of the points in an order that says nothing of them, the drawn ones only."""
    xy = np.rint(shapely.get_coordinates(np.asarray(layers["demand"].geometry.array)))
    column = np.floor(xy[:, 0] / 200)
    north = np.where(column % 2 == 0, xy[:, 1], -xy[:, 1])
    return np.lexsort((xy[:, 0], north, column))[:DRAWN_POINTS]


def pack_demand(layers: Layers, circle: Circle) -> list[Any]:
    """Return the step of colour of every point by state, walker and theme, no figure of any."""
    rows = order_points(layers)
    keys = keys_of(layers["demand"], "demand_id")
    ids = [keys[k] for k in rows]
    return [[[None if counts is None else
              [share_step(v) for v in tell_share(counts, "internal").tolist()]
              for counts in list_themes(circle, "demand", ids, walker, after)]
             for walker in circle.walkers] for after in STATES]


def demand_figures(layers: Layers, circle: Circle, lang: str
                   ) -> tuple[tuple[str, str, str, str], ...]:
    """Return what heads the map of demand points: key, label, value, and a smaller line."""
    def text(name: str) -> str:
        return translate(f"maps.circle_{name}", lang)

    facilities = layers.get("facilities")
    return (("grids", text("points"), f"{len(layers['demand']):,}", ""),
            ("households", translate("maps.households", lang),
             f"{int(count_of(layers['demand'], 'households').sum()):,}", ""),
            ("communities", text("facilities"),
             f"{0 if facilities is None else len(facilities):,}", ""),
            ("share", text("categories"), f"{len(circle.categories):,}", ""))
