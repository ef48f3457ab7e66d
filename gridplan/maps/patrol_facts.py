"""What a map says of patrols in words and figures: targets met, days by name, what stays unmet."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gridplan.i18n import load_room, translate
from gridplan.layers import TIERS, UNMET_REASONS
from gridplan.maps.facts import Layers, count_of, keys_of, text_of
from gridplan.sheets import hide_persons

# What anybody may know, and what only those who patrol.
SHARED = ("street_visibility", "visit_share", "pass_share", "frequency", "response_share_1",
          "response_share_3", "response_share_5", "response_share_15", "patrol_gap",
          "staff_per_10000", "patrol_staff")
INSIDE = ("balance", "deadhead_share", "idleness_mean", "idleness_worst", "stop_gap_worst",
          "entropy_bits", "entropy_most", "day_overlap", "vary_price", "cordon_min")
SCOPES = ("city", "tier", "zone")
STOP, STREET = 0, 1
_SHIFT = re.compile(r"(\d{1,2}):([0-5]\d)-(\d{1,2}):([0-5]\d)")
_TIME = re.compile(r"(\d{1,2}):([0-5]\d)")
_NUMBERED = re.compile(r"[Dd](\d{1,3})")


@dataclass(frozen=True)
class Lack:
    """Visits of one stop or passes of one street that are not made, for one reason.

    ``kind`` is ``STOP`` or ``STREET`` and ``row`` its row in that layer; ``when`` holds days and
    shifts, a blank shift for any of its day.
    """

    kind: int
    row: int
    reason: str
    visits: int
    weight: int
    when: tuple[tuple[str, str], ...]


def has_patrol(layers: Layers) -> bool:
    """Tell whether a plan holds patrols: routes, or figures of what they reach."""
    routes = layers.get("routes")
    return routes is not None and len(routes) > 0


def named(frame: pd.DataFrame, column: str) -> list[str]:
    """Return names of the plan without the phone and identity numbers that may stand in them."""
    return [hide_persons(text) for text in text_of(frame, column)]


def read_minutes(text: str) -> int:
    """Return the minutes of a time that may count on past midnight, −1 where it is none.

    >>> read_minutes("08:15"), read_minutes("25:10"), read_minutes("soon")
    (495, 1510, -1)
    """
    found = _TIME.fullmatch(text.strip())
    return int(found[1]) * 60 + int(found[2]) if found else -1


def order_shift(shift: str) -> tuple[int, str]:
    """Return by what shifts are ordered: when they begin.

    >>> sorted(["14:00-22:00", "6:30-14:00", "late"], key=order_shift)
    ['6:30-14:00', '14:00-22:00', 'late']
    """
    found = _SHIFT.fullmatch(shift.strip())
    return (int(found[1]) * 60 + int(found[2]) if found else 9999, shift)


def order_day(day: str) -> tuple[int, str]:
    """Return by what days are ordered: D2 before D10, dates as they follow.

    >>> sorted(["D10", "D2", "2026-12-31"], key=order_day)
    ['D2', 'D10', '2026-12-31']
    """
    found = _NUMBERED.fullmatch(day)
    return (int(found[1]), "") if found else (10_000, day)


def name_day(day: str, lang: str) -> tuple[str, str]:
    """Return a day as its week knows it and as its month does.

    >>> name_day("2026-12-01", "en"), name_day("2026-12-01", "zh"), name_day("D2", "zh")
    (('Tue', '12-01'), ('周二', '12-01'), ('第2天', ''))
    """
    try:
        date = dt.date.fromisoformat(day)
    except ValueError:
        found = _NUMBERED.fullmatch(day)
        return (translate("maps.patrol_day_n", lang, n=found[1]) if found
                else hide_persons(day)), ""
    week = translate("maps.patrol_weekdays", lang).split()
    return week[date.weekday()], date.strftime("%m-%d")


def read_calendar(layers: Layers, days: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return kind and duty of every day; where the calendar is silent, the kind by its date."""
    frame = layers.get("calendar")
    out: dict[str, tuple[str, str]] = {}
    if frame is not None:
        rows = sorted(zip(text_of(frame, "team_id"), text_of(frame, "date"),
                          text_of(frame, "day_kind"), text_of(frame, "duty"), strict=True))
        for _, date, kind, duty in rows:
            held = out.get(date, ("", ""))
            out[date] = (held[0] or kind, held[1] or duty)
    for day in days:
        kind, duty = out.get(day, ("", ""))
        try:
            guess = "weekend" if dt.date.fromisoformat(day).weekday() > 4 else "workday"
        except ValueError:
            guess = ""
        out[day] = (kind or guess, duty)
    return out


