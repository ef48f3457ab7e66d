"""The synthetic town is whole, exact, repeatable, and as difficult as it says."""

from __future__ import annotations

import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridplan.errors import Findings, UsageError
from gridplan.households import estimate_households
from gridplan.layers import INPUTS, LAYERS, ROLES, conform_input
from gridplan.params import HouseholdParams, Params
from gridplan.read import clean_study, read_layers, read_totals
from gridplan.roster import read_roster
from gridplan.town import Town, build_town, write_town

GEOMETRIC = ("communities", "buildings", "roads", "barriers", "estates", "gates", "entrances",
             "specials", "must_links", "facilities")


@pytest.fixture(scope="module")
def town() -> Town:
    return build_town()


def bytes_of(town: Town) -> list[bytes]:
    return [b"".join(shapely.to_wkb(town.study.layer(name).geometry.to_numpy()))
            for name in GEOMETRIC]


def households_in(town: Town, name: str) -> int:
    return int(town.totals[town.difficult[name]])


def test_same_seed_gives_the_same_bytes() -> None:
    one, other = build_town(5, 7), build_town(5, 7)
    assert bytes_of(one) == bytes_of(other)
    for name in GEOMETRIC:
        pd.testing.assert_frame_equal(pd.DataFrame(one.study.layer(name)).drop(columns="geometry"),
                                      pd.DataFrame(other.study.layer(name)).drop(
                                          columns="geometry"))
    for table in ("staff", "teams", "calendar", "ledger"):
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))
    pd.testing.assert_series_equal(one.truth, other.truth)
    assert one.stops.equals(other.stops)
    assert one.stations.equals(other.stations)


def test_another_seed_gives_another_town() -> None:
    one, other = bytes_of(build_town(4, 1)), bytes_of(build_town(4, 2))
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_frames_are_those_of_the_contract(town: Town) -> None:
    for name in GEOMETRIC:
        layer = town.study.layer(name)
        assert list(layer.columns) == [*INPUTS[name].names[1:], "geometry"]
        assert layer.index.name == INPUTS[name].key
        assert layer.index.is_unique
        assert layer.crs == 4549
        assert layer.geometry.is_valid.all()
        assert not layer.geometry.is_empty.any()
        pd.testing.assert_frame_equal(layer, conform_input(name, layer))
        for column in INPUTS[name].columns:
            if column.choices:
                assert layer[column.name].dropna().isin(column.choices).all()


def test_codes_have_the_official_lengths(town: Town) -> None:
    communities = town.study.layer("communities")
    assert communities.index.str.fullmatch(r"\d{12}").all()
    assert communities["subdistrict_id"].str.fullmatch(r"\d{9}").all()
    assert (communities.index.str[:9] == communities["subdistrict_id"]).all()
    assert communities["name"].is_unique
    assert set(communities["kind"]) == {"urban", "old", "rural"}


def test_size_is_about_what_is_asked_for(town: Town) -> None:
    assert len(town.study.layer("communities")) == 12
    assert 30_000 <= town.totals.sum() <= 45_000


@settings(max_examples=12, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))
@given(st.integers(1, 9), st.integers(0, 10**6))
def test_any_small_town_is_exact_and_whole(communities: int, seed: int) -> None:
    town = build_town(communities, seed)
    study = town.study
    shapes = study.layer("communities").geometry.to_numpy()
    assert len(shapes) == communities
    assert_exact_tiling(town)
    assert_buildings_stand_free(town)
    assert town.truth.groupby(study.buildings["community_id"].to_numpy()).sum().sort_index(
        ).tolist() == town.totals[town.totals.index.isin(study.buildings["community_id"])].tolist()
    assert int(town.truth.max()) == 620
    if communities >= 4:
        assert households_in(town, "small") == 260
        assert households_in(town, "awkward") == 550
        assert len(study.layer("communities").geometry[town.difficult["exclave"]].geoms) == 2


def assert_exact_tiling(town: Town) -> None:
    shapes = town.study.layer("communities").geometry.to_numpy()
    assert shapely.coverage_is_valid(shapes)
    union = shapely.union_all(shapes)
    assert union.geom_type == "Polygon"
    assert not union.interiors
    assert union.area == pytest.approx(shapely.area(shapes).sum(), rel=1e-12)
    assert union.equals(town.study.outline)


