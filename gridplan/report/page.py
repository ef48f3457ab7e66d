"""The figures of the service circle on a page of A4: shares against their targets, worst gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gridplan.i18n import load_room
from gridplan.pages.canvas import ACCENT, ALERT, INK, SOFT
from gridplan.pages.fonts import cut_font
from gridplan.pages.ground import text_of
from gridplan.plan.coverage import Circle
from gridplan.report.circle import list_gaps
from gridplan.report.notice import Sheet
from gridplan.report.tables import Reader, hide_share

_EDGE, _WIDE, _LINE_MM, _LAST_MM = 14.0, 210.0, 8.2, 262.0
_BAR_X, _BAR_MM = 92.0, 72.0
_WORST = 3


def draw_figures(layers: Mapping[str, Any], circle: Circle, reader: Reader) -> bytes:
    """Return one page as PDF: completeness, full circle, every category, the worst gaps.

    Raises
    ------
    MachineError
        No typeface with Chinese is found.
    """
    gaps = list_gaps(circle, layers, reader).head(_WORST)
    texts = [t[reader.lang] for room in ("report", "common") for t in load_room(room).values()]
    texts += [*circle.names.values(), *text_of(layers["communities"], "name"), ">0123456789%"]
    texts += [str(v) for c in gaps.columns for v in gaps[c].tolist()]
    with cut_font(texts) as face:
        sheet = Sheet(face, reader)
        sheet.pdf.set_title(reader.say("circle_page"))
        _write_head(sheet)
        whole, part = circle.complete("city", ["all"], circle.walkers[0])
        _write_share(sheet, reader.say("figure_completeness"), int(whole[0]), int(part[0]),
                     circle.target("completeness"))
        whole, part = circle.full("city", ["all"])
        if whole[0] >= 0:
            _write_share(sheet, reader.say("figure_full_circle"), int(whole[0]), int(part[0]),
                         circle.target("full_circle"))
        sheet.y += 5
        for category in circle.categories:
            whole, part = circle.count("city", ["all"], category, circle.walkers[0])
            if whole[0] >= 0:
                _write_share(sheet, circle.names[category], int(whole[0]), int(part[0]),
                             circle.target(f"covered:{category}"))
        _write_gaps(sheet, gaps)
        sheet.text(_EDGE, 286, reader.say("proposal"), 8, SOFT)
        return sheet.close()


def _write_head(sheet: Sheet) -> None:
    sheet.pdf.set_fill_color(INK)
    sheet.pdf.rect(0, 0, _WIDE, 3.2, style="F")
    say = sheet.reader.say
    sheet.text(_EDGE, sheet.y + 8, say("circle_page"), 22, INK, 0.25)
    sheet.text(_EDGE, sheet.y + 15, say("internal" if sheet.reader.internal else "share"), 9.5,
               ALERT if sheet.reader.internal else SOFT)
    sheet.text(_BAR_X, sheet.y + 23, say("circle_page_share"), 8.5, SOFT)
    sheet.text(_BAR_X + _BAR_MM + 18, sheet.y + 23, say("head_target"), 8.5, SOFT)
    sheet.y += 30


def _write_share(sheet: Sheet, name: str, whole: int, part: int, target: float | None) -> None:
    """Write a line: name, bar with a mark at its target, share, target."""
    if sheet.y > _LAST_MM:
        sheet.pdf.add_page()
        sheet.y = _EDGE + 6
    pdf, y = sheet.pdf, sheet.y
    _, _, told = hide_share(whole, part, sheet.reader)
    share = part / whole if whole > 0 else 0.0
    # A share that is not told is drawn no more exactly than it is written.
    drawn = share if isinstance(told, float) else round(20 * share) / 20 if told else 0.0
    sheet.text(_EDGE, y, sheet.fit(name, 10.5, _BAR_X - _EDGE - 4), 10.5, INK)
    pdf.set_fill_color("#ece6da")
    pdf.rect(_BAR_X, y - 3.1, _BAR_MM, 3.6, style="F")
    missed = target is not None and whole > 0 and share < target - 1e-12
    pdf.set_fill_color("#c9651b" if missed else ACCENT)
    if drawn > 0:
        pdf.rect(_BAR_X, y - 3.1, _BAR_MM * drawn, 3.6, style="F")
    words = f"{100 * told:.1f} %" if isinstance(told, float) else str(told or "–")
    sheet.text(_BAR_X + _BAR_MM + 2, y, words, 10.5, ALERT if missed else INK, 0.08)
    if target is not None:
        pdf.set_fill_color(INK)
        pdf.rect(_BAR_X + _BAR_MM * target - 0.3, y - 4.1, 0.6, 5.6, style="F")
        sheet.text(_BAR_X + _BAR_MM + 18, y, f"{100 * target:.0f} %", 10.5, SOFT)
    sheet.y += _LINE_MM


def _write_gaps(sheet: Sheet, gaps: Any) -> None:
    if gaps.empty:
        return
    if sheet.y > _LAST_MM - 30:
        sheet.pdf.add_page()
        sheet.y = _EDGE
    sheet.y += 6
    sheet.text(_EDGE, sheet.y, sheet.reader.say("circle_page_gaps"), 12, ACCENT, 0.1)
    for record in gaps.to_dict("records"):
        sheet.y += 8
        sheet.text(_EDGE, sheet.y, f"{record['community']} · {record['name'] or record['grid_id']}",
                   10.5, INK, 0.08)
        sheet.y += 5
        sheet.text(_EDGE, sheet.y, str(record["lacking"]), 9, SOFT)
