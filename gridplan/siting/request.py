"""What a planner asks of siting, checked when it is made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd

from gridplan.errors import Finding, UsageError

Kind = Literal["new", "cover", "mean"]
Per = Literal["", "community", "subdistrict"]


@dataclass(frozen=True, eq=False)
class SiteRequest:
    """Which facilities, how many or how much, and where they may stand.

    Attributes
    ----------
    category
        Of the facilities to be placed.
    kind
        ``new``: so many sites that cover the most households; ``cover``: the fewest sites that
        cover a share; ``mean``: so many sites with the shortest mean way.
    new
        How many, for ``new`` and ``mean``; with ``per`` at most so many, 0 for one in each.
    cover
        Share of all households, above 0, at most 1, for ``cover``.
    limit_m
        How far a household walks at most, in metres; None for the standard of the category.
    capacity
        How many households a new site can serve, for ``new``; None for any number.
    candidates
        Points where sites may stand, perhaps with ``capacity`` and ``name``; None to propose
        points along the streets.
    forbidden
        Areas where proposed sites must not stand.
    per
        At most one new site in each community or subdistrict, and none where one exists.
    file
        Where the candidates came from, for messages.

    Raises
    ------
    UsageError
        Naming every field that does not fit.

    Examples
    --------
    >>> SiteRequest("health_station", new=5).describe()
    '{"kind": "new", "new": 5}'
    """

    category: str
    kind: Kind = "new"
    new: int = 0
    cover: float | None = None
    limit_m: float | None = None
    capacity: int | None = None
    candidates: gpd.GeoDataFrame | None = None
    forbidden: gpd.GeoDataFrame | None = None
    per: Per = ""
    file: str = ""

    def __post_init__(self) -> None:
        counted = self.kind in ("new", "mean")
        fits = {
            "category": bool(self.category),
            "kind": self.kind in ("new", "cover", "mean"),
            "new": type(self.new) is int and (
                self.new >= (0 if self.per else 1) if counted else self.new == 0),
            "cover": self.cover is None if counted else (
                self.cover is not None and 0 < self.cover <= 1),
            "limit_m": self.limit_m is None or 0 < self.limit_m < 1e6,
            "capacity": self.capacity is None or (
                self.kind == "new" and not self.per and type(self.capacity) is int
                and self.capacity > 0),
            "per": self.per in ("", "community", "subdistrict") and not (
                self.per and self.kind != "new"),
        }
        bad = [name for name, holds in fits.items() if not holds]
        if bad:
            raise UsageError(*(Finding("siting.bad_request", field=name, values={
                "value": getattr(self, name), "kind": self.kind}) for name in bad))

    def describe(self) -> str:
        """Return what was asked as JSON, for the run table."""
        told = {"kind": self.kind, "new": self.new or None, "cover": self.cover,
                "limit_m": self.limit_m, "capacity": self.capacity, "per": self.per or None,
                "candidates": None if self.candidates is None else len(self.candidates),
                "forbidden": None if self.forbidden is None else len(self.forbidden)}
        return json.dumps({k: v for k, v in told.items() if v is not None}, sort_keys=True)
