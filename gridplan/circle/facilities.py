"""Facilities as they came → facilities that can be measured: known categories, each place once."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from gridplan.categories import CategoryTable, Profile, load_categories
from gridplan.circle.words import SCHOOL, Vocabulary, school_levels, split_words
from gridplan.errors import Findings, first_ids
from gridplan.layers import LAYERS, conform
from gridplan.sheets import fold

SAME_PLACE_M = 30.0
# Two of one category nearer than this share of its limit are meant to stand apart: lights do.
_SAME_SHARE = 0.1
_LAYER = "facilities"


def judge_facilities(frame: gpd.GeoDataFrame, table: CategoryTable, findings: Findings, *,
                     file: str = "") -> tuple[gpd.GeoDataFrame, int]:
    """Return the layer ``facilities``: categories by their ids, every place once.

    A facility that an other one of the same category and name (or without a name) stands within
    30 m of is the same one and merged into it. Schools are told apart by level, else by name; one
    that tells neither is left out.

    Parameters
    ----------
    frame
        Points in a metric CRS with columns of the layer; facility_id as the index or a column.
    table
        The categories that may be meant, beside those of gridplan's own table.
    file
        Where they came from, for messages.

    Returns
    -------
    tuple
        The layer in the order of facility_id, and how many rows were left out or merged.

    Raises
    ------
    InputError
        Unknown or missing categories, negative capacity or area: all at once.
    """
    out = gpd.GeoDataFrame(conform(_LAYER, frame)[[*LAYERS[_LAYER].names, "geometry"]])
    out = out.sort_values("facility_id", kind="stable", ignore_index=True)
    words = Vocabulary(table, load_categories())
    wrong = Findings()
    _check_numbers(out, file, wrong)
    held, vague = _find_categories(out, words, file, wrong)
    findings.items.extend(wrong.items)
    findings.stop_on_faults()
    _tell_one_place(out, file, findings)
    plain = [";".join(c for c in words.ids if c in some) for some in held]
    out = out.assign(categories=pd.array(plain, dtype="string"),
                     status=out["status"].fillna("existing"))[~vague].reset_index(drop=True)
    merged = _merge_twins(out, words, file, findings)
    many = np.array([sum(not words.known[c].includes for c in str(text).split(";")) > 1
                     for text in merged["categories"]], dtype=bool)
    if many.any():
        findings.add("circle.several_categories", "warning", file=file, layer=_LAYER,
                     row=first_ids(merged["facility_id"][many]), count=int(many.sum()))
    wide = [";".join(words.order(set(c.split(";")))) for c in merged["categories"]]
    merged = merged.assign(categories=pd.array(wide, dtype="string"),
                           meets_norm=pd.NA, load=pd.NA)
    return gpd.GeoDataFrame(conform(_LAYER, merged)), len(frame) - len(merged)


def judge_norms(facilities: gpd.GeoDataFrame, communities: gpd.GeoDataFrame,
                profile: Profile) -> gpd.GeoDataFrame:
    """Return facilities with ``meets_norm``: whether their premises are as large as asked.

    Asked is what the profile says for hubs (level subdistrict or district), rural or other
    communities. NA where the area is not known or nothing is asked; a facility of several
    categories meets all of their norms or none.

    Parameters
    ----------
    communities
        With kind; a facility outside them all counts as urban.
    """
    kinds = locate_facilities(facilities, communities, "kind")
    found = []
    for categories, level, area, kind in zip(
            facilities["categories"], facilities["level"].fillna(""), facilities["area_m2"],
            kinds, strict=True):
        asked = [least for c in str(categories).split(";") if c in profile
                 and (least := profile[c].least_area_m2(kind, level)) is not None]
        found.append(pd.NA if pd.isna(area) or not asked else bool(area >= max(asked)))
    return facilities.assign(meets_norm=pd.array(found, dtype="boolean"))


def locate_facilities(facilities: gpd.GeoDataFrame, communities: gpd.GeoDataFrame,
                      column: str) -> list[str]:
    """Return a column of the community that each facility stands in, ``""`` outside them all.

    On a shared border the first community by id counts.
    """
    found = [""] * len(facilities)
    if communities.empty:
        return found
    towns = communities.sort_values("community_id", kind="stable")
    said = towns[column].fillna("").astype(str).to_list()
    tree = shapely.STRtree(towns.geometry.to_numpy())
    point, town = tree.query(facilities.geometry.to_numpy(), predicate="intersects")
    for p, t in sorted(zip(point.tolist(), town.tolist(), strict=True), reverse=True):
        found[p] = said[t]
    return found


def explode_categories(facilities: gpd.GeoDataFrame, names: list[str]) -> tuple[np.ndarray,
                                                                                np.ndarray]:
    """Return the row of a facility and the number of a category in ``names``, pair by pair."""
    at = {name: k for k, name in enumerate(names)}
    pairs = [(row, at[c]) for row, text in enumerate(facilities["categories"].fillna(""))
             for c in str(text).split(";") if c in at]
    rows = np.array([p[0] for p in pairs], dtype=np.int64)
    return rows, np.array([p[1] for p in pairs], dtype=np.int64)


def _check_numbers(frame: gpd.GeoDataFrame, file: str, wrong: Findings) -> None:
    for column in ("capacity", "area_m2"):
        below = (frame[column] < 0).fillna(False).to_numpy(dtype=bool)
        if below.any():
            wrong.add("circle.negative", file=file, layer=_LAYER, field=column,
                      row=first_ids(frame["facility_id"][below]), count=int(below.sum()),
                      value=f"{frame[column][below].iloc[0]:g}")


def _find_categories(frame: gpd.GeoDataFrame, words: Vocabulary, file: str,
                     wrong: Findings) -> tuple[list[set[str]], np.ndarray]:
    """Return the categories of every row, and which rows are schools of no known level."""
    held: list[set[str]] = []
    unknown: dict[str, list[str]] = {}
    blank: list[str] = []
    vague = np.zeros(len(frame), dtype=bool)
    for k, (name, text, level, key) in enumerate(zip(
            frame["name"].fillna(""), frame["categories"].fillna(""), frame["level"].fillna(""),
            frame["facility_id"], strict=True)):
        found: set[str] = set()
        said = split_words(str(text))
        for word in said:
            meant = words.find(word)
            if not meant:
                unknown.setdefault(word, []).append(str(key))
            found |= set(meant)
        if SCHOOL in found:
            found = (found - {SCHOOL}) | set(school_levels(str(level), str(name)))
            vague[k] = not found
        if not said:
            blank.append(str(key))
        held.append(found)
    if blank:
        wrong.add("circle.no_category", file=file, layer=_LAYER, field="categories",
                  row=first_ids(blank), count=len(blank))
    for word, rows in unknown.items():
        near = words.suggest(word)
        wrong.add("circle.unknown_category" if near else "circle.strange_category", file=file,
                  layer=_LAYER, field="categories", row=first_ids(rows), count=len(rows),
                  word=word, near=near)
    if vague.any():
        wrong.add("circle.school_level", "warning", file=file, layer=_LAYER,
                  row=first_ids(frame["facility_id"][vague]), count=int(vague.sum()))
    return held, vague


def _tell_one_place(frame: gpd.GeoDataFrame, file: str, findings: Findings) -> None:
    """Warn where all facilities stand on one spot: then their coordinates are no places."""
    if len(frame) < 2:
        return
    west, south, east, north = frame.total_bounds
    if max(east - west, north - south) <= 1.0:
        findings.add("circle.one_place", "warning", file=file, layer=_LAYER, count=len(frame),
                     row=first_ids(frame["facility_id"]))


def _merge_twins(frame: gpd.GeoDataFrame, words: Vocabulary, file: str,
                 findings: Findings) -> gpd.GeoDataFrame:
    """Merge every facility into the first one before it that is the same, if there is one."""
    into = find_twins(frame, {c.category: c.limit_m for c in words.known.values()})
    again = np.flatnonzero(into >= 0)
    if not again.size:
        return frame
    out = frame.copy()
    for row in again.tolist():
        first = int(into[row])
        union = {c for k in (first, row) for c in str(out.loc[k, "categories"]).split(";")}
        out.loc[first, "categories"] = ";".join(c for c in words.ids if c in union)
        for column in ("name", "level", "capacity", "area_m2"):
            if pd.isna(out.loc[first, column]):
                out.loc[first, column] = frame.loc[row, column]
    findings.add("circle.same_place", "repaired", file=file, layer=_LAYER,
                 row=first_ids(frame["facility_id"].iloc[again]), count=int(again.size),
                 metres=f"{SAME_PLACE_M:g}")
    return out.drop(index=again).reset_index(drop=True)


def find_twins(frame: gpd.GeoDataFrame, limits_m: dict[str, float | None]) -> np.ndarray:
    """Return for every facility the row of the earlier one that it is the same as, else -1.

    The same are two that share a category, stand within 30 m (a tenth of the limit, where that
    is less) and are called the same, or one of them nothing. What was found to be the same as an
    earlier one does not draw others in.
    """
    into = np.full(len(frame), -1, dtype=np.int64)
    xy = shapely.get_coordinates(frame.geometry.to_numpy())
    pairs = cKDTree(xy).query_pairs(SAME_PLACE_M, output_type="ndarray") if len(xy) > 1 else (
        np.zeros((0, 2), dtype=np.int64))
    pairs = pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]
    apart = np.hypot(*(xy[pairs[:, 0]] - xy[pairs[:, 1]]).T)
    names = [fold(n) if isinstance(n, str) else "" for n in frame["name"].astype(object)]
    held = [set(str(c).split(";")) for c in frame["categories"]]
    for (one, two), gap in zip(pairs.tolist(), apart.tolist(), strict=True):
        shared = held[one] & held[two]
        near = max((min(SAME_PLACE_M, _SAME_SHARE * (limits_m.get(c) or np.inf))
                    for c in shared), default=-1.0)
        if into[one] < 0 and into[two] < 0 and gap <= near and (
                names[one] == names[two] or "" in (names[one], names[two])):
            into[two] = one
    return into
