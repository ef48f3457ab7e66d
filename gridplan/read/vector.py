"""Reads one vector file, attributes as they are stored and every geometry that can be read.

Geometry comes as WKB, so that one broken outline costs its own row a message and not the file
its reading. Whole numbers with gaps stay whole (never floats), codes keep all their digits.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import shutil
import struct
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import pyproj
import shapely

from gridplan.errors import Outcome
from gridplan.read import door
from gridplan.read.door import Format, Refused

_UNREADABLE = (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError,
               RuntimeError, OSError)
_CUT_BYTES = 8  # a text at least this long may end in half a character
_SAMPLE = 2**24  # bytes of a .dbf that its encoding is judged by
_DECODE_ANYTHING = frozenset(("iso8859-1", "iso8859-15", "cp1252", "ascii"))
# What GDAL says of what is told, or told better, elsewhere.
_TOLD = ("Non closed ring", "unrecognized", "recommended", "non conformant file extension")


@dataclass
class RawTable:
    """One layer as it stands in its file: text and numbers, geometry, CRS, row labels.

    ``rows`` names each row as the user's programs do: the fid in GIS files, the line in text
    tables, the sheet row in workbooks. ``notes`` are (key, outcome, values) of findings.
    """

    data: pd.DataFrame
    rows: np.ndarray
    layer: str = ""
    geometry: np.ndarray | None = None
    crs: pyproj.CRS | None = None
    encoding: str = ""
    notes: list[tuple[str, Outcome, dict[str, Any]]] = field(default_factory=list)

    def note(self, key: str, outcome: Outcome, **values: Any) -> None:
        """Note a finding about this table."""
        self.notes.append((key, outcome, values))


def spatial_layers(path: Path | str) -> list[tuple[str, str | None]]:
    """Return (name, geometry type or None) of the layers of a file that GDAL reads."""
    with _quiet() as caught:
        try:
            listed = pyogrio.list_layers(path)
        except _UNREADABLE as error:
            raise Refused("read.damaged", error=_first_line(error, caught)) from error
    return [(str(n), None if g is None or str(g) in ("None", "nan") else str(g))
            for n, g in listed]


def layers_of(path: Path, kind: Format, *, blank: bool = False) -> list[str | None]:
    """Return the names of the layers or sheets of a file that can hold several.

    With ``blank`` also the sheets that hold no more than their headings.
    """
    if kind == "gpkg":
        return list(door.check_gpkg(path))
    if kind == "xlsx":
        import python_calamine as calamine
        try:
            with calamine.CalamineWorkbook.from_path(str(path)) as book:
                return [n for n in book.sheet_names
                        if blank or book.get_sheet_by_name(n).total_height]
        except (calamine.CalamineError, OSError, ValueError) as error:
            raise Refused("read.damaged", error=_first_line(error, [])) from error
    return []


def choose_layer(layers: list[tuple[str, str | None]], wanted: str | None, role: str) -> str:
    """Pick the layer to read: the named one, the only one, or the one named like its role."""
    names = [n for n, _ in layers]
    if wanted is not None:
        if wanted not in names:
            raise Refused("read.no_such_layer", name=wanted, layers=", ".join(names))
        return wanted
    spatial = [n for n, g in layers if g is not None] or names
    if len(spatial) == 1:
        return spatial[0]
    if role in spatial:
        return role
    raise Refused("read.which_layer", ask=bool(spatial), layers=", ".join(spatial))


def read_vector(path: Path | str, kind: Format, wanted: str | None, role: str) -> RawTable:
    """Read one layer of a vector file that has passed the door."""
    if kind == "parquet":
        return _read_parquet(Path(path))
    if kind == "shp":
        return _read_shapefile(Path(path))
    if kind == "gpkg":
        door.check_gpkg(Path(path))
    if kind in ("geojson", "geojsonseq"):
        return _read_geojson(Path(path), kind)
    layer = choose_layer(spatial_layers(path), wanted, role)
    return _read_ogr(path, layer)


def _read_geojson(path: Path, kind: Format) -> RawTable:
    """Read GeoJSON, which must be UTF-8, from a copy in UTF-8 where it is not."""
    prefix = "GeoJSON:" if kind == "geojson" else "GeoJSONSeq:"
    text, encoding = door.decode(path.read_bytes())
    says_crs = '"crs"' in text
    with tempfile.TemporaryDirectory() as folder:
        target = path
        if encoding != "UTF-8":
            target = Path(folder) / "member.geojson"
            target.write_text(text, encoding="utf-8")
        raw = _read_ogr(f"{prefix}{target}", None, DATE_AS_STRING="YES")
    if kind == "geojsonseq":
        _check_records(text, len(raw.data))
    if not encoding.startswith("UTF-8"):
        raw.note("read.encoding_guessed", "repaired", encoding=encoding)
    raw.layer, raw.encoding = path.stem, encoding
    if not says_crs and not _are_degrees(raw.geometry):
        raw.crs = None  # GDAL takes it for WGS-84, as the standard says; the file did not
    return raw


def _are_degrees(shapes: np.ndarray | None) -> bool:
    west, south, east, north = shapely.total_bounds(shapes) if shapes is not None else [0.0] * 4
    return not (west < -360 or east > 360 or south < -360 or north > 360)


def _read_ogr(path: Path | str, layer: str | None, **options: Any) -> RawTable:
    with _quiet() as caught:
        try:
            meta, table = pyogrio.read_arrow(path, layer=layer, return_fids=True, **options)
            expected = pyogrio.read_info(path, layer=layer, **options)["features"]
        except _UNREADABLE as error:
            row = _first_bad_record(str(path), layer)
            raise Refused("read.damaged" if row is None else "read.damaged_row",
                          row="" if row is None else row,
                          error=_first_line(error, caught)) from error
    wkb = meta["geometry_name"] or "wkb_geometry"
    geometry = None
    if wkb in table.column_names:
        geometry = table.column(wkb).to_numpy()
        table = table.drop_columns([wkb])
    fids = table.column(meta["fid_column"]).to_numpy()
    if len(fids) < expected:
        raise Refused("read.records_lost", read=len(fids), records=expected)
    data = _to_frame(table.drop_columns([meta["fid_column"]]), fids)
    raw = RawTable(data, fids, layer or "", geometry, _crs(meta["crs"]), meta["encoding"] or "")
    _tell_warnings(raw, caught)
    _straighten(raw, path, layer)
    return _parse_geometry(raw)


def _straighten(raw: RawTable, path: Path | str, layer: str | None) -> None:
    """Replace curves, which GEOS does not know, by GDAL's chords of 4° of arc."""
    if raw.geometry is None:
        return
    curved = np.array([_is_curve(w) for w in raw.geometry], dtype=bool)
    if not curved.any():
        return
    _, fids, straight, _ = pyogrio.raw.read(path, layer=layer, columns=[], return_fids=True,
                                            fids=raw.rows[curved])
    chords = pd.Series(straight, index=fids)
    raw.geometry = raw.geometry.copy()
    raw.geometry[curved] = chords[raw.rows[curved]].to_numpy()
    raw.note("read.straightened", "repaired", rows=raw.rows[curved])


