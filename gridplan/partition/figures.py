"""The figures of a partition: what a leader asks for first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gridplan.partition.borders import weigh_borders
from gridplan.partition.graph import Ints
from gridplan.partition.scores import SCORES, sum_scores


def city_figures(grids: pd.DataFrame, borders: pd.DataFrame, communities: int,
                 buildings: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the figures table that the partition knows.

    ``borders`` carries ``on_line_m``, the metres of each border that lie on a
    road or barrier.
    """
    rows: list[dict[str, object]] = []

    def add(name: str, value: float | None, unit: str, numerator: float | None = None,
            denominator: float | None = None, scope_id: str = "all") -> None:
        rows.append({"name": name, "scope": "city", "scope_id": scope_id, "value": value,
                     "unit": unit, "target": None, "numerator": numerator,
                     "denominator": denominator})

    def add_share(name: str, part: float, whole: float, scope_id: str = "all") -> None:
        add(name, part / whole if whole else None, "share", part, whole, scope_id)

    basic = grids[grids["kind"] == "basic"]
    fine = int((basic["status"] == "ok").sum())
    total = int(grids["households"].sum())
    add("communities", communities, "communities")
    add("grids", len(grids), "grids")
    add("households", total, "households")
    add_share("grids_in_range", fine, len(basic))
    add("exceptions", int((~grids["status"].isin(("ok", "special"))).sum()), "grids")
    inside = borders["inside_block"].to_numpy(dtype=bool)
    for scope, held in (("all", np.ones(len(borders), dtype=bool)), ("between_blocks", ~inside),
                        ("inside_blocks", inside)):
        add_share("road_share", float(borders["on_line_m"][held].sum()),
                  float(borders["length_m"][held].sum()), scope)
    shape = grids["compactness"].to_numpy(dtype=np.float64)
    add("compactness", float(shape.mean()) if len(shape) else None, "ratio")
    add("compactness_p10", float(np.percentile(shape, 10)) if len(shape) else None, "ratio")
    by_source = buildings.groupby("households_source", sort=True)["households"].sum()
    for source, held in by_source.items():
        add_share("households_by_source", int(held), total, str(source))
    return pd.DataFrame(rows)


def score_figures(grids: pd.DataFrame, borders: pd.DataFrame, low: Ints, high: Ints,
                  factors: Sequence[float], straddling: int | None) -> pd.DataFrame:
    """Return the rows of the scorecard: mean scores, and what the objective is made of.

    ``score_balance``, ``score_shape``, ``score_border`` and ``score_straddling`` stand for the
    city and for every community, numerator Σ weight × score and denominator Σ weight. For the
    city there are also ``weighted_border`` (Σ metres × factor of what they follow), ``shape_m``
    (Σ metres of border between grids of a community), ``balance_households`` (Σ |households −
    middle of the range| over basic grids with households) and ``straddling`` (grids of which
    major lines leave two pieces with a tenth of the households each; NA where no class of road
    is known).

    Parameters
    ----------
    grids
        With households, kind and scores.
    low, high
        Range of every grid.
    straddling
        Number of grids, None where it cannot be told.
    """
    sums = sum_scores(grids, borders)
    rows = [_mean_row(name, "city", "all", sums[name].sum()) for name in SCORES]
    rows += [_mean_row(name, "community", str(town), row)
             for name in SCORES for town, row in sums[name].iterrows()]
    held = grids["households"].to_numpy(dtype=np.int64)
    judged = (grids["kind"] == "basic").to_numpy(dtype=bool) & (held > 0)
    away = np.abs(held - (low + high) / 2)[judged]
    for name, value, unit in (
            ("weighted_border", float(weigh_borders(borders, factors).sum()), "weighted m"),
            ("shape_m", float(borders["length_m"].sum()), "m"),
            ("balance_households", float(away.sum()), "households"),
            ("straddling", straddling, "grids")):
        rows.append({"name": name, "scope": "city", "scope_id": "all", "value": value,
                     "unit": unit, "target": None, "numerator": None, "denominator": None})
    return pd.DataFrame(rows)


def _mean_row(name: str, scope: str, scope_id: str, row: pd.Series) -> dict[str, object]:
    part, whole = float(row["sum"]), float(row["weight"])
    return {"name": name, "scope": scope, "scope_id": scope_id,
            "value": part / whole if whole else None, "unit": "points", "target": None,
            "numerator": part, "denominator": whole}
