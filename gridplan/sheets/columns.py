"""Finds the row of column names and what each column means; makes a table of what is below."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from gridplan.errors import Findings, first_ids
from gridplan.sheets.reading import Sheet

_HEADER_WITHIN = 15


def fold(name: object) -> str:
    """Return a name without case, spaces and punctuation.

    >>> fold("Building:Levels "), fold("户 数")
    ('buildinglevels', '户数')
    """
    text = unicodedata.normalize("NFKC", str(name)).casefold()
    return "".join(c for c in text if c.isalnum())


def find_header(rows: Sequence[Sequence[str]], rate: Callable[[Sequence[str]], int]) -> int:
    """Return the row that ``rate`` rates highest, the first of equals.

    A title, a line of remarks or a row of headings over several columns may stand above the
    names. Where no row is rated above 0, it is the first with two filled cells, or -1.

    >>> find_header([["Roster"], ["", ""], ["id", "role"]], lambda row: row.count("role"))
    2
    """
    best = max(range(min(len(rows), _HEADER_WITHIN)), key=lambda i: rate(rows[i]), default=-1)
    if best >= 0 and rate(rows[best]) > 0:
        return best
    filled = [i for i, row in enumerate(rows[:_HEADER_WITHIN]) if sum(map(bool, row)) > 1]
    return filled[0] if filled else -1


def find_columns(header: Sequence[str], aliases: Mapping[str, Sequence[str]],
                 columns: Mapping[str, str]) -> dict[str, int]:
    """Return ours → position; a name given in ``columns`` wins over a recognised one.

    ``aliases`` are ours → folded names, best first.

    >>> find_columns(["工 号", "Job"], {"staff_id": ["工号"], "role": ["role"]}, {"role": "Job"})
    {'role': 1, 'staff_id': 0}
    """
    names = [h.strip() for h in header]
    folded = [fold(h) for h in names]
    found = {ours: names.index(theirs) for ours, theirs in columns.items() if theirs in names}
    for ours, known in aliases.items():
        if ours not in found:
            hits = [folded.index(a) for a in known if a in folded]
            hits = [h for h in hits if h not in found.values()]
            if hits:
                found[ours] = hits[0]
    return found


def to_table(sheet: Sheet, header: int, file: str, findings: Findings) -> pd.DataFrame:
    """Return what stands below the header, blank rows left out, indexed by line.

    Columns are numbered; ``attrs["names"]`` holds their names. A row with more cells than there
    are names is a fault: its values would stand in the wrong columns.
    """
    rows = sheet.rows
    names = [name.strip() for name in rows[header]]
    while names and not names[-1]:
        names.pop()
    body = [i for i in range(header + 1, len(rows)) if not sheet.is_blank(i)]
    blank = (body[-1] - header if body else 0) - len(body)
    if blank:
        findings.add("sheets.blank_rows", "repaired", file=file, count=blank)
    width = len(names)
    wrong = [sheet.lines[i] for i in body if any(cell.strip() for cell in rows[i][width:])]
    if wrong:
        findings.add("sheets.row_width", file=file, row=first_ids(wrong), count=len(wrong),
                     columns=width)
    held = [(rows[i] + [""] * width)[:width] for i in body]
    table = pd.DataFrame(held, columns=range(width), dtype="string",
                         index=pd.Index([sheet.lines[i] for i in body], name="row", dtype=int))
    table.attrs["names"] = names
    return table
