"""Inside estates: phases and runs of building numbers, and what a border costs that parts them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.errors import Findings, first_ids
from gridplan.layers import Units
from gridplan.params import Inner, Range
from gridplan.partition.borders import measure_on_line
from gridplan.partition.graph import Contacts, Ints

Flags = NDArray[np.bool_]

_NUMERAL = "[一二三四五六七八九十]{1,3}"
_PHASE = re.compile(
    rf"第?(\d{{1,2}}|{_NUMERAL}|[IVX]{{1,4}}|[A-Z])(期)"
    rf"|(\d{{1,2}}|{_NUMERAL}|[A-Z]|[东南西北中]{{1,2}})(区|组团|苑)"
    r"|(?:PHASE|ZONE)[-.]?(\d{1,2}|[IVX]{1,4}|[A-Z])(?![A-Z])")
_NUMBER = re.compile(
    r"(?<![\d-])([A-Z]?)(\d{1,4})[A-Z]?(?:号楼|[幢栋座楼号#]|$)"
    r"|([一二三四五六七八九十百零〇]{1,5})(?:号楼|[幢栋座楼])"
    r"|(?<![A-Z])([A-Z])(?:[座栋幢楼]|$)")
_DIGITS = {c: k for k, c in enumerate("零一二三四五六七八九")} | {"〇": 0}
_ROMAN = {word: k for k, word in enumerate(
    ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"), start=1)}
# Numbers run on to the next one there is, over one that was left out: many estates have no 4.
_STEP = 2
_BITS = 62


@dataclass(frozen=True)
class Homes:
    """What is known of units that belong to estates; arrays over the units.

    ``estate`` is a number or -1, ``phases`` has a bit for each phase of the estate that the unit
    has buildings of (0 where none is known), ``numbered`` tells whether a building number can be
    read, and ``runs`` are the pairs of units (smaller × units + larger, sorted) whose building
    numbers run on from one to the other. ``names`` are the ids of the estates, by number.
    """

    estate: Ints
    phases: Ints
    numbered: Flags
    runs: Ints
    names: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))

    def inside(self, a: Ints, b: Ints) -> Flags:
        """Tell which pairs of units belong to one estate."""
        same: Flags = (self.estate[a] >= 0) & (self.estate[a] == self.estate[b])
        return same

    def parts_phases(self, a: Ints, b: Ints) -> Flags:
        """Tell which pairs of one estate have no phase in common."""
        known = (self.phases[a] != 0) & (self.phases[b] != 0)
        parted: Flags = self.inside(a, b) & known & (self.phases[a] & self.phases[b] == 0)
        return parted

    def splits_run(self, a: Ints, b: Ints) -> Flags:
        """Tell between which pairs building numbers run on."""
        return np.isin(np.minimum(a, b) * len(self.estate) + np.maximum(a, b), self.runs)

    def jumps(self, a: Ints, b: Ints) -> Flags:
        """Tell between which pairs of one estate building numbers are known and do not run on."""
        known = self.numbered[a] & self.numbered[b]
        jump: Flags = self.inside(a, b) & known & ~self.splits_run(a, b)
        return jump


def read_homes(units: Units, buildings: gpd.GeoDataFrame, estates: gpd.GeoDataFrame) -> Homes:
    """Read estates, phases and numbers of units off their buildings.

    A unit belongs to the estate of its building with the most households. A phase is read from a
    building's number (二期3幢, B区5幢) or else its name; where no building of an estate says one,
    and the estate's polygon has as many pieces as phases, the pieces are its phases.

    Parameters
    ----------
    buildings
        With estate_id, number, name and households, indexed by building_id.
    estates
        With phases, indexed by estate_id.
    """
    count = len(units.frame)
    row = units.frame.index.get_indexer(units.unit_of.loc[buildings.index].to_numpy())
    of, names = find_estates(buildings, estates)
    estate = estate_of_units(units, of, buildings)
    own = np.flatnonzero((of >= 0) & (row >= 0) & (of == estate[row]))
    table = _read_labels(buildings.iloc[own], of[own], row[own], estates)
    return Homes(estate, _phase_bits(table, count), np.isin(
        np.arange(count), table.loc[table["number"] >= 0, "unit"]), _find_runs(table, count), names)


def estate_of_units(units: Units, of: Ints, buildings: gpd.GeoDataFrame) -> Ints:
    """Return the estate of each unit, -1 for none: that of its building of most households.

    ``of`` is the estate of every building.
    """
    row = units.frame.index.get_indexer(units.unit_of.loc[buildings.index].to_numpy())
    load = buildings["households"].fillna(0).to_numpy(dtype=np.int64)
    order = np.lexsort((pd.factorize(buildings.index, sort=True)[0], -load, row))
    order = order[row[order] >= 0]
    first = order[np.unique(row[order], return_index=True)[1]]
    estate = np.full(len(units.frame), -1, dtype=np.int64)
    estate[row[first]] = of[first]
    return estate


def find_estates(buildings: gpd.GeoDataFrame, estates: gpd.GeoDataFrame
                 ) -> tuple[Ints, NDArray[np.object_]]:
    """Return a number for each building's estate, -1 for none, and the estates' ids by number.

    A building belongs to the estate it names, or else to the one it stands in.
    """
    ids = buildings["estate_id"].fillna("").to_numpy(dtype=object)
    blank = np.flatnonzero(ids == "")
    if len(estates) and len(blank):
        points = shapely.point_on_surface(buildings.geometry.to_numpy()[blank])
        listed = estates.sort_index()
        at, area = shapely.STRtree(listed.geometry.to_numpy()).query(points, predicate="within")
        order = np.lexsort((-area, at))  # of estates that overlap, the first in order of ids
        ids = ids.copy()
        ids[blank[at[order]]] = listed.index.to_numpy(dtype=object)[area[order]]
    number, names = pd.factorize(pd.Series(ids, dtype=object), sort=True)
    return np.where(ids == "", -1, number.astype(np.int64)), np.asarray(names, dtype=object)


@lru_cache(maxsize=65536)
def read_label(text: str) -> tuple[str, str, int]:
    """Return the phase, the series and the number of a building; '' and -1 for what is not told.

    >>> [read_label(t) for t in ("二期3幢", "B区 5#", "Phase II, No. 7")]
    [('2期', '', 3), ('B区', '', 5), ('2期', '', 7)]
    >>> [read_label(t) for t in ("A12栋", "十二号楼", "C座", "综合楼", "1-3幢")]
    [('', 'A', 12), ('', '', 12), ('', 'A–Z', 3), ('', '', -1), ('', '', -1)]
    """
    plain = "".join(unicodedata.normalize("NFKC", text).upper().split())
    phase = "".join(_name_phase(m) for m in _PHASE.finditer(plain))
    found = _NUMBER.search(_PHASE.sub("", plain).strip(",;，；、"))
    if found is None:
        return phase, "", -1
    series, digits, numeral, letter = found.groups()
    if letter:
        return phase, "A–Z", ord(letter) - ord("A") + 1
    return phase, series or "", int(digits) if digits else _read_numeral(numeral)


def _name_phase(found: re.Match[str]) -> str:
    label = found[1] or found[3] or found[5]
    if label.isdecimal():
        label = str(int(label))
    elif label[0] in _DIGITS or label[0] == "十":
        label = str(_read_numeral(label))
    elif not found[3]:
        label = str(_ROMAN.get(label, label))
    return label + (found[2] or found[4] or "期")


def _read_numeral(text: str) -> int:
    """Read a Chinese number up to 999, or digits one by one.

    >>> [_read_numeral(t) for t in ("三", "十二", "二十", "一百零八", "一〇八")]
    [3, 12, 20, 108, 108]
    """
    if "十" not in text and "百" not in text:
        return int("".join(str(_DIGITS[c]) for c in text))
    total = digit = 0
    for c in text:
        if c in _DIGITS:
            digit = _DIGITS[c]
        else:
            total += max(digit, 1) * (100 if c == "百" else 10)
            digit = 0
    return total + digit


def _read_labels(buildings: gpd.GeoDataFrame, estate: Ints, unit: Ints,
                 estates: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return unit, estate, phase, series and number of the buildings of estates."""
    told, called = (buildings[c].fillna("").astype(str) for c in ("number", "name"))
    known = {t: read_label(t) for t in pd.unique(pd.concat([told, called]))}
    label = [known[t] for t in told]
    spare = [known[t][0] for t in called]
    table = pd.DataFrame({
        "unit": unit, "estate": estate,
        "phase": [own[0] or other for own, other in zip(label, spare, strict=True)],
        "series": [own[1] for own in label],
        "number": np.array([own[2] for own in label], dtype=np.int64)})
    silent = (table["phase"] == "").groupby(table["estate"]).transform("all").to_numpy(dtype=bool)
    if silent.any():
        table.loc[silent, "phase"] = _phases_by_piece(buildings[silent], estates)
    return table


