"""Reads one table, CSV or workbook, every cell as text, with the line each row stands in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gridplan.errors import first_ids
from gridplan.read import door
from gridplan.read.door import Refused
from gridplan.read.names import fold
from gridplan.read.vector import RawTable, choose_layer

_HEADER_WITHIN = 10  # a heading may stand above the column names
_EXCEL_DIGITS = 10**15  # a workbook keeps 15 digits of a number


def read_table(path: Path, kind: str, wanted: str | None, role: str,
               known: Collection[str] = ()) -> RawTable:
    """Read a CSV file or one sheet of a workbook; ``known`` are folded column names to expect."""
    if kind == "xlsx":
        return _read_workbook(path, wanted, role, known)
    return _read_csv(path)


def _read_csv(path: Path) -> RawTable:
    text, encoding = door.decode(path.read_bytes())
    sample = text[:65536]
    first = next((line for line in sample.splitlines() if line.strip()), "")
    delimiter = max(",;\t|", key=lambda d: (first.count(d), d == ","))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[list[str]] = []
    lines: list[int] = []
    longest = csv.field_size_limit(max(len(text), 131_072))  # a WKT outline can be long
    try:
        for row in reader:
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise Refused("read.damaged_row", row=reader.line_num, error=str(error)) from error
    finally:
        csv.field_size_limit(longest)
    raw = _to_table(rows, lines, path.stem, 0)
    raw.encoding = encoding
    if encoding not in ("UTF-8", "UTF-8-SIG"):
        raw.note("read.encoding_guessed", "repaired", encoding=encoding)
    return raw


def _read_workbook(path: Path, wanted: str | None, role: str,
                   known: Collection[str]) -> RawTable:
    import python_calamine as calamine
    if path.read_bytes()[:2] == b"PK":
        with door.open_zip(path):
            pass  # the limits of a zip file hold for a workbook too
    try:
        with calamine.CalamineWorkbook.from_path(str(path)) as book:
            sheets = {n: book.get_sheet_by_name(n) for n in book.sheet_names}
            listed: list[tuple[str, str | None]] = [
                (n, "sheet" if s.total_height else None) for n, s in sheets.items()]
            name = choose_layer(listed, wanted, role)
            cells = sheets[name].to_python(skip_empty_area=False)
            merged = sheets[name].merged_cell_ranges or []
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise Refused("read.damaged", error=str(error).splitlines()[0]) from error
    blank = _blank_formulas(path, list(sheets).index(name))
    inexact = [(r + 1, v) for r, row in enumerate(cells) for v in row
               if isinstance(v, float) and v.is_integer() and abs(v) >= _EXCEL_DIGITS]
    rows = [[_as_text(v) for v in row] for row in cells]
    header = _header_row(rows, known)
    filled_in = _fill_merged(rows, merged, header)
    raw = _to_table(rows[header:], list(range(header + 1, len(rows) + 1)), name, header)
    if filled_in:
        raw.note("read.merged_filled", "repaired", count=filled_in)
    if blank:
        raw.note("read.formula_blank", "error", rows=np.array(blank))
    if inexact:
        raw.note("read.digits_lost", "error", rows=np.array(sorted({r for r, _ in inexact})),
                 value=f"{inexact[0][1]:.0f}")
    return raw


def _blank_formulas(path: Path, position: int) -> list[str]:
    """Return the cells of a sheet with a formula whose value was never stored.

    A program wrote the workbook and no spreadsheet has opened it since: the cell reads as
    blank though it is not. Only .xlsx tells.
    """
    if path.read_bytes()[:2] != b"PK":
        return []
    with door.open_zip(path) as book:
        if "xl/_rels/workbook.xml.rels" not in book.namelist():
            return []
        ids = re.findall(rb'<sheet [^>]*r:id="([^"]+)"', book.read("xl/workbook.xml"))
        parts = {}
        for relation in re.findall(rb"<Relationship [^>]*>", book.read(
                "xl/_rels/workbook.xml.rels")):
            held = dict(re.findall(rb'(Id|Target)="([^"]*)"', relation))
            parts[held[b"Id"]] = held[b"Target"].decode().removeprefix("/xl/")
        body = book.read("xl/" + parts[ids[position]])
    if b"<f" not in body:
        return []
    return [_attribute(cell, b"r") for cell, inner in re.findall(
        rb"<c ([^>]*[^/])>(.*?)</c>", body, re.DOTALL)
        if b"<f" in inner and not re.search(rb"<v[^>]*>[^<]", inner) and b't="str"' not in cell]


def _attribute(cell: bytes, name: bytes) -> str:
    found = re.search(rb'\b' + name + rb'="([^"]*)"', cell)
    return found[1].decode() if found else ""


def _as_text(value: Any) -> str:
    """Return a cell as text; a whole number without a decimal point.

    >>> _as_text(3.0), _as_text("001"), _as_text(True), _as_text(2.5)
    ('3', '001', 'true', '2.5')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _header_row(rows: list[list[str]], known: Collection[str]) -> int:
    """Find the row of column names: the first with a known name, else the first filled one."""
    filled = [i for i, row in enumerate(rows) if any(c.strip() for c in row)]
    for i in filled[:_HEADER_WITHIN]:
        cells = [c for c in rows[i] if c.strip()]
        if len(cells) > 1 and any(fold(c) in known for c in cells):
            return i
    return filled[0] if filled else 0


def _fill_merged(rows: list[list[str]], merged: Sequence[Any], header: int) -> int:
    """Repeat the text of a merged cell in its other rows, below the header; count the cells."""
    count = 0
    for (top, left), (bottom, right) in merged:
        if top <= header:
            continue
        for r in range(top, min(bottom + 1, len(rows))):
            for c in range(left, min(right + 1, len(rows[r]))):
                if (r, c) != (top, left) and not rows[r][c]:
                    rows[r][c] = rows[top][left]
                    count += 1
    return count


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
