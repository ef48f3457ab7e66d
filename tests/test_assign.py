"""Assigning people: rules, figures, shortage and change, on plans counted by hand and towns."""

from __future__ import annotations

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rosters import fill_in, make_plan, make_roster

from gridplan.assign import assign_staff, need_people
from gridplan.assign.people import find_neighbours, find_starts, list_people
from gridplan.errors import Findings, UsageError
from gridplan.params import AssignParams, Params


def assign(plan, roster, *, absent=(), afresh=False, **options):
    return assign_staff(plan, roster, Params(assign=AssignParams(**options)), Findings(),
                        absent=absent, afresh=afresh)


def rows_of(assigned, role="responsible"):
    """Grid or community → people of a role."""
    table = assigned.assignments
    mine = table[(table["role"] == role).to_numpy(dtype=bool)]
    place = mine["grid_id"].fillna(mine["community_id"])
    return {k: list(v) for k, v in mine["staff_id"].groupby(place.to_numpy(dtype=object))}


def figure(assigned, name, scope_id="all", scope="city"):
    """Value, target, numerator and denominator of a figure."""
    table = assigned.figures
    row = table[(table["name"] == name) & (table["scope"] == scope)
                & (table["scope_id"] == scope_id)]
    assert len(row) == 1, f"{name} {scope_id}"
    return tuple(None if pd.isna(v) else float(v) for v in row[
        ["value", "target", "numerator", "denominator"]].iloc[0])


def after(plan, assigned):
    """The plan with what was assigned in it."""
    return plan.with_layers(staff=assigned.staff, assignments=assigned.assignments)


def crew(town, count, start=1, **more):
    return [{"id": f"S{k:02d}", "town": town, **more} for k in range(start, start + count)]


# ---- who needs people ----------------------------------------------------------------------

def test_land_without_households_needs_nobody_but_a_market_does():
    plan = make_plan({"c1": ("urban", [400, 0, 0, 0])})
    plan = fill_in(plan, "grids", "grid_id", kind={"c1-003": "special", "c1-004": "special"},
                   reason={"c1-002": "empty: no households", "c1-003": "special-place: market",
                           "c1-004": "special-empty: 5 ha"})
    assert need_people(plan.layer("grids")).tolist() == [True, False, True, False]
    done = assign(plan, make_roster(crew("c1", 4)))
    assert set(rows_of(done)) == {"c1-001", "c1-003"}


# ---- rules ---------------------------------------------------------------------------------

def test_nobody_takes_more_households_than_her_room():
    plan = make_plan({"c1": ("urban", [300, 200])})
    people = [{"id": "A", "town": "c1", "capacity": 500},
              {"id": "B", "town": "c1", "capacity": 199}]
    assert rows_of(assign(plan, make_roster(people))) == {"c1-001": ["A"], "c1-002": ["A"]}
    people[0]["capacity"] = 499
    done = assign(plan, make_roster(people))
    assert rows_of(done) == {"c1-002": ["A"]}
    assert done.vacant == 1


def test_a_capacity_in_grids_counts_grids():
    plan = make_plan({"c1": ("urban", [900, 800, 700])})
    done = assign(plan, make_roster([{"id": "A", "town": "c1", "capacity": 2, "unit": "grids"}]))
    assert len(done.assignments) == 2
    assert done.vacant == 1


def test_who_states_no_capacity_has_the_usual_room_times_her_share_of_time():
    plan = make_plan({"c1": ("urban", [1]), "c2": ("rural", [1])})
    roster = make_roster([{"id": "A", "town": "c1"}, {"id": "B", "town": "c1", "share": 0.5},
                          {"id": "C", "town": "c2", "share": 0.29},
                          {"id": "D", "town": "c1", "share": 0.0}])
    people = list_people(plan, roster, AssignParams(rural={"most_households": 100}))
    assert people["room_households"].to_dict() == {"A": 500, "B": 250, "C": 29, "D": 0}
    assert people["room_posts"]["D"] == 0


def test_a_role_holds_only_its_posts():
    plan = make_plan({"c1": ("urban", [300])})
    roster = make_roster([{"id": "A", "town": "c1", "role": "assistant"},
                          {"id": "B", "town": "c1", "role": "guard"},
                          {"id": "C", "town": "c1", "role": "backup"}])
    done = assign(plan, roster, backups=2, community_roles={"guard": 1, "mediator": 1})
    assert rows_of(done) == {}
    assert rows_of(done, "backup") == {"c1-001": ["A", "C"]}
    assert rows_of(done, "guard") == {"c1": ["B"]}
    assert rows_of(done, "mediator") == {}


