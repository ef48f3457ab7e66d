"""What a dispatcher gives → the layers of patrols, in the columns and the CRS of a plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.datum import refuse_unknown
from gridplan.errors import Findings, TallyRow, first_ids
from gridplan.layers import LAYERS, Column, Source, conform, typed
from gridplan.plan import Plan
from gridplan.read import crs as crs_rules
from gridplan.read import door, intake, names, values
from gridplan.read.door import Refused
from gridplan.read.intake import Options, load_table, shown_name
from gridplan.read.patrol_cells import (
    Rows,
    is_span,
    read_choices,
    read_numbers,
    read_words,
    spell_clock,
    spell_date,
    spell_spans,
)
from gridplan.read.patrol_places import (
    find_rows,
    join_grids,
    pick_streets,
    place_rows,
    snap_zones,
    stand_at,
)
from gridplan.read.patrol_words import CELL_WORDS, SHEET_NAMES
from gridplan.read.vector import RawTable, layers_of
from gridplan.sheets import fold, private_columns
from gridplan.sheets.privacy import is_person

ROLES = ("teams", "stations", "stops", "streets", "calendar", "zones")
_PLACED = ("stations", "stops", "streets", "zones", "points")
_PREFIX = {"stations": "ST", "stops": "S", "streets": "Q", "points": "W"}
_SPANS = ("windows", "break_window", "shift")
_POINT = (Column("point_id", "text"), Column("kind", "text"), Column("name", "text"),
          Column("radius_m", "float"))


@dataclass(frozen=True)
class _Reading:
    """How the files of one run are read."""

    plan: Plan
    findings: Findings
    options: Options
    datum: Mapping[str, str] | str | None
    drop_null: bool

    def datum_of(self, role: str) -> str | None:
        """Return the datum given for ``role``."""
        return self.datum.get(role) if isinstance(self.datum, Mapping) else self.datum


def read_patrol(paths: Mapping[str, str | Path], plan: Plan, findings: Findings, *,
                points: Mapping[str, str | Path] | None = None,
                columns: Mapping[str, str] | None = None,
                layer: Mapping[str, str] | str | None = None,
                crs: Mapping[str, Any] | Any = None, datum: Mapping[str, str] | str | None = None,
                allow_remote: bool = False, drop_null: bool = False, drop_columns: bool = False,
                stop: bool = True) -> dict[str, Any]:
    """Read the tables and layers that a dispatcher gives for patrols.

    Every file may be a workbook, a CSV file or any layer that :func:`read_layers` takes. Column
    names and words in cells are understood in English and Chinese. One workbook may hold several
    tables: each is found by the name of its sheet.

    Parameters
    ----------
    paths
        ``teams``, ``stations``, ``stops``, ``streets``, ``calendar``, ``zones`` → file. Stations
        and stops are points, or rows with coordinates, or with the ``facility_id`` or ``grid_id``
        at which they stand. Streets are lines, or rows with a ``road_id``, the name of a road or a
        ``road_class``. Zones are areas, or rows that list grids or communities.
    plan
        Whose CRS, facilities, grids and roads are meant.
    findings
        Receives faults, repairs, warnings and one row of the tally per file.
    points
        Kind → file of fixed posts, lights and the like.
    columns, layer, crs, datum, allow_remote, drop_null, drop_columns
        As in :func:`read_layers`, with the names of ``paths`` and ``points`` as layers.
    stop
        Without it, faults of rows are only gathered, so that they can be told with those that
        the check of the layers finds. A file that cannot be read at all stops in any case.

    Returns
    -------
    dict
        ``teams``, ``stations``, ``stops``, ``calendar`` and ``zones`` with the columns of their
        layers, ``streets`` with those of ``required`` (whole roads or lines as drawn, not yet cut
        at junctions), ``points`` (point_id, kind, name, radius_m). The index ``row`` is the row of
        the file; ``attrs`` hold ``file``, ``heads`` (ours → the heading there) and ``source``.
        Where no stations are given and teams stand at facilities of the plan, these are stations
        beside those of the plan.

    Raises
    ------
    UsageError
        ``crs`` or ``datum`` is a word that names none.
    InputError
        With every fault of every file.
    """
    crs_rules.refuse_unknown(crs)
    refuse_unknown(datum)
    options = Options(columns or {}, layer, crs, allow_remote, drop_columns)
    reading = _Reading(plan, findings, options, datum, drop_null)
    files = {**paths, **{f"points:{kind}": path for kind, path in (points or {}).items()}}
    seen: dict[str, set[str]] = {}
    read: dict[str, list[pd.DataFrame]] = {}
    whole = True
    for key, path in files.items():
        role, _, kind = key.partition(":")
        try:
            frame = _read_one(role, kind, path, reading, seen)
        except Refused as refusal:
            intake.tell_refusal(refusal, role, shown_name(path), findings)
            whole = False
            continue
        if frame is None:
            whole = False
        elif len(frame) or frame.attrs["source"].rows:
            read.setdefault(role, []).append(frame)
    intake._check_mapping(options, files, seen, findings)
    if stop or not whole:
        findings.stop_on_faults()
    out = {role: frames[0] if len(frames) == 1 else pd.concat(frames)
           for role, frames in read.items()}
    if "teams" in out and "stations" not in out:
        stations = _derive_stations(out["teams"], plan)
        out |= {"stations": stations} if len(stations) else {}
    return out


def _read_one(role: str, kind: str, path: str | Path, reading: _Reading,
              seen: dict[str, set[str]]) -> Any:
    """Return one file as a layer; None where it cannot be placed."""
    file, findings = shown_name(path), reading.findings
    if role not in (*ROLES, "points"):
        findings.add("read.unknown_layer", file=file, layer=role, layers=", ".join(ROLES))
        return None
    options = _choose_sheet(role, path, reading.options)
    raw, form = load_table(role, path, options, findings)
    seen.setdefault(role, set()).update(raw.data.columns)
    source = Source(file, role, intake._digest(path, raw, form), len(raw.data))
    intake._tell_notes(raw, role, file, findings)
    found = _recognise(role, raw, options, file, findings)
    if raw.data.empty:
        findings.add("read.empty_layer", "warning", file=file, layer=role)
    _drop_sums(raw, role, file, findings)
    text = pd.DataFrame({ours: values.to_text(raw.data[theirs]).array
                         for ours, theirs in found.items()},
                        index=pd.Index(raw.rows, name="row"))
    rows = Rows(role, file, text, findings, found)
    before = len(text)
    if not _take_columns(rows) or not _place(rows, raw, options, reading):
        return None
    if role == "points":
        rows.text = rows.text.assign(kind=pd.array([kind] * len(rows.text), dtype="string"))
    _refuse_persons(rows)
    _name_rows(rows)
    frame = _make_layer(rows, reading.plan)
    findings.tally.append(TallyRow("read", role, before, len(set(frame.index)),
                                   rejected=before - len(set(frame.index))))
    frame.attrs = {"file": file, "heads": dict(found), "source": source}
    return frame


def _choose_sheet(role: str, path: str | Path, options: Options) -> Options:
    """Name the sheet or layer of a file that is called like its role, if one is."""
    if options.layer_of(role) is not None or door.is_remote(path):
        return options
    try:
        held = layers_of(Path(path), door.identify(Path(path)), blank=True)
    except Refused:
        return options
    known = {fold(name) for name in SHEET_NAMES.get(role, ())}
    named = [name for name in held if name and fold(name) in known]
    return dataclasses.replace(options, layer={role: named[0]}) if len(named) == 1 else options


def _recognise(role: str, raw: RawTable, options: Options, file: str,
               findings: Findings) -> dict[str, str]:
    """Return ours → theirs; refuse, or drop, columns that look like somebody's own data."""
    heads = list(raw.data.columns)
    mapped = options.columns_of(role)
    found = names.find_columns(role, heads, mapped)
    known = {heads.index(theirs) for theirs in found.values()}
    known |= {heads.index(c) for c in names.find_coordinates(heads, mapped).values()}
    codes = {heads.index(theirs) for ours, theirs in found.items() if ours.endswith("_id")}
    table = pd.DataFrame({k: values.to_text(raw.data[c]).array for k, c in enumerate(heads)})
    private = dict.fromkeys([*names.private_columns(heads), *(
        heads[k] for k in private_columns(heads, table, known=known, codes=codes))])
    if private:
        findings.add("read.private", "warning" if options.drop_columns else "error", file=file,
                     layer=role, field=", ".join(private), count=len(private))
        raw.data = raw.data.drop(columns=list(private))
    return {ours: theirs for ours, theirs in found.items() if theirs not in private}


