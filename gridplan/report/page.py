"""The figures of the service circle on a page of A4: shares against their targets, worst gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gridplan.i18n import load_room
from gridplan.pages.canvas import ACCENT, ALERT, INK, SOFT
from gridplan.pages.fonts import cut_font
from gridplan.pages.ground import text_of
from gridplan.plan.coverage import WORST, Circle
from gridplan.report.circle import list_gaps
from gridplan.report.notice import Sheet
from gridplan.report.tables import Reader, hide_share

_EDGE, _WIDE = 14.0, 210.0
_LINE_MM = (5.4, 8.2)  # lines stand closer the more categories there are
_LAST_MM, _GAPS_MM = 280.0, 56.0  # where the page ends, and what the worst gaps take of it
_BAR_X, _BAR_MM = 92.0, 72.0


def draw_figures(layers: Mapping[str, Any], circle: Circle, reader: Reader) -> bytes:
    """Return one page as PDF: completeness, full circle, every category, the worst gaps.

    Raises
    ------
    MachineError
        No typeface with Chinese is found.
    """
    gaps = list_gaps(circle, layers, reader).head(WORST)
    texts = [t[reader.lang] for room in ("report", "common") for t in load_room(room).values()]
    texts += [*circle.names.values(), *text_of(layers["communities"], "name"), ">0123456789%"]
    texts += [str(v) for c in gaps.columns for v in gaps[c].tolist()]
    with cut_font(texts) as face:
        sheet = Sheet(face, reader)
        sheet.pdf.set_title(reader.say("circle_page"))
        shares = _list_shares(circle, reader)
        _write_head(sheet, any(target is not None for *_, target in shares))
        room = _LAST_MM - _GAPS_MM * (not gaps.empty) - sheet.y
        line_mm = float(np.clip(room / max(len(shares), 1), *_LINE_MM))
        for share in shares:
            _write_share(sheet, line_mm, *share)
        _write_gaps(sheet, gaps)
        sheet.text(_EDGE, 286, reader.say("proposal"), 8, SOFT)
        return sheet.close()


def _list_shares(circle: Circle, reader: Reader
                 ) -> list[tuple[str, int, int, float | None]]:
    """Return name, households, those within reach and target: of everything, then by category."""
    first = circle.walkers[0]
    rows = [("completeness", reader.say("figure_completeness"),
             circle.complete("city", ["all"], first)),
            ("full_circle", reader.say("figure_full_circle"), circle.full("city", ["all"]))]
    rows += [(f"covered:{c}", circle.names[c], circle.count("city", ["all"], c, first))
             for c in circle.categories]
    return [(name, int(whole[0]), int(part[0]), circle.target(figure))
            for figure, name, (whole, part) in rows if whole[0] >= 0]


def _write_head(sheet: Sheet, targets: bool) -> None:
    sheet.pdf.set_fill_color(INK)
    sheet.pdf.rect(0, 0, _WIDE, 3.2, style="F")
    say = sheet.reader.say
    sheet.text(_EDGE, sheet.y + 8, say("circle_page"), 22, INK, 0.25)
    sheet.text(_EDGE, sheet.y + 15, say("internal" if sheet.reader.internal else "share"), 9.5,
               ALERT if sheet.reader.internal else SOFT)
    sheet.text(_BAR_X, sheet.y + 23, say("circle_page_share"), 8.5, SOFT)
    if targets:
        sheet.text(_BAR_X + _BAR_MM + 18, sheet.y + 23, say("head_target"), 8.5, SOFT)
    sheet.y += 30


def _write_share(sheet: Sheet, line_mm: float, name: str, whole: int, part: int,
                 target: float | None) -> None:
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
    sheet.y += line_mm


def _write_gaps(sheet: Sheet, gaps: Any) -> None:
    if gaps.empty:
        return
    if sheet.y > _LAST_MM - _GAPS_MM + 1:
        sheet.pdf.add_page()
        sheet.y = _EDGE
    sheet.y += 6
    sheet.text(_EDGE, sheet.y, sheet.reader.say("circle_page_gaps"), 12, ACCENT, 0.1)
    for record in gaps.to_dict("records"):
        sheet.y += 8
        sheet.text(_EDGE, sheet.y, f"{record['community']} · {record['name'] or record['grid_id']}",
                   10.5, INK, 0.08)
        sheet.y += 5
        lacking = sheet.fit(str(record["lacking"]), 9, _WIDE - 2 * _EDGE)
        sheet.text(_EDGE, sheet.y, lacking, 9, SOFT)