def test_nobody_serves_where_she_is_barred():
    plan = make_plan({"c1": ("urban", [300, 200])})
    roster = make_roster([{"id": "A", "town": "c1", "bars": ["c1-001"], "grids": ["c1-001"]}])
    done = assign(plan, roster, backups=1)
    assert rows_of(done) == {"c1-002": ["A"]}
    assert rows_of(done, "backup") == {}


def test_people_stay_in_their_community_unless_allowed_elsewhere():
    plan = make_plan({"c1": ("urban", [300, 300]), "c2": ("urban", [300]), "c3": ("urban", [300])})
    roster = make_roster([{"id": "A", "town": "c1", "capacity": 9999, "allowed": ["c3"]}])
    assert set(rows_of(assign(plan, roster))) == {"c1-001", "c1-002", "c3-001"}
    assert set(rows_of(assign(plan, roster, across=True))) == {
        "c1-001", "c1-002", "c2-001", "c3-001"}


def test_across_reaches_neighbours_by_a_metre_of_border_only():
    plan = make_plan({"c1": ("urban", [300]), "c2": ("urban", [300]), "c3": ("urban", [300])})
    assert find_neighbours(plan.layer("communities")).to_numpy().tolist() == [
        ["c1", "c2"], ["c2", "c1"], ["c2", "c3"], ["c3", "c2"]]
    done = assign(plan, make_roster(crew("c1", 3)), across=True)
    assert set(rows_of(done)) == {"c1-001", "c2-001"}


def test_a_corner_or_half_a_metre_makes_no_neighbours():
    plan = make_plan({"c1": ("urban", [300]), "c2": ("urban", [300]), "c3": ("urban", [300])})
    shapes = [shapely.box(0, 0, 10, 10), shapely.box(10, 9.5, 20, 20), shapely.box(20, 20, 30, 30)]
    towns = plan.layer("communities").set_geometry(gpd.GeoSeries(shapes, crs=plan.crs))
    assert find_neighbours(towns).empty
    shapes[1] = shapely.box(10, 9, 20, 20)
    towns = towns.set_geometry(gpd.GeoSeries(shapes, crs=plan.crs))
    assert find_neighbours(towns).to_numpy().tolist() == [["c1", "c2"], ["c2", "c1"]]


def test_the_backup_is_never_the_responsible_and_backs_two_grids_at_most():
    plan = make_plan({"c1": ("urban", [300] * 6)})
    done = assign(plan, make_roster(crew("c1", 6, capacity=300)), backups=1)
    lead, backup = rows_of(done), rows_of(done, "backup")
    assert len(lead) == len(backup) == 6
    assert all(lead[g] != backup[g] for g in lead)
    count = pd.Series([b[0] for b in backup.values()]).value_counts()
    assert count.max() <= 2
    done = assign(plan, make_roster(crew("c1", 6, capacity=300)), backups=3, backup_grids=1)
    assert len(done.assignments) == 12
    assert done.vacant == 12


def test_posts_of_a_community_take_different_people_one_post_each():
    plan = make_plan({"c1": ("urban", [300]), "c2": ("urban", [300])})
    roster = make_roster([*crew("c1", 5, role="guard"), *crew("c2", 1, 6, role="guard"),
                          {"id": "M", "town": "c2", "role": "mediator", "allowed": ["c1"]}])
    done = assign(plan, roster, profile="nantong")
    assert [len(v) for v in rows_of(done, "guard").values()] == [2, 1]
    assert sum(map(len, rows_of(done, "mediator").values())) == 1
    table = done.assignments
    assert table["assignment_id"].is_unique
    assert "c1-guard-1" in set(table["assignment_id"])
    assert (table["grid_id"].isna() != table["community_id"].isna()).all()


def test_old_and_rural_communities_can_have_rules_of_their_own():
    plan = make_plan({"c1": ("urban", [300]), "c2": ("old", [300]), "c3": ("rural", [300])})
    people = [p for k, t in enumerate(("c1", "c2", "c3")) for p in crew(t, 4, 1 + 4 * k)]
    done = assign(plan, make_roster(people), backups=1, old={"responsibles": 2},
                  rural={"backups": 0})
    assert {k: len(v) for k, v in rows_of(done).items()} == {
        "c1-001": 1, "c2-001": 2, "c3-001": 1}
    assert set(rows_of(done, "backup")) == {"c1-001", "c2-001"}


