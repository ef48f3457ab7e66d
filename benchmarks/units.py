"""``python -m benchmarks.units``: write the units of a city or a town as instances.

python -m benchmarks.units --city FOLDER -o DIR
python -m benchmarks.units --town 101 --communities 24 -o DIR
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from benchmarks.partition.instances import label_pieces
from benchmarks.partition.parts import HIGH, LOW, Ints
from gridplan.blocks import build_units
from gridplan.errors import Findings
from gridplan.layers import Study, UnitBorders, Units
from gridplan.params import HouseholdParams, Params
from gridplan.partition import partition_units
from gridplan.pipeline import count_households
from gridplan.read import clean_study, read_layers
from gridplan.town import build_town

MIN_SHARED_M = 1.0
CITY_FILES = {"outline": "boundaries.parquet", "buildings": "buildings.parquet",
              "roads": "roads.parquet", "rail": "railways.parquet", "water": "water.parquet"}

logger = logging.getLogger("benchmarks")


def main(words: Sequence[str] | None = None) -> int:
    """Make an instance out of files or of a town and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.units",
                                     description="Write a city or town as an instance.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--city", type=Path, metavar="FOLDER",
                        help=f"a folder of {', '.join(CITY_FILES.values())}; communities are "
                             "delineated")
    source.add_argument("--town", type=int, metavar="SEED", help="a synthetic town")
    parser.add_argument("--communities", type=int, default=24, metavar="N", help="of the town")
    parser.add_argument("--household-size", type=float, metavar="X", help="people a household")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR")
    arguments = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    params = Params()
    if arguments.household_size:
        params = Params(households=HouseholdParams(household_size=arguments.household_size))
    if arguments.city:
        name, study = arguments.city.name, read_city(arguments.city, params)
    else:
        name = f"town{arguments.town}x{arguments.communities}"
        study = build_town(arguments.communities, arguments.town).study
    units, community = make_units(study, params)
    frame, edges = make_tables(units, community)
    arguments.output.mkdir(parents=True, exist_ok=True)
    target = arguments.output / f"{name}_units.parquet"
    frame.to_parquet(target)
    edges.to_parquet(arguments.output / f"{name}_edges.parquet")
    logger.info("%s: %d units, %d households, %d borders, %d communities", target, len(frame),
                frame["hh"].sum(), len(edges), frame["community"].nunique())
    return 0


def read_city(folder: Path, params: Params) -> Study:
    """Read the layers of a city whose communities are to be delineated."""
    findings = Findings()
    raw, sources = read_layers({role: str(folder / file) for role, file in CITY_FILES.items()},
                               findings=findings)
    return clean_study(raw, sources, params, findings, delineate=True)


def make_units(study: Study, params: Params) -> tuple[Units, NDArray[np.object_]]:
    """Return the units of a study and each one's community, proposed where none are drawn."""
    buildings = count_households(study, params, Findings())
    units = build_units(study, buildings["households"], params.blocks)
    if study.communities is not None:
        return units, units.frame["community_id"].to_numpy(dtype=object)
    drawn = partition_units(study, units, buildings, params).communities
    points = shapely.point_on_surface(units.frame.geometry.to_numpy())
    unit, town = shapely.STRtree(drawn.geometry.to_numpy()).query(points, predicate="intersects")
    community = np.full(len(points), "", dtype=object)
    community[unit] = drawn["community_id"].to_numpy(dtype=object)[town]
    return units, community


def make_tables(units: Units, community: NDArray[np.object_]
                ) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Return the tables of an instance: the land that is to be cut, and its borders.

    What the plan takes out before it cuts is left out: special places, buildings above the
    range, and pieces of a community whose households no number of grids can share.
    """
    borders = tabulate_borders(units.borders)
    number = pd.factorize(community)[0]
    i, j = borders["i"].to_numpy(), borders["j"].to_numpy()
    held = (units.frame["special_id"].isna() & (units.frame["biggest"] <= HIGH)
            & (community != "")).to_numpy(dtype=bool)
    joined = held[i] & held[j] & (number[i] == number[j])
    piece = label_pieces(len(held), i[joined], j[joined])
    total = np.bincount(piece, units.frame["households"].to_numpy())
    feasible = (total >= LOW) & (np.ceil(total / HIGH) <= total // LOW)
    kept = np.flatnonzero(held & feasible[piece])
    logger.info("%d of %d units are left out, with %d of %d households", len(held) - len(kept),
                len(held), units.frame["households"].drop(units.frame.index[kept]).sum(),
                units.frame["households"].sum())
    frame = gpd.GeoDataFrame(
        {"bid": np.arange(len(kept)), "hh": units.frame["households"].to_numpy(np.int64)[kept],
         "uid": units.frame.index.to_numpy(dtype=object)[kept].astype(str),
         "community": community[kept].astype(str)},
        geometry=units.frame.geometry.to_numpy()[kept], crs=units.frame.crs)
    place = np.full(len(held), -1, np.int64)
    place[kept] = np.arange(len(kept))
    rows = borders[joined & (place[i] >= 0) & (place[j] >= 0)].copy()
    rows["i"], rows["j"] = place[rows["i"]], place[rows["j"]]
    return frame, rows.reset_index(drop=True)


def tabulate_borders(borders: UnitBorders) -> pd.DataFrame:
    """Sum pieces of border by pair of units, class and whether a major line runs there."""
    left: Ints = np.minimum(borders.left, borders.right)
    table = pd.DataFrame({"i": left, "j": np.maximum(borders.left, borders.right),
                          "cls": borders.border_class, "major": borders.major,
                          "length_m": borders.length_m})
    table = table[table["i"] != table["j"]]
    rows = table.groupby(["i", "j", "cls", "major"], as_index=False)["length_m"].sum()
    shared = rows.groupby(["i", "j"])["length_m"].transform("sum")
    return rows[shared >= MIN_SHARED_M].reset_index(drop=True)


if __name__ == "__main__":
    sys.exit(main())
