"""The solver on building cells of central Helsinki and of a suburb."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gridplan.regions import Graph, cut_graph

FOLDER = Path(__file__).parents[2].parent / "shared" / "instances" / "partition"
FACTORS = np.array([10.0, 3.0, 2.0, 1.0, 0.5])
METIS = {"hel1": 69_439, "hel9": 766_505, "sub4": 132_658}  # medians of 20 (hel9: 12) seeds


def read_instance(name: str) -> Graph:
    if not FOLDER.is_dir():
        pytest.skip(f"no instances in {FOLDER}")
    units = pd.read_parquet(FOLDER / f"{name}_units.parquet", columns=["hh"])
    edges = pd.read_parquet(FOLDER / f"{name}_edges.parquet")
    cls = edges["cls"].to_numpy()
    return Graph(units["hh"].to_numpy(), edges["i"].to_numpy(), edges["j"].to_numpy(),
                 edges["length_m"].to_numpy() * FACTORS[cls], cls >= 3)


@pytest.mark.parametrize(("name", "effort", "ratio"), [
    ("hel1", "fast", 0.95), ("hel1", "normal", 0.87), ("hel1", "best", 0.85),
    ("hel9", "normal", 0.87), ("sub4", "fast", 0.90), ("sub4", "normal", 0.80)])
def test_borders_are_shorter_than_those_of_metis(name, effort, ratio):
    graph = read_instance(name)
    borders = []
    for seed in range(1, 2 if name == "hel9" else 6):
        cut = cut_graph(graph, 300, 500, effort=effort, seed=seed)
        assert cut.status == "ok"
        borders.append(cut.border)
    assert np.median(borders) <= ratio * METIS[name]