def test_aims_come_in_their_order():
    plan = make_plan({"c1": ("urban", [400, 100])})
    people = [{"id": "A", "town": "c1", "grids": ["c1-001", "c1-002"]}, {"id": "B", "town": "c1"}]
    assert rows_of(assign(plan, make_roster(people))) == {"c1-001": ["A"], "c1-002": ["A"]}
    fair = rows_of(assign(plan, make_roster(people), order=("balance", "continuity")))
    assert fair["c1-001"] != fair["c1-002"]


def test_wishes_are_granted_where_nothing_weightier_speaks_against_them():
    plan = make_plan({"c1": ("urban", [300, 300])})
    people = [{"id": "A", "town": "c1", "wishes": ["c1-002"]}, {"id": "B", "town": "c1"}]
    done = assign(plan, make_roster(people))
    assert rows_of(done) == {"c1-001": ["B"], "c1-002": ["A"]}
    assert figure(done, "wishes_granted") == (1, None, 1, 1)


def test_a_part_time_worker_carries_her_part():
    plan = make_plan({"c1": ("urban", [200, 200, 200])})
    people = [{"id": "A", "town": "c1", "share": 0.5, "capacity": 600},
              {"id": "B", "town": "c1", "capacity": 600}]
    assert rows_of(assign(plan, make_roster(people), order=("balance",))) in [
        {g: ["A" if g == one else "B"] for g in ("c1-001", "c1-002", "c1-003")}
        for one in ("c1-001", "c1-002", "c1-003")]


# ---- who is here already -------------------------------------------------------------------

def test_people_keep_the_grids_that_the_roster_says_they_hold():
    plan = make_plan({"c1": ("urban", [400, 300, 200])})
    people = [{"id": "A", "town": "c1", "grids": ["c1-003"]},
              {"id": "B", "town": "c1", "grids": ["c1-001"]}, {"id": "C", "town": "c1"}]
    done = assign(plan, make_roster(people))
    assert rows_of(done) == {"c1-001": ["B"], "c1-002": ["C"], "c1-003": ["A"]}
    kept = done.assignments.set_index("grid_id")["kept"]
    assert kept.to_dict() == {"c1-001": True, "c1-002": False, "c1-003": True}
    assert done.holding.source == "roster"
    assert done.changes.empty


def test_who_names_no_grid_holds_the_one_where_most_of_her_buildings_are():
    plan = make_plan({"c1": ("urban", [400, 300, 200])})
    people = [{"id": "A", "town": "c1", "buildings": ["b-c1-003", "b-c1-002"]},
              {"id": "B", "town": "c1", "grids": ["c1-003"], "buildings": ["b-c1-001"]},
              {"id": "C", "town": "c1"}]
    done = assign(plan, make_roster(people))
    assert rows_of(done) == {"c1-001": ["C"], "c1-002": ["A"], "c1-003": ["B"]}


def test_a_second_run_changes_nothing():
    plan = make_plan({"c1": ("urban", [400, 300, 200]), "c2": ("rural", [200, 200])})
    people = [*crew("c1", 5, grids=["c1-002"]), *crew("c2", 3, 6), *crew("c1", 2, 9, role="guard")]
    options = {"backups": 1, "community_roles": {"guard": 1}}
    first = assign(plan, make_roster(people), **options)
    again = assign(after(plan, first), make_roster(people), **options)
    pd.testing.assert_frame_equal(again.assignments.drop(columns="kept"),
                                  first.assignments.drop(columns="kept"))
    assert again.assignments["kept"].all()
    assert again.changes.empty
    assert figure(again, "changed_assignments")[0] == 0
    assert again.holding.source == "plan"


def test_the_plan_goes_before_the_roster_unless_afresh():
    plan = make_plan({"c1": ("urban", [300, 300])})
    first = assign(plan, make_roster([{"id": "A", "town": "c1", "grids": ["c1-001"]},
                                      {"id": "B", "town": "c1", "grids": ["c1-002"]}]))
    turned = make_roster([{"id": "A", "town": "c1", "grids": ["c1-002"]},
                          {"id": "B", "town": "c1", "grids": ["c1-001"]}])
    assert rows_of(assign(after(plan, first), turned))["c1-001"] == ["A"]
    assert rows_of(assign(after(plan, first), turned, afresh=True))["c1-001"] == ["B"]