def _drop_sums(raw: RawTable, role: str, file: str, findings: Findings) -> None:
    sums = raw.data.isin(names.SUMS).any(axis=1).to_numpy(dtype=bool)
    if sums.any():
        findings.add("read.sum_row", "repaired", file=file, layer=role, count=int(sums.sum()),
                     row=first_ids(raw.rows[sums]))
        raw.data, raw.rows = raw.data[~sums].reset_index(drop=True), raw.rows[~sums]
        raw.geometry = None if raw.geometry is None else raw.geometry[~sums]


def _take_columns(rows: Rows) -> bool:
    """Tell 班次 apart, split shifts, and tell which column a table cannot do without."""
    if "turn" in rows.text:
        turn = rows.text["turn"]
        hours = turn.map(is_span, na_action="ignore").fillna(False).astype(bool)
        for name, part in (("shift", turn.where(hours)), ("crew", turn.mask(hours))):
            rows.text = rows.text.assign(**{name: rows.column(name).fillna(part)})
            rows.heads = {name: rows.heads["turn"], **rows.heads}
    if rows.role == "teams" and "shift" in rows.text:
        ends = rows.text["shift"].map(lambda s: spell_spans(s).partition("-"), na_action="ignore")
        for name, at in (("shift_start", 0), ("shift_end", 2)):
            rows.text = rows.text.assign(**{name: rows.column(name).fillna(
                ends.map(lambda parts, at=at: parts[at], na_action="ignore"))})
            rows.heads = {name: rows.heads["shift"], **rows.heads}
    needed = {"teams": "team_id", "calendar": "date", "zones": "zone_id"}.get(rows.role)
    if needed and needed not in rows.text:
        rows.findings.add("read.no_column", file=rows.file, layer=rows.role, field=needed,
                          columns=first_ids(rows.heads.values(), 30))
        return False
    return True


