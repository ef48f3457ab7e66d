"""Where the rows of a dispatcher's tables lie: drawn, at a facility or grid, along named roads."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from gridplan.datum import to_wgs84
from gridplan.errors import first_ids
from gridplan.layers import ROAD_CLASS
from gridplan.plan import Plan
from gridplan.read import intake, names, values
from gridplan.read.clean import _tell_disjoint
from gridplan.read.crs import label, settle_crs
from gridplan.read.held import REJECTED, Held
from gridplan.read.intake import Options
from gridplan.read.patrol_cells import Rows, split_list
from gridplan.read.shapes import drop_missing, explode_lines, repair_shapes
from gridplan.read.vector import RawTable
from gridplan.sheets import fold

_FAR_M = 5_000.0
_SAME_ZONE = 0.01  # of the smaller of two zones, up to which they may overlap
_BY_ID, _BY_NAME, _BY_CLASS = range(3)


def place_rows(rows: Rows, raw: RawTable, options: Options, plan: Plan, *,
               datum: str | None = None, drop_null: bool = False) -> bool:
    """Give rows the geometry that their file draws or their coordinates say, in the plan's CRS.

    Rows that tell a facility, a grid or a road instead may have none. Returns False where the
    file does not say in which CRS it is, which is told.
    """
    rows.shapes = np.full(len(rows.text), None, dtype=object)
    drawn = raw.geometry is not None
    part = _take_placed(rows, raw, options)
    if part is None or not len(part.rows):
        return True
    if not drawn:
        intake.place_rows(rows.role, part, options, rows.file, rows.findings)
    assert part.geometry is not None
    if part.crs is None and options.crs_of(rows.role) is None and not drawn and _fits(
            part.geometry, plan):
        part.crs = pyproj.CRS.from_user_input(plan.crs)
        rows.findings.add("read.patrol_plan_crs", "repaired", file=rows.file, layer=rows.role,
                          crs=label(plan.crs))
    crs = settle_crs(part, options.crs_of(rows.role), isinstance(options.crs, Mapping), rows.role,
                     rows.file, rows.findings)
    if crs is None:
        return False
    frame = gpd.GeoDataFrame(geometry=part.geometry, crs=crs, index=pd.Index(part.rows))
    held = _bring(Held(rows.role, frame, rows.file, rows.findings), plan, datum, drop_null)
    own = np.flatnonzero(np.isin(raw.rows, part.rows))
    rest = np.setdiff1d(np.arange(len(raw.rows)), own)
    at = np.concatenate([own[held.frame.index.to_numpy(dtype=int)], rest])
    shapes = np.concatenate([held.shapes, np.full(len(rest), None, dtype=object)])
    order = np.argsort(at, kind="stable")
    rows.text, rows.shapes = rows.text.iloc[at[order]], shapes[order]
    _tell_far(rows, plan)
    return True


def stand_at(rows: Rows, plan: Plan) -> None:
    """Put rows without geometry where their facility stands, or into the middle of their grid."""
    assert rows.shapes is not None
    for name, layer in (("facility_id", "facilities"), ("grid_id", "grids")):
        said = rows.column(name)
        open_ = shapely.is_missing(rows.shapes) & said.notna().to_numpy()
        if not open_.any():
            continue
        frame = plan.layer(layer)
        found = find_rows(frame, name, said[open_].tolist())
        lost = open_.copy()
        lost[open_] = found < 0
        rows.tell("read.patrol_place_unknown", "error", lost, name, layer_of=layer,
                  words=first_ids(dict.fromkeys(said[lost])))
        spots = shapely.point_on_surface(frame.geometry.to_numpy()[found[found >= 0]])
        rows.shapes[open_ & ~lost] = spots
        rows.shapes[lost] = shapely.Point()
    rows.tell("read.patrol_no_place", "error", shapely.is_missing(rows.shapes))
    rows.keep(~(shapely.is_missing(rows.shapes) | shapely.is_empty(rows.shapes)))


def find_rows(frame: pd.DataFrame, key: str, words: list[str]) -> NDArray[np.int64]:
    """Return the row of a layer that each word means, by id or by the only name like it, or -1."""
    ids = {str(v): k for k, v in enumerate(frame[key].tolist())}
    titles = [fold(n) for n in frame["name"].fillna("")] if "name" in frame else []
    count = Counter(titles)
    by_name = {t: k for k, t in enumerate(titles) if t and count[t] == 1}
    return np.array([ids.get(str(w), by_name.get(fold(w), -1)) for w in words], dtype=np.int64)


def pick_streets(rows: Rows, plan: Plan) -> None:
    """Write every row without a line out as the roads it means: by id, by name or by class.

    Of two rows that mean one road for the same tier and days, the more exact one counts: an id
    more than a name, a name more than a class.
    """
    assert rows.shapes is not None
    roads = plan.layer("roads")
    drawn = ~shapely.is_missing(rows.shapes)
    picked: list[tuple[int, int, int]] = []  # row of the table, how it is meant, road or -1
    picker = _Picker(rows, roads)
    for at in range(len(rows.text)):
        if drawn[at]:
            picked.append((at, _BY_ID, -1))
        else:
            found, many = picker.pick(at)
            picked += [(at, found, k) for k in many]
    picker.tell_all()
    row, how, road = np.array(picked, dtype=np.int64).reshape(-1, 3).T
    chosen = road >= 0
    rows.text, rows.shapes = rows.text.iloc[row], rows.shapes[row]
    rows.shapes[chosen] = np.asarray(roads.geometry.array)[road[chosen]]
    ids = rows.column("road_id").to_numpy(dtype=object)
    ids[chosen] = roads["road_id"].to_numpy(dtype=object)[road[chosen]]
    rows.text = rows.text.assign(road_id=pd.array(ids, dtype="string"))
    rows.keep(_tell_twice(rows, how, chosen))


def _tell_twice(rows: Rows, how: NDArray[np.int64], chosen: NDArray[np.bool_]
                ) -> NDArray[np.bool_]:
    """Return which rows count where several mean one road, and tell of equals."""
    same = pd.DataFrame({"road": rows.text["road_id"].array, "tier": rows.column("tier").array,
                         "day": rows.column("day_kind").array, "how": how})
    same = same.fillna({"tier": "", "day": ""})
    order = np.lexsort((np.arange(len(same)), how))
    again = pd.Series(False, same.index)
    again.iloc[order] = same.iloc[order].duplicated(["road", "tier", "day"]).to_numpy()
    equal = same.duplicated(["road", "tier", "day", "how"], keep="first").to_numpy()
    kept = ~again.to_numpy() | ~chosen
    rows.tell("read.patrol_street_twice", "warning", equal & chosen & ~kept, "road_id",
              words=first_ids(dict.fromkeys(rows.text["road_id"][equal & chosen & ~kept])))
    return np.asarray(kept)


class _Picker:
    """Finds the roads that a row means, and tells of words that mean none."""

    def __init__(self, rows: Rows, roads: gpd.GeoDataFrame) -> None:
        self.rows, self.roads = rows, roads
        self.ids = roads["road_id"].astype(str).to_numpy(dtype=object)
        self.names = roads["name"].fillna("").map(fold).to_numpy(dtype=object)
        self.classes = roads["road_class"].fillna("unknown").to_numpy(dtype=object)
        self.public = roads["public"].fillna(True).to_numpy(dtype=bool)
        self.faults: dict[tuple[str, str, str], tuple[list[int], dict[str, object]]] = {}

    def pick(self, at: int) -> tuple[int, list[int]]:
        """Return how exactly a row says what it means, and the rows of its roads."""
        mask = np.ones(len(self.roads), dtype=bool)
        how = -1
        for level, column, find in ((_BY_ID, "road_id", self._by_id),
                                    (_BY_NAME, "name", self._by_name),
                                    (_BY_CLASS, "road_class", self._by_class)):
            words = split_list(self.rows.column(column).iloc[at])
            if not words:
                continue
            hits = [find(word, at) for word in words]
            mask &= np.logical_or.reduce(hits)
            how = level if how < 0 else how
            if any(not hit.any() for hit in hits):
                return how, []
        if how < 0:
            self._note("no_street", at, "name")
            return how, []
        if not mask.any():
            self._note("no_such_street", at, "name")
        return how, np.flatnonzero(mask).tolist()

    def tell_all(self) -> None:
        """Tell what was found, the rows with one and the same fault together."""
        for (key, column, _), (at, told) in self.faults.items():
            which = np.isin(np.arange(len(self.rows.text)), at)
            self.rows.tell(f"read.patrol_{key}", "warning" if key == "class_empty" else "error",
                           which, column, **told)

    def _note(self, key: str, at: int, column: str, **told: object) -> None:
        fault = (key, column, str(told.get("word", "")))
        self.faults.setdefault(fault, ([], told))[0].append(at)

    def _by_id(self, word: str, at: int) -> NDArray[np.bool_]:
        hit = self.ids == word
        if not hit.any():
            self._note("road_unknown", at, "road_id", word=word, near=_near(word, self.ids))
        return np.asarray(hit)

    def _by_name(self, word: str, at: int) -> NDArray[np.bool_]:
        hit = self.names == fold(word)
        if not hit.any():
            known = [str(n) for n in self.roads["name"].dropna()]
            self._note("road_unknown", at, "name", word=word, near=_near(word, known))
        return np.asarray(hit)

    def _by_class(self, word: str, at: int) -> NDArray[np.bool_]:
        meant = names.ROAD_CLASSES.get(word.casefold(), word.casefold())
        if meant not in ROAD_CLASS:
            self._note("class_unknown", at, "road_class", word=word,
                       classes=", ".join(ROAD_CLASS))
            return np.zeros(len(self.roads), dtype=bool)
        hit = (self.classes == meant) & self.public
        if not hit.any():
            self._note("class_empty", at, "road_class", word=word,
                       held=first_ids(sorted(set(self.classes)), 12))
        return np.asarray(hit)


def join_grids(rows: Rows, plan: Plan) -> None:
    """Make a zone of all rows with its id: the grids and communities that they list."""
    grids = plan.layer("grids")
    ids = {str(g): k for k, g in enumerate(grids["grid_id"])}
    of = {str(c): np.flatnonzero(grids["community_id"] == c).tolist()
          for c in grids["community_id"].drop_duplicates()}
    held: dict[str, list[int]] = {}
    for column, table in (("grid_id", {g: [k] for g, k in ids.items()}), ("community_id", of)):
        lists = [split_list(cell) for cell in rows.column(column)]
        lost = np.array([any(w not in table for w in words) for words in lists], dtype=bool)
        rows.tell("read.patrol_place_unknown", "error", lost, column,
                  layer_of="grids" if column == "grid_id" else "communities",
                  words=first_ids(dict.fromkeys(w for ws in lists for w in ws if w not in table)))
        for zone, words in zip(rows.column("zone_id").fillna(""), lists, strict=True):
            held.setdefault(str(zone), []).extend(
                k for w in words for k in table.get(w, ()))
    shapes = np.asarray(grids.geometry.array)
    first = ~rows.column("zone_id").fillna("").duplicated().to_numpy()
    rows.shapes = np.array([_as_multi(shapely.union_all(shapes[sorted(set(held[str(z)]))]))
                            for z in rows.column("zone_id").fillna("")], dtype=object)
    bare = shapely.is_empty(rows.shapes) & first
    rows.tell("read.patrol_no_place", "error", bare, "zone_id")
    rows.keep(first & ~shapely.is_empty(rows.shapes))


def snap_zones(rows: Rows, plan: Plan) -> None:
    """Make drawn zones of whole grids: each grid goes to the zone of a tier that has most of it."""
    assert rows.shapes is not None
    grids = np.asarray(plan.layer("grids").geometry.array)
    _tell_overlaps(rows)
    if not len(grids):
        rows.shapes = np.array([_as_multi(s) for s in rows.shapes], dtype=object)
        return
    tree, area = shapely.STRtree(grids), shapely.area(grids)
    tiers = rows.column("tier").fillna("").to_numpy(dtype=object)
    out = np.full(len(rows.text), shapely.MultiPolygon(), dtype=object)
    cut = np.zeros(len(rows.text), dtype=bool)
    for tier in dict.fromkeys(tiers.tolist()):
        mine = np.flatnonzero(tiers == tier)
        zone, grid = tree.query(rows.shapes[mine], predicate="intersects")
        shared = shapely.area(shapely.intersection(rows.shapes[mine][zone], grids[grid]))
        table = pd.DataFrame({"zone": zone, "grid": grid, "share": shared / area[grid]})
        best = table.sort_values(["grid", "share", "zone"], ascending=[True, False, True]
                                 ).drop_duplicates("grid")
        best = best[best["share"] > 0.5]
        for number, at in enumerate(mine.tolist()):
            own = best[best["zone"] == number]
            out[at] = _as_multi(shapely.union_all(grids[own["grid"].to_numpy()]))
            cut[at] = shapely.symmetric_difference(out[at], rows.shapes[at]).area > (
                _SAME_ZONE * rows.shapes[at].area)
    rows.tell("read.patrol_zone_snapped", "repaired", cut & ~shapely.is_empty(out), "zone_id")
    rows.tell("read.patrol_zone_bare", "error", shapely.is_empty(out), "zone_id")
    rows.shapes = out
    rows.keep(~shapely.is_empty(out))


def _tell_overlaps(rows: Rows) -> None:
    assert rows.shapes is not None
    tiers = rows.column("tier").fillna("").to_numpy(dtype=object)
    left, right = shapely.STRtree(rows.shapes).query(rows.shapes, predicate="intersects")
    wrong = np.zeros(len(rows.text), dtype=bool)
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        if a < b and tiers[a] == tiers[b]:
            shared = shapely.intersection(rows.shapes[a], rows.shapes[b]).area
            if shared > _SAME_ZONE * min(rows.shapes[a].area, rows.shapes[b].area):
                wrong[[a, b]] = True
    rows.tell("read.patrol_zones_overlap", "error", wrong, "zone_id")


def _as_multi(shape: shapely.Geometry) -> shapely.Geometry:
    return shapely.multipolygons(shapely.get_parts(shape)) if len(
        shapely.get_parts(shape)) else shapely.MultiPolygon()


def _near(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(dict.fromkeys(map(str, known))), 3, 0.4)
    return ", ".join(close) or "–"


def _take_placed(rows: Rows, raw: RawTable, options: Options) -> RawTable | None:
    """Return the rows that have a geometry or coordinates, or that say no other place."""
    if raw.geometry is not None:
        blank = shapely.is_missing(raw.geometry) | shapely.is_empty(raw.geometry)
    else:
        where = names.find_coordinates(raw.data.columns, options.columns_of(rows.role))
        if not where:
            return None
        blank = np.logical_and.reduce([values.to_text(raw.data[c]).isna().to_numpy()
                                       for c in where.values()])
    elsewhere = ("road_id", "name", "road_class") if rows.role == "streets" else (
        "facility_id", "grid_id")
    other = np.logical_or.reduce([rows.column(c).notna().to_numpy() for c in elsewhere])
    kept = ~(blank & other)
    return RawTable(raw.data[kept].reset_index(drop=True), raw.rows[kept], raw.layer,
                    None if raw.geometry is None else raw.geometry[kept], raw.crs)


def _fits(shapes: NDArray[np.object_], plan: Plan) -> bool:
    """Tell whether coordinates without a CRS lie where the plan does."""
    return bool(shapely.box(*shapely.total_bounds(shapes)).within(_frame_of(plan).buffer(_FAR_M)))


def _frame_of(plan: Plan) -> shapely.Geometry:
    """Return a box round what the plan is about."""
    for name in ("communities", "grids", "roads", "demand"):
        frame = plan.layer(name)
        if len(frame):
            return shapely.box(*frame.total_bounds)
    return shapely.Polygon()


def _bring(held: Held, plan: Plan, datum: str | None, drop_null: bool) -> Held:
    """Bring the drawn rows of one file into the CRS of the plan and to their kind of geometry."""
    drop_missing(held, drop_null)
    if held.frame.empty:
        return held
    if datum and datum != "wgs84":
        held.frame = to_wgs84(held.frame, datum)
        held.findings.add("read.datum", "repaired", file=held.file, layer=held.role, datum=datum,
                          count=len(held.frame))
    before = label(held.frame.crs)
    if held.frame.crs != plan.crs:
        held.frame = held.frame.to_crs(plan.crs)
        lost = ~np.isfinite(shapely.bounds(held.shapes)).all(axis=1)
        held.tell("read.out_of_area", "error", lost, crs=before)
        held.drop(lost, REJECTED)
        held.findings.add("read.reprojected", "repaired", file=held.file, layer=held.role,
                          count=len(held.frame), before=before, after=label(plan.crs))
    if not held.frame.empty:
        area = Held("communities", gpd.GeoDataFrame(geometry=[_frame_of(plan)], crs=plan.crs), "",
                    held.findings)
        _tell_disjoint({held.role: held}, area, pyproj.CRS.from_user_input(plan.crs),
                       held.findings)
        repair_shapes(held)
        if held.role == "streets":
            explode_lines(held)
    return held


def _tell_far(rows: Rows, plan: Plan) -> None:
    assert rows.shapes is not None
    far = shapely.distance(rows.shapes, _frame_of(plan)) > _FAR_M
    told = any(f.key in ("read.disjoint", "read.swapped") and f.layer == rows.role
               for f in rows.findings.items)
    if not told:
        rows.tell("read.patrol_far", "error", far, metres=f"{_FAR_M:,.0f}")
    rows.keep(~far)