def test_a_newcomer_to_the_roster_holds_what_it_says():
    plan = make_plan({"c1": ("urban", [300, 300])})
    first = assign(plan, make_roster([{"id": "A", "town": "c1", "grids": ["c1-001"]}]))
    both = make_roster([{"id": "A", "town": "c1", "grids": ["c1-002"]},
                        {"id": "N", "town": "c1", "grids": ["c1-002"]}])
    done = assign(after(plan, first), both)
    assert rows_of(done) == {"c1-001": ["A"], "c1-002": ["N"]}
    assert done.assignments["kept"].all()


def test_who_has_another_role_now_does_not_keep_her_post():
    plan = make_plan({"c1": ("urban", [300])})
    first = assign(plan, make_roster([{"id": "A", "town": "c1", "role": "guard"}]),
                   community_roles={"guard": 1, "mediator": 1})
    now = make_roster([{"id": "A", "town": "c1", "role": "mediator"}])
    done = assign(after(plan, first), now, community_roles={"guard": 1, "mediator": 1})
    assert rows_of(done, "mediator") == {"c1": ["A"]}
    assert not done.assignments["kept"].any()


def test_people_follow_a_grid_to_its_new_code():
    plan = make_plan({"c1": ("urban", [300, 300])})
    first = assign(plan, make_roster([{"id": "A", "town": "c1", "grids": ["c1-002"]},
                                      {"id": "B", "town": "c1", "grids": ["c1-001"]}]))
    moved = fill_in(plan, "grids", "grid_id", former_ids={"c1-002": "c0-007;c1-002"})
    moved = fill_in(moved, "grids", "grid_id", grid_id={"c1-002": "c1-003"})
    moved = fill_in(moved, "buildings", "grid_id", grid_id={"c1-002": "c1-003"})
    roster = make_roster([{"id": "A", "town": "c1"}, {"id": "B", "town": "c1"}])
    done = assign(after(moved, first), roster)
    assert rows_of(done) == {"c1-001": ["B"], "c1-003": ["A"]}
    assert done.assignments["kept"].all()
    done = assign(moved, make_roster([{"id": "A", "town": "c1", "grids": ["c0-007"]},
                                      {"id": "B", "town": "c1"}]))
    assert rows_of(done)["c1-003"] == ["A"]


# ---- somebody is absent --------------------------------------------------------------------

def test_an_absent_person_leaves_the_plan_and_the_least_number_of_posts_changes():
    plan = make_plan({"c1": ("urban", [400, 400, 100, 100])})
    people = [{"id": "A", "town": "c1", "grids": ["c1-001", "c1-003"]},
              {"id": "B", "town": "c1", "grids": ["c1-002", "c1-004"]}, {"id": "C", "town": "c1"}]
    first = assign(plan, make_roster(people))
    done = assign(after(plan, first), make_roster(people), absent=["A"])
    assert rows_of(done) == {"c1-001": ["C"], "c1-002": ["B"], "c1-003": ["C"], "c1-004": ["B"]}
    assert figure(done, "changed_assignments") == (2, None, 2, 4)
    assert figure(done, "changed_assignments_bound")[0] == 2
    assert figure(done, "kept_assignments") == (2, None, 2, 4)
    assert done.changes.to_numpy().tolist() == [["c1-001", "responsible", "A", "C"],
                                                ["c1-003", "responsible", "A", "C"]]
    assert done.staff["staff_id"].tolist() == ["B", "C"]


def test_an_absent_person_must_be_in_the_roster():
    plan = make_plan({"c1": ("urban", [300])})
    with pytest.raises(UsageError) as stopped:
        assign(plan, make_roster(crew("c1", 2)), absent=["S01", "X1", "X2", "X1"])
    assert [(f.key, f.count) for f in stopped.value.findings] == [("assign.unknown_absent", 2)]


# ---- ways ----------------------------------------------------------------------------------

