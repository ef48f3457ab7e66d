"""Who looks after each grid, on the map: states, people for internal use, workload, vacancies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gridplan.layers import Roster
from gridplan.maps.facts import Layers, count_of, hide_few, keys_of, text_of
from gridplan.plan.staffing import (
    GRID_ROLES,
    STATES,
    Staffing,
    name_people,
    name_role,
    read_staffing,
)

_WORKLOAD = "workload:"
# Counts that stand behind these terms are of households or residents.
_OF_PEOPLE = ("household", "newcomer", "rented", "without_lift")
_SHARE = "grids_with_responsible"


@dataclass(frozen=True)
class Goal:
    """Share of grids with a responsible, as the head of the map tells it.

    ``targets`` are pairs of a part of the plan (``all``, ``urban``, ``rural``) and its target.
    """

    share: str
    have: int
    want: int
    targets: tuple[tuple[str, str], ...]
    met: bool


def read_goal(layers: Layers, staffing: Staffing) -> Goal:
    """Count the grids with a responsible, with the targets that the figures tell.

    Where urban and rural communities have targets of their own, each must meet its own.
    """
    needs = staffing.grids[staffing.grids["needs"]]
    have, want = int((needs["responsible"].map(len) > 0).sum()), len(needs)
    figures = layers.get("figures")
    if figures is None:
        return Goal(_percent(have, want), have, want, (), True)
    rows = figures[((figures["name"].astype("string") == _SHARE)
                    & (figures["scope"].astype("string") == "city")
                    & figures["target"].notna()).fillna(False).to_numpy(bool)]
    told = [(part, float(target), value) for part, target, value in zip(
        text_of(rows, "scope_id"), rows["target"], rows["value"], strict=True)]
    met = all(pd.isna(value) or value >= target - 1e-9 for _, target, value in told)
    return Goal(_percent(have, want), have, want,
                tuple((part, f"{100 * target:.0f} %") for part, target, _ in told), met)


def pack_staffing(layers: Layers, audience: str, roster: Roster | None,
                  lang: str) -> dict[str, Any] | None:
    """Return what the page's script tells of staff; None where the plan has no assignment.

    ``state`` is a place in ``states`` for every grid. ``posts`` has for each role of a grid the
    needed and the filled posts, and ``people`` who holds them (id, name, phone): only in a map
    for ``internal`` use. ``towns`` are the posts of communities: role, needed, filled, people.
    ``workload`` and ``terms`` are empty where the plan tells none, and ``None`` for a grid whose
    count of households is too small to be shared.
    """
    staffing = read_staffing(layers)
    if staffing is None:
        return None
    internal = audience == "internal"
    held = staffing.grids
    posts = {role: {"needed": held[f"{role}_posts"].tolist(),
                    "filled": [len(ids) for ids in held[role]]} for role in GRID_ROLES}
    if not sum(posts["backup"]["needed"]) + sum(posts["backup"]["filled"]):
        del posts["backup"]
    if internal:
        for role, told in posts.items():
            told["people"] = [_people(roster, ids) for ids in held[role]]
    return {"states": list(STATES), "state": [STATES.index(s) for s in held["state"]],
            "posts": posts, "roles": {r: name_role(r, lang) for r in _roles(staffing)},
            "towns": _pack_towns(layers, staffing, roster, internal),
            **_pack_workload(layers, audience)}


def _people(roster: Roster | None, ids: Sequence[str]) -> list[list[str]]:
    return [list(person) for person in name_people(roster, ids)]


def _roles(staffing: Staffing) -> list[str]:
    return sorted({*GRID_ROLES, *staffing.posts["role"]})


def _pack_towns(layers: Layers, staffing: Staffing, roster: Roster | None,
                internal: bool) -> list[list[dict[str, Any]]]:
    """Return the posts of every community, those of grids summed, in the layer's order."""
    by_town: dict[str, list[dict[str, Any]]] = {}
    for town, role, needed, filled in staffing.posts[
            ["community_id", "role", "needed", "filled"]].itertuples(index=False):
        post: dict[str, Any] = {"role": role, "needed": int(needed), "filled": int(filled)}
        if internal and role not in GRID_ROLES:
            post["people"] = _people(roster, staffing.holders.get((town, role), ()))
        by_town.setdefault(town, []).append(post)
    return [by_town.get(code, []) for code in keys_of(layers["communities"], "community_id")]


def _pack_workload(layers: Layers, audience: str) -> dict[str, Any]:
    grids = layers["grids"]
    few = hide_few(count_of(grids, "households"), audience) < 0
    load = pd.to_numeric(grids["workload"]).astype("Float64") if "workload" in grids else (
        pd.Series(pd.NA, grids.index, dtype="Float64"))
    known = (load.notna() & (load > 0).fillna(False)).to_numpy(dtype=bool) & ~few
    if not known.any():
        return {"workload": [], "terms": {}}
    told = [round(float(v), 1) if k else None for v, k in zip(load, known, strict=True)]
    return {"workload": told, "terms": _pack_terms(layers, few, audience)}


def _pack_terms(layers: Layers, few: np.ndarray, audience: str) -> dict[str, list[Any]]:
    """Return for each term what it adds to the workload of every grid."""
    figures = layers.get("figures")
    if figures is None:
        return {}
    name = figures["name"].astype("string").fillna("")
    ours = (name.str.startswith(_WORKLOAD) & (figures["scope"].astype("string") == "grid")
            ).fillna(False).to_numpy(dtype=bool)
    place = pd.Index(keys_of(layers["grids"], "grid_id"))
    out: dict[str, list[Any]] = {}
    for term, rows in figures[ours].groupby(name[ours].str.removeprefix(_WORKLOAD), sort=False):
        values: list[Any] = [None] * len(place)
        at = place.get_indexer(pd.Index(text_of(rows, "scope_id")))
        counts = pd.to_numeric(rows["numerator"]).astype("Float64").fillna(0)
        for k, value, count in zip(at.tolist(), rows["value"], counts, strict=True):
            hidden = few[k] or (audience == "share" and str(term) in _OF_PEOPLE
                                and 0 < count < 10)
            if k >= 0 and not pd.isna(value) and not hidden:
                values[k] = round(float(value), 1)
        out[str(term)] = values
    return out


def _percent(part: int, whole: int) -> str:
    if not whole:
        return "–"
    tenths = 1000 * part // whole
    return f"{tenths // 10}.{tenths % 10} %" if tenths < 1000 else "100 %"
