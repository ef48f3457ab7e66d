"""The verbs circle and site: on a town, from files, at the command line and in plain Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image, TiffImagePlugin
from typer.testing import CliRunner

from gridplan.check import check_plan
from gridplan.cli import app
from gridplan.errors import Findings
from gridplan.params import Params, PartitionParams
from gridplan.pipeline import plan_city
from gridplan.plan import read_plan, write_plan
from gridplan.town import build_town

ROOT = Path(__file__).parents[1]
HEAD = "profile,category,limit_m,grade,source\n"
OSM = """<osm version="0.6">{nodes}{ways}</osm>"""


def gridplan(*words, lang="en"):
    return CliRunner().invoke(app, [*map(str, words), "--lang", lang], catch_exceptions=False)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """plan.gpkg of a small town, circle.gpkg with its circle, sited.gpkg with three sites."""
    held = tmp_path_factory.mktemp("circle")
    params = Params(partition=PartitionParams(effort="fast"))
    write_plan(plan_city(build_town(2, 5).study, params, Findings()), held / "plan.gpkg")
    done = gridplan("circle", held / "plan.gpkg", "-o", held / "circle.gpkg", "--json")
    assert done.exit_code == 0, done.output
    (held / "said.json").write_text(done.stdout, encoding="utf-8")
    done = gridplan("site", held / "circle.gpkg", "--category", "health_station", "--new", "3",
                    "-o", held / "sited.gpkg")
    assert done.exit_code == 0, done.output
    (held / "sited.txt").write_text(done.stdout, encoding="utf-8")
    return held


@pytest.fixture
def files(folder, tmp_path):
    for path in folder.glob("*.gpkg"):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path


def refusal(*words, code=3, lang="en"):
    result = gridplan(*words, lang=lang)
    assert result.exit_code == code, result.output
    return result.stderr


def test_a_circle_is_put_into_the_plan_and_verified(folder):
    plan = read_plan(folder / "circle.gpkg")
    rows = plan.layer("coverage")
    assert set(rows["scope"]) == {"city", "subdistrict", "community", "grid"}
    assert set(rows["walker"]) == {"adult", "older", "frail"}
    told = json.loads((folder / "said.json").read_text(encoding="utf-8"))["circle"]
    assert told["completeness"] == plan.figure("completeness", "all")
    assert len(told["worst"]) == 3
    report = check_plan(folder / "circle.gpkg")
    assert report.ok, [f.line() for f in report.findings("plan")][:5]


def test_the_same_command_gives_the_same_bytes(files, folder):
    again = files / "again.gpkg"
    assert gridplan("circle", files / "plan.gpkg", "-o", again).exit_code == 0
    assert again.read_bytes() == (folder / "circle.gpkg").read_bytes()


def test_sites_say_how_good_they_are_and_are_verified(folder):
    plan = read_plan(folder / "sited.gpkg")
    sites, said = plan.layer("sites"), (folder / "sited.txt").read_text(encoding="utf-8")
    gained = int(sites["gained_households"].sum())
    assert f"covers {gained:,} more households" in said
    assert sites["rank"].tolist() == [1, 2, 3]
    rows = plan.layer("coverage").set_index(
        ["scope", "scope_id", "category", "walker", "reading"])
    before, after = (int(rows.loc[("city", "all", c, "adult", "near"), "covered"])
                     for c in ("health_station", "health_station:after"))
    assert after - before == gained
    report = check_plan(folder / "sited.gpkg")
    assert report.ok, [f.line() for f in report.findings("plan")][:5]


def test_choosing_again_replaces_the_sites_of_that_category_only(files):
    path = files / "sited.gpkg"
    assert gridplan("site", path, "--category", "bank", "--new", "1").exit_code == 0
    assert gridplan("site", path, "--category", "health_station", "--new", "2").exit_code == 0
    sites = read_plan(path).layer("sites")
    assert sites["category"].value_counts().to_dict() == {"health_station": 2, "bank": 1}
    assert check_plan(path).ok


def test_a_plan_without_a_circle_gets_one_when_sites_are_chosen(files):
    path = files / "plan.gpkg"
    done = gridplan("site", path, "--category", "pharmacy", "--cover", "0.9", lang="zh")
    assert done.exit_code == 0, done.output
    plan = read_plan(path)
    assert plan.figure("sites_needed:pharmacy", "all") == len(plan.layer("sites"))
    assert check_plan(path).ok


@pytest.mark.parametrize(("words", "code", "said"), [
    (["--category", "park"], 2, "--new"),
    (["--category", "park", "--new", "2", "--mean", "1"], 2, "--mean"),
    (["--category", "prak", "--new", "2"], 3, "prak"),
    (["--category", "park", "--cover", "1.5"], 2, "--cover"),
    (["--category", "park", "--new", "2", "--limit", "1"], 0, ""),
])
def test_a_request_that_does_not_fit_is_refused(files, words, code, said):
    result = gridplan("site", files / "circle.gpkg", *words)
    assert result.exit_code == code, result.output
    assert said in result.stderr


def test_what_no_candidates_can_cover_is_refused_and_nothing_written(files):
    before = (files / "circle.gpkg").read_bytes()
    table = files / "plots.csv"
    at = read_plan(files / "circle.gpkg").layer("facilities").to_crs(4326).geometry.iloc[0]
    table.write_text(f"id,lon,lat\na,{at.x},{at.y}\n", encoding="utf-8")
    said = refusal("site", files / "circle.gpkg", "--category", "health_station", "--cover", "1",
                   "--candidates", table, code=4)
    assert "plots.csv" in said
    assert (files / "circle.gpkg").read_bytes() == before


def test_scripts_do_what_the_verbs_do(files):
    for script, *rest in (("circle.py", files / "plan.gpkg", files / "a.gpkg"),
                          ("site.py", files / "a.gpkg", "health_station", "3", files / "b.gpkg")):
        done = subprocess.run([sys.executable, ROOT / "scripts" / script, *map(str, rest)],
                              cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip().endswith(str(rest[-1]))
    a, b = read_plan(files / "b.gpkg"), read_plan(files / "sited.gpkg")
    assert a.layer("sites").drop(columns="geometry").equals(
        b.layer("sites").drop(columns="geometry"))


def test_a_merger_leaves_the_circle_out_and_says_so(files):
    done = gridplan("merge", files / "sited.gpkg", "--communities", "1", "-o", files / "one.gpkg")
    assert done.exit_code == 0, done.output
    assert "circle_left_out" in done.stderr
    assert not len(read_plan(files / "one.gpkg").layer("coverage"))


# ---- files that come from outside ----------------------------------------------------------

def write_facilities(path, plan, *rows, more=""):
    centre = shapely.union_all(plan.layer("grids").geometry.to_numpy()).centroid
    line = plan.layer("roads")
    x, y = shapely.get_coordinates(line.distance(centre).pipe(
        lambda d: line.geometry.loc[d.idxmin()].centroid))[0]
    head = "id,name,类别,x,y,capacity"
    lines = [f"{i},{name},{kind},{x + dx},{y},{room}" for i, name, kind, dx, room in rows]
    path.write_text("\n".join([head, *lines]), encoding="utf-8")
    return path


def test_facilities_of_a_file_take_the_place_of_the_plan_s(files):
    plan = read_plan(files / "plan.gpkg")
    table = write_facilities(files / "f.csv", plan, ("1", "甲", "药店", 0, 5),
                             ("2", "乙", "park", 20, ""), ("3", "丙", "park", 90_000, ""))
    done = gridplan("circle", files / "plan.gpkg", "--facilities", table, "--crs",
                    plan.crs.to_string(), "--json", "-o", files / "c.gpkg")
    assert done.exit_code == 0, done.output
    held = read_plan(files / "c.gpkg")
    assert held.layer("facilities")["categories"].tolist() == ["pharmacy", "park"]
    row = held.layer("tally").set_index(["stage", "layer"]).loc[("circle", "facilities")]
    assert (row["rows_in"], row["used"], row["outside"]) == (3, 2, 1)
    assert check_plan(files / "c.gpkg").ok


def test_planned_facilities_stand_beside_those_there_are(files):
    plan = read_plan(files / "plan.gpkg")
    table = write_facilities(files / "later.csv", plan, ("9", "新", "bank", 0, ""))
    done = gridplan("circle", files / "plan.gpkg", "--after", table, "--crs", plan.crs.to_string(),
                    "-o", files / "c.gpkg")
    assert done.exit_code == 0, done.output
    rows = read_plan(files / "c.gpkg").layer("coverage")
    assert "bank:after" in set(rows["category"])
    assert check_plan(files / "c.gpkg").ok


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_unknown_categories_and_negative_capacities_name_file_and_row(files, lang):
    plan = read_plan(files / "plan.gpkg")
    words = ["circle", files / "plan.gpkg", "--crs", plan.crs.to_string(), "--facilities"]
    unknown = write_facilities(files / "u.csv", plan, ("1", "甲", "prak", 0, ""))
    said = refusal(*words, unknown, lang=lang)
    assert all(word in said for word in ("u.csv", "prak", "park"))
    negative = write_facilities(files / "n.csv", plan, ("1", "甲", "park", 0, -4))
    said = refusal(*words, negative, lang=lang)
    assert all(word in said for word in ("n.csv", "-4", "capacity"))


def test_a_table_without_sources_is_refused(files):
    table = files / "ours.csv"
    table.write_text(HEAD + "p,park,500,,\np,bank,-1,C,law\n", encoding="utf-8")
    said = refusal("circle", files / "plan.gpkg", "--categories", table, "--profile", "p")
    assert all(word in said for word in ("ours.csv", "source", "grade", "limit_m"))


def test_a_profile_that_is_not_there_is_refused(files):
    assert "gb50180-draft" in refusal("circle", files / "plan.gpkg", "--profile", "nobody's")
    assert "--walker" in refusal("circle", files / "plan.gpkg", "--walker", "ghost", code=2)


def write_heights(path):
    """Write a GeoTIFF of one hectare far from the town, in EPSG:4326."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, kind, values in ((33550, 12, (0.001, 0.001, 0.0)),
                              (33922, 12, (0.0, 0.0, 0.0, 10.0, 50.0, 0.0)),
                              (34735, 3, (1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1,
                                          4326))):
        tags.tagtype[tag] = kind
        tags[tag] = values
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(path, tiffinfo=tags)
    return path