def _is_curve(wkb: bytes | None) -> bool:
    if wkb is None or len(wkb) < 5:
        return False
    kind = int.from_bytes(wkb[1:5], "little" if wkb[0] else "big") & 0x1FFFFFFF
    return 8 <= kind % 1000 <= 14


def _read_parquet(path: Path) -> RawTable:
    import pyarrow as pa
    import pyarrow.parquet as pq
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise Refused("read.damaged", error=_first_line(error, [])) from error
    meta = json.loads((table.schema.metadata or {}).get(b"geo", b"{}"))
    column = meta.get("primary_column")
    rows = np.arange(len(table))
    if column not in table.column_names:
        return RawTable(_to_frame(table, rows), rows, path.stem)
    about = meta["columns"][column]
    if about.get("encoding", "WKB") != "WKB":
        import geopandas as gpd
        geometry = np.asarray(gpd.GeoDataFrame.from_arrow(table).geometry.array)
    else:
        geometry = table.column(column).to_numpy()
    others = [c for c in table.column_names
              if c in meta["columns"] or c.startswith("__index_level_")]
    crs = about.get("crs", "OGC:CRS84")
    raw = RawTable(_to_frame(table.drop_columns(others), rows), rows, path.stem, geometry,
                   _crs(crs))
    return _parse_geometry(raw)


