"""The OSM reader: each rule on a file small enough to check by hand."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from gridplan.errors import Findings, InputError, MachineError
from gridplan.i18n import load_room
from gridplan.layers import INPUTS
from gridplan.osm import list_levels, read_extract, read_place

LON, LAT = 118.8, 32.1
METRE_LAT = 1 / 111_195
METRE_LON = METRE_LAT / math.cos(math.radians(LAT))

Point = tuple[float, float]


class Drawing:
    """An OSM file drawn in metres east and north of one point; equal points are one node."""

    def __init__(self) -> None:
        self.nodes: dict[Point, int] = {}
        self.node_tags: dict[int, dict[str, str]] = {}
        self.unknown: set[int] = set()
        self.ways: list[tuple[int, list[int], dict[str, str]]] = []
        self.relations: list[tuple[int, list[tuple[int, str]], dict[str, str]]] = []

    def node(self, at: Point, tags: dict[str, str] | None = None) -> str:
        number = self.nodes.setdefault(at, len(self.nodes) + 1)
        self.node_tags.setdefault(number, {}).update(tags or {})
        return f"n{number}"

    def way(self, points: list[Point], tags: dict[str, str] | None = None) -> str:
        refs = [int(self.node(p)[1:]) for p in points]
        self.ways.append((len(self.ways) + 1, refs, tags or {}))
        return f"w{len(self.ways)}"

    def area(self, points: list[Point], tags: dict[str, str] | None = None) -> str:
        return self.way([*points, points[0]], tags)

    def box(self, x: float, y: float, size: float, tags: dict[str, str] | None = None) -> str:
        return self.area([(x, y), (x + size, y), (x + size, y + size), (x, y + size)], tags)

    def relation(self, members: list[tuple[str, str]], tags: dict[str, str]) -> str:
        listed = [(int(key[1:]), role) for key, role in members]
        self.relations.append((len(self.relations) + 1, listed, tags))
        return f"r{len(self.relations)}"

    def forget(self, *points: Point) -> None:
        """Leave nodes out of the file, as at the edge of an extract."""
        self.unknown.update(self.nodes[p] for p in points)

    def elements(self) -> list[dict]:
        """The objects as Overpass tells them."""
        nodes = [{"type": "node", "id": n, "lon": LON + x * METRE_LON, "lat": LAT + y * METRE_LAT,
                  "tags": self.node_tags[n]} for (x, y), n in self.nodes.items()
                 if n not in self.unknown]
        ways = [{"type": "way", "id": w, "nodes": refs, "tags": t} for w, refs, t in self.ways]
        relations = [{"type": "relation", "id": r, "tags": t, "members": [
            {"type": "way", "ref": m, "role": role} for m, role in members]}
            for r, members, t in self.relations]
        return [*nodes, *ways, *relations]

    def text(self) -> str:
        lines = ["<?xml version='1.0' encoding='UTF-8'?>", '<osm version="0.6">']
        for e in self.elements():
            place = f' lon="{e["lon"]:.7f}" lat="{e["lat"]:.7f}"' if e["type"] == "node" else ""
            lines.append(f'<{e["type"]} id="{e["id"]}" version="1"{place}>')
            lines.extend(f'<nd ref="{n}"/>' for n in e.get("nodes", ()))
            lines.extend(f'<member type="way" ref="{m["ref"]}" role="{m["role"]}"/>'
                         for m in e.get("members", ()))
            lines.extend(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in e["tags"].items())
            lines.append(f"</{e['type']}>")
        return "\n".join([*lines, "</osm>", ""])


@pytest.fixture
def draw() -> Drawing:
    return Drawing()


@pytest.fixture
def read(draw, tmp_path):
    """Read the drawing; the findings hang on the function."""

    def reader(**options):
        path = tmp_path / "town.osm"
        path.write_text(draw.text(), encoding="utf-8")
        reader.findings = Findings()
        raw, reader.sources = read_extract(path, reader.findings, **options)
        return raw

    return reader


def keys(findings: Findings, *outcomes: str) -> list[str]:
    return [f.key for f in findings.of(*(outcomes or ("error", "repaired", "warning", "ask")))]


def area_m2(frame: gpd.GeoDataFrame, key: str) -> float:
    return frame.geometry.loc[key].area / METRE_LAT / METRE_LON


def area_tags(**tags: str) -> dict[str, str]:
    return {"type": "multipolygon", **tags}


# --- buildings -------------------------------------------------------------------------------


def test_a_courtyard_is_a_hole(draw, read):
    outer, inner = draw.box(0, 0, 40), draw.box(10, 10, 20)
    block = draw.relation([(outer, "outer"), (inner, "inner")], area_tags(building="apartments"))
    buildings = read()["buildings"]
    assert list(buildings.index) == [block]
    assert area_m2(buildings, block) == pytest.approx(40**2 - 20**2, rel=1e-3)


def test_an_outline_tagged_like_its_relation_counts_once(draw, read):
    outer = draw.box(0, 0, 40, {"building": "yes"})
    court = draw.box(10, 10, 20, {"building": "shed"})
    block = draw.relation([(outer, "outer"), (court, "inner")], area_tags(building="yes"))
    assert list(read()["buildings"].index) == [court, block]


def test_columns_of_a_building(draw, read):
    key = draw.box(0, 0, 20, {"building": "Apartments", "building:levels": "6", "height": "18.5 m",
                              "addr:housenumber": "12幢", "building:flats": "48", "name": "A"})
    row = read()["buildings"].loc[key]
    assert row[["use", "floors", "height_m", "number", "households", "households_source",
                "name"]].tolist() == ["apartments", 6, 18.5, "12幢", 48, "given", "A"]


def test_without_flats_households_are_open(draw, read):
    row = read_one(draw, read, {"building": "house"})
    assert row[["households", "households_source", "floors", "height_m"]].isna().all()


def read_one(draw, read, tags: dict[str, str]) -> pd.Series:
    key = draw.box(0, 0, 20, tags)
    return read()["buildings"].loc[key]


@pytest.mark.parametrize(("said", "height"), [
    ("12", 12.0), ("12 m", 12.0), ("12,5", 12.5), ("40 ft", 12.192), ("40'6\"", 12.3444),
    ("tall", None), ("-3", None)])
def test_height_in_metres_or_feet(draw, read, said, height):
    found = read_one(draw, read, {"building": "yes", "height": said})["height_m"]
    assert (pd.isna(found) and height is None) or found == pytest.approx(height)


@pytest.mark.parametrize(("tags", "use"), [
    ({"building": "yes"}, "yes"),
    ({"building": "yes", "amenity": "bank"}, "nonresidential"),
    ({"building": "yes", "shop": "convenience"}, "nonresidential"),
    ({"building": "yes", "tourism": "hotel"}, "nonresidential"),
    ({"building": "yes", "shop": "convenience", "building:flats": "12"}, "mixed"),
    ({"building": "apartments", "shop": "convenience"}, "mixed"),
    ({"building": "residential", "office": "company"}, "mixed"),
    ({"building": "commercial", "building:use": "residential"}, "residential"),
    ({"building": "yes", "building:use": "residential;retail"}, "mixed"),
    ({"building": "apartments;retail"}, "mixed"),
    ({"building": "yes", "residential": "apartments"}, "apartments"),
    ({"building": "yes", "residential": "urban"}, "residential"),
    ({"building": "school", "amenity": "school"}, "school"),
    ({"building": "garage"}, "garage"),
    ({"building": "roof"}, "roof")])
def test_use_of_a_building(draw, read, tags, use):
    assert read_one(draw, read, tags)["use"] == use


@pytest.mark.parametrize("value", ["no", "proposed", "demolished"])
def test_what_does_not_stand_is_no_building(draw, read, value):
    draw.box(0, 0, 20, {"building": value})
    stands = draw.box(50, 0, 20, {"building": "yes"})
    assert list(read()["buildings"].index) == [stands]


def test_parts_lend_floors_and_height_to_a_host_without(draw, read):
    host = draw.box(0, 0, 40, {"building": "apartments"})
    draw.box(0, 0, 20, {"building:part": "yes", "building:levels": "8", "height": "25"})
    buildings = read()["buildings"]
    assert list(buildings.index) == [host]
    assert buildings.loc[host, ["floors", "height_m"]].tolist() == [8, 25]


def test_a_tower_on_a_podium_counts_by_the_ground_it_covers(draw, read):
    host = draw.box(0, 0, 40, {"building": "yes"})
    draw.box(0, 0, 40, {"building:part": "yes", "building:levels": "2"})
    draw.box(0, 0, 20, {"building:part": "yes", "building:levels": "18",
                        "building:min_level": "2"})
    # 2 floors everywhere and 16 more over a quarter of the ground.
    assert read()["buildings"].loc[host, "floors"] == pytest.approx(2 + 16 / 4, abs=0.01)


def test_parts_leave_a_host_with_floors_alone(draw, read):
    host = draw.box(0, 0, 40, {"building": "yes", "building:levels": "3"})
    draw.box(0, 0, 20, {"building:part": "yes", "building:levels": "8"})
    assert read()["buildings"].loc[host, "floors"] == 3


def test_b01_a_bow_tie_keeps_both_halves(draw, read):
    key = draw.area([(0, 0), (20, 20), (20, 0), (0, 20)], {"building": "yes"})
    buildings = read()["buildings"]
    assert area_m2(buildings, key) == pytest.approx(200, rel=1e-3)
    assert buildings.geometry.is_valid.all()
    assert keys(read.findings) == ["osm.area_mended"]


def test_b04_an_outline_without_area_is_told(draw, read):
    draw.area([(0, 0), (10, 0), (20, 0)], {"building": "yes", "building:flats": "3"})
    draw.box(50, 0, 20, {"building": "yes"})
    assert len(read()["buildings"]) == 1
    assert keys(read.findings) == ["osm.area_broken"]
    [row] = read.findings.tally
    assert (row.rows_in, row.rejected, row.households_in, row.households_out) == (2, 1, 3, 0)


def test_b05_an_outline_that_does_not_close_is_told(draw, read):
    draw.way([(0, 0), (20, 0), (20, 20), (0, 20)], {"building": "yes"})
    draw.box(50, 0, 20, {"building": "yes"})
    assert len(read()["buildings"]) == 1
    assert keys(read.findings) == ["osm.area_open"]


def test_a_building_cut_by_the_edge_keeps_its_known_corners(draw, read):
    key = draw.area([(0, 0), (20, 0), (20, 20), (0, 20)], {"building": "yes"})
    draw.forget((20, 20))
    assert area_m2(read()["buildings"], key) == pytest.approx(200, rel=1e-3)
    assert keys(read.findings) == ["osm.area_mended"]
    assert read.findings.tally[0].repaired == 1


def test_a_building_without_its_courtyard_way_is_kept(draw, read):
    outer = draw.box(0, 0, 40)
    block = draw.relation([(outer, "outer"), ("w999", "inner")], area_tags(building="yes"))
    assert list(read()["buildings"].index) == [block]


def test_a_lake_without_one_of_its_banks_is_left_out_and_told(draw, read):
    draw.box(0, 0, 20, {"building": "yes"})
    bank = draw.way([(0, 100), (500, 100), (500, 400)])
    draw.relation([(bank, "outer"), ("w999", "outer")], area_tags(natural="water"))
    assert set(read()) == {"buildings"}
    assert keys(read.findings) == ["osm.area_broken"]
    lost = [t for t in read.findings.tally if t.layer == "barriers"]
    assert [(t.rows_in, t.used, t.rejected) for t in lost] == [(1, 0, 1)]


# --- roads -----------------------------------------------------------------------------------


def road(draw: Drawing, read, tags: dict[str, str]) -> pd.Series:
    key = draw.way([(0, 0), (100, 0)], tags)
    return read()["roads"].loc[key]


@pytest.mark.parametrize(("tags", "structure", "level"), [
    ({}, "grade", 0),
    ({"bridge": "yes", "layer": "1"}, "bridge", 1),
    ({"bridge": "viaduct"}, "bridge", 0),
    ({"bridge": "no"}, "grade", 0),
    ({"tunnel": "yes", "layer": "-1"}, "tunnel", -1),
    ({"tunnel": "building_passage"}, "tunnel", 0),
    ({"tunnel": "no"}, "grade", 0),
    ({"covered": "yes"}, "tunnel", 0),
    ({"covered": "no"}, "grade", 0),
    ({"layer": "-2"}, "grade", -2),
    ({"layer": "one"}, "grade", 0)])
def test_structure_and_level_come_through(draw, read, tags, structure, level):
    row = road(draw, read, {"highway": "residential", **tags})
    assert (row["structure"], row["level"]) == (structure, level)


@pytest.mark.parametrize(("value", "road_class", "public"), [
    ("motorway", "motorway", True), ("primary_link", "primary_link", True),
    ("residential", "residential", True), ("living_street", "living_street", True),
    ("service", "service", False), ("footway", "footway", False), ("track", "track", False),
    ("pedestrian", "pedestrian", False), ("road", "unknown", True), ("Strasse", "unknown", True)])
def test_class_and_who_owns_it(draw, read, value, road_class, public):
    row = road(draw, read, {"highway": value})
    assert (row["road_class"], row["public"], row["inner"]) == (road_class, public, not public)


def test_a_private_street_is_inner(draw, read):
    row = road(draw, read, {"highway": "residential", "access": "private"})
    assert (row["public"], row["inner"], row["foot"], row["car"]) == (False, True, True, True)


@pytest.mark.parametrize("value", ["construction", "proposed", "razed", "platform", "no",
                                   "rest_area", "elevator", "abandoned"])
def test_what_is_no_road_is_dropped(draw, read, value):
    draw.way([(0, 0), (100, 0)], {"highway": value})
    stays = draw.way([(0, 50), (100, 50)], {"highway": "service"})
    assert list(read()["roads"].index) == [stays]


def test_highway_areas_are_no_roads(draw, read):
    draw.box(0, 0, 50, {"highway": "pedestrian", "area": "yes"})
    loop = draw.box(100, 0, 50, {"highway": "pedestrian"})
    draw.relation([(draw.box(200, 0, 50), "outer")], area_tags(highway="pedestrian"))
    assert list(read()["roads"].index) == [loop]


@pytest.mark.parametrize(("tags", "one_way"), [
    ({}, ""), ({"oneway": "yes"}, "forward"), ({"oneway": "-1"}, "backward"),
    ({"oneway": "no"}, ""), ({"oneway": "reversible"}, ""),
    ({"junction": "roundabout"}, "forward"), ({"junction": "roundabout", "oneway": "no"}, ""),
    ({"highway": "motorway"}, "forward"), ({"highway": "motorway", "oneway": "no"}, ""),
    ({"oneway": "yes", "oneway:bicycle": "no"}, "forward"), ({"oneway:bicycle": "yes"}, "")])
def test_one_way(draw, read, tags, one_way):
    assert road(draw, read, {"highway": "residential", **tags})["one_way"] == one_way


@pytest.mark.parametrize(("tags", "allowed"), [
    ({"highway": "residential"}, "foot bike ebike car"),
    ({"highway": "motorway"}, "car"),
    ({"highway": "trunk", "motorroad": "yes"}, "car"),
    ({"highway": "footway"}, "foot"),
    ({"highway": "footway", "bicycle": "yes"}, "foot bike ebike"),
    ({"highway": "steps"}, "foot"),
    ({"highway": "cycleway"}, "foot bike ebike"),
    ({"highway": "cycleway", "foot": "no"}, "bike ebike"),
    ({"highway": "cycleway", "electric_bicycle": "no"}, "foot bike"),
    ({"highway": "path"}, "foot bike ebike"),
    ({"highway": "pedestrian", "motor_vehicle": "destination"}, "foot car"),
    ({"highway": "residential", "access": "no"}, ""),
    ({"highway": "residential", "access": "no", "foot": "yes"}, "foot"),
    ({"highway": "residential", "vehicle": "no"}, "foot"),
    ({"highway": "residential", "motor_vehicle": "no"}, "foot bike ebike"),
    ({"highway": "track", "motor_vehicle": "agricultural"}, "foot bike ebike"),
    ({"highway": "primary", "bicycle": "use_sidepath"}, "foot car")])
def test_who_may_pass(draw, read, tags, allowed):
    row = road(draw, read, tags)
    assert " ".join(m for m in ("foot", "bike", "ebike", "car") if row[m]) == allowed


@pytest.mark.parametrize(("said", "kmh"), [("50", 50.0), ("30 mph", 48.28), ("60 km/h", 60.0),
                                           ("CN:urban", None), ("none", None)])
def test_speed_limits(draw, read, said, kmh):
    found = road(draw, read, {"highway": "primary", "maxspeed": said})["maxspeed_kmh"]
    assert (pd.isna(found) and kmh is None) or found == pytest.approx(kmh, abs=0.01)


@pytest.mark.parametrize("name", [
    "<img src=x onerror=alert(1)>", "🏘️ 幸福路", "${alert(1)}", "NA", "=1+1", "ا" * 255,
    'a "quoted" & b'])
def test_b85_names_come_through_as_they_are(draw, read, name):
    row = road(draw, read, {"highway": "service", "service": "driveway", "name": name})
    assert (row["name"], row["service"]) == (name, "driveway")


def test_a_road_cut_by_the_edge_keeps_its_known_runs(draw, read):
    points = [(x * 100.0, 0.0) for x in range(6)]
    key = draw.way(points, {"highway": "residential"})
    draw.forget(points[2])
    roads = read()["roads"]
    assert list(roads.index) == [f"{key}/1", f"{key}/2"]
    assert keys(read.findings) == ["osm.line_cut"]


# --- barriers --------------------------------------------------------------------------------


@pytest.mark.parametrize(("tags", "kind"), [
    ({"railway": "rail"}, "rail"), ({"railway": "light_rail"}, "rail"),
    ({"railway": "rail", "service": "siding"}, "rail"),
    ({"railway": "rail", "bridge": "yes", "layer": "1"}, "rail"),
    ({"railway": "rail", "tunnel": "yes"}, None), ({"railway": "rail", "layer": "-1"}, None),
    ({"railway": "tram"}, None), ({"railway": "abandoned"}, None), ({"railway": "subway"}, None),
    ({"waterway": "river"}, "river"), ({"waterway": "canal", "width": "12"}, "river"),
    ({"waterway": "canal", "width": "5"}, "river"), ({"waterway": "canal", "width": "4.9"}, None),
    ({"waterway": "river", "width": "3 m"}, None), ({"waterway": "river", "tunnel": "yes"}, None),
    ({"waterway": "canal", "tunnel": "culvert"}, None), ({"waterway": "stream"}, None),
    ({"waterway": "ditch"}, None),
    ({"barrier": "wall"}, "wall"), ({"barrier": "city_wall"}, "wall"),
    ({"barrier": "retaining_wall"}, "wall"), ({"barrier": "fence"}, None)])
def test_lines_that_part(draw, read, tags, kind):
    draw.box(0, 500, 20, {"building": "yes"})
    key = draw.way([(0, 0), (100, 0)], tags)
    found = read().get("barriers")
    assert (found is None) if kind is None else (found.loc[key, "kind"] == kind)


@pytest.mark.parametrize(("tags", "kind"), [
    ({"natural": "water"}, "water"), ({"natural": "water", "water": "lake"}, "water"),
    ({"natural": "water", "water": "river"}, "river"), ({"waterway": "riverbank"}, "river"),
    ({"natural": "water", "water": "canal"}, "river"), ({"landuse": "reservoir"}, "water"),
    ({"natural": "water", "layer": "-1"}, None), ({"natural": "wetland"}, None)])
def test_areas_that_part(draw, read, tags, kind):
    draw.box(0, 500, 20, {"building": "yes"})
    key = draw.box(0, 0, 100, tags)
    found = read().get("barriers")
    assert (found is None) if kind is None else (found.loc[key, "kind"] == kind)


def test_a_lake_keeps_its_island_and_a_ring_wall_is_a_line(draw, read):
    lake = draw.relation([(draw.box(0, 0, 100), "outer"), (draw.box(40, 40, 20), "inner")],
                         area_tags(natural="water", name="镜湖"))
    wall = draw.box(200, 0, 50, {"barrier": "wall"})
    barriers = read()["barriers"]
    assert area_m2(barriers, lake) == pytest.approx(100**2 - 20**2, rel=1e-3)
    assert barriers.loc[lake, "name"] == "镜湖"
    assert barriers.geometry[wall].geom_type == "LineString"


# --- places ----------------------------------------------------------------------------------


def test_estates_are_named_residential_areas(draw, read):
    estate = draw.box(0, 0, 200, {"landuse": "residential", "name": "阳光花园"})
    draw.box(300, 0, 200, {"landuse": "residential"})
    found = read()["estates"]
    assert list(found.index) == [estate]
    assert found.loc[estate, "name"] == "阳光花园"


def test_gates_know_their_estate_and_who_may_pass(draw, read):
    estate = draw.area([(0, 0), (100, 0), (200, 0), (200, 200), (0, 200)],
                       {"landuse": "residential", "name": "A"})
    main = draw.node((100, 0), {"barrier": "lift_gate"})
    near = draw.node((212, 100), {"barrier": "gate", "motor_vehicle": "no"})
    far = draw.node((400, 100), {"barrier": "swing_gate"})
    draw.node((300, 0), {"barrier": "bollard"})
    side = draw.node((0, 0), {"entrance": "yes"})
    shut = draw.node((0, 200), {"barrier": "gate", "access": "no"})
    gates = read()["gates"]
    told = {key: (None if pd.isna(row["estate_id"]) else row["estate_id"], row["foot"], row["car"])
            for key, row in gates.iterrows()}
    assert told == {main: (estate, True, True), near: (estate, True, False),
                    far: (None, True, True), side: (estate, True, False),
                    shut: (estate, False, False)}


def test_entrances_know_their_building(draw, read):
    house = draw.area([(0, 0), (10, 0), (20, 0), (20, 20), (0, 20)], {"building": "yes"})
    door = draw.node((10, 0), {"entrance": "main"})
    draw.node((100, 0), {"entrance": "yes"})
    draw.node((20, 0), {"entrance": "no"})
    raw = read()
    assert raw["entrances"]["building_id"].to_dict() == {door: house}
    assert "gates" not in raw


def test_a_door_on_the_outline_of_an_estate_stays_a_door(draw, read):
    draw.box(0, 0, 200, {"landuse": "residential", "name": "A"})
    house = draw.box(0, 0, 20, {"building": "yes"})
    door = draw.node((0, 0), {"entrance": "yes"})
    raw = read()
    assert raw["entrances"]["building_id"].to_dict() == {door: house}
    assert "gates" not in raw


@pytest.mark.parametrize(("tags", "kind"), [
    ({"amenity": "university"}, "campus"), ({"amenity": "college"}, "campus"),
    ({"amenity": "hospital"}, "hospital"), ({"leisure": "park"}, "park"),
    ({"amenity": "marketplace"}, "market"), ({"landuse": "industrial"}, "industrial"),
    ({"landuse": "cemetery"}, "cemetery"), ({"leisure": "stadium"}, "stadium")])
def test_special_places(draw, read, tags, kind):
    ground = draw.box(0, 0, 200, {**tags, "name": "S"})
    draw.box(300, 0, 20, {**tags, "building": "yes"})
    found = read()["specials"]
    assert found[["kind", "name"]].to_dict("index") == {ground: {"kind": kind, "name": "S"}}


@pytest.mark.parametrize(("tags", "categories"), [
    ({"amenity": "clinic"}, "health_centre"), ({"amenity": "doctors"}, "health_station"),
    ({"amenity": "community_centre"}, "culture_centre;community_service_station"),
    ({"amenity": "social_facility", "social_facility": "nursing_home"}, "nursing_home"),
    ({"shop": "greengrocer"}, "wet_market"), ({"shop": "bakery;convenience"}, "convenience_store"),
    ({"amenity": "pharmacy", "healthcare": "pharmacy"}, "pharmacy"),
    ({"highway": "bus_stop"}, "bus_stop"), ({"railway": "subway_entrance"}, "metro"),
    ({"leisure": "playground"}, "playground"), ({"office": "government"},
                                                "subdistrict_service_centre"),
    ({"amenity": "hospital", "healthcare": "centre"}, "health_centre"),
    ({"amenity": "school", "name": "育才小学"}, "primary_school"),
    ({"amenity": "school", "name": "第一中学"}, "middle_school"),
    ({"amenity": "school", "name": "九年一贯制学校"}, "primary_school;middle_school"),
    ({"amenity": "school", "isced:level": "1-2"}, "primary_school;middle_school"),
    ({"amenity": "school", "isced:level": "2;3", "name": "某小学"}, "middle_school"),
    ({"amenity": "bench"}, None), ({"shop": "clothes"}, None)])
def test_categories_of_facilities(draw, read, tags, categories):
    draw.box(0, 500, 20, {"building": "yes"})
    key = draw.node((0, 0), {**tags, "capacity": "30"})
    found = read().get("facilities")
    if categories is None:
        assert found is None
    else:
        assert found.loc[key, ["categories", "capacity"]].tolist() == [categories, 30]


def test_a_school_of_unknown_level_is_told_not_counted_twice(draw, read):
    draw.node((0, 0), {"amenity": "school", "name": "实验学校"})
    draw.node((50, 0), {"amenity": "bank"})
    assert read()["facilities"]["categories"].tolist() == ["bank"]
    assert keys(read.findings) == ["osm.school_level"]


def test_a_facility_mapped_as_an_area_is_a_point_inside_it(draw, read):
    park = draw.box(0, 0, 100, {"leisure": "park"})
    raw = read()
    assert raw["facilities"].geometry[park].within(raw["specials"].geometry[park])


# --- communities -----------------------------------------------------------------------------


def administrative(level: int, name: str, **more: str) -> dict[str, str]:
    return {"type": "boundary", "boundary": "administrative", "admin_level": str(level),
            "name": name, **more}


def outlined(draw: Drawing, gap: float, x: float = 0.0) -> str:
    """Draw two ways around 4 km², open by ``gap`` metres on one side."""
    east = draw.way([(x + 1000, 0), (x + 2000, 0), (x + 2000, 2000), (x + 1000, 2000)])
    west = draw.way([(x + 1000, 2000), (x, 2000), (x, 0), (x + 1000 - gap, 0)])
    return draw.relation([(east, "outer"), (west, "")], administrative(10, f"社区{x:.0f}"))


def test_communities_of_the_level_asked_for(draw, read):
    whole = outlined(draw, 0)
    draw.relation([(draw.box(5000, 0, 100), "outer")], administrative(9, "街道"))
    communities = read(admin_level=10)["communities"]
    assert communities["name"].to_dict() == {whole: "社区0"}
    assert area_m2(communities, whole) == pytest.approx(2000**2, rel=1e-3)
    assert keys(read.findings) == []


def test_a_gap_of_100_m_is_closed_straight_and_told(draw, read):
    key = outlined(draw, 100)
    communities = read(admin_level=10)["communities"]
    assert area_m2(communities, key) == pytest.approx(2000**2, rel=1e-3)
    [found] = read.findings.of("warning")
    assert found.key == "osm.boundary_closed"
    assert "社区0" in found.line("zh")
    assert "100" in found.what()


def test_a_missing_way_that_leaves_100_m_is_closed_too(draw, read):
    ring = draw.way([(1000, 0), (2000, 0), (2000, 2000), (0, 2000), (0, 0), (900, 0)])
    key = draw.relation([(ring, "outer"), ("w999", "outer")], administrative(10, "甲"))
    assert list(read(admin_level=10)["communities"].index) == [key]
    [found] = read.findings.of("warning")
    assert (found.values["gap"], found.values["missing"]) == ("100", 1)


def test_a_short_piece_between_two_gaps_is_joined_not_closed_on_itself(draw, read):
    long = draw.way([(1150, 0), (2000, 0), (2000, 2000), (0, 2000), (0, 0), (750, 0)])
    piece = draw.way([(900, 0), (1000, 0)])
    key = draw.relation([(long, "outer"), (piece, "outer")], administrative(10, "甲"))
    assert area_m2(read(admin_level=10)["communities"], key) == pytest.approx(4e6, rel=1e-3)
    assert read.findings.items[0].values["gap"] == "150"


def test_closing_a_gap_keeps_the_hole(draw, read):
    ring = draw.way([(1000, 0), (2000, 0), (2000, 2000), (0, 2000), (0, 0), (900, 0)])
    hole = draw.box(500, 500, 1000)
    key = draw.relation([(ring, "outer"), (hole, "inner")], administrative(10, "甲"))
    assert area_m2(read(admin_level=10)["communities"], key) == pytest.approx(3e6, rel=1e-3)


def test_a_gap_of_2_km_is_listed_and_left_out(draw, read):
    whole, _ = outlined(draw, 0), outlined(draw, 1000, x=5000)
    open_ = draw.relation([(draw.way([(9000, 0), (9000, 2000), (11000, 2000), (11000, 0)]),
                            "outer")], administrative(10, "缺口社区"))
    assert list(read(admin_level=10)["communities"].index) == [whole]
    [found] = [f for f in read.findings.of("warning") if f.key == "osm.boundary_open"]
    assert found.count == 2
    assert f"缺口社区 ({open_}, 2000 m)" in found.what("zh")
    tally = next(t for t in read.findings.tally if t.layer == "communities")
    assert (tally.rows_in, tally.used, tally.rejected) == (3, 1, 2)


def test_an_exclave_that_the_file_lacks_leaves_the_community_out(draw, read):
    outlined(draw, 0)
    draw.relation([(draw.box(9000, 0, 500), "outer"), ("w999", "outer")],
                  administrative(10, "乙"))
    assert len(read(admin_level=10)["communities"]) == 1
    assert keys(read.findings) == ["osm.boundary_open"]


def test_a_community_with_hole_and_exclave(draw, read):
    key = draw.relation([(draw.box(0, 0, 1000), "outer"), (draw.box(400, 400, 200), "inner"),
                         (draw.box(3000, 0, 500), "outer")], administrative(10, "甲"))
    communities = read(admin_level=10)["communities"]
    assert area_m2(communities, key) == pytest.approx(1000**2 - 200**2 + 500**2, rel=1e-3)


def test_a_community_is_named_by_its_ref_where_that_is_its_own(draw, read):
    for x, more in ((0, {"ref": "320106001001"}), (2000, {"ref:cn": "320106001002"}),
                    (4000, {"ref": "7"}), (6000, {"ref": "7"})):
        draw.relation([(draw.box(x, 0, 1000), "outer")], administrative(10, str(x), **more))
    assert list(read(admin_level=10)["communities"].index) == [
        "320106001001", "320106001002", "r3", "r4"]


def test_a_boundary_mapped_as_one_closed_way(draw, read):
    tags = {k: v for k, v in administrative(10, "村").items() if k != "type"}
    own = draw.box(0, 0, 1000, tags)
    member = draw.box(2000, 0, 1000, tags)
    whole = draw.relation([(member, "outer")], administrative(10, "社区"))
    assert list(read(admin_level=10)["communities"].index) == [own, whole]


def test_without_a_level_the_levels_are_told(draw, read):
    draw.box(0, 0, 20, {"building": "yes"})
    outlined(draw, 0)
    draw.relation([(draw.box(5000, 0, 100), "outer")], administrative(8, "区"))
    assert "communities" not in read()
    [found] = read.findings.of("warning")
    assert "8 (1), 10 (1)" in found.what()


def test_a_level_that_is_not_there_stops_and_names_those_that_are(draw, read):
    draw.box(0, 0, 20, {"building": "yes"})
    outlined(draw, 0)
    with pytest.raises(InputError, match=r"town\.osm › communities .* 10 \(1\)"):
        read(admin_level=9)


def test_a_place_takes_the_communities_inside_it(draw, read):
    draw.relation([(draw.box(0, 0, 3000), "outer")], administrative(8, "南区"))
    inside = draw.relation([(draw.box(0, 0, 1000), "outer")], administrative(10, "甲"))
    draw.relation([(draw.box(5000, 0, 1000), "outer")], administrative(10, "乙"))
    assert list(read(admin_level=10, place="南区")["communities"].index) == [inside]
    assert read(place="南区")["communities"]["name"].tolist() == ["南区"]
    with pytest.raises(InputError, match="北区"):
        read(place="北区")


def test_levels_can_be_listed(draw, tmp_path):
    outlined(draw, 0)
    draw.relation([(draw.box(5000, 0, 100), "outer")], administrative(8, "区"))
    path = tmp_path / "town.osm"
    path.write_text(draw.text(), encoding="utf-8")
    assert list_levels(path, Findings()) == {"8": ["区"], "10": ["社区0"]}


# --- the sea ---------------------------------------------------------------------------------


def seaside(draw: Drawing, *, eastward: bool, start: float = -500, end: float = 2500) -> str:
    """Draw a community of 2 × 2 km and a coast across its middle."""
    key = draw.relation([(draw.box(0, 0, 2000), "outer")], administrative(10, "渔村"))
    shore = [(start, 1000.0), (1000.0, 1000.0), (end, 1000.0)]
    draw.way(shore if eastward else shore[::-1], {"natural": "coastline"})
    return key


@pytest.mark.parametrize("eastward", [True, False])
def test_the_sea_lies_on_the_right_of_the_coast(draw, read, eastward):
    key = seaside(draw, eastward=eastward)
    raw = read(admin_level=10)
    [sea] = raw["barriers"][raw["barriers"]["name"] == "sea"].geometry
    land = raw["communities"].geometry[key]
    for shape, south in ((sea, eastward), (land, not eastward)):
        assert (shape.centroid.y < LAT + 1000 * METRE_LAT) == south
        assert shape.area / METRE_LAT / METRE_LON == pytest.approx(2000 * 1000, rel=1e-3)
    assert sea.intersection(land).area == 0
    assert raw["barriers"]["kind"].tolist() == ["water"]
    assert keys(read.findings) == ["osm.coast_clipped"]


def test_round_an_island_all_is_sea(draw, read):
    key = draw.relation([(draw.box(0, 0, 2000), "outer")], administrative(10, "岛"))
    draw.area([(500, 500), (1500, 500), (1500, 1500), (500, 1500)], {"natural": "coastline"})
    assert area_m2(read(admin_level=10)["communities"], key) == pytest.approx(1000**2, rel=1e-3)


def test_a_lagoon_drawn_clockwise_is_sea_inside(draw, read):
    key = draw.relation([(draw.box(0, 0, 2000), "outer")], administrative(10, "湾"))
    draw.area([(500, 500), (500, 1500), (1500, 1500), (1500, 500)], {"natural": "coastline"})
    assert area_m2(read(admin_level=10)["communities"], key) == pytest.approx(3 * 1000**2,
                                                                              rel=1e-3)


def test_a_coast_that_ends_near_the_border_is_drawn_on(draw, read):
    key = seaside(draw, eastward=True, end=1800)
    assert area_m2(read(admin_level=10)["communities"], key) == pytest.approx(2e6, rel=1e-2)


def test_a_coast_that_ends_in_the_open_clips_nothing(draw, read):
    key = seaside(draw, eastward=True, end=1200)
    raw = read(admin_level=10)
    assert area_m2(raw["communities"], key) == pytest.approx(4e6, rel=1e-3)
    assert "barriers" not in raw
    assert keys(read.findings) == ["osm.coast_open"]


def test_a_coast_that_turns_in_the_middle_clips_nothing(draw, read):
    draw.relation([(draw.box(0, 0, 2000), "outer")], administrative(10, "渔村"))
    draw.way([(-500, 1000), (1000, 1000)], {"natural": "coastline"})
    draw.way([(2500, 1000), (1000, 1000)], {"natural": "coastline"})
    assert "barriers" not in read(admin_level=10)
    assert keys(read.findings) == ["osm.coast_doubtful"]


def test_a_community_in_the_sea_is_left_out_and_told(draw, read):
    dry = seaside(draw, eastward=True)
    draw.relation([(draw.area([(0, 0), (2000, 0), (2000, -500), (0, -500)]), "outer")],
                  administrative(10, "海"))
    assert list(read(admin_level=10)["communities"].index) == [dry]
    assert keys(read.findings) == ["osm.coast_clipped", "osm.all_sea"]


def test_without_communities_the_sea_is_drawn_in_the_box_of_the_data(draw, read):
    draw.way([(-500, 1000), (2500, 1000)], {"natural": "coastline"})
    draw.way([(0, 0), (2000, 0), (2000, 2000)], {"highway": "residential"})
    [sea] = read()["barriers"].geometry
    assert sea.area / METRE_LAT / METRE_LON == pytest.approx(2e6, rel=1e-3)


# --- files -----------------------------------------------------------------------------------


@pytest.fixture
def small(draw) -> Drawing:
    draw.box(0, 0, 20, {"building": "yes", "name": "甲"})
    draw.way([(-50, -10), (50, -10)], {"highway": "residential"})
    draw.relation([(draw.box(-100, -100, 300), "outer")], administrative(10, "社区"))
    return draw


def in_order(text: str, *kinds: str) -> str:
    """Put the objects of a file in another order, kind by kind."""
    root = ElementTree.fromstring(text)
    objects = [e for kind in kinds for e in root.findall(kind)]
    return "<osm version='0.6'>" + "".join(
        ElementTree.tostring(e, encoding="unicode") for e in objects) + "</osm>"


@pytest.mark.parametrize("kinds", [("way", "relation", "node"), ("relation", "way", "node"),
                                   ("node", "relation", "way"),
                                   ("node", "way", "way", "relation"),
                                   ("way", "relation", "node", "node", "way", "relation")])
def test_neither_order_nor_repetition_matters(small, tmp_path, kinds):
    path = tmp_path / "t.osm"
    path.write_text(in_order(small.text(), *kinds), encoding="utf-8")
    findings = Findings()
    raw, _ = read_extract(path, findings, admin_level=10)
    assert {k: list(v.index) for k, v in raw.items()} == {
        "communities": ["r1"], "buildings": ["w1"], "roads": ["w2"]}
    assert keys(findings) == []


def saved(small: Drawing, folder: Path, name: str) -> Path:
    """Save a drawing in the form that the name says."""
    import osmium

    plain = folder / "plain.osm"
    plain.write_text(small.text(), encoding="utf-8")
    path = folder / name
    if name.endswith(".osm"):
        return plain.rename(path)
    with osmium.SimpleWriter(str(path)) as writer:
        for o in osmium.FileProcessor(str(plain)):
            writer.add(o)
    return path


@pytest.mark.parametrize("name", ["t.osm", "t.osm.gz", "t.osm.bz2", "t.osm.pbf"])
def test_every_form_gives_the_same_layers(small, tmp_path, name):
    path = saved(small, tmp_path, name)
    raw, sources = read_extract(path, Findings(), admin_level=10)
    assert {k: list(v.index) for k, v in raw.items()} == {
        "communities": ["r1"], "buildings": ["w1"], "roads": ["w2"]}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [(s.name, s.layer, s.sha256, s.rows) for s in sources] == [
        (name, layer, digest, 1) for layer in raw]


def test_layers_have_the_contracts_columns(small, tmp_path):
    raw, _ = read_extract(saved(small, tmp_path, "t.osm"), Findings(), admin_level=10)
    for name, frame in raw.items():
        assert frame.crs == "EPSG:4326"
        assert frame.index.name == INPUTS[name].key
        assert frame.index.is_unique
        assert [*INPUTS[name].names[1:], "geometry"] == list(frame.columns)
        assert frame.geometry.is_valid.all()


def test_the_same_file_gives_the_same_bytes(small, tmp_path):
    path = saved(small, tmp_path, "t.osm")
    one, two = (read_extract(path, Findings(), admin_level=10)[0] for _ in range(2))
    for name in one:
        pd.testing.assert_frame_equal(one[name].drop(columns="geometry"),
                                      two[name].drop(columns="geometry"))
        assert [*shapely.to_wkb(one[name].geometry)] == [*shapely.to_wkb(two[name].geometry)]


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:int(len(data) * share)])


@pytest.mark.parametrize("name", ["t.osm", "t.osm.gz", "t.osm.bz2", "t.osm.pbf"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_b49_a_cut_file_stops_the_run_and_is_named(small, tmp_path, name, share):
    path = saved(small, tmp_path, name)
    cut(path, share)
    with pytest.raises(InputError) as caught:
        read_extract(path, Findings())
    [line] = caught.value.lines()
    assert line.startswith(f"osm.damaged | {name} |")
    assert str(tmp_path) not in line


@pytest.mark.parametrize(("name", "content", "key"), [
    ("junk.osm.pbf", b"\x00\x11" * 500, "osm.not_osm"),
    ("junk.osm.pbf", b"\x00\x00\x00\x0e\x0a\x09OSMHeader\x18\x7f" + b"\xff" * 500, "osm.damaged"),
    ("page.osm", b"<!DOCTYPE html><html><body>404</body></html>", "osm.web_page"),
    ("empty.osm", b"", "osm.empty_file"),
    ("other.osm", b"<?xml version='1.0'?><gpx></gpx>", "osm.damaged"),
    ("long.osm", b"<osm version='0.6'><node id='1' lat='0' lon='0'><tag k='name' v='"
     + b"x" * 10_000 + b"'/></node></osm>", "osm.damaged"),
    ("bomb.osm", b"<?xml version='1.0'?><!DOCTYPE osm [<!ENTITY a 'aaaa'>]>"
     b"<osm version='0.6'><node id='1'><tag k='name' v='&a;'/></node></osm>", "osm.damaged"),
    ("none.osm", b"<?xml version='1.0'?><osm version='0.6'></osm>", "osm.empty")])
def test_b49_b53_what_is_no_osm_file_is_refused(tmp_path, name, content, key):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_extract(tmp_path / name, Findings())
    assert [(f.key, f.file) for f in caught.value.findings] == [(key, name)]


def test_b49_a_cut_file_that_parses_is_refused_in_a_gzip_too(tmp_path):
    (tmp_path / "t.osm.gz").write_bytes(gzip.compress(b"<html>"))
    with pytest.raises(InputError, match=r"t\.osm\.gz"):
        read_extract(tmp_path / "t.osm.gz", Findings())


def test_b59_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.osm"):
        read_extract(tmp_path / "nowhere.osm", Findings())
    (tmp_path / "folder.osm").mkdir()
    with pytest.raises(InputError, match=r"folder\.osm"):
        read_extract(tmp_path / "folder.osm", Findings())


def test_b52_a_wrong_suffix_is_read_by_content_and_told(small, tmp_path):
    path = saved(small, tmp_path, "t.osm").rename(tmp_path / "t.osm.pbf")
    findings = Findings()
    assert "buildings" in read_extract(path, findings, admin_level=10)[0]
    assert keys(findings) == ["osm.wrong_suffix"]


@pytest.mark.parametrize(("refs", "tag"), [((-1, -2), "highway"), ((1, 2, -1, 1), "building"),
                                           ((-1, -2, -3, -1), "building")])
def test_objects_that_were_never_uploaded_are_named(tmp_path, refs, tag):
    nodes = "".join(f"<node id='{n}' lat='0.00{abs(n)}' lon='0.00{n % 3}'/>"
                    for n in dict.fromkeys(refs))
    ends = "".join(f"<nd ref='{n}'/>" for n in refs)
    (tmp_path / "t.osm").write_text(
        f"<osm version='0.6'>{nodes}<way id='5'>{ends}<tag k='{tag}' v='yes'/></way></osm>")
    with pytest.raises(InputError, match=r"osm\.local_ids .* w5"):
        read_extract(tmp_path / "t.osm", Findings())


def test_b49_text_that_is_no_unicode_is_damage(small, tmp_path):
    import osmium

    path = saved(small, tmp_path, "t.osm")
    bare = tmp_path / "bare.osm.pbf"
    with osmium.SimpleWriter(osmium.io.File(str(bare), "pbf,pbf_compression=none")) as writer:
        for o in osmium.FileProcessor(str(path)):
            writer.add(o)
    assert "社区".encode() in bare.read_bytes()
    bare.write_bytes(bare.read_bytes().replace("社区".encode(), b"\xff\xfe" * 3))
    with pytest.raises(InputError, match=r"osm\.damaged \| bare\.osm\.pbf"):
        read_extract(bare, Findings())


def test_the_tally_adds_up(draw, read):
    draw.area([(0, 0), (20, 20), (20, 0), (0, 20)], {"building": "yes", "building:flats": "7"})
    draw.box(50, 0, 20, {"building": "yes", "building:flats": "5"})
    draw.relation([("w99", "outer")], area_tags(building="yes"))
    draw.way([(0, 50), (20, 50), (20, 70)], {"building": "yes", "building:flats": "4"})
    read()
    [row] = read.findings.tally
    assert (row.rows_in, row.used, row.repaired, row.rejected) == (4, 1, 1, 2)
    assert (row.households_in, row.households_out) == (16, 12)


def test_the_tally_of_communities_adds_up(draw, read):
    outlined(draw, 100, x=2000)
    seaside(draw, eastward=True, end=4500)
    draw.relation([(draw.area([(0, 0), (2000, 0), (2000, -500), (0, -500)]), "outer")],
                  administrative(10, "海", ref="320106001009"))
    draw.relation([("w99", "outer")], administrative(10, "缺"))
    read(admin_level=10)
    row = next(t for t in read.findings.tally if t.layer == "communities")
    assert (row.rows_in, row.used, row.repaired, row.rejected) == (4, 1, 1, 2)


def test_every_finding_has_its_texts_and_a_mend():
    texts = load_room("osm")
    named = {key.removesuffix(".mend") for key in texts}
    assert all(set(texts[key]) == {"en", "zh"} for key in texts)
    assert {f"{key}.mend" for key in named} <= set(texts)


def test_importing_the_room_loads_neither_osmium_nor_osmnx():
    code = "import gridplan.osm, sys; sys.exit('osmium' in sys.modules or 'osmnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- a place by name -------------------------------------------------------------------------


class Answers(BaseHTTPRequestHandler):
    """A name server and a map server in one, for one drawing."""

    draw: Drawing
    asked: list[str]

    def do_GET(self):
        query = parse_qs(urlparse(self.path).query)
        self.asked.append(query["q"][0])
        found = []
        if query["q"][0] == "渔村, 江苏":
            ring = [[LON + x * METRE_LON, LAT + y * METRE_LAT]
                    for x, y in ((0, 0), (2000, 0), (2000, 2000), (0, 2000), (0, 0))]
            found = [{"osm_type": "relation", "osm_id": 77, "lat": str(LAT), "lon": str(LON),
                      "display_name": "渔村, 江苏", "name": "渔村", "class": "boundary",
                      "type": "administrative", "importance": 0.5, "place_id": 1,
                      "boundingbox": [str(LAT), str(LAT + 1), str(LON), str(LON + 1)],
                      "geojson": {"type": "Polygon", "coordinates": [ring]}}]
        self.answer(found)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append(parse_qs(body)["data"][0])
        self.answer({"elements": self.draw.elements()})

    def answer(self, what):
        data = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(draw, monkeypatch) -> Iterator[dict]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    handler = type("Handler", (Answers,), {"draw": draw, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{http.server_address[1]}"
        yield {"overpass_url": f"{url}/api", "nominatim_url": url, "asked": handler.asked}
        http.shutdown()
        thread.join()


def ask(server: dict, name: str = "渔村, 江苏", **options):
    findings = Findings()
    urls = {k: v for k, v in server.items() if k != "asked"}
    return (*read_place(name, findings, **{**urls, **options}), findings)


def test_a_place_gives_the_same_layers_as_a_file(draw, read, server):
    outline = draw.box(100, 100, 40, {"building": "yes"})
    draw.relation([(outline, "outer"), (draw.box(110, 110, 20), "inner")],
                  area_tags(building="apartments"))
    draw.way([(0, 50), (500, 50)], {"highway": "primary", "name": "<img src=x>"})
    draw.box(600, 600, 200, {"natural": "water", "water": "river"})
    draw.box(600, 900, 50, {"barrier": "retaining_wall"})
    draw.box(1000, 100, 200, {"landuse": "residential", "name": "花园"})
    draw.node((1000, 100), {"barrier": "gate"})
    draw.node((50, 60), {"shop": "convenience"})
    online, sources, _ = ask(server)
    on_disk = read()
    assert online.pop("communities")["name"].to_dict() == {"r77": "渔村"}
    assert online.keys() == on_disk.keys()
    for name, frame in on_disk.items():
        pd.testing.assert_frame_equal(online[name].drop(columns="geometry"),
                                      frame.drop(columns="geometry"))
        gap = shapely.hausdorff_distance([*online[name].geometry], [*frame.geometry])
        assert gap.max() < 1e-6
    assert {s.name for s in sources} == {"渔村, 江苏"}


def test_a_place_with_a_level_gives_the_communities_inside(draw, server):
    draw.box(100, 100, 40, {"building": "yes"})
    ring = draw.box(0, 0, 1000, {"boundary": "administrative", "admin_level": "10"})
    inside = draw.relation([(ring, "outer")], administrative(10, "甲"))
    draw.relation([(draw.box(2100, 0, 300), "outer")], administrative(10, "乙"))
    raw, _, _ = ask(server, admin_level=10)
    assert raw["communities"]["name"].to_dict() == {inside: "甲"}


def test_osmnx_is_left_as_it_was(draw, server, tmp_path):
    from osmnx import settings

    draw.box(100, 100, 40, {"building": "yes"})
    names = [n for n in dir(settings) if not n.startswith("_")]
    before = {n: getattr(settings, n) for n in names}
    lookup = socket.getaddrinfo
    ask(server, cache=tmp_path)
    with pytest.raises(InputError):
        ask(server, "Nowhere")
    assert {n: getattr(settings, n) for n in names} == before
    assert socket.getaddrinfo is lookup


def test_answers_are_kept_only_in_a_cache_that_is_named(draw, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw.box(100, 100, 40, {"building": "yes"})
    ask(server)
    assert list(tmp_path.iterdir()) == []
    ask(server, cache=tmp_path / "kept")
    asked = len(server["asked"])
    raw, _, _ = ask(server, cache=tmp_path / "kept")
    assert len(server["asked"]) == asked
    assert list(raw["buildings"].index) == ["w1"]


def test_an_unknown_place_is_named(server):
    with pytest.raises(InputError, match="Nowhere"):
        ask(server, "Nowhere")


def test_a_place_without_objects_is_empty(server):
    with pytest.raises(InputError, match=r"osm\.empty"):
        ask(server)


def test_a_server_that_does_not_answer_is_a_matter_of_the_machine():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(MachineError, match=r"osm\.no_answer"):
        read_place("渔村", Findings(), overpass_url=f"{url}/api", nominatim_url=url, timeout_s=2)
