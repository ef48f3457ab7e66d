"""What a log of tracks leaves in a plan, all in one place, so that it can be taken out."""

from __future__ import annotations

import dataclasses

import numpy as np

from gridplan.layers import conform
from gridplan.plan.model import Plan

LOG_FIGURES = ("logged_share", "done_stop_share", "missed_stops", "done_pass_share", "passed_m",
               "late_share", "late_min")
LOG_STAGE, LOG_RUN = "log", "log:"


def forget_log(plan: Plan) -> Plan:
    """Return the plan without what was done: its rows, figures, tally and run record."""
    figures, tally, run = (plan.layer(n) for n in ("figures", "tally", "run"))
    gone = np.array([str(k).startswith(LOG_RUN) or k == "digest:log" for k in run["key"]],
                    dtype=bool)
    kept = {"figures": figures[~figures["name"].isin(LOG_FIGURES).to_numpy(dtype=bool)],
            "tally": tally[(tally["stage"] != LOG_STAGE).fillna(True).to_numpy(dtype=bool)],
            "run": run[~gone]}
    layers = {name: frame for name, frame in plan.layers.items() if name != "log"}
    layers |= {name: conform(name, frame.reset_index(drop=True)) for name, frame in kept.items()
               if name in plan.layers}
    return dataclasses.replace(plan, layers=layers)
