"""The story of a study becoming units, step by step; see :func:`build_units`."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.blocks.cells import Houses, cut_face
from gridplan.blocks.lines import clip_lines, cut_out, cutting_lines, inner_lines
from gridplan.blocks.merging import Atoms, join_atoms
from gridplan.blocks.noding import (
    Geometries,
    Segments,
    build_faces,
    extend_dead_ends,
    line_parts,
    match_segments,
    node_lines,
)
from gridplan.errors import Findings
from gridplan.layers import Lines, Study, UnitBorders, Units
from gridplan.params import BlockParams

Ints = NDArray[np.int64]

# A border runs along a line when its pieces lie this near to it: the line
# itself was noded, so anything more than rounding would be another line.
_ON_LINE_M = 0.3
# A building counts as cut when more than this share of it lies elsewhere.
_CUT_SHARE = 0.02


def build_units(study: Study, households: pd.Series, params: BlockParams, findings: Findings,
                high: int = 500) -> Units:
    """Cut the study area into units.

    Parameters
    ----------
    study
        Checked inputs in a projected metric CRS.
    households
        Households of every building of ``study.buildings`` (its index).
    high
        The largest number of households of a grid: an estate up to it is one
        unit, a building above it a unit of its own.

    Returns
    -------
    Units
        Units tile every community (or the outline) exactly; every building
        belongs to one unit.
    """
    buildings = study.buildings
    count = households.loc[buildings.index].to_numpy(dtype=np.int64)
    outline = shapely.make_valid(buildings.geometry.to_numpy())
    hosts = find_hosts(outline)
    areas = _areas(study)
    fixed = _border_lines(areas)

    outer = clip_lines(cutting_lines(study), shapely.buffer(study.outline, 50.0))
    noded = node_lines(fixed, outer.geometry, _special_outlines(study))
    blocks = build_faces(noded, study.outline)
    block_of = _locate(outline, blocks, hosts)
    inner = inner_lines(study)
    crowded = _sums(block_of, count, len(blocks)) > params.cut_households
    paths = cut_out(inner, blocks[crowded], outline)
    noded = node_lines(noded, paths)
    tree = shapely.STRtree(shapely.buffer(outline, -0.3))
    noded = node_lines(noded, extend_dead_ends(noded, params.extend_m, tree, fixed))
    land = build_faces(noded, study.outline)

    cuts, unit_hint = _cut_crowded(land, outline, hosts, count, buildings, study, params, high)
    rims = _cut_buildings(land, outline, hosts, buildings, areas)
    faces = build_faces(node_lines(noded, cuts, rims), study.outline)
    return _assemble(faces, blocks, land, unit_hint, outline, hosts, count, study, areas,
                     outer + inner, params, high)


def find_hosts(outline: Geometries) -> Ints:
    """Return for each building the row of the building it stands in (itself when in none).

    A building that shares more than half of its area with a larger one follows it.
    """
    host = np.arange(len(outline))
    area = shapely.area(outline)
    small, large = shapely.STRtree(outline).query(outline, predicate="intersects")
    ordered = (area[small] < area[large]) | ((area[small] == area[large]) & (small > large))
    small, large = small[ordered], large[ordered]
    shared = shapely.area(shapely.intersection(outline[small], outline[large]))
    point = area[small] <= 0
    inside = np.where(point, True, shared > 0.5 * area[small])
    small, large, shared = small[inside], large[inside], shared[inside]
    best = np.lexsort((large, -area[large], small))
    first = best[np.unique(small[best], return_index=True)[1]]
    host[small[first]] = large[first]
    for _ in range(64):
        upper = host[host]
        if (upper == host).all():
            break
        host = upper
    return host


def _areas(study: Study) -> Geometries:
    if study.communities is None:
        return np.array([study.outline], dtype=object)
    return study.communities.geometry.to_numpy()


def _border_lines(areas: Geometries) -> Geometries:
    return line_parts(shapely.boundary(areas))


def _special_outlines(study: Study) -> Geometries:
    specials = study.layer("specials").geometry.to_numpy()
    inside = shapely.intersection(specials, study.outline)
    parts = shapely.get_parts(inside)
    return line_parts(shapely.boundary(parts[shapely.get_type_id(parts) == 3]))


def _sums(group: Ints, values: Ints, groups: int) -> Ints:
    held = group >= 0
    return np.bincount(group[held], values[held], minlength=groups).astype(np.int64)


def _locate(outline: Geometries, faces: Geometries, hosts: Ints) -> Ints:
    """Return the face that holds most of each building (ties: the first); guests follow hosts."""
    house, face = shapely.STRtree(faces).query(outline, predicate="intersects")
    order = np.lexsort((face, house))
    house, face = house[order], face[order]
    alone = np.bincount(house, minlength=len(outline))[house] == 1
    shared = np.ones(len(house))
    many = ~alone
    shared[many] = shapely.area(shapely.intersection(outline[house[many]], faces[face[many]]))
    best = np.lexsort((face, -shared, house))
    first = best[np.unique(house[best], return_index=True)[1]]
    found = np.full(len(outline), -1, dtype=np.int64)
    found[house[first]] = face[first]
    lost = np.flatnonzero(found < 0)
    if len(lost) and len(faces):
        near = shapely.STRtree(faces).query_nearest(outline[lost], all_matches=False)
        found[lost[near[0]]] = near[1]
    return found[hosts]


def _cut_crowded(land: Geometries, outline: Geometries, hosts: Ints, count: Ints,
                 buildings: gpd.GeoDataFrame, study: Study, params: BlockParams, high: int
                 ) -> tuple[Geometries, Ints]:
    """Cut every face that holds too much; return the new lines and each building's piece.

    The piece is a number that is only compared for equality (-1 where the face stays whole).
    """
    face_of = _locate(outline, land, hosts)
    load = _sums(face_of, count, len(land))
    own = hosts == np.arange(len(hosts))
    estate = estate_numbers(buildings, study)
    order = np.argsort(face_of, kind="stable")
    order = order[own[order] & (shapely.area(outline[order]) > 0)]
    starts = np.searchsorted(face_of[order], np.arange(len(land) + 1))
    lines: list[Geometries] = []
    piece = np.full(len(outline), -1, dtype=np.int64)
    total = np.bincount(hosts, count, minlength=len(hosts)).astype(np.int64)
    used = 0
    for f in np.flatnonzero((load > params.cut_households) & (np.diff(starts) > 1)):
        rows = order[starts[f]:starts[f + 1]]
        pieces, home = cut_face(land[f], Houses(outline[rows], total[rows], estate[rows]),
                                params.unit_households, high, params.straighten_m)
        piece[rows] = home + used
        used += len(pieces)
        lines.append(line_parts(shapely.boundary(pieces)))
    return (np.concatenate(lines) if lines else np.empty(0, dtype=object)), piece[hosts]


def estate_numbers(buildings: gpd.GeoDataFrame, study: Study) -> Ints:
    """Return the number of each building's estate (-1 for none), by its id or its place."""
    estates = study.layer("estates")
    ids = pd.Index(estates.index)
    given = buildings["estate_id"].fillna("").to_numpy(dtype=object)
    number = ids.get_indexer(given).astype(np.int64)
    open_ = np.flatnonzero((number < 0) & (given == ""))
    if len(estates) and len(open_):
        points = shapely.point_on_surface(buildings.geometry.to_numpy()[open_])
        row, inside = shapely.STRtree(estates.geometry.to_numpy()).query(points,
                                                                         predicate="within")
        number[open_[row[::-1]]] = inside[::-1]
    extra = (number < 0) & (given != "")
    if extra.any():
        number[extra] = len(ids) + np.unique(given[extra], return_inverse=True)[1]
    return number


