"""Grids as a layer: polygons, codes, names and every figure that follows from them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.i18n import translate
from gridplan.layers import Study, Units, one_polygon
from gridplan.params import Range
from gridplan.partition.advice import list_loads
from gridplan.partition.cutting import Grid, Reason
from gridplan.partition.numbering import code_grid, name_grid, number_rows
from gridplan.partition.objective import chance_in_range

Ints = NDArray[np.int64]

# Kinds of special places that have a word in the catalogue.
SPECIAL_KINDS = frozenset(("campus", "hospital", "park", "market", "industrial", "cemetery",
                           "stadium", "military"))


def draw_grids(grids: list[Grid], community: list[str], units: Units, study: Study, lang: str,
               locked: gpd.GeoDataFrame | None = None) -> tuple[gpd.GeoDataFrame, Ints]:
    """Return the grids layer (without figures of buildings) and the row of every unit.

    Grids are numbered community by community; rows come in the order of their codes. Locked
    grids keep codes, names and notes; others take the numbers that these leave.
    """
    polygon = units.frame.geometry.to_numpy()
    shapes = np.array([one_polygon(shapely.coverage_union_all(polygon[g.members]))
                       for g in grids], dtype=object)
    owner = np.array(community, dtype=object)
    seq = np.zeros(len(grids), dtype=np.int64)
    for name in pd.unique(owner):
        held = np.flatnonzero(owner == name)
        seq[held] = number_rows(shapes[held]) + 1
    if locked is not None and len(locked):
        _number_round(seq, np.array([g.lock for g in grids]), owner, shapes, locked)
    order = np.lexsort((seq, owner))
    specials = study.layer("specials")
    frame = gpd.GeoDataFrame({
        "grid_id": [code_grid(owner[k], int(seq[k])) for k in order],
        "community_id": owner[order],
        "part": [grids[k].part for k in order],
        "seq": seq[order],
        "name": [_name(grids[k], int(seq[k]), specials, lang) for k in order],
        "kind": [grids[k].kind for k in order],
        "status": [grids[k].status for k in order],
        "reason": [write_reason(grids[k], units, specials, lang) for k in order],
        "locked": [grids[k].lock >= 0 for k in order],
    }, geometry=shapes[order], crs=units.frame.crs)
    if locked is not None and len(locked):
        frame = _keep_locked(frame, np.array([grids[k].lock for k in order]), locked)
    row = np.empty(len(units.frame), dtype=np.int64)
    for place, k in enumerate(order):
        row[grids[k].members] = place
    return frame, row


def _number_round(seq: Ints, lock: Ints, owner: NDArray[np.object_],
                  shapes: NDArray[np.object_], locked: gpd.GeoDataFrame) -> None:
    """Give locked grids their numbers and the others the smallest that are free, in place."""
    kept = locked["seq"].to_numpy(dtype=np.int64)
    home = locked["community_id"].to_numpy(dtype=object)
    for name in pd.unique(owner):
        free = np.flatnonzero((owner == name) & (lock < 0))
        taken = kept[home == name]
        numbers = np.setdiff1d(np.arange(1, len(free) + len(taken) + 1), taken)
        if len(free):
            seq[free] = numbers[number_rows(shapes[free])]
    seq[lock >= 0] = kept[lock[lock >= 0]]


def _keep_locked(frame: gpd.GeoDataFrame, lock: Ints,
                 locked: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Give locked grids what a user wrote to them, and a special one its kind and reason."""
    held = np.flatnonzero(lock >= 0)
    given = locked.iloc[lock[held]]
    out = frame.copy()
    for column in ("note", "valid_from", "valid_to", "former_ids"):
        out[column] = pd.array([pd.NA] * len(out), dtype="string")
    for column in ("grid_id", "name", "note", "valid_from", "valid_to", "former_ids"):
        out.iloc[held, out.columns.get_loc(column)] = given[column].to_numpy(dtype=object)
    special = (given["kind"] == "special").to_numpy(dtype=bool)
    for column in ("kind", "status", "reason"):
        out.iloc[held[special], out.columns.get_loc(column)] = given[column].to_numpy(
            dtype=object)[special]
    return out


