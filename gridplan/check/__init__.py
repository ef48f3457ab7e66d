"""The independent verifier: every rule that can be computed, computed anew from the plan file.

It shares no code with what it checks: it reads the file itself, finds the
neighbours of every unit by its own comparison of borders, and searches for a
division of its own where a plan claims that there is none. Its parts: reading,
contract (columns, keys, references), tiling, counting (households, tally),
whole (buildings), reasons and certificates (range), constraints (must-links, passability),
codes, borders, figures, scores and moves (the scorecard), gaps (bounds), staff (who is
assigned to what), circle (who reaches what, and sites), patrol (who goes where when), log
(what was done of it), inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gridplan.check import (
    borders,
    certificates,
    circle,
    circle_demand,
    codes,
    constraints,
    contract,
    counting,
    figures,
    gaps,
    groups,
    inner,
    log,
    merge,
    moves,
    patrol,
    reasons,
    scores,
    staff,
    tiling,
    whole,
)
from gridplan.check.graph import positions, shared_segments, sum_pairs, touching
from gridplan.check.inputs import check_inputs
from gridplan.check.reading import PlanData, read_plan
from gridplan.check.verdict import Accepted, Broken, CheckReport

__all__ = ["Accepted", "Broken", "CheckReport", "check_plan"]

_AFTER_CONTRACT = ("tiling", "one_piece", "households", "tally", "whole", "range", "codes",
                   "borders", "figures", "groups", "scores", "staff", "circle", "patrol",
                   "log")


def check_plan(path: str | Path, *, inputs: Sequence[str | Path] = ()) -> CheckReport:
    """Check a plan file against every rule that can be recomputed.

    Parameters
    ----------
    path
        The plan (GeoPackage). It is only read.
    inputs
        Files the plan was made from; each must still have the digest that the
        run table notes for its name.

    Returns
    -------
    CheckReport
        Broken rules, accepted exceptions, recomputed figures. Where columns,
        keys, references or geometry are broken, the rules that stand on them
        are listed as unchecked.

    Raises
    ------
    InputError
        The file is absent, damaged or no plan.
    """
    if merge.lacks_grids(path):
        return merge.check_areas(path, inputs)
    if circle_demand.lacks_buildings(path):
        return circle_demand.check_demand(path, inputs)
    plan = read_plan(path)
    report = CheckReport(counts={n: len(f) for n, f in plan.frames.items()})
    contract.check_columns(plan, report)
    if report.ok:
        ranges = contract.check_run(plan, report)
        told = len(report.broken)
        contract.check_rows(plan, report)
        contract.check_geometry(plan, report)
        if not len(plan.frame("grids")):
            report.add("contract", "no_rows", "grids")
        if len(report.broken) == told:
            _check_rules(plan, report, ranges)
            staff.check_staff(plan, report, inputs)
            circle.check_circle(plan, report)
            patrol.check_patrol(plan, report)
            log.check_log(plan, report)
        else:
            report.unchecked.extend(_AFTER_CONTRACT)
        check_inputs(plan, report, inputs)
    else:
        report.unchecked.extend((*_AFTER_CONTRACT, "inputs"))
    return report


def _check_rules(plan: PlanData, report: CheckReport, ranges: contract.Ranges) -> None:
    grid_of = positions(plan.ids("grids"), plan.ids("units", "grid_id"))
    community_of = positions(plan.ids("communities"), plan.ids("units", "community_id"))
    segments = shared_segments(plan.shapes("units"), community_of)
    contacts = touching(sum_pairs(segments.left, segments.right, segments.length_m,
                                  len(grid_of)))
    limits = whole.grid_limits(plan, ranges)
    tiling.check_tiling(plan, report)
    tiling.check_one_piece(plan, report, contacts, grid_of)
    counting.check_sums(plan, report)
    counting.check_owners(plan, report)
    counting.check_unit_ids(plan, report)
    counting.check_tally(plan, report)
    whole.check_buildings(plan, report, limits)
    ground = reasons.lay_ground(plan, report, limits, contacts, grid_of)
    reasons.check_proofs(plan, report, ground, contacts)
    reasons.check_statuses(plan, report, ground)
    certificates.check_certificates(plan, report, ground, contacts)
    certificates.check_communities(plan, report)
    constraints.check_must_links(plan, report, ground)
    codes.check_codes(plan, report)
    merge.check_mergers(plan, report)
    between = borders.measure_borders(plan, segments, grid_of)
    borders.check_lengths(plan, report, between)
    borders.check_lines(plan, report, grid_of)
    figures.check_measures(plan, report)
    figures.check_road_shares(plan, report, between)
    truth = figures.recompute_figures(plan, ground, between)
    figures.check_figures(plan, report, truth)
    report.figures = {":".join(filter(None, key)): value[0] for key, value in truth.items()}
    asked = inner.asked_parameters(plan)
    estates = inner.check_inner(plan, report, segments, grid_of, asked)
    groups.check_groups(plan, report, contacts, grid_of, estates, asked)
    constraints.check_passable(plan, report, segments, contacts, grid_of)
    straddling = borders.count_straddling(plan, segments, contacts, grid_of, limits)
    report.figures["straddling"], report.figures["straddling_avoidable"] = (
        (None, None) if straddling is None else map(float, straddling))
    if scores.tells_scores(plan):
        scores.check_scores(plan, report, segments, contacts, grid_of, ground)
        moves.check_moves(plan, report, segments, contacts, grid_of, ground, estates)
    gaps.check_gaps(plan, report, segments, contacts, grid_of, ground, estates)
