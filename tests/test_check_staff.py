"""People assigned to the town of letters: the good plan passes, every way of spoiling it is caught.

Everybody has a row in ``PEOPLE`` and a line in ``HELD``; what the figures should be is
counted here with plain loops, the main ones by hand.
"""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import xlsxwriter
from test_check import CODES, CRS, draw_plan, keys, write
from typer.testing import CliRunner

from gridplan.check import check_plan
from gridplan.check.staff_kept import Choice, _judge_part, _match
from gridplan.check.staff_private import _find_phones, _find_words
from gridplan.cli import app
from gridplan.errors import Findings
from gridplan.i18n import load_room
from gridplan.layers import conform
from gridplan.params import AssignParams, Params, PartitionParams, Workload
from gridplan.pipeline import assign_plan, plan_city
from gridplan.plan import read_plan, write_plan
from gridplan.roster import read_roster
from gridplan.town import build_town, write_town

ROOT = Path(__file__).parents[1]
TOWN = "230102001001"
FIELDS = ("staff_id", "role", "community_id", "capacity", "capacity_unit", "part_time", "grids",
          "buildings", "wishes", "bars", "communities", "person", "phone", "home")
# In the order of FIELDS; letters stand for grids, '' for what is not told.
PEOPLE = [
    ("S1", "responsible", TOWN, 500, "households", 1, "A", "", "", "D", "", "王秀英",
     "13800000001", "玉兰苑3幢502室"),
    ("S2", "网格员", TOWN, "", "", 1, "B", "", "", "", "", "李建国", "139 0000 0002", "12 Elm St."),
    ("S3", "responsible", TOWN, 2, "grids", 1, "", "C0;C1;D1", "", "", "", "Ann Lee", "", ""),
    ("S4", "responsible", TOWN, 500, "households", 1, "D", "", "", "", "", "", "", ""),
    ("S5", "responsible", "C001", 300, "households", 1, "E", "", "", "", "", "", "", ""),
    ("S6", "responsible", "C002", 500, "households", 1, "", "", "F", "", "C001", "", "", ""),
    ("S7", "assistant", "C001", "", "", 1, "E", "", "", "", "", "", "", ""),
    ("S8", "responsible", "C002", 900, "households", 1, "G;I", "", "J", "", "", "", "", ""),
    ("S9", "responsible", "C002", 500, "households", 1, "H", "", "", "", "", "", "", ""),
    ("S10", "responsible", "C002", 500, "households", 1, "", "", "", "", "", "", "", ""),
    ("S11", "responsible", "C003", 700, "households", 1, "K", "", "", "", "", "", "", ""),
    ("S12", "responsible", "C003", 600, "households", 1, "L", "", "", "", "", "", "", ""),
    ("S13", "responsible", "C004", 450, "households", 1, "P;Q", "", "", "", "", "", "", ""),
    ("S14", "responsible", "C005", "", "", 0.5, "", "", "", "", "", "", "", ""),
    ("S15", "responsible", "C005", 400, "households", 1, "U", "", "", "", "", "", "", ""),
    ("S16", "responsible", "C006", 600, "households", 1, "V", "", "", "", "", "", "", ""),
    ("S17", "responsible", "C007", "", "", 1, "X", "", "", "", "", "", "", ""),
    ("S18", "mediator", "C001", "", "", 1, "", "", "", "", "", "", "", ""),
    ("S19", "调解员", TOWN, "", "", 1, "", "", "", "", "", "", "", ""),
    ("S20", "newcomer_assistant", "C007", "", "", 1, "", "", "", "", "", "", "", ""),
]
ABSENT = "S4"
# Post → people; those who held it before are kept.
HELD = {("A", "responsible"): "S1", ("B", "responsible"): "S2", ("C", "responsible"): "S3",
        ("D", "responsible"): "S3", ("E", "responsible"): "S5", ("F", "responsible"): "S6",
        ("G", "responsible"): "S8", ("H", "responsible"): "S9", ("I", "responsible"): "S8",
        ("J", "responsible"): "S10", ("K", "responsible"): "S11", ("L", "responsible"): "S12",
        ("M", "responsible"): "S12", ("O", "responsible"): "S12", ("P", "responsible"): "S13",
        ("Q", "responsible"): "S13", ("T", "responsible"): "S14", ("U", "responsible"): "S15",
        ("V", "responsible"): "S16", ("W", "responsible"): "S16", ("X", "responsible"): "S17",
        ("E", "backup"): "S7", ("F", "backup"): "S7",
        ("C001", "mediator"): "S18", (TOWN, "mediator"): "S19"}
