"""Drawing on a page: geometries of a metric CRS as vectors, texts on a halo, discs, a scale bar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from fpdf import FPDF
from fpdf.drawing import PaintedPath
from fpdf.enums import IntersectionRule, StrokeCapStyle, StrokeJoinStyle, TextMode

from gridplan.pages.fonts import Face

INK, SOFT, ALERT, ACCENT = "#16323f", "#5c717b", "#a8321f", "#17617c"
FONT = "page"
_POINT_MM = 25.4 / 72
# A line narrower than this is not seen on paper.
_DETAIL_MM = 0.12


@dataclass(frozen=True)
class Box:
    """Where a map stands on the page, in millimetres from its upper left corner."""

    x: float
    y: float
    width: float
    height: float


class Canvas:
    """Draws geometries of a metric CRS into a box of a page."""

    def __init__(self, pdf: FPDF, face: Face, box: Box, bounds: tuple[float, ...]) -> None:
        self.pdf, self.face, self.box = pdf, face, box
        west, south, east, north = bounds
        self.scale = min(box.width / max(east - west, 1), box.height / max(north - south, 1)) * 0.94
        self.middle = ((west + east) / 2, (south + north) / 2)
        half = np.array([box.width, box.height]) / 2 / self.scale
        self.frame = shapely.box(*(np.array(self.middle) - half), *(np.array(self.middle) + half))
        self.taken: list[Any] = []

    def to_page(self, xy: np.ndarray) -> np.ndarray:
        """Return millimetres on the page of coordinates in the plan."""
        return np.column_stack([
            self.box.x + self.box.width / 2 + (xy[:, 0] - self.middle[0]) * self.scale,
            self.box.y + self.box.height / 2 - (xy[:, 1] - self.middle[1]) * self.scale])

    def draw(self, shapes: np.ndarray, *, fill: str | None = None, line: str | None = None,
             width_mm: float = 0.2, dash: tuple[float, ...] | None = None,
             opacity: float = 1.0) -> None:
        """Draw polygons or lines in one path, cut at the frame."""
        if not len(shapes):
            return
        seen = shapely.intersection(shapely.simplify(shapes, _DETAIL_MM / self.scale), self.frame)
        pieces = list(self._pieces(seen[~shapely.is_empty(seen)], closed=fill is not None))
        if not pieces:
            return
        path: Any = PaintedPath()
        path.style.fill_color = fill
        # Else a line is joined to its own start.
        path.style.auto_close = False
        path.style.fill_opacity = opacity
        path.style.stroke_color = line
        path.style.stroke_width = width_mm
        path.style.stroke_join_style = StrokeJoinStyle.ROUND
        path.style.stroke_cap_style = StrokeCapStyle.ROUND
        path.style.intersection_rule = IntersectionRule.EVENODD
        if dash:
            path.style.stroke_dash_pattern = dash
        for points, closed in pieces:
            path.move_to(*points[0])
            for x, y in points[1:]:
                path.line_to(x, y)
            if closed:
                path.close()
        # A copy would take longer than all the rest.
        self.pdf.draw_path(path, copy=False)

    def _pieces(self, shapes: np.ndarray, closed: bool) -> Iterator[tuple[list[Any], bool]]:
        parts = shapely.get_parts(shapely.get_parts(shapes))
        flat = parts[shapely.get_dimensions(parts) == 2]
        lines = parts[shapely.get_dimensions(parts) == 1]
        rings = shapely.get_rings(flat) if len(flat) else np.empty(0, object)
        for ring in rings:
            yield np.round(self.to_page(shapely.get_coordinates(ring)[:-1]), 3).tolist(), True
        for piece in lines if not closed else ():
            yield np.round(self.to_page(shapely.get_coordinates(piece)), 3).tolist(), False

    def write(self, text: str, x: float, y: float, size: float, *, colour: str = INK,
              angle: float = 0.0, bold: float = 0.0, force: bool = False) -> bool:
        """Write a text round a point of the page on a pale halo, unless another is in the way."""
        pdf, shown = self.pdf, self.face.shown(text)
        pdf.set_font(FONT, size=size)
        wide, high = pdf.get_string_width(shown), size * _POINT_MM
        room = shapely.affinity.rotate(shapely.box(
            x - wide / 2 - 0.6, y - high * 0.6, x + wide / 2 + 0.6, y + high * 0.6), -angle)
        inside = shapely.box(self.box.x, self.box.y, self.box.x + self.box.width,
                             self.box.y + self.box.height)
        if not force and (not inside.contains(room)
                          or any(room.intersects(other) for other in self.taken)):
            return False
        self.taken.append(room)
        with pdf.rotation(angle, x, y):
            at = (x - wide / 2, y + high * 0.36)
            with pdf.local_context(text_mode=TextMode.STROKE, line_width=size * 0.075,
                                   draw_color="#ffffff"):
                pdf.text(*at, shown)
            write_line(pdf, *at, shown, size, colour, bold)
        return True


def write_line(pdf: FPDF, x: float, y: float, text: str, size: float, colour: str = INK,
               bold: float = 0.0) -> None:
    """Write a text from a point of its base line; ``bold`` thickens it by so many millimetres."""
    pdf.set_font(FONT, size=size)
    pdf.set_text_color(colour)
    if not bold:
        pdf.text(x, y, text)
        return
    with pdf.local_context(text_mode=TextMode.FILL_STROKE, line_width=bold, draw_color=colour):
        pdf.text(x, y, text)


def write_disc(pdf: FPDF, number: str, x: float, y: float, radius: float) -> None:
    """Write a number into a white disc, on a map as in a table."""
    pdf.set_fill_color("#ffffff")
    pdf.set_draw_color(INK)
    pdf.set_line_width(0.3)
    pdf.circle(x, y, radius, style="DF")
    size = radius * (3.1 if len(number) < 3 else 2.4)
    pdf.set_font(FONT, size=size)
    wide = pdf.get_string_width(number)
    write_line(pdf, x - wide / 2, y + size * _POINT_MM * 0.36, number, size, bold=0.08)


def draw_scale(canvas: Canvas) -> None:
    """Draw a bar of a round length and an arrow to the north."""
    box, pdf = canvas.box, canvas.pdf
    length_m = next(m for m in (5000, 2000, 1000, 500, 200, 100, 50, 20, 10, 0)
                    if m * canvas.scale <= box.width / 4)
    wide, x, y = length_m * canvas.scale, box.x + 3, box.y + box.height - 3
    with pdf.local_context(fill_opacity=0.75):
        pdf.set_fill_color("#ffffff")
        pdf.rect(box.x, y - 4, wide + 16, 7, style="F")
    pdf.set_draw_color(INK)
    pdf.set_line_width(0.4)
    pdf.polyline([(x, y - 1.2), (x, y), (x + wide, y), (x + wide, y - 1.2)])
    canvas.write(f"{length_m} m", x + wide + 6, y - 0.8, 7.5, force=True)
    x, y = box.x + box.width - 5, box.y + 4
    pdf.set_fill_color(INK)
    pdf.polygon([(x, y), (x - 1.6, y + 5), (x, y + 3.9), (x + 1.6, y + 5)], style="F")
    canvas.write("N", x, y + 7.2, 8, force=True)
