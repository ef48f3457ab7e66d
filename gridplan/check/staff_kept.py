"""Continuity and vacancies: who is said to have been kept was, and no more could have been.

For people who can hold one post at most, each part of the graph of who may hold what is
solved anew by matching. Elsewhere single moves are tried: a vacant post that somebody
free may hold, a post that somebody could keep if another made room.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import numpy as np

from gridplan.check.reading import PlanData
from gridplan.check.staff_posts import HOLDERS, Desk
from gridplan.check.staff_roster import RosterData
from gridplan.check.verdict import CheckReport

# Matching takes time with the cube of the nodes.
_MOST_NODES = 150


@dataclass
class Choice:
    """Posts of one role, who may hold each, who would keep it, and who holds it."""

    slots: dict[str, int]
    size: dict[str, float]
    able: dict[str, set[str]]  # place → people
    before: set[tuple[str, str]]  # place, person
    chosen: dict[str, set[str]]  # place → people
    room: dict[str, tuple[float, float]]  # person → households, posts
    mine: dict[str, list[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for place in sorted(self.chosen):
            for person in self.chosen[place]:
                self.mine.setdefault(person, []).append(place)

    def of(self, person: str) -> list[str]:
        """Return the places a person holds, in order."""
        return self.mine.get(person, [])

    def fits(self, person: str, places: list[str]) -> bool:
        """Tell whether a person has room for all of some places."""
        households, posts = self.room[person]
        return len(places) <= posts and sum(self.size[p] for p in places) <= households + 1e-6


def check_holding(plan: PlanData, report: CheckReport, desk: Desk, roster: RosterData) -> None:
    """Hold what is told as kept to the roster; look for posts that could be filled or kept.

    After a run that started from the plan's own assignments, what was held before is no longer
    in the plan; then only vacancies are looked at.
    """
    from_roster = plan.run.get("assign:held", "roster") == "roster"
    before = roster.holding(plan) if from_roster else set()
    held = desk.held
    if from_roster:
        said = np.array([(p, r, s) in before for p, r, s in zip(
            held["place"], held["role"], held["staff_id"], strict=True)], dtype=bool)
        wrong = said != held["kept"].to_numpy()
        if wrong.any():
            report.add("staff", "kept_false", "assignments", held["assignment_id"][wrong], "kept",
                       found=str(bool(held["kept"][wrong].iloc[0])).lower())
    else:
        report.lacking.append("kept")
    keep = from_roster and desk.asked.first_aim() == "continuity"
    vacant: list[str] = []
    fewer: list[str] = []
    for role in HOLDERS:
        choice = _make_choice(desk, roster, role, {(p, s) for p, r, s in before if r == role})
        for places, people in _list_parts(choice):
            found = _judge_part(choice, places, people, keep=keep)
            (vacant if found == "vacant" else fewer if found else []).extend(
                f"{p}-{role}" for p in places[:1])
    if vacant:
        report.add("staff", "vacant_needless", "assignments", vacant)
    if fewer:
        report.add("staff", "kept_fewer", "assignments", fewer)


def _make_choice(desk: Desk, roster: RosterData, role: str, before: set[tuple[str, str]]
                 ) -> Choice:
    posts = desk.posts[(desk.posts["role"] == role).to_numpy()]
    people = desk.people[desk.people["role"].isin(HOLDERS[role]).to_numpy()]
    where: dict[str, set[str]] = {}
    near: dict[str, set[str]] = {}
    for a, b in desk.near:
        near.setdefault(a, set()).add(b)
    for person, home in people["community_id"].items():
        for town in {home, *near.get(home, ())}:
            where.setdefault(town, set()).add(str(person))
    for person, town in roster.allowed:
        if person in people.index:
            where.setdefault(town, set()).add(person)
    lead = set(desk.of_role("responsible")[["place", "staff_id"]].itertuples(index=False,
                                                                            name=None))
    most = desk.asked.number("backup_grids", 2)
    room = {str(p): (float(h), float(g)) if role == "responsible" else (
        np.inf, float(most) if g > 0 else 0.0)
        for p, h, g in zip(people.index, people["households"], people["grids"], strict=True)}
    size = dict(zip(posts["place"], posts["households"], strict=True))
    able = {place: {p for p in where.get(town, ()) if (p, place) not in roster.bars
                    and (role != "backup" or (place, p) not in lead)
                    and size[place] <= room[p][0] + 1e-6 and room[p][1] >= 1}
            for place, town in zip(posts["place"], posts["community_id"], strict=True)}
    held = desk.of_role(role)
    chosen: dict[str, set[str]] = {place: set() for place in able}
    for place, person in zip(held["place"], held["staff_id"], strict=True):
        if place in chosen:
            chosen[place].add(person)
    return Choice(dict(zip(posts["place"], posts["slots"].astype(int), strict=True)), size, able,
                  {(p, s) for p, s in before if s in able.get(p, ())}, chosen, room)


def _list_parts(choice: Choice) -> list[tuple[list[str], list[str]]]:
    """Return the connected parts of who may hold what: places, people."""
    graph: Any = nx.Graph()
    graph.add_nodes_from(("p", place) for place in choice.able)
    graph.add_edges_from((("p", place), ("s", person)) for place, who in choice.able.items()
                         for person in sorted(who))
    return [(sorted(n for kind, n in part if kind == "p"), sorted(n for kind, n in part
                                                                  if kind == "s"))
            for part in nx.connected_components(graph)]


def _judge_part(choice: Choice, places: list[str], people: list[str], *, keep: bool) -> str:
    """Return ``vacant`` or ``kept`` where more could be filled or kept, '' where not."""
    filled = sum(len(choice.chosen[p]) for p in places)
    kept = sum(len(choice.chosen[p] & {s for s in choice.able[p] if (p, s) in choice.before})
               for p in places)
    wanted = sum(choice.slots[p] for p in places)
    hoped = sum((p, s) in choice.before for p in places for s in choice.able[p])
    if filled == wanted and (not keep or kept == hoped):
        return ""
    if wanted + len(people) <= _MOST_NODES and _hold_one(choice, places, people):
        most, best = _match(choice, places)
        return "vacant" if filled < most else "kept" if keep and filled == most and (
            kept < best) else ""
    if any(len(choice.chosen[p]) < choice.slots[p] and choice.fits(s, [*choice.of(s), p])
           for p in places for s in sorted(choice.able[p] - choice.chosen[p])):
        return "vacant"
    return "kept" if keep and any(_could_keep(choice, p, s) for p in places
                                  for s in sorted(choice.able[p] - choice.chosen[p])
                                  if (p, s) in choice.before) else ""


def _hold_one(choice: Choice, places: list[str], people: list[str]) -> bool:
    """Tell whether nobody can hold two of the posts."""
    least = sorted(choice.size[p] for p in places)[:2]
    return all(choice.room[s][1] < 2 or sum(least) > choice.room[s][0] + 1e-6 for s in people
               ) or len(places) < 2


def _match(choice: Choice, places: list[str]) -> tuple[int, int]:
    """Return how many posts can be filled at most, and how many of them then be kept.

    >>> one = Choice({"g1": 1, "g2": 1}, {"g1": 1.0, "g2": 1.0},
    ...              {"g1": {"a", "b"}, "g2": {"a"}}, {("g1", "a")}, {}, {})
    >>> _match(one, ["g1", "g2"])
    (2, 0)
    """
    graph: Any = nx.Graph()
    for place in places:
        for person in sorted(choice.able[place]):
            for n in range(choice.slots[place]):
                graph.add_edge(("p", place, n), ("s", person, 0),
                               weight=int((place, person) in choice.before))
    pairs = nx.max_weight_matching(graph, maxcardinality=True)
    return len(pairs), sum(graph.edges[pair]["weight"] for pair in pairs)


def _could_keep(choice: Choice, place: str, person: str) -> bool:
    """Tell whether a person could keep a post, another who is new in it making room.

    She may have to give up a post she is new in; then the other takes it.
    """
    own = choice.of(person)
    rivals = sorted(s for s in choice.chosen[place] if (place, s) not in choice.before)
    if rivals and choice.fits(person, [*own, place]):
        return True
    for other in (p for p in own if (p, person) not in choice.before):
        rest = [p for p in own if p != other]
        if not choice.fits(person, [*rest, place]):
            continue
        for rival in rivals:
            theirs = [p for p in choice.of(rival) if p != place]
            if rival in choice.able[other] and rival not in choice.chosen[other] and (
                    choice.fits(rival, [*theirs, other])):
                return True
    return False
