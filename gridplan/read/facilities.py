"""Files of facilities → one layer of points in the CRS of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from gridplan.datum import to_wgs84
from gridplan.errors import Findings, InputError, TallyRow
from gridplan.layers import Source, conform_input
from gridplan.read.clean import _clip, _name_rows, _tell_disjoint
from gridplan.read.crs import label
from gridplan.read.held import REJECTED, Held
from gridplan.read.intake import read_layers
from gridplan.read.shapes import drop_missing, repair_shapes

_ROLE = "facilities"


@dataclass(frozen=True)
class Facilities:
    """Facilities as files list them, before their categories are judged.

    ``frame`` has the columns of ``INPUTS`` and is indexed by facility_id; ``tally`` counts the
    rows of the files, and those that fell out.
    """

    frame: gpd.GeoDataFrame
    sources: tuple[Source, ...]
    tally: TallyRow


def read_facilities(files: Mapping[str, str | Path] | str | Path, crs: Any,
                    outline: shapely.Geometry, findings: Findings, *,
                    datum: str | None = None, margin_m: float = 500.0, drop_null: bool = False,
                    **options: Any) -> Facilities:
    """Read facilities out of tables and layers, and bring them into the CRS of a plan.

    Parameters
    ----------
    files
        One file, or category → file: then every point of a file is of that category, as a layer
        of street lights; the key ``""`` is a file that tells the categories itself.
    crs, outline
        The metric CRS and the area of the plan; what lies farther than ``margin_m`` outside is
        counted as outside.
    datum
        ``gcj02`` or ``bd09`` where coordinates are shifted so.
    drop_null
        Take rows without geometry out with a warning, instead of stopping.
    **options
        ``columns``, ``layer``, ``crs``, ``allow_remote`` and ``drop_columns`` of
        :func:`read_layers`; the CRS of the files is given as ``file_crs``.

    Raises
    ------
    UsageError
        ``datum`` or ``file_crs`` is a word that names none.
    InputError
        With every fault of every file.
    """
    named = files if isinstance(files, Mapping) else {"": files}
    options["crs"] = options.pop("file_crs", None)
    held: list[Held] = []
    sources: list[Source] = []
    for category, path in named.items():
        told = Findings()
        try:
            frames, found = read_layers({_ROLE: path}, datum=datum, drop_null=drop_null,
                                        findings=told, **options)
        except InputError:
            continue  # the other files may have faults of their own
        finally:
            findings.items.extend(told.items)
        sources += found
        held.append(_bring(frames[_ROLE], found[0].name, category, crs, outline, findings))
    findings.stop_on_faults()
    for layer in held:
        _clip(layer, outline, margin_m)
    kept = _tell_apart(held)
    frame = conform_input(_ROLE, gpd.GeoDataFrame(
        pd.concat(kept) if kept else {"facility_id": []},
        geometry=None if kept else [], crs=crs))
    return Facilities(frame, tuple(sources), _add_tallies(held))


def _bring(frame: gpd.GeoDataFrame, file: str, category: str, crs: Any,
           outline: shapely.Geometry, findings: Findings) -> Held:
    """Return the rows of one file as points in the CRS of the plan."""
    drop_null = bool(frame.attrs.get("drop_null"))
    shift = str(frame.attrs.get("datum") or "wgs84")
    layer = Held(_ROLE, frame, file, findings)
    if category:
        layer.frame = layer.frame.assign(categories=category)
    drop_missing(layer, drop_null)
    if layer.frame.empty:
        findings.add("read.empty_layer", file=file, layer=_ROLE)
        return layer
    if shift != "wgs84":
        layer.frame = to_wgs84(layer.frame, shift)
        findings.add("read.datum", "repaired", file=file, layer=_ROLE, datum=shift,
                     count=len(layer.frame))
    before = label(layer.frame.crs)
    if layer.frame.crs != crs:
        layer.frame = layer.frame.to_crs(crs)
        lost = ~np.isfinite(shapely.bounds(layer.shapes)).all(axis=1)
        layer.tell("read.out_of_area", "error", lost, crs=before)
        layer.drop(lost, REJECTED)
        findings.add("read.reprojected", "repaired", file=file, layer=_ROLE,
                     count=len(layer.frame), before=before, after=label(crs))
    if not layer.frame.empty:
        area = Held("communities", gpd.GeoDataFrame(geometry=[outline], crs=crs), "", findings)
        _tell_disjoint({_ROLE: layer}, area, pyproj.CRS.from_user_input(crs), findings)
        repair_shapes(layer)
        _name_rows({_ROLE: layer})
    return layer


def _tell_apart(held: list[Held]) -> list[gpd.GeoDataFrame]:
    """Put the file's name before an id that an earlier file has too."""
    taken: set[str] = set()
    out = []
    for layer in held:
        ids = layer.frame["facility_id"].astype(str)
        ids = ids.where(~ids.isin(taken), layer.file + ":" + ids)
        taken |= set(ids)
        source = layer.frame["source"].fillna(layer.file)
        out.append(layer.frame.assign(facility_id=ids, source=source))
    return out


def _add_tallies(held: list[Held]) -> TallyRow:
    total = TallyRow("circle", _ROLE, 0, 0)
    for row in (layer.tally() for layer in held):
        total.rows_in += row.rows_in
        total.used += row.used + row.repaired  # a repaired row is used
        total.rejected += row.rejected
        total.outside += row.outside
    return total
