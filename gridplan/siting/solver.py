"""The way to the solvers: programs as arrays in, values and bounds out.

Limits are nodes, never seconds, and one thread works, so that the same program gives the same
answer every time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from gridplan.siting.kernels import Bools, Floats

NODES = 2_000
ENTRIES = 2_000_000  # of all nodes together: the larger a program, the fewer it gets


@dataclass(frozen=True, eq=False)
class Program:
    """Maximise ``worth @ x`` with ``rows @ x <= most`` and ``low <= x <= high``.

    ``whole`` marks the variables that are 0 or 1.
    """

    worth: Floats
    rows: sparse.csr_matrix
    most: Floats
    low: Floats
    high: Floats
    whole: Bools


@dataclass(frozen=True, eq=False)
class Answer:
    """What a solver found.

    Attributes
    ----------
    x
        The best values, or None if there are none.
    bound
        What no solution betters.
    toll
        (linear programs) what one more of each variable costs at its limit.
    """

    x: Floats | None
    bound: float
    toll: Floats = field(default_factory=lambda: np.zeros(0))


def count_nodes(program: Program, most: int = NODES) -> int:
    """Return how many nodes a program gets: a node of a large one takes longer."""
    return int(min(max(ENTRIES // max(program.rows.nnz, 1), 1), most))


def solve_relaxed(program: Program) -> Answer | None:
    """Solve a program as if parts of sites could be opened; None if the solver fails."""
    found = linprog(-program.worth, A_ub=program.rows, b_ub=program.most,
                    bounds=np.column_stack([program.low, program.high]), method="highs")
    if found.status != 0:
        return None
    return Answer(found.x, -found.fun, found.lower.marginals + found.upper.marginals)


def solve_whole(program: Program, hint: Floats, *, slack: float, nodes: int = NODES, seed: int = 1
                ) -> Answer:
    """Solve a program with whole sites by SCIP.

    Parameters
    ----------
    hint
        A solution to start from, shape (variables,).
    slack
        Between value and bound that need not be closed.
    nodes
        Of the search.
    """
    from ortools.math_opt import model_pb2
    from ortools.math_opt.python import mathopt

    rows = sparse.csr_matrix(program.rows)
    rows.sort_indices()
    count = program.worth.size
    proto = model_pb2.ModelProto()
    proto.variables.ids.extend(range(count))
    proto.variables.lower_bounds.extend(program.low.tolist())
    proto.variables.upper_bounds.extend(program.high.tolist())
    proto.variables.integers.extend(program.whole.tolist())
    proto.objective.maximize = True
    used = np.flatnonzero(program.worth)
    proto.objective.linear_coefficients.ids.extend(used.tolist())
    proto.objective.linear_coefficients.values.extend(program.worth[used].tolist())
    limits = proto.linear_constraints
    limits.ids.extend(range(rows.shape[0]))
    limits.lower_bounds.extend([-np.inf] * rows.shape[0])
    limits.upper_bounds.extend(program.most.tolist())
    matrix = proto.linear_constraint_matrix
    matrix.row_ids.extend(np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)).tolist())
    matrix.column_ids.extend(rows.indices.tolist())
    matrix.coefficients.extend(rows.data.tolist())
    model = mathopt.Model.from_model_proto(proto)
    variables = list(model.variables())
    start = mathopt.SolutionHint(variable_values=dict(zip(variables, hint.tolist(), strict=True)))
    parameters = mathopt.SolveParameters(node_limit=nodes, threads=1, random_seed=seed,
                                         absolute_gap_tolerance=slack,
                                         relative_gap_tolerance=0.0,
                                         heuristics=mathopt.Emphasis.OFF,
                                         cuts=mathopt.Emphasis.OFF)
    parameters.gscip.bool_params["misc/catchctrlc"] = False
    result = mathopt.solve(model, mathopt.SolverType.GSCIP, params=parameters,
                           model_params=mathopt.ModelSolveParameters(solution_hints=[start]))
    bound = result.termination.objective_bounds.dual_bound
    if not result.has_primal_feasible_solution():
        return Answer(None, bound)
    return Answer(np.array(result.variable_values(variables)), bound)
