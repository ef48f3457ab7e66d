"""The streets of one round of a shift: who passes which in which order, and what bounds it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from gridplan.network import pick_access
from gridplan.network.search import find_ends
from gridplan.patrol.bound import bound_balance, bound_parity
from gridplan.patrol.ground import Ground, Piece
from gridplan.patrol.job import Floats, Job, Member, Pass, Table
from gridplan.patrol.postman import order_tour, split_tour
from gridplan.patrol.problem import (
    FORBIDDEN,
    REQUIRED,
    UNLIMITED,
    Ints,
    Problem,
    Routes,
    find_ways,
)
from gridplan.patrol.search import Heat, find_routes
from gridplan.patrol.streets import Streets, join_odd

PER_S = 10  # the search counts in tenths of a second
# How a route is shaken, the boldest first: number of cuts; and how it is smoothed after.
_CUTS = (4, 3, 2, 2, 1, 1)
_SMOOTHING, _COOL = 3, Heat(0.05, 0.005)
_MARGINS_M = (300.0, 1500.0)  # round the passes, where the ways between them mostly lie


@dataclass(frozen=True)
class Cover:
    """Passes of one round of a shift and one mode, in the order they are made.

    Attributes
    ----------
    members, passes
        Rows of the job's members and passes that it is about.
    orders
        Of each of these members, rows of ``passes`` in order.
    ways
        Of each of these passes, 0 or 1.
    longest_s
        Seconds of the longest route with streets alone.
    tour_s, farthest_s
        No plan needs less in all for the passes made, and some route takes that long.
    """

    members: Ints
    passes: Ints
    orders: tuple[Ints, ...]
    ways: Ints
    longest_s: float
    tour_s: float
    farthest_s: float


def split_job(job: Job) -> list[tuple[Ints, Ints]]:
    """Return the members and passes of each shift, mode and round that has passes."""
    who = [(m.watch, m.mode) for m in job.members]
    what = [(p.watch, p.mode, p.window) for p in job.passes]
    return [(np.flatnonzero([w == key[:2] for w in who]),
             np.flatnonzero([w == key for w in what])) for key in sorted(set(what))]


def cover_passes(job: Job, part: tuple[Ints, Ints], table: Table,
                 grounds: Mapping[str, Ground], *, iterations: int, seed: int) -> Cover:
    """Find routes for the passes of one round and mode such that the longest is shortest.

    A route longer than its round without a break is not made; passes are then left to the rest
    of the plan, which may still find room for them.

    Parameters
    ----------
    iterations
        Of the search, for each pass.
    """
    members = [job.members[k] for k in part[0]]
    passes = [job.passes[k] for k in part[1]]
    asked = ask(members, passes, table, grounds)
    streets = make_streets(grounds[members[0].mode], passes, members, table)
    again = join_odd(streets)
    tour = bound_tour(streets, again)
    first = split_tour(asked, order_tour(streets, 0, again))
    fits = all(find_ways(asked, v, tasks)[1] <= asked.limit[v] for v, tasks in enumerate(first))
    found = find_routes(asked, iterations=iterations * len(passes), seed=seed,
                        first=first if fits else None,
                        reference=float(max(tour / len(members), 1)))
    return read_cover(part, asked, found, tour)


def describe_part(job: Job, part: tuple[Ints, Ints]) -> tuple[object, ...]:
    """Return all that a cover depends on: parts that are described alike have the same cover."""
    members = [job.members[k] for k in part[0]]
    passes = [job.passes[k] for k in part[1]]
    first, last = passes[0].window
    return (tuple((m.mode, m.station_id, min(m.end_s, last) - max(m.start_s, first) - m.break_s)
                  for m in members),
            tuple((p.required_id, p.optional, p.prize_min) for p in passes))


def shake_cover(job: Job, cover: Cover, table: Table, grounds: Mapping[str, Ground],
                draw: random.Random, *, longer: float) -> Cover:
    """Return the same passes in another order, no route more than a share longer than the longest.

    Routes are turned round, begun elsewhere and handed to other teams of the same station, parts
    of them change places; the boldest change of some tries that stays within the share is taken,
    after the search has smoothed it a little. Without one, the cover itself.
    """
    asked = ask([job.members[k] for k in cover.members], [job.passes[k] for k in cover.passes],
                table, grounds)
    rows = {int(p): k for k, p in enumerate(cover.passes)}
    orders = [np.array([rows[int(p)] for p in order], np.int64) for order in cover.orders]
    most = min((1 + longer) * cover.longest_s * PER_S, float(asked.limit.min()))
    for cuts in _CUTS:
        first = _hand_round([_shuffle(order, cuts, draw) for order in orders], asked, draw)
        found = find_routes(asked, iterations=_SMOOTHING * len(cover.passes), first=first,
                            seed=draw.randrange(1 << 30), heat=_COOL,
                            reference=float(max(cover.longest_s * PER_S, 1)))
        if found.longest <= most and len(found.left) <= len(rows) - sum(map(len, orders)):
            return read_cover((cover.members, cover.passes), asked, found, cover.tour_s * PER_S)
    return cover


def _shuffle(order: Ints, cuts: int, draw: random.Random) -> Ints:
    """Cut a closed route at random, put the parts in another order and turn some round."""
    if len(order) < 2:
        return order
    at = sorted(draw.sample(range(1, len(order)), min(cuts, len(order) - 1)))
    parts = np.split(order, at)
    if len(parts) > 2:
        draw.shuffle(parts)
    else:  # begun elsewhere: the way from end to begin becomes part of it
        parts.reverse()
    if draw.random() < 0.5:
        parts = [part[::-1] for part in parts[::-1]]
    return np.concatenate(parts)


def _hand_round(orders: list[Ints], asked: Problem, draw: random.Random) -> list[Ints]:
    """Let teams of the same station change routes."""
    out = list(orders)
    for home in np.unique(asked.start).tolist():
        mine = np.flatnonzero(asked.start == home).tolist()
        given = draw.sample(mine, len(mine))
        for one, other in zip(mine, given, strict=True):
            out[one] = orders[other]
    return out


def read_cover(part: tuple[Ints, Ints], asked: Problem, found: Routes, tour: float) -> Cover:
    """Read a cover out of routes of the search."""
    ways = np.zeros(len(part[1]), np.int64)
    for tasks, chosen in zip(found.tasks, found.ways, strict=True):
        ways[tasks] = chosen
    left = ways[found.left]
    ways[found.left] = np.where(asked.serve[found.left, 0] < FORBIDDEN, left, 1)
    return Cover(*part, tuple(part[1][tasks] for tasks in found.tasks), ways,
                 found.longest / PER_S, tour / PER_S, find_farthest(asked) / PER_S)


def ask(members: list[Member], passes: list[Pass], table: Table,
        grounds: Mapping[str, Ground]) -> Problem:
    """Write passes and teams as a problem of the search, in tenths of a second."""
    mode = members[0].mode
    ground = grounds[mode]
    pieces = [ground.pieces[p.required_id] for p in passes]
    ends = table.rows(mode, np.array([[p.begin, p.end] for p in pieces], np.int64))
    home = table.rows(mode, np.array([ground.place[m.station_id] for m in members], np.int64))
    between = np.where(np.isfinite(table.seconds[mode]),
                       np.ceil(table.seconds[mode] * PER_S - 1e-6), FORBIDDEN)
    serve = np.array([p.seconds for p in pieces]) * PER_S
    first, last = passes[0].window
    limit = [max(0, min(m.end_s, last) - max(m.start_s, first) - m.break_s) * PER_S
             for m in members]
    prize = [p.prize_min * 60 * PER_S if p.optional else REQUIRED for p in passes]
    return Problem(ends, ends[:, ::-1].copy(),
                   np.where(np.isfinite(serve), np.ceil(serve), FORBIDDEN).astype(np.int64),
                   between.astype(np.int32), home, home, np.zeros(len(passes), np.int64),
                   np.full(len(members), UNLIMITED), np.array(limit, np.int64),
                   np.array(prize, np.int64), True)


def find_farthest(asked: Problem) -> int:
    """Return the cost of the shortest route that serves the task which lies farthest off."""
    if not asked.tasks:
        return 0
    there = asked.between[asked.start[:, None, None], asked.begin[None]].astype(np.int64)
    back = asked.between[asked.end[None], asked.finish[:, None, None]].astype(np.int64)
    return int((there + asked.serve[None] + back).min(axis=(0, 2)).max())


def bound_tour(streets: Streets, again: Ints) -> int:
    """Return what all routes together need at least, in tenths of a second.

    ``again`` are the streets that :func:`gridplan.patrol.streets.join_odd` found.
    """
    if not streets.required.any():
        return 0
    tour = bound_parity(streets, again)
    if (streets.travel[:, 0] != streets.travel[:, 1]).any():
        tour = max(tour, bound_balance(streets))
    return tour


def make_streets(ground: Ground, passes: list[Pass], members: list[Member], table: Table
                 ) -> Streets:
    """Return the streets round the passes, required ones last; place 0 is the first station.

    Only streets near the passes are taken, as long as the ways between all places stay the same:
    then the cheapest passes without service are the same as with all streets. Costs are rounded
    down, so that bounds hold.
    """
    network = ground.network
    pieces = [ground.pieces[p.required_id] for p in passes]
    first = len(ground.points) - _count_nodes(ground)
    node_of = _nodes_of(ground)
    used = np.unique([[p.begin, p.end] for p in pieces])
    nodes = node_of[used - first]
    want = table.seconds[network.mode][np.ix_(*[table.rows(network.mode, used)] * 2)]
    box = np.array(shapely.total_bounds(np.array([p.line for p in pieces], dtype=object)))
    for margin in (*_MARGINS_M, np.inf):
        low, high = box[:2] - margin, box[2:] + margin
        inside = np.asarray(((network.xy >= low) & (network.xy <= high)).all(axis=1))
        edges = np.flatnonzero(inside[network.ends].all(axis=1))
        if margin == np.inf or np.allclose(
                _ways(network.ends[edges], network.cost_m[edges] / ground.speed_m_s, nodes,
                      network.nodes), want, rtol=1e-9, atol=1e-6, equal_nan=True):
            break
    return _build(ground, edges, pieces, node_of, first, members)


def _build(ground: Ground, edges: Ints, pieces: list[Piece], node_of: Ints, first: int,
           members: list[Member]) -> Streets:
    network = ground.network
    station = pick_access(ground.access, np.array([ground.place[members[0].station_id]]))
    out, back = (find_ends(network, station, outward=side) for side in (True, False))
    home = out.node.reshape(-1).astype(np.int64)
    served = np.array([[node_of[p.begin - first], node_of[p.end - first]] for p in pieces],
                      np.int64)
    u = np.concatenate([network.ends[edges, 0] + 1, np.zeros(len(home), np.int64),
                        served[:, 0] + 1])
    v = np.concatenate([network.ends[edges, 1] + 1, home + 1, served[:, 1] + 1])
    cost = np.concatenate([
        network.cost_m[edges] / ground.speed_m_s,
        np.column_stack([out.cost_m.reshape(-1), back.cost_m.reshape(-1)]) / ground.speed_m_s,
        np.array([p.seconds for p in pieces]).reshape(-1, 2)])
    cost = np.where(np.isfinite(cost), np.floor(cost * PER_S + 1e-9), FORBIDDEN).astype(np.int64)
    required = np.asarray(np.arange(len(u)) >= len(u) - len(pieces))
    places, both = np.unique(np.concatenate([[0], u, v]), return_inverse=True)
    return Streets(len(places), both[1:1 + len(u)], both[1 + len(u):], cost, cost, required)


def _count_nodes(ground: Ground) -> int:
    return sum(point is None for point in ground.points)


def _nodes_of(ground: Ground) -> Ints:
    """Return the network's node of every place that is an end of a piece."""
    held = pick_access(ground.access, np.flatnonzero([p is None for p in ground.points]))
    ends = ground.network.ends[held.edge]
    return np.asarray(np.where(held.at_m > 0, ends[:, 1], ends[:, 0]), np.int64)


def _ways(ends: Ints, cost: Floats, nodes: Ints, count: int) -> NDArray[np.float64]:
    """Return the costs between nodes along some edges."""
    one, two = np.concatenate([ends, ends[:, ::-1]]).T
    price = np.concatenate([cost[:, 0], cost[:, 1]])
    good = np.isfinite(price) & (one != two)
    one, two, price = one[good], two[good], price[good]
    order = np.lexsort((price, two, one))
    fresh = np.ones(len(order), bool)  # of parallel edges the cheapest
    fresh[1:] = (np.diff(one[order]) != 0) | (np.diff(two[order]) != 0)
    kept = order[fresh]
    graph = coo_array((np.maximum(price[kept], 1e-12), (one[kept], two[kept])),
                      shape=(count, count)).tocsr()
    return np.asarray(dijkstra(graph, indices=nodes)[:, nodes])
