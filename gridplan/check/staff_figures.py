"""The figures of an assignment, worked out anew with numerators and denominators."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from gridplan.check.reading import PlanData
from gridplan.check.staff_posts import GRID_STAFF, Desk, count_terms
from gridplan.check.staff_roster import RosterData
from gridplan.check.verdict import CheckReport

Key = tuple[str, str, str]  # name, scope, scope_id
Told = tuple[float | None, float | None, float | None]  # value, numerator, denominator

# Shares that a city sets as its goal: urban, rural.
_GOALS = {"communities_with_grids": (1.0, 0.6), "communities_with_grids_early": (0.8, 0.3),
          "grids_with_responsible": (1.0, 0.6)}
_NAMES = (*_GOALS, "households_with_responsible", "staff_per_grid",
          "newcomer_assistants_per_1000", "vacant_posts", "load_max", "load_mean",
          "load_max_to_mean", "kept_assignments", "changed_assignments", "wishes_granted",
          "travel_m")
_PREFIXES = ("missing_staff:", "load_share:", "workload:")
# The best there could be: True where a value must not be above it, else not below.
_BOUNDS = {"kept_assignments": True, "wishes_granted": True, "changed_assignments": False,
           "travel_m": False, "load_max": False}
_TENTHS = 10


def check_staff_figures(plan: PlanData, report: CheckReport, desk: Desk,
                        roster: RosterData | None) -> None:
    """Compare every figure of an assignment with what the layers give, and bounds with values."""
    truth = {**_cover(desk), **_staff(plan, desk), **_vacancies(desk), **_loads(plan, desk),
             **_terms(plan, desk), **_aims(plan, desk, roster)}
    table = plan.frame("figures")
    ours = table["name"].isin(_NAMES) | table["name"].str.startswith(_PREFIXES)
    rows = table[ours.to_numpy(dtype=bool)]
    found = {(str(r.name), str(r.scope), str(r.scope_id)): (r.value, r.numerator, r.denominator)
             for r in rows.itertuples(index=False)}
    odd = [":".join(key) for key in found if key not in truth]
    if odd:
        report.add("staff", "staff_figure_odd", "figures", odd)
    _compare(report, found, truth)
    missing = [":".join(key) for key in truth if key not in found]
    if missing:
        report.add("staff", "staff_figure_missing", "figures", missing)
    _check_goals(report, rows)
    _check_bounds(plan, report)
    report.figures |= {key[0]: told[0] for key, told in truth.items()
                       if key[1:] == ("city", "all") and key[0] in _NAMES}


def _compare(report: CheckReport, found: dict[Key, tuple[float, float, float]],
             truth: dict[Key, Told]) -> None:
    """Tell of each figure in which places it differs, with the first as an example."""
    off: dict[tuple[str, str], list[tuple[str, float, float | None]]] = {}
    for key in (k for k in found if k in truth):
        for column, one, other in zip(("value", "numerator", "denominator"), found[key],
                                      truth[key], strict=True):
            if _differs(float(one), other, column):
                off.setdefault((key[0], column), []).append((":".join(key), float(one), other))
    for (_, column), rows in sorted(off.items()):
        rows.sort(key=lambda row: row[0])
        report.add("staff", "staff_figure_differs", "figures", [row[0] for row in rows], column,
                   found=_shown(rows[0][1]), expected=_shown(rows[0][2]))


def _differs(found: float, real: float | None, column: str) -> bool:
    if real is None or np.isnan(real):
        # What cannot be worked out here, or has no value: only the value must be empty then.
        return column == "value" and real is None and not np.isnan(found)
    return not abs(found - real) <= 1e-6 * max(1.0, abs(real)) + 1e-3 * (abs(real) > 1e4)


def _shown(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{round(float(value), 4):.10g}"


def _scopes(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Go through city, urban, rural and every community; scopes without rows are left out."""
    rural = (table["kind"] == "rural").to_numpy(dtype=bool)
    for name, keep in (("all", rural | True), ("urban", ~rural), ("rural", rural)):
        if keep.any():
            yield "city", name, table[keep]
    for name, rows in table.groupby("community_id"):
        yield "community", str(name), rows


def _ratio(part: float, whole: float) -> Told:
    return (part / whole if whole else None, part, whole)


