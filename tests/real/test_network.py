"""The street network on real cities, beside a second way to build and search it."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from streets import PlainGround, PlainNetwork, plain_access, plain_distances

from gridplan.errors import Findings, InputError
from gridplan.network import (
    build_network,
    distances,
    find_access,
    nearest,
    pick_access,
    read_elevation,
)
from gridplan.osm import read_extract

SHARED = Path(__file__).parents[2].parent / "shared"


@pytest.fixture(scope="module")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"real data is looked for in {SHARED}, which is not there")
    return SHARED / "data"


def read(path):
    layers = read_extract(path, Findings())[0]
    crs = layers["roads"].estimate_utm_crs()
    return {name: frame.to_crs(crs) for name, frame in layers.items()
            if isinstance(frame, gpd.GeoDataFrame) and len(frame)}


@pytest.fixture(scope="module")
def porto_alegre(shared):
    layers = read(shared / "porto_alegre" / "poa_osm.pbf")
    with (shared / "porto_alegre" / "poa_hexgrid.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    places = gpd.GeoSeries(gpd.points_from_xy([float(r["lon"]) for r in rows],
                                              [float(r["lat"]) for r in rows]), crs=4326)
    return layers, places.to_crs(layers["roads"].crs).to_numpy()


@pytest.fixture(scope="module")
def liechtenstein(shared):
    layers = read(shared / "liechtenstein" / "liechtenstein.osm.pbf")
    return layers, layers["buildings"].geometry.centroid.to_numpy()


CITIES = [("porto_alegre", "bike"), ("liechtenstein", "foot")]


@pytest.mark.parametrize(("name", "mode"), CITIES)
def test_a_second_way_gives_the_same_network(name, mode, request):
    layers, _ = request.getfixturevalue(name)
    network, plain = build_network(layers["roads"], mode), PlainNetwork(layers["roads"], mode)
    assert network.edges == len(plain.edges)
    assert network.nodes == plain.graph.number_of_nodes()
    # Positions of joined ends are rounded, so lengths may differ by a millimetre.
    assert network.length_m == pytest.approx(
        np.array([line.length for line in plain.lines]), abs=2e-3)
    assert (network.usable == plain.usable).all()
    assert network.road.tolist() == [e[0] for e in plain.edges]


@pytest.mark.parametrize("name", ["porto_alegre", "liechtenstein"])
def test_a_second_way_finds_the_same_distances(name, request):
    layers, points = request.getfixturevalue(name)
    chance = np.random.default_rng(3)
    homes = points[chance.choice(len(points), 30, replace=False)]
    goals = points[chance.choice(len(points), 40, replace=False)]
    barriers = layers.get("barriers")
    network = build_network(layers["roads"])
    plain, ground = PlainNetwork(layers["roads"]), PlainGround(barriers)
    origins = find_access(network, homes, barriers=barriers)
    targets = find_access(network, goals, barriers=barriers)
    found = distances(network, origins, targets)
    table = np.full((30, 40), math.inf)
    table[found.origin, found.target] = found.distance_m
    there = [plain_access(plain, ground, g.coords[0])[0] for g in goals]
    for i, home in enumerate(homes):
        wanted = plain_distances(plain, plain_access(plain, ground, home.coords[0])[0], there)
        assert table[i] == pytest.approx(np.array(wanted), rel=1e-6, abs=1e-2)


def test_all_of_porto_alegre_s_hexagons_reach_a_few_places(porto_alegre):
    layers, points = porto_alegre
    network = build_network(layers["roads"])
    access = find_access(network, points, barriers=layers.get("barriers"))
    assert access.off.sum() < 10
    goals = pick_access(access, np.arange(0, len(points), 50))
    found = nearest(network, access, goals, np.zeros(len(goals), np.int64), 1)
    straight = shapely.STRtree(points[::50]).query_nearest(points, return_distance=True,
                                                           all_matches=False)[1]
    reached = np.isfinite(found.distance_m[0])
    assert reached.mean() > 0.98
    assert (found.distance_m[0][reached] >= straight[reached] - 1e-6).all()


def test_the_elevation_lies_where_its_tags_say(shared):
    ground = read_elevation(shared / "porto_alegre" / "poa_elevation.tif")
    assert ground.heights.shape == (403, 413)
    assert ground.origin == pytest.approx((-51.254861111, -29.997638889))
    assert ground.step == pytest.approx((1 / 3600, 1 / 3600), rel=1e-6)
    assert ground.crs.to_epsg() == 4326
    # Middles of two cells, and half-way between them.
    west, north = ground.origin
    x = west + ground.step[0] * np.array([100.5, 101.5, 101.0])
    y = np.full(3, north - ground.step[1] * 50.5)
    a, b = ground.heights[50, 100:102].tolist()
    assert ground.sample(x, y) == pytest.approx([a, b, (a + b) / 2])


def test_hills_make_porto_alegre_wider_and_never_faster_than_tobler(porto_alegre, shared):
    roads = porto_alegre[0]["roads"]
    ground = read_elevation(shared / "porto_alegre" / "poa_elevation.tif")
    with pytest.raises(InputError, match=r"poa_elevation\.tif \| the elevation covers 97\.6 %"):
        build_network(roads, elevation=ground)
    west, north = ground.origin
    rows, columns = ground.heights.shape
    frame = shapely.box(west, north - rows * ground.step[1], west + columns * ground.step[0],
                        north)
    inside = roads[roads.to_crs(4326).within(frame)]
    flat, hilly = build_network(inside), build_network(inside, elevation=ground)
    factor = hilly.cost_m / flat.cost_m
    assert factor.min() >= math.exp(-3.5 * 0.05) - 1e-9
    assert factor.max() <= math.exp(3.5 * 0.5) + 1e-9
    # There and back a slope never saves anything, and some streets are steep.
    assert factor.mean(axis=1).min() >= 1 - 1e-9
    assert np.quantile(factor.max(axis=1), 0.9) > 1.15
