"""How many households a unit reaches within minutes, at the speeds of response."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridplan.errors import Findings
from gridplan.network import (
    Access,
    StreetNetwork,
    build_network,
    distances,
    find_access,
    find_building_access,
    nearest,
    pick_access,
)
from gridplan.pages.ground import text_of
from gridplan.params import MODES, WALKERS, NetworkParams
from gridplan.patrol.figures.table import CITY, Floats, Table
from gridplan.patrol.figures.units import Shapes, Units
from gridplan.plan import Plan

Ints = NDArray[np.int64]
MINUTES = (1, 3, 5, 15)
# A walking unit is an adult; what a metre of the network stands for a second is the walker's.
_WALKER = {"foot": "adult"}


@dataclass
class Streets:
    """The networks of a plan at the speeds of response, built when they are asked for.

    On foot an effective metre takes 1 ÷ 1.25 s, as an adult of the service circle walks.
    """

    plan: Plan
    params: NetworkParams
    findings: Findings
    _held: dict[str, StreetNetwork] = field(default_factory=dict)

    def network(self, mode: str) -> StreetNetwork:
        """Return the network of a mode."""
        if mode not in self._held:
            ground = {n: self.plan.indexed(n) for n in ("barriers", "estates", "gates")}
            self._held[mode] = build_network(self.plan.layer("roads"), mode, params=self.params,
                                             findings=Findings(), **ground)
        return self._held[mode]

    def enter(self, mode: str, points: Shapes) -> Access:
        """Return where points enter the network of a mode."""
        return find_access(self.network(mode), points, params=self.params, near_outline=False,
                           **{n: self.plan.indexed(n) for n in ("barriers", "estates", "gates")})


def speed_m_s(mode: str) -> float:
    """Return the effective metres of the network that a unit makes in a second.

    >>> speed_m_s("foot"), speed_m_s("car")
    (1.25, 8.3)
    """
    return WALKERS[_WALKER.get(mode, mode)][1]


@dataclass(frozen=True)
class Samples:
    """Units at sampled times: time (0 … times − 1), mode and (n, 2) coordinates of each."""

    times: int
    time: Ints
    mode: NDArray[np.object_]
    xy: Floats

    def pick(self, mode: str) -> tuple[Ints, Ints, Shapes]:
        """Return the rows of a mode, the place that each is at, and these places, each once."""
        rows = np.flatnonzero(self.mode == mode)
        spots, at = np.unique(self.xy[rows].round(3), axis=0, return_inverse=True)
        return rows, at.reshape(-1), np.asarray(shapely.points(spots), dtype=object)


def take_samples(units: Units, minutes: Floats) -> Samples:
    """Place the units at every sampled time; those of an unknown mode are left out."""
    modes = units.duties["mode"].to_numpy(dtype=object)
    time, mode, xy = [], [], [np.zeros((0, 2))]
    for k, minute in enumerate(minutes.tolist()):
        rows, here = units.place(minute)
        good = np.isin(modes[rows], MODES)
        time += [k] * int(good.sum())
        mode += modes[rows][good].tolist()
        xy.append(here[good])
    return Samples(len(minutes), np.array(time, dtype=np.int64), np.array(mode, dtype=object),
                   np.concatenate(xy))


def measure_response(streets: Streets, samples: Samples) -> tuple[pd.DataFrame, Floats]:
    """Measure how soon a unit is at every building with households, time by time.

    Cars, e-bikes, bicycles and walkers start side by side, each on its own network; the first to
    arrive counts.

    Returns
    -------
    tuple
        Buildings by id: households, community; and (times, n) seconds, inf beyond 15 minutes or
        where none can come.
    """
    plan = streets.plan
    homes = plan.layer("buildings").sort_values("building_id", kind="stable")
    homes = homes[(homes["households"].fillna(0) > 0).to_numpy(bool)]
    table = pd.DataFrame({"households": homes["households"].to_numpy(dtype=np.float64),
                          "community": text_of(homes, "community_id")})
    seconds = np.full((samples.times, len(homes)), np.inf)
    if not len(homes):
        return table, seconds
    frame = homes.set_index(pd.Index(homes["building_id"].astype(object), name="building_id"))
    entrances = plan.indexed("entrances")
    ground = {n: plan.indexed(n) for n in ("barriers", "estates", "gates")}
    for mode in (m for m in MODES if (samples.mode == m).any()):
        rows, at, spots = samples.pick(mode)
        network, speed = streets.network(mode), speed_m_s(mode)
        doors = find_building_access(network, frame, entrances, params=streets.params, **ground)
        found = nearest(network, doors, pick_access(streets.enter(mode, spots), at),
                        samples.time[rows], samples.times, limit_m=60 * speed * MINUTES[-1],
                        toward=False)
        np.minimum(seconds, found.distance_m / speed, out=seconds)
    return table, seconds


def find_shares(seconds: Floats, households: Floats, minutes: float) -> float:
    """Return how many households are reached within minutes, averaged over the times.

    >>> find_shares(np.array([[50.0, 70.0], [np.inf, 60.0]]), np.array([10.0, 30.0]), 1)
    20.0
    """
    return float(((seconds <= 60 * minutes) * households).sum(axis=1).mean())


def add_response(table: Table, streets: Streets, samples: Samples) -> None:
    """Add ``response_share_1``, ``_3``, ``_5`` and ``_15``.

    Unit share: households within so many minutes of a unit on duty, by the streets at response
    speeds, averaged over the sampled times. Numerator that mean of households, denominator all;
    buildings that no way leads to count as not reached. Scopes: city, community. Without anybody
    on duty there is no value.

    >>> households = np.array([10.0, 30.0])
    >>> find_shares(np.array([[50.0, 70.0]]), households, 1) / float(households.sum())
    0.25
    """
    homes, seconds = measure_response(streets, samples)
    town = homes["community"].to_numpy(dtype=object)
    scopes = [("city", CITY, np.ones(len(homes), dtype=bool)),
              *(("community", str(c), town == c) for c in sorted({str(c) for c in town} - {""}))]
    people = homes["households"].to_numpy(dtype=np.float64)
    for minutes in MINUTES:
        for scope, scope_id, rows in scopes:
            part = (find_shares(seconds[:, rows], people[rows], minutes) if samples.times
                    else np.nan)
            table.add_ratio(f"response_share_{minutes}", scope, scope_id, part,
                            people[rows].sum())


def measure_ways(streets: Streets, samples: Samples, goals: Shapes) -> Floats:
    """Return the seconds from every sampled unit to every goal, inf where no way leads: (n, g)."""
    seconds = np.full((len(samples.time), len(goals)), np.inf)
    for mode in (m for m in MODES if (samples.mode == m).any()):
        rows, at, spots = samples.pick(mode)
        network = streets.network(mode)
        start, end = streets.enter(mode, spots), streets.enter(mode, goals)
        # The search spreads from the fewer of the two.
        if len(spots) <= len(goals):
            pairs = distances(network, end, start, toward=False)
            spot, goal = pairs.target, pairs.origin
        else:
            pairs = distances(network, start, end)
            spot, goal = pairs.origin, pairs.target
        held = np.full((len(spots), len(goals)), np.inf)
        held[spot, goal] = pairs.distance_m / speed_m_s(mode)
        seconds[rows] = held[at]
    return seconds
