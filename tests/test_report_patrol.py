"""Patrols in the report: every figure by place, small counts hidden, nothing without routes."""

from __future__ import annotations

import pandas as pd
import pytest
from routes import make_plan
from test_maps import make_layers
from test_report import read_sheets

from gridplan.errors import Findings
from gridplan.i18n import load_room
from gridplan.params import Params
from gridplan.patrol.figures import FIGURES as MEASURED
from gridplan.patrol.figures import measure_patrol
from gridplan.report import render_report
from gridplan.report.patrol import FIGURES, list_patrol
from gridplan.report.tables import Reader


@pytest.fixture(scope="module")
def patrolled() -> dict[str, pd.DataFrame]:
    plan = make_plan(days=("2026-12-30", "2026-12-31"))
    figures = measure_patrol(plan, Params(), Findings())
    return {**plan.with_layers(figures=figures).layers}


def test_the_report_knows_every_figure_of_patrols() -> None:
    assert {*MEASURED, "vary_price"} == set(FIGURES)
    assert {f"figure_{f}" for f in FIGURES} <= set(load_room("report"))


def test_a_row_per_place_with_its_figures(patrolled: dict[str, pd.DataFrame]) -> None:
    table, units = list_patrol(patrolled, Reader("internal", "en"))
    assert table["place"].tolist() == [
        "Whole plan", "Town squadrons", "城东中队", "T1", "T2", "T3", "08:00-16:00", "14:00-22:00",
        "22:00-06:00", patrolled["communities"]["name"].iloc[0]]
    figures = patrolled["figures"].set_index(["name", "scope", "scope_id"])["value"]
    by_place = table.set_index("place")
    assert by_place.loc["城东中队", "balance"] == figures["balance", "zone", "Z1"]
    assert by_place.loc["08:00-16:00", "street_visibility"] == figures[
        "street_visibility", "shift", "08:00-16:00"]
    assert by_place.loc["T2", "street_visibility"] is None
    routes = patrolled["routes"]
    mine = routes[routes["team_id"] == "T2"]
    assert by_place.loc["T2", "routes"] == len(mine) == 2
    assert by_place.loc["T2", "km"] == pytest.approx(mine["distance_m"].sum() / 1000)
    assert units["idleness_worst"] == "min"
    assert "patrol_gap" not in table  # no bound, no gap


def test_shared_reports_hide_few_households(patrolled: dict[str, pd.DataFrame]) -> None:
    few = patrolled["figures"].copy()
    rows = (few["name"] == "response_share_1") & (few["scope"] == "community")
    few.loc[rows, ["value", "numerator", "denominator"]] = [0.5, 4.0, 8.0]
    held = {**patrolled, "figures": few}
    shown = {audience: list_patrol(held, Reader(audience, "en"))[0].iloc[-1]["response_share_1"]
             for audience in ("share", "internal")}
    assert shown == {"share": "", "internal": 0.5}


@pytest.mark.parametrize(("lang", "name"), [("en", "Patrols"), ("zh", "巡防")])
def test_the_workbook_has_a_sheet_of_patrols(patrolled: dict[str, pd.DataFrame], lang: str,
                                             name: str) -> None:
    layers = make_layers()
    assert name not in read_sheets(render_report(layers, lang=lang)["report.xlsx"])
    ours = {n: patrolled[n] for n in ("teams", "zones", "routes", "figures")}
    held = read_sheets(render_report({**layers, **ours}, lang=lang)["report.xlsx"])
    texts = load_room("report")
    assert texts["figure_street_visibility"][lang] in held[name][0]
    assert held[name][1][:2] == [texts["level_city"][lang], texts["scope_all"][lang]]
    assert len(held[name]) == 11