def assert_buildings_stand_free(town: Town) -> None:
    study = town.study
    buildings = study.buildings.geometry.to_numpy()
    tree = shapely.STRtree(buildings)
    pairs = tree.query(buildings, predicate="intersects")
    assert (pairs[0] == pairs[1]).all()
    for name in ("roads", "barriers"):
        assert tree.query(study.layer(name).geometry.to_numpy(), predicate="intersects").size == 0
    owner = study.layer("communities").geometry.loc[study.buildings["community_id"]].to_numpy()
    shapely.prepare(owner)
    assert shapely.contains_properly(owner, buildings).all()


def test_the_town_tiles_exactly_and_buildings_stand_free(town: Town) -> None:
    assert_exact_tiling(town)
    assert_buildings_stand_free(town)


def test_communities_share_identical_coordinates(town: Town) -> None:
    shapes = town.study.layer("communities").geometry
    points = shapely.get_coordinates(shapes.to_numpy())
    _, times = np.unique(points, axis=0, return_counts=True)
    near = shapely.STRtree(shapely.points(np.unique(points, axis=0))).query(
        shapely.points(np.unique(points, axis=0)), predicate="dwithin", distance=0.5)
    assert (near[0] == near[1]).all()
    assert (times >= 2).sum() > 300


def test_community_borders_run_along_roads_rail_or_river(town: Town) -> None:
    study = town.study
    shapes = study.layer("communities").geometry
    lines = shapely.union_all([*study.roads.geometry, *study.layer("barriers").geometry])
    border = shapely.union_all(shapely.boundary(shapes.to_numpy()))
    along = shapely.intersection(border, shapely.buffer(lines, 0.5)).length
    assert along / border.length > 0.97


def test_estates_do_not_cross_public_roads_and_hold_their_buildings(town: Town) -> None:
    study = town.study
    estates, roads = study.layer("estates"), study.roads
    public = roads.geometry[roads["public"]].to_numpy()
    assert shapely.STRtree(estates.geometry.to_numpy()).query(
        public, predicate="intersects").size == 0
    homes = study.buildings[study.buildings["number"].notna()]
    walls = estates.geometry.loc[homes["estate_id"]].to_numpy()
    assert shapely.covers(walls, homes.geometry.to_numpy()).all()
    assert not homes.duplicated(["estate_id", "number"]).any()
    assert estates["phases"].max() >= 2


def test_estates_have_gates_on_their_wall_at_an_inner_road(town: Town) -> None:
    study = town.study
    gates, estates = study.layer("gates"), study.layer("estates")
    assert set(gates["estate_id"]) == set(estates.index)
    wall = shapely.boundary(estates.geometry.loc[gates["estate_id"]].to_numpy())
    points = gates.geometry.to_numpy()
    assert shapely.distance(wall, points).max() < 0.5
    inner = study.roads.geometry[study.roads["road_class"] == "service"].to_numpy()
    near = shapely.STRtree(inner).query(points, predicate="dwithin", distance=0.5)
    assert len(np.unique(near[0])) == len(points)


def test_estates_range_from_small_to_very_large(town: Town) -> None:
    held = town.truth.groupby(town.study.buildings["estate_id"].fillna("").to_numpy()).sum()
    held = held.drop("")
    assert held.min() < 200
    assert held.max() > 1000


def test_every_road_class_special_and_facility_is_there(town: Town) -> None:
    study = town.study
    assert set(study.roads["road_class"]) >= {"primary", "secondary", "tertiary", "residential",
                                              "living_street", "service", "footway"}
    assert set(study.layer("barriers")["kind"]) == {"rail", "river", "water", "wall"}
    assert set(study.layer("specials")["kind"]) == {"campus", "hospital", "park", "market",
                                                    "industrial"}
    offered = set(";".join(study.layer("facilities")["categories"]).split(";"))
    assert offered >= {"primary_school", "middle_school", "kindergarten", "health_station",
                       "health_centre", "convenience_store", "pharmacy", "police_post", "park",
                       "wet_market", "bus_stop", "community_service_station"}


