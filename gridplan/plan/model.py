"""The plan in memory: its layers, where it was read from, and how long its stages took."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from gridplan.errors import Finding, Findings, InputError
from gridplan.layers import LAYERS, conform


@dataclass(frozen=True)
class StageTime:
    """What one stage of a run took: wall-clock seconds and peak memory in megabytes."""

    name: str
    seconds: float
    peak_mb: float


def read_run(layers: Mapping[str, Any]) -> dict[str, str]:
    """Return the run table of layers as a dictionary; empty where they have none.

    >>> read_run({"run": pd.DataFrame({"key": ["seed"], "value": ["1"]})}), read_run({})
    ({'seed': '1'}, {})
    """
    table = layers.get("run")
    return {} if table is None else dict(zip(
        table["key"].astype(str), table["value"].fillna("").astype(str), strict=True))


@dataclass(frozen=True)
class Plan:
    """Layers by the names of the contract, all in one projected metric CRS.

    Attributes
    ----------
    layers
        Frames with the columns of ``LAYERS``; a user's own columns follow behind them.
    crs
        The CRS of every layer with a geometry.
    stages
        Times of the run that made the plan; they are not part of the file.
    findings
        What was noticed while the plan was read or made.
    extra
        Names of a user's own layers and tables in the file the plan was read from; they are
        carried over unread when the plan is written.
    origin
        The file the plan was read from.
    seen
        The digest of that file when it was read, so that a later edit is not overwritten.
    """

    layers: Mapping[str, pd.DataFrame]
    crs: Any
    stages: tuple[StageTime, ...] = ()
    findings: Findings = field(default_factory=Findings)
    extra: tuple[str, ...] = ()
    origin: Path | None = None
    seen: str = ""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.layers) - set(LAYERS))
        if unknown:
            raise ValueError(f"not layers of the contract: {', '.join(unknown)}")
        ordered = {n: conform(n, self.layers[n]) for n in LAYERS if n in self.layers}
        object.__setattr__(self, "layers", ordered)

    @property
    def run(self) -> dict[str, str]:
        """The run table as a dictionary."""
        return read_run(self.layers)

    def indexed(self, name: str) -> Any:
        """Return a layer with its key as the index, as inputs have it."""
        frame = self.layer(name)
        key = LAYERS[name].key
        return frame.set_index(pd.Index(frame[key].astype(object), name=key)).drop(columns=key)

    def layer(self, name: str) -> Any:
        """Return a layer; one without rows where the plan has none."""
        if name in self.layers:
            return self.layers[name]
        blank = pd.DataFrame({c: [] for c in LAYERS[name].names})
        if LAYERS[name].geometry:
            blank = gpd.GeoDataFrame(blank, geometry=[], crs=self.crs)
        return conform(name, blank)

    def require(self, *names: str) -> None:
        """Stop where a layer that a verb needs is missing or has no rows.

        Raises
        ------
        InputError
            Naming every such layer.
        """
        missing = [n for n in names if self.layer(n).empty]
        if missing:
            file = self.origin.name if self.origin else ""
            raise InputError(*(Finding("plan.missing_layer", file=file, layer=n)
                               for n in missing))

    def figure(self, name: str, scope_id: str | None = None, scope: str = "city") -> float | None:
        """Return the value of a figure, None where it is not known.

        Without ``scope_id`` the first figure of that name and scope counts.
        """
        table = self.layer("figures")
        chosen = (table["name"] == name) & (table["scope"] == scope)
        if scope_id is not None:
            chosen &= table["scope_id"].fillna("") == scope_id
        values = table.loc[chosen.fillna(False), "value"]
        return None if values.empty or pd.isna(values.iloc[0]) else float(values.iloc[0])

    def with_layers(self, **frames: pd.DataFrame) -> Plan:
        """Return the plan with layers put in or replaced."""
        return dataclasses.replace(self, layers={**self.layers, **frames})

    def with_run(self, values: Mapping[str, object]) -> Plan:
        """Return the plan with rows of the run table put in or replaced."""
        rows = {**self.run, **{key: str(value) for key, value in values.items()}}
        return self.with_layers(run=pd.DataFrame({"key": list(rows), "value": list(rows.values())}))


def tally_frame(findings: Findings) -> pd.DataFrame:
    """Return the tally of a run as the layer ``tally``, in the order of its stages."""
    rows = [dataclasses.asdict(row) for row in findings.tally]
    return conform("tally", pd.DataFrame(rows, columns=LAYERS["tally"].names))
