"""The figures of patrols, worked out anew from routes, visits and what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.check.graph import Flags, Floats
from gridplan.check.patrol_asked import DAY_MIN
from gridplan.check.patrol_desk import LAYERS_OF, PIECE, STOP, PatrolDesk, lengths_of
from gridplan.check.patrol_told import shown, tell
from gridplan.check.verdict import CheckReport

Key = tuple[str, str, str]  # name, scope, scope_id
Told = tuple[float, float, float, float]  # value, numerator, denominator, target

NAMES = ("street_visibility", "pass_share", "visit_share", "frequency", "idleness_mean",
         "idleness_worst", "stop_gap_worst", "dosage_share", "balance", "deadhead_share",
         "patrol_gap", "entropy_bits", "entropy_most", "day_overlap", "staff_per_10000",
         "patrol_staff", "vary_price", "response_share_1", "response_share_3",
         "response_share_5", "response_share_15", "cordon_min", "watched_share", "blind_m")
# What only given points of posts and lights tell, and what needs units in time.
OF_POINTS = ("watched_share", "blind_m")
CORDON = "cordon_min"
OF_UNITS = ("response_share_1", "response_share_3", "response_share_5", "response_share_15",
            CORDON)
_TIERS = ("city", "town", "community")
_BAND_MIN, _BANDS = 15.0, 96
_PER = 10_000.0
_STAFF_GOAL = 14.0
_MEMBERS = 2.0
_ALL = "all"
_NONE = np.nan
_CLOSE = 1e-6


def list_figures(desk: PatrolDesk) -> dict[Key, Told]:
    """Return every figure that the layers tell without going along streets."""
    return {k: v for part in (_visibility, _shares, _frequency, _idleness, _dosage, _driving,
                              _unpredictable, _staff, _price) for k, v in part(desk)}


def _ratio(part: float, whole: float, target: float = _NONE) -> Told:
    return part / whole if whole > 0 else _NONE, part, whole, target


def _scopes(tier: NDArray[np.object_], zone: NDArray[np.object_]
            ) -> Iterator[tuple[str, str, Flags]]:
    """Go through the city, the tiers and the zones that there are."""
    yield "city", _ALL, np.ones(len(tier), dtype=bool)
    for name in _TIERS:
        if (tier == name).any():
            yield "tier", name, tier == name
    for name in sorted({*zone.tolist()} - {""}):
        yield "zone", str(name), zone == name


def _things(desk: PatrolDesk, kind: int) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Return tier and zone of each stop or piece."""
    return desk.plan.ids(LAYERS_OF[kind], "tier"), desk.zones_of(kind)


def _asked_pieces(desk: PatrolDesk) -> Flags:
    """Tell which pieces must be passed at all."""
    plan = desk.plan
    often = plan.numbers("required", "passes_per_day")
    return (plan.numbers("required", "optional") != 1) & ~(often < 1)


def _visits(desk: PatrolDesk, kind: int) -> pd.DataFrame:
    """Return visits of a kind with day (number), shift and tier of their team, and the clock."""
    visits = desk.visits[(desk.visits["kind"] == kind).to_numpy()]
    routes = desk.routes
    row = visits["route"].to_numpy()
    number = {d.name: d.number for d in desk.days}
    shift = np.array([f"{a}/{b}" for a, b in zip(routes["start"], routes["end"], strict=True)],
                     dtype=object)
    days = np.array([number[d] for d in routes["day"]], dtype=np.int64)
    return visits.assign(day=days[row], shift=shift[row],
                         tier=routes["tier"].to_numpy(object)[row])


