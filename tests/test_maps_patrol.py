"""Patrols on the map: what is told of them and to whom, and that lines point where teams go."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from test_maps import (
    CRS,
    DESKTOP,
    EVIL,
    PHONE,
    SIDE,
    Opened,
    browser,
    make_layers,
    overlap,
    unpack,
)
from weeks import DAYS, SHIFTS, add_week, make_streets

from gridplan.i18n import load_room
from gridplan.layers import UNMET_REASONS, conform
from gridplan.maps import draw_map, render_map
from gridplan.maps.patrol import COLOURS, colour_teams
from gridplan.maps.patrol_facts import list_lacks, percent_text
from gridplan.maps.ways import cut_ways

__all__ = ["browser"]
BUDGET = {"city": 5_000.0, "town": 2_500.0}
TIME = re.compile(r"\b\d{1,2}:[0-5]\d\b")


def make_week(days: tuple[str, ...] = DAYS[:2], evil: str = "") -> dict[str, pd.DataFrame]:
    """A plan of six communities with streets like a chessboard, patrolled for some days."""
    layers = make_layers(evil=evil)
    layers["roads"] = conform("roads", make_streets(9, 6, SIDE, CRS))
    return add_week(layers, days, stops=60, budget_m=BUDGET, evil=evil)


@pytest.fixture(scope="module")
def week() -> dict[str, pd.DataFrame]:
    return make_week()


@pytest.fixture(scope="module")
def told(week: dict[str, pd.DataFrame]) -> Told:
    return Told(render_map(week, audience="internal", lang="en"))


class Told:
    """A page's packed plan, its varints read as the script reads them."""

    def __init__(self, page: bytes) -> None:
        head, body = unpack(page)
        self.head, self.patrol = head, head["patrol"]
        at = 4 + int.from_bytes(body[:4], "little")

        def take(count: int) -> list[int]:
            nonlocal at
            out = []
            for _ in range(count):
                value, shift = 0, 0
                while True:
                    byte = body[at]
                    at += 1
                    value |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                out.append(value >> 1 if value % 2 == 0 else -(value + 1) // 2)
            return out

        self.shapes: dict[str, list[list[list[int]]]] = {}
        for name, features, parts, points, corners in head["shapes"]:
            per, sizes = take(features), take(parts)
            xy = np.cumsum(np.array(take(2 * points)).reshape(-1, 2), axis=0).tolist()
            assert not corners or name == "buildings"
            rows = iter(xy)
            lines = iter([[next(rows) for _ in range(n)] for n in sizes])
            self.shapes[name] = [[p for _ in range(n) for p in next(lines)] for n in per]
        self.numbers = {name: take(count) for name, count in head["numbers"]}
        assert at == len(body)

    def way(self, route: int) -> list[list[int]]:
        """The points of a route in millionths of a degree, in the order in which they are drawn."""
        way = self.patrol["routes"]["way"][route]
        start = sum(self.numbers["ways.size"][:way])
        size = self.numbers["ways.size"][way]
        out: list[list[int]] = []
        for ref in np.cumsum(self.numbers["ways"][start:start + size]).tolist():
            piece = self.shapes["patrol.pieces"][ref >> 1]
            piece = piece[::-1] if ref & 1 else piece
            assert not out or not piece or out[-1] == piece[0], "a way has no gap"
            out += piece if not out else piece[1:]
        return out

    def visits(self, route: int) -> list[tuple[int, int, int]]:
        """Kind, row and quarter of the visits of a route."""
        sizes = self.numbers["visits.size"]
        start, last, quarter, out = sum(sizes[:route]), [0, 0, 0], 0, []
        for k in range(start, start + sizes[route]):
            kind = self.numbers["visits.kind"][k]
            last[kind] += self.numbers["visits.of"][k]
            quarter += self.numbers["visits.quarter"][k]
            out.append((kind, last[kind], quarter - 1))
        return out


def degrees(week: dict[str, pd.DataFrame], route: int) -> np.ndarray:
    line = week["routes"].to_crs(4326).geometry.iloc[route]
    return np.asarray(shapely.get_coordinates(line)) * 1e6


# Ways

PLACES = st.tuples(st.integers(0, 4), st.integers(0, 4))
WALKS = st.lists(st.lists(PLACES, min_size=1, max_size=12), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(WALKS)
def test_every_way_is_its_pieces_in_order_and_every_piece_is_kept_once(
        walks: list[list[tuple[int, int]]]) -> None:
    lines = [shapely.LineString([*w, w[0]] if len(w) == 1 else w) for w in walks]
    out = cut_ways(lines)
    for line, way in zip(lines, out.of.tolist(), strict=True):
        points = [p for k, p in enumerate(line.coords) if not k or p != line.coords[k - 1]]
        if len(points) < 2:
            assert way == -1
            continue
        built: list[Any] = []
        for ref in out.ways[way].tolist():
            piece = list(out.pieces[ref >> 1].coords)
            piece = piece[::-1] if ref & 1 else piece
            assert not built or built[-1] == piece[0]
            built += piece if not built else piece[1:]
        assert built == points
    steps = [frozenset(s) for p in out.pieces for s in itertools.pairwise(p.coords)]
    assert len(steps) == len(set(steps)), "no stretch is in two pieces"
    assert len({tuple(w.tolist()) for w in out.ways}) == len(out.ways)


def test_ways_of_nothing() -> None:
    out = cut_ways([])
    assert (len(out.pieces), out.ways, out.of.tolist()) == (0, (), [])
    assert cut_ways([shapely.LineString()]).of.tolist() == [-1]


def test_routes_point_in_the_direction_of_travel(week: dict[str, pd.DataFrame],
                                                 told: Told) -> None:
    """What is drawn starts where the route does and passes its points in their order."""
    for k in range(len(week["routes"])):
        drawn, true = np.array(told.way(k)), degrees(week, k)
        assert np.abs(drawn[0] - true[0]).max() <= 1
        assert np.abs(drawn[-1] - true[-1]).max() <= 1
        # Every corner that is left is passed in turn.
        at = 0
        for x, y in drawn.tolist():
            hits = np.flatnonzero(np.abs(true[at:] - (x, y)).max(axis=1) <= 1)
            assert len(hits), (k, x, y)
            at += int(hits[0])


def test_a_route_drawn_backwards_is_another_one(week: dict[str, pd.DataFrame],
                                                told: Told) -> None:
    back = dict(week)
    back["routes"] = week["routes"].copy()
    back["routes"]["geometry"] = shapely.reverse(np.asarray(week["routes"].geometry.array))
    turned = Told(render_map(back, audience="internal"))
    for k in range(0, len(week["routes"]), 5):
        assert turned.way(k) == told.way(k)[::-1]


def test_days_that_are_alike_cost_one_way(week: dict[str, pd.DataFrame], told: Told) -> None:
    double = dict(week)
    more = week["routes"].copy()
    more["route_id"], more["day"] = "X" + more["route_id"], "2026-12-30"
    double["routes"] = pd.concat([week["routes"], more], ignore_index=True)
    again = Told(render_map(double, audience="internal"))
    assert again.numbers["ways"] == told.numbers["ways"]
    assert again.patrol["routes"]["way"] == told.patrol["routes"]["way"] * 2


# What it says


def test_routes_carry_the_plan_s_kilometres_minutes_and_order(
        week: dict[str, pd.DataFrame], told: Told) -> None:
    routes, visits = week["routes"], week["visits"]
    r = told.patrol["routes"]
    assert r["metres"] == [round(v) for v in routes["distance_m"]]
    assert r["required"] == [round(v) for v in routes["served_m"]]
    assert r["minutes"] == [round(v) for v in routes["duration_min"]]
    stops, streets = list(week["stops"]["stop_id"]), list(week["required"]["required_id"])
    for k, route_id in enumerate(routes["route_id"]):
        mine = visits[visits["route_id"] == route_id].sort_values("order")
        want = []
        for _, row in mine.iterrows():
            hours, minutes = row["arrive"].split(":")
            band = (60 * int(hours) + int(minutes)) // 15
            if pd.notna(row["stop_id"]):
                want.append((0, stops.index(row["stop_id"]), band))
            elif pd.notna(row["required_id"]):
                want.append((1, streets.index(row["required_id"]), band))
            else:
                want.append((2, 0, band))
        assert told.visits(k) == want
        assert told.patrol["shifts"][r["shift"][k]].replace("–", "-") == routes["shift"][k]
        assert told.patrol["teams"]["id"][r["team"][k]] == routes["team_id"][k]


def test_figures_are_the_plan_s(week: dict[str, pd.DataFrame], told: Told) -> None:
    figures = week["figures"].set_index(["name", "scope", "scope_id"])
    for name in ("street_visibility", "visit_share", "response_share_5", "patrol_gap"):
        value = figures.loc[(name, "city", "all"), "value"]
        assert told.patrol["figures"]["city"][""][name][0] == pytest.approx(value, abs=5e-5)
    for tier in ("city", "town"):
        value = figures.loc[("street_visibility", "tier", tier), "value"]
        assert told.patrol["figures"]["tier"][tier]["street_visibility"][0] == pytest.approx(
            value, abs=5e-5)
    text = render_map(week, lang="zh").decode()
    share = percent_text(figures.loc[("street_visibility", "city", "all"), "value"])
    assert f"<dt>街面见警率</dt><dd>{share}</dd>" in text
    assert '<div class="f-visits some"><dt>到点完成率</dt>' in text


def test_what_stays_unmet_is_told_the_worst_first_and_adds_up(
        week: dict[str, pd.DataFrame], told: Told) -> None:
    total = int(week["unmet"]["visits"].sum())
    lacks = told.patrol["lacks"]
    assert sum(u[3] for u in lacks) == total == sum(a + b for _, a, b in told.patrol["lacking"])
    priority = week["stops"]["priority"].tolist()
    weights = [u[3] * (priority[u[1]] if u[0] == 0 else 1) for u in lacks]
    assert weights == sorted(weights, reverse=True)
    stops = list(week["stops"]["stop_id"])
    for kind, row, reason, visits, when in lacks:
        if kind:
            continue
        rows = week["unmet"][(week["unmet"]["stop_id"] == stops[row])
                             & (week["unmet"]["reason"] == UNMET_REASONS[reason])]
        assert rows["visits"].sum() == visits
        assert [told.patrol["days"][d][1] for d, _ in when] == [d[5:] for d in rows["day"]]
        assert {s for _, s in when} == {-1}, "a blank shift is any of the day"


def test_unmet_rows_that_name_nothing_known_are_left_out(week: dict[str, pd.DataFrame]) -> None:
    strange = week["unmet"].copy()
    strange.loc[0, "stop_id"] = "nowhere"
    assert sum(u.visits for u in list_lacks({**week, "unmet": strange})) == int(
        week["unmet"]["visits"].iloc[1:].sum())


def test_every_reason_and_day_kind_has_words() -> None:
    room = load_room("maps")
    for reason in UNMET_REASONS:
        assert f"patrol_reason_{reason}" in room
    for kind in ("workday", "weekend", "holiday"):
        assert f"patrol_days_{kind}" in room


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from("ab"), st.integers(-1, 3)),
                max_size=18))
