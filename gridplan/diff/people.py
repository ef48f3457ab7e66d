"""Who serves where: posts whose people changed, people who came, left or moved."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from gridplan.plan import Plan


@dataclass(frozen=True)
class Posts:
    """Posts whose people changed, and how many assignments there were, are and stayed."""

    table: pd.DataFrame
    before: int
    after: int
    kept: int


def compare_posts(old: Plan, new: Plan) -> Posts:
    """Return the posts whose people are others: place, role, before, after.

    A post is a role of a grid or a community; several people of one post are parted by ``;``.
    """
    sides = [_list_assignments(plan) for plan in (old, new)]
    keys = ["place", "role"]
    told = [_gather(side, keys, "staff_id").rename(name)
            for side, name in zip(sides, ("before", "after"), strict=True)]
    table = pd.concat(told, axis=1).fillna("").sort_index()
    table = table[(table["before"] != table["after"]).to_numpy()]
    table.index = table.index.set_names(keys)
    return Posts(table.reset_index(), len(sides[0]), len(sides[1]),
                 len(sides[0].merge(sides[1], on=[*keys, "staff_id"])))


def compare_people(old: Plan, new: Plan) -> pd.DataFrame:
    """Return who came, left or serves elsewhere: staff_id, role, change, before, after."""
    staff = [plan.layer("staff").set_index("staff_id")["role"].astype(object)
             for plan in (old, new)]
    places = [_gather(_list_assignments(plan), ["staff_id"], "place") for plan in (old, new)]
    ids = sorted({*staff[0].index, *staff[1].index})
    out = pd.DataFrame({
        "role": staff[1].reindex(ids).fillna(staff[0].reindex(ids)),
        "before": places[0].reindex(ids).fillna(""), "after": places[1].reindex(ids).fillna("")},
        index=pd.Index(ids, name="staff_id", dtype=object))
    change = (out["before"] != out["after"]).map({True: "moved", False: ""})
    change[~out.index.isin(staff[1].index)] = "left"
    change[~out.index.isin(staff[0].index)] = "came"
    out.insert(1, "change", change)
    return out[(change != "").to_numpy()].reset_index()


def _list_assignments(plan: Plan) -> pd.DataFrame:
    """Return place (grid_id or community_id), role and staff_id of every assignment, each once."""
    table = plan.layer("assignments")
    place = table["grid_id"].fillna(table["community_id"])
    out = pd.DataFrame({"place": place.fillna("").astype(object),
                        "role": table["role"].fillna("").astype(object),
                        "staff_id": table["staff_id"].fillna("").astype(object)})
    return out.drop_duplicates().sort_values(["place", "role", "staff_id"], ignore_index=True)


def _gather(table: pd.DataFrame, keys: list[str], column: str) -> pd.Series:
    """Return the values of a column for every key, each once, parted by ``;``."""
    rows = table[[*keys, column]].drop_duplicates().sort_values([*keys, column])
    held = rows.groupby(keys)[column].agg(";".join)
    return held if len(held) else held.astype(object)
