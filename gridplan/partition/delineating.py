"""Communities where none are drawn: grids first, then grids joined to communities.

Cutting the grids first keeps every community feasible: it is a sum of grids in range.
"""

from __future__ import annotations

import numpy as np

from gridplan.layers import Units
from gridplan.params import Params
from gridplan.partition.cutting import carve_empty, cut_community
from gridplan.partition.graph import Contacts, Ints, components
from gridplan.regions import Graph, cut_graph


def delineate_communities(units: Units, contacts: Contacts, params: Params) -> Ints:
    """Return a community number for every unit: connected, 1,500–5,000 households where it can.

    ``contacts`` are those of the whole study area.
    """
    everything = np.arange(len(units.frame))
    piece = np.zeros(len(units.frame), dtype=np.int64)
    cut = cut_community(units, contacts, everything, params.partition.urban, params, piece)
    grids = carve_empty(cut, units, contacts, params.blocks.empty_ha * 1e4).grids
    owner = np.empty(len(everything), dtype=np.int64)
    for k, grid in enumerate(grids):
        owner[grid.members] = k
    near = contacts.grouped(owner)
    households = np.bincount(owner, units.frame["households"], minlength=len(grids))
    limits = params.partition.community
    label = components(len(grids), near.a, near.b)
    community = np.full(len(grids), -1, dtype=np.int64)
    used = 0
    for part in range(label.max() + 1):
        inside = np.flatnonzero(label == part)
        links = near.among(inside, len(grids))
        graph = Graph(households=households[inside].astype(np.int64), u=links.a.astype(np.int32),
                      v=links.b.astype(np.int32), weight=links.weight, major=links.major)
        found = cut_graph(graph, limits.low, limits.high, effort=params.partition.effort,
                          seed=params.seed)
        community[inside] = found.labels + used
        used += found.count
    return community[owner]