def test_teams_that_meet_have_colours_of_their_own(
        teams: list[tuple[int, str, int]]) -> None:
    squares = shapely.box(np.arange(4) * 100, 0, np.arange(1, 5) * 100, 100)
    out = colour_teams(*map(list, zip(*teams, strict=True)), squares) if teams else []
    assert all(0 <= c < COLOURS for c in out)
    for tier in (0, 1):
        mine = [c for (t, _, _), c in zip(teams, out, strict=True) if t == tier]
        if len(mine) <= COLOURS:
            assert len(set(mine)) == len(mine)


def test_zones_side_by_side_differ_where_colours_run_out() -> None:
    squares = shapely.box(np.arange(30) * 100, 0, np.arange(1, 31) * 100, 100)
    out = colour_teams([0] * 30, ["a"] * 30, list(range(30)), squares)
    assert all(a != b for a, b in itertools.pairwise(out))


def test_a_plan_without_routes_says_nothing_of_patrols(week: dict[str, pd.DataFrame]) -> None:
    layers = make_layers()
    plain = render_map(layers, lang="zh")
    assert "巡逻路线" not in plain.decode()
    assert "patrol" not in unpack(plain)[0]
    assert b"patrolled" not in plain
    assert render_map({**layers, "routes": week["routes"][:0]}, lang="zh") == plain


