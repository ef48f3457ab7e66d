"""The difference between two plans as a workbook: a summary, and a sheet for each table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from gridplan import outputs
from gridplan.diff.difference import GRID_COLUMNS, Difference
from gridplan.i18n import LANGUAGES, translate

TABLES = ("communities", "grids", "assignments", "people", "figures")
_CELL = 32_767  # characters that a cell holds
_CHANGES = ("change", "role")  # columns of words out of the catalogue


def write_difference(difference: Difference, path: str | Path, names: tuple[str, str],
                     lang: str = "en", *, no_copy: bool = False) -> outputs.Written:
    """Write a difference as a workbook; text is text, never a formula or a link.

    Parameters
    ----------
    path
        The target, ``.xlsx``.
    names
        The names of both plans' files, for the summary.

    Raises
    ------
    MachineError
        The file cannot be written; an old one is intact.
    """
    def write(target: Path) -> None:
        _write(difference, target, names, lang)

    return outputs.replace_file(path, write, no_copy=no_copy)


def is_difference(path: Path) -> bool:
    """Tell whether a file is a workbook that :func:`write_difference` wrote."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        names = CalamineWorkbook.from_path(path).sheet_names
    except (CalamineError, OSError, ValueError):
        return False
    return any(names == [_say(lang, f"sheet.{t}") for t in ("summary", *TABLES)]
               for lang in LANGUAGES)


def summarise(difference: Difference) -> Iterator[tuple[str, str | int, str | int]]:
    """Go through the lines of the summary: name of a text, the number, and the number it is of."""
    for name, table in (("communities", difference.communities), ("grids", difference.grids)):
        for change, count in table["change"].value_counts().sort_index().items():
            yield f"{name}.{change}", int(count), ""
    for name, held in difference.retention.items():
        yield f"retention.{name}", held.kept, held.whole
    posts = difference.posts
    if posts.before or posts.after:
        yield "assignments.kept", posts.kept, posts.before
        yield "assignments.posts", len(posts.table), ""
    for change, count in difference.people["change"].value_counts().sort_index().items():
        yield f"people.{change}", int(count), ""
    yield "figures.changed", len(difference.figures), ""


def _write(difference: Difference, target: Path, names: tuple[str, str], lang: str) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(target), {
            "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
            "in_memory": True}) as book:
        # A date in the file would tell two equal runs apart.
        book.set_properties({"created": dt.datetime(2000, 1, 1)})
        bold = book.add_format({"bold": True, "bottom": 1})
        sheet = book.add_worksheet(_say(lang, "sheet.summary"))
        lines: list[list[object]] = [[_say(lang, "before"), names[0], ""],
                                     [_say(lang, "after"), names[1], ""]]
        lines += [[_say(lang, name), *numbers] for name, *numbers in summarise(difference)]
        _fill(sheet, [_say(lang, n) for n in ("what", "number", "of")], lines, bold)
        sheet.set_column(0, 0, 44)
        for name in TABLES:
            table = _translated(_table(difference, name), lang)
            sheet = book.add_worksheet(_say(lang, f"sheet.{name}"))
            _fill(sheet, list(table.columns), table.to_numpy(dtype=object).tolist(), bold)
            sheet.freeze_panes(1, 1)
            sheet.autofilter(0, 0, max(len(table), 1), len(table.columns) - 1)


def _table(difference: Difference, name: str) -> pd.DataFrame:
    if name == "assignments":
        return difference.posts.table
    table: pd.DataFrame = getattr(difference, name)
    return table


def _translated(table: pd.DataFrame, lang: str) -> pd.DataFrame:
    """Return a table with headings and words in a language, missing values as None."""
    out = table.astype(object).where(table.notna(), None)
    for column in _CHANGES:
        if column in out:
            out[column] = [_say(lang, f"{column}.{v}") if v else "" for v in out[column]]
    return out.rename(columns={c: head_column(c, lang) for c in out})


def head_column(column: str, lang: str) -> str:
    """Return the heading of a column of a table of differences.

    >>> head_column("households_before", "en"), head_column("grid_id", "zh")
    ('households before', '网格编码')
    """
    for side in ("before", "after", "kept"):
        stem = column.removesuffix(f"_{side}")
        if stem != column and (stem in GRID_COLUMNS or stem == "units"):
            return _say(lang, f"column.{side}", column=_say(lang, f"column.{stem}"))
    return _say(lang, f"column.{column}" if column not in ("before", "after") else column)


def _fill(sheet: object, heads: list[str], rows: list[list[object]], bold: object) -> None:
    """Write a table; text by the method for text alone, so that it stays text."""
    for at, head in enumerate(heads):
        sheet.write_string(0, at, head, bold)  # type: ignore[attr-defined]
        sheet.set_column(at, at, 18)  # type: ignore[attr-defined]
    for line, row in enumerate(rows, 1):
        for at, value in enumerate(row):
            if isinstance(value, bool):
                sheet.write_boolean(line, at, value)  # type: ignore[attr-defined]
            elif isinstance(value, int | float):
                sheet.write_number(line, at, value)  # type: ignore[attr-defined]
            elif value is not None:
                sheet.write_string(line, at, str(value)[:_CELL])  # type: ignore[attr-defined]


def _say(lang: str, name: str, **values: object) -> str:
    return translate(f"diff.{name}", lang, **values)