def _phases_by_piece(buildings: gpd.GeoDataFrame, estates: gpd.GeoDataFrame
                     ) -> NDArray[np.object_]:
    """Return the piece of its estate that each building lies on, where pieces are phases."""
    out = np.full(len(buildings), "", dtype=object)
    shape = estates.geometry.to_numpy()
    phases = estates["phases"].fillna(0).to_numpy(dtype=np.int64)
    several = np.flatnonzero((phases > 1) & (shapely.get_num_geometries(shape) == phases))
    if len(several):
        pieces = shapely.get_parts(shape[several])
        points = shapely.point_on_surface(buildings.geometry.to_numpy())
        row, piece = shapely.STRtree(pieces).query(points, predicate="within")
        out[row] = [f"#{k}" for k in piece]
    return out


def _phase_bits(table: pd.DataFrame, count: int) -> Ints:
    bits = np.zeros(count, dtype=np.int64)
    told = table[table["phase"] != ""]
    number = told.groupby(["estate", "phase"], sort=True).ngroup().to_numpy(dtype=np.int64)
    if len(number):
        first = pd.Series(number).groupby(told["estate"].to_numpy()).transform("min").to_numpy()
        np.bitwise_or.at(bits, told["unit"].to_numpy(), np.int64(1) << (number - first) % _BITS)
    return bits


