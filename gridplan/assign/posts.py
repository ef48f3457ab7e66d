"""Which posts a plan has: those of its grids and those of its communities."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridplan.params import AssignParams
from gridplan.plan import Plan
from gridplan.plan.staffing import need_people

# Whose staff may hold a post of a grid; a post of a community takes people of its own role.
MAY_HOLD = {"responsible": ("responsible",), "backup": ("responsible", "assistant", "backup")}


def may_hold(role: str) -> tuple[str, ...]:
    """Return the roles of the people who may hold a post.

    >>> may_hold("backup"), may_hold("guard")
    (('responsible', 'assistant', 'backup'), ('guard',))
    """
    return MAY_HOLD.get(role, (role,))


def list_posts(plan: Plan, workload: pd.Series, params: AssignParams) -> pd.DataFrame:
    """Return every post of a plan, one row for each place and role, in the order of their codes.

    Parameters
    ----------
    plan
        With communities and grids.
    workload
        By grid_id.
    params
        How many people each place needs.

    Returns
    -------
    DataFrame
        place (grid_id or community_id), grid_id (NA for posts of a community), community_id,
        kind (of the community), role, slots (people needed), households, workload. A post of a
        community has no households and a workload of 1.
    """
    towns = plan.layer("communities").sort_values("community_id", kind="stable")
    town = towns["community_id"].to_numpy(dtype=object)
    kind = towns["kind"].fillna("urban").to_numpy(dtype=object)
    kinds = pd.Series(kind, town)
    grids = plan.layer("grids")
    grids = grids[need_people(grids)].sort_values("grid_id", kind="stable")
    mine = pd.DataFrame({"place": grids["grid_id"].to_numpy(dtype=object),
                         "community_id": grids["community_id"].to_numpy(dtype=object),
                         "households": grids["households"].fillna(0).to_numpy(dtype=np.int64)})
    mine["kind"] = mine["community_id"].map(kinds).fillna("urban")
    mine["workload"] = workload.reindex(mine["place"]).to_numpy(dtype=float)
    parts = [mine.assign(role=role, grid_id=mine["place"], slots=mine["kind"].map(
        {k: params.of_kind(name, k) for k in ("urban", "old", "rural")}))
        for role, name in (("responsible", "responsibles"), ("backup", "backups"))]
    parts += [pd.DataFrame({"place": town, "community_id": town, "kind": kind, "grid_id": None,
                            "households": 0, "workload": 1.0, "role": role, "slots": count})
              for role, count in params.posts_of_communities().items()]
    columns = ["place", "grid_id", "community_id", "kind", "role", "slots", "households",
               "workload"]
    table = pd.concat([p[columns].astype(dict.fromkeys(columns[:5], object)) for p in parts],
                      ignore_index=True)
    table = table.astype({"slots": np.int64, "households": np.int64, "workload": float})
    return table[(table["slots"] > 0).to_numpy(dtype=bool)].reset_index(drop=True)