def read_values(layers: Layers, names: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return figures by scope, scope_id and name: value, target, numerator and denominator.

    That of the city goes by ``""`` whatever its scope_id.
    """
    out: dict[str, dict[str, dict[str, Any]]] = {scope: {} for scope in SCOPES}
    frame = layers.get("figures")
    if frame is None or not len(frame):
        return out
    held = frame[frame["name"].isin(names) & frame["scope"].isin(SCOPES)]
    numbers = [pd.to_numeric(held[c]).astype("Float64").to_numpy(np.float64, na_value=np.nan)
               for c in ("value", "target", "numerator", "denominator")]
    for k, (name, scope, of) in enumerate(zip(*(text_of(held, c) for c in (
            "name", "scope", "scope_id")), strict=True)):
        told = [None if np.isnan(v[k]) else round(float(v[k]), 4) for v in numbers]
        if told[0] is not None:
            out[scope].setdefault("" if scope == "city" else of, {}).setdefault(name, told)
    return out


def list_lacks(layers: Layers) -> list[Lack]:
    """Return what is not met, the worst first: most visits times priority."""
    frame = layers.get("unmet")
    if frame is None or not len(frame):
        return []
    places: dict[tuple[int, str], int] = {}
    for kind, layer, key in ((STOP, "stops", "stop_id"), (STREET, "required", "required_id")):
        held = layers.get(layer)
        if held is not None:
            places |= {(kind, name): k for k, name in enumerate(keys_of(held, key))}
    found: dict[tuple[int, int, str], tuple[int, list[tuple[str, str]]]] = {}
    columns = [text_of(frame, c) for c in ("stop_id", "required_id", "reason", "day", "shift")]
    for visits, stop, street, reason, day, shift in zip(count_of(frame, "visits").tolist(),
                                                        *columns, strict=True):
        kind = STOP if stop else STREET
        row = places.get((kind, stop or street))
        if row is None or visits < 1 or reason not in UNMET_REASONS:
            continue
        total, when = found.get((kind, row, reason), (0, []))
        found[kind, row, reason] = (total + visits, [*when, (day, shift)])
    stops = layers.get("stops")
    rank = np.maximum(count_of(stops, "priority"), 1) if stops is not None else np.ones(0, int)
    lacks = [Lack(kind, row, reason, visits, int(rank[row]) if kind == STOP else 1, tuple(when))
             for (kind, row, reason), (visits, when) in found.items()]
    return sorted(lacks, key=lambda u: (-u.visits * u.weight, u.kind, u.row, u.reason))


def name_place(layers: Layers, lack: Lack, text: Callable[..., str]) -> str:
    """Return what the stop or street of a lack is called."""
    if lack.kind == STOP:
        stops = layers["stops"].iloc[[lack.row]]
        return named(stops, "name")[0] or keys_of(stops, "stop_id")[0]
    return name_streets(layers, text)[lack.row]


def name_streets(layers: Layers, text: Callable[..., str]) -> list[str]:
    """Return the names of the required streets: those of their roads."""
    required, roads = layers.get("required"), layers.get("roads")
    if required is None:
        return []
    names = {} if roads is None else dict(zip(text_of(roads, "road_id"), named(roads, "name"),
                                              strict=True))
    return [names.get(road) or text("patrol_unnamed") for road in text_of(required, "road_id")]


def count_lacks(lacks: Sequence[Lack]) -> list[tuple[str, int, int]]:
    """Return stop visits and passes that are not made by reason, the most first."""
    totals: dict[str, list[int]] = {}
    for lack in lacks:
        totals.setdefault(lack.reason, [0, 0])[lack.kind] += lack.visits
    return sorted(((r, a, b) for r, (a, b) in totals.items()), key=lambda t: (-t[1] - t[2], t[0]))


def list_tiers(layers: Layers) -> list[str]:
    """Return the tiers that have streets, zones or teams, in the order of the contract."""
    held: set[str] = set()
    for name in ("teams", "required", "zones"):
        frame = layers.get(name)
        if frame is not None:
            held.update(text_of(frame, "tier"))
    return [t for t in TIERS if t in held] or [TIERS[0]]


def percent_text(value: float) -> str:
    """Return a share in whole percents; 0 and 100 only for none and all.

    >>> [percent_text(v) for v in (0, 0.001, 0.934, 0.9999, 1)]
    ['0 %', '1 %', '93 %', '99 %', '100 %']
    """
    whole = round(100 * value)
    if 0 < value < 1:
        whole = min(max(whole, 1), 99)
    return f"{whole} %"


def patrol_figures(layers: Layers, audience: str, text: Callable[..., str]
                   ) -> tuple[tuple[str, str, str, str, bool], ...]:
    """Return key, label, value, a smaller line and whether it falls short, for the head."""
    held: Mapping[str, Any] = read_values(layers, SHARED)["city"].get("", {})
    out = []
    for key, name in (("visible", "street_visibility"), ("visits", "visit_share"),
                      ("response", "response_share_5")):
        if name not in held and name == "visit_share":
            name = "pass_share"
        if name in held:
            value, target = held[name][:2]
            aim = "" if target is None else text("circle_target", share=percent_text(target))
            missed = value < (1 if name in ("visit_share", "pass_share") and target is None
                              else target or 0) - 1e-9
            out.append((key, text(f"patrol_{name}"), percent_text(value), aim, missed))
    return tuple(out)


def tell_plainly(layers: Layers, audience: str, lang: str) -> dict[str, Any]:
    """Return what the page says of patrols to those without script."""
    def text(name: str, **values: object) -> str:
        return translate(f"maps.{name}", lang, **values)

    room, lacks = load_room("maps"), list_lacks(layers)
    values = read_values(layers, SHARED)
    tiers = [(text(f"patrol_tier_{t}"), percent_text(
        values["tier"][t]["street_visibility"][0])) for t in list_tiers(layers)
        if "street_visibility" in values["tier"].get(t, {})]
    reasons = [(room[f"patrol_reason_{r}"][lang], f"{stops + passes:,}")
               for r, stops, passes in count_lacks(lacks)]
    worst = [] if audience == "share" else [
        (name_place(layers, u, text), f"{u.visits:,}", room[f"patrol_reason_{u.reason}"][lang])
        for u in lacks[:10]]
    return {"figures": patrol_figures(layers, audience, text), "tiers": tiers,
            "reasons": reasons, "worst": worst, "inside": audience != "share"}
