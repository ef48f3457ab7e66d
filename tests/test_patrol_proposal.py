"""What a patrol is made of where nothing is given, on towns drawn as a lattice of square grids."""

import dataclasses
import itertools
import math

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridplan.errors import Findings, InputError
from gridplan.layers import LAYERS, conform
from gridplan.params import Params
from gridplan.patrol.pieces import cut_pieces, fit_lines, midpoints, propose_pieces, weave_roads
from gridplan.patrol.proposal import propose_patrol
from gridplan.patrol.workload import read_windows, span_of
from gridplan.patrol.zones import cut_evenly, find_zones, zone_of_grids
from gridplan.plan import Plan
from gridplan.regions import Graph

CRS = 4549
SIDE = 200.0
CLASSES = ("primary", "residential", "living_street", "pedestrian", "service", "trunk")
WEEK = [f"2026-12-{n:02d}" for n in range(1, 8)]
PARAMS = Params()


def make_town(across=6, down=4, *, classes=None, street=lambda x, y: "S1", side=3, facilities=(),
              specials=(), without=(), **columns):
    """A town of square grids in communities of ``side`` × ``side``, with roads on every border.

    A road is one line of the lattice, cut where ``classes`` changes along it; ``classes`` maps
    ("h" or "v", line, step) to a class, residential where nothing is said; None is no road.
    ``without`` are grids (x, y) that the plan does not have.
    """
    classes = classes or {}
    cells = [(x, y) for x in range(across) for y in range(down) if (x, y) not in without]
    grids = gpd.GeoDataFrame({
        "grid_id": [f"C{x // side}{y // side}-{x:02d}{y:02d}" for x, y in cells],
        "community_id": [f"C{x // side}{y // side}" for x, y in cells], "households": 400},
        geometry=[shapely.box(x * SIDE, y * SIDE, (x + 1) * SIDE, (y + 1) * SIDE)
                  for x, y in cells], crs=CRS)
    areas = grids.dissolve("community_id").reset_index()[["community_id", "geometry"]]
    areas["geometry"] = [shapely.multipolygons(shapely.get_parts(g)) for g in areas.geometry]
    areas["subdistrict_id"] = [street(int(c[1]), int(c[2])) for c in areas["community_id"]]
    areas["name"] = areas["community_id"]
    roads = []
    for way, lines, steps in (("h", down + 1, across), ("v", across + 1, down)):
        for line in range(lines):
            kinds = [classes.get((way, line, k), "residential") for k in range(steps)]
            for kind, run in itertools.groupby(range(steps), key=lambda k: kinds[k]):
                run = list(run)
                if kind is not None:
                    xy = [(k * SIDE, line * SIDE) for k in range(run[0], run[-1] + 2)]
                    roads.append((f"{way}{line}-{run[0]}", kind, shapely.LineString(
                        xy if way == "h" else [(b, a) for a, b in xy])))
    frame = gpd.GeoDataFrame({"road_id": [r[0] for r in roads],
                              "road_class": [r[1] for r in roads], "public": True,
                              "structure": "grade", **columns},
                             geometry=[r[2] for r in roads], crs=CRS)
    layers = {"grids": grids, "communities": areas, "roads": frame}
    if facilities:
        layers["facilities"] = gpd.GeoDataFrame(
            [{"facility_id": f"F{n}", "name": f"place {n}", "categories": kind,
              "status": "existing"} for n, (kind, *_) in enumerate(facilities)],
            geometry=[shapely.Point(x, y) for _, x, y in facilities], crs=CRS)
    if specials:
        layers["specials"] = gpd.GeoDataFrame(
            [{"special_id": f"X{n}", "kind": kind} for n, (kind, _) in enumerate(specials)],
            geometry=[shapely.multipolygons([area]) for _, area in specials], crs=CRS)
    return Plan({name: conform(name, layer) for name, layer in layers.items()}, CRS)


def propose(plan, given=None, *, params=PARAMS, days=WEEK, findings=None, **options):
    return propose_patrol(plan, params, findings or Findings(), given, days=days, **options)


def with_patrol(**fields):
    return dataclasses.replace(PARAMS, patrol=dataclasses.replace(PARAMS.patrol, **fields))


def area_of(plan):
    return shapely.union_all(plan.layer("communities").geometry.to_numpy())


lattices = st.builds(
    lambda across, down, kinds: make_town(across, down, classes={
        (way, line, step): kinds[(7 * line + 3 * step + (way == "v")) % len(kinds)]
        for way in "hv" for line in range(9) for step in range(9)}),
    st.integers(1, 5), st.integers(1, 4),
    st.lists(st.sampled_from([*CLASSES, None]), min_size=1, max_size=11).filter(
        lambda kinds: any(k not in (None, "service") for k in kinds)))


# ---- pieces ---------------------------------------------------------------------------------

