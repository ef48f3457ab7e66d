"""Communities where none are drawn: grids first, then grids joined to communities.

Cutting the grids first keeps every community feasible: it is a sum of grids in range.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gridplan.layers import Units
from gridplan.params import Params
from gridplan.partition.constraints import Wishes, hold_links
from gridplan.partition.cutting import (
    CutCommunity,
    Grid,
    carve_empty,
    cut_community,
    cut_part,
    join_empty,
    number_parts,
)
from gridplan.partition.graph import Contacts, Ints, components
from gridplan.regions import Graph, cut_graph


def delineate_communities(units: Units, contacts: Contacts, params: Params,
                          wishes: Wishes) -> tuple[Ints, list[Grid]]:
    """Return a community number for every unit, and the grids that they are made of.

    Communities are connected and hold 1,500–5,000 households where that can be.
    ``contacts`` are those of the whole study area.
    """
    everything = np.arange(len(units.frame))
    piece = np.zeros(len(units.frame), dtype=np.int64)
    cut = cut_community(units, contacts, everything, params.partition.urban, params, piece,
                        wishes)
    grids = carve_empty(cut, units, contacts, params.blocks.empty_ha * 1e4,
                        spare_proven=False).grids
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
                          seed=params.seed, apart=params.partition.objective.apart)
        community[inside] = found.labels + used
        used += found.count
    return community[owner], grids


def settle_grids(grids: list[Grid], units: Units, contacts: Contacts, params: Params,
                 wishes: Wishes) -> CutCommunity:
    """Make the grids of one proposed community final.

    Grids in range stay; a part with exceptions is cut again, now that it is
    known which land it has, and its reasons speak of that part.
    """
    count = len(units.frame)
    cut = number_parts(join_empty(CutCommunity(grids), contacts, count), contacts, count)
    households = units.frame["households"].to_numpy()
    certificates: dict[int, dict[str, object]] = {}
    settled = list(cut.grids)
    for part in sorted({g.part for g in cut.grids if g.part and g.status != "ok"}):
        members = np.sort(np.concatenate([g.members for g in cut.grids if g.part == part]))
        near, everyone = contacts.among(members, count), np.ones(len(members), dtype=bool)
        links, near = hold_links(wishes, members, everyone, near, households[members],
                                 params.partition.urban.high)
        again, certificate = cut_part(members, households[members], wishes.estate[members], near,
                                      params.partition.urban, params, apart=False, links=links,
                                      variance=wishes.variance[members])
        settled = [g for g in settled if g.part != part] + [replace(g, part=part) for g in again]
        if certificate:
            certificates[part] = certificate
    return CutCommunity(settled, certificates)
