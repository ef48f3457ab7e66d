"""Measure the service circle of a plan: ``gridplan circle`` as plain Python.

python scripts/circle.py plan.gpkg measured.gpkg
"""

import sys

from gridplan.errors import Findings
from gridplan.params import load_params
from gridplan.pipeline import measure_plan
from gridplan.plan import read_plan, write_plan


def main(source: str, target: str) -> None:
    """Read a plan, measure who reaches which of its facilities and write the plan."""
    plan, params, findings = read_plan(source), load_params(), Findings()
    measured, circle = measure_plan(plan, params, findings)
    city = circle.coverage[circle.coverage["scope"] == "city"]
    for row in city[city["reading"] == "near"].itertuples():
        print(f"{row.category} {row.walker}: {row.covered} of {row.households}")
    print(write_plan(measured, target).path)


if __name__ == "__main__":
    main(*sys.argv[1:])
