"""Inside estates: grids hold whole phases and runs of consecutive building numbers."""

from __future__ import annotations

import itertools
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from studies import CRS, make_study

from gridplan.blocks import build_units
from gridplan.check.inner import read_number
from gridplan.errors import Findings, InputError
from gridplan.layers import Lines, Study, UnitBorders, Units, conform_input
from gridplan.params import Inner, Params, PartitionParams
from gridplan.partition import Partition, partition_units
from gridplan.partition.graph import Contacts
from gridplan.partition.inner import Homes, read_homes, read_label, weigh_inner

SIDE = 6
PLAIN = Params(partition=PartitionParams(inner=Inner(1.0, 1.0)))


def make_estate(numbers: list[str], columns: int = SIDE, households: int = 22
                ) -> tuple[Study, pd.Series]:
    """An estate of houses in rows from the south, no two alike, without a road or path."""
    houses = [shapely.box(10 + 30 * i + 0.13 * j, 10 + 30 * j + 0.17 * i,
                          28 + 30 * i + 0.7 * (i * j % 3), 27 + 30 * j + 0.9 * ((i + 2 * j) % 3))
              for j in range(len(numbers) // columns) for i in range(columns)]
    ground = shapely.box(0, 0, 30 * columns + 10, 30 * len(numbers) // columns + 10)
    study, load = make_study(list(houses), [households] * len(houses), [], [ground],
                             estates=[ground])
    study.buildings["estate_id"] = "e0"
    study.buildings["number"] = pd.array(numbers, dtype="string")
    return study, load


def divide(study: Study, load: pd.Series, params: Params | None = None,
           findings: Findings | None = None) -> Partition:
    params = params or Params()
    units = build_units(study, load, params.blocks)
    count = load.astype("Int64")
    return partition_units(study, units, study.buildings.assign(
        households=count, households_low=count, households_high=count,
        households_source="given"), params, findings=findings)


def figure(found: Partition, name: str, scope_id: str) -> pd.Series:
    table = found.figures
    return table[(table["name"] == name) & (table["scope_id"] == scope_id)].iloc[0]


def numbers_by_grid(found: Partition) -> list[list[int]]:
    held = found.buildings.groupby("grid_id")["number"]
    return sorted(sorted(read_label(n)[2] for n in numbers) for _, numbers in held)


def runs_in(numbers: list[int]) -> int:
    return sum(n - 1 not in numbers for n in numbers)


# ---- labels --------------------------------------------------------------------------------

@pytest.mark.parametrize(("text", "phase", "series", "number"), [
    ("3幢", "", "", 3), ("3", "", "", 3), ("12号楼", "", "", 12), ("７#", "", "", 7),
    ("二期3幢", "2期", "", 3), ("第2期 3栋", "2期", "", 3), ("Ⅱ期3座", "2期", "", 3),
    ("B区5幢", "B区", "", 5), ("东区12号楼", "东区", "", 12), ("三组团7幢", "3组团", "", 7),
    ("云溪花园二期B区5幢", "2期B区", "", 5), ("Phase 2, No. 7", "2期", "", 7),
    ("A3栋", "", "A", 3), ("C座", "", "A–Z", 3), ("十二幢", "", "", 12), ("12A幢", "", "", 12),
    ("一百零八号楼", "", "", 108), ("1-3幢", "", "", -1), ("综合楼", "", "", -1), ("", "", "", -1),
    ("二期", "2期", "", -1), ("云溪小区5幢", "", "", 5)])
def test_phase_and_number_are_read_off_a_label(text: str, phase: str, series: str,
                                               number: int) -> None:
    assert read_label(text) == (phase, series, number)


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from([
    *"0123459一二三十百零期区苑座栋幢楼号#-第ABIVX东南中小 ,", "组团", "号楼", "PHASE", "zone",
    "期", "区", "Ⅲ", "12", "幢"]), max_size=9).map("".join))
def test_the_verifier_reads_every_label_alike(text: str) -> None:
    assert read_number(text) == read_label(text)


# ---- what a border costs -------------------------------------------------------------------

def homes_of(buildings: pd.DataFrame, count: int) -> Homes:
    """Read homes of units that are known by their buildings alone."""
    frame = conform_input("buildings", gpd.GeoDataFrame(
        buildings.assign(building_id=[f"b{k:02d}" for k in range(len(buildings))]),
        geometry=[shapely.Point(0, 0)] * len(buildings), crs=CRS))
    ids = pd.Index([f"u{k}" for k in range(count)], name="unit_id")
    owner = pd.Series([f"u{k}" for k in buildings["unit"]], index=frame.index)
    none = np.empty(0, dtype=np.int64)
    nothing = UnitBorders(none, none, np.empty((0, 2)), np.empty((0, 2)), none, none,
                          Lines(*(np.empty(0, dtype=t) for t in (object, int, object, object,
                                                                 bool))))
    units = Units(gpd.GeoDataFrame(index=ids, geometry=[shapely.Point(0, 0)] * count, crs=CRS),
                  owner, nothing)
    estates = conform_input("estates", gpd.GeoDataFrame({"estate_id": []}, geometry=[], crs=CRS))
    return read_homes(units, frame, estates)


def all_pairs(count: int) -> Contacts:
    pairs = np.array(list(itertools.combinations(range(count), 2)), dtype=np.int64
                     ).reshape(-1, 2).T
    one = np.ones(pairs.shape[1])
    return Contacts(pairs[0], pairs[1], one, one * 10, one > 2)


def factors(rows: list[tuple[int, str, str]], inner: Inner | None = None
            ) -> dict[tuple[int, int], float]:
    """Return what the border of each pair of units costs; rows are unit, estate, number."""
    table = pd.DataFrame(rows, columns=["unit", "estate_id", "number"]).assign(households=1)
    count = int(table["unit"].max()) + 1
    found = weigh_inner(all_pairs(count), homes_of(table, count), inner or Inner(0.5, 2.0))
    return {(int(a), int(b)): float(w) / 10
            for a, b, w in zip(found.a, found.b, found.weight, strict=True)}


def test_a_border_that_splits_a_run_is_dear_and_one_at_a_jump_is_not() -> None:
    assert factors([(0, "e", "6幢"), (1, "e", "7幢"), (2, "e", "12幢")]) == {
        (0, 1): 2.0, (0, 2): 1.0, (1, 2): 1.0}


def test_a_run_goes_on_over_one_number_that_the_estate_leaves_out() -> None:
    assert factors([(0, "e", "3幢"), (1, "e", "5幢")])[0, 1] == 2.0
    assert factors([(0, "e", "3幢"), (1, "e", "6幢")])[0, 1] == 1.0
    whole = factors([(0, "e", "3幢"), (1, "e", "5幢"), (2, "e", "4幢")])
    assert whole == {(0, 1): 1.0, (0, 2): 2.0, (1, 2): 2.0}


def test_a_border_between_phases_is_cheap_though_numbers_run_on() -> None:
    assert factors([(0, "e", "一期6幢"), (1, "e", "二期7幢")])[0, 1] == 0.5
    mixed = factors([(0, "e", "一期6幢"), (1, "e", "二期7幢"), (1, "e", "一期9幢")])
    assert mixed[0, 1] == 1.0


def test_between_estates_and_outside_them_nothing_changes() -> None:
    assert set(factors([(0, "e", "6"), (1, "f", "7"), (2, "", "8")]).values()) == {1.0}


def test_a_border_off_the_lines_stays_dearer_than_one_on_a_path_even_between_phases() -> None:
    partition = PartitionParams()
    none, path = partition.border_factors[:2]
    assert none * partition.inner.phase > path * partition.inner.run * 0.8
    assert none * partition.inner.phase > path


@pytest.mark.parametrize("bad", [{"phase": 0.0}, {"phase": 1.1}, {"run": 0.9},
                                 {"run": float("inf")}])
def test_factors_that_turn_the_order_round_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Inner(**bad)


NUMBERS = st.sampled_from(["", "1幢", "2幢", "3幢", "5幢", "8幢", "一期1幢", "一期2幢", "二期2幢",
                           "二期3幢", "A座", "B座", "A2幢", "A3幢"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", "e", "f"]), NUMBERS),
                min_size=1, max_size=14))
def test_every_factor_is_that_of_the_definition(rows: list[tuple[int, str, str]]) -> None:
    """Told in plain Python: estate of a unit, its phases, and who holds a number and the next."""
    count = max(unit for unit, _, _ in rows) + 1
    estate = {}
    for unit, name, _ in rows:  # one household each: the first building decides
        estate.setdefault(unit, name)
    own = [(unit, name, *read_label(text)) for unit, name, text in rows
           if name and name == estate[unit]]
    phases = {k: {p for unit, _, p, _, _ in own if unit == k and p} for k in range(count)}
    held: dict[tuple[str, str, str], dict[int, set[int]]] = {}
    for unit, name, phase, series, number in own:
        if number >= 0:
            held.setdefault((name, phase, series), {}).setdefault(number, set()).add(unit)
    splits = set()
    for numbers in held.values():
        listed = sorted(numbers)
        for x, y in [(n, n) for n in listed] + list(itertools.pairwise(listed)):
            if y - x <= 2:
                splits |= {(min(u, v), max(u, v)) for u in numbers[x] for v in numbers[y]}
    found = factors(rows, Inner(0.25, 3.0))
    for pair, factor in found.items():
        a, b = pair
        inside = estate.get(a, "") and estate.get(a) == estate.get(b)
        if inside and phases[a] and phases[b] and not phases[a] & phases[b]:
            assert factor == 0.25
        else:
            assert factor == (3.0 if pair in splits else 1.0)


# ---- what is cut ---------------------------------------------------------------------------

BY_ROW = [str(k + 1) for k in range(SIDE * SIDE)]
BY_COLUMN = [str(i * SIDE + j + 1) for j in range(SIDE) for i in range(SIDE)]


@pytest.mark.parametrize("numbers", [BY_ROW, BY_COLUMN])
@pytest.mark.parametrize("drawn", [True, False])
def test_a_large_estate_is_cut_into_runs_of_numbers(numbers: list[str], drawn: bool) -> None:
    """The same square, numbered by rows and by columns: the cut turns with the numbers."""
    study, load = make_estate(numbers)
    if not drawn:
        study = Study(outline=study.outline, buildings=study.buildings.assign(community_id=pd.NA),
                      roads=study.roads, estates=study.estates)
    found = divide(study, load)
    assert len(found.grids) == 2
    assert (found.grids["status"] == "ok").all() or not drawn
    assert [runs_in(held) for held in numbers_by_grid(found)] == [1, 1]


@pytest.mark.parametrize(("phase", "whole"), [(0.25, True), (1.0, False)])
def test_a_large_estate_is_cut_between_its_phases(phase: float, whole: bool) -> None:
    """Nine rows of two houses beside nine others: the way between the phases is the long one."""
    numbers = [f"{'一一二二'[k % 4]}期{k + 1}幢" for k in range(36)]
    params = Params(partition=PartitionParams(inner=Inner(phase, 1.0)))
    found = divide(*make_estate(numbers, columns=4), params)
    held = found.buildings.assign(phase=found.buildings["number"].str[:2]).groupby("grid_id")
    assert (found.grids["status"] == "ok").all()
    assert (held["phase"].nunique() == 1).all() == whole


def test_the_quality_of_inner_borders_is_high_where_grids_hold_runs() -> None:
    found = divide(*make_estate(BY_ROW))
    told = figure(found, "estate_border_quality", "all")
    assert told["denominator"] == pytest.approx(190, abs=15)
    # Between the rows the last house of one and the first of the next follow each other.
    assert told["value"] > 0.75
    cut = figure(found, "estates_cut", "above")
    assert (cut["value"], cut["numerator"], cut["denominator"]) == (2, 2, 1)


def test_a_cut_through_every_run_has_no_quality_but_on_a_path_it_has_all() -> None:
    """Numbers run across the only cut there is; then a footpath runs along it."""
    houses = [shapely.box(10 + 30 * i + 0.3 * (i % 3), 10 + 0.7 * (i % 4), 30 + 30 * i,
                          31 - 0.4 * (i % 5)) for i in range(16)]
    ground = shapely.box(0, 0, 490, 40)
    for path, expected in (([], 0.0), ([("footway", [(245, -10), (245, 50)])], 1.0)):
        study, load = make_study(list(houses), [50] * 16, path, [ground], estates=[ground])
        study.buildings["estate_id"] = "e0"
        study.buildings["number"] = pd.array([f"{k + 1}幢" for k in range(16)], dtype="string")
        found = divide(study, load)
        assert len(found.grids) == 2
        told = figure(found, "estate_border_quality", "all")
        assert told["value"] == pytest.approx(expected, abs=0.01)
        assert told["denominator"] == pytest.approx(40, abs=2)


def test_without_estates_there_is_no_quality_to_tell() -> None:
    study, load = make_estate(BY_ROW)
    study.buildings["estate_id"] = pd.NA
    found = divide(replace(study, estates=None), load)
    assert pd.isna(figure(found, "estate_border_quality", "all")["value"])
    assert figure(found, "estates_cut", "in_range")["denominator"] == 0


def test_an_estate_in_range_that_is_cut_is_counted_and_told() -> None:
    """A pocket of 200 behind an estate of 400: together two grids of 300, apart none."""
    houses = [shapely.box(10 + 30 * i, 20 + 40 * j, 25 + 30 * i, 40 + 40 * j)
              for i in range(9) for j in range(2)]
    study, load = make_study(list(houses), [25] * 8 + [40] * 10, [], [shapely.box(0, 0, 300, 100)],
                             estates=[shapely.box(125, 5, 295, 95)])
    findings = Findings()
    told = figure(divide(study, load, findings=findings), "estates_cut", "in_range")
    assert (told["value"], told["denominator"]) == (1, 1)
    assert [(f.key, f.row) for f in findings.of("warning")] == [("partition.estate_cut", "e0")]
    study, load = make_estate(BY_ROW, households=12)
    findings = Findings()
    told = figure(divide(study, load, findings=findings), "estates_cut", "in_range")
    assert (told["value"], told["denominator"]) == (0, 1)
    assert not findings.items


def test_the_pieces_of_an_estate_are_its_phases_where_no_building_tells() -> None:
    study, load = make_estate([""] * (SIDE * SIDE))
    assert study.estates is not None
    south, north = shapely.box(0, 0, 190, 95), shapely.box(0, 100, 190, 190)
    study.estates["phases"] = 2
    study = replace(study, estates=study.estates.set_geometry([shapely.MultiPolygon(
        [south, north])], crs=CRS))
    units = build_units(study, load, Params().blocks)
    homes = read_homes(units, study.buildings.assign(households=load), study.layer("estates"))
    assert set(homes.phases.tolist()) == {1, 2}
    study.estates["phases"] = 3
    homes = read_homes(units, study.buildings.assign(households=load), study.layer("estates"))
    assert set(homes.phases.tolist()) == {0}
