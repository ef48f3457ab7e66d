"""The figures of a partition: what a leader asks for first."""

from __future__ import annotations

import numpy as np
import pandas as pd


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
