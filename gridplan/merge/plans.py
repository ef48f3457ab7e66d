"""A plan in which communities are merged: grids stay as they are, what hangs on them follows."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridplan.errors import Findings, InputError, first_ids
from gridplan.i18n import LANGUAGES
from gridplan.layers import code_grid, conform, name_grid
from gridplan.merge.judge import forget_advice, judge_community, judge_grids
from gridplan.merge.lines import Seams, draw_seams, find_seams, measure_on_line
from gridplan.merge.propose import Proposal
from gridplan.merge.record import list_figures, list_mergers, note_tally, record_merger, unite
from gridplan.params import Params, Range
from gridplan.plan import Plan, digest_rows, tally_frame
from gridplan.plan.circle import forget_circle
from gridplan.plan.people import forget_people

Ints = NDArray[np.int64]

# Figures that a merger leaves stale.
_STALE = ("score_balance", "score_shape", "score_border", "score_straddling", "weighted_border",
          "shape_m", "balance_households", "straddling", "weighted_border_bound",
          "weighted_border_gap")
_SCORES = _STALE[:4]


def merge_plan(plan: Plan, proposal: Proposal, params: Params, findings: Findings, *,
               source: tuple[str, str] | None = None, lang: str = "en",
               command: str = "gridplan merge") -> Plan:
    """Return a plan with the communities merged as proposed, as a draft.

    Grids keep their land. Those of a community that goes get the next free codes of the one it
    joins, the old code in ``former_ids``; units, buildings, groups, borders, parts, reasons and
    figures follow. The scorecard is left empty: it is stale, and the pipeline works it out anew.
    Who was assigned is left out: the posts of communities that merge are others now; ``assign``
    with the plan before keeps people where they are.

    Parameters
    ----------
    proposal
        Made from the communities of this plan.
    source
        Name and SHA-256 of the plan's file, for the run table.

    Raises
    ------
    InputError
        Grids and units of the plan contradict each other.
    """
    _check_halves(plan, findings)
    if len(plan.layer("assignments")):
        findings.add("merge.people_left_out", "warning", layer="assignments",
                     file=plan.origin.name if plan.origin else "",
                     count=len(plan.layer("assignments")))
    if len(plan.layer("coverage")):
        findings.add("merge.circle_left_out", "warning", layer="coverage",
                     file=plan.origin.name if plan.origin else "",
                     count=len(plan.layer("coverage")))
    plan = forget_circle(forget_people(plan))
    codes = number_anew(plan.layer("grids"), proposal, lang)
    grids, units = _recode(plan.layer("grids"), codes, proposal), plan.layer("units")
    joined = pd.Index(proposal.owner[proposal.owner.index != proposal.owner].unique())
    town = units["community_id"].map(proposal.owner)
    changed = town.isin(joined).to_numpy(dtype=bool)
    group = np.where(changed, pd.factorize(town, sort=True)[0], -1).astype(np.int64)
    seams = find_seams(units.geometry.to_numpy(), group)
    layers = dict(plan.layers)
    for name in layers:
        if name not in ("grids", "communities", "mergers", "borders"):
            layers[name] = _follow_codes(layers[name], codes, proposal)
    moved = replace(plan, layers=layers)
    old = plan.layer("units")["community_id"].to_numpy(dtype=object)
    across = seams.take(old[seams.left] != old[seams.right])
    borders, fresh = _join_borders(plan, moved, codes, across)
    mergers = list_mergers(proposal, plan.layer("communities"))
    ranges = _ranges(plan, params)
    grids, proofs = judge_grids(moved, grids, joined, seams, ranges, mergers, lang)
    grids = _share_by_grid(grids, borders, joined, moved)
    for column in _SCORES:
        grids[column] = pd.array([pd.NA] * len(grids), dtype="Float64")
    towns = _join_communities(plan, grids, mergers, joined, proofs)
    changed = {*map(str, joined), *(n for gone in proposal.mergers().values() for n in gone)}
    grids, towns = forget_advice(grids, towns, moved.layer("units"), changed, lang)
    note_tally(proposal, findings)
    layers |= {"grids": grids, "borders": borders, "communities": towns, "mergers": mergers,
               "figures": _renew_figures(plan, proposal, grids, fresh, moved, params)}
    tally = plan.layer("tally")
    layers["tally"] = pd.concat([tally[(tally["stage"] != "merge").to_numpy(dtype=bool)],
                                 tally_frame(findings).iloc[-1:]], ignore_index=True)
    record = record_merger(proposal, params.seed, command)
    if source is not None:
        record[f"input:{1 + _inputs(plan)}:{source[0]}:plan"] = source[1]
    done = replace(moved, layers=layers, seen="").with_run(record)
    told = [k.removeprefix("digest:") for k in plan.run if k.startswith("digest:")]
    return done.with_run(digest_rows(done, [*told, "mergers"]))


def number_anew(grids: pd.DataFrame, proposal: Proposal, lang: str) -> pd.DataFrame:
    """Return the new code, number and name of every grid, indexed by its old code.

    Grids of a community that stays keep theirs. The others follow in the order of their old
    codes, from the next number that the community has never used.
    """
    frame = grids.set_index("grid_id", drop=False).sort_index()
    town = frame["community_id"].map(proposal.owner)
    seq = frame["seq"].to_numpy(dtype=np.int64).copy()
    used = frame.assign(town=town)
    taken = used[used["community_id"] == used["town"]].groupby("town")["seq"].max()
    last = {str(name): int(held) for name, held in taken.items()}
    for code in frame["former_ids"].fillna("").str.split(";").explode():
        for name in last:
            tail = str(code).removeprefix(name).removeprefix("-")
            if str(code).startswith(name) and tail.isdigit() and code == code_grid(
                    name, int(tail)):
                last[name] = max(last[name], int(tail))
    goes = (frame["community_id"] != town).to_numpy(dtype=bool)
    for k in np.flatnonzero(goes).tolist():
        name = str(town.iloc[k])
        last[name] = last.get(name, 0) + 1
        seq[k] = last[name]
    code = [code_grid(str(t), int(s)) for t, s in zip(town, seq, strict=True)]
    plain = [any(n == name_grid(int(s), tongue) for tongue in LANGUAGES)
             for n, s in zip(frame["name"].fillna(""), frame["seq"], strict=True)]
    names = [name_grid(int(s), lang) if g and p else n for n, s, g, p in zip(
        frame["name"], seq, goes, plain, strict=True)]
    return pd.DataFrame({"grid_id": code, "seq": seq, "name": names, "goes": goes,
                         "community_id": town.to_numpy(dtype=object)}, index=frame.index)


def _check_halves(plan: Plan, findings: Findings) -> None:
    """Stop where units and their grid lie in different communities: half of an edit is missing."""
    grids, units = plan.layer("grids"), plan.layer("units")
    owner = grids.set_index("grid_id")["community_id"]
    bad = (units["grid_id"].map(owner) != units["community_id"]).fillna(True).to_numpy(dtype=bool)
    if bad.any():
        ids = sorted(set(units.loc[bad, "grid_id"].fillna("")))
        findings.add("merge.edited", file=plan.origin.name if plan.origin else "", layer="grids",
                     row=first_ids(ids), field="community_id", count=len(ids))
    findings.stop_on_faults(InputError)


def _inputs(plan: Plan) -> int:
    return max((int(k.split(":")[1]) for k in plan.run
                if k.startswith("input:") and k.split(":")[1].isdigit()), default=0)


def _recode(grids: gpd.GeoDataFrame, codes: pd.DataFrame, proposal: Proposal) -> gpd.GeoDataFrame:
    out = grids.copy()
    held = codes.loc[grids["grid_id"]]
    former = grids["former_ids"].fillna("")
    with_old = former.where(former == "", former + ";") + grids["grid_id"]
    goes = held["goes"].to_numpy()
    for column in ("grid_id", "seq", "name", "community_id"):
        out[column] = held[column].array
    out["former_ids"] = pd.Series(np.where(goes, with_old, former), out.index).mask(
        ~goes & grids["former_ids"].isna().to_numpy(), pd.NA).astype("string")
    ordered = out.sort_values(["community_id", "seq"], kind="stable").reset_index(drop=True)
    layer: gpd.GeoDataFrame = conform("grids", ordered)
    return layer


def _follow_codes(frame: pd.DataFrame, codes: pd.DataFrame, proposal: Proposal) -> pd.DataFrame:
    """Return a layer with the codes of grids, groups and communities brought up to date."""
    out = frame.copy()
    if "community_id" in out:
        out["community_id"] = out["community_id"].map(proposal.owner).fillna(
            out["community_id"]).astype("string")
    gone = codes.index[codes["goes"]]
    new = dict(zip(gone, codes.loc[gone, "grid_id"], strict=True))
    if "group_id" in out and new:
        # The code of a group is that of its grid and a tail.
        text = out["group_id"].astype("string")
        head = _head(text, new)
        tail = [t[len(h):] if h else "" for t, h in zip(text.fillna(""), head, strict=True)]
        out["group_id"] = pd.array([new[h] + e if h else t for t, h, e in zip(
            text, head, tail, strict=True)], dtype="string")
    if "grid_id" in out and new:
        out["grid_id"] = out["grid_id"].map(new).fillna(out["grid_id"]).astype("string")
    return out


def _head(text: pd.Series, codes: dict[str, str]) -> list[str]:
    """Return for each text the code it begins with, '' for none."""
    sizes = sorted({len(code) for code in codes}, reverse=True)
    return [next((t[:n] for n in sizes if t[:n] in codes), "") for t in text.fillna("")]


def _join_borders(plan: Plan, moved: Plan, codes: pd.DataFrame, across: Seams
                  ) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Return the borders under their new codes and with those that a merger brings in; these."""
    old = plan.layer("borders").copy()
    for column in ("grid_a", "grid_b"):
        old[column] = old[column].map(codes["grid_id"]).astype("string")
    swap = (old["grid_a"] > old["grid_b"]).to_numpy(dtype=bool)
    a, b = old["grid_a"].copy(), old["grid_b"].copy()
    old["grid_a"], old["grid_b"] = a.where(~swap, b), b.where(~swap, a)
    fresh = conform("borders", draw_seams(
        across, moved, moved.layer("units")["grid_id"].to_numpy(dtype=object)).assign(
            border_id=pd.NA, move_cost=pd.NA))
    both = pd.concat([old, fresh], ignore_index=True) if len(fresh) else old
    both = both.sort_values(["grid_a", "grid_b"], kind="stable").reset_index(drop=True)
    both["move_cost"] = pd.array([pd.NA] * len(both), dtype="Float64")
    turn = both.groupby(["grid_a", "grid_b"]).cumcount() + 1
    both["border_id"] = pd.array([f"{x}|{y}|{n}" for x, y, n in zip(
        both["grid_a"], both["grid_b"], turn, strict=True)], dtype="string")
    return gpd.GeoDataFrame(both, geometry="geometry", crs=plan.layer("units").crs), fresh


