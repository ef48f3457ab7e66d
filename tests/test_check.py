"""A town drawn in letters: the good plan passes, and every way of spoiling it is caught.

Each letter is a grid, each place in a picture a unit of 20 × 20 m with at most
one building. What the figures should be can be counted by hand.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from shapely import box

from gridplan.check import CheckReport, check_plan
from gridplan.check.graph import label_pieces, shared_segments, sum_pairs, touching
from gridplan.check.proofs import can_be_cut, fits_count
from gridplan.errors import InputError
from gridplan.i18n import load_room
from gridplan.layers import conform

CRS = "EPSG:4547"
SIDE_M = 20.0

# Community → picture; the north is up.
PICTURES = {
    "230102001001": ["AABB",
                     "AABB",
                     "CCDD",
                     "CCDD",
                     "NNNNN",
                     "NNNNN",
                     "NNNNN",
                     "NNNNN",
                     "NNNNN"],
    "C001": ["EF"],
    "C002": ["GHIJ"],
    "C003": ["LLKOMS"],
    "C004": ["PP.Q"],
    "C005": ["TTU"],
    "C006": ["VVVW"],
    "C007": ["XX", "ZZZZZ", "ZZZZZ", "ZZZZZ", "ZZZZZ", "ZZZZZ", "YY"],
}
# Letter → households of its buildings, west to east and north to south; 100 each by default.
HOUSEHOLDS = {
    "N": [], "E": [300], "F": [251], "G": [283], "H": [440], "I": [283], "J": [440],
    "L": [200, 200], "K": [620], "O": [120], "M": [30], "S": [], "P": [200, 200], "Q": [50],
    "T": [100, 100], "U": [400], "V": [200, 100, 200], "W": [100], "X": [200, 200], "Z": [],
    "Y": [200, 200],
}
# Letter → status, part and reason of the exceptions.
EXCEPTIONS = {
    "F": ("under", 1, "count: 551 households: two grids need 600, one holds 500"),
    "G": ("under", 1, "enumeration: 4 units with 1446 households: none of 300–500 throughout"),
    "I": ("under", 1, "enumeration: 4 units with 1446 households: none of 300–500 throughout"),
    "K": ("over", 0, "building: building K0 (1, No. 12) of 620 households, above 500"),
    "O": ("small", 2, "small: 120 households in all, below 300"),
    "Q": ("exclave", 2, "exclave: a separate piece with 50 households, below 300"),
    "S": ("empty", 3, "empty: no households"),
    "M": ("special", 0, "special-place: campus “No. 12 School”"),
    "N": ("special", 0, "special-empty: 1.0 ha without households"),
    "Z": ("special", 0, "special-empty: 1.0 ha without households"),
    "T": ("under", 0, "locked: kept as it was, with 200 households"),
    "W": ("unproven", 1, "unproven: 600 households: no division found (normal, 4242 steps)"),
}
COMMUNITY_STATUS = {"C001": "failed", "C002": "small", "C003": "over", "C004": "small",
                    "C005": "small", "C006": "unproven"}
CERTIFICATES = {"C001": ("count", 551, 2), "C002": ("enumeration", 1446, 4),
                "C006": ("unproven", 600, 2)}
ROAD_Y, WALL_X = -40.0, 40.0


def corner(community: str) -> float:
    """Return the west edge of a picture: they stand a kilometre apart."""
    return 500_000.0 + 1000.0 * list(PICTURES).index(community)


def places(community: str) -> Iterator[tuple[str, shapely.Polygon]]:
    """Walk through a picture from the north, west to east."""
    for row, line in enumerate(PICTURES[community]):
        for column, letter in enumerate(line):
            if letter != ".":
                x, y = corner(community) + SIDE_M * column, -SIDE_M * (row + 1)
                yield letter, box(x, y, x + SIDE_M, y + SIDE_M)


def letters(community: str) -> list[str]:
    return list(dict.fromkeys(letter for letter, _ in places(community)))


CODES = {letter: f"{c}{'' if len(c) == 12 else '-'}{n:03d}"
         for c in PICTURES for n, letter in enumerate(letters(c), start=1)}


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def draw_units() -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Return units and buildings."""
    units, houses = [], []
    for community in PICTURES:
        seen: dict[str, int] = {}
        for letter, square in places(community):
            n = seen[letter] = seen.get(letter, -1) + 1
            held = HOUSEHOLDS.get(letter, [100] * 4)
            name = f"{letter}{n}"
            middle = square.centroid
            unit = {"unit_id": hashed(name if n < len(held) else f"{middle.x:.0f},{middle.y:.0f}"),
                    "block_id": community + ("N" if letter in "AB" else "S"),
                    "community_id": community, "grid_id": CODES[letter],
                    "households": held[n] if n < len(held) else 0, "geometry": square}
            units.append(unit)
            if n < len(held):
                houses.append({**unit, "building_id": name, "geometry": middle.buffer(5),
                               "number": str(n + 1), "name": "No. 12",
                           "households_source": "floors" if letter == "K" else "given"})
    return (gpd.GeoDataFrame(units, crs=CRS),
            gpd.GeoDataFrame(houses, crs=CRS).drop(columns="block_id"))