def test_a_patrol_may_lack_all_but_its_routes(week: dict[str, pd.DataFrame]) -> None:
    bare = {**make_layers(), "routes": week["routes"]}
    for audience in ("share", "internal", "dispatch"):
        told = Told(render_map(bare, audience=audience))
        assert told.patrol["streets"]["metres"] == []
    assert len(told.patrol["teams"]["id"]) == week["routes"]["team_id"].nunique()


def test_same_plan_same_bytes(week: dict[str, pd.DataFrame]) -> None:
    assert render_map(week, audience="dispatch") == render_map(make_week(), audience="dispatch")


# To whom


def every_byte(page: bytes) -> bytes:
    """The page without its scripts and styles, and what is packed in it, unpacked."""
    shown = re.sub(rb"<(script|style)(?! id)[^>]*>.*?</\1>", b"", page, flags=re.DOTALL)
    return shown + unpack(page)[1]


def test_a_shared_map_holds_no_route_time_stop_or_team(week: dict[str, pd.DataFrame]) -> None:
    secret = dict(week)
    secret["teams"] = week["teams"].assign(team_id=[f"SECRETTEAM{k}" for k in range(
        len(week["teams"]))])
    secret["routes"] = week["routes"].assign(team_id="SECRETTEAM0", route_id="SECRETROUTE")
    secret["stops"] = week["stops"].assign(name="SECRETSTOP", kind="secretkind")
    secret["stations"] = week["stations"].assign(name="SECRETSTATION")
    page = render_map(secret, audience="share", lang="en")
    data = every_byte(page)
    for word in (b"SECRET", b"secretkind", b"2026-12"):
        assert word not in data, word
    head = unpack(page)[0]
    assert head["numbers"] == []
    assert {s[0] for s in head["shapes"] if s[0].startswith("patrol.")} == {
        "patrol.zones", "patrol.zones.centre", "patrol.streets"}
    assert not set(head["patrol"]) & {"teams", "routes", "stops", "stations", "days", "shifts",
                                      "lacks"}
    assert not TIME.search(str({k: v for k, v in head["patrol"].items() if k != "text"}))
    assert not set(head["patrol"]["figures"]) - {"city", "tier", "zone"}
    text = re.sub(rb"<script.*?</script>", b"", page, flags=re.DOTALL).decode()
    for shift in itertools.chain(*SHIFTS.values()):
        assert shift not in text
    # The same plan does tell them inside.
    inside = every_byte(render_map(secret, audience="dispatch"))
    for word in (b"SECRETTEAM0", b"SECRETSTOP", b"SECRETSTATION"):
        assert word in inside, word