def _ranges(plan: Plan, params: Params) -> dict[str, Range]:
    """Return the range of each kind of community, as the plan was made with."""
    out = {}
    for kind in ("urban", "old", "rural"):
        told = plan.run.get(f"range:{kind}", "").split("/")
        out[kind] = Range(int(told[0]), int(told[1])) if len(told) == 2 and all(
            t.isdigit() for t in told) else params.partition.range_of(kind)
    return out


def _share_by_grid(grids: gpd.GeoDataFrame, borders: gpd.GeoDataFrame, joined: pd.Index,
                   plan: Plan) -> gpd.GeoDataFrame:
    """Measure anew how much of the borders of merged communities' grids lies on a line."""
    out = grids.copy()
    mine = out["community_id"].isin(joined).to_numpy(dtype=bool)
    ids = out["grid_id"][mine]
    held = borders[(borders["grid_a"].isin(ids)).to_numpy(dtype=bool)]
    metres = pd.DataFrame({"length_m": held["length_m"].to_numpy(dtype=float),
                           "on_line_m": measure_on_line(held, plan)})
    both = pd.concat([metres.assign(grid_id=held[c].to_numpy(dtype=object))
                      for c in ("grid_a", "grid_b")])
    total = both.groupby("grid_id").sum().reindex(ids)
    share = np.minimum((total["on_line_m"] / total["length_m"]).to_numpy(dtype=float), 1.0)
    out.loc[mine, "road_share"] = pd.array(share, dtype="Float64")
    return out


