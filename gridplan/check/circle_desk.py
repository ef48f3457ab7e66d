"""The service circle as the verifier sees it: who lives where, what there is, and the ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.check.circle_asked import (
    WALKERS,
    Category,
    CircleAsked,
    read_circle_asked,
    state_of,
)
from gridplan.check.circle_doors import Ground, enter_buildings, enter_streets
from gridplan.check.circle_streets import lay_streets
from gridplan.check.circle_ways import WAY_M, Walks, Ways, straight_ways, straight_within
from gridplan.check.graph import Flags, Floats, Ints, positions
from gridplan.check.reading import PlanData

State = tuple[str, bool]  # category, and whether proposed facilities count
Key = tuple[str, str, str]  # name, scope and scope_id of a figure


@dataclass(frozen=True)
class Range:
    """What a figure may be: its value, and numerator and denominator where it is a ratio.

    A bound of NaN stands for no value.
    """

    low: float
    high: float
    top: tuple[float, float] | None = None
    bottom: float | None = None
    target: float | None = None
    has_target: bool = False


@dataclass(frozen=True)
class Scope:
    """The places of one kind: their ids, and which of them each building belongs to."""

    name: str
    ids: NDArray[np.object_]
    of: Ints

    def total(self, amount: Floats) -> Floats:
        """Return the sum over each place; buildings of none are left out."""
        inside = self.of >= 0
        return np.bincount(self.of[inside], amount[inside].astype(np.float64),
                           minlength=len(self.ids)).astype(np.float64)


@dataclass
class CircleDesk:
    """What the rules stand on.

    ``layer`` is where people are: buildings, or demand; ``people`` are their households,
    ``kinds`` the kinds of their communities.
    """

    plan: PlanData
    asked: CircleAsked
    layer: str
    people: Floats
    kinds: NDArray[np.object_]
    scopes: dict[str, Scope]
    _walks: dict[str, Walks] = field(default_factory=dict)
    _ways: dict[tuple[State, str, str], Ways] = field(default_factory=dict)
    _each: dict[tuple[State, str], list[tuple[Ints, Floats]]] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The walker of whom figures, areas and sites tell."""
        return self.asked.walkers[0]

    def category(self, name: str) -> Category | None:
        """Return a category of the profile, None where that is not told."""
        return (self.asked.categories or {}).get(name)

    def can_walk(self, walker: str) -> bool:
        """Tell whether ways of a walker can be worked out: slopes are known to the run alone."""
        return not (self.asked.elevation and WALKERS[walker][0] == "foot")

    def facilities_of(self, state: State) -> Ints:
        """Return the rows of the facilities that count for a category."""
        name, after = state
        own = self.category(name)
        names = {name, *(own.includes if own else ())}
        held = np.array([bool(names & set(split_words(text)))
                         for text in self.plan.ids("facilities", "categories")], dtype=bool)
        proposed = self.plan.ids("facilities", "status") == "proposed"
        return np.flatnonzero(held & (after | ~proposed))

    def walks(self, mode: str) -> Walks:
        """Return the searches of a mode."""
        if mode not in self._walks:
            streets = lay_streets(self.plan, mode, self.asked)
            ground = Ground(self.plan, streets, self.asked)
            doors = enter_buildings(ground, self.plan, self.layer)
            self._walks[mode] = Walks(streets, doors, enter_streets(
                ground, self.plan.shapes("facilities")))
        return self._walks[mode]

    def ways(self, state: State, walker: str, reading: str = "near") -> Ways:
        """Return the way of every building to its nearest facility of a category."""
        mode = WALKERS[walker][0]
        key = (state, mode, reading)
        if key not in self._ways:
            rows = self.facilities_of(state)
            own = self.category(state[0])
            if own is not None and own.measure == "radius":
                self._ways[key] = straight_ways(self.plan, self.layer, rows)
            else:
                self._ways[key] = self.walks(mode).nearest(rows, reading)
        return self._ways[key]

    def each_within(self, state: State, limit_m: float) -> list[tuple[Ints, Floats]]:
        """Return for each facility of a category the buildings within a limit of the first."""
        key = (state, f"{limit_m}")
        if key not in self._each:
            rows = self.facilities_of(state)
            own = self.category(state[0])
            if own is not None and own.measure == "radius":
                self._each[key] = straight_within(self.plan, self.layer, rows, limit_m)
            else:
                self._each[key] = self.first_walks.each_within(rows, limit_m)
        return self._each[key]

    @property
    def first_walks(self) -> Walks:
        """The searches of the first walker."""
        return self.walks(WALKERS[self.first][0])

    def tied(self) -> Flags:
        """Tell which buildings lie on the edge between two streets, for the first walker."""
        return ~self.first_walks.doors.other.off

    def limits(self) -> dict[tuple[str, str], float]:
        """Return category (as the coverage writes it) and walker → limit in metres, as told."""
        rows = self.plan.frame("coverage").drop_duplicates(["category", "walker"])
        return {(str(r.category), str(r.walker)): float(r.limit_m)
                for r in rows.itertuples(index=False)}

    def now(self) -> Iterator[tuple[str, float, Category | None]]:
        """Go through the categories as they are now: name, limit and row of the profile."""
        limits = self.limits()
        for name, after in self.states():
            if not after and (name, self.first) in limits:
                yield name, limits[name, self.first], self.category(name)

    def towns(self) -> Ints:
        """Return the community that each facility stands in, the first by id, -1 for none."""
        ids = self.plan.ids("communities").astype(str)
        order = np.argsort(ids, kind="stable")
        points, shapes = self.plan.shapes("facilities"), self.plan.shapes("communities")[order]
        out = np.full(len(points), len(shapes), dtype=np.int64)
        point, area = shapely.STRtree(shapes).query(points, predicate="intersects")
        np.minimum.at(out, point, area)
        return np.where(out == len(shapes), -1, np.append(order, -1)[out])

    def states(self) -> list[State]:
        """Return the categories of the coverage in both states, in order."""
        return [state_of(c) for c in sorted(set(self.plan.ids("coverage", "category")))]

    def is_doubtful(self) -> bool:
        """Tell whether any building or facility has ways of which only one is real."""
        walks = [self.walks(WALKERS[w][0]) for w in self.asked.walkers if self.can_walk(w)]
        return any(side.entries.unsure.any() for w in walks for side in (w.doors, w.facilities))

    def meant_for(self, own: Category | None) -> Floats:
        """Return the households that a category is meant for, by the kind of their community."""
        if own is None or not own.kinds:
            return self.people
        return np.where(np.isin(self.kinds.astype(str), own.kinds), self.people, 0.0)


