"""A roster is read in its real state; what is wrong in it is told at once, with its rows."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridplan.errors import Finding, Findings, InputError
from gridplan.layers import POSTS, ROLES, Roster
from gridplan.roster import judge_roster, read_roster
from gridplan.roster.words import ROLE_WORDS

FRAMES = ("staff", "people", "current", "known", "wishes", "bars", "allowed")
HEADER = ["工号", "岗位", "社区编码", "容量", "承载单位", "兼职", "语言", "现任网格", "包片",
          "意愿", "回避", "可调配社区", "姓名", "电话", "住址"]
GRIDS = pd.DataFrame({
    "grid_id": ["C1-001", "C1-002", "C1-003", "C2-001"], "community_id": ["C1"] * 3 + ["C2"],
    "households": pd.array([400, 300, 450, 500], dtype="Int64")})
LAYERS = {
    "communities": pd.DataFrame({"community_id": ["C1", "C2", "C3", "C4"],
                                 "name": ["云溪社区", "松风", "同名社区", "同名社区"]}),
    "grids": GRIDS, "buildings": pd.DataFrame({"building_id": ["B1", "B2", "B3"]})}


def write_book(path: Path, rows: list[list[object]], header: list[str] = HEADER) -> Path:
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        for r, row in enumerate([header, *rows]):
            for c, value in enumerate(row):
                if isinstance(value, str):
                    sheet.write_string(r, c, value)
                else:
                    sheet.write(r, c, value)
    return path


def write_csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "roster.csv"
    path.write_bytes(text.encode(encoding))
    return path


def person(staff_id: str = "S1", role: str = "网格员", community: str = "C1",
           **cells: object) -> list[object]:
    """Return a row under HEADER; cells are given by their heading."""
    row: list[object] = [staff_id, role, community, *[""] * (len(HEADER) - 3)]
    for name, value in cells.items():
        row[HEADER.index(name)] = value
    return row


def read(path: Path) -> tuple[Roster, Findings]:
    findings = Findings()
    return read_roster(path, findings), findings


def judge(path: Path, **options: object) -> tuple[Roster, Findings]:
    findings = Findings()
    roster = read_roster(path, findings, stop=False)
    return judge_roster(roster, LAYERS, findings, **options), findings  # type: ignore[arg-type]


def faults_of(path: Path) -> dict[str, str]:
    """Return the rows of every fault by its key, those that need the plan as well."""
    with pytest.raises(InputError) as caught:
        judge(path)
    for fault in caught.value.findings:
        for lang in ("en", "zh"):
            assert fault.what(lang) != fault.key
            assert fault.mend(lang)
    return {f.key: f.row for f in caught.value.findings}


def told(findings: Findings) -> dict[str, str]:
    return {f.key: f.row for f in findings.items}


# What is read

def test_a_person_is_read_whole(tmp_path: Path) -> None:
    path = write_book(tmp_path / "r.xlsx", [person(
        容量=750, 承载单位="户", 兼职="50%", 语言="普通话、手语", 现任网格="C1-001；C1-002",
        包片="B1, B2 B3", 意愿="C1-003", 回避="社区：C2", 可调配社区="松风", 姓名="网格员甲一",
        电话=13800000000, 住址="云溪花园3幢")])
    roster, _ = read(path)
    assert roster.staff.loc["S1"].to_dict() == {
        "role": "responsible", "community_id": "C1", "capacity": 750,
        "capacity_unit": "households", "part_time": 0.5, "languages": "普通话;手语", "row": 2}
    assert roster.people.loc["S1"].tolist() == ["网格员甲一", "13800000000", "云溪花园3幢"]
    assert roster.current["grid_id"].tolist() == ["C1-001", "C1-002"]
    assert roster.known["building_id"].tolist() == ["B1", "B2", "B3"]
    assert roster.wishes.values.tolist() == [["S1", "C1-003", 2]]
    assert roster.bars["grid_id"].tolist() == ["community:C2"]
    assert (roster.source.name, roster.source.rows) == ("r.xlsx", 1)
    judged, findings = judge(path)
    assert judged.bars.values.tolist() == [["S1", "C2-001", 2]]
    assert judged.allowed["community_id"].tolist() == ["C2"]
    assert list(told(findings)) == []


def test_the_frames_have_the_types_of_the_contract(tmp_path: Path) -> None:
    roster, _ = judge(write_csv(tmp_path, "工号,岗位,社区\nS1,网格员,C1\n"))
    assert list(roster.staff.columns) == ["role", "community_id", "capacity", "capacity_unit",
                                          "part_time", "languages", "row"]
    assert [str(t) for t in roster.staff.dtypes] == ["string", "string", "Int64", "string",
                                                     "Float64", "string", "int64"]
    assert roster.staff["capacity"].isna().all()
    assert roster.staff["part_time"].tolist() == [1.0]
    for name in FRAMES[2:]:
        frame = getattr(roster, name)
        assert list(frame.columns)[::2] == ["staff_id", "row"]
        assert len(frame) == 0


@pytest.mark.parametrize(("word", "role"), [
    ("网格责任人", "responsible"), ("网格长", "responsible"), ("Responsible", "responsible"),
    ("B岗", "backup"), ("协管", "backup"), ("社区民警", "community_officer"),
    ("巡防队员", "guard"), ("流动人口协管员", "newcomer_assistant"), ("协理员", "assistant"),
    ("social worker", "social_worker")])
def test_roles_are_known_by_their_usual_words(tmp_path: Path, word: str, role: str) -> None:
    roster, _ = read(write_csv(tmp_path, f"工号,岗位,社区\nS1,{word},C1\n"))
    assert roster.staff["role"].tolist() == [role]


def test_every_role_has_words_and_no_word_two_roles() -> None:
    assert set(ROLE_WORDS.values()) == set(ROLES)
    assert set(POSTS) == set(ROLES) - {"assistant"}
    assert all(list(ROLE_WORDS.values()).count(role) >= 2 for role in ROLES)


@pytest.mark.parametrize(("capacity", "unit", "expected"), [
    ("450", "", (450, "households")), ("450户", "", (450, "households")),
    ("１，２００", "", (1200, "households")), ("2个网格", "", (2, "grids")),
    ("2", "网格", (2, "grids")), ("3", "grids", (3, "grids")), ("0", "户", (0, "households"))])
def test_capacities_and_their_units(tmp_path: Path, capacity: str, unit: str,
                                    expected: tuple[int, str]) -> None:
    roster, _ = read(write_book(tmp_path / "r.xlsx", [person(容量=capacity, 承载单位=unit)]))
    assert tuple(roster.staff[["capacity", "capacity_unit"]].iloc[0]) == expected


def test_a_heading_may_bear_the_unit(tmp_path: Path) -> None:
    roster, _ = read(write_csv(tmp_path, "工号,岗位,社区,可管网格数\nS1,网格员,C1,2\n"))
    assert roster.staff["capacity_unit"].tolist() == ["grids"]


@pytest.mark.parametrize(("share", "expected"), [("", 1.0), ("1", 1.0), ("0.5", 0.5), ("50%", 0.5),
                                                 ("５０％", 0.5), ("全职", 1.0), ("100%", 1.0)])
def test_shares_of_working_time(tmp_path: Path, share: str, expected: float) -> None:
    roster, _ = read(write_book(tmp_path / "r.xlsx", [person(兼职=share)]))
    assert roster.staff["part_time"].tolist() == [expected]


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "牌号,干啥,哪里\nS1,网格员,C1\n")
    findings = Findings()
    roster = read_roster(path, findings, columns={"staff_id": "牌号", "role": "干啥",
                                                  "community": "哪里"})
    assert roster.staff["community_id"].to_dict() == {"S1": "C1"}


def test_the_named_sheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("说明")
        for name, staff_id in (("甲", "S1"), ("乙", "S2")):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, HEADER[:3])
            sheet.write_row(1, 0, [staff_id, "网格员", "C1"])
    assert read_roster(path, Findings()).staff.index.tolist() == ["S1"]
    assert read_roster(path, Findings(), sheet="乙").staff.index.tolist() == ["S2"]
    with pytest.raises(InputError, match="no_sheet"):
        read_roster(path, Findings(), sheet="丙")


# A workbook as an office keeps it

def write_office_book(path: Path) -> Path:
    """A title, headings over several columns, merged communities, blanks, formulas, a sum."""
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 5, "云溪街道网格员名册")
        sheet.merge_range(1, 3, 1, 5, "基本情况")
        sheet.write_row(2, 0, ["社区", "工号", "岗位", "姓名", "容量", "身份证号"])
        sheet.merge_range(3, 0, 6, 0, "云溪社区")
        for line, (staff_id, role) in enumerate(
                [("001", "网格长"), ("002", "网格员"), ("", ""), ("003", "调解员")], 3):
            sheet.write_string(line, 1, staff_id)
            sheet.write_string(line, 2, role)
        sheet.write_formula(3, 4, "=500-50", value=450)
        sheet.write_number(3, 5, 110105194912310021)
        sheet.write_row(8, 0, ["松风", "004", "B岗", "网格员甲四"])
        sheet.write_row(9, 0, ["合计", "", "", "", 450])
    return path


def test_b73_merged_cells_titles_blank_rows_and_sums(tmp_path: Path) -> None:
    roster, findings = judge(write_office_book(tmp_path / "r.xlsx"))
    assert roster.staff[["role", "community_id"]].values.tolist() == [
        ["responsible", "C1"], ["responsible", "C1"], ["mediator", "C1"], ["backup", "C2"]]
    assert roster.staff.index.tolist() == ["001", "002", "003", "004"]
    assert roster.staff["row"].tolist() == [4, 5, 7, 9]
    assert roster.staff["capacity"].tolist() == [450, pd.NA, pd.NA, pd.NA]
    assert told(findings) == {
        "sheets.merged": "", "sheets.blank_rows": "", "roster.sums": "10",
        "roster.identity_left_out": ""}
    (row,) = findings.tally
    assert (row.rows_in, row.used, row.rejected) == (5, 4, 1)
    assert not any("110105" in str(getattr(roster, name).values.tolist()) for name in FRAMES)


def test_b73_a_formula_without_value_stops(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["序号", "工号", "岗位", "社区", "容量"])
        sheet.write_formula(1, 0, "=ROW()-1", value="")
        sheet.write_row(1, 1, ["S1", "网格员", "C1"])
        sheet.write_formula(1, 4, "=400+100", value="")
    (fault,) = gather(path)
    assert (fault.key, fault.row, fault.values["cells"]) == ("sheets.formula_blank", "2", "E2")


def test_b60_b61_codes_stay_text(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "工号,岗位,社区编码\n001002003,网格员,110105001001\n"
                               "123456789012341234,网格员,000000000001\nNA,网格员,null\n")
    roster, _ = read(path)
    assert roster.staff["community_id"].to_dict() == {
        "001002003": "110105001001", "123456789012341234": "000000000001", "NA": "null"}


def test_b61_digits_a_workbook_has_cut_stop(tmp_path: Path) -> None:
    path = write_book(tmp_path / "r.xlsx", [[440300001001000123, "网格员", "C1"]])
    assert {f.key: f.row for f in gather(path)} == {"sheets.digits_lost": "2"}


def test_ids_turned_into_dates_stop(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "m-d"})
        sheet.write_row(0, 0, ["工号", "岗位", "社区", "入职日期"])
        for line, staff_id in ((1, None), (2, "S2")):
            sheet.write_row(line, 1, ["网格员", "C1"])
            sheet.write_datetime(line, 3, pd.Timestamp("2020-03-01").to_pydatetime(), day)
            if staff_id:
                sheet.write_string(line, 0, staff_id)
        sheet.write_datetime(1, 0, pd.Timestamp("2026-01-10").to_pydatetime(), day)
    (fault,) = gather(path)
    assert (fault.key, fault.field, fault.row) == ("roster.id_is_date", "工号", "2")


@pytest.mark.parametrize(("value", "column", "key"), [
    ("abc", "容量", "capacity"), ("-3", "容量", "capacity_negative"),
    ("45.5", "容量", "capacity_broken"), ("13800000000", "容量", "capacity"),
    ("inf", "容量", "capacity"), ("人", "承载单位", "unit_unknown"), ("是", "兼职", "part_time"),
    ("nan", "兼职", "part_time"), ("-0.5", "兼职", "part_time_beyond"),
    ("1.5", "兼职", "part_time_beyond"), ("50", "兼职", "part_time_beyond"),
    ("0", "兼职", "part_time_beyond"), ("120%", "兼职", "part_time_beyond")])
def test_b63_b64_bad_numbers_are_named_by_row(tmp_path: Path, value: str, column: str,
                                              key: str) -> None:
    path = write_book(tmp_path / "r.xlsx", [person(), person("S2", **{column: value})])
    assert [(f.key, f.row, f.field) for f in gather(path)] == [(f"roster.{key}", "3", column)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16", "utf-16-le"])
def test_b68_b69_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    text = "工号,岗位,社区,姓名,电话\nS1,网格员,C1,网格员甲一,000-0001\n" \
           "S2,社工,C1,社工甲二,000-0002\n"
    roster, findings = read(write_csv(tmp_path, text, encoding))
    assert roster.people["person"].tolist() == ["网格员甲一", "社工甲二"]
    assert told(findings) == ({} if encoding.startswith("utf-8") else
                              {"sheets.encoding_guessed": ""})


def test_b70_an_extra_cell_stops(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "工号,岗位,社区\nS1,网格员,C1\nS2,网格员,C1,8\nS3,网格员,C1,9\n")
    assert {f.key: f.row for f in gather(path)} == {"sheets.row_width": "3, 4"}


def test_b71_blank_rows_leave_codes_alone(tmp_path: Path) -> None:
    path = write_book(tmp_path / "r.xlsx", [person("007"), [], [" "], person("008")])
    roster, findings = read(path)
    assert roster.staff["row"].to_dict() == {"007": 2, "008": 5}
    assert [(f.key, f.count) for f in findings.items] == [("sheets.blank_rows", 2)]


def test_b72_two_people_with_one_id_and_unknown_grids(tmp_path: Path) -> None:
    path = write_book(tmp_path / "r.xlsx", [
        person("S1"), person("S2", 现任网格="C9-001"), person("S1"), person("S3", 意愿="C1-999"),
        person("S2", 回避="C1-998")])
    with pytest.raises(InputError) as caught:
        judge(path)
    twice, *unknown = caught.value.findings
    assert (twice.key, twice.row, twice.values["ids"]) == (
        "roster.id_twice", "2, 3, 4, 6", "S1: 2, 4; S2: 3, 6")
    assert [(f.key, f.row, f.field, f.values["words"]) for f in unknown] == [
        ("roster.grid_unknown", "3", "grids", "C9-001"),
        ("roster.grid_unknown", "5", "wishes", "C1-999"),
        ("roster.grid_unknown", "6", "bars", "C1-998")]


def test_b74_a_formula_as_a_name_stays_text(tmp_path: Path) -> None:
    name = '=HYPERLINK("http://example.org")'
    roster, _ = read(write_book(tmp_path / "r.xlsx", [person(姓名=name)]))
    assert roster.people["person"].tolist() == [name]


# Faults of the roster itself

def gather(path: Path) -> list[Finding]:
    with pytest.raises(InputError) as caught:
        read(path)
    for fault in caught.value.findings:
        for lang in ("en", "zh"):
            assert fault.what(lang) != fault.key
            assert fault.mend(lang)
    return list(caught.value.findings)


@pytest.mark.parametrize(("text", "keys"), [
    ("甲,乙\n1,2\n", ["roster.no_column"] * 3), ("工号,社区\nS1,C1\n", ["roster.no_column"]),
    ("工号,岗位\nS1,网格员\n", ["roster.no_column"]), ("\n\n", ["sheets.empty"]),
    ("名册\n", ["roster.no_header"])])
def test_files_that_are_no_roster_stop(tmp_path: Path, text: str, keys: list[str]) -> None:
    assert [f.key for f in gather(write_csv(tmp_path, text))] == keys


def test_what_is_missing_or_unknown_is_told_in_one_go(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "工号,岗位,社区\n,网格员,C1\nS2,,C1\nS3,网格员,\nS4,队长,C9\n"
                               "S5,网格员,同名社区\n")
    assert faults_of(path) == {
        "roster.no_staff_id": "2", "roster.no_role": "3", "roster.no_community": "4",
        "roster.role_unknown": "5", "roster.community_unknown": "5",
        "roster.community_ambiguous": "6"}
    (fault,) = [f for f in gather(path) if f.key == "roster.role_unknown"]
    assert "队长" in fault.what("en")
    assert all(role in fault.mend("en") for role in ROLES)


def test_the_row_that_names_most_columns_is_the_header(tmp_path: Path) -> None:
    roster, _ = read(write_csv(tmp_path, "社区,岗位,,,\n社区编码,岗位,工号,姓名,电话\n"
                                         "C1,网格员,S1,网格员甲一,000-0001\n"))
    assert roster.staff["community_id"].to_dict() == {"S1": "C1"}


def test_a_repeated_header_is_left_out(tmp_path: Path) -> None:
    roster, findings = read(write_csv(tmp_path, "工号,岗位,社区\nS1,网格员,C1\n工号,岗位,社区\n"
                                                "S2,网格员,C1\n"))
    assert roster.staff.index.tolist() == ["S1", "S2"]
    assert told(findings) == {"roster.header_again": "3"}


@pytest.mark.parametrize(("cells", "field"), [
    ({"工号": "13800000000"}, "工号"), ({"工号": "11010519491231002X"}, "工号"),
    ({"工号": "网格员甲一", "姓名": "网格员甲一"}, "工号"),
    ({"语言": "普通话;13800000000"}, "语言"), ({"语言": "花园 3幢", "住址": "花园 3幢"}, "语言"),
    ({"语言": "普通话;网格员甲一", "姓名": "网格员甲一"}, "语言")])
def test_nothing_private_gets_into_the_columns_of_the_plan(
        tmp_path: Path, cells: dict[str, object], field: str) -> None:
    (fault,) = gather(write_book(tmp_path / "r.xlsx", [person("S9"), person(**cells)]))
    assert (fault.key, fault.row, fault.field) == ("roster.private_value", "3", field)
    assert not any(str(v) in fault.line(lang) for v in cells.values() for lang in ("en", "zh"))


def test_a_small_capacity_without_unit_is_told(tmp_path: Path) -> None:
    rows = [person(容量="2"), person("S2", 容量="2格")]
    _, findings = read(write_book(tmp_path / "r.xlsx", rows))
    assert told(findings) == {"roster.capacity_small": "2"}


# Contradictions, and what needs the plan

@pytest.mark.parametrize(("wish", "bar"), [("C1-001", "C1-001"), ("C1-001", "社区:C1"),
                                           ("社区:C1", "社区:C1"), ("C1-001", "community:云溪")])
def test_a_wish_for_a_barred_grid_is_a_fault(tmp_path: Path, wish: str, bar: str) -> None:
    path = write_book(tmp_path / "r.xlsx", [person(), person("S2", 意愿=wish, 回避=bar)])
    assert faults_of(path) == {"roster.wish_barred": "3"}


def test_a_bar_makes_an_exception_of_a_wish_for_a_community(tmp_path: Path) -> None:
    roster, findings = judge(write_book(tmp_path / "r.xlsx", [
        person(意愿="社区:云溪", 回避="C1-002")]))
    assert roster.wishes["grid_id"].tolist() == ["C1-001", "C1-003"]
    assert roster.bars["grid_id"].tolist() == ["C1-002"]
    assert told(findings) == {}


def test_communities_are_found_by_name(tmp_path: Path) -> None:
    roster, _ = judge(write_book(tmp_path / "r.xlsx", [
        person(community="云溪", 可调配社区="松风社区 C1")]))
    assert roster.staff["community_id"].tolist() == ["C1"]
    assert roster.allowed["community_id"].tolist() == ["C1", "C2"]


@pytest.mark.parametrize(("capacity", "grids", "keys"), [
    ("700户", "C1-001;C1-002", []), ("699户", "C1-001;C1-002", ["roster.over_capacity"]),
    ("1个网格", "C1-001;C1-002", ["roster.over_capacity"]), ("2个网格", "C1-001;C1-002", []),
    ("399户", "C1-001", ["roster.outgrown"]), ("", "C1-001;C1-002;C1-003", [])])
def test_more_grids_than_a_capacity_holds(tmp_path: Path, capacity: str, grids: str,
                                          keys: list[str]) -> None:
    path = write_book(tmp_path / "r.xlsx", [person("S0"), person(容量=capacity, 现任网格=grids)])
    findings = Findings()
    roster = read_roster(path, findings)
    if "roster.over_capacity" in keys:
        assert faults_of(path) == {"roster.over_capacity": "3"}
    else:
        judge_roster(roster, LAYERS, findings)
        assert told(findings) == dict.fromkeys(keys, "3")


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    path = write_book(tmp_path / "r.xlsx", [
        person("S1", 现任网格="C1-001", 回避="C1-001"), person("S2", 现任网格="C1-001"),
        person("S3", "社工", 现任网格="C1-002"), person("S4", 现任网格="C2-001"),
        person("S5", 意愿="C2-001"), person("S6", 包片="B1 B9"),
        person("S7", 意愿="C2-001", 可调配社区="C2")])
    roster, findings = judge(path)
    assert told(findings) == {
        "roster.grid_of_other_role": "4", "roster.building_unknown": "7",
        "roster.current_barred": "2", "roster.grid_crowded": "2, 3",
        "roster.wish_elsewhere": "6", "roster.current_elsewhere": "5"}
    assert roster.current["staff_id"].tolist() == ["S1", "S2", "S4"]
    assert roster.known["building_id"].tolist() == ["B1"]
    assert "roster.grid_crowded" not in told(judge(path, posts=2)[1])
    assert "roster.wish_elsewhere" not in told(judge(path, across=True)[1])


# The same people, however they are written

WORDS = st.text("甲乙丙一二三ABC", min_size=1, max_size=4)
PLACES = st.lists(st.sampled_from(GRIDS["grid_id"].tolist()), max_size=3, unique=True)
PEOPLE = st.lists(
    st.tuples(st.sampled_from(["网格员", "B岗", "社工"]), st.sampled_from(["C1", "云溪社区", "C2"]),
              st.one_of(st.none(), st.integers(20, 5000)), st.sampled_from(["", "0.5", "1"]),
              PLACES, PLACES, WORDS, st.integers(0, 99_999)), min_size=1, max_size=6)


def lay_out(people: list[tuple[object, ...]], separator: str) -> list[list[str]]:
    return [[f"{i:03d}", str(role), str(community), "" if capacity is None else str(capacity),
             "" if capacity is None else "户", str(share), "", separator.join(held),
             "", separator.join(wished), "", "", f"某{name}", f"000-{phone:05d}", ""]
            for i, (role, community, capacity, share, held, wished, name, phone)
            in enumerate(people)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PEOPLE, st.randoms(use_true_random=False), st.sampled_from([";", "；", "、", " ", "，"]),
       st.sampled_from(["utf-8", "gbk", "utf-8-sig", "utf-16", "xlsx"]),
       st.sampled_from([",", ";", "\t"]))
def test_order_encoding_and_separators_make_no_difference(
        tmp_path: Path, people: list[tuple[object, ...]], random: object, separator: str,
        encoding: str, between: str) -> None:
    plain = read(write_book(tmp_path / "plain.xlsx", lay_out(people, ";")))[0]
    rows = lay_out(people, separator)
    random.shuffle(rows)  # type: ignore[attr-defined]
    if encoding == "xlsx":
        path = write_book(tmp_path / "other.xlsx", rows)
    else:
        text = io.StringIO()
        csv.writer(text, delimiter=between, lineterminator="\n").writerows([HEADER, *rows])
        path = write_csv(tmp_path, text.getvalue(), encoding)
    other = read(path)[0]
    for name in FRAMES:
        mine, theirs = (getattr(r, name).drop(columns="row", errors="ignore")
                        for r in (plain, other))
        pd.testing.assert_frame_equal(mine, theirs)
