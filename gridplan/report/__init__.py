"""The report of a plan: a workbook for the desk and a notice for every community's wall."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from gridplan.errors import Finding, InputError, UsageError
from gridplan.i18n import LANGUAGES
from gridplan.layers import Roster
from gridplan.outputs import Written, write_files
from gridplan.plan.coverage import read_circle
from gridplan.plan.staffing import read_staffing
from gridplan.report.tables import Reader

AUDIENCES = ("share", "internal")
WORKBOOK = "report.xlsx"
FIGURES = "service-circle.pdf"
# A code of the plan becomes a file name only if it is no more than letters, digits and dashes.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,40}")

__all__ = ["AUDIENCES", "FIGURES", "WORKBOOK", "is_report_file", "name_files", "render_report",
           "write_report"]


def write_report(plan: Any, folder: str | Path, *, audience: str = "share",
                 roster: Roster | None = None, sheets: bool = False,
                 lang: str = "en") -> list[Written]:
    """Write the report of a plan into a folder: all of its files, or none.

    Parameters
    ----------
    plan
        A plan: its ``layers`` map layer names to frames in one metric CRS.
    folder
        Made if it is absent; files of an older report in it are replaced.
    audience
        ``share`` shows no person, only whether posts are filled, and no count of 1–9;
        ``internal`` shows staff ids.
    roster
        With ``internal``: adds names and phones to the ids. They are written nowhere else.
    sheets
        Also a notice of one page for every community, as PDF, and where the plan tells
        coverage a page of its figures against their targets.
    lang
        ``en`` or ``zh``.

    Raises
    ------
    UsageError
        Another audience or language, or a roster for ``share``.
    InputError
        The plan has no community or no grid.
    MachineError
        A file cannot be written, or no typeface is found; old files are intact.
    """
    return write_files(folder, render_report(plan.layers, audience=audience, roster=roster,
                                             sheets=sheets, lang=lang))


def render_report(layers: Any, *, audience: str = "share", roster: Roster | None = None,
                  sheets: bool = False, lang: str = "en") -> dict[str, bytes]:
    """Return the files of :func:`write_report` by name: same layers and roster, same bytes.

    Raises
    ------
    UsageError, InputError, MachineError
        As :func:`write_report` does.
    """
    from gridplan.pages.ground import text_of
    from gridplan.report.book import build_book

    _check(layers, audience, roster, lang)
    reader = Reader(audience, lang, roster)
    staffing = read_staffing(layers)
    files = {WORKBOOK: build_book(layers, staffing, reader, reader.say("title"))}
    if sheets:
        from gridplan.report.notice import draw_notices

        names = name_files(text_of(layers["communities"], "community_id"))
        notices = draw_notices(layers, staffing, reader)
        files |= {names[community]: data for community, data in notices.items()}
        if (circle := read_circle(layers, lang)) is not None:
            from gridplan.report.page import draw_figures

            files[FIGURES] = draw_figures(layers, circle, reader)
    return files


def name_files(community_ids: list[str]) -> dict[str, str]:
    """Return the file of every community's notice; a code that is no plain word gives a number.

    >>> name_files(["110105001002", "../a", "C001"])
    {'110105001002': 'notice-110105001002.pdf', '../a': 'notice-_2.pdf', 'C001': 'notice-C001.pdf'}
    """
    out: dict[str, str] = {}
    taken = set()
    for n, code in enumerate(community_ids, 1):
        # Some systems do not tell a from A.
        plain = bool(_PLAIN.fullmatch(code)) and code.lower() not in taken
        taken.add(code.lower())
        out[code] = f"notice-{code if plain else f'_{n}'}.pdf"
    return out


def is_report_file(path: Path) -> bool:
    """Tell whether a file was made by a report and not changed by another program since."""
    from gridplan.pages.book import is_ours

    return is_ours(path)


def _check(layers: Any, audience: str, roster: Roster | None, lang: str) -> None:
    faults = []
    if audience not in AUDIENCES:
        faults.append(Finding("report.audience", values={"value": audience,
                                                         "known": ", ".join(AUDIENCES)}))
    if lang not in LANGUAGES:
        faults.append(Finding("report.lang", values={"value": lang,
                                                     "known": ", ".join(LANGUAGES)}))
    if roster is not None and audience != "internal":
        faults.append(Finding("report.roster_shared", field="--roster"))
    if faults:
        raise UsageError(*faults)
    empty = [name for name in ("communities", "grids")
             if layers.get(name) is None or not len(layers[name])]
    if empty:
        raise InputError(*(Finding("report.nothing", layer=name) for name in empty))
