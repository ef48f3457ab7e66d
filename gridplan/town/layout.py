"""Where everything goes: superblocks, their kinds, and the blocks they are cut into."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
import shapely

from gridplan.town.lattice import STEP, Lattice, make_lattice

Rect = tuple[int, int, int, int]  # u0, v0, u1, v1 in lattice steps

RIVER_MARGIN = 2  # steps between the middle of the river and the road beside it
RAIL_MARGIN = 1  # steps between the railway and the road beside it
# Households a hectare of a block holds, by what is built there.
DENSITY = {"walkup": 180.0, "midrise": 218.0, "highrise": 205.0, "tower": 192.0, "old": 140.0,
           "village": 41.0}
_BUDGET = {"urban": (4850.0, 3800.0, 4950.0), "old": (3700.0, 2600.0, 4600.0),
           "rural": (1700.0, 1000.0, 2600.0)}
_OVERRUN = 250.0  # households that a community may hold beyond its budget
_SMALLEST_SIDE = 4
CITY = 32  # from so many communities on, a town counts as a city
_SPECIALS = ("park", "market", "hospital", "campus")


@dataclass
class Block:
    """A rectangle of lattice steps between streets, and what stands there."""

    cell: int
    community: int
    rect: Rect
    role: str = "vacant"
    era: str = ""
    expected: float = 0.0  # households it will hold, about
    exact: int = 0  # households the block must hold exactly, 0 for as many as there are
    outer: tuple[bool, bool, bool, bool] = (False, False, False, False)  # w, s, e, n on arterials

    @property
    def steps(self) -> int:
        """Area in square lattice steps."""
        u0, v0, u1, v1 = self.rect
        return (u1 - u0) * (v1 - v0)


@dataclass
class Cell:
    """A superblock: one square of the lattice between arterial roads."""

    index: int
    column: int
    row: int
    kind: str
    distance: float  # 0 in the middle of the town, 1 at its edge
    era: str = ""
    budget: float = 0.0
    blocks: list[Block] = field(default_factory=list)
    streets: list[tuple[str, int, int, int, str]] = field(default_factory=list)

    @property
    def box(self) -> Rect:
        """The whole square."""
        u, v = self.column * STEP, self.row * STEP
        return u, v, u + STEP, v + STEP


@dataclass
class Layout:
    """The town on the lattice."""

    lattice: Lattice
    cells: list[Cell]
    river: int
    rail: int
    shapes: list[shapely.Geometry]  # the communities on the lattice
    kinds: list[str]
    cell_of: list[int]  # the superblock each community belongs to
    difficult: dict[str, int]  # name of a difficulty → community

    @property
    def blocks(self) -> list[Block]:
        """All blocks, superblock by superblock."""
        return [b for cell in self.cells for b in cell.blocks]


def lay_out(communities: int, seed: int) -> Layout:
    """Place ``communities`` communities, a river and a railway on a lattice."""
    rng = np.random.default_rng([seed, 0])
    carved = 2 if communities >= 4 else 0
    cells, columns, rows, river, rail = _choose_cells(communities - carved, rng)
    crooked = np.zeros((rows, columns))
    for cell in cells:
        crooked[cell.row, cell.column] = {"old": 1.0, "rural": 1.6}.get(cell.kind, 0.0)
    lattice = make_lattice(columns, rows, river, crooked, rng)
    queue: list[str] = []
    for cell in cells:
        own = np.random.default_rng([seed, 1, cell.index])
        _choose_era(cell, lattice, own)
        _cut(cell, _interior(cell, river, rail), lattice, own)
        _give_roles(cell, lattice, own, queue, sum(c.kind != "rural" for c in cells))
    layout = Layout(lattice, cells, river, rail, [shapely.box(*c.box) for c in cells],
                    [c.kind for c in cells], [c.index for c in cells], {})
    _trade(layout, rng)
    if carved:
        _carve(layout, "small", 260, 1.9)
        _carve(layout, "awkward", 550, 3.6)
        _exclave(layout)
    _landmark(layout)
    return layout


def _choose_cells(count: int, rng: np.random.Generator
                  ) -> tuple[list[Cell], int, int, int, int]:
    room = (1.15 if count < 30 else 1.26) * count
    columns = math.ceil(math.sqrt(1.25 * room))
    rows = max(math.ceil(room / columns), 1)
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    distance = np.hypot((column + 0.5) / columns * 2 - 1, (row + 0.5) / rows * 2 - 1)
    noise = rng.uniform(-0.12, 0.12, distance.shape)
    chosen = _grow(distance + noise, count)
    if _has_hole(chosen, rows, columns):
        chosen = _grow(distance, count)
    river = max(1, min(columns - 1, round(columns * 0.5 + rng.uniform(-0.6, 0.6))))
    rail = max(1, min(rows - 1, round(rows * rng.uniform(0.62, 0.8)))) if rows > 1 else rows
    kinds = _choose_kinds([distance[r, c] for r, c in chosen], rng)
    cells = [Cell(index, int(c), int(r), kind, float(distance[r, c]))
             for index, ((r, c), kind) in enumerate(zip(chosen, kinds, strict=True))]
    return cells, columns, rows, river, rail


def _grow(cost: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Take ``count`` cells outwards from the cheapest, each touching an earlier one."""
    rows, columns = cost.shape
    first = int(np.argmin(cost)) // columns, int(np.argmin(cost)) % columns
    heap = [(float(cost[first]), first)]
    seen = {first}
    chosen: list[tuple[int, int]] = []
    while len(chosen) < count:
        _, (r, c) = heapq.heappop(heap)
        chosen.append((r, c))
        for near in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            if 0 <= near[0] < rows and 0 <= near[1] < columns and near not in seen:
                seen.add(near)
                heapq.heappush(heap, (float(cost[near]), near))
    return sorted(chosen)