@settings(max_examples=25)
@given(lattices)
def test_pieces_tile_the_roads_that_are_patrolled(plan):
    try:
        web = weave_roads(plan, PARAMS)
    except InputError:  # no road at all
        return
    roads = plan.layer("roads")
    wanted = roads[[c in PARAMS.patrol.passes for c in roads["road_class"]]]
    pieces = propose_pieces(web, area_of(plan), PARAMS, Findings())
    length = pieces.assign(m=pieces.length).groupby("road_id")["m"].sum()
    assert set(length.index) == set(wanted["road_id"])
    for road in wanted.itertuples():
        own = pieces[pieces["road_id"] == road.road_id].geometry.to_numpy()
        assert length[road.road_id] == pytest.approx(road.geometry.length, rel=1e-6)
        assert shapely.union_all(own).equals(road.geometry)
    assert pieces["required_id"].is_unique


@settings(max_examples=25)
@given(lattices)
def test_pieces_end_at_junctions_and_nowhere_else(plan):
    try:
        web = weave_roads(plan, PARAMS)
    except InputError:
        return
    roads = plan.layer("roads").set_index("road_id")
    pieces = propose_pieces(web, area_of(plan), PARAMS, Findings())
    keeps_off = {"car": {"pedestrian"}, "ebike": {"trunk"}, "foot": {"trunk"}}
    for piece in pieces.itertuples():
        mode = PARAMS.patrol.modes[piece.tier]
        corners = [shapely.Point(xy) for xy in piece.geometry.coords]
        streets = [r for r in roads.itertuples() if r.road_class in PARAMS.patrol.passes
                   and r.road_class not in keeps_off[mode]]
        road_ends = {roads.geometry[piece.road_id].coords[k] for k in (0, -1)}
        for place in corners:
            arms = sum(2 - (place.coords[0] in (r.geometry.coords[0], r.geometry.coords[-1]))
                       for r in streets if r.geometry.intersects(place))
            inner = place not in (corners[0], corners[-1])
            assert (arms < 3) if inner else (arms >= 3 or place.coords[0] in road_ends)


def test_pieces_keep_the_direction_of_one_way_roads():
    plan = make_town(3, 1, one_way="yes")
    pieces = propose_pieces(weave_roads(plan, PARAMS), area_of(plan), PARAMS, Findings())
    for piece in pieces.itertuples():
        (x0, y0), *_, (x1, y1) = piece.geometry.coords
        assert x1 > x0 or y1 > y0


def test_both_roads_of_a_dual_carriageway_stay():
    plan = make_town(3, 1)
    roads = plan.layer("roads")
    twin = roads[roads["road_id"] == "h0-0"].assign(road_id="twin")
    twin["geometry"] = twin.geometry.translate(0, 12)
    plan = plan.with_layers(roads=pd.concat([roads, twin], ignore_index=True))
    pieces = propose_pieces(weave_roads(plan, PARAMS), area_of(plan), PARAMS, Findings())
    length = pieces.assign(m=pieces.length).groupby("road_id")["m"].sum()
    assert length["twin"] == length["h0-0"] == pytest.approx(3 * SIDE)


def test_tiers_passes_and_numbers():
    plan = make_town(2, 2, classes={("h", 2, 0): "primary", ("h", 2, 1): "primary",
                                    ("v", 0, 0): "living_street", ("h", 1, 0): "service"})
    pieces = propose_pieces(weave_roads(plan, PARAMS), area_of(plan), PARAMS, Findings())
    held = pieces.groupby("road_id")[["tier", "passes_per_day"]].first()
    assert held.loc["h2-0"].tolist() == ["city", 3]
    assert held.loc["v0-0"].tolist() == ["community", 1]
    assert held.loc["h0-0"].tolist() == ["town", 2]
    assert "h1-0" not in held.index
    assert pieces["required_id"].tolist() == [f"Q{n:05d}" for n in range(1, len(pieces) + 1)]
    north = shapely.get_y(midpoints(pieces.geometry.to_numpy()))
    assert north[0] > north[-1]


def pieces_of(plan, **columns):
    """Propose pieces where one road has other columns; tell whether it is among them."""
    roads = plan.layer("roads")
    for column, value in columns.items():
        roads.loc[roads["road_id"] == "h0-0", column] = value
    pieces = propose_pieces(weave_roads(plan.with_layers(roads=roads), PARAMS), area_of(plan),
                            PARAMS, Findings())
    assert len(pieces)
    return "h0-0" in set(pieces["road_id"])


@pytest.mark.parametrize("columns", [
    {"public": False}, {"structure": "tunnel"}, {"structure": "bridge", "road_class": "primary"}])
def test_inner_roads_tunnels_and_raised_roads_are_not_patrolled(columns):
    assert not pieces_of(make_town(2, 1), **columns)


def test_bridges_over_water_are_patrolled():
    plan = make_town(2, 1)
    line = plan.layer("roads").set_index("road_id").geometry["h0-0"]
    middle = line.interpolate(0.5, normalized=True)
    river = gpd.GeoDataFrame({"barrier_id": ["w"], "kind": ["river"]}, crs=CRS, geometry=[
        shapely.LineString([(middle.x, middle.y - 9), (middle.x, middle.y + 9)])])
    wet = plan.with_layers(barriers=conform("barriers", river))
    assert pieces_of(wet, structure="bridge", road_class="primary")
    assert pieces_of(plan, structure="bridge")  # a small road is never a raised one