def _place(rows: Rows, raw: RawTable, options: Options, reading: _Reading) -> bool:
    """Give the rows of a layer their geometry; return False where nothing says where they are."""
    if rows.role not in _PLACED:
        return True
    if not place_rows(rows, raw, options, reading.plan, datum=reading.datum_of(rows.role),
                      drop_null=reading.drop_null):
        return False
    assert rows.shapes is not None
    if rows.role == "streets":
        _refuse_twice(rows, raw, "required_id")
        pick_streets(rows, reading.plan)
    elif rows.role == "zones":
        if shapely.is_missing(rows.shapes).all():
            join_grids(rows, reading.plan)
        else:
            snap_zones(rows, reading.plan)
    else:
        stand_at(rows, reading.plan)
    return True


def _refuse_twice(rows: Rows, raw: RawTable, name: str) -> None:
    """Tell of an id that two rows of the file have: one row may become several lines."""
    own = rows.column(name)[~rows.text.index.duplicated()]
    twice = (own.duplicated(keep=False) & own.notna()).to_numpy(dtype=bool)
    if twice.any():
        rows.findings.add("read.duplicate_ids", file=rows.file, layer=rows.role,
                          row=first_ids(own.index[twice]), field=rows.heads.get(name, name),
                          count=int(twice.sum()), ids=first_ids(dict.fromkeys(own[twice])))


def _refuse_persons(rows: Rows) -> None:
    for name in ("kind", "name"):
        wrong = rows.column(name).fillna("").map(
            lambda cell: any(is_person(word) for word in str(cell).split(";"))
            ).to_numpy(dtype=bool)
        rows.tell("read.person", "error", wrong & (rows.role in ("stations", "stops", "points")),
                  name, words=first_ids(dict.fromkeys(rows.column(name)[wrong])))


