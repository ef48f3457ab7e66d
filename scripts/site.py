"""Choose sites for new facilities: ``gridplan site`` as plain Python.

python scripts/site.py plan.gpkg health_station 5 sited.gpkg
"""

import sys

from gridplan.errors import Findings
from gridplan.params import load_params
from gridplan.pipeline import site_plan
from gridplan.plan import read_plan, write_plan
from gridplan.siting import SiteRequest


def main(source: str, category: str, new: str, target: str) -> None:
    """Read a plan, choose so many sites that cover the most households and write the plan."""
    plan, params, findings = read_plan(source), load_params(), Findings()
    sited, chosen = site_plan(plan, SiteRequest(category, new=int(new)), params, findings)
    print(chosen.words())
    print(write_plan(sited, target).path)


if __name__ == "__main__":
    main(*sys.argv[1:])
