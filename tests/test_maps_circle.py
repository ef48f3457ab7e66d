"""The service circle on the map: what it tells of grids, gaps and sites, and to whom."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import shapely
from circles import CATEGORIES, WALK, add_circle, make_demand
from hypothesis import given, settings
from hypothesis import strategies as st
from test_maps import DESKTOP, EVIL, PHONE, Opened, browser, make_layers, overlap, unpack

from gridplan.maps import draw_map, render_map
from gridplan.maps.circle import (
    draw_areas,
    find_gaps,
    list_worst,
    share_step,
    share_text,
    tell_share,
)
from gridplan.maps.demand import is_demand
from gridplan.plan.coverage import read_circle

__all__ = ["browser"]
ODD = f"{EVIL} 🙂 حي السلام"


@pytest.fixture(scope="module")
def circled() -> dict[str, pd.DataFrame]:
    return add_circle(make_layers(), sites=3)


@pytest.fixture(scope="module")
def told(circled: dict[str, pd.DataFrame]) -> dict:
    return unpack(render_map(circled, audience="internal", lang="en"))[0]["circle"]


@pytest.fixture(scope="module")
def demand() -> dict[str, pd.DataFrame]:
    return add_circle(make_demand(), scope="demand", per=12)


# Shares

NUMBERS = st.one_of(st.integers(0, 30), st.integers(0, 3000))
COUNTS = st.tuples(NUMBERS, NUMBERS).map(lambda t: (max(t), min(t)))


@settings(max_examples=300, deadline=None)
@given(COUNTS)
def test_a_shared_share_fits_many_counts_where_one_is_small(counts: tuple[int, int]) -> None:
    """Nobody can tell a covered or uncovered count of 1–9 from what is written."""
    whole, part = counts
    code = int(tell_share((np.array([whole]), np.array([part])), "share")[0])
    every = np.arange(whole + 1)
    alike = np.flatnonzero(tell_share((np.full(whole + 1, whole), every), "share") == code)
    assert part in alike
    if 0 < part < 10 or 0 < whole - part < 10:
        assert code < 0 or code >= 200
        assert len(alike) >= min(whole - 1, 9)
    elif whole >= 10:
        assert code == -2 or 0 <= code <= 100
        assert (code == 100) == (part == whole)
        assert (code == 0) == (part == 0)


@settings(max_examples=100, deadline=None)
@given(COUNTS)
def test_a_hidden_share_holds_the_true_one(counts: tuple[int, int]) -> None:
    whole, part = counts
    code = int(tell_share((np.array([whole]), np.array([part])), "share")[0])
    if 200 <= code < 400:
        assert 100 * part / whole < code - 200 or code == 300
    elif code >= 400:
        assert 100 * part / whole > code - 400


def test_steps_of_colour_and_words() -> None:
    assert [share_step(v) for v in (0, 59, 60, 80, 100, 204, 497, -1)] == [0, 2, 3, 4, 5, 0, 5, -1]
    assert [share_text(v) for v in (7, 204, 497)] == ["7 %", "< 4 %", "> 97 %"]


# What it says


def test_shares_of_grids_are_those_of_the_coverage(circled: dict[str, pd.DataFrame],
                                                   told: dict) -> None:
    coverage = circled["coverage"].set_index(["scope", "scope_id", "category", "walker"])
    ids = circled["grids"]["grid_id"]
    for w, walker in enumerate(WALK):
        for k, category in enumerate(CATEGORIES):
            for i in (0, 5, 13, 21, 53):
                row = coverage.loc[("grid", ids[i], category, walker)]
                code = told["grids"][0][w][k + 1][i]
                if not row["households"]:
                    assert code == -2
                else:
                    assert abs(code - 100 * row["share"]) <= 1
    assert told["categories"] == [c[0] for c in CATEGORIES.values()]
    assert told["walkers"] == ["Adult", "Older", "Frail"]
    assert told["targets"] == [90, 90, 80, None, 95, None, None]


def test_completeness_is_that_of_the_figures_and_of_required_categories(
        circled: dict[str, pd.DataFrame], told: dict) -> None:
    figures = circled["figures"].set_index(["name", "scope", "scope_id"])
    ids = circled["grids"]["grid_id"]
    for i in (0, 13, 40):
        value = figures.loc[("completeness", "grid", ids[i]), "value"]
        assert abs(told["grids"][0][0][0][i] - 100 * value) <= 1
    circle = read_circle(circled)
    assert circle is not None
    assert "bank" not in circle.required
    bare = read_circle({**circled, "figures": circled["figures"][:0]})
    assert bare is not None
    for a, b in zip(circle.complete("grid", list(ids), "adult"),
                    bare.complete("grid", list(ids), "adult"), strict=True):
        assert a.tolist() == b.tolist()


def test_the_second_state_is_told_where_it_changes_and_nowhere_else(
        circled: dict[str, pd.DataFrame], told: dict) -> None:
    at = list(CATEGORIES).index("health_station")
    assert told["altered"] == [at]
    later = told["grids"][1][0]
    assert [k for k, shares in enumerate(later) if shares is not None] == [0, at + 1]
    coverage = circled["coverage"]
    rows = coverage[(coverage["category"] == "health_station:after")
                    & (coverage["scope"] == "grid") & (coverage["walker"] == "adult")]
    share = dict(zip(rows["scope_id"], rows["share"], strict=True))
    for grid, code in zip(circled["grids"]["grid_id"], later[at + 1], strict=True):
        assert code == -2 if pd.isna(share[grid]) else abs(code - 100 * share[grid]) <= 1
    assert later[at + 1] != told["grids"][0][0][at + 1]
    assert later[0] != told["grids"][0][0][0]
    alone = unpack(render_map(add_circle(make_layers())))[0]["circle"]
    assert alone["grids"][1] == [[], [], []]
    assert alone["altered"] == []


@settings(max_examples=60, deadline=None)
@given(st.lists(COUNTS, max_size=30))
def test_gaps_are_the_most_households_not_covered(counts: list[tuple[int, int]]) -> None:
    whole = np.array([c[0] for c in counts], int)
    part = np.array([c[1] for c in counts], int)
    found = find_gaps((whole, part))
    most = sorted((w - p for w, p in counts if w > p), reverse=True)[:3]
    assert [n for _, n in found] == most
    assert all(whole[k] - part[k] == n for k, n in found)


def test_gaps_of_the_page_are_those_of_the_plan(circled: dict[str, pd.DataFrame],
                                                told: dict) -> None:
    coverage = circled["coverage"]
    ours = coverage[(coverage["scope"] == "grid") & (coverage["category"] == "park")
                    & (coverage["walker"] == "older")].set_index("scope_id")
    missing = (ours["households"] - ours["covered"]).sort_values(ascending=False)
    gaps = told["gaps"][0][1][list(CATEGORIES).index("park") + 1]
    assert [n for _, n in gaps] == missing[:3].tolist()
    assert [missing[circled["grids"]["grid_id"][k]] for k, _ in gaps] == [n for _, n in gaps]


def test_sites_say_what_they_gain_and_what_is_possible(circled: dict[str, pd.DataFrame],
                                                       told: dict) -> None:
    sites = circled["sites"]
    gain, bound = sites["gained_households"].sum(), int(sites["bound"].iloc[0])
    assert told["sites"]["totals"] == [[0, gain, bound]]
    assert told["sites"]["rank"] == [1, 2, 3]
    unbound = {**circled, "sites": sites.assign(bound=pd.NA)}
    assert unpack(render_map(unbound))[0]["circle"]["sites"]["totals"][0][2] == -2


def test_figures_at_the_head_are_told_against_their_targets(
        circled: dict[str, pd.DataFrame]) -> None:
    text = render_map(circled, lang="en").decode()
    figures = circled["figures"].set_index(["name", "scope", "scope_id"])
    value = round(100 * figures.loc[("completeness", "city", "all"), "value"])
    assert f'<dt>Completeness</dt><dd>{value} %</dd><dd class="of"><bdi>target 90 %' in text
    assert ('class="f-complete some"' in text) == (value < 90)
    lower = circled["figures"].copy()
    lower.loc[lower["name"] == "completeness", "target"] = 0.1
    assert 'class="f-complete"' in render_map({**circled, "figures": lower}).decode()


def test_yards_are_no_holes_of_a_service_area(circled: dict[str, pd.DataFrame]) -> None:
    areas = circled["service_areas"].copy()
    square = shapely.box(0, 0, 1000, 1000)
    yard, lake = shapely.box(100, 100, 150, 150), shapely.box(500, 500, 800, 800)
    areas.loc[0, "geometry"] = shapely.MultiPolygon([square - yard - lake])
    circle = read_circle(circled)
    assert circle is not None
    told, shapes = draw_areas({"service_areas": areas}, circle)
    assert shapes[0].equals(shapely.MultiPolygon([square - lake]))
    # One area of a single facility is not drawn.
    assert len(told["of"]) == len(shapes) == len(areas) - 1


def test_without_a_profile_categories_go_by_their_ids(circled: dict[str, pd.DataFrame]) -> None:
    run = circled["run"]
    bare = {**circled, "run": run[run["key"] != "circle:table"]}
    head = unpack(render_map(bare, lang="zh"))[0]["circle"]
    assert sorted(head["categories"]) == sorted(CATEGORIES)
    broken = {**circled, "run": run.assign(value=run["value"].where(
        run["key"] != "circle:table", '{"categories": 7}'))}
    assert unpack(render_map(broken, lang="zh"))[0]["circle"]["categories"] == head["categories"]


def test_a_plan_without_coverage_says_nothing_of_the_circle() -> None:
    layers = make_layers()
    plain = render_map(layers, lang="zh")
    assert b"circle" not in re.sub(rb"<script>.*?</script>", b"", plain, flags=re.DOTALL).replace(
        b"maximum_inscribed_circle", b"")
    assert "circle" not in unpack(plain)[0]
    assert "生活圈" not in plain.decode()
    assert render_map({**layers, "coverage": add_circle(layers)["coverage"][:0]},
                      lang="zh") == plain


def test_same_plan_same_bytes(circled: dict[str, pd.DataFrame]) -> None:
    assert render_map(circled) == render_map(add_circle(make_layers(), sites=3))


# What it never shows


def test_share_tells_no_count_or_share_of_few_households(circled: dict[str, pd.DataFrame]) -> None:
    head = unpack(render_map(circled, audience="share"))[0]
    coverage = circled["coverage"]
    of_grids = coverage[(coverage["scope"] == "grid") & (coverage["walker"] == "adult")]
    place = {g: k for k, g in enumerate(circled["grids"]["grid_id"])}
    seen = 0
    for k, category in enumerate(CATEGORIES):
        for _, row in of_grids[of_grids["category"] == category].iterrows():
            code = head["circle"]["grids"][0][0][k + 1][place[row["scope_id"]]]
            whole, part = row["households"], row["covered"]
            if 0 < whole < 10:
                assert code == -1
                seen += 1
            elif 0 < part < 10 or 0 < whole - part < 10:
                assert code >= 200 or whole < 20
                seen += 1
    assert seen > 6
    for lists in itertools.chain(*head["circle"]["gaps"]):
        assert all(n == 0 or n >= 10 for gaps in lists or [] for _, n in gaps or [])


def test_a_gain_under_ten_is_not_shared(circled: dict[str, pd.DataFrame]) -> None:
    sites = circled["sites"].assign(gained_households=[4, 3, 0], bound=9.0)
    for audience, gain, total in (("share", [-1, -1, 0], [0, -1, -1]),
                                  ("internal", [4, 3, 0], [0, 7, 9])):
        head = unpack(render_map({**circled, "sites": sites}, audience=audience))[0]["circle"]
        assert head["sites"]["gain"] == gain
        assert head["sites"]["totals"] == [total]


def test_demand_points_are_dots_without_figures_or_names(
        demand: dict[str, pd.DataFrame]) -> None:
    for audience in ("share", "internal"):
        head, body = unpack(render_map(demand, audience=audience))
        assert b"DEMAND-" not in body
        assert b"HOME-" not in body
        assert {v for k in head["circle"]["demand"][0][0] for v in k} <= {-1, 0, 1, 2, 3, 4, 5}
        assert head["grids"]["households"] == [0]
        dots = next(s for s in head["shapes"] if s[0] == "demand")
        assert dots[1] == len(demand["demand"]) == 400


def test_a_plan_of_demand_points_heads_with_its_own_figures(
        demand: dict[str, pd.DataFrame]) -> None:
    assert is_demand(demand)
    text = render_map(demand, lang="zh").decode()
    for said in ("需求点", "生活圈服务覆盖", "不含单个点的数据", 'class="dot d5"',
                 f"{demand['demand']['households'].sum():,}"):
        assert said in text, said
    assert not is_demand({**demand, "coverage": demand["coverage"][:0]})


def test_b85_names_of_categories_and_facilities_never_become_markup() -> None:
    layers = add_circle(make_layers(evil=EVIL), sites=2, evil=ODD)
    for lang in ("en", "zh"):
        text = render_map(layers, lang=lang).decode()
        assert "<img" not in text
        plain = render_map(add_circle(make_layers(), sites=2), lang=lang).decode()
        assert text.count("<script") == plain.count("<script")


# In the browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, circled: dict[str, pd.DataFrame]) -> Path:
    return draw_map(SimpleNamespace(layers=circled), tmp_path_factory.mktemp("map") / "map.html",
                    lang="zh")


def show_circle(opened: Opened, size: tuple[int, int]) -> None:
    if size == PHONE:
        opened.page.click("#fold")
    opened.page.click("[data-colour=circle]")
    opened.page.wait_for_timeout(400)


LOOK = """(i) => { const p = gridplan.centre(i), s = document.getElementById("stage")
    .getBoundingClientRect(), x = p.x + s.left + 12, y = p.y + s.top + 12;
    const c = Array.from(document.querySelectorAll(".leaflet-tile")).find(c => { const r =
        c.getBoundingClientRect(); return c.width && x >= r.left && x < r.right &&
        y >= r.top && y < r.bottom; });
    if (!c) return "";
    const r = c.getBoundingClientRect(), k = c.width / r.width;
    const d = c.getContext("2d").getImageData((x - r.left) * k, (y - r.top) * k, 1, 1).data;
    return "#" + Array.from(d).slice(0, 3).map(v => v.toString(16).padStart(2, "0")).join(""); }"""
RAMP = ["#fbe3b0", "#e8e2bd", "#c2dad2", "#94bfca", "#5f9aae", "#336f89"]


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_grids_are_coloured_by_theme_walker_and_state(
        browser: object, file: Path, size: tuple[int, int],
        circled: dict[str, pd.DataFrame]) -> None:
    head = unpack(file.read_bytes())[0]
    places = [k for k, s in enumerate(circled["grids"]["status"]) if s == "ok"]
    bare = {name: circled[name] for name in ("communities", "grids", "coverage", "figures",
                                             "sites", "run")}
    path = draw_map(SimpleNamespace(layers=bare), file.with_name(f"bare{size[0]}.html"))
    with Opened(browser, path, size) as opened:
        assert opened.page.is_visible("#by-households") or size == PHONE
        before = {opened.page.evaluate(LOOK, k) for k in places[:6]}
        assert not before & set(RAMP), "grids by households stay the default"
        show_circle(opened, size)
        for theme, walker, state in ((0, 0, 0), (1, 0, 0), (1, 2, 0), (1, 2, 1), (4, 0, 1)):
            opened.page.select_option("#theme", str(theme))
            opened.page.locator(".walkers button").nth(walker).click()
            opened.page.locator(".states button").nth(state).click()
            shares = (head["circle"]["grids"][state][walker][theme]
                      or head["circle"]["grids"][0][walker][theme])
            # Tiles are painted a few at a time.
            for _ in range(40):
                opened.page.wait_for_timeout(100)
                hits = [(opened.page.evaluate(LOOK, k), RAMP[share_step(shares[k])])
                        for k in places[:24:2]]
                if sum(a == b for a, b in hits) >= len(hits) - 2:
                    break
            assert sum(a == b for a, b in hits) >= len(hits) - 2, (theme, walker, state, hits)
        opened.page.click("[data-colour=households]")
        opened.page.wait_for_timeout(1500)
        assert {opened.page.evaluate(LOOK, k) for k in places[:6]} == before
        # Reading pixels many times makes the browser give advice.
        assert [c for c in opened.complaints if not c.startswith("Canvas2D")] == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_gaps_are_listed_and_lead_to_their_grid(
        browser: object, file: Path, size: tuple[int, int],
        circled: dict[str, pd.DataFrame]) -> None:
    gap = unpack(file.read_bytes())[0]["circle"]["gaps"][0][0][1][0]
    with Opened(browser, file, size) as opened:
        show_circle(opened, size)
        assert opened.page.locator("#by-circle .worst li").count() == 3
        opened.page.select_option("#theme", "1")
        assert f"{gap[1]} 户未覆盖" in opened.page.inner_text("#by-circle .worst li:first-child")
        opened.page.locator("#by-circle .worst button").first.click()
        said = opened.page.inner_text("#card")
        assert circled["grids"]["grid_id"][gap[0]] in said
        assert "社区卫生服务站" in opened.page.inner_text("#card .circle")
        assert "缺" in opened.page.inner_text("#card .reach")
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_proposals_say_what_they_gain(browser: object, file: Path, size: tuple[int, int],
                                      circled: dict[str, pd.DataFrame]) -> None:
    sites = circled["sites"]
    gain, most = sites["gained_households"].sum(), int(sites["bound"].iloc[0])
    with Opened(browser, file, size) as opened:
        show_circle(opened, size)
        assert not opened.page.locator(".gain").count()
        opened.page.locator(".states button").nth(1).click()
        opened.page.wait_for_timeout(300)
        assert f"新增覆盖 {gain} 户；最多可新增 {most} 户" in opened.page.inner_text(".gain")
        if size == DESKTOP:
            assert "gain" in {label["kind"] for label in opened.labels()}
        opened.page.select_option("#theme", "3")
        assert not opened.page.locator(".gain").count()


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_names_and_marks_never_overlap(browser: object, file: Path,
                                       size: tuple[int, int]) -> None:
    with Opened(browser, file, size) as opened:
        show_circle(opened, size)
        opened.page.locator(".states button").nth(1).click()
        opened.page.select_option("#theme", "1")
        if size == PHONE:
            opened.page.click("#fold")
        for by in (0, 0.5, 1, 1):
            opened.zoom(by)
            labels = opened.labels()
            for a, b in itertools.combinations(labels, 2):
                assert not overlap(a, b), (a, b)
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_words_have_room(browser: object, tmp_path: Path, size: tuple[int, int], lang: str,
                         circled: dict[str, pd.DataFrame]) -> None:
    from staff import add_staff

    layers = add_staff(circled, vacant=(1, 12), short=(2, 30), guards=2)
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "room.html", lang=lang)
    with Opened(browser, path, size) as opened:
        parts = ".figures dt, .figures dd" + (":not(.of)" if size == PHONE else "")
        words = [item.bounding_box() for item in opened.page.locator(parts).all()
                 if item.is_visible()]
        for a, b in itertools.combinations(words, 2):
            assert not overlap(a, b), (a, b)
        assert opened.box("#stage")["height"] > 300
        show_circle(opened, size)
        wide = opened.page.evaluate("""() => Array.from(document.querySelectorAll(
            "#by-circle button, #by-circle li:not(.bars li), #colours button, .gain, .points"))
            .filter(e => e.offsetParent && (e.scrollWidth > e.clientWidth + 1 ||
            e.getBoundingClientRect().right > document.querySelector("#panel")
            .getBoundingClientRect().right)).map(e => e.outerHTML.slice(0, 90))""")
        assert wide == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_without_script_completeness_and_the_worst_gaps_are_told(
        browser: object, file: Path, size: tuple[int, int],
        circled: dict[str, pd.DataFrame]) -> None:
    from gridplan.i18n import translate

    circle = read_circle(circled, "zh")
    assert circle is not None
    worst = list_worst(circle, circled, "share", lambda n, **v: translate(f"maps.{n}", "zh", **v))
    assert len(worst) == 3
    with Opened(browser, file, size, script=False) as opened:
        said = opened.page.inner_text("body")
        for told in ("综合覆盖率", "三大缺口", *(word for line in worst for word in line)):
            assert told in said, told
        assert not opened.page.is_visible("#by-circle")
    with Opened(browser, file, size) as opened:
        assert not opened.page.is_visible("#panel .plain ol")


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_b85_odd_names_show_as_text(browser: object, tmp_path: Path,
                                    size: tuple[int, int]) -> None:
    layers = add_circle(make_layers(evil=EVIL), sites=2, evil=ODD)
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "evil.html", lang="zh")
    with Opened(browser, path, size) as opened:
        show_circle(opened, size)
        opened.page.select_option("#theme", "1")
        assert EVIL in opened.page.inner_text("#by-circle")
        opened.page.locator("#by-circle .worst button").first.click()
        assert EVIL in opened.page.inner_text("#card .circle")
        opened.page.click(".close")
        opened.page.fill("#query", "社区卫生服务站1<")
        assert EVIL in opened.page.inner_text("#hits")
        opened.page.locator("#hits button").first.click()
        assert EVIL in opened.page.inner_text("#card h2")
        assert opened.page.locator("img").count() == 0
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_map_of_demand_points_works(browser: object, tmp_path: Path, size: tuple[int, int],
                                      demand: dict[str, pd.DataFrame]) -> None:
    path = draw_map(SimpleNamespace(layers=demand), tmp_path / "demand.html", lang="zh")
    with Opened(browser, path, size) as opened:
        if size == PHONE:
            opened.page.click("#fold")
        opened.page.select_option("#theme", "1")
        opened.page.locator(".walkers button").nth(1).click()
        opened.page.wait_for_timeout(300)
        seen = opened.page.evaluate("""() => { const out = {}; document.querySelectorAll(
            ".leaflet-tile").forEach(c => { if (!c.width) return; const d = c.getContext("2d")
            .getImageData(0, 0, c.width, c.height).data; for (let i = 0; i < d.length; i += 4) {
            const k = "#" + [0, 1, 2].map(n => d[i + n].toString(16).padStart(2, "0")).join("");
            out[k] = (out[k] || 0) + 1; } }); return out; }""")
        assert sum(seen.get(c, 0) > 20 for c in RAMP) >= 4
        if size == PHONE:
            opened.page.click("#fold")
        opened.page.fill("#query", "幼儿园1")
        opened.page.locator("#hits button").first.click()
        assert "幼儿园" in opened.page.inner_text("#card")
        opened.page.fill("#query", "all")
        assert "社区" not in opened.page.inner_text("#hits")
        assert opened.complaints == []
    with Opened(browser, path, size, script=False) as opened:
        assert opened.page.locator(".still .dot").count() >= 4
        assert opened.complaints == []


@pytest.mark.browser
def test_a_city_with_its_circle_stays_small_and_opens(browser: object, tmp_path: Path) -> None:
    layers = add_circle(make_layers(28, 28, buildings=50_000), per=500, sites=20)
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "city.html", lang="zh")
    assert path.stat().st_size <= 3_000_000
    with Opened(browser, path) as opened:
        show_circle(opened, DESKTOP)
        assert not any(overlap(a, b) for a, b in itertools.combinations(opened.labels(), 2))
        assert opened.complaints == []
