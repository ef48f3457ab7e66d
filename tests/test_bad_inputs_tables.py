"""Bad tables: each test bears the id of its row in the list of bad inputs."""

import zipfile

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from bad_inputs import CRS, ROAD, csv, every_finding_can_be_told, homes, keys, read, refused  # noqa: F401

from gridplan.errors import Findings, InputError
from gridplan.params import Params
from gridplan.read import clean_study, read_totals


def test_b30_missing_coordinate_names_line_and_column(tmp_path):
    path = csv(tmp_path, "编号,经度,纬度\na,117.1,32.1\nb,,32.1\nc,117.1,x\n")
    with pytest.raises(InputError) as caught:
        read(path)
    told = {(f.row, f.field) for f in caught.value.findings}
    assert told == {("3", "经度"), ("4", "纬度")}


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_b60_b61_b62_codes_and_names_stay_text(tmp_path, suffix):
    table = pd.DataFrame({"building_id": ["001002003", "123456789012341234", "NA"],
                          "community_id": ["110101001001", "", "000000000001"],
                          "name": ["NA", "null", ""], "lon": "117.1", "lat": "32.1"})
    path = tmp_path / f"homes.{suffix}"
    getattr(table, "to_csv" if suffix == "csv" else "to_excel")(path, index=False)
    frame, _ = read(path)
    assert frame["building_id"].tolist() == table["building_id"].tolist()
    assert frame["name"].fillna("").tolist() == table["name"].tolist()
    assert frame["community_id"].tolist() == ["110101001001", pd.NA, "000000000001"]


def test_b61_eighteen_digits_and_a_blank_stay_exact(tmp_path):
    codes = pd.array([123456789012341234, None], dtype="Int64")
    for name in ("homes.gpkg", "homes.parquet", "homes.geojson"):
        frame = homes(building_id=codes)
        path = tmp_path / name
        if name.endswith("parquet"):
            frame.to_parquet(path)
        else:
            frame.to_crs(4326).to_file(path)
        assert read(path)[0]["building_id"].tolist() == ["123456789012341234", pd.NA]


def test_b61_codes_stored_as_fractions_lose_their_point(tmp_path):
    path = tmp_path / "homes.gpkg"
    homes(building_id=[110101001001.0, None]).to_file(path)
    assert read(path)[0]["building_id"].tolist() == ["110101001001", pd.NA]


def test_b61_digits_already_lost_stop_the_run(tmp_path):
    path = tmp_path / "homes.gpkg"
    homes(building_id=[1.2345678901234123e17, 1.0]).to_file(path)
    assert refused(path)["read.digits_lost"].field == "building_id"
    path = tmp_path / "homes.xlsx"
    pd.DataFrame({"building_id": [1.2345678901234123e17], "lon": [117.1], "lat": [32.1]}).to_excel(
        path, index=False)
    assert "read.digits_lost" in refused(path)


def test_b63_b64_counts_that_are_none_are_named_by_line(tmp_path):
    path = csv(tmp_path, "lon,lat,户数\n" + "".join(
        f"117.1,32.1,{v}\n" for v in ("12", "abc", "-3", "53.7", "１２", "", '"1,200"', "7户")))
    with pytest.raises(InputError) as caught:
        read(path)
    told = {f.key: f for f in caught.value.findings}
    assert {k: f.row for k, f in told.items()} == {
        "read.not_a_number": "3", "read.negative": "4", "read.not_whole": "5"}
    assert {f.field for f in told.values()} == {"户数"}


def test_b64_full_width_digits_are_read(tmp_path):
    path = csv(tmp_path, 'lon,lat,户数\n117.1,32.1,１２\n117.1,32.1,"1,200"\n117.1,32.1,7户\n'
                         "117.1,32.1,\n117.1,32.1,无\n")
    frame, findings = read(path)
    assert frame["households"].tolist() == [12, 1200, 7, pd.NA, pd.NA]
    assert keys(findings) == ["read.missing_word", "read.full_width"]


def test_b67_totals_that_differ_from_the_boundaries_are_told(tmp_path):
    frame = gpd.GeoDataFrame({"community_id": ["1", "2"], "name": ["东", "西"],
                              "households": [500, 600]}, crs=CRS, geometry=[
        shapely.box(499_900, 3_579_900, 503_000, 3_580_100),
        shapely.box(503_000, 3_579_900, 507_000, 3_580_100)])
    raw = {"communities": frame, "buildings": homes(), "roads": ROAD}
    path = tmp_path / "totals.csv"
    path.write_text("社区名称,户数\n东,500\n西,650\n", encoding="utf-8-sig")
    findings = Findings()
    totals = read_totals(path, findings)
    study = clean_study(raw, [], Params(), findings, totals=totals)
    (told,) = [f for f in findings.items if f.key == "read.totals_differ"]
    assert (told.outcome, told.values["table"]) == ("warning", "2: 600 ≠ 650")
    assert study.totals.to_dict() == {"1": 500, "2": 650}
    assert clean_study(raw, [], Params(), Findings()).totals.to_dict() == {"1": 500, "2": 600}
    with pytest.raises(InputError) as caught:
        clean_study(raw, [], Params(), Findings(), totals=totals.rename({"西": "南"}))
    assert caught.value.findings[0].key == "read.total_unknown"


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_totals_are_read_by_code_or_name(tmp_path, suffix):
    path = tmp_path / f"totals.{suffix}"
    table = pd.DataFrame({"社区编码": ["001", "002"], "户数": ["300", "４００"]})
    getattr(table, "to_csv" if suffix == "csv" else "to_excel")(path, index=False)
    totals = read_totals(path, Findings())
    assert totals.to_dict() == {"001": 300, "002": 400}
    assert totals.index.name == "community_id"


