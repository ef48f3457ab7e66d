"""The cells of a roster between its file and its frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.errors import Finding, Findings, Outcome, first_ids


@dataclass(frozen=True)
class Cells:
    """The columns of a roster under our names, as text, and where to tell what is wrong."""

    text: pd.DataFrame
    heads: Mapping[str, str]
    file: str
    findings: Findings

    def tell(self, key: str, outcome: Outcome, wrong: NDArray[np.bool_], name: str,
             **told: object) -> None:
        """Tell of the rows that are ``wrong`` in the column ``name``, if there is one."""
        if wrong.any():
            rows = self.text.index[wrong]
            first = self.text[name][wrong].fillna("").iloc[0] if name in self.text else ""
            self.findings.items.append(Finding(
                key, outcome, self.file, row=first_ids(rows), count=len(rows),
                field=self.heads.get(name, name), values={"value": first, **told}))
