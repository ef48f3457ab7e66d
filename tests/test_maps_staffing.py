"""Staffing on the map: what it tells of grids, posts and people, and to whom."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from staff import HOMES, NAMES, PHONES, add_staff, make_roster
from test_maps import DESKTOP, EVIL, PHONE, Opened, browser, make_layers, overlap, unpack

from gridplan.errors import UsageError
from gridplan.layers import Roster, conform
from gridplan.maps import draw_map, render_map
from gridplan.plan.staffing import STATES, read_staffing

__all__ = ["browser"]
VACANT, SHORT = (1, 12), (2, 30)


@pytest.fixture(scope="module")
def staffed() -> dict[str, pd.DataFrame]:
    return add_staff(make_layers(), vacant=VACANT, short=SHORT, guards=2)


@pytest.fixture(scope="module")
def roster(staffed: dict[str, pd.DataFrame]) -> Roster:
    return make_roster(staffed)


def test_states_of_grids_are_those_of_the_assignment(staffed: dict[str, pd.DataFrame]) -> None:
    head, _ = unpack(render_map(staffed))
    told = [head["staffing"]["states"][s] for s in head["staffing"]["state"]]
    grids = staffed["grids"]
    for place, (state, status) in enumerate(zip(told, grids["status"], strict=True)):
        nobody = status == "empty"
        assert state == ("nobody" if nobody else "vacant" if place in VACANT else
                         "short" if place in SHORT else "filled"), place
    assert set(told) == set(STATES)


def test_a_plan_without_assignment_says_nothing_of_staff() -> None:
    page = render_map(make_layers(), lang="zh")
    assert unpack(page)[0]["staffing"] is None
    for word in ("人员配备", "空缺岗位"):
        assert word not in page.decode().partition('<script id="plan-data"')[0]


def test_a_plan_of_which_every_post_is_vacant_counts_as_assigned(
        staffed: dict[str, pd.DataFrame]) -> None:
    bare = {**staffed, "assignments": staffed["assignments"][:0]}
    bare["figures"] = bare["figures"].assign(numerator=0.0)
    staffing = read_staffing(bare)
    assert staffing is not None
    assert staffing.count("vacant") == int(staffing.grids["needs"].sum()) == 53


def test_share_of_grids_with_a_responsible_is_told_against_its_target(
        staffed: dict[str, pd.DataFrame]) -> None:
    text = render_map(staffed, lang="en").decode()
    assert "51 of 53 · target 100 %" in text
    assert "96.2 %" in text
    assert 'class="f-staffed some"' in text
    lower = {**staffed, "figures": staffed["figures"].copy()}
    lower["figures"].loc[lower["figures"]["target"].notna(), "target"] = 0.6  # 51 of 53 is more
    text = render_map(lower, lang="en").decode()
    assert "target 60 %" in text
    assert 'class="f-staffed"' in text
    # 2 responsibles, 4 backups and 6 guards are missing.
    assert '<div class="f-vacant some"><dt>Vacant posts</dt><dd>12</dd>' in text


def test_urban_and_rural_are_held_to_targets_of_their_own(
        staffed: dict[str, pd.DataFrame]) -> None:
    for reached, red in ((0.7, False), (0.5, True)):
        rural = conform("figures", pd.DataFrame([{
            "name": "grids_with_responsible", "scope": "city", "value": reached,
            "scope_id": "rural", "target": 0.6, "numerator": 10 * reached, "denominator": 10.0}]))
        figures = pd.concat([staffed["figures"], rural], ignore_index=True)
        figures.loc[figures["scope_id"] == "urban", "value"] = 1.0
        text = render_map({**staffed, "figures": figures}, lang="en").decode()
        assert "51 of 53 · urban target 100 % · rural target 60 %" in text
        assert ('class="f-staffed some"' in text) == red


def test_workload_comes_with_its_terms(staffed: dict[str, pd.DataFrame]) -> None:
    staff = unpack(render_map(staffed, audience="internal"))[0]["staffing"]
    households = staffed["grids"]["households"]
    for place in (1, 5, 21):
        assert staff["workload"][place] == households[place] + 12.5
        assert staff["terms"]["household"][place] == households[place]
        assert staff["terms"]["hectare"][place] == 12.5


def test_workload_that_tells_a_count_under_ten_is_not_shared(
        staffed: dict[str, pd.DataFrame]) -> None:
    few = int((staffed["grids"]["households"] == 7).to_numpy().argmax())
    for audience, told in (("share", None), ("internal", 19.5)):
        staff = unpack(render_map(staffed, audience=audience))[0]["staffing"]
        assert staff["workload"][few] == told
        assert (staff["terms"]["household"][few] is None) == (told is None)
        assert (staff["terms"]["hectare"][few] is None) == (told is None)


# Who may see whom


def every_byte(page: bytes) -> bytes:
    """The page and what is packed in it, unpacked."""
    return page + unpack(page)[1]


def test_a_shared_map_shows_no_person(staffed: dict[str, pd.DataFrame], roster: Roster) -> None:
    data = every_byte(render_map(staffed, lang="zh"))
    ids = set(staffed["assignments"]["staff_id"])
    assert len(ids) > 50
    for text in (*NAMES, *PHONES, *HOMES, *ids):
        assert text.encode() not in data, text


def test_an_internal_map_shows_ids_and_with_a_roster_names_and_phones(
        staffed: dict[str, pd.DataFrame], roster: Roster) -> None:
    ids = sorted(set(staffed["assignments"]["staff_id"]))
    plain = every_byte(render_map(staffed, audience="internal"))
    named = every_byte(render_map(staffed, audience="internal", roster=roster))
    for text in ids:
        assert text.encode() in plain
        assert text.encode() in named
    for text in (*NAMES, *PHONES):
        assert text.encode() not in plain
        assert text.encode() in named
    for text in HOMES:
        assert text.encode() not in named


def test_a_roster_is_refused_for_a_shared_map(staffed: dict[str, pd.DataFrame],
                                              roster: Roster) -> None:
    with pytest.raises(UsageError) as refused:
        render_map(staffed, roster=roster)
    assert refused.value.findings[0].key == "maps.roster_shared"


# In the browser


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_grids_can_be_coloured_by_staffing(browser: object, tmp_path: Path, size: tuple[int, int],
                                           staffed: dict[str, pd.DataFrame]) -> None:
    path = draw_map(SimpleNamespace(layers=staffed), tmp_path / "staff.html", lang="zh")
    warm = """(i) => { const p = gridplan.centre(i), s = document.getElementById("stage")
        .getBoundingClientRect(), x = p.x + s.left, y = p.y + s.top;
        const c = Array.from(document.querySelectorAll(".leaflet-tile")).find(c => { const r =
            c.getBoundingClientRect(); return c.width && x >= r.left && x < r.right - 6 &&
            y >= r.top && y < r.bottom - 6; });
        const r = c.getBoundingClientRect(), k = c.width / r.width;
        const d = c.getContext("2d").getImageData((x - r.left) * k, (y - r.top) * k, 6, 6).data;
        return Array.from(d).reduce((sum, v, n) => sum + (n % 4 === 0 ? v : n % 4 === 2 ? -v : 0),
                                    0); }"""
    with Opened(browser, path, size) as opened:
        assert opened.page.evaluate(warm, VACANT[1]) < 0, "in range: blue by households"
        if size == PHONE:
            opened.page.click("#fold")
        opened.page.click("[data-colour=staffing]")
        opened.page.wait_for_timeout(500)
        assert opened.page.is_visible("#by-staffing")
        assert not opened.page.is_visible("#by-households")
        said = opened.page.inner_text("#by-staffing")
        for told in ("无责任人", "有责任人，其他岗位空缺", "岗位已配齐", "无需配备"):
            assert told in said
        assert opened.page.evaluate(warm, VACANT[1]) > 0, "vacant: red"
        opened.page.click("[data-colour=households]")
        opened.page.wait_for_timeout(500)
        assert opened.page.evaluate(warm, VACANT[1]) < 0
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_cards_and_the_list_tell_posts_and_people(
        browser: object, tmp_path: Path, size: tuple[int, int],
        staffed: dict[str, pd.DataFrame], roster: Roster) -> None:
    path = draw_map(SimpleNamespace(layers=staffed), tmp_path / "staff.html", lang="zh",
                    audience="internal", roster=roster)
    person = unpack(path.read_bytes())[0]["staffing"]["posts"]["responsible"]["people"][5][0]
    with Opened(browser, path, size) as opened:
        opened.tap_grid(5, touch=size == PHONE)
        said = opened.page.inner_text("#card .staff")
        for text in person:
            assert text in said
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        opened.page.click(".close")
        opened.page.click("#show-vacancies")
        assert opened.page.inner_text("#list h2") == "空缺岗位 · 12"
        assert opened.page.locator("#list li").count() == 4 + 6
        opened.page.locator("#list button:has(.is-vacant)").first.click()
        assert "空缺" in opened.page.inner_text("#card .staff")
        if size == PHONE:
            opened.page.click(".close")
            opened.page.click("#fold")
        opened.page.locator("#list button:has(.is-post)").first.click()
        assert "保安" in opened.page.inner_text("#card .staff")
        assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_head_has_room_for_staffing(browser: object, tmp_path: Path, size: tuple[int, int],
                                        lang: str, staffed: dict[str, pd.DataFrame]) -> None:
    path = draw_map(SimpleNamespace(layers=staffed), tmp_path / "staff.html", lang=lang)
    with Opened(browser, path, size) as opened:
        cut = opened.page.evaluate("""() => Array.from(document.querySelectorAll("#head *")).filter(
            e => e.offsetParent && ["DD", "DT"].includes(e.tagName) &&
            (e.getBoundingClientRect().right > document.querySelector("#head")
             .getBoundingClientRect().right - 8 || e.scrollWidth > e.clientWidth + 1))
            .map(e => e.outerHTML.slice(0, 90))""")
        assert cut == []
        # On a phone the way to a list is the figure itself.
        parts = ".figures dt, .figures dd" + (":not(.of)" if size == PHONE else "")
        words = [item.bounding_box() for item in opened.page.locator(parts).all()
                 if item.is_visible()]
        assert len(words) >= 14
        for k, a in enumerate(words):
            assert not any(overlap(a, b) for b in words[k + 1:]), a
        assert opened.box("#stage")["height"] > 300


@pytest.mark.browser
def test_b85_names_of_people_show_as_text(browser: object, tmp_path: Path,
                                          staffed: dict[str, pd.DataFrame],
                                          roster: Roster) -> None:
    people = roster.people.assign(person=EVIL, phone=EVIL)
    evil = Roster(roster.staff, people, *(roster.current,) * 5, roster.source)
    path = draw_map(SimpleNamespace(layers=staffed), tmp_path / "evil.html", audience="internal",
                    roster=evil)
    with Opened(browser, path) as opened:
        opened.tap_grid(5)
        assert opened.page.inner_text("#card .staff").count(EVIL) == 4
        assert opened.page.locator("img").count() == 0
        assert opened.complaints == []
