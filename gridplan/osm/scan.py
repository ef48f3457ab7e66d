"""An OSM file → objects with tags. The only place that knows osmium.

The relations are read first, so that it is known which ways make up what. Then
the whole file is read once; what osmium could not assemble is fetched by id in
a third reading of the ways alone and put together in :mod:`gridplan.osm.rings`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import shapely

from gridplan.errors import Findings, first_ids
from gridplan.osm.features import Collector, Features
from gridplan.osm.rings import Member, Mended, Run, as_lines, close_ring, mend_area
from gridplan.osm.tags import AREA_RULES, LINE_RULES, POINT_RULES, wanted

log = logging.getLogger(__name__)

# The widest gap in the wall of a building that is closed straight, in metres.
_WALL_M = 100.0


class DamagedError(Exception):
    """The file breaks off, or holds what no OSM file may hold."""


@dataclass(frozen=True)
class Relation:
    """A relation that is an area: its id, tags and the ways it is made of."""

    id: int
    tags: dict[str, str]
    members: tuple[Member, ...]

    @property
    def key(self) -> str:
        """The key as text."""
        return f"r{self.id}"


@dataclass(frozen=True)
class Ask:
    """Which administrative areas are asked for, and the widest gap to close in their outlines."""

    level: int | None = None
    place: str | None = None
    gap_m: float = 500.0

    def matches(self, key: str, tags: dict[str, str]) -> bool:
        """Tell whether an area is administrative and of the level, or is the place named."""
        if tags.get("boundary") != "administrative":
            return False
        of_level = self.level is not None and tags.get("admin_level") == str(self.level)
        return of_level or (self.place is not None
                            and self.place in (tags.get("name"), tags.get("ref"), key))


@dataclass
class Boundaries:
    """The administrative relations of a file, and those of them that are asked for."""

    found: list[Relation] = field(default_factory=list)
    asked: dict[int, Relation] = field(default_factory=dict)
    ways: set[int] = field(default_factory=set)

    def levels(self) -> str:
        """Say which levels there are and how often: ``"4 (1), 8 (11)"``."""
        held = [r.tags.get("admin_level", "?") for r in self.found]
        names = sorted(set(held), key=lambda v: (len(v), v))
        return ", ".join(f"{name} ({held.count(name)})" for name in names)


@dataclass
class Scan:
    """What the readings of a file gather."""

    points: Collector = field(default_factory=Collector)
    lines: Collector = field(default_factory=Collector)
    areas: Collector = field(default_factory=Collector)
    bounds: Collector = field(default_factory=lambda: Collector(None))
    relations: dict[int, Relation] = field(default_factory=dict)
    boundaries: Boundaries = field(default_factory=Boundaries)
    awaited: dict[str, dict[str, str]] = field(default_factory=dict)
    cut_lines: list[str] = field(default_factory=list)
    open: dict[str, dict[str, str]] = field(default_factory=dict)
    local: list[str] = field(default_factory=list)
    outlines: set[int] = field(default_factory=set)


def read_relations(file: Any, ask: Ask) -> tuple[dict[int, Relation], Boundaries]:
    """Read the relations that are areas of a wanted kind, and the administrative ones."""
    import osmium

    relations: dict[int, Relation] = {}
    boundaries = Boundaries()
    for o in _objects(osmium.FileProcessor(file, osmium.osm.RELATION)):
        tags = _tags(o)
        if tags.get("type") not in ("multipolygon", "boundary"):
            continue
        administrative = tags.get("boundary") == "administrative"
        if not (administrative or wanted(tags, AREA_RULES)):
            continue
        members = tuple(Member(m.ref, m.role) for m in o.members if m.type == "w")
        relation = Relation(o.id, tags, members)
        if administrative:
            boundaries.found.append(relation)
            boundaries.ways.update(m.way for m in members)
            if ask.matches(relation.key, tags):
                boundaries.asked[o.id] = relation
        if wanted(tags, AREA_RULES):
            relations[o.id] = relation
    return relations, boundaries


def scan_file(file: Any, ask: Ask) -> tuple[Scan, Any]:
    """Read a file whole; also return the store of node positions, for :func:`fetch_ways`."""
    import osmium

    scan = Scan()
    scan.relations, scan.boundaries = read_relations(file, ask)
    scan.outlines = {m.way for r in scan.relations.values() if "building" in r.tags
                     for m in r.members if m.role in ("", "outer")}
    processor = osmium.FileProcessor(file).with_areas(
        osmium.filter.KeyFilter(*AREA_RULES, "boundary"))
    kinds = osmium.osm
    for entity, keys in ((kinds.NODE, (*POINT_RULES,)),
                         (kinds.WAY, (*AREA_RULES, *LINE_RULES, "boundary")),
                         (kinds.AREA, (*AREA_RULES, "boundary"))):
        only = osmium.filter.KeyFilter(*keys)
        only.enable_for(entity)
        processor.with_filter(only)
    processor.with_filter(osmium.filter.EntityFilter(kinds.NODE | kinds.WAY | kinds.AREA))
    wkb = osmium.geom.WKBFactory()
    for r in (*scan.relations.values(), *scan.boundaries.asked.values()):
        scan.awaited[r.key] = r.tags
    for o in _objects(processor):
        kind = o.type_str()
        if kind == "n":
            _take_node(scan, o, wkb)
        elif kind == "w":
            _take_way(scan, o, wkb, ask)
        else:
            _take_area(scan, o, wkb, ask)
    return scan, processor.node_location_storage


def _objects(source: Iterable[Any]) -> Iterator[Any]:
    """Yield objects; only what osmium itself refuses counts as damage."""
    try:
        objects = iter(source)
        while True:
            yield next(objects)
    except StopIteration:
        return
    except (RuntimeError, ValueError) as error:
        raise DamagedError(str(error)) from error


def _tags(o: Any) -> dict[str, str]:
    try:
        return dict(o.tags)
    except UnicodeDecodeError as error:
        raise DamagedError(str(error)) from error


def _unplaced() -> tuple[type[Exception], ...]:
    """Return what osmium raises where nodes are missing or make no shape."""
    import osmium

    return RuntimeError, osmium.InvalidLocationError


def _take_node(scan: Scan, o: Any, wkb: Any) -> None:
    tags = _tags(o)
    if wanted(tags, POINT_RULES) and o.location.valid():
        scan.points.add(f"n{o.id}", wkb.create_point(o), tags)


def _take_way(scan: Scan, o: Any, wkb: Any, ask: Ask) -> None:
    tags = _tags(o)
    key = f"w{o.id}"
    if wanted(tags, LINE_RULES):
        try:
            scan.lines.add(key, wkb.create_linestring(o), tags)
        except _unplaced():
            scan.cut_lines.append(key)
            _note_local(scan, o)
            for part, line in enumerate(as_lines(known_runs(o))):
                scan.lines.add(f"{key}/{part + 1}", line, tags)
    if tags.get("area") != "no" and _is_area(scan, o.id, tags, ask):
        if o.ends_have_same_id():
            scan.awaited[key] = tags  # osmium gives no area where a node is missing
        elif "building" in tags:
            scan.open[key] = tags


def _note_local(scan: Scan, o: Any) -> None:
    """Note a way with nodes that only an editor knows; osmium keeps no place for these."""
    if any(node.ref < 0 for node in o.nodes):
        scan.local.append(f"w{o.id}")


def _is_area(scan: Scan, way: int, tags: dict[str, str], ask: Ask) -> bool:
    """Tell whether a closed way is an area we want, and is not told by a relation already."""
    if ask.matches(f"w{way}", tags):
        return way not in scan.boundaries.ways
    if not wanted(tags, AREA_RULES):
        return False
    return not ("building" in tags and way in scan.outlines)


def _take_area(scan: Scan, o: Any, wkb: Any, ask: Ask) -> None:
    key = f"{'w' if o.from_way() else 'r'}{o.orig_id()}"
    tags = scan.awaited.get(key)
    if tags is None:
        return
    try:
        shape = wkb.create_multipolygon(o)
    except _unplaced():  # rings that cross or do not close: mended later, or told
        return
    del scan.awaited[key]
    _add_area(scan, key, shape, tags, ask)


def _add_area(scan: Scan, key: str, shape: object, tags: dict[str, str], ask: Ask) -> None:
    if ask.matches(key, tags):
        scan.bounds.add(key, shape, tags)
    if wanted(tags, AREA_RULES):
        scan.areas.add(key, shape, tags)


def known_runs(way: Any) -> list[Run]:
    """Return the runs of neighbouring nodes of a way whose positions are known."""
    runs: list[Run] = [[]]
    for node in way.nodes:
        if node.location.valid():
            runs[-1].append((node.lon, node.lat))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def fetch_ways(scan: Scan, file: Any, store: Any, ids: Iterable[int]) -> dict[int, list[Run]]:
    """Read some ways again: way id → its runs of known nodes."""
    import osmium

    chosen = sorted(ids)
    if not chosen:
        return {}
    # The iterator does not keep its handlers alive, so they are held by name.
    places = osmium.NodeLocationsForWays(store)
    places.ignore_errors()
    only = osmium.filter.IdFilter(chosen)
    with osmium.io.Reader(file, osmium.osm.WAY) as reader:
        found = {}
        for o in _objects(osmium.OsmFileIterator(reader, places, only)):
            found[o.id] = known_runs(o)
            _note_local(scan, o)
        return found


def mend_areas(scan: Scan, file: Any, store: Any, name: str, ask: Ask,
               findings: Findings) -> tuple[set[str], dict[str, dict[str, str]]]:
    """Put together what osmium could not; return the keys mended and the tags of the lost.

    Nodes that an extract lacks lie outside it, so that an outline of known nodes alone is
    much like one cut at its edge. Relations are not treated so, as whole rings may be
    missing; only buildings are, where a chord is short.
    """
    members = {r.key: r.members for r in (*scan.relations.values(),
                                          *scan.boundaries.asked.values())}
    ways = {m.way for k in scan.awaited for m in members.get(k, ())}
    ways.update(int(k[1:]) for k in scan.awaited if k[0] == "w")
    runs = fetch_ways(scan, file, store, ways)
    mended: set[str] = set()
    lost: dict[str, dict[str, str]] = {}
    far: list[str] = []
    for key, tags in scan.awaited.items():
        asked = ask.matches(key, tags)
        if key[0] == "w":
            result = Mended(close_ring(runs.get(int(key[1:]), ())), 0.0, 0)
        elif asked:
            result = mend_area(members[key], runs, ask.gap_m)
        else:
            house = "building" in tags
            result = mend_area(members[key], runs, _WALL_M if house else 0.0, whole=not house)
        label = tags.get("name", key)
        if result.area is None:
            lost[key] = tags
            if asked:
                far.append(f"{label} ({key}, {result.gap_m:.0f} m)" if np.isfinite(result.gap_m)
                           else f"{label} ({key})")
            continue
        if asked and result.gap_m > 0:
            findings.add("osm.boundary_closed", "warning", file=name, layer="communities", row=key,
                         name=label, gap=f"{result.gap_m:.0f}", missing=result.missing)
        mended.add(key)
        _add_area(scan, key, result.area, tags, ask)
    if far:
        findings.add("osm.boundary_open", "warning", file=name, layer="communities",
                     count=len(far), names=first_ids(far, 20), limit=f"{ask.gap_m:.0f}")
    return mended, lost


def open_extract(path: Path, form: str) -> Any:
    """Name a file and its form to osmium; nothing is read yet."""
    import osmium

    return osmium.io.File(str(path), form)


def sort_extract(path: Path, form: str, folder: Path) -> Any:
    """Write a copy of a file in the order that osmium needs, each object once."""
    import osmium

    copy = open_extract(folder / "sorted.osm.pbf", "pbf")
    collected = osmium.MergeInputReader()
    try:
        collected.add_buffer(path.read_bytes(), form)
        with osmium.SimpleWriter(copy) as writer:
            collected.apply(writer, simplify=True)
    except (RuntimeError, ValueError) as error:
        raise DamagedError(str(error)) from error
    return copy


def _covered(file: Any) -> shapely.Geometry | None:
    """Return the box that a file says it covers."""
    import osmium

    box = osmium.io.Reader(file, osmium.osm.NOTHING).header().box()
    if not box.valid():
        return None
    low, high = box.bottom_left, box.top_right
    return shapely.box(low.lon, low.lat, high.lon, high.lat)


def scan_extract(path: Path, form: str, ask: Ask,
                 findings: Findings) -> tuple[Features, Boundaries]:
    """Read an OSM file of format ``form`` (as osmium names it) into objects with tags.

    Map servers tell ways before their nodes, and objects twice; a file that cannot be read
    as it stands, or whose ways lack nodes, is read again from a sorted copy.
    """
    file = open_extract(path, form)
    with TemporaryDirectory() as folder:
        scan = store = None
        try:
            scan, store = scan_file(file, ask)
        except DamagedError as error:
            log.debug("%s: %s", path.name, error)
        if scan is None or (form != "pbf" and (scan.cut_lines or scan.awaited)):
            file = sort_extract(path, form, Path(folder))
            scan, store = scan_file(file, ask)
        mended, lost = mend_areas(scan, file, store, path.name, ask, findings)
    if scan.local:
        findings.add("osm.local_ids", file=path.name, count=len(set(scan.local)),
                     ids=first_ids(dict.fromkeys(scan.local)))
    if scan.cut_lines:
        findings.add("osm.line_cut", "warning", file=path.name, count=len(scan.cut_lines),
                     ids=first_ids(scan.cut_lines))
    features = Features(path.name, scan.points.frame(), scan.lines.frame(), scan.areas.frame(),
                        scan.bounds.frame(), mended, lost, scan.open,
                        _covered(open_extract(path, form)))
    return features, scan.boundaries
