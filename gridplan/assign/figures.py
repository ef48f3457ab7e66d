"""The figures of an assignment, each with its numerator and denominator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from gridplan.assign.holding import Holding
from gridplan.assign.posts import MAY_HOLD
from gridplan.assign.rounds import Round
from gridplan.layers import conform
from gridplan.params import AssignParams

# Shares of communities and grids with management: the goals of Hefei, and those of Nantong.
GOALS = {"urban": 1.0, "rural": 0.6}
EARLY_GOALS = {"urban": 0.8, "rural": 0.3}
_TENTHS = 10

Proof = dict[str, dict[str, float | None]]  # aim → value, bound, gap, rounds


@dataclass
class Table:
    """Rows of the layer ``figures`` in the making."""

    rows: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, name: str, scope: str, scope_id: str, value: float | None, unit: str,
            target: float | None = None, numerator: float | None = None,
            denominator: float | None = None) -> None:
        """Add one row."""
        self.rows.append((name, scope, scope_id, value, unit, target, numerator, denominator))

    def add_ratio(self, name: str, scope: str, scope_id: str, part: float, whole: float,
                  unit: str = "share", target: float | None = None) -> None:
        """Add part ÷ whole; without a whole there is no value."""
        self.add(name, scope, scope_id, part / whole if whole else None, unit, target,
                 float(part), float(whole))

    def frame(self) -> pd.DataFrame:
        """Return the rows as the layer."""
        return conform("figures", pd.DataFrame(self.rows, columns=[
            "name", "scope", "scope_id", "value", "unit", "target", "numerator", "denominator"]))


def cover_figures(table: Table, posts: pd.DataFrame, filled: pd.Series) -> None:
    """Add what share of communities, grids and households has a responsible.

    Scopes are the city (``all``; ``urban`` with old quarters; ``rural``) and, for grids and
    households, every community. Of communities those count that have a grid that needs people,
    as managed those of which at least one grid has a responsible.

    Parameters
    ----------
    posts
        Those of responsibles.
    filled
        People in each post, aligned with ``posts``.
    """
    held = posts.assign(there=(filled > 0).to_numpy(dtype=bool))
    for scope, scope_id, rows in split_scopes(held, held["kind"], held["community_id"]):
        kind = scope_id if scope == "city" else _scope_of(rows["kind"].iloc[0])
        if scope == "city":
            towns = rows.groupby("community_id")["there"].any()
            for name, goals in (("communities_with_grids", GOALS),
                                ("communities_with_grids_early", EARLY_GOALS)):
                table.add_ratio(name, scope, scope_id, int(towns.sum()), len(towns),
                                target=goals.get(scope_id))
        table.add_ratio("grids_with_responsible", scope, scope_id, int(rows["there"].sum()),
                        len(rows), target=GOALS.get(kind))
        table.add_ratio("households_with_responsible", scope, scope_id,
                        int(rows.loc[rows["there"], "households"].sum()),
                        int(rows["households"].sum()))


def staff_figures(table: Table, posts: pd.DataFrame, people: pd.DataFrame,
                  towns: pd.DataFrame, params: AssignParams) -> None:
    """Add staff for each grid, and newcomer assistants for 1,000 newcomers, by home community.

    Staff of grids are responsibles, assistants and backups of the roster, whether they have a
    post or not. Where no newcomers are known the second has no value.

    Parameters
    ----------
    towns
        Indexed by community_id: kind, newcomers (0 where unknown).
    """
    grids = posts.groupby("community_id").size().reindex(towns.index).fillna(0)
    home = people["community_id"]
    ours = home[people["role"].isin(MAY_HOLD["backup"]).to_numpy(dtype=bool)].value_counts()
    aids = home[(people["role"] == "newcomer_assistant").to_numpy(dtype=bool)].value_counts()
    counts = pd.DataFrame({
        "grids": grids, "staff": ours.reindex(towns.index).fillna(0),
        "aids": aids.reindex(towns.index).fillna(0), "newcomers": towns["newcomers"]})
    for scope, scope_id, rows in split_scopes(counts, towns["kind"], counts.index.to_series()):
        table.add_ratio("staff_per_grid", scope, scope_id, float(rows["staff"].sum()),
                        float(rows["grids"].sum()), "staff", params.staff_per_grid)
        table.add_ratio("newcomer_assistants_per_1000", scope, scope_id,
                        float(rows["aids"].sum()), float(rows["newcomers"].sum()) / 1000, "staff",
                        1000 / params.newcomers_per_assistant)


def vacancy_figures(table: Table, shortage: pd.DataFrame, kinds: pd.Series) -> None:
    """Add vacant posts, all and by role: value missing, numerator filled, denominator needed.

    Parameters
    ----------
    shortage
        community_id, role, needed, filled, missing.
    """
    kind = shortage["community_id"].map(kinds).fillna("urban")
    for scope, scope_id, rows in split_scopes(shortage, kind, shortage["community_id"]):
        table.add("vacant_posts", scope, scope_id, float(rows["missing"].sum()), "posts", None,
                  float(rows["filled"].sum()), float(rows["needed"].sum()))
        for role, some in rows.groupby("role", sort=True):
            table.add(f"missing_staff:{role}", scope, scope_id, float(some["missing"].sum()),
                      "staff", None, float(some["filled"].sum()), float(some["needed"].sum()))


def load_figures(table: Table, loads: pd.DataFrame, kinds: pd.Series) -> None:
    """Add the largest and mean load of those who are responsible for a grid, and a histogram.

    A load is the workload of her grids ÷ her part of full working time. ``load_share:0.4`` counts
    responsibles, those without a grid too, who fill 0.4 and more, but less than 0.5, of their
    room (households, or grids where capacity is in grids); ``load_share:1.0`` those who fill all.

    Parameters
    ----------
    loads
        One row for everybody with the role of a responsible: community_id (her own), grids,
        load, used (0–1, part of her room).
    """
    busy = loads[(loads["grids"] > 0).to_numpy(dtype=bool)]
    kind = busy["community_id"].map(kinds).fillna("urban")
    for scope, scope_id, rows in split_scopes(busy, kind, busy["community_id"]):
        most, total = float(rows["load"].max()), float(rows["load"].sum())
        table.add("load_max", scope, scope_id, most, "workload")
        table.add_ratio("load_mean", scope, scope_id, total, len(rows), "workload")
        table.add_ratio("load_max_to_mean", scope, scope_id, most, total / len(rows), "ratio")
    # A part of 0.3 is a little less for a computer.
    tenth = np.floor(loads["used"].to_numpy(dtype=float) * _TENTHS + 1e-9).astype(np.int64)
    tenth = np.clip(tenth, 0, _TENTHS)
    for lower in range(_TENTHS + 1):
        table.add(f"load_share:{lower / _TENTHS:.1f}", "city", "all",
                  float((tenth == lower).sum()), "staff", None, float((tenth == lower).sum()),
                  float(len(loads)))


def aim_figures(table: Table, rounds: Sequence[Round], holding: Holding, wishes: int,
                proof: Proof) -> None:
    """Add how far each aim was met, and ``<name>_bound``, the best there could be, where known.

    ``kept_assignments`` counts people who keep a post, of those held before; the others of these
    are ``changed_assignments``. ``travel_m`` is the sum over all assignments.
    """
    chosen = pd.concat([r.chosen for r in rounds])
    held, kept = len(holding.table), int(chosen["kept"].sum())
    granted, way = int(chosen["wished"].sum()), float(chosen["travel_m"].sum())
    bound = {aim: told["bound"] for aim, told in proof.items()}
    most = bound.get("continuity")
    for name, value, unit, whole, best in (
            ("kept_assignments", kept, "assignments", held, most),
            ("changed_assignments", held - kept, "assignments", held,
             None if most is None else held - most),
            ("wishes_granted", granted, "wishes", wishes, bound.get("wishes")),
            ("travel_m", way, "m", None, bound.get("travel"))):
        table.add(name, "city", "all", float(value), unit, None,
                  None if whole is None else float(value), whole)
        if best is not None:
            table.add(f"{name}_bound", "city", "all", float(best), unit)
    if bound.get("balance") is not None:
        table.add("load_max_bound", "city", "all", bound["balance"], "workload")


def term_figures(table: Table, terms: pd.DataFrame, weights: Mapping[str, float]) -> None:
    """Add what each term with a weight makes of a grid's workload; numerator is the count."""
    for name in (n for n in terms if weights[n] > 0):
        for grid, count in terms[name].items():
            table.add(f"workload:{name}", "grid", str(grid), weights[name] * count, "workload",
                      None, float(count))


def split_scopes(table: pd.DataFrame, kind: pd.Series, community: pd.Series
                 ) -> list[tuple[str, str, pd.DataFrame]]:
    """Return the rows of the city, of its urban and rural part and of every community."""
    side = kind.map(_scope_of).to_numpy(dtype=object)
    parts = [("city", "all", table)]
    parts += [("city", name, table[side == name]) for name in ("urban", "rural")]
    parts += [("community", str(name), rows) for name, rows in table.groupby(
        community.to_numpy(dtype=object), sort=True)]
    return [(scope, scope_id, rows) for scope, scope_id, rows in parts if len(rows)]


def _scope_of(kind: object) -> str:
    return "rural" if kind == "rural" else "urban"
