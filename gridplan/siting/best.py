"""The sites that are worth most together: search, prices, then a proof by cuts.

A demand gets the best of what the open sites are worth to it. Covering demand and shortening
ways are both of this kind, so that one search serves them: greedy and swap, shaken; prices of
demand bound the worth (Lagrangian relaxation, whose best bound is that of the linear program);
they fix sites that no better set can lack or have; what is left goes to a mixed-integer program
that knows of each demand only the cuts it needs (Benders).

Church and ReVelle (1974), The maximal covering location problem; Cornuejols, Fisher and
Nemhauser (1977), Location of bank accounts to optimize float.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridplan.siting.benders import MARGIN, MOST_LINKS, prove_best
from gridplan.siting.kernels import (
    Floats,
    Ints,
    Rows,
    State,
    fill_greedily,
    keep_best,
    open_site,
    relax_demand,
    shake_sites,
)
from gridplan.siting.links import Worth, reduce_worth, spread

WHOLE = 1e12
QUICK = 600_000  # links up to which the search is shaken a second time
TINY = 1e-9  # of all there is to get: a difference that is none
PROVEN = 5e-7  # of all there is to get: a gap that counts as none where values are not whole


@dataclass(frozen=True)
class Work:
    """How long to search; counts, no seconds."""

    shakes: int = 300
    prices: int = 1500
    rounds: int = 40
    nodes: int = 2000


@dataclass(frozen=True, eq=False)
class Best:
    """Sites, what they are worth, and what no sites are worth more than."""

    chosen: Ints
    value: float
    bound: float
    proven: bool


def choose_best(site: Ints, demand: Ints, value: Floats, sites: int, demands: int, new: int, *,
                group: Ints | None = None, seed: int = 1, work: Work | None = None) -> Best:
    """Return at most ``new`` sites that are worth most together.

    Parameters
    ----------
    site, demand, value
        What each site is worth to each demand, above 0.
    group
        (sites,) of each site; at most one of each group is chosen.

    Returns
    -------
    Best
        Sites in rising order; fewer than ``new`` where more would add nothing.

    >>> best = choose_best(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([3.0, 1, 2]),
    ...                    2, 2, 1)
    >>> best.chosen.tolist(), best.value, best.bound, best.proven
    ([0], 4.0, 4.0, True)
    """
    work = work or Work()
    worth = reduce_worth(site, demand, value, sites, demands, group)
    new = min(new, worth.groups)
    if new == 0:
        return Best(np.zeros(0, np.int64), 0.0, 0.0, True)
    whole = is_whole(value)
    top = float(best_of(worth.by_demand).sum())
    step = 1.0 if whole else PROVEN * top
    more = step * (1 - MARGIN)
    chosen, got = search_sites(worth, new, top, work.shakes, seed)
    bound = top
    if got < top:
        price = 0.5 * measure_sites(worth, chosen)
        limit, price, above = relax_demand(price, new, got + more, work.prices, worth.by_site,
                                           worth.group)
        bound = round_down(min(bound, limit), whole)
        shakes = count_shakes(worth, work)
        if not is_proven(got, bound, step) and shakes:
            again = search_sites(worth, new, bound, shakes, seed,
                                 np.argsort(-above, kind="stable")[:new])
            chosen, got = again if again[1] > got else (chosen, got)
        if not is_proven(got, bound, step):
            left = keep_open(worth, chosen, above, new, limit, got + more)
            if left.any() and int((np.diff(worth.by_site.start)[left]).sum()) <= MOST_LINKS:
                chosen, got, bound = prove_best(
                    worth, chosen, left, price, new, (got, bound, step), work, seed)
                bound = round_down(min(bound, top), whole)
    return Best(np.sort(worth.site[chosen]), got, max(bound, got), is_proven(got, bound, step))


def is_whole(values: Floats) -> bool:
    """Tell whether all values are whole numbers, small enough to be added up exactly."""
    return bool((values == np.round(values)).all() and values.sum() < WHOLE)


def is_proven(value: float, bound: float, step: float) -> bool:
    """Tell whether no set can be worth a step more."""
    return bound < value + step * (1 - MARGIN)


def round_down(bound: float, whole: bool) -> float:
    """Return a bound as values can reach it; solvers round, so that a little is left to them."""
    return float(np.floor(bound + MARGIN)) if whole else bound


def best_of(by_demand: Rows) -> Floats:
    """Return what each demand would get if every site were open."""
    return np.maximum.reduceat(by_demand.value, by_demand.start[:-1])


def measure_sites(worth: Worth, chosen: Ints) -> Floats:
    """Return what each demand gets of the chosen sites."""
    got = np.zeros(worth.by_demand.start.size - 1)
    rows = worth.by_site
    for j in chosen.tolist():
        part = slice(rows.start[j], rows.start[j + 1])
        got[rows.other[part]] = np.maximum(got[rows.other[part]], rows.value[part])
    return got


def count_shakes(worth: Worth, work: Work) -> int:
    """Return how often to shake where the first time did not do: only where it is quick."""
    return work.shakes * int(min(QUICK // worth.by_site.other.size, 5))


def search_sites(worth: Worth, new: int, enough: float, shakes: int, seed: int,
                 start: Ints | None = None) -> tuple[Ints, float]:
    """Return the best sites found, and their value; ``start`` is open to begin with."""
    state = start_state(worth)
    for j in () if start is None else start.tolist():
        if state.held[state.group[j]] == 0:
            open_site(j, worth.by_site, worth.by_demand, state)
    fill_greedily(new, worth.by_site, worth.by_demand, state)
    chosen = np.flatnonzero(state.open)
    luck = np.random.SeedSequence(seed).generate_state(1, np.uint64).astype(np.uint64)
    chosen = shake_sites(chosen, shakes, enough - state.tiny[0], luck, worth.by_site,
                         worth.by_demand, state)
    return chosen, float(measure_sites(worth, chosen).sum())


def start_state(worth: Worth) -> State:
    """Return the state of the search with nothing open."""
    sites, demands = worth.by_site.start.size - 1, worth.by_demand.start.size - 1
    gain = np.bincount(spread(worth.by_site), worth.by_site.value, minlength=sites)
    return State(np.zeros(sites, np.bool_), np.zeros(demands), np.full(demands, -1, np.int64),
                 np.zeros(demands), np.full(demands, -1, np.int64), gain.astype(np.float64),
                 np.array([TINY * float(best_of(worth.by_demand).sum())]), worth.group,
                 np.zeros(sites, np.int64))


def keep_open(worth: Worth, chosen: Ints, above: Floats, new: int, limit: float, goal: float
              ) -> np.ndarray:
    """Mark the sites that a set worth ``goal`` or more may have (reduced costs).

    ``above`` is what each site is worth above the prices; putting in one that is not among the
    best ``new`` costs what it lacks to the last of them, or to the one of its group among them.
    """
    free = keep_best(above, worth.group)
    last = np.sort(free)[::-1][new - 1]
    best = np.full(above.size, -1.0)
    np.maximum.at(best, worth.group, free)
    rival = np.maximum(best[worth.group], last)
    left = limit - np.maximum(rival - above, 0.0) >= goal - 1e-9 * max(1.0, abs(limit))
    left[chosen] = True
    return left


