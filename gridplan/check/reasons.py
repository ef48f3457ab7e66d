"""In range, or a reason that holds: parts, statuses and sentences worked out anew."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from gridplan.check.graph import Flags, Ints, Pairs, label_pieces, positions
from gridplan.check.merge import joined_communities
from gridplan.check.proofs import can_be_cut, fits_count
from gridplan.check.reading import PlanData
from gridplan.check.verdict import Accepted, CheckReport

# Parts of at most this many units can be proven to have no division.
PROOF_UNITS = 40
# Grids that may be listed as unproven, as a share of all; one always may.
UNPROVEN_SHARE = 0.005
EMPTY_SPECIAL_M2 = 10_000.0
PLACE_SHARE = 0.5
CODES = ("count", "enumeration", "unproven", "building", "small", "exclave", "empty",
         "special-place", "special-empty", "locked")
_STATUS_OF = {"building": ("over",), "small": ("small",), "exclave": ("exclave",),
              "empty": ("empty",), "special-place": ("special",), "special-empty": ("special",),
              "unproven": ("unproven",)}
# In a sentence about these, the household count of the part or building must stand.
_WHOLE_NUMBER = re.compile(r"(?<![\d.])\d+(?!\d|\.\d)")
_TOLD = ("count", "enumeration", "small", "exclave", "building")


@dataclass
class Part:
    """A connected piece of a community after what stands alone is taken out.

    ``units`` are positions in the units layer, ``grids`` in the grids layer.
    ``apart`` tells whether it lies off the largest piece of its community, None
    where the largest by area and by households differ.
    """

    households: int
    units: Ints
    grids: Ints
    apart: bool | None
    certified: str = ""

    def expected(self, low: int, high: int) -> tuple[str, ...]:
        """Return the codes a grid of this part may have where it is out of range."""
        if self.households == 0:
            return ("empty",)
        if self.households < low:
            return ("small", "exclave") if self.apart is None else (
                ("exclave",) if self.apart else ("small",))
        if not fits_count(self.households, low, high):
            return ("count", "enumeration")
        return ("enumeration", "unproven")


@dataclass
class Ground:
    """What reasons are judged by: one entry per grid, one Part per connected piece."""

    low: Ints
    high: Ints
    households: Ints
    biggest: Ints
    alone: Flags
    special: Flags
    locked: Flags
    area_m2: np.ndarray
    place_share: np.ndarray
    parts: list[Part]
    part_of: Ints
    code: list[str]
    sentence: list[str]

    @property
    def in_range(self) -> Flags:
        """Whether each grid holds a number of households in its range."""
        return (self.low <= self.households) & (self.households <= self.high)


def lay_ground(plan: PlanData, report: CheckReport, limits: pd.DataFrame, contacts: Pairs,
               grid_of: Ints) -> Ground:
    """Work out parts and facts of every grid from units, buildings and special places."""
    count = len(plan.frame("grids"))
    load = plan.numbers("buildings", "households").astype(np.int64)
    own = positions(plan.ids("grids"), plan.ids("buildings", "grid_id"))
    biggest = np.zeros(count, dtype=np.int64)
    np.maximum.at(biggest, own, load)
    households = np.bincount(own, load, minlength=count).astype(np.int64)
    special = plan.ids("grids", "kind") == "special"
    locked = plan.numbers("grids", "locked") == 1
    high = limits["high"].to_numpy()
    alone = (biggest > high) & (households == biggest) & ~special & ~locked
    reasons = [r.partition(":") for r in plan.ids("grids", "reason").tolist()]
    code = [r[0].strip() for r in reasons]
    empty_land = special & np.array([c == "special-empty" for c in code], dtype=bool)
    ground = Ground(limits["low"].to_numpy(), high, households, biggest, alone, special, locked,
                    shapely.area(plan.shapes("grids")), _place_shares(plan), [],
                    np.full(count, -1, dtype=np.int64), code, [r[2].strip() for r in reasons])
    out = special | alone | locked
    # Land without households was part of what was cut, and a grid may have run across it. A
    # plan may also number its parts without that land.
    readings = (~out | empty_land, ~out) if empty_land.any() else (~out,)
    for inside in readings:
        _find_parts(plan, ground, contacts, grid_of, inside, ~out)
        faults = _numbering_faults(plan, ground)
        if not len(faults):
            break
    if len(faults):
        report.add("range", "part_differs", "grids", plan.ids("grids")[faults], "part")
    return ground


def check_statuses(plan: PlanData, report: CheckReport, ground: Ground) -> None:
    """Grids in range are ok and need no reason; all others have one that holds."""
    ids, status = plan.ids("grids"), plan.ids("grids", "status")
    marked = (status == "special") != ground.special
    if marked.any():
        report.add("range", "special_unmarked", "grids", ids[marked], "kind")
    fine = ground.in_range & ~ground.special
    reason = plan.ids("grids", "reason")
    for key, bad in (("needless_reason", fine & ((status != "ok") | (reason != ""))),
                     ("out_of_range", ~fine & (status == "ok")),
                     ("reason_missing", ~fine & (status != "ok") & (reason == ""))):
        if bad.any():
            report.add("range", key, "grids", ids[bad], "status",
                       households=int(ground.households[bad][0]), low=int(ground.low[bad][0]),
                       high=int(ground.high[bad][0]))
    for k in np.flatnonzero(~fine & (reason != "")).tolist():
        _check_reason(plan, report, ground, k)
    # Grids of communities that were merged stay as they are: nobody has cut them anew yet.
    joined = joined_communities(plan)
    owner = plan.ids("grids", "community_id")
    cut = [p.grids for p in ground.parts if len(p.grids) > 1 and 0 < p.households
           < ground.low[p.grids[0]] and (ground.households[p.grids] > 0).sum() > 1
           and owner[p.grids[0]] not in joined]
    if cut:
        report.add("range", "small_cut", "grids", ids[np.concatenate(cut)], "part")
    owner_of = dict(zip(ids, owner, strict=True))
    listed = [a.grid_id for a in report.exceptions if a.proof == "listed"
              and owner_of[a.grid_id] not in joined]
    unproven = len(listed)
    report.counts["unproven"] = unproven
    if unproven > max(1.0, UNPROVEN_SHARE * len(ids)):
        report.add("range", "unproven_many", "grids",
                   listed, "status",
                   limit=100 * UNPROVEN_SHARE)


def prove_part(plan: PlanData, part: Part, contacts: Pairs, low: int, high: int) -> bool | None:
    """Tell whether a part can be cut into grids in range; None where it stays open."""
    if not fits_count(part.households, low, high):
        return False
    if len(part.units) > PROOF_UNITS:
        return None
    inside = np.isin(contacts.left, part.units) & np.isin(contacts.right, part.units)
    edges = zip(np.searchsorted(part.units, contacts.left[inside]).tolist(),
                np.searchsorted(part.units, contacts.right[inside]).tolist(), strict=True)
    load = plan.numbers("units", "households")[part.units].astype(int)
    return can_be_cut(load.tolist(), list(edges), low, high)


def check_proofs(plan: PlanData, report: CheckReport, ground: Ground, contacts: Pairs) -> None:
    """Search anew where a plan claims that nothing in range exists; fill ``Part.certified``."""
    for part in ground.parts:
        claims = {ground.code[k] for k in part.grids.tolist()} & {"count", "enumeration"}
        if not claims:
            continue
        low, high = int(ground.low[part.grids[0]]), int(ground.high[part.grids[0]])
        answer = prove_part(plan, part, contacts, low, high)
        part.certified = {None: "open", True: "feasible", False: "proven"}[answer]
        if answer:
            rows = [k for k in part.grids.tolist() if ground.code[k] in claims]
            report.add("range", "feasible_part", "grids", plan.ids("grids")[rows], "reason",
                       claim=", ".join(sorted(claims)), households=part.households, low=low,
                       high=high)


def _check_reason(plan: PlanData, report: CheckReport, ground: Ground, k: int) -> None:
    code, name = ground.code[k], plan.ids("grids")[k]
    status = plan.ids("grids", "status")[k]
    if code not in CODES:
        report.add("range", "reason_unknown", "grids", [name], "reason", code=code,
                   codes=", ".join(CODES))
        return
    before = len(report.broken)
    expected = _expected_codes(ground, k)
    low, high = int(ground.low[k]), int(ground.high[k])
    if code not in expected:
        report.add("range", "reason_false", "grids", [name], "reason", code=code,
                   expected=", ".join(expected) or "-", households=int(ground.households[k]),
                   low=low, high=high)
    fitting = _STATUS_OF.get(code, ("under",) if ground.households[k] < low else ("over",))
    if status not in fitting:
        report.add("range", "status_false", "grids", [name], "status", found=status,
                   expected=", ".join(fitting), code=code)
    part = ground.parts[ground.part_of[k]] if ground.part_of[k] >= 0 else None
    wrong = _wrong_numbers(plan, ground, k, part)
    if wrong:
        report.add("range", "reason_number", "grids", [name], "reason",
                   numbers=", ".join(wrong), code=code)
    if len(report.broken) == before:
        listed = code == "unproven" or (code == "enumeration" and part is not None
                                        and part.certified == "open")
        report.exceptions.append(Accepted(name, status, code, plan.ids("grids", "reason")[k],
                                          "listed" if listed else "recomputed"))


def _expected_codes(ground: Ground, k: int) -> tuple[str, ...]:
    """Return the codes that are true of grid ``k``."""
    if ground.special[k]:
        place = ("special-place",) if ground.place_share[k] >= PLACE_SHARE else ()
        empty = ground.households[k] == 0 and ground.area_m2[k] >= EMPTY_SPECIAL_M2
        return (*place, "special-empty") if empty else place
    if ground.locked[k]:
        return ("locked",)
    if ground.alone[k]:
        return ("building",)
    if ground.part_of[k] < 0:
        return ()
    return ground.parts[ground.part_of[k]].expected(int(ground.low[k]), int(ground.high[k]))


def _find_parts(plan: PlanData, ground: Ground, contacts: Pairs, grid_of: Ints, inside: Flags,
                numbered: Flags) -> None:
    """Fill parts from the pieces that the units of the grids in ``inside`` form."""
    members = inside[grid_of]
    label = label_pieces(len(grid_of), contacts.left, contacts.right, members)
    piece = label_pieces(len(grid_of), contacts.left, contacts.right)
    off = _off_main_piece(plan, piece)
    load = plan.numbers("units", "households").astype(np.int64)
    ground.parts, ground.part_of[:] = [], -1
    order = np.argsort(label, kind="stable")
    order = order[label[order] >= 0]
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    for units in np.split(order, starts[1:]) if len(order) else []:
        grids = np.unique(grid_of[units])
        grids = grids[numbered[grids]]
        if not len(grids):
            continue
        apart = off[units[0]]
        ground.part_of[grids] = len(ground.parts)
        ground.parts.append(Part(int(load[units].sum()), np.sort(units), grids,
                                 None if apart == 1 else bool(apart)))


def _off_main_piece(plan: PlanData, piece: Ints) -> Ints:
    """Return for each unit 0 on its community's largest piece, 2 off it, 1 where it is disputed.

    Largest is read by area and by households.
    """
    table = pd.DataFrame({"community": plan.ids("units", "community_id"), "piece": piece,
                          "m2": shapely.area(plan.shapes("units")),
                          "households": plan.numbers("units", "households")})
    total = table.groupby(["community", "piece"], sort=True)[["m2", "households"]].sum()
    off = np.zeros(len(piece), dtype=np.int64)
    for column in ("m2", "households"):
        main = total.groupby(level=0)[column].transform("max")
        rank = (total[column] < main).astype(int)
        off += rank.loc[list(zip(table["community"], table["piece"], strict=True))].to_numpy()
    return off


def _numbering_faults(plan: PlanData, ground: Ground) -> Ints:
    """Return the grids whose part number does not follow the pieces."""
    told = plan.numbers("grids", "part").astype(np.int64)
    table = pd.DataFrame({"community": plan.ids("grids", "community_id"), "told": told,
                          "found": ground.part_of})
    bad = (table["found"] < 0) != (table["told"] == 0)
    inside = table[(table["found"] >= 0) & ~bad]
    for one, other in (("told", "found"), ("found", "told")):
        many = inside.groupby(["community", one])[other].transform("nunique") > 1
        bad[many[many].index] = True
    bad |= table["told"] < 0
    return np.flatnonzero(bad.to_numpy())


def _place_shares(plan: PlanData) -> np.ndarray:
    """Return the share of each grid that lies in the special place it overlaps most."""
    grids, places = plan.shapes("grids"), plan.shapes("specials")
    share = np.zeros(len(grids))
    if len(places):
        places = np.where(shapely.is_valid(places), places, shapely.make_valid(places))
        place, grid = shapely.STRtree(grids).query(places, predicate="intersects")
        common = shapely.area(shapely.intersection(grids[grid], places[place]))
        np.maximum.at(share, grid, common / np.maximum(shapely.area(grids[grid]), 1e-9))
    return share


def _wrong_numbers(plan: PlanData, ground: Ground, k: int, part: Part | None) -> list[str]:
    """Return the whole numbers of two digits and more in a sentence that are not true."""
    code = ground.code[k]
    if code == "unproven":
        return []
    text = re.sub(r"(?<=\d)[,\u2009\u202f](?=\d{3}\b)", "", ground.sentence[k])
    told = _WHOLE_NUMBER.findall(text)
    for name in sorted(_names(plan, ground, k), key=len, reverse=True):
        text = re.sub(rf"(?<!\d){re.escape(name)}(?!\d)", " ", text)
    allowed = _true_numbers(plan, ground, k, part) | _advised(plan, k)
    wrong = [n for n in _WHOLE_NUMBER.findall(text) if len(n) > 1 and int(n) not in allowed]
    if code in _TOLD:
        subject = int(ground.biggest[k]) if code == "building" or part is None else part.households
        if str(subject) not in told:
            wrong.append(f"≠ {subject}")
    return wrong


def _advised(plan: PlanData, k: int) -> set[int]:
    """Return the numbers of the advice in the certificate of a grid's part, checked there."""
    row = plan.frame("grids").iloc[k]
    out: set[int] = set()
    for entry in _entries(plan, row["community_id"]):
        if entry.get("part") == row["part"]:
            merger = entry.get("merger")
            told = [*_listed(entry.get("nearest")), *_listed(entry.get("fits")),
                    *((merger.get("part"), merger.get("households"))
                      if isinstance(merger, dict) else ())]
            out |= {n for n in told if isinstance(n, int)}
    return out


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _entries(plan: PlanData, community: str) -> list[dict[str, object]]:
    """Return the certificate of a community; what cannot be read is told elsewhere."""
    text = plan.ids("communities", "certificate")[plan.ids("communities") == community]
    try:
        entries = json.loads(text[0]) if len(text) and text[0] else []
    except json.JSONDecodeError:
        entries = []
    return [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []


def _names(plan: PlanData, ground: Ground, k: int) -> set[str]:
    """Return ids and names that may stand in the sentence about a grid, digits and all."""
    row = plan.frame("grids").iloc[k]
    names = {row["grid_id"], row["community_id"]}
    if ground.code[k] in ("count", "enumeration"):
        names |= {str(m["community"]) for e in _entries(plan, row["community_id"])
                  if isinstance(m := e.get("merger"), dict) and m.get("community")}
    if ground.code[k] == "special-place":
        names |= set(plan.frame("specials")[["special_id", "name"]].to_numpy().ravel())
    if ground.code[k] == "building":
        held = (plan.ids("buildings", "grid_id") == row["grid_id"]) & (
            plan.numbers("buildings", "households") == ground.biggest[k])
        columns = ["building_id", "number", "name"]
        names |= set(plan.frame("buildings").loc[held, columns].to_numpy().ravel())
    return {str(n) for n in names if n}


def _true_numbers(plan: PlanData, ground: Ground, k: int, part: Part | None) -> set[int]:
    low, high = int(ground.low[k]), int(ground.high[k])
    owner = plan.ids("grids", "community_id")
    total = int(ground.households[owner == owner[k]].sum())
    out = {low, high, total, int(ground.households[k]), int(ground.biggest[k])}
    if part is not None:
        load = plan.numbers("units", "households")[part.units]
        most = part.households // low + 2
        out |= {part.households, len(part.units), int((load > 0).sum()), len(part.grids)}
        out |= {end * n for end in (low, high) for n in range(1, most + 1)}
        out |= set(ground.households[part.grids].tolist())
    hectares = ground.area_m2[k] / 1e4
    out |= {int(hectares), round(hectares), round(ground.area_m2[k])}
    return out | {round(100 * ground.place_share[k]), int(100 * ground.place_share[k])}
