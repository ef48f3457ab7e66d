"""Files → layers with the columns of the contract, still in their own CRS."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from gridplan.datum import refuse_unknown, to_wgs84
from gridplan.errors import Findings, first_ids
from gridplan.layers import INPUTS, Kind, Source, typed
from gridplan.read import crs as crs_rules
from gridplan.read import door, names, values
from gridplan.read.door import Refused
from gridplan.read.table import read_table
from gridplan.read.vector import RawTable, read_vector
from gridplan.sheets import fold

_MUST_HOLD = frozenset(("communities", "outline", "buildings", "roads"))
_EXTRA: dict[str, Kind] = {"level": "int", "width_m": "float"}
_OGR: tuple[door.Format, ...] = ("gpkg", "shp", "fgb", "parquet", "geojson", "geojsonseq", "remote")


@dataclass(frozen=True)
class Options:
    """How files are read; one object so that it is handed through whole."""

    columns: Mapping[str, str] = field(default_factory=dict)
    layer: Mapping[str, str] | str | None = None
    crs: Mapping[str, Any] | Any = None
    allow_remote: bool = False
    drop_columns: bool = False

    def layer_of(self, role: str) -> str | None:
        """Return the layer named for ``role``."""
        return self.layer.get(role) if isinstance(self.layer, Mapping) else self.layer

    def crs_of(self, role: str) -> Any:
        """Return the CRS given for ``role``."""
        return self.crs.get(role) if isinstance(self.crs, Mapping) else self.crs

    def columns_of(self, role: str) -> dict[str, str]:
        """Return ours → theirs for ``role``: plain names hold for every layer, else layer.ours."""
        known = {*names.ALIASES[names.base_of(role)], *names.COORDINATES}
        plain = {o: t for o, t in self.columns.items() if o in known}
        own = {o.removeprefix(f"{role}."): t for o, t in self.columns.items()
               if o.startswith(f"{role}.")}
        return {**plain, **own}


def read_layers(files: Mapping[str, str | Path], *, columns: Mapping[str, str] | None = None,
                layer: Mapping[str, str] | str | None = None,
                crs: Mapping[str, Any] | Any = None, datum: Mapping[str, str] | str | None = None,
                allow_remote: bool = False, drop_null: bool = False, drop_columns: bool = False,
                findings: Findings) -> tuple[dict[str, gpd.GeoDataFrame], list[Source]]:
    """Read files into layers with the columns of ``INPUTS``, each still in its own CRS.

    GeoPackage, Shapefile (zipped too), GeoJSON, GeoJSON sequences, FlatGeobuf, GeoParquet, and
    CSV or workbooks with lon/lat or WKT. What a file is, its content says, not its extension.

    Parameters
    ----------
    files
        Layer → file. A layer is one of ``INPUTS``, or ``outline``; ``rail``, ``water`` and
        ``walls`` become ``barriers`` of that kind. Further files of must-links are
        ``must_links:2``, ``must_links:3`` …
    columns
        Ours → theirs, where a name is not recognised; ``{"buildings.floors": "этажей"}`` holds
        for one layer only.
    layer
        The layer or sheet to read, for all files or per layer.
    crs
        The CRS of files that state none, for all or per layer; one given per layer also
        overrides what its file states.
    datum
        ``gcj02`` or ``bd09`` where coordinates are shifted so, for all or per layer. It is
        noted on the frames; :func:`clean_study` converts.
    allow_remote
        Read URLs, GDAL virtual paths and virtual layers too.
    drop_null
        Noted on the frames: :func:`clean_study` then takes rows without geometry out, with a
        warning, instead of stopping.
    drop_columns
        Leave columns out that look like a resident's, instead of stopping.
    findings
        Receives every fault, repair and warning of every file.

    Returns
    -------
    layers : dict of GeoDataFrame
        Layer → frame, indexed by row label (fid, line or sheet row).
    sources : list of Source
        One per file, in the order given, with its digest.

    Raises
    ------
    UsageError
        ``crs`` or ``datum`` is a word that names none.
    InputError
        With every fault of every file.
    """
    crs_rules.refuse_unknown(crs)
    refuse_unknown(datum)
    options = Options(columns or {}, layer, crs, allow_remote, drop_columns)
    frames: dict[str, gpd.GeoDataFrame] = {}
    barriers: list[gpd.GeoDataFrame] = []
    links: list[gpd.GeoDataFrame] = []
    sources: list[Source] = []
    seen: dict[str, set[str]] = {}
    for key, path in files.items():
        role = names.plain_role(key)
        frame = _read_one(role, path, options, findings, sources, seen)
        if frame is None:
            continue
        shift = datum.get(role) if isinstance(datum, Mapping) else datum
        frame.attrs.update({"drop_null": drop_null, **({"datum": shift} if shift else {})})
        if role == "must_links":
            links.append(frame.assign(source=shown_name(path)))
        elif role in names.BARRIER_FILES or role == "barriers":
            barriers.append(frame)
        else:
            frames[role] = frame
    _check_mapping(options, files, seen, findings)
    if barriers:
        frames["barriers"] = _join_files(barriers)
    if links:
        frames["must_links"] = _join_files(_tell_ids_apart(links))
    findings.stop_on_faults()
    return frames, sources


def read_totals(path: str | Path, findings: Findings, *, columns: Mapping[str, str] | None = None,
                layer: str | None = None, allow_remote: bool = False,
                drop_columns: bool = False) -> pd.Series:
    """Read household totals by community from a workbook, a CSV file or a layer.

    Parameters
    ----------
    path
        The file; it needs a column of community codes or names and one of households.
    findings
        Receives faults, repairs and warnings.
    columns, layer, allow_remote, drop_columns
        As in :func:`read_layers`.

    Returns
    -------
    pandas.Series
        Households (Int64) by community_id, or by name where the file has no codes; the index
        is named so.

    Raises
    ------
    InputError
        A column is missing, a total is no whole number of 0 or more, or a community comes twice.
    """
    options = Options(columns or {}, layer, None, allow_remote, drop_columns)
    file = shown_name(path)
    try:
        raw, _ = load_table("totals", path, options, findings)
    except Refused as refusal:
        tell_refusal(refusal, "totals", file, findings)
        findings.stop_on_faults()
        raise AssertionError from refusal
    found = recognise("totals", raw, options, file, findings)
    _tell_notes(raw, "totals", file, findings)
    table = values.to_columns("totals", raw, found, file, findings)
    _check_mapping(Options({o: t for o, t in options.columns.items() if o.startswith("totals.")}),
                   {"totals": path}, {"totals": set(raw.data.columns)}, findings)
    coded = "community_id" in table and table["community_id"].notna().any()
    key = "community_id" if coded else "name"
    for needed in (key, "households"):
        if needed not in table:
            findings.add("read.no_column", file=file, layer="totals", field=needed,
                         columns=", ".join(raw.data.columns))
    findings.stop_on_faults()
    sums = raw.data.isin(names.SUMS).any(axis=1).to_numpy(dtype=bool)
    if sums.any():
        findings.add("read.sum_row", "repaired", file=file, layer="totals", count=int(sums.sum()),
                     row=first_ids(raw.rows[sums]))
    table = table[~sums & ~(table[key].isna() & table["households"].isna())]
    blank = table.index[table[key].isna() | table["households"].isna()]
    if len(blank):
        findings.add("read.total_blank", file=file, layer="totals", row=first_ids(blank),
                     count=len(blank))
    twice = table.index[table[key].duplicated(keep=False) & table[key].notna()]
    if len(twice):
        findings.add("read.duplicate_ids", file=file, layer="totals", row=first_ids(twice),
                     field=found[key], count=len(twice),
                     ids=first_ids(dict.fromkeys(table.loc[twice, key])))
    findings.stop_on_faults()
    return pd.Series(table["households"].array, index=pd.Index(table[key].astype(object), name=key),
                     name="households")


def load_table(role: str, path: str | Path, options: Options,
               findings: Findings) -> tuple[RawTable, door.Format]:
    """Read one file, of whatever format, as it stands; return its table and its format."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = options.layer_of(role)
        if door.is_remote(path) and not Path(path).exists():
            if not options.allow_remote:
                raise Refused("read.remote")
            return read_vector(str(path), "remote", wanted, role), "remote"
        return _load_file(role, Path(path), options, Path(folder), findings)