def draw_grids(units: gpd.GeoDataFrame, houses: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    grids = []
    for community in PICTURES:
        for seq, letter in enumerate(letters(community), start=1):
            held = units[units["grid_id"] == CODES[letter]]
            shape = shapely.union_all(held.geometry.to_numpy())
            status, part, reason = EXCEPTIONS.get(
                letter, ("ok", 2 if letter == "Y" else 1, ""))
            grids.append({
                "grid_id": CODES[letter], "community_id": community, "part": part, "seq": seq,
                "kind": "special" if status == "special" else "basic",
                "households": held["households"].sum(),
                "buildings": (houses["grid_id"] == CODES[letter]).sum(),
                "area_m2": shape.area, "perimeter_m": shape.length,
                "compactness": 4 * math.pi * shape.area / shape.length ** 2,
                "status": status, "reason": reason, "locked": letter == "T", "geometry": shape})
    return gpd.GeoDataFrame(grids, crs=CRS)


def draw_communities(grids: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    rows = []
    for community in PICTURES:
        held = grids[grids["community_id"] == community]
        status = COMMUNITY_STATUS.get(community, "ok")
        kind, total, count = CERTIFICATES.get(community, ("", 0, 0))
        entry = {"part": 1, "kind": kind, "households": total, "low": 300, "high": 500,
                 "grids": count}
        rows.append({
            "community_id": community, "kind": "urban", "households": held["households"].sum(),
            "grids": len(held), "status": status, "reason": "" if status == "ok" else "see grids",
            "certificate": json.dumps([entry]) if kind else "",
            "geometry": shapely.MultiPolygon(shapely.get_parts(
                shapely.union_all(held.geometry.to_numpy())).tolist())})
    return gpd.GeoDataFrame(rows, crs=CRS)


def draw_borders(grids: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    rows = []
    shape = grids.set_index("grid_id").geometry
    for community in PICTURES:
        for a, b in itertools.combinations(letters(community), 2):
            line = shapely.line_merge(shape[CODES[a]].intersection(shape[CODES[b]]))
            if line.length >= 1:
                road = {"AC": "residential", "BD": "residential", "CD": "wall"}.get(a + b, "")
                rows.append({"border_id": f"{a}{b}", "inside_block": a + b not in ("AC", "BD"),
                             "grid_a": CODES[a], "grid_b": CODES[b], "length_m": line.length,
                             "road_class": road, "follows": "", "geometry": line})
    return gpd.GeoDataFrame(rows, crs=CRS)


def draw_lines() -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Return roads, barriers and specials: the tunnel under A|B must not count."""
    x = corner("230102001001")
    roads = gpd.GeoDataFrame({
        "road_id": ["r1", "r2"], "road_class": ["residential", "secondary"], "level": [0, -1],
        "structure": ["grade", "tunnel"]}, crs=CRS, geometry=[
            shapely.LineString([(x, ROAD_Y), (x + 80, ROAD_Y)]),
            shapely.LineString([(x + WALL_X, 0), (x + WALL_X, ROAD_Y)])])
    barriers = gpd.GeoDataFrame({"barrier_id": ["w1"], "kind": ["wall"]}, crs=CRS, geometry=[
        shapely.LineString([(x + WALL_X, ROAD_Y), (x + WALL_X, -80)])])
    school = next(s for letter, s in places("C003") if letter == "M")
    specials = gpd.GeoDataFrame({"special_id": ["s1"], "kind": ["campus"],
                                 "name": ["No. 12 School"]}, crs=CRS, geometry=[
        shapely.MultiPolygon([school.buffer(-1)])])
    return roads, barriers, specials


def count_figures() -> pd.DataFrame:
    """Return the figures as counted by hand on the pictures."""
    compact = sorted([math.pi / 4] * 19 + [4 * math.pi * 800 / 120 ** 2] * 5
                     + [4 * math.pi * 1200 / 160 ** 2])
    rows: list[tuple[str, str, float, float | None, float | None]] = [
        ("communities", "all", 8, None, None), ("grids", "all", 25, None, None),
        ("households", "all", 7217, None, None), ("grids_in_range", "all", 13 / 22, 13, 22),
        ("exceptions", "all", 9, None, None),
        # 2 m of A|B, C|N and D|N are near the ends of road and wall.
        ("road_share", "all", 126 / 520, 126, 520),
        ("road_share", "between_blocks", 1.0, 80, 80),
        ("road_share", "inside_blocks", 46 / 440, 46, 440),
        ("compactness", "all", float(np.mean(compact)), None, None),
        ("compactness_p10", "all", float(np.percentile(compact, 10)), None, None),
        ("households_by_source", "given", 6597 / 7217, 6597, 7217),
        ("households_by_source", "floors", 620 / 7217, 620, 7217)]
    table = pd.DataFrame(rows, columns=["name", "scope_id", "value", "numerator", "denominator"])
    return table.assign(scope="city")


def draw_plan(digest: str) -> dict[str, pd.DataFrame]:
    units, houses = draw_units()
    grids = draw_grids(units, houses)
    roads, barriers, specials = draw_lines()
    urban = {"low": 300, "high": 500}
    run = {"version": "1", "command": "partition", "seed": "1", "crs": CRS, "state": "draft",
           "parameters": json.dumps({"partition": {"urban": urban}}),
           "range:urban": "300/500",
           "input:1:town.geojson:buildings": digest}
    tally = pd.DataFrame([
        {"stage": "read", "layer": "buildings", "rows_in": 50, "used": len(houses) - 2,
         "repaired": 2, "rejected": 1, "outside": 49 - len(houses), "households_in": 6700,
         "households_out": 6597},
        {"stage": "households", "layer": "buildings", "rows_in": len(houses), "used": len(houses),
         "repaired": 0, "rejected": 0, "outside": 0, "households_in": 6597,
         "households_out": 7217}])
    plan = {"communities": draw_communities(grids), "grids": grids, "units": units,
            "borders": draw_borders(grids), "buildings": houses, "specials": specials,
            "roads": roads, "barriers": barriers, "figures": count_figures(), "tally": tally,
            "run": pd.DataFrame({"key": list(run), "value": list(run.values())})}
    return {name: conform(name, frame) for name, frame in plan.items()}


def write(plan: dict[str, pd.DataFrame], path: Path) -> Path:
    kinds = {"communities": "MultiPolygon", "specials": "MultiPolygon", "buildings": "Unknown",
             "barriers": "Unknown", "borders": "LineString", "roads": "LineString"}
    for name, frame in plan.items():
        spatial = isinstance(frame, gpd.GeoDataFrame)
        options = {"geometry_type": kinds.get(name, "Unknown"), "SPATIAL_INDEX": "NO"}
        pyogrio.write_dataframe(frame, path, layer=name, append=path.exists(),
                                **(options if spatial else {}))
    return path


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, pd.DataFrame], Path, Path]:
    """The plan as frames and as a file, and the input it was made from."""
    folder = tmp_path_factory.mktemp("town")
    source = folder / "town.geojson"
    source.write_bytes(b"{}")
    plan = draw_plan(hashlib.sha256(b"{}").hexdigest())
    return plan, write(plan, folder / "good.gpkg"), source


def spoil(town: tuple, path: Path, statements: str) -> Path:
    """Copy the good plan and edit it as SQL; {A} is the code of grid A."""
    shutil.copy(town[1], path)
    with closing(sqlite3.connect(path)) as base:
        base.executescript(statements.format(**CODES))
        base.commit()
    return path


def keys(report: CheckReport) -> set[str]:
    return {b.key.removeprefix("check.") for b in report.broken}


def test_the_good_plan_breaks_no_rule_and_has_an_exception_of_every_kind(town: tuple) -> None:
    before = town[1].read_bytes()
    report = check_plan(town[1], inputs=[town[2]])
    assert report.broken == []
    assert report.ok
    assert not report.unchecked
    assert json.loads(json.dumps([report.figures, report.counts]))
    assert {a.grid_id: a.code for a in report.exceptions} == {
        CODES[k]: v[2].partition(":")[0] for k, v in EXCEPTIONS.items()}
    assert [a.grid_id for a in report.exceptions if a.proof == "listed"] == [CODES["W"]]
    assert town[1].read_bytes() == before


def test_figures_are_those_counted_by_hand(town: tuple) -> None:
    figures = check_plan(town[1]).figures
    assert figures["households"] == 7217
    assert figures["grids_in_range"] == 13 / 22
    assert figures["road_share:all"] == pytest.approx(126 / 520, abs=0.003)
    assert figures["road_share:between_blocks"] == pytest.approx(1.0)
    assert figures["road_share:inside_blocks"] == pytest.approx(46 / 440, abs=0.003)
    assert figures["straddling_avoidable"] == 0


UNIT = "(SELECT unit_id FROM buildings WHERE building_id='{}')".format
CERTIFIED = "UPDATE communities SET certificate=replace(certificate, '{}', '{}') " \
            "WHERE community_id='{}'".format


def of_part(reason: str, *letters: str) -> str:
    """Give grids another reason and their community's certificate its kind."""
    codes = ", ".join(f"'{CODES[k]}'" for k in letters)
    kind = reason.partition(":")[0]
    return (f"UPDATE grids SET reason='{reason}', status='under' WHERE grid_id IN ({codes}); "
            "UPDATE communities SET certificate=replace(replace(replace(certificate, 'unproven', "
            f"'{kind}'), 'count', '{kind}'), 'enumeration', '{kind}')")


SPOILT = [
    # exact
    ("a unit moved to another grid", "UPDATE units SET grid_id='{B}' WHERE unit_id=" + UNIT("A0"),
     {"gap", "outside"}),
    ("a building and its unit moved", "UPDATE units SET grid_id='{B}' WHERE unit_id="
     + UNIT("A0") + "; UPDATE buildings SET grid_id='{B}' WHERE building_id='A0'",
     {"sum_differs", "building_elsewhere"}),
    ("a grid cut in two", "UPDATE units SET grid_id='{D}' WHERE unit_id=" + UNIT("A0"),
     {"not_connected"}),
    ("two grid codes swapped", "UPDATE grids SET grid_id='x' WHERE grid_id='{A}'; "
     "UPDATE grids SET grid_id='{A}' WHERE grid_id='{D}'; "
     "UPDATE grids SET grid_id='{D}' WHERE grid_id='x'", {"code_form", "outside"}),
    ("a unit under another community", "UPDATE units SET community_id='C001' "
     "WHERE grid_id='{A}'", {"unit_community"}),
    ("a unit dropped", "DELETE FROM units WHERE grid_id='{S}'", {"grid_without_units", "gap"}),
    # households
    ("a building dropped", "DELETE FROM buildings WHERE building_id='A0'",
     {"sum_differs", "count_differs", "tally_total", "unit_id_differs"}),
    ("a household shifted between grids", "UPDATE grids SET households=households+1 "
     "WHERE grid_id='{A}'; UPDATE grids SET households=households-1 WHERE grid_id='{B}'",
     {"sum_differs"}),
    ("a household shifted between buildings", "UPDATE buildings SET households=101 "
     "WHERE building_id='A0'; UPDATE buildings SET households=99 WHERE building_id='A1'",
     {"sum_differs"}),
    ("a household added", "UPDATE buildings SET households=101 WHERE building_id='A0'",
     {"sum_differs", "figure_differs", "tally_total"}),
    ("households below zero", "UPDATE buildings SET households=-1 WHERE building_id='A0'",
     {"negative"}),
    ("a community's households forged", "UPDATE communities SET households=1601 "
     "WHERE community_id='230102001001'", {"sum_differs"}),
    ("a lower bound above the households", "UPDATE buildings SET households_low=101 "
     "WHERE building_id='A0'; UPDATE grids SET households_low=101 WHERE grid_id='{A}'",
     {"spread_differs"}),
    ("a grid's upper bound forged", "UPDATE grids SET households_high=900 WHERE grid_id='{A}'",
     {"sum_differs"}),
    ("a population that no building has", "UPDATE grids SET population=12 WHERE grid_id='{A}'",
     {"sum_differs"}),
    ("a building under another community", "UPDATE buildings SET community_id='C001' "
     "WHERE building_id='A0'", {"owner_differs"}),
    ("a building under another unit", "UPDATE buildings SET unit_id=" + UNIT("A1")
     + " WHERE building_id='A0'", {"unit_id_differs", "sum_differs"}),
    ("a building under another grid", "UPDATE buildings SET grid_id='{B}' "
     "WHERE building_id='A0'", {"owner_differs", "building_elsewhere"}),
    ("the count of buildings forged", "UPDATE grids SET buildings=5 WHERE grid_id='{A}'",
     {"count_differs"}),
    ("the count of grids forged", "UPDATE communities SET grids=3 WHERE community_id='C001'",
     {"count_differs"}),
    ("a unit id forged", "UPDATE buildings SET unit_id='0123456789abcdef' WHERE building_id='A0'; "
     "UPDATE units SET unit_id='0123456789abcdef' WHERE unit_id='" + hashed("A0") + "'",
     {"unit_id_differs"}),
    ("the id of an empty unit forged", "UPDATE units SET unit_id='0123456789abcdef' "
     "WHERE grid_id='{S}'", {"unit_id_differs"}),
    ("rows of the tally altered", "UPDATE tally SET outside=outside+1", {"tally_rows"}),
    ("households of the tally altered", "UPDATE tally SET households_out=6701 "
     "WHERE stage='read'", {"tally_households"}),
    ("the total of the tally altered", "UPDATE tally SET households_out=7218 "
     "WHERE stage='households'", {"tally_total"}),
    # range
    ("a reason forged", "UPDATE grids SET reason='small: 551 households' WHERE grid_id='{F}'",
     {"reason_false", "status_false"}),
    ("a reason removed", "UPDATE grids SET reason='' WHERE grid_id='{F}'", {"reason_missing"}),
    ("a reason of no known code", "UPDATE grids SET reason='just so' WHERE grid_id='{F}'",
     {"reason_unknown"}),
    ("a reason for a grid in range", "UPDATE grids SET reason='count: 551' WHERE grid_id='{E}'",
     {"needless_reason"}),
    ("a status forged to ok", "UPDATE grids SET status='ok' WHERE grid_id='{F}'",
     {"out_of_range"}),
    ("a status forged to another", "UPDATE grids SET status='over' WHERE grid_id='{F}'",
     {"status_false"}),
    ("a number in a reason forged", "UPDATE grids SET reason=replace(reason, '551', '552')",
     {"reason_number"}),
    ("another number in a reason forged", "UPDATE grids SET reason=replace(reason, '600', '700')",
     {"reason_number"}),
    ("the households of a building forged", "UPDATE grids SET reason='building: one of 500' "
     "WHERE grid_id='{K}'", {"reason_number"}),
    ("a small part that is populated enough", "UPDATE grids SET status='small', "
     "reason='small: 600 households' WHERE grid_id='{W}'", {"reason_false"}),
    ("an exclave on the main piece", "UPDATE grids SET status='exclave', reason='exclave: 120' "
     "WHERE grid_id='{O}'", {"reason_false"}),
    ("a small part that is an exclave", "UPDATE grids SET status='small', reason='small: 50' "
     "WHERE grid_id='{Q}'", {"reason_false"}),
    ("empty forged on a populated grid", "UPDATE grids SET status='empty', "
     "reason='empty: no households' WHERE grid_id='{O}'", {"reason_false"}),
    ("a building that is not above the range", "UPDATE grids SET status='over', "
     "reason='building: 251' WHERE grid_id='{F}'", {"reason_false"}),
    ("a special grid without a place", "UPDATE grids SET status='special', kind='special', "
     "part=0, reason='special-place: campus' WHERE grid_id='{F}'", {"reason_false"}),
    ("special land that is populated", "UPDATE grids SET status='special', kind='special', "
     "part=0, reason='special-empty: large' WHERE grid_id='{F}'", {"reason_false"}),
    ("special land that is small", "UPDATE grids SET status='special', kind='special', part=0, "
     "reason='special-empty: large' WHERE grid_id='{S}'", {"reason_false"}),
    ("a special place gone", "DELETE FROM specials", {"reason_false"}),
    ("special by status alone", "UPDATE grids SET kind='basic' WHERE grid_id='{M}'",
     {"special_unmarked"}),
    ("a lock forged", "UPDATE grids SET reason='locked: as it was', part=0 WHERE grid_id='{F}'",
     {"reason_false", "part_differs"}),
    ("a lock removed", "UPDATE grids SET locked=0 WHERE grid_id='{T}'",
     {"reason_false", "part_differs"}),
    ("part numbers forged", "UPDATE grids SET part=2 WHERE grid_id='{A}'", {"part_differs"}),
    ("two parts under one number", "UPDATE grids SET part=1 WHERE grid_id='{O}'",
     {"part_differs"}),
    ("count claimed for a part that can be cut", of_part("count: 600 households", "W"),
     {"feasible_part", "reason_false"}),
    ("enumeration claimed for a part that can be cut", of_part("enumeration: 600", "W"),
     {"feasible_part"}),
    ("unproven claimed where the count proves it", of_part("unproven: 551", "F"),
     {"reason_false"}),
    ("a certificate's households forged", CERTIFIED("551", "560", "C001"), {"certificate_false"}),
    ("a certificate's range forged", CERTIFIED("500", "550", "C001"), {"certificate_false"}),
    ("a certificate's grids forged", CERTIFIED('"grids": 2', '"grids": 1', "C001"),
     {"certificate_false"}),
    ("a certificate's part forged", CERTIFIED('"part": 1', '"part": 7', "C001"),
     {"certificate_false", "certificate_missing"}),
    ("a certificate's kind forged", CERTIFIED("unproven", "enumeration", "C006"),
     {"certificate_false"}),
    ("a certificate removed", "UPDATE communities SET certificate=''", {"certificate_missing"}),
    ("a certificate torn", CERTIFIED("]", "", "C001"), {"certificate_unreadable"}),
    ("a certificate without need", "UPDATE communities SET certificate=(SELECT certificate FROM "
     "communities WHERE community_id='C001') WHERE community_id='230102001001'",
     {"certificate_false"}),
    ("a community's status forged", "UPDATE communities SET status='ok' "
     "WHERE community_id='C001'", {"community_status"}),
    ("a community's reason forged", "UPDATE communities SET reason='count: 552 households' "
     "WHERE community_id='C001'", {"reason_number"}),
    ("a community's reason removed", "UPDATE communities SET reason='' WHERE community_id='C001'",
     {"reason_missing"}),
    # codes
    ("a number swapped", "UPDATE grids SET seq=9 WHERE grid_id='{A}'", {"code_form"}),
    ("a number repeated", "UPDATE grids SET seq=2 WHERE grid_id='{A}'", {"seq_repeated"}),
    # borders
    ("a border dropped", "DELETE FROM borders WHERE border_id='AB'", {"border_missing"}),
    ("a border's length forged", "UPDATE borders SET length_m=45 WHERE border_id='AB'",
     {"border_length"}),
    ("a border twice", "INSERT INTO borders (geom, border_id, inside_block, grid_a, grid_b, "
     "length_m, road_class) SELECT geom, 'AB2', inside_block, grid_a, grid_b, length_m, "
     "road_class FROM borders WHERE border_id='AB'", {"border_length"}),
    ("a border's road forged", "UPDATE borders SET road_class='primary' WHERE border_id='AB'",
     {"border_class"}),
    ("a border on a tunnel's road", "UPDATE borders SET road_class='wall' WHERE border_id='AB'",
     {"border_class"}),
    ("a border's road removed", "UPDATE borders SET road_class='' WHERE border_id='AC'",
     {"border_unnamed"}),
    ("a border's block forged", "UPDATE borders SET inside_block=1 WHERE border_id='AC'",
     {"border_block"}),
    ("the other border's block forged", "UPDATE borders SET inside_block=0 WHERE border_id='AB'",
     {"border_block"}),
    ("a border under another pair", "UPDATE borders SET grid_b='{E}' WHERE border_id='AB'",
     {"border_pair", "border_missing"}),
    ("two borders exchanged", "UPDATE borders SET grid_b='{C}' WHERE border_id='AB'; "
     "UPDATE borders SET grid_b='{B}' WHERE border_id='AC'", {"border_off"}),
    # figures
    *((f"the figure {name} forged",
       f"UPDATE figures SET value=value*1.1 WHERE name='{name}' AND scope_id='{scope}'",
       {"figure_differs"})
      for name, scope in zip(count_figures()["name"], count_figures()["scope_id"], strict=True)),
    ("a numerator forged", "UPDATE figures SET numerator=12 WHERE name='grids_in_range'",
     {"figure_differs"}),
    ("a figure dropped", "DELETE FROM figures WHERE scope_id='inside_blocks'",
     {"figure_missing"}),
    ("compactness forged", "UPDATE grids SET compactness=0.9 WHERE grid_id='{A}'",
     {"measure_differs"}),
    ("an area forged", "UPDATE grids SET area_m2=1700 WHERE grid_id='{A}'", {"measure_differs"}),
    ("a road gone", "DELETE FROM roads WHERE road_id='r1'", {"figure_differs", "border_class"}),
    ("a grid's share of roads forged", "UPDATE grids SET road_share=0.9 WHERE grid_id='{E}'",
     {"measure_differs"}),
    # contract
    ("a code renamed in the grids only", "UPDATE grids SET grid_id='X' WHERE grid_id='{A}'",
     {"dangling"}),
    ("a building twice", "INSERT INTO buildings (geom, building_id, community_id, unit_id, "
     "grid_id, households) SELECT geom, building_id, community_id, unit_id, grid_id, households "
     "FROM buildings WHERE building_id='A0'", {"duplicate_key"}),
    ("a grid twice", "UPDATE grids SET grid_id='{A}' WHERE grid_id='{B}'", {"duplicate_key"}),
    ("a key removed", "UPDATE units SET unit_id=NULL WHERE grid_id='{A}'", {"null_value"}),
    ("a count removed", "UPDATE grids SET households=NULL WHERE grid_id='{A}'", {"null_value"}),
    ("a status of no known word", "UPDATE grids SET status='fine' WHERE grid_id='{A}'",
     {"bad_choice"}),
    ("a column dropped", "ALTER TABLE grids DROP COLUMN reason", {"missing_column"}),
    ("text in a column of counts", "UPDATE grids SET households='many' WHERE grid_id='{A}'",
     {"wrong_type"}),
    ("text in a column of measures", "UPDATE grids SET workload='q' WHERE grid_id='{A}'",
     {"wrong_type"}),
    ("a share above 1", "UPDATE grids SET p_in_range=1.2 WHERE grid_id='{A}'",
     {"out_of_bounds"}),
    ("a lock that is neither", "UPDATE grids SET locked=7 WHERE grid_id='{A}'",
     {"wrong_type"}),
    ("floors below zero", "UPDATE buildings SET floors=-1 WHERE building_id='A0'",
     {"out_of_bounds"}),
    ("a state of no known word", "UPDATE run SET value='done' WHERE key='state'", {"bad_choice"}),
    ("another CRS in the run table", "UPDATE run SET value='EPSG:4548' WHERE key='crs'",
     {"crs_differs"}),
    ("all grids removed", "DELETE FROM grids; DELETE FROM units; DELETE FROM buildings; "
     "DELETE FROM borders; DELETE FROM communities", {"no_rows"}),
    ("a shape removed", "UPDATE grids SET geom=NULL WHERE grid_id='{A}'", {"no_geometry"}),
    ("the range removed", "DELETE FROM run WHERE key='range:urban'", {"run_missing"}),
    ("the range changed", "UPDATE run SET value='200/500' WHERE key='range:urban'",
     {"run_range"}),
    ("the range in words", "UPDATE run SET value='few' WHERE key='range:urban'", {"run_range"}),
    ("the range upside down", "UPDATE run SET value='600/500' WHERE key='range:urban'; "
     "UPDATE run SET value='{{}}' WHERE key='parameters'", {"run_range"}),
    ("the parameters torn", "UPDATE run SET value='{{' WHERE key='parameters'",
     {"run_unreadable"}),
    ("the seed removed", "DELETE FROM run WHERE key='seed'", {"run_missing"}),
]


@pytest.mark.parametrize(("statements", "expected"), [s[1:] for s in SPOILT],
                         ids=[s[0] for s in SPOILT])
def test_a_spoilt_plan_is_caught(town: tuple, tmp_path: Path, statements: str,
                                 expected: set[str]) -> None:
    report = check_plan(spoil(town, tmp_path / "spoilt.gpkg", statements))
    assert expected <= keys(report)
    assert not report.ok


def redraw(plan: dict[str, pd.DataFrame], layer: str, row: str,
           change: Callable[[shapely.Geometry], shapely.Geometry]) -> None:
    frame = plan[layer]
    at = frame.index[frame.iloc[:, 0] == row][0]
    frame.loc[at, "geometry"] = change(frame.loc[at, "geometry"])


def renumber(plan: dict[str, pd.DataFrame]) -> None:
    """A and B exchange numbers everywhere."""
    swap = {CODES["A"]: CODES["B"], CODES["B"]: CODES["A"]}
    for layer, column in (("grids", "grid_id"), ("units", "grid_id"), ("buildings", "grid_id"),
                          ("borders", "grid_a"), ("borders", "grid_b")):
        plan[layer][column] = plan[layer][column].replace(swap)
    plan["grids"]["seq"] = plan["grids"]["grid_id"].str[-3:].astype(int)


def numbers_as_codes(plan: dict[str, pd.DataFrame]) -> None:
    for layer in ("communities", "grids", "units", "buildings"):
        ids = plan[layer]["community_id"].where(
            plan[layer]["community_id"].str.len() == 12, "230102001009")
        plan[layer]["community_id"] = ids.astype("int64")


def three_unproven(plan: dict[str, pd.DataFrame]) -> None:
    grids = plan["grids"]
    rows = grids["grid_id"].isin((CODES["G"], CODES["I"]))
    grids.loc[rows, "reason"] = "unproven: 1446 households"
    grids.loc[rows, "status"] = "unproven"


def nibble(shape: shapely.Geometry) -> shapely.Geometry:
    """Take 2 m² off the north-west corner."""
    x, _, _, y = shape.bounds
    return shape.difference(box(x, y - 1, x + 2, y))


REDRAWN: list[tuple[str, Callable[[dict[str, pd.DataFrame]], None], set[str]]] = [
    ("2 m² nibbled off a grid", lambda p: redraw(p, "grids", CODES["A"], nibble),
     {"gap", "outside"}),
    ("a grid 2 m² into its neighbour", lambda p: redraw(
        p, "grids", CODES["A"], lambda s: s.union(box(s.bounds[2], -1, s.bounds[2] + 2, 0))),
     {"overlap"}),
    ("a unit 2 m² into its neighbour", lambda p: redraw(
        p, "units", hashed("A0"), lambda s: s.union(box(s.bounds[2], -1, s.bounds[2] + 2, 0))),
     {"overlap"}),
    ("2 m² nibbled off a unit", lambda p: redraw(p, "units", hashed("A0"), nibble), {"gap"}),
    ("a community enlarged", lambda p: redraw(
        p, "communities", "C001", lambda s: shapely.MultiPolygon([s.convex_hull.buffer(1)])),
     {"gap"}),
    ("two communities overlapping", lambda p: redraw(
        p, "communities", "C001", lambda s: shapely.MultiPolygon(
            [s.geoms[0], box(*p["grids"].geometry.iloc[0].bounds)])), {"overlap"}),
    ("a grid in two polygons", lambda p: redraw(
        p, "grids", CODES["A"], lambda s: s.difference(box(s.bounds[0] + 10, -100,
                                                           s.bounds[0] + 11, 100))),
     {"not_one_polygon"}),
    ("a grid that crosses itself", lambda p: redraw(
        p, "grids", CODES["A"], lambda s: shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])),
     {"invalid_geometry"}),
    ("a building across two grids", lambda p: redraw(
        p, "buildings", "A1", lambda s: shapely.affinity.translate(s, xoff=8)),
     {"split_buildings"}),
    ("a building far from its grid", lambda p: redraw(
        p, "buildings", "A1", lambda s: shapely.affinity.translate(s, xoff=20)),
     {"building_elsewhere"}),
    ("a point building far from its grid", lambda p: redraw(
        p, "buildings", "A1", lambda s: shapely.Point(s.bounds[2] + 20, s.bounds[1])),
     {"building_elsewhere"}),
    ("numbers exchanged", renumber, {"first_numbering"}),
    ("codes as numbers", numbers_as_codes, {"wrong_type"}),
    ("a border drawn elsewhere", lambda p: redraw(
        p, "borders", "AB", lambda s: shapely.affinity.translate(s, xoff=3)), {"border_off"}),
    ("too many unproven", three_unproven, {"unproven_many"}),
    ("a layer in another CRS", lambda p: p.update(roads=p["roads"].set_crs(
        "EPSG:4548", allow_override=True)), {"crs_differs"}),
    ("a plan in degrees", lambda p: p.update({
        n: f.set_crs("EPSG:4490", allow_override=True) for n, f in p.items()
        if isinstance(f, gpd.GeoDataFrame)}), {"crs_not_metric"}),
]


@pytest.mark.parametrize(("change", "expected"), [r[1:] for r in REDRAWN],
                         ids=[r[0] for r in REDRAWN])
def test_a_redrawn_plan_is_caught(town: tuple, tmp_path: Path, change: Callable,
                                  expected: set[str]) -> None:
    plan = {name: frame.copy() for name, frame in town[0].items()}
    change(plan)
    assert expected <= keys(check_plan(write(plan, tmp_path / "redrawn.gpkg")))


def test_a_building_above_the_range_must_stand_alone(town: tuple, tmp_path: Path) -> None:
    path = spoil(town, tmp_path / "p.gpkg", "UPDATE buildings SET households=501 "
                                            "WHERE building_id='A0'")
    assert "large_shares" in keys(check_plan(path))


@pytest.mark.parametrize(("line", "avoidable"), [
    ([(20, 0), (20, -40)], 1),            # the west of A still belongs to C's superblock
    ([(20, 0), (20, -40), (0, -40)], 0),  # 200 households enclosed: no grid of their own
])
def test_straddling_is_counted_and_is_no_fault(town: tuple, tmp_path: Path, line: list,
                                               avoidable: int) -> None:
    plan = dict(town[0])
    road = gpd.GeoDataFrame({"road_id": ["r3"], "road_class": ["primary"]}, crs=CRS, geometry=[
        shapely.affinity.translate(shapely.LineString(line), xoff=corner("230102001001"))])
    plan["roads"] = conform("roads", pd.concat([plan["roads"], road], ignore_index=True))
    report = check_plan(write(plan, tmp_path / "p.gpkg"))
    assert report.ok
    assert (report.figures["straddling"], report.figures["straddling_avoidable"]) == (1, avoidable)


def test_a_part_below_the_range_is_one_grid(town: tuple, tmp_path: Path) -> None:
    small = "small: 200 households"
    path = spoil(town, tmp_path / "p.gpkg", "UPDATE buildings SET households=CASE grid_id WHEN "
                 "'{E}' THEN 150 ELSE 50 END WHERE community_id='C001'; UPDATE units SET "
                 "households=CASE grid_id WHEN '{E}' THEN 150 ELSE 50 END WHERE "
                 "community_id='C001'; UPDATE grids SET status='small', reason='" + small
                 + "' WHERE community_id='C001'")
    assert "small_cut" in keys(check_plan(path))


def test_parts_on_both_sides_of_empty_land_may_count_as_one(town: tuple, tmp_path: Path) -> None:
    """A grid may run across empty land, so that X and Y may be one part; A and B are never two."""
    one = "UPDATE grids SET part=1 WHERE grid_id='{Y}'"
    assert check_plan(spoil(town, tmp_path / "p.gpkg", one)).ok


def test_a_file_that_changed_since_is_stale(town: tuple, tmp_path: Path) -> None:
    changed = tmp_path / "town.geojson"
    changed.write_bytes(b"{ }")
    other = tmp_path / "other.geojson"
    other.write_bytes(b"{}")
    assert keys(check_plan(town[1], inputs=[changed])) == {"input_changed"}
    assert keys(check_plan(town[1], inputs=[other])) == {"input_unknown"}
    with pytest.raises(InputError, match=r"check\.no_file"):
        check_plan(town[1], inputs=[tmp_path / "gone.geojson"])


def test_what_is_no_plan_is_refused_and_named(town: tuple, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"check\.no_file \| gone\.gpkg"):
        check_plan(tmp_path / "gone.gpkg")
    text = tmp_path / "text.gpkg"
    text.write_text("no database")
    with pytest.raises(InputError, match=r"check\.damaged \| text\.gpkg"):
        check_plan(text)
    other = tmp_path / "other.gpkg"
    with closing(sqlite3.connect(other)) as base:
        base.execute("CREATE TABLE t (a)")
        base.commit()
    with pytest.raises(InputError, match=r"check\.not_a_plan"):
        check_plan(other)
    lacking = spoil(town, tmp_path / "p.gpkg", "DELETE FROM gpkg_contents WHERE table_name IN "
                                               "('borders', 'tally')")
    with pytest.raises(InputError, match=r"p\.gpkg › borders") as told:
        check_plan(lacking)
    assert [f.layer for f in told.value.findings] == ["borders", "tally"]


def test_b42_a_zeroed_page_is_found(town: tuple, tmp_path: Path) -> None:
    path = tmp_path / "torn.gpkg"
    raw = bytearray(town[1].read_bytes())
    raw[8 * 4096:9 * 4096] = bytes(4096)
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"check\.damaged"):
        check_plan(path)


