"""The plan file: it reads back, its bytes do not depend on the run, what users add stays."""

import contextlib
import dataclasses
import shutil
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely

from gridplan.errors import Findings, InputError, MachineError, TallyRow
from gridplan.i18n import load_room
from gridplan.layers import LAYERS, Source, conform
from gridplan.plan import (
    Plan,
    StageTime,
    carry_over,
    column_title,
    digest_layer,
    digest_rows,
    read_plan,
    source_rows,
    style_layer,
    tally_frame,
    write_plan,
)

CRS = "EPSG:4534"
CODE = 123456789012345678  # more digits than a float holds


def frame(name: str, shapes: list, /, **columns) -> gpd.GeoDataFrame:
    return conform(name, gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS))


def squares(n: int) -> list:
    return [shapely.box(i * 100, 0, i * 100 + 100, 100) for i in range(n)]


def make_plan(**layers) -> Plan:
    """Two grids of one community, in every layer that a partition makes."""
    lines = [shapely.LineString([(i, 0), (i, 100)]) for i in (0, 100)]
    base = {
        "communities": frame("communities", [shapely.box(0, 0, 200, 100)], community_id=["C001"],
                             name=["东街"], households=[700], kind=["urban"], status=["ok"]),
        "grids": frame("grids", squares(2), grid_id=["C001-001", "C001-002"], seq=[1, 2],
                       households=[350, None], locked=[True, None], compactness=[0.7853981633974483,
                                                                                 None],
                       kind=["basic", "basic"], status=["ok", "small"]),
        "units": frame("units", squares(2), unit_id=["a", "b"], households=[350, 350]),
        "borders": frame("borders", lines[1:], border_id=["1"], inside_block=[False],
                         length_m=[100.0], road_class=["primary"]),
        "buildings": frame("buildings", [shapely.box(1, 1, 9, 9), shapely.Point(150, 50)],
                           building_id=["b1", "b2"], floors=[3.0, None]),
        "roads": frame("roads", lines, road_id=["r1", "r2"], road_class=["primary", "service"],
                       level=[0, -1], structure=["grade", "tunnel"]),
        "barriers": frame("barriers", [lines[0], shapely.box(0, 0, 5, 5)],
                          barrier_id=["x", "y"], kind=["rail", "water"]),
        "specials": frame("specials", [], special_id=[]),
        "figures": pd.DataFrame({"name": ["road_share", "grids"], "scope": ["city", "city"],
                                 "scope_id": ["all", ""], "value": [0.75, 2.0]}),
        "run": pd.DataFrame({"key": ["seed", "data_date"], "value": ["1", "2026-11-20"]}),
    }
    return Plan({**base, **layers}, CRS, stages=(StageTime("read", 1.0, 100.0),))


def assert_same(one: Plan, two: Plan) -> None:
    assert list(one.layers) == list(two.layers)
    for name, left in one.layers.items():
        right = two.layers[name]
        if LAYERS[name].geometry:
            left = left.sort_values(LAYERS[name].key, ignore_index=True)
            assert shapely.equals(shapely.normalize(left.geometry.array),
                                  shapely.normalize(right.geometry.array)).all()
            assert right.crs == left.crs
            left, right = (pd.DataFrame(f.drop(columns="geometry")) for f in (left, right))
        pd.testing.assert_frame_equal(left, right, obj=name)


def query(path: Path, sql: str, *values: object) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        for name in ("IsEmpty", "MinX", "MaxX", "MinY", "MaxY"):  # the triggers of GDAL name them
            db.create_function(f"ST_{name}", 1, lambda shape: 0)
        rows = db.execute(sql, values).fetchall()
        db.commit()
    return rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.gpkg"


def keys_of(caught) -> list[tuple[str, str, str]]:
    assert all(f.mend("zh") and f.what("en") for f in caught.value.findings)
    return [(f.key.removeprefix("plan."), f.layer, f.field) for f in caught.value.findings]


# ---- round trip ----