KEPT = {("A", "S1"), ("B", "S2"), ("C", "S3"), ("E", "S5"), ("G", "S8"), ("I", "S8"),
        ("H", "S9"), ("K", "S11"), ("L", "S12"), ("P", "S13"), ("Q", "S13"), ("U", "S15"),
        ("V", "S16"), ("X", "S17"), ("E", "S7")}
HELD_BEFORE = len(KEPT) + 1  # and D, whose S4 is away
NOBODY_NEEDED = "NSZ"
VACANT = ("Y",)
KINDS = {"C001": "old", "C007": "rural"}
ASKED = {"old": {"backups": 1}, "community_roles": {"mediator": 1},
         "workload": {"household": 1.0, "hectare": 10.0, "key_place": 20.0, "without_lift": 0.5,
                      "unmanaged_estate": 50.0}}
PREMISES = (500_010.0, -10.0)


def code(place: str) -> str:
    return CODES.get(place, place)


def codes(cell: str) -> str:
    return ";".join(CODES.get(one, one) for one in cell.split(";")) if cell else ""


def roster_rows() -> list[list[str]]:
    rows = [[str(v) for v in person] for person in PEOPLE]
    for row in rows:
        for name in ("grids", "wishes", "bars"):
            row[FIELDS.index(name)] = codes(row[FIELDS.index(name)])
    return [list(FIELDS), *rows]


def as_csv(rows: list[list[str]], encoding: str = "utf-8") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode(encoding)


def draw_staff() -> pd.DataFrame:
    words = {"网格员": "responsible", "调解员": "mediator"}
    rows = [{"staff_id": p[0], "role": words.get(p[1], p[1]), "community_id": p[2],
             "capacity": p[3] or None, "capacity_unit": p[4] or None, "part_time": p[5]}
            for p in PEOPLE if p[0] != ABSENT]
    return conform("staff", pd.DataFrame(rows))


def draw_assignments(grids: gpd.GeoDataFrame, towns: gpd.GeoDataFrame,
                     houses: gpd.GeoDataFrame) -> pd.DataFrame:
    home = {p[0]: p[2] for p in PEOPLE}
    land = {**grids.set_index("grid_id").geometry.to_dict(),
            **towns.set_index("community_id").geometry.to_dict()}
    at = {name: shape.point_on_surface() for name, shape in land.items()}
    at[TOWN] = shapely.Point(PREMISES)
    known = houses[houses["building_id"].isin(["C0", "C1", "D1"])].geometry.centroid
    starts = {who: at[town] for who, town in home.items()}
    starts["S3"] = shapely.Point(known.x.mean(), known.y.mean())
    rows = []
    for (place, role), who in HELD.items():
        inside = place in CODES
        rows.append({
            "assignment_id": f"{code(place)}-{role}-1", "grid_id": code(place) if inside else None,
            "community_id": None if inside else place, "staff_id": who, "role": role,
            "travel_m": round(1.3 * starts[who].distance(at[code(place)])),
            "kept": (place, who) in KEPT})
    return conform("assignments", pd.DataFrame(rows))


def count_loads(grids: pd.DataFrame) -> dict[str, float]:
    """What every grid asks: households, 10 a hectare, a school in K, stairs in A, no manager."""
    out = {}
    for row in grids.itertuples():
        out[row.grid_id] = float(row.households) + 10 * row.area_m2 / 1e4
    out[CODES["K"]] += 20
    out[CODES["A"]] += 0.5 * 100
    out[CODES["G"]] += 50
    return out


def scopes_of(community: str) -> list[tuple[str, str]]:
    side = "rural" if KINDS.get(community) == "rural" else "urban"
    return [("city", "all"), ("city", side), ("community", community)]


