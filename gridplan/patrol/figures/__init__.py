"""The figures of a patrol, each from the layers of the plan alone.

>>> from gridplan.errors import Findings
>>> from gridplan.params import Params
>>> from gridplan.plan import Plan
>>> measure_patrol(Plan({}, "EPSG:4549"), Params(), Findings()).empty
True
"""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import pandas as pd

from gridplan.errors import Findings
from gridplan.params import Params
from gridplan.patrol.figures.cordon import add_cordon, find_bottleneck, find_exits
from gridplan.patrol.figures.driving import add_driving
from gridplan.patrol.figures.idleness import add_dosage, add_idleness, add_stop_gaps
from gridplan.patrol.figures.made import Made, read_made
from gridplan.patrol.figures.passing import add_frequency, add_shares, add_visibility
from gridplan.patrol.figures.response import Streets, add_response, take_samples
from gridplan.patrol.figures.staffing import add_staff
from gridplan.patrol.figures.table import Table
from gridplan.patrol.figures.units import follow_units, place_units, sample_times
from gridplan.patrol.figures.unpredictable import add_unpredictable
from gridplan.patrol.figures.watch import (
    add_watch,
    blind_stretches,
    gather_points,
    prefer_blind,
)
from gridplan.plan import Plan

# Every name that ``measure_patrol`` gives.
FIGURES = ("street_visibility", "pass_share", "visit_share", "frequency", "idleness_mean",
           "idleness_worst", "stop_gap_worst", "dosage_share", "balance", "deadhead_share",
           "patrol_gap", "entropy_bits", "entropy_most", "day_overlap", "staff_per_10000",
           "patrol_staff", "response_share_1", "response_share_3", "response_share_5",
           "response_share_15", "cordon_min", "watched_share", "blind_m")

__all__ = ["FIGURES", "Made", "blind_stretches", "find_bottleneck", "find_exits",
           "measure_patrol", "place_units", "prefer_blind", "read_made"]


def measure_patrol(plan: Plan, params: Params, findings: Findings, *,
                   points: Mapping[str, gpd.GeoDataFrame] | None = None) -> pd.DataFrame:
    """Measure a planned patrol: the rows of the layer ``figures`` that are its own.

    What each figure is stands with the function that adds it. Where nothing is defined the value
    is blank, never 0 or 1. A plan without teams and without required streets has no figures.

    Parameters
    ----------
    plan
        With the layers of a patrol, roads and communities; buildings where there are any.
    points
        Fixed posts, lights and the like by name, each with ``radius_m`` where its points have
        their own; the others see as far as ``watch_m`` of the patrol's parameters.

    Returns
    -------
    DataFrame
        The columns of the layer, in the order of ``FIGURES``; within a figure city, tiers,
        zones, communities, teams, shifts, each by id.

    Raises
    ------
    InputError
        The roads make no network for the mode of a team.
    """
    table, made = Table(), read_made(plan)
    if made.duties.empty and made.required.empty and made.routes.empty:
        return table.frame()
    add_visibility(table, made)
    add_shares(table, made)
    add_frequency(table, made)
    add_idleness(table, made)
    add_stop_gaps(table, made)
    add_dosage(table, made, params.patrol)
    add_driving(table, made)
    add_unpredictable(table, made)
    add_staff(table, plan, made, params.patrol)
    streets = Streets(plan, params.network, findings)
    samples = take_samples(follow_units(made), sample_times(made))
    add_response(table, streets, samples)
    add_cordon(table, streets, samples)
    if points is not None:
        add_watch(table, made, gather_points(points, plan.crs), params.patrol.watch_m)
    return table.frame()
