"""The service circle in the workbook: shares, gaps, facilities and sites, a sheet for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gridplan.layers import AFTER
from gridplan.pages.ground import text_of
from gridplan.plan.coverage import LACKING, Circle, find_gaps, name_walker, read_circle
from gridplan.report.tables import SMALL_COUNT, Reader, hide_share

_SCOPES = ("city", "subdistrict", "community")
_SHARES = ("near", "far", "target")
_WIDTHS = {"category": 24, "scope": 18, "walker": 12, "state": 14, "community": 16, "grid_id": 18,
           "name": 14, "lacking": 60, "facility": 26, "categories": 34, "words": 52}


def write_circle(pen: Any, layers: Mapping[str, Any], reader: Reader) -> None:
    """Write a sheet each for shares, gaps, facilities and sites; nothing without coverage."""
    circle = read_circle(layers, reader.lang)
    if circle is None:
        return
    _write(pen, "circle", list_shares(circle, layers, reader))
    _write(pen, "gaps", list_gaps(circle, layers, reader))
    _write(pen, "facilities", list_facilities(circle, layers, reader))
    _write(pen, "sites", list_sites(circle, layers, reader))


def list_shares(circle: Circle, layers: Mapping[str, Any], reader: Reader) -> pd.DataFrame:
    """Return category × scope: households, covered, share near and far, target of the city.

    ``state`` tells the second state of facilities; far is empty where no reading tells it.
    """
    names = dict(zip(text_of(layers["communities"], "community_id"),
                     text_of(layers["communities"], "name"), strict=True))
    rows = []
    for category in circle.categories:
        for after in (False, True)[:1 + (category in circle.altered)]:
            for walker in circle.walkers:
                rows += _share_rows(circle, category, walker, after, names, reader)
    columns = ["category", "scope", "walker", "state", "households", "covered", "near", "far",
               "target", "met"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _share_rows(circle: Circle, category: str, walker: str, after: bool,
                names: Mapping[str, str], reader: Reader) -> list[list[Any]]:
    key, out = category + AFTER if after else category, []
    target = circle.target(f"covered:{category}")
    for scope in _SCOPES:
        held = circle.rows.get((scope, key, walker, "near"))
        if held is None:
            continue
        ids = [str(i) for i in held.index]
        whole, near = circle.count(scope, ids, category, walker, after=after)
        _, far = circle.count(scope, ids, category, walker, after=after, reading="far")
        for k, one in enumerate(ids):
            aim = target if scope == "city" and not after else None
            share = near[k] / whole[k] if whole[k] > 0 else None
            met = None if aim is None or share is None else bool(share >= aim - 1e-12)
            out.append([
                circle.names[category], reader.say("scope_all") if scope == "city"
                else names.get(one) or one, name_walker(walker, reader.lang),
                reader.say("state_after" if after else "state_before"),
                *hide_share(int(whole[k]), int(near[k]), reader)[:3],
                None if far[k] < 0 else hide_share(int(whole[k]), int(far[k]), reader)[2],
                aim, "" if met is None else reader.say("yes" if met else "no")])
    return out


def list_gaps(circle: Circle, layers: Mapping[str, Any], reader: Reader) -> pd.DataFrame:
    """Return the grids that lack a category, those of most households without first.

    A grid lacks a category that less than half of its households reach. ``without`` are the
    households that do not reach all required categories.
    """
    columns = ["community_id", "community", "grid_id", "name", "households", "completeness",
               "without", "lacking"]
    grids, towns = layers.get("grids"), layers["communities"]
    if grids is None or not len(grids):
        return pd.DataFrame(columns=columns)
    ids, walker = text_of(grids, "grid_id"), circle.walkers[0]
    lacking: list[list[str]] = [[] for _ in ids]
    for category in circle.categories:
        whole, part = circle.count("grid", ids, category, walker)
        for k in np.flatnonzero((whole > 0) & (part < LACKING * whole)).tolist():
            lacking[k].append(reader.say("lacking_one", category=circle.names[category],
                                         count=reader.count(whole[k] - part[k])))
    names = dict(zip(text_of(towns, "community_id"), text_of(towns, "name"), strict=True))
    owner, called = text_of(grids, "community_id"), text_of(grids, "name")
    (whole, part), (every, full) = circle.complete("grid", ids, walker), circle.full("grid", ids)
    count = pd.to_numeric(grids["households"]).astype("Float64").fillna(0).to_numpy(np.float64)
    rows = []
    worst = [k for k, _ in find_gaps((whole, part), None)]
    for k in dict.fromkeys((*worst, *range(len(ids)))):
        few = not reader.internal and 0 < count[k] < SMALL_COUNT
        if not lacking[k] or few:
            continue
        rows.append([owner[k], names.get(owner[k]) or owner[k], ids[k], called[k],
                     reader.count(count[k]), hide_share(int(whole[k]), int(part[k]), reader)[2],
                     None if every[k] < 0 else reader.count(every[k] - full[k]),
                     reader.say("list_comma").join(lacking[k])])
    return pd.DataFrame(rows, columns=columns, dtype=object)


def list_facilities(circle: Circle, layers: Mapping[str, Any], reader: Reader) -> pd.DataFrame:
    """Return the facilities with capacity, load and whether they meet their norm."""
    columns = ["facility_id", "facility", "categories", "status", "capacity", "load", "area_m2",
               "meets_norm"]
    frame = layers.get("facilities")
    if frame is None or not len(frame):
        return pd.DataFrame(columns=columns)
    say, flat = reader.say, pd.DataFrame({"facility_id": text_of(frame, "facility_id")})
    flat["facility"] = text_of(frame, "name")
    flat["categories"] = [say("list_comma").join(
        circle.names.get(c.strip(), c.strip()) for c in t.split(";") if c.strip())
        for t in text_of(frame, "categories")]
    flat["status"] = [say(f"facility_{s}") if s in ("existing", "proposed") else s
                      for s in text_of(frame, "status")]
    for name in ("capacity", "load", "area_m2"):
        flat[name] = _floats(frame, name)
    told = frame["meets_norm"] if "meets_norm" in frame else [None] * len(frame)
    flat["meets_norm"] = ["" if pd.isna(v) else say("yes" if v else "no") for v in told]
    return flat[columns].astype(object)


def list_sites(circle: Circle, layers: Mapping[str, Any], reader: Reader) -> pd.DataFrame:
    """Return the sites by category and rank: what each gains, what is possible, and in words."""
    columns = ["site_id", "category", "rank", "gain", "bound", "gap", "words"]
    frame = layers.get("sites")
    if frame is None or not len(frame):
        return pd.DataFrame(columns=columns)
    flat = pd.DataFrame({"site_id": text_of(frame, "site_id"), "key": [
        c.removesuffix(AFTER) for c in text_of(frame, "category")]})
    for name, column in (("rank", "rank"), ("gain", "gained_households"), ("bound", "bound"),
                         ("gap", "gap")):
        flat[name] = pd.Series(_floats(frame, column), dtype=object)
    flat = flat.sort_values(["key", "rank", "site_id"], kind="stable", ignore_index=True)
    rows = []
    for key, mine in flat.groupby("key", sort=False):
        total = sum(v or 0 for v in mine["gain"])
        most = max((v for v in mine["bound"] if v is not None), default=None)
        words = reader.say("site_words", count=_told(reader.count(total)), most=_told(
            reader.count(np.floor(most + 1e-6)))) if most is not None else reader.say(
            "site_words_alone", count=_told(reader.count(total)))
        rows += [[r["site_id"], circle.names.get(str(key), str(key)), r["rank"],
                  reader.count(r["gain"]), None if r["bound"] is None else reader.count(r["bound"]),
                  r["gap"], words] for r in mine.to_dict("records")]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _told(value: int | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def _floats(frame: pd.DataFrame, column: str) -> list[float | None]:
    if column not in frame.columns:
        return [None] * len(frame)
    return [None if pd.isna(v) else float(v) for v in
            pd.to_numeric(frame[column]).astype("Float64")]


def _write(pen: Any, name: str, table: pd.DataFrame) -> None:
    """Write a table on its sheet, shares as percents; nothing for a table without rows."""
    if table.empty:
        return
    columns: Sequence[str] = list(table.columns)
    sheet = pen.add(name, [pen.reader.say(f"head_{c}") for c in columns],
                      [_WIDTHS.get(c, 12) for c in columns])
    shares = {*_SHARES, "completeness", "gap", "load"}
    for row, record in enumerate(table.to_dict("records"), 1):
        bad = record.get("met") == pen.reader.say("no")
        for at, column in enumerate(columns):
            value = record[column]
            number = "0.0%" if column in shares else "#,##0"
            pen.cell(sheet, row, at, value, number, "#F6D9D0" if bad and column == "near" else "")
    sheet.autofilter(0, 0, len(table), len(columns) - 1)
