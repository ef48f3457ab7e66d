"""Sites for new facilities: what they gain, in which order, and how good they could be."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
import shapely

from gridplan.check.circle_desk import CircleDesk, bounds_within
from gridplan.check.circle_ways import WAY_M
from gridplan.check.graph import Flags
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport

_REQUEST = "site:request:"
_SOURCE = "gridplan site"
_NEAR_M = 0.01


def check_sites(report: CheckReport, desk: CircleDesk) -> None:
    """Check the sites of every category, and that their facilities stand there."""
    plan = desk.plan
    requests = read_requests(plan)
    if not len(plan.frame("sites")) and not requests:
        return
    _check_facilities(report, plan)
    limits = desk.limits()
    for category in sorted({*plan.ids("sites", "category"), *requests}):
        rows = plan.frame("sites")[(plan.ids("sites", "category") == category)]
        rows = rows.sort_values("rank")
        asked = requests.get(category, {})
        _check_order(report, rows, asked)
        _check_bound(report, rows, asked)
        _check_request(report, desk, category, rows, asked)
        if asked.get("capacity") is not None:
            # Who is served where depends on rooms that the plan does not tell.
            report.lacking.append("rooms")
        elif (f"{category}:after", desk.first) in limits and desk.can_walk(desk.first):
            limit = asked.get("limit_m")
            _check_gains(report, desk, category, rows, float(limit) if isinstance(
                limit, int | float) else limits[category, desk.first], asked)
        _check_figures(report, plan, category, rows)


def read_requests(plan: PlanData) -> dict[str, Mapping[str, object]]:
    """Return what was asked for each category, out of the run table."""
    out: dict[str, Mapping[str, object]] = {}
    for key, text in plan.run.items():
        if key.startswith(_REQUEST):
            try:
                told = json.loads(text)
            except json.JSONDecodeError:
                told = None
            out[key.removeprefix(_REQUEST)] = told if isinstance(told, dict) else {}
    return out


def _check_facilities(report: CheckReport, plan: PlanData) -> None:
    """Hold that at every site stands a proposed facility, and nowhere else one of these."""
    ours = (plan.ids("facilities", "source") == _SOURCE)
    wrong = ours & (plan.ids("facilities", "status") != "proposed")
    if wrong.any():
        report.add("circle", "site_status", "facilities", plan.ids("facilities")[wrong], "status")
    places = plan.shapes("facilities")
    lonely = []
    used = np.zeros(len(places), dtype=bool)
    for site, category, shape in zip(plan.ids("sites"), plan.ids("sites", "category"),
                                     plan.shapes("sites"), strict=True):
        here = ours & (shapely.distance(places, shape) <= _NEAR_M) & np.array(
            [category in text.replace(" ", "").split(";")
             for text in plan.ids("facilities", "categories")], dtype=bool)
        used |= here
        if not here.any():
            lonely.append(site)
    if lonely:
        report.add("circle", "site_facility", "sites", lonely)
    if (ours & ~used).any():
        report.add("circle", "site_missing", "facilities", plan.ids("facilities")[ours & ~used])


def _check_order(report: CheckReport, rows: pd.DataFrame, asked: Mapping[str, object]) -> None:
    """Hold that ranks count up from 1 and gains do not rise with them.

    They may where ways are to be short or some households count more: the order is by that.
    """
    rank, gain = (rows[c].to_numpy(dtype=float) for c in ("rank", "gained_households"))
    rises = bool((np.diff(gain) > 0).any()) and not _is_mean(asked) and not _is_weighted(asked)
    if (rank != np.arange(1, len(rows) + 1)).any() or rises:
        report.add("circle", "site_rank", "sites", rows["site_id"], "rank")


def _check_bound(report: CheckReport, rows: pd.DataFrame, asked: Mapping[str, object]) -> None:
    """Hold that the bound is not below the gain, and the gap the part between the two.

    Where some households count more, so do they in the bound, and the gap cannot be told.
    """
    if rows.empty:
        return
    gain = float(rows["gained_households"].sum())
    bound, gap = (rows[c].to_numpy(dtype=float) for c in ("bound", "gap"))
    told = np.isfinite(bound)
    bad = told & ((bound < gain - 1e-6) | (bound != bound[0]))
    if bad.any():
        report.add("circle", "site_bound", "sites", rows["site_id"][bad], "bound",
                   found=float(bound[bad][0]), expected=gain)
    if gain > 0 and not _is_weighted(asked):
        off = told & ~(np.abs(gap - (bound / gain - 1)) <= 1e-6)
        if off.any():
            report.add("circle", "site_gap", "sites", rows["site_id"][off], "gap",
                       found=float(gap[off][0]), expected=round(float(bound[0] / gain - 1), 6))


def _check_request(report: CheckReport, desk: CircleDesk, category: str, rows: pd.DataFrame,
                   asked: Mapping[str, object]) -> None:
    """Hold that there are as many sites as asked for, or that they cover what was asked."""
    new, cover = asked.get("new"), asked.get("cover")
    bound = rows["bound"].to_numpy(dtype=float)
    # Fewer are right where no further one could gain anything, or none may stand in a place.
    done = bool(asked.get("per")) or (
        len(bound) > 0 and bound[0] <= rows["gained_households"].sum() + 1e-6) or (
        not len(bound) or np.isnan(bound[0]))
    if isinstance(new, int) and not isinstance(new, bool) and new > 0 and (
            len(rows) > new or (len(rows) < new and not done)):
        report.add("circle", "site_count", "sites", rows["site_id"], category=category,
                   found=len(rows), expected=new)
    after = desk.plan.frame("coverage")
    after = after[((after["scope"] == "city") & (after["category"] == f"{category}:after")
                   & (after["walker"] == desk.first) & (after["reading"] == "near")).to_numpy()]
    if isinstance(cover, int | float) and not isinstance(cover, bool) and len(after):
        share = float(after["share"].iloc[0])
        if not share >= float(cover) - 1e-9:
            report.add("circle", "site_cover", "sites", rows["site_id"], category=category,
                       found=round(share, 4), expected=float(cover))


def _check_gains(report: CheckReport, desk: CircleDesk, category: str, rows: pd.DataFrame,
                 limit: float, asked: Mapping[str, object]) -> None:
    """Work out anew what each site gains in its order, and what a plain greedy search would."""
    reached = np.stack(bounds_within(desk.ways((category, False), desk.first), limit))
    everyone = desk.facilities_of((category, True))
    shapes = desk.plan.shapes("facilities")[everyone]
    near = [_covers(desk, category, k, limit) for k in range(len(everyone))]
    proposed = desk.plan.ids("facilities", "status")[everyone] == "proposed"
    wrong = []
    held = reached.copy()
    for site, shape, told in zip(rows["site_id"], rows.geometry, rows["gained_households"],
                                 strict=True):
        here = np.flatnonzero(proposed & (shapely.distance(shapes, shape) <= _NEAR_M))
        if not len(here):
            continue
        sure, perhaps = near[here[0]]
        least = float(desk.people[sure & ~held[1]].sum())
        most = float(desk.people[perhaps & ~held[0]].sum())
        if not least <= told <= most:
            wrong.append((site, told, least))
        held[0] |= sure
        held[1] |= perhaps
    if wrong:
        report.add("circle", "site_gain", "sites", [w[0] for w in wrong], "gained_households",
                   found=int(wrong[0][1]), expected=int(wrong[0][2]))
    after = bounds_within(desk.ways((category, True), desk.first), limit)
    total = [float(desk.people[a].sum() - desk.people[b].sum())
             for a, b in ((after[0], reached[1]), (after[1], reached[0]))]
    gain = float(rows["gained_households"].sum())
    if not total[0] - 0.5 <= gain <= total[1] + 0.5:
        report.add("circle", "site_total", "sites", rows["site_id"], "gained_households",
                   found=int(gain), expected=int(total[0]))
    if asked.get("kind") != "mean":
        _check_greedy(report, desk, rows, [n[0] for n, p in zip(near, proposed, strict=True)
                                           if p], reached[1])


def _is_mean(asked: Mapping[str, object]) -> bool:
    return asked.get("kind") == "mean"


def _is_weighted(asked: Mapping[str, object]) -> bool:
    """Tell whether the households that live farthest count more than others."""
    priority = asked.get("priority", 1)
    return isinstance(priority, int | float) and priority != 1


def _covers(desk: CircleDesk, category: str, k: int, limit: float) -> tuple[Flags, Flags]:
    """Return who surely and who perhaps reaches the k-th facility of a category."""
    rows, metres = desk.each_within((category, True), limit)[k]
    sure, perhaps = (np.zeros(len(desk.people), dtype=bool) for _ in range(2))
    perhaps[rows] = True
    sure[rows[metres <= limit - WAY_M]] = True
    return sure & ~desk.tied(), perhaps | desk.tied()


def _check_greedy(report: CheckReport, desk: CircleDesk, rows: pd.DataFrame,
                  near: list[Flags], reached: Flags) -> None:
    """Hold the bound to what taking the best place again and again gains."""
    bound = rows["bound"].to_numpy(dtype=float)
    if not len(bound) or not np.isfinite(bound[0]):
        return
    held, gain = reached.copy(), 0.0
    for _ in range(len(rows)):
        sums = [float(desk.people[n & ~held].sum()) for n in near]
        if not sums or max(sums) <= 0:
            break
        held |= near[int(np.argmax(sums))]
        gain += max(sums)
    if bound[0] < gain - 1e-6:
        report.add("circle", "site_greedy", "sites", rows["site_id"], "bound",
                   found=float(bound[0]), expected=gain)


def _check_figures(report: CheckReport, plan: PlanData, category: str, rows: pd.DataFrame
                   ) -> None:
    """Compare the figures of the sites with the sites."""
    table = plan.frame("figures").set_index("name")
    for name, column, real in (
            (f"gain:{category}", "value", float(rows["gained_households"].sum())),
            (f"gain:{category}", "target", float(rows["bound"].iloc[0]) if len(rows) else np.nan),
            (f"gain_gap:{category}", "value", float(rows["gap"].iloc[0]) if len(rows)
             else np.nan)):
        if name not in table.index or np.isnan(real):
            continue
        found = float(table.loc[[name], column].iloc[0])
        if not abs(found - real) <= 1e-6 * max(1.0, abs(real)):
            report.add("circle", "site_figure", "figures", [name], column, found=found,
                       expected=round(real, 6))