def _find_runs(table: pd.DataFrame, count: int) -> Ints:
    """Return the pairs of units that hold one number, or a number and the next, of one series."""
    told = table[table["number"] >= 0]
    keys = ["estate", "phase", "series", "number"]
    listed = told[keys].drop_duplicates().sort_values(keys, ignore_index=True)
    listed["place"] = np.arange(len(listed))
    same = (listed[keys[:3]] == listed[keys[:3]].shift(-1)).all(axis=1)
    step = listed["number"].shift(-1) - listed["number"]
    listed["next"] = np.where(same & (step <= _STEP), listed["place"] + 1, -1)
    held = told.merge(listed, on=keys)[["unit", "place", "next"]].drop_duplicates()
    pairs = [held.merge(held, left_on=column, right_on="place")[["unit_x", "unit_y"]]
             for column in ("place", "next")]
    one, two = pd.concat(pairs).to_numpy(dtype=np.int64).T
    apart = one != two
    return np.unique((np.minimum(one, two) * count + np.maximum(one, two))[apart])


def weigh_inner(contacts: Contacts, homes: Homes, inner: Inner) -> Contacts:
    """Return the contacts with borders inside estates made cheaper or dearer.

    Between two phases they cost ``inner.phase`` of what they would; where building numbers run
    on, ``inner.run`` times as much.
    """
    a, b = contacts.a, contacts.b
    phase = homes.parts_phases(a, b)
    factor = np.where(phase, inner.phase, np.where(homes.splits_run(a, b), inner.run, 1.0))
    return replace(contacts, weight=contacts.weight * factor)


