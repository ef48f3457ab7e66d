"""Reads a roster, a workbook or a CSV file, every cell as text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from gridplan.errors import Findings, TallyRow, first_ids
from gridplan.layers import Roster, Source
from gridplan.roster import values
from gridplan.roster.cells import Cells
from gridplan.roster.words import ALIASES, ROLE_WORDS, list_roles
from gridplan.sheets import Sheet, find_columns, find_header, fold, open_sheet, to_table
from gridplan.sheets.privacy import is_identity_column, is_identity_number, is_phone

_IDS = ("staff_id", "community_id", "community", "grids", "buildings", "wishes", "bars",
        "communities")
_PAIRS = {"current": ("grids", "grid_id"), "known": ("buildings", "building_id"),
          "wishes": ("wishes", "grid_id"), "bars": ("bars", "grid_id"),
          "allowed": ("communities", "community_id")}
_PEOPLE = ("person", "phone", "home")
_SUM = re.compile(r"[\s:：(（]*(?:合计|总计|小计|共计|total)[\s:：)）]*.*", re.IGNORECASE)
_SPLIT = re.compile(r"[;；、,，|\s]+")
_SPLIT_WORDS = re.compile(r"\s*[;；、,，|\n]\s*")


def read_roster(path: str | Path, findings: Findings, *, columns: Mapping[str, str] | None = None,
                sheet: str | None = None, stop: bool = True) -> Roster:
    """Read a roster of the people who serve.

    Every cell is taken as text, so codes keep their zeros; cells merged down a column are filled;
    blank rows, rows of sums and repeated headers are left out; identity numbers are not read.
    Communities stay as they are written, as codes or names, and ``community:ID`` stays in bars
    and wishes, until :func:`judge_roster` holds them to a plan.

    Parameters
    ----------
    path
        A workbook (xlsx, xls, ods) or a CSV file in UTF-8, GB18030 or UTF-16.
    findings
        Receives faults, repairs, warnings and the tally of the rows.
    columns
        Ours → theirs, where a name is not recognised; ours are ``staff_id``, ``role``,
        ``community_id`` or ``community``, ``capacity``, ``capacity_unit``, ``part_time``,
        ``languages``, ``grids``, ``buildings``, ``wishes``, ``bars``, ``communities``,
        ``person``, ``phone``, ``home``.
    sheet
        The sheet of the workbook; without it, the first that holds anything.
    stop
        Without it, faults of cells are only gathered, so that a caller can tell them together
        with those that :func:`judge_roster` finds; the roster then lacks the rows at fault.

    Returns
    -------
    Roster
        Sorted by staff_id. A capacity that is not stated is NA, a share of working time 1.

    Raises
    ------
    InputError
        With every fault: the file cannot be read, a column is missing, an id, role, community,
        capacity or share is wrong.
    """
    path = Path(path)
    page = open_sheet(path, sheet, findings)
    header = find_header(page.rows, lambda row: _rate(row, columns or {}))
    if header < 0:
        findings.add("roster.no_header", file=path.name)
        findings.stop_on_faults()
    found = find_columns(page.rows[header], ALIASES, columns or {})
    table = to_table(page, header, path.name, findings)
    _check_columns(table, found, path.name, findings)
    cells = _gather(table, found, path.name, findings)
    _check_workbook(page, found, cells)
    findings.tally.append(TallyRow("roster", "roster", len(table), len(cells.text),
                                   rejected=len(table) - len(cells.text)))
    source = Source(path.name, "roster", hashlib.sha256(path.read_bytes()).hexdigest(), len(table))
    roster = _make_roster(cells, source)
    if stop:
        findings.stop_on_faults()
    return roster


def _rate(row: Sequence[str], columns: Mapping[str, str]) -> int:
    """Rate a row as a header: the columns it names, 0 without the id or role."""
    found = find_columns(row, ALIASES, columns)
    return len(found) if len(found) > 1 and ("staff_id" in found or "role" in found) else 0


def _check_columns(table: pd.DataFrame, found: Mapping[str, int], file: str,
                   findings: Findings) -> None:
    """Stop where a column is missing; tell which hold identity numbers and are left out."""
    names = table.attrs["names"]
    for name in ("staff_id", "role"):
        if name not in found:
            findings.add("roster.no_column", file=file, field=name)
    if "community_id" not in found and "community" not in found:
        findings.add("roster.no_column", file=file, field="community_id")
    known = set(found.values())
    left = [names[c] or str(c + 1) for c in range(len(names)) if c not in known and (
        is_identity_column(names[c]) or any(map(is_identity_number, table[c].dropna())))]
    if left:
        findings.add("roster.identity_left_out", "warning", file=file, field=first_ids(left),
                     count=len(left))
    findings.stop_on_faults()


def _gather(table: pd.DataFrame, found: Mapping[str, int], file: str,
            findings: Findings) -> Cells:
    """Return the columns under our names, NA where empty, without sums and repeated headers."""
    text = pd.DataFrame(index=table.index)
    for name in ALIASES:
        at = found.get(name)
        held = pd.Series(pd.NA, table.index, dtype="string") if at is None else (
            table[at].str.normalize("NFKC").str.strip())
        text[name] = held.mask((held == "").fillna(False))
    heads = {name: table.attrs["names"][at] for name, at in found.items()}
    is_id = text["staff_id"].fillna("")
    again = is_id.map(fold).isin(ALIASES["staff_id"]).to_numpy(dtype=bool)
    leading = is_id.mask(is_id == "", table[0].fillna("").str.strip()) if len(table.columns) else (
        is_id)
    sums = leading.str.fullmatch(_SUM.pattern, flags=re.IGNORECASE).fillna(False).to_numpy(
        dtype=bool) & text["role"].isna().to_numpy()
    whole = Cells(text, heads, file, findings)
    whole.tell("roster.sums", "warning", sums, "staff_id")
    whole.tell("roster.header_again", "repaired", again, "staff_id")
    return Cells(text[~sums & ~again].copy(), heads, file, findings)


def _check_workbook(page: Sheet, found: Mapping[str, int], cells: Cells) -> None:
    """Tell of cells that the workbook has spoilt: ids as dates, cut numbers, unsaved results."""
    names = {at: name for name, at in found.items()}
    kept = set(cells.text.index)
    dates: dict[str, list[int]] = {}
    for r, c in sorted(page.dates):
        if names.get(c) in _IDS and page.lines[r] in kept:
            dates.setdefault(cells.heads[names[c]], []).append(page.lines[r])
    for head, lines in dates.items():
        cells.findings.add("roster.id_is_date", file=cells.file, field=head, row=first_ids(lines),
                           count=len(lines))
    lost = [line for line, c, _ in page.inexact if c in names and line in kept]
    if lost:
        cells.findings.add("sheets.digits_lost", file=cells.file, row=first_ids(lost),
                           count=len(lost))
    blank = [cell for cell in page.blank_formulas if _column_of(cell) in names]
    if blank:
        cells.findings.add("sheets.formula_blank", file=cells.file, cells=first_ids(blank),
                           count=len(blank), row=first_ids(re.sub(r"\D", "", b) for b in blank))


def _column_of(cell: str) -> int:
    """Return the number of a cell's column, from 0.

    >>> _column_of("A7"), _column_of("AB12")
    (0, 27)
    """
    number = 0
    for letter in re.sub("[^A-Z]", "", cell):
        number = number * 26 + ord(letter) - 64
    return number - 1


def _make_roster(cells: Cells, source: Source) -> Roster:
    text = cells.text
    missing = {name: text[name].isna().to_numpy() for name in ("staff_id", "role")}
    community = text["community_id"].fillna(text["community"])
    for name, rows in missing.items():
        cells.tell(f"roster.no_{name}", "error", rows, name)
    cells.tell("roster.no_community", "error", community.isna().to_numpy(),
               "community_id" if "community_id" in cells.heads else "community")
    role = text["role"].fillna("").map(lambda word: ROLE_WORDS.get(fold(word), ""))
    odd = (role == "").to_numpy() & ~missing["role"]
    words = first_ids(dict.fromkeys(text["role"][odd]))
    cells.tell("roster.role_unknown", "error", odd, "role", words=words, known=list_roles())
    capacity, unit = values.read_capacity(cells)
    share = values.read_share(cells)
    _check_twice(cells)
    _check_private(cells)
    staff = pd.DataFrame({
        "role": role.astype("string"), "community_id": community.astype("string"),
        "capacity": capacity, "capacity_unit": unit, "part_time": share,
        "languages": _join_words(text["languages"]), "row": text.index.to_numpy()},
        index=text.index)
    good = (~missing["staff_id"] & ~text["staff_id"].duplicated().to_numpy())
    ids = pd.Index(text["staff_id"][good].astype(object), name="staff_id")
    order = np.argsort(ids.to_numpy(dtype=str), kind="stable")
    named = text[~missing["staff_id"]]
    pairs = {name: _pair(named, column, key) for name, (column, key) in _PAIRS.items()}
    _check_wishes(cells, pairs["wishes"], pairs["bars"])
    return Roster(staff[good].set_index(ids).iloc[order],
                  text.loc[good, list(_PEOPLE)].set_index(ids).iloc[order],
                  **pairs, source=source)


def _join_words(text: pd.Series) -> pd.Series:
    """Return a list of words with one separator: ``普通话、英语`` becomes ``普通话;英语``."""
    return text.map(lambda cell: ";".join(w for w in _SPLIT_WORDS.split(cell) if w),
                    na_action="ignore").astype("string")


def _pair(text: pd.DataFrame, column: str, key: str) -> pd.DataFrame:
    """Write a column of lists out, one line per pair of person and place, each once."""
    rows = sorted({(str(person), word, int(row)) for person, cell, row in zip(
        text["staff_id"], text[column], text.index, strict=True) if not pd.isna(cell)
        for word in values.join_prefix(_SPLIT.split(str(cell)))})
    return pd.DataFrame({
        "staff_id": pd.array([r[0] for r in rows], dtype="string"),
        key: pd.array([r[1] for r in rows], dtype="string"),
        "row": np.array([r[2] for r in rows], dtype=np.int64)})


def _check_twice(cells: Cells) -> None:
    """Tell of people with one id, every row of each."""
    ids = cells.text["staff_id"].dropna()
    again = ids[ids.duplicated(keep=False)]
    if len(again):
        told = "; ".join(f"{name}: {', '.join(map(str, rows.index))}"
                         for name, rows in again.groupby(again, sort=True))
        cells.findings.add("roster.id_twice", file=cells.file, row=first_ids(again.index),
                           count=again.nunique(), field=cells.heads["staff_id"], ids=told)


def _check_private(cells: Cells) -> None:
    """Tell of ids and skills that are a phone, an identity number, a name or a home.

    These two columns go into the plan as they are written.
    """
    text = cells.text
    held = {str(v) for name in _PEOPLE for v in text[name].dropna()}

    def is_private(cell: object) -> bool:
        if str(cell) in held:
            return True
        return any(word in held or is_phone(word) or is_identity_number(word.upper())
                   for word in _SPLIT.split(str(cell)))

    for name in ("staff_id", "languages"):
        wrong = text[name].fillna("").map(is_private).to_numpy(dtype=bool)
        # The value itself is not shown: messages end up in logs.
        cells.tell("roster.private_value", "error", wrong & text[name].notna().to_numpy(), name,
                   value="")


def _check_wishes(cells: Cells, wishes: pd.DataFrame, bars: pd.DataFrame) -> None:
    both = wishes.merge(bars[["staff_id", "grid_id"]], on=["staff_id", "grid_id"])
    if len(both):
        cells.findings.add(
            "roster.wish_barred", file=cells.file, row=first_ids(dict.fromkeys(both["row"])),
            count=len(both), field=cells.heads["wishes"],
            grids=first_ids(dict.fromkeys(both["grid_id"])))
