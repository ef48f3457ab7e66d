"""A week of patrols: even days, even loads, crews that rest; the best on what can be tried out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gridplan.errors import InputError
from gridplan.patrol.stops.week import choose_days, cycle_crews, fit_crews

HOUR = 3600
THREE = (np.array([7, 15, 23]) * HOUR, np.array([15, 23, 31]) * HOUR)


def unevenness(days):
    """Sum of squared gaps round the week, in days."""
    chosen = np.flatnonzero(days)
    return int((np.diff([*chosen, chosen[0] + days.size]) ** 2).sum()) if chosen.size else 0


@st.composite
def weeks(draw, most_stops=3, most_days=5):
    stops, days = draw(st.integers(1, most_stops)), draw(st.integers(2, most_days))
    allowed = np.array([draw(st.lists(st.booleans(), min_size=days, max_size=days).filter(any))
                        for _ in range(stops)])
    return ([draw(st.integers(0, days + 2)) for _ in range(stops)],
            [draw(st.integers(0, 9)) for _ in range(stops)], allowed)


@given(weeks())
def test_days_are_the_most_even_there_are(week):
    per_week, load, allowed = week
    found = choose_days(per_week, load, allowed, days=allowed.shape[1])
    assert found.visits.sum(axis=1).tolist() == per_week
    assert not found.visits[~allowed].any()
    options = []
    for s, count in enumerate(per_week):
        daily, over = divmod(count, int(allowed[s].sum()))
        rows = [np.isin(np.arange(allowed.shape[1]), c).astype(int)
                for c in itertools.combinations(np.flatnonzero(allowed[s]), over)]
        least = min(unevenness(r) for r in rows)
        assert unevenness(found.visits[s] - daily * allowed[s]) == least
        options.append([daily * allowed[s] + r for r in rows if unevenness(r) == least])
    best = min(int((np.array(rows).T @ load).max()) for rows in itertools.product(*options))
    assert found.fullest == int((found.visits.T @ load).max()) == best
    assert found.bound <= best


def test_a_week_of_a_district_is_level_and_the_same_again():
    rng = np.random.default_rng(4)
    per_week, load = rng.integers(1, 15, 200), rng.integers(10, 17, 200)
    found, again = (choose_days(per_week, load, work=1.0) for _ in range(2))
    assert found.gap <= 0.01
    assert np.array_equal(found.visits, again.visits)


@pytest.mark.parametrize(("per_week", "load", "field"), [
    ([1.5], [1], "visits_per_week"), ([-1], [1], "visits_per_week"), ([1], [1, 2], "load"),
    ([[1]], [1], "visits_per_week"), ([None], [1], "visits_per_week")])
def test_a_bad_week_is_named(per_week, load, field):
    with pytest.raises(InputError) as error:
        choose_days(per_week, load)
    assert error.value.findings[0].field == field


def test_a_stop_without_a_day_is_named():
    with pytest.raises(InputError, match="week_no_day"):
        choose_days([1], [1], np.zeros((1, 7), bool))


def rota_faults(rota, worked, rest_s, shifts=THREE, away=None):
    """Every rule a rota breaks: idle shifts, twice at once, too little rest, away."""
    faults = [] if not (rota.crew[~worked] != -1).any() else ["not worked"]
    for crew in np.unique(rota.crew[rota.crew >= 0]):
        times = sorted((d * 24 * HOUR + int(shifts[0][m]), d * 24 * HOUR + int(shifts[1][m]))
                       for d, m in np.argwhere(rota.crew == crew))
        faults += ["rest" for a, b in itertools.pairwise(times) if b[0] < a[1] + rest_s]
        if away is not None and away[crew, np.argwhere(rota.crew == crew)[:, 0]].any():
            faults.append("away")
    return faults


@pytest.mark.parametrize("block", [1, 2, 3])
def test_four_crews_in_three_shifts_keep_their_cycle(block):
    days = 4 * block
    worked = np.ones((days, 3), bool)
    rota = fit_crews(*THREE, 4, worked, block=block)
    assert np.array_equal(rota.crew, cycle_crews(days, 3, 4, block=block))
    assert rota_faults(rota, worked, 11 * HOUR) == []
    assert (rota.vacant, rota.most, rota.moved) == (0, 3 * block, 0)
    assert rota.bound == {"vacant": 0, "most": 3 * block, "moved": 0}


@settings(max_examples=30)
@example(1, [[True, True]], 8, 0, -1)
@given(st.integers(1, 3), st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=1,
                                   max_size=3), st.sampled_from([0, 8, 11, 16, 30]),
       st.integers(0, 7), st.sampled_from([1, -1]))
def test_a_small_rota_is_the_best_there_is(crews, worked, rest_h, out, order):
    worked = np.array(worked)
    shifts = (np.array([7, 19])[::order] * HOUR, np.array([19, 31])[::order] * HOUR)
    away = np.array([[bool(out >> (d + j) & 1) for d in range(len(worked))]
                     for j in range(crews)])
    rota = fit_crews(*shifts, crews, worked, rest_s=rest_h * HOUR, away=away)
    assert rota_faults(rota, worked, rest_h * HOUR, shifts, away) == []
    cycle, best = cycle_crews(len(worked), 2, crews), None
    for filled in itertools.product(range(-1, crews), repeat=int(worked.sum())):
        crew = np.full(worked.shape, -1)
        crew[worked] = filled
        trial = type(rota)(crew, 0, 0, 0, {})
        if rota_faults(trial, worked, rest_h * HOUR, shifts, away):
            continue
        made = crew >= 0
        value = (int((worked & ~made).sum()), int(np.bincount(crew[made], minlength=1).max()),
                 int((made & (crew != cycle)).sum()))
        best = value if best is None else min(best, value)
    assert (rota.vacant, rota.most, rota.moved) == best
    assert (rota.bound["vacant"], rota.bound["most"], rota.bound["moved"]) == best


def test_two_crews_cannot_work_three_shifts():
    rota = fit_crews(*THREE, 2, np.ones((7, 3), bool))
    assert rota.vacant == rota.bound["vacant"] > 0


@pytest.mark.parametrize(("change", "text"), [
    ({"crews": 0}, "stops_range"), ({"worked": np.ones((7, 2), bool)}, "stops_rows"),
    ({"worked": np.ones((7, 3))}, "stops_rows"), ({"shift_end_s": [1, 1, 1]}, "week_shift"),
    ({"shift_start_s": [0.5, 1, 2]}, "stops_not_whole"), ({"rest_s": -1}, "stops_range"),
    ({"worked": np.ones((0, 3), bool)}, "week_size"),
    ({"away": np.ones((2, 7), bool)}, "stops_rows")])
def test_a_bad_rota_is_refused(change, text):
    given_ = {"shift_start_s": THREE[0], "shift_end_s": THREE[1], "crews": 4,
              "worked": np.ones((7, 3), bool)}
    with pytest.raises(InputError, match=text):
        fit_crews(**(given_ | change))


@pytest.mark.parametrize("fault", ["rest", "not worked"])
def test_a_rota_broken_on_purpose_is_seen(fault):
    worked = np.ones((4, 3), bool)
    worked[1, 2] = False
    rota = fit_crews(*THREE, 4, worked)
    assert rota_faults(rota, worked, 11 * HOUR) == []
    rota.crew[1, 2 if fault == "not worked" else 1] = rota.crew[1, 0]
    assert fault in rota_faults(rota, worked, 11 * HOUR)
