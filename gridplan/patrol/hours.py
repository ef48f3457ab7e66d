"""Times of day and spans of them, in minutes from midnight; past it they count on."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

DAY_MIN = 1440
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_DAY = re.compile(r"D([1-9]\d{0,2})")

Span = tuple[int, int]


def read_clock(text: object) -> int | None:
    """Return the minute of the day that ``HH:MM`` says, None where it says none.

    >>> read_clock("07:20"), read_clock("24:00"), read_clock("7:20"), read_clock("25:00")
    (440, 1440, None, None)
    """
    match = _CLOCK.fullmatch(str(text))
    if match is None:
        return None
    return DAY_MIN if match[1] is None else int(match[1]) * 60 + int(match[2])


def read_span(text: object) -> Span | None:
    """Return begin and end of ``HH:MM-HH:MM``; an end at or below the begin is the next day's.

    >>> read_span("22:00-06:00"), read_span("08:00-24:00"), read_span("08:00"), read_span("a-b")
    ((1320, 1800), (480, 1440), None, None)
    """
    ends = [read_clock(part) for part in str(text).split("-")]
    if len(ends) != 2 or ends[0] is None or ends[1] is None or ends[0] == DAY_MIN:
        return None
    return ends[0], ends[1] + DAY_MIN * (ends[1] <= ends[0])


def read_windows(text: object) -> list[Span] | None:
    """Return the spans of ``HH:MM-HH:MM;…``, None where one of them is none.

    >>> read_windows("07:20-08:20;16:20-17:30"), read_windows("07:20-08:20;x")
    ([(440, 500), (980, 1050)], None)
    """
    spans = [read_span(part) for part in str(text).split(";")]
    return None if None in spans else [s for s in spans if s is not None]


def count_begins(windows: Sequence[Span], stay_min: float, spacing_min: float) -> int:
    """Return how many stays, their begins ``spacing_min`` apart, fit into windows of a day.

    No window is the whole day; with no spacing any number fits, told as 10,000.

    >>> count_begins([(440, 500)], 10, 30), count_begins([(440, 500), (980, 1050)], 10, 60)
    (2, 3)
    >>> count_begins([], 0, 60)
    24
    """
    spans = sorted((a, b - stay_min) for a, b in windows if b - a >= stay_min)
    if not windows:
        spans = [(0, DAY_MIN - 1.0)]
    if spacing_min <= 0:
        return 10_000 if spans else 0
    count, free = 0, float("-inf")
    for first, last in spans:
        begin = max(float(first), free)
        if begin <= last:
            more = int((last - begin) // spacing_min) + 1
            count, free = count + more, begin + more * spacing_min
    return count


def number_day(text: object) -> int | None:
    """Return the number of a day, of ``2026-12-01`` or ``D3``; None where it is neither.

    >>> number_day("D3"), number_day("2026-12-02") - number_day("2026-12-01")
    (3, 1)
    >>> number_day("2026-02-30"), number_day("Monday")
    (None, None)
    """
    match = _DAY.fullmatch(str(text))
    if match:
        return int(match[1])
    try:
        return dt.datetime.strptime(str(text), "%Y-%m-%d").toordinal() if re.fullmatch(
            r"\d{4}-\d{2}-\d{2}", str(text)) else None
    except ValueError:
        return None


def is_numbered(text: object) -> bool:
    """Tell whether a day is written as ``D1`` instead of as a date."""
    return _DAY.fullmatch(str(text)) is not None
