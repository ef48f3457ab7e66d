"""The map: what it says, that it opens everywhere, and what it never shows."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridplan.errors import InputError, UsageError
from gridplan.layers import conform
from gridplan.maps import draw_map, read_figures, render_map
from gridplan.maps.facts import household_steps
from gridplan.maps.mergers import draw_former
from gridplan.maps.shapes import to_varints

CRS = "EPSG:4547"
SIDE = 200.0
DESKTOP, PHONE = (1440, 900), (390, 844)
EVIL = "<img src=x onerror=alert(1)>${alert(2)}</script><b>"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
OUTSIDE = (("over", 689, "building: one building holds 689 households"),
           ("under", 262, "count: 551 households: two grids need 600, one holds 500"),
           ("small", 7, "small: 7 households, the range begins at 300"),
           ("special", 0, "special-place: 第一中学"), ("empty", 0, "empty: no households"))


def bend(xy: np.ndarray) -> np.ndarray:
    """Shift every point by an amount that depends on its place only: shared borders stay shared."""
    x, y = xy[:, 0], xy[:, 1]
    ragged = np.sin(x * 12.9898 + y * 78.233) * 43758.5453
    return xy + np.c_[9 * np.sin(y / 70) + 5 * (ragged - np.floor(ragged)), 9 * np.sin(x / 90)]


def make_layers(across: int = 3, down: int = 2, *, per: int = 3, buildings: int = 300,
                evil: str = "", seed: int = 1) -> dict[str, pd.DataFrame]:
    """Return a plan of ``across`` × ``down`` communities, each of ``per`` × ``per`` grids."""
    random = np.random.default_rng(seed)
    column, row = (a.reshape(-1) for a in np.meshgrid(np.arange(across * per),
                                                      np.arange(down * per)))
    west, south = 500_000 + column * SIDE, 3_400_000 + row * SIDE
    squares = shapely.segmentize(shapely.box(west, south, west + SIDE, south + SIDE), SIDE / 8)
    polygons = shapely.transform(squares, bend)
    block = (row // per) * across + column // per
    seq = (row % per) * per + column % per + 1
    community = np.array([f"340102{b + 1:06d}" for b in block], dtype=object)
    households = random.integers(300, 500, len(block))
    status, reason = np.full(len(block), "ok", object), np.full(len(block), "", object)
    for place, (what, count, why) in enumerate(OUTSIDE[:len(block) // 5]):
        status[place * 5], households[place * 5], reason[place * 5] = what, count, why
    grids = gpd.GeoDataFrame({
        "grid_id": [f"{c}{s:03d}" for c, s in zip(community, seq, strict=True)],
        "community_id": community, "seq": seq, "part": 1,
        "name": [f"第{s}网格{evil}" for s in seq],
        "kind": np.where(status == "special", "special", "basic"), "households": households,
        "households_low": households * 9 // 10, "households_high": households * 11 // 10,
        "buildings": random.integers(12, 60, len(block)), "area_m2": shapely.area(polygons),
        "bound_e": f"长江路{evil}", "bound_s": "黄河路", "bound_w": "人民路", "bound_n": "学府路",
        "contents": f"梧桐苑 1–8 幢{evil}", "status": status,
        "reason": [r + evil if r else "" for r in reason]}, geometry=polygons, crs=CRS)
    blocks = range(across * down)
    communities = gpd.GeoDataFrame({
        "community_id": [f"340102{b + 1:06d}" for b in blocks],
        "name": [f"第{b + 1}社区{evil}" for b in blocks], "kind": "urban"},
        geometry=[shapely.MultiPolygon([shapely.coverage_union_all(polygons[block == b])])
                  for b in blocks], crs=CRS)
    return {name: conform(name, frame) for name, frame in {
        "communities": communities, "grids": grids, "run": make_run(evil),
        **make_background(across * per, down * per, buildings, evil, random)}.items()}


def make_background(across: int, down: int, buildings: int, evil: str,
                    random: np.random.Generator) -> dict[str, gpd.GeoDataFrame]:
    """Return buildings, roads, a river, a park and an estate for ``across`` × ``down`` grids."""
    at = random.uniform((500_000, 3_400_000),
                        (500_000 + across * SIDE, 3_400_000 + down * SIDE), (buildings, 2))
    size = random.uniform(8, 30, (buildings, 2))
    north = [shapely.LineString([(500_000 + i * SIDE, 3_400_000),
                                 (500_000 + i * SIDE, 3_400_000 + down * SIDE)])
             for i in range(0, across + 1, 3)]
    names = itertools.cycle([f"长江路{evil}", "黄河路", "人民路"])
    park = shapely.box(500_050, 3_400_050, 500_350, 3_400_250)
    return {
        "buildings": gpd.GeoDataFrame({
            "building_id": [f"BUILDING-{i}" for i in range(buildings)], "households": 77,
            "households_low": 71, "households_high": 83, "name": "1 幢"},
            geometry=shapely.box(*at.T, *(at + size).T), crs=CRS),
        "roads": gpd.GeoDataFrame({
            "road_id": [f"r{i}" for i in range(len(north))],
            "name": [next(names) for _ in north], "road_class": "primary",
            "structure": "grade", "level": 0}, geometry=north, crs=CRS),
        "barriers": gpd.GeoDataFrame({
            "barrier_id": ["b1", "b2"], "kind": ["river", "rail"], "name": ""},
            geometry=[north[0].buffer(20), shapely.affinity.translate(north[-1], -90)], crs=CRS),
        "specials": gpd.GeoDataFrame(
            {"special_id": ["s1"], "kind": "park", "name": f"人民公园{evil}"},
            geometry=[shapely.MultiPolygon([park])], crs=CRS),
        "estates": gpd.GeoDataFrame({"estate_id": ["e1"], "name": f"梧桐苑{evil}"},
                                    geometry=[shapely.MultiPolygon([park.buffer(100)])], crs=CRS)}


def make_run(evil: str = "") -> pd.DataFrame:
    record = {"title": evil, "state": "draft", "household_basis": "resident",
              "data_date": f"2026-10-01{evil}", "range:urban": "300/500",
              f"input:1:city.osm.pbf{evil}:": "abc", "input:2:ledger.xlsx:2026": "def"}
    return pd.DataFrame({"key": list(record), "value": list(record.values())})


def unpack(page: bytes) -> tuple[dict, bytes]:
    """Return the page's packed plan: its JSON and all its bytes."""
    block = re.search(rb'<script id="plan-data" type="text/plain">([^<]*)</script>', page)
    assert block
    body = gzip.decompress(base64.b64decode(block[1]))
    length = int.from_bytes(body[:4], "little")
    return json.loads(body[4:4 + length]), body


