"""Bad files: each test bears the id of its row in the list of bad inputs."""

import json
import os
import shutil
import sqlite3
import struct
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from bad_inputs import (  # noqa: F401
    CRS,
    HOMES,
    ROAD,
    cut,
    drop_triggers,
    every_finding_can_be_told,
    homes,
    keys,
    read,
    refused,
)

from gridplan.errors import Findings, InputError, UsageError
from gridplan.params import Params
from gridplan.read import clean_study, inspect_file, read_layers

FORMATS = {"gpkg": {}, "shp": {}, "geojson": {}, "fgb": {}, "geojsonl": {"driver": "GeoJSONSeq"}}


@pytest.fixture(params=[*FORMATS, "parquet", "shp.zip", "csv", "xlsx"])
def any_format(request, tmp_path):
    """The same five buildings in each format; codes with leading zeros."""
    frame = homes(code=["001002003", "NA", "null", "001", "5"], 户数=[1, 2, 3, 4, 5])
    frame = frame.rename(columns={"code": "编码"})
    path = tmp_path / f"homes.{request.param}"
    if request.param == "parquet":
        frame.to_parquet(path)
    elif request.param == "shp.zip":
        frame.to_file(tmp_path / "homes.shp", encoding="UTF-8")
        with zipfile.ZipFile(path, "w") as archive:
            for part in sorted(tmp_path.glob("homes.*")):
                if part != path:
                    archive.write(part, f"数据/{part.name}")
    elif request.param in ("csv", "xlsx"):
        table = pd.DataFrame(frame.drop(columns="geometry")).assign(
            wkt=frame.geometry.to_wkt())
        getattr(table, "to_csv" if request.param == "csv" else "to_excel")(path, index=False)
    else:
        if request.param.startswith("geojson"):
            frame = frame.to_crs(4326)
        frame.to_file(path, **FORMATS[request.param])
    return path


def test_every_format_reads_the_same(any_format):
    frame, findings = read(any_format, crs=CRS)
    frame = frame.sort_values("households")  # FlatGeobuf sorts its rows by place
    assert frame["building_id"].tolist() == ["001002003", "NA", "null", "001", "5"]
    assert frame["households"].tolist() == [1, 2, 3, 4, 5]
    assert frame["households_source"].tolist() == ["given"] * 5
    assert not findings.of("error", "ask", "warning")
    back = frame.to_crs(CRS).geometry.array
    assert shapely.hausdorff_distance(np.asarray(back), np.array(HOMES[:5])).max() < 0.02


def test_reading_writes_nothing_beside_the_input(any_format):
    before = {p: p.read_bytes() for p in any_format.parent.rglob("*") if p.is_file()}
    read(any_format, crs=CRS)
    inspect_file(any_format)
    assert {p: p.read_bytes() for p in any_format.parent.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.99])
def test_b41_cut_geopackage(tmp_path, share):
    path = tmp_path / "homes.gpkg"
    homes().to_file(path)
    cut(path, share)
    assert {"read.damaged", "read.empty_file"} & set(refused(path))


