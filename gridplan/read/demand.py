"""Points with households and the roads round them → a Study: a service circle without a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.errors import Findings
from gridplan.layers import Source, Study, conform_input, empty_input
from gridplan.params import Params
from gridplan.read.clean import (
    _bring_together,
    _clip,
    _finished,
    _free_of_datum,
    _name_rows,
    _reject_unfit,
)
from gridplan.read.crs import label
from gridplan.read.held import Held
from gridplan.read.shapes import drop_missing, repair_shapes

_NEEDED = ("demand", "roads")
_TAKEN = ("demand", "roads", "barriers", "estates", "gates", "facilities")


def clean_demand(raw: Mapping[str, gpd.GeoDataFrame], sources: Sequence[Source], params: Params,
                 findings: Findings, *, drop_null: bool = False) -> Study:
    """Check and repair points of demand and what is needed to measure ways from them.

    Parameters
    ----------
    raw
        Layer → frame as :func:`read_layers` or the OSM reader return them, in any CRS: ``demand``
        and ``roads``, perhaps barriers, estates, gates and facilities; other layers are left.
        Areas of demand count as a point inside them.
    findings
        Receives faults, repairs, warnings and one tally row per layer.

    Returns
    -------
    Study
        Without buildings and communities; its outline is the convex hull of the demand and
        ``params.read.margin_m`` round it. ``demand`` has whole households: those given, else the
        population by the household size, rounded so that the sum is right.

    Raises
    ------
    InputError
        With every fault found.
    """
    findings_of = {s.layer: s.name for s in sources}
    for role in (r for r in _NEEDED if r not in raw):
        findings.add("read.no_layer", layer=role)
    findings.stop_on_faults()
    held = {}
    for role in (r for r in _TAKEN if r in raw):
        if raw[role].crs is None:
            findings.add("read.no_crs", file=findings_of.get(role, ""), layer=role)
        else:
            held[role] = Held(role, raw[role], findings_of.get(role, ""), findings)
    findings.stop_on_faults()
    _free_of_datum(held, raw, None, findings)
    for role, layer in held.items():
        drop_missing(layer, drop_null or bool(raw[role].attrs.get("drop_null")))
        if layer.frame.empty and role in _NEEDED:
            findings.add("read.empty_layer", file=layer.file, layer=role)
    _reject_unfit(held)
    findings.stop_on_faults()
    crs = _bring_together(held, findings, "demand")
    for layer in held.values():
        repair_shapes(layer)
    _name_rows(held)
    findings.stop_on_faults()
    outline = shapely.convex_hull(shapely.multipoints(held["demand"].shapes)).buffer(
        params.read.margin_m, quad_segs=4)
    for role in (r for r in held if r != "demand"):
        _clip(held[role], outline, params.read.margin_m)
    if held["roads"].frame.empty:
        findings.add("read.nothing_inside", file=held["roads"].file, layer="roads")
    findings.tally.extend(layer.tally() for layer in held.values())
    findings.stop_on_faults()
    frames = {r: conform_input(r, _finished(r, layer)) for r, layer in held.items()}
    frames["demand"] = _count_households(frames["demand"], params)
    return Study(outline=outline, buildings=empty_input("buildings", crs), sources=tuple(sources),
                 facts={"crs": label(crs)}, **frames)


def _count_households(demand: gpd.GeoDataFrame, params: Params) -> gpd.GeoDataFrame:
    """Return the demand with whole households that sum to the rounded sum of the estimates."""
    size = params.households.household_size
    exact = demand["households"].astype("Float64").fillna(demand["population"] / size).fillna(0.0)
    value = exact.to_numpy(dtype=float)
    whole = np.floor(value).astype(np.int64)
    lacking = round(float(value.sum())) - int(whole.sum())
    order = np.argsort(-(value - whole), kind="stable")
    whole[order[:lacking]] += 1
    return demand.assign(households=pd.array(whole, dtype="Int64"))