@pytest.fixture(scope="module")
def layers() -> dict[str, pd.DataFrame]:
    return make_layers()


@pytest.fixture(scope="module")
def page(layers: dict[str, pd.DataFrame]) -> bytes:
    return render_map(layers, lang="zh")


# What it says


def test_figures_are_the_plan_s(layers: dict[str, pd.DataFrame], page: bytes) -> None:
    figures = read_figures(layers)
    grids = layers["grids"]
    assert (figures.communities, figures.grids) == (6, 54)
    assert figures.households == grids["households"].sum()
    assert (figures.in_range, figures.ranged) == ((grids["status"] == "ok").sum(), 53)
    assert figures.exceptions == 4
    text = page.decode()
    for key, value in (("communities", "6"), ("grids", "54"), ("exceptions", "4"),
                       ("households", f"{figures.households:,}"), ("share", "92.4 %")):
        assert re.search(rf'f-{key}.*?<dd>{re.escape(value)}</dd>', text, re.DOTALL), key


def test_figures_are_those_of_the_figures_layer() -> None:
    from gridplan.errors import Findings
    from gridplan.params import Params
    from gridplan.pipeline import plan_city
    from gridplan.town import build_town

    plan = plan_city(build_town(communities=2, seed=1).study, Params(), Findings(), lang="zh")
    figures, table = read_figures(plan.layers), plan.layers["figures"]
    told = table[table["scope_id"] == "all"].set_index("name")
    assert figures.communities == told.loc["communities", "value"]
    assert figures.grids == told.loc["grids", "value"]
    assert figures.households == told.loc["households", "value"]
    assert figures.exceptions == told.loc["exceptions", "value"]
    assert figures.in_range == told.loc["grids_in_range", "numerator"]
    assert figures.ranged == told.loc["grids_in_range", "denominator"]
    unpack(render_map(plan.layers, lang="zh"))


def test_ramp_has_round_steps_over_the_range_of_the_kinds_in_the_plan(
        layers: dict[str, pd.DataFrame]) -> None:
    assert household_steps(layers) == [300, 350, 400, 450, 500]
    old = {**layers, "run": conform("run", pd.DataFrame(
        {"key": ["range:urban", "range:rural"], "value": ["160/260", "1/9000"]}))}
    assert household_steps(old) == [160, 185, 210, 235, 260]


def test_texts_are_in_the_language_asked_for(layers: dict[str, pd.DataFrame]) -> None:
    assert "网格划分方案" in render_map(layers, lang="zh").decode()
    assert "Grid plan" in render_map(layers, lang="en").decode()


def test_origin_names_date_state_and_openstreetmap(page: bytes) -> None:
    text = page.decode()
    for said in ("2026-10-01", "仅供建议", "常住户", "ledger.xlsx", "© OpenStreetMap contributors"):
        assert said in text
    alone = make_layers(1, 1)
    alone["run"] = conform("run", pd.DataFrame({"key": ["state"], "value": ["in-force"]}))
    text = render_map(alone, lang="zh").decode()
    assert "OpenStreetMap" not in text
    assert "仅供建议" not in text


def test_varints_read_back() -> None:
    numbers = np.array([0, 1, -1, 63, -64, 64, -65, 10**6, -10**9, 2**40])
    data, out, at = to_varints(numbers), [], 0
    while at < len(data):
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                break
        out.append((value >> 1) ^ -(value & 1))
    assert out == numbers.tolist()


# What it never shows


def test_share_map_holds_nothing_below_grid_level(page: bytes) -> None:
    head, body = unpack(page)
    assert isinstance(head["buildings"], int)
    assert b"BUILDING-" not in body
    assert b"BUILDING-" not in page
    assert "households" not in {key for key in head if key != "grids"}
    for name, features, *_ in head["shapes"]:
        columns = head.get(name)
        assert name != "buildings" or features == columns == 300


def test_share_map_holds_no_count_under_ten(layers: dict[str, pd.DataFrame]) -> None:
    head, body = unpack(render_map(layers, audience="share"))
    few = head["grids"]["households"].index(-1)
    assert layers["grids"]["households"].iloc[few] == 7
    assert head["grids"]["reason"][few] == ""
    assert "7 households, the range" not in body.decode(errors="ignore")
    inside, _ = unpack(render_map(layers, audience="internal"))
    assert inside["grids"]["households"][few] == 7


def test_counts_under_ten_stay_out_of_the_range_of_an_estimate() -> None:
    layers = make_layers(1, 1)
    layers["grids"].loc[0, ["households", "households_low", "households_high"]] = [6, 5, 12]
    head, _ = unpack(render_map(layers))
    assert [head["grids"][c][0] for c in ("households", "households_low", "households_high")] == [
        -1, -2, -2]


@pytest.mark.parametrize(("options", "key"), [({"audience": "everybody"}, "maps.audience"),
                                              ({"lang": "fr"}, "maps.lang")])
def test_unknown_audience_or_language_is_refused(
        layers: dict[str, pd.DataFrame], options: dict[str, str], key: str) -> None:
    with pytest.raises(UsageError) as refused:
        render_map(layers, **options)
    assert refused.value.findings[0].key == key


