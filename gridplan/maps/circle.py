"""The service circle on the map: who reaches what, where the gaps are, what new sites gain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.i18n import load_room
from gridplan.layers import AFTER
from gridplan.maps.facts import FEW, SMALL_COUNT, Layers, count_of, hide_few, keys_of, text_of
from gridplan.plan.coverage import LACKING, Circle, Counts, name_walker

# Beside whole percents: nobody lives there or nothing is measured; "under" and "over" so many
# percent stand for a part or a rest of 1-9 households, which ``share`` never tells.
NOTHING, UNDER, OVER = -2, 200, 400
STATES = (False, True)
WORST = 3
# What is drawn of service areas and facilities, so that a city's file stays small.
AREA_POINTS, DRAWN_FACILITIES = 30_000, 20_000
_AREA_M = 4.0
# A smaller hole of a service area is a yard or a roof, not a place out of reach.
_HOLE_M2 = 10_000.0
_NOT_THERE = np.empty(0, dtype=object)


def tell_share(counts: Counts, audience: str) -> NDArray[np.int64]:
    """Return covered ÷ households in whole percents; 0 and 100 only for none and all.

    >>> households, covered = np.array([400, 400, 400, 400, 7, 0]), np.array([400, 399, 1, 4, 7, 0])
    >>> tell_share((households, covered), "internal").tolist()
    [100, 99, 1, 1, 100, -2]
    >>> tell_share((households, covered), "share").tolist()
    [100, 497, 203, 203, -1, -2]
    """
    whole, part = counts
    safe = np.maximum(whole, 1)
    out = np.rint(100 * part / safe).astype(np.int64)
    out = np.where(part > 0, np.maximum(out, 1), 0)
    out = np.where((part < whole) & (out > 99), 99, out)
    if audience == "share":
        few, rest = (part > 0) & (part < SMALL_COUNT), whole - part
        most = (rest > 0) & (rest < SMALL_COUNT)
        out = np.where(few, UNDER + np.minimum(-(-100 * SMALL_COUNT // safe), 100), out)
        out = np.where(most, OVER + np.maximum(100 * (whole - SMALL_COUNT) // safe, 0), out)
        # Of less than twice as many households a bound would leave few counts to choose from.
        narrow = (few | most) & (whole < 2 * SMALL_COUNT)
        out = np.where(narrow | ((whole > 0) & (whole < SMALL_COUNT)), FEW, out)
    return np.where(whole <= 0, NOTHING, out)


def share_text(code: int) -> str:
    """Return a share of :func:`tell_share` in words.

    >>> [share_text(code) for code in (83, 203, 497, -1, -2)]
    ['83 %', '< 3 %', '> 97 %', '< 10', '–']
    """
    if code < 0:
        return "< 10" if code == FEW else "–"
    sign = {0: "", 1: "< ", 2: "> "}[code // UNDER]
    return f"{sign}{code % UNDER} %"


def share_step(code: int) -> int:
    """Return the step of colour of a share, 0–5; -1 without one.

    >>> [share_step(code) for code in (0, 19, 20, 94, 95, 100, 497, -2)]
    [0, 0, 1, 4, 5, 5, 5, -1]
    """
    return -1 if code < 0 else int(np.searchsorted((20, 40, 60, 80, 95), code % UNDER, "right"))


def pack_circle(layers: Layers, circle: Circle, audience: str, lang: str) -> dict[str, Any]:
    """Return what the page's script tells of the service circle.

    ``grids``, ``communities``, ``demand`` and ``city`` hold shares of :func:`tell_share` by
    state (before, after), walker, and theme: completeness first, then the categories. A theme
    that has no second state is None in it. ``gaps`` has for the same three the worst grids with
    their households not covered.
    """
    room = load_room("maps")
    facilities = layers.get("facilities")
    scopes = {"city": ["all"], "communities": keys_of(layers["communities"], "community_id"),
              "grids": keys_of(layers["grids"], "grid_id")}
    told = {name: _tell_themes(circle, _SCOPES[name], ids, audience)
            for name, ids in scopes.items()}
    return {
        "text": {n[7:]: t[lang] for n, t in room.items() if n.startswith("circle_")},
        "categories": [circle.names[c] for c in circle.categories],
        "walkers": [name_walker(w, lang) for w in circle.walkers],
        "targets": [_percent(circle.target(name)) for name in
                    ("completeness", *(f"covered:{c}" for c in circle.categories))],
        "altered": [circle.categories.index(c) for c in circle.altered],
        "lacking": round(100 * LACKING),
        **told, "gaps": _gather_gaps(circle, scopes["grids"], audience),
        "facilities": _facility_columns(facilities, circle), "sites": _site_columns(
            layers, circle, audience)}


_SCOPES = {"city": "city", "communities": "community", "grids": "grid", "demand": "demand"}


def _percent(share: float | None) -> int | None:
    return None if share is None else round(100 * share)


def list_themes(circle: Circle, scope: str, ids: Sequence[str], walker: str,
            after: bool) -> list[Counts | None]:
    """Return the counts of completeness and of every category, None where nothing changes."""
    if after and not circle.altered:
        return []
    return [circle.complete(scope, ids, walker, after=after),
            *(circle.count(scope, ids, c, walker, after=after)
              if not after or c in circle.altered else None for c in circle.categories)]


def _tell_themes(circle: Circle, scope: str, ids: Sequence[str], audience: str
                 ) -> list[list[list[list[int] | None]]]:
    return [[[None if counts is None else tell_share(counts, audience).tolist()
              for counts in list_themes(circle, scope, ids, walker, after)]
             for walker in circle.walkers] for after in STATES]


def find_gaps(counts: Counts, most: int = WORST) -> list[tuple[int, int]]:
    """Return the places of most households not covered, and how many these are.

    Of equal ones the smaller share comes first, then the order of the layer.

    >>> find_gaps((np.array([400, 300, 0, 300]), np.array([390, 100, 0, 300])))
    [(1, 200), (0, 10)]
    """
    whole, part = counts
    missing = np.where(whole > 0, whole - part, 0)
    order = np.lexsort((np.arange(len(whole)), part / np.maximum(whole, 1), -missing))
    return [(int(k), int(missing[k])) for k in order[:most] if missing[k] > 0]


def _gather_gaps(circle: Circle, ids: Sequence[str], audience: str) -> list[Any]:
    """Return the worst grids by state, walker and theme; one that is too small to tell is none."""
    out: list[Any] = []
    for after in STATES:
        out.append([])
        for walker in circle.walkers:
            lists: list[Any] = []
            for counts in list_themes(circle, "grid", ids, walker, after):
                if counts is None:
                    lists.append(None)
                    continue
                told = find_gaps(counts)
                hidden = hide_few(np.array([n for _, n in told], np.int64), audience)
                lists.append([[k, int(n)] for (k, _), n in zip(told, hidden, strict=True)
                              if n != FEW])
            out[-1].append(lists)
    return out


def circle_figures(circle: Circle, audience: str, text: Callable[..., str]
                   ) -> tuple[tuple[str, str, str, str, bool], ...]:
    """Return key, label, value, a smaller line and whether a target is missed, for the head."""
    def share(counts: Counts) -> int:
        return int(tell_share(counts, audience)[0])

    def aim(target: float | None) -> str:
        return "" if target is None else text("circle_target", share=f"{100 * target:.0f} %")

    def missed(counts: Counts, target: float | None) -> bool:
        whole, part = int(counts[0][0]), int(counts[1][0])
        return target is not None and whole > 0 and part < target * whole - 1e-9

    first, whole = circle.walkers[0], circle.complete("city", ["all"], circle.walkers[0])
    goal = circle.target("completeness")
    out = [("complete", text("circle_completeness"), share_text(share(whole)), aim(goal),
            missed(whole, goal))]
    full, goal = circle.full("city", ["all"]), circle.target("full_circle")
    if full[0][0] >= 0:
        out.append(("full", text("circle_full"), share_text(share(full)),
                    aim(goal) or text("circle_full_of"), missed(full, goal)))
    held = [(c, circle.count("city", ["all"], c, first)) for c in circle.required]
    told = [(part[0] / whole[0], c, (whole, part)) for c, (whole, part) in held if whole[0] > 0]
    if told:
        _, worst, counts = min(told, key=lambda t: t[0])
        goal = circle.target(f"covered:{worst}")
        out.append(("worst", text("circle_worst"), share_text(share(counts)),
                    " · ".join(t for t in (circle.names[worst], aim(goal)) if t),
                    missed(counts, goal)))
    return tuple(out)


def list_worst(circle: Circle, layers: Layers, audience: str, text: Callable[..., str]
               ) -> list[tuple[str, str, str]]:
    """Return the worst gaps in words for who has no script: where, share, what it lacks."""
    grids = layers["grids"]
    ids, names = keys_of(grids, "grid_id"), text_of(grids, "name")
    towns = dict(zip(keys_of(layers["communities"], "community_id"),
                     text_of(layers["communities"], "name"), strict=True))
    owner = text_of(grids, "community_id")
    whole, part = circle.complete("grid", ids, circle.walkers[0])
    out = []
    for k, missing in find_gaps((whole, part)):
        share = int(tell_share((whole[k:k + 1], part[k:k + 1]), audience)[0])
        if audience == "share" and missing < SMALL_COUNT:
            continue
        lacks = [circle.names[c] for c in circle.categories
                 if _lacks(circle.count("grid", [ids[k]], c, circle.walkers[0]))]
        where = " · ".join(t for t in (towns.get(owner[k]) or owner[k], names[k] or ids[k]) if t)
        out.append((where, share_text(share), text("circle_lacks", names=text(
            "circle_comma").join(lacks)) if lacks else ""))
    return out


def _lacks(counts: Counts) -> bool:
    whole, part = counts
    return bool(whole[0] > 0 and part[0] < LACKING * whole[0])


def chosen_facilities(layers: Layers, circle: Circle) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the facilities of measured categories that the map draws, and their rows."""
    frame = layers.get("facilities")
    if frame is None or not len(frame):
        return pd.DataFrame(), np.empty(0, np.int64)
    held = [bool(set(_split(t)) & set(circle.categories)) for t in text_of(frame, "categories")]
    rows = np.flatnonzero(np.array(held) & np.asarray(~frame.geometry.is_empty))
    return frame, rows[:DRAWN_FACILITIES]


