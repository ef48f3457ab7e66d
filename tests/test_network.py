"""The street network: what becomes a node, who may go where, and where points enter it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import LineString, Point, box
from streets import CRS, draw_barriers, draw_estates, draw_gates, draw_roads

from gridplan.errors import Findings, InputError
from gridplan.network import (
    Elevation,
    StreetNetwork,
    build_network,
    distances,
    door_points,
    find_access,
    find_building_access,
    from_osmnx,
    merge_access,
    nearest,
    pick_access,
    reach,
    tell_off,
    to_networkx,
    trace_paths,
)
from gridplan.params import NetworkParams

STREET = {"a": [(0, 0), (200, 0)]}
LOOP = {"a": [(0, 0), (200, 0)], "b": [(0, 100), (200, 100)], "c": [(0, 0), (0, 100)]}
WALL = LineString([(50, 20), (150, 20)])
YARD = box(80, 20, 120, 60)  # beside the street, outline 160 m


# ---- where a point enters ------------------------------------------------------------------

@dataclass
class Snap:
    """A point, and where it goes: (road, place on it, leg) of every option."""

    why: str
    at: tuple
    goes: list
    roads: dict = field(default_factory=lambda: STREET)
    barriers: list = field(default_factory=list)
    estates: dict = field(default_factory=dict)
    gates: list = field(default_factory=list)
    columns: dict = field(default_factory=dict)
    mode: str = "foot"
    unsure: bool = False
    near_outline: bool = True


OUT_OF_YARD = [("a", (x, 0), 20 + math.hypot(100 - x, 40 - 20)) for x in (80, 100, 120)]
SNAPS = [
    Snap("straight down to the street", (30, 40), [("a", (30, 0), 40)]),
    Snap("beyond the end: to the end", (230, 40), [("a", (200, 0), 50)]),
    Snap("on the street there is no leg", (30, 0), [("a", (30, 0), 0)]),
    Snap("just within 500 m", (30, 500), [("a", (30, 0), 500)]),
    Snap("just beyond 500 m", (30, 500.01), []),
    Snap("of two streets the nearer", (100, 60), [("b", (100, 100), 40)], LOOP),
    Snap("half-way between, the first", (100, 50), [("a", (100, 0), 50)], LOOP),
    Snap("at a corner, the first", (-30, -40), [("a", (0, 0), 50)], LOOP),
    Snap("across to a slanting street", (0, 100), [("a", (50, 50), 50 * 2**0.5)],
         {"a": [(0, 0), (100, 100)]}),
    Snap("to the bend of a street", (110, -10), [("a", (100, 0), 200**0.5)],
         {"a": [(0, 0), (100, 0), (100, 100)]}),
    Snap("a wall sends it to another street", (100, 30), [("b", (100, 100), 70)], LOOP,
         [("wall", WALL)]),
    Snap("a wall beside the leg does not matter", (100, 30), [("a", (100, 0), 30)], LOOP,
         [("wall", LineString([(50, 20), (99, 20)]))]),
    Snap("a leg does not bend round a wall", (149, 30), [("b", (149, 100), 70)], LOOP,
         [("wall", WALL)]),
    Snap("walls on both sides", (100, 30), [("c", (0, 30), 100)], LOOP,
         [("wall", WALL), ("wall", LineString([(50, 80), (150, 80)]))]),
    Snap("walls all round", (100, 30), [], LOOP, [("wall", box(90, 25, 110, 35).exterior)]),
    Snap("a leg may end on a wall", (100, 30), [("a", (100, 0), 30)], LOOP,
         [("wall", LineString([(50, 0.03), (150, 0.03)]))]),
    Snap("but not behind it", (100, 30), [("b", (100, 100), 70)], LOOP,
         [("wall", LineString([(50, 0.2), (150, 0.2)]))]),
    Snap("a leg may start on a wall", (100, 20), [("a", (100, 0), 20)], LOOP, [("wall", WALL)]),
    Snap("a leg of 0.1 m has no inside", (100, 0.1), [("a", (100, 0), 0.1)], LOOP,
         [("wall", LineString([(50, 0.05), (150, 0.05)]))]),
    Snap("water between", (100, 30), [("b", (100, 100), 70)], LOOP,
         [("water", box(50, 5, 150, 20))]),
    Snap("in the middle of water", (100, 12), [], LOOP, [("water", box(50, 5, 150, 20))]),
    Snap("on the bank", (100, 20), [("b", (100, 100), 80)], LOOP,
         [("water", box(50, 5, 150, 20))]),
    Snap("a river line between", (100, 30), [("b", (100, 100), 70)], LOOP, [("river", WALL)]),
    Snap("a railway between", (100, 30), [("b", (100, 100), 70)], LOOP, [("rail", WALL)]),
    Snap("what is no barrier does not matter", (100, 30), [("a", (100, 0), 30)], LOOP,
         [("hedge", WALL)]),
    Snap("a bridge leads over, the leg does not", (110, 30), [("b", (110, 100), 70)],
         {**LOOP, "d": [(100, 0), (100, 100)]}, [("water", box(50, 5, 150, 25)),
                                                ("wall", LineString([(105, 25), (105, 90)]))]),
    Snap("to a bridge on its own side", (110, 30), [("d", (100, 30), 10)],
         {**LOOP, "d": [(100, 0), (100, 100)]}, [("water", box(50, 5, 150, 25))]),
    Snap("the next free street is far", (100, 30), [("b", (100, 330), 300)],
         {"a": [(0, 0), (200, 0)], "b": [(0, 330), (200, 330)],
          "c": [(0, 0), (-600, 0), (-600, 330), (0, 330)]},
         [("wall", LineString([(-500, 20), (500, 20)]))]),
    Snap("out by the gate", (100, 40), [("a", (110, 0), 500**0.5 + 20)], estates={"E": YARD},
         gates=[("E", (110, 20), True, False)]),
    Snap("out by either gate", (100, 40), [("a", (90, 0), 500**0.5 + 20),
                                           ("a", (110, 0), 500**0.5 + 20)],
         estates={"E": YARD}, gates=[("E", (90, 20), True, True), ("E", (110, 20), True, True)]),
    Snap("not by a gate closed on foot", (100, 40), [("a", (90, 0), 500**0.5 + 20)],
         estates={"E": YARD}, gates=[("E", (90, 20), True, True), ("E", (110, 20), False, True)]),
    Snap("a gate that does not say is open", (100, 40), [("a", (110, 0), 500**0.5 + 20)],
         estates={"E": YARD}, gates=[("E", (110, 20), None, None)]),
    Snap("a gate on the far side leads round the estate's own walls", (100, 40),
         [("a", (100, 0), 20 + 60)], estates={"E": YARD}, gates=[("E", (100, 60), True, True)]),
    Snap("a wall behind the gate", (100, 40), [], estates={"E": YARD}, barriers=[
        ("wall", LineString([(50, 10), (150, 10)]))], gates=[("E", (110, 20), True, True)]),
    Snap("to the street of its estate", (100, 25), [("d", (100, 40), 15)],
         {**LOOP, "d": [(0, 40), (110, 40)]}, estates={"E": YARD},
         gates=[("E", (80, 40), True, True)]),
    Snap("not from outside to a street inside", (100, 15), [("a", (100, 0), 15)],
         {**LOOP, "d": [(0, 30), (110, 30)]}, estates={"E": YARD},
         gates=[("E", (80, 30), True, True)]),
    Snap("from outside through no outline", (125, 40), [("a", (125, 0), 40)],
         {**LOOP, "d": [(0, 40), (118, 40)]}, estates={"E": YARD},
         gates=[("E", (80, 40), True, True)]),
    Snap("a street inside that leads nowhere is none", (100, 40),
         [("a", (110, 0), 500**0.5 + 20)], {**STREET, "d": [(90, 40), (105, 40)]},
         estates={"E": YARD}, gates=[("E", (110, 20), True, True)]),
    Snap("all gates closed: the outline is no obstacle", (100, 40), [("a", (100, 0), 40)],
         estates={"E": YARD}, gates=[("E", (110, 20), False, True)]),
    Snap("on the outline counts as inside, legs start there", (100, 20), [("a", (100, 0), 20)],
         estates={"E": YARD}, gates=[("E", (110, 20), True, True)]),
    Snap("of overlapping estates the first", (100, 40), [("a", (110, 0), 500**0.5 + 20)],
         estates={"E": YARD, "F": YARD}, gates=[("E", (110, 20), True, True),
                                                ("F", (90, 20), True, True)]),
    Snap("no known gate: any place along the outline", (100, 40), [
        *OUT_OF_YARD, *[("a", (x, 0), y + math.hypot(100 - x, 40 - y))
                        for x, y in ((80, 40), (120, 40), (80, 60), (100, 60), (120, 60))]],
         estates={"E": YARD}, unsure=True),
    Snap("from the outline no farther than 100 m", (100, 95), [
        *[("a", (x, 0), 75 + math.hypot(100 - x, 20)) for x in (80, 100, 120)],
        *[("a", (x, 0), 95 + 20) for x in (80, 120)]],
         estates={"E": box(80, 75, 120, 115)}, unsure=True),
    Snap("from the outline not through walls", (100, 40), [
        ("a", (80, 0), 20 + 800**0.5), ("a", (80, 0), 40 + 20), ("a", (80, 0), 60 + 800**0.5)],
         estates={"E": YARD}, barriers=[("wall", LineString([(90, 10), (150, 10)]))],
         unsure=True),
    Snap("from the outline through a neighbour", (100, 40), [
        *OUT_OF_YARD, *[("a", (x, 0), y + math.hypot(100 - x, 40 - y))
                        for x, y in ((80, 40), (120, 40), (80, 60), (100, 60), (120, 60))]],
         estates={"E": YARD, "F": box(60, 5, 140, 15)}, gates=[("F", (60, 10), True, True)],
         unsure=True),
    Snap("only the outline of its own part", (100, 40), [
        *OUT_OF_YARD, *[("a", (x, 0), y + math.hypot(100 - x, 40 - y))
                        for x, y in ((80, 40), (120, 40), (80, 60), (100, 60), (120, 60))]],
         estates={"E": shapely.MultiPolygon([box(0, 20, 40, 60), YARD])}, unsure=True),
    Snap("without known gates but with a street across", (100, 40), [("d", (100, 50), 10)],
         {**STREET, "d": [(70, 0), (70, 50), (130, 50)]}, estates={"E": YARD}),
    Snap("a street along the outline does not lead in", (100, 40), [
        *[("d", (x, 20), math.hypot(100 - x, 20)) for x in (80, 100, 120)],
        *[("d", (x, 20), y - 20 + math.hypot(100 - x, 40 - y))
          for x, y in ((80, 40), (120, 40), (80, 60), (100, 60), (120, 60))]],
         {"d": [(0, 20), (200, 20)]}, estates={"E": YARD}, unsure=True),
    Snap("uncertain ways are not asked for", (100, 40), [("a", (100, 0), 40)],
         estates={"E": YARD}, near_outline=False),
    Snap("an estate with one gate of another is none of its own", (100, 40), [
        *OUT_OF_YARD, *[("a", (x, 0), y + math.hypot(100 - x, 40 - y))
                        for x, y in ((80, 40), (120, 40), (80, 60), (100, 60), (120, 60))]],
         estates={"E": YARD}, gates=[("X", (110, 20), True, True)], unsure=True),
    Snap("an island of streets is passed over", (100, 60), [("a", (100, 0), 60)],
         {**STREET, "b": [(50, 100), (150, 100)]}),
    Snap("a large island is not", (100, 60), [("b", (100, 100), 40)],
         {**STREET, "b": [(-1000, 100), (1000, 100)]}),
    Snap("cars do not start on footways", (100, 60), [("a", (100, 0), 60)], LOOP, mode="car",
         columns={"road_class": {"b": "footway"}}),
    Snap("unless these are open to them", (100, 60), [("b", (100, 100), 40)], LOOP, mode="car",
         columns={"road_class": {"b": "footway"}, "car": {"b": True}}),
    Snap("walkers do not start on trunk roads", (100, 60), [("a", (100, 0), 60)], LOOP,
         columns={"road_class": {"b": "trunk"}}),
    Snap("a one-way dead end holds no car", (100, 60), [("a", (100, 0), 60)], LOOP, mode="car",
         columns={"one_way": {"b": "forward"}}),
    Snap("but walkers", (100, 60), [("b", (100, 100), 40)], LOOP,
         columns={"one_way": {"b": "forward"}}),
    Snap("a dead end is a street", (190, 90), [("b", (190, 100), 10)], LOOP),
    Snap("a ring", (110, 50), [("r", (100, 50), 10)],
         {"r": [(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)]}),
    Snap("of parallel streets the nearer", (50, 30), [("b", (50, 40), 10)],
         {"a": [(0, 0), (100, 0)], "b": [(0, 0), (0, 40), (100, 40), (100, 0)]}),
]


def assert_options(network, access, point, goes):
    found = []
    for o in range(access.start[0], access.start[1]):
        place = network.geometry[access.edge[o]].interpolate(access.at_m[o])
        found.append((network.road[access.edge[o]], place.x, place.y, access.leg_m[o]))
    wanted = sorted((road, x, y, leg) for road, (x, y), leg in goes)
    assert len(found) == len(wanted), found
    for a, b in zip(sorted(found, key=lambda f: (f[0], *np.round(f[1:], 3))), wanted, strict=True):
        assert a[0] == b[0]
        assert a[1:] == pytest.approx(b[1:], abs=1e-6), point


@pytest.mark.parametrize("case", SNAPS, ids=lambda c: c.why)
def test_where_a_point_enters(case):
    network = build_network(draw_roads(case.roads, **case.columns), case.mode)
    access = find_access(network, np.array([Point(case.at)]),
                         barriers=draw_barriers(case.barriers),
                         estates=draw_estates(case.estates), gates=draw_gates(case.gates),
                         near_outline=case.near_outline)
    assert bool(access.uncertain[0]) == case.unsure
    assert bool(access.off[0]) == (not case.goes)
    assert_options(network, access, case.at, case.goes)


def test_there_are_fifty_cases():
    assert len(SNAPS) >= 50
    assert len({case.why for case in SNAPS}) == len(SNAPS)


def test_a_missing_point_has_no_access():
    access = find_access(build_network(draw_roads(STREET)), np.array([None, Point()]))
    assert access.off.all()


# ---- how far it is -------------------------------------------------------------------------

@dataclass
class Way:
    """Two points, and how far the second is from the first."""

    why: str
    start: tuple
    end: tuple
    metres: float
    roads: dict = field(default_factory=lambda: STREET)
    mode: str = "foot"
    columns: dict = field(default_factory=dict)
    barriers: list = field(default_factory=list)
    estates: dict = field(default_factory=dict)
    gates: list = field(default_factory=list)
    params: dict = field(default_factory=dict)


SQUARE = {"n": [(0, 100), (100, 100)], "e": [(100, 100), (100, 0)], "s": [(100, 0), (0, 0)],
          "w": [(0, 0), (0, 100)]}
CROSS = {"a": [(0, 0), (200, 0)], "b": [(100, -100), (100, 100)]}
# Three crossings with a vertex, and one without, at (100, 0).
MOSTLY_SHARED = {"a": [(0, 0), (20, 0), (40, 0), (60, 0), (200, 0)], "b": [(100, -100), (100, 100)],
                 **{f"x{k}": [(k, -50), (k, 0), (k, 50)] for k in (20, 40, 60)},
                 "y": [(60, 50), (100, 50)]}
INTO_YARD = {"a": [(0, 0), (200, 0)], "d": [(100, 0), (100, 40)], "e": [(100, 40), (200, 40)],
             "f": [(200, 0), (200, 40)]}
WAYS = [
    Way("along the street, legs included", (20, 10), (120, 5), 115),
    Way("to oneself", (20, 10), (20, 10), 20),
    Way("round the corner", (0, 50), (100, 100), 150, SQUARE),
    Way("the shorter way round", (50, 100), (60, 0), 90 + 100, {k: SQUARE[k] for k in "nws"}
        | {"e": [(100, 100), (100, 50), (100, 0)]}),
    Way("with a one-way street", (10, 100), (90, 100), 80, SQUARE, "car",
        {"one_way": dict.fromkeys("nesw", "forward"), "road_class": dict.fromkeys("nesw", "x")},
        params={"car_kmh": {"unknown": 8.3 * 3.6}}),
    Way("against a one-way street all the way round", (90, 100), (10, 100), 320, SQUARE, "car",
        {"one_way": dict.fromkeys("nesw", "yes")}, params={"car_kmh": {"unknown": 8.3 * 3.6}}),
    Way("drawn the other way round", (10, 100), (90, 100), 320, SQUARE, "car",
        {"one_way": dict.fromkeys("nesw", "-1")}, params={"car_kmh": {"unknown": 8.3 * 3.6}}),
    Way("walkers may go against it", (90, 100), (10, 100), 80, SQUARE, "foot",
        {"one_way": dict.fromkeys("nesw", "forward")}),
    Way("bicycles may not", (90, 100), (10, 100), 320, SQUARE, "bike",
        {"one_way": dict.fromkeys("nesw", "forward")}, params={"bike_kmh": {"unknown": 15.12}}),
    Way("a car on a primary road", (0, 0), (200, 0), 200 * 8.3 * 3.6 / 40, mode="car",
        columns={"road_class": {"a": "primary"}}),
    Way("a bicycle on a path", (0, 0), (200, 0), 200 * 1.512, mode="bike",
        columns={"road_class": {"a": "path"}}),
    Way("an e-bike on a class without speed", (0, 0), (200, 0), 200 * 5.6 * 3.6 / 20,
        mode="ebike", columns={"road_class": {"a": "tertiary"}}),
    Way("walkers take no notice of classes", (0, 0), (200, 0), 200,
        columns={"road_class": {"a": "primary"}}),
    Way("crossing streets without a vertex, drawn by hand", (0, 0), (100, 100), 200, CROSS),
    Way("the same said to be apart", (0, 0), (150, 100), math.hypot(150, 0) + 100, CROSS,
        params={"crossings": "apart"}),
    Way("at two levels they do not meet", (0, 0), (100, 90), 100 + 90, CROSS,
        columns={"level": {"b": 1}}),
    Way("where most crossings have a vertex, one without is none", (200, 0), (100, -100),
        140 + 50 + 40 + 150, MOSTLY_SHARED),
    Way("unless crossings are joined", (200, 0), (100, -100), 200, MOSTLY_SHARED,
        params={"crossings": "join"}),
    Way("a vertex is shared at whatever level", (0, 0), (100, 100), 200,
        {"a": [(0, 0), (100, 0)], "b": [(100, 0), (100, 100)]}, columns={"level": {"b": 1}}),
    Way("an end 0.4 m from a vertex is joined to it", (0, 0), (100, 100), 200,
        {"a": [(0, 0), (100, 0), (200, 0)], "b": [(100, 0.4), (100, 100)]}),
    Way("an end 0.5 m from a street is joined to it", (0, 0), (100, 100), 200,
        {"a": [(0, 0), (200, 0)], "b": [(100, 0.5), (100, 100)]}),
    Way("an end on a street without a vertex", (0, 0), (100, 100), 200,
        {"a": [(0, 0), (200, 0)], "b": [(100, 0), (100, 100)]}),
    Way("an end beyond a street", (0, 0), (100, 100), 200,
        {"a": [(0, 0), (200, 0)], "b": [(100, -0.3), (100, 100)]},
        params={"crossings": "apart"}),
    Way("an end 0.6 m away is not joined", (0, 0), (100, 100), 100 + 100,
        {"a": [(0, 0), (200, 0)], "b": [(100, 0.6), (100, 100)]}),
    Way("nor one at another level", (0, 0), (100, 100), 100 + 100,
        {"a": [(0, 0), (200, 0)], "b": [(100, 0.4), (100, 100)]}, columns={"level": {"b": -1}}),
    Way("a missing level is 0", (0, 0), (100, 100), 200,
        {"a": [(0, 0), (200, 0)], "b": [(100, 0.4), (100, 100)]}, columns={"level": {"b": 0}}),
    Way("two loose ends meet", (0, 0), (200, 0), 200,
        {"a": [(0, 0), (100, 0)], "b": [(100.3, 0), (200, 0)]}),
    Way("of parallel streets the shorter", (0, 0), (100, 0), 100,
        {"a": [(0, 0), (50, 80), (100, 0)], "b": [(0, 0), (100, 0)]}),
    Way("round a ring the shorter way", (10, 0), (0, 10), 20,
        {"r": [(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)]}),
    Way("an open gate", (150, 0), (100, 40), 50 + 40, INTO_YARD,
        estates={"E": YARD}, gates=[("E", (100, 20), True, True)]),
    Way("a closed gate, in by another street", (150, 0), (100, 40), 50 + 40 + 100, INTO_YARD,
        estates={"E": YARD}, gates=[("E", (103, 20), False, True)]),
    Way("closed on foot is closed to bicycles", (150, 0), (100, 40), 190, INTO_YARD, "bike",
        estates={"E": YARD}, gates=[("E", (103, 20), False, True)],
        params={"bike_kmh": {"unknown": 15.12}}),
    Way("but open to cars", (150, 0), (100, 40), 90, INTO_YARD, "car", estates={"E": YARD},
        gates=[("E", (103, 20), False, True)], params={"car_kmh": {"unknown": 8.3 * 3.6}}),
    Way("closed to cars", (150, 0), (100, 40), 190, INTO_YARD, "car", estates={"E": YARD},
        gates=[("E", (103, 20), True, False)], params={"car_kmh": {"unknown": 8.3 * 3.6}}),
    Way("a closed gate 6 m away is another's", (150, 0), (100, 40), 90, INTO_YARD,
        estates={"E": YARD}, gates=[("E", (106, 20), False, True)]),
    Way("a closed gate of another estate", (150, 0), (100, 40), 90, INTO_YARD,
        estates={"E": YARD}, gates=[("F", (103, 20), False, True)]),
    Way("a closed gate where two streets end", (150, 0), (100, 40), 190,
        {**INTO_YARD, "d": [(100, 0), (100, 20)], "g": [(100, 20), (100, 40)]},
        estates={"E": YARD}, gates=[("E", (100, 20), False, True)]),
    Way("a street outside goes on past a closed gate", (60, 20), (140, 20), 80,
        {**INTO_YARD, "d": [(100, 0), (100, 20), (100, 40)], "h": [(60, 19.99), (100, 20),
                                                                  (140, 19.99)]},
        estates={"E": YARD}, gates=[("E", (100, 20), False, True)]),
]


def measure(case):
    estates, gates = draw_estates(case.estates), draw_gates(case.gates)
    network = build_network(draw_roads(case.roads, **case.columns), case.mode, estates=estates,
                            gates=gates, barriers=draw_barriers(case.barriers),
                            params=NetworkParams(**case.params))
    access = find_access(network, shapely.points([case.start, case.end]))
    found = nearest(network, pick_access(access, np.array([0])),
                    pick_access(access, np.array([1])), np.zeros(1, np.int64), 1)
    return network, access, float(found.distance_m[0, 0])


@pytest.mark.parametrize("case", WAYS, ids=lambda c: c.why)
def test_how_far_it_is(case):
    network, access, metres = measure(case)
    assert metres == pytest.approx(case.metres, abs=0.02)
    back = nearest(network, pick_access(access, np.array([1])), pick_access(access, np.array([0])),
                   np.zeros(1, np.int64), 1, toward=False)
    assert back.distance_m[0, 0] == pytest.approx(metres, abs=1e-9)
    [line] = trace_paths(network, pick_access(access, np.array([0])),
                         pick_access(access, np.array([1])))
    legs = access.leg_m.sum()
    if case.mode == "foot":
        assert line.length == pytest.approx(metres - legs, abs=1e-6)
    ends = [network.geometry[e].interpolate(at).coords[0]
            for e, at in zip(access.edge, access.at_m, strict=True)]
    for place, end in zip((line.coords[0], line.coords[-1]), ends, strict=True):
        assert place == pytest.approx(end, abs=1e-6)


@pytest.mark.parametrize(("columns", "modes"), [
    ({}, ["foot", "bike", "ebike", "car"]),
    ({"road_class": {"d": "motorway"}}, ["car"]),
    ({"road_class": {"d": "trunk_link"}}, ["car"]),
    ({"road_class": {"d": "steps"}}, ["foot"]),
    ({"road_class": {"d": "corridor"}}, ["foot"]),
    ({"road_class": {"d": "footway"}}, ["foot", "bike"]),
    ({"road_class": {"d": "track"}}, ["foot", "bike", "ebike"]),
    ({"road_class": {"d": "footway"}, "foot": {"d": False}, "car": {"d": True}}, ["bike", "car"]),
    ({"road_class": {"d": "secondary"}, "structure": {"d": "bridge"}}, ["foot", "bike", "car"]),
    ({"road_class": {"d": "secondary"}, "structure": {"d": "bridge"}, "ebike": {"d": True}},
     ["foot", "bike", "car"]),
    ({"road_class": {"d": "tertiary"}, "structure": {"d": "bridge"}},
     ["foot", "bike", "ebike", "car"]),
])
def test_who_may_use_a_road(columns, modes):
    roads = draw_roads({**STREET, "d": [(100, 0), (100, 50)]}, **columns)
    found = [mode for mode in ("foot", "bike", "ebike", "car")
             if "d" in build_network(roads, mode).road]
    assert found == modes


def test_ebikes_may_use_bridges_over_water():
    roads = draw_roads({**STREET, "d": [(100, 0), (100, 50)]}, road_class={"d": "primary"},
                       structure={"d": "bridge"})
    for kind, held in (("river", True), ("rail", True), ("water", True), ("wall", False)):
        over = draw_barriers([(kind, LineString([(50, 25), (150, 25)]))])
        assert ("d" in build_network(roads, "ebike", barriers=over).road) == held, kind


# ---- the network itself --------------------------------------------------------------------

def test_nodes_are_ends_and_shared_vertices():
    network = build_network(draw_roads({"b": [(0, 0), (50, 0), (100, 0), (150, 0)],
                                        "a": [(50, 40), (50, 0)]}))
    assert sorted(network.xy.tolist()) == [[0, 0], [50, 0], [50, 40], [150, 0]]
    assert network.road.tolist() == ["a", "b", "b"]  # in the order of the roads
    assert network.length_m.tolist() == [40, 50, 100]
    for (u, v), line in zip(network.ends, network.geometry, strict=True):
        assert line.coords[0] == tuple(network.xy[u])
        assert line.coords[-1] == tuple(network.xy[v])


def test_vertices_are_rounded_to_a_millimetre_and_repeated_ones_are_one():
    network = build_network(draw_roads({"a": [(0, 0), (50.0004, 0), (50.0001, 0), (100, 0)],
                                        "b": [(50, 0.0003), (50, 70)], "c": [(1, 1), (1, 1.0001)]}))
    assert network.length_m.tolist() == [50, 50, 70]


def test_a_street_that_meets_itself_has_a_node_there():
    network = build_network(draw_roads({"a": [(0, 0), (100, 0), (100, 50), (50, 50), (50, 0),
                                              (50, -50)], "b": [(50, 0), (70, -70)]}))
    assert network.nodes == 4
    roads = draw_roads({"a": [(0, 0), (50, 0), (100, 0), (100, 50), (50, 50), (50, 0)]})
    network = build_network(roads)
    assert sorted(network.length_m.tolist()) == [50, 200]


def test_parts_of_a_road_are_lines_of_their_own():
    roads = gpd.GeoDataFrame({"road_id": ["a"]}, crs=CRS, geometry=[shapely.MultiLineString(
        [[(0, 0), (50, 0)], [(50, 0), (50, 50)]])])
    assert build_network(roads).length_m.tolist() == [50, 50]


def test_the_largest_piece_comes_first():
    network = build_network(draw_roads({"a": [(0, 0), (9, 0)], "b": [(0, 50), (90, 50)],
                                        "c": [(0, 90), (50, 90)]}))
    piece = dict(zip(network.road, network.component[network.ends[:, 0]], strict=True))
    assert piece == {"b": 0, "c": 1, "a": 2}
    assert network.road[network.usable].tolist() == ["b"]


def test_slopes_cost_as_tobler_says():
    # 10 m up over 100 m, then flat.
    heights = np.array([[0.0, 10.0, 10.0]])
    ground = Elevation(heights, (-50.0, 50.0), (100.0, 100.0), CRS, "hill.tif")
    roads = draw_roads({"a": [(0, 0), (100, 0)], "b": [(100, 0), (200, 0)]})
    network = build_network(roads, elevation=ground)
    up, down = math.exp(3.5 * 0.15) / math.exp(3.5 * 0.05), math.exp(0) / math.exp(0)
    down = math.exp(3.5 * abs(-0.1 + 0.05)) / math.exp(3.5 * 0.05)
    assert network.cost_m.tolist() == [pytest.approx([100 * up, 100 * down]), [100, 100]]
    assert up > 1 == pytest.approx(down)
    assert (build_network(roads, "bike", elevation=ground).cost_m
            == build_network(roads, "bike").cost_m).all()
    steep = Elevation(heights * 100, (-50.0, 50.0), (100.0, 100.0), CRS)
    assert build_network(roads, elevation=steep).cost_m[0, 0] == pytest.approx(
        100 * math.exp(3.5 * 0.55) / math.exp(3.5 * 0.05))


def test_elevation_must_cover_the_streets():
    ground = Elevation(np.array([[0.0, np.nan]]), (-50.0, 50.0), (100.0, 100.0), CRS, "hill.tif")
    roads = draw_roads({"a": [(0, 0), (100, 0)], "b": [(0, 0), (0, 30)]})
    with pytest.raises(InputError) as error:
        build_network(roads, elevation=ground)
    [line] = error.value.lines()
    assert line.startswith("network.elevation_cover | hill.tif | the elevation covers 66.6 %")


def test_networks_go_to_networkx_and_come_from_osmnx():
    roads = draw_roads(SQUARE, one_way={"n": "forward"})
    network = build_network(roads, "car")
    graph = to_networkx(network)
    assert graph.number_of_edges() == 7
    for u, v in network.ends[network.road == "n"]:
        assert graph.has_edge(u, v)
        assert not graph.has_edge(v, u)
    for node, data in graph.nodes(data=True):
        data["osmid"] = node
    for _, _, data in graph.edges(data=True):
        data["osmid"] = data["road_id"]
    back = from_osmnx(graph, "car")
    assert sorted(back.length_m) == sorted(network.length_m)
    assert np.isinf(back.cost_m).sum() == 1
    assert isinstance(back, StreetNetwork)
    assert not np.isinf(from_osmnx(graph).cost_m).any()


# ---- doors ---------------------------------------------------------------------------------

def test_doors_of_buildings():
    homes = gpd.GeoDataFrame(index=pd.Index(["h1", "h2", "h3"], name="building_id", dtype=object),
                             geometry=[box(0, 10, 20, 20), box(40, 10, 60, 20),
                                       Point(90, 5)], crs=CRS)
    doors = gpd.GeoDataFrame({"entrance_id": ["d1", "d2", "d3"],
                              "building_id": ["h2", "h2", "gone"]},
                             geometry=[Point(60, 15), Point(40, 12), Point(0, 0)],
                             crs=CRS).set_index("entrance_id")
    points, row = door_points(homes, doors)
    assert shapely.get_coordinates(points).tolist() == [[10, 15], [60, 15], [40, 12], [90, 5]]
    assert row.tolist() == [0, 1, 1, 2]
    network = build_network(draw_roads(STREET))
    access = find_building_access(network, homes, doors)
    assert access.start.tolist() == [0, 1, 3, 4]
    assert access.leg_m.tolist() == [15, 15, 12, 5]
    assert nearest(network, access, find_access(network, np.array([Point(0, 0)])),
                   np.zeros(1, np.int64), 1).distance_m.tolist() == [[25, 52, 95]]


def test_a_building_in_an_estate_without_known_gates_has_one_door():
    homes = gpd.GeoDataFrame(index=["h"], geometry=[box(90, 30, 110, 50)], crs=CRS)
    doors = gpd.GeoDataFrame({"building_id": ["h", "h"]},
                             geometry=[Point(90, 30), Point(110, 30)], crs=CRS)
    network = build_network(draw_roads(STREET))
    access = find_building_access(network, homes, doors, estates=draw_estates({"E": YARD}))
    assert access.uncertain.tolist() == [True]
    assert len(access.edge) == 8
    assert access.leg_m.min() == pytest.approx(40)


def test_a_certain_door_makes_a_building_certain():
    network = build_network(draw_roads(STREET))
    access = find_access(network, shapely.points([[100, 40], [20, 10], [0, 900]]),
                         estates=draw_estates({"E": YARD}))
    assert access.uncertain.tolist() == [True, False, False]
    both = merge_access(access, np.array([0, 0, 0]), 2)
    assert both.leg_m.tolist() == [10]
    assert both.uncertain.tolist() == [False, False]
    assert both.off.tolist() == [False, True]


# ---- reading near and far ------------------------------------------------------------------

def test_near_and_far_readings_of_an_uncertain_origin():
    network = build_network(draw_roads(STREET))
    origin = find_access(network, np.array([Point(100, 40)]), estates=draw_estates({"E": YARD}))
    goal = find_access(network, np.array([Point(200, 0)]))
    near, far = (nearest(network, origin, goal, np.zeros(1, np.int64), 1, reading=reading
                         ).distance_m[0, 0] for reading in ("near", "far"))
    ways = [200 - x + y + math.hypot(100 - x, 40 - y)
            for x, y in ((80, 20), (100, 20), (120, 20), (80, 40), (120, 40), (80, 60), (100, 60),
                         (120, 60))]
    assert near == pytest.approx(min(ways))
    assert far == pytest.approx(max(ways))


def test_near_and_far_readings_of_an_uncertain_target():
    network = build_network(draw_roads(STREET))
    goal = find_access(network, np.array([Point(100, 40), Point(0, 30)]),
                       estates=draw_estates({"E": YARD}))
    origins = find_access(network, shapely.points([[0, 0], [200, 0], [100, 0]]))
    group = np.zeros(2, np.int64)
    near = nearest(network, origins, goal, group, 1)
    far = nearest(network, origins, goal, group, 1, reading="far")
    options = [(x, y + math.hypot(100 - x, 40 - y))
               for x, y in ((80, 20), (100, 20), (120, 20), (80, 40), (120, 40), (80, 60),
                            (100, 60), (120, 60))]
    for k, x in enumerate((0, 200, 100)):
        ways = [abs(x - at) + leg for at, leg in options]
        assert near.distance_m[0, k] == pytest.approx(min(min(ways), x + 30))
        assert far.distance_m[0, k] == pytest.approx(min(max(ways), x + 30))
    assert near.target.tolist() == [[1, 0, 0]]
    assert far.target.tolist() == [[1, 0, 0]]
    short = nearest(network, origins, goal, group, 1, reading="far",
                    limit_m=far.distance_m[0, 2] - 0.001)
    assert short.target.tolist() == [[1, -1, -1]]


# ---- reach ---------------------------------------------------------------------------------

def test_reach_ends_where_the_metres_end():
    network = build_network(draw_roads(SQUARE))
    at = find_access(network, np.array([Point(50, 110)]))
    found = reach(network, at, np.array([0]), limit_m=110)
    parts = {(network.road[e], round(a, 6), round(b, 6))
             for e, a, b in zip(found.edge, found.start_m, found.end_m, strict=True)}
    assert parts == {("n", 0, 100), ("e", 0, 50), ("w", 50, 100)}
    whole = reach(network, at, np.array([0]), limit_m=1000)
    assert (whole.end_m - whole.start_m).sum() == pytest.approx(400)
    assert not len(reach(network, at, np.array([0]), limit_m=9.9).edge)


def test_reach_minds_the_direction():
    roads = draw_roads(SQUARE, one_way=dict.fromkeys("nesw", "forward"))
    network = build_network(roads, "car", params=NetworkParams(car_kmh={"unknown": 29.88}))
    at = find_access(network, np.array([Point(50, 100)]))
    there = reach(network, at, np.array([0]), limit_m=60, toward=False)
    here = reach(network, at, np.array([0]), limit_m=60)
    assert dict(zip(network.road[there.edge], there.end_m - there.start_m, strict=True)) == {
        "n": pytest.approx(50), "e": pytest.approx(10)}
    assert dict(zip(network.road[here.edge], here.end_m - here.start_m, strict=True)) == {
        "n": pytest.approx(50), "w": pytest.approx(10)}


def test_an_edge_may_be_reached_from_both_ends_only():
    network = build_network(draw_roads({**SQUARE, "d": [(0, 100), (50, 180), (100, 100)]}))
    at = find_access(network, np.array([Point(50, 100)]))
    found = reach(network, at, np.array([0]), limit_m=80)
    d = network.road[found.edge] == "d"
    assert found.start_m[d].tolist() == [0, pytest.approx(2 * math.hypot(50, 80) - 30)]
    assert found.end_m[d].tolist() == [pytest.approx(30), pytest.approx(2 * math.hypot(50, 80))]


# ---- bad input -----------------------------------------------------------------------------

def test_disconnected_roads_are_listed():
    findings = Findings()
    build_network(draw_roads({**LOOP, "i1": [(50, 40), (90, 40)], "i2": [(50, 60), (80, 60)]}),
                  findings=findings)
    [found] = findings.items
    assert (found.key, found.outcome, found.count, found.row) == (
        "network.islands", "warning", 2, "i1")
    assert "70 m in all" in found.what()
    assert "i1, i2" in found.what()


def test_one_way_traps_are_listed_for_those_whom_they_bind():
    roads = draw_roads({**SQUARE, "t": [(100, 0), (300, 0)]}, one_way={"t": "forward"})
    findings = Findings()
    network = build_network(roads, "car", findings=findings)
    [found] = findings.items
    assert (found.key, found.outcome, found.count) == ("network.traps", "warning", 1)
    assert network.road[~network.usable].tolist() == ["t"]
    findings = Findings()
    assert build_network(roads, "foot", findings=findings).usable.all()
    assert not findings.items


def test_roads_as_areas_are_refused():
    roads = gpd.GeoDataFrame({"road_id": ["a", "b"]}, crs=CRS,
                             geometry=[box(0, 0, 9, 1), LineString([(0, 0), (9, 0)])])
    with pytest.raises(InputError) as error:
        build_network(roads)
    [line] = error.value.lines()
    assert line.startswith("network.not_lines | roads › a | 1 roads are no lines")


def test_no_roads_at_all_or_for_a_mode():
    with pytest.raises(InputError, match=r"network.no_roads \| roads › car \| of 1 roads"):
        build_network(draw_roads(STREET, road_class={"a": "footway"}), "car")
    with pytest.raises(InputError, match="of 0 roads"):
        build_network(draw_roads(STREET).iloc[:0])
    with pytest.raises(InputError, match=r"network\.no_roads"):
        build_network(draw_roads({"a": [(0, 0), (0, 0.0001)]}))


def test_degrees_are_refused():
    with pytest.raises(InputError, match=r"network\.not_metric"):
        build_network(draw_roads(STREET).set_crs(4326, allow_override=True))


def test_an_unknown_mode_is_a_bug():
    with pytest.raises(ValueError, match="horse"):
        build_network(draw_roads(STREET), "horse")


def test_what_is_off_the_network_is_told_at_once():
    network = build_network(draw_roads(STREET))
    points = shapely.points([[0, 0], [0, 800], [0, 900]])
    findings = Findings()
    access = find_access(network, points)
    ids = pd.Index(["f1", "f2", "f3"])
    tell_off(network, points, access, ids, findings, layer="facilities", file="f.csv")
    [found] = findings.items
    assert found.line().startswith("network.off | f.csv › facilities › f2 | 2 have no way")
    assert "800 m" in found.what()
    assert "f2, f3" in found.what()
    tell_off(network, points[:1], pick_access(access, np.array([0])), ids[:1], findings,
             layer="facilities")
    assert len(findings.items) == 1


def test_pairs_come_in_order_and_keep_to_the_limit():
    network = build_network(draw_roads(STREET))
    at = find_access(network, shapely.points([[0, 0], [200, 0], [50, 0]]))
    found = distances(network, at, at, limit_m=150)
    assert list(zip(found.origin, found.target, found.distance_m, strict=True)) == [
        (0, 0, 0), (0, 2, 50), (1, 1, 0), (1, 2, 150), (2, 0, 50), (2, 1, 150), (2, 2, 0)]
