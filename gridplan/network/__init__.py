"""The streets as a network: who may go where, how far it is, and where a point enters it."""

from gridplan.network.access import find_access
from gridplan.network.build import build_network
from gridplan.network.doors import door_points, find_building_access, merge_access, tell_off
from gridplan.network.elevation import Elevation, read_elevation
from gridplan.network.exchange import from_osmnx, to_networkx
from gridplan.network.model import Access, Nearest, Pairs, Reach, StreetNetwork
from gridplan.network.search import distances, kth_nearest, nearest, pick_access
from gridplan.network.tracing import reach, trace_paths

__all__ = ["Access", "Elevation", "Nearest", "Pairs", "Reach", "StreetNetwork", "build_network",
           "distances", "door_points", "find_access", "find_building_access", "from_osmnx",
           "kth_nearest", "merge_access", "nearest", "pick_access", "reach", "read_elevation",
           "tell_off", "to_networkx", "trace_paths"]
