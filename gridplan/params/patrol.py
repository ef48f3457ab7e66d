"""How patrols move and who is on duty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gridplan.params.rules import MODES, check, counts, within


@dataclass(frozen=True)
class PatrolParams:
    """How patrols move, how often they come, who is on duty when nothing is given.

    The speeds are those of cruising, in km/h by road class; a class without one takes that of
    ``unknown``. ``passes`` a day and ``tiers`` are by road class as well; a class without a row is
    not patrolled. ``shifts`` (``HH:MM-HH:MM``, parted by ``;``), ``modes`` and ``members`` are by
    tier.
    """

    foot_kmh: float = 3.6
    bike_kmh: Mapping[str, float] = field(default_factory=lambda: {
        "unknown": 10.0, "pedestrian": 6.0, "living_street": 8.0, "service": 8.0, "path": 8.0})
    ebike_kmh: Mapping[str, float] = field(default_factory=lambda: {
        "unknown": 12.0, "pedestrian": 6.0, "living_street": 10.0, "service": 10.0, "path": 8.0})
    car_kmh: Mapping[str, float] = field(default_factory=lambda: {
        "motorway": 60.0, "trunk": 40.0, "primary": 30.0, "secondary": 25.0, "unknown": 20.0,
        "residential": 15.0, "living_street": 10.0, "service": 10.0})
    passes: Mapping[str, int] = field(default_factory=lambda: {
        "trunk": 3, "primary": 3, "secondary": 3, "tertiary": 2, "unclassified": 2,
        "residential": 2, "living_street": 1, "pedestrian": 1, "unknown": 1})
    tiers: Mapping[str, str] = field(default_factory=lambda: {
        "trunk": "city", "primary": "city", "secondary": "city", "tertiary": "town",
        "unclassified": "town", "residential": "town", "living_street": "community",
        "pedestrian": "community", "unknown": "town"})
    modes: Mapping[str, str] = field(default_factory=lambda: {
        "city": "car", "town": "ebike", "community": "foot"})
    members: Mapping[str, int] = field(default_factory=lambda: {
        "city": 2, "town": 2, "community": 2})
    shifts: Mapping[str, str] = field(default_factory=lambda: {
        "city": "07:30-15:30;15:30-23:30;23:30-07:30", "town": "07:30-15:30;15:30-23:30",
        "community": "08:30-16:30"})
    crews: int = 4
    break_min: int = 30
    fill: float = 0.75
    duty: Mapping[str, float] = field(default_factory=lambda: {
        "normal": 1.0, "raised": 1.5, "high": 2.0})
    hotspot_least_min: int = 10
    hotspot_more_min: int = 6
    longer: float = 0.05
    watch_m: float = 50.0
    staff_per_10000: float = 14.0
    staff: Mapping[str, int] = field(default_factory=lambda: {"city": 1000, "town": 200})

    def __post_init__(self) -> None:
        check(self, foot_kmh=within(self.foot_kmh, 0.5, 10),
               passes=all(counts(p, 0) for p in self.passes.values()),
               tiers=set(self.tiers.values()) <= {"city", "town", "community"}
               and set(self.passes) <= set(self.tiers),
               modes=set(self.modes.values()) <= set(MODES)
               and set(self.modes) == {"city", "town", "community"},
               members=set(self.members) == {"city", "town", "community"}
               and all(counts(m, 1) for m in self.members.values()),
               shifts=set(self.shifts) == {"city", "town", "community"}
               and all(_is_shift(t) for text in self.shifts.values() for t in text.split(";")),
               crews=counts(self.crews, 1), break_min=counts(self.break_min, 0),
               fill=0 < self.fill <= 1, duty="normal" in self.duty
               and all(within(v, 0.1, 10) for v in self.duty.values()),
               hotspot_least_min=counts(self.hotspot_least_min, 1),
               hotspot_more_min=counts(self.hotspot_more_min, 0),
               longer=within(self.longer, 0, 1), watch_m=self.watch_m > 0,
               staff_per_10000=self.staff_per_10000 > 0,
               staff=set(self.staff) <= {"city", "town", "community"}
               and all(counts(n, 0) for n in self.staff.values()),
               **{name: all(within(v, 1, 120) for v in getattr(self, name).values())
                  and "unknown" in getattr(self, name)
                  for name in ("car_kmh", "ebike_kmh", "bike_kmh")})

    @property
    def hotspot_most_min(self) -> int:
        """The longest stay at a hotspot in minutes.

        >>> PatrolParams().hotspot_most_min
        16
        """
        return self.hotspot_least_min + self.hotspot_more_min



def _is_shift(text: str) -> bool:
    return re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d", text) is not None
