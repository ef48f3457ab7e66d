"""Reads the numbers of a roster: capacities with their unit, shares of working time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from gridplan.roster.cells import Cells
from gridplan.roster.words import FULL_TIME, UNIT_WORDS
from gridplan.sheets import fold

_MOST = 10**6  # no capacity is larger; a phone in the wrong column is
_FEW = 20
_UNIT_BEHIND = r"(?i)\s*(households?|grids?|户数?|个?网格|个|格)$"


def read_capacity(cells: Cells) -> tuple[pd.Series, pd.Series]:
    """Return capacities (Int64, NA where none is stated) and their unit, and tell what is wrong.

    A unit may stand in its column, behind the number (``450户``) or in the heading (可管网格数).
    """
    text = cells.text["capacity"]
    behind = text.str.extract(_UNIT_BEHIND)[0]
    plain = text.str.replace(_UNIT_BEHIND, "", regex=True)
    plain = plain.str.replace(r"^(-?\d{1,3}(?:,\d{3})+)$", lambda m: m[0].replace(",", ""),
                              regex=True)
    number = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    stated = text.notna().to_numpy()
    none = stated & ~(np.abs(number) <= _MOST)
    below = stated & ~none & (number < 0)
    broken = stated & ~none & ~below & (number != np.round(number))
    for key, wrong in (("capacity", none), ("capacity_negative", below),
                       ("capacity_broken", broken)):
        cells.tell(f"roster.{key}", "error", wrong, "capacity")
    given = cells.text["capacity_unit"]
    word = given.fillna(behind)
    unit = word.map(lambda w: UNIT_WORDS.get(fold(w), ""), na_action="ignore").astype("string")
    odd = (unit == "").fillna(False).to_numpy(dtype=bool)
    cells.tell("roster.unit_unknown", "error", odd, "capacity_unit")
    heading = "grids" if "网格" in cells.heads.get("capacity", "") else "households"
    few = stated & unit.isna().to_numpy() & ~none & (number < _FEW)
    if heading == "households":
        cells.tell("roster.capacity_small", "warning", few & ~below, "capacity")
    fit = ~(none | below | broken)
    capacity = pd.Series(pd.array(number, dtype="Float64"), text.index).where(
        fit & stated).round().astype("Int64")
    return capacity, unit.fillna(heading).mask(~stated & given.isna().to_numpy())


def read_share(cells: Cells) -> pd.Series:
    """Return shares of full working time (Float64), 1 where none is stated, and tell faults.

    ``50%`` and ``0.5`` are the same; so are ``1``, ``100%`` and ``全职``.
    """
    text = cells.text["part_time"]
    full = text.fillna("").map(fold).isin(FULL_TIME).to_numpy(dtype=bool)
    percent = text.str.endswith("%").fillna(False).to_numpy(dtype=bool)
    number = pd.to_numeric(text.str.removesuffix("%").str.strip().mask(full), errors="coerce"
                           ).to_numpy(dtype=float, na_value=np.nan)
    number = np.where(percent, np.round(number / 100, 6), number)
    number[full | text.isna().to_numpy()] = 1.0
    none = ~np.isfinite(number)
    beyond = ~none & ((number <= 0) | (number > 1))
    cells.tell("roster.part_time", "error", none, "part_time")
    cells.tell("roster.part_time_beyond", "error", beyond, "part_time")
    return pd.Series(pd.array(np.where(none | beyond, 1.0, number), dtype="Float64"), text.index)


def join_prefix(words: Iterable[str]) -> list[str]:
    """Return the entries of a list of places; ``社区:ID`` reads as ``community:ID``.

    >>> join_prefix(["G-001", "", "社区:C1", "Community:", "C2"])
    ['G-001', 'community:C1', 'community:C2']
    """
    out: list[str] = []
    waits = False
    for word in words:
        head, colon, tail = word.partition(":")
        if colon and fold(head) in ("community", "社区"):
            waits = not tail
            out += [] if waits else [f"community:{tail}"]
        elif word:
            out.append(f"community:{word}" if waits else word)
            waits = False
    return out
