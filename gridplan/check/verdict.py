"""What the verifier found: broken rules, accepted exceptions, recomputed figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from gridplan.errors import Finding, first_ids


@dataclass(frozen=True)
class Broken:
    """One rule broken in one layer, with every row that breaks it in the same way.

    ``rule`` is the family (contract, tiling, one_piece, households, tally, whole,
    range, codes, borders, figures, scores, staff, circle, patrol, inputs), ``key`` the text
    that says what is wrong, ``values`` what fills it.
    """

    rule: str
    layer: str
    rows: tuple[str, ...]
    key: str
    field: str = ""
    values: dict[str, object] = dataclasses.field(default_factory=dict)

    def finding(self, file: str = "") -> Finding:
        """Return it as a finding, to be told like any other fault."""
        return Finding(self.key, "error", file, self.layer, first_ids(self.rows), self.field,
                       max(1, len(self.rows)), dict(self.values))


@dataclass(frozen=True)
class Accepted:
    """A grid that is out of range, special or empty, and the reason that was accepted.

    ``proof`` says how far the reason was verified: ``recomputed``, or ``listed``
    for what is unproven and only counted.
    """

    grid_id: str
    status: str
    code: str
    reason: str
    proof: str = "recomputed"


@dataclass
class CheckReport:
    """The result of :func:`gridplan.check.check_plan`.

    Attributes
    ----------
    broken
        Rules broken without a valid reason; empty for a good plan.
    exceptions
        One entry per grid whose exception was accepted.
    figures
        Figures recomputed from the layers, ``name`` or ``name:scope_id`` → value;
        None where there is nothing to measure.
    counts
        Rows per layer, and how much was compared.
    unchecked
        Rules that could not be reached because of what is broken before them.
    lacking
        Rules that need a file which was not given: the roster, or the plan before.
    """

    broken: list[Broken] = field(default_factory=list)
    exceptions: list[Accepted] = field(default_factory=list)
    figures: dict[str, float | None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    unchecked: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when no rule is broken."""
        return not self.broken

    @property
    def rules(self) -> list[str]:
        """The families of the broken rules, each once, in the order found."""
        return list(dict.fromkeys(b.rule for b in self.broken))

    def findings(self, file: str = "") -> list[Finding]:
        """Return the broken rules as findings, to be told like any other fault."""
        return [b.finding(file) for b in self.broken]

    def add(self, rule: str, key: str, layer: str, rows: Iterable[object] = (), field: str = "",
            **values: object) -> None:
        """Note a broken rule; ``key`` is the name of its text in the room ``check``."""
        self.broken.append(Broken(rule, layer, tuple(str(r) for r in rows), f"check.{key}",
                                  field, values))
