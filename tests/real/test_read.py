"""The reader on real data: Vologda (apartment blocks, mixed systems) and Seoul (communities)."""

from __future__ import annotations

import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridplan.errors import Findings, InputError
from gridplan.params import Params, ReadParams
from gridplan.read import clean_study, inspect_file, read_layers

SHARED = Path(__file__).parents[2].parent / "shared"


@pytest.fixture(scope="module")
def data() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"real data is looked for in {SHARED}, which is not there")
    return SHARED / "data"


@pytest.fixture(scope="module")
def vologda(data):
    folder = data / "vologda"
    findings = Findings()
    start = time.process_time()
    raw, sources = read_layers(
        {"outline": folder / "boundaries.parquet", "buildings": folder / "buildings.parquet",
         "roads": folder / "roads.parquet", "rail": folder / "railways.parquet",
         "water": folder / "water.parquet"}, findings=findings)
    study = clean_study(raw, sources, Params(), findings, delineate=True)
    return study, findings, time.process_time() - start


def test_vologda_is_read_and_cleaned_in_six_seconds(vologda):
    assert vologda[2] <= 6.0


def test_vologda_comes_through_in_one_metric_system(vologda):
    study, findings, _ = vologda
    assert study.crs.to_epsg() == 32637
    assert len(study.buildings) == 25_321
    row = next(t for t in findings.tally if t.layer == "buildings")
    assert (row.rows_in, row.outside, row.rejected) == (25_324, 3, 0)
    assert int(study.buildings["population"].sum()) == 356_810
    assert (study.buildings["use"] == "residential").sum() == 1_804
    assert study.buildings["floors"].notna().all()
    assert study.buildings["living_m2"].gt(0).sum() > 1_000
    assert set(study.barriers["kind"]) == {"rail", "river", "water"}
    assert set(study.roads["road_class"]) == {"unknown"}
    assert not findings.of("error", "ask")


def test_vologda_is_valid_and_inside_its_margin(vologda):
    study, _, _ = vologda
    around = study.outline.buffer(501)
    for name in ("buildings", "roads", "barriers"):
        frame = study.layer(name)
        assert frame.is_valid.all()
        assert frame.index.is_unique
        assert not shapely.is_empty(np.asarray(frame.geometry.array)).any()
    assert around.covers(shapely.box(*study.roads.total_bounds)) or all(
        shapely.covers(around, np.asarray(study.roads.geometry.array)))


def test_vologda_twice_is_the_same(data, vologda):
    folder = data / "vologda"
    raw, sources = read_layers({"buildings": folder / "buildings.parquet",
                                "roads": folder / "roads.parquet",
                                "outline": folder / "boundaries.parquet"}, findings=Findings())
    again = clean_study(raw, sources, Params(), Findings(), delineate=True)
    study = vologda[0]
    assert again.buildings.to_wkb().equals(study.buildings.to_wkb())
    assert again.roads.to_wkb().equals(study.roads.to_wkb())


def test_vologda_without_an_outline_takes_the_reach_of_its_dwellings(data):
    folder = data / "vologda"
    raw, sources = read_layers({"buildings": folder / "buildings.parquet",
                                "roads": folder / "roads.parquet"}, findings=Findings())
    findings = Findings()
    study = clean_study(raw, sources, Params(), findings, delineate=True)
    assert int(study.buildings["population"].sum()) == 356_810
    assert all(not p.interiors for p in shapely.get_parts(study.outline))


@pytest.fixture(scope="module")
def seoul(data):
    path = data / "seoul" / "seoul_dong_households_2020.parquet"
    raw, sources = read_layers({"communities": path}, findings=Findings(),
                               columns={"community_id": "k", "name": "adm3_name_kr"})
    dong = raw["communities"]
    spots = gpd.GeoDataFrame(geometry=dong.representative_point().array, crs=dong.crs)
    roads = gpd.GeoDataFrame(geometry=[shapely.LineString(dong.total_bounds.reshape(2, 2))],
                             crs=dong.crs)
    return {**raw, "buildings": spots, "roads": roads}, sources


def test_seoul_is_recognised(data):
    (layer,) = inspect_file(data / "seoul" / "seoul_dong_households_2020.parquet").layers
    assert (layer.role, layer.rows, layer.crs) == ("communities", 425, "EPSG:5179")
    assert layer.columns == {"households": "households"}


def test_seoul_was_simplified_dong_by_dong_and_its_overlaps_stop_the_run(seoul):
    with pytest.raises(InputError) as caught:
        clean_study(*seoul, Params(), Findings())
    (fault,) = caught.value.findings
    assert (fault.key, fault.values["overlaps"]) == ("read.overlap", 297)
    assert fault.values["pairs"].startswith("1115064 × 1115072 (1,070.6 m²)")


def test_seoul_fits_with_a_wider_tolerance_and_keeps_its_system(seoul):
    raw, sources = seoul
    findings = Findings()
    study = clean_study(raw, sources, Params(read=ReadParams(snap_m=20.0)), findings)
    assert study.crs.to_epsg() == 5179
    assert len(study.communities) == 425
    assert list(study.buildings["community_id"]) == list(study.communities.index)
    assert study.totals.sum() == raw["communities"]["households"].sum()
    assert shapely.coverage_is_valid(np.asarray(study.communities.geometry.array))
    before = shapely.union_all(np.asarray(raw["communities"].make_valid().array)).area
    assert study.outline.area == pytest.approx(before, rel=1e-3)
