"""Hold tracks to the routes of a plan: ``gridplan log`` as plain Python.

python scripts/log.py plan.gpkg logged.gpkg track.gpx checkins.csv
"""

import sys
from pathlib import Path

from gridplan.errors import Findings
from gridplan.log import LogRequest, log_files, put_log
from gridplan.params import load_params, recall_patrol
from gridplan.plan import read_plan, write_plan


def main(source: str, target: str, *tracks: str) -> None:
    """Read a plan and tracks, tell what was missed and write the plan."""
    plan, findings = read_plan(source), Findings()
    params = recall_patrol(plan.run.get("parameters", ""), load_params())
    logged = log_files(plan, LogRequest(tuple(map(Path, tracks))), params, findings)
    for row in logged.rows[~logged.rows["done"]].itertuples():
        print(f"{row.team_id} {row.day}: {row.visit_id} was missed")
    print(write_plan(put_log(plan, logged, findings), target).path)


if __name__ == "__main__":
    main(*sys.argv[1:])
