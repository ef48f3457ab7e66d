"""The map that needs no script: communities and grids as one small inline SVG."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import shapely
from markupsafe import Markup, escape

from gridplan.maps.demand import order_points, pack_demand
from gridplan.maps.facts import Layers, count_of, hide_few, household_steps, statuses, text_of
from gridplan.maps.mergers import draw_former, has_mergers
from gridplan.maps.payload import Drawing
from gridplan.maps.shapes import inscribe, simplify_coverage
from gridplan.plan.coverage import Circle

WIDTH = 1000
BUDGET = 280_000
_FONT = 15.0
_LONGEST = 16


def draw_still(layers: Layers, drawing: Drawing, audience: str, label: str,
               alone: bool = False, circle: Circle | None = None) -> Markup:
    """Draw communities, grids and community names into an SVG of at most ``BUDGET`` bytes.

    The tolerance starts at a third of a pixel and doubles until the drawing fits. ``alone`` is a
    plan of communities without grids: what they were merged from is told by dashed lines.
    ``circle`` is that of a plan of demand points, which are drawn as dots.
    """
    both = np.concatenate([drawing.grids, drawing.communities])
    west, south, east, north = shapely.total_bounds(both)
    scale = WIDTH / max(east - west, (north - south) * 0.8, 1.0)
    names = _names(layers, drawing, scale, west, north)
    width, height = (east - west) * scale, (north - south) * scale
    tolerance, grids = 0.35 / scale, drawing.grids
    while True:
        grids = simplify_coverage(grids, tolerance)
        outlines = shapely.simplify(drawing.communities, tolerance)
        paths = _areas(layers, audience, grids, outlines, (scale, west, north))
        if alone:
            paths = f'<g class="alone">{paths}</g>'
        if circle is not None:
            paths = _dots(layers, circle, (scale, west, north))
        svg = (f'<svg class="still" xmlns="http://www.w3.org/2000/svg" role="img" '
               f'viewBox="-12 -12 {width + 24:.0f} {height + 24:.0f}" '
               f'aria-label="{escape(label)}">{paths}{names}</svg>')
        if len(svg.encode()) <= BUDGET or tolerance * scale > 64:
            return Markup(svg)  # noqa: S704  every name in it went through escape()
        tolerance *= 2


def grid_classes(layers: Layers, audience: str) -> list[str]:
    """Return the colour class of every grid: a household step, or its status."""
    grids = layers["grids"]
    steps = household_steps(layers)
    shown = hide_few(count_of(grids, "households"), audience)
    place = np.clip(np.searchsorted(steps[:-1], shown, side="right") - 1, 0, len(steps) - 2)
    return [f"h{step}" if status == "ok" else f"s-{status}"
            for step, status in zip(place.tolist(), statuses(grids), strict=True)]


def _areas(layers: Layers, audience: str, grids: np.ndarray, outlines: np.ndarray,
           frame: tuple[float, float, float]) -> str:
    groups = pd.Series(np.arange(len(grids))).groupby(np.array(grid_classes(layers, audience)))
    parts = [f'<path class="g {name}" d="{_path(grids[rows.to_numpy()], frame)}"/>'
             for name, rows in groups]
    if has_mergers(layers):
        parts.append(f'<path class="f" d="{_lines(draw_former(layers), frame)}"/>')
    parts.append(f'<path class="c" d="{_path(outlines, frame)}"/>')
    return "".join(parts)


def _path(polygons: Iterable[Any], frame: tuple[float, float, float]) -> str:
    """Write the rings as one path of whole pixels, each step relative to the last."""
    scale, west, north = frame
    rings = shapely.get_rings(shapely.get_parts(np.asarray(polygons, object)))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    if not len(xy):
        return ""
    screen = np.rint((xy - (west, north)) * (scale, -scale)).astype(int)
    keep = np.ones(len(screen), bool)
    keep[1:] = (np.diff(screen, axis=0) != 0).any(axis=1) | (ring[1:] != ring[:-1])
    screen, ring = screen[keep], ring[keep]
    pieces = np.split(screen, np.flatnonzero(np.diff(ring)) + 1)
    words = []
    for points in pieces:
        if len(points) < 3:
            continue
        steps = np.diff(points, axis=0)[:-1].reshape(-1).tolist()
        body = "".join(f"{v}" if v < 0 or not n else f" {v}" for n, v in enumerate(steps))
        words.append(f"M{points[0][0]} {points[0][1]}l{body}z")
    return "".join(words)


def _lines(lines: np.ndarray, frame: tuple[float, float, float]) -> str:
    """Write lines as one path of whole pixels."""
    scale, west, north = frame
    slim = shapely.simplify(lines, 1.0 / scale)
    words = []
    for line in slim:
        xy = np.rint((shapely.get_coordinates(line) - (west, north)) * (scale, -scale)).astype(int)
        words.append("M" + "L".join(f"{x} {y}" for x, y in xy.tolist()))
    return "".join(words)


def _dots(layers: Layers, circle: Circle, frame: tuple[float, float, float]) -> str:
    """Write the demand points as dots coloured by completeness, those of one pixel once."""
    scale, west, north = frame
    rows, steps = order_points(layers), np.array(pack_demand(layers, circle)[0][0][0])
    shape = np.asarray(layers["demand"].geometry.array)[rows]
    xy = np.rint((shapely.get_coordinates(shape) - (west, north)) * (scale, -scale) / 3) * 3
    words = []
    for step in sorted(set(steps.tolist())):
        at = np.unique(xy[steps == step].astype(int), axis=0)
        body = "".join(f"M{x} {y}h0" for x, y in at.tolist())
        words.append(f'<path class="dot d{"x" if step < 0 else step}" d="{body}"/>')
    return "".join(words)


def _names(layers: Layers, drawing: Drawing, scale: float, west: float, north: float) -> str:
    """Write the names of the communities that fit, the largest first, none over another."""
    names = [_cut(n) for n in text_of(layers["communities"], "name")]
    centres, radii = inscribe(drawing.communities)
    xy = (shapely.get_coordinates(centres) - (west, north)) * (scale, -scale)
    taken = np.empty((0, 4))
    words = []
    for row in np.argsort(-radii, kind="stable"):
        wide = sum(1.0 if ord(c) > 0x2E7F else 0.6 for c in names[row]) * _FONT
        x, y = xy[row]
        box = np.array([x - wide / 2 - 3, y - _FONT, x + wide / 2 + 3, y + _FONT])
        hit = ((taken[:, :2] < box[2:]) & (taken[:, 2:] > box[:2])).all(axis=1).any()
        if not names[row] or hit or wide > 3.4 * radii[row] * scale:
            continue
        taken = np.vstack([taken, box])
        words.append(f'<text x="{x:.0f}" y="{y + _FONT / 3:.0f}">'
                     f"{escape(names[row])}</text>")
    return "".join(words)


def _cut(name: str) -> str:
    """Cut a long name and keep its direction of writing to itself."""
    name = " ".join(name.split())
    shown = name if len(name) <= _LONGEST else name[:_LONGEST - 1] + "…"
    return f"\u2068{shown}\u2069" if shown else ""