def lay_circle(plan: PlanData, layer: str = "buildings") -> CircleDesk:
    """Gather people and places of a plan."""
    return CircleDesk(plan, read_circle_asked(plan), layer,
                      np.nan_to_num(plan.numbers(layer, "households")), _list_kinds(plan, layer),
                      {s.name: s for s in _list_scopes(plan, layer)})


def _list_kinds(plan: PlanData, layer: str) -> NDArray[np.object_]:
    if layer == "demand":
        return np.full(len(plan.frame(layer)), "urban", dtype=object)
    kinds = dict(zip(plan.ids("communities"), plan.ids("communities", "kind"), strict=True))
    return np.array([kinds.get(c) or "urban" for c in plan.ids(layer, "community_id")],
                    dtype=object)


def _list_scopes(plan: PlanData, layer: str) -> Iterator[Scope]:
    count = len(plan.frame(layer))
    yield Scope("city", np.array(["all"], dtype=object), np.zeros(count, dtype=np.int64))
    if layer == "demand":
        yield Scope("demand", plan.ids("demand"), np.arange(count))
        return
    community = positions(plan.ids("communities"), plan.ids(layer, "community_id"))
    town = plan.ids("communities", "subdistrict_id")
    towns = np.array(sorted(set(town) - {""}), dtype=object)
    if len(towns):
        of = positions(towns, town)
        yield Scope("subdistrict", towns, np.where(community >= 0, of[community], -1))
    yield Scope("community", plan.ids("communities"), community)
    yield Scope("grid", plan.ids("grids"), positions(plan.ids("grids"),
                                                     plan.ids(layer, "grid_id")))


def split_words(text: str) -> list[str]:
    """Return the categories of a facility.

    >>> split_words("park; pitch")
    ['park', 'pitch']
    """
    return [word.strip() for word in str(text).split(";") if word.strip()]


def bounds_within(ways: Ways, limit_m: float) -> tuple[Flags, Flags]:
    """Return who surely reaches a facility within a limit, and who perhaps does."""
    return ways.high <= limit_m - WAY_M, ways.low <= limit_m + WAY_M


def find_quantile(scope: Scope, people: Floats, metres: Floats, share: float,
                  above: bool = False) -> Floats:
    """Return per place the smallest distance that this share of its households stays within.

    With ``above`` it is the smallest that more than the share stays within. Inf where nobody
    gets that far, NaN where nobody lives.

    >>> scope = Scope("city", np.array(["all"], dtype=object), np.zeros(3, dtype=np.int64))
    >>> find_quantile(scope, np.array([1.0, 1.0, 2.0]), np.array([5.0, 7.0, 9.0]), 0.5).tolist()
    [7.0]
    """
    keep = np.flatnonzero((scope.of >= 0) & (people > 0))
    order = keep[np.lexsort((metres[keep], scope.of[keep]))]
    place = scope.of[order]
    total = scope.total(people)
    running = np.cumsum(people[order])
    before = np.concatenate([[0.0], np.cumsum(total)])[place]
    need = share * total[place]
    slack = 1e-9 * np.maximum(1.0, total[place])
    fine = (running - before > need + slack) if above else (running - before >= need - slack)
    first = pd.Series(metres[order][fine]).groupby(place[fine]).first()
    out = np.where(total > 0, np.inf, np.nan)
    out[first.index.to_numpy(dtype=np.int64)] = first.to_numpy()
    return out
