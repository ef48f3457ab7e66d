"""The lines that every benchmark prints: results, summaries and goals."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

START = ("benchmark", "method", "version", "instance", "seed", "effort", "cpu_s", "wall_s",
         "status")
DIGITS = 6


def make_line(benchmark: str, method: str, version: str, *, instance: str | None = None,
              seed: int | None = None, effort: str | None = None, cpu_s: float | None = None,
              wall_s: float | None = None, status: str = "ok", **more: Any) -> dict[str, Any]:
    """Return a line that starts as every line does, with ``more`` behind.

    >>> list(make_line("partition", "metis:1", "1", grids=4))[-2:]
    ['status', 'grids']
    """
    values = (benchmark, method, version, instance, seed, effort, cpu_s, wall_s, status)
    return {**dict(zip(START, values, strict=True)), **more}


def print_line(line: Mapping[str, Any]) -> None:
    """Print a line as JSON on stdout, at once: a long run is read while it works."""
    sys.stdout.write(json.dumps({k: _plain(v) for k, v in line.items()}) + "\n")
    sys.stdout.flush()


def summarise(lines: Iterable[Mapping[str, Any]], measure: str, *, medians: Sequence[str] = (),
              lowest: Sequence[str] = (), highest: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return one summary per instance, method and effort, in the order of their first lines.

    Parameters
    ----------
    measure
        The field that ``median``, ``best`` (lowest), ``worst`` (highest) and ``ratio_to`` are of.
    medians, lowest, highest
        Further fields of which these are told, as ``name``, ``name_lowest``, ``name_highest``.

    Returns
    -------
    list
        ``runs`` counts the lines, ``measured`` those with a value; ``ratio_to`` is the median
        over that of every other program on the same instance, of all its lines.

    >>> lines = [make_line("b", m, "1", instance="i", border=x)
    ...          for m, x in (("ours", 4.0), ("ours", 2.0), ("peer", 6.0))]
    >>> [(s["method"], s["median"], s["ratio_to"]) for s in summarise(lines, "border")]
    [('ours', 3.0, {'peer': 0.5}), ('peer', 6.0, {'ours': 2.0})]
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault((line["instance"], line["method"], line["effort"]), []).append(line)
    found = [{**_summarise(group, measure),
              **{name: _median(x.get(name) for x in group) for name in medians},
              **{f"{name}_lowest": min(_held(group, name), default=None) for name in lowest},
              **{f"{name}_highest": max(_held(group, name), default=None) for name in highest}}
             for group in groups.values()]
    for one in found:
        one["ratio_to"] = {
            _name(two): one["median"] / two["median"] for two in found
            if two["instance"] == one["instance"] and _name(two) != _name(one)
            and one["median"] is not None and two["median"]}
    return found


def make_verdict(benchmark: str, summary: Mapping[str, Any], what: str, value: float | None,
                 limit: float) -> dict[str, Any]:
    """Return the line of a goal of ours; what exceeds its limit or was not measured is not met.

    >>> make_verdict("b", make_line("b", "gridplan", "1"), "cpu_s", 2.0, 1.0)["met"]
    False
    """
    met = value is not None and value <= limit
    return {"goal": True, **make_line(
        benchmark, "gridplan", summary["version"], instance=summary["instance"],
        status="ok" if met else "missed" if value is not None else "not measured"),
        "what": what, "value": value, "limit": limit, "met": met}


def _name(line: Mapping[str, Any]) -> str:
    """Return the name of a method for ``ratio_to``: with its effort where it has several."""
    return line["method"] + (f"/{line['effort']}" if line["effort"] else "")


def _summarise(group: list[Mapping[str, Any]], measure: str) -> dict[str, Any]:
    first = group[0]
    values = _held(group, measure)
    states = {x["status"] for x in group}
    return {"summary": True, **make_line(
        first["benchmark"], first["method"], first["version"], instance=first["instance"],
        effort=first["effort"], cpu_s=_median(x["cpu_s"] for x in group),
        wall_s=_median(x["wall_s"] for x in group),
        status=first["status"] if len(states) == 1 else "mixed"),
        "runs": len(group), "measured": len(values), "measure": measure,
        "median": _median(values), "best": min(values, default=None),
        "worst": max(values, default=None)}


def _held(group: list[Mapping[str, Any]], name: str) -> list[float]:
    return [x[name] for x in group if x.get(name) is not None]


def _median(values: Iterable[float | None]) -> float | None:
    held = [v for v in values if v is not None]
    return statistics.median(held) if held else None


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; figures are rounded to six significant digits."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