def test_a_piece_outside_is_left_out():
    plan = make_town(2, 1)
    out = gpd.GeoDataFrame({"road_id": ["far", "rim", "stub"], "road_class": "residential",
                            "public": True}, crs=CRS, geometry=[
        shapely.LineString([(0, 300), (400, 300)]), shapely.LineString([(0, 215), (400, 215)]),
        shapely.LineString([(400, 100), (450, 100)])])
    plan = plan.with_layers(roads=conform("roads", pd.concat([plan.layer("roads"), out])))
    held = set(propose_pieces(weave_roads(plan, PARAMS), area_of(plan), PARAMS,
                              Findings())["road_id"])
    assert "rim" in held
    assert not held & {"far", "stub"}


def test_a_class_goes_to_a_tier_whose_mode_may_use_it():
    plan = make_town(2, 1, classes={("h", 0, 0): "pedestrian", ("h", 1, 0): "trunk"})
    params = with_patrol(tiers={**PARAMS.patrol.tiers, "pedestrian": "city", "trunk": "community"})
    pieces = propose_pieces(weave_roads(plan, params), area_of(plan), params, Findings())
    held = pieces.groupby("road_id")["tier"].first()
    assert held["h0-0"] == "town"
    assert held["h1-0"] == "city"


def test_roads_of_no_mode_are_named():
    plan = make_town(2, 1, classes={("h", 1, 0): "trunk", ("h", 1, 1): "trunk"})
    params = with_patrol(modes=dict.fromkeys(PARAMS.patrol.modes, "foot"))
    findings = Findings()
    pieces = propose_pieces(weave_roads(plan, params), area_of(plan), params, findings)
    assert "h1-0" not in set(pieces["road_id"])
    assert [(f.key, f.row) for f in findings.items] == [("patrol.required_no_mode", "h1-0")]


# ---- lines that are drawn -------------------------------------------------------------------

def draw(*rows):
    frame = gpd.GeoDataFrame([{k: v for k, v in row.items() if k != "xy"} for row in rows],
                             geometry=[shapely.LineString(row["xy"]) for row in rows], crs=CRS)
    return conform("required", frame)


@settings(max_examples=25)
@given(lattices)
def test_pieces_laid_again_stay_what_they_are(plan):
    try:
        web = weave_roads(plan, PARAMS)
    except InputError:
        return
    pieces = propose_pieces(web, area_of(plan), PARAMS, Findings())
    findings = Findings()
    again = fit_lines(web, pieces, PARAMS, findings)
    assert not findings.items
    pd.testing.assert_frame_equal(pd.DataFrame(pieces), pd.DataFrame(again))


def test_a_drawn_line_is_laid_on_its_road_and_cut():
    plan = make_town(3, 2)
    web = weave_roads(plan, PARAMS)
    found = fit_lines(web, draw({"required_id": "mine", "tier": "city", "passes_per_day": 7,
                                 "xy": [(-5, 206), (300, 191), (605, 204)]}), PARAMS, Findings())
    # Cut where others of the drawn lines meet: none here.
    assert found["required_id"].tolist() == ["mine"]
    assert found["road_id"].tolist() == ["h1-0"]
    assert found["tier"].tolist() == ["city"]
    assert found["passes_per_day"].tolist() == [7]
    assert found["day_kind"].tolist() == ["all"]
    assert found.geometry.iloc[0].equals(web.roads.geometry["h1-0"])


def test_drawn_lines_are_cut_where_they_meet():
    web = weave_roads(make_town(3, 2), PARAMS)
    found = fit_lines(web, draw({"required_id": "a", "xy": [(0, 200), (600, 200)]},
                                {"required_id": "b", "xy": [(200, 0), (200, 400)]}), PARAMS,
                      Findings())
    assert sorted(found["required_id"]) == ["a-1", "a-2", "b-1", "b-2"]
    assert found.length.sum() == pytest.approx(1000)


def test_names_of_drawn_lines_stay_unique():
    web = weave_roads(make_town(3, 2), PARAMS)
    found = fit_lines(web, draw({"required_id": "a", "xy": [(0, 200), (600, 200)]},
                                {"required_id": "a-1", "xy": [(200, 0), (200, 200)]},
                                {"xy": [(0, 0), (200, 0)]}), PARAMS, Findings())
    assert found["required_id"].is_unique
    assert found["required_id"].notna().all()


def test_half_an_edge_is_enough_and_of_less_the_best():
    web = weave_roads(make_town(4, 1), PARAMS)
    over = fit_lines(web, draw({"xy": [(90, 2), (650, 2)]}), PARAMS, Findings())
    assert over.total_bounds.tolist() == [0, 0, 600, 0]
    less = fit_lines(web, draw({"xy": [(210, 2), (260, 2)]}), PARAMS, Findings())
    assert less.total_bounds.tolist() == [200, 0, 400, 0]


def test_a_line_goes_with_the_nearer_of_two_roads():
    plan = make_town(2, 1)
    roads = plan.layer("roads")
    twin = roads[roads["road_id"] == "h0-0"].assign(road_id="twin")
    twin["geometry"] = twin.geometry.translate(0, 10)
    web = weave_roads(plan.with_layers(roads=pd.concat([roads, twin], ignore_index=True)), PARAMS)
    line = {"xy": [(0, 9), (400, 9)]}
    assert set(fit_lines(web, draw(line), PARAMS, Findings())["road_id"]) == {"twin"}
    told = fit_lines(web, draw({**line, "road_id": "h0-0"}), PARAMS, Findings())
    assert set(told["road_id"]) == {"h0-0"}


