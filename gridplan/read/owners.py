"""Buildings → the community each belongs to, or outside."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

from gridplan.params import ReadParams
from gridplan.read.coverage import fill_holes
from gridplan.read.held import OUTSIDE, REJECTED, Held

_SQUARE_MM = 6  # decimals of m²: areas nearer than this tie


def assign_owners(buildings: Held, areas: np.ndarray, ids: np.ndarray, params: ReadParams,
                  named: bool = True) -> np.ndarray:
    """Give every building one owner; take out what lies outside or in no community.

    The owner is the community that covers most of the building; of equal ones that with the
    smaller id. A building belongs to none if more of it is uncovered than any community covers:
    it is *unowned* when most of that lies in a hole of the communities, else *outside*.

    Parameters
    ----------
    buildings
        In the CRS of ``areas``; loses the rows that have no owner.
    areas, ids
        Geometry and id of each community, shape (n,).
    params
        How many buildings without an owner are too many.
    named
        False where ``areas`` is the outline alone: then nothing is told of borders between.

    Returns
    -------
    numpy.ndarray
        The owner's id of each row left in ``buildings``.
    """
    shapes = buildings.shapes
    owner, split = _largest(shapes, areas, ids)
    loose = owner < 0
    inside = loose & named
    if inside.any():
        inside[loose] = _are_in_holes(shapes[loose], areas)
    if named:
        buildings.tell("read.straddles", "repaired", split & ~loose)
    _tell_unowned(buildings, inside, owner >= 0, params)
    given = buildings.frame.get("community_id")
    found = np.asarray(ids, dtype=object)[np.maximum(owner, 0)]
    if named and given is not None:
        said = given.astype("string").fillna("").to_numpy(dtype=object)
        buildings.tell("read.other_owner", "warning", (said != "") & ~loose & (said != found))
    positions = buildings.frame.index.to_numpy()
    buildings.drop(loose, OUTSIDE)
    buildings.fate[positions[inside]] = REJECTED
    return np.asarray(found[~loose])


def _largest(shapes: np.ndarray, areas: np.ndarray,
             ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of each owner (−1 none) and who straddles a border."""
    rank = pd.Series(ids).rank(method="first").to_numpy()
    tree = shapely.STRtree(areas)
    owner = np.full(len(shapes), -1, dtype=np.int64)
    row, area = tree.query(shapes, predicate="within")
    owner[row] = area
    rest = np.flatnonzero(owner < 0)
    row, area = tree.query(shapes[rest], predicate="intersects")
    row = rest[row]
    point = shapely.area(shapes[row]) == 0
    shared = np.ones(len(row))
    shared[~point] = shapely.area(shapely.intersection(shapes[row[~point]], areas[area[~point]]))
    shared = shared.round(_SQUARE_MM)
    best = np.lexsort((rank[area], -shared, row))
    row, area, shared = row[best], area[best], shared[best]
    first = np.r_[True, row[1:] != row[:-1]] if len(row) else np.zeros(0, dtype=bool)
    covered = np.bincount(row, shared, minlength=len(shapes))
    size = shapely.area(shapes)
    enough = shared[first] >= size[row[first]] - covered[row[first]] - 10.0**-_SQUARE_MM
    enough &= shared[first] > 0
    owner[row[first][enough]] = area[first][enough]
    touched = np.bincount(row[shared > 0], minlength=len(shapes))
    return owner, touched > 1


def _are_in_holes(shapes: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return which of the loose buildings lie in land that the areas surround but do not own."""
    whole = shapely.union_all(areas)
    filled = fill_holes(whole)
    held = shapely.area(shapely.intersection(shapes, filled))
    hole = held - shapely.area(shapely.intersection(shapes, whole))
    point = shapely.area(shapes) == 0
    return np.asarray(np.where(point, shapely.intersects(filled, shapes),
                               hole > shapely.area(shapes) - held))


def _tell_unowned(buildings: Held, inside: np.ndarray, owned: np.ndarray,
                  params: ReadParams) -> None:
    """Tell of buildings within the outline that no community holds; too many are a fault."""
    if not inside.any():
        return
    lost, kept = buildings.households_of(inside), buildings.households_of(owned)
    share = (lost / (lost + kept) if lost + kept
             else inside.sum() / (inside.sum() + max(owned.sum(), 1)))
    buildings.tell("read.unowned", "error" if share > params.outside_share else "warning", inside,
                   households=lost, share=f"{100 * share:.2g}",
                   limit=f"{100 * params.outside_share:g}")
