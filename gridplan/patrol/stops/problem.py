"""What a stop patrol is asked to do: ways, teams, stops, all as whole numbers, all checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridplan.errors import Findings

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Windows = tuple[tuple[int, int], ...]

ANY = -1  # of tiers and zones: no matter which
NO_WAY = -1  # of travel times: cannot be reached
LONGEST_S = 1_000_000  # no time of a day's patrol, and no way, is longer
MOST_VISITS = 5_000
MOST_PRIORITY = 100
MOST_BALANCE = 1_000
MOST_PENALTY_MIN = 100_000

_TEAMS = {"mode": 0, "start": 0, "end": 0, "shift_start_s": 0, "shift_end_s": 0, "break_s": 0,
          "break_from_s": 0, "break_to_s": 0, "tier": ANY, "zone": ANY}
_STOPS = {"node": 0, "stay_s": 0, "stay_most_s": 0, "visits": 0, "spacing_s": 0, "priority": 1,
          "penalty_min": 0, "tier": ANY, "zone": ANY}
_TOP = {"visits": MOST_VISITS, "priority": MOST_PRIORITY, "penalty_min": MOST_PENALTY_MIN}


@dataclass(frozen=True, eq=False)
class Teams:
    """Teams on duty, one row each; all arrays have shape (k,).

    Attributes
    ----------
    ids
        Names of the teams, for messages.
    mode
        Row of ``StopProblem.travel_s`` a team moves by.
    start, end
        Nodes where the shift begins and ends.
    shift_start_s, shift_end_s
        Seconds since the midnight the day begins with; a shift may end past 86,400.
    break_s, break_from_s, break_to_s
        Length of the break, 0 for none, and the window it lies in whole.
    tier, zone
        A number each, or ``ANY``.
    """

    ids: tuple[str, ...]
    mode: Ints
    start: Ints
    end: Ints
    shift_start_s: Ints
    shift_end_s: Ints
    break_s: Ints
    break_from_s: Ints
    break_to_s: Ints
    tier: Ints
    zone: Ints


@dataclass(frozen=True, eq=False)
class Stops:
    """Places to be visited, one row each; all arrays have shape (s,).

    Attributes
    ----------
    ids
        Names of the stops, for messages.
    node
        Node of ``StopProblem.travel_s``.
    stay_s, stay_most_s
        Least and most seconds of one visit (at hotspots 600 and 960).
    windows
        Per stop pairs of first and last second; a visit lies whole in one. Empty: always.
    visits, spacing_s
        Visits wanted, and the least seconds from the begin of one to the begin of another.
    priority
        1 and above; of two required stops the one with more is met first.
    optional, penalty_min
        Whether the stop may be left out, at that many minutes of travel a visit.
    tier, zone
        Of the teams that may come, or ``ANY``.
    """

    ids: tuple[str, ...]
    node: Ints
    stay_s: Ints
    stay_most_s: Ints
    windows: tuple[Windows, ...]
    visits: Ints
    spacing_s: Ints
    priority: Ints
    optional: Bools
    penalty_min: Ints
    tier: Ints
    zone: Ints


@dataclass(frozen=True, eq=False)
class StopProblem:
    """A stop patrol of one day and shift, checked when it is made.

    Attributes
    ----------
    travel_s
        Seconds from node to node by mode, shape (modes, n, n), ``NO_WAY`` where there is none.
    teams, stops
        Who goes, and where to.
    balance
        Seconds of travel that one second of the longest work (travel and stays) is worth.

    Raises
    ------
    InputError
        Everything that is wrong, each fault with the team or stop it belongs to.

    Examples
    --------
    >>> problem = StopProblem([[[0, 60], [60, 0]]], make_teams(1), make_stops([1], visits=[2]))
    >>> problem.total_visits, problem.travel_s.shape
    (2, (1, 2, 2))
    """

    travel_s: Ints
    teams: Teams
    stops: Stops
    balance: int = 1

    def __post_init__(self) -> None:
        found = Findings()
        travel = _check_travel(self.travel_s, found)
        nodes = travel.shape[1]
        teams = _check_rows(self.teams, _TEAMS, "teams", found)
        stops = _check_rows(self.stops, _STOPS, "stops", found)
        _check_optional(self.stops, stops, found)
        if not _is_whole(self.balance) or not 0 <= int(self.balance) <= MOST_BALANCE:
            found.add("patrol.stops_range", field="balance", value=repr(self.balance)[:40],
                      low=0, high=MOST_BALANCE)
        found.stop_on_faults()
        _check_indices(teams, "teams", {"mode": travel.shape[0], "start": nodes, "end": nodes},
                       found)
        _check_indices(stops, "stops", {"node": nodes}, found)
        _check_teams(teams, found)
        windows = _check_stops(self.stops, stops, found)
        found.stop_on_faults()
        for array in (travel, *teams.values(), *stops.values()):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
        object.__setattr__(self, "travel_s", travel)
        object.__setattr__(self, "balance", int(self.balance))
        object.__setattr__(self, "teams", Teams(**teams))
        object.__setattr__(self, "stops", Stops(**{**stops, "windows": windows}))

    @property
    def total_visits(self) -> int:
        """Number of visits wanted, over all stops."""
        return int(self.stops.visits.sum())

    def allows(self) -> Bools:
        """Return who may visit what by tier and zone alone, shape (s, k)."""
        fits = np.ones((len(self.stops.ids), len(self.teams.ids)), np.bool_)
        for rule in ("tier", "zone"):
            stop = getattr(self.stops, rule)[:, None]
            team = getattr(self.teams, rule)[None, :]
            fits &= (stop == ANY) | (team == ANY) | (stop == team)
        return fits


def make_teams(count: int, ids: Sequence[str] = (), **columns: Any) -> Teams:
    """Return ``count`` teams: one mode, station at node 0, eight hours, no break, for anybody.

    >>> make_teams(2, shift_end_s=[3600, 7200]).ids
    ('T1', 'T2')
    """
    usual = {"shift_end_s": 8 * 3600, "tier": ANY, "zone": ANY}
    rows: dict[str, Any] = {name: np.full(count, usual.get(name, 0)) for name in _TEAMS}
    return Teams(ids=tuple(ids) or tuple(f"T{i + 1}" for i in range(count)), **{**rows, **columns})


def make_stops(node: Any, ids: Sequence[str] = (), **columns: Any) -> Stops:
    """Return stops at nodes: one visit of no length at any time, required, for anybody.

    >>> stops = make_stops([4, 7], visits=[1, 3])
    >>> stops.ids, stops.windows
    (('S1', 'S2'), ((), ()))
    """
    count = len(node)
    usual = {"visits": 1, "priority": 1, "tier": ANY, "zone": ANY}
    rows: dict[str, Any] = {name: np.full(count, usual.get(name, 0)) for name in _STOPS}
    rows |= {"windows": ((),) * count, "optional": np.zeros(count, np.bool_)}
    if "stay_s" in columns:
        rows["stay_most_s"] = columns["stay_s"]
    return Stops(ids=tuple(ids) or tuple(f"S{i + 1}" for i in range(count)),
                 **{**rows, "node": node, **columns})


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _as_whole(values: Any) -> Ints | None:
    """Return an array of whole numbers as int64; None if a single one is something else."""
    try:
        given = np.asarray(values)
    except (ValueError, TypeError):
        return None
    if given.size == 0 and given.dtype.kind == "f":
        return given.astype(np.int64)
    if given.dtype.kind == "u" and given.size and given.max() > np.iinfo(np.int64).max:
        return None
    return given.astype(np.int64) if given.dtype.kind in "iu" else None


def _check_travel(values: Any, found: Findings) -> Ints:
    travel = _as_whole(values)
    none = np.zeros((1, 1, 1), np.int64)
    if travel is None:
        found.add("patrol.stops_not_whole", layer="travel_s")
        return none
    if travel.ndim != 3 or travel.shape[1] != travel.shape[2] or not travel.size:
        found.add("patrol.stops_shape", layer="travel_s", shape=str(travel.shape))
        return none
    wrong = np.argwhere((travel < NO_WAY) | (travel > LONGEST_S))
    if len(wrong):
        mode, a, b = (int(x) for x in wrong[0])
        found.add("patrol.stops_travel", layer="travel_s", row=f"{mode}, {a}, {b}",
                  count=len(wrong), value=int(travel[mode, a, b]), high=LONGEST_S)
    if np.einsum("mii->mi", travel).any():
        found.add("patrol.stops_diagonal", layer="travel_s")
    return travel


def _check_rows(given: Any, columns: dict[str, int], layer: str, found: Findings
                ) -> dict[str, Any]:
    """Return the columns as int64, each as long as there are ids and within its bounds."""
    ids = tuple(str(i) for i in given.ids)
    rows: dict[str, Any] = {"ids": ids}
    if len(set(ids)) < len(ids):
        twice = next(i for nth, i in enumerate(ids) if i in ids[:nth])
        found.add("patrol.stops_twice", layer=layer, row=twice)
    for name, low in columns.items():
        high = _TOP.get(name, LONGEST_S)
        column = _as_whole(getattr(given, name))
        if column is None:
            found.add("patrol.stops_not_whole", layer=layer, field=name)
        elif column.shape != (len(ids),):
            found.add("patrol.stops_rows", layer=layer, field=name, ids=len(ids),
                      shape=str(column.shape))
        else:
            for i in np.flatnonzero((column < low) | (column > high)):
                found.add("patrol.stops_range", layer=layer, row=ids[i], field=name,
                          value=int(column[i]), low=low, high=high)
            rows[name] = column
    return rows


def _check_optional(given: Stops, rows: dict[str, Any], found: Findings) -> None:
    optional = np.asarray(given.optional)
    if optional.dtype.kind != "b" or optional.shape != (len(rows["ids"]),):
        found.add("patrol.stops_rows", layer="stops", field="optional", ids=len(rows["ids"]),
                  shape=f"{optional.dtype} {optional.shape}")
    else:
        rows["optional"] = optional.copy()


def _check_indices(rows: dict[str, Any], layer: str, sizes: dict[str, int], found: Findings
                   ) -> None:
    for name, size in sizes.items():
        for i in np.flatnonzero(rows[name] >= size):
            found.add("patrol.stops_index", layer=layer, row=rows["ids"][i], field=name,
                      value=int(rows[name][i]), high=size - 1)


def _check_teams(rows: dict[str, Any], found: Findings) -> None:
    if not rows["ids"]:
        found.add("patrol.stops_no_team", layer="teams")
    for i, team in enumerate(rows["ids"]):
        start, end = rows["shift_start_s"][i], rows["shift_end_s"][i]
        if end <= start:
            found.add("patrol.stops_shift", layer="teams", row=team, start=clock(start),
                      end=clock(end))
        elif rows["break_s"][i]:
            first = max(start, rows["break_from_s"][i])
            last = min(end, rows["break_to_s"][i])
            if last - first < rows["break_s"][i]:
                found.add("patrol.stops_break", layer="teams", row=team, field="break_window",
                          minutes=round(int(rows["break_s"][i]) / 60, 1),
                          start=clock(rows["break_from_s"][i]), end=clock(rows["break_to_s"][i]))


def _check_stops(given: Stops, rows: dict[str, Any], found: Findings) -> tuple[Windows, ...]:
    ids = rows["ids"]
    if rows["visits"].sum() > MOST_VISITS:
        found.add("patrol.stops_many", layer="stops", count=int(rows["visits"].sum()),
                  high=MOST_VISITS)
    for i in np.flatnonzero(rows["stay_most_s"] < rows["stay_s"]):
        found.add("patrol.stops_stay", layer="stops", row=ids[i],
                  least=int(rows["stay_s"][i]), most=int(rows["stay_most_s"][i]))
    if len(given.windows) != len(ids):
        found.add("patrol.stops_rows", layer="stops", field="windows", ids=len(ids),
                  shape=f"({len(given.windows)},)")
        return ()
    return tuple(_check_windows(ids[i], given.windows[i], found) for i in range(len(ids)))


def _check_windows(stop: str, windows: Any, found: Findings) -> Windows:
    kept = []
    for window in windows:
        pair = tuple(window)
        if len(pair) != 2 or not all(_is_whole(t) for t in pair):
            found.add("patrol.stops_not_whole", layer="stops", row=stop, field="windows")
        elif not (0 <= pair[0] <= LONGEST_S and 0 <= pair[1] <= LONGEST_S):
            found.add("patrol.stops_range", layer="stops", row=stop, field="windows",
                      value=str(pair), low=0, high=LONGEST_S)
        elif pair[1] < pair[0]:
            found.add("patrol.stops_reversed", layer="stops", row=stop, field="windows",
                      start=clock(pair[0]), end=clock(pair[1]))
        else:
            kept.append((int(pair[0]), int(pair[1])))
    return _join_windows(sorted(kept))


def _join_windows(windows: list[tuple[int, int]]) -> Windows:
    """Join windows that touch or overlap; they must be sorted.

    >>> _join_windows([(0, 5), (5, 7), (9, 10)])
    ((0, 7), (9, 10))
    """
    joined: list[tuple[int, int]] = []
    for first, last in windows:
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def clock(seconds: Any) -> str:
    """Write seconds since midnight as ``HH:MM``, with seconds where there are some.

    >>> clock(90600), clock(61)
    ('25:10', '00:01:01')
    """
    minutes, rest = divmod(int(seconds), 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{rest:02d}" if rest else text