def test_a_shared_map_tells_zones_frequencies_and_reasons(week: dict[str, pd.DataFrame]) -> None:
    told = Told(render_map(week, audience="share"))
    assert told.patrol["streets"]["passes"] == week["required"]["passes_per_day"].tolist()
    assert told.patrol["zones"]["id"] == week["zones"]["zone_id"].tolist()
    assert sum(a + b for _, a, b in told.patrol["lacking"]) == week["unmet"]["visits"].sum()


def test_dispatch_shows_routes_and_else_what_anybody_may_see(
        week: dict[str, pd.DataFrame]) -> None:
    share, dispatch, inside = (unpack(render_map(week, audience=a))[0] for a in (
        "share", "dispatch", "internal"))
    assert -1 in share["grids"]["households"]
    assert dispatch["grids"] == share["grids"] != inside["grids"]
    assert dispatch["patrol"]["first"]
    assert not inside["patrol"]["first"]
    assert {k: v for k, v in dispatch["patrol"].items() if k != "first"} == {
        k: v for k, v in inside["patrol"].items() if k != "first"}


def test_no_phone_of_a_name_is_shown_to_anybody(week: dict[str, pd.DataFrame]) -> None:
    phone = "138 0000 0000"
    talky = dict(week)
    for name in ("stops", "stations", "zones", "roads"):
        talky[name] = week[name].assign(name=f"岗亭 {phone}")
    talky["teams"] = week["teams"].assign(team_id=f"T {phone}")
    for audience in ("internal", "dispatch", "share"):
        head = unpack(render_map({**talky, "roads": week["roads"]}, audience=audience))[0]
        assert phone not in str(head)


