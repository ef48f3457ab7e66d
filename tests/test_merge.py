"""Mergers: connected, exactly so many, best by number; what a plan and a file become by them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from mergers import independent_best
from typer.testing import CliRunner, Result

from gridplan.blocks import reopen_units
from gridplan.check import check_plan
from gridplan.cli import app
from gridplan.errors import Findings, InputError, RequestError, UsageError
from gridplan.merge import merge_areas, merge_plan, propose_merger
from gridplan.merge.cover import Limit, Model
from gridplan.merge.groups import list_groups, list_plainly
from gridplan.merge.judge import forget_advice
from gridplan.merge.patchwork import Patchwork, Score, find_contacts, label_pieces
from gridplan.merge.plans import number_anew
from gridplan.merge.search import join_small, move_fewer, shrink_largest
from gridplan.merge.solve import divide_patches, least_cap, least_moved
from gridplan.params import Params, Range
from gridplan.partition import score_again
from gridplan.pipeline import merge_city, plan_city, read_limits, reopen_study
from gridplan.plan import read_plan, write_plan
from gridplan.read import clean_boundaries, read_layers
from gridplan.town import build_town

CRS = 32650
ROOT = Path(__file__).parents[1]


# ---- maps drawn by hand ----------------------------------------------------------------------

def squares(rows: str, households: dict[str, int], town: dict[str, str] | None = None
            ) -> gpd.GeoDataFrame:
    """Communities drawn in letters, each letter a hectare: ``"AAB|ACB"``."""
    cells: dict[str, list[shapely.Polygon]] = {}
    lines = rows.split("|")
    for j, line in enumerate(lines):
        for i, letter in enumerate(line):
            if letter != ".":
                y = 100 * (len(lines) - j)
                cells.setdefault(letter, []).append(shapely.box(100 * i, y, 100 * i + 100, y + 100))
    names = sorted(cells)
    frame = gpd.GeoDataFrame({
        "community_id": names, "name": [f"village {n}" for n in names], "kind": "urban",
        "subdistrict_id": pd.array([(town or {}).get(n) for n in names], dtype="string"),
        "households": pd.array([households[n] for n in names], dtype="Int64"),
    }, geometry=[shapely.union_all(cells[n]) for n in names], crs=CRS)
    return frame.set_index("community_id")


def propose(frame: gpd.GeoDataFrame, count: int, **more):
    return propose_merger(frame, count, Params(), Findings(), **more)


def test_the_small_village_joins_its_neighbour():
    held = propose(squares("ABC", {"A": 900, "B": 100, "C": 500}), 2)
    assert held.mergers() == {"C": ["B"]}
    assert held.score == Score(largest=900, moved=100, border_cm=10000)
    assert held.largest_to_mean == pytest.approx(900 / 750)


def test_the_balance_goes_before_the_households_moved():
    # C could be absorbed by D for 10 households, but then the largest would be 310.
    held = propose(squares("ABCD", {"A": 100, "B": 150, "C": 10, "D": 300}), 3)
    assert held.score[:2] == (300, 10)
    held = propose(squares("ABC", {"A": 50, "B": 300, "C": 60}), 2)
    assert held.mergers() == {"B": ["A"]}
    held = propose(squares("AB|CC", {"A": 300, "B": 100, "C": 290}), 2)
    assert held.mergers() == {"C": ["B"]}


def test_of_equal_mergers_the_one_with_the_longer_common_border_is_made():
    held = propose(squares("ABBB|CBBB|CCCC", {"A": 5, "B": 50, "C": 50}), 2)
    assert held.owner["A"] in "BC"
    long = propose(squares("CAAB|CCCB", {"A": 5, "B": 50, "C": 50}), 2)
    assert long.mergers() == {"C": ["A"]}


def test_people_code_and_name_stay_with_the_largest_and_of_equals_with_the_first():
    frame = squares("ABC", {"A": 50, "B": 50, "C": 7})
    held = propose(frame, 1)
    assert set(held.owner) == {"A"}
    plan = merge_areas(frame, held, Params(), Findings())
    assert plan.layer("communities")["name"].tolist() == ["village A"]
    assert plan.layer("communities")["households"].tolist() == [107]


def test_a_corner_is_no_border():
    with pytest.raises(RequestError) as error:
        propose(squares("A.|.B", {"A": 1, "B": 1}), 1)
    assert "2 to 2" in str(error.value)


def test_half_a_metre_of_border_is_none_and_a_metre_is():
    for metres, met in ((0.5, False), (1.0, True)):
        shapes = [shapely.box(0, 0, 100, 100), shapely.box(100, 100 - metres, 200, 200)]
        assert (len(find_contacts(shapes)[0]) == 1) is met


def test_an_island_merges_only_with_what_touches_it_and_the_message_says_what_is_possible():
    frame = squares("AB.C|AB.D", dict.fromkeys("ABCD", 10))
    assert propose(frame, 2).mergers() == {"A": ["B"], "C": ["D"]}
    with pytest.raises(RequestError) as error:
        propose(frame, 1)
    assert error.value.exit_code == 4
    assert "2 to 4" in str(error.value)
    assert "A (+1)" in str(error.value)


def test_more_communities_than_there_are_cannot_remain():
    with pytest.raises(RequestError, match="possible are 1 to 2"):
        propose(squares("AB", {"A": 1, "B": 1}), 3)


def test_as_many_as_there_are_is_no_merger():
    held = propose(squares("AB", {"A": 1, "B": 2}), 2)
    assert held.mergers() == {}
    assert held.score.moved == 0


def test_a_slack_is_a_share():
    with pytest.raises(UsageError, match="slack"):
        propose(squares("AB", {"A": 1, "B": 2}), 1, slack=1.5)


def test_nobody_at_home_is_no_reason_to_fail():
    held = propose(squares("ABC", dict.fromkeys("ABC", 0)), 2)
    assert held.count == 2
    assert held.largest_to_mean is None


# ---- subdistricts ----------------------------------------------------------------------------

TOWN = {"A": "s1", "B": "s1", "C": "s2", "D": "s2"}
PEOPLE = {"A": 500, "B": 400, "C": 10, "D": 300}


def test_mergers_stay_inside_subdistricts_by_default():
    held = propose(squares("ABCD", PEOPLE, TOWN), 3)
    assert held.mergers() == {"D": ["C"]}
    assert held.subdistricts == "keep"


def test_mergers_cross_subdistricts_where_asked():
    held = propose(squares("AB|DC", {"A": 500, "B": 11, "C": 10, "D": 480}, TOWN), 3,
                   subdistricts="cross")
    assert held.mergers() == {"B": ["C"]}
    assert held.subdistricts == "cross"


def test_where_the_number_cannot_be_met_inside_whole_subdistricts_are_joined_and_it_is_said():
    findings = Findings()
    held = propose_merger(squares("ABCD", PEOPLE, TOWN), 1, Params(), findings)
    assert held.subdistricts == "join"
    assert [f.key for f in findings.of("warning")] == ["merge.joined"]
    assert held.score.moved == 710
    with pytest.raises(RequestError, match="possible are 2 to 4, across subdistricts 1 to 4"):
        propose(squares("ABCD", PEOPLE, TOWN), 1, subdistricts="keep")


def test_a_subdistrict_that_is_not_told_opens_all_with_a_warning():
    findings = Findings()
    town = {"A": "s1", "B": "s1", "C": "s2"}
    held = propose_merger(squares("ABCD", PEOPLE, town), 3, Params(), findings)
    assert held.subdistricts == "cross"
    assert [f.key for f in findings.of("warning")] == ["merge.subdistricts_lacking"]


# ---- the model -------------------------------------------------------------------------------

@st.composite
def patchworks(draw, most: int = 9) -> Patchwork:
    """Part of a lattice with numbers of households: some borders missing, some pieces apart."""
    width = draw(st.integers(1, 3))
    size = draw(st.integers(2, most))
    near = [(k, k + 1) for k in range(size - 1) if (k + 1) % width] + [
        (k, k + width) for k in range(size - width)]
    kept = [e for e in near if draw(st.integers(0, 4)) > 0]
    people = draw(st.lists(st.sampled_from([0, 1, 5, 5, 7, 10, 40]), min_size=size,
                           max_size=size))
    length = draw(st.lists(st.integers(100, 900), min_size=len(kept), max_size=len(kept)))
    return Patchwork.of(people, [a for a, _ in kept], [b for _, b in kept], length)


def divisions(size: int, count: int):
    """Every division into groups, by the group of each patch (restricted growth)."""
    for label in itertools.product(range(count), repeat=size):
        seen = -1
        for k in label:
            if k > seen + 1:
                break
            seen = max(seen, k)
        else:
            if seen == count - 1:
                yield np.array(label)


def connected(patches: Patchwork, label: np.ndarray) -> bool:
    same = label[patches.u] == label[patches.v]
    return label_pieces(patches.size, patches.u[same], patches.v[same]).max() == label.max()


def best_score(patches: Patchwork, count: int, slack: float = 0.0) -> Score:
    scores = [patches.score(label) for label in divisions(patches.size, count)
              if connected(patches, label)]
    least = min(scores).largest
    rest = min(s[1:] for s in scores if s.largest <= int(least * (1 + slack)))
    return Score(least, *rest)


@given(patchworks(8), st.integers(1, 8), st.integers(0, 3))
@settings(max_examples=60)
def test_the_division_is_the_best_there_is(patches, count, seed):
    pieces = int(patches.pieces().max()) + 1
    count = min(max(count, pieces), patches.size)
    found = divide_patches(patches, count, seed=seed)
    assert found.label.max() + 1 == count
    assert connected(patches, found.label)
    assert patches.score(found.label) == found.score == best_score(patches, count)
    assert found.proven == (True, True, True)
    assert found.bound == found.score


@given(patchworks(7), st.integers(1, 7))
@settings(max_examples=25)
def test_with_slack_the_largest_may_grow_so_far_and_fewer_move(patches, count):
    count = min(max(count, int(patches.pieces().max()) + 1), patches.size)
    found = divide_patches(patches, count, slack=0.3)
    best = best_score(patches, count, slack=0.3)
    assert found.score.largest <= int(best.largest * 1.3)
    assert found.score[1:] == best[1:]


@given(patchworks(9), st.integers(1, 60))
@settings(max_examples=60)
def test_the_compiled_list_of_groups_is_the_plain_one_and_complete(patches, cap):
    from gridplan.merge import groups as room

    plain = list_plainly(patches, cap)
    room_few, room.FEW = room.FEW, 0
    try:
        compiled = list_groups(patches, cap)
    finally:
        room.FEW = room_few
    for name in ("start", "member", "people", "moved", "inner"):
        assert getattr(plain, name).tolist() == getattr(compiled, name).tolist(), name
    wanted = set()
    for size in range(1, patches.size + 1):
        for held in itertools.combinations(range(patches.size), size):
            inside = np.isin(patches.u, held) & np.isin(patches.v, held)
            pieces = label_pieces(patches.size, patches.u[inside], patches.v[inside])
            if len(set(pieces[list(held)])) == 1 and patches.people[list(held)].sum() <= cap:
                wanted.add(held)
    assert {tuple(sorted(plain.of(g).tolist())) for g in range(len(plain))} == wanted


@given(patchworks(9), st.integers(1, 9), st.integers(0, 9))
@settings(max_examples=40)
def test_the_search_keeps_number_and_connection_and_never_loses(patches, count, seed):
    count = min(max(count, int(patches.pieces().max()) + 1), patches.size)
    first = join_small(patches, count)
    assert first.max() + 1 == count
    assert connected(patches, first)
    found = shrink_largest(patches, count, least_cap(patches, count), seed=seed, steps=4000)
    assert found.max() + 1 == count
    assert connected(patches, found)
    assert patches.score(found).largest <= patches.score(first).largest
    cap = patches.score(found).largest
    fewer = move_fewer(patches, found, cap, seed=seed, steps=4000)
    assert fewer.max() + 1 == count
    assert connected(patches, fewer)
    assert patches.score(fewer) <= patches.score(found)


@given(patchworks(8), st.integers(1, 8))
@settings(max_examples=40)
def test_bounds_by_number_are_never_above_the_best(patches, count):
    count = min(max(count, int(patches.pieces().max()) + 1), patches.size)
    best = best_score(patches, count)
    assert least_cap(patches, count) <= best.largest
    assert least_moved(patches, count, best.largest) <= best.moved


def lattice(width: int, height: int, seed: int) -> Patchwork:
    rng = np.random.default_rng(seed)
    at = np.arange(width * height).reshape(height, width)
    pairs = np.concatenate([np.stack([at[:, :-1].ravel(), at[:, 1:].ravel()], 1),
                            np.stack([at[:-1].ravel(), at[1:].ravel()], 1)])
    return Patchwork.of(rng.integers(500, 4000, at.size), pairs[:, 0], pairs[:, 1],
                        rng.integers(10_000, 90_000, len(pairs)))


@pytest.mark.parametrize(("width", "height", "count", "seed"),
                         [(4, 5, 15, 1), (5, 5, 18, 2), (5, 6, 24, 3)])
def test_on_larger_maps_another_exact_model_finds_no_better(width, height, count, seed):
    patches = lattice(width, height, seed)
    found = divide_patches(patches, count)
    assert found.score == independent_best(patches, count)
    assert found.proven == (True, True, True)


def test_the_same_seed_gives_the_same_division_whatever_the_order_of_borders():
    patches = lattice(7, 7, 4)
    back = Patchwork.of(patches.people, patches.v[::-1], patches.u[::-1], patches.length_cm[::-1])
    one, two = (divide_patches(p, 30, effort="fast") for p in (patches, back))
    assert one.label.tolist() == two.label.tolist()


def test_what_is_not_proven_is_not_claimed_and_its_bound_is_none_above():
    patches = lattice(20, 20, 5)
    found = divide_patches(patches, 20, effort="fast")
    assert found.proven[0] == (found.score.largest == found.bound.largest)
    assert not any(found.proven[1:]) or found.proven[0]
    assert found.bound.largest <= found.score.largest
    assert found.bound.moved <= found.score.moved
    assert connected(patches, found.label)
    assert found.label.max() + 1 == 20


def test_a_giant_does_not_hide_the_others():
    patches = lattice(9, 9, 6)
    people = patches.people.copy()
    people[40] = 10 * people.sum()
    giant = Patchwork.of(people, patches.u, patches.v, patches.length_cm)
    found = divide_patches(giant, 60, effort="fast")
    assert found.score.largest == people[40]
    assert found.score.moved == np.sort(people)[:21].sum()
    assert found.proven[:2] == (True, True)


@pytest.mark.parametrize("seed", range(4))
def test_the_search_keeps_connection_on_a_larger_map(seed):
    patches = lattice(8, 8, seed)
    found = shrink_largest(patches, 12, least_cap(patches, 12), seed=seed, steps=40_000)
    assert connected(patches, found)
    assert found.max() + 1 == 12
    assert patches.score(found).largest < patches.score(join_small(patches, 12)).largest
    cap = int(patches.score(found).largest * 1.2)
    fewer = move_fewer(patches, found, cap, seed=seed, steps=40_000)
    assert connected(patches, fewer)
    assert patches.score(fewer).largest <= cap
    assert patches.score(fewer)[1:] < patches.score(found)[1:]


def test_a_choice_of_columns_is_proof_only_where_no_other_could_help():
    patches = lattice(5, 5, 9)
    groups = list_groups(patches, 9000)
    model = Model(groups, 25, 12)
    best = model.minimise(groups.moved)
    assert best.proven
    for size in (20, 40, 80, 160, 320):
        found = model.minimise(groups.moved, sizes=(size,))
        assert found.bound <= best.value
        assert not found.proven or found.value == best.value


def test_pieces_of_a_map_bound_what_a_group_can_hold():
    two = Patchwork.of([6, 6, 6, 5], [0, 1], [1, 2], [100, 100])
    assert least_cap(two, 3) == 9
    assert best_score(two, 3).largest == 12
    assert divide_patches(two, 3).score.largest == 12


def test_a_limit_holds_in_the_exact_model():
    path = Patchwork.of([5, 1, 5, 2], [0, 1, 2], [1, 2, 3], [100] * 3)
    groups = list_groups(path, 20)
    model = Model(groups, 4, 2)
    fewest = model.minimise(groups.moved)
    assert (fewest.value, fewest.proven) == (3, True)
    assert model.minimise(-groups.inner, Limit(groups.moved, 2)).chosen is None
    assert Model(groups, 4, 5).find_any().chosen is None


# ---- a plan with grids -----------------------------------------------------------------------

SCORES = ("score_balance", "score_shape", "score_border", "score_straddling")
TERMS = ("weighted_border", "shape_m", "balance_households", "straddling")


@pytest.fixture(scope="module")
def town_plan(tmp_path_factory) -> Path:
    params = Params()
    town = build_town(4, params.seed)
    plan = plan_city(town.study, params, Findings(), command="test")
    return write_plan(plan, tmp_path_factory.mktemp("town") / "town.gpkg").path


@pytest.fixture(scope="module")
def merged(town_plan, tmp_path_factory):
    plan, findings = read_plan(town_plan), Findings()
    proposal = propose_merger(plan.layer("communities"), 2, Params(), findings)
    new = merge_city(plan, proposal, Params(), findings, source=("town.gpkg", "f" * 64))
    path = write_plan(new, tmp_path_factory.mktemp("merged") / "merged.gpkg").path
    return plan, proposal, read_plan(path), path


def test_a_merged_plan_passes_the_verifier(town_plan, merged):
    before, after = check_plan(town_plan), check_plan(merged[3])
    assert after.rules == [] or after.rules == before.rules, after.findings()


def test_a_merged_plan_has_a_scorecard_that_the_verifier_works_out_too(merged):
    _, _, new, path = merged
    report = check_plan(path)
    assert report.ok
    assert report.counts["scores"] == 4 * len(new.layer("grids"))
    assert report.counts["move_costs"] > 20
    for name in SCORES:
        assert new.figure(name) == pytest.approx(report.figures[name])
        assert new.layer("communities")[name].notna().all()


def test_communities_of_several_kinds_are_merged_and_scored_by_the_range_of_the_largest(tmp_path):
    params = Params()
    params = dataclasses.replace(params, partition=dataclasses.replace(
        params.partition, rural=Range(160, 260)))
    study = build_town(4, 1).study
    kinds = pd.array(["urban", "rural", "old", "rural"], dtype="string")
    plan = plan_city(dataclasses.replace(study, communities=study.communities.assign(kind=kinds)),
                     params, Findings())
    held = propose_merger(plan.layer("communities"), 2, params, Findings())
    new = merge_city(plan, held, params, Findings())
    report = check_plan(write_plan(new, tmp_path / "mixed.gpkg").path)
    assert report.rules == [], report.findings()


def test_borders_that_a_merger_brings_in_are_scored_and_have_a_price(merged):
    old, _, new, _ = merged
    was = old.layer("grids").set_index("grid_id")["score_border"]
    grids = new.layer("grids")
    codes = grids["former_ids"].fillna("").mask(lambda f: f == "", grids["grid_id"])
    now, then = grids["score_border"].to_numpy(float), was[codes].to_numpy(float)
    other = ~((now == then) | (np.isnan(now) & np.isnan(then)))
    town = dict(zip(grids["grid_id"], old.layer("grids").set_index("grid_id").loc[
        codes, "community_id"], strict=True))
    borders = new.layer("borders")
    fresh = borders[borders["grid_a"].map(town) != borders["grid_b"].map(town)]
    beside = grids["grid_id"].isin({*fresh["grid_a"], *fresh["grid_b"]}).to_numpy()
    assert (other <= beside).all()
    assert other.any()
    assert fresh["move_cost"].notna().any()


def test_costs_of_borders_that_were_there_stay(merged):
    old, _, new, _ = merged
    grids = new.layer("grids")
    former = grids["former_ids"].fillna("")
    was = dict(zip(grids["grid_id"], former.where(former != "", grids["grid_id"]), strict=True))
    before = {frozenset((r.grid_a, r.grid_b)): r.move_cost
              for r in old.layer("borders").itertuples()}
    held = [(r.move_cost, before[key]) for r in new.layer("borders").itertuples()
            if (key := frozenset((was[r.grid_a], was[r.grid_b]))) in before]
    now, then = (np.array([np.nan if pd.isna(v) else v for v in side])
                 for side in zip(*held, strict=True))
    assert np.isfinite(now).sum() > 10
    np.testing.assert_allclose(now, then, atol=0.01)


def test_scoring_a_plan_again_changes_nothing(town_plan):
    plan = read_plan(town_plan)
    blank = pd.array([pd.NA] * len(plan.layer("grids")), dtype="Float64")
    figures = plan.layer("figures")
    empty = plan.with_layers(
        grids=plan.layer("grids").assign(**dict.fromkeys(SCORES, blank)),
        figures=figures[~figures["name"].isin((*SCORES, *TERMS))])
    study = reopen_study(plan)
    units = reopen_units(study, plan.layer("units"), plan.layer("buildings"))
    towns = set(plan.layer("communities")["community_id"])
    again = score_again(plan, empty, study, units, towns, *read_limits(plan, Params()))
    for layer, columns in (("grids", SCORES), ("communities", SCORES), ("borders", ["move_cost"])):
        for name in columns:
            np.testing.assert_allclose(*(p.layer(layer)[name].to_numpy(float, na_value=np.nan)
                                         for p in (again, plan)), atol=0.01)
    for name in (*SCORES, *TERMS):
        assert again.figure(name) == pytest.approx(plan.figure(name))


@pytest.mark.parametrize("column", ["move_cost", "score_border"])
def test_a_forged_scorecard_of_a_merged_plan_is_found(merged, tmp_path, column):
    layer = "borders" if column == "move_cost" else "grids"
    _, _, new, _ = merged
    frame = new.layer(layer).copy()
    frame[column] = frame[column] + 2.0
    path = write_plan(new.with_layers(**{layer: frame}), tmp_path / "forged.gpkg").path
    assert "scores" in check_plan(path).rules


def test_a_plan_without_a_scorecard_gets_none_by_a_merger(town_plan):
    plan = read_plan(town_plan)
    figures = plan.layer("figures")
    plain = plan.with_layers(figures=figures[~figures["name"].isin((*SCORES, *TERMS))])
    held = propose_merger(plan.layer("communities"), 3, Params(), Findings())
    new = merge_city(plain, held, Params(), Findings())
    assert new.layer("grids")[list(SCORES)].isna().all(axis=None)
    assert new.figure("score_shape") is None


def test_grids_keep_their_land_and_their_people(merged):
    old, _, new, _ = merged
    a, b = old.layer("grids"), new.layer("grids").copy()
    b["was"] = b["former_ids"].fillna("").where(b["former_ids"].notna() & (b["former_ids"] != ""),
                                                b["grid_id"])
    b = b.set_index("was").loc[a["grid_id"]]
    assert shapely.equals_exact(shapely.normalize(a.geometry.to_numpy()),
                                shapely.normalize(b.geometry.to_numpy())).all()
    for column in ("households", "population", "buildings", "area_m2", "bound_e", "contents"):
        assert a[column].fillna(-1).tolist() == b[column].fillna(-1).tolist(), column


def test_grids_of_a_community_that_goes_take_the_next_free_codes_of_the_other(merged):
    old, proposal, new, _ = merged
    for stays, gone in proposal.mergers().items():
        before = old.layer("grids")
        own = before[before["community_id"] == stays]
        grids = new.layer("grids")
        now = grids[grids["community_id"] == stays]
        came = now[now["former_ids"].fillna("") != ""]
        assert sorted(came["former_ids"]) == sorted(
            before.loc[before["community_id"].isin(gone), "grid_id"])
        first = int(own["seq"].max()) + 1
        assert sorted(came["seq"]) == list(range(first, first + len(came)))
        assert set(own["grid_id"]) < set(now["grid_id"])
        assert (came["grid_id"] == [f"{stays}{s:03d}" for s in came["seq"]]).all()


def test_a_number_that_a_grid_had_before_is_never_given_again():
    grids = pd.DataFrame({"grid_id": ["A-001", "B-001"], "community_id": ["A", "B"],
                          "seq": [1, 1], "name": ["Grid 1", "By the pond"],
                          "former_ids": pd.array(["", "A-007"], dtype="string")})
    held = propose(squares("AB", {"A": 9, "B": 2}), 1)
    codes = number_anew(grids, held, "en")
    assert codes["grid_id"].to_dict() == {"A-001": "A-001", "B-001": "A-008"}
    assert codes.loc["B-001", "name"] == "By the pond"
    grids["name"] = ["Grid 1", "第一网格"]
    assert number_anew(grids, held, "zh").loc["B-001", "name"] == "第八网格"


def test_everything_that_hangs_on_a_grid_follows(merged):
    old, proposal, new, _ = merged
    grids = new.layer("grids").set_index("grid_id")["community_id"]
    for name in ("units", "buildings", "groups"):
        frame = new.layer(name)
        if len(frame):
            assert frame["grid_id"].isin(grids.index).all(), name
        if "community_id" in frame:
            assert (frame["grid_id"].map(grids) == frame["community_id"]).all(), name
    owner = old.layer("units").set_index("unit_id")["community_id"].map(proposal.owner)
    units = new.layer("units").set_index("unit_id")
    assert (units["community_id"] == owner.loc[units.index]).all()
    communities = new.layer("communities")
    assert communities["community_id"].tolist() == sorted(set(proposal.owner))
    assert communities["households"].sum() == old.layer("communities")["households"].sum()


def test_borders_between_the_old_communities_become_borders_between_grids(merged):
    old, proposal, new, _ = merged
    town = old.layer("grids").set_index("grid_id")["community_id"]
    grids = new.layer("grids")
    was = dict(zip(grids["grid_id"], [f or g for f, g in zip(
        grids["former_ids"].fillna(""), grids["grid_id"], strict=True)], strict=True))
    borders = new.layer("borders")
    across = borders[[town[was[a]] != town[was[b]] for a, b in zip(
        borders["grid_a"], borders["grid_b"], strict=True)]]
    held = old.layer("communities").set_index("community_id").geometry
    metres = sum(held[a].boundary.intersection(held[b].boundary).length
                 for a, b in itertools.combinations(held.index, 2)
                 if proposal.owner[a] == proposal.owner[b])
    assert across["length_m"].sum() == pytest.approx(metres, abs=0.1)
    assert (across["road_class"].fillna("") != "").any()
    assert len(borders) == len(old.layer("borders")) + len(across)


def test_the_run_table_tells_what_was_asked_of_what(merged):
    old, _, new, _ = merged
    run = new.run
    assert run["command"] == "gridplan merge"
    assert run["merge:communities"] == "2"
    assert run["state"] == "draft"
    assert "f" * 64 in [v for k, v in run.items() if k.endswith(":town.gpkg:plan")]
    assert run["digest:grids"] != old.run["digest:grids"]
    row = new.layer("tally").iloc[-1]
    assert (row["stage"], row["rows_in"], row["used"]) == ("merge", 4, 4)
    assert row["households_in"] == row["households_out"] == old.layer("grids")["households"].sum()


def test_no_merger_leaves_every_code(town_plan):
    plan = read_plan(town_plan)
    held = propose_merger(plan.layer("communities"), 4, Params(), Findings())
    new = merge_plan(plan, held, Params(), Findings())
    assert new.layer("grids")["grid_id"].tolist() == sorted(plan.layer("grids")["grid_id"])
    assert new.layer("grids")["reason"].fillna("").tolist() == plan.layer("grids").sort_values(
        ["community_id", "seq"])["reason"].fillna("").tolist()


def test_advice_about_a_neighbour_that_is_another_now_is_taken_back():
    grids = gpd.GeoDataFrame({"grid_id": ["a1"], "community_id": ["a"], "part": [1],
                              "status": ["over"],
                              "reason": ["count: 550 households; with part 1 of b it would fit"]})
    units = pd.DataFrame({"grid_id": ["a1"], "community_id": ["a"]})
    entry = {"part": 1, "kind": "count", "households": 550, "low": 300, "high": 500, "grids": 1,
             "merger": {"community": "b", "part": 1, "households": 900}}
    towns = gpd.GeoDataFrame({"community_id": ["a"], "certificate": [json.dumps([entry])],
                              "reason": grids["reason"]})
    same = forget_advice(grids, towns, units, {"c"}, "en")
    assert same[0]["reason"].tolist() == grids["reason"].tolist()
    told, new = forget_advice(grids, towns, units, {"b"}, "en")
    assert told["reason"].tolist() == [
        "count: 550 households: 2 grids need 600, 1 hold 500"] == new["reason"].tolist()
    assert "merger" not in json.loads(new["certificate"][0])[0]


def test_a_half_edit_stops_the_merger(town_plan):
    plan = read_plan(town_plan)
    grids = plan.layer("grids").copy()
    other = plan.layer("communities")["community_id"].iloc[-1]
    first = grids["grid_id"].iloc[0]
    grids.loc[0, "community_id"] = other
    held = propose_merger(plan.layer("communities"), 3, Params(), Findings())
    with pytest.raises(InputError, match=first):
        merge_plan(plan.with_layers(grids=grids), held, Params(), Findings())


def test_a_plan_merged_twice_keeps_all_earlier_codes(merged, tmp_path):
    old, _, new, _ = merged
    again = propose_merger(new.layer("communities"), 1, Params(), Findings())
    path = write_plan(merge_city(new, again, Params(), Findings()), tmp_path / "one.gpkg").path
    held = read_plan(path).layer("grids")
    codes = set(held["grid_id"]) | set(";".join(held["former_ids"].fillna("")).split(";"))
    assert set(old.layer("grids")["grid_id"]) <= codes
    assert not {"merge", "scores", "figures"} & set(check_plan(path).rules)


# ---- boundaries alone ------------------------------------------------------------------------

PEOPLE6 = {"A": 2000, "B": 300, "C": 1800, "D": 900, "E": 700, "F": 2500}


def areas(tmp_path: Path, frame: gpd.GeoDataFrame, name: str = "villages.gpkg") -> Path:
    path = tmp_path / name
    out = frame.reset_index().rename(columns={"households": "hh"})
    out = out.drop(columns=["subdistrict_id"]) if out["subdistrict_id"].isna().all() else out
    out.to_file(path, engine="pyogrio")
    return path


@pytest.fixture
def six() -> gpd.GeoDataFrame:
    return squares("ABC|DEF", PEOPLE6)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as base, base:
        # Spatial indexes have triggers with functions that SQLite alone does not know.
        for kind, name in base.execute(
                "SELECT type, name FROM sqlite_master WHERE type = 'trigger' "
                "OR name LIKE '%_key'").fetchall():
            base.execute(f'DROP {kind} "{name}"')
        for statement in statements:
            base.execute(statement)


def gridplan(*words: object, code: int = 0) -> Result:
    done = CliRunner().invoke(app, [*map(str, words), "--lang", "en"])
    assert done.exit_code == code, done.output[-3000:]
    return done


def merge_file(path: Path, target: Path, *more: object, code: int = 0):
    return gridplan("merge", path, "--households-column", "hh", "-o", target, *more, code=code)


def test_the_verb_writes_communities_and_a_table_of_mergers_that_check_accepts(tmp_path, six):
    source, target = areas(tmp_path, six), tmp_path / "four.gpkg"
    done = merge_file(source, target, "--communities", 4, "--json")
    told = json.loads(done.stdout)
    assert told["written"] == [str(target)]
    assert (told["before"], told["communities"], told["state"]) == (6, 4, "draft")
    assert told["proven"] == {"largest": True, "moved": True, "border": True}
    mergers = gpd.read_file(target, layer="mergers")
    assert sorted(mergers["former_id"]) == list("ABCDEF")
    assert mergers["households"].sum() == sum(PEOPLE6.values())
    checked = gridplan("check", target, "--inputs", source)
    assert checked.stdout.strip().endswith("exceptions: 0")
    plan = read_plan(target)
    run = plan.run
    assert run["command"] == "gridplan merge"
    assert any(k.endswith(":villages.gpkg:communities") for k in run)


def test_a_dry_run_and_json_say_the_same_and_write_nothing(tmp_path, six):
    source = areas(tmp_path, six)
    dry = json.loads(merge_file(source, tmp_path / "x.gpkg", "--communities", 4, "--json",
                                "--dry-run").stdout)
    wet = json.loads(merge_file(source, tmp_path / "y.gpkg", "--communities", 4, "--json").stdout)
    assert not (tmp_path / "x.gpkg").exists()
    assert dry["mergers"] == wet["mergers"]
    assert dry["written"] == []


def test_the_same_file_twice_has_the_same_bytes(tmp_path, six):
    source = areas(tmp_path, six)
    for name in ("one.gpkg", "two.gpkg"):
        merge_file(source, tmp_path / name, "--communities", 3)
    assert (tmp_path / "one.gpkg").read_bytes() == (tmp_path / "two.gpkg").read_bytes()


def read_areas(path: Path, findings: Findings, **how):
    raw, sources = read_layers({"communities": path}, findings=findings,
                               columns={"communities.households": "hh"})
    return clean_boundaries(raw["communities"], sources, Params(), findings, **how)


def test_b63_b64_every_bad_number_is_named_by_file_layer_row_and_field(tmp_path, six):
    source = areas(tmp_path, six)
    frame = gpd.read_file(source)
    for bad, key in (("12a", "read.not_a_number"), ("-3", "read.negative"),
                     ("1.5", "read.not_whole")):
        text = frame["hh"].astype(str)
        text[2] = bad
        frame.assign(hh=text).to_file(tmp_path / "bad.gpkg", engine="pyogrio")
        findings = Findings()
        with pytest.raises(InputError):
            read_areas(tmp_path / "bad.gpkg", findings)
        told = next(f for f in findings.items if f.key == key)
        assert (told.file, told.layer, told.field) == ("bad.gpkg", "communities", "hh")
        assert told.row
        assert told.mend()


def test_missing_households_overlaps_and_twin_ids_are_told_in_one_go(tmp_path, six):
    frame = six.reset_index().rename(columns={"households": "hh"}).drop(columns="subdistrict_id")
    frame.loc[0, "hh"] = pd.NA
    frame.loc[1, "community_id"] = "C"
    frame.loc[3, "geometry"] = shapely.box(0, 100, 150, 200)
    frame.to_file(tmp_path / "bad.gpkg", engine="pyogrio")
    done = merge_file(tmp_path / "bad.gpkg", tmp_path / "out.gpkg", "--communities", 3, code=3)
    for key in ("merge.no_households", "merge.overlap", "read.duplicate_ids"):
        assert key in done.stderr
    assert "--snap 50" in done.stderr or "--snap 51" in done.stderr
    assert not (tmp_path / "out.gpkg").exists()


def test_b18_narrow_overlaps_are_closed_where_asked(tmp_path, six):
    wide = six.copy()
    wide.loc["A", "geometry"] = shapely.box(0, 200, 100.6, 300)
    source = areas(tmp_path, wide)
    findings = Findings()
    with pytest.raises(InputError):
        read_areas(source, findings)
    findings = Findings()
    frame = read_areas(source, findings, snap_m=1.0)
    assert [f.key for f in findings.of("repaired")] == ["merge.closed"]
    assert shapely.coverage_is_valid(frame.geometry.to_numpy())
    assert len(find_contacts(frame.geometry.to_numpy())[0]) == 7


def test_a_narrow_gap_is_asked_about_and_can_be_kept(tmp_path, six):
    apart = six.copy()
    for name in "DEF":
        apart.loc[name, "geometry"] = shapely.affinity.translate(six.geometry[name], 0, -6)
    source = areas(tmp_path, apart)
    done = merge_file(source, tmp_path / "out.gpkg", "--communities", 4, code=3)
    assert "merge.gap" in done.stderr
    assert "villages.gpkg › communities" in done.stderr
    merge_file(source, tmp_path / "out.gpkg", "--communities", 4, "--keep-gaps")
    assert len(find_contacts(read_areas(source, Findings(), keep_gaps=True).geometry)[0]) == 4


def test_a_narrow_hole_is_closed_where_asked(tmp_path, six):
    holed = six.copy()
    holed.loc["E", "geometry"] = six.geometry["E"] - shapely.box(120, 196, 180, 201)
    frame = read_areas(areas(tmp_path, holed), Findings(), snap_m=8.0)
    assert frame.geometry.union_all().area == pytest.approx(60_000)


def test_a_lake_between_communities_is_no_gap(tmp_path):
    frame = squares("AAAA|B..C|B..C|DDDD", {"A": 1, "B": 2, "C": 3, "D": 4})
    findings = Findings()
    read_areas(areas(tmp_path, frame), findings)
    assert [f.key for f in findings.of("warning")] == ["read.hole"]


@pytest.mark.parametrize(("words", "code", "key"), [
    (["--communities", 7], 4, "merge.too_many"),
    (["--communities", 0], 2, "--communities"),
    (["--communities", 3, "--subdistricts", "keep"], 3, "merge.no_subdistricts"),
    (["--communities", 3, "--slack", "2"], 2, "--slack"),
])
def test_what_cannot_be_met_is_refused_with_its_code(tmp_path, six, words, code, key):
    source = areas(tmp_path, six)
    done = merge_file(source, tmp_path / "out.gpkg", *words, code=code)
    assert key in done.stderr
    assert not (tmp_path / "out.gpkg").exists()


def test_an_unknown_household_column_is_refused(tmp_path, six):
    source = areas(tmp_path, six)
    done = gridplan("merge", source, "--households-column", "people", "--communities", 3, "-o",
                    tmp_path / "out.gpkg", code=3)
    assert "people" in done.stderr
    frame = gpd.read_file(source).rename(columns={"hh": "counted"})
    frame.to_file(source, engine="pyogrio")
    done = gridplan("merge", source, "--communities", 3, "-o", tmp_path / "out.gpkg", code=2)
    assert "--households-column" in done.stderr
    assert not (tmp_path / "out.gpkg").exists()


def test_a_plan_and_its_own_target_are_told_from_boundaries(town_plan, tmp_path):
    done = gridplan("merge", town_plan, "--communities", 3, "-o", tmp_path / "m.gpkg",
                    "--households-column", "hh", code=2)
    assert "merge.column_unused" in done.stderr
    done = gridplan("merge", town_plan, "--communities", 3, "-o", town_plan, code=2)
    assert "cli.output_is_input" in done.stderr
    assert "cli.missing" in gridplan("merge", town_plan, "--communities", 3, code=2).stderr


def test_an_edited_target_is_spared(town_plan, tmp_path):
    target = tmp_path / "m.gpkg"
    gridplan("merge", town_plan, "--communities", 3, "-o", target)
    change(target, "UPDATE grids SET note = 'mine' WHERE fid = 1")
    gridplan("merge", town_plan, "--communities", 3, "-o", target, code=2)
    gridplan("merge", town_plan, "--communities", 3, "-o", target, "--force")


# ---- the verifier ----------------------------------------------------------------------------

@pytest.fixture
def file(tmp_path, six) -> Path:
    proposal = propose(six, 4)
    plan = merge_areas(six, proposal, Params(), Findings())
    return write_plan(plan, tmp_path / "areas.gpkg").path


def told_of(path: Path, statement: str) -> list[str]:
    change(path, statement)
    return [b.key.removeprefix("check.") for b in check_plan(path).broken]


def test_a_good_file_has_nothing_broken(file):
    report = check_plan(file)
    assert report.ok, report.findings()
    assert report.figures["merge_moved"] == 700 + 300


@pytest.mark.parametrize(("statement", "key"), [
    ("UPDATE mergers SET households = households + 1 WHERE former_id = 'A'", "sum_differs"),
    ("UPDATE mergers SET community_id = 'F' WHERE former_id = 'A'", "gap"),
    ("UPDATE mergers SET community_id = 'X' WHERE former_id = 'A'", "dangling"),
    ("UPDATE mergers SET former_id = 'A' WHERE former_id = 'F'", "duplicate_key"),
    ("UPDATE mergers SET kept = 1", "merger_kept"),
    ("UPDATE run SET value = '5' WHERE key = 'merge:communities'", "merger_count"),
    ("UPDATE figures SET value = 1 WHERE name = 'merge_largest_to_mean'", "figure_differs"),
    ("UPDATE figures SET value = value - 1 WHERE name = 'merge_moved'", "figure_differs"),
    ("UPDATE figures SET target = value + 1 WHERE name = 'merge_largest'", "merger_bound"),
    ("DELETE FROM figures WHERE name = 'merge_border'", "figure_missing"),
    ("UPDATE tally SET households_out = 1 WHERE stage = 'merge'", "tally_total"),
    ("DELETE FROM run WHERE key = 'merge:communities'", "run_missing"),
])
def test_the_verifier_sees_what_is_wrong_in_a_file_of_areas(file, statement, key):
    assert key in told_of(file, statement)


def test_the_verifier_sees_a_merger_of_what_does_not_touch_and_one_that_is_not_best(tmp_path, six):
    proposal = propose(six, 4)
    owner = proposal.owner.copy()
    owner[:] = ["A", "A", "C", "A", "E", "F"]
    plan = merge_areas(six, dataclass_replace(proposal, owner), Params(), Findings())
    keys = [b.key for b in check_plan(write_plan(plan, tmp_path / "x.gpkg").path).broken]
    assert "check.merger_not_best" in keys
    owner[:] = ["A", "B", "A", "D", "F", "F"]
    plan = merge_areas(six, dataclass_replace(proposal, owner), Params(), Findings())
    keys = [b.key for b in check_plan(write_plan(plan, tmp_path / "y.gpkg").path).broken]
    assert "check.merger_apart" in keys


def dataclass_replace(proposal, owner):
    held = proposal.households.groupby(owner.to_numpy()).agg(["sum", "max"])
    score = Score(int(held["sum"].max()), int((held["sum"] - held["max"]).sum()),
                  proposal.score.border_cm)
    return dataclasses.replace(proposal, owner=owner, score=score, bound=score)


def test_the_verifier_sees_a_code_in_use_again_in_a_plan(merged, tmp_path):
    path = tmp_path / "copy.gpkg"
    path.write_bytes(merged[3].read_bytes())
    keys = told_of(path, "UPDATE grids SET former_ids = (SELECT grid_id FROM grids LIMIT 1) "
                         "WHERE fid = (SELECT max(fid) FROM grids)")
    assert "code_reused" in keys


def test_the_script_merges_like_the_verb(town_plan, tmp_path, merged):
    done = subprocess.run([sys.executable, ROOT / "scripts" / "merge.py", town_plan, "2",
                           tmp_path / "m.gpkg"], capture_output=True, text=True, check=True)
    assert str(tmp_path / "m.gpkg") in done.stdout
    left = read_plan(tmp_path / "m.gpkg").layer("grids")
    assert left["grid_id"].tolist() == merged[2].layer("grids")["grid_id"].tolist()
