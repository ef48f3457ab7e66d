"""Say what changed between two plans: ``gridplan diff`` as plain Python.

python scripts/diff.py old.gpkg new.gpkg changes.xlsx
"""

import sys
from pathlib import Path

from gridplan.diff import compare_plans, write_difference
from gridplan.plan import read_plan


def main(old: str, new: str, target: str) -> None:
    """Read both plans, compare them and write the workbook."""
    difference = compare_plans(read_plan(old), read_plan(new))
    for name, retention in difference.retention.items():
        print(name, retention.kept, retention.whole)
    print(write_difference(difference, target, (Path(old).name, Path(new).name)).path)


if __name__ == "__main__":
    main(*sys.argv[1:])
