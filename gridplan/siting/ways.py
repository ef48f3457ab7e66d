"""Shorten the ways: so many sites that the mean way to the nearest is least (p-median)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gridplan.siting.best import Work, choose_best
from gridplan.siting.kernels import Bools, Floats
from gridplan.siting.links import Links, check_sites, check_weight, merge_demand
from gridplan.siting.solution import CannotMeetError, Solution, rank_sites

NOBODY: Sequence[int] = ()


def shorten_ways(links: Links, weight: Sequence[float] | Floats, new: int, *,
                 existing_m: Sequence[float] | Floats | None = None,
                 penalty_m: float | None = None, kept: Sequence[int] = NOBODY,
                 forbidden: Sequence[int] = NOBODY, seed: int = 1, work: Work | None = None
                 ) -> Solution:
    """Choose at most ``new`` sites with the least weighted mean way to the nearest facility.

    Minimise Σ w_i min(d_i0, min_j∈S d_ij) ÷ Σ w_i over sets S of ``new`` sites (Hakimi 1964),
    d_i0 being the way to the nearest existing facility.

    Parameters
    ----------
    links
        With ways in metres; a pair that is not linked cannot be reached.
    weight
        Of each demand, shape (demands,).
    existing_m
        Way of each demand to the nearest facility that exists and stays; inf for none.
    penalty_m
        What a way counts that cannot be walked; a longer way counts no more than this either.
        Without it, every demand needs an existing or kept facility or links to all sites.
    kept
        Sites that are open in any case; they are not among the new ones.
    forbidden
        Sites that must not be chosen.

    Raises
    ------
    CannotMeetError
        Some demand might stay without any way, and no penalty is given; ``most`` is the share
        of the weight that surely has one.
    ValueError
        A weight, a way, a site or a number that cannot be.

    Examples
    --------
    >>> links = Links([0, 2, 4], [0, 1, 0, 1], 2, [0.0, 60.0, 60.0, 0.0])
    >>> found = shorten_ways(links, [3, 1], 1)
    >>> found.chosen.tolist(), found.value, found.before, found.proven
    ([0], 15.0, 60.0, True)
    """
    weight = check_weight(weight, links.demands)
    held, barred = check_sites(links.sites, kept, forbidden)
    if links.distance_m is None or new < 0:
        raise ValueError("links need ways, and new is at least 0")
    usable = ~(held | barred)
    base = find_base(links, weight, existing_m, penalty_m, held, usable if new else usable & False)
    site, saved = links.site, base[links.demand] - links.distance_m
    counts = usable[site] & (saved > 0) & (weight > 0)[links.demand]
    site, demand, saved, total = merge_demand(site[counts], links.demand[counts], saved[counts],
                                              weight)
    value = saved * total[demand]
    best = choose_best(site, demand, value, links.sites, total.size, new, seed=seed, work=work)
    chosen, gained = rank_sites(site, demand, value, best.chosen, total.size)
    whole, before = float(weight.sum()), float(weight @ base)
    if whole == 0:
        return Solution("mean", chosen, gained, 0.0, 0.0, 0.0, True)
    reached = before - best.value
    return Solution("mean", chosen, gained, reached / whole,
                    min(before - best.bound, reached) / whole, before / whole, best.proven)


def find_base(links: Links, weight: Floats, existing_m: Sequence[float] | Floats | None,
              penalty_m: float | None, held: Bools, usable: Bools) -> Floats:
    """Return the way of each demand that it has whatever is chosen.

    Where nothing exists but every usable site can be reached, this is the way to the farthest.
    """
    assert links.distance_m is not None
    base = np.full(links.demands, np.inf)
    if existing_m is not None:
        base = np.array(existing_m, np.float64)
        if base.shape != (links.demands,) or not (base >= 0).all():
            raise ValueError("existing_m: numbers from 0 up, one a demand")
    kept = held[links.site]
    np.minimum.at(base, links.demand[kept], links.distance_m[kept])
    if penalty_m is not None:
        if not 0 <= penalty_m < np.inf:
            raise ValueError("penalty_m: a number from 0 up")
        return np.minimum(base, penalty_m)
    open_ = usable[links.site]
    farthest, reached = np.zeros(links.demands), np.zeros(links.demands, np.int64)
    np.maximum.at(farthest, links.demand[open_], links.distance_m[open_])
    np.add.at(reached, links.demand[open_], 1)
    sure = (reached == usable.sum()) & usable.any()
    base = np.where(np.isfinite(base), base, np.where(sure, farthest, np.inf))
    lost = ~np.isfinite(base) & (weight > 0)
    if lost.any():
        raise CannotMeetError(float(weight[~lost].sum() / weight.sum()))
    return np.where(np.isfinite(base), base, 0.0)