def test_b85_names_never_become_markup() -> None:
    layers, plain = make_week(DAYS[:1], EVIL), make_week(DAYS[:1])
    for audience in ("internal", "share"):
        text = render_map(layers, audience=audience).decode()
        assert "<img" not in text
        assert text.count("<script") == render_map(plain, audience=audience).decode().count(
            "<script")


def test_a_week_of_many_routes_stays_small() -> None:
    layers = make_layers(8, 8, per=3)
    layers["roads"] = conform("roads", make_streets(24, 24, SIDE, CRS))
    plain = len(render_map(layers, audience="internal"))
    one = add_week(layers, DAYS[:1], stops=80, zones={"city": 3, "town": 6},
                   budget_m={"city": 20_000.0, "town": 12_000.0})
    routes = pd.concat([one["routes"].assign(day=d, route_id=[
        f"{d}/{r}" for r in one["routes"]["route_id"]]) for d in DAYS], ignore_index=True)
    # Seven days that start at other points of the same ring are other ways on the same streets.
    routes["geometry"] = [_turn(line, k) for k, line in enumerate(routes.geometry)]
    visits = pd.concat([one["visits"].assign(
        visit_id=d + "/" + one["visits"]["visit_id"],
        route_id=d + "/" + one["visits"]["route_id"]) for d in DAYS], ignore_index=True)
    page = render_map({**one, "routes": routes, "visits": visits}, audience="internal")
    kilometres = routes["distance_m"].sum() / 1000
    assert kilometres > 1500
    assert len(page) - plain < 60_000 + 25 * kilometres


def _turn(line: shapely.LineString, steps: int) -> shapely.LineString:
    xy = list(line.coords)[:-1]
    steps = 7 * steps % len(xy)
    return shapely.LineString([*xy[steps:], *xy[:steps], xy[steps]])


# In the browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, week: dict[str, pd.DataFrame]) -> Path:
    return draw_map(SimpleNamespace(layers=week), tmp_path_factory.mktemp("map") / "map.html",
                    lang="zh", audience="internal")


