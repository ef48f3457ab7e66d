"""p-median of the OR-Library: ``python -m benchmarks.pmedian pmed*.txt [--peers]``.

Files hold ``nodes edges p`` and then edges ``i j length``; of an edge that stands there twice the
last counts. Each node is demand and candidate; ``cost`` is the sum of the ways to the nearest of
p nodes. Beside the files, ``optima.txt`` may hold a name and its optimum a line.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import shortest_path

from benchmarks.lines import make_line, print_line
from benchmarks.timing import calibrate, measure_time, name_machine
from gridplan import __version__
from gridplan.siting import Links, Work, shorten_ways

NAME = "pmedian"
ALLOWED = 1.5  # absolute times may be so much longer on another machine
MOST_S = 60.0


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if a goal is missed."""
    asked = _read_words(words)
    score, watch = calibrate()
    print_line(make_line(NAME, "calibration", name_machine(), cpu_s=watch.cpu_s,
                         wall_s=watch.wall_s, score=score))
    warm_solver()
    lines = []
    for path in sorted((Path(p) for p in asked.files), key=_number):
        way_m, new = read_instance(path)
        best = read_optima(path.with_name("optima.txt")).get(path.stem)
        for seed in range(1, asked.seeds + 1):
            lines.append(run_ours(path.stem, way_m, new, best, seed))
            print_line(lines[-1])
        if asked.peers:
            print_line(run_peer(path.stem, way_m, new, best, asked.peer_cpu))
    met = [x["status"] == "proven" and x["cpu_s"] <= MOST_S * ALLOWED
           and x["cost"] == (x["cost"] if x["best_known"] is None else x["best_known"])
           for x in lines]
    print_line({"summary": True, **make_line(
        NAME, "gridplan", __version__, cpu_s=sum(x["cpu_s"] for x in lines),
        wall_s=sum(x["wall_s"] for x in lines), status="ok" if all(met) else "missed"),
        "runs": len(lines), "proven": sum(x["status"] == "proven" for x in lines),
        "equal_best_known": sum(x["cost"] == x["best_known"] for x in lines),
        "cpu_s_highest": max(x["cpu_s"] for x in lines),
        "gap_highest": max(x["gap"] for x in lines), "met": all(met)})
    return int(asked.goal and not all(met))


def _read_words(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pmedian",
                                     description="p-median of the OR-Library.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--peers", action="store_true", help="spopt's PMedian")
    parser.add_argument("--peer-cpu", type=float, default=120.0, metavar="S")
    parser.add_argument("--goal", action="store_true",
                        help="all proven, equal to the optima, 60 CPU seconds each; a miss exits 1")
    return parser.parse_args(words)


def _number(path: Path) -> tuple[int, str]:
    digits = "".join(c for c in path.stem if c.isdigit())
    return int(digits or 0), path.stem


def read_instance(path: Path) -> tuple[NDArray[np.float64], int]:
    """Return the ways between all nodes, shape (nodes, nodes), and p."""
    numbers = np.array(path.read_text(encoding="ascii").split(), np.int64)
    nodes, edges, new = numbers[:3].tolist()
    i, j, length = numbers[3:3 + 3 * edges].reshape(-1, 3).T
    net = np.zeros((nodes, nodes))
    for a, b, c in zip((i - 1).tolist(), (j - 1).tolist(), length.tolist(), strict=True):
        net[a, b] = net[b, a] = c
    return shortest_path(sparse.csr_matrix(net), directed=False), new


def read_optima(path: Path) -> dict[str, float]:
    """Return the optimum of every instance that a file names; nothing without the file."""
    if not path.exists():
        return {}
    pairs = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {pair[0]: float(pair[1]) for pair in pairs if len(pair) == 2}


def link_all(way_m: NDArray[np.float64]) -> Links:
    """Link every node with every other."""
    nodes = len(way_m)
    return Links(np.arange(nodes + 1) * nodes, np.tile(np.arange(nodes), nodes), nodes,
                 way_m.reshape(-1))


def warm_solver() -> None:
    """Compile the kernels and load the solvers on a small instance."""
    at = np.random.default_rng(3).random((60, 2))
    way_m = np.round(1000 * np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1)))
    shorten_ways(link_all(way_m), np.ones(60), 4, work=Work(shakes=1, prices=5, nodes=1))


def run_ours(instance: str, way_m: NDArray[np.float64], new: int, best: float | None, seed: int
             ) -> dict[str, Any]:
    """Return the line of one run of ours."""
    nodes = len(way_m)
    links = link_all(way_m)
    with measure_time() as watch:
        found = shorten_ways(links, np.ones(nodes), new, seed=seed)
    # The cost is added up anew from what was chosen.
    cost = float(way_m[found.chosen].min(axis=0).sum())
    bound = float(np.ceil(found.bound * nodes - 1e-6))
    return make_line(NAME, "gridplan", __version__, instance=instance, seed=seed,
                     cpu_s=watch.cpu_s, wall_s=watch.wall_s, status=found.status, nodes=nodes,
                     p=new, cost=cost, bound=bound, gap=cost / bound - 1, best_known=best)


def run_peer(instance: str, way_m: NDArray[np.float64], new: int, best: float | None,
             cpu_s: float) -> dict[str, Any]:
    """Return the line of spopt's PMedian with CBC, ended after a time on the wall."""
    name = "spopt:PMedian"
    if importlib.util.find_spec("spopt") is None:
        return make_line(NAME, name, "", instance=instance, status="missing",
                         note="pip install spopt")
    import pulp
    from spopt.locate import PMedian

    # spopt raises where CBC ends without a proof; what CBC found stays in the model.
    with measure_time() as watch, contextlib.suppress(RuntimeError):
        model = PMedian.from_cost_matrix(way_m, np.ones(len(way_m)), p_facilities=new)
        model.solve(pulp.PULP_CBC_CMD(msg=False, timeLimit=cpu_s, threads=1), results=False)
    chosen = [j for j, x in enumerate(model.fac_vars) if (x.value() or 0) > 0.5]
    cost = float(way_m[chosen].min(axis=0).sum()) if chosen else None
    proven = model.problem.sol_status == pulp.LpSolutionOptimal
    # CBC is a program of its own: what it takes shows on the wall, not as CPU of this process.
    return make_line(NAME, name, importlib.metadata.version("spopt"), instance=instance,
                     cpu_s=None, wall_s=watch.wall_s, status="proven" if proven else "open",
                     nodes=len(way_m), p=new, cost=cost, bound=cost if proven else None,
                     gap=0.0 if proven else None, best_known=best)


if __name__ == "__main__":
    sys.exit(main())
