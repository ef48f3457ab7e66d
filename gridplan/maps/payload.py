"""The plan as the page's script gets it: one compressed block, nothing in it that can run."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely import STRtree

from gridplan.layers import GRID_STATUS, ROAD_CLASS, Roster
from gridplan.maps.circle import chosen_facilities, chosen_sites, draw_areas, pack_circle
from gridplan.maps.demand import is_demand, order_points, pack_demand
from gridplan.maps.facts import (
    Layers,
    count_of,
    hide_few,
    household_steps,
    keys_of,
    statuses,
    text_of,
    ui_texts,
)
from gridplan.maps.groups import has_groups, pack_groups
from gridplan.maps.mergers import draw_former, has_mergers, merger_texts, pack_mergers
from gridplan.maps.patrol import pack_patrol
from gridplan.maps.scores import is_unmeasured, pack_borders, pack_gaps, pack_scores
from gridplan.maps.shapes import (
    Packed,
    dissolve,
    inscribe,
    pack,
    pack_corners,
    pack_points,
    simplify_coverage,
    to_stream,
    to_varints,
)
from gridplan.maps.staffing import pack_staffing
from gridplan.plan.coverage import Circle

# What fits three megabytes: outlines, then rectangles, then no buildings at all.
OUTLINED_BUILDINGS = 12_000
DRAWN_BUILDINGS = 150_000
# A name is shown beside grids that lie along its road or hold its estate.
ALONG_M = 2.0
_INNER = ("service", "footway", "path", "steps", "track", "cycleway", "pedestrian", "corridor",
          "bridleway")
_BOUNDS = ("bound_e", "bound_s", "bound_w", "bound_n")
_REASONS = ("count", "enumeration", "unproven", "building", "small", "exclave", "empty",
            "special-place", "special-empty", "locked")


@dataclass(frozen=True)
class Drawing:
    """Grids and communities ready to draw, in the plan's metric CRS, in the layers' order."""

    grids: np.ndarray
    communities: np.ndarray
    owner: np.ndarray
    crs: Any


def prepare_drawing(layers: Layers) -> Drawing:
    """Simplify the grids together and build the communities from them."""
    grids, communities = layers["grids"], layers["communities"]
    ids = pd.Index(keys_of(communities, "community_id"))
    owner = np.asarray(ids.get_indexer(pd.Index(text_of(grids, "community_id"))))
    tolerance_m = 1.0 if len(grids) < 3000 else 1.5
    polygons = simplify_coverage(np.asarray(grids.geometry.array), tolerance_m)
    united = dissolve(polygons, owner, np.asarray(communities.geometry.array), tolerance_m)
    return Drawing(polygons, united, owner, grids.crs)


def build_payload(layers: Layers, drawing: Drawing, audience: str, lang: str,
                  *, alone: bool = False, roster: Roster | None = None,
                  circle: Circle | None = None, patrol: str = "") -> str:
    """Return the block the script unpacks: base64 of gzip of (length, JSON, varints).

    The JSON holds names, counts and texts by column; ``shapes`` in it lists the
    packed layers in the order in which their varints follow. ``alone`` is a plan of communities
    without grids, ``circle`` the service circle where the plan holds one, ``patrol`` to whom
    its patrols are told, blank where it holds none. ``numbers`` in the JSON lists rows of whole
    numbers that follow the layers.
    """
    numbers: dict[str, np.ndarray] = {}
    shapes: list[tuple[str, Packed, int]] = []
    head: dict[str, Any] = {
        "text": ui_texts(lang), "steps": household_steps(layers), "status": list(GRID_STATUS),
        "grids": _grids(layers, drawing, audience),
        "communities": _communities(layers, audience), "borders": pack_borders(layers),
        "unmeasured": is_unmeasured(layers),
        "staffing": pack_staffing(layers, audience, roster, lang)}
    if has_mergers(layers):
        _add_mergers(shapes, head, layers, audience)
    if alone:
        head |= {"alone": True, "text": merger_texts(head["text"], lang)}
        head["grids"]["former"] = head["mergers"]["households"]
    _add_areas(shapes, head, drawing)
    _add_background(shapes, head, layers, drawing)
    _add_buildings(shapes, head, layers)
    if has_groups(layers):
        head["groups"], lines, centres = pack_groups(layers, head["grids"]["id"], audience)
        shapes.append(("groups", pack(_degrees(lines, drawing.crs), closed=False), 0))
        shapes.append(("groups.centre", pack_points(_degrees(centres, drawing.crs)), 0))
    if circle is not None:
        _add_circle(shapes, head, layers, drawing, circle, audience, lang)
    if patrol:
        numbers = _add_patrol(shapes, head, layers, drawing, patrol, lang)
    head["places"] = _places(shapes, layers, drawing)
    head["numbers"] = [[name, len(row)] for name, row in numbers.items()]
    head["shapes"] = [[name, len(p.parts), len(p.points), len(p.xy), corners]
                      for name, p, corners in shapes]
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    body = b"".join((len(text).to_bytes(4, "little"), text, *(to_stream(p) for _, p, _ in shapes),
                     *map(to_varints, numbers.values())))
    return base64.b64encode(gzip.compress(body, 9, mtime=0)).decode("ascii")


def _grids(layers: Layers, drawing: Drawing, audience: str) -> dict[str, list[Any]]:
    grids = layers["grids"]
    households = count_of(grids, "households")
    status = statuses(grids)
    few = (audience == "share") & (households > 0) & (households < 10)
    reasons = [split_reason(r) for r in text_of(grids, "reason")]
    columns: dict[str, list[Any]] = {
        "id": keys_of(grids, "grid_id"), "community": drawing.owner.tolist(),
        "name": text_of(grids, "name"), "seq": count_of(grids, "seq").tolist(),
        "status": [GRID_STATUS.index(s) for s in status],
        "area": count_of(grids, "area_m2").tolist(),
        "code": [code for code, _ in reasons],
        # A reason may quote a count that is too small to be shared.
        "reason": ["" if hidden else why for (_, why), hidden in zip(reasons, few, strict=True)],
        "contents": text_of(grids, "contents")}
    columns |= {b: text_of(grids, b) for b in _BOUNDS}
    for name in ("households", "households_low", "households_high", "buildings"):
        columns[name] = hide_few(count_of(grids, name), audience).tolist()
    for name in ("households_low", "households_high"):
        columns[name] = [-2 if hidden else v for v, hidden in zip(columns[name], few, strict=True)]
    columns["scores"] = pack_scores(grids, audience)
    return columns


def split_reason(reason: str) -> tuple[str, str]:
    """Split ``"code: sentence"``; a reason without a known code is all sentence.

    >>> split_reason("count: 551 households"), split_reason("by hand: see note")
    (('count', '551 households'), ('', 'by hand: see note'))
    """
    code, colon, sentence = reason.partition(":")
    if code.strip() in _REASONS:
        return code.strip(), sentence.strip() if colon else ""
    return "", reason


def _communities(layers: Layers, audience: str) -> dict[str, list[Any]]:
    frame = layers["communities"]
    return {"id": keys_of(frame, "community_id"), "name": text_of(frame, "name"),
            "scores": pack_scores(frame, audience), "gap": pack_gaps(frame)}


def _degrees(geometries: np.ndarray, crs: Any) -> np.ndarray:
    return np.asarray(gpd.GeoSeries(geometries, crs=crs).to_crs(4326).array)


def _add_areas(shapes: list[tuple[str, Packed, int]], head: dict[str, Any],
               drawing: Drawing) -> None:
    for name, polygons in (("grids", drawing.grids), ("communities", drawing.communities)):
        centres, radii = inscribe(polygons)
        head[name]["radius"] = np.rint(radii * 10).astype(int).tolist()
        shapes.append((name, pack(_degrees(polygons, drawing.crs), closed=True), 0))
        shapes.append((f"{name}.centre", pack_points(_degrees(centres, drawing.crs)), 0))


def _add_mergers(shapes: list[tuple[str, Packed, int]], head: dict[str, Any], layers: Layers,
                 audience: str) -> None:
    head["mergers"] = pack_mergers(layers, audience)
    lines = shapely.simplify(draw_former(layers), 1.0)
    shapes.append(("former", pack(_degrees(lines, layers["mergers"].crs), closed=False), 0))


def _add_circle(shapes: list[tuple[str, Packed, int]], head: dict[str, Any], layers: Layers,
                drawing: Drawing, circle: Circle, audience: str, lang: str) -> None:
    """Add who reaches what, service areas, and facilities, sites and demand points as points."""
    told = pack_circle(layers, circle, audience, lang)
    told["areas"], areas = draw_areas(layers, circle)
    shapes.append(("areas", pack(_degrees(areas, drawing.crs), closed=True), 0))
    points = [("facilities", *chosen_facilities(layers, circle)),
              ("sites", *chosen_sites(layers, circle))]
    if is_demand(layers):
        told["demand"] = pack_demand(layers, circle)
        points.append(("demand", layers["demand"], order_points(layers)))
    for name, frame, rows in points:
        shape = np.asarray(frame.geometry.array)[rows] if len(rows) else np.empty(0, object)
        shapes.append((name, pack_points(_degrees(shape, drawing.crs)), 0))
    head["circle"] = told


def _add_patrol(shapes: list[tuple[str, Packed, int]], head: dict[str, Any], layers: Layers,
                drawing: Drawing, audience: str, lang: str) -> dict[str, np.ndarray]:
    """Add patrols and return their rows of numbers."""
    told = pack_patrol(layers, audience, lang)
    head["patrol"] = told.head
    for name, kind, geometries in told.shapes:
        degrees = _degrees(geometries, drawing.crs)
        packed = pack_points(degrees) if kind == "point" else pack(degrees, kind == "area")
        shapes.append((f"patrol.{name}", packed, 0))
    return told.numbers


def _add_background(shapes: list[tuple[str, Packed, int]], head: dict[str, Any], layers: Layers,
                    drawing: Drawing) -> None:
    """Add water, rail, special places and roads, each merged to what is drawn alike."""
    sets: list[tuple[str, dict[str, Any], np.ndarray, bool]] = []
    barriers = layers.get("barriers")
    if barriers is not None and len(barriers):
        kinds = np.array(text_of(barriers, "kind"))
        shape = np.asarray(barriers.geometry.array)
        lines = shapely.get_dimensions(shape) == 1
        wet = np.isin(kinds, ("river", "water"))
        for name, chosen, closed in (("water", wet & ~lines, True), ("stream", wet & lines, False),
                                     ("rail", (kinds == "rail") & lines, False)):
            sets.append((name, {}, shape[chosen], closed))
    specials = layers.get("specials")
    if specials is not None and len(specials):
        polygons = np.asarray(specials.geometry.array)
        centres, radii = inscribe(polygons)
        sets.append(("specials", {
            "kind": text_of(specials, "kind"), "name": text_of(specials, "name"),
            "radius": np.rint(radii * 10).astype(int).tolist()}, polygons, True))
        shapes.append(("specials.centre", pack_points(_degrees(centres, drawing.crs)), 0))
    sets.append(("roads", *_roads(layers), False))
    for name, columns, geometries, closed in sets:
        slim = shapely.simplify(np.asarray(geometries, object), 1.0)
        shapes.append((name, pack(_degrees(slim, drawing.crs), closed), 0))
        head[name] = columns


def _roads(layers: Layers) -> tuple[dict[str, Any], np.ndarray]:
    """Merge the roads of one drawn class and name into lines as long as they come."""
    roads = layers.get("roads")
    if roads is None or not len(roads):
        return {"kind": [], "name": []}, np.empty(0, object)
    shape = np.asarray(roads.geometry.array)
    table = pd.DataFrame({
        "level": [0 if r in _INNER else ROAD_CLASS.get(r, 1) for r in text_of(roads, "road_class")],
        "name": text_of(roads, "name")})
    shown = [s != "tunnel" for s in text_of(roads, "structure")]
    table = table[np.array(shown) & (shapely.get_dimensions(shape) == 1)]
    columns: dict[str, Any] = {"kind": [], "name": []}
    lines = [np.empty(0, object)]
    for (level, name), rows in table.groupby(["level", "name"]).indices.items():
        merged = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(
            shapely.get_parts(shape[table.index[rows]]))))
        lines.append(merged)
        columns["kind"] += [int(level)] * len(merged)
        columns["name"] += [name] * len(merged)
    return columns, np.concatenate(lines)


def _add_buildings(shapes: list[tuple[str, Packed, int]], head: dict[str, Any],
                   layers: Layers) -> None:
    """Add outlines without any number or name, in an order that says nothing of them."""
    frame = layers.get("buildings")
    head["buildings"] = 0 if frame is None else len(frame)
    if frame is None or not 0 < len(frame) <= DRAWN_BUILDINGS:
        return
    shape = np.array(frame.geometry.array, dtype=object)
    points = shapely.get_dimensions(shape) == 0
    shape[points] = shapely.buffer(shape[points], 4.0, cap_style="square")
    shape = shape[shapely.get_dimensions(shape) == 2]
    middle = np.rint(shapely.get_coordinates(shapely.centroid(shape)))
    column = np.floor(middle[:, 0] / 200)
    north = np.where(column % 2 == 0, middle[:, 1], -middle[:, 1])
    shape = shape[np.lexsort((middle[:, 0], north, column))]
    if len(shape) <= OUTLINED_BUILDINGS:
        packed, corners = pack(_degrees(shapely.simplify(shape, 0.6), frame.crs), closed=True), 0
    else:
        packed, corners = pack_corners(_degrees(shapely.oriented_envelope(shape), frame.crs)), 1
    shapes.append(("buildings", packed, corners))


def _places(shapes: list[tuple[str, Packed, int]], layers: Layers,
            drawing: Drawing) -> dict[str, list[Any]]:
    """Gather named roads and estates with the grids they touch, to be searched for."""
    tree = STRtree(drawing.grids)
    names: list[str] = []
    kinds: list[str] = []
    inside: list[list[int]] = []
    geometries: list[Any] = []
    for kind, layer, reach_m in (("estate", "estates", -ALONG_M), ("road", "roads", ALONG_M)):
        frame = layers.get(layer)
        if frame is None or not len(frame):
            continue
        by_name = pd.Series(np.arange(len(frame))).groupby(np.array(text_of(frame, "name")))
        shape = np.asarray(frame.geometry.array)
        for name, rows in by_name:
            if not str(name):
                continue
            whole = shapely.multilinestrings(
                shapely.get_parts(shape[rows])) if kind == "road" else shapely.union_all(
                shape[rows])
            near = shapely.buffer(whole, reach_m)
            hits = np.unique(tree.query(near, predicate="intersects"))
            names.append(str(name))
            kinds.append(kind)
            inside.append(hits.tolist())
            geometries.append(shapely.simplify(shapely.convex_hull(whole), 5.0)
                              if kind == "estate" else shapely.simplify(whole, 3.0))
    boxes = _degrees(shapely.box(*shapely.bounds(np.asarray(geometries, object)).T)
                     if geometries else np.empty(0, object), drawing.crs)
    corners = np.rint(shapely.bounds(boxes).reshape(-1, 4) * 1e6).astype(int)
    return {"name": names, "kind": kinds, "grids": inside, "box": corners.tolist()}
