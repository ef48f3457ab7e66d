"""The solver on building cells of central Helsinki and of a suburb."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gridplan.params import Effort
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
    ("hel1", "fast", 0.93), ("hel1", "normal", 0.87), ("hel1", "best", 0.85),
    ("hel9", "fast", 0.90), ("hel9", "normal", 0.85), ("hel9", "best", 0.82),
    ("sub4", "fast", 0.83), ("sub4", "normal", 0.74), ("sub4", "best", 0.71)])
def test_borders_are_shorter_than_those_of_metis(name, effort, ratio):
    graph = read_instance(name)
    assert median_border(graph, effort, 1 if name == "hel9" else 5) <= ratio * METIS[name]


@pytest.mark.parametrize(("name", "effort", "ratio"), [
    ("hel1", "normal", 0.92), ("hel1", "best", 0.87), ("hel9", "normal", 0.90),
    ("sub4", "normal", 0.74), ("sub4", "best", 0.72)])
def test_so_they_are_with_as_many_regions_as_metis_has(name, effort, ratio):
    graph = read_instance(name)
    count = round(int(graph.households.sum()) / 400)
    seeds = 1 if name == "hel9" else 5
    assert median_border(graph, effort, seeds, count=count) <= ratio * METIS[name]


def test_borders_that_may_straddle_major_roads_are_shorter_still():
    graph = read_instance("hel1")
    assert median_border(graph, "best", 5, apart=False) <= 0.845 * METIS["hel1"]


def median_border(graph: Graph, effort: Effort, seeds: int, *, count: int | None = None,
                  apart: bool = True) -> float:
    borders = []
    for seed in range(1, seeds + 1):
        cut = cut_graph(graph, 300, 500, effort=effort, seed=seed, count=count, apart=apart)
        assert cut.status == "ok"
        assert count in (None, cut.count)
        borders.append(cut.border)
    return float(np.median(borders))