def test_b42_every_zeroed_page_of_a_geopackage_is_found(tmp_path):
    whole = tmp_path / "whole.gpkg"
    homes().to_file(whole)
    body = whole.read_bytes()
    for page in range(1, len(body) // 4096, 3):
        path = tmp_path / "homes.gpkg"
        path.write_bytes(body[:page * 4096] + bytes(4096) + body[(page + 1) * 4096:])
        assert {"read.damaged", "read.unknown_format"} & set(refused(path))


@pytest.mark.parametrize(("suffix", "share"), [(".shp", 0.5), (".shp", 0.99), (".dbf", 0.5)],
                         ids=["b43_shp_half", "b43_shp_end", "b44_dbf_half"])
def test_b43_b44_cut_shapefile(tmp_path, suffix, share):
    path = tmp_path / "homes.shp"
    homes().to_file(path)
    cut(path.with_suffix(suffix), share)
    assert "read.damaged" in refused(path)


def test_b44_missing_table_and_b45_missing_index(tmp_path):
    path = tmp_path / "homes.shp"
    homes().to_file(path)
    path.with_suffix(".shx").unlink()
    frame, findings = read(path)
    assert keys(findings) == ["read.shx_rebuilt"]
    assert len(frame) == len(HOMES)
    assert not path.with_suffix(".shx").exists()
    path.with_suffix(".dbf").unlink()
    assert "read.no_dbf" in refused(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
@pytest.mark.parametrize("suffix", ["geojson", "geojsonl", "fgb", "parquet", "shp.zip"],
                         ids=["b46_geojson", "b47_geojsonseq", "fgb", "b48_parquet", "b50_zip"])
def test_b46_b47_b48_b50_cut_files(tmp_path, suffix, share):
    path = tmp_path / f"homes.{suffix}"
    if suffix == "parquet":
        homes().to_parquet(path)
    elif suffix == "shp.zip":
        homes().to_file(tmp_path / "homes.shp")
        with zipfile.ZipFile(path, "w") as archive:
            for part in tmp_path.glob("homes.[sd]*"):
                if part != path:
                    archive.write(part, part.name)
    else:
        homes().to_crs(4326).to_file(path, **FORMATS.get(suffix, {}))
    cut(path, share)
    assert {"read.damaged", "read.damaged_row", "read.records_lost"} & set(refused(path))


def test_what_the_first_reader_cannot_read_the_second_names(tmp_path):
    pytest.importorskip("fiona")
    path = tmp_path / "homes.fgb"
    homes().to_file(path)
    cut(path, 0.6)
    assert 50 < int(refused(path)["read.damaged_row"].row) < 150


def test_text_of_a_geopackage_that_is_no_utf8_is_named_by_row_and_field(tmp_path):
    path = tmp_path / "homes.gpkg"
    homes(名称=["阳光", "幸福", "abc"]).to_file(path, layer="homes")
    with sqlite3.connect(path) as link:
        drop_triggers(link)
        link.execute("UPDATE homes SET 名称 = CAST(? AS TEXT) WHERE fid = 2",
                     ("幸福".encode("gbk"),))
    link.close()
    fault = refused(path)["read.damaged_row"]
    assert (fault.row, fault.field) == ("2", "名称")


@pytest.mark.parametrize("encoding", ["gbk", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("suffix", ["geojson", "geojsonl"])
def test_geojson_in_another_encoding_is_read(tmp_path, suffix, encoding):
    path = tmp_path / f"homes.{suffix}"
    homes(名称=["阳光", "幸福"]).to_crs(4326).to_file(path, **FORMATS[suffix])
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    frame, findings = read(path)
    assert frame["name"].tolist() == ["阳光", "幸福"]
    assert keys(findings) == ([] if encoding == "utf-8-sig" else ["read.encoding_guessed"])


def test_b47_the_broken_record_is_named(tmp_path):
    path = tmp_path / "homes.geojsonl"
    homes().to_crs(4326).to_file(path, driver="GeoJSONSeq")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:7], lines[7][:40], *lines[8:]]))
    assert refused(path)["read.damaged_row"].row == "8"


def test_b49_openstreetmap_files_are_sent_to_their_reader(tmp_path):
    for name, body in (("a.osm", b"<?xml version='1.0'?><osm version='0.6'/>"),
                       ("a.pbf", b"\0\0\0\x0d\x0a\x09OSMHeader\x18")):
        path = tmp_path / name
        path.write_bytes(body)
        assert "--osm" in refused(path)["read.is_osm"].mend()


def test_b50_zip_is_looked_into_whatever_the_code_of_its_names(tmp_path):
    homes(户数=[7]).to_file(tmp_path / "homes.shp", encoding="UTF-8")
    path = tmp_path / "out.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for part in tmp_path.glob("homes.*"):
            name = f"数据/楼栋{part.suffix}".encode("gbk").decode("cp437")
            info = zipfile.ZipInfo(name)
            archive.writestr(info, part.read_bytes())
            archive.filelist[-1].flag_bits &= ~0x800
    frame, _ = read(path)
    assert frame["households"].tolist() == [7]