def _name_rows(rows: Rows) -> None:
    """Give rows without an id one by their order; lines of one row get a number behind it."""
    key = "required_id" if rows.role == "streets" else f"{rows.role.removesuffix('s')}_id"
    if rows.role in _PREFIX:
        made = pd.Series([f"{_PREFIX[rows.role]}{n + 1:05d}" for n in range(len(rows.text))],
                         rows.text.index, dtype="string")
        ids = rows.column(key)
        if rows.role == "streets":
            many = (rows.text.index.duplicated(keep=False) & ids.notna()).to_numpy(dtype=bool)
            number = pd.Series(range(len(ids)), ids.index).groupby(level=0).cumcount() + 1
            ids = ids.mask(many, ids + "-" + number.astype("string"))
        rows.text = rows.text.assign(**{key: ids.fillna(made)})
    elif rows.role == "calendar":
        date = rows.column("date").map(spell_date, na_action="ignore").fillna("")
        made = (date + "/" + rows.column("team_id").fillna("")).str.rstrip("/")
        again = made.groupby(made.to_numpy()).cumcount()
        made = made.where(again.to_numpy() == 0, made + "-" + (again + 1).astype("string"))
        rows.text = rows.text.assign(calendar_id=rows.column(key).fillna(made))


def _make_layer(rows: Rows, plan: Plan) -> pd.DataFrame:
    """Return the rows with the columns of their layer, typed, indexed by the row of the file."""
    layer = "required" if rows.role == "streets" else rows.role
    listed = _POINT if layer == "points" else LAYERS[layer].columns
    data: dict[str, Any] = {}
    for column in listed:
        name = column.name
        if name == "optional":
            data[name] = read_choices(rows)
        elif column.kind in ("int", "float"):
            data[name] = read_numbers(rows, name, column.kind)
        elif name in CELL_WORDS and (name != "kind" or layer in ("stops", "stations")):
            data[name] = read_words(rows, name).array
        elif name in _SPANS:
            data[name] = rows.column(name).map(spell_spans, na_action="ignore").array
        elif name in ("shift_start", "shift_end"):
            data[name] = rows.column(name).map(spell_clock, na_action="ignore").array
        elif name == "date":
            data[name] = rows.column(name).map(spell_date, na_action="ignore").array
        else:
            data[name] = rows.column(name).str.strip().array
    out = pd.DataFrame({c.name: typed(data[c.name], c.kind, len(rows.text)) for c in listed})
    if rows.shapes is not None:
        out = gpd.GeoDataFrame(out, geometry=rows.shapes, crs=plan.crs)
    if layer != "points":
        out = conform(layer, out)
    return out.set_index(pd.Index(rows.text.index, name="row"))


def _derive_stations(teams: pd.DataFrame, plan: Plan) -> gpd.GeoDataFrame:
    """Return the stations of the plan and the facilities at which teams stand, each once.

    Without rows where no team stands at a facility that is not a station already.
    """
    known, facilities = plan.layer("stations"), plan.layer("facilities")
    words = [str(w) for w in teams["station_id"].dropna().drop_duplicates()]
    new = [w for w, k in zip(words, find_rows(known, "station_id", words), strict=True) if k < 0]
    at = find_rows(facilities, "facility_id", new)
    chosen = facilities.iloc[sorted(set(at[at >= 0].tolist()))]
    frame = gpd.GeoDataFrame({
        "station_id": chosen["facility_id"].array, "name": chosen["name"].array,
        "kind": [str(c).partition(";")[0] for c in chosen["categories"].fillna("")]},
        geometry=np.asarray(chosen.geometry.array), crs=plan.crs)
    made = conform("stations", frame)
    out = gpd.GeoDataFrame(made if known.empty or frame.empty else conform(
        "stations", gpd.GeoDataFrame(pd.concat([known, made], ignore_index=True), crs=plan.crs)))
    out.attrs = {"file": teams.attrs["file"], "heads": {}, "source": teams.attrs["source"]}
    return out
