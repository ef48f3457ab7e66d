"""The small map of a notice: a community's grids as vectors, with the roads that bound them."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from gridplan.pages.canvas import INK, Canvas, draw_scale, write_disc
from gridplan.pages.ground import Ground, draw_ground, text_of, write_roads

_TINTS = ("#d8e8ec", "#f3e6c8", "#dfe9d3", "#efdcd3", "#e2dcec", "#f7f0dc")
_AROUND = "#f4f1ea"
# Roads so near a community are named.
_BESIDE_M = 25.0


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
        draw_ground(canvas, ground)
        # What lies outside steps back.
        canvas.draw(np.array([shapely.difference(frame, community)]), fill="#ffffff", opacity=0.5)
        canvas.draw(own, line="#4d7482", width_mm=0.35)
        canvas.draw(np.array([community]), line=INK, width_mm=0.9)
        _write_grids(canvas, ground.grids, rows)
        write_roads(canvas, ground, shapely.buffer(community, _BESIDE_M))
        draw_scale(canvas)
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


def _write_grids(canvas: Canvas, grids: Any, rows: np.ndarray) -> None:
    """Write the number of every grid into a disc at its widest place."""
    shapes = np.asarray(grids.geometry.array)[rows]
    circles = shapely.maximum_inscribed_circle(shapes, tolerance=2.0)
    centres = canvas.to_page(shapely.get_coordinates(shapely.get_point(circles, 0)))
    for number, (x, y) in zip(text_of(grids.iloc[rows], "seq"), centres.tolist(), strict=True):
        write_disc(canvas.pdf, number, x, y, 3.1)
        canvas.taken.append(shapely.Point(x, y).buffer(3.4))
