"""Texts and file names out of a plan's data, without what could do harm where they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LONGEST = 120
# Control characters, those that turn the direction of a line, and those that XML has not.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
                     "\ud800-\udfff\ufffe\uffff]+")
# What a file may be called after: letters, digits and Chinese; anything else becomes a number.
_PLAIN = re.compile(r"[A-Za-z0-9\u4e00-\u9fff][A-Za-z0-9\u4e00-\u9fff-]{0,40}")
_FORMULA = tuple("=+-@\t\r＝＋－＠")


def tame(text: str) -> str:
    r"""Return a text of the plan as one harmless line, angle brackets made harmless too.

    Phones and their maps show names and descriptions as HTML, whatever the file says.

    >>> tame("a\u202eb\n<script>")
    'a b ‹script›'
    """
    line = " ".join(_UNSEEN.sub(" ", text).split()).translate({60: "‹", 62: "›"})
    return line if len(line) <= _LONGEST else line[:_LONGEST - 1] + "…"


def order_naturally(text: str) -> list[tuple[int, int, str]]:
    """Return by what texts are ordered: T2 before T10.

    >>> sorted(["T10", "T2", "A"], key=order_naturally)
    ['A', 'T2', 'T10']
    """
    return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part)
            for part in re.split("([0-9]{1,9})", text) if part]


def guard_cell(value: str) -> str:
    """Return a text that no spreadsheet takes for a formula when it opens a CSV file.

    >>> guard_cell("=cmd()"), guard_cell(" +1"), guard_cell("Gate 3")
    ("'=cmd()", "' +1", 'Gate 3')
    """
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value


def name_stems(trips: Iterable[tuple[str, str]]) -> list[str]:
    """Return the part of a file name for every pair of day and team, each once.

    Data never becomes a path: a day or team that is no plain word gives its number instead.

    >>> name_stems([("D1", "T1"), ("D1", "t1"), ("D1", "../x"), ("2026-12-31", "一队")])
    ['D1-T1', 'D1-t1-2', 'D1-_3', '2026-12-31-一队']
    """
    taken: set[str] = set()
    out = []
    for number, pair in enumerate(trips, 1):
        parts = [word if _PLAIN.fullmatch(word) else f"_{number}" for word in pair]
        stem, again = "-".join(parts), 2
        # Some systems do not tell a from A.
        while stem.lower() in taken:
            stem, again = f"{'-'.join(parts)}-{again}", again + 1
        taken.add(stem.lower())
        out.append(stem)
    return out
