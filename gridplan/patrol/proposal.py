"""What a patrol is made of where little or nothing is given: every layer it needs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.errors import Findings
from gridplan.layers import TIERS, conform
from gridplan.network.usage import text_of
from gridplan.params import Params
from gridplan.patrol.pieces import Ints, fit_lines, propose_pieces, weave_roads
from gridplan.patrol.places import propose_stations, propose_stops, station_of_zones
from gridplan.patrol.stops.week import A_DAY_S, REST_S, cycle_crews, fit_crews
from gridplan.patrol.workload import Work, count_teams, span_of, split_shifts, weigh_work
from gridplan.patrol.zones import find_zones, propose_zones
from gridplan.plan import Plan

LAYERS_OF_PATROL = ("required", "stops", "zones", "stations", "teams", "calendar")
BLOCK_DAYS = 2  # days a crew stays in one shift before it moves on
WEEKEND = 5


def propose_patrol(plan: Plan, params: Params, findings: Findings,
                   given: Mapping[str, pd.DataFrame] | None = None, *, days: Sequence[str],
                   lang: str = "en", seed: int = 1) -> dict[str, Any]:
    """Return the layers that a patrol is planned from: what is there, and a proposal of the rest.

    What is ``given`` counts; else what the plan holds from before, edited perhaps; else it is
    proposed: required streets by class, stops from facilities, zones by workload, a station for
    each zone, teams as the work needs them, and their crews on every day. Blank fields of teams
    and required streets are filled; given lines are laid on their roads and cut at junctions.

    Parameters
    ----------
    plan
        A plan with grids, communities and roads.
    given
        Checked frames of these layers in the plan's CRS.
    days
        ISO dates, or D1, D2 ….
    seed
        Of the cutting of zones.

    Returns
    -------
    dict
        Frames of required, stops, zones, stations, teams and calendar, conformed.

    Raises
    ------
    InputError
        With every fault: the plan lacks a layer, a line that no road lies along, a team of a zone
        or station that is not there.
    """
    plan.require("grids", "roads", "communities")
    lang = choose_language(plan, lang)
    told = given or {}
    held = {name: frame for name in LAYERS_OF_PATROL
            if (frame := _keep(plan, told, name)) is not None}
    web = weave_roads(plan, params)
    if "required" in held:
        required = fit_lines(web, held["required"], params, findings)
    else:
        area = shapely.union_all(plan.layer("communities").geometry.to_numpy())
        required = propose_pieces(web, area, params, findings)
    stops = held["stops"] if "stops" in held else propose_stops(plan, web, lang)
    work = weigh_work(web, required, stops, params.patrol)
    zones = held["zones"] if "zones" in held else propose_zones(
        plan, work, params, findings, lang=lang, seed=seed)
    _drop_stale(held, told, "stations", {"zone_id": zones}, findings)
    stations = held["stations"] if "stations" in held else propose_stations(
        plan, web, zones, work, params, lang)
    _drop_stale(held, told, "teams", {"zone_id": zones, "station_id": stations}, findings)
    teams = propose_teams(zones, stations, work, params, held.get("teams"))
    _drop_stale(held, told, "calendar", {"team_id": teams}, findings)
    findings.stop_on_faults()
    calendar = propose_calendar(teams, params, findings, days=days, held=held.get("calendar"),
                                seed=seed)
    return {"required": required, "stops": stops, "zones": zones, "stations": stations,
            "teams": teams, "calendar": calendar}


def choose_language(plan: Plan, lang: str) -> str:
    """Return the language of proposed names: Chinese where communities have Chinese names.

    Names are data and stay; whoever runs a verb in English must not leave English zones in a
    Chinese plan.
    """
    names = "".join(plan.layer("communities")["name"].fillna("").astype(str))
    return "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in names) else lang


def _drop_stale(held: dict[str, Any], given: Mapping[str, pd.DataFrame], name: str,
                known: Mapping[str, pd.DataFrame], findings: Findings) -> None:
    """Name given rows that refer to what is not there; a layer of the plan that does goes.

    The plan's own layer is older than what it refers to, and is proposed anew.
    """
    if name not in held:
        return
    frame, before = held[name], len(findings.items)
    own = name not in given or not len(given[name])
    for field, target in known.items():
        there = set(target[field].dropna().tolist())
        for key, value in zip(frame.iloc[:, 0], text_of(frame, field, ""), strict=True):
            if value and value not in there:
                findings.add("patrol.unknown_place", "warning" if own else "error", layer=name,
                             row=key, field=field, value=value)
    if own and len(findings.items) > before:
        del findings.items[before:]
        findings.add("patrol.anew", "warning", layer=name)
        del held[name]


def _keep(plan: Plan, given: Mapping[str, pd.DataFrame], name: str) -> Any:
    """Return what is given of a layer, else what the plan holds; None where both are empty."""
    if name in given and len(given[name]):
        return conform(name, given[name]).reset_index(drop=True)
    frame = plan.layer(name)
    return None if frame.empty else frame.reset_index(drop=True)


def propose_teams(zones: gpd.GeoDataFrame, stations: gpd.GeoDataFrame, work: Work, params: Params,
                  held: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the layer ``teams``: as many in each shift and zone as its work needs.

    Seconds of the shift's passes at cruising speed and a quarter for ways between, stays and
    three minutes each, divided by the share of the shift that is filled. A zone without work has
    no team. Teams that are given are kept; what is blank in them is filled.

    Parameters
    ----------
    work
        What there is to do in a day.
    """
    base = station_of_zones(stations, zones, work)
    if held is not None:
        return _fill_teams(held, base, params)
    patrol = params.patrol
    rows = []
    for tier in TIERS:
        zone = find_zones(work.point, zones, tier)
        shifts = split_shifts(patrol.shifts[tier])
        own = zones["zone_id"][(zones["tier"] == tier).fillna(False).to_numpy(dtype=bool)]
        for zone_id in sorted(own.tolist()) or [""]:
            chosen = work.of(tier) & (zone == zone_id)
            if not chosen.any():
                continue
            number = 0
            for which, count in enumerate(count_teams(work, chosen, tier, patrol)):
                for _ in range(count):
                    number += 1
                    rows.append({
                        "team_id": _name_team(zone_id, tier, number), "tier": tier,
                        "mode": patrol.modes[tier], "station_id": base[tier, zone_id],
                        "crew": _usual_crew(tier, which, len(shifts), patrol.crews),
                        "shift_start": shifts[which][0], "shift_end": shifts[which][1],
                        "break_min": patrol.break_min, "members": patrol.members[tier],
                        "zone_id": zone_id or None})
    return conform("teams", pd.DataFrame(rows, columns=[
        "team_id", "tier", "mode", "station_id", "crew", "shift_start", "shift_end", "break_min",
        "members", "zone_id"]))


