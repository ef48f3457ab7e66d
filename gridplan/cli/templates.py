"""What ``gridplan init`` writes: a commented gridplan.toml and the tables to fill in."""

from __future__ import annotations

import datetime as dt
import io
import os
from typing import Any

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
    "stations": ("station_id", "name", "kind", "lon", "lat", "facility_id", "tier", "zone_id"),
    "stops": ("stop_id", "name", "kind", "lon", "lat", "facility_id", "tier", "zone_id",
              "priority", "visits_per_day", "visits_per_week", "spacing_min", "service_min",
              "windows", "optional", "penalty"),
    "streets": ("required_id", "road_name", "road_id", "road_class", "tier", "passes_per_day",
                "day_kind", "optional", "prize"),
    "calendar": ("date", "day_kind", "duty", "crew", "team_id", "shift"),
}
# Workbook → its tables, a sheet each.
BOOKS = {"totals": ("totals",), "ledger": ("ledger",), "roster": ("roster",),
         "patrol": ("teams", "stations", "stops", "streets", "calendar")}
# Where a column means something else than in the tables before.
_OWN = {("calendar", "date"): "day", ("stations", "name"): "place", ("stops", "name"): "place",
        ("stations", "kind"): "station_kind", ("stops", "kind"): "stop_kind"}
TEXT = frozenset(("community_id", "staff_id", "team_id", "station_id", "zone_id", "number",
                  "phone", "date", "grids", "buildings", "wishes", "bars", "communities",
                  "shift_start", "shift_end", "break_window", "stop_id", "facility_id", "windows",
                  "required_id", "road_id", "shift"))
CHOICES = {"mode": ("foot", "ebike", "bike", "car"), "capacity_unit": ("households", "grids"),
           "tier": ("city", "town", "community"), "optional": ("yes", "no"),
           "day_kind": ("workday", "weekend", "holiday"), "duty": ("normal", "raised", "high")}


def make_templates(lang: str = "en") -> dict[str, bytes]:
    """Return file name → content; the same texts give the same bytes."""
    files = {"gridplan.toml": template(lang).encode("utf-8")}
    for book in BOOKS:
        files[f"{book}.xlsx"] = make_book(book, lang)
    return files


def make_book(name: str, lang: str = "en") -> bytes:
    """Return an empty workbook: sheets with the headers, and one that explains them."""
    import xlsxwriter

    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"created": _date()})
        formats = {"bold": book.add_format({"bold": True, "bg_color": "#DDE6F0", "bottom": 1}),
                   "text": book.add_format({"num_format": "@"}),
                   "wrap": book.add_format({"text_wrap": True, "valign": "top"})}
        for table in BOOKS[name]:
            _add_sheet(book, table, lang, formats)
        _add_notes(book, BOOKS[name], lang, formats)
    return buffer.getvalue()


def _add_sheet(book: Any, table: str, lang: str, formats: dict[str, Any]) -> None:
    sheet = book.add_worksheet(translate(f"cli.sheet.{table}", lang))
    sheet.freeze_panes(1, 0)
    for at, column in enumerate(TABLES[table]):
        sheet.set_column(at, at, 16, formats["text"] if column in TEXT else None)
        sheet.write_string(0, at, _say("head", table, column, lang), formats["bold"])
        if column in CHOICES:
            sheet.data_validation(1, at, 2000, at, {
                "validate": "list", "error_type": "warning",
                "source": [translate(f"cli.choice.{c}", lang) for c in CHOICES[column]]})


def _add_notes(book: Any, tables: tuple[str, ...], lang: str, formats: dict[str, Any]) -> None:
    """Add the sheet that explains every column; where there are more, behind its sheet's name."""
    told = book.add_worksheet(translate("cli.sheet.columns", lang))
    first = 0 if len(tables) == 1 else 1
    told.set_column(0, first, 18)
    told.set_column(first + 1, first + 1, 90, formats["wrap"])
    for row, (table, column) in enumerate((t, c) for t in tables for c in TABLES[t]):
        if first:
            told.write_string(row, 0, translate(f"cli.sheet.{table}", lang))
        told.write_string(row, first, _say("head", table, column, lang), formats["bold"])
        told.write_string(row, first + 1, _say("note", table, column, lang), formats["wrap"])


def _say(what: str, table: str, column: str, lang: str) -> str:
    return translate(f"cli.{what}.{_OWN.get((table, column), column)}", lang)


def _date() -> dt.datetime:
    """Return the date the workbook bears: never the clock's."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return dt.datetime.fromtimestamp(int(epoch) if epoch.isdigit() else 1_577_836_800, dt.UTC
                                     ).replace(tzinfo=None)
