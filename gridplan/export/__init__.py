"""Patrols out of the plan: routes for phones, timetables, a rota, and route sheets to print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gridplan.datum import DATUMS
from gridplan.errors import Finding, Findings, UsageError
from gridplan.i18n import LANGUAGES
from gridplan.outputs import Written, write_files

CHINA_MIN = 480
TIMETABLE_CSV, TIMETABLE, ROTA = "timetable.csv", "timetable.xlsx", "rota.xlsx"

__all__ = ["CHINA_MIN", "ROTA", "TIMETABLE", "TIMETABLE_CSV", "is_export_file",
           "render_exports", "write_exports"]


def write_exports(plan: Any, folder: str | Path, *, datum: str = "wgs84",
                  teams: Sequence[str] = (), lang: str = "en",
                  utc_offset_min: int = CHINA_MIN) -> list[Written]:
    """Write the patrols of a plan into a folder: all of the files, or none.

    Parameters
    ----------
    plan
        A plan with the layers ``routes`` and ``visits``.
    folder
        Made if it is absent; files of an older export in it are replaced.
    datum
        ``wgs84``, ``gcj02`` or ``bd09``: of the coordinates, and in the names of their files.
    teams
        Only routes of these teams; all of them without.
    lang
        ``en`` or ``zh``.
    utc_offset_min
        Minutes by which the plan's clocks are ahead of UTC; only GPX and KML of days with a
        date need it.

    Raises
    ------
    UsageError
        Another datum or language.
    InputError
        The plan has no routes, or visits do not fit them; nothing is written.
    MachineError
        A file cannot be written, or no typeface is found; old files are intact.
    """
    files = render_exports(plan, datum=datum, teams=teams, lang=lang,
                           utc_offset_min=utc_offset_min)
    return write_files(folder, files)


def render_exports(plan: Any, *, datum: str = "wgs84", teams: Sequence[str] = (),
                   lang: str = "en", utc_offset_min: int = CHINA_MIN,
                   findings: Findings | None = None) -> dict[str, bytes]:
    """Return the files of :func:`write_exports` by name: same plan, same bytes.

    ``findings`` takes the warnings.

    Raises
    ------
    UsageError, InputError, MachineError
        As :func:`write_exports` does.
    """
    _check(datum, lang)
    from gridplan.export.phones import Chart, list_features, write_geojson, write_gpx, write_kml
    from gridplan.export.sheet import draw_sheets
    from gridplan.export.tables import write_csv, write_rota, write_timetable
    from gridplan.export.trips import read_trips

    trips = read_trips(plan, Findings() if findings is None else findings, teams)
    chart = Chart(plan.crs, datum, lang, utc_offset_min)
    files = {TIMETABLE_CSV: write_csv(trips, lang), TIMETABLE: write_timetable(trips, lang),
             ROTA: write_rota(trips, plan.layers, lang)}
    for trip in trips:
        features = list_features(trip, chart)
        for suffix, write in (("gpx", write_gpx), ("kml", write_kml), ("geojson", write_geojson)):
            files[f"route-{trip.stem}-{datum}.{suffix}"] = write(trip, features, chart)
    sheets = draw_sheets(trips, plan, lang)
    return files | {f"sheet-{stem}.pdf": data for stem, data in sheets.items()}


def is_export_file(path: Path) -> bool:
    """Tell whether a file was made by an export and not changed by another program since."""
    from gridplan.export.tables import is_timetable
    from gridplan.pages.book import AUTHOR, is_ours

    if path.stat().st_size == 0:
        return True
    suffix = path.suffix.lower()
    if suffix in (".pdf", ".xlsx"):
        return is_ours(path)
    data = path.read_bytes()
    marks = {".gpx": f'creator="{AUTHOR}"', ".kml": f"<atom:name>{AUTHOR}</atom:name>",
             ".geojson": f'"generator":"{AUTHOR}"'}
    return is_timetable(data) if suffix == ".csv" else (
        suffix in marks and marks[suffix].encode() in data)


def _check(datum: str, lang: str) -> None:
    faults = []
    if datum not in DATUMS:
        faults.append(Finding("export.datum", field="--datum", values={
            "value": datum, "known": ", ".join(DATUMS)}))
    if lang not in LANGUAGES:
        faults.append(Finding("export.lang", field="--lang", values={
            "value": lang, "known": ", ".join(LANGUAGES)}))
    if faults:
        raise UsageError(*faults)
