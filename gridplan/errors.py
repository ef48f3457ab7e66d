"""What can go wrong, and how it is told.

The tree, with the exit code of the command line::

    GridplanError
    ├── UsageError      2   the command or an option makes no sense
    ├── InputError      3   an input is wrong; nothing was written
    ├── RequestError    4   the request itself cannot be met; nothing was written
    ├── RuleError       5   ``check`` found a rule broken without a valid reason
    └── MachineError    6   disk, lock or rights; the old file is intact

A stage gathers every fault of an input in a :class:`Findings` and raises once,
so that a planner mends all of them in one go. What was repaired or merely
noticed is gathered in the same place and told at the end of the run.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from gridplan.i18n import translate

Outcome = Literal["error", "repaired", "warning", "ask"]


@dataclass(frozen=True)
class Finding:
    """One thing found in an input: where it is, what it is, how to mend it.

    ``key`` names two texts in the catalogue: ``key`` says what is wrong and
    ``key + ".mend"`` how to mend it; ``values`` fill both.
    """

    key: str
    outcome: Outcome = "error"
    file: str = ""
    layer: str = ""
    row: str = ""
    field: str = ""
    count: int = 1
    values: dict[str, object] = dataclasses.field(default_factory=dict)

    def what(self, lang: str = "en") -> str:
        """Say what is wrong, in ``lang``."""
        return translate(self.key, lang, **self._shown())

    def mend(self, lang: str = "en") -> str:
        """Say how to mend it, in ``lang``."""
        return translate(self.key + ".mend", lang, **self._shown())

    def line(self, lang: str = "en") -> str:
        """Return ``code | file › layer › row › field | what | mend``."""
        place = " › ".join(p for p in (self.file, self.layer, self.row, self.field) if p)
        parts = [self.key, place or "-", self.what(lang), self.mend(lang)]
        return " | ".join(p for p in parts if p)

    def _shown(self) -> dict[str, object]:
        return {"count": self.count, "file": self.file, "layer": self.layer, "row": self.row,
                "field": self.field, **self.values}


class GridplanError(Exception):
    """Anything gridplan refuses; carries findings and an exit code."""

    exit_code = 1

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        super().__init__("\n".join(f.line() for f in findings))

    def lines(self, lang: str = "en") -> list[str]:
        """Return one line per finding."""
        return [f.line(lang) for f in self.findings]


class UsageError(GridplanError):
    """The command or an option makes no sense."""

    exit_code = 2


class InputError(GridplanError):
    """An input is wrong; nothing was written."""

    exit_code = 3


class RequestError(GridplanError):
    """The request itself cannot be met; nothing was written."""

    exit_code = 4


class RuleError(GridplanError):
    """The verifier found a rule broken without a valid reason."""

    exit_code = 5


class MachineError(GridplanError):
    """Disk, lock or rights; the old file is intact."""

    exit_code = 6


@dataclass
class TallyRow:
    """Rows and households of one layer in one stage: in = used + repaired + rejected + outside."""

    stage: str
    layer: str
    rows_in: int
    used: int
    repaired: int = 0
    rejected: int = 0
    outside: int = 0
    households_in: int = 0
    households_out: int = 0
    note: str = ""


@dataclass
class Findings:
    """Gathers what a run finds: faults, repairs, warnings and the tally."""

    items: list[Finding] = dataclasses.field(default_factory=list)
    tally: list[TallyRow] = dataclasses.field(default_factory=list)

    def add(self, key: str, outcome: Outcome = "error", *, file: str = "", layer: str = "",
            row: object = "", field: str = "", count: int = 1, **values: object) -> None:
        """Note one finding; ``values`` fill its text."""
        self.items.append(Finding(key, outcome, file, layer, str(row), field, count, values))

    def of(self, *outcomes: Outcome) -> list[Finding]:
        """Return the findings with one of ``outcomes``, in the order found."""
        return [f for f in self.items if f.outcome in outcomes]

    def stop_on_faults(self, error: type[GridplanError] = InputError) -> None:
        """Raise ``error`` with every fault and open question gathered so far, if there is one."""
        faults = self.of("error", "ask")
        if faults:
            raise error(*faults)


def first_ids(ids: object, limit: int = 5) -> str:
    """Name the first few of many ids: ``'a, b, c … (17)'``.

    >>> first_ids(["a", "b"])
    'a, b'
    >>> first_ids(range(17), limit=3)
    '0, 1, 2 … (17)'
    """
    listed = [str(i) for i in ids]  # type: ignore[attr-defined]
    shown = ", ".join(listed[:limit])
    return shown if len(listed) <= limit else f"{shown} … ({len(listed)})"
