"""Grids are divided into groups of 80–150 households, or one estate, enterprise or site."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from studies import CRS, houses_in_rows, make_study

from gridplan.check import check_plan
from gridplan.errors import Findings
from gridplan.layers import Lines, Study, UnitBorders, Units
from gridplan.maps import render_map
from gridplan.params import Params, PartitionParams
from gridplan.partition.graph import Contacts, components
from gridplan.partition.groups import cut_groups
from gridplan.partition.inner import Homes
from gridplan.pipeline import plan_city
from gridplan.plan import Plan, read_plan, write_plan

LATTICE = [("residential", [(x, -10), (x, 410)]) for x in (100, 200, 300)] + [
    ("residential", [(-10, y), (410, y)]) for y in (100, 200, 300)]
# Sixteen blocks of 100 m, four houses each, from the south-west, row by row.
HOUSES = [h for j in range(4) for i in range(4)
          for h in houses_in_rows(20 + 100 * i, 20 + 100 * j, 2, 2)]


def plan_of(study: Study, households: pd.Series, params: Params | None = None,
            lang: str = "en") -> Plan:
    study.buildings["households"] = households.astype("Int64")
    study.buildings["households_source"] = "given"
    return plan_city(study, params or Params(), Findings(), lang=lang)


def lattice_plan(per_house: int | list[int] = 25, params: Params | None = None, lang: str = "en",
                 **more: object) -> Plan:
    counts = per_house if isinstance(per_house, list) else [per_house] * len(HOUSES)
    study, load = make_study(list(HOUSES), counts, LATTICE, **more)  # type: ignore[arg-type]
    return plan_of(study, load, params, lang)


@cache
def common_plan() -> Plan:
    return lattice_plan()


@cache
def estate_plan() -> Plan:
    """Four blocks are estates of 120, 60, 360 and 100 households; one block is a campus."""
    boxes = [shapely.box(100 * i + 4, 4, 100 * i + 96, 96) for i in range(4)]
    counts = [30] * 4 + [15] * 4 + [90] * 4 + [25] * 52
    study, load = make_study(list(HOUSES), counts, LATTICE, estates=boxes,
                             specials=[shapely.box(4, 304, 96, 396)])
    assert study.estates is not None
    assert study.specials is not None
    study.estates["name"] = ["Alder", "Birch", "Cedar", "Dogwood"]
    study.specials["name"], study.specials["kind"] = "Hill School", "campus"
    for block, name in enumerate(study.estates.index):
        rows = study.buildings.index[4 * block:4 * block + 4]
        study.buildings.loc[rows, "estate_id"] = name
        study.buildings.loc[rows, "number"] = ["1", "2", "3", "4"]
    return plan_of(study, load)


def assert_sound(plan: Plan) -> None:
    """Groups tile their grids exactly, in one piece each, and everybody points to his own."""
    groups, units, grids = plan.layer("groups"), plan.layer("units"), plan.layer("grids")
    assert groups["group_id"].is_unique
    assert (shapely.get_type_id(groups.geometry.to_numpy()) == 3).all()
    for frame in (units, plan.layer("buildings")):
        held = frame.groupby("group_id")["households"].sum()
        assert held.reindex(groups["group_id"]).fillna(0).tolist() == groups["households"].tolist()
        assert (frame["group_id"].str.rpartition("-")[0] == frame["grid_id"]).all()
    for grid, shape in zip(grids["grid_id"], grids.geometry, strict=True):
        mine = groups[groups["grid_id"] == grid]
        assert mine["group_id"].tolist() == [f"{grid}-{k:02d}" for k in range(1, len(mine) + 1)]
        assert shapely.union_all(mine.geometry.to_numpy()).symmetric_difference(shape).area < 1e-3
        assert mine.geometry.area.sum() == pytest.approx(shape.area)


# ---- what groups are -----------------------------------------------------------------------

def test_grids_are_divided_into_groups_in_range() -> None:
    plan = common_plan()
    assert_sound(plan)
    groups = plan.layer("groups")
    assert groups["households"].between(80, 150).all()
    assert (groups["kind"] == "buildings").all()
    assert (groups["head"] == "vacant").all()
    assert plan.figure("groups") == len(groups)
    assert plan.figure("groups_in_range") == 1.0


def test_one_solver_other_limits() -> None:
    params = Params(partition=PartitionParams(group=PartitionParams().urban))
    plan = lattice_plan(params=params)
    assert len(plan.layer("groups")) == len(plan.layer("grids"))


@pytest.mark.parametrize(("lang", "name"), [("en", "Group 2"), ("zh", "第二组")])
def test_a_group_without_numbers_is_named_by_its_place(lang: str, name: str) -> None:
    groups = lattice_plan(lang=lang).layer("groups")
    assert set(groups.loc[groups["group_id"].str.endswith("-02"), "name"]) == {name}


def test_groups_are_numbered_in_rows_from_the_north() -> None:
    groups = common_plan().layer("groups")
    for _, held in groups.groupby("grid_id"):
        middle = held.geometry.centroid
        first = middle.iloc[0]
        assert all(first.y >= p.y - 60 for p in middle)


def test_estates_that_fit_are_groups_and_others_hold_runs_of_their_numbers() -> None:
    plan = estate_plan()
    assert_sound(plan)
    groups = plan.layer("groups")
    alder = groups[groups["name"] == "Alder"]
    assert alder["kind"].tolist() == ["estate"]
    assert alder["households"].tolist() == [120]
    cedar = groups[groups["name"].str.startswith("Cedar")]
    assert set(cedar["name"]) == {"Cedar 1", "Cedar 2", "Cedar 3", "Cedar 4"}
    assert (cedar["kind"] == "buildings").all()
    assert cedar["households"].tolist() == [90] * 4


def test_small_estates_stay_whole() -> None:
    plan = estate_plan()
    held = plan.layer("buildings").dropna(subset="estate_id")
    per = held.groupby("estate_id")["group_id"].nunique()
    assert per.tolist()[:2] == [1, 1]
    assert per.tolist()[3] == 1


@pytest.mark.parametrize(("kind", "expected"), [("campus", "enterprise"), ("market", "enterprise"),
                                                ("park", "site"), ("cemetery", "site")])
def test_a_special_place_is_one_group_with_its_name(kind: str, expected: str) -> None:
    study, load = make_study(list(HOUSES), [25] * 64, LATTICE,
                             specials=[shapely.box(105, 105, 195, 195)])
    assert study.specials is not None
    study.specials["name"], study.specials["kind"] = "Hill", kind
    plan = plan_of(study, load)
    assert_sound(plan)
    grids, groups = plan.layer("grids"), plan.layer("groups")
    special = grids.loc[grids["kind"] == "special", "grid_id"]
    held = groups[groups["grid_id"].isin(special)]
    assert held["kind"].tolist() == [expected]
    assert held["name"].tolist() == ["Hill"]


def test_land_without_households_is_a_site() -> None:
    study, load = make_study(list(HOUSES), [25] * 64, [*LATTICE, (
        "residential", [(400, -10), (400, 410)])], [shapely.box(0, 0, 900, 400)])
    plan = plan_of(study, load)
    assert_sound(plan)
    groups = plan.layer("groups")
    assert set(groups.loc[groups["households"] == 0, "kind"]) == {"site"}


def test_a_building_above_the_range_is_its_own_group_and_counted() -> None:
    plan = lattice_plan([200] + [25] * 63)
    assert_sound(plan)
    groups = plan.layer("groups")
    high = groups[groups["households"] > 150]
    assert high["households"].tolist() == [200]
    assert high["kind"].tolist() == ["buildings"]
    figures = plan.layer("figures").set_index("name").loc["groups_in_range"]
    assert figures["numerator"] == figures["denominator"] - 1


def test_a_grid_below_the_range_is_one_group_and_counted() -> None:
    plan = lattice_plan(1)
    assert plan.layer("groups")["households"].tolist() == [64]
    assert plan.figure("groups_in_range") == 0.0


def test_groups_can_be_left_out(tmp_path: Path) -> None:
    plan = lattice_plan(params=Params(partition=PartitionParams(groups=False)))
    assert "groups" not in plan.layers
    assert plan.layer("units")["group_id"].isna().all()
    assert plan.layer("buildings")["group_id"].isna().all()
    assert plan.figure("groups") is None
    assert "digest:groups" not in plan.run
    assert check_plan(write_plan(plan, tmp_path / "plan.gpkg").path).broken == []


def test_groups_are_written_styled_and_read_back(tmp_path: Path) -> None:
    plan = common_plan()
    path = write_plan(plan, tmp_path / "plan.gpkg", lang="zh").path
    again = read_plan(path)
    pd.testing.assert_frame_equal(pd.DataFrame(again.layer("groups")).drop(columns="geometry"),
                                  pd.DataFrame(plan.layer("groups")).drop(columns="geometry"))
    with closing(sqlite3.connect(path)) as base:
        style = base.execute("SELECT styleQML FROM layer_styles WHERE f_table_name = 'groups'"
                             ).fetchone()[0]
    assert "二级网格编码" in style
    assert 'scaleMax="5000"' in style
    assert len(again.run["digest:groups"]) == 64


def test_a_head_that_was_filled_in_is_not_written_over(tmp_path: Path) -> None:
    path = write_plan(common_plan(), tmp_path / "plan.gpkg").path
    with closing(sqlite3.connect(path)) as base:
        for (trigger,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' "
                                       "AND tbl_name = 'groups'").fetchall():
            base.execute(f'DROP TRIGGER "{trigger}"')
        base.execute("UPDATE groups SET head = 'filled' WHERE group_id LIKE '%-01'")
        base.commit()
    again = write_plan(common_plan(), path)
    assert again.copied
    assert "filled" in set(read_plan(path).layer("groups")["head"])


def test_the_same_seed_gives_the_same_groups() -> None:
    one, two = common_plan().layer("groups"), lattice_plan().layer("groups")
    pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(two))


@pytest.mark.parametrize(("load", "expected"), [
    ([90, 50, 50, 90], [0, 1, 1, 2]), ([60, 50, 50, 60], [0, 0, 1, 1])])
def test_an_estate_that_fits_is_cut_only_where_a_group_would_miss_the_range(
        load: list[int], expected: list[int]) -> None:
    """90 – [50 – 50] – 90: cutting the estate would cost 1 of border, keeping it 18."""
    chain = Contacts(np.arange(3), np.arange(1, 4), np.full(3, 20.0), np.array([9.0, 1.0, 9.0]),
                     np.zeros(3, bool))
    nothing = np.zeros(4, dtype=np.int64)
    homes = Homes(np.array([-1, 3, 3, -1]), nothing, nothing > 0, nothing[:0])
    found = cut_groups(units_of(load), chain, nothing, np.array([True]), homes, Params())
    assert found.tolist() == expected


# ---- any grid ------------------------------------------------------------------------------

def units_of(households: list[int]) -> Units:
    """Units that are known by their households alone."""
    none = np.empty(0, dtype=np.int64)
    frame = gpd.GeoDataFrame({"households": np.array(households, dtype=np.int64)},
                             index=pd.Index([f"u{k}" for k in range(len(households))]),
                             geometry=[shapely.Point(k, 0) for k in range(len(households))],
                             crs=CRS)
    lines = Lines(*(np.empty(0, dtype=t) for t in (object, int, object, object, bool)))
    return Units(frame, pd.Series(dtype="string"), UnitBorders(
        none, none, np.empty((0, 2)), np.empty((0, 2)), none, none, lines))


@st.composite
def lattices(draw: st.DrawFn) -> tuple[list[int], Contacts, np.ndarray, np.ndarray, np.ndarray]:
    """Households, contacts, grid and estate of the units of a lattice, and what grids are basic."""
    wide, high = draw(st.integers(1, 7)), draw(st.integers(1, 6))
    count = wide * high
    load = draw(st.lists(st.sampled_from([0, 0, 5, 20, 35, 40, 60, 90, 160, 300]),
                         min_size=count, max_size=count))
    number = np.arange(count).reshape(high, wide)
    a = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    b = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    length = np.array(draw(st.lists(st.sampled_from([5.0, 20.0, 40.0]), min_size=len(a),
                                    max_size=len(a))))
    contacts = Contacts(a, b, length, length * 3, length > 30)
    # Two grids side by side, each a connected half of the lattice.
    split = draw(st.integers(1, wide))
    column = np.tile(np.arange(wide), high)
    grid = (column >= split).astype(np.int64)
    estate = np.where(column % 3 == 0, -1, column // 3).astype(np.int64)
    basic = np.array(draw(st.lists(st.booleans(), min_size=int(grid.max()) + 1,
                                   max_size=int(grid.max()) + 1)))
    return load, contacts, grid, estate, basic


@settings(max_examples=120, deadline=None)
@given(lattices())
def test_groups_of_any_grid_are_whole_connected_and_in_one_grid(
        case: tuple[list[int], Contacts, np.ndarray, np.ndarray, np.ndarray]) -> None:
    load, contacts, grid, estate, basic = case
    count = len(load)
    nothing = np.zeros(count, dtype=np.int64)
    homes = Homes(estate, nothing, nothing > 0, nothing[:0])
    group = cut_groups(units_of(load), contacts, grid, basic, homes, Params())
    assert sorted(set(group.tolist())) == list(range(int(group.max()) + 1))
    table = pd.DataFrame({"group": group, "grid": grid, "load": load})
    assert (table.groupby("group")["grid"].nunique() == 1).all()
    same = group[contacts.a] == group[contacts.b]
    assert components(count, contacts.a[same], contacts.b[same]).max() == group.max()
    total = table.groupby("grid")["load"].transform("sum")
    for name, held in table.groupby("group"):
        k = int(held["grid"].iloc[0])
        if not basic[k] or total[held.index[0]] <= 150:
            assert (table["grid"] == k).sum() == len(held), f"group {name}: the grid is one group"
        if (held["load"] > 150).any() and basic[k]:
            assert (held["load"] > 0).sum() == 1, f"group {name}: a large building stands alone"
        assert held["load"].any() or not total[held.index[0]], f"group {name}: empty land joins"
    # Where units are small and hang together, the solver meets every range that can be met.
    for k in np.flatnonzero(basic).tolist():
        held = table[table["grid"] == k]
        total_k = int(held["load"].sum())
        if held["load"].max() <= 20 and total_k >= 320 and len(held) > 12:
            assert held.groupby("group")["load"].sum().between(80, 150).all()


# ---- the verifier --------------------------------------------------------------------------

@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plan(estate_plan(), tmp_path_factory.mktemp("plan") / "good.gpkg").path


def test_the_verifier_finds_nothing_to_object_to(written: Path) -> None:
    report = check_plan(written)
    assert report.broken == []
    assert report.figures["groups:all"] == report.counts["groups"]


FIRST = "(SELECT group_id FROM groups WHERE name = 'Cedar 1')"
GRID = "(SELECT grid_id FROM groups WHERE name = 'Cedar 1')"
ELSE = "(SELECT group_id FROM groups WHERE name = 'Hill School')"


@pytest.mark.parametrize(("statements", "key"), [
    (f"UPDATE units SET group_id = {ELSE} WHERE group_id = {FIRST};", "group_elsewhere"),
    (f"UPDATE units SET group_id = NULL WHERE group_id = {FIRST};", "null_value"),
    (f"UPDATE units SET group_id = 'nowhere' WHERE group_id = {FIRST};", "dangling"),
    (f"UPDATE buildings SET group_id = {ELSE} WHERE group_id = {FIRST};", "group_owner"),
    (f"UPDATE buildings SET group_id = NULL WHERE group_id = {FIRST};", "group_owner"),
    (f"UPDATE groups SET households = households + 1 WHERE group_id = {FIRST};", "sum_differs"),
    (f"UPDATE groups SET kind = 'estate' WHERE group_id = {FIRST};", "group_kind"),
    (f"UPDATE groups SET kind = 'site' WHERE group_id = {FIRST};", "group_kind"),
    ("UPDATE groups SET kind = 'buildings' WHERE name = 'Alder';", "group_kind"),
    (f"UPDATE groups SET kind = 'buildings' WHERE group_id = {ELSE};", "group_kind"),
    (f"UPDATE groups SET kind = 'yard' WHERE group_id = {FIRST};", "bad_choice"),
    (f"UPDATE groups SET head = 'sleeping' WHERE group_id = {FIRST};", "bad_choice"),
    (f"UPDATE groups SET grid_id = 'nowhere' WHERE group_id = {FIRST};", "dangling"),
    ("UPDATE groups SET geom = (SELECT geom FROM groups WHERE name = 'Alder') "
     "WHERE name = 'Cedar 2';", "overlap"),
    ("UPDATE groups SET geom = (SELECT geom FROM units LIMIT 1) WHERE name = 'Hill School';",
     "gap"),
    ("UPDATE figures SET value = value + 1 WHERE name = 'groups';", "figure_differs"),
    ("UPDATE figures SET value = 0.1 WHERE name = 'groups_in_range';", "figure_differs"),
    ("UPDATE figures SET numerator = 1 WHERE name = 'groups_in_range';", "figure_differs"),
    ("DELETE FROM figures WHERE name = 'groups';", "figure_missing"),
    ("UPDATE figures SET value = 0.5 WHERE name = 'estate_border_quality';", "figure_differs"),
    ("DELETE FROM figures WHERE name = 'estate_border_quality';", "figure_missing"),
    ("UPDATE figures SET value = 1 WHERE name = 'estates_cut' AND scope_id = 'in_range';",
     "figure_differs"),
    ("UPDATE figures SET denominator = 9 WHERE name = 'estates_cut' AND scope_id = 'below';",
     "figure_differs"),
    ("DELETE FROM figures WHERE name = 'estates_cut';", "figure_missing"),
    ("DELETE FROM groups; UPDATE units SET group_id = NULL; UPDATE buildings SET group_id = NULL;",
     "no_rows")])
def test_a_spoilt_plan_is_caught(written: Path, tmp_path: Path, statements: str,
                                 key: str) -> None:
    path = Path(shutil.copy(written, tmp_path / "spoilt.gpkg"))
    with closing(sqlite3.connect(path)) as base:
        for name in ("groups", "units", "buildings"):  # their triggers need functions of GDAL
            for (trigger,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' "
                                           "AND tbl_name = ?", (name,)).fetchall():
                base.execute(f'DROP TRIGGER "{trigger}"')
        base.executescript(statements)
        base.commit()
    assert key in {b.key.removeprefix("check.") for b in check_plan(path).broken}


def respell(plan: Plan, names: dict[str, str]) -> Plan:
    """Return the plan with groups under other codes, told alike everywhere."""
    frames = {}
    for layer in ("groups", "units", "buildings"):
        frame = plan.layer(layer).copy()
        frame["group_id"] = [names.get(g, g) for g in frame["group_id"]]
        frames[layer] = frame
    return plan.with_layers(**frames)


@pytest.mark.parametrize(("new", "key"), [
    ("{grid}-09", "group_code"), ("{grid}-1", "group_code"), ("swap", "group_order")])
def test_codes_that_do_not_follow_are_caught(written: Path, tmp_path: Path, new: str,
                                             key: str) -> None:
    plan = read_plan(written)
    groups = plan.layer("groups")
    many = groups[groups.duplicated("grid_id", keep=False)]
    grid = many["grid_id"].iloc[0]
    one, two = f"{grid}-01", f"{grid}-02"
    names = {one: two, two: one} if new == "swap" else {one: new.format(grid=grid)}
    path = write_plan(respell(plan, names), tmp_path / "renamed.gpkg").path
    assert key in {b.key.removeprefix("check.") for b in check_plan(path).broken}


def test_a_group_in_two_pieces_is_caught(written: Path, tmp_path: Path) -> None:
    plan = read_plan(written)
    groups, units = plan.layer("groups"), plan.layer("units").copy()
    for _, held in groups.groupby("grid_id"):
        for a in held["group_id"]:
            for b in held["group_id"]:
                one, two = (units[units["group_id"] == k].geometry.union_all() for k in (a, b))
                if a < b and one.intersection(two).length < 1 and len(held) > 2:
                    units.loc[units["group_id"] == b, "group_id"] = a
                    left = groups[groups["group_id"] != b].copy()
                    row = left["group_id"] == a
                    left.loc[row, "geometry"] = gpd.GeoSeries(
                        [one.union(two).convex_hull], index=left.index[row], crs=groups.crs)
                    spoilt = plan.with_layers(
                        units=units, groups=left, buildings=plan.layer("buildings").assign(
                            group_id=plan.layer("buildings")["group_id"].replace(b, a)))
                    path = write_plan(spoilt, tmp_path / "spoilt.gpkg").path
                    assert "group_in_pieces" in {b.key.removeprefix("check.")
                                                 for b in check_plan(path).broken}
                    return
    pytest.fail("no two groups of a grid lie apart")


# ---- the map -------------------------------------------------------------------------------

def unpacked(page: bytes) -> dict[str, object]:
    """Return the columns of the packed plan in a map."""
    text = page.decode().split('id="plan-data" type="text/plain">')[1].split("</script>")[0]
    body = gzip.decompress(base64.b64decode(text))
    held: dict[str, object] = json.loads(body[4:4 + int.from_bytes(body[:4], "little")])
    return held


def test_the_map_shows_groups_and_only_inside_the_house_their_households(written: Path) -> None:
    layers = read_plan(written).layers
    shared = unpacked(render_map(layers, audience="share"))["groups"]
    inside = unpacked(render_map(layers, audience="internal"))["groups"]
    assert isinstance(shared, dict)
    assert isinstance(inside, dict)
    assert set(inside) - set(shared) == {"households"}
    assert set(shared) == {"grid", "name", "seq", "radius"}
    assert "Alder" in shared["name"]
    groups = layers["groups"]
    several = groups["grid_id"].duplicated(keep=False)
    assert inside["households"] == groups.loc[several, "households"].tolist()


def test_a_map_without_groups_says_nothing_of_them() -> None:
    plan = lattice_plan(params=Params(partition=PartitionParams(groups=False)))
    page = render_map(plan.layers)
    assert "groups" not in unpacked(page)
    assert b'data-layer="groups"' not in page
