"""Along roads: the borders layer against the polygons, and what lies on a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from gridplan.check.graph import (
    ROOK_M,
    Flags,
    Floats,
    Ints,
    Pairs,
    Segments,
    Shapes,
    explode_lines,
    label_pieces,
    near_lines,
    positions,
    sample_points,
    sum_pairs,
)
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport
from gridplan.layers import ROAD_CLASS

ON_LINE_M = 2.0
_SPACING_M = 2.0
_AT_BORDER_M = 0.02
_PIECE_SHARE = 0.1
_MAJOR_CLASS = 3
# A border that keeps this close to a line along this share of it runs on that line.
_ON_CENTRE_M = 0.4
_ON_CENTRE_SHARE = 0.95
_LONG_M = 5.0


@dataclass(frozen=True)
class GridBorders:
    """Segments between two grids of one community, with what they run along.

    ``block`` is true inside a block, ``on_line_m`` the metres on a road at
    grade, rail, water or wall; ``left`` and ``right`` are grids.
    """

    left: Ints
    right: Ints
    length_m: Floats
    block: Flags
    on_line_m: Floats

    def road_share(self, keep: Flags) -> tuple[float | None, float, float]:
        """Return share, metres on a line and all metres of the segments in ``keep``."""
        part, whole = float(self.on_line_m[keep].sum()), float(self.length_m[keep].sum())
        return (part / whole if whole else None), part, whole


def lines_at_grade(plan: PlanData) -> Shapes:
    """Return roads on the ground or on bridges, and barriers, as lines."""
    roads = plan.frame("roads")
    keep = ((roads["structure"] != "tunnel") & ~(roads["level"] < 0)).to_numpy()
    return np.concatenate([plan.shapes("roads")[keep], _as_lines(plan.shapes("barriers"))])


def measure_borders(plan: PlanData, segments: Segments, grid_of: Ints) -> GridBorders:
    """Take the borders between grids out of those between units."""
    apart = segments.take(grid_of[segments.left] != grid_of[segments.right])
    block = plan.ids("units", "block_id")
    xy, metres, row = sample_points(apart.start, apart.end, _SPACING_M)
    near = near_lines(xy, lines_at_grade(plan), ON_LINE_M)
    return GridBorders(grid_of[apart.left], grid_of[apart.right], apart.length_m,
                       block[apart.left] == block[apart.right],
                       _sum_rows(row, metres * near, len(apart.left)))


def check_lengths(plan: PlanData, report: CheckReport, found: GridBorders) -> None:
    """Every pair of grids that touch has its border in the layer, as long as it is."""
    count = len(plan.frame("grids"))
    ids = plan.ids("grids")
    borders = plan.frame("borders")
    a, b = (positions(ids, plan.ids("borders", c)) for c in ("grid_a", "grid_b"))
    told_m = plan.numbers("borders", "length_m")
    drawn = np.abs(shapely.length(plan.shapes("borders")) - told_m) > 0.01 + 0.005 * told_m
    owner = plan.ids("grids", "community_id")
    strange = (a == b) | (owner[a] != owner[b])
    if strange.any():
        report.add("borders", "border_pair", "borders", plan.ids("borders")[strange], "grid_b")
    if drawn.any():
        report.add("borders", "border_length", "borders", plan.ids("borders")[drawn], "length_m")
    real = _as_series(sum_pairs(found.left, found.right, found.length_m, count))
    told = _as_series(sum_pairs(a[~strange], b[~strange], told_m[~strange], count))
    both = pd.concat([real, told], axis=1, keys=["real", "told"]).fillna(0.0)
    slack = np.maximum(0.1, 0.005 * both["real"])
    for key, bad in (("border_missing", (both["told"] == 0) & (both["real"] >= ROOK_M)),
                     ("border_length", (both["told"] > 0)
                      & ((both["told"] - both["real"]).abs() > slack))):
        rows = [f"{ids[x]}|{ids[y]}" for x, y in both.index[bad]]
        if rows:
            report.add("borders", key, "borders", rows, "length_m")
    report.counts["border_pairs"] = len(real)
    report.counts["borders"] = len(borders)


def check_lines(plan: PlanData, report: CheckReport, grid_of: Ints) -> None:
    """Each border runs between its grids, inside a block or not, along the road it names."""
    start, end, row = explode_lines(plan.shapes("borders"))
    xy, metres, segment = sample_points(start, end, 4 * _SPACING_M)
    row = row[segment]
    total = _sum_rows(row, metres, len(plan.frame("borders")))
    between, same_block = _sides(plan, grid_of, xy, row)
    ids = plan.ids("borders")
    off = _sum_rows(row, metres * between, len(ids)) < 0.95 * total
    if off.any():
        report.add("borders", "border_off", "borders", ids[off])
    share = _sum_rows(row, metres * same_block, len(ids)) / np.maximum(total, 1e-9)
    told = plan.numbers("borders", "inside_block") == 1
    # Of what is shorter than a metre the ends decide, where other units meet.
    wrong = ~off & (total > ROOK_M) & ((told & (share < 0.4)) | (~told & (share > 0.6)))
    if wrong.any():
        report.add("borders", "border_block", "borders", ids[wrong], "inside_block")
    _check_classes(plan, report, xy, metres, row)


def _sides(plan: PlanData, grid_of: Ints, xy: Floats, row: Ints) -> tuple[Flags, Flags]:
    """Tell for points on borders whether both grids are there, and units of one block in both."""
    ids = plan.ids("grids")
    point, unit = shapely.STRtree(plan.shapes("units")).query(
        shapely.points(xy), predicate="dwithin", distance=_AT_BORDER_M)
    block = pd.factorize(plan.ids("units", "block_id"))[0]
    table = pd.DataFrame({"point": point, "grid": grid_of[unit], "block": block[unit]})
    sides = []
    for column in ("grid_a", "grid_b"):
        side = positions(ids, plan.ids("borders", column))[row]
        sides.append(table[table["grid"].to_numpy() == side[point]][["point", "block"]])
    between, same = np.zeros(len(xy), dtype=bool), np.zeros(len(xy), dtype=bool)
    between[np.intersect1d(sides[0]["point"], sides[1]["point"])] = True
    same[sides[0].merge(sides[1], on=["point", "block"])["point"].unique()] = True
    return between, same


def _check_classes(plan: PlanData, report: CheckReport, xy: Floats, metres: Floats,
                   row: Ints) -> None:
    borders = plan.frame("borders")
    told = plan.ids("borders", "road_class")
    roads, barriers = plan.frame("roads"), plan.frame("barriers")
    kind = roads["road_class"].where(roads["road_class"] != "", "unknown")
    near = np.zeros(len(xy), dtype=bool)
    for name in sorted(set(told) - {"", "none"}):
        lines = np.concatenate([
            plan.shapes("roads")[(kind == name).to_numpy()],
            _as_lines(plan.shapes("barriers")[(barriers["kind"] == name).to_numpy()])])
        on = told[row] == name
        near[np.flatnonzero(on)] = near_lines(xy[on], lines, ON_LINE_M)
    silent = np.isin(told, ("", "none"))
    on = silent[row]
    centre = np.zeros(len(xy), dtype=bool)
    centre[np.flatnonzero(on)] = near_lines(xy[on], lines_at_grade(plan), _ON_CENTRE_M)
    length = _sum_rows(row, metres, len(told))
    silent &= (length > _LONG_M) & (_sum_rows(row, metres * centre, len(told))
                                    >= _ON_CENTRE_SHARE * length)
    silent[silent] = _share_on(plan.shapes("borders")[silent], lines_at_grade(plan),
                               _ON_CENTRE_M) >= _ON_CENTRE_SHARE
    if silent.any():
        report.add("borders", "border_unnamed", "borders", plan.ids("borders")[silent],
                   "road_class")
    table = pd.DataFrame({"a": borders["grid_a"].to_numpy()[row],
                          "b": borders["grid_b"].to_numpy()[row], "kind": told[row],
                          "metres": metres, "near": metres * near})
    table = table[~table["kind"].isin(("", "none"))]
    sums = table.groupby(["a", "b", "kind"])[["metres", "near"]].sum()
    bad = sums.index[sums["near"] < 0.5 * sums["metres"]]
    if len(bad):
        keys = pd.MultiIndex.from_arrays([borders["grid_a"], borders["grid_b"], told])
        rows = plan.ids("borders")[keys.isin(bad)]
        report.add("borders", "border_class", "borders", rows, "road_class", value=bad[0][2])


def _share_on(shape: Shapes, lines: Shapes, distance_m: float) -> Floats:
    """Measure, where points would only estimate, how much of each shape lies near ``lines``."""
    share = np.zeros(len(shape))
    tree = shapely.STRtree(lines)
    for k, border in enumerate(shape):
        near = lines[tree.query(border, predicate="dwithin", distance=distance_m)]
        band = shapely.union_all(shapely.buffer(near, distance_m))
        share[k] = shapely.length(shapely.intersection(border, band)) / shapely.length(border)
    return share


def count_straddling(plan: PlanData, segments: Segments, contacts: Pairs, grid_of: Ints,
                     limits: pd.DataFrame) -> tuple[int, int] | None:
    """Return how many grids straddle a major line, and how many avoidably.

    A grid straddles when the major lines (secondary and above, rail, river)
    leave two pieces of it with a tenth of its households each; avoidably when
    the superblocks of these pieces could each be cut by number alone. None
    where no class of road is known.
    """
    roads, barriers = plan.frame("roads"), plan.frame("barriers")
    if not roads["road_class"].isin(set(ROAD_CLASS) - {"unknown"}).any():
        return None
    rank = roads["road_class"].map(ROAD_CLASS).fillna(0)
    keep = ((rank >= _MAJOR_CLASS) & (roads["structure"] != "tunnel")
            & ~(roads["level"] < 0)).to_numpy()
    wide = barriers["kind"].isin(("rail", "river")).to_numpy()
    lines = np.concatenate([plan.shapes("roads")[keep],
                            _as_lines(plan.shapes("barriers")[wide])])
    xy, metres, row = sample_points(segments.start, segments.end, 4 * _SPACING_M)
    near = _sum_rows(row, metres * near_lines(xy, lines, ON_LINE_M), len(segments.left))
    size = len(grid_of)
    on_line = sum_pairs(segments.left, segments.right, near, size)
    place = np.searchsorted(on_line.left * size + on_line.right,
                            contacts.left * size + contacts.right)
    minor = on_line.total[place] < 0.5 * contacts.total
    left, right = contacts.left[minor], contacts.right[minor]
    superblock = label_pieces(size, left, right)
    inside = grid_of[left] == grid_of[right]
    piece = label_pieces(size, left[inside], right[inside])
    load = plan.numbers("units", "households")
    table = pd.DataFrame({"grid": grid_of, "piece": piece, "superblock": superblock, "h": load})
    low, high = limits["low"].to_numpy()[grid_of], limits["high"].to_numpy()[grid_of]
    total = table.groupby("superblock")["h"].transform("sum").to_numpy()
    table["fits"] = (total > 0) & (np.ceil(total / high) <= np.floor(total / low))
    parts = table.groupby(["grid", "piece"]).agg(h=("h", "sum"), fits=("fits", "all"))
    whole = parts.groupby(level=0)["h"].transform("sum")
    parts = parts[(parts["h"] >= _PIECE_SHARE * whole) & (parts["h"] > 0)]
    split = parts.groupby(level=0).agg(n=("h", "size"), fits=("fits", "all"))
    split = split[split["n"] >= 2]
    return len(split), int(split["fits"].sum())


def _as_lines(shapes: Shapes) -> Shapes:
    return np.where(shapely.get_dimensions(shapes) == 2, shapely.boundary(shapes), shapes)


def _sum_rows(row: Ints, amount: Floats, count: int) -> Floats:
    return np.bincount(row, amount, minlength=count).astype(np.float64)


def _as_series(pairs: Pairs) -> pd.Series:
    index = pd.MultiIndex.from_arrays([pairs.left, pairs.right])
    return pd.Series(pairs.total, index=index)
