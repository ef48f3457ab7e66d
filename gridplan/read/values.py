"""Turns the columns of a file into the columns of the contract: text, numbers, words we know.

Codes and names stay text to the last digit. A number that is none, or is negative or broken
where whole counts are asked for, is told with its row; nothing is guessed or dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from gridplan.errors import Findings, first_ids
from gridplan.layers import CUTTING_ROADS, INPUTS, ROAD_CLASS
from gridplan.read import names
from gridplan.read.vector import RawTable
from gridplan.sheets.privacy import is_person

_COUNTS = frozenset(("households", "population", "newcomers", "rented"))
_UNITS = {"households": ("户",), "population": ("人",), "rented": ("户", "套"),
          "floors": ("层",), "height_m": ("米", "m"), "living_m2": ("平方米", "m2"),
          "area_m2": ("平方米", "m2"), "capacity": ("人", "床", "张", "个"), "width_m": ("米", "m")}
_SIGNED = frozenset(("level",))
# Measures that decide what is found later, so that a wrong one stops: layer, column.
_STRICT = frozenset((("facilities", "capacity"), ("facilities", "area_m2")))
_HELPERS: dict[str, Literal["int", "float"]] = {"width_m": "float"}
_EXACT = 2.0**53
_FAST = frozenset(("motorway", "motorway_link"))
_WALKS = frozenset(("footway", "steps", "pedestrian", "corridor"))
_NO_CAR = _WALKS | {"path", "cycleway", "bridleway"}
_NO_BIKE = _FAST | _WALKS | {"bridleway"}


@dataclass(frozen=True)
class _Place:
    """Where a column stands, for messages."""

    findings: Findings
    file: str
    layer: str
    rows: np.ndarray

    def tell(self, key: str, outcome: Literal["error", "repaired", "warning"], which: np.ndarray,
             column: str, **values: object) -> None:
        """Tell of the rows in the mask ``which``, if there are any."""
        count = int(which.sum())
        if count:
            self.findings.add(key, outcome, file=self.file, layer=self.layer,
                              row=first_ids(self.rows[which]), field=column, count=count, **values)


def to_columns(role: str, raw: RawTable, found: dict[str, str], file: str,
               findings: Findings) -> pd.DataFrame:
    """Return the typed columns of ``role`` that a file brings, indexed by its row labels.

    Parameters
    ----------
    role
        A layer of ``INPUTS``, ``"outline"`` or ``"totals"``.
    raw
        The table as read.
    found
        Ours → theirs.
    file, findings
        Where faults are told.
    """
    place = _Place(findings, file, role, raw.rows)
    kinds = {c.name: c.kind for c in INPUTS[role].columns} if role in INPUTS else {}
    out = pd.DataFrame(index=pd.Index(raw.rows, name="row"))
    for ours, theirs in found.items():
        values = raw.data[theirs]
        kind = kinds.get(ours, "int" if ours == "households" else _HELPERS.get(ours, "text"))
        if ours == "maxspeed_kmh":
            out[ours] = _speed(values).array
        elif kind in ("int", "float"):
            out[ours] = _numbers(values, ours, kind == "int", place, theirs).array
        elif kind == "bool":
            out[ours] = _truths(to_text(values)).array
        else:
            out[ours] = _texts(values, ours, place, theirs).array
    shape = {"communities": _shape_communities, "buildings": _shape_buildings,
             "roads": _shape_roads, "barriers": _shape_barriers}.get(role)
    if shape is not None:
        shape(out, place)
    if role in ("specials", "facilities", "barriers"):
        _refuse_persons(out, place)
    return out


def to_text(values: pd.Series) -> pd.Series:
    """Return a column as text: whole numbers without a point, blanks as NA, all else as it is.

    >>> to_text(pd.Series([1.0, None, 2.5])).tolist()
    ['1', <NA>, '2.5']
    >>> to_text(pd.Series(["001", " NA ", "null", ""])).tolist()
    ['001', 'NA', 'null', <NA>]
    """
    if pd.api.types.is_bool_dtype(values.dtype):
        text = values.astype("boolean").map({True: "yes", False: "no"}).astype("string")
    elif pd.api.types.is_float_dtype(values.dtype):
        known = values.notna() & np.isfinite(values.to_numpy(dtype=float, na_value=np.nan))
        whole = known & (values.where(known, 0) % 1 == 0)
        text = values.astype("string").where(known)
        text = text.mask(whole, values.where(whole, 0).astype("Int64").astype("string"))
    else:
        text = values.astype("string")
    text = text.str.strip()
    return text.mask(text == "")


def _texts(values: pd.Series, ours: str, place: _Place, theirs: str) -> pd.Series:
    if pd.api.types.is_float_dtype(values.dtype) and ours.endswith(("_id", "code")):
        lost = (values.abs() >= _EXACT).fillna(False).to_numpy(dtype=bool)
        if lost.any():
            place.tell("read.digits_lost", "error", lost, theirs, value=f"{values[lost].iloc[0]:g}")
    return to_text(values)


def _numbers(values: pd.Series, ours: str, whole: bool, place: _Place, theirs: str) -> pd.Series:
    """Return a column as numbers; what is none, or below zero, is told.

    Counts of people and households, and what a facility can take, must be right, so there it is
    a fault; of other measures
    (floors "2-3" in a map of the crowd) the value is left empty with a warning, as estimates
    can do without. Populations are often modelled and may carry fractions, households not.
    """
    amount, gap, wide = _parse(values, ours, place, theirs)
    bad = ~gap & ~(np.abs(amount) < _EXACT)  # no number, infinite, or beyond any count
    below = ~gap & ~bad & (amount < 0) & (ours not in _SIGNED)
    broken = ~gap & ~bad & ~below & whole & (amount != np.round(amount))
    wrong = bad | below | (broken & (ours == "households"))
    if ours in _COUNTS or (place.layer, ours) in _STRICT:
        for key, rows in (("read.not_a_number", bad), ("read.negative", below),
                          ("read.not_whole", broken & wrong)):
            place.tell(key, "error", rows, theirs, value=_first(values, rows))
    else:
        place.tell("read.left_empty", "warning", wrong, theirs, value=_first(values, wrong))
    place.tell("read.rounded", "warning", broken & ~wrong, theirs)
    place.tell("read.full_width", "repaired", wide & ~wrong, theirs)
    result = pd.Series(pd.array(amount, dtype="Float64")).mask(wrong | gap)
    return result.round().astype("Int64") if whole else result


def _first(values: pd.Series, rows: np.ndarray) -> str:
    return str(values[rows].iloc[0]) if rows.any() else ""


def _parse(values: pd.Series, ours: str, place: _Place,
           theirs: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return numbers (NaN where none), which are missing, and which had to be rewritten.

    Full-width digits, thousands separators and a unit behind the number are understood.
    """
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        amount = values.to_numpy(dtype=float, na_value=np.nan)
        return amount, np.isnan(amount), np.zeros(len(values), dtype=bool)
    text = to_text(values)
    plain = text.str.normalize("NFKC").str.casefold().str.strip()
    plain = plain.str.replace(r"^(-?\d{1,3}(?:,\d{3})+)(?=\.|$)",
                              lambda m: m[0].replace(",", ""), regex=True)
    for unit in _UNITS.get(ours, ()):
        plain = plain.str.removesuffix(unit).str.strip()
    missing = text.isna() | plain.isin(names.MISSING)
    number = pd.to_numeric(plain.mask(missing), errors="coerce")
    place.tell("read.missing_word", "warning", (missing & text.notna()).to_numpy(dtype=bool),
               theirs)
    wide = ((plain != text.str.casefold()) & ~missing).fillna(False).to_numpy(dtype=bool)
    return (number.to_numpy(dtype=float, na_value=np.nan), missing.to_numpy(dtype=bool), wide)


