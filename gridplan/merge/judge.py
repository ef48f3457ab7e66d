"""Parts of merged communities, and what their grids are against the range: worked out anew."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.stats import norm

from gridplan.i18n import translate
from gridplan.merge.lines import ROOK_M, Seams
from gridplan.merge.patchwork import label_pieces
from gridplan.params import Range
from gridplan.plan import Plan

Ints = NDArray[np.int64]


@dataclass
class _Held:
    """The columns that are judged, one entry per row of the grids."""

    part: Ints
    status: NDArray[np.object_]
    reason: NDArray[np.object_]
    p_in_range: NDArray[np.float64]


@dataclass(frozen=True)
class _Town:
    """A merged community: rows of its grids and units, its range, and how it is told."""

    grids: Ints
    units: Ints
    limits: Range
    lang: str


def judge_grids(plan: Plan, grids: gpd.GeoDataFrame, joined: pd.Index, seams: Seams,
                ranges: Mapping[str, Range], mergers: gpd.GeoDataFrame, lang: str
                ) -> tuple[gpd.GeoDataFrame, dict[str, str]]:
    """Judge the grids of merged communities by the range they have now; number their parts anew.

    Parameters
    ----------
    plan
        With units and buildings under their new codes.
    grids
        Under their new codes.
    joined
        The communities that took others in.
    seams
        Borders between their units.
    ranges
        Range by kind of community; a merged one has the kind of its largest member.

    Returns
    -------
    grids, certificates
        The latter by community.
    """
    out, units, buildings = grids.copy(), plan.layer("units"), plan.layer("buildings")
    held = _Held(*(out[c].to_numpy(dtype=d, na_value=n).copy() for c, d, n in (
        ("part", np.int64, 0), ("status", object, ""), ("reason", object, ""),
        ("p_in_range", np.float64, np.nan))))
    row = pd.Index(out["grid_id"]).get_indexer(units["grid_id"])
    at = pd.Index(out["grid_id"]).get_indexer(buildings["grid_id"])
    biggest = np.zeros(len(out), np.int64)
    np.maximum.at(biggest, at, buildings["households"].to_numpy(dtype=np.int64))
    variance = np.bincount(at, ((buildings["households_high"] - buildings["households_low"])
                                .to_numpy(dtype=np.float64, na_value=0.0) / 4) ** 2,
                           len(out)).astype(np.float64)
    kind = mergers.set_index("former_id")["kind"].replace("", pd.NA).fillna("urban")
    of_heir = mergers["community_id"].map(kind).to_numpy()
    mixed = set(mergers["community_id"][kind.to_numpy() != of_heir])
    certificates = {}
    for name in joined:
        town = _Town(np.flatnonzero((out["community_id"] == name).to_numpy(dtype=bool)),
                     np.flatnonzero((units["community_id"] == name).to_numpy(dtype=bool)),
                     ranges[str(kind[name])], lang)
        if name in mixed:
            _forecast(held, town, out, variance)
        told = _judge_town(held, town, out, units, row, biggest, seams)
        certificates[str(name)] = json.dumps(told, ensure_ascii=False) if told else ""
    for column in ("part", "status", "reason"):
        out[column] = pd.array(getattr(held, column), dtype=out[column].dtype)
    out["p_in_range"] = pd.array(held.p_in_range, dtype="Float64")
    return out, certificates


def forget_advice(grids: gpd.GeoDataFrame, communities: gpd.GeoDataFrame,
                  units: gpd.GeoDataFrame, changed: Collection[str], lang: str
                  ) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Take back what was said of parts next door whose communities are others now.

    Parameters
    ----------
    communities
        Those that remain; of those in ``changed`` everything was said anew already.
    changed
        Communities that took others in or are gone.
    """
    out, towns = grids.copy(), communities.copy()
    part_of = dict(zip(out["grid_id"], out["part"], strict=True))
    for k, text in enumerate(towns["certificate"].fillna("").tolist()):
        entries = json.loads(text) if text else []
        stale = [e for e in entries if isinstance(e, dict) and isinstance(e.get("merger"), dict)
                 and e["merger"].get("community") in changed]
        if not stale:
            continue
        mine = (out["community_id"] == towns["community_id"].iloc[k]).to_numpy(dtype=bool)
        for entry in stale:
            del entry["merger"]
            here = (units["community_id"] == towns["community_id"].iloc[k]).to_numpy(dtype=bool)
            size = int((units["grid_id"][here].map(part_of) == entry["part"]).sum())
            fewer = int(entry["households"]) // int(entry["low"])
            said = translate(
                f"merge.reason.{entry['kind']}", lang, units=size, fewer=fewer, more=fewer + 1,
                hold=fewer * int(entry["high"]), need=(fewer + 1) * int(entry["low"]),
                **{n: entry[n] for n in ("households", "low", "high")})
            if "text" in entry:
                entry["text"] = said
            told = out["reason"].fillna("").str.startswith(f"{entry['kind']}:").to_numpy()
            rows = mine & told & (out["part"] == entry["part"]).to_numpy(dtype=bool)
            out.loc[rows, "reason"] = f"{entry['kind']}: {said}"
        towns.loc[towns.index[k], "certificate"] = json.dumps(entries, ensure_ascii=False)
        odd = mine & ~out["status"].isin(("ok", "special")).to_numpy(dtype=bool)
        towns.loc[towns.index[k], "reason"] = "; ".join(
            dict.fromkeys(out.loc[odd, "reason"].fillna("")))
    return out, towns


