"""Cover the most demand with so many sites, or so much demand with the fewest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from gridplan.siting.benders import MARGIN, MOST_LINKS
from gridplan.siting.best import (
    Work,
    best_of,
    choose_best,
    is_whole,
    measure_sites,
    search_sites,
    start_state,
)
from gridplan.siting.kernels import Bools, Floats, Ints, fill_greedily, relax_demand
from gridplan.siting.links import (
    Links,
    Worth,
    check_sites,
    check_weight,
    merge_demand,
    reduce_worth,
    spread,
)
from gridplan.siting.solution import CannotMeetError, Solution, rank_sites
from gridplan.siting.solver import Program, count_nodes, solve_whole

NOBODY: Sequence[int] = ()


def cover_most(links: Links, weight: Sequence[float] | Floats, new: int, *,
               covered: Bools | None = None, kept: Sequence[int] = NOBODY,
               forbidden: Sequence[int] = NOBODY, group: Sequence[int] | Ints | None = None,
               seed: int = 1, work: Work | None = None) -> Solution:
    """Choose at most ``new`` sites that cover the most weight (maximal covering location).

    Maximise Σ w_i z_i with z_i ≤ Σ_j∈N(i) x_j, Σ x_j ≤ new, x and z of 0 or 1
    (Church and ReVelle 1974).

    Parameters
    ----------
    links
        Which demand each site covers.
    weight
        Of each demand, shape (demands,).
    covered
        Demand that existing facilities cover already, shape (demands,).
    kept
        Sites that are open in any case; they are not among the new ones.
    forbidden
        Sites that must not be chosen.
    group
        Of each site, whole numbers from 0 up, shape (sites,): at most one new site of each.

    Raises
    ------
    ValueError
        A weight, a site, a group or a number that cannot be.

    Examples
    --------
    >>> found = cover_most(Links([0, 2, 4], [0, 1, 1, 2], 3), [5, 1, 2], 1)
    >>> found.chosen.tolist(), found.value, found.status
    ([0], 6.0, 'proven')
    """
    weight, served, usable = _set_out(links, weight, covered, kept, forbidden)
    if new < 0:
        raise ValueError("new: at least 0")
    groups = None if group is None else np.asarray(group, np.int64)
    if groups is not None and (groups.shape != (links.sites,) or (groups < 0).any()):
        raise ValueError("group: whole numbers from 0 up, one a site")
    site, demand, total = _lay_demand(links, weight, served, usable)
    best = choose_best(site, demand, total[demand], links.sites, total.size, new,
                       group=groups, seed=seed, work=work)
    chosen, gained = rank_sites(site, demand, total[demand], best.chosen, total.size)
    return Solution("cover", chosen, gained, best.value, best.bound,
                    float(weight[served].sum()), best.proven)


def cover_share(links: Links, weight: Sequence[float] | Floats, share: float = 1.0, *,
                covered: Bools | None = None, kept: Sequence[int] = NOBODY,
                forbidden: Sequence[int] = NOBODY, seed: int = 1, work: Work | None = None
                ) -> Solution:
    """Choose the fewest sites that cover at least a share of the weight.

    With all of it, this is set covering location: minimise Σ x_j with Σ_j∈N(i) x_j ≥ 1
    (Toregas et al. 1971). Otherwise demands z_i are covered with Σ w_i z_i ≥ share · Σ w_i.

    Parameters
    ----------
    share
        Of the whole weight, above 0, at most 1; what is covered already counts.

    Raises
    ------
    CannotMeetError
        All sites together cover less.
    ValueError
        A weight, a site or a share that cannot be.

    Examples
    --------
    >>> found = cover_share(Links([0, 2, 4], [0, 1, 1, 2], 3), [5, 1, 2], 0.9)
    >>> found.chosen.tolist(), found.value, found.bound
    ([0, 1], 2.0, 2.0)
    """
    weight, served, usable = _set_out(links, weight, covered, kept, forbidden)
    if not 0 < share <= 1:
        raise ValueError("share: above 0, at most 1")
    work = work or Work()
    before, whole = float(weight[served].sum()), is_whole(weight)
    need = share * float(weight.sum()) - before
    need = float(np.ceil(need - 1e-9 * weight.sum())) if whole else need * (1 - 1e-12)
    site, demand, total = _lay_demand(links, weight, served, usable)
    possible = float(total.sum())
    if possible < need:
        raise CannotMeetError((before + possible) / float(weight.sum()))
    if need <= 0:
        return Solution("count", np.zeros(0, np.int64), np.zeros(0), 0.0, 0.0, before, True)
    worth = reduce_worth(site, demand, total[demand], links.sites, total.size)
    rows = find_fewest(worth, need, seed, work)
    slack = MARGIN if whole else 1e-9 * possible
    bound = bound_number(worth, rows, need - slack, work)
    if bound < rows.size and spread(worth.by_site).size <= MOST_LINKS:
        rows, bound = prove_fewest(worth, rows, bound, need, work, seed)
    chosen, gained = rank_sites(site, demand, total[demand], worth.site[rows], total.size)
    return Solution("count", chosen, gained, float(rows.size), float(bound), before,
                    bound >= rows.size)


def _set_out(links: Links, weight: Sequence[float] | Floats, covered: Bools | None,
             kept: Sequence[int], forbidden: Sequence[int]) -> tuple[Floats, Bools, Bools]:
    """Return weights, who is covered before any new site, and which sites may be chosen."""
    weight = check_weight(weight, links.demands)
    held, barred = check_sites(links.sites, kept, forbidden)
    served = np.zeros(links.demands, np.bool_)
    if covered is not None:
        if np.shape(covered) != (links.demands,):
            raise ValueError("covered: one a demand")
        served |= np.asarray(covered, np.bool_)
    served[links.demand[held[links.site]]] = True
    return weight, served, ~(held | barred)


def _lay_demand(links: Links, weight: Floats, served: Bools, usable: Bools
                ) -> tuple[Ints, Ints, Floats]:
    """Return the links that can still cover something, demands merged, and their weights."""
    counts = usable[links.site] & (~served & (weight > 0))[links.demand]
    site, demand = links.site[counts], links.demand[counts]
    site, demand, _, total = merge_demand(site, demand, np.ones(site.size), weight)
    return site, demand, total


def find_fewest(worth: Worth, need: float, seed: int, work: Work) -> Ints:
    """Return few sites that are worth ``need`` together: greedily, then ever one less."""
    state = start_state(worth)
    number = 0
    while float(measure_sites(worth, np.flatnonzero(state.open)).sum()) < need:
        number += 1
        fill_greedily(number, worth.by_site, worth.by_demand, state)
    rows = np.flatnonzero(state.open)
    while rows.size > 1:
        fewer, got = search_sites(worth, rows.size - 1, need, work.shakes, seed)
        if got < need:
            break
        rows = fewer
    return rows


def bound_number(worth: Worth, rows: Ints, need: float, work: Work) -> int:
    """Return a number below which no sites are worth ``need``, by prices of demand.

    Prices bound every number of sites at once: the prices and the best so many sites.
    """
    if rows.size == 1:
        return 1
    price = 0.5 * best_of(worth.by_demand)
    _, price, above = relax_demand(price, rows.size - 1, need, work.prices,
                                   worth.by_site, worth.group)
    most = float(price.sum()) + np.cumsum(np.sort(above)[::-1])
    return int(np.argmax(most >= need)) + 1 if (most >= need).any() else rows.size


def prove_fewest(worth: Worth, rows: Ints, bound: int, need: float, work: Work, seed: int
                 ) -> tuple[Ints, int]:
    """Solve the program of the fewest sites; return sites and a bound."""
    top = best_of(worth.by_demand)
    sites, demands = worth.site.size, top.size
    link_demand, link_site = spread(worth.by_demand), worth.by_demand.other
    each = np.arange(demands)
    entries = (np.concatenate([-np.ones(link_site.size), np.ones(demands), -top]),
               (np.concatenate([link_demand, each, np.full(demands, demands)]),
                np.concatenate([link_site, sites + each, sites + each])))
    count = sites + demands
    whole = np.arange(count) < sites
    program = Program(
        worth=np.where(whole, -1.0, 0.0), rows=sparse.csr_matrix(entries, (demands + 1, count)),
        most=np.append(np.zeros(demands), -need), low=np.zeros(count), high=np.ones(count),
        whole=whole)
    opened = np.isin(np.arange(sites), rows)
    hint = np.concatenate([opened, measure_sites(worth, rows) > 0]).astype(np.float64)
    found = solve_whole(program, hint, slack=1 - MARGIN, seed=seed,
                        nodes=count_nodes(program, work.nodes))
    if found.x is not None:
        better = np.flatnonzero(found.x[:sites] > 0.5)
        if better.size < rows.size and measure_sites(worth, better).sum() >= need:
            rows = better
    return rows, min(max(bound, int(np.ceil(-found.bound - MARGIN))), rows.size)
