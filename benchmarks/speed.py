"""``python -m benchmarks.speed --units 10000 100000 1000000``: what a unit costs the search.

The units are the buildings of one synthetic town of the largest size, as points; their borders
are the edges of its Voronoi diagram, and a border has the class of the widest road between its
two buildings. Smaller sizes are every n-th community of the same town, so that they differ in
number alone. Every community is solved by itself, as the plan does.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from benchmarks.lines import make_line, print_line, summarise
from benchmarks.partition.goals import Goal, judge
from benchmarks.partition.instances import Instance, make_instance
from benchmarks.partition.metrics import measure_cut
from benchmarks.partition.ours import EFFORTS, cut_instance, warm_solver
from benchmarks.partition.parts import HIGH, Floats, Ints
from benchmarks.timing import calibrate, measure_time, name_machine
from gridplan import __version__
from gridplan.layers import BARRIER_CLASS, ROAD_CLASS, Study
from gridplan.town import build_town

NAME = "speed"
MEASURE = "cpu_per_million_s"
MIN_SHARED_M = 1.0
SLICES = 5  # most slices of a size that are timed
ALLOWED = 1.5  # absolute times may be so much longer on another machine
GOALS = (
    Goal("*", "gridplan:free", ("fast",), "median", 60.0 * ALLOWED),
    Goal("*", "gridplan:free", ("normal",), "median", 150.0 * ALLOWED),
    Goal("*", "gridplan:free", EFFORTS, "off_smallest", 0.15),
)

logger = logging.getLogger("benchmarks")


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed",
                                     description="What a unit costs the search.")
    parser.add_argument("--units", type=int, nargs="+", default=[10_000, 100_000, 1_000_000],
                        metavar="N")
    parser.add_argument("--effort", choices=EFFORTS, action="append",
                        help="default: fast and normal")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of town and search")
    parser.add_argument("--goal", action="store_true", help="a miss exits 1")
    arguments = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    score, watch = calibrate()
    print_line(make_line(NAME, "calibration", name_machine(), cpu_s=watch.cpu_s,
                         wall_s=watch.wall_s, score=score))
    warm_solver()
    sizes = sorted(arguments.units)
    whole = make_town(sizes[-1], arguments.seed)
    lines = []
    for size in sizes:
        for number, instance in enumerate(slice_town(whole, size), start=1):
            for effort in arguments.effort or ("fast", "normal"):
                lines.append(time_search(instance, size, number, effort, arguments.seed))
                print_line(lines[-1])
    summaries = summarise(lines, MEASURE, medians=("valid", "grids", "units"))
    for summary in summaries:
        first = next(s for s in summaries if s["effort"] == summary["effort"])
        summary["to_smallest"] = summary["median"] / first["median"]
        summary["off_smallest"] = abs(summary["to_smallest"] - 1.0)
        print_line(summary)
    verdicts = judge(summaries, GOALS) if arguments.goal else []
    for line in verdicts:
        print_line(line)
    return int(any(not line["met"] for line in verdicts))


def time_search(instance: Instance, size: int, number: int, effort: Any, seed: int
                ) -> dict[str, Any]:
    """Return the line of one search."""
    found = cut_instance(instance, effort, seed)
    figures = measure_cut(instance, found.labels)
    return make_line(
        NAME, "gridplan:free", __version__, instance=f"{instance.name}@{size}", seed=seed,
        effort=effort, cpu_s=found.watch.cpu_s, wall_s=found.watch.wall_s, status=found.status,
        slice=number, units=instance.size, pieces=len(instance.pieces),
        **{MEASURE: found.watch.cpu_s / instance.size * 1e6},
        **{k: figures[k] for k in ("grids", "valid", "weighted_border")})


def make_town(units: int, seed: int) -> Instance:
    """Make the instance of a town's buildings; those above the range stand alone and are out."""
    with measure_time() as watch:
        town = build_town(seed=seed, buildings=units)
        households = town.truth.to_numpy(np.int64)
        kept = households <= HIGH
        frame = town.study.buildings[kept]
        point = shapely.point_on_surface(frame.geometry.to_numpy())
        community = pd.factorize(frame["community_id"], sort=True)[0].astype(np.int64)
        edges = join_neighbours(shapely.get_coordinates(point))
        edges = edges[community[edges["i"]] == community[edges["j"]]].reset_index(drop=True)
        level, major = class_edges(edges, point, town.study)
        edges = edges.assign(cls=level, major=major)
        instance = make_instance(f"town{seed}", households[kept], point, edges, community)
    logger.info("%s: %d units, %d borders, %d communities, %.0f CPU s", instance.name,
                instance.size, instance.u.size, community.max() + 1, watch.cpu_s)
    return instance