def test_bridges_cross_the_river_and_nothing_else_does(town: Town) -> None:
    study = town.study
    barriers, roads = study.layer("barriers"), study.roads
    river = barriers.geometry[barriers["kind"] == "river"].iloc[0]
    over = roads.geometry.intersects(river)
    assert over.sum() >= 2
    assert (roads.loc[over, "structure"] == "bridge").all()
    assert (roads.loc[over, "level"] == 1).all()
    assert river.area / river.length * 2 > 5.0


def test_lanes_and_their_streets_share_a_vertex(town: Town) -> None:
    roads = town.study.roads.geometry
    points, road = shapely.get_coordinates(roads.to_numpy(), return_index=True)
    vertices, which = np.unique(points, axis=0, return_inverse=True)
    pairs = np.unique(np.stack([which.reshape(-1), road]), axis=1)
    met_by = np.bincount(pairs[0], minlength=len(vertices))
    lanes = np.flatnonzero(town.study.roads["road_class"] == "living_street")
    ends = np.concatenate([np.searchsorted(road, lanes), np.searchsorted(road, lanes, "right") - 1])
    assert len(lanes) > 50
    assert (met_by[which.reshape(-1)[ends]] >= 2).all()


def test_households_can_be_estimated_to_meet_every_total(town: Town) -> None:
    findings = Findings()
    counted = estimate_households(town.study.buildings, HouseholdParams(), findings,
                                  totals=town.totals)
    held = counted["households"].groupby(town.study.buildings["community_id"].to_numpy()).sum()
    assert held.tolist() == town.totals.tolist()
    assert counted["households"].max() == 620
    given = town.study.buildings["households"].notna() & (town.truth > 0)
    assert 0.4 < town.truth[given].sum() / town.truth.sum() < 0.8
    assert set(counted["households_source"]) >= {"given", "population", "floors"}


def test_blocks_between_public_roads_hold_a_grid_or_so(town: Town) -> None:
    study = town.study
    lines = [*study.roads.geometry[study.roads["public"]],
             *shapely.boundary(study.layer("communities").geometry.to_numpy())]
    blocks = np.asarray(shapely.get_parts(shapely.polygonize(
        shapely.get_parts(shapely.union_all(lines)))))
    where = shapely.STRtree(blocks).query(shapely.centroid(study.buildings.geometry.to_numpy()),
                                          predicate="within")
    held = np.bincount(where[1], weights=town.truth.to_numpy(dtype=float)[where[0]])
    urban = held[held > 100]
    assert 150 <= np.median(urban) <= 800


def test_the_ledger_holds_what_the_estates_hold(town: Town) -> None:
    homes = town.study.buildings["number"].notna().to_numpy()
    assert int(town.ledger["户数"].sum()) == int(town.truth[homes].sum())
    spelled = "".join(town.ledger["幢号"])
    assert all(mark in spelled for mark in ("幢", "栋", "号楼", "#", "-", "十", "１"))


def test_staff_fit_the_town(town: Town) -> None:
    assert set(town.staff["community_id"]) == set(town.totals.index)
    assert town.staff.index.is_unique
    assert set(town.staff["role"]) == set(ROLES)
    grid_staff = town.staff[town.staff["role"] == "responsible"]
    count = grid_staff.groupby("community_id").size()
    assert (count >= town.totals / 400 * 1.2).all()
    known = town.staff["buildings"].dropna().str.split(";").explode()
    owner = town.study.buildings["community_id"]
    assert (known.map(owner) == known.index.map(town.staff["community_id"])).all()
    assert (town.truth[known] > 0).all()
    for name in ("wishes", "bars", "communities"):
        assert 0 < town.staff[name].notna().sum() < len(town.staff) / 4


def test_what_a_dispatcher_gives_fits_the_town(town: Town) -> None:
    assert set(town.teams["mode"]) == {"foot", "ebike", "car"}
    assert set(build_town(1, 3).teams["tier"]) == {"city", "town", "community"}
    assert set(town.teams["station_id"]) == set(town.stations.index)
    assert set(town.stations.index) <= set(town.study.layer("facilities").index)
    assert set(town.stops["kind"]) == {"school", "market", "hospital", "bank", "park", "hotspot",
                                       "bridge"}
    assert town.stops.geometry.distance(town.study.outline).max() < 50
    days = town.calendar[town.calendar["team_id"].isna().to_numpy()]
    assert days["day_kind"].tolist() == ["workday"] * 5 + ["weekend"] * 2
    assert (days["duty"] == "raised").sum() == 1
    assert set(town.calendar["crew"].dropna()) == set("ABCD")
    assert len(town.calendar) == 7 * (1 + len(town.teams))


