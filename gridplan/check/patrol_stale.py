"""Whether the layers are still those that routes were planned on."""

from __future__ import annotations

from gridplan.check.circle_stale import hash_layer
from gridplan.check.patrol_told import tell
from gridplan.check.reading import PlanData
from gridplan.check.verdict import CheckReport
from gridplan.layers import LAYERS


def check_stale(plan: PlanData, report: CheckReport) -> None:
    """Compare the digests that routes and other layers of patrols noted of what they stand on."""
    for layer in ("routes", "zones", "required", "teams", "visits"):
        head = f"upstream:{layer}:"
        changed = [key.removeprefix(head) for key, noted in plan.run.items()
                   if key.startswith(head) and key.removeprefix(head) in LAYERS
                   and noted != hash_layer(plan, key.removeprefix(head))]
        tell(report, "patrol_stale", layer, changed)
