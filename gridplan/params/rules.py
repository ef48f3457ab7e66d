"""What the values of parameters are held to."""

from __future__ import annotations

import math

from gridplan.errors import Finding, InputError

MODES = ("foot", "bike", "ebike", "car")


def check(owner: object, **rules: bool) -> None:
    """Raise with every field whose rule does not hold, or that is infinite."""
    bad = [name for name, holds in rules.items()
           if not holds or (isinstance(value := getattr(owner, name), float)
                            and not math.isfinite(value))]
    if bad:
        raise InputError(*(Finding("params.bad_value", layer=type(owner).__name__, field=name,
                                   values={"value": getattr(owner, name)}) for name in bad))


def within(value: object, low: float, high: float = math.inf) -> bool:
    """Tell whether something out of a file is a finite number of this range."""
    return (isinstance(value, int | float) and math.isfinite(value)
            and low <= value <= high)


def counts(value: object, low: int) -> bool:
    """Tell whether something out of a file is a whole number from ``low`` to a million."""
    return type(value) is int and low <= value <= 1_000_000
