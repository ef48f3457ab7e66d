"""The peers: who they are, whether they are here, and their runs in children with limits."""

from benchmarks.partition.peers.field import PEERS, Peer, find_version, run_peer

__all__ = ["PEERS", "Peer", "find_version", "run_peer"]
