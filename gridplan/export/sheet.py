"""The route sheet of a team and day: one page to take along, then the way turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gridplan.export.guide import ARROWS, Step, list_steps
from gridplan.export.names import tame
from gridplan.export.routemap import draw_route, find_bounds
from gridplan.export.times import name_day, read_date, write_band
from gridplan.export.trips import Trip, Visit
from gridplan.export.turns import Streets
from gridplan.i18n import load_room, translate
from gridplan.pages.book import AUTHOR
from gridplan.pages.canvas import ACCENT, INK, SOFT, Box, Canvas, write_disc, write_line
from gridplan.pages.fonts import Face, cut_font
from gridplan.pages.ground import Ground, text_of
from gridplan.pages.page import EDGE, HIGH, INNER, LINE, WIDE, Page
from gridplan.sheets import hide_persons

# Totals, hand-over lines and the last line of the first page.
_FOOT = 46.0
_LEAST_MAP, _GOOD_MAP, _MOST_MAP = 66.0, 92.0, 128.0
# Sizes of type of the table of stops, with the height of its rows.
_SIZES = ((9.5, 7.4), (9.0, 6.4), (8.5, 5.6), (8.2, 5.1))
_STREET_LINES = 3
_BETWEEN = 6.0
_RULE = "#d9d4c8"


def draw_sheets(trips: Sequence[Trip], plan: Any, lang: str) -> dict[str, bytes]:
    """Return a PDF for every trip by its stem.

    The typeface is cut down once to what any of them writes, then once more in every file.

    Raises
    ------
    MachineError
        No typeface with Chinese is found.
    """
    roads = plan.layer("roads")
    ground, streets = Ground(plan.layers), Streets(roads)
    ground.road_names = np.array([_show(n) for n in ground.road_names], dtype=object)
    texts = [t[lang] for t in load_room("export").values()]
    texts += [*ARROWS.values(), "■×", *map(_show, text_of(roads, "name"))]
    for trip in trips:
        texts += [trip.team_id, trip.day, trip.shift, trip.crew, trip.zone, trip.station_name]
        texts += [t for v in trip.visits for t in (v.key, v.name)]
    out = {}
    with cut_font(texts) as face:
        for trip in trips:
            sheet = Sheet(face, trip, lang)
            left = sheet.write_front(ground)
            sheet.write_guide(left, streets)
            out[trip.stem] = sheet.close()
    return out


def _show(text: str) -> str:
    return tame(hide_persons(text))


def sum_streets(passes: Sequence[Visit]) -> list[tuple[str, int, float]]:
    """Return name, passes and metres of the required streets, in order of first pass.

    A street may be in several pieces between junctions: the passes are those of the piece that is
    passed most often, the metres those of all passes.
    """
    counts: dict[str, dict[str, int]] = {}
    metres: dict[str, float] = {}
    for visit in passes:
        pieces = counts.setdefault(visit.name, {})
        pieces[visit.key] = pieces.get(visit.key, 0) + 1
        length = visit.shape.length if visit.shape else 0.0
        metres[visit.name] = metres.get(visit.name, 0.0) + length
    return [(name, max(pieces.values()), metres[name]) for name, pieces in counts.items()]


class Sheet(Page):
    """One route sheet in the making."""

    def __init__(self, face: Face, trip: Trip, lang: str) -> None:
        super().__init__(face, translate("export.sheet", lang), lang)
        self.trip = trip

    def say(self, name: str, **values: object) -> str:
        """Return a text in the language of the sheet."""
        return translate(f"export.{name}", self.lang, **values)

    # ---- the first page --------------------------------------------------------------------

    def write_front(self, ground: Ground) -> list[Visit]:
        """Write the first page; return the stops that it has no room for."""
        self._write_head()
        rows = [v for v in self.trip.visits if v.kind in ("stop", "break")]
        lines, more = self._wrap_streets()
        streets_mm = 6.0 + 5.0 * (len(lines) + bool(more)) if lines else 0.0
        room = HIGH - _FOOT - self.y - streets_mm - _BETWEEN
        size, high = next((s for s in _SIZES if room - s[1] * (len(rows) + 1) >= _GOOD_MAP),
                          _SIZES[-1])
        fits = int((room - _LEAST_MAP) / high) - 1
        # The last row then says that there are more.
        fits = len(rows) if len(rows) <= fits else fits - 1
        map_mm = min(room - high * (fits + 1), _MOST_MAP)
        box = Box(EDGE, self.y, INNER, map_mm)
        draw_route(Canvas(self.pdf, self.face, box, find_bounds(self.trip)), ground, self.trip)
        self.y += map_mm + 3
        self._write_streets(lines, more)
        self._write_stops(rows[:fits], size, high)
        if rows[fits:]:
            told = self.say("more", count=len(rows) - fits)
            self.text(EDGE + 9, self.y + 3.9, told, size, SOFT)
        self._write_foot()
        return rows[fits:]

    def _write_head(self) -> None:
        """Write team, day and shift large, then zone, crew and station."""
        trip, pdf, say = self.trip, self.pdf, self.say
        pdf.set_fill_color(INK)
        pdf.rect(0, 0, WIDE, 3.2, style="F")
        self.text(EDGE, self.y + 2, say("sheet"), 12, ACCENT, 0.12)
        wide = self.text(EDGE, self.y + 12.5, self.fit(trip.team_id, 25, 90), 25, INK, 0.3)
        self.text(EDGE + wide + 7, self.y + 12.5,
                  self.fit(f"{trip.day}   {trip.shift}", 17, INNER - wide - 7), 17, INK, 0.15)
        known = load_room("export")
        facts = [say("zone", zone=trip.zone) if trip.zone else "",
                 say(f"tier_{trip.tier}") if f"tier_{trip.tier}" in known else "",
                 say(f"mode_{trip.mode}") if f"mode_{trip.mode}" in known else "",
                 say("members", count=trip.members) if trip.members else "",
                 say("crew", crew=trip.crew) if trip.crew else "",
                 say("from_station", station=trip.station_name) if trip.station_name else ""]
        self.text(EDGE, self.y + 19.5, "  ·  ".join(f for f in facts if f), 10.5, SOFT)
        self.y += 23.5

    def _wrap_streets(self) -> tuple[list[list[str]], int]:
        """Return the required streets in lines that fit, and how many have no room."""
        lines: list[list[str]] = [[]]
        used, listed = 0.0, sum_streets(self.trip.passes)
        self.pdf.set_font("page", size=9.5)
        for k, (name, count, metres) in enumerate(listed):
            times = f" ×{count}" if count > 1 else ""
            told = self.fit(f"{name or self.say('unnamed')}{times}  {metres:,.0f} m", 9.5, 84)
            wide = self.pdf.get_string_width(told) + 10
            if lines[-1] and used + wide > INNER:
                if len(lines) == _STREET_LINES:
                    return lines, len(listed) - k
                lines.append([])
                used = 0.0
            lines[-1].append(told)
            used += wide
        return (lines if lines[-1] else []), 0

    def _write_streets(self, lines: Sequence[Sequence[str]], more: int) -> None:
        """Write the required streets, each with a box to tick."""
        if not lines:
            return
        self.text(EDGE, self.y + 3.5, self.say("streets"), 9, SOFT, 0.05)
        legend = self.say("legend_zone" if self.trip.zone_shape is not None else "legend")
        wide = self.pdf.get_string_width(self.face.shown(legend))
        self.text(EDGE + INNER - wide, self.y + 3.5, legend, 9, SOFT)
        self.y += 5.5
        for line in lines:
            x = EDGE
            for told in line:
                self._tick(x, self.y + 0.9)
                x += 4.8 + self.text(x + 4.8, self.y + 3.9, told, 9.5, INK, 0.1) + 5
            self.y += 5.0
        if more:
            self.text(EDGE, self.y + 3.9, self.say("more", count=more), 9, SOFT)
            self.y += 5.0
        self.y += 0.5

    def _write_stops(self, rows: Sequence[Visit], size: float, high: float) -> None:
        """Write the table of stops: number, band, place, stay, a box to tick, room for notes."""
        if not rows:
            return
        say, pdf = self.say, self.pdf
        at = [EDGE, EDGE + 9, EDGE + 46, EDGE + 108, EDGE + 125, EDGE + 137]
        pdf.set_fill_color("#e9eff1")
        pdf.rect(EDGE, self.y, INNER, high, style="F")
        base = high / 2 + size * LINE * 0.33
        for x, name in zip(at[1:], ("band", "place", "stay", "done", "notes"), strict=True):
            self.text(x, self.y + base, say(f"head_{name}"), size * 0.9, SOFT)
        self.y += high
        for visit in rows:
            if visit.number:
                write_disc(pdf, str(visit.number), EDGE + 4, self.y + high / 2,
                           min(2.6, high / 2 - 0.2))
            self.text(at[1], self.y + base, self._band(visit), size, INK, 0.08)
            name = (visit.name or visit.key) if visit.number else say("kind_break").capitalize()
            if visit.number and visit.rest:
                name += f" · {say('kind_break')}"
            self.text(at[2], self.y + base, self.fit(name, size, 60), size, INK)
            if visit.stay_min:
                self.text(at[3], self.y + base, say("minutes", count=visit.stay_min), size, INK)
            self._tick(at[4] + 1.5, self.y + high / 2 - 1.6)
            self._rule(self.y + high)
            self.y += high

    def _band(self, visit: Visit) -> str:
        """Return the quarter of an hour, with the day where it is the next."""
        day = name_day(self.trip.day, visit.arrive_min)
        told = write_band(visit.arrive_min)
        if day == self.trip.day:
            return told
        return f"{told} ({day[5:] if read_date(day) else day})"

    def _write_foot(self) -> None:
        """Write the totals, the lines to hand over, and that people decide."""
        trip, say = self.trip, self.say
        y = HIGH - _FOOT + 3
        self.pdf.set_fill_color("#eef2f3")
        self.pdf.rect(EDGE, y, INNER, 7, style="F")
        hours, minutes = divmod(round(trip.duration_min), 60)
        told = [say("total_distance", km=f"{trip.distance_m / 1000:.1f}"),
                say("total_required", km=f"{trip.served_m / 1000:.1f}"),
                say("total_between", km=f"{trip.deadhead_m / 1000:.1f}"),
                say("total_time", hours=hours, minutes=minutes),
                say("total_stops", count=len(trip.stops)),
                say("total_passes", count=len(trip.passes))]
        wide = self.text(EDGE + 2, y + 4.9, say("totals"), 9.5, INK, 0.12)
        self.text(EDGE + wide + 7, y + 4.9, "  ·  ".join(told), 9.5, INK)
        self.text(EDGE, y + 12.5, say("hand_over"), 9.5, INK, 0.12)
        self._write_blanks(y + 19, ("hand_over_from", "hand_over_to", "hand_over_time"))
        self._write_blanks(y + 27, ("hand_over_gear", "hand_over_open"))
        self.text(EDGE, HIGH - 8, f"{say('foot')}  ·  {AUTHOR}", 7.5, SOFT)

    def _write_blanks(self, y: float, names: Sequence[str]) -> None:
        """Write lines to fill in, side by side."""
        self.pdf.set_draw_color(SOFT)
        self.pdf.set_line_width(0.2)
        room = INNER / len(names)
        for k, name in enumerate(names):
            x = EDGE + k * room
            wide = self.text(x, y, self.say(name), 9, SOFT)
            self.pdf.line(x + wide + 1.5, y + 0.8, x + room - 4, y + 0.8)

    def _tick(self, x: float, y: float) -> None:
        self.pdf.set_draw_color(INK)
        self.pdf.set_line_width(0.3)
        self.pdf.rect(x, y, 3.2, 3.2)

    def _rule(self, y: float, x: float = EDGE, wide: float = INNER) -> None:
        self.pdf.set_draw_color(_RULE)
        self.pdf.set_line_width(0.2)
        self.pdf.line(x, y, x + wide, y)

    # ---- the pages behind it ---------------------------------------------------------------

    def write_guide(self, left: Sequence[Visit], streets: Streets) -> None:
        """Write the way turn by turn in two columns, behind the stops that are left."""
        self._turn_page()
        size, high = _SIZES[1]
        while left:
            fits = int((HIGH - EDGE - self.y) / high) - 1
            self._write_stops(left[:fits], size, high)
            left = left[fits:]
            self.y += 4
            if left or self.y > HIGH - 60:
                self._turn_page()
        self.text(EDGE, self.y + 4, self.say("turns"), 12, ACCENT, 0.12)
        self.y += 8
        top, column = self.y, 0
        wide = (INNER - 8) / 2
        for step in list_steps(self.trip, streets, self.say, _show):
            told = step.text
            if self.fit(told, 9, wide - 31) != self.face.shown(told):
                told = told.replace(" · ", "\n", 1)
            lines = self.wrap(told, wide - 31, 9, 2)
            high = max(len(lines) * 9 * LINE + 2.2, 6.0)
            if self.y + high > HIGH - EDGE:
                column += 1
                if column == 2:
                    self._turn_page()
                    column, top = 0, self.y
                self.y = top
            self._write_step(step, lines, EDGE + column * (wide + 8), wide, high)
            self.y += high

    def _turn_page(self) -> None:
        self.pdf.add_page()
        self.y = EDGE
        trip = self.trip
        told = " · ".join((trip.team_id, trip.day, trip.shift, str(self.pdf.page_no())))
        self.text(EDGE, self.y, told, 9, SOFT)
        self.y += 4

    def _write_step(self, step: Step, lines: Sequence[str], x: float, wide: float,
                    high: float) -> None:
        """Write one line of the guide: mark, what to do, metres; a box where it is required."""
        middle = self.y + high / 2
        if step.stop:
            self.pdf.set_fill_color("#eef2f3")
            self.pdf.rect(x, self.y, wide, high, style="F")
            write_disc(self.pdf, step.mark, x + 3.2, middle, 2.5)
        else:
            write_line(self.pdf, x + 1.2, middle + 1.5, self.face.shown(step.mark), 11, INK, 0.1)
        for k, line in enumerate(lines):
            y = middle + (k - (len(lines) - 1) / 2) * 9 * LINE + 1.3
            write_line(self.pdf, x + 8, y, line, 9, INK, 0.12 if step.required_m else 0.0)
        told = f"{step.length_m:,.0f} m" if step.length_m else f"{step.at_m / 1000:.2f} km"
        self.pdf.set_font("page", size=9)
        right = x + wide - 6 - self.pdf.get_string_width(told)
        write_line(self.pdf, right, middle + 1.3, told, 9, INK if step.length_m else SOFT)
        if step.required_m:
            self._tick(x + wide - 4, middle - 1.6)
        self._rule(self.y + high, x, wide)