def test_what_is_written_is_read_back(path):
    plan = make_plan()
    assert write_plan(plan, path).path == path
    back = read_plan(path)
    assert_same(plan.with_layers(tally=tally_frame(Findings())), back)
    assert back.run == {"seed": "1", "data_date": "2026-11-20"}
    assert (back.crs.to_epsg(), back.origin, back.extra) == (4534, path, ())
    assert [str(t) for t in back.layers["grids"][["seq", "locked", "compactness", "name"]].dtypes
            ] == ["Int64", "boolean", "Float64", "string"]


def test_every_layer_of_the_contract_can_be_written_without_rows(path):
    empty = Plan({name: Plan({}, CRS).layer(name) for name in LAYERS}, CRS)
    write_plan(empty, path)
    assert_same(empty, read_plan(path))


def test_names_are_text_whatever_they_say(path):
    names = ["<img src=x onerror=alert(1)>", "户" * 10_000, "😀\u202eRTL", "NA", "001002003",
             "=1+1", "'; DROP TABLE grids; --", "a\nb\t${c}"]
    plan = make_plan(grids=frame("grids", squares(8), grid_id=[f"{i:015d}" for i in range(8)],
                                 name=names))
    write_plan(plan, path)
    back = read_plan(path).layers["grids"]
    assert back["name"].tolist() == names
    assert back["grid_id"].tolist() == [f"{i:015d}" for i in range(8)]


def test_geometries_get_the_type_of_the_contract(path):
    box = shapely.box(0, 0, 9, 9)
    plan = make_plan(grids=frame("grids", [shapely.MultiPolygon([box])], grid_id=["g"]),
                     units=frame("units", [shapely.force_3d(box, 5)], unit_id=["u"]))
    write_plan(plan, path)
    types = dict(query(path, "SELECT table_name, geometry_type_name FROM gpkg_geometry_columns"))
    assert types == {"communities": "MULTIPOLYGON", "grids": "POLYGON", "units": "POLYGON",
                     "borders": "LINESTRING", "buildings": "GEOMETRY", "roads": "LINESTRING",
                     "barriers": "GEOMETRY", "specials": "MULTIPOLYGON"}
    back = read_plan(path)
    assert back.layers["communities"].geom_type.tolist() == ["MultiPolygon"]
    assert back.layers["grids"].geom_type.tolist() == ["Polygon"]
    assert not back.layers["units"].has_z.any()


def test_buildings_of_one_kind_are_a_layer_of_that_kind(path):
    box = shapely.box(0, 0, 9, 9)
    write_plan(make_plan(buildings=frame("buildings", [box, shapely.MultiPolygon([box])],
                                         building_id=["a", "b"])), path)
    assert query(path, "SELECT geometry_type_name FROM gpkg_geometry_columns "
                       "WHERE table_name = 'buildings'") == [("MULTIPOLYGON",)]


def test_the_key_is_the_first_column_and_unique(path):
    write_plan(make_plan(), path)
    for name in ("grids", "run", "figures"):
        columns = [row[1] for row in query(path, f"PRAGMA table_info({name})")]
        assert [c for c in columns if c not in ("fid", "geom")] == LAYERS[name].names
    with pytest.raises(sqlite3.IntegrityError):
        query(path, "INSERT INTO run (key, value) VALUES ('seed', '2')")
    with pytest.raises(sqlite3.IntegrityError):
        query(path, "INSERT INTO figures (name, scope, scope_id) VALUES ('grids', 'city', '')")


def test_the_command_goes_into_the_run_table(path):
    write_plan(make_plan(), path, command="partition")
    assert read_plan(path).run["command"] == "partition"


# ---- determinism ----

def test_the_same_plan_gives_the_same_bytes(tmp_path):
    plan = make_plan()
    shuffled = plan.with_layers(units=plan.layers["units"].iloc[::-1])
    write_plan(plan, tmp_path / "a.gpkg")
    write_plan(shuffled, tmp_path / "b.gpkg")
    write_plan(read_plan(tmp_path / "a.gpkg"), tmp_path / "c.gpkg")
    bytes_of = [(tmp_path / f"{n}.gpkg").read_bytes() for n in "abc"]
    assert bytes_of[0] == bytes_of[1]
    assert bytes_of[0] == bytes_of[2]


