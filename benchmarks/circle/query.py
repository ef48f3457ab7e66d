"""One program asks one network, in a process of its own: ``python -m … JOB RESULT``.

All answer the same question: how far it is from every node to the nearest facility of each
category, within the limit. ``prepare_s`` is making the program's own graph, ``query_s`` the
median of several queries; both are seconds on the wall, reading the job and loading libraries
not counted.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.children import Arrays, limit_cpu, read_job, write_job

Query = Callable[[], NDArray[np.float64]]


def main(job: str, result: str) -> None:
    """Read a job, do it, write what it gave."""
    arrays, facts = read_job(Path(job))
    prepare = METHODS[facts["method"]]
    version = prepare(_tiny(), 100.0)[1]  # loads and compiles
    limit_cpu(facts["cpu_s"])
    before, start = time.process_time(), time.perf_counter()
    query, _ = prepare(arrays, facts["limit_m"])
    prepared, took, cpu = time.perf_counter() - start, [], []
    found = np.zeros(0)
    for _ in range(facts["repeats"]):
        found = np.zeros(0)  # an answer is not kept beside the next one
        at, used = time.perf_counter(), time.process_time()
        found = query()
        took.append(time.perf_counter() - at)
        cpu.append(time.process_time() - used)
    write_job(Path(result), {"distance_m": found}, {
        "version": version, "prepare_s": prepared, "query_s": statistics.median(took),
        "query_cpu_s": statistics.median(cpu), "peak_mb": peak_mb(),
        "cpu_s": time.process_time() - before, "wall_s": time.perf_counter() - start})


def peak_mb() -> float:
    """Return the most memory this process ever held, in MB (2²⁰ bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _tiny() -> Arrays:
    from benchmarks.circle.instances import make_city

    return make_city(100, 0, 2)


def _ours(arrays: Arrays, limit_m: float, *, threads: bool) -> tuple[Query, str]:
    from gridplan import __version__
    from gridplan.network import Access, StreetNetwork, nearest, pick_access

    ends, cost = arrays["ends"], arrays["cost_m"]
    n, m = len(arrays["xy"]), len(ends)
    none = np.empty(m, dtype=object)  # neither names nor lines are asked for
    network = StreetNetwork(
        mode="foot", crs=None, xy=arrays["xy"], ends=ends, length_m=cost[:, 0].copy(), cost_m=cost,
        road=none, geometry=none, component=np.zeros(n, np.int64), usable=np.ones(m, bool))
    edge, side = np.empty(n, np.int64), np.zeros(n)
    for j in (1, 0):
        edge[ends[:, j]] = np.arange(m)
    side = np.where(ends[edge, 0] == np.arange(n), 0.0, network.length_m[edge])
    every = Access(np.arange(n + 1), edge, side, np.zeros(n), np.zeros(n, bool))
    targets, group = pick_access(every, arrays["place"]), arrays["group"]
    groups = int(group.max()) + 1
    network.arriving  # noqa: B018 - it is made once and kept

    def query() -> NDArray[np.float64]:
        if threads:
            return nearest(network, every, targets, group, groups, limit_m=limit_m).distance_m
        out = np.empty((groups, n))
        for g in range(groups):
            held = group == g
            out[g] = nearest(network, every, pick_access(targets, np.flatnonzero(held)),
                             np.zeros(int(held.sum()), np.int64), 1, limit_m=limit_m).distance_m
        return out

    return query, __version__


def _gridplan(arrays: Arrays, limit_m: float) -> tuple[Query, str]:
    return _ours(arrays, limit_m, threads=True)


def _gridplan_alone(arrays: Arrays, limit_m: float) -> tuple[Query, str]:
    return _ours(arrays, limit_m, threads=False)


def _arcs(arrays: Arrays) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the arcs that are allowed: from, to, metres."""
    (u, v), cost = arrays["ends"].T, arrays["cost_m"]
    start, end = np.concatenate([u, v]), np.concatenate([v, u])
    metres = np.concatenate([cost[:, 0], cost[:, 1]])
    held = np.isfinite(metres) & (start != end)
    return start[held], end[held], metres[held]


def _places(arrays: Arrays) -> list[NDArray[np.int64]]:
    return [arrays["place"][arrays["group"] == g] for g in range(int(arrays["group"].max()) + 1)]


def _scipy(arrays: Arrays, limit_m: float) -> tuple[Query, str]:
    """Search against the arcs: scipy knows many sources, so the facilities are the sources."""
    import scipy
    from scipy.sparse.csgraph import dijkstra

    start, end, metres = _arcs(arrays)
    order = np.lexsort((metres, start, end))
    first = np.ones(len(order), dtype=bool)  # of parallel streets the shortest
    first[1:] = np.diff(end[order]).astype(bool) | np.diff(start[order]).astype(bool)
    order = order[first]
    n = len(arrays["xy"])
    graph = scipy.sparse.csr_array((metres[order], (end[order], start[order])), shape=(n, n))

    def query() -> NDArray[np.float64]:
        return np.array([dijkstra(graph, indices=place, min_only=True, limit=limit_m)
                         for place in _places(arrays)])

    return query, scipy.__version__


def _igraph(arrays: Arrays, limit_m: float) -> tuple[Query, str]:
    """Add one node per category, free of charge next to its facilities; igraph knows no limit."""
    import igraph

    start, end, metres = _arcs(arrays)
    n, places = len(arrays["xy"]), _places(arrays)
    hub = np.repeat(n + np.arange(len(places)), [len(p) for p in places])
    graph = igraph.Graph(
        n=n + len(places), directed=True, edges=np.stack(
            [np.concatenate([end, hub]), np.concatenate([start, *places])], axis=1))
    weights = np.concatenate([metres, np.zeros(len(hub))]).tolist()

    def query() -> NDArray[np.float64]:
        found = np.array([graph.distances(source=n + g, weights=weights)[0][:n]
                          for g in range(len(places))])
        found[found > limit_m] = np.inf
        return found

    return query, igraph.__version__


def _pandana(arrays: Arrays, limit_m: float) -> tuple[Query, str]:
    """Let pandana make its contraction hierarchy first; what is too far it says is at the limit."""
    import pandana
    import pandas as pd

    start, end, metres = _arcs(arrays)
    xy = pd.DataFrame(arrays["xy"], columns=["x", "y"])
    net = pandana.Network(xy["x"], xy["y"], pd.Series(start), pd.Series(end),
                          pd.DataFrame({"metres": metres}), twoway=False)
    far = min(limit_m, 1e9) * 1.001
    net.precompute(far)

    def query() -> NDArray[np.float64]:
        out = []
        for g, place in enumerate(_places(arrays)):
            net.set_pois(f"c{g}", 2 * far, 1, xy["x"].iloc[place], xy["y"].iloc[place])
            out.append(net.nearest_pois(far, f"c{g}", num_pois=1)[1].to_numpy(dtype=float))
        found = np.array(out)
        found[found > limit_m] = np.inf
        return found

    return query, str(getattr(pandana, "__version__", pandana.version))


METHODS: dict[str, Callable[[Arrays, float], tuple[Query, str]]] = {
    "gridplan": _gridplan, "gridplan:1": _gridplan_alone, "scipy": _scipy, "igraph": _igraph,
    "pandana": _pandana}


def read_answer(arrays: Arrays, facts: dict[str, Any]) -> tuple[NDArray[np.float64], str]:
    """Return the distances of a result and the version of the program that gave them."""
    return arrays["distance_m"], str(facts["version"])


if __name__ == "__main__":
    main(*sys.argv[1:3])
