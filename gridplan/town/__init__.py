"""A synthetic Chinese-style town of any size, whole in itself.

:func:`build_town` makes it, :func:`write_town` writes it as the files a planner would bring.
Documents, tests, the demo and benchmarks live in it.
"""

from gridplan.town.build import Town, build_town
from gridplan.town.files import is_roster, write_roster, write_town

__all__ = ["Town", "build_town", "is_roster", "write_roster", "write_town"]