def _truths(text: pd.Series) -> pd.Series:
    low = text.str.casefold()
    out = pd.Series(pd.NA, index=text.index, dtype="boolean")
    return out.mask(low.isin(names.TRUE), True).mask(low.isin(names.FALSE), False)


def _speed(values: pd.Series) -> pd.Series:
    """Return a speed limit in km/h: "50", "30 mph", "60km/h"; anything else is unknown."""
    text = to_text(values).str.casefold()
    number = pd.to_numeric(text.str.extract(r"^(\d+(?:\.\d+)?)")[0], errors="coerce")
    number = number.astype("Float64")
    return number.mask(text.str.contains("mph").fillna(False), (number * 1.609344).round(1)).mask(
        (number <= 0).fillna(False))


def _words(text: pd.Series, table: dict[str, str]) -> pd.Series:
    low = text.str.casefold()
    return low.map(table).astype("string").fillna(low)


def _shape_communities(out: pd.DataFrame, place: _Place) -> None:
    if "kind" not in out:
        return
    kind = _words(out["kind"], names.COMMUNITY_KINDS)
    odd = kind.notna() & ~kind.isin(("urban", "old", "rural"))
    place.tell("read.community_kind", "warning", odd.to_numpy(dtype=bool), "kind",
               words=first_ids(dict.fromkeys(kind[odd])))
    out["kind"] = kind.mask(odd, "urban").array