def _visibility(desk: PatrolDesk) -> Iterator[tuple[Key, Told]]:
    """Yield metres passed at least once in a shift by metres that a shift is there for."""
    plan = desk.plan
    kinds, length, asked = plan.ids("required", "day_kind"), lengths_of(desk), _asked_pieces(desk)
    tier, zone = _things(desk, PIECE)
    team_tier = plan.ids("teams", "tier")
    passes = _visits(desk, PIECE)
    seen = set(zip(passes["thing"], passes["day"], passes["shift"], passes["tier"], strict=True))
    name_of: dict[str, str] = {}
    rows: list[tuple[int, str, bool]] = []
    for day in desk.days:
        slots = {}
        for d in desk.on_duty(day.name):
            slots[team_tier[d.team], f"{d.span[0]}/{d.span[1]}"] = True
            name_of.setdefault(f"{d.span[0]}/{d.span[1]}", d.shift)
        for whose, shift in slots:
            due = asked & (tier == whose) & ((kinds == "") | (kinds == "all")
                                             | (kinds == day.kind))
            rows += [(k, shift, (k, day.number, shift, whose) in seen)
                     for k in np.flatnonzero(due).tolist()]
    piece = np.array([r[0] for r in rows], dtype=np.int64)
    shifts = np.array([r[1] for r in rows], dtype=object)
    done = np.array([r[2] for r in rows], dtype=bool)
    scopes = [*_scopes(tier[piece], zone[piece]),
              *(("shift", name_of[s], shifts == s) for s in sorted({*shifts.tolist()}))]
    for scope, name, keep in scopes:
        whole = length[piece[keep]]
        yield ("street_visibility", scope, name), _ratio(float(whole[done[keep]].sum()),
                                                         float(whole.sum()))


def _shares(desk: PatrolDesk) -> Iterator[tuple[Key, Told]]:
    """Yield what is made by what is made and not made."""
    plan = desk.plan
    for name, kind, column in (("pass_share", PIECE, "required_id"),
                               ("visit_share", STOP, "stop_id")):
        tier, zone = _things(desk, kind)
        made = np.bincount(_visits(desk, kind)["thing"], minlength=len(tier))
        lost = pd.Series(plan.numbers("unmet", "visits")).groupby(
            plan.ids("unmet", column)).sum().reindex(plan.ids(LAYERS_OF[kind])).fillna(
                0.0).to_numpy()
        for scope, place, keep in _scopes(tier, zone):
            yield (name, scope, place), _ratio(float(made[keep].sum()),
                                               float((made + lost)[keep].sum()))


def _frequency(desk: PatrolDesk) -> Iterator[tuple[Key, Told]]:
    """Yield kilometres passed by kilometres times days."""
    asked, length = _asked_pieces(desk), lengths_of(desk) / 1000.0
    tier, zone = _things(desk, PIECE)
    passes = np.bincount(_visits(desk, PIECE)["thing"], minlength=len(length))
    for scope, name, keep in _scopes(tier[asked], zone[asked]):
        yield ("frequency", scope, name), _ratio(
            float((passes * length)[asked][keep].sum()),
            float(length[asked][keep].sum()) * len(desk.days))


def _gaps(desk: PatrolDesk, kind: int, count: int) -> tuple[Floats, Floats, float]:
    """Return the sum of squares and the longest of the gaps at each thing, and the horizon."""
    number = {d.name: DAY_MIN * d.number for d in desk.days}
    start = min((number[d.day] + d.span[0] for d in desk.duties), default=_NONE)
    end = max((number[d.day] + d.span[1] for d in desk.duties), default=_NONE)
    square, worst = np.full(count, _NONE), np.full(count, _NONE)
    if not end > start:
        return square, worst, _NONE
    visits = _visits(desk, kind)
    at = visits["arrive"].to_numpy() + DAY_MIN * visits["day"].to_numpy()
    by_thing = pd.Series(np.clip(at, start, end)).groupby(visits["thing"].to_numpy())
    held = {int(k): np.sort(v.to_numpy()) for k, v in by_thing}
    for k in range(count):
        gap = np.diff(np.concatenate([[start], held.get(k, np.zeros(0)), [end]]))
        square[k], worst[k] = float((gap**2).sum()), float(gap.max())
    return square, worst, end - start


def _idleness(desk: PatrolDesk) -> Iterator[tuple[Key, Told]]:
    """Yield how long streets and stops are left alone."""
    asked, length = _asked_pieces(desk), lengths_of(desk)
    square, worst, horizon = _gaps(desk, PIECE, len(length))
    tier, zone = _things(desk, PIECE)
    mean = square / (2 * horizon)
    for scope, name, keep in _scopes(tier[asked], zone[asked]):
        rows = np.flatnonzero(asked)[keep]
        rows = rows[np.isfinite(mean[rows])]
        yield ("idleness_mean", scope, name), _ratio(
            float((mean * length)[rows].sum()), float(length[rows].sum()))
        yield ("idleness_worst", scope, name), _single(worst[rows])
    plan = desk.plan
    daily = (plan.numbers("stops", "optional") != 1) & (plan.numbers("stops",
                                                                     "visits_per_day") >= 1)
    _, worst, _ = _gaps(desk, STOP, len(daily))
    tier, zone = _things(desk, STOP)
    for scope, name, keep in _scopes(tier[daily], zone[daily]):
        yield ("stop_gap_worst", scope, name), _single(worst[daily][keep])