def count_figures(grids: pd.DataFrame, assignments: pd.DataFrame) -> list[dict[str, object]]:
    """Return the figures of the assignment, counted post by post."""
    owner = dict(zip(grids["grid_id"], grids["community_id"], strict=True))
    size = dict(zip(grids["grid_id"], grids["households"].astype(float), strict=True))
    load = count_loads(grids)
    idle = {CODES[k] for k in NOBODY_NEEDED}
    lead = {code(p): who for (p, role), who in HELD.items() if role == "responsible"}
    scopes: dict[tuple[str, str], dict[str, float]] = {}

    def count(community: str, name: str, amount: float) -> None:
        for scope in scopes_of(community):
            held = scopes.setdefault(scope, {})
            held[name] = held.get(name, 0.0) + amount

    posts = [(g, "responsible") for g in owner if g not in idle]
    posts += [(CODES[k], "backup") for k in "EF"] + [(c, "mediator") for c in set(owner.values())]
    filled = {(code(p), role) for p, role in HELD}
    for place, role in posts:
        count(owner.get(place, place), f"need:{role}", 1)
        count(owner.get(place, place), f"fill:{role}", (place, role) in filled)
    for grid, community in owner.items():
        if grid not in idle:
            count(community, "homes", size[grid])
            count(community, "led", size[grid] * (grid in lead))
    people = {p[0]: p for p in PEOPLE if p[0] != ABSENT}
    for who in people.values():
        count(who[2], "staff", who[1] in ("responsible", "网格员", "assistant"))
        count(who[2], "aids", who[1] == "newcomer_assistant")
    sums: dict[str, float] = {}
    taken: dict[str, float] = {}
    for grid, who in lead.items():
        sums[who] = sums.get(who, 0.0) + load[grid] / float(people[who][5])
        taken[who] = taken.get(who, 0.0) + (1.0 if people[who][4] == "grids" else size[grid])
    rows: list[dict[str, object]] = []

    def add(name: str, scope: tuple[str, str], value: float | None, numerator: float | None = None,
            denominator: float | None = None, target: float | None = None) -> None:
        rows.append({"name": name, "scope": scope[0], "scope_id": scope[1], "value": value,
                     "numerator": numerator, "denominator": denominator, "target": target})

    goal = {"urban": (1.0, 0.8), "rural": (0.6, 0.3)}
    for scope, held in scopes.items():
        mine = [c for c in sorted(set(owner.values())) if scope in scopes_of(c)]
        led = [c for c in mine if any(owner[g] == c for g in lead)]
        goals = goal.get(scope[1], (None, None))
        if scope[0] == "city":
            for name, target in zip(("communities_with_grids", "communities_with_grids_early"),
                                    goals, strict=True):
                add(name, scope, len(led) / len(mine), len(led), len(mine), target)
        many = held["need:responsible"]
        add("grids_with_responsible", scope, held["fill:responsible"] / many,
            held["fill:responsible"], many, goals[0])
        add("households_with_responsible", scope, held["led"] / held["homes"], held["led"],
            held["homes"])
        add("staff_per_grid", scope, held.get("staff", 0) / many, held.get("staff", 0), many, 1.2)
        add("newcomer_assistants_per_1000", scope, None, held.get("aids", 0), 0.0, 1.0)
        roles = [r for r in ("responsible", "backup", "mediator") if f"need:{r}" in held]
        need, have = (sum(held[f"{w}:{r}"] for r in roles) for w in ("need", "fill"))
        add("vacant_posts", scope, need - have, have, need)
        for r in roles:
            add(f"missing_staff:{r}", scope, held[f"need:{r}"] - held[f"fill:{r}"],
                held[f"fill:{r}"], held[f"need:{r}"])
        loads = [v for who, v in sums.items() if scope in scopes_of(people[who][2])]
        add("load_max", scope, max(loads))
        add("load_mean", scope, sum(loads) / len(loads), sum(loads), len(loads))
        add("load_max_to_mean", scope, max(loads) / (sum(loads) / len(loads)), max(loads),
            sum(loads) / len(loads))
    rooms = {who: float(p[3] or 500 * float(p[5])) for who, p in people.items()
             if p[1] in ("responsible", "网格员")}
    tenths = [min(math.floor(10 * taken.get(who, 0.0) / room + 1e-9), 10)
              for who, room in rooms.items()]
    for k in range(11):
        add(f"load_share:{k / 10:.1f}", ("city", "all"), tenths.count(k), tenths.count(k),
            len(tenths))
    for grid in owner:
        for name, weight, amount in (
                ("household", 1.0, size[grid]),
                ("hectare", 10.0, float(grids.set_index("grid_id").loc[grid, "area_m2"]) / 1e4),
                ("key_place", 20.0, float(grid == CODES["K"])),
                ("without_lift", 0.5, 100.0 * (grid == CODES["A"])),
                ("unmanaged_estate", 50.0, float(grid == CODES["G"]))):
            add(f"workload:{name}", ("grid", grid), weight * amount, amount)
    kept = len(KEPT)
    city = ("city", "all")
    add("kept_assignments", city, kept, kept, HELD_BEFORE)
    add("kept_assignments_bound", city, kept)
    add("changed_assignments", city, HELD_BEFORE - kept, HELD_BEFORE - kept, HELD_BEFORE)
    add("changed_assignments_bound", city, HELD_BEFORE - kept)
    add("wishes_granted", city, 1, 1, 2)
    add("travel_m", city, float(assignments["travel_m"].sum()))
    return rows


