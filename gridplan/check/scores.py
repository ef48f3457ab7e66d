"""The scorecard: scores of grids and communities, and the figures that sum them up, anew.

A plan that tells no score at all, and no figure of one, claims nothing; one that tells any must
tell all of them, and truly. What hangs on which line a border follows is read twice, once with
the lines that surely run there and once with those that perhaps do: what the plan tells must lie
between both readings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from gridplan.check.graph import (
    Flags,
    Floats,
    Ints,
    Pairs,
    Segments,
    Shapes,
    label_pieces,
    positions,
    sum_pairs,
)
from gridplan.check.reading import PlanData
from gridplan.check.reasons import Ground
from gridplan.check.verdict import CheckReport
from gridplan.layers import BARRIERS, ROAD_CLASS

SCORES = ("score_balance", "score_shape", "score_border", "score_straddling")
TERMS = ("weighted_border", "shape_m", "balance_households", "straddling")
DEFAULT_FACTORS = (10.0, 3.0, 2.0, 1.0, 0.5)
# Scores are told to hundredths, and shapes are stored to a fraction of a millimetre.
_SLACK = 0.02
# A line is followed by borders about half a metre from it at most. Driveways and parking aisles
# are not, and are not told from other service roads: those are sure only where a border was made
# from them, which is where it lies on them but for rounding.
_SURE_M, _SURE_SERVICE_M, _PERHAPS_M = 0.45, 0.05, 0.55
_MAJOR_CLASS, _BARRIER_CLASS = 3, 4
_PIECE_SHARE = 0.1

Between = tuple[Floats, Floats]


@dataclass(frozen=True)
class LineSet:
    """Lines that a border may follow, with their class; ``major`` are not to be straddled.

    A border within ``sure_m`` of a line follows it for sure.
    """

    shape: Shapes
    rank: Ints
    major: Flags
    sure_m: Floats

    def take(self, keep: Flags) -> LineSet:
        """Return the lines where ``keep`` is true."""
        return LineSet(self.shape[keep], self.rank[keep], self.major[keep], self.sure_m[keep])


def tells_scores(plan: PlanData) -> bool:
    """Tell whether the plan has a scorecard: any score, cost of a border, or figure of one."""
    held = [plan.numbers(layer, column) for layer in ("grids", "communities") for column in SCORES]
    told = any(not np.isnan(h).all() for h in (*held, plan.numbers("borders", "move_cost")))
    return told or bool(plan.frame("figures")["name"].isin((*SCORES, *TERMS)).any())


def read_factors(plan: PlanData) -> tuple[float, ...]:
    """Return the weight of a metre of border by class 0–4, as the run table has it."""
    try:
        told = json.loads(plan.run.get("parameters") or "{}")["partition"]["border_factors"]
        factors = tuple(float(f) for f in told)
    except (KeyError, TypeError, ValueError):
        return DEFAULT_FACTORS
    return factors if len(factors) == len(DEFAULT_FACTORS) else DEFAULT_FACTORS


def check_scores(plan: PlanData, report: CheckReport, segments: Segments, contacts: Pairs,
                 grid_of: Ints, ground: Ground) -> None:
    """Compare the scores of grids and communities, and every figure of the scorecard."""
    factors = read_factors(plan)
    away = _straddling(plan, segments, contacts, grid_of)
    truth = {"score_balance": _exactly(_balance(ground)),
             "score_shape": _exactly(_shape(plan.shapes("grids"))),
             "score_border": _exactly(_border(plan, factors)),
             "score_straddling": away.score}
    for name, (least, most) in truth.items():
        _compare(report, "grids", plan.ids("grids"), name, plan.numbers("grids", name), least,
                 most)
    sums = _sum_scores(plan)
    towns = plan.ids("communities")
    for name in SCORES:
        part, whole = sums[name]
        mean = _divide(part, whole)
        _compare(report, "communities", towns, name, plan.numbers("communities", name), mean, mean)
    report.counts["scores"] = len(SCORES) * (len(grid_of) and len(plan.frame("grids")))
    _check_figures(plan, report, sums, _terms(plan, ground, factors, away))


def border_weights(plan: PlanData, factors: tuple[float, ...]) -> Floats:
    """Return metres × factor of each row of the borders."""
    known = {**ROAD_CLASS, **dict.fromkeys(BARRIERS, _BARRIER_CLASS), "": 0, "none": 0}
    rank = np.array([known.get(c, 1) for c in plan.ids("borders", "road_class")], dtype=np.int64)
    weight: Floats = plan.numbers("borders", "length_m") * np.asarray(factors)[rank]
    return weight


# ---- the four scores -----------------------------------------------------------------------

def _balance(ground: Ground) -> Floats:
    """100 in the middle of the range, 50 at its ends, 0 a width of it off the middle."""
    width = np.maximum(ground.high - ground.low, 1)
    off = np.abs(2 * ground.households - ground.low - ground.high) / (2 * width)
    judged = ~ground.special & (ground.households > 0)
    return np.where(judged, 100.0 * np.clip(1.0 - off, 0.0, 1.0), np.nan)


def _shape(polygons: Shapes) -> Floats:
    """Area over that of the square with the same perimeter."""
    square = (shapely.length(polygons) / 4) ** 2
    return 100.0 * np.minimum(1.0, shapely.area(polygons) / square)


def _border(plan: PlanData, factors: tuple[float, ...]) -> Floats:
    """Where between the dearest class of line (0) and the cheapest (100) the mean metre lies."""
    metres, weight = (_by_grid(plan, v) for v in (
        plan.numbers("borders", "length_m"), border_weights(plan, factors)))
    if max(factors) == min(factors):
        return np.full(len(metres), np.nan)
    mean = _divide(weight, metres)
    return 100.0 * np.clip((max(factors) - mean) / (max(factors) - min(factors)), 0.0, 1.0)


@dataclass(frozen=True)
class Straddling:
    """Scores and numbers of grids that straddle, each between its two readings; None: unknown."""

    score: Between
    count: tuple[int, int] | None


def _straddling(plan: PlanData, segments: Segments, contacts: Pairs, grid_of: Ints) -> Straddling:
    count = len(plan.frame("grids"))
    if not plan.frame("roads")["road_class"].isin(set(ROAD_CLASS) - {"unknown"}).any():
        nothing = np.full(count, np.nan)
        return Straddling((nothing, nothing), None)
    size = len(grid_of)
    households = plan.numbers("units", "households")
    scores, numbers = [], []
    for major in (*major_segments(plan, segments),):
        metres = sum_pairs(segments.left, segments.right, segments.length_m * major, size)
        place = np.searchsorted(metres.left * size + metres.right,
                                contacts.left * size + contacts.right)
        keep = ((metres.total[place] < 0.5 * contacts.total)
                & (grid_of[contacts.left] == grid_of[contacts.right]))
        piece = label_pieces(size, contacts.left[keep], contacts.right[keep])
        held = pd.DataFrame({"grid": grid_of, "piece": piece, "h": households}).groupby(
            ["grid", "piece"])["h"].sum()
        total = held.groupby(level=0).transform("sum")
        counted = (held > 0) & (held >= _PIECE_SHARE * total)
        numbers.append(int((counted.groupby(level=0).sum() > 1).sum()))
        best = held.groupby(level=0).agg(["max", "sum"]).reindex(range(count), fill_value=0)
        away = _divide((best["sum"] - best["max"]).to_numpy(dtype=np.float64),
                       best["sum"].to_numpy(dtype=np.float64))
        scores.append(100.0 * np.clip(1.0 - away / 0.5, 0.0, 1.0))
    return Straddling((np.minimum(*scores), np.maximum(*scores)),
                      (min(numbers), max(numbers)))


# ---- what runs along a segment -------------------------------------------------------------

def read_lines(plan: PlanData) -> LineSet:
    """Return roads on the ground or on bridges, and barriers, with the class of each."""
    roads, barriers = plan.frame("roads"), plan.frame("barriers")
    ground = ((roads["structure"] != "tunnel") & ~(roads["level"] < 0)).to_numpy(dtype=bool)
    kind = roads["road_class"].where(roads["road_class"] != "", "unknown")
    rank = kind.map(ROAD_CLASS).fillna(1).to_numpy(dtype=np.int64)
    edge = plan.shapes("barriers")
    edge = np.where(shapely.get_dimensions(edge) == 2, shapely.boundary(edge), edge)
    both = np.concatenate([plan.shapes("roads")[ground], edge])
    ranks = np.concatenate([rank[ground], np.full(len(edge), _BARRIER_CLASS)])
    major = np.concatenate([rank[ground] >= _MAJOR_CLASS,
                            barriers["kind"].isin(("rail", "river")).to_numpy(dtype=bool)])
    sure = np.concatenate([np.where(kind[ground] == "service", _SURE_SERVICE_M, _SURE_M),
                           np.full(len(edge), _SURE_M)])
    parts, row = shapely.get_parts(both, return_index=True)
    lines = np.isin(shapely.get_type_id(parts), (1, 2)) & (shapely.length(parts) > 0)
    row = row[lines]
    return LineSet(parts[lines], ranks[row], major[row], sure[row])


def follow(start: Floats, end: Floats, lines: LineSet) -> tuple[Ints, Ints]:
    """Return the highest class of line that surely, and that perhaps, runs along each segment.

    A line runs along a segment whose ends and middle lie on it.
    """
    sure, perhaps = np.zeros(len(start), np.int64), np.zeros(len(start), np.int64)
    if len(start) and len(lines.shape):
        middle = shapely.points((start + end) / 2)
        row, line = shapely.STRtree(lines.shape).query(middle, predicate="dwithin",
                                                       distance=_PERHAPS_M)
        places = (middle[row], shapely.points(start[row]), shapely.points(end[row]))
        far = np.max([shapely.distance(p, lines.shape[line]) for p in places], axis=0)
        for found, reach in ((sure, lines.sure_m[line]), (perhaps, _PERHAPS_M)):
            near = far <= reach
            np.maximum.at(found, row[near], lines.rank[line[near]])
    return sure, perhaps


def segment_classes(plan: PlanData, segments: Segments) -> tuple[Ints, Ints]:
    """Return the class that each segment surely, and perhaps, has."""
    return follow(segments.start, segments.end, read_lines(plan))


def major_segments(plan: PlanData, segments: Segments) -> tuple[Flags, Flags]:
    """Tell which segments surely, and which perhaps, run along a line not to be straddled.

    Of several lines on one segment the one of the highest class is followed.
    """
    lines = read_lines(plan)
    sure, perhaps = follow(segments.start, segments.end, lines.take(lines.major))
    some = np.flatnonzero(perhaps > 0)
    other = lines.take(~lines.major)
    plain, may_be_plain = np.zeros_like(sure), np.zeros_like(sure)
    plain[some], may_be_plain[some] = follow(segments.start[some], segments.end[some], other)
    return sure > may_be_plain, (perhaps > 0) & (perhaps >= plain)


# ---- means and figures ---------------------------------------------------------------------

def _sum_scores(plan: PlanData) -> dict[str, tuple[Floats, Floats]]:
    """Return Σ weight × score and Σ weight by community, of the scores as the plan tells them."""
    towns = plan.ids("communities")
    owner = positions(towns, plan.ids("grids", "community_id"))
    metres = _by_grid(plan, plan.numbers("borders", "length_m"))
    households = plan.numbers("grids", "households")
    out = {}
    for name in SCORES:
        score = plan.numbers("grids", name)
        weight = np.where(np.isnan(score), 0.0,
                          metres if name == "score_border" else households)
        part, whole = (np.bincount(owner, v, minlength=len(towns)).astype(np.float64)
                       for v in (weight * np.nan_to_num(score), weight))
        out[name] = (part, whole)
    return out


def _terms(plan: PlanData, ground: Ground, factors: tuple[float, ...], away: Straddling
           ) -> dict[str, tuple[float, float] | None]:
    """Return what the objective is made of, each between its two readings."""
    weighted = float(border_weights(plan, factors).sum())
    metres = float(plan.numbers("borders", "length_m").sum())
    off = np.abs(ground.households - (ground.low + ground.high) / 2)
    uneven = float(off[~ground.special & (ground.households > 0)].sum())
    return {"weighted_border": (weighted, weighted), "shape_m": (metres, metres),
            "balance_households": (uneven, uneven),
            "straddling": None if away.count is None else (float(away.count[0]),
                                                           float(away.count[1]))}


def _check_figures(plan: PlanData, report: CheckReport, sums: dict[str, tuple[Floats, Floats]],
                   terms: dict[str, tuple[float, float] | None]) -> None:
    expected: dict[tuple[str, str, str], list[tuple[str, float, float]]] = {}
    towns = plan.ids("communities").tolist()
    for name, (part, whole) in sums.items():
        scopes = [("city", "all", float(part.sum()), float(whole.sum()))]
        scopes += [("community", town, float(p), float(w))
                   for town, p, w in zip(towns, part, whole, strict=True)]
        for scope, scope_id, p, w in scopes:
            mean = p / w if w else math.nan
            expected[name, scope, scope_id] = [("value", mean, mean), ("numerator", p, p),
                                               ("denominator", w, w)]
            if scope == "city":
                report.figures[name] = mean if w else None
    for name, between in terms.items():
        low, high = between or (math.nan, math.nan)
        expected[name, "city", "all"] = [("value", low, high)]
        if name != "straddling":
            report.figures[name] = low
    table = plan.frame("figures")
    seen = set()
    for row in table[table["name"].isin((*SCORES, *TERMS))].itertuples():
        key = (row.name, row.scope, row.scope_id)
        seen.add(key)
        for column, low, high in expected.get(key, [("value", math.nan, math.nan)]):
            found = float(getattr(row, column))
            if _differs(found, low, high):
                report.add("figures", "figure_differs", "figures", [_label(key)], column,
                           found=_shown(found), expected=_shown(low))
    missing = [_label(key) for key in expected if key not in seen]
    if missing:
        report.add("figures", "figure_missing", "figures", missing)


def _compare(report: CheckReport, layer: str, ids: Iterable[object], column: str, found: Floats,
             least: Floats, most: Floats) -> None:
    unknown = np.isnan(least)
    bad = (np.isnan(found) != unknown) | (~unknown & ~np.isnan(found) & (
        (found < least - _SLACK) | (found > most + _SLACK)))
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        report.add("scores", "score_differs", layer, np.asarray(ids, dtype=object)[bad], column,
                   found=_shown(found[first]), expected=_shown(least[first]))


def _differs(found: float, low: float, high: float) -> bool:
    if math.isnan(found) or math.isnan(low):
        return math.isnan(found) != math.isnan(low)
    slack = 1e-6 * max(1.0, abs(high))
    return not low - slack <= found <= high + slack


def _exactly(values: Floats) -> Between:
    return values, values


def _by_grid(plan: PlanData, amount: Floats) -> Floats:
    """Sum an amount per border over both of its grids."""
    ids = plan.ids("grids")
    total = np.zeros(len(ids))
    for side in ("grid_a", "grid_b"):
        np.add.at(total, positions(ids, plan.ids("borders", side)), amount)
    return total


def _divide(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _label(key: tuple[str, str, str]) -> str:
    return key[0] if key[1] == "city" else f"{key[0]}:{key[2]}"


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{round(float(value), 2):.10g}"
