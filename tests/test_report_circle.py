"""The service circle in the report: shares, gaps, facilities, sites, and the page of figures."""

from __future__ import annotations

import pandas as pd
import pytest
from circles import CATEGORIES, add_circle
from hypothesis import given
from hypothesis import strategies as st
from test_maps import make_layers
from test_report import read_pdf, read_sheets, read_table

from gridplan.report import FIGURES, render_report
from gridplan.report.tables import Reader, hide_share

SHEETS = ["Service circle", "Gaps", "Facilities", "Sites"]
FORMULA = '=HYPERLINK("x";"y")'


@pytest.fixture(scope="module")
def circled() -> dict[str, pd.DataFrame]:
    return add_circle(make_layers(), sites=3, far=True)


@pytest.fixture(scope="module")
def shared(circled: dict[str, pd.DataFrame]) -> dict[str, bytes]:
    return render_report(circled, sheets=True)


@pytest.fixture(scope="module")
def inside(circled: dict[str, pd.DataFrame]) -> bytes:
    return render_report(circled, audience="internal")["report.xlsx"]


def test_a_plan_without_coverage_has_no_sheet_of_the_circle() -> None:
    files = render_report(make_layers(), sheets=True)
    assert not set(SHEETS) & set(read_sheets(files["report.xlsx"]))
    assert FIGURES not in files


def test_shares_are_those_of_the_coverage(circled: dict[str, pd.DataFrame],
                                          inside: bytes) -> None:
    table = read_table(inside, "Service circle")
    coverage = circled["coverage"].set_index(["scope", "scope_id", "category", "walker",
                                              "reading"])
    names = dict(zip(circled["communities"]["name"], circled["communities"]["community_id"],
                     strict=True))
    titles = {v[0]: c for c, v in CATEGORIES.items()}
    # Seven scopes, three walkers, six categories and the second state of one.
    assert len(table) == 7 * 3 * 7
    for row in table.to_dict("records"):
        scope = ("city", "all") if row["Scope"] == "Whole plan" else (
            "community", names[row["Scope"]])
        category = titles[row["Category"]] + (":after" if row["State"] != "Today" else "")
        told = coverage.loc[(*scope, category, row["Walker"].lower())]
        assert (row["Households"], row["Covered"]) == (told.loc["near", "households"],
                                                       told.loc["near", "covered"])
        assert row["Share"] == pytest.approx(told.loc["near", "share"])
        assert row["Share, farthest reading"] == pytest.approx(told.loc["far", "share"])
    city = table[(table["Scope"] == "Whole plan") & (table["State"] == "Today")]
    park = city[(city["Category"] == "Park") & (city["Walker"] == "Adult")].iloc[0]
    assert park["Target"] == 0.95
    assert park["Met"] == ("yes" if park["Share"] >= 0.95 else "no")


def test_gaps_name_what_a_grid_lacks(circled: dict[str, pd.DataFrame], inside: bytes) -> None:
    table = read_table(inside, "Gaps")
    coverage = circled["coverage"]
    ours = coverage[(coverage["scope"] == "grid") & (coverage["walker"] == "adult")
                    & (coverage["reading"] == "near")
                    & ~coverage["category"].str.endswith(":after")]
    lacks = ours[(ours["households"] > 0) & (ours["covered"] < 0.5 * ours["households"])]
    assert set(table["Grid code"]) == set(lacks["scope_id"])
    for grid, rows in lacks.groupby("scope_id"):
        told = table[table["Grid code"] == grid].iloc[0]["Lacks (households without)"]
        said = {f"{CATEGORIES[c][0]} ({h - p})" for c, h, p in zip(
            rows["category"], rows["households"], rows["covered"], strict=True)}
        assert set(told.split(", ")) == said


def test_facilities_and_sites_have_their_rows(circled: dict[str, pd.DataFrame],
                                              inside: bytes) -> None:
    table = read_table(inside, "Facilities")
    assert table["Facility code"].tolist() == circled["facilities"]["facility_id"].tolist()
    assert table["Share of capacity used"].tolist() == pytest.approx(
        circled["facilities"]["load"].tolist())
    assert set(table["Meets its norm"]) == {"yes", "no", ""}
    sites, held = read_table(inside, "Sites"), circled["sites"]
    assert sites["Households gained"].tolist() == held["gained_households"].tolist()
    total, most = held["gained_households"].sum(), int(held["bound"].iloc[0])
    assert set(sites["All sites of the category"]) == {
        f"covers {total} more households; at most {most} are possible"}


NUMBERS = st.one_of(st.integers(0, 25), st.integers(0, 2000))


@given(NUMBERS, NUMBERS)
def test_what_is_hidden_leaves_many_counts_open(a: int, b: int) -> None:
    whole, part = max(a, b), min(a, b)
    told = hide_share(whole, part, Reader("share", "en"))
    if 0 < part < 10 or 0 < whole - part < 10 or 0 < whole < 10:
        assert not isinstance(told[2], float)
        assert told[1] != part
    else:
        assert told[:2] == (whole, part)
    assert hide_share(whole, part, Reader("internal", "en"))[:2] == (whole, part)


def test_share_shows_no_count_under_ten(shared: dict[str, bytes]) -> None:
    sheets = read_sheets(shared["report.xlsx"])
    for name, columns in (("Service circle", ("Households", "Covered")),
                          ("Gaps", ("Households", "Without the full circle")),
                          ("Sites", ("Households gained", "Possible at most"))):
        head, *rows = sheets[name]
        for column in columns:
            for row in rows:
                value = row[head.index(column)]
                assert not isinstance(value, float) or value == 0 or value >= 10, (name, row)
    head, *rows = sheets["Figures and targets"]
    for row in rows:
        if row[0].startswith("Within reach"):
            part, whole = (row[head.index(c)] for c in ("Numerator", "Denominator"))
            if isinstance(part, float) and isinstance(whole, float):
                assert not 0 < part < 10
                assert not 0 < whole - part < 10


def test_figures_are_named_in_words(shared: dict[str, bytes]) -> None:
    names = {row[0] for row in read_sheets(shared["report.xlsx"])["Figures and targets"]}
    assert {"Within reach: Health station", "Completeness of the service circle"} <= names
    assert not any(str(n).startswith("covered:") for n in names)


def test_texts_stay_texts() -> None:
    layers = add_circle(make_layers(), sites=1, evil=FORMULA)
    layers["facilities"].loc[0, "name"] = FORMULA
    sheets = read_sheets(render_report(layers, audience="internal")["report.xlsx"])
    assert sheets["Facilities"][1][1] == FORMULA
    assert any(FORMULA in str(row[0]) for row in sheets["Service circle"])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_of_figures_tells_shares_and_targets(circled: dict[str, pd.DataFrame],
                                                      lang: str) -> None:
    said = read_pdf(render_report(circled, sheets=True, lang=lang)[FIGURES])
    figures = circled["figures"].set_index(["name", "scope", "scope_id"])
    for category, names in CATEGORIES.items():
        value = figures.loc[(f"covered:{category}", "city", "all"), "value"]
        assert names[lang == "zh"] in said
        assert f"{100 * value:.1f} %" in said
    assert "95 %" in said
    assert ("最大缺口" if lang == "zh" else "Worst gaps") in said


def test_same_plan_same_bytes(circled: dict[str, pd.DataFrame],
                              shared: dict[str, bytes]) -> None:
    assert render_report(add_circle(make_layers(), sites=3, far=True), sheets=True) == shared