def _shape_buildings(out: pd.DataFrame, place: _Place) -> None:
    use = pd.Series(pd.NA, index=out.index, dtype="string")
    if "use" in out:
        use = _words(out["use"], names.USES)
    if "is_living" in out:
        lives = _truths(out.pop("is_living"))
        use = use.fillna(lives.map({True: "residential", False: "nonresidential"}).astype("string"))
    out["use"] = use.array
    if "households" in out and "households_source" not in out:
        given = out["households"].notna()
        out["households_source"] = pd.Series("given", out.index, dtype="string").where(given).array


def _shape_roads(out: pd.DataFrame, place: _Place) -> None:
    rows = len(out)
    given = out["road_class"] if "road_class" in out else pd.Series([pd.NA] * rows, out.index,
                                                                    dtype="string")
    road = _words(given.fillna(""), names.ROAD_CLASSES)
    road = road.str.replace(r"^track_grade\d$", "track", regex=True)
    odd = ~road.isin(ROAD_CLASS) & ~road.isin(names.NOT_ROADS)
    place.tell("read.road_class", "warning", odd.to_numpy(dtype=bool), "road_class",
               words=first_ids(dict.fromkeys(road[odd])))
    road = road.mask(odd, "unknown")
    out["road_class"] = road.array
    out["structure"] = _structure(out).array
    level = out["level"] if "level" in out else pd.Series([pd.NA] * rows, out.index, dtype="Int64")
    out["level"] = level.fillna(0).array
    street = road.isin(CUTTING_ROADS)
    if "inner" in out and "public" not in out:
        out["public"] = (~out["inner"]).array
    public = out["public"].fillna(street) if "public" in out else street
    out["public"] = public.astype("boolean").array
    out["inner"] = (~public.astype("boolean")).array
    if "one_way" in out:
        low = out["one_way"].str.casefold()
        way = low.map(names.ONE_WAY).fillna(
            low.isin(names.TRUE).map({True: "forward", False: ""})).astype("string")
        out["one_way"] = way.array
    else:
        out["one_way"] = pd.array([""] * rows, dtype="string")
    for mode, barred in (("foot", _FAST), ("bike", _NO_BIKE), ("ebike", _NO_BIKE),
                         ("car", _NO_CAR)):
        usual = ~road.isin(barred).astype("boolean")
        out[mode] = (out[mode].fillna(usual) if mode in out else usual).array


def _structure(out: pd.DataFrame) -> pd.Series:
    """Return grade, bridge or tunnel; a passage through a building and a covered way are tunnels.

    A Geofabrik file writes T and F, OSM "no" or what kind it is.
    """
    structure = pd.Series("grade", out.index, dtype="string")
    for column, kind in (("bridge", "bridge"), ("covered", "tunnel"), ("tunnel", "tunnel")):
        if column in out:
            low = out.pop(column).str.casefold()
            has = low.notna() & ~low.isin(names.FALSE)
            structure = structure.mask(has.astype(bool), kind)
    if "structure" in out:
        low = out["structure"].str.casefold()
        structure = low.where(low.isin(("grade", "bridge", "tunnel"))).fillna(structure)
    return structure


def _shape_barriers(out: pd.DataFrame, place: _Place) -> None:
    if "kind" in out:
        out["kind"] = _words(out["kind"], names.BARRIER_KINDS).array
    out["structure"] = _structure(out).array


def _refuse_persons(out: pd.DataFrame, place: _Place) -> None:
    column = "categories" if "categories" in out else "kind"
    if column not in out:
        return
    words = {w for w in dict.fromkeys(out[column].dropna())
             if any(is_person(part) for part in str(w).split(";"))}
    person = out[column].isin(sorted(words)).to_numpy(dtype=bool)
    place.tell("read.person", "error", person, column, words=", ".join(sorted(words)))
