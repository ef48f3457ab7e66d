"""What communities claim: their status, and the certificates of their parts."""

from __future__ import annotations

import json
import re

import numpy as np
import shapely

from gridplan.check.graph import ROOK_M, Pairs
from gridplan.check.proofs import fits_count
from gridplan.check.reading import PlanData
from gridplan.check.reasons import Ground, Part, prove_part
from gridplan.check.verdict import CheckReport

_KINDS = ("count", "enumeration", "unproven")
_CALLS_FOR = {"unproven": {"unproven"}, "over": {"over"}, "small": {"small", "under", "exclave"},
              "failed": {"under", "over", "unproven"}}


def check_communities(plan: PlanData, report: CheckReport) -> None:
    """Compare each community's status with its grids; unless it is ok it needs a reason."""
    grids = plan.frame("grids").groupby("community_id").agg(
        status=("status", set), reason=("reason", " ".join))
    rows = zip(*(plan.ids("communities", c) for c in ("community_id", "status", "reason")),
               plan.numbers("communities", "households").astype(int), strict=True)
    wrong, silent = [], []
    for name, told, reason, total in rows:
        held = grids["status"].get(name, set())
        troubled = held & {"unproven", "over", "small", "under", "exclave"}
        if (told == "ok") == bool(troubled) or (
                told != "ok" and not held & _CALLS_FOR.get(told, set())):
            wrong.append(name)
        elif told != "ok" and not reason:
            silent.append(name)
        known = {str(total), *re.findall(r"\d+", grids["reason"].get(name, ""))}
        strange = [n for n in re.findall(r"\d{2,}", reason) if n not in known]
        if strange:
            report.add("range", "reason_number", "communities", [name], "reason",
                       numbers=", ".join(strange), code=told)
    if wrong:
        report.add("range", "community_status", "communities", wrong, "status")
    if silent:
        report.add("range", "reason_missing", "communities", silent, "reason", households="-",
                   low="-", high="-")


def check_certificates(plan: PlanData, report: CheckReport, ground: Ground,
                       contacts: Pairs) -> None:
    """Every part cut out of range has a certificate whose figures and claim are true."""
    owner = plan.ids("grids", "community_id")
    number = plan.numbers("grids", "part").astype(np.int64)
    needed: dict[str, dict[int, Part]] = {}
    claims = np.isin(np.array(ground.code, dtype=object), _KINDS)
    for k in np.flatnonzero((ground.part_of >= 0) & claims).tolist():
        needed.setdefault(owner[k], {})[int(number[k])] = ground.parts[ground.part_of[k]]
    for name, text in zip(plan.ids("communities"), plan.ids("communities", "certificate"),
                          strict=True):
        entries = _read_entries(report, name, text)
        if entries is None:
            continue
        told = [e.get("part") for e in entries]
        missing = sorted(set(needed.get(name, {})) - set(told))
        if missing or len(set(told)) < len(told):
            report.add("range", "certificate_missing", "communities", [name], "certificate",
                       parts=", ".join(map(str, missing)) or "×2")
        for entry in entries:
            held = np.flatnonzero((owner == name) & (number == entry.get("part"))
                                  & (ground.part_of >= 0))
            part = ground.parts[ground.part_of[held[0]]] if len(held) else None
            _check_entry(plan, report, ground, contacts, name, entry, part)


def _check_advice(plan: PlanData, report: CheckReport, ground: Ground, contacts: Pairs,
                  name: str, entry: dict[str, object], part: Part) -> None:
    """Compare what is said to come nearest with the plan, and try what is said to fit."""
    low, high = int(ground.low[part.grids[0]]), int(ground.high[part.grids[0]])

    def say(claim: str, found: object, expected: object) -> None:
        report.add("range", "advice_false", "communities", [name], "certificate",
                   part=entry.get("part"), claim=claim, found=found, expected=expected)

    bad = sorted(ground.households[part.grids][~ground.in_range[part.grids]].tolist())
    if "nearest" in entry and entry["nearest"] != bad:
        say("nearest", entry["nearest"], bad)
    fits = entry.get("fits")
    if fits is not None:
        if not (isinstance(fits, list) and len(fits) == 2 and all(type(n) is int for n in fits)):
            say("fits", fits, "[low, high]")
        elif (fits[0] == low) == (fits[1] == high) or not 1 <= fits[0] <= low <= high <= fits[1]:
            say("fits", fits, f"{low}–{high}")
        elif prove_part(plan, part, contacts, *fits) is False:
            say("fits", fits, part.households)
    if "merger" in entry:
        told = entry["merger"]
        other = _named_part(plan, ground, told)
        both = part.households + (other.households if other else 0)
        if other is None or other is part or not isinstance(told, dict) or told.get(
                "households") != both or not fits_count(both, low, high) or not _share_border(
                    plan, part, other):
            say("merger", told, both)


def _named_part(plan: PlanData, ground: Ground, told: object) -> Part | None:
    if not isinstance(told, dict):
        return None
    held = np.flatnonzero((plan.ids("grids", "community_id") == told.get("community"))
                          & (plan.numbers("grids", "part") == told.get("part"))
                          & (ground.part_of >= 0))
    return ground.parts[ground.part_of[held[0]]] if len(held) else None


def _share_border(plan: PlanData, part: Part, other: Part) -> bool:
    shape = plan.shapes("grids")
    one, two = (shapely.union_all(shape[p.grids]) for p in (part, other))
    # Communities are drawn one by one: their borders may differ by centimetres.
    return bool(shapely.length(shapely.intersection(shapely.boundary(one), shapely.buffer(
        two, 0.05))) >= ROOK_M)


def _read_entries(report: CheckReport, name: str, text: str) -> list[dict[str, object]] | None:
    if not text:
        return []
    try:
        entries = json.loads(text)
    except json.JSONDecodeError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        report.add("range", "certificate_unreadable", "communities", [name], "certificate")
        return None
    return entries


def _check_entry(plan: PlanData, report: CheckReport, ground: Ground, contacts: Pairs,
                 name: str, entry: dict[str, object], part: Part | None) -> None:
    def say(field: str, found: object, expected: object) -> None:
        report.add("range", "certificate_false", "communities", [name], "certificate",
                   part=entry.get("part"), claim=field, found=found, expected=expected)

    if part is None:
        say("part", entry.get("part"), "-")
        return
    low, high = int(ground.low[part.grids[0]]), int(ground.high[part.grids[0]])
    truth = {"households": part.households, "low": low, "high": high, "grids": len(part.grids)}
    for field, expected in truth.items():
        if entry.get(field) != expected:
            say(field, entry.get(field), expected)
    kind = str(entry.get("kind"))
    codes = sorted({ground.code[k] for k in part.grids.tolist()} - {""})
    fitting = ("count",) if codes and codes[0] in ("small", "exclave") else tuple(codes)
    if kind not in _KINDS or kind not in fitting:
        say("kind", kind, ", ".join(fitting) or "-")
    if kind in ("count", "enumeration"):
        _check_advice(plan, report, ground, contacts, name, entry, part)
    if kind in _KINDS and kind in fitting and kind != "unproven" and not part.certified \
            and prove_part(plan, part, contacts, low, high):
        report.add("range", "feasible_part", "communities", [name], "certificate", claim=kind,
                   households=part.households, low=low, high=high)
