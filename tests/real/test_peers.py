"""Every peer that is installed cuts a small town (the extra ``bench``)."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from benchmarks.partition.instances import make_lattice, read_instance
from benchmarks.partition.metrics import measure_cut
from benchmarks.partition.peers import PEERS, run_peer


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Eight rows of eight blocks of 60 households; a primary road between the halves."""
    path = tmp_path_factory.mktemp("town") / "grid_units.parquet"
    held = make_lattice(8, 8, households=60, major_rows=[4])
    row, column = np.divmod(np.arange(64), 8)
    gpd.GeoDataFrame({"bid": range(64), "hh": held.households, "uid": range(64)},
                     geometry=shapely.box(column * 50, row * 50, column * 50 + 50, row * 50 + 50),
                     crs=32650).to_parquet(path)
    pd.DataFrame({"i": held.u, "j": held.v, "length_m": held.length_m,
                  "cls": np.where(held.major, 4, 1)}).to_parquet(
        path.with_name("grid_edges.parquet"))
    return path


@pytest.mark.parametrize("peer", PEERS, ids=lambda p: p.method)
def test_a_peer_that_is_here_cuts_the_town(town, peer):
    pytest.importorskip(peer.package)
    outcome, labels = run_peer(peer, read_instance(town), 1, cpu_s=60)
    assert outcome.status == "ok", outcome.note
    assert measure_cut(read_instance(town), labels)["left_out"] == 0
