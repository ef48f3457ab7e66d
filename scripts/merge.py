"""Propose which communities of a plan to merge: ``gridplan merge`` as plain Python.

python scripts/merge.py plan.gpkg 36 merged.gpkg
"""

import hashlib
import sys
from pathlib import Path

from gridplan.errors import Findings
from gridplan.merge import propose_merger
from gridplan.params import load_params
from gridplan.pipeline import merge_city
from gridplan.plan import read_plan, write_plan


def main(source: str, communities: str, target: str) -> None:
    """Read a plan, merge its communities and write the proposal."""
    plan, params, findings = read_plan(source), load_params(), Findings()
    proposal = propose_merger(plan.layer("communities"), int(communities), params, findings)
    sha256 = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    merged = merge_city(plan, proposal, params, findings, source=(Path(source).name, sha256))
    for stays, gone in proposal.mergers().items():
        print(f"{stays} <- {', '.join(gone)}")
    print(write_plan(merged, target).path)


if __name__ == "__main__":
    main(*sys.argv[1:])