def test_ways_begin_at_known_buildings_else_at_the_premises_else_on_the_land():
    plan = make_plan({"c1": ("urban", [300, 300]), "c2": ("urban", [300])})
    facilities = gpd.GeoDataFrame(
        {"facility_id": ["F2", "F1", "F0"], "status": [None, "existing", "proposed"],
         "categories": ["community_service_station", "bank;community_service_station",
                        "community_service_station"]},
        geometry=gpd.points_from_xy([10, 20, 30], [10, 20, 30]), crs=plan.crs)
    roster = make_roster([{"id": "A", "town": "c1", "buildings": ["b-c1-001", "b-c1-002"]},
                          {"id": "B", "town": "c1"}, {"id": "C", "town": "c2"}])
    plan = plan.with_layers(facilities=facilities)
    people = list_people(plan, roster, AssignParams())
    assert find_starts(plan, people, roster).tolist() == [[100, 50], [20, 20], [50, 150]]
    done = assign(plan, roster)
    way = done.assignments.set_index("staff_id")["travel_m"]
    assert way["A"] == 65  # 50 m × 1.3
    assert way["C"] == 0
    assert figure(done, "travel_m")[0] == way.sum()


def test_homes_never_enter():
    plan = make_plan({"c1": ("urban", [300, 300])})
    people = [{"id": "A", "town": "c1", "home": "1 Long Lane", "person": "Zhang", "phone": "139"},
              {"id": "B", "town": "c1", "home": "2 Long Lane"}]
    roster = make_roster(people)
    blind = dataclasses.replace(roster, people=None)
    told, done = assign(plan, roster), assign(plan, blind)
    pd.testing.assert_frame_equal(told.assignments, done.assignments)
    held = " ".join(f.to_csv() for f in (told.staff, told.assignments, told.figures,
                                         told.changes, told.shortage))
    assert not any(word in held for word in ("Lane", "Zhang", "139"))


# ---- figures, by hand ----------------------------------------------------------------------

def three_towns():
    """c1 urban: 400, 300, 0 (needs nobody); c2 old: 200; c3 rural: 300, 100. Four people."""
    plan = make_plan({"c1": ("urban", [400, 300, 0]), "c2": ("old", [200]),
                      "c3": ("rural", [300, 100])})
    plan = fill_in(plan, "grids", "grid_id", newcomers={"c1-001": 1500, "c3-001": 500})
    roster = make_roster([
        {"id": "A", "town": "c1", "grids": ["c1-001"]}, {"id": "B", "town": "c3", "share": 0.5},
        {"id": "G", "town": "c1", "role": "newcomer_assistant"},
        {"id": "H", "town": "c2", "role": "assistant"}])
    return plan, assign(plan, roster)


def test_figures_of_cover_by_hand():
    _, done = three_towns()
    # B has room for 250: she takes c3-002.
    assert rows_of(done) == {"c1-001": ["A"], "c3-002": ["B"]}
    assert figure(done, "communities_with_grids") == (2 / 3, None, 2, 3)
    assert figure(done, "communities_with_grids", "urban") == (0.5, 1.0, 1, 2)
    assert figure(done, "communities_with_grids", "rural") == (1.0, 0.6, 1, 1)
    assert figure(done, "communities_with_grids_early", "urban") == (0.5, 0.8, 1, 2)
    assert figure(done, "communities_with_grids_early", "rural") == (1.0, 0.3, 1, 1)
    assert figure(done, "grids_with_responsible") == (0.4, None, 2, 5)
    assert figure(done, "grids_with_responsible", "urban") == (1 / 3, 1.0, 1, 3)
    assert figure(done, "grids_with_responsible", "rural") == (0.5, 0.6, 1, 2)
    assert figure(done, "grids_with_responsible", "c2", "community") == (0, 1.0, 0, 1)
    assert figure(done, "households_with_responsible") == (500 / 1300, None, 500, 1300)
    assert figure(done, "households_with_responsible", "urban") == (400 / 900, None, 400, 900)
    assert figure(done, "households_with_responsible", "c3", "community") == (0.25, None, 100, 400)


def test_figures_of_staff_by_hand():
    _, done = three_towns()
    assert figure(done, "staff_per_grid") == (0.6, 1.2, 3, 5)
    assert figure(done, "staff_per_grid", "rural") == (0.5, 1.2, 1, 2)
    assert figure(done, "staff_per_grid", "c2", "community") == (1.0, 1.2, 1, 1)
    assert figure(done, "newcomer_assistants_per_1000") == (0.5, 1.0, 1, 2)
    assert figure(done, "newcomer_assistants_per_1000", "rural") == (0, 1.0, 0, 0.5)
    assert figure(done, "newcomer_assistants_per_1000", "c2", "community") == (None, 1.0, 0, 0)


