"""Ways with ``highway`` → roads with class, structure, level and who may use them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.layers import CUTTING_ROADS, ROAD_CLASS
from gridplan.osm.tags import has, levels, speeds, tag, text

# Values of ``highway`` that are no road, or not one yet, or no longer one.
_NO_ROAD = frozenset((
    "no", "construction", "proposed", "planned", "razed", "demolished", "abandoned", "disused",
    "dismantled", "removed", "platform", "rest_area", "services", "elevator", "bus_stop",
    "emergency_bay", "via_ferrata", "crossing", "traffic_island", "street_lamp", "toll_gantry",
    "raceway", "trailhead", "ladder"))

_FAST = frozenset(("motorway", "motorway_link"))
_WALKS = frozenset(("footway", "steps", "pedestrian", "corridor"))
_NO_CARS = _WALKS | {"path", "cycleway", "bridleway"}
_BUSES = frozenset(("busway", "bus_guideway"))

# A way that its owner keeps for residents, customers and visitors is open to the patrols
# and households that gridplan plans for; only a plain refusal closes it.
_REFUSALS = frozenset(("no", "military", "dismount", "use_sidepath", "discouraged"))
_REFUSALS_BY_CAR = _REFUSALS | {"agricultural", "forestry"}
_CONSENTS = frozenset(("yes", "designated", "permissive", "destination", "official", "private",
                       "customers", "delivery", "permit", "residents"))


def make_roads(lines: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the roads among ``lines`` with the input columns that OSM can fill."""
    kind = tag(lines, "highway").str.strip().str.lower()
    is_road = ((kind != "") & ~kind.isin(_NO_ROAD)).to_numpy(bool) & ~has(lines, "area")
    held = lines[is_road]
    value = kind[is_road]
    road_class = value.where(value.isin(ROAD_CLASS.keys()), "unknown")
    private = has(held, "access", frozenset(("private",)))
    public = road_class.isin(CUTTING_ROADS).to_numpy(bool) & ~private
    return gpd.GeoDataFrame({
        "name": text(held, "name"),
        "road_class": road_class,
        "structure": find_structure(held, value),
        "level": levels(held),
        "public": public,
        "inner": ~public,
        "one_way": find_one_way(held, value),
        **find_access(held, value),
        "maxspeed_kmh": speeds(tag(held, "maxspeed")),
        "service": text(held, "service"),
    }, geometry=held.geometry, crs=lines.crs)


def find_structure(roads: gpd.GeoDataFrame, value: pd.Series) -> np.ndarray:
    """Return ``grade``, ``bridge`` or ``tunnel``; passages and covered ways count as tunnels."""
    below = has(roads, "tunnel") | (tag(roads, "location") == "underground").to_numpy(bool)
    roofed = has(roads, "covered") | has(roads, "indoor") | (value == "corridor").to_numpy(bool)
    return np.select([below, has(roads, "bridge"), roofed], ["tunnel", "bridge", "tunnel"], "grade")


def find_one_way(roads: gpd.GeoDataFrame, value: pd.Series) -> np.ndarray:
    """Return ``forward``, ``backward`` or ``""``; bicycles' own rules are left aside."""
    said = tag(roads, "oneway").str.strip().str.lower()
    forward = said.isin(("yes", "true", "1")).to_numpy(bool)
    backward = said.isin(("-1", "reverse")).to_numpy(bool)
    implied = (said == "").to_numpy(bool) & (
        (value == "motorway").to_numpy(bool)
        | has(roads, "junction", frozenset(("roundabout", "circular"))))
    return np.select([backward, forward | implied], ["backward", "forward"], "")


def find_access(roads: gpd.GeoDataFrame, value: pd.Series) -> dict[str, np.ndarray]:
    """Tell who may use each road: by its class, then by its tags from the general to the special.

    Pushing a bicycle up steps is not riding; e-bikes go where bicycles go unless their own
    tag says otherwise.
    """
    fast = value.isin(_FAST).to_numpy(bool) | has(roads, "motorroad")
    buses = value.isin(_BUSES).to_numpy(bool)
    walks = value.isin(_WALKS).to_numpy(bool)
    foot = _override(roads, ~fast & ~buses, ("access", "foot"), _REFUSALS)
    bike = _override(roads, ~fast & ~buses & ~walks & (value != "bridleway").to_numpy(bool),
                     ("access", "vehicle", "bicycle"), _REFUSALS)
    ebike = _override(roads, bike, ("electric_bicycle",), _REFUSALS)
    car = _override(roads, ~buses & ~value.isin(_NO_CARS).to_numpy(bool),
                    ("access", "vehicle", "motor_vehicle", "motorcar"), _REFUSALS_BY_CAR)
    return {"foot": foot, "bike": bike, "ebike": ebike, "car": car}


def _override(roads: gpd.GeoDataFrame, default: np.ndarray, keys: tuple[str, ...],
              refusals: frozenset[str]) -> np.ndarray:
    """Let each tag in turn forbid or allow; the general ones only forbid."""
    open_ = default.copy()
    for key in keys:
        said = tag(roads, key).str.strip().str.lower()
        open_ &= ~said.isin(refusals).to_numpy(bool)
        if key not in ("access", "vehicle"):
            open_ |= said.isin(_CONSENTS).to_numpy(bool)
    return open_
