"""The desk as the verifier sees it: what was asked, who there is, which posts, who holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.check.graph import positions, shared_segments, sum_pairs, touching
from gridplan.check.reading import PlanData

GRID_ROLES = ("responsible", "backup")
COMMUNITY_ROLES = ("coordinator", "community_officer", "mediator", "guard", "social_worker",
                   "liaison", "newcomer_assistant")
# A post → the roles of those who may hold it; a post of a community takes its own role.
HOLDERS = {"responsible": ("responsible",), "backup": ("responsible", "assistant", "backup")}
# Staff who are counted as people of the grids.
GRID_STAFF = ("responsible", "assistant", "backup")
TERMS = ("household", "newcomer", "rented", "unmanaged_estate", "hectare", "without_lift",
         "key_place", "patrol_km")
UNLIMITED = np.inf

_PROFILES: dict[str, dict[str, int]] = {
    "nantong": {"coordinator": 1, "community_officer": 1, "mediator": 2, "guard": 2,
                "social_worker": 1, "liaison": 1}}
_PER_GRID = {"responsible": ("responsibles", 1), "backup": ("backups", 0)}
_UNMANAGED = ("none", "no", "无", "无物业")
_STAIRS = (4, 6)
_KEY_PLACES = frozenset((
    "school", "primary_school", "middle_school", "kindergarten", "health_station",
    "health_centre", "hospital", "wet_market", "bank", "nursing_home", "elderly_day_care",
    "culture_centre", "sports_centre"))
_PREMISES = "community_service_station"


@dataclass(frozen=True)
class Asked:
    """The parameters of the assignment, as the run table tells them."""

    table: Mapping[str, object]

    def number(self, name: str, default: float, kind: str = "") -> float:
        """Return a number; where communities of a kind have their own, that one."""
        own = self.table.get(kind)
        found = own.get(name) if isinstance(own, dict) and name in own else self.table.get(name)
        return float(found) if isinstance(found, int | float) else default

    def flag(self, name: str) -> bool:
        """Return a switch that is off unless asked for."""
        return self.table.get(name) is True

    def community_posts(self) -> dict[str, int]:
        """Return how many people of each role a community needs."""
        own = self.table.get("community_roles")
        told = dict(own) if isinstance(own, dict) else {}
        both = {**_PROFILES.get(str(self.table.get("profile")), {}), **told}
        return {str(role): int(count) for role, count in both.items() if int(count) > 0}

    def weights(self) -> dict[str, float]:
        """Return the weight of each term of the workload."""
        told = self.table.get("workload")
        told = told if isinstance(told, dict) else {}
        return {t: float(told.get(t, 1.0 if t == "household" else 0.0)) for t in TERMS}

    def first_aim(self) -> str:
        """Return the aim that counts most after filling posts."""
        order = self.table.get("order")
        return str(order[0]) if isinstance(order, list) and order else (
            "" if order == [] else "continuity")


@dataclass(frozen=True)
class Desk:
    """What the rules stand on.

    Attributes
    ----------
    people
        Indexed by staff_id: role, community_id, share, households and grids she has room for.
    posts
        place (grid_id or community_id), role, community_id, kind, slots, households, workload.
    held
        The assignments: assignment_id, place, inside (of a grid), staff_id, role, travel_m, kept,
        community_id and kind of the place ('' where it is unknown).
    near
        Pairs of communities that share a metre of border, both ways.
    """

    asked: Asked
    people: pd.DataFrame
    posts: pd.DataFrame
    held: pd.DataFrame
    near: frozenset[tuple[str, str]]

    def of_role(self, role: str) -> pd.DataFrame:
        """Return the assignments to posts of a role."""
        return self.held[(self.held["role"] == role).to_numpy()]


def tells_staff(plan: PlanData) -> bool:
    """Tell whether people were assigned in a plan."""
    return bool(len(plan.frame("staff")) or len(plan.frame("assignments"))
                or any(key.startswith("assign:") for key in plan.run))


def read_asked(plan: PlanData) -> Asked:
    """Read the parameters of the assignment out of the run table."""
    try:
        held = json.loads(plan.run.get("parameters") or "{}")
    except json.JSONDecodeError:
        held = {}
    told = held.get("assign") if isinstance(held, dict) else None
    return Asked(told if isinstance(told, dict) else {})


def lay_desk(plan: PlanData) -> Desk:
    """Gather people, posts and assignments from the layers of a plan."""
    asked = read_asked(plan)
    kinds = {c: k or "urban" for c, k in zip(
        plan.ids("communities"), plan.ids("communities", "kind"), strict=True)}
    return Desk(asked, _list_people(plan, asked, kinds), _list_posts(plan, asked, kinds),
                _list_held(plan, kinds),
                _find_near(plan) if asked.flag("across") else frozenset())


def needs_people(plan: PlanData) -> NDArray[np.bool_]:
    """Tell which grids need people: where somebody lives, and special ones that are not empty."""
    code = np.array([str(r).split(":")[0].strip() for r in plan.ids("grids", "reason")],
                    dtype=object)
    lived = plan.numbers("grids", "households") > 0
    return lived | ((plan.ids("grids", "kind") == "special") & (code != "special-empty"))


def _list_people(plan: PlanData, asked: Asked, kinds: Mapping[str, str]) -> pd.DataFrame:
    home = plan.ids("staff", "community_id")
    share = np.nan_to_num(plan.numbers("staff", "part_time"), nan=1.0)
    told = plan.numbers("staff", "capacity")
    usual = np.floor(np.array([asked.number("most_households", 500, kinds.get(c, "urban"))
                               for c in home]) * share + 1e-9)
    by_grid = (plan.ids("staff", "capacity_unit") == "grids") & ~np.isnan(told)
    room = np.where(np.isnan(told), usual, told)
    return pd.DataFrame({
        "role": plan.ids("staff", "role"), "community_id": home, "share": share,
        "households": np.where(by_grid, UNLIMITED, room),
        "grids": np.where(share <= 0, 0.0, np.where(by_grid, room, UNLIMITED))},
        index=pd.Index(plan.ids("staff"), name="staff_id"))


def _list_posts(plan: PlanData, asked: Asked, kinds: Mapping[str, str]) -> pd.DataFrame:
    need = needs_people(plan)
    town = plan.ids("grids", "community_id")[need]
    inside = pd.DataFrame({
        "place": plan.ids("grids")[need], "community_id": town,
        "kind": [kinds.get(c, "urban") for c in town],
        "households": np.nan_to_num(plan.numbers("grids", "households")[need]),
        "workload": sum_workload(plan, asked)[need]})
    parts = [inside.assign(role=role, slots=[
        int(asked.number(name, least, k)) for k in inside["kind"]])
        for role, (name, least) in _PER_GRID.items()]
    parts += [pd.DataFrame({
        "place": list(kinds), "community_id": list(kinds), "kind": list(kinds.values()),
        "households": 0.0, "workload": 1.0, "role": role, "slots": count})
        for role, count in asked.community_posts().items()]
    table = pd.concat(parts, ignore_index=True)
    return table[(table["slots"] > 0).to_numpy()].reset_index(drop=True)


def _list_held(plan: PlanData, kinds: Mapping[str, str]) -> pd.DataFrame:
    grid, town = plan.ids("assignments", "grid_id"), plan.ids("assignments", "community_id")
    owner = dict(zip(plan.ids("grids"), plan.ids("grids", "community_id"), strict=True))
    where = [owner.get(g, "") if g else c for g, c in zip(grid, town, strict=True)]
    return pd.DataFrame({
        "assignment_id": plan.ids("assignments"), "place": np.where(grid != "", grid, town),
        "inside": grid != "", "staff_id": plan.ids("assignments", "staff_id"),
        "role": plan.ids("assignments", "role"),
        "travel_m": plan.numbers("assignments", "travel_m"),
        "kept": plan.numbers("assignments", "kept") == 1,
        "community_id": where, "kind": [kinds.get(c, "urban") for c in where]})


def _find_near(plan: PlanData) -> frozenset[tuple[str, str]]:
    ids = plan.ids("communities")
    parts, of = shapely.get_parts(plan.shapes("communities"), return_index=True)
    segments = shared_segments(parts, np.zeros(len(parts), dtype=np.int64))
    apart = of[segments.left] != of[segments.right]
    segments = segments.take(apart)
    left, right = of[segments.left], of[segments.right]
    pairs = touching(sum_pairs(np.minimum(left, right), np.maximum(left, right),
                               segments.length_m, len(ids)))
    found = list(zip(ids[pairs.left], ids[pairs.right], strict=True))
    return frozenset((*found, *((b, a) for a, b in found)))


# ---- workload ------------------------------------------------------------------------------

def count_terms(plan: PlanData) -> dict[str, NDArray[np.float64]]:
    """Count what makes work in every grid, in the order of the layer.

    Estates without management, of which a building lies in the grid, count once in each; a key
    place on a border counts for the first grid by code; metres of patrol are not known yet.
    """
    ids = plan.ids("grids")
    home = positions(ids, plan.ids("buildings", "grid_id"))
    floors = plan.numbers("buildings", "floors")
    climbed = (floors >= _STAIRS[0]) & (floors <= _STAIRS[1]) & (home >= 0)
    houses = np.nan_to_num(plan.numbers("buildings", "households"))
    loose = {e for e, told in zip(plan.ids("estates"), plan.ids("estates", "management"),
                                  strict=True) if str(told).strip().lower() in _UNMANAGED}
    found = {(int(g), e) for g, e in zip(home, plan.ids("buildings", "estate_id"), strict=True)
             if e in loose and g >= 0}
    unmanaged = np.bincount(np.array([g for g, _ in found], dtype=np.int64), minlength=len(ids))
    return {
        "household": np.nan_to_num(plan.numbers("grids", "households")),
        "newcomer": np.nan_to_num(plan.numbers("grids", "newcomers")),
        "rented": np.nan_to_num(plan.numbers("grids", "rented")),
        "unmanaged_estate": unmanaged.astype(np.float64),
        "hectare": np.nan_to_num(plan.numbers("grids", "area_m2")) / 1e4,
        "without_lift": np.bincount(home[climbed], houses[climbed],
                                    minlength=len(ids)).astype(np.float64),
        "key_place": _count_places(plan), "patrol_km": np.zeros(len(ids))}


def sum_workload(plan: PlanData, asked: Asked) -> NDArray[np.float64]:
    """Return weight × count, summed over the terms, for every grid."""
    weights, terms = asked.weights(), count_terms(plan)
    return np.sum([weights[t] * terms[t] for t in TERMS], axis=0)


def _count_places(plan: PlanData) -> NDArray[np.float64]:
    ids = plan.ids("grids")
    count = np.zeros(len(ids))
    points = list_facilities(plan, _KEY_PLACES)
    point, grid = shapely.STRtree(plan.shapes("grids")).query(points, predicate="intersects")
    first: dict[int, int] = {}
    for p, g in zip(point.tolist(), grid.tolist(), strict=True):
        if p not in first or str(ids[g]) < str(ids[first[p]]):
            first[p] = g
    for g in first.values():
        count[g] += 1
    return count


def list_facilities(plan: PlanData, wanted: frozenset[str]) -> NDArray[np.object_]:
    """Return where the existing facilities with one of the categories are."""
    keep = [status != "proposed" and bool(wanted & {c.strip() for c in str(told).split(";")})
            for told, status in zip(plan.ids("facilities", "categories"),
                                    plan.ids("facilities", "status"), strict=True)]
    return plan.shapes("facilities")[np.array(keep, dtype=bool)]


def list_premises(plan: PlanData) -> dict[str, NDArray[np.float64]]:
    """Return where ways of a community may begin, (n, 2): its premises, else a point on its land.

    A community with several premises has a row for each.
    """
    points, shapes = list_facilities(plan, frozenset((_PREMISES,))), plan.shapes("communities")
    town, point = shapely.STRtree(points).query(shapes, predicate="intersects")
    out = {}
    for k, name in enumerate(plan.ids("communities")):
        own = points[np.sort(point[town == k])]
        out[str(name)] = shapely.get_coordinates(
            own if len(own) else shapely.point_on_surface(shapes[k]))
    return out
