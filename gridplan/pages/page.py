"""A document of A4 pages in the making: lines of type that fit, and texts without surprises."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from fpdf import FPDF
from fpdf.enums import MethodReturnValue, WrapMode

from gridplan.pages.book import AUTHOR, read_date
from gridplan.pages.canvas import FONT, INK, write_line
from gridplan.pages.fonts import Face

WIDE, HIGH, EDGE = 210.0, 297.0, 14.0
INNER = WIDE - 2 * EDGE
# A line of type of one point, with the space to the next.
LINE = 0.43
# Control characters and those that turn the direction of a line.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")


def clean(text: str) -> str:
    r"""Return a text without what cannot be printed; lines stay.

    >>> clean("a\u202eb\tc\nd")
    'a b c\nd'
    """
    return "\n".join(_UNSEEN.sub(" ", line).strip() for line in text.split("\n"))


class Page:
    """One document in the making; ``y`` is where the next thing goes, in millimetres.

    Parameters
    ----------
    face
        The typeface, cut down to what is written.
    title
        Written into the file, not on the page.
    lang
        Tells where lines may break.
    """

    def __init__(self, face: Face, title: str, lang: str) -> None:
        self.face, self.lang = face, lang
        self.pdf = pdf = FPDF(format="A4", unit="mm")
        pdf.set_creation_date(read_date().replace(tzinfo=dt.UTC))
        pdf.set_producer(AUTHOR)
        pdf.set_title(title)
        pdf.set_auto_page_break(False)
        pdf.set_margin(0)
        pdf.c_margin = 0
        pdf.add_font(FONT, "", face.path)
        pdf.add_page()
        self.y = EDGE

    def text(self, x: float, y: float, text: str, size: float, colour: str = INK,
             bold: float = 0.0) -> float:
        """Write one line and return its width; what is too long for the page is cut."""
        shown = self.fit(clean(text).replace("\n", " "), size, WIDE - EDGE - x + 0.1)
        write_line(self.pdf, x, y, shown, size, colour, bold)
        return float(self.pdf.get_string_width(shown))

    def fit(self, text: str, size: float, width: float) -> str:
        """Cut a text with dots at what a width can hold."""
        shown = self.face.shown(text)
        self.pdf.set_font(FONT, size=size)
        if self.pdf.get_string_width(shown) <= width:
            return shown
        while shown and self.pdf.get_string_width(shown + "…") > width:
            shown = shown[:-1]
        return shown + "…"

    def wrap(self, text: str, width: float, size: float, most: int = 4) -> list[str]:
        """Break a text into lines of a width; what is beyond ``most`` is cut."""
        self.pdf.set_font(FONT, size=size)
        lines: list[str] = []
        mode = WrapMode.CHAR if self.lang == "zh" else WrapMode.WORD
        for part in clean(text).split("\n"):
            shown = self.face.shown(part)
            if shown:
                broken: Any = self.pdf.multi_cell(width, text=shown, dry_run=True,
                                                  output=MethodReturnValue.LINES, wrapmode=mode)
                lines += broken
        if len(lines) > most:
            lines = [*lines[:most - 1], self.fit(lines[most - 1] + "…", size, width)]
        return [self.fit(line, size, width) for line in lines] or [""]

    def close(self) -> bytes:
        """Return the file."""
        return bytes(self.pdf.output())