def test_b78_plan_without_grids_is_refused(layers: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(InputError) as refused:
        render_map({**layers, "grids": layers["grids"][:0]})
    assert refused.value.findings[0].layer == "grids"


def test_b78_plan_without_roads_and_buildings_is_drawn(layers: dict[str, pd.DataFrame]) -> None:
    bare = {name: layers[name] for name in ("communities", "grids")}
    empty = {name: frame[:0] for name, frame in layers.items() if name not in bare}
    for held in (bare, {**bare, **empty}):
        head, _ = unpack(render_map(held))
        assert head["roads"]["kind"] == []


def test_b85_markup_in_names_stays_out_of_the_page(layers: dict[str, pd.DataFrame]) -> None:
    text = render_map(make_layers(evil=EVIL), lang="en").decode()
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert text.count("<script") == render_map(layers).decode().count("<script")


def test_policy_lets_only_the_page_s_own_scripts_run(page: bytes) -> None:
    text = page.decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert len(hashes) == 4
    allowed = " ".join(f"'sha256-{h}'" for h in hashes)
    assert f"script-src {allowed};" in policy[1]
    assert policy[1].startswith("default-src 'none';")
    assert not re.search(r'(?:src|href)="|url\((?!none)', re.sub(r"<script.*?</script>", "", text,
                                                                 flags=re.DOTALL))


# The file


def test_draw_map_writes_the_page_and_returns_its_path(
        tmp_path: Path, layers: dict[str, pd.DataFrame], page: bytes) -> None:
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "map.html", lang="zh")
    assert path == tmp_path / "map.html"
    assert path.read_bytes() == page


def test_same_plan_gives_the_same_bytes_in_another_process(page: bytes) -> None:
    here = Path(__file__)
    code = (f"import sys; sys.path.insert(0, {str(here.parent)!r}); import test_maps as t, hashlib;"
            "print(hashlib.sha256(t.render_map(t.make_layers(), lang='zh')).hexdigest())")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                         env={**os.environ, "PYTHONHASHSEED": "7", "LANG": "C", "TZ": "Asia/Tokyo"})
    assert out.stdout.strip() == hashlib.sha256(page).hexdigest()


def test_drawing_leaves_the_plan_as_it_was() -> None:
    before, after = make_layers(), make_layers()
    render_map(after)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(after[name]))


# In the browser


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Opened:
    """A page opened from its file with the network cut; it gathers every complaint."""

    def __init__(self, browser: object, path: Path, size: tuple[int, int] = DESKTOP,
                 script: bool = True, before: str = "") -> None:
        phone = size == PHONE
        self.context = browser.new_context(  # type: ignore[attr-defined]
            viewport={"width": size[0], "height": size[1]}, java_script_enabled=script,
            has_touch=phone, is_mobile=phone, device_scale_factor=2 if phone else 1)
        self.context.set_offline(True)
        self.complaints: list[str] = []
        self.page = self.context.new_page()
        self.context.route(lambda url: url != path.as_uri(), self._refuse)
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("dialog", self._dialog)
        if before:
            self.page.add_init_script(before)
        self.page.goto(path.as_uri())
        if script:
            self.page.wait_for_selector("html.ready", state="attached", timeout=20_000)

    def _refuse(self, route: object) -> None:
        self.complaints.append(f"request {route.request.url}")  # type: ignore[attr-defined]
        route.abort()  # type: ignore[attr-defined]

    def _dialog(self, dialog: object) -> None:
        self.complaints.append("dialog")
        dialog.dismiss()  # type: ignore[attr-defined]

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def labels(self) -> list[dict]:
        return self.page.evaluate("gridplan.labels()")

    def zoom(self, by: float) -> None:
        self.page.evaluate("by => void gridplan.map.setZoom(gridplan.map.getZoom() + by, "
                           "{animate: false})", by)
        self.page.wait_for_timeout(120)

    def box(self, selector: str) -> dict:
        return self.page.locator(selector).bounding_box()

    def tap_grid(self, number: int, touch: bool = False) -> None:
        at = self.page.evaluate(f"gridplan.centre({number})")
        frame = self.box("#stage")
        x, y = frame["x"] + at["x"], frame["y"] + at["y"]
        if touch:
            self.page.touchscreen.tap(x, y)
        else:
            self.page.mouse.click(x, y)
        self.page.wait_for_selector("#card:not([hidden])")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, page: bytes) -> Path:
    path = tmp_path_factory.mktemp("map") / "map.html"
    path.write_bytes(page)
    return path


def overlap(a: dict, b: dict) -> bool:
    return (a["x"] < b["x"] + b["width"] and b["x"] < a["x"] + a["width"]
            and a["y"] < b["y"] + b["height"] and b["y"] < a["y"] + a["height"])


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_opens_with_the_network_cut_and_without_a_complaint(
        browser: object, file: Path, size: tuple[int, int]) -> None:
    with Opened(browser, file, size) as opened:
        for by in (1, 2, -1):
            opened.zoom(by)
        opened.page.evaluate("gridplan.map.panBy([300, 200], {animate: false})")
        opened.page.wait_for_timeout(200)
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_names_never_overlap_each_other_the_panels_or_the_edge(
        browser: object, file: Path, size: tuple[int, int]) -> None:
    kinds = set()
    with Opened(browser, file, size) as opened:
        for by in (0, 0.5, 0.5, 1, 1, 1):
            opened.zoom(by)
            labels, stage = opened.labels(), opened.box("#stage")
            kinds |= {label["kind"] for label in labels}
            panels = [opened.box(s) for s in ("#zoom", "#scale", "#credit", "#panel")]
            for a, b in itertools.combinations(labels, 2):
                assert not overlap(a, b), (a, b)
            for label in labels:
                assert not any(overlap(label, p) for p in panels), label
                assert stage["x"] <= label["x"]
                assert label["x"] + label["width"] <= stage["x"] + stage["width"]
                assert stage["y"] <= label["y"]
                assert label["y"] + label["height"] <= stage["y"] + stage["height"]
    assert kinds >= {"community", "grid", "road"}


@pytest.mark.browser
@pytest.mark.parametrize(("size", "lang"), [
    (DESKTOP, "zh"), (DESKTOP, "en"), (PHONE, "zh"), (PHONE, "en")])
