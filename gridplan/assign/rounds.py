"""One round of filling posts: who may hold them, then the solver, then rows of assignments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.assign.filling import fill_posts
from gridplan.assign.posts import may_hold
from gridplan.assign.problem import NO_LIMIT, Filling, Problem
from gridplan.params import AssignParams

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ground:
    """What all rounds share.

    Attributes
    ----------
    people
        Indexed by staff_id; see :func:`gridplan.assign.people.list_people`.
    places
        In which communities everybody may serve: person (position), community_id.
    starts
        Where everybody's ways begin, (n, 2).
    ends
        x and y of every grid and community, by code.
    held, wished, barred
        place, role, staff_id; place, staff_id; place, staff_id.
    """

    people: pd.DataFrame
    places: pd.DataFrame
    starts: NDArray[np.float64]
    ends: pd.DataFrame
    held: pd.DataFrame
    wished: pd.DataFrame
    barred: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Round:
    """Posts of one round, the pairs put together (post, person, kept, wished, travel_m), proof."""

    posts: pd.DataFrame
    chosen: pd.DataFrame
    filling: Filling
    scale: int = 1

    def value(self, aim: str) -> float | None:
        """Return how far an aim was met, in the units of the plan; None if it does not count."""
        return self._told(self.filling.value.get(aim), aim)

    def bound(self, aim: str) -> float | None:
        """Return what could not be bettered, given the aims before it."""
        return self._told(self.filling.bound.get(aim), aim)

    def _told(self, number: float | None, aim: str) -> float | None:
        return number / self.scale if number is not None and aim == "balance" else number


def fill_round(posts: pd.DataFrame, ground: Ground, params: AssignParams, *, seed: int,
               taken: pd.DataFrame | None = None) -> Round:
    """Fill posts of one kind.

    Posts of responsibles take up the room that each person has; of backups a person takes
    ``backup_grids`` at most, of a community's posts one.

    Parameters
    ----------
    posts
        Of :func:`gridplan.assign.posts.list_posts`, one kind: all of them responsibles, all
        backups, or all posts of communities.
    taken
        Pairs of place and staff_id that may not be: the responsibles, for backups.
    """
    posts = posts.reset_index(drop=True)
    pairs = pair_people(posts, ground, params, taken)
    people = ground.people
    kind = posts["role"].iloc[0] if len(posts) else ""
    if kind == "responsible":
        households, count = (people[c].to_numpy(dtype=np.int64)
                             for c in ("room_households", "room_posts"))
    else:
        households = np.full(len(people), NO_LIMIT)
        most = params.backup_grids if kind == "backup" else 1
        count = np.where(people["room_posts"] > 0, most, 0).astype(np.int64)
    load = posts["workload"].to_numpy(dtype=float)
    # Balance compares whole numbers: tenths where the weights make broken ones, rounded down,
    # so that a bound on them is one on the loads too.
    scale = 1 if np.array_equal(load, np.round(load)) else 10
    problem = Problem(
        slots=posts["slots"].to_numpy(dtype=np.int64),
        load=np.floor(load * scale + 1e-6).astype(np.int64),
        size=posts["households"].to_numpy(dtype=np.int64), room_households=households,
        room_posts=count, share=people["share"].to_numpy(dtype=float),
        order=params.order, **{c: pairs[c].to_numpy() for c in pairs.columns})
    filling = fill_posts(problem, seed=seed)
    chosen = pairs[filling.chosen].sort_values(["post", "person"], ignore_index=True)
    return Round(posts, chosen, filling, scale)


def pair_people(posts: pd.DataFrame, ground: Ground, params: AssignParams,
                taken: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return who may hold which post: post and person (positions), kept, wished, travel_m."""
    roles = [(role, one) for role in posts["role"].unique() for one in may_hold(role)]
    able = pd.DataFrame(roles, columns=["role", "one"], dtype=object)
    who = ground.places.assign(one=ground.people["role"].to_numpy(dtype=object)[
        ground.places["person"]])
    where = posts[["place", "community_id", "role"]].assign(post=np.arange(len(posts)))
    pairs = where.merge(able, on="role").merge(who, on=["community_id", "one"])
    away = _match(pairs, ground.barred, ground.people)
    if taken is not None:
        away |= _match(pairs, taken, ground.people)
    pairs = pairs[~away].sort_values(["post", "person"], kind="stable", ignore_index=True)
    held = ground.held.merge(posts[["place", "role"]], on=["place", "role"])
    # Whoever has another role now does not hold the post any more.
    now = held["staff_id"].map(ground.people["role"]).fillna("")
    held = held[np.array([one in may_hold(role) for one, role in zip(now, held["role"],
                                                                     strict=True)], dtype=bool)]
    wishing = ground.wished
    if len(posts) and posts["role"].iloc[0] == "backup":
        # A responsible who wishes for a grid wishes to be its responsible.
        lead = ground.people.index[ground.people["role"] == "responsible"]
        wishing = wishing[~wishing["staff_id"].isin(lead)]
    start = ground.starts[pairs["person"].to_numpy(dtype=np.int64)]
    end = ground.ends.loc[pairs["place"].to_numpy(dtype=object), ["x", "y"]].to_numpy(dtype=float)
    way = np.hypot(*(end - start).T) * params.walk_factor
    return pd.DataFrame({
        "post": pairs["post"].to_numpy(dtype=np.int64),
        "person": pairs["person"].to_numpy(dtype=np.int64),
        "kept": _match(pairs, held, ground.people),
        "wished": _match(pairs, wishing, ground.people),
        "travel_m": np.rint(way).astype(np.int64)})


def list_assignments(rounds: list[Round], people: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the layer ``assignments``; people of one post are numbered by staff_id."""
    parts = []
    for done in rounds:
        chosen, posts = done.chosen, done.posts
        at = posts.iloc[chosen["post"].to_numpy(dtype=np.int64)].reset_index(drop=True)
        number = chosen.groupby("post").cumcount().to_numpy() + 1
        inside = at["grid_id"].notna().to_numpy(dtype=bool)
        parts.append(pd.DataFrame({
            "assignment_id": [f"{place}-{role}-{n}" for place, role, n in zip(
                at["place"], at["role"], number, strict=True)],
            "grid_id": at["grid_id"].to_numpy(dtype=object),
            "community_id": np.where(inside, None, at["community_id"].to_numpy(dtype=object)),
            "staff_id": people.index.to_numpy(dtype=object)[
                chosen["person"].to_numpy(dtype=np.int64)],
            "role": at["role"].to_numpy(dtype=object),
            "travel_m": chosen["travel_m"].to_numpy(dtype=float),
            "kept": chosen["kept"].to_numpy(dtype=bool)}))
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values("assignment_id", kind="stable", ignore_index=True)


def _match(pairs: pd.DataFrame, table: pd.DataFrame, people: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which pairs stand in a table of place and staff_id."""
    places = pd.Index(pairs["place"].unique())
    code, person = places.get_indexer(table["place"]), people.index.get_indexer(table["staff_id"])
    there = (code >= 0) & (person >= 0)
    listed = code[there] * len(people) + person[there]
    return np.isin(places.get_indexer(pairs["place"]) * len(people)
                   + pairs["person"].to_numpy(dtype=np.int64), listed)
