"""Mergers: every old community whole in one new one, connected, and the figures that are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from gridplan.check.contract import check_columns
from gridplan.check.graph import (
    Ints,
    label_pieces,
    positions,
    shared_segments,
    sum_pairs,
    touching,
)
from gridplan.check.inputs import check_inputs
from gridplan.check.reading import PlanData, list_tables, read_plan
from gridplan.check.tiling import check_cover, check_overlaps, unite_groups
from gridplan.check.verdict import CheckReport

# The layers of a file of communities without grids.
AREAS = ("communities", "mergers", "figures", "tally", "run")
_RUN_KEYS = ("version", "command", "parameters", "seed", "crs", "state", "merge:communities")
_FILLED = {"communities": ("community_id", "households"),
           "mergers": ("former_id", "community_id", "households", "kept"),
           "figures": ("name", "scope"), "tally": ("stage", "layer", "rows_in", "used"),
           "run": ("key",)}
_KEYS = {"communities": ["community_id"], "mergers": ["former_id"],
         "figures": ["name", "scope", "scope_id"], "tally": ["stage", "layer"], "run": ["key"]}
# Of numbers of households this small all divisions are tried, to hold a proof to its word.
PROOF_PATCHES = 9
_GOALS = ("merge_largest", "merge_moved", "merge_border")


def lacks_grids(path: str | Path) -> bool:
    """Tell whether a file holds mergers of communities and no grids."""
    names = list_tables(path)
    return "mergers" in names and "grids" not in names


def check_areas(path: str | Path, inputs: Sequence[str | Path] = ()) -> CheckReport:
    """Check a file of merged communities without grids.

    Raises
    ------
    InputError
        The file is damaged, layers of it are missing, or an input is absent.
    """
    plan = read_plan(path, AREAS)
    report = CheckReport(counts={n: len(f) for n, f in plan.frames.items()})
    check_columns(plan, report)
    if report.ok:
        _check_contract(plan, report)
        if report.ok:
            check_overlaps(plan, report, "communities")
            check_mergers(plan, report)
            _check_tally(plan, report)
        else:
            report.unchecked.extend(("tiling", "merge", "tally"))
        check_inputs(plan, report, inputs)
    return report


def joined_communities(plan: PlanData) -> set[str]:
    """Return the communities that took others in."""
    mergers = plan.frame("mergers")
    return set(mergers.loc[mergers["kept"] == 0, "community_id"])


def check_mergers(plan: PlanData, report: CheckReport) -> None:
    """Hold the mergers of a plan to the communities it has now, by area, people and contact."""
    if not len(plan.frame("mergers")):
        return
    owner = positions(plan.ids("communities"), plan.ids("mergers", "community_id"))
    if (owner < 0).any():
        report.add("merge", "dangling", "mergers", plan.ids("mergers")[owner < 0], "community_id",
                   target="communities", value=plan.ids("mergers", "community_id")[owner < 0][0])
        return
    check_overlaps(plan, report, "mergers")
    count = len(plan.frame("communities"))
    check_cover(plan, report, "mergers", "communities",
                unite_groups(plan.shapes("mergers"), owner, count))
    _check_heirs(plan, report, owner)
    _check_people(plan, report, owner)
    parts, of = shapely.get_parts(plan.shapes("mergers"), return_index=True)
    segments = shared_segments(parts, np.zeros(len(parts), dtype=np.int64))
    near = touching(sum_pairs(of[segments.left], of[segments.right], segments.length_m,
                              len(owner)))
    label = label_pieces(len(owner), *(side[owner[near.left] == owner[near.right]]
                                       for side in (near.left, near.right)))
    pieces = np.bincount(owner[np.unique(label, return_index=True)[1]], minlength=count)
    if (pieces > 1).any():
        report.add("merge", "merger_apart", "communities", plan.ids("communities")[pieces > 1],
                   pieces=int(pieces.max()))
    asked = plan.run.get("merge:communities", "")
    if asked != str(count):
        report.add("merge", "merger_count", "run", ["merge:communities"], "value",
                   found=asked or "-", expected=count)
    _check_figures(plan, report, owner, near.left, near.right, near.total)
    _check_codes(plan, report)


def _check_contract(plan: PlanData, report: CheckReport) -> None:
    for name, columns in _FILLED.items():
        frame = plan.frame(name)
        key = frame[_KEYS[name][0]].to_numpy(dtype=object)
        for column in columns:
            empty = (frame[column] == "") if frame[column].dtype == object else (
                frame[column].isna())
            if empty.any():
                report.add("contract", "null_value", name, key[empty.to_numpy()], column)
        again = frame.duplicated(_KEYS[name]).to_numpy()
        if again.any():
            report.add("contract", "duplicate_key", name, dict.fromkeys(key[again].tolist()),
                       _KEYS[name][0])
    crs = plan.frames["communities"].crs
    for name in ("communities", "mergers"):
        shape, ids = plan.shapes(name), plan.ids(name)
        here = plan.frames[name].crs
        if here is None or not here.is_projected or here.axis_info[0].unit_name != "metre":
            report.add("contract", "crs_not_metric", name, crs=str(here))
        elif here != crs:
            report.add("contract", "crs_differs", name, crs=str(here), expected=str(crs))
        none = shapely.is_missing(shape) | shapely.is_empty(shape)
        if none.any():
            report.add("contract", "no_geometry", name, ids[none])
        invalid = ~none & ~shapely.is_valid(shape)
        if invalid.any():
            report.add("one_piece", "invalid_geometry", name, ids[invalid],
                       why=shapely.is_valid_reason(shape[invalid][0]))
        if not len(ids):
            report.add("contract", "no_rows", name)
    missing = [k for k in _RUN_KEYS if not plan.run.get(k)]
    if missing:
        report.add("contract", "run_missing", "run", missing, "key")


def _check_heirs(plan: PlanData, report: CheckReport, owner: Ints) -> None:
    """In each merger the largest keeps its code, and only that one; of equals the first."""
    mergers = pd.DataFrame({"id": plan.ids("mergers"), "owner": owner,
                            "new": plan.ids("mergers", "community_id"),
                            "people": plan.numbers("mergers", "households"),
                            "kept": plan.numbers("mergers", "kept") == 1})
    first = mergers.sort_values(["owner", "people", "id"], ascending=[True, False, True]
                                ).drop_duplicates("owner")
    lost = np.setdiff1d(np.arange(len(plan.frame("communities"))), first["owner"].to_numpy())
    if len(lost):
        report.add("merge", "merger_empty", "communities", plan.ids("communities")[lost])
    wrong = first[first["id"] != first["new"]]
    if len(wrong):
        report.add("merge", "merger_heir", "mergers", wrong["new"], "community_id",
                   expected=str(wrong["id"].iloc[0]))
    untrue = mergers[mergers["kept"] != (mergers["id"] == mergers["new"])]
    if len(untrue):
        report.add("merge", "merger_kept", "mergers", untrue["id"], "kept")


def _check_people(plan: PlanData, report: CheckReport, owner: Ints) -> None:
    people = plan.numbers("mergers", "households")
    bad = ~((people >= 0) & (people == np.floor(people)))
    if bad.any():
        report.add("merge", "negative", "mergers", plan.ids("mergers")[bad], "households")
        return
    found = plan.numbers("communities", "households")
    expected = np.bincount(owner, people, minlength=len(found))
    off = found != expected
    if off.any():
        report.add("merge", "sum_differs", "communities", plan.ids("communities")[off],
                   "households", below="mergers", found=int(np.nan_to_num(found[off][0])),
                   expected=int(expected[off][0]))


def _check_figures(plan: PlanData, report: CheckReport, owner: Ints, left: Ints, right: Ints,
                   metres: np.ndarray) -> None:
    """Work out anew what the merger is judged by; nothing told as proven may be above its bound."""
    people = plan.numbers("mergers", "households")
    count = len(plan.frame("communities"))
    held, most = np.bincount(owner, people, minlength=count), np.zeros(count)
    np.maximum.at(most, owner, people)
    mean = float(people.sum()) / count
    truth = {"communities": float(count), "merge_communities_before": float(len(owner)),
             "merge_largest": float(held.max()), "merge_moved": float((held - most).sum()),
             "merge_border": float(metres[owner[left] != owner[right]].sum()),
             "merge_largest_to_mean": float(held.max()) / mean if mean else None}
    table = plan.frame("figures")
    told = table[table["scope"] == "city"].drop_duplicates("name").set_index("name")
    missing = [n for n in (*truth, *(f"{g}_proven" for g in _GOALS)) if n not in told.index]
    if missing:
        report.add("merge", "figure_missing", "figures", missing)
        return
    for name, real in truth.items():
        found = float(told.loc[name, "value"])
        slack = max(1.0, 1e-4 * abs(real or 0.0)) if name == "merge_border" else 1e-6
        if (real is None) != bool(np.isnan(found)) or (
                real is not None and abs(found - real) > slack):
            report.add("merge", "figure_differs", "figures", [name], "value", found=found,
                       expected="-" if real is None else round(real, 4))
        report.figures[name] = real
    for goal in _GOALS:
        value, bound = float(told.loc[goal, "value"]), float(told.loc[goal, "target"])
        proven = float(told.loc[f"{goal}_proven", "value"]) == 1
        if bound > value + 1e-6 or (proven and not bound >= value - 1e-6):
            report.add("merge", "merger_bound", "figures", [goal], "target", found=bound,
                       expected=value)
    _try_all(plan, report, told, people, (left, right, metres))


def _try_all(plan: PlanData, report: CheckReport, told: pd.DataFrame, people: np.ndarray,
             near: tuple[Ints, Ints, np.ndarray]) -> None:
    """Where communities are few, try every division: what is told as proven must be the best."""
    count = len(plan.frame("communities"))
    free = plan.run.get("merge:subdistricts") in ("cross", "keep") and plan.run.get(
        "merge:slack") == "0"
    if len(people) > PROOF_PATCHES or not free:
        return
    left, right, metres = near
    if plan.run["merge:subdistricts"] == "keep":
        town = plan.ids("mergers", "subdistrict_id")
        inside = town[left] == town[right]
    else:
        inside = np.ones(len(left), dtype=bool)
    best = None
    for label in _divisions(len(people), count):
        owner = np.array(label)
        same = inside & (owner[left] == owner[right])
        if label_pieces(len(owner), left[same], right[same]).max() + 1 != count:
            continue
        held, most = np.bincount(owner, people), np.zeros(count)
        np.maximum.at(most, owner, people)
        score = (float(held.max()), float((held - most).sum()),
                 float(metres[owner[left] != owner[right]].sum()))
        best = score if best is None else min(best, score)
    if best is None:
        return
    for goal, real, slack in zip(_GOALS, best, (0.5, 0.5, 0.1), strict=True):
        if float(told.loc[f"{goal}_proven", "value"]) != 1:
            break
        if float(told.loc[goal, "value"]) > real + slack:
            report.add("merge", "merger_not_best", "figures", [goal], "value",
                       found=float(told.loc[goal, "value"]), expected=round(real, 2))
            break


def _divisions(size: int, count: int) -> list[list[int]]:
    """Return every division of ``size`` things into ``count`` groups, as labels.

    >>> _divisions(3, 2)
    [[0, 0, 1], [0, 1, 0], [0, 1, 1]]
    """
    out = [[0]]
    for _ in range(1, size):
        out = [[*held, k] for held in out for k in range(min(max(held) + 2, count))]
    return [held for held in out if max(held) + 1 == count]


def _check_codes(plan: PlanData, report: CheckReport) -> None:
    """Hold that a code a grid had before is nobody's now, and was nobody else's."""
    if "grids" not in plan.frames:
        return
    former = pd.Series(plan.ids("grids", "former_ids"), index=plan.ids("grids"))
    former = former[former != ""].str.split(";").explode()
    again = former.isin(plan.ids("grids")).to_numpy() | former.duplicated(keep=False).to_numpy()
    if again.any():
        report.add("merge", "code_reused", "grids", former.index[again], "former_ids",
                   value=str(former[again].iloc[0]))


def _check_tally(plan: PlanData, report: CheckReport) -> None:
    """Rows and households in = out, and those of the merger are those of the file."""
    tally = plan.frame("tally").fillna(0)
    label = (tally["stage"] + "/" + tally["layer"]).to_numpy(dtype=object)
    rows = tally["used"] + tally["repaired"] + tally["rejected"] + tally["outside"]
    off = (tally["rows_in"] != rows).to_numpy()
    if off.any():
        report.add("tally", "tally_rows", "tally", label[off], "rows_in")
    merge = tally[tally["stage"] == "merge"].tail(1)
    total = float(plan.numbers("mergers", "households").sum())
    for column, expected in (("used", float(len(plan.frame("mergers")))),
                             ("households_in", total), ("households_out", total)):
        found = float(merge[column].iloc[0]) if len(merge) else float("nan")
        if found != expected:
            report.add("tally", "tally_total", "tally", ["merge/communities"], column,
                       found="-" if np.isnan(found) else int(found), expected=int(expected))
