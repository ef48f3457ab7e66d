"""Siting: never worse than counted by hand, never better than the bound says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from gridplan.siting import (
    CannotMeetError,
    Links,
    Work,
    cover_most,
    cover_share,
    serve_most,
    shorten_ways,
)
from gridplan.siting.cover import find_fewest
from gridplan.siting.links import reduce_worth

NO_SEARCH = Work(shakes=0)  # greedy and one swap: then the proof has something to do


@st.composite
def towns(draw, most_sites=7, most_demands=9):
    """A few sites and demands, who reaches whom and how far, who is kept, barred and covered."""
    sites, demands = draw(st.integers(1, most_sites)), draw(st.integers(1, most_demands))
    way = draw(st.lists(st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=demands,
                                 max_size=demands), min_size=sites, max_size=sites))
    weight = draw(st.lists(st.integers(0, 9), min_size=demands, max_size=demands))
    role = draw(st.lists(st.sampled_from(["free"] * 5 + ["kept", "barred"]), min_size=sites,
                         max_size=sites))
    covered = draw(st.lists(st.sampled_from([False] * 4 + [True]), min_size=demands,
                            max_size=demands))
    return Town(way, weight, role, covered)


class Town:
    """What the solvers are given, and what a count of all sets says of it."""

    def __init__(self, way, weight, role, covered):
        self.way = np.array([[np.inf if x is None else x for x in row] for row in way], float)
        self.weight = np.array(weight, float)
        self.kept = [j for j, what in enumerate(role) if what == "kept"]
        self.barred = [j for j, what in enumerate(role) if what == "barred"]
        self.free = [j for j, what in enumerate(role) if what == "free"]
        self.covered = np.array(covered)
        self.reach = np.isfinite(self.way)
        self.rules = {"kept": self.kept, "forbidden": self.barred}

    @property
    def links(self):
        site, demand = np.nonzero(self.reach)
        start = np.concatenate([[0], np.cumsum(self.reach.sum(axis=1))])
        return Links(start, demand, self.weight.size, self.way[site, demand])

    def sets(self, most):
        for size in range(min(most, len(self.free)) + 1):
            yield from itertools.combinations(self.free, size)

    def covers(self, chosen):
        held = self.covered | self.reach[[*self.kept, *chosen]].any(axis=0)
        return self.weight[held].sum()

    def mean(self, chosen, existing, penalty):
        near = np.minimum(existing, self.way[[*self.kept, *chosen]].min(axis=0, initial=np.inf))
        return (self.weight * np.minimum(near, penalty)).sum() / max(self.weight.sum(), 1e-12)

    def serves(self, chosen, room):
        """By linear programming, which is exact for flows."""
        opened = [*self.kept, *chosen]
        pairs = [(j, i) for j in opened for i in np.flatnonzero(self.reach[j])]
        if not pairs:
            return 0.0
        rows = [[float(j == a) for a, _ in pairs] for j in opened]
        rows += [[float(i == b) for _, b in pairs] for i in range(self.weight.size)]
        most = [room[j] for j in opened] + self.weight.tolist()
        return -linprog([-1.0] * len(pairs), A_ub=rows, b_ub=most).fun


def holds_rules(found, town, new):
    assert set(found.chosen.tolist()) <= set(town.free)
    assert len(set(found.chosen.tolist())) == found.chosen.size <= new
    assert found.gap >= 0


# ---- covering ------------------------------------------------------------------------------

@given(towns(), st.integers(0, 4), st.booleans())
def test_cover_most_is_what_counting_finds(town, new, lazy):
    found = cover_most(town.links, town.weight, new, covered=town.covered, **town.rules,
                       work=NO_SEARCH if lazy else None)
    before = town.covers(())
    best = max(town.covers(chosen) for chosen in town.sets(new)) - before
    holds_rules(found, town, new)
    assert found.before == before
    assert found.value == town.covers(found.chosen.tolist()) - before
    assert found.value == found.bound == best
    assert found.proven
    assert found.gained.sum() == found.value
    assert (np.diff(found.gained) <= 0).all()


@given(towns(), st.lists(st.integers(0, 2), min_size=7, max_size=7), st.integers(0, 4),
       st.booleans())
def test_of_each_group_one_site_is_chosen_at_most(town, group, new, lazy):
    group = group[:len(town.way)]
    found = cover_most(town.links, town.weight, new, covered=town.covered, **town.rules,
                       group=group, work=NO_SEARCH if lazy else None)
    fair = [chosen for chosen in town.sets(new) if len({group[j] for j in chosen}) == len(chosen)]
    best = max(town.covers(chosen) for chosen in fair) - town.covers(())
    assert len({group[j] for j in found.chosen.tolist()}) == found.chosen.size
    assert found.value == found.bound == best


@given(towns(), st.sampled_from([0.2, 0.5, 0.75, 0.9, 1.0]), st.booleans())
def test_cover_share_needs_as_few_as_counting_finds(town, share, lazy):
    need = share * town.weight.sum() - 1e-9
    if town.covers(town.free) < need:
        with pytest.raises(CannotMeetError) as told:
            cover_share(town.links, town.weight, share, covered=town.covered, **town.rules)
        assert told.value.most == pytest.approx(town.covers(town.free) / town.weight.sum())
        return
    found = cover_share(town.links, town.weight, share, covered=town.covered, **town.rules,
                        work=NO_SEARCH if lazy else None)
    fewest = min(len(chosen) for chosen in town.sets(99) if town.covers(chosen) >= need)
    holds_rules(found, town, 99)
    assert town.covers(found.chosen.tolist()) >= need
    assert found.value == found.bound == found.chosen.size == fewest
    assert found.proven


# ---- ways ----------------------------------------------------------------------------------

@given(towns(), st.integers(0, 4), st.integers(5, 15), st.booleans())
def test_shorten_ways_is_what_counting_finds(town, new, penalty, halves):
    if halves:
        town.way = town.way * 0.37
    existing = np.where(town.covered, 3.0, np.inf)
    found = shorten_ways(town.links, town.weight, new, existing_m=existing, penalty_m=penalty,
                         **town.rules, work=NO_SEARCH)
    best = min(town.mean(chosen, existing, penalty) for chosen in town.sets(new))
    holds_rules(found, town, new)
    assert found.value == pytest.approx(town.mean(found.chosen.tolist(), existing, penalty))
    assert found.value == pytest.approx(best, rel=1e-6)
    assert found.bound <= best + 1e-9
    assert found.proven
    assert found.before == pytest.approx(town.mean((), existing, penalty))


@given(towns(), st.integers(1, 4))
def test_without_a_penalty_everybody_reaches_something_or_it_says_so(town, new):
    existing = np.where(town.covered, 3.0, np.inf)
    lost = ~town.covered & ~town.reach[town.kept].any(axis=0) & (town.weight > 0)
    if (lost & ~town.reach[town.free].all(axis=0)).any() or (lost.any() and not town.free):
        with pytest.raises(CannotMeetError) as told:
            shorten_ways(town.links, town.weight, new, existing_m=existing, **town.rules)
        assert told.value.most < 1
        return
    found = shorten_ways(town.links, town.weight, new, existing_m=existing, **town.rules)
    best = min(town.mean(chosen, existing, 1e9) for chosen in town.sets(new))
    assert found.value == pytest.approx(best)


# ---- room ----------------------------------------------------------------------------------

@given(towns(6, 6), st.lists(st.integers(0, 20), min_size=6, max_size=6), st.integers(0, 3))
def test_serve_most_is_what_counting_finds(town, room, new):
    room = room[:len(town.way)]
    found = serve_most(town.links, town.weight, room, new, **town.rules, work=NO_SEARCH)
    before = town.serves((), room)
    best = max(town.serves(chosen, room) for chosen in town.sets(new)) - before
    holds_rules(found, town, new)
    assert found.value == pytest.approx(town.serves(found.chosen.tolist(), room) - before)
    assert found.value == pytest.approx(best)
    assert found.bound == found.value
    assert found.proven
    assert found.gained.sum() == found.value


# ---- at a size where nothing can be counted --------------------------------------------------

def draw_town(seed, sites=120, demands=150):
    luck = np.random.default_rng(seed)
    here, there = luck.random((sites, 2)), luck.random((demands, 2))
    way = np.round(1000 * np.hypot(*(here[:, None] - there[None]).transpose(2, 0, 1)))
    near = way < 180
    start = np.concatenate([[0], np.cumsum(near.sum(axis=1))])
    site, demand = np.nonzero(near)
    return Links(start, demand, demands, way[site, demand]), luck.integers(1, 101, demands)


SOLVERS = {
    "cover": lambda links, weight, new, seed=1, work=None: cover_most(
        links, weight, new, seed=seed, work=work),
    "mean": lambda links, weight, new, seed=1, work=None: shorten_ways(
        links, weight, new, penalty_m=1500, seed=seed, work=work),
    "serve": lambda links, weight, new, seed=1, work=None: serve_most(
        links, weight, np.full(links.sites, 300), new, seed=seed, work=work),
    "count": lambda links, weight, new, seed=1, work=None: cover_share(
        links, weight, 0.1 * new, seed=seed, work=work),
}
QUICK = Work(shakes=20, prices=200, rounds=3, nodes=1)


@pytest.mark.parametrize("aim", SOLVERS)
def test_the_same_seed_gives_the_same_answer(aim):
    links, weight = draw_town(1)
    one, two = (SOLVERS[aim](links, weight, 6, seed=5, work=QUICK) for _ in range(2))
    assert one.chosen.tolist() == two.chosen.tolist()
    assert (one.value, one.bound, one.gained.tolist()) == (two.value, two.bound,
                                                           two.gained.tolist())


def test_seeds_differ_and_each_repeats_itself():
    links, weight = draw_town(6, sites=500, demands=600)
    work = Work(shakes=1, prices=1, rounds=0)
    runs = [[cover_most(links, weight, 14, seed=seed, work=work).chosen.tolist()
             for seed in range(1, 7)] for _ in range(2)]
    assert runs[0] == runs[1]
    assert len({tuple(chosen) for chosen in runs[0]}) > 1


def test_the_search_for_the_fewest_betters_greed_before_any_proof():
    # Greed takes the middle of six in a row, then needs both ends.
    worth = reduce_worth(np.repeat([0, 1, 2], [4, 3, 3]), np.array([1, 2, 3, 4, 0, 1, 2, 3, 4, 5]),
                         np.ones(10), 3, 6)
    assert sorted(find_fewest(worth, 6.0, 1, Work()).tolist()) == [1, 2]


@pytest.mark.parametrize("aim", ["cover", "mean", "serve"])
def test_more_sites_never_serve_less(aim):
    links, weight = draw_town(2)
    found = [SOLVERS[aim](links, weight, new, work=QUICK) for new in range(9)]
    values = np.array([x.value for x in found])
    assert (np.diff(values) * (-1 if aim == "mean" else 1) >= 0).all()


@pytest.mark.parametrize("aim", ["cover", "mean", "serve", "count"])
def test_an_unfinished_proof_still_bounds_a_finished_one(aim):
    links, weight = draw_town(3)
    worse = -1 if aim in ("mean", "count") else 1
    rough = SOLVERS[aim](links, weight, 6, work=Work(shakes=0, prices=3, rounds=1, nodes=1))
    exact = SOLVERS[aim](links, weight, 6, work=Work(nodes=100_000))
    assert exact.proven
    assert worse * rough.bound >= worse * exact.value - 1e-6
    assert worse * rough.value <= worse * exact.value + 1e-6


@pytest.mark.parametrize("aim", ["cover", "mean", "count"])
def test_the_order_of_rows_changes_no_value(aim):
    links, weight = draw_town(4)
    luck = np.random.default_rng(0)
    sites, demands = luck.permutation(links.sites), luck.permutation(links.demands)
    place = np.argsort(sites)
    order = np.lexsort((links.demand, place[links.site]))
    start = np.concatenate([[0], np.cumsum(np.diff(links.start)[sites])])
    turned = Links(start, np.argsort(demands)[links.demand[order]], links.demands,
                   links.distance_m[order])
    one, two = SOLVERS[aim](links, weight, 6), SOLVERS[aim](turned, weight[demands], 6)
    assert one.proven
    assert two.proven
    assert one.value == pytest.approx(two.value)


# ---- what cannot be ------------------------------------------------------------------------

@pytest.mark.parametrize("bad", [
    {"start": [0, 3]}, {"start": [1, 2]}, {"start": []}, {"start": [0, 2, 1, 2]},
    {"demand": [0, 2]}, {"demand": [-1, 0]}, {"demand": [1, 1]},
    {"distance_m": [1.0]}, {"distance_m": [1.0, -1.0]}, {"distance_m": [1.0, np.nan]}])
def test_links_that_do_not_fit_are_refused(bad):
    good = {"start": [0, 2], "demand": [0, 1], "demands": 2}
    Links(**good)
    with pytest.raises(ValueError, match="links"):
        Links(**{**good, **bad})


@pytest.mark.parametrize("bad", [
    {"weight": [1]}, {"weight": [1, -1]}, {"weight": [1, np.nan]}, {"weight": [1, np.inf]},
    {"new": -1}, {"kept": [1]}, {"forbidden": [-1]}, {"kept": [0], "forbidden": [0]},
    {"covered": [True]}, {"group": [-1]}, {"group": [0, 1]}])
def test_numbers_that_cannot_be_are_refused(bad):
    good = {"links": Links([0, 2], [0, 1], 2, [1.0, 2.0]), "weight": [1, 1], "new": 1}
    with pytest.raises(ValueError, match=r".+"):
        cover_most(**{**good, **bad})
    if not {"covered", "group"} & set(bad):
        with pytest.raises(ValueError, match=r".+"):
            shorten_ways(**{**good, **bad})
        with pytest.raises(ValueError, match=r".+"):
            serve_most(**{**good, **bad}, room=[3])
    if not {"new", "group"} & set(bad):
        del good["new"]
        with pytest.raises(ValueError, match=r".+"):
            cover_share(**{**good, **bad})


@pytest.mark.parametrize("room", [[-1], [1.5], [np.nan], [1, 2], [1e15]])
def test_rooms_that_cannot_be_are_refused(room):
    with pytest.raises(ValueError, match=r".+"):
        serve_most(Links([0, 1], [0], 1), [1], room, 1)


def test_words_say_value_and_bound_in_both_languages():
    found = cover_most(Links([0, 1, 2], [0, 1], 2), [12340, 5], 1)
    assert "12,340" in found.words()
    assert "12,340 户" in found.words("zh")