def _split(categories: str) -> list[str]:
    return [c.strip().removesuffix(AFTER) for c in categories.split(";") if c.strip()]


def _facility_columns(frame: Any, circle: Circle) -> dict[str, list[Any]]:
    frame, rows = chosen_facilities({"facilities": frame}, circle)
    if not len(rows):
        return {"name": [], "of": [], "new": []}
    place = {c: k for k, c in enumerate(circle.categories)}
    told = text_of(frame, "categories")
    names, status = text_of(frame, "name"), text_of(frame, "status")
    return {"name": [names[k] for k in rows],
            "of": [sorted({place[c] for c in _split(told[k]) if c in place}) for k in rows],
            "new": [int(status[k] == "proposed") for k in rows]}


def chosen_sites(layers: Layers, circle: Circle) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the sites of measured categories in the order of their rank, and their rows."""
    frame = layers.get("sites")
    if frame is None or not len(frame):
        return pd.DataFrame(), np.empty(0, np.int64)
    place = {c: k for k, c in enumerate(circle.categories)}
    of = np.array([place.get(c.removesuffix(AFTER), -1) for c in text_of(frame, "category")])
    order = np.lexsort((count_of(frame, "rank"), of))
    return frame, order[of[order] >= 0]


def _site_columns(layers: Layers, circle: Circle, audience: str) -> dict[str, list[Any]]:
    """Return the sites, and for each category what they gain together and what is possible."""
    frame, rows = chosen_sites(layers, circle)
    if not len(rows):
        return {"of": [], "rank": [], "gain": [], "totals": []}
    place = {c: k for k, c in enumerate(circle.categories)}
    of = [place[text_of(frame, "category")[k].removesuffix(AFTER)] for k in rows]
    gain = count_of(frame, "gained_households")[rows]
    bound = pd.to_numeric(frame["bound"]).astype("Float64").to_numpy(
        np.float64, na_value=np.nan)[rows]
    totals = []
    for k in sorted(set(of)):
        mine = np.array(of) == k
        most = bound[mine][~np.isnan(bound[mine])]
        # What is possible is a whole number of households; rounding must not make it smaller.
        at_most = int(np.floor(most.max() + 1e-6)) if len(most) else NOTHING
        totals.append([k, *(int(hide_few(np.array([v]), audience)[0])
                            for v in (gain[mine].sum(), at_most))])
    return {"of": of, "rank": count_of(frame, "rank")[rows].tolist(),
            "gain": hide_few(gain, audience).tolist(), "totals": totals}


def draw_areas(layers: Layers, circle: Circle) -> tuple[dict[str, list[int]], NDArray[Any]]:
    """Return the service areas of whole categories, simplified until they fit, and whose they are.

    ``of`` is the place of the category, ``after`` whether it is of the second state.
    """
    frame = layers.get("service_areas")
    if frame is None or not len(frame):
        return {"of": [], "after": []}, _NOT_THERE
    told = text_of(frame, "category")
    place = {c: k for k, c in enumerate(circle.categories)}
    whole = [k for k, (c, f) in enumerate(zip(told, text_of(frame, "facility_id"), strict=True))
             if not f and c.removesuffix(AFTER) in place]
    shape = _fill_holes(np.asarray(frame.geometry.array)[whole])
    tolerance_m, slim = _AREA_M, shape
    while len(shape):
        slim = shapely.simplify(shape, tolerance_m)
        if shapely.get_num_coordinates(slim).sum() <= AREA_POINTS or tolerance_m > 500:
            break
        tolerance_m *= 2
    return {"of": [place[told[k].removesuffix(AFTER)] for k in whole],
            "after": [int(told[k].endswith(AFTER)) for k in whole]}, np.asarray(slim, object)


def _fill_holes(shapes: NDArray[Any]) -> NDArray[Any]:
    """Return the areas without their small holes."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    filled = np.empty(len(parts), dtype=object)
    for k, part in enumerate(parts):
        holes = [r for r in part.interiors if shapely.Polygon(r).area >= _HOLE_M2]
        filled[k] = shapely.Polygon(part.exterior, holes)
    return np.array([shapely.multipolygons(filled[owner == k]) for k in range(len(shapes))],
                    dtype=object)
