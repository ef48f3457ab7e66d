"""OpenStreetMap → raw layers: buildings, roads, barriers, places and boundaries.

:func:`read_extract` reads a file, :func:`read_place` asks a server; both return the same
layers, in degrees (EPSG:4326), with the columns of :data:`gridplan.layers.INPUTS`. Keys are
text: ``n7``, ``w123``, ``r45``; the runs of a way whose nodes the file lacks are ``w123/1`` ….
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import geopandas as gpd

from gridplan.errors import Finding, Findings, InputError, MachineError
from gridplan.layers import Source
from gridplan.osm.online import read_place

__all__ = ["list_levels", "read_extract", "read_place"]

_SUFFIXES = {"pbf": (".pbf",), "osm": (".osm", ".xml"), "osm.gz": (".gz",), "osm.bz2": (".bz2",)}


def read_extract(path: str | Path, findings: Findings, *, admin_level: int | None = None,
                 place: str | None = None, gap_m: float = 500.0,
                 ) -> tuple[dict[str, gpd.GeoDataFrame], list[Source]]:
    """Read an OSM file (``.osm.pbf``, ``.osm``, ``.osm.gz``, ``.osm.bz2``).

    Parameters
    ----------
    path
        The file; its form is told by its content.
    findings
        Gathers what was repaired, what is left out and the tally.
    admin_level
        The level of the boundaries that are the communities; None takes none from the file.
    place
        The name, ``ref`` or key of an administrative area: only communities inside it are
        taken; without ``admin_level`` it is itself the one community.
    gap_m
        The widest gap in a boundary or coastline that is closed straight, in metres.

    Returns
    -------
    tuple
        The layers that have rows, each in EPSG:4326 and indexed by its key, and one source
        per layer.

    Raises
    ------
    InputError
        The file is missing, damaged or not OSM, holds nothing of use, or has no boundary of
        the level or name asked for.
    MachineError
        The file cannot be read.
    """
    from gridplan.osm.build import build_layers
    from gridplan.osm.scan import Ask, DamagedError, scan_extract

    path = Path(path)
    form, digest = _identify(path, findings)
    try:
        features, boundaries = scan_extract(path, form, Ask(admin_level, place, gap_m), findings)
    except DamagedError as error:
        raise _damaged(path, error, findings) from error
    raw = build_layers(features, admin_level, place, gap_m, findings)
    asked = admin_level is not None or place is not None
    if not raw and not boundaries.found:
        findings.add("osm.empty", file=path.name)
    if asked and "communities" not in raw:
        findings.add("osm.no_communities", file=path.name, layer="communities",
                     level="" if admin_level is None else admin_level, place=place or "",
                     levels=boundaries.levels() or "-")
    elif not asked and boundaries.found:
        findings.add("osm.levels", "warning", file=path.name, layer="communities",
                     count=len(boundaries.found), levels=boundaries.levels())
    findings.stop_on_faults()
    return raw, [Source(path.name, layer, digest, len(frame)) for layer, frame in raw.items()]


def list_levels(path: str | Path, findings: Findings) -> dict[str, list[str]]:
    """Return the administrative relations of a file: level → names, in the order of the file.

    Raises
    ------
    InputError
        The file is missing, damaged or not OSM.
    MachineError
        The file cannot be read.
    """
    from gridplan.osm.scan import Ask, DamagedError, open_extract, read_relations

    path = Path(path)
    form, _ = _identify(path, findings)
    try:
        _, boundaries = read_relations(open_extract(path, form), Ask())
    except DamagedError as error:
        raise _damaged(path, error, findings) from error
    levels: dict[str, list[str]] = {}
    for relation in boundaries.found:
        level = relation.tags.get("admin_level", "")
        levels.setdefault(level, []).append(relation.tags.get("name", relation.key))
    return dict(sorted(levels.items(), key=lambda item: (len(item[0]), item[0])))


def _identify(path: Path, findings: Findings) -> tuple[str, str]:
    """Tell the form of a file by its first bytes, and its SHA-256; refuse what is not OSM."""
    key = "osm.missing" if not path.exists() else "osm.folder" if path.is_dir() else ""
    form = digest = ""
    if not key:
        try:
            with path.open("rb") as file:
                form = _form(file.read(512))
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise MachineError(Finding("osm.unreadable", file=path.name,
                                       values={"error": str(error.strerror)})) from error
        key = {"": "osm.not_osm", "html": "osm.web_page"}.get(form, "")
        if not path.stat().st_size:
            key = "osm.empty_file"
    if key:
        findings.add(key, file=path.name)
        findings.stop_on_faults()
    if not path.name.lower().endswith(_SUFFIXES[form]):
        findings.add("osm.wrong_suffix", "warning", file=path.name, form=form)
    return form, digest


def _form(head: bytes) -> str:
    """Name the form as osmium does; ``html`` for a web page, ``""`` for anything else.

    >>> _form(b"<?xml version='1.0'?><osm/>"), _form(b"<!DOCTYPE html>"), _form(b"PK")
    ('osm', 'html', '')
    """
    if b"OSMHeader" in head[:64]:
        return "pbf"
    if head.startswith(b"\x1f\x8b"):
        return "osm.gz"
    if head.startswith(b"BZh"):
        return "osm.bz2"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "html"
    return "osm" if text.startswith(b"<osm") or (text.startswith(b"<?xml") and (
        b"<osm" in text or b"<html" not in text)) else ""


def _damaged(path: Path, error: Exception, findings: Findings) -> InputError:
    """Return the error of a file that breaks off or is no OSM inside."""
    findings.add("osm.damaged", file=path.name, error=str(error))
    return InputError(*findings.of("error", "ask"))
