"""Writing a plan to its GeoPackage and reading it back."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from gridplan.errors import Finding, Findings, InputError, first_ids
from gridplan.layers import LAYERS, Layer, conform
from gridplan.outputs import (
    Written,
    check_target,
    digest_file,
    replace_file,
    settle_wal,
    verify_gpkg,
)
from gridplan.plan.carry import carry_columns, copy_tables, own_tables, read_frame, table_names
from gridplan.plan.digest import digest_layer
from gridplan.plan.model import Plan
from gridplan.plan.style import style_layer, write_styles

_ALWAYS = ("figures", "tally", "run")
_NUMBERS = {"int", "float"}
_GPKG_VERSION = "1.2"  # what every QGIS from 3.22 on reads without a word


def check_plan_target(path: str | Path, *, force: bool = False) -> Path:
    """Say before the work begins whether a plan can be written to ``path``; return the real path.

    Raises
    ------
    InputError
        The file is a GeoPackage that is no plan, perhaps an input, and not ``force``.
    MachineError
        As :func:`gridplan.outputs.check_target` says.
    """
    target = check_target(path)
    if not force and _is_gpkg(target):
        names = table_names(target)
        if names and "run" not in names:
            raise InputError(Finding("plan.not_ours", file=target.name,
                                     values={"layers": first_ids(names)}))
    return target


def write_plan(plan: Plan, path: str | Path, *, no_copy: bool = False, lang: str = "en",
               command: str = "", force: bool = False) -> Written:
    """Write a plan; the same plan gives the same bytes.

    What a user has added to the file the plan was read from, or else to the file that is
    replaced, stays: own layers and tables, own columns of rows that are still there, own styles.

    Parameters
    ----------
    plan
        The plan.
    path
        The GeoPackage.
    no_copy
        Stop where another program holds the file, instead of writing a dated copy beside it.
    lang
        Language of titles and legends (``en`` or ``zh``).
    command
        Put into the run table as ``command``.
    force
        Write over a GeoPackage that is no plan (its other layers stay), and over a plan
        that somebody edited; else a new plan goes beside an edited one.

    Raises
    ------
    InputError
        Keys that are missing or not unique, geometries that are not of the contract, or the
        target is a GeoPackage that is no plan.
    MachineError
        As :func:`gridplan.outputs.replace_file` says; the old file is intact.
    """
    path = check_plan_target(path, force=force)
    settled = settle_wal(path)
    if command:
        plan = plan.with_run({"command": command})
    source: Path | None = plan.origin or path
    if source is not None and _is_gpkg(source):
        plan = carry_columns(source, plan)
    else:
        source = None
    frames = {name: plan.layer(name) for name in LAYERS if name in plan.layers or name in _ALWAYS}
    _check_written(frames)
    counts = {name: len(frame) for name, frame in frames.items()}
    date = _date(plan)

    def write(temp: Path) -> None:
        with _gdal_options(OGR_CURRENT_DATE=date, OGR_SQLITE_SYNCHRONOUS="OFF"):
            for name, frame in frames.items():
                _write_layer(frame, LAYERS[name], temp)
        _finish(temp, frames, plan, source, lang, date)

    same = plan.origin is not None and path.exists() and plan.origin.exists() and (
        plan.origin.samefile(path))
    edited = plan.origin is None and not force and is_edited(path)
    written = replace_file(path, write, verify=lambda file: verify_gpkg(file, counts),
                           no_copy=no_copy, since=plan.seen if same else "edited" * edited)
    if edited and written.copied:
        return dataclasses.replace(written, note=Finding(
            "plan.edited", "warning", file=path.name, values={"copy": written.path.name}))
    if settled == "settled" and written.note is None:
        note = Finding("outputs.wal_settled", "repaired", file=path.name)
        return dataclasses.replace(written, note=note)
    return written


def is_edited(path: str | Path) -> bool:
    """Tell whether somebody changed grids, groups or units of a plan since gridplan wrote it."""
    if not _is_gpkg(Path(path)):
        return False
    try:
        plan = read_plan(path)
    except InputError:
        return False
    return any(plan.run.get(f"digest:{name}", "") not in (
        "", digest_layer(plan.layer(name), name)) for name in ("grids", "groups", "units"))


def read_plan(path: str | Path) -> Plan:
    """Read a plan file.

    Edits that another program left waiting in a ``-wal`` are part of what is read.

    Raises
    ------
    InputError
        The file is absent, damaged or no plan, or layers of it lack columns, have keys that are
        missing or not unique, values that are not allowed or another CRS; all named at once.
    """
    path = Path(path)
    findings = Findings()
    # First of all: whoever opens the file brings the edits in without saying so.
    if settle_wal(path) == "settled":
        findings.add("outputs.wal_settled", "repaired", file=path.name)
    _check_file(path)
    seen = digest_file(path)
    layers: dict[str, pd.DataFrame] = {}
    present = {str(name): name for name, _ in pyogrio.list_layers(path)}
    if "run" not in present:
        findings.add("plan.missing_layer", file=path.name, layer="run")
    for name in (n for n in LAYERS if n in present):
        frame = _read_layer(path, LAYERS[name], findings)
        if frame is not None:
            layers[name] = frame
    crs = _one_crs(layers, path.name, findings)
    findings.stop_on_faults()
    return Plan(layers, crs, findings=findings, extra=tuple(own_tables(path)), origin=path,
                seen=seen)


# ---- writing -------------------------------------------------------------------------------

def _check_written(frames: dict[str, pd.DataFrame]) -> None:
    findings = Findings()
    for name, frame in frames.items():
        layer = LAYERS[name]
        _check_keys(frame, layer, "", findings)
        if layer.geometry:
            _check_geometry(frame, layer, "", findings)
    findings.stop_on_faults()


def _check_keys(frame: pd.DataFrame, layer: Layer, file: str, findings: Findings) -> None:
    keys = layer.names[:layer.keys]
    missing = frame[layer.key].isna() | (frame[layer.key] == "").fillna(False)
    if missing.any():
        findings.add("plan.missing_key", file=file, layer=layer.name, field=layer.key,
                     count=int(missing.sum()),
                     row=_first_rows(np.flatnonzero(missing.to_numpy(dtype=bool)) + 1))
    twice = frame.duplicated(keys) & ~missing
    if twice.any():
        ids = frame.loc[twice.to_numpy(dtype=bool), keys].drop_duplicates()
        ids = ids.fillna("").agg(" / ".join, axis=1)
        findings.add("plan.duplicate_key", file=file, layer=layer.name, field=" + ".join(keys),
                     count=len(ids), row=_first_rows(ids))


def _first_rows(ids: Any) -> str:
    """Name the first few rows, each cut to a length that leaves the message readable."""
    return first_ids([text if len(text := str(i)) <= 40 else text[:39] + "…" for i in ids])


def _check_geometry(frame: Any, layer: Layer, file: str, findings: Findings) -> None:
    shapes = frame.geometry
    allowed = {layer.geometry, layer.geometry.removeprefix("Multi")}
    wrong = shapes.isna() | shapes.is_empty
    if layer.geometry != "Unknown":
        wrong |= ~shapes.geom_type.isin(allowed) & ~_single(shapes, layer)
    if wrong.any():
        bad = frame.loc[wrong.to_numpy(dtype=bool)]
        types = shapes[wrong].geom_type.fillna("none").unique()
        findings.add("plan.wrong_geometry", file=file, layer=layer.name, count=len(bad),
                     row=_first_rows(bad[layer.key]), expected=layer.geometry,
                     found=", ".join(sorted(map(str, types))))


def _single(shapes: gpd.GeoSeries, layer: Layer) -> Any:
    """Tell which shapes are of the layer's type, but wrapped in a collection of one."""
    return (shapes.geom_type == f"Multi{layer.geometry}") & (
        shapely.get_num_geometries(np.asarray(shapes.array)) == 1)


