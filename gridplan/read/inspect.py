"""Looks into a file and says what would be read of it; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import shapely

from gridplan.errors import Finding, Findings, first_ids
from gridplan.read import crs as crs_rules
from gridplan.read import door, intake, names
from gridplan.read.door import Refused
from gridplan.read.shapes import WANTED
from gridplan.read.vector import RawTable, layers_of

# Words in names of files, layers and columns by which map services give themselves away.
_DATUM_HINTS = {"gcj": "gcj02", "火星": "gcj02", "高德": "gcj02", "amap": "gcj02", "腾讯": "gcj02",
                "bd09": "bd09", "百度": "bd09", "baidu": "bd09"}
_ROLE_HINTS = {
    "communities": ("communit", "boundar", "社区", "村界", "边界"),
    "buildings": ("building", "houses", "建筑", "楼", "房屋"), "roads": ("road", "street", "道路"),
    "rail": ("rail", "铁路"), "water": ("water", "river", "水"), "walls": ("wall", "围墙"),
    "estates": ("estate", "小区"), "gates": ("gate", "大门"), "entrances": ("entrance", "单元"),
    "specials": ("special", "专属"), "must_links": ("must_link", "together", "同格"),
    "facilities": ("facilit", "poi", "设施"),
    "outline": ("outline", "范围"), "totals": ("total", "户数", "汇总")}


@dataclass(frozen=True)
class LayerReport:
    """What one layer or sheet of a file holds.

    ``columns`` are theirs → ours for what is recognised, ``others`` the rest; ``role`` is the
    layer it would best be read as. ``datum`` is a guess from names, else ``wgs84?`` where
    degrees in China leave it open. ``extent`` is west, south, east, north in its own CRS.
    """

    name: str
    role: str
    rows: int
    geometry: Mapping[str, int]
    crs: str
    crs_guess: str
    datum: str
    extent: tuple[float, ...]
    columns: Mapping[str, str]
    others: tuple[str, ...]
    encoding: str
    missing: int
    invalid: int


@dataclass(frozen=True)
class FileReport:
    """What a file is, the layers in it, and what stands against reading it."""

    file: str
    format: str
    layers: tuple[LayerReport, ...]
    problems: tuple[Finding, ...]


def inspect_file(path: str | Path, *, columns: Mapping[str, str] | None = None,
                 crs: Any = None, allow_remote: bool = False) -> FileReport:
    """Say what a file holds and what would be used of it.

    Parameters
    ----------
    path
        Any file that :func:`read_layers` or :func:`read_totals` takes.
    columns, crs, allow_remote
        As in :func:`read_layers`; what is mapped counts as recognised.

    Returns
    -------
    FileReport
        With the problems that reading the file would tell; nothing is raised for them.
    """
    findings = Findings()
    options = intake.Options(columns or {}, None, crs, allow_remote, drop_columns=True)
    file = intake.shown_name(path)
    reports: list[LayerReport] = []
    kind = ""
    for name in _layer_names(path, allow_remote, file, findings):
        chosen = intake.Options(options.columns, name, crs, allow_remote, drop_columns=True)
        try:
            raw, kind = intake.load_table("", path, chosen, findings)
            reports.append(_report(raw, chosen, file, findings))
        except Refused as refusal:
            intake.tell_refusal(refusal, name or "", file, findings)
    return FileReport(file, kind, tuple(reports), tuple(_once(findings.items)))


def _once(items: list[Finding]) -> list[Finding]:
    """Return findings without repetition: a file is opened once per layer."""
    return list({f.line(): f for f in items}.values())


def _layer_names(path: str | Path, allow_remote: bool, file: str,
                 findings: Findings) -> list[str | None]:
    """Return the layers of a GeoPackage or the sheets of a workbook; else one nameless layer."""
    if door.is_remote(path) and not Path(path).exists():
        return [None]
    try:
        kind = door.identify(Path(path))
        return layers_of(Path(path), kind) or [None]
    except Refused as refusal:
        if refusal.key == "read.virtual" and allow_remote:
            return [None]
        intake.tell_refusal(refusal, "", file, findings)
        return []


def _report(raw: RawTable, options: intake.Options, file: str, findings: Findings) -> LayerReport:
    role = _best_role(raw, file)
    found = intake.recognise(role, raw, options, file, findings)
    where = names.find_coordinates(raw.data.columns, options.columns_of(role))
    stated = raw.crs
    if raw.geometry is None and role != "totals":
        intake.place_rows(role, raw, options, file, findings)
    used = {theirs: ours for ours, theirs in {**where, **found}.items()}
    shapes = raw.geometry if raw.geometry is not None else np.zeros(0, dtype=object)
    for key, outcome, told in raw.notes:
        rows = told.pop("rows", None)
        findings.add(key, outcome, file=file, layer=raw.layer, **told,
                     row="" if rows is None else first_ids(rows))
    crs = stated or raw.crs
    if raw.geometry is not None:
        crs = crs_rules.settle_crs(raw, options.crs_of(role), False, raw.layer, file, findings)
        shapes = raw.geometry
    bounds = shapely.bounds(shapes)
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    extent = (*bounds[:, :2].min(axis=0), *bounds[:, 2:].max(axis=0)) if len(bounds) else ()
    kinds = pd.Series([g.geom_type for g in shapes if g is not None], dtype="object")
    return LayerReport(
        name=raw.layer, role=role, rows=len(raw.rows),
        geometry=dict(sorted(kinds.value_counts().items())),
        crs=crs_rules.label(crs) if crs is not None else "",
        crs_guess=crs_rules.guess_crs(bounds) if crs is None else "",
        datum=_guess_datum(raw, crs, bounds, file), extent=tuple(float(v) for v in extent),
        columns=used, others=tuple(c for c in raw.data.columns if c not in used),
        encoding=raw.encoding,
        missing=int((shapely.is_missing(shapes) | shapely.is_empty(shapes)).sum()),
        invalid=int((~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)).sum()))


def _best_role(raw: RawTable, file: str) -> str:
    """Return the layer a table is most likely meant as: by its names, geometry and columns."""
    title = f"{file} {raw.layer}".casefold()
    shapes = raw.geometry
    dimension = int(shapely.get_dimensions(shapes).max(initial=-1)) if shapes is not None else -1
    placed = shapes is not None or bool(names.find_coordinates(raw.data.columns, {}))
    scores: dict[str, float] = {}
    for role, hints in _ROLE_HINTS.items():
        base = names.base_of(role)
        if (role == "totals") == placed or (
                dimension >= 0 and dimension not in WANTED.get(base, {dimension})):
            continue
        found = names.find_columns(base, raw.data.columns, {})
        scores[role] = len(found) + 10 * any(h in title for h in hints)
    return max(scores, key=lambda r: scores[r]) if scores else "facilities"


def _guess_datum(raw: RawTable, crs: pyproj.CRS | None, bounds: np.ndarray, file: str) -> str:
    words = " ".join([file, raw.layer, *raw.data.columns]).casefold()
    for word, datum in _DATUM_HINTS.items():
        if word in words:
            return datum
    if crs is None or not crs.is_geographic or not len(bounds):
        return ""
    middle = shapely.Point((bounds[:, 0].min() + bounds[:, 2].max()) / 2,
                           (bounds[:, 1].min() + bounds[:, 3].max()) / 2)
    return "wgs84?" if crs_rules.CHINA.contains(middle) else ""