def test_nothing_overlaps_or_is_cut(
        browser: object, tmp_path: Path, size: tuple[int, int], lang: str) -> None:
    layers = make_layers(16, 16)
    layers["grids"]["households"] *= 7
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "map.html", lang=lang)
    with Opened(browser, path, size) as opened:
        assert re.search(r"\d,\d{3},\d{3}", opened.page.inner_text("#head"))
        parts = {s: opened.box(s) for s in ("#head", "#find", "#stage", "#panel")}
        for (one, a), (two, b) in itertools.combinations(parts.items(), 2):
            assert not overlap(a, b), (one, two)
        for a, b in itertools.combinations([opened.box(s) for s in ("#zoom", "#scale", "#credit")],
                                           2):
            assert not overlap(a, b)
        wide = opened.page.evaluate("""() => ["#head", "#find", "#panel"].map(s => {
            const edge = document.querySelector(s).getBoundingClientRect().right - 8;
            return Array.from(document.querySelectorAll(s + " *")).filter(e => e.offsetParent &&
                (e.tagName === "DD" || e.tagName === "DT" || e.tagName === "SPAN" ||
                 e.tagName === "LI") && (e.getBoundingClientRect().right > edge ||
                 (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)))
                .map(e => e.outerHTML.slice(0, 120)); }).flat()""")
        assert wide == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_card_tells_all_of_a_grid(browser: object, file: Path, size: tuple[int, int],
                                  layers: dict[str, pd.DataFrame]) -> None:
    with Opened(browser, file, size) as opened:
        opened.tap_grid(5, touch=size == PHONE)
        said, grid = opened.page.inner_text("#card"), layers["grids"].iloc[5]
        for told in (grid["grid_id"], grid["name"], "第2社区", "262", "235–288", "长江路", "黄河路",
                     "人民路", "学府路", "梧桐苑 1–8 幢", "户数不足", "two grids need 600",
                     f"{grid['buildings']}", f"{grid['area_m2'] / 1e4:.1f} 公顷"):
            assert told in said, told
        card = opened.box("#card")
        assert card["y"] >= 0
        assert card["y"] + card["height"] <= size[1]
        opened.page.click(".close")
        assert not opened.page.is_visible("#card")


@pytest.mark.browser
def test_tiles_names_and_clicks_agree_at_every_zoom(browser: object, file: Path) -> None:
    """The grid under its own centre is painted there, and it is the one a click opens."""
    look = """(i) => { const p = gridplan.centre(i), s = document.getElementById("stage")
        .getBoundingClientRect(), x = p.x + s.left + 4, y = p.y + s.top + 4;
        const c = Array.from(document.querySelectorAll(".leaflet-tile")).filter(c => c.width)
            .find(c => { const r = c.getBoundingClientRect();
                return x >= r.left && x < r.right && y >= r.top && y < r.bottom; });
        const r = c.getBoundingClientRect(), k = c.width / r.width;
        return Array.from(c.getContext("2d").getImageData((x - r.left) * k, (y - r.top) * k, 6, 6)
            .data).reduce((sum, v, n) => sum + (n % 4 === 0 ? v : n % 4 === 2 ? -v : 0), 0); }"""
    with Opened(browser, file) as opened:
        for by in (0, 0.25, 0.5, -1, 0.75):
            opened.zoom(by)
            opened.page.evaluate("void gridplan.map.panBy([37, 21], {animate: false})")
            opened.page.wait_for_timeout(300)
            assert opened.page.evaluate(look, 5) > 0, "warm: below the range"
            assert opened.page.evaluate(look, 13) < 0, "cool: in the range"
            opened.tap_grid(5)
            assert "340102000002003" in opened.page.inner_text("#card")
            opened.page.click(".close")


@pytest.mark.browser
@pytest.mark.parametrize(("words", "kind", "title"), [
    ("340102000002004", "网格", "第4网格"), ("第3社区", "社区", "第3社区"),
    ("梧桐", "小区", "梧桐苑"), ("黄河", "道路", "黄河路")])
def test_search_finds_code_name_estate_and_road_and_opens_its_card(
        browser: object, file: Path, words: str, kind: str, title: str) -> None:
    with Opened(browser, file) as opened:
        before = opened.page.evaluate("gridplan.map.getZoom()")
        opened.page.fill("#query", words)
        first = opened.page.locator("#hits button").first
        assert kind in first.inner_text()
        first.click()
        assert opened.page.inner_text("#card h2") == title
        assert opened.page.evaluate("gridplan.map.getZoom()") >= before
        opened.page.fill("#query", "没有这个")
        assert opened.page.inner_text("#hits") == "没有找到"


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_exceptions_are_listed_with_their_reasons(browser: object, file: Path,
                                                  size: tuple[int, int]) -> None:
    with Opened(browser, file, size) as opened:
        opened.page.click("#show-exceptions")
        said = opened.page.inner_text("#list")
        assert opened.page.locator("#list li").count() == 4
        for told in ("689 户", "one building holds 689", "262 户", "< 10 户", "例外 · 4"):
            assert told in said, told
        opened.page.click("#list li:nth-child(2) button")
        assert "第2社区" in opened.page.inner_text("#card")
        centre = opened.page.evaluate("gridplan.centre(5)")
        stage, card = opened.box("#stage"), opened.box("#card")
        at = {"x": stage["x"] + centre["x"], "y": stage["y"] + centre["y"], "width": 1, "height": 1}
        assert overlap(at, stage)
        assert not overlap(at, card)


@pytest.mark.browser
def test_opens_where_the_browser_cannot_unpack_by_itself(browser: object, tmp_path: Path) -> None:
    path = draw_map(SimpleNamespace(layers=make_layers(8, 8)), tmp_path / "map.html")
    with Opened(browser, path) as able:
        names = able.labels()
    with Opened(browser, path, before="delete window.DecompressionStream") as opened:
        assert opened.labels() == names
        assert opened.complaints == []