def draw_staffed(folder: Path) -> tuple[Path, Path]:
    """Return the plan of the town of letters with its people, and the roster."""
    roster = folder / "roster.csv"
    roster.write_bytes(as_csv(roster_rows()))
    plan = draw_plan(sha256(b"{}").hexdigest())
    grids, towns, houses = (plan[n].copy() for n in ("grids", "communities", "buildings"))
    towns["kind"] = [KINDS.get(c, "urban") for c in towns["community_id"]]
    houses.loc[houses["building_id"] == "A0", "floors"] = 6.0
    houses.loc[houses["building_id"] == "A1", "floors"] = 7.0
    houses.loc[houses["building_id"] == "A0", "estate_id"] = "e1"
    houses.loc[houses["building_id"] == "G0", "estate_id"] = "e2"
    assignments = draw_assignments(grids, towns, houses)
    grids["workload"] = [count_loads(grids)[g] for g in grids["grid_id"]]
    run = dict(zip(plan["run"]["key"], plan["run"]["value"], strict=True))
    run |= {"parameters": json.dumps({**json.loads(run["parameters"]), "assign": ASKED}),
            "range:old": "300/500", "range:rural": "300/500", "assign:held": "roster",
            "assign:absent": ABSENT,
            "input:2:roster.csv:roster": sha256(roster.read_bytes()).hexdigest()}
    school = grids.set_index("grid_id").geometry[CODES["K"]].centroid
    facilities = gpd.GeoDataFrame({
        "facility_id": ["f1", "f2", "f3"], "status": ["existing", "existing", "proposed"],
        "categories": ["community_service_station", "park; primary_school", "hospital"]},
        geometry=[shapely.Point(PREMISES), school, school], crs=CRS)
    estates = gpd.GeoDataFrame({"estate_id": ["e1", "e2"], "management": ["yes", "无物业"],
                                "name": ["玉兰苑", ""]}, crs=CRS, geometry=[
        shapely.MultiPolygon([house.buffer(1)]) for house in
        houses.set_index("building_id").geometry.loc[["A0", "G0"]]])
    tally = pd.DataFrame([{"stage": "assign", "layer": "roster", "rows_in": 20, "used": 19,
                           "repaired": 0, "rejected": 0, "outside": 1, "households_in": 0,
                           "households_out": 0}])
    figures = pd.DataFrame(count_figures(grids, assignments))
    plan |= {"grids": grids, "communities": towns, "buildings": houses,
             "facilities": conform("facilities", facilities),
             "estates": conform("estates", estates), "staff": draw_staff(),
             "assignments": assignments,
             "figures": conform("figures", pd.concat([plan["figures"], figures])),
             "tally": conform("tally", pd.concat([plan["tally"], tally])),
             "run": pd.DataFrame({"key": list(run), "value": list(run.values())})}
    return write(plan, folder / "staffed.gpkg"), roster


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return draw_staffed(tmp_path_factory.mktemp("staffed"))


def spoil(path: Path, copy: Path, statements: str) -> Path:
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy)) as base:
        base.executescript(statements.format(**CODES))
        base.commit()
    return copy


def test_the_good_plan_passes_with_and_without_its_roster(town: tuple[Path, Path]) -> None:
    report = check_plan(town[0], inputs=[town[1]])
    assert report.broken == []
    assert not report.unchecked
    assert not report.lacking
    alone = check_plan(town[0])
    assert alone.broken == []
    assert alone.lacking == ["communities", "bars", "kept", "travel", "wishes", "privacy"]


def test_figures_are_those_counted_by_hand(town: tuple[Path, Path]) -> None:
    figures = check_plan(town[0], inputs=[town[1]]).figures
    assert figures["grids_with_responsible"] == 21 / 22
    assert figures["communities_with_grids"] == 1.0
    assert figures["households_with_responsible"] == (7217 - 400) / 7217
    assert figures["staff_per_grid"] == 16 / 22
    assert figures["vacant_posts"] == 1 + 6
    assert figures["kept_assignments"] == 15
    assert figures["changed_assignments"] == 1
    assert figures["load_max"] == pytest.approx(800 + 10 * 2 * 0.16)


