"""Who is missing where, and which neighbouring community has people to lend."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.assign.people import find_neighbours
from gridplan.assign.posts import may_hold

COLUMNS = ["community_id", "role", "needed", "filled", "missing", "lenders"]


def count_shortage(posts: pd.DataFrame, filled: pd.Series) -> pd.DataFrame:
    """Return for every community and role how many people are needed, there and missing.

    Parameters
    ----------
    posts
        All posts, in the order of their rounds.
    filled
        People in each, aligned with ``posts``.

    Returns
    -------
    DataFrame
        community_id, role, needed, filled, missing; needed = filled + missing.
    """
    table = posts.assign(filled=filled.to_numpy(dtype=np.int64))
    out = table.groupby(["community_id", "role"], sort=True, as_index=False)[
        ["slots", "filled"]].sum().rename(columns={"slots": "needed"})
    return out.assign(missing=out["needed"] - out["filled"])


def find_lenders(shortage: pd.DataFrame, posts: pd.DataFrame, filled: pd.Series,
                 people: pd.DataFrame, communities: gpd.GeoDataFrame) -> pd.DataFrame:
    """Add the column lenders: neighbours with free people, ``C2 (3), C5 (1)``, most first.

    A neighbour shares at least a metre of border. Its people count who have a role that may hold
    the post, no post at all and room for the smallest post that is vacant.

    Parameters
    ----------
    shortage
        Of :func:`count_shortage`.
    posts, filled
        As there.
    people
        Indexed by staff_id: role, community_id, room_households, room_posts and busy (whether
        she has a post).
    """
    short = shortage[(shortage["missing"] > 0).to_numpy(dtype=bool)]
    told = pd.Series("", shortage.index, dtype="string")
    near = find_neighbours(communities) if len(short) else pd.DataFrame({"a": [], "b": []})
    vacant = posts[filled.to_numpy(dtype=np.int64) < posts["slots"].to_numpy(dtype=np.int64)]
    smallest = vacant.groupby(["community_id", "role"])["households"].min()
    free = people[~people["busy"] & (people["room_posts"] > 0)]
    for row in short.itertuples():
        # A backup needs no room for the households of the grid.
        size = smallest[row.community_id, row.role] if row.role == "responsible" else 0
        able = free[free["role"].isin(may_hold(str(row.role)))
                    & (free["room_households"] >= size)]
        count = able.loc[able["community_id"].isin(near.loc[near["a"] == row.community_id, "b"]),
                         "community_id"].value_counts()
        lend = sorted(count.items(), key=lambda item: (-item[1], str(item[0])))
        told[row.Index] = ", ".join(f"{name} ({n})" for name, n in lend)
    return shortage.assign(lenders=told)