@pytest.mark.browser
def test_damaged_data_leave_the_overview_and_say_so(
        browser: object, tmp_path: Path, page: bytes) -> None:
    path = tmp_path / "cut.html"
    path.write_bytes(re.sub(rb'(<script id="plan-data" type="text/plain">.{200})[^<]*', rb"\1",
                            page))
    context = browser.new_context()  # type: ignore[attr-defined]
    damaged = context.new_page()
    damaged.goto(path.as_uri())
    damaged.wait_for_selector("#wait:not([hidden])")
    assert damaged.is_visible(".still")
    assert not damaged.is_visible("#query")
    context.close()


@pytest.mark.browser
def test_layers_can_be_switched_off(browser: object, file: Path) -> None:
    with Opened(browser, file) as opened:
        assert opened.labels()
        opened.page.uncheck("[data-layer=labels]")
        assert opened.labels() == []
        opened.page.check("[data-layer=labels]")
        opened.page.uncheck("[data-layer=grids]")
        assert "grid" not in {label["kind"] for label in opened.labels()}


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_without_script_figures_and_an_overview_are_there(
        browser: object, file: Path, size: tuple[int, int],
        layers: dict[str, pd.DataFrame]) -> None:
    with Opened(browser, file, size, script=False) as opened:
        said = opened.page.inner_text("body")
        for told in ("网格划分方案", "54", f"{layers['grids']['households'].sum():,}", "92.4 %",
                     "仅供建议"):
            assert told in said, told
        still = opened.box(".still")
        assert min(still["width"], still["height"]) > 250
        assert opened.page.locator(".still text").count() == 6
        assert not opened.page.is_visible("#query")
        assert opened.complaints == []


@pytest.mark.browser
def test_with_script_the_overview_gives_way(browser: object, file: Path) -> None:
    with Opened(browser, file) as opened:
        assert not opened.page.is_visible(".still")
        painted = opened.page.evaluate("""() => { const c = Array.from(document.querySelectorAll(
            ".leaflet-tile")).find(c => c.width); const d = c.getContext("2d").getImageData(
            0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4)
            n += d[i] > 0; return n; }""")
        assert painted > 1000


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_b85_names_that_are_markup_show_as_text_everywhere(
        browser: object, tmp_path: Path, size: tuple[int, int]) -> None:
    path = draw_map(SimpleNamespace(layers=make_layers(evil=EVIL)), tmp_path / "evil.html",
                    audience="internal")
    with Opened(browser, path, size) as opened:
        assert EVIL in opened.page.inner_text("h1")
        assert any("<img" in label["text"] for label in opened.labels())
        opened.tap_grid(5)
        assert opened.page.inner_text("#card").count(EVIL) >= 4
        opened.page.click(".close")
        opened.page.fill("#query", "<img")
        assert EVIL in opened.page.inner_text("#hits")
        opened.page.click("h1")
        opened.page.click("#show-exceptions")
        assert EVIL in opened.page.inner_text("#list")
        assert opened.page.locator("img").count() == 0
        assert opened.complaints == []
    with Opened(browser, path, size, script=False) as opened:
        assert EVIL in opened.page.inner_text("h1")
        assert opened.page.locator("img").count() == 0


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_b86_long_and_right_to_left_names_are_cut_in_view_only(
        browser: object, tmp_path: Path, size: tuple[int, int]) -> None:
    layers = make_layers(1, 1)
    long = "无尽" * 5000
    layers["grids"].loc[4, "name"] = long
    layers["grids"].loc[4, "contents"] = long
    layers["grids"].loc[3, "name"] = "حي السلام 12 🙂"
    layers["communities"].loc[0, "name"] = long
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "long.html", lang="zh")
    head, _ = unpack(path.read_bytes())
    assert head["grids"]["name"][4] == long
    with Opened(browser, path, size) as opened:
        opened.zoom(1)
        names = [label["text"].split("\n")[0] for label in opened.labels()]
        assert max(map(len, names)) == 18
        assert any(name.endswith("…") for name in names)
        opened.tap_grid(4)
        assert opened.page.text_content("#card h2") == long
        card = opened.box("#card")
        assert card["height"] <= size[1] * 0.9
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        opened.page.click(".close")
        assert opened.box("#stage")["height"] > 300
        opened.page.click("#zoom-all")
        opened.tap_grid(3)
        assert opened.page.get_attribute("#card h2 bdi", "dir") == "auto"
        assert opened.complaints == []


@pytest.mark.browser
def test_city_of_7000_grids_and_50000_buildings_stays_small_and_quick(
        browser: object, tmp_path: Path) -> None:
    layers = make_layers(28, 28, buildings=50_000)
    assert len(layers["grids"]) == 7056
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "city.html", lang="zh")
    assert path.stat().st_size <= 3_000_000
    still = re.search(r'<svg class="still".*?</svg>', path.read_text(encoding="utf-8"), re.DOTALL)
    assert still
    assert len(still[0].encode()) <= 300_000
    start = time.perf_counter()
    with Opened(browser, path) as opened:
        assert time.perf_counter() - start <= 3 * 1.5
        labels = opened.labels()
        assert not any(overlap(a, b) for a, b in itertools.combinations(labels, 2))
        assert opened.complaints == []


# The scorecard


def with_scores(layers: dict[str, pd.DataFrame], name: str = "人民路") -> dict[str, pd.DataFrame]:
    """Give a plan scores, and a border along ``name`` between grids of a community that touch."""
    out = {**layers, "grids": layers["grids"].copy(), "communities": layers["communities"].copy()}
    for frame in (out["grids"], out["communities"]):
        for k, column in enumerate(("balance", "shape", "border", "straddling")):
            frame[f"score_{column}"] = pd.array(
                (np.arange(len(frame)) * 7.3 + 20 * k) % 101, dtype="Float64")
    out["grids"].loc[out["grids"]["kind"] == "special", "score_balance"] = pd.NA
    grids = out["grids"]
    shape = grids.geometry.to_numpy()
    left, right = shapely.STRtree(shape).query(shape, predicate="touches")
    owner, ids = (grids[c].to_numpy(dtype=object) for c in ("community_id", "grid_id"))
    lines = shapely.intersection(shape[left], shape[right])
    keep = (left < right) & (owner[left] == owner[right]) & (shapely.length(lines) > 1)
    left, right = left[keep], right[keep]
    cost = pd.array(((left * 13 + right) % 900 - 40).astype(float), dtype="Float64")
    cost[::3] = pd.NA
    road = np.where(np.arange(len(left)) % 4 == 0, "", "secondary")
    out["borders"] = conform("borders", gpd.GeoDataFrame({
        "border_id": [f"{a}|{b}" for a, b in zip(left, right, strict=True)],
        "grid_a": ids[left], "grid_b": ids[right], "inside_block": False,
        "length_m": shapely.length(lines[keep]), "road_class": road,
        "follows": np.where(road == "", "", name), "move_cost": cost},
        geometry=shapely.line_merge(lines[keep]), crs=CRS))
    return out