def _single(values: Floats) -> Told:
    """Return the largest as a figure without parts."""
    held = values[np.isfinite(values)]
    return float(held.max()) if len(held) else _NONE, _NONE, _NONE, _NONE


def _dosage(desk: PatrolDesk) -> Iterator[tuple[Key, Told]]:
    """Yield the share of stays at hotspots that are as long as they should be."""
    visits = _visits(desk, STOP)
    hot = desk.plan.ids("stops", "kind")[visits["thing"]] == "hotspot"
    stay = (visits["depart"] - visits["arrive"]).to_numpy()[hot]
    least, most = desk.asked.hotspot_min
    good = (stay >= least) & (stay <= most)
    tier, zone = (c[visits["thing"]][hot] for c in _things(desk, STOP))
    for scope, name, keep in _scopes(tier, zone):
        yield ("dosage_share", scope, name), _ratio(float(good[keep].sum()), float(keep.sum()))


def _driving(desk: PatrolDesk) -> Iterator[tuple[Key, Told]]:
    """Yield balance, metres driven empty and the largest gap, by the zones of teams."""
    routes = desk.routes
    numbers = {c: routes[c].to_numpy(float) for c in ("duration_min", "deadhead_m",
                                                      "distance_m", "gap")}
    team = routes["team_id"].to_numpy(object)
    places = list(_scopes(routes["tier"].to_numpy(object), routes["zone"].to_numpy(object)))
    for scope, name, keep in places:
        if scope == "zone":
            took = numbers["duration_min"][keep]
            yield ("balance", scope, name), _ratio(float(took.max()), float(took.mean()))
        if scope in ("city", "zone"):
            yield ("patrol_gap", scope, name), _single(numbers["gap"][keep])
    for scope, name, keep in (*places, *(("team", str(t), team == t) for t in sorted({*team}))):
        yield ("deadhead_share", scope, name), _ratio(
            float(numbers["deadhead_m"][keep].sum()), float(numbers["distance_m"][keep].sum()))


