"""The cells of a dispatcher's table: numbers, choices, words, hours and dates.

What cannot be understood stays as it is written where the column is text, so that the checks
which follow can show it; in columns of numbers and choices it is told here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.errors import Finding, Findings, Outcome, first_ids
from gridplan.layers import Kind, typed
from gridplan.read import names
from gridplan.read.patrol_words import CELL_WORDS, NEEDED, SPARED
from gridplan.sheets import fold

_UNIT = re.compile(r"(分钟|分|min(ute)?s?|次|遍|趟|人|名|米|m)(/?[日天周])?$", re.IGNORECASE)
_PART = re.compile(r"\s*[;；、,，|\n]\s*")
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{1,2})(?::\d{2}(?:\.\d+)?)?|[点时](?:(\d{1,2})分?|(半))?)")
_DASH = re.compile(r"\s*(?:-+|[–—−~～至到]|——|\bto\b)\s*")
_NEXT = re.compile(r"^(次日|翌日|第二天)")
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T][\d:.]+)?")
_PLAIN_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_DAY = re.compile(r"(?:d|day|第)\s*(\d{1,3})\s*[天日]?", re.IGNORECASE)


@dataclass
class Rows:
    """One table under our names: ``text`` has a column of ours each, NA where the cell is blank.

    ``heads`` are ours → the headings of the file; ``shapes``, in the CRS of the plan, is None
    for a table without geometry, and holds None where a row has none.
    """

    role: str
    file: str
    text: pd.DataFrame
    findings: Findings
    heads: Mapping[str, str] = field(default_factory=dict)
    shapes: NDArray[np.object_] | None = None

    def column(self, name: str) -> pd.Series:
        """Return a column of text, all NA where the file has none."""
        if name in self.text:
            return self.text[name]
        return pd.Series(pd.NA, self.text.index, dtype="string")

    def tell(self, key: str, outcome: Outcome, wrong: NDArray[np.bool_], name: str = "",
             **told: object) -> None:
        """Tell of the rows that are ``wrong`` in the column ``name``, if there are any."""
        if not wrong.any():
            return
        rows = self.text.index[wrong]
        value = self.column(name)[wrong].fillna("").iloc[0] if name else ""
        self.findings.items.append(Finding(
            key, outcome, self.file, self.role, first_ids(dict.fromkeys(rows)),
            self.heads.get(name, name), len(rows), {"value": value, **told}))

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Leave the other rows out."""
        self.text = self.text[kept]
        if self.shapes is not None:
            self.shapes = self.shapes[kept]


def read_numbers(rows: Rows, name: str, kind: Kind) -> pd.api.extensions.ExtensionArray:
    """Return a column of numbers, NA where blank or wrong, and tell what is wrong.

    A unit behind the number, thousands separators and full-width digits are understood.
    """
    text = rows.column(name).str.normalize("NFKC").str.strip()
    plain = text.str.replace(_UNIT, "", regex=True).str.strip().str.replace(
        r"^(-?\d{1,3}(?:,\d{3})+)$", lambda m: m[0].replace(",", ""), regex=True)
    number = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    stated = text.notna().to_numpy()
    none = stated & ~(np.abs(number) < 10**9)
    broken = stated & ~none & (kind == "int") & (number != np.round(number))
    rows.tell("read.not_a_number", "error", none, name)
    rows.tell("read.not_whole", "error", broken, name)
    number[none | broken | ~stated] = np.nan
    held = pd.array(number, dtype="Float64")
    held[np.isnan(number)] = pd.NA
    return typed(pd.Series(held), kind, len(number))


def read_choices(rows: Rows) -> pd.api.extensions.ExtensionArray:
    """Return ``optional``: what the file says of it, or the contrary of what it says is needed."""
    out: list[object] = [pd.NA] * len(rows.text)
    for name, turned in (("needed", True), ("optional", False)):
        text = rows.column(name)
        low = text.fillna("").map(fold).to_numpy(dtype=object)
        yes = np.isin(low, [*names.TRUE, *(NEEDED if turned else SPARED)])
        no = np.isin(low, [*names.FALSE, *(SPARED if turned else NEEDED)])
        rows.tell("read.patrol_choice", "error", text.notna().to_numpy() & ~yes & ~no, name)
        for k in np.flatnonzero(yes | no).tolist():
            out[k] = bool(yes[k]) != turned
    return pd.array(out, dtype="boolean")


def read_words(rows: Rows, name: str) -> pd.Series:
    """Return a column of words: those we know as ours, others as they are written."""
    return rows.column(name).map(
        lambda word: CELL_WORDS[name].get(fold(word), str(word).strip()),
        na_action="ignore").astype("string")


def spell_clock(text: str) -> str:
    """Return a time of day as ``HH:MM``; what is none comes back as it is.

    >>> spell_clock("7：5"), spell_clock("07:20:00"), spell_clock("22点半"), spell_clock("noon")
    ('07:05', '07:20', '22:30', 'noon')
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    match = _CLOCK.fullmatch(_NEXT.sub("", plain.rpartition(" ")[2]))
    if match is None:
        return text.strip()
    minute = "30" if match[4] else match[2] or match[3] or "0"
    return f"{int(match[1]):02d}:{int(minute):02d}"


def spell_spans(text: str) -> str:
    """Return spans of time as ``HH:MM-HH:MM;…``; what is none comes back as it is.

    >>> spell_spans("7:20—8:20、16：20至17：30"), spell_spans("22:00-次日6:00"), spell_spans("早上")
    ('07:20-08:20;16:20-17:30', '22:00-06:00', '早上')
    """
    spans = []
    for part in _PART.split(unicodedata.normalize("NFKC", text).strip()):
        ends = _DASH.split(part)
        if part:
            spans.append("-".join(map(spell_clock, ends)))
    return ";".join(spans)


def spell_date(text: str) -> str:
    """Return a date as ``YYYY-MM-DD`` or a day as ``D1``; what is none comes back as it is.

    >>> spell_date("2026年12月1日"), spell_date("2026/12/1"), spell_date("第3天"), spell_date("d2")
    ('2026-12-01', '2026-12-01', 'D3', 'D2')
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    match = _DATE.fullmatch(plain) or _PLAIN_DATE.fullmatch(plain)
    if match:
        return f"{match[1]}-{int(match[2]):02d}-{int(match[3]):02d}"
    match = _DAY.fullmatch(plain)
    return f"D{int(match[1])}" if match else plain


def is_span(text: object) -> bool:
    """Tell whether a cell is written as hours, not as the name of a crew.

    >>> is_span("07:30-15:30"), is_span("早班")
    (True, False)
    """
    return bool(re.search(r"\d\s*[:：点时]", str(text)))


def split_list(cell: object) -> list[str]:
    """Return the entries of a cell that may hold several.

    >>> split_list("长安街、人民路;")
    ['长安街', '人民路']
    """
    return [w for w in _PART.split(str(cell)) if w] if not pd.isna(cell) else []
