"""Opens zip files, which workbooks are too, within limits of size and place."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from gridplan.sheets.errors import SheetError

ZIP_LIMIT = 2 * 1024**3
_RATIO = 100
_RATIO_COUNTS_FROM = 10 * 1024**2


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file; refuse damaged, locked, oversized ones and names that leave the folder."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise SheetError("damaged", error=str(error)) from error
    with archive:
        members = archive.infolist()
        total = sum(m.file_size for m in members)
        packed = max(path.stat().st_size, 1)
        if total > ZIP_LIMIT or (total > _RATIO_COUNTS_FROM and total / packed > _RATIO):
            raise SheetError("zip_bomb", size=f"{total / 1024**2:.0f}")
        if any(m.flag_bits & 1 for m in members):
            raise SheetError("zip_locked")
        for name in (zip_name(m) for m in members):
            pure = PurePosixPath(name.replace("\\", "/"))
            if pure.is_absolute() or ".." in pure.parts or ":" in name:
                raise SheetError("zip_slip", name=name)
        yield archive


def zip_name(member: zipfile.ZipInfo) -> str:
    """Return the name of a member; names without the UTF-8 flag may be GBK.

    >>> zip_name(zipfile.ZipInfo("数据/a.shp".encode("gbk").decode("cp437")))
    '数据/a.shp'
    """
    if member.flag_bits & 0x800:
        return member.filename
    try:
        raw = member.filename.encode("cp437")
    except UnicodeEncodeError:
        return member.filename
    for codec in ("utf-8", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(codec)
    return member.filename
