"""The people who serve: reads the roster of an office and holds it to a plan.

Names, phones and homes stay in the :class:`~gridplan.layers.Roster`; nothing here writes.
"""

from gridplan.roster.judging import judge_roster
from gridplan.roster.reading import read_roster

__all__ = ["judge_roster", "read_roster"]
