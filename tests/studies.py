"""Small studies drawn by hand: streets, houses and communities that can be counted."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.layers import Study, conform_input

CROSS = [("secondary", [(200, -20), (200, 420)]), ("residential", [(-20, 200), (420, 200)])]
CRS = 32650


def houses_in_rows(west: float, south: float, columns: int, rows: int,
                   step: float = 30.0) -> list[shapely.Polygon]:
    return [shapely.box(west + step * i, south + step * j, west + step * i + 15,
                        south + step * j + 10) for j in range(rows) for i in range(columns)]


def make_study(houses: list[shapely.Geometry], households: list[int],
               roads: list[tuple[str, list[tuple[float, float]]]],
               communities: list[shapely.Polygon] | None = None, *,
               road_values: dict[str, object] | None = None,
               barriers: list[tuple[str, shapely.Geometry]] | None = None,
               estates: list[shapely.Polygon] | None = None,
               specials: list[shapely.Polygon] | None = None) -> tuple[Study, pd.Series]:
    communities = communities or [shapely.box(0, 0, 400, 400)]
    wards = gpd.GeoDataFrame({"community_id": [f"c{k}" for k in range(len(communities))]},
                             geometry=list(communities), crs=CRS)
    frame = gpd.GeoDataFrame({"building_id": [f"b{k:04d}" for k in range(len(houses))]},
                             geometry=houses, crs=CRS)
    overlap = shapely.area(shapely.intersection(frame.geometry.to_numpy()[:, None],
                                                np.array(communities)[None, :]))
    frame["community_id"] = [f"c{k}" for k in overlap.argmax(axis=1)]
    streets = gpd.GeoDataFrame(
        {"road_id": [f"r{k}" for k in range(len(roads))], "road_class": [r[0] for r in roads],
         "structure": "grade", "level": 0, **(road_values or {})},
        geometry=[shapely.LineString(r[1]) for r in roads], crs=CRS)

    def areas(key: str, shapes: list[shapely.Polygon] | None) -> gpd.GeoDataFrame | None:
        if shapes is None:
            return None
        layer = key.removesuffix("_id") + "s"
        return conform_input(layer, gpd.GeoDataFrame(
            {key: [f"{key[0]}{k}" for k in range(len(shapes))]}, geometry=shapes, crs=CRS))

    walls = None if barriers is None else conform_input("barriers", gpd.GeoDataFrame(
        {"barrier_id": [f"x{k}" for k in range(len(barriers))], "kind": [b[0] for b in barriers]},
        geometry=[b[1] for b in barriers], crs=CRS))
    study = Study(outline=shapely.union_all(communities),
                  buildings=conform_input("buildings", frame),
                  roads=conform_input("roads", streets),
                  communities=conform_input("communities", wards), barriers=walls,
                  estates=areas("estate_id", estates), specials=areas("special_id", specials))
    return study, pd.Series(households, index=study.buildings.index)
