"""Time as benchmarks tell it: CPU of the process, and how fast the machine is."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STEPS = 2_000_000


@dataclass
class Stopwatch:
    """What a block of work took, in seconds."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@contextmanager
def measure_time() -> Iterator[Stopwatch]:
    """Time a block: CPU seconds of this process, and seconds on the wall."""
    watch = Stopwatch()
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        yield watch
    finally:
        watch.cpu_s, watch.wall_s = time.process_time() - cpu, time.perf_counter() - wall


def calibrate() -> tuple[float, Stopwatch]:
    """Return the score of this machine: million steps a CPU second of a plain loop, best of 3."""
    best = 0.0
    with measure_time() as whole:
        for _ in range(3):
            with measure_time() as watch:
                state = 1
                for _ in range(STEPS):
                    state = (state * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
            best = max(best, STEPS / watch.cpu_s / 1e6)
    return best, whole


def name_machine() -> str:
    """Say what the machine is, as far as it tells.

    >>> name_machine().startswith("Python 3")
    True
    """
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
