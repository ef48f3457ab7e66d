"""What a planner with odd data and a leader with a phone may count on, through the command line."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from python_calamine import CalamineWorkbook
from shapely.geometry import MultiPolygon, Polygon, box
from typer.testing import CliRunner

from gridplan.cli import app

ROOT = Path(__file__).parents[1]
CRS = "EPSG:4549"
ROLES = {"boundaries": "boundaries", "buildings": "buildings", "roads": "roads",
         "estates": "estates", "special": "specials"}
EVIL = "<img src=x onerror=alert(1)>${alert(2)}"
NAMES = (EVIL, "👩‍👩‍👧‍👦🏠", "حي \u202eالسلام", "长" * 10_000, "=1+1", "@x", "NA", "null", "001")
CHROMIUM = "/usr/bin/chromium"


def gridplan(*words, lang="en"):
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(w) for w in words],
                              env={"LC_ALL": "", "LC_MESSAGES": "", "LANG": lang})


def start(*words, cwd=None, **environ):
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gridplan", *map(str, words)], cwd=cwd, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ})


def request(files, *more):
    """Return the words that ask for a plan of files."""
    return ["partition", *(w for role, path in files.items() for w in (f"--{role}", path)),
            "--effort", "fast", *more]


def read_rows(plan, query):
    with contextlib.closing(sqlite3.connect(plan)) as base:
        return base.execute(query).fetchall()


def content(plan):
    """Return what a plan says of grids and buildings."""
    return (read_rows(plan, "SELECT grid_id, name, households, status, bound_e, contents "
                            "FROM grids ORDER BY 1"),
            read_rows(plan, "SELECT building_id, grid_id, households FROM buildings ORDER BY 1"))


def hold_good(plan):
    """Check a plan and draw its map."""
    checked = gridplan("check", plan)
    assert checked.exit_code == 0, checked.stderr
    drawn = gridplan("map", plan, "--force")
    assert drawn.exit_code == 0, drawn.stderr


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """The files of a town of two communities."""
    folder = tmp_path_factory.mktemp("town")
    result = gridplan("demo", "--communities", 2, "--inputs-only", "-o", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def frames(town):
    """The layers of the town, by option."""
    return {role: gpd.read_file(town / f"{name}.gpkg") for role, name in ROLES.items()
            if (town / f"{name}.gpkg").exists()}


@pytest.fixture(scope="module")
def files(town, frames):
    """What a planner needs at least, by option."""
    return {role: town / f"{ROLES[role]}.gpkg" for role in ("boundaries", "buildings", "roads")}


@pytest.fixture(scope="module")
def planned(files, tmp_path_factory):
    """A plan of the town."""
    plan = tmp_path_factory.mktemp("plan") / "plan.gpkg"
    assert gridplan(*request(files, "-o", plan)).exit_code == 0
    return plan


@pytest.fixture
def plan(planned, tmp_path):
    """A plan of one's own."""
    return Path(shutil.copy(planned, tmp_path / "plan.gpkg"))


def save(frame, path, **how):
    frame.to_file(path, **how)
    return path


def with_shape(frame, row, shape):
    """Return a layer with one geometry replaced."""
    shapes = frame.geometry.to_numpy().copy()
    shapes[row] = shape
    return frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))


# ---- the same plan, whatever the format -----------------------------------------------------

def as_gbk_shapefile(frame, path):
    """As old programs write it: no word on encoding or coordinate system."""
    path = path.with_suffix(".shp")
    save(frame.rename(columns=lambda name: name[:10]), path, encoding="GBK")
    path.with_suffix(".cpg").unlink()
    path.with_suffix(".prj").unlink()
    return path


def as_utf8_shapefile(frame, path):
    """As QGIS writes it: ten bytes of a name end in the middle of a Chinese character."""
    path = path.with_suffix(".shp")
    with warnings.catch_warnings(action="ignore"):  # that names are cut
        return save(frame, path, encoding="UTF-8")


def as_zip(frame, path):
    as_gbk_shapefile(frame, path)
    target = path.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as packed:
        for part in sorted(path.parent.glob(f"{path.name}.*")):
            if part != target:
                packed.write(part, f"数据/{part.name}")
    return target


