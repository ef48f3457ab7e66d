"""Who holds which post of a plan: what map and report tell of an assignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.errors import Finding, first_ids
from gridplan.i18n import load_room, translate
from gridplan.layers import Roster

# States of a grid: all posts filled; a responsible, but another post vacant; no responsible;
# nobody needed.
STATES = ("filled", "short", "vacant", "nobody")
GRID_ROLES = ("responsible", "backup")
_NOBODY = "special-empty"
_MISSING = "missing_staff:"


@dataclass(frozen=True)
class Staffing:
    """The assignment of a plan, by grid and by community.

    Attributes
    ----------
    grids
        In the order of the layer, indexed by grid_id: community_id, needs (whether the grid
        needs people), ``responsible`` and ``backup`` (tuples of staff ids), ``responsible_posts``
        and ``backup_posts`` (how many are needed), state (one of ``STATES``).
    posts
        One row for each community and role, of grids and of communities: community_id, role,
        needed, filled, missing.
    holders
        (community_id, role) → staff ids of the posts of communities.
    """

    grids: pd.DataFrame
    posts: pd.DataFrame
    holders: Mapping[tuple[str, str], tuple[str, ...]]

    def count(self, state: str) -> int:
        """Return how many grids are in a state."""
        return int((self.grids["state"] == state).sum())


def read_staffing(layers: Mapping[str, Any]) -> Staffing | None:
    """Return who holds which post, None where the plan holds no assignment.

    A plan of which every post is vacant is assigned too: its figures tell the posts.

    Parameters
    ----------
    layers
        Those of a plan, by name.
    """
    figures = layers.get("figures")
    needed = _needed_posts(figures) if figures is not None else pd.DataFrame()
    held = layers.get("assignments")
    if needed.empty and (held is None or held.empty):
        return None
    held = _texts(held, "grid_id", "community_id", "staff_id", "role")
    grids = _staff_grids(layers["grids"], held, needed)
    holders = {(str(town), str(role)): tuple(rows["staff_id"]) for (town, role), rows in held[
        held["grid_id"] == ""].groupby(["community_id", "role"], sort=True)}
    return Staffing(grids, _count_posts(grids, holders, needed), holders)


def need_people(grids: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which grids need people.

    A grid needs people if it has households, or if its kind is ``special`` and the code of its
    reason (the text before the colon) is not ``special-empty``: a campus or a market is looked
    after also where nobody lives, fields are not.

    Examples
    --------
    >>> need_people(pd.DataFrame({
    ...     "households": [400, 0, 0, 0], "kind": ["basic", "basic", "special", "special"],
    ...     "reason": ["", "empty: ", "special-place: market", "special-empty: 5 ha"]})).tolist()
    [True, False, True, False]
    """
    held = grids["households"].astype("Float64").fillna(0).to_numpy(dtype=np.float64) > 0
    special = (grids["kind"].astype("string") == "special").fillna(False).to_numpy(dtype=bool)
    code = grids["reason"].astype("string").fillna("").str.partition(":")[0].str.strip()
    return np.asarray(held | (special & (code != _NOBODY).to_numpy(dtype=bool)), dtype=bool)


