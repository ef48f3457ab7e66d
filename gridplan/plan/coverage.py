"""Who reaches what: the service circle of a plan, as map and report tell it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.i18n import load_room, translate
from gridplan.layers import AFTER

# Under this share of its households within the limit, a grid lacks a category.
LACKING = 0.5
_COUNTS = ("households", "covered")
Counts = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Circle:
    """The service circle of a plan.

    Attributes
    ----------
    categories
        Those measured, in the order of the profile; those of a second state are not apart.
    walkers
        The first is the one that figures tell of.
    altered
        Categories with a second state of facilities.
    required
        Categories that count for completeness.
    names
        Category → its name in the language asked for.
    rows
        (scope, category, walker, reading) → the rows of coverage, indexed by scope_id.
    figures
        The figures of completeness: name → rows by (scope, scope_id).
    """

    categories: tuple[str, ...]
    walkers: tuple[str, ...]
    altered: tuple[str, ...]
    required: tuple[str, ...]
    names: Mapping[str, str]
    rows: Mapping[tuple[str, str, str, str], pd.DataFrame] = field(repr=False)
    figures: Mapping[str, pd.DataFrame] = field(repr=False)

    def count(self, scope: str, ids: Sequence[str], category: str, walker: str, *,
              after: bool = False, reading: str = "near") -> Counts:
        """Return households and covered households of scopes, -1 where nothing is measured.

        ``after`` is the second state of facilities, the first one where there is none.
        """
        name = category + AFTER if after and category in self.altered else category
        held = self.rows.get((scope, name, walker, reading))
        if held is None:
            return np.full(len(ids), -1), np.full(len(ids), -1)
        at = held.index.get_indexer(pd.Index(list(ids), dtype=object))
        out = [np.where(at >= 0, held[c].to_numpy(np.int64)[at], -1) for c in _COUNTS]
        return out[0], out[1]

    def complete(self, scope: str, ids: Sequence[str], walker: str, *,
                 after: bool = False) -> Counts:
        """Return what completeness is made of: households × categories, and those covered.

        Taken from the figures where these tell it, else summed over the required categories.
        """
        if walker == self.walkers[0] and not after:
            told = self._figure("completeness", scope, ids)
            if (told[0] >= 0).any():
                return told
        whole, part = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
        known = np.zeros(len(ids), bool)
        for category in self.required:
            households, covered = self.count(scope, ids, category, walker, after=after)
            whole += np.maximum(households, 0)
            part += np.maximum(covered, 0)
            known |= households >= 0
        return np.where(known, whole, -1), np.where(known, part, -1)

    def full(self, scope: str, ids: Sequence[str]) -> Counts:
        """Return all households, and those that reach every required category; -1 unknown."""
        return self._figure("full_circle", scope, ids)

    def target(self, figure: str) -> float | None:
        """Return the target of a figure of the city, None without one."""
        held = self.figures.get(figure)
        rows = None if held is None else held[held.index == ("city", "all")]
        if rows is None or rows.empty or pd.isna(rows["target"].iloc[0]):
            return None
        return float(rows["target"].iloc[0])

    def _figure(self, name: str, scope: str, ids: Sequence[str]) -> Counts:
        held = self.figures.get(name)
        if held is None:
            return np.full(len(ids), -1), np.full(len(ids), -1)
        keys = pd.MultiIndex.from_arrays([[scope] * len(ids), list(ids)])
        at = held.index.get_indexer(keys)
        out = [np.where(at >= 0, held[c].to_numpy(np.int64)[at], -1)
               for c in ("denominator", "numerator")]
        return out[0], out[1]


def read_circle(layers: Mapping[str, Any], lang: str = "en") -> Circle | None:
    """Return the service circle of a plan, None where the plan holds no coverage.

    Parameters
    ----------
    layers
        Those of a plan, by name.
    lang
        Language of the categories' names.
    """
    coverage = layers.get("coverage")
    if coverage is None or not len(coverage):
        return None
    table = pd.DataFrame({c: _texts(coverage, c) for c in (
        "scope", "scope_id", "category", "walker", "reading", "nearest_id")})
    for name in _COUNTS:
        table[name] = _numbers(coverage, name).fillna(0).round().astype(np.int64).to_numpy()
    for name in ("limit_m", "nearest_m"):
        table[name] = _numbers(coverage, name).to_numpy(np.float64, na_value=np.nan)
    rows = {(str(a), str(b), str(c), str(d)): held.drop_duplicates("scope_id").set_index("scope_id")
            for (a, b, c, d), held in table.groupby(
                ["scope", "category", "walker", "reading"], sort=False)}
    run = read_run(layers)
    profile = read_profile(run.get("circle:table", ""))
    held = list(dict.fromkeys(c.removesuffix(AFTER) for c in table["category"]))
    categories = tuple([c for c in profile if c in held] + [c for c in held if c not in profile])
    told = [w for w in run.get("circle:walkers", "").replace(",", ";").split(";") if w]
    walkers = list(dict.fromkeys(table["walker"]))
    required = tuple(c for c in categories if profile.get(c, {}).get("required", True)
                     and (not profile or c in profile))
    return Circle(
        categories, tuple([w for w in told if w in walkers] + [w for w in walkers
                                                               if w not in told]),
        tuple(c for c in categories if any(k[1] == c + AFTER for k in rows)), required,
        {c: name_category(c, lang, profile) for c in categories}, rows, _read_figures(layers))


def read_run(layers: Mapping[str, Any]) -> dict[str, str]:
    """Return the run table by key; empty where the plan has none."""
    run = layers.get("run")
    return {} if run is None else dict(zip(_texts(run, "key"), _texts(run, "value"), strict=True))


def read_profile(told: str) -> dict[str, dict[str, Any]]:
    """Return the categories that a plan was measured by, as its run table holds them.

    >>> read_profile('{"profile": "p", "categories": [{"category": "park", "required": false}]}')
    {'park': {'category': 'park', 'required': False}}
    >>> read_profile("")
    {}
    """
    try:
        rows = json.loads(told or "null")["categories"]
        return {str(row["category"]): dict(row) for row in rows}
    except (KeyError, TypeError, ValueError):
        return {}


def name_category(category: str, lang: str,
                  profile: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Return what a category is called; one that the profile does not name comes as it is.

    >>> name_category("park", "zh", {"park": {"name_zh": "公园"}}), name_category("park", "zh")
    ('公园', 'park')
    """
    told = (profile or {}).get(category, {})
    other = "en" if lang == "zh" else "zh"
    return str(told.get(f"name_{lang}") or told.get(f"name_{other}") or category)


