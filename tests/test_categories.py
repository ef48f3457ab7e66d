"""The tables of categories: what ships, and what a user's own table may hold."""

import csv
import io
import re

import pytest

from gridplan.categories import COLUMNS, load_categories, recall_profile
from gridplan.errors import Findings, InputError, MachineError
from gridplan.osm.tags import FACILITIES

HEADER = "profile,category,name_en,name_zh,minutes,limit_m,measure,per,kinds,required,grade,source"
GOOD = "ours,park,Park,公园,10,500,network,,,yes,C,from memory"


def written(tmp_path, *lines: str, encoding: str = "utf-8"):
    path = tmp_path / "ours.csv"
    path.write_bytes("\n".join(lines).encode(encoding) + b"\n")
    return path


def faults(path) -> set[tuple[str, str, str]]:
    findings = Findings()
    with pytest.raises(InputError) as caught:
        load_categories(path, findings)
    assert caught.value.exit_code == 3
    assert list(caught.value.findings) == findings.items
    assert all(f.file == path.name and f.mend("zh") for f in findings.items)
    return {(f.key, f.row, f.field) for f in findings.items}


# ---- what ships ------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def table():
    return load_categories()


def test_every_row_says_how_well_it_is_founded(table):
    for profile in table.profiles.values():
        for category in profile.categories:
            assert category.grade in "ABC", category
            assert category.source, category
            assert category.grade != "C" or "from memory" in category.source, category
            assert re.search("[一-鿿]", category.name_zh), category
            assert category.name_en[0].isupper(), category


def test_nothing_claims_to_be_compliant(table):
    words = " ".join(f"{c.source} {c.name_en}" for p in table.profiles.values()
                     for c in p.categories)
    assert "complian" not in words.casefold()


@pytest.mark.parametrize(("category", "limit_m"), [
    ("middle_school", 1000), ("bank", 800), ("primary_school", 500), ("metro", 800),
    ("kindergarten", 300), ("nursery", 500), ("canteen_for_the_old", 500), ("police_post", 1000),
    ("bicycle_park", 300), ("recycling", None), ("toilets", None)])
def test_the_draft_profile_has_the_metres_of_its_tiers(table, category, limit_m):
    assert table.profile("gb50180-draft").limit_m(category) == limit_m


def test_governance_is_among_the_categories(table):
    assert set(table.profile("gb50180-draft").names) >= {
        "subdistrict_service_centre", "community_service_station", "police_post",
        "mediation_room", "legal_aid", "canteen_for_the_old", "childrens_home", "bicycle_park"}


def test_the_health_circle_is_measured_for_townspeople_and_counted_for_villages(table):
    profile = table.profile("health-circle")
    assert [(c.category, c.kinds, c.limit_m) for c in profile.measured] == [
        ("health_facility", ("urban", "old"), 15 * 60 * 1.25)]
    assert {(c.category, c.per, c.kinds) for c in profile.present} == {
        ("health_centre", "subdistrict", ()), ("health_station", "community", ("rural",))}
    assert set(profile["health_facility"].includes) == {"health_centre", "health_station"}


def test_one_category_has_one_name_and_one_set_of_tags(table):
    told = {}
    for profile in table.profiles.values():
        for c in profile.categories:
            said = (c.name_en, c.name_zh, c.osm, c.includes)
            assert told.setdefault(c.category, said) == said, c.category


def test_the_osm_reader_looks_for_the_tags_of_the_table(table):
    assert table.osm_tags() == FACILITIES
    assert FACILITIES["amenity", "community_centre"] == (
        "culture_centre;community_service_station")
    assert FACILITIES["amenity", "fast_food"] == "fast_food"
    assert ("amenity", "school") not in FACILITIES  # told apart by level or name


def test_a_profile_comes_back_from_its_record(table):
    for profile in table.profiles.values():
        assert recall_profile(profile.record()) == profile
    assert recall_profile("") is None
    assert recall_profile("[1]") is None


def test_a_quicker_walker_has_the_same_time(table):
    kindergarten = table.profile("gb50180-draft")["kindergarten"]
    assert [kindergarten.limit_of(w) for w in ("adult", "older", "frail", "ebike")] == [
        300.0, 240.0, 192.0, 1344.0]


# ---- a user's own ----------------------------------------------------------------------------

@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_users_table_is_read(tmp_path, encoding):
    table = load_categories(written(tmp_path, HEADER, GOOD, "", encoding=encoding))
    assert table.profile("ours")["park"].title("zh") == "公园"
    assert table.profile("ours").required == list(table.profile("ours").categories)
    assert len(table.sha256) == 64


