"""A real QGIS opens a plan: it draws it as we wrote it, and nobody's edits are lost.

Needs QGIS 3.22 or later for the system's Python (``apt-get install python3-qgis``).
"""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import textwrap
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from gridplan.layers import LAYERS
from gridplan.plan import Plan, column_title, read_plan, write_plan

CRS = "EPSG:4534"
HEAD = """
import json, sys
from qgis.core import *
app = QgsApplication([], False)
app.initQgis()
def layer(name):
    found = QgsVectorLayer(f"{sys.argv[1]}|layername={name}", name, "ogr")
    assert found.isValid(), name
    return found
def say(value):
    print("=>" + json.dumps(value), flush=True)
"""


def find_python() -> str | None:
    for python in (os.environ.get("QGIS_PYTHON"), "/usr/bin/python3", shutil.which("python3")):
        if python and subprocess.run([python, "-c", "import qgis.core"], capture_output=True,
                                     check=False).returncode == 0:
            return python
    return None


PYTHON = find_python()
pytestmark = pytest.mark.skipif(PYTHON is None, reason="no Python with QGIS on this machine")


@contextlib.contextmanager
def qgis(code: str, path: Path):
    """Run code inside QGIS; ``answer()`` reads what it says, ``go()`` lets it go on."""
    process = subprocess.Popen(
        [PYTHON, "-c", HEAD + textwrap.dedent(code), str(path)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})

    def answer():
        for line in process.stdout:
            if line.startswith("=>"):
                return json.loads(line[2:])
        raise AssertionError(process.stderr.read()[-2000:])

    def go():
        process.stdin.write("\n")
        process.stdin.flush()

    process.answer, process.go = answer, go
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    boxes = [shapely.box(i * 100, 0, i * 100 + 100, 100) for i in range(3)]
    grids = gpd.GeoDataFrame(
        {"grid_id": ["g1", "g2", "g3"], "seq": [1, 2, 3], "households": [350, 480, 200],
         "name": ["第一网格", "<b>2</b>", None], "status": ["ok", "ok", "small"]},
        geometry=boxes, crs=CRS)
    layers = {name: Plan({}, CRS).layer(name) for name in LAYERS}
    run = pd.DataFrame({"key": ["seed"], "value": ["1"]})
    communities = gpd.GeoDataFrame({"community_id": ["c"], "name": ["东街社区"]},
                                   geometry=[shapely.box(0, 0, 400, 100)], crs=CRS)
    layers |= {"grids": grids, "communities": communities, "run": run}
    write_plan(Plan(layers, CRS), tmp_path / "plan.gpkg",
               lang="zh")
    return tmp_path / "plan.gpkg"


def test_every_layer_loads_our_style_and_titles(path):
    code = """
    told = {}
    for name in json.loads(sys.stdin.readline()):
        found = layer(name)
        message, loaded = found.loadDefaultStyle()
        renderer = found.renderer()
        told[name] = [loaded, renderer.type() if renderer else "",
                      {f.name(): found.attributeAlias(i)
                       for i, f in enumerate(found.fields()) if f.name() != "fid"}]
    say(told)
    """
    with qgis(code, path) as process:
        process.stdin.write(json.dumps(list(LAYERS)) + "\n")
        process.stdin.flush()
        told = process.answer()
    for name, (loaded, renderer, titles) in told.items():
        assert loaded, name
        if LAYERS[name].geometry not in ("", "Unknown"):
            ruled = name in ("grids", "roads", "borders", "barriers")
            assert renderer == ("RuleRenderer" if ruled else "singleSymbol")
        assert titles == {c: column_title(name, c, "zh") for c in LAYERS[name].names}


def test_grids_are_drawn_in_the_colour_of_their_class_and_exceptions_hatched(path):
    code = """
    from qgis.PyQt.QtCore import QSize
    from qgis.PyQt.QtGui import QColor
    grids = layer("grids")
    grids.loadDefaultStyle()
    label = grids.labeling().settings()
    grids.setLabelsEnabled(False)
    settings = QgsMapSettings()
    settings.setLayers([grids])
    settings.setOutputSize(QSize(600, 200))
    settings.setExtent(QgsRectangle(0, 0, 300, 100))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    say([[image.pixelColor(x, y).name() for x in (50, 150, 250, 350)] for y in (60, 140)]
        + [sorted({image.pixelColor(x, 100).name() for x in range(420, 580)}),
           label.fieldName, label.format().allowHtmlFormatting(), label.isExpression])
    """
    with qgis(code, path) as process:
        first, second, hatched, label, html, expression = process.answer()
    assert first == second == ["#d5e6dd", "#d5e6dd", "#5f9a92", "#5f9a92"]
    assert "#eef4f0" in hatched
    assert len(hatched) > 1
    assert "name" in label
    assert (html, expression) == (False, True)


