"""One layer while it is cleaned: its rows, what became of each, and how that is told."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan.errors import Findings, Outcome, TallyRow, first_ids
from gridplan.layers import INPUTS

USED, REPAIRED, REJECTED, OUTSIDE = range(4)


class Held:
    """A layer on its way; ``frame`` is indexed by the position of each row in the input.

    Parameters
    ----------
    role
        The layer.
    frame
        As read; it is copied.
    file
        The file it came from, for messages.
    findings
        Where everything is told.
    """

    def __init__(self, role: str, frame: gpd.GeoDataFrame, file: str, findings: Findings) -> None:
        key = INPUTS[role].key if role in INPUTS else ""
        plain = frame.reset_index() if frame.index.name == key and key not in frame else frame
        self.role, self.file, self.findings, self.key = role, file, findings, key
        labels = pd.Series(frame.index.astype(str), dtype="string")
        if key in plain:
            labels = pd.Series(plain[key].astype("string").array).fillna(labels)
        self.labels = labels.to_numpy(dtype=object)
        self.households = (pd.to_numeric(pd.Series(plain["households"].array)).to_numpy(
            dtype=float, na_value=0.0) if "households" in plain else np.zeros(len(plain)))
        self.fate = np.full(len(plain), USED, dtype=np.int8)
        self.frame = plain.set_axis(pd.RangeIndex(len(plain)), axis=0)
        self.frame.attrs = {}

    @property
    def shapes(self) -> np.ndarray:
        """The geometries, one per row."""
        return np.asarray(self.frame.geometry.array)

    @shapes.setter
    def shapes(self, shapes: np.ndarray) -> None:
        self.frame = self.frame.set_geometry(
            gpd.GeoSeries(shapes, index=self.frame.index, crs=self.frame.crs))

    def tell(self, key: str, outcome: Outcome, which: np.ndarray, **values: Any) -> None:
        """Tell of the rows in the mask ``which``, if there are any; repairs are tallied."""
        if not which.any():
            return
        rows = self.frame.index.to_numpy()[which]
        if outcome == "repaired":
            self.fate[rows] = REPAIRED
        self.findings.add(key, outcome, file=self.file, layer=self.role, count=int(which.sum()),
                          row=first_ids(dict.fromkeys(self.labels[rows])), **values)

    def drop(self, which: np.ndarray, fate: int) -> None:
        """Take the rows in the mask ``which`` out, and note what became of them."""
        self.fate[self.frame.index.to_numpy()[which]] = fate
        self.frame = self.frame[~which]

    def households_of(self, which: np.ndarray) -> int:
        """Return the given households of the rows in the mask ``which``."""
        return int(self.households[self.frame.index.to_numpy()[which]].sum())

    def tally(self) -> TallyRow:
        """Return the row of the tally: rows_in = used + repaired + rejected + outside."""
        used, repaired, rejected, outside = (int((self.fate == f).sum()) for f in range(4))
        kept = self.fate <= REPAIRED
        return TallyRow("read", self.role, len(self.fate), used, repaired, rejected, outside,
                        int(self.households.sum()), int(self.households[kept].sum()))
