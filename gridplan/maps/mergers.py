"""Mergers on the map: which old community lies in which new one.

A result of merging boundaries has no grids. Its old communities are drawn in their place, in the
colour of the community they belong to now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.i18n import translate
from gridplan.maps.facts import Layers, count_of, hide_few, keys_of, text_of
from gridplan.maps.groups import draw_lines_between

# How a community is marked by its status; one that took none in is not coloured.
_MARKS = {"small": "under", "over": "over"}
_UNCHANGED = "empty"


def has_mergers(layers: Layers) -> bool:
    """Tell whether the plan tells which communities were merged."""
    mergers = layers.get("mergers")
    return mergers is not None and len(mergers) > 0


def lacks_grids(layers: Layers) -> bool:
    """Tell whether the plan is one of merged communities alone."""
    grids = layers.get("grids")
    return has_mergers(layers) and (grids is None or not len(grids))


def stand_in(layers: Layers) -> dict[str, Any]:
    """Return the layers with old communities in the place of grids.

    ``households`` and ``status`` of each are those of its new community; ``former`` holds its own
    households. The steps of colour are those of the range of communities; where most new ones
    miss it, it says nothing of these, and the steps are those of their households.
    """
    mergers, communities = layers["mergers"], layers["communities"]
    owner = pd.Index(keys_of(communities, "community_id")).get_indexer(
        pd.Index(text_of(mergers, "community_id")))
    size = np.bincount(owner[owner >= 0], minlength=len(communities))
    total = count_of(communities, "households")
    told = text_of(communities, "status")
    missed = [_MARKS.get(status) for status in told]
    ranged = sum(map(bool, missed)) * 2 <= len(missed)
    status = [(missed[c] if ranged else None) or ("ok" if size[c] > 1 else _UNCHANGED)
              for c in owner]
    grids = gpd.GeoDataFrame({
        "grid_id": keys_of(mergers, "former_id"), "community_id": text_of(mergers, "community_id"),
        "name": text_of(mergers, "name"), "kind": "basic", "status": status,
        "households": total[owner], "former": count_of(mergers, "households"),
    }, geometry=np.asarray(mergers.geometry.array), crs=mergers.crs)
    return {**layers, "grids": grids, "communities": communities.assign(
        kind="community" if ranged else "")}


def pack_mergers(layers: Layers, audience: str) -> dict[str, Any]:
    """Return every old community with the new one (a position) it belongs to, and these.

    ``total`` holds the households of the new ones, ``status`` how they are against the range of
    communities.
    """
    mergers, communities = layers["mergers"], layers["communities"]
    ids = pd.Index(keys_of(communities, "community_id"))
    return {
        "id": keys_of(mergers, "former_id"), "name": text_of(mergers, "name"),
        "community": ids.get_indexer(pd.Index(text_of(mergers, "community_id"))).tolist(),
        "kept": mergers["kept"].fillna(False).astype(bool).tolist(),
        "households": hide_few(count_of(mergers, "households"), audience).tolist(),
        "total": hide_few(count_of(communities, "households"), audience).tolist(),
        "reason": text_of(communities, "reason")}


def draw_former(layers: Layers) -> np.ndarray:
    """Return the borders between old communities that are one now, as lines."""
    mergers = layers["mergers"]
    owner = pd.factorize(np.array(text_of(mergers, "community_id"), dtype=object), sort=True)[0]
    parts, row = shapely.get_parts(np.asarray(mergers.geometry.array), return_index=True)
    return draw_lines_between(parts, owner[row])


def merger_figures(layers: Layers, lang: str) -> tuple[tuple[str, str, str, str], ...]:
    """Return what heads the map of merged communities: key, label, value, and a smaller line.

    Communities before and after, households, mergers, the largest community, households that
    change their community.
    """
    mergers = layers["mergers"]
    owner = np.array(text_of(mergers, "community_id"), dtype=object)
    held = pd.Series(count_of(mergers, "households")).groupby(owner, sort=True)
    total, largest = int(held.sum().sum()), int(held.sum().max())
    moved = total - int(held.max().sum())
    mean = total / held.ngroups

    def text(name: str, **values: object) -> str:
        return translate(f"maps.{name}", lang, **values)

    return (
        ("communities", text("communities"), f"{len(mergers):,} → {held.ngroups:,}", ""),
        ("households", text("households"), f"{total:,}", ""),
        ("mergers", text("mergers"), f"{int((held.size() > 1).sum()):,}", ""),
        ("largest", text("largest"), f"{largest:,}",
         text("of_mean", n=f"{largest / mean:.2f}") if mean else ""),
        ("moved", text("moved"), f"{moved:,}", f"{100 * moved / total:.1f} %" if total else ""))


def merger_texts(texts: Mapping[str, str], lang: str) -> dict[str, str]:
    """Return the texts of the script in the words of a map without grids."""
    return {**texts, "status_empty": translate("maps.unchanged", lang)}
