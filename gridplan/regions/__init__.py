"""The solver: a graph of units goes in, regions in range and what is known about them come out.

It knows no geometry and no plan. One solver serves grids, communities and groups: they differ in
their ranges only.
"""

from gridplan.regions.cutting import cut_graph, is_compiled, warm_up
from gridplan.regions.exact import Bound, bound_cut, limit_work
from gridplan.regions.graph import Cut, Graph, connected_components
from gridplan.regions.proof import prove_infeasible

__all__ = ["Bound", "Cut", "Graph", "bound_cut", "connected_components", "cut_graph",
           "is_compiled", "limit_work", "prove_infeasible", "warm_up"]