def name_people(roster: Roster | None, ids: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return id, name and phone of people; without a roster, or where it is silent, ``""``."""
    people = None if roster is None else roster.people
    out = []
    for staff_id in ids:
        name = phone = ""
        if people is not None and staff_id in people.index:
            person = people.loc[staff_id]
            name, phone = (_text(person.get(column)) for column in ("person", "phone"))
        out.append((staff_id, name, phone))
    return out


def name_role(role: str, lang: str) -> str:
    """Return what a role is called; one that has no word comes as it is.

    >>> name_role("guard", "zh"), name_role("astronaut", "zh")
    ('保安', 'astronaut')
    """
    known = f"role.{role}" in load_room("assign")
    return translate(f"assign.role.{role}", lang) if known else role


def find_strangers(staffing: Staffing | None, roster: Roster | None) -> list[Finding]:
    """Return a warning where people of the plan are not in the roster that shall name them."""
    if staffing is None or roster is None:
        return []
    ids = {i for column in GRID_ROLES for held in staffing.grids[column] for i in held}
    ids |= {i for held in staffing.holders.values() for i in held}
    gone = sorted(ids - set(map(str, roster.people.index)))
    if not gone:
        return []
    return [Finding("plan.not_in_roster", "warning", file=roster.source.name, layer="assignments",
                    field="staff_id", count=len(gone), values={"ids": first_ids(gone)})]


def _needed_posts(figures: pd.DataFrame) -> pd.DataFrame:
    """Return needed and filled posts by community and role, as the figures tell them."""
    name = figures["name"].astype("string").fillna("")
    ours = name.str.startswith(_MISSING) & (figures["scope"].astype("string") == "community")
    rows = figures[ours.fillna(False).to_numpy(dtype=bool)]
    return pd.DataFrame({
        "community_id": rows["scope_id"].astype(str).to_numpy(dtype=object),
        "role": rows["name"].astype(str).str.removeprefix(_MISSING).to_numpy(dtype=object),
        "needed": pd.to_numeric(rows["denominator"]).fillna(0).to_numpy(dtype=np.int64)})


def _texts(frame: pd.DataFrame | None, *columns: str) -> pd.DataFrame:
    if frame is None:
        return pd.DataFrame({c: pd.Series([], dtype=object) for c in columns})
    return pd.DataFrame({c: frame[c].astype("string").fillna("").astype(object).to_numpy()
                         for c in columns})


def _staff_grids(grids: pd.DataFrame, held: pd.DataFrame, needed: pd.DataFrame) -> pd.DataFrame:
    own = _texts(grids, "grid_id", "community_id")
    out = pd.DataFrame({"community_id": own["community_id"].to_numpy(),
                        "needs": need_people(grids)},
                       index=pd.Index(own["grid_id"], name="grid_id"))
    many = out.groupby("community_id")["needs"].sum()
    at = held[held["grid_id"] != ""].sort_values(["grid_id", "role", "staff_id"], kind="stable")
    for role in GRID_ROLES:
        ids = at[at["role"] == role].groupby("grid_id")["staff_id"].agg(tuple)
        out[role] = [ids.get(g, ()) for g in out.index]
        # The figures count the posts of a community; its grids have equally many.
        posts = pd.Series(0 if role == "backup" else 1, many.index)
        if len(needed):
            told = needed[needed["role"] == role].set_index("community_id")["needed"]
            posts = (told.reindex(many.index).fillna(0) / many.clip(lower=1)).round().astype(int)
        out[f"{role}_posts"] = np.where(
            out["needs"], out["community_id"].map(posts).fillna(0), 0).astype(np.int64)
    out["state"] = [_state(*row) for row in out[
        ["needs", *GRID_ROLES, *(f"{r}_posts" for r in GRID_ROLES)]].itertuples(index=False)]
    return out


def _state(needs: bool, responsible: tuple[str, ...], backup: tuple[str, ...],
           responsible_posts: int, backup_posts: int) -> str:
    if not needs and not responsible:
        return "nobody"
    if not responsible:
        return "vacant"
    whole = len(responsible) >= responsible_posts and len(backup) >= backup_posts
    return "filled" if whole else "short"


def _count_posts(grids: pd.DataFrame, holders: Mapping[tuple[str, str], tuple[str, ...]],
                 needed: pd.DataFrame) -> pd.DataFrame:
    """Count needed and filled posts; grids first, then the roles of communities by name."""
    rows = []
    own = needed[~needed["role"].isin(GRID_ROLES)] if len(needed) else needed
    wanted = {(str(t), str(r)): int(n) for t, r, n in own.itertuples(index=False)}
    for town, some in grids.groupby("community_id", sort=True):
        for role in GRID_ROLES:
            want = some[f"{role}_posts"].to_numpy(dtype=np.int64)
            have = np.minimum([len(ids) for ids in some[role]], want)
            if want.sum():
                rows.append((str(town), role, int(want.sum()), int(have.sum())))
        roles = sorted({r for t, r in (*wanted, *holders) if t == town})
        for role in roles:
            have_n = len(holders.get((str(town), role), ()))
            want_n = wanted.get((str(town), role), have_n)
            rows.append((str(town), role, want_n, min(have_n, want_n)))
    table = pd.DataFrame(rows, columns=["community_id", "role", "needed", "filled"])
    table["missing"] = table["needed"] - table["filled"]
    return table


def _text(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value).strip()
