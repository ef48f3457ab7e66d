"""What a cut is worth: one definition for each figure, the same for every program.

``labels`` is the grid of every unit, shape (n,), 0 … grids - 1, see :func:`number_grids`. What
lies between two communities is never counted: no program can change it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.partition.instances import Instance, label_pieces
from benchmarks.partition.parts import HIGH, LOW, Ints

Bools = NDArray[np.bool_]

SIDE = 0.1  # least share of a grid's households that makes a side of it


def number_grids(labels: NDArray[Any]) -> Ints:
    """Renumber grids from 0; a unit left out by a program (label below 0) is a grid of its own.

    >>> number_grids(np.array([5, -1, 5, -1])).tolist()
    [2, 0, 2, 1]
    """
    labels = np.asarray(labels, np.int64).copy()
    left = np.flatnonzero(labels < 0)
    labels[left] = -1 - np.arange(left.size)[::-1]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def count_households(instance: Instance, labels: Ints) -> Ints:
    """Return the households of every grid."""
    return np.bincount(labels, instance.households).astype(np.int64)


def find_in_range(instance: Instance, labels: Ints, low: int = LOW, high: int = HIGH) -> Bools:
    """Tell of every grid whether its households are within the range, both ends included."""
    held = count_households(instance, labels)
    return (held >= low) & (held <= high)


def find_connected(instance: Instance, labels: Ints) -> Bools:
    """Tell of every grid whether it is one piece: its units hang together by shared borders."""
    same = labels[instance.u] == labels[instance.v]
    piece = label_pieces(instance.size, instance.u[same], instance.v[same])
    first = np.unique(piece, return_index=True)[1]
    return np.bincount(labels[first], minlength=int(labels.max()) + 1) == 1


def measure_weighted_border(instance: Instance, labels: Ints) -> float:
    """Return Σ length_m × factor of its class, each border between two grids once."""
    return float(instance.weight[labels[instance.u] != labels[instance.v]].sum())


def measure_road_share(instance: Instance, labels: Ints) -> float | None:
    """Return the length of borders along a road of any class ÷ all their length; None of none."""
    apart = labels[instance.u] != labels[instance.v]
    total = float(instance.length_m[apart].sum())
    return float(instance.road_m[apart].sum()) / total if total else None


def measure_compactness(instance: Instance, labels: Ints) -> NDArray[np.float64]:
    """Return Polsby-Popper 4πA/P² of every grid; NaN where units have no shape.

    The perimeter is that of the units less what they share: 1 is a disc, a square has 0.785.
    """
    same = labels[instance.u] == labels[instance.v]
    count = int(labels.max()) + 1
    area = np.bincount(labels, instance.area_m2, minlength=count)
    inner = np.bincount(labels[instance.u[same]], instance.length_m[same], minlength=count)
    perimeter = np.bincount(labels, instance.perimeter_m, minlength=count) - 2.0 * inner
    with np.errstate(invalid="ignore", divide="ignore"):
        return 4.0 * np.pi * area / perimeter**2


def find_sides(instance: Instance, labels: Ints) -> tuple[Ints, Ints]:
    """Return the sides of grids: one unit of each, and its grid.

    Major borders taken out, a grid falls into pieces; a side is a piece with at least a tenth of
    its grid's households.
    """
    kept = (labels[instance.u] == labels[instance.v]) & ~instance.major
    piece = label_pieces(instance.size, instance.u[kept], instance.v[kept])
    unit = np.unique(piece, return_index=True)[1]
    grid = labels[unit]
    people = np.bincount(piece, instance.households)
    whole = count_households(instance, labels)[grid]
    side = (people > 0) & (people >= SIDE * whole)
    return unit[side].astype(np.int64), grid[side]


def find_straddling(instance: Instance, labels: Ints) -> Bools:
    """Tell of every grid whether it straddles major lines: it has two sides or more."""
    _, grid = find_sides(instance, labels)
    return np.bincount(grid, minlength=int(labels.max()) + 1) >= 2


def find_superblocks(instance: Instance) -> Ints:
    """Return the superblock of every unit: the pieces that major borders leave."""
    return label_pieces(instance.size, instance.u[~instance.major], instance.v[~instance.major])


def find_avoidable(instance: Instance, labels: Ints, superblock: Ints, alone: Bools) -> Bools:
    """Tell of every grid whether it straddles although it need not.

    Parameters
    ----------
    superblock
        Of every unit, see :func:`find_superblocks`.
    alone
        Of every superblock: whether it can be cut into the range by itself, without its major
        borders.

    Returns
    -------
    array
        True where all superblocks that a straddling grid has a side in can be cut alone: each
        then falls into grids that straddle nothing.
    """
    unit, grid = find_sides(instance, labels)
    count = int(labels.max()) + 1
    sides = np.bincount(grid, minlength=count)
    free = np.bincount(grid, alone[superblock[unit]], minlength=count)
    return (sides >= 2) & (free == sides)


def measure_cut(instance: Instance, labels: NDArray[Any], superblock: Ints | None = None,
                alone: Bools | None = None, low: int = LOW, high: int = HIGH) -> dict[str, Any]:
    """Return every figure of a cut; shares are of grids, 0–1."""
    labels = np.asarray(labels)
    left_out = int((labels < 0).sum())
    labels = number_grids(labels)
    fine, whole = find_in_range(instance, labels, low, high), find_connected(instance, labels)
    shape = measure_compactness(instance, labels)
    drawn = not np.isnan(shape).any()
    avoidable = (None if superblock is None or alone is None
                 else float(find_avoidable(instance, labels, superblock, alone).mean()))
    return {"grids": int(labels.max()) + 1, "valid": float((fine & whole).mean()),
            "in_range": float(fine.mean()), "connected": float(whole.mean()),
            "weighted_border": measure_weighted_border(instance, labels),
            "road_share": measure_road_share(instance, labels),
            "compactness": float(shape.mean()) if drawn else None,
            "compactness_p10": float(np.percentile(shape, 10)) if drawn else None,
            "straddling": float(find_straddling(instance, labels).mean()),
            "avoidable": avoidable, "left_out": left_out}
