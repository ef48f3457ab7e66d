"""What was asked of the grids: must-links that lie in one grid, grids one can walk through.

How well a border can be crossed is measured twice, once in favour of closed borders and once
in favour of open ones: where centimetres decide, a plan may tell anything between the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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
    sum_pairs,
)
from gridplan.check.reading import PlanData
from gridplan.check.reasons import Ground
from gridplan.check.verdict import CheckReport
from gridplan.layers import BARRIER_CLASS, BARRIERS, ROAD_CLASS

FIGURE = "grids_with_closed_crossing"
GATE_M = 15.0
LINK_REACH_M = 2.0
_BEYOND_M = 2.0
# (favouring closed, favouring open): how near to a barrier a border runs on it, how near to a
# border a crossing or a gate opens it, and how many metres of open border are enough.
_ON_BARRIER_M = (0.75, 0.3)
_AT_CROSSING_M = (0.4, 0.8)
_AT_GATE_M = (GATE_M - 0.5, GATE_M + 0.5)
_ENOUGH_M = (1.2 * ROOK_M, 0.8 * ROOK_M)
_MOTORWAYS = ("motorway", "motorway_link")


# ---- must-links ----------------------------------------------------------------------------

def check_must_links(plan: PlanData, report: CheckReport, ground: Ground) -> None:
    """Each must-link lies in one grid, or is listed with a reason that holds."""
    links, ids = plan.frame("must_links"), plan.ids("must_links")
    if not len(ids):
        return
    touched = find_touched(plan)
    grid = positions(plan.ids("grids"), plan.ids("buildings", "grid_id"))
    report.counts["must_links"] = len(ids)
    report.counts["must_links_apart"] = 0
    for k, houses in enumerate(touched):
        grids = np.unique(grid[houses])
        expected = ("idle", "held")[len(grids)] if len(grids) < 2 else "apart"
        report.counts["must_links_apart"] += expected == "apart"
        told = links["status"].iloc[k]
        if told != expected:
            report.add("constraints", "link_status", "must_links", [ids[k]], "status", found=told,
                       expected=expected, grids=len(grids))
            continue
        code = str(links["reason"].iloc[k]).partition(":")[0]
        if expected == "apart":
            true = _true_codes(plan, ground, houses, grid)
            if code not in true:
                report.add("constraints", "link_reason", "must_links", [ids[k]], "reason",
                           code=code or "-", expected=", ".join(sorted(true)))


def find_touched(plan: PlanData) -> list[Ints]:
    """Return the buildings (positions) that each must-link touches."""
    links, houses = plan.shapes("must_links"), plan.shapes("buildings")
    house, link = shapely.STRtree(links).query(houses, predicate="dwithin", distance=LINK_REACH_M)
    area = shapely.get_dimensions(links[link]) == 2
    solid = shapely.get_dimensions(houses[house]) == 2
    inside = shapely.area(shapely.intersection(houses[house], links[link])) > 0.5 * shapely.area(
        houses[house])
    touches = np.where(area, np.where(solid, inside, shapely.intersects(houses[house],
                                                                        links[link])), True)
    return [np.sort(house[touches & (link == k)]) for k in range(len(links))]


def _true_codes(plan: PlanData, ground: Ground, houses: Ints, grid: Ints) -> set[str]:
    """Return the reasons that are true of a must-link in several grids.

    That others or other land stand in its way, or the range goes before, is only listed.
    """
    grids = np.unique(grid[houses])
    out = {"crowded", "between", "range"}
    load = plan.numbers("buildings", "households")[houses]
    facts = {"communities": len(set(plan.ids("grids", "community_id")[grids])) > 1,
             "locked": ground.locked[grids].any(), "special": ground.special[grids].any(),
             "building": (load > ground.high[grid[houses]]).any(),
             "large": _unit_load(plan, houses) > ground.high[grids].min(),
             "parts": len(set(ground.part_of[grids].tolist())) > 1}
    return out | {code for code, holds in facts.items() if holds}


def _unit_load(plan: PlanData, houses: Ints) -> float:
    """Return the households of the units that buildings belong to."""
    unit = positions(plan.ids("units"), plan.ids("buildings", "unit_id")[houses])
    return float(plan.numbers("units", "households")[np.unique(unit)].sum())


# ---- passability ---------------------------------------------------------------------------

@dataclass(frozen=True)
class _Barred:
    """Border segments, with what decides whether they can be crossed."""

    segments: Segments
    shut: tuple[Flags, Flags]
    passed: tuple[Flags, Flags]


def check_passable(plan: PlanData, report: CheckReport, segments: Segments, contacts: Pairs,
                   grid_of: Ints) -> None:
    """Count the grids whose households one cannot reach on foot without leaving the grid."""
    most, fewest = count_closed(plan, segments, contacts, grid_of)
    table = plan.frame("figures")
    rows = table[(table["scope"] == "city") & (table["name"] == FIGURE)]
    report.figures[FIGURE] = float(fewest)
    if not len(rows):
        if fewest:
            report.add("figures", "figure_missing", "figures", [FIGURE])
        return
    told = float(rows["value"].iloc[0])
    if not fewest <= told <= most:
        report.add("figures", "figure_differs", "figures", [FIGURE], "value", found=f"{told:g}",
                   expected=f"{fewest}–{most}" if most > fewest else str(fewest))
    else:
        report.figures[FIGURE] = told


def count_closed(plan: PlanData, segments: Segments, contacts: Pairs,
                 grid_of: Ints) -> tuple[int, int]:
    """Return how many grids fall apart where closed borders part them: at most, at least."""
    inside = segments.take(grid_of[segments.left] == grid_of[segments.right])
    if not len(plan.frame("barriers")) or not len(inside.left):
        return 0, 0
    count = len(grid_of)
    load = plan.numbers("units", "households")
    out = []
    for usable in open_pairs(plan, inside, contacts, count):
        piece = label_pieces(count, usable // count, usable % count)
        held = np.unique(np.stack([grid_of, piece])[:, load > 0], axis=1)
        out.append(int((np.bincount(held[0]) > 1).sum()))
    return out[0], out[1]


def open_pairs(plan: PlanData, segments: Segments, contacts: Pairs,
               count: int) -> tuple[Ints, Ints]:
    """Return the pairs of units one can walk between, in favour of closed and of open borders.

    A pair is left × count + right; only pairs in ``contacts`` count.
    """
    pairs = contacts.left * count + contacts.right
    if not len(plan.frame("barriers")) or not len(segments.left):
        held = np.unique(segments.left * count + segments.right)
        held = held[np.isin(held, pairs)]
        return held, held
    barred = _judge(plan, segments)
    out = []
    for reading in (0, 1):
        metres = np.where(barred.shut[reading], 0.0, segments.length_m)
        metres[barred.passed[reading]] = 2 * ROOK_M
        free = sum_pairs(segments.left, segments.right, metres, count)
        usable = (free.left * count + free.right)[free.total >= _ENOUGH_M[reading]]
        out.append(usable[np.isin(usable, pairs)])
    return out[0], out[1]


def _judge(plan: PlanData, inside: Segments) -> _Barred:
    kind = plan.ids("barriers", "kind")
    shape = plan.shapes("barriers")
    edge = np.where(shapely.get_dimensions(shape) == 2, shapely.boundary(shape), shape)
    roads = plan.frame("roads")
    rank = roads["road_class"].map(ROAD_CLASS).fillna(0).to_numpy()
    wide = plan.shapes("roads")[(rank >= BARRIER_CLASS) & (roads["structure"] != "tunnel")]
    own = np.isin(kind, BARRIERS)
    shut = [_runs_along(inside, edge[own], d) for d in _ON_BARRIER_M]
    shut[1] &= ~_runs_along(inside, wide, _ON_BARRIER_M[0])
    rows = np.flatnonzero(shut[0])
    line = shapely.linestrings(np.stack([inside.start[rows], inside.end[rows]], axis=1))
    sure, possible = _find_crossings(plan, edge[own])
    gates = _open_gates(plan)
    part = inside.take(shut[0])
    wall = _runs_along(part, edge[kind == "wall"], _ON_BARRIER_M[1]) & ~_runs_along(
        part, edge[own & (kind != "wall")], _ON_BARRIER_M[0])
    maybe = _runs_along(part, edge[kind == "wall"], _ON_BARRIER_M[0])
    passed = []
    for reading, spots, walled in ((0, sure, wall), (1, possible, maybe)):
        mark = np.zeros(len(inside.left), dtype=bool)
        mark[rows] = _near(line, spots, _AT_CROSSING_M[reading]) | (
            walled & _near(line, gates, _AT_GATE_M[reading]))
        passed.append(mark)
    return _Barred(inside, (shut[0], shut[1]), (passed[0], passed[1]))


def _runs_along(segments: Segments, lines: Shapes, distance_m: float) -> Flags:
    """Tell which segments keep near lines with both ends and the middle."""
    near = np.ones(len(segments.left), dtype=bool)
    if not len(lines):
        return ~near
    for xy in (segments.start, (segments.start + segments.end) / 2, segments.end):
        near[near] = near_lines(xy[near], lines, distance_m)
    return near


def _near(lines: Shapes, spots: Shapes, distance_m: float) -> Flags:
    out = np.zeros(len(lines), dtype=bool)
    if len(spots):
        out[shapely.STRtree(spots).query(lines, predicate="dwithin", distance=distance_m)[0]] = True
    return out


def _open_gates(plan: PlanData) -> Shapes:
    gates = plan.frame("gates")
    if not len(gates):
        return np.empty(0, dtype=object)
    closed = ((gates["foot"] == 0) & (gates["car"] != 1)).to_numpy()
    return plan.shapes("gates")[~closed]


def _find_crossings(plan: PlanData, edge: Shapes) -> tuple[Shapes, Shapes]:
    """Return the points where a way surely leads across a barrier, and where it may."""
    roads = plan.frame("roads")
    walked = ~roads["road_class"].isin(_MOTORWAYS).to_numpy() & (roads["foot"] != 0).to_numpy()
    start, end, _ = explode_lines(plan.shapes("roads")[walked])
    none = np.empty(0, dtype=object)
    if not len(start) or not len(edge):
        return none, none
    steps = shapely.linestrings(np.stack([start, end], axis=1))
    edge_start, edge_end, _ = explode_lines(edge)
    bank = shapely.linestrings(np.stack([edge_start, edge_end], axis=1))
    step, side = shapely.STRtree(bank).query(steps, predicate="dwithin",
                                             distance=_AT_CROSSING_M[1])
    spot = shapely.get_point(shapely.shortest_line(bank[side], steps[step]), 0)
    spot = np.unique(np.round(shapely.get_coordinates(spot), 3), axis=0)
    return _surely_across(spot, steps, bank), np.asarray(shapely.points(spot))


def _surely_across(spot: Floats, steps: Shapes, bank: Shapes) -> Shapes:
    """Return the spots round which ways reach a circle's edge on two sides of the barrier."""
    point = np.asarray(shapely.points(spot))
    disc = shapely.buffer(point, _BEYOND_M + 0.5)
    edges = _gather(disc, bank)
    ways = _gather(disc, steps)
    halves, row = shapely.get_parts(shapely.difference(disc, shapely.buffer(edges, 0.02)),
                                    return_index=True)
    # Ways that do not pass through the spot itself belong to another one.
    through = shapely.distance(ways, point) < 0.05
    reach = shapely.length(shapely.intersection(halves, ways[row])) >= _BEYOND_M + 0.3
    sides = np.bincount(row, reach, minlength=len(point))
    parts = np.bincount(row, minlength=len(point))
    return point[(sides == 2) & (parts == 2) & through]


def _gather(disc: Shapes, lines: Shapes) -> Shapes:
    """Return for each disc the union of the lines that reach into it."""
    row, line = shapely.STRtree(lines).query(disc, predicate="intersects")
    order = np.argsort(row, kind="stable")
    row, line = row[order], line[order]
    out = np.full(len(disc), shapely.LineString(), dtype=object)
    rows, starts = np.unique(row, return_index=True)
    for k, held in zip(rows.tolist(), np.split(line, starts[1:]) if len(rows) else [],
                       strict=True):
        out[k] = shapely.union_all(lines[held])
    return out