def _has_hole(chosen: list[tuple[int, int]], rows: int, columns: int) -> bool:
    town = shapely.union_all([shapely.box(c, r, c + 1, r + 1) for r, c in chosen])
    return town.geom_type != "Polygon" or len(town.interiors) > 0


def _choose_kinds(distance: list[float], rng: np.random.Generator) -> list[str]:
    """Old quarters near the middle, villages at the edge, estates elsewhere."""
    count = len(distance)
    kinds = ["urban"] * count
    outwards = np.argsort(np.array(distance) + rng.uniform(0, 0.2, count), kind="stable")
    city = count >= CITY - 2
    share = 0.3 if city else 0.18  # a city takes in more villages than a town
    rural = max(round(share * count), 1) if count >= 3 else 0
    old = max(round((0.3 if city else 0.25) * count), 1) if count >= 2 else 0
    for i in outwards[count - rural:]:
        kinds[i] = "rural"
    core = outwards[:max(round(0.65 * count), old)]
    for i in rng.permutation(core)[:old]:
        kinds[i] = "old"
    return kinds


def _interior(cell: Cell, river: int, rail: int) -> Rect:
    u0, v0, u1, v1 = cell.box
    return (u0 + RIVER_MARGIN * (cell.column == river), v0 + RAIL_MARGIN * (cell.row == rail),
            u1 - RIVER_MARGIN * (cell.column + 1 == river),
            v1 - RAIL_MARGIN * (cell.row + 1 == rail))


def _choose_era(cell: Cell, lattice: Lattice, rng: np.random.Generator) -> None:
    """Say how many households the superblock is for, and how it must be built to hold them."""
    target, least, most = _BUDGET[cell.kind]
    cell.budget = float(np.clip(target * rng.lognormal(0, 0.2), least, most))
    middle = np.array([[cell.column + 0.5, cell.row + 0.5]]) * STEP
    _, wide, high = lattice.frame(middle[:, 0], middle[:, 1], STEP / 2)
    hectares = float(wide[0] * high[0]) * STEP**2 / 1e4
    eras = ("walkup", "midrise", "highrise", "tower")
    weights = np.array([1.1 - 0.5 * cell.distance, 0.8, 0.5 + 0.3 * cell.distance, 0.4])
    holds = np.array([DENSITY[e] for e in eras]) * hectares * 0.6 / cell.budget
    weights *= np.minimum(holds, 1.0) ** 3
    cell.era = str(rng.choice(eras, p=weights / weights.sum()))