def _load_file(role: str, path: Path, options: Options, folder: Path,
               findings: Findings) -> tuple[RawTable, door.Format]:
    wanted = options.layer_of(role)
    try:
        kind = door.identify(path)
    except Refused as refusal:
        if refusal.key != "read.virtual" or not options.allow_remote:
            raise
        return read_vector(path, "remote", wanted, role), "remote"
    if door.extension_differs(path, kind):
        findings.add("read.extension", "warning", file=path.name, layer=role, format=kind)
    name = ""
    if kind == "zip":
        name, path = door.unzip(path, wanted, folder)
        kind, wanted = door.identify(path), wanted if path.suffix == ".gpkg" else None
    elif "!" in str(path) or path.suffix.lower() == ".zip":
        # The reader takes such a path for one into an archive: let it see a copy.
        name, path = path.stem, door.copy_parts(path, folder, kind)
    if kind in _OGR:
        raw = read_vector(path, kind, wanted, role)
    else:
        aliases = [names.ALIASES[names.base_of(role)]] if role else names.ALIASES.values()
        known = {fold(a) for held in aliases for group in held.values() for a in group}
        raw = read_table(path, kind, wanted, role, known)
    raw.layer = name if name and raw.layer == "member" else raw.layer
    return raw, kind


def _read_one(role: str, path: str | Path, options: Options, findings: Findings,
              sources: list[Source], seen: dict[str, set[str]]) -> gpd.GeoDataFrame | None:
    file = shown_name(path)
    if role not in names.LAYER_FILES:
        findings.add("read.unknown_layer", file=file, layer=role,
                     layers=", ".join(names.LAYER_FILES))
        return None
    try:
        raw, kind = load_table(role, path, options, findings)
        sources.append(Source(file, role, _digest(path, raw, kind), len(raw.data)))
        seen.setdefault(role, set()).update(raw.data.columns)
        return _to_layer(role, raw, options, file, findings)
    except Refused as refusal:
        tell_refusal(refusal, role, file, findings)
        return None


