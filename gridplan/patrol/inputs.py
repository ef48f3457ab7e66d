"""What can be said of teams, stops and the rest before any street is known; all faults at once.

The layers are those a dispatcher gives or those that the plan holds, where somebody may have
edited them. Nothing is solved before they have passed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import shapely

from gridplan.errors import Findings, first_ids
from gridplan.layers import LAYERS, TIERS, conform
from gridplan.params import Params, PatrolParams
from gridplan.patrol.hours import count_begins, read_clock, read_span, read_windows
from gridplan.patrol.inputs_table import Table, refer
from gridplan.patrol.inputs_week import check_calendar, check_crews
from gridplan.patrol.stops.problem import MOST_PENALTY_MIN, MOST_PRIORITY, MOST_VISITS
from gridplan.patrol.zones import find_zones
from gridplan.plan import Plan
from gridplan.sheets.privacy import is_identity_number, is_person, is_phone

CHECKED = ("zones", "stations", "teams", "stops", "required", "calendar")
_LONGEST_WINDOW_MIN = 12 * 60  # a longer one across midnight is a slip of the pen
_LONGEST_SHIFT_MIN = 12 * 60
_EDGE_M = 50.0  # so far outside its zone a stop may stand, beyond the kerb
_DAYS = 7
# Column → least, most, whole numbers only.
_NUMBERS: dict[str, dict[str, tuple[float, float, bool]]] = {
    "teams": {"members": (1, 1_000, True), "break_min": (0, 720, True)},
    "stops": {"priority": (1, MOST_PRIORITY, True), "visits_per_day": (0, 288, True),
              "visits_per_week": (0, 2_016, True), "spacing_min": (0, 1_440, True),
              "service_min": (0, 720, True), "penalty": (0, MOST_PENALTY_MIN, True)},
    "required": {"passes_per_day": (0, 288, True), "prize": (0, 100_000, True)},
    "points": {"radius_m": (1, 5_000, False)}}
_TOLD = {"teams": ("team_id", "crew"), "stations": ("station_id", "name", "kind"),
         "stops": ("stop_id", "name", "kind"), "calendar": ("crew",), "zones": ("zone_id", "name"),
         "points": ("point_id", "name", "kind"), "required": ("required_id",)}


def check_patrol(layers: Mapping[str, Any], plan: Plan, params: Params, findings: Findings, *,
                 alone: bool = False) -> dict[str, Any]:
    """Check the layers of patrols against themselves, each other and a plan; fill what follows.

    Parameters
    ----------
    layers
        ``teams``, ``stations``, ``stops``, ``calendar``, ``zones``, ``required`` (or ``streets``,
        the same before it is cut) and ``points``, as :func:`gridplan.read.read_patrol` returns
        them or as the plan has them; one that is absent is taken from the plan.
    plan
        Whose roads are meant, in whose CRS the layers are.
    params
        Levels of duty, crews, and what a team has by default.
    findings
        Receives faults and warnings; faults gathered in it before are told with them.
    alone
        Before anything is proposed: then layers that neither are given nor in the plan are no
        fault, and whatever refers to them stands.

    Returns
    -------
    dict
        The layers by the names given, with the columns of the contract and a plain index. Filled
        in are: station, tier, mode and members of teams where there is only one answer, zones of
        stops by place, priority, ``optional``, one visit a day where nothing is said, the days of
        streets (all), the kind of a day by its date.

    Raises
    ------
    InputError
        With every fault: no team or no station, ids that are blank or come twice, unknown
        references and words, numbers out of range, hours that are none or reversed, visits that
        cannot fit, crews that are wanted twice at once, stops in no zone or that are persons.
    """
    named = dict(layers)
    street = "streets" if "streets" in named else "required"
    tables = {name: _take(name, named, plan, findings, alone) for name in (
        *CHECKED[:4], street, "calendar", *(("points",) if "points" in named else ()))}
    for table in tables.values():
        _check_rows(table, params.patrol)
    zones, stations, teams, stops = (tables[name] for name in CHECKED[:4])
    _check_zones(zones)
    _check_stations(stations, zones)
    _check_teams(teams, stations, zones, params.patrol)
    _check_stops(stops, zones, params.patrol)
    _check_streets(tables[street], plan)
    check_calendar(tables["calendar"], teams, params.patrol)
    check_crews(tables["calendar"], teams)
    findings.stop_on_faults()
    return {name: table.finished() for name, table in tables.items()}


def _take(name: str, named: Mapping[str, Any], plan: Plan, findings: Findings,
          alone: bool) -> Table:
    """Return a table of its own, typed; from the plan where it is not given."""
    layer = "required" if name == "streets" else name
    given = named.get(name)
    frame = plan.layer(layer) if given is None else given
    attrs = dict(frame.attrs)
    file = attrs.get("file") or ("" if given is not None or plan.origin is None
                                 else plan.origin.name)
    table = Table(name, layer, frame.copy(), findings, file, attrs.get("heads", {}),
                  old=given is None and (bool(named) or alone), open=alone and frame.empty)
    for column, (low, high, whole) in _NUMBERS.get(layer, {}).items():
        table.check_number(column, low, high, whole)
    if layer in LAYERS:
        index = table.frame.index
        table.frame = conform(layer, table.frame)
        table.frame.index = index
    return table


def _check_rows(table: Table, params: PatrolParams) -> None:
    """Check what holds for every table: ids, words of a list, and that nobody is meant."""
    if table.layer in LAYERS:
        table.check_ids(LAYERS[table.layer].key)
        for column in LAYERS[table.layer].columns:
            if column.choices:
                table.check_word(column.name, column.choices)
    if table.layer == "calendar":
        table.check_word("duty", tuple(params.duty))
    for name in _TOLD[table.layer]:
        text = table.text(name)
        if name in ("kind", "name"):
            table.tell("patrol.input_person", text.map(_means_person), name)
        # The value is not shown: messages end up in logs.
        table.tell("patrol.input_private", text.map(_is_private), name, value="")
    if "geometry" in table.frame:
        shapes = np.asarray(table.frame.geometry.array)
        table.tell("patrol.input_no_place", shapely.is_missing(shapes) | shapely.is_empty(shapes),
                   "geometry")


def _means_person(cell: str) -> bool:
    return any(is_person(word) for word in cell.replace("；", ";").replace("、", ";").split(";"))


def _is_private(cell: str) -> bool:
    return is_phone(cell) or is_identity_number(cell.upper())


def _check_zones(zones: Table) -> None:
    zones.tell("patrol.input_blank", zones.text("tier") == "", "tier")


def _check_stations(stations: Table, zones: Table) -> None:
    if stations.frame.empty and not stations.open:
        stations.findings.add("patrol.input_no_station", file=stations.file, layer=stations.name)
    refer(stations, "zone_id", zones, "zone_id")


def _check_teams(teams: Table, stations: Table, zones: Table, params: PatrolParams) -> None:
    if teams.frame.empty:
        if not teams.open:
            teams.findings.add("patrol.input_no_team", file=teams.file, layer=teams.name)
        return
    refer(teams, "zone_id", zones, "zone_id")
    if not stations.frame.empty or stations.open:
        refer(teams, "station_id", stations, "station_id")
    tier_of = zones.lookup("zone_id", "tier")
    own = teams.text("zone_id").map(lambda z: tier_of.get(z, ""))
    teams.fill("tier", own)
    teams.tell("patrol.input_zone_tier",
               (own != "") & (own != teams.text("tier")) & teams.text("tier").isin(TIERS),
               "zone_id", tiers=first_ids(dict.fromkeys(own[own != ""])))
    teams.fill("mode", teams.text("tier").map(lambda t: params.modes.get(t, "")))
    teams.fill("members", teams.text("tier").map(lambda t: params.members.get(t, "")))
    _fill_stations(teams, stations)
    _check_shifts(teams)
    _check_breaks(teams)


def _fill_stations(teams: Table, stations: Table) -> None:
    """Give a team without a station the only one of its zone, of its tier, or of all."""
    if stations.frame.empty:
        return
    ids = stations.text("station_id")
    for column in ("zone_id", "tier"):
        held = stations.text(column)
        only = {str(word): str(ids[held == word].iloc[0]) for word in dict.fromkeys(held)
                if word and (held == word).sum() == 1}
        teams.fill("station_id", teams.text(column).map(lambda w, only=only: only.get(w, "")))
    if len(ids) == 1:
        teams.fill("station_id", pd.Series(str(ids.iloc[0]), teams.frame.index))


def _check_shifts(teams: Table) -> None:
    ends = {}
    for name in ("shift_start", "shift_end"):
        text = teams.text(name)
        ends[name] = text.map(read_clock)
        teams.tell("patrol.input_time", (text != "") & ends[name].isna(), name)
    start, end = ends.values()
    for name, other in (("shift_start", "shift_end"), ("shift_end", "shift_start")):
        teams.tell("patrol.input_blank", (teams.text(name) == "") & (teams.text(other) != ""),
                   name)
    known = start.notna() & end.notna()
    teams.tell("patrol.input_shift_none", known & (start == end), "shift_end")
    length = (end - start) % 1440
    teams.tell("patrol.input_shift_long", known & (length > _LONGEST_SHIFT_MIN), "shift_end",
               outcome="warning", hours=f"{_LONGEST_SHIFT_MIN // 60}")


def _check_breaks(teams: Table) -> None:
    """Check that every break fits into its window, and the window into the shift."""
    wrong: dict[str, list[bool]] = {"time": [], "long": [], "outside": []}
    for start, end, least, text in zip(
            teams.text("shift_start"), teams.text("shift_end"),
            teams.frame["break_min"].fillna(0), teams.text("break_window"), strict=True):
        window = read_span(text) if text else None
        shift = read_span(f"{start}-{end}") if start != end else None
        wrong["time"].append(bool(text) and window is None)
        long = shift is not None and least > 0 and least >= shift[1] - shift[0]
        wrong["long"].append(long)
        room = max((min(b + day, shift[1]) - max(a + day, shift[0]) for day in (-1440, 0, 1440)
                    for a, b in [window]), default=0) if window and shift else None
        wrong["outside"].append(room is not None and not long and room < max(least, 1))
    teams.tell("patrol.input_window", np.array(wrong["time"], dtype=bool), "break_window")
    teams.tell("patrol.input_break_long", np.array(wrong["long"], dtype=bool), "break_min")
    teams.tell("patrol.input_break_outside", np.array(wrong["outside"], dtype=bool),
               "break_window")


def _check_stops(stops: Table, zones: Table, params: PatrolParams) -> None:
    if stops.frame.empty:
        return
    stops.fill("priority", pd.Series(1, stops.frame.index))
    stops.fill("optional", pd.Series(False, stops.frame.index))
    refer(stops, "zone_id", zones, "zone_id")
    _check_frequency(stops)
    _check_windows(stops, params)
    if not zones.frame.empty:
        _find_zones(stops, zones)


def _check_frequency(stops: Table) -> None:
    day, week = (stops.frame[c].astype("Float64").fillna(-1).to_numpy(dtype=float)
                 for c in ("visits_per_day", "visits_per_week"))
    stops.tell("patrol.input_both_frequencies", (day >= 0) & (week >= 0) & (week != _DAYS * day),
               "visits_per_week", outcome="warning")
    stops.tell("patrol.input_no_frequency", (day < 0) & (week < 0), "visits_per_day",
               outcome="warning")
    spare = np.where((day < 0) & (week < 0), 1.0, np.nan)
    stops.fill("visits_per_day", pd.Series(spare, stops.frame.index))
    total = int(np.where(day >= 0, day, np.ceil(np.maximum(week, 0) / _DAYS)).sum())
    if total > MOST_VISITS:
        stops.findings.add("patrol.input_many", file=stops.file, layer=stops.name,
                           count=total, high=f"{MOST_VISITS:,}")


def _check_windows(stops: Table, params: PatrolParams) -> None:
    """Check windows and stays, and that the visits of a day fit into them."""
    wrong: dict[str, list[bool]] = {}
    hot = stops.text("kind") == "hotspot"
    for text, service, visits, spacing, is_hot in zip(
            stops.text("windows"), stops.frame["service_min"].fillna(0),
            stops.frame["visits_per_day"].fillna(0), stops.frame["spacing_min"].fillna(0), hot,
            strict=True):
        stay = max(int(service), params.hotspot_least_min) if is_hot else int(service)
        windows = read_windows(text) if text else []
        known = [] if windows is None else windows
        found = {"window": windows is None, **_judge_windows(known, stay)}
        clear = bool(text) <= bool(known) and not any(found.values())
        found["spacing"] = clear and visits > count_begins(known, stay, spacing)
        for name, value in found.items():
            wrong.setdefault(name, []).append(bool(value))
    masks = {name: np.array(values, dtype=bool) for name, values in wrong.items()}
    stops.tell("patrol.input_window", masks["window"], "windows")
    stops.tell("patrol.input_reversed", masks["reversed"], "windows")
    stops.tell("patrol.input_window_none", masks["none"], "windows")
    stops.tell("patrol.input_window_short", masks["short"], "windows")
    stops.tell("patrol.input_window_some", masks["some"], "windows", outcome="warning")
    stops.tell("patrol.input_spacing", masks["spacing"], "spacing_min")
    over = hot & (stops.frame["service_min"].fillna(0) > params.hotspot_most_min)
    stops.tell("patrol.input_dosage", over, "service_min", least=params.hotspot_least_min,
               most=params.hotspot_most_min)


def _judge_windows(windows: list[tuple[int, int]], stay: int) -> dict[str, bool]:
    """Tell which windows are reversed, without length, or shorter than the stay."""
    long = [b - a for a, b in windows]
    none = any(length == 1440 and a % 1440 != 0 for length, (a, _) in zip(
        long, windows, strict=True))
    back = any(b > 1440 and length > _LONGEST_WINDOW_MIN and length < 1440
               for length, (_, b) in zip(long, windows, strict=True))
    short = [length < stay for length in long]
    return {"none": none, "reversed": back, "short": bool(short) and all(short),
            "some": any(short) and not all(short)}


def _find_zones(stops: Table, zones: Table) -> None:
    """Fill the zone of stops by where they are, and tell of those that are in none of their tier.

    A stop of any tier gets a zone only where all zones are of one tier.
    """
    shapes = np.asarray(stops.frame.geometry.array)
    held = zones.text("tier").to_numpy()
    tier, said = stops.text("tier").to_numpy(), stops.text("zone_id").to_numpy()
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    outside, away = (np.zeros(len(shapes), dtype=bool) for _ in range(2))
    found: list[str] = [""] * len(shapes)
    for word in dict.fromkeys(tier.tolist()):
        mine = np.flatnonzero((tier == word) & there)
        own = zones.frame[held == word] if word else zones.frame
        if not len(mine) or own.empty:
            continue
        apart = np.ones(len(mine), dtype=bool)
        apart[shapely.STRtree(own.geometry.to_numpy()).query_nearest(
            shapes[mine], max_distance=_EDGE_M, all_matches=False)[0]] = False
        outside[mine] = (said[mine] == "") & apart
        one = word or (held[0] if len(set(held.tolist())) == 1 else "")
        if one:
            near = find_zones(shapes[mine], own, one)
            away[mine] = (said[mine] != "") & (near != said[mine])
            for k, zone, far in zip(mine.tolist(), near.tolist(), apart.tolist(), strict=True):
                found[k] = "" if far else str(zone)
    tier_of = zones.lookup("zone_id", "tier")
    home = stops.text("zone_id").map(lambda z: tier_of.get(z, ""))
    other = ((home != "") & (tier != "") & (home != tier)).to_numpy(dtype=bool)
    stops.tell("patrol.input_zone_tier", other, "zone_id",
               tiers=first_ids(dict.fromkeys(home[other])))
    stops.tell("patrol.input_no_zone", outside, "zone_id")
    stops.tell("patrol.input_zone_elsewhere", away & ~other & home.ne("").to_numpy(), "zone_id",
               outcome="warning")
    stops.fill("zone_id", pd.Series(found, stops.frame.index, dtype=object))


def _check_streets(streets: Table, plan: Plan) -> None:
    streets.fill("optional", pd.Series(False, streets.frame.index))
    streets.fill("day_kind", pd.Series("all", streets.frame.index))
    known = set(plan.layer("roads")["road_id"].astype(str))
    words = streets.text("road_id")
    streets.tell("patrol.input_unknown", (words != "") & ~words.isin(known), "road_id",
                 other="roads", known=first_ids(sorted(known), 3))