@pytest.fixture(scope="module")
def scored() -> dict[str, pd.DataFrame]:
    return with_scores(make_layers())


def test_scores_of_grids_and_communities_are_those_of_the_plan(
        scored: dict[str, pd.DataFrame]) -> None:
    head, _ = unpack(render_map(scored, audience="internal"))
    for layer in ("grids", "communities"):
        frame = scored[layer]
        for k, name in enumerate(("balance", "shape", "border", "straddling")):
            expected = [-1 if v is pd.NA else round(v) for v in frame[f"score_{name}"].tolist()]
            assert head[layer]["scores"][k] == expected
    assert -1 in head["grids"]["scores"][0]


def test_gaps_of_communities_are_told_in_thousandths_never_too_few(
        layers: dict[str, pd.DataFrame]) -> None:
    towns = layers["communities"].copy()
    gaps = np.resize([0.0, 0.03, 0.03001, np.nan], len(towns))
    towns["gap"] = pd.array(gaps, dtype="Float64")
    for audience in ("share", "internal"):
        head, _ = unpack(render_map({**layers, "communities": towns}, audience=audience))
        assert head["communities"]["gap"] == np.resize([0, 30, 31, -1], len(towns)).tolist()
    assert unpack(render_map(layers))[0]["communities"]["gap"] == []


def test_a_plan_without_scores_has_no_scorecard(layers: dict[str, pd.DataFrame]) -> None:
    head, _ = unpack(render_map(layers))
    assert head["grids"]["scores"] == head["communities"]["scores"] == []
    assert head["borders"] is None


def test_scores_that_tell_a_count_under_ten_are_not_shared(
        scored: dict[str, pd.DataFrame]) -> None:
    few = int(np.flatnonzero(scored["grids"]["households"] == 7)[0])
    shared, inside = (unpack(render_map(scored, audience=a))[0]["grids"]["scores"]
                      for a in ("share", "internal"))
    assert [column[few] for column in shared] == [-1, inside[1][few], inside[2][few], -1]
    assert min(column[few] for column in inside) >= 0


def test_borders_tell_what_they_follow_and_what_moving_them_costs(
        scored: dict[str, pd.DataFrame]) -> None:
    table = scored["borders"]
    first = table.iloc[[0, 1, 1]].copy()
    first[["road_class", "follows", "length_m"]] = [["wall", "", 80.4], ["", "estate", 500.0],
                                                    ["", "estate", 400.0]]
    first[["grid_a", "grid_b"]] = table.iloc[1][["grid_a", "grid_b"]].tolist()
    more = {**scored, "borders": pd.concat([table.iloc[1:], first], ignore_index=True)}
    head, _ = unpack(render_map(more))
    borders, ids = head["borders"], head["grids"]["id"]
    assert len(borders["a"]) == len(borders["cost"]) == len(borders["along"]) == len(table) - 1
    pair = [(ids[a], ids[b]) for a, b in zip(borders["a"], borders["b"], strict=True)]
    at = pair.index(tuple(table.iloc[1][["grid_a", "grid_b"]]))
    assert borders["cost"][at] == round(table["move_cost"].iloc[1])
    told = [(borders["names"][n], borders["kinds"][k], m)
            for n, k, m in np.reshape(borders["along"][at], (-1, 3)).tolist()]
    assert told == [("", "", 900), ("人民路", "secondary", round(table["length_m"].iloc[1])),
                    ("", "wall", 80)]
    assert borders["cost"].count(None) == table["move_cost"].iloc[1:].isna().sum()


def test_every_class_of_road_and_kind_of_barrier_has_a_word() -> None:
    from gridplan.i18n import load_room
    from gridplan.layers import BARRIERS, ROAD_CLASS
    from gridplan.maps.scores import KINDS, kind_of

    found = {kind_of(c) for c in (*ROAD_CLASS, *BARRIERS, "", "no such road")}
    assert found == set(KINDS)
    assert {f"ui_line_{kind}" for kind in KINDS if kind} <= set(load_room("maps"))


@pytest.mark.parametrize(("value", "expected"), [(pd.NA, True), (0.0, False)])
def test_the_map_says_where_straddling_could_not_be_measured(
        scored: dict[str, pd.DataFrame], value: object, expected: bool) -> None:
    figures = conform("figures", pd.DataFrame({
        "name": ["straddling"], "scope": ["city"], "scope_id": ["all"], "value": [value]}))
    head, _ = unpack(render_map({**scored, "figures": figures}))
    assert head["unmeasured"] is expected


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_cards_show_the_scores_as_bars_and_say_why_borders_are_there(
        browser: object, tmp_path: Path, size: tuple[int, int]) -> None:
    layers = with_scores(make_layers(), EVIL)
    gaps = pd.array([pd.NA] * len(layers["communities"]), dtype="Float64")
    gaps[2], gaps[3] = 0.0311, 0.0
    layers["communities"]["gap"] = gaps
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "scores.html", lang="en")
    head, _ = unpack(path.read_bytes())
    with Opened(browser, path, size) as opened:
        opened.tap_grid(17)
        bars = opened.page.locator("#card .scores .bar")
        told = [column[17] for column in head["grids"]["scores"]]
        assert opened.page.locator("#card .points").all_inner_texts() == list(map(str, told))
        for k, value in enumerate(told):
            bar = bars.nth(k).bounding_box()
            full = bars.nth(k).locator("i").bounding_box()
            assert full["width"] == pytest.approx(bar["width"] * value / 100, abs=1)
            assert bar["width"] > 100
        opened.page.click(".why summary")
        text = opened.page.inner_text("#card .why")
        pairs = list(zip(*(head["borders"][c] for c in ("a", "b", "cost")), strict=True))
        assert len(pairs) > 50
        for a, b, cost in (p for p in pairs if 17 in p[:2]):
            assert head["grids"]["name"][a + b - 17] in text
            assert ("cannot be moved" if cost is None else f"{abs(cost)} weighted") in text
        assert EVIL in text
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        opened.page.locator(".why button").first.click()
        assert opened.page.inner_text("#card h2") != head["grids"]["name"][17]
        opened.page.fill("#query", head["communities"]["id"][2])
        opened.page.locator("#hits button").first.click()
        told = [str(column[2]) for column in head["communities"]["scores"]]
        assert opened.page.locator("#card .points").all_inner_texts() == told
        assert "at most 3.2 % dearer" in opened.page.inner_text("#card")
        for town, words in ((3, "No division has cheaper borders"), (4, "")):
            opened.page.fill("#query", head["communities"]["id"][town])
            opened.page.locator("#hits button").first.click()
            text = opened.page.inner_text("#card")
            assert words in text
            assert ("cheaper" in text or "dearer" in text) == bool(words)
        assert opened.complaints == []


