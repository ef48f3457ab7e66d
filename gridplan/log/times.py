"""Clock times of a patrol, which count on past midnight, and the days they fall on."""

from __future__ import annotations

import datetime as dt
import re

DAY_MIN = 1440
_CLOCK = re.compile(r"([0-9]{1,2})[:：]([0-5][0-9])(?:[:：][0-5][0-9](?:\.[0-9]+)?)?")
_STAMP = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?(?:[T ]+(.+))?")
_OFFSET = re.compile(r"([+-])(0[0-9]|1[0-4]):([0-5][0-9])")


def read_clock(text: str) -> int | None:
    """Return the minutes of a time of day; None where the text is none, or beyond two days.

    >>> read_clock("08:15"), read_clock("25:10"), read_clock("8:15:59"), read_clock("8h")
    (495, 1510, 495, None)
    """
    found = _CLOCK.fullmatch(text.strip())
    minutes = int(found[1]) * 60 + int(found[2]) if found else 2 * DAY_MIN
    return minutes if minutes < 2 * DAY_MIN else None


def write_clock(minutes: float) -> str:
    """Return a time as the plan has it, counted on past midnight.

    >>> write_clock(495.9), write_clock(1510)
    ('08:15', '25:10')
    """
    whole = int(minutes // 1)
    return f"{whole // 60:02d}:{whole % 60:02d}"


def read_shift(text: str) -> tuple[int, int] | None:
    """Return begin and end of a shift in minutes; an end at or below the begin is the next day.

    >>> read_shift("08:00-16:00"), read_shift("22:00-06:00"), read_shift("night")
    ((480, 960), (1320, 1800), None)
    """
    begin, _, end = text.partition("-")
    start, stop = read_clock(begin), read_clock(end)
    if start is None or stop is None:
        return None
    return start, stop if stop > start else stop + DAY_MIN


def read_date(text: str) -> dt.date | None:
    """Return a date; None where the text is none.

    >>> read_date("2026-12-31"), read_date("20261231"), read_date("D1")
    (datetime.date(2026, 12, 31), datetime.date(2026, 12, 31), None)
    """
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        return None


def read_stamp(text: str) -> tuple[str, int | None] | None:
    """Return the date of a stamp and its minutes; None where the text is neither.

    The date is blank where only a time is given, the minutes None where only a date is.

    >>> read_stamp("2026-12-31 08:15:00"), read_stamp("25:10"), read_stamp("2026/1/5")
    (('2026-12-31', 495), ('', 1510), ('2026-01-05', None))
    >>> read_stamp("noon") is None
    True
    """
    found = _STAMP.fullmatch(text.strip())
    if not found:
        minutes = read_clock(text)
        return None if minutes is None else ("", minutes)
    minutes = read_clock(found[4]) if found[4] else None
    try:
        date = dt.date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None
    return None if found[4] and minutes is None else (date.isoformat(), minutes)


def read_offset(text: str) -> int | None:
    """Return the minutes of an offset from UTC; None where the text is none.

    >>> read_offset("+08:00"), read_offset("-03:30"), read_offset("8")
    (480, -210, None)
    """
    found = _OFFSET.fullmatch(text.strip())
    return (int(found[2]) * 60 + int(found[3])) * (-1 if found[1] == "-" else 1) if found else None


def midnight_s(date: dt.date, utc_offset_min: int) -> float:
    """Return the seconds since 1970, UTC, at which a day of the plan begins.

    >>> midnight_s(dt.date(1970, 1, 2), 480)
    57600.0
    """
    start = dt.datetime.combine(date, dt.time(), dt.UTC)
    return start.timestamp() - 60.0 * utc_offset_min


def write_moment(seconds: float, utc_offset_min: int) -> str:
    """Return date and time on the plan's clocks.

    >>> write_moment(57600.0, 480)
    '1970-01-02 00:00'
    """
    zone = dt.timezone(dt.timedelta(minutes=utc_offset_min))
    return dt.datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M")