def test_a_broken_rule_tells_where_and_how_to_mend(town: tuple, tmp_path: Path) -> None:
    path = spoil(town, tmp_path / "p.gpkg", "UPDATE grids SET status='ok' WHERE grid_id='{F}'")
    found = next(b for b in check_plan(path).broken if b.key == "check.out_of_range")
    line = found.finding("p.gpkg").line("en")
    assert found.rule == "range"
    assert "p.gpkg › grids › C001-002" in line
    assert "251 households" in line
    assert "cut it otherwise" in line


def test_every_key_has_texts_and_a_mend() -> None:
    room = load_room("check")
    source = "".join(p.read_text(encoding="utf-8") for p in
                     (Path(__file__).parents[1] / "gridplan" / "check").glob("*.py"))
    for name in room:
        if not name.endswith(".mend"):
            assert name in source
            assert f"{name}.mend" in room
    told = set().union(*(s[2] for s in SPOILT), *(r[2] for r in REDRAWN))
    assert told <= set(room)


def brute_force(load: list[int], edges: list[tuple[int, int]], low: int, high: int) -> bool:
    """Try every assignment of units to pieces."""
    n = len(load)
    for labels in itertools.product(range(n), repeat=n):
        if any(labels[k] > max(labels[:k], default=-1) + 1 for k in range(n)):
            continue
        groups = [[k for k in range(n) if labels[k] == g] for g in set(labels)]
        if all(low <= sum(load[k] for k in g) <= high for g in groups) and all(
                label_pieces(len(g), *_inside(g, edges)).max() == 0 for g in groups):
            return True
    return False


