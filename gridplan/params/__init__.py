"""Every option of a run, checked when it is made.

One frozen dataclass per table of ``gridplan.toml``, field for field. The
comment of a field in the template that ``gridplan init`` writes is the text
``params.<table>.<field>`` of the catalogue, so each figure carries its reason.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gridplan.errors import Finding, Findings, InputError, MachineError
from gridplan.i18n import translate
from gridplan.params.patrol import PatrolParams as PatrolParams
from gridplan.params.rules import MODES as MODES
from gridplan.params.rules import check, counts, within

Effort = Literal["fast", "normal", "best"]
CROSSINGS = ("auto", "join", "apart")
# Who walks or rides: the mode, and metres a second on a flat way.
WALKERS: dict[str, tuple[str, float]] = {
    "adult": ("foot", 1.25), "older": ("foot", 1.0), "frail": ("foot", 0.8),
    "bike": ("bike", 4.2), "ebike": ("ebike", 5.6), "car": ("car", 8.3)}
EFFORTS = ("fast", "normal", "best")
AIMS = ("continuity", "balance", "wishes", "travel")
POSTS_OF_COMMUNITIES = ("coordinator", "community_officer", "mediator", "guard", "social_worker",
                        "liaison", "newcomer_assistant")
PROFILES: dict[str, dict[str, int]] = {
    "none": {},
    "nantong": {"coordinator": 1, "community_officer": 1, "mediator": 2, "guard": 2,
                "social_worker": 1, "liaison": 1}}


@dataclass(frozen=True)
class Range:
    """How many households a grid of one kind may hold, both ends included."""

    low: int = 300
    high: int = 500

    def __post_init__(self) -> None:
        check(self, low=self.low >= 1, high=self.high >= self.low)

    def fits(self, households: int) -> bool:
        """Tell whether ``households`` can be divided into grids of this range, by number alone.

        >>> [Range().fits(h) for h in (299, 300, 500, 501, 599, 600)]
        [False, True, True, False, False, True]
        """
        return households >= self.low and -(-households // self.high) <= households // self.low


@dataclass(frozen=True)
class HouseholdParams:
    """How households are estimated where they are not given."""

    household_size: float = 2.3
    gross_area_per_dwelling_m2: float = 100.0
    storey_height_m: float = 3.0
    efficiency: float = 0.85
    default_floors: float = 1.0
    spread: float = 0.25
    minimum_footprint_m2: float = 40.0
    residential_share: Mapping[str, float] = field(default_factory=lambda: {
        "apartments": 1.0, "residential": 1.0, "house": 1.0, "detached": 1.0,
        "semidetached_house": 1.0, "terrace": 1.0, "dormitory": 0.0, "bungalow": 1.0,
        "farm": 1.0, "mixed": 0.7, "yes": 0.5, "": 0.5})

    def __post_init__(self) -> None:
        check(self, household_size=self.household_size > 0,
               gross_area_per_dwelling_m2=self.gross_area_per_dwelling_m2 > 0,
               storey_height_m=self.storey_height_m > 0,
               efficiency=0 < self.efficiency <= 1, default_floors=self.default_floors > 0,
               spread=0 <= self.spread < 1, minimum_footprint_m2=self.minimum_footprint_m2 >= 0,
               residential_share=all(within(v, 0, 1)
                                     for v in self.residential_share.values()))


@dataclass(frozen=True)
class BlockParams:
    """How roads, barriers and buildings become blocks and units."""

    extend_m: float = 20.0
    sliver_m2: float = 500.0
    thin: float = 0.08
    cut_households: int = 150
    cell_households: int = 80
    unit_households: int = 40
    straighten_m: float = 6.0
    empty_ha: float = 4.0
    special_ha: float = 0.5

    def __post_init__(self) -> None:
        check(self, extend_m=self.extend_m >= 0, sliver_m2=self.sliver_m2 >= 0,
               thin=0 <= self.thin < 1, cut_households=self.cut_households >= 1,
               cell_households=self.cell_households >= 1,
               unit_households=1 <= self.unit_households <= 100,
               straighten_m=self.straighten_m >= 0, empty_ha=self.empty_ha > 0,
               special_ha=self.special_ha >= 0)


@dataclass(frozen=True)
class Objective:
    """What a cut costs: a weighted sum of terms, each reported in the figures.

    ``border`` is per metre of border times the factor of its class, ``shape`` per metre of border
    whatever it follows, ``balance`` per household between a grid and the middle of its range, and
    ``risk`` what a grid that is sure to leave the range costs, in weighted metres. With ``apart``
    no grid straddles a major line where both sides can be cut alone.
    """

    border: float = 1.0
    shape: float = 0.0
    balance: float = 0.0
    risk: float = 0.0
    apart: bool = True

    def __post_init__(self) -> None:
        check(self, border=self.border > 0, shape=self.shape >= 0, balance=self.balance >= 0,
               risk=self.risk >= 0)


@dataclass(frozen=True)
class Inner:
    """What a border inside an estate costs, as a multiple of the cost of its line.

    ``phase`` holds between two phases, ``run`` between buildings whose numbers run on.
    """

    phase: float = 0.5
    run: float = 2.0

    def __post_init__(self) -> None:
        check(self, phase=0 < self.phase <= 1, run=self.run >= 1)


@dataclass(frozen=True)
class PartitionParams:
    """What a good grid is, and how hard to look for it."""

    urban: Range = field(default_factory=Range)
    old: Range = field(default_factory=Range)
    rural: Range = field(default_factory=Range)
    community: Range = field(default_factory=lambda: Range(1500, 5000))
    group: Range = field(default_factory=lambda: Range(80, 150))
    objective: Objective = field(default_factory=Objective)
    inner: Inner = field(default_factory=Inner)
    groups: bool = True
    border_factors: tuple[float, float, float, float, float] = (10.0, 3.0, 2.0, 1.0, 0.5)
    effort: Effort = "normal"

    def __post_init__(self) -> None:
        check(self, border_factors=len(self.border_factors) == 5
               and all(within(f, 0) and f > 0 for f in self.border_factors),
               effort=self.effort in EFFORTS)

    def range_of(self, kind: str) -> Range:
        """Return the range of a community of ``kind`` (urban, old or rural)."""
        return {"old": self.old, "rural": self.rural}.get(kind, self.urban)


@dataclass(frozen=True)
class Workload:
    """What a grid asks of its people: a weight for each thing that is counted in it."""

    household: float = 1.0
    newcomer: float = 0.0
    rented: float = 0.0
    unmanaged_estate: float = 0.0
    hectare: float = 0.0
    without_lift: float = 0.0
    key_place: float = 0.0
    patrol_km: float = 0.0

    def __post_init__(self) -> None:
        check(self, **{f.name: getattr(self, f.name) >= 0 for f in dataclasses.fields(self)})


@dataclass(frozen=True)
class AssignParams:
    """Which posts there are, what people can carry, and in which order the aims come.

    ``urban``, ``old`` and ``rural`` hold what of ``responsibles``, ``backups`` and
    ``most_households`` is different in communities of that kind.
    """

    responsibles: int = 1
    backups: int = 0
    backup_grids: int = 2
    most_households: int = 500
    across: bool = False
    profile: str = "none"
    staff_per_grid: float = 1.2
    newcomers_per_assistant: int = 1000
    walk_factor: float = 1.3
    order: tuple[str, ...] = AIMS
    urban: Mapping[str, int] = field(default_factory=dict)
    old: Mapping[str, int] = field(default_factory=dict)
    rural: Mapping[str, int] = field(default_factory=dict)
    community_roles: Mapping[str, int] = field(default_factory=dict)
    workload: Workload = field(default_factory=Workload)

    def __post_init__(self) -> None:
        least = {"responsibles": 1, "backups": 0, "most_households": 1}
        own = {kind: all(name in least and counts(count, least[name])
                         for name, count in getattr(self, kind).items())
               for kind in ("urban", "old", "rural")}
        check(self, **{name: counts(getattr(self, name), low) for name, low in least.items()},
               backup_grids=counts(self.backup_grids, 1), profile=self.profile in PROFILES,
               staff_per_grid=self.staff_per_grid > 0,
               newcomers_per_assistant=counts(self.newcomers_per_assistant, 1),
               walk_factor=self.walk_factor >= 1,
               order=len(set(self.order)) == len(self.order) and set(self.order) <= set(AIMS),
               community_roles=all(r in POSTS_OF_COMMUNITIES and counts(count, 0)
                                   for r, count in self.community_roles.items()), **own)

    def of_kind(self, name: str, kind: str) -> int:
        """Return ``responsibles``, ``backups`` or ``most_households`` in communities of a kind.

        >>> AssignParams(rural={"backups": 1}).of_kind("backups", "rural")
        1
        """
        own = {"urban": self.urban, "old": self.old, "rural": self.rural}.get(kind, {})
        return int(own.get(name, getattr(self, name)))

    def most_posts(self) -> int:
        """Return how many people a grid has at most, responsibles and backups.

        >>> AssignParams(backups=1, old={"responsibles": 2}).most_posts()
        3
        """
        return max(self.of_kind("responsibles", kind) + self.of_kind("backups", kind)
                   for kind in ("urban", "old", "rural"))

    def posts_of_communities(self) -> dict[str, int]:
        """Return how many people of each role a community needs: the profile's, then its own.

        >>> AssignParams(profile="nantong", community_roles={"guard": 3}).posts_of_communities()[
        ...     "guard"]
        3
        """
        return {**PROFILES[self.profile], **self.community_roles}


@dataclass(frozen=True)
class NetworkParams:
    """How roads become a network, how far a point may lie from it, and how fast one drives.

    The speeds are in km/h by road class; a class without one takes that of ``unknown``.
    """

    join_m: float = 0.5
    crossings: str = "auto"
    island_m: float = 2000.0
    snap_m: float = 500.0
    car_kmh: Mapping[str, float] = field(default_factory=lambda: {
        "motorway": 80.0, "trunk": 60.0, "primary": 40.0, "secondary": 35.0, "tertiary": 30.0,
        "unknown": 30.0, "unclassified": 30.0, "residential": 25.0, "living_street": 15.0,
        "service": 15.0})
    ebike_kmh: Mapping[str, float] = field(default_factory=lambda: {
        "unknown": 20.0, "pedestrian": 8.0, "living_street": 15.0, "service": 15.0, "path": 12.0})
    bike_kmh: Mapping[str, float] = field(default_factory=lambda: {
        "unknown": 15.0, "pedestrian": 8.0, "living_street": 12.0, "service": 12.0,
        "path": 10.0})

    def __post_init__(self) -> None:
        check(self, join_m=self.join_m >= 0, crossings=self.crossings in CROSSINGS,
               island_m=self.island_m >= 0, snap_m=self.snap_m > 0,
               **{name: all(within(v, 1, 150) for v in getattr(self, name).values())
                  and "unknown" in getattr(self, name)
                  for name in ("car_kmh", "ebike_kmh", "bike_kmh")})


@dataclass(frozen=True)
class CircleParams:
    """Whose ways to which facilities are measured, and how far they may be."""

    profile: str = "gb50180-draft"
    walkers: tuple[str, ...] = ("adult", "older", "frail")
    choice: int = 2
    catchment_bands: tuple[float, ...] = (1.0, 0.68, 0.22)
    area_buffer_m: float = 30.0

    def __post_init__(self) -> None:
        check(self, walkers=0 < len(self.walkers) == len(set(self.walkers))
               and set(self.walkers) <= set(WALKERS), choice=counts(self.choice, 1),
               catchment_bands=len(self.catchment_bands) > 0
               and all(within(w, 0, 1) for w in self.catchment_bands)
               and list(self.catchment_bands) == sorted(self.catchment_bands, reverse=True),
               area_buffer_m=1 <= self.area_buffer_m <= 100)


@dataclass(frozen=True)
class SiteParams:
    """Where a new facility may stand, and whose households count more."""

    spacing_m: float = 100.0
    priority: float = 1.0
    most_candidates: int = 5000

    def __post_init__(self) -> None:
        check(self, spacing_m=self.spacing_m > 0, priority=self.priority >= 1,
               most_candidates=counts(self.most_candidates, 1))


@dataclass(frozen=True)
class ReadParams:
    """What of an input is mended, and how far."""

    snap_m: float = 0.01
    gap_m: float = 500.0
    margin_m: float = 500.0
    outside_share: float = 0.01

    def __post_init__(self) -> None:
        check(self, snap_m=self.snap_m >= 0, gap_m=self.gap_m >= 0, margin_m=self.margin_m >= 0,
               outside_share=0 <= self.outside_share <= 1)


@dataclass(frozen=True)
class Params:
    """All tables of ``gridplan.toml`` and the seed."""

    seed: int = 1
    read: ReadParams = field(default_factory=ReadParams)
    households: HouseholdParams = field(default_factory=HouseholdParams)
    blocks: BlockParams = field(default_factory=BlockParams)
    partition: PartitionParams = field(default_factory=PartitionParams)
    assign: AssignParams = field(default_factory=AssignParams)
    network: NetworkParams = field(default_factory=NetworkParams)
    circle: CircleParams = field(default_factory=CircleParams)
    site: SiteParams = field(default_factory=SiteParams)
    patrol: PatrolParams = field(default_factory=PatrolParams)

    def __post_init__(self) -> None:
        check(self, seed=self.seed >= 0)


def load_params(path: str | Path | None = None) -> Params:
    """Read ``gridplan.toml``; without a path, return the defaults.

    Raises
    ------
    InputError
        With every unknown table, unknown field and bad value of the file.
    MachineError
        The file cannot be read.
    """
    if path is None:
        return Params()
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise MachineError(Finding("params.unreadable", file=path.name,
                                   values={"error": str(error.strerror)})) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(Finding("params.not_toml", file=path.name,
                                 values={"error": str(error)})) from error
    findings = Findings()
    params = _build(Params, raw, "", path.name, findings)
    findings.stop_on_faults()
    assert isinstance(params, Params)
    return params


def template(lang: str = "en") -> str:
    """Return a ``gridplan.toml`` with every default and the reason for it.

    >>> "low = 300" in template()
    True
    """
    lines: list[str] = []
    _describe(Params(), "", lines, lang)
    return "\n".join(lines).strip() + "\n"


def recall_assign(recorded: str, file: str = "") -> AssignParams:
    """Return the parameters of assigning that the run table of a plan holds, else the defaults.

    Raises
    ------
    InputError
        With every unknown field and bad value.

    >>> recall_assign('{"assign": {"backups": 1}}').backups, recall_assign("").backups
    (1, 0)
    """
    try:
        told = json.loads(recorded or "{}").get("assign", {})
    except (AttributeError, ValueError):
        told = {}
    findings = Findings()
    params: AssignParams = _build(AssignParams, told if isinstance(told, dict) else {}, "assign",
                                  file, findings)
    findings.stop_on_faults()
    return params


def recall_circle(recorded: str, params: Params, file: str = "") -> Params:
    """Return parameters with those of network, circle and siting that a run table holds, if any.

    Raises
    ------
    InputError
        With every unknown field and bad value.

    >>> recall_circle('{"circle": {"choice": 3}}', Params()).circle.choice
    3
    """
    return _recall(recorded, params, ("network", "circle", "site"), file)


def recall_patrol(recorded: str, params: Params, file: str = "") -> Params:
    """Return parameters with those of network and patrol that a run table holds, if any.

    Raises
    ------
    InputError
        With every unknown field and bad value.

    >>> recall_patrol('{"patrol": {"crews": 3}}', Params()).patrol.crews
    3
    """
    return _recall(recorded, params, ("network", "patrol"), file)


def _recall(recorded: str, params: Params, tables: tuple[str, ...], file: str) -> Params:
    try:
        told = json.loads(recorded or "{}")
        told = {name: told[name] for name in tables if isinstance(told.get(name), dict)}
    except (AttributeError, ValueError):
        told = {}
    findings = Findings()
    held = {name: _build(type(getattr(params, name)), rows, name, file, findings)
            for name, rows in told.items()}
    findings.stop_on_faults()
    return dataclasses.replace(params, **held)


def as_dict(params: Params) -> dict[str, Any]:
    """Return the parameters as plain nested dictionaries, for the run table."""
    return dataclasses.asdict(params)


def _build(kind: type, raw: Mapping[str, Any], table: str, file: str, findings: Findings) -> Any:
    default = kind()
    values: dict[str, Any] = {}
    for name, value in raw.items():
        here = f"{table}.{name}" if table else name
        if name not in {f.name for f in dataclasses.fields(kind)}:
            findings.add("params.unknown", file=file, field=here)
            continue
        known = getattr(default, name)
        if dataclasses.is_dataclass(known):
            if isinstance(value, Mapping):
                values[name] = _build(type(known), value, here, file, findings)
            else:
                findings.add("params.not_a_table", file=file, field=here)
        elif isinstance(known, Mapping) and isinstance(value, Mapping):
            values[name] = {**known, **value}
        elif isinstance(known, tuple) and isinstance(value, list):
            values[name] = tuple(float(v) if type(v) is int else v for v in value)
        elif isinstance(known, float) and type(value) in (int, float):
            values[name] = float(value)
        elif type(value) is type(known):
            values[name] = value
        else:
            findings.add("params.bad_value", file=file, field=here, value=value)
    try:
        return kind(**values)
    except InputError as error:
        findings.items.extend(
            dataclasses.replace(f, file=file, layer="",
                                field=f"{table}.{f.field}" if table else f.field)
            for f in error.findings)
    return default


def _describe(params: object, table: str, lines: list[str], lang: str) -> None:
    assert dataclasses.is_dataclass(params)
    nested = []
    for f in dataclasses.fields(params):
        value = getattr(params, f.name)
        here = f"{table}.{f.name}" if table else f.name
        if dataclasses.is_dataclass(value) or isinstance(value, Mapping):
            nested.append((here, value))
            continue
        lines.append("# " + translate(f"params.{here}", lang))
        lines.append(f"{f.name} = {_toml(value)}")
    for here, value in nested:
        lines.extend(["", "# " + translate(f"params.{here}", lang), f"[{here}]"])
        if isinstance(value, Mapping):
            lines.extend(f'"{k}" = {_toml(v)}' for k, v in value.items())
        else:
            _describe(value, here, lines, lang)


def _toml(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return str(value)
