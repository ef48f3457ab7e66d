"""The service circle of a plan: coverage worked out anew on streets of the verifier's own.

Its parts: asked (walkers, profile), streets, doors, ways, desk, figures, areas, sites.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from gridplan.check.circle_areas import check_areas
from gridplan.check.circle_asked import WALKERS, state_of
from gridplan.check.circle_desk import (
    CircleDesk,
    Scope,
    bounds_within,
    find_quantile,
    lay_circle,
    split_words,
)
from gridplan.check.circle_figures import check_circle_figures
from gridplan.check.circle_sites import check_sites
from gridplan.check.circle_stale import check_stale
from gridplan.check.circle_supply import check_facilities
from gridplan.check.circle_ways import WAY_M, Ways
from gridplan.check.graph import Floats, Ints
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport

_GROUP = ["category", "walker", "reading"]


def tells_circle(plan: PlanData) -> bool:
    """Tell whether a plan holds a service circle."""
    return bool(len(plan.frame("coverage")) or plan.run.get("circle:profile"))


def check_circle(plan: PlanData, report: CheckReport, layer: str = "buildings") -> None:
    """Check the service circle and the sites, where a plan tells them.

    Parameters
    ----------
    layer
        Where people are: ``buildings``, or ``demand`` in a file without grids.
    """
    if not tells_circle(plan):
        return
    if not len(plan.frame("coverage")):
        report.add("circle", "no_rows", "coverage")
        return
    desk = lay_circle(plan, layer)
    told = len(report.broken)
    _check_scopes(report, desk)
    _check_words(report, desk)
    if len(report.broken) != told:
        report.unchecked.append("circle")
        return
    _check_complete(report, desk)
    _check_counts(report, desk)
    _check_sums(report, desk)
    check_stale(plan, report)
    if desk.asked.categories is None:
        report.lacking.append("categories")
    if any(not desk.can_walk(w) for w in desk.asked.walkers):
        report.lacking.append("elevation")
    _check_coverage(report, desk)
    _check_tally(report, desk)
    check_facilities(report, desk)
    check_circle_figures(report, desk)
    check_areas(report, desk)
    check_sites(report, desk)


def _check_scopes(report: CheckReport, desk: CircleDesk) -> None:
    """Hold that rows tell of places that are there."""
    for name, rows in desk.plan.frame("coverage").groupby("scope"):
        known = desk.scopes[name].ids if name in desk.scopes else np.array([], dtype=object)
        lost = rows.loc[~rows["scope_id"].isin(known), "scope_id"]
        if len(lost):
            report.add("circle", "circle_scope", "coverage", dict.fromkeys(lost), "scope_id",
                       scope=name)


def _check_words(report: CheckReport, desk: CircleDesk) -> None:
    """Hold that walkers and categories are those that were asked for."""
    plan, profile = desk.plan, desk.asked.categories
    for name in ("coverage", "service_areas", "sites"):
        names = plan.ids(name, "category")
        if profile is not None:
            lost = [c for c in dict.fromkeys(names.tolist())
                    if state_of(c)[0] not in profile or not profile[state_of(c)[0]].measured]
            if lost:
                report.add("circle", "circle_category", name, lost, "category")
    walkers = set(plan.ids("coverage", "walker")) - set(desk.asked.walkers)
    if walkers or not desk.asked.walkers:
        report.add("circle", "circle_walker", "coverage", sorted(walkers), "walker",
                   expected=", ".join(desk.asked.walkers) or "-")
    bad = [f for f, text in zip(plan.ids("facilities"), plan.ids("facilities", "categories"),
                                strict=True)
           if len(set(words := split_words(text))) < len(words) or ":" in text]
    if bad:
        report.add("circle", "circle_facility_words", "facilities", bad, "categories")


def _check_complete(report: CheckReport, desk: CircleDesk) -> None:
    """Hold that every category and walker is told of every place, in the same readings."""
    table = desk.plan.frame("coverage")
    readings = sorted(set(table["reading"]))
    categories = sorted(set(table["category"]))
    wanted = {c.name for c in (desk.asked.categories or {}).values() if c.measured}
    absent = sorted(wanted - set(categories))
    if absent:
        report.add("circle", "circle_missing", "coverage", absent, "category")
    want = len({*categories}) * len(desk.asked.walkers) * len(readings)
    for scope in desk.scopes.values():
        rows = table[(table["scope"] == scope.name).to_numpy()]
        count = rows.groupby("scope_id").size().reindex(scope.ids).fillna(0)
        lack = count.index[(count != want).to_numpy()]
        if len(lack):
            report.add("circle", "circle_missing", "coverage",
                       [f"{scope.name}:{name}" for name in lack], "scope_id")


def _rows_of(table: pd.DataFrame, scope: Scope) -> tuple[pd.DataFrame, Ints]:
    """Return the rows of a scope, and the place of each."""
    rows = table[(table["scope"] == scope.name).to_numpy()]
    place = pd.Series(np.arange(len(scope.ids)), index=scope.ids)
    return rows, place.reindex(rows["scope_id"]).to_numpy(dtype=np.int64)


def _check_counts(report: CheckReport, desk: CircleDesk) -> None:
    """Compare households and shares with the buildings, and limits with the walkers' speeds."""
    table = desk.plan.frame("coverage")
    for scope in desk.scopes.values():
        rows, place = _rows_of(table, scope)
        real = scope.total(desk.people)[place]
        _tell(report, "circle_households", rows, rows["households"] != real, "households",
              rows["households"], real)
    told = table["covered"].to_numpy(dtype=float)
    all_of = table["households"].to_numpy(dtype=float)
    _tell(report, "circle_above", table, (told > all_of) | (told != np.floor(told)), "covered",
          told, all_of)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(all_of > 0, told / all_of, np.nan)
    found = table["share"].to_numpy(dtype=float)
    bad = (np.isnan(found) != np.isnan(share)) | (np.abs(found - share) > 1e-6)
    _tell(report, "circle_share", table, bad, "share", found, share)
    real = np.array([_limit_of(desk, c, w) for c, w in zip(table["category"], table["walker"],
                                                           strict=True)])
    limit = table["limit_m"].to_numpy(dtype=float)
    _tell(report, "circle_limit", table, ~(np.abs(limit - real) <= 0.051), "limit_m", limit, real)


