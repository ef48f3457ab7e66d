"""Draw the map of a plan: ``gridplan map`` as plain Python.

python scripts/map.py plan.gpkg plan.html
"""

import sys

from gridplan.maps import draw_map
from gridplan.plan import read_plan


def main(plan: str, target: str) -> None:
    """Read a plan and draw it."""
    print(draw_map(read_plan(plan), target, audience="share"))


if __name__ == "__main__":
    main(*sys.argv[1:])
