"""The report as a workbook: responsibilities, posts, figures, loads, and what is vacant."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gridplan.pages.book import Pen, open_book
from gridplan.plan.staffing import GRID_ROLES, Staffing
from gridplan.report.circle import write_circle
from gridplan.report.patrol import write_patrol
from gridplan.report.tables import (
    BOUNDS,
    Reader,
    list_figures,
    list_grids,
    list_loads,
    list_posts,
)

_WIDTHS = {"community": 16, "grid_id": 18, "name": 14, "contents": 34, "households": 9,
           "responsible": 13, "backup": 13, "figure": 40, "scope": 16, "role": 16, "holder": 14,
           "phone": 15}
_SHADES = {"vacant": "#F6D9D0", "short": "#FBEFD2"}


def build_book(layers: Mapping[str, Any], staffing: Staffing | None, reader: Reader,
               title: str) -> bytes:
    """Return the workbook: same plan and roster, same bytes.

    Texts of the plan are written as text, never as formula or link.
    """
    buffer = io.BytesIO()
    with open_book(buffer, title) as book:
        pen = _Pen(book, reader)
        _write_grids(pen, list_grids(layers, staffing, reader), staffing is not None)
        if staffing is not None:
            posts = list_posts(layers, staffing, reader)
            _write_posts(pen, posts)
            _write_vacancies(pen, layers, staffing, posts)
        _write_figures(pen, list_figures(layers, reader))
        _write_loads(pen, list_loads(layers, reader))
        write_circle(pen, layers, reader)
        write_patrol(pen, layers, reader)
    return buffer.getvalue()


class _Pen(Pen):
    """A pen that knows for whom the report is written."""

    def __init__(self, book: Any, reader: Reader) -> None:
        super().__init__(book, reader.say("internal" if reader.internal else "share"))
        self.reader = reader

    def add(self, name: str, heads: Sequence[str], widths: Sequence[float]) -> Any:
        """Begin a sheet that the catalogue names."""
        return self.sheet(self.reader.say(f"sheet_{name}"), heads, widths)


def _write_grids(pen: _Pen, table: pd.DataFrame, assigned: bool) -> None:
    """Write the responsibility table; without an assignment its last columns wait for a pen."""
    say, reader = pen.reader.say, pen.reader
    columns = ["community_id", "community", "grid_id", "name", *BOUNDS, "contents", "households"]
    for role in GRID_ROLES:
        columns.append(role)
        if reader.internal and reader.roster is not None:
            columns += [f"{role}_name", f"{role}_phone"]
    heads = [say(f"head_{c}") for c in columns]
    sheet = pen.add("grids", heads, [_width(c) for c in columns])
    for row, record in enumerate(table.to_dict("records"), 1):
        shade = _SHADES.get(record["state"], "") if assigned else ""
        for at, column in enumerate(columns):
            pen.cell(sheet, row, at, record[column],
                     shade=shade if column.startswith(GRID_ROLES) else "")
    sheet.freeze_panes(1, 4)
    sheet.autofilter(0, 0, max(len(table), 1), len(columns) - 1)


def _write_posts(pen: _Pen, posts: pd.DataFrame) -> None:
    """Write the posts of communities, if there are any."""
    table = posts[~posts["of_grids"]]
    if table.empty:
        return
    say, reader = pen.reader.say, pen.reader
    columns = ["community_id", "community", "role", "needed", "filled", "missing"]
    if reader.internal:
        columns += ["holder"] + (["holder_name", "holder_phone"] if reader.roster else [])
    sheet = pen.add("posts", [say(f"head_{c}") for c in columns], [_width(c) for c in columns])
    for row, record in enumerate(table.to_dict("records"), 1):
        shade = _SHADES["vacant"] if record["missing"] else ""
        for at, column in enumerate(columns):
            pen.cell(sheet, row, at, record[column], shade=shade)
    sheet.autofilter(0, 0, max(len(table), 1), len(columns) - 1)


def _write_vacancies(pen: _Pen, layers: Mapping[str, Any], staffing: Staffing,
                     posts: pd.DataFrame) -> None:
    """Write who is missing where: by community and role, and the grids that lack them."""
    say = pen.reader.say
    columns = ["community_id", "community", "role", "needed", "filled", "missing", "where"]
    sheet = pen.add("vacancies", [say(f"head_{c}") for c in columns],
                      [*(_width(c) for c in columns[:-1]), 60])
    table = posts[posts["missing"] > 0]
    grids = staffing.grids
    names = dict(zip(layers["grids"]["grid_id"].astype(str),
                     layers["grids"]["name"].astype("string").fillna(""), strict=True))
    roles = {pen.reader.role(r): r for r in GRID_ROLES}
    row = 0
    for row, record in enumerate(table.to_dict("records"), 1):
        role = roles.get(record["role"], "")
        where = ""
        if record["of_grids"]:
            mine = grids[(grids["community_id"] == record["community_id"])
                         & (grids[role].map(len) < grids[f"{role}_posts"])]
            where = say("list_comma").join(str(names.get(g) or g) for g in sorted(mine.index))
        for at, column in enumerate(columns):
            pen.cell(sheet, row, at, where if column == "where" else record[column])
    if not len(table):
        pen.cell(sheet, 1, 0, say("none_missing"))
        return
    for at, column in enumerate(columns):
        total = int(table[column].sum()) if column in ("needed", "filled", "missing") else (
            say("total") if not at else "")
        pen.cell(sheet, row + 1, at, total, shade="#EEF2F3")
    sheet.autofilter(0, 0, len(table), len(columns) - 1)


def _write_figures(pen: _Pen, table: pd.DataFrame) -> None:
    """Write the figures with numerator, denominator and target."""
    say = pen.reader.say
    columns = ["figure", "scope", "value", "target", "met", "numerator", "denominator", "unit"]
    sheet = pen.add("figures", [say(f"head_{c}") for c in columns],
                      [40, 16, 12, 10, 9, 13, 13, 14])
    for row, record in enumerate(table.to_dict("records"), 1):
        share = record["unit_key"] == "share"
        met = record["met"]
        shade = _SHADES["vacant"] if met is False else ""
        told = {**record, "figure": record["name"],
                "met": "" if met is None else say("yes" if met else "no")}
        for at, column in enumerate(columns):
            whole = _is_whole(told[column])
            number = "0.0%" if share and column in ("value", "target") else (
                "#,##0" if whole else "#,##0.00")
            pen.cell(sheet, row, at, told[column], number, shade if column != "unit" else "")
    sheet.autofilter(0, 0, max(len(table), 1), len(columns) - 1)


def _write_loads(pen: _Pen, loads: list[tuple[str, int | str]]) -> None:
    """Write the histogram of loads as a table and a chart."""
    if not loads:
        return
    say = pen.reader.say
    sheet = pen.add("loads", [say("head_load"), say("head_staff")], [20, 14])
    for row, (label, value) in enumerate(loads, 1):
        pen.cell(sheet, row, 0, label)
        pen.cell(sheet, row, 1, value)
    name = say("sheet_loads")
    chart = pen.book.add_chart({"type": "column"})
    chart.add_series({"name": say("head_staff"), "categories": [name, 1, 0, len(loads), 0],
                      "values": [name, 1, 1, len(loads), 1], "gap": 30,
                      "fill": {"color": "#4F8BA0"}})
    chart.set_title({"name": say("chart_loads"), "name_font": {"size": 12}})
    chart.set_legend({"none": True})
    chart.set_x_axis({"name": say("head_load")})
    chart.set_y_axis({"name": say("head_staff"), "major_gridlines": {
        "visible": True, "line": {"color": "#E4DED2"}}})
    sheet.insert_chart("D2", chart, {"x_scale": 1.4, "y_scale": 1.3})


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _width(column: str) -> float:
    part = next((p for p in ("phone",) if column.endswith(p)), column)
    return _WIDTHS.get(part, 14 if column.endswith(("_id", "_name")) else 12)
