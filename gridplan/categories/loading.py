"""Reads a table of categories, the package's own or a user's, and holds it to its columns."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from gridplan.categories.model import (
    COLUMNS,
    GRADES,
    KINDS,
    MEASURES,
    PERS,
    Category,
    CategoryTable,
    Profile,
)
from gridplan.errors import Finding, Findings, InputError, MachineError

_NEEDED = ("profile", "category", "limit_m", "grade", "source")
_NUMBERS = ("minutes", "limit_m", "min_area_urban_m2", "min_area_rural_m2", "min_area_hub_m2",
            "users_per_1000")
_YES = ("yes", "y", "true", "1", "是")
_NO = ("no", "n", "false", "0", "否")


def load_categories(path: str | Path | None = None,
                    findings: Findings | None = None) -> CategoryTable:
    """Return a table of categories out of a CSV file; without a path, the package's own.

    Parameters
    ----------
    path
        In UTF-8 or GB18030, with the columns of ``COLUMNS``; profile, category, limit_m, grade
        and source must be there.
    findings
        Receives every fault.

    Raises
    ------
    InputError
        With every fault of the table.
    MachineError
        The file cannot be opened.

    >>> sorted(load_categories().profiles)
    ['commerce-2021', 'facility-tiers', 'gb50180-draft', 'health-circle', 'lights-aed', 'rural']
    """
    if path is None:
        return _own_table()
    path = Path(path)
    try:
        body = path.read_bytes()
    except OSError as error:
        raise MachineError(Finding("categories.unreadable", file=path.name,
                                   values={"error": str(error.strerror)})) from error
    rows, lines = _split(body, path.name)
    return read_rows(rows, lines, path.name, Findings() if findings is None else findings,
                     hashlib.sha256(body).hexdigest())


@cache
def _own_table() -> CategoryTable:
    body = files(__package__).joinpath("table.csv").read_bytes()
    rows, lines = _split(body, "table.csv")
    return read_rows(rows, lines, "table.csv", Findings(), hashlib.sha256(body).hexdigest())


def _split(body: bytes, file: str) -> tuple[list[list[str]], list[int]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            reader = csv.reader(io.StringIO(body.decode(encoding), newline=""))
            rows = [(row, reader.line_num) for row in reader]
            return [row for row, _ in rows], [line for _, line in rows]
        except (UnicodeDecodeError, csv.Error):
            continue
    raise InputError(Finding("categories.no_csv", file=file))


def read_rows(rows: Sequence[Sequence[str]], lines: Sequence[int], file: str, findings: Findings,
              sha256: str = "") -> CategoryTable:
    """Return the table that rows of text hold; the first filled row names the columns.

    Parameters
    ----------
    rows, lines
        Cells, and the line of the file that each row stands in.
    file, findings
        Where faults are told: file › row › field.

    Raises
    ------
    InputError
        With every fault.
    """
    filled = [(row, line) for row, line in zip(rows, lines, strict=True)
              if any(str(cell).strip() for cell in row)]
    wrong = Findings()
    if not filled:
        wrong.add("categories.empty", file=file)
    header = [str(cell).strip() for cell in filled[0][0]] if filled else list(COLUMNS)
    while header and not header[-1]:
        header.pop()
    _check_header(header, file, wrong)
    held: dict[str, list[Category]] = {}
    first: dict[tuple[str, str], int] = {}
    for cells, line in filled[1:]:
        if any(str(c).strip() for c in cells[len(header):]):
            wrong.add("categories.row_width", file=file, row=line, columns=len(header))
        text = {name: str(cell).strip() for name, cell in zip(header, cells, strict=False)}
        category = _read_row(text, header, line, file, wrong)
        key = (text.get("profile", ""), category.category)
        if key in first and all(key):
            wrong.add("categories.twice", file=file, row=line, field="category",
                      category=key[1], profile=key[0], line=first[key])
        first.setdefault(key, line)
        held.setdefault(key[0], []).append(category)
    if filled and len(filled) == 1:
        wrong.add("categories.empty", file=file)
    _check_inclusions(held, first, file, wrong)
    findings.items.extend(wrong.items)
    wrong.stop_on_faults()
    return CategoryTable({name: Profile(name, tuple(some)) for name, some in held.items()},
                         sha256, file)


def _check_header(header: list[str], file: str, wrong: Findings) -> None:
    for name in dict.fromkeys(header):
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, 1)
            wrong.add("categories.unknown_column", file=file, field=name or "–",
                      near=near[0] if near else ", ".join(COLUMNS))
        elif header.count(name) > 1:
            wrong.add("categories.column_twice", file=file, field=name)
    for name in _NEEDED:
        if name not in header:
            wrong.add("categories.no_column", file=file, field=name)


def _read_row(text: dict[str, str], header: list[str], line: int, file: str,
              wrong: Findings) -> Category:
    """Return the category of one row; what is wrong with it is told and left at its default."""
    def tell(key: str, field: str, words: Sequence[str] = ()) -> None:
        wrong.add(f"categories.{key}", file=file, row=line, field=field, value=text.get(field, ""),
                  words=", ".join(words))

    for name in ("profile", "category", "grade", "source"):
        if name in header and not text.get(name):
            tell("blank", name)
    if text.get("grade") and text["grade"] not in GRADES:
        tell("unknown_word", "grade", GRADES)
    held: dict[str, Any] = {name: text.get(name, "") for name in (
        "category", "name_en", "name_zh", "grade", "source")}
    held |= {name: _number(text, name, tell) for name in _NUMBERS}
    held["target_share"] = _share(text, tell)
    held["measure"] = _choose(text, "measure", MEASURES, "network", tell)
    held["per"] = _choose(text, "per", PERS, "", tell)
    if held["measure"] == "presence" and not text.get("per"):
        tell("no_per", "per", PERS)
    lists: dict[str, tuple[str, ...]] = {"kinds": KINDS, "osm": (), "includes": ()}
    for name, words in lists.items():
        held[name] = tuple(w.strip() for w in text.get(name, "").split(";") if w.strip())
        if words and not set(held[name]) <= set(words):
            tell("unknown_word", name, words)
            held[name] = ()
    if any("=" not in tag.strip("=") for tag in held["osm"]):
        tell("bad_tag", "osm")
    if any(c in held["category"] for c in ";:, "):
        tell("bad_id", "category")
    word = text.get("required", "").casefold()
    if word and word not in (*_YES, *_NO):
        tell("unknown_word", "required", ("yes", "no"))
    held["required"] = word not in _NO
    return Category(**held)


def _choose(text: dict[str, str], name: str, words: tuple[str, ...], default: str,
            tell: Any) -> str:
    """Return a word out of a list; what is none is told and left at the default."""
    word = text.get(name) or default
    if word and word not in words:
        tell("unknown_word", name, words)
        return default
    return word


def _number(text: dict[str, str], name: str, tell: Any) -> float | None:
    """Return a number above zero, None where the cell is blank."""
    said = text.get(name, "")
    if not said:
        return None
    try:
        value = float(said)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        tell("not_positive", name)
        return None
    return value


def _share(text: dict[str, str], tell: Any) -> float | None:
    """Return a share from 0 to 1, written as 0.85 or 85%."""
    said = text.get("target_share", "")
    if not said:
        return None
    try:
        value = float(said.rstrip("%％ ")) / (100 if said[-1] in "%％" else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        tell("no_share", "target_share")
        return None
    return value


def _check_inclusions(held: dict[str, list[Category]], first: dict[tuple[str, str], int],
                      file: str, wrong: Findings) -> None:
    """Refuse a category that includes itself, or one that includes others in turn."""
    wide = {c.category for some in held.values() for c in some if c.includes}
    for profile, some in held.items():
        for c in some:
            if wide & set(c.includes):
                wrong.add("categories.bad_inclusion", file=file,
                          row=first.get((profile, c.category), ""), field="includes",
                          value=";".join(c.includes))
