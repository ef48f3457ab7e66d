"""One table of a dispatcher while it is checked: its rows, and how a fault in them is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from gridplan.errors import Finding, Findings, Outcome, first_ids
from gridplan.layers import LAYERS, conform
from gridplan.sheets import fold


@dataclass
class Table:
    """A table by the name it was given under, the layer it becomes, and where it came from.

    ``heads`` are ours → the headings of the file. Rows are told by the rows of the file where the
    index has their numbers, else by their id. A table is ``old`` where the plan has it from
    before and others are given anew: it may refer to what those no longer hold. One that is
    ``open`` is still to be proposed: whatever refers to it stands.
    """

    name: str
    layer: str
    frame: Any
    findings: Findings
    file: str = ""
    heads: Mapping[str, str] = field(default_factory=dict)
    old: bool = False
    open: bool = False

    def text(self, name: str) -> pd.Series:
        """Return a column as text without blanks round it, ``""`` where it says nothing."""
        if name not in self.frame:
            return pd.Series("", self.frame.index, dtype=object)
        return self.frame[name].astype("string").str.strip().fillna("").astype(object)

    def tell(self, key: str, wrong: Any, name: str, *, outcome: Outcome = "error",
             **told: object) -> None:
        """Tell of the rows that are ``wrong`` in the column ``name``, if there are any."""
        mask = np.asarray(wrong, dtype=bool)
        if not mask.any():
            return
        rows = self.frame.index[mask] if self.frame.index.name == "row" else (
            self.text(self.key)[mask])
        value = self.text(name)[mask].iloc[0]
        self.findings.items.append(Finding(
            key, outcome, self.file, self.name, first_ids(dict.fromkeys(rows)),
            self.heads.get(name, name), int(mask.sum()), {"value": value, **told}))

    @property
    def key(self) -> str:
        """The column of ids."""
        return LAYERS[self.layer].key if self.layer in LAYERS else "point_id"

    def check_ids(self, name: str) -> None:
        """Tell of blank ids and of those that come twice."""
        ids = self.text(name)
        self.tell("patrol.input_blank", ids == "", name)
        twice = ids.duplicated(keep=False) & (ids != "")
        self.tell("patrol.input_twice", twice, name, ids=first_ids(dict.fromkeys(ids[twice])))

    def check_word(self, name: str, known: Sequence[str]) -> None:
        """Tell of words that are none of a list; blank is allowed."""
        words = self.text(name)
        odd = (words != "") & ~words.isin(known)
        self.tell("patrol.input_word", odd, name, known=", ".join(known),
                  words=first_ids(dict.fromkeys(words[odd])))

    def check_number(self, name: str, low: float, high: float, whole: bool) -> None:
        """Tell of numbers that are none, out of range or broken, and leave them blank."""
        if name not in self.frame:
            return
        column = self.frame[name]
        number = pd.to_numeric(column, errors="coerce").astype("Float64").to_numpy(
            dtype=float, na_value=np.nan)
        stated = (self.text(name) != "").to_numpy()
        none = stated & ~np.isfinite(number)
        beyond = stated & ~none & ~((number >= low) & (number <= high))
        broken = stated & ~none & ~beyond & whole & (number != np.round(number))
        self.tell("patrol.input_no_number", none, name)
        self.tell("patrol.input_range", beyond, name, low=f"{low:,g}", high=f"{high:,g}")
        self.tell("patrol.input_whole", broken, name)
        held = pd.array(np.where(none | beyond | broken | ~stated, 0.0, number), dtype="Float64")
        held[none | beyond | broken | ~stated] = pd.NA
        self.frame = self.frame.assign(**{name: held})

    def fill(self, name: str, values: pd.Series) -> None:
        """Fill blank cells of a column; ``""`` and NA fill nothing."""
        blank = (self.text(name) == "").to_numpy()
        known = values.notna().to_numpy() & (values.astype(object) != "").to_numpy(dtype=bool)
        if (blank & known).any():
            own = self.frame[name].astype(object).to_numpy(dtype=object, copy=True)
            own[blank & known] = values.to_numpy(dtype=object)[blank & known]
            self.frame = self.frame.assign(**{name: pd.array(own, dtype=self.frame[name].dtype)})

    def lookup(self, key: str, name: str) -> dict[str, str]:
        """Return id → another column; the first of an id that comes twice."""
        pairs = zip(self.text(key), self.text(name), strict=True)
        return dict(reversed([(str(a), str(b)) for a, b in pairs]))

    def finished(self) -> Any:
        """Return the table with the columns of its layer and a plain index."""
        out = self.frame.reset_index(drop=True)
        return conform(self.layer, out) if self.layer in LAYERS else out


def refer(table: Table, name: str, other: Table, key: str) -> None:
    """Hold a column to the ids of another table, or its names where only one is called so."""
    words = table.text(name)
    ids = {str(v) for v in other.text(key)}
    titles = [fold(t) for t in other.text("name")]
    count = Counter(titles)
    by_name = {t: str(i) for t, i in zip(titles, other.text(key), strict=True)
               if t and count[t] == 1}
    meant = words.map(lambda w: w if w in ids or not w else by_name.get(fold(w), ""))
    lost = (words != "") & (meant == "")
    if not (table.old or other.open):
        table.tell("patrol.input_unknown", lost, name, other=other.name,
                   words=first_ids(dict.fromkeys(words[lost])),
                   known=first_ids(sorted(ids), 5) or "–")
    changed = (meant != words) & ~lost
    if changed.any():
        table.frame = table.frame.assign(**{name: pd.array(
            meant.where(~lost, words).replace("", pd.NA), dtype="string")})
