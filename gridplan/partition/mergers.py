"""Which part next door would make a part fit that cannot be cut alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gridplan.params import Range
from gridplan.partition.advice import can_cut
from gridplan.partition.cutting import CutCommunity, Grid
from gridplan.partition.graph import Contacts, Ints, components

_NEIGHBOURS = 3


@dataclass(frozen=True)
class Piece:
    """A part of a community as it was cut: its units, whose it is, its number and range."""

    community: str
    part: int
    members: Ints
    limits: Range


def find_merger(piece: Piece, others: Mapping[int, Piece], piece_of: Ints, households: Ints,
                contacts: Contacts) -> dict[str, object]:
    """Return the neighbouring part of another community with which a part can be cut.

    Parameters
    ----------
    others
        Number → part; ``piece_of`` gives the number of every unit's part, -1 for none.
    households, contacts
        Of all units, across communities too.

    Returns
    -------
    dict
        ``community``, ``part`` and ``households`` of both; empty where none of the neighbours
        with the longest common borders fits.
    """
    mine = np.zeros(len(piece_of), dtype=bool)
    mine[piece.members] = True
    metres: dict[int, float] = {}
    for one, two in ((contacts.a, contacts.b), (contacts.b, contacts.a)):
        beside = mine[one] & ~mine[two] & (piece_of[two] >= 0)
        for k, m in zip(piece_of[two[beside]].tolist(), contacts.length_m[beside].tolist(),
                        strict=True):
            metres[k] = metres.get(k, 0.0) + m
    total = int(households[piece.members].sum())
    tried = 0
    for k in sorted(metres, key=lambda k: (-metres[k], k)):
        other = others[k]
        both = total + int(households[other.members].sum())
        if (other.community == piece.community or other.limits != piece.limits
                or not piece.limits.fits(both) or tried == _NEIGHBOURS):
            continue
        tried += 1
        members = np.sort(np.concatenate([piece.members, other.members]))
        near = contacts.among(members, len(piece_of))
        if not components(len(members), near.a, near.b).any() and can_cut(
                households[members], near, piece.limits.low, piece.limits.high):
            return {"community": other.community, "part": other.part, "households": both}
    return {}


def add_mergers(cuts: Mapping[str, CutCommunity], ranges: Mapping[str, Range], households: Ints,
                contacts: Contacts) -> dict[str, CutCommunity]:
    """Say in reasons and certificates with which neighbour a part could be cut.

    ``contacts`` are those of all units, across communities too.
    """
    if not any("nearest" in proof for cut in cuts.values() for proof in cut.certificates.values()):
        return dict(cuts)
    pieces = [Piece(name, part, np.sort(np.concatenate(
        [g.members for g in cut.grids if g.part == part])), ranges[name])
        for name, cut in cuts.items() for part in sorted({g.part for g in cut.grids} - {0})]
    piece_of = np.full(len(households), -1, dtype=np.int64)
    for k, piece in enumerate(pieces):
        piece_of[piece.members] = k
    out = dict(cuts)
    for piece in pieces:
        cut = out[piece.community]
        proof = cut.certificates.get(piece.part, {})
        if "nearest" not in proof:
            continue
        merger = find_merger(piece, dict(enumerate(pieces)), piece_of, households, contacts)
        if merger:
            grids = [_with_merger(g, merger) if g.part == piece.part else g for g in cut.grids]
            out[piece.community] = CutCommunity(grids, {
                **cut.certificates, piece.part: {**proof, "merger": merger}})
    return out


def _with_merger(grid: Grid, merger: dict[str, object]) -> Grid:
    if grid.reason is None or "nearest" not in grid.reason.values:
        return grid
    return replace(grid, reason=replace(grid.reason, values={**grid.reason.values,
                                                             "merger": merger}))
