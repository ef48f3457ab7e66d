"""Patrols on the map: routes as they are gone, what they pass, what stays unmet, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.i18n import load_room, translate
from gridplan.layers import DAY_KINDS, MODES, UNMET_REASONS, one_polygon
from gridplan.maps.facts import Layers, count_of, keys_of, text_of
from gridplan.maps.patrol_facts import (
    INSIDE,
    SHARED,
    STOP,
    STREET,
    count_lacks,
    list_lacks,
    list_tiers,
    name_day,
    name_streets,
    named,
    order_day,
    order_shift,
    read_calendar,
    read_minutes,
    read_values,
)
from gridplan.maps.shapes import inscribe, simplify_coverage
from gridplan.maps.ways import Ways, cut_ways

# The script has so many colours for teams.
COLOURS = 9
BAND_MIN = 15
# Zones nearer than this lie side by side on the screen.
_BESIDE_M = 60.0
_SLIM_M = 1.0
_VISIT_KINDS = 3
_REST = 2
_NONE = np.empty(0, dtype=object)


@dataclass
class Packing:
    """What goes into the packed plan: the head's part, shapes by name, and rows of numbers.

    A shape is drawn as ``area``, ``line`` or ``point``.
    """

    head: dict[str, Any]
    shapes: list[tuple[str, str, NDArray[Any]]] = field(default_factory=list)
    numbers: dict[str, NDArray[np.int64]] = field(default_factory=dict)


def pack_patrol(layers: Layers, audience: str, lang: str) -> Packing:
    """Return what the page's script tells of patrols.

    For ``share`` these are zones, required streets by how often they are passed, and figures;
    for others routes, the order of their visits, and in which quarter of an hour they are made.
    """
    inside = audience != "share"
    tiers, room = list_tiers(layers), load_room("maps")

    def text(name: str, **values: object) -> str:
        return translate(f"maps.{name}", lang, **values)

    out = Packing({
        "text": {n[7:]: t[lang] for n, t in room.items() if n.startswith("patrol_")},
        "tiers": tiers, "inside": inside, "first": audience == "dispatch",
        "figures": read_values(layers, (*SHARED, *INSIDE) if inside else SHARED),
        "reasons": list(UNMET_REASONS),
        "lacking": [[UNMET_REASONS.index(r), *n] for r, *n in count_lacks(list_lacks(layers))],
        "team_count": len(_frame(layers, "teams"))})
    _add_zones(out, layers, tiers)
    _add_streets(out, layers, tiers, text)
    if inside:
        _add_stops(out, layers, tiers, lang)
        teams = _add_teams(out, layers, tiers)
        _add_routes(out, layers, teams, lang)
    return out


def _frame(layers: Layers, name: str) -> pd.DataFrame:
    frame = layers.get(name)
    return pd.DataFrame() if frame is None else frame


def _shape(frame: pd.DataFrame) -> NDArray[Any]:
    return np.asarray(frame.geometry.array, object) if len(frame) else _NONE


def _places(words: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return the place of every word in a list, −1 where it is not there."""
    place = {word: k for k, word in enumerate(known)}
    return [place.get(word, -1) for word in words]


def _add_zones(out: Packing, layers: Layers, tiers: Sequence[str]) -> None:
    frame = _frame(layers, "zones")
    shape, slim = _shape(frame), _shape(frame)
    tier = text_of(frame, "tier")
    for name in sorted(set(tier)):
        rows = np.flatnonzero(np.array(tier) == name)
        slim[rows] = simplify_coverage(shape[rows], _SLIM_M)
    centres, radii = inscribe(slim) if len(slim) else (_NONE, np.empty(0))
    ids = keys_of(frame, "zone_id")
    out.head["zones"] = {
        "id": ids, "name": [n or i for n, i in zip(named(frame, "name"), ids, strict=True)],
        "tier": _places(tier, tiers), "radius": np.rint(radii * 10).astype(int).tolist()}
    out.shapes += [("zones", "area", slim), ("zones.centre", "point", centres)]


def _add_streets(out: Packing, layers: Layers, tiers: Sequence[str],
                 text: Callable[..., str]) -> None:
    frame = _frame(layers, "required")
    shape = _shape(frame)
    names = name_streets(layers, text)
    words = sorted(set(names))
    out.head["streets"] = {
        "names": words, "name": _places(names, words),
        "tier": _places(text_of(frame, "tier"), tiers),
        "passes": count_of(frame, "passes_per_day").tolist(),
        "metres": np.rint(shapely.length(shape)).astype(int).tolist()}
    if out.head["inside"]:
        out.head["streets"]["days"] = _places(text_of(frame, "day_kind"), DAY_KINDS)
    out.shapes.append(("streets", "line", shapely.simplify(shape, _SLIM_M)))