def _cut(cell: Cell, interior: Rect, lattice: Lattice, rng: np.random.Generator) -> None:
    """Cut a superblock into blocks by streets, the longer side first."""
    _, wide, high = lattice.frame(np.array([(interior[0] + interior[2]) / 2]),
                                  np.array([(interior[1] + interior[3]) / 2]), 8.0)
    du, dv = float(wide[0]), float(high[0])
    u0, v0, u1, v1 = cell.box
    waiting = [(interior, 0)]
    while waiting:
        rect, depth = waiting.pop()
        across, up = rect[2] - rect[0], rect[3] - rect[1]
        density = DENSITY[{"old": "old", "rural": "village"}.get(cell.kind, cell.era)]
        limit = rng.uniform(330, 760) / density * 1e4
        if cell.kind == "rural":
            limit = rng.uniform(5.0, 10.0) * 1e4
        elif cell.kind == "urban" and depth >= 1 and rng.random() < 0.2:
            # One large estate instead of several small ones.
            limit = min(limit * rng.uniform(2.0, 6.0), 2700.0 / density * 1e4)
        sides = [s for s, length in (("u", across), ("v", up)) if length >= 2 * _SMALLEST_SIDE]
        if not sides or (across * du * up * dv <= limit and depth >= 1):
            edge = (rect[0] == u0, rect[1] == v0, rect[2] == u1, rect[3] == v1)
            cell.blocks.append(Block(cell.index, cell.index, rect, outer=edge))
            continue
        side = sides[0] if len(sides) == 1 or across * du > up * dv else sides[1]
        low, high_ = (rect[0], rect[2]) if side == "u" else (rect[1], rect[3])
        place = low + round((high_ - low) * rng.uniform(0.36, 0.64))
        place = min(max(place - place % 2, low + _SMALLEST_SIDE), high_ - _SMALLEST_SIDE)
        road = _street_class(cell.kind, depth, rng)
        if side == "u":
            cell.streets.append(("u", place, rect[1], rect[3], road))
            waiting += [((rect[0], rect[1], place, rect[3]), depth + 1),
                        ((place, rect[1], rect[2], rect[3]), depth + 1)]
        else:
            cell.streets.append(("v", place, rect[0], rect[2], road))
            waiting += [((rect[0], rect[1], rect[2], place), depth + 1),
                        ((rect[0], place, rect[2], rect[3]), depth + 1)]


def _street_class(kind: str, depth: int, rng: np.random.Generator) -> str:
    if depth == 0:
        return "tertiary"
    if kind == "old" and depth >= 2:
        return "living_street"
    if kind == "rural" and depth >= 2:
        return "living_street" if rng.random() < 0.5 else "residential"
    return "residential"


def _give_roles(cell: Cell, lattice: Lattice, rng: np.random.Generator, queue: list[str],
                cells: int) -> None:
    """Say what stands in each block: schools and special places first, homes up to a budget.

    ``queue`` holds the special places that come next; ``cells`` superblocks share them.
    """
    blocks = [cell.blocks[i] for i in rng.permutation(len(cell.blocks))]
    spare = max(len(blocks) - 3, 0)
    if cell.kind == "rural":
        wanted = ["industrial", "school"][:spare]
    else:
        places = min(max(1, math.ceil(len(_SPECIALS) / cells)), spare)
        while len(queue) < places:
            queue.extend(_SPECIALS)
        wanted = [queue.pop(0) for _ in range(places)]
        wanted += ["school", "commercial", *["industrial"] * (cells <= 3)][:spare - places]
    for role in wanted:
        size = [-b.steps if role in ("campus", "industrial") else b.steps for b in blocks]
        blocks.pop(int(np.argmin(size))).role = role
    middle = np.array([[(b.rect[0] + b.rect[2]) / 2, (b.rect[1] + b.rect[3]) / 2] for b in blocks])
    _, wide, high = lattice.frame(middle[:, 0], middle[:, 1], 3.0)
    budget = cell.budget
    for block, area in zip(blocks, wide * high * [b.steps for b in blocks], strict=True):
        block.era = cell.era if rng.random() < 0.7 else str(
            rng.choice(("walkup", "midrise", "highrise", "tower")))
        home = {"old": "old", "rural": "village"}.get(cell.kind, "estate")
        if home == "old" and rng.random() < 0.4:
            home, block.era = "estate", "walkup"  # old quarters were partly rebuilt long ago
        expected = DENSITY[block.era if home == "estate" else home] * float(area) / 1e4
        if expected < budget + _OVERRUN and (home != "village" or rng.random() < 0.8):
            block.role, block.expected = home, expected
            budget -= expected
        else:
            spare_roles = {"rural": ("field",), "old": ("commercial", "park")}.get(
                cell.kind, ("commercial", "vacant", "park", "industrial"))
            block.role = str(rng.choice(spare_roles))


def _trade(layout: Layout, rng: np.random.Generator) -> None:
    """Hand some blocks at an arterial to the community across, so that borders are not straight."""
    by_place = {(c.column, c.row): c for c in layout.cells}
    across = ((-1, 0), (0, -1), (1, 0), (0, 1))
    held = {c.index: sum(b.expected for b in c.blocks) for c in layout.cells}
    for cell in layout.cells:
        for block in cell.blocks:
            sides = [k for k in range(4) if block.outer[k]]
            if not sides or rng.random() > 0.14 or block.steps > 60:
                continue
            step = across[int(rng.choice(sides))]
            other = by_place.get((cell.column + step[0], cell.row + step[1]))
            if other is None or other.kind != cell.kind or (
                    held[other.index] + block.expected > _BUDGET[cell.kind][2]):
                continue
            if _hand_over(layout, block, other.index):
                held[other.index] += block.expected


