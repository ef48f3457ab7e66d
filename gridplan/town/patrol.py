"""What a dispatcher of the town gives: stations, teams, places to be visited, a week's calendar."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import pandas as pd
import shapely

from gridplan.layers import LAYERS, Study, conform

_SHIFTS = (("A", "07:30", "15:30", "11:00-13:00"), ("B", "15:30", "23:30", "18:00-20:00"),
           ("C", "23:30", "07:30", "02:00-04:00"))
_MODES = (("foot", "community", 2), ("ebike", "town", 3), ("car", "city", 2))
_CREWS = "ABCD"
_MONDAY = dt.date(2026, 12, 7)
_RAISED = 4  # the Friday of the week
# Category → kind, tier, priority, visits a day, visits a week, spacing, stay, windows.
_STOPS: dict[str, tuple[str, str | None, int, int | None, int | None, int, int, str]] = {
    "primary_school": ("school", "community", 3, 2, None, 300, 10, "07:20-08:20;16:20-17:30"),
    "middle_school": ("school", "community", 3, 2, None, 300, 10, "06:50-07:50;17:00-18:30"),
    "kindergarten": ("school", "community", 2, 2, None, 300, 5, "07:40-08:40;16:00-17:00"),
    "wet_market;supermarket": ("market", None, 2, 2, None, 90, 10, "05:30-10:30"),
    "health_centre": ("hospital", None, 2, 2, None, 240, 10, ""),
    "bank": ("bank", None, 1, 1, None, 0, 5, "08:30-17:30"),
    "park;playground": ("park", "community", 1, None, 3, 0, 5, "08:00-20:00")}
_HOTSPOT = ("hotspot", None, 3, 3, None, 120, 12, "10:00-22:00")
_BRIDGE = ("bridge", None, 1, 1, None, 0, 5, "")
_OPTIONAL = frozenset(("bank", "park"))
_PENALTY_MIN = 15
_BUS_STOPS_A_HOTSPOT = 12


def make_stations(study: Study) -> gpd.GeoDataFrame:
    """Return the police posts, from which teams start, under the ids of their facilities."""
    posts = _posts(study)
    frame = gpd.GeoDataFrame({"station_id": posts.index.to_numpy(), "name": posts["name"].array,
                              "kind": "police_post"}, geometry=posts.geometry.to_numpy(),
                             crs=study.crs)
    return _indexed("stations", frame)


def make_teams(study: Study) -> pd.DataFrame:
    """Return a team for each of three shifts at each post: on foot, on e-bikes or by car.

    Where there are fewer than three posts, some have more, so that every tier has its teams.
    """
    rows = []
    posts = _posts(study).index.to_list()
    for number in range(max(len(posts), len(_MODES))):
        mode, tier, members = _MODES[number % len(_MODES)]
        rows += [{"team_id": f"T{number + 1:03d}{crew}", "mode": mode, "tier": tier,
                  "station_id": posts[number % len(posts)], "crew": crew, "shift_start": start,
                  "shift_end": end, "break_min": 30, "break_window": window, "members": members}
                 for crew, start, end, window in _SHIFTS]
    return _indexed("teams", pd.DataFrame(rows))


def make_stops(study: Study) -> gpd.GeoDataFrame:
    """Return the places to be visited: schools when they begin and end, markets in the morning.

    Hospitals, banks and parks as well, hotspots at some bus stops, and bridges.
    """
    facilities = study.layer("facilities")
    rows = []
    for name, category, point in zip(facilities["name"], facilities["categories"],
                                     facilities.geometry, strict=True):
        if category in _STOPS:
            rows.append((name, *_STOPS[category], point))
    buses = facilities[facilities["categories"] == "bus_stop"].iloc[::_BUS_STOPS_A_HOTSPOT]
    rows += [(f"{name}周边", *_HOTSPOT, point)
             for name, point in zip(buses["name"], buses.geometry, strict=True)]
    bridges = study.roads[(study.roads["structure"] == "bridge").fillna(False).to_numpy(bool)]
    middle = shapely.line_interpolate_point(bridges.geometry.to_numpy(), 0.5, normalized=True)
    rows += [(f"{name if isinstance(name, str) else ''}桥", *_BRIDGE, point)
             for name, point in zip(bridges["name"], middle, strict=True)]
    frame = pd.DataFrame(rows, columns=[
        "name", "kind", "tier", "priority", "visits_per_day", "visits_per_week", "spacing_min",
        "service_min", "windows", "geometry"])
    frame["stop_id"] = [f"K{i + 1:04d}" for i in range(len(frame))]
    frame["windows"] = frame["windows"].where(frame["windows"] != "", None)
    frame["optional"] = frame["kind"].isin(sorted(_OPTIONAL))
    frame["penalty"] = frame["optional"].map({True: _PENALTY_MIN, False: None})
    return _indexed("stops", gpd.GeoDataFrame(frame, geometry="geometry", crs=study.crs))


def make_calendar(teams: pd.DataFrame) -> pd.DataFrame:
    """Return a week: the kind and duty of every date, and the crew of every team.

    Four crews take turns in three shifts, two days in each and two days of rest.

    >>> teams = pd.DataFrame({"shift_start": ["07:30"]}, index=pd.Index(["T1"], name="team_id"))
    >>> make_calendar(teams)["crew"].dropna().to_list()
    ['A', 'A', 'D', 'D', 'C', 'C', 'B']
    """
    starts = [start for _, start, _, _ in _SHIFTS]
    rows: list[dict[str, object]] = []
    for day in range(7):
        date = (_MONDAY + dt.timedelta(days=day)).isoformat()
        rows.append({"calendar_id": date, "date": date,
                     "day_kind": "weekend" if day >= 5 else "workday",
                     "duty": "raised" if day == _RAISED else "normal"})
        rows += [{"calendar_id": f"{date}/{team}", "date": date, "team_id": team,
                  "crew": _CREWS[(starts.index(start) - day // 2) % len(_CREWS)]}
                 for team, start in zip(teams.index, teams["shift_start"], strict=True)]
    return _indexed("calendar", pd.DataFrame(rows))


def _posts(study: Study) -> gpd.GeoDataFrame:
    facilities = study.layer("facilities")
    return facilities[facilities["categories"] == "police_post"]


def _indexed(layer: str, frame: pd.DataFrame) -> pd.DataFrame:
    held = conform(layer, frame)
    key = LAYERS[layer].key
    return held.set_index(pd.Index(held[key].astype(object), name=key)).drop(columns=key)
