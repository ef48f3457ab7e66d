"""Reads one table, CSV or workbook, every cell as text, with the line each row stands in."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from gridplan.errors import first_ids
from gridplan.read import door
from gridplan.read.door import Refused
from gridplan.read.vector import RawTable, choose_layer
from gridplan.sheets import SheetError, fold, open_workbook, split_csv

_HEADER_WITHIN = 10  # a heading may stand above the column names


def read_table(path: Path, kind: str, wanted: str | None, role: str,
               known: Collection[str] = ()) -> RawTable:
    """Read a CSV file or one sheet of a workbook; ``known`` are folded column names to expect."""
    if kind == "xlsx":
        return _read_workbook(path, wanted, role, known)
    return _read_csv(path)


def _read_csv(path: Path) -> RawTable:
    text, encoding = door.decode(path.read_bytes())
    try:
        rows, lines = split_csv(text)
    except SheetError as error:
        raise Refused("read.damaged_row", row=error.row, **error.values) from error
    raw = _to_table(rows, lines, path.stem, 0)
    raw.encoding = encoding
    if encoding not in ("UTF-8", "UTF-8-SIG"):
        raw.note("read.encoding_guessed", "repaired", encoding=encoding)
    return raw


def _read_workbook(path: Path, wanted: str | None, role: str,
                   known: Collection[str]) -> RawTable:
    try:
        sheet = open_workbook(path, lambda listed: choose_layer(
            [(n, "sheet" if filled else None) for n, filled in listed], wanted, role))
    except SheetError as error:
        raise Refused(f"read.{error.kind}", **error.values) from error
    inexact = sheet.inexact
    header = _header_row(sheet.rows, known)
    filled_in = sheet.fill_merged(header + 1, across=True)
    rows = sheet.rows
    raw = _to_table(rows[header:], list(range(header + 1, len(rows) + 1)), sheet.name, header)
    if filled_in:
        raw.note("read.merged_filled", "repaired", count=filled_in)
    if sheet.blank_formulas:
        raw.note("read.formula_blank", "error", rows=np.array(sheet.blank_formulas))
    if inexact:
        raw.note("read.digits_lost", "error", rows=np.array(sorted({r for r, _, _ in inexact})),
                 value=f"{inexact[0][2]:.0f}")
    return raw


def _header_row(rows: list[list[str]], known: Collection[str]) -> int:
    """Find the row of column names: the first with a known name, else the first filled one."""
    filled = [i for i, row in enumerate(rows) if any(c.strip() for c in row)]
    for i in filled[:_HEADER_WITHIN]:
        cells = [c for c in rows[i] if c.strip()]
        if len(cells) > 1 and any(fold(c) in known for c in cells):
            return i
    return filled[0] if filled else 0


def _to_table(rows: list[list[str]], lines: list[int], name: str, header: int) -> RawTable:
    """Make a table of rows of text: the first filled row names the columns, blank rows go."""
    filled = [i for i, row in enumerate(rows) if any(c.strip() for c in row)]
    if not filled:
        raise Refused("read.empty_file")
    columns = [c.strip() for c in rows[filled[0]]]
    while columns and not columns[-1]:
        columns.pop()
    width = len(columns)
    body = filled[1:]
    wrong = [lines[i] for i in body
             if len(rows[i]) < width or any(c.strip() for c in rows[i][width:])]
    if wrong:
        raise Refused("read.row_width", row=first_ids(wrong), columns=width)
    repeated = sorted({c for c in columns if c and columns.count(c) > 1})
    if repeated:
        raise Refused("read.column_twice", field=", ".join(repeated))
    names = [c or f"column {i}" for i, c in enumerate(columns, 1)]
    data = pd.DataFrame([rows[i][:width] for i in body], columns=names, dtype="string")
    raw = RawTable(data, np.array([lines[i] for i in body], dtype=int), name)
    blank = (body[-1] - filled[0] if body else 0) - len(body)
    if blank:
        raw.note("read.blank_rows", "repaired", count=blank)
    return raw
