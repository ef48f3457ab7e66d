"""A ledger's households are matched surely, asked about, or told as unmatched; none is lost."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from gridplan.errors import Findings, InputError, MachineError
from gridplan.households import estimate_households
from gridplan.layers import conform_input
from gridplan.ledger import (
    LedgerMatch,
    fill_households,
    match_ledger,
    read_ledger,
    write_ledger_match,
)
from gridplan.ledger.spelling import fold_estate, read_label, read_labels
from gridplan.params import HouseholdParams
from gridplan.sheets import is_identity_number
from gridplan.town import build_town, write_town

HEADER = "小区名称,幢号,户数\n"


def buildings_of(*rows: tuple[str, str, str | None, float]) -> gpd.GeoDataFrame:
    """Return buildings of (id, estate, number, floors), each 10 m × 10 m."""
    return conform_input("buildings", gpd.GeoDataFrame(
        {"building_id": [r[0] for r in rows], "estate_id": [r[1] for r in rows],
         "number": [r[2] for r in rows], "floors": [r[3] for r in rows],
         "community_id": ["440300001001" if r[1] != "E3" else "440300001002" for r in rows],
         "use": "apartments"},
        geometry=[shapely.box(20 * i, 0, 20 * i + 10, 10) for i in range(len(rows))], crs=4549))


BUILDINGS = buildings_of(("a1", "E1", "1", 6), ("a2", "E1", "2", 6), ("a3", "E1", "3幢", 18),
                         ("b1", "E2", "A", 6), ("b2", "E2", "3-1", 6),
                         ("c1", "E3", "1", 6), ("d1", "E4", None, 6))
ESTATES = conform_input("estates", gpd.GeoDataFrame(
    {"estate_id": ["E1", "E2", "E3", "E4"],
     "name": ["云溪花园", "长安里", "长安里（北）", "松风苑"]},
    geometry=[shapely.MultiPolygon([shapely.box(0, i, 1, i + 1)]) for i in range(4)], crs=4549))


def ledger_of(*rows: tuple[str, str | None, int | None], **columns: list[str]) -> pd.DataFrame:
    """Return a ledger as if read: rows of (estate, number, households) from line 2 on."""
    frame = pd.DataFrame({"estate": [r[0] for r in rows], "number": [r[1] for r in rows]},
                         dtype="string", index=pd.RangeIndex(2, len(rows) + 2, name="row"))
    for name in ("community_id", "unit", "basis", "date", "candidates", "confirm"):
        frame[name] = pd.array(columns.get(name, [pd.NA] * len(rows)), dtype="string")
    frame["households"] = pd.array([r[2] for r in rows], dtype="Int64")
    return frame


def match(*rows: tuple[str, str | None, int | None], **columns: list[str]) -> LedgerMatch:
    return match_ledger(ledger_of(*rows, **columns), BUILDINGS, ESTATES, Findings())


def write_csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "ledger.csv"
    path.write_bytes(text.encode(encoding))
    return path


def faults_of(path: Path, **options: bool) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_ledger(path, Findings(), **options)  # type: ignore[arg-type]
    return [f.key for f in caught.value.findings]


# Spelling

@pytest.mark.parametrize("text", ["3", "3幢", "3栋", "3号楼", "3号", "3#", "3座", "３幢", "03 幢",
                                  "三幢", "第三幢", "Ⅲ幢", "III", "3楼", "3＃"])
def test_one_building_in_many_writings(text: str) -> None:
    assert read_label(text) == "3"
    assert read_labels(text) == ("3",)


@pytest.mark.parametrize(("text", "labels"), [
    ("1-4幢", "1 2 3 4"), ("1幢-4幢", "1 2 3 4"), ("1～3号楼", "1 2 3"), ("1—3", "1 2 3"),
    ("一至三幢", "1 2 3"), ("1、3，5幢", "1 3 5"), ("1幢/2幢", "1 2"), ("A1-A3栋", "A1 A2 A3"),
    ("1-2,5-6幢", "1 2 5 6"), ("十一到十三栋", "11 12 13"), ("b座", "B"), ("12a幢", "12A"),
    ("甲幢", "甲"), ("X座", "X")])
def test_runs_and_lists_of_buildings(text: str, labels: str) -> None:
    assert read_labels(text) == tuple(labels.split())


@pytest.mark.parametrize("text", ["", "综合楼", "5-1幢", "1-9999幢", "一期", "A1-B3", "幢", "沿街"])
def test_what_cannot_be_read_is_not_guessed(text: str) -> None:
    assert read_labels(text) == ()


@given(st.integers(1, 99), st.sampled_from(["幢", "栋", "号楼", "#", "座"]))
def test_numerals_of_the_town_are_read_back(number: int, unit: str) -> None:
    from gridplan.town.names import spell_number
    wide = "".join(chr(ord(d) + 0xFEE0) for d in str(number))
    assert {read_label(f"{n}{unit}") for n in (number, spell_number(number), wide)} == {
        str(number)}


def test_estate_names_agree_but_for_width_case_and_punctuation() -> None:
    assert fold_estate(" 云溪・花园（Ａ区） ") == fold_estate("云溪花园(a区)")
    assert fold_estate("云溪花园") != fold_estate("云溪花苑")


# Reading

@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_b68_b69_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    findings = Findings()
    ledger = read_ledger(write_csv(tmp_path, HEADER + "云溪花园,1幢,36\n", encoding), findings)
    assert ledger["estate"].tolist() == ["云溪花园"]
    assert ledger["households"].tolist() == [36]
    guessed = [f.key for f in findings.of("repaired")]
    assert guessed == ([] if encoding.startswith("utf-8") else ["sheets.encoding_guessed"])


def test_b60_codes_stay_text(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "社区编码,小区,幢号,户数\n001002003004,NA,007,5\n")
    ledger = read_ledger(path, Findings())
    assert ledger.loc[2, ["community_id", "estate", "number"]].tolist() == [
        "001002003004", "NA", "007"]


def test_b61_codes_cut_by_a_workbook_stop(tmp_path: Path) -> None:
    path = tmp_path / "ledger.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["编码", "小区", "幢号", "户数"])
        sheet.write_row(1, 0, [440300001001000123, "云溪花园", 1, 36])
    assert faults_of(path) == ["sheets.digits_lost"]


@pytest.mark.parametrize(("value", "key"), [("abc", "ledger.not_a_number"),
                                            ("-3", "ledger.negative"), ("3.5", "ledger.not_whole"),
                                            ("inf", "ledger.not_a_number")])
def test_b63_b64_bad_counts_are_named_by_row(tmp_path: Path, value: str, key: str) -> None:
    path = write_csv(tmp_path, HEADER + f"云溪花园,1幢,36\n云溪花园,2幢,{value}\n")
    with pytest.raises(InputError) as caught:
        read_ledger(path, Findings())
    assert [(f.key, f.row) for f in caught.value.findings] == [(key, "3")]
    assert value in caught.value.lines()[0]


def test_every_bad_count_is_told_at_once(tmp_path: Path) -> None:
    path = write_csv(tmp_path, HEADER + "云溪花园,1,x\n云溪花园,2,-1\n云溪花园,3,1.5\n")
    assert faults_of(path) == ["ledger.not_a_number", "ledger.negative", "ledger.not_whole"]


def test_b64_full_width_digits_are_mended(tmp_path: Path) -> None:
    findings = Findings()
    rows = '云溪花园,1幢,３６\n云溪花园,2幢,12户\n云溪花园,3幢,"1,200"\n'
    path = write_csv(tmp_path, HEADER + rows)
    assert read_ledger(path, findings)["households"].tolist() == [36, 12, 1200]
    assert [(f.key, f.count) for f in findings.of("repaired")] == [("ledger.digits_mended", 3)]


def test_rows_without_a_count_are_told(tmp_path: Path) -> None:
    findings = Findings()
    ledger = read_ledger(write_csv(tmp_path, HEADER + "云溪花园,1幢,\n云溪花园,2幢,4\n"), findings)
    assert ledger["households"].isna().tolist() == [True, False]
    assert [(f.key, f.row) for f in findings.of("warning")] == [("ledger.no_households", "2")]


def test_b70_extra_cells_stop(tmp_path: Path) -> None:
    assert faults_of(write_csv(tmp_path, HEADER + "云溪花园,1幢,36,7\n")) == ["sheets.row_width"]


def test_sums_and_blank_rows_are_left_out(tmp_path: Path) -> None:
    findings = Findings()
    path = write_csv(tmp_path, HEADER + "云溪花园,1幢,36\n\n云溪花园,小计,36\n合计：,,36\n")
    assert read_ledger(path, findings)["households"].sum() == 36
    assert [(f.key, f.count) for f in findings.of("warning")] == [("ledger.sums", 2)]


def test_b73_merged_cells_are_filled(tmp_path: Path) -> None:
    path = tmp_path / "ledger.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["小区名称", "幢号", "户数"])
        sheet.merge_range(1, 0, 2, 0, "云溪花园")
        sheet.write_column(1, 1, ["1幢", "2幢"])
        sheet.write_column(1, 2, [30, 40])
    findings = Findings()
    assert read_ledger(path, findings)["estate"].tolist() == ["云溪花园"] * 2
    assert [f.key for f in findings.of("repaired")] == ["sheets.merged"]


def test_b73_a_formula_without_value_stops(tmp_path: Path) -> None:
    path = tmp_path / "ledger.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["小区名称", "幢号", "户数"])
        sheet.write_row(1, 0, ["云溪花园", "1幢"])
        sheet.write_formula(1, 2, "=20+16", value="")
    assert faults_of(path) == ["sheets.formula_blank"]


def test_building_numbers_turned_into_dates_stop(tmp_path: Path) -> None:
    path = tmp_path / "ledger.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["小区名称", "幢号", "户数"])
        sheet.write_string(1, 0, "云溪花园")
        sheet.write_datetime(1, 1, pd.Timestamp("2026-01-10").to_pydatetime(),
                             book.add_format({"num_format": "m-d"}))
        sheet.write_number(1, 2, 300)
    assert faults_of(path) == ["ledger.number_is_date"]


def test_basis_and_date_from_a_heading(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "某街道台账,,\n口径：户籍,截止日期：2026年6月30日,\n" + HEADER
                     + "云溪花园,1幢,36\n")
    ledger = read_ledger(path, Findings())
    assert ledger[["basis", "date"]].iloc[0].tolist() == ["registered", "2026-06-30"]
    matched = match_ledger(ledger, BUILDINGS, ESTATES, Findings())
    assert (matched.basis, matched.date) == ("registered", "2026-06-30")


def test_two_bases_are_told() -> None:
    findings = Findings()
    ledger = ledger_of(("云溪花园", "1", 6), ("云溪花园", "2", 6), basis=["registered", "resident"])
    assert match_ledger(ledger, BUILDINGS, ESTATES, findings).basis == ""
    assert "ledger.mixed" in [f.key for f in findings.of("warning")]


@pytest.mark.parametrize(("content", "key"), [
    (b"", "sheets.empty"), (b"PK\x03\x04 cut", "sheets.damaged"), (b"\xff\x80\x81,\n", None),
    ("甲,乙\n1,2\n".encode(), "ledger.no_column")])
def test_files_that_are_no_ledger_stop(tmp_path: Path, content: bytes, key: str | None) -> None:
    path = tmp_path / "ledger.xlsx"
    path.write_bytes(content)
    faults = faults_of(path)
    assert key is None or key in faults


def test_an_absent_file_is_the_machine_s_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineError):
        read_ledger(tmp_path / "none.csv", Findings())


def test_an_unknown_sheet_is_told(tmp_path: Path) -> None:
    path = write_ledger_match(match(("云溪花园", "1", 6)), tmp_path / "l.xlsx").path
    with pytest.raises(InputError, match="no_sheet"):
        read_ledger(path, Findings(), sheet="other")


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "项目,楼,数量\n云溪花园,1幢,36\n")
    ledger = read_ledger(path, Findings(), columns={"estate": "项目", "number": "楼",
                                                    "households": "数量"})
    assert ledger.loc[2, ["estate", "number"]].tolist() == ["云溪花园", "1幢"]


# Privacy

@pytest.mark.parametrize("column", ["姓名", "户主姓名", "身份证号", "联系电话", "手机", "户号",
                                    "phone", "Resident name", "ID card"])
def test_columns_about_residents_stop(tmp_path: Path, column: str) -> None:
    path = write_csv(tmp_path, f"小区名称,幢号,户数,{column}\n云溪花园,1幢,36,x\n")
    assert faults_of(path) == ["ledger.private"]
    findings = Findings()
    ledger = read_ledger(path, findings, drop_columns=True)
    assert "x" not in ledger.to_csv()
    assert [f.key for f in findings.of("warning")] == ["ledger.private_dropped"]


@pytest.mark.parametrize("values", [["11010519491231002X", ""], ["138 0013 8000", "x"],
                                    ["张三", "李四", "王小五", "赵六", "陈七", "吴八"]])
def test_values_about_residents_stop_under_any_name(tmp_path: Path, values: list[str]) -> None:
    rows = "".join(f"云溪花园,{i}幢,6,{v}\n" for i, v in enumerate(values, 1))
    assert faults_of(write_csv(tmp_path, "小区名称,幢号,户数,备注\n" + rows)) == ["ledger.private"]


def test_a_needed_column_about_residents_stops_even_when_told_to_drop(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "小区名称,幢号,户数\n11010519491231002X,1幢,6\n")
    assert faults_of(path, drop_columns=True) == ["ledger.private"]


def test_counts_and_estates_are_not_taken_for_residents(tmp_path: Path) -> None:
    rows = "".join(f"{n},1幢,6,{n}\n" for n in ("王府", "李家湾", "张园", "金桂苑", "陈家", "江畔"))
    path = write_csv(tmp_path, "小区名称,幢号,户籍户数,备注编号\n" + rows.replace("湾", "湾花园"))
    with pytest.raises(InputError):  # the unknown column looks like names; the estates do not
        read_ledger(path, Findings())
    path = write_csv(tmp_path, "小区名称,幢号,户籍户数\n王府,1幢,6\n张园,1幢,6\n陈家,2幢,6\n"
                     "江畔,3幢,5\n金桂,4幢,5\n")
    assert read_ledger(path, Findings())["households"].sum() == 28


def test_identity_numbers_are_known_by_their_check_digit() -> None:
    assert is_identity_number("11010519491231002X")
    assert not is_identity_number("110105194912310021")
    assert not is_identity_number("440300001001000123")


# Matching

def test_a_sure_row_is_matched() -> None:
    result = match((" 云溪花园 ", "２号楼", 40), ("云溪花园", "三栋", 90))
    assert result.households.to_dict() == {"a2": 40, "a3": 90}
    assert result.estate_totals.to_dict() == {"E1": 130}
    assert result.to_check.empty
    assert result.unmatched.empty


def test_a_total_is_shared_by_floors_and_footprint_with_largest_remainder() -> None:
    result = match(("云溪花园", "1-3幢", 101))
    assert result.households.to_dict() == {"a1": 20, "a2": 20, "a3": 61}


def test_a_total_leaves_the_counts_its_buildings_bring() -> None:
    buildings = BUILDINGS.copy()
    buildings.loc["a3", "households"] = 80
    result = match_ledger(ledger_of(("云溪花园", "1-3幢", 101)), buildings, ESTATES, Findings())
    assert result.households.to_dict() == {"a1": 11, "a2": 10, "a3": 80}


def test_a_row_without_a_number_is_the_estate_s_total() -> None:
    assert match(("云溪花园", None, 50)).households.to_dict() == {"a1": 10, "a2": 10, "a3": 30}
    assert match(("松风苑", None, 7)).households.to_dict() == {"d1": 7}


def test_a_total_beside_its_parts_is_asked_about() -> None:
    result = match(("云溪花园", None, 50), ("云溪花园", "1幢", 10))
    assert result.to_check["reason"].tolist() == ["estate_mixed"]
    assert result.households.to_dict() == {"a1": 10}


def test_a_number_as_it_stands_comes_before_a_run() -> None:
    assert match(("长安里", "3-1", 12)).households.to_dict() == {"b2": 12}


def test_alike_names_are_never_matched_silently() -> None:
    result = match(("云溪花苑", "1幢", 36), ("云溪花园小区", "2幢", 30))
    assert result.matched.empty
    assert result.to_check["reason"].tolist() == ["estate_similar"] * 2
    assert result.to_check["candidates"].tolist() == ["a1", "a2"]


def test_one_name_of_two_estates_is_settled_by_the_community() -> None:
    estates = ESTATES.copy()
    estates.loc["E3", "name"] = "云溪花园"
    rows = (("云溪花园", "1", 5), ("云溪花园", "1", 6))
    asked = match_ledger(ledger_of(*rows[:1]), BUILDINGS, estates, Findings())
    assert asked.to_check["reason"].tolist() == ["estate_ambiguous"]
    known = match_ledger(ledger_of(*rows, community_id=["440300001001", "440300001002"]),
                         BUILDINGS, estates, Findings())
    assert known.households.to_dict() == {"a1": 5, "c1": 6}


@pytest.mark.parametrize(("row", "fate", "reason"), [
    (("云溪花园", "9幢", 5), "unmatched", "number_unknown"),
    (("云溪花园", "1-4幢", 5), "to_check", "numbers_missing"),
    (("云溪花园", "物业楼", 5), "to_check", "number_unreadable"),
    (("碧海豪庭", "1幢", 5), "unmatched", "estate_unknown"),
    (("云溪花园", "1幢", None), "unmatched", "no_households")])
def test_what_is_not_sure_says_why(row: tuple[str, str, int | None], fate: str,
                                   reason: str) -> None:
    result = match(row)
    assert getattr(result, fate)["reason"].tolist() == [reason]
    assert result.households.empty


def test_a_building_named_twice_is_asked_about_unless_by_unit() -> None:
    twice = match(("云溪花园", "1幢", 20), ("云溪花园", "1-2幢", 20))
    assert twice.to_check[["reason", "detail"]].to_numpy().tolist() == [["claimed", "2"]]
    units = match(("云溪花园", "1幢", 20), ("云溪花园", "1幢", 16), unit=["1", "2"])
    assert units.households.to_dict() == {"a1": 36}
    same = match(("云溪花园", "1幢", 20), ("云溪花园", "1幢", 20), unit=["1", "1"])
    assert same.to_check["reason"].tolist() == ["claimed"]


def test_another_count_of_a_building_is_told_and_the_ledger_is_used() -> None:
    buildings, findings = BUILDINGS.copy(), Findings()
    buildings.loc[["a1", "a2"], "households"] = [30, 40]
    result = match_ledger(ledger_of(("云溪花园", "1", 36), ("云溪花园", "2", 40)), buildings,
                          ESTATES, findings)
    assert [(f.key, f.row) for f in findings.of("warning")] == [("ledger.differs", "a1")]
    filled = fill_households(buildings, result)
    assert filled.loc[["a1", "a2", "a3"], "households"].tolist() == [36, 40, pd.NA]
    assert filled.loc[["a1", "a2"], "households_source"].tolist() == ["ledger"] * 2
    assert buildings.loc["a1", "households"] == 30


ROWS = st.tuples(
    st.sampled_from(["云溪花园", "云溪花苑", "长安里", "长安里(北)", "松风苑", "碧海豪庭",
                     " 云溪花园", ""]),
    st.sampled_from([None, "1幢", "２栋", "1-3幢", "3-1", "A座", "综合楼", "9#", "2、3幢", "1-5"]),
    st.one_of(st.none(), st.integers(0, 700)))


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ROWS, max_size=12), st.data())
def test_no_household_and_no_row_is_lost(rows: list[tuple[str, str | None, int | None]],
                                         data: st.DataObject) -> None:
    confirm = data.draw(st.lists(st.sampled_from(["", "否", "a1", "b1;b2"]), min_size=len(rows),
                                 max_size=len(rows)))
    unit = data.draw(st.lists(st.sampled_from(["", "1", "2"]), min_size=len(rows),
                              max_size=len(rows)))
    ledger = ledger_of(*rows, confirm=confirm, unit=[u or pd.NA for u in unit])
    before, findings = ledger.copy(), Findings()
    result = match_ledger(ledger, BUILDINGS, ESTATES, findings)
    parts = (result.matched, result.to_check, result.unmatched)
    assert sum(int(p["households"].sum()) for p in parts) == int(ledger["households"].sum())
    assert sorted(i for p in parts for i in p.index) == ledger.index.tolist()
    assert int(result.households.sum()) == int(result.matched["households"].sum())
    assert int(result.estate_totals.sum()) == int(result.households.sum())
    assert (result.households >= 0).all()
    assert all(p["reason"].ne("").all() for p in parts[1:])
    tally = findings.tally[-1]
    assert (tally.rows_in, tally.used + tally.rejected) == (len(rows), len(rows))
    assert tally.households_in == int(ledger["households"].sum())
    pd.testing.assert_frame_equal(ledger, before)


# The list to confirm

def test_confirmed_rows_are_used_when_the_list_comes_back(tmp_path: Path) -> None:
    first = match(("云溪花苑", "1幢", 36), ("云溪花园小区", "2幢", 30), ("碧海豪庭", "1幢", 12),
                  ("云溪花园", "3", 90), ("长安街", "A座", 8))
    path = write_ledger_match(first, tmp_path / "PLAN_ledger.xlsx").path
    ledger = read_ledger(path, Findings())
    assert ledger["households"].sum() == 176
    answers = {("云溪花苑", "1幢"): "是", ("云溪花园小区", "2幢"): "否",
               ("碧海豪庭", "1幢"): "c1；d1"}
    ledger["confirm"] = pd.array([answers.get((e, n), pd.NA) for e, n in zip(
        ledger["estate"], ledger["number"], strict=True)], dtype="string")
    result = match_ledger(ledger, BUILDINGS, ESTATES, Findings())
    assert result.households.to_dict() == {"a1": 36, "a3": 90, "c1": 6, "d1": 6}
    assert result.unmatched["reason"].tolist() == ["refused"]
    assert result.to_check["estate"].tolist() == ["长安街"]


@pytest.mark.parametrize(("confirm", "key"), [("zz9", "ledger.confirm_unknown"),
                                              ("是", "ledger.confirm_empty")])
def test_confirmations_of_nothing_stop(confirm: str, key: str) -> None:
    with pytest.raises(InputError, match=key):
        match(("碧海豪庭", "1幢", 12), confirm=[confirm])


def test_b74_names_like_formulas_stay_text(tmp_path: Path) -> None:
    path = write_ledger_match(match(("=1+1", "http://x.y/1", 3)), tmp_path / "l.xlsx").path
    with CalamineWorkbook.from_path(str(path)) as book:
        cells = book.get_sheet_by_index(0).to_python()
    assert "=1+1" in cells[1]
    assert "http://x.y/1" in cells[1]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_list_reads_back_in_both_languages(tmp_path: Path, lang: str) -> None:
    first = match(("云溪花苑", "1幢", 36), ("碧海豪庭", "007", 12), ("云溪花园", "3", 90))
    path = write_ledger_match(first, tmp_path / "l.xlsx", lang).path
    ledger = read_ledger(path, Findings())
    assert sorted(ledger["number"]) == ["007", "1幢", "3"]
    assert ledger["candidates"].dropna().tolist() == ["a1", "a3"]


def test_equal_runs_write_equal_bytes(tmp_path: Path) -> None:
    one = write_ledger_match(match(("云溪花苑", "1幢", 36)), tmp_path / "1.xlsx").path
    other = write_ledger_match(match(("云溪花苑", "1幢", 36)), tmp_path / "2.xlsx").path
    assert one.read_bytes() == other.read_bytes()


def test_an_empty_ledger_has_an_empty_match(tmp_path: Path) -> None:
    result = match()
    assert result.households.empty
    assert write_ledger_match(result, tmp_path / "l.xlsx").path.exists()


def test_the_ledger_of_the_town_finds_its_buildings(tmp_path: Path) -> None:
    town = build_town(5)
    path = next(p for p in write_town(town, tmp_path) if p.name == "ledger.xlsx")
    findings = Findings()
    result = match_ledger(read_ledger(path, findings), town.study.buildings, town.study.estates,
                          findings)
    assert (result.basis, result.date) == ("registered", "2026-06-30")
    assert result.matched["households"].sum() / town.ledger["户数"].sum() > 0.7
    single = result.matched[~result.matched["candidates"].str.contains(";")]
    truth = town.truth.loc[single["candidates"]]
    assert truth.tolist() == single["households"].tolist()
    counted = estimate_households(fill_households(town.study.buildings, result),
                                  HouseholdParams(), Findings(), totals=town.totals)
    assert counted["households"].sum() == town.totals.sum()
    assert "ledger" in set(counted["households_source"])
