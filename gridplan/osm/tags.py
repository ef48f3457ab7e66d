"""Which OSM tags the reader looks at, and how their values are read.

The meaning of every tag is that of the OpenStreetMap wiki (Map features). A
rule table maps a key to the values wanted; an empty set means any value but ``no``.
"""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.categories import load_categories

Rules = Mapping[str, frozenset[str]]

ANY: frozenset[str] = frozenset()
RAILS = frozenset(("rail", "light_rail", "narrow_gauge"))
WATERCOURSES = frozenset(("river", "canal"))
WALLS = frozenset(("wall", "city_wall", "retaining_wall"))
GATES = frozenset(("gate", "lift_gate", "swing_gate", "sliding_gate", "wicket_gate"))

# Tag → categories of the service circle, out of the table of categories; schools are told apart
# by level or name.
FACILITIES: dict[tuple[str, str], str] = load_categories().osm_tags()
SCHOOL = ("amenity", "school")

# Tag of an area → kind of special place.
SPECIALS: dict[tuple[str, str], str] = {
    ("amenity", "university"): "campus",
    ("amenity", "college"): "campus",
    ("amenity", "hospital"): "hospital",
    ("leisure", "park"): "park",
    ("amenity", "marketplace"): "market",
    ("landuse", "industrial"): "industrial",
    ("landuse", "cemetery"): "cemetery",
    ("amenity", "grave_yard"): "cemetery",
    ("leisure", "stadium"): "stadium",
    ("landuse", "military"): "military",
    ("aeroway", "aerodrome"): "airport",
}


def _rules(*tables: Mapping[tuple[str, str], str], **more: frozenset[str]) -> dict[str,
                                                                                   frozenset[str]]:
    """Join tag tables and further keys into one rule table."""
    found: dict[str, frozenset[str]] = dict(more)
    for key, value in (tag for table in tables for tag in table):
        found[key] = found.get(key, ANY) | {value}
    return found


POINT_RULES: Rules = _rules(FACILITIES, {SCHOOL: ""}, barrier=GATES, entrance=ANY)
LINE_RULES: Rules = {"highway": ANY, "railway": RAILS, "waterway": WATERCOURSES, "barrier": WALLS,
                     "natural": frozenset(("coastline",))}
AREA_RULES: Rules = {
    **_rules({tag: "" for tag in FACILITIES if tag[0] != "highway"}, SPECIALS, {SCHOOL: ""}),
    "building": ANY, "building:part": ANY, "natural": frozenset(("water",)),
    "waterway": frozenset(("riverbank",)),
    "landuse": frozenset(("residential", "reservoir", "industrial", "cemetery", "military"))}

# Every tag that a rule of a layer reads; the others are not kept.
KEPT = frozenset((
    *POINT_RULES, *LINE_RULES, *AREA_RULES,
    "name", "name:en", "name:zh", "capacity", "isced:level", "width", "est_width", "tunnel",
    "bridge", "covered", "indoor", "layer", "location", "area", "service", "oneway", "junction",
    "maxspeed", "access", "vehicle", "motor_vehicle", "motorcar", "bicycle", "electric_bicycle",
    "foot", "motorroad", "water", "height", "building:levels", "building:min_level", "min_height",
    "building:flats", "building:use", "residential", "addr:housenumber", "tourism", "craft",
    "government", "club", "industrial", "public_transport", "power", "historic", "man_made",
    "type", "boundary", "admin_level", "ref", "population"))


def wanted(tags: Mapping[str, str], rules: Rules) -> bool:
    """Tell whether ``tags`` meet one of ``rules``.

    >>> wanted({"building": "yes"}, AREA_RULES), wanted({"building": "no"}, AREA_RULES)
    (True, False)
    """
    for key in tags.keys() & rules.keys():
        values, value = rules[key], tags[key]
        if value != "no" and (not values or not values.isdisjoint(split(value))):
            return True
    return False


