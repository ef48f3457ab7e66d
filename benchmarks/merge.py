"""Mergers against peers: ``python -m benchmarks.merge BOUNDARIES --households-column C …``.

One JSON object a line for each program and number of communities. ``largest_to_mean`` is the
households of the largest new community over the mean, ``moved_households`` those that are not in
the largest old community of their new one, ``bound`` and ``gap`` are of the largest: what no
connected division into so many can be below, and largest ÷ bound − 1.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

import gridplan
from benchmarks.lines import make_line, print_line
from benchmarks.timing import measure_time
from gridplan.errors import Findings
from gridplan.merge.patchwork import Patchwork, find_contacts, label_pieces
from gridplan.merge.solve import divide_patches
from gridplan.params import EFFORTS, Params
from gridplan.read import clean_boundaries, read_layers

Ints = NDArray[np.int64]
_TRIES = 12


def main(words: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    asked = _read_words(words)
    for path in asked.boundaries:
        frame = _read(path, asked)
        people = frame["households"].to_numpy(dtype=np.int64)
        patches = Patchwork.of(people, *find_contacts(frame.geometry.to_numpy()))
        divide_patches(Patchwork.of([1] * 20, range(19), range(1, 20), [100] * 19), 9)  # warm up
        for count in asked.communities:
            bounds: list[int] = []
            for effort in [asked.effort] if asked.effort else EFFORTS:
                for seed in range(1, asked.seeds + 1):
                    _run_ours(Path(path).stem, patches, count, effort, seed, bounds)
            if asked.peers:
                for name, cut in PEERS.items():
                    for seed in range(1, asked.peer_seeds + 1):
                        _run_peer(Path(path).stem, patches, frame, count, seed, name, cut,
                                  max(bounds))


def _read_words(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.merge", description=__doc__)
    parser.add_argument("boundaries", nargs="+")
    parser.add_argument("--households-column", required=True)
    parser.add_argument("--communities", type=int, nargs="+", required=True)
    parser.add_argument("--snap", type=float, default=0.0)
    parser.add_argument("--effort", choices=EFFORTS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--peer-seeds", type=int, default=1)
    return parser.parse_args(words)


def _read(path: str, asked: argparse.Namespace) -> gpd.GeoDataFrame:
    findings = Findings()
    raw, sources = read_layers({"communities": path}, findings=findings, columns={
        "communities.households": asked.households_column})
    return clean_boundaries(raw["communities"], sources, Params(), findings, snap_m=asked.snap)


def _run_ours(instance: str, patches: Patchwork, count: int, effort: Any, seed: int,
              bounds: list[int]) -> None:
    with measure_time() as watch:
        found = divide_patches(patches, count, effort=effort, seed=seed)
    bounds.append(found.bound.largest)
    status = "proven" if all(found.proven) else "ok"
    print_line(_line("gridplan", gridplan.__version__, instance, patches, found.label, count, seed,
                     found.bound.largest, effort=effort, status=status, cpu_s=watch.cpu_s,
                     wall_s=watch.wall_s, proven=list(found.proven),
                     moved_bound=found.bound.moved, border_m=found.score.border_cm / 100))


def _run_peer(instance: str, patches: Patchwork, frame: gpd.GeoDataFrame, count: int, seed: int,
              name: str, cut: Callable[..., Ints], bound: int) -> None:
    try:
        version = importlib.metadata.version("spopt")
    except importlib.metadata.PackageNotFoundError:
        print_line(make_line("merge", name, "", instance=instance, seed=seed, status="missing",
                             note="pip install spopt"))
        return
    try:
        with measure_time() as watch:
            label = cut(patches, frame, count, seed)
    except Exception as error:  # a peer that fails is a result, not the end of the run
        print_line(make_line("merge", name, version, instance=instance, seed=seed, status="failed",
                             note=f"{type(error).__name__}: {error}"[:300]))
        return
    print_line(_line(name, version, instance, patches, label, count, seed, bound,
                     cpu_s=watch.cpu_s, wall_s=watch.wall_s))


def _line(method: str, version: str, instance: str, patches: Patchwork, label: Ints, asked: int,
          seed: int, bound: int, **more: Any) -> dict[str, Any]:
    made = int(label.max()) + 1
    same = label[patches.u] == label[patches.v]
    pieces = int(label_pieces(patches.size, patches.u[same], patches.v[same]).max()) + 1
    score = patches.score(label)
    mean = patches.people.sum() / asked
    # The bound is for the number asked for.
    held = bound if made == asked else None
    return make_line("merge", method, version, instance=instance, seed=seed, **more, asked=asked,
                     communities=made, contiguous=pieces == made,
                     largest_to_mean=score.largest / mean, moved_households=score.moved,
                     bound=held, gap=score.largest / held - 1 if held else None)


# ---- peers -----------------------------------------------------------------------------------

def _table(patches: Patchwork, frame: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, Any]:
    """Return centres and households, and the contacts as the peer takes them."""
    from libpysal.weights import W

    xy = shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy())) / 1000
    table = gpd.GeoDataFrame({"x": xy[:, 0], "y": xy[:, 1], "households": patches.people},
                             geometry=list(frame.geometry), crs=frame.crs)
    near: dict[int, list[int]] = {k: [] for k in range(patches.size)}
    for u, v in zip(patches.u.tolist(), patches.v.tolist(), strict=True):
        near[u].append(v)
        near[v].append(u)
    return table, W(near, silence_warnings=True)


def cut_maxp(patches: Patchwork, frame: gpd.GeoDataFrame, count: int, seed: int) -> Ints:
    """Max-p: the floor of households is bisected until so many regions come out, or nearly so.

    Of those with the number asked for, or else with the nearest, the best balanced counts.
    """
    from spopt.region import MaxPHeuristic

    table, near = _table(patches, frame)
    low, high = 0.0, float(patches.people.sum()) / count
    best: tuple[int, int, Ints] | None = None
    for _ in range(_TRIES):
        floor = (low + high) / 2
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  it draws from the global state
        model = MaxPHeuristic(table, near, ["x", "y"], "households", floor, top_n=2)
        model.solve()
        label = np.unique(np.asarray(model.labels_), return_inverse=True)[1].astype(np.int64)
        made = int(label.max()) + 1
        rank = (abs(made - count), patches.score(label).largest, label)
        if best is None or rank[:2] < best[:2]:
            best = rank
        low, high = (floor, high) if made > count else (low, floor)
        if made == count:
            low, high = floor, high if high > floor else 1.05 * floor
    assert best is not None
    return best[2]


def cut_skater(patches: Patchwork, frame: gpd.GeoDataFrame, count: int, seed: int) -> Ints:
    """SKATER on centres, and on households; the better balanced counts.

    Its floor is one of members, not of households, and can only take balance away where so many
    regions are asked for that they have one or two.
    """
    from spopt.region import Skater

    table, near = _table(patches, frame)
    best: tuple[int, int, Ints] | None = None
    for columns in (["x", "y"], ["households"]):
        model = Skater(table, near, columns, n_clusters=count, islands="ignore")
        model.solve()
        label = np.unique(np.asarray(model.labels_), return_inverse=True)[1].astype(np.int64)
        rank = (abs(int(label.max()) + 1 - count), patches.score(label).largest, label)
        if best is None or rank[:2] < best[:2]:
            best = rank
    assert best is not None
    return best[2]


PEERS: dict[str, Callable[..., Ints]] = {"spopt:maxp": cut_maxp, "spopt:skater": cut_skater}

if __name__ == "__main__":
    main()