def test_heights_that_do_not_cover_the_town_are_refused(files):
    heights = write_heights(files / "h.tif")
    said = refusal("circle", files / "plan.gpkg", "--elevation", heights)
    assert "h.tif" in said
    assert "network.elevation_cover" in said


def test_a_plan_and_points_at_once_are_refused(files):
    assert "--demand" in refusal("circle", files / "plan.gpkg", "--demand", "x.csv", code=2)
    assert "--osm" in refusal("circle", "--demand", "x.csv", "-o", files / "x.gpkg", code=2)


def write_extract(path):
    """Draw one street of 600 m to the east with a pharmacy at its western end."""
    at = [(31.0, 117.0 + 0.001 * k) for k in range(7)]
    nodes = "".join(f'<node id="{k + 1}" version="1" lat="{a}" lon="{b}">' + (
        '<tag k="amenity" v="pharmacy"/>' if k == 0 else "") + "</node>"
        for k, (a, b) in enumerate(at))
    refs = "".join(f'<nd ref="{k + 1}"/>' for k in range(7))
    way = f'<way id="1" version="1">{refs}<tag k="highway" v="residential"/></way>'
    path.write_text(OSM.format(nodes=nodes, ways=way), encoding="utf-8")
    return path


def test_points_of_demand_are_measured_without_a_plan(tmp_path):
    points = tmp_path / "points.csv"
    points.write_text("id,lon,lat,people,schools\n" + "".join(
        f"p{k},{117.0 + 0.001 * k},31.0001,23,{int(k == 6)}\n" for k in range(7)),
        encoding="utf-8")
    words = ["circle", "--demand", points, "--osm", write_extract(tmp_path / "t.osm"),
             "--column", "demand.population=people", "-o", tmp_path / "out.gpkg"]
    done = gridplan(*words, "--count", "schools=primary_school")
    assert done.exit_code == 0, done.output
    plan = read_plan(tmp_path / "out.gpkg")
    rows = plan.layer("coverage")
    city = rows[(rows["scope"] == "city") & (rows["walker"] == "adult") & (
        rows["reading"] == "near")].set_index("category")
    assert (city["households"] == 70).all()
    # 95 m of street from one point to the next, and 11 m to the street.
    assert city.loc["pharmacy", "covered"] == city.loc["primary_school", "covered"] == 60
    assert check_plan(tmp_path / "out.gpkg").ok
    assert gridplan("map", tmp_path / "out.gpkg").exit_code == 0
    assert "prim" in refusal(*words, "--count", "schools=prim", code=2)
    assert "school" in refusal(*words, "--count", "school=primary_school")
