"""Stale or not: the files a plan was made from against their digests in the run table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport
from gridplan.errors import Finding, InputError


def check_inputs(plan: PlanData, report: CheckReport, inputs: Sequence[str | Path]) -> None:
    """Each file must have the digest that was noted for its name.

    Raises
    ------
    InputError
        A file is not there; all that are not are named.
    """
    paths = [Path(p) for p in inputs]
    absent = [p for p in paths if not p.is_file()]
    if absent:
        raise InputError(*(Finding("check.no_file", file=p.name) for p in absent))
    noted: dict[str, set[str]] = {}
    for key, value in plan.run.items():
        head, _, rest = key.partition(":")
        name = rest.partition(":")[2].rpartition(":")[0]
        if head == "input" and name:
            noted.setdefault(name, set()).add(value)
    for path in paths:
        if path.name not in noted:
            report.add("inputs", "input_unknown", "run", [path.name])
            continue
        if noted[path.name] != {_digest(path)}:
            report.add("inputs", "input_changed", "run", [path.name])


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, of a shapefile that of its parts in order of extension."""
    parts = [path]
    if path.suffix.lower() == ".shp":
        kin = (".cpg", ".dbf", ".prj", ".shp", ".shx")
        parts = sorted((p for p in path.parent.iterdir()
                        if p.stem == path.stem and p.suffix.lower() in kin),
                       key=lambda p: p.suffix.lower())
    total = hashlib.sha256()
    for part in parts:
        total.update(part.read_bytes())
    return total.hexdigest()