def name_walker(walker: str, lang: str) -> str:
    """Return what a walker is called; an unknown one comes as it is.

    >>> name_walker("frail", "zh"), name_walker("rocket", "zh")
    ('体弱者', 'rocket')
    """
    known = f"walker_{walker}" in load_room("plan")
    return translate(f"plan.walker_{walker}", lang) if known else walker


def _read_figures(layers: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    figures = layers.get("figures")
    if figures is None or not len(figures):
        return {}
    table = pd.DataFrame({c: _texts(figures, c) for c in ("name", "scope", "scope_id")})
    for name in ("value", "target", "numerator", "denominator"):
        table[name] = _numbers(figures, name).to_numpy(np.float64, na_value=np.nan)
    ours = table["name"].isin(("completeness", "full_circle")) | table["name"].str.startswith(
        "covered:")
    held = table[ours & table["numerator"].notna() & table["denominator"].notna()]
    return {str(name): rows.drop_duplicates(["scope", "scope_id"]).set_index(
        ["scope", "scope_id"]) for name, rows in held.groupby("name", sort=False)}


def _texts(frame: pd.DataFrame, column: str) -> list[str]:
    if column not in frame.columns:
        held = frame.index if frame.index.name == column else [""] * len(frame)
        return [str(v) for v in held]
    return [str(v) for v in frame[column].astype("string").fillna("").tolist()]


def _numbers(frame: pd.DataFrame, column: str) -> pd.Series:
    return pd.to_numeric(frame[column]).astype("Float64")
