"""What is drawn on the lattice before it is bent: buildings, inner roads, estates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gridplan.town.lattice import Floats

Span = tuple[float, float, float, float]  # u0, v0, u1, v1

USES = ("apartments", "house", "shed", "commercial", "retail", "office", "school", "dormitory",
        "hospital", "industrial", "mixed", "public", "greenhouse", "barn")
USE_CODE = {name: code for code, name in enumerate(USES)}
_NUMBERS = ("u", "v", "width", "depth", "floors", "households")
_CODES = ("use", "estate", "phase", "number", "block", "given")


@dataclass
class EstateSketch:
    """A walled estate: its outline, gates and phases on the lattice."""

    span: Span
    block: int
    phases: int
    gates: list[tuple[float, float]]
    party: list[tuple[str, float, float, float]] = field(default_factory=list)
    old_style: bool = False


@dataclass(frozen=True)
class Lane:
    """A straight inner road on the lattice: along u (``axis`` "u") or v, from ``low`` to ``high``.

    ``place`` is the other coordinate; ``stops`` are further vertices.
    """

    axis: str
    place: float
    low: float
    high: float
    road_class: str
    stops: tuple[float, ...] = ()
    name: str = ""


@dataclass
class Sketch:
    """Gathers what the blocks hold, block after block."""

    lanes: list[Lane] = field(default_factory=list)
    estates: list[EstateSketch] = field(default_factory=list)
    specials: list[tuple[str, int, Span]] = field(default_factory=list)
    _numbers: dict[str, list[Floats]] = field(default_factory=lambda: {n: [] for n in _NUMBERS})
    _codes: dict[str, list[np.ndarray]] = field(default_factory=lambda: {n: [] for n in _CODES})

    def add(self, block: int, u: Floats, v: Floats, width: Floats | float, depth: Floats | float,
            floors: Floats | float, households: Floats | float, use: str, *, estate: int = -1,
            phase: int = 0, number: np.ndarray | int = 0,
            given: np.ndarray | bool = False) -> None:
        """Add buildings: centres on the lattice, width and depth in metres.

        ``phase`` counts from 1; 0 stands for an estate that was built at once.
        """
        rows = len(u)
        if not rows:
            return
        values = {"u": u, "v": v, "width": width, "depth": depth, "floors": floors,
                  "households": households}
        for name, value in values.items():
            self._numbers[name].append(_column(value, rows, np.float64))
        codes = {"use": USE_CODE[use], "estate": estate, "phase": phase, "number": number,
                 "block": block, "given": given}
        for name, code in codes.items():
            self._codes[name].append(_column(code, rows, np.int64))

    def columns(self) -> dict[str, np.ndarray]:
        """Return one array per property of all buildings."""
        parts: dict[str, list[np.ndarray]] = {**self._numbers, **self._codes}
        return {name: np.concatenate(values) if values else np.zeros(0)
                for name, values in parts.items()}


def _column(value: object, rows: int, kind: type) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value.astype(kind)
    return np.full(rows, value, dtype=kind)


def count_rows(height_m: float, pitch_m: float) -> int:
    """Return how many rows fit, the last one a little tight."""
    return max(int(height_m / pitch_m + 0.3), 1)


def place_rows(span: Span, du: float, dv: float, width: float, gap: float, pitch: float
               ) -> tuple[np.ndarray, np.ndarray, float]:
    """Spread buildings over a span in even rows.

    Returns the u of the columns, the v of the rows, and the width in metres that each building
    may take, gaps left free; ``du`` and ``dv`` are metres per step.
    """
    u0, v0, u1, v1 = span
    length, height = (u1 - u0) * du, (v1 - v0) * dv
    columns = max(int((length + gap) // (width + gap)), 1)
    rows = count_rows(height, pitch)
    room = (length + gap) / columns - gap
    us = u0 + ((np.arange(columns) * (room + gap)) + room / 2) / du
    vs = v0 + (np.arange(rows) + 0.5) * (v1 - v0) / rows
    return us, vs, room