def test_figures_of_load_by_hand():
    _, done = three_towns()
    assert figure(done, "load_max")[0] == 400  # B: 100 households in half her time are 200
    assert figure(done, "load_mean") == (300, None, 600, 2)
    assert figure(done, "load_max_to_mean") == (400 / 300, None, 400, 300)
    assert figure(done, "load_max", "rural")[0] == 200
    assert figure(done, "load_max_bound")[0] == 400
    assert figure(done, "load_share:0.8") == (1, None, 1, 2)  # A: 400 of 500
    assert figure(done, "load_share:0.4") == (1, None, 1, 2)  # B: 100 of 250
    shares = done.figures[done.figures["name"].str.startswith("load_share:")]
    assert len(shares) == 11
    assert shares["value"].sum() == 2


def test_the_workload_of_every_grid_is_shown_term_by_term():
    plan, _ = three_towns()
    done = assign_staff(plan, make_roster(crew("c1", 1)), Params(assign=dataclasses.replace(
        AssignParams(), workload=dataclasses.replace(AssignParams().workload, newcomer=0.1))),
        Findings())
    assert figure(done, "workload:newcomer", "c1-001", "grid") == (150, None, 1500, None)
    assert figure(done, "workload:household", "c1-001", "grid") == (400, None, 400, None)
    assert done.workload["c1-001"] == 550
    assert not done.figures["name"].eq("workload:rented").any()


# ---- shortage, by hand ---------------------------------------------------------------------

def test_a_shortage_names_the_missing_and_who_could_lend():
    plan = make_plan({"c1": ("urban", [400, 300]), "c2": ("urban", [450]),
                      "c3": ("rural", [300])})
    people = [*crew("c1", 4, capacity=400), *crew("c3", 1, 5)]
    done = assign(plan, make_roster(people), community_roles={"guard": 1})
    assert done.shortage.to_numpy().tolist() == [
        ["c1", "guard", 1, 0, 1, ""], ["c1", "responsible", 2, 2, 0, ""],
        ["c2", "guard", 1, 0, 1, ""], ["c2", "responsible", 1, 0, 1, ""],
        ["c3", "guard", 1, 0, 1, ""], ["c3", "responsible", 1, 1, 0, ""]]
    people = [*crew("c1", 4, capacity=450), *crew("c3", 1, 5)]
    done = assign(plan, make_roster(people))
    assert done.shortage.set_index(["community_id", "role"])["lenders"]["c2", "responsible"] == (
        "c1 (2)")
    assert done.vacancies.to_numpy().tolist() == [["c2-001", "c2", "responsible", 1]]


def test_missing_people_add_up_by_community_and_in_the_city():
    plan = make_plan({"c1": ("urban", [400, 300]), "c2": ("old", [450]), "c3": ("rural", [300])})
    done = assign(plan, make_roster(crew("c1", 1)), backups=1, profile="nantong")
    short = done.shortage
    assert (short["needed"] == short["filled"] + short["missing"]).all()
    assert figure(done, "vacant_posts") == (
        short["missing"].sum(), None, short["filled"].sum(), short["needed"].sum())
    # S01 takes one grid and backs the other.
    assert done.vacant == short["missing"].sum() == 4 * 2 + 3 * 8 - 2
    assert figure(done, "vacant_posts", "c1", "community") == (4 + 8 - 2, None, 2, 12)
    assert figure(done, "missing_staff:responsible") == (3, None, 1, 4)
    assert figure(done, "missing_staff:guard", "rural") == (2, None, 0, 2)
    city = sum(figure(done, "missing_staff:backup", t, "community")[0] for t in ("c1", "c2", "c3"))
    assert city == figure(done, "missing_staff:backup")[0] == 3


# ---- whatever the town and the roster ------------------------------------------------------

TOWNS = ("c1", "c2", "c3")