def _read_shapefile(path: Path) -> RawTable:
    parts = door.check_shp(path)
    with tempfile.TemporaryDirectory() as folder:
        target = path
        if ".shx" not in parts:
            # GDAL writes the index it rebuilds beside the file: let that be a copy.
            target = Path(folder) / "member.shp"
            for suffix, part in parts.items():
                shutil.copyfile(part, target.with_suffix(suffix))
            _write_shx(target)
        raw = _read_ogr(target, None, encoding="ISO-8859-1")
    raw.layer = path.stem
    if ".shx" not in parts:
        raw.note("read.shx_rebuilt", "repaired")
    _decode(raw, parts)
    return raw


def _write_shx(path: Path) -> None:
    """Rebuild the index of a shapefile from the record headers of its .shp."""
    body = path.read_bytes()
    entries, at = [], 100
    while at + 8 <= len(body):
        words = struct.unpack(">i", body[at + 4:at + 8])[0]
        if words < 2:
            raise Refused("read.damaged", error=".shp record length")
        entries.append(struct.pack(">ii", at // 2, words))
        at += 8 + 2 * words
    size = struct.pack(">i", 50 + 4 * len(entries))
    path.with_suffix(".shx").write_bytes(body[:24] + size + body[28:100] + b"".join(entries))


def _decode(raw: RawTable, parts: dict[str, Path]) -> None:
    """Turn the text of a shapefile, read byte for byte as Latin-1, into what it means.

    A .dbf without .cpg is often GBK, and a .cpg can be wrong, so the bytes decide: the stated
    encoding if all of them fit, else UTF-8, else GB18030 (which holds GBK).
    """
    stated = _stated_encoding(parts)
    loose = bool(stated) and stated[0] in _DECODE_ANYTHING
    texts = [c for c in raw.data.columns if pd.api.types.is_string_dtype(raw.data[c].dtype)]
    sample = "\n".join([*raw.data.columns, *(t for c in texts for t in raw.data[c].dropna())])
    raw.encoding = "UTF-8"
    if sample.isascii():
        return
    body = sample.encode("latin-1")
    # UTF-8 and paired high bytes prove themselves; a one-byte encoding decodes anything.
    order = ["utf-8", "gb2312", *stated] if loose else [*stated, "utf-8", "gb18030"]
    wrong = {codec: _misfits(body, codec) for codec in order}
    codec = min(wrong, key=lambda c: wrong[c])  # the first of the best
    wrong["gb18030"] = wrong[codec]
    codec = "gb18030" if codec == "gb2312" else codec
    raw.encoding = codec.upper()
    if not stated or codec != stated[0]:
        raw.note("read.encoding_guessed", "repaired" if wrong[codec] == 0 else "warning",
                 encoding=codec.upper())
    for column in texts:
        text = raw.data[column].astype("string")
        known = text.notna().to_numpy()
        fixed = [t.encode("latin-1").decode(codec, errors="ignore") for t in text[known]]
        raw.data[column] = text.mask(known, pd.Series(pd.NA, index=text.index, dtype="string"))
        raw.data.loc[known, column] = fixed
    raw.data.columns = pd.Index([str(c).encode("latin-1").decode(codec, errors="ignore")
                                 for c in raw.data.columns])


def _stated_encoding(parts: dict[str, Path]) -> list[str]:
    text = parts[".cpg"].read_text(encoding="ascii", errors="ignore").strip() \
        if ".cpg" in parts else ""
    text = {"936": "gb18030", "cp936": "gb18030", "gbk": "gb18030", "gb2312": "gb18030",
            "65001": "utf-8"}.get(text.casefold(), text)
    try:
        return [codecs.lookup(text).name] if text else []
    except LookupError:
        return []


def _misfits(body: bytes, codec: str) -> int:
    """Count the values that do not decode; a name cut at the field's end costs only itself."""
    try:
        body[:_SAMPLE].decode(codec)
        return 0
    except UnicodeDecodeError:
        reader, bad = codecs.getincrementaldecoder(codec), 0
        for value in body[:_SAMPLE].split(b"\n"):
            try:  # the names of fields are cut at ten bytes, in the middle of a character
                reader().decode(value, final=len(value) < _CUT_BYTES)
            except UnicodeDecodeError:
                bad += 1
        return bad


def _check_records(text: str, read: int) -> None:
    """Refuse a GeoJSON sequence of which GDAL silently skipped records."""
    mark = "\x1e" if "\x1e" in text[:16] else "\n"
    records = [(i, r) for i, r in enumerate(text.split(mark), 1) if r.strip()]
    if len(records) == read:
        return
    for line, record in records:
        try:
            json.loads(record)
        except ValueError as error:
            raise Refused("read.damaged_row", row=line, error=str(error)) from error
    raise Refused("read.records_lost", read=read, records=len(records))


def _parse_geometry(raw: RawTable) -> RawTable:
    """Turn WKB into geometry; close open rings; note the rows whose geometry cannot be read."""
    wkb = raw.geometry
    if wkb is None or (len(wkb) and isinstance(wkb[0], shapely.Geometry)):
        return raw
    present = np.array([w is not None and len(w) > 0 for w in wkb], dtype=bool)
    shapes = shapely.from_wkb(wkb, on_invalid="ignore")
    open_rings = np.flatnonzero(present & shapely.is_missing(shapes))
    if open_rings.size:
        closed = shapely.from_wkb(wkb[open_rings], on_invalid="fix")
        good = ~shapely.is_missing(closed) & (
            (shapely.area(closed) > 0) | (shapely.get_dimensions(closed) < 2))
        shapes[open_rings[good]] = closed[good]
        if good.any():
            raw.note("read.ring_closed", "repaired", rows=raw.rows[open_rings[good]])
        if not good.all():
            raw.note("read.ring_broken", "error", rows=raw.rows[open_rings[~good]])
    raw.geometry = shapes
    return raw


def _to_frame(table: Any, rows: np.ndarray) -> pd.DataFrame:
    import pyarrow as pa
    _check_text(table, rows)
    whole = {pa.int8(): pd.Int64Dtype(), pa.int16(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype(),
             pa.int64(): pd.Int64Dtype(), pa.uint8(): pd.Int64Dtype(),
             pa.uint16(): pd.Int64Dtype(), pa.uint32(): pd.Int64Dtype(),
             pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype(),
             pa.string(): pd.StringDtype(), pa.large_string(): pd.StringDtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=whole.get, ignore_metadata=True)
    frame.columns = frame.columns.astype(str)
    return frame


def _check_text(table: Any, rows: np.ndarray) -> None:
    """Refuse text that is not UTF-8, naming the row: some programs write GBK where it must be."""
    import pyarrow as pa
    try:
        table.validate(full=True)
        return
    except pa.ArrowInvalid as error:
        problem = str(error)
    for name in table.column_names:
        column = table.column(name)
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            continue
        for row, value in zip(rows, column.cast(pa.large_binary()).to_pylist(), strict=True):
            try:
                (value or b"").decode()
            except UnicodeDecodeError as error:
                raise Refused("read.damaged_row", row=row, field=name, error=str(error)) from error
    raise Refused("read.damaged", error=problem)


def _crs(text: Any) -> pyproj.CRS | None:
    """Return the CRS a file states; an "undefined" one is none."""
    if text is None or text == "":
        return None
    try:
        crs = pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError:
        return None
    return None if crs.name.lower().startswith(("undefined", "unknown", "unnamed")) and (
        not crs.is_projected) else crs


def _first_bad_record(path: str, layer: str | None) -> int | None:
    """Re-read record by record with fiona; return the id of the first that fails, if it can."""
    try:
        import fiona
    except ImportError:  # no wheel for Linux on ARM: the error then names the file only
        return None
    for prefix in ("GeoJSON:", "GeoJSONSeq:"):
        path = path.removeprefix(prefix)
    last, count = None, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with fiona.open(path, layer=layer) as records:
                try:
                    for record in records:
                        last, count = int(record.id), count + 1
                except Exception:  # any failure of a record is what is sought
                    return 0 if last is None else last + 1
                if 0 < count < len(records):  # it ended early without a word
                    return (last or 0) + 1
        except Exception:  # the file does not open at all: no record to name
            return None
    return None


@contextlib.contextmanager
def _quiet() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def _tell_warnings(raw: RawTable, caught: list[warnings.WarningMessage]) -> None:
    """Pass on what GDAL warned of, once each; open rings are told with their rows instead."""
    said = dict.fromkeys(str(w.message) for w in caught)
    for text in said:
        if not any(part in text for part in _TOLD):
            raw.note("read.gdal_says", "warning", text=text)


def _first_line(error: BaseException, caught: list[warnings.WarningMessage]) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
