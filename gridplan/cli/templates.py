"""What ``gridplan init`` writes: a commented gridplan.toml and the tables to fill in."""

from __future__ import annotations

import datetime as dt
import io
import os

from gridplan.i18n import translate
from gridplan.params import template

# Columns by table; those of TEXT hold codes that a spreadsheet must not turn into numbers.
TABLES = {
    "totals": ("community_id", "name", "households"),
    "ledger": ("community_id", "estate", "number", "households", "basis", "date"),
    "roster": ("staff_id", "role", "community_id", "capacity", "capacity_unit", "part_time",
               "languages", "grids", "buildings", "wishes", "bars", "communities", "person",
               "phone", "home"),
    "teams": ("team_id", "tier", "mode", "station_id", "crew", "shift_start", "shift_end",
              "break_min", "break_window", "members", "zone_id"),
}
TEXT = frozenset(("community_id", "staff_id", "team_id", "station_id", "zone_id", "number",
                  "phone", "date", "grids", "buildings", "wishes", "bars", "communities",
                   "shift_start", "shift_end", "break_window"))
CHOICES = {"mode": ("foot", "ebike", "bike", "car"), "capacity_unit": ("households", "grids")}


def make_templates(lang: str = "en") -> dict[str, bytes]:
    """Return file name → content; the same texts give the same bytes."""
    files = {"gridplan.toml": template(lang).encode("utf-8")}
    for table in TABLES:
        files[f"{table}.xlsx"] = make_table(table, lang)
    return files


def make_table(table: str, lang: str = "en") -> bytes:
    """Return an empty workbook: a sheet with the headers, and one that explains them."""
    import xlsxwriter

    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"created": _date()})
        bold = book.add_format({"bold": True, "bg_color": "#DDE6F0", "bottom": 1})
        text = book.add_format({"num_format": "@"})
        wrap = book.add_format({"text_wrap": True, "valign": "top"})
        sheet = book.add_worksheet(translate(f"cli.sheet.{table}", lang))
        told = book.add_worksheet(translate("cli.sheet.columns", lang))
        sheet.freeze_panes(1, 0)
        told.set_column(0, 0, 18)
        told.set_column(1, 1, 90, wrap)
        for at, column in enumerate(TABLES[table]):
            head = translate(f"cli.head.{column}", lang)
            sheet.set_column(at, at, 16, text if column in TEXT else None)
            sheet.write_string(0, at, head, bold)
            told.write_string(at, 0, head, bold)
            told.write_string(at, 1, translate(f"cli.note.{column}", lang), wrap)
            if column in CHOICES:
                sheet.data_validation(1, at, 2000, at,
                                      {"validate": "list", "source": list(CHOICES[column])})
    return buffer.getvalue()


def _date() -> dt.datetime:
    """Return the date the workbook bears: never the clock's."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return dt.datetime.fromtimestamp(int(epoch) if epoch.isdigit() else 1_577_836_800, dt.UTC
                                     ).replace(tzinfo=None)
