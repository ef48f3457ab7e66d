"""Estates, gates, entrances, special places and facilities."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.errors import Findings
from gridplan.osm.features import CRS, in_metres
from gridplan.osm.tags import (
    FACILITIES,
    GATES,
    SCHOOL,
    SPECIALS,
    has,
    number,
    split,
    tag,
    text,
)

# How far a gate may stand from the outline of its estate, and an entrance from its wall.
GATE_REACH_M = 15.0
ENTRANCE_REACH_M = 0.5

_SHUT = frozenset(("no", "military"))
_PRIMARY = r"小学|九年|primary school|elementary school"
_MIDDLE = r"中学|初中|九年|middle school|junior high|secondary school"


def make_estates(areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the named residential areas."""
    held = areas[has(areas, "landuse", frozenset(("residential",))) & has(areas, "name")]
    return gpd.GeoDataFrame({"name": text(held, "name")}, geometry=held.geometry, crs=areas.crs)


def make_gates(points: gpd.GeoDataFrame, estates: gpd.GeoDataFrame,
               entrances: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the gates, with the estate whose outline they stand on or near.

    An ``entrance`` on the outline of an estate that belongs to no building is a gate for
    those on foot.
    """
    gate = has(points, "barrier", GATES)
    other = has(points, "entrance") & ~gate & ~points.index.isin(entrances.index)
    near = nearest_outline(points, estates, np.where(gate, GATE_REACH_M, ENTRANCE_REACH_M))
    chosen = gate | (other & (near != ""))
    held = points[chosen]
    foot = ~(has(held, "access", _SHUT) & (tag(held, "foot") == "").to_numpy(bool)) & ~has(
        held, "foot", _SHUT)
    car = gate[chosen] & ~has(held, "barrier", frozenset(("wicket_gate",)))
    for key in ("access", "vehicle", "motor_vehicle", "motorcar"):
        said = tag(held, key)
        car = np.where((said != "").to_numpy(bool), gate[chosen] & ~said.isin(_SHUT).to_numpy(bool),
                       car)
    ids = near[chosen]
    return gpd.GeoDataFrame({"estate_id": np.where(ids == "", None, ids), "foot": foot,
                             "car": car.astype(bool)}, index=held.index,
                            geometry=held.geometry, crs=points.crs)


def make_entrances(points: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the entrances that stand on the outline of a building."""
    held = points[has(points, "entrance")]
    owner = nearest_outline(held, buildings, np.full(len(held), ENTRANCE_REACH_M))
    out = gpd.GeoDataFrame({"building_id": owner}, index=held.index, geometry=held.geometry,
                           crs=points.crs)
    return out[owner != ""]


def nearest_outline(points: gpd.GeoDataFrame, areas: gpd.GeoDataFrame,
                    reach_m: np.ndarray) -> np.ndarray:
    """Return for each point the key of the area whose outline is nearest, ``""`` out of reach.

    Of several at one distance the first in the order of ``areas`` is taken.
    """
    owner = np.full(len(points), "", dtype=object)
    if not len(points) or not len(areas):
        return owner
    bounds = points.total_bounds
    outline = shapely.boundary(in_metres(areas, bounds))
    at = in_metres(points, bounds)
    point, area = shapely.STRtree(outline).query(at, predicate="dwithin", distance=reach_m)
    gap = np.round(shapely.distance(at[point], outline[area]), 3)
    order = np.lexsort((area, gap, point))
    point, area = point[order], area[order]
    first = np.r_[True, point[1:] != point[:-1]] if len(point) else np.zeros(0, dtype=bool)
    owner[point[first]] = areas.index.to_numpy()[area[first]]
    return owner


def make_specials(areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the special places: grounds, not single buildings."""
    kind = _first_kind(areas, SPECIALS)
    held = (kind != "") & ~has(areas, "building")
    return gpd.GeoDataFrame({"kind": kind[held], "name": text(areas[held], "name")},
                            geometry=areas.geometry[held], crs=areas.crs)


def make_facilities(points: gpd.GeoDataFrame, areas: gpd.GeoDataFrame, name: str,
                    findings: Findings) -> gpd.GeoDataFrame:
    """Return the facilities of a service circle as points, with their categories.

    Schools that tell their level neither by tag nor by name are left out and told, as
    they would count twice.
    """
    points, areas = _candidates(points), _candidates(areas)
    table = pd.concat([points.drop(columns="geometry"), areas.drop(columns="geometry")])
    spots = shapely.point_on_surface(np.asarray(areas.geometry.array))
    every = gpd.GeoDataFrame(table.fillna(""), crs=CRS,
                             geometry=np.concatenate([np.asarray(points.geometry.array), spots]))
    categories = find_categories(every)
    vague = has(every, *_as_rule(SCHOOL)) & (categories == "")
    if vague.any():
        findings.add("osm.school_level", "warning", file=name, layer="facilities",
                     count=int(vague.sum()))
    held = every[categories != ""]
    return gpd.GeoDataFrame({
        "name": text(held, "name"), "categories": categories[categories != ""],
        "capacity": number(tag(held, "capacity")), "source": "OpenStreetMap",
    }, geometry=held.geometry, crs=CRS)


def _candidates(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Keep the objects that have any tag of the table."""
    held = np.zeros(len(frame), dtype=bool)
    for key in dict.fromkeys(key for key, _ in (*FACILITIES, SCHOOL)):
        held |= has(frame, key)
    return frame[held]


def find_categories(frame: gpd.GeoDataFrame) -> np.ndarray:
    """Return the categories of each object, joined with ``;`` in the order of the table."""
    found = np.full(len(frame), "", dtype=object)

    def add(rows: np.ndarray, category: str) -> None:
        found[rows] = [_join(old, category) for old in found[rows]]

    for key_value, categories in FACILITIES.items():
        rows = has(frame, *_as_rule(key_value))
        for category in split(categories):
            add(rows, category)
    school = has(frame, *_as_rule(SCHOOL))
    level = tag(frame, "isced:level")
    names = tag(frame, "name") + " " + tag(frame, "name:zh") + " " + tag(frame, "name:en")
    silent = (level == "").to_numpy(bool)
    for digit, pattern, category in (("1", _PRIMARY, "primary_school"),
                                     ("2", _MIDDLE, "middle_school")):
        told = level.map(lambda v, d=digit: d in _levels(v)).to_numpy(bool)
        named = names.str.contains(pattern, case=False, regex=True).to_numpy(bool)
        add(school & (told | (silent & named)), category)
    return found


def _levels(value: str) -> str:
    """Read school levels: ``"1-3"`` → ``"123"``.

    >>> _levels("1-3"), _levels("0;1")
    ('123', '01')
    """
    out = ""
    for part in split(value):
        low, dash, high = part.partition("-")
        if dash and low.strip().isdigit() and high.strip().isdigit():
            out += "".join(str(n) for n in range(int(low), min(int(high), 9) + 1))
        else:
            out += "".join(c for c in part if c.isdigit())
    return out


def _join(old: str, new: str) -> str:
    if new in old.split(";"):
        return old
    return f"{old};{new}" if old else new


def _as_rule(key_value: tuple[str, str]) -> tuple[str, frozenset[str]]:
    return key_value[0], frozenset((key_value[1],))


def _first_kind(areas: gpd.GeoDataFrame, table: dict[tuple[str, str], str]) -> np.ndarray:
    kind = np.full(len(areas), "", dtype=object)
    for key_value, name in table.items():
        kind[(kind == "") & has(areas, *_as_rule(key_value))] = name
    return kind
