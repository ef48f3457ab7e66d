"""How long the stages of a run take, and how far they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gridplan.plan import StageTime

Progress = Callable[[str, float], None]


@dataclass
class Clock:
    """Times stages and passes progress on."""

    progress: Progress | None = None
    times: list[StageTime] = field(default_factory=list)
    _stage: str = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage."""
        self._stage = name
        start = time.perf_counter()
        self.report(0.0)
        yield
        self.times.append(StageTime(name, time.perf_counter() - start, peak_memory_mb()))
        self.report(1.0)

    def report(self, done: float) -> None:
        """Pass on how much of the current stage is done, 0–1."""
        if self.progress is not None:
            self.progress(self._stage, done)


def peak_memory_mb() -> float:
    """Return the peak memory of this process in MB so far; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
