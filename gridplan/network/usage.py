"""Who may use which road, in which direction, and what a metre of it costs."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.params import WALKERS, NetworkParams

_FAST = frozenset(("motorway", "motorway_link", "trunk", "trunk_link"))
# Classes that a mode keeps off, where the road itself does not say who may use it.
REFUSED: dict[str, frozenset[str]] = {
    "foot": _FAST,
    "bike": _FAST | {"steps", "corridor"},
    "ebike": _FAST | {"steps", "corridor", "footway"},
    "car": frozenset(("footway", "path", "steps", "pedestrian", "cycleway", "track", "bridleway",
                      "corridor"))}
_MAJOR = frozenset(f"{name}{tail}" for name in ("motorway", "trunk", "primary", "secondary")
                   for tail in ("", "_link"))
_CROSSED_BY_BRIDGES = ("water", "river", "rail")
_FORWARD = frozenset(("forward", "yes", "true", "1"))
_BACKWARD = frozenset(("backward", "-1", "reverse"))
STEEPEST = 0.5  # slopes beyond are taken for faults of the elevation


def is_open(roads: gpd.GeoDataFrame, mode: str, barriers: gpd.GeoDataFrame | None = None
            ) -> NDArray[np.bool_]:
    """Tell which roads a mode may use at all.

    The column of the mode counts where it is filled, else the class. E-bikes never ride on
    elevated roads: bridges of secondary and higher class that touch no water, river or railway.

    >>> roads = gpd.GeoDataFrame({"road_class": ["trunk", "trunk", "path"],
    ...                           "foot": pd.array([None, True, None], "boolean")})
    >>> is_open(roads, "foot").tolist(), is_open(roads, "car").tolist()
    ([False, True, True], [True, True, False])
    """
    classes = text_of(roads, "road_class", "unknown")
    by_class = ~np.isin(classes, sorted(REFUSED[mode]))
    allowed = (pd.Series(by_class, roads.index) if mode not in roads.columns
               else roads[mode].astype("boolean").fillna(pd.Series(by_class, roads.index)))
    found = allowed.to_numpy(dtype=bool)
    if mode == "ebike":
        found &= ~_elevated(roads, classes, barriers)
    return found


def _elevated(roads: gpd.GeoDataFrame, classes: NDArray[np.object_],
              barriers: gpd.GeoDataFrame | None) -> NDArray[np.bool_]:
    found = (text_of(roads, "structure", "grade") == "bridge") & np.isin(classes, sorted(_MAJOR))
    rows = np.flatnonzero(found)
    if rows.size and barriers is not None and len(barriers):
        kept = np.isin(text_of(barriers, "kind", ""), _CROSSED_BY_BRIDGES)
        tree = shapely.STRtree(barriers.geometry.to_numpy()[kept])
        over = tree.query(roads.geometry.to_numpy()[rows], predicate="intersects")[0]
        found[rows[np.unique(over)]] = False
    return found


def text_of(frame: pd.DataFrame, column: str, missing: str) -> NDArray[np.object_]:
    """Return a column as plain text; what is missing becomes ``missing``.

    >>> text_of(pd.DataFrame({"a": ["x", None]}), "a", "-").tolist()
    ['x', '-']
    """
    if column not in frame.columns:
        return np.full(len(frame), missing, dtype=object)
    held = frame[column].astype("string").fillna(missing)
    return np.asarray(held.to_numpy(dtype=object))


def directions(roads: gpd.GeoDataFrame, mode: str) -> NDArray[np.bool_]:
    """Tell whether a mode may go along a road and against it: (k, 2). Walkers always may.

    >>> directions(pd.DataFrame({"one_way": ["yes", "-1", ""]}), "car").tolist()
    [[True, False], [False, True], [True, True]]
    """
    found = np.ones((len(roads), 2), dtype=bool)
    if mode != "foot":
        said = text_of(roads, "one_way", "")
        found[np.isin(said, sorted(_BACKWARD)), 0] = False
        found[np.isin(said, sorted(_FORWARD)), 1] = False
    return found


def factors(roads: gpd.GeoDataFrame, mode: str, params: NetworkParams) -> NDArray[np.float64]:
    """Return what a metre of each road costs: nominal speed ÷ speed of its class; 1 on foot.

    >>> factors(pd.DataFrame({"road_class": ["path", "primary"]}), "bike", NetworkParams())
    array([1.512, 1.008])
    """
    if mode == "foot":
        return np.ones(len(roads))
    kmh: Mapping[str, float] = getattr(params, f"{mode}_kmh")
    nominal = WALKERS[mode][1] * 3.6
    return np.array([nominal / kmh.get(c, kmh["unknown"])
                     for c in text_of(roads, "road_class", "unknown").tolist()], dtype=np.float64)


def slope_factor(slope: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much longer a walker takes on a slope than on the flat.

    Tobler, W. (1993): Three presentations on geographical analysis and modeling, NCGIA report
    93-1: a walker's speed is proportional to exp(−3.5·|s + 0.05|), so that she is fastest a
    little downhill.

    Parameters
    ----------
    slope
        Rise ÷ length in the direction walked; beyond ± 0.5 it counts as ± 0.5.

    >>> slope_factor(np.array([0.0, -0.05, 0.1])).round(3).tolist()
    [1.0, 0.839, 1.419]
    """
    held = np.clip(slope, -STEEPEST, STEEPEST)
    return np.asarray(np.exp(3.5 * (np.abs(held + 0.05) - 0.05)))