def _inside(group: list[int], edges: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    held = [(group.index(a), group.index(b)) for a, b in edges if a in group and b in group]
    pairs = np.array(held, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


@pytest.mark.parametrize("seed", range(60))
def test_the_search_agrees_with_trying_everything(seed: int) -> None:
    rng = random.Random(seed)
    n = rng.randint(2, 7)
    load = [rng.choice((0, 0, 40, 120, 150, 180, 283, 440)) for _ in range(n)]
    edges = [(k, rng.randrange(k)) for k in range(1, n)]
    edges += [(a, b) for a, b in itertools.combinations(range(n), 2)
              if rng.random() < 0.2 and (b, a) not in edges]
    assert can_be_cut(load, edges, 300, 500) == brute_force(load, edges, 300, 500)


def test_empty_land_joins_one_pair_only() -> None:
    """Four arms of 150 round an empty middle: it can join two of them, not both pairs."""
    star = [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert can_be_cut([0, 150, 150, 150, 150], star, 300, 500) is False
    assert can_be_cut([0, 150, 150, 150, 150], [*star, (1, 2)], 300, 500) is True


def test_the_search_gives_up_rather_than_guess() -> None:
    side = 6
    edges = [(k, k + 1) for k in range(side * side) if k % side < side - 1]
    edges += [(k, k + side) for k in range(side * (side - 1))]
    rng = random.Random(4)
    load = [2 * rng.randint(10, 30) for _ in range(side * side)]
    load[0] += -sum(load) % 8
    target = sum(load) // 4
    assert can_be_cut(load, edges, target, target, work=50) is None


@pytest.mark.parametrize("total", range(1, 2000, 7))
def test_what_fits_by_count_is_what_some_number_of_grids_holds(total: int) -> None:
    assert fits_count(total, 300, 500) == any(300 * k <= total <= 500 * k for k in range(1, 9))


def test_borders_without_common_vertices_are_found_too() -> None:
    tall, low, high = box(0, 0, 10, 20), box(10, 0, 20, 5), box(10, 5, 20, 20)
    held = shared_segments(np.array([tall, low, high]), np.zeros(3, dtype=np.int64))
    pairs = sum_pairs(held.left, held.right, held.length_m, 3)
    assert list(zip(pairs.left, pairs.right, pairs.total, strict=True)) == [
        (0, 1, 5.0), (0, 2, 15.0), (1, 2, 10.0)]


def test_neighbours_share_a_metre_and_a_community() -> None:
    squares = np.array([box(0, 0, 10, 10), box(10, 9.5, 20, 20), box(0, 10, 10, 20)])
    held = shared_segments(squares, np.zeros(3, dtype=np.int64))
    pairs = touching(sum_pairs(held.left, held.right, held.length_m, 3))
    assert list(zip(pairs.left, pairs.right, strict=True)) == [(0, 2), (1, 2)]
    apart = shared_segments(squares, np.array([0, 0, 1]))
    assert set(zip(apart.left.tolist(), apart.right.tolist(), strict=True)) == {(0, 1)}
