"""PyVRP as a peer, in a process of its own: ``pyvrp_peer JOB RESULT``; points with loads only."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.children import limit_cpu, read_job, write_job


def main() -> None:
    """Solve the job with PyVRP's own settings until its CPU seconds are over."""
    import pyvrp

    arrays, facts = read_job(Path(sys.argv[1]))
    limit_cpu(facts["cpu_s"])
    start, began = time.process_time(), time.perf_counter()
    found = pyvrp.solve(lay_out(pyvrp, arrays, facts),
                        lambda _best: time.process_time() - start > facts["seconds"],
                        seed=1, collect_stats=False)
    served = [(r, visit.idx, 0) for r, route in enumerate(found.best.routes()) for visit in route
              if visit.is_client()] if found.is_feasible() else []
    write_job(Path(sys.argv[2]), {"served": np.array(served, np.int64).reshape(-1, 3)},
              {"cpu_s": time.process_time() - start, "wall_s": time.perf_counter() - began})


def lay_out(pyvrp: Any, arrays: dict[str, Any], facts: dict[str, Any]) -> Any:
    """Return the job as PyVRP takes it: the depot first; it reads distances, no coordinates."""
    place = np.r_[facts["depot"], arrays["u"]]
    ways = arrays["ways"][np.ix_(place, place)]
    load = arrays["load"].tolist()
    return pyvrp.ProblemData(
        [pyvrp.Location(0, 0)] * len(place),
        [pyvrp.Client(1 + x, delivery=[load[x]]) for x in range(len(load))],
        [pyvrp.Depot(0)],
        [pyvrp.VehicleType(facts["vehicles"], capacity=[facts["capacity"]])],
        [ways], [np.zeros_like(ways)])


if __name__ == "__main__":
    main()
