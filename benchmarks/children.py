"""Work in a child process with limits: what hangs or crashes there ends there."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
# Libraries are asked for one thread: time is compared on one.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                         "NUMBA_NUM_THREADS"), "1")
MEMORY_BYTES = 12 * 2**30
TOLD = 300  # characters of an error message that a line tells

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Outcome:
    """What became of a child: its arrays and facts, or why there are none."""

    status: Literal["ok", "timeout", "failed"]
    cpu_s: float
    wall_s: float
    note: str = ""
    arrays: Arrays = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def run_child(module: str, arrays: Arrays, facts: Mapping[str, Any], *, cpu_s: float,
              wall_s: float | None = None) -> Outcome:
    """Run ``python -m module JOB RESULT`` under limits.

    Parameters
    ----------
    module
        It reads its job with :func:`read_job`, calls :func:`limit_cpu` once it has loaded what
        it needs, and answers with :func:`write_job`.
    cpu_s
        CPU seconds of the work.
    wall_s
        Seconds on the wall after which it is ended even if it only waits; by default three
        times ``cpu_s`` and a minute.
    """
    limit = 3 * cpu_s + 60 if wall_s is None else wall_s
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        job, result = Path(folder) / "job.npz", Path(folder) / "result.npz"
        write_job(job, arrays, {**facts, "cpu_s": cpu_s})
        start, used = time.perf_counter(), _cpu_of_children()
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        child = subprocess.Popen(
            [sys.executable, "-m", module, str(job), str(result)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            env={**os.environ, **THREADS, "PYTHONPATH": path, "PYTHONHASHSEED": "0"},
            start_new_session=True)
        try:
            _, told = child.communicate(timeout=limit)
            late = False
        except subprocess.TimeoutExpired:
            _end(child)
            _, told = child.communicate()
            late = True
        wall, cpu = time.perf_counter() - start, _cpu_of_children() - used
        if late:
            return Outcome("timeout", cpu, wall, f"ended after {limit:.0f} s")
        if _hit_cpu_limit(child.returncode):
            return Outcome("timeout", cpu, wall, f"more than {cpu_s:.0f} CPU s")
        if child.returncode or not result.exists():
            lines = told.strip().splitlines()
            note = lines[-1] if lines else f"ended with code {child.returncode}"
            return Outcome("failed", cpu, wall, note[:TOLD])
        answer, said = read_job(result)
        return Outcome("ok", said.get("cpu_s", cpu), said.get("wall_s", wall), "", answer, said)


def write_job(path: Path, arrays: Arrays, facts: Mapping[str, Any]) -> None:
    """Write arrays and facts for the other process."""
    np.savez(path, **arrays, facts=np.array(json.dumps(dict(facts))))  # type: ignore[arg-type]


def read_job(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Read what :func:`write_job` wrote."""
    with np.load(path, allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files if name != "facts"}
        return arrays, json.loads(str(held["facts"]))


def limit_cpu(seconds: float) -> None:
    """End this process after so many more CPU seconds; where the system has no limits, do nothing.

    What was used so far, by loading libraries, does not count.
    """
    try:
        import resource
    except ImportError:
        return
    soft = int(time.process_time() + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + 5))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _hit_cpu_limit(code: int) -> bool:
    return hasattr(signal, "SIGXCPU") and code in (-signal.SIGXCPU, 128 + signal.SIGXCPU)


def _end(child: subprocess.Popen[str]) -> None:
    """End a child and what it started: they are a session of their own."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()


def _cpu_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system
