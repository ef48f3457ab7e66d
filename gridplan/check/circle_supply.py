"""What facilities can do for those around them: loads, supply and the norms of their premises."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gridplan.check.circle_desk import CircleDesk, Key, Range, split_words
from gridplan.check.circle_ways import WAY_M
from gridplan.check.graph import Flags, Floats
from gridplan.check.verdict import CheckReport


def check_facilities(report: CheckReport, desk: CircleDesk) -> None:
    """Compare the load and the norm of every facility with what the layers give."""
    ids = desk.plan.ids("facilities")
    if desk.asked.categories is not None and desk.layer == "buildings":
        judged, meets = judge_norms(desk)
        found = desk.plan.numbers("facilities", "meets_norm")
        bad = np.where(judged, found != meets, ~np.isnan(found))
        if bad.any():
            report.add("circle", "circle_norm", "facilities", ids[bad], "meets_norm")
    if desk.can_walk(desk.first):
        low, high = _measure_loads(desk)
        found = desk.plan.numbers("facilities", "load")
        none = np.isnan(low)
        with np.errstate(invalid="ignore"):
            off = ~((found >= low - 1e-6 * (1 + low)) & (found <= high + 1e-6 * (1 + high)))
        bad = np.where(none, ~np.isnan(found), off)
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            report.add("circle", "circle_load", "facilities", ids[bad], "load",
                       found=round(float(found[first]), 6), expected=round(float(low[first]), 6))


def count_heads(desk: CircleDesk, category: str) -> Floats:
    """Return whom a category serves: people where their number is known, else households.

    Where only some buildings tell their people, the others have as many a household. Of a
    category that only some use, these among the people.
    """
    held = (desk.asked.categories or {}).get(category)
    users = held.users if held is not None else None
    heads, known = _count_people(desk)
    if users is None:
        return heads
    size = 1.0 if known else desk.asked.number("households", "household_size", 2.3)
    return heads * size * users / 1000


def _count_people(desk: CircleDesk) -> tuple[Floats, bool]:
    told = desk.plan.numbers(desk.layer, "population")
    lived = desk.people > 0
    known = np.isfinite(told) & lived
    if not told[known].sum() > 0:
        return desk.people, False
    size = told[known].sum() / desk.people[known].sum()
    return np.where(known, told, np.where(lived, desk.people * size, 0.0)), True


def _serve(desk: CircleDesk, name: str, limit: float, heads: Floats) -> tuple[Floats, Floats]:
    """Return the demand in the catchment of each facility of a category: least and most.

    The catchment has bands of equal width; a building counts with the weight of its band.
    """
    weights = np.array(desk.asked.bands())
    edges = limit * np.arange(1, len(weights) + 1) / len(weights)
    tied = desk.tied()
    least, most = [], []
    for rows, metres in desk.each_within((name, False), limit):
        inner, outer = (np.append(weights, 0.0)[np.searchsorted(edges, metres + shift)]
                        for shift in (-WAY_M, WAY_M))
        most.append(float((heads[rows] * np.where(tied[rows], weights[0], inner)).sum()))
        least.append(float((heads[rows] * np.where(tied[rows], 0.0, outer)).sum()))
    return np.array(least), np.array(most)


def _room(desk: CircleDesk, name: str) -> tuple[Flags, Floats]:
    """Return which facilities of a category tell a capacity, and what it is."""
    capacity = desk.plan.numbers("facilities", "capacity")[desk.facilities_of((name, False))]
    return np.isfinite(capacity) & (capacity > 0), capacity


def _measure_loads(desk: CircleDesk) -> tuple[Floats, Floats]:
    """Return the load of every facility, of its categories the highest: least and most."""
    count = len(desk.plan.frame("facilities"))
    out = np.full((2, count), np.nan)
    for name, limit, _ in desk.now():
        told, capacity = _room(desk, name)
        rows = desk.facilities_of((name, False))[told]
        if len(rows):
            for side, served in zip(out, _serve(desk, name, limit, count_heads(desk, name)),
                                    strict=True):
                side[rows] = np.fmax(side[rows], served[told] / capacity[told])
    return out[0], out[1]


def list_supply(desk: CircleDesk) -> Iterator[tuple[Key, Range]]:
    """Yield capacity for a thousand heads, and how many facilities are asked for more."""
    for name, limit, _ in desk.now():
        told, capacity = _room(desk, name)
        if not told.any():
            continue
        heads, room = count_heads(desk, name), capacity[told]
        total = float(heads.sum())
        served = [s[told] for s in _serve(desk, name, limit, heads)]
        # What a facility has is shared out whole among those who can reach it.
        least, most = (1000 * float(room[s > 0].sum()) / total if total else np.nan
                       for s in served)
        yield (f"supply:{name}", "city", "all"), Range(least, most)
        few, many = (float((s > room * (1 + 1e-9)).sum()) for s in served)
        yield (f"overloaded:{name}", "city", "all"), Range(few, many)


def judge_norms(desk: CircleDesk) -> tuple[Flags, Flags]:
    """Return of which facilities the premises can be judged, and which are large enough."""
    plan = desk.plan
    area, level, town = (plan.numbers("facilities", "area_m2"), plan.ids("facilities", "level"),
                         desk.towns())
    kinds = plan.ids("communities", "kind")
    judged, meets = (np.zeros(len(area), dtype=bool) for _ in range(2))
    for k, text in enumerate(plan.ids("facilities", "categories")):
        kind = str(kinds[town[k]]) if town[k] >= 0 else "urban"
        asked = [m2 for word in split_words(text) if (own := desk.category(word)) is not None
                 and (m2 := own.least_m2(kind, level[k])) is not None]
        judged[k] = bool(asked) and np.isfinite(area[k])
        meets[k] = judged[k] and area[k] >= max(asked)
    return judged, meets


def list_norms(desk: CircleDesk) -> Iterator[tuple[Key, Range]]:
    """Yield the shares of judged facilities whose premises are large enough."""
    judged, meets = judge_norms(desk)
    for own in (desk.asked.categories or {}).values():
        rows = desk.facilities_of((own.name, False))
        rows = rows[judged[rows]]
        if len(rows) and any(m2 is not None for m2 in own.areas):
            good, many = float(meets[rows].sum()), float(len(rows))
            yield (f"norm_share:{own.name}", "city", "all"), Range(good / many, good / many,
                                                                   (good, good), many)