def show_patrol(opened: Opened, size: tuple[int, int]) -> None:
    if size == PHONE:
        opened.page.click("#fold")
    opened.page.click("[data-colour=patrol]")
    opened.page.wait_for_timeout(300)


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_tier_day_and_shift_choose_the_routes(
        browser: object, file: Path, size: tuple[int, int],
        week: dict[str, pd.DataFrame]) -> None:
    routes = week["routes"].merge(week["teams"][["team_id", "tier"]], on="team_id")
    with Opened(browser, file, size) as opened:
        show_patrol(opened, size)
        for tier, day, shift in ((0, 0, 0), (1, 0, 1), (1, 1, 1), (0, 1, 2)):
            opened.page.locator(".tiers button").nth(tier).click()
            opened.page.locator(".days button").nth(day).click()
            opened.page.locator(".shifts button").nth(shift).click()
            name = ("city", "town")[tier]
            mine = routes[(routes["tier"] == name) & (routes["day"] == DAYS[day])
                          & (routes["shift"] == SHIFTS[name][shift])]
            shown = opened.page.evaluate(
                "gridplan.patrol.routes.map(k => gridplan.patrol.told.teams.id["
                "gridplan.patrol.told.routes.team[k]])")
            assert sorted(shown) == sorted(mine["team_id"])
            assert opened.page.locator(".teams button").count() == len(mine) + 1
            said = opened.page.inner_text(".teams li:first-child")
            assert f"{mine['distance_m'].sum() / 1000:.1f} 公里" in said
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_team_s_card_tells_its_stops_in_order_with_quarters(
        browser: object, file: Path, size: tuple[int, int],
        week: dict[str, pd.DataFrame]) -> None:
    with Opened(browser, file, size) as opened:
        show_patrol(opened, size)
        opened.page.locator(".tiers button").nth(1).click()
        opened.page.locator(".teams button").nth(1).click()
        team = opened.page.inner_text("#card h2")
        route = week["routes"][(week["routes"]["team_id"] == team)
                               & (week["routes"]["day"] == DAYS[0])].iloc[0]
        visits = week["visits"][(week["visits"]["route_id"] == route["route_id"])
                                & week["visits"]["stop_id"].notna()].sort_values("order")
        names = week["stops"].set_index("stop_id")["name"]
        rows = opened.page.locator("#card .order li:not(.way)")
        assert rows.count() == len(visits) > 3
        for k, (_, visit) in enumerate(visits.iterrows()):
            said = rows.nth(k).inner_text().split("\n")
            hours, minutes = map(int, visit["arrive"].split(":"))
            start = (60 * hours + minutes) // 15 * 15
            band = f"{start // 60 % 24:02d}:{start % 60:02d}–"
            assert said[0] == str(k + 1)
            assert said[1] == names[visit["stop_id"]]
            assert band in said[-1]
        assert f"{route['distance_m'] / 1000:.1f}" in opened.page.inner_text("#card .number")
        marks = opened.page.evaluate("gridplan.patrol.placed.map(m => m.text)")
        assert marks
        assert set(itertools.chain(*(m.rstrip("…").split("·") for m in marks))) <= {
            str(k + 1) for k in range(len(visits))}
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert opened.complaints == []


DRAWN = "gridplan.patrol.routes.map(k => [k, gridplan.patrol.line(k).x, gridplan.patrol.line(k).y])"