def _shaped(frame: Any, layer: Layer) -> tuple[Any, str]:
    """Return the frame with geometries of one type as far as possible, and that type."""
    shapes = shapely.force_2d(np.asarray(frame.geometry.array))
    kind: str = layer.geometry
    types = set(shapely.get_type_id(shapes).tolist())
    if kind == "Unknown":
        kind = {(3,): "Polygon", (3, 6): "MultiPolygon", (6,): "MultiPolygon", (0,): "Point",
                (1,): "LineString", (1, 5): "MultiLineString", (5,): "MultiLineString",
                }.get(tuple(sorted(types)), "Unknown")
    ids = shapely.get_type_id(shapes)
    if kind.startswith("Multi"):
        single = ids < 3 if kind != "MultiPolygon" else ids == 3
        wrap = shapely.multipolygons if kind == "MultiPolygon" else shapely.multilinestrings
        if single.any():
            shapes[single] = wrap(shapes[single], indices=np.arange(int(single.sum())))
    elif kind != "Unknown":
        wrapped = ids >= 4
        shapes[wrapped] = shapely.get_geometry(shapes[wrapped], 0)
    out = gpd.GeoDataFrame(pd.DataFrame(frame.drop(columns=frame.geometry.name)),
                           geometry=shapes, crs=frame.crs)
    return out, kind


def _write_layer(frame: pd.DataFrame, layer: Layer, path: Path) -> None:
    options: dict[str, Any] = {"layer": layer.name, "driver": "GPKG", "use_arrow": True}
    if not path.exists():
        options["dataset_options"] = {"VERSION": _GPKG_VERSION}
    if not layer.geometry:
        pyogrio.write_dataframe(frame, path, **options)
        return
    ordered = frame.sort_values(layer.names[:layer.keys], kind="stable").reset_index(drop=True)
    shaped, kind = _shaped(ordered, layer)
    pyogrio.write_dataframe(shaped, path, geometry_type=kind, **options)