def _to_layer(role: str, raw: RawTable, options: Options, file: str,
              findings: Findings) -> gpd.GeoDataFrame | None:
    base = names.base_of(role)
    if raw.data.empty and len(raw.rows) == 0:
        findings.add("read.empty_layer", "error" if role in _MUST_HOLD else "warning", file=file,
                     layer=role)
    found = recognise(role, raw, options, file, findings)
    if raw.geometry is None:
        place_rows(role, raw, options, file, findings)
    if raw.geometry is None:
        findings.add("read.no_geometry", file=file, layer=role,
                     columns=", ".join(raw.data.columns))
        return None
    _tell_notes(raw, role, file, findings)
    table = values.to_columns(base, raw, found, file, findings)
    if role in names.BARRIER_FILES:
        table = _barrier_kind(role, table, raw.geometry)
    crs = crs_rules.settle_crs(raw, options.crs_of(role), isinstance(options.crs, Mapping), role,
                               file, findings)
    columns = [*INPUTS[base].names, "structure", "level", "width_m"] \
        if base == "barriers" else (INPUTS[base].names if base in INPUTS else ["name"])
    kinds = {c.name: c.kind for c in INPUTS[base].columns} if base in INPUTS else {}
    data = {c: typed(table[c].array if c in table else None,
                     kinds.get(c) or _EXTRA.get(c, "text"), len(table))
            for c in dict.fromkeys(columns)}
    return gpd.GeoDataFrame(data, geometry=raw.geometry, crs=crs, index=table.index)


def recognise(role: str, raw: RawTable, options: Options, file: str,
              findings: Findings) -> dict[str, str]:
    """Return ours → theirs; refuse, or drop, what looks like a resident's."""
    private = names.private_columns(raw.data.columns)
    if private:
        findings.add("read.private", "warning" if options.drop_columns else "error", file=file,
                     layer=role, field=", ".join(private), count=len(private))
        raw.data = raw.data.drop(columns=private)
    return names.find_columns(names.base_of(role), raw.data.columns, options.columns_of(role))


def place_rows(role: str, raw: RawTable, options: Options, file: str,
               findings: Findings) -> None:
    """Give a plain table its geometry, from lon/lat, x/y or WKT columns.

    Columns of longitude and latitude are WGS-84 unless a CRS is given for the file.
    """
    where = names.find_coordinates(raw.data.columns, options.columns_of(role))
    if not where:
        return
    if "wkt" in where:
        text = values.to_text(raw.data[where["wkt"]])
        known = text.notna().to_numpy()
        raw.geometry = shapely.from_wkt(text.astype(object).where(known, None).to_numpy(),
                                        on_invalid="ignore")
        bad = known & shapely.is_missing(raw.geometry)
        if bad.any():
            findings.add("read.bad_wkt", file=file, layer=role, field=where["wkt"],
                         row=first_ids(raw.rows[bad]), count=int(bad.sum()))
        return
    spots = np.full((len(raw.rows), 2), np.nan)
    for axis, column in enumerate(where.values()):
        text = values.to_text(raw.data[column]).str.normalize("NFKC")
        spots[:, axis] = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        bad = ~np.isfinite(spots[:, axis])
        if bad.any():
            findings.add("read.no_coordinate", file=file, layer=role, field=column,
                         row=first_ids(raw.rows[bad]), count=int(bad.sum()))
    raw.geometry = shapely.points(np.nan_to_num(spots))
    if "lon" in where and options.crs_of(role) is None:
        raw.crs = pyproj.CRS.from_epsg(4326)