def _hand_over(layout: Layout, block: Block, taker: int) -> bool:
    """Give a block to another community where both stay in one piece."""
    patch = shapely.box(*block.rect)
    rest = shapely.difference(layout.shapes[block.community], patch)
    grown = shapely.union(layout.shapes[taker], patch)
    if rest.geom_type != "Polygon" or grown.geom_type != "Polygon" or len(rest.interiors) or (
            len(grown.interiors)):
        return False
    layout.shapes[block.community], layout.shapes[taker] = rest, grown
    block.community = taker
    return True


def _homes(layout: Layout, kinds: tuple[str, ...]) -> list[Block]:
    taken = set(layout.difficult.values())
    return [b for b in layout.blocks if b.role in ("estate", "old") and not b.exact
            and layout.kinds[b.community] in kinds and b.community not in taken]


def _hectares(layout: Layout, blocks: list[Block]) -> np.ndarray:
    middle = np.array([[(b.rect[0] + b.rect[2]) / 2, (b.rect[1] + b.rect[3]) / 2] for b in blocks])
    _, wide, high = layout.lattice.frame(middle[:, 0], middle[:, 1], 3.0)
    return wide * high * np.array([b.steps for b in blocks]) / 1e4


def _carve(layout: Layout, name: str, households: int, hectares: float) -> None:
    """Make one block a community of its own with exactly ``households`` households."""
    blocks = _homes(layout, ("urban",)) or _homes(layout, ("urban", "old"))
    misfit = np.abs(_hectares(layout, blocks) - hectares)
    for i in np.argsort(misfit, kind="stable"):
        block = blocks[i]
        patch = shapely.box(*block.rect)
        rest = shapely.difference(layout.shapes[block.community], patch)
        if rest.geom_type == "Polygon" and not len(rest.interiors):
            break
    else:
        return
    layout.shapes[block.community] = rest
    layout.shapes.append(patch)
    layout.kinds.append("urban")
    layout.cell_of.append(block.cell)
    layout.difficult[name] = block.community = len(layout.shapes) - 1
    block.role, block.era, block.exact = "estate", "walkup", households


def _exclave(layout: Layout) -> None:
    """Give one community a block that it does not touch."""
    blocks = _homes(layout, ("urban", "old"))
    for i in np.argsort(np.abs(_hectares(layout, blocks) - 1.4), kind="stable"):
        block = blocks[i]
        patch = shapely.box(*block.rect)
        rest = shapely.difference(layout.shapes[block.community], patch)
        if rest.geom_type != "Polygon":
            continue
        owners = [k for k, shape in enumerate(layout.shapes)
                  if k != block.community and k not in layout.difficult.values()
                  and layout.kinds[k] == layout.kinds[block.community]
                  and shapely.distance(shape, patch) >= 3]
        owners = owners or [k for k, shape in enumerate(layout.shapes) if k != block.community
                            and k not in layout.difficult.values()
                            and shapely.distance(shape, patch) >= 3]
        if owners:
            gaps = [float(shapely.distance(layout.shapes[k], patch)) for k in owners]
            owner = owners[int(np.argmin(gaps))]
            layout.shapes[block.community] = rest
            layout.shapes[owner] = shapely.union(layout.shapes[owner], patch)
            layout.difficult["exclave"] = block.community = owner
            block.role, block.era, block.exact = "estate", "walkup", 180
            return


def _landmark(layout: Layout) -> None:
    """Make one block the site of a single tower of 620 households."""
    blocks = _homes(layout, ("urban",)) or _homes(layout, ("urban", "old", "rural"))
    rect = np.array([b.rect for b in blocks], dtype=float)
    middle = (rect[:, :2] + rect[:, 2:]) / 2
    _, wide, high = layout.lattice.frame(middle[:, 0], middle[:, 1], 3.0)
    # How much wider and deeper than the tower and its surroundings each block is.
    room = np.minimum(wide * (rect[:, 2] - rect[:, 0]) - 110.0,
                      high * (rect[:, 3] - rect[:, 1]) - 95.0)
    block = blocks[int(np.argmin(np.where(room > 0, room, 1e6 - room)))]
    block.role, block.exact = "landmark", 620
    layout.difficult["tower"] = block.community