def _add_stops(out: Packing, layers: Layers, tiers: Sequence[str], lang: str) -> None:
    from gridplan.categories import load_categories

    stops, stations = _frame(layers, "stops"), _frame(layers, "stations")
    room, known = load_room("maps"), load_categories().known
    kinds = sorted(set(text_of(stops, "kind")))

    def word(kind: str) -> str:
        own = room.get(f"patrol_kind_{kind}")
        return own[lang] if own else known[kind].title(lang) if kind in known else kind

    ids, zones = keys_of(stops, "stop_id"), out.head["zones"]["id"]
    numbers = {c: pd.to_numeric(stops[c]).astype("Float64").to_numpy(np.float64, na_value=0.0)
               for c in ("visits_per_day", "visits_per_week")} if len(stops) else {}
    out.head["stops"] = {
        "name": [n or i for n, i in zip(named(stops, "name"), ids, strict=True)],
        "kinds": [word(k) for k in kinds], "kind": _places(text_of(stops, "kind"), kinds),
        "tier": _places(text_of(stops, "tier"), tiers),
        "zone": _places(text_of(stops, "zone_id"), zones),
        **{c[7:]: [float(v) for v in numbers.get(c, [])] for c in (
            "visits_per_day", "visits_per_week")}}
    names = named(stations, "name")
    out.head["stations"] = {"name": [n or i for n, i in zip(
        names, keys_of(stations, "station_id"), strict=True)]}
    out.shapes += [("stops", "point", _shape(stops)), ("stations", "point", _shape(stations))]


def _add_teams(out: Packing, layers: Layers, tiers: Sequence[str]) -> list[str]:
    """Add the teams and return their ids; those that only routes name come last."""
    frame, routes = _frame(layers, "teams"), _frame(layers, "routes")
    ids = keys_of(frame, "team_id")
    ids += sorted(set(text_of(routes, "team_id")) - set(ids))
    more = len(ids) - len(frame)
    zones = text_of(frame, "zone_id") + [""] * more
    tier = _places(text_of(frame, "tier"), tiers) + [0] * more
    shifts = [f"{a}-{b}" for a, b in zip(text_of(frame, "shift_start"), text_of(
        frame, "shift_end"), strict=True)] + [""] * more
    of = _places(zones, out.head["zones"]["id"])
    out.head["teams"] = {
        "id": [_shown(i) for i in ids], "tier": tier, "zone": of,
        "station": _places(text_of(frame, "station_id") + [""] * more,
                           keys_of(_frame(layers, "stations"), "station_id")),
        "members": count_of(frame, "members").tolist() + [0] * more,
        "colour": colour_teams(tier, shifts, of, _shape(_frame(layers, "zones")))}
    out.head["modes"] = list(MODES)
    return ids


def _shown(text: str) -> str:
    from gridplan.sheets import hide_persons

    return hide_persons(text)


def colour_teams(tiers: Sequence[int], shifts: Sequence[str], zones: Sequence[int],
                 shapes: NDArray[Any]) -> list[int]:
    """Return a colour for every team, another one than those have that it meets on the screen.

    Teams of one shift whose zones lie side by side matter most, then those of one shift, then
    those of one tier.

    >>> square = shapely.box([0, 100, 900], 0, [100, 200, 999], 100)
    >>> colour_teams([0, 0, 0, 1], ["a", "a", "b", "a"], [0, 1, 2, 0], square)
    [0, 1, 2, 0]
    """
    near: set[tuple[int, int]] = {(k, k) for k in range(len(shapes))}
    if len(shapes):
        pairs = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=_BESIDE_M)
        near |= set(zip(*pairs.tolist(), strict=True))
    out: list[int] = []
    for k, (tier, shift, zone) in enumerate(zip(tiers, shifts, zones, strict=True)):
        cost = np.zeros(COLOURS)
        for other in range(k):
            if tiers[other] != tier:
                continue
            beside = -1 in (zone, zones[other]) or (zone, zones[other]) in near
            cost[out[other]] += (1 + 30 * (shifts[other] == shift)
                                 + 900 * (beside and shifts[other] == shift))
        out.append(int(cost.argmin()))
    return out


