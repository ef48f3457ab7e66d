"""What a service circle was asked to measure, as the run table of a plan tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gridplan.check.reading import PlanData
from gridplan.layers import AFTER

# Walker → mode, metres a second; the first one is whom limits in metres are meant for.
WALKERS = {"adult": ("foot", 1.25), "older": ("foot", 1.0), "frail": ("foot", 0.8),
           "bike": ("bike", 4.2), "ebike": ("ebike", 5.6), "car": ("car", 8.3)}
_STANDARD_M_S = 1.25
_DEFAULT_WALKERS = ("adult", "older", "frail")
_HUBS = ("subdistrict", "district")
# Km/h by class of road; a class that is not listed takes that of "unknown".
_KMH = {
    "car": {"motorway": 80.0, "trunk": 60.0, "primary": 40.0, "secondary": 35.0, "tertiary": 30.0,
            "unknown": 30.0, "unclassified": 30.0, "residential": 25.0, "living_street": 15.0,
            "service": 15.0},
    "ebike": {"unknown": 20.0, "pedestrian": 8.0, "living_street": 15.0, "service": 15.0,
              "path": 12.0},
    "bike": {"unknown": 15.0, "pedestrian": 8.0, "living_street": 12.0, "service": 12.0,
             "path": 10.0}}


@dataclass(frozen=True)
class Category:
    """One category of the profile; ``limit_m`` is for 1.25 m/s, None where it is only shown.

    ``users`` are those among 1,000 people who use it, None for all.
    """

    name: str
    limit_m: float | None
    measure: str
    per: str
    kinds: tuple[str, ...]
    required: bool
    target: float | None
    areas: tuple[float | None, float | None, float | None]
    includes: tuple[str, ...]
    users: float | None = None

    @property
    def measured(self) -> bool:
        """Whether ways to it are measured."""
        return self.measure != "presence" and self.limit_m is not None

    def limit_of(self, walker: str) -> float:
        """Return how far a walker gets in the time of the limit, in metres, to 0.1 m."""
        return round((self.limit_m or 0.0) / _STANDARD_M_S * WALKERS[walker][1], 1)

    def least_m2(self, kind: str, level: str) -> float | None:
        """Return the floor area that premises need in a community of a kind."""
        urban, rural, hub = self.areas
        return hub if level in _HUBS else rural if kind == "rural" else urban


@dataclass(frozen=True)
class CircleAsked:
    """Walkers, profile and parameters of a service circle.

    ``categories`` is None where the run table does not hold the profile.
    """

    walkers: tuple[str, ...]
    categories: dict[str, Category] | None
    tables: Mapping[str, Mapping[str, object]]
    elevation: bool

    def number(self, table: str, name: str, default: float) -> float:
        """Return a number of the tables ``network``, ``circle`` or ``site``."""
        found = self.tables.get(table, {}).get(name)
        return float(found) if isinstance(found, int | float) else default

    def word(self, table: str, name: str, default: str) -> str:
        """Return a word of a table."""
        found = self.tables.get(table, {}).get(name)
        return found if isinstance(found, str) else default

    def bands(self) -> list[float]:
        """Return the weights of the bands of a catchment."""
        found = self.tables.get("circle", {}).get("catchment_bands")
        return [float(w) for w in found] if isinstance(found, list) else [1.0, 0.68, 0.22]

    def speeds(self, mode: str) -> dict[str, float]:
        """Return the km/h of a mode by class of road."""
        found = self.tables.get("network", {}).get(f"{mode}_kmh")
        return {**_KMH[mode], **(found if isinstance(found, dict) else {})}


def read_circle_asked(plan: PlanData) -> CircleAsked:
    """Read what was asked out of the run table; what it does not tell takes its default."""
    held = _load(plan.run.get("parameters", ""))
    tables = {name: table for name in ("network", "circle", "site", "households")
              if isinstance(table := held.get(name), dict)}
    walkers = read_words(plan.run.get("circle:walkers", "")) or tuple(
        w for w in tables.get("circle", {}).get("walkers", _DEFAULT_WALKERS))
    return CircleAsked(tuple(w for w in walkers if w in WALKERS), _read_profile(plan), tables,
                       plan.run.get("circle:elevation", "") not in ("", "none", "no", "flat"))


def read_words(text: str) -> tuple[str, ...]:
    """Read a list of words, as JSON or with commas or semicolons between.

    >>> read_words('["adult", "older"]'), read_words("adult,older"), read_words("")
    (('adult', 'older'), ('adult', 'older'), ())
    """
    try:
        held = json.loads(text or "[]")
        return tuple(str(w) for w in held) if isinstance(held, list) else (str(held),)
    except json.JSONDecodeError:
        return tuple(w.strip() for w in text.replace(";", ",").split(",") if w.strip())


def state_of(category: str) -> tuple[str, bool]:
    """Part a category of the coverage into its name and whether proposed facilities count.

    >>> state_of("park:after"), state_of("park")
    (('park', True), ('park', False))
    """
    return category.removesuffix(AFTER), category.endswith(AFTER)


def _load(text: str) -> dict[str, object]:
    try:
        held = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return held if isinstance(held, dict) else {}


def _read_profile(plan: PlanData) -> dict[str, Category] | None:
    rows = _load(plan.run.get("circle:table", "")).get("categories")
    if not isinstance(rows, list) or not all(isinstance(r, dict) and r.get("category")
                                             for r in rows):
        return None
    return {str(r["category"]): _read_category(r) for r in rows}


def _read_category(row: Mapping[str, object]) -> Category:
    def number(name: str) -> float | None:
        found = row.get(name)
        return float(found) if isinstance(found, int | float) else None

    def words(name: str) -> tuple[str, ...]:
        found = row.get(name)
        return tuple(map(str, found)) if isinstance(found, list) else ()

    return Category(str(row["category"]), number("limit_m"), str(row.get("measure", "network")),
                    str(row.get("per", "")), words("kinds"), row.get("required", True) is True,
                    number("target_share"), (number("min_area_urban_m2"),
                                             number("min_area_rural_m2"),
                                             number("min_area_hub_m2")), words("includes"),
                    number("users_per_1000"))
