"""The streets as a network: who may go where, how far it is, and where a point enters it."""

from gridplan.network.access import find_access
from gridplan.network.build import build_network
from gridplan.network.doors import door_points, find_building_access, merge_access, tell_off
from gridplan.network.elevation import Elevation, read_elevation
from gridplan.network.model import Access, Nearest, Pairs, Reach, StreetNetwork

__all__ = ["Access", "Elevation", "Nearest", "Pairs", "Reach", "StreetNetwork", "build_network",
           "door_points", "find_access", "find_building_access", "merge_access",
           "read_elevation", "tell_off"]