def test_a_short_street_that_crosses_a_line_is_not_along_it():
    plan = make_town(3, 2)
    stub = gpd.GeoDataFrame({"road_id": ["stub"], "road_class": ["residential"]}, crs=CRS,
                            geometry=[shapely.LineString([(300, 200), (300, 218)])])
    web = weave_roads(plan.with_layers(roads=conform("roads", pd.concat(
        [plan.layer("roads"), stub], ignore_index=True))), PARAMS)
    line = {"xy": [(0, 203), (600, 203)]}
    assert set(fit_lines(web, draw(line), PARAMS, Findings())["road_id"]) == {"h1-0"}
    findings = Findings()
    fit_lines(web, draw({"required_id": "x", "road_id": "stub", **line}), PARAMS, findings)
    assert [(f.key, f.row) for f in findings.items] == [("patrol.required_off", "x")]


def test_lines_that_no_road_lies_along_are_named_all_at_once():
    plan = make_town(3, 2)
    with pytest.raises(InputError) as error:
        propose(plan, {"required": draw({"required_id": "gone", "road_id": "nowhere",
                                         "xy": [(0, 0), (600, 0)]},
                                        {"required_id": "field", "xy": [(0, 100), (600, 100)]},
                                        {"required_id": "slant", "xy": [(20, 20), (180, 180)]})})
    assert [(f.key, f.layer, f.row) for f in error.value.findings] == [
        ("patrol.required_road", "required", "gone"), ("patrol.required_off", "required", "field"),
        ("patrol.required_off", "required", "slant")]


def test_a_line_that_leaves_the_road_is_told():
    findings = Findings()
    fit_lines(weave_roads(make_town(3, 2), PARAMS),
              draw({"required_id": "a", "xy": [(0, 0), (600, 0), (900, 0)]}), PARAMS, findings)
    assert [(f.key, f.row) for f in findings.items] == [("patrol.required_partly", "a")]


# ---- zones ----------------------------------------------------------------------------------

def graph_of(grids):
    graph = nx.Graph()
    graph.add_nodes_from(grids["grid_id"])
    for a, b in itertools.combinations(grids.itertuples(), 2):
        if a.geometry.boundary.intersection(b.geometry.boundary).length >= 1:
            graph.add_edge(a.grid_id, b.grid_id)
    return graph


towns = st.builds(
    lambda across, down, holes, parts, kinds: make_town(
        across, down, without={(h % across, h % down) for h in holes},
        street=lambda x, y: f"S{(x + y) % parts}", side=2,
        classes={(way, line, step): kinds[(5 * line + step) % len(kinds)]
                 for way in "hv" for line in range(9) for step in range(9)}),
    st.integers(2, 7), st.integers(2, 5), st.lists(st.integers(0, 30), max_size=3),
    st.integers(1, 3), st.lists(st.sampled_from(("residential", "living_street", "primary")),
                                min_size=1, max_size=5)).filter(
    lambda plan: len(plan.layer("grids")) > 1)


@settings(max_examples=12)
@given(towns)
def test_zones_of_a_tier_tile_the_grids_and_hang_together(plan):
    # Short shifts, so that there are many community zones.
    params = with_patrol(shifts={**PARAMS.patrol.shifts, "community": "08:00-09:10"})
    findings = Findings()
    layers = propose(plan, params=params, findings=findings)
    grids, zones = plan.layer("grids"), layers["zones"]
    whole = graph_of(grids)
    told = {f.row for f in findings.items if f.key == "patrol.zone_parts"}
    for tier in ("city", "town", "community"):
        own = zones[zones["tier"] == tier]
        member = zone_of_grids(grids, zones, tier)
        assert set(member) == set(own["zone_id"])
        for zone in own.itertuples():
            inside = grids[member.to_numpy() == zone.zone_id]
            assert zone.geometry.is_valid
            assert zone.geometry.geom_type == "MultiPolygon"
            assert zone.geometry.symmetric_difference(inside.union_all()).area == 0
            assert zone.geometry.area == pytest.approx(inside.area.sum(), rel=1e-12)
            if tier != "city" and nx.is_connected(whole):
                held = whole.subgraph(inside["grid_id"])
                assert nx.is_connected(held) or zone.zone_id in told


def test_squadrons_are_subdistricts():
    plan = make_town(6, 6, street=lambda x, y: f"S{x}")
    layers = propose(plan)
    member = zone_of_grids(plan.layer("grids"), layers["zones"], "town")
    west = {z for g, z in member.items() if g[1] == "0"}
    east = {z for g, z in member.items() if g[1] == "1"}
    assert len(west) == len(east) == 1
    assert west != east


def test_a_subdistrict_in_two_parts_is_two_squadrons():
    plan = make_town(9, 3, street=lambda x, y: "S1" if x == 1 else "S2")
    params = with_patrol(shifts={**PARAMS.patrol.shifts, "town": "08:00-09:00"})
    assert (propose(plan, params=params)["zones"]["tier"] == "town").sum() == 3


