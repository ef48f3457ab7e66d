"""The town, whole: inputs of a study and the tables that planners and dispatchers bring."""

from __future__ import annotations

from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.errors import Finding, UsageError
from gridplan.layers import Study, conform_input
from gridplan.town.facilities import make_facilities
from gridplan.town.ground import fill_blocks, make_buildings, make_communities
from gridplan.town.layout import CITY, Layout, lay_out
from gridplan.town.names import Names, spell_number
from gridplan.town.patrol import make_calendar, make_stations, make_stops, make_teams
from gridplan.town.people import make_ledger, make_staff
from gridplan.town.sketch import Sketch
from gridplan.town.streets import bend_spans, make_barriers, make_roads
from gridplan.town.together import make_must_links

CRS = 4549  # CGCS2000, 3° zone of 120° E
# Buildings a community, a little fewer than there are, so that sheds can be left out. A city has
# more old quarters and villages, and those have more buildings.
_CITY_BUILDINGS, _TOWN_BUILDINGS = 740, 450
_DOOR_M = 26.0  # length of a slab served by one entrance


@dataclass(frozen=True)
class Town:
    """A synthetic town: its checked inputs, and what else an office there would keep.

    Attributes
    ----------
    study
        Communities, buildings, roads, barriers, estates, gates, entrances, special places,
        must-links, facilities and household totals, in EPSG:4549 (metres).
    staff
        Indexed by staff_id.
    teams, stations, stops, calendar
        What a dispatcher of patrols gives, each indexed by its key; stations are facilities.
    ledger
        Households by estate and building number, as a clerk would spell them.
    truth
        The true households per building_id, also where ``study.buildings`` does not give them;
        they add up to the totals.
    difficult
        The community_id of each deliberate difficulty: ``small`` (260 households), ``awkward``
        (550), ``tower`` (one building of 620) and ``exclave`` (a community of two pieces).
    """

    study: Study
    staff: pd.DataFrame
    teams: pd.DataFrame
    stations: gpd.GeoDataFrame
    stops: gpd.GeoDataFrame
    calendar: pd.DataFrame
    ledger: pd.DataFrame
    truth: pd.Series
    difficult: dict[str, str]

    @property
    def totals(self) -> pd.Series:
        """Households per community_id."""
        assert self.study.totals is not None
        return self.study.totals


def build_town(communities: int = 12, seed: int = 1, *, buildings: int | None = None) -> Town:
    """Build a synthetic Chinese-style town of any size.

    Roads from arterials to lanes, a river, a railway, walled estates, old quarters, villages at
    the edge, special places and all the difficulties that a plan has to cope with. The same
    arguments give the same town, to the last bit.

    Parameters
    ----------
    communities
        How many communities, about 3,000 households each. A town of fewer than four has no
        communities of 260 and 550 households and no exclave.
    seed
        Another seed, another town.
    buildings
        How many buildings instead of how many communities, about 500 each in a town and
        750 in a city; sheds are left out
        to meet the number.

    Raises
    ------
    UsageError
        Fewer than one community or building is asked for.

    Examples
    --------
    >>> town = build_town(4)
    >>> [int(town.totals[town.difficult[name]]) for name in ("small", "awkward")]
    [260, 550]
    """
    if communities < 1 or (buildings is not None and buildings < 1):
        raise UsageError(Finding("town.size"))
    if buildings is not None:
        communities = _communities_for(buildings)
    layout = lay_out(communities, seed)
    names = Names(np.random.default_rng([seed, 3]))
    sketch = fill_blocks(layout, seed)
    roads = make_roads(layout, sketch, names, CRS)
    barriers = make_barriers(layout, sketch, names, CRS)
    placed, shapes = make_buildings(layout, sketch, roads, barriers, buildings)
    owners = make_communities(layout, names, CRS)
    estates, gates = _make_estates(layout, sketch, placed, names, seed)
    frame, truth = _make_buildings(layout, owners, placed, shapes, seed)
    totals = truth.groupby(frame["community_id"].to_numpy()).sum().reindex(
        owners.index, fill_value=0).sort_index()
    totals.index.name = "community_id"
    study = Study(
        outline=shapely.coverage_union_all(owners.geometry.to_numpy()), buildings=frame,
        roads=roads, communities=owners.sort_index(), barriers=barriers, estates=estates,
        gates=gates, entrances=_make_entrances(frame),
        specials=_make_specials(layout, sketch, names), totals=totals,
        facts={"name": names.take("市"), "household_basis": "registered",
               "household_date": "2026-06-30"})
    links = make_must_links(frame, owners, truth)
    study = replace(study, facilities=make_facilities(study, names, seed),
                    must_links=links if len(links) else None)
    difficult = {name: str(owners.index[k]) for name, k in layout.difficult.items()}
    teams = make_teams(study)
    return Town(study, make_staff(study, truth, seed), teams, make_stations(study),
                make_stops(study), make_calendar(teams), make_ledger(study, truth, seed), truth,
                difficult)


def _communities_for(buildings: int) -> int:
    """Return how many communities have a few more than so many buildings."""
    city = round(buildings / _CITY_BUILDINGS)
    return city if city >= CITY else min(max(round(buildings / _TOWN_BUILDINGS), 1), CITY)


