"""The figures of a service circle, worked out anew as the range they may lie in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gridplan.check.circle_asked import Category
from gridplan.check.circle_desk import (
    CircleDesk,
    Key,
    Range,
    Scope,
    bounds_within,
    find_quantile,
)
from gridplan.check.circle_supply import list_norms, list_supply
from gridplan.check.circle_ways import WAY_M
from gridplan.check.graph import Flags, Floats
from gridplan.check.verdict import CheckReport

PREFIXES = ("covered:", "covered_far:", "worst_decile_m:", "choice:", "supply:", "overloaded:",
            "norm_share:", "presence:")
NAMES = ("completeness", "full_circle")
_COVERED = ("city", "subdistrict", "community", "grid", "demand")
_DECILE = ("city", "subdistrict", "community")
_CHOICE = ("city", "community")
_WORST = 0.9


def check_circle_figures(report: CheckReport, desk: CircleDesk) -> None:
    """Compare every figure of the circle with what the layers give."""
    truth = dict(_list_truth(desk))
    table = desk.plan.frame("figures")
    ours = (table["name"].isin(NAMES) | table["name"].str.startswith(PREFIXES)).to_numpy(
        dtype=bool)
    found = {(str(r.name), str(r.scope), str(r.scope_id)): r
             for r in table[ours].itertuples(index=False)}
    unknown = _unknowable(desk)
    missing = [":".join(k) for k in truth if k not in found
               and not k[0].startswith("covered_far:")]
    if missing:
        report.add("circle", "circle_figure_missing", "figures", missing)
    odd = [":".join(k) for k in found if k not in truth and not k[0].startswith(unknown)]
    if odd:
        report.add("circle", "circle_figure_odd", "figures", odd)
    _compare(report, found, truth)
    report.figures |= {k[0]: None if np.isnan(r.low) else r.low for k, r in truth.items()
                       if k[1] == "city"}


def _compare(report: CheckReport, found: dict[Key, object], truth: dict[Key, Range]) -> None:
    """Tell of each figure in which places it differs, with the first as an example."""
    off: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
    for key in (k for k in truth if k in found):
        real = truth[key]
        checks = [("value", real.low, real.high)]
        if real.top is not None:
            checks.append(("numerator", *real.top))
        if real.bottom is not None:
            checks.append(("denominator", real.bottom, real.bottom))
        if real.has_target:
            goal = np.nan if real.target is None else real.target
            checks.append(("target", goal, goal))
        for column, low, high in checks:
            told = float(getattr(found[key], column))
            if not _lies_in(told, low, high):
                off.setdefault((key[0], column), []).append((":".join(key), told, low))
    for (_, column), rows in sorted(off.items()):
        rows.sort(key=lambda row: row[0])
        report.add("circle", "circle_figure", "figures", [row[0] for row in rows], column,
                   found=_shown(rows[0][1]), expected=_shown(rows[0][2]))


def _lies_in(told: float, low: float, high: float) -> bool:
    """Tell whether a number lies in a range; none does where a bound is none or infinite."""
    if np.isnan(told):
        return not (np.isfinite(low) and np.isfinite(high))
    slack = 1e-6 * max(1.0, abs(told))
    return bool(low - slack <= told <= high + slack)


def _shown(value: float) -> str:
    return f"{round(value, 4):.10g}" if np.isfinite(value) else "-"


def _unknowable(desk: CircleDesk) -> tuple[str, ...]:
    """Return how figures begin that cannot be worked out from what is there."""
    out: list[str] = []
    if desk.asked.categories is None:
        out += ["completeness", "full_circle", "norm_share:", "presence:"]
    if not desk.can_walk(desk.first):
        out += ["covered", "worst_decile_m:", "choice:", "supply:", "overloaded:",
                "completeness", "full_circle"]
    return tuple(out) or ("\0",)


def _list_truth(desk: CircleDesk) -> Iterator[tuple[Key, Range]]:
    if desk.can_walk(desk.first):
        yield from _coverage(desk)
        yield from _choice(desk)
        yield from list_supply(desk)
        if desk.asked.categories is not None:
            yield from _all_required(desk)
    if desk.asked.categories is not None and desk.layer == "buildings":
        yield from list_norms(desk)
        yield from _presence(desk)


def _places(desk: CircleDesk, names: tuple[str, ...]) -> Iterator[Scope]:
    return (desk.scopes[n] for n in names if n in desk.scopes)


def _ratios(name: str, scope: Scope, people: Floats, parts: tuple[Floats | Flags, Floats | Flags],
            goal: Category | None = None, whole: Floats | float = 1.0
            ) -> Iterator[tuple[Key, Range]]:
    """Yield the shares of households with the parts of one they have, at least and at most."""
    low, high = (scope.total(people * part) for part in parts)
    bottom = scope.total(people * whole)
    with np.errstate(invalid="ignore", divide="ignore"):
        first, last = (np.where(bottom > 0, part / bottom, np.nan) for part in (low, high))
    for k, place in enumerate(scope.ids.tolist()):
        yield (name, scope.name, str(place)), Range(
            float(first[k]), float(last[k]), (float(low[k]), float(high[k])), float(bottom[k]),
            goal.target if goal else None, goal is not None)


def _coverage(desk: CircleDesk) -> Iterator[tuple[Key, Range]]:
    """Shares that are covered in both readings, and the worst decile."""
    doubtful = desk.is_doubtful()
    for name, limit, own in desk.now():
        people = desk.meant_for(own)
        for head, reading in (("covered", "near"), ("covered_far", "far")):
            if reading == "far" and not doubtful:
                continue
            ways = desk.ways((name, False), desk.first, reading)
            for scope in _places(desk, _COVERED):
                yield from _ratios(f"{head}:{name}", scope, people, bounds_within(ways, limit),
                                   own)
        ways = desk.ways((name, False), desk.first)
        for scope in _places(desk, _DECILE):
            low, high = (find_quantile(scope, people, metres, _WORST)
                         for metres in (ways.low, ways.high))
            for k, place in enumerate(scope.ids.tolist()):
                yield (f"worst_decile_m:{name}", scope.name, str(place)), Range(
                    float(low[k]) - WAY_M, float(high[k]) + WAY_M, target=limit,
                    has_target=True)


def _all_required(desk: CircleDesk) -> Iterator[tuple[Key, Range]]:
    """Shares of all that should be reached, and of those who reach everything."""
    count = np.zeros((2, len(desk.people)))
    every = np.ones((2, len(desk.people)), dtype=bool)
    many = np.zeros(len(desk.people))
    for name, limit, own in desk.now():
        if own is None or not own.required:
            continue
        both = np.stack(bounds_within(desk.ways((name, False), desk.first), limit))
        meant = desk.meant_for(own) == desk.people
        count += both & meant
        every &= both | ~meant
        many += meant
    if not any(own is not None and own.required for _, _, own in desk.now()):
        return
    for scope in _places(desk, _COVERED):
        yield from _ratios("completeness", scope, desk.people, (count[0], count[1]),
                           whole=many)
        yield from _ratios("full_circle", scope, desk.people, (every[0], every[1]))


def _choice(desk: CircleDesk) -> Iterator[tuple[Key, Range]]:
    """Shares of households that have several within the limit."""
    least = int(desk.asked.number("circle", "choice", 2))
    tied = desk.tied()
    for name, limit, own in desk.now():
        low, high = np.zeros(len(desk.people)), np.zeros(len(desk.people))
        for rows, metres in desk.each_within((name, False), limit):
            high[rows] += 1
            low[rows] += metres <= limit - WAY_M
        parts = (low >= least) & ~tied, (high >= least) | (tied & (high > 0))
        for scope in _places(desk, _CHOICE):
            yield from _ratios(f"choice:{name}", scope, desk.meant_for(own), parts)


def _presence(desk: CircleDesk) -> Iterator[tuple[Key, Range]]:
    """Shares of communities or subdistricts that have one."""
    plan, where = desk.plan, desk.towns()
    kinds = plan.ids("communities", "kind")
    for own in (desk.asked.categories or {}).values():
        if own.measure != "presence":
            continue
        held = {int(k) for k in where[desk.facilities_of((own.name, False))] if k >= 0}
        meant = [k for k in range(len(kinds)) if not own.kinds or (kinds[k] or "urban")
                 in own.kinds]
        names = plan.ids("communities", "subdistrict_id" if own.per == "subdistrict" else "")
        places = {names[k] for k in meant} - {""}
        with_one = {names[k] for k in held} & places
        if places:
            share = len(with_one) / len(places)
            yield (f"presence:{own.name}", "city", "all"), Range(
                share, share, (float(len(with_one)),) * 2, float(len(places)))