def test_a_small_detached_part_joins_the_nearest_and_is_told():
    plan = make_town(13, 6, street=lambda x, y: "S2" if x in (0, 4) else "S1",
                     without={(12, y) for y in range(6) if y != 2})
    findings = Findings()
    layers = propose(plan, findings=findings, lang="zh")
    parts = shapely.get_num_geometries(layers["zones"].geometry.to_numpy())
    lost = layers["zones"][(layers["zones"]["tier"] == "town").to_numpy() & (parts > 1)]
    assert len(lost) == 1
    assert [f.row for f in findings.items if f.key == "patrol.zone_parts"] == lost[
        "zone_id"].tolist()


def test_one_subdistrict_is_cut_into_squadrons_of_about_four_teams():
    params = with_patrol(shifts={**PARAMS.patrol.shifts, "town": "08:00-10:00"})
    plan = make_town(8, 8)
    layers = propose(plan, params=params)
    zones = layers["zones"][layers["zones"]["tier"] == "town"]
    teams = layers["teams"][layers["teams"]["tier"] == "town"]
    assert len(zones) > 1
    assert teams.groupby("zone_id").size().between(3, 5).all()


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_equal_grids_are_shared_out_evenly(count):
    side = 6
    number = np.arange(side * side).reshape(side, side)
    u = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    v = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    graph = Graph(np.full(side * side, 30), u, v, np.ones(u.size), np.zeros(u.size, bool))
    load = np.bincount(cut_evenly(graph, count, 1).labels, graph.households)
    assert len(load) == count
    assert load.max() - load.min() <= 60


def test_community_zones_need_one_team_each_and_keep_to_communities():
    params = with_patrol(shifts={**PARAMS.patrol.shifts, "community": "08:00-10:30"})
    kinds = {(way, line, step): "living_street" for way in "hv" for line in range(13)
             for step in range(13)}
    plan = make_town(12, 12, classes=kinds)
    layers = propose(plan, params=params)
    zones = layers["zones"][layers["zones"]["tier"] == "community"]
    teams = layers["teams"][layers["teams"]["tier"] == "community"]
    assert len(zones) > 4
    load = zones["workload"].astype(float)
    # All work of the tier is in its zones.
    streets = layers["required"]
    assert load.sum() == pytest.approx(streets.length.sum() / 1000 / 3.6 * 60, abs=len(zones) / 10)
    assert load.max() / load.mean() < 1.5
    # Streets on borders are the first zone's: the very first may be too full for one team.
    assert len(teams) <= len(zones) + 1
    grids = plan.layer("grids")
    crossed = grids.groupby(zone_of_grids(grids, layers["zones"]).to_numpy())[
        "community_id"].nunique()
    assert crossed.mean() < 3


def test_a_zone_more_is_better_than_two_teams_in_one():
    kinds = {(way, line, step): "living_street" for way in "hv" for line in range(7)
             for step in range(7)}
    plan = make_town(6, 4, classes=kinds)
    minutes = propose(plan)["required"].length.sum() / 1000 / 3.6 * 60 * 1.25
    # A hair less than two teams' work: no halves are so even.
    shift = 30 + math.ceil(minutes / 0.75 / 1.995)
    layers = propose(plan, params=with_patrol(shifts={
        **PARAMS.patrol.shifts, "community": f"00:00-{shift // 60:02d}:{shift % 60:02d}"}))
    assert (layers["zones"]["tier"] == "community").sum() == 3
    assert layers["teams"].groupby("zone_id").size().max() == 1


def test_parts_that_touch_nothing_are_cut_all_the_same():
    gap = {(x, y) for x in (5, 6) for y in range(6)}
    kinds = {(way, line, step): "living_street" for way in "hv" for line in range(13)
             for step in range(13)}
    plan = make_town(12, 6, without=gap, classes=kinds)
    for hours in ("08:00-10:30", "08:00-16:00"):
        findings = Findings()
        layers = propose(plan, params=with_patrol(shifts={
            **PARAMS.patrol.shifts, "community": hours}), findings=findings)
        zones = layers["zones"][layers["zones"]["tier"] == "community"]
        parts = shapely.get_num_geometries(zones.geometry.to_numpy())
        assert set(zone_of_grids(plan.layer("grids"), layers["zones"])) == set(zones["zone_id"])
        assert not {f.row for f in findings.items} & set(zones["zone_id"])
        assert (parts == 1).all()


def test_a_grid_that_touches_nothing_joins_the_nearest_zone():
    lost = (11, 3)
    kinds = {(way, line, step): "living_street" for way in "hv" for line in range(13)
             for step in range(13)}
    kinds |= {("h", line, 10): None for line in range(7)}
    kinds |= {("h", line, 11): None for line in range(7) if line not in (3, 4)}
    plan = make_town(12, 6, classes=kinds,
                     without={(x, y) for x in (10, 11) for y in range(6)} - {lost})
    findings = Findings()
    layers = propose(plan, findings=findings, params=with_patrol(shifts={
        **PARAMS.patrol.shifts, "community": "08:00-10:30"}))
    zones = layers["zones"][layers["zones"]["tier"] == "community"].set_index("zone_id")
    assert len(zones) > 3
    home = zones.index[zones.intersects(shapely.Point(11.5 * SIDE, 3.5 * SIDE))]
    parts = shapely.get_num_geometries(zones.geometry.to_numpy())
    assert set(zones.index[parts > 1]) == set(home)
    assert list(home) == [f.row for f in findings.items if f.row in zones.index]
    near, far = sorted(shapely.get_parts(zones.geometry[home[0]]), key=lambda p: p.bounds[0])
    assert near.distance(far) == pytest.approx(SIDE)


