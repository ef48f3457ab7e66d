"""A file of boundaries becomes a file of proposed communities, without grids."""

from __future__ import annotations

import json
from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd

from gridplan import __version__
from gridplan.errors import Findings
from gridplan.i18n import translate
from gridplan.layers import Source, conform
from gridplan.merge.propose import Proposal
from gridplan.merge.record import list_figures, list_mergers, note_tally, record_merger, unite
from gridplan.params import Params, Range, as_dict
from gridplan.plan import Plan, digest_rows, source_rows, tally_frame


def merge_areas(communities: gpd.GeoDataFrame, proposal: Proposal, params: Params,
                findings: Findings, *, sources: Sequence[Source] = (), lang: str = "en",
                command: str = "gridplan merge") -> Plan:
    """Return the proposed communities as a plan without grids, ready to be written.

    Its layers are ``communities``, ``mergers`` (every old community with the new one it belongs
    to), ``figures``, ``tally`` and ``run``.

    Parameters
    ----------
    communities
        As given to :func:`propose_merger`.
    sources
        The files they were read from, for the run table.
    """
    limits = params.partition.community
    mergers = list_mergers(proposal, communities)
    note_tally(proposal, findings)
    epsg = communities.crs.to_epsg()
    record = {"version": __version__, "lang": lang, "effort": params.partition.effort,
              "parameters": json.dumps(as_dict(params), sort_keys=True, ensure_ascii=False),
              "crs": f"EPSG:{epsg}" if epsg else communities.crs.to_wkt(),
              "range:community": f"{limits.low}/{limits.high}",
              **record_merger(proposal, params.seed, command), **source_rows(sources)}
    layers: dict[str, pd.DataFrame] = {
        "communities": _join(mergers, communities, limits, lang), "mergers": mergers}
    total = pd.DataFrame({"name": ["households"], "scope": ["city"], "scope_id": ["all"],
                          "value": [float(proposal.households.sum())], "unit": ["households"]})
    layers["figures"] = conform("figures", pd.concat(
        [list_figures(proposal, limits), conform("figures", total)], ignore_index=True))
    layers["tally"] = tally_frame(findings)
    plan = Plan(layers, communities.crs, findings=findings).with_run(record)
    return plan.with_run(digest_rows(plan, ("mergers",)))


def _join(mergers: gpd.GeoDataFrame, communities: gpd.GeoDataFrame, limits: Range,
          lang: str) -> gpd.GeoDataFrame:
    """Return the layer ``communities``: unions, with what the one that stays was called."""
    frame = communities.reset_index().set_index("community_id").sort_index()
    owner = mergers["community_id"].to_numpy(dtype=object)
    ids = np.array(sorted(set(owner)), dtype=object)
    shape = mergers.geometry.to_numpy()
    held = mergers.groupby("community_id", sort=True)["households"].sum().reindex(ids)
    out = gpd.GeoDataFrame({
        "community_id": ids, "households": held.to_numpy(),
        "status": ["small" if h < limits.low else "over" if h > limits.high else "ok"
                   for h in held.tolist()],
        "reason": [describe_range(h, limits, lang) for h in held.tolist()],
        **{c: frame.loc[ids, c].array for c in ("subdistrict_id", "name", "kind") if c in frame},
    }, geometry=[unite(shape[owner == name]) for name in ids], crs=frame.crs)
    if "population" in frame:
        people = frame["population"].groupby(owner, sort=True).sum(min_count=1)
        out["population"] = people.reindex(ids).array
    layer: gpd.GeoDataFrame = conform("communities", out)
    return layer


def describe_range(households: int, limits: Range, lang: str) -> str:
    """Say how a community misses the range of communities; '' where it does not."""
    if limits.low <= households <= limits.high:
        return ""
    side = "below" if households < limits.low else "above"
    return translate(f"merge.{side}", lang, households=households, low=limits.low,
                     high=limits.high)
