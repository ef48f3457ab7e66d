"""KaHIP's kaffpa: a quarter above the mean allowed; it knows neither a lower end nor one piece."""

from __future__ import annotations

import kahip
import numpy as np

from benchmarks.partition.parts import HIGH, MIDDLE, Ints, Part


def cut_part(part: Part, seed: int, budget_s: float, *, mode: str) -> Ints:
    """Cut a part with kaffpa in the mode FAST, ECO or STRONG."""
    starts, near, edge = part.rows()
    _, found = kahip.kaffpa(
        part.households.tolist(), starts.tolist(), part.whole_weight()[edge].tolist(),
        near.tolist(), part.count, HIGH / MIDDLE - 1, True, seed, getattr(kahip, mode))
    return np.asarray(found, np.int64)