def test_b51_one_of_several_layers_must_be_named(tmp_path):
    path = tmp_path / "town.gpkg"
    homes().to_file(path, layer="new")
    homes(building_id=["x"]).to_file(path, layer="old")
    with pytest.raises(InputError) as caught:
        read(path)
    (fault,) = caught.value.findings
    assert (fault.key, fault.outcome, fault.values["layers"]) == ("read.which_layer", "ask",
                                                                  "new, old")
    assert len(read(path, layer="old")[0]) == 1
    assert len(read(path, layer={"buildings": "new"})[0]) == len(HOMES)
    assert "read.no_such_layer" in refused(path, layer="newest")
    homes(building_id=["y", "z"]).to_file(path, layer="buildings")
    assert len(read(path)[0]) == 2  # named like what it is wanted for


def test_b51_one_of_several_shapefiles_of_a_zip_must_be_named(tmp_path):
    path = tmp_path / "town.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("new", "old"):
            homes(id=[name]).to_file(tmp_path / f"{name}.shp")
            for part in tmp_path.glob(f"{name}.*"):
                archive.write(part, part.name)
    assert refused(path)["read.which_layer"].outcome == "ask"
    assert read(path, layer="old")[0]["building_id"].tolist() == ["old"]


def test_b52_wrong_extension_is_told_and_read(tmp_path):
    homes().to_file(tmp_path / "homes.gpkg")
    path = tmp_path / "homes.geojson"
    (tmp_path / "homes.gpkg").rename(path)
    frame, findings = read(path)
    assert keys(findings) == ["read.extension"]
    assert len(frame) == len(HOMES)


def test_b53_web_page_saved_as_data(tmp_path):
    path = tmp_path / "homes.geojson"
    path.write_text("\n <!DOCTYPE html><html><body>404</body></html>")
    assert "web page" in refused(path)["read.web_page"].what()


VRT = """<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{}</SrcDataSource>
</OGRVRTLayer></OGRVRTDataSource>"""


@pytest.mark.parametrize("name", ["boundary.geojson", "boundary.gpkg", "boundary.vrt"])
def test_b54_virtual_layers_are_refused_by_content(tmp_path, name):
    homes().to_file(tmp_path / "secret.gpkg")
    path = tmp_path / name
    path.write_text(VRT.format(tmp_path / "secret.gpkg"))
    assert "--allow-remote" in refused(path)["read.virtual"].mend()
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(path, "boundary.geojson")
    assert "read.virtual" in refused(tmp_path / "z.zip")


def test_b54_pipeline_description_is_refused(tmp_path):
    path = tmp_path / "boundary.geojson"
    path.write_text('{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline"}')
    assert {"read.virtual", "read.unknown_format"} & set(refused(path))


@pytest.mark.parametrize("address", [
    "https://example.org/a.geojson", "/vsicurl/https://example.org/a.gpkg", "/vsizip/a.zip/b.shp",
    "PG:host=db", "WFS:https://example.org"])
def test_b54_addresses_are_refused(address):
    assert "read.remote" in refused(address)


def test_b54_trusted_virtual_layers_are_read_when_asked_for(tmp_path):
    homes().to_file(tmp_path / "secret.gpkg", layer="secret")
    path = tmp_path / "boundary.vrt"
    path.write_text(VRT.format(tmp_path / "secret.gpkg"))
    frame, _ = read(path, allow_remote=True)
    assert len(frame) == len(HOMES)


@pytest.mark.parametrize("name", ["../evil.geojson", "/etc/evil.geojson", "a/../../evil.geojson",
                                  "..\\evil.geojson", "C:/evil.geojson"])
def test_b55_zip_that_leads_out(tmp_path, name):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "{}")
    assert "read.zip_slip" in refused(path)


def test_b56_zip_bomb(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"lon,lat\n" + b"117,32\n" * 4_000_000)
    assert "read.zip_bomb" in refused(path)


@pytest.mark.parametrize("cpg", [None, "UTF-8", "ISO-8859-1", "GBK"],
                         ids=["without_cpg", "wrong_cpg", "latin_cpg", "right_cpg"])
