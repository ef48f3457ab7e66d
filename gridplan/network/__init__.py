"""The streets as a network: who may go where, how far it is, and where a point enters it."""

from gridplan.network.model import Access, Nearest, Pairs, Reach, StreetNetwork

__all__ = ["Access", "Nearest", "Pairs", "Reach", "StreetNetwork"]
