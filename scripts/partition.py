"""Divide communities into grids: ``gridplan partition`` as plain Python.

python scripts/partition.py boundaries.gpkg buildings.gpkg roads.gpkg plan.gpkg
"""

import sys

from gridplan.errors import Findings
from gridplan.params import load_params
from gridplan.pipeline import plan_city
from gridplan.plan import write_plan
from gridplan.read import clean_study, read_layers


def main(boundaries: str, buildings: str, roads: str, target: str) -> None:
    """Read three layers, plan them and write the plan."""
    params, findings = load_params(), Findings()
    files = {"communities": boundaries, "buildings": buildings, "roads": roads}
    raw, sources = read_layers(files, findings=findings)
    study = clean_study(raw, sources, params, findings)
    plan = plan_city(study, params, findings)
    print(write_plan(plan, target).path)


if __name__ == "__main__":
    main(*sys.argv[1:])
