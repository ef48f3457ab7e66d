"""The ground of the town: a lattice of whole steps, bent into a landscape.

Everything the town is made of is laid out on a flat lattice, where streets run along rows and
columns and blocks are rectangles. One smooth map bends the lattice into metres: wider towards
the edge of the town, swinging with the river, crooked in the old quarters. What shares a lattice
point shares a coordinate, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEP = 24  # lattice steps along one side of a superblock
EAST, NORTH = 620_000.0, 3_690_000.0  # an open sea in EPSG:4549, so that the town is nowhere
_PITCH_M = 565.0  # side of a superblock in the middle of the town
_SPREAD = 0.22  # how much wider superblocks grow towards the edge
_MARGIN = 2  # superblocks around the town for which the map still holds
_DECIMALS = 3


@dataclass(frozen=True)
class Lattice:
    """A map from lattice steps (u eastwards, v northwards) to metres.

    ``columns`` × ``rows`` superblocks hold the town; ``river`` is the column line the river
    follows. ``wide`` and ``high`` are the lattice lines' places in superblock pitches, and
    ``jitter`` the displacement of each lattice point in metres.
    """

    columns: int
    rows: int
    river: int
    wide: Floats
    high: Floats
    waves: Floats
    jitter: Floats

    def points(self, u: Floats, v: Floats) -> Floats:
        """Return the metres of lattice places: (n,), (n,) → (n, 2), rounded to millimetres."""
        u, v = np.asarray(u, float), np.asarray(v, float)
        x = _spread(np.interp(u / STEP, *_axis(self.wide)), self.columns)
        y = _spread(np.interp(v / STEP, *_axis(self.high)), self.rows)
        dx, dy = np.zeros_like(x), np.zeros_like(y)
        for amplitude, along_x, along_y, phase, turn in self.waves:
            swing = amplitude * np.sin(along_x * x + along_y * y + phase)
            dx += swing * np.cos(turn)
            dy += swing * np.sin(turn)
        dx += self._meander(x, y)
        crooked = self._jitter(u, v)
        out = np.stack([EAST + x + dx, NORTH + y + dy], axis=-1) + crooked
        return np.round(out, _DECIMALS)

    def frame(self, u: Floats, v: Floats, reach: float | Floats = 0.5
              ) -> tuple[Floats, Floats, Floats]:
        """Return angle of the u direction (radians) and the metres per step along u and v.

        ``reach`` is how many steps to either side are looked at.
        """
        u, v = np.asarray(u, float), np.asarray(v, float)
        along = self.points(u + reach, v) - self.points(u - reach, v)
        across = self.points(u, v + reach) - self.points(u, v - reach)
        angle = np.arctan2(along[..., 1], along[..., 0])
        # Across counts square to u, so that sheared blocks are not taken for deeper than they are.
        square = across[..., 1] * np.cos(angle) - across[..., 0] * np.sin(angle)
        span = 2.0 * np.asarray(reach)
        return angle, np.hypot(along[..., 0], along[..., 1]) / span, square / span

    def lean(self, u: Floats, v: Floats, reach: float | Floats) -> Floats:
        """Return how far rows are shifted sideways per metre across them: |tan| of the shear."""
        along = self.points(u + reach, v) - self.points(u - reach, v)
        across = self.points(u, v + reach) - self.points(u, v - reach)
        dot = np.abs((along * across).sum(axis=-1))
        cross = along[..., 0] * across[..., 1] - along[..., 1] * across[..., 0]
        return dot / cross

    def _meander(self, x: Floats, y: Floats) -> Floats:
        bed = _spread(np.interp(float(self.river), *_axis(self.wide)), self.columns)
        near = np.exp(-(((x - bed) / 900.0) ** 2))
        return (95.0 * np.sin(y / 330.0) + 60.0 * np.sin(y / 790.0 + 1.0)) * near

    def _jitter(self, u: Floats, v: Floats) -> Floats:
        rows, columns = self.jitter.shape[:2]
        column = np.clip(u + _MARGIN * STEP, 0, columns - 1.001)
        row = np.clip(v + _MARGIN * STEP, 0, rows - 1.001)
        i, j = np.floor(column).astype(int), np.floor(row).astype(int)
        s, t = (column - i)[..., None], (row - j)[..., None]
        at = self.jitter
        return ((1 - t) * ((1 - s) * at[j, i] + s * at[j, i + 1])
                + t * ((1 - s) * at[j + 1, i] + s * at[j + 1, i + 1]))


def make_lattice(columns: int, rows: int, river: int, crooked: Floats,
                 rng: np.random.Generator) -> Lattice:
    """Bend a lattice of ``columns`` × ``rows`` superblocks.

    ``crooked`` (rows × columns) is how far, in metres, lattice points inside each superblock are
    pushed at random.
    """
    wide = _lines(columns, rng)
    high = _lines(rows, rng)
    extent = _PITCH_M * max(columns, rows)
    lengths = np.array([0.9 * extent, 0.55 * extent, 1900.0, 1300.0]).clip(1200.0, 9000.0)
    slopes = np.array([0.13, 0.10, 0.07, 0.05])
    heading = rng.uniform(0, 2 * np.pi, 4)
    wave = 2 * np.pi / lengths
    waves = np.stack([slopes / wave, wave * np.cos(heading), wave * np.sin(heading),
                      rng.uniform(0, 2 * np.pi, 4), heading + np.pi / 2], axis=1)
    amount = np.pad(crooked, _MARGIN)
    shape = ((rows + 2 * _MARGIN) * STEP + 1, (columns + 2 * _MARGIN) * STEP + 1)
    scale = np.zeros(shape)
    # A lattice point on a border takes the smaller push, so that main roads stay smooth.
    inner = np.repeat(np.repeat(amount, STEP, axis=0), STEP, axis=1)
    scale[:-1, :-1] = inner
    scale[::STEP, :] = 0.0
    scale[:, ::STEP] = 0.0
    jitter = rng.normal(0.0, 1.0, (*shape, 2)).clip(-1.6, 1.6) * scale[..., None]
    return Lattice(columns, rows, river, wide, high, waves, jitter)


def _lines(count: int, rng: np.random.Generator) -> Floats:
    """Return the uneven places of ``count + 1`` lines and a margin on both sides, 0 midway."""
    widths = rng.uniform(0.82, 1.2, count + 2 * _MARGIN)
    places = np.concatenate([[0.0], np.cumsum(widths)])
    inside = places[_MARGIN:_MARGIN + count + 1]
    return places - (inside[0] + inside[-1]) / 2


def _axis(lines: Floats) -> tuple[Floats, Floats]:
    return np.arange(len(lines), dtype=np.float64) - _MARGIN, lines


def _spread(place: Any, count: int) -> Any:
    half = max(count / 2, 1.0)
    return _PITCH_M * place * (1 + _SPREAD * np.minimum((place / half) ** 2, 1.6))