def test_uneven_zones_are_told():
    kinds = {("v", line, 0): None for line in range(7)} | {
        ("h", line, step): None if step else "living_street" for line in range(2)
        for step in range(6)}
    plan = make_town(6, 1, classes=kinds | {("h", 0, 5): "living_street"})
    params = with_patrol(shifts={**PARAMS.patrol.shifts, "community": "08:00-08:40"})
    findings = Findings()
    layers = propose(plan, params=params, findings=findings)
    load = layers["zones"].loc[layers["zones"]["tier"] == "community", "workload"]
    assert load.max() > 1.25 * load.mean()
    assert [f.key for f in findings.items] == ["patrol.zones_uneven"]
    # No division can be better: the fullest zone is one grid.
    told = findings.items[0].values
    assert told["mean"] < told["bound"] == told["most"]


def test_a_place_on_a_border_is_the_first_zones_and_outside_the_nearest():
    zones = gpd.GeoDataFrame({"zone_id": ["B2", "B1", "C1"], "tier": ["town", "town", "community"]},
                             geometry=[shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1),
                                       shapely.box(0, 0, 2, 1)], crs=CRS)
    points = shapely.points([(1, 0.5), (0.5, 0.5), (-3, 0.5), (1, 9), (0.995, 0.3)])
    assert find_zones(points, zones, "town").tolist() == ["B1", "B2", "B2", "B1", "B1"]
    assert find_zones(points, zones, "city").tolist() == [""] * 5


# ---- stops and stations ---------------------------------------------------------------------

def test_stops_come_from_facilities_and_special_places():
    hospital, campus = shapely.box(420, 40, 560, 160), shapely.box(820, 40, 960, 160)
    plan = make_town(6, 4, facilities=[("primary_school", 100, 100), ("bank", 120, 100),
                                       ("health_centre;health_facility", 500, 100),
                                       ("park;playground", 300, 500)],
                     specials=[("hospital", hospital), ("campus", campus),
                               ("industrial", shapely.box(10, 610, 90, 690))])
    stops = propose(plan)["stops"]
    assert sorted(stops["kind"]) == ["hospital", "park", "school", "school"]
    assert set(stops["tier"]) == {"town"}
    school = stops[stops["kind"] == "school"]
    assert (school["windows"] == "07:30-08:30;15:30-17:00").all()
    assert stops["service_min"].between(5, 10).all()
    # The campus stands where it is nearest to a street, on its outline.
    alone = stops[stops["name"] == "School"].geometry.iloc[0]
    assert campus.boundary.distance(alone) == 0


def test_several_visits_of_a_stop_fall_into_several_windows():
    kinds = ["primary_school", "kindergarten", "health_centre", "metro", "wet_market",
             "subdistrict_service_centre", "park"]
    plan = make_town(6, 4, facilities=[(k, 90 + 150 * n, 90) for n, k in enumerate(kinds)],
                     specials=[("hospital", shapely.box(610, 610, 690, 690))])
    stops = propose(plan)["stops"]
    assert len(stops) == len(kinds) + 1
    for stop in stops.itertuples():
        windows = read_windows(stop.windows if pd.notna(stop.windows) else "")
        assert all(end - begin >= stop.service_min for begin, end in windows)
        if stop.visits_per_day > 1:
            # Else a team would wait beside the place for its second visit.
            assert len(windows) == stop.visits_per_day
            assert all(end - begin < stop.spacing_min + stop.service_min for begin, end in windows)
            assert all(b[0] + stop.service_min >= a[0] + stop.spacing_min
                       for a, b in itertools.pairwise(windows))


def test_stops_are_no_more_than_households_allow():
    places = [("kindergarten", 50 + 10 * n, 50) for n in range(20)] + [("primary_school", 790, 50)]
    stops = propose(make_town(4, 4, facilities=places))["stops"]
    assert len(stops) == int(4 * 4 * 400 / 1000 * 2)
    assert "school" in set(stops["kind"])  # the more important first


def test_a_proposed_facility_is_no_stop():
    plan = make_town(facilities=[("primary_school", 100, 100)])
    rows = plan.layer("facilities").assign(status="proposed")
    assert propose(plan.with_layers(facilities=conform("facilities", rows)))["stops"].empty


def test_a_post_is_the_station_where_one_is_near():
    plan = make_town(6, 3, street=lambda x, y: f"S{x}", facilities=[("police_post", 210, 290)])
    layers = propose(plan, lang="zh")
    posts = layers["stations"][layers["stations"]["kind"] == "police_post"]
    assert posts.geometry.iloc[0].equals(shapely.Point(210, 290))
    assert len(posts) == 1
    assert layers["teams"]["station_id"].isin(layers["stations"]["station_id"]).all()


