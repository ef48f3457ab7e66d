"""The timetable as CSV and workbook, and the rota: who serves on which day."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from gridplan.export.names import guard_cell, order_naturally, tame
from gridplan.export.times import name_day, order_days, write_band, write_clock
from gridplan.export.trips import Trip
from gridplan.i18n import LANGUAGES, translate
from gridplan.pages.book import Pen, open_book
from gridplan.pages.ground import text_of

COLUMNS = ("day", "team", "shift", "route", "order", "number", "kind", "id", "name", "date",
           "arrive", "depart", "stay_min", "band")
_WIDTHS = (12, 10, 14, 10, 8, 8, 16, 14, 30, 12, 9, 9, 10, 14)


def list_times(trips: Sequence[Trip], lang: str) -> list[list[str | int]]:
    """Return the timetable: a row for every visit, with the columns ``COLUMNS``.

    ``date`` is the day on which the visit falls: past midnight the next one.
    """
    return [[trip.day, trip.team_id, trip.shift, trip.route_id, order, visit.number or "",
             _say(lang, f"kind_{visit.kind}"), visit.key, visit.name,
             name_day(trip.day, visit.arrive_min), write_clock(visit.arrive_min),
             write_clock(visit.depart_min), visit.stay_min, write_band(visit.arrive_min)]
            for trip in trips for order, visit in enumerate(trip.visits, 1)]


def list_heads(lang: str) -> list[str]:
    """Return the heads of the timetable."""
    return [_say(lang, f"head_{c}") for c in COLUMNS]


def write_csv(trips: Sequence[Trip], lang: str) -> bytes:
    """Return the timetable as CSV in UTF-8 with a mark that Excel needs; no cell is a formula."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(list_heads(lang))
    writer.writerows([guard_cell(v) if isinstance(v, str) else v for v in row]
                     for row in list_times(trips, lang))
    return buffer.getvalue().encode("utf-8-sig")


def is_timetable(data: bytes) -> bool:
    """Tell whether a CSV file begins as a timetable does."""
    first = data.decode("utf-8-sig", "replace").partition("\r\n")[0]
    return next(csv.reader([first]), []) in [list_heads(lang) for lang in LANGUAGES]


def write_timetable(trips: Sequence[Trip], lang: str) -> bytes:
    """Return the timetable as a workbook."""
    buffer = io.BytesIO()
    rows = list_times(trips, lang)
    with open_book(buffer, _say(lang, "timetable")) as book:
        pen = Pen(book, _say(lang, "timetable"))
        sheet = pen.sheet(_say(lang, "timetable"), list_heads(lang), _WIDTHS)
        for at, row in enumerate(rows, 1):
            for column, value in enumerate(row):
                pen.cell(sheet, at, column, value, number="0")
        sheet.autofilter(0, 0, max(len(rows), 1), len(COLUMNS) - 1)
    return buffer.getvalue()


def write_rota(trips: Sequence[Trip], layers: Mapping[str, Any], lang: str) -> bytes:
    """Return the rota: a row for every team that has a trip, a column for every day."""
    days = sorted({t.day for t in trips}, key=order_days)
    teams = sorted({t.team_id for t in trips}, key=order_naturally)
    cells: dict[tuple[str, str], list[str]] = {}
    for trip in trips:
        told = [trip.shift, trip.crew and _say(lang, "crew", crew=trip.crew),
                _say(lang, "rota_cell", km=f"{trip.distance_m / 1000:.1f}",
                     stops=len(trip.stops), passes=len(trip.passes))]
        cells.setdefault((trip.team_id, trip.day), []).append("\n".join(t for t in told if t))
    kinds = _day_kinds(layers)
    heads = [f"{d}\n{_say(lang, f'day_{kinds[d]}')}" if d in kinds else d for d in days]
    buffer = io.BytesIO()
    with open_book(buffer, _say(lang, "rota")) as book:
        pen = Pen(book, _say(lang, "rota"))
        sheet = pen.sheet(_say(lang, "rota"), [_say(lang, "head_team"), *heads],
                          [12, *[22] * len(days)])
        sheet.freeze_panes(1, 1)
        for row, team in enumerate(teams, 1):
            pen.cell(sheet, row, 0, team)
            for column, day in enumerate(days, 1):
                held = cells.get((team, day))
                pen.cell(sheet, row, column, "\n\n".join(held) if held else _say(lang, "off"),
                         shade="" if held else "#EEF2F3")
    return buffer.getvalue()


def _day_kinds(layers: Mapping[str, Any]) -> dict[str, str]:
    """Return which kind each day of the calendar is."""
    calendar = layers.get("calendar")
    if calendar is None:
        return {}
    pairs = zip(text_of(calendar, "date"), text_of(calendar, "day_kind"), strict=True)
    return {tame(date): kind for date, kind in pairs if kind}


def _say(lang: str, name: str, **values: object) -> str:
    return translate(f"export.{name}", lang, **values)