def _limit_of(desk: CircleDesk, category: str, walker: str) -> float:
    """Return the limit of the profile, else that of the first walker told, at her speed."""
    own = desk.category(state_of(category)[0])
    if own is not None:
        return own.limit_of(walker)
    limits = desk.limits()
    first = next(w for w in desk.asked.walkers if (category, w) in limits)
    return round(limits[category, first] / WALKERS[first][1] * WALKERS[walker][1], 1)


def _check_sums(report: CheckReport, desk: CircleDesk) -> None:
    """Hold that grids, communities and subdistricts sum up to the city; far is not above near."""
    table = desk.plan.frame("coverage")
    total = table.pivot_table(index=_GROUP, columns="scope", values="covered", aggfunc="sum",
                              observed=True)
    for scope in (s for s in desk.scopes.values() if s.name != "city" and s.name in total):
        if (scope.of < 0).any():
            continue  # somebody lives outside all of them
        bad = (total[scope.name] != total["city"]).to_numpy()
        if bad.any():
            row = total[bad].iloc[0]
            report.add("circle", "circle_sum", "coverage", _names(total.index[bad]), "covered",
                       scope=scope.name, found=_shown(row[scope.name]),
                       expected=_shown(row["city"]))
    both = table.pivot_table(index=["scope", "scope_id", "category", "walker"], columns="reading",
                             values="covered", observed=True)
    if {"near", "far"} <= set(both.columns):
        bad = (both["far"] > both["near"]).to_numpy()
        if bad.any():
            report.add("circle", "circle_reading", "coverage", _names(both.index[bad]), "covered")


def _check_tally(report: CheckReport, desk: CircleDesk) -> None:
    """Hold that the circle tells all rows and households that it was given."""
    table = desk.plan.frame("tally")
    last = table[((table["stage"] == "circle") & (table["layer"] == desk.layer)).to_numpy()]
    for column, real in (("rows_in", float(len(desk.people))),
                         ("households_in", float(desk.people.sum())),
                         ("households_out", float(desk.people.sum()))):
        found = float(last[column].iloc[-1]) if len(last) else np.nan
        if found != real:
            report.add("circle", "circle_tally", "tally", [f"circle/{desk.layer}"], column,
                       found=_shown(found), expected=_shown(real))


def _check_coverage(report: CheckReport, desk: CircleDesk) -> None:
    """Compare who is covered, and how far the nearest is, with ways worked out anew."""
    table = desk.plan.frame("coverage")
    report.counts["circle_ways"] = 0
    for (category, walker, reading), rows in table.groupby(_GROUP):
        if not desk.can_walk(str(walker)):
            continue
        state = state_of(str(category))
        ways = desk.ways(state, str(walker), str(reading))
        report.counts["circle_ways"] += len(ways.metres)
        limit = float(rows["limit_m"].iloc[0])
        sure, perhaps = bounds_within(ways, limit)
        for scope in desk.scopes.values():
            held, place = _rows_of(rows, scope)
            low, high = (scope.total(desk.people * flag)[place] for flag in (sure, perhaps))
            found = held["covered"].to_numpy(dtype=float)
            _tell(report, "circle_covered", held, (found < low - 0.5) | (found > high + 0.5),
                  "covered", found, np.where(found < low, low, high))
            _check_median(report, desk, scope, held, place, ways)
            _check_target(report, desk, scope, held, place, ways)