def _name(grid: Grid, seq: int, specials: gpd.GeoDataFrame, lang: str) -> str:
    if grid.reason is not None and grid.reason.code == "special-place":
        name = specials["name"].get(grid.reason.values["special_id"], "")
        if isinstance(name, str) and name:
            return name
    return name_grid(seq, lang)


def write_reason(grid: Grid, units: Units, specials: gpd.GeoDataFrame, lang: str) -> str:
    """Return ``code: sentence`` for an exception, '' for a grid that needs no reason."""
    reason = grid.reason
    if reason is None:
        return ""
    values = dict(reason.values)
    if reason.code == "special-place":
        place = specials.loc[values["special_id"]]
        name = place["name"] if isinstance(place["name"], str) else ""
        kind = place["kind"] if isinstance(place["kind"], str) else ""
        word = translate(f"partition.special.{kind}", lang) if kind in SPECIAL_KINDS else kind
        values["place"] = " ".join(w for w in (word, f"“{name}”" if name else "") if w)
    if reason.code == "special-empty":
        values["area"] = round(float(units.frame["area_m2"].iloc[grid.members].sum()) / 1e4, 1)
    return f"{reason.code}: {sentence(reason, values, lang)}{write_advice(values, lang)}"


def write_advice(values: dict[str, object], lang: str) -> str:
    """Say which plan comes nearest, and which range or neighbour would make it fit."""
    if "nearest" not in values:
        return ""
    text = translate("partition.advice.nearest", lang, loads=list_loads(values["nearest"]))
    if isinstance(fits := values.get("fits"), list):
        text += translate("partition.advice.range", lang, low=fits[0], high=fits[1])
    if isinstance(merger := values.get("merger"), dict):
        text += translate("partition.advice.merger", lang, **merger)
    return text


def sentence(reason: Reason, values: dict[str, object], lang: str) -> str:
    """Say a reason in words."""
    return translate(f"partition.reason.{reason.code}", lang, **values)


def add_figures(frame: gpd.GeoDataFrame, buildings: pd.DataFrame, grid_row: Ints,
                ranges: dict[str, Range]) -> gpd.GeoDataFrame:
    """Add what follows from buildings and shape: households and their spread, area, compactness.

    ``p_in_range`` takes the buildings' errors as independent and normal: the
    distance from low to high is four standard deviations of a building.
    ``compactness`` is Polsby-Popper, 4πA/P².
    """
    n = len(frame)
    out = frame.copy()
    for column in ("households", "households_low", "households_high"):
        values = buildings[column].to_numpy(dtype=np.int64)
        out[column] = np.bincount(grid_row, values, minlength=n).astype(np.int64)
    for column in ("population", "newcomers", "rented"):
        known = buildings[column].notna().to_numpy()
        values = buildings[column].fillna(0).to_numpy(dtype=np.float64)
        total = np.rint(np.bincount(grid_row, values, minlength=n)).astype(np.int64)
        has = np.bincount(grid_row, known, minlength=n) > 0
        out[column] = pd.array(np.where(has, total, 0), dtype="Int64")
        out.loc[~has, column] = pd.NA
    out["buildings"] = np.bincount(grid_row, minlength=n).astype(np.int64)
    spread = (buildings["households_high"] - buildings["households_low"]).to_numpy(
        dtype=np.float64) / 4
    deviation = np.sqrt(np.bincount(grid_row, spread ** 2, minlength=n))
    low = np.array([ranges[c].low for c in out["community_id"]])
    high = np.array([ranges[c].high for c in out["community_id"]])
    mean = out["households"].to_numpy(dtype=np.float64)
    out["p_in_range"] = np.round(chance_in_range(mean, deviation, low, high), 4)
    shape = out.geometry.to_numpy()
    out["area_m2"] = shapely.area(shape)
    out["perimeter_m"] = shapely.length(shape)
    out["compactness"] = 4 * np.pi * out["area_m2"] / np.maximum(out["perimeter_m"], 1e-9) ** 2
    return out
