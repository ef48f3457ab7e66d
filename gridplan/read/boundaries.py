"""Boundaries alone → communities that tile, in one metric CRS: what a merger starts from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.errors import Findings, first_ids
from gridplan.layers import Source, conform_input
from gridplan.params import Params
from gridplan.read.clean import (
    _bring_together,
    _finished,
    _free_of_datum,
    _name_rows,
)
from gridplan.read.coverage import fit_communities
from gridplan.read.held import Held
from gridplan.read.shapes import drop_missing, repair_shapes

# Borders that run beside each other closer than this, for longer than that, should be one.
GAP_M = 25.0
_BESIDE_M = 50.0
_ROOK_M = 1.0
_VERTEX_M, _TENTH_M = 0.01, 0.1


def clean_boundaries(raw: gpd.GeoDataFrame, sources: Sequence[Source], params: Params,
                     findings: Findings, *, snap_m: float = 0.0, keep_gaps: bool = False,
                     drop_null: bool = False) -> gpd.GeoDataFrame:
    """Check and repair a layer of communities that comes without buildings and roads.

    Parameters
    ----------
    raw
        The layer ``communities`` as :func:`read_layers` returns it, in any CRS.
    snap_m
        Overlaps, and gaps with communities all round, up to this width are closed; at least
        those of ``params.read.snap_m`` are.
    keep_gaps
        Narrow gaps between communities are meant: they do not touch there.

    Returns
    -------
    GeoDataFrame
        The columns of ``INPUTS["communities"]``, indexed by community_id, in a metric CRS.

    Raises
    ------
    InputError
        With every fault found: overlaps, narrow gaps, ids that come twice, broken shapes.
    """
    layer = Held("communities", raw, ", ".join(dict.fromkeys(s.name for s in sources)), findings)
    held = {"communities": layer}
    if raw.crs is None:
        findings.add("read.no_crs", file=layer.file, layer=layer.role)
        findings.stop_on_faults()
    _free_of_datum(held, {"communities": raw}, None, findings)
    drop_missing(layer, drop_null or bool(raw.attrs.get("drop_null")))
    if layer.frame.empty:
        findings.add("read.empty_layer", file=layer.file, layer=layer.role)
    crs = _bring_together(held, findings)
    repair_shapes(layer)
    _name_rows(held)
    _tell_empty(layer)
    if not findings.of("error", "ask"):
        _close(layer, snap_m)
    _fit(layer, params.read.snap_m)
    if not keep_gaps and not findings.of("error", "ask"):
        _tell_gaps(layer)
    findings.stop_on_faults()
    findings.tally.append(layer.tally())
    frame: gpd.GeoDataFrame = conform_input("communities", _finished("communities", layer))
    return frame.set_crs(crs, allow_override=True)


def _tell_empty(layer: Held) -> None:
    """Tell of communities whose households are not known; other faults of numbers are told."""
    frame = layer.frame
    missing = frame["households"].isna().to_numpy(dtype=bool) if "households" in frame else (
        np.ones(len(frame), dtype=bool))
    layer.tell("merge.no_households", "error", missing, field="households")


def _close(layer: Held, snap_m: float) -> None:
    """Give overlaps up to a width to one of both and gaps to a neighbour; wider ones stay."""
    shapes = layer.shapes
    if not snap_m or shapely.coverage_is_valid(shapes, gap_width=snap_m) or (
            _widest_overlap(shapes) > snap_m):
        return
    # Vertices are not drawn together as far: that would bend the borders.
    fitted = shapely.coverage_clean(shapes, gap_width=snap_m, snapping_distance=_VERTEX_M)
    moved = ~shapely.equals_exact(shapely.normalize(fitted), shapely.normalize(shapes), 0.0)
    off = np.abs(shapely.area(fitted) - shapely.area(shapes))
    layer.tell("merge.closed", "repaired", moved, snap=f"{snap_m:g}", most=f"{off.max():,.0f}")
    layer.shapes = fitted


def _fit(layer: Held, snap_m: float) -> None:
    """Fit borders that miss each other by a hair; say of overlaps what would close them."""
    told = len(layer.findings.items)
    fit_communities(layer, snap_m)
    for at in range(told, len(layer.findings.items)):
        found = layer.findings.items[at]
        if found.key == "read.overlap":
            width = math.ceil(_widest_overlap(layer.shapes))
            layer.findings.items[at] = replace(found, key="merge.overlap",
                                               values={**found.values, "width": width})


def _widest_overlap(shapes: NDArray[np.object_]) -> float:
    """Return the width of the widest overlap of two areas, to a tenth of a metre upwards."""
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    left, right = left[left < right], right[left < right]
    shared = shapely.intersection(shapes[left], shapes[right])
    shared = shared[shapely.area(shared) > 0]
    if not len(shared):
        return 0.0
    circle = shapely.get_parts(shared)
    circle = circle[shapely.get_dimensions(circle) == 2]
    return float(2 * shapely.length(shapely.maximum_inscribed_circle(
        circle, tolerance=_TENTH_M)).max()) + _TENTH_M


def _tell_gaps(layer: Held) -> None:
    """Tell of communities that run beside each other, a little apart, without touching."""
    shapes = layer.shapes
    left, right = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=GAP_M)
    left, right = left[left < right], right[left < right]
    edge = shapely.boundary(shapes)
    shared = shapely.length(shapely.intersection(edge[left], edge[right]))
    left, right = left[shared < _ROOK_M], right[shared < _ROOK_M]
    beside = shapely.length(shapely.intersection(
        edge[left], shapely.buffer(shapes[right], GAP_M)))
    # Where a third community lies between, the two are near each other but not apart.
    between = shapely.intersection(shapely.buffer(shapes[left], GAP_M, quad_segs=2),
                                   shapely.buffer(shapes[right], GAP_M, quad_segs=2))
    free = shapely.area(shapely.difference(between, shapely.union_all(shapes))) if (
        len(left)) else np.zeros(0)
    bad = (beside > 2 * _BESIDE_M) & (free > 0.25 * GAP_M * _BESIDE_M)
    if not bad.any():
        return
    names = layer.labels[layer.frame.index.to_numpy()]
    pairs = [f"{names[a]} | {names[b]} ({m:,.0f} m)" for a, b, m in zip(
        left[bad], right[bad], beside[bad], strict=True)]
    which = np.zeros(len(shapes), dtype=bool)
    which[left[bad]] = which[right[bad]] = True
    layer.findings.add("merge.gap", "ask", file=layer.file, layer=layer.role,
                       row=first_ids(dict.fromkeys(names[which])), count=len(pairs),
                       pairs=first_ids(pairs))
