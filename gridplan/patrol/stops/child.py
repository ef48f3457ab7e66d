"""The solver in a process of its own: when it dies, an error is all that is left of it.

The child is a plain Python that reads arrays on its standard input and writes one line of JSON.
It needs no guard in the caller's script and runs where pools of workers forbid children.
"""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import gridplan
from gridplan.errors import Finding, MachineError
from gridplan.patrol.stops.work import Work

log = logging.getLogger(__name__)

COMMAND = ("-P", "-m", __name__)


def solve_apart(work: Work, routes: list[list[int]], solutions: int, *,
                started: Callable[[int], None] | None = None
                ) -> tuple[str, list[list[int]], list[int]]:
    """Improve routes with OR-Tools in a child process.

    Parameters
    ----------
    work, routes, solutions
        As :func:`~gridplan.patrol.stops.routing.improve_routes` takes them.
    started
        Called with the process id of the child once it runs.

    Returns
    -------
    tuple
        What the solver says of itself, the routes, and when each visit begins.

    Raises
    ------
    MachineError
        The child was killed, aborted, or said nothing that can be read.
    """
    given = pack_work(work, routes, solutions)
    home = str(Path(gridplan.__file__).parents[1])
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        child = subprocess.Popen(  # noqa: S603 (this very Python, with fixed words)
            [sys.executable, *COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    except OSError as error:
        raise _died(str(error)) from error
    try:
        if started:
            started(child.pid)
        said, why = child.communicate(given)
    except BaseException:
        child.kill()
        child.communicate()
        raise
    try:
        answer: Any = json.loads(said) if child.returncode == 0 else None
        routes = [[int(x) for x in route] for route in answer["routes"]]
        return str(answer["status"]), routes, [int(t) for t in answer["begin"]]
    except (ValueError, TypeError, KeyError) as error:
        log.debug("the solver's process said: %s", why.decode("utf-8", "replace"))
        raise _died(str(child.returncode)) from error


def _died(code: str) -> MachineError:
    return MachineError(Finding("patrol.solver_died", values={"code": code}))


def pack_work(work: Work, routes: list[list[int]], solutions: int) -> bytes:
    """Write everything as the bytes of one ``.npz``, without pickles."""
    file = io.BytesIO()
    np.savez(file, **{name: np.asarray(value) for name, value in work._asdict().items()},  # type: ignore[arg-type]
             route=np.array([x for route in routes for x in route], np.int64),
             size=np.array([len(route) for route in routes], np.int64),
             solutions=np.array(solutions, np.int64))
    return file.getvalue()


def unpack_work(given: bytes) -> tuple[Work, list[list[int]], int]:
    """Read what :func:`pack_work` wrote.

    >>> import numpy as np
    >>> work = Work(*[np.zeros(1, np.int64)] * 22, 3)
    >>> again, routes, solutions = unpack_work(pack_work(work, [[0], []], 7))
    >>> again.balance, routes, solutions
    (3, [[0], []], 7)
    """
    with np.load(io.BytesIO(given), allow_pickle=False) as file:
        work = Work(**{name: file[name] for name in Work._fields if name != "balance"},
                    balance=int(file["balance"]))
        ends = np.cumsum(file["size"])[:-1]
        routes = [part.tolist() for part in np.split(file["route"], ends)]
        return work, routes, int(file["solutions"])


def main() -> None:
    """Read, solve, answer."""
    from gridplan.patrol.stops.routing import improve_routes

    status, routes, begin = improve_routes(*unpack_work(sys.stdin.buffer.read()))
    sys.stdout.write(json.dumps({"status": status, "routes": routes, "begin": begin}))


if __name__ == "__main__":
    main()
