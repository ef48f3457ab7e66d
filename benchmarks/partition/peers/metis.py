"""METIS through pymetis: k-way, contiguous, a quarter above the mean allowed."""

from __future__ import annotations

import numpy as np
import pymetis

from benchmarks.partition.parts import HIGH, MIDDLE, Ints, Part

UFACTOR = round(1000 * (HIGH / MIDDLE - 1))  # METIS counts the excess in thousandths


def cut_part(part: Part, seed: int, budget_s: float, *, cuts: int) -> Ints:
    """Cut a part with METIS; ``cuts`` is how many cuts it makes to keep the best."""
    starts, near, edge = part.rows()
    options = pymetis.Options(contig=1, ufactor=UFACTOR, ncuts=cuts, seed=seed)
    found = pymetis.part_graph(
        part.count, xadj=starts.astype(np.int32), adjncy=near.astype(np.int32),
        vweights=part.households.astype(np.int32),
        eweights=part.whole_weight()[edge].astype(np.int32), recursive=False, options=options)
    return np.asarray(found.vertex_part, np.int64)
