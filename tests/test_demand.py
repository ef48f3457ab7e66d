"""Points of demand: what is read of them, and what stops."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridplan.errors import Findings, InputError
from gridplan.layers import Source, conform_input
from gridplan.params import HouseholdParams, Params
from gridplan.read import clean_demand, read_layers

CRS = "EPSG:4549"
X, Y = 600_000.0, 3_700_000.0


def points(*rows, **columns):
    shapes = [shapely.Point(X + x, Y + y) for x, y in rows]
    return conform_input("demand", gpd.GeoDataFrame(
        {"demand_id": [f"D{k}" for k in range(len(rows))], **columns}, geometry=shapes, crs=CRS))


def road(*rows):
    line = shapely.LineString([(X + x, Y + y) for x, y in rows])
    return conform_input("roads", gpd.GeoDataFrame(
        {"road_id": ["r"], "road_class": ["residential"]}, geometry=[line], crs=CRS))


def clean(findings=None, **raw):
    return clean_demand(raw, [Source(f"{n}.csv", n, "0" * 64, len(f)) for n, f in raw.items()],
                        Params(), findings or Findings())


def test_points_get_households_and_keep_their_place():
    study = clean(demand=points((0, 0), (400, 0), households=[3, 4]), roads=road((0, 10), (900, 9)))
    assert study.demand["households"].tolist() == [3, 4]
    assert shapely.get_x(study.demand.geometry.array).tolist() == [X, X + 400]
    assert study.roads["length_m"].iloc[0] == pytest.approx(900.0, abs=0.1)
    assert study.communities is None
    assert len(study.buildings) == 0


def test_households_given_go_before_those_of_the_population():
    study = clean(demand=points((0, 0), (400, 0), households=[7, None], population=[100, 46]),
                  roads=road((0, 10), (900, 9)))
    assert study.demand["households"].tolist() == [7, 20]


@given(st.lists(st.integers(0, 500), min_size=1, max_size=30))
def test_households_out_of_population_sum_to_the_rounded_sum(people):
    study = clean(demand=points(*((k, 0) for k in range(len(people))), population=people),
                  roads=road((0, 10), (900, 9)))
    whole, size = study.demand["households"], HouseholdParams().household_size
    assert whole.sum() == round(sum(p / size for p in people))
    assert all(abs(w - p / size) < 1 for w, p in zip(whole, people, strict=True))


def test_roads_beyond_the_demand_are_outside_and_tallied():
    findings = Findings()
    near, far = road((0, 10), (900, 9)), road((90_00, 0), (99_00, 0))
    study = clean(findings, demand=points((0, 0), (400, 0), households=[1, 1]),
                  roads=pd.concat([near, far.rename({"r": "s"})]))
    assert study.roads.index.tolist() == ["r"]
    row = next(t for t in findings.tally if t.layer == "roads")
    assert (row.rows_in, row.used, row.outside) == (2, 1, 1)


def test_an_area_counts_as_a_point_inside_it():
    frame = points((0, 0), households=[5])
    frame.geometry = shapely.buffer(np.asarray(frame.geometry.array), 50)
    study = clean(demand=frame, roads=road((0, 10), (900, 9)))
    assert study.demand.geometry.iloc[0].geom_type == "Point"


@pytest.mark.parametrize(("raw", "key", "layer"), [
    ({"demand": points((0, 0))}, "read.no_layer", "roads"),
    ({"roads": road((0, 0), (9, 9))}, "read.no_layer", "demand"),
    ({"demand": points(), "roads": road((0, 0), (9, 9))}, "read.empty_layer", "demand"),
    ({"demand": points((0, 0)), "roads": road((0, 0), (9, 9)).iloc[:0]}, "read.empty_layer",
     "roads"),
    ({"demand": points((0, 0)), "roads": road((5_000, 0), (6_000, 9))}, "read.nothing_inside",
     "roads"),
])
def test_what_is_missing_is_named(raw, key, layer):
    with pytest.raises(InputError) as caught:
        clean(**raw)
    assert (key, layer) in {(f.key, f.layer) for f in caught.value.findings}


def test_counts_below_zero_stop_the_reading(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("id,lon,lat,population\na,117.1,34.2,-5\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_layers({"demand": path}, findings=Findings())
    fault = caught.value.findings[0]
    assert (fault.key, fault.file, fault.layer, fault.field) == (
        "read.negative", "points.csv", "demand", "population")