def _cut_buildings(land: Geometries, outline: Geometries, hosts: Ints,
                   buildings: gpd.GeoDataFrame, areas: Geometries) -> Geometries:
    """Return the outlines of buildings that a line cuts, so that the border can go round them."""
    own = np.flatnonzero((hosts == np.arange(len(hosts))) & (shapely.area(outline) > 0))
    house, _ = shapely.STRtree(land).query(outline[own], predicate="intersects")
    several = own[np.flatnonzero(np.bincount(house, minlength=len(own)) > 1)]
    home = _locate(outline[several], land, np.arange(len(several)))
    inside = shapely.area(shapely.intersection(outline[several], land[home]))
    cut = several[inside < (1 - _CUT_SHARE) * shapely.area(outline[several])]
    return line_parts(shapely.intersection(shapely.boundary(outline[cut]),
                                           shapely.union_all(areas) if len(areas) > 1
                                           else areas[0]))


def _assemble(faces: Geometries, blocks: Geometries, land: Geometries, hint: Ints,
              outline: Geometries, hosts: Ints, count: Ints, study: Study, areas: Geometries,
              lines: Lines, params: BlockParams, high: int) -> Units:
    point = shapely.point_on_surface(faces)
    community = _within(point, areas)
    block = _within(point, blocks)
    special = _within(point, study.layer("specials").geometry.to_numpy())
    barriers = study.layer("barriers")
    wet = barriers[barriers["kind"].isin(("river", "water"))].geometry.to_numpy()
    wet = wet[shapely.get_dimensions(wet) == 2] if len(wet) else wet
    water = _within(point, wet) >= 0
    home = _home_faces(faces, outline, hosts, community, study)

    touch = match_segments(faces)
    line, rank = _follow_lines(touch, lines)
    estate_of = estate_numbers(study.buildings, study)
    start = _glue(faces, touch, outline, hosts, home, hint, community)
    atoms, member = _make_atoms(faces, start, home, hosts, count, estate_of, community, special,
                                water, block, point, study)
    a, b = member[touch.left], member[touch.right]
    apart = a != b
    factor = np.array([10.0, 3.0, 2.0, 1.0, 0.5])[rank[apart]]
    length = touch.length_m[apart]
    unit = join_atoms(atoms, a[apart], b[apart], length, length * factor,
                      unit_households=params.unit_households, high=high,
                      sliver_m2=params.sliver_m2, thin=params.thin,
                      keep_empty_m2=params.empty_ha * 2500.0,
                      fences_of_slivers=atoms.fence // 1_000_000)
    unit = unit[member]
    return _describe(faces, unit, home, hosts, count, study, areas, community, block, special,
                     water, touch, line, rank, lines, estate_of)


def _within(points: Geometries, areas: Geometries) -> Ints:
    """Return the first area each point lies in, or -1."""
    found = np.full(len(points), -1, dtype=np.int64)
    if len(areas):
        row, area = shapely.STRtree(areas).query(points, predicate="within")
        order = np.lexsort((-area, row))
        found[row[order]] = area[order]
    return found


def _home_faces(faces: Geometries, outline: Geometries, hosts: Ints, community: Ints,
                study: Study) -> Ints:
    """Return the face each building belongs to; it lies in the building's own community."""
    home = _locate(outline, faces, hosts)
    if study.communities is None:
        return home
    owner = study.communities.index.get_indexer(study.buildings["community_id"].to_numpy())
    wrong = np.flatnonzero((community[home] != owner) & (owner >= 0))
    for k in wrong:
        own = np.flatnonzero(community == owner[k])
        if len(own):
            home[k] = own[int(np.argmin(shapely.distance(faces[own], outline[k])))]
    return home[hosts] if not len(wrong) else home


def _glue(faces: Geometries, touch: Segments, outline: Geometries, hosts: Ints, home: Ints,
          hint: Ints, community: Ints) -> Ints:
    """Return a group for each face: the pieces of one building, and the cells of one piece."""
    parent = np.arange(len(faces))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = int(parent[k])
        return k

    held = np.flatnonzero(hint >= 0)
    order = held[np.argsort(hint[held], kind="stable")]
    for one, two in pairwise(order):
        if hint[one] == hint[two] and community[home[one]] == community[home[two]]:
            parent[root(int(home[two]))] = root(int(home[one]))
    own = np.flatnonzero((hosts == np.arange(len(hosts))) & (shapely.area(outline) > 0))
    piece, house = shapely.STRtree(shapely.buffer(outline[own], 0.01)).query(
        faces, predicate="within")
    near: dict[int, set[int]] = {}
    for a, b in zip(touch.left.tolist(), touch.right.tolist(), strict=True):
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    for f, h in zip(piece.tolist(), own[house].tolist(), strict=True):
        target = int(home[h])
        if f != target and community[f] == community[target]:
            group = root(target)
            if any(root(o) == group for o in near.get(f, ())):
                parent[root(f)] = group
    return np.array([root(k) for k in range(len(faces))], dtype=np.int64)


def _make_atoms(faces: Geometries, start: Ints, home: Ints, hosts: Ints, count: Ints,
                estate_of: Ints, community: Ints, special: Ints, water: NDArray[np.bool_],
                block: Ints, point: Geometries, study: Study) -> tuple[Atoms, Ints]:
    member = np.unique(start, return_inverse=True)[1].ravel()
    n = int(member.max()) + 1
    at = member[home]
    load = np.bincount(hosts, count, minlength=len(hosts)).astype(np.int64)
    biggest = np.zeros(n, dtype=np.int64)
    np.maximum.at(biggest, at, load)
    first = np.unique(member, return_index=True)[1]
    estate = np.full(n, -1, dtype=np.int64)
    lived = np.lexsort((count, at))
    estate[at[lived]] = estate_of[lived]
    bare = np.flatnonzero(np.bincount(at, minlength=n) == 0)
    shapes = study.layer("estates").geometry.to_numpy()
    if len(bare) and len(shapes):
        estate[bare] = _within(point[first[bare]], shapes)
    fence = ((community + 1) * 1_000_000 + (special + 1) * 2 + water)[first]
    return Atoms(households=np.bincount(at, count, minlength=n).astype(np.int64), biggest=biggest,
                 area_m2=np.bincount(member, shapely.area(faces), minlength=n),
                 perimeter_m=np.bincount(member, shapely.length(faces), minlength=n),
                 buildings=np.bincount(at, minlength=n).astype(np.int64), estate=estate,
                 fence=fence, block=block[first]), member


def _follow_lines(touch: Segments, lines: Lines) -> tuple[Ints, Ints]:
    """Return for each piece of border the line it runs along (-1 none) and its class 0–4."""
    line = np.full(len(touch.left), -1, dtype=np.int64)
    rank = np.zeros(len(touch.left), dtype=np.int64)
    if not len(lines) or not len(line):
        return line, rank
    row, near = shapely.STRtree(lines.geometry).query(touch.middle, predicate="dwithin",
                                                      distance=_ON_LINE_M)
    known = lines.border_class[near] > 0
    row, near = row[known], near[known]
    order = np.lexsort((-near, lines.border_class[near], row))
    line[row[order]] = near[order]
    rank[row[order]] = lines.border_class[near[order]]
    return line, rank


def _describe(faces: Geometries, unit: Ints, home: Ints, hosts: Ints, count: Ints, study: Study,
              areas: Geometries, community: Ints, block: Ints, special: Ints,
              water: NDArray[np.bool_], touch: Segments, line: Ints, rank: Ints, lines: Lines,
              estate_of: Ints) -> Units:
    n = int(unit.max()) + 1
    order = np.argsort(unit, kind="stable")
    starts = np.searchsorted(unit[order], np.arange(n))
    shape = np.array([_one_polygon(shapely.coverage_union_all(faces[rows]))
                      for rows in np.split(order, starts[1:])], dtype=object)
    at = unit[home]
    load = np.bincount(hosts, count, minlength=len(hosts)).astype(np.int64)
    biggest = np.zeros(n, dtype=np.int64)
    np.maximum.at(biggest, at, load)
    area = shapely.area(faces)
    main = np.lexsort((-area, unit))
    main = main[np.unique(unit[main], return_index=True)[1]]
    names = _unit_ids(shape, at, study.buildings.index)
    community_ids = (np.array([pd.NA], dtype=object) if study.communities is None
                     else study.communities.index.to_numpy(dtype=object))
    special_ids = np.append(study.layer("specials").index.to_numpy(dtype=object), pd.NA)
    frame = gpd.GeoDataFrame({
        "block_id": pd.array([f"B{b:06d}" if b >= 0 else "B" for b in block[main]],
                             dtype="string"),
        "community_id": pd.array(community_ids[community[main]], dtype="string"),
        "households": np.bincount(at, count, minlength=n).astype(np.int64),
        "biggest": biggest,
        "buildings": np.bincount(at, minlength=n).astype(np.int64),
        "area_m2": np.bincount(unit, area, minlength=n),
        "water": np.bincount(unit, area * water, minlength=n) > 0.5 * np.bincount(
            unit, area, minlength=n),
        "special_id": pd.array(special_ids[special[main]], dtype="string"),
    }, geometry=shape, crs=study.crs, index=pd.Index(names, name="unit_id"))
    place = frame.index.argsort()
    rank_of = np.empty(n, dtype=np.int64)
    rank_of[place] = np.arange(n)
    left, right = rank_of[unit[touch.left]], rank_of[unit[touch.right]]
    apart = left != right
    borders = UnitBorders(left[apart], right[apart], touch.start[apart], touch.end[apart],
                      rank[apart], line[apart], lines)
    owner = pd.Series(names[at], index=study.buildings.index, name="unit_id", dtype="string")
    return Units(frame.iloc[place], owner, borders)


def _one_polygon(shape: shapely.Geometry) -> shapely.Geometry:
    parts = shapely.get_parts(shape)
    return parts[0] if len(parts) == 1 else shape


def _unit_ids(shape: Geometries, at: Ints, building_ids: pd.Index) -> NDArray[np.object_]:
    """Name units by what they hold; two empty ones of one place are told apart by a suffix."""
    held: list[list[str]] = [[] for _ in range(len(shape))]
    for k, name in zip(at.tolist(), building_ids.tolist(), strict=True):
        held[k].append(str(name))
    xy = shapely.get_coordinates(shapely.point_on_surface(shape))
    texts = ["\n".join(sorted(ids)) if ids else f"{x:.0f},{y:.0f}"
             for ids, (x, y) in zip(held, xy.tolist(), strict=True)]
    names = [hashlib.sha256(t.encode()).hexdigest()[:16] for t in texts]
    seen: dict[str, int] = {}
    for k, name in enumerate(names):
        again = seen[name] = seen.get(name, -1) + 1
        if again:
            names[k] = f"{name}-{again}"
    return np.array(names, dtype=object)
