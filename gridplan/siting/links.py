"""Which demand every site serves, as checked arrays; what is alike is merged, the worse goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridplan.siting.kernels import Bools, Floats, Ints, Rows, find_dominated


@dataclass(frozen=True, eq=False)
class Links:
    """Which demand every site serves: site ``j`` those of ``start[j]`` to ``start[j + 1]``.

    Attributes
    ----------
    start
        (sites + 1,) first link of each site.
    demand
        (links,) row of the demand; a site may name a demand once.
    demands
        How many demands there are, those that no site serves included.
    distance_m
        (links,) way between the two, where it counts.

    Raises
    ------
    ValueError
        On creation, if the arrays do not fit each other or name a demand that is not there.

    Examples
    --------
    >>> Links([0, 2, 3], [0, 1, 1], 2).sites
    2
    """

    start: Ints
    demand: Ints
    demands: int
    distance_m: Floats | None = None

    def __post_init__(self) -> None:
        start, demand = (np.asarray(x, np.int64) for x in (self.start, self.demand))
        if start.ndim != 1 or start.size == 0 or start[0] != 0 or start[-1] != demand.size or (
                np.diff(start) < 0).any():
            raise ValueError("links: start does not fit demand")
        if demand.size and not (
                demand.min() >= 0 and demand.max() < self.demands):
            raise ValueError("links: a demand that is not there")
        site = np.repeat(np.arange(start.size - 1), np.diff(start))
        order = np.lexsort((demand, site))
        demand = demand[order]
        if ((np.diff(demand) == 0) & (np.diff(site) == 0)).any():
            raise ValueError("links: a site names a demand twice")
        if self.distance_m is not None:
            distance_m = np.asarray(self.distance_m, np.float64)
            if distance_m.shape != demand.shape or not (distance_m >= 0).all():
                raise ValueError("links: distances must be numbers from 0 up, one a link")
            object.__setattr__(self, "distance_m", distance_m[order])
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "demand", demand)

    @property
    def sites(self) -> int:
        """How many sites there are."""
        return self.start.size - 1

    @property
    def site(self) -> Ints:
        """Site of each link."""
        return np.repeat(np.arange(self.sites), np.diff(self.start))


@dataclass(frozen=True, eq=False)
class Worth:
    """What sites are worth to demands, ready to be searched.

    Attributes
    ----------
    by_site, by_demand
        The same values both ways.
    site
        (rows,) the number each site had before it was reduced.
    group
        (rows,) of each group one site may be open; numbers below that of the rows.
    """

    by_site: Rows
    by_demand: Rows
    site: Ints
    group: Ints

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return int(np.unique(self.group).size)


def check_sites(sites: int, kept: Sequence[int] | Ints, forbidden: Sequence[int] | Ints
                ) -> tuple[Bools, Bools]:
    """Return masks of the kept and the forbidden sites.

    Raises
    ------
    ValueError
        A site that is not there, or one that is both.
    """
    masks = []
    for rows in (kept, forbidden):
        row = np.asarray(rows, np.int64)
        if row.size and not (row.min() >= 0 and row.max() < sites):
            raise ValueError("sites: one that is not there")
        mask = np.zeros(sites, np.bool_)
        mask[row] = True
        masks.append(mask)
    if (masks[0] & masks[1]).any():
        raise ValueError("sites: one is both kept and forbidden")
    return masks[0], masks[1]


def check_weight(weight: Sequence[float] | Floats, demands: int) -> Floats:
    """Return weights as floats.

    Raises
    ------
    ValueError
        Not one for each demand, negative, or no number.
    """
    out = np.asarray(weight, np.float64)
    if out.shape != (demands,) or not (np.isfinite(out) & (out >= 0)).all():
        raise ValueError("weights must be numbers from 0 up, one a demand")
    return out


def make_rows(row: Ints, other: Ints, value: Floats, rows: int) -> Rows:
    """Gather triplets by row, in each row in rising order of the other.

    >>> make_rows(np.array([1, 0, 1]), np.array([2, 0, 1]), np.array([5.0, 6, 7]), 2).other.tolist()
    [0, 1, 2]
    """
    order = np.lexsort((other, row))
    start = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=rows), out=start[1:])
    return Rows(start, other[order].astype(np.int64), value[order].astype(np.float64))


def spread(rows: Rows) -> Ints:
    """Return the row of each entry."""
    return np.repeat(np.arange(rows.start.size - 1), np.diff(rows.start))


def merge_demand(site: Ints, demand: Ints, value: Floats, weight: Floats
                 ) -> tuple[Ints, Ints, Floats, Floats]:
    """Merge demands that are served alike, and leave out those that nobody serves.

    Parameters
    ----------
    site, demand, value
        Links, and what one of the demand's weight gets there.
    weight
        Of each demand.

    Returns
    -------
    tuple
        Links of the merged demands, their weights.

    >>> s, d, v, w = merge_demand(np.array([0, 0, 1]), np.array([0, 1, 2]), np.ones(3),
    ...                           np.array([1.0, 2, 4, 8]))
    >>> d.tolist(), w.tolist()
    ([0, 1], [3.0, 4.0])
    """
    rows = make_rows(demand, site, value, weight.size)
    first: dict[bytes, int] = {}
    number = np.full(weight.size, -1)
    keeps = np.zeros(weight.size, np.bool_)
    for i in np.flatnonzero(np.diff(rows.start)).tolist():
        part = slice(rows.start[i], rows.start[i + 1])
        key = rows.other[part].tobytes() + rows.value[part].tobytes()
        keeps[i] = key not in first
        number[i] = first.setdefault(key, len(first))
    served = number >= 0
    total = np.bincount(number[served], weight[served], minlength=len(first))
    links = keeps[demand]
    return site[links], number[demand[links]], value[links], total.astype(np.float64)


def reduce_worth(site: Ints, demand: Ints, value: Floats, sites: int, demands: int,
                 group: Ints | None = None) -> Worth:
    """Leave out dominated sites and the demands that are then without one.

    ``value`` is what the demand as a whole gets there, above 0. Without groups every site is
    one of its own; with them a site is dominated only by one of its group.
    """
    by_site = make_rows(site, demand, value, sites)
    kind = np.zeros(sites, np.int64) if group is None else group
    out = find_dominated(by_site, make_rows(demand, site, value, demands), kind)
    left = ~out[site]
    number = np.cumsum(~out) - 1
    heard, row = np.unique(demand[left], return_inverse=True)
    new_site = number[site[left]]
    return Worth(make_rows(new_site, row, value[left], int((~out).sum())),
                 make_rows(row, new_site, value[left], heard.size), np.flatnonzero(~out),
                 np.arange((~out).sum()) if group is None else
                 np.unique(group[~out], return_inverse=True)[1].astype(np.int64))
