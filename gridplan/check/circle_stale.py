"""Whether the layers are still those that ways were measured on."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing

import shapely

from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport
from gridplan.layers import LAYERS

_HEAD = "upstream:coverage:"


def check_stale(plan: PlanData, report: CheckReport) -> None:
    """Compare the digests that a service circle noted of the layers it stands on."""
    changed = [key.removeprefix(_HEAD) for key, noted in plan.run.items()
               if key.startswith(_HEAD) and key.removeprefix(_HEAD) in LAYERS
               and noted != hash_layer(plan, key.removeprefix(_HEAD))]
    if changed:
        report.add("circle", "circle_stale", "coverage", changed)


def hash_layer(plan: PlanData, name: str) -> str:
    """Return the SHA-256 of the values of a layer in the order of its keys.

    Column by column: its name and the number of rows, the lengths of the values, the values.
    Numbers are written as floats, missing values as a zero byte, shapes in normal form.
    A layer that is not in the file is like an empty one.
    """
    layer = LAYERS[name]
    columns = ", ".join(f'"{c}"' for c in layer.names)
    uri = plan.path.resolve().as_uri() + "?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as base:
        there = base.execute("SELECT 1 FROM sqlite_master WHERE name=?", (name,)).fetchone()
        rows = base.execute(f'SELECT {columns} FROM "{name}" ORDER BY rowid'  # noqa: S608
                            ).fetchall() if there else []
    order = sorted(range(len(rows)), key=lambda row: tuple(map(str, rows[row][:layer.keys])))
    total = hashlib.sha256()
    for k, column in enumerate(layer.columns):
        total.update(f"{column.name}\0{len(rows)}\0".encode())
        held = [rows[row][k] for row in order]
        _update(total, [b"\0" if v is None else str(v).encode("utf-8", "surrogatepass")
                        if column.kind == "text" else repr(float(v) + 0.0).encode()
                        for v in held])
    if layer.geometry and name in plan.frames:
        shapes = shapely.normalize(plan.shapes(name)[order])
        _update(total, [b or b"" for b in shapely.to_wkb(shapes, byte_order=1,
                                                         output_dimension=2)])
    return total.hexdigest()


def _update(total: hashlib._Hash, parts: list[bytes]) -> None:
    total.update(b"".join(len(p).to_bytes(8, "little") for p in parts))
    total.update(b"".join(parts))