@st.composite
def cases(draw):
    towns = {t: (draw(st.sampled_from(("urban", "old", "rural"))),
                 draw(st.lists(st.integers(0, 520), min_size=1, max_size=4))) for t in TOWNS}
    plan = make_plan(towns)
    codes = plan.layer("grids")["grid_id"].tolist()
    some = st.lists(st.sampled_from(codes), max_size=2, unique=True)
    people = []
    for k in range(draw(st.integers(0, 9))):
        role = draw(st.sampled_from(("responsible", "responsible", "backup", "assistant",
                                     "guard")))
        unit = draw(st.sampled_from(("households", "grids")))
        people.append({
            "id": f"S{k}", "town": draw(st.sampled_from(TOWNS)), "role": role, "unit": unit,
            "capacity": draw(st.integers(0, 3 if unit == "grids" else 900)),
            "share": draw(st.sampled_from((1.0, 0.5, 0.25))), "grids": draw(some),
            "wishes": draw(some), "bars": draw(some), "allowed": draw(
                st.lists(st.sampled_from(TOWNS), max_size=2, unique=True))})
    options = {"backups": draw(st.integers(0, 2)), "responsibles": draw(st.integers(1, 2)),
               "backup_grids": draw(st.integers(1, 2)), "across": draw(st.booleans()),
               "community_roles": {"guard": draw(st.integers(0, 2))}}
    return plan, people, options


@settings(max_examples=20)
@given(cases())
def test_every_rule_holds_whatever_the_roster(case):
    plan, people, options = case
    done = assign(plan, make_roster(people), **options)
    who = {p["id"]: p for p in people}
    grids = plan.layer("grids").set_index("grid_id")
    near = set(map(tuple, find_neighbours(plan.layer("communities")).to_numpy()))
    table = done.assignments
    taken = table["grid_id"].fillna(table["community_id"])
    assert not pd.DataFrame({"p": taken, "s": table["staff_id"]}).duplicated().any()
    for place, one, role, kept in zip(taken, table["staff_id"], table["role"], table["kept"],
                                      strict=True):
        town = grids["community_id"].get(place, place)
        person = who[one]
        assert (town == person["town"] or town in person["allowed"]
                or (options["across"] and (person["town"], town) in near))
        assert place not in person["bars"]
        assert not kept or place in person["grids"]
        assert person["role"] in {"responsible": ["responsible"], "guard": ["guard"], "backup": [
            "responsible", "backup", "assistant"]}[role]
    for person in people:
        mine = table[table["staff_id"] == person["id"]]
        lead = mine.loc[mine["role"] == "responsible", "grid_id"]
        load = len(lead) if person["unit"] == "grids" else grids["households"][lead].sum()
        assert load <= person["capacity"]
        assert (mine["role"] == "backup").sum() <= options["backup_grids"]
        assert (mine["role"] == "guard").sum() <= 1
    assert len(table) + done.vacant == done.shortage["needed"].sum()
    needed = int(need_people(plan.layer("grids")).sum())
    assert done.shortage["needed"].sum() == needed * (
        options["responsibles"] + options["backups"]) + 3 * options["community_roles"]["guard"]
    for name in ("kept_assignments", "changed_assignments", "travel_m"):
        value, bound = figure(done, name)[0], figure(done, f"{name}_bound")[0]
        assert value <= bound if name == "kept_assignments" else value >= bound


@settings(max_examples=10)
@given(cases(), st.data())
def test_a_second_run_changes_nothing_and_an_absence_little(case, data):
    plan, people, options = case
    first = assign(plan, make_roster(people), **options)
    held = after(plan, first)
    again = assign(held, make_roster(people), **options)
    if len(first.assignments):
        assert again.assignments["staff_id"].tolist() == first.assignments["staff_id"].tolist()
        gone = data.draw(st.sampled_from(sorted(set(first.assignments["staff_id"]))))
        done = assign(held, make_roster(people), absent=[gone], **options)
        assert gone not in set(done.assignments["staff_id"])
        assert figure(done, "changed_assignments")[0] >= (
            first.assignments["staff_id"] == gone).sum()
        assert figure(done, "changed_assignments")[0] == figure(
            done, "changed_assignments_bound")[0]


def test_the_order_of_the_roster_changes_nothing():
    plan = make_plan({"c1": ("urban", [400, 300, 350, 250])})
    people = crew("c1", 6, wishes=["c1-002"])
    one = assign(plan, make_roster(people), backups=1)
    two = assign(plan, make_roster(people[::-1]), backups=1)
    pd.testing.assert_frame_equal(one.assignments, two.assignments)
    pd.testing.assert_frame_equal(one.figures, two.figures)
    assert np.array_equal(one.workload, two.workload)
