"""The scorecard of a plan in which communities have become others, their grids as they were."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.layers import Study, Units, conform
from gridplan.params import Range
from gridplan.partition.constraints import find_passages
from gridplan.partition.describing import lines_at_grade, score_grids
from gridplan.partition.figures import score_figures
from gridplan.partition.graph import Ints
from gridplan.partition.inner import inner_figures, read_homes
from gridplan.partition.scores import SCORES, average_scores, sum_scores
from gridplan.plan import Plan

# What the land of a grid alone decides is what it was.
_OF_ITS_LAND = ("score_shape", "score_straddling")


def score_again(before: Plan, after: Plan, study: Study, units: Units,
                changed: Collection[str], ranges: Mapping[str, Range],
                factors: tuple[float, ...]) -> Plan:
    """Return ``after`` with its scorecard and the figures of what lies inside estates.

    What ``before`` does not tell is not told of ``after`` either.

    Parameters
    ----------
    before
        The plan before its communities changed.
    after
        The same grids, some under other codes and in other communities; its scorecard is empty.
    study
        Roads, barriers, gates, estates and must-links of the plan.
    units
        All units of the plan.
    changed
        Communities of ``after`` that hold other grids than before.
    ranges
        Range of every community of ``after``.
    factors
        Weight of a metre of border by its class.
    """
    grids = after.layer("grids")
    of_unit = after.layer("units").set_index("unit_id")["grid_id"].reindex(units.frame.index)
    row = pd.Index(grids["grid_id"]).get_indexer(of_unit).astype(np.int64)
    if before.figure("score_shape") is not None:
        after = _score(before, after, study, units, row, changed, ranges, factors)
    if before.figure("estates_cut", "below") is None:
        return after
    homes = read_homes(units, study.buildings, study.layer("estates"))
    told = conform("figures", inner_figures(units, homes, grids, row, lines_at_grade(study),
                                            ranges))
    return after.with_layers(figures=_put_in(after.layer("figures"), told))


def _score(before: Plan, after: Plan, study: Study, units: Units, row: Ints,
           changed: Collection[str], ranges: Mapping[str, Range],
           factors: tuple[float, ...]) -> Plan:
    grids, borders = _keep(before, after)
    scored, moved, _ = score_grids(study, units, study.buildings, row, grids, borders, ranges,
                                   factors, find_passages(study))
    mine = grids["community_id"].isin(changed).to_numpy(dtype=bool)
    inner = borders["grid_a"].isin(grids.loc[mine, "grid_id"]).to_numpy(dtype=bool)
    for column in SCORES:
        if column not in _OF_ITS_LAND:
            grids.loc[mine, column] = scored.loc[mine, column].array
    borders.loc[inner, "move_cost"] = moved.loc[inner, "move_cost"].array
    towns = after.layer("communities").drop(columns=list(SCORES))
    towns = towns.join(average_scores(sum_scores(grids, borders)), on="community_id")
    low, high = (np.array([getattr(ranges[c], side) for c in grids["community_id"]])
                 for side in ("low", "high"))
    straddling = before.figure("straddling")
    told = conform("figures", score_figures(grids, borders, low, high, factors,
                                            None if straddling is None else int(straddling)))
    return after.with_layers(grids=grids, borders=borders, communities=towns,
                             figures=_put_in(after.layer("figures"), told))


def _put_in(figures: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """Return the figures with rows put in, in the place of those of the same names."""
    stays = ~figures["name"].isin(told["name"]).to_numpy(dtype=bool)
    return pd.concat([figures[stays], told], ignore_index=True)


def _keep(before: Plan, after: Plan) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Return grids and borders of ``after`` with what was told of them under their old codes."""
    grids, borders = after.layer("grids").copy(), after.layer("borders").copy()
    old = before.layer("grids").set_index("grid_id")
    last = grids["former_ids"].fillna("").str.split(";").str[-1]
    was = grids["grid_id"].where(grids["grid_id"].isin(old.index), last)
    for column in SCORES:
        grids[column] = old[column].reindex(was).array
    told = before.layer("borders").drop_duplicates(["grid_a", "grid_b"])
    cost = told.set_index(["grid_a", "grid_b"])["move_cost"]
    borders["move_cost"] = cost.reindex(pd.MultiIndex.from_frame(
        borders[["grid_a", "grid_b"]])).array
    return grids, borders
