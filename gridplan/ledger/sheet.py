"""The list of what was matched and what a planner is asked to confirm, as a workbook."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gridplan import outputs
from gridplan.i18n import translate
from gridplan.ledger.matching import LedgerMatch

# Ours → the heading, which :func:`read_ledger` reads back.
_HEADINGS = {"row": ("行", "row"), "status": ("状态", "status"),
             "community_id": ("社区编码", "community_id"), "estate": ("小区名称", "estate"),
             "number": ("幢号", "number"), "unit": ("单元", "unit"),
             "households": ("户数", "households"), "basis": ("口径", "basis"),
             "date": ("截止日期", "date"), "estate_id": ("匹配编码", "matched_estate"),
             "candidates": ("候选楼栋", "candidates"), "reason": ("原因", "reason"),
             "confirm": ("确认", "confirm")}
_WIDTHS = {"estate": 22, "number": 14, "candidates": 40, "reason": 46, "confirm": 18}
_COLOURS = {"to_check": "#FFF2CC", "unmatched": "#F8D7DA", "matched": "#FFFFFF"}


def write_ledger_match(match: LedgerMatch, path: str | Path, lang: str = "zh") -> outputs.Written:
    """Write what became of a ledger's rows, those to check first, with a column to confirm them.

    In that column a planner writes yes (是), no (否) or building ids; given again as the ledger,
    the file is read with these answers.

    Parameters
    ----------
    match
        As :func:`match_ledger` returns it.
    path
        The workbook, ``PLAN_ledger.xlsx`` beside the plan.
    lang
        The language of headings and reasons.

    Raises
    ------
    MachineError
        The file cannot be written; an old one is intact.
    """
    table = _gather(match, lang)

    def write(target: Path) -> None:
        _write(table, target, lang)

    return outputs.replace_file(path, write)


def _gather(match: LedgerMatch, lang: str) -> pd.DataFrame:
    parts = [part.assign(status=name) for name, part in (
        ("to_check", match.to_check), ("unmatched", match.unmatched), ("matched", match.matched))
        if len(part)]
    columns = list(_HEADINGS)
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts).rename_axis("row").reset_index()
    texts = {(r, d): translate(f"ledger.because_{r}", lang, detail=d) if r else ""
             for r, d in dict.fromkeys(zip(table["reason"], table["detail"], strict=True))}
    table["reason"] = [texts[pair] for pair in zip(table["reason"], table["detail"], strict=True)]
    return table[columns]


def _write(table: pd.DataFrame, target: Path, lang: str) -> None:
    import xlsxwriter
    with xlsxwriter.Workbook(str(target), {
            "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
            "in_memory": True}) as book:
        sheet = book.add_worksheet("ledger")
        bold = book.add_format({"bold": True, "bottom": 1})
        text = book.add_format({"num_format": "@"})
        # A date in the file would tell two equal runs apart.
        book.set_properties({"created": pd.Timestamp("2000-01-01").to_pydatetime()})
        shades = {name: book.add_format({"num_format": "@", "bg_color": colour})
                  for name, colour in _COLOURS.items()}
        status = table["status"].tolist()
        for at, name in enumerate(table.columns):
            sheet.write_string(0, at, _HEADINGS[name][lang != "zh"], bold)
            values = table[name].astype(object).where(table[name].notna(), "").tolist()
            if name == "status":
                values = [translate(f"ledger.status_{v}", lang) for v in values]
            for line, value in enumerate(values, 1):
                sheet.write(line, at, value, shades[status[line - 1]])
            sheet.set_column(at, at, _WIDTHS.get(name, 12), text)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(len(table), 1), len(table.columns) - 1)
        at = list(table.columns).index("confirm")
        sheet.data_validation(1, at, max(len(table), 1), at, {
            "validate": "any", "input_title": translate("ledger.confirm_title", lang),
            "input_message": translate("ledger.confirm_help", lang)})