GIVE = "UPDATE assignments SET staff_id='{}' WHERE assignment_id='{{{}}}-responsible-1'".format
SPOILT = [
    ("a grid taken from its responsible", "DELETE FROM assignments WHERE grid_id='{A}'",
     {"staff_figure_differs", "vacant_needless"}),
    ("a grid given to nobody and to all", "UPDATE assignments SET grid_id=NULL "
     "WHERE grid_id='{A}'", {"post_place"}),
    ("a post of two places", "UPDATE assignments SET community_id='C001' WHERE grid_id='{A}'",
     {"post_place"}),
    ("a mediator of a grid", "UPDATE assignments SET role='mediator' WHERE grid_id='{A}'",
     {"post_role"}),
    ("a community with a responsible", "UPDATE assignments SET role='responsible' "
     "WHERE community_id='C001'", {"post_role"}),
    ("a post of land where nobody is needed", "UPDATE assignments SET grid_id='{N}' "
     "WHERE grid_id='{A}'", {"post_unneeded", "staff_figure_differs"}),
    ("a second responsible", "UPDATE assignments SET grid_id='{A}' WHERE grid_id='{B}'",
     {"post_crowded", "post_code"}),
    ("a code of another grid", "UPDATE assignments SET assignment_id='x-responsible-1' "
     "WHERE grid_id='{A}'", {"post_code"}),
    ("numbers that do not begin with 1", "UPDATE assignments SET "
     "assignment_id='{A}-responsible-2' WHERE grid_id='{A}'", {"post_code"}),
    ("an assistant as responsible", GIVE("S7", "F"), {"post_holder"}),
    ("a person twice in a post", "INSERT INTO assignments (assignment_id, grid_id, staff_id, "
     "role, travel_m, kept) SELECT '{A}-responsible-2', grid_id, staff_id, role, travel_m, kept "
     "FROM assignments WHERE grid_id='{A}'", {"post_twice", "post_crowded"}),
    ("a backup of her own", "UPDATE assignments SET staff_id='S5' "
     "WHERE assignment_id='{E}-backup-1'", {"backup_of_self"}),
    ("more households than she has room for", GIVE("S1", "B"),
     {"staff_overloaded", "staff_figure_differs"}),
    ("more households than the default", GIVE("S2", "A"), {"staff_overloaded"}),
    ("more households than half the time allows", GIVE("S14", "U"), {"staff_overloaded"}),
    ("more grids than she has room for", GIVE("S3", "B"), {"staff_overloaded"}),
    ("a third backup", "INSERT INTO assignments (assignment_id, grid_id, staff_id, role, "
     "travel_m, kept) VALUES ('{A}-backup-1', '{A}', 'S7', 'backup', 0, 0)",
     {"staff_many", "post_crowded"}),
    ("a mediator of two communities", "INSERT INTO assignments (assignment_id, community_id, "
     "staff_id, role, travel_m, kept) VALUES ('C002-mediator-1', 'C002', 'S18', 'mediator', 0, "
     "0)", {"staff_many", "staff_elsewhere"}),
    ("a grid of another community", GIVE("S10", "A"), {"staff_elsewhere"}),
    ("a workload forged", "UPDATE grids SET workload=workload+1 WHERE grid_id='{A}'",
     {"workload_differs"}),
    ("a workload removed", "UPDATE grids SET workload=NULL WHERE grid_id='{A}'",
     {"workload_differs"}),
    ("a weight forged", "UPDATE run SET value=replace(value, '\"hectare\": 10.0', "
     "'\"hectare\": 11.0')", {"workload_differs", "staff_figure_differs"}),
    ("a person added to the tally", "UPDATE tally SET rows_in=21, used=20 WHERE stage='assign'",
     {"tally_staff"}),
    ("everybody gone", "DELETE FROM assignments; DELETE FROM staff", {"no_rows"}),
    ("a person of no community", "UPDATE staff SET community_id='C999' WHERE staff_id='S1'",
     {"dangling"}),
    ("an assignment of nobody", "DELETE FROM staff WHERE staff_id='S1'", {"dangling"}),
    ("two people with one id", "UPDATE staff SET staff_id='S2' WHERE staff_id='S1'",
     {"duplicate_key"}),
    ("a role that is none", "UPDATE staff SET role='king' WHERE staff_id='S1'", {"bad_choice"}),
    ("more than full time", "UPDATE staff SET part_time=1.5 WHERE staff_id='S1'",
     {"out_of_bounds"}),
    # figures
    ("a share forged", "UPDATE figures SET value=1 WHERE name='grids_with_responsible' "
     "AND scope_id='all'", {"staff_figure_differs"}),
    ("a numerator forged", "UPDATE figures SET numerator=numerator-1 "
     "WHERE name='households_with_responsible' AND scope_id='urban'", {"staff_figure_differs"}),
    ("a denominator forged", "UPDATE figures SET denominator=denominator+1 "
     "WHERE name='communities_with_grids' AND scope_id='rural'", {"staff_figure_differs"}),
    ("a goal forged", "UPDATE figures SET target=0.5 WHERE name='grids_with_responsible' "
     "AND scope_id='urban'", {"staff_figure_differs"}),
    ("a vacancy hidden", "UPDATE figures SET value=0 WHERE name='missing_staff:mediator' "
     "AND scope_id='C002'", {"staff_figure_differs"}),
    ("a term of the workload forged", "UPDATE figures SET value=value+1 "
     "WHERE name='workload:key_place' AND scope_id='{K}'", {"staff_figure_differs"}),
    ("a bar of the histogram forged", "UPDATE figures SET value=value+1 "
     "WHERE name='load_share:0.8'", {"staff_figure_differs"}),
    ("a figure removed", "DELETE FROM figures WHERE name='load_max_to_mean'",
     {"staff_figure_missing"}),
    ("a figure of a role that is not needed", "INSERT INTO figures (name, scope, scope_id, value) "
     "VALUES ('missing_staff:guard', 'city', 'all', 3)", {"staff_figure_odd"}),
    ("a bound that is bettered", "UPDATE figures SET value=14 WHERE name='kept_assignments_bound'",
     {"staff_bound"}),
    ("a bound of changes above them", "UPDATE figures SET value=2 "
     "WHERE name='changed_assignments_bound'", {"staff_bound"}),
    ("fewer ways told", "UPDATE figures SET value=value-5 WHERE name='travel_m'",
     {"staff_figure_differs"}),
    # the roster
    ("a grid that she is barred from", GIVE("S1", "D"), {"post_barred"}),
    ("a capacity raised", "UPDATE staff SET capacity=501 WHERE staff_id='S1'", {"staff_differs"}),
    ("a role changed", "UPDATE staff SET role='guard' WHERE staff_id='S20'", {"staff_differs"}),
    ("the absent back again", "UPDATE run SET value='' WHERE key='assign:absent'",
     {"staff_unlisted"}),
    ("a way forged", "UPDATE assignments SET travel_m=travel_m+2 WHERE grid_id='{D}'",
     {"travel_differs"}),
    ("a way from home instead of known buildings", "UPDATE assignments SET travel_m=0 "
     "WHERE grid_id='{D}'", {"travel_differs"}),
    ("new told as kept", "UPDATE assignments SET kept=1 WHERE grid_id='{D}'",
     {"kept_false", "staff_figure_differs"}),
    ("kept told as new", "UPDATE assignments SET kept=0 WHERE grid_id='{A}'", {"kept_false"}),
    ("two who swap what they had", GIVE("S2", "A") + "; " + GIVE("S1", "B")
     + "; UPDATE assignments SET kept=0 WHERE grid_id IN ('{A}', '{B}')", {"kept_fewer"}),
    ("a wish told as granted", "UPDATE figures SET value=2, numerator=2 "
     "WHERE name='wishes_granted'", {"staff_figure_differs"}),
    ("a name in a note", "UPDATE grids SET note='ask 王秀英' WHERE grid_id='{A}'",
     {"person_told"}),
    ("a name as a skill", "UPDATE staff SET languages='Ann  Lee; English' WHERE staff_id='S3'",
     {"person_told"}),
    ("a phone in a note", "UPDATE grids SET note='tel. +86 138-0000-0001' WHERE grid_id='{A}'",
     {"person_told"}),
    ("a phone in a name of the map", "UPDATE roads SET name='13900000002'", {"person_told"}),
    ("a home in the run table", "INSERT INTO run VALUES (999, 'own', '住玉兰苑 3幢502室二楼')",
     {"person_told"}),
    ("a column of names", "ALTER TABLE staff ADD COLUMN who TEXT; "
     "UPDATE staff SET who='李建国' WHERE staff_id='S2'", {"person_told"}),
    ("a table of names", "CREATE TABLE mine (who TEXT); INSERT INTO mine VALUES ('李建国')",
     {"person_told"}),
]


