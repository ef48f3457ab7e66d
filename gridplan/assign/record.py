"""What an assignment leaves in the plan: its layers, figures, tally and run record."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from gridplan.assign.desk import Assigned
from gridplan.errors import Findings, TallyRow
from gridplan.layers import Roster, conform
from gridplan.params import Params, as_dict
from gridplan.plan import Plan, digest_layer, digest_rows, tally_frame
from gridplan.plan.people import STAGES_OF_PEOPLE, forget_people, put_workload

_LAYER = "roster"  # what the run table and the tally call the file of people


def record_assignment(plan: Plan, assigned: Assigned, roster: Roster, params: Params,
                      findings: Findings, *, absent: Sequence[str] = (),
                      command: str = "gridplan assign") -> Plan:
    """Return the plan with staff, assignments, figures and workload, and the record of the run.

    What an earlier assignment left is replaced.
    """
    findings.tally.append(TallyRow("assign", _LAYER, len(roster.staff), len(assigned.staff),
                                   outside=len(absent)))
    bare = put_workload(forget_people(plan), assigned.workload)
    rows = tally_frame(Findings(tally=[r for r in findings.tally
                                       if r.stage in STAGES_OF_PEOPLE]))
    done = bare.with_layers(
        staff=assigned.staff, assignments=assigned.assignments,
        figures=_add(bare, "figures", assigned.figures), tally=_add(bare, "tally", rows))
    record = make_record(bare, assigned, roster, params, absent)
    return done.with_run({**record, **digest_rows(done, ["staff", "assignments"]),
                          "command": command})


def make_record(plan: Plan, assigned: Assigned, roster: Roster, params: Params,
                absent: Sequence[str]) -> dict[str, str]:
    """Return the rows of the run table: what was asked, of which files, and what it rests on."""
    said = json.loads(plan.run.get("parameters", "") or "{}")
    said["assign"] = as_dict(params)["assign"]
    number = 1 + max((int(key.split(":")[1]) for key in plan.run
                      if key.startswith("input:") and key.split(":")[1].isdigit()), default=0)
    return {"parameters": json.dumps(said, sort_keys=True, ensure_ascii=False),
            f"input:{number}:{roster.source.name}:{_LAYER}": roster.source.sha256,
            "assign:absent": ";".join(absent), "assign:held": assigned.holding.source,
            "assign:seed": str(params.seed),
            # The land people answer for: another one, and they are assigned to what is gone.
            "upstream:assignments:units": digest_layer(plan.layer("units"), "units")}


def _add(plan: Plan, layer: str, rows: pd.DataFrame) -> pd.DataFrame:
    return conform(layer, pd.concat([plan.layer(layer), rows], ignore_index=True))
