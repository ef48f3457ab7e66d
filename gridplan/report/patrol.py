"""Patrols in the workbook: a row for the whole, every tier, zone, team, shift and community."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gridplan.layers import TIERS
from gridplan.pages.ground import text_of
from gridplan.report.tables import Reader, list_figures

FIGURES = ("street_visibility", "pass_share", "visit_share", "frequency", "idleness_mean",
           "idleness_worst", "stop_gap_worst", "dosage_share", "response_share_1",
           "response_share_3", "response_share_5", "response_share_15", "cordon_min",
           "watched_share", "blind_m", "deadhead_share", "balance", "patrol_gap",
           "staff_per_10000", "patrol_staff", "entropy_bits", "entropy_most", "day_overlap",
           "vary_price")
_SCOPES = ("city", "tier", "zone", "team", "shift", "community")
_NUMBERS = {"share": "0.0%", "min": "#,##0", "m": "#,##0", "km": "#,##0.0", "": "#,##0"}


def list_patrol(layers: Mapping[str, Any], reader: Reader
                ) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the figures of patrols by place, and the unit of each column.

    Returns
    -------
    tuple
        level, place, then each figure that any place has a value of, and routes and km of the
        whole and of every team; no rows where the plan has no routes. Units by column.
    """
    routes = layers.get("routes")
    told = list_figures(layers, reader)
    told = told[told["key"].isin(FIGURES).to_numpy(bool)] if len(told) else told
    if routes is None or not len(routes) or told.empty:
        return pd.DataFrame(), {}
    drives = _count_drives(routes)
    rows: dict[tuple[int, int, str], dict[str, Any]] = {}
    units: dict[str, str] = {}
    for record in told.to_dict("records"):
        scope, key = record["scope_key"], record["key"]
        if scope not in _SCOPES:
            continue
        at = TIERS.index(record["scope_id"]) if record["scope_id"] in TIERS else 0
        row = rows.setdefault((_SCOPES.index(scope), at, record["scope_id"]), {
            "level": reader.say(f"level_{scope}"), "place": record["scope"],
            **drives.get((scope, record["scope_id"]), {})})
        if record["value"] is not None:
            row[key], units[key] = record["value"], record["unit_key"]
    columns = ["level", "place", *(f for f in FIGURES if f in units), "routes", "km"]
    table = pd.DataFrame([rows[k] for k in sorted(rows)], columns=columns, dtype=object)
    return table.where(table.notna(), None), {**units, "km": "km"}


def _count_drives(routes: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Return how many routes there are and their kilometres, of the whole and by team."""
    km = pd.to_numeric(routes["distance_m"]).astype("Float64").fillna(0).to_numpy(float) / 1000
    held = pd.DataFrame({"team": text_of(routes, "team_id"), "km": km})
    out = {("team", str(team)): {"routes": len(rows), "km": float(rows["km"].sum())}
           for team, rows in held.groupby("team", sort=True)}
    return {**out, ("city", "all"): {"routes": len(held), "km": float(km.sum())}}


def write_patrol(pen: Any, layers: Mapping[str, Any], reader: Reader) -> None:
    """Write the sheet of patrols; nothing for a plan without."""
    table, units = list_patrol(layers, reader)
    if table.empty:
        return
    columns = list(table.columns)
    heads = [reader.say(f"figure_{c}" if c in FIGURES else f"head_{c}") for c in columns]
    for at, column in enumerate(columns):
        if units.get(column, "share") not in ("share", "ratio", "km"):
            heads[at] = reader.say("head_in_unit", head=heads[at],
                                   unit=reader.say(f"unit_{units[column]}"))
    sheet = pen.add("patrol", heads, [14, 18, *([13] * (len(columns) - 2))])
    for row, record in enumerate(table.to_dict("records"), 1):
        for at, column in enumerate(columns):
            number = _NUMBERS.get(units.get(column, ""), "#,##0.00")
            pen.cell(sheet, row, at, record[column], number)
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, len(table), len(columns) - 1)
