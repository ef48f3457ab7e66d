"""A peer of siting in a child process: ``python -m benchmarks.siting_peers JOB RESULT``."""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from benchmarks.children import limit_cpu, read_job, write_job
from benchmarks.timing import measure_time

SPARE_S = 60.0  # of the limit, for building the model
Answer = tuple[NDArray[np.int64], float | None, bool]


def main(words: list[str]) -> None:
    """Read a job, run its peer, and write what it chose."""
    arrays, facts = read_job(Path(words[0]))
    covers = sparse.csr_matrix((np.ones(arrays["demand"].size), arrays["demand"],
                                arrays["start"]),
                               (arrays["start"].size - 1, arrays["weight"].size))
    solve = {"scipy:milp": solve_plainly, "spopt:MCLP": solve_spopt}[facts["peer"]]
    if facts["peer"] == "spopt:MCLP":
        import spopt.locate  # noqa: F401
    limit_cpu(facts["cpu_s"])
    with measure_time() as watch:
        chosen, bound, proven = solve(covers, arrays["weight"], int(facts["new"]),
                                      facts["cpu_s"] - SPARE_S)
    write_job(Path(words[1]), {"chosen": chosen}, {
        "bound": bound, "proven": proven, "cpu_s": watch.cpu_s, "wall_s": watch.wall_s,
        "version": importlib.metadata.version(facts["peer"].partition(":")[0])})


def solve_plainly(covers: Any, weight: NDArray[np.float64], new: int, seconds: float) -> Answer:
    """Hand the plain program to HiGHS: all sites, all demands."""
    sites, demands = covers.shape
    rows = sparse.vstack([sparse.hstack([-covers.T, sparse.identity(demands)]),
                          sparse.csr_matrix(np.append(np.ones(sites), np.zeros(demands)))]).tocsr()
    found = milp(np.append(np.zeros(sites), -weight), bounds=Bounds(0, 1),
                 integrality=np.append(np.ones(sites), np.zeros(demands)),
                 constraints=LinearConstraint(rows, -np.inf, np.append(np.zeros(demands), new)),
                 options={"time_limit": seconds})
    bound = getattr(found, "mip_dual_bound", None)
    chosen = np.zeros(0, np.int64) if found.x is None else np.flatnonzero(found.x[:sites] > 0.5)
    return chosen, None if bound is None else -float(bound), found.status == 0


def solve_spopt(covers: Any, weight: NDArray[np.float64], new: int, seconds: float) -> Answer:
    """Hand the costs to spopt's MCLP, which takes them as a full matrix, and CBC."""
    import pulp
    from spopt.locate import MCLP

    cost = 1.0 - covers.T.toarray()
    model = MCLP.from_cost_matrix(cost, weight, 0.5, p_facilities=new)
    with contextlib.suppress(RuntimeError):  # raised where CBC ends without a proof
        model.solve(pulp.PULP_CBC_CMD(msg=False, timeLimit=seconds, threads=1), results=False)
    chosen = np.array([j for j, x in enumerate(model.fac_vars) if (x.value() or 0) > 0.5], np.int64)
    # CBC also says "optimal" where it stopped at its limit with a solution; sol_status tells.
    proven = model.problem.sol_status == pulp.LpSolutionOptimal
    return chosen, float(pulp.value(model.problem.objective)) if proven else None, proven


if __name__ == "__main__":
    main(sys.argv[1:])
