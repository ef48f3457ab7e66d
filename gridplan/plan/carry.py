"""What a user has added to a plan file, and how it stays when the plan is written again."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyogrio

from gridplan.layers import LAYERS
from gridplan.plan.model import Plan

_INTERNAL = ("gpkg_", "sqlite_", "rtree_")
# The tables in which a GeoPackage keeps what it knows of its tables, by their column table_name.
_REGISTERS = ("gpkg_contents", "gpkg_geometry_columns", "gpkg_ogr_contents", "gpkg_extensions",
              "gpkg_data_columns", "gpkg_tile_matrix_set", "gpkg_tile_matrix")


def carry_over(old_path: str | Path, new_plan: Plan) -> Plan:
    """Return the new plan with what a user has added to an old file.

    Own columns are joined to the rows whose key is still there; own layers, tables and styles
    follow when the plan is written.
    """
    path = Path(old_path)
    return dataclasses.replace(carry_columns(path, new_plan), origin=path,
                               extra=tuple(own_tables(path)))


def carry_columns(path: Path, plan: Plan) -> Plan:
    """Join a user's own columns of an old file to the layers of a plan."""
    there = {str(name) for name, _ in pyogrio.list_layers(path)}
    joined: dict[str, pd.DataFrame] = {}
    for name, frame in plan.layers.items():
        layer = LAYERS[name]
        if layer.keys > 1 or name == "run" or name not in there:
            continue
        held = {str(c) for c in pyogrio.read_info(path, layer=name)["fields"]}
        own = sorted(held - set(map(str, frame.columns)) - set(layer.names))
        if not own or layer.key not in held:
            continue
        old = read_frame(path, name, columns=[layer.key, *own], read_geometry=False)
        old = old.dropna(subset=layer.key).drop_duplicates(layer.key).set_index(layer.key)
        found = old[own].reindex(frame[layer.key].astype(object))
        joined[name] = frame.assign(**{c: found[c].array for c in own})
    return plan.with_layers(**joined) if joined else plan


def read_frame(path: Path, layer: str, **options: Any) -> Any:
    """Read a layer so that whole numbers stay whole where some are missing."""
    kept = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype(), pa.int16(): pd.Int16Dtype(),
            pa.bool_(): pd.BooleanDtype()}
    return pyogrio.read_dataframe(path, layer=layer, use_arrow=True,
                                  arrow_to_pandas_kwargs={"types_mapper": kept.get}, **options)


def table_names(path: Path) -> list[str]:
    """Return the names of the tables and layers in a GeoPackage, without its own book-keeping."""
    with contextlib.closing(sqlite3.connect(path, timeout=0.2)) as db:
        names = [row[0] for row in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return [n for n in names if n != "layer_styles" and not n.lower().startswith(_INTERNAL)]


def own_tables(path: Path) -> list[str]:
    """Return the names of the tables and layers in a GeoPackage that are not of the contract."""
    return [n for n in table_names(path) if n.lower() not in LAYERS]


def copy_tables(db: sqlite3.Connection, names: Iterable[str]) -> None:
    """Copy tables, with all that belongs to them, from the attached ``old`` into a GeoPackage.

    Rows are copied as they are stored, so that nothing of a format we do not know is lost.
    """
    for name in names:
        if _has(db, "main", name):
            continue
        db.execute(_sql(db, "table", name))
        db.execute(f"INSERT INTO main.{_quoted(name)} SELECT * FROM old.{_quoted(name)}")  # noqa: S608
        for register in _REGISTERS:
            _copy_register(db, register, name)
        _copy_index(db, name)
        for (statement,) in db.execute(
                "SELECT sql FROM old.sqlite_master WHERE lower(tbl_name) = lower(?) "
                "AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY type, name",
                (name,)).fetchall():
            db.execute(statement)


def _copy_register(db: sqlite3.Connection, register: str, name: str) -> None:
    if not _has(db, "old", register):
        return
    where = f"FROM old.{register} WHERE lower(table_name) = lower(?)"
    if not db.execute(f"SELECT 1 {where}", (name,)).fetchone():
        return
    if not _has(db, "main", register):
        db.execute(_sql(db, "table", register))
    if register == "gpkg_contents" and _has(db, "old", "gpkg_spatial_ref_sys"):
        shared = _shared_columns(db, "gpkg_spatial_ref_sys")
        db.execute(f"INSERT OR IGNORE INTO main.gpkg_spatial_ref_sys ({shared}) "  # noqa: S608
                   f"SELECT {shared} FROM old.gpkg_spatial_ref_sys WHERE srs_id IN "
                   f"(SELECT srs_id {where})", (name,))
    shared = _shared_columns(db, register)
    db.execute(f"INSERT OR REPLACE INTO main.{register} ({shared}) "
               f"SELECT {shared} {where}", (name,))


def _copy_index(db: sqlite3.Connection, name: str) -> None:
    """Copy the spatial index of a layer; its inner tables come with it."""
    for (index,) in db.execute(
            "SELECT name FROM old.sqlite_master WHERE type = 'table' AND sql LIKE "
            "'CREATE VIRTUAL TABLE%' AND lower(name) LIKE lower(?) || '%'",
            (f"rtree_{name}_",)).fetchall():
        if not _has(db, "main", index):
            db.execute(_sql(db, "table", index))
            db.execute(f"INSERT INTO main.{_quoted(index)} SELECT * FROM old.{_quoted(index)}")  # noqa: S608


def _shared_columns(db: sqlite3.Connection, table: str) -> str:
    new, old = ([row[1] for row in db.execute(f"PRAGMA {schema}.table_info({_quoted(table)})")]
                for schema in ("main", "old"))
    return ", ".join(_quoted(c) for c in new if c in old)


def _sql(db: sqlite3.Connection, kind: str, name: str) -> str:
    found: str = db.execute("SELECT sql FROM old.sqlite_master WHERE type = ? AND "
                            "lower(name) = lower(?)", (kind, name)).fetchone()[0]
    return found


def _has(db: sqlite3.Connection, schema: str, name: str) -> bool:
    return bool(db.execute(f"SELECT 1 FROM {schema}.sqlite_master WHERE type = 'table' "  # noqa: S608
                           "AND lower(name) = lower(?)", (name,)).fetchone())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
