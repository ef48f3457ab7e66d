"""Assign people to the grids of a plan: ``gridplan assign`` as plain Python.

python scripts/assign.py plan.gpkg roster.xlsx assigned.gpkg
"""

import sys

from gridplan.errors import Findings
from gridplan.params import load_params
from gridplan.pipeline import assign_plan
from gridplan.plan import read_plan, write_plan
from gridplan.roster import read_roster


def main(source: str, people: str, target: str) -> None:
    """Read a plan and a roster, assign its people and write the plan."""
    plan, params, findings = read_plan(source), load_params(), Findings()
    roster = read_roster(people, findings)
    assigned, result = assign_plan(plan, roster, params, findings)
    for row in result.vacancies.itertuples():
        print(f"vacant: {row.place} {row.role}")
    print(write_plan(assigned, target).path)


if __name__ == "__main__":
    main(*sys.argv[1:])