def test_b91_place_and_time_change_no_byte(tmp_path):
    write_plan(make_plan(), tmp_path / "a.gpkg")
    code = (f"import sys; sys.path[:0] = [{str(Path(__file__).parents[1])!r}, "
            f"{str(Path(__file__).parent)!r}]; import test_plan as t; "
            f"t.write_plan(t.make_plan(), {str(tmp_path / 'b.gpkg')!r})")
    subprocess.run([sys.executable, "-c", code], check=True,
                   env={"LC_ALL": "C", "TZ": "Asia/Shanghai", "PYTHONHASHSEED": "7"})
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()


@pytest.mark.parametrize(("epoch", "said", "date"), [
    ("", "2026-11-20", "2026-11-20"), ("1700000000", "2026-11-20", "2023-11-14"),
    ("", "", "1970-01-01"), ("", "last week", "1970-01-01")])
def test_the_date_is_that_of_the_data(path, monkeypatch, epoch, said, date):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    write_plan(make_plan().with_run({"data_date": said}), path)
    dates = query(path, "SELECT DISTINCT substr(last_change, 1, 10) FROM gpkg_contents UNION "
                        "SELECT DISTINCT substr(update_time, 1, 10) FROM layer_styles")
    assert dates == [(date,)]


def test_options_of_gdal_are_as_before(path):
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    write_plan(make_plan(), path)
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") == before


# ---- faults when writing ----

def test_b24_duplicate_and_missing_ids_are_all_named(path):
    plan = make_plan(grids=frame("grids", squares(4), grid_id=["g1", "g1", "g2", None]),
                     units=frame("units", squares(2), unit_id=["", "u"]),
                     figures=pd.DataFrame({"name": ["a", "a"], "scope": ["city", "city"]}))
    with pytest.raises(InputError) as caught:
        write_plan(plan, path)
    assert keys_of(caught) == [("missing_key", "grids", "grid_id"),
                               ("duplicate_key", "grids", "grid_id"),
                               ("missing_key", "units", "unit_id"),
                               ("duplicate_key", "figures", "name + scope + scope_id")]
    assert [f.row for f in caught.value.findings] == ["4", "g1", "1", "a / city / "]
    assert not path.exists()


@pytest.mark.parametrize("shape", [
    None, shapely.Polygon(), shapely.Point(0, 0), shapely.LineString([(0, 0), (1, 1)]),
    shapely.MultiPolygon(squares(3)[::2]), shapely.GeometryCollection([shapely.box(0, 0, 1, 1)])])
def test_a_grid_that_is_no_polygon_is_named(path, shape):
    with pytest.raises(InputError) as caught:
        write_plan(make_plan(grids=frame("grids", [*squares(1), shape], grid_id=["g1", "g2"])),
                   path)
    assert keys_of(caught) == [("wrong_geometry", "grids", "")]
    assert caught.value.findings[0].row == "g2"


def test_a_layer_that_is_not_of_the_contract_is_our_mistake():
    with pytest.raises(ValueError, match="streets"):
        Plan({"streets": pd.DataFrame()}, CRS)


# ---- faults when reading ----

@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_b41_a_plan_that_was_cut_is_named(path, share):
    write_plan(make_plan(), path)
    path.write_bytes(path.read_bytes()[:int(path.stat().st_size * share)])
    with pytest.raises(InputError) as caught:
        read_plan(path)
    assert keys_of(caught)[0][0] in ("damaged", "not_a_plan")
    assert caught.value.findings[0].file == "plan.gpkg"