def _barrier_kind(role: str, table: pd.DataFrame, geometry: np.ndarray) -> pd.DataFrame:
    """Say which barrier each row of a rail, water or walls file is.

    What the file itself says of kind only serves to leave out what is none (a stream, a
    dismantled track); standing water is told from running water by being an area.
    """
    given = table["kind"] if "kind" in table else pd.Series(pd.NA, table.index, dtype="string")
    kind = pd.Series(names.BARRIER_FILES[role], table.index, dtype="string")
    if role == "water":
        lines = pd.Series(shapely.get_dimensions(geometry) == 1, table.index)
        kind = kind.mask(lines | (given == "river").fillna(False), "river")
    table["kind"] = kind.mask(given.isin(names.NOT_BARRIERS), given).array
    return table


def _tell_ids_apart(links: list[gpd.GeoDataFrame]) -> list[gpd.GeoDataFrame]:
    """Put the file's name before an id that another file has too; rows may have none."""
    ids = [set(f["must_link_id"].dropna()) for f in links]
    out = []
    for k, frame in enumerate(links):
        elsewhere = set().union(*(other for n, other in enumerate(ids) if n != k))
        own = frame["must_link_id"]
        shared = own.isin(elsewhere) & own.notna()
        out.append(frame.assign(must_link_id=own.mask(shared, frame["source"] + ":" + own)))
        out[-1].attrs = dict(frame.attrs)
    return out


def _join_files(frames: list[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    """Join files of one layer in the CRS of the first; each is freed of its own datum before."""
    moved = [to_wgs84(f, f.attrs.pop("datum", "wgs84")) for f in frames if f.crs is not None]
    if not moved:
        return frames[0]
    together = [f if f.crs == moved[0].crs else f.to_crs(moved[0].crs) for f in moved]
    joined = gpd.GeoDataFrame(pd.concat(together), geometry="geometry", crs=moved[0].crs)
    joined.attrs = dict(moved[0].attrs)
    return joined


def _check_mapping(options: Options, files: Mapping[str, str | Path], seen: dict[str, set[str]],
                   findings: Findings) -> None:
    """Refuse a mapping that names a column of ours or of theirs which does not exist."""
    held = sorted(set().union(*seen.values()) if seen else set())
    read = len(seen) == len({*map(names.plain_role, files)})
    for ours, theirs in options.columns.items():
        role, _, column = ours.rpartition(".")
        known = [r for r in names.ALIASES if not role or r == names.base_of(role)]
        if not any(column in names.ALIASES[r] or column in names.COORDINATES for r in known):
            findings.add("read.unknown_column", field=ours)
        elif read and theirs not in held and (not role or role in files):
            # It may be meant for the totals, which are read on their own.
            other = not role and column in names.ALIASES["totals"]
            findings.add("read.no_column", "warning" if other else "error", field=theirs,
                         columns=first_ids(held, 30))


def _tell_notes(raw: RawTable, role: str, file: str, findings: Findings) -> None:
    for key, outcome, told in raw.notes:
        rows = told.pop("rows", None)
        count = told.pop("count", 1 if rows is None else len(rows))
        findings.add(key, outcome, file=file, layer=role, count=count,
                     row="" if rows is None else first_ids(rows), **told)


def tell_refusal(refusal: Refused, role: str, file: str, findings: Findings) -> None:
    """Tell why a file does not come in."""
    findings.add(refusal.key, "ask" if refusal.ask else "error", file=file, layer=role,
                 row=refusal.row, field=refusal.field, **refusal.values)  # type: ignore[arg-type]


def _digest(path: str | Path, raw: RawTable, kind: door.Format) -> str:
    if kind != "remote":
        return door.digest(Path(path))
    import hashlib
    rows = pd.util.hash_pandas_object(raw.data, index=False).to_numpy().tobytes()
    shapes = b"".join(w or b"" for w in shapely.to_wkb(raw.geometry)) \
        if raw.geometry is not None else b""
    return hashlib.sha256(rows + shapes).hexdigest()


def shown_name(path: str | Path) -> str:
    """Return the name of a file or address, never the way to it."""
    address = str(path).partition("?")[0] if door.is_remote(path) else str(path)
    return address.replace("\\", "/").rstrip("/").rpartition("/")[2] or address
