"""A made-up assignment and roster for any plan: who holds what, and names nobody else has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gridplan.layers import Roster, Source, conform
from gridplan.plan.staffing import need_people

# Texts that are found nowhere but in the roster.
NAMES = ("欧阳无双", "Quixote Zyx", "令狐冲天")
PHONES = ("13900007777", "+86 139-1111-2222", "0551-6288-9999")
HOMES = ("乌有巷七弄三号", "7 Nowhere Lane", "子虚路九百九十九号")


def add_staff(layers: dict[str, pd.DataFrame], *, backups: int = 1, vacant: Sequence[int] = (),
              short: Sequence[int] = (), guards: int = 0) -> dict[str, pd.DataFrame]:
    """Return a plan with a responsible and backups for every grid that needs people.

    Parameters
    ----------
    vacant, short
        Places of grids that lack a responsible, and of those that lack a backup.
    guards
        Guards that every community needs; one less is there.
    """
    grids, towns = layers["grids"], layers["communities"]
    needs = need_people(grids)
    rows: list[dict[str, object]] = []
    figures: list[dict[str, object]] = []
    for place in np.flatnonzero(needs):
        code, town = grids["grid_id"].iloc[place], grids["community_id"].iloc[place]
        for role, count, gone in (("responsible", 1, place in vacant),
                                  ("backup", backups, place in (*vacant, *short))):
            rows += [_post(code, None, f"S-{place + 1:03d}-{town[-2:]}" if role == "responsible"
                           else f"B-{place + 1:03d}-{n}", role, n) for n in range(1, count + 1)
                     if not gone]
    for town in towns["community_id"]:
        rows += [_post(None, town, f"G-{town[-2:]}-{n}", "guard", n) for n in range(1, guards)]
    held = conform("assignments", pd.DataFrame(rows))
    people = sorted(set(held["staff_id"]))
    for town in towns["community_id"]:
        mine = needs & (grids["community_id"] == town).to_numpy(dtype=bool)
        for role, each in (("responsible", 1), ("backup", backups)):
            there = held["grid_id"].isin(grids["grid_id"][mine]) & (held["role"] == role)
            if each:
                figures.append(_missing(role, town, int(there.sum()), each * int(mine.sum())))
        if guards:
            figures.append(_missing("guard", town, guards - 1, guards))
    figures += _shares(grids, needs, vacant)
    out = {**layers, "assignments": held, "staff": conform("staff", pd.DataFrame({
        "staff_id": people, "role": "responsible"}))}
    out["grids"] = grids.copy()
    out["grids"]["workload"] = pd.array(
        np.where(needs, grids["households"].astype(float) + 12.5, np.nan), dtype="Float64")
    old = layers.get("figures")
    new = conform("figures", pd.DataFrame(figures))
    out["figures"] = new if old is None else pd.concat([old, new], ignore_index=True)
    return out


def make_roster(layers: dict[str, pd.DataFrame]) -> Roster:
    """Return a roster that names everybody who holds a post of a plan."""
    ids = sorted(set(layers["assignments"]["staff_id"]))
    index = pd.Index(ids, name="staff_id")
    pick = np.arange(len(ids)) % len(NAMES)
    people = pd.DataFrame({
        "person": [f"{NAMES[k]}{n}" for n, k in enumerate(pick)],
        "phone": [PHONES[k] for k in pick], "home": [HOMES[k] for k in pick]}, index=index)
    none = pd.DataFrame({"staff_id": [], "grid_id": [], "row": []})
    staff = pd.DataFrame({"role": "responsible", "row": np.arange(len(ids))}, index=index)
    return Roster(staff, people, none, none, none, none, none,
                  Source("roster.xlsx", "roster", "0" * 64, len(ids)))


def _post(grid: object, town: object, person: str, role: str, number: int) -> dict[str, object]:
    return {"assignment_id": f"{grid or town}-{role}-{number}", "grid_id": grid,
            "community_id": town, "staff_id": person, "role": role, "travel_m": 120.0,
            "kept": True}


def _missing(role: str, town: str, have: int, want: int) -> dict[str, object]:
    return {"name": f"missing_staff:{role}", "scope": "community", "scope_id": town,
            "value": want - have, "unit": "staff", "target": None, "numerator": have,
            "denominator": want}


def _shares(grids: pd.DataFrame, needs: np.ndarray, vacant: Sequence[int]
            ) -> list[dict[str, object]]:
    """Return the city's shares, the terms of the first grid and a histogram of loads."""
    have, want = int(needs.sum()) - len(vacant), int(needs.sum())
    city = {"scope": "city", "scope_id": "all"}
    rows = [{**city, "name": "grids_with_responsible", "value": have / want, "unit": "share",
             "target": None, "numerator": have, "denominator": want},
            {**city, "scope_id": "urban", "name": "grids_with_responsible", "value": have / want,
             "unit": "share", "target": 1.0, "numerator": have, "denominator": want}]
    rows += [{**city, "name": f"load_share:{tenth / 10:.1f}", "value": count, "unit": "staff",
              "numerator": count, "denominator": have}
             for tenth, count in enumerate((0, 0, 1, 3, 5, 8, 14, 22, 30, 12, 2))]
    rows += [{"name": "workload:household", "scope": "grid", "scope_id": code, "unit": "workload",
              "value": float(count), "numerator": float(count)}
             for code, count in zip(grids["grid_id"], grids["households"], strict=True)]
    return rows + [{"name": "workload:hectare", "scope": "grid", "scope_id": code, "value": 12.5,
                    "unit": "workload", "numerator": 6.25} for code in grids["grid_id"]]