def _make_estates(layout: Layout, sketch: Sketch, placed: pd.DataFrame, names: Names, seed: int
                  ) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    rng = np.random.default_rng([seed, 4])
    held = np.bincount(placed.loc[placed["estate"] >= 0, "estate"], minlength=len(sketch.estates))
    shapes = _as_multi(bend_spans(layout.lattice, [e.span for e in sketch.estates]))
    rows, gates = [], []
    for number, estate in enumerate(sketch.estates):
        if not held[number]:
            continue
        key = f"E{number + 1:05d}"
        old = estate.old_style
        rows.append((key, names.take_estate(), "none" if old and rng.random() < 0.35 else "company",
                     "due" if old and rng.random() < 0.5 else "done" if old else pd.NA,
                     estate.phases, shapes[number]))
        gates += [(key, *gate, k == 0) for k, gate in enumerate(estate.gates)]
    estates = gpd.GeoDataFrame(
        rows, columns=["estate_id", "name", "management", "renewal", "phases", "geometry"],
        geometry="geometry", crs=CRS)
    table = pd.DataFrame(gates, columns=["estate_id", "u", "v", "car"])
    points = shapely.points(layout.lattice.points(table["u"].to_numpy(), table["v"].to_numpy()))
    entries = gpd.GeoDataFrame(
        {"gate_id": [f"G{i + 1:05d}" for i in range(len(table))], "estate_id": table["estate_id"],
         "foot": True, "car": table["car"]}, geometry=points, crs=CRS)
    return conform_input("estates", estates), conform_input("gates", entries)


def _make_buildings(layout: Layout, owners: gpd.GeoDataFrame, placed: pd.DataFrame,
                    shapes: np.ndarray, seed: int) -> tuple[gpd.GeoDataFrame, pd.Series]:
    """Return the buildings as an office knows them, with gaps, and their true households."""
    rng = np.random.default_rng([seed, 9])
    community = np.array([b.community for b in layout.blocks])[placed["block"]]
    rows, truth = len(placed), placed["households"].to_numpy()
    inside, home = (placed["estate"] >= 0).to_numpy(), truth > 0
    given = placed["given"].to_numpy() & home
    crowd = np.round(truth * rng.uniform(2.1, 3.0, rows))
    # A few buildings are known by their people, a few by their height alone.
    counted = given | (home & ~given & (rng.random(rows) < 0.05))
    newcomers = np.round(crowd * rng.beta(1.5, 6.0, rows))
    rented = np.minimum(np.round(truth * rng.beta(1.5, 5.0, rows)), truth)
    floors = placed["floors"].to_numpy()
    low, lost = (placed["use"] == "house").to_numpy(), rng.random(rows)
    height = np.where(rng.random(rows) < 0.7, np.round(floors * 3.0 + 0.6, 1), np.nan)
    estate = "E" + (placed["estate"] + 1).astype(str).str.zfill(5)
    frame = gpd.GeoDataFrame({
        "building_id": [f"B{i + 1:07d}" for i in range(rows)],
        "community_id": owners.index.to_numpy()[community],
        "estate_id": estate.where(inside),
        "number": placed["number"].astype(str).where(inside & home),
        "households": np.where(given, truth, np.nan),
        "households_source": pd.Series("given", placed.index).where(given),
        "population": np.where(counted, crowd, np.nan),
        "newcomers": np.where(given, newcomers, np.nan),
        "rented": np.where(given, rented, np.nan),
        "floors": np.where(low & ~given & (lost < 0.06), np.nan, floors),
        "height_m": height, "use": placed["use"].to_numpy(),
        "name": [f"{spell_number(p)}期{n}幢" if p else None for p, n in zip(
            placed["phase"], placed["number"], strict=True)]}, geometry=shapes, crs=CRS)
    known = conform_input("buildings", frame)
    return known, pd.Series(truth, index=known.index, name="households").astype("Int64")


def _make_entrances(buildings: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the doors of blocks of flats, on the side away from the sun."""
    flats = buildings[buildings["use"] == "apartments"]
    corners = shapely.get_coordinates(flats.geometry.to_numpy()).reshape(-1, 5, 2)
    west, east = corners[:, 3], corners[:, 2]
    doors = np.maximum(np.round(np.hypot(*(east - west).T) / _DOOR_M), 1).astype(int)
    building = np.repeat(np.arange(len(flats)), doors)
    order = np.arange(len(building)) - np.repeat(np.cumsum(doors) - doors, doors)
    share = ((order + 0.5) / doors[building])[:, None]
    points = west[building] + share * (east - west)[building]
    return conform_input("entrances", gpd.GeoDataFrame(
        {"entrance_id": [f"D{i + 1:06d}" for i in range(len(building))],
         "building_id": flats.index.to_numpy()[building]},
        geometry=shapely.points(np.round(points, 3)), crs=CRS))


def _make_specials(layout: Layout, sketch: Sketch, names: Names) -> gpd.GeoDataFrame:
    suffix = {"park": "公园", "market": "市场", "hospital": "医院", "campus": "学院",
              "industrial": "工业园"}
    return conform_input("specials", gpd.GeoDataFrame(
        {"special_id": [f"S{i + 1:04d}" for i in range(len(sketch.specials))],
         "kind": [role for role, _, _ in sketch.specials],
         "name": [names.take(suffix[role]) for role, _, _ in sketch.specials]},
        geometry=_as_multi(bend_spans(layout.lattice, [s for _, _, s in sketch.specials])),
        crs=CRS))


def _as_multi(polygons: np.ndarray) -> np.ndarray:
    return np.asarray(shapely.multipolygons(polygons, indices=np.arange(len(polygons))))
