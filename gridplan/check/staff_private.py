"""Privacy: no name, phone or home of a roster stands anywhere in the plan file."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from contextlib import closing

from gridplan.check.reading import PlanData
from gridplan.check.staff_roster import RosterData
from gridplan.check.verdict import CheckReport

# Names of places on the map; an estate may well be all that a roster tells of a home.
_OF_MAP = {("estates", "name"), ("buildings", "name"), ("buildings", "number"),
           ("buildings", "estate_id"), ("estates", "estate_id"), ("roads", "name"),
           ("communities", "name"), ("facilities", "name"), ("specials", "name"),
           ("must_links", "name"), ("mergers", "name"), ("barriers", "name"),
           ("borders", "follows"), ("groups", "name"), ("grids", "contents"), ("grids", "name"),
           *(("grids", f"bound_{side}") for side in "eswn")}
_PHONE_DIGITS = 7
_LONG_HOME = 7  # homes of so many characters are also found inside longer texts
_CODE_DIGITS = 4  # a phone may be told with the digits of its country before it
_END = "\0"
_PARTS = re.compile(r"[;；、,，/|:：()（）\s\0]+")
_CLAUSES = re.compile(r"[;；、,，/|:：()（）\0]+")
_RUNS = re.compile(r"\d[\d -]{5,}\d")


def check_privacy(plan: PlanData, report: CheckReport, roster: RosterData) -> None:
    """Look for every name, phone and home in every text of every table of the file."""
    names = {f for v in roster.private["person"] if len(f := _fold(v)) > 1}
    homes = {f for v in roster.private["home"] if len(f := _fold(v)) > 1}
    phones = {d for v in roster.private["phone"]
              if len(d := re.sub(r"\D", "", v)) >= _PHONE_DIGITS}
    with closing(sqlite3.connect(plan.path.resolve().as_uri() + "?mode=ro", uri=True)) as base:
        for table, column in _text_columns(base):
            told = base.execute(
                f'SELECT DISTINCT "{column}" FROM "{table}" '  # noqa: S608
                f'WHERE typeof("{column}") = \'text\' ORDER BY 1')
            text = _END.join(row[0] for row in told)
            # On the map only phones are out of place: people share names with places.
            found = _find_phones(text, phones) + (
                0 if (table, column) in _OF_MAP else _find_words(text, names | homes))
            if found:
                # What was found is not told again.
                report.add("staff", "person_told", table, [f"{table}.{column}"], column,
                           found=found)


def _text_columns(base: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = [row[0] for row in base.execute(
        "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'rtree_%' "
        "AND name NOT LIKE 'sqlite_%' ORDER BY name")]
    return [(t, row[1]) for t in tables if '"' not in t
            for row in base.execute(f'PRAGMA table_info("{t}")') if '"' not in row[1]]


def _find_words(text: str, wanted: set[str]) -> int:
    """Count which of ``wanted`` are a text, a clause or a word of it; long ones also inside.

    >>> _find_words("kept, Li Ming, 12 Elm St.", {"liming", "12elmst.", "elm"})
    3
    >>> _find_words("lives at 12 Elm St. now", {"12elmst."})
    1
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    tight = re.sub(r"[^\S\0]", "", plain)
    found = wanted & {*tight.split(_END), *_CLAUSES.split(tight), *_PARTS.split(plain)}
    long: dict[str, list[str]] = {}
    for word in (w for w in wanted if len(w) >= _LONG_HOME):
        long.setdefault(word[:_LONG_HOME], []).append(word)
    for at in range(len(tight) - _LONG_HOME + 1) if long else ():
        for word in long.get(tight[at:at + _LONG_HOME], ()):
            if tight.startswith(word, at):
                found.add(word)
    return len(found)


def _find_phones(text: str, phones: set[str]) -> int:
    """Count phones, also with a country code and with gaps.

    >>> _find_phones("call 138-0000 0000 or +86 13900000001", {"13800000000", "13900000001"})
    2
    """
    runs = {re.sub(r"\D", "", run) for run in _RUNS.findall(text)}
    return len(phones & {run[k:] for run in runs for k in range(_CODE_DIGITS + 1)})


def _fold(text: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).lower()
