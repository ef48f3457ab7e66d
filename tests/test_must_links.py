"""Must-links and locked grids from file to plan: read, planned, written, and verified."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from bad_inputs import every_finding_can_be_told  # noqa: F401
from studies import CRS, houses_in_rows, make_study
from typer.testing import CliRunner

from gridplan.check import check_plan
from gridplan.check.verdict import CheckReport
from gridplan.cli import app
from gridplan.errors import Findings, InputError
from gridplan.layers import Study, conform_input
from gridplan.params import Params, PartitionParams, Range
from gridplan.pipeline import plan_city
from gridplan.plan import read_plan, write_plan
from gridplan.read import clean_study, inspect_file, read_layers

LATTICE = [("residential", [(x, -10), (x, 410)]) for x in (100, 200, 300)] + [
    ("residential", [(-10, y), (410, y)]) for y in (100, 200, 300)]
HOUSES = [h for j in range(4) for i in range(4)
          for h in houses_in_rows(20 + 100 * i, 20 + 100 * j, 2, 2)]
MIDDLE = shapely.box(110, 110, 290, 290)
FORGE = {"held": "UPDATE must_links SET status='held', reason=''",
         "apart": "UPDATE must_links SET status='apart', reason='range: because'"}


def town(per_house: int = 20) -> Study:
    study, count = make_study(list(HOUSES), [per_house] * 64, LATTICE)
    return replace(study, buildings=study.buildings.assign(
        households=count.astype("Int64"), households_source="given"))


def write_files(folder: Path, study: Study, *links: gpd.GeoDataFrame) -> list[str]:
    """Write the layers of a study; return the options that name them."""
    options = []
    for name, option in (("communities", "boundaries"), ("buildings", "buildings"),
                         ("roads", "roads")):
        path = folder / f"{name}.gpkg"
        study.layer(name).reset_index().to_file(path, layer=name)
        options += [f"--{option}", str(path)]
    for k, frame in enumerate(links):
        path = folder / f"link{k}.gpkg"
        frame.to_file(path)
        options += ["--must-link", str(path)]
    return options


def links(*shapes: shapely.Geometry | None, crs: object = CRS,
          **columns: list[object]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns or {"id": [f"k{n}" for n in range(len(shapes))]},
                            geometry=list(shapes), crs=crs)


def refused(folder: Path, frame: gpd.GeoDataFrame) -> dict[str, str]:
    """Clean a town with must-links that stop the run; return where each fault lies."""
    study = town()
    raw = {n: study.layer(n).reset_index() for n in ("communities", "buildings", "roads")}
    path = folder / "ours.gpkg"
    frame.to_file(path)
    findings = Findings()
    read, sources = read_layers({"must_links": path}, findings=findings)
    with pytest.raises(InputError) as caught:
        clean_study({**raw, **read}, sources, Params(), findings)
    return {f.key: f"{f.file} › {f.layer} › {f.row}" for f in caught.value.findings}


def test_b11_a_must_link_without_geometry_stops_the_run(tmp_path: Path) -> None:
    found = refused(tmp_path, links(MIDDLE, None))
    assert found == {"read.no_shape": "ours.gpkg › must_links › k1"}


def test_b30_must_links_without_a_crs_stop_the_run(tmp_path: Path) -> None:
    path = tmp_path / "ours.shp"
    links(MIDDLE).to_file(path)
    path.with_suffix(".prj").unlink()
    with pytest.raises(InputError) as caught:
        read_layers({"must_links": path}, findings=Findings())
    assert [(f.file, f.layer) for f in caught.value.findings] == [("ours.shp", "must_links")]


def test_must_links_far_outside_stop_the_run(tmp_path: Path) -> None:
    found = refused(tmp_path, links(shapely.box(90_000, 0, 90_100, 100)))
    assert found == {"read.disjoint": "ours.gpkg › must_links › "}


def test_b24_must_links_with_one_id_stop_the_run(tmp_path: Path) -> None:
    found = refused(tmp_path, links(MIDDLE, MIDDLE, id=["a", "a"]))
    assert found == {"read.duplicate_ids": "ours.gpkg › must_links › a"}


def test_must_links_beyond_the_margin_are_outside_in_the_tally(tmp_path: Path) -> None:
    study = town()
    raw = {n: study.layer(n).reset_index() for n in ("communities", "buildings", "roads")}
    findings = Findings()
    raw["must_links"] = links(MIDDLE, shapely.box(2000, 0, 2100, 100)).rename(
        columns={"id": "must_link_id"})
    cleaned = clean_study(raw, [], Params(), findings)
    assert cleaned.layer("must_links").index.tolist() == ["k0"]
    assert "read.link_outside" in [f.key for f in findings.of("warning")]
    row = next(r for r in findings.tally if r.layer == "must_links")
    assert (row.rows_in, row.used, row.outside) == (2, 1, 1)


def test_several_files_of_any_geometry_are_one_layer(tmp_path: Path) -> None:
    spots = shapely.MultiPoint([(27, 325), (57, 325)])
    files = {}
    for n, (role, shape) in enumerate({
            "must_links": MIDDLE, "must_links:2": shapely.LineString([(0, 0), (399, 399)]),
            "must_links:3": spots}.items()):
        files[role] = tmp_path / f"f{n}.gpkg"
        links(shape).to_file(files[role])
    findings = Findings()
    raw, sources = read_layers(files, findings=findings)
    frame = raw["must_links"]
    assert frame["must_link_id"].tolist() == ["f0.gpkg:k0", "f1.gpkg:k0", "f2.gpkg:k0"]
    assert frame["source"].tolist() == ["f0.gpkg", "f1.gpkg", "f2.gpkg"]
    assert {s.layer for s in sources} == {"must_links"}
    study = town()
    held = {n: study.layer(n).reset_index() for n in ("communities", "buildings", "roads")}
    cleaned = clean_study({**held, **raw}, sources, Params(), findings)
    assert cleaned.layer("must_links").geom_type.tolist() == ["Polygon", "LineString",
                                                              "MultiPoint"]


def test_inspect_knows_the_layer_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "must_link.gpkg"
    links(MIDDLE).to_file(path)
    assert inspect_file(path).layers[0].role == "must_links"


# ---- the plan and its verifier -------------------------------------------------------------

def planned(folder: Path, study: Study, params: Params | None = None) -> Path:
    path = folder / "plan.gpkg"
    write_plan(plan_city(study, params or Params(), Findings()), path)
    return path


@pytest.fixture(scope="module")
def large_plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a plan with a must-link of more than a grid holds."""
    return planned(tmp_path_factory.mktemp("large"),
                   linked(town(), shapely.box(10, 10, 290, 290)))


