"""What a category, a profile and a table of them are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gridplan.i18n import load_room, translate
from gridplan.params import WALKERS

COLUMNS = ("profile", "category", "name_en", "name_zh", "minutes", "limit_m", "measure", "per",
           "kinds", "required", "target_share", "min_area_urban_m2", "min_area_rural_m2",
           "min_area_hub_m2", "users_per_1000", "osm", "grade", "source", "includes")
MEASURES = ("network", "radius", "presence")
PERS = ("community", "subdistrict")
KINDS = ("urban", "old", "rural")
GRADES = ("A", "B", "C")
# A limit in metres is a budget of time for somebody who walks at this speed.
STANDARD_SPEED_M_S = WALKERS["adult"][1]
_HUBS = ("subdistrict", "district")


@dataclass(frozen=True)
class Category:
    """What one profile asks of one category; the columns of the table, field for field.

    ``limit_m`` is None where the category is shown and not measured. ``kinds`` are the kinds of
    communities it is meant for, empty for all. ``includes`` are categories that count as this
    one too. ``users_per_1000`` says how many of 1,000 people use one, None for everybody; these
    are rough figures from memory, whatever the grade of the row. ``grade`` says how well the row
    is founded: A encyclopedia or journal, B public code or press, C from memory.
    """

    category: str
    name_en: str = ""
    name_zh: str = ""
    minutes: float | None = None
    limit_m: float | None = None
    measure: str = "network"
    per: str = ""
    kinds: tuple[str, ...] = ()
    required: bool = True
    target_share: float | None = None
    min_area_urban_m2: float | None = None
    min_area_rural_m2: float | None = None
    min_area_hub_m2: float | None = None
    users_per_1000: float | None = None
    osm: tuple[str, ...] = ()
    grade: str = ""
    source: str = ""
    includes: tuple[str, ...] = ()

    @property
    def is_measured(self) -> bool:
        """Whether ways to it are measured: it has a limit, and presence alone does not do."""
        return self.measure != "presence" and self.limit_m is not None

    def title(self, lang: str = "en") -> str:
        """Return its name in a language, the other one or the id where that is missing.

        >>> Category("park", "Park", "公园").title("zh"), Category("park").title("zh")
        ('公园', 'park')
        """
        names = (self.name_zh, self.name_en) if lang == "zh" else (self.name_en, self.name_zh)
        return names[0] or names[1] or self.category

    def limit_of(self, walker: str) -> float:
        """Return how far a walker gets in the time of the limit, in metres, to 0.1 m.

        >>> [Category("park", limit_m=500).limit_of(w) for w in ("adult", "older", "ebike")]
        [500.0, 400.0, 2240.0]
        """
        assert self.limit_m is not None
        return round(self.limit_m / STANDARD_SPEED_M_S * WALKERS[walker][1], 1)

    def applies_to(self, kind: str) -> bool:
        """Tell whether it is meant for communities of a kind; one without a kind counts as urban.

        >>> Category("health_station", kinds=("rural",)).applies_to("urban")
        False
        """
        return not self.kinds or (kind or "urban") in self.kinds

    def least_area_m2(self, kind: str, level: str = "") -> float | None:
        """Return the floor area its premises need, None where nothing is asked.

        A facility that serves a subdistrict or district is a hub; else the kind of the community
        it stands in decides.

        >>> hall = Category("hall", min_area_urban_m2=400, min_area_hub_m2=1000)
        >>> hall.least_area_m2("urban"), hall.least_area_m2("urban", "district")
        (400, 1000)
        """
        if level in _HUBS:
            return self.min_area_hub_m2
        return self.min_area_rural_m2 if kind == "rural" else self.min_area_urban_m2


@dataclass(frozen=True)
class Profile:
    """The categories that one rule book asks for, in the order of its table."""

    name: str
    categories: tuple[Category, ...]

    def __contains__(self, category: object) -> bool:
        return any(c.category == category for c in self.categories)

    def __getitem__(self, category: str) -> Category:
        return next(c for c in self.categories if c.category == category)

    @property
    def names(self) -> list[str]:
        """The ids of its categories."""
        return [c.category for c in self.categories]

    @property
    def measured(self) -> list[Category]:
        """The categories to which ways are measured, along streets or straight."""
        return [c for c in self.categories if c.is_measured]

    @property
    def required(self) -> list[Category]:
        """Those of the measured ones that count for completeness."""
        return [c for c in self.measured if c.required]

    @property
    def present(self) -> list[Category]:
        """The categories of which every community or subdistrict should have one."""
        return [c for c in self.categories if c.measure == "presence"]

    def title(self, lang: str = "en") -> str:
        """Return what it is called; a profile of the user's own by its id.

        >>> Profile("ours", ()).title("zh"), Profile("rural", ()).title("zh")
        ('ours', '农村')
        """
        key = f"profile.{self.name}"
        return translate(f"categories.{key}", lang) if key in load_room("categories") else self.name

    def name_of(self, category: str, lang: str = "en") -> str:
        """Return the name of a category; of one that is not in the profile its id.

        What stands behind a colon, as in ``park:after``, is left out.
        """
        plain = category.partition(":")[0]
        return self[plain].title(lang) if plain in self else plain

    def limit_m(self, category: str, walker: str = "adult") -> float | None:
        """Return the limit of a category for a walker in metres, None where it has none."""
        return self[category].limit_of(walker) if self[category].is_measured else None

    def record(self) -> str:
        """Return the profile as JSON, so that a plan can tell what it was measured by.

        >>> recall_profile(Profile("p", (Category("park", osm=("a=b",)),)).record()).names
        ['park']
        """
        rows = [{k: v for k, v in asdict(c).items() if v not in (None, "", ())}
                for c in self.categories]
        return json.dumps({"profile": self.name, "categories": rows}, ensure_ascii=False,
                          sort_keys=True)


def recall_profile(text: str) -> Profile | None:
    """Return the profile out of a run table (``circle:table``), None where there is none."""
    try:
        told = json.loads(text or "null")
        return Profile(str(told["profile"]), tuple(map(_recall, told["categories"])))
    except (KeyError, TypeError, ValueError):
        return None


def _recall(row: dict[str, Any]) -> Category:
    held: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Category(**held)


@dataclass(frozen=True)
class CategoryTable:
    """All profiles of a table, and the SHA-256 of the file it came from."""

    profiles: Mapping[str, Profile]
    sha256: str
    file: str = ""

    @property
    def known(self) -> dict[str, Category]:
        """Every category, by id, as the first profile that has it tells it.

        Tags and inclusions are those of all profiles.
        """
        found: dict[str, Category] = {}
        for profile in self.profiles.values():
            for c in profile.categories:
                old = found.get(c.category)
                found[c.category] = c if old is None else replace(
                    old, osm=_union(old.osm, c.osm), includes=_union(old.includes, c.includes))
        return found

    def profile(self, name: str) -> Profile:
        """Return a profile by its id."""
        return self.profiles[name]

    def osm_tags(self) -> dict[tuple[str, str], str]:
        """Return OpenStreetMap tag → categories, joined with ``;`` in the order of the table."""
        found: dict[tuple[str, str], str] = {}
        for c in self.known.values():
            for tag in c.osm:
                key, _, value = tag.partition("=")
                held = found.get((key, value))
                found[key, value] = f"{held};{c.category}" if held else c.category
        return found


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


