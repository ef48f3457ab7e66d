"""The scorecard on the map: four scores of grids and communities, and why each border is there."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from gridplan.layers import BARRIERS, ROAD_CLASS
from gridplan.maps.facts import Layers, count_of, hide_few, keys_of, text_of
from gridplan.plan.model import read_run

SCORES = ("score_balance", "score_shape", "score_border", "score_straddling")
# What follows from households: hidden together with a count that is too small to be shared.
_TELLING = ("score_balance", "score_straddling")
NO_SCORE = -1
# A border of many pieces is told by its longest ones; shorter ones than this are not worth a word.
_PIECES, _LEAST_M = 3, 5.0
_DEFAULT_FACTORS = [10.0, 3.0, 2.0, 1.0, 0.5]
# Kinds of line that have a word in the catalogue, and which classes of road they stand for.
KINDS = ("", "express", "main", "secondary", "tertiary", "local", "inner", "road", "rail", "river",
         "water", "wall")
_ROADS = {"motorway": "express", "trunk": "express", "primary": "main", "secondary": "secondary",
          "tertiary": "tertiary", "unclassified": "local", "residential": "local",
          "living_street": "local", "unknown": "road"}


def pack_scores(frame: pd.DataFrame, audience: str) -> list[list[int]]:
    """Return the four scores of a layer, whole points, ``NO_SCORE`` where there is none.

    Empty where the plan tells no score.

    >>> pack_scores(pd.DataFrame({"score_shape": [81.6, None]}), "internal")
    [[-1, -1], [82, -1], [-1, -1], [-1, -1]]
    """
    few = hide_few(count_of(frame, "households"), audience) < 0
    out = []
    for name in SCORES:
        held = (pd.to_numeric(frame[name]).astype("Float64").to_numpy(np.float64, na_value=np.nan)
                if name in frame.columns else np.full(len(frame), np.nan))
        held = np.where(few & (name in _TELLING), np.nan, held)
        out.append(np.where(np.isnan(held), NO_SCORE, np.rint(np.nan_to_num(held))).astype(
            int).tolist())
    return out if any(v != NO_SCORE for column in out for v in column) else []


def pack_gaps(communities: pd.DataFrame) -> list[int]:
    """Return by how many thousandths the borders of a community are dearer than they must be.

    Rounded up, so that "at most" is true; ``NO_SCORE`` where no gap is told, empty where none is.

    >>> pack_gaps(pd.DataFrame({"gap": [0.0, 0.0311, None]})), pack_gaps(pd.DataFrame({"gap": []}))
    ([0, 32, -1], [])
    """
    if "gap" not in communities.columns:
        return []
    gap = pd.to_numeric(communities["gap"]).astype("Float64").to_numpy(np.float64, na_value=np.nan)
    # What rounding adds to a round number is no reason to go up.
    whole = np.ceil(np.round(1000 * np.nan_to_num(gap), 6)).astype(int)
    return [] if np.isnan(gap).all() else np.where(np.isnan(gap), NO_SCORE, whole).tolist()


def is_unmeasured(layers: Layers) -> bool:
    """Tell whether straddling could not be measured in the whole plan: no road class is known."""
    figures = layers.get("figures")
    if figures is None or not len(figures):
        return False
    told = figures["value"][(figures["name"] == "straddling") & (figures["scope"] == "city")]
    return bool(len(told)) and bool(told.isna().all())


def pack_borders(layers: Layers) -> dict[str, Any] | None:
    """Return for each pair of grids what their border follows and what moving it costs.

    ``a`` and ``b`` are grids, ``cost`` whole weighted metres or None, ``along`` a list of name,
    kind (places in ``names`` and ``kinds``) and metres by turns, the longest piece first. None
    where the plan tells no cost of any border.
    """
    borders = layers.get("borders")
    if borders is None or not len(borders) or borders["move_cost"].isna().all():
        return None
    ids = pd.Index(keys_of(layers["grids"], "grid_id"))
    table = pd.DataFrame({
        "a": ids.get_indexer(pd.Index(text_of(borders, "grid_a"))),
        "b": ids.get_indexer(pd.Index(text_of(borders, "grid_b"))),
        "kind": [KINDS.index(kind_of(c)) for c in text_of(borders, "road_class")],
        "name": text_of(borders, "follows"),
        "cost": pd.to_numeric(borders["move_cost"]).astype("Float64").to_numpy(
            np.float64, na_value=np.nan),
        "metres": borders["length_m"].to_numpy(np.float64)})
    table = table[(table["a"] >= 0) & (table["b"] >= 0)]
    # What runs along nothing may still carry the name of an estate.
    table.loc[table["kind"] == 0, "name"] = ""
    pieces = table.groupby(["a", "b", "kind", "name"], sort=True)["metres"].sum().reset_index()
    pieces = pieces.sort_values(["a", "b", "metres", "kind", "name"],
                                ascending=[True, True, False, True, True])
    pieces["rank"] = pieces.groupby(["a", "b"]).cumcount()
    pieces = pieces[(pieces["rank"] == 0)
                    | ((pieces["rank"] < _PIECES) & (pieces["metres"] >= _LEAST_M))]
    names, place = np.unique(pieces["name"].to_numpy(dtype=object).astype(str),
                             return_inverse=True)
    flat = np.column_stack([place.ravel(), pieces["kind"], np.rint(pieces["metres"])]).astype(int)
    pairs = table.groupby(["a", "b"], sort=True)["cost"].first().reset_index()
    starts = np.flatnonzero((pieces["rank"] == 0).to_numpy())
    return {"names": names.tolist(), "kinds": list(KINDS), "a": pairs["a"].tolist(),
            "b": pairs["b"].tolist(),
            "cost": [None if np.isnan(c) else round(c) for c in pairs["cost"]],
            "along": [p.reshape(-1).tolist() for p in np.split(flat, starts[1:])],
            "factors": read_factors(layers)}


def kind_of(road_class: str) -> str:
    """Return the kind of line that a border follows, '' for none.

    >>> kind_of("primary_link"), kind_of("footway"), kind_of("wall"), kind_of("")
    ('main', 'inner', 'wall', '')
    """
    if road_class in ("", *BARRIERS):
        return road_class
    known = _ROADS.get(road_class.removesuffix("_link"))
    return known or ("inner" if road_class in ROAD_CLASS else "road")


def read_factors(layers: Layers) -> list[float]:
    """Return what a metre of border counts by its class 0–4, as the run table has it."""
    try:
        told = json.loads(read_run(layers).get("parameters", ""))["partition"]["border_factors"]
        return [float(f) for f in told] if len(told) == len(_DEFAULT_FACTORS) else _DEFAULT_FACTORS
    except (KeyError, TypeError, ValueError):
        return _DEFAULT_FACTORS
