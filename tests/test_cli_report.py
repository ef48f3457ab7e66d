"""The verbs ``report`` and ``map`` with people: from a roster file to what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rosters import make_plan
from test_cli import gridplan, last_line
from test_maps import unpack
from test_report import every_byte

from gridplan.plan import write_plan

PEOPLE = {"S1": ("欧阳无双", "13900007777", "乌有巷七弄三号"),
          "S2": ("令狐冲天", "13911112222", "子虚路九百九十九号"),
          "S3": ("Quixote Zyx", "055162889999", "7 Nowhere Lane")}
TEXTS = [text for person in PEOPLE.values() for text in person]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A plan of two communities with five grids, assigned to three people."""
    folder = tmp_path_factory.mktemp("study")
    plan, roster = folder / "plan.gpkg", folder / "roster.csv"
    write_plan(make_plan({"c1": ("urban", [300, 310, 320]), "c2": ("rural", [150, 400])}), plan)
    rows = [f"{code},网格员,{town},{name},{phone},{home}" for (code, (name, phone, home)), town in
            zip(PEOPLE.items(), ("c1", "c1", "c2"), strict=True)]
    roster.write_text("\n".join(["工号,岗位,社区编码,姓名,电话,住址", *rows]), encoding="utf-8")
    result = gridplan("assign", plan, "--roster", roster)
    assert result.exit_code == 0, result.output
    return {"plan": plan, "roster": roster}


def read_folder(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_nobody_of_the_roster_is_in_the_plan_the_shared_map_or_the_shared_report(
        study: dict[str, Path], tmp_path: Path) -> None:
    """The roster is looked for in raw bytes and in all that is packed in them."""
    page = tmp_path / "plan.html"
    assert gridplan("map", study["plan"], "-o", page).exit_code == 0
    assert gridplan("report", study["plan"], "--sheets", "-o", tmp_path / "out").exit_code == 0
    files = read_folder(tmp_path / "out")
    assert sorted(files) == ["notice-c1.pdf", "notice-c2.pdf", "report.xlsx"]
    shown = {"plan": study["plan"].read_bytes(), "report": every_byte(files),
             "map": page.read_bytes() + unpack(page.read_bytes())[1]}
    for where, data in shown.items():
        for text in TEXTS:
            assert text.encode() not in data, (where, text)
            assert text.encode("utf-16-be") not in data, (where, text)
    assert b"S1" in shown["plan"], "the plan itself holds the numbers of its staff"


def test_internal_sheets_and_map_show_names_and_phones(study: dict[str, Path],
                                                       tmp_path: Path) -> None:
    page, inside = tmp_path / "plan.html", ("--audience", "internal", "--roster", study["roster"])
    assert gridplan("map", study["plan"], "-o", page, *inside).exit_code == 0
    assert gridplan("report", study["plan"], "--sheets", "-o", tmp_path / "out",
                    *inside).exit_code == 0
    files = read_folder(tmp_path / "out")
    book = every_byte({k: v for k, v in files.items() if k.endswith(".xlsx")})
    notices = every_byte({k: v for k, v in files.items() if k.endswith(".pdf")})
    packed = unpack(page.read_bytes())[1]
    for name, phone, home in PEOPLE.values():
        for data in (book, notices, packed):
            assert name.encode() in data
            assert phone.encode() in data
            assert home.encode() not in data


@pytest.mark.parametrize("verb", ["map", "report"])
def test_a_roster_for_a_shared_audience_is_refused_before_anything_is_read(
        study: dict[str, Path], tmp_path: Path, verb: str) -> None:
    result = gridplan(verb, study["plan"], "-o", tmp_path / "out", "--roster", study["roster"])
    assert result.exit_code == 2
    assert "--roster" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_people_whom_the_roster_does_not_know_are_told(study: dict[str, Path],
                                                       tmp_path: Path) -> None:
    short = tmp_path / "roster.csv"
    lines = study["roster"].read_text(encoding="utf-8").splitlines()
    short.write_text("\n".join(line for line in lines if not line.startswith("S2")),
                     encoding="utf-8")
    result = gridplan("report", study["plan"], "-o", tmp_path / "out", "--audience", "internal",
                      "--roster", short, "--json")
    assert result.exit_code == 0
    told = [f for f in json.loads(result.stdout)["findings"] if f["key"] == "plan.not_in_roster"]
    assert [(f["count"], "S2" in f["what"]) for f in told] == [(1, True)]


def test_a_report_needs_a_folder_and_spares_what_is_not_its_own(study: dict[str, Path],
                                                                tmp_path: Path) -> None:
    assert gridplan("report", study["plan"]).exit_code == 2
    (tmp_path / "file").write_text("x")
    assert gridplan("report", study["plan"], "-o", tmp_path / "file").exit_code == 2
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "report.xlsx").write_text("my own table")
    (folder / "notice-c2.pdf").write_text("my own notice")
    before = read_folder(folder)
    refused = gridplan("report", study["plan"], "-o", folder, "--sheets")
    assert refused.exit_code == 2
    assert "report.xlsx" in refused.stderr
    assert "notice-c2.pdf" in refused.stderr
    assert read_folder(folder) == before
    assert gridplan("report", study["plan"], "-o", folder, "--sheets", "--force").exit_code == 0
    again = gridplan("report", study["plan"], "-o", folder, "--sheets")
    assert again.exit_code == 0
    assert Path(last_line(again)).parent == folder


def test_a_dry_run_writes_nothing(study: dict[str, Path], tmp_path: Path) -> None:
    result = gridplan("report", study["plan"], "-o", tmp_path / "out", "--sheets", "--dry-run")
    assert result.exit_code == 0
    assert list(tmp_path.iterdir()) == []