def _add_routes(out: Packing, layers: Layers, teams: Sequence[str], lang: str) -> None:
    routes = _frame(layers, "routes")
    names = sorted(set(text_of(routes, "day")) | {d for u in list_lacks(layers) for d, _ in u.when
                                                  if d}, key=order_day)
    shifts = sorted(set(text_of(routes, "shift")), key=order_shift)
    calendar, room = read_calendar(layers, names), load_room("maps")
    duties = {d: room.get(f"patrol_duty_{d}", {}).get(lang, d) for _, d in calendar.values()}
    out.head["days"] = [[*name_day(d, lang), DAY_KINDS.index(calendar[d][0]) if calendar[d][0]
                         in DAY_KINDS else 0, duties[calendar[d][1]]] for d in names]
    out.head["shifts"] = [s.replace("-", "–") for s in shifts]
    cut = cut_ways([one_polygon(line) for line in _shape(routes)])
    out.head["routes"] = {
        "day": _places(text_of(routes, "day"), names),
        "shift": _places(text_of(routes, "shift"), shifts),
        "team": _places(text_of(routes, "team_id"), teams),
        "mode": _places(text_of(routes, "mode"), MODES), "way": cut.of.tolist(),
        "metres": count_of(routes, "distance_m").tolist(),
        "required": count_of(routes, "served_m").tolist(),
        "minutes": count_of(routes, "duration_min").tolist()}
    out.shapes.append(("pieces", "line", shapely.simplify(cut.pieces, _SLIM_M)))
    out.numbers |= _pack_ways(cut)
    out.numbers |= _pack_visits(layers, keys_of(routes, "route_id"))
    out.head["lacks"] = [[u.kind, u.row, UNMET_REASONS.index(u.reason), u.visits,
                          [[*_places([d], names), *_places([s], shifts)] for d, s in u.when]]
                         for u in list_lacks(layers)]


def _pack_ways(cut: Ways) -> dict[str, NDArray[np.int64]]:
    """Return the pieces of every way, each as the step from the one before."""
    sizes = np.array([len(w) for w in cut.ways], np.int64)
    steps = [np.diff(w, prepend=0) for w in cut.ways]
    return {"ways.size": sizes, "ways": np.concatenate([np.empty(0, np.int64), *steps])}


def _pack_visits(layers: Layers, routes: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Return the visits of every route in order: what is visited, its quarter of an hour, the stay.

    Quarters count from 1, 0 is no time; what is visited and its quarter are steps from the one
    of its kind before; only stops and rests have a stay. A rest is a break, or 1 for free time.
    """
    frame = _frame(layers, "visits")
    stop, street = text_of(frame, "stop_id"), text_of(frame, "required_id")
    at = [dict(zip(keys_of(_frame(layers, n), k), range(len(_frame(layers, n))), strict=True))
          for n, k in (("stops", "stop_id"), ("required", "required_id"))]
    rest = [int(t.strip().lower() != "break") for t in text_of(frame, "instruction")]
    ref = [at[0].get(s, -1) if s else at[1].get(q, -1) if q else r
           for s, q, r in zip(stop, street, rest, strict=True)]
    table = pd.DataFrame({
        "route": _places(text_of(frame, "route_id"), routes), "order": count_of(frame, "order"),
        "kind": [STOP if s else STREET if q else _REST for s, q in zip(stop, street, strict=True)],
        "ref": np.array(ref, np.int64),
        "arrive": [read_minutes(t) for t in text_of(frame, "arrive")],
        "depart": [read_minutes(t) for t in text_of(frame, "depart")]})
    table = table[(table["route"] >= 0) & (table["ref"] >= 0)].sort_values(
        ["route", "order"], kind="stable")
    quarter = np.where(table["arrive"] < 0, 0, table["arrive"] // BAND_MIN + 1)
    stay = np.where((table["arrive"] < 0) | (table["depart"] < 0), 0,
                    table["depart"] - table["arrive"])
    route = table["route"].to_numpy(np.int64)
    kind = table["kind"].to_numpy(np.int64)

    def steps(values: NDArray[np.int64], key: NDArray[np.int64]) -> NDArray[np.int64]:
        before = pd.Series(values).groupby(key).shift(fill_value=0)
        return values - before.to_numpy(np.int64)

    return {"visits.size": np.bincount(route, minlength=len(routes)).astype(np.int64),
            "visits.kind": kind,
            "visits.of": steps(table["ref"].to_numpy(np.int64), route * _VISIT_KINDS + kind),
            "visits.quarter": steps(np.asarray(quarter, np.int64), route),
            "visits.stay": np.maximum(np.asarray(stay, np.int64), 0)[kind != STREET]}