def test_b57_gbk_shapefile(tmp_path, cpg):
    path = tmp_path / "homes.shp"
    homes(名称=["阳光花园", "幸福里"]).to_file(path, encoding="GB18030")
    path.with_suffix(".cpg").unlink()
    if cpg:
        path.with_suffix(".cpg").write_text(cpg)
    frame, findings = read(path)
    assert frame["name"].tolist() == ["阳光花园", "幸福里"]
    assert keys(findings) == ([] if cpg == "GBK" else ["read.encoding_guessed"])


def test_b57_utf8_shapefile_needs_no_word(tmp_path):
    path = tmp_path / "homes.shp"
    homes(名称=["阳光花园", None]).to_file(path, encoding="UTF-8")
    for cpg in (True, False):
        frame, _ = read(path)
        assert frame["name"].tolist() == ["阳光花园", pd.NA]
        if cpg:
            path.with_suffix(".cpg").unlink()


def refuse_to_open(locked, opens):
    def open_other(path, *args, **options):
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return opens(path, *args, **options)
    return open_other


@pytest.mark.parametrize("case", ["absent", "folder", "empty", "locked"])
def test_b59_paths_that_hold_no_file(tmp_path, case, monkeypatch):
    path = tmp_path / "homes.gpkg"
    if case == "folder":
        path.mkdir()
    elif case == "empty":
        path.touch()
    elif case == "locked":
        homes().to_file(path)
        path.chmod(0)
        if os.access(path, os.R_OK):  # the superuser may: refuse in the system's place
            monkeypatch.setattr(Path, "open", refuse_to_open(path, Path.open))
    expected = {"absent": "read.missing_file", "folder": "read.is_folder",
                "empty": "read.empty_file", "locked": "read.unreadable"}
    assert expected[case] in refused(path)


def test_b59_read_only_files_in_a_read_only_folder_are_read(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "homes.gpkg"
    homes().to_file(path)
    with sqlite3.connect(path) as link:
        link.execute("PRAGMA journal_mode=WAL")
    link.close()
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        assert len(read(path)[0]) == len(HOMES)
    finally:
        folder.chmod(0o755)


def test_b31_missing_prj_and_how_to_mend_it(tmp_path):
    path = tmp_path / "homes.shp"
    homes().to_file(path)
    path.with_suffix(".prj").unlink()
    fault = refused(path)["read.no_crs"]  # 500 000 m east: any zone could be meant
    assert fault.mend().endswith("--crs EPSG:CODE")
    assert "…" not in fault.mend("zh")
    assert read(path, crs=CRS)[0].crs == CRS
    assert read(path, crs={"buildings": CRS})[0].crs == CRS


@pytest.mark.parametrize(("option", "key"), [
    ({"crs": "EPSG:99"}, "read.bad_crs"), ({"crs": {"buildings": "x"}}, "read.bad_crs"),
    ({"datum": "gcj"}, "read.bad_datum"), ({"datum": {"buildings": "gcj"}}, "read.bad_datum")])
def test_word_that_names_no_crs_or_datum_is_misuse_and_no_fault_of_the_file(tmp_path, option, key):
    path = tmp_path / "homes.gpkg"
    homes().to_file(path)
    with pytest.raises(UsageError) as caught:
        read(path, **option)
    assert [(f.key, f.file) for f in caught.value.findings] == [(key, "")]


@pytest.mark.parametrize(("crs", "guess"), [(4326, "EPSG:4326"), (4527, "EPSG:4527")])
def test_b31_missing_prj_is_guessed_from_the_size_of_the_numbers(tmp_path, crs, guess):
    path = tmp_path / "homes.shp"
    homes().to_crs(crs).to_file(path)
    path.with_suffix(".prj").unlink()
    for lang in ("en", "zh"):
        assert f"--crs {guess}" in refused(path)["read.no_crs_guessed"].mend(lang)


def test_geometry_that_gdal_cannot_read_is_named_by_its_row(tmp_path):
    path = tmp_path / "homes.gpkg"
    homes().to_file(path)
    with sqlite3.connect(path) as link:
        (name,) = link.execute("SELECT table_name FROM gpkg_contents").fetchone()
        drop_triggers(link)
        link.execute(f'UPDATE "{name}" SET geom = X\'0102\' WHERE fid = 5')
    link.close()
    frame, findings = read(path)
    with pytest.raises(InputError) as caught:
        clean_study({"buildings": frame, "roads": ROAD}, [], Params(), findings, delineate=True)
    assert {(f.key, f.row) for f in caught.value.findings} == {("read.no_shape", "b4")}


def test_b16_curves_are_straightened(tmp_path):
    path = tmp_path / "homes.gpkg"
    homes().to_file(path, layer="homes")
    ring = [(0, 0), (10, 10), (20, 0), (10, -10), (0, 0)]  # a circle of 10 m
    arcs = struct.pack("<BII", 1, 8, len(ring)) + b"".join(
        struct.pack("<dd", 500_000 + x, 3_580_000 + y) for x, y in ring)
    surface = struct.pack("<BIIBII", 1, 12, 1, 1, 10, 1) + arcs
    with sqlite3.connect(path) as link:
        drop_triggers(link)
        (blob,) = link.execute("SELECT geom FROM homes WHERE fid = 2").fetchone()
        link.execute("UPDATE homes SET geom = ? WHERE fid = 2",
                     (b"GP\0\1" + blob[4:8] + surface,))
    link.close()
    frame, findings = read(path)
    assert [(f.key, f.outcome, f.row) for f in findings.items] == [
        ("read.straightened", "repaired", "2")]
    assert frame.geometry.iloc[1].area == pytest.approx(np.pi * 100, rel=2e-3)


def test_b31_geojson_in_metres_without_a_word(tmp_path):
    path = tmp_path / "homes.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": json.loads(
        homes().set_crs(None, allow_override=True).to_json())["features"]}))
    assert "read.no_crs" in refused(path)
    assert read(path, crs=CRS)[0].crs == CRS


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb"])
def test_paths_that_look_like_archives_are_read(tmp_path, suffix):
    folder = tmp_path / "!资料 (1)#"
    folder.mkdir()
    path = folder / f"a!b.{suffix}"
    frame = homes() if suffix != "geojson" else homes().to_crs(4326)
    frame.to_file(tmp_path / f"homes.{suffix}")
    for part in tmp_path.glob("homes.*"):
        part.rename(folder / part.name.replace("homes", "a!b"))
    assert len(read(path)[0]) == len(HOMES)
    assert inspect_file(path).layers[0].rows == len(HOMES)
    if suffix != "shp":
        renamed = folder / "data.zip"
        path.rename(renamed)
        frame, findings = read(renamed)
        assert keys(findings) == ["read.extension"]
        assert len(frame) == len(HOMES)