def judge_community(statuses: set[str]) -> str:
    """Return the status of a community from those of its grids.

    >>> judge_community({"ok", "under"}), judge_community({"ok", "special"})
    ('small', 'ok')
    """
    for status, found in (("unproven", {"unproven"}), ("over", {"over"}),
                          ("small", {"small", "under", "exclave"})):
        if statuses & found:
            return status
    return "ok"


def _forecast(held: _Held, town: _Town, grids: gpd.GeoDataFrame,
              variance: NDArray[np.float64]) -> None:
    """Estimate how likely grids are in a range that is not the one they were cut for.

    Errors of buildings count as independent and normal, their spread as four deviations.
    """
    mean = grids["households"].to_numpy(dtype=np.float64)[town.grids]
    wide = np.maximum(np.sqrt(variance[town.grids]), 1e-9)
    held.p_in_range[town.grids] = np.round(
        norm.cdf((town.limits.high + 0.5 - mean) / wide)
        - norm.cdf((town.limits.low - 0.5 - mean) / wide), 4)


def _judge_town(held: _Held, town: _Town, grids: gpd.GeoDataFrame, units: gpd.GeoDataFrame,
                row: Ints, biggest: Ints, seams: Seams) -> list[dict[str, object]]:
    mine, limits = town.grids, town.limits
    people = grids["households"].to_numpy(dtype=np.int64)
    special = (grids["kind"] == "special").to_numpy(dtype=bool)
    locked = grids["locked"].fillna(False).to_numpy(dtype=bool)
    alone = (biggest > limits.high) & (people == biggest) & ~special & ~locked
    held.part[mine] = 0
    for k in mine[(alone & ~special)[mine]].tolist():
        _say(held, k, "over", "building", town, households=int(people[k]), high=limits.high)
    plain = ~(special | alone | locked)
    whole = _pieces(town.units, np.ones(len(row), dtype=bool), seams)
    size = shapely.area(units.geometry.to_numpy()[town.units])
    main = int(np.argmax(np.bincount(whole, size)))
    inside = town.units[plain[row[town.units]]]
    label = _pieces(inside, plain[row], seams)
    off = whole[np.searchsorted(town.units, inside)] != main
    told: list[dict[str, object]] = []
    for number in range(1, int(label.max(initial=-1)) + 2):
        here = label == number - 1
        rows = np.unique(row[inside[here]])
        held.part[rows] = number
        told += _judge_part(held, town, rows, people, number, bool(off[here].all()))
    return told


def _pieces(units: Ints, wanted: NDArray[np.bool_], seams: Seams) -> Ints:
    """Return the connected piece of each unit, by borders of a metre, among those wanted."""
    place = np.full(len(wanted), -1, np.int64)
    place[units] = np.arange(len(units))
    near = (seams.length_m >= ROOK_M - 1e-6) & (place[seams.left] >= 0) & (
        place[seams.right] >= 0)
    return label_pieces(len(units), place[seams.left[near]], place[seams.right[near]])


def _judge_part(held: _Held, town: _Town, rows: Ints, people: Ints, number: int,
                apart: bool) -> list[dict[str, object]]:
    low, high = town.limits.low, town.limits.high
    total = int(people[rows].sum())
    fine = (low <= people[rows]) & (people[rows] <= high)
    held.status[rows[fine]], held.reason[rows[fine]] = "ok", ""
    odd = rows[~fine].tolist()
    values = {"households": total, "low": low, "high": high}
    if not odd:
        return []
    if total == 0:
        code = "empty"
    elif total < low:
        code = "exclave" if apart else "small"
    else:
        code = "unproven" if town.limits.fits(total) else "count"
        fewer = total // low
        values |= {"fewer": fewer, "more": fewer + 1, "hold": fewer * high,
                   "need": (fewer + 1) * low}
    for k in odd:
        status = code if code != "count" else "under" if people[k] < low else "over"
        _say(held, k, status, code, town, **values)
    if code not in ("count", "unproven"):
        return []
    text = translate(f"merge.reason.{code}", town.lang, **values)
    return [{"part": number, "kind": code, "households": total, "low": low, "high": high,
             "grids": len(rows), "text": text}]


def _say(held: _Held, row: int, status: str, code: str, town: _Town, **values: object) -> None:
    held.status[row] = status
    held.reason[row] = f"{code}: " + translate(f"merge.reason.{code}", town.lang, **values)
