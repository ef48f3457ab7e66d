"""Filling posts: the best in every aim in turn, with bounds that are met where it says so."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from benchmarks import assign as bench
from gridplan.assign.filling import AIMS, NO_LIMIT, Problem, fill_posts
from gridplan.assign.flow import flow_in_turn, flow_part
from gridplan.assign.general import hold_bounds, solve_part, weakest_bound
from gridplan.assign.parts import LARGEST, split_parts, weigh_shares

UNIT = 12  # of loads over these shares, in whole numbers
WEIGHT = {1.0: 12, 0.8: 15, 0.75: 16, 0.5: 24, 0.25: 48}
MORE = {"continuity", "wishes"}


def plain(cost):
    """Everybody takes one post, any that there is; the way alone counts."""
    posts, people = cost.shape
    post, person = (x.reshape(-1) for x in np.indices(cost.shape))
    no = np.zeros(cost.size, bool)
    return Problem([1] * posts, [1] * posts, [1] * posts, [1] * people, [1] * people,
                   [1.0] * people, post, person, no, no, cost.reshape(-1), ("travel",))


@st.composite
def problems(draw, most_pairs=11, one_post=False):
    """Up to five posts and people with all that a problem may hold."""
    posts, people = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rooms = [NO_LIMIT, 14, 9, 20, 5, 0]
    pairs = draw(st.lists(st.tuples(st.integers(0, posts - 1), st.integers(0, people - 1)),
                          unique=True, min_size=min(most_pairs, posts * people) // 2,
                          max_size=most_pairs))

    def each(what, count):
        return draw(st.lists(what, min_size=count, max_size=count))

    return Problem(
        slots=each(st.sampled_from([1, 1, 2, 0]), posts), load=each(st.integers(0, 9), posts),
        size=each(st.integers(0, 9), posts),
        room_households=each(st.sampled_from(rooms), people),
        room_posts=each(st.sampled_from([1, 0] if one_post else [2, 3, 1, 0]), people),
        share=each(st.sampled_from(sorted(WEIGHT)), people),
        post=[a for a, _ in pairs], person=[b for _, b in pairs],
        kept=each(st.booleans(), len(pairs)), wished=each(st.booleans(), len(pairs)),
        travel_m=each(st.integers(0, 9), len(pairs)),
        order=tuple(draw(st.permutations(AIMS))[:draw(st.sampled_from([4, 4, 3, 2, 1, 0]))]))


def every_filling(problem):
    """All fillings that keep the rules, as rows of pairs, and the load of each person."""
    count = problem.pairs
    rows = (np.arange(1 << count)[:, None] >> np.arange(count)) & 1
    at_post = (problem.post[:, None] == np.arange(problem.slots.size)).astype(int)
    of_person = (problem.person[:, None] == np.arange(problem.share.size)).astype(int)
    size, load = problem.size[problem.post], problem.load[problem.post]
    good = ((rows @ at_post <= problem.slots).all(axis=1)
            & (rows @ of_person <= problem.room_posts).all(axis=1)
            & (rows @ (of_person * size[:, None]) <= problem.room_households).all(axis=1))
    weight = np.array([WEIGHT[x] for x in problem.share.tolist()])
    return rows[good], (rows[good] @ (of_person * load[:, None])) * weight


def able_parts(problem):
    """Posts and people that hang together by pairs somebody could take at all."""
    graph = nx.Graph()
    graph.add_nodes_from(("post", a) for a in range(problem.slots.size))
    for a, b in zip(problem.post.tolist(), problem.person.tolist(), strict=True):
        if (problem.slots[a] and problem.room_posts[b]
                and problem.size[a] <= problem.room_households[b]):
            graph.add_edge(("post", a), ("person", b))
    return list(nx.connected_components(graph))


def try_all(problem):
    """The best value of every aim in turn, part by part, by trying all fillings."""
    total = dict.fromkeys(("vacant", *problem.order), 0)
    for nodes in able_parts(problem):
        posts = [a for kind, a in nodes if kind == "post"]
        people = [b for kind, b in nodes if kind == "person"]
        inside = np.isin(problem.post, posts) & np.isin(problem.person, people)
        pick = np.flatnonzero(inside)
        part = replace(problem, post=problem.post[pick], person=problem.person[pick],
                       kept=problem.kept[pick], wished=problem.wished[pick],
                       travel_m=problem.travel_m[pick])
        rows, loads = every_filling(part)
        worth = {"vacant": int(problem.slots[posts].sum()) - rows.sum(axis=1),
                 "continuity": rows @ -part.kept.astype(int),
                 "balance": loads.max(axis=1, initial=0),
                 "wishes": rows @ -part.wished.astype(int), "travel": rows @ part.travel_m}
        best = np.ones(len(rows), bool)
        for aim in total:
            least = worth[aim][best].min()
            best &= worth[aim] == least
            total[aim] = max(total[aim], least) if aim == "balance" else total[aim] + least
    return {aim: -x if aim in MORE else float(Fraction(int(x), UNIT)) if aim == "balance" else x
            for aim, x in total.items()}


def assert_fits(problem, chosen):
    """No slot is filled twice and nobody takes more than her room."""
    post, person = problem.post[chosen], problem.person[chosen]
    people = problem.share.size
    assert (np.bincount(post, minlength=problem.slots.size) <= problem.slots).all()
    assert (np.bincount(person, minlength=people) <= problem.room_posts).all()
    assert (np.bincount(person, problem.size[post], people) <= problem.room_households).all()


def assert_told_truly(problem, filling):
    """The values told are those of the pairs chosen, and none is better than its bound."""
    chosen = filling.chosen
    load = np.bincount(problem.person[chosen], problem.load[problem.post[chosen]],
                       problem.share.size) / problem.share
    counted = {"vacant": problem.slots.sum() - chosen.sum(), "continuity":
               problem.kept[chosen].sum(), "balance": load.max(initial=0), "wishes":
               problem.wished[chosen].sum(), "travel": problem.travel_m[chosen].sum()}
    assert filling.value == pytest.approx({aim: counted[aim] for aim in filling.value})
    assert list(filling.value) == list(filling.bound) == ["vacant", *problem.order]
    for aim, value in filling.value.items():
        better, worse = (value, filling.bound[aim]) if aim in MORE else (filling.bound[aim], value)
        assert better <= worse
        assert filling.gap[aim] >= 0


# ---- the best there is ------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(200))
def test_one_to_one_costs_what_scipy_finds(seed):
    chance = np.random.default_rng(seed)
    posts, people = chance.integers(1, 25, 2) if seed % 3 else [int(chance.integers(1, 25))] * 2
    cost = chance.integers(0, 1000 if seed % 2 else 5, (posts, people))
    filling = fill_posts(plain(cost))
    assert filling.value["travel"] == filling.bound["travel"] == cost[
        linear_sum_assignment(cost)].sum()
    assert filling.value["vacant"] == max(0, posts - people)
    assert filling.method == {"flow": 1, "cp-sat": 0}


@settings(max_examples=300)
@given(problems())
def test_every_aim_in_turn_is_what_trying_all_finds(problem):
    filling = fill_posts(problem)
    assert filling.value == try_all(problem)
    assert filling.bound == filling.value
    assert_fits(problem, filling.chosen)
    assert_told_truly(problem, filling)


@settings(max_examples=100)
@given(problems(most_pairs=20, one_post=True))
def test_one_post_each_is_a_flow_and_needs_no_other_engine(problem):
    filling = fill_posts(problem)
    assert filling.method["cp-sat"] == 0
    assert filling.gap == dict.fromkeys(filling.value, 0.0)


@settings(max_examples=100)
@given(problems(most_pairs=20), st.integers(1, 9), st.integers(1, 9))
def test_posts_of_one_size_and_load_are_a_flow_too(problem, size, load):
    posts = problem.slots.size
    filling = fill_posts(replace(problem, size=[size] * posts, load=[load] * posts))
    assert filling.method["cp-sat"] == 0
    assert filling.gap == dict.fromkeys(filling.value, 0.0)


@settings(max_examples=100)
@given(problems(most_pairs=20))
def test_both_engines_agree(problem):
    for part in split_parts(problem):
        taken, bound = flow_part(part)
        nobody = np.zeros(part.pair.size, bool)
        (other, proven), _ = solve_part(
            part, nobody, {aim: weakest_bound(part, aim) for aim in part.order}, work=5.0, seed=1)
        assert part.fits(taken)
        assert part.fits(other)
        assert part.measure_aims(other) == proven
        assert tuple(bound.values()) <= tuple(proven.values()) <= tuple(
            part.measure_aims(taken).values())
        if part.measure_aims(taken) == bound:
            assert bound == proven


def test_each_part_is_balanced_within_itself():
    # The first post weighs 90 whoever takes it; the others need not pile up for that. The last
    # person could take any post but has no room, so she joins nothing.
    filling = fill_posts(Problem(
        [1] * 3, [90, 10, 10], [1] * 3, [9] * 4, [2] * 3 + [0], [1.0] * 4, [0, 1, 2, 1, 2, 0, 1],
        [0, 1, 1, 2, 2, 3, 3], [False] * 7, [False] * 7, [0, 0, 0, 50, 50, 0, 0],
        ("balance", "travel")))
    assert filling.value == {"vacant": 0, "balance": 90, "travel": 50}


def test_a_share_counts_in_balance_not_in_room():
    filling = fill_posts(Problem([1], [30], [30], [30, 30], [1, 1], [0.5, 0.6], [0, 0], [0, 1],
                                 [False] * 2, [False] * 2, [1, 2], ("balance", "travel")))
    assert filling.chosen.tolist() == [False, True]
    assert filling.value["balance"] == pytest.approx(50)


# ---- somebody leaves --------------------------------------------------------------------------

def without(problem, before, person):
    """The problem once somebody is away, with what was held before to be kept."""
    stay = np.flatnonzero(problem.person != person)
    return replace(problem, post=problem.post[stay], person=problem.person[stay],
                   kept=before[stay], wished=problem.wished[stay],
                   travel_m=problem.travel_m[stay])


@given(problems(), st.integers(0, 4))
def test_one_away_changes_the_least_that_trying_all_finds(problem, person):
    problem = replace(problem, order=AIMS)
    before = fill_posts(problem).chosen
    left = without(problem, before, person)
    after = fill_posts(left)
    rows, _ = every_filling(left)
    full = rows[rows.sum(axis=1) == rows.sum(axis=1).max()]
    lost = before[problem.person == person].sum()
    least = lost + (left.kept & (full == 0)).sum(axis=1).min()
    assert lost + (left.kept & ~after.chosen).sum() == least
    assert before.sum() - after.bound["continuity"] == least


@pytest.mark.parametrize("seed", range(12))
def test_one_away_meets_the_bound_on_a_community(seed):
    chance = np.random.default_rng(seed)
    made = bench.make_community(20, 24, chance)
    made["room_posts"] = np.ones(24, np.int64)
    problem = Problem(slots=np.ones(20, np.int64), **made)
    before = fill_posts(problem).chosen
    left = without(problem, before, int(chance.choice(problem.person[before])))
    after = fill_posts(left)
    # As many posts as can be, then as many kept as can be: one assignment of largest weight.
    weight = np.zeros((20, 24))
    able = left.size[left.post] <= left.room_households[left.person]
    weight[left.post[able], left.person[able]] = 100 + left.kept[able]
    best = weight[linear_sum_assignment(weight, maximize=True)].sum()
    assert 100 * after.chosen.sum() + after.value["continuity"] == best
    assert after.bound["continuity"] == after.value["continuity"]


# ---- order, seed, work ------------------------------------------------------------------------

@settings(max_examples=60)
@given(problems(most_pairs=20), st.randoms(use_true_random=False))
def test_the_order_of_pairs_changes_nothing(problem, chance):
    order = np.array(chance.sample(range(problem.pairs), problem.pairs), np.int64)
    mixed = replace(problem, **{name: getattr(problem, name)[order] for name in (
        "post", "person", "kept", "wished", "travel_m")})
    assert fill_posts(mixed).chosen.tolist() == fill_posts(problem).chosen[order].tolist()


@settings(max_examples=60)
@given(problems(most_pairs=20), st.randoms(use_true_random=False))
def test_the_order_of_posts_and_people_changes_no_value(problem, chance):
    posts, people = problem.slots.size, problem.share.size
    to_post = np.array(chance.sample(range(posts), posts))
    to_person = np.array(chance.sample(range(people), people))
    back_post, back_person = np.argsort(to_post), np.argsort(to_person)
    moved = replace(
        problem, post=to_post[problem.post], person=to_person[problem.person],
        **{name: getattr(problem, name)[back_post] for name in ("slots", "load", "size")},
        **{name: getattr(problem, name)[back_person] for name in (
            "room_households", "room_posts", "share")})
    assert fill_posts(moved).value == fill_posts(problem).value


def tight(posts=20, people=10, seed=8):
    """A community with hardly more room than households, where proofs are long."""
    return Problem(slots=[1] * posts, **bench.make_community(
        posts, people, np.random.default_rng(seed)))


def test_same_seed_same_bytes():
    one, two = (fill_posts(tight(), work=0.3, seed=5) for _ in range(2))
    assert one.chosen.tobytes() == two.chosen.tobytes()
    assert (one.value, one.bound, one.method) == (two.value, two.bound, two.method)


@pytest.mark.parametrize("work", [-0.1, 0.0, 0.02, 0.2])  # below 0: others spent too much
def test_little_work_still_fills_and_tells_what_may_be_missing(work):
    problem = tight()
    filling = fill_posts(problem, work=work)
    assert_fits(problem, filling.chosen)
    assert_told_truly(problem, filling)
    assert filling.method == {"flow": 0, "cp-sat": 1}
    assert max(filling.gap.values()) > 0


def test_a_part_too_large_for_proofs_keeps_the_flow_and_weak_bounds(monkeypatch):
    monkeypatch.setattr("gridplan.assign.general.MOST_PAIRS", 10)
    problem = tight()
    filling = fill_posts(problem)
    assert_fits(problem, filling.chosen)
    assert_told_truly(problem, filling)
    part = next(split_parts(problem))
    taken, known = flow_part(part)
    assert filling.chosen[part.pair].tolist() == taken.tolist()
    assert hold_bounds(part, taken, known)["travel"] == 0


# ---- whole numbers ----------------------------------------------------------------------------

@settings(max_examples=100)
@given(problems(most_pairs=20, one_post=True), st.sampled_from([64, 1 << 12, 1 << 20]))
def test_costs_too_large_for_one_number_are_decided_one_after_the_other(problem, largest):
    from gridplan.assign import flow

    whole = fill_posts(problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "flow_in_turn",
                      lambda net, costs: flow_in_turn(net, costs, largest=largest))
        staged = fill_posts(problem)
    assert staged.value == whole.value


@pytest.mark.parametrize(("shift", "slots"), [(0, 1), (1_000_000_000, 1), (0, 1000)])
def test_long_ways_and_many_slots_do_not_overflow(shift, slots):
    chance = np.random.default_rng(1)
    cost = chance.integers(0, 1_000_000_000, (60, 60))
    problem = replace(plain(cost + shift), slots=[slots] * 60, kept=chance.random(3600) < 0.03,
                      wished=chance.random(3600) < 0.03,
                      order=("continuity", "wishes", "travel"))
    filling = fill_posts(problem)
    kept, wished = problem.kept.reshape(60, 60), problem.wished.reshape(60, 60)
    # One cost in whole numbers of any length, which the simplex of networkx holds.
    graph = nx.DiGraph()
    graph.add_node("from", demand=-60)
    graph.add_node("to", demand=60)
    for i in range(60):
        graph.add_edge("from", ("post", i), capacity=slots, weight=0)
        graph.add_edge(("person", i), "to", capacity=1, weight=0)
        for j in range(60):
            price = int(cost[i, j]) - 10**24 * int(kept[i, j]) - 10**13 * int(wished[i, j])
            graph.add_edge(("post", i), ("person", j), capacity=1, weight=price)
    _, flow = nx.network_simplex(graph)
    pairs = [(i, j) for i in range(60) for (_, j), on in flow[("post", i)].items() if on]
    assert filling.value == {
        "vacant": 60 * slots - 60, "continuity": sum(kept[p] for p in pairs),
        "wishes": sum(wished[p] for p in pairs),
        "travel": sum(int(cost[p]) + shift for p in pairs)}
    assert filling.bound == filling.value


def test_shares_that_have_no_small_common_measure_stay_within_64_bits():
    share = [1 - k / 1000 for k in range(300)]
    weight, unit = weigh_shares(share, 1 << 30)
    assert int(weight.max()) * (1 << 30) <= LARGEST
    assert np.allclose(weight / unit, 1 / np.array(share), rtol=2e-3)
    weight, unit = weigh_shares(share, 500)
    assert np.allclose(weight / unit, 1 / np.array(share), rtol=1e-6)


# ---- awkward but allowed ----------------------------------------------------------------------

def small(**changes):
    """Two posts, two people who may take both; changed as asked."""
    return replace(Problem([1, 1], [3, 4], [3, 4], [9, 9], [2, 2], [1.0, 1.0], [0, 0, 1, 1],
                           [0, 1, 0, 1], [False] * 4, [False] * 4, [1, 2, 3, 4]), **changes)


@pytest.mark.parametrize(("changes", "vacant"), [
    ({"room_posts": [0, 0]}, 2),
    ({"room_households": [0, 3]}, 1),
    ({"room_households": [0, 0], "size": [0, 4]}, 1),
    ({"slots": [3, 1]}, 1),
    ({"slots": [0, 0]}, 0),
    ({"slots": [5, 5], "room_posts": [1, 1]}, 8),
    ({name: [] for name in ("post", "person", "kept", "wished", "travel_m")}, 2),
    ({"slots": [1, 1, 4], "load": [1] * 3, "size": [1] * 3}, 4),
])
def test_vacant_slots_are_counted_wherever_they_are(changes, vacant):
    problem = small(**changes)
    filling = fill_posts(problem)
    assert filling.value["vacant"] == filling.bound["vacant"] == vacant
    assert_fits(problem, filling.chosen)
    assert_told_truly(problem, filling)


def test_nothing_to_fill_is_filled():
    nothing = Problem(*([[]] * 11))
    assert fill_posts(nothing).value == dict.fromkeys(("vacant", *AIMS), 0.0)


@pytest.mark.parametrize(("changes", "fault"), [
    ({"slots": [1]}, "slots, load, size"),
    ({"kept": [True]}, "as long as each other"),
    ({"share": [0.0, 1.0]}, "share must be above 0"),
    ({"share": [1.0, 1.5]}, "at most 1"),
    ({"share": [1.0, float("nan")]}, "share"),
    ({"load": [-1, 1]}, "load must lie between"),
    ({"travel_m": [1.5, 2, 3, 4]}, "travel_m must be one row of int64"),
    ({"post": [0, 0, 1, 2]}, "a post that is not there"),
    ({"person": [0, 1, 0, -1]}, "a person who is not there"),
    ({"person": [0, 0, 0, 1]}, "a pair is given twice"),
    ({"order": ("travel", "travel")}, "at most once"),
    ({"order": ("luck",)}, "order takes"),
])
def test_a_problem_that_makes_no_sense_is_refused(changes, fault):
    with pytest.raises(ValueError, match=fault):
        small(**changes)


# ---- speed ------------------------------------------------------------------------------------

def test_a_community_takes_a_fifth_of_a_second():
    problems = [Problem(slots=[1] * 20, **bench.make_community(20, 25, np.random.default_rng(k)))
                for k in range(6)]
    fill_posts(problems[2])  # loads the solvers
    for problem in problems:
        taken = []
        for _ in range(3):
            start = time.process_time()
            fill_posts(problem)
            taken.append(time.process_time() - start)
        assert min(taken) <= 0.2


def test_the_benchmark_prints_its_lines(capsys):
    assert bench.main(["--grids", "40", "--staff", "60", "--plain", "20", "--goal"]) == 0
    machine, ours, plain_, scipy_, *rest = [json.loads(x)
                                            for x in capsys.readouterr().out.splitlines()]
    assert machine["method"] == "calibration"
    assert (ours["posts"], ours["people"], ours["gap"]) == (40, 60, 0.0)
    assert {"seconds", "peak_mb", "cost", "bound", "gap"} <= set(ours)
    assert plain_["cost"] == scipy_["cost"] == plain_["bound"]
    assert rest[1]["ratio_to"] == {"scipy:linear_sum_assignment": 1.0}
    assert [(x["what"], x["met"]) for x in rest[3:]] == [(what, True) for _, what, _ in bench.GOALS]


def test_a_goal_that_is_missed_is_told(monkeypatch, capsys):
    monkeypatch.setattr(bench, "GOALS", (("city", "cpu_s", -1.0),))
    assert bench.main(["--grids", "10", "--staff", "9", "--plain", "3", "--goal"]) == 1
    assert "missed" in capsys.readouterr().out
