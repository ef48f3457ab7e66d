"""What a merger leaves in the file: the table of mergers, figures, the run and the tally."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.errors import Findings, TallyRow
from gridplan.layers import conform
from gridplan.merge.propose import Proposal, describe_bounds
from gridplan.params import Range

_UNITS = {"merge_largest": "households", "merge_moved": "households", "merge_border": "m"}


def list_mergers(proposal: Proposal, communities: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the layer ``mergers``: every old community with the one it belongs to now."""
    frame = communities.reset_index().set_index("community_id").sort_index()
    out = gpd.GeoDataFrame({
        "former_id": frame.index.astype(str), "community_id": proposal.owner.to_numpy(),
        "households": proposal.households.to_numpy(),
        "kept": proposal.owner.to_numpy() == frame.index.astype(str).to_numpy(),
        **{c: frame[c].array for c in ("subdistrict_id", "name", "kind") if c in frame},
    }, geometry=frame.geometry.to_numpy(), crs=frame.crs)
    layer: gpd.GeoDataFrame = conform("mergers", out)
    return layer


def unite(shapes: np.ndarray) -> shapely.Geometry:
    """Return the union of polygons, keeping every vertex where they match."""
    if shapely.coverage_is_valid(shapes):
        return shapely.coverage_union_all(shapes)
    return shapely.union_all(shapes)


def list_figures(proposal: Proposal, limits: Range) -> pd.DataFrame:
    """Return the rows of the figures table that a merger makes.

    ``target`` of the three goals is the bound: what they cannot be below, given those before.
    """
    count, total = proposal.count, int(proposal.households.sum())
    rows: list[tuple[str, str, float | None, str, float | None, float | None, float | None]] = [
        ("communities", "all", count, "communities", None, None, None),
        ("merge_communities_before", "all", len(proposal.owner), "communities", None, None, None),
        ("merge_largest_to_mean", "all", proposal.largest_to_mean, "ratio", None,
         proposal.score.largest, total / count)]
    for name, (value, bound, proven) in describe_bounds(proposal).items():
        rows.append((name, "all", value, _UNITS[name], bound, None, None))
        rows.append((f"{name}_proven", "all", float(proven), "yes=1", None, None, None))
    inside = count - len(proposal.outside(limits))
    rows.append(("communities_in_range", "all", inside / count, "share", None, inside, count))
    table = pd.DataFrame(rows, columns=["name", "scope_id", "value", "unit", "target",
                                        "numerator", "denominator"])
    return conform("figures", table.assign(scope="city"))


def note_tally(proposal: Proposal, findings: Findings) -> None:
    """Add the row of the tally: households in = households out."""
    rows, held = len(proposal.owner), int(proposal.households.sum())
    findings.tally.append(TallyRow("merge", "communities", rows, rows, households_in=held,
                                   households_out=int(proposal.totals.sum())))


def record_merger(proposal: Proposal, seed: int, command: str) -> dict[str, str]:
    """Return the rows of the run table that say what was asked for."""
    return {"command": command, "seed": str(seed), "state": "draft",
            "merge:communities": str(proposal.count),
            "merge:before": str(len(proposal.owner)),
            "merge:subdistricts": proposal.subdistricts, "merge:slack": f"{proposal.slack:g}"}
