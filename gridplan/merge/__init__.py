"""Which communities to merge so that a given number remains: advice only, people decide.

:func:`propose_merger` decides, :func:`merge_plan` carries it out in a plan with grids,
:func:`merge_areas` on boundaries alone. Inside: ``patchwork`` is the map as a graph, ``solve``
tells the story of the search, ``search`` anneals, ``groups`` lists connected groups, ``cover``
is the exact model.
"""

from gridplan.merge.areas import merge_areas
from gridplan.merge.plans import merge_plan
from gridplan.merge.propose import SUBDISTRICTS, Proposal, propose_merger

__all__ = ["SUBDISTRICTS", "Proposal", "merge_areas", "merge_plan", "propose_merger"]
