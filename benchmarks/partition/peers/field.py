"""Who the peers are, and how one is run."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from benchmarks.children import Outcome, run_child
from benchmarks.partition.instances import Instance
from benchmarks.partition.parts import Ints, pack_parts

CHILD = "benchmarks.partition.peers.child"
INSTALL = "pip install .[bench]"


@dataclass(frozen=True)
class Peer:
    """A program beside ours.

    Attributes
    ----------
    method
        Its name in the lines.
    package
        What is installed for it.
    function
        ``module:name``, called as ``name(part, seed, budget_s, **options)`` → labels of a part.
    seeds
        Which seeds it runs: all, as it is quick; few; or one, as no seed changes its answer.
    """

    method: str
    package: str
    function: str
    options: dict[str, Any] = field(default_factory=dict)
    seeds: Literal["all", "few", "one"] = "few"


_HERE = "benchmarks.partition.peers"
PEERS = (
    Peer("metis:1", "pymetis", f"{_HERE}.metis:cut_part", {"cuts": 1}, seeds="all"),
    Peer("metis:10", "pymetis", f"{_HERE}.metis:cut_part", {"cuts": 10}, seeds="all"),
    Peer("kahip:fast", "kahip", f"{_HERE}.kaffpa:cut_part", {"mode": "FAST"}),
    Peer("kahip:eco", "kahip", f"{_HERE}.kaffpa:cut_part", {"mode": "ECO"}),
    Peer("kahip:strong", "kahip", f"{_HERE}.kaffpa:cut_part", {"mode": "STRONG"}),
    Peer("gerrychain:recom", "gerrychain", f"{_HERE}.recom:cut_part"),
    Peer("spopt:maxp", "spopt", f"{_HERE}.regionalise:cut_maxp"),
    Peer("spopt:skater", "spopt", f"{_HERE}.regionalise:cut_skater", seeds="one"),
    Peer("spopt:azp", "spopt", f"{_HERE}.regionalise:cut_azp"),
    Peer("spopt:ward", "spopt", f"{_HERE}.regionalise:cut_ward", seeds="one"),
    Peer("spopt:kmeans", "spopt", f"{_HERE}.regionalise:cut_kmeans"),
)


def find_version(package: str) -> str | None:
    """Return the version of an installed package; None where it is missing.

    >>> find_version("no-such-package-anywhere") is None
    True
    """
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def run_peer(peer: Peer, instance: Instance, seed: int, *, cpu_s: float,
             wall_s: float | None = None) -> tuple[Outcome, Ints | None]:
    """Cut every part of an instance in a child of at most ``cpu_s``; return also the labels."""
    arrays = pack_parts(instance.parts)
    facts = {"function": peer.function, "options": peer.options, "seed": seed}
    outcome = run_child(CHILD, arrays, facts, cpu_s=cpu_s, wall_s=wall_s)
    if outcome.status != "ok":
        return outcome, None
    labels = np.full(instance.size, -1, np.int64)
    used = 0
    found = np.split(outcome.arrays["labels"],
                     np.cumsum([u.size for u in instance.pieces])[:-1])
    for units, held in zip(instance.pieces, found, strict=True):
        labels[units] = np.where(held < 0, -1, held + used)
        used += max(0, int(held.max()) + 1)
    return outcome, labels