def _cover(desk: Desk) -> dict[Key, Told]:
    """Shares of communities, grids and households that have a responsible."""
    posts = desk.posts[(desk.posts["role"] == "responsible").to_numpy()]
    posts = posts.assign(there=posts["place"].isin(desk.of_role("responsible")["place"]))
    out: dict[Key, Told] = {}
    for scope, name, rows in _scopes(posts):
        fine = rows[rows["there"].to_numpy()]
        if scope == "city":
            share = _ratio(float(fine["community_id"].nunique()),
                           float(rows["community_id"].nunique()))
            out["communities_with_grids", scope, name] = share
            out["communities_with_grids_early", scope, name] = share
        out["grids_with_responsible", scope, name] = _ratio(float(len(fine)), float(len(rows)))
        out["households_with_responsible", scope, name] = _ratio(
            float(fine["households"].sum()), float(rows["households"].sum()))
    return out


def _staff(plan: PlanData, desk: Desk) -> dict[Key, Told]:
    """Staff for each grid and assistants for 1,000 newcomers, by home community."""
    posts = desk.posts[(desk.posts["role"] == "responsible").to_numpy()]
    home = desk.people.groupby(["community_id", "role"]).size()
    newcomers = pd.Series(plan.numbers("grids", "newcomers")).groupby(
        plan.ids("grids", "community_id")).sum()
    grids = posts.groupby("community_id").size()
    towns = pd.DataFrame({"community_id": plan.ids("communities"),
                          "kind": plan.ids("communities", "kind")})
    towns["grids"] = [float(grids.get(c, 0)) for c in towns["community_id"]]
    towns["newcomers"] = [float(newcomers.get(c, 0)) for c in towns["community_id"]]
    towns["staff"] = [float(sum(home.get((c, r), 0) for r in GRID_STAFF))
                      for c in towns["community_id"]]
    towns["aids"] = [float(home.get((c, "newcomer_assistant"), 0)) for c in towns["community_id"]]
    out: dict[Key, Told] = {}
    for scope, name, rows in _scopes(towns):
        sums = rows[["grids", "newcomers", "staff", "aids"]].sum()
        out["staff_per_grid", scope, name] = _ratio(sums["staff"], sums["grids"])
        out["newcomer_assistants_per_1000", scope, name] = _ratio(sums["aids"],
                                                                  sums["newcomers"] / 1000)
    return out


def _vacancies(desk: Desk) -> dict[Key, Told]:
    """Count posts without anybody: value missing, numerator filled, denominator needed."""
    count = desk.held.groupby(["place", "role"]).size()
    posts = desk.posts.assign(needed=desk.posts["slots"].astype(float))
    posts["filled"] = [float(count.get((p, r), 0)) for p, r in zip(
        posts["place"], posts["role"], strict=True)]
    out: dict[Key, Told] = {}
    for scope, name, rows in _scopes(posts):
        parts = [("vacant_posts", rows)] + [
            (f"missing_staff:{role}", some) for role, some in rows.groupby("role")]
        for figure, some in parts:
            filled, needed = float(some["filled"].sum()), float(some["needed"].sum())
            out[figure, scope, name] = (needed - filled, filled, needed)
    return out