def test_grids_and_communities_are_labelled_together(path):
    code = """
    from qgis.PyQt.QtCore import QSize
    layers = [layer("communities"), layer("grids")]
    for each in layers:
        each.loadDefaultStyle()
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setOutputSize(QSize(2000, 500))
    settings.setExtent(QgsRectangle(0, 0, 400, 100))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    found = job.takeLabelingResults().labelsWithinRect(settings.extent())
    say(sorted(label.labelText for label in found))
    """
    with qgis(code, path) as process:
        assert process.answer() == sorted(["3", "<b>2</b>", "东街社区", "第一网格"])


def test_b93_edits_in_qgis_survive_a_run(path):
    """QGIS saves one edit and has another open; the run writes beside it and loses neither."""
    code = """
    grids = layer("grids")
    rows = {f["grid_id"]: f.id() for f in grids.getFeatures()}
    note = grids.fields().indexOf("note")
    grids.startEditing()
    grids.changeAttributeValue(rows["g1"], note, "saved")
    assert grids.commitChanges(), grids.commitErrors()
    grids.startEditing()
    grids.changeAttributeValue(rows["g2"], note, "open")
    say("editing")
    sys.stdin.readline()
    assert grids.commitChanges(), grids.commitErrors()
    say("saved")
    sys.stdin.readline()
    """
    plan = read_plan(path)
    with qgis(code, path) as process:
        assert process.answer() == "editing"
        held = read_plan(path)
        assert held.layers["grids"]["note"].fillna("").tolist() == ["saved", "", ""]
        assert write_plan(plan, path).copied
        written = write_plan(held, path)
        assert written.copied
        process.go()
        assert process.answer() == "saved"
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        assert db.execute("SELECT note FROM grids ORDER BY grid_id").fetchall() == [
            ("saved",), ("open",), (None,)]
    assert read_plan(path).layers["grids"]["note"].fillna("").tolist() == ["saved", "open", ""]
    assert read_plan(written.path).layers["grids"]["note"].fillna("").tolist() == [
        "saved", "", ""]


def test_b93_looking_at_a_plan_in_qgis_and_closing_it_does_not_count_as_an_edit(path):
    plan = read_plan(path)
    code = """
    grids = layer("grids")
    grids.loadDefaultStyle()
    say(len(list(grids.getFeatures())))
    sys.stdin.readline()
    del grids
    app.exitQgis()
    say("closed")
    """
    with qgis(code, path) as process:
        assert process.answer() == 3
        process.go()
        assert process.answer() == "closed"
        process.wait(timeout=30)
    assert not write_plan(plan, path).copied


def test_b93_a_run_while_qgis_looks_at_the_plan_replaces_it_and_says_so(path):
    code = """
    grids = layer("grids")
    rows = {f["grid_id"]: f.id() for f in grids.getFeatures()}
    note = grids.fields().indexOf("note")
    say("open")
    sys.stdin.readline()
    grids.startEditing()
    grids.changeAttributeValue(rows["g2"], note, "later")
    assert grids.commitChanges(), grids.commitErrors()
    say("saved")
    sys.stdin.readline()
    """
    plan = read_plan(path)
    renamed = plan.with_layers(grids=plan.layers["grids"].assign(contents="new"))
    with qgis(code, path) as process:
        assert process.answer() == "open"
        written = write_plan(renamed, path)
        assert (written.copied, written.note.key) == (False, "outputs.open_elsewhere")
        process.go()
        assert process.answer() == "saved"
    grids = read_plan(path).layers["grids"]
    assert grids["contents"].tolist() == ["new"] * 3
    assert grids["note"].fillna("").tolist() == ["", "later", ""]
