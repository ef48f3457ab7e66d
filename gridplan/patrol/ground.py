"""The ground of a patrol: streets at cruising speed, and seconds between the places on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from gridplan.errors import Findings, first_ids
from gridplan.network import (
    Access,
    StreetNetwork,
    build_network,
    distances,
    find_access,
    pick_access,
    trace_paths,
)
from gridplan.params import WALKERS, NetworkParams, Params, PatrolParams
from gridplan.plan import Plan

Ints = NDArray[np.int64]
_ALONG_M = 0.5  # how near an edge's middle lies to the piece it is part of
_SHORT_M, _SHORT = 1.0, 0.01  # how much of a piece may be missing from the streets


class Piece(NamedTuple):
    """A required street on the network of a mode: its ends as places, and what a pass takes.

    ``seconds`` is from its begin to its end and back, inf where that is not open.
    """

    begin: int
    end: int
    seconds: tuple[float, float]
    length_m: float
    line: Any


@dataclass(frozen=True)
class Ground:
    """Places on the streets of one mode: stations, then stops, then the ends of pieces.

    Attributes
    ----------
    access
        Where each place enters the network.
    points
        The places themselves; None for ends of pieces, which lie on the network.
    place
        Place of each station and stop by its id.
    pieces
        Of each required street by its id; those that the mode cannot pass are absent.
    speed_m_s
        Effective metres a second.
    """

    network: StreetNetwork
    access: Access
    points: NDArray[np.object_]
    place: dict[str, int]
    pieces: dict[str, Piece]
    speed_m_s: float

    def measure(self, places: Ints) -> NDArray[np.float64]:
        """Return the seconds between some places, inf where no way leads."""
        held = pick_access(self.access, places)
        pairs = distances(self.network, held, held)
        out = np.full((len(places), len(places)), np.inf)
        out[pairs.origin, pairs.target] = pairs.distance_m / self.speed_m_s
        np.fill_diagonal(out, 0.0)
        return out

    def trace(self, origins: Ints, targets: Ints) -> NDArray[np.object_]:
        """Return the ways between places, straight legs off the street included."""
        lines = trace_paths(self.network, pick_access(self.access, origins),
                            pick_access(self.access, targets))
        out = np.empty(len(lines), dtype=object)
        for k, (line, a, b) in enumerate(zip(lines, origins.tolist(), targets.tolist(),
                                             strict=True)):
            xy = shapely.get_coordinates(line)
            ends = [shapely.get_coordinates(self.points[p]) if self.points[p] is not None
                    else np.zeros((0, 2)) for p in (a, b)]
            out[k] = np.concatenate([ends[0], xy, ends[1]])
        return out


def cruise_params(network: NetworkParams, patrol: PatrolParams) -> NetworkParams:
    """Return the parameters of the network with the speeds of patrols.

    >>> cruise_params(NetworkParams(), PatrolParams()).car_kmh["unknown"]
    20.0
    """
    return replace(network, car_kmh=patrol.car_kmh, ebike_kmh=patrol.ebike_kmh,
                   bike_kmh=patrol.bike_kmh)


def cruise_speed(mode: str, patrol: PatrolParams) -> float:
    """Return the metres a second for which an effective metre of the network stands.

    >>> cruise_speed("foot", PatrolParams()), cruise_speed("car", PatrolParams())
    (1.0, 8.3)
    """
    return patrol.foot_kmh / 3.6 if mode == "foot" else WALKERS[mode][1]


def survey(plan: Plan, mode: str, layers: dict[str, Any], params: Params, findings: Findings
           ) -> Ground:
    """Put stations, stops and required streets on the streets of a mode.

    Parameters
    ----------
    layers
        ``stations``, ``stops`` and ``required`` of the patrol.
    findings
        Takes the warning of pieces that the mode cannot pass, and the error of points off the
        streets.

    Returns
    -------
    Ground
        With every station and stop that a street leads to.
    """
    roads, barriers = plan.indexed("roads"), plan.indexed("barriers")
    gates = {"estates": plan.indexed("estates"), "gates": plan.indexed("gates")}
    held = cruise_params(params.network, params.patrol)
    network = build_network(roads, mode, barriers=barriers, params=held, findings=Findings(),
                            **gates)
    points, ids = [], []
    for name in ("stations", "stops"):
        frame = layers[name]
        points += list(frame.geometry)
        ids += frame[f"{name[:-1]}_id"].astype(str).tolist()
    shapes = np.array(points, dtype=object)
    access = find_access(network, shapes, barriers=barriers, params=held, near_outline=False,
                         **(gates if mode == "foot" else {}))
    _tell_off(layers, ids, access, mode, params, findings)
    nodes, pieces = lay_pieces(network, layers["required"], cruise_speed(mode, params.patrol),
                               len(ids))
    return Ground(network, _join(access, _enter_nodes(network, nodes)),
                  np.concatenate([shapes, np.full(len(nodes), None, dtype=object)]),
                  {name: k for k, name in enumerate(ids) if not access.off[k]}, pieces,
                  cruise_speed(mode, params.patrol))


def _tell_off(layers: dict[str, Any], ids: list[str], access: Access, mode: str, params: Params,
              findings: Findings) -> None:
    count = len(layers["stations"])
    for layer, off in (("stations", access.off[:count]), ("stops", access.off[count:])):
        names = [ids[k + (count if layer == "stops" else 0)] for k in np.flatnonzero(off)]
        if names and layer == "stations":
            findings.add("patrol.off_streets", layer=layer, row=first_ids(names),
                         count=len(names), mode=mode, limit_m=params.network.snap_m)


def lay_pieces(network: StreetNetwork, required: gpd.GeoDataFrame, speed_m_s: float, first: int
               ) -> tuple[Ints, dict[str, Piece]]:
    """Find the edges that each required street consists of.

    Parameters
    ----------
    first
        Number of the place that the first end of a piece becomes.

    Returns
    -------
    tuple
        The nodes that are ends of pieces, ascending; and the pieces, with places from ``first``
        on in the order of these nodes. Streets that are not open to the mode from end to end in
        some direction are left out.
    """
    lines = np.asarray(required.geometry.to_numpy(), dtype=object)
    names = required["required_id"].astype(str).tolist()
    middles = shapely.line_interpolate_point(network.geometry, 0.5, normalized=True)
    tree = shapely.STRtree(middles)
    piece, edge = tree.query(lines, predicate="dwithin", distance=_ALONG_M)
    road = required["road_id"].astype("string").fillna("").to_numpy(dtype=object)
    same = (road[piece] == "") | (road[piece] == network.road[edge])
    piece, edge = piece[same], edge[same]
    at = shapely.line_locate_point(lines[piece], middles[edge])
    order = np.lexsort((at, piece))
    piece, edge = piece[order], edge[order]
    held: dict[str, tuple[int, int, tuple[float, float], float, Any]] = {}
    starts = np.searchsorted(piece, np.arange(len(lines) + 1))
    for k, name in enumerate(names):
        chain = _string(network, lines[k], edge[starts[k]:starts[k + 1]])
        if chain is None:
            continue
        begin, end, cost = chain
        if np.isfinite(min(cost)):
            seconds = (cost[0] / speed_m_s, cost[1] / speed_m_s)
            held[name] = (begin, end, seconds, float(lines[k].length), lines[k])
    nodes = np.unique([n for row in held.values() for n in row[:2]]).astype(np.int64)
    return nodes, {name: Piece(first + int(np.searchsorted(nodes, row[0])),
                               first + int(np.searchsorted(nodes, row[1])), *row[2:])
                   for name, row in held.items()}


def _string(network: StreetNetwork, line: Any, edges: Ints
            ) -> tuple[int, int, tuple[float, float]] | None:
    """Follow a line along edges: first and last node, cost there and back; None if it breaks."""
    if not len(edges):
        return None
    ends = network.ends[edges]
    # The edges run with the line or against it, as the road does.
    there = shapely.line_locate_point(line, shapely.points(network.xy[ends[:, 0]]))
    back = shapely.line_locate_point(line, shapely.points(network.xy[ends[:, 1]]))
    with_line = there <= back
    if len(edges) == 1 and ends[0, 0] == ends[0, 1]:
        with_line[:] = True
    first = np.where(with_line, ends[:, 0], ends[:, 1])
    last = np.where(with_line, ends[:, 1], ends[:, 0])
    short = line.length - float(network.length_m[edges].sum())
    if (first[1:] != last[:-1]).any() or abs(short) > max(_SHORT_M, _SHORT * line.length):
        return None
    cost = network.cost_m[edges]
    ahead = np.where(with_line, cost[:, 0], cost[:, 1])
    behind = np.where(with_line, cost[:, 1], cost[:, 0])
    return int(first[0]), int(last[-1]), (float(ahead.sum()), float(behind.sum()))


def _enter_nodes(network: StreetNetwork, nodes: Ints) -> Access:
    """Return the access of nodes: the end of an edge that lies there, without a leg."""
    ends = network.ends.reshape(-1)
    order = np.argsort(ends, kind="stable")
    at = order[np.searchsorted(ends[order], nodes)]
    edge, side = at // 2, at % 2
    return Access(np.arange(len(nodes) + 1), edge, np.where(side == 1, network.length_m[edge], 0.0),
                  np.zeros(len(nodes)), np.zeros(len(nodes), bool))


def _join(one: Access, two: Access) -> Access:
    return Access(np.concatenate([one.start, one.start[-1] + two.start[1:]]),
                  np.concatenate([one.edge, two.edge]), np.concatenate([one.at_m, two.at_m]),
                  np.concatenate([one.leg_m, two.leg_m]),
                  np.concatenate([one.uncertain, two.uncertain]))
