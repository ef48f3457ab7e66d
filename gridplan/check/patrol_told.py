"""How broken rules of patrols are told."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gridplan.check.verdict import CheckReport


def tell(report: CheckReport, key: str, layer: str, rows: Iterable[object], field: str = "",
         **values: object) -> None:
    """Add a broken rule where there are rows that break it."""
    held = list(rows)
    if held:
        report.add("patrol", key, layer, held, field, **values)


def shown(value: object) -> str:
    """Write a number short.

    >>> shown(1.23456), shown(float("nan"))
    ('1.235', '-')
    """
    number = float(str(value))
    return f"{round(number, 3):.10g}" if np.isfinite(number) else "-"