def test_every_fault_of_every_file_is_told_at_once(tmp_path):
    (tmp_path / "b.geojson").write_text("<html></html>")
    (tmp_path / "r.gpkg").write_bytes(b"SQLite format 3\0" + struct.pack(">H", 4096) + bytes(200))
    (tmp_path / "c.csv").write_text("lon,lat,户数\n117.1,x,abc\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_layers({"buildings": tmp_path / "b.geojson", "roads": tmp_path / "r.gpkg",
                     "facilities": tmp_path / "c.csv", "walls": tmp_path / "none.shp"},
                    findings=Findings())
    assert {f.file for f in caught.value.findings} == {"b.geojson", "r.gpkg", "c.csv", "none.shp"}


def test_messages_name_no_folder(tmp_path):
    path = tmp_path / "secret folder" / "homes.gpkg"
    path.parent.mkdir()
    shutil.copy(__file__, path)
    for fault in refused(path).values():
        assert "secret folder" not in fault.line()


def test_inspect_tells_problems_and_raises_nothing(tmp_path):
    path = tmp_path / "建筑.geojson"
    homes(户数=[5], 电话=["1"]).to_crs(4326).to_file(path)
    report = inspect_file(path)
    (layer,) = report.layers
    assert (report.format, layer.role, layer.rows, layer.crs) == ("geojson", "buildings", 1,
                                                                  "EPSG:4326")
    assert layer.columns == {"户数": "households"}
    assert layer.datum == "wgs84?"
    assert [f.key for f in report.problems] == ["read.private"]
    missing = inspect_file(tmp_path / "none.gpkg")
    assert [f.key for f in missing.problems] == ["read.missing_file"]
    assert json.dumps(missing.file) == '"none.gpkg"'
