"""Units become grids: what stands alone, what is cut, and why a grid is an exception.

For each community the special places, the buildings above the range and
locked grids are taken out; what is left falls into *parts*, connected pieces that are cut one
by one. Large land without households is taken out of the grids afterwards:
before the cut it would tear the parts to fragments.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.layers import Units, one_polygon
from gridplan.params import Params, Range
from gridplan.partition.advice import name_nearest
from gridplan.partition.constraints import Wishes, hold_links
from gridplan.partition.estates import cut_whole_estates
from gridplan.partition.graph import Contacts, Floats, Ints, components
from gridplan.partition.objective import price_grids

# Land without households below this size does not stand alone if it has neighbours.
_SCRAP_M2 = 5_000.0


@dataclass(frozen=True)
class Reason:
    """Why a grid is an exception: a code and the values of its sentence."""

    code: str
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """A grid before it is drawn: its units (positions) and how it came to be.

    ``lock`` is the row of the locked grid that it is, -1 for one that was cut.
    """

    members: Ints
    kind: str = "basic"
    status: str = "ok"
    reason: Reason | None = None
    part: int = 0
    lock: int = -1

    @property
    def is_cut(self) -> bool:
        """Whether it came out of the cut of a part."""
        return self.kind == "basic" and self.lock < 0 and (
            self.reason is None or self.reason.code != "building")


@dataclass(frozen=True)
class CutCommunity:
    """The grids of one community and, for each part with exceptions, its certificate."""

    grids: list[Grid]
    certificates: dict[int, dict[str, object]] = field(default_factory=dict)

    def certificate(self) -> str:
        """Return the certificates as JSON, '' where there are none."""
        listed = [{"part": part, **self.certificates[part]} for part in sorted(self.certificates)]
        return json.dumps(listed, ensure_ascii=False) if listed else ""


def cut_community(units: Units, contacts: Contacts, members: Ints, limits: Range,
                  params: Params, piece: Ints, wishes: Wishes) -> CutCommunity:
    """Divide the units of one community into grids.

    Parameters
    ----------
    members
        Positions of the community's units in ``units.frame``.
    piece
        For each unit of the frame the piece of the community's polygon it lies on.
    wishes
        Must-links, locked grids and the spread of households.
    """
    frame = units.frame
    near = contacts.among(members, len(frame))
    lock = wishes.locked[members]
    special = np.where(lock < 0, frame["special_id"].fillna("").to_numpy(dtype=object)[members], "")
    households = frame["households"].to_numpy()[members]
    estate = wishes.estate[members]
    over = stands_alone(frame, limits)[members] & (lock < 0)
    grids = _locked_grids(members, households, lock, limits)
    grids += _special_grids(members, special, near)
    grids += [Grid(members[k:k + 1], status="over", reason=Reason("building", {
        "households": int(frame["biggest"].iloc[members[k]]), "high": limits.high}))
        for k in np.flatnonzero(over & (special == ""))]
    cut_off = (special != "") | over | (lock >= 0)
    free = np.flatnonzero(~cut_off)
    links, near = hold_links(wishes, members, ~cut_off, near, households, limits.high)
    inside = near.among(free, len(members))
    label = components(len(free), inside.a, inside.b)
    main = _main_piece(piece[members[free]], households[free])
    certificates = {}
    parts = [free[label == p] for p in range(int(label.max(initial=-1)) + 1)]
    for number, part in enumerate(parts, start=1):
        apart = bool(len(part)) and piece[members[part[0]]] != main
        cut, certificate = cut_part(
            members[part], households[part], estate[part], near.among(part, len(members)), limits,
            params, apart, links=links[part], variance=wishes.variance[members[part]])
        grids += [replace(g, part=number) for g in cut]
        if certificate:
            certificates[number] = certificate
    return CutCommunity(_adopt_scraps(grids, frame["area_m2"].to_numpy(), contacts), certificates)


def stands_alone(frame: pd.DataFrame, limits: Range) -> NDArray[np.bool_]:
    """Tell which units are one building above the range."""
    biggest = frame["biggest"].to_numpy()
    alone: NDArray[np.bool_] = (biggest > limits.high) & (biggest == frame["households"].to_numpy())
    return alone


def _locked_grids(members: Ints, households: Ints, lock: Ints, limits: Range) -> list[Grid]:
    grids = []
    for row in np.unique(lock[lock >= 0]).tolist():
        load = int(households[lock == row].sum())
        fine = limits.low <= load <= limits.high
        why = None if fine else Reason("locked", {"households": load, "low": limits.low,
                                                  "high": limits.high})
        status = "ok" if fine else ("under" if load < limits.low else "over")
        grids.append(Grid(members[lock == row], status=status, reason=why, lock=row))
    return grids


def _special_grids(members: Ints, special: NDArray[np.object_], near: Contacts) -> list[Grid]:
    held = np.flatnonzero(special != "")
    if not len(held):
        return []
    same = special[near.a] == special[near.b]
    place = np.full(len(members), -1, dtype=np.int64)
    place[held] = np.arange(len(held))
    keep = same & (place[near.a] >= 0) & (place[near.b] >= 0)
    label = components(len(held), place[near.a][keep], place[near.b][keep])
    return [Grid(members[held[label == k]], "special", "special",
                 Reason("special-place", {"special_id": str(special[held[label == k][0]])}))
            for k in range(label.max() + 1)]


def _main_piece(piece: Ints, households: Ints) -> int:
    if not len(piece):
        return -1
    load = np.bincount(piece, households) + np.bincount(piece) * 1e-6
    return int(np.argmax(load))


def cut_part(members: Ints, households: Ints, estate: Ints, near: Contacts, limits: Range,
             params: Params, apart: bool, *, links: Ints,
             variance: Floats) -> tuple[list[Grid], dict[str, object]]:
    """Cut one part; return its grids and, where it has exceptions, its certificate.

    The arrays are those of the part's units; ``near`` is numbered like them.
    ``apart`` tells that the part lies on another piece of the community than most of it,
    ``links`` which units must lie together.
    """
    total = int(households.sum())
    low, high = limits.low, limits.high
    if total == 0:
        return [Grid(members, status="empty", reason=Reason("empty"))], {}
    if total < low:
        code = "exclave" if apart else "small"
        reason = Reason(code, {"households": total, "low": low})
        return [Grid(members, status=code, reason=reason)], {}
    toll = price_grids(households, variance, limits, params.partition.objective)
    cut = cut_whole_estates(households, estate, near, limits, params, links=links, toll=toll)
    load = np.bincount(cut.labels, households, minlength=cut.count).astype(np.int64)
    advice = name_nearest(households, near, limits, load, cut.status)
    grids = []
    for k in range(cut.count):
        inside = low <= load[k] <= high
        status = "ok" if inside else ("under" if load[k] < low else "over")
        why = None if inside else _reason_of(cut.status, total, len(members), limits,
                                             cut.effort_spent, advice)
        if why is not None and why.code == "unproven":
            status = "unproven"
        grids.append(Grid(members[cut.labels == k], status=status, reason=why))
    bad = [g for g in grids if g.reason is not None]
    if not bad or bad[0].reason is None:
        return grids, {}
    return grids, {"kind": bad[0].reason.code, "low": low, "high": high, "grids": cut.count,
                   "households": total, **advice}


def _reason_of(status: str, total: int, units: int, limits: Range, effort: str,
               advice: dict[str, object]) -> Reason:
    values: dict[str, object] = {"households": total, "low": limits.low, "high": limits.high,
                                 **advice}
    if not limits.fits(total):
        fewer = total // limits.low
        return Reason("count", {**values, "fewer": fewer, "more": fewer + 1,
                                "hold": fewer * limits.high, "need": (fewer + 1) * limits.low})
    if status == "enumeration":
        return Reason("enumeration", {**values, "units": units})
    groups, starts, recuts = (int(n) for n in re.findall(r"\d+", effort)[:3])
    return Reason("unproven", {**values, "groups": groups, "starts": starts, "recuts": recuts})


def _adopt_scraps(grids: list[Grid], area: NDArray[np.float64],
                  contacts: Contacts) -> list[Grid]:
    """Give parts without households that are small, or touch one grid alone, to a neighbour.

    Of several neighbours the one with the longest border takes it. A special
    place takes in less than half of its own area, so that it stays what it is named for.
    """
    owner = np.full(len(area), -1, dtype=np.int64)
    for k, grid in enumerate(grids):
        owner[grid.members] = k
    scraps = [k for k, g in enumerate(grids) if g.status == "empty"]
    known = (owner[contacts.a] >= 0) & (owner[contacts.b] >= 0)
    a, b, length = owner[contacts.a[known]], owner[contacts.b[known]], contacts.length_m[known]
    into: dict[int, int] = {}
    room = {k: float(area[g.members].sum()) / 2 for k, g in enumerate(grids) if g.kind == "special"}
    for k in scraps:
        size = float(area[grids[k].members].sum())
        share: dict[int, float] = {}
        for x, y, m in ((a, b, length), (b, a, length)):
            for other, metres in zip(y[x == k].tolist(), m[x == k].tolist(), strict=True):
                if other != k and other not in scraps and grids[other].lock < 0 and (
                        size < room.get(other, np.inf)):
                    share[other] = share.get(other, 0.0) + metres
        if share and (len(share) == 1 or size < _SCRAP_M2):
            to = max(share, key=lambda o: (grids[o].kind == "special", share[o], -o))
            into[k] = to
            room[to] = room.get(to, np.inf) - size
    extra: dict[int, list[Ints]] = {}
    for k, to in into.items():
        extra.setdefault(to, []).append(grids[k].members)
    return [replace(g, members=np.sort(np.concatenate([g.members, *extra[k]]))) if k in extra
            else g for k, g in enumerate(grids) if k not in into]


def carve_empty(cut: CutCommunity, units: Units, contacts: Contacts, empty_m2: float, *,
                spare_proven: bool = True) -> CutCommunity:
    """Take large land without households out of basic grids, as special grids.

    A grid stays in one piece and does not come to lie round what is taken out;
    a large part without households becomes special whole. With ``spare_proven``
    a part of several grids that has an exception stays as it was: its
    certificate speaks of the land it was cut from.
    """
    households = units.frame["households"].to_numpy()
    area = units.frame["area_m2"].to_numpy()
    polygon = units.frame.geometry.to_numpy()
    proven = {g.part for g in cut.grids if spare_proven and g.status != "ok" and sum(
        o.part == g.part for o in cut.grids) > 1}
    out: list[Grid] = []
    for grid in cut.grids:
        empty = households[grid.members] == 0
        if grid.kind != "basic" or grid.lock >= 0 or grid.part in proven or area[
                grid.members[empty]].sum() < empty_m2:
            out.append(grid)
            continue
        if empty.all():
            out.append(Grid(grid.members, "special", "special", Reason("special-empty")))
            continue
        near = contacts.among(grid.members, len(households)).passable(len(empty))
        spots = np.flatnonzero(_peel(empty, area[grid.members], near))
        inside = near.among(spots, len(empty))
        label = components(len(spots), inside.a, inside.b)
        keep = np.ones(len(empty), dtype=bool)
        for k in range(int(label.max(initial=-1)) + 1):
            spot = spots[label == k]
            if area[grid.members[spot]].sum() >= empty_m2 and not _surrounds(
                    polygon, grid.members, spot):
                keep[spot] = False
                out.append(Grid(grid.members[spot], "special", "special",
                                Reason("special-empty")))
        out.append(replace(grid, members=grid.members[keep]))
    return replace(cut, grids=out)


def _surrounds(polygon: NDArray[np.object_], members: Ints, spot: Ints) -> bool:
    """Tell whether the rest of a grid would lie round the units ``spot``."""
    rest = np.delete(members, spot)
    holes = [shapely.get_num_interior_rings(one_polygon(shapely.coverage_union_all(polygon[m])))
             for m in (members, rest)]
    return bool(holes[1] > holes[0])


def _peel(empty: NDArray[np.bool_], area: NDArray[np.float64],
          near: Contacts) -> NDArray[np.bool_]:
    """Take away empty units, largest first, while the rest stays connected."""
    gone = np.zeros(len(empty), dtype=bool)
    order = np.flatnonzero(empty)[np.argsort(-area[empty], kind="stable")]
    changed = True
    while changed:
        changed = False
        for k in order[~gone[order]].tolist():
            gone[k] = True
            rest = np.flatnonzero(~gone)
            inside = near.among(rest, len(empty))
            if components(len(rest), inside.a, inside.b).max(initial=0) > 0:
                gone[k] = False
            else:
                changed = True
    return gone


def join_empty(cut: CutCommunity, contacts: Contacts, count: int) -> CutCommunity:
    """Join special grids without households that touch each other."""
    loose = [g for g in cut.grids if _is_loose(g)]
    if len(loose) < 2:
        return cut
    group = np.full(count, -1, dtype=np.int64)
    for k, grid in enumerate(loose):
        group[grid.members] = k
    both = (group[contacts.a] >= 0) & (group[contacts.b] >= 0)
    label = components(len(loose), group[contacts.a[both]], group[contacts.b[both]])
    joined = [replace(loose[0], members=np.sort(np.concatenate(
        [loose[k].members for k in np.flatnonzero(label == g)])))
        for g in range(label.max() + 1)]
    return replace(cut, grids=[g for g in cut.grids if not _is_loose(g)] + joined)


def _is_loose(grid: Grid) -> bool:
    return grid.reason is not None and grid.reason.code == "special-empty"


def number_parts(cut: CutCommunity, contacts: Contacts, count: int) -> CutCommunity:
    """Give the connected pieces that basic grids form now their numbers, from 1; others have 0.

    Taking out empty land can split a part; each piece of it is then a part of its own.
    """
    plain = [k for k, g in enumerate(cut.grids) if g.is_cut]
    members = np.concatenate([cut.grids[k].members for k in plain] or [np.empty(0, np.int64)])
    inside = contacts.among(members, count)
    label = components(len(members), inside.a, inside.b)
    ends = np.cumsum([len(cut.grids[k].members) for k in plain])
    grids = [replace(g, part=0) for g in cut.grids]
    certificates = {}
    for k, end in zip(plain, ends.tolist(), strict=True):
        part = int(label[end - 1]) + 1
        grids[k] = replace(cut.grids[k], part=part)
        if cut.grids[k].part in cut.certificates:
            certificates[part] = cut.certificates[cut.grids[k].part]
    return CutCommunity(grids, certificates)
