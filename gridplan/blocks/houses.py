"""Buildings as the cutting sees them: outlines, households, and which stands in which."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gridplan.blocks.noding import Geometries
from gridplan.layers import Study

Ints = NDArray[np.int64]

_OVERLAP = 0.05
# A building given as a point is a disc of this radius.
_DISC_M = 0.5


@dataclass(frozen=True)
class Houses:
    """Buildings, row by row: outline, households, host and estate number (-1 for none).

    The *host* is the row of the building that one stands in or runs into,
    itself when in none: guests go where their host goes, and its outline
    takes in theirs.
    """

    outline: Geometries
    households: Ints
    host: Ints
    estate: Ints

    def __len__(self) -> int:
        return len(self.outline)

    @property
    def is_host(self) -> NDArray[np.bool_]:
        """Whether each building stands in no other."""
        return self.host == np.arange(len(self.host))

    def take(self, rows: Ints) -> Houses:
        """Return some hosts, each with the households of its guests."""
        total = np.bincount(self.host, self.households, minlength=len(self.host))
        return Houses(self.outline[rows], total[rows].astype(np.int64), np.arange(len(rows)),
                      self.estate[rows])

    def load(self, place: Ints, places: int) -> Ints:
        """Return the households of each place, given the place of each building."""
        held = place >= 0
        return np.bincount(place[held], self.households[held], minlength=places).astype(np.int64)


def place_houses(study: Study, households: pd.Series) -> Houses:
    """Prepare the buildings of a study."""
    buildings = study.buildings
    outline = shapely.make_valid(buildings.geometry.to_numpy())
    outline = np.where(shapely.area(outline) > 0, outline, shapely.buffer(outline, _DISC_M))
    count = households.loc[buildings.index].to_numpy(dtype=np.int64)
    host = find_hosts(outline)
    return Houses(join_guests(outline, host), count, host, number_estates(buildings, study))


def join_guests(outline: Geometries, host: Ints) -> Geometries:
    """Return the outlines with that of every host grown by those of its guests."""
    guest = np.flatnonzero(host != np.arange(len(host)))
    order = guest[np.argsort(host[guest], kind="stable")]
    hosts, starts = np.unique(host[order], return_index=True)
    grown = outline.copy()
    for k, rows in zip(hosts.tolist(), np.split(order, starts[1:]) if len(hosts) else [],
                       strict=True):
        grown[k] = shapely.union_all(outline[np.append(rows, k)])
    return grown


def find_hosts(outline: Geometries) -> Ints:
    """Return for each building the row of the largest one it hangs together with.

    Two buildings hang together when they share more than a twentieth of the
    smaller: no border could part them without cutting one.

    >>> find_hosts(np.array([shapely.box(0, 0, 9, 9), shapely.box(1, 1, 2, 2)])).tolist()
    [0, 0]
    """
    area = shapely.area(outline)
    one, two = shapely.STRtree(outline).query(outline, predicate="intersects")
    one, two = one[one < two], two[one < two]
    shared = shapely.area(shapely.intersection(outline[one], outline[two]))
    joined = shared > _OVERLAP * np.minimum(area[one], area[two])
    links = coo_array((np.ones(int(joined.sum()), dtype=np.int8), (one[joined], two[joined])),
                      shape=(len(outline), len(outline)))
    group = connected_components(links, directed=False)[1]
    order = np.lexsort((-area, group))
    largest = order[np.unique(group[order], return_index=True)[1]]
    return largest[group].astype(np.int64)


def number_estates(buildings: gpd.GeoDataFrame, study: Study) -> Ints:
    """Return the number of each building's estate (-1 for none), by its id or its place."""
    estates = study.layer("estates")
    given = buildings["estate_id"].fillna("").to_numpy(dtype=object)
    number = estates.index.get_indexer(given).astype(np.int64)
    unnamed = np.flatnonzero(given == "")
    if len(estates) and len(unnamed):
        points = shapely.point_on_surface(buildings.geometry.to_numpy()[unnamed])
        number[unnamed] = first_within(points, estates.geometry.to_numpy())
    unlisted = (number < 0) & (given != "")
    number[unlisted] = len(estates) + np.unique(given[unlisted], return_inverse=True)[1]
    return number


def first_within(points: Geometries, areas: Geometries) -> Ints:
    """Return the first area that each point lies in, -1 for none."""
    found = np.full(len(points), -1, dtype=np.int64)
    if len(areas):
        row, area = shapely.STRtree(areas).query(points, predicate="within")
        order = np.lexsort((-area, row))
        found[row[order]] = area[order]
    return found


def locate(houses: Houses, faces: Geometries) -> Ints:
    """Return the face that holds most of each building (ties: the first); guests follow hosts."""
    outline = houses.outline
    house, face = shapely.STRtree(faces).query(outline, predicate="intersects")
    order = np.lexsort((face, house))
    house, face = house[order], face[order]
    many = np.bincount(house, minlength=len(outline))[house] > 1
    shared = np.ones(len(house))
    shared[many] = shapely.area(shapely.intersection(outline[house[many]], faces[face[many]]))
    best = np.lexsort((face, -shared, house))
    first = best[np.unique(house[best], return_index=True)[1]]
    found = np.full(len(outline), -1, dtype=np.int64)
    found[house[first]] = face[first]
    lost = np.flatnonzero(found < 0)
    if len(lost) and len(faces):
        near = shapely.STRtree(faces).query_nearest(outline[lost], all_matches=False)
        found[lost[near[0]]] = near[1]
    return found[houses.host]
