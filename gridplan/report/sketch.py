"""The small map of a notice: a community's grids as vectors, with the roads that bound them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from fpdf import FPDF
from fpdf.drawing import PaintedPath
from fpdf.enums import IntersectionRule, StrokeCapStyle, StrokeJoinStyle, TextMode

from gridplan.layers import ROAD_CLASS
from gridplan.report.fonts import Face
from gridplan.report.tables import text_of

INK, SOFT, ALERT, ACCENT = "#16323f", "#5c717b", "#a8321f", "#17617c"
_TINTS = ("#d8e8ec", "#f3e6c8", "#dfe9d3", "#efdcd3", "#e2dcec", "#f7f0dc")
_AROUND = "#f4f1ea"
_POINT_MM = 25.4 / 72
# Roads so near a community are named.
_BESIDE_M = 25.0
# A line narrower than this is not seen on paper.
_DETAIL_MM = 0.12
_INNER = ("service", "footway", "path", "steps", "track", "cycleway", "pedestrian", "corridor",
          "bridleway")


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
        pdf.set_font("notice", size=size)
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
    pdf.set_font("notice", size=size)
    pdf.set_text_color(colour)
    if not bold:
        pdf.text(x, y, text)
        return
    with pdf.local_context(text_mode=TextMode.FILL_STROKE, line_width=bold, draw_color=colour):
        pdf.text(x, y, text)


class Ground:
    """What lies round the grids of a plan, by place; made once for all notices."""

    def __init__(self, layers: Mapping[str, Any]) -> None:
        self.grids = layers["grids"]
        self.shapes: dict[str, np.ndarray] = {"grids": np.asarray(self.grids.geometry.array)}
        barriers, roads, buildings = (layers.get(n) for n in ("barriers", "roads", "buildings"))
        if barriers is not None and len(barriers):
            kind, shapes = np.array(text_of(barriers, "kind")), np.asarray(barriers.geometry.array)
            wet, flat = np.isin(kind, ("river", "water")), shapely.get_dimensions(shapes) == 2
            self.shapes |= {"water": shapes[wet & flat], "stream": shapes[wet & ~flat],
                            "rail": shapes[kind == "rail"]}
        if buildings is not None and len(buildings):
            shapes = np.asarray(buildings.geometry.array)
            self.shapes["buildings"] = shapes[shapely.get_dimensions(shapes) == 2]
        self.road_names = np.empty(0, object)
        if roads is not None and len(roads):
            above = np.array([s != "tunnel" for s in text_of(roads, "structure")])
            self.shapes["roads"] = np.asarray(roads.geometry.array)[above]
            self.road_names = np.array(text_of(roads, "name"), dtype=object)[above]
            self.road_levels = np.array([0 if r in _INNER else ROAD_CLASS.get(r, 1)
                                         for r in text_of(roads, "road_class")])[above]
        self.trees = {name: shapely.STRtree(held) for name, held in self.shapes.items()}

    def near(self, name: str, frame: Any) -> np.ndarray:
        """Return the places of the features of a kind that meet a frame, in order."""
        tree = self.trees.get(name)
        return np.empty(0, np.int64) if tree is None else np.sort(tree.query(frame))

    def seen(self, name: str, frame: Any) -> np.ndarray:
        """Return those features."""
        return self.shapes.get(name, np.empty(0, object))[self.near(name, frame)]


def draw_sketch(canvas: Canvas, ground: Ground, rows: np.ndarray, community: Any) -> None:
    """Draw the grids of a community with what lies round them, and their names.

    Parameters
    ----------
    rows
        The places of its grids in the layer.
    community
        Its polygon.
    """
    shapes, frame, box = ground.shapes["grids"], canvas.frame, canvas.box
    own = shapes[rows]
    with canvas.pdf.rect_clip(box.x, box.y, box.width, box.height):
        canvas.draw(np.array([frame]), fill=_AROUND)
        canvas.draw(shapes[np.setdiff1d(ground.near("grids", frame), rows)], line="#d5d0c4",
                    width_mm=0.15)
        for tint, members in enumerate(_spread_tints(own)):
            canvas.draw(own[members], fill=_TINTS[tint])
        _draw_ground(canvas, ground)
        # What lies outside steps back.
        canvas.draw(np.array([shapely.difference(frame, community)]), fill="#ffffff", opacity=0.5)
        canvas.draw(own, line="#4d7482", width_mm=0.35)
        canvas.draw(np.array([community]), line=INK, width_mm=0.9)
        _write_grids(canvas, ground.grids, rows)
        _write_roads(canvas, ground, shapely.buffer(community, _BESIDE_M))
        _draw_scale(canvas)
    canvas.pdf.set_draw_color("#cfc9bb")
    canvas.pdf.set_line_width(0.25)
    canvas.pdf.rect(box.x, box.y, box.width, box.height)


def _spread_tints(shapes: np.ndarray) -> list[list[int]]:
    """Give neighbours different tints: each grid the first that none of them has."""
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    near: dict[int, list[int]] = {}
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        near.setdefault(a, []).append(b)
    tint: dict[int, int] = {}
    for grid in range(len(shapes)):
        used = {tint[b] for b in near.get(grid, []) if b in tint}
        tint[grid] = next((t for t in range(len(_TINTS)) if t not in used), grid % len(_TINTS))
    return [[g for g, t in tint.items() if t == k] for k in range(len(_TINTS))]


def _draw_ground(canvas: Canvas, ground: Ground) -> None:
    """Draw water, buildings, roads and rail."""
    frame = canvas.frame
    canvas.draw(ground.seen("water", frame), fill="#c3dae4")
    canvas.draw(ground.seen("stream", frame), line="#c3dae4", width_mm=1.0)
    canvas.draw(ground.seen("buildings", frame), fill="#c9c8c3")
    near = ground.near("roads", frame)
    if len(near):
        shapes, level = ground.shapes["roads"][near], ground.road_levels[near]
        canvas.draw(shapes[level == 0], line="#ffffff", width_mm=0.3)
        for edge in (True, False):
            for k, wide in ((1, 0.8), (2, 1.1), (3, 1.5), (4, 1.9)):
                colour = "#bdb5a3" if edge else "#f7e7c0" if k > 2 else "#ffffff"
                canvas.draw(shapes[level == k], line=colour, width_mm=wide + 0.3 * edge)
    canvas.draw(ground.seen("rail", frame), line="#8d8880", width_mm=0.8)
    canvas.draw(ground.seen("rail", frame), line="#ffffff", width_mm=0.45, dash=(1.4, 1.4))


def _write_grids(canvas: Canvas, grids: Any, rows: np.ndarray) -> None:
    """Write the number of every grid into a disc at its widest place."""
    shapes = np.asarray(grids.geometry.array)[rows]
    circles = shapely.maximum_inscribed_circle(shapes, tolerance=2.0)
    centres = canvas.to_page(shapely.get_coordinates(shapely.get_point(circles, 0)))
    for number, (x, y) in zip(text_of(grids.iloc[rows], "seq"), centres.tolist(), strict=True):
        write_disc(canvas.pdf, number, x, y, 3.1)
        canvas.taken.append(shapely.Point(x, y).buffer(3.4))


def write_disc(pdf: FPDF, number: str, x: float, y: float, radius: float) -> None:
    """Write the number of a grid into a white disc, on the map as in the table."""
    pdf.set_fill_color("#ffffff")
    pdf.set_draw_color(INK)
    pdf.set_line_width(0.3)
    pdf.circle(x, y, radius, style="DF")
    size = radius * (3.1 if len(number) < 3 else 2.4)
    pdf.set_font("notice", size=size)
    wide = pdf.get_string_width(number)
    write_line(pdf, x - wide / 2, y + size * _POINT_MM * 0.36, number, size, bold=0.08)


def _write_roads(canvas: Canvas, ground: Ground, near: Any) -> None:
    """Write the names of roads in and round a community along them, none over another."""
    within = shapely.intersection(near, canvas.frame)
    names, seen = ground.road_names, ground.near("roads", within)
    runs = []
    for name in sorted({n for n in names[seen].tolist() if n}):
        mine = seen[names[seen] == name]
        inside = shapely.get_parts(shapely.intersection(ground.shapes["roads"][mine], within))
        lines = inside[(shapely.get_dimensions(inside) == 1) & ~shapely.is_empty(inside)]
        merged = shapely.line_merge(shapely.multilinestrings(lines))
        runs += [(-run.length, name, run) for run in shapely.get_parts(merged)]
    done: set[str] = set()
    for _, name, run in sorted(runs, key=lambda r: r[:2]):
        # A road that merely crosses the edge is not worth its name.
        if name in done or run.length < 2 * _BESIDE_M:
            continue
        for share in (0.5, 0.3, 0.7, 0.15, 0.85):
            ends = run.interpolate([share - 0.03, share + 0.03], normalized=True)
            (x, y), (u, v) = canvas.to_page(shapely.get_coordinates(ends)).tolist()
            angle = math.degrees(math.atan2(v - y, u - x))
            turned = -((angle + 90) % 180 - 90)
            if canvas.write(name, (x + u) / 2, (y + v) / 2, 7.5, colour="#46606b", angle=turned):
                done.add(name)
                break


def _draw_scale(canvas: Canvas) -> None:
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
