"""Mergers of the dongs of Seoul: proven where groups are small, never worse than the peers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from mergers import independent_best

from gridplan.errors import Findings
from gridplan.merge.patchwork import Patchwork, find_contacts, label_pieces
from gridplan.merge.solve import divide_patches
from gridplan.params import Params
from gridplan.read import clean_boundaries, read_layers

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "seoul"
SNAP_M = 12.0
# Largest over mean of the better of spopt 0.7.0's max-p and SKATER, by benchmarks.merge.
PEERS = {300: 2.433}


@pytest.fixture(scope="module")
def dongs() -> gpd.GeoDataFrame:
    files = sorted(FOLDER.glob("*.parquet"))
    if not files:
        pytest.skip(f"real data is looked for in {FOLDER}, which is not there")
    findings = Findings()
    raw, sources = read_layers({"communities": files[0]}, findings=findings, columns={
        "communities.households": "households", "communities.community_id": "k",
        "communities.subdistrict_id": "adm2"})
    return clean_boundaries(raw["communities"], sources, Params(), findings, snap_m=SNAP_M)


def patches_of(frame: gpd.GeoDataFrame) -> Patchwork:
    return Patchwork.of(frame["households"].to_numpy(dtype=np.int64),
                        *find_contacts(frame.geometry.to_numpy()))


@pytest.mark.parametrize("seed", range(20))
def test_twenty_pieces_of_the_city_meet_the_optimum_of_another_exact_model(dongs, seed):
    rng = np.random.default_rng(seed)
    full = patches_of(dongs)
    start, other, _ = full.rows()
    size = int(rng.integers(12, 31))
    held = [int(rng.integers(full.size))]
    while len(held) < size:  # random neighbours of a random dong
        edge = sorted({int(y) for x in held for y in other[start[x]:start[x + 1]]} - set(held))
        held.append(int(rng.choice(edge)))
    piece = patches_of(dongs.iloc[sorted(held)])
    count = round(size * float(rng.choice([0.5, 0.65, 0.8])))
    found = divide_patches(piece, count)
    assert found.score == independent_best(piece, count)
    assert found.proven == (True, True, True)


@pytest.mark.parametrize("count", [400, 360, 300])
def test_the_whole_city_is_proven_where_few_are_joined(dongs, count):
    found = divide_patches(patches_of(dongs), count)
    assert found.proven == (True, True, True)
    assert found.score.largest == 24_434
    assert found.score.largest * count / dongs["households"].sum() <= PEERS.get(count, np.inf)


@pytest.mark.parametrize(("count", "most"), [(100, 1.10), (49, 1.03), (25, 1.02), (8, 1.01)])
def test_few_large_ones_are_balanced_and_the_gap_is_told(dongs, count, most):
    patches = patches_of(dongs)
    found = divide_patches(patches, count)
    same = found.label[patches.u] == found.label[patches.v]
    assert label_pieces(patches.size, patches.u[same], patches.v[same]).max() + 1 == count
    assert found.score.largest / (patches.people.sum() / count) <= most
    assert found.bound.largest <= found.score.largest


def test_the_verb_stays_inside_subdistricts_and_check_accepts_the_file(dongs, tmp_path):
    source = next(FOLDER.glob("*.parquet"))
    target = tmp_path / "seoul.gpkg"
    words = ["merge", source, "--households-column", "households", "--column", "community_id=k",
             "--column", "subdistrict_id=adm2", "--column", "name=adm3", "--snap", SNAP_M,
             "--communities", 360, "-o", target, "--lang", "en"]
    for line in (words, ["check", target, "--inputs", source, "--lang", "en"]):
        done = subprocess.run([sys.executable, "-m", "gridplan", *map(str, line)],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    mergers = gpd.read_file(target, layer="mergers")
    town = mergers.set_index("former_id")["subdistrict_id"]
    assert (town[mergers["community_id"]].to_numpy() == town.to_numpy()).all()
