"""Who holds which post before people are assigned, so that as many as possible keep theirs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan.assign.posts import MAY_HOLD
from gridplan.layers import Roster
from gridplan.plan import Plan

COLUMNS = ["place", "role", "staff_id"]


@dataclass(frozen=True)
class Holding:
    """Posts and who holds them: place (grid_id or community_id), role, staff_id.

    ``source`` is ``plan`` where an earlier assignment of the plan counts, else ``roster``.
    """

    table: pd.DataFrame
    source: str

    def of(self, *roles: str) -> pd.DataFrame:
        """Return what is held of posts of these roles."""
        return self.table[self.table["role"].isin(roles)]


def find_holding(plan: Plan, roster: Roster, *, before: Plan | None = None,
                 afresh: bool = False) -> Holding:
    """Return who holds which post.

    Whom the plan's own assignments know, holds what they say. Of everybody else the roster's
    current grids count; of whom it names none, the grid with most households of the buildings
    she knows (of equals the first by code). ``before`` is another plan whose assignments count
    in the place of the plan's own; ``afresh`` leaves assignments out of it.

    Codes that a grid no longer has lead to the grid that names them in ``former_ids``.
    """
    told = before or plan
    earlier = told.layer("assignments")
    grids = plan.layer("grids")
    heirs = list_heirs(grids).drop_duplicates("old")
    if afresh or earlier.empty:
        said = read_roster_posts(plan, roster)
        return Holding(_settle(said, heirs), "roster")
    place = earlier["grid_id"].where(earlier["grid_id"].notna(), earlier["community_id"])
    held = pd.DataFrame({"place": place, "role": earlier["role"],
                         "staff_id": earlier["staff_id"]}).astype(object)
    known = told.layer("staff")["staff_id"]
    new = ~roster.staff.index.isin(known)
    said = read_roster_posts(plan, dataclasses.replace(roster, staff=roster.staff[new]))
    return Holding(_settle(pd.concat([held, said], ignore_index=True), heirs), "plan")


def read_roster_posts(plan: Plan, roster: Roster) -> pd.DataFrame:
    """Return what a roster says of who holds which grid: place, role, staff_id."""
    staff = roster.staff
    role = pd.Series("", staff.index).where(
        ~staff["role"].isin(MAY_HOLD["backup"]).to_numpy(dtype=bool), "backup")
    role[(staff["role"] == "responsible").to_numpy(dtype=bool)] = "responsible"
    current = roster.current[["staff_id", "grid_id"]]
    silent = staff.index.difference(pd.Index(current["staff_id"]), sort=False)
    known = roster.known[roster.known["staff_id"].isin(silent)]
    buildings = plan.layer("buildings")[["building_id", "grid_id", "households"]]
    found = known.merge(buildings, on="building_id")
    found = found.assign(households=found["households"].fillna(0).astype(np.int64))
    most = found.groupby(["staff_id", "grid_id"], as_index=False)["households"].sum()
    most = most.sort_values(["staff_id", "households", "grid_id"], ascending=[True, False, True],
                            kind="stable").drop_duplicates("staff_id")
    both = pd.concat([current, most[["staff_id", "grid_id"]]], ignore_index=True).astype(object)
    both = both[both["staff_id"].isin(staff.index).to_numpy(dtype=bool)]
    out = pd.DataFrame({"place": both["grid_id"], "role": both["staff_id"].map(role),
                        "staff_id": both["staff_id"]})
    return out[(out["role"] != "").to_numpy(dtype=bool)].reset_index(drop=True)


def follow_roster(roster: Roster, grids: pd.DataFrame) -> Roster:
    """Return a roster whose grids have the codes of today, by ``former_ids`` of the grids.

    Of a grid that was divided a holder keeps the first part by code; a wish or bar holds for
    all of them.
    """
    heirs = list_heirs(grids)
    first = heirs.drop_duplicates("old")
    return dataclasses.replace(roster, current=_renew(roster.current, first),
                               wishes=_renew(roster.wishes, heirs),
                               bars=_renew(roster.bars, heirs))


def list_heirs(grids: pd.DataFrame) -> pd.DataFrame:
    """Return old and new: codes that grids had before, and none has now, and the grid it is now.

    >>> list_heirs(pd.DataFrame({"grid_id": ["g3", "g4"], "former_ids": ["g1;g2", "g2;g3"]})
    ...            ).to_numpy().tolist()
    [['g1', 'g3'], ['g2', 'g3'], ['g2', 'g4']]
    """
    table = pd.DataFrame({"old": grids["former_ids"].fillna("").astype(object).str.split(";"),
                          "new": grids["grid_id"].astype(object)}).explode("old")
    table["old"] = table["old"].str.strip().astype(object)
    gone = (table["old"] != "") & ~table["old"].isin(grids["grid_id"])
    return table[gone.to_numpy(dtype=bool)].drop_duplicates().sort_values(
        ["old", "new"], ignore_index=True)


def _renew(pairs: pd.DataFrame, heirs: pd.DataFrame) -> pd.DataFrame:
    """Put the new code in the place of an old one in a table with a column grid_id."""
    found = pairs.merge(heirs, left_on="grid_id", right_on="old", how="left")
    found["grid_id"] = found["new"].where(found["new"].notna(), found["grid_id"])
    return found[list(pairs.columns)].drop_duplicates(ignore_index=True)


def _settle(table: pd.DataFrame, heirs: pd.DataFrame) -> pd.DataFrame:
    renewed = _renew(table[COLUMNS].rename(columns={"place": "grid_id"}).astype(object), heirs)
    out = renewed.rename(columns={"grid_id": "place"}).astype(object)
    return out.drop_duplicates().sort_values(COLUMNS, kind="stable", ignore_index=True)
