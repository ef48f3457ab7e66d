"""Inside estates: how well the large ones were cut, measured anew from the plan."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.check.borders import ON_LINE_M, lines_at_grade
from gridplan.check.graph import Flags, Ints, Segments, near_lines, sample_points
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport

Figure = tuple[float | None, float | None, float | None]
Told = dict[tuple[str, str], Figure]

_SPACING_M = 1.0
_NUMERALS = "一二三四五六七八九"
_ROMANS = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9,
           "X": 10}
_COMPASS = "东南西北中"
_AREAS = ("区", "组团", "苑")
_HOUSES = ("号楼", "幢", "栋", "座", "楼", "号", "#")
# A run of numbers may leave one out.
_STEP = 2


@dataclass(frozen=True)
class Estates:
    """Estate of each unit ('' for none), and its phases and numbered buildings."""

    of: NDArray[np.object_]
    phases: list[set[str]]
    numbers: list[set[tuple[str, str, int]]]
    follows: set[tuple[str, str, str, int, int]]

    def phase_border(self, a: int, b: int) -> bool:
        """Tell whether two units of one estate have phases, and none in common."""
        return bool(self.phases[a]) and bool(self.phases[b]) and not (
            self.phases[a] & self.phases[b])

    def number_jump(self, a: int, b: int) -> bool:
        """Tell whether both have numbers and none of one runs on to one of the other."""
        if not self.numbers[a] or not self.numbers[b]:
            return False
        estate = str(self.of[a])
        return not any((estate, p, s, min(x, y), max(x, y)) in self.follows or x == y
                       for p, s, x in self.numbers[a] for q, r, y in self.numbers[b]
                       if (p, s) == (q, r))


def check_inner(plan: PlanData, report: CheckReport, segments: Segments, grid_of: Ints,
                asked: dict[str, object]) -> Estates:
    """Compare the figures of what lies inside estates with the plan.

    ``asked`` are the parameters of the partition; where they tell how inner borders were
    weighed, the figures must be there.
    """
    estates = read_estates(plan)
    truth = {("estate_border_quality", "all"): _quality(plan, estates, segments, grid_of),
             **_cut_estates(plan, estates, asked)}
    compare_figures(plan, report, truth, needed="inner" in asked)
    return estates


def asked_parameters(plan: PlanData) -> dict[str, object]:
    """Return the parameters of the partition out of the run table; {} where they cannot be read."""
    try:
        held = json.loads(plan.run.get("parameters") or "{}")
    except json.JSONDecodeError:
        return {}
    asked = held.get("partition") if isinstance(held, dict) else None
    return asked if isinstance(asked, dict) else {}


def compare_figures(plan: PlanData, report: CheckReport, truth: Told, *, needed: bool) -> None:
    """Compare rows of the figures for the whole plan; measured lengths may differ a little."""
    table = plan.frame("figures")
    names = {name for name, _ in truth}
    told = table[(table["scope"] == "city") & table["name"].isin(names)]
    seen = set()
    for row in told.itertuples():
        key = (str(row.name), str(row.scope_id))
        seen.add(key)
        real = truth.get(key, (None, None, None))
        for column, expected in zip(("value", "numerator", "denominator"), real, strict=True):
            found = float(getattr(row, column))
            if _differs(found, expected, column, key[0] == "estate_border_quality", real[2]):
                report.add("figures", "figure_differs", "figures", [":".join(key)], column,
                           found=_shown(found), expected=_shown(expected))
    missing = [":".join(k) for k in truth if k not in seen]
    if missing and needed:
        report.add("figures", "figure_missing", "figures", missing)
    report.figures.update({":".join(k): v[0] for k, v in truth.items()})


def _differs(found: float, real: float | None, column: str, measured: bool,
             whole: float | None) -> bool:
    if real is None:
        return not np.isnan(found)
    slack = 1e-6
    if measured:
        slack = 0.01 if column == "value" else max(1.0, 0.01 * (whole or 0.0))
        if column == "value" and whole:
            slack = max(slack, 2.0 / whole)
    return not abs(found - real) <= slack


def _shown(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{round(float(value), 4):.10g}"


# ---- estates -------------------------------------------------------------------------------

def read_estates(plan: PlanData) -> Estates:
    """Read estates, phases and numbers of units off the buildings of the plan."""
    buildings = plan.frame("buildings")
    estate = _estate_ids(plan)
    unit_of = {name: k for k, name in enumerate(plan.ids("units"))}
    unit = np.array([unit_of.get(u, -1) for u in plan.ids("buildings", "unit_id")])
    table = pd.DataFrame({
        "unit": unit, "estate": estate, "id": plan.ids("buildings"),
        "households": buildings["households"].fillna(0).to_numpy(),
        "number": plan.ids("buildings", "number"), "name": plan.ids("buildings", "name"),
        "row": np.arange(len(unit))})
    table = table[table["unit"] >= 0]
    first = table.sort_values(["households", "id"], ascending=[False, True]
                              ).drop_duplicates("unit").set_index("unit")["estate"]
    count = len(unit_of)
    of = first.reindex(range(count)).fillna("").to_numpy(dtype=object)
    own = table[(table["estate"] != "") & (table["estate"].to_numpy() == of[table["unit"]])].copy()
    labels = [read_number(t) for t in own["number"]]
    own["phase"] = [label[0] or read_number(name)[0]
                    for label, name in zip(labels, own["name"], strict=True)]
    _phases_from_pieces(plan, own)
    phases: list[set[str]] = [set() for _ in range(count)]
    numbers: list[set[tuple[str, str, int]]] = [set() for _ in range(count)]
    listed: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for k, name, phase, (_, series, number) in zip(own["unit"], own["estate"], own["phase"],
                                                   labels, strict=True):
        if phase:
            phases[k].add(phase)
        if number >= 0:
            numbers[k].add((phase, series, number))
            listed[name, phase, series].add(number)
    follows = {(*key, x, y) for key, held in listed.items()
               for x, y in zip(sorted(held), sorted(held)[1:], strict=False) if y - x <= _STEP}
    return Estates(of, phases, numbers, follows)


def _estate_ids(plan: PlanData) -> NDArray[np.object_]:
    """Return the estate of every building: the given one, else the one it stands in."""
    ids = plan.ids("buildings", "estate_id").copy()
    names, shapes = plan.ids("estates"), plan.shapes("estates")
    blank = np.flatnonzero(ids == "")
    if len(names) and len(blank):
        points = shapely.point_on_surface(plan.shapes("buildings")[blank])
        at, area = shapely.STRtree(shapes).query(points, predicate="within")
        for k, name in sorted(zip(at.tolist(), names[area].tolist(), strict=True), reverse=True):
            ids[blank[k]] = name
    return ids


def _phases_from_pieces(plan: PlanData, own: pd.DataFrame) -> None:
    """Where no building tells a phase, the pieces of an estate are its phases if as many."""
    phases = np.nan_to_num(plan.numbers("estates", "phases"))
    silent = set(own["estate"]) - set(own.loc[own["phase"] != "", "estate"])
    for name, shape, told in zip(plan.ids("estates"), plan.shapes("estates"), phases, strict=True):
        if name in silent and told > 1 and shapely.get_num_geometries(shape) == told:
            mine = np.flatnonzero((own["estate"] == name).to_numpy())
            points = shapely.point_on_surface(plan.shapes("buildings")[own["row"].iloc[mine]])
            at, piece = shapely.STRtree(shapely.get_parts(shape)).query(points, "within")
            column = own.columns.get_loc("phase")
            own.iloc[mine[at], column] = [f"piece {k}" for k in piece]


def read_number(text: str) -> tuple[str, str, int]:
    """Return phase, series and number that a building's label tells; '' and -1 where it does not.

    >>> read_number("三期B区12幢"), read_number("丙座")
    (('3期B区', '', 12), ('', '', -1))
    """
    plain = "".join(unicodedata.normalize("NFKC", text).upper().split())
    phases, rest, k = "", "", 0
    while k < len(plain):
        name, length = _phase_at(plain, k)
        phases += name
        rest += "" if length else plain[k]
        k += length or 1
    rest = rest.strip(",;，；、")
    for k in range(len(rest)):
        series, number = _number_at(rest, k)
        if number >= 0:
            return phases, series, number
    return phases, "", -1


def _phase_at(text: str, k: int) -> tuple[str, int]:
    """Return the phase that begins at a place in a text, and its length; '' and 0 for none."""
    start = k + (text[k] == "第")
    for word in ("PHASE", "ZONE"):
        if text.startswith(word, k):
            at = k + len(word)
            at += text[at:at + 1] in ("-", ".") and at < len(text)
            for label in _labels(text, at, roman=True, numeral=False):
                after = text[at + len(label):at + len(label) + 1]
                if not (after.isascii() and after.isalpha()):
                    return _say(label, roman=True) + "期", at + len(label) - k
    for label in _labels(text, start, roman=True):
        if text.startswith("期", start + len(label)):
            return _say(label, roman=True) + "期", start + len(label) + 1 - k
    for label in _labels(text, k, compass=True):
        for area in _AREAS:
            if text.startswith(area, k + len(label)):
                return _say(label) + area, len(label) + len(area)
    return "", 0


def _labels(text: str, k: int, *, roman: bool = False, compass: bool = False,
            numeral: bool = True) -> list[str]:
    """Return what may stand for a phase at a place: a number, a letter, a side of the compass."""
    sorts = [("0123456789", 2), (_NUMERALS + "十" if numeral else "", 3),
             ("IVX" if roman else "", 4), (_COMPASS if compass else "", 2)]
    found = []
    for signs, most in sorts:
        n = 0
        while n < most and k + n < len(text) and text[k + n] in signs:
            n += 1
        found += [text[k:k + m] for m in range(n, 0, -1)]
    if k < len(text) and text[k].isascii() and text[k].isalpha():
        found.append(text[k])
    return found


def _say(label: str, *, roman: bool = False) -> str:
    if label.isdecimal():
        return str(int(label))
    if label[0] in _NUMERALS + "十":
        return str(_value(label))
    return str(_ROMANS.get(label, label)) if roman else label


def _value(numeral: str) -> int:
    if not set(numeral) & set("十百"):
        return int("".join(str(("零" + _NUMERALS).index("零" if c == "〇" else c))
                           for c in numeral))
    total, last = 0, 0
    for c in numeral:
        if c in "十百":
            total += (last or 1) * (10 if c == "十" else 100)
            last = 0
        else:
            last = ("零" + _NUMERALS).index("零" if c == "〇" else c)
    return total + last


def _ends(text: str, k: int, *, bare: bool, words: tuple[str, ...] = _HOUSES) -> bool:
    return any(text.startswith(w, k) for w in words) or (bare and k == len(text))


def _number_at(text: str, k: int) -> tuple[str, int]:
    """Return the series and number of a building that begins at a place; -1 for none."""
    free = k == 0 or not (text[k - 1].isdecimal() or text[k - 1] == "-")
    letter = text[k].isascii() and text[k].isalpha()
    if free:
        for series in ([text[k], ""] if letter else [""]):
            at = k + len(series)
            digits = 0
            while digits < 4 and at + digits < len(text) and text[at + digits].isdecimal():
                digits += 1
            for n in range(digits, 0, -1):
                end = at + n
                tail = text[end:end + 1]
                for more in ([1, 0] if tail.isascii() and tail.isalpha() else [0]):
                    if _ends(text, end + more, bare=True):
                        return series, int(text[at:end])
    n = 0
    while n < 5 and k + n < len(text) and text[k + n] in _NUMERALS + "十百零〇":
        n += 1
    if n and _ends(text, k + n, bare=False, words=_HOUSES[:5]):
        return "", _value(text[k:k + n])
    alone = k == 0 or not (text[k - 1].isascii() and text[k - 1].isalpha())
    if letter and alone and _ends(text, k + 1, bare=True, words=("座", "栋", "幢", "楼")):
        return "A–Z", ord(text[k]) - 64
    return "", -1


# ---- figures -------------------------------------------------------------------------------

def _quality(plan: PlanData, estates: Estates, segments: Segments, grid_of: Ints) -> Figure:
    """Return the share of borders inside estates on a line, between phases or at a jump."""
    a, b = segments.left, segments.right
    inside: Flags = (grid_of[a] != grid_of[b]) & (estates.of[a] == estates.of[b]) & (
        estates.of[a] != "")
    held = segments.take(inside)
    good = np.array([estates.phase_border(x, y) or estates.number_jump(x, y)
                     for x, y in zip(held.left.tolist(), held.right.tolist(), strict=True)],
                    dtype=bool)
    rest = held.take(~good)
    xy, metres, _ = sample_points(rest.start, rest.end, _SPACING_M)
    on_line = metres[near_lines(xy, lines_at_grade(plan), ON_LINE_M)].sum()
    part, whole = float(held.length_m[good].sum() + on_line), float(held.length_m.sum())
    return (part / whole if whole else None), part, whole


def _cut_estates(plan: PlanData, estates: Estates, asked: dict[str, object]) -> Told:
    """Count the estates that lie in several grids: in the range, below it, above it."""
    kind = dict(zip(plan.ids("communities"), plan.ids("communities", "kind"), strict=True))
    special = dict(zip(plan.ids("grids"), plan.ids("grids", "kind") == "special", strict=True))
    load: dict[tuple[str, str, str], float] = defaultdict(float)
    grids: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for estate, block, community, grid, held in zip(
            estates.of, plan.ids("units", "block_id"), plan.ids("units", "community_id"),
            plan.ids("units", "grid_id"), plan.numbers("units", "households"), strict=True):
        if estate and held > 0 and not special[grid]:
            load[community, block, estate] += held
            grids[community, block, estate].add(grid)
    sorts: dict[str, list[int]] = {"in_range": [], "below": [], "above": []}
    for key, held in load.items():
        low, high = read_range(asked, kind[key[0]] or "urban", plan)
        place = "below" if held < low else "above" if held > high else "in_range"
        sorts[place].append(len(grids[key]))
    out: Told = {}
    for place in ("in_range", "below"):
        cut = float(sum(n > 1 for n in sorts[place]))
        out["estates_cut", place] = cut, cut, float(len(sorts[place]))
    above = sorts["above"]
    out["estates_cut", "above"] = (float(sum(above)) / len(above) if above else None,
                                   float(sum(above)), float(len(above)))
    return out


def read_range(asked: dict[str, object], kind: str, plan: PlanData) -> tuple[int, int]:
    """Return the range of a kind of community as the run table tells it."""
    low, _, high = plan.run.get(f"range:{kind}", "").partition("/")
    if low.isdecimal() and high.isdecimal():
        return int(low), int(high)
    held = asked.get(kind)
    return (int(held["low"]), int(held["high"])) if isinstance(held, dict) else (300, 500)