@pytest.mark.parametrize(("what", "statements", "expected"), SPOILT, ids=[s[0] for s in SPOILT])
def test_every_corruption_is_named(town: tuple[Path, Path], tmp_path: Path, what: str,
                                   statements: str, expected: set[str]) -> None:
    report = check_plan(spoil(town[0], tmp_path / "bad.gpkg", statements), inputs=[town[1]])
    assert expected <= keys(report), what
    for finding in report.findings():
        for lang in ("en", "zh"):
            assert finding.what(lang)
            assert finding.mend(lang)


def test_every_rule_of_people_is_seen_broken() -> None:
    room = {n for n in load_room("check") if not n.endswith(".mend")}
    ours = {n for n in room if n.startswith(("staff_", "post_", "kept_", "vacant_", "person_"))}
    ours |= {"backup_of_self", "workload_differs", "travel_differs", "tally_staff"}
    assert ours == set().union(*(s[2] for s in SPOILT)) - {
        "no_rows", "dangling", "duplicate_key", "bad_choice", "out_of_bounds"}


def test_an_emptied_post_that_nobody_could_hold_is_only_a_vacancy(
        town: tuple[Path, Path], tmp_path: Path) -> None:
    # Without S17 nobody serves in C007.
    copy = spoil(town[0], tmp_path / "bad.gpkg",
                 "DELETE FROM assignments WHERE grid_id='{X}'; UPDATE run SET "
                 "value='S4;S17' WHERE key='assign:absent'; "
                 "DELETE FROM staff WHERE staff_id='S17'")
    assert "vacant_needless" not in keys(check_plan(copy, inputs=[town[1]]))


