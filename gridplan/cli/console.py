"""What a run shows: a bar while it works, then one screen; or one JSON object."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gridplan.cli.options import Options
from gridplan.errors import Finding, Findings, GridplanError
from gridplan.i18n import translate

# Control characters and those that turn the direction of a line: data must not draw the screen.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_LONGEST = 2000
_OF_A_KIND = 3


def percent(share: float | None) -> str:
    """Write a share for the screen.

    >>> percent(0.4801), percent(None)
    ('48.0 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def plain(text: object) -> str:
    r"""Return text as one harmless line.

    >>> plain("a\x1b[31mb\nc")
    'a [31mb c'
    """
    shown = _UNSEEN.sub(" ", str(text))
    return shown if len(shown) <= _LONGEST else shown[:_LONGEST - 1] + "…"


@dataclasses.dataclass
class Screen:
    """The one place that prints. A verb fills ``result``; ``tell`` and ``table`` show it."""

    verb: str
    options: Options
    findings: Findings = dataclasses.field(default_factory=Findings)
    result: dict[str, Any] = dataclasses.field(default_factory=dict)
    written: list[Path] = dataclasses.field(default_factory=list)
    _told: int = 0

    def say(self, name: str, **values: object) -> str:
        """Return a text of the command line in the language of the run."""
        return translate(f"cli.{name}", self.options.language, **values)

    def tell(self, text: object = "") -> None:
        """Show one line of the result."""
        if not self.options.json:
            sys.stdout.write(plain(text) + "\n")

    def log(self, text: object) -> None:
        """Show one line beside the result."""
        sys.stderr.write(plain(text) + "\n")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Show a table; numbers stand to the right."""
        listed = [list(row) for row in rows]
        if self.options.json or not listed:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for at, title in enumerate(head):
            numeric = all(isinstance(row[at], int | float) for row in listed)
            grid.add_column(Text(title), justify="right" if numeric else "left")
        for row in listed:
            grid.add_row(*(Text("" if isinstance(v, int) and v == 0 and at > 1 else
                                f"{v:,}" if isinstance(v, int) else plain(v))
                           for at, v in enumerate(row)))
        width = None if sys.stdout.isatty() else 140
        Console(file=sys.stdout, highlight=False, width=width).print(grid)

    # ---- progress --------------------------------------------------------------------------

    @contextlib.contextmanager
    def working(self, weights: Mapping[str, float]) -> Iterator[Callable[[str, float], None]]:
        """Show a bar with the time left while a run goes through its stages, on a terminal only.

        ``weights`` are the usual shares of the stages in the time, in order.
        """
        if not sys.stderr.isatty():
            yield lambda stage, done: None
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
                   TimeRemainingColumn())
        order, total, shown = list(weights), sum(weights.values()), [""]
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=1.0)

            def move(stage: str, done: float) -> None:
                before = sum(weights[s] for s in order[:order.index(stage)]) if (
                    stage in weights) else 0.0
                bar.update(task, description=self.say(f"stage.{stage}"), refresh=stage != shown[0],
                           completed=(before + done * weights.get(stage, 0.0)) / total)
                shown[0] = stage

            yield move

    # ---- the end ---------------------------------------------------------------------------

    def tell_findings(self) -> None:
        """Log what was repaired and what to look at, each once; of many of a kind the first."""
        new, self._told = self.findings.items[self._told:], len(self.findings.items)
        kinds: dict[str, list[Finding]] = {}
        for finding in new:
            if finding.outcome in ("repaired", "warning"):
                kinds.setdefault(finding.key, []).append(finding)
        for key, found in kinds.items():
            for finding in found[:_OF_A_KIND]:
                mark = self.say(finding.outcome)
                self.log(f"{mark}: {finding.line(self.options.language)}")
            if len(found) > _OF_A_KIND:
                self.log(f"{key} | {self.say('more', count=len(found) - _OF_A_KIND)}")

    def tell_tally(self) -> None:
        """Show what went in and what came out, layer by layer."""
        rows = [dataclasses.asdict(r) for r in self.findings.tally]
        self.result["tally"] = rows
        names = ("rows_in", "used", "repaired", "rejected", "outside", "households_in",
                 "households_out")
        self.table([self.say(f"tally.{n}") for n in ("stage", "layer", *names)],
                   [[self.say(f"stage.{r['stage']}"), r["layer"], *(r[n] for n in names)]
                    for r in rows])

    def close(self, code: int) -> None:
        """Show the JSON object, if asked for one."""
        if not self.options.json:
            return
        told = {"verb": self.verb, "exit_code": code, "written": [str(p) for p in self.written],
                **self.result, "findings": [self._as_dict(f) for f in self.findings.items]}
        sys.stdout.write(json.dumps(told, ensure_ascii=True, default=_as_json) + "\n")

    def _as_dict(self, finding: Finding) -> dict[str, Any]:
        lang = self.options.language
        return {"key": finding.key, "outcome": finding.outcome, "file": finding.file,
                "layer": finding.layer, "row": finding.row, "field": finding.field,
                "count": finding.count, "what": finding.what(lang), "mend": finding.mend(lang)}


def _as_json(value: Any) -> Any:
    """Turn numpy numbers and the like into plain ones; missing values into null."""
    if hasattr(value, "item"):
        return value.item()
    return None if str(value) in ("<NA>", "NaT") else str(value)


def guard(screen: Screen, body: Callable[[], None]) -> int:
    """Run a verb, tell what it says or why it stopped, and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        code = _run(screen, body)
        screen.close(code)
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            # The result cannot be told: the disk behind standard output is full, say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            screen.log(screen.say("no_output", error=error.strerror or error))
            return 6
        # Whoever read the result has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(screen: Screen, body: Callable[[], None]) -> int:
    try:
        body()
    except GridplanError as error:
        screen.tell_findings()
        known = {id(f) for f in screen.findings.items}
        screen.findings.items.extend(f for f in error.findings if id(f) not in known)
        for line in error.lines(screen.options.language):
            screen.log(line)
        return error.exit_code
    except KeyboardInterrupt:
        names = ", ".join(str(p) for p in screen.written)
        screen.log(screen.say("interrupted_after", files=names) if names
                   else screen.say("interrupted"))
        return 130
    except MemoryError:
        from gridplan.pipeline import peak_memory_mb

        screen.log(screen.say("memory", peak=round(peak_memory_mb())))
        return 6
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None and error.errno == errno.ENOSPC:
            raise
        return _tell_bug(screen, error)
    except Exception as error:
        return _tell_bug(screen, error)
    return 0


def _tell_bug(screen: Screen, error: Exception) -> int:
    if screen.options.debug:
        traceback.print_exc()
    screen.log(screen.say("bug", error=f"{type(error).__name__}: {error}"))
    return 1