def test_rows_of_sums_are_no_communities(tmp_path):
    path = tmp_path / "totals.csv"
    path.write_text("社区编码,社区名称,户数\n1,东,300\n2,西,400\n,合计,700\n", encoding="gbk")
    findings = Findings()
    assert read_totals(path, findings).to_dict() == {"1": 300, "2": 400}
    assert keys(findings) == ["read.encoding_guessed", "read.sum_row"]


def test_totals_of_a_table_without_geometry(tmp_path):
    import pyogrio
    path = tmp_path / "totals.gpkg"
    pyogrio.write_dataframe(pd.DataFrame({"社区编码": ["01"], "户数": [300]}), path)
    assert read_totals(path, Findings()).to_dict() == {"01": 300}


def test_totals_with_faults_name_every_line(tmp_path):
    path = tmp_path / "totals.csv"
    path.write_text("社区编码,户数\n1,300\n1,400\n2,\n,5\n3,abc\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_totals(path, Findings())
    assert {f.key for f in caught.value.findings} >= {"read.not_a_number"}
    path.write_text("社区编码,户数\n1,300\n1,400\n2,\n,5\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_totals(path, Findings())
    assert {f.key: f.row for f in caught.value.findings} == {
        "read.duplicate_ids": "2, 3", "read.total_blank": "4, 5"}
    path.write_text("a,b\n1,300\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_totals(path, Findings())
    assert {f.key for f in caught.value.findings} == {"read.no_column"}


@pytest.mark.parametrize("encoding", ["gbk", "utf-16", "utf-8-sig"],
                         ids=["b68_gbk", "b68_utf16", "b69_bom"])
def test_b68_b69_encodings_of_csv(tmp_path, encoding):
    path = csv(tmp_path, "编号,经度,纬度,名称\na,117.1,32.1,阳光花园\n", encoding)
    frame, findings = read(path)
    assert frame["building_id"].tolist() == ["a"]
    assert frame["name"].tolist() == ["阳光花园"]
    assert keys(findings) == ([] if encoding == "utf-8-sig" else ["read.encoding_guessed"])


def test_b70_extra_cell_names_the_line(tmp_path):
    path = csv(tmp_path, "building_id,lon,lat\na,117.1,32.1\nb,117.1,32.1,7\n")
    assert refused(path)["read.row_width"].row == "3"


def test_b71_blank_rows_are_left_out_and_codes_stay(tmp_path):
    path = csv(tmp_path, "building_id,lon,lat\n007,117.1,32.1\n,,\n\n008,117.1,32.1\n")
    frame, findings = read(path)
    assert frame["building_id"].tolist() == ["007", "008"]
    assert keys(findings) == ["read.blank_rows"]
    assert frame.index.tolist() == [2, 5]


def test_b73_merged_cells_are_filled(tmp_path):
    import xlsxwriter
    path = tmp_path / "totals.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:C1", "各社区户数统计表")
        sheet.write_row("A2", ["街道", "社区编码", "户数"])
        sheet.merge_range("A3:A4", "中山街道")
        sheet.write_row("B3", ["001", 300])
        sheet.write_row("B4", ["002", 400])
    findings = Findings()
    assert read_totals(path, findings).to_dict() == {"001": 300, "002": 400}
    assert keys(findings) == ["read.merged_filled"]


def test_b73_formula_without_a_value_is_named(tmp_path):
    import xlsxwriter
    path = tmp_path / "totals.xlsx"
    for value in ("", 700):
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet("说明")
            sheet.write("A1", "x")
            sheet = book.add_worksheet("户数")
            sheet.write_row("A1", ["社区编码", "户数"])
            sheet.write_row("A2", ["001", 300])
            sheet.write("A3", "002")
            sheet.write_formula("B3", "=B2+400", None, value)
        if value:
            assert read_totals(path, Findings(), layer="户数").to_dict() == {"001": 300, "002": 700}
        else:
            body = path.read_bytes()
            with zipfile.ZipFile(path) as old:
                parts = {n: old.read(n) for n in old.namelist()}
            parts["xl/worksheets/sheet2.xml"] = parts["xl/worksheets/sheet2.xml"].replace(
                b' t="str"', b"")
            with zipfile.ZipFile(path, "w") as new:
                for name, part in parts.items():
                    new.writestr(name, part)
            assert body != path.read_bytes()
            with pytest.raises(InputError) as caught:
                read_totals(path, Findings(), layer="户数")
            assert {f.key: f.row for f in caught.value.findings}["read.formula_blank"] == "B3"


# privacy ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("column", ["姓名", "户主", "身份证号", "联系电话", "手机", "户号",
                                    "resident_name", "ID_Card", "phone", "Mobile Phone"])
def test_columns_of_residents_stop_the_run(tmp_path, column):
    path = csv(tmp_path, f"building_id,lon,lat,{column}\na,117.1,32.1,x\n")
    fault = refused(path)["read.private"]
    assert (fault.field, "--drop-columns" in fault.mend()) == (column, True)
    frame, findings = read(path, drop_columns=True)
    assert keys(findings) == ["read.private"]
    assert "x" not in frame.astype(str).to_numpy()


def test_private_columns_are_not_let_in_by_a_mapping(tmp_path):
    path = csv(tmp_path, "lon,lat,姓名\n117.1,32.1,x\n")
    frame, _ = read(path, columns={"name": "姓名"}, drop_columns=True)
    assert frame["name"].isna().all()


def test_layer_of_persons_is_refused(tmp_path):
    path = csv(tmp_path, "name,lon,lat,类别\n甲,117.1,32.1,重点人员\n乙,117.1,32.1,药店\n")
    assert refused(path, "facilities", columns={"name": "name"})["read.person"].row == "2"