def join_neighbours(xy: Floats) -> pd.DataFrame:
    """Return the edges of the Voronoi diagram of points: i, j and length_m.

    Edges under a metre are no contact; those that run out of the diagram are left out.

    >>> xy = np.array([[0.0, 0], [10, 0], [0, 10], [-10, 0], [0, -10]])
    >>> len(join_neighbours(xy)), join_neighbours(xy)["length_m"].round(3).tolist()
    (4, [10.0, 10.0, 10.0, 10.0])
    """
    net = Delaunay(xy)
    a, b, c = (xy[net.simplices[:, k]] for k in range(3))
    one, two = b - a, c - a
    with np.errstate(divide="ignore", invalid="ignore"):
        shear = 2.0 * (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])
        left, right = (one**2).sum(axis=1), (two**2).sum(axis=1)
        centre = a + np.stack([two[:, 1] * left - one[:, 1] * right,
                               one[:, 0] * right - two[:, 0] * left], axis=1) / shear[:, None]
    triangle, corner = np.nonzero(net.neighbors > np.arange(len(net.simplices))[:, None])
    other = net.neighbors[triangle, corner]
    ends = np.stack([net.simplices[triangle, (corner + k) % 3] for k in (1, 2)])
    length = np.hypot(*(centre[triangle] - centre[other]).T)
    held = np.isfinite(length) & (length >= MIN_SHARED_M)
    i, j = np.sort(ends[:, held], axis=0)
    # An edge cannot be longer than the land: far corners of flat triangles are cut off.
    far = 3.0 * np.hypot(*(xy[i] - xy[j]).T)
    table = pd.DataFrame({"i": i, "j": j, "length_m": np.minimum(length[held], far)})
    return table.sort_values(["i", "j"], ignore_index=True)


def class_edges(edges: pd.DataFrame, point: NDArray[np.object_], study: Study
                ) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the class of the widest line between the two points of an edge, and if it is major."""
    roads = study.roads[study.roads["level"].fillna(0) >= 0]
    barriers = study.layer("barriers")
    line = np.concatenate([roads.geometry.to_numpy(), barriers.geometry.to_numpy()])
    rank = roads["road_class"].map(ROAD_CLASS).fillna(1).to_numpy(np.int64)
    steep = barriers["kind"].isin(("rail", "river")).to_numpy(bool)
    level = np.concatenate([rank, np.full(len(barriers), BARRIER_CLASS)])
    major = np.concatenate([rank >= 3, steep])
    xy = shapely.get_coordinates(point)
    across = shapely.linestrings(np.stack([xy[edges["i"]], xy[edges["j"]]], axis=1))
    edge, near = shapely.STRtree(line).query(across, predicate="intersects")
    best = np.zeros(len(edges), np.int64)
    np.maximum.at(best, edge, level[near])
    held = np.zeros(len(edges), bool)
    np.logical_or.at(held, edge, major[near])
    return best, held


def slice_town(whole: Instance, size: int) -> list[Instance]:
    """Return up to five disjoint sets of communities with about so many units together."""
    step = max(1, round(whole.size / size))
    return [whole.select(np.flatnonzero(whole.community % step == k), whole.name)
            for k in range(min(step, SLICES))] if step > 1 else [whole]


if __name__ == "__main__":
    sys.exit(main())