def _join_communities(plan: Plan, grids: gpd.GeoDataFrame, mergers: gpd.GeoDataFrame,
                      joined: pd.Index, proofs: dict[str, str]) -> gpd.GeoDataFrame:
    """Return the communities that remain; those that took others in are described anew."""
    old = plan.layer("communities")
    out = old[old["community_id"].isin(mergers["community_id"]).to_numpy(dtype=bool)].copy()
    out = out.sort_values("community_id").reset_index(drop=True)
    owner = mergers["community_id"].to_numpy(dtype=object)
    people = old.set_index("community_id")["population"].reindex(mergers["former_id"])
    ids = out["community_id"].to_numpy(dtype=object)
    for column in (*_SCORES, "bound", "gap"):
        out[column] = pd.array([pd.NA] * len(out), dtype="Float64")
    out["households"] = mergers.groupby("community_id")["households"].sum().reindex(ids).array
    out["population"] = people.groupby(owner).sum(min_count=1).reindex(ids).array
    out["grids"] = grids.groupby("community_id").size().reindex(ids).array
    shape = out.geometry.to_numpy().copy()
    drawn, town = grids.geometry.to_numpy(), grids["community_id"].to_numpy(dtype=object)
    for k in np.flatnonzero(np.isin(ids, joined.to_numpy(dtype=object))).tolist():
        shape[k] = unite(drawn[town == ids[k]])
        held = grids[town == ids[k]]
        out.loc[k, "status"] = judge_community(set(held["status"]))
        odd = held.loc[~held["status"].isin(("ok", "special")), "reason"].fillna("")
        out.loc[k, "reason"] = "; ".join(dict.fromkeys(odd))
        out.loc[k, "certificate"] = proofs[str(ids[k])]
    towns: gpd.GeoDataFrame = conform("communities", out.set_geometry(
        gpd.GeoSeries(shape, index=out.index, crs=old.crs)))
    return towns