def test_without_a_post_teams_start_on_a_street_of_their_zone():
    layers = propose(make_town(6, 3, street=lambda x, y: f"S{x}"), lang="en")
    streets = layers["required"].union_all()
    for row in layers["stations"].itertuples():
        zone = layers["zones"].set_index("zone_id").loc[row.zone_id]
        assert streets.distance(row.geometry) < 1e-6
        assert zone.geometry.intersects(row.geometry)
        assert row.name == f"Station {zone['name']}"


def test_a_station_lies_in_its_zone_even_round_another():
    plan = make_town(5, 5, side=1, street=lambda x, y: "in" if 0 < x < 4 and 0 < y < 4 else "out")
    layers = propose(plan)
    zones = layers["zones"].set_index("zone_id")
    ring = next(z for z in zones.index[zones["tier"] == "town"]
                if not zones.geometry[z].intersects(shapely.Point(500, 500)))
    own = layers["stations"].set_index("zone_id").geometry[ring]
    assert zones.geometry[ring].intersects(own)


# ---- teams and calendar ---------------------------------------------------------------------

def test_teams_are_as_many_as_the_work_needs():
    kinds = {(way, line, step): "primary" for way in "hv" for line in range(9) for step in range(9)}
    plan = make_town(8, 8, classes=kinds)
    layers = propose(plan)
    km = layers["required"].length.sum() / 1000
    assert set(layers["required"]["tier"]) == {"city"}
    # 3 passes in 3 shifts of 8 h less a break of half an hour, at 30 km/h.
    each = math.ceil(km / 30 * 60 * 1.25 / (0.75 * 450))
    assert each >= 1
    city = layers["teams"][layers["teams"]["tier"] == "city"]
    assert city.groupby("shift_start").size().to_dict() == dict.fromkeys(
        ("07:30", "15:30", "23:30"), each)
    slow = propose(plan, params=with_patrol(car_kmh={"unknown": 3.0}))
    city = slow["teams"][slow["teams"]["tier"] == "city"]
    each = math.ceil(km / 3 * 60 * 1.25 / (0.75 * 450))
    assert each > 1
    assert (city.groupby("shift_start").size() == each).all()


def test_windows_that_fall_together_need_more_teams():
    schools = [("primary_school", 50 + 100 * n, 50) for n in range(9)]
    shifts = propose(make_town(9, 9, facilities=schools))["teams"]
    town = shifts[shifts["tier"] == "town"].groupby("shift_start").size()
    # Nine stays of 13 min in an hour of the morning, filled to three quarters.
    assert town["07:30"] >= math.ceil(9 * 13 / 60 / 0.75)


def test_a_zone_without_work_has_no_team():
    layers = propose(make_town(3, 3))
    assert set(layers["teams"]["tier"]) == {"town"}


@pytest.mark.parametrize("shifts", ["07:30-15:30;15:30-23:30;23:30-07:30", "08:00-16:00",
                                    "06:00-18:00;18:00-06:00", "07:00-13:00;12:00-18:00"])
@pytest.mark.parametrize("crews", [1, 3, 4])
def test_no_crew_works_twice_at_once_and_each_rests(shifts, crews):
    params = with_patrol(crews=crews, shifts={
        "city": shifts, "town": "08:30-16:30", "community": "09:00-17:00"})
    kinds = {("h", 0, k): c for k, c in enumerate(("primary", "living_street"))}
    findings = Findings()
    layers = propose(make_town(6, 3, classes=kinds), params=params, findings=findings,
                     days=[f"D{n}" for n in range(1, 11)])
    calendar = layers["calendar"].merge(layers["teams"].drop(columns="crew"), on="team_id")
    assert len(layers["calendar"]) == 10 * len(layers["teams"])
    blank = int(calendar["crew"].isna().sum())
    assert (blank > 0) == bool([f for f in findings.items if f.key == "patrol.crew_none"])
    for _, rows in calendar.dropna(subset="crew").groupby("crew"):
        spans = sorted({(1440 * int(d[1:]) + a, 1440 * int(d[1:]) + b) for d, (a, b) in zip(
            rows["date"], itertools.starmap(span_of, zip(
                rows["shift_start"], rows["shift_end"], strict=True)), strict=True)})
        for (_, end), (begin, _) in itertools.pairwise(spans):
            assert begin - end >= 11 * 60


def test_usual_crews_are_those_of_the_first_day():
    layers = propose(make_town(4, 3))
    first = layers["calendar"][layers["calendar"]["date"] == WEEK[0]].set_index("team_id")
    assert first["crew"].to_dict() == layers["teams"].set_index("team_id")["crew"].to_dict()
    kinds = layers["calendar"].groupby("date")["day_kind"].first().tolist()
    assert kinds == ["workday"] * 4 + ["weekend"] * 2 + ["workday"]


# ---- the whole ------------------------------------------------------------------------------

FULL = make_town(7, 5, side=2, street=lambda x, y: f"S{x % 2}", classes={
    ("h", 2, k): "primary" for k in range(7)} | {("v", 3, k): "living_street" for k in range(5)},
    facilities=[("primary_school", 100, 100), ("police_post", 700, 420), ("wet_market", 900, 300)])