def _loads(plan: PlanData, desk: Desk) -> dict[Key, Told]:
    """Workload ÷ part of full working time of responsibles; how much of their room is used."""
    posts = desk.posts[(desk.posts["role"] == "responsible").to_numpy()].set_index("place")
    people = desk.people[(desk.people["role"] == "responsible").to_numpy()]
    held = desk.of_role("responsible")
    sums = pd.DataFrame({"staff_id": held["staff_id"].to_numpy(),
                         **{c: posts[c].reindex(held["place"]).to_numpy(dtype=float)
                            for c in ("households", "workload")}, "one": 1.0}
                        ).groupby("staff_id").sum().reindex(people.index).fillna(0.0)
    kind = dict(zip(plan.ids("communities"), plan.ids("communities", "kind"), strict=True))
    share = people["share"].where(people["share"] > 0, 1.0)
    table = pd.DataFrame({
        "community_id": people["community_id"], "kind": people["community_id"].map(kind),
        "load": sums["workload"] / share, "grids": sums["one"]})
    out: dict[Key, Told] = {}
    for scope, name, rows in _scopes(table[(table["grids"] > 0).to_numpy()]):
        most, total, many = float(rows["load"].max()), float(rows["load"].sum()), float(len(rows))
        out["load_max", scope, name] = (most, None, None)
        out["load_mean", scope, name] = _ratio(total, many)
        out["load_max_to_mean", scope, name] = _ratio(most, total / many)
    by_grid = np.isinf(people["households"].to_numpy())
    room = np.where(by_grid, people["grids"], people["households"])
    taken = np.where(by_grid, sums["one"], sums["households"])
    used = np.where(room > 0, taken / np.where(room > 0, room, 1.0), 0.0)
    tenth = np.clip(np.floor(used * _TENTHS + 1e-9), 0, _TENTHS).astype(np.int64)
    for k, many in enumerate(np.bincount(tenth, minlength=_TENTHS + 1).tolist()):
        out[f"load_share:{k / _TENTHS:.1f}", "city", "all"] = (
            float(many), float(many), float(len(people)))
    return out


def _terms(plan: PlanData, desk: Desk) -> dict[Key, Told]:
    """Tell what each term with a weight makes of a grid's workload; the numerator is the count."""
    weights = desk.asked.weights()
    return {(f"workload:{name}", "grid", str(grid)): (weights[name] * count, count, None)
            for name, counts in count_terms(plan).items() if weights[name] > 0
            for grid, count in zip(plan.ids("grids"), counts.tolist(), strict=True)}


def _aims(plan: PlanData, desk: Desk, roster: RosterData | None) -> dict[Key, Told]:
    """People kept, changed, wishes, ways. Without the roster some of it is taken as told (NaN)."""
    kept = float(desk.held["kept"].sum())
    before = wishes = granted = changed = np.nan
    table = plan.frame("figures")
    told = table[((table["name"] == "kept_assignments") & (table["scope"] == "city")).to_numpy()]
    if roster is not None:
        role = desk.people["role"]
        wishes = float(len(roster.wishes))
        granted = float(sum((s, p) in roster.wishes and not (
            r == "backup" and role.get(s) == "responsible") for p, r, s in zip(
                desk.held["place"], desk.held["role"], desk.held["staff_id"], strict=True)))
        if plan.run.get("assign:held", "roster") == "roster":
            before = float(len(roster.holding(plan)))
    if np.isnan(before) and len(told):
        before = float(told["denominator"].iloc[0])
    changed = before - kept
    return {
        ("kept_assignments", "city", "all"): (kept, kept, before),
        ("changed_assignments", "city", "all"): (changed, changed, before),
        ("wishes_granted", "city", "all"): (granted, granted, wishes),
        ("travel_m", "city", "all"): (float(desk.held["travel_m"].sum()), None, None)}


def _check_goals(report: CheckReport, rows: pd.DataFrame) -> None:
    """Shares that have a goal name it, for the urban and the rural part of the city."""
    city = rows[((rows["scope"] == "city") & rows["name"].isin(list(_GOALS))).to_numpy()]
    for row in city.itertuples(index=False):
        if row.scope_id in ("urban", "rural"):
            expected = _GOALS[str(row.name)][row.scope_id == "rural"]
            if not abs(float(row.target) - expected) <= 1e-9:
                report.add("staff", "staff_figure_differs", "figures",
                           [f"{row.name}:city:{row.scope_id}"], "target",
                           found=_shown(float(row.target)), expected=_shown(expected))


def _check_bounds(plan: PlanData, report: CheckReport) -> None:
    """No value is better than the bound that is told for it."""
    table = plan.frame("figures")
    city = table[((table["scope"] == "city") & (table["scope_id"] == "all")).to_numpy()]
    value = dict(zip(city["name"], city["value"], strict=True))
    for name, upper in _BOUNDS.items():
        bound, found = value.get(f"{name}_bound", np.nan), value.get(name, np.nan)
        if (found > bound + 1e-3) if upper else (found < bound - 1e-3):
            report.add("staff", "staff_bound", "figures", [f"{name}_bound"], "value",
                       found=_shown(bound), expected=_shown(found))