def test_the_own_table_is_a_template_for_users(tmp_path, table):
    rows = [[p.name, c.category, c.limit_m or "", c.grade, c.source]
            for p in table.profiles.values() for c in p.categories if c.measure == "network"]
    text = io.StringIO()
    csv.writer(text).writerows([["profile", "category", "limit_m", "grade", "source"], *rows])
    again = load_categories(written(tmp_path, text.getvalue()))
    assert again.profile("gb50180-draft").limit_m("bank") == 800


def test_every_fault_is_told_at_once_with_row_and_field(tmp_path):
    path = written(
        tmp_path, HEADER + ",colour", GOOD + ",",
        "ours,bench,,,5,-300,network,,,yes,C,from memory,",
        "ours,shop,,,x,300,walking,,,maybe,C,from memory,",
        "ours,inn,,,5,300,network,,town,yes,D,from memory,",
        "ours,well,,,5,300,network,,,yes,,,",
        "ours,hall,,,,,presence,,,yes,C,from memory,",
        GOOD + ",", "ours,a;b,,,5,300,network,,,yes,C,from memory,,spare")
    assert faults(path) == {
        ("categories.unknown_column", "", "colour"), ("categories.not_positive", "3", "limit_m"),
        ("categories.not_positive", "4", "minutes"), ("categories.unknown_word", "4", "measure"),
        ("categories.unknown_word", "4", "required"), ("categories.unknown_word", "5", "kinds"),
        ("categories.unknown_word", "5", "grade"), ("categories.blank", "6", "grade"),
        ("categories.blank", "6", "source"), ("categories.no_per", "7", "per"),
        ("categories.twice", "8", "category"), ("categories.bad_id", "9", "category"),
        ("categories.row_width", "9", "")}


def test_a_table_without_grade_and_source_is_refused(tmp_path):
    path = written(tmp_path, "profile,category,limit_m", "ours,park,500")
    assert faults(path) == {("categories.no_column", "", "grade"),
                            ("categories.no_column", "", "source")}


def test_a_misspelt_column_is_named_with_the_nearest(tmp_path):
    path = written(tmp_path, "profile,category,limit,grade,source", "ours,park,500,C,memory")
    findings = Findings()
    with pytest.raises(InputError):
        load_categories(path, findings)
    told = {f.key: f for f in findings.items}
    assert "limit_m" in told["categories.unknown_column"].mend()
    assert told["categories.no_column"].field == "limit_m"


@pytest.mark.parametrize(("column", "cell", "key"), [
    ("target_share", "1.5", "no_share"), ("target_share", "most", "no_share"),
    ("osm", "amenity", "bad_tag"), ("min_area_urban_m2", "-4", "not_positive"),
    ("limit_m", "inf", "not_positive"), ("limit_m", "0", "not_positive")])
def test_a_bad_cell_is_told(tmp_path, column, cell, key):
    row = {**dict.fromkeys(COLUMNS, ""), "profile": "ours", "category": "park", "grade": "C",
           "source": "from memory", column: cell}
    path = written(tmp_path, ",".join(COLUMNS), ",".join(row[c] for c in COLUMNS))
    assert faults(path) == {(f"categories.{key}", "2", column)}


def test_a_share_may_be_written_in_percent(tmp_path):
    path = written(tmp_path, "profile,category,limit_m,target_share,grade,source",
                   "ours,park,500,85%,C,from memory", "ours,pitch,500,0.85,C,from memory")
    assert [c.target_share for c in load_categories(path).profile("ours").categories] == [
        0.85, 0.85]


def test_inclusions_of_inclusions_are_refused(tmp_path):
    path = written(tmp_path, "profile,category,limit_m,grade,source,includes",
                   "ours,a,500,C,memory,b", "ours,b,500,C,memory,c")
    assert faults(path) == {("categories.bad_inclusion", "2", "includes")}


@pytest.mark.parametrize("lines", [[""], [HEADER]])
def test_an_empty_table_is_told(tmp_path, lines):
    assert {key for key, _, _ in faults(written(tmp_path, *lines))} == {"categories.empty"}


def test_no_text_and_no_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xff\xff\x00profile")
    with pytest.raises(InputError, match="no_csv"):
        load_categories(path)
    with pytest.raises(MachineError):
        load_categories(tmp_path / "none.csv")