def same(one, two):
    assert list(one) == list(two)
    for name, frame in one.items():
        pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(two[name]))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_layers_are_of_the_contract(lang):
    layers = propose(FULL, lang=lang)
    assert sorted(layers) == ["calendar", "required", "stations", "stops", "teams", "zones"]
    for name, frame in layers.items():
        assert [c for c in frame.columns if c != "geometry"] == LAYERS[name].names
        assert len(frame)
        assert frame[LAYERS[name].key].is_unique
        assert frame.iloc[:, 0].notna().all()
        for column in LAYERS[name].columns:
            if column.choices:
                assert set(frame[column.name].dropna()) <= set(column.choices)
        if LAYERS[name].geometry:
            assert frame.crs == FULL.crs
            assert set(frame.geom_type) == {LAYERS[name].geometry}
    assert not any("patrol." in str(n) for n in layers["zones"]["name"])


@settings(max_examples=4)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(draw_from):
    mixed = {}
    for name, frame in FULL.layers.items():
        rows = list(range(len(frame)))
        draw_from.shuffle(rows)
        mixed[name] = frame.iloc[rows].reset_index(drop=True)
    same(propose(FULL), propose(FULL.with_layers(**mixed)))


def test_what_the_plan_holds_is_kept():
    first = propose(FULL)
    first["zones"].loc[0, "name"] = "Mine"
    first["teams"].loc[0, "members"] = 5
    first["stops"] = first["stops"].iloc[1:].reset_index(drop=True)
    same(first, propose(FULL.with_layers(**first)))


def test_what_is_given_counts_before_what_the_plan_holds():
    first = propose(FULL)
    stops = first["stops"].assign(service_min=9)
    layers = propose(FULL.with_layers(**first), {"stops": stops})
    assert (layers["stops"]["service_min"] == 9).all()


def test_blanks_of_given_teams_are_filled():
    teams = conform("teams", pd.DataFrame({"team_id": ["T1", "T2"], "tier": ["city", "town"],
                                           "crew": ["甲", "乙"], "shift_start": ["08:00", None],
                                           "shift_end": ["16:00", None]}))
    layers = propose(FULL, {"teams": teams})
    held = layers["teams"].set_index("team_id")
    assert held.loc["T1", ["mode", "members", "shift_start"]].tolist() == ["car", 2, "08:00"]
    assert held.loc["T2", ["mode", "shift_start", "shift_end"]].tolist() == [
        "ebike", "07:30", "15:30"]
    assert set(held["station_id"]) <= set(layers["stations"]["station_id"])
    first = layers["calendar"].set_index("calendar_id")["crew"]
    assert first[f"{WEEK[0]}/T1"] == "甲"
    assert first[f"{WEEK[0]}/T2"] == "乙"


def test_teams_of_no_zone_or_station_are_named():
    teams = conform("teams", pd.DataFrame({
        "team_id": ["T1", "T2"], "tier": "town", "zone_id": ["Z9", None],
        "station_id": [None, "P99"]}))
    with pytest.raises(InputError) as error:
        propose(FULL, {"teams": teams})
    assert [(f.key, f.row, f.field) for f in error.value.findings] == [
        ("patrol.unknown_place", "T1", "zone_id"), ("patrol.unknown_place", "T2", "station_id")]


def test_teams_of_the_plan_go_with_zones_that_are_given():
    first = propose(FULL)
    zones = first["zones"].assign(zone_id="Z" + first["zones"]["zone_id"])
    findings = Findings()
    layers = propose(FULL.with_layers(**first), {"zones": zones}, findings=findings)
    assert set(layers["teams"]["zone_id"]) <= set(zones["zone_id"])
    assert [f.layer for f in findings.items if f.key == "patrol.anew"] == ["teams", "calendar"]


def test_days_that_a_calendar_lacks_are_added():
    first = propose(FULL, days=WEEK[:2])["calendar"].assign(duty="high")
    layers = propose(FULL, {"calendar": first}, days=WEEK[:3])
    duty = layers["calendar"].groupby("date")["duty"].first()
    assert duty.to_dict() == {WEEK[0]: "high", WEEK[1]: "high", WEEK[2]: "normal"}
    assert not layers["calendar"].duplicated(["date", "team_id"]).any()


def test_without_days_there_is_no_calendar():
    assert propose(FULL, days=[])["calendar"].empty


def test_a_plan_without_grids_is_refused():
    with pytest.raises(InputError) as error:
        propose(FULL.with_layers(grids=FULL.layer("grids").iloc[:0]))
    assert error.value.findings[0].layer == "grids"


def test_pieces_of_one_group_do_not_reach_into_another():
    web = weave_roads(make_town(3, 1), PARAMS)
    edges = np.flatnonzero(web.network.road == "h0-0")
    tier = np.full(len(web.roads), "town", dtype=object)
    wanted = web.roads.index == "h0-0"
    whole = cut_pieces(web, edges, np.zeros(len(edges), np.int64), tier, wanted, PARAMS.patrol)
    parts = cut_pieces(web, edges, np.arange(len(edges)), tier, wanted, PARAMS.patrol)
    assert len(edges) == 3
    assert len(whole) == 1
    assert len(parts) == 3
