"""Times of a patrol: minutes of a day that count on past midnight, and the days they fall on."""

from __future__ import annotations

import datetime as dt
import re

DAY_MIN = 1440
BAND_MIN = 15
_TIME = re.compile(r"([0-9]{1,2}):([0-5][0-9])")
_NUMBERED = re.compile(r"[Dd]([0-9]{1,3})")


def read_time(text: str) -> int | None:
    """Return the minutes of a time of day; None where the text is none, or beyond two days.

    >>> read_time("08:15"), read_time("25:10"), read_time("8h"), read_time("48:00")
    (495, 1510, None, None)
    """
    found = _TIME.fullmatch(text.strip())
    minutes = int(found[1]) * 60 + int(found[2]) if found else 2 * DAY_MIN
    return minutes if minutes < 2 * DAY_MIN else None


def write_clock(minutes: int) -> str:
    """Return what a clock shows.

    >>> write_clock(495), write_clock(1510)
    ('08:15', '01:10')
    """
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def write_band(minutes: int) -> str:
    """Return the quarter of an hour in which a time lies.

    >>> write_band(499), write_band(1439)
    ('08:15–08:30', '23:45–00:00')
    """
    start = minutes // BAND_MIN * BAND_MIN
    return f"{write_clock(start)}–{write_clock(start + BAND_MIN)}"


def read_date(day: str) -> dt.date | None:
    """Return the date of a day; None where the plan only numbers it.

    >>> read_date("2026-12-31"), read_date("D1")
    (datetime.date(2026, 12, 31), None)
    """
    try:
        return dt.date.fromisoformat(day)
    except ValueError:
        return None


def name_day(day: str, minutes: int) -> str:
    """Return the day on which a time of a route falls.

    >>> name_day("2026-12-31", 1510), name_day("D1", 1510), name_day("D1", 495)
    ('2027-01-01', 'D2', 'D1')
    >>> name_day("Monday", 1510)
    'Monday +1'
    """
    later = minutes // DAY_MIN
    if not later:
        return day
    date = read_date(day)
    if date is not None:
        return (date + dt.timedelta(days=later)).isoformat()
    numbered = _NUMBERED.fullmatch(day)
    return f"D{int(numbered[1]) + later}" if numbered else f"{day} +{later}"


def place_in_time(day: str, minutes: int, utc_offset_min: int) -> dt.datetime | None:
    """Return the moment of a time of a route; None where the day has no date.

    >>> place_in_time("2026-12-31", 1510, 480).isoformat()
    '2027-01-01T01:10:00+08:00'
    """
    date = read_date(day)
    if date is None:
        return None
    zone = dt.timezone(dt.timedelta(minutes=utc_offset_min))
    return dt.datetime.combine(date, dt.time(), zone) + dt.timedelta(minutes=minutes)


def order_days(day: str) -> tuple[int, int, str]:
    """Return by what days are ordered: D2 before D10, dates as they follow.

    >>> sorted(["D10", "D2", "2026-12-31"], key=order_days)
    ['D2', 'D10', '2026-12-31']
    """
    numbered = _NUMBERED.fullmatch(day)
    return (0, int(numbered[1]), "") if numbered else (1, 0, day)


def read_offset(text: str) -> int | None:
    """Return the minutes of an offset from UTC; None where the text is none.

    >>> read_offset("+08:00"), read_offset("-03:30"), read_offset("8")
    (480, -210, None)
    """
    found = re.fullmatch(r"([+-])(0[0-9]|1[0-4]):([0-5][0-9])", text.strip())
    if not found:
        return None
    return (int(found[2]) * 60 + int(found[3])) * (-1 if found[1] == "-" else 1)