def as_geojson(frame, path):
    return save(frame, path.with_suffix(".geojson"))


def as_flatgeobuf(frame, path):
    """Its spatial index shuffles the rows."""
    return save(frame, path.with_suffix(".fgb"))


def as_parquet(frame, path):
    frame.to_parquet(path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def as_csv(frame, path):
    table = pd.DataFrame(frame.drop(columns="geometry"))
    table.assign(WKT=frame.geometry.to_wkt()).to_csv(path.with_suffix(".csv"), index=False,
                                                     encoding="gb18030")
    return path.with_suffix(".csv")


FORMATS = (as_gbk_shapefile, as_utf8_shapefile, as_zip, as_geojson, as_flatgeobuf, as_parquet,
           as_csv)


@pytest.fixture(scope="module")
def with_tables(town, frames, tmp_path_factory):
    """What the plan of the town says, made with totals and ledger."""
    plan = tmp_path_factory.mktemp("tables") / "plan.gpkg"
    given = {role: town / f"{ROLES[role]}.gpkg" for role in frames}
    tables = ["--totals", town / "totals.xlsx", "--ledger", town / "ledger.xlsx"]
    result = gridplan(*request(given, *tables, "-o", plan))
    assert result.exit_code == 0, result.stderr
    checked = gridplan("check", plan, "--inputs", *given.values(), town / "totals.xlsx")
    assert checked.exit_code == 0, checked.stderr
    return tables, content(plan)


@pytest.mark.parametrize("turn", range(3))
def test_the_same_plan_from_any_format(turn, frames, with_tables, tmp_path):
    tables, expected = with_tables
    writers = {role: FORMATS[(turn * 2 + at) % len(FORMATS)] for at, role in enumerate(frames)}
    given = {role: write(frames[role], tmp_path / role) for role, write in writers.items()}
    stated = [w for role, write in writers.items()
              if write in (as_gbk_shapefile, as_zip, as_csv) for w in ("--crs", f"{role}={CRS}")]
    plan = tmp_path / "plan.gpkg"
    result = gridplan(*request(given, *tables, *stated, "-o", plan))
    assert result.exit_code == 0, result.stderr
    assert content(plan) == expected


def test_the_order_of_rows_changes_nothing(frames, files, planned, tmp_path):
    given = {role: save(frames[role].sample(frac=1, random_state=3), tmp_path / f"{role}.gpkg")
             for role in files}
    plan = tmp_path / "plan.gpkg"
    assert gridplan(*request(given, "-o", plan)).exit_code == 0
    assert content(plan) == content(planned)


def test_b91_the_same_bytes_in_any_folder_language_zone_and_hash_seed(files, planned, tmp_path):
    folder = tmp_path / "那里"
    folder.mkdir()
    given = {role: shutil.copyfile(path, folder / path.name).name for role, path in files.items()}
    for words in (request(given, "-o", "plan.gpkg"), ["map", "plan.gpkg"]):
        run = start(*words, "--lang", "en", cwd=folder, LC_ALL="C", TZ="Asia/Tokyo",
                    PYTHONHASHSEED="2", NUMBA_NUM_THREADS="1")
        told = run.communicate()[1]
        assert run.returncode == 0, told
    assert gridplan("map", planned).exit_code == 0
    for end in (".gpkg", ".html"):
        assert (folder / f"plan{end}").read_bytes() == planned.with_suffix(end).read_bytes()


def test_another_seed_gives_another_plan_that_passes_the_check(files, planned, tmp_path):
    plan = tmp_path / "plan.gpkg"
    assert gridplan(*request(files, "--seed", 5, "-o", plan)).exit_code == 0
    assert content(plan) != content(planned)
    hold_good(plan)


# ---- bad input: all faults at once, nothing written, the old plan as it was -----------------

def spoil_ids(frames, folder):
    """B24 in two layers."""
    return {role: save(frames[role].assign(**{key: frames[role][key].iloc[[0, 0, *range(
        2, len(frames[role]))]].to_numpy()}), folder / f"{role}.gpkg")
        for role, key in (("boundaries", "社区编码"), ("buildings", "楼栋编码"))}


def spoil_counts(frames, folder):
    """B63, B64: words, negative and broken numbers."""
    houses = frames["buildings"]
    counts = houses["户数"].astype(object).to_numpy().copy()
    counts[[3, 4, 5]] = ["abc", "-5", "7.5"]
    return {"buildings": save(houses.assign(户数=pd.Series(counts, dtype="string")),
                              folder / "buildings.gpkg")}


def spoil_shapes(frames, folder):
    """B01, B04: a bow tie and a building that is a line."""
    west, south, east, north = frames["boundaries"].geometry.iloc[0].bounds
    tie = Polygon([(west, south), (east, north), (east, south), (west, north)])
    flat = Polygon([(west, south), (east, north), (west, south)])
    return {"boundaries": save(with_shape(frames["boundaries"], 0, tie), folder / "b.gpkg"),
            "buildings": save(with_shape(frames["buildings"], 0, flat), folder / "h.gpkg")}


def spoil_presence(frames, folder):
    """B09, B10: rows without a shape."""
    return {"boundaries": save(with_shape(frames["boundaries"], 0, None), folder / "b.gpkg"),
            "buildings": save(with_shape(frames["buildings"], 0, Polygon()), folder / "h.gpkg")}


def spoil_place(frames, folder):
    """B37: degrees that are said to be metres."""
    return {"boundaries": save(frames["boundaries"].to_crs(4326).set_crs(
        3857, allow_override=True), folder / "b.gpkg")}


def spoil_files(frames, folder):
    """B41, B43: files cut short."""
    cut = save(frames["boundaries"], folder / "b.gpkg")
    cut.write_bytes(cut.read_bytes()[:60_000])
    frames["buildings"].to_file(folder / "h.shp", encoding="GBK")
    half = (folder / "h.shp").read_bytes()
    (folder / "h.shp").write_bytes(half[:len(half) // 2])
    return {"boundaries": cut, "buildings": folder / "h.shp"}


def spoil_rows(frames, folder):
    """B78: nothing in any layer."""
    return {role: save(frames[role].iloc[:0], folder / f"{role}.gpkg")
            for role in ("boundaries", "buildings", "roads")}


SPOILS = {spoil_ids: ["read.duplicate_ids"] * 2,
          spoil_counts: ["read.negative", "read.not_a_number", "read.not_whole"],
          spoil_shapes: ["read.crosses_itself", "read.zero_area"],
          spoil_presence: ["read.no_shape"] * 2,
          spoil_place: ["read.degrees_as_metres"], spoil_files: ["read.damaged"] * 2,
          spoil_rows: ["read.empty_layer"] * 3}


@pytest.mark.parametrize(("spoil", "keys"), SPOILS.items(),
                         ids=[f.__name__ for f in SPOILS])
def test_bad_input_is_told_whole_in_both_languages_and_nothing_changes(
        spoil, keys, frames, files, plan, tmp_path):
    folder = tmp_path / "input"
    folder.mkdir()
    given = {**files, **spoil(frames, folder)}
    before = plan.read_bytes()
    for lang in ("en", "zh"):
        result = gridplan(*request(given, "-o", plan, "--json"), lang=lang)
        told = json.loads(result.stdout)
        assert result.exit_code == told["exit_code"] == 3
        faults = [f for f in told["findings"] if f["outcome"] == "error"]
        assert sorted(f["key"] for f in faults) == keys
        assert all(f["file"] and f["layer"] and f["what"] and f["mend"] for f in faults)
        assert all(any("一" <= c <= "鿿" for c in f["mend"]) == (lang == "zh")
                   for f in faults)
    assert plan.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["input", "plan.gpkg"]


def test_b62_codes_and_names_stay_text(frames, files, tmp_path):
    odd = ["NA", "001"]
    given = {**files, "boundaries": save(frames["boundaries"].assign(
        社区编码=odd, 社区名称=["null", "007"]), tmp_path / "b.gpkg")}
    plan = tmp_path / "plan.gpkg"
    assert gridplan(*request(given, "-o", plan)).exit_code == 0
    assert read_rows(plan, "SELECT community_id, name FROM communities ORDER BY 1 DESC") == [
        ("NA", "null"), ("001", "007")]
    hold_good(plan)


def test_b24_made_codes_never_meet_given_ones(frames, files, tmp_path):
    plan = tmp_path / "plan.gpkg"
    given = {**files, "boundaries": save(frames["boundaries"].assign(
        社区编码=pd.Series([None, "C001"], dtype="string")), tmp_path / "b.gpkg")}
    result = gridplan(*request(given, "-o", plan))
    assert result.exit_code == 0, result.stderr
    assert "read.ids_made" in result.stderr
    assert len(set(read_rows(plan, "SELECT community_id FROM communities"))) == 2


def test_a_file_is_named_by_its_option_too(frames, files, tmp_path):
    two = tmp_path / "two.gpkg"
    for layer in ("draft", "final"):
        save(frames["boundaries"], two, layer=layer)
    given = {**files, "boundaries": two}
    plan = tmp_path / "plan.gpkg"
    assert gridplan(*request(given, "-o", plan)).exit_code == 3
    assert gridplan(*request(given, "-o", plan, "--layer", "boundary=final")).exit_code == 2
    assert not plan.exists()
    assert gridplan(*request(given, "-o", plan, "--layer", "boundaries=final")).exit_code == 0


def test_a_list_that_a_planner_filled_in_is_never_overwritten(town, files, frames, tmp_path):
    plan, beside = tmp_path / "plan.gpkg", tmp_path / "plan_ledger.xlsx"
    words = request({**files, "estates": town / "estates.gpkg"}, "-o", plan)
    assert gridplan(*words, "--ledger", town / "ledger.xlsx").exit_code == 0
    head, *rows = CalamineWorkbook.from_path(beside).get_sheet_by_index(0).to_python()
    filled = pd.DataFrame(rows, columns=head, dtype=str).assign(confirm="no")
    filled.to_excel(beside, index=False, engine="xlsxwriter")
    mine = beside.read_bytes()
    for ledger in (town / "ledger.xlsx", beside):
        result = gridplan(*words, "--ledger", ledger)
        assert result.exit_code == 2
        assert "plan_ledger.xlsx" in result.stderr
        assert beside.read_bytes() == mine
    assert gridplan("check", plan).exit_code == 0


@pytest.mark.parametrize("name", ["plan.shp", "plan.geojson", "plan"])
def test_b58_a_plan_is_written_under_the_name_of_its_format_only(name, files, tmp_path):
    assert gridplan(*request(files, "-o", tmp_path / name)).exit_code == 2
    assert not list(tmp_path.iterdir())


# ---- hostile names --------------------------------------------------------------------------

@pytest.fixture(scope="module")
def hostile(frames, tmp_path_factory):
    """A plan, its map and its ledger list, in which every name is hostile."""
    folder = tmp_path_factory.mktemp("hostile")

    def name(role, column):
        frame = frames[role]
        named = frame.assign(**{column: [NAMES[k % len(NAMES)] for k in range(len(frame))]})
        return save(named, folder / f"{role}.gpkg")

    given = {"boundaries": name("boundaries", "社区名称"), "buildings": name("buildings", "楼名"),
             "roads": name("roads", "name"), "estates": name("estates", "小区名称")}
    (folder / "ledger.csv").write_text(
        "小区,幢号,户数\n" + "".join(f"{n},=2,5\n" for n in (EVIL, "=1+1", "@x")),
        encoding="utf-8")
    plan = folder / "plan.gpkg"
    result = gridplan(*request(given, "--ledger", folder / "ledger.csv", "-o", plan))
    assert result.exit_code == 0, result.stderr
    hold_good(plan)
    return plan


def test_b85_hostile_names_reach_the_plan_as_they_are(hostile):
    assert set(read_rows(hostile, "SELECT name FROM communities")) == {
        (n,) for n in NAMES[:2]}
    assert (NAMES[3],) in read_rows(hostile, "SELECT name FROM roads")


def test_b74_the_list_beside_the_plan_holds_no_formula(hostile):
    beside = hostile.with_name("plan_ledger.xlsx")
    cells = {str(v) for row in CalamineWorkbook.from_path(beside).get_sheet_by_index(0).to_python()
             for v in row}
    assert {EVIL, "=1+1", "@x"} <= cells
    with zipfile.ZipFile(beside) as packed:
        sheets = [packed.read(n) for n in packed.namelist() if n.startswith("xl/worksheets/")]
    assert not any(b"<f>" in s or b"<f " in s for s in sheets)


def test_b85_hostile_names_do_nothing_on_the_map(hostile):
    playwright = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not there")
    seen = []
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM,
                                       args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(offline=True, viewport={"width": 390, "height": 844}).new_page()
        page.on("dialog", lambda d: (seen.append(d.message), d.dismiss()))
        page.on("pageerror", lambda e: seen.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith(("file:", "blob:", "data:"))
                else seen.append(r.url))
        page.goto(hostile.with_suffix(".html").as_uri())
        page.wait_for_timeout(800)
        for y in range(250, 800, 60):
            page.mouse.click(195, y)
        page.wait_for_timeout(200)
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
    assert seen == []


# ---- two at once, held, killed, no room -----------------------------------------------------

def test_b89_of_two_runs_on_one_plan_one_stops_and_names_the_other(files, tmp_path):
    plan = tmp_path / "plan.gpkg"
    runs = [start(*request(files, "-o", plan, "--seed", seed)) for seed in (1, 2)]
    told = [(run.communicate()[1], run.returncode) for run in runs]
    # Where one is done before the other begins, both may write.
    assert sorted(code for _, code in told) in ([0, 6], [0, 0])
    for (text, code), other in zip(told, reversed(runs), strict=True):
        assert code == 0 or str(other.pid) in text
    assert [p.name for p in tmp_path.iterdir()] == ["plan.gpkg"]
    hold_good(plan)


HOLDER = """
import sqlite3, sys
base = sqlite3.connect(sys.argv[1], isolation_level=None)
for name in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
    base.create_function(name, 1, lambda shape: 0)
base.execute("PRAGMA journal_mode = WAL")
first, second = [r[0] for r in base.execute("SELECT grid_id FROM grids ORDER BY 1 LIMIT 2")]
base.execute("UPDATE grids SET note = 'committed' WHERE grid_id = ?", (first,))
base.execute("BEGIN IMMEDIATE")
base.execute("UPDATE grids SET note = 'open' WHERE grid_id = ?", (second,))
print("ready", flush=True)
sys.stdin.readline()
base.execute("COMMIT")
base.close()
"""


def test_b93_a_plan_that_is_open_elsewhere_keeps_every_edit(files, plan):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, plan], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == "ready\n"
    before = {p.name: p.read_bytes() for p in plan.parent.glob("*") if p.suffix != ".gpkg-shm"}
    stopped = gridplan(*request(files, "-o", plan, "--no-copy"))
    copied = start(*request(files, "-o", plan, "--json"))
    told = json.loads(copied.communicate()[0])
    during = {name: (plan.parent / name).read_bytes() for name in before}
    holder.communicate("\n")
    assert (stopped.exit_code, told["exit_code"]) == (6, 0)
    assert during == before
    copy = Path(told["written"][0])
    assert copy.parent == plan.parent
    assert copy.name != plan.name
    hold_good(copy)
    assert sorted(read_rows(plan, "SELECT note FROM grids WHERE note <> ''")) == [
        ("committed",), ("open",)]


def test_b88_a_run_that_is_killed_leaves_the_old_plan_or_the_new(files, plan):
    old = plan.read_bytes()
    for wait in (0.9, 1.6):
        run = start(*request(files, "-o", plan, "--seed", 3))
        time.sleep(wait)
        run.kill()
        run.communicate()
        assert read_rows(plan, "PRAGMA quick_check") == [("ok",)]
    assert gridplan(*request(files, "-o", plan)).exit_code == 0
    assert [p.name for p in plan.parent.iterdir()] == ["plan.gpkg"]
    assert plan.read_bytes() == old


@pytest.mark.skipif(sys.platform == "win32", reason="needs ulimit")
def test_b87_without_room_the_old_plan_stays(files, plan):
    old = plan.read_bytes()
    words = " ".join(f"'{w}'" for w in request(files, "-o", plan))
    run = subprocess.run(
        ["bash", "-c", f"ulimit -f 200; trap '' XFSZ; '{sys.executable}' -m gridplan {words}"],
        capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 6, run.stderr
    assert "plan.gpkg" in run.stderr
    assert plan.read_bytes() == old
    assert [p.name for p in plan.parent.iterdir()] == ["plan.gpkg"]


# ---- odd towns: a plan that passes the check, and a map -------------------------------------

def carry(frame, lon, lat):
    """Return a layer in degrees, carried to another place of the globe."""
    there = frame.to_crs(4326)
    centre = np.array([121.29, 33.33])
    wide = np.array([np.cos(np.radians(centre[1])) / np.cos(np.radians(lat)), 1.0])
    return there.set_geometry(gpd.GeoSeries(shapely.transform(
        there.geometry.to_numpy(), lambda xy: (xy - centre) * wide + (lon, lat)),
        index=there.index, crs=4326))


def in_the_south(frames):
    return {role: carry(frame, 151.2, -33.87) for role, frame in frames.items()}


def in_several_systems(frames):
    """B35, B36."""
    return {"boundaries": frames["boundaries"].to_crs(4490),
            "buildings": frames["buildings"].to_crs(3857), "roads": frames["roads"].to_crs(32650)}


def with_point_buildings(frames):
    houses = frames["buildings"]
    return {**frames, "buildings": houses.set_geometry(houses.geometry.representative_point())}


def with_one_building(frames):
    houses = frames["buildings"]
    inside = houses.intersects(frames["boundaries"].geometry.iloc[0]) & houses["户数"].notna()
    return {**frames, "buildings": houses[inside].iloc[:1]}


def with_an_empty_community(frames):
    houses = frames["buildings"]
    return {**frames, "buildings": houses[houses.within(frames["boundaries"].geometry.iloc[0])]}


def with_an_enclave(frames):
    """B17: a community inside another one."""
    first = frames["boundaries"].iloc[[0]]
    disc = first.geometry.iloc[0].representative_point().buffer(150)
    rest = with_shape(frames["boundaries"], 0, first.geometry.iloc[0].difference(disc))
    inner = first.assign(社区编码="990101001099").set_geometry([disc], crs=CRS)
    return {**frames, "boundaries": pd.concat([rest, inner], ignore_index=True)}


def with_an_exclave(frames):
    """B14: a community of two pieces."""
    shape = frames["boundaries"].geometry.iloc[0]
    west, south = frames["boundaries"].total_bounds[:2]
    away = box(west - 500, south - 500, west - 400, south - 400)
    return {**frames, "boundaries": with_shape(frames["boundaries"], 0,
                                               MultiPolygon([shape, away]))}


def with_roads_turned(frames):
    """Roads run across houses, and borders across dead ends."""
    roads = frames["roads"]
    return {**frames, "roads": roads.set_geometry(roads.geometry.rotate(
        40, origin=frames["boundaries"].union_all().centroid))}


def with_overlapping_houses(frames):
    """A few outlines that cover others, as a podium covers its towers."""
    houses = frames["buildings"]
    wide = np.where(np.arange(len(houses)) % 40 == 0, 6.0, 0.0)
    return {**frames, "buildings": houses.set_geometry(houses.geometry.buffer(wide))}


def without_communities(frames):
    return {role: frame for role, frame in frames.items() if role != "boundaries"}


@pytest.mark.parametrize("change", [
    in_the_south, in_several_systems, with_point_buildings, with_one_building,
    with_an_empty_community, with_an_enclave, with_an_exclave, with_roads_turned,
    with_overlapping_houses, without_communities],
    ids=lambda f: f.__name__)
def test_an_odd_town_gets_a_plan_that_passes_the_check(change, frames, files, tmp_path):
    layers = change({role: frames[role] for role in files})
    given = {role: save(frame, tmp_path / f"{role}.gpkg") for role, frame in layers.items()}
    plan = tmp_path / "plan.gpkg"
    proposed = [] if "boundaries" in given else ["--delineate"]
    result = gridplan(*request(given, *proposed, "-o", plan))
    assert result.exit_code == 0, result.stderr
    hold_good(plan)
    held = [read_rows(plan, f"SELECT sum(households) FROM {name}")
            for name in ("communities", "grids", "units", "buildings")]
    assert len({row[0][0] for row in held}) == 1