def dump(path: Path) -> list[list[tuple]]:
    """All rows of all tables but the styles, whose long texts SQLite does not check."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        tables = [row[0] for row in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return [db.execute(f'SELECT * FROM "{t}"').fetchall() for t in tables
                if t != "layer_styles"]


def test_b42_a_lost_page_is_found_or_was_of_no_use(path):
    write_plan(make_plan(), path)
    whole, rows = path.read_bytes(), dump(path)
    found = 0
    for page in range(0, len(whole) // 4096, 3):
        path.write_bytes(whole[:page * 4096] + bytes(4096) + whole[(page + 1) * 4096:])
        try:
            read_plan(path)
        except InputError:
            found += 1
        else:
            assert dump(path) == rows, f"page {page} was lost without a word"
    assert found > 20


@pytest.mark.parametrize(("content", "key"), [
    (None, "absent"), (b"", "not_a_plan"), (b"<html>Login</html>", "not_a_plan")])
def test_b53_b59_what_is_no_plan_is_refused(path, content, key):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_plan(path)
    assert keys_of(caught) == [(key, "", "")]
    assert path.exists() == (content is not None)


def test_a_database_that_is_no_geopackage_is_refused(path):
    query(path, "CREATE TABLE t (a)")
    with pytest.raises(InputError, match="not_a_plan"):
        read_plan(path)


def test_a_geopackage_that_is_no_plan_is_refused(path):
    gpd.GeoDataFrame({"a": [1]}, geometry=squares(1), crs=CRS).to_file(path, layer="mine")
    with pytest.raises(InputError) as caught:
        read_plan(path)
    assert keys_of(caught) == [("missing_layer", "run", "")]


def test_all_that_is_wrong_with_the_layers_is_named_at_once(path):
    write_plan(make_plan(), path)
    query(path, "ALTER TABLE units DROP COLUMN block_id")
    query(path, "ALTER TABLE units DROP COLUMN households")
    query(path, "UPDATE communities SET status = 'fine', kind = NULL")
    query(path, "UPDATE roads SET level = 'high' WHERE road_id = 'r2'")
    query(path, "DROP INDEX borders_key")
    query(path, "UPDATE borders SET border_id = NULL")
    with pytest.raises(InputError) as caught:
        read_plan(path)
    assert ("bad_value", "communities", "status") in keys_of(caught)
    assert ("missing_column", "units", "block_id") in keys_of(caught)
    assert ("missing_column", "units", "households") in keys_of(caught)
    assert ("missing_key", "borders", "border_id") in keys_of(caught)
    assert "fine" in str(caught.value)


def test_b35_layers_in_two_crs_are_named(path):
    write_plan(make_plan(), path)
    units = gpd.read_file(path, layer="units")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM gpkg_ogr_contents WHERE table_name = 'units'")
    units.to_crs(32645).to_file(path, layer="units")
    with pytest.raises(InputError) as caught:
        read_plan(path)
    assert keys_of(caught) == [("wrong_crs", "units", "")]
    assert "EPSG:32645" in str(caught.value)


def test_a_geopackage_that_is_no_plan_is_not_written_over(path):
    mine = gpd.GeoDataFrame({"name": ["a"]}, geometry=squares(1), crs=CRS)
    mine.to_file(path, layer="roads")
    mine.to_file(path, layer="mine")
    with pytest.raises(InputError) as caught:
        write_plan(make_plan(), path)
    assert keys_of(caught) == [("not_ours", "", "")]
    assert "mine, roads" in str(caught.value)
    assert gpd.read_file(path, layer="roads")["name"].tolist() == ["a"]
    write_plan(make_plan(), path, force=True)
    assert read_plan(path).extra == ("mine",)


def test_b36_a_plan_in_degrees_is_named(path):
    degrees = {n: f.set_crs(4326, allow_override=True) if LAYERS[n].geometry else f
               for n, f in make_plan().layers.items()}
    write_plan(Plan(degrees, "EPSG:4326"), path)
    with pytest.raises(InputError, match="wrong_crs"):
        read_plan(path)


# ---- what users add ----

def add_own_things(path: Path) -> None:
    """A layer, a table, a column, a QGIS project and two styles, as QGIS leaves them."""
    gpd.GeoDataFrame({"text": ["树", "b"], "when": pd.to_datetime(["2026-01-01", None])},
                     geometry=[shapely.Point(1, 1), shapely.Point(2, 2)], crs="EPSG:4326",
                     ).to_file(path, layer="My trees", mode="a")
    query(path, "CREATE TABLE qgis_projects (name TEXT PRIMARY KEY, content BLOB)")
    query(path, "INSERT INTO qgis_projects VALUES ('view', ?)", b"\x00\xff")
    query(path, "ALTER TABLE grids ADD COLUMN my_note TEXT")
    query(path, "ALTER TABLE grids ADD COLUMN my_count INTEGER")
    query(path, f"UPDATE grids SET my_note = 'keep', my_count = {CODE} WHERE grid_id = 'C001-002'")
    query(path, "UPDATE layer_styles SET styleQML = '<qgis/>' WHERE f_table_name = 'roads'")
    query(path, "INSERT INTO layer_styles (f_table_name, styleName, styleQML, useAsDefault) "
                "VALUES ('My trees', 'trees', '<qgis/>', 1)")


def assert_own_things(path: Path) -> None:
    trees = gpd.read_file(path, layer="My trees")
    assert trees["text"].tolist() == ["树", "b"]
    assert trees.crs.to_epsg() == 4326
    assert len(gpd.read_file(path, layer="My trees", bbox=(1.5, 1.5, 3, 3))) == 1
    assert query(path, "SELECT * FROM qgis_projects") == [("view", b"\x00\xff")]
    assert query(path, "SELECT useAsDefault, styleQML FROM layer_styles WHERE f_table_name = "
                       "'roads' AND styleQML = '<qgis/>'") == [(1, "<qgis/>")]
    assert query(path, "SELECT count(*) FROM layer_styles WHERE useAsDefault "
                       "GROUP BY f_table_name HAVING count(*) > 1") == []
    assert query(path, "SELECT styleName FROM layer_styles WHERE f_table_name = 'My trees'"
                 ) == [("trees",)]
    assert len(query(path, 'SELECT * FROM "rtree_My trees_geom"')) == 2
    grids = read_plan(path).layers["grids"]
    types = {row[1]: row[2] for row in query(path, "PRAGMA table_info(grids)")}
    assert (types["my_note"], types["my_count"]) == ("TEXT", "INTEGER")
    assert grids.set_index("grid_id").loc["C001-002", ["my_note", "my_count"]].tolist() == [
        "keep", CODE]


def test_own_layers_tables_columns_and_styles_stay_when_a_plan_is_read_and_written(tmp_path, path):
    write_plan(make_plan(), path)
    add_own_things(path)
    plan = read_plan(path)
    assert plan.extra == ("My trees", "qgis_projects")
    write_plan(plan, path)
    assert_own_things(path)
    write_plan(read_plan(path), tmp_path / "new.gpkg")
    assert_own_things(tmp_path / "new.gpkg")
    assert path.read_bytes() == (tmp_path / "new.gpkg").read_bytes()


def test_own_things_stay_when_a_new_plan_goes_over_an_old_one(tmp_path, path):
    write_plan(make_plan(), path)
    add_own_things(path)
    shutil.copy(path, tmp_path / "old.gpkg")
    write_plan(make_plan(), path)
    assert_own_things(path)
    write_plan(carry_over(tmp_path / "old.gpkg", make_plan()), tmp_path / "new.gpkg")
    assert_own_things(tmp_path / "new.gpkg")


def test_a_style_of_ours_that_nobody_changed_is_renewed(path):
    write_plan(make_plan(), path, lang="en")
    write_plan(read_plan(path), path, lang="zh")
    rows = query(path, "SELECT f_table_name, useAsDefault, styleQML FROM layer_styles")
    assert len(rows) == len({r[0] for r in rows})
    assert "户数" in {r[0]: r[2] for r in rows}["grids"]


def test_b93_an_edit_after_reading_is_not_overwritten(path):
    write_plan(make_plan(), path)
    plan = read_plan(path)
    query(path, "UPDATE run SET value = 'edited' WHERE key = 'seed'")
    written = write_plan(plan, path)
    assert written.copied
    assert read_plan(path).run["seed"] == "edited"
    with pytest.raises(MachineError, match="held"):
        write_plan(plan, path, no_copy=True)


def test_b93_edits_waiting_in_the_wal_are_read(tmp_path, path):
    write_plan(make_plan(), path)
    code = ("import os, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n"
            "db.execute('PRAGMA journal_mode=WAL')\n"
            "db.execute(\"UPDATE run SET value = 'edited' WHERE key = 'seed'\")\n"
            "db.commit()\nos._exit(0)")
    subprocess.run([sys.executable, "-c", code, path], check=True)
    assert (tmp_path / "plan.gpkg-wal").stat().st_size > 0
    plan = read_plan(path)
    assert plan.run["seed"] == "edited"
    assert [f.key for f in plan.findings.items] == ["outputs.wal_settled"]
    assert not write_plan(plan, path).copied


# ---- styles ----

def test_every_drawn_layer_has_a_style_that_parses(path):
    write_plan(make_plan(), path, lang="zh")
    rows = query(path, "SELECT f_table_name, f_geometry_column, styleQML, useAsDefault, styleName "
                       "FROM layer_styles ORDER BY id")
    for name, geometry, qml, default, _ in rows:
        assert (geometry == "geom") == bool(LAYERS[name].geometry)
        assert default == 1
        root = ET.fromstring(qml)
        assert [a.get("field") for a in root.find("aliases")] == LAYERS[name].names
        if geometry:
            rules = root.findall(".//rule")
            symbols = {s.get("name") for s in root.find("renderer-v2/symbols")}
            assert {r.get("symbol") for r in rules} <= symbols
    assert [r[0] for r in rows] == [n for n in LAYERS if n in (*make_plan().layers, "tally")]


def test_grids_are_coloured_over_the_range_of_the_run():
    qml = style_layer("grids", "POLYGON", {"range:urban": "160/260"})
    labels = [r.get("label") for r in ET.fromstring(qml).findall(".//rule")]
    assert labels[:5] == ["160–179", "180–199", "200–219", "220–239", "240–260"]


def test_labels_are_plain_text():
    text = ET.fromstring(style_layer("communities", "MULTIPOLYGON", {})).find(".//text-style")
    assert text.get("allowHtml") == "0"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_column_has_a_title(lang):
    for layer in LAYERS.values():
        for column in layer.names:
            assert f"{layer.name}.{column}" in load_room("layers")
            assert column_title(layer.name, column, lang)
    assert column_title("grids", "own_column", lang) == "own_column"


# ---- helpers ----

def test_figures_are_found_by_name_and_scope():
    plan = make_plan()
    assert plan.figure("road_share", "all") == 0.75
    assert plan.figure("grids") == 2.0
    assert plan.figure("road_share", "inside_blocks") is None
    assert plan.figure("none") is None
    assert plan.figure("grids", scope="community") is None


def test_a_verb_is_told_all_layers_that_it_misses():
    with pytest.raises(InputError) as caught:
        make_plan().require("grids", "specials", "facilities")
    assert [f.layer for f in caught.value.findings] == ["specials", "facilities"]


def test_the_tally_is_a_layer():
    findings = Findings(tally=[TallyRow("read", "roads", 5, 4, rejected=1)])
    assert tally_frame(findings)[["stage", "rows_in", "rejected"]].values.tolist() == [
        ["read", 5, 1]]


def test_a_digest_does_not_depend_on_the_order_of_rows_or_columns_of_others(path):
    plan = make_plan()
    grids = plan.layers["grids"]
    digest = digest_layer(grids, "grids")
    assert digest == digest_layer(grids.iloc[::-1], "grids")
    assert digest == digest_layer(grids.assign(own=1), "grids")
    assert digest != digest_layer(grids.assign(own=1))
    assert digest != digest_layer(grids.assign(name=["a", "b"]), "grids")
    assert digest != digest_layer(grids.assign(households=[351, pd.NA]), "grids")
    assert digest != digest_layer(grids.set_geometry(grids.geometry.translate(1e-9)), "grids")
    write_plan(plan, path)
    assert digest_rows(read_plan(path), ["grids", "staff"]) == {"digest:grids": digest}


def test_sources_are_numbered():
    assert source_rows([Source("a.shp", "a", "12", 5), Source("b.gpkg", "x", "34", 5)]) == {
        "input:1:a.shp:a": "12", "input:2:b.gpkg:x": "34"}


def test_a_plan_is_not_changed_by_writing_it(path):
    plan = make_plan()
    before = dataclasses.replace(plan, layers={n: f.copy() for n, f in plan.layers.items()})
    write_plan(plan, path, lang="zh", command="x")
    assert_same(dataclasses.replace(before, layers={
        n: f.sort_values(LAYERS[n].key, ignore_index=True) if LAYERS[n].geometry else f
        for n, f in before.layers.items()}), plan)