@pytest.mark.browser
def test_lines_on_the_page_run_as_the_routes_do(browser: object, file: Path,
                                                week: dict[str, pd.DataFrame]) -> None:
    def place(spots: np.ndarray) -> np.ndarray:
        s = np.sin(np.radians(spots[:, 1]))
        return np.c_[(spots[:, 0] + 180) / 360, 0.5 - np.log((1 + s) / (1 - s)) / (4 * np.pi)]

    with Opened(browser, file) as opened:
        show_patrol(opened, DESKTOP)
        drawn = opened.page.evaluate(DRAWN)
        assert len(drawn) >= 2
        for k, xs, ys in drawn:
            true, at = place(degrees(week, k) / 1e6), 0
            far = np.hypot(*np.diff(true, axis=0).T).sum()
            assert np.hypot(np.diff(xs), np.diff(ys)).sum() == pytest.approx(far, rel=1e-3)
            for x, y in zip(xs, ys, strict=True):
                hits = np.flatnonzero(np.hypot(*(true[at:] - (x, y)).T) < 1e-8)
                assert len(hits), (k, x, y)
                at += int(hits[0])


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_tap_on_a_route_shows_it_alone_and_one_beside_it_all(
        browser: object, file: Path, size: tuple[int, int]) -> None:
    with Opened(browser, file, size) as opened:
        show_patrol(opened, size)
        if size == PHONE:
            opened.page.click("#fold")
        opened.page.wait_for_timeout(300)
        # Somewhere on a route that no number, panel or other route covers.
        at = opened.page.evaluate("""() => { const p = gridplan.patrol, m = gridplan.map, s =
            m.getSize(); for (const k of p.routes) { const l = p.line(k); for (let i = 0; i <
            l.lane.length; i++) { const x = (l.x[i] + l.x[i + 1]) / 2,
            y = (l.y[i] + l.y[i + 1]) / 2, c = m.latLngToContainerPoint([Math.atan(Math.sinh(
            Math.PI * (1 - 2 * y))) * 180 / Math.PI, x * 360 - 180]);
            if (c.x < 20 || c.y < 20 || c.x > s.x - 90 || c.y > s.y - 60) continue;
            const h = p.hit(m.containerPointToLatLng(c));
            if (h && h[0] === "route") return [c.x, c.y, h[1]]; } } return null; }""")
        assert at
        frame = opened.box("#stage")
        tap = (opened.page.touchscreen.tap if size == PHONE else opened.page.mouse.click)
        tap(frame["x"] + at[0], frame["y"] + at[1])
        opened.page.wait_for_selector("#card .order")
        assert opened.page.evaluate("gridplan.patrol.chosen()") == at[2]
        opened.page.evaluate("gridplan.map.fire('click', {latlng: gridplan.map.getBounds()"
                             ".getNorthWest()})")
        assert opened.page.evaluate("gridplan.patrol.team") == -1
        assert not opened.page.is_visible("#card")
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_what_is_unmet_is_listed_and_leads_there(browser: object, file: Path,
                                                 size: tuple[int, int],
                                                 week: dict[str, pd.DataFrame]) -> None:
    lacks = list_lacks(week)
    room = load_room("maps")
    with Opened(browser, file, size) as opened:
        show_patrol(opened, size)
        said = opened.page.inner_text("#by-patrol")
        assert said.index("未能满足") < said.index("街面见警率")
        assert f"缺 {int(week['unmet']['visits'].sum())} 次" in said
        first = opened.page.locator("#by-patrol .lacks button").first
        assert week["stops"]["name"][lacks[0].row] in first.inner_text()
        assert room[f"patrol_reason_{lacks[0].reason}"]["zh"] in first.inner_text()
        first.click()
        assert week["stops"]["name"][lacks[0].row] == opened.page.inner_text("#card h2")
        assert room[f"patrol_reason_{lacks[0].reason}"]["zh"] in opened.page.inner_text(
            "#card .lacking")
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_names_and_numbers_never_overlap_each_other_or_the_buttons(
        browser: object, tmp_path: Path, size: tuple[int, int],
        week: dict[str, pd.DataFrame]) -> None:
    stops = week["stops"].copy()
    middle = stops.geometry.union_all().centroid
    # Crowded into one place.
    stops["geometry"] = [shapely.Point(*(0.15 * c + 0.85 * m for c, m in zip(
        (p.x, p.y), (middle.x, middle.y), strict=True))) for p in stops.geometry]
    path = draw_map(SimpleNamespace(layers={**week, "stops": stops}), tmp_path / "crowd.html",
                    lang="zh", audience="internal")
    with Opened(browser, path, size) as opened:
        show_patrol(opened, size)
        opened.page.locator(".tiers button").nth(1).click()
        if size == PHONE:
            opened.page.click("#fold")
        seen = 0
        for by in (0, 0.5, 1, 1):
            opened.zoom(by)
            frame = opened.box("#stage")
            marks = [{"x": b[0] + frame["x"], "y": b[1] + frame["y"], "width": b[2] - b[0],
                      "height": b[3] - b[1]} for b in opened.page.evaluate(
                          "gridplan.patrol.placed.map(m => m.box)")]
            boxes = marks + opened.labels() + [opened.box("#zoom")]
            for a, b in itertools.combinations(boxes, 2):
                assert not overlap(a, b), (a, b)
            seen += len(marks)
        assert seen > 5
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_words_have_room(browser: object, tmp_path: Path, size: tuple[int, int], lang: str,
                         week: dict[str, pd.DataFrame]) -> None:
    from circles import add_circle
    from staff import add_staff

    layers = add_staff(add_circle(dict(week)), vacant=(1, 12), short=(2, 30), guards=2)
    layers["figures"] = pd.concat([layers["figures"], week["figures"]], ignore_index=True)
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "room.html", lang=lang,
                    audience="internal")
    with Opened(browser, path, size) as opened:
        parts = ".figures dt, .figures dd" + (":not(.of)" if size == PHONE else "")
        words = [item.bounding_box() for item in opened.page.locator(parts).all()
                 if item.is_visible()]
        for a, b in itertools.combinations(words, 2):
            assert not overlap(a, b), (a, b)
        assert opened.box("#stage")["height"] > 300
        show_patrol(opened, size)
        wide = opened.page.evaluate("""() => Array.from(document.querySelectorAll(
            "#by-patrol button, #by-patrol li, #by-patrol dd, #colours button, .points"))
            .filter(e => e.offsetParent && !e.closest(".teams") && (e.scrollWidth > e.clientWidth
            + 1 || e.getBoundingClientRect().right > document.querySelector("#panel")
            .getBoundingClientRect().right)).map(e => e.outerHTML.slice(0, 90))""")
        assert wide == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        for other in ("circle", "staffing", "households", "patrol"):
            opened.page.click(f"[data-colour={other}]")
            shown = [i for i in ("patrol", "circle", "staffing", "households")
                     if opened.page.is_visible(f"#by-{i}")]
            assert shown == [other]
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_shared_page_shows_streets_by_frequency(browser: object, tmp_path: Path,
                                                  size: tuple[int, int],
                                                  week: dict[str, pd.DataFrame]) -> None:
    path = draw_map(SimpleNamespace(layers=week), tmp_path / "share.html", lang="zh")
    with Opened(browser, path, size) as opened:
        show_patrol(opened, size)
        said = opened.page.inner_text("#by-patrol")
        assert "每日 3 次" in said
        assert "街面见警率" in said
        assert not TIME.search(opened.page.inner_text("body"))
        assert opened.page.locator(".teams, .shifts, .days").count() == 0
        if size == PHONE:
            opened.page.click("#fold")
        q = opened.page.evaluate("""() => { const p = gridplan.patrol, m = gridplan.map;
            const s = gridplan.patrol.layer("streets"), q = p.told.streets.tier.indexOf(p.tier),
            i = s.start[s.first[q]], x = (s.x[i] + s.x[i + 1]) / 2, y = (s.y[i] + s.y[i + 1]) / 2;
            m.fire("click", {latlng: L.latLng(Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180 /
            Math.PI, x * 360 - 180)}); return q; }""")
        passes = week["required"]["passes_per_day"].iloc[q]
        assert f"每日 {passes} 次" in opened.page.inner_text("#card")
        assert opened.complaints == []


