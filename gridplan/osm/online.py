"""A place name → the same raw layers, through osmnx. Uses the network, so only when asked."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.errors import Finding, Findings, InputError, MachineError
from gridplan.layers import Source
from gridplan.osm.features import CRS, Features
from gridplan.osm.tags import AREA_RULES, KEPT, LINE_RULES, POINT_RULES, WALLS, has


def read_place(name: str, findings: Findings, *, admin_level: int | None = None,
               overpass_url: str | None = None, nominatim_url: str | None = None,
               cache: str | Path | None = None, margin_m: float = 500.0, gap_m: float = 500.0,
               timeout_s: float = 180.0) -> tuple[dict[str, gpd.GeoDataFrame], list[Source]]:
    """Ask map servers for a place; returns what :func:`gridplan.osm.read_extract` returns.

    Parameters
    ----------
    name
        The place as one would write it in a search, with its city and country.
    findings
        Gathers what was repaired, what is left out and the tally.
    admin_level
        The level of the boundaries inside the place that are the communities; without it
        the place itself is the one community.
    overpass_url, nominatim_url
        The addresses of the map server and of the name server; None takes those of osmnx.
    cache
        A folder that keeps the answers; None keeps none.
    margin_m
        How far around the place data are asked for, in metres.
    gap_m
        The widest gap in a coastline that is closed straight, in metres.
    timeout_s
        How long to wait for an answer, in seconds.

    Notes
    -----
    The settings of osmnx are global; they are set for this call and put back after it, so
    two threads must not call it at once.

    Raises
    ------
    InputError
        The place is unknown, has no outline, or holds nothing of use.
    MachineError
        A server does not answer.
    """
    from gridplan.osm.build import build_layers

    options = {
        "use_cache": cache is not None, "requests_timeout": timeout_s, "doh_url_template": None,
        "overpass_rate_limit": overpass_url is None,
        **({"cache_folder": str(cache)} if cache is not None else {}),
        **({"overpass_url": overpass_url} if overpass_url else {}),
        **({"nominatim_url": nominatim_url} if nominatim_url else {})}
    with _settings(**options):
        outline = _geocode(name)
        found = _download(name, outline, margin_m, admin_level)
    features = _as_features(name, found, outline)
    key = str(outline.index[0])
    raw = build_layers(features, admin_level, key, gap_m, findings)
    if set(raw) <= {"communities"}:
        findings.add("osm.empty", file=name)
    elif "communities" not in raw:
        findings.add("osm.no_communities", file=name, layer="communities", place=name,
                     level="" if admin_level is None else admin_level, levels="-")
    findings.stop_on_faults()
    return raw, [Source(name, layer, _digest(frame), len(frame)) for layer, frame in raw.items()]


@contextmanager
def _settings(**options: object) -> Iterator[None]:
    """Set options of osmnx for a while; also undo what it does to the look-up of names."""
    from osmnx import settings

    before = {option: getattr(settings, option) for option in options}
    lookup = socket.getaddrinfo
    try:
        for option, value in options.items():
            setattr(settings, option, value)
        yield
    finally:
        socket.getaddrinfo = lookup
        for option, value in before.items():
            setattr(settings, option, value)


def _geocode(name: str) -> gpd.GeoDataFrame:
    """Return the outline of a place as one row, keyed and tagged like an administrative area."""
    import osmnx
    import requests

    try:
        found = osmnx.geocode_to_gdf(name).iloc[:1]
    except requests.exceptions.RequestException as error:
        raise _no_answer(name, error) from error
    except (ValueError, TypeError, KeyError) as error:  # osmnx's ways to say: unknown, or no area
        raise InputError(Finding("osm.place_unknown", file=name,
                                 values={"place": name})) from error
    row = found.iloc[0]
    key = f"{str(row.get('osm_type', 'relation'))[:1]}{int(row.get('osm_id', 0))}"
    short = str(row.get("name") or "").strip() or name
    return gpd.GeoDataFrame({"boundary": ["administrative"], "admin_level": [""], "name": [short]},
                            geometry=[row.geometry], crs=CRS, index=np.array([key], dtype=object))


def _download(name: str, outline: gpd.GeoDataFrame, margin_m: float,
              admin_level: int | None) -> gpd.GeoDataFrame:
    """Return every object with a wanted tag in and around the outline."""
    import osmnx
    import requests

    near = outline.geometry.to_crs(outline.estimate_utm_crs()).buffer(margin_m).to_crs(CRS)
    try:
        return osmnx.features_from_polygon(near.iloc[0], query_tags(admin_level))
    except (requests.exceptions.RequestException, KeyError) as error:
        raise _no_answer(name, error) from error
    except ValueError as error:
        if type(error).__name__ == "ResponseStatusCodeError":
            raise _no_answer(name, error) from error
        raise InputError(Finding("osm.empty", file=name)) from error


def query_tags(admin_level: int | None) -> dict[str, bool | str | list[str]]:
    """Return the tags to ask for, as osmnx takes them.

    >>> tags = query_tags(None)
    >>> tags["building"], tags["natural"]
    (True, ['coastline', 'water'])
    """
    asked: dict[str, set[str] | None] = {}
    for rules in (POINT_RULES, LINE_RULES, AREA_RULES):
        for key, values in rules.items():
            held = asked.setdefault(key, set())
            asked[key] = None if held is None or not values else held | values
    tags: dict[str, bool | str | list[str]] = {
        key: True if values is None else sorted(values) for key, values in sorted(asked.items())}
    if admin_level is not None:
        tags["boundary"] = "administrative"
    return tags


def _as_features(name: str, found: gpd.GeoDataFrame, outline: gpd.GeoDataFrame) -> Features:
    """Sort objects into points, lines and areas."""
    element = found.index.get_level_values(0).astype(str).str[0]
    number = found.index.get_level_values(1)
    kept = [c for c in found.columns if c in KEPT or c.startswith("ref:")]
    table = found[kept].astype(object).where(found[kept].notna(), "")
    frame = gpd.GeoDataFrame(table, geometry=found.geometry, crs=CRS)
    frame.index = pd.Index(element + number.astype(str), dtype=object)
    order = np.lexsort((number.to_numpy(), element.map({"n": 0, "w": 1, "r": 2}).to_numpy()))
    frame = frame.iloc[order]
    frame = frame[~frame.index.duplicated()]
    dimension = shapely.get_dimensions(np.asarray(frame.geometry.array))
    areas = _without_outlines(frame[dimension == 2])
    rings = areas[has(areas, "barrier", WALLS)]
    rings = rings.set_geometry(rings.boundary)
    lines = gpd.GeoDataFrame(pd.concat([frame[dimension == 1], rings]) if len(rings)
                             else frame[dimension == 1], crs=CRS)
    bounds = outline
    if "boundary" in areas.columns:
        inner = areas[(areas["boundary"] == "administrative").to_numpy(bool)
                      & areas.index.str.startswith("r") & ~areas.index.isin(outline.index)]
        joined = gpd.GeoDataFrame(pd.concat([outline, inner]), crs=CRS)
        bounds = gpd.GeoDataFrame(joined.drop(columns="geometry").fillna(""),
                                  geometry=joined.geometry, crs=CRS)
    return Features(name, frame[dimension == 0], lines, areas, bounds)


def _without_outlines(areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Drop ways tagged as a building whose relation is told as the same building."""
    houses = np.flatnonzero(has(areas, "building"))
    shapes = np.asarray(areas.geometry.array)[houses]
    way = areas.index[houses].str.startswith("w")
    rings = shapely.to_wkb(shapely.normalize(shapely.get_exterior_ring(shapes)))
    told = {ring for ring in rings[~way] if ring is not None}
    twice = houses[[bool(w) and ring in told for w, ring in zip(way, rings, strict=True)]]
    return areas.drop(index=areas.index[twice])


def _no_answer(name: str, error: Exception) -> MachineError:
    return MachineError(Finding("osm.no_answer", file=name,
                                values={"error": type(error).__name__}))


def _digest(frame: gpd.GeoDataFrame) -> str:
    """Return the SHA-256 of keys and shapes, as there is no file to take it from."""
    digest = hashlib.sha256("\n".join(map(str, frame.index)).encode())
    shapes: Any = shapely.to_wkb(np.asarray(frame.geometry.array))
    for shape in shapes:
        digest.update(shape)
    return digest.hexdigest()