# ---- reading the roster --------------------------------------------------------------------

CHINESE = ("工号", "岗位", "社区编码", "容量（户）", "容量单位", "工时比例", "现任网格", "包片",
           "意愿", "回避", "可调配社区", "姓名", "手机号", "家庭住址")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16",
                                      "utf-16-le"])
def test_a_chinese_roster_of_any_encoding_is_read(town: tuple[Path, Path], tmp_path: Path,
                                                  encoding: str) -> None:
    title = ["", "", "某区网格人员花名册", *[""] * 11]
    rows = [title, [""] * 14, list(CHINESE), *roster_rows()[1:]]
    path = tmp_path / "other.csv"
    path.write_bytes(as_csv(rows, encoding))
    bad = spoil(town[0], tmp_path / "bad.gpkg", GIVE("S1", "D"))
    assert keys(check_plan(town[0], inputs=[path])) == {"input_unknown"}
    assert {"input_unknown", "post_barred"} <= keys(check_plan(bad, inputs=[path]))


def test_a_workbook_with_merged_cells_and_two_sheets_is_read(town: tuple[Path, Path],
                                                             tmp_path: Path) -> None:
    path = tmp_path / "roster.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("说明").write_string(0, 0, "填表说明")
        sheet = book.add_worksheet("花名册")
        for r, row in enumerate([["标题"], list(CHINESE), *roster_rows()[1:]]):
            for c, cell in enumerate(row):
                (sheet.write_number if c in (3, 5) and r > 1 and cell else
                 sheet.write_string)(r, c, float(cell) if c in (3, 5) and r > 1 and cell else cell)
        sheet.merge_range(2, 2, 5, 2, TOWN)
    assert keys(check_plan(town[0], inputs=[path])) == {"input_unknown"}
    bad = spoil(town[0], tmp_path / "bad.gpkg",
                "UPDATE staff SET community_id='C001' WHERE staff_id='S2'")
    assert "staff_differs" in keys(check_plan(bad, inputs=[path]))


def test_bars_and_wishes_may_name_communities(town: tuple[Path, Path], tmp_path: Path) -> None:
    rows = roster_rows()
    rows[10][FIELDS.index("bars")] = "community:C002"
    path = tmp_path / "roster.csv"
    path.write_bytes(as_csv(rows))
    assert keys(check_plan(town[0], inputs=[path])) == {"input_changed", "post_barred"}


def test_a_file_that_is_no_roster_is_told_as_before(town: tuple[Path, Path],
                                                    tmp_path: Path) -> None:
    for name, data in (("roster.csv", b"a,b\n1,2\n"), ("roster.xlsx", b"PK\x03\x04nothing"),
                       ("empty.csv", b"")):
        (tmp_path / name).write_bytes(data)
        report = check_plan(town[0], inputs=[tmp_path / name])
        assert keys(report) <= {"input_changed", "input_unknown"}
        assert "bars" in report.lacking


def test_after_a_run_from_the_plan_kept_cannot_be_told(town: tuple[Path, Path],
                                                       tmp_path: Path) -> None:
    copy = spoil(town[0], tmp_path / "again.gpkg",
                 "UPDATE run SET value='plan' WHERE key='assign:held'")
    report = check_plan(copy, inputs=[town[1]])
    assert report.broken == []
    assert report.lacking == ["kept"]


def test_the_command_says_what_it_could_not_check(town: tuple[Path, Path]) -> None:
    runner = CliRunner()
    for lang, words in (("en", "bars"), ("zh", "回避")):
        result = runner.invoke(app, ["check", str(town[0]), "--lang", lang])
        assert result.exit_code == 0
        assert words in result.stdout
    full = runner.invoke(app, ["check", str(town[0]), "--inputs", str(town[1]), "--lang", "en"])
    assert full.exit_code == 0
    assert "bars" not in full.stdout


# ---- plans that were assigned ---------------------------------------------------------------