def _name_team(zone_id: str, tier: str, number: int) -> str:
    """Return a short name: A1 for the city's zone A, B2-1 for squadron B2."""
    letter = "ABC"[TIERS.index(tier)]
    return f"{letter}{number}" if zone_id in ("", letter) else f"{zone_id}-{number}"


def _crews_of(shifts: int, most: int) -> int:
    """Return how many crews take turns in so many shifts: one rests, so four for three."""
    return max(1, min(most, shifts + 1))


def name_crew(tier: str, number: int, most: int) -> str:
    """Return the letter of a crew; tiers have crews of their own, so letters go on.

    >>> [name_crew("city", 0, 4), name_crew("town", 0, 4), name_crew("community", 25, 4)]
    ['A', 'E', 'AH']
    """
    place = TIERS.index(tier) * most + number
    return ("" if place < 26 else chr(64 + place // 26)) + chr(65 + place % 26)


def _usual_crew(tier: str, which: int, shifts: int, most: int) -> str | None:
    crew = int(cycle_crews(1, shifts, _crews_of(shifts, most), block=BLOCK_DAYS)[0, which])
    return name_crew(tier, crew, most) if crew >= 0 else None


def _fill_teams(held: pd.DataFrame, base: Mapping[tuple[str, str], str], params: Params
                ) -> pd.DataFrame:
    """Return given teams with what is blank filled."""
    teams = held.copy()
    teams["tier"] = teams["tier"].fillna("town")
    tier = text_of(teams, "tier", "")
    usual = {
        "mode": [params.patrol.modes[t] for t in tier],
        "members": [params.patrol.members[t] for t in tier],
        "break_min": [params.patrol.break_min for _ in tier],
        "station_id": [base.get((t, z), base[t, ""]) for t, z in zip(
            tier, text_of(teams, "zone_id", ""), strict=True)],
        "shift_start": [split_shifts(params.patrol.shifts[t])[0][0] for t in tier],
        "shift_end": [split_shifts(params.patrol.shifts[t])[0][1] for t in tier]}
    for column, values in usual.items():
        teams[column] = teams[column].fillna(pd.Series(values, index=teams.index))
    return conform("teams", teams)


def propose_calendar(teams: pd.DataFrame, params: Params, findings: Findings, *,
                     days: Sequence[str], held: pd.DataFrame | None = None, seed: int = 1
                     ) -> pd.DataFrame:
    """Return the layer ``calendar``: one row a day and team, with the crew that mans it.

    Every tier has crews of its own, one more than shifts while there are so many; they follow
    the usual cycle, or one fitted with rest between shifts where the cycle leaves too little.
    Days that a given calendar has rows of are left as they are.

    Parameters
    ----------
    days
        ISO dates, whose weekends are marked, or D1, D2 …, which are workdays.
    findings
        Takes the warning ``patrol.crew_none`` of shifts that no crew can man.
    """
    told = set() if held is None else set(text_of(held, "date", "").tolist())
    asked = [day for day in dict.fromkeys(days) if day not in told]
    rows = []
    for tier in TIERS:
        own = teams[(teams["tier"] == tier).fillna(False).to_numpy(dtype=bool)]
        if own.empty or not asked:
            continue
        spans = sorted({(a, b) for a, b in zip(own["shift_start"], own["shift_end"], strict=True)},
                       key=lambda s: (span_of(*s), s))
        usual = [set(own["crew"][(own["shift_start"] == a) & (own["shift_end"] == b)].dropna())
                 for a, b in spans]
        names = _name_crews(usual, tier, params.patrol.crews)
        crew = _man_shifts(spans, len(asked), params, findings, tier, seed) if names else None
        for d, day in enumerate(asked):
            for team in own.itertuples():
                which = spans.index((team.shift_start, team.shift_end))
                man = team.crew if crew is None else [*names, None][int(crew[d, which])]
                rows.append({"calendar_id": f"{day}/{team.team_id}", "date": day,
                             "day_kind": kind_of_day(day), "duty": "normal", "crew": man,
                             "team_id": team.team_id})
    made = pd.DataFrame(rows, columns=["calendar_id", "date", "day_kind", "duty", "crew",
                                       "team_id"])
    place = {day: n for n, day in enumerate(asked)}
    made = made.iloc[np.argsort(made["date"].map(place).to_numpy(), kind="stable")]
    frame = made if held is None else pd.concat([held, made], ignore_index=True)
    return conform("calendar", frame.reset_index(drop=True))


def _name_crews(usual: Sequence[set[str]], tier: str, most: int) -> list[str]:
    """Return the names of a tier's crews, those of its shifts first; none where one has several.

    Teams of one shift that belong to different crews keep them on every day.
    """
    held = [min(own) if own else "" for own in usual]
    if any(len(own) > 1 for own in usual) or len({h for h in held if h}) < sum(map(bool, held)):
        return []
    free = (name for n in range(len(usual) + most + 1)
            if (name := name_crew(tier, n, most)) not in held)
    return [h or next(free) for h in held] + [next(free) for _ in range(
        _crews_of(len(usual), most) - len(held))]


def _man_shifts(spans: Sequence[tuple[str, str]], days: int, params: Params, findings: Findings,
                tier: str, seed: int) -> Ints:
    """Return the crew of each shift on each day, (days, shifts); -1 where nobody can."""
    start, end = (np.array([span_of(*s)[k] for s in spans], np.int64) * 60 for k in (0, 1))
    count = _crews_of(len(spans), params.patrol.crews)
    cycle = cycle_crews(days, len(spans), count, block=BLOCK_DAYS)
    if _is_sound(cycle, start, end):
        return cycle
    worked = np.ones((days, len(spans)), dtype=bool)
    rota = fit_crews(start, end, count, worked, block=BLOCK_DAYS, seed=seed)
    if rota.vacant:
        findings.add("patrol.crew_none", "warning", layer="calendar", row=tier, field="crew",
                     count=rota.vacant, crews=count)
    return rota.crew


def _is_sound(crew: Ints, start: Ints, end: Ints) -> bool:
    """Tell whether every shift is manned and every crew rests between two of its shifts."""
    if (crew < 0).any():
        return False
    day, shift = np.divmod(np.arange(crew.size), crew.shape[1])
    begins, ends = day * A_DAY_S + start[shift], day * A_DAY_S + end[shift]
    for number in np.unique(crew).tolist():
        own = np.flatnonzero(crew.ravel() == number)
        own = own[np.argsort(begins[own], kind="stable")]
        if (begins[own[1:]] - ends[own[:-1]] < REST_S).any():
            return False
    return True


def kind_of_day(day: str) -> str:
    """Return workday or weekend; a day without a date is a workday.

    >>> kind_of_day("2026-12-01"), kind_of_day("2026-12-05"), kind_of_day("D1")
    ('workday', 'weekend', 'workday')
    """
    try:
        date = dt.date.fromisoformat(day)
    except ValueError:
        return "workday"
    return "weekend" if date.weekday() >= WEEKEND else "workday"
