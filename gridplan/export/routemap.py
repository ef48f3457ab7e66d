"""The small map of a route sheet: the way with arrows, required streets bold, stops numbered."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from fpdf import FPDF

from gridplan.export.trips import Trip
from gridplan.pages.canvas import ALERT, INK, Canvas, draw_scale, write_disc
from gridplan.pages.ground import Ground, draw_ground, write_roads

_REQUIRED = "#e08a1e"
_DISC_MM = 2.5
# A map of one corner would not tell where it is.
_LEAST_M, _AROUND_M = 250.0, 30.0
_ARROW_MM = 22.0
# Where a disc may stand when another is in its place: round it, ever farther away.
_AWAY = tuple((r * np.cos(a), r * np.sin(a)) for r in (5.6, 8.5, 11.5, 15.0)
              for a in np.radians([45, 135, 225, 315, 0, 90, 180, 270]))


def find_bounds(trip: Trip) -> tuple[float, ...]:
    """Return what the map of a trip must show."""
    shapes = [trip.line, trip.station, *(v.shape for v in trip.visits)]
    west, south, east, north = shapely.total_bounds(np.array(
        [s for s in shapes if s is not None], dtype=object))
    wide = max(_LEAST_M - (east - west), 0) / 2 + _AROUND_M
    high = max(_LEAST_M - (north - south), 0) / 2 + _AROUND_M
    return west - wide, south - high, east + wide, north + high


def draw_route(canvas: Canvas, ground: Ground, trip: Trip) -> None:
    """Draw a trip into its canvas."""
    box, pdf = canvas.box, canvas.pdf
    with pdf.rect_clip(box.x, box.y, box.width, box.height):
        canvas.draw(np.array([canvas.frame]), fill="#f6f4ee")
        draw_ground(canvas, ground)
        if trip.zone_shape is not None:
            canvas.draw(np.array([trip.zone_shape.boundary]), line="#8a5fa8", width_mm=0.5,
                        dash=(2.0, 1.2))
        streets = [v.shape for v in trip.passes if v.shape is not None]
        canvas.draw(np.array(streets, dtype=object), line=_REQUIRED, width_mm=2.3, opacity=0.85)
        canvas.draw(np.array([trip.line]), line=INK, width_mm=0.55)
        _draw_arrows(canvas, trip.line)
        _draw_stops(canvas, trip)
        write_roads(canvas, ground, shapely.buffer(trip.line, 20.0), aside_mm=2.4)
        draw_scale(canvas)
    pdf.set_draw_color("#cfc9bb")
    pdf.set_line_width(0.25)
    pdf.rect(box.x, box.y, box.width, box.height)


def _draw_arrows(canvas: Canvas, line: Any) -> None:
    """Draw heads of arrows along the way, a little to the right of it, as it is driven."""
    length = line.length * canvas.scale
    for at_mm in np.arange(_ARROW_MM / 2, length, _ARROW_MM):
        metres = at_mm / canvas.scale
        ends = line.interpolate([metres - 1.0, metres + 1.0])
        (x, y), (u, v) = canvas.to_page(shapely.get_coordinates(ends)).tolist()
        step = np.array([u - x, v - y])
        size = float(np.hypot(*step))
        if size < 1e-9:
            continue
        along = step / size
        right = np.array([-along[1], along[0]])
        tip = np.array([x + u, y + v]) / 2 + right * 1.2
        _draw_head(canvas.pdf, tip, along, right)


def _draw_head(pdf: FPDF, tip: np.ndarray, along: np.ndarray, right: np.ndarray) -> None:
    pdf.set_fill_color(ALERT)
    points = [tip + along * 1.1, tip - along * 1.1 + right * 0.9, tip - along * 1.1 - right * 0.9]
    pdf.polygon([tuple(p.round(3).tolist()) for p in points], style="F")


def _draw_stops(canvas: Canvas, trip: Trip) -> None:
    """Draw the station as a square and every stop as a disc with its number, none over another."""
    pdf = canvas.pdf
    if trip.station is not None:
        (x, y), = canvas.to_page(shapely.get_coordinates(trip.station)).tolist()
        pdf.set_fill_color(INK)
        pdf.rect(x - 1.9, y - 1.9, 3.8, 3.8, style="F")
        canvas.taken.append(shapely.box(x - 2, y - 2, x + 2, y + 2))
    shapes = [v for v in trip.stops if v.shape is not None]
    if not shapes:
        return
    places = canvas.to_page(shapely.get_coordinates([v.shape for v in shapes])).tolist()
    for visit, (x, y) in zip(shapes, places, strict=True):
        u, v = next(((x + dx, y + dy) for dx, dy in ((0.0, 0.0), *_AWAY)
                     if _is_free(canvas, x + dx, y + dy)), (x, y))
        if (u, v) != (x, y):
            pdf.set_draw_color(INK)
            pdf.set_line_width(0.25)
            pdf.line(x, y, u, v)
            pdf.set_fill_color(INK)
            pdf.circle(x, y, 0.6, style="F")
        write_disc(pdf, str(visit.number), u, v, _DISC_MM)
        canvas.taken.append(shapely.Point(u, v).buffer(_DISC_MM + 0.3))


def _is_free(canvas: Canvas, x: float, y: float) -> bool:
    disc, box = shapely.Point(x, y).buffer(_DISC_MM), canvas.box
    inside = shapely.box(box.x + 1, box.y + 1, box.x + box.width - 1, box.y + box.height - 1)
    return bool(inside.contains(disc)) and not any(disc.intersects(t) for t in canvas.taken)