def _unpredictable(desk: PatrolDesk) -> Iterator[tuple[Key, Told]]:
    """Yield how hard it is to guess when somebody comes.

    The first visits of the days make one row of bands, the second ones another; the bits of a
    place are the mean over its rows of two days and more.
    """
    both = pd.concat([_visits(desk, k) for k in (STOP, PIECE)])
    band = ((both["arrive"].to_numpy() // _BAND_MIN) % _BANDS).astype(np.int64)
    table = both.assign(band=band).sort_values(["kind", "thing", "day", "arrive"], kind="stable")
    nth = table.groupby(["kind", "thing", "day"]).cumcount()
    count = table.assign(nth=nth).groupby(["kind", "thing", "nth", "band"]).size()
    rows = count.groupby(level=[0, 1, 2])
    total = rows.transform("sum")
    share = count / total
    bits = (-share * np.log2(share)).groupby(level=[0, 1, 2]).sum()
    bits = bits[(rows.sum() > 1).to_numpy()]
    mean = bits.groupby(level=[0, 1]).mean()
    yield ("entropy_bits", "city", _ALL), (float(mean.mean()) if len(mean) else _NONE, _NONE,
                                           _NONE, _NONE)
    most = float(np.log2(len(desk.days))) if len(desk.days) > 1 else _NONE
    yield ("entropy_most", "city", _ALL), (most, _NONE, _NONE, _NONE)
    held: dict[int, set[tuple[int, int, int]]] = {}
    for day, *pair in table[["day", "kind", "thing", "band"]].itertuples(index=False):
        held.setdefault(day, set()).add((pair[0], pair[1], pair[2]))
    numbers = [d.number for d in desk.days]
    shares = [len(held[a] & held.get(b, set())) / len(held[a]) for a, b in pairwise(numbers)
              if a in held]
    yield ("day_overlap", "city", _ALL), (float(np.mean(shares)) if shares else _NONE, _NONE,
                                          _NONE, _NONE)


def _staff(desk: PatrolDesk) -> Iterator[tuple[Key, Told]]:
    """Yield the staff of each tier: the most on duty in a shift, times the crews of the tier."""
    plan = desk.plan
    tier, members = plan.ids("teams", "tier"), plan.numbers("teams", "members")
    own = desk.asked.members()
    members = np.where(np.isnan(members), [own.get(t, _MEMBERS) for t in tier], members)
    team_of = dict(zip(plan.ids("teams"), tier, strict=True))
    crews: dict[str, set[str]] = {}
    for name, team in zip(plan.ids("calendar", "crew"), plan.ids("calendar", "team_id"),
                          strict=True):
        for whose in _TIERS if not team else (team_of[team],):
            crews.setdefault(whose, set()).update({name} - {""})
    most: dict[str, float] = {}
    table = pd.DataFrame([(tier[d.team], d.day, d.span, members[d.team]) for d in desk.duties],
                         columns=["tier", "day", "span", "members"])
    for (name, _, _), number in table.groupby(["tier", "day", "span"])["members"].sum().items():
        most[str(name)] = max(most.get(str(name), 0.0), float(number))
    strength = {t: n * max(1, len(crews.get(t, ()))) for t, n in most.items()}
    people = _NONE
    for layer in ("buildings", "communities"):
        total = float(np.nansum(plan.numbers(layer, "population")))
        people = total if total > 0 else people
    goals = desk.asked.staff_goals()
    whole, every = people / _PER, sum(strength.values())
    yield ("staff_per_10000", "city", _ALL), (every / whole, every, whole,
                                              desk.asked.number("staff_per_10000", _STAFF_GOAL))
    for name, number in strength.items():
        yield ("staff_per_10000", "tier", name), (number / whole, number, whole, _NONE)
        yield ("patrol_staff", "tier", name), (number, number, _NONE, goals.get(name, _NONE))


def _price(desk: PatrolDesk) -> Iterator[tuple[Key, Told]]:
    """Yield what varying the days costs, where the run tells the kilometres without."""
    try:
        base = float(desk.plan.run.get("patrol:base_km", ""))
    except ValueError:
        return
    if base > 0 and desk.plan.run.get("patrol:vary", "yes") == "yes":
        driven = float(desk.routes["distance_m"].sum()) / 1000.0
        yield ("vary_price", "city", _ALL), (driven / base - 1, driven, base, _NONE)


def compare_figures(report: CheckReport, desk: PatrolDesk, truth: dict[Key, Told],
                    unknown: tuple[str, ...], slack: float = _CLOSE) -> None:
    """Compare the figures of patrols with what they should be.

    Parameters
    ----------
    unknown
        Names of figures that could not be worked out.
    """
    table = desk.plan.frame("figures")
    ours = table[table["name"].isin(NAMES).to_numpy(bool)]
    found = {(str(r.name), str(r.scope), str(r.scope_id)): r for r in ours.itertuples(index=False)}
    odd = [":".join(k) for k in found if k not in truth and k[0] not in unknown]
    tell(report, "patrol_figure_odd", "figures", odd)
    missing = [":".join(k) for k, told in truth.items()
               if k not in found and not np.isnan(told[0])]
    tell(report, "patrol_figure_missing", "figures", missing)
    off: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
    for key in (k for k in truth if k in found):
        for column, real in zip(("value", "numerator", "denominator", "target"), truth[key],
                                strict=True):
            told = float(getattr(found[key], column))
            if column in ("numerator", "denominator") and np.isnan(real):
                continue
            if not (np.isnan(told) if np.isnan(real)
                    else abs(told - real) <= slack * max(1.0, abs(real))):
                off.setdefault((key[0], column), []).append((":".join(key), told, real))
    for (_, column), rows in sorted(off.items()):
        rows.sort()
        tell(report, "patrol_figure", "figures", [r[0] for r in rows], column,
             found=shown(rows[0][1]), expected=shown(rows[0][2]))
