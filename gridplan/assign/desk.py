"""The desk where people are assigned: posts, then who may hold them, then round by round."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gridplan.assign.figures import (
    Proof,
    Table,
    aim_figures,
    cover_figures,
    load_figures,
    staff_figures,
    term_figures,
    vacancy_figures,
)
from gridplan.assign.holding import Holding, find_holding
from gridplan.assign.people import (
    find_starts,
    list_people,
    list_places,
    locate_communities,
    locate_grids,
)
from gridplan.assign.posts import list_posts
from gridplan.assign.problem import MOST, NO_LIMIT
from gridplan.assign.rounds import Ground, Round, fill_round, list_assignments
from gridplan.assign.shortage import count_shortage, find_lenders
from gridplan.assign.workload import count_terms, measure_workload
from gridplan.errors import Finding, Findings, UsageError, first_ids
from gridplan.layers import LAYERS, Roster, conform
from gridplan.params import AssignParams, Params
from gridplan.plan import Plan


@dataclass(frozen=True, eq=False)
class Assigned:
    """What came of assigning people.

    Attributes
    ----------
    staff, assignments, figures
        Layers of the plan.
    workload
        By grid_id.
    shortage
        community_id, role, needed, filled, missing, lenders.
    vacancies
        place (grid_id or community_id), community_id, role, missing: the posts that lack people.
    changes
        place (grid_id or community_id), role, before, after: posts whose people are others than
        before; several people of one post are parted by ``;``.
    proof
        Aim → value, bound and gap, added up over so many rounds.
    holding
        Who held which post before.
    """

    staff: pd.DataFrame
    assignments: pd.DataFrame
    figures: pd.DataFrame
    workload: pd.Series
    shortage: pd.DataFrame
    vacancies: pd.DataFrame
    changes: pd.DataFrame
    proof: Proof
    holding: Holding

    @property
    def vacant(self) -> int:
        """Posts without anybody."""
        return int(self.shortage["missing"].sum())


def assign_staff(plan: Plan, roster: Roster, params: Params, findings: Findings, *,
                 absent: Iterable[str] = (), before: Plan | None = None,
                 afresh: bool = False) -> Assigned:
    """Give every grid and community its people, as far as the roster reaches.

    First responsibles are assigned, then backups (never the responsible of the grid), then the
    posts of communities. In each round as few posts as possible stay vacant; what else counts,
    and in which order, says ``params.assign.order``.

    Parameters
    ----------
    plan
        With communities, grids and buildings.
    roster
        Judged against the plan.
    absent
        Staff_ids that are left out.
    before
        Another plan whose assignments are to be kept, in the place of this plan's own.
    afresh
        Keep to what the roster says of current grids, not to the plan's own assignments.

    Raises
    ------
    UsageError
        Somebody absent is not in the roster.
    """
    gone = check_absent(roster, absent)
    options = params.assign
    terms = count_terms(plan)
    workload = measure_workload(terms, options.workload, findings)
    posts = list_posts(plan, workload, options)
    people = list_people(plan, roster, options, gone)
    holding = find_holding(plan, roster, before=before, afresh=afresh)
    ground = Ground(
        people, list_places(plan, people, roster, options), find_starts(plan, people, roster),
        pd.concat([locate_grids(plan), locate_communities(plan)]), holding.table,
        roster.wishes.rename(columns={"grid_id": "place"})[["place", "staff_id"]],
        roster.bars.rename(columns={"grid_id": "place"})[["place", "staff_id"]])
    rounds = fill_rounds(posts, ground, options, params.seed)
    assignments = list_assignments(rounds, people)
    filled = count_filled(posts, assignments)
    shortage = count_shortage(posts, filled)
    busy = people.index.isin(assignments["staff_id"])
    shortage = find_lenders(shortage, posts, filled, people.assign(busy=busy),
                            plan.layer("communities"))
    proof = prove(rounds, options)
    figures = make_figures(plan, posts, filled, people, assignments, shortage, terms, options)
    aim_figures(figures, rounds, holding, len(roster.wishes.drop_duplicates()), proof)
    return Assigned(
        conform("staff", people.reset_index()[LAYERS["staff"].names]),
        conform("assignments", assignments), figures.frame(), workload, shortage,
        list_vacancies(posts, filled),
        list_changes(posts, holding, assignments), proof, holding)


def check_absent(roster: Roster, absent: Iterable[str]) -> list[str]:
    """Return who is absent, each once.

    Raises
    ------
    UsageError
        Naming everybody who is not in the roster.
    """
    gone = list(dict.fromkeys(absent))
    unknown = [one for one in gone if one not in roster.staff.index]
    if unknown:
        raise UsageError(Finding("assign.unknown_absent", file=roster.source.name,
                                 field="--absent", count=len(unknown),
                                 values={"names": first_ids(unknown)}))
    return gone


def fill_rounds(posts: pd.DataFrame, ground: Ground, options: AssignParams,
                seed: int) -> list[Round]:
    """Fill responsibles, then backups, then the posts of communities."""
    role = posts["role"]
    lead = fill_round(posts[(role == "responsible").to_numpy(dtype=bool)], ground, options,
                      seed=seed)
    taken = list_assignments([lead], ground.people).rename(columns={"grid_id": "place"})
    later = (role == "backup", ~role.isin(("responsible", "backup")))
    return [lead, *(fill_round(posts[chosen.to_numpy(dtype=bool)], ground, options, seed=seed,
                               taken=taken) for chosen in later if chosen.any())]


def count_filled(posts: pd.DataFrame, assignments: pd.DataFrame) -> pd.Series:
    """Return how many people every post has, aligned with ``posts``."""
    place = assignments["grid_id"].where(assignments["grid_id"].notna(),
                                         assignments["community_id"])
    count = assignments.assign(place=place).groupby(["place", "role"]).size()
    keys = pd.MultiIndex.from_frame(posts[["place", "role"]])
    return pd.Series(count.reindex(keys).fillna(0).to_numpy(dtype=np.int64), posts.index)


def list_vacancies(posts: pd.DataFrame, filled: pd.Series) -> pd.DataFrame:
    """Return the posts that lack people: place, community_id, role, missing."""
    missing = posts["slots"].to_numpy(dtype=np.int64) - filled.to_numpy(dtype=np.int64)
    rows = posts.assign(missing=missing)[missing > 0]
    return rows[["place", "community_id", "role", "missing"]].sort_values(
        ["community_id", "role", "place"], ignore_index=True)


def prove(rounds: list[Round], options: AssignParams) -> Proof:
    """Add the aims of all rounds up: value, bound, gap. Of balance the responsibles' counts.

    A bound holds for the aims before it at their values, and for the rounds before it as they
    are.
    """
    out: Proof = {}
    for aim in ("vacant", *options.order):
        counted = rounds[:1] if aim == "balance" else rounds
        values = [r.value(aim) for r in counted]
        bounds = [r.bound(aim) for r in counted]
        value = float(sum(v for v in values if v is not None))
        bound = None if None in bounds else float(sum(b for b in bounds if b is not None))
        out[aim] = {"value": value, "bound": bound, "gap": _gap(value, bound, aim),
                    "rounds": float(len(counted))}
    return out


def _gap(value: float, bound: float | None, aim: str) -> float | None:
    if bound is None:
        return None
    above, below = (bound, value) if aim in MOST else (value, bound)
    return 0.0 if above <= below else above / below - 1 if below else None


def make_figures(plan: Plan, posts: pd.DataFrame, filled: pd.Series, people: pd.DataFrame,
                 assignments: pd.DataFrame, shortage: pd.DataFrame, terms: pd.DataFrame,
                 options: AssignParams) -> Table:
    """Return the figures that say what is covered, by whom, and how loads are spread."""
    table = Table()
    lead = (posts["role"] == "responsible").to_numpy(dtype=bool)
    grids, towns = plan.layer("grids"), plan.layer("communities").set_index("community_id")
    newcomers = grids.groupby("community_id")["newcomers"].sum().reindex(towns.index).fillna(0)
    towns = pd.DataFrame({"kind": towns["kind"].fillna("urban").astype(object),
                          "newcomers": newcomers.astype(float)})
    cover_figures(table, posts[lead], filled[lead])
    staff_figures(table, posts[lead], people, towns, options)
    vacancy_figures(table, shortage, towns["kind"])
    load_figures(table, measure_loads(posts[lead], people, assignments), towns["kind"])
    term_figures(table, terms, dataclasses.asdict(options.workload))
    return table


def measure_loads(posts: pd.DataFrame, people: pd.DataFrame,
                  assignments: pd.DataFrame) -> pd.DataFrame:
    """Return community_id, grids, load and used of everybody with the role of a responsible.

    Parameters
    ----------
    posts
        Those of responsibles.
    """
    lead = people[(people["role"] == "responsible").to_numpy(dtype=bool)]
    mine = assignments[(assignments["role"] == "responsible").to_numpy(dtype=bool)]
    mine = mine.merge(posts[["grid_id", "households", "workload"]], on="grid_id")
    sums = mine.groupby("staff_id").agg(grids=("grid_id", "size"), work=("workload", "sum"),
                                        households=("households", "sum"))
    sums = sums.reindex(lead.index).fillna(0.0)
    in_grids = (lead["room_households"] == NO_LIMIT).to_numpy(dtype=bool)
    room = lead["room_posts"].where(in_grids, lead["room_households"]).to_numpy(dtype=float)
    taken = sums["grids"].where(in_grids, sums["households"]).to_numpy(dtype=float)
    used = np.divide(taken, room, out=np.zeros(len(lead)), where=room > 0)
    return pd.DataFrame({"community_id": lead["community_id"].astype(object),
                         "grids": sums["grids"], "used": used,
                         "load": sums["work"] / lead["share"].to_numpy(dtype=float)}, lead.index)


def list_changes(posts: pd.DataFrame, holding: Holding, assignments: pd.DataFrame
                 ) -> pd.DataFrame:
    """Return the posts whose people are others than before: place, role, before, after.

    Where the roster alone says who held what, it need not say all: posts of which it names
    nobody are left out.
    """
    place = assignments["grid_id"].where(assignments["grid_id"].notna(),
                                         assignments["community_id"])
    after = _join(assignments.assign(place=place), "after")
    both = _join(holding.table, "before").join(after, how="outer").fillna("")
    if holding.source == "roster":
        both = both[both["before"] != ""]
    return both[both["before"] != both["after"]].reset_index()


def _join(table: pd.DataFrame, name: str) -> pd.DataFrame:
    rows = table[["place", "role", "staff_id"]].astype(object).sort_values(
        ["place", "role", "staff_id"])
    return rows.groupby(["place", "role"])["staff_id"].agg(";".join).to_frame(name)
