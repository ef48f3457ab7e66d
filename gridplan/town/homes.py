"""Where people live: estates, old quarters, villages and one very large tower."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridplan.town.layout import Block
from gridplan.town.sketch import EstateSketch, Lane, Sketch, Span, count_rows, place_rows

TOWER_M = (48.0, 36.0)  # width and depth of the one very large tower
_WALL_M = 4.5  # between an estate's wall and its buildings
_MAIN_M = 12.0  # sides kept clearer than this face a main road
_SHOP_M = 10.0  # depth of the shops along main roads
_LANE_M = 4.5  # between the middle of a service road and a building


@dataclass(frozen=True)
class Era:
    """How estates of one time are built: storeys, metres of slabs and spacing, gross m² a flat."""

    floors: tuple[int, int]
    width_m: tuple[float, float]
    depth_m: float
    pitch_m: float
    gap_m: float
    flat_m2: float


ERAS = {
    "walkup": Era((6, 7), (38, 58), 12.5, 24.5, 7.0, 86.0),
    "midrise": Era((9, 11), (34, 48), 14.0, 34.0, 10.0, 92.0),
    "highrise": Era((16, 20), (28, 36), 16.0, 48.0, 17.0, 125.0),
    "tower": Era((26, 33), (25, 30), 21.0, 64.0, 24.0, 180.0),
}


@dataclass(frozen=True)
class Site:
    """A block with its scale.

    ``du`` and ``dv`` are metres per step, ``lean`` is |tan| of the block's shear, ``setback`` the
    metres kept free at each side: west, south, east, north.
    """

    block: Block
    index: int
    du: float
    dv: float
    lean: float
    setback: tuple[float, float, float, float]

    def inset(self, span: Span, sides: tuple[float, float, float, float]) -> Span:
        """Shrink a span by metres: west, south, east, north."""
        w, s, e, n = sides
        return (span[0] + w / self.du, span[1] + s / self.dv, span[2] - e / self.du,
                span[3] - n / self.dv)


def fill_estates(site: Site, sketch: Sketch, rng: np.random.Generator) -> None:
    """Fill a block with one walled estate, or with two that share a wall."""
    u0, v0, u1, v1 = site.block.rect
    length, height = (u1 - u0) * site.du, (v1 - v0) * site.dv
    cut: tuple[str, int] | None = None
    if not site.block.exact and 1.6e4 < length * height < 6.5e4 and rng.random() < 0.4:
        if length > height and u1 - u0 >= 6:
            cut = ("u", (u0 + u1) // 2)
        elif v1 - v0 >= 6:
            cut = ("v", (v0 + v1) // 2)
    w, s, e, n = site.setback
    if cut is None:
        _fill_estate(site, (u0, v0, u1, v1), (w, s, e, n), sketch, rng)
    elif cut[0] == "u":
        _fill_estate(site, (u0, v0, cut[1], v1), (w, s, 0.0, n), sketch, rng)
        _fill_estate(site, (cut[1], v0, u1, v1), (0.0, s, e, n), sketch, rng)
    else:
        _fill_estate(site, (u0, v0, u1, cut[1]), (w, s, e, 0.0), sketch, rng)
        _fill_estate(site, (u0, cut[1], u1, v1), (w, 0.0, e, n), sketch, rng)


def _fill_estate(site: Site, rect: Span, sides: tuple[float, float, float, float],
                 sketch: Sketch, rng: np.random.Generator) -> None:
    era = ERAS[site.block.era]
    wall = _fill_shops(site, rect, sides, sketch, rng)
    ground = site.inset(wall, (_WALL_M,) * 4)
    spines = _inner_lines(rect[0], rect[2], site.du, 125.0)
    rungs = _inner_lines(rect[1], rect[3], site.dv, 4.4 * era.pitch_m)
    bands = np.array([ground[1], *rungs, ground[3]])
    panels = np.array([ground[0], *spines, ground[2]])
    estate = len(sketch.estates)
    rooms = _rooms(site, era, bands, panels)
    rng_given = rng.random()
    share = 0.5 if site.block.exact else 1.0 if rng_given < 0.5 else 0.5 if rng_given < 0.7 else 0.0
    number, walks = 0, []
    large = (rect[2] - rect[0]) * site.du * (rect[3] - rect[1]) * site.dv > 2.4e4
    for phase, (low, high, row_of_panels) in enumerate(rooms, start=1):
        rows = count_rows((high - low) * site.dv, era.pitch_m)
        vs = low + (np.arange(rows) + 0.5) * (high - low) / rows
        walks += [low + k * (high - low) / rows for k in range(1, rows)]
        us, widths = _row(row_of_panels, site, era, rng)
        if not len(us):
            continue
        grid_u, grid_v = np.tile(us, rows), np.repeat(vs, len(us))
        width = np.tile(widths, rows)
        floors = rng.integers(era.floors[0], era.floors[1] + 1, len(grid_u)).astype(float)
        flats = np.maximum(np.round(width * era.depth_m / era.flat_m2), 1)
        households = np.round(flats * floors * rng.uniform(0.93, 1.0, len(grid_u)))
        sketch.add(site.index, grid_u, grid_v, width, era.depth_m, floors, households,
                   "apartments", estate=estate, phase=phase if large and len(rooms) > 1 else 0,
                   number=number + 1 + np.arange(len(grid_u)),
                   given=rng.random(len(grid_u)) < share)
        number += len(grid_u)
        if era.gap_m <= 10.0:
            aside = (width / 2 + era.gap_m / 2) / site.du
            sketch.add(site.index, grid_u + aside, grid_v, 2.8, 9.0, 1.0, 0.0, "shed",
                       estate=estate)
    gates = _lanes(site, rect, sides, wall, spines, rungs, walks, sketch)
    party = [(axis, place, low, high) for side, axis, place, low, high in (
        (sides[2], "v", rect[2], rect[1], rect[3]), (sides[3], "u", rect[3], rect[0], rect[2]))
        if side == 0.0]
    sketch.estates.append(EstateSketch(wall, site.index, len(bands) - 1 if large else 1, gates,
                                       party, site.block.era == "walkup"))


def _fill_shops(site: Site, rect: Span, sides: tuple[float, float, float, float], sketch: Sketch,
                rng: np.random.Generator) -> Span:
    """Line main roads south and north with shops; return where the wall runs behind them.

    No shops stand west and east: paths between the rows of houses lead out there.
    """
    u0, v0, u1, v1 = rect
    behind = list(sides)
    for k, inwards, edge in ((1, 1.0, v0), (3, -1.0, v1)):
        if sides[k] < _MAIN_M or (u1 - u0) * site.du < 70.0 or rng.random() < 0.15:
            continue
        behind[k] = sides[k] + _SHOP_M + 2.0
        ends = 22.0 / site.du
        along, _, room = place_rows((u0 + ends, 0.0, u1 - ends, 1.0), site.du, 1.0,
                                    rng.uniform(14.0, 26.0), 1.5, 1.0)
        place = edge + inwards * (sides[k] + _SHOP_M / 2) / site.dv
        floors = rng.integers(1, 4, len(along)).astype(float)
        sketch.add(site.index, along, np.full(len(along), place), room, _SHOP_M, floors, 0.0,
                   "retail")
    return site.inset(rect, (behind[0], behind[1], behind[2], behind[3]))


def _inner_lines(low: float, high: float, metres: float, apart: float) -> list[int]:
    """Return whole steps strictly inside that part ``low``–``high`` about ``apart`` metres."""
    parts = max(round((high - low) * metres / apart), 1)
    places = {round(low + k * (high - low) / parts) for k in range(1, parts)}
    lines = sorted(p for p in places if low + 1 < p < high - 1)
    if not lines and apart < 130.0 and high - low >= 4:
        lines = [int((low + high) // 2)]
    return lines


def _rooms(site: Site, era: Era, bands: np.ndarray, panels: np.ndarray
           ) -> list[tuple[float, float, list[tuple[float, float]]]]:
    """Return for each phase its v range and the u ranges between inner roads."""
    off_u, off_v = _LANE_M / site.du, _LANE_M / site.dv
    last_u, last_v = len(panels) - 2, len(bands) - 2
    columns = [(panels[i] + off_u * (i > 0), panels[i + 1] - off_u * (i < last_u))
               for i in range(last_u + 1)]
    rows = [(bands[j] + off_v * (j > 0), bands[j + 1] - off_v * (j < last_v))
            for j in range(last_v + 1)]
    depth = era.depth_m / site.dv
    return [(low, high, columns) for low, high in rows if high - low > depth]


def _row(panels: list[tuple[float, float]], site: Site, era: Era, rng: np.random.Generator
         ) -> tuple[np.ndarray, np.ndarray]:
    """Place one row of slabs: the centres and widths, panel by panel."""
    wanted = rng.uniform(*era.width_m)
    us: list[np.ndarray] = []
    widths: list[np.ndarray] = []
    slack = site.lean * era.depth_m / 2 / site.du  # corners of a leaning row stick out
    for low, high in ((a + slack, b - slack) for a, b in panels):
        length = (high - low) * site.du
        if length < 16.0:
            continue
        centres, _, room = place_rows((low, 0.0, high, 1.0), site.du, 1.0, min(wanted, length),
                                      era.gap_m, 1.0)
        us.append(centres)
        widths.append(np.full(len(centres), min(room, era.width_m[1] * 1.15)))
    if not us:
        return np.zeros(0), np.zeros(0)
    return np.concatenate(us), np.concatenate(widths)


def _lanes(site: Site, rect: Span, sides: tuple[float, float, float, float], wall: Span,
           spines: list[int], rungs: list[int], walks: list[float],
           sketch: Sketch) -> list[tuple[float, float]]:
    """Draw the inner roads and paths; return the gates where they leave the estate."""
    gates: list[tuple[float, float]] = []
    across = (*rungs, *walks)
    for u in spines:
        ends = [rect[k] if sides[k] else wall[k] for k in (1, 3)]
        gates += [(float(u), wall[k]) for k in (1, 3) if sides[k]]
        sketch.lanes.append(Lane("v", u, ends[0], ends[1], "service", across))
    for v in rungs:
        ends = [rect[k] if sides[k] else wall[k] for k in (0, 2)]
        gates += [(wall[k], float(v)) for k in (0, 2) if sides[k]]
        sketch.lanes.append(Lane("u", v, ends[0], ends[1], "service",
                                 tuple(float(u) for u in spines)))
    if not gates:
        k, inwards = (1, 1.0) if sides[1] else (3, -1.0)
        u, end = int((rect[0] + rect[2]) // 2), wall[k] + inwards * (_WALL_M - 1.0) / site.dv
        gates = [(float(u), wall[k])]
        sketch.lanes.append(Lane("v", u, min(rect[k], end), max(rect[k], end), "service"))
    for walk in walks:
        sketch.lanes.append(Lane("u", walk, wall[0], wall[2], "footway",
                                 tuple(float(u) for u in spines)))
    return gates


def fill_lanes(site: Site, sketch: Sketch, rng: np.random.Generator, *, village: bool) -> None:
    """Fill a block with small houses along lanes, most lanes of an old quarter being alleys."""
    u0, v0, u1, v1 = site.block.rect
    apart = max(round((34.0 if village else 24.0) / site.dv), 1)
    lanes = np.arange(v0 + max((apart + 1) // 2, 1), v1, apart)
    narrow = (np.arange(len(lanes)) % 3 != 1) & (not village)
    for v, alley in zip(lanes.tolist(), narrow.tolist(), strict=True):
        sketch.lanes.append(Lane("u", v, u0, u1, "footway" if alley else "living_street"))
    if u1 - u0 >= 7 and len(lanes) >= 2:
        sketch.lanes.append(Lane("v", int(rng.integers(u0 + 3, u1 - 2)), v0, v1, "footway"))
    near = np.where(narrow, 2.2, 3.3)
    _fill_sides(site, np.repeat(lanes, 2), np.tile([-1.0, 1.0], len(lanes)), np.repeat(near, 2),
                apart * site.dv / 2 - 0.8, sketch, rng, village)


def _fill_sides(site: Site, lane: np.ndarray, side: np.ndarray, near: np.ndarray, far: float,
                sketch: Sketch, rng: np.random.Generator, village: bool) -> None:
    """Line the sides of lanes with houses, with sheds beside some of them.

    ``lane``, ``side`` (−1 south, 1 north) and ``near``, the metres from the lane to the houses,
    have one entry per side; no house reaches further than ``far`` metres.
    """
    u0, _, u1, _ = site.block.rect
    length = (u1 - u0) * site.du - 15.0
    shape = (len(lane), max(int(length // (15.5 if village else 11.3)), 1))
    side, lane, near = side[:, None], lane[:, None], near[:, None]
    plots = rng.uniform(0.8, 1.2, shape)
    plots *= length / plots.sum(axis=1, keepdims=True)
    middle = 7.5 + np.cumsum(plots, axis=1) - plots / 2
    beside = rng.random(shape) < (0.9 if village else 0.45)
    strip = 4.2 if village else 3.3
    width = plots - rng.uniform(0.9, 1.5, shape) - strip * beside
    depth = np.minimum(rng.uniform(7.2, 10.5, shape), far - near)
    off = near + rng.random(shape) * np.minimum(far - near - depth, 1.5) + depth / 2
    keep = rng.random(shape) < (0.86 if village else 0.97)
    floors = rng.choice([1, 2, 3, 4], shape, p=(
        [0.1, 0.55, 0.35, 0.0] if village else [0.15, 0.35, 0.35, 0.15]))
    households = np.where(rng.random(shape) < 0.45, 2, 1) if village else (
        floors + (rng.random(shape) < 0.3))
    u = u0 + (middle - beside * strip / 2) / site.du
    v = lane + side * off / site.dv
    shops = np.broadcast_to((rng.random(len(lane)) < (0.0 if village else 0.1))[:, None], shape)
    share = float(rng.choice([1.0, 0.5, 0.0], p=[0.5, 0.2, 0.3]))
    given = rng.random(shape) < share
    for use, mine in (("house", keep & ~shops), ("mixed", keep & shops)):
        sketch.add(site.index, u[mine], v[mine], width[mine], depth[mine], floors[mine],
                   households[mine], use, given=given[mine])
    shed = keep & beside
    aside = (width + strip + 0.2) / 2 / site.du
    sketch.add(site.index, (u + aside)[shed], v[shed], rng.uniform(1.9, strip - 1.2, shape)[shed],
               rng.uniform(3.5, 6.0, shape)[shed], 1.0, 0.0, "shed")


def fill_landmark(site: Site, sketch: Sketch) -> None:
    """Put one tower in the middle of its block, with nothing beside it but its drive."""
    u0, v0, u1, v1 = site.block.rect
    drive, middle = int((u0 + u1) // 2), (v0 + v1) / 2
    wall = site.inset((u0, v0, u1, v1), site.setback)
    sketch.add(site.index, np.array([(u0 + u1) / 2]), np.array([middle]), TOWER_M[0], TOWER_M[1],
               33.0, float(site.block.exact), "apartments", estate=len(sketch.estates), number=1,
               given=True)
    sketch.lanes.append(Lane("v", drive, v0, middle - (TOWER_M[1] / 2 + 8.0) / site.dv, "service"))
    sketch.estates.append(EstateSketch(wall, site.index, 1, [(float(drive), wall[1])]))
