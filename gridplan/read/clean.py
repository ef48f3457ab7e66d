"""Raw layers → a Study: one metric CRS, valid geometry, an owner for every building."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from gridplan.datum import DATUMS, refuse_unknown, to_wgs84
from gridplan.errors import Findings, first_ids
from gridplan.layers import INPUTS, Source, Study, conform_input
from gridplan.params import Params
from gridplan.read import crs as crs_rules
from gridplan.read import names
from gridplan.read.coverage import fill_holes, fit_communities
from gridplan.read.guess import guess_shift
from gridplan.read.held import OUTSIDE, REJECTED, Held
from gridplan.read.owners import assign_owners
from gridplan.read.shapes import drop_missing, explode_lines, repair_shapes

_PREFIX = {"buildings": "b", "roads": "r", "barriers": "x", "estates": "e", "gates": "g",
           "entrances": "n", "specials": "s", "must_links": "m", "facilities": "f",
           "demand": "q"}
# Layers whose ids are only ours: a repeated one (segments of one street) is renamed, not refused.
_RENAMED = frozenset(("roads", "barriers"))
_CLIPPED = ("roads", "barriers", "estates", "gates", "entrances", "specials", "must_links",
            "facilities")
_NEEDED = ("communities", "outline", "buildings", "roads")
_REACH_M = 250.0
_RIVER_M = 5.0
_ELSEWHERE_M = 10_000.0  # a wrong zone or swapped axes put a layer farther off than this


def clean_study(raw: Mapping[str, gpd.GeoDataFrame], sources: Sequence[Source], params: Params,
                findings: Findings, *, totals: pd.Series | None = None, delineate: bool = False,
                datum: Mapping[str, str] | str | None = None, drop_null: bool = False) -> Study:
    """Check and repair raw layers, and bring them into one metric CRS.

    Parameters
    ----------
    raw
        Layer → frame with columns of ``INPUTS`` in any CRS, as :func:`read_layers` returns
        them; ``outline`` may bound the study area.
    sources
        The files they came from; their names stand in messages.
    params
        ``params.read`` says what is mended and how far.
    findings
        Receives faults, repairs, warnings and one tally row per layer.
    totals
        Households by community_id or by name; without it, those that the communities bring.
    delineate
        True where communities are to be proposed: then the study area is the outline, or
        250 m around the residential buildings, holes filled.
    datum
        ``gcj02`` or ``bd09`` where coordinates are shifted so, for all layers or per layer;
        without it, what :func:`read_layers` noted.
    drop_null
        Take rows without geometry out with a warning, instead of stopping.

    Returns
    -------
    Study
        In the CRS all layers share if that is metric, else CGCS2000 3° (China) or UTM.

    Raises
    ------
    UsageError
        ``datum`` is a word that names none.
    InputError
        With every fault found.
    """
    refuse_unknown(datum)
    held = _hold(raw, sources, findings, delineate)
    findings.stop_on_faults()
    _free_of_datum(held, raw, datum, findings)
    for role, layer in held.items():
        drop_missing(layer, drop_null or bool(raw[role].attrs.get("drop_null")))
        if layer.frame.empty and role in _NEEDED:
            findings.add("read.empty_layer", file=layer.file, layer=role)
    _reject_unfit(held)
    crs = _bring_together(held, findings)
    # No stop yet: what is wrong with the shapes and ids of any layer is told in the same go.
    for layer in held.values():
        repair_shapes(layer)
    _name_rows(held)
    findings.stop_on_faults()
    outline = _study_area(held, params, delineate)
    findings.stop_on_faults()
    guess_shift(held, crs, findings)
    _own_buildings(held, params, delineate, outline)
    for role in _CLIPPED:
        if role in held:
            _clip(held[role], outline, params.read.margin_m)
    _check_left(held, findings)
    findings.tally.extend(layer.tally() for layer in held.values())
    frames = {r: conform_input(r, _finished(r, layer)) for r, layer in held.items()
              if r != "outline"}
    needed = _totals(frames.get("communities"), totals, findings)
    findings.stop_on_faults()
    return Study(outline=outline, totals=needed, sources=tuple(sources),
                 facts={"crs": crs_rules.label(crs)}, **frames)


def _hold(raw: Mapping[str, gpd.GeoDataFrame], sources: Sequence[Source], findings: Findings,
          delineate: bool) -> dict[str, Held]:
    """Take the layers of a run in hand; tell which are missing, empty or without a CRS."""
    wanted = ["outline" if delineate else "communities", "buildings", "roads"]
    for role in wanted:
        if role != "outline" and role not in raw:
            findings.add("read.no_layer", layer=role)
    files: dict[str, list[str]] = {}
    for source in sources:
        role = names.base_of(source.layer)
        files.setdefault(role, []).append(source.name)
    held = {}
    for role in ("outline", *INPUTS):
        if role not in raw or role == "demand" or (role == "communities" and delineate):
            continue
        if role == "outline" and not delineate:
            findings.add("read.outline_unused", "warning", layer=role)
            continue
        file = ", ".join(dict.fromkeys(files.get(role, ())))
        frame = raw[role]
        if frame.crs is None:
            findings.add("read.no_crs", file=file, layer=role)
        elif frame.empty and role in wanted:
            findings.add("read.empty_layer", file=file, layer=role)
        elif not frame.empty:
            held[role] = Held(role, frame, file, findings)
    return held


def _free_of_datum(held: dict[str, Held], raw: Mapping[str, gpd.GeoDataFrame],
                   datum: Mapping[str, str] | str | None, findings: Findings) -> None:
    for role, layer in held.items():
        said = datum.get(role) if isinstance(datum, Mapping) else datum
        said = said or raw[role].attrs.get("datum") or "wgs84"
        if said not in DATUMS:
            findings.add("read.bad_datum", file=layer.file, layer=role, datum=said)
        elif said != "wgs84":
            layer.frame = to_wgs84(layer.frame, said)
            findings.add("read.datum", "repaired", file=layer.file, layer=role, datum=said,
                         count=len(layer.frame))


def _reject_unfit(held: dict[str, Held]) -> None:
    """Take out roads that are none yet, and barriers one can pass."""
    if "roads" in held:
        roads = held["roads"]
        if "road_class" in roads.frame:
            none = roads.frame["road_class"].isin(names.NOT_ROADS).to_numpy(dtype=bool)
            roads.tell("read.not_a_road", "warning", none)
            roads.drop(none, REJECTED)
    if "barriers" in held:
        _reject_passable(held["barriers"])


def _reject_passable(barriers: Held) -> None:
    frame = barriers.frame
    kind = frame["kind"] if "kind" in frame else pd.Series(pd.NA, frame.index, dtype="string")
    passable = kind.isin(names.NOT_BARRIERS)
    if "structure" in frame:
        passable |= (frame["structure"] == "tunnel").fillna(False)
    if "width_m" in frame:
        passable |= ((frame["width_m"] < _RIVER_M) & (kind == "river")).fillna(False)
    unknown = (~kind.isin(("rail", "river", "water", "wall")) & ~passable).to_numpy(dtype=bool)
    barriers.tell("read.barrier_kind", "error", unknown,
                  words=first_ids(dict.fromkeys(kind[unknown].fillna("–"))))
    passable_now = passable.to_numpy(dtype=bool)
    barriers.tell("read.no_barrier", "warning", passable_now)
    barriers.drop(passable_now | unknown, REJECTED)


def _bring_together(held: dict[str, Held], findings: Findings,
                    first: str = "") -> pyproj.CRS:
    """Reproject all layers into the one metric CRS of the run; tell which lie elsewhere."""
    area = next((held[r] for r in (first, *_NEEDED)
                 if r in held and not held[r].frame.empty), None)
    if area is None:  # nothing lies anywhere: no CRS can be settled
        findings.stop_on_faults()
        raise AssertionError("an empty layer is a fault")
    crs = crs_rules.choose_crs({r: layer.frame for r, layer in held.items()}, area.frame)
    moved: dict[tuple[str, str], list[Held]] = {}
    for layer in held.values():
        if layer.frame.crs == crs:
            continue
        before = crs_rules.label(layer.frame.crs)
        layer.frame = layer.frame.to_crs(crs)
        xy, row = shapely.get_coordinates(layer.shapes, return_index=True)
        lost = np.zeros(len(layer.frame), dtype=bool)
        lost[row[~np.isfinite(xy).all(axis=1)]] = True
        layer.tell("read.out_of_area", "error", lost, crs=before)
        layer.drop(lost, REJECTED)
        moved.setdefault((layer.file, before), []).append(layer)
    for (file, before), layers in moved.items():
        findings.add("read.reprojected", "repaired", file=file,
                     layer=", ".join(layer.role for layer in layers),
                     count=sum(len(layer.frame) for layer in layers), before=before,
                     after=crs_rules.label(crs))
    _tell_disjoint(held, area, crs, findings)
    return crs


def _tell_disjoint(held: dict[str, Held], area: Held, crs: pyproj.CRS,
                   findings: Findings) -> None:
    """Tell of layers that lie far away from the others, and whether swapped axes explain it."""
    if area.frame.empty:
        return
    here = shapely.box(*crs_rules.bounds_of(area.shapes)).buffer(1.0)
    for role, layer in held.items():
        if layer is area or layer.frame.empty:
            continue
        there = shapely.box(*crs_rules.bounds_of(layer.shapes))
        if there.distance(here) < _ELSEWHERE_M:
            continue
        lonlat = shapely.transform(there, lambda xy: crs_rules.to_lonlat(crs, xy))
        turned = shapely.transform(
            lonlat, lambda xy: crs_rules.to_lonlat(crs, xy[:, ::-1], back=True))
        swapped = bool(np.isfinite(turned.bounds).all()) and here.intersects(turned)
        findings.add("read.swapped" if swapped else "read.disjoint", file=layer.file, layer=role,
                     other=area.role, distance=f"{there.distance(here) / 1000:,.0f}",
                     extent=", ".join(f"{v:.6g}" for v in lonlat.bounds))


def _name_rows(held: dict[str, Held]) -> None:
    """Give rows without an id one by file order; refuse an id that comes twice."""
    for role, layer in held.items():
        if role == "outline":
            continue
        key = INPUTS[role].key
        frame = layer.frame
        ids = frame[key].astype("string") if key in frame else pd.Series(
            pd.NA, frame.index, dtype="string")
        made = pd.Series([f"C{n:03d}" if role == "communities" else f"{_PREFIX[role]}{n:06d}"
                          for n in frame.index + 1], frame.index, dtype="string")
        twice = (ids.duplicated(keep=False) & ids.notna()).to_numpy(dtype=bool)
        if twice.any() and role in _RENAMED:
            layer.tell("read.ids_renamed", "warning", twice, field=key)  # by _clip
        elif twice.any():
            layer.tell("read.duplicate_ids", "error", twice, field=key,
                       ids=first_ids(dict.fromkeys(ids[twice])))
        taken = made.isin(ids[ids.notna()])  # by an id that a row was given
        while taken.any():
            made = made.mask(taken, made + "x")
            taken = made.isin(ids[ids.notna()])
        if role == "communities" and ids.isna().any():
            layer.tell("read.ids_made", "warning", ids.isna().to_numpy(dtype=bool), field=key)
        layer.frame = frame.assign(**{key: ids.fillna(made).astype(object)})


def _numbered(ids: pd.Series) -> pd.Series:
    """Append -2, -3 … to the second, third … row of the same id."""
    turn = pd.Series(ids.to_numpy()).groupby(ids.to_numpy(), dropna=False).cumcount().to_numpy()
    tail = np.where(turn > 0, np.char.add("-", (turn + 1).astype(str)), "")
    return ids + pd.Series(tail, ids.index, dtype="string")


def _study_area(held: dict[str, Held], params: Params, delineate: bool) -> shapely.Geometry:
    """Return what bounds the run: the communities, the outline, or reach of the dwellings."""
    if not delineate:
        fit_communities(held["communities"], params.read.snap_m)
        shapes = held["communities"].shapes
        return shapely.union_all(shapes)
    if "outline" in held:
        return shapely.union_all(held["outline"].shapes)
    buildings = held["buildings"]
    homes = buildings.shapes[_are_homes(buildings.frame, params)]
    if len(homes) == 0:
        buildings.tell("read.no_homes", "error", np.ones(len(buildings.frame), dtype=bool))
        return shapely.Polygon()
    return fill_holes(shapely.union_all(shapely.buffer(homes, _REACH_M, quad_segs=4)))


def _are_homes(frame: gpd.GeoDataFrame, params: Params) -> np.ndarray:
    """Return which buildings people live in: by count, else by use."""
    lived = np.zeros(len(frame), dtype=bool)
    for column in ("households", "population", "living_m2"):
        if column in frame:
            lived |= (frame[column] > 0).fillna(False).to_numpy(dtype=bool)
    use = frame["use"].fillna("") if "use" in frame else pd.Series("", frame.index)
    share = use.map(dict(params.households.residential_share)).fillna(0.0)
    return lived | (share.to_numpy(dtype=float) > 0)


def _own_buildings(held: dict[str, Held], params: Params, delineate: bool,
                   outline: shapely.Geometry) -> None:
    buildings = held["buildings"]
    if delineate:
        assign_owners(buildings, np.array([outline]), np.array([""]), params.read, named=False)
        owner = np.full(len(buildings.frame), None, dtype=object)
    else:
        communities = held["communities"]
        owner = assign_owners(buildings, communities.shapes,
                              communities.frame["community_id"].to_numpy(), params.read)
    buildings.frame = buildings.frame.assign(
        community_id=pd.array(owner, dtype="string"))


def _clip(layer: Held, outline: shapely.Geometry, margin_m: float) -> None:
    """Cut a layer at the outline and its margin; what lies beyond is outside."""
    area = shapely.buffer(outline, margin_m, quad_segs=4)
    shapely.prepare(area)
    shapes = layer.shapes
    near = shapely.intersects(area, shapes)
    if layer.role == "must_links":
        layer.tell("read.link_outside", "warning", ~near)
    layer.drop(~near, OUTSIDE)
    shapes = layer.shapes
    across = ~shapely.covers(area, shapes)
    if across.any():
        shapes = shapes.copy()
        dimension = shapely.get_dimensions(shapes)
        cut = shapely.intersection(shapes[across], area)
        mixed = shapely.get_type_id(cut) == 7
        for i in np.flatnonzero(mixed):
            parts = shapely.get_parts(cut[i])
            cut[i] = shapely.union_all(
                parts[shapely.get_dimensions(parts) == dimension[across][i]])
        shapes[across] = cut
        layer.shapes = shapes
        layer.drop(shapely.get_dimensions(shapes) < dimension, OUTSIDE)  # it only touched
    if layer.role in ("roads", "barriers"):
        explode_lines(layer)
        key = INPUTS[layer.role].key
        ids = layer.frame[key].astype("string")
        layer.frame = layer.frame.assign(**{key: _numbered(ids).astype(object)})


def _check_left(held: dict[str, Held], findings: Findings) -> None:
    """Refuse a run in which no building or no road lies inside the study area."""
    for role in ("buildings", "roads"):
        if held[role].frame.empty:
            findings.add("read.nothing_inside", file=held[role].file, layer=role)


def _finished(role: str, layer: Held) -> gpd.GeoDataFrame:
    frame = layer.frame
    if role == "roads":
        frame = frame.assign(length_m=shapely.length(layer.shapes))
    if role == "communities":
        kind = frame["kind"] if "kind" in frame else pd.Series(pd.NA, frame.index, dtype="string")
        frame = frame.assign(kind=kind.fillna("urban"))
    return frame


def _totals(communities: gpd.GeoDataFrame | None, totals: pd.Series | None,
            findings: Findings) -> pd.Series | None:
    """Return households by community_id: the totals given, else what the communities bring."""
    if communities is None:
        if totals is not None:
            findings.add("read.totals_unused", "warning", layer="totals", count=len(totals))
        return None
    own = communities["households"].dropna()
    if totals is None:
        return own if len(own) else None
    given = pd.Series(totals.array, index=totals.index.astype(str), name="households")
    if totals.index.name == "name":
        given = _by_id(given, communities, findings)
    strange = [i for i in given.index if i not in communities.index]
    if strange:
        findings.add("read.total_unknown", layer="totals", row=first_ids(strange),
                     count=len(strange))
    lacking = [i for i in communities.index if i not in given.index]
    if lacking:
        findings.add("read.total_missing", "warning", layer="totals", row=first_ids(lacking),
                     count=len(lacking))
    both = own.index.intersection(given.index)
    differs = both[(own[both] != given[both]).to_numpy(dtype=bool)]
    if len(differs):
        table = [f"{i}: {own[i]} ≠ {given[i]}" for i in differs]
        findings.add("read.totals_differ", "warning", layer="communities", count=len(differs),
                     table=first_ids(table, 20))
    out = given[[i for i in communities.index if i in given.index]]
    out.index.name = "community_id"
    return out


def _by_id(totals: pd.Series, communities: gpd.GeoDataFrame, findings: Findings) -> pd.Series:
    """Re-index totals by name to community ids; a name that two communities bear is a fault."""
    name = communities["name"]
    shared = name[name.duplicated(keep=False) & name.isin(totals.index)]
    if len(shared):
        findings.add("read.name_shared", layer="totals", row=first_ids(dict.fromkeys(shared)),
                     count=len(shared))
    ids = {n: i for i, n in name.items() if n is not pd.NA}
    return totals.set_axis([ids.get(n, n) for n in totals.index])
