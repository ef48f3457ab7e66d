"""A service circle round the town of letters, and small towns whose ways are measured by hand.

One street runs north of all letters, so that every way is a leg, a stretch of it and a leg. What
the layers should say is counted here with plain loops.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import LineString, Point, Polygon, box
from test_check import CRS, draw_plan, keys, write

from gridplan.check import check_plan
from gridplan.check.circle_demand import NEEDED, PERHAPS
from gridplan.check.circle_desk import lay_circle
from gridplan.check.circle_stale import hash_layer
from gridplan.check.reading import read_plan
from gridplan.i18n import load_room
from gridplan.layers import conform
from gridplan.plan import digest_layer

STREET_Y, WEST = 100.0, 500_000.0
WALKERS = {"adult": 1.25, "older": 1.0}
PROFILE = [
    {"category": "clinic", "limit_m": 1000.0, "target_share": 0.8, "min_area_urban_m2": 100.0,
     "measure": "network"},
    {"category": "park", "limit_m": 600.0, "required": False, "measure": "network"},
    {"category": "bell", "limit_m": 1500.0, "measure": "radius"},
    {"category": "hall", "measure": "presence", "per": "subdistrict"}]
LIMITS = {"clinic": 1000.0, "park": 600.0, "bell": 1500.0}
# Facility → metres east, metres north of the street, categories, capacity, area, status.
FACILITIES = {
    "f1": (1100.0, 10.0, "clinic", 300.0, 120.0, "existing"),
    "f2": (1900.0, 20.0, "clinic", 5000.0, 80.0, "existing"),
    "f3": (2050.0, 30.0, "park", None, None, "existing"),
    "f4": (30.0, 0.0, "bell", None, None, "existing"),
    "f5": (5000.0, 0.0, "park", None, None, "existing"),
    "f6": (1010.0, -110.0, "hall", None, None, "existing"),
    "P001": (4300.0, 0.0, "clinic", None, None, "proposed"),
    "P002": (5500.0, 0.0, "clinic", None, None, "proposed")}
BOUND = 2600.0


def spot(name: str) -> Point:
    east, north = FACILITIES[name][:2]
    return Point(WEST + east, STREET_Y + north)


def having(category: str, after: bool = False) -> list[str]:
    return [f for f, told in FACILITIES.items() if category in told[2].split(";")
            and (after or told[5] == "existing")]


def walk(house: Point, facility: str, category: str) -> float:
    there = spot(facility)
    if category == "bell":
        return house.distance(there)
    return (STREET_Y - house.y) + abs(house.x - there.x) + (there.y - STREET_Y)


class Count:
    """Everything that is counted by hand over the buildings of the town of letters."""

    def __init__(self, houses: gpd.GeoDataFrame, towns: gpd.GeoDataFrame) -> None:
        self.people = houses["households"].astype(float).tolist()
        self.places = {"city": ["all"] * len(houses)}
        above = dict(zip(towns["community_id"], towns["subdistrict_id"], strict=True))
        self.places["subdistrict"] = [above[c] for c in houses["community_id"]]
        self.places["community"] = houses["community_id"].tolist()
        self.places["grid"] = houses["grid_id"].tolist()
        middle = houses.geometry.centroid.tolist()
        self.far = {f: {c: [walk(m, f, c) for m in middle] for c in told[2].split(";")}
                    for f, told in FACILITIES.items()}

    def nearest(self, category: str, after: bool) -> list[tuple[float, str]]:
        return [min((self.far[f][category][k], f) for f in having(category, after))
                for k in range(len(self.people))]

    def rows(self, scope: str, name: str) -> list[int]:
        return [k for k, place in enumerate(self.places[scope]) if place == name]

    def total(self, rows: Iterable[int]) -> float:
        return sum(self.people[k] for k in rows)

    def covered(self, category: str, limit: float, after: bool, rows: Iterable[int]
                ) -> list[int]:
        near = self.nearest(category, after)
        return [k for k in rows if near[k][0] <= limit]


def all_places(grids: pd.DataFrame, towns: pd.DataFrame) -> list[tuple[str, str]]:
    return [("city", "all"), *(("subdistrict", s) for s in sorted(set(towns["subdistrict_id"]))),
            *(("community", c) for c in towns["community_id"]),
            *(("grid", g) for g in grids["grid_id"])]


def draw_coverage(count: Count, places: list[tuple[str, str]]) -> pd.DataFrame:
    rows = []
    for state in ("clinic", "park", "bell", "clinic:after"):
        category, after = state.removesuffix(":after"), state.endswith(":after")
        near = count.nearest(category, after)
        for walker, speed in WALKERS.items():
            limit = round(LIMITS[category] / 1.25 * speed, 1)
            for scope, name in places:
                held = [k for k in count.rows(scope, name) if count.people[k]]
                total = count.total(held)
                inside = count.total(count.covered(category, limit, after, held))
                running, median = 0.0, None
                for k in sorted(held, key=lambda k: near[k]):
                    running += count.people[k]
                    if median is None and 2 * running >= total:
                        median = near[k][0]
                most: dict[str, float] = {}
                for k in held:
                    most[near[k][1]] = most.get(near[k][1], 0.0) + count.people[k]
                best = min(most, key=lambda f: (-most[f], f)) if most else None
                rows.append({"scope": scope, "scope_id": name, "category": state,
                             "walker": walker, "reading": "near", "limit_m": limit,
                             "households": total, "covered": inside,
                             "share": inside / total if total else None, "nearest_id": best,
                             "nearest_m": median})
    return conform("coverage", pd.DataFrame(rows))


def draw_figures(count: Count, places: list[tuple[str, str]]) -> pd.DataFrame:
    rows: list[dict[str, object]] = []

    def add(name: str, place: tuple[str, str], value: float | None, top: float | None = None,
            bottom: float | None = None, target: float | None = None) -> None:
        rows.append({"name": name, "scope": place[0], "scope_id": place[1], "value": value,
                     "numerator": top, "denominator": bottom, "target": target})

    def share(name: str, place: tuple[str, str], top: float, bottom: float,
              target: float | None = None) -> None:
        add(name, place, top / bottom if bottom else None, top, bottom, target)

    for place in places:
        held = count.rows(*place)
        total = count.total(held)
        inside = {c: count.covered(c, LIMITS[c], False, held) for c in LIMITS}
        for category, who in inside.items():
            share(f"covered:{category}", place, count.total(who), total,
                  0.8 if category == "clinic" else None)
        share("completeness", place, count.total(inside["clinic"]) + count.total(inside["bell"]),
              2 * total)
        share("full_circle", place, count.total(set(inside["clinic"]) & set(inside["bell"])),
              total)
        for category in LIMITS if place[0] != "grid" else ():
            running, worst = 0.0, None
            near = count.nearest(category, False)
            for k in sorted(held, key=lambda k: near[k][0]):
                running += count.people[k]
                if worst is None and running >= 0.9 * total and total:
                    worst = near[k][0]
            add(f"worst_decile_m:{category}", place, worst, target=LIMITS[category])
        for category in LIMITS if place[0] in ("city", "community") else ():
            several = [k for k in held if sum(
                count.far[f][category][k] <= LIMITS[category] for f in having(category)) >= 2]
            share(f"choice:{category}", place, count.total(several), total)
    city = ("city", "all")
    served = demand_of(count)
    add("supply:clinic", city, 1000 * sum(FACILITIES[f][3] for f in served) / sum(count.people))
    add("overloaded:clinic", city, sum(served[f] > FACILITIES[f][3] for f in served))
    share("norm_share:clinic", city, 1, 2)
    share("presence:hall", city, 1, 2)
    share("gain:clinic", city, 0, 0)
    gain = sum(told for _, told in draw_gains(count))
    rows[-1] |= {"value": gain, "target": BOUND}
    add("gain_gap:clinic", city, BOUND / gain - 1)
    return pd.DataFrame(rows)


def demand_of(count: Count) -> dict[str, float]:
    """Return the weighted households in the catchment of each clinic."""
    out = {}
    for f in having("clinic"):
        out[f] = 0.0
        for k, metres in enumerate(count.far[f]["clinic"]):
            for edge, weight in ((1000 / 3, 1.0), (2000 / 3, 0.68), (1000.0, 0.22)):
                if metres <= edge:
                    out[f] += weight * count.people[k]
                    break
    return out


def draw_gains(count: Count) -> list[tuple[str, float]]:
    everyone = range(len(count.people))
    held = set(count.covered("clinic", 1000.0, False, everyone))
    out = []
    for f in ("P001", "P002"):
        new = {k for k in everyone if count.far[f]["clinic"][k] <= 1000.0} - held
        out.append((f, count.total(new)))
        held |= new
    return out


def draw_areas(count: Count, houses: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    rows = []
    middle = houses.geometry.centroid
    for state in ("clinic", "park", "clinic:after"):
        category, after = state.removesuffix(":after"), state.endswith(":after")
        shapes = {}
        for f in having(category, after):
            inside = [m.buffer(4) for m, far in zip(middle, count.far[f][category], strict=True)
                      if far <= LIMITS[category]]
            if inside:
                shapes[f] = shapely.union_all(inside)
        shapes[""] = shapely.union_all(list(shapes.values()))
        rows += [{"category": state, "facility_id": f or None, "limit_m": LIMITS[category],
                  "geometry": shape} for f, shape in shapes.items()]
    frame = gpd.GeoDataFrame(rows, crs=CRS)
    return conform("service_areas", frame.assign(
        area_id=[f"A{k:05d}" for k in range(1, len(frame) + 1)]))


def draw_circle(folder: Path) -> Path:
    """Write the town of letters with its service circle and two sites."""
    plan = draw_plan(sha256(b"{}").hexdigest())
    grids, towns, houses = (plan[n].copy() for n in ("grids", "communities", "buildings"))
    towns["subdistrict_id"] = ["east" if c > "C003" else "west" for c in towns["community_id"]]
    count, places = Count(houses, towns), all_places(grids, towns)
    street = gpd.GeoDataFrame({"road_id": ["s1"], "road_class": ["footway"]}, crs=CRS, geometry=[
        LineString([(WEST - 50, STREET_Y), (WEST + 8000, STREET_Y)])])
    told = pd.DataFrame(FACILITIES.values(), index=list(FACILITIES), columns=[
        "x", "y", "categories", "capacity", "area_m2", "status"])
    facilities = gpd.GeoDataFrame(told.drop(columns=["x", "y"]).assign(
        facility_id=told.index, source=np.where(told["status"] == "proposed", "gridplan site", ""),
        meets_norm=[True, False, *[None] * 6], load=[
            demand_of(count)[f] / FACILITIES[f][3] if FACILITIES[f][3] else None
            for f in FACILITIES]), geometry=[spot(f) for f in FACILITIES], crs=CRS)
    gains = draw_gains(count)
    whole = sum(g for _, g in gains)
    sites = gpd.GeoDataFrame({
        "site_id": ["S001", "S002"], "category": "clinic", "rank": [1, 2],
        "gained_households": [g for _, g in gains], "bound": BOUND, "gap": BOUND / whole - 1},
        geometry=[spot(f) for f, _ in gains], crs=CRS)
    plan |= {"communities": conform("communities", towns),
             "roads": conform("roads", pd.concat([plan["roads"], conform("roads", street)])),
             "facilities": conform("facilities", facilities),
             "coverage": draw_coverage(count, places),
             "service_areas": draw_areas(count, houses), "sites": conform("sites", sites),
             "figures": conform("figures", pd.concat([plan["figures"],
                                                      draw_figures(count, places)]))}
    people = int(houses["households"].sum())
    tally = pd.DataFrame([{"stage": "circle", "layer": "buildings", "rows_in": len(houses),
                           "used": len(houses), "households_in": people,
                           "households_out": people}])
    plan["tally"] = conform("tally", pd.concat([plan["tally"], tally]))
    run = dict(zip(plan["run"]["key"], plan["run"]["value"], strict=True))
    run |= {"circle:profile": "test", "circle:walkers": "adult,older",
            "circle:table": json.dumps({"profile": "test", "categories": PROFILE}),
            "site:request:clinic": json.dumps({"kind": "new", "new": 2, "cover": 0.5}),
            "upstream:coverage:buildings": digest_layer(plan["buildings"], "buildings"),
            "upstream:coverage:roads": digest_layer(plan["roads"], "roads")}
    plan["run"] = pd.DataFrame({"key": list(run), "value": list(run.values())})
    return write(plan, folder / "circle.gpkg")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_circle(tmp_path_factory.mktemp("circle"))


def spoil(path: Path, copy: Path, statements: str) -> Path:
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy)) as base:
        base.executescript(statements)
        base.commit()
    return copy


def test_the_good_plan_passes(town: Path) -> None:
    report = check_plan(town)
    assert [f.line() for f in report.findings()] == []
    assert not report.unchecked
    assert not report.lacking
    assert report.counts["circle_ways"] > 0


CITY = "scope='city' AND category='{}' AND walker='adult'"
CLINIC = CITY.format("clinic")
PATCH = ("UPDATE coverage SET {} WHERE " + CLINIC).format
FIGURE = "UPDATE figures SET {} WHERE name='{}' AND scope='{}'".format
PROPOSED = "UPDATE facilities SET {} WHERE facility_id='P001'".format
SPOILT = [
    # the contract
    ("a row of a place that is not there", "UPDATE coverage SET scope_id='x' WHERE " + CLINIC,
     {"circle_scope"}),
    ("a scope that is none", PATCH("scope='world'"), {"bad_choice"}),
    ("a reading that is none", PATCH("reading='middle'"), {"bad_choice"}),
    ("the nearest is nobody", PATCH("nearest_id='f99'"), {"dangling"}),
    ("an area of nobody", "UPDATE service_areas SET facility_id='f99' WHERE area_id='A00001'",
     {"dangling"}),
    ("two rows of one place", "UPDATE coverage SET scope_id='C001' WHERE scope_id='C002'",
     {"duplicate_key"}),
    ("a row lost", "DELETE FROM coverage WHERE scope='grid' AND category='park' AND "
     "scope_id=(SELECT grid_id FROM grids LIMIT 1)", {"circle_missing"}),
    ("a category lost", "DELETE FROM coverage WHERE category='bell'", {"circle_missing"}),
    ("a category that is not measured", "UPDATE coverage SET category='hall' "
     "WHERE category='park'", {"circle_category"}),
    ("a walker that nobody asked for", "UPDATE coverage SET walker='car' WHERE walker='older'",
     {"circle_walker"}),
    ("a share above 1", PATCH("share=1.5"), {"out_of_bounds"}),
    ("covered below 0", PATCH("covered=-1"), {"out_of_bounds"}),
    ("nothing covered known", PATCH("covered=NULL"), {"null_value"}),
    ("all coverage lost", "DELETE FROM coverage", {"no_rows"}),
    ("a facility of one category twice", "UPDATE facilities SET categories='park;park' "
     "WHERE facility_id='f3'", {"circle_facility_words"}),
    # what is counted
    ("households forged", PATCH("households=households+1"), {"circle_households"}),
    ("more covered than there are", PATCH("covered=households+1"), {"circle_above"}),
    ("a share forged", PATCH("share=share-0.01"), {"circle_share"}),
    ("a share of nobody", "UPDATE coverage SET share=0 WHERE households=0", {"circle_share"}),
    ("a limit raised", "UPDATE coverage SET limit_m=1100 WHERE category='clinic' "
     "AND walker='adult'", {"circle_limit"}),
    ("a city that is not its grids", PATCH("covered=covered-1, share=(covered-1.0)/households"),
     {"circle_sum", "circle_covered"}),
    ("far above near", "INSERT INTO coverage SELECT fid+10000, scope, scope_id, category, "
     "walker, 'far', limit_m, households, covered+1, share, nearest_id, nearest_m FROM coverage",
     {"circle_reading"}),
    # ways
    ("a grid covered that is not", "UPDATE coverage SET covered=households, share=1 "
     "WHERE category='clinic' AND scope='grid' AND covered=0 AND households>0",
     {"circle_covered", "circle_sum"}),
    ("a nearest distance forged", PATCH("nearest_m=nearest_m+0.05"), {"circle_nearest_m"}),
    ("a nearest distance lost", PATCH("nearest_m=NULL"), {"circle_nearest_m"}),
    ("a nearest distance of nobody", "UPDATE coverage SET nearest_m=5 WHERE households=0",
     {"circle_nearest_m"}),
    ("another nearest", PATCH("nearest_id='f1'"), {"circle_nearest_id"}),
    ("a nearest of another category", PATCH("nearest_id='f3'"), {"circle_nearest_id"}),
    ("no nearest", PATCH("nearest_id=NULL"), {"circle_nearest_id"}),
    ("a street cut", "DELETE FROM roads WHERE road_id='s1'", {"circle_covered", "circle_stale"}),
    ("a facility gone", "UPDATE facilities SET categories='hall' WHERE facility_id='f2'",
     {"circle_covered", "area_facility"}),
    ("households of a building changed", "UPDATE buildings SET households=households+1 "
     "WHERE building_id='A0'", {"circle_stale", "circle_households"}),
    ("a proposed one told as existing", PROPOSED("status='existing'"),
     {"site_status", "circle_covered"}),
    # figures
    ("a figure forged", FIGURE("value=value+0.01", "covered:clinic", "city"), {"circle_figure"}),
    ("a numerator forged", FIGURE("numerator=numerator+1", "covered:park", "grid"),
     {"circle_figure"}),
    ("a goal forged", FIGURE("target=0.5", "covered:clinic", "city"), {"circle_figure"}),
    ("completeness forged", FIGURE("denominator=denominator+1", "completeness", "community"),
     {"circle_figure"}),
    ("full circles forged", FIGURE("value=1", "full_circle", "city"), {"circle_figure"}),
    ("a worst tenth forged", FIGURE("value=value-1", "worst_decile_m:clinic", "city"),
     {"circle_figure"}),
    ("a choice forged", FIGURE("numerator=numerator+1", "choice:clinic", "city"),
     {"circle_figure"}),
    ("a supply forged", FIGURE("value=value*1.01", "supply:clinic", "city"), {"circle_figure"}),
    ("an overload hidden", FIGURE("value=0", "overloaded:clinic", "city"), {"circle_figure"}),
    ("a norm told as met", FIGURE("value=1, numerator=2", "norm_share:clinic", "city"),
     {"circle_figure"}),
    ("a presence forged", FIGURE("value=1, numerator=2", "presence:hall", "city"),
     {"circle_figure"}),
    ("a figure lost", "DELETE FROM figures WHERE name='full_circle'", {"circle_figure_missing"}),
    ("a figure of nothing", "INSERT INTO figures (name, scope, scope_id, value) "
     "VALUES ('covered:pool', 'city', 'all', 1)", {"circle_figure_odd"}),
    ("a load forged", "UPDATE facilities SET load=load+0.1 WHERE facility_id='f1'",
     {"circle_load"}),
    ("a load of no capacity", "UPDATE facilities SET load=0.5 WHERE facility_id='f3'",
     {"circle_load"}),
    ("a norm turned", "UPDATE facilities SET meets_norm=1 WHERE facility_id='f2'",
     {"circle_norm"}),
    ("households lost in the tally", "UPDATE tally SET households_out=households_out-1 "
     "WHERE stage='circle'", {"circle_tally"}),
    # areas
    ("an area of another limit", "UPDATE service_areas SET limit_m=999 WHERE area_id='A00001'",
     {"area_limit"}),
    ("an area twice", "UPDATE service_areas SET category='clinic' WHERE category='clinic:after' "
     "AND facility_id IS NULL", {"area_twice"}),
    ("an area of a category lost", "DELETE FROM service_areas WHERE category='park' "
     "AND facility_id IS NULL", {"area_missing"}),
    ("an area of another facility", "UPDATE service_areas SET facility_id='f5' "
     "WHERE category='clinic' AND facility_id='f1'", {"area_facility", "area_far"}),
    ("an area without a shape", "UPDATE service_areas SET geom=NULL WHERE area_id='A00001'",
     {"area_invalid"}),
    ("an area of a far place", "UPDATE service_areas SET geom=(SELECT geom FROM service_areas "
     "WHERE facility_id='f5') WHERE category='clinic' AND facility_id='f1'",
     {"area_outside", "area_far"}),
    # sites
    ("a gain forged", "UPDATE sites SET gained_households=gained_households+1 WHERE rank=2",
     {"site_gain", "site_total"}),
    ("ranks turned", "UPDATE sites SET rank=3-rank", {"site_rank"}),
    ("a bound below the gain", "UPDATE sites SET bound=1000", {"site_bound", "site_greedy"}),
    ("a gap forged", "UPDATE sites SET gap=0", {"site_gap"}),
    ("a site lost", "DELETE FROM sites WHERE rank=2", {"site_count", "site_missing"}),
    ("a share that is not reached", "UPDATE run SET value=replace(value, '0.5', '0.99') "
     "WHERE key='site:request:clinic'", {"site_cover"}),
    ("a site where nothing is proposed", PROPOSED("categories='park'"),
     {"site_facility"}),
    ("a figure of the sites forged", FIGURE("value=value+1", "gain:clinic", "city"),
     {"site_figure"}),
]


@pytest.mark.parametrize(("what", "statements", "expected"), SPOILT, ids=[s[0] for s in SPOILT])
def test_every_corruption_is_named(town: Path, tmp_path: Path, what: str, statements: str,
                                   expected: set[str]) -> None:
    report = check_plan(spoil(town, tmp_path / "bad.gpkg", statements))
    assert expected <= keys(report), what
    for finding in report.findings():
        for lang in ("en", "zh"):
            assert finding.what(lang)
            assert finding.mend(lang)


def test_every_rule_of_the_circle_is_seen_broken() -> None:
    room = {n for n in load_room("check") if not n.endswith(".mend")}
    ours = {n for n in room if n.startswith(("circle_", "area_", "site_"))}
    assert ours == set().union(*(s[2] for s in SPOILT)) & ours


def test_digests_are_those_of_the_plan(town: Path) -> None:
    plan = read_plan(town)
    assert {n: hash_layer(plan, n) for n in ("buildings", "roads")} == {
        n: plan.run[f"upstream:coverage:{n}"] for n in ("buildings", "roads")}


# ---- ways measured by hand -------------------------------------------------------------------

Line = list[tuple[float, float]]


def measure(folder: Path, roads: list[Line], doors: Line, facility: tuple[float, float], *,
            walls: list[shapely.Geometry] | None = None,
            estates: list[Polygon] | None = None,
            gates: list[tuple[str, tuple[float, float], bool]] | None = None,
            walker: str = "adult", reading: str = "near", crossings: str = "auto",
            columns: dict[str, list[object]] | None = None) -> list[float]:
    """Return the ways of doors to one facility in a town of points of demand."""
    def layer(name: str, data: dict[str, list[object]], shapes: list[shapely.Geometry]
              ) -> pd.DataFrame:
        return conform(name, gpd.GeoDataFrame(data, geometry=[shapely.transform(
            g, lambda xy: xy + WEST) for g in shapes], crs=CRS))

    plan = {
        "demand": layer("demand", {"demand_id": [f"d{k}" for k in range(len(doors))],
                                   "households": [1] * len(doors)}, list(map(Point, doors))),
        "roads": layer("roads", {"road_id": [f"r{k}" for k in range(len(roads))],
                                 **(columns or {})}, list(map(LineString, roads))),
        "facilities": layer("facilities", {"facility_id": ["f"], "categories": ["x"]},
                            [Point(facility)]),
        "coverage": conform("coverage", pd.DataFrame({
            "scope": ["city"], "scope_id": ["all"], "category": ["x"], "walker": [walker],
            "reading": ["near"], "limit_m": [100.0], "households": [1], "covered": [0]})),
        "figures": conform("figures", pd.DataFrame({"name": ["a"], "scope": ["city"]})),
        "tally": conform("tally", pd.DataFrame({"stage": ["a"], "layer": ["b"]})),
        "run": pd.DataFrame({"key": ["circle:walkers", "parameters"], "value": [
            walker, json.dumps({"network": {"crossings": crossings}})]})}
    if walls:
        plan["barriers"] = layer("barriers", {"barrier_id": [f"w{k}" for k in range(len(walls))],
                                              "kind": ["wall"] * len(walls)}, walls)
    if estates:
        plan["estates"] = layer("estates", {"estate_id": [f"e{k}" for k in range(len(estates))]},
                                [shapely.MultiPolygon([e]) for e in estates])
    if gates:
        plan["gates"] = layer("gates", {"gate_id": [f"g{k}" for k in range(len(gates))],
                                        "estate_id": [g[0] for g in gates],
                                        "foot": [g[2] for g in gates]},
                              [Point(g[1]) for g in gates])
    path = write(plan, folder / "points.gpkg")
    desk = lay_circle(read_plan(path, NEEDED, PERHAPS), "demand")
    return np.round(desk.ways(("x", False), walker, reading).metres, 3).tolist()


STREET = [(0.0, 0.0), (400.0, 0.0)]


def test_a_way_is_leg_stretch_and_leg(tmp_path: Path) -> None:
    assert measure(tmp_path, [STREET], [(10, 5), (100, 0), (450, 0), (10, 501)], (100, -7)) == [
        102.0, 7.0, 357.0, float("inf")]


def test_streets_join_at_loose_ends_and_hand_drawn_crossings(tmp_path: Path) -> None:
    branch = [(100.0, 0.4), (100.0, 100.0)]
    assert measure(tmp_path, [STREET, branch], [(100, 100)], (0, 0)) == [200.0]


@pytest.mark.parametrize(("crossings", "expected"), [
    ("auto", 150.0), ("join", 150.0), ("apart", np.inf)])
def test_crossings_are_joined_as_asked(tmp_path: Path, crossings: str, expected: float) -> None:
    cross = [(100.0, -2000.0), (100.0, 2000.0)]
    assert measure(tmp_path, [STREET, cross, [(0.0, 0.0), (0.0, -2000.0)]], [(100, 90)], (40, 0),
                   crossings=crossings) == [expected]


def test_a_wall_turns_a_leg_to_another_street(tmp_path: Path) -> None:
    roads = [STREET, [(0.0, 100.0), (400.0, 100.0)], [(0.0, 0.0), (0.0, 100.0)]]
    wall = LineString([(50, 20), (150, 20)])
    assert measure(tmp_path, roads, [(100, 30)], (100, 0), walls=[wall]) == [70 + 100 + 100 + 100]


def test_an_estate_is_left_by_its_gates(tmp_path: Path) -> None:
    block = box(20, 10, 80, 70)
    assert measure(tmp_path, [STREET], [(50, 40)], (300, 0), estates=[block],
                   gates=[("e0", (80.0, 40.0), True)]) == [30 + 40 + 220]


def test_a_closed_gate_cuts_the_street(tmp_path: Path) -> None:
    roads = [[(0.0, 0.0), (5000.0, 0.0)], [(50.0, 0.0), (50.0, 40.0)],
             [(50.0, 40.0), (50.0, 3000.0)]]
    block = box(20, 10, 80, 3100)
    gates = [("e0", (51.0, 10.0), False), ("e0", (20.0, 2990.0), True)]
    assert measure(tmp_path, roads, [(50, 40)], (0, 0), estates=[block], gates=gates) == [np.inf]


def test_an_unknown_gate_has_a_near_and_a_far_reading(tmp_path: Path) -> None:
    block = box(0, 10, 40, 50)
    near, far = (measure(tmp_path / reading, [STREET], [(20, 30)], (20, 0), estates=[block],
                         reading=reading) for reading in ("near", "far")
                 if (tmp_path / reading).mkdir() is None)
    # Straight down to the side on the street; or over the top, from its middle or its corners.
    assert near == [20 + 10]
    assert far == pytest.approx([np.hypot(20, 20) + 50 + 20], abs=0.01)


def test_cars_keep_to_one_way_streets_and_class_speeds(tmp_path: Path) -> None:
    roads = [STREET, [(400.0, 0.0), (400.0, 300.0), (0.0, 300.0), (0.0, 0.0)]]
    columns = {"road_class": ["residential", "residential"], "one_way": ["yes", ""]}
    cost = 8.3 * 3.6 / 25
    assert measure(tmp_path, roads, [(300, 0)], (100, 0), walker="car", columns=columns) == [
        round((100 + 1000 + 100) * cost, 3)]


def test_a_file_of_demand_is_checked(town: Path, tmp_path: Path) -> None:
    measure(tmp_path, [STREET], [(10, 5)], (100, -7))
    report = check_plan(tmp_path / "points.gpkg")
    assert "run_missing" in keys(report)
    assert "circle" in report.unchecked
