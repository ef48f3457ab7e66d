"""Roads, barriers and boundaries cut the land into blocks; blocks are cut into units.

A *block* is a face of the public roads, surface rail, water edges and community
borders. Where a block holds more than a unit should, inner roads and paths cut
it further, then the cells between its buildings do. A *unit* is what the
partition never splits: whole buildings with the land round them.

Everything is noded once: units are unions of faces of one coverage, so they
tile their community exactly and know to the millimetre what they share.
"""

from gridplan.blocks.reopening import reopen_units
from gridplan.blocks.units import build_units

__all__ = ["build_units", "reopen_units"]
