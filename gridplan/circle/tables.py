"""A user's table of categories, as CSV or workbook."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gridplan.categories import CategoryTable, load_categories, read_rows
from gridplan.errors import Findings
from gridplan.sheets import open_sheet


def read_categories(path: str | Path | None, findings: Findings, *,
                    sheet: str | None = None) -> CategoryTable:
    """Return a table of categories out of a CSV file or a workbook; without, the package's own.

    Raises
    ------
    InputError
        With every fault of the table: file › row › field.
    MachineError
        The file cannot be opened.

    >>> len(read_categories(None, Findings()).profiles) > 4
    True
    """
    if path is None:
        return load_categories()
    page = open_sheet(path, sheet, findings)
    return read_rows(page.rows, page.lines, Path(path).name, findings,
                     hashlib.sha256(Path(path).read_bytes()).hexdigest())
