"""Household ledgers by estate and building number, matched to buildings.

:func:`read_ledger` reads one, :func:`match_ledger` finds its buildings, :func:`fill_households`
brings the counts into the buildings, :func:`write_ledger_match` asks a planner about the rest.
"""

from gridplan.ledger.matching import LedgerMatch, fill_households, match_ledger
from gridplan.ledger.reading import read_ledger
from gridplan.ledger.sheet import write_ledger_match

__all__ = ["LedgerMatch", "fill_households", "match_ledger", "read_ledger", "write_ledger_match"]
