"""Plan a week of patrols: ``gridplan patrol`` as plain Python.

python scripts/patrol.py plan.gpkg patrolled.gpkg
"""

import sys

from gridplan.errors import Findings
from gridplan.params import load_params
from gridplan.patrol.desk import PatrolRequest
from gridplan.pipeline import patrol_plan
from gridplan.plan import read_plan, write_plan


def main(source: str, target: str) -> None:
    """Read a plan, give every team its routes for seven days and write the plan."""
    plan, params, findings = read_plan(source), load_params(), Findings()
    done, patrol = patrol_plan(plan, PatrolRequest(days=7, vary=True), params, findings)
    for row in done.layer("routes").itertuples():
        print(f"{row.day} {row.shift} {row.team_id}: {row.distance_m / 1000:.1f} km")
    print(f"{patrol.km:.1f} km, {len(done.layer('unmet'))} things unmet")
    print(write_plan(done, target).path)


if __name__ == "__main__":
    main(*sys.argv[1:])
