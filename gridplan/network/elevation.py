"""Heights of the ground on a raster, and what a GeoTIFF says of them."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridplan.errors import Finding, Findings, InputError, MachineError

Floats = NDArray[np.float64]
_MOST_CELLS = 400_000_000
_REMOTE = re.compile(r"^([/\\]+vsi|[A-Za-z][A-Za-z0-9+._-]+:)")
# Tags of TIFF, GeoTIFF and GDAL, and keys of GeoTIFF 1.1 (OGC 19-008r4).
_SCALE, _TIES, _MATRIX, _KEYS, _NODATA = 33550, 33922, 34264, 34735, 42113
_MODEL, _RASTER, _GEOGRAPHIC, _PROJECTED = 1024, 1025, 2048, 3072
_POINT, _USER_DEFINED = 2, 32767


@dataclass(frozen=True)
class Elevation:
    """Heights in metres on a raster whose rows run from north to south.

    Attributes
    ----------
    heights
        (rows, columns) metres; NaN where there is none.
    origin
        Outer corner of the north-western cell, in units of ``crs``.
    step
        Width and height of a cell, both positive.
    crs
        Anything that pyproj takes for a CRS.
    name
        The file, for messages.
    """

    heights: NDArray[np.float32] | Floats
    origin: tuple[float, float]
    step: tuple[float, float]
    crs: Any
    name: str = ""

    def sample(self, x: Floats, y: Floats) -> Floats:
        """Return heights at places of the raster's own CRS, bilinear between cell centres.

        In the outer half of the outermost cells their own height counts. Outside, and where one
        of the cells between which a place lies has no height, it is NaN.

        >>> ground = Elevation(np.array([[0.0, 10.0]]), (0.0, 1.0), (1.0, 1.0), 4549)
        >>> ground.sample(np.array([0.5, 1.0, 1.9, 2.1]), np.full(4, 0.5)).tolist()
        [0.0, 5.0, 10.0, nan]
        """
        rows, columns = self.heights.shape
        column = (np.asarray(x) - self.origin[0]) / self.step[0]
        row = (self.origin[1] - np.asarray(y)) / self.step[1]
        with np.errstate(invalid="ignore"):
            inside = (column >= 0) & (column <= columns) & (row >= 0) & (row <= rows)
        column = np.clip(np.where(inside, column, 0.5) - 0.5, 0, columns - 1)
        row = np.clip(np.where(inside, row, 0.5) - 0.5, 0, rows - 1)
        left, top = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
        right, below = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
        a, b = column - left, row - top
        out = np.zeros(len(column))
        for r, c, weight in ((top, left, (1 - a) * (1 - b)), (top, right, a * (1 - b)),
                             (below, left, (1 - a) * b), (below, right, a * b)):
            # A cell of no weight may lack its height.
            out += np.where(weight > 0, self.heights[r, c].astype(np.float64) * weight, 0.0)
        return np.where(inside, out, np.nan)


def sample_nodes(elevation: Elevation, xy: Floats, crs: Any, findings: Findings) -> Floats:
    """Return the heights of places given in ``crs``, (n, 2) metres.

    Raises
    ------
    InputError
        ``network.elevation_cover``: some place has no height.
    """
    import pyproj

    x, y = pyproj.Transformer.from_crs(crs, elevation.crs, always_xy=True).transform(*xy.T)
    found = elevation.sample(x, y)
    lacking = np.isnan(found)
    if lacking.any():
        first = xy[np.flatnonzero(lacking)[0]]
        share = math.floor((1 - lacking.mean()) * 1000) / 10
        findings.add("network.elevation_cover", file=elevation.name, count=int(lacking.sum()),
                     share=f"{share:g}", place=f"{first[0]:.0f} {first[1]:.0f}")
        findings.stop_on_faults()
    return found


def read_elevation(path: str | Path, findings: Findings | None = None) -> Elevation:
    """Read the first band of a GeoTIFF, whole.

    Parameters
    ----------
    path
        A file; addresses and GDAL's virtual paths are refused.

    Raises
    ------
    InputError
        It is no GeoTIFF, is turned or larger than 400 million cells, or does not name its CRS by
        an EPSG number.
    MachineError
        The file cannot be read.
    """
    name = Path(path).name
    if _REMOTE.match(str(path)) and not Path(path).exists():
        raise _refuse("remote", str(path).partition("?")[0])
    if not Path(path).is_file():
        raise _refuse("missing", name)
    try:
        heights, tags = _read_tiff(Path(path), name)
    except OSError as error:
        if error.errno is not None:
            raise MachineError(Finding("network.elevation_unreadable", file=name,
                                       values={"error": str(error.strerror)})) from error
        raise _refuse("format", name) from error
    except (ValueError, SyntaxError, TypeError, KeyError, EOFError) as error:
        raise _refuse("format", name) from error
    origin, step = _read_place(tags, name)
    found = Elevation(heights, origin, step, _read_crs(tags, name), name)
    if findings is not None and np.isnan(heights).all():
        findings.add("network.elevation_empty", file=name)
    return found


def _refuse(what: str, name: str, **values: object) -> InputError:
    return InputError(Finding(f"network.elevation_{what}", file=name, values=values))


def _read_tiff(path: Path, name: str) -> tuple[NDArray[np.float32], dict[int, Any]]:
    """Return the heights of a TIFF and its tags; Pillow unpacks it and knows nothing of maps."""
    from PIL import TiffImagePlugin

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with path.open("rb") as stream:
            image = TiffImagePlugin.TiffImageFile(stream)
            if image.width * image.height > _MOST_CELLS:
                raise _refuse("size", name, width=image.width, height=image.height)
            if len(image.getbands()) != 1 or image.mode in ("P", "1"):
                raise _refuse("bands", name)
            tags = dict(image.tag_v2)
            heights = np.asarray(image).astype(np.float32)
    try:
        blank = float(str(tags[_NODATA]).strip("\0 "))
    except (KeyError, ValueError):
        return heights, tags
    heights[heights == np.float32(blank)] = np.nan
    return heights, tags


def _read_place(tags: dict[int, Any], name: str
                ) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the outer corner and the size of the cells."""
    if _SCALE in tags and len(tags.get(_TIES, ())) >= 6:
        column, row, _, x, y, _ = tags[_TIES][:6]
        width, height = tags[_SCALE][:2]
        left, top = x - column * width, y + row * height
    elif len(tags.get(_MATRIX, ())) == 16:
        width, turn, _, left, back, down, _, top = tags[_MATRIX][:8]
        if turn or back:
            raise _refuse("turned", name)
        height = -down
    else:
        raise _refuse("place", name)
    if not (width > 0 and height > 0):
        raise _refuse("turned", name)
    if _geo_keys(tags).get(_RASTER) == _POINT:
        left, top = left - width / 2, top + height / 2
    return (float(left), float(top)), (float(width), float(height))


def _geo_keys(tags: dict[int, Any]) -> dict[int, int]:
    """Return the keys of a GeoTIFF that are numbers, held in the directory itself."""
    words = tags.get(_KEYS, ())
    return {int(words[k]): int(words[k + 3]) for k in range(4, len(words) - 3, 4)
            if words[k + 1] == 0}


def _read_crs(tags: dict[int, Any], name: str) -> Any:
    import pyproj

    keys = _geo_keys(tags)
    code = keys.get(_GEOGRAPHIC if keys.get(_MODEL) == 2 else _PROJECTED, _USER_DEFINED)
    if code == _USER_DEFINED or not code:
        raise _refuse("crs", name)
    try:
        return pyproj.CRS.from_epsg(code)
    except pyproj.exceptions.CRSError as error:
        raise _refuse("crs", name) from error