def inner_figures(units: Units, homes: Homes, grids: gpd.GeoDataFrame, row: Ints,
                  lines: NDArray[np.object_], ranges: Mapping[str, Range]) -> pd.DataFrame:
    """Return the rows of the figures that tell how well estates were cut.

    ``estate_border_quality`` is the share of the borders between grids inside estates that lie
    within 2 m of a line, between two phases, or where building numbers do not run on.
    ``estates_cut`` counts estates (each by block and community) that lie in several grids:
    of those in the range, of those below it, and, above it, grids per estate.

    Parameters
    ----------
    row
        Row of ``grids`` of every unit.
    lines
        What a border may follow.
    """
    community = grids["community_id"].to_numpy(dtype=object)
    part, whole = _measure_quality(units, homes, row, community, lines)
    rows: list[dict[str, object]] = [_row("estate_border_quality", "all", "share", part, whole)]
    estate = count_cut_estates(units, homes, grids, row)
    low, high = _limits(estate, ranges)
    load, held = estate["households"].to_numpy(), estate["grids"].to_numpy()
    for scope, chosen in (("in_range", (load >= low) & (load <= high)), ("below", load < low)):
        rows.append({**_row("estates_cut", scope, "estates", float((held[chosen] > 1).sum()),
                            float(chosen.sum())), "value": float((held[chosen] > 1).sum())})
    above = load > high
    rows.append(_row("estates_cut", "above", "grids per estate", float(held[above].sum()),
                     float(above.sum())))
    return pd.DataFrame(rows)


def _row(name: str, scope_id: str, unit: str, part: float, whole: float) -> dict[str, object]:
    return {"name": name, "scope": "city", "scope_id": scope_id,
            "value": part / whole if whole else None, "unit": unit, "target": None,
            "numerator": part, "denominator": whole}


def note_cut_estates(units: Units, homes: Homes, grids: gpd.GeoDataFrame, row: Ints,
                     ranges: dict[str, Range], findings: Findings) -> None:
    """Tell which estates lie in several grids though one could hold them.

    The cut lets an estate go only where a grid of its part was out of range with it whole;
    a locked grid may divide one too.
    """
    estate = count_cut_estates(units, homes, grids, row)
    cut = estate[(estate["grids"] > 1) & (estate["households"] <= _limits(estate, ranges)[1])]
    if len(cut):
        ids = sorted(set(homes.names[cut["estate"]]))
        findings.add("partition.estate_cut", "warning", layer="estates", row=first_ids(ids),
                     count=len(ids))


def _limits(estate: pd.DataFrame, ranges: Mapping[str, Range]) -> tuple[Ints, Ints]:
    kept = [ranges[c] for c in estate["community"]]
    return (np.array([r.low for r in kept], dtype=np.int64),
            np.array([r.high for r in kept], dtype=np.int64))


def count_cut_estates(units: Units, homes: Homes, grids: gpd.GeoDataFrame, row: Ints
                      ) -> pd.DataFrame:
    """Return community, households and number of grids of every estate in its block.

    Units without households and those of special grids do not count.
    """
    load = units.frame["households"].to_numpy(dtype=np.int64)
    basic = (grids["kind"] == "basic").to_numpy(dtype=bool)
    kept = np.flatnonzero((homes.estate >= 0) & (load > 0) & basic[row])
    table = pd.DataFrame({
        "community": grids["community_id"].to_numpy(dtype=object)[row[kept]],
        "block": units.frame["block_id"].to_numpy(dtype=object)[kept],
        "estate": homes.estate[kept], "grid": row[kept], "households": load[kept]})
    by = table.groupby(["community", "block", "estate"], sort=True)
    return by.agg(households=("households", "sum"), grids=("grid", "nunique")).reset_index()


def _measure_quality(units: Units, homes: Homes, row: Ints, community: NDArray[np.object_],
                     lines: NDArray[np.object_]) -> tuple[float, float]:
    """Return the metres of border inside estates that are good, and all of them."""
    pieces = units.borders
    a, b = pieces.left, pieces.right
    keep = np.flatnonzero((row[a] != row[b]) & (community[row[a]] == community[row[b]])
                          & homes.inside(a, b))
    a, b, length = a[keep], b[keep], pieces.length_m[keep]
    good = homes.parts_phases(a, b) | homes.jumps(a, b)
    rest = keep[~good]
    pair = np.unique(np.sort(np.stack([row[a], row[b]]), axis=0)[:, ~good], axis=1,
                     return_inverse=True)[1].ravel()
    segment = shapely.linestrings(np.stack([pieces.start[rest], pieces.end[rest]], axis=1))
    order = np.argsort(pair, kind="stable")
    drawn = shapely.multilinestrings(segment[order], indices=pair[order]) if len(rest) else []
    on_line = measure_on_line(gpd.GeoDataFrame(geometry=drawn, crs=units.frame.crs), lines)
    return float(length[good].sum() + on_line.sum()), float(length.sum())