# Mergers


def merged_areas(evil: str = "", across: int = 4) -> dict[str, pd.DataFrame]:
    """Four by three communities become eight: 0+1+4, 2+3, 7+11; the others stay as they are.

    The new community 0 is above the range of communities, number 6 below it.
    """
    from gridplan.errors import Findings
    from gridplan.merge import merge_areas, propose_merger
    from gridplan.params import Params

    side, down = 900.0, 3
    column, row = (a.reshape(-1) for a in np.meshgrid(np.arange(across), np.arange(down)))
    shape = shapely.transform(shapely.segmentize(shapely.box(
        column * side, row * side, (column + 1) * side, (row + 1) * side), 90), bend)
    owner = np.array([0, 0, 2, 2, 0, 5, 6, 7, 8, 9, 10, 7])
    ids = np.array([f"341102{k + 1:06d}" for k in range(len(shape))], dtype=object)
    frame = gpd.GeoDataFrame({
        "community_id": ids, "name": [f"第{k + 1}村{evil}" for k in range(len(ids))],
        "kind": "urban", "households": [2500, 1900, 1700, 900, 1300, 2100, 800, 2600, 1900, 2200,
                                        1800, 700]},
        geometry=shapely.transform(shape, lambda xy: xy + np.array([500_000, 3_400_000])),
        crs=CRS).set_index("community_id")
    proposal = propose_merger(frame, len(set(owner)), Params(), Findings())
    proposal = dataclasses.replace(proposal, owner=pd.Series(ids[owner], index=frame.index))
    return dict(merge_areas(frame, proposal, Params(), Findings(), lang="en").layers)


@pytest.fixture(scope="module")
def areas() -> dict[str, pd.DataFrame]:
    return merged_areas()


def test_a_plan_of_merged_communities_is_drawn_with_its_figures(
        areas: dict[str, pd.DataFrame]) -> None:
    assert "grids" not in areas
    text = render_map(areas, lang="en").decode()
    for key, value, more in (("communities", "12 → 8", None), ("households", "20,400", None),
                             ("mergers", "3", None), ("largest", "5,700", "2.24 × mean"),
                             ("moved", "4,800", "23.5 %")):
        assert re.search(rf'f-{key}.*?<dd>{re.escape(value)}</dd>', text, re.DOTALL), key
        assert more is None or more in text
    # Below and above the range, and those that stay as they are.
    for label, count in (("Below the range", 1), ("Above the range", 1), ("Unchanged", 4)):
        assert re.search(rf"<span>{label}</span><em>{count}</em>", text), label
    assert "Proposed mergers" in text
    assert "第1村" in text


def test_a_range_that_most_communities_miss_colours_nothing(
        areas: dict[str, pd.DataFrame]) -> None:
    table = areas["communities"]
    big = {**areas, "communities": table.assign(status="over", households=4 * table["households"])}
    text = render_map(big, lang="en").decode()
    assert "Above the range" not in text
    assert re.search("<span>Unchanged</span><em>5</em>", text)
    head, _ = unpack(render_map(big))
    assert head["steps"][0] <= 10_400 <= 22_800 <= head["steps"][-1]
    assert all(step % 1000 == 0 for step in head["steps"])


def test_the_page_holds_which_community_lies_in_which(areas: dict[str, pd.DataFrame]) -> None:
    head, _ = unpack(render_map(areas))
    mergers, table = head["mergers"], areas["mergers"]
    assert mergers["id"] == table["former_id"].tolist()
    assert [head["communities"]["id"][c] for c in mergers["community"]] == table[
        "community_id"].tolist()
    assert mergers["households"] == table["households"].tolist()
    assert mergers["total"] == areas["communities"]["households"].tolist()
    assert [i for i, kept in zip(mergers["id"], mergers["kept"], strict=True) if kept] == sorted(
        set(table["community_id"]))


def test_old_borders_are_those_inside_new_communities(areas: dict[str, pd.DataFrame]) -> None:
    lines = draw_former(areas)
    table = areas["mergers"]
    shape, owner = table.geometry.to_numpy(), table["community_id"].to_numpy()
    metres = sum(shapely.length(shapely.intersection(shape[i], shape[j]))
                 for i, j in itertools.combinations(range(len(shape)), 2) if owner[i] == owner[j])
    assert shapely.length(lines).sum() == pytest.approx(metres, rel=0.02)
    assert metres > 3000
    outside = shapely.union_all(shapely.boundary(areas["communities"].geometry.to_numpy()))
    assert shapely.length(shapely.intersection(shapely.union_all(lines),
                                               shapely.buffer(outside, 2))) < 100


