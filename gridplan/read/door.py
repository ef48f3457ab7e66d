"""The door: what a file is by its content, whether it is whole, and whether it may come in.

Nothing is opened with GDAL before it has passed here: a virtual layer (VRT and its kin) can
read other files or call the network, whatever its extension says.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import re
import shutil
import sqlite3
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from gridplan import sheets
from gridplan.sheets import ZIP_LIMIT, SheetError, zip_name

Format = Literal["gpkg", "shp", "fgb", "parquet", "geojson", "geojsonseq", "csv", "xlsx", "zip",
                 "remote"]

_SUFFIXES: dict[str, tuple[Format, ...]] = {
    ".gpkg": ("gpkg",), ".shp": ("shp",), ".fgb": ("fgb",), ".parquet": ("parquet",),
    ".geoparquet": ("parquet",), ".geojson": ("geojson", "geojsonseq"),
    ".json": ("geojson", "geojsonseq"), ".geojsonl": ("geojsonseq", "geojson"),
    ".geojsons": ("geojsonseq", "geojson"), ".ndjson": ("geojsonseq", "geojson"),
    ".csv": ("csv",), ".tsv": ("csv",), ".txt": ("csv",), ".xlsx": ("xlsx",), ".xls": ("xlsx",),
    ".xlsm": ("xlsx",), ".ods": ("xlsx",), ".zip": ("zip",), ".shz": ("zip",)}
_GEOJSON_TYPE = re.compile(
    rb'"type"\s*:\s*"(FeatureCollection|Feature|GeometryCollection|(Multi)?(Point|LineString'
    rb'|Polygon))"')
_TOPOLOGY = re.compile(rb'"type"\s*:\s*"Topology"')
_LONGEST_RECORD = 2**24
_REMOTE = re.compile(r"^([/\\]+vsi|[A-Za-z][A-Za-z0-9+._-]+:)")
_SHP_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Refused(Exception):  # noqa: N818 - it is told as a finding, never seen as an exception
    """A file does not come in; ``key`` and ``values`` are those of the finding to tell."""

    def __init__(self, key: str, *, ask: bool = False, row: object = "", field: str = "",
                 layer: str = "", **values: object) -> None:
        super().__init__(key)
        self.key, self.ask, self.values = key, ask, values
        self.row, self.field, self.layer = row, field, layer


def is_remote(path: str | Path) -> bool:
    """Tell whether a path is a URL, a GDAL virtual path or a connection string.

    >>> is_remote("https://example.org/a.gpkg"), is_remote("/vsizip/a.zip"), is_remote("a.gpkg")
    (True, True, False)
    """
    return bool(_REMOTE.match(str(path)))


def identify(path: Path) -> Format:
    """Say what a file is from its content; refuse what may not or cannot be read."""
    if not path.exists():
        raise Refused("read.missing_file")
    if path.is_dir():
        raise Refused("read.is_folder")
    try:
        with path.open("rb") as stream:
            head = stream.read(65536)
    except OSError as error:
        raise Refused("read.unreadable", error=str(error.strerror)) from error
    if not head.strip(b"\0"):
        raise Refused("read.empty_file")
    if head.startswith(b"SQLite format 3\0"):
        return "gpkg"
    if head.startswith(b"\x00\x00\x27\x0a"):
        return "shp"
    if head.startswith(b"fgb\x03"):
        return "fgb"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return "xlsx"
    if head.startswith(b"PK"):
        return _which_zip(path)
    return _which_text(path, head)


def extension_differs(path: Path, found: Format) -> bool:
    """Tell whether the extension promises another format than the content shows."""
    return found not in _SUFFIXES.get(path.suffix.lower(), ())


def _which_zip(path: Path) -> Format:
    with open_zip(path) as archive:
        names = set(archive.namelist())
    if names & {"xl/workbook.xml", "xl/workbook.bin", "content.xml"}:
        return "xlsx"
    return "zip"


def _which_text(path: Path, head: bytes) -> Format:
    wide = head.startswith(_UTF16)
    if wide:
        head = head[:len(head) // 2 * 2].decode("utf-16", errors="ignore").encode()
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    low = text[:4096].lower()
    if path.suffix.lower() in (".dbf", ".shx", ".prj", ".cpg", ".qix"):
        raise Refused("read.shp_part")
    if b"OSMHeader" in head[:64] or b"<osm" in low:
        raise Refused("read.is_osm")
    if b"<ogrvrt" in low or b"<vrtdataset" in low or b"gdal_streamed_alg" in low:
        raise Refused("read.virtual")
    if low.startswith((b"<!doctype html", b"<html")) or b"<html" in low:
        raise Refused("read.web_page")
    if text.startswith(b"\x1e"):
        return "geojsonseq"
    if text.startswith((b"{", b"[")):
        return _which_json(path, wide)
    if text.startswith(b"<") or b"\0" in head:
        raise Refused("read.unknown_format")
    return "csv"


def _which_json(path: Path, wide: bool) -> Format:
    if wide:
        return _json_kind(decode(path.read_bytes())[0].encode())
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return _json_kind(view)


def _json_kind(body: bytes | mmap.mmap) -> Format:
    """Tell one collection from a sequence of features, one a line."""
    if not _GEOJSON_TYPE.search(body) or _TOPOLOGY.search(body[:4096]):
        raise Refused("read.unknown_format")
    end = body.find(b"\n")
    if 0 <= end < _LONGEST_RECORD and body.find(b"{", end) >= 0:
        with contextlib.suppress(ValueError, Refused):
            if json.loads(decode(body[:end])[0]).get("type") == "Feature":
                return "geojsonseq"
    return "geojson"


def check_gpkg(path: Path) -> list[str]:
    """Refuse a GeoPackage that is cut or has damaged pages, and other SQLite files.

    Returns the names of its spatial layers, or where it has none of its tables.
    """
    for options in ("mode=ro", "mode=ro&immutable=1"):
        try:
            link = sqlite3.connect(f"{path.resolve().as_uri()}?{options}", uri=True)
            try:
                answer = link.execute("PRAGMA quick_check(1)").fetchone()[0]
                tables = {r[0] for r in link.execute("SELECT name FROM sqlite_master")}
                held = link.execute("SELECT table_name, data_type FROM gpkg_contents").fetchall() \
                    if "gpkg_contents" in tables else []
            finally:
                link.close()
        except sqlite3.Error as error:
            problem = str(error)
            continue
        if answer != "ok":
            raise Refused("read.damaged", error=str(answer).splitlines()[0])
        if "gpkg_contents" not in tables:
            raise Refused("read.unknown_format")
        return [n for n, kind in held if kind == "features"] or [n for n, _ in held]
    raise Refused("read.damaged", error=problem)


def shp_parts(path: Path) -> dict[str, Path]:
    """Return the files of a shapefile by lower-case extension, whatever their case."""
    return {p.suffix.lower(): p for p in sorted(path.parent.iterdir(), reverse=True)
            if p.stem.casefold() == path.stem.casefold() and p.suffix.lower() in _SHP_PARTS}


def check_shp(path: Path) -> dict[str, Path]:
    """Refuse a shapefile that is cut or lacks its table; return its parts."""
    parts = shp_parts(path)
    with path.open("rb") as stream:
        head = stream.read(100)
    if len(head) < 100 or struct.unpack(">i", head[24:28])[0] * 2 > path.stat().st_size:
        raise Refused("read.damaged", error=".shp shorter than its header says")
    if ".dbf" not in parts:
        raise Refused("read.no_dbf")
    with parts[".dbf"].open("rb") as stream:
        head = stream.read(32)
    if len(head) < 32:
        raise Refused("read.damaged", error=".dbf header")
    rows, start, width = struct.unpack("<IHH", head[4:12])
    if start + rows * width > parts[".dbf"].stat().st_size:
        raise Refused("read.damaged", error=".dbf shorter than its header says")
    return parts


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file; refuse damaged, locked, oversized ones and names that leave the folder."""
    with contextlib.ExitStack() as stack:
        try:
            archive = stack.enter_context(sheets.open_archive(path))
        except SheetError as error:
            raise Refused(f"read.{error.kind}", **error.values) from error
        yield archive


