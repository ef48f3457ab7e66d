"""What lies under a map on a page: water, buildings, roads with their names, rail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import shapely

from gridplan.layers import ROAD_CLASS
from gridplan.pages.canvas import Canvas

_INNER = ("service", "footway", "path", "steps", "track", "cycleway", "pedestrian", "corridor",
          "bridleway")
# A road with less of it in view is not worth its name.
_LEAST_NAMED_M = 50.0


def text_of(frame: pd.DataFrame, column: str) -> list[str]:
    """Return a column as plain text, ``""`` where nothing is known."""
    if column not in frame.columns:
        return [""] * len(frame)
    return [str(v) for v in frame[column].astype("string").fillna("").tolist()]


class Ground:
    """What lies on the ground of a plan, by place; made once for all pages."""

    def __init__(self, layers: Mapping[str, Any]) -> None:
        self.grids = layers.get("grids")
        self.shapes: dict[str, np.ndarray] = {}
        if self.grids is not None:
            self.shapes["grids"] = np.asarray(self.grids.geometry.array)
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


def draw_ground(canvas: Canvas, ground: Ground) -> None:
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


def write_roads(canvas: Canvas, ground: Ground, near: Any, aside_mm: float = 0.0) -> None:
    """Write the names of roads in an area along them or beside them, none over another."""
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
        if name in done or run.length < _LEAST_NAMED_M:
            continue
        for share in (0.5, 0.3, 0.7, 0.15, 0.85):
            ends = run.interpolate([share - 0.03, share + 0.03], normalized=True)
            (x, y), (u, v) = canvas.to_page(shapely.get_coordinates(ends)).tolist()
            angle = math.degrees(math.atan2(v - y, u - x))
            turned = -((angle + 90) % 180 - 90)
            # Where one side is taken the other may be free.
            sides = (aside_mm, -aside_mm) if aside_mm else (0.0,)
            across = (math.sin(math.radians(turned)), math.cos(math.radians(turned)))
            spots = [((x + u) / 2 - across[0] * side, (y + v) / 2 - across[1] * side)
                     for side in sides]
            if any(canvas.write(name, *spot, size=7.5, colour="#46606b", angle=turned)
                   for spot in spots):
                done.add(name)
                break