def _renew_figures(plan: Plan, proposal: Proposal, grids: gpd.GeoDataFrame,
                   fresh: gpd.GeoDataFrame, moved: Plan, params: Params) -> pd.DataFrame:
    """Return the figures with those of the merger put in and the stale ones left out."""
    table = plan.layer("figures")
    mine = list_figures(proposal, params.partition.community)
    gone = table["name"].isin((*_STALE, *mine["name"])) | (
        (table["scope"] == "community") & ~table["scope_id"].isin(
            proposal.owner[~proposal.owner.isin(proposal.mergers())])) | (
        (table["scope"] == "grid") & ~table["scope_id"].isin(grids["grid_id"]))
    out = table[~gone.fillna(False).to_numpy(dtype=bool)].reset_index(drop=True)
    basic = grids["kind"] == "basic"
    fine, whole = int((basic & (grids["status"] == "ok")).sum()), int(basic.sum())
    odd = int((~grids["status"].isin(("ok", "special"))).sum())
    on_line = measure_on_line(fresh, moved)
    inside = fresh["inside_block"].fillna(False).to_numpy(dtype=bool)
    for scope, keep in (("all", inside | True), ("between_blocks", ~inside),
                        ("inside_blocks", inside)):
        row = out.index[(out["name"] == "road_share") & (out["scope_id"] == scope)]
        if len(row):
            part = float(out.loc[row[0], "numerator"]) + float(on_line[keep].sum())
            total = float(out.loc[row[0], "denominator"]) + float(
                fresh["length_m"].to_numpy(dtype=float)[keep].sum())
            part = min(part, total)
            _set(out, row, part / total if total else None, part, total)
    _set(out, out.index[out["name"] == "grids_in_range"], fine / whole if whole else None, fine,
         whole)
    _set(out, out.index[(out["name"] == "exceptions")], odd)
    return conform("figures", pd.concat([out, mine], ignore_index=True))


def _set(table: pd.DataFrame, rows: pd.Index, value: float | None, numerator: float | None = None,
         denominator: float | None = None) -> None:
    told = {"value": value, "numerator": numerator, "denominator": denominator}
    for column, number in told.items():
        table.loc[rows, column] = pd.NA if number is None else float(number)
