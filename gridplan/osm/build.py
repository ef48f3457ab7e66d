"""Objects with tags → the raw layers of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.errors import Findings, TallyRow, first_ids
from gridplan.layers import INPUTS, conform_input
from gridplan.osm.barriers import coastlines, make_barriers
from gridplan.osm.buildings import make_buildings
from gridplan.osm.coast import clip_communities, draw_sea
from gridplan.osm.communities import make_communities
from gridplan.osm.features import CRS, Features, repair_areas
from gridplan.osm.places import (
    make_entrances,
    make_estates,
    make_facilities,
    make_gates,
    make_specials,
)
from gridplan.osm.roads import make_roads
from gridplan.osm.tags import number


def build_layers(features: Features, level: int | None, place: str | None, gap_m: float,
                 findings: Findings) -> dict[str, gpd.GeoDataFrame]:
    """Return the layers that have rows, in the order and with the columns of ``INPUTS``."""
    repair_areas(features)
    _tell_areas(features, findings)
    points, lines, areas, name = features.points, features.lines, features.areas, features.name
    raw: dict[str, gpd.GeoDataFrame] = {}
    if level is not None or place is not None:
        raw["communities"] = make_communities(features.bounds, level, place, name, findings)
    raw["buildings"] = make_buildings(areas)
    raw["roads"] = make_roads(lines)
    raw["barriers"] = make_barriers(lines, areas)
    raw["estates"] = make_estates(areas)
    raw["entrances"] = make_entrances(points, raw["buildings"])
    raw["gates"] = make_gates(points, raw["estates"], raw["entrances"])
    raw["specials"] = make_specials(areas)
    raw["facilities"] = make_facilities(points, areas, name, findings)
    _add_sea(raw, features, gap_m, findings)
    out = {}
    for layer in INPUTS:
        if layer in raw and len(raw[layer]):
            raw[layer].index.name = INPUTS[layer].key
            out[layer] = conform_input(layer, raw[layer])
    _tally(raw, features, findings)
    return out


def _add_sea(raw: dict[str, gpd.GeoDataFrame], features: Features, gap_m: float,
             findings: Findings) -> None:
    """Add the sea to the barriers and take it out of the communities."""
    coast = coastlines(features.lines)
    if not coast:
        return
    communities = raw.get("communities")
    if communities is not None and len(communities):
        region = shapely.union_all(np.asarray(communities.geometry.array))
    else:
        region = features.box or _extent(raw)
    if region is None:
        return
    sea = draw_sea(coast, region, gap_m, features.name, findings)
    if not sea:
        return
    rows = gpd.GeoDataFrame(
        {"kind": "water", "name": "sea"}, geometry=sea, crs=CRS,
        index=[f"sea{n}" for n in range(1, len(sea) + 1)])
    raw["barriers"] = gpd.GeoDataFrame(
        pd.concat([raw["barriers"], rows]) if len(raw["barriers"]) else rows, crs=CRS)
    if communities is not None:
        raw["communities"] = clip_communities(communities, sea, features.name, findings)
        dry = raw["communities"]["key"]
        features.lost.update({key: {"boundary": "administrative"}
                              for key in communities["key"] if key not in set(dry)})


def _extent(raw: Mapping[str, gpd.GeoDataFrame]) -> shapely.Geometry | None:
    """Return the box around the buildings and roads."""
    bounds = [raw[n].total_bounds for n in ("buildings", "roads") if len(raw[n])]
    if not bounds:
        return None
    low, high = np.min(bounds, axis=0)[:2], np.max(bounds, axis=0)[2:]
    return shapely.box(*low, *high)


def _tell_areas(features: Features, findings: Findings) -> None:
    lost = [k for k, tags in features.lost.items() if layer_of(tags) != "communities"]
    if lost:
        findings.add("osm.area_broken", "warning", file=features.name, count=len(lost),
                     ids=first_ids(lost))
    if features.open:
        findings.add("osm.area_open", "warning", file=features.name, layer="buildings",
                     count=len(features.open), ids=first_ids(features.open))
    closed = {f.row for f in findings.items if f.key == "osm.boundary_closed"}
    mended = sorted(features.mended - closed)
    if mended:
        findings.add("osm.area_mended", "repaired", file=features.name, count=len(mended),
                     ids=first_ids(mended))


def layer_of(tags: Mapping[str, str]) -> str:
    """Name the layer that an area belongs to, for the tally."""
    if "building" in tags:
        return "buildings"
    if tags.get("boundary") == "administrative":
        return "communities"
    if tags.get("natural") == "water" or tags.get("waterway") == "riverbank":
        return "barriers"
    return "estates" if tags.get("landuse") == "residential" else "specials"


def _tally(raw: Mapping[str, gpd.GeoDataFrame], features: Features, findings: Findings) -> None:
    """Count what each layer was given, what was mended and what was left out."""
    rejected = [*features.lost.values(), *features.open.values()]
    lost = Counter(layer_of(tags) for tags in rejected)
    flats = number(pd.Series([tags.get("building:flats", "") for tags in rejected
                              if layer_of(tags) == "buildings"], dtype=object)).sum()
    for layer in INPUTS:
        rows = len(raw[layer]) if layer in raw else 0
        if not rows and not lost[layer]:
            continue
        keys = raw[layer]["key"] if layer == "communities" and rows else (
            raw[layer].index if rows else pd.Index([]))
        mended = int(keys.isin(features.mended).sum())
        given = int(raw[layer]["households"].sum()) if rows and layer == "buildings" else 0
        findings.tally.append(TallyRow(
            "osm", layer, rows + lost[layer], rows - mended, mended, lost[layer],
            households_in=given + (int(flats) if layer == "buildings" else 0),
            households_out=given))
