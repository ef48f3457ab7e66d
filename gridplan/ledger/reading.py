"""Reads a household ledger, a workbook or a CSV file, every cell as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from gridplan.errors import Findings, first_ids
from gridplan.sheets import (
    Sheet,
    find_columns,
    find_header,
    open_sheet,
    private_columns,
    to_table,
)

COLUMNS = ("community_id", "estate", "number", "unit", "households", "basis", "date", "candidates",
           "confirm")
_ALIASES: dict[str, tuple[str, ...]] = {
    "community_id": ("communityid", "社区编码", "社区代码", "社区编号", "村社区代码"),
    "estate": ("estate", "estatename", "estateid", "小区", "小区名称", "小区名", "楼盘", "小区编码",
               "院落", "小区院落"),
    "number": ("number", "building", "buildingnumber", "幢", "幢号", "栋", "栋号", "楼号", "楼栋",
               "楼栋号", "座", "座号", "幢栋号"),
    "unit": ("unit", "单元", "单元号"),
    "households": ("households", "户数", "总户数", "住户数", "居民户数", "户籍户数", "常住户数",
                   "户"),
    "basis": ("basis", "householdbasis", "口径", "户数口径", "统计口径"),
    "date": ("date", "householddate", "截止日期", "截至日期", "统计日期", "截止时间", "日期"),
    "candidates": ("candidates", "候选楼栋", "候选楼栋candidates"),
    "confirm": ("confirm", "确认", "确认confirm", "是否确认")}
_BASES = {"户籍": "registered", "户籍户": "registered", "registered": "registered",
          "常住": "resident", "常住户": "resident", "实有": "resident", "resident": "resident",
          "套": "dwellings", "套数": "dwellings", "住宅套数": "dwellings", "dwellings": "dwellings"}
_SUM = re.compile("合计|总计|小计|共计|total", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})\s*[年./-]\s*(\d{1,2})(?:\s*[月./-]\s*(\d{1,2}))?")


def read_ledger(path: str | Path, findings: Findings, *, columns: Mapping[str, str] | None = None,
                sheet: str | None = None, drop_columns: bool = False) -> pd.DataFrame:
    """Read a ledger of households by estate and building number.

    Every cell is taken as text, so codes keep their zeros; rows of sums are left out; merged
    cells are filled. The file that :func:`~gridplan.ledger.write_ledger_match` wrote is a
    ledger too, with what was confirmed in it.

    Parameters
    ----------
    path
        A workbook (xlsx, xls, ods) or a CSV file in UTF-8, GB18030 or UTF-16.
    findings
        Receives faults, repairs and warnings.
    columns
        Ours → theirs, where a name is not recognised; ours are ``estate``, ``number``,
        ``households``, ``community_id``, ``unit``, ``basis``, ``date``, ``confirm``.
    sheet
        The sheet of the workbook; without it, the first.
    drop_columns
        Leave columns out that look like a resident's, instead of stopping.

    Returns
    -------
    pandas.DataFrame
        Indexed by the row of the file: community_id, estate, number, unit, basis, date,
        candidates and confirm (string), households (Int64, NA where the cell is empty).

    Raises
    ------
    InputError
        With every fault: the file cannot be read, a column is missing or about persons, a
        count is not a whole number.
    """
    path = Path(path)
    content = open_sheet(path, sheet, findings)
    header = _find_header(content.rows, columns or {})
    if header < 0:
        findings.add("ledger.no_header", file=path.name)
        findings.stop_on_faults()
    found = find_columns(content.rows[header], _ALIASES, columns or {})
    table = to_table(content, header, path.name, findings)
    _check_privacy(table, found, path.name, findings, drop_columns)
    for name in ("estate", "households"):
        if name not in found:
            findings.add("ledger.no_column", file=path.name, field=name)
    findings.stop_on_faults()
    _check_cells(content, header, found, path.name, findings)
    ledger = pd.DataFrame(index=table.index)
    for name in COLUMNS:
        at = found.get(name)
        text = pd.Series("", table.index, dtype="string") if at is None else table[at].str.strip()
        ledger[name] = text.mask(text == "")
    ledger = _leave_sums(ledger, path.name, findings)
    ledger["households"] = _count(ledger["households"], path.name, findings)
    _settle_basis(ledger, content.rows[:header])
    findings.stop_on_faults()
    return ledger


def _find_header(rows: list[list[str]], columns: Mapping[str, str]) -> int:
    """Return the first row that names the households and something else, -1 without one."""
    def rate(row: Sequence[str]) -> int:
        found = find_columns(row, _ALIASES, columns)
        return int("households" in found and len(found) > 1)

    return find_header(rows, rate)


def _check_privacy(table: pd.DataFrame, found: dict[str, int], file: str, findings: Findings,
                   drop: bool) -> None:
    """Stop on columns about persons, or leave them out."""
    names = table.attrs["names"]
    codes = {found[c] for c in ("community_id", "candidates", "confirm") if c in found}
    known = set(found.values())
    private = private_columns(names, table, known=known, codes=codes)
    if not private:
        return
    needed = [c for c in private if c in known]
    shown = first_ids(names[c] or str(c + 1) for c in private)
    if drop and not needed:
        findings.add("ledger.private_dropped", "warning", file=file, field=shown,
                     count=len(private))
    else:
        findings.add("ledger.private", file=file, field=shown, count=len(private))


def _check_cells(content: Sheet, header: int, found: dict[str, int], file: str,
                 findings: Findings) -> None:
    """Tell of cells that the workbook has spoilt: building numbers as dates, cut codes."""
    at = found.get("number")
    turned = [content.lines[r] for r, c in sorted(content.dates) if c == at and r > header]
    if turned:
        findings.add("ledger.number_is_date", file=file, field="number", row=first_ids(turned),
                     count=len(turned))
    if content.inexact:
        lines = [line for line, _, _ in content.inexact]
        findings.add("sheets.digits_lost", file=file, row=first_ids(lines), count=len(lines))
    if content.blank_formulas:
        findings.add("sheets.formula_blank", file=file, count=len(content.blank_formulas),
                     cells=first_ids(content.blank_formulas))


def _leave_sums(ledger: pd.DataFrame, file: str, findings: Findings) -> pd.DataFrame:
    sums = np.zeros(len(ledger), dtype=bool)
    for column in ("community_id", "estate", "number"):
        sums |= ledger[column].fillna("").str.fullmatch(
            rf"[\s:：(（]*(?:{_SUM.pattern})[\s:：)）]*", flags=re.IGNORECASE).to_numpy(dtype=bool)
    if sums.any():
        findings.add("ledger.sums", "warning", file=file, row=first_ids(ledger.index[sums]),
                     count=int(sums.sum()))
    return ledger[~sums].copy()


def _count(text: pd.Series, file: str, findings: Findings) -> pd.Series:
    """Return households as whole numbers; what is none is told with its row."""
    plain = text.str.normalize("NFKC").str.strip().str.removesuffix("户").str.strip()
    plain = plain.str.replace(r"^(-?\d{1,3}(?:,\d{3})+)$", lambda m: m[0].replace(",", ""),
                              regex=True)
    number = pd.to_numeric(plain, errors="coerce").astype("Float64")
    amount = number.to_numpy(dtype=float, na_value=np.nan)
    there = text.notna().to_numpy(dtype=bool)
    bad = there & ~np.isfinite(amount)
    below = there & ~bad & (amount < 0)
    broken = there & ~bad & ~below & (amount != np.round(amount))
    for key, rows in (("ledger.not_a_number", bad), ("ledger.negative", below),
                      ("ledger.not_whole", broken)):
        if rows.any():
            findings.add(key, file=file, row=first_ids(text.index[rows]), field="households",
                         count=int(rows.sum()), value=str(text[rows].iloc[0]))
    mended = there & ~bad & ~below & ~broken & (plain != text).fillna(False).to_numpy(dtype=bool)
    if mended.any():
        findings.add("ledger.digits_mended", "repaired", file=file, field="households",
                     row=first_ids(text.index[mended]), count=int(mended.sum()))
    if not there.all():
        findings.add("ledger.no_households", "warning", file=file, field="households",
                     row=first_ids(text.index[~there]), count=int((~there).sum()))
    fit = ~(bad | below | broken)
    return number.where(fit).round().astype("Int64")


def _settle_basis(ledger: pd.DataFrame, above: list[list[str]]) -> None:
    """Write the basis and date of the counts in our words; a heading may state them for all."""
    heading = " ".join(cell for row in above for cell in row if cell)
    basis = re.search(r"口径\s*[:：]?\s*(\w+)", heading)
    day = re.search(r"(?:截止|截至|统计|日期|as of)\D{0,8}" + _DATE.pattern, heading, re.IGNORECASE)
    if basis:
        ledger["basis"] = ledger["basis"].fillna(basis[1])
    if day:
        ledger["date"] = ledger["date"].fillna("-".join(g for g in day.groups() if g))
    ledger["basis"] = ledger["basis"].map(
        lambda word: _BASES.get(word.casefold(), word), na_action="ignore").astype("string")
    ledger["date"] = ledger["date"].map(_iso_date, na_action="ignore").astype("string")


def _iso_date(text: str) -> str:
    """Return a date as year-month-day.

    >>> _iso_date("2026年6月30日"), _iso_date("2026/6"), _iso_date("soon")
    ('2026-06-30', '2026-06', 'soon')
    """
    found = _DATE.search(text)
    if not found:
        return text
    return "-".join(part.zfill(2) for part in found.groups() if part)
