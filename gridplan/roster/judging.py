"""Holds a roster to a plan: are its communities and grids there, does it contradict itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan.errors import Finding, Findings, Outcome, first_ids
from gridplan.layers import Roster
from gridplan.sheets import fold

_WHOLE = "community:"
_GRID_ROLES = ("responsible", "backup", "assistant")


def judge_roster(roster: Roster, layers: Mapping[str, pd.DataFrame], findings: Findings, *,
                 posts: int = 1, across: bool = False) -> Roster:
    """Hold a roster to the layers of a plan, resolve what it names and stop on every fault.

    Parameters
    ----------
    roster
        As :func:`read_roster` returns it.
    layers
        ``communities`` (community_id, name), ``grids`` (grid_id, community_id, households) and
        ``buildings`` (building_id) of the plan, ids as columns.
    findings
        Receives faults and warnings; faults gathered in it before are told with them.
    posts
        People that a grid has room for: responsibles and backups.
    across
        People may serve in communities beside theirs, so a wish for a grid there is no surprise.

    Returns
    -------
    Roster
        Communities are ids of the plan; bars and wishes of a whole community are written out as
        its grids; buildings that the plan lacks are left out, as are grids held by people whose
        role has no grid.

    Raises
    ------
    InputError
        A community or grid is unknown, a name fits several communities, somebody wishes for a
        grid she is barred from or holds more grids than her capacity.
    """
    judge = _Judge(roster, layers, findings)
    staff = roster.staff.copy()
    staff["community_id"] = judge.find_communities(
        staff["community_id"], staff["row"], "community_id").array
    allowed = roster.allowed.copy()
    allowed["community_id"] = judge.find_communities(
        allowed["community_id"], allowed["row"], "communities").array
    current = judge.know_grids(judge.leave_idle(roster.current), "grids")
    wishes = judge.write_out(roster.wishes, "wishes")
    bars = judge.write_out(roster.bars, "bars")
    wishes = judge.settle_wishes(wishes, bars)
    judged = dataclasses.replace(
        roster, staff=staff, current=current, known=judge.know_buildings(roster.known),
        wishes=wishes[_columns(roster.wishes)], bars=bars[_columns(roster.bars)],
        allowed=allowed.drop_duplicates(["staff_id", "community_id"], ignore_index=True))
    judge.check_current(judged, posts)
    judge.check_load(judged)
    if not across:
        judge.check_reach(judged)
    findings.stop_on_faults()
    return judged


def _columns(frame: pd.DataFrame) -> list[str]:
    return list(frame.columns)


@dataclass(frozen=True)
class _Judge:
    roster: Roster
    layers: Mapping[str, pd.DataFrame]
    findings: Findings

    @property
    def grids(self) -> pd.DataFrame:
        """The grids by id: community_id, households."""
        return self.layers["grids"].set_index("grid_id")[["community_id", "households"]]

    def tell(self, key: str, outcome: Outcome, rows: pd.Series, name: str,
             **told: object) -> None:
        if len(rows):
            self.findings.items.append(Finding(
                key, outcome, self.roster.source.name, field=name, count=len(rows),
                row=first_ids(sorted(set(rows.tolist()))), values=told))

    def find_communities(self, words: pd.Series, rows: pd.Series, name: str) -> pd.Series:
        """Return the community that each word means, by code or else by name; tell of the rest."""
        table = self.layers["communities"]
        ids = set(table["community_id"].astype(str))
        named = table["name"].fillna("").map(fold)
        by_name = {word: list(group.astype(str)) for word, group in table["community_id"].groupby(
            named) if word}
        fits = {word: [word] if word in ids else _by_name(by_name, word)
                for word in dict.fromkeys(words.dropna())}
        found = words.map({w: f[0] for w, f in fits.items() if len(f) == 1}).astype("string")
        many = words.map(lambda w: len(fits[w]) > 1, na_action="ignore").fillna(False).astype(bool)
        none = words.notna() & found.isna() & ~many
        self.tell("roster.community_unknown", "error", rows[none], name,
                  words=first_ids(dict.fromkeys(words[none])))
        self.tell("roster.community_ambiguous", "error", rows[many], name,
                  words=first_ids(dict.fromkeys(words[many])))
        return found.fillna(words)

    def know_grids(self, pairs: pd.DataFrame, name: str) -> pd.DataFrame:
        """Return the pairs whose grid is in the plan; tell of the others."""
        there = pairs["grid_id"].isin(self.grids.index)
        self.tell("roster.grid_unknown", "error", pairs["row"][~there], name,
                  words=first_ids(dict.fromkeys(pairs["grid_id"][~there])))
        return pairs[there].reset_index(drop=True)

    def know_buildings(self, pairs: pd.DataFrame) -> pd.DataFrame:
        there = pairs["building_id"].isin(self.layers["buildings"]["building_id"])
        self.tell("roster.building_unknown", "warning", pairs["row"][~there], "buildings",
                  words=first_ids(dict.fromkeys(pairs["building_id"][~there])))
        return pairs[there].reset_index(drop=True)

    def leave_idle(self, current: pd.DataFrame) -> pd.DataFrame:
        """Leave out grids held by people whose role has no grid."""
        role = current["staff_id"].map(self.roster.staff["role"])
        idle = ~role.isin((*_GRID_ROLES, ""))
        self.tell("roster.grid_of_other_role", "warning", current["row"][idle], "grids",
                  roles=first_ids(dict.fromkeys(role[idle])))
        return current[~idle].reset_index(drop=True)

    def write_out(self, pairs: pd.DataFrame, name: str) -> pd.DataFrame:
        """Write ``community:ID`` out as its grids; ``whole`` marks those lines."""
        entire = pairs["grid_id"].str.startswith(_WHOLE).fillna(False).astype(bool)
        one = self.know_grids(pairs[~entire], name).assign(whole=False)
        group = pairs[entire].copy()
        group["community_id"] = self.find_communities(
            group["grid_id"].str.removeprefix(_WHOLE), group["row"], name).array
        held = self.grids["community_id"].rename_axis("grid_id").reset_index()
        many = group.drop(columns="grid_id").merge(held, on="community_id")
        many = many[_columns(pairs)].assign(whole=True)
        return pd.concat([one, many]).sort_values(
            ["staff_id", "grid_id", "whole"], kind="stable").drop_duplicates(
            ["staff_id", "grid_id"], ignore_index=True)

    def settle_wishes(self, wishes: pd.DataFrame, bars: pd.DataFrame) -> pd.DataFrame:
        """Leave barred grids out of wishes; tell of those wished for by name in a barred community.

        A wish for a community with a bar of one of its grids is no contradiction.
        """
        both = wishes.merge(bars[["staff_id", "grid_id", "whole"]], on=["staff_id", "grid_id"],
                            suffixes=("", "_bar"))
        against = both[both["whole_bar"] & ~both["whole"]]
        self.tell("roster.wish_barred", "error", against["row"], "wishes",
                  grids=first_ids(dict.fromkeys(against["grid_id"])))
        barred = pd.MultiIndex.from_frame(bars[["staff_id", "grid_id"]])
        return wishes[~pd.MultiIndex.from_frame(wishes[["staff_id", "grid_id"]]).isin(barred)
                      ].reset_index(drop=True)

    def check_current(self, judged: Roster, posts: int) -> None:
        """Tell who loses a grid to a bar, and which grids more people hold than there are posts."""
        current = judged.current
        lost = current.merge(judged.bars[["staff_id", "grid_id"]], on=["staff_id", "grid_id"])
        self.tell("roster.current_barred", "warning", lost["row"], "grids",
                  grids=first_ids(dict.fromkeys(lost["grid_id"])))
        holders = current["grid_id"].map(current["grid_id"].value_counts())
        crowd = current[(holders > posts).to_numpy(dtype=bool)]
        self.tell("roster.grid_crowded", "warning", crowd["row"], "grids", posts=posts,
                  grids=first_ids(sorted(set(crowd["grid_id"]))))

    def check_load(self, judged: Roster) -> None:
        """Tell who holds more grids than the capacity she states.

        One grid that has outgrown its holder's capacity is only a warning: grids grow.
        """
        staff = judged.staff
        size = judged.current["grid_id"].map(self.grids["households"]).fillna(0)
        held = judged.current.assign(size=size.astype("Int64")).groupby("staff_id").agg(
            grids=("grid_id", "size"), households=("size", "sum")).reindex(
            staff.index, fill_value=0)
        grids = held["grids"].to_numpy(dtype=int)
        by_grids = (staff["capacity_unit"] == "grids").fillna(False).to_numpy(dtype=bool)
        load = np.where(by_grids, grids, held["households"].to_numpy(dtype=int))
        room = staff["capacity"].to_numpy(dtype=float, na_value=np.inf)
        over = load > room
        several = (by_grids | (grids > 1)) & over
        who = pd.Series([f"{name} ({int(has)} > {most:.0f})" for name, has, most in zip(
            staff.index, load, room, strict=True)], index=staff.index)
        self.tell("roster.over_capacity", "error", staff["row"][several], "grids",
                  who=first_ids(who[several]))
        outgrown = over & ~several
        self.tell("roster.outgrown", "warning", staff["row"][outgrown], "grids",
                  who=first_ids(who[outgrown]))

    def check_reach(self, judged: Roster) -> None:
        """Tell of wishes and grids held where a person may not serve."""
        home = judged.staff["community_id"]
        allowed = pd.MultiIndex.from_frame(judged.allowed[["staff_id", "community_id"]])
        for key, pairs, name in (("wish_elsewhere", judged.wishes, "wishes"),
                                 ("current_elsewhere", judged.current, "grids")):
            owner = pairs["grid_id"].map(self.grids["community_id"])
            mine = (owner == pairs["staff_id"].map(home)).fillna(False).to_numpy(dtype=bool)
            lent = pd.MultiIndex.from_arrays([pairs["staff_id"], owner]).isin(allowed)
            away = pairs[~mine & ~lent]
            self.tell(f"roster.{key}", "warning", away["row"], name,
                      grids=first_ids(dict.fromkeys(away["grid_id"])))


def _by_name(by_name: Mapping[str, list[str]], word: str) -> list[str]:
    """Return the communities of a name, which may stand with 社区 or 村 behind it or without."""
    name = fold(word)
    for spelled in (name, name.removesuffix("社区"), f"{name}社区", f"{name}村"):
        if spelled and spelled in by_name:
            return by_name[spelled]
    return []