def split(value: str) -> list[str]:
    """Read a list of values: ``"bakery; convenience"`` → ``["bakery", "convenience"]``."""
    return [value] if ";" not in value else [v.strip() for v in value.split(";") if v.strip()]


def tag(frame: pd.DataFrame, key: str) -> pd.Series:
    """Return the values of a tag, ``""`` where an object does not have it."""
    if key in frame.columns:
        return frame[key]
    return pd.Series("", index=frame.index, dtype=object)


def has(frame: pd.DataFrame, key: str, values: frozenset[str] = ANY) -> np.ndarray:
    """Tell which objects have one of ``values``; without values, any but ``no``."""
    hit = np.zeros(len(frame), dtype=bool)
    if key not in frame.columns:
        return hit
    column = frame[key].to_numpy(object)
    rows = np.flatnonzero(column != "")
    if values:
        hit[rows] = [v in values or (";" in v and not values.isdisjoint(split(v)))
                     for v in column[rows]]
    else:
        hit[rows] = column[rows] != "no"
    return hit


def text(frame: pd.DataFrame, key: str) -> pd.Series:
    """Return a tag as text, NA where it is missing."""
    found = tag(frame, key)
    return found.where(found != "", None)


_NUMBER = r"^\s*([+-]?\d+(?:[.,]\d+)?)\s*(.*)$"
_FEET = r"^\s*(\d+(?:\.\d+)?)\s*'\s*(?:(\d+(?:\.\d+)?)\s*\")?\s*$"
_METRES = {"": 1.0, "m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0,
           "米": 1.0, "ft": 0.3048, "feet": 0.3048, "foot": 0.3048, "cm": 0.01, "km": 1000.0}
_SPEEDS = {"": 1.0, "km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": 1.609344}


def number(values: pd.Series, units: Mapping[str, float] | None = None) -> pd.Series:
    """Read numbers, the first of a list; NaN where there is none or the unit is not known.

    >>> number(pd.Series(["3", "3;4", "2,5", "many", ""])).tolist()
    [3.0, 3.0, 2.5, nan, nan]
    """
    distinct = pd.Series(values.unique(), dtype=object)
    parts = distinct.str.split(";").str[0].str.extract(_NUMBER)
    found = pd.to_numeric(parts[0].str.replace(",", ".", regex=False), errors="coerce")
    known = {"": 1.0} if units is None else units
    found = found * parts[1].str.strip().str.lower().map(known).astype(float)
    return values.map(dict(zip(distinct, found.astype(float), strict=True))).astype(float)


def metres(values: pd.Series) -> pd.Series:
    """Read lengths in metres.

    >>> metres(pd.Series(["12", "12 m", "30 ft", '''10'6"''', "tall"])).round(2).tolist()
    [12.0, 12.0, 9.14, 3.2, nan]
    """
    found = number(values, _METRES)
    feet = values.str.extract(_FEET).astype(float)
    inches = feet[0] * 0.3048 + feet[1].fillna(0.0) * 0.0254
    return found.where(found.notna(), inches)


def speeds(values: pd.Series) -> pd.Series:
    """Read speed limits in km/h; words such as ``none`` or ``CN:urban`` give NaN.

    >>> speeds(pd.Series(["50", "30 mph", "CN:urban"])).round(1).tolist()
    [50.0, 48.3, nan]
    """
    return number(values, _SPEEDS)


def levels(frame: pd.DataFrame) -> np.ndarray:
    """Return the OSM layer as integers, 0 where it is missing or no number."""
    return number(tag(frame, "layer")).fillna(0.0).round().clip(-20, 20).to_numpy().astype(int)


def underground(frame: gpd.GeoDataFrame) -> np.ndarray:
    """Tell which objects run below ground: in a tunnel, a culvert or a negative layer."""
    return has(frame, "tunnel") | (levels(frame) < 0) | (tag(frame, "location")
                                                         == "underground").to_numpy(bool)