@pytest.mark.browser
def test_a_dispatcher_s_page_opens_with_the_patrols(browser: object, tmp_path: Path,
                                                    week: dict[str, pd.DataFrame]) -> None:
    path = draw_map(SimpleNamespace(layers=week), tmp_path / "d.html", audience="dispatch")
    with Opened(browser, path) as opened:
        assert opened.page.is_visible("#by-patrol")
        assert not opened.page.is_visible("#by-households")
        assert opened.page.locator(".teams button").count() == 3
        opened.page.fill("#query", "T2-1")
        opened.page.locator("#hits button").first.click()
        assert opened.page.inner_text("#card h2") == "T2-1"
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_without_script_figures_and_what_is_unmet_are_told(
        browser: object, file: Path, size: tuple[int, int],
        week: dict[str, pd.DataFrame]) -> None:
    with Opened(browser, file, size, script=False) as opened:
        said = opened.page.inner_text("body")
        for word in ("街面见警率", "未能满足", "时间被其他任务占用", "市级", "中队",
                     week["stops"]["name"][list_lacks(week)[0].row]):
            assert word in said, word
        assert not opened.page.is_visible("#by-patrol")
    with Opened(browser, file, size) as opened:
        assert not opened.page.locator(".patrols").first.is_visible()


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_b85_odd_names_show_as_text(browser: object, tmp_path: Path,
                                    size: tuple[int, int]) -> None:
    path = draw_map(SimpleNamespace(layers=make_week(DAYS[:1], EVIL)), tmp_path / "evil.html",
                    lang="zh", audience="internal")
    with Opened(browser, path, size) as opened:
        show_patrol(opened, size)
        opened.page.locator(".tiers button").nth(1).click()
        assert EVIL in opened.page.inner_text(".teams")
        opened.page.locator(".teams button").nth(1).click()
        assert EVIL in opened.page.inner_text("#card .order")
        opened.page.click(".close")
        opened.page.fill("#query", "岗亭1<")
        opened.page.locator("#hits button").first.click()
        assert EVIL in opened.page.inner_text("#card h2")
        assert opened.page.locator("img").count() == 0
        assert opened.complaints == []
