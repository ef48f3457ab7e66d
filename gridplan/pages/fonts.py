"""The typeface of pages: one that has Chinese, cut down to the characters that are used."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gridplan.errors import Finding, MachineError

# Looked for where the package that carries a typeface was left out; number = place in a .ttc.
_SYSTEM = (("NotoSansSC-Regular.otf", 0), ("NotoSansCJKsc-Regular.otf", 0),
           ("SourceHanSansSC-Regular.otf", 0), ("NotoSansCJK-Regular.ttc", 2),
           ("NotoSansSC-VF.ttf", 0), ("msyh.ttc", 0), ("msyh.ttf", 0), ("Deng.ttf", 0),
           ("simhei.ttf", 0), ("simsun.ttc", 0), ("PingFang.ttc", 0),
           ("Hiragino Sans GB.ttc", 0), ("STHeiti Medium.ttc", 0), ("wqy-microhei.ttc", 0))
_KNOWN = ("Noto Sans SC", "Microsoft YaHei", "SimHei", "SimSun", "PingFang SC")
# What pages write themselves; a missing character is drawn as the last of them.
_ALWAYS = "".join(map(chr, range(32, 127))) + "–—…·©□"
_SUBSTITUTE = "□"


@dataclass(frozen=True)
class Face:
    """A typeface file cut down to some characters, and those of them that it has."""

    path: Path
    known: frozenset[int]

    def shown(self, text: str) -> str:
        """Return text with a box for every character that the typeface lacks.

        >>> Face(Path("x.otf"), frozenset(map(ord, "ab□"))).shown("abc")
        'ab□'
        """
        return "".join(c if ord(c) in self.known else _SUBSTITUTE for c in text)

    def lacks(self, text: str) -> set[str]:
        """Return the characters of a text that the typeface has not."""
        return {c for c in text if ord(c) not in self.known}


def find_font() -> tuple[Path, int]:
    """Return the file of a typeface with Chinese, and its place in that file.

    The package ``pylopdf-fonts-zh-cn`` comes with gridplan and carries Noto Sans SC, so that
    nothing need be installed; where somebody left it out, the system's typefaces are tried.

    Raises
    ------
    MachineError
        There is none; the message says what to install.
    """
    try:
        from pylopdf_fonts_zh_cn import sans_path

        carried = Path(sans_path())
        if carried.is_file():
            return carried, 0
    except ImportError:
        pass
    for name, number in _SYSTEM:
        for folder in _folders():
            found = next(iter(sorted(folder.rglob(name))), None) if folder.is_dir() else None
            if found is not None:
                return found, number
    raise MachineError(Finding("pages.no_font", values={"names": ", ".join(_KNOWN)}))


@contextlib.contextmanager
def cut_font(texts: Iterable[str]) -> Iterator[Face]:
    """Lend the typeface with no more than the characters of ``texts``, as a file for a while.

    Raises
    ------
    MachineError
        No typeface is found, or its file cannot be read.
    """
    from fontTools import subset
    from fontTools.ttLib import TTFont, TTLibError

    path, number = find_font()
    options = subset.Options(layout_features=[], hinting=False, notdef_outline=True,
                             recalc_timestamp=False, legacy_kern=False)
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx"]
    wanted = {ord(c) for text in texts for c in text} | set(map(ord, _ALWAYS))
    try:
        # From memory, so that no file stays open where its content is no typeface.
        font = TTFont(io.BytesIO(path.read_bytes()), fontNumber=number, lazy=True,
                      recalcTimestamp=False)
        known = frozenset(wanted & set(font.getBestCmap()))
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=sorted(known))
        cutter.subset(font)
    except (OSError, TTLibError) as error:
        raise MachineError(Finding("pages.bad_font", file=path.name,
                                   values={"error": str(error)})) from error
    with tempfile.TemporaryDirectory(prefix="gridplan-") as folder:
        small = Path(folder, "page.otf")
        subset.save_font(font, str(small), options)
        font.close()
        yield Face(small, known)


def _folders() -> list[Path]:
    """Return where typefaces lie, those that need no administrator included."""
    home = Path.home()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", str(home / "AppData" / "Local"))
        return [Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts"),
                Path(local, "Microsoft", "Windows", "Fonts")]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"]
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"),
            home / ".local" / "share" / "fonts", home / ".fonts"]
