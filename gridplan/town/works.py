"""Where people work, learn and walk: shops, schools, hospitals, markets, parks, industry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridplan.town.homes import Site
from gridplan.town.sketch import Lane, Sketch, Span, count_rows, place_rows

_CUT_M = 80.0  # blocks wider than this have a road through them


@dataclass(frozen=True)
class Works:
    """How a block of one role is built: uses in turn, storeys, metres, and its inner roads."""

    uses: tuple[str, ...]
    floors: tuple[int, int]
    width_m: tuple[float, float]
    depth_m: float
    pitch_m: float
    keep: float
    path: str = "service"
    special: bool = True


WORKS = {
    "commercial": Works(("commercial", "retail", "office"), (2, 12), (28, 46), 22.0, 44.0, 0.9,
                        special=False),
    "school": Works(("school",), (3, 5), (48, 62), 13.0, 46.0, 0.55, "footway", special=False),
    "vacant": Works(("shed",), (1, 1), (12, 18), 6.0, 70.0, 0.12, "", special=False),
    "field": Works(("greenhouse", "greenhouse", "barn"), (1, 1), (44, 60), 7.5, 11.0, 0.55, "track",
                   special=False),
    "campus": Works(("school", "dormitory", "school", "office"), (4, 8), (44, 60), 16.0, 48.0, 0.6),
    "hospital": Works(("hospital",), (4, 14), (40, 56), 20.0, 44.0, 0.7),
    "market": Works(("retail",), (1, 2), (40, 56), 22.0, 34.0, 0.9),
    "park": Works(("public",), (1, 1), (10, 14), 8.0, 60.0, 0.08, "footway"),
    "industrial": Works(("industrial", "industrial", "office"), (1, 3), (52, 74), 34.0, 56.0, 0.85),
}


def fill_works(site: Site, sketch: Sketch, rng: np.random.Generator) -> None:
    """Fill a block by its role, and mark it as a special place where it is one."""
    works = WORKS[site.block.role]
    u0, v0, u1, v1 = site.block.rect
    w, s, e, n = (setback + 5.0 for setback in site.setback)
    ground = site.inset((u0, v0, u1, v1), (w, s, e, n))
    spine = int((u0 + u1) // 2)
    cut = bool(works.path) and (ground[2] - ground[0]) * site.du > _CUT_M
    if cut:
        across = tuple(_paths(works, ground, site))
        sketch.lanes.append(Lane("v", spine, v0, v1, works.path, across))
        for path in across:
            sketch.lanes.append(Lane("u", path, ground[0], ground[2], works.path, (float(spine),)))
    aside = (6.0 + site.lean * works.depth_m / 2) / site.du
    ends = site.lean * works.depth_m / 2 / site.du
    halves = [(ground[0] + ends, spine - aside), (spine + aside, ground[2] - ends)]
    for west, east in halves if cut else [(halves[0][0], halves[1][1])]:
        if (east - west) * site.du < 14.0:
            continue
        wanted = min(rng.uniform(*works.width_m), (east - west) * site.du)
        us, vs, room = place_rows((west, ground[1], east, ground[3]), site.du, site.dv, wanted,
                                  12.0, works.pitch_m)
        u, v = np.tile(us, len(vs)), np.repeat(vs, len(us))
        chosen = rng.random(len(u)) < works.keep
        chosen[0] |= works.special
        for k, use in enumerate(works.uses):
            mine = chosen & (np.arange(len(u)) % len(works.uses) == k)
            floors = rng.integers(works.floors[0], works.floors[1] + 1, int(mine.sum()))
            sketch.add(site.index, u[mine], v[mine], min(room, works.width_m[1]), works.depth_m,
                       floors.astype(float), 0.0, use)
    if works.special:
        sketch.specials.append((site.block.role, site.index,
                                site.inset((u0, v0, u1, v1), site.setback)))


def _paths(works: Works, ground: Span, site: Site) -> list[float]:
    """Return the v of the paths between the rows."""
    rows = count_rows((ground[3] - ground[1]) * site.dv, works.pitch_m)
    if works.path == "footway":
        return [(ground[1] + ground[3]) / 2] if rows % 2 == 0 else []
    every = 2 if works.pitch_m > 20.0 else 8
    return [ground[1] + k * (ground[3] - ground[1]) / rows for k in range(1, rows, every)]
