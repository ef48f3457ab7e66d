"""The report: what its workbook and its notices say, to whom, and how they are written."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from staff import HOMES, NAMES, PHONES, add_staff, make_roster
from test_maps import EVIL, make_layers

from gridplan.errors import InputError, MachineError, UsageError
from gridplan.layers import Roster, conform
from gridplan.pages.fonts import cut_font, find_font
from gridplan.report import is_report_file, name_files, render_report, write_report
from gridplan.report.tables import Reader, list_figures

VACANT, SHORT = (1, 12), (2, 30)


@pytest.fixture(scope="module")
def staffed() -> dict[str, pd.DataFrame]:
    return add_staff(make_layers(), vacant=VACANT, short=SHORT, guards=2)


@pytest.fixture(scope="module")
def roster(staffed: dict[str, pd.DataFrame]) -> Roster:
    return make_roster(staffed)


@pytest.fixture(scope="module")
def shared(staffed: dict[str, pd.DataFrame]) -> dict[str, bytes]:
    return render_report(staffed, sheets=True, lang="zh")


@pytest.fixture(scope="module")
def inside(staffed: dict[str, pd.DataFrame], roster: Roster) -> dict[str, bytes]:
    return render_report(staffed, audience="internal", roster=roster, sheets=True, lang="zh")


def read_sheets(book: bytes) -> dict[str, list[list[object]]]:
    held = CalamineWorkbook.from_filelike(io.BytesIO(book))
    return {name: held.get_sheet_by_name(name).to_python() for name in held.sheet_names}


def read_table(book: bytes, sheet: str) -> pd.DataFrame:
    head, *rows = read_sheets(book)[sheet]
    return pd.DataFrame(rows, columns=head)


def streams(pdf: bytes) -> list[bytes]:
    """The streams of a PDF, unpacked where they are compressed."""
    out = []
    for body in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            out.append(zlib.decompress(body))
        except zlib.error:
            out.append(body)
    return out


def read_pdf(pdf: bytes) -> str:
    """The text of a PDF whose typeface names its characters, line by line as it was written."""
    parts = streams(pdf)
    names: dict[int, str] = {}
    for part in parts:
        if b"begincmap" not in part:
            continue
        for block in re.findall(rb"beginbfchar(.*?)endbfchar", part, re.DOTALL):
            names |= {int(a, 16): bytes.fromhex(b.decode()).decode("utf-16-be")
                      for a, b in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block)}
        for block in re.findall(rb"beginbfrange(.*?)endbfrange", part, re.DOTALL):
            for a, b, c in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>",
                                      block):
                first = ord(bytes.fromhex(c.decode()).decode("utf-16-be"))
                names |= {k: chr(first + k - int(a, 16)) for k in range(int(a, 16),
                                                                        int(b, 16) + 1)}
    lines = []
    for part in parts:
        for text in re.findall(rb"(?<!\\)\(((?:\\.|[^\\)])*)\) Tj", part, re.DOTALL):
            raw = re.sub(rb"\\(.)", lambda m: {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(
                m[1], m[1]), text, flags=re.DOTALL)
            lines.append("".join(names.get(int.from_bytes(raw[k:k + 2], "big"), "?")
                                 for k in range(0, len(raw), 2)))
    return "\n".join(lines)


# The workbook


def test_every_grid_has_its_row_with_bounds_and_posts(
        staffed: dict[str, pd.DataFrame], shared: dict[str, bytes]) -> None:
    table = read_table(shared["report.xlsx"], "网格责任表")
    grids = staffed["grids"].sort_values("grid_id", ignore_index=True)
    assert table["网格编码"].tolist() == grids["grid_id"].tolist()
    for head, column in (("网格", "name"), ("东至", "bound_e"), ("南至", "bound_s"),
                         ("西至", "bound_w"), ("北至", "bound_n"), ("包含", "contents")):
        assert table[head].tolist() == grids[column].tolist()
    place = {code: k for k, code in enumerate(staffed["grids"]["grid_id"])}
    for code, status, said, other in zip(grids["grid_id"], grids["status"], table["责任人"],
                                         table["B岗"], strict=True):
        k = place[code]
        assert said == ("" if status == "empty" else "空缺" if k in VACANT else "已配备")
        assert other == ("" if status == "empty" else "空缺" if k in (*VACANT, *SHORT)
                         else "已配备")


def test_counts_under_ten_are_shown_inside_only(shared: dict[str, bytes],
                                                inside: dict[str, bytes]) -> None:
    counts = [read_table(f["report.xlsx"], "网格责任表")["户数"].tolist()
              for f in (shared, inside)]
    few = counts[1].index(7.0)
    assert counts[0][few] == "< 10"
    assert [c for k, c in enumerate(counts[0]) if k != few] == [
        c for k, c in enumerate(counts[1]) if k != few]
    loads = read_table(shared["report.xlsx"], "负荷分布")["责任人数"].tolist()
    assert loads == [0, 0, "< 10", "< 10", "< 10", "< 10", 14, 22, 30, 12, "< 10"]
    assert read_table(inside["report.xlsx"], "负荷分布")["责任人数"].tolist() == [
        0, 0, 1, 3, 5, 8, 14, 22, 30, 12, 2]


def test_missing_people_add_up(staffed: dict[str, pd.DataFrame],
                               shared: dict[str, bytes]) -> None:
    table = read_table(shared["report.xlsx"], "缺员清单")
    *rows, total = table.to_dict("records")
    assert total["社区编码"] == "合计"
    for column in ("应配", "已配", "缺员"):
        assert sum(r[column] for r in rows) == total[column]
    assert total["缺员"] == 2 + 4 + 6
    figures = staffed["figures"]
    told = figures[figures["name"].str.startswith("missing_staff:") & (figures["value"] > 0)]
    assert sum(r["缺员"] for r in rows) == told["value"].sum()
    names = staffed["grids"]["name"]
    where = "、".join(r["涉及网格"] for r in rows if r["岗位"] == "网格责任人")
    assert sorted(where.split("、")) == sorted(names.iloc[list(VACANT)])


def test_figures_stand_beside_their_targets_with_numerator_and_denominator(
        shared: dict[str, bytes]) -> None:
    table = read_table(shared["report.xlsx"], "指标与目标")
    first = table.iloc[0]
    assert first["指标"] == "有责任人的网格"
    assert (first["范围"], first["目标"], first["达标"]) == ("城市社区", 1, "否")
    assert (first["分子"], first["分母"]) == (51, 53)
    assert first["数值"] == pytest.approx(51 / 53)


def test_share_hides_figures_of_few_people() -> None:
    rows = [("households_with_responsible", "share", 0.9, 9, 10),
            ("newcomer_assistants_per_1000", "staff", 40.0, 0.2, 0.005),
            ("load_share:0.5", "staff", 4.0, 4, 60), ("grids_with_responsible", "share", 0.5, 4, 8),
            ("households_with_responsible", "share", 0.9, 900, 1000)]
    figures = conform("figures", pd.DataFrame([
        {"name": n, "scope": "city", "scope_id": "all", "unit": u, "value": v, "numerator": a,
         "denominator": b} for n, u, v, a, b in rows]))
    layers = {**make_layers(1, 1), "figures": figures}
    columns = ["value", "numerator", "denominator"]
    shown = list_figures(layers, Reader("share", "en"))[columns].to_numpy().tolist()
    assert shown == [["< 10", "< 10", 10.0], ["< 10", "< 10", "< 10"], ["< 10", "< 10", 60.0],
                     [0.5, 4.0, 8.0], [0.9, 900.0, 1000.0]]
    whole = list_figures(layers, Reader("internal", "en"))[columns].to_numpy().tolist()
    assert whole == [[v, a, b] for _, _, v, a, b in rows]


def test_b74_names_that_look_like_formulas_or_links_are_text() -> None:
    layers = add_staff(make_layers(1, 1))
    layers["grids"].loc[0, "name"] = "=HYPERLINK(\"http://x\",\"y\")"
    layers["grids"].loc[1, "contents"] = "http://example.org"
    book = render_report(layers)["report.xlsx"]
    with zipfile.ZipFile(io.BytesIO(book)) as packed:
        sheets = b"".join(packed.read(n) for n in packed.namelist() if "worksheets/" in n)
    assert b"<f>" not in sheets
    assert b"<hyperlink" not in sheets
    assert read_table(book, "Responsibilities")["Grid"].iloc[0].startswith("=HYPERLINK")


def test_a_plan_without_assignment_leaves_room_for_a_pen() -> None:
    files = render_report(make_layers(1, 1), sheets=True, lang="zh")
    assert set(read_sheets(files["report.xlsx"])) == {"网格责任表", "指标与目标"}
    assert set(read_table(files["report.xlsx"], "网格责任表")["责任人"]) == {""}
    assert "空缺" not in read_pdf(files["notice-340102000001.pdf"])


# The notices


def test_every_community_has_a_notice_of_one_page(staffed: dict[str, pd.DataFrame],
                                                  shared: dict[str, bytes]) -> None:
    towns = staffed["communities"]
    assert sorted(shared) == ["notice-" + c + ".pdf" for c in towns["community_id"]] + [
        "report.xlsx"]
    for code, name in zip(towns["community_id"], towns["name"], strict=True):
        pdf = shared[f"notice-{code}.pdf"]
        assert pdf.count(b"/Type /Page\n") == 1
        said = read_pdf(pdf)
        mine = staffed["grids"][staffed["grids"]["community_id"] == code]
        for text in (name, code, f"{len(mine)} 个网格", *mine["grid_id"], *mine["name"], "长江路",
                     "东至", "责任人", "保安", "缺 1 人"):
            assert text in said, text


def test_a_notice_of_many_grids_goes_on_and_misses_none() -> None:
    layers = add_staff(make_layers(1, 1, per=7))
    pdf = render_report(layers, sheets=True, lang="en")["notice-340102000001.pdf"]
    assert pdf.count(b"/Type /Page\n") > 1
    said = read_pdf(pdf)
    for code in layers["grids"]["grid_id"]:
        assert said.count(code) == 1
    assert said.count("East to") == pdf.count(b"/Type /Page\n")


def test_the_map_of_a_notice_is_drawn_as_lines_not_as_a_picture(
        shared: dict[str, bytes]) -> None:
    pdf = shared["notice-340102000002.pdf"]
    assert b"/Subtype /Image" not in pdf
    assert sum(part.count(b" l\n") + part.count(b" l ") for part in streams(pdf)) > 300


def test_the_typeface_is_embedded_and_cut_down(shared: dict[str, bytes]) -> None:
    pdf = shared["notice-340102000001.pdf"]
    assert b"/FontFile3" in pdf or b"/FontFile2" in pdf
    assert len(pdf) < 200_000


def test_names_with_markup_controls_and_unknown_characters_are_printed_as_text() -> None:
    layers = add_staff(make_layers(1, 1, evil=EVIL))
    layers["grids"].loc[0, "name"] = "a\u202e\x07(b) \\ 𓀀"
    said = read_pdf(render_report(layers, sheets=True, lang="en")["notice-340102000001.pdf"])
    assert "a (b) \\ □" in said
    assert EVIL[:20] in said.replace("\n", "")


# Who may see whom


def every_byte(files: dict[str, bytes]) -> bytes:
    """All files with what is packed in them, and the texts of the PDFs."""
    out = []
    for name, data in files.items():
        out.append(data)
        if name.endswith(".xlsx"):
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                out += [packed.read(member) for member in packed.namelist()]
        else:
            out += [*streams(data), read_pdf(data).replace("\n", "").encode()]
    return b"\n".join(out)


def test_a_shared_report_shows_no_person(staffed: dict[str, pd.DataFrame],
                                         shared: dict[str, bytes]) -> None:
    data = every_byte(shared)
    ids = set(staffed["assignments"]["staff_id"])
    assert len(ids) > 50
    for text in (*NAMES, *PHONES, *HOMES, *ids):
        assert text.encode() not in data, text


def test_an_internal_report_shows_ids_names_and_phones_but_no_home(
        staffed: dict[str, pd.DataFrame], inside: dict[str, bytes]) -> None:
    book = every_byte({k: v for k, v in inside.items() if k.endswith(".xlsx")})
    notices = every_byte({k: v for k, v in inside.items() if k.endswith(".pdf")})
    for text in (*NAMES, *PHONES):
        assert text.encode() in book
        assert text.encode() in notices
    for text in set(staffed["assignments"]["staff_id"]):
        assert text.encode() in book
    for text in HOMES:
        assert text.encode() not in book + notices


def test_without_a_roster_an_internal_report_shows_ids(
        staffed: dict[str, pd.DataFrame]) -> None:
    files = render_report(staffed, audience="internal", sheets=True)
    data = every_byte(files)
    for text in set(staffed["assignments"]["staff_id"]):
        assert text.encode() in data
    for text in (*NAMES, *PHONES, *HOMES):
        assert text.encode() not in data


@pytest.mark.parametrize(("options", "key"), [
    ({"audience": "dispatch"}, "report.audience"), ({"lang": "fr"}, "report.lang")])
def test_unknown_audience_or_language_is_refused(
        staffed: dict[str, pd.DataFrame], options: dict[str, str], key: str) -> None:
    with pytest.raises(UsageError) as refused:
        render_report(staffed, **options)
    assert refused.value.findings[0].key == key


def test_a_roster_is_refused_for_a_shared_report(staffed: dict[str, pd.DataFrame],
                                                 roster: Roster) -> None:
    with pytest.raises(UsageError) as refused:
        render_report(staffed, roster=roster)
    assert refused.value.findings[0].key == "report.roster_shared"


def test_b78_a_plan_without_grids_is_refused(staffed: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(InputError) as refused:
        render_report({**staffed, "grids": staffed["grids"][:0]})
    assert refused.value.findings[0].layer == "grids"


def test_b78_a_plan_without_roads_and_buildings_is_reported() -> None:
    layers = add_staff(make_layers(1, 1))
    bare = {n: layers[n] for n in ("communities", "grids", "assignments", "figures")}
    assert "第1社区" in read_pdf(render_report(bare, sheets=True)["notice-340102000001.pdf"])


# The files


@given(st.lists(st.text(st.sampled_from("aA1-./\\:%_ 社"), min_size=1, max_size=8), unique=True,
                max_size=12))
def test_a_code_never_becomes_a_path_and_no_two_share_a_file(codes: list[str]) -> None:
    files = name_files(codes)
    assert list(files) == codes
    assert len({name.lower() for name in files.values()}) == len(codes)
    for name in files.values():
        assert re.fullmatch(r"notice-[A-Za-z0-9_-]+\.pdf", name)


def test_same_plan_gives_the_same_bytes_in_another_process(shared: dict[str, bytes]) -> None:
    here = Path(__file__)
    code = (f"import sys; sys.path.insert(0, {str(here.parent)!r}); import hashlib;"
            "import test_report as t; f = t.render_report(t.add_staff(t.make_layers(), vacant="
            "t.VACANT, short=t.SHORT, guards=2), sheets=True, lang='zh');"
            "print(hashlib.sha256(b''.join(f[n] for n in sorted(f))).hexdigest())")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                         env={**os.environ, "PYTHONHASHSEED": "7", "LANG": "C", "TZ": "Asia/Tokyo"})
    joined = b"".join(shared[n] for n in sorted(shared))
    assert out.stdout.strip() == hashlib.sha256(joined).hexdigest()


def test_files_of_an_older_report_are_replaced_whole(
        tmp_path: Path, staffed: dict[str, pd.DataFrame], shared: dict[str, bytes]) -> None:
    plan = SimpleNamespace(layers=staffed)
    for _ in range(2):
        written = write_report(plan, tmp_path / "report", sheets=True, lang="zh")
        assert {w.path.name: w.path.read_bytes() for w in written} == shared
        assert sorted(p.name for p in (tmp_path / "report").iterdir()) == sorted(shared)


def test_ours_is_what_no_other_program_has_changed(tmp_path: Path,
                                                   shared: dict[str, bytes]) -> None:
    for name in ("report.xlsx", "notice-340102000001.pdf"):
        path = tmp_path / name
        path.write_bytes(shared[name])
        assert is_report_file(path)
    path = tmp_path / "edited.xlsx"
    with zipfile.ZipFile(io.BytesIO(shared["report.xlsx"])) as old, zipfile.ZipFile(
            path, "w") as new:
        for member in old.namelist():
            new.writestr(member, old.read(member).replace(
                b"<cp:lastModifiedBy>gridplan<", b"<cp:lastModifiedBy>Li<"))
    assert not is_report_file(path)
    path.write_bytes(b"%PDF-1.7 by somebody else")
    assert not is_report_file(path.rename(tmp_path / "other.pdf"))


def test_nothing_is_touched_where_one_file_cannot_be_written(
        tmp_path: Path, staffed: dict[str, pd.DataFrame]) -> None:
    (tmp_path / "notice-340102000003.pdf").mkdir()
    (tmp_path / "report.xlsx").write_bytes(b"old")
    with pytest.raises(MachineError):
        write_report(SimpleNamespace(layers=staffed), tmp_path, sheets=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notice-340102000003.pdf", "report.xlsx"]
    assert (tmp_path / "report.xlsx").read_bytes() == b"old"


# The typeface


def test_without_the_carried_typeface_the_system_s_are_tried(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pylopdf_fonts_zh_cn", None)
    monkeypatch.setattr("gridplan.pages.fonts._folders", lambda: [tmp_path / "none", tmp_path])
    with pytest.raises(MachineError) as refused:
        find_font()
    line = refused.value.findings[0].line("en")
    assert "pip install pylopdf-fonts-zh-cn" in line
    assert "Microsoft YaHei" in line
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "msyh.ttc").write_bytes(b"no typeface")
    assert find_font() == (tmp_path / "deep" / "msyh.ttc", 0)
    with pytest.raises(MachineError) as refused, cut_font(["a"]):
        pass
    assert refused.value.findings[0].key == "pages.bad_font"


def test_the_carried_typeface_has_what_notices_write() -> None:
    with cut_font(["网格责任公示东南西北一二三四五"]) as face:
        assert not face.lacks("网格责任公示东南西北 1–9 Ab·…□©")
        assert face.shown("𓀀") == "□"
        assert face.path.stat().st_size < 100_000
    assert not face.path.exists()
