"""Compares two plans, layer by layer, by the codes that both use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gridplan.diff.people import Posts, compare_people, compare_posts
from gridplan.plan import Plan

# What of a grid a planner may change or be told, in the order of the table.
GRID_COLUMNS = ("community_id", "name", "kind", "households", "status", "locked")
_FIGURE = ["name", "scope", "scope_id"]
_ALIKE = 1e-9


@dataclass(frozen=True)
class Retention:
    """How much of something lies in the grid it was in: kept of whole, both counted in both plans.

    ``share`` is None where the plans have nothing in common.
    """

    kept: int
    whole: int

    @property
    def share(self) -> float | None:
        """Kept ÷ whole."""
        return self.kept / self.whole if self.whole else None


@dataclass(frozen=True)
class Difference:
    """What changed from one plan to another; what is equal is left out.

    Attributes
    ----------
    communities
        community_id, change (new, gone, renamed), before and after (names).
    grids
        grid_id, change (new, gone, changed), heir (of a grid that is gone: who names its code in
        ``former_ids``), units_before, units_after, units_kept, and before and after of every
        column of ``GRID_COLUMNS``; missing on the side that has no such grid. Units say how
        borders moved: those of the grid before, after, and in both.
    retention
        ``households``, ``buildings`` and ``units`` whose grid_id is unchanged, over what is in
        both plans; of households of a building the smaller number is in both.
    posts
        Of assignments: place, role, before, after (staff_ids, ``;`` between them), and counts.
    people
        staff_id, role, change (came, left, moved), before and after (places, ``;`` between them).
    figures
        name, scope, scope_id, before, after, target, unit: those whose value is another.
    """

    communities: pd.DataFrame
    grids: pd.DataFrame
    retention: Mapping[str, Retention]
    posts: Posts
    people: pd.DataFrame
    figures: pd.DataFrame

    @property
    def is_empty(self) -> bool:
        """True where nothing changed."""
        return not any(len(t) for t in (self.communities, self.grids, self.posts.table,
                                        self.people, self.figures))


def compare_plans(old: Plan, new: Plan) -> Difference:
    """Return what changed from one plan to another.

    Plans without grids (mergers of boundaries) are compared by communities and figures alone.

    Examples
    --------
    >>> old, new = (Plan({"figures": pd.DataFrame({
    ...     "name": ["grids"], "scope": "city", "scope_id": "all", "value": [count]})}, "EPSG:4549")
    ...     for count in (12, 13))
    >>> compare_plans(old, new).figures[["name", "before", "after"]].values.tolist()
    [['grids', 12.0, 13.0]]
    """
    return Difference(
        compare_communities(old, new), compare_grids(old, new), measure_retention(old, new),
        compare_posts(old, new), compare_people(old, new), compare_figures(old, new))


def compare_communities(old: Plan, new: Plan) -> pd.DataFrame:
    """Return communities that are new, gone or renamed: community_id, change, before, after."""
    both = _join(old, new, "communities", ("name",))
    change = _told_change(both, _differ(both, "name"), "renamed")
    out = both.assign(change=change)[["change", "name_before", "name_after"]].rename(
        columns={"name_before": "before", "name_after": "after"})
    return out[(change != "").to_numpy()].reset_index()


def compare_grids(old: Plan, new: Plan) -> pd.DataFrame:
    """Return grids that are new, gone or changed; see :class:`Difference`."""
    both = _join(old, new, "grids", GRID_COLUMNS)
    units = count_units(old, new).reindex(both.index).fillna(0).astype(np.int64)
    moved = ((units["units_before"] != units["units_kept"])
             | (units["units_after"] != units["units_kept"])).to_numpy(dtype=bool)
    for column in GRID_COLUMNS:
        moved = moved | _differ(both, column)
    change = _told_change(both, moved, "changed")
    pairs = [f"{column}_{side}" for column in GRID_COLUMNS for side in ("before", "after")]
    out = pd.concat([change.rename("change"), units, both[pairs]], axis=1)
    out = out[(change != "").to_numpy()].reset_index()
    heirs = find_heirs(new)
    out.insert(2, "heir", [heirs.get(g, "") if c == "gone" else "" for g, c in zip(
        out["grid_id"], out["change"], strict=True)])
    return out


def find_heirs(plan: Plan) -> dict[str, str]:
    """Return for every earlier code the grid that names it in ``former_ids``, of several all."""
    grids = plan.layer("grids")
    out: dict[str, str] = {}
    for grid, told in zip(grids["grid_id"], grids["former_ids"].fillna(""), strict=True):
        for old in filter(None, (code.strip() for code in str(told).split(";"))):
            out[old] = f"{out[old]};{grid}" if old in out else str(grid)
    return out


def count_units(old: Plan, new: Plan) -> pd.DataFrame:
    """Count the units of every grid before, after, and those that it had and still has."""
    before, after = (plan.layer("units").set_index("unit_id")["grid_id"].astype(object)
                     for plan in (old, new))
    kept = before[(before == after.reindex(before.index)).fillna(False).to_numpy(dtype=bool)]
    return pd.DataFrame({f"units_{name}": held.value_counts() for name, held in (
        ("before", before), ("after", after), ("kept", kept))})


def measure_retention(old: Plan, new: Plan) -> dict[str, Retention]:
    """Return the retention of households, buildings and units; see :class:`Difference`."""
    houses = _join(old, new, "buildings", ("grid_id", "households"))
    houses = houses[(houses["old"] & houses["new"]).to_numpy(dtype=bool)]
    same = ~_differ(houses, "grid_id")
    homes = houses[["households_before", "households_after"]].min(axis=1).fillna(0).to_numpy(
        dtype=np.int64)
    units = _join(old, new, "units", ("grid_id",))
    units = units[(units["old"] & units["new"]).to_numpy(dtype=bool)]
    return {"households": Retention(int(homes[same].sum()), int(homes.sum())),
            "buildings": Retention(int(same.sum()), len(houses)),
            "units": Retention(int((~_differ(units, "grid_id")).sum()), len(units))}


def compare_figures(old: Plan, new: Plan) -> pd.DataFrame:
    """Return the figures whose value changed, came or went: with the target of the new plan."""
    columns = [*_FIGURE, "value", "target", "unit"]
    before, after = (plan.layer("figures")[columns].fillna(dict.fromkeys(_FIGURE, ""))
                     for plan in (old, new))
    both = before.merge(after, on=_FIGURE, how="outer", suffixes=("_before", "_after"),
                        sort=True)
    one, two = (both[f"value_{side}"].to_numpy(dtype=float, na_value=np.nan)
                for side in ("before", "after"))
    alike = np.abs(one - two) <= _ALIKE * np.maximum(np.abs(one), 1.0)
    out = pd.DataFrame({
        **{c: both[c] for c in _FIGURE}, "before": both["value_before"],
        "after": both["value_after"], "target": both["target_after"].fillna(both["target_before"]),
        "unit": both["unit_after"].fillna(both["unit_before"])})
    return out[~alike & ~(np.isnan(one) & np.isnan(two))].reset_index(drop=True)


def _join(old: Plan, new: Plan, layer: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return columns of a layer of both plans side by side, by key; ``old``, ``new``: is there."""
    sides: list[pd.DataFrame] = []
    for plan, side, there in ((old, "before", "old"), (new, "after", "new")):
        frame = pd.DataFrame(plan.layer(layer))
        frame = frame.set_index(frame.columns[0])[list(columns)].add_suffix(f"_{side}")
        sides.append(frame.assign(**{there: True}))
    both = sides[0].join(sides[1], how="outer", sort=True)
    for there in ("old", "new"):
        both[there] = both[there].fillna(False).astype(bool)
    return both


def _differ(both: pd.DataFrame, column: str) -> np.ndarray:
    """Tell where a column differs; missing on both sides is alike."""
    one, two = both[f"{column}_before"], both[f"{column}_after"]
    gone = one.isna().to_numpy(dtype=bool), two.isna().to_numpy(dtype=bool)
    off: np.ndarray = (one.astype(object) != two.astype(object)).fillna(True).to_numpy(dtype=bool)
    return np.where(gone[0] | gone[1], gone[0] != gone[1], off)


def _told_change(both: pd.DataFrame, moved: Any, word: str) -> pd.Series:
    change = np.where(~both["old"], "new", np.where(~both["new"], "gone",
                                                    np.where(moved, word, "")))
    return pd.Series(change, both.index)