def unzip(path: Path, layer: str | None, folder: Path) -> tuple[str, Path]:
    """Unpack the one data set of a zip file into ``folder``; return its name and main file.

    Members are written under names of ours, so nothing can land elsewhere. Sub-folders are
    looked into; of several data sets ``layer`` (a file stem) picks one.
    """
    with open_zip(path) as archive:
        members = {zip_name(m): m for m in archive.infolist()
                   if not m.is_dir() and "__MACOSX" not in m.filename}
        mains = sorted(n for n in members
                       if PurePosixPath(n).suffix.lower() in _SUFFIXES
                       and PurePosixPath(n).suffix.lower() not in (".zip", ".shz", ".txt"))
        if not mains:
            raise Refused("read.zip_without_data")
        named = [n for n in mains if layer in (PurePosixPath(n).stem, n)]
        if len(mains) > 1 and len(named) != 1:
            raise Refused("read.which_layer", ask=True,
                          layers=", ".join(PurePosixPath(n).stem for n in mains))
        main = PurePosixPath(named[0] if named else mains[0])
        for name, member in members.items():
            pure = PurePosixPath(name)
            if pure.parent == main.parent and pure.stem.casefold() == main.stem.casefold():
                _unpack(archive, member, folder / f"member{pure.suffix.lower()}")
    return main.stem, folder / f"member{main.suffix.lower()}"


def copy_parts(path: Path, folder: Path, kind: Format) -> Path:
    """Copy a file into ``folder``, with the files that go with it; return the copy."""
    parts = list(shp_parts(path).values()) if kind == "shp" else [
        path, *(p for p in (path.with_name(f"{path.name}-wal"),) if p.exists())]
    for part in parts:
        tail = part.name[len(path.stem):].lower()
        shutil.copyfile(part, folder / f"member{tail.replace('.zip', f'.{kind}')}")
    return folder / f"member{path.suffix.lower().replace('.zip', f'.{kind}')}"


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    left = ZIP_LIMIT
    try:
        with archive.open(member) as source, target.open("wb") as out:
            while block := source.read(2**20):
                left -= len(block)
                if left < 0:  # the directory of a zip file can lie about sizes
                    raise Refused("read.zip_bomb", size=f"> {ZIP_LIMIT / 1024**2:.0f}")
                out.write(block)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        raise Refused("read.damaged", error=str(error)) from error


def decode(body: bytes) -> tuple[str, str]:
    """Return the text of a file and its encoding, as :func:`gridplan.sheets.decode` does."""
    try:
        return sheets.decode(body)
    except SheetError as error:
        raise Refused("read.unknown_encoding", row=error.row) from error


def digest(path: Path) -> str:
    """Return the SHA-256 of a file; of a shapefile that of its parts in order of extension."""
    parts = [p for _, p in sorted(shp_parts(path).items())] if path.suffix.lower() == ".shp" else []
    total = hashlib.sha256()
    for part in parts or [path]:
        with part.open("rb") as stream:
            while block := stream.read(2**20):
                total.update(block)
    return total.hexdigest()