def test_a_plan_without_grids_and_mergers_is_still_refused(
        areas: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(InputError) as refused:
        render_map({**areas, "mergers": areas["mergers"][:0]})
    assert refused.value.findings[0].layer == "grids"


def test_small_counts_of_merged_communities_are_not_shared() -> None:
    layers = merged_areas()
    layers["mergers"] = layers["mergers"].assign(households=[7] * 12)
    for audience, told in (("share", -1), ("internal", 7)):
        head, _ = unpack(render_map(layers, audience=audience))
        assert set(head["mergers"]["households"]) == {told}
        assert set(head["grids"]["former"]) == {told}


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_cards_and_the_list_tell_what_each_community_was_merged_from(
        browser: object, tmp_path: Path, size: tuple[int, int]) -> None:
    layers = merged_areas(EVIL)
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "merged.html", lang="en")
    with Opened(browser, path, size) as opened:
        opened.tap_grid(4, touch=size == PHONE)
        said = opened.page.inner_text("#card")
        for told in (f"第1村{EVIL}", "5,700", "Above the range", f"第2村{EVIL}", "1,900",
                     f"第5村{EVIL}", "1,300", "3,200 households change", "341102000001"):
            assert told in said, told
        opened.page.click(".close")
        opened.tap_grid(9, touch=size == PHONE)
        said = opened.page.inner_text("#card")
        assert "Unchanged" in said
        assert "2,200" in said
        opened.page.click(".close")
        opened.page.click("#show-mergers")
        rows = opened.page.locator("#list .exceptions button").all_inner_texts()
        assert [re.search(r"[\d,]+ hh", r)[0] for r in rows] == ["5,700 hh", "3,300 hh", "2,600 hh"]
        assert f"第5村{EVIL} 1,300" in rows[0]
        opened.page.locator("#list .exceptions button").nth(1).click()
        assert "3,300" in opened.page.inner_text("#card")
        opened.page.fill("#query", "341102000012")
        opened.page.locator("#hits button").first.click()
        assert opened.page.inner_text("#card h2") == f"第8村{EVIL}"
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_of_a_merger_overlaps_or_is_cut(browser: object, tmp_path: Path,
                                                size: tuple[int, int], lang: str) -> None:
    layers = merged_areas()
    layers["mergers"] = layers["mergers"].assign(households=layers["mergers"]["households"] * 90)
    path = draw_map(SimpleNamespace(layers=layers), tmp_path / "merged.html", lang=lang)
    with Opened(browser, path, size) as opened:
        parts = {s: opened.box(s) for s in ("#head", "#find", "#stage", "#panel")}
        for (one, a), (two, b) in itertools.combinations(parts.items(), 2):
            assert not overlap(a, b), (one, two)
        boxes = [d.bounding_box() for d in opened.page.locator(
            ".figures dd:not(.of):visible").all()]
        assert len(boxes) == 5
        for a, b in itertools.combinations(boxes, 2):
            assert not overlap(a, b)
        assert max(b["x"] + b["width"] for b in boxes) <= parts["#head"]["width"]
        names = opened.labels()
        assert len(names) >= 8
        for a, b in itertools.combinations(names, 2):
            assert not overlap(a, b)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
def test_old_borders_can_be_switched_off(browser: object, tmp_path: Path,
                                         areas: dict[str, pd.DataFrame]) -> None:
    path = draw_map(SimpleNamespace(layers=areas), tmp_path / "merged.html")
    count = """() => { let n = 0; document.querySelectorAll(".leaflet-tile").forEach(c => {
        if (!c.width) return;
        const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        for (let i = 0; i < d.length; i += 4) n += d[i] === 0x7a && d[i + 1] === 0x3b &&
            d[i + 2] === 0x1d; }); return n; }"""
    with Opened(browser, path) as opened:
        assert opened.page.evaluate(count) > 200
        opened.page.click("[data-layer=former]")
        opened.page.wait_for_timeout(400)
        assert opened.page.evaluate(count) == 0


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_without_script_the_merger_is_there_as_a_drawing(
        browser: object, tmp_path: Path, areas: dict[str, pd.DataFrame],
        size: tuple[int, int]) -> None:
    path = draw_map(SimpleNamespace(layers=areas), tmp_path / "merged.html", lang="zh")
    with Opened(browser, path, size, script=False) as opened:
        said = opened.page.inner_text("body")
        for told in ("社区合并建议", "12 → 8", "20,400", "4,800", "保持不变"):
            assert told in said, told
        assert opened.page.locator(".still text").count() == 8
        assert opened.page.locator(".still .f").get_attribute("d").count("M") == 3
        assert opened.complaints == []


@pytest.mark.browser
def test_a_merged_plan_with_grids_shows_what_was_merged(browser: object, tmp_path: Path) -> None:
    layers = make_layers()
    wards = layers["communities"]
    ids = wards["community_id"].tolist()
    owner = [ids[0], ids[0], *ids[2:]]
    merged = {**layers, "mergers": conform("mergers", gpd.GeoDataFrame({
        "former_id": ids, "community_id": owner, "name": wards["name"].to_numpy(),
        "households": [900, 400, 1, 1, 1, 1], "kept": [True, False, True, True, True, True]},
        geometry=wards.geometry.to_numpy(), crs=CRS))}
    merged["grids"] = layers["grids"].assign(
        community_id=layers["grids"]["community_id"].replace({ids[1]: ids[0]}))
    both = shapely.union_all(wards.geometry.to_numpy()[:2])
    merged["communities"] = wards[[k != 1 for k in range(6)]].set_geometry(gpd.GeoSeries(
        [both, *wards.geometry.to_numpy()[2:]], index=[0, 2, 3, 4, 5], crs=CRS))
    path = draw_map(SimpleNamespace(layers=merged), tmp_path / "merged.html", lang="en")
    with Opened(browser, path) as opened:
        assert opened.page.inner_text(".f-communities dd") == "5"
        opened.page.fill("#query", ids[1])
        opened.page.locator("#hits button").first.click()
        said = opened.page.inner_text("#card")
        for told in ("第1社区", "第2社区", "Merged from", "400 hh", "18 grids"):
            assert told in said, told
        assert opened.page.is_visible("[data-layer=former]")
        assert opened.complaints == []
