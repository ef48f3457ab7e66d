"""What is asked of a log: which files, whose they are, and what counts as done."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gridplan.errors import Finding, UsageError

CHINA_MIN = 480


@dataclass(frozen=True)
class LogRules:
    """What counts as done.

    Attributes
    ----------
    reach_m
        So near its stop a team has reached it.
    noise_m
        How far fixes usually lie off the true place; added to ``reach_m``.
    stay_share
        Share of the service time that a team must stay.
    covered_share
        Share of a required street that must be passed.
    late_min
        A visit that begins so many minutes after its time is late.
    margin_min
        Minutes before and after a shift that still belong to it.
    elsewhere_m
        A track whose middle is so far from all routes is from another place.
    """

    reach_m: float = 30.0
    noise_m: float = 10.0
    stay_share: float = 0.5
    covered_share: float = 0.8
    late_min: float = 10.0
    margin_min: float = 60.0
    elsewhere_m: float = 5000.0

    def __post_init__(self) -> None:
        good = {"reach_m": 1 <= self.reach_m <= 500, "noise_m": 1 <= self.noise_m <= 100,
                "stay_share": 0 <= self.stay_share <= 1,
                "covered_share": 0 < self.covered_share <= 1,
                "late_min": 0 <= self.late_min <= 1440, "margin_min": 0 <= self.margin_min <= 720,
                "elsewhere_m": self.elsewhere_m > 0}
        bad = [n for n, holds in good.items() if not holds or not math.isfinite(getattr(self, n))]
        if bad:
            raise UsageError(*(Finding("log.bad_rule", field=name, values={
                "value": getattr(self, name)}) for name in bad))

    @property
    def radius_m(self) -> float:
        """So near a fix may lie to tell that a stop was reached."""
        return self.reach_m + self.noise_m

    def as_dict(self) -> dict[str, float]:
        """Return the rules as plain values, for the run table."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class LogRequest:
    """The files of a log and what is known of them.

    Attributes
    ----------
    files
        Tracks (GPX, KML, GeoJSON) and check-in tables (CSV, workbooks).
    team, day
        Of all files, where they do not tell it themselves.
    who
        A table of file → team, and day.
    datum
        Of the coordinates; without it that in a file's name, else WGS-84.
    utc_offset_min
        Minutes by which the plan's clocks are ahead of UTC.
    columns
        Ours → theirs, in check-in tables: ``stop_id``, ``name``, ``team_id``, ``day``, ``time``.
    sheet
        The sheet of workbooks; without it, the first that holds anything.
    """

    files: tuple[Path, ...]
    team: str = ""
    day: str = ""
    who: Path | None = None
    datum: str = ""
    utc_offset_min: int = CHINA_MIN
    columns: Mapping[str, str] = field(default_factory=dict)
    sheet: str | None = None