@pytest.fixture(scope="module")
def advised_plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a plan with a part that no number of grids holds."""
    return planned(tmp_path_factory.mktemp("advised"), advised())


def copied(path: Path, folder: Path) -> Path:
    return Path(shutil.copy(path, folder))


def linked(study: Study, *shapes: shapely.Geometry) -> Study:
    return replace(study, must_links=conform_input("must_links", links(*shapes).rename(
        columns={"id": "must_link_id"}).assign(source="links.gpkg")))


def forged(path: Path, *statements: str) -> CheckReport:
    with closing(sqlite3.connect(path)) as base:
        for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type='trigger'"
                                    ).fetchall():
            base.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            base.execute(statement)
        base.commit()
    return check_plan(path)


def broken(report: CheckReport) -> set[str]:
    return {b.key.removeprefix("check.") for b in report.broken}


def test_the_plan_keeps_must_links_and_check_accepts_them(tmp_path: Path) -> None:
    wide = shapely.box(10, 10, 290, 290)
    path = planned(tmp_path, linked(town(), MIDDLE, wide))
    held = read_plan(path).layer("must_links").set_index("must_link_id")
    assert held["status"].tolist() == ["held", "apart"]
    assert held["reason"]["k1"].startswith("large: 720 households")
    report = check_plan(path)
    assert report.ok, report.findings()
    assert (report.counts["must_links"], report.counts["must_links_apart"]) == (2, 1)


@pytest.mark.parametrize(("statement", "expected"), [
    ("UPDATE must_links SET status='held'", {"link_status"}),
    ("UPDATE must_links SET status='idle'", {"link_status"}),
    ("UPDATE must_links SET reason='communities: two'", {"link_reason"}),
    ("UPDATE must_links SET reason='special: a park'", {"link_reason"}),
    ("UPDATE must_links SET reason='locked: a grid'", {"link_reason"}),
    ("UPDATE must_links SET reason='building: a tower'", {"link_reason"}),
    ("UPDATE must_links SET reason='parts: apart'", {"link_reason"}),
    ("UPDATE must_links SET reason=''", {"link_reason"}),
    ("UPDATE must_links SET reason='range: it goes before'", set()),
])
def test_a_must_link_that_is_not_as_told_is_found(tmp_path: Path, statement: str,
                                                  expected: set[str],
                                                  large_plan: Path) -> None:
    path = copied(large_plan, tmp_path)
    assert broken(forged(path, statement)) == expected


def test_a_must_link_that_is_held_cannot_be_said_to_be_large(tmp_path: Path) -> None:
    path = planned(tmp_path, linked(town(), MIDDLE))
    assert broken(forged(path, FORGE["apart"])) == {"link_status"}
    assert broken(forged(path, FORGE["held"])) == set()


def test_check_knows_that_locked_grids_keep_their_numbers(tmp_path: Path) -> None:
    study = town(25)
    old = plan_city(study, Params(), Findings()).layer("grids").iloc[:1].reset_index(drop=True)
    old = old.assign(locked=True, seq=3, grid_id="c0-003")
    path = tmp_path / "plan.gpkg"
    write_plan(plan_city(study, Params(), Findings(), locked=old), path)
    report = check_plan(path)
    assert report.ok, report.findings()
    assert broken(forged(path, "UPDATE grids SET locked=0")) >= {"first_numbering"}


def walled() -> Study:
    """Two rows of six blocks with a wall between them, 300 and 252 households."""
    wards = [shapely.box(0, 0, 600, 200)]
    houses = [h for j in range(2) for i in range(6)
              for h in houses_in_rows(20 + 100 * i, 20 + 100 * j, 2, 2)]
    rows = [("residential", [(x, y), (x, y + 104)]) for x in range(100, 600, 100)
            for y in (-5, 101)]
    study, count = make_study(houses, [12] * 12 + [13] * 12 + [10] * 12 + [11] * 12, rows, wards,
                              barriers=[("wall", shapely.LineString([(0, 100), (600, 100)]))])
    return replace(study, buildings=study.buildings.assign(
        households=count.astype("Int64"), households_source="given"))


def test_check_counts_closed_crossings_on_its_own(tmp_path: Path) -> None:
    params = Params(partition=PartitionParams(urban=Range(270, 290)))
    path = planned(tmp_path, walled(), params)
    report = check_plan(path)
    assert report.ok, report.findings()
    assert report.figures["grids_with_closed_crossing"] == 2
    lie = "UPDATE figures SET value={} WHERE name='grids_with_closed_crossing'"
    assert broken(forged(path, lie.format(0))) == {"figure_differs"}
    assert broken(forged(path, lie.format(2))) == set()
    assert broken(forged(path, "DELETE FROM figures WHERE name='grids_with_closed_crossing'")
                  ) == {"figure_missing"}


def test_check_lets_people_through_gates(tmp_path: Path) -> None:
    gates = conform_input("gates", gpd.GeoDataFrame(
        {"gate_id": [f"g{i}" for i in range(6)]},
        geometry=[shapely.Point(50 + 100 * i, 100) for i in range(6)], crs=CRS))
    params = Params(partition=PartitionParams(urban=Range(270, 290)))
    path = planned(tmp_path, replace(walled(), gates=gates), params)
    report = check_plan(path)
    assert report.ok, report.findings()
    assert report.figures["grids_with_closed_crossing"] == 0
    shut = forged(path, "UPDATE gates SET foot=0, car=0")
    assert broken(shut) == {"figure_differs"}
    assert shut.figures["grids_with_closed_crossing"] >= 1


def advised() -> Study:
    """562 households in the south, which no number of grids holds, and 800 in the north."""
    wards = [shapely.box(0, 0, 400, 200), shapely.box(0, 200, 400, 400)]
    study, count = make_study(list(HOUSES), [18] * 30 + [11] * 2 + [25] * 32, LATTICE, wards)
    return replace(study, buildings=study.buildings.assign(
        households=count.astype("Int64"), households_source="given"))


@pytest.mark.parametrize(("old", "new", "expected"), [
    ("[274, 500]", "[274, 500]", set()),
    ("[274, 500]", "[282, 500]", {"advice_false", "reason_number"}),
    ("[274, 500]", "[274, 562]", {"advice_false"}),
    ("[274, 500]", "[300, 500]", {"advice_false", "reason_number"}),
    ('"nearest": [562]', '"nearest": [561]', {"advice_false"}),
    ("1362", "1363", {"advice_false", "reason_number"}),
    ('"community": "c1"', '"community": "c0"', {"advice_false"}),
    ('"community": "c1"', '"community": "c7"', {"advice_false"}),
])
def test_the_advice_of_a_certificate_is_verified(tmp_path: Path, old: str, new: str,
                                                 expected: set[str],
                                                 advised_plan: Path) -> None:
    path = copied(advised_plan, tmp_path)
    text = read_plan(path).layer("communities")["certificate"][0]
    assert old in text, json.loads(text)
    report = forged(path, f"UPDATE communities SET certificate=replace(certificate, '{old}', "
                          f"'{new}')")
    assert broken(report) == expected


# ---- the command line ----------------------------------------------------------------------

def run(*options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["partition", *options, "--lang", "en"])
    return done.exit_code, done.output


def test_must_link_files_reach_the_plan(tmp_path: Path) -> None:
    options = write_files(tmp_path, town(), links(MIDDLE), links(shapely.box(5000, 0, 5001, 1)),
                          links(shapely.box(370, 370, 380, 380)))
    code, told = run(*options, "-o", str(tmp_path / "plan.gpkg"))
    assert code == 0, told
    assert "link_idle" in told
    assert "link2.gpkg › must_links › link2.gpkg:k0" in told
    held = read_plan(tmp_path / "plan.gpkg").layer("must_links")
    assert held["status"].tolist() == ["held", "idle"]
    assert check_plan(tmp_path / "plan.gpkg").ok


def test_a_locked_grid_of_the_plan_that_is_replaced_is_kept(tmp_path: Path) -> None:
    options = write_files(tmp_path, town(25))
    path = tmp_path / "plan.gpkg"
    assert run(*options, "-o", str(path))[0] == 0
    first = read_plan(path).layer("grids")
    name = first["grid_id"][1]
    forged(path, f"UPDATE grids SET locked=1, note='ours' WHERE grid_id='{name}'")
    options += ["--seed", "5", "--force", "-o", str(path)]
    code, told = run(*options)
    assert code == 0, told
    assert f"locked grids kept: 1 ({name})" in told
    again = read_plan(path).layer("grids").set_index("grid_id")
    assert again.geometry[name].equals(first.geometry[1])
    assert (again["note"][name], again["locked"].sum()) == ("ours", 1)
    report = check_plan(path)
    assert report.ok, report.findings()


def test_a_plan_that_cannot_be_read_keeps_nothing_locked_and_says_so(tmp_path: Path) -> None:
    options = write_files(tmp_path, town(25))
    path = tmp_path / "plan.gpkg"
    assert run(*options, "-o", str(path))[0] == 0
    forged_plan = sqlite3.connect(path)
    with closing(forged_plan) as base:
        base.execute("ALTER TABLE grids DROP COLUMN note")
        base.commit()
    code, told = run(*options, "--force", "-o", str(path))
    assert code == 0, told
    assert "locks_unread" in told
