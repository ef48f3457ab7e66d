"""Reads one table, a CSV file or a sheet of a workbook, every cell as text."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gridplan.errors import Finding, Findings, InputError, MachineError
from gridplan.sheets.archive import open_archive
from gridplan.sheets.errors import SheetError

_EXCEL_DIGITS = 10**15  # a workbook keeps 15 digits of a number
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass
class Sheet:
    """The cells of a table, with the line that each row stands in.

    ``merged`` are ranges ((top, left), (bottom, right)) of rows and columns from 0;
    ``blank_formulas`` are the cells, as ``C7``, whose formula has no stored value;
    ``encoding`` is that of a CSV file;
    ``covered`` are the cells, by row and column, that :meth:`fill_merged` has filled.
    """

    name: str
    cells: list[list[Any]]
    lines: list[int]
    merged: Sequence[Any] = ()
    blank_formulas: list[str] = field(default_factory=list)
    encoding: str = ""
    covered: set[tuple[int, int]] = field(default_factory=set)

    @cached_property
    def rows(self) -> list[list[str]]:
        """The cells as text."""
        return [[_as_text(v) for v in row] for row in self.cells]

    @property
    def dates(self) -> set[tuple[int, int]]:
        """Row and column, from 0, of the cells that hold a date or a time."""
        return {(r, c) for r, row in enumerate(self.cells) for c, v in enumerate(row)
                if isinstance(v, datetime.date | datetime.time | datetime.timedelta)}

    @property
    def inexact(self) -> list[tuple[int, int, float]]:
        """Line, column and value of the numbers that are too long for a workbook to keep."""
        return [(self.lines[r], c, v) for r, row in enumerate(self.cells)
                for c, v in enumerate(row)
                if isinstance(v, float) and v.is_integer() and abs(v) >= _EXCEL_DIGITS]

    def is_blank(self, row: int) -> bool:
        """Tell whether a row holds nothing of its own: no more than a merged cell reaching in."""
        return not any(cell.strip() and (row, c) not in self.covered
                       for c, cell in enumerate(self.rows[row]))

    def fill_merged(self, above: int = 0, across: bool = False) -> int:
        """Repeat a merged cell in the cells it covers, from row ``above`` on; return how many.

        Cells merged down a column are filled; cells merged across columns only with ``across``.
        """
        count = 0
        for (top, left), (bottom, right) in self.merged:
            if top < above or (bottom == top and not across):
                continue
            for r in range(top, min(bottom + 1, len(self.cells))):
                for c in range(left, min(right + 1, len(self.cells[r]))):
                    if (r, c) != (top, left) and self.cells[r][c] in ("", None):
                        self.cells[r][c] = self.cells[top][left]
                        self.covered.add((r, c))
                        count += 1
        self.__dict__.pop("rows", None)
        return count


def open_sheet(path: str | Path, sheet: str | None, findings: Findings) -> Sheet:
    """Read a CSV file, or a sheet of a workbook, and tell what was found on the way.

    Parameters
    ----------
    path
        A workbook (xlsx, xls, ods) or a CSV file in UTF-8, GB18030 or UTF-16.
    sheet
        The sheet; without it, the first that holds anything.
    findings
        Receives what was repaired; merged cells are filled down their column.

    Raises
    ------
    InputError
        The file is empty, damaged or in no known encoding, or has no such sheet.
    MachineError
        The file cannot be opened.
    """
    path = Path(path)
    try:
        body = path.read_bytes()
    except OSError as error:
        raise MachineError(Finding("sheets.unreadable", file=path.name,
                                   values={"error": str(error.strerror)})) from error

    def choose(listed: list[tuple[str, bool]]) -> str:
        names = [name for name, _ in listed]
        if sheet is not None and sheet not in names:
            raise SheetError("no_sheet", name=sheet, sheets=", ".join(names))
        return sheet or next((name for name, filled in listed if filled), names[0])

    try:
        if not body.strip():
            raise SheetError("empty")
        if body[:2] == b"PK" or body[:4] == b"\xd0\xcf\x11\xe0":
            page = open_workbook(path, choose)
        else:
            text, encoding = decode(body)
            page = Sheet(path.stem, *split_csv(text), encoding=encoding)
    except SheetError as error:
        raise InputError(Finding(f"sheets.{error.kind}", file=path.name, row=str(error.row),
                                 values=error.values)) from error
    if page.encoding not in ("", "UTF-8", "UTF-8-SIG"):
        findings.add("sheets.encoding_guessed", "repaired", file=path.name,
                     encoding=page.encoding)
    filled = page.fill_merged()
    if filled:
        findings.add("sheets.merged", "repaired", file=path.name, count=filled)
    return page


def decode(body: bytes) -> tuple[str, str]:
    """Return the text of a file and its encoding: UTF-8, UTF-16 or what Windows in China writes.

    >>> decode("阳光".encode("gbk")), decode("1,2".encode("utf-16-le"))
    (('阳光', 'GB18030'), ('1,2', 'UTF-16-LE'))
    >>> decode("阳光".encode("utf-16")), decode("阳光".encode("utf-8-sig"))
    (('阳光', 'UTF-16'), ('阳光', 'UTF-8-SIG'))
    """
    if body.startswith(_UTF16):
        trial = ["utf-16"]
    elif 0 in body[:2000]:
        # Commas and digits have a zero byte in UTF-16: behind them the low byte stands first.
        low_first = body[1:2000:2].count(0) > body[:2000:2].count(0)
        trial = ["utf-16-le" if low_first else "utf-16-be"]
    else:
        trial = ["utf-8-sig" if body.startswith(b"\xef\xbb\xbf") else "utf-8", "gb18030"]
    for codec in trial:
        try:
            return body.decode(codec), codec.upper()
        except UnicodeDecodeError as error:
            at = error.start
    raise SheetError("encoding", row=body[:at].count(b"\n") + 1)


def split_csv(text: str) -> tuple[list[list[str]], list[int]]:
    r"""Return the rows of a CSV text and the line where each ends.

    The separator is the one that the first line has most of: comma, semicolon, tab or bar.

    >>> split_csv("a;b\n1,5;2\n")
    ([['a', 'b'], ['1,5', '2']], [1, 2])
    """
    first = next((line for line in text[:65536].splitlines() if line.strip()), "")
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
        raise SheetError("damaged", row=reader.line_num, error=str(error)) from error
    finally:
        csv.field_size_limit(longest)
    return rows, lines


def open_workbook(path: Path, choose: Callable[[list[tuple[str, bool]]], str]) -> Sheet:
    """Read one sheet of a workbook; ``choose`` picks it from (name, holds anything)."""
    import python_calamine as calamine
    if path.read_bytes()[:2] == b"PK":
        with open_archive(path):
            pass  # the limits of a zip file hold for a workbook too
    try:
        with calamine.CalamineWorkbook.from_path(str(path)) as book:
            sheets = {n: book.get_sheet_by_name(n) for n in book.sheet_names}
            name = choose([(n, bool(s.total_height)) for n, s in sheets.items()])
            cells = sheets[name].to_python(skip_empty_area=False)
            merged = sheets[name].merged_cell_ranges or []
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise SheetError("damaged", error=str(error).splitlines()[0]) from error
    blank = _find_blank_formulas(path, list(sheets).index(name))
    return Sheet(name, cells, list(range(1, len(cells) + 1)), merged, blank)


def _find_blank_formulas(path: Path, position: int) -> list[str]:
    """Return the cells of a sheet with a formula whose value was never stored.

    A program wrote the workbook and no spreadsheet has opened it since: the cell reads as
    blank though it is not. Only .xlsx tells.
    """
    if path.read_bytes()[:2] != b"PK":
        return []
    with open_archive(path) as book:
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

    >>> _as_text(3.0), _as_text("001"), _as_text(True), _as_text(2.5), _as_text(None)
    ('3', '001', 'true', '2.5', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value)