def _finish(path: Path, frames: dict[str, pd.DataFrame], plan: Plan, source: Path | None,
            lang: str, date: str) -> None:
    """Add what GDAL does not write: unique keys, styles, and a user's own tables."""
    with contextlib.closing(sqlite3.connect(path, timeout=0.2, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=OFF")
        if source is not None:
            db.execute("ATTACH DATABASE ? AS old", (str(source),))
        db.execute("BEGIN")
        for name in frames:
            keys = ", ".join(f'"{c}"' for c in LAYERS[name].names[:LAYERS[name].keys])
            db.execute(f'CREATE UNIQUE INDEX "{name}_key" ON "{name}" ({keys})')
        if source is not None:
            copy_tables(db, own_tables(source))
        shapes = {row[0]: row[1] for row in db.execute(
            "SELECT table_name, geometry_type_name FROM gpkg_geometry_columns")}
        styles = {name: style_layer(name, shapes.get(name, ""), plan.run, lang)
                  for name in frames}
        write_styles(db, styles, date, source is not None)
        db.execute("COMMIT")


@contextlib.contextmanager
def _gdal_options(**options: str) -> Iterator[None]:
    """Set GDAL options for a while: they belong to the process, not to us."""
    before = {name: pyogrio.get_gdal_config_option(name) for name in options}
    pyogrio.set_gdal_config_options(options)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


def _date(plan: Plan) -> str:
    """Return the date that the file bears: never the clock's."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    if epoch.isdigit():
        moment = dt.datetime.fromtimestamp(int(epoch), dt.UTC)
    elif said := plan.run.get("data_date", ""):
        with contextlib.suppress(ValueError):
            moment = dt.datetime.fromisoformat(said)
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


# ---- reading -------------------------------------------------------------------------------

def _is_gpkg(path: Path) -> bool:
    if not path.is_file():  # to look would make it
        return False
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0.2)) as db:
            return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'gpkg_contents'"
                                   ).fetchall())
    except sqlite3.Error:
        return False


def _check_file(path: Path) -> None:
    """Stop unless the path is a GeoPackage whose every page can be read."""
    if not path.is_file():
        raise InputError(Finding("plan.absent", file=path.name))
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise InputError(Finding("plan.not_a_plan", file=path.name))
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0.2)) as db:
            faults = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)")]
            if faults == ["ok"]:
                db.execute("SELECT count(*) FROM gpkg_contents").fetchall()
    except sqlite3.DatabaseError as error:
        if "no such table" in str(error):
            raise InputError(Finding("plan.not_a_plan", file=path.name)) from error
        faults = [str(error)]
    if faults != ["ok"]:
        raise InputError(Finding("plan.damaged", file=path.name,
                                 values={"reason": "; ".join(faults)}))


def _read_layer(path: Path, layer: Layer, findings: Findings) -> pd.DataFrame | None:
    try:
        frame = read_frame(path, layer.name)
    except Exception as error:
        if not type(error).__module__.startswith(("pyogrio", "pyarrow", "shapely")):
            raise
        findings.add("plan.unreadable_layer", file=path.name, layer=layer.name,
                     reason=str(error).splitlines()[0])
        return None
    bad = [c for c in layer.names if c not in frame.columns]
    for column in bad:
        findings.add("plan.missing_column", file=path.name, layer=layer.name, field=column)
    if layer.geometry and not isinstance(frame, gpd.GeoDataFrame):
        findings.add("plan.wrong_geometry", file=path.name, layer=layer.name,
                     count=len(frame), expected=layer.geometry, found="none")
        bad.append("geometry")
    if bad or not _check_values(frame, layer, path.name, findings):
        return None
    checked = conform(layer.name, frame)
    _check_keys(checked, layer, path.name, findings)
    if layer.geometry:
        _check_geometry(checked, layer, path.name, findings)
    return checked


def _check_values(frame: pd.DataFrame, layer: Layer, file: str, findings: Findings) -> bool:
    """Tell whether every value is of its column's type and among its choices."""
    faultless = True
    for column in layer.columns:
        values = frame[column.name]
        if column.kind in _NUMBERS:
            bad = pd.to_numeric(values, errors="coerce").isna() & values.notna()
        elif column.choices:
            bad = ~values.isin(column.choices) & values.notna() & (values != "")
        else:
            continue
        if bad.any():
            faultless = False
            rows = frame.loc[bad.to_numpy(dtype=bool)]
            findings.add("plan.bad_value", file=file, layer=layer.name, field=column.name,
                         row=_first_rows(rows[layer.key]), count=len(rows),
                         value=_first_rows(rows[column.name].unique()))
    return faultless


def _one_crs(layers: dict[str, pd.DataFrame], file: str, findings: Findings) -> Any:
    """Return the one CRS of the layers; others, none and degrees are faults."""
    crs = None
    for name, frame in layers.items():
        if not isinstance(frame, gpd.GeoDataFrame):
            continue
        if frame.crs is None or not frame.crs.is_projected or (crs is not None
                                                               and frame.crs != crs):
            findings.add("plan.wrong_crs", file=file, layer=name,
                         found=frame.crs.to_string() if frame.crs else "none",
                         expected=crs.to_string() if crs else "projected, metres")
            continue
        crs = frame.crs
    return crs
