"""What the tests of bad inputs share: a small layer, reading it, and refusals."""

from __future__ import annotations

import geopandas as gpd
import pytest
import shapely

from gridplan.errors import Findings, InputError
from gridplan.read import read_layers

CRS = "EPSG:4548"
HOMES = [shapely.box(500_000 + 30 * i, 3_580_000, 500_020 + 30 * i, 3_580_020) for i in range(200)]
ROAD = gpd.GeoDataFrame(geometry=[shapely.LineString([(5e5, 3.58e6), (5e5 + 9, 3.58e6)])], crs=CRS)


@pytest.fixture(autouse=True)
def every_finding_can_be_told(monkeypatch):
    """Say each finding in both languages as soon as it is found, with its mend."""
    add = Findings.add

    def add_and_tell(self, key, outcome="error", **told):
        add(self, key, outcome, **told)
        finding = self.items[-1]
        for lang in ("en", "zh"):
            assert finding.what(lang) != key
            assert finding.mend(lang) or outcome == "repaired"
    monkeypatch.setattr(Findings, "add", add_and_tell)


def homes(**columns):
    columns = columns or {"id": [f"b{i}" for i in range(len(HOMES))]}
    rows = len(next(iter(columns.values())))
    return gpd.GeoDataFrame(columns, geometry=HOMES[:rows], crs=CRS)


def read(path, role="buildings", **options):
    """Read one file; return the frame and the findings."""
    findings = Findings()
    frames, _ = read_layers({role: path}, findings=findings, **options)
    return frames["barriers" if role in ("rail", "water", "walls") else role], findings


def refused(path, role="buildings", **options):
    """Read one file that must be refused; return its faults by key."""
    with pytest.raises(InputError) as caught:
        read(path, role, **options)
    faults = {f.key: f for f in caught.value.findings}
    for fault in faults.values():
        assert fault.file == path.name if hasattr(path, "name") else fault.file
    return faults


def drop_triggers(link):
    """Let rows of a GeoPackage be changed without the functions that GDAL brings."""
    for (name,) in link.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
        link.execute(f'DROP TRIGGER "{name}"')


def cut(path, share):
    path.write_bytes(path.read_bytes()[:int(path.stat().st_size * share)])


def keys(findings):
    return [f.key for f in findings.items]


def csv(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "homes.csv"
    path.write_bytes(text.encode(encoding))
    return path