@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a plan of two communities and the roster of their town."""
    folder = tmp_path_factory.mktemp("planned")
    town = build_town(2, 3)
    files = {p.name: p for p in write_town(town, folder)}
    params = Params(seed=3, partition=PartitionParams(effort="fast"))
    plan = plan_city(town.study, params, Findings())
    return write_plan(plan, folder / "plan.gpkg").path, files["roster.xlsx"]


def assign(plan: Path, roster: Path, target: Path, options: AssignParams,
           absent: tuple[str, ...] = ()) -> Path:
    done, _ = assign_plan(read_plan(plan), read_roster(roster, Findings()),
                          Params(assign=options), Findings(), absent=absent)
    return write_plan(done, target).path


@pytest.mark.parametrize("options", [
    AssignParams(), AssignParams(backups=1, profile="nantong", across=True),
    AssignParams(responsibles=2, backups=1, order=("balance", "continuity")),
    AssignParams(workload=Workload(hectare=2.5, without_lift=0.2, key_place=20, rented=0.3))],
    ids=["plain", "all posts", "two each", "terms"])
def test_what_assign_makes_passes(planned: tuple[Path, Path], tmp_path: Path,
                                  options: AssignParams) -> None:
    plan, roster = planned
    done = assign(plan, roster, tmp_path / "done.gpkg", options)
    report = check_plan(done, inputs=[roster])
    assert [f.line() for f in report.findings()] == []
    assert not report.lacking
    gone = str(read_plan(done).layer("assignments")["staff_id"].iloc[0])
    again = check_plan(assign(done, roster, tmp_path / "again.gpkg", options, (gone,)),
                       inputs=[roster])
    assert [f.line() for f in again.findings()] == []
    assert again.lacking == ["kept"]


def test_a_post_taken_from_what_assign_made_is_missed(planned: tuple[Path, Path],
                                                      tmp_path: Path) -> None:
    done = assign(*planned, tmp_path / "done.gpkg", AssignParams())
    for row in read_plan(done).layer("assignments").head(4).itertuples():
        bad = tmp_path / f"{row.Index}.gpkg"
        shutil.copy(done, bad)
        with closing(sqlite3.connect(bad)) as base:
            base.execute("DELETE FROM assignments WHERE assignment_id=?", (row.assignment_id,))
            base.commit()
        assert {"vacant_needless", "staff_figure_differs"} <= keys(
            check_plan(bad, inputs=[planned[1]]))


# ---- parts ---------------------------------------------------------------------------------

def test_matching_fills_first_and_keeps_then() -> None:
    size = {"g1": 1.0, "g2": 1.0}
    able = {"g1": {"a", "b"}, "g2": {"a"}}
    before = {("g1", "a")}
    room = {"a": (9.0, 1.0), "b": (9.0, 1.0)}
    slots = {"g1": 1, "g2": 1}
    best = Choice(slots, size, able, before, {"g1": {"b"}, "g2": {"a"}}, room)
    assert _match(best, ["g1", "g2"]) == (2, 0)
    assert _judge_part(best, ["g1", "g2"], ["a", "b"], keep=True) == ""
    kept = Choice(slots, size, able, before, {"g1": {"a"}, "g2": set()}, room)
    assert _judge_part(kept, ["g1", "g2"], ["a", "b"], keep=True) == "vacant"


def test_single_moves_are_found_where_people_hold_several_posts() -> None:
    size = {"g1": 4.0, "g2": 3.0, "g3": 3.0}
    able = {g: {"a", "b"} for g in size}
    room = {"a": (7.0, 9.0), "b": (6.0, 9.0)}
    slots = dict.fromkeys(size, 1)
    chosen = {"g1": {"a"}, "g2": {"a"}, "g3": {"b"}}

    def judge(before: set[tuple[str, str]]) -> str:
        return _judge_part(Choice(slots, size, able, before, chosen, room), list(size),
                           ["a", "b"], keep=True)

    assert judge({("g1", "a")}) == ""
    assert judge({("g2", "b")}) == "kept"  # b has room for it
    assert judge({("g3", "a")}) == "kept"  # a and b swap g2 and g3
    assert judge({("g1", "b")}) == "kept"  # a and b swap g1 and g3
    room["b"] = (3.0, 9.0)
    assert judge({("g1", "b")}) == ""  # b has no room for it


def test_words_and_phones_are_found_and_codes_are_not() -> None:
    assert _find_phones("110105001002007 13812345678", {"05001002007"[-8:]}) == 0
    assert _find_phones("0086 138 1234 5678", {"13812345678"}) == 1
    assert _find_words("李建国路", {"李建国"}) == 0
    assert _find_words("李建国（组长）", {"李建国"}) == 1
