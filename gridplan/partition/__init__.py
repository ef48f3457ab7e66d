"""Units become grids: communities, grids, borders and figures of a plan.

:func:`partition_units` tells the story: ``constraints`` say what must hold, ``cutting`` decides,
``groups`` divides what was decided, ``describing`` tells it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.errors import Findings, first_ids
from gridplan.layers import Study, Units, conform
from gridplan.params import Params, Range
from gridplan.partition.constraints import (
    Passages,
    Wishes,
    count_closed,
    find_passages,
    judge_links,
    lock_units,
    make_wishes,
    note_strangers,
    passable_metres,
)
from gridplan.partition.cutting import (
    CutCommunity,
    Grid,
    carve_empty,
    cut_community,
    join_empty,
    number_parts,
    stands_alone,
)
from gridplan.partition.delineating import delineate_communities, settle_grids
from gridplan.partition.describing import Partition, describe_partition, lines_at_grade
from gridplan.partition.drawing import draw_grids
from gridplan.partition.estates import join_estate_units, number_by_block
from gridplan.partition.gaps import (
    Division,
    bound_communities,
    gap_figures,
    hold_whole,
    list_estates,
)
from gridplan.partition.graph import Contacts, Ints, components, touch_units
from gridplan.partition.groups import cut_groups, draw_groups, group_figures
from gridplan.partition.inner import (
    Homes,
    inner_figures,
    note_cut_estates,
    read_homes,
    weigh_inner,
)
from gridplan.partition.mergers import add_mergers
from gridplan.partition.numbering import number_rows
from gridplan.partition.rescoring import score_again
from gridplan.partition.rings import open_rings
from gridplan.partition.scores import classes_known

__all__ = ["Partition", "partition_units", "score_again"]


def partition_units(study: Study, units: Units, buildings: gpd.GeoDataFrame, params: Params, *,
                    lang: str = "en", progress: Callable[[float], None] | None = None,
                    locked: gpd.GeoDataFrame | None = None,
                    findings: Findings | None = None) -> Partition:
    """Divide every community into grids and describe them.

    Parameters
    ----------
    buildings
        ``study.buildings`` with households, households_low, households_high and
        households_source of every building.
    progress
        Called with the share of households done, 0–1.
    locked
        Grids of an earlier plan (columns of the layer ``grids``, the same CRS) that must come
        out as they are: they keep their units and codes, and no other grid gets their codes.
    findings
        Receives a warning for each must-link and locked grid that could not be kept.

    Returns
    -------
    Partition
        Where ``study.communities`` is None, communities are proposed first.
    """
    findings = Findings() if findings is None else findings
    locked = _usable_locks(study, locked, findings)
    homes = read_homes(units, buildings, study.layer("estates"))
    passages = find_passages(study)
    everywhere = _touch(units, homes, params, passages)
    wishes, touched = make_wishes(study, units, buildings, lock_units(
        locked, units, units.frame["community_id"].to_numpy(dtype=object), everywhere, findings),
        number_by_block(units.frame))
    names, proposed = _communities(study, units, params, everywhere, wishes)
    owner, ids = pd.factorize(names, sort=True)
    kinds = _kinds(study, ids)
    ranges = {str(c): params.partition.range_of(kinds[c]) for c in ids}
    _note_strangers(wishes, units, owner, [ranges[str(c)] for c in ids])
    contacts = everywhere.take(owner[everywhere.a] == owner[everywhere.b])
    cuts = _cut_all(units, contacts, owner, ids, ranges, params, wishes, proposed, progress)
    cuts = add_mergers(cuts, ranges, units.frame["households"].to_numpy(), everywhere)
    frame, row = draw_grids([g for cut in cuts.values() for g in cut.grids],
                            [name for name, cut in cuts.items() for _ in cut.grids], units, study,
                            lang, locked)
    basic = (frame["kind"] == "basic").to_numpy(dtype=bool)
    group = (cut_groups(units, contacts, row, basic, homes, params) if params.partition.groups
             else row)
    grid_of_group = row[np.unique(group, return_index=True)[1]]
    units, group = join_estate_units(units, number_by_block(units.frame), group,
                                     contacts.take(contacts.open), ranges,
                                     frame["community_id"].to_numpy(dtype=object)[row])
    row = grid_of_group[group]
    found = describe_partition(study, units, buildings, frame, row, ranges, kinds,
                      {name: cut.certificate() for name, cut in cuts.items()},
                      params.partition.border_factors, passages, lang)
    if len(study.roads) and not classes_known(study.roads["road_class"]):
        findings.add("partition.straddling_unmeasured", "warning", layer="roads",
                     field="road_class", count=len(study.roads))
    found = _add_groups(found, study, units, buildings, frame, row, group, ranges, params,
                        findings, lang)
    found = _add_passability(found, units, row, params.partition.border_factors, passages)
    at = units.frame.index.get_indexer(units.unit_of.loc[buildings.index].to_numpy())
    estate = read_homes(units, buildings, study.layer("estates")).estate
    found = _add_bounds(found, units, row, hold_whole(row, [
        *list_estates(estate, units.frame["block_id"].to_numpy(dtype=object)),
        *(np.unique(at[houses]) for houses in touched if len(houses))]), ranges, params)
    if study.must_links is None:
        return found
    judged = judge_links(study.must_links, touched, row[at], wishes, findings, lang)
    return replace(found, must_links=conform("must_links", judged))


def _touch(units: Units, homes: Homes, params: Params, passages: Passages) -> Contacts:
    """Return the contacts of all units, estates and passability taken into account."""
    nowhere = np.zeros(len(units.frame), dtype=np.int64)
    plain: Contacts = touch_units(units, params.partition.border_factors, nowhere,
                                  passable_metres(units, passages))
    return weigh_inner(plain, homes, params.partition.inner)


def _usable_locks(study: Study, locked: gpd.GeoDataFrame | None,
                  findings: Findings) -> gpd.GeoDataFrame | None:
    """Return locked grids; none where communities are to be proposed, whose codes are new."""
    if locked is None or locked.empty:
        return None
    if study.communities is None:
        findings.add("partition.locked_unused", "warning", layer="grids", field="locked",
                     row=first_ids(locked["grid_id"]), count=len(locked))
        return None
    return locked


def _note_strangers(wishes: Wishes, units: Units, owner: Ints, limits: list[Range]) -> None:
    if not wishes.links:
        return
    over = np.zeros(len(owner), dtype=bool)
    for k, held in enumerate(limits):
        over |= stands_alone(units.frame, held) & (owner == k)
    special = units.frame["special_id"].notna().to_numpy(dtype=bool)
    note_strangers(wishes, owner, special, over)


def _cut_all(units: Units, contacts: Contacts, owner: Ints, ids: pd.Index,
             ranges: dict[str, Range], params: Params, wishes: Wishes,
             proposed: list[Grid] | None,
             progress: Callable[[float], None] | None) -> dict[str, CutCommunity]:
    """Cut every community, or settle the grids that proposed ones are made of."""
    piece = components(len(owner), contacts.a, contacts.b)
    load = units.frame["households"].to_numpy()
    cuts: dict[str, CutCommunity] = {}
    done = 0
    for number, name in enumerate(map(str, ids)):
        members = np.flatnonzero(owner == number)
        if proposed is None:
            cut = cut_community(units, contacts, members, ranges[name], params, piece, wishes)
            cut = open_rings(cut, units, contacts, ranges[name], wishes)
            cut = carve_empty(cut, units, contacts, params.blocks.empty_ha * 1e4)
            cuts[name] = number_parts(join_empty(cut, contacts, len(owner)), contacts, len(owner))
        else:
            held = [g for g in proposed if owner[g.members[0]] == number]
            cut = settle_grids(held, units, contacts, params, wishes)
            cuts[name] = open_rings(cut, units, contacts, ranges[name], wishes)
        done += int(load[members].sum())
        if progress is not None:
            progress(done / max(1, int(load.sum())))
    return cuts


def _add_passability(found: Partition, units: Units, row: Ints, factors: tuple[float, ...],
                     passages: Passages) -> Partition:
    """Add the figure of the grids that one cannot walk through without leaving them."""
    contacts = touch_units(units, factors, row, passable_metres(units, passages))
    closed = count_closed(row, contacts, units.frame["households"].to_numpy())
    told = pd.DataFrame([{"name": "grids_with_closed_crossing", "scope": "city",
                          "scope_id": "all", "value": float(closed), "unit": "grids"}])
    return replace(found, figures=pd.concat([found.figures, conform("figures", told)],
                                            ignore_index=True))


def _add_bounds(found: Partition, units: Units, row: Ints, whole: Ints, ranges: dict[str, Range],
                params: Params) -> Partition:
    """Add what the weighted border of each community cannot fall below; ``whole`` is kept so."""
    factors = params.partition.border_factors
    town = pd.factorize(found.grids["community_id"])[0][row]
    division = Division(row, units.frame["households"].to_numpy(dtype=np.int64),
                        touch_units(units, factors, town), whole)
    told = bound_communities(division, found.grids, found.borders, units, ranges, factors,
                             params.partition.effort)
    ids = found.communities["community_id"].to_numpy(dtype=object)
    towns = found.communities.assign(**{c: told[c].reindex(ids).array for c in ("bound", "gap")})
    return replace(found, communities=towns, figures=pd.concat(
        [found.figures, conform("figures", gap_figures(told))], ignore_index=True))


def _add_groups(found: Partition, study: Study, units: Units, buildings: gpd.GeoDataFrame,
                grids: gpd.GeoDataFrame, row: Ints, group: Ints, ranges: dict[str, Range],
                params: Params, findings: Findings, lang: str) -> Partition:
    """Add groups, and the figures of groups and of what lies inside estates."""
    estates = study.layer("estates")
    homes = read_homes(units, buildings, estates)
    note_cut_estates(units, homes, grids, row, ranges, findings)
    told = [found.figures, inner_figures(units, homes, grids, row, lines_at_grade(study), ranges)]
    if not params.partition.groups:
        return replace(found, figures=pd.concat(told, ignore_index=True))
    groups, ids = draw_groups(units, group, row, grids, buildings, homes, estates,
                              study.layer("specials")["kind"], lang)
    told.append(group_figures(groups, params.partition.group))
    at = units.frame.index.get_indexer(units.unit_of.loc[buildings.index].to_numpy())
    return replace(
        found, groups=conform("groups", groups), figures=pd.concat(told, ignore_index=True),
        units=found.units.assign(group_id=pd.array(ids, dtype="string")),
        buildings=found.buildings.assign(group_id=pd.array(ids[at], dtype="string")))


def _communities(study: Study, units: Units, params: Params, contacts: Contacts,
                 wishes: Wishes) -> tuple[NDArray[np.object_], list[Grid] | None]:
    """Return the community id of every unit; where none are drawn, propose them and their grids."""
    if study.communities is not None:
        return units.frame["community_id"].to_numpy(dtype=object), None
    label, grids = delineate_communities(units, contacts, params, wishes)
    shape = units.frame.geometry.to_numpy()
    drawn = np.array([shapely.coverage_union_all(shape[label == k])
                      for k in range(label.max() + 1)], dtype=object)
    place = number_rows(drawn) + 1
    digits = max(3, len(str(len(drawn))))
    names = np.array([f"C{place[k]:0{digits}d}" for k in label], dtype=object)
    return names, grids


def _kinds(study: Study, ids: pd.Index) -> dict[str, str]:
    if study.communities is None:
        return dict.fromkeys(map(str, ids), "urban")
    return {str(c): str(k) for c, k in study.communities["kind"].fillna("urban").items()}
