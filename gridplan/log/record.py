"""What a log leaves in the plan: its rows, figures, tally and run record."""

from __future__ import annotations

import json

import pandas as pd

from gridplan.errors import Findings
from gridplan.layers import conform
from gridplan.log.desk import Logged
from gridplan.log.figures import make_figures
from gridplan.plan import Plan, digest_rows, tally_frame
from gridplan.plan.log import LOG_FIGURES, LOG_STAGE


def put_log(plan: Plan, logged: Logged, findings: Findings, *, command: str = "gridplan log"
            ) -> Plan:
    """Return the plan with what was done put in.

    Rows of the visits that the files tell of are replaced, others stay; rows of visits that are
    not planned any more go, and it is told. No track, file name or device goes into the plan.
    """
    held = plan.layer("log")
    known = set(plan.layer("visits")["visit_id"].astype(str))
    gone = ~held["visit_id"].astype(str).isin(known).to_numpy(dtype=bool)
    if gone.any():
        findings.add("log.rows_gone", "warning", layer="log", count=int(gone.sum()))
    again = held["visit_id"].astype(str).isin(logged.rows["visit_id"]).to_numpy(dtype=bool)
    kept = held[~gone & ~again]
    parts = [conform("log", frame).assign(arrived=frame["arrived"].astype("string").array
                                          if "arrived" in frame.columns else "")
             for frame in (kept, logged.rows) if len(frame)]
    log = pd.concat(parts, ignore_index=True) if parts else conform("log", logged.rows)
    log = log.sort_values("log_id", kind="stable").reset_index(drop=True)
    findings.tally.extend(logged.tally)
    done = plan.with_layers(log=log)
    done = done.with_layers(figures=_replace_figures(done, logged), tally=_replace_tally(
        plan, logged))
    rules = json.dumps(logged.rules.as_dict(), sort_keys=True)
    sign = "-" if logged.utc_offset_min < 0 else "+"
    minutes = abs(logged.utc_offset_min)
    return done.with_run({
        "log:rules": rules, "log:files": str(logged.files), "log:digest": logged.digest,
        "log:utc_offset": f"{sign}{minutes // 60:02d}:{minutes % 60:02d}",
        **digest_rows(done, ["log"]), "command": command})


def _replace_figures(plan: Plan, logged: Logged) -> pd.DataFrame:
    held = plan.layer("figures")
    held = held[~held["name"].isin(LOG_FIGURES).to_numpy(dtype=bool)]
    return conform("figures", pd.concat([held, make_figures(plan, logged.rules)],
                                        ignore_index=True))


def _replace_tally(plan: Plan, logged: Logged) -> pd.DataFrame:
    held = plan.layer("tally")
    held = held[(held["stage"] != LOG_STAGE).fillna(True).to_numpy(dtype=bool)]
    return conform("tally", pd.concat([held, tally_frame(Findings(tally=list(logged.tally)))],
                                      ignore_index=True))
