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
    told = pd.Series("", shortage.index, dtype="string")
    short = shortage[(shortage["missing"] > 0).to_numpy(dtype=bool)]
    if short.empty:
        return shortage.assign(lenders=told)
    vacant = posts[filled.to_numpy(dtype=np.int64) < posts["slots"].to_numpy(dtype=np.int64)]
    smallest = vacant.groupby(["community_id", "role"])["households"].min()
    wanted = short[["community_id", "role"]].assign(row=short.index)
    size = smallest.reindex(pd.MultiIndex.from_frame(short[["community_id", "role"]]))
    # Only a responsible needs room for the households of the grid.
    wanted["size"] = np.where(short["role"] == "responsible", size.to_numpy(), 0)
    able = pd.DataFrame([(role, one) for role in short["role"].unique() for one in may_hold(role)],
                        columns=["role", "one"], dtype=object)
    free = people[~people["busy"] & (people["room_posts"] > 0)]
    free = pd.DataFrame({"b": free["community_id"].astype(object), "room": free["room_households"],
                         "one": free["role"].astype(object)})
    offers = wanted.merge(find_neighbours(communities), left_on="community_id", right_on="a").merge(
        able, on="role").merge(free, on=["b", "one"])
    offers = offers[(offers["room"] >= offers["size"]).to_numpy(dtype=bool)]
    count = offers.groupby(["row", "b"]).size().reset_index(name="n")
    count = count.sort_values(["row", "n", "b"], ascending=[True, False, True], kind="stable")
    count["text"] = [f"{name} ({n})" for name, n in zip(count["b"], count["n"], strict=True)]
    lend = count.groupby("row")["text"].agg(", ".join)
    told[lend.index] = lend.to_numpy(dtype=object)
    return shortage.assign(lenders=told)
