"""The notice of a community: one sheet of A4 to hang up, with its map, its grids and its people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from gridplan.i18n import load_room, translate
from gridplan.pages.book import AUTHOR
from gridplan.pages.canvas import ACCENT, ALERT, INK, SOFT, Box, Canvas, write_disc, write_line
from gridplan.pages.fonts import Face, cut_font
from gridplan.pages.ground import Ground, text_of
from gridplan.pages.page import EDGE, HIGH, INNER, LINE, WIDE, Page
from gridplan.plan.staffing import GRID_ROLES, Staffing
from gridplan.report.sketch import draw_sketch
from gridplan.report.tables import BOUNDS, Reader, list_grids, list_posts

_FOOT = 24.0
# How high the map may be.
_LEAST_MAP, _MOST_MAP = 84.0, 150.0


def draw_notices(layers: Mapping[str, Any], staffing: Staffing | None,
                 reader: Reader) -> dict[str, bytes]:
    """Return a PDF for every community that has grids, by community_id.

    The typeface is cut down once to what any of them writes, then once more in every file.

    Raises
    ------
    MachineError
        No typeface with Chinese is found.
    """
    table = list_grids(layers, staffing, reader)
    posts = None if staffing is None else list_posts(layers, staffing, reader)
    towns = layers["communities"]
    shapes = np.asarray(towns.geometry.array)
    owner = np.array(text_of(layers["grids"], "community_id"), dtype=object)
    ground, out = Ground(layers), {}
    with cut_font(_texts(layers, table, posts, reader)) as face:
        for row, code in enumerate(text_of(towns, "community_id")):
            rows = np.flatnonzero(owner == code)
            if not len(rows):
                continue
            sheet = Sheet(face, reader)
            mine = table[table["community_id"] == code]
            own = None if posts is None else posts[(posts["community_id"] == code)
                                                   & ~posts["of_grids"]]
            sheet.write_head(towns.iloc[row], mine["community"].iloc[0], len(rows),
                             _state(layers))
            tables = sheet.plan_table(mine, own)
            sheet.draw_map(ground, rows, shapes[row], tables.map_mm)
            sheet.write_tables(tables)
            sheet.write_foot(_facts(layers))
            out[code] = sheet.close()
    return out


def _texts(layers: Mapping[str, Any], table: pd.DataFrame, posts: pd.DataFrame | None,
           reader: Reader) -> list[str]:
    """Gather whatever a notice may write."""
    texts = [t[reader.lang] for room in ("report", "common") for t in load_room(room).values()]
    texts += [t[reader.lang] for n, t in load_room("maps").items() if n.startswith("state_")]
    frames = [table] if posts is None else [table, posts]
    texts += [str(v) for f in frames for c in f.columns for v in f[c].tolist()]
    texts += text_of(layers["communities"], "name") + text_of(layers["communities"],
                                                              "community_id")
    texts += [*_facts(layers), _state(layers)]
    if layers.get("roads") is not None:
        texts += text_of(layers["roads"], "name")
    return texts


def _run(layers: Mapping[str, Any]) -> dict[str, str]:
    run = layers.get("run")
    if run is None or not len(run):
        return {}
    return dict(zip(text_of(run, "key"), text_of(run, "value"), strict=True))


def _state(layers: Mapping[str, Any]) -> str:
    return _run(layers).get("state", "") or "draft"


def _facts(layers: Mapping[str, Any]) -> list[str]:
    """Return the date of the data and whom to name for it."""
    run = _run(layers)
    osm = any(k.startswith("input:") and ".osm" in k.lower() for k in run)
    return [t for t in (run.get("data_date", ""), "© OpenStreetMap contributors" if osm else "")
            if t]


@dataclass(frozen=True)
class Row:
    """A row of a table: the lines of its cells, and how they look."""

    cells: list[list[str]]
    head: bool
    disc: bool
    strong: tuple[int, ...]
    alert: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """Tables to be written in one size of type, and how much they leave for the map."""

    blocks: list[tuple[list[Row], list[float]]]
    size: float
    map_mm: float


class Sheet(Page):
    """One notice in the making; ``y`` is where the next thing goes."""

    def __init__(self, face: Face, reader: Reader) -> None:
        super().__init__(face, reader.say("notice"), reader.lang)
        self.reader = reader

    def write_head(self, town: pd.Series, name: str, grids: int, state: str) -> None:
        """Write the name of the community, large, with its code and counts."""
        say, pdf = self.reader.say, self.pdf
        pdf.set_fill_color(INK)
        pdf.rect(0, 0, WIDE, 3.2, style="F")
        self.text(EDGE, self.y + 3.5, say("notice"), 13, ACCENT, 0.12)
        firm = f"state_{state}" in load_room("maps")
        word = translate(f"maps.state_{state}", self.reader.lang) if firm else state
        shown = self.fit(word, 10, 60)
        wide = pdf.get_string_width(shown)
        self.text(WIDE - EDGE - wide, self.y + 3.5, shown, 10, SOFT)
        self.text(EDGE, self.y + 16.5, name, 29, INK, 0.3)
        facts = [str(town["community_id"]), say("n_grids", count=grids),
                 say("n_households", count=_number(self.reader.count(town.get("households"))))]
        self.text(EDGE, self.y + 23.5, "  ·  ".join(facts), 10.5, SOFT)
        if self.reader.internal:
            shown = self.fit(say("internal"), 10, 60)
            wide = pdf.get_string_width(shown)
            self.text(WIDE - EDGE - wide, self.y + 23.5, shown, 10, ALERT, 0.1)
        self.y += 28

    def plan_table(self, table: pd.DataFrame, posts: pd.DataFrame | None) -> Table:
        """Return both tables in the largest type with which they and a map fit on one page."""
        own = None if posts is None or posts.empty else posts
        for size in (9.0, 8.2, 7.4, 6.8):
            blocks = [self._grid_rows(table, size)]
            if own is not None:
                blocks.append(self._post_rows(own, size))
            high = sum(self._height(r, w, size) for rows, w in blocks for r in rows)
            room = HIGH - _FOOT - self.y - 6 - high - 4 * (len(blocks) - 1)
            if room >= _LEAST_MAP:
                return Table(blocks, size, min(room, _MOST_MAP))
        return Table(blocks, 8.2, _LEAST_MAP)

    def draw_map(self, ground: Ground, rows: np.ndarray, community: Any, high: float) -> None:
        """Draw the map over the width of the page."""
        box = Box(EDGE, self.y, INNER, high)
        draw_sketch(Canvas(self.pdf, self.face, box, community.bounds), ground, rows, community)
        self.y += high + 5

    def write_tables(self, table: Table) -> None:
        """Write the tables one below the other; where the page is full, on the next one."""
        for n, (rows, widths) in enumerate(table.blocks):
            self.y += 4 if n else 0
            for k, row in enumerate(rows):
                # The head of a table does not stand alone at the end of a page.
                next_ones = rows[k:k + 2] if row.head else [row]
                high = sum(self._height(r, widths, table.size) for r in next_ones)
                if self.y + high > HIGH - _FOOT:
                    self.pdf.add_page()
                    self.y = EDGE
                    if k:
                        self._row(rows[0], widths, table.size)
                self._row(row, widths, table.size)

    def _grid_rows(self, table: pd.DataFrame, size: float) -> tuple[list[Row], list[float]]:
        """Return the rows of grids with their bounds and people, and the widths of columns."""
        roles = [r for r in GRID_ROLES if r == "responsible" or (table[r] != "").any()]
        bound = 25.0 if len(roles) == 1 else 20.5
        holder = (INNER - 42 - 4 * bound) / len(roles)
        widths = [9.0, 33.0, *[bound] * 4, *[holder] * len(roles)]
        heads = ["", *(self.reader.say(f"head_{c}") for c in ("name", *BOUNDS, *roles))]
        rows = [self._wrap_row(heads, widths, size, head=True)]
        for record in table.to_dict("records"):
            name, code = record["name"] or record["grid_id"], record["grid_id"]
            cells = [str(record["seq"]), name if name == code else f"{name}\n{code}",
                     *(record[b] or "–" for b in BOUNDS),
                     *(self._holder(record, role) or ("–" if record["state"] else "")
                       for role in roles)]
            rows.append(self._wrap_row(cells, widths, size, disc=True))
        return rows, widths

    def _holder(self, record: Mapping[str, Any], role: str, between: str = "\n") -> str:
        """Return who holds a post: name and phone where the roster tells, else as the table."""
        columns = (str(record[role + end]).split("\n") for end in ("", "_name", "_phone"))
        told = [(name or code, phone) for code, name, phone in zip_longest(*columns, fillvalue="")]
        return "\n".join(between.join(t for t in pair if t) for pair in told)

    def _wrap_row(self, cells: Sequence[str], widths: Sequence[float], size: float, *,
                  head: bool = False, disc: bool = False) -> Row:
        vacant = self.reader.say("vacant")
        strong = tuple(k for k in range(len(cells)) if k == 1 or k > 5) if disc else (0,)
        return Row([self.wrap(c, w - 3, size) for c, w in zip(cells, widths, strict=True)],
                   head, disc, () if head else strong,
                   tuple(k for k, c in enumerate(cells) if disc and c == vacant))

    def _height(self, row: Row, widths: Sequence[float], size: float) -> float:
        return max(max(map(len, row.cells)) * size * LINE + 2.4, 7.0 if row.disc else 6.0)

    def _row(self, row: Row, widths: Sequence[float], size: float) -> None:
        """Write a row as high as its fullest cell."""
        pdf, x, high = self.pdf, EDGE, self._height(row, widths, size)
        if row.head:
            pdf.set_fill_color("#e9eff1")
            pdf.rect(EDGE, self.y, INNER, high, style="F")
        if row.disc:
            write_disc(pdf, row.cells[0][0], EDGE + 4, self.y + high / 2, 2.7)
        for at, (lines, width) in enumerate(zip(row.cells, widths, strict=True)):
            for k, line in enumerate(lines if at or not row.disc else ()):
                code = row.disc and at == 1 and k > 0
                colour = SOFT if row.head or code else ALERT if at in row.alert else INK
                write_line(pdf, x + 1.5, self.y + 1.0 + (k + 0.85) * size * LINE, line,
                           size * 0.85 if code else size, colour,
                           0.03 if at in row.strong and not k else 0.0)
            x += width
        pdf.set_draw_color("#d9d4c8")
        pdf.set_line_width(0.2)
        pdf.line(EDGE, self.y + high, EDGE + INNER, self.y + high)
        self.y += high

    def _post_rows(self, posts: pd.DataFrame, size: float) -> tuple[list[Row], list[float]]:
        """Return the rows of the posts of a community: who, or how many are filled."""
        say = self.reader.say
        widths = [50.0, 30.0, INNER - 80]
        rows = [self._wrap_row([say("head_community_post"), say("head_posts"),
                                say("head_holders")], widths, size, head=True)]
        for record in posts.to_dict("records"):
            told = say("filled") if not record["missing"] else ""
            if self.reader.internal:
                told = say("list_comma").join(self._holder(
                    {"h": record["holder"], "h_name": record["holder_name"],
                     "h_phone": record["holder_phone"]}, "h", " ").split("\n"))
            gap = say("n_vacant", count=record["missing"]) if record["missing"] else ""
            told = say("list_comma").join(t for t in (told, gap) if t)
            rows.append(self._wrap_row([record["role"], f"{record['filled']} / "
                                        f"{record['needed']}", told], widths, size))
        return rows, widths

    def write_foot(self, facts: Sequence[str]) -> None:
        """Write where to sign, the date of the data, and that people decide."""
        say, pdf = self.reader.say, self.pdf
        y = HIGH - 15
        pdf.set_draw_color(SOFT)
        pdf.set_line_width(0.2)
        x = EDGE
        for name, room in (("sign_community", 50), ("sign_checked", 40), ("sign_date", 30)):
            x += self.text(x, y, say(name), 9, SOFT) + 1.5
            pdf.line(x, y + 0.6, x + room - 8, y + 0.6)
            x += room - 4
        self.text(EDGE, y + 7, "  ·  ".join([say("proposal"), *facts, AUTHOR]), 7.5, SOFT)


def _number(value: int | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"