def test_must_links_join_neighbours_of_one_community_outside_estates(town: Town) -> None:
    links, houses = town.study.must_links, town.study.buildings
    assert len(links) == 2
    for line in links.geometry:
        ends = [shapely.get_point(line, k) for k in (0, -1)]
        held = [houses[houses.geometry.contains(end)] for end in ends]
        assert [len(h) for h in held] == [1, 1]
        assert held[0].index[0] != held[1].index[0]
        assert held[0]["community_id"].iloc[0] == held[1]["community_id"].iloc[0]
        assert all(h["estate_id"].isna().all() and town.truth[h.index[0]] > 0 for h in held)


def test_the_roster_names_nobody_who_lives(tmp_path, town: Town) -> None:
    (path,) = [p for p in write_town(town, tmp_path) if p.stem == "roster"]
    findings = Findings()
    roster = read_roster(path, findings)
    assert not findings.items
    columns = [c.name for c in LAYERS["staff"].columns[1:]]
    pd.testing.assert_frame_equal(roster.staff[columns], town.staff[columns])
    assert roster.people["person"].is_unique
    assert roster.people["phone"].str.fullmatch(r"000-\d{8}").all()
    assert roster.people["home"].str.startswith("虚构路").all()
    assert len(roster.known) == town.staff["buildings"].dropna().str.count(";").add(1).sum()


def test_written_files_read_back(tmp_path, town: Town) -> None:
    paths = {p.stem: p for p in write_town(town, tmp_path)}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths.values())
    findings = Findings()
    files = {"communities": paths["boundaries"], **{
        name: paths[name] for name in ("buildings", "roads", "rail", "water", "walls", "estates",
                                       "gates", "entrances", "specials", "must_links",
                                       "facilities")}}
    raw, sources = read_layers(files, findings=findings)
    totals = read_totals(paths["totals"], findings=findings)
    study = clean_study(raw, sources, Params(), findings, totals=totals)
    assert not findings.of("error", "ask")
    for name in GEOMETRIC:
        assert len(study.layer(name)) == len(town.study.layer(name)), name
    assert study.buildings["community_id"].tolist() == town.study.buildings[
        "community_id"].loc[study.buildings.index].tolist()
    assert study.buildings["households"].sum() == town.study.buildings["households"].sum()
    assert study.totals.sort_index().tolist() == town.totals.tolist()
    assert shapely.coverage_is_valid(study.communities.geometry.to_numpy())
    assert study.communities["kind"].loc[town.totals.index].tolist() == town.study.communities[
        "kind"].tolist()


def test_size_and_time_grow_together() -> None:
    start = time.process_time()
    town = build_town(buildings=20_000)
    assert time.process_time() - start < 8.0
    assert 19_000 <= len(town.study.buildings) <= 20_000


@pytest.mark.parametrize("size", [{"communities": 0}, {"communities": 4, "buildings": 0}])
def test_a_town_of_nothing_is_refused(size: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        build_town(**size)


def test_written_layers_carry_their_crs(tmp_path) -> None:
    write_town(build_town(1), tmp_path)
    for path in sorted(tmp_path.glob("*.gpkg")):
        frame = gpd.read_file(path)
        assert frame.crs == 4549


def test_the_boundaries_in_the_data_folder_are_those_of_the_town():
    file = Path(__file__).parents[1] / "data" / "boundaries" / "demo.gpkg"
    raw, _ = read_layers({"communities": file}, findings=Findings())
    ours = build_town().study.communities
    theirs = raw["communities"].set_index("community_id").loc[ours.index]
    assert theirs["name"].tolist() == ours["name"].tolist()
    assert shapely.equals(theirs.geometry.to_numpy(), ours.geometry.to_numpy()).all()
