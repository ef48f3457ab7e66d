"""Elevation out of GeoTIFFs: where it lies, what its cells hold, and what is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from gridplan.errors import Findings, InputError
from gridplan.network import Elevation, read_elevation

SCALE, TIES, MATRIX, KEYS, NODATA = 33550, 33922, 34264, 34735, 42113
DOUBLE, SHORT, TEXT = 12, 3, 2
HEIGHTS = np.array([[10, 20, 30], [40, 50, 60]], dtype=np.int32)


def geo_keys(model=1, raster=1, code=4549):
    kind = {1: 3072, 2: 2048}[model]
    return (1, 1, 0, 3, 1024, 0, 1, model, 1025, 0, 1, raster, kind, 0, 1, code)


IN_METRES = geo_keys()


def write_tiff(path, heights=HEIGHTS, *, keys=IN_METRES, compression="raw", nodata=None,
               place=((SCALE, DOUBLE, (5.0, 10.0, 0.0)),
                      (TIES, DOUBLE, (0.0, 0.0, 0.0, 1000.0, 2000.0, 0.0)))):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, kind, value in place:
        tags.tagtype[tag], tags[tag] = kind, value
    if keys:
        tags.tagtype[KEYS], tags[KEYS] = SHORT, keys
    if nodata is not None:
        tags.tagtype[NODATA], tags[NODATA] = TEXT, nodata
    Image.fromarray(np.asarray(heights)).save(path, tiffinfo=tags, compression=compression)
    return path


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.float32])
def test_cells_are_read_in_every_packing(tmp_path, kind, compression):
    ground = read_elevation(write_tiff(tmp_path / "h.tif", HEIGHTS.astype(kind),
                                       compression=compression))
    assert ground.heights.tolist() == HEIGHTS.tolist()
    assert (ground.origin, ground.step) == ((1000, 2000), (5, 10))
    assert ground.crs.to_epsg() == 4549
    assert ground.name == "h.tif"


def test_heights_below_the_sea_stay_negative(tmp_path):
    """Two bytes with a sign: written by hand, as Pillow only reads them."""
    body = struct.pack("<6h", -10, 20, 30, 40, -50, 60)
    entries = [(256, 3, 1, 3), (257, 3, 1, 2), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1),
               (273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, 2), (279, 4, 1, 12), (339, 3, 1, 2)]
    extra_at = 8 + len(body) + 2 + 12 * 13 + 4
    extra = struct.pack("<3d", 5, 10, 0) + struct.pack("<6d", 0, 0, 0, 1000, 2000, 0)
    entries += [(SCALE, DOUBLE, 3, extra_at), (TIES, DOUBLE, 6, extra_at + 24),
                (KEYS, SHORT, 16, extra_at + 72)]
    extra += struct.pack("<16H", *geo_keys())
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    path = tmp_path / "h.tif"
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(body)) + body
                     + struct.pack("<H", 13) + table + struct.pack("<I", 0) + extra)
    assert read_elevation(path).heights.tolist() == [[-10, 20, 30], [40, -50, 60]]


def test_cells_without_a_height(tmp_path):
    heights = np.where(HEIGHTS == 50, -9999, HEIGHTS).astype(np.float32)
    ground = read_elevation(write_tiff(tmp_path / "h.tif", heights, nodata="-9999"))
    assert np.isnan(ground.heights).tolist() == [[False] * 3, [False, True, False]]
    assert ground.sample(np.array([1002.5, 1005.0]), np.array([1995.0, 1990.0])).tolist() == [
        10, pytest.approx(np.nan, nan_ok=True)]
    findings = Findings()
    read_elevation(write_tiff(tmp_path / "e.tif", np.full((2, 2), 7, np.uint8), nodata="7"),
                   findings)
    assert [f.key for f in findings.items] == ["network.elevation_empty"]


def test_tags_may_speak_of_the_middle_of_cells(tmp_path):
    ground = read_elevation(write_tiff(tmp_path / "h.tif", keys=geo_keys(raster=2)))
    assert ground.origin == (997.5, 2005)


def test_a_matrix_says_the_same(tmp_path):
    matrix = (5.0, 0, 0, 1000.0, 0, -10.0, 0, 2000.0, 0, 0, 0, 0, 0, 0, 0, 1.0)
    ground = read_elevation(write_tiff(tmp_path / "h.tif", place=[(MATRIX, DOUBLE, matrix)]))
    assert (ground.origin, ground.step) == ((1000, 2000), (5, 10))


def test_a_corner_may_be_tied_to_any_cell(tmp_path):
    ground = read_elevation(write_tiff(tmp_path / "h.tif", place=[
        (SCALE, DOUBLE, (5.0, 10.0, 0.0)), (TIES, DOUBLE, (2.0, 1.0, 0.0, 1010.0, 1990.0, 0.0))]))
    assert ground.origin == (1000, 2000)


def test_degrees_are_known_by_their_own_key(tmp_path):
    ground = read_elevation(write_tiff(tmp_path / "h.tif", keys=geo_keys(model=2, code=4490)))
    assert ground.crs.to_epsg() == 4490


TURNED = (5.0, 1.0, 0, 1000.0, 1.0, -10.0, 0, 2000.0, 0, 0, 0, 0, 0, 0, 0, 1.0)
UPSIDE_DOWN = (5.0, 0, 0, 1000.0, 0, 10.0, 0, 2000.0, 0, 0, 0, 0, 0, 0, 0, 1.0)


@pytest.mark.parametrize(("how", "key"), [
    ({"keys": None}, "elevation_crs"),
    ({"keys": geo_keys(code=32767)}, "elevation_crs"),
    ({"keys": geo_keys(code=9)}, "elevation_crs"),
    ({"place": ()}, "elevation_place"),
    ({"place": [(MATRIX, DOUBLE, TURNED)]}, "elevation_turned"),
    ({"place": [(MATRIX, DOUBLE, UPSIDE_DOWN)]}, "elevation_turned"),
    ({"heights": np.zeros((2, 2, 3), np.uint8)}, "elevation_bands"),
])
def test_what_cannot_be_placed_is_refused(tmp_path, how, key):
    with pytest.raises(InputError) as error:
        read_elevation(write_tiff(tmp_path / "h.tif", **how))
    [line] = error.value.lines()
    assert line.startswith(f"network.{key} | h.tif | ")
    assert line.count(" | ") == 3  # with its mend


def test_what_is_no_file_of_heights_is_refused(tmp_path):
    whole = write_tiff(tmp_path / "h.tif").read_bytes()
    for body in (b"", b"hello", whole[:60], b"II*\0", whole[:4]):
        path = tmp_path / "bad.tif"
        path.write_bytes(body)
        with pytest.raises(InputError, match=r"network\.elevation_(format|place|crs) \| bad\.tif"):
            read_elevation(path)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "picture.png")
    with pytest.raises(InputError, match=r"network\.elevation_format \| picture\.png"):
        read_elevation(tmp_path / "picture.png")


@pytest.mark.parametrize(("path", "key"), [
    ("/vsicurl/https://example.org/h.tif", "remote"), ("https://example.org/h.tif?key=1", "remote"),
    ("nowhere.tif", "missing"), (".", "missing")])
def test_addresses_and_missing_files_are_refused(path, key):
    with pytest.raises(InputError) as error:
        read_elevation(path)
    [line] = error.value.lines()
    assert line.startswith(f"network.elevation_{key} | ")
    assert "key=1" not in line


@given(st.integers(1, 5), st.integers(1, 5), st.floats(-2, 2), st.floats(-2, 2), st.data())
def test_a_plane_is_sampled_exactly_between_the_outer_middles(rows, columns, a, b, data):
    row, column = np.indices((rows, columns))
    ground = Elevation(a * (column + 0.5) - b * (row + 0.5), (0.0, 0.0), (1.0, 1.0), 4549)
    x = data.draw(st.floats(0.5, columns - 0.5))
    y = data.draw(st.floats(0.5 - rows, -0.5))
    assert ground.sample(np.array([x]), np.array([y])) == pytest.approx([a * x + b * y], abs=1e-6)


def test_the_outer_half_cell_has_the_height_of_its_cell_and_nothing_lies_beyond():
    ground = Elevation(HEIGHTS.astype(float), (0.0, 20.0), (10.0, 10.0), 4549)
    at = ground.sample(np.array([0.0, 30.0, 0.0, -0.1, 15.0, 15.0]),
                       np.array([20.0, 20.0, 0.0, 10.0, 20.1, np.nan]))
    assert at[:3].tolist() == [10, 30, 40]
    assert np.isnan(at[3:]).all()
