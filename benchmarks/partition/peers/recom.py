"""GerryChain: recombination along spanning trees, annealed on the weighted border in range."""

from __future__ import annotations

import time
from functools import partial
from random import Random
from typing import Any

import networkx as nx
import numpy as np
from gerrychain import Graph, Partition, updaters
from gerrychain.optimization import SingleMetricOptimizer
from gerrychain.partition import recursive_tree_part
from gerrychain.proposals import recom
from gerrychain.tree import bipartition_tree

from benchmarks.partition.parts import HIGH, LOW, Ints, Part

TRIAL = 20  # steps that are timed to learn how many the budget allows
STEPS = 200  # most steps for each grid
ATTEMPTS = 1000  # trees for one recombination
COLD = 2.0  # steepness of the annealing at its end, by the mean weight of a cut border


def cut_part(part: Part, seed: int, budget_s: float) -> Ints:
    """Cut a part: a recursive tree cut, then a chain whose cheapest state is kept."""
    end = time.process_time() + budget_s
    rng = Random(seed)
    graph = _graph_of(part)
    mean = float(part.households.sum()) / part.count
    # Both ends of the range, as the one share either side of the mean that GerryChain takes.
    spread = min(mean - LOW, HIGH - mean) / mean
    if spread <= 0:
        raise ValueError(f"a mean of {mean:.0f} households leaves no room in {LOW}–{HIGH}")
    first = Partition(
        graph, assignment=recursive_tree_part(graph, range(part.count), mean, "people", spread,
                                              rng=rng),
        updaters={"people": updaters.Tally("people")})
    propose = partial(recom, pop_col="people", pop_target=mean, epsilon=spread,
                      bipartition_tree_fn=partial(bipartition_tree, max_attempts=ATTEMPTS,
                                                  allow_pair_reselection=True))
    weight = {(min(e), max(e)): w for e, w in zip(
        zip(part.u.tolist(), part.v.tolist(), strict=True), part.weight.tolist(), strict=True)}

    def cost(state: Partition) -> float:
        return sum(weight[min(e), max(e)] for e in state["cut_edges"])

    unit = cost(first) / max(1, len(first["cut_edges"]))

    def run(start: Partition, steps: int) -> Partition:
        chain = SingleMetricOptimizer(propose, _is_in_range, start, cost, maximize=False, rng=rng)
        for _ in chain.simulated_annealing(steps, lambda step: min(1.0, step / steps),
                                           beta_magnitude=COLD / max(unit, 1e-9)):
            if time.process_time() > end:
                break
        return chain.best_part or start

    began = time.process_time()
    best = run(first, TRIAL)
    one = (time.process_time() - began) / TRIAL
    steps = min(STEPS * part.count, int((end - time.process_time()) / max(one, 1e-6)))
    best = min(best, run(first, steps) if steps > 0 else best, key=cost)
    grid_of: dict[Any, Any] = dict(best.assignment.items())
    return np.array([grid_of[node] for node in range(part.size)], np.int64)


def _graph_of(part: Part) -> Graph:
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from((k, {"people": h}) for k, h in enumerate(part.households.tolist()))
    graph.add_edges_from(zip(part.u.tolist(), part.v.tolist(), strict=True))
    return Graph.from_networkx(graph)


def _is_in_range(state: Partition) -> bool:
    return all(LOW <= people <= HIGH for people in state["people"].values())
