"""The plan file as the verifier sees it: read straight from SQLite, nothing taken on trust."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from numpy.typing import NDArray

from gridplan.errors import Finding, Findings, InputError
from gridplan.layers import LAYERS, Column, Layer

REQUIRED = ("communities", "grids", "units", "borders", "buildings", "roads", "barriers",
            "figures", "tally", "run")
OPTIONAL = ("specials", "estates", "groups", "must_links", "gates", "mergers", "facilities",
            "entrances", "staff", "assignments", "coverage", "service_areas", "sites",
            "stations", "stops", "required", "calendar", "teams", "zones", "routes", "visits",
            "unmet", "log")

_DECLARED = {
    "text": ("TEXT", "VARCHAR", "CHAR"),
    "int": ("INTEGER", "INT", "MEDIUMINT", "SMALLINT", "TINYINT", "BIGINT"),
    "float": ("REAL", "DOUBLE", "FLOAT"),
    "bool": ("BOOLEAN",),
}
_STORED = {"text": "('text')", "int": "('integer')", "float": "('real', 'integer')"}


def list_tables(path: str | Path) -> set[str]:
    """Return the names of all tables of a file; none where it is no database."""
    try:
        uri = Path(path).resolve().as_uri() + "?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as base:
            return {row[0] for row in base.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error:
        return set()


@dataclass(frozen=True)
class Fault:
    """A column that is absent or not of its type."""

    layer: str
    column: str
    key: str
    found: str = ""
    expected: str = ""


@dataclass(frozen=True)
class PlanData:
    """The layers of a plan, tidied: missing text is '', keys and counts are as stored."""

    path: Path
    frames: dict[str, Any]
    faults: list[Fault]
    run: dict[str, str]

    def frame(self, name: str) -> pd.DataFrame:
        """Return a layer or table."""
        held: pd.DataFrame = self.frames[name]
        return held

    def shapes(self, name: str) -> NDArray[np.object_]:
        """Return the geometry of a layer."""
        return np.asarray(self.frames[name].geometry.array, dtype=object)

    def ids(self, name: str, column: str = "") -> NDArray[np.object_]:
        """Return a text column, by default the key."""
        return self.frames[name][column or LAYERS[name].key].to_numpy(dtype=object)

    def numbers(self, name: str, column: str) -> NDArray[np.float64]:
        """Return a number column; NaN where it is empty."""
        return self.frames[name][column].to_numpy(dtype=np.float64)


def read_plan(path: str | Path, required: Sequence[str] = REQUIRED,
              optional: Sequence[str] = OPTIONAL) -> PlanData:
    """Read every layer that the rules need; those in ``required`` must be there.

    Layers in ``optional`` that are not there are empty.

    Raises
    ------
    InputError
        The file is absent, damaged or no plan; every missing layer is named.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(Finding("check.no_file", file=path.name))
    with _opened(path) as base:
        names = _intact_layers(base, path)
        findings = Findings()
        for name in required:
            if name not in names:
                findings.add("check.no_layer", file=path.name, layer=name)
        findings.stop_on_faults()
        held = [n for n in dict.fromkeys((*required, *optional)) if n in names]
        faults = [f for n in held for f in _column_faults(base, LAYERS[n])]
        frames: dict[str, Any] = {n: _read_table(base, n) for n in held if not LAYERS[n].geometry}
    broken = {(f.layer, f.column) for f in faults}
    for name in held:
        layer = LAYERS[name]
        frame = _read_layer(path, name) if layer.geometry else frames[name]
        frames[name] = _tidy(frame, layer, broken)
    crs = next(f.crs for f in frames.values() if isinstance(f, gpd.GeoDataFrame))
    for name in optional:
        frames.setdefault(name, gpd.GeoDataFrame(
            {c: [] for c in LAYERS[name].names}, geometry=[], crs=crs))
    run = frames["run"]
    pairs = {} if any(f.layer == "run" for f in faults) else dict(
        zip(run["key"].tolist(), run["value"].tolist(), strict=True))
    return PlanData(path, frames, faults, pairs)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True)) as base:
            yield base
    except sqlite3.Error as error:
        raise InputError(Finding("check.damaged", file=path.name,
                                 values={"error": str(error)})) from error


def _intact_layers(base: sqlite3.Connection, path: Path) -> set[str]:
    verdict = base.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise InputError(Finding("check.damaged", file=path.name, values={"error": verdict}))
    known = {row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    if "gpkg_contents" not in known:
        raise InputError(Finding("check.not_a_plan", file=path.name))
    held = {row[0] for row in base.execute("SELECT table_name FROM gpkg_contents")} & known
    if not held & {"grids", "units", "run"}:
        raise InputError(Finding("check.not_a_plan", file=path.name))
    return held


def _column_faults(base: sqlite3.Connection, layer: Layer) -> list[Fault]:
    declared = {row[1]: str(row[2]).upper().split("(")[0]
                for row in base.execute(f'PRAGMA table_info("{layer.name}")')}
    faults = []
    for column in layer.columns:
        found = declared.get(column.name)
        if found is None:
            faults.append(Fault(layer.name, column.name, "missing_column"))
        elif found not in _DECLARED[column.kind]:
            faults.append(Fault(layer.name, column.name, "wrong_type", found, column.kind))
    asked = [c for c in layer.columns if c.name in declared]
    if asked:
        # SQLite lets any value into any column: what is declared need not be what is stored.
        sums = ", ".join(f'SUM("{c.name}" IS NOT NULL AND NOT ({_is_stored(c)}))' for c in asked)
        row = base.execute(f'SELECT {sums} FROM "{layer.name}"').fetchone()  # noqa: S608
        told = {f.column for f in faults}
        faults += [Fault(layer.name, c.name, "wrong_type", "mixed", c.kind)
                   for c, bad in zip(asked, row, strict=True) if bad and c.name not in told]
    return faults


def _is_stored(column: Column) -> str:
    """Return the SQL condition under which a value is of the column's kind."""
    if column.kind == "bool":
        return f'"{column.name}" IN (0, 1)'
    return f'typeof("{column.name}") IN {_STORED[column.kind]}'


def _read_table(base: sqlite3.Connection, name: str) -> pd.DataFrame:
    return pd.read_sql_query(f'SELECT * FROM "{name}" ORDER BY rowid', base)  # noqa: S608


def _read_layer(path: Path, name: str) -> gpd.GeoDataFrame:
    try:
        frame = pyogrio.read_dataframe(path, layer=name)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise InputError(Finding("check.unreadable_layer", file=path.name, layer=name,
                                 values={"error": str(error)})) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise InputError(Finding("check.no_geometry_column", file=path.name, layer=name))
    return frame


def _tidy(frame: Any, layer: Layer, broken: set[tuple[str, str]]) -> Any:
    """Give contract columns one representation; columns that are faulty stay as they are."""
    out = frame.copy()
    for column in layer.columns:
        name = column.name
        if name not in out.columns or (layer.name, name) in broken:
            continue
        if column.kind == "text":
            text = out[name].astype(object)
            out[name] = text.where(text.notna(), "")
        else:
            out[name] = pd.to_numeric(out[name].astype(object), errors="coerce").astype(np.float64)
    return out
