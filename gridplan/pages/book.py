"""A workbook that prints on A4: text stays text, and equal runs give equal bytes."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

AUTHOR = "gridplan"


def read_date() -> dt.datetime:
    """Return the date that written files bear: never the clock's."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return dt.datetime.fromtimestamp(int(epoch) if epoch.isdigit() else 1_577_836_800, dt.UTC
                                     ).replace(tzinfo=None)


@contextlib.contextmanager
def open_book(buffer: io.BytesIO, title: str) -> Iterator[Any]:
    """Lend a workbook that ends up in a buffer; no text becomes a formula, a link or a number."""
    import xlsxwriter

    with xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False,
                                      "strings_to_urls": False, "strings_to_numbers": False}
                             ) as book:
        # A date in the file would tell two equal runs apart.
        book.set_properties({"author": AUTHOR, "title": title, "created": read_date()})
        yield book


def is_ours(path: Path) -> bool:
    """Tell whether a PDF or a workbook was written by gridplan and by nobody since.

    An empty file is nobody's loss and counts as ours.
    """
    if path.stat().st_size == 0:
        return True
    if path.suffix.lower() == ".pdf":
        data = path.read_bytes()
        return data.startswith(b"%PDF") and f"/Producer ({AUTHOR})".encode() in data
    try:
        with zipfile.ZipFile(path) as packed:
            core = packed.read("docProps/core.xml").decode("utf-8", "replace")
    except (zipfile.BadZipFile, KeyError, OSError):
        return False
    return all(f"<{tag}>{AUTHOR}</{tag}>" in core for tag in ("dc:creator", "cp:lastModifiedBy"))


class Pen:
    """Writes tables into a workbook, each on a sheet of its own that prints on A4."""

    def __init__(self, book: Any, footer: str) -> None:
        self.book, self.footer = book, footer
        base = {"valign": "top", "text_wrap": True, "border": 1, "border_color": "#D9D4C8"}
        self.head = book.add_format({**base, "bold": True, "bg_color": "#DDE6EA",
                                     "valign": "vcenter"})
        self.formats: dict[tuple[str, str], Any] = {}
        self.base = base

    def format(self, number: str, shade: str = "") -> Any:
        """Return the look of a cell; made once."""
        if (number, shade) not in self.formats:
            look = {**self.base, "num_format": number}
            if shade:
                look["bg_color"] = shade
            if number != "@":
                look["align"] = "right"
            self.formats[number, shade] = self.book.add_format(look)
        return self.formats[number, shade]

    def sheet(self, title: str, heads: Sequence[str], widths: Sequence[float]) -> Any:
        """Begin a sheet with a row of heads that stays in view and is repeated on paper."""
        sheet = self.book.add_worksheet(title)
        for at, (head, width) in enumerate(zip(heads, widths, strict=True)):
            sheet.write_string(0, at, head, self.head)
            sheet.set_column(at, at, width)
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        sheet.set_footer(f"&L{self.footer}&R&P / &N")
        return sheet

    def cell(self, sheet: Any, row: int, at: int, value: Any, number: str = "#,##0",
             shade: str = "") -> None:
        """Write one value: numbers as numbers, all else as text, nothing for nothing."""
        if value is None or (not isinstance(value, str) and pd.isna(value)):
            sheet.write_blank(row, at, None, self.format("@", shade))
        elif isinstance(value, str):
            sheet.write_string(row, at, value, self.format("@", shade))
        else:
            sheet.write_number(row, at, value, self.format(number, shade))