def _check_median(report: CheckReport, desk: CircleDesk, scope: Scope, rows: pd.DataFrame,
                  place: Ints, ways: Ways) -> None:
    low = find_quantile(scope, desk.people, ways.low, 0.5)[place]
    high = find_quantile(scope, desk.people, ways.high, 0.5, above=True)[place]
    found = rows["nearest_m"].to_numpy(dtype=float)
    none = np.isnan(found)
    # None is right only where half or more perhaps reach nothing.
    bad = np.where(none, np.isfinite(high), ~((found >= low - WAY_M) & (found <= high + WAY_M)))
    bad &= ~(none & np.isnan(low))
    _tell(report, "circle_nearest_m", rows, bad, "nearest_m", found,
          find_quantile(scope, desk.people, ways.metres, 0.5)[place])


def _check_target(report: CheckReport, desk: CircleDesk, scope: Scope, rows: pd.DataFrame,
                  place: Ints, ways: Ways) -> None:
    """Compare the facility that is nearest to most; where ways are equal, either may be told."""
    ids = desk.plan.ids("facilities")
    best = _most_near(scope, desk.people, ways.target, ids)[place]
    told = pd.Series(np.arange(len(ids)), index=ids).reindex(rows["nearest_id"])
    found = told.fillna(-1).to_numpy(dtype=np.int64)
    bad = np.flatnonzero(found != best)
    wrong = np.zeros(len(rows), dtype=bool)
    for k in bad.tolist():
        wrong[k] = not _may_be_nearest(desk, scope, int(place[k]), int(found[k]), int(best[k]),
                                       ways, rows)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        report.add("circle", "circle_nearest_id", "coverage", _labels(rows[wrong]), "nearest_id",
                   found=str(rows["nearest_id"].iloc[first]) or "-",
                   expected=str(ids[best[first]]) if best[first] >= 0 else "-")


def _most_near(scope: Scope, people: Floats, target: Ints, ids: np.ndarray) -> Ints:
    """Return per place the facility nearest to most of its households, -1 for none."""
    rank = np.argsort(np.argsort(ids.astype(str), kind="stable"), kind="stable")
    keep = (scope.of >= 0) & (target >= 0) & (people > 0)
    out = np.full(len(scope.ids), -1, dtype=np.int64)
    if keep.any():
        sums = pd.DataFrame({"place": scope.of[keep], "target": target[keep],
                             "people": people[keep]}).groupby(["place", "target"],
                                                              as_index=False)["people"].sum()
        sums["rank"] = rank[sums["target"]]
        first = sums.sort_values(["place", "people", "rank"], ascending=[True, False, True]
                                 ).drop_duplicates("place")
        out[first["place"]] = first["target"]
    return out


def _may_be_nearest(desk: CircleDesk, scope: Scope, place: int, found: int, best: int,
                    ways: Ways, rows: pd.DataFrame) -> bool:
    """Tell whether another facility is as near to as many, counting equal ways for it."""
    if found < 0 or best < 0:
        return False
    walker, reading = str(rows["walker"].iloc[0]), str(rows["reading"].iloc[0])
    state = state_of(str(rows["category"].iloc[0]))
    if found not in desk.facilities_of(state):
        return False
    own = desk.category(state[0])
    if own is not None and own.measure == "radius":
        return False
    only = desk.walks(WALKERS[walker][0]).nearest(np.array([found]), reading)
    here = (scope.of == place) & np.isfinite(ways.metres)
    mine = here & (only.low <= ways.high + WAY_M)
    theirs = here & (ways.target == best) & ~mine
    return bool(desk.people[mine].sum() >= desk.people[theirs].sum())


def _labels(rows: pd.DataFrame) -> Iterator[str]:
    return (":".join(map(str, r)) for r in rows[["scope", "scope_id", *_GROUP]].itertuples(
        index=False))


def _names(index: pd.Index) -> list[str]:
    return [":".join(map(str, key)) for key in index]


def _shown(value: object) -> str:
    number = float(str(value))
    return "-" if not np.isfinite(number) else f"{round(number, 4):.10g}"


def _tell(report: CheckReport, key: str, rows: pd.DataFrame, bad: object, column: str,
          found: object, expected: object) -> None:
    """Add one broken rule for all bad rows, the first as an example."""
    wrong = np.asarray(bad, dtype=bool)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        report.add("circle", key, "coverage", _labels(rows[wrong]), column,
                   found=_shown(np.asarray(found)[first]),
                   expected=_shown(np.asarray(expected)[first]))
